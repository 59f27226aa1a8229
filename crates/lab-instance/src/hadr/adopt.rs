//! Groups as their primaries tell of them: taken over by JOIN, and kept as the primary has them from then on.

use std::time::Duration;

use lab_engine::ReplicaRole;
use lab_hadr::{Access, AllowConnections, DbName, Group, Groups, same_name};

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
        groups.adopt(offered);
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
