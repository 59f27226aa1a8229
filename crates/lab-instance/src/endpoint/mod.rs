//! The database mirroring endpoint: how instances reach each other.
//!
//! An [`Endpoint`] listens and dials. On a connection come, in this order: TCP; TLS 1.3 with a certificate on both sides, each of
//! which must be one that was exchanged before ([`trust`], [`tls`]); a [`preamble`] that tells endpoints from strangers; and
//! then frames ([`mod@frame`]) both ways, until one side says goodbye or is lost. What the frames mean, the endpoint does not know:
//! its [`Handler`] does.
//!
//! - Nothing reaches the handler from a peer whose certificate was not accepted.
//! - A connection's frames are handed over in order on its own thread, after `opened` and before `closed`; each of
//!   these comes once.
//! - Sending waits for nobody ([`connection`]).
//! - Every refusal has a number, a wording and the [`Hop`] at which it happened ([`failure`]).

mod connection;
mod failure;
pub mod frame;
mod opening;
pub mod preamble;
mod proxy;
mod service;
mod settings;
mod tls;
mod trust;

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use failure::{CloseReason, DialError, EndpointError, Failure, Far, Hop, LogLine, SendError};
pub use frame::{Frame, Goodbye, Part};
pub use proxy::{Direction, FaultProxy, ProxyStatistics};
use service::Service;
use settings::Settings;
pub use settings::{EndpointConfig, Limits, Redirects};
pub use tls::Clock;
pub use trust::{Identity, PinnedCertificate, Refusal, Thumbprint, Trust};

use crate::answer::lock;

/// A connection, for as long as its endpoint lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// What the owner calls an attempt to dial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DialKey(pub u64);

/// Who is at the other end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerInfo {
    /// The certificate that it has shown, as it is known here.
    pub certificate: Arc<PinnedCertificate>,
    /// Its SHA-256.
    pub thumbprint: Thumbprint,
    /// Its address.
    pub address: SocketAddr,
    /// The attempt that made the connection, if it was dialed here.
    pub dialed: Option<DialKey>,
    /// The server that the dialer asked for.
    pub server_name: Option<String>,
}

/// What happens on an endpoint is told to this.
pub trait Handler: Send + Sync + 'static {
    /// A peer is there. Frames may be sent from now on.
    fn opened(&self, connection: ConnectionId, peer: PeerInfo);
    /// A frame has come. The peer is read on when this returns.
    fn frame(&self, connection: ConnectionId, payload: Vec<u8>);
    /// A connection has ended; nothing more comes of it.
    fn closed(&self, connection: ConnectionId, reason: CloseReason);
    /// A dialed peer was not reached, or not accepted, or did not accept.
    fn dial_failed(&self, key: DialKey, error: DialError);
    /// Somebody connected and was not let in. For the error log; nothing else depends on it.
    fn refused(&self, address: SocketAddr, failure: Failure) {
        let _ = (address, failure);
    }
}

/// Whom to dial.
#[derive(Debug, Clone)]
pub struct Dial {
    /// A host name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// What `;Server=[name]` of the URL says.
    pub server_name: Option<String>,
    /// The certificate that the peer shows must have the host's name in `sys.certificates`, as a managed instance's must.
    pub require_name: bool,
    /// The time that all of it may take. (A name server that is slow may take longer.)
    pub timeout: Duration,
}

/// What passed over a connection.
#[derive(Debug, Clone)]
pub struct ConnectionStatistics {
    /// The connection.
    pub connection: ConnectionId,
    /// Who is there.
    pub peer: PeerInfo,
    /// When it was opened.
    pub opened: Instant,
    /// Bytes that went out, encryption included.
    pub bytes_sent: u64,
    /// Bytes that came in, encryption included.
    pub bytes_received: u64,
    /// Frames that went out.
    pub frames_sent: u64,
    /// Frames that came in.
    pub frames_received: u64,
    /// Bytes of frames that are not out yet.
    pub bytes_queued: usize,
    /// When something was last sent.
    pub last_sent: Instant,
    /// When something last came.
    pub last_received: Instant,
}

/// A running endpoint. Dropping it does not stop it.
pub struct Endpoint {
    service: Arc<Service>,
    address: SocketAddr,
    acceptor: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Endpoint {
    /// Listens.
    ///
    /// # Errors
    /// The certificate, the key or the address cannot be used.
    pub fn start(config: EndpointConfig, handler: Arc<dyn Handler>) -> Result<Endpoint, EndpointError> {
        let settings = Settings::new(config.identity, config.trust, config.redirects)?;
        let listener = service::listen(config.listen)?;
        let unusable = |e| EndpointError::Listen(config.listen, e);
        let address = listener.local_addr().map_err(unusable)?;
        let service = Arc::new(Service::new(handler, config.clock, config.limits, settings));
        let accepting = Arc::clone(&service);
        let acceptor = std::thread::Builder::new()
            .name("endpoint".to_owned())
            .spawn(move || accepting.accept(&listener))
            .map_err(unusable)?;
        Ok(Endpoint { service, address, acceptor: Mutex::new(Some(acceptor)) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Shows another certificate, trusts others, stands for other servers from now on. Connections that the new settings would
    /// not have let in are closed, and both sides told why.
    ///
    /// # Errors
    /// The certificate or key cannot be used. Nothing has changed then.
    pub fn reconfigure(
        &self,
        identity: Identity,
        trust: Trust,
        redirects: Redirects,
    ) -> Result<(), EndpointError> {
        self.service.reconfigure(Settings::new(identity, trust, redirects)?);
        Ok(())
    }

    /// Ends the connections whose peers would not be let in any more because their certificates have expired. Nobody does
    /// so by itself: the owner asks for it as often as that matters.
    pub fn end_expired(&self) {
        self.service.end_expired();
    }

    /// Dials, in a thread of its own: `opened` or `dial_failed` follows with this key, unless the endpoint is stopped first.
    ///
    /// # Errors
    /// It cannot even be begun; nothing follows.
    pub fn dial(&self, key: DialKey, dial: Dial) -> Result<(), DialError> {
        self.service.dial(key, dial)
    }

    /// Sends a frame after those sent before. Never waits for the peer: what the network does not take yet is kept.
    ///
    /// # Errors
    /// The connection has ended, or ends by this because more is kept for it than may be.
    pub fn send(&self, connection: ConnectionId, frame: impl Into<Frame>) -> Result<(), SendError> {
        let connection = self.service.connection(connection).ok_or(SendError::Closed)?;
        connection.send(frame.into())
    }

    /// Ends a connection and tells the peer why, if it still listens. Frames that wait to be sent are dropped. `closed` follows.
    pub fn close(&self, connection: ConnectionId, why: Goodbye) {
        if let Some(connection) = self.service.connection(connection) {
            connection.close(CloseReason::Asked(why));
        }
    }

    /// What passed over the connections that are open.
    pub fn connections(&self) -> Vec<ConnectionStatistics> {
        let statistics = |c: Arc<connection::Connection>| ConnectionStatistics {
            connection: c.id,
            peer: c.peer.clone(),
            opened: c.counters.opened,
            bytes_sent: c.counters.bytes_sent.load(Ordering::Relaxed),
            bytes_received: c.counters.bytes_received.load(Ordering::Relaxed),
            frames_sent: c.counters.frames_sent.load(Ordering::Relaxed),
            frames_received: c.counters.frames_received.load(Ordering::Relaxed),
            bytes_queued: c.queued(),
            last_sent: c.counters.at(&c.counters.last_sent),
            last_received: c.counters.at(&c.counters.last_received),
        };
        self.service.connections().into_iter().map(statistics).collect()
    }

    /// Stops listening, closes every connection and waits until `closed` was told of each. Must not be called by the handler's
    /// own calls, for which it waits.
    pub fn stop(&self) {
        self.service.stop(self.address);
        if let Some(acceptor) = lock(&self.acceptor).take() {
            // A panic of the acceptor has been reported by itself.
            drop(acceptor.join());
        }
        self.service.wait_until_ended();
    }
}
