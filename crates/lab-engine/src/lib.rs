//! The SQL engine: catalog, types, binder, lowering to SQLite, control flow, system views.
//!
//! A [`Server`] holds databases; a [`Session`] runs batches, calls and transaction requests and tells a [`Sink`] what came
//! of them. The way of a statement: `lab-tsql` parses it, [`bind`] gives every name and expression its meaning and makes
//! SQLite SQL of it, [`exec`] runs that, and [`session`] keeps the transaction around it.

mod bind;
mod catalog;
mod error;
mod exec;
mod functions;
mod request;
mod rights;
mod security;
mod server;
mod session;
mod sink;
mod store;
mod system;
pub mod types;

pub use error::SqlError;
pub use exec::{FirstError, NextRow, RowsEnd};
pub use request::*;
pub use server::{
    AlwaysOn, AlwaysOnCaller, AlwaysOnStatement, DatabaseFacts, EndpointCertificate, Flavor, LOCK_FILE,
    MirroringEndpoint, OpenError, PrivateKey, Reissued, Release, ReplicaIds, ReplicaRole,
    SecondaryConnections, Secret, Server, ServerConfig, TrustedCertificate, UpdatePolicy,
};
pub use session::{Barrier, LoginRefused, LoginRequest, Session};
pub use sink::*;
pub use system::{HadrViews, ViewRow, ViewValue};
