//! The rules, each checked where it would first be broken.

use lab_hadr::{DbName, GroupId, Mode, Role, SyncState};
use lab_store::{History, Lsn};

use crate::copy::{Entry, SimCopy};
use crate::docs::instance_name;
use crate::truth::Outcome;
use crate::world::World;

impl World {
    /// The pages of a copy are what the plain map says.
    pub(crate) fn check_copy(&mut self, i: usize, db: &DbName) {
        let Some(copy) = self.instances[i].copies.get(db) else { return };
        let expected = self.truth.pages(&copy.content, copy.applied);
        if copy.pages != expected {
            let text = format!(
                "{}'s pages of {db} at {} are {:?}, they should be {expected:?}",
                instance_name(i),
                copy.applied.0,
                copy.pages
            );
            self.broken(text);
        }
    }

    /// Received records are those that were written there.
    pub(crate) fn check_received(&mut self, i: usize, db: &DbName, entries: &[Entry]) {
        for entry in entries {
            let known = self.truth.commits.get(&entry.id);
            if known.is_none_or(|c| c.entry != *entry || c.db != *db) {
                let text =
                    format!("{} receives {entry:?} of {db}, which was never written", instance_name(i));
                return self.broken(text);
            }
            let harmless =
                self.instances.iter().enumerate().any(|(n, other)| {
                    n != i && other.copies.get(db).is_some_and(|c| c.content.contains(entry))
                });
            let lost =
                self.counts.of("primaries lost for good") + self.counts.of("secondaries lost for good");
            if !harmless && lost == 0 && self.instances.len() == 2 {
                let text =
                    format!("{} receives {entry:?} of {db}, which nobody has any more", instance_name(i));
                return self.broken(text);
            }
        }
    }

    /// What comes from a primary is durable there: it could lose it otherwise, and its secondary would be ahead of it.
    pub(crate) fn check_durable_elsewhere(&mut self, i: usize, db: &DbName, ids: &[i64]) {
        let has = |id: &i64| self.truth.durable.iter().any(|(n, known)| *n != i && known.contains(id));
        if let Some(id) = ids.iter().find(|id| !has(id)) {
            let text = format!("{} has {id} of {db}, which is hardened nowhere else", instance_name(i));
            self.broken(text);
        }
    }

    /// A copy may go on with the forks of another one only if those began behind all that it has.
    pub(crate) fn check_fork(&mut self, i: usize, db: &DbName, theirs: &History) {
        let Some(copy) = self.instances[i].copies.get(db) else { return };
        let ends = theirs.forks.iter().map(|f| (f.fork, f.end));
        let mut before = None;
        for (fork, end) in ends.chain([(theirs.fork, theirs.end)]) {
            let parent = self.truth.forks.get(&fork).and_then(|f| f.parent);
            if before.is_some() && parent != before {
                let text = format!(
                    "{} is to enter {theirs:?} of {db}; a fork in it began at {parent:?}",
                    instance_name(i)
                );
                return self.broken(text);
            }
            before = Some((fork, end));
        }
        let known = self.truth.commits.values();
        let strays: Vec<i64> = copy
            .content
            .iter()
            .filter(|e| known.clone().any(|c| c.entry == **e && c.fork != theirs.fork_at(e.lsn)))
            .map(|e| e.id)
            .collect();
        if !strays.is_empty() {
            let text = format!(
                "{} is to enter the forks {theirs:?} of {db}, and has commits of others: {strays:?}",
                instance_name(i)
            );
            self.broken(text);
        }
    }

    /// A copy becomes primary: if another one is, a human must have wanted that.
    pub(crate) fn check_promotion(&mut self, i: usize, db: &DbName) {
        let others: Vec<usize> = self.primaries(db).into_iter().filter(|n| *n != i).collect();
        let docs = &self.instances[i].docs;
        let groups: Vec<_> = docs.groups.iter().filter(|g| g.databases.contains(db)).collect();
        let forced = self.instances[i].is_forced(db);
        let decided = groups.iter().map(|g| g.role_at).max().unwrap_or(0);
        for other in others {
            let theirs = self.instances[other].copies.get(db).map(|c| c.control.fork);
            let crowned = theirs.and_then(|f| self.truth.forks.get(&f)).copied();
            // Where there are more than two, the third may have been forced long before. One that this side knows to be
            // primary is no excuse, whoever made it that.
            let pair = self.instances.len() == 2;
            let view = self.instances[i].node.as_ref().map(lab_hadr::Node::view).unwrap_or_default();
            let is_known =
                view.partners.iter().any(|p| p.peer.as_ref().is_some_and(|s| s.role == Role::Primary));
            let by_force_since = crowned.is_some_and(|f| f.forced && (f.at >= decided || !is_known))
                || !pair && self.truth.forks.values().any(|f| f.forced);
            if !forced && !by_force_since {
                let text = format!(
                    "{} becomes primary of {db} unforced, and {} is primary, too",
                    instance_name(i),
                    instance_name(other)
                );
                return self.broken(text);
            }
            self.counts.add("two primaries by force");
        }
    }

    /// A planned failover has succeeded: the new primary has everything.
    pub(crate) fn check_failover(&mut self, i: usize, group: GroupId) {
        let Some(doc) = self.instances[i].docs.group(group) else { return };
        let (peer, databases) = (doc.peer, doc.databases.clone());
        for db in databases {
            let (Some(mine), Some(theirs)) =
                (self.instances[i].copies.get(&db), self.instances[peer].copies.get(&db))
            else {
                continue;
            };
            let has = |id: i64| theirs.content.iter().any(|e| e.id == id);
            let missing: Vec<i64> = mine.content.iter().map(|e| e.id).filter(|id| !has(*id)).collect();
            if !missing.is_empty() && mine.control.mode == Mode::Secondary {
                let text = format!(
                    "a planned failover of {db} from {} to {} has lost {missing:?}",
                    instance_name(i),
                    instance_name(peer)
                );
                return self.broken(text);
            }
        }
    }

    /// A fork report lists exactly what the other side does not have.
    pub(crate) fn check_report(&mut self, i: usize, db: &DbName, since: Lsn, other: &History, ids: &[i64]) {
        let Some(mine) = self.instances[i].copies.get(db) else { return };
        let peer = self.instances.iter().enumerate().find(|(n, instance)| {
            let history = instance.copies.get(db).map(SimCopy::history);
            *n != i
                && history
                    .is_some_and(|h| h.fork == other.fork && h.forks == other.forks && h.end >= other.end)
        });
        let follows = mine.control.mode == Mode::Secondary;
        if follows && other.end < mine.end() && mine.fork_at(other.end) == other.fork {
            let text = format!("{} parts from {other:?} of {db}, which is only behind it", instance_name(i));
            return self.broken(text);
        }
        // It may have changed since it said what it has.
        let Some((n, peer)) = peer else { return };
        let theirs: &[Entry] = peer.copies.get(db).map(|c| c.content.as_slice()).unwrap_or_default();
        let alone: Vec<i64> = mine.content.iter().filter(|e| !theirs.contains(e)).map(|e| e.id).collect();
        self.counts.add("fork reports checked");
        // A forwarder is called primary, too, and may have received more than it has said.
        let forwards = peer.copies.get(db).is_some_and(|c| c.control.mode == Mode::Secondary);
        let is_right = if forwards { alone.iter().all(|id| ids.contains(id)) } else { alone == ids };
        if !is_right {
            let text = format!(
                "{} reports {ids:?} of {db} since {} as its own alone; {} does not have {alone:?}",
                instance_name(i),
                since.0,
                instance_name(n)
            );
            self.broken(text);
        }
    }

    /// A copy is replaced: what is thrown away was noted before, and is thrown away because a human forced a fork.
    pub(crate) fn check_replacement(&mut self, i: usize, db: &DbName, new: &SimCopy) {
        let Some(old) = self.instances[i].copies.get(db) else { return };
        let gone: Vec<Entry> = old.content.iter().filter(|e| !new.content.contains(e)).copied().collect();
        let Some(first) = gone.first() else {
            if new.end() < old.end() {
                let text = format!("{db} goes back from {} to {} without a fork", old.end().0, new.end().0);
                self.broken(text);
            }
            return;
        };
        self.counts.add("diverged copies replaced");
        if new.content.iter().all(|e| old.content.contains(e)) && old.fork_at(new.end()) == new.history().fork
        {
            let text = format!("{db} goes back from {} to {} without a fork", old.end().0, new.end().0);
            return self.broken(text);
        }
        let reported = self.truth.reports.get(&(i, db.clone()));
        let unreported: Vec<i64> =
            gone.iter().map(|e| e.id).filter(|id| reported.is_none_or(|r| !r.contains(id))).collect();
        if !unreported.is_empty() && old.log_start <= first.lsn {
            let text = format!("{} throws {unreported:?} of {db} away without a note", instance_name(i));
            return self.broken(text);
        }
        for entry in gone {
            self.check_loss(db, entry.id, new);
        }
    }

    /// A commit is not in a copy that counts: a human must have wanted that.
    fn check_loss(&mut self, db: &DbName, id: i64, copy: &SimCopy) {
        let Some(commit) = self.truth.commits.get(&id) else { return };
        if commit.outcome != Outcome::Acknowledged {
            return;
        }
        let (kept, lost) = self.truth.parting(commit, copy.history().fork);
        // Where there are more than two, a human may have made two primaries long before, and decides between them later.
        let long_ago = self.instances.len() > 2 && self.truth.forks.values().any(|f| f.forced);
        let forced = kept.is_some_and(|f| f.forced) || lost.is_some_and(|f| f.forced) || long_ago;
        if !forced {
            let text = format!(
                "{id} of {db} was acknowledged by {} and is lost, and nobody forced a failover: {kept:?} {lost:?}",
                instance_name(commit.instance)
            );
            return self.broken(text);
        }
        // A forced failover to a replica that protected the commit must have it.
        if let Some(fork) = kept.filter(|f| f.forced && commit.protected_by.contains(&f.instance)) {
            let replaced = self.truth.replaced.get(&(fork.instance, db.clone())).copied().unwrap_or(0);
            let other_way = lost.is_some_and(|l| l.at <= commit.acknowledged_at && l.forced);
            if commit.acknowledged_at < fork.at && replaced < commit.acknowledged_at && !other_way {
                let text = format!(
                    "{id} of {db} was acknowledged while {} was synchronized, which was promoted then without it",
                    instance_name(fork.instance)
                );
                self.broken(text);
            }
        }
    }

    /// Looks around: pages are what they should be, and what is called SYNCHRONIZED is equal.
    pub(crate) fn check_all(&mut self) {
        let names = self.databases.clone();
        for i in 0..self.instances.len() {
            if self.instances[i].node.is_none() {
                continue;
            }
            for db in &names {
                self.check_copy(i, db);
                self.check_redo(i, db);
            }
            self.check_synchronized(i);
        }
    }

    /// What is shown on a secondary cannot be lost by it.
    fn check_redo(&mut self, i: usize, db: &DbName) {
        let Some(copy) = self.instances[i].copies.get(db) else { return };
        if copy.control.mode == Mode::Secondary && copy.applied > copy.synced {
            let (name, redone, hardened) = (instance_name(i), copy.applied.0, copy.synced.0);
            self.broken(format!("{name} has redone {db} up to {redone}, hardened is {hardened}"));
        }
    }

    fn check_synchronized(&mut self, i: usize) {
        let Some(node) = &self.instances[i].node else { return };
        let view = node.view();
        for partner in view.partners.iter().filter(|p| p.role == Role::Primary) {
            let Some(doc) = self.instances[i].docs.groups.iter().find(|g| g.key() == partner.key) else {
                continue;
            };
            let peer = doc.peer;
            for database in partner.databases.iter().filter(|d| d.state == SyncState::Synchronized) {
                let (Some(mine), Some(theirs)) = (
                    self.instances[i].copies.get(&database.db),
                    self.instances[peer].copies.get(&database.db),
                ) else {
                    continue;
                };
                // The node has not been told yet that the copy is another one now.
                if database.local.as_ref().is_none_or(|l| l.copy.history.fork != mine.history().fork) {
                    continue;
                }
                self.counts.add("synchronized copies compared");
                // One that forwards has not acknowledged what comes to it, though it may have made it in a former life.
                let leads = mine.control.mode == Mode::Primary;
                let alone =
                    mine.content.iter().rev().take_while(|e| leads && e.end > theirs.synced).find(|e| {
                        self.truth
                            .commits
                            .get(&e.id)
                            .is_some_and(|c| c.outcome == Outcome::Acknowledged && c.instance == i)
                    });
                if let Some(alone) = alone.filter(|_| self.says_synchronized(peer, i, &database.db)) {
                    let text = format!(
                        "{} says that {} is SYNCHRONIZED for {}, and has acknowledged {}, which the other has not hardened",
                        instance_name(i),
                        instance_name(peer),
                        database.db,
                        alone.id
                    );
                    return self.broken(text);
                }
                let ends = mine.end().min(theirs.end());
                let same =
                    |c: &SimCopy| c.content.iter().take_while(|e| e.end <= ends).copied().collect::<Vec<_>>();
                // A peer that was forced to go its own way may not have been heard of yet: then it does not say so itself.
                if same(mine) != same(theirs) && self.says_synchronized(peer, i, &database.db) {
                    let text = format!(
                        "{} says that {} is SYNCHRONIZED for {}, and they differ before {}",
                        instance_name(i),
                        instance_name(peer),
                        database.db,
                        ends.0
                    );
                    return self.broken(text);
                }
            }
        }
    }

    /// Whether a secondary says so of itself.
    fn says_synchronized(&self, i: usize, peer: usize, db: &DbName) -> bool {
        let view = self.instances[i].node.as_ref().map(lab_hadr::Node::view).unwrap_or_default();
        let to_peer = |key| self.instances[i].docs.groups.iter().any(|g| g.key() == key && g.peer == peer);
        view.partners
            .iter()
            .filter(|p| p.role == Role::Secondary && to_peer(p.key))
            .any(|p| p.databases.iter().any(|d| d.db == *db && d.state == SyncState::Synchronized))
    }

    /// Everything that was acknowledged is there in the end.
    pub(crate) fn check_end(&mut self) {
        for db in self.databases.clone() {
            let Some(primary) = self.primaries(&db).first().copied() else {
                return self.broken(format!("{db} has no primary in the end"));
            };
            let Some(copy) = self.instances[primary].copies.remove(&db) else { continue };
            let there: std::collections::BTreeSet<i64> = copy.content.iter().map(|e| e.id).collect();
            let missing: Vec<i64> = self
                .truth
                .commits
                .iter()
                .filter(|(id, c)| c.db == db && c.outcome == Outcome::Acknowledged && !there.contains(id))
                .map(|(id, _)| *id)
                .collect();
            for id in missing {
                self.counts.add("acknowledged commits lost by force");
                self.check_loss(&db, id, &copy);
            }
            self.instances[primary].copies.insert(db, copy);
        }
    }
}

impl World {
    /// Log was removed: no follower may still need it.
    pub(crate) fn check_truncation(&mut self, i: usize, db: &DbName, before: Lsn, start: Lsn) {
        let docs = &self.instances[i].docs;
        let Some(mine) = self.instances[i].copies.get(db) else { return };
        for doc in docs.groups.iter().filter(|g| g.databases.contains(db) && self.options.keeps_log) {
            let peer = &self.instances[doc.peer];
            let Some(theirs) = peer.copies.get(db) else { continue };
            let follows = theirs.control.mode == Mode::Secondary
                && peer.docs.group(doc.id).is_some_and(|d| d.role == Role::Secondary)
                // One that was made to go back for a fork of its own or another's has parted from this one.
                && theirs.history().can_go_on_with(&mine.history())
                && theirs.content.iter().all(|e| mine.content.contains(e));
            if follows && (before..start).contains(&theirs.synced) {
                let text = format!(
                    "{} removes its log of {db} before {}, and {} has only what lies before {}",
                    instance_name(i),
                    start.0,
                    instance_name(doc.peer),
                    theirs.synced.0
                );
                return self.broken(text);
            }
        }
    }
}
