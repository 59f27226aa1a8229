//! Pages: one module for each, with its handler, its view model and its template under `templates/pages`.
//!
//! # Addresses
//! | address | page | module |
//! |---|---|---|
//! | `/` | the first context's | here |
//! | `/c/{context}` | instances and databases of a context | [`context`] |
//! | `/c/{context}/databases/{side}/{database}` | Properties of a database | [`database`] |
//! | `/c/{context}/links`, `/c/{context}/links/{link}` | dashboard | [`dashboard`] |
//! | `/c/{context}/new-link/...` | the wizard for a new link; `?database=NAME` selects one | [`wizard`] |
//! | `/c/{context}/links/{link}/failover/...` | the failover wizard | [`wizard`] |
//! | `/c/{context}/runs/{run}` | a run while it goes on and afterwards | [`run`] |
//! | `/c/{context}/links/{link}/failover/...` | the failover wizard, and receipts | [`failover`] |
//! | `/c/{context}/links/{link}/repair` | two primaries | [`repair`] |
//! | `/c/{context}/links/{link}/drop`, `.../undo`, `.../resume` | a link that goes, and the ways to its open run | [`removing`] |
//! | `/c/{context}/rehearse/...` | faults, workload and drill, where there is a place for it | [`rehearse`] |
//! | `/audit` | who did what | [`audit`] |
//! | `/sign-in` | the ways in | `security::sign_in` |
//!
//! # How a page is made
//! A handler takes [`Visitor`] (who asks, and their theme), gets its context by [`found`], makes a view model that holds a [`Frame`] as
//! `frame`, and answers with [`render`]. The template extends `base.html` and fills its blocks: `title`, `main`, and if it must
//! `head` (further scripts and styles by `crate::assets::url`). What is live is named in [`Frame::live`] and has `sse-swap="TOPIC"` in the template; its piece of
//! HTML is a template of its own under `templates/parts`, which the page includes and [`crate::events`] sends.
//!
//! The policy forbids inline scripts and styles, `style` attributes too: what depends on data goes into `data-` attributes that `app.js` reads, or
//! into SVG attributes, `<meter>` and `<progress>`. Forms carry `<input type="hidden" name="csrf" value="{{ frame.csrf }}">`; htmx sends the
//! token by itself (`hx-headers` of the body).
//!
//! # Components
//! `templates/parts/ui.html` has macros; `{% import "parts/ui.html" as ui %}` and then `{% call ui::badge("good", "healthy") %}{% endcall %}`:
//! - `badge(tone, text)`: a state in words with an icon; tones are `good`, `warning`, `bad`, `plain`;
//! - `notice(tone, title, text)`: a box that says something about the whole page;
//! - `stamp(stamp)`: "seen at" and "stale since" of a [`Stamp`];
//! - `lsn(value)`: an LSN cell of an `Option`; `unknown` if there is none;
//! - `field(label, name, value, hint)`: a labelled text field of a form;
//! - tables are plain `<table>` in `<div class="scroll" tabindex="0" role="region" aria-label="...">`, so that they can be moved by keyboard at 360 px.

pub(crate) mod audit;
pub(crate) mod change;
pub(crate) mod context;
pub(crate) mod dashboard;
pub(crate) mod database;
pub(crate) mod error;
pub(crate) mod failover;
#[cfg(test)]
pub(crate) mod fixture;
mod frame;
pub(crate) mod rehearse;
pub(crate) mod removing;
pub(crate) mod repair;
pub(crate) mod run;
mod theme;
pub(crate) mod tree;
pub(crate) mod wizard;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};

pub(crate) use frame::{Frame, Visitor};
pub(crate) use theme::Theme;

use crate::app::App;
use crate::state::Watched;

/// Everything that is behind the guard.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/", get(home))
        .route("/theme", post(theme::set))
        .merge(audit::routes())
        .merge(context::routes())
        .merge(database::routes())
        .merge(dashboard::routes())
        .merge(run::routes())
        .merge(wizard::routes())
        .merge(failover::routes())
        .merge(repair::routes())
        .merge(removing::routes())
        .merge(rehearse::routes())
        .merge(crate::security::sign_in::out_route())
        .fallback(error::not_found)
}

async fn home(State(app): State<App>, visitor: Visitor) -> Response {
    match app.hub.contexts().first() {
        Some(first) => Redirect::to(&path(&["c", &first.info.name])).into_response(),
        None => error::of(
            &app,
            &visitor,
            StatusCode::NOT_FOUND,
            "There is no context",
            "Nobody has said where the two sides are. Make a context with milink context add, or give the flags or variables, and start milink serve again.",
        ),
    }
}

/// The context of an address.
///
/// # Errors
/// The page that says that there is none.
// Both are answers: the page is as large as any other response.
#[allow(clippy::result_large_err)]
pub(crate) fn found<'a>(app: &'a App, visitor: &Visitor, name: &str) -> Result<&'a Arc<Watched>, Response> {
    app.hub.context(name).ok_or_else(|| {
        error::of(
            app,
            visitor,
            StatusCode::NOT_FOUND,
            "No such context",
            &format!("There is no context {name}."),
        )
    })
}

/// Answers with a page or a piece of one.
pub(crate) fn render(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => (status, [(CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response(),
        // Writing into memory does not fail; a value that cannot be formatted could.
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "The page cannot be made.\n").into_response(),
    }
}

/// A piece of a page as text; empty if it cannot be made.
pub(crate) fn piece(template: &impl Template) -> String {
    template.render().unwrap_or_default()
}

/// An address of parts, each of which may hold anything.
pub(crate) fn path(parts: &[&str]) -> String {
    let mut path = String::new();
    for part in parts {
        path.push('/');
        for byte in part.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    path.push(char::from(byte));
                }
                other => path.push_str(&format!("%{other:02X}")),
            }
        }
    }
    path
}
