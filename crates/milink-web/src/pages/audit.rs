//! The audit log, the newest entries first.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;

use super::{Frame, Visitor, error, render};
use crate::app::App;
use crate::audit::Entry;

/// So many are shown.
const SHOWN: usize = 200;

/// Its routes.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/audit", get(show))
}

struct Row {
    number: i64,
    at: String,
    entry: Entry,
}

#[derive(Template)]
#[template(path = "pages/audit.html")]
struct AuditPage {
    frame: Frame,
    /// How many follow from each other, or why they do not.
    whole: Result<usize, String>,
    rows: Vec<Row>,
}

async fn show(State(app): State<App>, visitor: Visitor) -> Response {
    let whole = app.audit.verify().await.map_err(|e| e.to_string());
    let newest = match app.audit.newest(SHOWN).await {
        Ok(newest) => newest,
        Err(e) => {
            let (status, title) = (StatusCode::INTERNAL_SERVER_ERROR, "The audit log cannot be read");
            return error::of(&app, &visitor, status, title, &e.to_string());
        }
    };
    let row = |a: milink_ops::audit::Audited| {
        let entry = serde_json::from_str(&a.body).ok()?;
        Some(Row { number: a.number, at: a.at.to_string(), entry })
    };
    let rows = newest.into_iter().filter_map(row).collect();
    render(StatusCode::OK, &AuditPage { frame: Frame::new(&app, &visitor, None), whole, rows })
}
