//! Recovery: redo from the last checkpoint, through every record of the log, into the data file.
//!
//! It runs before SQLite opens the file, so pages are written straight into it, through the same disk as everything else.

use std::path::Path;
use std::sync::Arc;

use crate::control::{Control, Position};
use crate::disk::DiskFile;
use crate::redo::{FilePages, Pages, redo};
use crate::{Disk, Lsn, StoreError, pages, replay, verify};

/// A data file up to this size is read and compared with the database's checksum at each recovery. A larger one would keep
/// the database from its users for too long; DBCC CHECKDB does it there.
const VERIFIED_BYTES_MAX: u64 = 256 << 20;

/// What recovery ended with.
pub(crate) struct Recovered {
    /// The data file, open.
    pub(crate) data: Arc<dyn DiskFile>,
    /// Where the log ends.
    pub(crate) end: Position,
    /// The newest restart point that was redone.
    pub(crate) restart: Option<Position>,
}

/// Recovers the data file of a folder.
pub(crate) fn recover(disk: &Arc<dyn Disk>, dir: &Path, control: &Control) -> Result<Recovered, StoreError> {
    let io = |e: std::io::Error| StoreError::io("recover", &e);
    let data = super::database::data_path(dir);
    // What SQLite had not checkpointed is gone with its WAL: the log alone says what was committed.
    pages::remove_overflow(disk, dir)?;
    // A data file that was there at the last checkpoint is never made anew: without it the log is of no use.
    let file = disk.open("data open", &data, control.database_pages == 0).map_err(io)?;
    let page_size = control.page_size as usize;
    let mut pages = FilePages { file: Arc::clone(&file), page_size };
    let (mut at, mut restart) = (control.checkpoint(), None);
    let (from, proved) = (control.checkpoint_lsn, control.hardened_lsn);
    let replayed = replay::replay(disk, dir, from, proved, &control.history(Lsn(u64::MAX)), |record| {
        if record.page_size != control.page_size {
            return Err(StoreError::Corrupt(format!(
                "the record at {} has pages of {} bytes, the database has {}",
                record.lsn, record.page_size, control.page_size
            )));
        }
        if record.is_restart_point() {
            restart = Some(Position { lsn: record.lsn, ..at });
        }
        at.checksum = redo(&record, &mut pages, at.checksum)?;
        at.database_pages = record.database_pages;
        at.time = record.time;
        Ok(())
    })?;
    at.lsn = replayed.end;
    pages.resize(at.database_pages)?;
    if u64::from(at.database_pages) * page_size as u64 <= VERIFIED_BYTES_MAX {
        verify::data_file(&data, file.as_ref(), page_size, at.database_pages, at.checksum)?;
    }
    replay::harden(disk, dir, replayed.proved, replayed.end)?;
    file.sync("data sync").map_err(|e| StoreError::sync("sync the data file", &e))?;
    Ok(Recovered { data: file, end: at, restart })
}
