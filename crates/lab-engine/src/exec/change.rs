//! What all changes have in common: statements that happen as a whole or not at all, and identity values.

use rusqlite::types::Value;

use super::Stop;
use super::target::WriteTarget;
use crate::error::SqlError;
use crate::session::Session;
use crate::sink::Sink;

impl Session {
    /// Runs a statement's work as a whole: in a transaction of its own, or up to a mark inside of the open one.
    pub(crate) fn atomically<T>(
        &mut self,
        sink: &mut dyn Sink,
        work: impl FnOnce(&mut Session, &mut dyn Sink) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        if self.tran.doomed {
            return Err(SqlError::uncommittable().into());
        }
        if self.settings.implicit_transactions && self.tran.count == 0 {
            self.begin("", sink)?;
        }
        if self.tran.count == 0 {
            // So that temporary tables made by a statement that fails are gone, too.
            self.tran.begin_statement(&self.temp);
            return match work(self, sink) {
                Ok(value) => {
                    self.autocommit()?;
                    Ok(value)
                }
                Err(e) => {
                    self.auto_rollback()?;
                    Err(e)
                }
            };
        }
        let mark = self.statement_start()?;
        match work(self, sink) {
            Ok(value) => {
                self.statement_done(mark)?;
                Ok(value)
            }
            Err(e) => {
                self.statement_failed(mark)?;
                Err(e)
            }
        }
    }

    /// Between two rows of a statement.
    ///
    /// # Errors
    /// The session was ended: a change of the database's role may be waiting for that.
    pub(super) fn unless_killed(&self) -> Result<(), SqlError> {
        if self.is_killed() { Err(SqlError::cancelled()) } else { Ok(()) }
    }

    /// Takes `count` values of a table's identity column and keeps the last one in the database; the first.
    pub(crate) fn draw_identity(&mut self, target: &WriteTarget, count: usize) -> Result<i64, SqlError> {
        let column =
            target.table()?.identity_column().ok_or_else(|| SqlError::internal("no identity column"))?;
        let identity = column.identity.ok_or_else(|| SqlError::internal("no identity column"))?;
        let key = (target.database, target.object.id);
        let conn = &self.conn;
        let overflow = || SqlError::overflow("IDENTITY", column.ty.name());
        let first = self
            .server
            .take_identity(key, &identity, count as i64, || stored_identity(conn, target))?
            .ok_or_else(overflow)?;
        let last = first + (count as i64 - 1) * identity.increment;
        crate::types::convert(
            &Value::Integer(last),
            crate::types::SqlType::BigInt,
            column.ty,
            None,
            crate::types::ConvertKind::Explicit,
            &crate::types::ConvertContext::default(),
        )
        .map_err(|_| overflow())?;
        self.keep_identity(target, last)?;
        Ok(first)
    }

    /// Writes the last identity value into the database.
    pub(crate) fn keep_identity(&self, target: &WriteTarget, last: i64) -> Result<(), SqlError> {
        if target.database == 0 {
            return Ok(());
        }
        let sql = format!("INSERT OR REPLACE INTO {}._identity VALUES(?1, ?2)", target.alias);
        let write = || self.conn.prepare_cached(&sql)?.execute([i64::from(target.object.id), last]);
        write().map(|_| ()).map_err(|e| SqlError::sqlite(&e))
    }

    /// The last identity value given out, also after a restart.
    pub(crate) fn identity_known(&self, target: &WriteTarget) -> Result<Option<i64>, SqlError> {
        match self.server.last_identity((target.database, target.object.id)) {
            Some(last) => Ok(Some(last)),
            None => stored_identity(&self.conn, target),
        }
    }

    /// The next value of the database's rowversion counter.
    pub(crate) fn next_rowversion(&self, target: &WriteTarget) -> Result<Value, SqlError> {
        let last = if target.database == 0 {
            self.server.next_transaction_id() as i64
        } else {
            let sql = format!("UPDATE {}._rowversion SET last = last + 1 RETURNING last", target.alias);
            let bump = || self.conn.prepare_cached(&sql)?.query_row([], |r| r.get(0));
            bump().map_err(|e: rusqlite::Error| SqlError::sqlite(&e))?
        };
        Ok(Value::Blob(last.to_be_bytes().to_vec()))
    }
}

fn stored_identity(conn: &rusqlite::Connection, target: &WriteTarget) -> Result<Option<i64>, SqlError> {
    use rusqlite::OptionalExtension as _;
    if target.database == 0 {
        return Ok(None);
    }
    let sql = format!("SELECT last FROM {}._identity WHERE object_id = ?1", target.alias);
    let read = || conn.prepare_cached(&sql)?.query_row([target.object.id], |r| r.get(0)).optional();
    read().map(Option::flatten).map_err(|e| SqlError::sqlite(&e))
}
