//! What a statement must know of the instance that it runs on. The caller fills it in.

use super::{DatabaseState, Group, LiveGroup, LiveState, Moment, same_name};

/// Who wants a statement carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A session.
    TSql,
    /// The service that owns a managed instance.
    Control,
}

/// Which product the instance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavor {
    /// SQL Server.
    SqlServer,
    /// Azure SQL Managed Instance.
    Managed,
}

/// `SERVERPROPERTY('ProductVersion')`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 16 is SQL Server 2022.
    pub major: u32,
    /// 0.
    pub minor: u32,
    /// 4125 is its cumulative update 13.
    pub build: u32,
    /// 3.
    pub revision: u32,
}

impl Version {
    /// `major.0.build.revision`.
    pub const fn new(major: u32, build: u32, revision: u32) -> Version {
        Version { major, minor: 0, build, revision }
    }

    /// Whether LISTENER_URL may have `;Server=[...]`: 2016 and 2017 need the Azure Connect pack, 2019 CU20.
    pub fn takes_server_in_url(self) -> bool {
        match self.major {
            0..=12 => false,
            13 => self >= Version::new(13, 7000, 253),
            14 => self >= Version::new(14, 3490, 10),
            15 => self >= Version::new(15, 4312, 2),
            16.. => true,
        }
    }

    /// Whether it may have `;Database=[...]`: a managed instance is the initial primary from 2022 CU10 on.
    pub fn takes_database_in_url(self) -> bool {
        self >= Version::new(16, 4095, 4)
    }

    /// Whether a link takes FAILOVER: from 2022 CU13 on.
    pub fn fails_over_links(self) -> bool {
        self >= Version::new(16, 4125, 0)
    }

    /// Whether there are groups without a cluster, and REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT: from 2017 on.
    pub fn knows_cluster_types(self) -> bool {
        self.major >= 14
    }
}

/// The database mirroring endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointState {
    /// There is none.
    Missing,
    /// STOPPED or DISABLED.
    Stopped,
    /// STARTED.
    Started,
}

/// `recovery_model`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// FULL.
    Full,
    /// BULK_LOGGED.
    BulkLogged,
    /// SIMPLE.
    Simple,
}

/// What must be known of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseFacts {
    /// Its name.
    pub name: String,
    /// `master`, `tempdb`, `model` or `msdb`.
    pub system: bool,
    /// `state`.
    pub state: DatabaseState,
    /// `recovery_model`.
    pub recovery: Recovery,
    /// There is a full backup, not COPY_ONLY, and the log since then is whole.
    pub log_chain: bool,
    /// `is_read_only`.
    pub read_only: bool,
    /// `user_access` is SINGLE_USER.
    pub single_user: bool,
    /// `is_auto_close_on`.
    pub auto_close: bool,
}

/// What a managed instance's owner allows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ManagedFacts {
    /// The link may change roles both ways (`failoverMode` is `Manual`); otherwise 41985.
    pub two_way: bool,
    /// Databases that the service cannot get at (41993).
    pub inaccessible: Vec<String>,
}

/// Everything that a statement asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Who wants it.
    pub origin: Origin,
    /// `@@SERVERNAME`.
    pub server: String,
    /// `SERVERPROPERTY('ProductVersion')`.
    pub version: Version,
    /// Which product.
    pub flavor: Flavor,
    /// `SERVERPROPERTY('IsHadrEnabled')`.
    pub hadr_enabled: bool,
    /// The host is a node of a Windows failover cluster. SQL Server 2016 has no groups without one; for it the lab says
    /// yes, for all others no.
    pub cluster_node: bool,
    /// The endpoint.
    pub endpoint: EndpointState,
    /// `sp_multidb_milink`.
    pub multiple_databases: bool,
    /// The databases.
    pub databases: Vec<DatabaseFacts>,
    /// The groups that other instances have this one in, and have said so: what JOIN takes over.
    pub offered: Vec<Group>,
    /// What is going on.
    pub live: LiveState,
    /// What holds on a managed instance.
    pub managed: ManagedFacts,
    /// Now.
    pub now: Moment,
}

impl Facts {
    /// The database of that name.
    pub fn database(&self, name: &str) -> Option<&DatabaseFacts> {
        self.databases.iter().find(|d| same_name(&d.name, name))
    }

    /// What is going on in a group.
    pub fn live(&self, group: &Group) -> Option<&LiveGroup> {
        self.live.groups.get(&group.id)
    }

    /// Whether this is a managed instance.
    pub fn is_managed(&self) -> bool {
        self.flavor == Flavor::Managed
    }
}
