//! Plans as T-SQL files: one for each side that has statements, and a further part where a statement may be given only after something that
//! this side cannot see.

use super::wait::{Check, checks, gates, hardened_query};
use super::{Script, Written, base_name, heading, label, one_line, public_key_query, side_of, written};
use crate::action::{Action, ArmCall, PublicKey, Statement};
use crate::names::Side;
use crate::observe::Observation;
use crate::plan::{Plan, Step};

/// How long something may take that should hold already, in milliseconds.
const GATE_MS: u64 = 60_000;

pub(super) fn scripts(plan: &Plan, seen: &Observation) -> Vec<Script> {
    let sides = Side::BOTH.into_iter().filter(|side| plan.steps.iter().any(|s| side_of(s) == Some(*side)));
    sides.flat_map(|side| of_side(plan, seen, side)).collect()
}

/// The files of a side.
fn of_side(plan: &Plan, seen: &Observation, side: Side) -> Vec<Script> {
    let mut parts: Vec<Vec<String>> = vec![Vec::new()];
    let mut variables: Vec<&'static str> = Vec::new();
    let mut last: Option<Check> = None;
    // Whether something unseen from here was to happen since this side's last statement.
    let mut elsewhere = false;
    for (at, step) in plan.steps.iter().enumerate() {
        let local = side_of(step) == Some(side);
        let unseen = gates(&step.requires).iter().any(|c| !c.is_on(side));
        if local && elsewhere && unseen && parts.last().is_some_and(|p| !p.is_empty()) {
            parts.push(Vec::new());
            last = None;
        }
        let lines = parts.last_mut().expect("there is always a part");
        let mut seen_from_here = true;
        match &step.action {
            Some(Action::Sql { side: on, statement }) if *on == side => {
                elsewhere = false;
                act(lines, plan, at, statement, seen, &mut variables, &mut last, side);
            }
            Some(Action::Sql { .. } | Action::Arm { .. }) => {
                seen_from_here = false;
                other(lines, plan, at, step, side);
            }
            None => seen_from_here = wait(lines, plan, at, step, &mut last, side),
        }
        elsewhere |= !seen_from_here;
    }
    let several = parts.len() > 1;
    let part = |(number, lines): (usize, Vec<String>)| {
        let name = side_name(side);
        let file_name = if several {
            format!("{}.{name}.{}.sql", base_name(plan), number + 1)
        } else {
            format!("{}.{name}.sql", base_name(plan))
        };
        let head = header(plan, side, several.then_some((number + 1, lines.len())), &variables);
        Script { file_name, text: format!("{head}USE [master];\nGO\n\n{}", lines.concat()) }
    };
    parts.into_iter().enumerate().map(part).collect()
}

fn side_name(side: Side) -> &'static str {
    match side {
        Side::SqlServer => "sql-server",
        Side::Managed => "managed-instance",
    }
}

fn header(plan: &Plan, side: Side, part: Option<(usize, usize)>, variables: &[&str]) -> String {
    let mut lines = heading(plan);
    let part = part.map_or_else(String::new, |(number, _)| format!(", part {number}"));
    lines.push(format!(
        "This is what is done on the {side}{part}, in master, by a member of sysadmin. What is done"
    ));
    lines.push("elsewhere stands here as a comment, at its place; it has to be done there before the script goes on.".to_owned());
    let given: String = variables.iter().map(|v| format!(" -v {v}=...")).collect();
    lines.push(format!("Run it with: sqlcmd -b -i FILE{given}    (-b ends it at the first error)"));
    lines.into_iter().map(|l| format!("-- {l}\n")).collect::<String>() + "\n"
}

fn title(plan: &Plan, at: usize) -> String {
    format!("-- {}\n", label(plan, at))
}

fn act(
    lines: &mut Vec<String>,
    plan: &Plan,
    at: usize,
    statement: &Statement,
    seen: &Observation,
    variables: &mut Vec<&'static str>,
    last: &mut Option<Check>,
    side: Side,
) {
    let mut out = title(plan, at);
    let requires = plan.steps.get(at).map(|s| gates(&s.requires)).unwrap_or_default();
    for check in requires.into_iter().filter(|c| c.is_on(side)) {
        out.push_str(&loop_until(&check, GATE_MS, last));
    }
    match written(statement, seen) {
        Ok(Written { text, variables: used }) => {
            out.push_str(&format!("{text};\nGO\n\n"));
            for variable in used {
                if !variables.contains(&variable) {
                    variables.push(variable);
                }
            }
        }
        Err(why) => out.push_str(&format!("-- {why}\nGO\n\n")),
    }
    lines.push(out);
}

fn other(lines: &mut Vec<String>, plan: &Plan, at: usize, step: &Step, side: Side) {
    let place = match &step.action {
        Some(Action::Sql { side, .. }) => format!("On the {side}"),
        Some(Action::Arm { .. }) | None => "In Azure".to_owned(),
    };
    let mut out = format!("-- {place}: {}\n", label(plan, at));
    if let Some(Action::Arm {
        call: ArmCall::PutTrustCertificate { public: PublicKey::SqlServer { certificate }, .. },
    }) = &step.action
        && side == Side::SqlServer
    {
        out.push_str("-- The public key that is given to Azure:\n");
        out.push_str(&format!("{};\nGO\n", public_key_query(certificate)));
    }
    out.push('\n');
    lines.push(out);
}

/// Whether all that is waited for can be seen from this side.
fn wait(
    lines: &mut Vec<String>,
    plan: &Plan,
    at: usize,
    step: &Step,
    last: &mut Option<Check>,
    side: Side,
) -> bool {
    let mut out = title(plan, at);
    let wanted = checks(&step.proved_by);
    let mut whole = !wanted.is_empty();
    for check in wanted {
        match &check {
            Check::Equal { link, databases } => {
                whole = false;
                for database in databases {
                    out.push_str(&format!(
                        "-- To be compared with the other side's:\n{};\nGO\n",
                        hardened_query(link, database)
                    ));
                }
            }
            Check::Sql { side: on, .. } if *on == side => {
                out.push_str(&loop_until(&check, step.timeout_ms, last));
            }
            Check::Sql { side: on, .. } => {
                whole = false;
                out.push_str(&format!("-- This can be seen on the {on} only.\n"));
            }
        }
    }
    if step.stable_ms > 0 {
        out.push_str(&format!("-- It must stay so for {} ms.\n", step.stable_ms));
    }
    out.push('\n');
    lines.push(out);
    whole
}

/// A loop that ends when a predicate holds, and the batch with an error when the time is up.
fn loop_until(check: &Check, timeout_ms: u64, last: &mut Option<Check>) -> String {
    let Check::Sql { predicate, .. } = check else { return String::new() };
    if last.as_ref() == Some(check) {
        return String::new();
    }
    *last = Some(check.clone());
    let seconds = timeout_ms.div_ceil(1000);
    let waited = one_line(&format!("not so after {seconds} seconds"));
    format!(
        "DECLARE @until datetime2 = DATEADD(second, {seconds}, SYSUTCDATETIME());\nWHILE NOT {predicate}\nBEGIN\n    \
         IF SYSUTCDATETIME() > @until THROW 50000, N'{waited}', 1;\n    WAITFOR DELAY '00:00:02';\nEND;\nGO\n"
    )
}
