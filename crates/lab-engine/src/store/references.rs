//! Foreign keys, judged when a statement has done its writing.
//!
//! SQLite's own foreign keys are off: they cannot be disabled one by one, nor name the constraint they find violated.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::{WriteKind, table_name};
use crate::catalog::{Catalog, ForeignKey, Object, ObjectKind, ReferentialAction, Table};
use crate::error::SqlError;

/// SQL Server allows cascades through 32 levels of tables; deeper ones are cut off here (error 1785 forbids cycles).
const DEPTH_MAX: usize = 33;

/// The foreign keys of one database.
pub(crate) struct ForeignKeys<'a> {
    pub(crate) conn: &'a Connection,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) alias: &'a str,
    pub(crate) database: &'a str,
    /// What cascades have done.
    pub(crate) cascaded: RefCell<Vec<Cascaded>>,
}

/// Rows that a cascade has changed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cascaded {
    pub(crate) table: i32,
    pub(crate) kind: WriteKind,
    pub(crate) rows: u64,
}

/// A row that a statement changed: what it was and what it is; neither is absent twice.
#[derive(Debug, Clone)]
pub(crate) struct Changed {
    pub(crate) old: Option<Vec<Value>>,
    pub(crate) new: Option<Vec<Value>>,
}

impl ForeignKeys<'_> {
    /// Whether changes of this table need judging at all.
    pub(crate) fn concern(&self, object: &Object) -> bool {
        let own = object.table().is_some_and(|t| t.foreign_keys.iter().any(|fk| !fk.disabled));
        own || self.catalog.references_to(object.id).iter().any(|(_, fk)| !fk.disabled)
    }

    /// Judges the changes of one statement, carrying cascades out.
    ///
    /// # Errors
    /// 547, naming the constraint.
    pub(crate) fn judge(&self, object: &Object, changes: &[Changed], verb: &str) -> Result<(), SqlError> {
        self.judge_at(object, changes, verb, 0)
    }

    fn judge_at(
        &self,
        object: &Object,
        changes: &[Changed],
        verb: &str,
        depth: usize,
    ) -> Result<(), SqlError> {
        if depth > DEPTH_MAX {
            return Err(SqlError::internal("a cascade of foreign keys does not end"));
        }
        let Some(table) = object.table() else { return Ok(()) };
        // First the rows that point at this one, since cascades may mend what would violate below.
        for (child, fk) in self.catalog.references_to(object.id) {
            if !fk.disabled {
                self.parent_changed(table, &child, &fk, changes, verb, depth)?;
            }
        }
        for fk in table.foreign_keys.iter().filter(|fk| !fk.disabled) {
            self.child_changed(object, table, fk, changes, verb)?;
        }
        Ok(())
    }

    fn child_changed(
        &self,
        object: &Object,
        table: &Table,
        fk: &ForeignKey,
        changes: &[Changed],
        verb: &str,
    ) -> Result<(), SqlError> {
        let Some(parent) = self.catalog.object(fk.referenced_table) else { return Ok(()) };
        let sql = format!(
            "SELECT 1 FROM {} WHERE {} LIMIT 1",
            table_name(self.alias, parent.id),
            equalities(&fk.referenced_columns)
        );
        let mut seen: Vec<Vec<Value>> = Vec::new();
        for change in changes {
            let Some(new) = &change.new else { continue };
            let key = key_of(table, &fk.columns, new);
            let unchanged = change.old.as_ref().is_some_and(|old| key_of(table, &fk.columns, old) == key);
            if unchanged || key.contains(&Value::Null) || seen.last() == Some(&key) {
                continue;
            }
            if !self.exists(&sql, &key)? {
                let column = single_column(parent, &fk.referenced_columns);
                return Err(SqlError::foreign_key_violation(
                    verb,
                    if parent.id == object.id { "FOREIGN KEY SAME TABLE" } else { "FOREIGN KEY" },
                    &fk.name,
                    self.database,
                    &self.qualified(parent),
                    column,
                ));
            }
            seen.clear();
            seen.push(key);
        }
        Ok(())
    }

    fn parent_changed(
        &self,
        table: &Table,
        child: &Arc<Object>,
        fk: &ForeignKey,
        changes: &[Changed],
        verb: &str,
        depth: usize,
    ) -> Result<(), SqlError> {
        let ObjectKind::Table(child_table) = &child.kind else { return Ok(()) };
        let still_there = format!(
            "SELECT 1 FROM {} WHERE {} LIMIT 1",
            table_name(self.alias, fk.referenced_table),
            equalities(&fk.referenced_columns)
        );
        for change in changes {
            let Some(old) = &change.old else { continue };
            let key = key_of(table, &fk.referenced_columns, old);
            let new_key = change.new.as_ref().map(|new| key_of(table, &fk.referenced_columns, new));
            if new_key.as_ref() == Some(&key)
                || key.contains(&Value::Null)
                || self.exists(&still_there, &key)?
            {
                continue;
            }
            let action = if new_key.is_some() { fk.on_update } else { fk.on_delete };
            let children = self.children(child, child_table, fk, &key)?;
            if children.is_empty() {
                continue;
            }
            if action == ReferentialAction::NoAction {
                let same = child.id == fk.referenced_table;
                return Err(SqlError::foreign_key_violation(
                    verb,
                    if same { "SAME TABLE REFERENCE" } else { "REFERENCE" },
                    &fk.name,
                    self.database,
                    &self.qualified(child),
                    single_column(child, &fk.columns),
                ));
            }
            let done = self.cascade(child, child_table, fk, action, children, new_key.as_deref())?;
            self.judge_at(child, &done, verb, depth + 1)?;
        }
        Ok(())
    }

    fn cascade(
        &self,
        child: &Object,
        table: &Table,
        fk: &ForeignKey,
        action: ReferentialAction,
        rows: Vec<(i64, Vec<Value>)>,
        new_key: Option<&[Value]>,
    ) -> Result<Vec<Changed>, SqlError> {
        let name = table_name(self.alias, child.id);
        let mut done = Vec::new();
        for (rowid, old) in rows {
            if action == ReferentialAction::Cascade && new_key.is_none() {
                self.run(&format!("DELETE FROM {name} WHERE rowid=?1"), vec![Value::Integer(rowid)])?;
                done.push(Changed { old: Some(old), new: None });
                continue;
            }
            let mut new = old.clone();
            for (n, column) in fk.columns.iter().enumerate() {
                let Some(at) = table.columns.iter().position(|c| c.id == *column) else { continue };
                let value = match (action, new_key) {
                    (ReferentialAction::Cascade, Some(key)) => key.get(n).cloned().unwrap_or(Value::Null),
                    // SET DEFAULT of a column without default is NULL; defaults that are no constants are refused
                    // when the constraint is made.
                    (ReferentialAction::SetDefault, _) => constant_default(table, at),
                    _ => Value::Null,
                };
                if let Some(slot) = new.get_mut(at) {
                    *slot = value;
                }
            }
            let sets: Vec<String> =
                fk.columns.iter().enumerate().map(|(n, c)| format!("c{c}=?{}", n + 2)).collect();
            let mut values = vec![Value::Integer(rowid)];
            values.extend(key_of(table, &fk.columns, &new));
            self.run(&format!("UPDATE {name} SET {} WHERE rowid=?1", sets.join(",")), values)?;
            done.push(Changed { old: Some(old), new: Some(new) });
        }
        // One action for all rows of one cascade.
        let deletes = action == ReferentialAction::Cascade && new_key.is_none();
        let kind = if deletes { WriteKind::Delete } else { WriteKind::Update };
        self.cascaded.borrow_mut().push(Cascaded { table: child.id, kind, rows: done.len() as u64 });
        Ok(done)
    }

    fn children(
        &self,
        child: &Object,
        table: &Table,
        fk: &ForeignKey,
        key: &[Value],
    ) -> Result<Vec<(i64, Vec<Value>)>, SqlError> {
        let columns: Vec<String> = table
            .columns
            .iter()
            .map(|c| if c.computed.is_some() { "NULL".to_owned() } else { format!("c{}", c.id) })
            .collect();
        let sql = format!(
            "SELECT rowid, {} FROM {} WHERE {}",
            columns.join(","),
            table_name(self.alias, child.id),
            equalities(&fk.columns)
        );
        let sqlite = |e: rusqlite::Error| SqlError::sqlite(&e);
        let mut statement = self.conn.prepare_cached(&sql).map_err(sqlite)?;
        let width = table.columns.len();
        let rows = statement
            .query_map(params_from_iter(key), |row| {
                let values: rusqlite::Result<Vec<Value>> = (1..=width).map(|n| row.get(n)).collect();
                Ok((row.get(0)?, values?))
            })
            .map_err(sqlite)?;
        let mut seen = BTreeSet::new();
        let mut out = Vec::new();
        for row in rows {
            let row: (i64, Vec<Value>) = row.map_err(sqlite)?;
            if seen.insert(row.0) {
                out.push(row);
            }
        }
        Ok(out)
    }

    fn exists(&self, sql: &str, key: &[Value]) -> Result<bool, SqlError> {
        let ask = || self.conn.prepare_cached(sql)?.exists(params_from_iter(key));
        ask().map_err(|e| SqlError::sqlite(&e))
    }

    fn run(&self, sql: &str, values: Vec<Value>) -> Result<(), SqlError> {
        let run = || self.conn.prepare_cached(sql)?.execute(params_from_iter(values));
        run().map(|_| ()).map_err(|e| SqlError::sqlite(&e))
    }

    fn qualified(&self, object: &Object) -> String {
        format!("{}.{}", self.catalog.schema_name(object.schema), object.name)
    }
}

fn constant_default(table: &Table, at: usize) -> Value {
    table
        .columns
        .get(at)
        .and_then(|c| c.default.as_ref())
        .and_then(|d| d.constant.clone())
        .map_or(Value::Null, |c| c.0)
}

fn equalities(columns: &[i32]) -> String {
    let parts: Vec<String> = columns.iter().enumerate().map(|(n, c)| format!("c{c}=?{}", n + 1)).collect();
    parts.join(" AND ")
}

fn key_of(table: &Table, columns: &[i32], row: &[Value]) -> Vec<Value> {
    columns
        .iter()
        .map(|id| {
            let at = table.columns.iter().position(|c| c.id == *id);
            at.and_then(|at| row.get(at)).cloned().unwrap_or(Value::Null)
        })
        .collect()
}

fn single_column<'a>(object: &'a Object, columns: &[i32]) -> Option<&'a str> {
    match columns {
        [only] => object.table().and_then(|t| t.column(*only)).map(|c| c.name.as_str()),
        _ => None,
    }
}
