//! People: they change roles and settings, take backups, and decide what only a human may decide.

use lab_hadr::{DbName, Event, GroupId, Mode, Role, SyncState};
use lab_store::Lsn;

use crate::copy::SimCopy;
use crate::docs::GroupDoc;
use crate::options::Operation;
use crate::world::{Happening, World};

/// The later part of something that takes time.
#[derive(Debug, Clone)]
pub(crate) enum Task {
    /// SET HADR RESUME.
    Resume { i: usize, db: DbName },
    /// The group is created again.
    Recreate { i: usize, doc: Box<GroupDoc> },
    /// The primary was made secondary by hand: once both ends are equal, the other side takes over.
    TakeOver { from: usize, group: GroupId, tries: u32 },
}

/// Both sides may be secondary for that long before somebody looks.
const PATIENCE_US: u64 = 20_000_000;

impl World {
    /// Somebody does something, of the kinds that this seed has.
    pub(crate) fn operate(&mut self) {
        let Some(operation) = self.dice.pick(&self.options.operations) else { return };
        let i = self.dice.below(self.instances.len() as u64) as usize;
        if self.instances[i].node.is_none() || self.is_frozen(i).is_some() {
            return;
        }
        let groups: Vec<GroupId> = self.instances[i].docs.groups.iter().map(|g| g.id).collect();
        let Some(group) = self.dice.pick(&groups) else { return };
        self.note(|w| format!("operator: {operation:?} on {}", w.instances[i].name));
        match operation {
            Operation::Failover => self.failover(i, group),
            Operation::FailoverByHand => self.failover_by_hand(i, group),
            Operation::Force => self.force(i, group),
            Operation::RoleSecondary => self.role_secondary(i, group),
            Operation::Suspend => self.suspend(i),
            Operation::CommitMode => {
                let synchronous = self.dice.coin();
                self.change(i, group, "commit modes changed", |doc| doc.synchronous = synchronous);
            }
            Operation::Required => {
                let required = u32::from(self.dice.coin());
                self.change(i, group, "required secondaries changed", |doc| doc.required = required);
            }
            Operation::AddDatabase => self.add_database(),
            Operation::DropPartner => self.drop_partner(i, group),
            Operation::Resolve => self.resolve(),
        }
    }

    fn change(&mut self, i: usize, group: GroupId, what: &'static str, change: impl FnOnce(&mut GroupDoc)) {
        if let Some(doc) = self.instances[i].docs.group_mut(group) {
            change(doc);
            self.instances[i].docs_after_crash = None;
            self.counts.add(what);
            self.tell_config(i);
        }
    }

    fn failover(&mut self, i: usize, group: GroupId) {
        self.counts.add("planned failovers asked for");
        let now = self.now;
        self.instances[i].failovers.insert(group, now);
        self.tell(i, Event::Failover { group });
    }

    fn write_role(&mut self, i: usize, group: GroupId, role: Role, forced: bool) {
        let now = self.now;
        self.change(i, group, "roles set by hand", |doc| {
            (doc.role, doc.role_at, doc.forced) = (role, now, forced);
        });
    }

    fn role_secondary(&mut self, i: usize, group: GroupId) {
        if self.instances[i].docs.group(group).is_some_and(|d| d.role == Role::Primary) {
            self.write_role(i, group, Role::Secondary, false);
        }
    }

    /// FORCE_FAILOVER_ALLOW_DATA_LOSS, which needs a copy of everything.
    fn force(&mut self, i: usize, group: GroupId) {
        let Some(doc) = self.instances[i].docs.group(group) else { return };
        let has_all = self
            .databases
            .iter()
            .all(|db| self.instances[i].copies.contains_key(db) && doc.databases.contains(db));
        if doc.role == Role::Secondary && has_all {
            self.counts.add("forced failovers");
            self.write_role(i, group, Role::Primary, true);
        }
    }

    /// As the documents have it for SQL Server before 2022: the primary becomes secondary, and once the ends are equal the other
    /// side is forced.
    fn failover_by_hand(&mut self, i: usize, group: GroupId) {
        if self.instances[i].docs.group(group).is_some_and(|d| d.role == Role::Primary) {
            self.counts.add("failovers by hand begun");
            self.write_role(i, group, Role::Secondary, false);
            self.at(500_000, Happening::Task(Task::TakeOver { from: i, group, tries: 0 }));
        }
    }

    fn take_over(&mut self, from: usize, group: GroupId, tries: u32) {
        let Some(doc) = self.instances[from].docs.group(group) else { return };
        let peer = doc.peer;
        let there = self.instances[peer].docs.group(group).map(|d| d.role);
        if doc.role != Role::Secondary
            || there != Some(Role::Secondary)
            || self.instances[peer].node.is_none()
        {
            return;
        }
        let ends = |n: usize, db: &DbName| {
            self.instances[n].copies.get(db).map(|c| (c.synced, c.end(), c.control.mode, c.history().fork))
        };
        let ready = self.databases.iter().all(|db| {
            let end = ends(from, db);
            end == ends(peer, db)
                && end.is_some_and(|(synced, end, mode, _)| synced == end && mode == Mode::Secondary)
        });
        if ready {
            self.counts.add("failovers by hand done");
            let before = self.databases.clone();
            self.force(peer, group);
            for db in before {
                let mine = self.instances[from].copies.get(&db).map(|c| c.content.clone());
                if mine != self.instances[peer].copies.get(&db).map(|c| c.content.clone()) {
                    self.broken(format!("equal ends of {db} hide unequal logs"));
                }
            }
        } else if tries < 20 {
            self.at(500_000, Happening::Task(Task::TakeOver { from, group, tries: tries + 1 }));
        } else {
            // It takes too long: back.
            self.force(from, group);
        }
    }

    fn suspend(&mut self, i: usize) {
        let Some(db) = self.any_database() else { return };
        self.counts.add("suspensions");
        self.instances[i].docs.suspended.insert(db.clone(), true);
        self.tell_config(i);
        let wait = self.dice.wait(4_000_000);
        self.at(wait, Happening::Task(Task::Resume { i, db }));
    }

    pub(crate) fn any_database(&mut self) -> Option<DbName> {
        let n = self.dice.below(self.databases.len() as u64) as usize;
        self.databases.get(n).cloned()
    }

    fn add_database(&mut self) {
        let first = &self.instances[0];
        let leads = first.docs.groups.iter().all(|g| g.role == Role::Primary);
        if self.databases.len() >= 3 || !leads || !self.is_oriented() || first.node.is_none() {
            return;
        }
        self.counts.add("databases added");
        let n = self.databases.len();
        self.create_database(n);
        let db = self.databases[n].clone();
        for i in 0..self.instances.len() {
            if self.instances[i].node.is_some() {
                if self.instances[i].copies.contains_key(&db) {
                    self.tell_copy(i, &db);
                }
                self.tell_config(i);
            }
        }
    }

    fn drop_partner(&mut self, i: usize, group: GroupId) {
        let docs = &mut self.instances[i].docs;
        let Some(at) = docs.groups.iter().position(|g| g.id == group) else { return };
        let doc = Box::new(docs.groups.remove(at));
        self.counts.add("groups dropped");
        for db in &doc.databases {
            self.instances[i].dropped.insert(db.clone(), doc.forced);
        }
        self.instances[i].owns_up_to_roles();
        self.tell_config(i);
        let wait = self.dice.wait(4_000_000);
        self.at(wait, Happening::Task(Task::Recreate { i, doc }));
    }

    /// Goes on with something.
    pub(crate) fn go_on(&mut self, task: Task) {
        match task {
            // A statement needs an instance that is up.
            Task::Resume { i, .. } | Task::Recreate { i, .. } if self.instances[i].node.is_none() => {
                self.at(500_000, Happening::Task(task));
            }
            Task::Resume { i, db } => {
                self.instances[i].docs.suspended.insert(db, false);
                self.tell_config(i);
            }
            Task::Recreate { i, mut doc } => {
                let has =
                    |db: &&DbName| self.instances[i].copies.contains_key(*db) && !doc.databases.contains(*db);
                let new: Vec<DbName> = self.databases.iter().filter(has).cloned().collect();
                doc.databases.extend(new);
                // Groups that stand on the same one have the same databases; the instance may be another one by now.
                if let Some(other) = self.instances[i].docs.groups.first() {
                    doc.databases.clone_from(&other.databases);
                }
                doc.role_at = self.now;
                self.instances[i].docs.groups.push(*doc);
                self.instances[i].owns_up_to_roles();
                self.tell_config(i);
            }
            Task::TakeOver { from, group, tries } => self.take_over(from, group, tries),
        }
    }

    /// Backups, checkpoints, and log that is let go.
    pub(crate) fn maintain(&mut self) {
        let Some(db) = self.any_database() else { return };
        let i = self.dice.below(self.instances.len() as u64) as usize;
        if self.instances[i].node.is_none() || self.is_frozen(i).is_some() {
            return;
        }
        let keeps_log = self.options.keeps_log;
        let configured = self.instances[i].unconfigured == 0;
        let pin = self.pin_limit(i, &db);
        let what = self.dice.below(3);
        let Some(copy) = self.instances[i].copies.get_mut(&db) else { return };
        let primary = copy.control.mode == Mode::Primary;
        match what {
            0 if primary && copy.synced == copy.end() => {
                copy.checkpoint();
                self.counts.add("checkpoints");
            }
            1 if primary => {
                copy.control.backed_up = Some(copy.synced);
                let (backed_up, full_backup) = (copy.control.backed_up, copy.control.full_backup);
                self.counts.add("log backups");
                self.tell(i, Event::BackedUp { db, backed_up, full_backup, keeps_log });
            }
            2 if configured => {
                let limit = copy.control.base.lsn.min(copy.control.backed_up.unwrap_or(Lsn(0))).min(pin);
                let before = copy.log_start;
                let log_start = copy.truncate(limit);
                if log_start > before {
                    self.counts.add("log truncations");
                    self.check_truncation(i, &db, before, log_start);
                    self.tell(i, Event::Truncated { db, log_start });
                }
            }
            _ => {}
        }
    }

    /// The documented truth of who leads and who follows is a tree that points away from one primary. If it is not so for too
    /// long, somebody decides.
    pub(crate) fn look_after_roles(&mut self) {
        if self.is_oriented() {
            self.unsettled_since = None;
            return;
        }
        let now = self.now;
        let since = *self.unsettled_since.get_or_insert(now);
        let failing_over = self.instances.iter().any(|i| !i.failovers.is_empty());
        if now - since > PATIENCE_US && !failing_over || now - since > 4 * PATIENCE_US {
            self.unsettled_since = None;
            self.resolve();
        }
    }

    fn roots(&self) -> Vec<usize> {
        let leads = |i: &usize| self.instances[*i].docs.groups.iter().all(|g| g.role == Role::Primary);
        (0..self.instances.len()).filter(leads).collect()
    }

    fn has_all(&self, i: usize) -> bool {
        self.databases.iter().all(|db| self.instances[i].copies.contains_key(db))
    }

    /// Whether each group has one primary, and the whole has one, with all databases.
    pub(crate) fn is_oriented(&self) -> bool {
        let groups = self.options.topology.groups();
        let complete = self.instances.iter().map(|i| i.docs.groups.len()).sum::<usize>() == groups.len() * 2;
        let pairs = self.instances.iter().flat_map(|i| i.docs.groups.iter().map(|g| (g, g.peer)));
        let agree = pairs.clone().all(|(g, peer)| {
            self.instances[peer]
                .docs
                .group(g.id)
                .is_some_and(|other| (g.role == Role::Primary) != (other.role == Role::Primary))
        });
        complete && agree && matches!(self.roots()[..], [root] if self.has_all(root))
    }

    /// Somebody looks at both sides and decides who leads.
    fn resolve(&mut self) {
        let answers = |i: usize| self.instances[i].node.is_some() && self.is_frozen(i).is_none();
        if !(0..self.instances.len()).all(answers) || self.is_oriented() {
            return;
        }
        self.counts.add("role conflicts resolved");
        let has_all = |i: &usize| self.has_all(*i);
        let roots: Vec<usize> = self.roots().into_iter().filter(has_all).collect();
        let leader = if roots.is_empty() {
            // The one with the most log.
            let log =
                |i: &usize| -> u64 { self.instances[*i].copies.values().map(|c: &SimCopy| c.end().0).sum() };
            (0..self.instances.len()).filter(has_all).max_by_key(log)
        } else {
            self.dice.pick(&roots)
        };
        if let Some(leader) = leader {
            self.crown(leader);
        }
    }

    /// Makes an instance the primary of everything, and turns the others away from it.
    pub(crate) fn crown(&mut self, leader: usize) {
        self.note(|w| format!("operator: {} is to lead", w.instances[leader].name));
        let mut known = vec![leader];
        let mut at = 0;
        while let Some(i) = known.get(at).copied() {
            at += 1;
            for (a, b) in self.options.topology.groups() {
                let other = if *a == i {
                    *b
                } else if *b == i {
                    *a
                } else {
                    continue;
                };
                if !known.contains(&other) {
                    known.push(other);
                    self.orient(i, other);
                }
            }
        }
    }

    fn orient(&mut self, leads: usize, follows: usize) {
        let group =
            self.instances[leads].docs.groups.iter().find(|g| g.peer == follows).map(|g| (g.id, g.role));
        let Some((group, role)) = group else { return };
        if self.instances[follows].docs.group(group).is_some_and(|d| d.role != Role::Secondary) {
            self.write_role(follows, group, Role::Secondary, false);
        }
        if role != Role::Primary {
            self.write_role(leads, group, Role::Primary, true);
        }
    }

    /// Whoever requires a synchronized secondary has to have a synchronous one.
    pub(crate) fn look_after_settings(&mut self) {
        let required = self.instances.iter().any(|i| i.docs.groups.iter().any(|g| g.required > 0));
        for i in 0..self.instances.len() {
            let groups = &mut self.instances[i].docs.groups;
            if required && groups.iter().any(|g| !g.synchronous) {
                groups.iter_mut().for_each(|g| g.synchronous = true);
                self.tell_config(i);
            }
        }
    }

    /// Copies that nothing brings back by itself are restored from a backup, or made anew.
    pub(crate) fn look_after_copies(&mut self) {
        for i in 0..self.instances.len() {
            let Some(node) = &self.instances[i].node else { continue };
            let view = node.view();
            for partner in view.partners.iter().filter(|p| p.role == Role::Secondary && p.connected) {
                let Some(doc) = self.instances[i].docs.groups.iter().find(|g| g.key() == partner.key) else {
                    continue;
                };
                let (peer, automatic) = (doc.peer, doc.automatic);
                let stuck: Vec<DbName> = partner
                    .databases
                    .iter()
                    .filter(|d| d.state == SyncState::NotSynchronizing && d.why.is_some())
                    .map(|d| d.db.clone())
                    .collect();
                for db in stuck {
                    let moves =
                        |d: &&lab_hadr::DatabaseView| d.db == db && d.state != SyncState::NotSynchronizing;
                    if view
                        .partners
                        .iter()
                        .filter(|p| p.role == Role::Secondary)
                        .flat_map(|p| &p.databases)
                        .any(|d| moves(&d))
                    {
                        continue;
                    }
                    let tried = self.truth.replaced.get(&(i, db.clone())).copied().unwrap_or(0);
                    if self.now < tried + PATIENCE_US {
                        continue;
                    }
                    let leads = self.instances[peer].copies.get(&db).is_some_and(|c| {
                        let old = self.instances[i].copies.get(&db);
                        let is_behind = old.is_some_and(|old| {
                            c.content.iter().all(|e| old.content.contains(e))
                                && old.fork_at(c.end()) == c.history().fork
                        });
                        c.applied == c.end() && !is_behind
                    });
                    if leads && (!automatic || !self.options.keeps_log) {
                        self.counts.add("copies restored by hand");
                        self.restore(peer, i, &db);
                        self.tell_copy(i, &db);
                        self.tell_config(i);
                        return;
                    }
                }
            }
        }
    }

    /// A backup of one copy is restored as another.
    pub(crate) fn restore(&mut self, from: usize, to: usize, db: &DbName) {
        self.harden_all(from, db);
        let Some(source) = self.instances[from].copies.get_mut(db) else { return };
        let snapshot = source.snapshot();
        let old = self.instances[to].copies.get(db);
        if old.is_some_and(|c| c.control.mode == Mode::Primary) {
            return;
        }
        let copy = SimCopy::seeded(&snapshot, old.map_or(0, |c| c.generation) + 1);
        // Whoever restores over a copy has looked at it before.
        let ids: Vec<i64> = old.map(|c| c.content.iter().map(|e| e.id).collect()).unwrap_or_default();
        self.truth.reports.entry((to, db.clone())).or_default().extend(ids);
        self.check_replacement(to, db, &copy);
        self.put_copy(to, db, copy);
        let groups: Vec<GroupId> = self.instances[to].docs.groups.iter().map(|g| g.id).collect();
        for group in groups {
            if let Some(doc) = self.instances[to].docs.group_mut(group)
                && !doc.databases.contains(db)
            {
                doc.databases.push(db.clone());
            }
        }
    }
}
