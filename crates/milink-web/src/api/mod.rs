//! The JSON API under `/api/v1`, its OpenAPI document, health and metrics.
//!
//! A handler is added by `routes!(...)`, which puts it into the router and into the document at once: what is not documented is not served.
//! Answers are `milink-core`'s own types in their JSON form, the same as the command line's `--output json`; errors are [`problem::Problem`]s
//! (RFC 9457).

mod audit;
mod contexts;
pub(crate) mod health;
mod links;
mod metrics;
pub(crate) mod problem;
mod runs;
mod session;

use axum::routing::get;
use axum::{Json, Router};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "milink",
        description = "Managed Instance links: contexts, links, runs. A session (the cookie of a browser that has signed in) is needed for everything; what changes something needs the session's token in x-csrf-token."
    ),
    tags(
        (name = "contexts", description = "Where the two sides are"),
        (name = "links", description = "How links are, what they need, and what would be done"),
        (name = "runs", description = "What was done, from the journal"),
        (name = "server", description = "This server, and who has signed in"),
    )
)]
struct Document;

/// The routes with their document.
pub(crate) fn routes() -> Router<App> {
    let (router, document) = OpenApiRouter::<App>::with_openapi(Document::openapi())
        .routes(routes!(contexts::list))
        .routes(routes!(contexts::look))
        .routes(routes!(links::list))
        .routes(routes!(links::one))
        .routes(routes!(links::doctor))
        .routes(routes!(links::check))
        .routes(routes!(links::plan))
        .routes(routes!(runs::list))
        .routes(routes!(runs::one))
        .routes(routes!(session::show))
        .routes(routes!(audit::list))
        .split_for_parts();
    router
        .route("/api/v1/openapi.json", get(move || async move { Json(document) }))
        .route("/metrics", get(metrics::metrics))
        .route("/grafana/dashboard.json", get(metrics::dashboard))
}
