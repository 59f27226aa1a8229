//! One instance's part in all its groups: a state machine.

mod event;

pub use event::*;

use crate::{GroupId, ReplicaId};

/// A peer in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartnerKey {
    /// The group.
    pub group: GroupId,
    /// The other replica.
    pub peer: ReplicaId,
}
