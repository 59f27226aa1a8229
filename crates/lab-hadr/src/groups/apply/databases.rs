//! The databases of a group: ADD, REMOVE, and ALTER DATABASE ... SET HADR.

use super::{Action, Work, repeated};
use crate::groups::{DatabaseState, Group, GroupDatabase, Kind, LocalGroup, Recovery, Role, same_name};
use crate::{DbName, Refusal};

impl Work<'_> {
    /// What a database must be to be a primary one. `local` is the group with those that it has already.
    pub(super) fn check_new_database(
        &self,
        group: &str,
        local: &LocalGroup,
        name: &str,
    ) -> Result<(), Refusal> {
        let Some(database) = self.facts.database(name) else {
            return Err(Refusal::database_to_add_missing(name, group));
        };
        if database.system {
            return Err(Refusal::system_database(name));
        }
        if local.database(name).is_some() {
            return Err(Refusal::already_joined(name, group));
        }
        if self.groups.of_database(name).is_some() {
            return Err(Refusal::database_in_another(name, group));
        }
        match database.state {
            DatabaseState::Online => {}
            DatabaseState::Restoring => return Err(Refusal::database_in_restore(name)),
            DatabaseState::Recovering => return Err(Refusal::database_recovering(name)),
            DatabaseState::Offline => return Err(Refusal::database_offline(name)),
            DatabaseState::RecoveryPending | DatabaseState::Suspect | DatabaseState::Emergency => {
                return Err(Refusal::database_suspect(name));
            }
        }
        if database.recovery != Recovery::Full {
            return Err(Refusal::database_not_full(name));
        }
        if database.read_only {
            return Err(Refusal::database_read_only(name));
        }
        if database.auto_close {
            return Err(Refusal::database_auto_close(name));
        }
        if database.single_user {
            return Err(Refusal::database_single_user(name));
        }
        if !database.log_chain {
            return Err(Refusal::database_not_backed_up(name));
        }
        if local.basic && !local.databases.is_empty() {
            return Err(Refusal::basic_is_full(name, group, 1));
        }
        Ok(())
    }

    /// A database's name as the server has it: statements may write it in other letters.
    pub(super) fn spelled(&self, name: &str) -> String {
        self.facts.database(name).map_or(name, |d| &d.name).to_owned()
    }

    pub(super) fn add_databases(&mut self, group: &Group, names: &[String]) -> Result<(), Refusal> {
        let mut local = self.local_primary(group, "add", "database")?.clone();
        if self.is_forwarder(&group.name) {
            return Err(Refusal::primary_only());
        }
        if let Some(database) = repeated(names.iter().map(String::as_str)) {
            return Err(Refusal::database_twice(database));
        }
        for name in names {
            self.check_new_database(&group.name, &local, name)?;
            let link = self.groups.standing_on(&group.name).find(|(g, d)| self.is_link(g, d));
            if let Some((link, _)) = link
                && !self.facts.multiple_databases
                && !local.databases.is_empty()
            {
                return Err(Refusal::managed_second_database(&group.name, &link.name));
            }
            local.databases.push(GroupDatabase::new(&self.spelled(name)));
        }
        self.change_local(group, |there| *there = local);
        Ok(())
    }

    pub(super) fn remove_databases(&mut self, group: &Group, names: &[String]) -> Result<(), Refusal> {
        let mut local = self.local_primary(group, "remove", "database")?.clone();
        for name in names {
            if local.database(name).is_none() {
                return Err(Refusal::not_joined(name, &group.name));
            }
            let linked = self.groups.standing_on(&group.name).any(|(g, d)| self.is_link(g, d));
            if linked && !self.facts.multiple_databases {
                return Err(Refusal::managed_keeps_database());
            }
            local.databases.retain(|d| !same_name(&d.name, name));
            self.actions.push(Action::LeaveGroup { group: group.id, database: DbName::new(name) });
        }
        self.change_local(group, |there| *there = local);
        Ok(())
    }

    /// The database of SET HADR, which is there and not a system database.
    fn database_of_set(&self, name: &str) -> Result<(), Refusal> {
        match self.facts.database(name) {
            None => Err(Refusal::database_not_there(name)),
            Some(database) if database.system => Err(Refusal::operation_on_system_database(name)),
            Some(_) => Ok(()),
        }
    }

    /// Whether this side has the primary copy in the group itself and in all groups that stand on it.
    fn is_primary_copy(&self, group: &Group) -> bool {
        group.role == Role::Primary && !self.is_forwarder(&group.name)
    }

    pub(super) fn set_suspended(&mut self, name: &str, suspended: bool) -> Result<(), Refusal> {
        self.database_of_set(name)?;
        let Some((group, _, member)) = self.groups.of_database(name) else {
            return Err(Refusal::database_not_joined(name));
        };
        let (group, joined) = (group.clone(), member.joined);
        let state = self.facts.database(name).map(|d| d.state);
        if !joined || state == Some(DatabaseState::Offline) {
            return Err(Refusal::cannot_suspend(name, &group.name));
        }
        self.change_local(&group, |local| {
            if let Some(database) = local.database_mut(name) {
                database.suspended = suspended;
            }
        });
        let (group, database) = (group.id, DbName::new(name));
        self.actions.push(if suspended {
            Action::Suspend { group, database }
        } else {
            Action::Resume { group, database }
        });
        Ok(())
    }

    pub(super) fn leave(&mut self, name: &str) -> Result<(), Refusal> {
        self.database_of_set(name)?;
        let Some((group, _, member)) = self.groups.of_database(name) else {
            return Err(Refusal::database_not_joined(name));
        };
        if !member.joined {
            return Err(Refusal::database_not_joined(name));
        }
        let group = group.clone();
        if self.is_primary_copy(&group) {
            return Err(Refusal::not_on_the_primary(name, &group.name));
        }
        let of_forwarder = group.role == Role::Primary;
        self.change_local(&group, |local| {
            if of_forwarder {
                // The forwarder's group has what has been seeded or joined, and nothing else.
                local.databases.retain(|d| !same_name(&d.name, name));
            } else if let Some(database) = local.database_mut(name) {
                database.joined = false;
            }
        });
        self.actions.push(Action::LeaveGroup { group: group.id, database: DbName::new(name) });
        Ok(())
    }

    pub(super) fn join_database(&mut self, name: &str, group: &str) -> Result<(), Refusal> {
        let Some(named) = self.groups.named(group).cloned() else {
            return Err(Refusal::group_not_here(group));
        };
        let Some(database) = self.facts.database(name) else {
            return Err(Refusal::database_to_join_missing(name, &named.name));
        };
        if database.system {
            return Err(Refusal::system_database(name));
        }
        // A distributed group's database joins the group that it stands on here.
        let local_name = match &named.kind {
            Kind::Local(_) => named.name.clone(),
            Kind::Distributed(distributed) => distributed.here.name.clone(),
        };
        let Some(local_group) = self.groups.named(&local_name).cloned() else {
            return Err(Refusal::group_not_here(group));
        };
        let mut joined = false;
        if let Some((other, _, member)) = self.groups.of_database(name) {
            if other.id != local_group.id {
                return Err(Refusal::participates_elsewhere(name));
            }
            joined = member.joined;
        }
        if self.is_primary_copy(&local_group) {
            return Err(Refusal::not_on_the_primary(name, &named.name));
        }
        if joined {
            self.notices.push(Refusal::joined_before(name, &named.name));
            return Ok(());
        }
        let of_forwarder = local_group.role == Role::Primary;
        let listed = local_group.as_local().is_some_and(|l| l.database(name).is_some());
        if !of_forwarder && !listed {
            return Err(Refusal::database_not_of_group(name, &named.name));
        }
        if database.state != DatabaseState::Restoring {
            return Err(Refusal::database_not_restoring(name));
        }
        let through = if of_forwarder {
            self.groups
                .standing_on(&local_name)
                .find(|(d, _)| d.role != Role::Primary)
                .map(|(d, _)| d.clone())
        } else {
            None
        };
        let through = through.unwrap_or_else(|| local_group.clone());
        if !self.facts.live(&through).is_some_and(crate::LiveGroup::is_connected) {
            return Err(Refusal::primary_not_connected());
        }
        let spelled = self.spelled(name);
        self.change_local(&local_group, |local| match local.database_mut(name) {
            Some(there) => there.joined = true,
            None => local.databases.push(GroupDatabase::new(&spelled)),
        });
        self.actions.push(Action::JoinDatabase { group: local_group.id, database: DbName::new(&spelled) });
        Ok(())
    }
}
