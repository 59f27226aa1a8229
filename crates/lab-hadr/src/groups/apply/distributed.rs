//! Distributed groups: CREATE, JOIN AVAILABILITY GROUP ON, MODIFY AVAILABILITY GROUP ON.

use super::local::{SESSION_TIMEOUT_S, check_required, seeding_action, set_timeout};
use super::{Work, repeated};
use crate::groups::options::{GivenMode, GivenPartnering, Options};
use crate::groups::{
    CommitMode, DistributedGroup, Facts, FailoverMode, GivenMember, GivenOption, Group, Kind, ListenerUrl,
    LocalGroup, Partnering, Role, SeedingMode, same_name,
};
use crate::{GroupId, Refusal, ReplicaId};

const CREATE: &str = "CREATE AVAILABILITY GROUP";

impl Work<'_> {
    pub(super) fn create_distributed(
        &mut self,
        name: &str,
        options: &[GivenOption],
        members: &[GivenMember],
    ) -> Result<(), Refusal> {
        let mut options = Options::new(options)?;
        if !options.flag("DISTRIBUTED")? {
            return Err(Refusal::distributed_missing());
        }
        if !options.is_empty() {
            return Err(Refusal::distributed_alone());
        }
        if self.groups.named(name).is_some() {
            return Err(Refusal::distributed_exists(name));
        }
        let (distributed, local) = self.distributed(CREATE, name, members)?;
        let group = distributed.here.name.clone();
        if self.is_forwarder(&group) {
            return Err(Refusal::group_is_forwarder(&group));
        }
        // `;Database=[...]`: the copy that is there already is the managed instance's, and this side will receive it.
        let role = if distributed.there.url.database.is_some() { Role::Secondary } else { Role::Primary };
        match role {
            Role::Secondary => check_secondary(name, &distributed, &local)?,
            Role::Primary | Role::Resolving => self.check_primary(name, &distributed, &local)?,
        }
        self.endpoint_started(&group)?;
        self.push_distributed(name, distributed, role);
        Ok(())
    }

    pub(super) fn join_distributed(&mut self, name: &str, members: &[GivenMember]) -> Result<(), Refusal> {
        match self.groups.named(name).map(|g| &g.kind) {
            Some(Kind::Distributed(_)) => return Err(Refusal::distributed_exists(name)),
            Some(Kind::Local(_)) => return Err(Refusal::for_distributed_only(name)),
            None => {}
        }
        let (distributed, local) = self.distributed("JOIN AVAILABILITY GROUP", name, members)?;
        let group = distributed.here.name.clone();
        if self.is_forwarder(&group) {
            return Err(Refusal::group_is_forwarder(&group));
        }
        check_secondary(name, &distributed, &local)?;
        self.endpoint_started(&group)?;
        self.push_distributed(name, distributed, Role::Secondary);
        Ok(())
    }

    fn push_distributed(&mut self, name: &str, distributed: DistributedGroup, role: Role) {
        let mut groups = [distributed.here.name.to_uppercase(), distributed.there.name.to_uppercase()];
        groups.sort_unstable();
        let [first, second] = &groups;
        self.groups.groups.push(Group {
            id: GroupId::of(&[name, first, second]),
            name: name.to_owned(),
            role,
            required_synchronized: 0,
            sequence: 0,
            kind: Kind::Distributed(Box::new(distributed)),
        });
    }

    /// Reads the two members, and finds out which one is here.
    fn distributed(
        &self,
        operation: &str,
        name: &str,
        given: &[GivenMember],
    ) -> Result<(DistributedGroup, LocalGroup), Refusal> {
        let [first, second] = given else {
            let near = given.get(2).or(given.first()).map_or(name, |m| &m.name);
            return Err(Refusal::incorrect_syntax(near));
        };
        if same_name(&first.name, &second.name) {
            return Err(Refusal::member_exists(&second.name));
        }
        let members = [
            new_member(operation, name, first, self.facts)?,
            new_member(operation, name, second, self.facts)?,
        ];
        let local = |member: &Partnering| self.groups.named(&member.name).filter(|g| g.as_local().is_some());
        let [first, second] = members;
        let (here, there, here_first) = match (local(&first).is_some(), local(&second).is_some()) {
            (false, false) => return Err(Refusal::none_local()),
            (true, true) => return Err(Refusal::member_exists(&second.name)),
            (true, false) => (first, second, true),
            (false, true) => (second, first, false),
        };
        let Some((group, local)) = local(&here).and_then(|g| Some((g, g.as_local()?))) else {
            return Err(Refusal::none_local());
        };
        if local.basic {
            return Err(Refusal::on_basic(&here.name));
        }
        if group.role != Role::Primary {
            return Err(Refusal::primary_only());
        }
        if self.groups.standing_on(&here.name).any(|(_, d)| same_name(&d.there.name, &there.name)) {
            return Err(Refusal::same_members(&here.name));
        }
        Ok((DistributedGroup { here, there, here_first }, local.clone()))
    }

    /// What the service asks of the side from which a managed instance is to get its copy.
    fn check_primary(
        &self,
        name: &str,
        distributed: &DistributedGroup,
        local: &LocalGroup,
    ) -> Result<(), Refusal> {
        let (here, there) = (&distributed.here, &distributed.there);
        if self.facts.is_managed() || !there.url.is_managed() {
            return Ok(());
        }
        if there.seeding_mode == SeedingMode::Manual {
            return Err(Refusal::managed_manual_seeding(&there.name));
        }
        if there.commit_mode == CommitMode::Synchronous {
            return Err(Refusal::managed_synchronous(&there.name));
        }
        match local.databases.len() {
            0 => Err(Refusal::managed_no_database(name, &here.name)),
            1 => Ok(()),
            _ if self.facts.multiple_databases => Ok(()),
            _ => Err(Refusal::managed_many_databases(name, &here.name)),
        }
    }

    pub(super) fn modify_members(&mut self, name: &str, given: &[GivenMember]) -> Result<(), Refusal> {
        const OPERATION: &str = "MODIFY AVAILABILITY GROUP";
        let Some(group) = self.groups.named(name).cloned() else {
            return Err(Refusal::distributed_not_found(name));
        };
        let Kind::Distributed(distributed) = &group.kind else {
            return Err(Refusal::for_distributed_only(&group.name));
        };
        let is_link = self.is_link(&group, distributed);
        let mut distributed = distributed.as_ref().clone();
        if let Some(member) = repeated(given.iter().map(|m| m.name.as_str())) {
            return Err(Refusal::incorrect_syntax(member));
        }
        for member in given {
            let is_there = same_name(&member.name, &distributed.there.name);
            let managed = is_there && is_link;
            let target = if same_name(&member.name, &distributed.here.name) {
                &mut distributed.here
            } else if is_there {
                &mut distributed.there
            } else {
                return Err(Refusal::member_not_found(&member.name, &group.name));
            };
            let mut options = Options::new(&member.options)?;
            if options.is_empty() {
                return Err(Refusal::incorrect_syntax(")"));
            }
            let given = GivenPartnering::read(&mut options, "LISTENER_URL")?;
            options.finish()?;
            if let Some(url) = given.url {
                target.url = listener_url(url, self.facts)?;
            }
            if let Some(mode) = given.mode {
                if self.facts.live(&group).is_some_and(|l| l.changing_role) {
                    return Err(Refusal::not_during_failover("AVAILABILITY_MODE"));
                }
                target.commit_mode = commit_mode(mode)?;
            }
            if let Some(mode) = given.failover_mode {
                target.failover_mode = failover_mode(&group.name, mode)?;
            }
            if let Some(mode) = given.seeding_mode {
                if managed && mode == SeedingMode::Manual {
                    return Err(Refusal::managed_option());
                }
                self.actions.extend(seeding_action(group.id, target.id, target.seeding_mode, mode));
                target.seeding_mode = mode;
            }
            set_timeout(OPERATION, target, given.session_timeout)?;
            target.modified = self.facts.now.0;
        }
        let required = i64::from(group.required_synchronized);
        check_required(OPERATION, required, possible_secondaries(&distributed), &group.name)?;
        if let Some(group) = self.groups.named_mut(name) {
            group.kind = Kind::Distributed(Box::new(distributed));
        }
        Ok(())
    }

    /// SET with anything but a role, on a distributed group.
    pub(super) fn set_distributed(
        &mut self,
        group: &Group,
        distributed: &DistributedGroup,
        mut options: Options<'_>,
    ) -> Result<(), Refusal> {
        // Distributed groups have it since 2022.
        let required =
            if self.facts.version.major >= 16 { self.required_synchronized(&mut options)? } else { None };
        if let Some(other) = options.first() {
            return Err(Refusal::unsupported(&format!("ALTER AVAILABILITY GROUP ... SET ({other})")));
        }
        let Some(required) = required else { return Err(Refusal::incorrect_syntax(")")) };
        check_required("ALTER AVAILABILITY GROUP", required, possible_secondaries(distributed), &group.name)?;
        if let Some(group) = self.groups.named_mut(&group.name) {
            group.required_synchronized = required as u32;
        }
        Ok(())
    }
}

/// The side that receives must be empty, and let databases be made.
fn check_secondary(name: &str, distributed: &DistributedGroup, local: &LocalGroup) -> Result<(), Refusal> {
    let here = &distributed.here;
    if !local.databases.is_empty() {
        return Err(Refusal::joins_with_databases(name, &here.name));
    }
    if here.seeding_mode == SeedingMode::Automatic && !local.create_any_database {
        return Err(Refusal::create_any_database_missing(&here.name));
    }
    Ok(())
}

fn new_member(
    operation: &str,
    group: &str,
    given: &GivenMember,
    facts: &Facts,
) -> Result<Partnering, Refusal> {
    let name = &given.name;
    let mut options = Options::new(&given.options)?;
    let partnering = GivenPartnering::read(&mut options, "LISTENER_URL")?;
    options.finish()?;
    let Some(url) = partnering.url else { return Err(Refusal::url_missing(name)) };
    let url = listener_url(url, facts)?;
    let Some(mode) = partnering.mode else { return Err(Refusal::availability_mode_missing(name)) };
    let Some(failover) = partnering.failover_mode else {
        return Err(Refusal::failover_mode_missing(name));
    };
    let mut member = Partnering {
        id: ReplicaId::of(&[group, name]),
        name: name.clone(),
        url,
        commit_mode: commit_mode(mode)?,
        failover_mode: failover_mode(group, failover)?,
        seeding_mode: partnering.seeding_mode.unwrap_or(SeedingMode::Manual),
        session_timeout_s: SESSION_TIMEOUT_S,
        created: facts.now.0,
        modified: facts.now.0,
    };
    set_timeout(operation, &mut member, partnering.session_timeout)?;
    Ok(member)
}

fn commit_mode(given: GivenMode) -> Result<CommitMode, Refusal> {
    match given {
        GivenMode::Commit(mode) => Ok(mode),
        GivenMode::ConfigurationOnly => Err(Refusal::incorrect_syntax("CONFIGURATION_ONLY")),
    }
}

fn failover_mode(group: &str, given: FailoverMode) -> Result<FailoverMode, Refusal> {
    match given {
        FailoverMode::Manual => Ok(FailoverMode::Manual),
        FailoverMode::Automatic => Err(Refusal::distributed_automatic()),
        FailoverMode::External => Err(Refusal::cluster_type_manual_only(group)),
    }
}

/// LISTENER_URL; what a version does not know behind the address makes it invalid.
fn listener_url(text: &str, facts: &Facts) -> Result<ListenerUrl, Refusal> {
    ListenerUrl::parse(text)
        .filter(|u| facts.is_managed() || u.server.is_none() || facts.version.takes_server_in_url())
        .filter(|u| facts.is_managed() || u.database.is_none() || facts.version.takes_database_in_url())
        .ok_or_else(|| Refusal::listener_url_invalid(text))
}

/// The other side can be waited for if both are synchronous.
fn possible_secondaries(distributed: &DistributedGroup) -> i64 {
    i64::from(distributed.commit_mode() == CommitMode::Synchronous)
}
