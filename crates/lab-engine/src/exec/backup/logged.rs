//! What BACKUP and RESTORE leave in the error log.

use std::path::Path;

use lab_store::{BackupKind, SetHeader};
use rusqlite::types::Value;

use super::messages::pages;
use crate::server::DatabaseEntry;
use crate::session::Session;
use crate::types::{SqlType, text_of};

/// Trace flag: backups that succeed are not worth a line.
const QUIET_BACKUPS: u32 = 3226;

/// A backup that was taken or restored.
pub(super) struct Logged<'a> {
    pub(super) restored: bool,
    pub(super) entry: &'a DatabaseEntry,
    pub(super) header: &'a SetHeader,
    /// Bytes of pages or log in it.
    pub(super) bytes: u64,
    pub(super) path: &'a Path,
    /// What the client is told at the end (3014).
    pub(super) done: String,
}

impl Session {
    pub(super) fn log_work(&self, work: &Logged<'_>) {
        if !work.restored && self.server.trace_flag(QUIET_BACKUPS) {
            return;
        }
        self.server.log_event("Backup", &text(work));
        self.server.log_event("Backup", &work.done);
    }

    /// 3041. What was wrong the client is told.
    pub(super) fn log_backup_failure(&self, command: &str) {
        self.server.log_event("Backup", "Error: 3041, Severity: 16, State: 1.");
        let text = format!(
            "BACKUP failed to complete the command {command}. Check the backup application log for detailed messages."
        );
        self.server.log_event("Backup", &text);
    }
}

/// 18264, 18265, 18267, 18268.
fn text(work: &Logged<'_>) -> String {
    let header = work.header;
    let (begin, end) = match (work.restored, header.kind) {
        (false, BackupKind::Full) => {
            ("Database backed up.", "This is an informational message only. No user action is required.")
        }
        (false, BackupKind::Log) => {
            ("Log was backed up.", "This is an informational message only. No user action is required.")
        }
        (true, BackupKind::Full) => {
            ("Database was restored:", "Informational message. No user action required.")
        }
        (true, BackupKind::Log) => {
            ("Log was restored.", "This is an informational message. No user action is required.")
        }
    };
    let dumped = match (work.restored, header.kind) {
        (false, BackupKind::Full) => format!("pages dumped: {}, ", pages(work.bytes)),
        _ => String::new(),
    };
    format!(
        "{begin} Database: {}, creation date(time): {}, {dumped}first LSN: {}, last LSN: {}, number of dump devices: 1, \
         device information: (FILE={}, TYPE=DISK: {{'{}'}}). {end}",
        work.entry.name,
        created(work.entry),
        header.first_lsn.colons(),
        header.last_lsn.colons(),
        header.position,
        work.path.display()
    )
}

/// `2025/01/31(10:20:30)`.
fn created(entry: &DatabaseEntry) -> String {
    let text = text_of(&Value::Integer(entry.created), SqlType::DateTime, Some(120)).unwrap_or_default();
    let (date, time) = text.split_once(' ').unwrap_or((&text, ""));
    format!("{}({time})", date.replace('-', "/"))
}
