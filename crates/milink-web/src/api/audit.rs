//! The audit log.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use milink_core::moment::Moment;
use milink_ops::audit::AuditError;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;
use crate::app::App;
use crate::audit::Entry;

/// So many are answered.
const NEWEST: usize = 1000;

/// The newest entries.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AuditList {
    /// How many entries there are, each of which follows from the one before.
    entries: usize,
    newest: Vec<AuditedView>,
}

/// An entry.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AuditedView {
    number: i64,
    #[schema(value_type = String, format = DateTime)]
    at: Moment,
    #[serde(flatten)]
    entry: Entry,
}

/// Who did what: the newest entries of the audit log.
#[utoipa::path(get, path = "/api/v1/audit", tag = "server",
    responses((status = 200, body = AuditList), (status = 500, body = Problem)))]
pub(crate) async fn list(State(app): State<App>) -> Result<Json<AuditList>, Problem> {
    let failed = |e: AuditError| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "The audit log cannot be read", e.to_string())
    };
    let entries = app.audit.verify().await.map_err(failed)?;
    let newest = app.audit.newest(NEWEST).await.map_err(failed)?;
    let view = |a: milink_ops::audit::Audited| {
        let entry = serde_json::from_str(&a.body).ok()?;
        Some(AuditedView { number: a.number, at: a.at, entry })
    };
    Ok(Json(AuditList { entries, newest: newest.into_iter().filter_map(view).collect() }))
}
