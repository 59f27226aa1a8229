//! `/healthz`: that the process answers, and nothing of what it knows.

/// Answers without a session.
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}
