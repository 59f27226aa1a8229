//! Wizard and dashboard in the browser, the JSON API and metrics, over the same `milink-core` and `milink-ops` as the command line.
//!
//! Nothing is decided here: checks, plans, gates and what comes next are `milink-core`'s, and what is done is done by `milink-ops`. This
//! crate shows it, and sees to it that only who may do so asks for it.
//!
//! - [`options`] and [`connect`]: what the binary hands over: how to serve, and who makes the connections of a context;
//! - [`server`]: listening, TLS, stopping in order;
//! - `security`: sessions, roles, CSRF tokens, headers, the `Host` check, rate limits, the ways to sign in;
//! - `audit`: who asked for what, in a file whose entries are chained by hashes;
//! - `state`: one watcher for each context looks at both sides and publishes a snapshot, however many browsers there are;
//! - `runs`: what is carried out for a context, by one runner, and followed by many browsers;
//! - `wizard`: what somebody has typed into the New-link wizard, kept beside the journal;
//! - [`rehearsal`]: a place to rehearse in, if the binary hands one over;
//! - `history`: how links were in the last minutes, for the lag chart;
//! - `api`: `/api/v1`, with the OpenAPI document of the same handlers, and `/metrics`;
//! - `pages`: one module for each page: handler, view model, template;
//! - `events`: what changed, to browsers that are there;
//! - `assets`: what is embedded.

mod api;
mod app;
mod assets;
mod audit;
pub mod connect;
mod events;
mod history;
pub mod options;
mod pages;
pub mod rehearsal;
mod runs;
mod security;
pub mod server;
mod state;
#[cfg(test)]
mod testing;
mod wizard;

pub use connect::{Connect, Connected, ContextInfo, Endpoints};
pub use options::{Announcement, OidcOptions, Options, TlsFiles};
pub use rehearsal::{Drill, DrillState, Fault, Rehearsal, Workload};
pub use security::hash_password;
pub use server::{ServeError, Server};
