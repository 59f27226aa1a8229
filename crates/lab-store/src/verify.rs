//! Comparing every page of a database with its checksum.
//!
//! SQLite's pages carry no checksum of their own; the database's, which every record of the log leads on, is the XOR of
//! the hashes of all pages.

use std::path::Path;

use crate::database::{data_path, lock};
use crate::disk::DiskFile;
use crate::record::{lock_page, page_hash};
use crate::{Database, StoreError};

/// Compares a data file that SQLite does not have open.
pub(crate) fn data_file(
    path: &Path,
    file: &dyn DiskFile,
    page_size: usize,
    pages: u32,
    expected: u64,
) -> Result<(), StoreError> {
    /// How many pages are read at once.
    const CHUNK: usize = 64;
    let mut sum = 0;
    let mut number = 1_u32;
    let mut buffer = vec![0; page_size * CHUNK];
    while number <= pages {
        let offset = u64::from(number - 1) * page_size as u64;
        let read = file
            .read_at("verify read", offset, &mut buffer)
            .map_err(|e| StoreError::io("read the data file", &e))?;
        let whole = (read / page_size).min((pages - number) as usize + 1);
        if whole == 0 {
            return Err(StoreError::Corrupt(format!(
                "{}, offset {offset}: page {number} of {pages} is expected, the file ends there",
                path.display()
            )));
        }
        for page in buffer.chunks_exact(page_size).take(whole) {
            if number != lock_page(page_size) {
                sum ^= page_hash(number, page);
            }
            number += 1;
        }
    }
    compare(path, sum, expected)
}

fn compare(path: &Path, found: u64, expected: u64) -> Result<(), StoreError> {
    if found == expected {
        return Ok(());
    }
    Err(StoreError::Corrupt(format!(
        "{}: the checksum of all pages is {found:016x}, the log says {expected:016x}",
        path.display()
    )))
}

impl Database {
    /// Reads every page as of now and compares it all with the database's checksum. Commits go on meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if they differ.
    pub fn verify(&self) -> Result<(), StoreError> {
        let Some(logged) = &self.logged else { return Ok(()) };
        let sqlite = |e: rusqlite::Error| StoreError::sqlite("read the database", &e);
        let conn = self.connect()?;
        let (expected, page_size) = {
            let capture = lock(&logged.gate);
            if let Some(why) = logged.log.failure() {
                return Err(StoreError::Failed(Box::new(why)));
            }
            // No commit is in flight: the snapshot and the checksum are of the same state.
            conn.execute_batch("BEGIN; SELECT lsn FROM _lsn;").map_err(sqlite)?;
            (capture.at.checksum, capture.page_size as usize)
        };
        let mut sum = 0;
        let mut pages = conn.prepare("SELECT pgno, data FROM sqlite_dbpage").map_err(sqlite)?;
        let mut rows = pages.query([]).map_err(sqlite)?;
        while let Some(row) = rows.next().map_err(sqlite)? {
            let number: u32 = row.get(0).map_err(sqlite)?;
            let page = row.get_ref(1).map_err(sqlite)?.as_blob().unwrap_or_default();
            if number != lock_page(page_size) {
                sum ^= page_hash(number, page);
            }
        }
        compare(&data_path(&self.dir), sum, expected)
    }
}
