//! Pages that say that something is not there, or may not be done.

use askama::Template;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};

use super::{Frame, Theme, Visitor, render};
use crate::api::problem::Problem;
use crate::app::App;
use crate::security::Session;

#[derive(Template)]
#[template(path = "pages/error.html")]
struct ErrorPage<'a> {
    frame: Frame,
    title: &'a str,
    detail: &'a str,
}

#[derive(Template)]
#[template(path = "pages/refused.html")]
struct RefusedPage<'a> {
    theme: Theme,
    user: &'a str,
    title: &'a str,
    detail: &'a str,
}

/// An error with the frame around it.
pub(crate) fn of(app: &App, visitor: &Visitor, status: StatusCode, title: &str, detail: &str) -> Response {
    render(status, &ErrorPage { frame: Frame::new(app, visitor, None), title, detail })
}

/// An error of a request that does not get as far as a page.
pub(crate) fn page(session: &Session, status: StatusCode, title: &str, detail: &str) -> Response {
    render(status, &RefusedPage { theme: Theme::Auto, user: &session.user, title, detail })
}

/// There is no such page.
pub(crate) async fn not_found(State(app): State<App>, visitor: Visitor, uri: Uri) -> Response {
    if uri.path().starts_with("/api/") {
        return Problem::new(
            StatusCode::NOT_FOUND,
            "No such resource",
            "/api/v1/openapi.json names all that there are.",
        )
        .into_response();
    }
    not_found_page(&app, &visitor)
}

/// There is no such page, for who asks with a browser.
pub(crate) fn not_found_page(app: &App, visitor: &Visitor) -> Response {
    of(
        app,
        visitor,
        StatusCode::NOT_FOUND,
        "There is no such page",
        "The address may be of another release, or mistyped.",
    )
}
