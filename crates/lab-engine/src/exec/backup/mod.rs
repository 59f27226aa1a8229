//! BACKUP and RESTORE.
//!
//! What a backup is, and how a database is made of it, is the store's business; here are the statements: who may, when,
//! with which options ([`options`]), to which file ([`device`]), what is said ([`messages`]) and logged ([`logged`]), and
//! what msdb keeps ([`history`]). A database that is restored is complete in a folder of its own before master's entry names that folder, so
//! a restore that fails leaves the old one.

mod automatic;
mod device;
mod headers;
mod history;
mod logged;
mod messages;
mod options;
mod restore;
mod take;

use lab_tsql::ast::BackupRestore;
use rusqlite::types::Value;
use serde::{Deserialize, Serialize};

use super::{Frame, Stop};
use crate::error::SqlError;
use crate::server::DatabaseEntry;
use crate::session::Session;
use crate::sink::{Done, Sink};
use crate::types::SqlType;

/// What a backup carries about a database besides its pages.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Attributes {
    entry: DatabaseEntry,
    /// The folder that held its files.
    folder: String,
}

impl Session {
    pub(super) fn run_backup_restore(
        &mut self,
        frame: &Frame,
        statement: &BackupRestore,
        line: u32,
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        let sink: &mut dyn Sink = &mut messages::Lined { sink, line };
        let verb = if statement.restore { "RESTORE" } else { "BACKUP" };
        let operation = match statement.what.as_str() {
            "VERIFYONLY" => "VERIFY DATABASE".to_owned(),
            what => format!("{verb} {what}"),
        };
        let done = self.backup_or_restore(frame, statement, &operation, sink);
        if self.tran.count == 0 && !self.sqlite_open() {
            // Without a transaction all locks are the statement's own.
            self.server.locks.release_all(lab_store::SessionId(u64::from(self.id())));
        }
        match done {
            Ok(rows) => {
                let command = if rows.is_some() { Done::SELECT } else { Done::OTHER };
                self.statement_over(frame, command, rows, sink);
                Ok(())
            }
            // What the compiler would have found is not an operation that failed.
            Err(Stop::Error(e)) if !matches!(e.number, 155 | 137 | 40510) => {
                if self.try_depth == 0 {
                    sink.error(&SqlError {
                        procedure: frame.procedure.as_ref().map(|(name, _)| name.clone()),
                        ..e
                    });
                }
                Err(SqlError::backup_terminating(&operation).into())
            }
            Err(stop) => Err(stop),
        }
    }

    /// The number of rows, if it answers with rows.
    fn backup_or_restore(
        &mut self,
        frame: &Frame,
        statement: &BackupRestore,
        operation: &str,
        sink: &mut dyn Sink,
    ) -> Result<Option<u64>, Stop> {
        self.refuse_backup_on_managed(statement)?;
        let options = self.backup_options(frame, statement)?;
        if self.tran.count > 0 || self.sqlite_open() {
            return Err(SqlError::backup_in_transaction().into());
        }
        let name = match &statement.database {
            Some(name) => Some(self.backup_name(frame, name)?),
            None => None,
        };
        let device = match statement.devices.as_slice() {
            [] => None,
            [device] => {
                if let Some(kind) = device.kind.as_deref().filter(|k| *k != "DISK") {
                    return Err(SqlError::unsupported(&format!("{operation} {kind}")).into());
                }
                let name = self.backup_name(frame, &device.name)?;
                if device.kind.is_none() {
                    // None can be made here: sp_addumpdevice does not exist.
                    return Err(SqlError::no_logical_device(&name).into());
                }
                Some(name)
            }
            _ => return Err(SqlError::unsupported(&format!("{operation} with several devices")).into()),
        };
        // The parser has seen to it.
        let missing = || SqlError::internal("a backup statement without a device");
        match (statement.restore, statement.what.as_str(), name) {
            (false, what, Some(name)) => {
                let device = device.ok_or_else(missing)?;
                let kind = kind_of(what);
                let done = self.back_up(kind, operation, &name, &device, &options, sink);
                if done.is_err() {
                    self.log_backup_failure(&format!("{operation} {name}"));
                }
                done.map(|()| None)
            }
            (true, what, Some(name)) => self
                .restore_backup(kind_of(what), operation, &name, device.as_deref(), &options, sink)
                .map(|()| None),
            (_, what, None) => {
                let device = device.ok_or_else(missing)?;
                self.inspect(what, &device, &options, sink)
            }
        }
    }

    fn backup_name(&mut self, frame: &Frame, expr: &lab_tsql::ast::Expr) -> Result<String, Stop> {
        match self.evaluate(frame, expr, SqlType::NVARCHAR_MAX)? {
            Value::Text(name) if !name.is_empty() => Ok(name),
            _ => Err(SqlError::new(
                3025,
                16,
                1,
                "Missing database name. Reissue the statement specifying a valid database name.",
            )
            .into()),
        }
    }
}

fn kind_of(what: &str) -> lab_store::BackupKind {
    if what == "LOG" { lab_store::BackupKind::Log } else { lab_store::BackupKind::Full }
}
