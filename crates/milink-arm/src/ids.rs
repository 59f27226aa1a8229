//! The names of things in Azure. They compare without case, as Resource Manager does, and keep the spelling they came in.
//!
//! Ids are built from the parent and the name. What an answer says in `id` is never trusted: until autumn 2024 the `id` of
//! a link was that of its instance.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that is no id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAnId {
    /// What was wanted.
    pub wanted: &'static str,
    /// What there was.
    pub text: String,
}

impl fmt::Display for NotAnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is not {}", self.text, self.wanted)
    }
}

impl std::error::Error for NotAnId {}

/// A subscription: a GUID.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SubscriptionId(String);

/// A resource group of a subscription.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResourceGroupId {
    /// Where it is.
    pub subscription: SubscriptionId,
    /// Its name.
    pub name: String,
}

/// A managed instance.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InstanceId {
    /// The subscription that it is in.
    pub subscription: SubscriptionId,
    /// The resource group that it is in.
    pub resource_group: String,
    /// Its name, without the zone.
    pub name: String,
}

/// A link, as Azure knows it: a distributed availability group of a managed instance.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LinkId {
    /// The instance that it belongs to.
    pub instance: InstanceId,
    /// Its name.
    pub name: String,
}

/// A database of a managed instance.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DatabaseId {
    /// The instance that it belongs to.
    pub instance: InstanceId,
    /// Its name.
    pub name: String,
}

/// What a permission is asked on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// A whole subscription.
    Subscription(SubscriptionId),
    /// A resource group; it can be asked before the instance exists.
    ResourceGroup(ResourceGroupId),
    /// An instance.
    Instance(InstanceId),
}

impl SubscriptionId {
    /// Reads a GUID, or a path that begins with `/subscriptions/GUID`.
    pub fn parse(text: &str) -> Result<SubscriptionId, NotAnId> {
        let wrong = || NotAnId { wanted: "a subscription's id (a GUID)", text: text.to_owned() };
        let guid = match text.strip_prefix('/') {
            None => text,
            Some(_) => match parts(text).as_deref() {
                Some([(kind, guid)]) if same(kind, "subscriptions") => guid,
                _ => return Err(wrong()),
            },
        };
        is_guid(guid).then(|| SubscriptionId(guid.to_owned())).ok_or_else(wrong)
    }

    /// The GUID.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A resource group in it.
    pub fn group(&self, name: impl Into<String>) -> ResourceGroupId {
        ResourceGroupId { subscription: self.clone(), name: name.into() }
    }
}

impl ResourceGroupId {
    /// An instance in it.
    pub fn instance(&self, name: impl Into<String>) -> InstanceId {
        InstanceId {
            subscription: self.subscription.clone(),
            resource_group: self.name.clone(),
            name: name.into(),
        }
    }
}

impl InstanceId {
    /// From its three names.
    pub fn new(
        subscription: SubscriptionId,
        resource_group: impl Into<String>,
        name: impl Into<String>,
    ) -> InstanceId {
        InstanceId { subscription, resource_group: resource_group.into(), name: name.into() }
    }

    /// The resource group that it is in.
    pub fn group(&self) -> ResourceGroupId {
        self.subscription.group(&self.resource_group)
    }

    /// A link of it.
    pub fn link(&self, name: impl Into<String>) -> LinkId {
        LinkId { instance: self.clone(), name: name.into() }
    }

    /// A database of it.
    pub fn database(&self, name: impl Into<String>) -> DatabaseId {
        DatabaseId { instance: self.clone(), name: name.into() }
    }
}

/// The pairs of a path, `/kind/name/kind/name`; `None` when it is no such path.
fn parts(text: &str) -> Option<Vec<(&str, &str)>> {
    let segments: Vec<&str> = text.strip_prefix('/')?.trim_end_matches('/').split('/').collect();
    let pairs = segments.chunks(2).map(|pair| match pair {
        [kind, name] if !kind.is_empty() && is_name(name) => Some((*kind, *name)),
        _ => None,
    });
    pairs.collect()
}

/// Whether a text may be one segment of a path. What Azure allows in which name is for Azure to judge; here it only must
/// not become another path.
pub(crate) fn is_name(text: &str) -> bool {
    let strange = |c: char| c.is_control() || matches!(c, '/' | '\\' | '?' | '#' | '%');
    !text.is_empty() && text.len() <= 260 && text != "." && text != ".." && !text.contains(strange)
}

fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

fn same(a: &str, b: &str) -> bool {
    folded(a).eq(folded(b))
}

fn folded(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().flat_map(char::to_lowercase)
}

/// Pulls an id out of the pairs of a path, whose words must be these.
fn wanted<'a, const N: usize>(
    text: &'a str,
    words: [&str; N],
    wanted: &'static str,
) -> Result<[&'a str; N], NotAnId> {
    let wrong = || NotAnId { wanted, text: text.to_owned() };
    let pairs = parts(text).ok_or_else(wrong)?;
    let fits = pairs.len() == N && pairs.iter().zip(words).all(|((kind, _), word)| same(kind, word));
    let names: Vec<&str> = pairs.iter().map(|(_, name)| *name).collect();
    if fits { names.try_into().map_err(|_| wrong()) } else { Err(wrong()) }
}

const PROVIDER: &str = "Microsoft.Sql";

fn instance_of(
    subscription: &str,
    group: &str,
    provider: &str,
    name: &str,
    wrong: impl Fn() -> NotAnId,
) -> Result<InstanceId, NotAnId> {
    let subscription = SubscriptionId::parse(subscription).map_err(|_| wrong())?;
    if same(provider, PROVIDER) { Ok(InstanceId::new(subscription, group, name)) } else { Err(wrong()) }
}

impl FromStr for SubscriptionId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<SubscriptionId, NotAnId> {
        SubscriptionId::parse(text)
    }
}

impl FromStr for ResourceGroupId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<ResourceGroupId, NotAnId> {
        let what = "a resource group's id";
        let [subscription, name] = wanted(text, ["subscriptions", "resourceGroups"], what)?;
        Ok(SubscriptionId::parse(subscription)?.group(name))
    }
}

impl FromStr for InstanceId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<InstanceId, NotAnId> {
        let what = "a managed instance's id";
        let words = ["subscriptions", "resourceGroups", "providers", "managedInstances"];
        // `providers/Microsoft.Sql` is a pair too.
        let [subscription, group, provider, name] = wanted(text, words, what)?;
        instance_of(subscription, group, provider, name, || NotAnId { wanted: what, text: text.to_owned() })
    }
}

/// A thing of an instance: the instance and the thing's name.
fn child(text: &str, word: &str, what: &'static str) -> Result<(InstanceId, String), NotAnId> {
    let words = ["subscriptions", "resourceGroups", "providers", "managedInstances", word];
    let [subscription, group, provider, instance, name] = wanted(text, words, what)?;
    let wrong = || NotAnId { wanted: what, text: text.to_owned() };
    Ok((instance_of(subscription, group, provider, instance, wrong)?, name.to_owned()))
}

impl FromStr for LinkId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<LinkId, NotAnId> {
        let (instance, name) = child(text, "distributedAvailabilityGroups", "a link's id")?;
        Ok(LinkId { instance, name })
    }
}

impl FromStr for DatabaseId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<DatabaseId, NotAnId> {
        let (instance, name) = child(text, "databases", "a managed database's id")?;
        Ok(DatabaseId { instance, name })
    }
}

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ResourceGroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/subscriptions/{}/resourceGroups/{}", self.subscription, self.name)
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/providers/{PROVIDER}/managedInstances/{}", self.group(), self.name)
    }
}

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/distributedAvailabilityGroups/{}", self.instance, self.name)
    }
}

impl fmt::Display for DatabaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/databases/{}", self.instance, self.name)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Subscription(id) => write!(f, "/subscriptions/{id}"),
            Scope::ResourceGroup(id) => id.fmt(f),
            Scope::Instance(id) => id.fmt(f),
        }
    }
}

macro_rules! compares_folded {
    ($($name:ident),*) => {$(
        impl PartialEq for $name {
            fn eq(&self, other: &$name) -> bool {
                self.cmp(other) == Ordering::Equal
            }
        }

        impl Eq for $name {}

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &$name) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &$name) -> Ordering {
                folded(&self.to_string()).cmp(folded(&other.to_string()))
            }
        }

        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                for c in folded(&self.to_string()) {
                    c.hash(state);
                }
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAnId;

            fn try_from(text: String) -> Result<$name, NotAnId> {
                text.parse()
            }
        }
    )*};
}

compares_folded!(SubscriptionId, ResourceGroupId, InstanceId, LinkId, DatabaseId);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const SUB: &str = "00000000-0000-0000-0000-00000000000A";

    fn instance() -> InstanceId {
        SubscriptionId::parse(SUB).unwrap().group("My-RG").instance("mi-1")
    }

    #[test]
    fn reads_what_it_prints_and_keeps_the_spelling() {
        let link = instance().link("Link4");
        let text = link.to_string();
        assert_eq!(
            text,
            format!(
                "/subscriptions/{SUB}/resourceGroups/My-RG/providers/Microsoft.Sql/managedInstances/mi-1/\
                 distributedAvailabilityGroups/Link4"
            )
        );
        assert_eq!(text.parse::<LinkId>().unwrap().to_string(), text);
        let other = text.to_uppercase().parse::<LinkId>().unwrap();
        assert_eq!(other, link);
        assert_eq!(BTreeSet::from([other, link]).len(), 1);
        assert_eq!(serde_json::to_value(instance()).unwrap(), serde_json::json!(instance().to_string()));
    }

    #[test]
    fn refuses_what_is_something_else() {
        let link = instance().link("a").to_string();
        assert!(link.parse::<InstanceId>().is_err());
        assert!(instance().to_string().parse::<LinkId>().is_err());
        assert!(link.replace("Microsoft.Sql", "Microsoft.Web").parse::<LinkId>().is_err());
        assert!(link.replace(SUB, "sub").parse::<LinkId>().is_err());
        assert!(link.replace("My-RG", "..").parse::<LinkId>().is_err());
        assert!(link.replace("/mi-1", "/").parse::<LinkId>().is_err());
        for wrong in ["", "/", "x", "/subscriptions", "/subscriptions/x"] {
            assert!(wrong.parse::<SubscriptionId>().is_err(), "{wrong}");
        }
        assert_eq!(format!("/subscriptions/{SUB}").parse::<SubscriptionId>().unwrap().as_str(), SUB);
    }

    proptest! {
        #[test]
        fn any_names_survive(group in "[a-zA-Z0-9._()-]{1,20}", name in "[a-z0-9-]{1,20}", db in "[^/\\\\?#%\\p{C}]{1,30}") {
            prop_assume!(is_name(&group) && is_name(&db));
            let id = SubscriptionId::parse(SUB).unwrap().group(group).instance(name).database(db);
            prop_assert_eq!(id.to_string().parse::<DatabaseId>().unwrap(), id);
        }

        #[test]
        fn nothing_makes_it_panic(text in ".{0,80}") {
            let _ = text.parse::<LinkId>();
            let _ = text.parse::<SubscriptionId>();
        }
    }
}
