//! A database that is opened again is what was hardened.

use std::sync::Arc;

use rusqlite::Connection;

use crate::{CreateOptions, Database, RealDisk};

fn commit(db: &Database, conn: &Connection, sql: &str) {
    conn.execute_batch("BEGIN").unwrap();
    conn.execute_batch(sql).unwrap();
    let pending = db.begin_commit(conn, "main").unwrap();
    conn.execute_batch("COMMIT").unwrap();
    let lsn = pending.finish().unwrap();
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
