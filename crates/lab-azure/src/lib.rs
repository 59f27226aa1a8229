//! Local Azure Resource Manager and token endpoints over a managed lab instance.
//!
//! A request comes in by [`server`], becomes a value ([`message`]), and is judged in [`arm`]: who asks ([`signin`]), what the
//! path names and which permission that needs ([`target`], [`permission`], [`access`]), and then by one module for each type of resource.
//! These decide and do nothing: they are given what the managed instance has said, and answer with a response, or with an
//! operation to start. [`core`] asks the instance, keeps operations, and carries them out step by step as [`operations`]
//! decides. What is between this crate and the instance is one trait, [`ManagedInstance`]: it may live in another process.
//!
//! Nothing that the instance knows is kept here. What is kept: who can sign in, keys, the operations that were accepted, and
//! what Azure alone knows of an instance, like its licence.

mod access;
mod arm;
mod authority;
mod azure;
mod certificates;
mod clock;
mod config;
mod context;
mod control;
mod core;
mod databases;
mod error;
mod faults;
mod folder;
mod instance;
mod instances;
mod links;
mod message;
mod operations;
mod permission;
pub mod probe;
mod random;
mod server;
mod settings;
mod signin;
mod target;
mod tenants;
#[cfg(test)]
mod tests;
mod token;
mod validate;

pub use azure::{Azure, Principal, StartError};
pub use clock::iso;
pub use config::{AzureConfig, ManagedAddress, Names, Timing};
pub use faults::{AzureFaults, FaultSettings};
pub use folder::FolderError;
pub use instance::{
    Answer, Call, CommitMode, Database, EndpointCertificate, FailoverMode, InstanceError, InstanceFacts,
    Link, LinkDatabase, LinkMode, LinkRequest, LogPositions, ManagedInstance, Problem, Role, Seeding,
    SeedingMode, SeedingState, SynchronizationState, TrustedCertificate,
};
