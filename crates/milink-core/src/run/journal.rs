//! What a run writes down, and what another one reads out of it.

use serde::{Deserialize, Serialize};

use super::task::is_never;
use super::{Outcome, Verdict};
use crate::moment::Moment;
use crate::plan::{Plan, Verb};

/// The version of [`Record`]. A reader refuses a higher one.
pub const JOURNAL_VERSION: u32 = 1;

/// An entry with what is needed to read it later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The version of this form.
    pub version: u32,
    /// When the last look was finished that the entry stands on.
    pub at: Option<Moment>,
    /// What happened.
    pub entry: Entry,
}

/// What happened. Steps are named by their ids, which stay the same from release to release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "entry")]
pub enum Entry {
    /// A step's action is about to be given.
    Intent {
        /// The step.
        step: String,
        /// Whether it is the action that takes the step back.
        #[serde(default)]
        back: bool,
    },
    /// What became of it.
    Outcome {
        /// The step.
        step: String,
        /// Whether it was the action that takes the step back.
        #[serde(default)]
        back: bool,
        /// The outcome.
        outcome: Outcome,
    },
    /// A step is proved done, or proved taken back.
    Proved {
        /// The step.
        step: String,
        /// Whether it is taken back.
        #[serde(default)]
        back: bool,
        /// What proves it.
        seen: String,
    },
    /// What was uncertain is certain now: the action was not carried out.
    Disproved {
        /// The step.
        step: String,
        /// Whether it is the action that takes the step back.
        #[serde(default)]
        back: bool,
        /// What is seen instead of its effect.
        seen: String,
    },
    /// From here on the former state is brought back.
    RollingBack {
        /// The step that failed.
        step: String,
        /// Why.
        why: String,
    },
    /// The run ended.
    Ended {
        /// How.
        verdict: Box<Verdict>,
    },
}

/// What is known of an action.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Last {
    /// It was never given.
    #[default]
    Never,
    /// It was about to be given. If nothing comes after that, nobody knows.
    Intended,
    /// The server said that it is done.
    Done,
    /// The server works on it.
    Started {
        /// By which it can be asked for.
        operation: String,
    },
    /// The server refused it.
    Refused {
        /// The error's number or code.
        code: String,
        /// Its text.
        text: String,
    },
    /// Nobody knows.
    Uncertain {
        /// Why.
        why: String,
    },
}

/// What is known of a step, or of its taking back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Past {
    /// What is known of the action that was given last.
    pub last: Last,
    /// How often it was given.
    pub given: u32,
    /// How often since the run was begun or resumed: whoever resumes wants it to be tried again.
    pub given_here: u32,
    /// Whether an operation ended without success after it was taken: it may have done a part of its work.
    pub left_behind: bool,
    /// Whether it may have been carried out. A refusal does not take that back: the second of two is refused because of the first.
    pub maybe_applied: bool,
    /// Whether the step is proved.
    pub proved: bool,
    /// Whether all this was read from a journal.
    pub earlier: bool,
}

impl Past {
    pub(super) fn intend(&mut self) {
        self.last = Last::Intended;
        self.given += 1;
        self.given_here += 1;
        self.earlier = false;
    }

    /// Whether something may be otherwise than before it was given.
    pub fn may_have_changed(&self) -> bool {
        self.maybe_applied || self.left_behind
    }

    /// It is certain now that nothing was carried out.
    pub(super) fn disprove(&mut self) {
        self.maybe_applied = false;
        self.left_behind = false;
    }

    pub(super) fn outcome(&mut self, outcome: &Outcome) {
        let (last, applied) = match outcome {
            Outcome::Done => (Last::Done, true),
            Outcome::Started { operation, .. } => (Last::Started { operation: operation.clone() }, true),
            Outcome::Refused { code, text } => {
                let ended = matches!(self.last, Last::Started { .. });
                // An operation that ended without success is over, so what it has left behind can be seen.
                self.maybe_applied &= !(ended && self.given == 1);
                self.left_behind |= ended && !is_never(code);
                (Last::Refused { code: code.clone(), text: text.clone() }, false)
            }
            Outcome::Uncertain { why } => (Last::Uncertain { why: why.clone() }, true),
        };
        self.last = last;
        self.maybe_applied |= applied;
    }
}

/// A run of which only the journal is left.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovered {
    pub(super) steps: Vec<(String, Past)>,
    pub(super) back: Vec<(String, Past)>,
    pub(super) rolling_back: Option<(String, String)>,
    pub(super) ended: Option<Verdict>,
}

impl Recovered {
    /// Nothing was done yet.
    pub fn nothing() -> Recovered {
        Recovered::default()
    }

    /// What the entries of one run say.
    ///
    /// # Errors
    /// An entry is of a later version than this program knows.
    pub fn from_records(records: &[Record]) -> Result<Recovered, u32> {
        let mut found = Recovered::default();
        for record in records {
            if record.version > JOURNAL_VERSION {
                return Err(record.version);
            }
            found.take(&record.entry);
        }
        for (_, past) in found.steps.iter_mut().chain(&mut found.back) {
            past.earlier = true;
            past.given_here = 0;
            // Killed between the intent and the outcome.
            if past.last == Last::Intended {
                past.last = Last::Uncertain { why: "milink was stopped before the answer came".to_owned() };
                past.maybe_applied = true;
            }
        }
        Ok(found)
    }

    fn take(&mut self, entry: &Entry) {
        match entry {
            Entry::Intent { step, back } => {
                let past = self.past(step, *back);
                // An intent upon an intent: the run between them was killed.
                past.maybe_applied |= past.last == Last::Intended;
                past.intend();
                self.ended = None;
            }
            Entry::Outcome { step, back, outcome } => self.past(step, *back).outcome(outcome),
            Entry::Proved { step, back, .. } => self.past(step, *back).proved = true,
            Entry::Disproved { step, back, .. } => self.past(step, *back).disprove(),
            Entry::RollingBack { step, why } => self.rolling_back = Some((step.clone(), why.clone())),
            Entry::Ended { verdict } => self.ended = Some(verdict.as_ref().clone()),
        }
    }

    fn past(&mut self, step: &str, back: bool) -> &mut Past {
        let all = if back { &mut self.back } else { &mut self.steps };
        let at = all.iter().position(|(id, _)| id == step).unwrap_or_else(|| {
            all.push((step.to_owned(), Past::default()));
            all.len() - 1
        });
        &mut all[at].1
    }

    /// How the run ended, if it did: it may still be resumed if it did not reach its goal.
    pub fn ended(&self) -> Option<&Verdict> {
        self.ended.as_ref()
    }

    /// What is known of a step.
    pub fn step(&self, id: &str) -> Option<&Past> {
        self.steps.iter().find(|(step, _)| step == id).map(|(_, past)| past)
    }

    /// The run in a few words, for those who look at a link and want to know what was begun.
    pub fn summary(&self, plan: &Plan) -> RunSummary {
        let proved = |id: &str| self.step(id).is_some_and(|p| p.proved);
        let first = plan.steps.iter().find(|s| !proved(&s.id));
        let uncertain = first
            .and_then(|s| self.step(&s.id))
            .is_some_and(|p| !p.proved && p.maybe_applied && !matches!(p.last, Last::Done));
        RunSummary {
            verb: plan.verb,
            step: first.map(|s| s.id.clone()),
            done: plan.steps.iter().filter(|s| proved(&s.id)).count(),
            of: plan.steps.len(),
            changed: plan
                .steps
                .iter()
                .any(|s| s.leaves_something() && self.step(&s.id).is_some_and(Past::may_have_changed)),
            uncertain,
            rolling_back: self.rolling_back.is_some(),
            ended: self.ended.clone(),
        }
    }
}

/// A run in a few words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunSummary {
    /// What it was for.
    pub verb: Verb,
    /// The first step that is not proved; `None` if all are.
    pub step: Option<String>,
    /// How many steps are proved.
    pub done: usize,
    /// Of how many.
    pub of: usize,
    /// Whether anything was, or may have been, changed that has to be gone on with or taken back.
    pub changed: bool,
    /// Whether nobody knows what became of that step's action.
    pub uncertain: bool,
    /// Whether it was bringing back the former state.
    pub rolling_back: bool,
    /// How it ended; `None` if it was interrupted.
    pub ended: Option<Verdict>,
}

impl RunSummary {
    /// Whether something is left to be done: it was interrupted, or stopped, before its goal or its way back were reached.
    pub fn is_open(&self) -> bool {
        match &self.ended {
            None => true,
            Some(Verdict::Reached | Verdict::RolledBack { .. }) => false,
            Some(Verdict::Stopped { .. } | Verdict::Uncertain { .. }) => self.changed,
        }
    }
}
