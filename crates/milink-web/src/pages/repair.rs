//! Repair: a link with two primaries. What each copy may have alone, who wins, what is saved first, what is done.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use axum::{Form, Router};
use milink_core::names::{Role, Side};
use milink_core::observe::Observation;
use milink_core::plan::parted::{ForkReport, fork_report};
use milink_core::plan::repair::repair;
use milink_core::plan::{Phase, Plan};
use milink_core::role_change::is_confirmed;
use milink_core::spec::Link;
use serde::Deserialize;

use super::change::{Gates, Look, PlanView, Scene, link_now, no_plan, with_detail};
use super::tree::side_word;
use super::{Frame, Visitor, piece, render};
use crate::app::App;
use crate::state::{Snapshot, Watched};

/// Its routes.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/c/{context}/links/{link}/repair", get(show).post(begin))
}

/// The fields as they were typed.
#[derive(Debug, Clone, Default, Deserialize)]
struct Fields {
    #[serde(default)]
    winner: String,
    #[serde(default)]
    confirm: String,
}

impl Fields {
    fn winner(&self) -> Option<Side> {
        Side::BOTH.into_iter().find(|side| side_word(*side) == self.winner)
    }
}

/// The two copies, as they are shown.
#[derive(Debug, Template)]
#[template(path = "parts/fork.html")]
pub(crate) struct Fork {
    two_primaries: bool,
    rows: Vec<Row>,
    summaries: Vec<String>,
    seen_at: String,
}

/// A copy of a database.
#[derive(Debug)]
struct Row {
    database: String,
    side: Side,
    role: String,
    hardened: Option<milink_core::lsn::Lsn>,
    last_commit: String,
    sessions: String,
    unknown: Option<String>,
}

impl Fork {
    fn of(link: &Link, seen: &Observation) -> Fork {
        let report = fork_report(link, seen);
        let role = |side: Side| {
            let role = match side {
                Side::SqlServer => report.roles[0],
                Side::Managed => report.roles[1],
            };
            role.map_or_else(|| "unknown".to_owned(), |r| r.to_string())
        };
        let unknown = || "unknown".to_owned();
        let rows = report.databases.iter().flat_map(|d| {
            d.copies.iter().map(|c| Row {
                database: d.name.clone(),
                side: c.side,
                role: role(c.side),
                hardened: c.hardened,
                last_commit: c.last_commit.map_or_else(unknown, |at| at.to_string()),
                sessions: c.sessions.map_or_else(unknown, |n| n.to_string()),
                unknown: c.unknown.clone(),
            })
        });
        Fork {
            two_primaries: report.roles == [Some(Role::Primary); 2],
            rows: rows.collect(),
            summaries: report.databases.iter().map(ForkReport::summary).collect(),
            seen_at: seen.at.to_string(),
        }
    }
}

/// What a choice of the winner means.
#[derive(Debug)]
struct Choice {
    winner: Side,
    word: &'static str,
    loser: Side,
    plan: PlanView,
    guards: Gates,
    /// What is saved before anything is given up.
    saved: Vec<String>,
}

impl Choice {
    fn of(winner: Side, plan: &Plan, seen: &Observation) -> Choice {
        let saves = plan.steps.iter().filter(|s| s.phase == Phase::Backup);
        Choice {
            winner,
            word: side_word(winner),
            loser: winner.other(),
            plan: PlanView::of(plan, seen),
            guards: Gates::guards(plan, seen),
            saved: saves.map(|s| s.title.clone()).collect(),
        }
    }
}

#[derive(Template)]
#[template(path = "pages/repair.html")]
struct RepairPage {
    frame: Frame,
    link: String,
    changed: Option<String>,
    topic: String,
    fork: Fork,
    sides: Vec<(Side, &'static str, bool)>,
    choice: Option<Choice>,
    cannot: Option<(String, String)>,
    refused: Option<String>,
    action: String,
    back: String,
}

type Place = Path<(String, String)>;

async fn show(
    State(app): State<App>,
    visitor: Visitor,
    Path((context, link)): Place,
    Query(fields): Query<Fields>,
) -> Response {
    match Scene::of(&app, &visitor, &context, &link, Look::Newest).await {
        Ok(scene) => page(&app, &visitor, &scene, fields.winner(), None, StatusCode::OK),
        Err(response) => response,
    }
}

async fn begin(
    State(app): State<App>,
    visitor: Visitor,
    Path((context, link)): Place,
    Form(fields): Form<Fields>,
) -> Response {
    let scene = match Scene::of(&app, &visitor, &context, &link, Look::Now).await {
        Ok(scene) => scene,
        Err(response) => return response,
    };
    let name = &scene.link.name;
    let winner = fields.winner();
    let refuse = |status, why: &str| {
        let page = page(&app, &visitor, &scene, winner, Some(why.to_owned()), status);
        with_detail(page, format!("link {name}: repair, not begun: {why}"))
    };
    let Some(winner) = winner else {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, "Choose the side that stays primary.");
    };
    if !is_confirmed(name, Some(&fields.confirm)) {
        return refuse(
            StatusCode::UNPROCESSABLE_ENTITY,
            "What was typed is not the link's name, to the letter.",
        );
    }
    match repair(&scene.link, winner, &scene.seen) {
        Ok(plan) => scene.begin(&app, &visitor, &format!("repair, {winner} wins"), plan),
        Err(e) => refuse(StatusCode::CONFLICT, &e.to_string()),
    }
}

fn page(
    app: &App,
    visitor: &Visitor,
    scene: &Scene,
    winner: Option<Side>,
    refused: Option<String>,
    status: StatusCode,
) -> Response {
    let planned = winner.map(|winner| (winner, repair(&scene.link, winner, &scene.seen)));
    let (choice, cannot) = match planned {
        None => (None, None),
        Some((winner, Ok(plan))) => (Some(Choice::of(winner, &plan, &scene.seen)), None),
        Some((_, Err(e))) => (None, Some(no_plan(&e))),
    };
    let query = serde_urlencoded::to_string([("link", &scene.link.name)]).unwrap_or_default();
    let topic = format!("fork:{query}");
    let page = RepairPage {
        frame: Frame::new(app, visitor, Some(&scene.watched)).live(&[&topic]),
        link: scene.link.name.clone(),
        changed: scene.changed.clone(),
        topic,
        fork: Fork::of(&scene.link, &scene.seen),
        sides: Side::BOTH.map(|side| (side, side_word(side), winner == Some(side))).into(),
        choice,
        cannot,
        refused,
        action: scene.href(&["repair"]),
        back: scene.href(&[]),
    };
    render(status, &page)
}

/// A link in the address of a live piece.
#[derive(Deserialize)]
struct Named {
    link: String,
}

/// The live piece: `fork:link=NAME`.
pub(crate) fn fragment(watched: &Watched, argument: &str, snapshot: &Snapshot) -> String {
    let Some(seen) = &snapshot.seen else { return piece(&Gates::unseen(snapshot)) };
    let Ok(named) = serde_urlencoded::from_str::<Named>(argument) else { return String::new() };
    match link_now(watched, &named.link, seen) {
        Ok(link) => piece(&Fork::of(&link, seen)),
        Err(why) => piece(&Gates::trouble(why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::fixture;

    #[test]
    fn a_fork_is_shown_with_what_is_saved_before_it_is_given_up() {
        let (link, mut seen) = fixture::linked();
        fixture::become_primary(&mut seen, Side::Managed);
        let fork = Fork::of(&link, &seen);
        assert!(fork.two_primaries && fork.rows.len() == 2);
        assert!(piece(&fork).contains("Both sides are primary"));
        let plan = repair(&link, Side::Managed, &seen).unwrap();
        let choice = Choice::of(Side::Managed, &plan, &seen);
        assert_eq!(choice.saved.len(), link.databases.len());
        assert!(choice.plan.steps.iter().any(|s| s.no_return));
        let first = &choice.plan.steps[0];
        assert!(first.sends.as_deref().unwrap_or_default().contains("COPY_ONLY"), "{first:?}");
        let whole = piece(&Fork::of(&link, &fixture::linked().1));
        assert!(!whole.contains("Both sides are primary"));
    }
}
