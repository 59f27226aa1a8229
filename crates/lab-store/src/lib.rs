//! One database on disk: the log is the database.
//!
//! SQLite keeps the pages, in WAL mode and without ever syncing; its WAL is in memory (`lab-vfs`), and its reads and writes
//! of pages come through the store's [`Disk`] ([`pages`]). After each commit its new WAL frames are read back
//! ([`wal`]) and become one record of page deltas ([`record`]), which goes into preallocated segments ([`log`]); a writer
//! thread hardens the records of many sessions with one sync. A checkpoint lets SQLite move pages into the data file, but
//! never past the hardened LSN. Recovery throws SQLite's WAL away and redoes the log from the last checkpoint
//! ([`recovery`]). Backups are a snapshot of the pages or a stretch of the log ([`backup`]).
//!
//! A database is a primary, or a secondary that receives a primary's log ([`receive`]) and redoes it while it is read
//! ([`redo_group`]); [`mode`] changes one into the other, each time on a [`fork`] of its own. The first copy is [`seed`]ed,
//! and the loser of a forced failover [`rewind`]s. What a driver ships, and what it holds back, is in [`ship`].
//!
//! What is assumed of the disk: a sync makes what was written before it durable; what was not synced may be there in
//! part, torn, and in any order; a rename is atomic once the folder is synced; a failed sync says nothing about what is
//! on disk, now or after a later sync, so it is final, and recovery writes again whatever it may concern.

mod backup;
mod capture;
mod checkpoint;
mod control;
mod database;
mod disk;
mod error;
mod fork;
mod locks;
mod log;
mod lsn;
mod mode;
mod note;
mod pages;
mod receive;
mod record;
mod recovery;
mod redo;
mod redo_group;
mod replay;
mod rewind;
mod seed;
mod ship;
mod since;
mod tail;
mod verify;
mod waiters;
mod wal;

pub use backup::{
    BackupError, BackupKind, BackupOptions, BackupReport, DeviceFault, Listing, LogPin, LogReader,
    LogRestored, LogUse, Media, MediaHeader, PagesFacts, Progress, RawRecord, SetFacts, SetHeader,
    SetTrailer, Snapshot, Target, join_restored, leave_restoring, recover, restore_full, restore_log,
    restored_family, restored_lsn, verify_set,
};
pub use checkpoint::CheckpointReport;
pub use control::Mode;
pub use database::{CreateOptions, Database, PendingCommit, RecoveryModel, StoreStats};
pub use disk::{Disk, DiskFile, RealDisk};
pub use error::StoreError;
pub use fork::{CommonPoint, ForkId, ForkPoint, History, common_point};
pub use lab_vfs::connection;
pub use locks::{DbKey, LockError, Locks, SessionId};
pub use log::HardenObserver;
pub use lsn::Lsn;
pub use note::{CommitNote, TableRows};
pub use receive::ReceiveError;
pub use record::{PageChange, ParsedRecord, Record, apply, checksum, page_hash, read_record};
pub use redo::{PageMap, Pages, redo};
pub use redo_group::Redone;
pub use rewind::Rewind;
pub use seed::{SeedHeader, SeedWriter, is_half_seeded, remove_half_seeded};
pub use ship::{Block, BlockError};
pub use since::ForkTransaction;
pub use waiters::Departure;

#[cfg(test)]
mod tests;
