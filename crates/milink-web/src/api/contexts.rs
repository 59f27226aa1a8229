//! Contexts and their links.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use milink_core::moment::Moment;
use milink_core::status::LinkStatus;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;
use crate::app::App;
use crate::state::Snapshot;

/// Raised as the command line's: when a field is renamed, removed or gets another meaning.
const SCHEMA_VERSION: u32 = 1;

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

/// Links of a context.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LinkList<'a> {
    schema_version: u32,
    seen_at: Option<Moment>,
    unknown: &'a [String],
    links: &'a [LinkStatus],
}

/// All links of a context, as `milink list --output json`.
#[utoipa::path(get, path = "/api/v1/contexts/{context}/links", tag = "links",
    params(("context" = String, Path, description = "The context's name")),
    responses((status = 200, body = Object), (status = 404, body = Problem)))]
pub(crate) async fn links(State(app): State<App>, Path(context): Path<String>) -> Result<Response, Problem> {
    let watched = app.hub.context(&context).ok_or_else(|| no_context(&context))?;
    let snapshot = watched.snapshot();
    let body = snapshot.fragment("api:links", |s: &Snapshot| {
        let list = LinkList {
            schema_version: SCHEMA_VERSION,
            seen_at: s.seen.as_ref().map(|s| s.at),
            unknown: &s.silent,
            links: &s.links,
        };
        serde_json::to_string(&list).unwrap_or_default()
    });
    Ok(([(CONTENT_TYPE, "application/json")], body.to_string()).into_response())
}

/// One link, as `milink show --output json`.
#[utoipa::path(get, path = "/api/v1/contexts/{context}/links/{link}", tag = "links",
    params(("context" = String, Path, description = "The context's name"), ("link" = String, Path, description = "The link's name")),
    responses((status = 200, body = Object), (status = 404, body = Problem)))]
pub(crate) async fn link(
    State(app): State<App>,
    Path((context, link)): Path<(String, String)>,
) -> Result<Json<LinkStatus>, Problem> {
    let watched = app.hub.context(&context).ok_or_else(|| no_context(&context))?;
    let snapshot = watched.snapshot();
    let found = snapshot.link(&link).cloned();
    found.map(Json).ok_or_else(|| {
        Problem::not_found("No such link", format!("No link {link} is seen in context {context}."))
    })
}

/// There is no such context.
pub(crate) fn no_context(name: &str) -> Problem {
    Problem::not_found("No such context", format!("There is no context {name}."))
}
