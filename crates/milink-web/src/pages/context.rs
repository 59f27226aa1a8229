//! A context: its two instances and Azure, how they are, and all databases with what can be done with them.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use milink_core::names::Side;

use super::{Frame, Visitor, found, piece, render};
use crate::app::App;
use crate::state::{Snapshot, Stamp, Watched};

/// Its routes.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/c/{context}", get(show))
}

/// Who was seen when.
#[derive(Template)]
#[template(path = "parts/seen.html")]
struct Seen {
    trouble: Option<String>,
    rows: Vec<(&'static str, Stamp)>,
}

impl Seen {
    fn of(snapshot: &Snapshot) -> Seen {
        Seen {
            trouble: snapshot.trouble.clone(),
            rows: vec![
                ("SQL Server", snapshot.sql_server.clone()),
                ("Managed instance", snapshot.managed.clone()),
                ("Azure", snapshot.azure.clone()),
            ],
        }
    }
}

/// All databases.
#[derive(Template)]
#[template(path = "parts/databases.html")]
struct Databases {
    rows: Vec<super::database::Row>,
}

impl Databases {
    fn of(watched: &Watched, snapshot: &Snapshot) -> Databases {
        let rows =
            Side::BOTH.into_iter().flat_map(|side| super::database::rows(&watched.info.name, side, snapshot));
        Databases { rows: rows.collect() }
    }
}

#[derive(Template)]
#[template(path = "pages/context.html")]
struct ContextPage {
    frame: Frame,
    name: String,
    seen: Seen,
    databases: Databases,
}

async fn show(State(app): State<App>, visitor: Visitor, Path(context): Path<String>) -> Response {
    let watched = match found(&app, &visitor, &context) {
        Ok(watched) => watched,
        Err(response) => return response,
    };
    let snapshot = watched.snapshot();
    let frame = Frame::new(&app, &visitor, Some(watched)).live(&["seen", "databases"]);
    let (seen, databases) = (Seen::of(&snapshot), Databases::of(watched, &snapshot));
    render(StatusCode::OK, &ContextPage { frame, name: context, seen, databases })
}

/// The live piece that says who was seen when.
pub(crate) fn seen_fragment(snapshot: &Snapshot) -> String {
    piece(&Seen::of(snapshot))
}

/// The live piece with all databases.
pub(crate) fn databases_fragment(watched: &Watched, snapshot: &Snapshot) -> String {
    piece(&Databases::of(watched, snapshot))
}
