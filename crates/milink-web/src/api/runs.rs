//! What was done, from the journal of a context.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use milink_core::run::{Entry, Outcome, Verdict};
use milink_ops::journal::{Journal, JournalError, Recorded, RunId, RunRecord};
use serde::{Deserialize, Serialize};

use super::contexts::{SCHEMA_VERSION, of};
use super::problem::Problem;
use crate::app::App;
use crate::state::Watched;

/// Runs, newest first.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Runs {
    schema_version: u32,
    runs: Vec<Line>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(flatten)]
    record: RunRecord,
    /// How it ended; `None` if it was interrupted.
    verdict: Option<Verdict>,
}

/// Which runs.
#[derive(Deserialize)]
pub(crate) struct Which {
    link: Option<String>,
}

/// Runs, newest first, as `milink history --output json`.
#[utoipa::path(get, path = "/api/v1/contexts/{context}/runs", tag = "runs",
    params(("context" = String, Path, description = "The context's name"), ("link" = Option<String>, Query, description = "Only this link's")),
    responses((status = 200, body = Object), (status = 404, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn list(
    State(app): State<App>,
    Path(context): Path<String>,
    Query(Which { link }): Query<Which>,
) -> Result<Json<Runs>, Problem> {
    let runs = with_journal(of(&app, &context)?, move |journal| {
        let line = |record: RunRecord| {
            let verdict = journal.recovered(record.id)?.ended().cloned();
            Ok(Line { record, verdict })
        };
        journal.runs(link.as_deref())?.into_iter().map(line).collect::<Result<_, JournalError>>()
    });
    Ok(Json(Runs { schema_version: SCHEMA_VERSION, runs: runs.await? }))
}

/// A run with all its entries.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunWithEntries {
    schema_version: u32,
    #[serde(flatten)]
    record: RunRecord,
    entries: Vec<Recorded>,
}

/// A run with all its entries, as `milink history --run N --output json`.
#[utoipa::path(get, path = "/api/v1/contexts/{context}/runs/{run}", tag = "runs",
    params(("context" = String, Path, description = "The context's name"), ("run" = i64, Path, description = "The run's number")),
    responses((status = 200, body = Object), (status = 404, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn one(
    State(app): State<App>,
    Path((context, run)): Path<(String, i64)>,
) -> Result<Json<RunWithEntries>, Problem> {
    let read = with_journal(of(&app, &context)?, move |journal| {
        Ok((journal.run(RunId(run))?, journal.entries(RunId(run))?))
    });
    let (record, entries) = read.await?;
    let entries = entries.into_iter().map(unsigned).collect();
    Ok(Json(RunWithEntries { schema_version: SCHEMA_VERSION, record, entries }))
}

/// An entry without the address of an operation, which is signed: who has it can ask Azure for the operation.
pub(crate) fn unsigned(mut recorded: Recorded) -> Recorded {
    if let Entry::Outcome { outcome: Outcome::Started { operation, .. }, .. } = &mut recorded.record.entry {
        "***".clone_into(operation);
    }
    recorded
}

/// Reads a context's journal.
///
/// # Errors
/// It cannot be read, or has no such run.
pub(super) async fn with_journal<T: Send + 'static>(
    watched: &Watched,
    read: impl FnOnce(&Journal) -> Result<T, JournalError> + Send + 'static,
) -> Result<T, Problem> {
    let unavailable =
        |why: String| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "The journal cannot be read", why);
    let Some(connected) = watched.connected() else {
        return Err(unavailable("The context cannot be used.".to_owned()));
    };
    let work = move || Journal::open(&connected.journal).and_then(|journal| read(&journal));
    let done = tokio::task::spawn_blocking(work).await.map_err(|e| unavailable(e.to_string()))?;
    done.map_err(|e| match e {
        JournalError::NoRun { .. } => Problem::not_found("No such run", e.to_string()),
        other => unavailable(other.to_string()),
    })
}
