//! The dashboard: all links at a glance, and one link with everything that is known of it.

mod link;
mod list;
mod runbook;
mod timeline;
mod words;

use axum::Json;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use milink_core::check::GateOptions;
use milink_core::names::Side;
use serde::Serialize;

pub(crate) use link::fragment as link_fragment;
pub(crate) use list::fragment as list_fragment;

use super::{Visitor, found};
use crate::api::problem::Problem;
use crate::app::App;

/// Its routes.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/c/{context}/links", get(list::show))
        .route("/c/{context}/links/{link}", get(link::show))
        .route("/c/{context}/links/{link}/history.json", get(history))
        .route("/c/{context}/links/{link}/next", get(link::next))
        .route("/c/{context}/links/{link}/runbook", get(runbook::show))
}

/// What the lag chart draws: one array for each line.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Lines {
    /// Seconds since 1970.
    at: Vec<f64>,
    loss_seconds: Vec<Option<u64>>,
    send_queue_kb: Vec<Option<u64>>,
    redo_queue_kb: Vec<Option<u64>>,
    /// A planned failover is refused above this, in seconds.
    guardrail_seconds: u64,
}

async fn history(
    State(app): State<App>,
    visitor: Visitor,
    Path((context, link)): Path<(String, String)>,
) -> Response {
    let watched = match found(&app, &visitor, &context) {
        Ok(watched) => watched,
        Err(response) => return response,
    };
    let Some(name) = watched.snapshot().link(&link).map(|l| l.name.clone()) else {
        return Problem::new(StatusCode::NOT_FOUND, "No such link", "").into_response();
    };
    let points = watched.history.of(&name);
    Json(Lines {
        at: points.iter().map(|p| p.at.unix_ms() as f64 / 1000.0).collect(),
        loss_seconds: points.iter().map(|p| p.loss_seconds).collect(),
        send_queue_kb: points.iter().map(|p| p.send_queue_kb).collect(),
        redo_queue_kb: points.iter().map(|p| p.redo_queue_kb).collect(),
        guardrail_seconds: GateOptions::planned(Side::Managed).lag_seconds_max,
    })
    .into_response()
}
