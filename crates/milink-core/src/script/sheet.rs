//! Plans as T-SQL files: one for each side that has statements, and a further part where a statement may be given only after something that
//! this side cannot see.

use super::wait::{Check, checks, gates, hardened_query};
use super::{Script, Written, base_name, heading, label, public_key_query, side_of, written};
use crate::action::{Action, ArmCall, PublicKey, Statement};
use crate::names::Side;
use crate::observe::Observation;
use crate::plan::{Phase, Plan, Step, Verb};

/// How long something may take that should hold already, in milliseconds.
const GATE_MS: u64 = 60_000;

/// How long somebody may take who does by hand what is elsewhere, in milliseconds.
const BY_HAND_MS: u64 = 3_600_000;

pub(super) fn scripts(plan: &Plan, seen: &Observation) -> Vec<Script> {
    let sides = Side::BOTH.into_iter().filter(|side| plan.steps.iter().any(|s| side_of(s) == Some(*side)));
    sides.flat_map(|side| of_side(plan, seen, side)).collect()
}

/// What a side's files are while they are written.
struct Sheet<'a> {
    plan: &'a Plan,
    seen: &'a Observation,
    side: Side,
    parts: Vec<Part>,
    variables: Vec<&'static str>,
    /// What was waited for last: it need not be waited for again.
    last: Option<Check>,
    /// Whether something is to happen elsewhere that nothing on this side has shown yet.
    pending: bool,
}

#[derive(Default)]
struct Part {
    text: String,
    /// Whether there is more than comments in it.
    runs: bool,
}

/// The files of a side.
fn of_side(plan: &Plan, seen: &Observation, side: Side) -> Vec<Script> {
    let mut sheet = Sheet {
        plan,
        seen,
        side,
        parts: vec![Part::default()],
        variables: Vec::new(),
        last: None,
        pending: false,
    };
    for (at, step) in plan.steps.iter().enumerate() {
        match &step.action {
            Some(Action::Sql { side: on, statement }) if *on == side => sheet.act(at, step, statement),
            Some(Action::Sql { .. } | Action::Arm { .. }) => sheet.elsewhere(at, step),
            None => sheet.wait(at, step),
        }
    }
    sheet.scripts()
}

fn side_name(side: Side) -> &'static str {
    match side {
        Side::SqlServer => "sql-server",
        Side::Managed => "managed-instance",
    }
}

/// A loop that ends when a predicate holds, and the batch with an error when the time is up.
fn loop_until(predicate: &str, timeout_ms: u64) -> String {
    let seconds = timeout_ms.div_ceil(1000);
    format!(
        "DECLARE @until datetime2 = DATEADD(second, {seconds}, SYSUTCDATETIME());\nWHILE NOT {predicate}\nBEGIN\n    \
         IF SYSUTCDATETIME() > @until THROW 50000, N'not so after {seconds} seconds', 1;\n    WAITFOR DELAY '00:00:02';\nEND;\nGO\n"
    )
}

impl Sheet<'_> {
    fn push(&mut self, text: &str) {
        if let Some(part) = self.parts.last_mut() {
            part.text.push_str(text);
        }
    }

    /// Something that is run, and not a comment.
    fn run(&mut self, text: &str) {
        self.push(text);
        if let Some(part) = self.parts.last_mut() {
            part.runs = true;
        }
    }

    /// A statement of this side. One that must not come before something elsewhere that cannot be seen from here begins another file: a
    /// script cannot stop and ask.
    fn act(&mut self, at: usize, step: &Step, statement: &Statement) {
        let ordered = match step.phase {
            // Trust and groups do not ask what Azure has.
            Phase::Trust | Phase::Backup | Phase::Groups => false,
            Phase::Link
            | Phase::Seeding
            | Phase::Drain
            | Phase::Demote
            | Phase::Promote
            | Phase::Verify
            | Phase::Cleanup => true,
        };
        // The trace flag and whatever else comes before Azure's half.
        let first = !self.plan.steps.iter().take(at).any(is_link_call);
        if ordered && !(first && self.plan.verb == Verb::Create) && self.pending {
            if self.parts.last().is_some_and(|part| part.runs) {
                self.parts.push(Part::default());
                self.last = None;
            }
            self.push(
                "-- NB: this file is to be run when all that comes before this place is done elsewhere.\n\n",
            );
            self.pending = false;
        }
        self.push(&format!("-- {}\n", label(self.plan, at)));
        for check in gates(&step.requires) {
            self.check(&check, GATE_MS);
        }
        match written(statement, self.seen) {
            Ok(Written { text, variables }) => {
                self.run(&format!("{text};\nGO\n\n"));
                for variable in variables {
                    if !self.variables.contains(&variable) {
                        self.variables.push(variable);
                    }
                }
            }
            Err(why) => self.run(&format!("THROW 50000, N'{why}', 1;\nGO\n\n")),
        }
    }

    /// Waits for what this side can answer; whether it can.
    fn check(&mut self, check: &Check, timeout_ms: u64) -> bool {
        match check {
            Check::Sql { side, predicate } if *side == self.side => {
                if self.last.as_ref() != Some(check) {
                    // Who runs a script does by hand what is elsewhere.
                    let time = if self.pending { timeout_ms.max(BY_HAND_MS) } else { timeout_ms };
                    self.run(&loop_until(predicate, time));
                    self.last = Some(check.clone());
                }
                true
            }
            Check::Sql { .. } | Check::Equal { .. } => false,
        }
    }

    fn wait(&mut self, at: usize, step: &Step) {
        self.push(&format!("-- {}\n", label(self.plan, at)));
        let wanted = checks(&step.proved_by);
        let mut whole = !wanted.is_empty();
        for check in wanted {
            if self.check(&check, step.timeout_ms) {
                continue;
            }
            whole = false;
            match &check {
                Check::Sql { side, .. } => self.push(&format!("-- This can be seen on the {side} only.\n")),
                Check::Equal { link, databases } => {
                    for database in databases {
                        let query = hardened_query(link, database);
                        self.run(&format!("-- To be compared with the other side's:\n{query};\nGO\n"));
                    }
                }
            }
        }
        if step.stable_ms > 0 {
            self.push(&format!("-- It must stay so for {} ms.\n", step.stable_ms));
        }
        self.push("\n");
        self.pending = !whole;
    }

    fn elsewhere(&mut self, at: usize, step: &Step) {
        self.pending = true;
        let place = match &step.action {
            Some(Action::Sql { side, .. }) => format!("On the {side}"),
            Some(Action::Arm { .. }) | None => "In Azure".to_owned(),
        };
        self.push(&format!("-- {place}: {}\n", label(self.plan, at)));
        if let Some(Action::Arm {
            call: ArmCall::PutTrustCertificate { public: PublicKey::SqlServer { certificate }, .. },
        }) = &step.action
            && self.side == Side::SqlServer
        {
            let query = public_key_query(certificate);
            self.run(&format!("-- The public key that is given to Azure:\n{query};\nGO\n"));
        }
        self.push("\n");
    }

    fn scripts(self) -> Vec<Script> {
        let several = self.parts.len() > 1;
        let side = side_name(self.side);
        let file = |(number, part): (usize, &Part)| {
            let file_name = if several {
                format!("{}.{side}.{number}.sql", base_name(self.plan))
            } else {
                format!("{}.{side}.sql", base_name(self.plan))
            };
            let head = self.header(several.then_some(number));
            Script { file_name, text: format!("{head}USE [master];\nGO\n\n{}", part.text) }
        };
        (1..).zip(&self.parts).map(file).collect()
    }

    fn header(&self, part: Option<usize>) -> String {
        let mut lines = heading(self.plan);
        let part = part.map_or_else(String::new, |number| format!(", part {number} of {}", self.parts.len()));
        lines.push(format!(
            "This is what is done on the {}{part}, in master, by a member of sysadmin.",
            self.side
        ));
        lines.push(
            "What is done elsewhere stands here as a comment: it has to be done there, and at its place."
                .to_owned(),
        );
        let given: String = self.variables.iter().map(|v| format!(" -v {v}=...")).collect();
        lines.push(format!("Run it with: sqlcmd -b -i FILE{given}    (-b ends it at the first error)"));
        lines.into_iter().map(|l| format!("-- {l}\n")).collect::<String>() + "\n"
    }
}

fn is_link_call(step: &Step) -> bool {
    matches!(&step.action, Some(Action::Arm { call: ArmCall::PutLink { .. } }))
}
