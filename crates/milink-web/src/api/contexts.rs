//! Contexts and their links.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use milink_core::moment::Moment;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;
use crate::app::App;
use crate::state::Watched;

/// Raised as the command line's: when a field is renamed, removed or gets another meaning.
pub(super) const SCHEMA_VERSION: u32 = 1;

/// A context.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContextView {
    /// Its name.
    name: String,
    /// SQL Server's address.
    sql_server: Option<String>,
    /// The managed instance's address.
    managed_server: Option<String>,
    /// The managed instance's name in Azure.
    instance_name: Option<String>,
    /// When everything was looked at last.
    #[schema(value_type = Option<String>, format = DateTime)]
    seen_at: Option<Moment>,
    /// Who did not answer, and why.
    unknown: Vec<String>,
}

/// All contexts.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContextList {
    schema_version: u32,
    contexts: Vec<ContextView>,
}

/// All contexts, with who answers.
#[utoipa::path(get, path = "/api/v1/contexts", tag = "contexts", responses((status = 200, body = ContextList)))]
pub(crate) async fn list(State(app): State<App>) -> Json<ContextList> {
    let contexts = app.hub.contexts().iter().map(|c| {
        let (info, snapshot) = (&c.info, c.snapshot());
        ContextView {
            name: info.name.clone(),
            sql_server: info.sql_server.clone(),
            managed_server: info.managed.clone(),
            instance_name: info.instance.clone(),
            seen_at: snapshot.seen.as_ref().map(|s| s.at),
            unknown: snapshot.silent.clone(),
        }
    });
    Json(ContextList { schema_version: SCHEMA_VERSION, contexts: contexts.collect() })
}

/// Has both sides looked at now, and not only when it is time.
#[utoipa::path(post, path = "/api/v1/contexts/{context}/look", tag = "contexts",
    params(("context" = String, Path, description = "The context's name")),
    responses((status = 202, description = "They are looked at"), (status = 404, body = Problem)))]
pub(crate) async fn look(State(app): State<App>, Path(context): Path<String>) -> Result<StatusCode, Problem> {
    of(&app, &context)?.look_now();
    Ok(StatusCode::ACCEPTED)
}

/// A context by its name.
///
/// # Errors
/// There is none.
pub(super) fn of<'a>(app: &'a App, name: &str) -> Result<&'a Arc<Watched>, Problem> {
    let missing = || Problem::not_found("No such context", format!("There is no context {name}."));
    app.hub.context(name).ok_or_else(missing)
}
