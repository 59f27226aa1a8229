//! What can go wrong with a backup or a restore, by what SQL Server says about it.

use std::path::{Path, PathBuf};

use crate::{Lsn, StoreError};

/// A call on a backup device that the operating system refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceFault {
    /// The file.
    pub path: PathBuf,
    /// The operating system's number, 0 if it gave none.
    pub code: i32,
    /// What it says.
    pub text: String,
}

impl DeviceFault {
    pub(crate) fn new(path: &Path, e: &std::io::Error) -> DeviceFault {
        DeviceFault { path: path.to_owned(), code: e.raw_os_error().unwrap_or(0), text: e.to_string() }
    }
}

/// An error of a backup or a restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackupError {
    /// The device cannot be opened or made.
    Open(DeviceFault),
    /// It cannot be written; what was there before still is.
    Write(DeviceFault),
    /// It cannot be read.
    Read(DeviceFault),
    /// The file is no backup device.
    NotMedia,
    /// A newer program wrote it.
    Newer(u32),
    /// A backup is not what was written; the text says where.
    Damaged(String),
    /// The file ends in the middle of a backup.
    CutOff,
    /// Nothing may be added behind a backup that is damaged or cut off.
    DamagedTail,
    /// The device holds no backup of that number.
    NoSuchSet(u32),
    /// The log is not kept for backups under this recovery model.
    SimpleModel,
    /// There is no full backup for the log to follow.
    NoFullBackup,
    /// The log backup begins behind the database.
    TooLate {
        /// Where it begins.
        first: Lsn,
        /// Where the database is.
        at: Lsn,
    },
    /// The log backup ends before the database.
    TooEarly {
        /// Where it ends.
        last: Lsn,
        /// Where the database is.
        at: Lsn,
    },
    /// The log backup is of another recovery fork.
    OtherFork,
    /// The point in time lies before the log backup.
    StopTooEarly,
    /// The folder is not in the middle of a restore.
    NotRestoring,
    /// A log backup where a full one is needed, or the other way round.
    WrongKind,
    /// Whoever asked wants it no longer.
    Cancelled,
    /// The database itself.
    Store(StoreError),
}

impl From<StoreError> for BackupError {
    fn from(e: StoreError) -> BackupError {
        BackupError::Store(e)
    }
}

impl std::fmt::Display for BackupError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BackupError::Open(d) => write!(f, "open {}: {}", d.path.display(), d.text),
            BackupError::Write(d) => write!(f, "write {}: {}", d.path.display(), d.text),
            BackupError::Read(d) => write!(f, "read {}: {}", d.path.display(), d.text),
            BackupError::NotMedia => f.write_str("the file holds no backups"),
            BackupError::Newer(v) => write!(f, "the file has format {v}, which is newer than this program"),
            BackupError::Damaged(what) => write!(f, "damaged: {what}"),
            BackupError::CutOff => f.write_str("the file ends in the middle of a backup"),
            BackupError::DamagedTail => f.write_str("the last backup in the file is damaged or cut off"),
            BackupError::NoSuchSet(n) => write!(f, "the file holds no backup number {n}"),
            BackupError::SimpleModel => f.write_str("the recovery model is SIMPLE"),
            BackupError::NoFullBackup => f.write_str("there is no full backup yet"),
            BackupError::TooLate { first, at } => {
                write!(f, "the log backup begins at {first}, behind the database at {at}")
            }
            BackupError::TooEarly { last, at } => {
                write!(f, "the log backup ends at {last}, before the database at {at}")
            }
            BackupError::OtherFork => f.write_str("the log backup is of another recovery fork"),
            BackupError::StopTooEarly => f.write_str("the point in time lies before the log backup"),
            BackupError::NotRestoring => f.write_str("the database is not in the middle of a restore"),
            BackupError::WrongKind => f.write_str("the backup is of the other kind"),
            BackupError::Cancelled => f.write_str("cancelled"),
            BackupError::Store(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for BackupError {}
