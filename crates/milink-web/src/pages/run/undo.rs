//! Taking a run back: what would be done, and doing it.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use milink_core::plan::{Plan, UndoOptions, undo};
use milink_core::script;
use milink_ops::journal::{RunId, RunRecord};
use serde::Deserialize;

use super::{blocking, done, href, part, unusable};
use crate::app::App;
use crate::pages::{Frame, Visitor, error, found, render};
use crate::state::Watched;

#[derive(Deserialize)]
pub(super) struct Asked {
    /// Whether the secondary's copies go, too: any text says yes, as a check box sends it.
    #[serde(default)]
    copies: String,
}

impl Asked {
    fn options(&self) -> UndoOptions {
        UndoOptions { delete_copies: !self.copies.is_empty() }
    }
}

/// A step of a plan that is shown before it is run.
struct Planned {
    title: String,
    sends: Option<String>,
}

#[derive(Template)]
#[template(path = "pages/run_undo.html")]
struct UndoPage {
    frame: Frame,
    link: String,
    run: String,
    href: String,
    copies: bool,
    steps: Vec<Planned>,
    notes: Vec<String>,
    refused: Option<String>,
}

/// The run, and the plan that takes it back, if there is one.
// Both are answers: the page is as large as any other response.
#[allow(clippy::result_large_err)]
async fn planned(
    app: &App,
    visitor: &Visitor,
    watched: &Arc<Watched>,
    run: RunId,
    options: UndoOptions,
) -> Result<(RunRecord, Result<Plan, String>), Response> {
    let Some(connected) = watched.connected() else { return Err(unusable(app, visitor, watched)) };
    let here = Arc::clone(watched);
    let record = blocking(app, visitor, move || here.runs().map(|r| r.runner.watch(run)).transpose()).await?;
    let Some(record) = record.map(|w| w.record) else { return Err(unusable(app, visitor, watched)) };
    // What was changed a moment ago decides what is taken back.
    let seen = Box::pin(connected.sides.look()).await;
    let plan = undo(&record.plan, &seen, options).map_err(|e| e.to_string());
    Ok((record, plan))
}

pub(super) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    Path((context, run)): Path<(String, i64)>,
    Query(asked): Query<Asked>,
) -> Response {
    let watched = match found(&app, &visitor, &context) {
        Ok(watched) => watched,
        Err(response) => return response,
    };
    let run = RunId(run);
    let (record, plan) = match planned(&app, &visitor, watched, run, asked.options()).await {
        Ok(planned) => planned,
        Err(response) => return response,
    };
    let frame = Frame::new(&app, &visitor, Some(watched));
    let (steps, notes, refused) = match plan {
        Ok(plan) => (plan.steps, plan.notes, None),
        Err(why) => (Vec::new(), Vec::new(), Some(why)),
    };
    let planned =
        |s: milink_core::plan::Step| Planned { title: s.title, sends: s.action.as_ref().map(script::sent) };
    let page = UndoPage {
        frame,
        link: record.link,
        run: run.to_string(),
        href: href(&context, run),
        copies: asked.options().delete_copies,
        steps: steps.into_iter().map(planned).collect(),
        notes,
        refused,
    };
    render(StatusCode::OK, &page)
}

pub(super) async fn begin(
    State(app): State<App>,
    visitor: Visitor,
    Path((context, run)): Path<(String, i64)>,
    Form(asked): Form<Asked>,
) -> Response {
    let watched = match found(&app, &visitor, &context) {
        Ok(watched) => watched,
        Err(response) => return response,
    };
    let run = RunId(run);
    let (record, plan) = match planned(&app, &visitor, watched, run, asked.options()).await {
        Ok(planned) => planned,
        Err(response) => return response,
    };
    let refused =
        |why: &str| error::of(&app, &visitor, StatusCode::CONFLICT, "The run is not taken back", why);
    let plan = match plan {
        Ok(plan) => plan,
        Err(why) => return refused(&why),
    };
    let Some(connected) = watched.connected() else { return unusable(&app, &visitor, watched) };
    let here = Arc::clone(watched);
    let begun = blocking(&app, &visitor, move || {
        Ok(here.runs().map(|runs| runs.runner.take_back(&connected.sides, run, plan)))
    });
    match begun.await {
        Err(response) => response,
        Ok(None) => unusable(&app, &visitor, watched),
        Ok(Some(Err(e))) => refused(&e.to_string()),
        Ok(Some(Ok(back))) => {
            let verb = part::doing(milink_core::plan::Verb::Undo);
            done(&href(&context, back), format!("{verb} {}: run {back} takes run {run} back", record.link))
        }
    }
}
