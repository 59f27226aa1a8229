//! Availability groups, as `sys.availability_*` and `sys.dm_hadr_*` show them from one side.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::same_name;
use crate::lsn::Lsn;
use crate::moment::Moment;
use crate::names::{CommitMode, Role, SeedingMode};

/// An availability group, distributed or not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its id, the same on both sides for a distributed one.
    pub id: String,
    /// `is_distributed`.
    pub distributed: bool,
    /// `cluster_type_desc` (2017 and later).
    pub cluster_type: Option<String>,
    /// The role that this side has in it; `None` if it says none.
    pub role: Option<Role>,
    /// `required_synchronized_secondaries_to_commit` (2017 and later).
    pub required_synchronized: Option<u32>,
    /// Its replicas; of a distributed group, the two availability groups under it.
    pub replicas: Vec<Replica>,
    /// What this side knows of each database on each replica.
    pub databases: Vec<ReplicaDatabase>,
}

impl Group {
    /// A replica, or a member of a distributed group.
    pub fn replica(&self, name: &str) -> Option<&Replica> {
        self.replicas.iter().find(|r| same_name(&r.name, name))
    }

    /// The replica or member of this side.
    pub fn local(&self) -> Option<&Replica> {
        self.replicas.iter().find(|r| r.local)
    }

    /// The first replica or member that is not of this side.
    pub fn remote(&self) -> Option<&Replica> {
        self.replicas.iter().find(|r| !r.local)
    }

    /// What this side knows of its own copy of a database.
    pub fn local_database(&self, name: &str) -> Option<&ReplicaDatabase> {
        self.databases.iter().find(|d| d.local && same_name(&d.name, name))
    }

    /// What this side knows of the other copy of a database.
    pub fn remote_database(&self, name: &str) -> Option<&ReplicaDatabase> {
        self.databases.iter().find(|d| !d.local && same_name(&d.name, name))
    }
}

/// A replica of a group (`sys.availability_replicas`, `sys.dm_hadr_availability_replica_states`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Replica {
    /// `replica_server_name`: of a distributed group, the availability group's name.
    pub name: String,
    /// Whether it is this side's.
    pub local: bool,
    /// `endpoint_url`: of a distributed group, the LISTENER_URL.
    pub url: String,
    /// `availability_mode_desc`.
    pub commit_mode: CommitMode,
    /// `seeding_mode_desc`.
    pub seeding_mode: Option<SeedingMode>,
    /// `role_desc`, as this side sees it.
    pub role: Option<Role>,
    /// `connected_state_desc`.
    pub connected: Option<bool>,
    /// `synchronization_health_desc`.
    pub health: Option<Health>,
    /// Why the last attempt to connect failed.
    pub last_connect_error: Option<ConnectError>,
}

/// `last_connect_error_*`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectError {
    /// The number; 0 if there is only a text.
    pub number: u32,
    /// The text.
    pub text: String,
    /// When.
    pub at: Option<Moment>,
}

/// `synchronization_health_desc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Health {
    /// Nothing arrives, or the copy cannot be used.
    NotHealthy,
    /// It arrives, but a synchronous copy has not caught up.
    PartiallyHealthy,
    /// As it should be for the commit mode.
    Healthy,
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Health::NotHealthy => "NOT_HEALTHY",
            Health::PartiallyHealthy => "PARTIALLY_HEALTHY",
            Health::Healthy => "HEALTHY",
        })
    }
}

/// `synchronization_state_desc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SyncState {
    /// No log is taken.
    NotSynchronizing,
    /// Log is taken.
    Synchronizing,
    /// All that is committed is hardened on both sides.
    Synchronized,
    /// Pages are taken back after a role change.
    Reverting,
    /// The undo phase, in which the copy cannot become primary.
    Initializing,
}

impl fmt::Display for SyncState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SyncState::NotSynchronizing => "NOT SYNCHRONIZING",
            SyncState::Synchronizing => "SYNCHRONIZING",
            SyncState::Synchronized => "SYNCHRONIZED",
            SyncState::Reverting => "REVERTING",
            SyncState::Initializing => "INITIALIZING",
        })
    }
}

/// A database on a replica (`sys.dm_hadr_database_replica_states`). What this side knows of the other one's copy may be stale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplicaDatabase {
    /// The database.
    pub name: String,
    /// Whether this is the copy of the side that was asked.
    pub local: bool,
    /// `synchronization_state_desc`.
    pub state: Option<SyncState>,
    /// `synchronization_health_desc`.
    pub health: Option<Health>,
    /// `database_state_desc`; `None` for the other side's copy.
    pub database_state: Option<String>,
    /// `suspend_reason_desc`, while data movement is suspended.
    pub suspended: Option<String>,
    /// `last_sent_lsn`.
    pub sent_lsn: Option<Lsn>,
    /// `last_received_lsn`.
    pub received_lsn: Option<Lsn>,
    /// `last_hardened_lsn`.
    pub hardened_lsn: Option<Lsn>,
    /// `last_redone_lsn`.
    pub redone_lsn: Option<Lsn>,
    /// `last_commit_lsn`.
    pub commit_lsn: Option<Lsn>,
    /// `end_of_log_lsn`.
    pub end_of_log_lsn: Option<Lsn>,
    /// `last_commit_time`.
    pub commit_time: Option<Moment>,
    /// `log_send_queue_size`, in KiB: not sent yet.
    pub send_queue_kb: Option<u64>,
    /// `log_send_rate`, in KiB a second.
    pub send_rate_kb: Option<u64>,
    /// `redo_queue_size`, in KiB: received and not redone.
    pub redo_queue_kb: Option<u64>,
    /// `redo_rate`, in KiB a second.
    pub redo_rate_kb: Option<u64>,
    /// `secondary_lag_seconds`.
    pub lag_seconds: Option<u64>,
}

/// A seeding (`sys.dm_hadr_physical_seeding_stats`, `sys.dm_hadr_automatic_seeding`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seeding {
    /// The database.
    pub database: String,
    /// `role_desc`: `Source`, `Destination`, `Forwarder`, `ForwarderDestination`.
    pub role: Option<String>,
    /// `current_state`: `SEEDING`, `COMPLETED`, `FAILED`, ...
    pub state: String,
    /// `start_time_utc`.
    pub started: Option<Moment>,
    /// `end_time_utc`.
    pub ended: Option<Moment>,
    /// `transferred_size_bytes`.
    pub transferred_bytes: u64,
    /// `database_size_bytes`.
    pub size_bytes: u64,
    /// `transfer_rate_bytes_per_second`.
    pub rate_bytes: u64,
    /// `estimate_time_complete_utc`; too late while the stream is compressed.
    pub estimate: Option<Moment>,
    /// `number_of_attempts`.
    pub attempts: u32,
    /// The number of the error that it failed with.
    pub failure_code: Option<u32>,
    /// Its text, or `failure_state_desc`.
    pub failure: Option<String>,
}
