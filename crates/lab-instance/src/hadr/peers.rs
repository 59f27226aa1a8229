//! The endpoint: what comes over it goes to the machine.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lab_engine::{Flavor, MirroringEndpoint};
use lab_hadr::{ConnId, Event, PartnerKey};
use lab_tsql::ast::EndpointState;

use super::Hadr;
use crate::answer::lock;
use crate::endpoint::{
    CloseReason, ConnectionId, Dial, DialError, DialKey, Endpoint, EndpointConfig, Failure, Far, Frame,
    Goodbye, Handler, Identity, PeerInfo, PinnedCertificate, Redirects, Trust,
};

#[derive(Default)]
pub(super) struct Peers {
    open: RwLock<Option<Open>>,
    dials: Mutex<BTreeMap<u64, (PartnerKey, Far)>>,
    /// Endpoints that were opened: each counts its connections from the beginning.
    opened: Mutex<u64>,
}

#[derive(Clone)]
struct Open {
    endpoint: Arc<Endpoint>,
    listen: SocketAddr,
    number: u64,
}

/// Connections of one endpoint; no instance makes more.
const CONNECTIONS: u64 = 1 << 40;

impl Peers {
    fn open(&self) -> Option<Open> {
        self.open.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn connection(&self, conn: ConnId) -> Option<(Arc<Endpoint>, ConnectionId)> {
        let open = self.open().filter(|o| o.number == conn.0 / CONNECTIONS)?;
        Some((open.endpoint, ConnectionId(conn.0 % CONNECTIONS)))
    }

    pub(super) fn close(&self, conn: ConnId, why: Goodbye) {
        if let Some((endpoint, connection)) = self.connection(conn) {
            endpoint.close(connection, why);
        }
    }

    pub(super) fn send(&self, conn: ConnId, bytes: Vec<u8>) {
        if let Some((endpoint, connection)) = self.connection(conn) {
            // A connection that has ended tells the machine so by itself.
            endpoint.send(connection, Frame::from(bytes)).unwrap_or(());
        }
    }

    pub(super) fn send_log(&self, conn: ConnId, head: Vec<u8>, bytes: Vec<u8>) {
        if let Some((endpoint, connection)) = self.connection(conn) {
            endpoint.send(connection, Frame::from(vec![head, bytes])).unwrap_or(());
        }
    }

    pub(super) fn dial(&self, key: DialKey, partner: PartnerKey, dial: Dial) -> Result<(), (u32, String)> {
        let Some(open) = self.open() else {
            let text = "The database mirroring endpoint of this instance is missing or stopped.".to_owned();
            return Err((35204, text));
        };
        let far = Far::Server { host: dial.host.clone(), port: dial.port };
        lock(&self.dials).insert(key.0, (partner, far));
        open.endpoint.dial(key, dial).map_err(|e| {
            lock(&self.dials).remove(&key.0);
            (e.number as u32, e.text)
        })
    }

    pub(super) fn end_expired(&self) {
        if let Some(open) = self.open() {
            open.endpoint.end_expired();
        }
    }

    /// Whether it was open.
    pub(super) fn stop(&self) -> bool {
        let open = self.open.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(open) = &open {
            open.endpoint.stop();
        }
        open.is_some()
    }
}

/// Seconds since 1970.
fn moment(seconds: i64) -> SystemTime {
    let distance = Duration::from_secs(seconds.unsigned_abs());
    let at = if seconds < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
    at.unwrap_or(UNIX_EPOCH)
}

/// What an endpoint tells.
struct Ears {
    hadr: Weak<Hadr>,
    number: u64,
}

impl Ears {
    fn conn(&self, connection: ConnectionId) -> ConnId {
        ConnId(self.number * CONNECTIONS + connection.0)
    }

    fn tell(&self, event: Event) {
        if let Some(hadr) = self.hadr.upgrade() {
            hadr.tell(event);
        }
    }
}

impl Handler for Ears {
    fn opened(&self, connection: ConnectionId, peer: PeerInfo) {
        let Some(hadr) = self.hadr.upgrade() else { return };
        let dialed = peer.dialed.and_then(|key| lock(&hadr.peers.dials).remove(&key.0)).map(|(p, _)| p);
        hadr.tell(Event::Opened { conn: self.conn(connection), dialed });
    }

    fn frame(&self, connection: ConnectionId, payload: Vec<u8>) {
        self.tell(Event::Frame { conn: self.conn(connection), bytes: payload });
    }

    fn closed(&self, connection: ConnectionId, reason: CloseReason) {
        let (number, text) = (reason.number() as u32, reason.to_string());
        self.tell(Event::Closed { conn: self.conn(connection), number, text });
    }

    fn dial_failed(&self, key: DialKey, failure: DialError) {
        let Some(hadr) = self.hadr.upgrade() else { return };
        let Some((partner, far)) = lock(&hadr.peers.dials).remove(&key.0) else { return };
        hadr.log(&failure.log_line(&far).text);
        let (number, text) = (failure.number as u32, failure.text);
        hadr.tell(Event::DialFailed { partner, number, text });
    }

    fn refused(&self, address: SocketAddr, failure: Failure) {
        if let Some(hadr) = self.hadr.upgrade() {
            hadr.log(&failure.log_line(&Far::Client(address.ip())).text);
        }
    }
}

impl Hadr {
    /// Opens the endpoint as the statements have made it, closes it, or gives it other certificates. A failure is for the
    /// error log: the statement that led here has succeeded.
    pub(super) fn listen(&self) {
        let started = |e: &MirroringEndpoint| e.state == EndpointState::Started;
        let Some(wanted) = self.server.mirroring_endpoint().filter(started) else {
            return self.close_endpoint();
        };
        let shown = wanted.certificate.and_then(|c| c.private_key_pkcs8.map(|key| (c.der, key)));
        let Some((der, key)) = shown else {
            self.log("The Database Mirroring endpoint has no certificate whose private key can be opened.");
            return self.close_endpoint();
        };
        let identity = Identity { certificate_der: der, private_key_pkcs8: key.expose().to_vec() };
        let trust = Trust::new(
            self.server
                .trusted_certificates()
                .into_iter()
                .map(|c| PinnedCertificate {
                    name: c.name,
                    der: c.der,
                    not_before: moment(c.not_before),
                    not_after: moment(c.not_after),
                })
                .collect(),
        );
        let redirects = match self.server.flavor() {
            Flavor::SqlServer(_) => Redirects::Ignored,
            Flavor::Managed(_) => Redirects::Names(vec![self.server.name().to_owned()]),
        };
        let listen = self.behind.unwrap_or_else(|| {
            SocketAddr::new(wanted.ip.unwrap_or(Ipv4Addr::UNSPECIFIED.into()), wanted.port)
        });
        let open = self.peers.open().filter(|o| o.listen == listen);
        let result = match open {
            Some(open) => open.endpoint.reconfigure(identity, trust, redirects),
            None => {
                self.close_endpoint();
                self.open_endpoint(
                    listen,
                    EndpointConfig { trust, redirects, ..EndpointConfig::new(listen, identity) },
                )
            }
        };
        if let Err(e) = result {
            self.log(&format!("The Database Mirroring endpoint cannot listen on port {}: {e}.", wanted.port));
        }
    }

    fn close_endpoint(&self) {
        if self.peers.stop() {
            self.log("The Database Mirroring endpoint has stopped listening for connections.");
        }
    }

    fn open_endpoint(
        &self,
        listen: SocketAddr,
        config: EndpointConfig,
    ) -> Result<(), crate::endpoint::EndpointError> {
        let number = {
            let mut opened = lock(&self.peers.opened);
            *opened += 1;
            *opened
        };
        let ears = Ears { hadr: Weak::clone(&self.me), number };
        let endpoint = Arc::new(Endpoint::start(config, Arc::new(ears))?);
        let address = endpoint.address();
        *self.peers.open.write().unwrap_or_else(PoisonError::into_inner) =
            Some(Open { endpoint, listen, number });
        self.log(&format!("The Database Mirroring endpoint is now listening for connections on {address}."));
        Ok(())
    }
}
