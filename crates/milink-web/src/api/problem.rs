//! Why the API does not do what was asked for: `application/problem+json` (RFC 9457).

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// A problem.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// The HTTP status.
    status: u16,
    /// What it is, the same for all of its kind.
    title: String,
    /// More about this one, and what to do.
    #[serde(skip_serializing_if = "String::is_empty")]
    detail: String,
}

impl Problem {
    /// A problem.
    pub(crate) fn new(status: StatusCode, title: &str, detail: impl Into<String>) -> Problem {
        Problem { status: status.as_u16(), title: title.to_owned(), detail: detail.into() }
    }

    /// Something that is not there.
    pub(crate) fn not_found(title: &str, detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, title, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_string(&self).expect("a problem has only names for keys");
        (status, [(CONTENT_TYPE, "application/problem+json")], body).into_response()
    }
}
