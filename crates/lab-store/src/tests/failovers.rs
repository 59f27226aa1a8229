//! Secondaries, changes of role, seeding and rewinding on a disk that fails and loses power.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use super::crash::copy_folder;
use super::replicas::{Pair, SEGMENT, assert_equal, open, pages, run};
use super::restores::each_fault;
use super::rewinds::{begin, parted};
use super::seeds::{seed_with_log, source};
use super::sim_disk::{Dice, Faults, SimDisk};
use crate::record::page_content;
use crate::{
    Block, Database, Disk, Lsn, Mode, PageMap, ParsedRecord, RealDisk, ReceiveError, StoreError, checksum,
    common_point, is_half_seeded, read_record, redo,
};

fn real() -> Arc<dyn Disk> {
    Arc::new(RealDisk)
}

fn kind(k: u64) -> ErrorKind {
    [ErrorKind::Other, ErrorKind::StorageFull][(k % 2) as usize]
}

fn open_on(disk: &SimDisk, dir: &Path) -> Result<Database, StoreError> {
    Database::open_with(Arc::new(disk.clone()), dir, 16 << 10)
}

fn refused(e: ReceiveError) -> StoreError {
    match e {
        ReceiveError::Store(e) => e,
        other => panic!("{other}"),
    }
}

/// Log that a secondary will get, and what its pages are at each position of it.
struct Script {
    folder: tempfile::TempDir,
    blocks: Vec<Block>,
    states: BTreeMap<Lsn, PageMap>,
    restart_points: usize,
}

fn script() -> Script {
    let pair = Pair::new();
    let start = pair.secondary.end_lsn();
    let mut state: PageMap = pages(&pair.secondary)
        .into_iter()
        .map(|(n, page)| (n, page_content(n, &page).into_owned()))
        .collect();
    let mut dice = Dice::new(77);
    for n in 0..22 {
        let k = dice.below(12);
        run(&pair.primary, &format!("INSERT OR REPLACE INTO t VALUES({k}, randomblob({}))", 500 + n * 60));
        if n % 5 == 2 {
            pair.primary.checkpoint().unwrap();
        }
    }
    let (mut states, mut blocks, mut at) = (BTreeMap::from([(start, state.clone())]), Vec::new(), start);
    let mut restart_points = 0;
    while at < pair.primary.end_lsn() {
        let block = pair.primary.read_block(at, 3000).unwrap();
        let mut rest = &block.bytes[..];
        while let ParsedRecord::Record(record, len) = read_record(rest) {
            let sum = checksum(&state);
            redo(&record, &mut state, sum).unwrap();
            restart_points += usize::from(record.is_restart_point());
            states.insert(Lsn(record.lsn.0 + len as u64), state.clone());
            rest = &rest[len..];
        }
        at = block.to;
        blocks.push(block);
    }
    let Pair { folder, primary, secondary, .. } = pair;
    drop((primary, secondary));
    Script { folder, blocks, states, restart_points }
}

impl Script {
    /// Receives, redoes and checkpoints from where the secondary is; `acked` is what was reported as hardened.
    fn play(&self, db: &Database, acked: &mut Lsn) -> Result<(), StoreError> {
        for (n, block) in self.blocks.iter().enumerate() {
            let Some(known) = db.end_lsn().0.checked_sub(block.from.0) else { unreachable!() };
            let Some(new) = block.bytes.get(known as usize..).filter(|new| !new.is_empty()) else { continue };
            let end = db.receive(new).map_err(refused)?;
            if n % 3 > 0 {
                db.wait_hardened(end)?;
                *acked = (*acked).max(end);
            }
            // One record at a time, or all that there are.
            for _ in 0..n % 4 {
                db.redo(if n % 2 == 0 { 1 } else { 1 << 20 })?;
            }
            if n % 2 == 1 {
                match db.checkpoint() {
                    Err(e) if db.failure().is_some() => return Err(e),
                    _ => {}
                }
            }
        }
        let end = db.end_lsn();
        db.wait_hardened(end)?;
        *acked = end;
        while db.redo(5000)?.records > 0 {}
        db.checkpoint().map(|_| ())
    }

    /// It holds what was hardened, and is what it should be there.
    fn check(&self, db: &Database, acked: Lsn, context: &str) {
        assert_eq!(db.mode(), Mode::Secondary, "{context}");
        assert!(db.end_lsn() >= acked, "{context}: {acked} was hardened, the log ends at {}", db.end_lsn());
        assert_eq!(db.redone_lsn(), db.end_lsn(), "{context}");
        let expected =
            self.states.get(&db.redone_lsn()).unwrap_or_else(|| panic!("{context}: no record ends there"));
        assert!(pages(db) == *expected, "{context}: the pages are not those of {}", db.redone_lsn());
        db.verify().unwrap_or_else(|e| panic!("{context}: {e}"));
    }
}

#[test]
fn a_secondary_survives_power_failures_anywhere() {
    let script = script();
    assert!(script.restart_points > 2 && script.blocks.len() > 7, "{} blocks", script.blocks.len());
    let base = script.folder.path().join("two");
    each_fault(|faults, k| {
        let before = tempfile::tempdir().unwrap();
        copy_folder(&base, &before.path().join("two"));
        let sim = SimDisk::over(before.path());
        let dir = before.path().join("two");
        let db = open_on(&sim, &dir).unwrap();
        sim.arm(faults, kind(k), k);
        let mut acked = db.end_lsn();
        let played = script.play(&db, &mut acked);
        let (_, hits) = sim.counts();
        assert!(hits > 0 || played.is_ok(), "{played:?} without a fault");
        sim.disarm();
        let context = format!("{faults:?} {:?}", sim.failed_sites().keys().next());
        for seed in 0..3 {
            let context = format!("{context}, crash {seed}");
            let after = tempfile::tempdir().unwrap();
            sim.crash(seed + k * 3, before.path(), after.path());
            // The same again, on a disk that loses power in the middle of it.
            let again = SimDisk::over(after.path());
            let dir = after.path().join("two");
            let db = open_on(&again, &dir).unwrap_or_else(|e| panic!("{context}: {e}"));
            script.check(&db, acked, &context);
            let mut acked = db.end_lsn();
            if (k + seed) % 3 == 0 {
                again.arm(Faults::From((k * 7 + seed * 31) % 90), ErrorKind::Other, seed);
            }
            let _interrupted = script.play(&db, &mut acked);
            again.disarm();
            drop(db);
            let last = tempfile::tempdir().unwrap();
            again.crash(seed + k, after.path(), last.path());
            let db = open(&last.path().join("two"));
            script.check(&db, acked, &format!("{context}, going on"));
            let mut acked = Lsn(0);
            script.play(&db, &mut acked).unwrap_or_else(|e| panic!("{context}: {e}"));
            assert_eq!(Some((&acked, &pages(&db))), script.states.iter().next_back(), "{context}");
        }
        drop(db);
        // The same disk, in the same process.
        script.check(&open_on(&sim, &dir).unwrap(), acked, &context);
        (hits, sim.failed_sites())
    });
}

/// What was reported of a planned change of roles and back.
#[derive(Debug, Default)]
struct Told {
    /// Commits that were acknowledged, the first ones on both sides.
    commits: i64,
    demoted: bool,
    promoted: bool,
}

fn commit(db: &Database, told: &mut Told) -> Result<(), StoreError> {
    let conn = db.connect()?;
    let failed = |e: rusqlite::Error| StoreError::sqlite("the test", &e);
    let k = told.commits + 1;
    conn.execute_batch(&format!("BEGIN; INSERT OR REPLACE INTO t VALUES({k}, randomblob(900))"))
        .map_err(failed)?;
    let pending = db.begin_commit(&conn, "main")?;
    if let Err(e) = conn.execute_batch("COMMIT") {
        pending.abort()?;
        return Err(failed(e));
    }
    db.wait_hardened(pending.finish(crate::CommitNote::default())?)?;
    told.commits = k;
    Ok(())
}

fn follow(from: &Database, to: &Database) -> Result<(), StoreError> {
    while to.end_lsn() < from.hardened_lsn() {
        let block = match from.read_block(to.end_lsn(), 3000) {
            Ok(block) => block,
            Err(crate::BlockError::Store(e)) => return Err(e),
            Err(e) => panic!("{e}"),
        };
        let end = to.receive(&block.bytes).map_err(refused)?;
        to.wait_hardened(end)?;
    }
    while to.redo(4000)?.records > 0 {}
    Ok(())
}

/// One is a primary, two its secondary; in the end it is the other way round.
fn change_roles(one: &Database, two: &Database, told: &mut Told) -> Result<(), StoreError> {
    // Synchronous: only what both have is reported.
    for _ in 0..2 {
        commit(one, told).and_then(|()| follow(one, two)).inspect_err(|_| told.commits = 0)?;
    }
    one.demote()?;
    told.demoted = true;
    follow(one, two)?;
    two.promote()?;
    told.promoted = true;
    commit(two, told)?;
    one.enter_fork(&two.history()).map_err(refused)?;
    follow(two, one)?;
    commit(two, told)?;
    two.checkpoint()?;
    follow(two, one)?;
    one.checkpoint().map(|_| ())
}

/// Finishes a change of roles that was broken off, as a driver would that reads only what the two say.
fn go_on(one: &Database, two: &Database, context: &str) {
    let lead = |from: &Database, to: &Database| {
        let common = common_point(&from.history(), &to.history()).unwrap();
        assert_eq!(common.lsn, to.end_lsn(), "{context}: nothing is on one side alone");
        to.enter_fork(&from.history()).unwrap_or_else(|e| panic!("{context}: {e}"));
        follow(from, to).unwrap_or_else(|e| panic!("{context}: {e}"));
    };
    match (one.mode(), two.mode()) {
        (Mode::Primary, Mode::Secondary) => lead(one, two),
        (Mode::Secondary, Mode::Primary) => lead(two, one),
        (Mode::Secondary, Mode::Secondary) => {
            lead(one, two);
            two.promote().unwrap();
            lead(two, one);
        }
        (Mode::Primary, Mode::Primary) => panic!("{context}: two primaries"),
    }
    assert_equal(one, two, context);
}

#[test]
fn a_power_failure_anywhere_in_a_change_of_roles_loses_nothing() {
    let pair = Pair::new();
    run(&pair.primary, "INSERT INTO t VALUES(100, randomblob(5000))");
    pair.ship(1 << 20, 1 << 20);
    let Pair { folder: base, primary, secondary, pins } = pair;
    drop((primary, secondary, pins));
    each_fault(|faults, k| {
        let before = tempfile::tempdir().unwrap();
        copy_folder(base.path(), before.path());
        let sim = SimDisk::over(before.path());
        let one = open_on(&sim, &before.path().join("one")).unwrap();
        let two = open_on(&sim, &before.path().join("two")).unwrap();
        let _pins = (one.pin_oldest().unwrap(), two.pin_oldest().unwrap());
        sim.arm(faults, kind(k), k);
        let mut told = Told::default();
        let done = change_roles(&one, &two, &mut told);
        let (_, hits) = sim.counts();
        assert!(hits > 0 || done.is_ok(), "{done:?} without a fault");
        sim.disarm();
        for seed in 0..3 {
            let context =
                format!("{faults:?} {:?}, crash {seed}, {told:?}", sim.failed_sites().keys().next());
            let after = tempfile::tempdir().unwrap();
            sim.crash(seed + k * 3, before.path(), after.path());
            let open = |name: &str| {
                let db = Database::open_with(real(), &after.path().join(name), 16 << 10);
                let db = db.unwrap_or_else(|e| panic!("{context}: {e}"));
                db.verify().unwrap_or_else(|e| panic!("{context}: {e}"));
                db
            };
            let (one, two) = (open("one"), open("two"));
            assert!(!told.demoted || one.mode() == Mode::Secondary, "{context}: demoted");
            assert!(!told.promoted || two.mode() == Mode::Primary, "{context}: promoted");
            go_on(&one, &two, &context);
            let has: i64 = one
                .connect()
                .unwrap()
                .query_row("SELECT count(*) FROM t WHERE k <= ?1", [told.commits], |r| r.get(0))
                .unwrap();
            assert_eq!(has, told.commits, "{context}: a commit that was reported is lost");
        }
        (hits, sim.failed_sites())
    });
}

#[test]
fn a_power_failure_anywhere_in_a_seeding_leaves_none_or_all() {
    let folder = tempfile::tempdir().unwrap();
    let primary = source(&folder.path().join("one"));
    run(&primary, "INSERT INTO t VALUES(1, randomblob(12000))");
    let _pin = primary.pin_oldest().unwrap();
    let (mut half, mut whole) = (0, 0);
    each_fault(|faults, k| {
        let before = tempfile::tempdir().unwrap();
        let sim = SimDisk::over(before.path());
        sim.arm(faults, kind(k), k);
        let dir = before.path().join("two");
        let seeded = seed_with_log(&primary, Arc::new(sim.clone()), &dir, Some(Lsn(0)));
        let (_, hits) = sim.counts();
        sim.disarm();
        for crash in 0..4 {
            let context = format!("{faults:?} {:?}, crash {crash}", sim.failed_sites().keys().next());
            let after = tempfile::tempdir().unwrap();
            sim.crash(crash + k, before.path(), after.path());
            let dir = after.path().join("two");
            let opened = Database::open(real(), &dir);
            match &opened {
                Ok(_) => whole += 1,
                Err(_) => {
                    half += 1;
                    assert!(seeded.is_err(), "{context}: a seeding that was reported as done is lost");
                    let is_empty = std::fs::read_dir(&dir).map_or(true, |mut d| d.next().is_none());
                    assert!(is_half_seeded(&real(), &dir).unwrap() || is_empty, "{context}");
                    seed_with_log(&primary, real(), &dir, None).unwrap_or_else(|e| panic!("{context}: {e}"));
                }
            }
            let copy = opened.unwrap_or_else(|_| Database::open(real(), &dir).unwrap());
            assert_eq!(copy.mode(), Mode::Secondary, "{context}");
            assert_equal(&primary, &copy, &context);
        }
        (hits, sim.failed_sites())
    });
    assert!(half > 20 && whole > 3, "{half} half seeded, {whole} whole");
}

#[test]
fn a_power_failure_anywhere_in_a_rewind_leaves_the_old_database_or_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut dice = Dice::new(21);
    let (winner, loser) = parted(folder.path(), &mut dice, true);
    let _pin = winner.pin_oldest().unwrap();
    let (base, old) = (loser.dir.clone(), (loser.end_lsn(), loser.stats().checksum));
    drop(loser);
    let (mut rewound, mut kept) = (0, 0);
    each_fault(|faults, k| {
        let before = tempfile::tempdir().unwrap();
        let dir = before.path().join("one");
        copy_folder(&base, &dir);
        let sim = SimDisk::over(before.path());
        let loser = Database::open_with(Arc::new(sim.clone()), &dir, SEGMENT).unwrap();
        sim.arm(faults, kind(k), k);
        let rewind = begin(&loser, &winner, Arc::new(sim.clone()), &dir);
        drop(loser);
        let finished = rewind.and_then(crate::Rewind::finish);
        let (_, hits) = sim.counts();
        sim.disarm();
        for crash in 0..2 {
            let context = format!("{faults:?} {:?}, crash {crash}", sim.failed_sites().keys().next());
            let mut after = tempfile::tempdir().unwrap();
            sim.crash(crash + k * 2, before.path(), after.path());
            if k % 3 == 0 {
                // Recovery goes on with it, and is broken off itself.
                let again = SimDisk::over(after.path());
                again.arm(Faults::From(k * 5 % 70), ErrorKind::Other, k);
                let _interrupted = open_on(&again, &after.path().join("one"));
                let next = tempfile::tempdir().unwrap();
                again.crash(crash, after.path(), next.path());
                after = next;
            }
            let dir = after.path().join("one");
            let db = open(&dir);
            if db.mode() == Mode::Primary {
                kept += 1;
                assert!(finished.is_err(), "{context}: a rewind that was reported as done is lost");
                assert_eq!((db.end_lsn(), db.stats().checksum), old, "{context}");
                db.verify().unwrap_or_else(|e| panic!("{context}: {e}"));
                let rewind = begin(&db, &winner, real(), &dir).unwrap();
                drop(db);
                rewind.finish().unwrap_or_else(|e| panic!("{context}: {e}"));
            } else {
                rewound += 1;
            }
            let db = open(&dir);
            assert_eq!(db.mode(), Mode::Secondary, "{context}");
            assert_equal(&winner, &db, &context);
        }
        (hits, sim.failed_sites())
    });
    assert!(rewound > 20 && kept > 20, "{rewound} rewound, {kept} kept");
}
