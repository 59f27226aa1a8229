//! How many rows a transaction has changed in which tables: what the note of its commit says.
//!
//! Statements add to it, one entry for each table they touch; the rows themselves cost nothing. What is rolled back to a
//! savepoint is taken off again, so entries behind a savepoint are never merged with those before it.

use lab_store::TableRows;

use crate::store::WriteKind;

/// The tables that an open transaction has touched.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    /// With the database that the table is in.
    tables: Vec<(i32, TableRows)>,
}

impl Touched {
    /// A statement has changed rows of a table. Temporary tables (database 0) are not logged.
    pub(crate) fn add(&mut self, database: i32, object_id: i32, kind: WriteKind, rows: u64) {
        if database == 0 || rows == 0 {
            return;
        }
        let count = |of: WriteKind| if of == kind { u32::try_from(rows).unwrap_or(u32::MAX) } else { 0 };
        let [inserted, updated, deleted] =
            [WriteKind::Insert, WriteKind::Update, WriteKind::Delete].map(count);
        self.tables.push((database, TableRows { object_id, inserted, updated, deleted }));
    }

    /// A place to come back to with [`Touched::undo_to`].
    pub(super) fn mark(&self) -> usize {
        self.tables.len()
    }

    pub(super) fn undo_to(&mut self, mark: usize) {
        self.tables.truncate(mark);
    }

    /// A statement is over: what it added behind `mark` joins what stands behind `floor`, where the last savepoint is.
    pub(super) fn settle(&mut self, floor: usize, mark: usize) {
        for (database, rows) in self.tables.split_off(mark.max(floor).min(self.tables.len())) {
            let behind = self.tables.get_mut(floor..).unwrap_or_default();
            match behind.iter_mut().find(|(d, r)| *d == database && r.object_id == rows.object_id) {
                Some((_, sum)) => add(sum, &rows),
                None => self.tables.push((database, rows)),
            }
        }
    }

    /// What was changed in a database, each table once.
    pub(super) fn of(&self, database: i32) -> Vec<TableRows> {
        let mut out: Vec<TableRows> = Vec::new();
        for (_, rows) in self.tables.iter().filter(|(d, _)| *d == database) {
            match out.iter_mut().find(|r| r.object_id == rows.object_id) {
                Some(sum) => add(sum, rows),
                None => out.push(*rows),
            }
        }
        out
    }
}

fn add(sum: &mut TableRows, rows: &TableRows) {
    sum.inserted = sum.inserted.saturating_add(rows.inserted);
    sum.updated = sum.updated.saturating_add(rows.updated);
    sum.deleted = sum.deleted.saturating_add(rows.deleted);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_rolled_back_is_not_counted() {
        let mut touched = Touched::default();
        touched.add(5, 1, WriteKind::Insert, 2);
        touched.settle(0, 0);
        touched.add(5, 1, WriteKind::Insert, 3);
        touched.settle(0, 1);
        assert_eq!(touched.mark(), 1, "statements on one table are one entry");
        let savepoint = touched.mark();
        touched.add(5, 1, WriteKind::Delete, 1);
        touched.settle(savepoint, savepoint);
        touched.add(5, 2, WriteKind::Update, 7);
        touched.add(6, 2, WriteKind::Update, 1);
        touched.add(0, 3, WriteKind::Insert, 1);
        touched.settle(savepoint, savepoint + 1);
        let row = |object_id, inserted, updated, deleted| TableRows { object_id, inserted, updated, deleted };
        assert_eq!(touched.of(5), [row(1, 5, 0, 1), row(2, 0, 7, 0)]);
        assert_eq!(touched.of(6), [row(2, 0, 1, 0)]);
        touched.undo_to(savepoint);
        assert_eq!(touched.of(5), [row(1, 5, 0, 0)]);
        assert!(touched.of(6).is_empty() && touched.of(0).is_empty());
    }
}
