//! A database's store: capture of commits, and what its users ask of it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lab_vfs::Volume;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use serde::{Deserialize, Serialize};

use crate::backup::Pins;
use crate::capture::Capture;
use crate::control::{Control, Mode};
use crate::disk::DiskFile;
use crate::log::{Log, SEGMENT, Station};
use crate::mode::Progress;
use crate::receive::Received;
use crate::waiters::Departure;
use crate::{
    CommitNote, Disk, ForkId, ForkPoint, History, Lsn, StoreError, is_half_seeded, pages, recovery, rewind,
};

/// How long the log is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecoveryModel {
    /// Until the next checkpoint.
    Simple,
    /// Until it is backed up.
    Full,
    /// As FULL: bulk loads are logged like everything else here.
    BulkLogged,
}

/// What a database is created with.
#[derive(Debug, Clone, Copy)]
pub struct CreateOptions {
    /// Bytes of a page.
    pub page_size: u32,
    /// How long its log is kept.
    pub recovery_model: RecoveryModel,
    /// Whether it has a log at all; tempdb has none.
    pub hardened: bool,
}

impl Default for CreateOptions {
    fn default() -> CreateOptions {
        CreateOptions { page_size: 4096, recovery_model: RecoveryModel::Simple, hardened: true }
    }
}

/// Counters of a store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Commits captured since the store was opened.
    pub commits: u64,
    /// Syncs of the log since then.
    pub syncs: u64,
    /// Bytes of log since then.
    pub log_bytes: u64,
    /// Where the log ends.
    pub end: Lsn,
    /// What is hardened.
    pub hardened: Lsn,
    /// The database's checksum, as far as SQLite shows it.
    pub checksum: u64,
}

/// One database on disk.
pub struct Database {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: PathBuf,
    pub(crate) volume: Volume,
    pub(crate) logged: Option<Logged>,
    commits: AtomicU64,
}

/// What a database with a log has besides its files.
pub(crate) struct Logged {
    pub(crate) log: Log,
    pub(crate) data: Arc<dyn DiskFile>,
    /// Held while a commit is in flight, from its last write in SQLite until its record stands in the log.
    pub(crate) gate: Mutex<Capture>,
    pub(crate) control: Mutex<Control>,
    /// Who else needs the log.
    pub(crate) pins: Arc<Pins>,
    /// What a secondary has received.
    pub(crate) received: Mutex<Received>,
    /// The connection that a secondary redoes with.
    pub(crate) redoer: Mutex<Option<Connection>>,
    pub(crate) progress: Progress,
    /// A connection that stays open, so that SQLite never finds itself the last one and cleans its WAL up.
    pub(crate) keeper: Mutex<Connection>,
}

/// Bytes of memory that a WAL keeps when it begins anew.
const WAL_KEPT: u32 = 40 << 20;
impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("dir", &self.dir).finish_non_exhaustive()
    }
}

pub(crate) fn data_path(dir: &Path) -> PathBuf {
    dir.join("data.db")
}

impl Database {
    /// Makes an empty database in a new folder.
    pub fn create(disk: Arc<dyn Disk>, dir: &Path, options: CreateOptions) -> Result<Database, StoreError> {
        Database::create_with(disk, dir, options, SEGMENT)
    }

    /// As [`Database::create`], with log segments of another size.
    pub(crate) fn create_with(
        disk: Arc<dyn Disk>,
        dir: &Path,
        options: CreateOptions,
        segment_bytes: u64,
    ) -> Result<Database, StoreError> {
        disk.make_dir("make folder", dir).map_err(|e| StoreError::io("make the folder", &e))?;
        if !options.hardened {
            let file = disk
                .open("data open", &data_path(dir), true)
                .map_err(|e| StoreError::io("open the data file", &e))?;
            let volume = pages::mount(&disk, dir, &file);
            let database =
                Database { disk, dir: dir.to_owned(), volume, logged: None, commits: AtomicU64::new(0) };
            drop(database.begin_wal(options.page_size)?);
            return Ok(database);
        }
        let control = Control::new(options.page_size, ForkId::unique(), options.recovery_model);
        control.save(&disk, dir)?;
        if let Some(parent) = dir.parent() {
            disk.sync_dir("parent folder", parent).map_err(|e| StoreError::sync("sync the folder", &e))?;
        }
        Database::open_with(disk, dir, segment_bytes)
    }

    /// Recovers a database.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if its files contradict each other, [`StoreError::Io`] if they cannot be used now,
    /// [`StoreError::NotReady`] if it [is half seeded](is_half_seeded).
    pub fn open(disk: Arc<dyn Disk>, dir: &Path) -> Result<Database, StoreError> {
        Database::open_with(disk, dir, SEGMENT)
    }

    /// As [`Database::open`], with log segments of another size.
    pub(crate) fn open_with(
        disk: Arc<dyn Disk>,
        dir: &Path,
        segment_bytes: u64,
    ) -> Result<Database, StoreError> {
        if is_half_seeded(&disk, dir)? {
            return Err(StoreError::NotReady(format!("the seeding of {} was not finished", dir.display())));
        }
        rewind::settle(&disk, dir)?;
        let control = Control::load(&disk, dir)?;
        let recovered = recovery::recover(&disk, dir, &control)?;
        let end = recovered.end;
        let log = Log::start(Arc::clone(&disk), dir, end.lsn, segment_bytes)?;
        let volume = pages::mount(&disk, dir, &recovered.data);
        let fork = (control.fork, control.page_size);
        let capture = Capture::new(volume.wal(), fork, end, recovered.restart);
        let mut control = Control { hardened_lsn: end.lsn, ..control };
        if control.mode == Mode::Primary {
            // Recovery has synced the data file, so this is a checkpoint: deltas may build on it. Not so on a secondary: what
            // it receives next may be deltas, and a crash while they are on their way into the data file must find their base
            // in the log.
            control.set_checkpoint(&end);
        }
        control.save(&disk, dir)?;
        let mut database =
            Database { disk, dir: dir.to_owned(), volume, logged: None, commits: AtomicU64::new(0) };
        let keeper = database.begin_wal(control.page_size)?;
        let is_new = control.mode == Mode::Primary && end.database_pages == 0;
        database.logged = Some(Logged {
            log,
            data: recovered.data,
            gate: Mutex::new(capture),
            received: Mutex::new(Received::new(end, control.history(end.lsn))),
            redoer: Mutex::default(),
            progress: Progress::new(control.mode, &end, recovered.restart.as_ref()),
            control: Mutex::new(control),
            pins: Arc::default(),
            keeper: Mutex::new(keeper),
        });
        if is_new {
            // New, or its creation did not get this far.
            database.first_commit()?;
        }
        Ok(database)
    }

    /// The name for ATTACH, on connections of [`connection`](crate::connection).
    pub fn sqlite_name(&self) -> &str {
        self.volume.name()
    }

    /// The folder that holds it.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A connection whose `main` is this database.
    ///
    /// # Errors
    /// SQLite could not open it.
    pub fn connect(&self) -> Result<Connection, StoreError> {
        let open = || {
            let conn = lab_vfs::open(&self.volume)?;
            self.connection_pragmas(&conn, "main")?;
            Ok(conn)
        };
        open().map_err(|e| StoreError::sqlite("open the database in SQLite", &e))
    }

    /// The first connection: an empty database gets its page size and is put into WAL mode.
    fn begin_wal(&self, page_size: u32) -> Result<Connection, StoreError> {
        let sqlite = |e: rusqlite::Error| StoreError::sqlite("open the database in SQLite", &e);
        let conn = self.connect()?;
        conn.execute_batch(&format!("PRAGMA page_size={page_size}; PRAGMA journal_mode=WAL;"))
            .map_err(sqlite)?;
        Ok(conn)
    }

    /// What every connection must set on the database once it is attached under `alias`.
    pub fn connection_pragmas(&self, conn: &Connection, alias: &str) -> rusqlite::Result<()> {
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        conn.execute_batch(&format!(
            "PRAGMA {alias}.synchronous=OFF; PRAGMA wal_autocheckpoint=0; PRAGMA {alias}.cache_size=-2000;
             PRAGMA {alias}.journal_size_limit={WAL_KEPT};"
        ))
    }

    /// Makes the table that each commit writes its LSN into.
    fn first_commit(&self) -> Result<(), StoreError> {
        let sqlite = |e: rusqlite::Error| StoreError::sqlite("create the database", &e);
        let conn = self.connect()?;
        conn.execute_batch(
            "BEGIN; CREATE TABLE _lsn(one INTEGER PRIMARY KEY CHECK(one = 1), lsn INTEGER NOT NULL) STRICT;
             INSERT INTO _lsn VALUES(1, 0);",
        )
        .map_err(sqlite)?;
        let pending = self.begin_commit(&conn, "main")?;
        conn.execute_batch("COMMIT").map_err(sqlite)?;
        let lsn = pending.finish(CommitNote::default())?;
        self.wait_hardened(lsn)
    }

    /// Begins the commit of the transaction that is open on `conn`. The caller holds the database's write lock.
    ///
    /// Writes the commit's LSN into the transaction: a copy of the pages says by itself how far it goes.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`] on a secondary; otherwise the store has failed, or SQLite has. The transaction is still open.
    pub fn begin_commit(&self, conn: &Connection, alias: &str) -> Result<PendingCommit<'_>, StoreError> {
        let Some(logged) = &self.logged else { return Ok(PendingCommit { database: self, in_flight: None }) };
        let capture = lock(&logged.gate);
        // Asked while nobody else can be in the middle of a commit: one that fails there must be the last.
        if let Some(why) = logged.log.failure() {
            return Err(StoreError::Failed(Box::new(why)));
        }
        if logged.progress.is_secondary() {
            return Err(StoreError::ReadOnly);
        }
        let lsn = logged.log.end();
        let sql = format!("UPDATE {alias}._lsn SET lsn = ?1 WHERE one = 1");
        let write = || conn.prepare_cached(&sql)?.execute([lsn.0 as i64]);
        write().map_err(|e| StoreError::sqlite("write the LSN", &e))?;
        Ok(PendingCommit { database: self, in_flight: Some(InFlight { capture, lsn }) })
    }

    /// The end of the log, after waiting for a commit in flight: what an answer that has read the database depends on. On a
    /// secondary, what is redone: nothing else can be read there.
    pub fn observe_lsn(&self) -> Lsn {
        let Some(logged) = &self.logged else { return Lsn(0) };
        if logged.progress.is_secondary() {
            return logged.progress.redone();
        }
        let gate = lock(&logged.gate);
        let end = logged.log.end();
        drop(gate);
        end
    }

    /// Waits until everything before `lsn` is durable.
    pub fn wait_hardened(&self, lsn: Lsn) -> Result<(), StoreError> {
        self.logged.as_ref().map_or(Ok(()), |l| l.log.wait(lsn))
    }

    /// Hardens it if nobody else does so just now; whether [`Database::wait_hardened`] would return at once.
    pub fn is_settled(&self, lsn: Lsn) -> bool {
        self.logged.as_ref().is_none_or(|l| l.log.is_settled(Station::Hardened, lsn))
    }

    /// Does something once everything before `lsn` is durable, or cannot become so: now, or by whoever hardens it.
    pub fn when_hardened(&self, lsn: Lsn, departure: Departure) {
        match &self.logged {
            Some(logged) => logged.log.then(Station::Hardened, lsn, departure),
            None => departure(Ok(())),
        }
    }

    /// The LSN that the newest commit in SQLite wrote into itself.
    fn shown_lsn(&self) -> Result<Lsn, StoreError> {
        self.connect()?
            .query_row("SELECT lsn FROM _lsn", [], |r| r.get::<_, i64>(0))
            .map(|lsn| Lsn(lsn as u64))
            .map_err(|e| StoreError::sqlite("see whether a failed transaction was committed", &e))
    }

    /// What is durable.
    pub fn hardened_lsn(&self) -> Lsn {
        self.logged.as_ref().map_or(Lsn(0), |l| l.log.hardened())
    }

    /// The recovery fork that the log is on.
    pub fn fork(&self) -> ForkId {
        self.logged.as_ref().map_or_else(ForkId::default, |l| lock(&l.control).fork)
    }

    /// The forks before [`Database::fork`], oldest first.
    pub fn forks(&self) -> Vec<ForkPoint> {
        self.logged.as_ref().map_or_else(Vec::new, |l| lock(&l.control).forks.clone())
    }

    /// The forks that the log went through, up to what is hardened: what a peer is told.
    pub fn history(&self) -> History {
        match &self.logged {
            Some(logged) => lock(&logged.control).history(logged.log.hardened()).reached(),
            None => History { fork: ForkId::default(), forks: Vec::new(), end: Lsn(0) },
        }
    }

    /// Why the store answers no more, if it has failed.
    pub fn failure(&self) -> Option<StoreError> {
        self.logged.as_ref().and_then(|l| l.log.failure())
    }

    /// How long the log is kept.
    pub fn recovery_model(&self) -> RecoveryModel {
        self.logged.as_ref().map_or(RecoveryModel::Simple, |l| lock(&l.control).recovery_model)
    }

    /// Changes how long the log is kept.
    pub fn set_recovery_model(&self, model: RecoveryModel) -> Result<(), StoreError> {
        let Some(logged) = &self.logged else { return Ok(()) };
        self.change_control(logged, |control| {
            control.recovery_model = model;
            if model == RecoveryModel::Simple {
                // The chain of log backups ends here.
                control.log_backed_up = None;
            }
        })
        .map(|_| ())
    }

    /// Changes the control file; what is known of it in memory follows only once it is durable.
    ///
    /// # Errors
    /// [`StoreError::Full`] leaves everything as it was. After any other error either version may be found on disk, so it
    /// is final.
    pub(crate) fn change_control(
        &self,
        logged: &Logged,
        change: impl FnOnce(&mut Control),
    ) -> Result<Control, StoreError> {
        let mut control = lock(&logged.control);
        if let Some(why) = logged.log.failure() {
            return Err(StoreError::Failed(Box::new(why)));
        }
        let mut new = control.clone();
        change(&mut new);
        new.hardened_lsn = logged.log.hardened();
        new.save(&self.disk, &self.dir).inspect_err(|e| {
            if !e.is_full() {
                logged.log.fail(e.clone());
            }
        })?;
        *control = new.clone();
        Ok(new)
    }

    /// Counters.
    pub fn stats(&self) -> StoreStats {
        let Some(logged) = &self.logged else { return StoreStats::default() };
        let checksum = lock(&logged.gate).at.checksum;
        let (syncs, log_bytes) = logged.log.counters();
        StoreStats {
            commits: self.commits.load(Ordering::Relaxed),
            syncs,
            log_bytes,
            end: logged.log.end(),
            hardened: logged.log.hardened(),
            checksum,
        }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A commit in flight: nobody else commits, and no reader's answer counts as complete, until it is finished or aborted.
///
/// One that is dropped instead fails the store: nobody knows whether SQLite has committed.
#[must_use = "a commit in flight must be finished or aborted"]
pub struct PendingCommit<'a> {
    database: &'a Database,
    /// Nothing if the database has no log.
    in_flight: Option<InFlight<'a>>,
}

struct InFlight<'a> {
    capture: MutexGuard<'a, Capture>,
    /// What the transaction says its LSN is.
    lsn: Lsn,
}

impl PendingCommit<'_> {
    /// SQLite reported that it did not commit.
    ///
    /// # Errors
    /// It did here, although not everywhere: a transaction that spans databases is committed in one after the other. The
    /// store has failed; recovery takes the commit back, since it is not in the log.
    pub fn abort(mut self) -> Result<(), StoreError> {
        let (Some(in_flight), Some(logged)) = (self.in_flight.take(), &self.database.logged) else {
            return Ok(());
        };
        let shown = self.database.shown_lsn();
        let failure = match shown {
            Ok(shown) if shown != in_flight.lsn => return Ok(()),
            Ok(_) => StoreError::Io("SQLite has committed a part of a failed transaction".to_owned()),
            Err(e) => e,
        };
        logged.log.fail(failure.clone());
        Err(failure)
    }

    /// SQLite has committed: its frames become a record of the log, together with what `note` says about the commit. The
    /// position behind it is what an answer waits for.
    ///
    /// # Errors
    /// The store has failed: the pages are in SQLite and not in the log, so nothing may be answered any more.
    pub fn finish(mut self, note: CommitNote) -> Result<Lsn, StoreError> {
        let (Some(mut in_flight), Some(logged)) = (self.in_flight.take(), &self.database.logged) else {
            return Ok(Lsn(0));
        };
        self.database.commits.fetch_add(1, Ordering::Relaxed);
        // The gate is still closed while the failure is noted.
        in_flight.capture.record(logged, note).inspect_err(|e| logged.log.fail(e.clone()))
    }
}

impl Drop for PendingCommit<'_> {
    fn drop(&mut self) {
        if let (Some(_), Some(logged)) = (&self.in_flight, &self.database.logged) {
            logged.log.fail(StoreError::Io("a commit was left in the middle".to_owned()));
        }
    }
}
