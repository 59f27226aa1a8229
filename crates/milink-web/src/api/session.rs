//! Who has signed in.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use crate::pages::Visitor;

/// Who has signed in, and what they may do.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SessionView {
    /// As whom.
    user: String,
    /// `reader` or `operator`.
    role: String,
    /// What x-csrf-token must be for requests that change something.
    csrf_token: String,
}

/// Who has signed in, with the token for changes.
#[utoipa::path(get, path = "/api/v1/session", tag = "server", responses((status = 200, body = SessionView)))]
pub(crate) async fn show(visitor: Visitor) -> Json<SessionView> {
    let session = &visitor.session;
    Json(SessionView {
        user: session.user.clone(),
        role: session.role.to_string(),
        csrf_token: session.csrf_token(),
    })
}
