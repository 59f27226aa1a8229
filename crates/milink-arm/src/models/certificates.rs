//! Certificates: the instance's own, and those of SQL Server's side that it trusts.

use std::fmt::Write as _;

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
    pub fn der(&self) -> Option<Vec<u8>> {
        from_hex(self.properties.public_blob.as_deref()?)
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
    pub fn der(&self) -> Option<Vec<u8>> {
        from_hex(self.properties.public_blob.as_deref()?)
    }
}

/// Reads hexadecimal text, with or without `0x`.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    let halves: Option<Vec<u8>> =
        digits.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(high << 4 | low),
        _ => None,
    };
    halves?.chunks(2).map(pair).collect()
}

/// Writes bytes as T-SQL and Azure take them: `0x` and uppercase digits.
pub fn to_hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 + bytes.len() * 2);
    text.push_str("0x");
    for byte in bytes {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02X}");
    }
    text
}
