//! The group itself, told by its primary to the other replicas: without a cluster nobody else could.
//!
//! A replica that has not joined is told in the greeting, which it refuses, and remembers for JOIN what it was told. One
//! that has joined is told at the beginning of a connection and whenever statements change the group.

use super::{Effect, Node, PartnerKey, PartnerSpec};
use crate::wire::Message;
use crate::{Group, Role};

impl Node {
    /// Tells the peer what the group is, if this side says that.
    pub(super) fn tell_offer(&mut self, key: PartnerKey) {
        let Some(partner) = self.partners.get(&key) else { return };
        if let (Some(conn), Some(group)) = (partner.conn(), partner.spec.offer.clone()) {
            self.send(conn, Message::Offer { group });
        }
    }

    /// What is wanted of a partner has changed.
    pub(super) fn settle_offer(&mut self, key: PartnerKey, before: &PartnerSpec) {
        let Some(partner) = self.partners.get(&key) else { return };
        if partner.spec.offer != before.offer {
            self.tell_offer(key);
        }
        let Some(partner) = self.partners.get(&key) else { return };
        // It was not adopted as long as this side was primary, too.
        if before.role == Role::Primary
            && partner.spec.role != Role::Primary
            && let Some(group) = partner.peer_offer.clone()
        {
            self.effects.push(Effect::Adopt { group });
        }
    }

    /// The peer is primary and says what the group is.
    pub(super) fn offered(&mut self, key: PartnerKey, group: Box<Group>) {
        let Some(partner) = self.partners.get_mut(&key) else { return };
        if group.id != key.group {
            return;
        }
        partner.peer_offer = Some(group.clone());
        if partner.spec.role != Role::Primary {
            self.effects.push(Effect::Adopt { group });
        }
    }
}
