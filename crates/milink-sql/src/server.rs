//! The name of a server, as sqlcmd's `-S` takes it.

use std::net::Ipv6Addr;
use std::str::FromStr;

use crate::target::TargetError;

/// `[tcp:]host[\instance][,port]`: a machine and what to ask it for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// A name, an IPv4 address, or an IPv6 address without its brackets.
    pub host: String,
    /// A named instance, whose port the SQL Server Browser tells (UDP 1434). A port makes it needless.
    pub instance: Option<String>,
    /// 1433 if neither this nor an instance is given.
    pub port: Option<u16>,
}

const PORT: u16 = 1433;

impl Server {
    /// Reads a name.
    ///
    /// # Errors
    /// It is none, or it asks for a protocol other than TCP.
    pub fn parse(text: &str) -> Result<Server, TargetError> {
        let refuse = |why: String| Err(TargetError::new(format!("server '{text}': {why}")));
        let rest = text.trim();
        if rest.is_empty() {
            return refuse("a name is needed: host, host,port or host\\instance".to_owned());
        }
        let rest = match rest.split_once(':') {
            Some((protocol, rest)) if protocol.eq_ignore_ascii_case("tcp") => rest.trim(),
            Some((protocol, _))
                if ["np", "lpc", "admin"].iter().any(|p| protocol.eq_ignore_ascii_case(p)) =>
            {
                return refuse(format!("the protocol {protocol}: is not supported, only tcp: is"));
            }
            _ => rest,
        };
        if rest.starts_with("\\\\") {
            return refuse("named pipes are not supported, only TCP is: host or host,port".to_owned());
        }
        if rest.get(..9).is_some_and(|start| start.eq_ignore_ascii_case("(localdb)")) {
            return refuse(
                "LocalDB is not supported: it has no TCP port and no availability groups".to_owned(),
            );
        }
        let (rest, port) = match rest.rsplit_once(',') {
            None => (rest, None),
            Some((rest, port)) => {
                let port = port.trim();
                // `parse` alone would take "+1" too.
                let digits = port.bytes().all(|b| b.is_ascii_digit());
                match port.parse::<u16>() {
                    Ok(port) if port > 0 && digits => (rest.trim_end(), Some(port)),
                    _ => return refuse(format!("'{port}' is no port (a number from 1 to 65535)")),
                }
            }
        };
        let (host, instance) = match rest.split_once('\\') {
            None => (rest, None),
            Some((host, instance)) => (host.trim_end(), Some(instance.trim())),
        };
        let instance = match instance {
            // The default instance, by its service's name.
            Some(name) if name.eq_ignore_ascii_case("MSSQLSERVER") => None,
            Some("") => return refuse("the instance's name is missing after \\".to_owned()),
            Some(name)
                if name.chars().any(|c| !(c.is_alphanumeric() || matches!(c, '_' | '$' | '#' | '-'))) =>
            {
                return refuse(format!("'{name}' is no name of an instance"));
            }
            other => other.map(str::to_owned),
        };
        let host = match host {
            "." => "localhost",
            local if local.eq_ignore_ascii_case("(local)") => "localhost",
            host => host,
        };
        let host = if let Some(inner) = host.strip_prefix('[') {
            match inner.strip_suffix(']') {
                Some(address) if is_ipv6(address) => address,
                _ => return refuse(format!("'{host}' is no IPv6 address in brackets")),
            }
        } else if host.contains(':') {
            if !is_ipv6(host) {
                return refuse("a port follows a comma, not a colon: host,port".to_owned());
            }
            host
        } else {
            host
        };
        if host.is_empty() {
            return refuse("the host is missing: host, host,port or host\\instance".to_owned());
        }
        if let Some(bad) =
            host.chars().find(|c| c.is_whitespace() || c.is_control() || "[](),;'\"/\\".contains(*c))
        {
            return refuse(format!("{bad:?} cannot be part of a host's name"));
        }
        Ok(Server { host: host.to_owned(), instance, port })
    }

    /// Whether the host is an IPv6 address.
    fn is_ipv6(&self) -> bool {
        is_ipv6(&self.host)
    }

    /// As the client library takes it: always TCP, always with a port or an instance, so that it tries no
    /// other protocol. It takes `tcp:` before an IPv6 address for a part of that address.
    pub(crate) fn data_source(&self) -> String {
        let prefix = if self.is_ipv6() { "" } else { "tcp:" };
        match (self.port, &self.instance) {
            (None, Some(instance)) => format!("{prefix}{}\\{instance}", self.host),
            (port, _) => format!("{prefix}{},{}", self.host, port.unwrap_or(PORT)),
        }
    }
}

/// An address, perhaps with the zone that a link-local one needs.
fn is_ipv6(text: &str) -> bool {
    let (address, zone) = text.split_once('%').map_or((text, None), |(address, zone)| (address, Some(zone)));
    address.parse::<Ipv6Addr>().is_ok() && zone != Some("")
}

impl FromStr for Server {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Server, TargetError> {
        Server::parse(text)
    }
}

impl std::fmt::Display for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_ipv6() {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        if let Some(instance) = &self.instance {
            write!(f, "\\{instance}")?;
        }
        self.port.map_or(Ok(()), |port| write!(f, ",{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What the name is read as and printed as, and what the client library is told.
    fn check(text: &str, shown: &str, data_source: &str) {
        let server = Server::parse(text).unwrap();
        assert_eq!(
            (server.to_string().as_str(), server.data_source().as_str()),
            (shown, data_source),
            "{text}"
        );
        assert_eq!(Server::parse(shown).unwrap(), server, "{text}");
    }

    #[test]
    fn names() {
        check("sql1", "sql1", "tcp:sql1,1433");
        check(" tcp:sql1 , 1434 ", "sql1,1434", "tcp:sql1,1434");
        check(
            "TCP:mi.abc.database.windows.net,3342",
            "mi.abc.database.windows.net,3342",
            "tcp:mi.abc.database.windows.net,3342",
        );
        check("(local)", "localhost", "tcp:localhost,1433");
        check(".", "localhost", "tcp:localhost,1433");
        check(".\\SQLEXPRESS", "localhost\\SQLEXPRESS", "tcp:localhost\\SQLEXPRESS");
        check("h\\inst,1500", "h\\inst,1500", "tcp:h,1500");
        check("h\\mssqlserver", "h", "tcp:h,1433");
        check("[::1],1433", "[::1],1433", "::1,1433");
        check("tcp:[fe80::1%eth0]", "[fe80::1%eth0]", "fe80::1%eth0,1433");
        check("::1", "[::1]", "::1,1433");
        check("[2001:db8::2]\\inst", "[2001:db8::2]\\inst", "2001:db8::2\\inst");
        check("10.0.0.4", "10.0.0.4", "tcp:10.0.0.4,1433");
    }

    #[test]
    fn refused_with_a_reason() {
        for (text, reason) in [
            ("", "a name is needed"),
            ("tcp:", "the host is missing"),
            (",1433", "the host is missing"),
            ("h,0", "'0' is no port"),
            ("h,65536", "'65536' is no port"),
            ("h,port", "'port' is no port"),
            ("h,", "'' is no port"),
            ("h,+1", "'+1' is no port"),
            ("h:1433", "a port follows a comma"),
            ("np:h", "the protocol np: is not supported"),
            ("ADMIN:h", "the protocol ADMIN: is not supported"),
            ("\\\\h\\pipe\\sql\\query", "named pipes"),
            ("(localdb)\\MSSQLLocalDB", "LocalDB"),
            ("h\\", "the instance's name is missing"),
            ("h\\a b", "is no name of an instance"),
            ("[h]", "is no IPv6 address"),
            ("[::1", "is no IPv6 address"),
            ("a b", "cannot be part"),
        ] {
            let said = Server::parse(text).unwrap_err().to_string();
            assert!(said.contains(reason), "{text}: {said}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_again(
            host in "[a-z][a-z0-9-]{0,8}(\\.[a-z]{1,5}){0,2}",
            instance in proptest::option::of("[A-Z]{2}[A-Z0-9_$]{0,6}"),
            port in proptest::option::of(1u16..),
        ) {
            let server = Server { host, instance, port };
            prop_assert_eq!(Server::parse(&server.to_string()).unwrap(), server);
        }

        #[test]
        fn nothing_panics(text in "\\PC{0,30}") {
            drop(Server::parse(&text));
        }
    }
}
