//! Rights in Azure: which actions a link needs, and for what.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What somebody wants to do with a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// To see its state.
    Watch,
    /// To make one.
    Create,
    /// To change its commit mode or its databases.
    Update,
    /// To change roles.
    Failover,
    /// To remove one.
    Delete,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Purpose; 5] =
        [Purpose::Watch, Purpose::Create, Purpose::Update, Purpose::Failover, Purpose::Delete];
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Purpose::Watch => "watch",
            Purpose::Create => "create",
            Purpose::Update => "update",
            Purpose::Failover => "fail over",
            Purpose::Delete => "delete",
        })
    }
}

/// How sure it is that an action is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// The documented custom role has it, and a call about a link needs it.
    Documented,
    /// The documented custom role has it, and no call about a link needs it: a rest of the first versions, or for other ways of moving data.
    DocumentedOnly,
    /// The documented custom role lacks it, and a call about a link needs it.
    Added,
    /// The documented custom role lacks it, and it may be needed: nobody could confirm it.
    Unconfirmed,
}

impl Standing {
    /// Whether a check that finds it missing should stop what is wanted. What is not confirmed to be needed must not.
    pub fn is_required(self) -> bool {
        match self {
            Standing::Documented | Standing::Added => true,
            Standing::DocumentedOnly | Standing::Unconfirmed => false,
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Standing::Documented => "documented",
            Standing::DocumentedOnly => "documented, used by no call about a link",
            Standing::Added => "needed, not in the documented list",
            Standing::Unconfirmed => "perhaps needed",
        })
    }
}

/// An action of Azure's role-based access control.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Right {
    /// Its name, as role definitions write it.
    pub action: &'static str,
    /// What it is needed for.
    pub purposes: &'static [Purpose],
    /// How sure that is.
    pub standing: Standing,
    /// What it allows.
    pub what: &'static str,
    /// Where it is written.
    pub source: &'static str,
}

/// The built-in role that has them all.
pub const BUILT_IN_ROLE: &str = "SQL Managed Instance Contributor";
/// Its id.
pub const BUILT_IN_ROLE_ID: &str = "4939a1f6-9ae0-4e48-a1e0-f2cbe897382d";

const PERMISSIONS: &str = "Prepare, permissions";
const OPERATIONS: &str = "REST, operations";

const fn right(
    action: &'static str,
    purposes: &'static [Purpose],
    standing: Standing,
    what: &'static str,
    source: &'static str,
) -> Right {
    Right { action, purposes, standing, what, source }
}

/// All of them, sorted by action without case.
pub const RIGHTS: &[Right] = {
    use Purpose::*;
    use Standing::*;
    const ALL: &[Purpose] = &Purpose::ALL;
    const CHANGES: &[Purpose] = &[Create, Update, Failover, Delete];
    &[
        right(
            "Microsoft.Resources/subscriptions/resourceGroups/read",
            &[],
            Unconfirmed,
            "browse resource groups, to find an instance that was not named by its id",
            OPERATIONS,
        ),
        right(
            "Microsoft.Sql/locations/distributedAvailabilityGroupsAzureAsyncOperation/read",
            CHANGES,
            Unconfirmed,
            "follow an operation of a link to its end; Azure's signed addresses may be readable without",
            OPERATIONS,
        ),
        right(
            "Microsoft.Sql/locations/distributedAvailabilityGroupsOperationResults/read",
            CHANGES,
            Unconfirmed,
            "read the result of an operation of a link; Azure's signed addresses may be readable without",
            OPERATIONS,
        ),
        right(
            "Microsoft.Sql/locations/serverTrustCertificatesAzureAsyncOperation/read",
            &[Create, Delete],
            Unconfirmed,
            "follow the upload of a certificate to its end; Azure's signed addresses may be readable without",
            OPERATIONS,
        ),
        right(
            "Microsoft.Sql/locations/serverTrustCertificatesOperationResults/read",
            &[Create, Delete],
            Unconfirmed,
            "read the result of the upload of a certificate; Azure's signed addresses may be readable without",
            OPERATIONS,
        ),
        right(
            "Microsoft.Sql/managedInstances/databases/completeRestore/action",
            &[],
            DocumentedOnly,
            "end a log replay; links have none",
            PERMISSIONS,
        ),
        right(
            "Microsoft.Sql/managedInstances/databases/delete",
            &[],
            DocumentedOnly,
            "drop a database; a link's removal leaves both copies",
            PERMISSIONS,
        ),
        right(
            "Microsoft.Sql/managedInstances/databases/read",
            ALL,
            Documented,
            "see the databases: whether a name is free, how many there are, whether a copy is online",
            PERMISSIONS,
        ),
        right(
            "Microsoft.Sql/managedInstances/databases/readBackups/action",
            &[],
            DocumentedOnly,
            "list backups; that of a former secondary is looked for in msdb instead",
            PERMISSIONS,
        ),
        right(
            "Microsoft.Sql/managedInstances/databases/restoreDetails/read",
            &[],
            DocumentedOnly,
            "see the progress of a restore; links are seeded",
            PERMISSIONS,
        ),
        right(
            "Microsoft.Sql/managedInstances/databases/write",
            &[Create],
            Documented,
            "create the database that a link seeds",
            PERMISSIONS,
        ),
        right(
            "Microsoft.Sql/managedInstances/distributedAvailabilityGroups/addDatabases/action",
            &[Update],
            Unconfirmed,
            "add databases to a multiple-database link; it is done by an update, which needs write",
            OPERATIONS,
        ),
        right(
            "Microsoft.Sql/managedInstances/distributedAvailabilityGroups/delete",
            &[Delete],
            Documented,
            "delete a link",
            PERMISSIONS,
        ),
        right(
            "Microsoft.Sql/managedInstances/distributedAvailabilityGroups/failover/action",
            &[Failover],
            Added,
            "fail a link over by Azure's failover operation, an action of its own",
            OPERATIONS,
        ),
        right(
            "Microsoft.Sql/managedInstances/distributedAvailabilityGroups/read",
            ALL,
            Documented,
            "see links and their state",
            PERMISSIONS,
        ),
        right(
            "Microsoft.Sql/managedInstances/distributedAvailabilityGroups/removeDatabases/action",
            &[Update],
            Unconfirmed,
            "take databases out of a multiple-database link; it is done by an update, which needs write",
            OPERATIONS,
        ),
        right(
            "Microsoft.Sql/managedInstances/distributedAvailabilityGroups/setRole/action",
            &[Failover],
            Documented,
            "change the managed instance's role in a link",
            PERMISSIONS,
        ),
        right(
            "Microsoft.Sql/managedInstances/distributedAvailabilityGroups/write",
            &[Create, Update, Failover],
            Documented,
            "create a link, or change its commit mode or databases; a planned failover by hand makes it synchronous",
            PERMISSIONS,
        ),
        right(
            "Microsoft.Sql/managedInstances/endpointCertificates/read",
            &[Create],
            Documented,
            "read the certificate of the managed instance's endpoint, which SQL Server has to trust",
            PERMISSIONS,
        ),
        right(
            "Microsoft.Sql/managedInstances/hybridCertificate/action",
            &[],
            DocumentedOnly,
            "a name of the first private versions; no public call has it",
            PERMISSIONS,
        ),
        right(
            "Microsoft.Sql/managedInstances/hybridLink/delete",
            &[],
            DocumentedOnly,
            "a name of the first private versions; no public call has it",
            PERMISSIONS,
        ),
        right(
            "Microsoft.Sql/managedInstances/hybridLink/read",
            &[],
            DocumentedOnly,
            "a name of the first private versions; no public call has it",
            PERMISSIONS,
        ),
        right(
            "Microsoft.Sql/managedInstances/hybridLink/write",
            &[],
            DocumentedOnly,
            "a name of the first private versions; no public call has it",
            PERMISSIONS,
        ),
        right(
            "Microsoft.Sql/managedInstances/operations/read",
            CHANGES,
            Unconfirmed,
            "see whether an operation of the instance is running, before another is begun",
            OPERATIONS,
        ),
        right(
            "Microsoft.Sql/managedInstances/read",
            ALL,
            Documented,
            "see the instance: its state, update policy, tier and address",
            PERMISSIONS,
        ),
        right(
            "Microsoft.Sql/managedInstances/serverTrustCertificates/delete",
            &[Delete],
            Documented,
            "remove SQL Server's certificate when the last link is gone",
            PERMISSIONS,
        ),
        right(
            "Microsoft.Sql/managedInstances/serverTrustCertificates/read",
            &[Watch, Create, Delete],
            Documented,
            "see which certificates of SQL Servers the instance knows",
            PERMISSIONS,
        ),
        right(
            "Microsoft.Sql/managedInstances/serverTrustCertificates/write",
            &[Create],
            Documented,
            "upload SQL Server's certificate",
            PERMISSIONS,
        ),
        right(
            "Microsoft.Sql/managedInstances/write",
            &[],
            DocumentedOnly,
            "change the instance, such as its licence-free use as a passive replica",
            PERMISSIONS,
        ),
    ]
};

/// The rights that a purpose needs, those that are only perhaps needed included.
pub fn needed(purpose: Purpose) -> impl Iterator<Item = &'static Right> {
    RIGHTS.iter().filter(move |right| right.purposes.contains(&purpose))
}

/// The row of an action; cases do not matter.
pub fn right_of(action: &str) -> Option<&'static Right> {
    RIGHTS.iter().find(|right| right.action.eq_ignore_ascii_case(action))
}

/// An entry of what the caller may do at a scope, as Azure answers it (`.../Microsoft.Authorization/permissions`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Permission {
    /// Patterns of what is granted.
    #[serde(default)]
    pub actions: Vec<String>,
    /// Patterns of what is taken out of that again, of this entry alone.
    #[serde(default)]
    pub not_actions: Vec<String>,
}

/// Whether an action is granted as far as can be seen: by one entry that has it and does not take it out again. Deny assignments and locks do
/// not show there, so a refusal is still possible.
pub fn granted(permissions: &[Permission], action: &str) -> bool {
    let any = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, action));
    permissions.iter().any(|entry| any(&entry.actions) && !any(&entry.not_actions))
}

/// Whether a pattern of a role definition covers an action: `*` stands for any run of characters, slashes included; cases do not matter.
pub fn matches(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == action;
    };
    let Some(mut action) = action.strip_prefix(head) else {
        return false;
    };
    let (middle, tail) = rest.rsplit_once('*').map_or((None, rest), |(middle, tail)| (Some(middle), tail));
    // The earliest place is as good as any later one for what stands between two stars.
    for piece in middle.iter().flat_map(|m| m.split('*')) {
        match action.find(piece) {
            Some(at) => action = action.get(at + piece.len()..).unwrap_or(""),
            None => return false,
        }
    }
    action.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::sources::tests::check_source;
    use super::*;

    const DOCUMENTED: &[&str] = &[
        "read",
        "write",
        "hybridCertificate/action",
        "databases/read",
        "databases/delete",
        "databases/write",
        "databases/completeRestore/action",
        "databases/readBackups/action",
        "databases/restoreDetails/read",
        "distributedAvailabilityGroups/read",
        "distributedAvailabilityGroups/write",
        "distributedAvailabilityGroups/delete",
        "distributedAvailabilityGroups/setRole/action",
        "endpointCertificates/read",
        "hybridLink/read",
        "hybridLink/write",
        "hybridLink/delete",
        "serverTrustCertificates/read",
        "serverTrustCertificates/write",
        "serverTrustCertificates/delete",
    ];

    #[test]
    fn the_documented_list_is_there_and_nothing_else_is_called_documented() {
        for action in DOCUMENTED {
            let right = right_of(&format!("Microsoft.Sql/managedInstances/{action}")).unwrap();
            assert!(matches!(right.standing, Standing::Documented | Standing::DocumentedOnly), "{action}");
        }
        let documented = |r: &&Right| matches!(r.standing, Standing::Documented | Standing::DocumentedOnly);
        assert_eq!(RIGHTS.iter().filter(documented).count(), DOCUMENTED.len());
    }

    #[test]
    fn rows_are_sorted_and_whole() {
        assert!(RIGHTS.is_sorted_by(|a, b| a.action.to_lowercase() < b.action.to_lowercase()));
        for right in RIGHTS {
            check_source(right.source, right.action);
            assert!(!right.what.is_empty() && right.action.starts_with("Microsoft."));
            assert!(right.purposes.is_sorted(), "{}", right.action);
            // What is needed is needed for something.
            assert!(!right.standing.is_required() || !right.purposes.is_empty(), "{}", right.action);
        }
        for purpose in Purpose::ALL {
            assert!(needed(purpose).any(|r| r.standing.is_required()), "{purpose}");
        }
    }

    #[test]
    fn the_action_that_the_documented_role_lacks_is_named() {
        let added: Vec<&str> =
            needed(Purpose::Failover).filter(|r| r.standing == Standing::Added).map(|r| r.action).collect();
        assert_eq!(added, ["Microsoft.Sql/managedInstances/distributedAvailabilityGroups/failover/action"]);
    }

    #[test]
    fn patterns_cover_actions() {
        let action = "Microsoft.Sql/managedInstances/databases/read";
        for pattern in [
            "*",
            "*/read",
            "Microsoft.Sql/*",
            "microsoft.sql/managedinstances/*",
            "Microsoft.Sql/*/read",
            action,
            "*sql*/databases/*",
            "**",
            "Microsoft.Sql/*/databases/*ead",
        ] {
            assert!(matches(pattern, action), "{pattern}");
        }
        for pattern in [
            "",
            "*/write",
            "Microsoft.Sql/servers/*",
            "Microsoft.Sql/managedInstances/read",
            "*/read/*",
            "read",
        ] {
            assert!(!matches(pattern, action), "{pattern}");
        }
        // Two stars must not share characters.
        assert!(!matches("ab*ba", "aba") && matches("ab*ba", "abba"));
    }

    #[test]
    fn what_one_entry_takes_out_another_may_grant() {
        let action = "Microsoft.Sql/managedInstances/distributedAvailabilityGroups/write";
        let contributor = entry(&["*"], &["Microsoft.Sql/*/write"]);
        assert!(!granted(&[], action) && !granted(std::slice::from_ref(&contributor), action));
        assert!(granted(&[contributor, entry(&["Microsoft.Sql/managedInstances/*"], &[])], action));
    }

    #[test]
    fn azure_s_answer_is_read() {
        let text = r#"[{"actions":["*/read"],"notActions":[],"dataActions":[],"notDataActions":[]}]"#;
        let permissions: Vec<Permission> = serde_json::from_str(text).unwrap();
        assert!(granted(&permissions, "Microsoft.Sql/managedInstances/read"));
    }

    fn entry(actions: &[&str], not_actions: &[&str]) -> Permission {
        let owned = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect();
        Permission { actions: owned(actions), not_actions: owned(not_actions) }
    }

    /// The definition, without any cleverness.
    fn plainly(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], rest) => rest.is_empty(),
            ([b'*', rest @ ..], _) => (0..=text.len()).any(|n| plainly(rest, &text[n..])),
            ([p, rest @ ..], [c, more @ ..]) => p == c && plainly(rest, more),
            (_, []) => false,
        }
    }

    proptest! {
        #[test]
        fn as_the_definition_says(pattern in "[ab/*]{0,9}", text in "[ab/]{0,12}") {
            prop_assert_eq!(matches(&pattern, &text), plainly(pattern.as_bytes(), text.as_bytes()));
        }

        #[test]
        fn case_never_counts(action in "[a-zA-Z./]{1,30}", pattern in "[a-zA-Z./*]{1,12}") {
            let lower = granted(&[entry(&[&pattern.to_lowercase()], &[])], &action.to_uppercase());
            prop_assert_eq!(lower, granted(&[entry(&[&pattern.to_uppercase()], &[])], &action.to_lowercase()));
        }

        #[test]
        fn an_entry_never_allows_what_it_takes_back(action in "[a-c/]{1,12}", pattern in "[a-c/*]{1,6}", other in "[a-c/*]{1,6}") {
            let held = entry(&["*"], &[&pattern]);
            let taken = granted(&[entry(&[&pattern], &[])], &action);
            prop_assert_eq!(granted(std::slice::from_ref(&held), &action), !taken);
            // More entries never take anything away.
            if granted(std::slice::from_ref(&held), &action) {
                prop_assert!(granted(&[held, entry(&[], &[&other])], &action));
            }
        }
    }
}
