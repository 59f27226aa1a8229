//! The machine by itself. Steps switch trace flags, since nothing is simpler to look at; each test is a script of what the machine does.

use milink_core::action::{Action, ArmCall, RoleChange, Statement};
use milink_core::names::{CommitMode, Role, Side};
use milink_core::observe::{Observation, Seen};
use milink_core::plan::{Condition, Phase, Plan, Repeat, Step, Undo, Verb};
use milink_core::run::{
    Effect, Entry, Event, JOURNAL_VERSION, OperationState, Outcome, Record, Recovered, Run, Verdict,
};

use super::kills::V2022_CU14;
use super::look::{LINK, link, look, template};
use super::world::{World, moment};

fn on(flag: u16) -> Condition {
    Condition::TraceFlag { flag, on: true }
}

fn switch(flag: u16, on: bool) -> Action {
    Action::sql(if on { Statement::TraceOn { flag } } else { Statement::TraceOff { flag } })
}

/// A step that switches a flag on, and off again when it is taken back.
fn step(flag: u16) -> Step {
    Step {
        id: format!("s{flag}"),
        title: String::new(),
        phase: Phase::Groups,
        action: Some(switch(flag, true)),
        requires: Condition::Always,
        proved_by: on(flag),
        stable_ms: 0,
        timeout_ms: 60_000,
        undo: Undo::By {
            action: Box::new(switch(flag, false)),
            proved_by: Condition::TraceFlag { flag, on: false },
        },
        repeat: Repeat::Safe,
        irreversible: false,
    }
}

fn waiting(flag: u16) -> Step {
    Step { action: None, undo: Undo::Nothing, ..step(flag) }
}

fn plan(verb: Verb, steps: Vec<Step>) -> Plan {
    let link = link(Side::SqlServer, CommitMode::Asynchronous);
    Plan { verb, link, steps, notes: Vec::new() }
}

/// A server with trace flags.
#[derive(Default)]
struct Server {
    now: u64,
    flags: Vec<u16>,
    silent: bool,
}

impl Server {
    fn see(&self) -> Observation {
        let at = moment(self.now);
        let why = || "connection refused".to_owned();
        let mut instance = template();
        instance.trace_flags = Some(self.flags.clone());
        Observation {
            at,
            sql_server: if self.silent {
                Seen::Unknown { at, why: why() }
            } else {
                Seen::At { at, value: instance }
            },
            managed: Seen::Unknown { at, why: why() },
            azure: Seen::Unknown { at, why: why() },
            probes: Vec::new(),
        }
    }

    fn carry_out(&mut self, action: &Action) -> Outcome {
        match action {
            Action::Sql { statement: Statement::TraceOn { flag }, .. } => self.flags.push(*flag),
            Action::Sql { statement: Statement::TraceOff { flag }, .. } => self.flags.retain(|f| f != flag),
            other => panic!("{other:?}"),
        }
        Outcome::Done
    }
}

fn refused(code: &str) -> Outcome {
    Outcome::Refused { code: code.to_owned(), text: String::new() }
}

fn lost() -> Outcome {
    Outcome::Uncertain { why: "time-out".to_owned() }
}

fn started() -> Outcome {
    Outcome::Started { operation: "op".to_owned(), retry_after_ms: 100 }
}

/// What a run did, line by line.
struct Script {
    lines: Vec<String>,
    records: Vec<Record>,
    verdict: Option<Verdict>,
    server: Server,
}

impl Script {
    fn text(&self) -> String {
        self.lines.join("; ")
    }

    fn given(&self) -> usize {
        self.lines.iter().filter(|l| l.starts_with("act")).count()
    }

    fn ended(&self) -> &'static str {
        match self.verdict {
            None => "interrupted",
            Some(Verdict::Reached) => "reached",
            Some(Verdict::Stopped { .. }) => "stopped",
            Some(Verdict::RolledBack { .. }) => "rolled back",
            Some(Verdict::Uncertain { .. }) => "uncertain",
        }
    }
}

/// How the test answers.
struct Answers<'a> {
    /// For each action, with its number from 1.
    act: &'a mut dyn FnMut(&mut Server, usize, &Action) -> Outcome,
    /// For each poll.
    poll: &'a mut dyn FnMut(&mut Server, usize) -> OperationState,
    /// Before each look, with its number from 1. Answers whether the user wants it to stop.
    look: &'a mut dyn FnMut(&mut Server, usize) -> bool,
}

fn drive(plan: Plan, records: &[Record], server: Server, answers: Answers<'_>) -> Script {
    let mut script = Script { lines: Vec::new(), records: records.to_vec(), verdict: None, server };
    let mut run = Run::new(plan.clone(), Recovered::from_records(records).unwrap());
    let (mut acts, mut polls, mut looks) = (0, 0, 0);
    let mut queue = run.begin();
    while !queue.is_empty() {
        assert!(looks < 20_000, "it goes on for ever: {}", script.text());
        let event = match queue.remove(0) {
            Effect::Tell(_) => continue,
            Effect::Observe { after_ms } => {
                script.server.now += after_ms.max(1);
                looks += 1;
                if (answers.look)(&mut script.server, looks) {
                    queue.extend(run.step(Event::Stop));
                }
                Event::Observed(Box::new(script.server.see()))
            }
            Effect::Journal(record) => {
                assert!(record.at.is_some(), "an entry without its moment: {record:?}");
                match &record.entry {
                    Entry::Intent { step, back } => {
                        script.lines.push(format!("intent {step}{}", if *back { " back" } else { "" }));
                    }
                    Entry::Proved { step, back, .. } => {
                        script.lines.push(format!("proved {step}{}", if *back { " back" } else { "" }));
                    }
                    Entry::Disproved { step, .. } => script.lines.push(format!("disproved {step}")),
                    Entry::RollingBack { step, .. } => script.lines.push(format!("rolling back from {step}")),
                    Entry::Outcome { .. } | Entry::Ended { .. } => {}
                }
                script.records.push(record);
                Event::Journaled
            }
            Effect::Act { step, back, action } => {
                acts += 1;
                script.server.now += 10;
                script.lines.push(format!("act {}{}", plan.steps[step].id, if back { " back" } else { "" }));
                Event::Acted((answers.act)(&mut script.server, acts, &action))
            }
            Effect::Poll { after_ms, .. } => {
                polls += 1;
                script.server.now += after_ms.max(1);
                Event::Polled((answers.poll)(&mut script.server, polls))
            }
            Effect::Ended(verdict) => {
                script.verdict = Some(*verdict);
                assert!(queue.is_empty(), "something comes after the end: {queue:?}");
                return script;
            }
        };
        queue.extend(run.step(event));
    }
    script
}

/// Runs a plan from the beginning; actions are answered by `act`.
fn go(plan: Plan, act: &mut dyn FnMut(&mut Server, usize, &Action) -> Outcome) -> Script {
    resume(plan, &[], Server::default(), act)
}

fn resume(
    plan: Plan,
    records: &[Record],
    server: Server,
    act: &mut dyn FnMut(&mut Server, usize, &Action) -> Outcome,
) -> Script {
    let mut poll = |_: &mut Server, _: usize| panic!("nothing is to be polled");
    drive(plan, records, server, Answers { act, poll: &mut poll, look: &mut |_, _| false })
}

#[test]
fn proved_steps_are_skipped() {
    let server = Server { flags: vec![1], ..Server::default() };
    let plan = plan(Verb::Create, vec![step(1), step(2)]);
    let script = resume(plan, &[], server, &mut |server, _, action| server.carry_out(action));
    assert_eq!(script.text(), "proved s1; intent s2; act s2; proved s2");
    assert_eq!(script.ended(), "reached");
}

#[test]
fn the_intent_is_in_the_journal_before_the_action() {
    let mut run = Run::new(plan(Verb::Create, vec![step(1)]), Recovered::nothing());
    assert_eq!(run.begin(), [Effect::Observe { after_ms: 0 }]);
    let seen = Box::new(Server::default().see());
    let effects = run.step(Event::Observed(seen.clone()));
    assert!(
        matches!(
            effects.as_slice(),
            [Effect::Tell(_), Effect::Journal(Record { entry: Entry::Intent { .. }, .. })]
        ),
        "{effects:?}"
    );
    // What answers nothing that is under way changes nothing.
    assert!(run.step(Event::Observed(seen)).is_empty());
    assert!(run.step(Event::Acted(Outcome::Done)).is_empty());
    assert!(run.step(Event::Polled(OperationState::Succeeded)).is_empty());
    let effects = run.step(Event::Journaled);
    assert!(matches!(effects.as_slice(), [Effect::Act { step: 0, back: false, .. }]), "{effects:?}");
}

#[test]
fn an_action_waits_for_what_it_requires_and_gives_up() {
    let needs = || plan(Verb::Create, vec![Step { requires: on(9), ..step(1) }]);
    let mut act = |server: &mut Server, _: usize, action: &Action| server.carry_out(action);
    let mut poll = |_: &mut Server, _: usize| OperationState::Gone;
    let mut late = |server: &mut Server, _: usize| {
        if server.now > 10_000 && server.flags.is_empty() {
            server.flags.push(9);
        }
        false
    };
    let answers = Answers { act: &mut act, poll: &mut poll, look: &mut late };
    let script = drive(needs(), &[], Server::default(), answers);
    assert_eq!(script.ended(), "reached", "{:?}", script.verdict);
    let script = go(needs(), &mut |_, _, _| panic!("not allowed"));
    assert_eq!((script.ended(), script.given()), ("stopped", 0));
    let Some(Verdict::Stopped { why, next, .. }) = script.verdict else { panic!() };
    assert!(why.contains("trace flag 9 is off"), "{why}");
    assert_eq!(next.command, "milink doctor sales", "nothing was changed");
    // What cannot be seen is waited for until the step's time is up.
    let mute = Server { silent: true, ..Server::default() };
    let script = resume(needs(), &[], mute, &mut |_, _, _| panic!("not allowed"));
    assert_eq!(script.ended(), "stopped");
    assert!(script.server.now >= 60_000, "{}", script.server.now);
}

/// A gap of a moment in what is required is no reason to give up, however long the step has been worked on.
#[test]
fn patience_begins_when_what_is_required_is_missing() {
    let steps = vec![Step { requires: on(9), ..step(1) }];
    let server = Server { flags: vec![9], ..Server::default() };
    let mut act = |server: &mut Server, n: usize, action: &Action| match n {
        // It is refused for 20 s, and then 9 is missing for a moment.
        _ if server.now < 20_000 => refused("1222"),
        _ => server.carry_out(action),
    };
    let mut poll = |_: &mut Server, _: usize| OperationState::Gone;
    let mut gap = |server: &mut Server, _: usize| {
        let missing = (20_000..22_000).contains(&server.now);
        server.flags.retain(|f| *f != 9);
        if !missing {
            server.flags.push(9);
        }
        false
    };
    let answers = Answers { act: &mut act, poll: &mut poll, look: &mut gap };
    let script = drive(plan(Verb::Create, steps), &[], server, answers);
    assert_eq!(script.ended(), "reached", "{:?}", script.verdict);
}

#[test]
fn a_refusal_stops_unless_it_passes() {
    let script = go(plan(Verb::Create, vec![step(1)]), &mut |_, _, _| refused("1475"));
    assert_eq!((script.ended(), script.given()), ("stopped", 1));
    let script = go(plan(Verb::Create, vec![step(1)]), &mut |server, n, action| match n {
        1..=3 => refused("1222"),
        _ => server.carry_out(action),
    });
    assert_eq!((script.ended(), script.given()), ("reached", 4));
    let script = go(plan(Verb::Create, vec![step(1)]), &mut |_, _, _| refused("TooManyRequests"));
    assert_eq!(script.ended(), "stopped");
    assert!(script.server.now >= 60_000 && script.given() > 5, "{}", script.given());
    // Whoever resumes wants it to be tried again.
    let records = script.records;
    let again =
        resume(plan(Verb::Create, vec![step(1)]), &records, script.server, &mut |server, _, action| {
            server.carry_out(action)
        });
    assert_eq!((again.ended(), again.given()), ("reached", 1));
}

#[test]
fn an_answer_that_was_lost_is_looked_for() {
    for repeat in [Repeat::Safe, Repeat::AfterWaiting, Repeat::Never] {
        let steps = || vec![Step { repeat, ..step(1) }];
        let script = go(plan(Verb::Create, steps()), &mut |server, _, action| {
            server.carry_out(action);
            lost()
        });
        assert_eq!((script.ended(), script.given()), ("reached", 1), "{repeat:?}");
        // The request was lost.
        let script = go(plan(Verb::Create, steps()), &mut |server, n, action| match n {
            1 => lost(),
            _ => server.carry_out(action),
        });
        let (ended, given, at_least) = match repeat {
            Repeat::Safe => ("reached", 2, 0),
            // It may be under way for so long, and what is made twice is refused.
            Repeat::AfterWaiting => ("reached", 2, 2_000),
            Repeat::Never => ("uncertain", 1, 60_000),
        };
        assert_eq!((script.ended(), script.given()), (ended, given), "{repeat:?}");
        assert!(script.server.now >= at_least, "{repeat:?} after {} ms", script.server.now);
    }
}

#[test]
fn nothing_is_given_again_while_nobody_can_look() {
    let script = go(plan(Verb::Create, vec![step(1)]), &mut |server, _, _| {
        server.silent = true;
        lost()
    });
    assert_eq!((script.ended(), script.given()), ("uncertain", 1));
    let Some(Verdict::Uncertain { next, now_true, .. }) = &script.verdict else { panic!() };
    assert_eq!(next.command, "milink resume sales");
    assert!(now_true[0].contains("its role is unknown"), "{now_true:?}");
}

/// The count of attempts is of one run: after a resume there are new ones.
#[test]
fn whoever_resumes_gets_new_attempts() {
    let steps = || plan(Verb::Create, vec![step(1)]);
    let script = go(steps(), &mut |_, _, _| lost());
    assert_eq!((script.ended(), script.given()), ("uncertain", 5));
    let again = resume(steps(), &script.records, script.server, &mut |server, _, a| server.carry_out(a));
    assert_eq!((again.ended(), again.given()), ("reached", 1));
}

/// A refusal that passes, after an answer that was lost, does not end the attempts.
#[test]
fn a_refusal_that_passes_after_a_lost_answer_is_tried_again() {
    for repeat in [Repeat::Safe, Repeat::AfterWaiting] {
        let steps = plan(Verb::Create, vec![Step { repeat, ..step(1) }]);
        let script = go(steps, &mut |server, n, action| match n {
            1 => lost(),
            2 => refused("1222"),
            _ => server.carry_out(action),
        });
        assert_eq!((script.ended(), script.given()), ("reached", 3), "{repeat:?}: {}", script.text());
    }
}

/// The second of two is refused since the first was carried out.
#[test]
fn a_refusal_after_a_lost_answer_proves_nothing() {
    let once = || plan(Verb::Create, vec![Step { repeat: Repeat::AfterWaiting, ..step(1) }]);
    let mut act = |_: &mut Server, n: usize, _: &Action| if n == 1 { lost() } else { refused("15151") };
    let mut poll = |_: &mut Server, _: usize| OperationState::Gone;
    let mut late = |server: &mut Server, _: usize| {
        if server.now > 50_000 && server.flags.is_empty() {
            server.flags.push(1);
        }
        false
    };
    let script =
        drive(once(), &[], Server::default(), Answers { act: &mut act, poll: &mut poll, look: &mut late });
    assert_eq!((script.ended(), script.given()), ("reached", 2));
    let script = go(once(), &mut |_, n, _| if n == 1 { lost() } else { refused("15151") });
    assert_eq!((script.ended(), script.given()), ("uncertain", 2));
    let again = resume(once(), &script.records, script.server, &mut |server, _, a| server.carry_out(a));
    assert_eq!((again.ended(), again.given()), ("reached", 1), "{}", again.text());
}

/// A refusal that says that it is never done says so of the time before as well: nothing is left open that could never be gone on with.
#[test]
fn a_refusal_for_ever_settles_a_lost_answer() {
    let once = || plan(Verb::ForcedFailover, vec![Step { repeat: Repeat::AfterWaiting, ..step(1) }]);
    let script = go(once(), &mut |_, n, _| if n == 1 { lost() } else { refused("41985") });
    assert_eq!((script.ended(), script.given()), ("stopped", 2), "{}", script.text());
    assert!(script.text().ends_with("disproved s1"), "{}", script.text());
    let recovered = Recovered::from_records(&script.records).unwrap();
    assert!(!recovered.summary(&once()).is_open());
}

/// Somebody has taken back what was done: whoever resumes gets it done again, at once or after a wait.
#[test]
fn what_somebody_took_back_is_done_again() {
    for repeat in [Repeat::Safe, Repeat::AfterWaiting] {
        let steps = || plan(Verb::Create, vec![Step { repeat, ..step(1) }]);
        // It is done, and never seen.
        let script = go(steps(), &mut |_, _, _| Outcome::Done);
        assert_eq!((script.ended(), script.given()), ("stopped", 1), "{repeat:?}");
        let again = resume(steps(), &script.records, script.server, &mut |server, _, a| server.carry_out(a));
        assert_eq!((again.ended(), again.given()), ("reached", 1), "{repeat:?}: {}", again.text());
    }
}

#[test]
fn a_proof_must_hold_without_a_gap() {
    let steady = Step { stable_ms: 1_000, ..waiting(1) };
    let mut act = |_: &mut Server, _: usize, _: &Action| Outcome::Done;
    let mut poll = |_: &mut Server, _: usize| OperationState::Gone;
    let mut look = |server: &mut Server, _: usize| {
        server.flags.clear();
        // A gap at 900 ms, and at 1,800 ms.
        if server.now < 900 || (1_000..1_800).contains(&server.now) || server.now >= 2_000 {
            server.flags.push(1);
        }
        false
    };
    let script = drive(
        plan(Verb::Create, vec![Step { phase: Phase::Drain, ..steady }]),
        &[],
        Server::default(),
        Answers { act: &mut act, poll: &mut poll, look: &mut look },
    );
    assert_eq!(script.ended(), "reached");
    assert!(script.server.now >= 3_000, "proved after {} ms", script.server.now);
}

#[test]
fn time_runs_out() {
    let script = go(plan(Verb::Create, vec![waiting(1)]), &mut |_, _, _| Outcome::Done);
    assert_eq!(script.ended(), "stopped");
    assert!((60_000..70_000).contains(&script.server.now), "{}", script.server.now);
    // It was carried out, and is not seen.
    let script = go(plan(Verb::Create, vec![step(1)]), &mut |_, _, _| Outcome::Done);
    let Some(Verdict::Stopped { why, next, .. }) = script.verdict else { panic!() };
    assert!(why.contains("carried out, but after 60 s still trace flag 1 is off"), "{why}");
    assert_eq!(next.command, "milink resume sales");
}

fn polled(plan: Plan, act: Outcome, works: bool, states: Vec<OperationState>) -> Script {
    let mut states = states.into_iter();
    let mut last = OperationState::Running { retry_after_ms: 500 };
    drive(
        plan,
        &[],
        Server::default(),
        Answers {
            act: &mut |server, n, action| {
                if works && n == 1 {
                    server.carry_out(action);
                }
                if n == 1 { act.clone() } else { server.carry_out(action) }
            },
            poll: &mut |_, _| {
                last = states.next().unwrap_or_else(|| last.clone());
                last.clone()
            },
            look: &mut |_, _| false,
        },
    )
}

#[test]
fn operations_are_followed() {
    let running = || OperationState::Running { retry_after_ms: 500 };
    let unknown = || OperationState::Unknown { why: "no answer".to_owned() };
    let failed = || OperationState::Failed { code: "47521".to_owned(), text: String::new() };
    let one = || plan(Verb::Create, vec![step(1)]);
    let script =
        polled(one(), started(), true, vec![running(), unknown(), running(), OperationState::Succeeded]);
    assert_eq!((script.ended(), script.given()), ("reached", 1));
    // What is seen meanwhile proves nothing: the operation still runs.
    assert!(script.server.now >= 2_000, "{}", script.server.now);
    let script = polled(one(), started(), false, vec![running(), failed()]);
    assert_eq!((script.ended(), script.given()), ("stopped", 1));
    // Forgotten: it is looked for, and given again where that does no harm.
    let script = polled(one(), started(), true, vec![OperationState::Gone]);
    assert_eq!((script.ended(), script.given()), ("reached", 1));
    let script = polled(one(), started(), false, vec![OperationState::Gone]);
    assert_eq!((script.ended(), script.given()), ("reached", 2));
    let script = polled(one(), started(), true, vec![running()]);
    assert_eq!((script.ended(), script.given()), ("uncertain", 1));
    assert!(script.server.now >= 60_000);
}

fn changing() -> Plan {
    let change = Step { undo: Undo::Impossible { why: String::new() }, irreversible: true, ..step(3) };
    plan(Verb::PlannedFailover, vec![step(1), step(2), change, waiting(4)])
}

#[test]
fn before_the_point_of_no_return_everything_is_taken_back() {
    let script = go(changing(), &mut |server, n, action| match n {
        3 => refused("41142"),
        _ => server.carry_out(action),
    });
    assert_eq!(
        script.text(),
        "intent s1; act s1; proved s1; intent s2; act s2; proved s2; intent s3; act s3; rolling back from s3; \
         intent s2 back; act s2 back; proved s2 back; intent s1 back; act s1 back; proved s1 back"
    );
    let Some(Verdict::RolledBack { step, undone, .. }) = script.verdict else { panic!() };
    assert_eq!((step.as_str(), undone), ("s3", vec!["s2".to_owned(), "s1".to_owned()]));
    assert_eq!(script.server.flags, [0_u16; 0]);
    // What was there before the run stays.
    let server = Server { flags: vec![1], ..Server::default() };
    let script = resume(changing(), &[], server, &mut |server, n, action| match n {
        2 => refused("41142"),
        _ => server.carry_out(action),
    });
    assert_eq!((script.ended(), script.server.flags), ("rolled back", vec![1]));
}

#[test]
fn after_the_point_of_no_return_nothing_is() {
    for outcome in [Outcome::Done, lost()] {
        let script = go(changing(), &mut |server, n, action| match n {
            3 => {
                server.carry_out(action);
                outcome.clone()
            }
            _ => server.carry_out(action),
        });
        // The flag that the last step waits for never comes.
        assert_eq!(script.ended(), "stopped", "{outcome:?}");
        assert_eq!(script.server.flags, [1, 2, 3], "{outcome:?}");
    }
    // Nobody knows whether it was carried out: that is not taken back either.
    let script = go(changing(), &mut |server, n, action| match n {
        1 | 2 => server.carry_out(action),
        _ => {
            server.silent = true;
            lost()
        }
    });
    assert_eq!((script.ended(), script.server.flags), ("uncertain", vec![1, 2]));
}

#[test]
fn only_a_planned_failover_rolls_back_by_itself() {
    for verb in [Verb::Create, Verb::ForcedFailover, Verb::Repair, Verb::Drop, Verb::Undo, Verb::Fix] {
        let script = go(Plan { verb, ..changing() }, &mut |server, n, action| match n {
            3 => refused("41142"),
            _ => server.carry_out(action),
        });
        assert_eq!((script.ended(), script.server.flags), ("stopped", vec![1, 2]), "{verb:?}");
    }
}

/// An operation that fails may have done a part of its work.
#[test]
fn what_a_failed_operation_left_behind_is_taken_back() {
    let plan = plan(Verb::PlannedFailover, vec![step(1)]);
    let failed = OperationState::Failed { code: "41969".to_owned(), text: String::new() };
    let script = polled(
        Plan {
            steps: vec![Step { proved_by: Condition::All { of: vec![on(1), on(2)] }, ..step(1) }],
            ..plan
        },
        started(),
        true,
        vec![failed],
    );
    assert_eq!(script.ended(), "rolled back", "{}", script.text());
    assert_eq!(script.server.flags, [0_u16; 0], "{}", script.text());
}

#[test]
fn every_prefix_of_a_journal_is_resumed() {
    let steps =
        || plan(Verb::Create, vec![step(1), Step { repeat: Repeat::AfterWaiting, ..step(2) }, step(3)]);
    let whole = go(steps(), &mut |server, n, action| if n == 2 { lost() } else { server.carry_out(action) });
    assert_eq!(whole.ended(), "reached");
    for length in 0..whole.records.len() {
        let records = &whole.records[..length];
        let json = serde_json::to_string(records).unwrap();
        let records: Vec<Record> = serde_json::from_str(&json).unwrap();
        let recovered = Recovered::from_records(&records).unwrap();
        // What was done is as the journal says, and once as if the last action had not arrived.
        for applied in [true, false] {
            let done = |id: &str| recovered.step(id).is_some_and(|p| p.proved || applied && p.maybe_applied);
            let flags: Vec<u16> = (1..=3).filter(|n| done(&format!("s{n}"))).collect();
            let server = Server { flags: flags.clone(), ..Server::default() };
            let script = resume(steps(), &records, server, &mut |server, _, a| server.carry_out(a));
            assert_eq!(script.ended(), "reached", "{length} entries");
            assert_eq!(script.given(), 3 - flags.len(), "{length} entries: {}", script.text());
        }
    }
}

#[test]
fn a_roll_back_that_was_interrupted_goes_on_backwards() {
    let whole = go(changing(), &mut |server, n, action| match n {
        3 => refused("41142"),
        _ => server.carry_out(action),
    });
    let from = whole.records.iter().position(|r| matches!(r.entry, Entry::RollingBack { .. })).unwrap();
    for length in from + 1..whole.records.len() {
        let server = Server { flags: vec![1, 2], ..Server::default() };
        let script =
            resume(changing(), &whole.records[..length], server, &mut |server, _, a| server.carry_out(a));
        assert_eq!(script.ended(), "rolled back", "{length} entries");
        assert!(script.lines.iter().all(|l| l.ends_with("back")), "{}", script.text());
    }
}

fn stopping(plan: Plan, at_look: usize, server: Server) -> Script {
    let mut act = |server: &mut Server, _: usize, action: &Action| server.carry_out(action);
    let mut poll = |_: &mut Server, n: usize| match n {
        1..=5 => OperationState::Running { retry_after_ms: 10 },
        _ => OperationState::Succeeded,
    };
    drive(plan, &[], server, Answers { act: &mut act, poll: &mut poll, look: &mut |_, look| look == at_look })
}

#[test]
fn a_wish_to_stop_is_met_at_a_safe_place() {
    let waits = || plan(Verb::Create, vec![step(1), waiting(9)]);
    let script = stopping(waits(), 5, Server::default());
    assert_eq!(script.ended(), "stopped");
    assert!(script.server.now < 10_000, "{}", script.server.now);
    // A planned failover takes back what it has done.
    let script = stopping(Plan { verb: Verb::PlannedFailover, ..waits() }, 5, Server::default());
    assert_eq!((script.ended(), script.server.flags), ("rolled back", vec![]));
    // Between demotion and promotion nobody is primary: it goes on.
    let between = vec![
        Step { phase: Phase::Demote, ..step(1) },
        Step { phase: Phase::Demote, timeout_ms: 5_000, ..waiting(9) },
        Step {
            phase: Phase::Promote,
            irreversible: true,
            undo: Undo::Impossible { why: String::new() },
            ..step(3)
        },
        waiting(10),
    ];
    let mut act = |server: &mut Server, _: usize, action: &Action| server.carry_out(action);
    let mut poll = |_: &mut Server, _: usize| OperationState::Gone;
    let mut look = |server: &mut Server, n: usize| {
        if server.now > 3_000 && !server.flags.contains(&9) {
            server.flags.push(9);
        }
        n == 4
    };
    let answers = Answers { act: &mut act, poll: &mut poll, look: &mut look };
    let script = drive(plan(Verb::PlannedFailover, between), &[], Server::default(), answers);
    assert_eq!(script.ended(), "stopped", "{}", script.text());
    assert!(script.text().contains("proved s3"), "{}", script.text());
    assert!(script.server.now < 10_000, "it stops after the promotion: {}", script.server.now);
}

#[test]
fn a_later_journal_is_not_read() {
    let record = Record {
        version: JOURNAL_VERSION + 1,
        at: None,
        entry: Entry::Intent { step: "s1".to_owned(), back: false },
    };
    assert_eq!(Recovered::from_records(&[record]).unwrap_err(), JOURNAL_VERSION + 1);
}

/// What promotes, whatever the plan requires.
#[test]
fn nobody_is_promoted_beside_another_primary() {
    let promotions = [
        (Side::SqlServer, Action::sql(Statement::ForceFailover { name: LINK.to_owned() })),
        (
            Side::Managed,
            Action::arm(ArmCall::SetRole {
                name: LINK.to_owned(),
                role: Role::Primary,
                change: RoleChange::Forced,
            }),
        ),
    ];
    for (side, action) in promotions {
        let other = side.other();
        let given = |verb: Verb, change: &dyn Fn(&mut World)| {
            let mut world = World::linked(1, V2022_CU14, other);
            change(&mut world);
            let role = Condition::Role { name: LINK.to_owned(), side, role: Role::Primary };
            let step = Step { action: Some(action.clone()), proved_by: role, ..step(1) };
            let mut run = Run::new(plan(verb, vec![step]), Recovered::nothing());
            for _ in 0..100 {
                world.pass(1_000);
                let effects = run.step(Event::Observed(Box::new(look(&mut world))));
                for effect in effects {
                    if let Effect::Journal(Record { entry: Entry::Intent { .. }, .. }) = effect {
                        return true;
                    }
                }
            }
            false
        };
        let planned = Verb::PlannedFailover;
        assert!(!given(planned, &|_| {}), "{side}: the other one is primary");
        assert!(given(planned, &|w| w.node_mut(other).role = Some(Role::Secondary)), "{side}");
        assert!(given(Verb::ForcedFailover, &|_| {}), "{side}: forced, and confirmed");
        let silent = |w: &mut World| {
            w.node_mut(other).role = Some(Role::Secondary);
            w.node_mut(other).alive = false;
            // Azure would speak for the managed instance.
            w.azure = false;
        };
        assert!(!given(planned, &silent), "{side}: the other one does not answer");
        assert!(
            !given(planned, &|w| w.node_mut(other).resolving_until = u64::MAX),
            "{side}: the other one is resolving"
        );
        for verb in [Verb::Repair, Verb::Undo, Verb::Create, Verb::Drop, Verb::Fix] {
            assert!(!given(verb, &|_| {}), "{side}: {verb:?}");
        }
    }
}
