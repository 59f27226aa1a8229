//! Clients: they commit wherever they are let, and wait for an answer.

use lab_hadr::{Access, DbName, Mode, Role, SyncState};
use lab_store::PageMap;

use crate::Planted;
use crate::copy::Pending;
use crate::docs::instance_name;
use crate::truth::{Commit, Outcome};
use crate::world::World;

/// Databases stay that small: the world has many of them to compare.
const PAGES_MAX: u32 = 10;

impl World {
    /// Somebody commits, if somebody may. In a hurry the disk is as fast as can be, too.
    pub(crate) fn commit_somewhere(&mut self, i: usize, hurry: bool) {
        let Some(db) = self.dice.pick(&(0..self.databases.len()).collect::<Vec<_>>()) else { return };
        let Some(db) = self.databases.get(db).cloned() else { return };
        let now = self.now;
        // In the end clients rest, too.
        if now > self.options.safety_us + 5_000_000 {
            return;
        }
        let instance = &self.instances[i];
        if instance.node.is_none() || instance.frozen_until > now || instance.full_until > now {
            return;
        }
        let Some(copy) = instance.copies.get(&db) else { return };
        if copy.control.mode != Mode::Primary || copy.access != Access::Primary {
            return;
        }
        self.write(i, &db);
        self.counts.add("commits");
        if hurry && self.dice.coin() {
            self.harden_all(i, &db);
            if let Some(end) = self.instances[i].copies.get(&db).map(crate::copy::SimCopy::end) {
                self.tell_hardened(i, &db, end);
            }
            self.answer_clients(i, &db);
        } else {
            self.harden(i, &db);
            self.answer_clients(i, &db);
        }
    }

    /// A commit of a few pages, each with bytes that no other commit writes.
    pub(crate) fn write(&mut self, i: usize, db: &DbName) {
        let id = self.truth.new_id();
        let Some(copy) = self.instances[i].copies.get_mut(db) else { return };
        let mut pages = copy.pages.clone();
        let mut last = pages.len() as u32;
        match self.dice.below(12) {
            0 if last > 2 => last -= 1,
            1..5 if last < PAGES_MAX => last += 1,
            _ => last = last.max(1),
        }
        let mut writes = Vec::new();
        let grown = (pages.len() as u32 + 1..=last).collect::<Vec<_>>();
        let chosen = (0..self.dice.between(1, 3)).map(|_| self.dice.between(1, u64::from(last)) as u32);
        for number in chosen.collect::<Vec<_>>().into_iter().chain(grown) {
            let mut page = id.to_le_bytes().to_vec();
            page.extend(number.to_le_bytes());
            page.extend((self.dice.any() as u32).to_le_bytes());
            pages.insert(number, page);
        }
        pages.retain(|n, _| *n <= last);
        for (number, page) in &pages {
            if copy.pages.get(number) != Some(page) {
                writes.push((*number, page.clone()));
            }
        }
        let after: PageMap = pages;
        let entry = copy.commit(id, after, 51);
        copy.pending.push_back(Pending { end: entry.end, id });
        let commit = Commit {
            db: db.clone(),
            instance: i,
            fork: copy.control.fork,
            entry,
            writes,
            pages: last,
            outcome: Outcome::Waiting,
            acknowledged_at: 0,
            protected_by: Vec::new(),
        };
        self.truth.commits.insert(id, commit);
        self.note(|_| {
            format!("{} commits {id} to {db}, {} to {}", instance_name(i), entry.lsn.0, entry.end.0)
        });
    }

    /// Answers those whose commits are hardened and not held back.
    pub(crate) fn answer_clients(&mut self, i: usize, db: &DbName) {
        let (early, free) = (self.has(Planted::AckBeforeHarden), self.has(Planted::IgnoreHold));
        loop {
            let Some(copy) = self.instances[i].copies.get_mut(db) else { return };
            let (synced, hold) = (copy.synced, copy.hold);
            let may_go =
                |p: &&Pending| (early || p.end <= synced) && (free || hold.is_none_or(|hold| p.end <= hold));
            let Some(next) = copy.pending.front().filter(may_go).copied() else { return };
            copy.pending.pop_front();
            self.acknowledge(i, db, next);
        }
    }

    /// A client is told that its commit is there for good: now all must be true that was promised.
    fn acknowledge(&mut self, i: usize, db: &DbName, pending: Pending) {
        let name = instance_name(i);
        let synced = self.instances[i].copies.get(db).map(|c| c.synced);
        if synced.is_none_or(|synced| synced < pending.end) {
            let text = format!(
                "{name} acknowledges {} of {db}, which ends at {}, hardened is {synced:?}",
                pending.id, pending.end.0
            );
            return self.broken(text);
        }
        let has = |n: usize| self.truth.durable.get(&n).is_some_and(|ids| ids.contains(&pending.id));
        let mut protected_by = Vec::new();
        let view = self.instances[i].node.as_ref().map(lab_hadr::Node::view).unwrap_or_default();
        for partner in view.partners.iter().filter(|p| p.role == Role::Primary) {
            let synchronized =
                partner.databases.iter().any(|d| d.db == *db && d.state == SyncState::Synchronized);
            let doc = self.instances[i].docs.groups.iter().find(|g| g.key() == partner.key);
            if let (true, Some(peer)) = (synchronized, doc.map(|d| d.peer)) {
                if !has(peer) {
                    let text = format!(
                        "{name} acknowledges {} of {db} and says that {} is SYNCHRONIZED, which does not have it",
                        pending.id,
                        instance_name(peer)
                    );
                    return self.broken(text);
                }
                protected_by.push(peer);
            }
        }
        let required = self.instances[i].required.get(db).copied().unwrap_or(0);
        let others: Vec<usize> = (0..self.instances.len()).filter(|n| *n != i && has(*n)).collect();
        if others.len() < required as usize {
            let text = format!(
                "{name} acknowledges {} of {db}, {required} secondaries are required to have it, {others:?} have it",
                pending.id
            );
            return self.broken(text);
        }
        if required > 0 && protected_by.is_empty() {
            protected_by = others;
        }
        self.counts.add(if protected_by.is_empty() { "acknowledged alone" } else { "acknowledged in sync" });
        self.note(|_| format!("{name} acknowledges {} of {db}, protected by {protected_by:?}", pending.id));
        let now = self.now;
        if let Some(commit) = self.truth.commits.get_mut(&pending.id) {
            commit.outcome = Outcome::Acknowledged;
            commit.acknowledged_at = now;
            commit.protected_by = protected_by;
        }
    }

    /// What was there before the database came into a group is there for good.
    pub(crate) fn accept_all(&mut self, i: usize, db: &DbName) {
        let Some(copy) = self.instances[i].copies.get_mut(db) else { return };
        for pending in copy.pending.drain(..) {
            if let Some(commit) = self.truth.commits.get_mut(&pending.id) {
                commit.outcome = Outcome::Acknowledged;
                commit.acknowledged_at = self.now;
            }
        }
    }

    /// Connections are cut: nobody knows what became of their commits. Without a name those of all databases.
    pub(crate) fn lose_clients(&mut self, i: usize, db: Option<&DbName>) {
        let mut lost = Vec::new();
        for (name, copy) in &mut self.instances[i].copies {
            if db.is_none_or(|db| db == name) {
                lost.extend(copy.pending.drain(..).map(|p| p.id));
            }
        }
        for id in lost {
            self.counts.add("outcomes unknown");
            if let Some(commit) = self.truth.commits.get_mut(&id) {
                commit.outcome = Outcome::Unknown;
            }
        }
    }
}
