//! Local Azure Resource Manager and token endpoints over a managed lab instance.
//!
//! What is between this crate and the instance is one trait, [`ManagedInstance`]: the instance may live in another process.

mod control;
mod instance;

pub use instance::{
    Answer, Call, CommitMode, Database, EndpointCertificate, FailoverMode, InstanceError, InstanceFacts,
    Link, LinkDatabase, LinkMode, LinkRequest, LogPositions, ManagedInstance, Problem, Role, Seeding,
    SeedingMode, SeedingState, SynchronizationState, TrustedCertificate,
};
