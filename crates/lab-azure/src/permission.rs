//! Which permission each method on each target needs. This is the only table of permissions.

use crate::message::Method;
use crate::target::Target;

/// What a caller must be allowed to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Whoever has signed in may.
    Anybody,
    /// Whoever has this permission.
    Needs(String),
    /// Nobody can: there is no such method.
    Impossible,
}

impl Target {
    /// The permission that a method needs.
    pub(crate) fn action(&self, method: Method) -> Action {
        let sql = |kind: &str, verb: &str| Action::Needs(format!("Microsoft.Sql/{kind}/{verb}"));
        let instance = |kind: &str, verb: &str| sql(&format!("managedInstances{kind}"), verb);
        let own = |action: &str| Action::Needs(action.to_owned());
        match (self, method) {
            (Target::Metadata | Target::InstanceDiscovery | Target::OpenId { .. }, Method::Get) => {
                Action::Anybody
            }
            (Target::Keys { .. }, Method::Get) | (Target::Token { .. }, Method::Post) => Action::Anybody,
            // What somebody sees of these is his own.
            (Target::Tenants | Target::Subscriptions, Method::Get) => Action::Anybody,
            (Target::Subscription | Target::Locations | Target::Providers, Method::Get) => Action::Anybody,
            (Target::Provider(_), Method::Get) => Action::Anybody,
            (Target::RegisterProvider(namespace), Method::Post) => {
                own(&format!("{namespace}/register/action"))
            }
            (Target::Groups | Target::Group, Method::Get) => {
                own("Microsoft.Resources/subscriptions/resourceGroups/read")
            }
            (Target::Resources, Method::Get) => own("Microsoft.Resources/subscriptions/resources/read"),
            (Target::Permissions { .. }, Method::Get) => own("Microsoft.Authorization/permissions/read"),
            (Target::RoleAssignments { .. }, Method::Get) => {
                own("Microsoft.Authorization/roleAssignments/read")
            }
            (Target::RoleDefinitions { .. } | Target::RoleDefinition { .. }, Method::Get) => {
                own("Microsoft.Authorization/roleDefinitions/read")
            }
            (Target::Instances | Target::Instance, Method::Get) => instance("", "read"),
            (Target::Instance, Method::Put | Method::Patch) => instance("", "write"),
            (Target::Instance, Method::Delete) => instance("", "delete"),
            (Target::InstanceOperations | Target::InstanceOperation(_), Method::Get) => {
                instance("/operations", "read")
            }
            (Target::CancelOperation(_), Method::Post) => instance("/operations", "cancel/action"),
            (Target::Links | Target::Link(_), Method::Get) => {
                instance("/distributedAvailabilityGroups", "read")
            }
            (Target::Link(_), Method::Put | Method::Patch) => {
                instance("/distributedAvailabilityGroups", "write")
            }
            (Target::Link(_), Method::Delete) => instance("/distributedAvailabilityGroups", "delete"),
            (Target::FailOver(_), Method::Post) => {
                instance("/distributedAvailabilityGroups", "failover/action")
            }
            (Target::SetRole(_), Method::Post) => {
                instance("/distributedAvailabilityGroups", "setRole/action")
            }
            (Target::TrustCertificates | Target::TrustCertificate(_), Method::Get) => {
                instance("/serverTrustCertificates", "read")
            }
            (Target::TrustCertificate(_), Method::Put) => instance("/serverTrustCertificates", "write"),
            (Target::TrustCertificate(_), Method::Delete) => instance("/serverTrustCertificates", "delete"),
            (Target::EndpointCertificates | Target::EndpointCertificate(_), Method::Get) => {
                instance("/endpointCertificates", "read")
            }
            (Target::Databases | Target::Database(_), Method::Get) => instance("/databases", "read"),
            (Target::Database(_), Method::Put | Method::Patch) => instance("/databases", "write"),
            (Target::Database(_), Method::Delete) => instance("/databases", "delete"),
            (Target::RestoreDetails(_), Method::Get) => instance("/databases/restoreDetails", "read"),
            (Target::Status { family, .. }, Method::Get) => {
                sql(&format!("locations/{}", family.status_type()), "read")
            }
            (Target::Results { family, .. }, Method::Get) => {
                sql(&format!("locations/{}", family.results_type()), "read")
            }
            // They are refused for what they are, whoever asks.
            (Target::NotInLab(_) | Target::NoType { .. } | Target::Nothing, _) => Action::Anybody,
            (
                Target::Metadata
                | Target::InstanceDiscovery
                | Target::OpenId { .. }
                | Target::Keys { .. }
                | Target::Token { .. }
                | Target::Tenants
                | Target::Subscriptions
                | Target::Subscription
                | Target::Locations
                | Target::Groups
                | Target::Group
                | Target::Resources
                | Target::Providers
                | Target::Provider(_)
                | Target::RegisterProvider(_)
                | Target::Permissions { .. }
                | Target::RoleAssignments { .. }
                | Target::RoleDefinitions { .. }
                | Target::RoleDefinition { .. }
                | Target::Instances
                | Target::Instance
                | Target::InstanceOperations
                | Target::InstanceOperation(_)
                | Target::CancelOperation(_)
                | Target::Links
                | Target::Link(_)
                | Target::FailOver(_)
                | Target::SetRole(_)
                | Target::TrustCertificates
                | Target::TrustCertificate(_)
                | Target::EndpointCertificates
                | Target::EndpointCertificate(_)
                | Target::Databases
                | Target::Database(_)
                | Target::RestoreDetails(_)
                | Target::Status { .. }
                | Target::Results { .. },
                _,
            ) => Action::Impossible,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_method_has_its_permission() {
        let link = Target::Link("L".to_owned());
        let needs = |verb: &str| {
            Action::Needs(format!("Microsoft.Sql/managedInstances/distributedAvailabilityGroups/{verb}"))
        };
        assert_eq!(link.action(Method::Get), needs("read"));
        assert_eq!(link.action(Method::Patch), needs("write"));
        assert_eq!(link.action(Method::Post), Action::Impossible);
        assert_eq!(Target::FailOver("L".to_owned()).action(Method::Post), needs("failover/action"));
    }
}
