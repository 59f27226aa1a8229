//! What the pure half decides, seen from outside.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test that cannot go on fails")]

mod create;
mod model;
mod quoting;
mod removal;
mod scripts;
