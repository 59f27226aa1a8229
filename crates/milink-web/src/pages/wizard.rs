//! The wizards: a new link, and a failover.

use axum::Router;

use crate::app::App;

/// Their routes.
pub(crate) fn routes() -> Router<App> {
    Router::new()
}
