//! Starting and stopping.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{mpsc, watch};

use crate::authority::Authority;
use crate::clock::now_ms;
use crate::config::{AzureConfig, Names};
use crate::context::Estate;
use crate::core::{Core, Parts, accounts};
use crate::folder::{Folder, FolderError};
use crate::server::serve;

/// Why the endpoints could not start.
#[derive(Debug)]
pub enum StartError {
    /// The data folder cannot be used.
    Folder(FolderError),
    /// The address cannot be listened on.
    Listen(SocketAddr, io::Error),
    /// There is no thread to be had.
    Thread(io::Error),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StartError::Folder(e) => e.fmt(f),
            StartError::Listen(address, e) => write!(f, "cannot listen on {address}: {e}"),
            StartError::Thread(e) => write!(f, "cannot start the endpoint's thread: {e}"),
        }
    }
}

impl std::error::Error for StartError {}

/// Somebody who can sign in.
#[derive(Clone, PartialEq, Eq)]
pub struct Principal {
    /// What a lab calls it: `contributor`, `reader`, `without-...`.
    pub name: String,
    /// The id to sign in with.
    pub client_id: String,
    /// The secret to sign in with.
    pub client_secret: String,
    /// What it may do.
    pub role: String,
}

impl std::fmt::Debug for Principal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Principal { name, client_id, client_secret: _, role } = self;
        f.debug_struct("Principal")
            .field("name", name)
            .field("client_id", client_id)
            .field("client_secret", &"***")
            .field("role", role)
            .finish()
    }
}

/// The running endpoints.
#[derive(Debug)]
pub struct Azure {
    address: SocketAddr,
    host_name: String,
    names: Names,
    ca_file: PathBuf,
    bundle_file: PathBuf,
    principals: Vec<Principal>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Azure {
    /// Reads what is kept, takes operations up again that had not ended, and serves.
    ///
    /// # Errors
    /// The folder or the address cannot be used.
    pub fn start(config: AzureConfig) -> Result<Azure, StartError> {
        let listening = |e| StartError::Listen(config.listen, e);
        let folder = Folder::open(config.data.clone()).map_err(StartError::Folder)?;
        let now = now_ms() as u64 / 1000;
        let authority = Authority::open(&folder, &config.host_name, now).map_err(StartError::Folder)?;
        let accounts = accounts(&folder).map_err(StartError::Folder)?;
        let principals = accounts
            .iter()
            .map(|a| Principal {
                name: a.name.clone(),
                client_id: a.client_id.clone(),
                client_secret: a.client_secret.clone(),
                role: a.kind.title(),
            })
            .collect();
        let (started, operations) = mpsc::unbounded_channel();
        let core = Core::open(Parts {
            estate: Estate {
                names: config.names.clone(),
                managed: config.managed,
                timing: config.timing,
                accounts,
            },
            faults: config.faults,
            log: config.log,
            certificate: authority.server_der,
            instance: config.instance,
            folder,
            started,
        });
        let core = Arc::new(core.map_err(StartError::Folder)?);
        let listener = std::net::TcpListener::bind(config.listen).map_err(listening)?;
        listener.set_nonblocking(true).map_err(listening)?;
        let address = listener.local_addr().map_err(listening)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("azure")
            .enable_all()
            .build()
            .map_err(StartError::Thread)?;
        let listener = {
            let _entered = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(listening)?
        };
        let (stop, stopped) = watch::channel(false);
        let tls = authority.tls;
        let thread = std::thread::Builder::new()
            .name("azure".to_owned())
            .spawn(move || runtime.block_on(serve(core, listener, tls, operations, stopped)))
            .map_err(StartError::Thread)?;
        Ok(Azure {
            address,
            host_name: config.host_name,
            names: config.names,
            ca_file: authority.ca_file,
            bundle_file: authority.bundle_file,
            principals,
            stop,
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address that clients are given, for Resource Manager and directory alike: `https://localhost:port`.
    pub fn endpoint(&self) -> String {
        format!("https://{}:{}", self.host_name, self.address.port())
    }

    /// What things are called.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The certificate of the lab's authority, in PEM.
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// The same together with the authorities that this machine trusts: for variables that replace a client's own.
    pub fn bundle_file(&self) -> &Path {
        &self.bundle_file
    }

    /// Who can sign in; the contributor is first.
    pub fn principals(&self) -> &[Principal] {
        &self.principals
    }

    /// Stops serving, once the answers that are on their way have been given. Operations that run are taken up again at the
    /// next start.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A panic in it was reported where it happened.
            let _ = thread.join();
        }
    }
}

impl Drop for Azure {
    fn drop(&mut self) {
        self.end();
    }
}
