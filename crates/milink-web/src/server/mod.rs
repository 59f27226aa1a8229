//! Listening, TLS, and stopping in order.

mod tls;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use milink_ops::audit::AuditError;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use crate::app::App;
use crate::connect::Connect;
use crate::options::Options;

/// Connections at the same time; more wait in the system's queue.
const CONNECTIONS_MAX: usize = 1024;
/// How long a client may take for its TLS handshake and for the headers of a request.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long answers that are under way may take once the server stops.
const STOP_MAX: Duration = Duration::from_secs(5);

/// Why it cannot be served.
#[derive(Debug)]
pub enum ServeError {
    /// The address cannot be listened on.
    Listen(SocketAddr, io::Error),
    /// An address that others reach, without TLS.
    NoTls(SocketAddr),
    /// An address that others reach, without a way to sign in.
    NoSignIn(SocketAddr),
    /// Nobody knows under which name browsers come.
    NoName(SocketAddr),
    /// A file that was named cannot be used.
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// What was said of the OpenID provider cannot be used.
    Oidc(String),
    /// The audit log cannot be used.
    Audit(AuditError),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServeError::Listen(address, e) => write!(f, "{address} cannot be listened on: {e}"),
            ServeError::NoTls(address) => write!(
                f,
                "{address} can be reached by others, and without TLS what they type and the session itself could be read: give --tls-cert and --tls-key, or listen on 127.0.0.1"
            ),
            ServeError::NoSignIn(address) => write!(
                f,
                "{address} can be reached by others, and nobody has said who may sign in: give --password-file or --oidc-issuer, or listen on 127.0.0.1"
            ),
            ServeError::NoName(address) => write!(
                f,
                "nobody has said under which name browsers reach {address}: give --host, or a certificate that names its host"
            ),
            ServeError::File { path, why } => write!(f, "{}: {why}", path.display()),
            ServeError::Oidc(why) => f.write_str(why),
            ServeError::Audit(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for ServeError {}

/// A server that listens, and does not answer yet.
pub struct Server {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    address: SocketAddr,
    stop: watch::Sender<bool>,
}

impl Server {
    /// Binds the address and prepares everything. There must be a runtime.
    ///
    /// # Errors
    /// What was asked for cannot be done, or is not safe.
    pub async fn bind(options: &Options, contexts: &Arc<dyn Connect>) -> Result<Server, ServeError> {
        let failed = |e| ServeError::Listen(options.listen, e);
        let tls = options.tls.as_ref().map(tls::acceptor).transpose()?;
        let listener = TcpListener::bind(options.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (stop, stopping) = watch::channel(false);
        let app = App::new(options, address, contexts, stopping)?;
        Ok(Server { listener, tls, router: app.router(), address, stop })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `until` is over; then it takes no more connections, ends the streams, and lets other answers finish.
    pub async fn run(self, until: impl Future<Output = ()>) {
        let graceful = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let accept = async {
            loop {
                let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
                let (stream, from) = match self.listener.accept().await {
                    Ok(accepted) => accepted,
                    // Out of files, or a client that has gone already: the next may be better, but not at once.
                    Err(_) => {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                };
                let (router, tls, watcher) = (self.router.clone(), self.tls.clone(), graceful.watcher());
                tokio::spawn(async move {
                    // A client that goes away or speaks something else is its own affair.
                    drop(connection(stream, from, router, tls, watcher).await);
                    drop(place);
                });
            }
        };
        tokio::select! {
            () = accept => {}
            () = until => {}
        }
        self.stop.send_replace(true);
        drop(self.listener);
        // Who has not finished by then is cut off with the process.
        drop(tokio::time::timeout(STOP_MAX, graceful.shutdown()).await);
    }
}

type Failed = Box<dyn std::error::Error + Send + Sync>;

async fn connection(
    stream: TcpStream,
    from: SocketAddr,
    router: Router,
    tls: Option<TlsAcceptor>,
    watcher: hyper_util::server::graceful::Watcher,
) -> Result<(), Failed> {
    // Small answers and events must not wait for more.
    stream.set_nodelay(true)?;
    let service = TowerToHyperService::new(router.layer(Extension(ConnectInfo(from))));
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(PATIENCE).keep_alive(true);
    match tls {
        Some(tls) => {
            let stream = tokio::time::timeout(PATIENCE, tls.accept(stream)).await??;
            watcher.watch(http.serve_connection(TokioIo::new(stream), service)).await?;
        }
        None => watcher.watch(http.serve_connection(TokioIo::new(stream), service)).await?,
    }
    Ok(())
}
