//! What was backed up comes back; what was damaged does not.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;
use rusqlite::Connection;

use super::format::{
    BLOCK_HEADER, BlockKind, decode_content, decode_head, decode_json, encode_block, encode_json,
};
use super::*;

use crate::{CreateOptions, Database, Disk, ForkId, ForkPoint, Lsn, RealDisk, RecoveryModel, StoreError};

fn disk() -> Arc<dyn Disk> {
    Arc::new(RealDisk)
}

fn on(_: u64, _: u64) -> bool {
    true
}

/// Small, so that a log has many segments.
const SEGMENT: u64 = 256 << 10;

struct Lab {
    folder: tempfile::TempDir,
    db: Option<Database>,
}

impl Lab {
    fn new() -> Lab {
        let folder = tempfile::tempdir().unwrap();
        let options = CreateOptions { recovery_model: RecoveryModel::Full, ..CreateOptions::default() };
        let db = Database::create_with(disk(), &folder.path().join("d"), options, SEGMENT).unwrap();
        let lab = Lab { folder, db: Some(db) };
        lab.run("CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT)");
        lab
    }

    fn db(&self) -> &Database {
        self.db.as_ref().unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, sql: &str) -> Lsn {
        run(self.db(), sql)
    }

    fn insert(&self, rows: std::ops::Range<u32>) {
        for n in rows {
            self.run(&format!("INSERT INTO t(b) VALUES('row {n} ' || hex(randomblob(200)))"));
        }
    }

    fn backup(&self, name: &str, kind: BackupKind) -> BackupReport {
        self.db().backup(&self.path(name), &options(kind), &mut on).unwrap()
    }

    fn reopen(&mut self) {
        self.db = None;
        self.db = Some(Database::open_with(disk(), &self.path("d"), SEGMENT).unwrap());
    }

    fn restore(&self, backup: &str, dir: &str) -> Result<(), BackupError> {
        let media = Media::open(&disk(), &self.path(backup))?;
        restore_full(&disk(), &self.path(dir), &media, &media.set(1)?, &mut on)
    }

    fn restore_log(&self, backup: &str, dir: &str, stop_at: Option<i64>) -> Result<LogRestored, BackupError> {
        let media = Media::open(&disk(), &self.path(backup))?;
        restore_log(&disk(), &self.path(dir), &media, &media.set(1)?, stop_at, &mut on)
    }

    fn recover(&self, dir: &str) -> Database {
        recover(&disk(), &self.path(dir)).unwrap();
        Database::open(disk(), &self.path(dir)).unwrap()
    }
}

fn run(db: &Database, sql: &str) -> Lsn {
    let conn = db.connect().unwrap();
    conn.execute_batch("BEGIN").unwrap();
    conn.execute_batch(sql).unwrap();
    let pending = db.begin_commit(&conn, "main").unwrap();
    conn.execute_batch("COMMIT").unwrap();
    let lsn = pending.finish(crate::CommitNote::default()).unwrap();
    db.wait_hardened(lsn).unwrap();
    lsn
}

fn options(kind: BackupKind) -> BackupOptions {
    BackupOptions {
        kind,
        target: Target::Format,
        copy_only: false,
        compress: false,
        checksums: true,
        database_name: "d".to_owned(),
        server_name: "LAB".to_owned(),
        user_name: "sa".to_owned(),
        name: None,
        description: None,
        attributes: String::new(),
    }
}

fn content(conn: &Connection) -> Vec<(i64, String)> {
    let mut statement = conn.prepare("SELECT a, b FROM t ORDER BY a").unwrap();
    statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).unwrap().map(Result::unwrap).collect()
}

fn assert_same(db: &Database, copy: &Database) {
    assert_eq!(content(&db.connect().unwrap()), content(&copy.connect().unwrap()));
    assert_eq!(db.stats().checksum, copy.stats().checksum, "the same at the same LSN");
    assert_eq!(db.stats().end, copy.stats().end);
    let check: String =
        copy.connect().unwrap().query_row("PRAGMA integrity_check", [], |r| r.get(0)).unwrap();
    assert_eq!(check, "ok");
}

#[test]
fn a_chain_of_backups_gives_the_database_back_at_every_link() {
    let mut lab = Lab::new();
    lab.insert(0..60);
    lab.backup("full", BackupKind::Full);
    let mut links = Vec::new();
    for link in 0..4 {
        lab.insert(0..40);
        if link == 1 {
            assert!(lab.db().checkpoint().unwrap().completed);
        }
        if link == 2 {
            lab.run("DELETE FROM t WHERE a % 2 = 0");
            lab.reopen();
        }
        lab.run("UPDATE t SET b = b || 'x' WHERE a % 7 = 0");
        lab.backup(&format!("log{link}"), BackupKind::Log);
        links.push((content(&lab.db().connect().unwrap()), lab.db().stats().checksum, lab.db().stats().end));
    }
    for (upto, (rows, checksum, end)) in links.iter().enumerate() {
        let dir = format!("copy{upto}");
        lab.restore("full", &dir).unwrap();
        for link in 0..=upto {
            lab.restore_log(&format!("log{link}"), &dir, None).unwrap();
        }
        let copy = lab.recover(&dir);
        assert_eq!(&content(&copy.connect().unwrap()), rows);
        assert_eq!((copy.stats().checksum, copy.stats().end), (*checksum, *end));
        run(&copy, "INSERT INTO t(b) VALUES('on a fork of its own')");
        drop(copy);
        let copy = Database::open(disk(), &lab.path(&dir)).unwrap();
        assert_eq!(content(&copy.connect().unwrap()).len(), rows.len() + 1);
        let (use_there, use_here) = (copy.log_use().unwrap(), lab.db().log_use().unwrap());
        assert_eq!(use_there.first_fork, use_here.first_fork);
        assert_ne!(use_there.fork, use_here.fork);
        assert_eq!(use_there.fork_point, Some(*end));
    }
}

#[test]
fn a_backup_is_consistent_while_a_writer_commits() {
    let lab = Lab::new();
    lab.insert(0..300);
    let stop = AtomicBool::new(false);
    let sets = std::thread::scope(|s| {
        let writer = s.spawn(|| {
            let mut commits = 0;
            while !stop.load(Ordering::Relaxed) {
                // Two rows that must never be seen apart.
                lab.run("INSERT INTO t(b) VALUES('pair'); INSERT INTO t(b) VALUES('pair');");
                if commits % 20 == 10 {
                    lab.db().checkpoint().unwrap();
                }
                commits += 1;
            }
            commits
        });
        let mut sets = Vec::new();
        for n in 0..5 {
            let before = lab.db().stats().commits;
            sets.push(lab.backup(&format!("full{n}"), BackupKind::Full));
            sets.push(lab.backup(&format!("log{n}"), BackupKind::Log));
            while lab.db().stats().commits < before + 5 {
                std::thread::yield_now();
            }
        }
        stop.store(true, Ordering::Relaxed);
        assert!(writer.join().unwrap() > 20);
        sets
    });
    lab.backup("tail", BackupKind::Log);
    assert!(sets.iter().all(|s| s.header.first_lsn <= s.header.last_lsn));
    for n in 0..5 {
        let dir = format!("copy{n}");
        lab.restore(&format!("full{n}"), &dir).unwrap();
        for link in n..5 {
            lab.restore_log(&format!("log{link}"), &dir, None).unwrap();
        }
        lab.restore_log("tail", &dir, None).unwrap();
        let copy = lab.recover(&dir);
        assert_same(lab.db(), &copy);
        let odd: i64 = copy
            .connect()
            .unwrap()
            .query_row("SELECT count(*) % 2 FROM t WHERE b = 'pair'", [], |r| r.get(0))
            .unwrap();
        assert_eq!(odd, 0);
    }
}

#[test]
fn a_damaged_device_is_refused_and_changes_nothing() {
    let lab = Lab::new();
    lab.insert(0..40);
    let full = BackupOptions { compress: true, ..options(BackupKind::Full) };
    lab.db().backup(&lab.path("full"), &full, &mut on).unwrap();
    lab.insert(0..40);
    lab.backup("log", BackupKind::Log);
    lab.restore("full", "restoring").unwrap();
    let at = restored_lsn(&disk(), &lab.path("restoring")).unwrap();
    let attempt = |kind: &str, path: &Path| -> Result<(), BackupError> {
        let media = Media::open(&disk(), path)?;
        let set = media.set(1)?;
        verify_set(&media, &set, &mut on)?;
        // What VERIFYONLY lets pass, RESTORE must be able to use.
        if kind == "log" {
            restore_log(&disk(), &lab.path("restoring"), &media, &set, None, &mut on)?;
            panic!("a damaged log backup was restored");
        }
        restore_full(&disk(), &lab.path("scratch"), &media, &set, &mut on)?;
        panic!("a damaged full backup was restored");
    };
    let mut refused = 0;
    for kind in ["full", "log"] {
        let good = std::fs::read(lab.path(kind)).unwrap();
        let bad = lab.path("bad");
        for at in (0..good.len()).step_by(good.len() / 97 + 1) {
            let mut bytes = good.clone();
            bytes[at] ^= 1 << (at % 8);
            std::fs::write(&bad, &bytes).unwrap();
            attempt(kind, &bad).unwrap_err();
            std::fs::write(&bad, &good[..at]).unwrap();
            attempt(kind, &bad).unwrap_err();
            // RESTORE alone refuses the same.
            std::fs::write(&bad, &bytes).unwrap();
            let media = Media::open(&disk(), &bad);
            if let Ok((media, set)) = media.and_then(|m| m.set(1).map(|s| (m, s))) {
                let restored = if kind == "log" {
                    restore_log(&disk(), &lab.path("restoring"), &media, &set, None, &mut on).map(|_| ())
                } else {
                    restore_full(&disk(), &lab.path("scratch"), &media, &set, &mut on)
                };
                restored.unwrap_err();
            }
            refused += 3;
        }
    }
    assert!(refused > 300);
    assert_eq!(restored_lsn(&disk(), &lab.path("restoring")).unwrap(), at, "nothing has changed");
    assert!(matches!(restored_lsn(&disk(), &lab.path("scratch")), Err(BackupError::NotRestoring)));
    lab.restore_log("log", "restoring", None).unwrap();
    assert_same(lab.db(), &lab.recover("restoring"));
}

#[test]
fn several_backups_share_a_device_until_it_is_overwritten() {
    let lab = Lab::new();
    let append = |kind| BackupOptions { target: Target::Append, ..options(kind) };
    for (n, kind) in [BackupKind::Full, BackupKind::Log, BackupKind::Full].into_iter().enumerate() {
        lab.insert(0..10);
        let report = lab.db().backup(&lab.path("device"), &append(kind), &mut on).unwrap();
        assert_eq!(report.header.position, n as u32 + 1);
    }
    let media = Media::open(&disk(), &lab.path("device")).unwrap();
    let listing = media.list().unwrap();
    assert_eq!(
        listing.sets.iter().map(|s| s.header.kind).collect::<Vec<_>>(),
        [BackupKind::Full, BackupKind::Log, BackupKind::Full]
    );
    assert_eq!(listing.fault, None);
    assert_eq!(media.set(4), Err(BackupError::NoSuchSet(4)));
    // A backup that is cancelled leaves the device as it was.
    let before = std::fs::read(lab.path("device")).unwrap();
    for target in [Target::Append, Target::Init, Target::Format] {
        let cancelled = BackupOptions { target, ..options(BackupKind::Full) };
        assert_eq!(
            lab.db().backup(&lab.path("device"), &cancelled, &mut |done, _| done < 3),
            Err(BackupError::Cancelled)
        );
        assert_eq!(std::fs::read(lab.path("device")).unwrap(), before);
    }
    assert_eq!(std::fs::read_dir(lab.folder.path()).unwrap().count(), 2, "no temporary file is left");
    // Nothing is added behind a backup that is cut off.
    std::fs::write(lab.path("device"), &before[..before.len() - 5]).unwrap();
    assert_eq!(
        lab.db().backup(&lab.path("device"), &append(BackupKind::Log), &mut on),
        Err(BackupError::DamagedTail)
    );
    // INIT takes the place of a device, FORMAT of anything.
    let init = BackupOptions { target: Target::Init, ..options(BackupKind::Full) };
    lab.db().backup(&lab.path("device"), &init, &mut on).unwrap();
    std::fs::write(lab.path("letter"), "Dear Sir or Madam").unwrap();
    assert_eq!(lab.db().backup(&lab.path("letter"), &init, &mut on), Err(BackupError::NotMedia));
    lab.backup("letter", BackupKind::Full);
    assert_eq!(Media::open(&disk(), &lab.path("device")).unwrap().list().unwrap().sets.len(), 1);
}

#[test]
fn the_log_is_kept_from_the_first_full_backup_until_it_is_backed_up() {
    let mut lab = Lab::new();
    let segments = |lab: &Lab| crate::log::segments(&disk(), &lab.path("d")).unwrap();
    let fill = |lab: &mut Lab| {
        for _ in 0..3 {
            lab.run("INSERT INTO t(b) VALUES(hex(randomblob(1500000)))");
            assert!(lab.db().checkpoint().unwrap().completed);
        }
    };
    fill(&mut lab);
    let kept = segments(&lab).len();
    assert!(kept <= 2, "before a full backup a checkpoint lets the log go: {kept}");
    let log = options(BackupKind::Log);
    assert_eq!(lab.db().backup(&lab.path("x"), &log, &mut on), Err(BackupError::NoFullBackup));
    let copy = BackupOptions { copy_only: true, ..options(BackupKind::Full) };
    lab.db().backup(&lab.path("copy"), &copy, &mut on).unwrap();
    assert_eq!(lab.db().backup(&lab.path("x"), &log, &mut on), Err(BackupError::NoFullBackup));
    lab.backup("full", BackupKind::Full);
    assert!(!lab.db().log_use().unwrap().waits_for_backup());
    fill(&mut lab);
    lab.reopen();
    fill(&mut lab);
    assert!(lab.db().log_use().unwrap().waits_for_backup());
    let kept = segments(&lab).len();
    assert!(kept > 5, "the log is kept: {kept}");
    let copy = BackupOptions { copy_only: true, ..options(BackupKind::Log) };
    lab.db().backup(&lab.path("copy"), &copy, &mut on).unwrap();
    assert_eq!(segments(&lab).len(), kept, "a copy-only backup lets nothing go");
    lab.backup("log", BackupKind::Log);
    assert!(segments(&lab).len() < kept);
    lab.restore("full", "r").unwrap();
    lab.restore_log("log", "r", None).unwrap();
    assert_same(lab.db(), &lab.recover("r"));
    lab.db().set_recovery_model(RecoveryModel::Simple).unwrap();
    assert_eq!(lab.db().backup(&lab.path("x"), &log, &mut on), Err(BackupError::SimpleModel));
    lab.db().set_recovery_model(RecoveryModel::Full).unwrap();
    assert_eq!(lab.db().backup(&lab.path("x"), &log, &mut on), Err(BackupError::NoFullBackup));
}

#[test]
fn a_gap_and_another_fork_are_refused() {
    let lab = Lab::new();
    lab.insert(0..5);
    lab.backup("full", BackupKind::Full);
    for link in 0..3 {
        lab.insert(0..5);
        lab.backup(&format!("log{link}"), BackupKind::Log);
    }
    lab.restore("full", "a").unwrap();
    assert!(matches!(lab.restore_log("log1", "a", None), Err(BackupError::TooLate { .. })));
    lab.restore_log("log0", "a", None).unwrap();
    lab.restore_log("log0", "a", None).expect("the same once more brings nothing new");
    lab.restore_log("log1", "a", None).unwrap();
    assert!(matches!(lab.restore_log("log0", "a", None), Err(BackupError::TooEarly { .. })));
    let forked = lab.recover("a");
    run(&forked, "INSERT INTO t(b) VALUES('elsewhere')");
    forked.backup(&lab.path("fork"), &options(BackupKind::Log), &mut on).unwrap();
    // Its log goes on where the fork began, and not behind that on the old fork.
    lab.restore("full", "b").unwrap();
    lab.restore_log("log0", "b", None).unwrap();
    lab.restore_log("log1", "b", None).unwrap();
    lab.restore_log("log2", "b", None).unwrap();
    assert_eq!(lab.restore_log("fork", "b", None), Err(BackupError::OtherFork));
    lab.restore("full", "c").unwrap();
    lab.restore_log("log0", "c", None).unwrap();
    lab.restore_log("log1", "c", None).unwrap();
    lab.restore_log("fork", "c", None).unwrap();
    assert_eq!(lab.restore_log("log2", "c", None), Err(BackupError::OtherFork));
    assert_same(&forked, &lab.recover("c"));
}

/// Waits until the clock has gone on.
fn later(than: i64) -> i64 {
    std::iter::repeat_with(crate::capture::now).find(|now| *now > than).unwrap()
}

#[test]
fn a_restore_stops_at_a_point_in_time() {
    let lab = Lab::new();
    let full = lab.backup("full", BackupKind::Full);
    lab.insert(0..5);
    let stop = later(crate::capture::now());
    later(stop);
    lab.insert(0..5);
    lab.backup("log", BackupKind::Log);
    lab.restore("full", "r").unwrap();
    let early = lab.restore_log("log", "r", Some(full.header.started - 1));
    assert_eq!(early, Err(BackupError::StopTooEarly));
    assert!(lab.restore_log("log", "r", Some(stop)).unwrap().stopped);
    assert_eq!(content(&lab.recover("r").connect().unwrap()).len(), 5);
    lab.restore("full", "s").unwrap();
    assert!(!lab.restore_log("log", "s", Some(i64::MAX)).unwrap().stopped);
}

#[test]
fn recovery_that_is_broken_off_anywhere_can_be_done_again() {
    let lab = Lab::new();
    lab.insert(0..50);
    lab.backup("full", BackupKind::Full);
    lab.insert(0..50);
    lab.backup("log", BackupKind::Log);
    let mut broken = 0;
    for k in 0.. {
        let dir = format!("r{k}");
        lab.restore("full", &dir).unwrap();
        lab.restore_log("log", &dir, None).unwrap();
        let failing: Arc<dyn Disk> = failing::disk(k);
        let done = recover(&failing, &lab.path(&dir)).is_ok();
        assert_same(lab.db(), &lab.recover(&dir));
        std::fs::remove_dir_all(lab.path(&dir)).unwrap();
        if done {
            break;
        }
        broken += 1;
    }
    assert!(broken > 20, "{broken} places were tried");
}

#[test]
fn a_backup_that_fails_anywhere_leaves_a_device_and_a_chain_of_use() {
    for target in [Target::Append, Target::Init] {
        let mut lab = Lab::new();
        lab.insert(0..30);
        lab.backup("device", BackupKind::Full);
        lab.db = None;
        let mut failed = 0;
        for k in 0.. {
            let failing = failing::disk(i64::MAX);
            let under_test: Arc<dyn Disk> = Arc::<failing::FailingDisk>::clone(&failing);
            lab.db = Some(Database::open(under_test, &lab.path("d")).unwrap());
            lab.run("INSERT INTO t(b) VALUES('more')");
            let asked = BackupOptions { target, ..options(BackupKind::Log) };
            std::fs::copy(lab.path("device"), lab.path("log")).unwrap();
            failing.set(k);
            let done = lab.db().backup(&lab.path("log"), &asked, &mut on);
            failing.set(i64::MAX);
            // All that came before is still there, or the new one in its place.
            let media = Media::open(&disk(), &lab.path("log")).unwrap();
            let listing = media.list().unwrap();
            let first = listing.sets.first().unwrap();
            verify_set(&media, first, &mut on).unwrap();
            lab.reopen();
            lab.backup("next", BackupKind::Log);
            if done.is_ok() {
                break;
            }
            failed += 1;
        }
        assert!(failed > 5, "{failed} places were tried");
        // No log was let go that no backup holds: the last backup follows on all the others.
        let next = Media::open(&disk(), &lab.path("next")).unwrap().set(1).unwrap();
        assert_eq!(next.header.last_lsn, lab.db().stats().end);
    }
}

/// A disk that works `k` times and not again.
mod failing {
    use std::io;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use crate::{Disk, DiskFile, RealDisk};

    #[derive(Clone)]
    struct Left(Arc<AtomicI64>);

    impl FailingDisk {
        /// Works `k` times more.
        pub(super) fn set(&self, k: i64) {
            self.0.0.store(k, Ordering::SeqCst);
        }
    }

    impl Left {
        fn one(&self) -> io::Result<()> {
            if self.0.fetch_sub(1, Ordering::SeqCst) > 0 { Ok(()) } else { Err(io::Error::other("injected")) }
        }
    }

    pub(super) struct FailingDisk(Left);
    struct FailingFile(Arc<dyn DiskFile>, Left);

    pub(super) fn disk(k: i64) -> Arc<FailingDisk> {
        Arc::new(FailingDisk(Left(Arc::new(AtomicI64::new(k)))))
    }

    impl DiskFile for FailingFile {
        fn read_at(&self, site: &'static str, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read_at(site, offset, buffer)
        }
        fn write_at(&self, site: &'static str, offset: u64, bytes: &[u8]) -> io::Result<()> {
            self.1.one()?;
            self.0.write_at(site, offset, bytes)
        }
        fn sync(&self, site: &'static str) -> io::Result<()> {
            self.1.one()?;
            self.0.sync(site)
        }
        fn set_len(&self, site: &'static str, len: u64) -> io::Result<()> {
            self.1.one()?;
            self.0.set_len(site, len)
        }
        fn len(&self, site: &'static str) -> io::Result<u64> {
            self.0.len(site)
        }
    }

    impl Disk for FailingDisk {
        fn open(&self, site: &'static str, path: &Path, create: bool) -> io::Result<Arc<dyn DiskFile>> {
            Ok(Arc::new(FailingFile(RealDisk.open(site, path, create)?, self.0.clone())))
        }
        fn rename(&self, site: &'static str, from: &Path, to: &Path) -> io::Result<()> {
            self.0.one()?;
            RealDisk.rename(site, from, to)
        }
        fn remove(&self, site: &'static str, path: &Path) -> io::Result<()> {
            self.0.one()?;
            RealDisk.remove(site, path)
        }
        fn sync_dir(&self, site: &'static str, path: &Path) -> io::Result<()> {
            self.0.one()?;
            RealDisk.sync_dir(site, path)
        }
        fn list(&self, site: &'static str, path: &Path) -> io::Result<Vec<PathBuf>> {
            RealDisk.list(site, path)
        }
        fn make_dir(&self, site: &'static str, path: &Path) -> io::Result<()> {
            self.0.one()?;
            RealDisk.make_dir(site, path)
        }
    }
}

#[test]
fn the_tail_of_the_log_leaves_the_database_restoring() {
    let mut lab = Lab::new();
    lab.backup("full", BackupKind::Full);
    lab.insert(0..10);
    lab.restore("full", "standby").unwrap();
    let end = lab.db().shut("the tail of the log is backed up").unwrap();
    assert!(matches!(
        lab.db().begin_commit(&lab.db().connect().unwrap(), "main").map(|p| p.abort()),
        Err(StoreError::Failed(_))
    ));
    lab.backup("tail", BackupKind::Log);
    lab.db = None;
    assert_eq!(leave_restoring(&disk(), &lab.path("d")).unwrap(), end);
    lab.restore_log("tail", "standby", None).unwrap();
    let standby = lab.recover("standby");
    run(&standby, "INSERT INTO t(b) VALUES('after the switch')");
    standby.backup(&lab.path("back"), &options(BackupKind::Log), &mut on).unwrap();
    lab.restore_log("back", "d", None).unwrap();
    assert_same(&standby, &lab.recover("d"));
}

fn header_of(name: String, lsns: (u64, u64), forks: Vec<u8>) -> SetHeader {
    SetHeader {
        format: 1,
        set: [9; 16],
        position: 3,
        kind: BackupKind::Log,
        copy_only: true,
        compressed: false,
        checksums: true,
        first_lsn: Lsn(lsns.0),
        last_lsn: Lsn(lsns.1),
        checkpoint_lsn: Lsn(0),
        database_backup_lsn: Some(Lsn(lsns.1)),
        fork: ForkId([1; 16]),
        forks: forks.into_iter().map(|f| ForkPoint { fork: ForkId([f; 16]), end: Lsn(lsns.0) }).collect(),
        page_size: 4096,
        pages: Some(PagesFacts { database_pages: 7, checksum: u64::MAX }),
        recovery_model: RecoveryModel::BulkLogged,
        started: -5,
        database_name: name.clone(),
        server_name: "LAB".to_owned(),
        user_name: "sa".to_owned(),
        name: Some(name),
        description: None,
        attributes: "{}".to_owned(),
    }
}

proptest! {
    #[test]
    fn a_block_survives_its_bytes(content in prop::collection::vec(0_u8..4, 0..3000), number: u32, compress: bool) {
        let bytes = encode_block(BlockKind::Log, number, &content, compress);
        let (head_bytes, stored) = bytes.split_at(BLOCK_HEADER);
        let head = decode_head(head_bytes).unwrap();
        prop_assert_eq!((head.kind, head.number, head.stored), (BlockKind::Log, number, stored.len()));
        prop_assert_eq!(decode_content(head_bytes, &head, stored).unwrap(), content);
    }

    #[test]
    fn a_damaged_block_is_no_block(content in prop::collection::vec(any::<u8>(), 1..300), at: usize, bit in 0_u8..8) {
        let mut bytes = encode_block(BlockKind::Pages, 1, &content, true);
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        let (head_bytes, stored) = bytes.split_at(BLOCK_HEADER);
        let whole = decode_head(head_bytes).and_then(|h| decode_content(head_bytes, &h, stored));
        prop_assert_eq!(whole, None);
    }

    #[test]
    fn headers_survive_their_bytes(name: String, lsns: (u64, u64), forks in prop::collection::vec(any::<u8>(), 0..4), media: [u8; 16], time: i64) {
        let header = header_of(name, lsns, forks);
        prop_assert_eq!(decode_json::<SetHeader>(&encode_json(&header)), Some(header));
        let media = MediaHeader { set: media, family: [4; 16], formatted: time };
        prop_assert_eq!(MediaHeader::decode(&media.encode()), Ok(media));
    }

    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _noise = (decode_head(&bytes), MediaHeader::decode(&bytes), decode_json::<SetHeader>(&bytes));
    }
}

/// Log goes from one database to the other until it has it all.
fn ship(from: &Database, to: &Database) {
    loop {
        let block = from.read_block(to.end_lsn(), 1 << 20).unwrap();
        if block.bytes.is_empty() {
            return;
        }
        let end = to.receive(&block.bytes).unwrap();
        to.wait_hardened(end).unwrap();
        while to.redo(1 << 20).unwrap().records > 0 {}
    }
}

#[test]
fn what_was_restored_joins_as_a_secondary() {
    let lab = Lab::new();
    lab.insert(0..50);
    lab.backup("full", BackupKind::Full);
    lab.insert(50..90);
    lab.backup("log", BackupKind::Log);
    lab.insert(90..100);
    lab.restore("full", "s").unwrap();
    lab.restore_log("log", "s", None).unwrap();
    let dir = lab.path("s");
    join_restored(&disk(), &dir).unwrap();
    join_restored(&disk(), &dir).unwrap();
    let open = || Database::open(disk(), &dir).unwrap();
    let control = std::fs::read(dir.join("control")).unwrap();
    drop(open());
    // A recovery that was broken off begins again.
    std::fs::write(dir.join("control"), control).unwrap();
    let secondary = open();
    assert_eq!((secondary.mode(), secondary.fork()), (crate::Mode::Secondary, lab.db().fork()));
    assert!(secondary.redone_lsn() < lab.db().end_lsn());
    ship(lab.db(), &secondary);
    assert_same(lab.db(), &secondary);
    drop(secondary);

    // It leaves its group, misses something, and comes back.
    leave_restoring(&disk(), &dir).unwrap();
    lab.insert(100..120);
    join_restored(&disk(), &dir).unwrap();
    let secondary = open();
    ship(lab.db(), &secondary);
    assert_same(lab.db(), &secondary);
    drop(secondary);

    // Log that is restored to it goes behind its own, with more than one backup, and more than one attempt to join.
    leave_restoring(&disk(), &dir).unwrap();
    for (name, rows) in [("later", 120..130), ("last", 130..150)] {
        lab.insert(rows);
        lab.backup(name, BackupKind::Log);
        lab.restore_log(name, "s", None).unwrap();
    }
    let restored = restored_lsn(&disk(), &dir).unwrap();
    let of_restore = |e: std::io::Result<std::fs::DirEntry>| {
        let path = e.unwrap().path();
        path.file_name().unwrap().to_str().unwrap().starts_with("restore").then_some(path)
    };
    let kept: Vec<(PathBuf, Vec<u8>)> = std::fs::read_dir(&dir)
        .unwrap()
        .filter_map(of_restore)
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    join_restored(&disk(), &dir).unwrap();
    for (path, bytes) in kept {
        std::fs::write(path, bytes).unwrap();
    }
    join_restored(&disk(), &dir).unwrap();
    let secondary = open();
    assert_eq!(secondary.end_lsn(), restored);
    lab.insert(150..160);
    ship(lab.db(), &secondary);
    assert_same(lab.db(), &secondary);
}
