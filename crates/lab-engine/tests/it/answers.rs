//! What a batch answered.

use lab_engine::types::display_value;
use lab_engine::{ColumnMeta, Done, EnvChange, ReturnValue, Sink, SinkClosed, SqlError};
use rusqlite::types::Value;

#[derive(Debug, Default)]
pub(crate) struct Answers {
    pub(crate) sets: Vec<(Vec<ColumnMeta>, Vec<Vec<Value>>)>,
    pub(crate) dones: Vec<Done>,
    pub(crate) infos: Vec<SqlError>,
    pub(crate) errors: Vec<SqlError>,
    pub(crate) envs: Vec<EnvChange>,
    pub(crate) status: Option<i32>,
    pub(crate) values: Vec<ReturnValue>,
}

impl Answers {
    /// The rows of the last result set, columns joined by `|`.
    pub(crate) fn last_rows(&self) -> Vec<String> {
        let Some((columns, rows)) = self.sets.last() else { return Vec::new() };
        let cell = |v: &Value, c: &ColumnMeta| {
            if *v == Value::Null { "NULL".to_owned() } else { display_value(v, c.ty) }
        };
        rows.iter()
            .map(|r| r.iter().zip(columns).map(|(v, c)| cell(v, c)).collect::<Vec<_>>().join("|"))
            .collect()
    }
}

impl Sink for Answers {
    fn columns(&mut self, columns: &[ColumnMeta]) {
        self.sets.push((columns.to_vec(), Vec::new()));
    }
    fn row(&mut self, row: &[Value]) -> Result<(), SinkClosed> {
        self.sets.last_mut().unwrap().1.push(row.to_vec());
        Ok(())
    }
    fn done(&mut self, done: Done) {
        self.dones.push(done);
    }
    fn info(&mut self, message: &SqlError) {
        self.infos.push(message.clone());
    }
    fn error(&mut self, error: &SqlError) {
        self.errors.push(error.clone());
    }
    fn env(&mut self, change: EnvChange) {
        self.envs.push(change);
    }
    fn return_status(&mut self, status: i32) {
        self.status = Some(status);
    }
    fn return_value(&mut self, value: &ReturnValue) {
        self.values.push(value.clone());
    }
    fn flush(&mut self) -> Result<(), SinkClosed> {
        Ok(())
    }
}
