//! How long a small frame takes over the loopback address and back: what a synchronous commit pays beside its disk.
//!
//! `cargo run --release -p lab-instance --example endpoint_ping [ROUNDS [BYTES]]`

use std::error::Error;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use lab_instance::endpoint::{
    CloseReason, ConnectionId, Dial, DialError, DialKey, Endpoint, EndpointConfig, Handler, Identity,
    PeerInfo, PinnedCertificate, Trust,
};

/// Sends back what comes.
#[derive(Default)]
struct Echo {
    endpoint: OnceLock<Arc<Endpoint>>,
}

impl Handler for Echo {
    fn opened(&self, _: ConnectionId, _: PeerInfo) {}

    fn frame(&self, connection: ConnectionId, payload: Vec<u8>) {
        if let Some(endpoint) = self.endpoint.get() {
            // A connection that has ended needs no echo.
            let _ = endpoint.send(connection, payload);
        }
    }

    fn closed(&self, _: ConnectionId, _: CloseReason) {}

    fn dial_failed(&self, _: DialKey, _: DialError) {}
}

/// Sends, waits for the echo, and sends again, all on the reader's thread, as replicas do.
struct Ping {
    endpoint: OnceLock<Arc<Endpoint>>,
    state: std::sync::Mutex<(Instant, Vec<Duration>)>,
    rounds: usize,
    payload: Vec<u8>,
    done: Sender<Vec<Duration>>,
}

impl Ping {
    fn send(&self, connection: ConnectionId) {
        if let (Some(endpoint), Ok(mut state)) = (self.endpoint.get(), self.state.lock()) {
            state.0 = Instant::now();
            drop(state);
            let _ = endpoint.send(connection, self.payload.clone());
        }
    }
}

impl Handler for Ping {
    fn opened(&self, connection: ConnectionId, _: PeerInfo) {
        self.send(connection);
    }

    fn frame(&self, connection: ConnectionId, _: Vec<u8>) {
        let whole = match self.state.lock() {
            Ok(mut state) => {
                let took = state.0.elapsed();
                state.1.push(took);
                (state.1.len() == self.rounds).then(|| std::mem::take(&mut state.1))
            }
            Err(_) => return,
        };
        match whole {
            Some(times) => drop(self.done.send(times)),
            None => self.send(connection),
        }
    }

    fn closed(&self, _: ConnectionId, _: CloseReason) {}

    fn dial_failed(&self, _: DialKey, _: DialError) {}
}

fn identity(name: &str) -> Result<Identity, Box<dyn Error>> {
    let made = rcgen::generate_simple_self_signed([name.to_owned()])?;
    Ok(Identity {
        certificate_der: made.cert.der().to_vec(),
        private_key_pkcs8: made.signing_key.serialize_der(),
    })
}

fn config(own: &Identity, peer: &Identity) -> EndpointConfig {
    let mut config = EndpointConfig::new(SocketAddr::from(([127, 0, 0, 1], 0)), own.clone());
    config.trust = Trust::new(vec![PinnedCertificate {
        name: "peer".to_owned(),
        der: peer.certificate_der.clone(),
        not_before: SystemTime::UNIX_EPOCH,
        not_after: SystemTime::now() + Duration::from_hours(1),
    }]);
    config
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let rounds = arguments.next().map_or(Ok(50_000), |a| a.parse::<usize>())?.max(1);
    let bytes = arguments.next().map_or(Ok(200), |a| a.parse::<usize>())?;
    let (one, other) = (identity("one")?, identity("other")?);
    let echo = Arc::new(Echo::default());
    let echoing = Arc::new(Endpoint::start(config(&one, &other), Arc::<Echo>::clone(&echo))?);
    drop(echo.endpoint.set(Arc::clone(&echoing)));
    let (done, times) = channel();
    let ping = Arc::new(Ping {
        endpoint: OnceLock::new(),
        state: std::sync::Mutex::new((Instant::now(), Vec::with_capacity(rounds))),
        rounds,
        payload: vec![7; bytes],
        done,
    });
    let pinging = Arc::new(Endpoint::start(config(&other, &one), Arc::<Ping>::clone(&ping))?);
    drop(ping.endpoint.set(Arc::clone(&pinging)));
    pinging.dial(
        DialKey(1),
        Dial {
            host: "127.0.0.1".to_owned(),
            port: echoing.address().port(),
            server_name: None,
            require_name: false,
            timeout: Duration::from_secs(10),
        },
    )?;
    let mut times = times.recv()?;
    times.sort();
    let at = |part: f64| times.get(((times.len() - 1) as f64 * part) as usize).copied().unwrap_or_default();
    let total: Duration = times.iter().sum();
    writeln!(
        std::io::stdout(),
        "{bytes} bytes there and back, {} rounds: p50 {:?}, p99 {:?}, max {:?}, {:.1} MB/s each way",
        times.len(),
        at(0.5),
        at(0.99),
        at(1.0),
        (bytes * times.len()) as f64 / total.as_secs_f64() / 1e6,
    )?;
    pinging.stop();
    echoing.stop();
    Ok(())
}
