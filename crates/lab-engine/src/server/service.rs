//! What the service that owns a server does in it by T-SQL.

use std::sync::Arc;

use super::Server;
use crate::error::SqlError;
use crate::session::Shared;
use crate::sink::{ColumnMeta, Done, EnvChange, ReturnValue, Sink, SinkClosed};
use crate::types::{Value, display_value};

/// The rows of the last result, as text, and the first error.
#[derive(Debug, Default)]
struct Rows {
    columns: Vec<ColumnMeta>,
    rows: Vec<Vec<Option<String>>>,
    error: Option<SqlError>,
}

impl Sink for Rows {
    fn columns(&mut self, columns: &[ColumnMeta]) {
        self.columns = columns.to_vec();
        self.rows.clear();
    }
    fn row(&mut self, row: &[Value]) -> Result<(), SinkClosed> {
        let cell = |(value, column): (&Value, &ColumnMeta)| match value {
            Value::Null => None,
            value => Some(display_value(value, column.ty)),
        };
        self.rows.push(row.iter().zip(&self.columns).map(cell).collect());
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

impl Server {
    /// Runs a batch in `master` as the server itself, durably, and returns the rows of its last result as text; NULL is
    /// `None`.
    ///
    /// # Errors
    /// The first error of the batch.
    pub fn run_as_service(self: &Arc<Server>, batch: &str) -> Result<Vec<Vec<Option<String>>>, SqlError> {
        let mut session = self.internal_session()?;
        let mut rows = Rows::default();
        session.run_batch(batch, &mut rows);
        if let Some(error) = rows.error {
            return Err(error);
        }
        session.barrier().wait()?;
        Ok(rows.rows)
    }

    /// Ends the sessions that are in a database; how many there were. They are gone when what they run has been rolled back.
    pub fn end_sessions(&self, database: &str) -> usize {
        let Some(database) = self.database_named(database) else { return 0 };
        let within = |session: &Arc<Shared>| session.state().database == database.id;
        let sessions: Vec<_> = self.sessions().into_iter().filter(within).collect();
        sessions.iter().for_each(|session| session.kill());
        sessions.len()
    }
}
