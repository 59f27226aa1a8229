//! Certificates: the instance's own, and those of SQL Server's side that it trusts.

use milink_core::names::Hex;
use serde::{Deserialize, Serialize};

use super::{Rest, or_empty};

/// The public certificate of an endpoint of the instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndpointCertificate {
    /// The kind of endpoint: `DATABASE_MIRRORING`.
    pub name: String,
    /// The certificate.
    #[serde(default, deserialize_with = "or_empty")]
    pub properties: EndpointCertificateProperties,
    /// The rest.
    #[serde(flatten)]
    pub rest: Rest,
}

/// The certificate of an endpoint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointCertificateProperties {
    /// Hexadecimal DER.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_blob: Option<String>,
    /// The roots that it is checked against, in the form that Azure gives them; from 2025-08-01-preview on.
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "Vec::is_empty")]
    pub trusted_root_certificates: Vec<serde_json::Value>,
    /// The rest.
    #[serde(flatten)]
    pub rest: Rest,
}

impl EndpointCertificate {
    /// The DER bytes; `None` when there are none or when they are no hexadecimal text.
    pub fn der(&self) -> Option<Hex> {
        self.properties.public_blob.as_deref()?.parse().ok()
    }
}

/// A certificate of SQL Server's side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrustCertificate {
    /// The name that it was uploaded under.
    pub name: String,
    /// The certificate.
    #[serde(default, deserialize_with = "or_empty")]
    pub properties: TrustCertificateProperties,
    /// The rest.
    #[serde(flatten)]
    pub rest: Rest,
}

/// A certificate that the instance trusts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrustCertificateProperties {
    /// Hexadecimal DER, in answers without `0x`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_blob: Option<String>,
    /// The SHA-1 of the DER bytes, in uppercase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumbprint: Option<String>,
    /// What the instance calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_name: Option<String>,
    /// The rest.
    #[serde(flatten)]
    pub rest: Rest,
}

impl TrustCertificate {
    /// The DER bytes; `None` when there are none or when they are no hexadecimal text.
    pub fn der(&self) -> Option<Hex> {
        self.properties.public_blob.as_deref()?.parse().ok()
    }
}
