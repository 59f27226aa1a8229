//! Backups and restores on a disk that fails and loses power.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use super::commit;
use super::sim_disk::{Faults, SimDisk};
use crate::{
    BackupError, BackupKind, BackupOptions, CreateOptions, Database, Disk, Lsn, Media, RealDisk,
    RecoveryModel, Target, recover, restore_full, restore_log, restored_lsn, verify_set,
};

fn real() -> Arc<dyn Disk> {
    Arc::new(RealDisk)
}

fn asked(kind: BackupKind, target: Target) -> BackupOptions {
    BackupOptions {
        kind,
        target,
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

fn insert(db: &Database, n: usize) {
    let conn = db.connect().unwrap();
    for _ in 0..n {
        commit(db, &conn, "INSERT INTO t(b) VALUES(hex(randomblob(300)))");
    }
}

/// A database with a full and a log backup of it.
fn database(root: &Path) -> Database {
    let options = CreateOptions { recovery_model: RecoveryModel::Full, ..CreateOptions::default() };
    let db = Database::create(real(), &root.join("d"), options).unwrap();
    commit(&db, &db.connect().unwrap(), "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT)");
    insert(&db, 8);
    db.backup(&root.join("full"), &asked(BackupKind::Full, Target::Format), &mut |_, _| true).unwrap();
    insert(&db, 8);
    db.backup(&root.join("log"), &asked(BackupKind::Log, Target::Format), &mut |_, _| true).unwrap();
    db
}

/// Every k-th operation, once and from there on, until nothing fails any more.
pub(super) fn each_fault(mut run: impl FnMut(Faults, u64) -> (u64, BTreeMap<&'static str, u64>)) {
    let (mut hits, mut sites) = (0, BTreeMap::new());
    for faults in [Faults::Once as fn(u64) -> Faults, Faults::From] {
        for k in 1.. {
            let (hit, failed) = run(faults(k), k);
            if hit == 0 {
                break;
            }
            hits += hit;
            failed.into_iter().for_each(|(site, n)| *sites.entry(site).or_insert(0) += n);
        }
    }
    println!("{hits} faults: {sites:?}");
    assert!(hits > 25, "only {hits} faults");
}

#[test]
fn a_power_failure_anywhere_in_a_restore_leaves_what_was_restored() {
    let folder = tempfile::tempdir().unwrap();
    let db = database(folder.path());
    let full = Media::open(&real(), &folder.path().join("full")).unwrap();
    let log = Media::open(&real(), &folder.path().join("log")).unwrap();
    let (full_set, log_set) = (full.set(1).unwrap(), log.set(1).unwrap());
    let (base, end) = (full_set.header.last_lsn, log_set.header.last_lsn);
    each_fault(|faults, k| {
        let before = tempfile::tempdir().unwrap();
        restore_full(&real(), &before.path().join("r"), &full, &full_set, &mut |_, _| true).unwrap();
        let sim = SimDisk::over(before.path());
        sim.arm(faults, ErrorKind::Other, k);
        let disk: Arc<dyn Disk> = Arc::new(sim.clone());
        let dir = before.path().join("r");
        let stacked = restore_log(&disk, &dir, &log, &log_set, None, &mut |_, _| true);
        let recovered = stacked.is_ok() && recover(&disk, &dir).is_ok();
        let (_, hits) = sim.counts();
        for seed in 0..6 {
            let context = format!("{faults:?}, crash {seed}");
            let after = tempfile::tempdir().unwrap();
            sim.crash(seed, before.path(), after.path());
            let dir = after.path().join("r");
            match restored_lsn(&real(), &dir) {
                Ok(at) => {
                    assert!(at == end || (at == base && stacked.is_err()), "{context}: it is at {at}");
                    assert!(!recovered, "{context}: the end of the restore is lost");
                    restore_log(&real(), &dir, &log, &log_set, None, &mut |_, _| true)
                        .unwrap_or_else(|e| panic!("{context}: {e}"));
                }
                Err(BackupError::NotRestoring) => assert!(stacked.is_ok(), "{context}"),
                Err(e) => panic!("{context}: {e}"),
            }
            recover(&real(), &dir).unwrap_or_else(|e| panic!("{context}: {e}"));
            let copy = Database::open(real(), &dir).unwrap_or_else(|e| panic!("{context}: {e}"));
            copy.verify().unwrap_or_else(|e| panic!("{context}: {e}"));
            assert_eq!(
                (copy.stats().checksum, copy.stats().end),
                (db.stats().checksum, db.stats().end),
                "{context}"
            );
        }
        (hits, sim.failed_sites())
    });
}

#[test]
fn a_power_failure_anywhere_in_a_full_restore_leaves_none_or_all() {
    let folder = tempfile::tempdir().unwrap();
    let db = database(folder.path());
    let full = Media::open(&real(), &folder.path().join("full")).unwrap();
    let set = full.set(1).unwrap();
    let mut lost = 0;
    each_fault(|faults, k| {
        let before = tempfile::tempdir().unwrap();
        let sim = SimDisk::over(before.path());
        sim.arm(faults, ErrorKind::Other, k);
        let disk: Arc<dyn Disk> = Arc::new(sim.clone());
        let done = restore_full(&disk, &before.path().join("r"), &full, &set, &mut |_, _| true);
        let (_, hits) = sim.counts();
        for seed in 0..6 {
            let context = format!("{faults:?}, crash {seed}");
            let after = tempfile::tempdir().unwrap();
            sim.crash(seed, before.path(), after.path());
            let dir = after.path().join("r");
            match restored_lsn(&real(), &dir) {
                Ok(at) => assert_eq!(at, set.header.last_lsn, "{context}"),
                Err(e) => {
                    assert!(done.is_err(), "{context}: a restore that was reported as done is lost: {e}");
                    lost += 1;
                    continue;
                }
            }
            recover(&real(), &dir).unwrap_or_else(|e| panic!("{context}: {e}"));
            Database::open(real(), &dir).unwrap().verify().unwrap_or_else(|e| panic!("{context}: {e}"));
        }
        (hits, sim.failed_sites())
    });
    assert!(lost > 10);
    drop(db);
}

#[test]
fn a_power_failure_anywhere_in_a_backup_leaves_the_device_of_use_and_no_log_lost() {
    for target in [Target::Append, Target::Init] {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        std::fs::create_dir_all(&root).unwrap();
        let db = database(&root);
        insert(&db, 6);
        let end = db.stats().end;
        drop(db);
        each_fault(|faults, k| {
            let before = tempfile::tempdir().unwrap();
            super::crash::copy_folder(&root, before.path());
            let sim = SimDisk::over(before.path());
            let db = Database::open(Arc::new(sim.clone()), &before.path().join("d")).unwrap();
            sim.arm(faults, ErrorKind::Other, k);
            let device = before.path().join("log");
            let done = db.backup(&device, &asked(BackupKind::Log, target), &mut |_, _| true);
            let (_, hits) = sim.counts();
            sim.disarm();
            for seed in 0..6 {
                let context = format!("{target:?}, {faults:?}, crash {seed}");
                let after = tempfile::tempdir().unwrap();
                sim.crash(seed, before.path(), after.path());
                let (sets, covered) = readable(&after.path().join("log"), &context);
                if done.is_ok() {
                    assert_eq!(covered, end, "{context}: a backup that was reported as done is lost");
                    assert_eq!(sets, if target == Target::Append { 2 } else { 1 }, "{context}");
                }
                // The chain goes on where a backup on the device ends, or earlier.
                let db = Database::open(real(), &after.path().join("d"))
                    .unwrap_or_else(|e| panic!("{context}: {e}"));
                let next = after.path().join("next");
                let next = db
                    .backup(&next, &asked(BackupKind::Log, Target::Format), &mut |_, _| true)
                    .unwrap_or_else(|e| panic!("{context}: {e}"));
                assert!(next.header.first_lsn <= covered, "{context}: log is in no backup");
                assert_eq!(next.header.last_lsn, end, "{context}");
            }
            (hits, sim.failed_sites())
        });
    }
}

/// How many whole backups a device holds, all of which verify, and where the last one ends.
fn readable(device: &Path, context: &str) -> (usize, Lsn) {
    let media = Media::open(&real(), device).unwrap_or_else(|e| panic!("{context}: {e}"));
    let listing = media.list().unwrap();
    for set in &listing.sets {
        verify_set(&media, set, &mut |_, _| true).unwrap_or_else(|e| panic!("{context}: {e}"));
    }
    let last = listing.sets.last().unwrap_or_else(|| panic!("{context}: {:?}", listing.fault));
    (listing.sets.len(), last.header.last_lsn)
}
