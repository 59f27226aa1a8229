//! One lab server: listener, logins, sessions; puts the wire and the engine together.
//!
//! Each connection has a thread of its own, as SQLite wants its callers: [`connection`] reads messages and runs them in a
//! session of the engine; [`answer`] turns what the engine says into tokens; [`channel`] carries bytes, encrypted or not.
//! Instances reach each other through their [`endpoint`].

mod answer;
mod bulk;
mod certificate;
mod channel;
mod connection;
mod control;
mod disk;
pub mod endpoint;
mod hadr;
mod handshake;
mod listener;
mod login;
mod outbox;
mod service;
mod values;

pub use control::{Control, Link, LinkRequest};
pub use disk::FillableDisk;
pub use endpoint::FaultProxy;
pub use lab_engine::{Secret, Server, ServerConfig, SqlError, TrustedCertificate};
pub use lab_hadr::{
    CommitMode, Group, LiveDatabase, LiveGroup, LivePeer, LiveSeeding, Refusal, Role, SeedingMode,
    SeedingState, SynchronizationState,
};
pub use lab_tds::ServerEncryption;
pub use listener::{Instance, InstanceConfig, StartError};
pub use service::{LastBackup, ManagedDatabase};
