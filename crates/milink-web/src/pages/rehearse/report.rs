//! The graded report of a drill, as a page that can be printed and as JUnit XML.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use milink_core::drill::{self, DrilledRun, Evidence, Grade, Report, Thresholds};
use milink_core::moment::Moment;
use milink_ops::journal::{Journal, JournalError};
use milink_ops::sides::now;
use serde::{Deserialize, Serialize};

use super::{Place, counted};
use crate::app::App;
use crate::pages::change::span;
use crate::pages::{Frame, Visitor, error, render};
use crate::rehearsal::{Drill, DrillState};

/// Thresholds as they were typed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Typed {
    #[serde(default)]
    pub(super) rto_ms: String,
    #[serde(default)]
    pub(super) rpo: String,
    #[serde(default)]
    pub(super) commits_min: String,
}

impl Typed {
    /// What is meant; what was left out is as usual.
    ///
    /// # Errors
    /// A field is no number.
    pub(super) fn thresholds(&self) -> Result<Thresholds, String> {
        let usual = Thresholds::default();
        let number = |text: &str, usual: u64, what: &str| match text.trim() {
            "" => Ok(usual),
            text => text.parse::<u64>().map_err(|_| format!("{what}: '{text}' is no whole number.")),
        };
        Ok(Thresholds {
            rto_ms: number(&self.rto_ms, usual.rto_ms, "RTO")?,
            rpo_commits: number(&self.rpo, usual.rpo_commits, "RPO")?,
            commits_min: number(&self.commits_min, usual.commits_min, "Commits at least")?,
        })
    }
}

#[derive(Template)]
#[template(path = "pages/rehearse/report.html")]
struct ReportPage {
    frame: Frame,
    name: String,
    passed: bool,
    began: String,
    ended: String,
    took: String,
    cases: Vec<CaseRow>,
    injected: Vec<(String, String)>,
    runs: Vec<RunRow>,
    found: Vec<(String, &'static str, String)>,
    numbers: Vec<(&'static str, String)>,
    junit: String,
    back: String,
}

struct CaseRow {
    group: String,
    name: String,
    tone: &'static str,
    grade: Grade,
    seen: String,
    wanted: String,
    took: String,
}

struct RunRow {
    title: String,
    steps: Vec<(String, String, String, String)>,
}

/// A drill's report.
///
/// # Errors
/// The page that says why there is none.
// Both are answers: the page is as large as any other response.
#[allow(clippy::result_large_err)]
async fn graded(app: &App, visitor: &Visitor, place: &Place, typed: &Typed) -> Result<Report, Response> {
    let refuse = |status, title: &str, why: &str| Err(error::of(app, visitor, status, title, why));
    let thresholds = match typed.thresholds() {
        Ok(thresholds) => thresholds,
        Err(why) => {
            return refuse(StatusCode::UNPROCESSABLE_ENTITY, "The thresholds cannot be understood", &why);
        }
    };
    let Some(drill) = place.rehearsing().place.drill() else {
        let why = "Start the workload first, do what is to be drilled, and stop it.";
        return refuse(StatusCode::NOT_FOUND, "There is no drill yet", why);
    };
    if drill.state != DrillState::Ended {
        let why = match &drill.state {
            DrillState::Failed(why) => why.as_str(),
            DrillState::Writing | DrillState::Counting | DrillState::Ended => {
                "Stop the workload, and wait until both sides are counted."
            }
        };
        return refuse(StatusCode::CONFLICT, "The drill cannot be graded now", why);
    }
    let Some(connected) = place.watched.connected() else {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        return refuse(status, "This context cannot be used now", "Try again in a moment.");
    };
    let (journal, began, ended) = (connected.journal.clone(), drill.began, drill.ended.unwrap_or_else(now));
    let read = tokio::task::spawn_blocking(move || runs(&Journal::open(&journal)?, began, ended)).await;
    let runs = match read {
        Ok(Ok(runs)) => runs,
        Ok(Err(e)) => return refuse(StatusCode::CONFLICT, "The journal cannot be read", &e.to_string()),
        Err(e) => {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            return refuse(status, "The journal cannot be read", &e.to_string());
        }
    };
    Ok(drill::grade(evidence(place, drill, ended, runs), thresholds))
}

fn evidence(place: &Place, drill: Drill, ended: Moment, runs: Vec<DrilledRun>) -> Evidence {
    Evidence {
        name: format!("milink drill in {}", place.watched.info.name),
        began: drill.began,
        ended,
        injected: place.rehearsing().injected(drill.began, ended),
        ledger: drill.ledger,
        runs,
    }
}

/// The runs that were begun while it was written, the oldest first.
fn runs(journal: &Journal, began: Moment, ended: Moment) -> Result<Vec<DrilledRun>, JournalError> {
    let within = journal.runs(None)?.into_iter().filter(|r| (began..=ended).contains(&r.started));
    let mut out = Vec::new();
    for run in within {
        let entries = journal.entries(run.id)?.into_iter().map(|r| (r.at, r.record));
        let records: Vec<_> = entries.collect();
        out.push(DrilledRun {
            number: run.id.0,
            verb: run.verb,
            began: run.started,
            ended: run.ended,
            picture: milink_core::run::Picture::of_journal(&run.plan, &records),
        });
    }
    out.reverse();
    Ok(out)
}

pub(super) async fn junit(
    State(app): State<App>,
    visitor: Visitor,
    Path(context): Path<String>,
    Query(typed): Query<Typed>,
) -> Response {
    let place = match Place::of(&app, &visitor, &context) {
        Ok(place) => place,
        Err(response) => return response,
    };
    match graded(&app, &visitor, &place, &typed).await {
        Ok(report) => (
            [
                (CONTENT_TYPE, "application/xml; charset=utf-8"),
                (CONTENT_DISPOSITION, "attachment; filename=\"milink-drill.xml\""),
            ],
            drill::junit(&report),
        )
            .into_response(),
        Err(response) => response,
    }
}

pub(super) async fn html(
    State(app): State<App>,
    visitor: Visitor,
    Path(context): Path<String>,
    Query(typed): Query<Typed>,
) -> Response {
    let place = match Place::of(&app, &visitor, &context) {
        Ok(place) => place,
        Err(response) => return response,
    };
    let report = match graded(&app, &visitor, &place, &typed).await {
        Ok(report) => report,
        Err(response) => return response,
    };
    let frame = Frame::new(&app, &visitor, Some(&place.watched));
    let query = serde_urlencoded::to_string(&typed).unwrap_or_default();
    let junit = format!("{}?{query}", place.href(&["report.xml"]));
    render(StatusCode::OK, &page(frame, &report, junit, place.href(&[])))
}

fn page(frame: Frame, report: &Report, junit: String, back: String) -> ReportPage {
    let e = &report.evidence;
    let took = |ms: Option<u64>| ms.map_or_else(String::new, |ms| format!("{ms} ms"));
    let case = |c: &drill::Case| CaseRow {
        group: c.group.clone(),
        name: c.name.clone(),
        tone: match c.grade {
            Grade::Passed => "good",
            Grade::Failed => "bad",
            Grade::Unknown => "warning",
        },
        grade: c.grade,
        seen: c.seen.clone(),
        wanted: c.wanted.clone(),
        took: took(c.took_ms),
    };
    let row = |r: &DrilledRun| RunRow {
        title: format!("Run {}: {} of {}", r.number, drill::verb(r.verb), r.picture.link),
        steps: r.picture.steps.iter().map(|s| step(s, &took)).collect(),
    };
    ReportPage {
        frame,
        name: e.name.clone(),
        passed: report.passed(),
        began: e.began.to_string(),
        ended: e.ended.to_string(),
        took: span(e.ended.ms_since(e.began)),
        cases: report.cases.iter().map(case).collect(),
        injected: e.injected.iter().map(|i| (i.at.to_string(), i.what.clone())).collect(),
        runs: e.runs.iter().map(row).collect(),
        found: counted(&e.ledger),
        numbers: super::numbers(&e.ledger),
        junit,
        back,
    }
}

fn step(
    s: &milink_core::run::StepPicture,
    took: &impl Fn(Option<u64>) -> String,
) -> (String, String, String, String) {
    let moment = |at: Option<Moment>| at.map_or_else(String::new, |at| at.to_string());
    let ms = s.began.and_then(|began| Some(s.ended?.ms_since(began)));
    (s.title.clone(), moment(s.began), moment(s.ended), took(ms))
}
