//! The tool is killed at every effect of every kind of run, and once the answer to every action is lost: resuming always reaches the goal.

use milink_core::facts::version::ServerVersion;
use milink_core::names::{CommitMode, Role, Side};
use milink_core::plan::failover::{FailoverOptions, planned};
use milink_core::plan::forced::forced;
use milink_core::plan::repair::repair;
use milink_core::plan::{DropOptions, Plan, Repeat, UndoOptions, create, drop, undo};
use milink_core::run::{Record, Verdict};

use super::driver::{How, Kill, Planted, Story, run};
use super::look::{link, look};
use super::server::Delivery;
use super::world::{Counts, World, moment};

pub(crate) const V2019: ServerVersion = ServerVersion::new(15, 0, 4430, 1);
pub(crate) const V2022_CU12: ServerVersion = ServerVersion::new(16, 0, 4115, 5);
pub(crate) const V2022_CU14: ServerVersion = ServerVersion::new(16, 0, 4135, 4);

struct Case {
    name: &'static str,
    world: World,
    plan: Plan,
}

fn failing_over(name: &'static str, version: ServerVersion, from: Side, mode: CommitMode) -> Case {
    let mut world = World::linked(1, version, from);
    // Whoever breaks a link stops the writes first.
    world.workload = version != V2019;
    world.pass(3_000);
    let plan = planned(&link(from, mode), from.other(), &look(&mut world), FailoverOptions::default());
    Case { name, world, plan: plan.unwrap() }
}

fn creating(name: &'static str, from: Side, mode: CommitMode) -> Case {
    let mut world = World::empty(1, V2022_CU14, from);
    let plan = create(&link(from, mode), &look(&mut world), moment(world.now)).unwrap();
    Case { name, world, plan }
}

/// Both are primary, after a failover to the managed instance was forced.
fn two_primaries(seed: u64) -> World {
    let mut world = World::linked(seed, V2022_CU14, Side::SqlServer);
    world.pass(3_000);
    let link = link(Side::SqlServer, CommitMode::Asynchronous);
    let plan = forced(&link, Side::Managed, &look(&mut world)).unwrap();
    let went = run(&mut world, &mut Story::new(plan), How::plain());
    assert!(matches!(went.verdict, Some(Verdict::Reached)), "{:?}", went.verdict);
    world.pass(5_000);
    world
}

fn repairing(name: &'static str, winner: Side) -> Case {
    let mut world = two_primaries(1);
    let link = link(Side::SqlServer, CommitMode::Asynchronous);
    let plan = repair(&link, winner, &look(&mut world)).unwrap();
    Case { name, world, plan }
}

fn dropping(name: &'static str, primary: Side, delete_copy: bool) -> Case {
    let mut world = World::linked(1, V2022_CU14, primary);
    // Whoever drops a link stops the writes first.
    world.workload = false;
    world.pass(3_000);
    let link = link(primary, CommitMode::Asynchronous);
    let options = DropOptions { delete_copy, ..DropOptions::default() };
    let plan = drop(&link, &look(&mut world), options).unwrap();
    Case { name, world, plan }
}

/// A creation that was interrupted when Azure had made its half, and is taken back.
fn undoing(name: &'static str, from: Side) -> Case {
    let made = creating(name, from, CommitMode::Asynchronous);
    let mut effect = 1;
    loop {
        let (mut world, mut story) = (made.world.clone(), Story::new(made.plan.clone()));
        let how = How { kill: Some(Kill { effect, after: true }), ..How::plain() };
        run(&mut world, &mut story, how);
        if world.node(Side::Managed).role.is_some() {
            world.pass(1_000);
            let plan = undo(&made.plan, &look(&mut world), UndoOptions::default()).unwrap();
            assert!(plan.steps.len() > 5, "{:?}", plan.steps);
            return Case { name, world, plan };
        }
        effect += 1;
    }
}

fn cases() -> Vec<Case> {
    let (asynchronous, synchronous) = (CommitMode::Asynchronous, CommitMode::Synchronous);
    vec![
        creating("create from SQL Server", Side::SqlServer, asynchronous),
        creating("create from SQL Server, synchronous", Side::SqlServer, synchronous),
        creating("create from the managed instance", Side::Managed, asynchronous),
        creating("create from the managed instance, synchronous", Side::Managed, synchronous),
        failing_over("failover by statement", V2022_CU14, Side::SqlServer, asynchronous),
        failing_over("failover by statement, synchronous", V2022_CU14, Side::SqlServer, synchronous),
        failing_over("fail-back by call", V2022_CU14, Side::Managed, asynchronous),
        failing_over("failover by hand", V2022_CU12, Side::SqlServer, asynchronous),
        failing_over("fail-back by hand", V2022_CU12, Side::Managed, asynchronous),
        failing_over("failover that breaks the link", V2019, Side::SqlServer, asynchronous),
        repairing("repair, the managed instance stays", Side::Managed),
        repairing("repair, SQL Server stays", Side::SqlServer),
        dropping("drop, SQL Server is primary", Side::SqlServer, false),
        dropping("drop, the managed instance is primary", Side::Managed, false),
        dropping("drop, and delete the copy in Azure", Side::SqlServer, true),
        dropping("drop, and delete the copy on SQL Server", Side::Managed, true),
        undoing("undo of a creation from SQL Server", Side::SqlServer),
        undoing("undo of a creation from the managed instance", Side::Managed),
    ]
}

/// The journal as it is after it was written to a file and read again.
fn reread(records: &[Record]) -> Vec<Record> {
    let lines: Vec<String> = records.iter().map(|r| serde_json::to_string(r).unwrap()).collect();
    lines.iter().map(|l| serde_json::from_str(l).unwrap()).collect()
}

/// What is wrong with an interrupted run that was resumed; `None` if nothing is.
fn fault(case: &Case, mut world: World, mut story: Story, first: How) -> Option<String> {
    let mut verdict = run(&mut world, &mut story, first).verdict;
    for _ in 0..3 {
        if matches!(verdict, Some(Verdict::Reached)) {
            break;
        }
        story.records = reread(&story.records);
        let resumed = How { kill: None, delivery: None, ..first };
        verdict = run(&mut world, &mut story, resumed).verdict;
    }
    if !matches!(verdict, Some(Verdict::Reached)) {
        return Some(format!("it ends with {verdict:#?}"));
    }
    for step in case.plan.steps.iter().filter(|s| s.repeat != Repeat::Safe) {
        let given = world.deliveries.iter().filter(|(id, changed, _)| *id == step.id && *changed).count();
        if given > 1 {
            return Some(format!("{} was carried out {given} times", step.id));
        }
    }
    world.check_ledger();
    world.violations.first().cloned()
}

/// Every place in every run where it can be interrupted. Answers how many there were and the first fault.
fn interrupt_everywhere(planted: Planted) -> (Counts, Option<String>) {
    let mut counts = Counts::default();
    for case in cases() {
        let plain = How { planted, ..How::plain() };
        let whole = {
            let mut world = case.world.clone();
            let mut story = Story::new(case.plan.clone());
            let went = run(&mut world, &mut story, plain);
            if !matches!(went.verdict, Some(Verdict::Reached)) {
                return (counts, Some(format!("{}: {:#?}", case.name, went.verdict)));
            }
            went
        };
        counts.add("runs");
        let kills = (1..=whole.effects)
            .flat_map(|effect| [false, true].map(|after| Kill { effect, after }))
            .map(|kill| (How { kill: Some(kill), ..plain }, format!("killed at {kill:?}")));
        let losses = (1..=whole.actions).flat_map(|n| {
            [Delivery::AnswerLost, Delivery::RequestLost]
                .map(|d| (How { delivery: Some((n, d)), ..plain }, format!("action {n}: {d:?}")))
        });
        for (how, what) in kills.chain(losses) {
            counts.add(if how.kill.is_some() { "kills" } else { "losses" });
            let found = fault(&case, case.world.clone(), Story::new(case.plan.clone()), how);
            if let Some(found) = found {
                return (counts, Some(format!("{}, {what}: {found}", case.name)));
            }
        }
    }
    (counts, None)
}

#[test]
fn a_run_that_is_killed_anywhere_is_resumed_to_its_goal() {
    let (counts, fault) = interrupt_everywhere(Planted::Nothing);
    assert_eq!(fault, None, "{counts:?}");
    assert!(counts.of("kills") > 800 && counts.of("losses") > 80, "{counts:?}");
}

#[test]
fn a_journal_without_intents_is_found_out() {
    let (_, fault) = interrupt_everywhere(Planted::NoIntent);
    let fault = fault.expect("an action whose intent is not written is given twice");
    assert!(fault.contains("times") || fault.contains("ends with"), "{fault}");
}

/// A secondary that is behind, and cannot catch up: a link is not dropped, but by a plan that has lost its guard.
#[test]
fn a_link_is_not_dropped_while_a_side_is_behind() {
    let violations = |planted| {
        let Case { mut world, plan, .. } = dropping("behind", Side::SqlServer, false);
        world.network = false;
        world.node_mut(Side::SqlServer).log.push(901);
        let mut story = Story::new(plan);
        let went = run(&mut world, &mut story, How { planted, ..How::plain() });
        assert_eq!(matches!(went.verdict, Some(Verdict::Reached)), planted != Planted::Nothing);
        world.violations
    };
    assert_eq!(violations(Planted::Nothing), Vec::<String>::new());
    assert!(violations(Planted::NoHardenedGate).iter().any(|v| v.contains("a link was dropped while")));
}

#[test]
fn a_wish_to_stop_is_met_where_somebody_is_primary() {
    let mut stopped = 0;
    for case in cases() {
        for effect in 1..60 {
            let (mut world, mut story) = (case.world.clone(), Story::new(case.plan.clone()));
            let how = How { stop: Some(effect), ..How::plain() };
            let went = run(&mut world, &mut story, how);
            let verdict = went.verdict.unwrap_or_else(|| panic!("{} at {effect}: not ended", case.name));
            assert!(!matches!(verdict, Verdict::Uncertain { .. }), "{} at {effect}: {verdict:#?}", case.name);
            stopped += usize::from(!matches!(verdict, Verdict::Reached));
            // A link that is there has a primary; its creation may be stopped before it has.
            let linked = world.nodes.iter().all(|n| n.role.is_some());
            let none = Side::BOTH.iter().all(|s| !world.has_role(*s, Role::Primary));
            assert!(!(linked && none), "{} at {effect} left nobody primary: {verdict:#?}", case.name);
        }
    }
    assert!(stopped > 50, "only {stopped} runs were stopped");
}
