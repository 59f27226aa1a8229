//! Tests of the crate from outside, in one binary since each is a link step.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod properties;
mod reader;
mod scripts;
mod stored;
