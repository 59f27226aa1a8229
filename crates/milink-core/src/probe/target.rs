//! Where the endpoints are, and which certificate each has.

use std::fmt;

use crate::names::{Side, Thumbprint};
use crate::observe::{Group, Observation, same_name};

/// A managed instance's endpoint has this port, always (Overview, limitations).
const MANAGED_PORT: u16 = 5022;

/// An endpoint to be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Whose.
    pub side: Side,
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The certificate that it shows, if somebody says so who knows.
    pub expected: Option<Expected>,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// The certificate that an endpoint should show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Its name.
    pub name: String,
    /// Its SHA-1.
    pub thumbprint: Thumbprint,
    /// Who says so.
    pub said_by: &'static str,
}

/// What the user has said of a side.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// The endpoint as its partner reaches it: `TCP://host:port`.
    pub endpoint: Option<String>,
    /// The host that clients connect to.
    pub host: Option<String>,
}

/// The endpoints that can be tried: those whose address is known. A server that has none yet has nothing to try.
pub fn targets(sql_server: &Told, managed: &Told, seen: &Observation) -> Vec<Target> {
    [of_sql_server(sql_server, seen), of_managed(managed, seen)].into_iter().flatten().collect()
}

fn of_sql_server(told: &Told, seen: &Observation) -> Option<Target> {
    let instance = seen.sql_server.known();
    let endpoint = instance.map(|i| i.endpoint.as_ref());
    if endpoint == Some(None) {
        return None;
    }
    let endpoint = endpoint.flatten();
    let given = told.endpoint.as_deref().and_then(address);
    let by_port = || Some((told.host.clone()?, endpoint.map(|e| e.port).filter(|p| *p > 0)?));
    let (host, port) = given.or_else(by_port)?;
    let expected = endpoint.and_then(|e| e.certificate.as_deref()).and_then(|name| {
        let known = instance?.certificates.iter().flatten().find(|c| same_name(&c.name, name))?;
        Some(Expected {
            name: known.name.clone(),
            thumbprint: known.thumbprint.clone(),
            said_by: "SQL Server's sys.certificates",
        })
    });
    Some(Target { side: Side::SqlServer, host, port, expected })
}

fn of_managed(told: &Told, seen: &Observation) -> Option<Target> {
    let azure = seen.azure.known();
    let given = told.endpoint.as_deref().and_then(address);
    let by_azure = || {
        let fqdn = azure.map(|a| a.fqdn.trim_end_matches('.')).filter(|f| !f.is_empty())?;
        Some((fqdn.to_owned(), MANAGED_PORT))
    };
    let by_link = || {
        let groups: &[Group] = &seen.sql_server.known()?.groups;
        groups.iter().filter(|g| g.distributed).find_map(|g| address(&g.remote()?.url))
    };
    let (host, port) = given.or_else(by_azure).or_else(by_link)?;
    let expected = azure.and_then(|a| a.endpoint_certificate.as_ref()).map(|c| Expected {
        name: "the instance's endpoint certificate".to_owned(),
        thumbprint: c.thumbprint.clone(),
        said_by: "Azure",
    });
    Some(Target { side: Side::Managed, host, port, expected })
}

/// Host and port of `TCP://host:port`, with or without `;Server=[name]` behind it.
fn address(url: &str) -> Option<(String, u16)> {
    let rest = url.get(..6).filter(|s| s.eq_ignore_ascii_case("tcp://")).and_then(|_| url.get(6..))?;
    let (host, port) = rest.split(';').next()?.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    let port: u16 = port.trim_end_matches('/').parse().ok().filter(|p| *p > 0)?;
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn addresses_of_endpoints() {
        let at = |url: &str| address(url).map(|(host, port)| format!("{host} {port}"));
        assert_eq!(
            at("tcp://mi.z.database.windows.net:5022;Server=[mi]").as_deref(),
            Some("mi.z.database.windows.net 5022")
        );
        assert_eq!(at("TCP://[::1]:6022").as_deref(), Some("::1 6022"));
        for bad in ["", "tcp://", "tcp://:5022", "host:5022", "tcp://host:0", "tcp://host:70000", "tcp://h"] {
            assert_eq!(at(bad), None, "{bad}");
        }
    }
}
