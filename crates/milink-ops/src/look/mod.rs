//! Looking at the two sides and at Azure: everything that an observation holds.

mod cells;
mod databases;
mod groups;
mod instance;
mod queries;

pub use instance::{instance, live};
