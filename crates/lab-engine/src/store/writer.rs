//! Writing rows of one table with their NOT NULL, CHECK and uniqueness rules.
//!
//! Foreign keys are judged when the statement is over ([`super::ForeignKeys`]), as SQL Server judges them.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::{table_name, violated_index};
use crate::catalog::{Index, IndexRole, Object, Table};
use crate::error::SqlError;
use crate::types::display_value;

/// The statement that writes, for the wording of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WriteKind {
    Insert,
    Update,
    Delete,
}

impl WriteKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            WriteKind::Insert => "INSERT",
            WriteKind::Update => "UPDATE",
            WriteKind::Delete => "DELETE",
        }
    }
}

/// A CHECK constraint, lowered: `?k` is the k-th column of the table.
#[derive(Debug, Clone)]
pub(crate) struct LoweredCheck {
    pub(crate) name: String,
    pub(crate) column: i32,
    pub(crate) sql: String,
}

/// Writes rows of one table. Rows have one value for each column of the table, computed ones included (as NULL).
pub(crate) struct RowWriter<'a> {
    conn: &'a Connection,
    database: String,
    schema: String,
    name: String,
    sqlite_name: String,
    table: &'a Table,
    kind: WriteKind,
    checks: Vec<LoweredCheck>,
    /// The values of the parameters behind the columns'.
    check_values: Vec<Value>,
    check_sql: Option<String>,
    insert_sql: String,
}

impl<'a> RowWriter<'a> {
    pub(crate) fn new(
        conn: &'a Connection,
        names: (&str, &str),
        alias: &str,
        object: &'a Object,
        table: &'a Table,
        kind: WriteKind,
        (checks, check_values): (Vec<LoweredCheck>, Vec<Value>),
    ) -> RowWriter<'a> {
        let sqlite_name = table_name(alias, object.id);
        let stored: Vec<String> = table.stored_columns().map(|c| format!("c{}", c.id)).collect();
        let marks: Vec<String> = (1..=stored.len()).map(|n| format!("?{n}")).collect();
        let insert_sql =
            format!("INSERT INTO {sqlite_name}({}) VALUES({})", stored.join(","), marks.join(","));
        let check_sql = (!checks.is_empty()).then(|| {
            let tests: Vec<String> = checks.iter().map(|c| format!("({})", c.sql)).collect();
            format!("SELECT {}", tests.join(","))
        });
        RowWriter {
            conn,
            database: names.0.to_owned(),
            schema: names.1.to_owned(),
            name: object.name.clone(),
            sqlite_name,
            table,
            kind,
            checks,
            check_values,
            check_sql,
            insert_sql,
        }
    }

    /// Inserts a row; its rowid.
    ///
    /// # Errors
    /// 515, 547, 2627, 2601.
    pub(crate) fn insert(&self, row: &[Value]) -> Result<i64, SqlError> {
        self.judge(row)?;
        let stored = self.stored(row);
        let mut statement = self.conn.prepare_cached(&self.insert_sql).map_err(|e| SqlError::sqlite(&e))?;
        statement.execute(params_from_iter(stored)).map_err(|e| self.explain(&e, row))?;
        Ok(self.conn.last_insert_rowid())
    }

    /// Puts a row back under the rowid it had (an UPDATE that moves unique keys among rows).
    pub(crate) fn insert_at(&self, rowid: i64, row: &[Value]) -> Result<(), SqlError> {
        if self.table.rowid_column.is_some() {
            return self.insert(row).map(|_| ());
        }
        self.judge(row)?;
        let count = self.table.stored_columns().count();
        let columns: Vec<String> = self.table.stored_columns().map(|c| format!("c{}", c.id)).collect();
        let marks: Vec<String> = (1..=count).map(|n| format!("?{n}")).collect();
        let sql = format!(
            "INSERT INTO {}({}, rowid) VALUES({}, ?{})",
            self.sqlite_name,
            columns.join(","),
            marks.join(","),
            count + 1
        );
        let mut statement = self.conn.prepare_cached(&sql).map_err(|e| SqlError::sqlite(&e))?;
        let id = Value::Integer(rowid);
        statement
            .execute(params_from_iter(self.stored(row).chain(std::iter::once(&id))))
            .map_err(|e| self.explain(&e, row))?;
        Ok(())
    }

    /// Replaces the values of `columns` (positions in the table) of one row.
    pub(crate) fn update(&self, rowid: i64, columns: &[usize], row: &[Value]) -> Result<(), SqlError> {
        self.judge(row)?;
        let sets: Vec<String> = columns
            .iter()
            .filter_map(|at| self.table.columns.get(*at))
            .enumerate()
            .map(|(n, c)| format!("c{}=?{}", c.id, n + 1))
            .collect();
        let sql =
            format!("UPDATE {} SET {} WHERE rowid=?{}", self.sqlite_name, sets.join(","), columns.len() + 1);
        let mut statement = self.conn.prepare_cached(&sql).map_err(|e| SqlError::sqlite(&e))?;
        let id = Value::Integer(rowid);
        let values = columns.iter().filter_map(|at| row.get(*at)).chain(std::iter::once(&id));
        statement.execute(params_from_iter(values)).map_err(|e| self.explain(&e, row))?;
        Ok(())
    }

    pub(crate) fn delete(&self, rowid: i64) -> Result<(), SqlError> {
        let sql = format!("DELETE FROM {} WHERE rowid=?1", self.sqlite_name);
        let mut statement = self.conn.prepare_cached(&sql).map_err(|e| SqlError::sqlite(&e))?;
        statement.execute([rowid]).map_err(|e| SqlError::sqlite(&e))?;
        Ok(())
    }

    /// Whether an UPDATE of these columns can clash with itself on the way: two rows trading unique keys.
    pub(crate) fn moves_keys(&self, columns: &[usize]) -> bool {
        let changed =
            |id: i32| columns.iter().any(|at| self.table.columns.get(*at).is_some_and(|c| c.id == id));
        // Which columns a computed key depends on is not asked: any change may move it.
        let computed = |id: i32| self.table.column(id).is_some_and(|c| c.computed.is_some());
        let moves = |id: i32| changed(id) || computed(id);
        self.table.indexes.iter().any(|i| i.unique && i.keys.iter().any(|k| moves(k.column)))
    }

    fn stored<'r>(&self, row: &'r [Value]) -> impl Iterator<Item = &'r Value> {
        let stored: Vec<bool> = self.table.columns.iter().map(|c| c.computed.is_none()).collect();
        row.iter().zip(stored).filter(|(_, s)| *s).map(|(v, _)| v)
    }

    fn judge(&self, row: &[Value]) -> Result<(), SqlError> {
        for (column, value) in self.table.columns.iter().zip(row) {
            if !column.nullable && column.computed.is_none() && *value == Value::Null {
                return Err(SqlError::null_not_allowed(&column.name, &self.full_name(), self.kind.name()));
            }
        }
        let Some(sql) = &self.check_sql else { return Ok(()) };
        let sqlite = |e: rusqlite::Error| SqlError::sqlite(&e);
        let mut statement = self.conn.prepare_cached(sql).map_err(sqlite)?;
        let wanted = statement.parameter_count();
        let mut rows = statement
            .query(params_from_iter(row.iter().chain(&self.check_values).take(wanted)))
            .map_err(sqlite)?;
        let Some(found) = rows.next().map_err(sqlite)? else { return Ok(()) };
        for (n, check) in self.checks.iter().enumerate() {
            // An unknown result passes, as a CHECK's does.
            if found.get::<_, Option<i64>>(n).map_err(sqlite)? == Some(0) {
                let column = self.table.column(check.column).map(|c| c.name.as_str());
                return Err(SqlError::check_violation(
                    self.kind.name(),
                    &check.name,
                    &self.database,
                    &format!("{}.{}", self.schema, self.name),
                    column,
                ));
            }
        }
        Ok(())
    }

    fn full_name(&self) -> String {
        format!("{}.{}.{}", self.database, self.schema, self.name)
    }

    fn explain(&self, error: &rusqlite::Error, row: &[Value]) -> SqlError {
        let rusqlite::Error::SqliteFailure(code, Some(message)) = error else {
            return SqlError::sqlite(error);
        };
        if code.code != rusqlite::ErrorCode::ConstraintViolation {
            return SqlError::sqlite(error);
        }
        let Some(index) = violated_index(self.table, message) else { return SqlError::sqlite(error) };
        let key = self.key_text(index, row);
        let object = format!("{}.{}", self.schema, self.name);
        match index.role {
            IndexRole::PrimaryKey(_) => SqlError::key_violation("PRIMARY KEY", &index.name, &object, &key),
            IndexRole::Unique(_) => SqlError::key_violation("UNIQUE KEY", &index.name, &object, &key),
            IndexRole::Index => SqlError::duplicate_index_key(&index.name, &object, &key),
        }
    }

    /// `(1, abc)`, as 2627 shows the duplicate key.
    fn key_text(&self, index: &Index, row: &[Value]) -> String {
        let mut parts = Vec::new();
        for key in &index.keys {
            let found = self.table.columns.iter().zip(row).find(|(c, _)| c.id == key.column);
            if let Some((column, _)) = found.filter(|(c, _)| c.computed.is_some()) {
                // The row to be written has no value of it.
                parts.push(format!("computed {}", column.name));
            } else if let Some((column, value)) = found {
                parts.push(if *value == Value::Null {
                    "<NULL>".to_owned()
                } else {
                    display_value(value, column.ty)
                });
            }
        }
        format!("({})", parts.join(", "))
    }
}
