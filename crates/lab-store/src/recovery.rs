//! Redo: from the last checkpoint, through every record of the log, into the data file.
//!
//! It runs before SQLite opens the file, so pages are written straight into it, through the same disk as everything else.

use std::path::Path;
use std::sync::Arc;

use crate::control::Control;
use crate::disk::DiskFile;
use crate::record::apply;
use crate::{Disk, Lsn, Record, StoreError, log, pages};

/// Where pages live, for redo.
pub(crate) trait Pages {
    /// The page, or nothing if it does not exist.
    fn read(&mut self, number: u32) -> Result<Vec<u8>, StoreError>;
    /// Replaces the page.
    fn write(&mut self, number: u32, page: &[u8]) -> Result<(), StoreError>;
    /// The database has that many pages now.
    fn resize(&mut self, pages: u32) -> Result<(), StoreError>;
}

struct FilePages {
    file: Arc<dyn DiskFile>,
    page_size: usize,
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

/// What recovery ended with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recovered {
    pub(crate) end: Lsn,
    pub(crate) checksum: u64,
    pub(crate) database_pages: u32,
    pub(crate) records: u64,
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
    for change in &record.pages {
        let Some(_) = change.number.checked_sub(1) else {
            return Err(StoreError::Corrupt(format!("the record at {} names page 0", record.lsn)));
        };
        let before = if change.delta { pages.read(change.number)? } else { Vec::new() };
        let after = apply(change, &before, record.page_size as usize)?;
        pages.write(change.number, &after)?;
        sum ^= change.hash_before ^ change.hash_after;
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
    let file = disk.open("data open", &data, true).map_err(io)?;
    let page_size = control.page_size as usize;
    let mut pages = FilePages { file: Arc::clone(&file), page_size };
    let mut done = Recovered {
        end: control.checkpoint_lsn,
        checksum: control.checksum,
        database_pages: control.database_pages,
        records: 0,
    };
    done.end = log::replay(disk, dir, control.checkpoint_lsn, |record| {
        if record.page_size != control.page_size {
            return Err(StoreError::Corrupt(format!(
                "the record at {} has pages of another size",
                record.lsn
            )));
        }
        done.checksum = redo(&record, &mut pages, done.checksum)?;
        done.database_pages = record.database_pages;
        done.records += 1;
        Ok(())
    })?;
    pages.resize(done.database_pages)?;
    file.sync("data sync").map_err(io)?;
    Ok(done)
}
