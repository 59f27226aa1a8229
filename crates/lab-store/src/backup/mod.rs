//! Backups: a database's pages or a stretch of its log in a file, and the way back.
//!
//! A **full** backup is a [`Snapshot`]: the pages as of one LSN, read through a read transaction of SQLite while commits go
//! on. A **log** backup is a stretch of the log as [`LogReader`] gives it, from where the last one ended to what is
//! hardened. Both go through [`media`] into a file of checked blocks ([`format`]), which may hold several backups one behind
//! the other. [`restore`] makes a folder of a full backup, stacks log backups on it, and turns it into a database again.
//!
//! Neither the snapshot nor the log reader knows about files of backups: the first copy of a database for a replica is the
//! same two things over a wire, a snapshot and then the log from its LSN on. What a reader still needs is kept by a
//! [`LogPin`], whatever the recovery model says.

mod error;
mod format;
mod log_reader;
mod media;
mod read;
mod restore;
mod snapshot;
mod state;
mod take;

pub use error::{BackupError, DeviceFault};
pub use format::{BackupKind, MediaHeader, PagesFacts, SetHeader, SetTrailer};
pub use log_reader::LogReader;
pub(crate) use log_reader::Pins;
pub use log_reader::{LogPin, RawRecord};
pub use media::{Listing, Media, SetFacts};
pub use read::verify_set;
pub use restore::{
    LogRestored, join_restored, leave_restoring, recover, restore_full, restore_log, restored_family,
    restored_lsn,
};
pub use snapshot::Snapshot;
pub use take::{BackupOptions, BackupReport, LogUse, Target};

/// Told how much of how much is done; says whether to go on.
pub type Progress<'a> = dyn FnMut(u64, u64) -> bool + 'a;

#[cfg(test)]
mod tests;
