//! A managed instance that does not answer: Azure speaks for it, and may be wrong after a split.

use milink_core::action::{Action, Statement};
use milink_core::check::{GateOptions, failover_gates};
use milink_core::finding::Status;
use milink_core::names::{CommitMode, Role, Side};
use milink_core::observe::Observation;
use milink_core::plan::failover::{FailoverOptions, planned};
use milink_core::plan::forced::forced;
use milink_core::plan::{Plan, PlanError};

use super::kills::{V2019, V2022_CU12, V2022_CU14};
use super::look::{link, look};
use super::world::World;
use milink_core::facts::version::ServerVersion;

/// The tool cannot reach the managed instance, and Azure answers.
fn silent(version: ServerVersion, primary: Side) -> Observation {
    let mut world = World::linked(1, version, primary);
    world.pass(3_000);
    world.node_mut(Side::Managed).reachable = false;
    look(&mut world)
}

fn plan(seen: &Observation, from: Side) -> Result<Plan, PlanError> {
    let link = link(from, CommitMode::Asynchronous);
    planned(&link, from.other(), seen, FailoverOptions::default())
}

fn roles_gate(seen: &Observation, from: Side) -> Status {
    let link = link(from, CommitMode::Asynchronous);
    let gates = failover_gates(&link, seen, GateOptions::planned(from.other()));
    gates.iter().find(|f| f.check == "failover.roles").unwrap().status
}

/// Where milink itself changes the roles one after the other, or breaks the link, it does not do so on Azure's word.
#[test]
fn a_planned_failover_whose_safety_hangs_on_a_role_is_not_begun_on_azures_word() {
    for (version, from) in
        [(V2022_CU12, Side::Managed), (V2022_CU12, Side::SqlServer), (V2019, Side::SqlServer)]
    {
        let seen = silent(version, from);
        let refused = plan(&seen, from);
        let Err(PlanError::Refused { why, .. }) = refused else {
            panic!("{version} from {from}: {refused:?}")
        };
        assert!(why.contains("Azure's word"), "{why}");
        assert_eq!(roles_gate(&seen, from), Status::Failed, "{version} from {from}");
    }
    // One statement, or one call: the servers look at their roles themselves.
    for from in Side::BOTH {
        let seen = silent(V2022_CU14, from);
        assert!(plan(&seen, from).is_ok(), "from {from}: {:?}", plan(&seen, from));
        assert_eq!(roles_gate(&seen, from), Status::Warning, "from {from}");
    }
}

#[test]
fn a_forced_failover_says_whose_word_a_role_is() {
    let seen = silent(V2022_CU14, Side::SqlServer);
    let plan = forced(&link(Side::SqlServer, CommitMode::Asynchronous), Side::Managed, &seen).unwrap();
    assert!(plan.notes.iter().any(|n| n.contains("Azure's word")), "{:?}", plan.notes);
    let seen = silent(V2022_CU14, Side::Managed);
    let plan = forced(&link(Side::Managed, CommitMode::Asynchronous), Side::SqlServer, &seen).unwrap();
    assert!(plan.notes.iter().any(|n| n.contains("Azure's word")), "{:?}", plan.notes);
}

/// Azure still says SECONDARY of an instance that was made primary: nobody is promoted beside it.
#[test]
fn nobody_is_promoted_on_azures_word() {
    use milink_core::run::{Effect, Entry, Event, Record, Recovered, Run};
    let mut world = World::linked(1, V2022_CU12, Side::Managed);
    world.workload = false;
    world.pass(3_000);
    let link = link(Side::Managed, CommitMode::Asynchronous);
    let whole = planned(&link, Side::SqlServer, &look(&mut world), FailoverOptions::default()).unwrap();
    let promote = whole.steps.iter().find(|s| s.id == "promote").unwrap().clone();
    assert!(matches!(promote.action, Some(Action::Sql { statement: Statement::ForceFailover { .. }, .. })));
    world.demote(Side::Managed);
    let given = |world: &mut World| {
        let plan = Plan { steps: vec![promote.clone()], ..whole.clone() };
        let mut run = Run::new(plan, Recovered::nothing());
        (0..20).any(|_| {
            world.pass(1_000);
            let effects = run.step(Event::Observed(Box::new(look(world))));
            effects.iter().any(|e| matches!(e, Effect::Journal(Record { entry: Entry::Intent { .. }, .. })))
        })
    };
    assert_eq!(world.node(Side::Managed).role, Some(Role::Secondary));
    world.node_mut(Side::Managed).reachable = false;
    assert!(!given(&mut world), "the managed instance does not say itself that it is secondary");
    world.node_mut(Side::Managed).reachable = true;
    assert!(given(&mut world));
}
