//! The protocol of availability groups. Pure: events in, effects out; no sockets, no disk, no clock.
//!
//! [`groups`] is what the statements of Always On make and change. [`history`] tells where two copies of a database have
//! parted. [`wire`] is what two instances say to each other.

mod groups;
mod history;
mod ids;
mod node;
mod wire;

pub use groups::*;
pub use history::{ForkId, ForkPoint, History};
pub use ids::{DatabaseId, DbName, GroupId, ReplicaId};
pub use node::*;
pub use wire::*;
