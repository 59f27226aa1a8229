//! Redo: from the last checkpoint, through every record of the log, into the data file.
//!
//! It runs before SQLite opens the file, so pages are written straight into it, through the same disk as everything else.

use std::path::Path;
use std::sync::Arc;

use crate::control::Control;
use crate::disk::DiskFile;
use crate::record::apply;
use crate::{Disk, Lsn, Record, StoreError, pages, replay, verify};

/// Where pages live, for redo.
pub(crate) trait Pages {
    /// The page, or nothing if it does not exist.
    fn read(&mut self, number: u32) -> Result<Vec<u8>, StoreError>;
    /// Replaces the page.
    fn write(&mut self, number: u32, page: &[u8]) -> Result<(), StoreError>;
    /// The database has that many pages now.
    fn resize(&mut self, pages: u32) -> Result<(), StoreError>;
}

/// A data file that SQLite does not have open.
pub(crate) struct FilePages {
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) page_size: usize,
}

impl Pages for FilePages {
    fn read(&mut self, number: u32) -> Result<Vec<u8>, StoreError> {
        let mut page = vec![0; self.page_size];
        let offset = u64::from(number - 1) * self.page_size as u64;
        let read =
            self.file.read_at("redo read", offset, &mut page).map_err(|e| StoreError::io("redo", &e))?;
        page.truncate(if read == self.page_size { read } else { 0 });
        Ok(page)
    }

    fn write(&mut self, number: u32, page: &[u8]) -> Result<(), StoreError> {
        let offset = u64::from(number - 1) * self.page_size as u64;
        self.file.write_at("redo write", offset, page).map_err(|e| StoreError::io("redo", &e))
    }

    fn resize(&mut self, pages: u32) -> Result<(), StoreError> {
        let len = u64::from(pages) * self.page_size as u64;
        self.file.set_len("redo length", len).map_err(|e| StoreError::io("redo", &e))
    }
}

/// A data file up to this size is read and compared with the database's checksum at each recovery. A larger one would keep
/// the database from its users for too long; DBCC CHECKDB does it there.
const VERIFIED_BYTES_MAX: u64 = 256 << 20;

/// What recovery ended with.
pub(crate) struct Recovered {
    /// The data file, open.
    pub(crate) data: Arc<dyn DiskFile>,
    pub(crate) end: Lsn,
    pub(crate) checksum: u64,
    pub(crate) database_pages: u32,
}

/// Applies one record; the checksum that the database has then.
pub(crate) fn redo(record: &Record, pages: &mut dyn Pages, checksum: u64) -> Result<u64, StoreError> {
    if record.checksum_before != checksum {
        return Err(StoreError::Corrupt(format!(
            "the record at {} expects the database's checksum to be {:016x}, it is {checksum:016x}",
            record.lsn, record.checksum_before
        )));
    }
    let mut sum = checksum;
    let mut shrunk = false;
    for change in &record.pages {
        let Some(_) = change.number.checked_sub(1) else {
            return Err(StoreError::Corrupt(format!("the record at {} names page 0", record.lsn)));
        };
        if change.number > record.database_pages {
            if change.hash_after != 0 || !change.data.is_empty() {
                return Err(StoreError::Corrupt(format!(
                    "the record at {} has content for page {}, beyond the {} of the database",
                    record.lsn, change.number, record.database_pages
                )));
            }
            sum ^= change.hash_before;
            shrunk = true;
            continue;
        }
        let before = if change.delta { pages.read(change.number)? } else { Vec::new() };
        let after = apply(change, &before, record.page_size as usize)?;
        pages.write(change.number, &after)?;
        sum ^= change.hash_before ^ change.hash_after;
    }
    if shrunk {
        pages.resize(record.database_pages)?;
    }
    if sum != record.checksum_after {
        return Err(StoreError::Corrupt(format!(
            "the record at {} does not lead to the checksum that it names",
            record.lsn
        )));
    }
    Ok(sum)
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
    let (mut checksum, mut database_pages) = (control.checksum, control.database_pages);
    let (from, proved) = (control.checkpoint_lsn, control.hardened_lsn);
    let replayed = replay::replay(disk, dir, from, proved, &control.fork, |record| {
        if record.page_size != control.page_size {
            return Err(StoreError::Corrupt(format!(
                "the record at {} has pages of {} bytes, the database has {}",
                record.lsn, record.page_size, control.page_size
            )));
        }
        checksum = redo(&record, &mut pages, checksum)?;
        database_pages = record.database_pages;
        Ok(())
    })?;
    pages.resize(database_pages)?;
    if u64::from(database_pages) * page_size as u64 <= VERIFIED_BYTES_MAX {
        verify::data_file(&data, file.as_ref(), page_size, database_pages, checksum)?;
    }
    replay::harden(disk, dir, replayed.proved, replayed.end)?;
    file.sync("data sync").map_err(|e| StoreError::sync("sync the data file", &e))?;
    Ok(Recovered { data: file, end: replayed.end, checksum, database_pages })
}
