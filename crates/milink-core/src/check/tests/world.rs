//! Two sides where everything is as it should be, for tests that change one thing.

use crate::finding::{Finding, Status};
use crate::lsn::Lsn;
use crate::moment::Moment;
use crate::names::{CommitMode, FailoverMode, Hex, LinkMode, Role, SeedingMode, Side, Thumbprint};
use crate::observe::*;
use crate::spec::{Link, LinkSpec};

pub(super) const GIB: u64 = 1 << 30;
pub(super) const FQDN: &str = "mi1.a1b2c3.database.windows.net";
pub(super) const OWN: &str = "Cert_SQL01_endpoint";

/// A link that is wanted, and what is seen.
pub(super) struct World {
    pub(super) link: Link,
    pub(super) seen: Observation,
}

pub(super) fn now() -> Moment {
    "2026-11-25T12:00:00Z".parse().unwrap()
}

pub(super) fn thumb(byte: u8) -> Thumbprint {
    Thumbprint::new(Hex::new(vec![byte; 20]))
}

pub(super) fn certificate(name: &str, byte: u8, private_key: bool) -> Certificate {
    Certificate {
        name: name.to_owned(),
        id: i32::from(byte),
        subject: format!("CN={name}"),
        thumbprint: thumb(byte),
        start: Some(now()),
        expiry: Some(now().plus_ms(900 * 86_400_000)),
        private_key,
        public: Hex::new(vec![byte; 32]),
        issuer_for: None,
    }
}

pub(super) fn backup(hours_ago: i64) -> Backup {
    Backup { finished: Moment::from_unix_ms(now().unix_ms() - hours_ago * 3_600_000), checksums: true }
}

pub(super) fn database(name: &str) -> Database {
    Database {
        name: name.to_owned(),
        state: "ONLINE".to_owned(),
        recovery_model: RecoveryModel::Full,
        compatibility_level: 160,
        read_only: false,
        size_bytes: 10 * GIB,
        log_bytes: 2 * GIB,
        log_used_percent: Some(5.0),
        log_reuse_wait: "NOTHING".to_owned(),
        data_files: 1,
        log_files: 1,
        defunct_files: 0,
        filestream: false,
        memory_optimized: Memory::default(),
        encryption: Encryption::default(),
        accelerated_recovery: Some(true),
        version_store_on_primary: Some(true),
        broker_enabled: true,
        published: false,
        cdc_enabled: false,
        group: None,
        log_chain: Some(true),
        last_full_backup: Some(backup(10)),
        last_log_backup: Some(backup(1)),
    }
}

fn instance(name: &str, engine_edition: i32) -> Instance {
    Instance {
        server_name: name.to_owned(),
        version: "16.0.4125.3".parse().unwrap(),
        edition: "Enterprise Edition: Core-based Licensing (64-bit)".to_owned(),
        engine_edition,
        collation: "SQL_Latin1_General_CP1_CI_AS".to_owned(),
        platform: Some("Windows".to_owned()),
        cpu_count: Some(8),
        memory_mb: Some(65_536),
        backup_folder: Some("D:\\Backup".to_owned()),
        is_sysadmin: Some(true),
        permissions: vec!["CONTROL SERVER".to_owned(), "VIEW ANY DATABASE".to_owned()],
        hadr_enabled: Some(true),
        trace_flags: Some(vec![1800, 9567]),
        master_key: Some(true),
        can_add_issuers: Some(true),
        multi_database: Some(false),
        certificates: Some(Vec::new()),
        endpoint: None,
        databases: Vec::new(),
        groups: Vec::new(),
        seedings: Vec::new(),
        log_backup_jobs: Some(Vec::new()),
        sessions: Some(Vec::new()),
    }
}

pub(super) fn root(name: &str, byte: u8) -> Certificate {
    Certificate {
        issuer_for: Some(vec!["*.database.windows.net".to_owned()]),
        ..certificate(name, byte, false)
    }
}

fn azure() -> AzureInstance {
    let rights = crate::facts::rbac::RIGHTS.iter().map(|r| (r.action.to_owned(), true)).collect();
    AzureInstance {
        id: "/subscriptions/s/resourceGroups/g/providers/Microsoft.Sql/managedInstances/mi1".to_owned(),
        name: "mi1".to_owned(),
        fqdn: FQDN.to_owned(),
        location: "westeurope".to_owned(),
        state: "Ready".to_owned(),
        update_policy: Some(crate::facts::policy::UpdatePolicy::SqlServer2022),
        tier: Tier::GeneralPurpose,
        v_cores: Some(8),
        storage_gb: Some(256),
        collation: Some("SQL_Latin1_General_CP1_CI_AS".to_owned()),
        license: None,
        hybrid_usage: None,
        hybrid_usage_detected: None,
        in_failover_group: Some(false),
        databases: Vec::new(),
        links: Vec::new(),
        trust_certificates: vec![TrustCertificate { name: OWN.to_owned(), thumbprint: thumb(1) }],
        endpoint_certificate: Some(EndpointCertificate {
            public: Hex::new(vec![2; 32]),
            thumbprint: thumb(2),
            expiry: Some(now().plus_ms(300 * 86_400_000)),
            roots: vec![("CN=Root One, O=Example".to_owned(), Hex::new(vec![3; 32]))],
        }),
        actions: rights,
        operations: Vec::new(),
    }
}

pub(super) fn whole_probe(from: Side) -> Probe {
    Probe {
        from: from.into(),
        to: from.other(),
        address: "host:5022".to_owned(),
        at: now(),
        hops: Hop::ALL.map(|hop| HopResult { hop, ok: true, text: "fine".to_owned() }).to_vec(),
    }
}

fn seen<T>(value: T) -> Seen<T> {
    Seen::At { at: now(), value }
}

impl World {
    /// A database `Sales` on SQL Server that can be linked at once.
    pub(super) fn new() -> World {
        let mut link = LinkSpec::new("sales", &["Sales"]).links().unwrap().remove(0);
        link.sql_server.endpoint = Some("TCP://10.0.0.4:5022".to_owned());
        let mut sql_server = instance("SQL01", 3);
        sql_server.certificates =
            Some(vec![certificate(OWN, 1, true), certificate(FQDN, 2, false), root("Root One", 3)]);
        sql_server.endpoint = Some(Endpoint {
            name: "database_mirroring_endpoint".to_owned(),
            state: "STARTED".to_owned(),
            role: "ALL".to_owned(),
            port: 5022,
            authentication: "CERTIFICATE".to_owned(),
            certificate: Some(OWN.to_owned()),
            encrypted: true,
            algorithm: "AES".to_owned(),
        });
        sql_server.databases = vec![database("Sales")];
        World {
            link,
            seen: Observation {
                at: now(),
                sql_server: seen(sql_server),
                managed: seen(instance(FQDN, 8)),
                azure: seen(azure()),
                probes: Side::BOTH.map(whole_probe).to_vec(),
            },
        }
    }

    /// The same with the data on the managed instance.
    pub(super) fn from_managed(&mut self) -> &mut World {
        self.link.initial_primary = Side::Managed;
        self.sql().databases.clear();
        self.managed().databases = vec![database("Sales")];
        self.azure().databases = vec![online("Sales")];
        self
    }

    /// The same with one link that carries several databases.
    pub(super) fn multi_database(&mut self) -> &mut World {
        self.link.link_mode = LinkMode::MultiDatabase;
        self.link.failover_mode = FailoverMode::TwoWay;
        self.sql().version = "16.0.4225.2".parse().unwrap();
        self.sql().multi_database = Some(true);
        self
    }

    /// The link is there and runs: SQL Server is primary.
    pub(super) fn linked(&mut self) -> &mut World {
        let lsn: Lsn = "71000009408100001".parse().unwrap();
        let copy = |local: bool| ReplicaDatabase {
            name: "Sales".to_owned(),
            local,
            state: Some(SyncState::Synchronizing),
            health: Some(Health::Healthy),
            database_state: local.then(|| "ONLINE".to_owned()),
            suspended: None,
            sent_lsn: None,
            received_lsn: None,
            hardened_lsn: Some(lsn),
            redone_lsn: None,
            commit_lsn: None,
            end_of_log_lsn: None,
            commit_time: Some(now()),
            send_queue_kb: Some(0),
            send_rate_kb: Some(500),
            redo_queue_kb: Some(0),
            redo_rate_kb: Some(500),
            lag_seconds: Some(0),
        };
        let member = |name: &str, local: bool, role: Role| Replica {
            name: name.to_owned(),
            local,
            url: format!("tcp://{name}:5022"),
            commit_mode: CommitMode::Asynchronous,
            seeding_mode: Some(SeedingMode::Automatic),
            role: Some(role),
            connected: Some(true),
            health: Some(Health::Healthy),
            last_connect_error: None,
        };
        let distributed = |role: Role, own: &str, other: &str, others: Role| Group {
            name: "sales".to_owned(),
            id: "d".to_owned(),
            distributed: true,
            cluster_type: None,
            role: Some(role),
            required_synchronized: None,
            replicas: vec![member(own, true, role), member(other, false, others)],
            databases: vec![copy(true), copy(false)],
        };
        let local = Group {
            name: "AG_Sales".to_owned(),
            distributed: false,
            replicas: vec![member("SQL01", true, Role::Primary)],
            ..distributed(Role::Primary, "SQL01", "-", Role::Secondary)
        };
        let sql = self.sql();
        sql.groups = vec![local, distributed(Role::Primary, "AG_Sales", "AG_Sales_MI", Role::Secondary)];
        sql.databases[0].group = Some("AG_Sales".to_owned());
        let managed = self.managed();
        managed.groups = vec![distributed(Role::Secondary, "AG_Sales_MI", "AG_Sales", Role::Primary)];
        managed.databases = vec![database("Sales")];
        let azure = self.azure();
        azure.databases = vec![online("Sales")];
        azure.links = vec![azure_link("sales", "AG_Sales_MI", "Sales")];
        self
    }

    /// The link runs the other way round.
    pub(super) fn failed_over(&mut self) -> &mut World {
        self.linked();
        let swap = |group: &mut Group| {
            let other = |role: Option<Role>| match role {
                Some(Role::Primary) => Some(Role::Secondary),
                Some(Role::Secondary) => Some(Role::Primary),
                Some(Role::Resolving) | None => role,
            };
            group.role = other(group.role);
            group.replicas.iter_mut().for_each(|r| r.role = other(r.role));
        };
        self.sql().groups.iter_mut().filter(|g| g.distributed).for_each(swap);
        self.managed().groups.iter_mut().for_each(swap);
        self
    }

    pub(super) fn sql(&mut self) -> &mut Instance {
        known(&mut self.seen.sql_server)
    }

    pub(super) fn managed(&mut self) -> &mut Instance {
        known(&mut self.seen.managed)
    }

    pub(super) fn azure(&mut self) -> &mut AzureInstance {
        known(&mut self.seen.azure)
    }

    /// `Sales` on its initial primary.
    pub(super) fn database(&mut self) -> &mut Database {
        match self.link.initial_primary {
            Side::SqlServer => &mut self.sql().databases[0],
            Side::Managed => &mut self.managed().databases[0],
        }
    }

    pub(super) fn endpoint(&mut self) -> &mut Endpoint {
        self.sql().endpoint.as_mut().unwrap()
    }

    pub(super) fn certificate(&mut self, name: &str) -> &mut Certificate {
        self.sql().certificates.as_mut().unwrap().iter_mut().find(|c| c.name == name).unwrap()
    }

    pub(super) fn drop_certificate(&mut self, name: &str) {
        self.sql().certificates.as_mut().unwrap().retain(|c| c.name != name);
    }

    /// The login on SQL Server is an ordinary one that is shown hardly anything.
    pub(super) fn blind(&mut self) -> &mut World {
        let sql = self.sql();
        sql.is_sysadmin = Some(false);
        sql.permissions = vec!["CONNECT SQL".to_owned()];
        self
    }

    /// That is all that is changed.
    pub(super) fn end(&mut self) {}

    pub(super) fn without_sql(&mut self) {
        self.seen.sql_server = lost("connection refused");
    }

    pub(super) fn without_managed(&mut self) {
        self.seen.managed = lost("time-out");
    }

    pub(super) fn without_azure(&mut self) {
        self.seen.azure = lost("AuthorizationFailed");
    }
}

fn known<T>(seen: &mut Seen<T>) -> &mut T {
    match seen {
        Seen::At { value, .. } => value,
        Seen::Unknown { why, .. } => panic!("unknown: {why}"),
    }
}

pub(super) fn lost<T>(why: &str) -> Seen<T> {
    Seen::Unknown { at: now(), why: why.to_owned() }
}

pub(super) fn online(name: &str) -> AzureDatabase {
    AzureDatabase { name: name.to_owned(), status: "Online".to_owned() }
}

pub(super) fn azure_link(name: &str, group: &str, database: &str) -> AzureLink {
    AzureLink {
        name: name.to_owned(),
        group_id: None,
        partner_group: Some(format!("AG_{database}")),
        instance_group: Some(group.to_owned()),
        partner_endpoint: None,
        instance_role: Some(Role::Secondary),
        partner_role: Some(Role::Primary),
        failover_mode: Some(FailoverMode::TwoWay),
        seeding_mode: Some(SeedingMode::Automatic),
        commit_mode: Some(CommitMode::Asynchronous),
        link_mode: Some(LinkMode::SingleDatabase),
        databases: vec![AzureLinkDatabase {
            name: database.to_owned(),
            state: Some("LinkSynchronizing".to_owned()),
            seeding_progress: None,
            health: Some(Health::Healthy),
            connected: Some(true),
            hardened_lsn: Some("71000009408100001".parse().unwrap()),
            commit_time: Some(now()),
            error: None,
            send_lag_seconds: None,
            redo_lag_seconds: None,
            partner_certificate_expiry: None,
        }],
    }
}

/// A change to a world in which all is well, and what a check makes of it.
pub(super) struct Row {
    pub(super) check: &'static str,
    pub(super) change: fn(&mut World),
    pub(super) status: Status,
    pub(super) says: &'static str,
}

pub(super) fn row(check: &'static str, change: fn(&mut World), status: Status, says: &'static str) -> Row {
    Row { check, change, status, says }
}

impl Row {
    pub(super) fn world(&self) -> World {
        let mut world = World::new();
        (self.change)(&mut world);
        world
    }

    /// Among these findings, those of the check say what the row says.
    pub(super) fn prove(&self, findings: &[Finding]) -> Result<(), String> {
        let mine = || findings.iter().filter(|f| f.check == self.check);
        if mine().any(|f| f.status == self.status && f.seen.contains(self.says)) {
            return Ok(());
        }
        let found: Vec<String> = mine().map(|f| format!("{} {:?}", f.status, f.seen)).collect();
        Err(format!("{}: {} {:?} is wanted, found: {}", self.check, self.status, self.says, found.join("; ")))
    }
}
