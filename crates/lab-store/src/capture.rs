//! What a database remembers of its pages from commit to commit, and how a commit becomes a record.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lab_vfs::Wal;

use crate::control::Position;
use crate::database::Logged;
use crate::record::{change, cut_off, lock_page, page_hash};
use crate::{CommitNote, ForkId, Lsn, Record, StoreError, wal};

/// How many pages capture keeps in memory.
const RECENT_MAX: usize = 1024;

/// What capture remembers from commit to commit.
pub(crate) struct Capture {
    pub(crate) wal: Wal,
    pub(crate) cursor: wal::Cursor,
    /// Pages that the log holds an image of since the last checkpoint began.
    imaged: BTreeSet<u32>,
    /// The next record is the first since then.
    restart_point: bool,
    /// Recent pages with their hashes, to build deltas on.
    recent: BTreeMap<u32, (Arc<[u8]>, u64)>,
    /// What SQLite shows: behind the newest record of a primary, or the newest one that a secondary has redone.
    pub(crate) at: Position,
    /// The newest restart point that SQLite shows.
    pub(crate) restart: Option<Position>,
    pub(crate) fork: ForkId,
    pub(crate) page_size: u32,
}

impl Capture {
    /// A database that was just recovered.
    pub(crate) fn new(
        wal: Wal,
        (fork, page_size): (ForkId, u32),
        at: Position,
        restart: Option<Position>,
    ) -> Capture {
        Capture {
            wal,
            cursor: wal::Cursor::default(),
            imaged: BTreeSet::new(),
            restart_point: true,
            recent: BTreeMap::new(),
            at,
            restart,
            fork,
            page_size,
        }
    }

    /// From here on the first change of each page logs an image, and the next record says so.
    pub(crate) fn log_images(&mut self) {
        self.imaged.clear();
        self.restart_point = true;
    }

    pub(crate) fn record(&mut self, logged: &Logged, note: CommitNote) -> Result<Lsn, StoreError> {
        let page_size = self.page_size as usize;
        let commit = self.cursor.read_commit(&self.wal, page_size)?;
        // The cursor moves on only at the end: a page as it was is the newest one in the WAL so far, or in the data file.
        // A restarted WAL has overwritten its old frames, and everything in them had been checkpointed by then.
        if commit.restarted {
            self.cursor = wal::Cursor::default();
        }
        let before = self.at;
        let mut changes = Vec::with_capacity(commit.pages.len());
        for (number, after) in &commit.pages {
            let (before, hash_before) = self.page_before(logged, *number)?;
            let image = !self.imaged.contains(number) || before.is_empty();
            let change = change(*number, (&before, hash_before), after, image);
            self.at.checksum ^= change.hash_before ^ change.hash_after;
            self.imaged.insert(*number);
            self.remember(*number, after, change.hash_after);
            changes.push(change);
        }
        // SQLite does not write a page that it took and freed again in one transaction. It has no content yet; here its
        // content is zeros.
        for number in self.at.database_pages + 1..=commit.database_pages {
            if !commit.pages.contains_key(&number) && number != lock_page(page_size) {
                let change = change(number, (&[], 0), &vec![0; page_size], true);
                self.at.checksum ^= change.hash_after;
                self.imaged.insert(number);
                changes.push(change);
            }
        }
        for number in commit.database_pages + 1..=self.at.database_pages {
            if number != lock_page(page_size) {
                let change = cut_off(number, self.page_before(logged, number)?.1);
                self.at.checksum ^= change.hash_before;
                changes.push(change);
            }
            self.recent.remove(&number);
        }
        self.cursor.advance(&commit);
        self.at.database_pages = commit.database_pages;
        self.at.time = now();
        if self.restart_point {
            self.restart = Some(before);
        }
        let flags = if std::mem::take(&mut self.restart_point) { Record::RESTART_POINT } else { 0 };
        let (after, page_size, fork) = (self.at, self.page_size, self.fork);
        self.at.lsn = logged.log.append(|lsn, hardened| Record {
            lsn,
            hardened,
            checksum_before: before.checksum,
            checksum_after: after.checksum,
            time: after.time,
            database_pages: after.database_pages,
            page_size,
            fork,
            flags,
            note,
            pages: changes,
        })?;
        logged.progress.shows(&self.at, self.restart.as_ref());
        logged.progress.ends(&self.at);
        Ok(self.at.lsn)
    }

    /// The page before this commit with its hash; empty if it did not exist.
    pub(crate) fn page_before(&self, logged: &Logged, number: u32) -> Result<(Arc<[u8]>, u64), StoreError> {
        if number > self.at.database_pages {
            return Ok((Arc::from([]), 0));
        }
        if let Some((page, hash)) = self.recent.get(&number) {
            return Ok((Arc::clone(page), *hash));
        }
        let page = match self.cursor.page(&self.wal, number, self.page_size as usize)? {
            Some(page) => page,
            None => {
                // One that SQLite has never written may lie behind the end of the file: zeros.
                let mut page = vec![0; self.page_size as usize];
                let offset = u64::from(number - 1) * u64::from(self.page_size);
                logged
                    .data
                    .read_at("page before", offset, &mut page)
                    .map_err(|e| StoreError::io("read a page", &e))?;
                page
            }
        };
        let hash = page_hash(number, &page);
        Ok((Arc::from(page), hash))
    }

    /// The database has no more pages than that.
    pub(crate) fn forget_behind(&mut self, pages: u32) {
        self.recent.split_off(&pages.saturating_add(1));
    }

    pub(crate) fn remember(&mut self, number: u32, page: &Arc<[u8]>, hash: u64) {
        if self.recent.len() >= RECENT_MAX && !self.recent.contains_key(&number) {
            self.recent.clear();
        }
        self.recent.insert(number, (Arc::clone(page), hash));
    }
}

/// 100 ns since 0001-01-01.
pub(crate) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    719_162 * 864_000_000_000 + (since.as_nanos() / 100) as i64
}
