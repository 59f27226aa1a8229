//! The group itself, told by its primary to the other replicas: without a cluster nobody else could.
//!
//! A replica that has not joined is told in the greeting, which it refuses, and remembers for JOIN what it was told. One
//! that has joined is told at the beginning of a connection and whenever statements change the group. One that was removed
//! is told so at once, or in place of a greeting when it comes back: it leaves the group then.

use super::{Effect, Node, PartnerKey, PartnerSpec};
use crate::wire::{Hello, Message};
use crate::{Group, Role, same_name};

impl Node {
    /// Tells the peer what the group is, if this side says that.
    pub(super) fn tell_offer(&mut self, key: PartnerKey) {
        let Some(partner) = self.partners.get(&key) else { return };
        if let (Some(conn), Some(group)) = (partner.conn(), partner.spec.offer.clone()) {
            self.send(conn, Message::Offer { group });
        }
    }

    /// The peer is a replica of the group no longer.
    pub(super) fn tell_removed(&mut self, key: PartnerKey) {
        let Some(conn) = self.partners.get(&key).and_then(super::Partner::conn) else { return };
        if let Some(group) = self.leads.iter().find(|g| g.id == key.group).cloned() {
            self.send(conn, Message::Offer { group: Box::new(group) });
        }
    }

    /// Who greets with this is no replica of a group that this side is primary of: the group, for it to see.
    pub(super) fn removed_from(&self, hello: &Hello) -> Option<Box<Group>> {
        let group = self.leads.iter().find(|g| same_name(&g.name, &hello.group))?;
        group.as_local().is_some_and(|l| l.replica(&hello.from).is_none()).then(|| Box::new(group.clone()))
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
