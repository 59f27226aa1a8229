//! What an instance has written down about its groups, and what follows from that.

use std::collections::BTreeMap;

use lab_hadr::{
    CommitMode, Config, DatabaseSpec, DbName, GroupId, PartnerKey, PartnerSpec, ReplicaId, Role, SeedingMode,
};

/// A group as one side has written it down.
#[derive(Debug, Clone)]
pub(crate) struct GroupDoc {
    pub(crate) id: GroupId,
    pub(crate) name: String,
    /// Who stands at the other side.
    pub(crate) peer: usize,
    pub(crate) here: String,
    pub(crate) there: String,
    pub(crate) role: Role,
    /// A human said so, without proof that nothing is lost.
    pub(crate) forced: bool,
    /// When the role was written down.
    pub(crate) role_at: u64,
    pub(crate) synchronous: bool,
    pub(crate) automatic: bool,
    pub(crate) session_timeout_ms: u64,
    pub(crate) required: u32,
    pub(crate) databases: Vec<DbName>,
}

/// All that an instance has written down. Durable.
#[derive(Debug, Clone, Default)]
pub(crate) struct Docs {
    pub(crate) groups: Vec<GroupDoc>,
    pub(crate) suspended: BTreeMap<DbName, bool>,
}

pub(crate) fn instance_name(n: usize) -> String {
    ["ALPHA", "BETA", "GAMMA"].get(n).map_or_else(|| format!("I{n}"), |name| (*name).to_owned())
}

fn replica(group: &str, instance: usize) -> ReplicaId {
    ReplicaId::of(&[group, &instance_name(instance)])
}

impl GroupDoc {
    pub(crate) fn key(&self) -> PartnerKey {
        PartnerKey { group: self.id, peer: replica(&self.name, self.peer) }
    }
}

impl Docs {
    pub(crate) fn group(&self, id: GroupId) -> Option<&GroupDoc> {
        self.groups.iter().find(|g| g.id == id)
    }

    pub(crate) fn group_mut(&mut self, id: GroupId) -> Option<&mut GroupDoc> {
        self.groups.iter_mut().find(|g| g.id == id)
    }

    /// Whether a database is written to here.
    pub(crate) fn is_writable(&self, db: &DbName) -> bool {
        self.groups.iter().filter(|g| g.databases.contains(db)).all(|g| g.role == Role::Primary)
    }

    pub(crate) fn required(&self, db: &DbName) -> u32 {
        self.groups.iter().filter(|g| g.databases.contains(db)).map(|g| g.required).max().unwrap_or(0)
    }

    /// What the node is configured to.
    pub(crate) fn config(&self, ignore_required: bool) -> Config {
        let mut config = Config::default();
        for group in &self.groups {
            config.partners.push(PartnerSpec {
                key: group.key(),
                group: group.name.clone(),
                here: group.here.clone(),
                there: group.there.clone(),
                names_server: true,
                role: group.role,
                offer: None,
                commit_mode: if group.synchronous {
                    CommitMode::Synchronous
                } else {
                    CommitMode::Asynchronous
                },
                seeding_mode: if group.automatic { SeedingMode::Automatic } else { SeedingMode::Manual },
                peer_seeding_mode: SeedingMode::Automatic,
                may_create: true,
                session_timeout_ms: group.session_timeout_ms,
                databases: group.databases.clone(),
            });
            for db in &group.databases {
                let spec = DatabaseSpec {
                    writable: self.is_writable(db),
                    suspended: self.suspended.get(db).copied().unwrap_or(false),
                    required_synchronized: if ignore_required { 0 } else { self.required(db) },
                };
                config.databases.insert(db.clone(), spec);
            }
        }
        config
    }
}
