//! A database of a link, from both sides.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Primary;
use crate::facts::errors;
use crate::lsn::Lsn;
use crate::moment::Moment;
use crate::names::Side;
use crate::observe::{Group, Health, Observation, Seeding, SyncState, same_name};
use crate::plan::reached_lsn;

/// A database of a link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseStatus {
    /// Its name.
    pub name: String,
    /// The secondary's synchronization state, by its own word if it answers, and otherwise by the primary's.
    pub state: Option<SyncState>,
    /// Its health, by the same word.
    pub health: Option<Health>,
    /// What Azure calls the link's state.
    pub replica_state: Option<String>,
    /// Why data movement is suspended.
    pub suspended: Option<String>,
    /// The first copy, while it is made and when it failed.
    pub seeding: Option<SeedingStatus>,
    /// What SQL Server has hardened; while it is an asynchronous primary, and hides that, the log block of its last commit.
    pub sql_server_hardened: Option<Lsn>,
    /// What the managed instance has hardened.
    pub managed_hardened: Option<Lsn>,
    /// By how much the secondary's hardened LSN is behind the primary's; 0 says that nothing is missing.
    pub lsn_behind: Option<String>,
    /// Log that has not been sent, in KiB.
    pub send_queue_kb: Option<u64>,
    /// How fast it is sent, in KiB a second.
    pub send_rate_kb: Option<u64>,
    /// Log that has not been redone, in KiB.
    pub redo_queue_kb: Option<u64>,
    /// How fast it is redone, in KiB a second.
    pub redo_rate_kb: Option<u64>,
    /// How much of the latest work would be lost by a forced failover now: from the secondary's last commit to the primary's.
    pub data_loss_seconds: Option<u64>,
    /// How long redo would take before the secondary can be primary.
    pub recovery_seconds: Option<u64>,
}

/// A seeding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeedingStatus {
    /// `SEEDING`, `FAILED`, ...
    pub state: String,
    /// Bytes that have been sent.
    pub transferred_bytes: u64,
    /// Bytes in all.
    pub size_bytes: u64,
    /// Bytes a second.
    pub rate_bytes: u64,
    /// When it will be through.
    pub estimate: Option<Moment>,
    /// How often it was begun.
    pub attempts: u32,
    /// The number of the error that it failed with.
    pub failure_code: Option<u32>,
    /// Why it failed.
    pub failure: Option<String>,
}

impl SeedingStatus {
    /// Whether it goes on.
    pub fn is_under_way(&self) -> bool {
        !matches!(self.state.to_ascii_uppercase().as_str(), "COMPLETED" | "FAILED" | "" | "SUCCESS")
    }

    /// Percent of the bytes; `None` before their number is known.
    pub fn percent(&self) -> Option<u64> {
        (self.size_bytes > 0).then(|| (self.transferred_bytes.min(self.size_bytes) * 100) / self.size_bytes)
    }
}

/// All databases of a link, in the order of their names.
pub(super) fn of(link: &str, seen: &Observation, primary: Primary) -> Vec<DatabaseStatus> {
    let groups = Side::BOTH.map(|side| seen.distributed(side, link).ok().flatten());
    let azure = seen.azure_link(link).ok().flatten();
    let mut names: BTreeMap<String, &str> = BTreeMap::new();
    for name in groups.iter().flatten().flat_map(|g| &g.databases).map(|d| d.name.as_str()) {
        names.entry(name.to_lowercase()).or_insert(name);
    }
    for name in azure.into_iter().flat_map(|l| &l.databases).map(|d| d.name.as_str()) {
        names.entry(name.to_lowercase()).or_insert(name);
    }
    names.into_values().map(|name| database(link, name, seen, primary, groups)).collect()
}

fn database(
    link: &str,
    name: &str,
    seen: &Observation,
    primary: Primary,
    groups: [Option<&Group>; 2],
) -> DatabaseStatus {
    let azure = seen.azure_link(link).ok().flatten().and_then(|l| l.database(name));
    let of = |side: Side| match side {
        Side::SqlServer => groups[0],
        Side::Managed => groups[1],
    };
    let side = primary.side();
    let from_primary = side.and_then(of);
    let from_secondary = side.map(Side::other).and_then(of);
    let own = from_secondary.and_then(|g| g.local_database(name));
    let others = from_primary.and_then(|g| g.remote_database(name));
    let source = from_primary.and_then(|g| g.local_database(name));
    let hardened = Side::BOTH.map(|side| reached_lsn(seen, side, link, name).ok());
    let [sql_server_hardened, managed_hardened] = hardened;
    let behind = side.and_then(|side| {
        let (ahead, after) = match side {
            Side::SqlServer => (sql_server_hardened?, managed_hardened?),
            Side::Managed => (managed_hardened?, sql_server_hardened?),
        };
        Some(after.behind(ahead))
    });
    let either = |pick: fn(&crate::observe::ReplicaDatabase) -> Option<u64>| {
        others.and_then(pick).or_else(|| own.and_then(pick))
    };
    let redo_queue_kb = own.and_then(|d| d.redo_queue_kb).or_else(|| others.and_then(|d| d.redo_queue_kb));
    let redo_rate_kb = own.and_then(|d| d.redo_rate_kb).or_else(|| others.and_then(|d| d.redo_rate_kb));
    let committed = own.and_then(|d| d.commit_time).or_else(|| azure.and_then(|d| d.commit_time));
    DatabaseStatus {
        name: name.to_owned(),
        state: own.map_or_else(|| others.and_then(|d| d.state), |d| d.state),
        health: own.map_or_else(|| others.and_then(|d| d.health), |d| d.health),
        replica_state: azure.and_then(|d| d.state.clone()),
        suspended: own.and_then(|d| d.suspended.clone()).or_else(|| source.and_then(|d| d.suspended.clone())),
        seeding: seeding(name, seen),
        sql_server_hardened,
        managed_hardened,
        lsn_behind: behind.map(|n| n.to_string()),
        send_queue_kb: either(|d| d.send_queue_kb),
        send_rate_kb: either(|d| d.send_rate_kb),
        redo_queue_kb,
        redo_rate_kb,
        data_loss_seconds: match (behind, source.and_then(|d| d.commit_time), committed) {
            (Some(0), _, _) => Some(0),
            (_, Some(last), Some(there)) => Some(last.ms_since(there).div_ceil(1000)),
            _ => None,
        },
        recovery_seconds: match (redo_queue_kb, redo_rate_kb) {
            (Some(0), _) => Some(0),
            (Some(queue), Some(rate)) if rate > 0 => Some(queue.div_ceil(rate)),
            _ => None,
        },
    }
}

/// The newest seeding of a database, from whichever side tells more of it.
fn newest<'a>(name: &str, seen: &'a Observation) -> Option<&'a Seeding> {
    let told = Side::BOTH.into_iter().filter_map(|side| seen.side(side).known()).flat_map(|i| &i.seedings);
    told.filter(|s| same_name(&s.database, name)).max_by_key(|s| (s.started, s.transferred_bytes))
}

/// Why the first copy of a database failed, with what the catalogue says of it; `None` if its newest attempt has not failed.
pub(crate) fn seeding_failure(name: &str, seen: &Observation) -> Option<String> {
    let failed = newest(name, seen).filter(|s| s.state.eq_ignore_ascii_case("FAILED"))?;
    let text = failed.failure.as_deref().unwrap_or("no reason is given");
    let number = failed.failure_code.or_else(|| errors::number_in(text));
    let code = number.filter(|n| !text.contains(&n.to_string()));
    let code = code.map_or_else(String::new, |n| format!("error {n}, "));
    let told = number.and_then(errors::lookup).map(|f| &f.explanation);
    let told = told
        .map_or_else(String::new, |t| format!(". It comes from this: {}. Mend it so: {}", t.cause, t.fix));
    Some(format!("the first copy of {name} is FAILED: {code}{text}{told}"))
}

/// The newest seeding of a database that has not simply ended well.
fn seeding(name: &str, seen: &Observation) -> Option<SeedingStatus> {
    let newest = newest(name, seen)?;
    let status = SeedingStatus {
        state: newest.state.clone(),
        transferred_bytes: newest.transferred_bytes,
        size_bytes: newest.size_bytes,
        rate_bytes: newest.rate_bytes,
        estimate: newest.estimate,
        attempts: newest.attempts,
        failure_code: newest.failure_code,
        failure: newest.failure.clone(),
    };
    (status.is_under_way() || newest.state == "FAILED").then_some(status)
}
