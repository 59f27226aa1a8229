//! Links of a context: how they are, what they need, and what would be done.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use milink_core::check::{blocks_creation, fleet};
use milink_core::doctor::{Diagnosis, diagnose};
use milink_core::finding::Finding;
use milink_core::moment::Moment;
use milink_core::observe::Observation;
use milink_core::plan::{self, Plan};
use milink_core::spec::{Link, LinkSpec};
use milink_core::status::LinkStatus;
use milink_ops::sides::now;
use serde::Serialize;

use super::contexts::{SCHEMA_VERSION, of};
use super::problem::Problem;
use super::runs::with_journal;
use crate::app::App;
use crate::state::{Snapshot, Watched};

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
pub(crate) async fn list(State(app): State<App>, Path(context): Path<String>) -> Result<Response, Problem> {
    let body = of(&app, &context)?.snapshot().fragment("api:links", |s: &Snapshot| {
        let list = LinkList {
            schema_version: SCHEMA_VERSION,
            seen_at: s.seen.as_ref().map(|s| s.at),
            unknown: &s.silent,
            links: &s.links,
        };
        serde_json::to_string(&list).expect("a status has only names for keys")
    });
    Ok(([(CONTENT_TYPE, "application/json")], body.to_string()).into_response())
}

/// One link, as `milink show --output json`.
#[utoipa::path(get, path = "/api/v1/contexts/{context}/links/{link}", tag = "links",
    params(("context" = String, Path, description = "The context's name"), ("link" = String, Path, description = "The link's name")),
    responses((status = 200, body = Object), (status = 404, body = Problem)))]
pub(crate) async fn one(
    State(app): State<App>,
    Path((context, link)): Path<(String, String)>,
) -> Result<Json<LinkStatus>, Problem> {
    let found = of(&app, &context)?.snapshot().link(&link).cloned();
    let missing =
        || Problem::not_found("No such link", format!("No link {link} is seen in context {context}."));
    found.map(Json).ok_or_else(missing)
}

/// What is wrong with a link, what is at risk and what comes next, as `milink doctor --output json`.
#[utoipa::path(get, path = "/api/v1/contexts/{context}/links/{link}/doctor", tag = "links",
    params(("context" = String, Path, description = "The context's name"), ("link" = String, Path, description = "The link's name")),
    responses((status = 200, body = Object), (status = 404, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn doctor(
    State(app): State<App>,
    Path((context, link)): Path<(String, String)>,
) -> Result<Json<Diagnosis>, Problem> {
    let watched = of(&app, &context)?;
    let (snapshot, name) = (watched.snapshot(), link.clone());
    let seen = seen(&snapshot)?;
    let open = with_journal(watched, move |journal| journal.open_run(&name)).await?;
    let summary = open.as_ref().map(|(run, recovered)| recovered.summary(&run.plan));
    Ok(Json(diagnose(&link, seen, summary.as_ref())))
}

/// What a new link needs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Findings {
    schema_version: u32,
    /// How many stop its creation.
    blocking: usize,
    findings: Vec<Finding>,
}

/// What the wanted links need, as `milink check --output json`. The body is a link file as JSON; nothing is changed.
#[utoipa::path(post, path = "/api/v1/contexts/{context}/check", tag = "links", request_body = Object,
    params(("context" = String, Path, description = "The context's name")),
    responses((status = 200, body = Object), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn check(
    State(app): State<App>,
    Path(context): Path<String>,
    body: String,
) -> Result<Json<Findings>, Problem> {
    let watched = of(&app, &context)?;
    let snapshot = watched.snapshot();
    let links = wanted(watched, &body)?;
    let findings = fleet(&links, seen(&snapshot)?);
    let blocking = findings.iter().filter(|f| blocks_creation(f)).count();
    Ok(Json(Findings { schema_version: SCHEMA_VERSION, blocking, findings }))
}

/// What would be done.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Plans {
    schema_version: u32,
    plans: Vec<Plan>,
}

/// What would be done to make the wanted links, as `milink plan --output json`. The body is a link file as JSON; nothing is changed.
#[utoipa::path(post, path = "/api/v1/contexts/{context}/plan", tag = "links", request_body = Object,
    params(("context" = String, Path, description = "The context's name")),
    responses((status = 200, body = Object), (status = 400, body = Problem), (status = 409, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn plan(
    State(app): State<App>,
    Path(context): Path<String>,
    body: String,
) -> Result<Json<Plans>, Problem> {
    let watched = of(&app, &context)?;
    let snapshot = watched.snapshot();
    let seen = seen(&snapshot)?;
    let plan = |link: &Link| {
        plan::create(link, seen, now()).map_err(|e| {
            let detail = format!("Link {} cannot be made: {e}.", link.name);
            Problem::new(StatusCode::CONFLICT, "There is no plan", detail)
        })
    };
    let plans = wanted(watched, &body)?.iter().map(plan).collect::<Result<_, _>>()?;
    Ok(Json(Plans { schema_version: SCHEMA_VERSION, plans }))
}

/// The newest look.
fn seen(snapshot: &Snapshot) -> Result<&Observation, Problem> {
    let why =
        snapshot.trouble.clone().unwrap_or_else(|| "Both sides have not been looked at yet.".to_owned());
    snapshot
        .seen
        .as_deref()
        .ok_or_else(|| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Nothing is seen", why))
}

/// The links that a body means, with the context's own endpoints.
fn wanted(watched: &Watched, body: &str) -> Result<Vec<Link>, Problem> {
    let wrong =
        |why: String| Problem::new(StatusCode::BAD_REQUEST, "The link file cannot be understood", why);
    let mut spec: LinkSpec = serde_json::from_str(body).map_err(|e| wrong(e.to_string()))?;
    if let Some(connected) = watched.connected() {
        connected.endpoints.complete(&mut spec);
    }
    spec.links().map_err(|e| wrong(e.to_string()))
}
