//! Bits that flip on disk are found, or end the log where it was not yet known to be durable; they are never believed.

use std::path::Path;

use super::crash::{Op, World, noise};
use super::sim_disk::Dice;
use crate::{RecoveryModel, StoreError};

/// A database with a checkpoint in the middle of a log of several segments.
fn world() -> World {
    let mut world = World::new();
    world.create(RecoveryModel::Full).unwrap();
    let mut dice = Dice::new(1);
    for round in 0..3 {
        let session = world.session().unwrap();
        for k in 0..8 {
            session.commit(&[Op::Put(k, noise(&mut dice, 1500))]).unwrap();
        }
        drop(session);
        if round < 2 {
            world.db().checkpoint().unwrap();
        }
    }
    world.db = None;
    world
}

fn flip(path: &Path, at: usize, bit: u8) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1 << bit;
    std::fs::write(path, bytes).unwrap();
}

/// What a flip did: found, without effect, or the end of the log.
#[derive(Debug, Default)]
struct Tally {
    found: u32,
    harmless: u32,
    ended: u32,
}

fn rounds() -> usize {
    std::env::var("MILINK_CRASH_SEEDS").ok().and_then(|s| s.parse::<usize>().ok()).unwrap_or(1) * 250
}

fn flips(matching: impl Fn(&str) -> bool, seed: u64) -> Tally {
    let base = world();
    let mut files: Vec<String> = std::fs::read_dir(base.dir())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|n| matching(n))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    let mut dice = Dice::new(seed);
    let mut tally = Tally::default();
    for _ in 0..rounds() {
        let mut world = base.copy();
        let name = &files[dice.below(files.len())];
        let path = world.dir().join(name);
        let size = std::fs::metadata(&path).unwrap().len() as usize;
        let (at, bit) = (dice.below(size), dice.below(8) as u8);
        flip(&path, at, bit);
        let acked = world.model().acked;
        match world.open() {
            Err(StoreError::Corrupt(why)) => {
                let named =
                    ["control", ".log", "data.db", "record at", "page "].iter().any(|n| why.contains(n));
                assert!(named, "{name}, byte {at}, bit {bit}: {why}");
                tally.found += 1;
            }
            Err(e) => panic!("{name}, byte {at}, bit {bit}: {e}"),
            Ok(()) => {
                // Only the newest commit can be lost: nothing on disk says that it was there.
                world.model().acked = acked - 1;
                world.check(&format!("{name}, byte {at}, bit {bit}"));
                if world.model().acked == acked { tally.harmless += 1 } else { tally.ended += 1 }
            }
        }
    }
    println!("{files:?}: {tally:?}");
    tally
}

#[test]
fn in_the_log() {
    let tally = flips(|n| Path::new(n).extension().is_some_and(|e| e == "log"), 3);
    // The log before the checkpoint and the zeros behind the end of a segment matter to nobody.
    assert!(tally.found > 50 && tally.harmless > 0 && tally.ended > 0, "{tally:?}");
}

#[test]
fn in_the_data_file() {
    let tally = flips(|n| n == "data.db", 4);
    // A page that the log holds an image of is written anew.
    assert!(tally.found > 25 && tally.ended == 0, "{tally:?}");
}

#[test]
fn in_the_control_file() {
    let tally = flips(|n| n == "control", 5);
    // A letter of the checksum in upper case is the same letter, and the line's end may be another blank.
    assert!(tally.found > 200 && tally.ended == 0, "{tally:?}");
}

#[test]
fn the_header_of_the_newest_segment_is_missed() {
    let base = world();
    let mut names: Vec<_> = std::fs::read_dir(base.dir()).unwrap().map(|e| e.unwrap().path()).collect();
    names.retain(|p| p.extension().is_some_and(|e| e == "log"));
    names.sort();
    flip(names.last().unwrap(), 3, 0);
    let mut world = base;
    assert!(world.open().unwrap_err().is_corruption());
    // Even if there is one record behind it, which nothing else proves.
    let mut alone = base_with_one_record_in_its_newest_segment();
    let newest = newest_segment(&alone);
    flip(&newest, 9, 0);
    assert!(alone.open().unwrap_err().is_corruption());
    // And so is a segment, or the whole log.
    flip(names.last().unwrap(), 3, 0);
    world.open().unwrap();
    world.db = None;
    for name in &names {
        std::fs::rename(name, name.with_extension("away")).unwrap();
    }
    assert!(matches!(world.open(), Err(StoreError::Io(_))), "out of reach, and not to be made anew");
}

fn base_with_one_record_in_its_newest_segment() -> World {
    let mut world = world();
    world.open().unwrap();
    world.session().unwrap().commit(&[Op::Put(1, vec![1])]).unwrap();
    world.db = None;
    world
}

fn newest_segment(world: &World) -> std::path::PathBuf {
    let mut names: Vec<_> = std::fs::read_dir(world.dir()).unwrap().map(|e| e.unwrap().path()).collect();
    names.retain(|p| p.extension().is_some_and(|e| e == "log"));
    names.sort();
    names.pop().unwrap()
}

#[test]
fn found_while_the_database_runs() {
    let mut world = world();
    world.open().unwrap();
    world.db().verify().unwrap();
    let path = world.dir().join("data.db");
    let size = std::fs::metadata(&path).unwrap().len() as usize;
    // Written in place: a new file of that name would not be the one that is open.
    use std::os::unix::fs::FileExt;
    let file = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let mut byte = [0];
    file.read_at(&mut byte, size as u64 - 700).unwrap();
    file.write_at(&[byte[0] ^ 4], size as u64 - 700).unwrap();
    let e = world.db().verify().unwrap_err();
    assert!(e.is_corruption() && e.to_string().contains("data.db"), "{e}");
}
