//! Rewinding the loser of a forced failover.

use std::path::Path;
use std::sync::Arc;

use super::replicas::{assert_equal, change, open, run, run_noting, ship};
use super::seeds::{seed, shrinking, source};
use super::sim_disk::Dice;
use crate::{
    BlockError, CommitNote, Database, Disk, Lsn, Mode, RealDisk, ReceiveError, Rewind, StoreError, TableRows,
    common_point,
};

fn store(e: BlockError) -> StoreError {
    match e {
        BlockError::Store(e) => e,
        other => panic!("{other}"),
    }
}

/// What the winner sends for a rewind, written beside the loser, which may be open.
pub(super) fn begin(
    loser: &Database,
    winner: &Database,
    disk: Arc<dyn Disk>,
    dir: &Path,
) -> Result<Rewind, StoreError> {
    let common = common_point(&loser.history(), &winner.history()).unwrap().lsn;
    let theirs = loser.pages_changed_since(common).map_err(store)?;
    let (header, snapshot, _pin) = winner.seed(Some(common))?;
    let mut pages = winner.pages_changed_since(common).unwrap();
    pages.extend(theirs);
    let mut rewind = Rewind::begin(disk, dir, &header)?;
    snapshot.read_pages(pages, |number, page| rewind.write_page(number, page))?;
    let mut at = common;
    while at < header.lsn {
        let max = usize::try_from(header.lsn.0 - at.0).unwrap();
        let block = winner.read_block(at, max.min(5000)).unwrap();
        rewind.append_log(&block.bytes)?;
        at = block.to;
    }
    Ok(rewind)
}

/// Two copies of a database that parted: the winner, and the loser's folder.
pub(super) fn parted(folder: &Path, dice: &mut Dice, shrinks: bool) -> (Database, Database) {
    let loser = if shrinks { shrinking(folder) } else { source(&folder.join("one")) };
    run(&loser, "CREATE TABLE old(a); INSERT INTO old VALUES(zeroblob(30000)), ('x')");
    let dir = folder.join("two");
    seed(&loser, Arc::new(RealDisk), &dir).unwrap();
    let winner = open(&dir);
    let _pins = (loser.pin_oldest().unwrap(), winner.pin_oldest().unwrap());
    let mut both = |db: &Database, n: usize| {
        for n in n..n + 8 {
            if shrinks && dice.below(3) == 0 {
                run(db, "DELETE FROM t WHERE k % 3 <> 1; PRAGMA incremental_vacuum");
            }
            run(db, &change(dice, n));
            if dice.below(5) == 0 {
                db.checkpoint().unwrap();
            }
        }
    };
    both(&loser, 0);
    ship(&loser, &winner, 1 << 16, 1 << 16);
    winner.promote().unwrap();
    both(&loser, 100);
    both(&winner, 200);
    (winner, loser)
}

#[test]
fn a_loser_becomes_a_secondary_of_the_winner() {
    for seed in 0..8 {
        let folder = tempfile::tempdir().unwrap();
        let mut dice = Dice::new(seed);
        let (winner, loser) = parted(folder.path(), &mut dice, seed % 2 == 1);
        let dir = loser.dir.clone();
        let common = common_point(&loser.history(), &winner.history()).unwrap().lsn;
        // As long as the rewind is not finished, the loser is what it was.
        let before = super::replicas::pages(&loser);
        let rewind = begin(&loser, &winner, Arc::new(RealDisk), &dir).unwrap();
        assert!(super::replicas::pages(&loser) == before);
        drop(loser);
        rewind.finish().unwrap();
        let loser = open(&dir);
        assert_eq!((loser.mode(), loser.redone_lsn()), (Mode::Secondary, winner.end_lsn()));
        assert_equal(&winner, &loser, &format!("seed {seed}"));
        assert_eq!(loser.history(), winner.history());
        // Its log is one: from before the fork point to where the winner's is.
        assert_eq!(
            loser.read_block(common, 1 << 30).unwrap().bytes.len(),
            winner.read_block(common, 1 << 30).unwrap().bytes.len()
        );
        let names: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert!(names.iter().all(|n| !n.to_string_lossy().starts_with("rewind")), "{names:?}");
        for n in 300..310 {
            run(&winner, &change(&mut dice, n));
        }
        ship(&winner, &loser, 1 << 16, 1 << 16);
        assert_equal(&winner, &loser, &format!("seed {seed}, followed"));
        loser.checkpoint().unwrap();
        drop(loser);
        let loser = open(&dir);
        assert_equal(&winner, &loser, &format!("seed {seed}, opened again"));
        winner.demote().unwrap();
        loser.promote().unwrap();
        run(&loser, "INSERT OR REPLACE INTO t VALUES(1, 'back')");
    }
}

/// What the former primary has written since builds on pages that it had logged images of long before: redo from a checkpoint
/// of the copy's own, over a data file that is newer, would not find them.
#[test]
fn a_fork_that_stayed_empty_is_not_left_without_a_rewind() {
    for round in 0..6_u64 {
        let folder = tempfile::tempdir().unwrap();
        let primary = source(&folder.path().join("one"));
        let dir = folder.path().join("two");
        let mut dice = Dice::new(90 + round);
        seed(&primary, Arc::new(RealDisk), &dir).unwrap();
        let copy = open(&dir);
        let _pins = (primary.pin_oldest().unwrap(), copy.pin_oldest().unwrap());
        let mut write = |from: usize| {
            for n in from..from + 30 {
                run(&primary, &change(&mut dice, n));
            }
        };
        write(0);
        ship(&primary, &copy, 1 << 20, 1 << 16);
        copy.promote().unwrap();
        copy.checkpoint().unwrap();
        copy.demote().unwrap();
        write(30);
        assert_eq!(copy.enter_fork(&primary.history()), Err(ReceiveError::Diverged));
        let rewind = begin(&copy, &primary, Arc::new(RealDisk), &dir).unwrap();
        drop(copy);
        rewind.finish().unwrap();
        let copy = open(&dir);
        assert_eq!(copy.history(), primary.history());
        write(60);
        ship(&primary, &copy, 1 << 20, 1 << 16);
        copy.checkpoint().unwrap();
        drop(copy);
        assert_equal(&primary, &open(&dir), &format!("round {round}"));
    }
}

#[test]
fn a_rewind_that_does_not_lead_there_leaves_the_old_database() {
    let folder = tempfile::tempdir().unwrap();
    let (winner, loser) = parted(folder.path(), &mut Dice::new(1), false);
    let dir = loser.dir.clone();
    let disk = || Arc::new(RealDisk) as Arc<dyn Disk>;
    begin(&loser, &winner, disk(), &dir).unwrap().abandon().unwrap();
    // A commit behind the set of pages that was asked for.
    let late = begin(&loser, &winner, disk(), &dir).unwrap();
    run(&loser, "UPDATE old SET a = 'y' WHERE a = 'x'");
    let (sum, end) = (loser.stats().checksum, loser.end_lsn());
    drop(loser);
    assert!(matches!(late.finish(), Err(StoreError::NotReady(_))));
    let loser = open(&dir);
    assert_eq!((loser.mode(), loser.stats().checksum, loser.end_lsn()), (Mode::Primary, sum, end));
    loser.verify().unwrap();
    // And one whose log is not complete.
    let common = common_point(&loser.history(), &winner.history()).unwrap().lsn;
    let (header, _snapshot, _pin) = winner.seed(Some(common)).unwrap();
    let rewind = Rewind::begin(disk(), &dir, &header).unwrap();
    drop(loser);
    assert!(matches!(rewind.finish(), Err(StoreError::NotReady(_))));
    open(&dir).verify().unwrap();
}

#[test]
fn what_one_side_has_alone_can_be_told() {
    let folder = tempfile::tempdir().unwrap();
    let db = source(&folder.path().join("one"));
    let from = db.end_lsn();
    let rows = vec![TableRows { object_id: 77, inserted: 2, updated: 1, deleted: 0 }];
    let note = CommitNote { session: 51, catalog_changed: false, rows };
    let first = run_noting(&db, "INSERT INTO t VALUES(1, 'a'), (2, 'b')", note.clone());
    let second = run(&db, "DELETE FROM t");
    let told = db.transactions_since(from).unwrap();
    assert_eq!(told.len(), 2);
    assert_eq!((told[0].lsn, told[0].end, told[0].fork, &told[0].note), (from, first, db.fork(), &note));
    assert_eq!((told[1].lsn, told[1].end, &told[1].note), (first, second, &CommitNote::default()));
    assert!(told[1].time >= told[0].time);
    assert_eq!(db.pages_changed_since(second), Ok([].into()));
    assert!(db.pages_changed_since(first).unwrap().len() < db.pages_changed_since(Lsn(0)).unwrap().len());
    assert_eq!(db.pages_changed_since(Lsn(8)), Err(BlockError::NoRecord));
    assert_eq!(db.pages_changed_since(Lsn(second.0 + 8)), Err(BlockError::NoRecord));
    for n in 0..30 {
        run(&db, &format!("INSERT INTO t VALUES({n}, randomblob(9000))"));
    }
    db.checkpoint().unwrap();
    assert!(matches!(db.transactions_since(from), Err(BlockError::LogGone { .. })));
    assert!(matches!(db.seed(Some(from)), Err(StoreError::NotReady(_))));
}
