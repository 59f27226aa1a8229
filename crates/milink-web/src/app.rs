//! All that handlers need, and the router that is made of all pages.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::get;
use tokio::sync::watch;
use tower_http::compression::CompressionLayer;

use crate::audit::Audit;
use crate::connect::Connect;
use crate::options::{Announcement, Options};
use crate::security::{self, Security};
use crate::server::ServeError;
use crate::state::Hub;
use crate::{api, assets, events, pages};

/// The largest body that is read: a form of the wizard with all its databases is far below.
const BODY_BYTES_MAX: usize = 1 << 20;

/// The server's state: cheap to clone, the same for all requests.
#[derive(Clone)]
pub(crate) struct App(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) hub: Hub,
    pub(crate) security: Security,
    pub(crate) audit: Audit,
    stop: watch::Receiver<bool>,
}

impl std::ops::Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Inner {
    /// Says when the server stops; streams end then.
    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.stop.clone()
    }
}

impl App {
    /// Prepares everything and begins to watch the contexts. `address` is where it is listened.
    ///
    /// # Errors
    /// What the options say cannot be done, or is not safe.
    pub(crate) fn new(
        options: &Options,
        address: SocketAddr,
        contexts: &Arc<dyn Connect>,
        stop: watch::Receiver<bool>,
    ) -> Result<App, ServeError> {
        let security = Security::of(options, address)?;
        let audit = Audit::open(&options.audit).map_err(ServeError::Audit)?;
        let hub = Hub::start(contexts, options.every, &stop);
        let app = App(Arc::new(Inner { hub, security, audit, stop }));
        (options.announce)(&Announcement::Listening { url: app.security.base_url.clone() });
        app.security.announce_code();
        Ok(app)
    }

    /// All routes, with everything that guards them.
    pub(crate) fn router(&self) -> Router {
        // What is behind a session, and what is not. A route that is added to `inner` cannot be reached without one.
        let inner = Router::new().merge(pages::routes()).merge(api::routes()).merge(events::routes());
        let inner = inner.layer(middleware::from_fn_with_state(self.clone(), security::guard));
        Router::new()
            .merge(inner)
            .merge(security::sign_in::routes())
            .route("/assets/{hash}/{*name}", get(assets::serve))
            .layer(CompressionLayer::new())
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .layer(middleware::from_fn_with_state(self.clone(), security::outermost))
            .route("/healthz", get(api::health::healthz))
            .with_state(self.clone())
    }
}
