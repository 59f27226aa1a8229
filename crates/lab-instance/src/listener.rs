//! Listening, and the life of an instance.

use std::collections::BTreeMap;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use lab_engine::{OpenError, Server, ServerConfig};
use lab_store::{Disk, RealDisk};
use lab_tds::ServerEncryption;

use crate::answer::lock;
use crate::connection::{Shared, serve};
use crate::control::Control;
use crate::hadr::Hadr;

/// What an instance is started with.
#[derive(Debug, Clone)]
pub struct InstanceConfig {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What is encrypted.
    pub encryption: ServerEncryption,
    /// Where the mirroring endpoint listens, whatever port it is said to have: for an instance behind something that has
    /// that port and passes on what comes there, as the lab's wire does.
    pub endpoint_listen: Option<SocketAddr>,
    /// The engine's part.
    pub server: ServerConfig,
}

/// Why an instance could not start.
#[derive(Debug)]
pub enum StartError {
    /// The data folder.
    Open(OpenError),
    /// The certificate.
    Certificate(String),
    /// The address.
    Listen(SocketAddr, io::Error),
    /// The availability groups.
    Hadr(String),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StartError::Open(e) => e.fmt(f),
            StartError::Certificate(e) | StartError::Hadr(e) => f.write_str(e),
            StartError::Listen(address, e) => write!(f, "cannot listen on {address}: {e}"),
        }
    }
}

impl std::error::Error for StartError {}

/// A running instance. Dropping it does not stop it.
#[derive(Debug)]
pub struct Instance {
    address: SocketAddr,
    hadr: Option<Arc<Hadr>>,
    server: Arc<Server>,
    live: Arc<Live>,
    acceptor: std::thread::JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Live {
    stopping: AtomicBool,
    next: AtomicU64,
    connections: Mutex<BTreeMap<u64, TcpStream>>,
}

/// Connections that may be on their way through the login beside the sessions.
const LOGGING_IN: usize = 64;
/// Room for a parser that recurses, and for SQLite.
const STACK: usize = 8 * 1024 * 1024;
/// How long stopping waits for requests that run.
const STOP_TIME: Duration = Duration::from_secs(5);

impl Instance {
    /// Opens the data folder, recovers its databases, and listens.
    ///
    /// # Errors
    /// The folder, the certificate or the address cannot be used.
    pub fn start(config: InstanceConfig) -> Result<Instance, StartError> {
        Instance::start_on(config, Arc::new(RealDisk))
    }

    /// As [`Instance::start`], on a disk that may fail.
    ///
    /// # Errors
    /// The folder, the certificate or the address cannot be used.
    pub fn start_on(config: InstanceConfig, disk: Arc<dyn Disk>) -> Result<Instance, StartError> {
        let listener = TcpListener::bind(config.listen).map_err(|e| StartError::Listen(config.listen, e))?;
        let address = listener.local_addr().map_err(|e| StartError::Listen(config.listen, e))?;
        let data_dir = config.server.data_dir.clone();
        let server_name = config.server.server_name.clone();
        let most = config.server.max_sessions + LOGGING_IN;
        let server = Server::open_on(config.server, disk).map_err(StartError::Open)?;
        let hadr = if server.hadr_enabled() {
            Some(Hadr::start(&server, config.endpoint_listen).map_err(StartError::Hadr)?)
        } else {
            None
        };
        let names = vec!["localhost".to_owned(), address.ip().to_string(), server_name.clone()];
        let tls = crate::certificate::load_or_make(&data_dir, &names).map_err(StartError::Certificate)?;
        let shared =
            Arc::new(Shared { server: Arc::clone(&server), tls, encryption: config.encryption, server_name });
        let live = Arc::new(Live::default());
        let accepting = Arc::clone(&live);
        let acceptor = std::thread::Builder::new()
            .name("accept".to_owned())
            .spawn(move || accept(&listener, &shared, &accepting, most))
            .map_err(|e| StartError::Listen(config.listen, e))?;
        Ok(Instance { address, hadr, server, live, acceptor })
    }

    /// What the service that owns a managed instance does with it; nothing without Always On.
    pub fn control(&self) -> Option<Control> {
        let hadr = Arc::clone(self.hadr.as_ref()?);
        Some(Control::new(Arc::clone(&self.server), hadr))
    }

    /// The engine, for what runs in the same process.
    pub fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops listening, ends every connection and waits for what runs. Nothing acknowledged depends on it: the log has it.
    pub fn stop(self) {
        self.live.stopping.store(true, Ordering::Release);
        // Wakes the acceptor; if even that fails it is because nobody listens any more.
        drop(TcpStream::connect_timeout(&self.address, Duration::from_secs(1)));
        for tcp in lock(&self.live.connections).values() {
            // A connection that is closed already is what is wanted.
            drop(tcp.shutdown(Shutdown::Both));
        }
        let until = Instant::now() + STOP_TIME;
        while !lock(&self.live.connections).is_empty() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        drop(self.acceptor.join());
        if let Some(hadr) = self.hadr {
            hadr.stop();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>, live: &Arc<Live>, most: usize) {
    loop {
        let accepted = listener.accept();
        if live.stopping.load(Ordering::Acquire) {
            return;
        }
        let Ok((tcp, _)) = accepted else {
            // Out of file descriptors, most likely: others have to end first.
            std::thread::sleep(Duration::from_millis(50));
            continue;
        };
        if lock(&live.connections).len() >= most
            || tcp.set_nodelay(true).is_err()
            || rustix::net::sockopt::set_socket_keepalive(&tcp, true).is_err()
        {
            continue;
        }
        let Ok(known) = tcp.try_clone() else { continue };
        let id = live.next.fetch_add(1, Ordering::Relaxed);
        lock(&live.connections).insert(id, known);
        let (shared, ending) = (Arc::clone(shared), Gone { live: Arc::clone(live), id });
        let spawned =
            std::thread::Builder::new().name(format!("connection {id}")).stack_size(STACK).spawn(move || {
                let _ending = ending;
                serve(tcp, &shared);
            });
        if spawned.is_err() {
            // The connection's guard went with the closure that never ran.
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Takes a connection off the list when its thread ends, also by a panic.
struct Gone {
    live: Arc<Live>,
    id: u64,
}

impl Drop for Gone {
    fn drop(&mut self) {
        lock(&self.live.connections).remove(&self.id);
    }
}
