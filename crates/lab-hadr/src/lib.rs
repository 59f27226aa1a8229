//! The protocol of availability groups. Pure: events in, effects out; no sockets, no disk, no clock.
//!
//! [`groups`] is what the statements of Always On make and change.

mod groups;
mod ids;

pub use groups::*;
pub use ids::{DatabaseId, GroupId, ReplicaId};
