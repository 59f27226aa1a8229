//! Under which names browsers may come.
//!
//! A page of somebody else can have its own name lead to this machine's address (DNS rebinding); the browser then takes our answers for that
//! page's own. It cannot forge the `Host` header.

use std::net::SocketAddr;

use axum::http::HeaderMap;
use axum::http::header::HOST;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;

use crate::options::Options;
use crate::server::ServeError;

/// The names, in lower case, each with its port.
pub(crate) struct Hosts(Vec<String>);

impl Hosts {
    /// The address itself, what the options name, on loopback its names, and the names that the certificate is for.
    pub(super) fn of(options: &Options, address: SocketAddr) -> Result<Hosts, ServeError> {
        let port = address.port();
        let mut names: Vec<String> = Vec::new();
        let mut add = |host: String| {
            let with_port =
                if host.contains(':') && !host.ends_with(']') { host } else { format!("{host}:{port}") };
            let with_port = with_port.to_lowercase();
            if !names.contains(&with_port) {
                names.push(with_port);
            }
        };
        options.hosts.iter().cloned().for_each(&mut add);
        if let Some(oidc) = &options.oidc {
            // A proxy may be in front: browsers come under the name that the provider leads back to.
            let public = oidc.public_url.split_once("://");
            let default_port = if public.is_some_and(|(scheme, _)| scheme == "http") { 80 } else { 443 };
            let host = public
                .map_or(oidc.public_url.as_str(), |(_, rest)| rest)
                .split('/')
                .next()
                .unwrap_or_default();
            add(if host.contains(':') { host.to_owned() } else { format!("{host}:{default_port}") });
        }
        if let Some(tls) = &options.tls {
            certificate_names(&tls.certificate)?.into_iter().for_each(&mut add);
        }
        if !address.ip().is_unspecified() {
            add(address.to_string());
        }
        if address.ip().is_loopback() {
            ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned).into_iter().for_each(&mut add);
        }
        if names.is_empty() {
            return Err(ServeError::NoName(address));
        }
        Ok(Hosts(names))
    }

    /// The name that is shown.
    pub(super) fn first(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    /// Whether a request came under one of them.
    pub(super) fn allow(&self, headers: &HeaderMap, tls: bool) -> bool {
        let mut given = headers.get_all(HOST).iter();
        let (Some(host), None) = (given.next().and_then(|h| h.to_str().ok()), given.next()) else {
            return false;
        };
        let host = host.to_lowercase();
        // A browser leaves out the port that its scheme has anyway.
        let default_port = if tls { 443 } else { 80 };
        self.0.iter().any(|name| *name == host || *name == format!("{host}:{default_port}"))
    }
}

fn certificate_names(path: &std::path::Path) -> Result<Vec<String>, ServeError> {
    let failed = |why: String| ServeError::File { path: path.to_owned(), why };
    let bytes = std::fs::read(path).map_err(|e| failed(e.to_string()))?;
    let Some(pem) = Pem::iter_from_buffer(&bytes).next() else {
        return Err(failed("it holds no certificate".to_owned()));
    };
    let pem = pem.map_err(|e| failed(e.to_string()))?;
    let certificate = pem.parse_x509().map_err(|e| failed(e.to_string()))?;
    let names = certificate.subject_alternative_name().map_err(|e| failed(e.to_string()))?;
    let names = names.map(|n| n.value.general_names.clone()).unwrap_or_default();
    // A name with a star is for many hosts, and says of none that it is this one.
    Ok(names
        .into_iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) if !name.starts_with('*') => Some(name.to_owned()),
            _ => None,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_names_are_refused() {
        let hosts = Hosts(vec!["127.0.0.1:8080".to_owned(), "milink.example.com:443".to_owned()]);
        let of = |host: &str| [(HOST, host.parse().unwrap())].into_iter().collect::<HeaderMap>();
        assert!(hosts.allow(&of("127.0.0.1:8080"), false));
        assert!(hosts.allow(&of("Milink.Example.com"), true));
        for bad in ["127.0.0.1", "127.0.0.1:8081", "evil.example:8080", "milink.example.com", ""] {
            assert!(!hosts.allow(&of(bad), false), "{bad}");
        }
        assert!(!hosts.allow(&HeaderMap::new(), false));
    }
}
