//! A primary and a secondary of it, in one process and without a wire between them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;

use super::sim_disk::Dice;
use crate::record::page_content;
use crate::{
    CommitNote, CreateOptions, Database, LogPin, Lsn, Mode, RealDisk, ReceiveError, RecoveryModel, Redone,
    StoreError, TableRows, common_point,
};

pub(super) const SEGMENT: u64 = 64 << 10;

/// A primary and a secondary that began as a copy of its files.
pub(super) struct Pair {
    pub(super) folder: tempfile::TempDir,
    pub(super) primary: Database,
    pub(super) secondary: Database,
    /// What keeps the log that the other one may need.
    pub(super) pins: Vec<LogPin>,
}

pub(super) fn open(path: &Path) -> Database {
    Database::open_with(Arc::new(RealDisk), path, SEGMENT).unwrap()
}

impl Pair {
    pub(super) fn new() -> Pair {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("one");
        let options = CreateOptions { recovery_model: RecoveryModel::Full, ..CreateOptions::default() };
        let db = Database::create_with(Arc::new(RealDisk), &path, options, SEGMENT).unwrap();
        run(&db, "CREATE TABLE t(k INTEGER PRIMARY KEY, v BLOB); CREATE INDEX i ON t(substr(v, 1, 9))");
        drop(db);
        super::crash::copy_folder(&path, &folder.path().join("two"));
        let (primary, secondary) = (open(&path), open(&folder.path().join("two")));
        secondary.demote().unwrap();
        let mut pair = Pair { folder, primary, secondary, pins: Vec::new() };
        pair.pin();
        pair
    }

    /// Keeps the log of both.
    pub(super) fn pin(&mut self) {
        self.pins = vec![self.primary.pin_oldest().unwrap().0, self.secondary.pin_oldest().unwrap().0];
    }

    /// Ships what is hardened, in blocks, and redoes it in groups.
    pub(super) fn ship(&self, block: usize, group: usize) -> Vec<Redone> {
        ship(&self.primary, &self.secondary, block, group)
    }
}

pub(super) fn ship(from: &Database, to: &Database, block: usize, group: usize) -> Vec<Redone> {
    let mut groups = Vec::new();
    loop {
        let read = from.read_block(to.end_lsn(), block).unwrap();
        let end = to.receive(&read.bytes).unwrap();
        assert_eq!(end, read.to);
        to.wait_hardened(end).unwrap();
        loop {
            let redone = to.redo(group).unwrap();
            if redone.records == 0 {
                break;
            }
            assert_eq!(redone.redone_lsn, to.redone_lsn());
            groups.push(redone);
        }
        if read.bytes.is_empty() {
            return groups;
        }
    }
}

pub(super) fn run_noting(db: &Database, sql: &str, note: CommitNote) -> Lsn {
    let conn = db.connect().unwrap();
    conn.execute_batch("PRAGMA cache_size=20; BEGIN").unwrap();
    conn.execute_batch(sql).unwrap();
    let pending = db.begin_commit(&conn, "main").unwrap();
    conn.execute_batch("COMMIT").unwrap();
    let lsn = pending.finish(note).unwrap();
    db.wait_hardened(lsn).unwrap();
    lsn
}

pub(super) fn run(db: &Database, sql: &str) -> Lsn {
    run_noting(db, sql, CommitNote::default())
}

/// Every page as a reader sees it.
pub(super) fn pages_of(conn: &Connection) -> BTreeMap<u32, Vec<u8>> {
    let mut statement = conn.prepare("SELECT pgno, data FROM sqlite_dbpage").unwrap();
    let rows = statement.query_map([], |r| Ok((r.get(0)?, r.get::<_, Vec<u8>>(1)?))).unwrap();
    rows.map(|row| row.map(|(n, page): (u32, Vec<u8>)| (n, page_content(n, &page).into_owned())).unwrap())
        .collect()
}

pub(super) fn pages(db: &Database) -> BTreeMap<u32, Vec<u8>> {
    pages_of(&db.connect().unwrap())
}

pub(super) fn assert_equal(one: &Database, two: &Database, context: &str) {
    assert_eq!(one.redone_lsn(), two.redone_lsn(), "{context}");
    let (a, b) = (pages(one), pages(two));
    let differ: Vec<u32> = a.keys().chain(b.keys()).filter(|n| a.get(*n) != b.get(*n)).copied().collect();
    assert!(differ.is_empty(), "{context}: pages {differ:?} differ");
    assert_eq!(one.stats().checksum, two.stats().checksum, "{context}");
    two.verify().unwrap_or_else(|e| panic!("{context}: {e}"));
    let sound: String = two.connect().unwrap().query_row("PRAGMA integrity_check", [], |r| r.get(0)).unwrap();
    assert_eq!(sound, "ok", "{context}");
}

/// A transaction of any kind.
pub(super) fn change(dice: &mut Dice, n: usize) -> String {
    let k = dice.below(300);
    match dice.below(10) {
        0 => format!("DELETE FROM t WHERE k % 7 = {}", dice.below(7)),
        1 => format!("CREATE TABLE x{n}(a, b); INSERT INTO x{n} VALUES(1, randomblob(9000))"),
        2 => "CREATE TABLE scratch(v); INSERT INTO scratch VALUES(randomblob(90000)); DROP TABLE scratch"
            .to_owned(),
        3 => format!(
            "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT {}) \
             INSERT OR REPLACE INTO t SELECT n * 3, randomblob(700) FROM c",
            dice.below(400)
        ),
        4 => format!("UPDATE t SET v = randomblob(50) WHERE k > {k}"),
        _ => format!("INSERT OR REPLACE INTO t VALUES({k}, randomblob({}))", dice.below(2000)),
    }
}

#[test]
fn a_secondary_is_its_primary_at_every_lsn() {
    let mut pair = Pair::new();
    let mut dice = Dice::new(5);
    let (mut records, mut groups, mut restarts) = (0, 0, 0);
    for n in 0..120 {
        run(&pair.primary, &change(&mut dice, n));
        if dice.below(9) == 0 {
            assert!(pair.primary.checkpoint().unwrap().completed);
        }
        if dice.below(3) == 0 {
            let (block, group) = (1 << (8 + dice.below(12)), 1 << (8 + dice.below(14)));
            for redone in pair.ship(block, group) {
                records += redone.records;
                groups += 1;
            }
            assert_equal(&pair.primary, &pair.secondary, &format!("change {n}"));
        }
        if dice.below(10) == 0 {
            restarts += u32::from(pair.secondary.checkpoint().unwrap().completed);
            assert!(!pair.secondary.needs_checkpoint());
        }
        if dice.below(25) == 0 {
            let path = pair.folder.path().join("two");
            let at = pair.secondary.end_lsn();
            drop(pair.secondary);
            pair.secondary = open(&path);
            pair.pin();
            assert_eq!((pair.secondary.mode(), pair.secondary.redone_lsn()), (Mode::Secondary, at));
        }
    }
    pair.ship(1 << 20, 1 << 20);
    assert_equal(&pair.primary, &pair.secondary, "the end");
    assert!(
        records > 60 && groups < records && restarts > 2,
        "{records} records, {groups} groups, {restarts} restarts"
    );
}

/// It is shown at once; whoever answers a reader waits until what was seen is hardened, as on a primary.
#[test]
fn redo_does_not_wait_for_the_disk() {
    let pair = Pair::new();
    for n in 0..20 {
        run(&pair.primary, &format!("INSERT INTO t VALUES({n}, randomblob(100))"));
        let read = pair.primary.read_block(pair.secondary.end_lsn(), 1 << 20).unwrap();
        let end = pair.secondary.receive(&read.bytes).unwrap();
        assert_eq!(pair.secondary.redo(1 << 20).unwrap().redone_lsn, end);
        assert_eq!(pair.secondary.observe_lsn(), end);
        pair.secondary.wait_committed(pair.secondary.observe_lsn()).unwrap();
        assert!(pair.secondary.hardened_lsn() >= end);
    }
    assert_equal(&pair.primary, &pair.secondary, "redone at once");
}

#[test]
fn readers_keep_their_snapshots_while_redo_goes_on() {
    let pair = Pair::new();
    let mut dice = Dice::new(6);
    let mut readers: Vec<(Connection, BTreeMap<u32, Vec<u8>>)> = Vec::new();
    for n in 0..40 {
        run(&pair.primary, &change(&mut dice, n));
        pair.ship(1 << 20, 1 << 14);
        if n % 4 == 0 {
            let conn = pair.secondary.connect().unwrap();
            conn.execute_batch("BEGIN; SELECT count(*) FROM t").unwrap();
            let seen = pages_of(&conn);
            readers.push((conn, seen));
        }
        if dice.below(5) == 0 {
            pair.secondary.checkpoint().unwrap();
        }
        for (conn, seen) in &readers {
            assert!(pages_of(conn) == *seen, "change {n}: a snapshot has moved");
        }
        if readers.len() > 4 {
            readers.remove(dice.below(5));
        }
        assert_equal(&pair.primary, &pair.secondary, &format!("change {n}"));
    }
}

/// Readers on other threads see whole transactions only, at positions that never go back.
#[test]
fn readers_beside_redo_see_whole_transactions() {
    let pair = Pair::new();
    run(&pair.primary, "CREATE TABLE pair(a, b); INSERT INTO pair VALUES(0, 0)");
    pair.ship(1 << 20, 1 << 20);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|s| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                s.spawn(|| {
                    let conn = pair.secondary.connect().unwrap();
                    let (mut reads, mut newest) = (0, 0);
                    while !done.load(std::sync::atomic::Ordering::Relaxed) {
                        let (a, b, lsn): (i64, i64, i64) = conn
                            .query_row("SELECT a, b, (SELECT lsn FROM _lsn) FROM pair", [], |r| {
                                Ok((r.get(0)?, r.get(1)?, r.get(2)?))
                            })
                            .unwrap();
                        assert_eq!(a, b);
                        assert!(lsn >= newest);
                        assert!(Lsn(lsn as u64) < pair.secondary.hardened_lsn(), "what is seen is hardened");
                        newest = lsn;
                        reads += 1;
                    }
                    reads
                })
            })
            .collect();
        for n in 0..150 {
            run(
                &pair.primary,
                "UPDATE pair SET a = a + 1; INSERT INTO t VALUES(NULL, randomblob(900)); UPDATE pair SET b = b + 1",
            );
            pair.ship(1 << 20, 1 << 20);
            if n % 40 == 0 {
                pair.secondary.checkpoint().unwrap();
            }
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        let reads: i32 = readers.into_iter().map(|r| r.join().unwrap()).sum();
        assert!(reads > 100, "{reads}");
    });
}

#[test]
fn what_does_not_go_on_is_not_received() {
    let pair = Pair::new();
    let from = pair.secondary.end_lsn();
    run(&pair.primary, "INSERT INTO t VALUES(1, 'one')");
    run(&pair.primary, "INSERT INTO t VALUES(2, 'two')");
    let all = pair.primary.read_block(from, 1 << 20).unwrap();
    let first = pair.primary.read_block(from, 1).unwrap();
    let second = pair.primary.read_block(first.to, 1).unwrap();
    let to = &pair.secondary;
    assert_eq!(to.receive(&second.bytes), Err(ReceiveError::Gap { expected: from }));
    assert_eq!(to.receive(&all.bytes[..all.bytes.len() - 8]), Err(ReceiveError::Malformed), "not whole");
    for at in (0..all.bytes.len()).step_by(37) {
        let mut flipped = all.bytes.clone();
        flipped[at] ^= 4;
        assert!(to.receive(&flipped).is_err(), "byte {at}");
    }
    let mut elsewhere = pair.primary.history();
    elsewhere.fork = crate::ForkId([9; 16]);
    assert_eq!(to.enter_fork(&elsewhere), Err(ReceiveError::OtherFork));
    assert_eq!(to.end_lsn(), from, "nothing was taken");
    assert_eq!(pair.primary.receive(&all.bytes), Err(ReceiveError::NotSecondary));
    to.receive(&all.bytes).unwrap();
    assert_eq!(to.receive(&first.bytes), Err(ReceiveError::Gap { expected: all.to }), "not twice");
    assert!(
        to.redone_lsn() == from && to.redo(1).unwrap().records <= 1,
        "what is not hardened is not redone"
    );
    to.wait_hardened(all.to).unwrap();
    while to.redo(1).unwrap().records > 0 {}
    assert_equal(&pair.primary, to, "in the end");
}

#[test]
fn a_secondary_tells_what_it_does() {
    let pair = Pair::new();
    assert!(matches!(pair.primary.redo(1), Err(StoreError::NotReady(_))));
    assert!(matches!(pair.primary.promote(), Err(StoreError::NotReady(_))));
    let conn = pair.secondary.connect().unwrap();
    conn.execute_batch("BEGIN").unwrap();
    assert_eq!(pair.secondary.begin_commit(&conn, "main").err(), Some(StoreError::ReadOnly));
    assert_eq!(pair.secondary.failure(), None);
    drop(conn);
    let rows = vec![TableRows { object_id: 5, inserted: 1, updated: 0, deleted: 0 }];
    let note = CommitNote { session: 60, catalog_changed: false, rows };
    run_noting(&pair.primary, "INSERT INTO t VALUES(1, 'one')", note);
    let redone = pair.ship(1 << 20, 1 << 20);
    assert!(!redone[0].catalog_changed);
    assert_eq!(redone[0].commit_time, pair.primary.redone_commit_time());
    run_noting(
        &pair.primary,
        "CREATE TABLE n(a)",
        CommitNote { catalog_changed: true, ..Default::default() },
    );
    run(&pair.primary, "INSERT INTO n VALUES(1)");
    let block = pair.primary.read_block(pair.secondary.end_lsn(), 1 << 20).unwrap();
    let end = pair.secondary.receive(&block.bytes).unwrap();
    assert_eq!(pair.secondary.end_commit_time(), pair.primary.end_commit_time());
    assert!(pair.secondary.redone_commit_time() < pair.secondary.end_commit_time());
    assert!(matches!(pair.secondary.promote(), Err(StoreError::NotReady(_))), "not redone");
    pair.secondary.wait_hardened(end).unwrap();
    let redone = pair.secondary.redo(1 << 20).unwrap();
    assert_eq!((redone.records, redone.catalog_changed, redone.redone_lsn), (2, true, end));
    assert_eq!(pair.secondary.redone_commit_time(), pair.secondary.end_commit_time());
    // It keeps the log that its primary's next log backup begins with.
    let kept = pair.primary.log_start();
    pair.secondary.set_backed_up(Some(kept), Some(kept)).unwrap();
    assert_eq!(pair.secondary.log_backed_up(), Some(kept));
    assert!(matches!(pair.primary.set_backed_up(None, None), Err(StoreError::NotReady(_))));
}

#[test]
fn roles_change_both_ways_and_nothing_is_lost() {
    let mut pair = Pair::new();
    let mut dice = Dice::new(8);
    for round in 0..6 {
        for n in 0..8 {
            run(&pair.primary, &change(&mut dice, round * 100 + n));
            if dice.below(6) == 0 {
                pair.primary.checkpoint().unwrap();
            }
        }
        let end = pair.primary.demote().unwrap();
        assert_eq!(pair.primary.demote(), Ok(end), "done twice");
        pair.ship(1 << 16, 1 << 18);
        assert_eq!(pair.secondary.redone_lsn(), end);
        let began = std::time::Instant::now();
        let ended = pair.secondary.promote().unwrap();
        assert!(began.elapsed().as_millis() < 200, "{:?}", began.elapsed());
        assert_eq!((ended.end, pair.secondary.mode()), (end, Mode::Primary));
        let (mine, theirs) = (pair.primary.history(), pair.secondary.history());
        assert_eq!(common_point(&mine, &theirs).unwrap().lsn, end);
        assert_eq!(pair.primary.fork(), ended.fork);
        run(&pair.secondary, "INSERT OR REPLACE INTO t VALUES(1, 'on the new fork')");
        let block = pair.secondary.read_block(end, 1).unwrap();
        let crate::ParsedRecord::Record(record, _) = crate::read_record(&block.bytes) else { panic!() };
        assert!(record.is_restart_point());
        assert_eq!(pair.primary.receive(&block.bytes), Err(ReceiveError::OtherFork), "not entered yet");
        pair.primary.enter_fork(&pair.secondary.history()).unwrap();
        std::mem::swap(&mut pair.primary, &mut pair.secondary);
        if round % 2 == 0 {
            // The one that was just demoted, and knows of a fork that its log has not come to.
            let path = pair.folder.path().join("one");
            let old = pair.secondary;
            drop(old);
            pair.secondary = open(&path);
            pair.pin();
        }
        pair.ship(1 << 16, 1 << 18);
        assert_equal(&pair.primary, &pair.secondary, &format!("round {round}"));
        pair.secondary.checkpoint().unwrap();
    }
    assert_eq!(pair.primary.forks().len(), 6);
    let path = pair.folder.path().to_owned();
    let expected = pair.primary.stats().checksum;
    drop((pair.primary, pair.secondary));
    for name in ["one", "two"] {
        let db = open(&path.join(name));
        assert_eq!(db.stats().checksum, expected, "{name} after a restart");
    }
}

#[test]
fn a_log_that_has_more_does_not_enter_a_fork() {
    let pair = Pair::new();
    run(&pair.primary, "INSERT INTO t VALUES(1, 'both')");
    pair.ship(1 << 20, 1 << 20);
    run(&pair.primary, "INSERT INTO t VALUES(2, 'here only')");
    pair.secondary.promote().unwrap();
    run(&pair.secondary, "INSERT INTO t VALUES(3, 'there only')");
    pair.primary.demote().unwrap();
    assert_eq!(pair.primary.enter_fork(&pair.secondary.history()), Err(ReceiveError::Diverged));
    let common = common_point(&pair.primary.history(), &pair.secondary.history()).unwrap();
    assert!(common.lsn < pair.primary.end_lsn() && common.lsn < pair.secondary.end_lsn());
}

/// A damaged record is found by redo, even if it got into the log, and nothing of it becomes visible.
#[test]
fn a_record_that_does_not_fit_fails_the_secondary() {
    let pair = Pair::new();
    run(&pair.primary, "INSERT INTO t VALUES(1, randomblob(3000))");
    run(&pair.primary, "UPDATE t SET v = randomblob(3000)");
    let block = pair.primary.read_block(pair.secondary.end_lsn(), 1 << 20).unwrap();
    let (mut bytes, mut out) = (&block.bytes[..], Vec::new());
    while let crate::ParsedRecord::Record(mut record, len) = crate::read_record(bytes) {
        if let Some(page) = record.pages.last_mut() {
            page.hash_after ^= 1;
        }
        out.extend(record.encode());
        bytes = &bytes[len..];
    }
    let before = pages(&pair.secondary);
    let end = pair.secondary.receive(&out).unwrap();
    pair.secondary.wait_hardened(end).unwrap();
    assert!(pair.secondary.redo(1 << 20).unwrap_err().is_corruption());
    assert!(pair.secondary.failure().is_some_and(|e| e.is_corruption()));
    assert!(pages(&pair.secondary) == before);
}
