//! The New-link wizard: each of SSMS's pages at an address of its own, `/c/{context}/new-link/{draft}/{page}`.
//!
//! A page is one form. Whatever is pressed on it (Next, Back, another page, "mend it") sends the whole form, and what was typed is kept
//! before anything else, right or wrong. So nothing is lost by going back, by an error or by a restart of the server.

mod checks;
mod databases;
mod executing;
mod shell;
mod show;
mod start;
mod summary;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};

use crate::app::App;
use crate::connect::Connected;
use crate::pages::run::{done, unusable};
use crate::pages::{Visitor, error, found, path};
use crate::state::Watched;
use crate::wizard::{Draft, DraftId, Page, Store, StoreError};

/// Its routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/c/{context}/new-link", get(start::show).post(start::begin))
        .route("/c/{context}/new-link/{draft}", get(enter))
        .route("/c/{context}/new-link/{draft}/{page}", get(show::show).post(save))
        .route("/c/{context}/new-link/{draft}/discard", post(start::discard))
        .route("/c/{context}/new-link/{draft}/mend", post(checks::mend))
        .route("/c/{context}/new-link/{draft}/finish", post(executing::finish))
        .route("/c/{context}/new-link/{draft}/pause", post(executing::pause))
        .route("/c/{context}/new-link/{draft}/spec.toml", get(summary::spec_file))
        .route("/c/{context}/new-link/{draft}/scripts/{link}/{file}", get(summary::script_file))
        .route("/events/{context}/new-link/{draft}", get(executing::stream))
}

/// A draft with its context.
struct Here {
    watched: Arc<Watched>,
    connected: Arc<Connected>,
    draft: Draft,
}

impl Here {
    /// The address of a page, or of something else of the draft.
    fn href(&self, what: &str) -> String {
        path(&["c", &self.watched.info.name, "new-link", self.draft.id.as_str(), what])
    }
}

/// The draft of an address.
///
/// # Errors
/// The page that says why there is none.
// Both are answers: the page is as large as any other response.
#[allow(clippy::result_large_err)]
async fn here(app: &App, visitor: &Visitor, context: &str, draft: &str) -> Result<Here, Response> {
    let context = found(app, visitor, context)?;
    let id: Option<DraftId> = draft.parse().ok();
    let draft = with_drafts(app, visitor, context, move |store, name| match id {
        Some(id) => store.find(name, &id),
        None => Ok(None),
    });
    let draft = draft.await?.ok_or_else(|| no_draft(app, visitor))?;
    let connected = context.connected().ok_or_else(|| unusable(app, visitor, context))?;
    Ok(Here { watched: Arc::clone(context), connected, draft })
}

fn no_draft(app: &App, visitor: &Visitor) -> Response {
    let detail =
        "There is no such draft in this context. It may have been thrown away; begin with New link... again.";
    error::of(app, visitor, StatusCode::NOT_FOUND, "No such draft", detail)
}

/// Work on the drafts of a context, where nothing may block.
///
/// # Errors
/// The page that says why it cannot be done.
// Both are answers: the page is as large as any other response.
#[allow(clippy::result_large_err)]
async fn with_drafts<T: Send + 'static>(
    app: &App,
    visitor: &Visitor,
    watched: &Arc<Watched>,
    work: impl FnOnce(&Store, &str) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Response> {
    let here = Arc::clone(watched);
    let worked = tokio::task::spawn_blocking(move || {
        here.runs().map(|runs| work(&runs.drafts, &here.info.name)).transpose()
    });
    let why = match worked.await {
        Ok(Ok(Some(done))) => return Ok(done),
        Ok(Ok(None)) => return Err(unusable(app, visitor, watched)),
        Ok(Err(e)) => e.to_string(),
        Err(e) => e.to_string(),
    };
    Err(error::of(app, visitor, StatusCode::INTERNAL_SERVER_ERROR, "The draft cannot be kept", &why))
}

/// Keeps what a page's form holds.
///
/// # Errors
/// The page that says why it is not kept.
// Both are answers: the page is as large as any other response.
#[allow(clippy::result_large_err)]
async fn keep(
    app: &App,
    visitor: &Visitor,
    here: Here,
    page: Page,
    fields: Vec<(String, String)>,
) -> Result<Here, Response> {
    let id = here.draft.id.clone();
    let changed = with_drafts(app, visitor, &here.watched, move |store, context| {
        store.change(context, &id, |draft| {
            draft.typed.take(page, &fields);
            draft.visit(page);
        })
    });
    match changed.await? {
        Some(draft) => Ok(Here { draft, ..here }),
        None => Err(no_draft(app, visitor)),
    }
}

async fn enter(
    State(app): State<App>,
    visitor: Visitor,
    Path((context, draft)): Path<(String, String)>,
) -> Response {
    match here(&app, &visitor, &context, &draft).await {
        Ok(here) => {
            let page = if here.draft.executed.is_some() { Page::Executing } else { Page::Introduction };
            Redirect::to(&here.href(page.word())).into_response()
        }
        Err(response) => response,
    }
}

async fn save(
    State(app): State<App>,
    visitor: Visitor,
    Path((context, draft, page)): Path<(String, String, String)>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Response {
    let Some(page) = Page::of(&page) else { return error::not_found_page(&app, &visitor) };
    let go = fields.iter().find(|(n, _)| n == "go").map_or_else(String::new, |(_, value)| value.clone());
    let kept = match here(&app, &visitor, &context, &draft).await {
        Ok(here) => keep(&app, &visitor, here, page, fields).await,
        Err(response) => return response,
    };
    let here = match kept {
        Ok(here) => here,
        Err(response) => return response,
    };
    let primary = here.draft.typed.initial_primary;
    let wrong = here.draft.typed.links(&here.connected.endpoints).err().unwrap_or_default();
    let next = match go.as_str() {
        "back" => page.previous(primary),
        "next" if wrong.iter().any(|w| w.page == page) => Some(page),
        "next" => page.next(primary),
        // Another page of the list; the same one again if it names none.
        word => Page::of(word),
    };
    let next = next.unwrap_or(page);
    done(&here.href(next.word()), format!("draft {}: {page} kept", here.draft.id.as_str()))
}
