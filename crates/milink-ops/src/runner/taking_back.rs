//! Taking back a run that is not through.

use milink_core::plan::Plan;
use milink_core::run::{Entry, JOURNAL_VERSION, Next, Picture, Record, Verdict};

use super::{NotStarted, Runner, Started};
use crate::journal::RunId;
use crate::sides::{Sides, now};

impl Runner {
    /// Begins to take a run back, by the plan that [`milink_core::plan::undo`] made of it. There must be a runtime.
    ///
    /// # Errors
    /// A run of the link is under way, another one than `run` is open, or the journal cannot be used.
    pub fn take_back(&self, sides: &Sides, run: RunId, plan: Plan) -> Result<RunId, NotStarted> {
        let picture = Picture::of(&plan);
        // What is taken back cannot be gone on with.
        let verdict = Verdict::RolledBack {
            step: String::new(),
            why: "milink undo takes it back".to_owned(),
            undone: Vec::new(),
            now_true: Vec::new(),
            next: Next::new(format!("milink doctor {}", plan.link.name), "it was taken back"),
        };
        let entry = Entry::Ended { verdict: Box::new(verdict) };
        let ends = Record { version: JOURNAL_VERSION, at: Some(now()), entry };
        Ok(self.go(sides, Started::instead(self.journal(), run, &ends, plan)?, picture).0)
    }
}
