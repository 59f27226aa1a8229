//! What a path names. This is the only table of paths.

/// Which long-running operations an address of an operation belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Family {
    Links,
    TrustCertificates,
    Databases,
    Instances,
}

/// The families, by the first part of the names in their addresses.
const FAMILIES: [(Family, &str, &str); 4] = [
    (
        Family::Links,
        "distributedAvailabilityGroupsAzureAsyncOperation",
        "distributedAvailabilityGroupsOperationResults",
    ),
    (
        Family::TrustCertificates,
        "serverTrustCertificatesAzureAsyncOperation",
        "serverTrustCertificatesOperationResults",
    ),
    (Family::Databases, "managedDatabaseAzureAsyncOperation", "managedDatabaseOperationResults"),
    (Family::Instances, "managedInstanceAzureAsyncOperation", "managedInstanceOperationResults"),
];

impl Family {
    fn row(self) -> (&'static str, &'static str) {
        let found = FAMILIES.iter().find(|(family, ..)| *family == self);
        found.map_or(("", ""), |(_, status, results)| (status, results))
    }

    /// The type of the address that says how an operation stands.
    pub(crate) fn status_type(self) -> &'static str {
        self.row().0
    }

    /// The type of the address that gives its result.
    pub(crate) fn results_type(self) -> &'static str {
        self.row().1
    }
}

/// Where something is. What is not in the path is not there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) subscription: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) instance: Option<String>,
}

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    // Without a token.
    Metadata,
    InstanceDiscovery,
    OpenId {
        tenant: String,
        v2: bool,
    },
    Keys {
        tenant: String,
    },
    Token {
        tenant: String,
        v2: bool,
    },
    // Resource Manager's own.
    Tenants,
    Subscriptions,
    Subscription,
    Locations,
    Groups,
    Group,
    Resources,
    Providers,
    Provider(String),
    RegisterProvider(String),
    Permissions {
        scope: String,
    },
    RoleAssignments {
        scope: String,
    },
    RoleDefinitions {
        scope: String,
    },
    RoleDefinition {
        scope: String,
        id: String,
    },
    // Microsoft.Sql.
    Instances,
    Instance,
    InstanceOperations,
    InstanceOperation(String),
    CancelOperation(String),
    Links,
    Link(String),
    FailOver(String),
    SetRole(String),
    TrustCertificates,
    TrustCertificate(String),
    EndpointCertificates,
    EndpointCertificate(String),
    Databases,
    Database(String),
    RestoreDetails(String),
    Status {
        family: Family,
        id: String,
    },
    Results {
        family: Family,
        id: String,
    },
    /// Azure has it and the lab has not.
    NotInLab(String),
    /// No type of Microsoft.Sql, or of a provider that is not here.
    NoType {
        namespace: String,
        kind: String,
    },
    /// Nothing at all.
    Nothing,
}

/// Keywords of paths compare without case.
fn is(segment: &str, word: &str) -> bool {
    segment.eq_ignore_ascii_case(word)
}

/// What is asked for, and where.
pub(crate) fn parse(segments: &[String]) -> (Place, Target) {
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    let mut place = Place::default();
    let target = match parts.as_slice() {
        ["metadata", "endpoints"] => Target::Metadata,
        [_, "discovery", "instance"] => Target::InstanceDiscovery,
        [tenant, "v2.0", ".well-known", "openid-configuration"] => {
            Target::OpenId { tenant: (*tenant).to_owned(), v2: true }
        }
        [tenant, ".well-known", "openid-configuration"] => {
            Target::OpenId { tenant: (*tenant).to_owned(), v2: false }
        }
        [tenant, "discovery", "keys"] | [tenant, "discovery", "v2.0", "keys"] => {
            Target::Keys { tenant: (*tenant).to_owned() }
        }
        [tenant, "oauth2", "v2.0", "token"] => Target::Token { tenant: (*tenant).to_owned(), v2: true },
        [tenant, "oauth2", "token"] => Target::Token { tenant: (*tenant).to_owned(), v2: false },
        [t] if is(t, "tenants") => Target::Tenants,
        [p] if is(p, "providers") => Target::Providers,
        [s] if is(s, "subscriptions") => Target::Subscriptions,
        [s, id, rest @ ..] if is(s, "subscriptions") => {
            place.subscription = Some((*id).to_owned());
            in_subscription(&mut place, segments, rest)
        }
        _ => Target::Nothing,
    };
    (place, target)
}

fn in_subscription(place: &mut Place, all: &[String], rest: &[&str]) -> Target {
    match rest {
        [] => Target::Subscription,
        [l] if is(l, "locations") => Target::Locations,
        [g] if is(g, "resourceGroups") => Target::Groups,
        [r] if is(r, "resources") => Target::Resources,
        [p] if is(p, "providers") => Target::Providers,
        [p, namespace] if is(p, "providers") => Target::Provider((*namespace).to_owned()),
        [p, namespace, r] if is(p, "providers") && is(r, "register") => {
            Target::RegisterProvider((*namespace).to_owned())
        }
        [g, name, rest @ ..] if is(g, "resourceGroups") => {
            place.group = Some((*name).to_owned());
            match rest {
                [] => Target::Group,
                [r] if is(r, "resources") => Target::Resources,
                [p, namespace, rest @ ..] if is(p, "providers") => in_provider(place, all, namespace, rest),
                _ => Target::Nothing,
            }
        }
        [p, namespace, rest @ ..] if is(p, "providers") => in_provider(place, all, namespace, rest),
        _ => Target::Nothing,
    }
}

/// The path of what an extension like `Microsoft.Authorization` is asked of.
fn scope(all: &[String], behind: usize) -> String {
    let before = all.len().saturating_sub(behind);
    format!("/{}", all.iter().take(before).map(String::as_str).collect::<Vec<_>>().join("/"))
}

fn in_provider(place: &mut Place, all: &[String], namespace: &str, rest: &[&str]) -> Target {
    if is(namespace, "Microsoft.Authorization") {
        return authorization(all, rest);
    }
    if !is(namespace, "Microsoft.Sql") {
        return Target::NoType { namespace: namespace.to_owned(), kind: kind_of(rest) };
    }
    match rest {
        [l, _, kind, id] if is(l, "locations") => {
            let of = |name: fn(Family) -> &'static str| {
                FAMILIES.iter().map(|(family, ..)| *family).find(|f| is(kind, name(*f)))
            };
            let id = (*id).to_owned();
            match (of(Family::status_type), of(Family::results_type)) {
                (Some(family), _) => Target::Status { family, id },
                (None, Some(family)) => Target::Results { family, id },
                (None, None) => Target::NoType { namespace: "Microsoft.Sql".to_owned(), kind: kind_of(rest) },
            }
        }
        [l, _, "capabilities"] if is(l, "locations") => {
            Target::NotInLab("Microsoft.Sql/locations/capabilities".to_owned())
        }
        [i] if is(i, "managedInstances") => Target::Instances,
        [i, name, rest @ ..] if is(i, "managedInstances") && place.group.is_some() => {
            place.instance = Some((*name).to_owned());
            in_instance(all, rest)
        }
        _ => Target::NoType { namespace: "Microsoft.Sql".to_owned(), kind: kind_of(rest) },
    }
}

/// The types of a path, without the names between them.
fn kind_of(rest: &[&str]) -> String {
    rest.iter().step_by(2).copied().collect::<Vec<_>>().join("/")
}

fn authorization(all: &[String], rest: &[&str]) -> Target {
    let scope = scope(all, rest.len() + 2);
    match rest {
        [p] if is(p, "permissions") => Target::Permissions { scope },
        [r] if is(r, "roleAssignments") => Target::RoleAssignments { scope },
        [r] if is(r, "roleDefinitions") => Target::RoleDefinitions { scope },
        [r, id] if is(r, "roleDefinitions") => Target::RoleDefinition { scope, id: (*id).to_owned() },
        _ => Target::NoType { namespace: "Microsoft.Authorization".to_owned(), kind: kind_of(rest) },
    }
}

fn in_instance(all: &[String], rest: &[&str]) -> Target {
    let named = |name: &str, target: fn(String) -> Target| target(name.to_owned());
    match rest {
        [] => Target::Instance,
        [p, namespace, rest @ ..] if is(p, "providers") && is(namespace, "Microsoft.Authorization") => {
            authorization(all, rest)
        }
        [o] if is(o, "operations") => Target::InstanceOperations,
        [o, id] if is(o, "operations") => named(id, Target::InstanceOperation),
        [o, id, c] if is(o, "operations") && is(c, "cancel") => named(id, Target::CancelOperation),
        [l] if is(l, "distributedAvailabilityGroups") => Target::Links,
        [l, name] if is(l, "distributedAvailabilityGroups") => named(name, Target::Link),
        [l, name, f] if is(l, "distributedAvailabilityGroups") && is(f, "failover") => {
            named(name, Target::FailOver)
        }
        [l, name, s] if is(l, "distributedAvailabilityGroups") && is(s, "setRole") => {
            named(name, Target::SetRole)
        }
        [l, name, p, namespace, rest @ ..]
            if is(l, "distributedAvailabilityGroups")
                && !name.is_empty()
                && is(p, "providers")
                && is(namespace, "Microsoft.Authorization") =>
        {
            authorization(all, rest)
        }
        [c] if is(c, "serverTrustCertificates") => Target::TrustCertificates,
        [c, name] if is(c, "serverTrustCertificates") => named(name, Target::TrustCertificate),
        [c] if is(c, "endpointCertificates") => Target::EndpointCertificates,
        [c, name] if is(c, "endpointCertificates") => named(name, Target::EndpointCertificate),
        [d] if is(d, "databases") => Target::Databases,
        [d, name] if is(d, "databases") => named(name, Target::Database),
        [d, name, r, "default"] if is(d, "databases") && is(r, "restoreDetails") => {
            named(name, Target::RestoreDetails)
        }
        [d, _, c] if is(d, "databases") && is(c, "completeRestore") => {
            Target::NotInLab("Microsoft.Sql/managedInstances/databases/completeRestore".to_owned())
        }
        [action] if ["failover", "start", "stop"].iter().any(|a| is(action, a)) => {
            Target::NotInLab(format!("Microsoft.Sql/managedInstances/{}", action.to_lowercase()))
        }
        _ => {
            let kind = format!("managedInstances/{}", kind_of(rest));
            Target::NoType { namespace: "Microsoft.Sql".to_owned(), kind }
        }
    }
}

impl Target {
    /// Whether it is asked without a token.
    pub(crate) fn is_open(&self) -> bool {
        matches!(
            self,
            Target::Metadata
                | Target::InstanceDiscovery
                | Target::OpenId { .. }
                | Target::Keys { .. }
                | Target::Token { .. }
        )
    }

    /// The type of Microsoft.Sql, where it is one.
    pub(crate) fn sql_type(&self) -> Option<&'static str> {
        Some(match self {
            Target::Instances | Target::Instance => "managedInstances",
            Target::InstanceOperations | Target::InstanceOperation(_) | Target::CancelOperation(_) => {
                "managedInstances/operations"
            }
            Target::Links | Target::Link(_) | Target::FailOver(_) | Target::SetRole(_) => {
                "managedInstances/distributedAvailabilityGroups"
            }
            Target::TrustCertificates | Target::TrustCertificate(_) => {
                "managedInstances/serverTrustCertificates"
            }
            Target::EndpointCertificates | Target::EndpointCertificate(_) => {
                "managedInstances/endpointCertificates"
            }
            Target::Databases | Target::Database(_) => "managedInstances/databases",
            Target::RestoreDetails(_) => "managedInstances/databases/restoreDetails",
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Method, Request};

    fn at(path: &str) -> (Place, Target) {
        parse(&Request::new(Method::Get, path, String::new()).segments)
    }

    const MI: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Sql/managedInstances/m";

    #[test]
    fn paths_name_what_they_name_in_any_case() {
        for path in [
            format!("{MI}/distributedAvailabilityGroups/L"),
            format!("{}/DISTRIBUTEDAVAILABILITYGROUPS/L", MI.to_lowercase()),
            format!("{MI}/distributedAvailabilityGroups/L/"),
        ] {
            let (place, target) = at(&path);
            assert_eq!(target, Target::Link("L".to_owned()), "{path}");
            assert_eq!(place.instance.as_deref(), Some("m"));
            assert_eq!((place.subscription.as_deref(), place.group.as_deref()), (Some("s"), Some("g")));
        }
        assert_eq!(at("/tenants").1, Target::Tenants);
        assert_eq!(at("/subscriptions/s/resourcegroups/g").1, Target::Group);
        assert_eq!(at("/").1, Target::Nothing);
        // As a client asks that was given no name of an instance.
        let (place, target) = at(
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Sql/managedInstances/distributedAvailabilityGroups/L",
        );
        assert_eq!(place.instance.as_deref(), Some("distributedAvailabilityGroups"));
        assert!(matches!(target, Target::NoType { .. }));
        let scope = format!("{MI}/distributedAvailabilityGroups/L");
        assert_eq!(
            at(&format!("{scope}/providers/Microsoft.Authorization/permissions")).1,
            Target::Permissions { scope }
        );
        assert_eq!(
            at("/subscriptions/s/resourceGroups/g/providers/Microsoft.Sql/locations/l/serverTrustCertificatesOperationResults/i").1,
            Target::Results { family: Family::TrustCertificates, id: "i".to_owned() }
        );
    }
}
