//! Failover groups between instances: `Microsoft.Sql/locations/instanceFailoverGroups`.

use serde::{Deserialize, Serialize};

use super::{Rest, or_empty};

/// A failover group that instances of a region take part in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceFailoverGroup {
    /// Its name.
    pub name: String,
    /// What is known of it.
    #[serde(default, deserialize_with = "or_empty")]
    pub properties: InstanceFailoverGroupProperties,
    /// The rest.
    #[serde(flatten)]
    pub rest: Rest,
}

/// What is known of a failover group.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceFailoverGroupProperties {
    /// `Primary` or `Secondary`: the part of the region that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replication_role: Option<String>,
    /// What it is doing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replication_state: Option<String>,
    /// `Geo` or `Standby`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secondary_type: Option<String>,
    /// Who is in it.
    #[serde(default, deserialize_with = "or_empty")]
    pub managed_instance_pairs: Vec<ManagedInstancePair>,
    /// The rest.
    #[serde(flatten)]
    pub rest: Rest,
}

/// Two instances of a failover group, by id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManagedInstancePair {
    /// The primary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary_managed_instance_id: Option<String>,
    /// The other one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partner_managed_instance_id: Option<String>,
}
