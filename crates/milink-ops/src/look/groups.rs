//! Availability groups and seedings of an instance: what changes by itself, and is looked at most often.

use milink_core::names::{CommitMode, Role, SeedingMode};
use milink_core::observe::{ConnectError, Group, Health, Replica, ReplicaDatabase, Seeding, SyncState};
use milink_sql::{Client, Row, SqlError};

use super::cells::{cell, flag, lsn, moment, unexpected, word};
use super::queries;

/// All groups, and the newest seeding of each database.
pub(super) async fn groups_and_seedings(
    client: &Client,
    kind: queries::Kind,
) -> Result<(Vec<Group>, Vec<Seeding>), SqlError> {
    // One batch, so that the four answers are as close together as they can be.
    let batch =
        [queries::groups(kind), queries::replicas(), queries::replica_databases(), queries::seedings()];
    let answers = client.batch(&batch.join(";\n")).await?;
    let [groups, replicas, databases, seedings] = answers.as_slice() else {
        return Err(unexpected(format!("{} answers came to four questions", answers.len())));
    };
    let mut out = groups.iter().map(group).collect::<Result<Vec<_>, _>>()?;
    for row in replicas {
        let id: String = row.get("group_id")?;
        let replica = replica(row)?;
        if let Some(group) = out.iter_mut().find(|g| g.id == id) {
            group.replicas.push(replica);
        }
    }
    for row in databases {
        let (id, name): (String, Option<String>) = (row.get("group_id")?, row.get("name")?);
        if let (Some(group), Some(name)) = (out.iter_mut().find(|g| g.id == id), name) {
            group.databases.push(replica_database(row, name)?);
        }
    }
    let mut newest: Vec<Seeding> = Vec::new();
    for row in seedings {
        let Some(seeding) = seeding(row)? else { continue };
        // The newest come last.
        newest.retain(|s| s.database != seeding.database);
        newest.push(seeding);
    }
    Ok((out, newest))
}

fn group(row: &Row) -> Result<Group, SqlError> {
    Ok(Group {
        name: row.get("name")?,
        id: row.get("id")?,
        distributed: flag(row, "is_distributed")?.unwrap_or(false),
        cluster_type: row.get("cluster_type")?,
        role: word::<Role>(row, "role_desc")?,
        required_synchronized: cell(row, "required_synchronized")?,
        replicas: Vec::new(),
        databases: Vec::new(),
    })
}

fn replica(row: &Row) -> Result<Replica, SqlError> {
    let text: Option<String> = row.get("error_text")?;
    let number: Option<u32> = cell(row, "error_number")?;
    let mode: Option<String> = row.get("availability_mode_desc")?;
    let seeding: Option<String> = row.get("seeding_mode_desc")?;
    let connected: Option<String> = row.get("connected_state_desc")?;
    Ok(Replica {
        name: row.get("replica_server_name")?,
        local: flag(row, "is_local")?.unwrap_or(false),
        url: row.get::<Option<String>>("endpoint_url")?.unwrap_or_default(),
        commit_mode: match mode.as_deref() {
            Some("SYNCHRONOUS_COMMIT") => CommitMode::Synchronous,
            _ => CommitMode::Asynchronous,
        },
        seeding_mode: match seeding.as_deref() {
            Some("AUTOMATIC") => Some(SeedingMode::Automatic),
            Some("MANUAL") => Some(SeedingMode::Manual),
            _ => None,
        },
        role: word(row, "role_desc")?,
        connected: connected.map(|state| state == "CONNECTED"),
        health: word::<Health>(row, "synchronization_health_desc")?,
        last_connect_error: match (number, text) {
            (None | Some(0), None) => None,
            (number, text) => Some(ConnectError {
                number: number.unwrap_or(0),
                text: text.unwrap_or_default(),
                at: moment(row, "error_utc")?,
            }),
        },
    })
}

fn replica_database(row: &Row, name: String) -> Result<ReplicaDatabase, SqlError> {
    let suspended = flag(row, "is_suspended")?.unwrap_or(false);
    let reason: Option<String> = row.get("suspend_reason_desc")?;
    Ok(ReplicaDatabase {
        name,
        local: flag(row, "is_local")?.unwrap_or(false),
        state: word::<SyncState>(row, "synchronization_state_desc")?,
        health: word::<Health>(row, "synchronization_health_desc")?,
        database_state: row.get("database_state_desc")?,
        suspended: suspended.then(|| reason.unwrap_or_else(|| "SUSPENDED".to_owned())),
        sent_lsn: lsn(row, "sent_lsn")?,
        received_lsn: lsn(row, "received_lsn")?,
        hardened_lsn: lsn(row, "hardened_lsn")?,
        redone_lsn: lsn(row, "redone_lsn")?,
        commit_lsn: lsn(row, "commit_lsn")?,
        end_of_log_lsn: lsn(row, "end_of_log_lsn")?,
        commit_time: moment(row, "commit_utc")?,
        send_queue_kb: cell(row, "log_send_queue_size")?,
        send_rate_kb: cell(row, "log_send_rate")?,
        redo_queue_kb: cell(row, "redo_queue_size")?,
        redo_rate_kb: cell(row, "redo_rate")?,
        lag_seconds: cell(row, "lag_seconds")?,
    })
}

fn seeding(row: &Row) -> Result<Option<Seeding>, SqlError> {
    let database: Option<String> = row.get("database_name")?;
    let Some(database) = database else { return Ok(None) };
    Ok(Some(Seeding {
        database,
        role: row.get("role_desc")?,
        state: row.get::<Option<String>>("state")?.unwrap_or_default(),
        started: moment(row, "started_utc")?,
        ended: moment(row, "ended_utc")?,
        transferred_bytes: cell(row, "transferred_size_bytes")?.unwrap_or(0),
        size_bytes: cell(row, "database_size_bytes")?.unwrap_or(0),
        rate_bytes: cell(row, "transfer_rate_bytes_per_second")?.unwrap_or(0),
        estimate: moment(row, "estimate_utc")?,
        attempts: cell(row, "attempts")?.unwrap_or(0),
        failure_code: cell::<u32>(row, "failure_code")?.filter(|code| *code != 0),
        failure: row.get("failure")?,
    }))
}
