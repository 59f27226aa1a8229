//! Reading the log in blocks, and holding acknowledgements back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::{commit, connect};
use crate::{BlockError, CommitNote, CreateOptions, Database, Lsn, ParsedRecord, RealDisk, read_record};

fn database(segment: u64) -> (tempfile::TempDir, Database) {
    let dir = tempfile::tempdir().unwrap();
    let options = CreateOptions::default();
    let db = Database::create_with(Arc::new(RealDisk), &dir.path().join("d"), options, segment).unwrap();
    commit(&db, &connect(&db), "CREATE TABLE t(a INTEGER PRIMARY KEY, b)");
    (dir, db)
}

fn insert(db: &Database) -> Lsn {
    let conn = connect(db);
    conn.execute_batch("BEGIN; INSERT INTO t(b) VALUES(randomblob(600))").unwrap();
    let pending = db.begin_commit(&conn, "main").unwrap();
    conn.execute_batch("COMMIT").unwrap();
    pending.finish(CommitNote::default()).unwrap()
}

/// The positions of the records in a block, and where it ends.
fn positions(mut bytes: &[u8]) -> Vec<Lsn> {
    let mut out = Vec::new();
    while !bytes.is_empty() {
        let ParsedRecord::Record(record, len) = read_record(bytes) else { panic!("no whole record") };
        out.push(record.lsn);
        bytes = &bytes[len..];
    }
    out
}

#[test]
fn blocks_are_the_same_from_memory_and_from_disk() {
    let (dir, db) = database(8 << 10);
    for _ in 0..20 {
        db.wait_hardened(insert(&db)).unwrap();
    }
    let read_all = |db: &Database, max: usize| {
        let (mut at, mut all, mut blocks) = (Lsn(0), Vec::new(), 0);
        while at < db.hardened_lsn() {
            let block = db.read_block(at, max).unwrap();
            assert_eq!((block.from, block.to.0), (at, at.0 + block.bytes.len() as u64));
            assert!(
                block.bytes.len() <= max || positions(&block.bytes).len() == 1,
                "one record, however large"
            );
            assert_eq!(positions(&block.bytes).first(), Some(&at));
            all.extend(block.bytes);
            at = block.to;
            blocks += 1;
        }
        (all, blocks)
    };
    let (disk, blocks) = read_all(&db, 2000);
    assert!(blocks > 10);
    // Now it is known that somebody reads, and the newest log stays in memory.
    let middle = db.hardened_lsn();
    for _ in 0..20 {
        db.wait_hardened(insert(&db)).unwrap();
    }
    let from = db.read_block(middle, usize::MAX).unwrap();
    assert_eq!(from.to, db.hardened_lsn());
    assert!(read_all(&db, 1).1 > 40);
    let (all, _) = read_all(&db, 100_000);
    assert_eq!(all, [disk, from.bytes].concat());
    assert!(db.read_block(db.hardened_lsn(), 100).unwrap().bytes.is_empty(), "nothing more yet");
    assert_eq!(db.read_block(Lsn(8), 100), Err(BlockError::NoRecord));
    assert_eq!(db.read_block(Lsn(middle.0 + 8), 100), Err(BlockError::NoRecord), "nor in memory");
    assert_eq!(db.read_block(Lsn(db.end_lsn().0 + 8), 100), Err(BlockError::NoRecord));
    drop(db);
    let db = Database::open(Arc::new(RealDisk), &dir.path().join("d")).unwrap();
    assert_eq!(read_all(&db, 5000).0, all, "after a restart");
}

#[test]
fn a_pin_keeps_the_log_and_lets_it_go_as_it_moves() {
    let (_dir, db) = database(8 << 10);
    let (pin, oldest) = db.pin_oldest().unwrap();
    assert_eq!((oldest, db.log_start()), (Lsn(0), Lsn(0)));
    for _ in 0..30 {
        db.wait_hardened(insert(&db)).unwrap();
    }
    assert!(db.checkpoint().unwrap().completed);
    assert_eq!(db.log_start(), Lsn(0), "pinned");
    let middle = db.read_block(Lsn(0), 12_000).unwrap().to;
    pin.advance(middle);
    insert(&db);
    assert!(db.checkpoint().unwrap().completed);
    let start = db.log_start();
    assert!(start > Lsn(0) && start <= middle, "{start} {middle}");
    assert_eq!(db.read_block(Lsn(0), 100), Err(BlockError::LogGone { oldest: start }));
    assert!(matches!(db.pin_log(Lsn(0)), Err(BlockError::LogGone { .. })));
    db.pin_log(middle).unwrap();
    drop(pin);
    insert(&db);
    assert!(db.checkpoint().unwrap().completed);
    assert!(db.log_start() > middle);
    assert!(matches!(db.read_block(middle, 100), Err(BlockError::LogGone { .. })));
}

#[test]
fn a_commit_that_is_held_is_hardened_and_not_acknowledged() {
    let (_dir, db) = database(8 << 10);
    let before = insert(&db);
    db.hold_commits(Some(before));
    let (order, told) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicU64::new(0)));
    let (seen, position) = (Arc::clone(&order), Arc::clone(&told));
    db.on_hardened(Arc::new(move |lsn| {
        position.fetch_max(lsn.0, Ordering::SeqCst);
        seen.lock().unwrap().push("observer");
    }));
    db.wait_committed(before).unwrap();
    let (first, second) = (insert(&db), insert(&db));
    for lsn in [first, second] {
        let done = Arc::clone(&order);
        db.when_committed(
            lsn,
            Box::new(move |result| done.lock().unwrap().push(if result.is_ok() { "gone" } else { "failed" })),
        );
    }
    db.wait_hardened(second).unwrap();
    assert!(!db.is_committed_settled(first) && db.is_settled(second));
    assert_eq!(told.load(Ordering::SeqCst), second.0);
    assert!(db.checkpoint().unwrap().completed, "what the store does for itself is not held");
    std::thread::scope(|s| {
        let sleeper = s.spawn(|| db.wait_committed(first));
        db.hold_commits(Some(first));
        sleeper.join().unwrap().unwrap();
    });
    let seen = order.lock().unwrap().clone();
    assert_eq!((seen.first(), seen.last()), (Some(&"observer"), Some(&"gone")));
    assert_eq!(seen.iter().filter(|s| **s == "gone").count(), 1);
    db.hold_commits(None);
    assert!(db.is_committed_settled(second));
    // Whoever waits when the log fails is told so, held or not.
    let third = insert(&db);
    db.hold_commits(Some(second));
    let done = Arc::clone(&order);
    db.when_committed(
        third,
        Box::new(move |r| done.lock().unwrap().push(if r.is_err() { "failed" } else { "?" })),
    );
    db.wait_hardened(third).unwrap();
    let conn = connect(&db);
    conn.execute_batch("BEGIN").unwrap();
    drop(db.begin_commit(&conn, "main").unwrap());
    assert_eq!(order.lock().unwrap().last(), Some(&"failed"));
    assert!(db.wait_committed(third).is_err());
}

#[test]
fn the_observer_is_told_before_departures() {
    let (_dir, db) = database(8 << 10);
    let order = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&order);
    db.on_hardened(Arc::new(move |_| seen.lock().unwrap().push("observer")));
    let lsn = insert(&db);
    let done = Arc::clone(&order);
    // Whoever gets here first hardens; one way or the other the observer comes first.
    db.when_committed(lsn, Box::new(move |_| done.lock().unwrap().push("gone")));
    db.wait_committed(lsn).unwrap();
    while order.lock().unwrap().len() < 2 {
        std::thread::yield_now();
    }
    assert_eq!(*order.lock().unwrap(), ["observer", "gone"]);
    db.forget_observer();
    db.wait_committed(insert(&db)).unwrap();
    assert_eq!(order.lock().unwrap().len(), 2);
}

/// Records that are longer than what is read at once, one behind the other.
#[test]
fn long_records_are_read_back() {
    let (dir, db) = database(2 << 20);
    let conn = connect(&db);
    for k in [100_000, 600_000, 450_000, 700_000, 10, 550_000] {
        commit(&db, &conn, &format!("INSERT INTO t(b) VALUES(randomblob({k}))"));
    }
    let (mut reader, _pin) = db.read_log(Lsn(0)).unwrap();
    let mut at = Lsn(0);
    while let Some(raw) = reader.next_record().unwrap() {
        assert_eq!(db.read_block(at, 1).unwrap().bytes, raw.bytes);
        at = Lsn(at.0 + raw.bytes.len() as u64);
    }
    assert_eq!(at, db.hardened_lsn());
    drop(dir);
}
