//! What is tried under faults and power failures.

use std::sync::{Arc, Mutex};

use super::crash::{Op, Scenario, World, noise};
use super::sim_disk::{Dice, SimDisk};
use crate::log::Log;
use crate::record::change;
use crate::{CommitNote, Database, Disk, ForkId, History, Lsn, Record, RecoveryModel, StoreError, replay};

fn put(dice: &mut Dice, len: usize) -> Op {
    Op::Put(dice.below(40) as i64, noise(dice, len))
}

fn commits(world: &World, dice: &mut Dice, n: usize, len: usize) -> Result<(), StoreError> {
    let session = world.session()?;
    (0..n).try_for_each(|_| session.commit(&[put(dice, len)]))
}

/// A checkpoint may fail and leave the database running.
fn checkpoint(db: &Database) -> Result<(), StoreError> {
    match db.checkpoint() {
        Err(e) if db.failure().is_some() => Err(e),
        _ => Ok(()),
    }
}

fn nothing(_: &mut World) {}

fn empty(world: &mut World) {
    world.create(RecoveryModel::Simple).unwrap();
}

fn some_rows(world: &mut World) {
    empty(world);
    commits(world, &mut Dice::new(1), 12, 900).unwrap();
    world.db().checkpoint().unwrap();
    commits(world, &mut Dice::new(2), 5, 900).unwrap();
}

#[test]
fn create() {
    Scenario {
        name: "create",
        whole_log: true,
        prepare: nothing,
        run: |w| w.create(RecoveryModel::Full),
        operations_min: 25,
    }
    .drive();
}

#[test]
fn first_commits() {
    Scenario {
        name: "first commits",
        whole_log: true,
        prepare: empty,
        run: |w| commits(w, &mut Dice::new(3), 3, 300),
        operations_min: 20,
    }
    .drive();
}

#[test]
fn many_commits_across_segment_ends() {
    Scenario {
        name: "many commits",
        whole_log: true,
        prepare: some_rows,
        run: |w| commits(w, &mut Dice::new(4), 14, 2500),
        operations_min: 60,
    }
    .drive();
}

#[test]
fn a_commit_of_several_segments() {
    Scenario {
        name: "big commit",
        whole_log: true,
        prepare: some_rows,
        run: |w| {
            let mut dice = Dice::new(5);
            let session = w.session()?;
            session.commit(&[put(&mut dice, 100)])?;
            session.commit(&(0..12).map(|k| Op::Put(k, noise(&mut dice, 6000))).collect::<Vec<_>>())?;
            session.commit(&[put(&mut dice, 100), Op::Delete(3)])
        },
        operations_min: 25,
    }
    .drive();
}

#[test]
fn checkpoints_between_commits() {
    Scenario {
        name: "checkpoint",
        whole_log: false,
        prepare: some_rows,
        run: |w| {
            let mut dice = Dice::new(6);
            commits(w, &mut dice, 2, 500)?;
            checkpoint(w.db())?;
            commits(w, &mut dice, 2, 500)?;
            checkpoint(w.db())?;
            checkpoint(w.db())?;
            commits(w, &mut dice, 1, 500)
        },
        operations_min: 50,
    }
    .drive();
}

#[test]
fn checkpoints_beside_readers() {
    Scenario {
        name: "checkpoint with readers",
        whole_log: false,
        prepare: some_rows,
        run: |w| {
            let mut dice = Dice::new(7);
            let mut reader = w.session()?;
            reader.read()?;
            commits(w, &mut dice, 2, 500)?;
            // Cannot be completed: the reader needs the older pages.
            checkpoint(w.db())?;
            commits(w, &mut dice, 2, 500)?;
            let older = std::mem::replace(&mut reader, w.session()?);
            reader.read()?;
            drop(older);
            checkpoint(w.db())?;
            commits(w, &mut dice, 1, 500)?;
            drop(reader);
            checkpoint(w.db())?;
            commits(w, &mut dice, 1, 500)
        },
        operations_min: 50,
    }
    .drive();
}

#[test]
fn truncating_the_log() {
    Scenario {
        name: "truncate",
        whole_log: false,
        prepare: |w| {
            empty(w);
            commits(w, &mut Dice::new(8), 16, 2500).unwrap();
        },
        run: |w| {
            let mut dice = Dice::new(9);
            checkpoint(w.db())?;
            commits(w, &mut dice, 5, 2500)?;
            checkpoint(w.db())?;
            commits(w, &mut dice, 1, 2500)
        },
        operations_min: 40,
    }
    .drive();
}

#[test]
fn changing_the_recovery_model() {
    Scenario {
        name: "recovery model",
        whole_log: false,
        prepare: some_rows,
        run: |w| {
            let mut dice = Dice::new(10);
            for model in [RecoveryModel::Full, RecoveryModel::BulkLogged, RecoveryModel::Simple] {
                match w.db().set_recovery_model(model) {
                    Ok(()) => assert_eq!(w.db().recovery_model(), model),
                    Err(e) if w.db().failure().is_some() => return Err(e),
                    Err(_) => assert_ne!(w.db().recovery_model(), model, "not changed, as reported"),
                }
                commits(w, &mut dice, 1, 200)?;
                checkpoint(w.db())?;
            }
            Ok(())
        },
        operations_min: 50,
    }
    .drive();
}

#[test]
fn pages_freed_and_taken_again() {
    Scenario {
        name: "freed pages",
        whole_log: false,
        prepare: some_rows,
        run: |w| {
            let mut dice = Dice::new(11);
            let session = w.session()?;
            session.commit(&[Op::Scratch(30_000), put(&mut dice, 50)])?;
            session.commit(&(0..40).map(Op::Delete).collect::<Vec<_>>())?;
            checkpoint(w.db())?;
            session.commit(&[Op::Scratch(60_000)])?;
            session.roll_back(&mut dice)?;
            session.commit(&(0..6).map(|_| put(&mut dice, 5000)).collect::<Vec<_>>())?;
            checkpoint(w.db())?;
            session.roll_back(&mut dice)?;
            session.commit(&[put(&mut dice, 50), Op::Scratch(9000)])
        },
        operations_min: 50,
    }
    .drive();
}

/// A world in which a crash has happened, with a log to redo.
fn crashed(world: &mut World) {
    empty(world);
    commits(world, &mut Dice::new(12), 6, 2000).unwrap();
    world.db().checkpoint().unwrap();
    commits(world, &mut Dice::new(13), 9, 2000).unwrap();
    // Half of a checkpoint is in the data file.
    let reader = world.session().unwrap();
    reader.read().unwrap();
    commits(world, &mut Dice::new(14), 2, 2000).unwrap();
    assert!(!world.db().checkpoint().unwrap().completed);
}

#[test]
fn recovery_and_recovery_after_that() {
    Scenario {
        name: "recovery",
        whole_log: true,
        prepare: crashed,
        run: |w| {
            // What is in the data file beside the log is anything between the last checkpoint and now.
            w.open()?;
            commits(w, &mut Dice::new(15), 2, 300)?;
            w.open()?;
            commits(w, &mut Dice::new(16), 1, 300)
        },
        operations_min: 60,
    }
    .drive();
}

#[test]
fn recovery_of_a_crashed_database_that_crashes_again() {
    // As above, from images of a crash, and the crashes follow each other.
    let mut base = World::new();
    crashed(&mut base);
    let (mut crashes, mut faults) = (0, 0);
    for first in 0..5 {
        for k in (first % 3..).step_by(3) {
            let mut world = base.after_crash(first);
            world.disk.arm(super::sim_disk::Faults::From(k), std::io::ErrorKind::Other, k);
            let opened = world.open();
            let (_, hits) = world.disk.counts();
            world.disk.disarm();
            let mut again = world.after_crash(first * 31 + k);
            again.disk.arm(super::sim_disk::Faults::From(k / 2), std::io::ErrorKind::Other, k);
            let _interrupted = again.open();
            again.disk.disarm();
            again
                .after_crash(k)
                .open_and_check(&format!("crash {first}, recovery cut off at {k} and {}", k / 2));
            crashes += 3;
            faults += hits;
            if hits == 0 {
                opened.unwrap();
                break;
            }
        }
    }
    println!("recovery of crashes: {crashes} crashes, {faults} faults");
    assert!(crashes > 400 && faults > 100, "{crashes} crashes, {faults} faults");
}

/// Four committers, each waiting for its commits alone; beside them, `checkpoints` checkpoints.
fn committers(w: &World, commits: u64, checkpoints: usize) -> Result<(), StoreError> {
    let write_lock = Mutex::new(());
    let outcomes: Vec<Result<(), StoreError>> = std::thread::scope(|s| {
        let checkpointer = s.spawn(|| (0..checkpoints).try_for_each(|_| checkpoint(w.db())));
        let workers: Vec<_> = (0..4)
            .map(|n| {
                let (session, db, lock) = (w.session(), Arc::clone(w.db.as_ref().unwrap()), &write_lock);
                let model = Arc::clone(&w.model);
                s.spawn(move || {
                    let session = session?;
                    let mut dice = Dice::new(20 + n);
                    for _ in 0..commits {
                        let held = lock.lock().unwrap();
                        let (number, lsn) = session.commit_only(&[put(&mut dice, 1200)])?;
                        drop(held);
                        db.wait_hardened(lsn)?;
                        let mut model = model.lock().unwrap();
                        model.acked = model.acked.max(number);
                    }
                    Ok(())
                })
            })
            .collect();
        workers.into_iter().chain([checkpointer]).map(|w| w.join().unwrap()).collect()
    });
    outcomes.into_iter().collect()
}

#[test]
fn committers_that_are_hardened_in_groups() {
    Scenario {
        name: "group commit",
        whole_log: true,
        prepare: some_rows,
        run: |w| committers(w, 5, 0),
        operations_min: 40,
    }
    .drive();
}

#[test]
fn checkpoints_beside_committers() {
    Scenario {
        name: "checkpoints beside committers",
        whole_log: false,
        prepare: some_rows,
        run: |w| committers(w, 4, 3),
        operations_min: 50,
    }
    .drive();
}

#[test]
fn a_database_made_where_another_was_cut_off_has_nothing_of_it() {
    let mut world = World::new();
    empty(&mut world);
    commits(&world, &mut Dice::new(1), 3, 300).unwrap();
    world.db = None;
    std::fs::remove_file(world.dir().join("data.db")).unwrap();
    let mut again = world.copy();
    *again.model() = super::crash::Model { states: vec![super::crash::Rows::new()], ..Default::default() };
    empty(&mut again);
    again.check("made anew");
    commits(&again, &mut Dice::new(2), 1, 300).unwrap();
    again.after_crash(0).open_and_check("made anew, crashed");
}

const FORK: ForkId = ForkId([7; 16]);

fn history() -> History {
    History { fork: FORK, forks: Vec::new(), end: Lsn(u64::MAX) }
}

/// Makes a record with a page of that many bytes.
fn record(seed: u64, len: usize) -> impl FnOnce(Lsn, Lsn) -> Record {
    let page = noise(&mut Dice::new(seed), len);
    move |lsn, hardened| Record {
        lsn,
        hardened,
        checksum_before: 0,
        checksum_after: 0,
        time: 0,
        database_pages: 1,
        page_size: 512,
        fork: FORK,
        flags: 0,
        note: CommitNote::default(),
        pages: vec![change(1, (&[], 0), &page, true)],
    }
}

/// A segment that is being made may not come to be: until it is durable, the one before it stays.
#[test]
fn the_log_is_not_cut_down_to_a_segment_that_is_being_made() {
    for seed in 0..40 {
        let (folder, image) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let sim = SimDisk::over(folder.path());
        let disk: Arc<dyn Disk> = Arc::new(sim.clone());
        let log = Arc::new(Log::start(Arc::clone(&disk), folder.path(), Lsn(0), 1024).unwrap());
        let first = log.append(record(1, 100)).unwrap();
        log.wait(first).unwrap();
        let (cutter, cut_short) = (Arc::clone(&log), sim.clone());
        sim.at("segment zero", move || {
            cut_short.arm_site("log folder");
            let _failed = cutter.truncate(first, &crate::backup::Pins::default());
        });
        let second = log.append(record(2, 2000)).unwrap();
        assert!(log.wait(second).is_err(), "the folder cannot be synced");
        sim.crash(seed, folder.path(), image.path());
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::over(image.path()));
        let read = replay::replay(&disk, image.path(), first, first, &history(), |_| Ok(()));
        assert_eq!(read.map(|r| r.end), Ok(first), "crash {seed}");
    }
}

/// What an earlier, shorter life of a segment left behind its end has the right LSN, and is nothing.
#[test]
fn a_segment_that_is_made_again_holds_nothing_of_before() {
    let folder = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(crate::RealDisk);
    let log = Log::start(Arc::clone(&disk), folder.path(), Lsn(0), 4096).unwrap();
    let first = log.append(record(1, 100)).unwrap();
    log.wait(log.append(record(2, 100)).unwrap()).unwrap();
    drop(log);
    let segment = crate::log::segment_path(folder.path(), Lsn(0));
    let mut bytes = std::fs::read(&segment).unwrap();
    // Torn, as if both had been written at once and never synced.
    bytes[64 + 90] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let log = Log::start(Arc::clone(&disk), folder.path(), Lsn(0), 4096).unwrap();
    assert_eq!(log.append(record(3, 100)), Ok(first), "as long as the one before");
    log.wait(first).unwrap();
    let read = replay::replay(&disk, folder.path(), Lsn(0), first, &history(), |_| Ok(()));
    assert_eq!(read.map(|r| r.end), Ok(first));
}

/// A record says what was durable when it was written, which is more than when it was made.
#[test]
fn a_record_that_was_made_while_another_was_written_proves_that_one() {
    let folder = tempfile::tempdir().unwrap();
    let sim = SimDisk::over(folder.path());
    let log = Arc::new(Log::start(Arc::new(sim.clone()), folder.path(), Lsn(0), 4096).unwrap());
    let meanwhile = Arc::clone(&log);
    sim.at("log sync", move || {
        meanwhile.append(record(2, 100)).unwrap();
    });
    log.wait(log.append(record(1, 100)).unwrap()).unwrap();
    log.wait(log.end()).unwrap();
    let segment = crate::log::segment_path(folder.path(), Lsn(0));
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[64 + 90] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let disk: Arc<dyn Disk> = Arc::new(crate::RealDisk);
    let read = replay::replay(&disk, folder.path(), Lsn(0), Lsn(0), &history(), |_| Ok(()));
    assert!(read.is_err_and(|e| e.is_corruption()));
}

/// SQLite copies nothing of a page that has been changed again since the checkpoint's snapshot: redo may begin there only
/// if that change is in the log.
#[test]
fn a_checkpoint_does_not_count_on_a_commit_that_is_never_hardened() {
    let mut base = World::new();
    some_rows(&mut base);
    base.db = None;
    let mut unhardened = 0;
    for seed in 0..8 {
        let mut world = base.copy();
        world.open().unwrap();
        let (first, second) = (world.session().unwrap(), world.session().unwrap());
        let mut dice = Dice::new(seed);
        first.commit_only(&[put(&mut dice, 500)]).unwrap();
        let disk = world.disk.clone();
        // While the checkpoint hardens what its snapshot shows.
        world.disk.at("log sync", move || {
            second.commit_only(&[put(&mut dice, 500)]).unwrap();
            disk.arm_site("log write");
        });
        unhardened += u32::from(world.db().checkpoint().is_err());
        world.disk.disarm();
        world.after_crash(seed).open_and_check(&format!("crash {seed}"));
    }
    assert!(unhardened > 0, "the checkpoint was never overtaken");
}

#[test]
fn the_control_file_is_durable_before_the_log_goes_that_it_no_longer_needs() {
    let mut base = World::new();
    empty(&mut base);
    commits(&base, &mut Dice::new(8), 16, 2500).unwrap();
    base.db = None;
    for seed in 0..32 {
        // Opening moves the checkpoint to the end of the log: these commits come after it.
        let mut world = base.copy();
        world.open().unwrap();
        commits(&world, &mut Dice::new(9), 8, 2500).unwrap();
        world.disk.arm_site("log folder");
        assert!(world.db().checkpoint().is_err(), "the removal cannot be synced");
        world.disk.disarm();
        world.after_crash(seed).open_and_check(&format!("crash {seed}"));
    }
}
