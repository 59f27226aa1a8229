//! The harness of the durability tests: a database beside a plain map, faults, power failures, and what must hold after.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension};

use super::sim_disk::{Dice, Faults, SimDisk};
use crate::{CreateOptions, Database, RecoveryModel, StoreError};

/// Small, so that a few commits fill one.
pub(super) const SEGMENT: u64 = 16 << 10;

pub(super) type Rows = BTreeMap<i64, Vec<u8>>;

/// What one commit does.
#[derive(Debug, Clone)]
pub(super) enum Op {
    Put(i64, Vec<u8>),
    Delete(i64),
    /// A table that does not outlive the transaction: its pages are taken and freed.
    Scratch(usize),
}

/// What the database must hold: the state after each commit that was tried.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// By commit; the first is the database without tables.
    pub(super) states: Vec<Rows>,
    /// The newest commit that was reported as done.
    pub(super) acked: usize,
    /// Whether the creation was.
    pub(super) created: bool,
}

/// A database under test.
pub(super) struct World {
    root: PathBuf,
    pub(super) disk: SimDisk,
    pub(super) model: Arc<Mutex<Model>>,
    pub(super) db: Option<Arc<Database>>,
    _folder: Option<tempfile::TempDir>,
}

impl World {
    pub(super) fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let model = Model { states: vec![Rows::new()], ..Model::default() };
        World {
            root: folder.path().to_owned(),
            disk: SimDisk::over(folder.path()),
            model: Arc::new(Mutex::new(model)),
            db: None,
            _folder: Some(folder),
        }
    }

    /// Another world, whose disk durably holds what this one's files are now.
    pub(super) fn copy(&self) -> World {
        let other = World::new();
        copy_folder(&self.root, &other.root);
        other.over(&self.model())
    }

    /// Another world: this one after a power failure.
    pub(super) fn after_crash(&self, seed: u64) -> World {
        let other = World::new();
        self.disk.crash(seed, &self.root, &other.root);
        other.over(&self.model())
    }

    fn over(mut self, model: &Model) -> World {
        self.disk = SimDisk::over(&self.root);
        *self.model() = Model { states: model.states.clone(), ..*model };
        self
    }

    pub(super) fn dir(&self) -> PathBuf {
        self.root.join("d")
    }

    pub(super) fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn create(&mut self, recovery_model: RecoveryModel) -> Result<(), StoreError> {
        let options = CreateOptions { recovery_model, ..CreateOptions::default() };
        let db = Database::create_with(Arc::new(self.disk.clone()), &self.dir(), options, SEGMENT)?;
        self.db = Some(Arc::new(db));
        self.model().created = true;
        Ok(())
    }

    pub(super) fn open(&mut self) -> Result<(), StoreError> {
        self.db = None;
        let db = Database::open_with(Arc::new(self.disk.clone()), &self.dir(), SEGMENT)?;
        self.db = Some(Arc::new(db));
        Ok(())
    }

    pub(super) fn db(&self) -> &Database {
        self.db.as_ref().unwrap()
    }

    pub(super) fn session(&self) -> Result<Session, StoreError> {
        Session::new(Arc::clone(self.db.as_ref().unwrap()), Arc::clone(&self.model))
    }

    /// The database, which is open, is what the model says: after some commit from the last one that was reported as done
    /// to the last one that was tried. The model goes on from there.
    pub(super) fn check(&self, context: &str) {
        let session = self.session().unwrap_or_else(|e| panic!("{context}: {e}"));
        let n = session.commit_number().unwrap_or_else(|e| panic!("{context}: {e}"));
        let mut model = self.model();
        assert!(
            (model.acked..model.states.len()).contains(&n),
            "{context}: the database holds commit {n}, {} were reported as done and {} tried",
            model.acked,
            model.states.len() - 1
        );
        if n > 0 {
            let rows = session.rows();
            assert!(rows == model.states[n], "{context}: the rows are not those of commit {n}");
        }
        model.states.truncate(n + 1);
        model.acked = n;
        drop(model);
        let sound: String = session.conn.query_row("PRAGMA integrity_check", [], |r| r.get(0)).unwrap();
        assert_eq!(sound, "ok", "{context}");
        self.db().verify().unwrap_or_else(|e| panic!("{context}: {e}"));
    }

    /// The log is whole from its oldest segment to its end: not only recovery reads it, log backups do, too.
    fn check_log(&self, context: &str) {
        let disk: Arc<dyn crate::Disk> = Arc::new(self.disk.clone());
        let control = crate::control::Control::load(&disk, &self.dir()).unwrap();
        let oldest = crate::log::segments(&disk, &self.dir()).unwrap()[0];
        let end = self.db().hardened_lsn();
        let read = crate::replay::replay(&disk, &self.dir(), oldest, end, &control.history(end), |_| Ok(()));
        assert_eq!(read.map(|r| r.end), Ok(end), "{context}: the log from {oldest} on");
    }

    /// Opens it without failures and checks it. A database whose creation was never reported may not be there.
    pub(super) fn open_and_check(&mut self, context: &str) {
        match self.open() {
            Ok(()) => self.check(context),
            Err(StoreError::Io(_)) if !self.model().created => {}
            Err(e) => panic!("{context}: {e}"),
        }
    }
}

pub(super) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

/// A connection that commits to the database and to the model.
pub(super) struct Session {
    db: Arc<Database>,
    pub(super) conn: Connection,
    model: Arc<Mutex<Model>>,
}

impl Session {
    fn new(db: Arc<Database>, model: Arc<Mutex<Model>>) -> Result<Session, StoreError> {
        let conn = db.connect()?;
        // Small, so that larger transactions spill.
        conn.execute_batch("PRAGMA cache_size=20").map_err(|e| failed(&e))?;
        Ok(Session { db, conn, model })
    }

    /// Begins to read, and goes on until the session commits or ends.
    pub(super) fn read(&self) -> Result<(), StoreError> {
        self.conn.execute_batch("BEGIN; SELECT count(*) FROM t").map_err(|e| failed(&e))
    }

    fn commit_number(&self) -> rusqlite::Result<usize> {
        let tables: i64 =
            self.conn.query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'n'", [], |r| r.get(0))?;
        if tables == 0 {
            return Ok(0);
        }
        let n: Option<i64> = self.conn.query_row("SELECT n FROM n", [], |r| r.get(0)).optional()?;
        Ok(n.unwrap_or(0) as usize)
    }

    fn rows(&self) -> Rows {
        let mut statement = self.conn.prepare("SELECT k, v FROM t").unwrap();
        let rows = statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
        rows.collect::<rusqlite::Result<Rows>>().unwrap()
    }

    /// Commits and waits until it is durable.
    pub(super) fn commit(&self, ops: &[Op]) -> Result<(), StoreError> {
        let (n, lsn) = self.commit_only(ops)?;
        self.db.wait_hardened(lsn)?;
        let mut model = self.model.lock().unwrap();
        model.acked = model.acked.max(n);
        Ok(())
    }

    /// Commits; the caller holds the write lock. The commit's number and the position to wait for.
    pub(super) fn commit_only(&self, ops: &[Op]) -> Result<(usize, crate::Lsn), StoreError> {
        let (n, mut rows) = {
            let model = self.model.lock().unwrap();
            (model.states.len(), model.states.last().unwrap().clone())
        };
        let begun = self
            .change(n, ops, &mut rows)
            .map_err(|e| failed(&e))
            .and_then(|()| self.db.begin_commit(&self.conn, "main"));
        let pending = match begun {
            Ok(pending) => pending,
            Err(e) => {
                self.undo();
                return Err(e);
            }
        };
        self.model.lock().unwrap().states.push(rows);
        if let Err(e) = self.conn.execute_batch("COMMIT") {
            pending.abort()?;
            // It was not done: it must not be there later.
            self.model.lock().unwrap().states.pop();
            self.undo();
            return Err(failed(&e));
        }
        Ok((n, pending.finish(crate::CommitNote::default())?))
    }

    fn undo(&self) {
        if !self.conn.is_autocommit() {
            // SQLite may have rolled back by itself, or cannot even that; the connection is given up then.
            let _undone = self.conn.execute_batch("ROLLBACK");
        }
    }

    fn change(&self, n: usize, ops: &[Op], rows: &mut Rows) -> rusqlite::Result<()> {
        let run = |sql: &str| self.conn.execute_batch(sql);
        run("BEGIN")?;
        if n == 1 {
            run("CREATE TABLE t(k INTEGER PRIMARY KEY, v BLOB); CREATE INDEX i ON t(substr(v, 1, 9));
                 CREATE TABLE n(n INTEGER); INSERT INTO n VALUES(0)")?;
        }
        for op in ops {
            match op {
                Op::Put(k, v) => {
                    self.conn.execute("INSERT OR REPLACE INTO t VALUES(?1, ?2)", (k, v))?;
                    rows.insert(*k, v.clone());
                }
                Op::Delete(k) => {
                    self.conn.execute("DELETE FROM t WHERE k = ?1", [k])?;
                    rows.remove(k);
                }
                Op::Scratch(bytes) => {
                    run(&format!(
                        "CREATE TABLE scratch(v); INSERT INTO scratch VALUES(randomblob({bytes})); DROP TABLE scratch"
                    ))?;
                }
            }
        }
        self.conn.execute("UPDATE n SET n = ?1", [n as i64]).map(|_| ())
    }

    /// A large transaction that is rolled back, having spilled into SQLite's WAL.
    pub(super) fn roll_back(&self, dice: &mut Dice) -> Result<(), StoreError> {
        let mut fill = || {
            self.conn.execute_batch("BEGIN")?;
            (0..30).try_for_each(|k| {
                let row = (k, noise(dice, 3000));
                self.conn.execute("INSERT OR REPLACE INTO t VALUES(?1, ?2)", row).map(|_| ())
            })
        };
        let filled = fill();
        self.undo();
        filled.map_err(|e| failed(&e))
    }
}

fn failed(e: &rusqlite::Error) -> StoreError {
    StoreError::sqlite("the test", e)
}

/// Bytes that do not compress.
pub(super) fn noise(dice: &mut Dice, len: usize) -> Vec<u8> {
    let mut out: Vec<u8> = (0..len.div_ceil(8)).flat_map(|_| dice.next().to_le_bytes()).collect();
    out.truncate(len);
    out
}

/// What is tried, and what it starts from.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) prepare: fn(&mut World),
    pub(super) run: fn(&mut World) -> Result<(), StoreError>,
    /// Nothing cuts the log: it must be whole ever after, for log backups.
    pub(super) whole_log: bool,
    /// A run that does less has tested nothing.
    pub(super) operations_min: u64,
}

/// How many crash images are made after each fault; MILINK_CRASH_SEEDS asks for more.
fn seeds() -> u64 {
    std::env::var("MILINK_CRASH_SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(2)
}

impl Scenario {
    /// Fails the k-th operation for every k until nothing fails any more, once and from there on, and crashes after it.
    pub(super) fn drive(&self) {
        let mut base = World::new();
        (self.prepare)(&mut base);
        base.db = None;
        let (mut faults, mut images, mut operations) = (0, 0, 0);
        let mut sites = BTreeMap::new();
        for once in [true, false] {
            for k in 0.. {
                let kind = [ErrorKind::Other, ErrorKind::StorageFull][((k + u64::from(once)) % 2) as usize];
                let context = format!(
                    "{}, operation {k} fails {}, {kind}",
                    self.name,
                    if once { "once" } else { "and all later ones" }
                );
                let mut world = base.copy();
                if base.model().created {
                    world.open().unwrap();
                }
                world.disk.arm(if once { Faults::Once(k) } else { Faults::From(k) }, kind, k);
                let outcome = (self.run)(&mut world);
                let (done, hits) = world.disk.counts();
                for (site, n) in world.disk.failed_sites() {
                    *sites.entry(site).or_insert(0) += n;
                }
                faults += hits;
                let context = format!("{context} ({:?})", world.disk.failed_sites().keys().next());
                world.disk.disarm();
                for seed in 0..seeds() {
                    // The kinds of damage take turns: see `SimDisk::crash`.
                    let seed = seed + k + seed / 4 * 1000;
                    images += 1;
                    let context = format!("{context}, crash {seed}");
                    let mut after = world.after_crash(seed);
                    after.open_and_check(&context);
                    if seed % 3 == 0 && after.db.is_some() {
                        self.go_on(&mut after, &context, seed + 1);
                    }
                }
                if hits == 0 {
                    assert!(outcome.is_ok(), "{context}: {outcome:?} without a fault");
                    operations = operations.max(done);
                    break;
                }
                // The same disk again, in the same process: what could not be synced is in memory still.
                let context = format!("{context}, opened again");
                world.open_and_check(&context);
                if world.db.is_some() {
                    self.go_on(&mut world, &context, k);
                }
            }
        }
        println!("{}: {operations} operations, {faults} faults, {images} crashes; {sites:?}", self.name);
        assert!(operations >= self.operations_min, "{}: only {operations} operations", self.name);
        // Each operation failed in a run of its own, once and with all later ones.
        assert!(faults >= 2 * self.operations_min, "{}: only {faults} faults", self.name);
    }

    /// The database is of use, and its next commits survive the next crash.
    fn go_on(&self, world: &mut World, context: &str, seed: u64) {
        let session = world.session().unwrap();
        let mut dice = Dice::new(seed);
        for k in 0..2 {
            let went = session.commit(&[Op::Put(500 + k, noise(&mut dice, 700))]);
            went.unwrap_or_else(|e| panic!("{context}, going on: {e}"));
        }
        if self.whole_log {
            let mut after = world.after_crash(seed);
            after.open().unwrap();
            after.check_log(context);
        } else if seed.is_multiple_of(2) {
            world.db().checkpoint().unwrap_or_else(|e| panic!("{context}, going on: {e}"));
            session.commit(&[Op::Put(502, noise(&mut dice, 70))]).unwrap();
        }
        let context = format!("{context}, going on, crash {seed}");
        world.after_crash(seed).open_and_check(&context);
    }
}
