//! The link: `Microsoft.Sql/managedInstances/distributedAvailabilityGroups`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::words::words;
use super::{Rest, or_empty, text};
use crate::ids::{InstanceId, LinkId};

words! {
    /// Which part a side has in a link. `partnerLinkRole` is the instance's opinion of SQL Server's role, no more.
    LinkRole { Primary = "Primary", Secondary = "Secondary" }
}

words! {
    /// When a commit is acknowledged, in Azure's words.
    ReplicationMode { Async = "Async", Sync = "Sync" }
}

words! {
    /// Whether there is a way back.
    FailoverMode {
        /// One way, to Azure.
        None = "None",
        /// Both ways, SQL Server 2022 and later.
        Manual = "Manual",
    }
}

words! {
    /// How the first copy gets there.
    SeedingMode { Automatic = "Automatic", Manual = "Manual" }
}

words! {
    /// One database or several in one link.
    LinkMode { SingleDatabase = "SingleDatabase", MultiDatabase = "MultiDatabase" }
}

words! {
    /// Whether the copy of a database is well.
    SynchronizationHealth {
        NotHealthy = "NOT_HEALTHY",
        PartiallyHealthy = "PARTIALLY_HEALTHY",
        Healthy = "HEALTHY",
    }
}

words! {
    /// Whether the instance has a connection to its partner.
    ConnectedState { Disconnected = "DISCONNECTED", Connected = "CONNECTED" }
}

/// How a failover is asked for with `failover`. These words are not those of [`RoleChangeType`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FailoverType {
    /// Asked of the primary; nothing is lost.
    Planned,
    /// Asked of the secondary; what had not arrived is lost.
    ForcedAllowDataLoss,
}

/// How a change of roles is asked for with `setRole`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RoleChangeType {
    /// Nothing is lost.
    Planned,
    /// What had not arrived is lost.
    Forced,
}

/// A link as Azure describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// Its name; the only part of an answer that says which link it is.
    pub name: String,
    /// What the answer gave as its id. Old answers gave the instance's: use [`Link::link_id`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What is known of it.
    #[serde(default, deserialize_with = "or_empty")]
    pub properties: LinkProperties,
    /// The rest.
    #[serde(flatten)]
    pub rest: Rest,
}

impl Link {
    /// Its id, from the instance that was asked and its name.
    pub fn link_id(&self, instance: &InstanceId) -> LinkId {
        instance.link(&self.name)
    }
}

/// What is known of a link. A link that was created a moment ago may have next to nothing of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LinkProperties {
    /// The name of the distributed availability group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distributed_availability_group_name: Option<String>,
    /// Its GUID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distributed_availability_group_id: Option<String>,
    /// Synchronous or asynchronous.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replication_mode: Option<ReplicationMode>,
    /// SQL Server's side, as the instance sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partner_link_role: Option<LinkRole>,
    /// The group on SQL Server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partner_availability_group_name: Option<String>,
    /// Where SQL Server's endpoint is: `tcp://host:port`, as it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partner_endpoint: Option<String>,
    /// The instance's side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_link_role: Option<LinkRole>,
    /// The group on the instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_availability_group_name: Option<String>,
    /// One way or both. A link of several databases that goes one way does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failover_mode: Option<FailoverMode>,
    /// How the first copy is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seeding_mode: Option<SeedingMode>,
    /// One database or several. Only said from 2025-08-01-preview on: see [`crate::LinkView`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link_mode: Option<LinkMode>,
    /// The last error of the link as a whole; only from 2026-08-01-preview on.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub most_recent_error: Option<String>,
    /// When it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most_recent_error_time: Option<String>,
    /// What it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most_recent_error_message: Option<String>,
    /// Its databases.
    #[serde(default, deserialize_with = "or_empty")]
    pub databases: Vec<LinkDatabase>,
    /// The rest.
    #[serde(flatten)]
    pub rest: Rest,
}

/// One database of a link, as the instance sees it. LSNs are decimal text without separators; compare them as whole numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LinkDatabase {
    /// Its name.
    #[serde(default)]
    pub database_name: String,
    /// The replica on the instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_replica_id: Option<String>,
    /// The replica on SQL Server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partner_replica_id: Option<String>,
    /// Free text: `InitiatingLink`, `CreatingLink`, `LinkSynchronizing`, `LinkSynchronizationError`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replica_state: Option<String>,
    /// Such as `80%`.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub seeding_progress: Option<String>,
    /// Whether the copy is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub synchronization_health: Option<SynchronizationHealth>,
    /// Whether there is a connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connected_state: Option<ConnectedState>,
    /// How far the instance has received, as a secondary.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub last_received_lsn: Option<String>,
    /// When that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_received_time: Option<String>,
    /// How far the instance has sent, as a primary.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub last_sent_lsn: Option<String>,
    /// When that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_sent_time: Option<String>,
    /// The last commit.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub last_commit_lsn: Option<String>,
    /// When that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_commit_time: Option<String>,
    /// How far the log is hardened.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub last_hardened_lsn: Option<String>,
    /// When that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_hardened_time: Option<String>,
    /// The last backup's position.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub last_backup_lsn: Option<String>,
    /// When that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_backup_time: Option<String>,
    /// The number of the last error, as text: `41977`.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub most_recent_link_error: Option<String>,
    /// Until when SQL Server's certificate is good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partner_auth_cert_validity: Option<CertificateValidity>,
    /// Seconds behind in sending; -1 is unknown, or not this direction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_send_replication_lag_seconds: Option<i64>,
    /// Seconds behind in redo; -1 is unknown, or not this direction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_redo_replication_lag_seconds: Option<i64>,
    /// The rest.
    #[serde(flatten)]
    pub rest: Rest,
}

/// A certificate and its end. Both may be absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateValidity {
    /// The certificate's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_name: Option<String>,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiry_date: Option<String>,
    /// The rest.
    #[serde(flatten)]
    pub rest: Rest,
}

/// What a link is created with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LinkBody {
    /// The databases by name.
    pub databases: Vec<String>,
    /// The instance's part at the start.
    pub instance_link_role: LinkRole,
    /// `tcp://host:port` of SQL Server's endpoint.
    pub partner_endpoint: String,
    /// The group on SQL Server.
    pub partner_availability_group_name: String,
    /// The group on the instance.
    pub instance_availability_group_name: String,
    /// One way or both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failover_mode: Option<FailoverMode>,
    /// How the first copy is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeding_mode: Option<SeedingMode>,
    /// Synchronous or asynchronous. The Azure CLI leaves it to Azure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replication_mode: Option<ReplicationMode>,
    /// One database (also when absent) or several; several need a preview version, which is then asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_mode: Option<LinkMode>,
}

impl LinkBody {
    /// The body of the PUT.
    pub fn to_json(&self) -> Value {
        let mut properties = Map::new();
        let mut set = |name: &str, value: Value| properties.insert(name.to_owned(), value);
        set("databases", databases(&self.databases));
        set("instanceLinkRole", json!(self.instance_link_role));
        if let Some(mode) = &self.failover_mode {
            set("failoverMode", json!(mode));
        }
        if let Some(mode) = &self.seeding_mode {
            set("seedingMode", json!(mode));
        }
        if let Some(mode) = &self.replication_mode {
            set("replicationMode", json!(mode));
        }
        set("partnerEndpoint", json!(self.partner_endpoint));
        set("partnerAvailabilityGroupName", json!(self.partner_availability_group_name));
        set("instanceAvailabilityGroupName", json!(self.instance_availability_group_name));
        if let Some(mode) = &self.link_mode {
            set("linkMode", json!(mode));
        }
        json!({ "properties": properties })
    }
}

/// What may be changed of a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkPatch {
    /// The commit mode.
    ReplicationMode(ReplicationMode),
    /// The whole list of databases: one that is not in it leaves the link.
    Databases(Vec<String>),
}

impl LinkPatch {
    /// The body of the PATCH.
    pub fn to_json(&self) -> Value {
        match self {
            LinkPatch::ReplicationMode(mode) => json!({ "properties": { "replicationMode": mode } }),
            LinkPatch::Databases(names) => json!({ "properties": { "databases": databases(names) } }),
        }
    }
}

fn databases(names: &[String]) -> Value {
    names.iter().map(|name| json!({ "databaseName": name })).collect()
}
