use milink_core::run::{Entry, JOURNAL_VERSION, Outcome, Record, Verdict};
use milink_core::spec::LinkSpec;

use super::*;

fn plan(name: &str) -> Plan {
    let link = LinkSpec::new(name, &["Sales"]).links().unwrap().remove(0);
    Plan { verb: Verb::Create, link, steps: Vec::new(), notes: Vec::new() }
}

fn record(entry: Entry) -> Record {
    Record { version: JOURNAL_VERSION, at: None, entry }
}

fn intent() -> Record {
    record(Entry::Intent { step: "create-group".to_owned(), back: false })
}

fn at(ms: i64) -> Moment {
    Moment::from_unix_ms(ms)
}

fn journal(folder: &tempfile::TempDir) -> Journal {
    Journal::open(&folder.path().join("state").join("journal.db")).unwrap()
}

#[test]
fn what_was_written_is_read_again_by_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let mut one = journal(&folder);
    let run = one.begin(&plan("sales"), at(1)).unwrap();
    one.append(run, at(2), &intent()).unwrap();
    drop(one);
    let mut two = journal(&folder);
    let (open, _) = two.open_run("SALES").unwrap().expect("it was interrupted");
    assert_eq!((open.id, open.ended), (run, None));
    let outcome = Entry::Outcome { step: "create-group".to_owned(), back: false, outcome: Outcome::Done };
    two.append(run, at(3), &record(outcome)).unwrap();
    two.append(run, at(4), &record(Entry::Ended { verdict: Box::new(Verdict::Reached) })).unwrap();
    assert!(two.open_run("sales").unwrap().is_none());
    assert_eq!(two.run(run).unwrap().ended, Some(at(4)));
    assert_eq!(two.verify().unwrap(), 3);
}

#[test]
fn an_entry_that_was_changed_or_taken_out_is_found() {
    for damage in [
        "UPDATE entries SET body = replace(body, 'create-group', 'another') WHERE number = 1",
        "UPDATE entries SET at = at + 1 WHERE number = 2",
        "DELETE FROM entries WHERE number = 1",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = journal(&folder);
        let run = journal.begin(&plan("sales"), at(1)).unwrap();
        journal.append(run, at(2), &intent()).unwrap();
        journal.append(run, at(3), &intent()).unwrap();
        assert_eq!(journal.verify().unwrap(), 2);
        journal.connection.execute(damage, []).unwrap();
        assert!(matches!(journal.verify(), Err(JournalError::Broken { .. })), "{damage}");
    }
}

#[test]
fn one_process_runs_a_link_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (journal(&folder), journal(&folder));
    let held = one.lock("sales").unwrap();
    assert!(matches!(two.lock("Sales"), Err(JournalError::Busy { .. })));
    two.lock("stock").unwrap();
    drop(held);
    two.lock("sales").unwrap();
}

#[test]
fn a_later_releases_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    journal(&folder).connection.pragma_update(None, "user_version", 99).unwrap();
    let again = Journal::open(&folder.path().join("state").join("journal.db"));
    assert!(matches!(again, Err(JournalError::Newer { version: 99 })));
}

/// Whoever takes a run back ends it and begins another one at once: a journal that cannot take both has neither.
#[test]
fn a_run_that_takes_the_place_of_another_leaves_no_gap() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = journal(&folder);
    let old = journal.begin(&plan("sales"), at(1)).unwrap();
    journal.append(old, at(2), &intent()).unwrap();
    let ends = record(Entry::Ended { verdict: Box::new(Verdict::Reached) });
    let undo = Plan { verb: Verb::Undo, ..plan("sales") };
    // The old run's end cannot be written: then the new one is not begun either.
    let trap =
        "CREATE TRIGGER trap BEFORE INSERT ON entries BEGIN SELECT RAISE(ABORT, 'the disk is full'); END";
    journal.connection.execute(trap, []).unwrap();
    assert!(journal.begin_instead(old, &ends, &undo, at(3)).is_err());
    assert_eq!(journal.open_run("sales").unwrap().unwrap().0.id, old);
    journal.connection.execute("DROP TRIGGER trap", []).unwrap();
    let new = journal.begin_instead(old, &ends, &undo, at(4)).unwrap();
    assert_eq!(journal.open_run("sales").unwrap().unwrap().0.id, new);
    assert_eq!(journal.run(old).unwrap().ended, Some(at(4)));
    assert_eq!(journal.verify().unwrap(), 2);
}
