//! The failover wizard: choose, review with live gates, one button; afterwards a receipt.
//!
//! | address | page |
//! |---|---|
//! | `.../failover` | planned or forced, which way, how patient |
//! | `.../failover/review?kind=...` | gates, what is lost, what will happen, the button |
//! | `.../failover/begin` (POST) | begins, and leads to the run |
//! | `.../failover/receipt?run=N` | what became of it; with POST every table is counted on both sides |

mod choice;
mod receipt;
mod view;

#[cfg(test)]
mod tests;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Form, Router};
use milink_core::plan::Verb;
use milink_ops::journal::{Journal, RunRecord};

use self::choice::{Fields, Wrong};
use self::view::{Choose, Now, Review};
use super::change::{Gates, Look, Scene, link_now, with_detail};
use super::{Frame, Visitor, piece, render};
use crate::app::App;
use crate::state::{Snapshot, Watched};

/// So many of a link's newest role changes are shown.
const LATEST: usize = 5;

/// Its routes.
pub(crate) fn routes() -> Router<App> {
    const AT: &str = "/c/{context}/links/{link}/failover";
    Router::new()
        .route(AT, get(choose))
        .route(&format!("{AT}/review"), get(review))
        .route(&format!("{AT}/begin"), post(begin))
        .route(&format!("{AT}/receipt"), get(receipt::show).post(receipt::count))
}

/// A role change of the past.
#[derive(Debug)]
struct Past {
    number: String,
    what: &'static str,
    started: String,
    receipt: String,
}

#[derive(Template)]
#[template(path = "pages/failover/choose.html")]
struct ChoosePage {
    frame: Frame,
    link: String,
    choose: Choose,
    review: String,
    back: String,
    past: Vec<Past>,
}

#[derive(Template)]
#[template(path = "pages/failover/review.html")]
struct ReviewPage {
    frame: Frame,
    link: String,
    changed: Option<String>,
    review: Review,
    fields: Fields,
    topic: String,
    begin: String,
    back: String,
}

type Place = Path<(String, String)>;

async fn choose(
    State(app): State<App>,
    visitor: Visitor,
    Path((context, link)): Place,
    Query(fields): Query<Fields>,
) -> Response {
    let scene = match Scene::of(&app, &visitor, &context, &link, Look::Newest).await {
        Ok(scene) => scene,
        Err(response) => return response,
    };
    let wrong = Vec::new();
    choose_page(&app, &visitor, &scene, fields.or_usual(), wrong, StatusCode::OK).await
}

async fn choose_page(
    app: &App,
    visitor: &Visitor,
    scene: &Scene,
    fields: Fields,
    wrong: Vec<Wrong>,
    status: StatusCode,
) -> Response {
    let page = ChoosePage {
        frame: Frame::new(app, visitor, Some(&scene.watched)),
        link: scene.link.name.clone(),
        choose: Choose::of(&scene.link, &scene.seen, fields, wrong),
        review: scene.href(&["failover", "review"]),
        back: scene.href(&[]),
        past: past(scene).await,
    };
    render(status, &page)
}

/// The link's newest role changes. A journal that cannot be read has none to show; what begins a run says so.
async fn past(scene: &Scene) -> Vec<Past> {
    let (journal, link) = (scene.connected.journal.clone(), scene.link.name.clone());
    let read = tokio::task::spawn_blocking(move || Journal::open(&journal)?.runs(Some(&link))).await;
    let runs = read.ok().and_then(Result::ok).unwrap_or_default().into_iter();
    let changes =
        runs.filter(|r| matches!(r.verb, Verb::PlannedFailover | Verb::ForcedFailover | Verb::Repair));
    let past = |r: RunRecord| Past {
        number: r.id.to_string(),
        what: milink_core::drill::verb(r.verb),
        started: r.started.to_string(),
        receipt: format!("{}?run={}", scene.href(&["failover", "receipt"]), r.id),
    };
    changes.take(LATEST).map(past).collect()
}

async fn review(
    State(app): State<App>,
    visitor: Visitor,
    Path((context, link)): Place,
    Query(fields): Query<Fields>,
) -> Response {
    let scene = match Scene::of(&app, &visitor, &context, &link, Look::Newest).await {
        Ok(scene) => scene,
        Err(response) => return response,
    };
    let fields = fields.or_usual().chosen();
    match fields.wish() {
        Ok(wish) => {
            let view = Review::of(&scene.link, &scene.seen, &wish);
            review_page(&app, &visitor, &scene, &fields, view, StatusCode::OK)
        }
        Err(wrong) => {
            choose_page(&app, &visitor, &scene, fields, wrong, StatusCode::UNPROCESSABLE_ENTITY).await
        }
    }
}

fn review_page(
    app: &App,
    visitor: &Visitor,
    scene: &Scene,
    fields: &Fields,
    review: Review,
    status: StatusCode,
) -> Response {
    let topic = fields.topic(&scene.link.name);
    let page = ReviewPage {
        frame: Frame::new(app, visitor, Some(&scene.watched)).live(&[&topic]),
        link: scene.link.name.clone(),
        changed: scene.changed.clone(),
        review,
        fields: fields.clone(),
        topic,
        begin: scene.href(&["failover", "begin"]),
        back: format!("{}?{}", scene.href(&["failover"]), fields.query()),
    };
    render(status, &page)
}

async fn begin(
    State(app): State<App>,
    visitor: Visitor,
    Path((context, link)): Place,
    Form(fields): Form<Fields>,
) -> Response {
    // What is shown may be seconds old; what is decided by is not.
    let scene = match Scene::of(&app, &visitor, &context, &link, Look::Now).await {
        Ok(scene) => scene,
        Err(response) => return response,
    };
    let wish = match fields.wish() {
        Ok(wish) => wish,
        Err(wrong) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return choose_page(&app, &visitor, &scene, fields, wrong, status).await;
        }
    };
    let what = if wish.forced { "forced failover" } else { "planned failover" };
    match view::pressed(&scene.link, &scene.seen, &wish, &fields.confirm) {
        Ok(plan) => scene.begin(&app, &visitor, what, plan),
        Err((status, why)) => {
            let detail = format!("link {}: {what}, not begun: {}", scene.link.name, view::said(&why));
            let view = Review::of(&scene.link, &scene.seen, &wish).refused(&why);
            with_detail(review_page(&app, &visitor, &scene, &fields, view, status), detail)
        }
    }
}

/// The live piece of the review: `failover:` and the form's fields.
pub(crate) fn fragment(watched: &Watched, argument: &str, snapshot: &Snapshot) -> String {
    let Some(seen) = &snapshot.seen else { return piece(&Gates::unseen(snapshot)) };
    let now = match serde_urlencoded::from_str::<Fields>(argument).map(Fields::or_usual) {
        Err(_) => Now::trouble("the address of this piece cannot be read".to_owned(), seen),
        Ok(fields) => match (link_now(watched, &fields.link, seen), fields.wish()) {
            (Ok(link), Ok(wish)) => Now::of(&link, seen, &wish),
            (Err(why), _) => Now::trouble(why, seen),
            (Ok(_), Err(_)) => Now::trouble("the form cannot be understood".to_owned(), seen),
        },
    };
    piece(&now)
}
