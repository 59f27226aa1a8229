//! An answer that is kept, within limits.

use std::sync::Arc;

use crate::connection::{Failure, Sink};
use crate::error::ServerError;
use crate::rows::{Batch, ColumnInfo, Row, Rows};
use crate::value::Value;

/// As many errors and as many messages of one request are kept.
const SAID_MAX: usize = 10_000;

/// As many counts of changed rows are kept: a loop can bring any number of them.
const COUNTS_MAX: usize = 1_000_000;

/// How much of an answer is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Rows are read and thrown away.
    pub(crate) no_rows: bool,
    pub(crate) rows_max: usize,
    pub(crate) bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { no_rows: false, rows_max: 1_000_000, bytes_max: 256 << 20 }
    }
}

impl Limits {
    /// What rows there are is of no interest.
    pub(crate) const NO_ROWS: Limits = Limits { no_rows: true, rows_max: 0, bytes_max: 0 };
}

/// What has come so far.
#[derive(Debug)]
pub(crate) struct Collector {
    limits: Limits,
    batch: Batch,
    errors: Vec<ServerError>,
    columns: Arc<[ColumnInfo]>,
    rows: Vec<Row>,
    /// Of all sets.
    rows_all: usize,
    bytes: usize,
}

impl Collector {
    pub(crate) fn new(limits: Limits) -> Collector {
        Collector {
            limits,
            batch: Batch::default(),
            errors: Vec::new(),
            columns: Vec::new().into(),
            rows: Vec::new(),
            rows_all: 0,
            bytes: 0,
        }
    }

    /// Counts what is to be kept.
    fn keep(&mut self, bytes: usize) -> Result<(), String> {
        let Limits { no_rows, rows_max, bytes_max } = self.limits;
        self.bytes = self.bytes.saturating_add(bytes);
        if no_rows || (self.rows_all <= rows_max && self.bytes <= bytes_max) {
            return Ok(());
        }
        Err(format!(
            "more than {rows_max} rows or {bytes_max} bytes were answered: ask for less, or set a higher limit"
        ))
    }

    /// All of it, if there was no error in it.
    pub(crate) fn finish(self) -> Result<Batch, Failure> {
        if self.errors.is_empty() { Ok(self.batch) } else { Err(Failure::Server(self.errors)) }
    }
}

impl Sink for Collector {
    fn columns(&mut self, columns: Vec<ColumnInfo>) -> Result<(), String> {
        self.columns = columns.into();
        // A loop can bring any number of sets without a row.
        let names = self.columns.iter().map(|c| c.name.len() + size_of::<ColumnInfo>()).sum();
        self.keep(names)
    }

    fn row(&mut self, values: Vec<Value>) -> Result<(), String> {
        if self.limits.no_rows {
            return Ok(());
        }
        self.rows_all += 1;
        self.keep(values.iter().map(Value::size).sum())?;
        self.rows.push(Row::new(&self.columns, values));
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        if !self.limits.no_rows {
            let rows = std::mem::take(&mut self.rows);
            self.batch.sets.push(Rows { columns: self.columns.clone(), rows });
        }
        Ok(())
    }

    fn affected(&mut self, rows: u64) -> Result<(), String> {
        if self.batch.affected.len() < COUNTS_MAX {
            self.batch.affected.push(rows);
        }
        Ok(())
    }

    fn said(&mut self, said: ServerError) -> Result<(), String> {
        let list = if said.is_error() { &mut self.errors } else { &mut self.batch.messages };
        if list.len() < SAID_MAX {
            list.push(said);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_bytes_are_counted_over_all_sets() {
        let limits = Limits { no_rows: false, rows_max: 3, bytes_max: 10_000 };
        let column = || vec![ColumnInfo { name: "a".into(), numeric: false }];
        let mut collector = Collector::new(limits);
        for _ in 0..3 {
            collector.columns(column()).unwrap();
            collector.row(vec![Value::Null]).unwrap();
            collector.end().unwrap();
        }
        assert!(collector.row(vec![Value::Null]).unwrap_err().contains("3 rows"));
        assert_eq!(collector.finish().unwrap().len(), 3);
        let mut collector = Collector::new(limits);
        collector.columns(column()).unwrap();
        collector.row(vec![Value::Bytes(vec![0; 9000])]).unwrap();
        assert!(collector.row(vec![Value::Bytes(vec![0; 9000])]).unwrap_err().contains("10000 bytes"));
    }

    #[test]
    fn the_class_tells_errors_from_messages() {
        let mut collector = Collector::new(Limits::NO_ROWS);
        let said =
            |class| ServerError { number: 1, class, state: 1, line: 1, procedure: None, message: "m".into() };
        for class in [0, 10, 11, 16] {
            collector.said(said(class)).unwrap();
        }
        assert_eq!(collector.batch.messages.len(), 2);
        assert!(matches!(collector.finish(), Err(Failure::Server(errors)) if errors.len() == 2));
    }
}
