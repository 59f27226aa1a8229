//! API cursors of a session and their rows.

use std::collections::BTreeMap;
use std::ops::Range;

use rusqlite::types::Value;

use crate::error::SqlError;
use crate::sink::{ColumnMeta, Done, EnvChange, ReturnValue, Sink, SinkClosed};
use crate::types::SqlType;

/// How many cursors a session may have open.
const OPEN_MAX: usize = 256;

/// The cursors that a session has open.
#[derive(Debug, Default)]
pub(crate) struct Cursors {
    open: BTreeMap<i64, Cursor>,
    last: i64,
}

impl Cursors {
    pub(super) fn add(&mut self, cursor: Cursor) -> Option<i64> {
        if self.open.len() >= OPEN_MAX {
            return None;
        }
        // SQL Server's handles look like this one, and clients take them as they are.
        self.last = if self.last == 0 { 180_150_003 } else { self.last + 2 };
        self.open.insert(self.last, cursor);
        Some(self.last)
    }

    pub(super) fn get(&mut self, handle: i64) -> Option<&mut Cursor> {
        self.open.get_mut(&handle)
    }

    pub(super) fn close(&mut self, handle: i64) -> bool {
        self.open.remove(&handle).is_some()
    }

    pub(super) fn clear(&mut self) {
        self.open.clear();
    }
}

/// A cursor with all of its rows.
#[derive(Debug)]
pub(super) struct Cursor {
    /// The query's columns and ROWSTAT, which tells clients that a row is there (1).
    pub(super) columns: Vec<ColumnMeta>,
    pub(super) rows: Vec<Vec<Value>>,
    /// The rows fetched last.
    window: Range<usize>,
}

impl Cursor {
    /// The number of the first row of the last fetch, from 1; 0 before the first.
    pub(super) fn position(&self) -> i64 {
        if self.window.is_empty() { 0 } else { self.window.start as i64 + 1 }
    }

    /// Moves as sp_cursorfetch is told to; the rows to send. `None` for a fetch type that there is not.
    pub(super) fn fetch(&mut self, kind: i64, number: i64, count: i64) -> Option<Range<usize>> {
        let (len, size) = (self.rows.len() as i64, count.max(0));
        let (first, end) = (self.window.start as i64, self.window.end as i64);
        let start = match kind {
            0x1 => 0,
            0x2 => end,
            // PREV takes the first rows when there are not enough before the window, PREV_NOADJUST those that there are.
            0x4 if first > 0 => (first - size).max(0),
            0x200 => first - size,
            0x8 => (len - size).max(0),
            // ABSOLUTE counts from 1, and from the end if it is negative.
            0x10 if number > 0 => number.saturating_sub(1),
            0x10 if number < 0 => backwards(len.saturating_add(number), number, size),
            0x20 => backwards(first.saturating_add(number), number, size),
            0x80 => first,
            0x4 | 0x10 => {
                self.window = 0..0;
                return Some(0..0);
            }
            _ => return None,
        };
        let row = |at: i64| usize::try_from(at.clamp(0, len)).unwrap_or(0);
        self.window = row(start)..row(start.saturating_add(size));
        Some(self.window.clone())
    }
}

/// Where a fetch by `number` rows begins: before the first row, unless a step of at most the window's size goes beyond it.
fn backwards(start: i64, number: i64, size: i64) -> i64 {
    if start >= 0 {
        start
    } else if number.saturating_neg() <= size {
        0
    } else {
        i64::MIN
    }
}

/// Collects the rows of a cursor's query; messages go on to the client.
pub(super) struct CursorSink<'a> {
    client: &'a mut dyn Sink,
    columns: Vec<ColumnMeta>,
    rows: Vec<Vec<Value>>,
    /// A second result set begins: no cursor has two.
    sets: u32,
}

impl<'a> CursorSink<'a> {
    pub(super) fn new(client: &'a mut dyn Sink) -> CursorSink<'a> {
        CursorSink { client, columns: Vec::new(), rows: Vec::new(), sets: 0 }
    }

    pub(super) fn into_cursor(self) -> Option<Cursor> {
        if self.sets != 1 {
            return None;
        }
        let mut columns = self.columns;
        columns.push(ColumnMeta { nullable: false, ..ColumnMeta::new("ROWSTAT", SqlType::Int) });
        Some(Cursor { columns, rows: self.rows, window: 0..0 })
    }
}

impl Sink for CursorSink<'_> {
    fn columns(&mut self, columns: &[ColumnMeta]) {
        self.sets += 1;
        self.columns = columns.to_vec();
    }
    fn row(&mut self, row: &[Value]) -> Result<(), SinkClosed> {
        let mut row = row.to_vec();
        row.push(Value::Integer(1));
        self.rows.push(row);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fetch_moves_the_window() {
        let mut c = Cursor { columns: Vec::new(), rows: vec![Vec::new(); 5], window: 0..0 };
        assert_eq!(c.fetch(2, 0, 2), Some(0..2), "next");
        assert_eq!(c.fetch(2, 0, 2), Some(2..4));
        assert_eq!(c.fetch(2, 0, 2), Some(4..5), "what is left");
        assert_eq!(c.fetch(2, 0, 2), Some(5..5), "nothing more");
        assert_eq!(c.fetch(1, 0, 2), Some(0..2), "first");
        assert_eq!(c.fetch(8, 0, 2), Some(3..5), "last");
        assert_eq!(c.fetch(4, 0, 2), Some(1..3), "previous");
        assert_eq!(c.fetch(0x10, 5, 2), Some(4..5), "absolute");
        assert_eq!(c.fetch(0x10, -1, 2), Some(4..5), "absolute from the end");
        assert_eq!(c.fetch(0x10, i64::MAX, 2), Some(5..5));
        assert_eq!(c.fetch(0x10, -6, 2), Some(0..0), "before the first");
        assert_eq!(c.fetch(2, 0, 2), Some(0..2));
        assert_eq!(c.fetch(0x10, 2, 2), Some(1..3));
        assert_eq!(c.fetch(0x200, 0, 2), Some(0..1), "what there is before");
        assert_eq!(c.fetch(0x10, 2, 2), Some(1..3));
        assert_eq!(c.fetch(4, 0, 2), Some(0..2), "adjusted");
        assert_eq!(c.fetch(4, 0, 2), Some(0..0), "nothing before");
        assert_eq!(c.fetch(0x20, 3, 2), Some(3..5), "relative");
        assert_eq!(c.fetch(0x20, -2, 2), Some(1..3));
        assert_eq!(c.fetch(0x20, i64::MIN, 2), Some(0..0));
        assert_eq!(c.fetch(0x3, 0, 2), None);
    }
}
