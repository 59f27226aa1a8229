//! The states of groups, replicas and copies.

use lab_store::Lsn;

use super::{Member, Shown};
use crate::groups::{
    CommitMode, ConnectError, DatabaseState, Group, GroupDatabase, Health, Moment, Role, SynchronizationState,
};
use crate::{DatabaseId, DbName, GroupId, ReplicaId};

super::view! {
    /// `sys.dm_hadr_availability_group_states`.
    AvailabilityGroupState "dm_hadr_availability_group_states" {
        group_id: GroupId,
        primary_replica: Option<String>,
        primary_recovery_health: Option<u8>,
        primary_recovery_health_desc: Option<&'static str>,
        secondary_recovery_health: Option<u8>,
        secondary_recovery_health_desc: Option<&'static str>,
        synchronization_health: u8,
        synchronization_health_desc: &'static str,
    }
}

super::view! {
    /// `sys.dm_hadr_availability_replica_states`.
    AvailabilityReplicaState "dm_hadr_availability_replica_states" {
        replica_id: ReplicaId,
        group_id: GroupId,
        is_local: bool,
        role: Option<u8>,
        role_desc: Option<&'static str>,
        operational_state: Option<u8>,
        operational_state_desc: Option<&'static str>,
        connected_state: u8,
        connected_state_desc: &'static str,
        recovery_health: Option<u8>,
        recovery_health_desc: Option<&'static str>,
        synchronization_health: u8,
        synchronization_health_desc: &'static str,
        last_connect_error_number: Option<i32>,
        last_connect_error_description: Option<String>,
        last_connect_error_timestamp: Option<Moment>,
        write_lease_remaining_ticks: Option<i64>,
        current_configuration_commit_start_time_utc: Option<Moment>,
    }
}

super::view! {
    /// `sys.dm_hadr_availability_replica_cluster_states`.
    AvailabilityReplicaClusterState "dm_hadr_availability_replica_cluster_states" {
        replica_id: ReplicaId,
        replica_server_name: String,
        group_id: GroupId,
        join_state: u8,
        join_state_desc: &'static str,
    }
}

super::view! {
    /// `sys.dm_hadr_database_replica_states`.
    DatabaseReplicaState "dm_hadr_database_replica_states" {
        database_id: Option<i32>,
        group_id: GroupId,
        replica_id: ReplicaId,
        group_database_id: DatabaseId,
        is_local: bool,
        is_primary_replica: bool,
        synchronization_state: u8,
        synchronization_state_desc: &'static str,
        is_commit_participant: bool,
        synchronization_health: u8,
        synchronization_health_desc: &'static str,
        database_state: Option<u8>,
        database_state_desc: Option<&'static str>,
        is_suspended: bool,
        suspend_reason: Option<u8>,
        suspend_reason_desc: Option<&'static str>,
        recovery_lsn: Option<Lsn>,
        truncation_lsn: Option<Lsn>,
        last_sent_lsn: Option<Lsn>,
        last_sent_time: Option<Moment>,
        last_received_lsn: Option<Lsn>,
        last_received_time: Option<Moment>,
        last_hardened_lsn: Option<Lsn>,
        last_hardened_time: Option<Moment>,
        last_redone_lsn: Option<Lsn>,
        last_redone_time: Option<Moment>,
        log_send_queue_size: Option<i64>,
        log_send_rate: Option<i64>,
        redo_queue_size: Option<i64>,
        redo_rate: Option<i64>,
        filestream_send_rate: Option<i64>,
        end_of_log_lsn: Option<Lsn>,
        last_commit_lsn: Option<Lsn>,
        last_commit_time: Option<Moment>,
        low_water_mark_for_ghosts: Option<i64>,
        secondary_lag_seconds: Option<i64>,
        quorum_commit_lsn: Option<Lsn>,
        quorum_commit_time: Option<Moment>,
    }
}

super::view! {
    /// `sys.dm_hadr_database_replica_cluster_states`.
    DatabaseReplicaClusterState "dm_hadr_database_replica_cluster_states" {
        replica_id: ReplicaId,
        group_database_id: DatabaseId,
        database_name: String,
        is_failover_ready: bool,
        is_pending_secondary_suspend: bool,
        is_database_joined: bool,
        recovery_lsn: Option<Lsn>,
        truncation_lsn: Option<Lsn>,
    }
}

impl Shown<'_> {
    /// A disconnected copy is unhealthy, whatever was heard of it last.
    fn synchronization(
        self,
        group: &Group,
        member: Member<'_>,
        database: &GroupDatabase,
    ) -> SynchronizationState {
        let connected = member.here || self.peer(group, member).is_some_and(|p| p.connected);
        match self.copy(group, member, database) {
            Some(copy) if connected => copy.synchronization_state,
            Some(_) | None => SynchronizationState::NotSynchronizing,
        }
    }

    /// How healthy a copy is.
    fn copy_health(self, group: &Group, member: Member<'_>, database: &GroupDatabase) -> Health {
        self.synchronization(group, member, database).health(self.commit_mode(group, member))
    }

    /// How healthy a replica is: as its worst copy, and not at all without any.
    fn replica_health(self, group: &Group, member: Member<'_>) -> Health {
        let copies = self.databases(group).iter().map(|d| self.copy_health(group, member, d));
        copies.min().unwrap_or(Health::NotHealthy)
    }

    /// `recovery_health` of this side: whether all copies are online; nothing without any.
    fn recovery_health(self, group: &Group) -> Option<(u8, &'static str)> {
        let member = self.members(group).into_iter().find(|m| m.here)?;
        let databases = self.databases(group);
        let online = |d: &GroupDatabase| {
            self.copy(group, member, d).map(|c| c.database_state) == Some(DatabaseState::Online)
        };
        (!databases.is_empty())
            .then(|| if databases.iter().all(online) { (1, "ONLINE") } else { (0, "ONLINE_IN_PROGRESS") })
    }

    /// The member that is primary, as far as this side knows.
    fn primary<'m>(self, group: &Group, members: &[Member<'m>]) -> Option<Member<'m>> {
        let is_primary = |m: &&Member<'_>| {
            if m.here {
                self.role(group) == Role::Primary
            } else {
                self.peer(group, **m).and_then(|p| p.role) == Some(Role::Primary)
            }
        };
        members.iter().filter(|m| m.here).chain(members).find(is_primary).copied()
    }
}

/// `sys.dm_hadr_availability_group_states`.
pub fn availability_group_states(shown: Shown<'_>) -> Vec<AvailabilityGroupState> {
    let row = |group| {
        let members = shown.members(group);
        let health: Vec<Health> =
            shown.known_members(group).iter().map(|m| shown.replica_health(group, *m)).collect();
        // A roll-up: healthy if all are, not healthy if none is.
        let health = if health.iter().all(|h| *h == Health::Healthy) {
            Health::Healthy
        } else if health.contains(&Health::Healthy) || health.contains(&Health::PartiallyHealthy) {
            Health::PartiallyHealthy
        } else {
            Health::NotHealthy
        };
        let recovery = shown.recovery_health(group);
        let (primary, secondary) = match shown.role(group) {
            Role::Primary => (recovery, None),
            Role::Secondary | Role::Resolving => (None, recovery),
        };
        AvailabilityGroupState {
            group_id: group.id,
            primary_replica: shown.primary(group, &members).map(|m| m.partnering.name.clone()),
            primary_recovery_health: primary.map(|(number, _)| number),
            primary_recovery_health_desc: primary.map(|(_, desc)| desc),
            secondary_recovery_health: secondary.map(|(number, _)| number),
            secondary_recovery_health_desc: secondary.map(|(_, desc)| desc),
            synchronization_health: health.number(),
            synchronization_health_desc: health.name(),
        }
    };
    shown.groups.groups.iter().map(row).collect()
}

/// `sys.dm_hadr_availability_replica_states`.
pub fn availability_replica_states(shown: Shown<'_>) -> Vec<AvailabilityReplicaState> {
    let mut rows = Vec::new();
    for group in &shown.groups.groups {
        let live = shown.live(group);
        for member in shown.known_members(group) {
            let peer = shown.peer(group, member);
            let role = if member.here { Some(shown.role(group)) } else { peer.and_then(|p| p.role) };
            // The primary is connected with itself; a secondary tells of its connection to the primary.
            let connected = if member.here {
                role == Some(Role::Primary) || live.is_some_and(crate::LiveGroup::is_connected)
            } else {
                peer.is_some_and(|p| p.connected)
            };
            let error: Option<&ConnectError> = if member.here && role != Some(Role::Primary) {
                live.and_then(|l| l.peers.values().find_map(|p| p.last_error.as_ref()))
            } else {
                peer.and_then(|p| p.last_error.as_ref())
            };
            let operational = live.filter(|_| member.here).map(|l| l.operational_state);
            let recovery = if member.here { shown.recovery_health(group) } else { None };
            let health = shown.replica_health(group, member);
            rows.push(AvailabilityReplicaState {
                replica_id: member.partnering.id,
                group_id: group.id,
                is_local: member.here,
                role: role.map(|r| r.number() as u8),
                role_desc: role.map(Role::name),
                operational_state: operational.map(crate::OperationalState::number),
                operational_state_desc: operational.map(crate::OperationalState::name),
                connected_state: u8::from(connected),
                connected_state_desc: if connected { "CONNECTED" } else { "DISCONNECTED" },
                recovery_health: recovery.map(|(number, _)| number),
                recovery_health_desc: recovery.map(|(_, desc)| desc),
                synchronization_health: health.number(),
                synchronization_health_desc: health.name(),
                last_connect_error_number: error.map(|e| e.number),
                last_connect_error_description: error.map(|e| e.text.clone()),
                last_connect_error_timestamp: error.map(|e| e.at),
                write_lease_remaining_ticks: None,
                current_configuration_commit_start_time_utc: None,
            });
        }
    }
    rows
}

/// `sys.dm_hadr_availability_replica_cluster_states`.
pub fn availability_replica_cluster_states(shown: Shown<'_>) -> Vec<AvailabilityReplicaClusterState> {
    let mut rows = Vec::new();
    for group in &shown.groups.groups {
        for member in shown.members(group) {
            // Whoever has ever said which role it has must have joined.
            let joined = member.here || shown.peer(group, member).is_some_and(|p| p.role.is_some());
            rows.push(AvailabilityReplicaClusterState {
                replica_id: member.partnering.id,
                replica_server_name: member.partnering.name.clone(),
                group_id: group.id,
                join_state: u8::from(joined),
                join_state_desc: if joined { "JOINED_STANDALONE_INSTANCE" } else { "NOT_JOINED" },
            });
        }
    }
    rows
}

/// `sys.dm_hadr_database_replica_states`.
pub fn database_replica_states(shown: Shown<'_>) -> Vec<DatabaseReplicaState> {
    let mut rows = Vec::new();
    for group in &shown.groups.groups {
        for member in shown.known_members(group) {
            for database in shown.databases(group) {
                rows.push(database_replica_state(shown, group, member, database));
            }
        }
    }
    rows
}

fn database_replica_state(
    shown: Shown<'_>,
    group: &Group,
    member: Member<'_>,
    database: &GroupDatabase,
) -> DatabaseReplicaState {
    let copy = shown.copy(group, member, database);
    let mode = shown.commit_mode(group, member);
    let state = shown.synchronization(group, member, database);
    let health = state.health(mode);
    let role =
        if member.here { Some(shown.role(group)) } else { shown.peer(group, member).and_then(|p| p.role) };
    let is_primary = role == Some(Role::Primary);
    // Nobody waits for an asynchronous secondary, so its primary has no such position.
    let hardened = copy.filter(|_| !(member.here && is_primary && mode == CommitMode::Asynchronous));
    let suspended = copy.and_then(|c| c.suspend_reason);
    DatabaseReplicaState {
        database_id: shown.live.database_ids.get(&DbName::new(&database.name)).copied(),
        group_id: group.id,
        replica_id: member.partnering.id,
        group_database_id: database.id,
        is_local: member.here,
        is_primary_replica: is_primary,
        synchronization_state: state.number(),
        synchronization_state_desc: state.name(),
        is_commit_participant: mode == CommitMode::Synchronous && state == SynchronizationState::Synchronized,
        synchronization_health: health.number(),
        synchronization_health_desc: health.name(),
        database_state: copy.map(|c| c.database_state.number()),
        database_state_desc: copy.map(|c| c.database_state.name()),
        is_suspended: suspended.is_some(),
        suspend_reason: suspended.map(crate::SuspendReason::number),
        suspend_reason_desc: suspended.map(crate::SuspendReason::name),
        recovery_lsn: copy.and_then(|c| c.recovery_lsn),
        truncation_lsn: copy.and_then(|c| c.truncation_lsn),
        last_sent_lsn: copy.and_then(|c| c.last_sent_lsn),
        last_sent_time: copy.and_then(|c| c.last_sent_time),
        last_received_lsn: copy.and_then(|c| c.last_received_lsn),
        last_received_time: copy.and_then(|c| c.last_received_time),
        last_hardened_lsn: hardened.and_then(|c| c.last_hardened_lsn),
        last_hardened_time: hardened.and_then(|c| c.last_hardened_time),
        last_redone_lsn: copy.and_then(|c| c.last_redone_lsn),
        last_redone_time: copy.and_then(|c| c.last_redone_time),
        log_send_queue_size: copy.and_then(|c| c.log_send_queue_kb),
        log_send_rate: copy.and_then(|c| c.log_send_rate_kb),
        redo_queue_size: copy.and_then(|c| c.redo_queue_kb),
        redo_rate: copy.and_then(|c| c.redo_rate_kb),
        filestream_send_rate: copy.map(|_| 0),
        end_of_log_lsn: copy.and_then(|c| c.end_of_log_lsn),
        last_commit_lsn: copy.and_then(|c| c.last_commit_lsn),
        last_commit_time: copy.and_then(|c| c.last_commit_time),
        low_water_mark_for_ghosts: None,
        secondary_lag_seconds: copy.and_then(|c| c.secondary_lag_seconds),
        quorum_commit_lsn: None,
        quorum_commit_time: None,
    }
}

/// `sys.dm_hadr_database_replica_cluster_states`.
pub fn database_replica_cluster_states(shown: Shown<'_>) -> Vec<DatabaseReplicaClusterState> {
    let mut rows = Vec::new();
    for group in &shown.groups.groups {
        for member in shown.members(group) {
            for database in shown.databases(group) {
                let copy = shown.copy(group, member, database);
                let state = shown.synchronization(group, member, database);
                let synchronous = shown.commit_mode(group, member) == CommitMode::Synchronous;
                let joined = if member.here { database.joined } else { copy.is_some() };
                rows.push(DatabaseReplicaClusterState {
                    replica_id: member.partnering.id,
                    group_database_id: database.id,
                    database_name: database.name.clone(),
                    is_failover_ready: synchronous && state == SynchronizationState::Synchronized,
                    is_pending_secondary_suspend: false,
                    is_database_joined: joined,
                    recovery_lsn: copy.and_then(|c| c.recovery_lsn),
                    truncation_lsn: copy.and_then(|c| c.truncation_lsn),
                });
            }
        }
    }
    rows
}
