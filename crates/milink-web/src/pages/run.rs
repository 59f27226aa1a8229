//! Executing actions: a run, step by step, while it goes on and afterwards; pausing, going on, taking back.
//!
//! Any page that shows runs makes [`RunPart`]s of a [`Follow`], includes `parts/run.html` for each, and names the stream that sends them in
//! [`super::Frame::events`]; see [`stream_of`].

pub(crate) mod part;
mod undo;

pub(crate) use part::{RunPart, parts, step_state};

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use milink_ops::journal::{JournalError, RunId};
use serde::Deserialize;

use super::{Frame, Visitor, error, found, path, piece, render};
use crate::api::problem::Problem;
use crate::app::App;
use crate::audit::Detail;
use crate::events;
use crate::runs::{Follow, Wanted};
use crate::security::sign_in;
use crate::state::Watched;

/// Its routes.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/c/{context}/runs/{run}", get(show))
        .route("/c/{context}/runs/{run}/pause", post(pause))
        .route("/c/{context}/runs/{run}/resume", post(resume))
        .route("/c/{context}/runs/{run}/undo", get(undo::show).post(undo::begin))
        .route("/events/{context}/runs/{run}", get(stream))
}

/// A run's page.
pub(crate) fn href(context: &str, run: RunId) -> String {
    path(&["c", context, "runs", &run.to_string()])
}

/// Several runs, as a stream sends them.
#[derive(Template)]
#[template(path = "parts/runs.html")]
struct Parts {
    runs: Vec<RunPart>,
}

#[derive(Template)]
#[template(path = "pages/run.html")]
struct RunPage {
    frame: Frame,
    title: String,
    /// The page that led here.
    back: Option<String>,
    runs: Vec<RunPart>,
}

#[derive(Deserialize)]
struct From {
    #[serde(default)]
    back: String,
}

/// Work that reads files, where nothing may block.
///
/// # Errors
/// The page that says why it cannot be done.
// Both are answers: the page is as large as any other response.
#[allow(clippy::result_large_err)]
pub(crate) async fn blocking<T: Send + 'static>(
    app: &App,
    visitor: &Visitor,
    work: impl FnOnce() -> Result<T, JournalError> + Send + 'static,
) -> Result<T, Response> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(e)) => {
            let status = match e {
                JournalError::NoRun { .. } => StatusCode::NOT_FOUND,
                JournalError::Busy { .. } => StatusCode::CONFLICT,
                JournalError::Io { .. } | JournalError::Newer { .. } | JournalError::Broken { .. } => {
                    StatusCode::INTERNAL_SERVER_ERROR
                }
            };
            Err(error::of(app, visitor, status, "The run cannot be shown", &e.to_string()))
        }
        Err(e) => {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            Err(error::of(app, visitor, status, "milink failed within itself", &e.to_string()))
        }
    }
}

/// The page that says that a context has no connections and no journal.
pub(crate) fn unusable(app: &App, visitor: &Visitor, watched: &Watched) -> Response {
    let snapshot = watched.snapshot();
    let why =
        snapshot.trouble.as_deref().unwrap_or("Its connections are being prepared. Try again in a moment.");
    error::of(app, visitor, StatusCode::SERVICE_UNAVAILABLE, "This context cannot be used", why)
}

/// What follows the runs of a stream, as pieces of HTML; `csrf` is the token of the stream's session.
pub(crate) fn stream_of(
    watched: &Arc<Watched>,
    wanted: Wanted,
    csrf: String,
    operator: bool,
) -> impl FnMut() -> Option<String> + Send + 'static {
    let watched = Arc::clone(watched);
    let mut follow: Option<Follow> = None;
    move || {
        let runs = watched.runs()?;
        let ready = match &mut follow {
            Some(follow) => follow.refresh(runs),
            None => Follow::new(runs, wanted.clone()).map(|new| follow = Some(new)),
        };
        // A journal that cannot be read now is read again.
        ready.ok()?;
        let runs = parts(&watched.info.name, follow.as_ref()?, &csrf, operator);
        Some(piece(&Parts { runs }))
    }
}

async fn show(
    State(app): State<App>,
    visitor: Visitor,
    Path((context, run)): Path<(String, i64)>,
    Query(from): Query<From>,
) -> Response {
    let watched = match found(&app, &visitor, &context) {
        Ok(watched) => Arc::clone(watched),
        Err(response) => return response,
    };
    let here = Arc::clone(&watched);
    let run = RunId(run);
    let follow =
        blocking(&app, &visitor, move || here.runs().map(|r| Follow::new(r, Wanted::Run(run))).transpose())
            .await;
    let follow = match follow {
        Ok(Some(follow)) => follow,
        Ok(None) => return unusable(&app, &visitor, &watched),
        Err(response) => return response,
    };
    let mut frame = Frame::new(&app, &visitor, Some(&watched));
    frame.events = Some(path(&["events", &context, "runs", &run.to_string()]));
    let runs = parts(&context, &follow, &frame.csrf, frame.operator);
    let title = runs.first().map_or_else(String::new, |r| r.title.clone());
    let back = Some(from.back).filter(|to| sign_in::is_own(to));
    render(StatusCode::OK, &RunPage { frame, title, back, runs })
}

async fn stream(
    State(app): State<App>,
    visitor: Visitor,
    Path((context, run)): Path<(String, i64)>,
) -> Response {
    let Some(watched) = app.hub.context(&context).cloned() else {
        return Problem::new(StatusCode::NOT_FOUND, "No such context", "").into_response();
    };
    let session = &visitor.session;
    let piece = stream_of(&watched, Wanted::Run(RunId(run)), session.csrf_token(), session.is_operator());
    events::of_runs(&app, watched, piece)
}

async fn pause(
    State(app): State<App>,
    visitor: Visitor,
    Path((context, run)): Path<(String, i64)>,
) -> Response {
    let watched = match found(&app, &visitor, &context) {
        Ok(watched) => watched,
        Err(response) => return response,
    };
    let run = RunId(run);
    let asked = watched.runs().is_some_and(|runs| runs.runner.stop(run));
    let said = if asked { "asked to end at the next safe place" } else { "not under way here any more" };
    done(&href(&context, run), format!("run {run}: {said}"))
}

async fn resume(
    State(app): State<App>,
    visitor: Visitor,
    Path((context, run)): Path<(String, i64)>,
) -> Response {
    let watched = match found(&app, &visitor, &context) {
        Ok(watched) => Arc::clone(watched),
        Err(response) => return response,
    };
    let Some(connected) = watched.connected() else { return unusable(&app, &visitor, &watched) };
    let here = Arc::clone(&watched);
    let begun = blocking(&app, &visitor, move || {
        let Some(runs) = here.runs() else { return Ok(None) };
        let link = runs.runner.watch(RunId(run))?.record.link;
        Ok(Some(runs.runner.resume(&connected.sides, &link).map(|run| (link, run))))
    });
    match begun.await {
        Err(response) => response,
        Ok(None) => unusable(&app, &visitor, &watched),
        Ok(Some(Ok((link, run)))) => {
            done(&href(&context, run), format!("link {link}: run {run} is gone on with"))
        }
        Ok(Some(Err(e))) => {
            error::of(&app, &visitor, StatusCode::CONFLICT, "The run is not gone on with", &e.to_string())
        }
    }
}

/// Leads to a page after something was done, and says in the audit log what.
pub(crate) fn done(href: &str, detail: String) -> Response {
    let mut response = Redirect::to(href).into_response();
    response.extensions_mut().insert(Detail(detail));
    response
}

#[cfg(test)]
mod tests;
