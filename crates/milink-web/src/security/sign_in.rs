//! The ways in: an address that works once, a password, an OpenID provider. All of them are counted against the same limit.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use askama::Template;
use axum::extract::{Form, Query, Request, State};
use axum::http::header::{HeaderValue, RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::guard::{cookies, peer};
use super::session::Role;
use super::{csrf, oidc, random};
use crate::app::App;
use crate::audit::Entry;
use crate::pages::{Theme, render};

/// One-time codes that are valid at the same time; the oldest is forgotten for a new one.
const CODES_MAX: usize = 8;

/// Codes that sign in one browser, once.
#[derive(Default)]
pub(crate) struct Codes(Mutex<VecDeque<[u8; 32]>>);

impl Codes {
    /// A new code.
    pub(super) fn issue(&self) -> String {
        let code = random::token();
        let mut codes = self.lock();
        codes.push_back(hash(&code));
        if codes.len() > CODES_MAX {
            codes.pop_front();
        }
        code
    }

    /// Whether it is one, which it is no more after this.
    fn take(&self, code: &str) -> bool {
        let given = hash(code);
        let mut codes = self.lock();
        let before = codes.len();
        codes.retain(|kept| !bool::from(kept.ct_eq(&given)));
        codes.len() < before
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<[u8; 32]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(code: &str) -> [u8; 32] {
    Sha256::digest(code.as_bytes()).into()
}

/// The routes that need no session.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/sign-in", get(form).post(by_password))
        .route("/sign-in/once", get(once))
        .route("/sign-in/oidc", get(oidc_away))
        .route(oidc::CALLBACK, get(oidc_back))
}

/// The route that ends a session; it is behind the guard.
pub(crate) fn out_route() -> Router<App> {
    Router::new().route("/sign-out", post(sign_out))
}

/// Where to sign in and then go on to a page of this server.
pub(super) fn address(to: &str) -> String {
    if to == "/" || !is_own(to) {
        return "/sign-in".to_owned();
    }
    format!("/sign-in?{}", serde_urlencoded::to_string([("to", to)]).unwrap_or_default())
}

/// Whether an address is of this server, whatever a browser makes of it.
pub(crate) fn is_own(to: &str) -> bool {
    let mut chars = to.chars();
    chars.next() == Some('/')
        && !matches!(chars.next(), Some('/' | '\\'))
        && !to.chars().any(char::is_control)
}

/// The session's token that a request carries.
pub(crate) fn cookie(app: &App, headers: &HeaderMap) -> Option<String> {
    let name = cookie_name(app);
    cookies(headers).find(|(n, _)| *n == name).map(|(_, value)| value.to_owned())
}

/// Cookies do not know ports: two servers on one machine must not overwrite each other's.
fn cookie_name(app: &App) -> String {
    let port = app.security.base_url.rsplit(':').next().unwrap_or_default();
    let prefix = if app.security.tls { "__Host-" } else { "" };
    format!("{prefix}milink-{port}")
}

fn set_cookie(app: &App, value: &str, more: &str) -> HeaderValue {
    let secure = if app.security.tls { "; Secure" } else { "" };
    let text = format!("{}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{more}", cookie_name(app));
    HeaderValue::from_str(&text).expect("tokens and ports have only letters, digits, - and _")
}

#[derive(Template)]
#[template(path = "pages/sign_in.html")]
struct SignInPage {
    theme: Theme,
    passwords: bool,
    once: bool,
    oidc: Option<String>,
    to: String,
    name: String,
    wrong: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "pages/signed_in.html")]
struct SignedInPage<'a> {
    theme: Theme,
    to: &'a str,
}

#[derive(Deserialize)]
struct To {
    #[serde(default)]
    to: String,
}

fn sign_in_page(
    app: &App,
    theme: Theme,
    to: String,
    name: String,
    wrong: Option<&'static str>,
) -> SignInPage {
    let (passwords, once) = (app.security.passwords.is_some(), app.security.has_codes());
    let with_to =
        || format!("/sign-in/oidc?{}", serde_urlencoded::to_string([("to", &to)]).unwrap_or_default());
    let oidc = app.security.oidc.as_ref().map(|_| with_to());
    SignInPage { theme, passwords, once, oidc, to, name, wrong }
}

async fn form(State(app): State<App>, theme: Theme, Query(To { to }): Query<To>) -> Response {
    render(StatusCode::OK, &sign_in_page(&app, theme, to, String::new(), None))
}

/// Takes a try of the limit, or answers 429.
fn limited(app: &App, theme: Theme, address: IpAddr) -> Option<Response> {
    let wait = app.security.sign_in_limit.take(address, Instant::now()).err()?;
    let wrong = Some("There were too many tries. Wait a moment, and try again.");
    let page = sign_in_page(app, theme, String::new(), String::new(), wrong);
    let mut response = render(StatusCode::TOO_MANY_REQUESTS, &page);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
    Some(response)
}

fn address_of(request: &axum::http::Extensions) -> IpAddr {
    peer(request).map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |a| a.ip())
}

#[derive(Deserialize)]
struct Once {
    #[serde(default)]
    code: String,
}

async fn once(
    State(app): State<App>,
    theme: Theme,
    Query(Once { code }): Query<Once>,
    request: Request,
) -> Response {
    let address = address_of(request.extensions());
    if let Some(response) = limited(&app, theme, address) {
        return response;
    }
    if !app.security.codes.take(&code) {
        let wrong = Some(
            "This address was used before, or is of another start of the server. Each works once; milink serve has printed the next one.",
        );
        let refused =
            Entry::sign_in("unknown", "one-time address", Some(address)).refused("the code is not valid");
        let status = if app.audit.write(refused).await.is_ok() {
            StatusCode::FORBIDDEN
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        return render(status, &sign_in_page(&app, theme, String::new(), String::new(), wrong));
    }
    // The next browser, or this one in a few days, needs one too.
    app.security.announce_code();
    let user = "local";
    match begin(&app, user, Role::Operator, "one-time address", address).await {
        Ok(cookie) => {
            // NB: a page and not a redirect. A click in another site's page led here, and a browser would not send a SameSite=Strict
            // cookie with a redirect of such a click.
            let mut response = render(StatusCode::OK, &SignedInPage { theme, to: "/" });
            response.headers_mut().insert(SET_COOKIE, cookie);
            response
        }
        Err(response) => response,
    }
}

#[derive(Deserialize)]
struct Given {
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    to: String,
}

async fn by_password(
    State(app): State<App>,
    theme: Theme,
    headers: HeaderMap,
    peer: Option<Extension<axum::extract::ConnectInfo<std::net::SocketAddr>>>,
    Form(given): Form<Given>,
) -> Response {
    let address = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |p| p.0.0.ip());
    let again = |status, wrong| {
        render(status, &sign_in_page(&app, theme, given.to.clone(), given.name.clone(), Some(wrong)))
    };
    if csrf::is_from_elsewhere(&headers) {
        return again(StatusCode::FORBIDDEN, "The request does not come from a page of this server.");
    }
    let Some(passwords) = &app.security.passwords else {
        return again(StatusCode::FORBIDDEN, "Nobody can sign in by password here.");
    };
    if let Some(response) = limited(&app, theme, address) {
        return response;
    }
    let Some((user, role)) = passwords.check(&given.name, given.password.clone()).await else {
        let name: String = given.name.chars().take(64).collect();
        let refused = Entry::sign_in(&name, "password", Some(address)).refused("name or password is wrong");
        if app.audit.write(refused).await.is_err() {
            return again(StatusCode::SERVICE_UNAVAILABLE, "The audit log cannot be written.");
        }
        return again(StatusCode::FORBIDDEN, "The name or the password is wrong.");
    };
    match begin(&app, &user, role, "password", address).await {
        Ok(cookie) => {
            let to = if is_own(&given.to) { given.to.as_str() } else { "/" };
            ([(SET_COOKIE, cookie)], Redirect::to(to)).into_response()
        }
        Err(response) => response,
    }
}

/// The cookie that binds the way to the provider and back to one browser. It must come along with the provider's redirect, so it cannot be strict.
const AWAY_COOKIE: &str = "milink-oidc";

fn away_cookie(app: &App, state: &str, more: &str) -> HeaderValue {
    let secure = if app.security.tls { "; Secure" } else { "" };
    let text = format!("{AWAY_COOKIE}={state}; Path=/sign-in; HttpOnly; SameSite=Lax{secure}{more}");
    HeaderValue::from_str(&text).expect("a state has only letters, digits, - and _")
}

async fn oidc_away(
    State(app): State<App>,
    theme: Theme,
    Query(To { to }): Query<To>,
    request: Request,
) -> Response {
    if let Some(response) = limited(&app, theme, address_of(request.extensions())) {
        return response;
    }
    let Some(oidc) = &app.security.oidc else { return StatusCode::NOT_FOUND.into_response() };
    match oidc.away(to.clone(), Instant::now()).await {
        Ok(away) => {
            ([(SET_COOKIE, away_cookie(&app, &away.state, "; Max-Age=600"))], Redirect::to(&away.url))
                .into_response()
        }
        Err(e) => {
            render(StatusCode::BAD_GATEWAY, &sign_in_page(&app, theme, to, String::new(), Some(e.text())))
        }
    }
}

#[derive(Deserialize)]
struct Returned {
    #[serde(default)]
    state: String,
    #[serde(default)]
    code: String,
}

async fn oidc_back(
    State(app): State<App>,
    theme: Theme,
    Query(returned): Query<Returned>,
    request: Request,
) -> Response {
    let address = address_of(request.extensions());
    let Some(oidc) = &app.security.oidc else { return StatusCode::NOT_FOUND.into_response() };
    let kept = cookies(request.headers())
        .find(|(name, _)| *name == AWAY_COOKIE)
        .map_or("", |(_, value)| value)
        .to_owned();
    let back = match oidc.back(&returned.state, &kept, returned.code, Instant::now()).await {
        Ok(back) => back,
        Err(e) => {
            let refused = Entry::sign_in("unknown", "OpenID", Some(address)).refused(e.text());
            let status = if app.audit.write(refused).await.is_ok() {
                StatusCode::FORBIDDEN
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            };
            return render(status, &sign_in_page(&app, theme, String::new(), String::new(), Some(e.text())));
        }
    };
    match begin(&app, &back.user, back.role, "OpenID", address).await {
        Ok(cookie) => {
            // A page and not a redirect, as after a one-time address.
            let to = if is_own(&back.to) { back.to.as_str() } else { "/" };
            let mut response = render(StatusCode::OK, &SignedInPage { theme, to });
            response.headers_mut().append(SET_COOKIE, cookie);
            response.headers_mut().append(SET_COOKIE, away_cookie(&app, "", "; Max-Age=0"));
            response
        }
        Err(response) => response,
    }
}

/// Begins a session, once that is written down.
async fn begin(
    app: &App,
    user: &str,
    role: Role,
    by: &'static str,
    address: IpAddr,
) -> Result<HeaderValue, Response> {
    let entry = Entry::sign_in(user, by, Some(address)).signed_in(role);
    if app.audit.write(entry).await.is_err() {
        return Err((StatusCode::SERVICE_UNAVAILABLE, "The audit log cannot be written.\n").into_response());
    }
    let token = app.security.sessions.begin(user, role, by, Instant::now());
    Ok(set_cookie(app, &token, ""))
}

async fn sign_out(State(app): State<App>, headers: HeaderMap) -> Response {
    if let Some(token) = cookie(&app, &headers) {
        app.security.sessions.end(&token);
    }
    ([(SET_COOKIE, set_cookie(&app, "", "; Max-Age=0"))], Redirect::to("/sign-in")).into_response()
}

/// A session's cookie, as a browser sends it.
#[cfg(test)]
pub(crate) fn test_cookie(app: &App, token: &str) -> String {
    format!("{}={token}", cookie_name(app))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_taken_once() {
        let codes = Codes::default();
        let (one, two) = (codes.issue(), codes.issue());
        assert!(codes.take(&two) && !codes.take(&two));
        assert!(!codes.take("") && codes.take(&one));
    }

    #[test]
    fn sign_in_leads_to_this_server_only() {
        for bad in ["", "https://evil.example", "//evil.example", "/\\evil.example", "c/x", "/a\nb"] {
            assert!(!is_own(bad), "{bad:?}");
        }
        assert_eq!(
            address("/c/prod/links?sort=lag&x=1"),
            "/sign-in?to=%2Fc%2Fprod%2Flinks%3Fsort%3Dlag%26x%3D1"
        );
        assert_eq!(address("/"), "/sign-in");
    }
}
