//! WITH.

use lab_tsql::ast::BackupRestore;
use rusqlite::types::Value;

use crate::error::SqlError;
use crate::exec::{Frame, Stop};
use crate::session::Session;
use crate::types::SqlType;

/// What WITH says.
#[derive(Debug, Clone, Default)]
pub(super) struct Options {
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
    /// STATS: a message each time that much more is done.
    pub(super) stats: Option<u32>,
    pub(super) init: bool,
    pub(super) format: bool,
    pub(super) copy_only: bool,
    pub(super) compression: bool,
    pub(super) checksum: bool,
    /// NORECOVERY.
    pub(super) no_recovery: bool,
    pub(super) replace: bool,
    /// FILE: the number of a backup on its device.
    pub(super) file: Option<u32>,
    /// MOVE: logical files.
    pub(super) moved: Vec<String>,
    /// STOPAT, 100 ns since 0001-01-01.
    pub(super) stop_at: Option<i64>,
}

/// Who takes an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Backup,
    Restore,
    Both,
}

/// Options that change nothing in a lab: of tapes, of buffers, of what is not there to be kept.
const WITHOUT_EFFECT: &[(&str, By)] = &[
    ("BLOCKSIZE", By::Both),
    ("BUFFERCOUNT", By::Both),
    ("MAXTRANSFERSIZE", By::Both),
    ("SKIP", By::Backup),
    ("NOSKIP", By::Backup),
    ("REWIND", By::Both),
    ("NOREWIND", By::Both),
    ("UNLOAD", By::Both),
    ("NOUNLOAD", By::Both),
    ("STOP_ON_ERROR", By::Both),
    ("NO_ENCRYPTION", By::Backup),
    ("KEEP_REPLICATION", By::Restore),
    ("KEEP_CDC", By::Restore),
];

/// Options that SQL Server has and the lab has not.
const REFUSED: &[&str] = &[
    "DIFFERENTIAL",
    "ENCRYPTION",
    "MIRROR",
    "CREDENTIAL",
    "FILE_SNAPSHOT",
    "METADATA_ONLY",
    "SNAPSHOT",
    "EXPIREDATE",
    "RETAINDAYS",
    "MEDIANAME",
    "MEDIADESCRIPTION",
    "MEDIAPASSWORD",
    "PASSWORD",
    "NO_TRUNCATE",
    "TRUNCATE_ONLY",
    "NO_LOG",
    "CONTINUE_AFTER_ERROR",
    "STANDBY",
    "PARTIAL",
    "RESTRICTED_USER",
    "LOADHISTORY",
    "STOPATMARK",
    "STOPBEFOREMARK",
    "ENABLE_BROKER",
    "ERROR_BROKER_CONVERSATIONS",
    "NEW_BROKER",
    "FILESTREAM",
    "DBNAME",
];

impl Session {
    /// Evaluates the options of a statement.
    ///
    /// # Errors
    /// One that the statement does not have (155), or that is not supported.
    pub(super) fn backup_options(
        &mut self,
        frame: &Frame,
        statement: &BackupRestore,
    ) -> Result<Options, Stop> {
        let (by, verb) = if statement.restore { (By::Restore, "RESTORE") } else { (By::Backup, "BACKUP") };
        let default = |setting: &str| {
            let configured =
                self.server.configuration.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            by == By::Backup && configured.get(setting) == Some(&1)
        };
        let mut options = Options {
            compression: default("backup compression default"),
            checksum: default("backup checksum default"),
            ..Options::default()
        };
        for option in &statement.options {
            let name = option.name.as_str();
            let value = option.value.as_ref();
            match (name, by) {
                ("NAME", By::Backup) => options.name = self.text_option(frame, value)?,
                ("DESCRIPTION", By::Backup) => options.description = self.text_option(frame, value)?,
                ("STATS", _) => {
                    let step = self.number_option(frame, value)?.unwrap_or(10);
                    options.stats = Some(u32::try_from(step).unwrap_or(10).clamp(1, 100));
                }
                ("INIT", By::Backup) => options.init = true,
                ("NOINIT", By::Backup) => options.init = false,
                ("FORMAT", By::Backup) => options.format = true,
                ("NOFORMAT", By::Backup) => options.format = false,
                ("COPY_ONLY", By::Backup) => options.copy_only = true,
                ("COMPRESSION", By::Backup) => options.compression = true,
                ("NO_COMPRESSION", By::Backup) => options.compression = false,
                ("CHECKSUM", _) => options.checksum = true,
                ("NO_CHECKSUM", _) => options.checksum = false,
                ("NORECOVERY", By::Restore) => options.no_recovery = true,
                ("NORECOVERY", By::Backup) if statement.what == "LOG" => options.no_recovery = true,
                ("RECOVERY", By::Restore) => options.no_recovery = false,
                ("REPLACE", By::Restore) => options.replace = true,
                ("RESTART", By::Restore | By::Backup) => {}
                ("FILE", By::Restore) => {
                    let number = self.number_option(frame, value)?.and_then(|n| u32::try_from(n).ok());
                    options.file = Some(number.unwrap_or(0));
                }
                ("MOVE", By::Restore) => options.moved.extend(self.text_option(frame, value)?),
                ("STOPAT", By::Restore) => {
                    let at = match value {
                        Some(value) => self.evaluate(frame, value, SqlType::DateTime2 { scale: 7 })?,
                        None => Value::Null,
                    };
                    if let Value::Integer(at) = at {
                        options.stop_at = Some(at);
                    }
                }
                (name, _) if REFUSED.contains(&name) => {
                    let what = format!("{verb} {} WITH {name}", statement.what);
                    return Err(SqlError::unsupported(&what).into());
                }
                (name, _)
                    if WITHOUT_EFFECT.iter().any(|(n, of)| *n == name && (*of == By::Both || *of == by)) => {}
                (name, _) => return Err(SqlError::unknown_option(name, verb).into()),
            }
        }
        Ok(options)
    }

    fn text_option(
        &mut self,
        frame: &Frame,
        value: Option<&lab_tsql::ast::Expr>,
    ) -> Result<Option<String>, Stop> {
        let Some(value) = value else { return Ok(None) };
        Ok(match self.evaluate(frame, value, SqlType::nvarchar(255))? {
            Value::Text(text) => Some(text),
            _ => None,
        })
    }

    fn number_option(
        &mut self,
        frame: &Frame,
        value: Option<&lab_tsql::ast::Expr>,
    ) -> Result<Option<i64>, Stop> {
        let Some(value) = value else { return Ok(None) };
        Ok(match self.evaluate(frame, value, SqlType::Int)? {
            Value::Integer(n) => Some(n),
            _ => None,
        })
    }
}
