//! An instance, as it answers over TDS.

use serde::{Deserialize, Serialize};

use super::{Database, Group, Seeding, same_name};
use crate::facts::version::ServerVersion;
use crate::moment::Moment;
use crate::names::{Hex, Thumbprint};

/// An instance of SQL Server, or a managed instance, as it answers over TDS. `None` is what this login may not see, or this version does
/// not have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    /// `@@SERVERNAME`.
    pub server_name: String,
    /// `SERVERPROPERTY('ProductVersion')`.
    pub version: ServerVersion,
    /// `SERVERPROPERTY('Edition')`.
    pub edition: String,
    /// `SERVERPROPERTY('EngineEdition')`: 8 is a managed instance.
    pub engine_edition: i32,
    /// `SERVERPROPERTY('Collation')`.
    pub collation: String,
    /// `Windows` or `Linux` (`sys.dm_os_host_info`, 2017 and later).
    pub platform: Option<String>,
    /// Processors that it uses (`sys.dm_os_sys_info.cpu_count`).
    pub cpu_count: Option<u32>,
    /// Memory, in MiB (`sys.dm_os_sys_info.physical_memory_kb`).
    pub memory_mb: Option<u64>,
    /// `SERVERPROPERTY('InstanceDefaultBackupPath')` (2019 and later).
    pub backup_folder: Option<String>,
    /// `IS_SRVROLEMEMBER('sysadmin')`.
    pub is_sysadmin: Option<bool>,
    /// Permissions on the server (`sys.fn_my_permissions(NULL, 'SERVER')`).
    pub permissions: Vec<String>,
    /// `SERVERPROPERTY('IsHadrEnabled')`.
    pub hadr_enabled: Option<bool>,
    /// Trace flags that are on globally (`DBCC TRACESTATUS(-1)`).
    pub trace_flags: Option<Vec<u16>>,
    /// Whether `master` has a master key (`symmetric_key_id` 101).
    pub master_key: Option<bool>,
    /// Whether `sp_certificate_add_issuer` exists: a servicing update that links need brings it.
    pub can_add_issuers: Option<bool>,
    /// `EXEC sys.sp_multidb_milink`: whether multiple-database links are opted in; `None` where there is no such thing.
    pub multi_database: Option<bool>,
    /// Certificates of `master`.
    pub certificates: Option<Vec<Certificate>>,
    /// The database mirroring endpoint, of which an instance has one at most.
    pub endpoint: Option<Endpoint>,
    /// User databases.
    pub databases: Vec<Database>,
    /// Availability groups, distributed ones too.
    pub groups: Vec<Group>,
    /// Seedings of now and of lately.
    pub seedings: Vec<Seeding>,
    /// Agent jobs that back up logs, as far as their steps' text tells.
    pub log_backup_jobs: Option<Vec<Job>>,
    /// User sessions that are connected, by database.
    pub sessions: Option<Vec<(String, u32)>>,
}

impl Instance {
    /// Whether it is a managed instance.
    pub fn is_managed(&self) -> bool {
        self.engine_edition == 8
    }

    /// A database.
    pub fn database(&self, name: &str) -> Option<&Database> {
        self.databases.iter().find(|d| same_name(&d.name, name))
    }

    /// An availability group that is not distributed.
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|g| !g.distributed && same_name(&g.name, name))
    }

    /// A distributed availability group.
    pub fn distributed(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|g| g.distributed && same_name(&g.name, name))
    }

    /// A certificate by its name.
    pub fn certificate(&self, name: &str) -> Option<&Certificate> {
        self.certificates.iter().flatten().find(|c| same_name(&c.name, name))
    }

    /// A certificate by what it is.
    pub fn certificate_with(&self, thumbprint: &Thumbprint) -> Option<&Certificate> {
        self.certificates.iter().flatten().find(|c| c.thumbprint == *thumbprint)
    }

    /// The certificate that its endpoint shows to partners.
    pub fn endpoint_certificate(&self) -> Option<&Certificate> {
        self.endpoint.as_ref().and_then(|e| e.certificate.as_deref()).and_then(|name| self.certificate(name))
    }
}

/// A certificate of `master` (`sys.certificates`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Certificate {
    /// Its name.
    pub name: String,
    /// Its number, which `sp_certificate_add_issuer` wants.
    pub id: i32,
    /// Whom it names.
    pub subject: String,
    /// SHA-1 of its DER form.
    pub thumbprint: Thumbprint,
    /// From when it is valid.
    pub start: Option<Moment>,
    /// Until when it is valid.
    pub expiry: Option<Moment>,
    /// Whether the instance has its private key, encrypted by the master key (`MK`).
    pub private_key: bool,
    /// Its DER form (`CERTENCODED`).
    pub public: Hex,
    /// The DNS names that it vouches for as an issuer (`sp_certificate_add_issuer`); `None` where that cannot be seen.
    pub issuer_for: Option<Vec<String>>,
}

/// A database mirroring endpoint (`sys.database_mirroring_endpoints`, `sys.tcp_endpoints`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// Its name.
    pub name: String,
    /// `state_desc`: `STARTED`, `STOPPED` or `DISABLED`.
    pub state: String,
    /// `role_desc`: `ALL`, `PARTNER` or `WITNESS`.
    pub role: String,
    /// The port that it listens on.
    pub port: u16,
    /// `connection_auth_desc`: includes `CERTIFICATE` if certificates are taken.
    pub authentication: String,
    /// The name of its certificate.
    pub certificate: Option<String>,
    /// `is_encryption_enabled`.
    pub encrypted: bool,
    /// `encryption_algorithm_desc`: includes `AES`.
    pub algorithm: String,
}

/// An Agent job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Its name.
    pub name: String,
    /// Whether it runs by its schedule.
    pub enabled: bool,
    /// When it runs next.
    pub next_run: Option<Moment>,
}
