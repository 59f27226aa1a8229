use milink_core::action::Action;
use milink_core::names::Side;
use milink_core::plan::{Condition, Phase, Repeat, Step, Undo, Verb};
use milink_core::run::StepState;
use milink_core::spec::LinkSpec;

use super::*;

/// A plan for a link. With `waits`, its only step waits for what nobody can see.
fn plan(name: &str, waits: bool) -> Plan {
    let link = LinkSpec::new(name, &["Sales"]).links().unwrap().remove(0);
    let step = Step {
        id: "see".to_owned(),
        title: "See the copy follow".to_owned(),
        phase: Phase::Verify,
        action: None::<Action>,
        requires: Condition::Always,
        proved_by: Condition::Role {
            name: name.to_owned(),
            side: Side::Managed,
            role: milink_core::names::Role::Secondary,
        },
        stable_ms: 0,
        timeout_ms: 600_000,
        undo: Undo::Nothing,
        repeat: Repeat::Safe,
        irreversible: false,
    };
    let steps = if waits { vec![step] } else { Vec::new() };
    Plan { verb: Verb::Create, link, steps, notes: Vec::new() }
}

fn runner(folder: &tempfile::TempDir) -> Runner {
    Runner::new(&folder.path().join("journal.db"))
}

async fn ended(runner: &Runner, run: RunId) -> Arc<Picture> {
    let mut watched = runner.watch(run).unwrap();
    loop {
        let picture = Arc::clone(&watched.pictures.borrow_and_update());
        if picture.verdict.is_some() {
            return picture;
        }
        watched.pictures.changed().await.unwrap();
    }
}

#[tokio::test]
async fn a_run_goes_on_unwatched_and_is_stopped_and_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let (runner, sides) = (runner(&folder), Sides::default());
    let run = runner.begin(&sides, plan("sales", true)).unwrap();
    assert_eq!(runner.under_way("sales"), Some(run));
    assert!(matches!(
        runner.begin(&sides, plan("SALES", true)),
        Err(NotStarted::Journal(JournalError::Busy { .. }))
    ));
    assert!(runner.stop(run));
    let picture = ended(&runner, run).await;
    assert!(matches!(picture.verdict, Some(Verdict::Stopped { .. })), "{picture:#?}");
    assert_eq!(picture.steps[0].state, StepState::Failed);
    while runner.under_way("sales").is_some() {
        tokio::task::yield_now().await;
    }
    let read = runner.watch(run).unwrap();
    assert!(!read.under_way);
    assert_eq!(read.pictures.borrow().verdict, picture.verdict);
    // A run that waits leaves nothing that had to be taken back: it is not open.
    assert!(!runner.stop(run), "it is over");
}

#[tokio::test]
async fn many_links_begin_with_a_canary() {
    let folder = tempfile::tempdir().unwrap();
    let (runner, sides) = (runner(&folder), Sides::default());
    let plans = ["a", "b", "c"].map(|name| plan(name, false)).to_vec();
    let (_stop, stopping) = watch::channel(false);
    let mut batches = runner.begin_all(&sides, plans, 2, stopping);
    let batch = batches.wait_for(|b| b.over).await.unwrap().clone();
    for link in &batch.links {
        let BatchState::Ended(_, verdict) = &link.state else { panic!("{batch:#?}") };
        assert_eq!(**verdict, Verdict::Reached);
    }
}

#[tokio::test]
async fn a_batch_that_is_stopped_begins_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let (runner, sides) = (runner(&folder), Sides::default());
    let plans = ["a", "b", "c"].map(|name| plan(name, true)).to_vec();
    let (stop, stopping) = watch::channel(false);
    let mut batches = runner.begin_all(&sides, plans, 2, stopping);
    let canary = |b: &Batch| matches!(b.links[0].state, BatchState::UnderWay(_));
    batches.wait_for(|b| canary(b)).await.unwrap();
    stop.send_replace(true);
    let batch = batches.wait_for(|b| b.over).await.unwrap().clone();
    assert!(matches!(batch.links[0].state, BatchState::Ended(..)), "{batch:#?}");
    assert_eq!([&batch.links[1].state, &batch.links[2].state], [&BatchState::Waits, &BatchState::Waits]);
}

#[tokio::test]
async fn a_run_that_is_taken_back_is_not_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let (runner, sides) = (runner(&folder), Sides::default());
    // As a process leaves it that was killed.
    let left = Journal::open(runner.journal()).unwrap().begin(&plan("sales", true), now()).unwrap();
    let undo = Plan { verb: Verb::Undo, ..plan("sales", false) };
    let run = runner.take_back(&sides, left, undo.clone()).unwrap();
    assert_eq!(ended(&runner, run).await.verdict, Some(Verdict::Reached));
    while runner.under_way("sales").is_some() {
        tokio::task::yield_now().await;
    }
    assert!(matches!(runner.resume(&sides, "sales"), Err(NotStarted::NothingOpen { .. })));
    assert!(matches!(
        runner.watch(left).unwrap().pictures.borrow().verdict,
        Some(Verdict::RolledBack { .. })
    ));
    let newer = Journal::open(runner.journal()).unwrap().begin(&plan("sales", true), now()).unwrap();
    assert!(matches!(runner.take_back(&sides, left, undo), Err(NotStarted::Open(open)) if open.id == newer));
}
