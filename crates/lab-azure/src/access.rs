//! Who may do what: roles as Azure has them, and the principals that a lab has.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The actions that somebody needs who makes, watches, fails over and ends a link; of each there is a principal that lacks
/// just it. Those of `hybridCertificate` and `hybridLink` exist as permissions only.
pub(crate) const LINK_ACTIONS: [&str; 25] = [
    "Microsoft.Resources/subscriptions/resourceGroups/read",
    "Microsoft.Sql/managedInstances/read",
    "Microsoft.Sql/managedInstances/write",
    "Microsoft.Sql/managedInstances/operations/read",
    "Microsoft.Sql/managedInstances/hybridCertificate/action",
    "Microsoft.Sql/managedInstances/hybridLink/read",
    "Microsoft.Sql/managedInstances/hybridLink/write",
    "Microsoft.Sql/managedInstances/hybridLink/delete",
    "Microsoft.Sql/managedInstances/databases/read",
    "Microsoft.Sql/managedInstances/databases/write",
    "Microsoft.Sql/managedInstances/databases/delete",
    "Microsoft.Sql/managedInstances/databases/completeRestore/action",
    "Microsoft.Sql/managedInstances/databases/readBackups/action",
    "Microsoft.Sql/managedInstances/databases/restoreDetails/read",
    "Microsoft.Sql/managedInstances/distributedAvailabilityGroups/read",
    "Microsoft.Sql/managedInstances/distributedAvailabilityGroups/write",
    "Microsoft.Sql/managedInstances/distributedAvailabilityGroups/delete",
    "Microsoft.Sql/managedInstances/distributedAvailabilityGroups/setRole/action",
    "Microsoft.Sql/managedInstances/distributedAvailabilityGroups/failover/action",
    "Microsoft.Sql/managedInstances/endpointCertificates/read",
    "Microsoft.Sql/managedInstances/serverTrustCertificates/read",
    "Microsoft.Sql/managedInstances/serverTrustCertificates/write",
    "Microsoft.Sql/managedInstances/serverTrustCertificates/delete",
    "Microsoft.Sql/locations/distributedAvailabilityGroupsAzureAsyncOperation/read",
    "Microsoft.Authorization/permissions/read",
];

/// The built-in role "SQL Managed Instance Contributor".
const CONTRIBUTOR: [&str; 12] = [
    "Microsoft.Authorization/*/read",
    "Microsoft.Insights/alertRules/*",
    "Microsoft.Insights/metrics/read",
    "Microsoft.Insights/metricDefinitions/read",
    "Microsoft.Network/networkSecurityGroups/*",
    "Microsoft.Network/routeTables/*",
    "Microsoft.Network/virtualNetworks/*",
    "Microsoft.Resources/deployments/*",
    "Microsoft.Resources/subscriptions/resourceGroups/read",
    "Microsoft.Sql/locations/*/read",
    "Microsoft.Sql/managedInstances/*",
    "Microsoft.Support/*",
];
const CONTRIBUTOR_NOT: [&str; 2] = [
    "Microsoft.Sql/managedInstances/azureADOnlyAuthentications/delete",
    "Microsoft.Sql/managedInstances/azureADOnlyAuthentications/write",
];
pub(crate) const CONTRIBUTOR_ID: &str = "4939a1f6-9ae0-4e48-a1e0-f2cbe897382d";
pub(crate) const READER_ID: &str = "acdd72a7-3385-48ef-bd42-f606fba81ae7";

/// The custom role that the documentation of the link has its readers make. It is shorter than what the calls use: it lacks
/// `distributedAvailabilityGroups/failover/action`, and all that is not under the instance.
const DOCUMENTED: [&str; 20] = [
    "Microsoft.Sql/managedInstances/read",
    "Microsoft.Sql/managedInstances/write",
    "Microsoft.Sql/managedInstances/hybridCertificate/action",
    "Microsoft.Sql/managedInstances/databases/read",
    "Microsoft.Sql/managedInstances/databases/delete",
    "Microsoft.Sql/managedInstances/databases/write",
    "Microsoft.Sql/managedInstances/databases/completeRestore/action",
    "Microsoft.Sql/managedInstances/databases/readBackups/action",
    "Microsoft.Sql/managedInstances/databases/restoreDetails/read",
    "Microsoft.Sql/managedInstances/distributedAvailabilityGroups/read",
    "Microsoft.Sql/managedInstances/distributedAvailabilityGroups/write",
    "Microsoft.Sql/managedInstances/distributedAvailabilityGroups/delete",
    "Microsoft.Sql/managedInstances/distributedAvailabilityGroups/setRole/action",
    "Microsoft.Sql/managedInstances/endpointCertificates/read",
    "Microsoft.Sql/managedInstances/hybridLink/read",
    "Microsoft.Sql/managedInstances/hybridLink/write",
    "Microsoft.Sql/managedInstances/hybridLink/delete",
    "Microsoft.Sql/managedInstances/serverTrustCertificates/read",
    "Microsoft.Sql/managedInstances/serverTrustCertificates/write",
    "Microsoft.Sql/managedInstances/serverTrustCertificates/delete",
];
const DOCUMENTED_ID: &str = "1ab00000-0000-4000-8000-000000000200";

/// What a role allows: an action is granted if an entry has a pattern for it, and none that excepts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Permission {
    pub(crate) actions: Vec<String>,
    pub(crate) not_actions: Vec<String>,
}

/// What somebody is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum RoleKind {
    /// SQL Managed Instance Contributor, and Reader.
    Contributor,
    /// Reader.
    Reader,
    /// The documented custom role, and nothing else.
    Documented,
    /// All that a contributor may, but for one action.
    Without(String),
}

impl RoleKind {
    /// What it is called.
    pub(crate) fn title(&self) -> String {
        match self {
            RoleKind::Contributor => "SQL Managed Instance Contributor".to_owned(),
            RoleKind::Reader => "Reader".to_owned(),
            RoleKind::Documented => "Managed Instance link, as documented".to_owned(),
            RoleKind::Without(action) => format!("SQL Managed Instance Contributor without {action}"),
        }
    }

    /// The permissions of its assignments.
    pub(crate) fn permissions(&self) -> Vec<Permission> {
        let texts = |list: &[&str]| list.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>();
        let reader = Permission { actions: texts(&["*/read"]), not_actions: Vec::new() };
        match self {
            RoleKind::Reader => vec![reader],
            RoleKind::Documented => {
                vec![Permission { actions: texts(&DOCUMENTED), not_actions: Vec::new() }]
            }
            RoleKind::Contributor => {
                vec![
                    Permission { actions: texts(&CONTRIBUTOR), not_actions: texts(&CONTRIBUTOR_NOT) },
                    reader,
                ]
            }
            // One entry: what is excepted in one could be granted by another.
            RoleKind::Without(action) => {
                let actions = [texts(&CONTRIBUTOR), reader.actions].concat();
                let not_actions = [texts(&CONTRIBUTOR_NOT), vec![action.clone()]].concat();
                vec![Permission { actions, not_actions }]
            }
        }
    }

    /// Whether it allows an action.
    pub(crate) fn grants(&self, action: &str) -> bool {
        let any = |patterns: &[String]| patterns.iter().any(|p| matches(p, action));
        self.permissions().iter().any(|p| any(&p.actions) && !any(&p.not_actions))
    }

    /// The roles that it consists of: id of the definition and name.
    pub(crate) fn definitions(&self) -> Vec<(String, String)> {
        match self {
            RoleKind::Contributor => {
                vec![(CONTRIBUTOR_ID.to_owned(), self.title()), (READER_ID.to_owned(), "Reader".to_owned())]
            }
            RoleKind::Reader => vec![(READER_ID.to_owned(), self.title())],
            RoleKind::Documented => vec![(DOCUMENTED_ID.to_owned(), self.title())],
            RoleKind::Without(action) => {
                let place = LINK_ACTIONS.iter().position(|a| a == action).unwrap_or_default();
                vec![(format!("1ab00000-0000-4000-8000-0000000001{place:02x}"), self.title())]
            }
        }
    }
}

/// Whether a pattern covers an action: `*` is any run of characters, in any case.
pub(crate) fn matches(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_lowercase(), action.to_lowercase());
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = action.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    true
}

/// Somebody who can sign in.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) client_id: String,
    pub(crate) object_id: String,
    pub(crate) client_secret: String,
    pub(crate) kind: RoleKind,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account")
            .field("name", &self.name)
            .field("client_secret", &"***")
            .finish_non_exhaustive()
    }
}

/// The accounts that a lab has, by their names; the contributor is first.
pub(crate) fn cast() -> Vec<(String, RoleKind)> {
    let short = |action: &str| {
        let rest = action.split_once('/').map_or(action, |(_, rest)| rest);
        rest.trim_start_matches("managedInstances/").trim_start_matches("subscriptions/").replace('/', "-")
    };
    let without = LINK_ACTIONS
        .iter()
        .map(|action| (format!("without-{}", short(action)), RoleKind::Without((*action).to_owned())));
    let whole = [
        ("contributor".to_owned(), RoleKind::Contributor),
        ("reader".to_owned(), RoleKind::Reader),
        ("documented".to_owned(), RoleKind::Documented),
    ];
    whole.into_iter().chain(without).collect()
}

/// `Microsoft.Authorization/permissions` of somebody.
pub(crate) fn permissions(kind: &RoleKind) -> Value {
    let entry = |p: Permission| {
        json!({
            "actions": p.actions, "notActions": p.not_actions, "dataActions": [], "notDataActions": [],
        })
    };
    json!({"value": kind.permissions().into_iter().map(entry).collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_azure_matches_them() {
        for (pattern, action, expected) in [
            ("*", "a/b/c", true),
            ("*/read", "Microsoft.Sql/managedInstances/read", true),
            ("*/read", "Microsoft.Sql/managedInstances/write", false),
            ("Microsoft.Sql/locations/*/read", "microsoft.sql/LOCATIONS/x/y/read", true),
            ("Microsoft.Sql/locations/*/read", "Microsoft.Sql/locations/read", false),
            ("a/*/b/*/c", "a/1/b/2/c", true),
            ("a/*/b/*/c", "a/1/2/c", false),
            ("a/b", "a/b", true),
            ("a/b", "a/b/c", false),
            ("", "a", false),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(matches(pattern, action), expected, "{pattern} {action}");
        }
    }

    #[test]
    fn each_principal_lacks_just_its_action() {
        assert!(LINK_ACTIONS.iter().all(|a| RoleKind::Contributor.grants(a)));
        for lacking in LINK_ACTIONS {
            let kind = RoleKind::Without(lacking.to_owned());
            let missing: Vec<&str> = LINK_ACTIONS.iter().copied().filter(|a| !kind.grants(a)).collect();
            assert_eq!(missing, [lacking]);
        }
        let reads = LINK_ACTIONS.iter().filter(|a| RoleKind::Reader.grants(a));
        assert!(reads.clone().all(|a| a.ends_with("/read")) && reads.count() > 8);
    }

    #[test]
    fn the_documented_role_lacks_what_its_list_lacks() {
        let missing = LINK_ACTIONS.iter().copied().filter(|a| !RoleKind::Documented.grants(a));
        assert_eq!(
            missing.collect::<Vec<_>>(),
            [
                "Microsoft.Resources/subscriptions/resourceGroups/read",
                "Microsoft.Sql/managedInstances/operations/read",
                "Microsoft.Sql/managedInstances/distributedAvailabilityGroups/failover/action",
                "Microsoft.Sql/locations/distributedAvailabilityGroupsAzureAsyncOperation/read",
                "Microsoft.Authorization/permissions/read",
            ]
        );
        assert!(RoleKind::Contributor.grants("Microsoft.Sql/managedInstances/delete"));
        assert!(!RoleKind::Documented.grants("Microsoft.Sql/managedInstances/delete"));
    }

    #[test]
    fn names_are_different_and_the_contributor_is_first() {
        let cast = cast();
        let names: std::collections::BTreeSet<&String> = cast.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), cast.len());
        assert_eq!(cast[0].0, "contributor");
        assert_eq!(cast.len(), LINK_ACTIONS.len() + 3);
        assert!(cast.iter().any(|(n, _)| n == "without-distributedAvailabilityGroups-write"));
    }
}
