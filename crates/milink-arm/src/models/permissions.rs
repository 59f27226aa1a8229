//! What the caller may do, as far as can be seen: whether that allows an action, `milink_core::facts::rbac::granted` says. Deny assignments and locks do not show, so a refusal must still be
//! expected where this says yes.

use milink_core::facts::rbac::Permission;
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

impl PermissionEntry {
    /// The part by which [`milink_core::facts::rbac::granted`] judges.
    pub fn patterns(&self) -> Permission {
        Permission { actions: self.actions.clone(), not_actions: self.not_actions.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_that_are_null_are_empty() {
        let null: PermissionEntry = serde_json::from_str(r#"{"actions":null,"notActions":null}"#).unwrap();
        assert_eq!(null.patterns(), Permission::default());
    }
}
