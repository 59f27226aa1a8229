//! Copies that are seeded.

use std::path::Path;
use std::sync::Arc;

use super::replicas::{SEGMENT, assert_equal, change, open, run, ship};
use super::sim_disk::Dice;
use crate::{
    BackupKind, BackupOptions, CreateOptions, Database, Disk, ForkId, History, Lsn, Mode, PageMap, RealDisk,
    RecoveryModel, SeedHeader, SeedWriter, StoreError, Target, checksum, is_half_seeded, remove_half_seeded,
};

pub(super) fn source(path: &Path) -> Database {
    let options = CreateOptions { recovery_model: RecoveryModel::Full, ..CreateOptions::default() };
    let db = Database::create_with(Arc::new(RealDisk), path, options, SEGMENT).unwrap();
    run(&db, "CREATE TABLE t(k INTEGER PRIMARY KEY, v BLOB); CREATE INDEX i ON t(substr(v, 1, 9))");
    db
}

/// Seeds a folder.
pub(super) fn seed(from: &Database, disk: Arc<dyn Disk>, dir: &Path) -> Result<SeedHeader, StoreError> {
    seed_with_log(from, disk, dir, None)
}

/// Seeds a folder with the log from a position on.
pub(super) fn seed_with_log(
    from: &Database,
    disk: Arc<dyn Disk>,
    dir: &Path,
    log_from: Option<Lsn>,
) -> Result<SeedHeader, StoreError> {
    let (header, snapshot, _pin) = from.seed(log_from)?;
    let mut writer = SeedWriter::begin(disk, dir, &header)?;
    let mut at = header.log_from;
    snapshot.read(|number, page| {
        if number % 5 == 0 && at < header.lsn {
            let max = usize::try_from(header.lsn.0 - at.0).unwrap().min(3000);
            let block = from.read_block(at, max).unwrap();
            writer.append_log(&block.bytes)?;
            at = block.to;
        }
        writer.write_page(number, page)
    })?;
    while at < header.lsn {
        let block = from.read_block(at, usize::try_from(header.lsn.0 - at.0).unwrap()).unwrap();
        writer.append_log(&block.bytes)?;
        at = block.to;
    }
    writer.finish()?;
    Ok(header)
}

fn backup(db: &Database, path: &Path, kind: BackupKind) -> crate::BackupReport {
    let options = BackupOptions {
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
    };
    db.backup(path, &options, &mut |_, _| true).unwrap()
}

#[test]
fn a_copy_is_seeded_follows_and_takes_over_with_the_chain_of_backups() {
    let folder = tempfile::tempdir().unwrap();
    let primary = source(&folder.path().join("one"));
    let mut dice = Dice::new(3);
    for n in 0..30 {
        run(&primary, &change(&mut dice, n));
    }
    backup(&primary, &folder.path().join("full"), BackupKind::Full);
    for n in 30..45 {
        run(&primary, &change(&mut dice, n));
    }
    primary.checkpoint().unwrap();
    let first = backup(&primary, &folder.path().join("log"), BackupKind::Log);
    for n in 45..60 {
        run(&primary, &change(&mut dice, n));
    }
    let dir = folder.path().join("two");
    let (header, snapshot, pin) = primary.seed(None).unwrap();
    assert_eq!((header.log_from, header.lsn), (first.header.last_lsn, primary.end_lsn()));
    drop((snapshot, pin));
    let header = seed(&primary, Arc::new(RealDisk), &dir).unwrap();
    assert!(!is_half_seeded(&(Arc::new(RealDisk) as Arc<dyn Disk>), &dir).unwrap());
    let copy = open(&dir);
    assert_eq!((copy.mode(), copy.redone_lsn()), (Mode::Secondary, header.lsn));
    assert_eq!((copy.log_start(), copy.log_backed_up()), (header.log_from, Some(header.log_from)));
    assert_eq!(copy.redone_commit_time(), primary.redone_commit_time());
    assert_equal(&primary, &copy, "as seeded");
    for n in 60..80 {
        run(&primary, &change(&mut dice, n));
    }
    ship(&primary, &copy, 1 << 16, 1 << 16);
    assert_equal(&primary, &copy, "followed");
    // The other one goes on with the log backups, across the fork.
    primary.demote().unwrap();
    copy.promote().unwrap();
    run(&copy, "INSERT OR REPLACE INTO t VALUES(1, 'there')");
    let report = backup(&copy, &folder.path().join("log2"), BackupKind::Log);
    assert_eq!(report.header.first_lsn, first.header.last_lsn);
    assert_eq!(report.header.last_lsn, copy.end_lsn());
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let restored = folder.path().join("restored");
    let media = |name: &str| crate::Media::open(&disk, &folder.path().join(name)).unwrap();
    let full = media("full");
    crate::restore_full(&disk, &restored, &full, &full.set(1).unwrap(), &mut |_, _| true).unwrap();
    for name in ["log", "log2"] {
        let log = media(name);
        crate::restore_log(&disk, &restored, &log, &log.set(1).unwrap(), None, &mut |_, _| true).unwrap();
    }
    crate::recover(&disk, &restored).unwrap();
    let restored = open(&restored);
    assert_eq!(restored.stats().checksum, copy.stats().checksum);
    assert_eq!(restored.forks().len(), 2);
}

#[test]
fn a_seeding_that_was_not_finished_is_no_database() {
    let folder = tempfile::tempdir().unwrap();
    let primary = source(&folder.path().join("one"));
    run(&primary, "INSERT INTO t VALUES(1, randomblob(20000))");
    let dir = folder.path().join("two");
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let (header, snapshot, _pin) = primary.seed(Some(Lsn(0))).unwrap();
    let begin = || SeedWriter::begin(Arc::clone(&disk), &dir, &header).unwrap();
    let mut writer = begin();
    snapshot.read_pages([1, 2], |n, page| writer.write_page(n, page)).unwrap();
    assert!(writer.write_page(2, &[0; 4096]).unwrap_err().is_corruption(), "not in order");
    assert!(writer.write_page(3, &[0; 512]).unwrap_err().is_corruption(), "no page");
    assert!(writer.write_page(header.database_pages + 1, &[0; 4096]).unwrap_err().is_corruption());
    let too_many = vec![0; 4096 * (header.database_pages as usize - 1)];
    assert!(writer.write_pages(3, &too_many).unwrap_err().is_corruption(), "one behind the last");
    assert!(writer.write_pages(3, &[0; 4096 + 512]).unwrap_err().is_corruption(), "the last is no page");
    assert_eq!(writer.pages_written(), 2, "none of those");
    drop(writer);
    assert!(is_half_seeded(&disk, &dir).unwrap());
    assert!(matches!(Database::open(Arc::clone(&disk), &dir), Err(StoreError::NotReady(_))));
    let mut writer = begin();
    snapshot.read(|n, page| writer.write_page(n, page)).unwrap();
    assert!(writer.finish().unwrap_err().is_corruption(), "its log is missing");
    let mut writer = begin();
    snapshot.read(|n, page| if n == 3 { Ok(()) } else { writer.write_page(n, page) }).unwrap();
    let log = primary.read_block(Lsn(0), 1 << 20).unwrap();
    assert!(writer.append_log(&log.bytes[8..]).unwrap_err().is_corruption());
    let mut writer = begin();
    snapshot.read(|n, page| if n == 3 { Ok(()) } else { writer.write_page(n, page) }).unwrap();
    writer.append_log(&log.bytes).unwrap();
    assert!(writer.finish().unwrap_err().is_corruption(), "a page is missing");
    remove_half_seeded(&disk, &dir).unwrap();
    assert!(!is_half_seeded(&disk, &dir).unwrap() && std::fs::read_dir(&dir).unwrap().next().is_none());
    seed(&primary, Arc::clone(&disk), &dir).unwrap();
    let e = SeedWriter::begin(Arc::clone(&disk), &dir, &header).unwrap_err();
    assert!(matches!(e, StoreError::NotReady(_)), "there is a database");
    let copy = open(&dir);
    assert_equal(&primary, &copy, "at last");
    for bad in [
        SeedHeader { page_size: 1000, ..header.clone() },
        SeedHeader { database_pages: 0, ..header.clone() },
        SeedHeader { log_from: Lsn(header.lsn.0 + 8), ..header.clone() },
        SeedHeader {
            restart: Some(crate::control::Position { lsn: Lsn(header.lsn.0 + 8), ..header.position() }),
            ..header.clone()
        },
    ] {
        let e = SeedWriter::begin(Arc::clone(&disk), &folder.path().join("bad"), &bad).unwrap_err();
        assert!(e.is_corruption());
    }
}

/// A database whose file shrinks: SQLite does that in a transaction only if it was made so from the start.
pub(super) fn shrinking(folder: &Path) -> Database {
    let file = folder.join("made.db");
    let conn = rusqlite::Connection::open(&file).unwrap();
    conn.execute_batch(
        "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL;
         CREATE TABLE _lsn(one INTEGER PRIMARY KEY CHECK(one = 1), lsn INTEGER NOT NULL) STRICT;
         INSERT INTO _lsn VALUES(1, 0);
         CREATE TABLE t(k INTEGER PRIMARY KEY, v BLOB); CREATE INDEX i ON t(substr(v, 1, 9));",
    )
    .unwrap();
    drop(conn);
    let content = std::fs::read(&file).unwrap();
    let pages: PageMap = (1..).zip(content.chunks(4096).map(<[u8]>::to_vec)).collect();
    let header = SeedHeader {
        page_size: 4096,
        database_pages: pages.len() as u32,
        checksum: checksum(&pages),
        lsn: Lsn(800),
        time: 0,
        log_from: Lsn(800),
        history: History { fork: ForkId::unique(), forks: Vec::new(), end: Lsn(800) },
        recovery_model: RecoveryModel::Full,
        log_backed_up: None,
        full_backup_lsn: None,
        restart: None,
    };
    let dir = folder.join("shrinking");
    let mut writer = SeedWriter::begin(Arc::new(RealDisk), &dir, &header).unwrap();
    pages.iter().for_each(|(n, page)| writer.write_page(*n, page).unwrap());
    writer.finish().unwrap();
    let db = open(&dir);
    db.promote().unwrap();
    db
}

#[test]
fn redo_follows_a_database_that_shrinks() {
    let folder = tempfile::tempdir().unwrap();
    let primary = shrinking(folder.path());
    let dir = folder.path().join("two");
    seed(&primary, Arc::new(RealDisk), &dir).unwrap();
    let copy = open(&dir);
    let mut dice = Dice::new(11);
    let (mut sizes, mut shrunk) = (Vec::new(), 0);
    let reader = copy.connect().unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM t").unwrap();
    let seen = super::replicas::pages_of(&reader);
    for n in 0..60 {
        if dice.below(3) == 0 {
            run(&primary, "DELETE FROM t WHERE k % 3 <> 1; PRAGMA incremental_vacuum");
        } else {
            run(&primary, &change(&mut dice, n));
        }
        if dice.below(2) == 0 {
            ship(&primary, &copy, 1 << 20, 1 << (10 + dice.below(12)));
            assert_equal(&primary, &copy, &format!("change {n}"));
            let size = super::replicas::pages(&copy).len();
            shrunk += u32::from(sizes.last().is_some_and(|last| *last > size));
            sizes.push(size);
        }
        if dice.below(8) == 0 {
            primary.checkpoint().unwrap();
            copy.checkpoint().unwrap();
        }
    }
    assert!(super::replicas::pages_of(&reader) == seen, "a reader of the larger database still has it");
    drop(reader);
    ship(&primary, &copy, 1 << 20, 1 << 20);
    copy.checkpoint().unwrap();
    assert_equal(&primary, &copy, "the end");
    drop(copy);
    assert_equal(&primary, &open(&dir), "opened again");
    assert!(shrunk > 3, "{sizes:?}");
}

/// Recovers a folder twice, as if the machine had gone down when the first recovery was all but done.
fn open_again(dir: &Path) -> Database {
    let control = std::fs::read(dir.join("control")).unwrap();
    drop(open(dir));
    std::fs::write(dir.join("control"), control).unwrap();
    open(dir)
}

#[test]
fn a_secondary_seeds_a_third_whose_recovery_may_be_broken_off() {
    let mut apart = 0;
    for round in 0..12_u64 {
        let folder = tempfile::tempdir().unwrap();
        let primary = source(&folder.path().join("one"));
        let mut dice = Dice::new(70 + round);
        for n in 0..30 {
            run(&primary, &change(&mut dice, n));
        }
        let (_header, second) = {
            let dir = folder.path().join("two");
            (seed(&primary, Arc::new(RealDisk), &dir).unwrap(), open(&dir))
        };
        let _pins = (primary.pin_oldest().unwrap(), second.pin_oldest().unwrap());
        for n in 30..30 + dice.below(60) {
            run(&primary, &change(&mut dice, n));
            match dice.below(9) {
                0 => drop(primary.checkpoint().unwrap()),
                1 => drop(second.checkpoint().unwrap()),
                2 => drop(ship(&primary, &second, 1 << 20, 1 << 20)),
                _ => {}
            }
        }
        ship(&primary, &second, 1 << 20, 1 << (10 + dice.below(10)));
        let dir = folder.path().join("three");
        let header = seed(&second, Arc::new(RealDisk), &dir).unwrap();
        apart += u32::from(header.restart.is_some_and(|r| r.lsn < header.lsn));
        let third = open_again(&dir);
        assert_equal(&second, &third, "seeded");
        for n in 200..230 {
            run(&primary, &change(&mut dice, n));
        }
        ship(&primary, &second, 1 << 20, 1 << 16);
        ship(&second, &third, 1 << 14, 1 << 16);
        assert_equal(&primary, &third, "followed");
        drop(third);
        let third = open_again(&dir);
        ship(&second, &third, 1 << 20, 1 << 20);
        assert_equal(&primary, &third, "recovered twice");
    }
    assert!(apart > 3, "only {apart} copies were taken behind a restart point");
}
