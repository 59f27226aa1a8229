//! The server as browsers and monitors see it: a real one on a free port, with contexts whose sides nobody configured.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod api;
mod browser;
mod guard;
mod server;
mod sign_in;
