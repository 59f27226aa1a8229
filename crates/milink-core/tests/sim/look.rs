//! What the tool sees of the model: one side after the other, not at one moment.

use std::collections::BTreeMap;

use milink_core::facts::version::ServerVersion;
use milink_core::lsn::Lsn;
use milink_core::names::{CommitMode, FailoverMode, Hex, LinkMode, Role, SeedingMode, Side};
use milink_core::observe::{
    AzureDatabase, AzureInstance, AzureLink, AzureLinkDatabase, Backup, ConnectError, Database, Encryption,
    EndpointCertificate, Group, Health, Instance, Memory, Observation, Replica, ReplicaDatabase, Seeding,
    Seen, SyncState, Tier, TrustCertificate,
};
use milink_core::spec::{Link, LinkSpec};

use super::world::{FQDN, World, moment, thumbprint};

pub(crate) const LINK: &str = "sales";
pub(crate) const DATABASE: &str = "Sales";

pub(crate) fn link(primary: Side, mode: CommitMode) -> Link {
    let mut spec = LinkSpec::new(LINK, &[DATABASE]);
    spec.initial_primary = primary;
    spec.commit_mode = mode;
    spec.sql_server.endpoint = Some("TCP://sql1:5022".to_owned());
    spec.links().unwrap().remove(0)
}

pub(crate) fn template() -> Instance {
    Instance {
        server_name: "sql1".to_owned(),
        version: ServerVersion::new(16, 0, 4135, 4),
        edition: "Developer Edition (64-bit)".to_owned(),
        engine_edition: 3,
        collation: "SQL_Latin1_General_CP1_CI_AS".to_owned(),
        platform: None,
        cpu_count: None,
        memory_mb: None,
        backup_folder: None,
        is_sysadmin: Some(true),
        permissions: Vec::new(),
        hadr_enabled: Some(true),
        trace_flags: Some(Vec::new()),
        master_key: Some(true),
        can_add_issuers: Some(true),
        multi_database: None,
        certificates: Some(Vec::new()),
        endpoint: None,
        databases: Vec::new(),
        groups: Vec::new(),
        seedings: Vec::new(),
        log_backup_jobs: None,
        sessions: Some(Vec::new()),
    }
}

/// Looks at everything. It takes a while, in which the world goes on.
pub(crate) fn look(world: &mut World) -> Observation {
    world.counts.add("looks");
    let sql_server = side(world, Side::SqlServer);
    let gap = world.dice.below(20);
    world.pass(gap);
    let managed = side(world, Side::Managed);
    let gap = world.dice.below(20);
    world.pass(gap);
    let at = moment(world.now);
    let azure = if world.azure {
        Seen::At { at, value: azure(world) }
    } else {
        Seen::Unknown { at, why: "no answer from management.azure.com".to_owned() }
    };
    Observation { at, sql_server, managed, azure, probes: Vec::new() }
}

fn side(world: &World, side: Side) -> Seen<Instance> {
    let at = moment(world.now);
    let node = world.node(side);
    if !node.alive || !node.reachable {
        return Seen::Unknown { at, why: "connection refused".to_owned() };
    }
    let mut instance = world.template.clone();
    if side == Side::Managed {
        instance.engine_edition = 8;
        FQDN.clone_into(&mut instance.server_name);
        instance.version = ServerVersion::new(12, 0, 2000, 8);
    } else {
        instance.version = world.version;
        instance.master_key = Some(world.master_key);
        instance.certificates = Some(world.certificates.clone());
        instance.endpoint.clone_from(&world.endpoint);
        instance.trace_flags = Some(world.flags.clone());
        if world.group {
            instance.groups.push(Group {
                name: "AG_Sales".to_owned(),
                id: "1".to_owned(),
                distributed: false,
                cluster_type: None,
                role: Some(Role::Primary),
                required_synchronized: None,
                replicas: Vec::new(),
                databases: Vec::new(),
            });
        }
    }
    if node.has_copy {
        instance.databases.push(database(world, side));
    }
    if node.role.is_some() {
        instance.groups.push(half(world, side));
    }
    if let Some((start, end)) = world.seeding {
        instance.seedings.push(seeding(world, start, end));
    }
    Seen::At { at, value: instance }
}

pub(crate) fn seeding(world: &World, start: u64, end: u64) -> Seeding {
    let over = end <= world.now;
    let failed = over && world.seeding_fails;
    Seeding {
        database: DATABASE.to_owned(),
        role: None,
        state: if failed {
            "FAILED"
        } else if over {
            "COMPLETED"
        } else {
            "SEEDING"
        }
        .to_owned(),
        started: Some(moment(start)),
        ended: over.then(|| moment(end)),
        transferred_bytes: 1,
        size_bytes: 2,
        rate_bytes: 1,
        estimate: None,
        attempts: 1,
        failure_code: failed.then_some(1412),
        failure: failed.then(|| "the remote copy has not been rolled forward".to_owned()),
    }
}

fn database(world: &World, side: Side) -> Database {
    let backup = |at: Option<u64>| at.map(|at| Backup { finished: moment(at), checksums: true });
    let own = side == Side::SqlServer;
    Database {
        name: DATABASE.to_owned(),
        state: "ONLINE".to_owned(),
        recovery_model: world.recovery,
        compatibility_level: 160,
        read_only: false,
        size_bytes: 1 << 20,
        log_bytes: 1 << 18,
        log_used_percent: None,
        log_reuse_wait: "NOTHING".to_owned(),
        data_files: 1,
        log_files: 1,
        defunct_files: 0,
        filestream: false,
        memory_optimized: Memory::default(),
        encryption: Encryption::default(),
        accelerated_recovery: None,
        version_store_on_primary: None,
        broker_enabled: false,
        published: false,
        cdc_enabled: false,
        group: (own && world.group && world.database_in_group).then(|| "AG_Sales".to_owned()),
        log_chain: Some(world.full_backup.is_some()),
        last_full_backup: backup(world.full_backup),
        last_log_backup: backup(world.log_backup),
    }
}

fn lsn(world: &World, side: Side) -> Option<Lsn> {
    let node = world.node(side);
    node.has_copy.then(|| Lsn::new(1_000_000 + node.log.len() as u128)).flatten()
}

fn half(world: &World, side: Side) -> Group {
    let node = world.node(side);
    let role = if node.resolving_until > world.now { Some(Role::Resolving) } else { node.role };
    let connected = world.is_connected();
    let mode = world.sql_mode;
    let replica = |name: &str, local: bool, of: Side| Replica {
        name: name.to_owned(),
        local,
        url: String::new(),
        commit_mode: mode,
        seeding_mode: Some(SeedingMode::Automatic),
        role: if local { role } else { connected.then(|| world.node(of).role).flatten() },
        connected: Some(local || connected),
        health: None,
        last_connect_error: (!local && !connected).then(|| ConnectError {
            number: 35206,
            text: "time-out".to_owned(),
            at: None,
        }),
    };
    let is_own = |of: Side| of == side;
    let replicas = vec![
        replica("AG_Sales", is_own(Side::SqlServer), Side::SqlServer),
        replica("AG_Sales_MI", is_own(Side::Managed), Side::Managed),
    ];
    let mut databases = Vec::new();
    if node.has_copy {
        databases.push(copy(world, side, true));
    }
    if role == Some(Role::Primary) && world.node(side.other()).has_copy {
        databases.push(copy(world, side.other(), false));
    }
    Group {
        name: LINK.to_owned(),
        id: "2".to_owned(),
        distributed: true,
        cluster_type: None,
        role,
        required_synchronized: None,
        replicas,
        databases,
    }
}

/// A copy as its own side shows it, or as the primary does.
fn copy(world: &World, side: Side, local: bool) -> ReplicaDatabase {
    let node = world.node(side);
    let primary = node.role == Some(Role::Primary);
    let reverting = node.reverting_until.is_some();
    let takes = world.is_connected() && !node.suspended;
    let state = match (primary, reverting, takes) {
        (true, _, _) => SyncState::Synchronized,
        (_, _, false) => SyncState::NotSynchronizing,
        (_, true, true) => SyncState::Reverting,
        (_, false, true) if world.synced => SyncState::Synchronized,
        (_, false, true) => SyncState::Synchronizing,
    };
    let synchronous =
        world.sql_mode == CommitMode::Synchronous && world.azure_mode == CommitMode::Synchronous;
    let health = match state {
        SyncState::Synchronized => Health::Healthy,
        SyncState::Synchronizing if synchronous => Health::PartiallyHealthy,
        SyncState::Synchronizing => Health::Healthy,
        SyncState::NotSynchronizing | SyncState::Reverting | SyncState::Initializing => Health::NotHealthy,
    };
    ReplicaDatabase {
        name: DATABASE.to_owned(),
        local,
        state: Some(state),
        health: Some(health),
        database_state: local.then(|| "ONLINE".to_owned()),
        suspended: node.suspended.then(|| "SUSPEND_FROM_PARTNER".to_owned()),
        sent_lsn: None,
        received_lsn: None,
        hardened_lsn: lsn(world, side),
        redone_lsn: None,
        commit_lsn: None,
        end_of_log_lsn: None,
        commit_time: Some(moment(node.last_commit)),
        send_queue_kb: None,
        send_rate_kb: None,
        redo_queue_kb: None,
        redo_rate_kb: None,
        lag_seconds: None,
    }
}

fn azure(world: &World) -> AzureInstance {
    let node = world.node(Side::Managed);
    let described = node.role.map(|role| AzureLink {
        name: LINK.to_owned(),
        group_id: None,
        partner_group: Some("AG_Sales".to_owned()),
        instance_group: Some("AG_Sales_MI".to_owned()),
        partner_endpoint: None,
        instance_role: Some(role),
        partner_role: None,
        failover_mode: Some(FailoverMode::TwoWay),
        seeding_mode: Some(SeedingMode::Automatic),
        commit_mode: Some(world.azure_mode),
        link_mode: Some(LinkMode::SingleDatabase),
        databases: vec![AzureLinkDatabase {
            name: DATABASE.to_owned(),
            state: None,
            seeding_progress: None,
            health: None,
            connected: Some(world.is_connected()),
            hardened_lsn: lsn(world, Side::Managed),
            commit_time: Some(moment(node.last_commit)),
            error: None,
            send_lag_seconds: None,
            redo_lag_seconds: None,
            partner_certificate_expiry: None,
        }],
    });
    AzureInstance {
        id: "/mi1".to_owned(),
        name: "mi1".to_owned(),
        fqdn: FQDN.to_owned(),
        location: "westeurope".to_owned(),
        state: "Ready".to_owned(),
        update_policy: Some(world.policy),
        tier: Tier::GeneralPurpose,
        v_cores: None,
        storage_gb: None,
        collation: None,
        license: None,
        hybrid_usage: None,
        hybrid_usage_detected: None,
        in_failover_group: Some(false),
        databases: node
            .has_copy
            .then(|| AzureDatabase { name: DATABASE.to_owned(), status: "Online".to_owned() })
            .into_iter()
            .collect(),
        links: described.into_iter().collect(),
        trust_certificates: world
            .trusted
            .iter()
            .map(|(name, thumbprint)| TrustCertificate { name: name.clone(), thumbprint: thumbprint.clone() })
            .collect(),
        endpoint_certificate: Some(EndpointCertificate {
            public: Hex::new(vec![0x30, 2]),
            thumbprint: thumbprint(2),
            expiry: Some(moment(0).plus_ms(365 * 86_400_000)),
            roots: vec![("CN=Root, O=Test".to_owned(), Hex::new(vec![0x30, 3]))],
        }),
        actions: BTreeMap::new(),
        operations: Vec::new(),
    }
}
