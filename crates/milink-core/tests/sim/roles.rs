//! Plans that change roles, by themselves: what they ask for before, and that they do nothing that the table of transitions does not have.

use milink_core::action::{Action, ArmCall, Statement};
use milink_core::names::{CommitMode, FailoverMode, Role, Side};
use milink_core::observe::{Observation, Seen};
use milink_core::plan::failover::{FailoverOptions, planned};
use milink_core::plan::forced::forced;
use milink_core::plan::repair::repair;
use milink_core::plan::transitions::{self, Change, Roles, TRANSITIONS};
use milink_core::plan::{DropOptions, Plan, PlanError, Undo, drop};
use milink_core::run::Verdict;

use super::driver::{How, Story, run};
use super::kills::{V2019, V2022_CU12, V2022_CU14};
use super::look::{DATABASE, LINK, link, look};
use super::world::World;

fn linked(primary: Side) -> World {
    let mut world = World::linked(1, V2022_CU14, primary);
    world.pass(3_000);
    world
}

fn asynchronous(primary: Side) -> milink_core::spec::Link {
    link(primary, CommitMode::Asynchronous)
}

/// Both are primary after a failover to that side was forced.
fn parted(forced_to: Side) -> World {
    let mut world = linked(forced_to.other());
    let plan = forced(&asynchronous(forced_to.other()), forced_to, &look(&mut world)).unwrap();
    let went = run(&mut world, &mut Story::new(plan), How::plain());
    assert!(matches!(went.verdict, Some(Verdict::Reached)), "{:?}", went.verdict);
    world
}

/// Follows a plan through the table; where it ends.
fn follow(from: Roles, plan: &Plan) -> Roles {
    let mut now = from;
    for (change, phase) in transitions::changes(plan) {
        let next = transitions::next(now, change);
        let row = next.unwrap_or_else(|| panic!("{:?}: nothing leads from {now:?} on {change:?}", plan.verb));
        assert_eq!(row.phase, phase, "{:?}: {change:?}", plan.verb);
        now = row.to;
    }
    now
}

#[test]
fn every_plan_goes_by_the_table() {
    for version in [V2019, V2022_CU12, V2022_CU14] {
        for from in Side::BOTH {
            if version == V2019 && from == Side::Managed {
                continue;
            }
            let mut world = World::linked(1, version, from);
            world.pass(3_000);
            let seen = look(&mut world);
            let plan = planned(&asynchronous(from), from.other(), &seen, FailoverOptions::default()).unwrap();
            let end = if version == V2019 { Roles::Apart } else { Roles::only(from.other()) };
            assert_eq!(follow(Roles::only(from), &plan), end, "{version}");
            // What is taken back leads to where it began, from wherever that is done.
            let back = plan.steps.iter().filter_map(|s| match &s.undo {
                Undo::By { action, .. } => transitions::change_of(plan.verb, action),
                Undo::Nothing | Undo::Impossible { .. } => None,
            });
            for change in back {
                let row = transitions::next(Roles::Nobody, change);
                assert_eq!(row.map(|r| r.to), Some(Roles::only(from)), "{version}: {change:?}");
            }
            if version != V2019 {
                let plan = forced(&asynchronous(from), from.other(), &seen).unwrap();
                assert_eq!(follow(Roles::only(from), &plan), Roles::Both);
            }
            let options = DropOptions { force: true, ..DropOptions::default() };
            let plan = drop(&asynchronous(from), &seen, options).unwrap();
            assert_eq!(follow(Roles::only(from), &plan), Roles::Apart);
        }
    }
    for forced_to in Side::BOTH {
        for winner in Side::BOTH {
            let mut world = parted(forced_to);
            let plan = repair(&asynchronous(forced_to.other()), winner, &look(&mut world)).unwrap();
            assert_eq!(follow(Roles::Both, &plan), Roles::only(winner));
        }
    }
}

#[test]
fn a_second_primary_comes_of_force_alone() {
    for row in TRANSITIONS {
        let primary_before = row.from == Roles::SqlServer || row.from == Roles::Managed;
        if primary_before && matches!(row.on, Change::Promote(_)) || row.to == Roles::Both {
            assert!(matches!(row.on, Change::Force(_)), "{row:?}");
        }
        let same = TRANSITIONS.iter().filter(|r| r.from == row.from && r.on == row.on).count();
        assert_eq!(same, 1, "{row:?} is not the only one");
    }
    // There is a way out of everything that is a link.
    for from in [Roles::SqlServer, Roles::Managed, Roles::Nobody, Roles::Both] {
        assert!(transitions::possible(from).count() > 0, "{from:?}");
    }
}

/// What is committed after the backup and before the demotion would be in nothing: nobody may be connected to the side that gives way.
#[test]
fn a_repair_waits_until_nobody_is_connected_to_the_loser() {
    for loser in Side::BOTH {
        let mut world = parted(Side::Managed);
        let mut seen = look(&mut world);
        let plan = repair(&asynchronous(Side::SqlServer), loser.other(), &seen).unwrap();
        let guarded = |seen: &Observation| {
            let changes = plan.steps.iter().filter(|s| s.id == "demote" || s.id.starts_with("save-"));
            changes.map(|s| s.requires.judge(seen).holds()).collect::<Vec<bool>>()
        };
        let count = if loser == Side::SqlServer { 2 } else { 1 };
        assert_eq!(guarded(&seen), vec![true; count], "{loser}");
        let instance = match (&mut seen.sql_server, &mut seen.managed, loser) {
            (Seen::At { value, .. }, _, Side::SqlServer) | (_, Seen::At { value, .. }, Side::Managed) => {
                value
            }
            _ => panic!("both sides answer"),
        };
        instance.sessions = Some(vec![(DATABASE.to_owned(), 1)]);
        assert_eq!(guarded(&seen), vec![false; count], "{loser}");
    }
}

/// The side that stays may be suspended, since the other one was promoted beside it: then nothing would follow it.
#[test]
fn a_repair_resumes_data_movement_whoever_wins() {
    for winner in Side::BOTH {
        let mut world = parted(Side::Managed);
        let plan = repair(&asynchronous(Side::SqlServer), winner, &look(&mut world)).unwrap();
        let resumes = plan.steps.iter().position(|s| {
            matches!(&s.action, Some(Action::Sql { statement: Statement::ResumeDatabase { .. }, .. }))
        });
        let demotes = plan.steps.iter().position(|s| s.id == "demote");
        assert!(resumes > demotes, "{winner}: {resumes:?} {demotes:?}");
    }
}

#[test]
fn what_cannot_be_forced_is_refused_before() {
    let refusal = |seen: &Observation| match forced(&asynchronous(Side::SqlServer), Side::Managed, seen) {
        Err(PlanError::Refused { why, advice }) => format!("{why}: {advice}"),
        other => panic!("{other:?}"),
    };
    // A link that goes one way, also where SQL Server does not say its version any more.
    let mut world = linked(Side::SqlServer);
    world.kill(Side::SqlServer);
    let mut seen = look(&mut world);
    assert!(forced(&asynchronous(Side::SqlServer), Side::Managed, &seen).is_ok());
    if let Seen::At { value, .. } = &mut seen.azure {
        value.links.iter_mut().for_each(|l| l.failover_mode = Some(FailoverMode::OneWay));
    }
    let said = refusal(&seen);
    assert!(said.contains("41985") && said.contains(&format!("milink drop {LINK} --force")), "{said}");
    // A side that has no half of the link.
    let mut world = linked(Side::SqlServer);
    world.node_mut(Side::Managed).role = Some(Role::Resolving);
    let said = refusal(&look(&mut world));
    assert!(said.contains("only a secondary can be made primary"), "{said}");
}

/// A repair that was stopped before it demoted anybody leaves a backup, and nothing that would have to be gone on with: a failover that is
/// wanted after somebody else has ended the state is not kept waiting for it.
#[test]
fn a_repair_that_stopped_before_the_demotion_is_over() {
    let mut world = parted(Side::Managed);
    let plan = repair(&asynchronous(Side::SqlServer), Side::Managed, &look(&mut world)).unwrap();
    let mut story = Story::new(plan);
    // Somebody else demotes the winner meanwhile.
    world.demote(Side::Managed);
    let went = run(&mut world, &mut story, How::plain());
    let Some(Verdict::Stopped { step, next, .. }) = &went.verdict else { panic!("{:?}", went.verdict) };
    assert_eq!(step, "demote");
    assert!(next.command.starts_with("milink doctor"), "{}", next.command);
    assert!(!story.summary().is_open());
}

/// What a call is to the roles is said for each of them: a new one has to be decided.
#[test]
fn calls_that_change_no_role_change_nothing_in_the_table() {
    let call = Action::arm(ArmCall::SetCommitMode { name: LINK.to_owned(), mode: CommitMode::Synchronous });
    assert_eq!(transitions::change_of(milink_core::plan::Verb::PlannedFailover, &call), None);
}
