//! The protocol of availability groups. Pure: events in, effects out; no sockets, no disk, no clock.
//!
//! [`groups`] is what the statements of Always On make and change; [`wire`] what two instances say to each other; [`node`] one
//! instance's part in it.

mod groups;
mod ids;
mod node;
mod wire;

pub use groups::*;
pub use ids::{DatabaseId, DbName, GroupId, ReplicaId};
pub use lab_store::{ForkId, ForkPoint, History};
pub use node::*;
pub use wire::*;
