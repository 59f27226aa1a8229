//! The local Azure over HTTPS, with two lab instances behind it in this process.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod azure_cli;
mod azure_sdk;
mod client;
mod compare;
mod labs;
mod life;
mod manners;
mod recordings;
