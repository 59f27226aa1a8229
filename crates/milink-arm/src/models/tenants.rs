//! Subscriptions and resource groups.

use serde::{Deserialize, Serialize};

use super::{Rest, or_empty};

/// A subscription that the caller may see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subscription {
    /// Its GUID.
    pub subscription_id: String,
    /// Its name.
    #[serde(default, deserialize_with = "or_empty")]
    pub display_name: String,
    /// `Enabled`, `Disabled`, `Warned`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The directory that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// The rest.
    #[serde(flatten)]
    pub rest: Rest,
}

/// A resource group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResourceGroup {
    /// Its name.
    pub name: String,
    /// Its region.
    #[serde(default, deserialize_with = "or_empty")]
    pub location: String,
    /// The rest.
    #[serde(flatten)]
    pub rest: Rest,
}
