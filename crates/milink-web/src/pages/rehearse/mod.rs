//! Rehearse: where things may be broken on purpose. Faults as buttons, a workload with its ledger, and the graded report of a drill.
//!
//! The page is there only where whoever started the server has handed over a [`crate::rehearsal::Rehearsal`].

mod report;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use milink_core::drill::{Ledger, Thresholds};
use serde::Deserialize;

use super::change::{span, with_detail};
use super::{Frame, Visitor, error, found, path, piece, render};
use crate::app::App;
use crate::rehearsal::{Drill, DrillState, Fault, Rehearsing, Workload};
use crate::state::{Snapshot, Watched};

/// More is no rehearsal but a load test.
const RATE_MAX: u32 = 10_000;
const CONNECTIONS_MAX: u32 = 200;

/// Its routes.
pub(crate) fn routes() -> Router<App> {
    const AT: &str = "/c/{context}/rehearse";
    Router::new()
        .route(AT, get(show))
        .route(&format!("{AT}/fault"), post(fault))
        .route(&format!("{AT}/clear"), post(clear))
        .route(&format!("{AT}/start"), post(start))
        .route(&format!("{AT}/stop"), post(stop))
        .route(&format!("{AT}/report"), get(report::html))
        .route(&format!("{AT}/report.xml"), get(report::junit))
}

/// A context with its place to rehearse in.
pub(super) struct Place {
    pub(super) watched: Arc<Watched>,
}

impl Place {
    /// Of the context of an address.
    ///
    /// # Errors
    /// The page that says that there is none.
    // Both are answers: the page is as large as any other response.
    #[allow(clippy::result_large_err)]
    pub(super) fn of(app: &App, visitor: &Visitor, context: &str) -> Result<Place, Response> {
        let watched = Arc::clone(found(app, visitor, context)?);
        if watched.rehearsing().is_none() {
            return Err(error::of(
                app,
                visitor,
                StatusCode::NOT_FOUND,
                "Nothing can be rehearsed here",
                "Things are broken on purpose only in a lab. Start milink serve with the environment that milink lab env prints.",
            ));
        }
        Ok(Place { watched })
    }

    pub(super) fn rehearsing(&self) -> &Rehearsing {
        self.watched.rehearsing().expect("a place is only made of a context that has one")
    }

    pub(super) fn href(&self, rest: &[&str]) -> String {
        let parts: Vec<&str> =
            ["c", &self.watched.info.name, "rehearse"].into_iter().chain(rest.iter().copied()).collect();
        path(&parts)
    }
}

/// Faults under their heading.
#[derive(Debug)]
struct Group {
    name: String,
    faults: Vec<Fault>,
}

fn groups(faults: Vec<Fault>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for fault in faults {
        match groups.last_mut() {
            Some(group) if group.name == fault.group => group.faults.push(fault),
            _ => groups.push(Group { name: fault.group.clone(), faults: vec![fault] }),
        }
    }
    groups
}

/// The ledger, live.
#[derive(Debug, Template)]
#[template(path = "parts/ledger.html")]
pub(crate) struct LedgerView {
    state: &'static str,
    tone: &'static str,
    failed: Option<String>,
    numbers: Vec<(&'static str, String)>,
    found: Vec<(String, &'static str, String)>,
    last_error: Option<String>,
}

impl LedgerView {
    pub(crate) fn of(drill: Option<&Drill>) -> LedgerView {
        let Some(drill) = drill else {
            return LedgerView {
                state: "Nobody has written yet",
                tone: "plain",
                failed: None,
                numbers: Vec::new(),
                found: Vec::new(),
                last_error: None,
            };
        };
        let (state, tone) = match drill.state {
            DrillState::Writing => ("Writing", "good"),
            DrillState::Counting => ("Counting both sides", "warning"),
            DrillState::Ended => ("Ended and counted", "plain"),
            DrillState::Failed(_) => ("Failed", "bad"),
        };
        let failed = match &drill.state {
            DrillState::Failed(why) => Some(why.clone()),
            DrillState::Writing | DrillState::Counting | DrillState::Ended => None,
        };
        let l = &drill.ledger;
        LedgerView {
            state,
            tone,
            failed,
            numbers: numbers(l),
            found: counted(l),
            last_error: l.last_error.clone(),
        }
    }
}

fn numbers(l: &Ledger) -> Vec<(&'static str, String)> {
    let unknown = || "unknown".to_owned();
    vec![
        ("Written for", span(l.elapsed_ms)),
        ("Acknowledged", l.acknowledged.to_string()),
        ("Refused", l.refused.to_string()),
        ("Without an answer", l.uncertain.to_string()),
        ("Longest pause", format!("{} ms", l.longest_pause_ms)),
        ("Lag of the other side", l.lag_ms.map_or_else(unknown, |ms| format!("{ms} ms"))),
        ("Role changes", l.role_changes.to_string()),
        ("Primary", l.primary.clone().unwrap_or_else(unknown)),
    ]
}

/// What was found on each side, with a tone.
pub(super) fn counted(l: &Ledger) -> Vec<(String, &'static str, String)> {
    let one = |s: &milink_core::drill::SideCount| match &s.counted {
        Ok(c) => {
            let role = if c.primary { "primary" } else { "secondary" };
            let clean = c.lost + c.doubled + c.damaged + c.unwanted == 0;
            let said = format!(
                "{role}: {} lost, {} doubled, {} damaged, {} unwanted",
                c.lost, c.doubled, c.damaged, c.unwanted
            );
            (s.side.clone(), if clean { "good" } else { "bad" }, said)
        }
        Err(why) => (s.side.clone(), "warning", format!("not counted: {why}")),
    };
    l.found.iter().map(one).collect()
}

#[derive(Template)]
#[template(path = "pages/rehearse/show.html")]
struct RehearsePage {
    frame: Frame,
    name: String,
    groups: Vec<Group>,
    in_force: Result<Vec<String>, String>,
    ledger: LedgerView,
    writing: bool,
    thresholds: Thresholds,
    refused: Option<String>,
    hrefs: Hrefs,
}

struct Hrefs {
    fault: String,
    clear: String,
    start: String,
    stop: String,
    report: String,
    junit: String,
}

async fn page(
    app: &App,
    visitor: &Visitor,
    place: &Place,
    refused: Option<String>,
    status: StatusCode,
) -> Response {
    let rehearsing = place.rehearsing();
    let drill = rehearsing.place.drill();
    let page = RehearsePage {
        frame: Frame::new(app, visitor, Some(&place.watched)).live(&["ledger"]),
        name: place.watched.info.name.clone(),
        groups: groups(rehearsing.place.faults()),
        in_force: rehearsing.place.in_force().await,
        writing: drill.as_ref().is_some_and(|d| d.state == DrillState::Writing),
        ledger: LedgerView::of(drill.as_ref()),
        thresholds: Thresholds::default(),
        refused,
        hrefs: Hrefs {
            fault: place.href(&["fault"]),
            clear: place.href(&["clear"]),
            start: place.href(&["start"]),
            stop: place.href(&["stop"]),
            report: place.href(&["report"]),
            junit: place.href(&["report.xml"]),
        },
    };
    render(status, &page)
}

async fn show(State(app): State<App>, visitor: Visitor, Path(context): Path<String>) -> Response {
    match Place::of(&app, &visitor, &context) {
        Ok(place) => page(&app, &visitor, &place, None, StatusCode::OK).await,
        Err(response) => response,
    }
}

/// Which fault.
#[derive(Deserialize)]
struct Broken {
    fault: String,
}

async fn fault(
    State(app): State<App>,
    visitor: Visitor,
    Path(context): Path<String>,
    Form(broken): Form<Broken>,
) -> Response {
    let place = match Place::of(&app, &visitor, &context) {
        Ok(place) => place,
        Err(response) => return response,
    };
    let known = place.rehearsing().place.faults().into_iter().find(|f| f.name == broken.fault);
    let Some(known) = known else {
        let why = "There is no such fault.".to_owned();
        return page(&app, &visitor, &place, Some(why), StatusCode::UNPROCESSABLE_ENTITY).await;
    };
    let done = place.rehearsing().place.apply(&known.name).await;
    changed(&app, &visitor, &place, &known.title, true, done).await
}

async fn clear(State(app): State<App>, visitor: Visitor, Path(context): Path<String>) -> Response {
    let place = match Place::of(&app, &visitor, &context) {
        Ok(place) => place,
        Err(response) => return response,
    };
    let done = place.rehearsing().place.clear().await;
    changed(&app, &visitor, &place, "Mend everything", true, done).await
}

/// How much is to be written.
#[derive(Deserialize)]
struct Writers {
    rate: String,
    connections: String,
}

impl Writers {
    fn workload(&self) -> Result<Workload, String> {
        let number = |text: &str, what: &str, most: u32| {
            let read = text.trim().parse::<u32>().ok().filter(|n| (1..=most).contains(n));
            read.ok_or_else(|| format!("{what}: a whole number from 1 to {most} is wanted."))
        };
        Ok(Workload {
            rate: number(&self.rate, "Commits a second", RATE_MAX)?,
            connections: number(&self.connections, "Connections", CONNECTIONS_MAX)?,
        })
    }
}

async fn start(
    State(app): State<App>,
    visitor: Visitor,
    Path(context): Path<String>,
    Form(writers): Form<Writers>,
) -> Response {
    let place = match Place::of(&app, &visitor, &context) {
        Ok(place) => place,
        Err(response) => return response,
    };
    let workload = match writers.workload() {
        Ok(workload) => workload,
        Err(why) => {
            return page(&app, &visitor, &place, Some(why), StatusCode::UNPROCESSABLE_ENTITY).await;
        }
    };
    let done = place.rehearsing().place.start(workload).await;
    changed(&app, &visitor, &place, "Start the workload", false, done).await
}

async fn stop(State(app): State<App>, visitor: Visitor, Path(context): Path<String>) -> Response {
    let place = match Place::of(&app, &visitor, &context) {
        Ok(place) => place,
        Err(response) => return response,
    };
    let done = place.rehearsing().place.stop().await;
    changed(&app, &visitor, &place, "Stop the workload", false, done).await
}

/// Back to the page, with what was done in the audit log, and in the drill's report if it was a fault.
async fn changed(
    app: &App,
    visitor: &Visitor,
    place: &Place,
    what: &str,
    injected: bool,
    done: Result<(), String>,
) -> Response {
    let detail = |said: &str| format!("rehearse: {what}: {said}");
    match done {
        Ok(()) => {
            if injected {
                place.rehearsing().note(what.to_owned());
            }
            place.watched.look_now();
            with_detail(Redirect::to(&place.href(&[])).into_response(), detail("done"))
        }
        Err(why) => {
            let detail = detail(&why);
            with_detail(page(app, visitor, place, Some(why), StatusCode::CONFLICT).await, detail)
        }
    }
}

/// The live piece: `ledger`.
pub(crate) fn fragment(watched: &Watched, _: &Snapshot) -> String {
    let drill = watched.rehearsing().and_then(|r| r.place.drill());
    piece(&LedgerView::of(drill.as_ref()))
}
