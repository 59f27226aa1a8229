//! The control endpoint: HTTP and JSON on the loopback address, for whoever has the token.
//!
//! ```text
//! GET  /api/status                  the status document
//! POST /api/faults    Change        what is broken now
//! POST /api/reset | /api/snapshot {name} | /api/restore {name}     the status document
//! POST /api/down                    null, and then the lab stops
//! ```
//! An error is `{"code": ..., "message": ...}` with a status of 4xx or 5xx.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use crate::faults::Change;
use crate::supervisor::{Lab, LabError};

/// What an error says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ApiError {
    pub(crate) code: String,
    pub(crate) message: String,
}

/// A request about something that has a name.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Named {
    pub(crate) name: String,
}

fn refuse(status: StatusCode, code: &str, message: String) -> Response {
    (status, Json(ApiError { code: code.to_owned(), message })).into_response()
}

impl IntoResponse for LabError {
    fn into_response(self) -> Response {
        let (status, code) = match &self {
            LabError::DoesNotApply(_) => (StatusCode::CONFLICT, "DoesNotApply"),
            LabError::NotFound(_) => (StatusCode::NOT_FOUND, "NotFound"),
            LabError::Folder(_) | LabError::Failed(_) => (StatusCode::INTERNAL_SERVER_ERROR, "Failed"),
        };
        refuse(status, code, self.to_string())
    }
}

#[derive(Clone)]
struct Shared {
    lab: Arc<Lab>,
    token: Arc<str>,
}

/// What the endpoint answers.
pub(crate) fn router(lab: Arc<Lab>, token: &str) -> Router {
    let shared = Shared { lab, token: Arc::from(token) };
    Router::new()
        .route("/api/status", get(|State(s): State<Shared>| run(s, |lab| Ok(lab.status()))))
        .route(
            "/api/faults",
            post(|State(s): State<Shared>, Json(change): Json<Change>| run(s, move |lab| lab.fault(&change))),
        )
        .route("/api/reset", post(|State(s): State<Shared>| run(s, |lab| lab.reset().map(|()| lab.status()))))
        .route(
            "/api/snapshot",
            post(|State(s): State<Shared>, Json(named): Json<Named>| {
                run(s, move |lab| lab.snapshot(&named.name).map(|()| lab.status()))
            }),
        )
        .route(
            "/api/restore",
            post(|State(s): State<Shared>, Json(named): Json<Named>| {
                run(s, move |lab| lab.restore(&named.name).map(|()| lab.status()))
            }),
        )
        .route(
            "/api/down",
            post(|State(s): State<Shared>| {
                run(s, |lab| {
                    lab.ask_to_stop();
                    Ok(())
                })
            }),
        )
        .fallback(|| async { refuse(StatusCode::NOT_FOUND, "NotFound", "there is no such page".to_owned()) })
        .layer(middleware::from_fn_with_state(shared.clone(), authorized))
        .layer(DefaultBodyLimit::max(64 << 10))
        .with_state(shared)
}

/// Lets those in who have the token. It is compared in constant time: how long a refusal takes tells nothing of it.
async fn authorized(State(shared): State<Shared>, request: Request<Body>, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|h| h.to_str().ok());
    let given = given.and_then(|h| h.strip_prefix("Bearer ")).unwrap_or_default();
    if bool::from(given.as_bytes().ct_eq(shared.token.as_bytes())) {
        next.run(request).await
    } else {
        refuse(StatusCode::UNAUTHORIZED, "Unauthorized", "the lab's token is wanted".to_owned())
    }
}

/// Runs what may take its time away from those threads that must not wait.
async fn run<T, F>(shared: Shared, work: F) -> Response
where
    T: Serialize + Send + 'static,
    F: FnOnce(&Arc<Lab>) -> Result<T, LabError> + Send + 'static,
{
    match tokio::task::spawn_blocking(move || work(&shared.lab)).await {
        Ok(Ok(value)) => Json(value).into_response(),
        Ok(Err(e)) => e.into_response(),
        Err(e) => LabError::Failed(format!("the lab has a defect: {e}")).into_response(),
    }
}
