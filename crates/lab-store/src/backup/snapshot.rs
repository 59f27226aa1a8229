//! The pages of a database as of one LSN, read while commits go on.

use rusqlite::Connection;

use super::LogPin;
use crate::database::lock;
use crate::record::{lock_page, page_content, page_hash};
use crate::{Database, ForkId, ForkPoint, Lsn, RecoveryModel, StoreError};

/// A read transaction over every page, and the position in the log that it shows.
///
/// Commits are held up only while it is taken, never while it is read; what SQLite's WAL grows by meanwhile cannot be
/// checkpointed away before it is dropped. The log from `lsn` on is kept as long as the snapshot lives.
pub struct Snapshot {
    conn: Connection,
    /// The pages hold everything before this.
    pub lsn: Lsn,
    /// The database's checksum there.
    pub checksum: u64,
    /// Pages of the database.
    pub database_pages: u32,
    /// Bytes of a page.
    pub page_size: u32,
    /// The recovery fork.
    pub fork: ForkId,
    /// The forks before it, oldest first.
    pub forks: Vec<ForkPoint>,
    /// The recovery model at that time.
    pub recovery_model: RecoveryModel,
    /// When the last commit in it was, 100 ns since 0001-01-01.
    pub time: i64,
    /// The log from `lsn` on begins with an image of each page that it changes. Not so on a secondary.
    pub is_restart_point: bool,
    _pin: LogPin,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("lsn", &self.lsn).finish_non_exhaustive()
    }
}

impl Database {
    /// Takes a snapshot; everything that it shows is hardened when this returns.
    ///
    /// # Errors
    /// The store has failed, or has no log.
    pub fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let logged =
            self.logged.as_ref().ok_or_else(|| StoreError::Io("the database has no log".to_owned()))?;
        let conn = self.connect()?;
        let mut capture = lock(&logged.gate);
        // Nobody is in the middle of a commit: what the transaction shows is what the log holds up to its end.
        conn.execute_batch("BEGIN; SELECT lsn FROM _lsn;")
            .map_err(|e| StoreError::sqlite("take a snapshot", &e))?;
        // As behind a checkpoint: redo over these pages must be able to begin again at any time.
        let is_restart_point = !logged.progress.is_secondary();
        if is_restart_point {
            capture.log_images();
        }
        let control = lock(&logged.control).clone();
        let lsn = capture.at.lsn;
        let snapshot = Snapshot {
            conn,
            lsn,
            checksum: capture.at.checksum,
            database_pages: capture.at.database_pages,
            page_size: control.page_size,
            fork: control.fork,
            forks: control.forks,
            recovery_model: control.recovery_model,
            time: capture.at.time,
            is_restart_point,
            _pin: logged.pins.pin(lsn),
        };
        drop(capture);
        self.wait_hardened(lsn)?;
        Ok(snapshot)
    }
}

impl Snapshot {
    /// Gives every page but SQLite's lock page, in ascending order.
    ///
    /// # Errors
    /// What `each` says, or that the pages do not make up the database's checksum.
    pub fn read<E: From<StoreError>>(
        &self,
        mut each: impl FnMut(u32, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let sqlite = |e: rusqlite::Error| E::from(StoreError::sqlite("read the pages", &e));
        let lock_page = lock_page(self.page_size as usize);
        let mut sum = 0;
        let mut pages =
            self.conn.prepare("SELECT pgno, data FROM sqlite_dbpage ORDER BY pgno").map_err(sqlite)?;
        let mut rows = pages.query([]).map_err(sqlite)?;
        while let Some(row) = rows.next().map_err(sqlite)? {
            let number: u32 = row.get(0).map_err(sqlite)?;
            if number == lock_page {
                continue;
            }
            let page = row.get_ref(1).map_err(sqlite)?.as_blob().unwrap_or_default();
            sum ^= page_hash(number, page);
            each(number, &page_content(number, page))?;
        }
        if sum != self.checksum {
            return Err(StoreError::Corrupt(format!(
                "the checksum of all pages is {sum:016x}, the log says {:016x}",
                self.checksum
            ))
            .into());
        }
        Ok(())
    }

    /// Gives some of the pages, in the order that is asked for; those that the database does not have are left out, and so
    /// is SQLite's lock page.
    ///
    /// # Errors
    /// What `each` says, or that a page cannot be read.
    pub fn read_pages<E: From<StoreError>>(
        &self,
        numbers: impl IntoIterator<Item = u32>,
        mut each: impl FnMut(u32, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let sqlite = |e: rusqlite::Error| E::from(StoreError::sqlite("read the pages", &e));
        let lock_page = lock_page(self.page_size as usize);
        let mut page = self.conn.prepare("SELECT data FROM sqlite_dbpage WHERE pgno = ?1").map_err(sqlite)?;
        for number in numbers {
            if number == lock_page || number == 0 || number > self.database_pages {
                continue;
            }
            let mut rows = page.query([number]).map_err(sqlite)?;
            let row = rows.next().map_err(sqlite)?.ok_or_else(|| {
                StoreError::Corrupt(format!("page {number} of {} is not there", self.database_pages))
            })?;
            let content = row.get_ref(0).map_err(sqlite)?.as_blob().unwrap_or_default();
            each(number, &page_content(number, content))?;
        }
        Ok(())
    }
}
