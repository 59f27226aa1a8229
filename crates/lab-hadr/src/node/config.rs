//! What the groups of an instance mean for its data.

use super::{Config, DatabaseSpec, PartnerKey, PartnerSpec};
use crate::{DbName, DistributedGroup, Group, Groups, LocalGroup, Partnering, Role, same_name};

impl Config {
    /// Of the groups as statements have made them, on the server of that name.
    pub fn of(groups: &Groups, server: &str) -> Config {
        let mut config = Config::default();
        for (group, local) in groups.local() {
            config.add_databases(groups, group, local);
            config.add_replicas(group, local, server);
            if group.role == Role::Primary {
                config.leads.push(group.offered());
            }
        }
        for (group, distributed) in groups.distributed() {
            let here = groups.named(&distributed.here.name).and_then(Group::as_local);
            if let Some(local) = here {
                config.partners.push(member(group, distributed, local));
            }
        }
        config
    }

    fn add_databases(&mut self, groups: &Groups, group: &Group, local: &LocalGroup) {
        let required = groups.standing_on(&group.name).map(|(g, _)| g.required_synchronized);
        let required = required.chain([group.required_synchronized]).max().unwrap_or_default();
        for database in local.databases.iter().filter(|d| d.joined) {
            let spec = DatabaseSpec {
                writable: groups.is_writable(&database.name),
                suspended: database.suspended,
                required_synchronized: required,
            };
            self.databases.insert(DbName::new(&database.name), spec);
        }
    }

    fn add_replicas(&mut self, group: &Group, local: &LocalGroup, server: &str) {
        let Some(here) = local.replica(server) else { return };
        for there in local.replicas.iter().filter(|r| !same_name(&r.partnering.name, server)) {
            let mut spec = spec(group, local, &here.partnering, &there.partnering);
            spec.offer = (group.role == Role::Primary).then(|| Box::new(group.offered()));
            self.partners.push(spec);
        }
    }
}

fn member(group: &Group, distributed: &DistributedGroup, local: &LocalGroup) -> PartnerSpec {
    spec(group, local, &distributed.here, &distributed.there)
}

fn spec(group: &Group, local: &LocalGroup, here: &Partnering, there: &Partnering) -> PartnerSpec {
    use crate::CommitMode::{Asynchronous, Synchronous};
    // What is set for either of the two counts on this side; that the peer agrees, it says itself.
    let both = here.commit_mode == Synchronous && there.commit_mode == Synchronous;
    PartnerSpec {
        key: PartnerKey { group: group.id, peer: there.id },
        group: group.name.clone(),
        here: here.name.clone(),
        there: there.name.clone(),
        names_server: there.url.server.is_some(),
        role: group.role,
        offer: None,
        commit_mode: if both { Synchronous } else { Asynchronous },
        seeding_mode: here.seeding_mode,
        peer_seeding_mode: there.seeding_mode,
        may_create: local.create_any_database,
        session_timeout_ms: u64::from(there.session_timeout_s.min(here.session_timeout_s)) * 1000,
        databases: local.databases.iter().filter(|d| d.joined).map(|d| DbName::new(&d.name)).collect(),
    }
}
