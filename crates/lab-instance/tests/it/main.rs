//! Endpoints as their peers see them: friends, strangers and enemies.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod certificates;
mod enemies;
mod groups;
mod labs;
mod links;
mod proxy;
mod strangers;
mod traffic;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use lab_instance::endpoint::{
    CloseReason, ConnectionId, Dial, DialError, DialKey, Endpoint, EndpointConfig, Failure, Handler,
    Identity, PeerInfo, PinnedCertificate, Redirects, Trust,
};

/// How long a test waits for something that must come.
const PATIENCE: Duration = Duration::from_secs(20);
/// The time of the tests' clock: 2025-01-01.
const NOW: i64 = 1_735_689_600;
const DAY: i64 = 86_400;

/// What an endpoint told its owner.
#[derive(Debug)]
enum Event {
    Opened(ConnectionId, PeerInfo),
    Frame(Vec<u8>),
    Closed(CloseReason),
    DialFailed(DialKey, DialError),
    Refused(Failure),
}

/// Tells everything to the test.
struct Recorder(Mutex<Sender<Event>>);

impl Recorder {
    fn tell(&self, event: Event) {
        // A test that is over does not listen any more.
        let _ = self.0.lock().unwrap().send(event);
    }
}

impl Handler for Recorder {
    fn opened(&self, connection: ConnectionId, peer: PeerInfo) {
        self.tell(Event::Opened(connection, peer));
    }
    fn frame(&self, _: ConnectionId, payload: Vec<u8>) {
        self.tell(Event::Frame(payload));
    }
    fn closed(&self, _: ConnectionId, reason: CloseReason) {
        self.tell(Event::Closed(reason));
    }
    fn dial_failed(&self, key: DialKey, error: DialError) {
        self.tell(Event::DialFailed(key, error));
    }
    fn refused(&self, _: SocketAddr, failure: Failure) {
        self.tell(Event::Refused(failure));
    }
}

/// A clock that tests move.
#[derive(Clone)]
struct TestClock(Arc<AtomicI64>);

impl TestClock {
    fn set(&self, seconds: i64) {
        self.0.store(seconds, Ordering::SeqCst);
    }
}

fn at(seconds: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds as u64)
}

/// An endpoint and what it says.
struct Party {
    endpoint: Endpoint,
    events: Receiver<Event>,
    identity: Identity,
    clock: TestClock,
}

impl Party {
    fn start(identity: &Identity, trust: Vec<PinnedCertificate>) -> Party {
        Party::start_with(identity, trust, |_| {})
    }

    fn start_with(
        identity: &Identity,
        trust: Vec<PinnedCertificate>,
        change: impl FnOnce(&mut EndpointConfig),
    ) -> Party {
        let (sender, events) = channel();
        let clock = TestClock(Arc::new(AtomicI64::new(NOW)));
        let mut config = EndpointConfig::new(SocketAddr::from(([127, 0, 0, 1], 0)), identity.clone());
        config.trust = Trust::new(trust);
        config.limits.handshake_time = Duration::from_secs(5);
        let reading = clock.clone();
        config.clock = Arc::new(move || at(reading.0.load(Ordering::SeqCst)));
        change(&mut config);
        let endpoint = Endpoint::start(config, Arc::new(Recorder(Mutex::new(sender)))).unwrap();
        Party { endpoint, events, identity: identity.clone(), clock }
    }

    fn trust(&self, trust: Vec<PinnedCertificate>) {
        self.endpoint.reconfigure(self.identity.clone(), Trust::new(trust), Redirects::Ignored).unwrap();
    }

    fn next(&self) -> Event {
        self.events.recv_timeout(PATIENCE).unwrap()
    }

    fn opened(&self) -> (ConnectionId, PeerInfo) {
        match self.next() {
            Event::Opened(id, peer) => (id, peer),
            other => panic!("not opened: {other:?}"),
        }
    }

    fn frame(&self) -> Vec<u8> {
        match self.next() {
            Event::Frame(frame) => frame,
            other => panic!("no frame: {other:?}"),
        }
    }

    fn closed(&self) -> CloseReason {
        match self.next() {
            Event::Closed(reason) => reason,
            other => panic!("not closed: {other:?}"),
        }
    }

    fn dial_failed(&self) -> DialError {
        match self.next() {
            Event::DialFailed(_, error) => error,
            other => panic!("dialing did not fail: {other:?}"),
        }
    }

    fn refused(&self) -> Failure {
        match self.next() {
            Event::Refused(failure) => failure,
            other => panic!("nobody was refused: {other:?}"),
        }
    }

    fn dial(&self, to: SocketAddr) {
        self.dial_with(to, |_| {});
    }

    fn dial_with(&self, to: SocketAddr, change: impl FnOnce(&mut Dial)) {
        let mut dial = Dial {
            host: to.ip().to_string(),
            port: to.port(),
            server_name: None,
            require_name: false,
            timeout: Duration::from_secs(5),
        };
        change(&mut dial);
        self.endpoint.dial(DialKey(7), dial).unwrap();
    }
}

impl Drop for Party {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.endpoint.stop();
        }
    }
}

/// A certificate with its key.
#[derive(Clone)]
struct Made {
    identity: Identity,
    not_before: i64,
    not_after: i64,
}

impl Made {
    fn pin(&self, name: &str) -> PinnedCertificate {
        PinnedCertificate {
            name: name.to_owned(),
            der: self.identity.certificate_der.clone(),
            not_before: at(self.not_before),
            not_after: at(self.not_after),
        }
    }
}

/// A self-signed certificate that is valid around [`NOW`].
fn make(subject: &str) -> Made {
    make_with(subject, -DAY, DAY, None)
}

fn make_with(subject: &str, from: i64, until: i64, serial: Option<u64>) -> Made {
    let mut parameters = rcgen::CertificateParams::new(vec![subject.to_owned()]).unwrap();
    parameters.distinguished_name.push(rcgen::DnType::CommonName, subject);
    parameters.serial_number = serial.map(Into::into);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    Made {
        identity: Identity {
            certificate_der: certificate.der().to_vec(),
            private_key_pkcs8: key.serialize_der(),
        },
        not_before: NOW + from,
        not_after: NOW + until,
    }
}

/// Two endpoints that trust each other, and a connection between them.
fn connected() -> (Party, Party, ConnectionId, ConnectionId) {
    let (one, other) = (make("one"), make("other"));
    let dialer = Party::start(&one.identity, vec![other.pin("other")]);
    let acceptor = Party::start(&other.identity, vec![one.pin("one")]);
    dialer.dial(acceptor.endpoint.address());
    let (from, _) = dialer.opened();
    let (to, _) = acceptor.opened();
    (dialer, acceptor, from, to)
}
