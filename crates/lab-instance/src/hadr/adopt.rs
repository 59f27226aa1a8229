//! Groups as their primaries tell of them: taken over by JOIN, and kept as the primary has them from then on.

use std::collections::BTreeSet;
use std::sync::Weak;
use std::time::Duration;

use lab_engine::ReplicaRole;
use lab_hadr::{Access, AllowConnections, Command, DbName, Event, Group, GroupId, Groups, Origin, same_name};

use super::Hadr;
use crate::answer::lock;

/// How long JOIN waits until the primary has told what there is to be joined; it dials every few seconds.
const OFFER_TIME: Duration = Duration::from_secs(15);
/// Groups that are remembered. Only peers whose certificates were exchanged come so far.
const OFFERS_MAX: usize = 100;

impl Hadr {
    /// A primary has this instance in a group that is not known here.
    pub(super) fn keep_offer(&self, group: Group) {
        let lists_me = group.as_local().is_some_and(|l| l.replica(self.server.name()).is_some());
        let mut offered = lock(&self.offered);
        if lists_me && (offered.len() < OFFERS_MAX || offered.contains_key(&group.id)) {
            offered.insert(group.id, group);
        }
    }

    pub(super) fn offers(&self) -> Vec<Group> {
        lock(&self.offered).values().cloned().collect()
    }

    /// Waits until the primary of a group has told of it.
    pub(super) fn await_offer(&self, name: &str) {
        if self.groups().named(name).is_none() {
            // What was told earlier may be out of date. If the primary does not say it again, it has to do.
            lock(&self.offered).retain(|_, group| !same_name(&group.name, name));
            self.wait_for(OFFER_TIME, |hadr| {
                lock(&hadr.offered).values().any(|group| same_name(&group.name, name))
            });
        }
    }

    /// The primary of a group has told what it is now.
    pub(super) fn adopt(&self, offered: &Group) {
        let _changing = lock(&self.changing);
        let before = self.groups();
        let mut groups = before.clone();
        groups.adopt(offered, self.server.name());
        if groups.groups.len() < before.groups.len() {
            self.log(&format!(
                "The local availability replica was removed from the availability group '{}' by its primary replica. Its \
                 databases are left in the RESTORING state. This is an informational message only.",
                offered.name
            ));
        }
        if let Err(why) = groups.check(self.server.name()) {
            return self.log(&format!(
                "The availability group '{}' cannot be changed as its primary has it: {why}.",
                offered.name
            ));
        }
        if let Err(e) = self.keep_groups(groups.clone()) {
            return self
                .log(&format!("What the primary has made of a group could not be kept: {}", e.message));
        }
        self.after(&before, &groups);
    }

    /// A database that is here is to catch up with a group's primary in the place of a new copy. In a thread of its own: what
    /// it waits for is done by the caller's.
    pub(super) fn join_outsider(&self, db: &DbName, group: GroupId) {
        let groups = self.groups();
        let Some(group) = groups.groups.iter().find(|g| g.id == group) else { return };
        let command = Command::JoinDatabase { database: db.as_str().to_owned(), group: group.name.clone() };
        let (me, db) = (Weak::clone(&self.me), db.clone());
        let task = move || {
            let Some(hadr) = me.upgrade() else { return };
            if let Err(e) = hadr.carry_out(&command, Origin::Control) {
                hadr.log(&format!("Always On: the database '{db}' does not follow: {}", e.message));
            }
        };
        if let Err(e) = std::thread::Builder::new().name("join".to_owned()).spawn(task) {
            self.log(&format!("A database could not be joined: {e}."));
        }
    }

    /// Tells the machine which databases are in no group, if that has changed.
    pub(super) fn tell_outsiders(&self) {
        let groups = self.groups();
        let seeded = lock(&self.sinks);
        let is_outside = |db: &DbName| {
            let member = groups.of_database(db.as_str());
            member.is_none_or(|(_, _, member)| !member.joined) && !seeded.contains_key(db)
        };
        let names: BTreeSet<DbName> =
            self.server.database_names().iter().map(|n| DbName::new(n)).filter(is_outside).collect();
        drop(seeded);
        let mut told = lock(&self.outsiders);
        if *told != names {
            told.clone_from(&names);
            drop(told);
            self.tell(Event::Outsiders { names });
        }
    }

    /// What replicas let their clients do has changed: it holds for the roles that databases have.
    pub(super) fn settle_access(&self, before: &Groups) {
        let now = self.groups();
        let allowed = |groups: &Groups, name: &str| -> Option<(AllowConnections, bool)> {
            let replica = groups.of_database(name)?.1.replica(self.server.name())?;
            Some((replica.secondary_allow, replica.primary_read_write_only))
        };
        for database in now.local().flat_map(|(_, local)| &local.databases).filter(|d| d.joined) {
            if allowed(before, &database.name).is_none_or(|b| allowed(&now, &database.name) == Some(b)) {
                continue;
            }
            let access = match self.server.replica_role(&database.name) {
                Some(ReplicaRole::Primary { .. }) => Access::Primary,
                Some(ReplicaRole::Secondary { .. }) => Access::Secondary,
                Some(ReplicaRole::Standalone | ReplicaRole::Resolving) | None => continue,
            };
            self.set_access(&DbName::new(&database.name), access);
        }
    }
}
