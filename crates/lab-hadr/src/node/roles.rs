//! Bringing databases to the mode that they are to have, and handing the primary role over without a loss.
//!
//! | handover is | until | then |
//! |---|---|---|
//! | synchronizing | every database is SYNCHRONIZED | this side is to be secondary; draining |
//! | draining | no writer is left, and the peer has hardened the end of every log | the peer is offered the role; offered |
//! | offered | the peer says that it is primary | done |
//! | offered | the peer refuses, or says on a new connection that it is still secondary | this side is primary again |
//!
//! Until the role is offered, whatever goes wrong makes this side primary again. Afterwards only the peer knows: this side
//! stays secondary until it has heard of it. An offer is good on its connection alone; a peer that speaks on a new one and
//! is no primary will never become it by the old one.

use lab_store::{Lsn, common_point};

use super::secondary::goes_beyond;
use super::{Access, ConnId, Effect, Mode, Node, PartnerKey, Tick};
use crate::wire::Message;
use crate::{DbName, GroupId, Role};

/// How long a planned failover may take before this side takes the role back.
const FAILOVER_MS: u64 = 60_000;

/// A planned failover on the side that was primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Handover {
    pub(super) phase: Phase,
    deadline: Tick,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Synchronizing,
    Draining,
    /// On which connection; nothing once that is gone.
    Offered(Option<ConnId>),
}

impl Node {
    /// Brings each database to the mode that is wanted of it.
    pub(super) fn settle_modes(&mut self) {
        let names: Vec<DbName> = self.databases.keys().cloned().collect();
        for db in names {
            // Before writers are let in: none of them may be answered as if nobody had to be waited for.
            self.settle_hold(&db);
            self.settle_mode(&db);
        }
    }

    pub(super) fn settle_mode(&mut self, db: &DbName) {
        if self.partners.values().any(|p| p.role_pending > 0 && p.spec.databases.contains(db)) {
            return;
        }
        let Some(database) = self.databases.get_mut(db) else { return };
        let (Some(spec), Some(local)) = (database.spec, &database.copy) else {
            database.access = None;
            return;
        };
        if database.awaited > 0 {
            return;
        }
        let access = match (local.mode, spec.writable) {
            (Mode::Primary, true) => Access::Primary,
            (Mode::Secondary, false) => Access::Secondary,
            (Mode::Primary, false) => {
                database.awaited += 1;
                Access::Resolving
            }
            (Mode::Secondary, true) => {
                let copy = &local.copy;
                // Everything that is in the log counts: what the former primary had acknowledged is in it.
                if database.appending > 0 {
                    return;
                }
                if copy.hardened < copy.history.end || copy.redone < copy.history.end {
                    // What is not hardened yet is redone once it is.
                    if copy.redone < copy.hardened {
                        self.effects.push(Effect::Redo { db: db.clone() });
                    }
                    return;
                }
                database.awaited += 1;
                self.effects.push(Effect::Promote { db: db.clone() });
                return;
            }
        };
        if database.access != Some(access) {
            database.access = Some(access);
            self.effects.push(Effect::SetAccess { db: db.clone(), access });
        }
        if access == Access::Resolving {
            self.effects.push(Effect::Demote { db: db.clone() });
        }
    }

    pub(super) fn failover(&mut self, group: GroupId) {
        let refused = |node: &mut Node, number: u32, text: String| {
            node.effects.push(Effect::FailoverDone { group, result: Err((number, text)) });
        };
        let mut partners = self.partners.values().filter(|p| p.spec.key.group == group);
        let (Some(partner), None) = (partners.next(), partners.next()) else {
            return refused(self, 19512, "the group has no single other replica".to_owned());
        };
        let key = partner.spec.key;
        let there = partner.spec.there.clone();
        if self.role_in_effect(partner) != Role::Primary {
            return refused(self, 35251, "this replica is not the primary one".to_owned());
        }
        if !self.leads(partner) {
            // The peer would become a second primary beside the one that this side follows.
            let text = "this replica forwards the log of another one: fail over there first".to_owned();
            return refused(self, 35251, text);
        }
        // One of the same databases, in whichever group it is.
        let shares =
            |p: &super::Partner| p.spec.databases.iter().any(|db| partner.spec.databases.contains(db));
        if self.partners.values().any(|p| p.handover.is_some() && shares(p)) {
            return refused(self, 41968, "a role change is under way".to_owned());
        }
        if partner.peer.as_ref().map(|p| p.role) != Some(Role::Secondary) {
            return refused(self, 35250, format!("'{there}' is not connected as a secondary replica"));
        }
        if let Some(db) = partner.spec.databases.iter().find(|db| !partner.outs.contains_key(db)) {
            return refused(
                self,
                35253,
                format!("'{there}' does not receive the log of the database '{db}'"),
            );
        }
        let handover = Handover { phase: Phase::Synchronizing, deadline: self.now.after(FAILOVER_MS) };
        if let Some(partner) = self.partners.get_mut(&key) {
            partner.handover = Some(handover);
        }
        self.settle_sync(key);
        self.advance_handover(key);
    }

    /// Goes on with a planned failover as far as it can.
    pub(super) fn advance_handover(&mut self, key: PartnerKey) {
        let Some(partner) = self.partners.get(&key) else { return };
        let Some(handover) = partner.handover else { return };
        let role = self.role_in_effect(partner);
        let role_wanted = partner.spec.role;
        let late = handover.deadline <= self.now;
        let was_primary = role_wanted == Role::Primary;
        let peer = partner.peer.as_ref().map(|p| p.role);
        match handover.phase {
            Phase::Synchronizing | Phase::Draining
                if late && (was_primary || peer != Some(Role::Primary)) =>
            {
                self.take_back(key, 41969, "the secondary replica did not catch up in time");
            }
            Phase::Synchronizing if role != Role::Primary || !self.leads(partner) => {
                self.finish_handover(key, Err((41968, "the role was changed meanwhile".to_owned())));
            }
            Phase::Synchronizing => {
                let all =
                    partner.spec.databases.iter().all(|db| {
                        partner.outs.get(db).is_some_and(super::primary::OutStream::is_synchronized)
                    });
                if all {
                    self.set_phase(key, Phase::Draining);
                    self.set_role(key, Role::Secondary);
                }
            }
            Phase::Draining if peer == Some(Role::Primary) => {
                // Somebody has forced it: it leads, and this side must not become primary again.
                self.finish_handover(key, Err((41968, "the role was changed meanwhile".to_owned())));
            }
            Phase::Draining if role == Role::Secondary => self.offer(key),
            Phase::Draining => {}
            Phase::Offered(_) if role_wanted == Role::Primary => {
                self.finish_handover(key, Err((41968, "the role was changed meanwhile".to_owned())));
            }
            Phase::Offered(_) if peer == Some(Role::Primary) => {
                let lost = partner.spec.databases.iter().any(|db| self.has_alone(key, db, None));
                // Somebody may have made it primary otherwise.
                let text = "the role was changed meanwhile".to_owned();
                self.finish_handover(key, if lost { Err((41968, text)) } else { Ok(()) });
            }
            Phase::Offered(on)
                if on != partner.conn() && peer == Some(Role::Secondary) && self.peer_has_alone(partner) =>
            {
                // It had taken over, and somebody has made it secondary since. Who leads now, somebody must decide.
                let text = "the secondary replica took over, and gave way again".to_owned();
                self.finish_handover(key, Err((41968, text)));
            }
            Phase::Offered(on) if on != partner.conn() && peer == Some(Role::Secondary) => {
                self.take_back(key, 41969, "the secondary replica did not take over");
            }
            Phase::Offered(_) => {}
        }
    }

    /// Whether the databases of a group are written on this side, and not only forwarded.
    fn leads(&self, partner: &super::Partner) -> bool {
        let is_primary = |db: &DbName| self.local(db).is_some_and(|local| local.mode == Mode::Primary);
        partner.spec.databases.iter().all(is_primary)
    }

    /// Whether the peer has log that this side has not.
    fn peer_has_alone(&self, partner: &super::Partner) -> bool {
        partner.spec.databases.iter().any(|db| {
            let (Some(mine), Some(theirs)) = (self.local(db), partner.theirs(db)) else { return false };
            let common = common_point(&mine.copy.history, &theirs.history).map(|c| c.lsn);
            common != Some(theirs.history.end)
        })
    }

    /// Whether this side has log that the peer has not, and that was not noted from a position on.
    pub(super) fn has_alone(&self, key: PartnerKey, db: &DbName, noted: Option<Lsn>) -> bool {
        let theirs = self.partners.get(&key).and_then(|p| p.theirs(db));
        let (Some(mine), Some(theirs)) = (self.local(db), theirs) else { return false };
        let common = common_point(&mine.copy.history, &theirs.history).map_or(Lsn(0), |c| c.lsn);
        common < mine.copy.history.end && noted.is_none_or(|noted| noted > common)
    }

    /// Whether the peer is on the same fork as this side, and behind it.
    pub(super) fn is_ahead(&self, key: PartnerKey, db: &DbName) -> bool {
        let theirs = self.partners.get(&key).and_then(|p| p.theirs(db));
        self.local(db)
            .zip(theirs)
            .is_some_and(|(mine, theirs)| goes_beyond(&mine.copy.history, &theirs.history))
    }

    fn offer(&mut self, key: PartnerKey) {
        let Some(partner) = self.partners.get(&key) else { return };
        let Some(conn) = partner.conn() else { return };
        let mut ends = Vec::new();
        for db in &partner.spec.databases {
            let (Some(out), Some(local)) = (partner.outs.get(db), self.local(db)) else { return };
            let end = local.copy.history.end;
            if out.peer.hardened < end {
                return;
            }
            ends.push((db.clone(), end));
        }
        self.set_phase(key, Phase::Offered(Some(conn)));
        self.send(conn, Message::Handover { ends });
    }

    fn set_phase(&mut self, key: PartnerKey, phase: Phase) {
        if let Some(handover) = self.partners.get_mut(&key).and_then(|p| p.handover.as_mut()) {
            handover.phase = phase;
        }
    }

    fn finish_handover(&mut self, key: PartnerKey, result: Result<(), (u32, String)>) {
        if let Some(partner) = self.partners.get_mut(&key) {
            partner.handover = None;
        }
        self.effects.push(Effect::FailoverDone { group: key.group, result });
        self.settle_sync(key);
    }

    /// The peer has not taken the role, and will not: this side is primary again.
    fn take_back(&mut self, key: PartnerKey, number: u32, text: &str) {
        let was_primary = self.partners.get(&key).is_some_and(|p| p.spec.role == Role::Primary);
        self.finish_handover(key, Err((number, text.to_owned())));
        if !was_primary {
            if let Some(partner) = self.partners.get_mut(&key) {
                // Should the peer turn out to be primary before this side is, nothing is taken back.
                partner.taking_over = true;
            }
            self.set_role(key, Role::Primary);
        }
    }

    pub(super) fn handover_interrupted(&mut self, key: PartnerKey) {
        match self.partners.get(&key).and_then(|p| p.handover).map(|h| h.phase) {
            Some(Phase::Synchronizing | Phase::Draining) => {
                self.take_back(key, 35206, "the connection with the secondary replica was lost");
            }
            Some(Phase::Offered(_)) => self.set_phase(key, Phase::Offered(None)),
            None => {}
        }
    }

    /// The primary has become a secondary and offers its role.
    pub(super) fn handed_over(&mut self, key: PartnerKey, conn: ConnId, ends: &[(DbName, Lsn)]) {
        let Some(partner) = self.partners.get(&key) else { return };
        let has_all = |db: &DbName| {
            let end = ends.iter().find(|(name, _)| name == db).map(|(_, end)| *end);
            self.local(db).is_some_and(|local| {
                let copy = &local.copy;
                Some(copy.history.end) == end && copy.hardened == copy.history.end
            })
        };
        let complete =
            ends.len() == partner.spec.databases.len() && partner.spec.databases.iter().all(has_all);
        let peer_gave_way = partner.peer.as_ref().is_some_and(|p| p.role == Role::Secondary);
        if partner.spec.role != Role::Secondary || !complete || !peer_gave_way {
            let text = "the secondary replica does not have the end of every database's log".to_owned();
            return self.send(conn, Message::HandoverRefused { number: 41969, text });
        }
        if let Some(partner) = self.partners.get_mut(&key) {
            partner.taking_over = true;
        }
        self.set_role(key, Role::Primary);
    }

    /// A peer that is primary before this side has taken the role, which was the peer's or was offered to it, has been forced
    /// to be: it stays that.
    pub(super) fn settle_taking_over(&mut self, key: PartnerKey) {
        let Some(partner) = self.partners.get(&key).filter(|p| p.taking_over) else { return };
        let taken = self.role_in_effect(partner) == Role::Primary;
        let void = !taken && partner.peer.as_ref().is_some_and(|p| p.role == Role::Primary);
        if !taken && !void {
            return;
        }
        if let Some(partner) = self.partners.get_mut(&key) {
            partner.taking_over = false;
        }
        if void {
            self.set_role(key, Role::Secondary);
        }
    }

    /// Changes the role that this side is to have. It counts at once: what the peer is told from now on must not be what
    /// was true before.
    fn set_role(&mut self, key: PartnerKey, role: Role) {
        if let Some(partner) = self.partners.get_mut(&key) {
            partner.spec.role = role;
            partner.role_pending += 1;
        }
        self.effects.push(Effect::SetRole { group: key.group, role });
        self.tell_status(key);
    }

    pub(super) fn handover_refused(&mut self, key: PartnerKey, number: u32, text: &str) {
        if self.partners.get(&key).and_then(|p| p.handover).is_some() {
            self.take_back(key, number, text);
        }
    }
}
