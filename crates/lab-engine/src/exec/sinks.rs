//! Sinks that do not answer a client.

use rusqlite::types::Value;

use crate::error::SqlError;
use crate::sink::{ColumnMeta, Done, EnvChange, ReturnValue, Sink, SinkClosed};

/// Keeps the first error and drops everything else: for scripts that nobody reads the answers of.
#[derive(Debug, Default)]
pub struct FirstError {
    error: Option<SqlError>,
}

impl FirstError {
    /// What became of the script.
    ///
    /// # Errors
    /// The first that it said.
    pub fn into_result(self) -> Result<(), SqlError> {
        self.error.map_or(Ok(()), Err)
    }
}

impl Sink for FirstError {
    fn columns(&mut self, _: &[ColumnMeta]) {}
    fn row(&mut self, _: &[Value]) -> Result<(), SinkClosed> {
        Ok(())
    }
    fn done(&mut self, _: Done) {}
    fn info(&mut self, _: &SqlError) {}
    fn error(&mut self, error: &SqlError) {
        self.error.get_or_insert_with(|| error.clone());
    }
    fn env(&mut self, _: EnvChange) {}
    fn return_status(&mut self, _: i32) {}
    fn return_value(&mut self, _: &ReturnValue) {}
    fn flush(&mut self) -> Result<(), SinkClosed> {
        Ok(())
    }
}

/// Collects the rows of INSERT ... EXEC; messages go on to the client.
pub(crate) struct Capture<'a> {
    client: &'a mut dyn Sink,
    columns: Vec<ColumnMeta>,
    /// Each row with the types of its columns.
    pub(crate) rows: Vec<Vec<(Value, ColumnMeta)>>,
}

impl<'a> Capture<'a> {
    pub(crate) fn new(client: &'a mut dyn Sink) -> Capture<'a> {
        Capture { client, columns: Vec::new(), rows: Vec::new() }
    }
}

impl Sink for Capture<'_> {
    fn columns(&mut self, columns: &[ColumnMeta]) {
        self.columns = columns.to_vec();
    }
    fn row(&mut self, row: &[Value]) -> Result<(), SinkClosed> {
        self.rows.push(row.iter().cloned().zip(self.columns.iter().cloned()).collect());
        Ok(())
    }
    fn done(&mut self, _: Done) {}
    fn info(&mut self, message: &SqlError) {
        self.client.info(message);
    }
    fn error(&mut self, error: &SqlError) {
        self.client.error(error);
    }
    fn env(&mut self, change: EnvChange) {
        self.client.env(change);
    }
    fn return_status(&mut self, _: i32) {}
    fn return_value(&mut self, _: &ReturnValue) {}
    fn flush(&mut self) -> Result<(), SinkClosed> {
        self.client.flush()
    }
}
