//! The protocol of availability groups. Pure: events in, effects out; no sockets, no disk, no clock.
//!
//! [`groups`] is what the statements of Always On make and change, [`messages`] what they answer; [`wire`] is what two
//! instances say to each other, [`node`] one instance's part in it.

mod groups;
mod ids;
mod messages;
mod node;
mod wire;

pub use groups::*;
pub use ids::{DatabaseId, DbName, GroupId, ReplicaId};
pub use lab_store::{ForkId, ForkPoint, History};
pub use messages::{CatalogueEntry, Refusal, catalogue};
pub use node::*;
pub use wire::*;
