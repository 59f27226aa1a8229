//! Redo: a record of the log becomes pages again.
//!
//! Recovery, restores, secondaries and the simulator do it with the same function, over pages that live in different places.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::disk::DiskFile;
use crate::record::apply;
use crate::{Record, StoreError};

/// Where pages live, for redo.
pub trait Pages {
    /// The page, or nothing if it does not exist.
    fn read(&mut self, number: u32) -> Result<Vec<u8>, StoreError>;
    /// Replaces the page.
    fn write(&mut self, number: u32, page: &[u8]) -> Result<(), StoreError>;
    /// The database has that many pages now: those behind them are gone.
    fn resize(&mut self, pages: u32) -> Result<(), StoreError>;
}

/// Pages in memory, by number.
pub type PageMap = BTreeMap<u32, Vec<u8>>;

impl Pages for PageMap {
    fn read(&mut self, number: u32) -> Result<Vec<u8>, StoreError> {
        Ok(self.get(&number).cloned().unwrap_or_default())
    }

    fn write(&mut self, number: u32, page: &[u8]) -> Result<(), StoreError> {
        self.insert(number, page.to_vec());
        Ok(())
    }

    fn resize(&mut self, pages: u32) -> Result<(), StoreError> {
        self.retain(|number, _| *number <= pages);
        Ok(())
    }
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

/// Applies one record to pages whose checksum is `checksum`; the checksum that they have then.
///
/// # Errors
/// [`StoreError::Corrupt`] if the record does not follow on these pages. Some of its pages may have been written then.
pub fn redo(record: &Record, pages: &mut dyn Pages, checksum: u64) -> Result<u64, StoreError> {
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
