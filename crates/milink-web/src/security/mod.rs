//! Who may come in, and what may be asked for.
//!
//! Two layers. [`outermost`] is around everything but `/healthz`: the `Host` check (a page of somebody else's that has this address under
//! its own name must not be answered) and the headers. [`guard`] is around all that needs a session: without one a page goes to sign-in and
//! the API answers 401; every request that is not GET or HEAD must carry the session's CSRF token, needs the role operator unless it is one
//! of [`READERS_MAY`], and is written into the audit log before it is carried out and after. `/metrics` also takes a monitor's bearer token.

mod csrf;
mod guard;
mod headers;
mod host;
mod oidc;
mod password;
mod random;
mod rate;
mod session;
pub(crate) mod sign_in;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Uri};
use milink_core::secret::Secret;
use subtle::ConstantTimeEq as _;

pub(crate) use guard::{cookies, guard, outermost};
pub(crate) use session::{Role, Session};

use crate::options::{Announcement, Options};
use crate::server::ServeError;
use host::Hosts;
use oidc::Oidc;
use password::Passwords;
use rate::RateLimit;
use session::Sessions;
use sign_in::Codes;

pub use password::hash_password;

/// What is asked for by POST and changes nothing but the visitor's own view.
pub(crate) const READERS_MAY: [&str; 2] = ["/sign-out", "/theme"];

/// What guards the server.
pub(crate) struct Security {
    /// `http://127.0.0.1:8080`, without a slash at the end.
    pub(crate) base_url: String,
    /// Whether everything goes over TLS.
    pub(crate) tls: bool,
    pub(crate) sessions: Sessions,
    pub(crate) codes: Codes,
    pub(crate) hosts: Hosts,
    pub(crate) passwords: Option<Passwords>,
    pub(crate) oidc: Option<Oidc>,
    pub(crate) sign_in_limit: RateLimit,
    metrics_token: Option<Secret>,
    /// One-time addresses are for the machine itself.
    one_time: bool,
    announce: Arc<dyn Fn(&Announcement) + Send + Sync>,
}

impl Security {
    /// As the options say, if that is safe.
    ///
    /// # Errors
    /// An address that is not of this machine alone, without TLS or without a way to sign in; a file that cannot be read.
    pub(crate) fn of(options: &Options, address: SocketAddr) -> Result<Security, ServeError> {
        let loopback = address.ip().is_loopback();
        let passwords = options.password_file.as_deref().map(Passwords::read).transpose()?;
        if !loopback {
            if options.tls.is_none() {
                return Err(ServeError::NoTls(address));
            }
            if passwords.is_none() && options.oidc.is_none() {
                return Err(ServeError::NoSignIn(address));
            }
        }
        let oidc = options.oidc.as_ref().map(Oidc::of).transpose()?;
        let hosts = Hosts::of(options, address)?;
        let scheme = if options.tls.is_some() { "https" } else { "http" };
        Ok(Security {
            base_url: format!("{scheme}://{}", hosts.first()),
            tls: options.tls.is_some(),
            sessions: Sessions::default(),
            codes: Codes::default(),
            hosts,
            passwords,
            oidc,
            sign_in_limit: RateLimit::new(),
            metrics_token: options.metrics_token.clone(),
            one_time: loopback,
            announce: Arc::clone(&options.announce),
        })
    }

    /// Shows a new one-time address to who started the server, if there are such addresses.
    pub(crate) fn announce_code(&self) {
        if self.one_time {
            let url = format!("{}/sign-in/once?code={}", self.base_url, self.codes.issue());
            (self.announce)(&Announcement::SignIn { url });
        }
    }

    /// Whether a request is a monitor's, which has no session.
    fn is_monitor(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let given =
            headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(|v| v.strip_prefix("Bearer "));
        let (Some(wanted), Some(given)) = (&self.metrics_token, given) else { return false };
        uri.path() == "/metrics"
            && !wanted.is_empty()
            && bool::from(wanted.expose().as_bytes().ct_eq(given.as_bytes()))
    }

    /// Whether there are one-time addresses.
    pub(crate) fn has_codes(&self) -> bool {
        self.one_time
    }
}
