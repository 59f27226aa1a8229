//! What an instance knows about its availability groups: what the statements of Always On have made, and the roles.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{DatabaseId, GroupId, ListenerUrl, ReplicaId};

/// `sys.availability_replicas.availability_mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CommitMode {
    /// A commit waits for its own log only.
    Asynchronous,
    /// A commit waits until the secondary has hardened it, too.
    Synchronous,
}

/// `sys.availability_replicas.failover_mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailoverMode {
    /// By a statement.
    Manual,
    /// By the cluster; there is none here, so that it is refused.
    Automatic,
    /// By an external cluster manager; as `Automatic`.
    External,
}

/// `sys.availability_replicas.seeding_mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SeedingMode {
    /// The primary streams the first copy.
    Automatic,
    /// Somebody restores a backup and joins the database.
    Manual,
}

/// What a replica lets its clients do: `SECONDARY_ROLE (ALLOW_CONNECTIONS = ...)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AllowConnections {
    /// Nothing (976).
    No,
    /// Those that declare `ApplicationIntent=ReadOnly` (978).
    ReadOnly,
    /// Everybody, to read.
    All,
}

/// What this instance is in a group. `sys.dm_hadr_availability_replica_states.role`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// It has not been told yet.
    Resolving,
    /// Its copy is the one that is written to.
    Primary,
    /// Its copy follows.
    Secondary,
}

impl Role {
    /// `role`.
    pub fn number(self) -> i64 {
        match self {
            Role::Resolving => 0,
            Role::Primary => 1,
            Role::Secondary => 2,
        }
    }

    /// `role_desc`.
    pub fn name(self) -> &'static str {
        match self {
            Role::Resolving => "RESOLVING",
            Role::Primary => "PRIMARY",
            Role::Secondary => "SECONDARY",
        }
    }
}

/// Settings that a replica of a group and a member of a distributed group have alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partnering {
    /// `sys.availability_replicas.replica_id`.
    pub id: ReplicaId,
    /// The server's name; of a member of a distributed group, the group's.
    pub name: String,
    /// ENDPOINT_URL or LISTENER_URL.
    pub url: ListenerUrl,
    /// AVAILABILITY_MODE.
    pub commit_mode: CommitMode,
    /// FAILOVER_MODE.
    pub failover_mode: FailoverMode,
    /// SEEDING_MODE.
    pub seeding_mode: SeedingMode,
    /// SESSION_TIMEOUT, in seconds.
    pub session_timeout_s: u32,
}

/// A replica of a group that is not distributed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replica {
    /// What members of distributed groups have as well.
    #[serde(flatten)]
    pub partnering: Partnering,
    /// BACKUP_PRIORITY.
    pub backup_priority: u32,
    /// PRIMARY_ROLE (ALLOW_CONNECTIONS = ...): only with ApplicationIntent=ReadWrite, if set.
    pub primary_read_write_only: bool,
    /// SECONDARY_ROLE (ALLOW_CONNECTIONS = ...).
    pub secondary_allow: AllowConnections,
    /// READ_ONLY_ROUTING_URL; stored and shown.
    pub read_only_routing_url: Option<String>,
}

/// A database of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupDatabase {
    /// `group_database_id`.
    pub id: DatabaseId,
    /// Its name.
    pub name: String,
    /// SET HADR SUSPEND.
    pub suspended: bool,
}

/// What a group that is not distributed has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalGroup {
    /// The replicas; this instance is one of them.
    pub replicas: Vec<Replica>,
    /// The databases.
    pub databases: Vec<GroupDatabase>,
    /// GRANT CREATE ANY DATABASE: seeding may make databases here.
    pub create_any_database: bool,
    /// AUTOMATED_BACKUP_PREFERENCE, FAILURE_CONDITION_LEVEL, ...: stored and shown, by name as the statement spells it.
    pub shown: BTreeMap<String, String>,
}

/// What a distributed group has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DistributedGroup {
    /// The group on this instance.
    pub here: Partnering,
    /// The group on the other one.
    pub there: Partnering,
    /// Whether `here` was named first: the order is shown.
    pub here_first: bool,
}

/// The two kinds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Replicas and databases.
    Local(LocalGroup),
    /// Two groups.
    Distributed(Box<DistributedGroup>),
}

/// An availability group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// `group_id`.
    pub id: GroupId,
    /// Its name.
    pub name: String,
    /// What this instance is to be in it. What it is follows, once its databases have been brought there.
    pub role: Role,
    /// REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT.
    pub required_synchronized: u32,
    /// The rest.
    pub kind: Kind,
}

/// All groups of an instance, by name as they were created. This is what is kept in `master`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Groups {
    /// The groups.
    pub groups: Vec<Group>,
}

/// Whether two names are the same to a server whose collation ignores case.
pub fn same_name(a: &str, b: &str) -> bool {
    a.to_uppercase() == b.to_uppercase()
}

impl Groups {
    /// The group of that name.
    pub fn named(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|g| same_name(&g.name, name))
    }

    /// The group of that name, to change.
    pub fn named_mut(&mut self, name: &str) -> Option<&mut Group> {
        self.groups.iter_mut().find(|g| same_name(&g.name, name))
    }

    /// The groups that are not distributed.
    pub fn local(&self) -> impl Iterator<Item = (&Group, &LocalGroup)> {
        self.groups.iter().filter_map(|g| match &g.kind {
            Kind::Local(local) => Some((g, local)),
            Kind::Distributed(_) => None,
        })
    }

    /// The distributed groups.
    pub fn distributed(&self) -> impl Iterator<Item = (&Group, &DistributedGroup)> {
        self.groups.iter().filter_map(|g| match &g.kind {
            Kind::Distributed(distributed) => Some((g, distributed.as_ref())),
            Kind::Local(_) => None,
        })
    }

    /// The group that a database is in.
    pub fn of_database(&self, name: &str) -> Option<(&Group, &LocalGroup, &GroupDatabase)> {
        self.local().find_map(|(group, local)| {
            local.databases.iter().find(|d| same_name(&d.name, name)).map(|d| (group, local, d))
        })
    }

    /// Whether a database is to be written to: this instance is primary in its group, and in each distributed group on it.
    pub fn is_writable(&self, database: &str) -> bool {
        self.of_database(database).is_none_or(|(group, _, _)| {
            group.role == Role::Primary
                && self
                    .distributed()
                    .filter(|(_, d)| same_name(&d.here.name, &group.name))
                    .all(|(d, _)| d.role == Role::Primary)
        })
    }
}
