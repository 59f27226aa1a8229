//! Calls as REST: method, path, body. The bodies are those that Azure's own clients send.

use serde::Serialize;
use serde_json::{Value, json};

use crate::action::{ArmCall, FailoverType, HybridUsage, LinkBody, PublicKey, RoleChange};
use crate::names::{CommitMode, Hex, LinkMode, Role};

/// The version that has everything but links of several databases.
pub const API_VERSION: &str = "2025-01-01";
/// The version that has `linkMode`.
pub const MULTI_DATABASE_API_VERSION: &str = "2025-08-01-preview";

/// A call of Azure Resource Manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rest {
    /// The method.
    pub method: &'static str,
    /// The path under the managed instance's resource id, with names escaped; empty for the instance itself.
    pub path: String,
    /// `api-version`.
    pub api_version: &'static str,
    /// The body; `None` where there is none.
    pub body: Option<Value>,
}

/// What stands in a body for a public key that is not known yet.
pub const PUBLIC_KEY_VARIABLE: &str = "$(SqlServerCertificate)";

/// The call. `public` is the public key that the call names, resolved; without it the body has [`PUBLIC_KEY_VARIABLE`] in its place.
pub fn call(call: &ArmCall, public: Option<&Hex>) -> Rest {
    let rest = |method, path, body| Rest { method, path, api_version: API_VERSION, body };
    match call {
        ArmCall::PutTrustCertificate { name, public: key } => {
            let known = match key {
                PublicKey::Known { der } => Some(der),
                PublicKey::SqlServer { .. } | PublicKey::ManagedEndpoint | PublicKey::BundledRoot { .. } => {
                    None
                }
            };
            let blob = public.or(known).map_or_else(|| PUBLIC_KEY_VARIABLE.to_owned(), Hex::tsql);
            rest("PUT", trust(name), Some(json!({ "properties": { "publicBlob": blob } })))
        }
        ArmCall::DeleteTrustCertificate { name } => rest("DELETE", trust(name), None),
        ArmCall::PutLink { name, body } => Rest {
            api_version: match body.link_mode {
                LinkMode::SingleDatabase => API_VERSION,
                LinkMode::MultiDatabase => MULTI_DATABASE_API_VERSION,
            },
            ..rest("PUT", link(name, ""), Some(json!({ "properties": properties(body) })))
        },
        ArmCall::SetCommitMode { name, mode } => {
            rest("PATCH", link(name, ""), Some(json!({ "properties": { "replicationMode": mode.rest() } })))
        }
        ArmCall::SetDatabases { name, databases } => Rest {
            api_version: MULTI_DATABASE_API_VERSION,
            ..rest("PATCH", link(name, ""), Some(json!({ "properties": { "databases": list(databases) } })))
        },
        ArmCall::DeleteLink { name } => rest("DELETE", link(name, ""), None),
        ArmCall::Failover { name, kind } => {
            rest("POST", link(name, "/failover"), Some(json!({ "failoverType": failover_type(*kind) })))
        }
        ArmCall::SetRole { name, role, change } => rest(
            "POST",
            link(name, "/setRole"),
            Some(json!({ "instanceRole": role_word(*role), "roleChangeType": change_word(*change) })),
        ),
        ArmCall::SetHybridUsage { usage } => rest(
            "PATCH",
            String::new(),
            Some(json!({ "properties": { "hybridSecondaryUsage": usage_word(*usage) } })),
        ),
        ArmCall::DeleteDatabase { name } => rest("DELETE", format!("/databases/{}", escape(name)), None),
    }
}

/// In the order of the documents' example. `replicationMode` is left out where it is what it is anyway, and `linkMode` where it would need a
/// newer version.
fn properties(body: &LinkBody) -> Value {
    let mut out = json!({
        "databases": list(&body.databases),
        "instanceLinkRole": role_word(body.instance_role),
        "failoverMode": body.failover_mode.rest(),
        "seedingMode": body.seeding_mode.rest(),
        "partnerEndpoint": body.partner_endpoint,
        "partnerAvailabilityGroupName": body.partner_group,
        "instanceAvailabilityGroupName": body.instance_group,
    });
    if body.commit_mode == CommitMode::Synchronous {
        out["replicationMode"] = body.commit_mode.rest().into();
    }
    if body.link_mode == LinkMode::MultiDatabase {
        out["linkMode"] = body.link_mode.rest().into();
    }
    out
}

fn list(databases: &[String]) -> Vec<Value> {
    databases.iter().map(|d| json!({ "databaseName": d })).collect()
}

fn link(name: &str, action: &str) -> String {
    format!("/distributedAvailabilityGroups/{}{action}", escape(name))
}

fn trust(name: &str) -> String {
    format!("/serverTrustCertificates/{}", escape(name))
}

/// As Azure writes roles. A link has no other.
pub(super) fn role_word(role: Role) -> &'static str {
    match role {
        Role::Primary => "Primary",
        Role::Secondary | Role::Resolving => "Secondary",
    }
}

pub(super) fn failover_type(kind: FailoverType) -> &'static str {
    match kind {
        FailoverType::Planned => "Planned",
        FailoverType::ForcedAllowDataLoss => "ForcedAllowDataLoss",
    }
}

pub(super) fn change_word(change: RoleChange) -> &'static str {
    match change {
        RoleChange::Planned => "Planned",
        RoleChange::Forced => "Forced",
    }
}

pub(super) fn usage_word(usage: HybridUsage) -> &'static str {
    match usage {
        HybridUsage::Active => "Active",
        HybridUsage::Passive => "Passive",
    }
}

/// A name as a segment of a path (RFC 3986).
fn escape(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    name.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{FailoverMode, SeedingMode};

    fn body(link_mode: LinkMode) -> LinkBody {
        LinkBody {
            databases: vec!["db1".to_owned()],
            partner_group: "AG_db1".to_owned(),
            instance_group: "AG_db1_MI".to_owned(),
            partner_endpoint: "tcp://10.0.0.5:5022".to_owned(),
            instance_role: Role::Secondary,
            failover_mode: FailoverMode::TwoWay,
            seeding_mode: SeedingMode::Automatic,
            commit_mode: CommitMode::Asynchronous,
            link_mode,
        }
    }

    #[test]
    fn a_link_is_created_with_the_documents_body() {
        let put = |mode| call(&ArmCall::PutLink { name: "a b/c".to_owned(), body: body(mode) }, None);
        let single = put(LinkMode::SingleDatabase);
        assert_eq!((single.method, single.api_version), ("PUT", "2025-01-01"));
        assert_eq!(single.path, "/distributedAvailabilityGroups/a%20b%2Fc");
        assert_eq!(
            single.body.unwrap().to_string(),
            r#"{"properties":{"databases":[{"databaseName":"db1"}],"instanceLinkRole":"Secondary","failoverMode":"Manual","seedingMode":"Automatic","partnerEndpoint":"tcp://10.0.0.5:5022","partnerAvailabilityGroupName":"AG_db1","instanceAvailabilityGroupName":"AG_db1_MI"}}"#
        );
        let multi = put(LinkMode::MultiDatabase);
        assert_eq!(multi.api_version, "2025-08-01-preview");
        assert!(multi.body.unwrap().to_string().contains(r#""linkMode":"MultiDatabase""#));
    }

    #[test]
    fn role_changes_are_posts() {
        let name = "l".to_owned();
        let failover =
            call(&ArmCall::Failover { name: name.clone(), kind: FailoverType::ForcedAllowDataLoss }, None);
        assert_eq!(failover.body.unwrap().to_string(), r#"{"failoverType":"ForcedAllowDataLoss"}"#);
        let set = ArmCall::SetRole { name, role: Role::Primary, change: RoleChange::Forced };
        let set = call(&set, None);
        assert_eq!(set.path, "/distributedAvailabilityGroups/l/setRole");
        assert_eq!(set.body.unwrap().to_string(), r#"{"instanceRole":"Primary","roleChangeType":"Forced"}"#);
    }
}
