//! Managed instances and their databases.

use serde::{Deserialize, Serialize};

use super::words::words;
use super::{Rest, or_empty, text};
use crate::ids::{InstanceId, NotAnId};

words! {
    /// The update policy: which format the instance's databases have. A newer one cannot go back.
    DatabaseFormat {
        AlwaysUpToDate = "AlwaysUpToDate",
        SqlServer2022 = "SQLServer2022",
        SqlServer2025 = "SQLServer2025",
    }
}

words! {
    /// Whether the instance is used as a licence-free passive replica.
    HybridUsage { Active = "Active", Passive = "Passive" }
}

words! {
    /// What a managed database is doing.
    DatabaseStatus {
        Online = "Online",
        Offline = "Offline",
        Shutdown = "Shutdown",
        Creating = "Creating",
        Inaccessible = "Inaccessible",
        Restoring = "Restoring",
        Updating = "Updating",
        Stopping = "Stopping",
        Stopped = "Stopped",
        Starting = "Starting",
        DbMoving = "DbMoving",
        DbCopying = "DbCopying",
    }
}

/// A managed instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ManagedInstance {
    /// Its id: the only place where a list says which group it is in.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its region.
    #[serde(default, deserialize_with = "or_empty")]
    pub location: String,
    /// Its size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sku: Option<Sku>,
    /// What is known of it.
    #[serde(default, deserialize_with = "or_empty")]
    pub properties: ManagedInstanceProperties,
    /// The rest.
    #[serde(flatten)]
    pub rest: Rest,
}

impl ManagedInstance {
    /// Its id.
    pub fn instance_id(&self) -> Result<InstanceId, NotAnId> {
        self.id.parse()
    }
}

/// A size that is paid for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sku {
    /// Such as `GP_Gen5`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Such as `GeneralPurpose`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// Such as `Gen5`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// Virtual cores.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<i64>,
    /// The rest.
    #[serde(flatten)]
    pub rest: Rest,
}

/// What is known of a managed instance.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManagedInstanceProperties {
    /// Where it is reached; the link's endpoint is the same host at port 5022.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fully_qualified_domain_name: Option<String>,
    /// The zone that it shares with its neighbours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_zone: Option<String>,
    /// Free text; `Ready` when it is usable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// `Created`, `InProgress`, `Succeeded`, `Failed`, `Canceled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provisioning_state: Option<String>,
    /// The update policy; absent in very old answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_format: Option<DatabaseFormat>,
    /// The server's collation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
    /// The server's time zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone_id: Option<String>,
    /// `LicenseIncluded` or `BasePrice`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license_type: Option<String>,
    /// Whether it is set to be a licence-free passive replica.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hybrid_secondary_usage: Option<HybridUsage>,
    /// Whether it is used as one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hybrid_secondary_usage_detected: Option<HybridUsage>,
    /// Next-generation General Purpose.
    #[serde(rename = "isGeneralPurposeV2", skip_serializing_if = "Option::is_none")]
    pub is_general_purpose_v2: Option<bool>,
    /// Virtual cores.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub v_cores: Option<i64>,
    /// Storage that is paid for.
    #[serde(rename = "storageSizeInGB", skip_serializing_if = "Option::is_none")]
    pub storage_size_in_gb: Option<i64>,
    /// Storage operations that are paid for.
    #[serde(rename = "storageIOps", skip_serializing_if = "Option::is_none")]
    pub storage_iops: Option<i64>,
    /// Memory that is paid for.
    #[serde(rename = "memorySizeInGB", skip_serializing_if = "Option::is_none")]
    pub memory_size_in_gb: Option<i64>,
    /// Whether it is reached from outside its network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_data_endpoint_enabled: Option<bool>,
    /// How it is reached: `Proxy`, `Redirect`, `Default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_override: Option<String>,
    /// The oldest TLS that it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimal_tls_version: Option<String>,
    /// The SQL administrator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub administrator_login: Option<String>,
    /// The directory's administrators, and whether only the directory counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub administrators: Option<serde_json::Value>,
    /// Its network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnet_id: Option<String>,
    /// The rest.
    #[serde(flatten)]
    pub rest: Rest,
}

/// A database of a managed instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ManagedDatabase {
    /// Its name.
    pub name: String,
    /// What is known of it.
    #[serde(default, deserialize_with = "or_empty")]
    pub properties: ManagedDatabaseProperties,
    /// The rest.
    #[serde(flatten)]
    pub rest: Rest,
}

/// What is known of a managed database.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManagedDatabaseProperties {
    /// What it is doing. That of a link is `Restoring` first, and `Online` then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<DatabaseStatus>,
    /// Its collation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creation_date: Option<String>,
    /// How far back it can be restored: absent until Azure's first backup.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub earliest_restore_point: Option<String>,
    /// The failover group that it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failover_group_id: Option<String>,
    /// The rest.
    #[serde(flatten)]
    pub rest: Rest,
}
