//! What an endpoint is told, and may be told anew while it runs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::connection::Connection;
use super::failure::{CloseReason, EndpointError, Failure};
use super::preamble::Hello;
use super::tls::{Clock, Credentials};
use super::trust::{Identity, Trust, same_name};

/// Which servers stand behind an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redirects {
    /// This one, whatever name a dialer gives (SQL Server).
    Ignored,
    /// These names, one of which must be given: `;Server=[name]` in the URL (a managed instance).
    Names(Vec<String>),
}

/// How much an endpoint takes on.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Open connections, accepted and dialed.
    pub connections_max: usize,
    /// Accepted connections that have not finished their handshake. One more pushes the oldest out, so that somebody who
    /// only connects keeps nobody out.
    pub handshakes_max: usize,
    /// The time that a handshake may take.
    pub handshake_time: Duration,
    /// Bytes that may wait to be sent on a connection; one more frame closes it.
    pub queue_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections_max: 256,
            handshakes_max: 32,
            handshake_time: Duration::from_secs(10),
            queue_bytes_max: 128 << 20,
        }
    }
}

/// What an endpoint is started with.
#[derive(Clone)]
pub struct EndpointConfig {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What it shows.
    pub identity: Identity,
    /// Whom it accepts.
    pub trust: Trust,
    /// Which servers stand behind it.
    pub redirects: Redirects,
    /// The clock by which certificates are valid.
    pub clock: Clock,
    /// How much it takes on.
    pub limits: Limits,
}

impl EndpointConfig {
    /// An endpoint of a SQL Server that trusts nobody yet, by the clock of the machine.
    pub fn new(listen: SocketAddr, identity: Identity) -> EndpointConfig {
        EndpointConfig {
            listen,
            identity,
            trust: Trust::default(),
            redirects: Redirects::Ignored,
            clock: Arc::new(SystemTime::now),
            limits: Limits::default(),
        }
    }
}

impl std::fmt::Debug for EndpointConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EndpointConfig")
            .field("listen", &self.listen)
            .field("identity", &self.identity)
            .field("trust", &self.trust)
            .field("redirects", &self.redirects)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// The part that may change while connections are open.
pub(super) struct Settings {
    identity: Identity,
    pub(super) credentials: Credentials,
    pub(super) trust: Trust,
    redirects: Redirects,
}

impl Settings {
    pub(super) fn new(
        identity: Identity,
        trust: Trust,
        redirects: Redirects,
    ) -> Result<Settings, EndpointError> {
        let credentials = Credentials::new(&identity)?;
        Ok(Settings { identity, credentials, trust, redirects })
    }

    /// Whether the server that a dialer wants is here.
    pub(super) fn redirect(&self, hello: &Hello) -> Result<(), Failure> {
        match (&self.redirects, hello.server_name.as_deref()) {
            (Redirects::Ignored, _) => Ok(()),
            (Redirects::Names(_), None) => Err(Failure::redirect_empty()),
            (Redirects::Names(names), Some(wanted)) => {
                if names.iter().any(|n| same_name(n, wanted)) {
                    Ok(())
                } else {
                    Err(Failure::redirect_unknown(wanted))
                }
            }
        }
    }

    /// Why a connection that other settings let in may not stay.
    pub(super) fn objection(&self, connection: &Connection) -> Option<CloseReason> {
        if self.identity != connection.settings.identity {
            return Some(CloseReason::IdentityReplaced);
        }
        let certificate = &connection.peer.certificate;
        (!self.trust.contains(&certificate.der))
            .then(|| CloseReason::CertificateRemoved { name: certificate.name.clone() })
    }
}
