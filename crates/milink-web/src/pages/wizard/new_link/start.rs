//! Where a new link begins: a new draft, or one that is not through.

use askama::Template;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use milink_core::names::Side;
use milink_ops::sides::now;
use serde::Deserialize;

use super::{here, with_drafts};
use crate::app::App;
use crate::pages::run::done;
use crate::pages::{Frame, Visitor, error, found, path, render};
use crate::wizard::{Draft, DraftId, Page};

#[derive(Deserialize)]
pub(super) struct Asked {
    /// The database that it begins with.
    #[serde(default)]
    database: String,
    /// The side that has it.
    #[serde(default)]
    primary: String,
}

struct Item {
    href: String,
    name: String,
    databases: String,
    user: String,
    begun: String,
    begun_to_make: bool,
}

#[derive(Template)]
#[template(path = "pages/wizard_start.html")]
struct StartPage {
    frame: Frame,
    href: String,
    database: String,
    primary: String,
    drafts: Vec<Item>,
}

pub(super) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    Path(context): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    let watched = match found(&app, &visitor, &context) {
        Ok(watched) => watched,
        Err(response) => return response,
    };
    let drafts = match with_drafts(&app, &visitor, watched, |store, context| store.list(context)).await {
        Ok(drafts) => drafts,
        Err(response) => return response,
    };
    let item = |d: Draft| Item {
        href: path(&["c", &context, "new-link", d.id.as_str()]),
        name: if d.typed.name.is_empty() { "(no name yet)".to_owned() } else { d.typed.name },
        databases: d.typed.databases.join(", "),
        user: d.user,
        begun: d.begun.to_string(),
        begun_to_make: d.executed.is_some(),
    };
    let page = StartPage {
        frame: Frame::new(&app, &visitor, Some(watched)),
        href: path(&["c", &context, "new-link"]),
        database: asked.database,
        primary: asked.primary,
        drafts: drafts.into_iter().map(item).collect(),
    };
    render(StatusCode::OK, &page)
}

pub(super) async fn begin(
    State(app): State<App>,
    visitor: Visitor,
    Path(context): Path<String>,
    Form(asked): Form<Asked>,
) -> Response {
    let watched = match found(&app, &visitor, &context) {
        Ok(watched) => watched,
        Err(response) => return response,
    };
    let id = match DraftId::new() {
        Ok(id) => id,
        Err(e) => {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            return error::of(&app, &visitor, status, "No draft can be begun", &e.to_string());
        }
    };
    let mut draft = Draft::new(id.clone(), &context, &visitor.session.user, now());
    // The same rules as for what is typed on the pages.
    if !asked.database.is_empty() {
        draft.typed.take(Page::Databases, &[("database".to_owned(), asked.database.clone())]);
        let plain = |c: char| if c.is_alphanumeric() { c.to_lowercase().to_string() } else { "-".to_owned() };
        draft.typed.name = asked.database.chars().take(64).map(plain).collect();
    }
    if asked.primary == "managed" {
        draft.typed.initial_primary = Side::Managed;
    }
    match with_drafts(&app, &visitor, watched, move |store, _| store.add(&draft)).await {
        Ok(()) => {
            let href = path(&["c", &context, "new-link", id.as_str(), Page::Introduction.word()]);
            done(&href, format!("draft {} begun", id.as_str()))
        }
        Err(response) => response,
    }
}

pub(super) async fn discard(
    State(app): State<App>,
    visitor: Visitor,
    Path((context, draft)): Path<(String, String)>,
) -> Response {
    let here = match here(&app, &visitor, &context, &draft).await {
        Ok(here) => here,
        Err(response) => return response,
    };
    let id = here.draft.id.clone();
    match with_drafts(&app, &visitor, &here.watched, move |store, context| store.remove(context, &id)).await {
        Ok(_) => done(&path(&["c", &context, "new-link"]), format!("draft {draft} thrown away")),
        Err(response) => response,
    }
}
