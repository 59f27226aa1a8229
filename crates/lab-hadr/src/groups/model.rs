//! What an instance knows about its availability groups: what the statements of Always On have made, and the roles.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::StoredGroups;
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

/// `sys.availability_groups.cluster_type`, as far as there is one here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClusterType {
    /// CLUSTER_TYPE = NONE.
    #[default]
    None,
    /// A Windows Server failover cluster: what SQL Server 2016 always has. It is one node here and does nothing.
    Wsfc,
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
    /// When it was created, 100 ns since 0001-01-01.
    #[serde(default)]
    pub created: i64,
    /// When it was changed last.
    #[serde(default)]
    pub modified: i64,
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
    /// READ_WRITE_ROUTING_URL; stored and shown.
    #[serde(default)]
    pub read_write_routing_url: Option<String>,
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
    /// Whether the copy here belongs to it. On a secondary SET HADR does that, and undoes it; so does seeding.
    #[serde(default = "joined")]
    pub joined: bool,
}

/// Those of the first format had joined.
fn joined() -> bool {
    true
}

impl GroupDatabase {
    /// A database that has joined. Its id follows from its name alone: the groups of a distributed group have different
    /// names, the database has one id in both.
    pub fn new(name: &str) -> GroupDatabase {
        GroupDatabase { id: DatabaseId::of(&[name]), name: name.to_owned(), suspended: false, joined: true }
    }
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
    /// CLUSTER_TYPE.
    #[serde(default)]
    pub cluster_type: ClusterType,
    /// BASIC: one database, and no distributed group on it.
    #[serde(default)]
    pub basic: bool,
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
    /// `sequence_number`: how often statements have changed it.
    #[serde(default)]
    pub sequence: u64,
    /// The rest.
    pub kind: Kind,
}

/// All groups of an instance, in the order in which they were created. This is what is kept in `master`, as
/// [`StoredGroups`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "StoredGroups", into = "StoredGroups")]
pub struct Groups {
    /// The groups.
    pub groups: Vec<Group>,
}

/// Whether two names are the same to a server whose collation ignores case.
pub fn same_name(a: &str, b: &str) -> bool {
    a.to_uppercase() == b.to_uppercase()
}

impl DistributedGroup {
    /// Both members, in the order in which they were named.
    pub fn members(&self) -> [&Partnering; 2] {
        if self.here_first { [&self.here, &self.there] } else { [&self.there, &self.here] }
    }

    /// How commits are made: a pair is synchronous only if both sides are.
    pub fn commit_mode(&self) -> CommitMode {
        match (self.here.commit_mode, self.there.commit_mode) {
            (CommitMode::Synchronous, CommitMode::Synchronous) => CommitMode::Synchronous,
            (CommitMode::Asynchronous, _) | (_, CommitMode::Asynchronous) => CommitMode::Asynchronous,
        }
    }
}

impl LocalGroup {
    /// The database of that name.
    pub fn database(&self, name: &str) -> Option<&GroupDatabase> {
        self.databases.iter().find(|d| same_name(&d.name, name))
    }

    /// The database of that name, to change.
    pub fn database_mut(&mut self, name: &str) -> Option<&mut GroupDatabase> {
        self.databases.iter_mut().find(|d| same_name(&d.name, name))
    }

    /// The replica of that name.
    pub fn replica(&self, name: &str) -> Option<&Replica> {
        self.replicas.iter().find(|r| same_name(&r.partnering.name, name))
    }
}

impl Group {
    /// What it has if it is not distributed.
    pub fn as_local(&self) -> Option<&LocalGroup> {
        match &self.kind {
            Kind::Local(local) => Some(local),
            Kind::Distributed(_) => None,
        }
    }

    /// The same, to change.
    pub fn as_local_mut(&mut self) -> Option<&mut LocalGroup> {
        match &mut self.kind {
            Kind::Local(local) => Some(local),
            Kind::Distributed(_) => None,
        }
    }

    /// What it has if it is distributed.
    pub fn as_distributed(&self) -> Option<&DistributedGroup> {
        match &self.kind {
            Kind::Local(_) => None,
            Kind::Distributed(distributed) => Some(distributed),
        }
    }
}

impl Group {
    /// The group as another replica of it keeps it that has not joined any database yet.
    pub fn offered(&self) -> Group {
        let mut group = self.clone();
        group.role = Role::Secondary;
        if let Some(local) = group.as_local_mut() {
            local.create_any_database = false;
            for database in &mut local.databases {
                (database.joined, database.suspended) = (false, false);
            }
        }
        group
    }
}

impl Groups {
    /// Makes a group here what its primary says that it is. What each replica decides for itself stays: its role, which
    /// databases have joined or are suspended, and whether databases may be made. If the server of that name is no replica
    /// of it any more, it goes. Nothing happens if this side is primary in the group, or does not know it.
    pub fn adopt(&mut self, offered: &Group, server: &str) {
        let Some(at) = self.groups.iter().position(|g| g.id == offered.id) else { return };
        let removed = offered.as_local().is_some_and(|l| l.replica(server).is_none());
        let Some(group) = self.groups.get_mut(at).filter(|g| g.role != Role::Primary) else { return };
        if removed {
            let name = group.name.clone();
            if self.standing_on(&name).next().is_none() {
                self.groups.remove(at);
            }
            return;
        }
        let (Kind::Local(mine), Kind::Local(theirs)) = (&mut group.kind, &offered.kind) else { return };
        let mut databases = theirs.databases.clone();
        for database in &mut databases {
            let known = mine.database(&database.name);
            (database.joined, database.suspended) = known.map_or((false, false), |d| (d.joined, d.suspended));
        }
        *mine = LocalGroup { databases, create_any_database: mine.create_any_database, ..theirs.clone() };
        group.required_synchronized = offered.required_synchronized;
        group.sequence = offered.sequence;
    }

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

    /// The distributed groups that stand on a group.
    pub fn standing_on<'a>(
        &'a self,
        group: &'a str,
    ) -> impl Iterator<Item = (&'a Group, &'a DistributedGroup)> {
        self.distributed().filter(move |(_, d)| same_name(&d.here.name, group))
    }

    /// Whether there are links: as long as there are, `sp_multidb_milink` refuses to change its setting.
    pub fn has_links(&self) -> bool {
        self.distributed().next().is_some()
    }

    /// The role that a group has come to; nothing happens if there is no such group.
    pub fn set_role(&mut self, id: GroupId, role: Role) {
        if let Some(group) = self.groups.iter_mut().find(|g| g.id == id) {
            group.role = role;
        }
    }

    /// After a planned failover a distributed group is asynchronous, even if it had been synchronous before.
    pub fn finish_failover(&mut self, id: GroupId, role: Role) {
        self.set_role(id, role);
        let group = self.groups.iter_mut().find(|g| g.id == id);
        if let Some(Group { kind: Kind::Distributed(distributed), required_synchronized, .. }) = group {
            distributed.here.commit_mode = CommitMode::Asynchronous;
            distributed.there.commit_mode = CommitMode::Asynchronous;
            *required_synchronized = 0;
        }
    }

    /// A database has been seeded: it belongs to the group from now on. For a distributed group that is the group which
    /// it stands on here.
    pub fn add_seeded(&mut self, id: GroupId, database: &str) {
        let Some(group) = self.groups.iter().find(|g| g.id == id) else { return };
        let local = group.as_distributed().map_or(&group.name, |d| &d.here.name).clone();
        let Some(local) = self.named_mut(&local).and_then(Group::as_local_mut) else { return };
        match local.database_mut(database) {
            Some(there) => there.joined = true,
            None => local.databases.push(GroupDatabase::new(database)),
        }
    }

    /// What must always hold; the text names what does not.
    pub fn check(&self, server: &str) -> Result<(), String> {
        let mut databases: Vec<String> = Vec::new();
        for (n, group) in self.groups.iter().enumerate() {
            if self.groups[..n].iter().any(|g| same_name(&g.name, &group.name) || g.id == group.id) {
                return Err(format!("there are two groups {}", group.name));
            }
            match &group.kind {
                Kind::Local(local) => {
                    if local.replica(server).is_none() {
                        return Err(format!("{} has no replica {server}", group.name));
                    }
                    for (n, replica) in local.replicas.iter().enumerate() {
                        let name = &replica.partnering.name;
                        if local.replicas[..n].iter().any(|r| same_name(&r.partnering.name, name)) {
                            return Err(format!("{} has two replicas {name}", group.name));
                        }
                    }
                    if local.basic && local.databases.len() > 1 {
                        return Err(format!("{} is basic and has several databases", group.name));
                    }
                    databases.extend(local.databases.iter().map(|d| d.name.to_uppercase()));
                }
                Kind::Distributed(distributed) => {
                    let here = self.named(&distributed.here.name).and_then(Group::as_local);
                    if here.is_none_or(|l| l.basic) {
                        return Err(format!("{} stands on nothing", group.name));
                    }
                    if self.named(&distributed.there.name).is_some_and(|g| g.as_local().is_some()) {
                        return Err(format!("both groups of {} are here", group.name));
                    }
                }
            }
        }
        databases.sort_unstable();
        match databases.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(format!("{} is in two groups", pair[0])),
            None => Ok(()),
        }
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
