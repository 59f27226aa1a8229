//! Table variables live outside of transactions: a ROLLBACK takes back nothing that was done to them.
//!
//! They are temporary tables of SQLite's, which does undo them. So their rows are kept aside over a rollback and put back.

use rusqlite::types::Value;
use rusqlite::{OptionalExtension as _, params_from_iter};

use super::Session;
use crate::catalog::Object;
use crate::error::SqlError;
use crate::store::table_name;

/// The names of table variables in the temporary catalog begin with this, which no other name can.
pub(crate) const TABLE_VARIABLE: char = '\u{1}';

/// A table variable as it was before the rollback.
pub(super) struct Survivor {
    object: std::sync::Arc<Object>,
    /// CREATE statements of its table and indexes.
    definition: Vec<String>,
    /// Each row with its row id in front.
    rows: Vec<Vec<Value>>,
}

impl Session {
    /// Sets the table variables aside.
    pub(super) fn survivors(&self) -> Result<Vec<Survivor>, SqlError> {
        if !self.sqlite_open() {
            return Ok(Vec::new());
        }
        let variables: Vec<_> =
            self.temp.objects().filter(|o| o.name.starts_with(TABLE_VARIABLE)).cloned().collect();
        variables.into_iter().map(|object| self.survivor(object).map_err(|e| SqlError::sqlite(&e))).collect()
    }

    fn survivor(&self, object: std::sync::Arc<Object>) -> rusqlite::Result<Survivor> {
        let bare = table_name("temp", object.id).trim_start_matches("temp.").to_owned();
        let definition = self
            .conn
            .prepare(
                "SELECT sql FROM temp.sqlite_master WHERE tbl_name=?1 AND sql IS NOT NULL ORDER BY type DESC",
            )?
            .query_map([&bare], |r| r.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        let mut statement = self.conn.prepare(&format!("SELECT rowid, * FROM temp.{bare}"))?;
        let width = statement.column_count();
        let rows = statement
            .query_map([], |r| (0..width).map(|n| r.get(n)).collect())?
            .collect::<rusqlite::Result<_>>()?;
        Ok(Survivor { object, definition, rows })
    }

    /// Puts them back. The rollback may have taken the tables themselves, if they were declared after BEGIN.
    pub(super) fn revive(&mut self, survivors: Vec<Survivor>) -> Result<(), SqlError> {
        for survivor in survivors {
            self.revive_one(&survivor).map_err(|e| SqlError::sqlite(&e))?;
            if self.temp.object(survivor.object.id).is_none() {
                let mut temp = (*self.temp).clone();
                temp.put((*survivor.object).clone());
                self.set_temp(std::sync::Arc::new(temp));
            }
        }
        Ok(())
    }

    fn revive_one(&self, survivor: &Survivor) -> rusqlite::Result<()> {
        let name = table_name("temp", survivor.object.id);
        let bare = name.trim_start_matches("temp.");
        let there: Option<i64> = self
            .conn
            .query_row("SELECT 1 FROM temp.sqlite_master WHERE name=?1", [bare], |r| r.get(0))
            .optional()?;
        if there.is_none() {
            for sql in &survivor.definition {
                // SQLite keeps the text without the schema that it was made in.
                let sql = sql
                    .replacen("CREATE TABLE ", "CREATE TEMP TABLE ", 1)
                    .replacen("CREATE INDEX ", "CREATE INDEX temp.", 1)
                    .replacen("CREATE UNIQUE INDEX ", "CREATE UNIQUE INDEX temp.", 1);
                self.conn.execute_batch(&sql)?;
            }
        }
        self.conn.execute(&format!("DELETE FROM {name}"), [])?;
        let columns: Vec<String> = survivor
            .object
            .table()
            .map(|t| t.stored_columns().map(|c| format!("c{}", c.id)).collect())
            .unwrap_or_default();
        // Where an integer key is the row id, the columns say it all.
        let keyed = survivor.object.table().is_some_and(|t| t.rowid_column.is_some());
        let list = if keyed { columns.join(",") } else { format!("rowid,{}", columns.join(",")) };
        let skipped = usize::from(keyed);
        let marks: Vec<String> = (1..=columns.len() + 1 - skipped).map(|n| format!("?{n}")).collect();
        let sql = format!("INSERT INTO {name}({list}) VALUES({})", marks.join(","));
        let mut insert = self.conn.prepare_cached(&sql)?;
        for row in &survivor.rows {
            insert.execute(params_from_iter(row.iter().skip(skipped)))?;
        }
        Ok(())
    }
}
