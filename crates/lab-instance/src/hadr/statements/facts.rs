//! What statements must know of the instance.

use lab_hadr::{
    DatabaseFacts, DatabaseState, EndpointState, Facts, Flavor, ManagedFacts, Moment, Origin, Recovery,
    Version,
};
use lab_store::RecoveryModel;

use super::super::Hadr;

/// SQL Server 2025.
const NEWEST: Version = Version::new(17, 1000, 7);

impl Hadr {
    pub(super) fn facts(&self, origin: Origin) -> Facts {
        let flavor = self.server.flavor();
        let [major, minor, build, revision] = flavor.build().map(u32::from);
        let managed = flavor.is_managed();
        Facts {
            origin,
            server: self.server.name().to_owned(),
            // A managed instance reports 12.0.2000.8 for ever; what it can is what the newest SQL Server can.
            version: if managed { NEWEST } else { Version { major, minor, build, revision } },
            flavor: if managed { Flavor::Managed } else { Flavor::SqlServer },
            hadr_enabled: managed || self.server.hadr_enabled(),
            cluster_node: major == 13,
            endpoint: match self.server.mirroring_endpoint() {
                None => EndpointState::Missing,
                Some(endpoint) if endpoint.state == lab_tsql::ast::EndpointState::Started => {
                    EndpointState::Started
                }
                Some(_) => EndpointState::Stopped,
            },
            multiple_databases: self.server.multi_database_link(),
            databases: self
                .server
                .database_names()
                .iter()
                .filter_map(|name| self.server.database_facts(name))
                .map(|facts| database(&facts))
                .collect(),
            offered: self.offers(),
            live: self.live(),
            managed: ManagedFacts { two_way: true, inaccessible: Vec::new() },
            now: Moment(super::super::now()),
        }
    }
}

fn database(facts: &lab_engine::DatabaseFacts) -> DatabaseFacts {
    DatabaseFacts {
        name: facts.name.clone(),
        system: facts.system,
        state: super::super::live::database_state(facts.state).unwrap_or(DatabaseState::Online),
        recovery: match facts.recovery_model {
            RecoveryModel::Full => Recovery::Full,
            RecoveryModel::BulkLogged => Recovery::BulkLogged,
            RecoveryModel::Simple => Recovery::Simple,
        },
        log_chain: facts.log_chain,
        read_only: facts.read_only,
        single_user: facts.single_user,
        auto_close: facts.auto_close,
    }
}
