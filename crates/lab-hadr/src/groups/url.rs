//! ENDPOINT_URL and LISTENER_URL.

use serde::{Deserialize, Serialize};

/// `TCP://host:port`, and behind it what a managed instance needs: `;Server=[name]` and `;Database=[name]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerUrl {
    /// As it was written: this is what the views show.
    pub text: String,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// `;Server=[...]`: where a managed instance's gateway redirects to.
    pub server: Option<String>,
    /// `;Database=[...]`: the managed instance is the initial primary of that database.
    pub database: Option<String>,
}

impl ListenerUrl {
    /// Reads one; nothing if it is none (35232, 19499).
    pub fn parse(text: &str) -> Option<ListenerUrl> {
        let (address, rest) = text.split_once(';').unwrap_or((text, ""));
        let (scheme, address) = address.split_once("://")?;
        if !scheme.eq_ignore_ascii_case("tcp") {
            return None;
        }
        let (host, port) = address.rsplit_once(':')?;
        let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        let port = port.parse().ok().filter(|p| *p != 0)?;
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if host.is_empty() || host.len() > 255 || !host.chars().all(good) {
            return None;
        }
        let mut url =
            ListenerUrl { text: text.to_owned(), host: host.to_owned(), port, server: None, database: None };
        for part in rest.split(';').filter(|p| !p.is_empty()) {
            let (key, value) = part.split_once('=')?;
            let value =
                value.strip_prefix('[')?.strip_suffix(']').filter(|v| !v.is_empty() && v.len() <= 128)?;
            let slot = match key.to_ascii_lowercase().as_str() {
                "server" => &mut url.server,
                "database" => &mut url.database,
                _ => return None,
            };
            if slot.replace(value.to_owned()).is_some() {
                return None;
            }
        }
        Some(url)
    }

    /// Whether it is a managed instance's, as far as the text tells.
    pub fn is_managed(&self) -> bool {
        self.server.is_some() || self.database.is_some() || self.has_managed_host()
    }

    /// Whether a managed instance's gateway could not tell where to redirect to ("redirect string is empty" in its log):
    /// the statement takes such a URL, and the link ends in 41976. Whether the peer is managed is not always to be seen in
    /// the URL, so a caller that knows says so.
    pub fn lacks_server(&self, peer_is_managed: bool) -> bool {
        self.server.is_none() && (peer_is_managed || self.has_managed_host())
    }

    fn has_managed_host(&self) -> bool {
        let host = self.host.to_ascii_lowercase();
        MANAGED_SUFFIXES.iter().any(|suffix| host.ends_with(suffix))
    }
}

/// The DNS suffixes of the clouds.
const MANAGED_SUFFIXES: [&str; 3] =
    [".database.windows.net", ".database.usgovcloudapi.net", ".database.chinacloudapi.cn"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_forms() {
        let url = ListenerUrl::parse("tcp://mi.zone.database.windows.net:5022;Server=[mi];Database=[Db]");
        let url = url.expect("the documents write it so");
        assert_eq!((url.host.as_str(), url.port), ("mi.zone.database.windows.net", 5022));
        assert_eq!((url.server.as_deref(), url.database.as_deref()), (Some("mi"), Some("Db")));
        assert!(url.is_managed() && !url.lacks_server(true));
        let url = ListenerUrl::parse("TCP://10.0.0.4:5022").expect("an address is a host");
        assert!(
            url.server.is_none() && !url.is_managed() && !url.lacks_server(false) && url.lacks_server(true)
        );
        let url = ListenerUrl::parse("tcp://mi.zone.Database.Windows.net:5022").expect("the suffix may lack");
        assert!(url.is_managed() && url.lacks_server(false));
        for bad in [
            "",
            "http://a:1",
            "TCP://a",
            "TCP://:5022",
            "TCP://a:0",
            "TCP://a:1;Server=mi",
            "TCP://a:1;X=[y]",
        ] {
            assert!(ListenerUrl::parse(bad).is_none(), "{bad}");
        }
    }
}
