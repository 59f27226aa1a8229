//! The wire between the instances: a proxy in front of each endpoint, at the port that endpoint is known by.
//!
//! Either instance may be the one who connects, so each way of the wire goes through all proxies: towards the server in
//! those of one side, towards the client in those of the other. An endpoint that was made with another port than the lab's
//! gets a proxy there too, so that the port in the statement and in the URL are one.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lab_instance::FaultProxy;
use lab_instance::endpoint::Direction as ProxyDirection;

use crate::faults::{Direction, WireState};
use crate::ports::{Ports, loopback};
use crate::settings::Side;

/// The proxies.
#[derive(Debug)]
pub(crate) struct Wire {
    proxies: Mutex<Vec<Proxy>>,
    /// Where the endpoints of the two really listen.
    behind: [u16; 2],
}

#[derive(Debug)]
struct Proxy {
    /// Whose endpoint is behind it.
    side: Side,
    port: u16,
    /// At a port that the endpoint was given, and not the lab's.
    given: bool,
    proxy: FaultProxy,
}

impl Proxy {
    fn start(side: Side, port: u16, behind: u16, given: bool) -> Result<Proxy, String> {
        let proxy = FaultProxy::start_at(loopback(port), loopback(behind))
            .map_err(|e| format!("the wire to {} cannot listen on port {port}: {e}", side.title()))?;
        Ok(Proxy { side, port, given, proxy })
    }

    /// What a way over the wire is called in this proxy.
    fn way(&self, direction: Direction) -> ProxyDirection {
        match (direction, self.side) {
            (Direction::ToManaged, Side::Managed) | (Direction::ToSqlServer, Side::SqlServer) => {
                ProxyDirection::ToServer
            }
            (Direction::ToManaged, Side::SqlServer) | (Direction::ToSqlServer, Side::Managed) => {
                ProxyDirection::ToClient
            }
        }
    }

    fn set(&self, direction: Direction, state: WireState) {
        let way = self.way(direction);
        let delay = Duration::from_millis(state.delay_ms);
        self.proxy.set(way, state.cut, delay, state.kb_per_s.map(|kb| kb.saturating_mul(1024)));
        if !state.corrupt {
            self.proxy.spare(way);
        } else if !self.proxy.is_to_corrupt(way) {
            self.proxy.corrupt(way, 0);
        }
    }
}

impl Wire {
    /// Listens at the lab's ports for endpoints, in front of where they really are.
    pub(crate) fn start(ports: &Ports, behind: [u16; 2]) -> Result<Wire, String> {
        let [sqlserver, managed] = behind;
        let proxies = vec![
            Proxy::start(Side::SqlServer, ports.sqlserver_endpoint, sqlserver, false)?,
            Proxy::start(Side::Managed, ports.managed_endpoint, managed, false)?,
        ];
        Ok(Wire { proxies: Mutex::new(proxies), behind })
    }

    /// Where the endpoint of an instance really listens.
    pub(crate) fn behind(&self, side: Side) -> u16 {
        let [sqlserver, managed] = self.behind;
        match side {
            Side::SqlServer => sqlserver,
            Side::Managed => managed,
        }
    }

    fn proxies(&self) -> MutexGuard<'_, Vec<Proxy>> {
        self.proxies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Listens at the port that an endpoint is said to have, too. Whether that is new.
    ///
    /// # Errors
    /// Another program has the port.
    pub(crate) fn follow(
        &self,
        side: Side,
        port: u16,
        state: impl Fn(Direction) -> WireState,
    ) -> Result<bool, String> {
        let mut proxies = self.proxies();
        if proxies.iter().any(|p| p.side == side && p.port == port) {
            return Ok(false);
        }
        proxies.retain(|p| p.side != side || !p.given);
        let proxy = Proxy::start(side, port, self.behind(side), true)?;
        Direction::ALL.iter().for_each(|direction| proxy.set(*direction, state(*direction)));
        proxies.push(proxy);
        Ok(true)
    }

    /// Makes one way do that.
    pub(crate) fn set(&self, direction: Direction, state: WireState) {
        self.proxies().iter().for_each(|proxy| proxy.set(direction, state));
    }

    /// Whether a bit that was to be changed that way has been. Then the other proxies change none any more.
    pub(crate) fn has_corrupted(&self, direction: Direction) -> bool {
        let proxies = self.proxies();
        let bitten = proxies.iter().any(|p| !p.proxy.is_to_corrupt(p.way(direction)));
        if bitten {
            proxies.iter().for_each(|p| p.proxy.spare(p.way(direction)));
        }
        bitten
    }

    /// The bytes that passed that way since the lab was started.
    pub(crate) fn passed(&self, direction: Direction) -> u64 {
        let count = |p: &Proxy| {
            let statistics = p.proxy.statistics();
            match p.way(direction) {
                ProxyDirection::ToServer => statistics.to_server,
                ProxyDirection::ToClient => statistics.to_client,
            }
        };
        self.proxies().iter().map(count).sum()
    }
}
