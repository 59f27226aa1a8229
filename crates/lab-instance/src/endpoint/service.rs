//! The threads of an endpoint: one that accepts, one for each connection.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::net::sockopt;

use super::connection::Connection;
use super::failure::{CloseReason, EndpointError, Failure, Far, Hop};
use super::opening::{Opening, linger};
use super::preamble::SERVER_NAME_MAX;
use super::settings::{Limits, Settings};
use super::tls::{Clock, PinVerifier};
use super::trust::Thumbprint;
use super::{ConnectionId, Dial, DialKey, Handler, PeerInfo};
use crate::answer::lock;

/// The handler runs on a connection's thread, and SQLite below it.
const STACK: usize = 8 << 20;
/// How long stopping waits for the handler.
const STOP_TIME: Duration = Duration::from_secs(5);

/// Listens at an address.
pub(super) fn listen(address: SocketAddr) -> Result<TcpListener, EndpointError> {
    TcpListener::bind(address).map_err(|e| match e.kind() {
        io::ErrorKind::AddrInUse => EndpointError::PortInUse(address),
        _ => EndpointError::Listen(address, e),
    })
}

/// What the threads of an endpoint share.
pub(super) struct Service {
    handler: Arc<dyn Handler>,
    clock: Clock,
    limits: Limits,
    live: Mutex<Live>,
    ended: Condvar,
}

struct Live {
    settings: Arc<Settings>,
    stopping: bool,
    next: u64,
    /// Connections that shake hands, accepted and dialed.
    accepting: BTreeMap<u64, Arc<TcpStream>>,
    dialing: BTreeMap<u64, Option<Arc<TcpStream>>>,
    open: BTreeMap<ConnectionId, Arc<Connection>>,
    /// Threads of connections, from the TCP connection on.
    threads: usize,
}

/// A thread's entry in the books; taken off when it ends, also by a panic.
struct Entry {
    service: Arc<Service>,
    id: u64,
    counted: bool,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut live = lock(&self.service.live);
        live.accepting.remove(&self.id);
        live.dialing.remove(&self.id);
        let open = live.open.remove(&ConnectionId(self.id));
        live.threads -= usize::from(self.counted);
        drop(live);
        if let Some(connection) = open {
            // Only a panic of the handler leads here.
            connection.close(CloseReason::Stopped);
        }
        self.service.ended.notify_all();
    }
}

impl Service {
    pub(super) fn new(
        handler: Arc<dyn Handler>,
        clock: Clock,
        limits: Limits,
        settings: Settings,
    ) -> Service {
        let live = Live {
            settings: Arc::new(settings),
            stopping: false,
            next: 1,
            accepting: BTreeMap::new(),
            dialing: BTreeMap::new(),
            open: BTreeMap::new(),
            threads: 0,
        };
        Service { handler, clock, limits, live: Mutex::new(live), ended: Condvar::new() }
    }

    pub(super) fn connection(&self, id: ConnectionId) -> Option<Arc<Connection>> {
        lock(&self.live).open.get(&id).map(Arc::clone)
    }

    pub(super) fn connections(&self) -> Vec<Arc<Connection>> {
        lock(&self.live).open.values().map(Arc::clone).collect()
    }

    pub(super) fn reconfigure(&self, settings: Settings) {
        let settings = Arc::new(settings);
        let objectionable: Vec<(Arc<Connection>, CloseReason)> = {
            let mut live = lock(&self.live);
            live.settings = Arc::clone(&settings);
            let objection = |c: &Arc<Connection>| settings.objection(c).map(|why| (Arc::clone(c), why));
            live.open.values().filter_map(objection).collect()
        };
        for (connection, why) in objectionable {
            connection.close(why);
        }
    }

    pub(super) fn end_expired(&self) {
        let now = (self.clock)();
        for connection in self.connections() {
            let certificate = &connection.peer.certificate;
            if now > certificate.not_after {
                connection.close(CloseReason::CertificateExpired { name: certificate.name.clone() });
            }
        }
    }

    pub(super) fn stop(&self, address: SocketAddr) {
        let open: Vec<Arc<Connection>> = {
            let mut live = lock(&self.live);
            live.stopping = true;
            for tcp in live.accepting.values().chain(live.dialing.values().flatten()) {
                // A connection that is closed already is what is wanted.
                drop(tcp.shutdown(Shutdown::Both));
            }
            live.open.values().map(Arc::clone).collect()
        };
        for connection in open {
            connection.close(CloseReason::Stopped);
        }
        // Wakes the acceptor; if even that fails it is because nobody listens any more.
        let ip = match address {
            SocketAddr::V4(v4) if v4.ip().is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(v6) if v6.ip().is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            other => other.ip(),
        };
        drop(TcpStream::connect_timeout(&SocketAddr::new(ip, address.port()), Duration::from_secs(1)));
    }

    /// Waits until the threads of all connections have ended. Those that still look for a host are not waited for: nothing can
    /// wake them, and all that they do afterwards is to end.
    pub(super) fn wait_until_ended(&self) {
        let until = Instant::now() + STOP_TIME;
        let mut live = lock(&self.live);
        while live.threads > 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            live = self.ended.wait_timeout(live, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The thread that accepts.
    pub(super) fn accept(self: &Arc<Service>, listener: &TcpListener) {
        loop {
            let accepted = listener.accept();
            if lock(&self.live).stopping {
                return;
            }
            let begun = accepted.and_then(|(tcp, address)| self.begin(tcp, address));
            if begun.is_err() {
                // Out of file descriptors or threads, most likely: others have to end first.
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }

    fn begin(self: &Arc<Service>, tcp: TcpStream, address: SocketAddr) -> io::Result<()> {
        let tcp = Arc::new(tcp);
        let entry = {
            let mut live = lock(&self.live);
            if live.threads >= self.limits.connections_max + 2 * self.limits.handshakes_max {
                return Ok(());
            }
            if live.accepting.len() >= self.limits.handshakes_max
                && let Some((_, oldest)) = live.accepting.pop_first()
            {
                drop(oldest.shutdown(Shutdown::Both));
            }
            let id = live.next;
            live.next += 1;
            live.threads += 1;
            live.accepting.insert(id, Arc::clone(&tcp));
            Entry { service: Arc::clone(self), id, counted: true }
        };
        let service = Arc::clone(self);
        std::thread::Builder::new()
            .name(format!("endpoint {}", entry.id))
            .stack_size(STACK)
            .spawn(move || service.serve_accepted(&tcp, address, &entry))
            .map(drop)
    }

    fn serve_accepted(self: &Arc<Service>, tcp: &Arc<TcpStream>, address: SocketAddr, entry: &Entry) {
        match self.open_accepted(tcp, address, entry) {
            Ok(connection) => self.run(&connection),
            Err(failure) => {
                linger(tcp);
                if !lock(&self.live).stopping {
                    self.handler.refused(address, failure);
                }
            }
        }
    }

    fn open_accepted(
        &self,
        tcp: &Arc<TcpStream>,
        address: SocketAddr,
        entry: &Entry,
    ) -> Result<Arc<Connection>, Failure> {
        tune(tcp).map_err(|e| Failure::tcp(&e))?;
        let settings = Arc::clone(&lock(&self.live).settings);
        let verifier = Arc::new(self.verifier(&settings, None));
        let mut tls = settings.credentials.accept(&verifier).map_err(|e| verifier.failure(&e))?;
        let far = Far::Client(address.ip());
        let deadline = Instant::now() + self.limits.handshake_time;
        let mut opening = Opening::new(tcp, &verifier, address, &far, deadline);
        let hello = opening.accept(&mut tls)?;
        if let Err(failure) = self.room().and_then(|()| settings.redirect(&hello)) {
            opening.answer(&mut tls, Some(&failure));
            return Err(failure);
        }
        if !opening.answer(&mut tls, None) {
            let gone = io::Error::from(io::ErrorKind::BrokenPipe);
            return Err(Failure::broken(Hop::Preamble, &gone));
        }
        let peer = peer(&verifier, address, None, hello.server_name)?;
        self.admit(tcp, tls, peer, settings, entry)
    }

    fn room(&self) -> Result<(), Failure> {
        let most = self.limits.connections_max;
        if lock(&self.live).open.len() < most { Ok(()) } else { Err(Failure::crowded(most)) }
    }

    fn verifier(&self, settings: &Settings, required_name: Option<String>) -> PinVerifier {
        settings.credentials.verifier(settings.trust.clone(), Arc::clone(&self.clock), required_name)
    }

    /// Enters a connection among those that are open, unless what it was judged by has changed meanwhile.
    fn admit(
        &self,
        tcp: &Arc<TcpStream>,
        tls: rustls::Connection,
        peer: PeerInfo,
        settings: Arc<Settings>,
        entry: &Entry,
    ) -> Result<Arc<Connection>, Failure> {
        let ready = tcp.set_read_timeout(None).and_then(|()| tcp.set_write_timeout(None));
        let tcp = ready.and_then(|()| tcp.try_clone()).map_err(|e| Failure::tcp(&e))?;
        let id = ConnectionId(entry.id);
        let connection = Arc::new(Connection::new(id, peer, settings, tcp, tls, self.limits.queue_bytes_max));
        let objection = {
            let mut live = lock(&self.live);
            live.accepting.remove(&entry.id);
            live.dialing.remove(&entry.id);
            let objection =
                if live.stopping { Some(CloseReason::Stopped) } else { live.settings.objection(&connection) };
            if objection.is_none() {
                live.open.insert(id, Arc::clone(&connection));
            }
            objection
        };
        match objection {
            None => Ok(connection),
            Some(why) => {
                let failure = Failure::new(
                    Hop::Certificate,
                    why.number(),
                    why.to_string(),
                    "the endpoint was changed during the handshake",
                );
                connection.close(why);
                Err(failure)
            }
        }
    }

    /// An open connection, to its end.
    fn run(&self, connection: &Arc<Connection>) {
        let id = connection.id;
        self.handler.opened(id, connection.peer.clone());
        let reason = connection.read_until_closed(&*self.handler);
        lock(&self.live).open.remove(&id);
        self.handler.closed(id, reason);
    }

    pub(super) fn dial(self: &Arc<Service>, key: DialKey, dial: Dial) -> Result<(), Failure> {
        if dial.server_name.as_deref().is_some_and(|n| n.len() > SERVER_NAME_MAX) {
            return Err(Failure::redirect_malformed());
        }
        let entry = {
            let mut live = lock(&self.live);
            if live.stopping {
                let stopped = CloseReason::Stopped;
                return Err(Failure::new(
                    Hop::Tcp,
                    stopped.number(),
                    stopped.to_string(),
                    "the endpoint is stopped",
                ));
            }
            if live.open.len() + live.dialing.len() >= self.limits.connections_max {
                return Err(Failure::crowded(self.limits.connections_max));
            }
            let id = live.next;
            live.next += 1;
            live.dialing.insert(id, None);
            Entry { service: Arc::clone(self), id, counted: false }
        };
        let service = Arc::clone(self);
        std::thread::Builder::new()
            .name(format!("endpoint {}", entry.id))
            .stack_size(STACK)
            .spawn(move || service.serve_dialed(key, dial, entry))
            .map(drop)
            .map_err(|e| Failure::tcp(&e))
    }

    fn serve_dialed(self: &Arc<Service>, key: DialKey, dial: Dial, mut entry: Entry) {
        match self.open_dialed(key, dial, &mut entry) {
            Ok(Some(connection)) => self.run(&connection),
            // Stopped meanwhile: nobody waits for an answer.
            Ok(None) => {}
            Err(failure) => {
                if !lock(&self.live).stopping {
                    self.handler.dial_failed(key, failure);
                }
            }
        }
    }

    fn open_dialed(
        &self,
        key: DialKey,
        dial: Dial,
        entry: &mut Entry,
    ) -> Result<Option<Arc<Connection>>, Failure> {
        let deadline = Instant::now() + dial.timeout;
        let (tcp, address) = connect(&dial, deadline)?;
        tune(&tcp).map_err(|e| Failure::tcp(&e))?;
        let tcp = Arc::new(tcp);
        let settings = {
            let mut live = lock(&self.live);
            if live.stopping {
                return Ok(None);
            }
            live.threads += 1;
            entry.counted = true;
            live.dialing.insert(entry.id, Some(Arc::clone(&tcp)));
            Arc::clone(&live.settings)
        };
        let required_name = dial.require_name.then(|| dial.host.clone());
        let verifier = Arc::new(self.verifier(&settings, required_name));
        let mut tls = settings.credentials.dial(&verifier).map_err(|e| verifier.failure(&e))?;
        let far = Far::Server { host: dial.host, port: dial.port };
        let mut opening = Opening::new(&tcp, &verifier, address, &far, deadline);
        if let Err(failure) = opening.dial(&mut tls, dial.server_name.clone()) {
            linger(&tcp);
            return Err(failure);
        }
        let peer = peer(&verifier, address, Some(key), dial.server_name)?;
        self.admit(&tcp, tls, peer, settings, entry).map(Some)
    }
}

/// Who a verifier has accepted.
fn peer(
    verifier: &PinVerifier,
    address: SocketAddr,
    dialed: Option<DialKey>,
    server_name: Option<String>,
) -> Result<PeerInfo, Failure> {
    // TLS has finished its handshake, so a certificate was shown and accepted. If it was not, nobody comes in.
    let certificate = verifier
        .accepted()
        .ok_or_else(|| Failure::peer_certificate("Certificate not found", "no certificate was shown"))?;
    let thumbprint = Thumbprint::of(&certificate.der);
    Ok(PeerInfo { certificate, thumbprint, address, dialed, server_name })
}

/// The addresses of a host. Names under `localhost` are the machine's own, whatever a name server says (RFC 6761, section
/// 6.3): managed instances of a lab have such names.
fn resolve(dial: &Dial) -> Result<Vec<SocketAddr>, Failure> {
    if dial.host.to_ascii_lowercase().ends_with(".localhost") {
        return Ok(vec![(Ipv4Addr::LOCALHOST, dial.port).into(), (Ipv6Addr::LOCALHOST, dial.port).into()]);
    }
    let found = (dial.host.as_str(), dial.port).to_socket_addrs();
    Ok(found.map_err(|e| Failure::resolve(&dial.host, &e))?.collect())
}

/// The first address of a host that answers.
fn connect(dial: &Dial, deadline: Instant) -> Result<(TcpStream, SocketAddr), Failure> {
    let addresses = resolve(dial)?;
    let mut last = None;
    for (index, address) in addresses.iter().enumerate() {
        // Each gets its share of the time, so that a dead first address does not hide a second that works.
        let left = deadline.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        if share < Duration::from_millis(1) {
            last = Some(io::ErrorKind::TimedOut.into());
            break;
        }
        match TcpStream::connect_timeout(address, share) {
            Ok(tcp) => return Ok((tcp, *address)),
            Err(e) => last = Some(e),
        }
    }
    match last {
        Some(e) => Err(Failure::tcp(&e)),
        None => Err(Failure::resolve(&dial.host, &io::Error::from(io::ErrorKind::NotFound))),
    }
}

/// Small frames leave at once, and a peer whose machine is gone is noticed even if nothing is sent.
fn tune(tcp: &TcpStream) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    sockopt::set_socket_keepalive(tcp, true)?;
    sockopt::set_tcp_keepidle(tcp, Duration::from_secs(10))?;
    sockopt::set_tcp_keepintvl(tcp, Duration::from_secs(5))?;
    sockopt::set_tcp_keepcnt(tcp, 3)?;
    Ok(())
}
