//! Looking at the two sides and at Azure: everything that an observation holds.

mod azure;
mod cells;
mod databases;
mod groups;
mod instance;
mod queries;

pub use azure::{azure, azure_live};
pub use instance::{instance, live};
