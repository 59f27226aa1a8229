//! Ports on the loopback address: chosen at the first start, and kept.

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// Where everything of a lab answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ports {
    /// SQL Server, for clients.
    pub sqlserver: u16,
    /// The managed instance, for clients.
    pub managed: u16,
    /// SQL Server's endpoint, as the managed instance reaches it.
    pub sqlserver_endpoint: u16,
    /// The managed instance's endpoint, as SQL Server reaches it.
    pub managed_endpoint: u16,
    /// Azure Resource Manager.
    pub azure: u16,
    /// The lab itself.
    pub control: u16,
}

/// Those that the user wants to be certain ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PortChoice {
    /// See [`Ports::sqlserver`].
    pub sqlserver: Option<u16>,
    /// See [`Ports::managed`].
    pub managed: Option<u16>,
    /// See [`Ports::sqlserver_endpoint`].
    pub sqlserver_endpoint: Option<u16>,
    /// See [`Ports::managed_endpoint`].
    pub managed_endpoint: Option<u16>,
    /// See [`Ports::azure`].
    pub azure: Option<u16>,
    /// See [`Ports::control`].
    pub control: Option<u16>,
}

/// Below the range from which systems give ports to outgoing connections: one that is free now is most likely free at the next start.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

impl Ports {
    /// All of them, with the flag that fixes each and what answers there.
    pub(crate) fn named(&self) -> [(u16, &'static str, &'static str); 6] {
        [
            (self.sqlserver, "--sqlserver-port", "SQL Server"),
            (self.managed, "--managed-port", "the managed instance"),
            (self.sqlserver_endpoint, "--sqlserver-endpoint-port", "SQL Server's endpoint"),
            (self.managed_endpoint, "--managed-endpoint-port", "the managed instance's endpoint"),
            (self.azure, "--azure-port", "the local Azure"),
            (self.control, "--control-port", "the lab's control endpoint"),
        ]
    }

    /// Those of the last start, if there was one, changed to what is wanted now; free ones for the rest.
    pub(crate) fn choose(before: Option<Ports>, wanted: PortChoice) -> Result<Ports, String> {
        let mut taken = Vec::new();
        let mut pick = |wanted: Option<u16>, before: Option<u16>| -> Result<u16, String> {
            let port = match wanted.or(before) {
                Some(port) => port,
                None => free(&taken)?,
            };
            taken.push(port);
            Ok(port)
        };
        let ports = Ports {
            sqlserver: pick(wanted.sqlserver, before.map(|b| b.sqlserver))?,
            managed: pick(wanted.managed, before.map(|b| b.managed))?,
            sqlserver_endpoint: pick(wanted.sqlserver_endpoint, before.map(|b| b.sqlserver_endpoint))?,
            managed_endpoint: pick(wanted.managed_endpoint, before.map(|b| b.managed_endpoint))?,
            azure: pick(wanted.azure, before.map(|b| b.azure))?,
            control: pick(wanted.control, before.map(|b| b.control))?,
        };
        let named = ports.named();
        for (n, (port, flag, _)) in named.iter().enumerate() {
            if let Some((_, other, _)) = named.iter().take(n).find(|(p, ..)| p == port) {
                return Err(format!("{other} and {flag} are both {port}: each needs a port of its own"));
            }
        }
        Ok(ports)
    }

    /// Whether nobody listens on any of them. What a lab that was killed has left behind goes away by itself; it is given `patience`.
    pub(crate) fn check(&self, patience: Duration) -> Result<(), String> {
        let until = Instant::now() + patience;
        for (port, flag, what) in self.named() {
            loop {
                match TcpListener::bind(loopback(port)) {
                    Ok(_) => break,
                    Err(_) if Instant::now() < until => std::thread::sleep(Duration::from_millis(50)),
                    Err(e) => {
                        let why = if e.kind() == std::io::ErrorKind::AddrInUse {
                            "in use by another program".to_owned()
                        } else {
                            format!("not to be had ({e})")
                        };
                        return Err(format!(
                            "port {port}, which {what} has in this lab, is {why}: end that program, or give the lab another port with {flag}"
                        ));
                    }
                }
            }
        }
        Ok(())
    }
}

pub(crate) fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// A port that nobody listens on, and that is none of those.
pub(crate) fn free(taken: &[u16]) -> Result<u16, String> {
    let mut bytes = [0; 2];
    getrandom::fill(&mut bytes).map_err(|e| format!("no randomness: {e}"))?;
    let first = u16::from_le_bytes(bytes) % COUNT;
    let candidates = (0..COUNT).map(|n| FIRST + (first + n) % COUNT);
    let mut usable =
        candidates.filter(|port| !taken.contains(port) && TcpListener::bind(loopback(*port)).is_ok());
    usable.next().ok_or_else(|| "no port of the loopback address is free".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    #[test]
    fn ports_stay_and_are_moved_by_name() {
        let first = Ports::choose(None, PortChoice::default()).unwrap();
        assert_eq!(Ports::choose(Some(first), PortChoice::default()), Ok(first));
        let moved = Ports::choose(Some(first), PortChoice { azure: Some(8443), ..PortChoice::default() });
        assert_eq!(moved, Ok(Ports { azure: 8443, ..first }));
        let twice = PortChoice { azure: Some(8443), managed: Some(8443), ..PortChoice::default() };
        let said = Ports::choose(None, twice).unwrap_err();
        assert_eq!(said, "--managed-port and --azure-port are both 8443: each needs a port of its own");
    }

    #[test]
    fn a_port_in_use_is_named_with_its_flag() {
        let ports = Ports::choose(None, PortChoice::default()).unwrap();
        let _other = TcpListener::bind(loopback(ports.azure)).unwrap();
        let said = ports.check(Duration::ZERO).unwrap_err();
        assert!(said.contains("the local Azure") && said.contains("--azure-port"), "{said}");
    }
}
