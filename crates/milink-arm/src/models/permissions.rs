//! What the caller may do, as far as can be seen. Deny assignments and locks do not show, so a refusal must still be
//! expected where this says yes.

use serde::{Deserialize, Serialize};

use super::{Rest, or_empty};

/// One entry of the caller's permissions on a scope.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PermissionEntry {
    /// Patterns of what is allowed.
    #[serde(default, deserialize_with = "or_empty")]
    pub actions: Vec<String>,
    /// Patterns of what this entry does not allow after all.
    #[serde(default, deserialize_with = "or_empty")]
    pub not_actions: Vec<String>,
    /// A condition; what it allows cannot be judged here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// The rest.
    #[serde(flatten)]
    pub rest: Rest,
}

/// Whether some one entry allows the action: by a pattern of its `actions`, and by no pattern of its own `notActions`.
pub fn granted(entries: &[PermissionEntry], action: &str) -> bool {
    let action = fold(action);
    let any = |patterns: &[String]| patterns.iter().any(|pattern| matches(&fold(pattern), &action));
    entries.iter().any(|entry| any(&entry.actions) && !any(&entry.not_actions))
}

fn fold(text: &str) -> Vec<char> {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// Whether a pattern, in which `*` is any run of characters (`/` too), fits a whole text. Greedy with one way back, so that
/// no pattern can make it slow.
fn matches(pattern: &[char], text: &[char]) -> bool {
    let (mut at, mut read) = (0, 0);
    // Where the last star was, and how much of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    while let Some(c) = text.get(read) {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(p) if p == c => {
                at += 1;
                read += 1;
            }
            Some(_) | None => match star {
                None => return false,
                Some((place, taken)) => {
                    star = Some((place, taken + 1));
                    at = place + 1;
                    read = taken + 1;
                }
            },
        }
    }
    pattern.get(at..).is_some_and(|rest| rest.iter().all(|p| *p == '*'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(actions: &[&str], not_actions: &[&str]) -> PermissionEntry {
        let owned = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect();
        PermissionEntry { actions: owned(actions), not_actions: owned(not_actions), ..Default::default() }
    }

    const FAILOVER: &str = "Microsoft.Sql/managedInstances/distributedAvailabilityGroups/failover/action";

    #[test]
    fn what_one_entry_takes_away_another_may_give() {
        let all_but = entry(&["*"], &["Microsoft.Sql/managedInstances/*/action"]);
        assert!(!granted(std::slice::from_ref(&all_but), FAILOVER));
        let more =
            entry(&["microsoft.sql/managedinstances/distributedavailabilitygroups/FAILOVER/action"], &[]);
        assert!(granted(&[all_but, more], FAILOVER));
    }

    #[test]
    fn stars_run_over_slashes_and_the_whole_must_fit() {
        for (pattern, fits) in [
            ("*", true),
            ("*/action", true),
            ("Microsoft.Sql/*", true),
            ("Microsoft.Sql/managedInstances/*/failover/*", true),
            ("*/read", false),
            ("Microsoft.Sql/managedInstances", false),
            ("", false),
            ("**action", true),
            ("*Sql/*Groups/failover/actio", false),
        ] {
            assert_eq!(granted(&[entry(&[pattern], &[])], FAILOVER), fits, "{pattern}");
        }
        assert!(!granted(&[], FAILOVER));
        let null: PermissionEntry = serde_json::from_str(r#"{"actions":null,"notActions":null}"#).unwrap();
        assert!(!granted(&[null], FAILOVER));
    }

    /// The definition, without any cleverness.
    fn plainly(pattern: &[char], text: &[char]) -> bool {
        match (pattern, text) {
            ([], rest) => rest.is_empty(),
            (['*', rest @ ..], _) => (0..=text.len()).any(|n| plainly(rest, &text[n..])),
            ([p, rest @ ..], [c, more @ ..]) => p == c && plainly(rest, more),
            (_, []) => false,
        }
    }

    proptest! {
        #[test]
        fn as_the_definition_says(pattern in "[ab/*]{0,9}", text in "[ab/]{0,12}") {
            prop_assert_eq!(matches(&fold(&pattern), &fold(&text)), plainly(&fold(&pattern), &fold(&text)));
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
