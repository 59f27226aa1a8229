//! Sessions beside each other: deadlocks, waiting writers, readers that do not wait.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::{Lab, error, rows, run};

fn lab_with_two_databases() -> Lab {
    let lab = Lab::new();
    let mut s = lab.session();
    for name in ["left_db", "right_db"] {
        rows(&mut s, &format!("CREATE DATABASE {name}"));
        rows(&mut s, &format!("CREATE TABLE {name}.dbo.t (a int PRIMARY KEY, v int)"));
        rows(&mut s, &format!("INSERT {name}.dbo.t VALUES (1, 0)"));
    }
    lab
}

#[test]
fn a_deadlock_across_databases_has_one_victim_and_one_winner() {
    let lab = lab_with_two_databases();
    let (mut a, mut b) = (lab.session(), lab.session());
    rows(&mut a, "BEGIN TRAN UPDATE left_db.dbo.t SET v = v + 1");
    rows(&mut b, "BEGIN TRAN UPDATE right_db.dbo.t SET v = v + 10");
    let crossing = std::thread::spawn(move || {
        let answers = run(&mut b, "UPDATE left_db.dbo.t SET v = v + 10");
        let state = rows(&mut b, "SELECT @@TRANCOUNT");
        if answers.errors.is_empty() {
            rows(&mut b, "COMMIT");
        }
        (answers.errors, state)
    });
    let mine = run(&mut a, "UPDATE right_db.dbo.t SET v = v + 1").errors;
    let state = rows(&mut a, "SELECT @@TRANCOUNT");
    if mine.is_empty() {
        rows(&mut a, "COMMIT");
    }
    let (theirs, their_state) = crossing.join().unwrap();
    let (lost, won) = if mine.is_empty() { (theirs, state.clone()) } else { (mine, their_state.clone()) };
    let victim = lost.first().expect("one of the two is the victim");
    assert_eq!((victim.number, victim.class), (1205, 13));
    assert!(victim.message.contains("was deadlocked on lock resources with another process"));
    assert_eq!(won, ["1"], "the other one's transaction goes on");
    assert!(state == ["0"] || their_state == ["0"], "the victim's is gone");
    let mut s = lab.session();
    let sums = rows(&mut s, "SELECT l.v, r.v FROM left_db.dbo.t l CROSS JOIN right_db.dbo.t r");
    assert!(
        sums == ["1|1"] || sums == ["10|10"],
        "{sums:?}: all of one transaction and nothing of the other"
    );
}

#[test]
fn a_victim_can_catch_its_error() {
    let lab = lab_with_two_databases();
    let (mut a, mut b) = (lab.session(), lab.session());
    rows(&mut a, "BEGIN TRAN UPDATE left_db.dbo.t SET v = 1");
    rows(&mut b, "BEGIN TRAN UPDATE right_db.dbo.t SET v = 2");
    let batch = |other: &str| {
        format!(
            "BEGIN TRY UPDATE {other}.dbo.t SET v = 3 SELECT 0 END TRY BEGIN CATCH IF @@TRANCOUNT > 0 ROLLBACK SELECT ERROR_NUMBER() END CATCH"
        )
    };
    let (for_b, for_a) = (batch("left_db"), batch("right_db"));
    let crossing = std::thread::spawn(move || run(&mut b, &for_b).last_rows());
    let mine = run(&mut a, &for_a).last_rows();
    let theirs = crossing.join().unwrap();
    let caught = [mine, theirs].iter().filter(|r| **r == ["1205"]).count();
    assert_eq!(caught, 1, "exactly one of the two");
}

#[test]
fn a_writer_waits_for_the_one_before_and_a_reader_for_nobody() {
    let lab = lab_with_two_databases();
    let (mut a, mut b, mut c) = (lab.session(), lab.session(), lab.session());
    for s in [&mut a, &mut b, &mut c] {
        rows(s, "USE left_db");
    }
    rows(&mut a, "BEGIN TRAN UPDATE t SET v = 1");
    let (started, waiting) = mpsc::channel();
    let second = std::thread::spawn(move || {
        started.send(()).unwrap();
        rows(&mut b, "UPDATE t SET v = v + 10");
    });
    waiting.recv().unwrap();
    let before = Instant::now();
    assert_eq!(rows(&mut c, "SELECT v FROM t"), ["0"], "what was committed last");
    assert!(before.elapsed() < Duration::from_secs(5), "a reader does not wait for a writer");
    assert_eq!(error(&mut c, "SET LOCK_TIMEOUT 0 UPDATE t SET v = 5"), 1222);
    rows(&mut a, "COMMIT");
    second.join().unwrap();
    assert_eq!(rows(&mut c, "SELECT v FROM t"), ["11"], "the writers came one after the other");
}

#[test]
fn a_counter_read_with_updlock_loses_no_step() {
    const SESSIONS: usize = 4;
    const STEPS: usize = 10;
    let lab = lab_with_two_databases();
    let workers: Vec<_> = (0..SESSIONS)
        .map(|_| {
            let mut s = lab.session();
            std::thread::spawn(move || {
                rows(&mut s, "USE left_db");
                for _ in 0..STEPS {
                    rows(
                        &mut s,
                        "DECLARE @v int BEGIN TRAN SELECT @v = v FROM t WITH (UPDLOCK) WHERE a = 1 UPDATE t SET v = @v + 1 WHERE a = 1 COMMIT",
                    );
                }
            })
        })
        .collect();
    workers.into_iter().for_each(|w| w.join().unwrap());
    let mut s = lab.session();
    assert_eq!(rows(&mut s, "SELECT v FROM left_db.dbo.t"), [(SESSIONS * STEPS).to_string()]);
}

#[test]
fn a_snapshot_stays_while_others_commit() {
    let lab = lab_with_two_databases();
    let (mut reader, mut writer) = (lab.session(), lab.session());
    rows(&mut writer, "ALTER DATABASE left_db SET ALLOW_SNAPSHOT_ISOLATION ON");
    rows(&mut reader, "USE left_db SET TRANSACTION ISOLATION LEVEL SNAPSHOT BEGIN TRAN");
    assert_eq!(rows(&mut reader, "SELECT v FROM t"), ["0"]);
    for n in 1..=5 {
        rows(&mut writer, &format!("UPDATE left_db.dbo.t SET v = {n}"));
        assert_eq!(rows(&mut reader, "SELECT v FROM t"), ["0"]);
    }
    let conflict = run(&mut reader, "UPDATE t SET v = 99").errors;
    assert_eq!(conflict.first().map(|e| (e.number, e.class, e.state)), Some((3960, 16, 2)));
    assert_eq!(rows(&mut reader, "SELECT @@TRANCOUNT, v FROM t"), ["0|5"]);
}
