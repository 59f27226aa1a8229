//! What became of a role change, and on demand the proof that both sides hold the same.

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use milink_core::drill::verb;
use milink_core::lsn::Lsn;
use milink_core::receipt::{Comparison, TableSum};
use milink_core::run::Verdict;
use milink_core::status;
use milink_ops::journal::RunId;
use milink_ops::receipt::compare;
use serde::Deserialize;

use crate::app::App;
use crate::pages::change::{Look, Scene, with_detail};
use crate::pages::{Frame, Visitor, error, path, render};

/// Which run.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Which {
    run: i64,
}

/// A run's outcome.
#[derive(Debug)]
struct Outcome {
    number: String,
    what: &'static str,
    started: String,
    took: String,
    tone: &'static str,
    result: String,
    now_true: Vec<String>,
    next: Option<(String, String)>,
    href: String,
}

/// A database as it is now.
#[derive(Debug)]
struct Copies {
    name: String,
    sql_server: Option<Lsn>,
    managed: Option<Lsn>,
    behind: String,
}

/// A database, counted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) name: String,
    pub(super) tone: &'static str,
    pub(super) said: String,
    pub(super) different: Vec<(String, String, String)>,
}

impl Counted {
    pub(super) fn of(comparison: &Comparison) -> Counted {
        let side = |sum: &Option<TableSum>| match sum {
            None => "no such table".to_owned(),
            Some(s) => {
                let sum = s.checksum.map_or_else(|| "none".to_owned(), |c| c.to_string());
                format!("{} rows, checksum {sum}", s.rows)
            }
        };
        let different = comparison.different.iter();
        Counted {
            name: comparison.database.clone(),
            tone: if comparison.different.is_empty() { "good" } else { "bad" },
            said: format!(
                "{} tables with {} rows are the same on both sides, {} differ",
                comparison.same,
                comparison.rows,
                comparison.different.len()
            ),
            different: different.map(|d| (d.table.clone(), side(&d.sql_server), side(&d.managed))).collect(),
        }
    }
}

#[derive(Template)]
#[template(path = "pages/failover/receipt.html")]
struct ReceiptPage {
    frame: Frame,
    link: String,
    outcome: Outcome,
    primary: String,
    copies: Vec<Copies>,
    counted: Option<Vec<Counted>>,
    trouble: Option<String>,
    action: String,
    back: String,
}

type Place = Path<(String, String)>;

pub(super) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    Path((context, link)): Place,
    Query(which): Query<Which>,
) -> Response {
    match Scene::of(&app, &visitor, &context, &link, Look::Newest).await {
        Ok(scene) => page(&app, &visitor, &scene, which, None, StatusCode::OK).await,
        Err(response) => response,
    }
}

pub(super) async fn count(
    State(app): State<App>,
    visitor: Visitor,
    Path((context, link)): Place,
    Form(which): Form<Which>,
) -> Response {
    let scene = match Scene::of(&app, &visitor, &context, &link, Look::Now).await {
        Ok(scene) => scene,
        Err(response) => return response,
    };
    let counted = both(&scene).await;
    let (status, said) = match &counted {
        Ok(_) => (StatusCode::OK, "counted".to_owned()),
        Err(why) => (StatusCode::BAD_GATEWAY, why.clone()),
    };
    let detail = format!("link {}: receipt of run {}: {said}", scene.link.name, which.run);
    with_detail(page(&app, &visitor, &scene, which, Some(counted), status).await, detail)
}

/// Counts both sides.
async fn both(scene: &Scene) -> Result<Vec<Counted>, String> {
    let sides = &scene.connected.sides;
    let (Some(one), Some(two)) = (&sides.sql_server, &sides.managed) else {
        return Err("A receipt counts both sides, and only one is connected.".to_owned());
    };
    let counted = Box::pin(compare(sides, one, two, &scene.link)).await;
    counted.map(|all| all.iter().map(Counted::of).collect()).map_err(|e| e.to_string())
}

async fn page(
    app: &App,
    visitor: &Visitor,
    scene: &Scene,
    which: Which,
    counted: Option<Result<Vec<Counted>, String>>,
    status: StatusCode,
) -> Response {
    let runner = scene.runner().clone();
    let found = tokio::task::spawn_blocking(move || runner.watch(RunId(which.run))).await;
    let run = match found.map_err(|e| e.to_string()).and_then(|read| read.map_err(|e| e.to_string())) {
        Ok(run) if run.record.link.eq_ignore_ascii_case(&scene.link.name) => run,
        Ok(_) => {
            let said = format!("Run {} is of another link.", which.run);
            return error::of(app, visitor, StatusCode::NOT_FOUND, "No such run", &said);
        }
        Err(e) => return error::of(app, visitor, StatusCode::NOT_FOUND, "No such run", &e),
    };
    let picture = run.pictures.borrow().clone();
    let (tone, result, now_true, next) = match &picture.verdict {
        None => ("warning", "It has not ended.".to_owned(), Vec::new(), None),
        Some(Verdict::Reached) => ("good", "Every step is proved.".to_owned(), Vec::new(), None),
        Some(
            Verdict::Stopped { why, now_true, next, .. }
            | Verdict::RolledBack { why, now_true, next, .. }
            | Verdict::Uncertain { why, now_true, next, .. },
        ) => ("bad", why.clone(), now_true.clone(), Some((next.command.clone(), next.why.clone()))),
    };
    let took = run.record.ended.map_or_else(
        || "not ended".to_owned(),
        |ended| format!("{:.1} s", ended.ms_since(run.record.started) as f64 / 1000.0),
    );
    let link_status = status::link(&scene.link.name, &scene.seen);
    let copies = link_status.databases.iter().map(|d| Copies {
        name: d.name.clone(),
        sql_server: d.sql_server_hardened,
        managed: d.managed_hardened,
        behind: d.lsn_behind.clone().unwrap_or_else(|| "unknown".to_owned()),
    });
    let (counted, trouble) = match counted {
        None => (None, None),
        Some(Ok(counted)) => (Some(counted), None),
        Some(Err(why)) => (None, Some(why)),
    };
    let page = ReceiptPage {
        frame: Frame::new(app, visitor, Some(&scene.watched)),
        link: scene.link.name.clone(),
        primary: link_status.primary.to_string(),
        outcome: Outcome {
            number: run.record.id.to_string(),
            what: verb(run.record.verb),
            started: run.record.started.to_string(),
            took,
            tone,
            result,
            now_true,
            next,
            href: path(&["c", &scene.watched.info.name, "runs", &run.record.id.to_string()]),
        },
        copies: copies.collect(),
        counted,
        trouble,
        action: scene.href(&["failover", "receipt"]),
        back: scene.href(&[]),
    };
    render(status, &page)
}
