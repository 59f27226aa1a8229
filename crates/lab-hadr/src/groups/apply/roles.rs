//! SET (ROLE = SECONDARY), FAILOVER, FORCE_FAILOVER_ALLOW_DATA_LOSS, and the right to make databases.

use super::{Action, Work};
use crate::groups::options::Options;
use crate::groups::{
    ClusterType, DistributedGroup, GivenOption, Group, Kind, LiveGroup, Role, SeedingMode,
    SynchronizationState, same_name,
};
use crate::{DbName, Refusal};

impl Work<'_> {
    pub(super) fn set(&mut self, group: &Group, options: &[GivenOption]) -> Result<(), Refusal> {
        let mut options = Options::new(options)?;
        if options.is_empty() {
            return Err(Refusal::incorrect_syntax(")"));
        }
        if options.word("ROLE", &[("SECONDARY", ())])?.is_some() {
            options.finish()?;
            return self.become_secondary(group);
        }
        match &group.kind {
            Kind::Local(_) => self.set_local(group, options),
            Kind::Distributed(distributed) => self.set_distributed(group, distributed, options),
        }
    }

    fn become_secondary(&mut self, group: &Group) -> Result<(), Refusal> {
        if group.as_local().is_some_and(|l| l.cluster_type == ClusterType::Wsfc) {
            return Err(Refusal::not_for_wsfc("ROLE", &group.name));
        }
        let managed = self.facts.is_managed();
        if self.changing_role(group) {
            return Err(if managed {
                Refusal::role_change_running()
            } else {
                Refusal::not_during_failover("ROLE")
            });
        }
        if group.role != Role::Primary {
            return Err(if managed { Refusal::already_in_role() } else { Refusal::primary_only() });
        }
        self.groups.set_role(group.id, Role::Secondary);
        self.actions.push(Action::BecomeSecondary { group: group.id });
        Ok(())
    }

    fn changing_role(&self, group: &Group) -> bool {
        self.facts.live(group).is_some_and(|l| l.changing_role)
    }

    pub(super) fn failover(&mut self, group: &Group) -> Result<(), Refusal> {
        match &group.kind {
            Kind::Local(local) if local.cluster_type == ClusterType::None => {
                return Err(Refusal::no_cluster_failover(&group.name));
            }
            Kind::Local(local) => {
                if group.role == Role::Primary {
                    return Err(Refusal::already_primary(&group.name));
                }
                let live = self.facts.live(group);
                let synchronized = |name: &str| {
                    live.and_then(|l| l.databases.get(&DbName::new(name))).map(|d| d.synchronization_state)
                        == Some(SynchronizationState::Synchronized)
                };
                if !local.databases.iter().all(|d| d.joined && synchronized(&d.name)) {
                    return Err(Refusal::not_synchronized(&group.name));
                }
            }
            Kind::Distributed(distributed) => self.check_link_failover(group, distributed)?,
        }
        self.actions.push(Action::PlannedFailover { group: group.id });
        Ok(())
    }

    /// A link is failed over on its primary, and only when the other side follows.
    fn check_link_failover(&self, group: &Group, distributed: &DistributedGroup) -> Result<(), Refusal> {
        let managed = self.facts.is_managed();
        if !managed && !self.facts.version.fails_over_links() {
            return Err(Refusal::only_forced(&group.name));
        }
        let live = self.facts.live(group);
        let peer = live.and_then(|l| l.peers.get(&distributed.there.id));
        // Between two SQL Servers the role is handed over by hand: SET (ROLE = SECONDARY) here, a forced failover there.
        if !managed && !self.is_link(group, distributed) {
            return Err(Refusal::no_link(&group.name));
        }
        if self.changing_role(group) {
            return Err(Refusal::failover_in_progress());
        }
        if group.role != Role::Primary {
            return Err(Refusal::failover_on_primary_only());
        }
        let local = self.groups.named(&distributed.here.name).and_then(Group::as_local);
        let databases = local.map(|l| l.databases.as_slice()).unwrap_or_default();
        for database in databases {
            if self.facts.managed.inaccessible.iter().any(|i| same_name(i, &database.name)) {
                return Err(Refusal::managed_inaccessible(&group.name, &database.name));
            }
        }
        let Some(peer) = peer.filter(|p| p.connected) else {
            return Err(Refusal::failover_not_synchronizing());
        };
        let follows = |name: &str| {
            peer.databases.get(&DbName::new(name)).is_some_and(|d| {
                d.suspend_reason.is_none()
                    && matches!(
                        d.synchronization_state,
                        SynchronizationState::Synchronizing | SynchronizationState::Synchronized
                    )
            })
        };
        if !databases.iter().all(|d| !d.suspended && follows(&d.name)) {
            return Err(Refusal::failover_not_synchronizing());
        }
        Ok(())
    }

    /// Also in the middle of another role change: it is what is left when that does not come to an end.
    pub(super) fn force_failover(&mut self, group: &Group) -> Result<(), Refusal> {
        if group.role == Role::Primary {
            return Err(Refusal::already_primary(&group.name));
        }
        if self.facts.is_managed() && group.as_distributed().is_some() && !self.facts.managed.two_way {
            return Err(Refusal::forced_not_supported());
        }
        if let Some(database) = self.facts.live(group).and_then(unfit) {
            return Err(Refusal::cannot_become_primary(database.as_str()));
        }
        self.groups.set_role(group.id, Role::Primary);
        self.actions.push(Action::ForceFailover { group: group.id });
        Ok(())
    }

    pub(super) fn grant(&mut self, group: &Group, granted: bool) -> Result<(), Refusal> {
        if group.as_local().is_none() {
            let verb = if granted { "GRANT" } else { "DENY" };
            let what = format!("ALTER AVAILABILITY GROUP ... {verb} CREATE ANY DATABASE");
            return Err(Refusal::unsupported(&what));
        }
        self.change_local(group, |local| local.create_any_database = granted);
        if granted {
            let here = group.as_local().and_then(|l| l.replica(&self.facts.server));
            if let Some(here) = here.filter(|_| group.role != Role::Primary) {
                self.actions.push(Action::RetrySeeding { group: group.id, replica: here.partnering.id });
            }
            // What could not be seeded for want of the right can be now.
            for (distributed, members) in self.groups.standing_on(&group.name) {
                let waits =
                    distributed.role != Role::Primary && members.here.seeding_mode == SeedingMode::Automatic;
                if waits {
                    let (group, replica) = (distributed.id, members.here.id);
                    self.actions.push(Action::RetrySeeding { group, replica });
                }
            }
        }
        Ok(())
    }
}

/// A copy that is half way between two histories cannot be written to.
fn unfit(live: &LiveGroup) -> Option<&DbName> {
    live.databases.iter().find_map(|(name, d)| match d.synchronization_state {
        SynchronizationState::Reverting | SynchronizationState::Initializing => Some(name),
        SynchronizationState::NotSynchronizing
        | SynchronizationState::Synchronizing
        | SynchronizationState::Synchronized => None,
    })
}
