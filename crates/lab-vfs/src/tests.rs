//! SQLite on a mounted database, with as many connections as it likes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io;
use std::sync::{Arc, Mutex};

use rusqlite::Connection;

use crate::memory::{MEMORY_MAX, MemoryFile, Overflow};
use crate::{PageFile, Volume, connection, mount, open};

/// A file of a plain vector.
#[derive(Default)]
struct Vector(Mutex<Vec<u8>>);

impl PageFile for Vector {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.0.lock().unwrap();
        let from = bytes.get(offset as usize..).unwrap_or_default();
        let n = from.len().min(buffer.len());
        buffer[..n].copy_from_slice(&from[..n]);
        Ok(n)
    }

    fn write_at(&self, offset: u64, new: &[u8]) -> io::Result<()> {
        let mut bytes = self.0.lock().unwrap();
        let end = offset as usize + new.len();
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[offset as usize..end].copy_from_slice(new);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.lock().unwrap().resize(len as usize, 0);
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().len() as u64)
    }
}

fn new_volume(pages: &Arc<Vector>) -> Volume {
    mount(Arc::clone(pages) as Arc<dyn PageFile>, || Ok(Arc::new(Vector::default())))
}

fn count(conn: &Connection) -> i64 {
    conn.query_row("SELECT count(*) FROM t", [], |r| r.get(0)).unwrap()
}

#[test]
fn readers_keep_their_snapshot_while_a_writer_goes_on() {
    let pages = Arc::new(Vector::default());
    let volume = new_volume(&pages);
    let writer = open(&volume).unwrap();
    let mode: String = writer.query_row("PRAGMA journal_mode=WAL", [], |r| r.get(0)).unwrap();
    assert_eq!(mode, "wal");
    writer.execute_batch("PRAGMA wal_autocheckpoint=0; CREATE TABLE t(a); INSERT INTO t VALUES(1)").unwrap();
    let reader = connection().unwrap();
    reader.execute("ATTACH ?1 AS d", [volume.name()]).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    assert_eq!(count(&reader), 1);
    writer.execute_batch("INSERT INTO t VALUES(2)").unwrap();
    assert_eq!((count(&reader), count(&writer)), (1, 2));
    let second = open(&volume).unwrap();
    writer.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(second.execute_batch("BEGIN IMMEDIATE").is_err(), "one writer at a time");
    writer.execute_batch("COMMIT").unwrap();
    reader.execute_batch("COMMIT").unwrap();
    assert_eq!(count(&reader), 2);
    // What a checkpoint has moved is a database by itself, without the WAL.
    writer.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let alone = new_volume(&pages);
    assert_eq!(count(&open(&alone).unwrap()), 2);
}

#[test]
fn many_threads_write_and_read() {
    let pages = Arc::new(Vector::default());
    let volume = new_volume(&pages);
    let first = open(&volume).unwrap();
    first.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; CREATE TABLE t(a, b)").unwrap();
    std::thread::scope(|s| {
        for thread in 0..4 {
            let conn = open(&volume).unwrap();
            s.spawn(move || {
                conn.busy_timeout(std::time::Duration::from_secs(20)).unwrap();
                for n in 0..200 {
                    conn.execute("INSERT INTO t VALUES(?1, ?2)", [thread, n]).unwrap();
                    let (rows, most): (i64, i64) = conn
                        .query_row("SELECT count(*), max(b) FROM t WHERE a = ?1", [thread], |r| {
                            Ok((r.get(0)?, r.get(1)?))
                        })
                        .unwrap();
                    assert_eq!((rows, most), (n + 1, n));
                }
            });
        }
    });
    assert_eq!(count(&first), 800);
    let check: String = first.query_row("PRAGMA integrity_check", [], |r| r.get(0)).unwrap();
    assert_eq!(check, "ok");
}

#[test]
fn a_database_that_is_not_mounted_cannot_be_opened() {
    let name = {
        let volume = new_volume(&Arc::default());
        volume.name().to_owned()
    };
    let conn = connection().unwrap();
    assert!(conn.execute("ATTACH ?1 AS d", [name]).is_err());
}

#[test]
fn what_does_not_fit_into_memory_overflows() {
    let kept = Arc::new(Vector::default());
    let file = Arc::clone(&kept);
    let overflow: Overflow = Box::new(move || Ok(Arc::clone(&file) as Arc<dyn PageFile>));
    let mut memory = MemoryFile::default();
    memory.write_at(MEMORY_MAX - 3, b"abcdef", &overflow).unwrap();
    assert_eq!(kept.0.lock().unwrap().as_slice(), b"def");
    let mut back = [0; 8];
    assert_eq!(memory.read_at(MEMORY_MAX - 4, &mut back).unwrap(), 7);
    assert_eq!(&back[..7], b"\0abcdef");
    memory.set_len(10).unwrap();
    assert_eq!((memory.len(), kept.0.lock().unwrap().len()), (10, 0));
    memory.write_at(20, b"x", &overflow).unwrap();
    assert_eq!(memory.read_at(8, &mut back).unwrap(), 8);
    assert_eq!(back, [0; 8], "what was cut off does not come back");
}
