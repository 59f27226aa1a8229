//! Addresses: how they are built, and which ones a token may go to.

use reqwest::Url;

use crate::error::ArmError;
use crate::ids::{InstanceId, LinkId, ResourceGroupId, Scope, SubscriptionId, is_name};
use crate::wire::not_sent;

/// The longest address of an operation that is kept. Signed ones have about 3 KB.
const URL_MAX: usize = 32 << 10;

/// The path of a thing, segment by segment. A segment that could become another path is refused when the path is made.
#[derive(Debug, Default)]
pub(crate) struct Address {
    segments: Vec<String>,
}

impl Address {
    pub(crate) fn new() -> Address {
        Address::default()
    }

    pub(crate) fn add(mut self, segment: &str) -> Address {
        self.segments.push(segment.to_owned());
        self
    }

    pub(crate) fn subscription(id: &SubscriptionId) -> Address {
        Address::new().add("subscriptions").add(id.as_str())
    }

    pub(crate) fn group(id: &ResourceGroupId) -> Address {
        Address::subscription(&id.subscription).add("resourceGroups").add(&id.name)
    }

    pub(crate) fn instance(id: &InstanceId) -> Address {
        Address::group(&id.group()).sql().add("managedInstances").add(&id.name)
    }

    pub(crate) fn link(id: &LinkId) -> Address {
        Address::instance(&id.instance).add("distributedAvailabilityGroups").add(&id.name)
    }

    pub(crate) fn scope(scope: &Scope) -> Address {
        match scope {
            Scope::Subscription(id) => Address::subscription(id),
            Scope::ResourceGroup(id) => Address::group(id),
            Scope::Instance(id) => Address::instance(id),
        }
    }

    pub(crate) fn sql(self) -> Address {
        self.add("providers").add("Microsoft.Sql")
    }

    pub(crate) fn url(&self, endpoint: &Url, api_version: &str) -> Result<Url, ArmError> {
        if let Some(wrong) = self.segments.iter().find(|segment| !is_name(segment)) {
            return Err(not_sent(format!("'{wrong}' cannot be part of an address")));
        }
        let mut url = endpoint.clone();
        url.path_segments_mut()
            .map_err(|()| not_sent("the endpoint can have no paths"))?
            .clear()
            .extend(&self.segments);
        url.query_pairs_mut().clear().append_pair("api-version", api_version);
        Ok(url)
    }
}

/// Resource Manager's own address.
pub(crate) fn endpoint(text: &str) -> Result<Url, ArmError> {
    let url = https(text, "Resource Manager's endpoint")?;
    if url.path() != "/" {
        return Err(not_sent(format!("Resource Manager's endpoint '{text}' must not have a path")));
    }
    Ok(url)
}

/// The authority's address.
pub(crate) fn authority(text: &str) -> Result<Url, ArmError> {
    https(text, "the authority")
}

fn https(text: &str, what: &str) -> Result<Url, ArmError> {
    let wrong = |why: &str| not_sent(format!("{what} '{text}' {why}"));
    let url = Url::parse(text).map_err(|error| wrong(&format!("is no address: {error}")))?;
    if url.scheme() != "https" {
        return Err(wrong("is not an https address"));
    }
    let plain = url.username().is_empty() && url.password().is_none();
    if !plain || url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("must be https://host or https://host:port"));
    }
    Ok(url)
}

/// Whether an address is on the very server that the token is for.
pub(crate) fn same_origin(endpoint: &Url, url: &Url) -> bool {
    url.scheme() == "https"
        && url.host() == endpoint.host()
        && url.port_or_known_default() == endpoint.port_or_known_default()
        && url.username().is_empty()
        && url.password().is_none()
}

/// An address that an answer or a journal holds: used as it is, if it is on the same server. (Of what may stand
/// in a query, the URL type would write only an apostrophe anew; signatures have none.) The error does not hold it, because it
/// may be signed.
pub(crate) fn given(endpoint: &Url, text: &str) -> Result<Url, String> {
    if text.len() > URL_MAX {
        return Err(format!("it is longer than {URL_MAX} bytes"));
    }
    let url = endpoint.join(text.trim()).map_err(|error| format!("it is no address: {error}"))?;
    if same_origin(endpoint, &url) {
        Ok(url)
    } else {
        let at = url.host_str().unwrap_or_default();
        Err(format!(
            "it leads to {}://{at}, and not to {}",
            url.scheme(),
            endpoint.host_str().unwrap_or_default()
        ))
    }
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    // Url prints an IPv6 host in brackets.
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SUB: &str = "00000000-0000-0000-0000-000000000000";

    fn arm() -> Url {
        endpoint("https://management.azure.com").unwrap()
    }

    fn link(name: &str) -> LinkId {
        SubscriptionId::parse(SUB).unwrap().group("rg").instance("mi").link(name)
    }

    #[test]
    fn builds_an_address_from_parent_and_name() {
        let url = Address::link(&link("Link 4")).url(&arm(), "2025-01-01").unwrap();
        let wanted = format!(
            "https://management.azure.com/subscriptions/{SUB}/resourceGroups/rg/providers/Microsoft.Sql/managedInstances/mi/\
             distributedAvailabilityGroups/Link%204?api-version=2025-01-01"
        );
        assert_eq!(url.as_str(), wanted);
        for wrong in ["", ".", "..", "a/b", "a?b", "a#b", "a\\b", "a%2fb", "a\nb"] {
            assert!(Address::link(&link(wrong)).url(&arm(), "v").is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_given_address_is_kept_as_it_is_or_refused() {
        let signed =
            "https://management.azure.com/subscriptions/x?api-version=2025-01-01&t=1&c=MII%2B_-&s=a%3D&h=b";
        assert_eq!(given(&arm(), signed).unwrap().as_str(), signed);
        assert_eq!(given(&arm(), "/a?b=%41").unwrap().as_str(), "https://management.azure.com/a?b=%41");
        for foreign in [
            "http://management.azure.com/a",
            "https://management.azure.com.evil.example/a",
            "https://management.azure.com:444/a",
            "https://management.azure.com@evil.example/a",
            "https://user@management.azure.com/a",
            "//evil.example/a",
            "\\\\evil.example/a",
            "file:///etc/passwd",
            "https://",
        ] {
            let error = given(&arm(), &format!("{foreign}?s=canary")).unwrap_err();
            assert!(!error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn only_https_will_do() {
        for wrong in
            ["http://localhost", "localhost:8443", "https://h/path", "https://u:p@h", "https://h/?a=b", ""]
        {
            assert!(endpoint(wrong).is_err(), "{wrong}");
        }
        assert!(authority("https://host/adfs").is_ok());
        assert!(is_loopback(&endpoint("https://[::1]:1").unwrap()));
        assert!(is_loopback(&endpoint("https://LOCALHOST:1/").unwrap()));
        assert!(!is_loopback(&arm()));
    }

    proptest! {
        #[test]
        fn no_name_leads_out_of_its_place(name in "\\PC{1,20}") {
            if let Ok(url) = Address::link(&link(&name)).url(&arm(), "v") {
                prop_assert!(same_origin(&arm(), &url));
                prop_assert_eq!(url.path_segments().unwrap().count(), 10);
                prop_assert_eq!(url.query(), Some("api-version=v"));
            }
        }

        #[test]
        fn whatever_is_given_stays_on_the_server(text in ".{0,60}") {
            if let Ok(url) = given(&arm(), &text) {
                prop_assert_eq!(url.host_str(), Some("management.azure.com"));
            }
        }
    }
}
