//! Drop: what goes with a link, what guards it, what is done. And the ways from a link to its run that is open.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use axum::{Form, Router};
use milink_core::plan::{DropOptions, Plan, drop};
use milink_core::role_change::is_confirmed;
use milink_ops::journal::Journal;
use milink_ops::links::run_to_undo;
use serde::Deserialize;

use super::change::{Gates, Look, PlanView, Scene, no_plan, with_detail};
use super::{Frame, Visitor, error, path, render};
use crate::app::App;

/// Its routes.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/c/{context}/links/{link}/drop", get(show).post(begin))
        .route("/c/{context}/links/{link}/undo", get(undo))
        .route("/c/{context}/links/{link}/resume", get(resume))
}

/// The fields as they were typed; a box that is not checked is not sent.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Fields {
    #[serde(default)]
    keep_group: Option<String>,
    #[serde(default)]
    keep_trust: Option<String>,
    #[serde(default)]
    delete_copy: Option<String>,
    #[serde(default)]
    force: Option<String>,
    #[serde(default)]
    confirm: String,
}

impl Fields {
    fn options(&self) -> DropOptions {
        DropOptions {
            keep_group: self.keep_group.is_some(),
            clean_trust: self.keep_trust.is_none(),
            delete_copy: self.delete_copy.is_some(),
            force: self.force.is_some(),
        }
    }

    /// What cannot be got back is only done when the link was named.
    fn needs_confirmation(&self) -> bool {
        self.force.is_some() || self.delete_copy.is_some()
    }
}

/// A box of the form.
#[derive(Debug)]
struct CheckBox {
    name: &'static str,
    label: &'static str,
    checked: bool,
}

fn boxes(fields: &Fields) -> Vec<CheckBox> {
    let one = |name, label, checked| CheckBox { name, label, checked };
    vec![
        one("keep_group", "Leave SQL Server's availability group", fields.keep_group.is_some()),
        one("keep_trust", "Leave certificates and the endpoint", fields.keep_trust.is_some()),
        one("delete_copy", "Delete the secondary's copy of the database too", fields.delete_copy.is_some()),
        one(
            "force",
            "Remove it although the sides are not equal, or one of them does not answer",
            fields.force.is_some(),
        ),
    ]
}

#[derive(Template)]
#[template(path = "pages/drop.html")]
struct DropPage {
    frame: Frame,
    link: String,
    changed: Option<String>,
    boxes: Vec<CheckBox>,
    guards: Option<Gates>,
    plan: Option<PlanView>,
    cannot: Option<(String, String)>,
    refused: Option<String>,
    confirm: bool,
    seen_at: String,
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
        Ok(scene) => page(&app, &visitor, &scene, &fields, None, StatusCode::OK),
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
    let refuse = |status, why: &str| {
        let page = page(&app, &visitor, &scene, &fields, Some(why.to_owned()), status);
        with_detail(page, format!("link {name}: drop, not begun: {why}"))
    };
    if fields.needs_confirmation() && !is_confirmed(name, Some(&fields.confirm)) {
        return refuse(
            StatusCode::UNPROCESSABLE_ENTITY,
            "What was typed is not the link's name, to the letter.",
        );
    }
    match drop(&scene.link, &scene.seen, fields.options()) {
        Ok(plan) => scene.begin(&app, &visitor, "drop", plan),
        Err(e) => refuse(StatusCode::CONFLICT, &e.to_string()),
    }
}

fn page(
    app: &App,
    visitor: &Visitor,
    scene: &Scene,
    fields: &Fields,
    refused: Option<String>,
    status: StatusCode,
) -> Response {
    let planned = drop(&scene.link, &scene.seen, fields.options());
    let shown = |plan: &Plan| (Gates::guards(plan, &scene.seen), PlanView::of(plan, &scene.seen));
    let (guards, plan, cannot) = match planned {
        Ok(plan) => {
            let (guards, plan) = shown(&plan);
            (Some(guards), Some(plan), None)
        }
        Err(e) => (None, None, Some(no_plan(&e))),
    };
    let page = DropPage {
        frame: Frame::new(app, visitor, Some(&scene.watched)),
        link: scene.link.name.clone(),
        changed: scene.changed.clone(),
        boxes: boxes(fields),
        guards,
        plan,
        cannot,
        refused,
        confirm: fields.needs_confirmation(),
        seen_at: scene.seen.at.to_string(),
        action: scene.href(&["drop"]),
        back: scene.href(&[]),
    };
    render(status, &page)
}

async fn undo(state: State<App>, visitor: Visitor, place: Place) -> Response {
    to_run(state, visitor, place, &["undo"]).await
}

async fn resume(state: State<App>, visitor: Visitor, place: Place) -> Response {
    to_run(state, visitor, place, &[]).await
}

/// Leads to the run of a link that is open, or to its newest: there it is gone on with and taken back.
async fn to_run(
    State(app): State<App>,
    visitor: Visitor,
    Path((context, link)): Place,
    rest: &[&str],
) -> Response {
    let watched = match super::found(&app, &visitor, &context) {
        Ok(watched) => watched,
        Err(response) => return response,
    };
    let Some(connected) = watched.connected() else {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        return error::of(
            &app,
            &visitor,
            status,
            "This context cannot be used now",
            "Try again in a moment.",
        );
    };
    let (journal, name) = (connected.journal.clone(), link.clone());
    let found = tokio::task::spawn_blocking(move || run_to_undo(&Journal::open(&journal)?, &name)).await;
    let (title, why) = match found {
        Ok(Ok(Some(run))) => {
            let number = run.id.to_string();
            let parts: Vec<&str> =
                ["c", &context, "runs", &number].into_iter().chain(rest.iter().copied()).collect();
            return Redirect::to(&path(&parts)).into_response();
        }
        Ok(Ok(None)) => ("No run", format!("The journal has no run of link {link}.")),
        Ok(Err(e)) => ("The journal cannot be read", e.to_string()),
        Err(e) => ("The journal cannot be read", e.to_string()),
    };
    error::of(&app, &visitor, StatusCode::NOT_FOUND, title, &why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::fixture;

    #[test]
    fn a_drop_shows_its_guards_and_wants_the_name_for_what_cannot_be_got_back() {
        let (link, seen) = fixture::linked();
        let plan = drop(&link, &seen, Fields::default().options()).unwrap();
        let guards = Gates::guards(&plan, &seen);
        let names: Vec<&str> = guards.rows.iter().map(|g| g.name.as_str()).collect();
        assert!(names.iter().any(|n| n.starts_with("The copy has everything")), "{names:?}");
        assert!(names.iter().any(|n| n.starts_with("Nobody is connected")), "{names:?}");
        let on = || Some("on".to_owned());
        assert!(!Fields::default().needs_confirmation());
        assert!(Fields { force: on(), ..Fields::default() }.needs_confirmation());
        assert!(Fields { delete_copy: on(), ..Fields::default() }.needs_confirmation());
        let options = Fields { keep_trust: on(), ..Fields::default() }.options();
        assert!(!options.clean_trust && !options.force);
    }
}
