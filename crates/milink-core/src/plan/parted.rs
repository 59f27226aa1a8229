//! What both sides say of the copies of a link that has two primaries: what each may have alone.

use serde::Serialize;

use super::hardened_lsn;
use crate::lsn::Lsn;
use crate::moment::Moment;
use crate::names::{Role, Side};
use crate::observe::{Observation, same_name};
use crate::spec::Link;

/// A link whose copies have gone different ways, or may have.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ForkReport {
    /// The role that each side says it has: SQL Server, then the managed instance.
    pub roles: [Option<Role>; 2],
    /// Each database.
    pub databases: Vec<ForkedDatabase>,
}

/// A database with its two copies.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ForkedDatabase {
    /// Its name.
    pub name: String,
    /// SQL Server's copy, then the managed instance's.
    pub copies: [ForkedCopy; 2],
}

/// One copy.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ForkedCopy {
    /// Where.
    pub side: Side,
    /// How far it is hardened. LSNs of two histories do not say which of them has more.
    pub hardened: Option<Lsn>,
    /// Its last commit.
    pub last_commit: Option<Moment>,
    /// How many sessions are connected to it, which may commit at any moment; `None` if this login may not see them.
    pub sessions: Option<u32>,
    /// Why nothing is known of it.
    pub unknown: Option<String>,
}

impl ForkReport {
    /// What can be said of the commits that only one of the copies has. LSNs do not tell, once histories have parted: only times do.
    pub fn summary(database: &ForkedDatabase) -> String {
        let [one, two] = &database.copies;
        match (one.last_commit, two.last_commit) {
            (Some(a), Some(b)) if a == b => {
                format!("{}: both copies have committed last at {a}.", database.name)
            }
            (Some(a), Some(b)) => {
                let (later, gap) = if a > b { (one.side, a.ms_since(b)) } else { (two.side, b.ms_since(a)) };
                format!(
                    "{}: the {later} has committed later, by {:.1} s. Each may have commits that the other has not.",
                    database.name,
                    gap as f64 / 1000.0
                )
            }
            _ => format!(
                "{}: when each copy has committed last cannot be seen. Take it that each has commits that the other has not.",
                database.name
            ),
        }
    }
}

/// What is known of both copies.
pub fn fork_report(link: &Link, seen: &Observation) -> ForkReport {
    let copy = |side: Side, database: &String| {
        let instance = seen.side(side);
        let group = seen.distributed(side, &link.name).ok().flatten();
        let sessions = instance.known().and_then(|i| i.sessions.as_ref());
        let connected =
            sessions.map(|s| s.iter().filter(|(d, _)| same_name(d, database)).map(|(_, n)| *n).sum());
        ForkedCopy {
            side,
            hardened: hardened_lsn(seen, side, &link.name, database).ok(),
            last_commit: group.and_then(|g| g.local_database(database)?.commit_time),
            sessions: connected,
            unknown: instance.get().err().map(str::to_owned),
        }
    };
    let both = |name: &String| ForkedDatabase {
        name: name.clone(),
        copies: Side::BOTH.map(|side| copy(side, name)),
    };
    ForkReport {
        roles: Side::BOTH.map(|side| seen.role(side, &link.name).ok().flatten()),
        databases: link.databases.iter().map(both).collect(),
    }
}
