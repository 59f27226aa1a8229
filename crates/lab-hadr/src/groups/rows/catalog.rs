//! The catalog views: what the groups are.

use lab_store::Lsn;

use super::{Shown, Sid};
use crate::groups::{
    AllowConnections, ClusterType, CommitMode, FailoverMode, Group, LocalGroup, Moment, SeedingMode,
};
use crate::{DatabaseId, GroupId, ReplicaId};

super::view! {
    /// `sys.availability_groups`.
    AvailabilityGroup "availability_groups" {
        group_id: GroupId,
        name: String,
        resource_id: Option<String>,
        resource_group_id: Option<String>,
        failure_condition_level: Option<i32>,
        health_check_timeout: Option<i32>,
        automated_backup_preference: Option<u8>,
        automated_backup_preference_desc: Option<&'static str>,
        version: Option<i16>,
        basic_features: Option<bool>,
        dtc_support: Option<bool>,
        db_failover: Option<bool>,
        is_distributed: Option<bool>,
        cluster_type: Option<u8>,
        cluster_type_desc: Option<&'static str>,
        required_synchronized_secondaries_to_commit: Option<i32>,
        sequence_number: Option<i64>,
        is_contained: Option<bool>,
    }
}

super::view! {
    /// `sys.availability_replicas`. Of a distributed group the members: `replica_server_name` is a group's name.
    AvailabilityReplica "availability_replicas" {
        replica_id: ReplicaId,
        group_id: GroupId,
        replica_metadata_id: Option<i32>,
        replica_server_name: String,
        owner_sid: Option<Sid>,
        endpoint_url: String,
        availability_mode: u8,
        availability_mode_desc: &'static str,
        failover_mode: u8,
        failover_mode_desc: &'static str,
        session_timeout: i32,
        primary_role_allow_connections: u8,
        primary_role_allow_connections_desc: &'static str,
        secondary_role_allow_connections: u8,
        secondary_role_allow_connections_desc: &'static str,
        create_date: Option<Moment>,
        modify_date: Option<Moment>,
        backup_priority: i32,
        read_only_routing_url: Option<String>,
        seeding_mode: u8,
        seeding_mode_desc: &'static str,
        read_write_routing_url: Option<String>,
    }
}

super::view! {
    /// `sys.availability_databases_cluster`.
    AvailabilityDatabase "availability_databases_cluster" {
        group_id: GroupId,
        group_database_id: DatabaseId,
        database_name: String,
        truncation_lsn: Option<Lsn>,
    }
}

super::view! {
    /// `sys.availability_group_listeners`: a listener needs a cluster, so there are none.
    AvailabilityGroupListener "availability_group_listeners" {
        group_id: GroupId,
        listener_id: Option<String>,
        dns_name: Option<String>,
        port: Option<i32>,
        is_conformant: bool,
        ip_configuration_string_from_cluster: Option<String>,
        is_distributed_network_name: Option<bool>,
    }
}

super::view! {
    /// `sys.dm_hadr_internal_availability_groups`: in multiple-database mode each database of a link has a group of its
    /// own, which `sys.availability_groups` does not show. The view is not documented; the first column leads to the link.
    InternalAvailabilityGroup "dm_hadr_internal_availability_groups" {
        distributed_availability_group_id: GroupId,
        group_id: GroupId,
        name: String,
        resource_id: Option<String>,
        resource_group_id: Option<String>,
        failure_condition_level: Option<i32>,
        health_check_timeout: Option<i32>,
        automated_backup_preference: Option<u8>,
        automated_backup_preference_desc: Option<&'static str>,
        version: Option<i16>,
        basic_features: Option<bool>,
        dtc_support: Option<bool>,
        db_failover: Option<bool>,
        is_distributed: Option<bool>,
        cluster_type: Option<u8>,
        cluster_type_desc: Option<&'static str>,
        required_synchronized_secondaries_to_commit: Option<i32>,
        sequence_number: Option<i64>,
        is_contained: Option<bool>,
    }
}

super::view! {
    /// `sys.dm_hadr_internal_availability_replicas`: the two replicas of each such group. Not documented either.
    InternalAvailabilityReplica "dm_hadr_internal_availability_replicas" {
        replica_id: ReplicaId,
        group_id: GroupId,
        replica_metadata_id: Option<i32>,
        replica_server_name: String,
        owner_sid: Option<Sid>,
        endpoint_url: String,
        availability_mode: u8,
        availability_mode_desc: &'static str,
        failover_mode: u8,
        failover_mode_desc: &'static str,
        session_timeout: i32,
    }
}

/// FAILURE_CONDITION_LEVEL and HEALTH_CHECK_TIMEOUT if nobody has set them.
const FAILURE_CONDITION_LEVEL: i32 = 3;
const HEALTH_CHECK_TIMEOUT: i32 = 30_000;
/// `replica_metadata_id` of the first local replica, as servers show it.
const METADATA_ID: i32 = 65_536;

/// `sys.availability_groups`.
pub fn availability_groups(shown: Shown<'_>) -> Vec<AvailabilityGroup> {
    shown
        .groups
        .groups
        .iter()
        .map(|group| {
            let here = group.as_distributed().and_then(|d| shown.groups.named(&d.here.name));
            let of = here.unwrap_or(group).as_local();
            availability_group(group, group.as_local(), of.map(|l| l.cluster_type).unwrap_or_default())
        })
        .collect()
}

fn availability_group(
    group: &Group,
    local: Option<&LocalGroup>,
    cluster_type: ClusterType,
) -> AvailabilityGroup {
    let shown = |name: &str| local.and_then(|l| l.shown.get(name)).map(String::as_str);
    let number = |name: &str, default: i32| {
        local.map(|_| shown(name).and_then(|text| text.parse().ok()).unwrap_or(default))
    };
    let preference = local.map(|_| match shown("AUTOMATED_BACKUP_PREFERENCE") {
        Some("PRIMARY") => (0, "PRIMARY"),
        Some("SECONDARY_ONLY") => (1, "SECONDARY_ONLY"),
        Some("NONE") => (3, "NONE"),
        _ => (2, "SECONDARY"),
    });
    let (cluster, cluster_desc) = match cluster_type {
        ClusterType::Wsfc => (0, "WSFC"),
        ClusterType::None => (2, "NONE"),
    };
    AvailabilityGroup {
        group_id: group.id,
        name: group.name.clone(),
        resource_id: None,
        resource_group_id: None,
        failure_condition_level: number("FAILURE_CONDITION_LEVEL", FAILURE_CONDITION_LEVEL),
        health_check_timeout: number("HEALTH_CHECK_TIMEOUT", HEALTH_CHECK_TIMEOUT),
        automated_backup_preference: preference.map(|(number, _)| number),
        automated_backup_preference_desc: preference.map(|(_, desc)| desc),
        version: Some(1),
        basic_features: Some(local.is_some_and(|l| l.basic)),
        dtc_support: Some(shown("DTC_SUPPORT") == Some("PER_DB")),
        db_failover: Some(shown("DB_FAILOVER") == Some("ON")),
        is_distributed: Some(local.is_none()),
        cluster_type: Some(cluster),
        cluster_type_desc: Some(cluster_desc),
        required_synchronized_secondaries_to_commit: Some(group.required_synchronized as i32),
        sequence_number: Some(group.sequence as i64),
        is_contained: Some(false),
    }
}

fn availability_mode(mode: CommitMode) -> (u8, &'static str) {
    match mode {
        CommitMode::Asynchronous => (0, "ASYNCHRONOUS_COMMIT"),
        CommitMode::Synchronous => (1, "SYNCHRONOUS_COMMIT"),
    }
}

fn failover_mode(mode: FailoverMode) -> (u8, &'static str) {
    match mode {
        FailoverMode::Automatic => (0, "AUTOMATIC"),
        FailoverMode::Manual => (1, "MANUAL"),
        FailoverMode::External => (2, "EXTERNAL"),
    }
}

/// `sys.availability_replicas`.
pub fn availability_replicas(shown: Shown<'_>) -> Vec<AvailabilityReplica> {
    let mut rows = Vec::new();
    let mut metadata_id = METADATA_ID;
    for group in &shown.groups.groups {
        for member in shown.members(group) {
            let (partnering, replica) = (member.partnering, member.replica);
            let (availability_mode, availability_mode_desc) = availability_mode(partnering.commit_mode);
            let (failover_mode, failover_mode_desc) = failover_mode(partnering.failover_mode);
            let (primary, primary_desc) = match replica {
                Some(r) if r.primary_read_write_only => (3, "READ_WRITE"),
                _ => (2, "ALL"),
            };
            let (secondary, secondary_desc) = match replica.map(|r| r.secondary_allow) {
                Some(AllowConnections::No) => (0, "NO"),
                Some(AllowConnections::ReadOnly) => (1, "READ_ONLY"),
                Some(AllowConnections::All) | None => (2, "ALL"),
            };
            let (seeding_mode, seeding_mode_desc) = match partnering.seeding_mode {
                SeedingMode::Automatic => (0, "AUTOMATIC"),
                SeedingMode::Manual => (1, "MANUAL"),
            };
            rows.push(AvailabilityReplica {
                replica_id: partnering.id,
                group_id: group.id,
                replica_metadata_id: member.here.then_some(metadata_id),
                replica_server_name: partnering.name.clone(),
                owner_sid: None,
                endpoint_url: partnering.url.text.clone(),
                availability_mode,
                availability_mode_desc,
                failover_mode,
                failover_mode_desc,
                session_timeout: partnering.session_timeout_s as i32,
                primary_role_allow_connections: primary,
                primary_role_allow_connections_desc: primary_desc,
                secondary_role_allow_connections: secondary,
                secondary_role_allow_connections_desc: secondary_desc,
                create_date: member.here.then_some(Moment(partnering.created)),
                modify_date: member.here.then_some(Moment(partnering.modified)),
                backup_priority: replica.map_or(50, |r| r.backup_priority as i32),
                read_only_routing_url: replica.and_then(|r| r.read_only_routing_url.clone()),
                seeding_mode,
                seeding_mode_desc,
                read_write_routing_url: replica.and_then(|r| r.read_write_routing_url.clone()),
            });
            metadata_id += i32::from(member.here);
        }
    }
    rows
}

/// `sys.availability_databases_cluster`.
pub fn availability_databases_cluster(shown: Shown<'_>) -> Vec<AvailabilityDatabase> {
    let mut rows = Vec::new();
    for group in &shown.groups.groups {
        let here = shown.members(group).into_iter().find(|m| m.here);
        for database in shown.databases(group) {
            let copy = here.and_then(|member| shown.copy(group, member, database));
            rows.push(AvailabilityDatabase {
                group_id: group.id,
                group_database_id: database.id,
                database_name: database.name.clone(),
                truncation_lsn: copy.and_then(|c| c.truncation_lsn),
            });
        }
    }
    rows
}

/// `sys.availability_group_listeners`.
pub fn availability_group_listeners(_shown: Shown<'_>) -> Vec<AvailabilityGroupListener> {
    Vec::new()
}

/// The groups of the single databases: a link, a database, and a name that both sides come to.
fn internal(shown: Shown<'_>) -> impl Iterator<Item = (&Group, GroupId, String)> {
    let links = shown.groups.groups.iter().filter(move |g| {
        shown.multiple_databases
            && g.as_distributed().is_some_and(|d| d.members().iter().any(|m| m.url.is_managed()))
    });
    links.flat_map(move |link| {
        shown.databases(link).iter().map(move |database| {
            let name = format!("{}_{}", link.name, database.id);
            (link, GroupId::of(&[&link.name, &database.name]), name)
        })
    })
}

/// `sys.dm_hadr_internal_availability_groups`.
pub fn internal_availability_groups(shown: Shown<'_>) -> Vec<InternalAvailabilityGroup> {
    internal(shown)
        .map(|(link, group_id, name)| {
            let row = availability_group(link, None, ClusterType::None);
            InternalAvailabilityGroup {
                distributed_availability_group_id: link.id,
                group_id,
                name,
                resource_id: None,
                resource_group_id: None,
                failure_condition_level: row.failure_condition_level,
                health_check_timeout: row.health_check_timeout,
                automated_backup_preference: row.automated_backup_preference,
                automated_backup_preference_desc: row.automated_backup_preference_desc,
                version: row.version,
                basic_features: row.basic_features,
                dtc_support: row.dtc_support,
                db_failover: row.db_failover,
                is_distributed: row.is_distributed,
                cluster_type: row.cluster_type,
                cluster_type_desc: row.cluster_type_desc,
                required_synchronized_secondaries_to_commit: row.required_synchronized_secondaries_to_commit,
                sequence_number: row.sequence_number,
                is_contained: row.is_contained,
            }
        })
        .collect()
}

/// `sys.dm_hadr_internal_availability_replicas`.
pub fn internal_availability_replicas(shown: Shown<'_>) -> Vec<InternalAvailabilityReplica> {
    internal(shown)
        .flat_map(|(link, group_id, name)| {
            shown.members(link).into_iter().map(move |member| {
                let partnering = member.partnering;
                let (availability_mode, availability_mode_desc) = availability_mode(partnering.commit_mode);
                let (failover_mode, failover_mode_desc) = failover_mode(partnering.failover_mode);
                InternalAvailabilityReplica {
                    replica_id: ReplicaId::of(&[&name, &partnering.name]),
                    group_id,
                    replica_metadata_id: None,
                    replica_server_name: partnering.name.clone(),
                    owner_sid: None,
                    endpoint_url: partnering.url.text.clone(),
                    availability_mode,
                    availability_mode_desc,
                    failover_mode,
                    failover_mode_desc,
                    session_timeout: partnering.session_timeout_s as i32,
                }
            })
        })
        .collect()
}
