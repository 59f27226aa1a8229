//! Light, dark, or as the system has it: kept in a cookie, since it is of the browser and not of a session.

use axum::extract::{Form, FromRequestParts};
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use crate::security::cookies;

const COOKIE: &str = "milink-theme";

/// A theme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Theme {
    /// As the system has it.
    #[default]
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// Its word, for `data-theme`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Theme::Auto => "auto",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }

    /// The one that the button leads to.
    pub(crate) fn next(self) -> Theme {
        match self {
            Theme::Auto => Theme::Dark,
            Theme::Dark => Theme::Light,
            Theme::Light => Theme::Auto,
        }
    }

    /// What a request's cookie says.
    pub(crate) fn of(headers: &HeaderMap) -> Theme {
        match cookies(headers).find(|(name, _)| *name == COOKIE).map(|(_, value)| value) {
            Some("light") => Theme::Light,
            Some("dark") => Theme::Dark,
            _ => Theme::Auto,
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Theme {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Theme, Self::Rejection> {
        Ok(Theme::of(&parts.headers))
    }
}

#[derive(Deserialize)]
pub(super) struct Chosen {
    theme: Theme,
    #[serde(default)]
    to: String,
}

/// Keeps a theme, and goes back to the page.
pub(super) async fn set(headers: HeaderMap, Form(chosen): Form<Chosen>) -> Response {
    let cookie =
        format!("{COOKIE}={}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax", chosen.theme.word());
    if headers.contains_key("hx-request") {
        return (StatusCode::NO_CONTENT, [(SET_COOKIE, cookie)]).into_response();
    }
    let to = if crate::security::sign_in::is_own(&chosen.to) { chosen.to.as_str() } else { "/" };
    ([(SET_COOKIE, cookie)], Redirect::to(to)).into_response()
}
