//! What `milink serve` is told.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use milink_core::secret::Secret;

/// How to serve.
#[derive(Clone)]
pub struct Options {
    /// Where to listen. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Certificate and key; without them it is HTTP, and only on loopback.
    pub tls: Option<TlsFiles>,
    /// Names under which browsers may come, beside the address itself and the names in the certificate.
    pub hosts: Vec<String>,
    /// Who may sign in by password: lines of `name role hash`.
    pub password_file: Option<PathBuf>,
    /// Sign-in at Entra or another OpenID provider.
    pub oidc: Option<OidcOptions>,
    /// What a monitor sends as a bearer token to read `/metrics` without a session.
    pub metrics_token: Option<Secret>,
    /// The audit log's file.
    pub audit: PathBuf,
    /// How often each context is looked at while somebody watches it.
    pub every: Duration,
    /// Who is told what a user must see: the one-time addresses.
    pub announce: Arc<dyn Fn(&Announcement) + Send + Sync>,
}

/// A certificate chain and its key, as PEM files.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// The key.
    pub key: PathBuf,
}

/// An OpenID provider.
#[derive(Debug, Clone)]
pub struct OidcOptions {
    /// Its issuer: `https://login.microsoftonline.com/<tenant>/v2.0`.
    pub issuer: String,
    /// This application's id there.
    pub client_id: String,
    /// This application's secret there.
    pub client_secret: Option<Secret>,
    /// The address that browsers have for this server: `https://milink.example.com`.
    pub public_url: String,
    /// A CA beside the ones that are built in, for the provider.
    pub ca_file: Option<PathBuf>,
    /// The value of the claim `roles` that makes an operator.
    pub operator_role: String,
    /// The value of the claim `roles` that makes a reader.
    pub reader_role: String,
}

/// Something that must be shown to who started the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Announcement {
    /// It listens.
    Listening {
        /// Where.
        url: String,
    },
    /// An address that signs in one browser, once. Whoever has it is an operator.
    SignIn {
        /// The address.
        url: String,
    },
}
