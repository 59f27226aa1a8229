//! What `milink lab status` tells. The names and shapes are those that other programs rely on.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::faults::Fault;
use crate::settings::{Policy, Sample, Side, Version};

/// The version of the document.
pub(crate) const SCHEMA_VERSION: u32 = 1;

/// The whole document.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Raised when a name or a meaning changes.
    pub schema_version: u32,
    /// SQL Server.
    pub sqlserver: SqlServerStatus,
    /// The managed instance.
    pub managed: ManagedStatus,
    /// The local Azure.
    pub azure: AzureStatus,
    /// The lab itself.
    pub lab: LabStatus,
    /// The instances' processes.
    pub processes: Vec<ProcessStatus>,
    /// What went over the wire.
    pub wire: WireStatus,
    /// What is broken on purpose.
    pub faults: Vec<Fault>,
}

/// How to reach SQL Server.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SqlServerStatus {
    /// `host,port`, as clients of SQL Server write it.
    pub server: String,
    /// The login.
    pub user: String,
    /// Its password.
    pub password: String,
    /// The URL of its endpoint, for partners.
    pub endpoint: String,
}

/// How to reach the managed instance.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManagedStatus {
    /// `host,port`, as clients of SQL Server write it.
    pub server: String,
    /// The login.
    pub user: String,
    /// Its password.
    pub password: String,
    /// The URL of its endpoint, for partners.
    pub endpoint: String,
    /// The name that its certificate must have with partners.
    pub fqdn: String,
    /// Its resource in Azure.
    pub resource_id: String,
}

/// How to reach the local Azure.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AzureStatus {
    /// Azure Resource Manager.
    pub arm_endpoint: String,
    /// Who gives tokens.
    pub authority: String,
    /// The tenant.
    pub tenant_id: String,
    /// The subscription.
    pub subscription_id: String,
    /// The resource group.
    pub resource_group: String,
    /// The managed instance's name.
    pub instance_name: String,
    /// Who may sign in; the one that may do everything first.
    pub principals: Vec<Principal>,
    /// The certificate of the authority that vouches for the two endpoints.
    pub ca_file: PathBuf,
    /// The same together with those that this machine trusts: for variables that replace what a client trusts otherwise.
    pub ca_bundle_file: PathBuf,
}

/// Somebody who may sign in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Principal {
    /// What it is called.
    pub name: String,
    /// Its id.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// What it may do.
    pub role: String,
}

/// The lab itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LabStatus {
    /// Its folder.
    pub data: PathBuf,
    /// The supervisor's process.
    pub pid: u32,
    /// The program's version.
    pub milink_version: String,
    /// The release of SQL Server.
    pub version: Version,
    /// The update policy of the managed instance.
    pub policy: Policy,
    /// The sample database.
    pub sample: Sample,
    /// Since when it runs.
    pub started: String,
    /// How long the start took.
    pub ready_ms: u64,
    /// What can be restored.
    pub snapshots: Vec<String>,
}

/// An instance's process.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessStatus {
    /// Which instance.
    pub name: Side,
    /// `@@SERVERNAME`.
    pub server_name: String,
    /// `running`, `killed`, `stopped`, or `ended` if it did so by itself.
    pub state: String,
    /// Its process, while it runs.
    pub pid: Option<u32>,
    /// Why it ended by itself.
    pub reason: Option<String>,
    /// Its databases.
    pub data: PathBuf,
}

/// What went over the wire since the lab was started.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WireStatus {
    /// Bytes from SQL Server to the managed instance.
    pub to_managed_bytes: u64,
    /// Bytes from the managed instance to SQL Server.
    pub to_sqlserver_bytes: u64,
}

/// Seconds since 1970 as ISO 8601.
pub(crate) fn utc(seconds: u64) -> String {
    lab_azure::iso((seconds * 1000) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(1_709_251_199), "2024-02-29T23:59:59Z");
        assert_eq!(utc(1_795_593_600), "2026-11-25T08:00:00Z");
    }
}
