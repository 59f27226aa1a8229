//! Forced failover: the secondary becomes primary from what it has. What it does not have is lost, and the old primary, if it lives, goes on
//! as a second one.

use super::failover::step;
use super::{Condition, Phase, Plan, PlanError, Repeat, Step, Undo, Verb, reached_lsn};
use crate::action::{Action, ArmCall, FailoverType, Statement};
use crate::facts::version;
use crate::names::{FailoverMode, Role, Side};
use crate::observe::Observation;
use crate::spec::Link;

/// How long it may take, in milliseconds.
const TIMEOUT_MS: u64 = 300_000;

/// A forced failover to a side, which somebody has confirmed.
///
/// # Errors
/// The side does not answer, or is primary already, or this SQL Server's links cannot be forced (41985).
pub fn forced(link: &Link, to: Side, seen: &Observation) -> Result<Plan, PlanError> {
    let is = |side, role| Condition::Role { name: link.name.clone(), side, role };
    match is(to, Role::Primary).judge(seen) {
        super::Truth::Holds => {
            return Err(PlanError::refused(
                format!("{to} is primary in link {} already", link.name),
                format!("`milink doctor {}` says what to do next", link.name),
            ));
        }
        super::Truth::Unknown { why } => return Err(PlanError::unseen(to.to_string(), why)),
        super::Truth::Not { .. } => {}
    }
    if let super::Truth::Not { seen } = is(to, Role::Secondary).judge(seen) {
        return Err(PlanError::refused(
            format!("only a secondary can be made primary, and {seen}"),
            format!("`milink doctor {}` says what to do next", link.name),
        ));
    }
    cannot_be_forced(link, seen)?;
    let action = match to {
        Side::SqlServer => Action::sql(Statement::ForceFailover { name: link.name.clone() }),
        Side::Managed => Action::arm(ArmCall::Failover {
            name: link.name.clone(),
            kind: FailoverType::ForcedAllowDataLoss,
        }),
    };
    let mut notes = at_risk(link, to, seen);
    if seen.side(to.other()).known().is_some() {
        notes.push(format!(
            "The {} answers: it stays primary too, and both will be written to. Demote or stop it first if you can; \
             `milink repair {}` ends that state.",
            to.other(),
            link.name
        ));
    }
    if let Err(why) = seen.managed.get() {
        notes.push(format!(
            "The managed instance does not answer ({why}): that it is {} is Azure's word, which may be old after a split.",
            if to == Side::Managed { "secondary" } else { "primary" }
        ));
    }
    let step = Step {
        requires: is(to, Role::Secondary),
        timeout_ms: TIMEOUT_MS,
        undo: Undo::Impossible { why: "the copy has gone its own way".to_owned() },
        // A second one is refused by a side that is primary.
        repeat: Repeat::AfterWaiting,
        irreversible: true,
        ..step(
            "force-failover",
            &format!("Make the {to} primary from what it has"),
            Phase::Promote,
            Some(action),
            is(to, Role::Primary),
        )
    };
    Ok(Plan { verb: Verb::ForcedFailover, link: link.clone(), steps: vec![step], notes })
}

/// Links of SQL Server 2019 and earlier, and those that were made one-way, can only be ended.
fn cannot_be_forced(link: &Link, seen: &Observation) -> Result<(), PlanError> {
    let version = seen.sql_server.known().map(|i| i.version);
    let old = version.filter(|v| v.release().is_some_and(version::failover_breaks_link));
    let described = seen.azure_link(&link.name).ok().flatten();
    let one_way = described.and_then(|l| l.failover_mode) == Some(FailoverMode::OneWay);
    let why = match (old, one_way) {
        (Some(version), _) => format!("links of SQL Server {version} cannot be forced (41985)"),
        (None, true) => format!("link {} is one-way, and cannot be forced (41985)", link.name),
        (None, false) => return Ok(()),
    };
    Err(PlanError::refused(
        why,
        format!(
            "`milink drop {} --force` ends the link, and the managed instance's copy becomes writable",
            link.name
        ),
    ))
}

/// What is lost, as far as can be known: one sentence for each database.
pub fn at_risk(link: &Link, to: Side, seen: &Observation) -> Vec<String> {
    let from = to.other();
    let sentence = |database: &String| {
        let there = reached_lsn(seen, to, &link.name, database);
        let here = reached_lsn(seen, from, &link.name, database);
        let copies = [from, to].map(|side| {
            let group = seen.distributed(side, &link.name).ok().flatten();
            group.and_then(|g| g.local_database(database)?.commit_time)
        });
        let seconds = match copies {
            [Some(last), Some(copied)] => {
                format!("; the last commits are {:.1} s apart", last.ms_since(copied) as f64 / 1000.0)
            }
            _ => String::new(),
        };
        match (here, there) {
            (Ok(here), Ok(there)) if there >= here => {
                format!(
                    "{database}: the {to} has hardened all that the {from} had at the last look ({there}){seconds}."
                )
            }
            (Ok(here), Ok(there)) => format!(
                "{database}: the {to} has hardened {there}, the {from} {here}: the difference is lost{seconds}."
            ),
            (Err(why), Ok(there)) => format!(
                "{database}: the {to} has hardened {there}. What the {from} had beyond that is lost and cannot be known ({why})."
            ),
            (_, Err(why)) => format!("{database}: what is lost cannot be known ({why})."),
        }
    };
    link.databases.iter().map(sentence).collect()
}
