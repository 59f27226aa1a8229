//! The wizards: a new link, and a failover.

mod new_link;

use axum::Router;

use crate::app::App;

/// Their routes.
pub(crate) fn routes() -> Router<App> {
    Router::new().merge(new_link::routes())
}
