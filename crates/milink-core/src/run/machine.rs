//! The machine.

use super::task::{FAILED_MS, GIVEN_MAX, PATIENCE_MS, Task, guard, is_never, seeding_failure};
use super::{
    Effect, Entry, Event, JOURNAL_VERSION, Last, Next, OperationState, Outcome, Past, Progress, Record,
    Recovered, Verdict, evidence, is_transient, now_true,
};
use crate::action::Action;
use crate::moment::Moment;
use crate::names::{Role, Side};
use crate::observe::Observation;
use crate::plan::{Phase, Plan, Repeat, Step, Truth, Undo, Verb};

/// A plan that is being run.
///
/// Invariants: an action is given only after its intent is in the journal, and only if an observation from after the outcome of the one
/// before it says that it is needed; after the first irreversible step nothing is taken back.
#[derive(Debug)]
pub struct Run {
    plan: Plan,
    steps: Vec<Past>,
    back: Vec<Past>,
    way: Way,
    /// The step that is worked on.
    at: usize,
    state: State,
    seen: Option<Box<Observation>>,
    clock: Clock,
    stop: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Way {
    Forward,
    /// The former state is brought back, since that step failed.
    Back {
        failed: usize,
        why: String,
    },
}

#[derive(Debug, Clone, PartialEq)]
enum State {
    Looking,
    Journaling(Then),
    Acting,
    Polling { operation: String },
    Over,
}

/// What comes after an entry is in the journal.
#[derive(Debug, Clone, PartialEq)]
enum Then {
    /// To decide on what was seen last.
    Decide,
    Act,
    Look,
    Poll {
        operation: String,
        after_ms: u64,
    },
    End(Box<Verdict>),
}

/// Times of the step that is worked on, by the clock of who looks.
#[derive(Debug, Default)]
struct Clock {
    /// Since when it is worked on.
    begun: Option<Moment>,
    /// The last look before its action was given.
    acted: Option<Moment>,
    /// Since when its proof holds without a gap.
    held: Option<Moment>,
    /// Since when a first copy that it waits for is seen to have failed.
    failed: Option<Moment>,
    /// Since when what must hold before its action does not.
    lacking: Option<Moment>,
}

impl Run {
    /// A run of a plan, from what the journal says of it: [`Recovered::nothing`] for a new one.
    pub fn new(plan: Plan, done: Recovered) -> Run {
        let find = |all: &[(String, Past)], id: &str| {
            all.iter().find(|(step, _)| step == id).map_or_else(Past::default, |(_, past)| past.clone())
        };
        let steps = plan.steps.iter().map(|s| find(&done.steps, &s.id)).collect();
        let back = plan.steps.iter().map(|s| find(&done.back, &s.id)).collect();
        let failed = done
            .rolling_back
            .and_then(|(id, why)| plan.steps.iter().position(|s| s.id == id).map(|failed| (failed, why)));
        let (way, at) = match failed {
            Some((failed, why)) => (Way::Back { failed, why }, failed),
            None => (Way::Forward, 0),
        };
        Run {
            plan,
            steps,
            back,
            way,
            at,
            state: State::Looking,
            seen: None,
            clock: Clock::default(),
            stop: false,
        }
    }

    /// The first effects: a look, before anything else.
    pub fn begin(&self) -> Vec<Effect> {
        vec![Effect::Observe { after_ms: 0 }]
    }

    /// The plan that is run.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Takes an event. One that answers nothing that is under way changes nothing.
    pub fn step(&mut self, event: Event) -> Vec<Effect> {
        match (std::mem::replace(&mut self.state, State::Over), event) {
            (State::Over, _) => Vec::new(),
            (state, Event::Stop) => {
                self.stop = true;
                self.state = state;
                Vec::new()
            }
            (State::Looking, Event::Observed(seen)) => {
                self.seen = Some(seen);
                self.decide()
            }
            (State::Journaling(then), Event::Journaled) => self.go_on(then),
            (State::Acting, Event::Acted(outcome)) => self.acted(outcome),
            (State::Polling { operation }, Event::Polled(state)) => self.polled(operation, state),
            (state, Event::Observed(_) | Event::Journaled | Event::Acted(_) | Event::Polled(_)) => {
                self.state = state;
                Vec::new()
            }
        }
    }

    // ---- what comes back

    fn go_on(&mut self, then: Then) -> Vec<Effect> {
        match then {
            Then::Decide => self.decide(),
            Then::Look => self.look(0),
            Then::Act => match self.action() {
                Some(action) => {
                    self.state = State::Acting;
                    vec![Effect::Act { step: self.at, back: self.is_back(), action: Box::new(action) }]
                }
                None => self.decide(),
            },
            Then::Poll { operation, after_ms } => self.poll(operation, after_ms),
            Then::End(verdict) => {
                self.state = State::Over;
                vec![Effect::Ended(verdict)]
            }
        }
    }

    fn acted(&mut self, outcome: Outcome) -> Vec<Effect> {
        self.past().outcome(&outcome);
        let then = match &outcome {
            Outcome::Started { operation, retry_after_ms } => {
                Then::Poll { operation: operation.clone(), after_ms: *retry_after_ms }
            }
            Outcome::Done | Outcome::Refused { .. } | Outcome::Uncertain { .. } => Then::Look,
        };
        self.journal_outcome(outcome, then)
    }

    fn polled(&mut self, operation: String, state: OperationState) -> Vec<Effect> {
        let outcome = match state {
            // A look is the clock: after it, it is asked again, unless the time is up.
            OperationState::Running { retry_after_ms } => return self.look(retry_after_ms),
            OperationState::Unknown { .. } => return self.look(1_000),
            OperationState::Succeeded => Outcome::Done,
            OperationState::Failed { code, text } => Outcome::Refused { code, text },
            OperationState::Gone => {
                Outcome::Uncertain { why: format!("Azure does not remember the operation {operation}") }
            }
        };
        self.past().outcome(&outcome);
        self.journal_outcome(outcome, Then::Look)
    }

    fn journal_outcome(&mut self, outcome: Outcome, then: Then) -> Vec<Effect> {
        let entry = Entry::Outcome { step: self.id(), back: self.is_back(), outcome };
        self.journal(entry, then)
    }

    // ---- effects

    fn look(&mut self, after_ms: u64) -> Vec<Effect> {
        self.state = State::Looking;
        vec![Effect::Observe { after_ms }]
    }

    fn poll(&mut self, operation: String, after_ms: u64) -> Vec<Effect> {
        self.state = State::Polling { operation: operation.clone() };
        vec![Effect::Poll { operation, after_ms }]
    }

    fn journal(&mut self, entry: Entry, then: Then) -> Vec<Effect> {
        self.state = State::Journaling(then);
        let at = self.seen.as_ref().map(|s| s.at);
        vec![Effect::Journal(Record { version: JOURNAL_VERSION, at, entry })]
    }

    fn wait(&mut self, seen: String, waited_ms: u64, timeout_ms: u64, after_ms: u64) -> Vec<Effect> {
        let tell = Progress::Waiting { step: self.at, id: self.id(), seen, waited_ms, timeout_ms };
        let mut effects = vec![Effect::Tell(tell)];
        effects.extend(self.look(after_ms));
        effects
    }

    // ---- what is worked on

    fn is_back(&self) -> bool {
        match self.way {
            Way::Forward => false,
            Way::Back { .. } => true,
        }
    }

    fn id(&self) -> String {
        self.plan.steps.get(self.at).map_or_else(String::new, |s| s.id.clone())
    }

    fn past(&mut self) -> &mut Past {
        let all = if self.is_back() { &mut self.back } else { &mut self.steps };
        &mut all[self.at]
    }

    fn task(&self) -> Option<Task<'_>> {
        if self.is_back() { Task::back(&self.plan, self.at) } else { Task::of(&self.plan, self.at) }
    }

    fn action(&self) -> Option<Action> {
        self.task()?.action.cloned()
    }

    // ---- deciding

    fn decide(&mut self) -> Vec<Effect> {
        let Some(seen) = self.seen.take() else { return self.look(0) };
        let effects = self.decide_on(&seen);
        self.seen = Some(seen);
        // What was journaled while the observation was out of its place has no moment yet.
        let at = self.seen.as_ref().map(|s| s.at);
        effects
            .into_iter()
            .map(|effect| match effect {
                Effect::Journal(record) => Effect::Journal(Record { at: record.at.or(at), ..record }),
                other => other,
            })
            .collect()
    }

    fn decide_on(&mut self, seen: &Observation) -> Vec<Effect> {
        loop {
            if self.is_back() {
                // Only what this run may have changed is taken back.
                let open = self.steps[self.at].may_have_changed() && !self.back[self.at].proved;
                if !open || Task::back(&self.plan, self.at).is_none() {
                    match self.at.checked_sub(1) {
                        Some(before) => self.turn_to(before),
                        None => return self.rolled_back(seen),
                    }
                    continue;
                }
            } else if self.at == self.plan.steps.len() {
                return self.end(Verdict::Reached);
            } else if self.steps[self.at].proved {
                self.turn_to(self.at + 1);
                continue;
            }
            return self.work(seen);
        }
    }

    fn turn_to(&mut self, step: usize) {
        self.at = step;
        self.clock = Clock::default();
    }

    fn work(&mut self, seen: &Observation) -> Vec<Effect> {
        let begins = self.clock.begun.is_none();
        let begun = *self.clock.begun.get_or_insert(seen.at);
        let past = self.past().clone();
        let Some(task) = self.task() else { return Vec::new() };
        let (timeout_ms, look_ms, stable_ms) = (task.timeout_ms, task.look_after_ms(0), task.stable_ms);
        let proof = evidence(task.proved_by, seen);
        let waited = seen.at.ms_since(self.clock.acted.unwrap_or(begun));
        let over = waited >= timeout_ms;

        let truth =
            if matches!(past.last, Last::Started { .. }) { None } else { Some(task.proof(&past, seen)) };
        let mut effects = if begins { vec![self.begins()] } else { Vec::new() };
        let Some(truth) = truth else {
            effects.extend(self.under_way(seen, past, waited, over, timeout_ms));
            return effects;
        };
        if truth.holds() {
            let held = *self.clock.held.get_or_insert(seen.at);
            let left = stable_ms.saturating_sub(seen.at.ms_since(held));
            if left == 0 {
                effects.extend(self.proved(&past, proof));
            } else if self.wants_to_stop() {
                effects.extend(self.fail(seen, "stopped by the user".to_owned()));
            } else {
                effects.extend(self.look(left.min(look_ms)));
            }
            return effects;
        }
        self.clock.held = None;
        if self.wants_to_stop() {
            effects.extend(self.fail(seen, "stopped by the user".to_owned()));
            return effects;
        }
        match self.seeding_failed(seen) {
            Some(why) => effects.extend(self.fail(seen, why)),
            None => effects.extend(self.not_proved(seen, past, &truth, waited, over)),
        }
        effects
    }

    /// Why the first copy that is waited for will not come. A failure that stands while the servers begin another attempt is none.
    fn seeding_failed(&mut self, seen: &Observation) -> Option<String> {
        let step =
            self.plan.steps.get(self.at).filter(|s| s.phase == Phase::Seeding && s.action.is_none())?;
        if self.is_back() {
            return None;
        }
        let why = seeding_failure(&step.proved_by, seen);
        let since = why.as_ref().map(|_| *self.clock.failed.get_or_insert(seen.at));
        self.clock.failed = since;
        why.filter(|_| waited_for(since, seen) >= FAILED_MS)
    }

    fn begins(&self) -> Effect {
        let title = self.plan.steps.get(self.at).map_or_else(String::new, |s| s.title.clone());
        Effect::Tell(Progress::Begins { step: self.at, id: self.id(), title, back: self.is_back() })
    }

    /// An operation that was started is asked for until it ends or the time is up. What an observation shows meanwhile proves nothing: the
    /// next action would be refused while it runs.
    fn under_way(
        &mut self,
        seen: &Observation,
        past: Past,
        waited: u64,
        over: bool,
        timeout_ms: u64,
    ) -> Vec<Effect> {
        let Last::Started { operation } = past.last else { return Vec::new() };
        if over {
            let why = format!(
                "the operation still runs after {} s, of {} s given to it",
                waited / 1_000,
                timeout_ms / 1_000
            );
            return self.uncertain(seen, why);
        }
        self.poll(operation, 0)
    }

    fn proved(&mut self, past: &Past, seen: String) -> Vec<Effect> {
        let back = self.is_back();
        self.past().proved = true;
        let (step, id) = (self.at, self.id());
        let skipped = past.given == 0 && self.action().is_some();
        let mut effects =
            vec![Effect::Tell(Progress::Proved { step, id: id.clone(), skipped, back, seen: seen.clone() })];
        effects.extend(self.journal(Entry::Proved { step: id, back, seen }, Then::Decide));
        effects
    }

    fn not_proved(
        &mut self,
        seen: &Observation,
        past: Past,
        truth: &Truth,
        waited: u64,
        over: bool,
    ) -> Vec<Effect> {
        let Some(task) = self.task() else { return Vec::new() };
        let (repeat, timeout_ms, look_ms) = (task.repeat, task.timeout_ms, task.look_after_ms(waited));
        let settled = waited >= task.under_way_ms();
        let hangs = task.hangs_on_the_answer();
        let acts = task.action.is_some();
        let begun = self.clock.begun.unwrap_or(seen.at);
        let shown = match truth {
            Truth::Holds => String::new(),
            Truth::Not { seen } => seen.clone(),
            Truth::Unknown { why } => why.clone(),
        };
        let certain = matches!(truth, Truth::Not { .. });
        match past.last.clone() {
            Last::Never if acts => self.give(seen, None),
            Last::Never if over => self.fail(seen, format!("{shown}, after {} s", waited / 1_000)),
            Last::Never => self.wait(shown, waited, timeout_ms, look_ms),
            // The time is up, what is seen is certain, and it is never done: then it was not done the time before either.
            Last::Refused { code, .. } if past.maybe_applied && over && certain && is_never(&code) => {
                self.past().disprove();
                let entry = Entry::Disproved { step: self.id(), back: self.is_back(), seen: shown };
                self.journal(entry, Then::Decide)
            }
            // The first of two may have been carried out, which is why the second was refused; or it was refused for a reason that passes.
            Last::Refused { code, text } if past.maybe_applied => {
                let passes = past.earlier || is_transient(&code) && waited >= pause(&past);
                let again = match repeat {
                    Repeat::Safe => passes && (certain || hangs),
                    Repeat::AfterWaiting => passes && over && (certain || hangs),
                    Repeat::Never => false,
                };
                let why = format!("{shown}, and the action, given again, was refused: {code}, {text}");
                if again && past.given_here < GIVEN_MAX {
                    self.give(seen, Some(why))
                } else if over {
                    self.uncertain(seen, why)
                } else {
                    self.wait(shown, waited, timeout_ms, look_ms)
                }
            }
            Last::Refused { code, text } => {
                let in_time = seen.at.ms_since(begun) < timeout_ms;
                if past.earlier {
                    self.give(seen, None)
                } else if is_transient(&code) && in_time {
                    let pause = pause(&past);
                    if waited < pause {
                        self.wait(
                            format!("refused for now: {code}, {text}"),
                            waited,
                            timeout_ms,
                            pause - waited,
                        )
                    } else {
                        self.give(seen, Some(format!("refused for now: {code}, {text}")))
                    }
                } else {
                    self.fail(seen, format!("refused: {code}, {text}"))
                }
            }
            // Somebody, or another run, may have taken it back since: then it is given again, where that does no harm.
            Last::Done
                if past.earlier
                    && certain
                    && (repeat == Repeat::Safe || settled && repeat == Repeat::AfterWaiting) =>
            {
                self.give(seen, Some(format!("it was done before, but {shown}")))
            }
            Last::Done if over => {
                let why = format!("the action was carried out, but after {} s still {shown}", waited / 1_000);
                self.fail(seen, why)
            }
            Last::Done => self.wait(shown, waited, timeout_ms, look_ms),
            Last::Intended | Last::Uncertain { .. } => {
                let why = match past.last {
                    Last::Uncertain { why } => why,
                    _ => "no answer came".to_owned(),
                };
                let again = match repeat {
                    // A look that says nothing is no reason to act, unless no look ever says anything.
                    Repeat::Safe => certain || hangs,
                    Repeat::AfterWaiting => settled && (certain || hangs),
                    Repeat::Never => false,
                };
                if again && past.given_here < GIVEN_MAX {
                    self.give(seen, Some(format!("{why}, and {shown}")))
                } else if over || (repeat == Repeat::Never && hangs) {
                    self.uncertain(seen, format!("{why}, and {shown}"))
                } else {
                    self.wait(shown, waited, timeout_ms, look_ms)
                }
            }
            Last::Started { .. } => Vec::new(),
        }
    }

    /// Gives the action, if what must hold does.
    fn give(&mut self, seen: &Observation, again: Option<String>) -> Vec<Effect> {
        let Some(task) = self.task() else { return Vec::new() };
        let Some(action) = task.action else { return Vec::new() };
        let allowed = task.requires.judge(seen).and(guard(self.plan.verb, action, seen));
        let (timeout_ms, look_ms) =
            (task.timeout_ms, task.look_after_ms(waited_for(self.clock.lacking, seen)));
        let maybe_applied = self.past().maybe_applied;
        let (shown, patience) = match allowed {
            Truth::Holds => {
                self.clock.lacking = None;
                self.clock.acted = Some(seen.at);
                self.past().intend();
                let id = self.id();
                let mut effects = match again {
                    Some(why) => vec![Effect::Tell(Progress::Repeats { step: self.at, id: id.clone(), why })],
                    None => Vec::new(),
                };
                effects.extend(self.journal(Entry::Intent { step: id, back: self.is_back() }, Then::Act));
                return effects;
            }
            // An action that was carried out may be why it does not hold: then its own time counts.
            Truth::Not { seen } if !maybe_applied => (seen, timeout_ms.min(PATIENCE_MS)),
            Truth::Not { seen: why } | Truth::Unknown { why } => (why, timeout_ms),
        };
        // NB: not since the step began, which may have been long before for other reasons.
        let waited = seen.at.ms_since(*self.clock.lacking.get_or_insert(seen.at));
        if waited < patience {
            return self.wait(shown, waited, patience, look_ms);
        }
        let why = format!("what must hold before it does not: {shown}");
        if !maybe_applied {
            return self.fail(seen, why);
        }
        if self.has_former_roles(seen) && self.plan.verb.rolls_back() && !self.is_back() {
            return self.roll_back(why);
        }
        self.uncertain(seen, why)
    }

    // ---- ends

    /// Whether the user's wish to stop can be met here: no action is under way, and somebody is primary.
    fn wants_to_stop(&mut self) -> bool {
        if !self.stop || self.is_back() {
            return false;
        }
        let quiet = match self.past().last {
            Last::Never | Last::Done | Last::Refused { .. } => true,
            Last::Intended | Last::Started { .. } | Last::Uncertain { .. } => false,
        };
        quiet && !self.is_between_roles()
    }

    /// Whether a demotion was, or may have been, carried out, and what promotes is not proved yet.
    fn is_between_roles(&self) -> bool {
        let with = |phase| self.plan.steps.iter().zip(&self.steps).filter(move |(s, _)| s.phase == phase);
        let demoted = with(Phase::Demote).any(|(_, past)| past.may_have_changed());
        demoted && with(Phase::Promote).any(|(_, past)| !past.proved)
    }

    /// Whether a step after which there is no way back was, or may have been, carried out.
    fn is_past_return(&self) -> bool {
        let done = |past: &Past| past.proved || past.maybe_applied;
        self.plan.steps.iter().zip(&self.steps).any(|(step, past)| step.irreversible && done(past))
    }

    /// Whether the demotion is undone, whoever has done that: then a promotion of which nobody knows was not carried out, and somebody has
    /// settled the roles as they were before.
    fn has_former_roles(&self, seen: &Observation) -> bool {
        let undone = |step: &Step| match &step.undo {
            Undo::By { proved_by, .. } => proved_by.judge(seen).holds(),
            Undo::Nothing | Undo::Impossible { .. } => false,
        };
        let demotion = self.plan.steps.iter().find(|s| s.phase == Phase::Demote && s.action.is_some());
        demotion.is_some_and(undone)
    }

    fn roll_back(&mut self, why: String) -> Vec<Effect> {
        let (step, id) = (self.at, self.id());
        self.way = Way::Back { failed: step, why: why.clone() };
        self.clock = Clock::default();
        let tell = Progress::RollingBack { step, id: id.clone(), why: why.clone() };
        let mut effects = vec![Effect::Tell(tell)];
        effects.extend(self.journal(Entry::RollingBack { step: id, why }, Then::Decide));
        effects
    }

    fn fail(&mut self, seen: &Observation, why: String) -> Vec<Effect> {
        let all = 0..self.steps.len();
        let changed: Vec<usize> = all.filter(|i| self.steps[*i].may_have_changed()).collect();
        let takes_back = |i: &usize| matches!(self.plan.steps[*i].undo, Undo::By { .. });
        let stuck = changed.iter().any(|i| {
            self.steps[*i].maybe_applied && matches!(self.plan.steps[*i].undo, Undo::Impossible { .. })
        });
        let worth = changed.iter().any(takes_back) && !stuck;
        if self.plan.verb.rolls_back() && worth && !self.is_back() && !self.is_past_return() {
            return self.roll_back(why);
        }
        let now_true = now_true(&self.plan.link, seen);
        let name = &self.plan.link.name;
        let next = if !changed.iter().any(|i| self.plan.steps[*i].leaves_something()) {
            Next::new(
                format!("milink doctor {name}"),
                "nothing was changed that has to be gone on with; this says what stands in the way",
            )
        } else if self.clock.failed.is_some() && self.plan.verb == Verb::Create {
            Next::new(
                format!("milink undo {name}"),
                "nothing begins the first copy again: once the cause is mended, take back what was made and create it anew",
            )
        } else if self.is_back() || self.is_between_roles() {
            Next::new(format!("milink resume {name}"), "the roles are not settled: this goes on from here")
        } else {
            Next::new(
                format!("milink resume {name}"),
                "what was done stays: this goes on from here once the cause is mended",
            )
        };
        self.end(Verdict::Stopped { step: self.id(), why, now_true, next })
    }

    fn uncertain(&mut self, seen: &Observation, why: String) -> Vec<Effect> {
        let name = self.plan.link.name.clone();
        let now_true = now_true(&self.plan.link, seen);
        let next = Next::new(
            format!("milink resume {name}"),
            "this looks at both sides again before it does anything",
        );
        self.end(Verdict::Uncertain { step: self.id(), why, now_true, next })
    }

    fn rolled_back(&mut self, seen: &Observation) -> Vec<Effect> {
        let Way::Back { failed, why } = self.way.clone() else { return Vec::new() };
        let undone = (0..self.back.len()).rev().filter(|i| self.back[*i].proved);
        let undone = undone.map(|i| self.plan.steps[i].id.clone()).collect();
        let now_true = now_true(&self.plan.link, seen);
        let name = &self.plan.link.name;
        let no_primary = |side| matches!(seen.role(side, name), Ok(Some(Role::Secondary | Role::Resolving)));
        if Side::BOTH.into_iter().all(no_primary) {
            let step = self.plan.steps[failed].id.clone();
            let why = format!(
                "{why}; all was taken back, and nobody is primary: somebody else has changed the roles"
            );
            let next = Next::new(format!("milink doctor {name}"), "it says which side has hardened the most");
            return self.end(Verdict::Stopped { step, why, now_true, next });
        }
        let next = Next::new(
            format!("milink doctor {name}"),
            "the former state is back; this says what stood in the way",
        );
        let step = self.plan.steps[failed].id.clone();
        self.end(Verdict::RolledBack { step, why, undone, now_true, next })
    }

    fn end(&mut self, verdict: Verdict) -> Vec<Effect> {
        let verdict = Box::new(verdict);
        self.journal(Entry::Ended { verdict: verdict.clone() }, Then::End(verdict))
    }
}

/// For how long it was waited since a moment, if there was one.
fn waited_for(since: Option<Moment>, seen: &Observation) -> u64 {
    since.map_or(0, |since| seen.at.ms_since(since))
}

/// How long to wait after a refusal that passes, in milliseconds.
fn pause(past: &Past) -> u64 {
    500 * u64::from(past.given_here.min(10))
}

impl Verb {
    /// Whether a run that fails before the point of no return brings back the former state by itself.
    pub fn rolls_back(self) -> bool {
        match self {
            Verb::PlannedFailover => true,
            Verb::Create
            | Verb::ForcedFailover
            | Verb::Repair
            | Verb::Drop
            | Verb::Undo
            | Verb::Fix
            | Verb::Purge => false,
        }
    }
}
