//! Carrying statements out: what they need is checked in the order in which SQL Server complains, as far as that is known,
//! and then the groups are changed as a whole or not at all.
//!
//! Two places where no document gives the answer. A missing or stopped endpoint is refused with 35204, which is the
//! message that names the trouble; in the error log it is informational, here it fails the statement. A group that a
//! distributed one stands on is not dropped: 3729, the number for all that is in use by something else.

mod databases;
mod distributed;
mod local;
mod roles;

use super::{
    Alteration, Command, DistributedGroup, EndpointState, Facts, Flavor, Group, Groups, Kind, Origin, Role,
    same_name,
};
use crate::{DbName, GroupId, Refusal, ReplicaId};

/// What has to happen beyond what the groups now say. A database's group is the one that lists it, never the distributed
/// one that stands on that; only DROP of a distributed group says [`Action::LeaveGroup`] of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "a field of a variant is what the variant says")]
pub enum Action {
    /// FAILOVER: hand the primary role over. The groups change when that has succeeded ([`Groups::finish_failover`]).
    PlannedFailover { group: GroupId },
    /// SET (ROLE = SECONDARY): stop writing. Nobody is primary until somebody is made to.
    BecomeSecondary { group: GroupId },
    /// FORCE_FAILOVER_ALLOW_DATA_LOSS: write, on a new fork.
    ForceFailover { group: GroupId },
    /// SET HADR SUSPEND.
    Suspend { group: GroupId, database: DbName },
    /// SET HADR RESUME.
    Resume { group: GroupId, database: DbName },
    /// The database is in the group no longer. Is it a secondary one, it stays as it is, in state RESTORING, unless no
    /// other group holds it back.
    LeaveGroup { group: GroupId, database: DbName },
    /// SET HADR AVAILABILITY GROUP: the database that was restored here follows.
    JoinDatabase { group: GroupId, database: DbName },
    /// Make the copies for that replica now, also those that had failed for good.
    RetrySeeding { group: GroupId, replica: ReplicaId },
    /// Stop making copies for that replica.
    CancelSeeding { group: GroupId, replica: ReplicaId },
}

/// What a statement has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The groups from now on.
    pub groups: Groups,
    /// What has to happen.
    pub actions: Vec<Action>,
    /// What the client is told although the statement succeeds.
    pub notices: Vec<Refusal>,
}

/// A statement at work.
struct Work<'a> {
    facts: &'a Facts,
    groups: Groups,
    actions: Vec<Action>,
    notices: Vec<Refusal>,
}

impl Groups {
    /// Carries a statement out, or says why not.
    pub fn apply(&self, command: &Command, facts: &Facts) -> Result<Change, Refusal> {
        let mut work = Work { facts, groups: self.clone(), actions: Vec::new(), notices: Vec::new() };
        work.allowed(command)?;
        if !facts.hadr_enabled {
            return Err(Refusal::feature_disabled());
        }
        match command {
            Command::Create { group, options, databases, replicas, listener } => {
                work.create(group, options, databases, replicas, *listener)?;
            }
            Command::CreateDistributed { group, options, members } => {
                work.create_distributed(group, options, members)?;
            }
            Command::Alter { group, alteration } => work.alter(group, alteration)?,
            Command::Drop { group } => work.drop_group(group)?,
            Command::Suspend { database } => work.set_suspended(database, true)?,
            Command::Resume { database } => work.set_suspended(database, false)?,
            Command::Leave { database } => work.leave(database)?,
            Command::JoinDatabase { database, group } => work.join_database(database, group)?,
        }
        let Work { mut groups, actions, notices, .. } = work;
        for group in &mut groups.groups {
            if self.groups.iter().all(|before| before != group) {
                group.sequence += 1;
            }
        }
        Ok(Change { groups, actions, notices })
    }
}

impl Work<'_> {
    /// On a managed instance the groups belong to the service; a session may only change a link's role.
    fn allowed(&self, command: &Command) -> Result<(), Refusal> {
        if self.facts.flavor == Flavor::SqlServer || self.facts.origin == Origin::Control {
            return Ok(());
        }
        let what = match command {
            Command::Create { .. } | Command::CreateDistributed { .. } => {
                "CREATE AVAILABILITY GROUP".to_owned()
            }
            Command::Drop { .. } => "DROP AVAILABILITY GROUP".to_owned(),
            Command::Suspend { .. }
            | Command::Resume { .. }
            | Command::Leave { .. }
            | Command::JoinDatabase { .. } => "ALTER DATABASE ... SET HADR".to_owned(),
            Command::Alter { group, alteration } => {
                let is_link = self.groups.named(group).is_none_or(|g| g.as_distributed().is_some());
                let changes_role = match alteration {
                    Alteration::Failover | Alteration::ForceFailover => true,
                    Alteration::Set(options) => options.iter().all(|o| o.name.eq_ignore_ascii_case("ROLE")),
                    _ => false,
                };
                if is_link && changes_role {
                    return Ok(());
                }
                format!("ALTER AVAILABILITY GROUP ... {}", alteration.name())
            }
        };
        Err(Refusal::unsupported(&what))
    }

    fn alter(&mut self, name: &str, alteration: &Alteration) -> Result<(), Refusal> {
        match alteration {
            // These three say for themselves which groups they do not find.
            Alteration::Join(options) => return self.join(name, options),
            Alteration::JoinDistributed(members) => return self.join_distributed(name, members),
            Alteration::ModifyMembers(members) => return self.modify_members(name, members),
            Alteration::Other(what) => {
                return Err(Refusal::unsupported(&format!("ALTER AVAILABILITY GROUP ... {what}")));
            }
            _ => {}
        }
        let Some(group) = self.groups.named(name).cloned() else {
            return Err(Refusal::group_not_found("alter", name));
        };
        match alteration {
            Alteration::Set(options) => self.set(&group, options),
            Alteration::Failover => self.failover(&group),
            Alteration::ForceFailover => self.force_failover(&group),
            Alteration::AddDatabase(databases) => self.add_databases(&group, databases),
            Alteration::RemoveDatabase(databases) => self.remove_databases(&group, databases),
            Alteration::AddReplica(replicas) => self.add_replicas(&group, replicas),
            Alteration::ModifyReplica(replicas) => self.modify_replicas(&group, replicas),
            Alteration::RemoveReplica(replicas) => self.remove_replicas(&group, replicas),
            Alteration::Grant => self.grant(&group, true),
            Alteration::Deny => self.grant(&group, false),
            Alteration::ModifyMembers(_)
            | Alteration::Join(_)
            | Alteration::JoinDistributed(_)
            | Alteration::Other(_) => Ok(()),
        }
    }

    fn drop_group(&mut self, name: &str) -> Result<(), Refusal> {
        let Some(group) = self.groups.named(name).cloned() else {
            return Err(Refusal::group_not_found("drop", name));
        };
        let local = match &group.kind {
            Kind::Local(local) => {
                if let Some((on_it, _)) = self.groups.standing_on(&group.name).next() {
                    return Err(Refusal::referenced("DROP AVAILABILITY GROUP", &group.name, &on_it.name));
                }
                Some(local.clone())
            }
            Kind::Distributed(distributed) => {
                self.groups.named(&distributed.here.name).and_then(Group::as_local).cloned()
            }
        };
        for database in local.iter().flat_map(|l| &l.databases).filter(|d| d.joined) {
            self.actions.push(Action::LeaveGroup { group: group.id, database: DbName::new(&database.name) });
        }
        self.groups.groups.retain(|g| g.id != group.id);
        Ok(())
    }

    /// Whether connections could come about.
    fn endpoint_started(&self, group: &str) -> Result<(), Refusal> {
        match self.facts.endpoint {
            EndpointState::Started => Ok(()),
            EndpointState::Stopped | EndpointState::Missing => {
                let id = ReplicaId::of(&[group, &self.facts.server]).to_string();
                let server = &self.facts.server;
                Err(Refusal::endpoint_stopped(server, &id, server, &id).as_error())
            }
        }
    }

    /// Whether the other side of a distributed group is a managed instance: its URL says so, or it does itself.
    fn is_link(&self, group: &Group, distributed: &DistributedGroup) -> bool {
        let peer = self.facts.live(group).and_then(|l| l.peers.get(&distributed.there.id));
        distributed.there.url.is_managed() || peer.is_some_and(|p| p.managed)
    }

    /// Whether a group is the secondary side of a distributed one.
    fn is_forwarder(&self, group: &str) -> bool {
        self.groups.standing_on(group).any(|(d, _)| d.role != Role::Primary)
    }

    fn is_here(&self, server: &str) -> bool {
        same_name(server, &self.facts.server)
    }
}

impl Alteration {
    /// What it is called.
    fn name(&self) -> &str {
        match self {
            Alteration::Set(_) => "SET",
            Alteration::AddDatabase(_) => "ADD DATABASE",
            Alteration::RemoveDatabase(_) => "REMOVE DATABASE",
            Alteration::AddReplica(_) => "ADD REPLICA",
            Alteration::ModifyReplica(_) => "MODIFY REPLICA",
            Alteration::RemoveReplica(_) => "REMOVE REPLICA",
            Alteration::ModifyMembers(_) => "MODIFY AVAILABILITY GROUP",
            Alteration::Join(_) => "JOIN",
            Alteration::JoinDistributed(_) => "JOIN AVAILABILITY GROUP",
            Alteration::Failover => "FAILOVER",
            Alteration::ForceFailover => "FORCE_FAILOVER_ALLOW_DATA_LOSS",
            Alteration::Grant => "GRANT CREATE ANY DATABASE",
            Alteration::Deny => "DENY CREATE ANY DATABASE",
            Alteration::Other(what) => what,
        }
    }
}

/// Two of the same name in a list.
fn repeated<'a>(names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen: Vec<&str> = Vec::new();
    for name in names {
        if seen.iter().any(|s| same_name(s, name)) {
            return Some(name);
        }
        seen.push(name);
    }
    None
}
