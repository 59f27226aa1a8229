//! A link as Azure shows it.

use serde_json::{Map, Value, json};

use super::body::{COMMIT_MODES, FAILOVER_MODES, LINK_MODE_SINCE, LINK_MODES, SEEDING_MODES, word};
use crate::clock::iso;
use crate::config::Names;
use crate::instance::{
    CommitMode, FailoverMode, Link, LinkDatabase, LinkMode, Role, SeedingState, SynchronizationState,
    TrustedCertificate,
};

/// Since when there are the errors of the link itself.
const RECENT_ERROR_SINCE: &str = "2026-08-01";

/// A link as a resource.
pub(super) fn resource(
    names: &Names,
    version: &str,
    link: &Link,
    certificates: &[TrustedCertificate],
) -> Value {
    let is = &link.settings;
    let multi = is.link_mode == LinkMode::MultiDatabase;
    let (here, there) = match is.role {
        Role::Primary => ("Primary", "Secondary"),
        Role::Secondary | Role::Resolving => ("Secondary", "Primary"),
    };
    let mut properties = Map::new();
    let mut put = |name: &str, value: Value| properties.insert(name.to_owned(), value);
    put("distributedAvailabilityGroupName", json!(is.name));
    put("distributedAvailabilityGroupId", json!(link.id.to_lowercase()));
    put("replicationMode", json!(word(&COMMIT_MODES, is.commit_mode)));
    put("partnerLinkRole", json!(there));
    put("partnerAvailabilityGroupName", json!(is.partner_group));
    put("partnerEndpoint", json!(is.partner_endpoint));
    put("instanceLinkRole", json!(here));
    put("instanceAvailabilityGroupName", json!(is.instance_group));
    // As recorded: one of many databases that goes one way does not say so.
    if !(multi && is.failover_mode == FailoverMode::None) {
        put("failoverMode", json!(word(&FAILOVER_MODES, is.failover_mode)));
    }
    put("seedingMode", json!(word(&SEEDING_MODES, is.seeding_mode)));
    if multi && version >= LINK_MODE_SINCE {
        put("linkMode", json!(word(&LINK_MODES, is.link_mode)));
    }
    if version >= RECENT_ERROR_SINCE
        && let Some(problem) = &link.problem
    {
        put("mostRecentError", json!(problem.number.to_string()));
        if let Some(at) = problem.at_ms {
            put("mostRecentErrorTime", json!(iso(at)));
        }
        put("mostRecentErrorMessage", json!(problem.text));
    }
    let databases: Vec<Value> = link.databases.iter().map(|d| database(link, d, certificates)).collect();
    put("databases", json!(databases));
    json!({
        "properties": properties,
        "id": format!("{}/distributedAvailabilityGroups/{}", names.instance_id(), is.name),
        "name": is.name,
        "type": "Microsoft.Sql/managedInstances/distributedAvailabilityGroups",
    })
}

/// What a database of a link is doing, in Azure's words.
pub(crate) fn replica_state(link: &Link, database: &LinkDatabase) -> &'static str {
    use SynchronizationState::{Initializing, NotSynchronizing, Reverting, Synchronized, Synchronizing};
    let wrong = link.problem.is_some();
    match (database.seeding.map(|s| s.state), database.synchronization) {
        _ if link.changing_role => "LinkFailoverInProgress",
        (Some(SeedingState::Failed), _) => "LinkCreationError",
        (Some(SeedingState::Pending | SeedingState::Running), _) => {
            if wrong {
                "LinkCreationError"
            } else {
                "CreatingLink"
            }
        }
        (None, None) => {
            if wrong {
                "LinkInitError"
            } else {
                "InitiatingLink"
            }
        }
        (_, None | Some(NotSynchronizing)) => "LinkSynchronizationError",
        _ if wrong || !is_connected(link) || database.suspended => "LinkSynchronizationError",
        (_, Some(Synchronizing | Synchronized | Reverting | Initializing)) => "LinkSynchronizing",
    }
}

/// Whether anything could go from one side to the other. Where both are primary a session says nothing.
fn is_connected(link: &Link) -> bool {
    let both = link.settings.role == Role::Primary && link.partner_role == Some(Role::Primary);
    link.connected && !both
}

fn health(link: &Link, database: &LinkDatabase) -> &'static str {
    use SynchronizationState::{Synchronized, Synchronizing};
    match (database.synchronization, link.settings.commit_mode) {
        _ if !is_connected(link) || database.suspended => "NOT_HEALTHY",
        (Some(Synchronized), _) | (Some(Synchronizing), CommitMode::Asynchronous) => "HEALTHY",
        (Some(Synchronizing), CommitMode::Synchronous) => "PARTIALLY_HEALTHY",
        (Some(_) | None, _) => "NOT_HEALTHY",
    }
}

fn database(link: &Link, database: &LinkDatabase, certificates: &[TrustedCertificate]) -> Value {
    let primary = link.settings.role == Role::Primary;
    let state = replica_state(link, database);
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| out.insert(name.to_owned(), value);
    put("databaseName", json!(database.name));
    put("instanceReplicaId", json!(database.instance_replica_id.to_lowercase()));
    put("partnerReplicaId", json!(database.partner_replica_id.to_lowercase()));
    put("replicaState", json!(state));
    let begun = database.synchronization.is_some() || database.seeding.is_some();
    if let Some(seeding) = database.seeding.filter(|s| s.state != SeedingState::Completed) {
        put("seedingProgress", json!(format!("{}%", seeding.percent)));
    }
    if begun || link.problem.is_some() {
        put("synchronizationHealth", json!(health(link, database)));
        put("connectedState", json!(if is_connected(link) { "CONNECTED" } else { "DISCONNECTED" }));
    }
    let log = &database.log;
    let positions = [
        ("lastReceived", &log.last_received_lsn, log.last_received_ms),
        ("lastSent", &log.last_sent_lsn, log.last_sent_ms),
        ("lastCommit", &log.last_commit_lsn, log.last_commit_ms),
        ("lastHardened", &log.last_hardened_lsn, log.last_hardened_ms),
        ("lastBackup", &log.last_backup_lsn, log.last_backup_ms),
    ];
    for (name, lsn, at_ms) in positions {
        if let Some(lsn) = lsn {
            put(&format!("{name}Lsn"), json!(lsn));
            if let Some(at_ms) = at_ms {
                put(&format!("{name}Time"), json!(iso(at_ms)));
            }
        }
    }
    if let Some(problem) = &link.problem {
        put("mostRecentLinkError", json!(problem.number.to_string()));
    }
    put("partnerAuthCertValidity", partner_certificate(link, certificates));
    if begun {
        // Of its own log only a primary can say how far it has been sent; what waits to be redone is a secondary's.
        let lag = database.lag_seconds.unwrap_or(0);
        let known = primary && is_connected(link);
        put("instanceSendReplicationLagSeconds", json!(if known { lag } else { -1 }));
        put("instanceRedoReplicationLagSeconds", json!(if primary { 0 } else { lag }));
    }
    Value::Object(out)
}

/// Which of several certificates the partner shows is not known before it has connected, and not told afterwards.
fn partner_certificate(link: &Link, certificates: &[TrustedCertificate]) -> Value {
    match certificates {
        [only] if link.connected => {
            json!({"certificateName": only.name, "expiryDate": iso(only.not_after_ms)})
        }
        _ => json!({}),
    }
}
