//! Redo on a secondary that is being read: many records become one transaction of SQLite.
//!
//! The pages of a group are worked out in memory and written, each once, through SQLite's `sqlite_dbpage` table: readers on
//! other connections see the database before the group or behind it, and keep their snapshots. What is written comes back
//! through SQLite's WAL, as commits do on a primary, so that what capture knows stays exact and the database can begin to
//! commit at any time.
//!
//! NB: the table writes below SQLite's trees, whose own connection does not notice. That connection therefore has the
//! database attached beside an empty one, prepares nothing that looks at its schema, and reads no page through it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;

use crate::capture::Capture;
use crate::control::Position;
use crate::database::{Logged, lock};
use crate::record::{page_content, page_hash};
use crate::redo::{Pages, redo};
use crate::tail::whole_records_of;
use crate::{BlockError, Database, Lsn, ParsedRecord, Record, StoreError, read_record, wal};

/// Bytes of pages that a group holds in memory, unless one record has more.
const PAGES_BYTES_MAX: usize = 64 << 20;

/// What redo did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redone {
    /// Readers see everything before this now.
    pub redone_lsn: Lsn,
    /// When the newest commit of that was, 100 ns since 0001-01-01 on the primary's clock.
    pub commit_time: i64,
    /// A commit among those redone changed the catalog.
    pub catalog_changed: bool,
    /// Records redone; 0 if there was nothing to do.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The pages of a group before SQLite gets them.
struct Group<'a> {
    capture: &'a Capture,
    logged: &'a Logged,
    /// Pages that the group has changed.
    pages: BTreeMap<u32, Vec<u8>>,
    /// The smallest that the database was within the group: of pages behind that nothing is left.
    kept: u32,
}

impl Pages for Group<'_> {
    fn read(&mut self, number: u32) -> Result<Vec<u8>, StoreError> {
        match self.pages.get(&number) {
            Some(page) => Ok(page.clone()),
            None if number > self.kept => Ok(Vec::new()),
            None => Ok(self.capture.page_before(self.logged, number)?.0.to_vec()),
        }
    }

    fn write(&mut self, number: u32, page: &[u8]) -> Result<(), StoreError> {
        self.pages.insert(number, page.to_vec());
        Ok(())
    }

    fn resize(&mut self, pages: u32) -> Result<(), StoreError> {
        self.pages.split_off(&pages.saturating_add(1));
        self.kept = self.kept.min(pages);
        Ok(())
    }
}

/// What a group leads to.
struct Outcome {
    at: Position,
    restart: Option<Position>,
    pages: BTreeMap<u32, Vec<u8>>,
    redone: Redone,
}

impl Database {
    /// Redoes received records of a secondary, up to `max_bytes` of them, but at least one if there is any. What is redone
    /// is visible when this returns; readers' snapshots stay as they are.
    ///
    /// It does not wait until they are hardened, as SQLite does not wait on a primary: what SQLite shows is lost with the
    /// process, a checkpoint moves only what is hardened into the data file, and whoever answers a reader waits for
    /// [`Database::wait_committed`] of what was seen.
    ///
    /// # Errors
    /// [`StoreError::NotReady`] on a primary. [`StoreError::Full`] or [`StoreError::Io`] may pass: nothing was redone. If the
    /// records do not fit the pages the store has failed, and says so from now on.
    pub fn redo(&self, max_bytes: usize) -> Result<Redone, StoreError> {
        let logged = self.logged()?;
        let mut redoer = lock(&logged.redoer);
        let from = logged.progress.redone();
        let block = self.to_redo(logged, from, max_bytes)?;
        let mut capture = lock(&logged.gate);
        if !logged.progress.is_secondary() {
            return Err(StoreError::NotReady("the database is no secondary".to_owned()));
        }
        if let Some(why) = logged.log.failure() {
            return Err(StoreError::Failed(Box::new(why)));
        }
        assert!(capture.at.lsn == from, "redo is at {}, not at {from}", capture.at.lsn);
        if block.is_empty() {
            return Ok(Redone {
                redone_lsn: from,
                commit_time: capture.at.time,
                catalog_changed: false,
                records: 0,
                bytes: 0,
            });
        }
        let final_if_corrupt = |e: &StoreError| {
            if e.is_corruption() {
                logged.log.fail(e.clone());
            }
        };
        let outcome = work_out(&capture, logged, &block).inspect_err(final_if_corrupt)?;
        let conn = match redoer.take() {
            Some(conn) => conn,
            None => self.redo_connection()?,
        };
        let before = capture.at.database_pages;
        write(&conn, &outcome, before).inspect_err(|e| {
            if !matches!(e, WriteError::Undone(_)) {
                logged.log.fail(e.error());
            }
        })?;
        *redoer = Some(conn);
        let redone = outcome.redone;
        // SQLite has it: from here on every error is final.
        capture.take_over(outcome).inspect_err(|e| logged.log.fail(e.clone()))?;
        logged.progress.shows(&capture.at, capture.restart.as_ref());
        Ok(redone)
    }

    /// Records from `from` on: what was received last, or what is hardened.
    fn to_redo(&self, logged: &Logged, from: Lsn, max_bytes: usize) -> Result<Vec<u8>, StoreError> {
        let newest = lock(&logged.received).newest.from(from, max_bytes);
        let bytes = whole_records_of(&newest, from, max_bytes);
        // It may have come further than what is hardened, and has to wait if nothing more has been received.
        if !bytes.is_empty() || from >= logged.log.hardened() {
            return Ok(bytes);
        }
        match self.block(logged, from, max_bytes) {
            Ok(block) => Ok(block.bytes),
            Err(BlockError::Store(e)) => Err(e),
            Err(BlockError::LogGone { .. } | BlockError::NoRecord) => Err(StoreError::Corrupt(format!(
                "the log in {} has no record to redo at {from}",
                self.dir.display()
            ))),
        }
    }

    /// The connection that redo writes with; nobody else writes on a secondary.
    fn redo_connection(&self) -> Result<Connection, StoreError> {
        let open = || {
            let conn = lab_vfs::connection()?;
            conn.execute("ATTACH ?1 AS d", [self.volume.name()])?;
            self.connection_pragmas(&conn, "d")?;
            conn.busy_timeout(Duration::from_secs(5))?;
            Ok(conn)
        };
        open().map_err(|e| StoreError::sqlite("open the database for redo", &e))
    }
}

/// Redoes records in memory.
fn work_out(capture: &Capture, logged: &Logged, mut bytes: &[u8]) -> Result<Outcome, StoreError> {
    let (mut at, mut restart) = (capture.at, capture.restart);
    let mut group = Group { capture, logged, pages: BTreeMap::new(), kept: at.database_pages };
    let mut redone =
        Redone { redone_lsn: at.lsn, commit_time: at.time, catalog_changed: false, records: 0, bytes: 0 };
    while !bytes.is_empty() && group.pages.len() * (capture.page_size as usize) < PAGES_BYTES_MAX {
        let ParsedRecord::Record(record, len) = read_record(bytes) else {
            return Err(StoreError::Corrupt(format!("the record at {} does not verify", at.lsn)));
        };
        check(&record, &at, capture.page_size)?;
        if record.is_restart_point() {
            restart = Some(at);
        }
        at.checksum = redo(&record, &mut group, at.checksum)?;
        at.lsn.0 += len as u64;
        (at.database_pages, at.time) = (record.database_pages, record.time);
        redone.catalog_changed |= record.note.catalog_changed;
        redone.records += 1;
        redone.bytes += len as u64;
        bytes = bytes.get(len..).unwrap_or_default();
    }
    (redone.redone_lsn, redone.commit_time) = (at.lsn, at.time);
    Ok(Outcome { at, restart, pages: group.pages, redone })
}

fn check(record: &Record, at: &Position, page_size: u32) -> Result<(), StoreError> {
    if record.lsn == at.lsn && record.page_size == page_size {
        return Ok(());
    }
    Err(StoreError::Corrupt(format!(
        "a record at {} with pages of {page_size} bytes is expected, one at {} with {} is there",
        at.lsn, record.lsn, record.page_size
    )))
}

enum WriteError {
    /// SQLite is as it was before.
    Undone(StoreError),
    /// Nobody knows what SQLite has.
    Unknown(StoreError),
}

impl WriteError {
    fn error(&self) -> StoreError {
        match self {
            WriteError::Undone(e) | WriteError::Unknown(e) => e.clone(),
        }
    }
}

impl From<WriteError> for StoreError {
    fn from(e: WriteError) -> StoreError {
        e.error()
    }
}

/// Writes pages into SQLite, in one transaction; the database had `before` pages.
fn write(conn: &Connection, outcome: &Outcome, before: u32) -> Result<(), WriteError> {
    let fill = || -> rusqlite::Result<()> {
        conn.execute_batch("BEGIN")?;
        let mut page =
            conn.prepare_cached("INSERT INTO sqlite_dbpage(pgno, data, schema) VALUES(?1, ?2, 'd')")?;
        for (number, content) in &outcome.pages {
            page.execute((number, content))?;
        }
        if outcome.at.database_pages < before {
            // No content: this page and those behind it go. It must come last, for a page that is written takes it back.
            page.execute((outcome.at.database_pages + 1, None::<&[u8]>))?;
        }
        Ok(())
    };
    let filled = fill().map_err(|e| StoreError::sqlite("redo", &e));
    if let Err(e) = filled {
        let undone = conn.is_autocommit() || conn.execute_batch("ROLLBACK").is_ok();
        return Err(if undone { WriteError::Undone(e) } else { WriteError::Unknown(e) });
    }
    conn.execute_batch("COMMIT").map_err(|e| WriteError::Unknown(StoreError::sqlite("commit redo", &e)))
}

impl Capture {
    /// SQLite has committed a group: what it says that it wrote is what was meant.
    fn take_over(&mut self, outcome: Outcome) -> Result<(), StoreError> {
        let commit = self.cursor.read_commit(&self.wal, self.page_size as usize)?;
        if commit.restarted {
            self.cursor = wal::Cursor::default();
        }
        let meant = outcome.at.database_pages;
        if commit.database_pages != meant {
            return Err(StoreError::Corrupt(format!(
                "redo up to {} left {} pages in the database, {meant} are expected",
                outcome.at.lsn, commit.database_pages
            )));
        }
        for (number, page) in outcome.pages {
            let written = commit.pages.get(&number).map(|p| page_content(number, p));
            if written.as_deref() != Some(&page[..]) {
                return Err(StoreError::Corrupt(format!(
                    "redo up to {} wrote page {number} differently from what was meant",
                    outcome.at.lsn
                )));
            }
            let hash = page_hash(number, &page);
            self.remember(number, &Arc::from(page), hash);
        }
        self.forget_behind(meant);
        self.cursor.advance(&commit);
        self.at = outcome.at;
        self.restart = outcome.restart;
        Ok(())
    }
}
