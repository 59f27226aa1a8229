//! What Azure knows of a managed instance and the instance itself does not: licence, size, tags. Nothing of it could disagree
//! with the instance.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The settings that PATCH changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct InstanceSettings {
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) license_type: String,
    pub(crate) hybrid_secondary_usage: String,
    pub(crate) v_cores: i64,
    pub(crate) storage_size_gb: i64,
    pub(crate) public_data_endpoint: bool,
    pub(crate) proxy_override: String,
    pub(crate) minimal_tls_version: String,
    /// Milliseconds since 1970.
    pub(crate) created_ms: i64,
}

impl Default for InstanceSettings {
    fn default() -> InstanceSettings {
        InstanceSettings {
            tags: BTreeMap::new(),
            license_type: "BasePrice".to_owned(),
            hybrid_secondary_usage: "Active".to_owned(),
            v_cores: 4,
            storage_size_gb: 256,
            public_data_endpoint: false,
            proxy_override: "Proxy".to_owned(),
            minimal_tls_version: "1.2".to_owned(),
            created_ms: 0,
        }
    }
}
