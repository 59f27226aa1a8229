//! Seeding: the history of all copies, and the figures of those that are being made or could not be.

use super::Shown;
use crate::groups::{LiveSeeding, Moment, SeedingRole, SeedingState};
use crate::{DatabaseId, GroupId, ReplicaId};

super::view! {
    /// `sys.dm_hadr_automatic_seeding`.
    AutomaticSeeding "dm_hadr_automatic_seeding" {
        start_time: Moment,
        completion_time: Option<Moment>,
        ag_id: GroupId,
        ag_db_id: DatabaseId,
        ag_remote_replica_id: ReplicaId,
        operation_id: [u8; 16],
        is_source: bool,
        current_state: &'static str,
        performed_seeding: bool,
        failure_state: Option<i32>,
        failure_state_desc: Option<String>,
        error_code: Option<i32>,
        number_of_attempts: i32,
    }
}

super::view! {
    /// `sys.dm_hadr_physical_seeding_stats`.
    PhysicalSeedingStats "dm_hadr_physical_seeding_stats" {
        local_physical_seeding_id: [u8; 16],
        remote_physical_seeding_id: Option<[u8; 16]>,
        local_database_id: Option<i32>,
        local_database_name: String,
        remote_machine_name: String,
        role_desc: &'static str,
        internal_state_desc: &'static str,
        transfer_rate_bytes_per_second: i64,
        transferred_size_bytes: i64,
        database_size_bytes: i64,
        start_time_utc: Moment,
        end_time_utc: Option<Moment>,
        estimate_time_complete_utc: Option<Moment>,
        total_disk_io_wait_time_ms: i64,
        total_network_wait_time_ms: i64,
        failure_code: Option<i32>,
        failure_message: Option<String>,
        failure_time_utc: Option<Moment>,
        is_compression_enabled: bool,
    }
}

/// `sys.dm_hadr_automatic_seeding`.
pub fn automatic_seeding(shown: Shown<'_>) -> Vec<AutomaticSeeding> {
    let row = |s: &LiveSeeding| {
        let failure = s.failure.as_ref();
        AutomaticSeeding {
            start_time: s.started,
            completion_time: s.ended,
            ag_id: s.group,
            ag_db_id: DatabaseId::of(&[s.database.as_str()]),
            ag_remote_replica_id: s.peer,
            operation_id: s.operation,
            is_source: is_source(s.role),
            current_state: s.state.name(),
            performed_seeding: s.transferred_bytes > 0,
            failure_state: failure.map(|f| f.state),
            failure_state_desc: failure.map(|f| f.state_desc.clone()),
            error_code: failure.map(|f| f.error),
            number_of_attempts: s.attempts,
        }
    };
    shown.live.seedings.iter().map(row).collect()
}

fn is_source(role: SeedingRole) -> bool {
    match role {
        SeedingRole::Source | SeedingRole::Forwarder => true,
        SeedingRole::Destination | SeedingRole::ForwarderDestination => false,
    }
}

/// What servers have been seen to show; the documents have no list. Nothing: no row, which is how they show a copy that has
/// not begun, or has been made.
fn internal_state(seeding: &LiveSeeding) -> Option<&'static str> {
    match (seeding.state, is_source(seeding.role)) {
        (SeedingState::Seeding, true) => Some("ReadingAndSendingData"),
        (SeedingState::Seeding, false) => Some("WaitingForRestoreToFinish"),
        (SeedingState::Failed, _) => Some("Failed"),
        (
            SeedingState::Pending
            | SeedingState::CheckIfSeedingNeeded
            | SeedingState::LimitConcurrentBackups
            | SeedingState::Completed,
            _,
        ) => None,
    }
}

/// `sys.dm_hadr_physical_seeding_stats`.
pub fn physical_seeding_stats(shown: Shown<'_>) -> Vec<PhysicalSeedingStats> {
    let row = |s: &LiveSeeding| {
        let failure = s.failure.as_ref();
        Some(PhysicalSeedingStats {
            local_physical_seeding_id: s.operation,
            remote_physical_seeding_id: s.remote_operation,
            local_database_id: shown.live.database_ids.get(&s.database).copied(),
            local_database_name: s.database.as_str().to_owned(),
            remote_machine_name: s.peer_machine.clone(),
            role_desc: s.role.name(),
            internal_state_desc: internal_state(s)?,
            transfer_rate_bytes_per_second: s.bytes_per_second,
            transferred_size_bytes: s.transferred_bytes,
            database_size_bytes: s.database_bytes,
            start_time_utc: s.started,
            end_time_utc: s.ended,
            estimate_time_complete_utc: s.estimated_end,
            total_disk_io_wait_time_ms: s.disk_wait_ms,
            total_network_wait_time_ms: s.network_wait_ms,
            failure_code: failure.map(|f| f.error),
            failure_message: failure.map(|f| f.text.clone()),
            failure_time_utc: failure.map(|f| f.at),
            is_compression_enabled: s.compressed,
        })
    };
    shown.live.seedings.iter().filter_map(row).collect()
}
