//! Plans: ordered steps from what is seen to what is wanted.
//!
//! A plan is a function of a link and an observation. It is run by [`crate::run`], which looks before each step and skips what is proved,
//! and it is shown, rendered and kept in the journal as it is.

mod adopt;
mod benefit;
mod condition;
mod create;
mod draft;
mod drop;
pub mod failover;
pub mod forced;
pub mod parted;
mod reach;
mod refusal;
pub mod repair;
mod sharing;
pub mod transitions;
mod undo;

pub use adopt::{adopt, adoptable, as_seen};
pub use benefit::benefit;
pub(crate) use condition::hardened as hardened_lsn;
pub use condition::{Condition, Shared, Truth};
pub use create::create;
pub use drop::{DropOptions, Leftover, Purge, drop, purge};
pub(crate) use reach::reached as reached_lsn;
pub use refusal::PlanError;
pub use undo::{UndoOptions, undo};

use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::spec::Link;

/// What a plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// Make a link.
    Create,
    /// Change the roles without a loss.
    PlannedFailover,
    /// Make the secondary primary from what it has.
    ForcedFailover,
    /// End a state with two primaries.
    Repair,
    /// Remove a link.
    Drop,
    /// Take back what a plan that did not reach its goal has done.
    Undo,
    /// Mend what a check has found.
    Fix,
    /// Remove what is left over of links.
    Purge,
}

/// A plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// What it is for.
    pub verb: Verb,
    /// The link.
    pub link: Link,
    /// What is done, in this order.
    pub steps: Vec<Step>,
    /// What has to be said before it is run: what it breaks, what it cannot do.
    pub notes: Vec<String>,
}

impl Plan {
    /// The first step after which there is no way back to the state before the plan; `None` if there is none.
    pub fn point_of_no_return(&self) -> Option<usize> {
        self.steps.iter().position(|s| s.irreversible)
    }
}

/// A part of a plan, as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Certificates and endpoints.
    Trust,
    /// Recovery model and backups.
    Backup,
    /// Availability groups on SQL Server.
    Groups,
    /// The managed instance's half.
    Link,
    /// The first copy.
    Seeding,
    /// Everything on the primary gets to the secondary.
    Drain,
    /// Nobody is primary from here on until the promotion.
    Demote,
    /// The secondary becomes primary.
    Promote,
    /// The outcome is looked at.
    Verify,
    /// What is needed no longer is removed.
    Cleanup,
}

/// One thing that is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Its name within the plan, such as `create-group`. It stays the same from release to release, since journals name steps by it.
    pub id: String,
    /// What it does, in a few words.
    pub title: String,
    /// Where it belongs.
    pub phase: Phase,
    /// What is done; `None` for a step that only waits.
    pub action: Option<Action>,
    /// What must hold before the action. If it does not, the plan stops there and says so.
    pub requires: Condition,
    /// What proves it done. If it holds, the step is skipped.
    pub proved_by: Condition,
    /// How long the proof must go on holding, in milliseconds; 0 for a single look.
    pub stable_ms: u64,
    /// How long the proof may take after the action, in milliseconds.
    pub timeout_ms: u64,
    /// How it is taken back.
    pub undo: Undo,
    /// Whether the action may be given again if nobody knows what became of it.
    pub repeat: Repeat,
    /// Whether there is no way back once it is done.
    pub irreversible: bool,
}

impl Step {
    /// Whether, once it is done, something is there that was not before and that has to be gone on with or taken back. A backup, and what
    /// is needed in any case, is not.
    pub fn leaves_something(&self) -> bool {
        !matches!(self.undo, Undo::Nothing)
    }
}

/// How a step is taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "undo")]
pub enum Undo {
    /// There is nothing to take back.
    Nothing,
    /// By an action, which has done its work when the condition holds.
    By {
        /// The action.
        action: Box<Action>,
        /// What proves it done.
        proved_by: Condition,
    },
    /// It cannot be.
    Impossible {
        /// Why.
        why: String,
    },
}

/// What may be done after an action whose outcome nobody knows, if an observation does not prove it done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Repeat {
    /// Give it again: it does no harm, whether it was carried out or not.
    Safe,
    /// Wait, for as long as it may still be under way, whether it turns out to have been carried out; then give it again, since a second one
    /// is refused by the server if the first was carried out.
    AfterWaiting,
    /// Never by itself: somebody has to look.
    Never,
}
