//! What a context says. Secrets are references: the type of their fields takes nothing else.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::connect::{AzureMethod, CloudName, EncryptWord, Method, SecretRef};

/// Where both sides and Azure are, under a name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Context {
    /// SQL Server's side.
    #[serde(skip_serializing_if = "ContextSide::is_empty")]
    pub(crate) sql_server: ContextSide,
    /// The managed instance's.
    #[serde(skip_serializing_if = "ContextSide::is_empty")]
    pub(crate) managed: ContextSide,
    /// Azure's.
    #[serde(skip_serializing_if = "ContextAzure::is_empty")]
    pub(crate) azure: ContextAzure,
}

/// One side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ContextSide {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<SecretRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) authentication: Option<Method>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) encrypt: Option<EncryptWord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trust_server_certificate: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) host_name_in_certificate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server_certificate: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) database: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) login_timeout_s: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) endpoint: Option<String>,
}

/// Azure.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ContextAzure {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) subscription: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) resource_group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) instance_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cloud: Option<CloudName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) arm_endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) authority: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ca_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) authentication: Option<AzureMethod>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tenant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_secret: Option<SecretRef>,
}

impl ContextSide {
    pub(super) fn is_empty(&self) -> bool {
        *self == ContextSide::default()
    }
}

impl ContextAzure {
    pub(super) fn is_empty(&self) -> bool {
        *self == ContextAzure::default()
    }
}
