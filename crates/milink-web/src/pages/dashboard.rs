//! The dashboard: all links at a glance, and one link.

use axum::Router;

use crate::app::App;

/// Its routes.
pub(crate) fn routes() -> Router<App> {
    Router::new()
}
