//! Server-level objects of an instance: reading them, and copying what the other side lacks.

mod copy;
mod jobs;
mod queries;
mod read;

pub use copy::{Copied, Outcome, copy};
pub use read::{linked_databases, objects};
