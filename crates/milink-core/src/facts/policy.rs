//! The update policy of a managed instance, and which way data can flow.
//!
//! A copy is only ever upgraded: data flows to an equal or a newer database format, and comes back only from an equal one.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::version::{Minimum, Release};
use super::{Answer, Verdict};

/// `databaseFormat`: the database format that a managed instance is pinned to. A change goes upward only, and is permanent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum UpdatePolicy {
    /// The format of SQL Server 2022; the default.
    #[serde(rename = "SQLServer2022")]
    SqlServer2022,
    /// The format of SQL Server 2025.
    #[serde(rename = "SQLServer2025")]
    SqlServer2025,
    /// It runs ahead of every SQL Server: nothing can flow back.
    AlwaysUpToDate,
}

impl UpdatePolicy {
    /// All of them, each newer than the one before.
    pub const ALL: [UpdatePolicy; 3] =
        [UpdatePolicy::SqlServer2022, UpdatePolicy::SqlServer2025, UpdatePolicy::AlwaysUpToDate];

    /// As Azure writes it (`databaseFormat`).
    pub fn rest(self) -> &'static str {
        match self {
            UpdatePolicy::SqlServer2022 => "SQLServer2022",
            UpdatePolicy::SqlServer2025 => "SQLServer2025",
            UpdatePolicy::AlwaysUpToDate => "AlwaysUpToDate",
        }
    }

    /// The policy that Azure's word means; cases do not matter. A word that is not known is no policy.
    pub fn from_rest(word: &str) -> Option<UpdatePolicy> {
        UpdatePolicy::ALL.into_iter().find(|p| p.rest().eq_ignore_ascii_case(word))
    }

    /// The release of SQL Server whose format it is.
    pub fn release(self) -> Option<Release> {
        match self {
            UpdatePolicy::SqlServer2022 => Some(Release::V2022),
            UpdatePolicy::SqlServer2025 => Some(Release::V2025),
            UpdatePolicy::AlwaysUpToDate => None,
        }
    }
}

impl fmt::Display for UpdatePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            UpdatePolicy::SqlServer2022 => "SQL Server 2022",
            UpdatePolicy::SqlServer2025 => "SQL Server 2025",
            UpdatePolicy::AlwaysUpToDate => "always-up-to-date",
        })
    }
}

/// A row of the direction matrix: what a release can exchange with a managed instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Direction {
    /// The release of SQL Server.
    pub release: Release,
    /// Policies to which its databases can be copied or failed over.
    pub to_managed: &'static [UpdatePolicy],
    /// The one policy from which a database can come, or come back. `None`: there is no way back through a link.
    pub from_managed: Option<UpdatePolicy>,
    /// Where it is written.
    pub source: &'static str,
}

const SOURCE: &str = "Overview, version support; Update policy, compatibility with SQL Server";

/// The direction matrix, oldest release first.
pub const DIRECTIONS: &[Direction] = &[
    Direction { release: Release::V2016, to_managed: &UpdatePolicy::ALL, from_managed: None, source: SOURCE },
    Direction { release: Release::V2017, to_managed: &UpdatePolicy::ALL, from_managed: None, source: SOURCE },
    Direction { release: Release::V2019, to_managed: &UpdatePolicy::ALL, from_managed: None, source: SOURCE },
    Direction {
        release: Release::V2022,
        to_managed: &UpdatePolicy::ALL,
        from_managed: Some(UpdatePolicy::SqlServer2022),
        source: SOURCE,
    },
    Direction {
        release: Release::V2025,
        to_managed: &[UpdatePolicy::SqlServer2025, UpdatePolicy::AlwaysUpToDate],
        from_managed: Some(UpdatePolicy::SqlServer2025),
        source: SOURCE,
    },
];

/// The row of a release.
pub fn direction(release: Release) -> &'static Direction {
    let row = DIRECTIONS.iter().find(|d| d.release == release);
    row.expect("a test proves that each release has a row")
}

/// What is asked for where a managed instance does not tell its policy.
const NO_POLICY: &str =
    "the managed instance does not tell its update policy, which decides what formats it takes";

/// Whether a release's databases can be copied, and failed over, to an instance with this policy.
pub fn to_managed(release: Release, policy: Option<UpdatePolicy>) -> Verdict {
    let row = direction(release);
    let wanted = format!("update policy {}", list(row.to_managed));
    match policy {
        None => Verdict::new(Answer::Unknown, wanted, NO_POLICY, row.source),
        Some(policy) => Verdict::new(
            Answer::from_bool(row.to_managed.contains(&policy)),
            wanted,
            "a copy is only ever upgraded: an instance takes databases of its own format and of older ones (error 41984)",
            row.source,
        ),
    }
}

/// Whether an instance with this policy can send its databases to a release: to begin a link there, or to fail back.
///
/// The build matters too: [`super::version::can_start_from_managed`] and [`super::version::can_fail_back`] ask for both.
pub fn from_managed(release: Release, policy: Option<UpdatePolicy>) -> Verdict {
    let row = direction(release);
    match (row.from_managed, policy) {
        (None, _) => Verdict::new(
            Answer::No,
            "SQL Server 2022 or later".to_owned(),
            "nothing flows from a managed instance to SQL Server 2019 and earlier: a failover ends the link, and the way \
             back is transactional replication or a bacpac",
            row.source,
        ),
        (Some(wanted), None) => {
            Verdict::new(Answer::Unknown, format!("update policy {wanted}"), NO_POLICY, row.source)
        }
        (Some(wanted), Some(policy)) => Verdict::new(
            Answer::from_bool(wanted == policy),
            format!("update policy {wanted}"),
            "data comes back only from a managed instance whose format is exactly that of the SQL Server (errors 41984, \
             41988); the policy can be changed upward only, and for good",
            row.source,
        ),
    }
}

/// What has to be for the way back, in one line.
pub(crate) fn way_back(release: Release, minimum: &Minimum) -> String {
    match direction(release).from_managed {
        None => "no release before SQL Server 2022".to_owned(),
        Some(policy) => format!("{minimum}, and update policy {policy} on the managed instance"),
    }
}

fn list(policies: &[UpdatePolicy]) -> String {
    let names: Vec<String> = policies.iter().map(UpdatePolicy::to_string).collect();
    names.join(" or ")
}

#[cfg(test)]
mod tests {
    use super::super::sources::tests::check_source;
    use super::*;

    #[test]
    fn each_release_has_its_row_in_order() {
        let releases: Vec<Release> = DIRECTIONS.iter().map(|d| d.release).collect();
        assert_eq!(releases, Release::ALL);
        for d in DIRECTIONS {
            check_source(d.source, &d.release.to_string());
            assert!(d.to_managed.is_sorted() && !d.to_managed.is_empty());
        }
    }

    #[test]
    fn the_matrix_of_the_document() {
        use Release::*;
        use UpdatePolicy::*;
        let up = |r, p| to_managed(r, Some(p)).is_yes();
        let down = |r, p| from_managed(r, Some(p)).is_yes();
        for old in [V2016, V2017, V2019] {
            assert!(UpdatePolicy::ALL.into_iter().all(|p| up(old, p) && !down(old, p)), "{old}");
        }
        assert!(UpdatePolicy::ALL.into_iter().all(|p| up(V2022, p)));
        assert!(!up(V2025, SqlServer2022) && up(V2025, SqlServer2025) && up(V2025, AlwaysUpToDate));
        assert!(down(V2022, SqlServer2022) && !down(V2022, SqlServer2025) && !down(V2022, AlwaysUpToDate));
        assert!(down(V2025, SqlServer2025) && !down(V2025, SqlServer2022) && !down(V2025, AlwaysUpToDate));
    }

    #[test]
    fn an_untold_policy_is_unknown_and_not_a_yes() {
        assert_eq!(to_managed(Release::V2025, None).answer, Answer::Unknown);
        assert_eq!(from_managed(Release::V2022, None).answer, Answer::Unknown);
        assert_eq!(from_managed(Release::V2019, None).answer, Answer::No);
    }

    #[test]
    fn azure_s_words_round_trip() {
        for policy in UpdatePolicy::ALL {
            assert_eq!(UpdatePolicy::from_rest(policy.rest()), Some(policy));
            assert_eq!(serde_json::to_string(&policy).unwrap(), format!("\"{}\"", policy.rest()));
        }
        assert_eq!(UpdatePolicy::from_rest("sqlserver2025"), Some(UpdatePolicy::SqlServer2025));
        assert_eq!(UpdatePolicy::from_rest("SQLServer2028"), None);
    }
}
