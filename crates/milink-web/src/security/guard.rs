//! The two layers around all routes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{CONTENT_TYPE, COOKIE, HeaderName};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};

use super::session::Session;
use super::{READERS_MAY, csrf, headers, sign_in};
use crate::api::problem::Problem;
use crate::app::App;
use crate::audit::{Detail, Entry};
use crate::pages::error;

/// A form is read before its handler to find the token in it; a larger one is refused.
const FORM_BYTES_MAX: usize = 1 << 20;

/// Where a request came from, if a socket is known.
pub(crate) fn peer(extensions: &axum::http::Extensions) -> Option<SocketAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|c| c.0)
}

/// Around everything: the `Host` check and the headers.
pub(crate) async fn outermost(State(app): State<App>, request: Request, next: Next) -> Response {
    let security = &app.security;
    let mut response = if security.hosts.allow(request.headers(), security.tls) {
        next.run(request).await
    } else {
        let text = "This server does not answer under that name. Use the address that milink serve printed, or start it with --host NAME.\n";
        (StatusCode::MISDIRECTED_REQUEST, text).into_response()
    };
    headers::add(response.headers_mut(), security.tls);
    response
}

/// Around all that needs a session.
pub(crate) async fn guard(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let found = sign_in::cookie(&app, request.headers())
        .and_then(|token| app.security.sessions.find(&token, Instant::now()));
    if request.method() == Method::GET && app.security.is_monitor(request.uri(), request.headers()) {
        return next.run(request).await;
    }
    let Some(session) = found else {
        return without_session(request.method(), request.uri(), request.headers());
    };
    request.extensions_mut().insert(Arc::clone(&session));
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let uri = request.uri().clone();
    let refused = |why: Refusal| refuse(&uri, &session, why);
    if csrf::is_from_elsewhere(request.headers()) {
        return refused(Refusal::Elsewhere);
    }
    let request = match with_token(request, &session).await {
        Ok(request) => request,
        Err(why) => return refused(why),
    };
    let path = request.uri().path().to_owned();
    if READERS_MAY.contains(&path.as_str()) {
        return next.run(request).await;
    }
    let entry = Entry::of(&session, peer(request.extensions()), request.method(), &path);
    if !session.is_operator() {
        return match app.audit.write(entry.refused("a reader may not change anything")).await {
            Ok(()) => refused(Refusal::Reader),
            Err(_) => refused(Refusal::NoAudit),
        };
    }
    // What cannot be written down is not done.
    if app.audit.write(entry.clone().asked()).await.is_err() {
        return refused(Refusal::NoAudit);
    }
    let response = next.run(request).await;
    let detail = response.extensions().get::<Detail>().cloned();
    if app.audit.write(entry.answered(response.status().as_u16(), detail)).await.is_err() {
        // It was done, and its first entry says that it was asked for.
        return refused(Refusal::NoAuditAfter);
    }
    response
}

enum Refusal {
    Elsewhere,
    NoToken,
    TooLarge,
    Reader,
    NoAudit,
    NoAuditAfter,
}

fn refuse(uri: &Uri, session: &Session, why: Refusal) -> Response {
    let (status, title, detail) = match why {
        Refusal::Elsewhere | Refusal::NoToken => (
            StatusCode::FORBIDDEN,
            "The request does not come from a page of this server",
            "It has no valid CSRF token. Open the page again and repeat what you did; nothing was changed.",
        ),
        Refusal::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "The form is too large", "Nothing was changed."),
        Refusal::Reader => (
            StatusCode::FORBIDDEN,
            "A reader may not change anything",
            "This needs the role operator. Nothing was changed.",
        ),
        Refusal::NoAudit => (
            StatusCode::SERVICE_UNAVAILABLE,
            "The audit log cannot be written",
            "What cannot be written down is not done. Nothing was changed; see to the disk of the audit log.",
        ),
        Refusal::NoAuditAfter => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "The audit log cannot be written",
            "What you asked for was carried out, but its end could not be written down. Look at how it is before anything else.",
        ),
    };
    if is_api(uri) {
        Problem::new(status, title, detail).into_response()
    } else {
        error::page(session, status, title, detail)
    }
}

/// A request's token, from its header or its form. The form is put back for the handler.
async fn with_token(request: Request, session: &Session) -> Result<Request, Refusal> {
    let header = request.headers().get(csrf::HEADER).and_then(|v| v.to_str().ok());
    if let Some(token) = header {
        return if session.is_csrf_token(token) { Ok(request) } else { Err(Refusal::NoToken) };
    }
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if !content_type.starts_with("application/x-www-form-urlencoded") {
        return Err(Refusal::NoToken);
    }
    let (parts, body) = request.into_parts();
    let bytes: Bytes = to_bytes(body, FORM_BYTES_MAX).await.map_err(|_| Refusal::TooLarge)?;
    let fields: Vec<(String, String)> = serde_urlencoded::from_bytes(&bytes).map_err(|_| Refusal::NoToken)?;
    let mut tokens = fields.iter().filter(|(name, _)| name == csrf::FIELD);
    match (tokens.next(), tokens.next()) {
        (Some((_, token)), None) if session.is_csrf_token(token) => {
            Ok(Request::from_parts(parts, Body::from(bytes)))
        }
        _ => Err(Refusal::NoToken),
    }
}

fn is_api(uri: &Uri) -> bool {
    uri.path().starts_with("/api/") || uri.path() == "/metrics"
}

/// The API says 401, a page leads to sign-in, and a piece of a page has its page led there.
fn without_session(method: &Method, uri: &Uri, headers: &HeaderMap) -> Response {
    if is_api(uri) || uri.path().starts_with("/events/") {
        return Problem::new(StatusCode::UNAUTHORIZED, "Not signed in", "Sign in with a browser first.")
            .into_response();
    }
    if headers.contains_key("hx-request") {
        let lead = [(HeaderName::from_static("hx-redirect"), HeaderValue::from_static("/sign-in"))];
        return (StatusCode::UNAUTHORIZED, lead).into_response();
    }
    // What was to be changed is not asked for again by itself after a sign-in.
    let here = if *method == Method::GET { uri.path_and_query().map_or("/", |p| p.as_str()) } else { "/" };
    Redirect::to(&sign_in::address(here)).into_response()
}

/// All cookies of a request.
pub(crate) fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let all = headers.get_all(COOKIE).iter().filter_map(|v| v.to_str().ok());
    all.flat_map(|v| v.split(';')).filter_map(|pair| pair.trim().split_once('='))
}
