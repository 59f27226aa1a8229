//! A database that is opened again is what was hardened.

#![allow(clippy::print_stdout, reason = "a run says how much it has really done")]

mod crash;
mod failovers;
mod flips;
mod replicas;
mod restores;
mod rewinds;
mod scenarios;
mod seeds;
mod ship;
mod sim_disk;

use std::sync::Arc;

use rusqlite::Connection;

use crate::{CreateOptions, Database, RealDisk};

fn commit(db: &Database, conn: &Connection, sql: &str) {
    conn.execute_batch("BEGIN").unwrap();
    conn.execute_batch(sql).unwrap();
    let pending = db.begin_commit(conn, "main").unwrap();
    conn.execute_batch("COMMIT").unwrap();
    let lsn = pending.finish(crate::CommitNote::default()).unwrap();
    db.wait_hardened(lsn).unwrap();
}

fn connect(db: &Database) -> Connection {
    db.connect().unwrap()
}

#[test]
fn commits_survive_without_sqlites_wal_and_through_checkpoints() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("d");
    let db = Database::create(Arc::new(RealDisk), &path, CreateOptions::default()).unwrap();
    let conn = connect(&db);
    commit(&db, &conn, "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT)");
    let mut rows = 0;
    for round in 0..12 {
        for n in 0..25 {
            commit(&db, &conn, &format!("INSERT INTO t(b) VALUES('row {n} of {round}')"));
            rows += 1;
        }
        if round % 3 == 1 {
            assert!(db.checkpoint().unwrap().completed);
        }
        if round == 7 {
            commit(&db, &conn, "UPDATE t SET b = b || zeroblob(300)");
        }
    }
    let before = db.stats();
    assert_eq!(before.hardened, before.end);
    drop(conn);
    drop(db);
    for _ in 0..3 {
        let db = Database::open(Arc::new(RealDisk), &path).unwrap();
        let conn = connect(&db);
        let count: i64 = conn.query_row("SELECT count(*) FROM t", [], |r| r.get(0)).unwrap();
        assert_eq!(count, rows);
        let check: String = conn.query_row("PRAGMA integrity_check", [], |r| r.get(0)).unwrap();
        assert_eq!(check, "ok");
        assert_eq!(db.stats().checksum, if rows == 300 { before.checksum } else { db.stats().checksum });
        commit(&db, &conn, "INSERT INTO t(b) VALUES('later')");
        rows += 1;
    }
}

#[test]
fn a_flipped_bit_in_the_middle_of_the_log_is_corruption_and_at_its_end_is_not() {
    for (last, corrupt) in [(false, true), (true, false)] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("d");
        let db = Database::create(Arc::new(RealDisk), &path, CreateOptions::default()).unwrap();
        let conn = connect(&db);
        commit(&db, &conn, "CREATE TABLE t(a)");
        let middle = db.hardened_lsn().0;
        commit(&db, &conn, "INSERT INTO t VALUES(1)");
        let end = db.hardened_lsn().0;
        commit(&db, &conn, "INSERT INTO t VALUES(2)");
        drop(conn);
        drop(db);
        let segment = std::fs::read_dir(&path)
            .unwrap()
            .map(|e| e.unwrap().path())
            .find(|p| p.extension().is_some_and(|e| e == "log"))
            .unwrap();
        let mut bytes = std::fs::read(&segment).unwrap();
        let at = 64 + if last { end } else { middle } as usize + 30;
        bytes[at] ^= 1;
        std::fs::write(&segment, bytes).unwrap();
        match Database::open(Arc::new(RealDisk), &path) {
            Err(e) => assert!(corrupt && e.is_corruption(), "{e}"),
            Ok(db) => {
                assert!(!corrupt);
                let count: i64 = connect(&db).query_row("SELECT count(*) FROM t", [], |r| r.get(0)).unwrap();
                assert_eq!(count, 1);
            }
        }
    }
}

#[test]
fn a_commit_that_sqlite_made_in_spite_of_its_error_does_not_survive() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("d");
    let db = Database::create(Arc::new(RealDisk), &path, CreateOptions::default()).unwrap();
    let conn = connect(&db);
    commit(&db, &conn, "CREATE TABLE t(a)");
    for really in [false, true] {
        conn.execute_batch("BEGIN; INSERT INTO t VALUES(1)").unwrap();
        let pending = db.begin_commit(&conn, "main").unwrap();
        conn.execute_batch(if really { "COMMIT" } else { "ROLLBACK" }).unwrap();
        assert_eq!(pending.abort().is_err(), really);
        assert_eq!(db.failure().is_some(), really);
        assert_eq!(db.wait_hardened(db.observe_lsn()).is_err(), really, "what was read is not to be told");
    }
    assert!(db.begin_commit(&conn, "main").is_err());
    assert!(db.checkpoint().is_err(), "it would move the page into the data file");
    drop(conn);
    drop(db);
    let db = Database::open(Arc::new(RealDisk), &path).unwrap();
    let count: i64 = connect(&db).query_row("SELECT count(*) FROM t", [], |r| r.get(0)).unwrap();
    assert_eq!(count, 0);
    db.verify().unwrap();
}

#[test]
fn a_commit_that_is_left_in_the_middle_fails_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let db = Database::create(Arc::new(RealDisk), &dir.path().join("d"), CreateOptions::default()).unwrap();
    let conn = connect(&db);
    conn.execute_batch("BEGIN").unwrap();
    drop(db.begin_commit(&conn, "main").unwrap());
    assert!(db.failure().is_some());
}

#[test]
fn redo_follows_a_database_that_shrinks_and_grows_again() {
    use crate::record::cut_off;
    use crate::{CommitNote, Lsn, PageMap, Record, checksum, page_hash};
    let page = |n: u8| vec![n; 512];
    let change = |n: u32, before: &[u8], after: &[u8], image: bool| {
        crate::record::change(n, (before, page_hash(n, before)), after, image)
    };
    let steps = [
        (
            3,
            vec![
                change(1, &[], &page(1), true),
                change(2, &[], &page(2), true),
                change(3, &[], &page(3), true),
            ],
        ),
        (
            1,
            vec![
                change(1, &page(1), &page(4), false),
                cut_off(2, page_hash(2, &page(2))),
                cut_off(3, page_hash(3, &page(3))),
            ],
        ),
        (2, vec![change(2, &[], &page(5), true)]),
    ];
    let (mut map, mut sum) = (PageMap::new(), 0);
    for (database_pages, pages) in steps {
        let after = pages.iter().fold(sum, |s, p| s ^ p.hash_before ^ p.hash_after);
        let record = Record {
            lsn: Lsn(0),
            hardened: Lsn(0),
            checksum_before: sum,
            checksum_after: after,
            time: 0,
            database_pages,
            page_size: 512,
            fork: crate::ForkId([0; 16]),
            flags: 0,
            note: CommitNote::default(),
            pages,
        };
        sum = crate::redo(&record, &mut map, sum).unwrap();
        assert_eq!(sum, checksum(&map));
    }
    assert_eq!(map, [(1, page(4)), (2, page(5))].into());
}
