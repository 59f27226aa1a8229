//! The client against a server of its own, which does what real ones do on bad days; and against recorded traffic of Azure.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod faults;
mod hostile;
mod operations;
mod recordings;
mod server;
mod signin;
