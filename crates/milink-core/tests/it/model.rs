//! A small model of both sides and Azure: an observation, and what statements, calls and time make of it.
//!
//! It knows nothing of plans. What it refuses is what the real servers refuse, as far as plans could go wrong there.

use milink_core::action::{Action, ArmCall, Member, PublicKey, Statement};
use milink_core::facts::policy::UpdatePolicy;
use milink_core::moment::Moment;
use milink_core::names::{CommitMode, Hex, LinkMode, Role, Side, Thumbprint};
use milink_core::observe::*;

/// The moment at which everything in these tests happens.
pub(crate) fn now() -> Moment {
    "2026-11-25T03:00:00Z".parse().unwrap()
}

pub(crate) const FQDN: &str = "mi-one.a1b2c3d4.database.windows.net";

/// Both sides and Azure.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) seen: Observation,
    /// Made numbers: of certificates, of links.
    next: i32,
    /// Whether views show for whom certificates are issuers. The real ones do not.
    pub(crate) shows_issuers: bool,
}

fn at<T>(value: T) -> Seen<T> {
    Seen::At { at: now(), value }
}

/// Something like a hash, of 20 bytes.
pub(crate) fn thumbprint(der: &[u8]) -> Thumbprint {
    let mut out = vec![0_u8; 20];
    for (i, b) in der.iter().enumerate() {
        out[i % 20] = out[i % 20].wrapping_mul(31).wrapping_add(*b).wrapping_add(i as u8);
    }
    Thumbprint::new(Hex::new(out))
}

pub(crate) fn database(name: &str) -> Database {
    Database {
        name: name.to_owned(),
        state: "ONLINE".to_owned(),
        recovery_model: RecoveryModel::Simple,
        compatibility_level: 130,
        read_only: false,
        size_bytes: 8 << 20,
        log_bytes: 1 << 20,
        log_used_percent: Some(1.0),
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
        group: None,
        log_chain: Some(false),
        last_full_backup: None,
        last_log_backup: None,
    }
}

fn instance(name: &str, version: &str, engine_edition: i32) -> Instance {
    Instance {
        server_name: name.to_owned(),
        version: version.parse().unwrap(),
        edition: "Enterprise Edition (64-bit)".to_owned(),
        engine_edition,
        collation: "SQL_Latin1_General_CP1_CI_AS".to_owned(),
        platform: Some("Linux".to_owned()),
        cpu_count: Some(4),
        memory_mb: Some(16_384),
        backup_folder: (engine_edition != 8).then(|| "/var/opt/mssql/backup".to_owned()),
        is_sysadmin: Some(true),
        permissions: Vec::new(),
        hadr_enabled: Some(true),
        trace_flags: Some(Vec::new()),
        master_key: Some(engine_edition == 8),
        can_add_issuers: Some(true),
        multi_database: None,
        certificates: Some(Vec::new()),
        endpoint: None,
        databases: Vec::new(),
        groups: Vec::new(),
        seedings: Vec::new(),
        log_backup_jobs: Some(Vec::new()),
        sessions: Some(Vec::new()),
    }
}

impl World {
    /// Two instances that do not know each other; the databases are on the side that is to be primary.
    pub(crate) fn new(version: &str, policy: UpdatePolicy, primary: Side, databases: &[&str]) -> World {
        let mut sql_server = instance("SQL01", version, 3);
        let mut managed = instance(FQDN, "12.0.2000.8", 8);
        let der = Hex::new(b"managed instance's certificate".to_vec());
        let mut azure = AzureInstance {
            id: "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg/providers/Microsoft.Sql/managedInstances/mi-one".to_owned(),
            name: "mi-one".to_owned(),
            fqdn: FQDN.to_owned(),
            location: "westeurope".to_owned(),
            state: "Ready".to_owned(),
            update_policy: Some(policy),
            tier: Tier::GeneralPurpose,
            v_cores: Some(4),
            storage_gb: Some(256),
            collation: Some("SQL_Latin1_General_CP1_CI_AS".to_owned()),
            license: None,
            hybrid_usage: None,
            hybrid_usage_detected: None,
            in_failover_group: Some(false),
            databases: Vec::new(),
            links: Vec::new(),
            trust_certificates: Vec::new(),
            endpoint_certificate: Some(EndpointCertificate {
                thumbprint: thumbprint(der.bytes()),
                public: der,
                expiry: Some(now().plus_ms(86_400_000 * 300)),
                roots: Vec::new(),
            }),
            actions: std::collections::BTreeMap::new(),
            operations: Vec::new(),
        };
        for name in databases {
            match primary {
                Side::SqlServer => sql_server.databases.push(database(name)),
                Side::Managed => {
                    managed.databases.push(Database {
                        recovery_model: RecoveryModel::Full,
                        log_chain: Some(true),
                        last_full_backup: Some(Backup { finished: now(), checksums: true }),
                        ..database(name)
                    });
                    azure
                        .databases
                        .push(AzureDatabase { name: (*name).to_owned(), status: "Online".to_owned() });
                }
            }
        }
        let seen = Observation {
            at: now(),
            sql_server: at(sql_server),
            managed: at(managed),
            azure: at(azure),
            probes: Vec::new(),
        };
        World { seen, next: 300, shows_issuers: true }
    }

    pub(crate) fn sql_server(&mut self) -> &mut Instance {
        self.side(Side::SqlServer)
    }

    pub(crate) fn side(&mut self, side: Side) -> &mut Instance {
        let seen = match side {
            Side::SqlServer => &mut self.seen.sql_server,
            Side::Managed => &mut self.seen.managed,
        };
        match seen {
            Seen::At { value, .. } => value,
            Seen::Unknown { why, .. } => panic!("{side}: {why}"),
        }
    }

    pub(crate) fn azure(&mut self) -> &mut AzureInstance {
        match &mut self.seen.azure {
            Seen::At { value, .. } => value,
            Seen::Unknown { why, .. } => panic!("{why}"),
        }
    }

    fn number(&mut self) -> i32 {
        self.next += 1;
        self.next
    }

    /// Carries an action out.
    pub(crate) fn apply(&mut self, action: &Action) {
        match action {
            Action::Sql { side, statement } => self.statement(*side, statement),
            Action::Arm { call } => self.call(call),
        }
    }

    fn add_certificate(&mut self, name: &str, public: Hex, private_key: bool, expiry: Option<Moment>) {
        let id = self.number();
        let known = self.sql_server();
        assert!(known.certificate(name).is_none(), "15232: certificate {name} exists");
        known.certificates.as_mut().unwrap().push(Certificate {
            name: name.to_owned(),
            id,
            subject: name.to_owned(),
            thumbprint: thumbprint(public.bytes()),
            start: Some(now()),
            expiry,
            private_key,
            public,
            issuer_for: None,
        });
    }

    fn statement(&mut self, side: Side, statement: &Statement) {
        match statement {
            Statement::CreateMasterKey => {
                assert_eq!(self.sql_server().master_key, Some(false), "15578: there is a master key");
                self.sql_server().master_key = Some(true);
            }
            Statement::CreateCertificate { name, expiry, .. } => {
                assert_eq!(self.sql_server().master_key, Some(true), "15581: no master key");
                let public = Hex::new(format!("{name} {}", self.next).into_bytes());
                self.add_certificate(name, public, true, Some(*expiry));
            }
            Statement::ImportCertificate { name, public } => {
                let public = public.resolve(&self.seen).unwrap();
                self.add_certificate(name, public, false, None);
            }
            Statement::AddIssuer { certificate, names } => {
                let shows = self.shows_issuers;
                let all = self.sql_server().certificates.as_mut().unwrap();
                let found = all.iter_mut().find(|c| same_name(&c.name, certificate)).expect("15151");
                if shows {
                    found.issuer_for.get_or_insert_default().push(names.clone());
                }
            }
            Statement::DropCertificate { name } => {
                let i = self.sql_server();
                assert!(i.certificate(name).is_some(), "15151: no certificate {name}");
                let shown = i.endpoint.as_ref().and_then(|e| e.certificate.clone());
                assert_ne!(shown.as_deref(), Some(name.as_str()), "15352: the endpoint uses {name}");
                i.certificates.as_mut().unwrap().retain(|c| !same_name(&c.name, name));
            }
            Statement::CreateEndpoint { name, port, certificate } => {
                let i = self.sql_server();
                assert!(i.endpoint.is_none() && i.certificate(certificate).is_some(), "7862 or 15151");
                i.endpoint = Some(Endpoint {
                    name: name.clone(),
                    state: "STARTED".to_owned(),
                    role: "ALL".to_owned(),
                    port: *port,
                    authentication: "CERTIFICATE".to_owned(),
                    certificate: Some(certificate.clone()),
                    encrypted: true,
                    algorithm: "AES".to_owned(),
                });
            }
            Statement::AlterEndpoint { name, certificate, keep_windows } => {
                let e = self.sql_server().endpoint.as_mut().filter(|e| e.name == *name).expect("7866");
                *e = Endpoint {
                    state: "STARTED".to_owned(),
                    role: "ALL".to_owned(),
                    authentication: if *keep_windows { "NEGOTIATE, CERTIFICATE" } else { "CERTIFICATE" }
                        .to_owned(),
                    certificate: Some(certificate.clone()),
                    encrypted: true,
                    algorithm: "AES".to_owned(),
                    ..e.clone()
                };
            }
            Statement::StartEndpoint { name } => {
                let e = self.sql_server().endpoint.as_mut().filter(|e| e.name == *name).expect("7866");
                e.state = "STARTED".to_owned();
            }
            Statement::DropEndpoint { name } => {
                assert!(self.sql_server().endpoint.take().is_some_and(|e| e.name == *name), "7866");
            }
            Statement::SetRecoveryFull { database } => {
                self.database(side, database).recovery_model = RecoveryModel::Full;
            }
            Statement::SetRecovery { database, model } => {
                let d = self.database(side, database);
                assert!(d.group.is_none(), "1468: {database} is in a group");
                d.recovery_model = *model;
                d.log_chain = Some(false);
            }
            Statement::BackupDatabase { database, copy_only, .. } => {
                let d = self.database(side, database);
                if !copy_only && d.recovery_model == RecoveryModel::Full {
                    d.log_chain = Some(true);
                }
                if !copy_only {
                    d.last_full_backup = Some(Backup { finished: now(), checksums: true });
                }
            }
            Statement::BackupLog { database, .. } => {
                let d = self.database(side, database);
                assert_eq!(d.log_chain, Some(true), "4214: no full backup");
                d.last_log_backup = Some(Backup { finished: now(), checksums: true });
            }
            Statement::CreateGroup { name, databases, server, url, .. } => {
                self.create_group(name, databases, server, url);
            }
            Statement::GrantCreateAnyDatabase { group } => {
                assert!(self.sql_server().group(group).is_some(), "15151: no group {group}");
            }
            Statement::AddDatabase { group, database } => {
                assert!(self.sql_server().group(group).is_some());
                self.enter(group, database);
            }
            Statement::RemoveDatabase { group, database } => {
                let d = self.database(Side::SqlServer, database);
                assert_eq!(d.group.as_deref(), Some(group.as_str()), "35242");
                d.group = None;
            }
            Statement::CreateDistributed { name, members } => self.create_distributed(name, members),
            Statement::SetCommitMode { name, mode, .. } => {
                let i = self.side(side);
                let group = i.groups.iter_mut().find(|g| g.distributed && g.name == *name).expect("19510");
                group.replicas.iter_mut().for_each(|r| r.commit_mode = *mode);
            }
            Statement::DropGroup { name } => self.drop_group(name),
            Statement::DropDatabase { database } => {
                assert!(self.database(side, database).group.is_none(), "3752: {database} is in a group");
                self.side(side).databases.retain(|d| !same_name(&d.name, database));
            }
            Statement::TraceOn { flag } => {
                let flags = self.sql_server().trace_flags.as_mut().unwrap();
                if !flags.contains(flag) {
                    flags.push(*flag);
                }
            }
            Statement::TraceOff { flag } => {
                self.sql_server().trace_flags.as_mut().unwrap().retain(|f| f != flag);
            }
            Statement::OptIntoMultiDatabase { on } => self.sql_server().multi_database = Some(*on),
            other => panic!("no plan of these tests gives {other:?}"),
        }
    }

    pub(crate) fn database(&mut self, side: Side, name: &str) -> &mut Database {
        let all = &mut self.side(side).databases;
        all.iter_mut().find(|d| same_name(&d.name, name)).unwrap_or_else(|| panic!("911: no database {name}"))
    }

    fn enter(&mut self, group: &str, name: &str) {
        let d = self.database(Side::SqlServer, name);
        assert!(d.recovery_model == RecoveryModel::Full && d.log_chain == Some(true), "1475: {name}");
        assert!(d.group.is_none(), "35244: {name}");
        d.group = Some(group.to_owned());
    }

    fn create_group(&mut self, name: &str, databases: &[String], server: &str, url: &str) {
        assert!(!self.sql_server().groups.iter().any(|g| same_name(&g.name, name)), "41042: {name}");
        for d in databases {
            self.enter(name, d);
        }
        let id = format!("group-{}", self.number());
        self.sql_server().groups.push(Group {
            name: name.to_owned(),
            id,
            distributed: false,
            cluster_type: Some("NONE".to_owned()),
            role: Some(Role::Primary),
            required_synchronized: Some(0),
            replicas: vec![replica(server, url, true, CommitMode::Synchronous)],
            databases: Vec::new(),
        });
    }

    fn create_distributed(&mut self, name: &str, members: &[Member; 2]) {
        let i = self.sql_server();
        assert!(!i.groups.iter().any(|g| same_name(&g.name, name)), "19509: {name}");
        assert!(i.group(&members[0].group).is_some(), "19501: {}", members[0].group);
        assert!(i.endpoint.is_some() && i.certificate(FQDN).is_some());
        let id = format!("dag-{}", self.number());
        self.sql_server().groups.push(Group {
            name: name.to_owned(),
            id,
            distributed: true,
            cluster_type: None,
            role: Some(Role::Primary),
            required_synchronized: Some(0),
            replicas: members
                .iter()
                .enumerate()
                .map(|(n, m)| replica(&m.group, &m.url, n == 0, m.options.commit_mode))
                .collect(),
            databases: Vec::new(),
        });
    }

    fn drop_group(&mut self, name: &str) {
        let i = self.sql_server();
        let there = i.groups.iter().find(|g| same_name(&g.name, name)).expect("15151").clone();
        let stands = i.groups.iter().any(|g| g.distributed && g.replica(&there.name).is_some());
        assert!(there.distributed || !stands, "a distributed group stands on {name}");
        i.groups.retain(|g| g.name != there.name);
        for d in &mut i.databases {
            if d.group.as_deref() == Some(there.name.as_str()) {
                d.group = None;
                d.state = "ONLINE".to_owned();
            }
        }
    }

    fn call(&mut self, call: &ArmCall) {
        match call {
            ArmCall::PutTrustCertificate { name, public } => {
                let der = public.resolve(&self.seen).unwrap();
                let certificate =
                    TrustCertificate { name: name.clone(), thumbprint: thumbprint(der.bytes()) };
                self.azure().trust_certificates.retain(|c| c.name != *name);
                self.azure().trust_certificates.push(certificate);
                let PublicKey::SqlServer { .. } = public else { panic!("{public:?}") };
            }
            ArmCall::DeleteTrustCertificate { name } => {
                self.azure().trust_certificates.retain(|c| c.name != *name);
            }
            ArmCall::PutLink { name, body } => {
                let link = AzureLink {
                    name: name.clone(),
                    group_id: Some("id".to_owned()),
                    partner_group: Some(body.partner_group.clone()),
                    instance_group: Some(body.instance_group.clone()),
                    partner_endpoint: Some(body.partner_endpoint.clone()),
                    instance_role: Some(body.instance_role),
                    partner_role: None,
                    failover_mode: Some(body.failover_mode),
                    seeding_mode: Some(body.seeding_mode),
                    commit_mode: Some(body.commit_mode),
                    link_mode: (body.link_mode == LinkMode::MultiDatabase).then_some(body.link_mode),
                    databases: body
                        .databases
                        .iter()
                        .map(|d| AzureLinkDatabase {
                            name: d.clone(),
                            state: Some("InitiatingLink".to_owned()),
                            seeding_progress: None,
                            health: Some(Health::NotHealthy),
                            connected: Some(false),
                            hardened_lsn: None,
                            commit_time: None,
                            error: None,
                            send_lag_seconds: None,
                            redo_lag_seconds: None,
                            partner_certificate_expiry: None,
                        })
                        .collect(),
                };
                self.azure().links.retain(|l| l.name != *name);
                self.azure().links.push(link);
            }
            ArmCall::SetCommitMode { name, mode } => {
                let link = self.azure().links.iter_mut().find(|l| l.name == *name).expect("ResourceNotFound");
                link.commit_mode = Some(*mode);
            }
            ArmCall::DeleteLink { name } => {
                self.azure().links.retain(|l| l.name != *name);
                self.side(Side::Managed).groups.retain(|g| g.name != *name);
                self.side(Side::Managed).databases.iter_mut().for_each(|d| {
                    d.group = None;
                    d.state = "ONLINE".to_owned();
                });
            }
            ArmCall::DeleteDatabase { name } => {
                self.azure().databases.retain(|d| d.name != *name);
                self.side(Side::Managed).databases.retain(|d| d.name != *name);
            }
            other => panic!("no plan of these tests gives {other:?}"),
        }
    }

    /// Lets time pass: links whose halves both exist connect, then seed, then synchronise.
    pub(crate) fn pass(&mut self) {
        let links: Vec<AzureLink> = self.azure().links.clone();
        for link in links {
            let Some(group) = self.sql_server().distributed(&link.name).cloned() else { continue };
            if group.remote().is_some_and(|r| r.connected == Some(true)) {
                self.seed(&link);
            } else {
                self.connect(&link);
            }
        }
    }

    fn connect(&mut self, link: &AzureLink) {
        let primary = if link.instance_role == Some(Role::Primary) { Side::Managed } else { Side::SqlServer };
        let half = self.sql_server().distributed(&link.name).unwrap().clone();
        let mirrored = |r: &Replica| Replica { local: !r.local, ..r.clone() };
        if self.side(Side::Managed).distributed(&link.name).is_none() {
            let other = Group { replicas: half.replicas.iter().map(mirrored).collect(), ..half };
            self.side(Side::Managed).groups.push(other);
        }
        for side in Side::BOTH {
            let role = if side == primary { Role::Primary } else { Role::Secondary };
            let group = self.half(side, &link.name);
            group.role = Some(role);
            for r in &mut group.replicas {
                r.connected = Some(true);
                r.health = Some(Health::NotHealthy);
                r.role = Some(if r.local == (side == primary) { Role::Primary } else { Role::Secondary });
            }
        }
        let all = &mut self.azure().links.iter_mut().find(|l| l.name == link.name).unwrap().databases;
        all.iter_mut().for_each(|d| d.connected = Some(true));
    }

    fn half(&mut self, side: Side, name: &str) -> &mut Group {
        self.side(side).groups.iter_mut().find(|g| g.distributed && g.name == name).unwrap()
    }

    fn seed(&mut self, link: &AzureLink) {
        let primary = if link.instance_role == Some(Role::Primary) { Side::Managed } else { Side::SqlServer };
        for d in &link.databases {
            let secondary = primary.other();
            if self.side(secondary).database(&d.name).is_none() {
                let copy = Database {
                    recovery_model: RecoveryModel::Full,
                    log_chain: Some(true),
                    group: (secondary == Side::SqlServer).then(|| link.partner_group.clone().unwrap()),
                    ..database(&d.name)
                };
                self.side(secondary).databases.push(copy);
                let seeding = Seeding {
                    database: d.name.clone(),
                    role: Some("Source".to_owned()),
                    state: "COMPLETED".to_owned(),
                    started: Some(now()),
                    ended: Some(now()),
                    transferred_bytes: 8 << 20,
                    size_bytes: 8 << 20,
                    rate_bytes: 1 << 20,
                    estimate: None,
                    attempts: 1,
                    failure_code: None,
                    failure: None,
                };
                self.side(primary).seedings.push(seeding);
                if secondary == Side::Managed {
                    self.azure()
                        .databases
                        .push(AzureDatabase { name: d.name.clone(), status: "Online".to_owned() });
                }
            }
            for side in Side::BOTH {
                let group = self.half(side, &link.name);
                group.replicas.iter_mut().for_each(|r| r.health = Some(Health::Healthy));
                let synchronous = link.commit_mode == Some(CommitMode::Synchronous);
                group.databases.retain(|c| !same_name(&c.name, &d.name));
                for local in [true, false] {
                    let state = if synchronous { SyncState::Synchronized } else { SyncState::Synchronizing };
                    group.databases.push(copy(&d.name, local, state));
                }
            }
        }
        for d in &mut self.azure().links.iter_mut().find(|l| l.name == link.name).unwrap().databases {
            d.state = Some("LinkSynchronizing".to_owned());
            d.health = Some(Health::Healthy);
            d.hardened_lsn = Some("71000009408100001".parse().unwrap());
        }
    }
}

fn replica(name: &str, url: &str, local: bool, commit_mode: CommitMode) -> Replica {
    Replica {
        name: name.to_owned(),
        local,
        url: url.to_owned(),
        commit_mode,
        seeding_mode: None,
        role: None,
        connected: Some(local),
        health: None,
        last_connect_error: None,
    }
}

fn copy(name: &str, local: bool, state: SyncState) -> ReplicaDatabase {
    ReplicaDatabase {
        name: name.to_owned(),
        local,
        state: Some(state),
        health: Some(Health::Healthy),
        database_state: local.then(|| "ONLINE".to_owned()),
        suspended: None,
        sent_lsn: None,
        received_lsn: None,
        hardened_lsn: Some("71000009408100001".parse().unwrap()),
        redone_lsn: None,
        commit_lsn: None,
        end_of_log_lsn: None,
        commit_time: None,
        send_queue_kb: None,
        send_rate_kb: None,
        redo_queue_kb: None,
        redo_rate_kb: None,
        lag_seconds: None,
    }
}
