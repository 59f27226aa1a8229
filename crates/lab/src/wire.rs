//! The wire between the instances: a proxy in front of each endpoint, at the port that endpoint is known by.
//!
//! Either instance may be the one who connects, so each way of the wire goes through both proxies: towards the server
//! in one, towards the client in the other.

use std::time::Duration;

use lab_instance::FaultProxy;
use lab_instance::endpoint::Direction as ProxyDirection;

use crate::faults::{Direction, WireState};
use crate::ports::{Ports, loopback};
use crate::settings::Side;

/// The proxies.
#[derive(Debug)]
pub(crate) struct Wire {
    /// In front of SQL Server's endpoint.
    sqlserver: FaultProxy,
    /// In front of the managed instance's.
    managed: FaultProxy,
}

/// What passed one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Passed {
    pub(crate) bytes: u64,
}

impl Wire {
    /// Listens at the ports that endpoints are known by, in front of where they really are.
    pub(crate) fn start(ports: &Ports, behind: impl Fn(Side) -> u16) -> Result<Wire, String> {
        let proxy = |port: u16, side: Side| {
            FaultProxy::start_at(loopback(port), loopback(behind(side)))
                .map_err(|e| format!("the wire to {} cannot listen on port {port}: {e}", side.title()))
        };
        Ok(Wire {
            sqlserver: proxy(ports.sqlserver_endpoint, Side::SqlServer)?,
            managed: proxy(ports.managed_endpoint, Side::Managed)?,
        })
    }

    /// The two proxies, with what that way is called in each.
    fn ways(&self, direction: Direction) -> [(&FaultProxy, ProxyDirection); 2] {
        match direction {
            Direction::ToManaged => {
                [(&self.managed, ProxyDirection::ToServer), (&self.sqlserver, ProxyDirection::ToClient)]
            }
            Direction::ToSqlServer => {
                [(&self.sqlserver, ProxyDirection::ToServer), (&self.managed, ProxyDirection::ToClient)]
            }
        }
    }

    /// Makes one way do that.
    pub(crate) fn set(&self, direction: Direction, state: WireState) {
        for (proxy, way) in self.ways(direction) {
            let delay = Duration::from_millis(state.delay_ms);
            proxy.set(way, state.cut, delay, state.kb_per_s.map(|kb| kb.saturating_mul(1024)));
            if !state.corrupt {
                proxy.spare(way);
            } else if !proxy.is_to_corrupt(way) {
                proxy.corrupt(way, 0);
            }
        }
    }

    /// Whether a bit that was to be changed that way has been. Then the other proxy changes none any more.
    pub(crate) fn has_corrupted(&self, direction: Direction) -> bool {
        let ways = self.ways(direction);
        let bitten = ways.iter().any(|(proxy, way)| !proxy.is_to_corrupt(*way));
        if bitten {
            ways.iter().for_each(|(proxy, way)| proxy.spare(*way));
        }
        bitten
    }

    /// What passed that way since the lab was started.
    pub(crate) fn passed(&self, direction: Direction) -> Passed {
        let count = |(proxy, way): &(&FaultProxy, ProxyDirection)| {
            let statistics = proxy.statistics();
            match way {
                ProxyDirection::ToServer => statistics.to_server,
                ProxyDirection::ToClient => statistics.to_client,
            }
        };
        Passed { bytes: self.ways(direction).iter().map(count).sum() }
    }
}
