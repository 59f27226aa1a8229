//! Carries out the machine's effects against the model, and dies when it is told to.

use milink_core::moment::Moment;
use milink_core::plan::{Condition, Plan, Verb};
use milink_core::run::{
    Effect, Entry, Event, Outcome, Picture, Record, Recovered, Run, RunSummary, StepState, Verdict,
};

use super::look::look;
use super::server::{Delivery, act, poll};
use super::world::{By, World};

/// A plan and what the journal has of it.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) plan: Plan,
    pub(crate) records: Vec<Record>,
    /// On whose account its actions are.
    pub(crate) by: By,
}

impl Story {
    pub(crate) fn new(plan: Plan) -> Story {
        let by = By { verb: plan.verb, at: 0 };
        Story { plan, records: Vec::new(), by }
    }

    pub(crate) fn summary(&self) -> RunSummary {
        Recovered::from_records(&self.records).unwrap().summary(&self.plan)
    }
}

/// A bug that is put in, to prove that it would be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Planted {
    Nothing,
    /// The roles are changed without waiting for equal hardened LSNs.
    NoHardenedGate,
    /// A time-out counts as a refusal.
    TimeoutIsRefusal,
    /// The other side's role is not looked at before a promotion.
    NoGuard,
    /// An action's intent does not get into the journal.
    NoIntent,
}

/// Where the tool is killed: at that effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kill {
    pub(crate) effect: u64,
    /// After it was carried out, before its answer is taken.
    pub(crate) after: bool,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct How {
    pub(crate) planted: Planted,
    pub(crate) kill: Option<Kill>,
    /// At that effect the user wants it to stop.
    pub(crate) stop: Option<u64>,
    /// The action of that number is delivered so.
    pub(crate) delivery: Option<(u64, Delivery)>,
    /// It is killed after that many effects, whatever it does.
    pub(crate) patience: u64,
}

impl How {
    pub(crate) fn plain() -> How {
        How { planted: Planted::Nothing, kill: None, stop: None, delivery: None, patience: 2_000 }
    }
}

/// How a run went: its verdict, or `None` if it was killed.
pub(crate) struct Went {
    pub(crate) verdict: Option<Verdict>,
    pub(crate) effects: u64,
    pub(crate) actions: u64,
}

fn without_gate(condition: &Condition) -> Condition {
    match condition {
        Condition::HardenedEqual { .. } | Condition::NothingBehind { .. } => Condition::Always,
        Condition::All { of } => Condition::All { of: of.iter().map(without_gate).collect() },
        other => other.clone(),
    }
}

/// What the journal shows of a run.
fn drawn(story: &Story) -> Picture {
    let at = Moment::from_unix_ms(0);
    let records: Vec<(Moment, Record)> = story.records.iter().map(|r| (at, r.clone())).collect();
    Picture::of_journal(&story.plan, &records)
}

/// Who was there all the time sees the same in the end as who reads the journal.
fn check_drawn(live: &Picture, read: &Picture) {
    let states = |p: &Picture| p.steps.iter().map(|s| (s.id.clone(), s.state)).collect::<Vec<_>>();
    assert_eq!(states(live), states(read), "{:#?}", live.verdict);
    assert_eq!((&live.verdict, &live.rolling_back), (&read.verdict, &read.rolling_back));
    if live.verdict == Some(Verdict::Reached) {
        let done = |s: &StepState| matches!(s, StepState::Done | StepState::WasSo);
        assert!(live.steps.iter().all(|s| done(&s.state)), "{:#?}", live.steps);
    }
}

/// Runs a plan from what the journal has of it.
pub(crate) fn run(world: &mut World, story: &mut Story, how: How) -> Went {
    let mut plan = story.plan.clone();
    if how.planted == Planted::NoHardenedGate {
        for step in &mut plan.steps {
            step.requires = without_gate(&step.requires);
            step.proved_by = without_gate(&step.proved_by);
            step.stable_ms = 0;
        }
    }
    let rolls_back = story.records.iter().any(|r| matches!(r.entry, Entry::RollingBack { .. }));
    if how.planted == Planted::NoGuard && rolls_back {
        // The machine lets a forced failover past the guard.
        plan.verb = Verb::ForcedFailover;
    }
    let recovered = Recovered::from_records(&story.records).unwrap();
    let mut run = Run::new(plan, recovered);
    let mut queue = run.begin();
    let mut went = Went { verdict: None, effects: 0, actions: 0 };
    let mut waits = 0;
    let mut picture = drawn(story);
    while !queue.is_empty() {
        let effect = queue.remove(0);
        if let Effect::Tell(told) = &effect {
            picture.tell(Moment::from_unix_ms(0), told);
            continue;
        }
        if let Effect::Ended(verdict) = effect {
            picture.end(Moment::from_unix_ms(0), &verdict);
            // A journal that lacks intents does not show what was given.
            if how.planted != Planted::NoIntent {
                check_drawn(&picture, &drawn(story));
            }
            went.verdict = Some(*verdict);
            return went;
        }
        went.effects += 1;
        if how.stop == Some(went.effects) {
            world.counts.add("wishes to stop");
            queue.extend(run.step(Event::Stop));
        }
        let killed = how.kill.filter(|k| k.effect == went.effects);
        if killed.is_some() || went.effects > how.patience {
            world.counts.add("kills of the tool");
        }
        if killed.is_some_and(|k| !k.after) || went.effects > how.patience {
            return went;
        }
        let event = match effect {
            Effect::Observe { after_ms } => {
                // Looks come later and later, as they may: what has to wait for minutes is not looked at thousands of times.
                waits += 1;
                let later = if after_ms == 0 { 0 } else { world.dice.below(1 << waits.min(13)) };
                world.pass(after_ms + later);
                Event::Observed(Box::new(look(world)))
            }
            Effect::Journal(record) => {
                waits = 0;
                let hidden = how.planted == Planted::NoIntent && matches!(record.entry, Entry::Intent { .. });
                if !hidden {
                    story.records.push(record);
                }
                Event::Journaled
            }
            Effect::Act { step, action, .. } => {
                went.actions += 1;
                let delivery = how.delivery.filter(|(n, _)| *n == went.actions);
                let delivery = delivery.map_or(Delivery::Chance, |(_, d)| d);
                let id = story.plan.steps[step].id.clone();
                let by = By { at: world.now, ..story.by };
                let outcome = act(world, &id, &action, by, delivery);
                let outcome = match outcome {
                    Outcome::Uncertain { why } if how.planted == Planted::TimeoutIsRefusal => {
                        Outcome::Refused { code: "-2".to_owned(), text: why }
                    }
                    other => other,
                };
                Event::Acted(outcome)
            }
            Effect::Poll { operation, after_ms } => {
                world.pass(after_ms);
                Event::Polled(poll(world, &operation))
            }
            Effect::Tell(_) | Effect::Ended(_) => continue,
        };
        if killed.is_some() {
            return went;
        }
        queue.extend(run.step(event));
    }
    panic!("the machine has nothing to do and has not ended: {:?}", story.records.last());
}
