//! What can be said of a link from an observation, in words.

use serde::{Deserialize, Serialize};

use crate::names::Side;
use crate::observe::{Group, Observation};
use crate::plan::{Condition, reached_lsn};
use crate::spec::Link;

/// A command that comes next, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Next {
    /// The command, as it is typed.
    pub command: String,
    /// Why.
    pub why: String,
}

impl Next {
    /// A command and its reason.
    pub fn new(command: impl Into<String>, why: impl Into<String>) -> Next {
        Next { command: command.into(), why: why.into() }
    }
}

/// What is true of a link now, as far as it can be seen: a sentence for each side.
pub fn now_true(link: &Link, seen: &Observation) -> Vec<String> {
    let mut said: Vec<String> = Side::BOTH.iter().map(|side| of_side(link, seen, *side)).collect();
    said.push(match seen.azure_link(&link.name) {
        Ok(Some(there)) => match there.instance_role {
            Some(role) => format!("Azure has the link {}, with the managed instance as {role}", link.name),
            None => format!("Azure has the link {}, and does not say its role", link.name),
        },
        Ok(None) => format!("Azure has no link {}", link.name),
        Err(why) => format!("Azure does not answer ({why})"),
    });
    said
}

fn of_side(link: &Link, seen: &Observation, side: Side) -> String {
    let group = match seen.distributed(side, &link.name) {
        Err(why) => return format!("{side} does not answer ({why}): its role is unknown"),
        Ok(None) => return format!("{side} has no distributed availability group {}", link.name),
        Ok(Some(group)) => group,
    };
    let role = group.role.map_or_else(|| "in no role".to_owned(), |r| r.to_string());
    let copies = link.databases.iter().map(|d| copy(group, d)).collect::<Vec<_>>().join("; ");
    format!("{side} is {role} in {}: {copies}", link.name)
}

fn copy(group: &Group, database: &str) -> String {
    let Some(copy) = group.local_database(database) else {
        return format!("no copy of {database}");
    };
    let lsn = copy.hardened_lsn.map_or_else(|| "unknown".to_owned(), |l| l.to_string());
    let state = copy.state.map_or_else(String::new, |s| format!(", {s}"));
    format!("{database} hardened to {lsn}{state}")
}

/// What proves a condition, with its numbers: kept in the journal, since a step may be asked for its proof later.
pub fn evidence(condition: &Condition, seen: &Observation) -> String {
    match condition {
        Condition::All { of } => {
            let said: Vec<String> = of.iter().map(|c| evidence(c, seen)).filter(|s| !s.is_empty()).collect();
            said.join("; ")
        }
        Condition::HardenedEqual { name, databases } | Condition::NothingBehind { name, databases, .. } => {
            let lsn = |side, d: &String| {
                reached_lsn(seen, side, name, d).map_or_else(|_| "unknown".to_owned(), |l| l.to_string())
            };
            let said: Vec<String> = databases
                .iter()
                .map(|d| {
                    let (sql, managed) = (lsn(Side::SqlServer, d), lsn(Side::Managed, d));
                    format!("{d} hardened to {sql} on SQL Server and {managed} on the managed instance")
                })
                .collect();
            said.join("; ")
        }
        Condition::Role { name, side, role } => format!("{side} is {role} in {name}"),
        Condition::CommitMode { mode, .. } => format!("both halves have {}", mode.tsql()),
        _ => String::new(),
    }
}
