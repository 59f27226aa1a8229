//! What a probe of an endpoint came to: hop by hop, so that the one that failed has a name.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::moment::Moment;
use crate::names::Side;

/// An attempt to reach a side's endpoint as a partner would.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// Where it was made from.
    pub from: Vantage,
    /// Whose endpoint was tried.
    pub to: Side,
    /// The address that was tried, as `host:port`.
    pub address: String,
    /// When.
    pub at: Moment,
    /// The hops, in their order. After the first that failed, the rest was not tried and is left out.
    pub hops: Vec<HopResult>,
}

impl Probe {
    /// The hop that failed.
    pub fn failed(&self) -> Option<&HopResult> {
        self.hops.iter().find(|h| !h.ok)
    }

    /// It in one line: from where, to where, and how far.
    pub fn summary(&self) -> String {
        let place = format!("from {} to {}", self.from, self.address);
        match (self.failed(), self.hops.last()) {
            (Some(hop), _) => format!("{place}: {} failed: {}", hop.hop, hop.text),
            (None, Some(last)) if !self.is_whole() => {
                format!("{place}: fine up to {}, and no more is known: {}", last.hop, last.text)
            }
            (None, Some(last)) => format!("{place}: every hop is fine: {}", last.text),
            (None, None) => format!("{place}: nothing was tried"),
        }
    }

    /// Whether it got to the end: every hop was tried, and none failed. A probe without its last hop proves nothing.
    pub fn is_whole(&self) -> bool {
        self.failed().is_none() && Hop::ALL.iter().all(|hop| self.hops.iter().any(|h| h.hop == *hop))
    }
}

/// From where a probe was made. What stands between this machine and an endpoint is not what stands between the two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Vantage {
    /// From the machine that `milink` runs on.
    Here,
    /// From SQL Server's host.
    SqlServer,
    /// From the managed instance.
    Managed,
}

impl From<Side> for Vantage {
    fn from(side: Side) -> Vantage {
        match side {
            Side::SqlServer => Vantage::SqlServer,
            Side::Managed => Vantage::Managed,
        }
    }
}

impl fmt::Display for Vantage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Vantage::Here => f.write_str("this machine"),
            Vantage::SqlServer => Side::SqlServer.fmt(f),
            Vantage::Managed => Side::Managed.fmt(f),
        }
    }
}

/// A hop on the way to an endpoint, first to last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hop {
    /// The host's name has an address.
    Dns,
    /// The port takes connections.
    Tcp,
    /// Both agree on encryption.
    Tls,
    /// The certificate that is shown is the one that is expected.
    Certificate,
    /// The endpoint speaks what partners speak: a firewall that lets only known protocols through is found here.
    Protocol,
}

impl Hop {
    /// All of them, in their order.
    pub const ALL: [Hop; 5] = [Hop::Dns, Hop::Tcp, Hop::Tls, Hop::Certificate, Hop::Protocol];

    /// Whether what it shows depends on where it is tried from. The later ones are about the endpoint itself, wherever one stands.
    pub fn depends_on_place(self) -> bool {
        match self {
            Hop::Dns | Hop::Tcp => true,
            Hop::Tls | Hop::Certificate | Hop::Protocol => false,
        }
    }
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Hop::Dns => "DNS",
            Hop::Tcp => "TCP",
            Hop::Tls => "TLS",
            Hop::Certificate => "certificate",
            Hop::Protocol => "protocol",
        })
    }
}

/// What a hop came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HopResult {
    /// Which.
    pub hop: Hop,
    /// Whether it was passed.
    pub ok: bool,
    /// What was seen: the address, the time it took, the certificate, the error.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(hops: &[(Hop, bool)]) -> Probe {
        Probe {
            from: Vantage::Here,
            to: Side::Managed,
            address: "mi1.zone.database.windows.net:5022".to_owned(),
            at: Moment::from_unix_ms(0),
            hops: hops
                .iter()
                .map(|(hop, ok)| HopResult { hop: *hop, ok: *ok, text: String::new() })
                .collect(),
        }
    }

    #[test]
    fn a_probe_that_stopped_early_is_not_whole() {
        let all: Vec<(Hop, bool)> = Hop::ALL.map(|h| (h, true)).to_vec();
        assert!(probe(&all).is_whole());
        assert!(!probe(&all[..4]).is_whole() && !probe(&[]).is_whole());
        let failed = probe(&[(Hop::Dns, true), (Hop::Tcp, false)]);
        assert!(!failed.is_whole());
        assert_eq!(failed.failed().map(|h| h.hop), Some(Hop::Tcp));
    }
}
