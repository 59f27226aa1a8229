//! A plan while it is made.

use super::{Condition, Phase, Repeat, Step, Undo};
use crate::action::Action;
use crate::observe::Observation;

/// How long a statement's effect may take to be seen.
pub(super) const STATEMENT_MS: u64 = 60_000;
/// How long an operation of Azure may take; the recorded ones took 11 to 80 seconds.
pub(super) const OPERATION_MS: u64 = 15 * 60_000;
/// How long a backup may take.
pub(super) const BACKUP_MS: u64 = 24 * 3_600_000;

impl Step {
    /// A step that is safe to repeat, asks for nothing and leaves nothing to take back: the methods below say otherwise.
    pub(super) fn new(
        id: impl Into<String>,
        title: impl Into<String>,
        phase: Phase,
        action: Action,
        proved_by: Condition,
    ) -> Step {
        Step { action: Some(action), ..Step::wait(id, title, phase, proved_by, STATEMENT_MS) }
    }

    /// A step that only waits.
    pub(super) fn wait(
        id: impl Into<String>,
        title: impl Into<String>,
        phase: Phase,
        proved_by: Condition,
        timeout_ms: u64,
    ) -> Step {
        Step {
            id: id.into(),
            title: title.into(),
            phase,
            action: None,
            requires: Condition::Always,
            proved_by,
            stable_ms: 0,
            timeout_ms,
            undo: Undo::Nothing,
            repeat: Repeat::Safe,
            irreversible: false,
        }
    }

    pub(super) fn requires(self, requires: Condition) -> Step {
        Step { requires, ..self }
    }

    pub(super) fn within(self, timeout_ms: u64) -> Step {
        Step { timeout_ms, ..self }
    }

    /// It makes something that can be made once only.
    pub(super) fn once(self) -> Step {
        Step { repeat: Repeat::AfterWaiting, ..self }
    }

    pub(super) fn undo(self, action: Action, proved_by: Condition) -> Step {
        Step { undo: Undo::By { action: Box::new(action), proved_by }, ..self }
    }

    pub(super) fn for_good(self, why: &str) -> Step {
        Step { undo: Undo::Impossible { why: why.to_owned() }, irreversible: true, ..self }
    }
}

/// Steps that are not proved yet, and what has to be said.
pub(super) struct Draft<'a> {
    seen: &'a Observation,
    pub(super) steps: Vec<Step>,
    pub(super) notes: Vec<String>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(seen: &'a Observation) -> Draft<'a> {
        Draft { seen, steps: Vec::new(), notes: Vec::new() }
    }

    /// Adds a step unless it is proved done; whether it was added.
    pub(super) fn add(&mut self, step: Step) -> bool {
        let needed = !step.proved_by.judge(self.seen).holds();
        if needed {
            self.steps.push(step);
        }
        needed
    }

    pub(super) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }
}

/// A name as a part of a step's id: lowercase letters, digits and hyphens.
pub(super) fn slug(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        match c {
            c if c.is_alphanumeric() => out.extend(c.to_lowercase()),
            _ if out.ends_with('-') || out.is_empty() => {}
            _ => out.push('-'),
        }
    }
    out.trim_end_matches('-').to_owned()
}

/// The id of a step for one database of several: plain for a link that has one.
pub(super) fn of_database(id: &str, databases: &[String], database: &str) -> String {
    if databases.len() == 1 { id.to_owned() } else { format!("{id}-{}", slug(database)) }
}
