//! Running a plan, as a pure machine: events in, effects out.
//!
//! ```text
//!            Observed ──► is the step proved? ──yes──► Journal(Proved) ──► the next step
//!                               │ no
//!                               ▼
//!                     what is known of its action?
//!        never given, refused ──┤                ├── carried out, or nobody knows: look again until the time is up
//!                               ▼
//!                     Journal(Intent) ──Journaled──► Act ──Acted──► Journal(Outcome) ──► Observe
//! ```
//!
//! Of the effects `Observe`, `Journal`, `Act` and `Poll` at most one is under way at any time; each is answered by one event. The
//! intent is in the journal before the action is given. A time-out is never read as "not applied": what became of an action is decided
//! by looking at both sides and by the step's [`crate::plan::Repeat`].

mod journal;
mod machine;
mod now;
mod picture;
mod task;

pub use journal::{Entry, JOURNAL_VERSION, Last, Past, Record, Recovered, RunSummary};
pub use machine::Run;
pub use now::{Next, evidence, now_true};
pub use picture::{Picture, StepEvent, StepPicture, StepState, Waiting};
pub use task::is_transient;

use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::observe::Observation;

/// What the one who carries out effects reports.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Both sides and Azure were looked at.
    Observed(Box<Observation>),
    /// The entry is in the journal, and survives a crash.
    Journaled,
    /// What became of the action.
    Acted(Outcome),
    /// What became of an operation that was started.
    Polled(OperationState),
    /// The user wants it to end. It ends at the next safe place: never where nobody is primary.
    Stop,
}

/// What became of an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "outcome")]
pub enum Outcome {
    /// The server says that it is done.
    Done,
    /// The server has taken it, and works on it.
    Started {
        /// By which it can be asked for.
        operation: String,
        /// When it wants to be asked first, in milliseconds.
        retry_after_ms: u64,
    },
    /// The server has refused it: for certain, nothing was changed.
    Refused {
        /// The error's number or code.
        code: String,
        /// Its text.
        text: String,
    },
    /// Nobody knows: no answer came, or one that does not tell.
    Uncertain {
        /// Why.
        why: String,
    },
}

/// What became of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperationState {
    /// It goes on.
    Running {
        /// When to ask again, in milliseconds.
        retry_after_ms: u64,
    },
    /// It did what it was to do.
    Succeeded,
    /// It has ended without.
    Failed {
        /// The error's code.
        code: String,
        /// Its text.
        text: String,
    },
    /// Nobody remembers it any more.
    Gone,
    /// There was no answer.
    Unknown {
        /// Why.
        why: String,
    },
}

/// What is to be carried out.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Look at everything. Answered by [`Event::Observed`].
    Observe {
        /// Not before that many milliseconds have passed.
        after_ms: u64,
    },
    /// Write an entry into the journal, durably. Answered by [`Event::Journaled`].
    Journal(Record),
    /// Give an action. Answered by [`Event::Acted`].
    Act {
        /// The step's index in the plan.
        step: usize,
        /// Whether this takes the step back.
        back: bool,
        /// The action.
        action: Box<Action>,
    },
    /// Ask what became of an operation. Answered by [`Event::Polled`].
    Poll {
        /// Which.
        operation: String,
        /// Not before that many milliseconds have passed.
        after_ms: u64,
    },
    /// Show something. Not answered.
    Tell(Progress),
    /// It is over. Nothing comes after it.
    Ended(Box<Verdict>),
}

/// What is shown while a plan runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "progress")]
pub enum Progress {
    /// A step begins.
    Begins {
        /// Its index.
        step: usize,
        /// Its name.
        id: String,
        /// What it does.
        title: String,
        /// Whether it is being taken back.
        back: bool,
    },
    /// A step is proved done.
    Proved {
        /// Its index.
        step: usize,
        /// Its name.
        id: String,
        /// Whether it was so already, and nothing had to be done.
        skipped: bool,
        /// Whether what is proved is that it was taken back.
        back: bool,
        /// What proves it.
        seen: String,
    },
    /// A step waits.
    Waiting {
        /// Its index.
        step: usize,
        /// Its name.
        id: String,
        /// What is seen instead of what is waited for.
        seen: String,
        /// For how long it has waited, in milliseconds.
        waited_ms: u64,
        /// After how long it gives up.
        timeout_ms: u64,
    },
    /// An action is given again.
    Repeats {
        /// The step's index.
        step: usize,
        /// Its name.
        id: String,
        /// Why.
        why: String,
    },
    /// The former state is brought back.
    RollingBack {
        /// The step that failed.
        step: usize,
        /// Its name.
        id: String,
        /// Why.
        why: String,
    },
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "verdict")]
pub enum Verdict {
    /// Every step is proved.
    Reached,
    /// It stopped at a step; what was done before stays.
    Stopped {
        /// The step's name.
        step: String,
        /// Why.
        why: String,
        /// What is true now, as far as it can be seen.
        now_true: Vec<String>,
        /// What to do next.
        next: Next,
    },
    /// It failed at a step, and the state from before the run is back.
    RolledBack {
        /// The step that failed.
        step: String,
        /// Why.
        why: String,
        /// The steps that were taken back, in that order.
        undone: Vec<String>,
        /// What is true now, as far as it can be seen.
        now_true: Vec<String>,
        /// What to do next.
        next: Next,
    },
    /// Nobody can tell whether the step's action was carried out, and giving it again may do harm.
    Uncertain {
        /// The step's name.
        step: String,
        /// Why.
        why: String,
        /// What is true now, as far as it can be seen.
        now_true: Vec<String>,
        /// What to do next.
        next: Next,
    },
}
