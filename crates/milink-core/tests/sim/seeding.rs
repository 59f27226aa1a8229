//! A first copy that fails.

use milink_core::doctor::diagnose;
use milink_core::names::{CommitMode, Side};
use milink_core::plan::create;
use milink_core::run::Verdict;

use super::driver::{How, Story, run};
use super::kills::V2022_CU14;
use super::look::{LINK, link, look};
use super::world::{World, moment};

/// Nobody waits for days for what has failed: the creation ends, says why in the catalogue's words, and what comes next.
#[test]
fn a_seeding_that_failed_ends_the_creation_at_once() {
    for primary in Side::BOTH {
        let mut world = World::empty(1, V2022_CU14, primary);
        world.seeding_fails = true;
        let plan = create(&link(primary, CommitMode::Asynchronous), &look(&mut world), moment(world.now));
        let mut story = Story::new(plan.unwrap());
        let went = run(&mut world, &mut story, How::plain());
        let Some(Verdict::Stopped { step, why, next, .. }) = went.verdict else {
            panic!("{:?}", went.verdict)
        };
        assert_eq!(step, "wait-seeded");
        let told = milink_core::facts::errors::lookup(1412).unwrap().explanation.fix;
        for part in ["FAILED", "1412", "has not been rolled forward", told] {
            assert!(why.contains(part), "{part} is not in: {why}");
        }
        assert_eq!(next.command, "milink undo sales");
        assert!(world.now < 30 * 60_000, "it ended after {} ms", world.now);
        // Whoever asks later is not sent to wait for it again.
        let diagnosis = diagnose(LINK, &look(&mut world), Some(&story.summary()));
        assert_eq!(diagnosis.next.command, "milink undo sales");
        assert!(diagnosis.causes.iter().any(|c| c.number == Some(1412)), "{:?}", diagnosis.causes);
    }
}

/// A failure of an attempt before does not end one that goes on.
#[test]
fn a_seeding_that_is_tried_again_is_waited_for() {
    let mut world = World::empty(1, V2022_CU14, Side::SqlServer);
    world.template.seedings.push(milink_core::observe::Seeding {
        state: "FAILED".to_owned(),
        ended: Some(moment(0)),
        failure: Some("of the day before".to_owned()),
        ..super::look::seeding(&world, 0, 0)
    });
    let plan = create(&link(Side::SqlServer, CommitMode::Asynchronous), &look(&mut world), moment(world.now));
    let went = run(&mut world, &mut Story::new(plan.unwrap()), How::plain());
    assert!(matches!(went.verdict, Some(Verdict::Reached)), "{:?}", went.verdict);
}
