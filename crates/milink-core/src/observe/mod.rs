//! What both sides report. Only what was read, with the moment when it was read; what could not be read is unknown, never healthy.

mod azure;
mod database;
mod group;
mod instance;
mod probe;

pub use azure::{
    AzureDatabase, AzureInstance, AzureLink, AzureLinkDatabase, EndpointCertificate, RunningOperation, Tier,
    TrustCertificate,
};
pub use database::{Backup, Database, Encryption, Memory, RecoveryModel};
pub use group::{ConnectError, Group, Health, Replica, ReplicaDatabase, Seeding, SyncState};
pub use instance::{Certificate, Endpoint, Instance, Job};
pub use probe::{Hop, HopResult, Probe, Vantage};

use serde::{Deserialize, Serialize};

use crate::moment::Moment;
use crate::names::{Role, Side};

/// What was seen of one thing, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Seen<T> {
    /// It was read.
    At {
        /// When the answer had come.
        at: Moment,
        /// What it said.
        value: T,
    },
    /// It could not be read, or nobody asked.
    Unknown {
        /// When it was tried.
        at: Moment,
        /// Why there is no answer.
        why: String,
    },
}

impl<T> Seen<T> {
    /// What was read, if it was.
    pub fn known(&self) -> Option<&T> {
        match self {
            Seen::At { value, .. } => Some(value),
            Seen::Unknown { .. } => None,
        }
    }

    /// What was read, or why there is none.
    ///
    /// # Errors
    /// It could not be read.
    pub fn get(&self) -> Result<&T, &str> {
        match self {
            Seen::At { value, .. } => Ok(value),
            Seen::Unknown { why, .. } => Err(why),
        }
    }

    /// When it was read or tried.
    pub fn at(&self) -> Moment {
        match self {
            Seen::At { at, .. } | Seen::Unknown { at, .. } => *at,
        }
    }
}

/// Everything that was seen in one look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observation {
    /// When the look was finished, by the clock of who looked.
    pub at: Moment,
    /// SQL Server, over TDS.
    pub sql_server: Seen<Instance>,
    /// The managed instance, over TDS.
    pub managed: Seen<Instance>,
    /// The managed instance, as Azure describes it.
    pub azure: Seen<AzureInstance>,
    /// Probes of the endpoints, if somebody made any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<Probe>,
}

impl Observation {
    /// A side, over TDS.
    pub fn side(&self, side: Side) -> &Seen<Instance> {
        match side {
            Side::SqlServer => &self.sql_server,
            Side::Managed => &self.managed,
        }
    }

    /// The link's half on a side: its distributed availability group. `Ok(None)` is certain: the side answered, and has none.
    ///
    /// # Errors
    /// The side did not answer.
    pub fn distributed(&self, side: Side, link: &str) -> Result<Option<&Group>, &str> {
        self.side(side).get().map(|i| i.distributed(link))
    }

    /// The role that a side says it has in a link.
    ///
    /// # Errors
    /// The side did not answer.
    pub fn role(&self, side: Side, link: &str) -> Result<Option<Role>, &str> {
        Ok(self.distributed(side, link)?.and_then(|g| g.role))
    }

    /// The link as Azure describes it.
    ///
    /// # Errors
    /// Azure did not answer.
    pub fn azure_link(&self, link: &str) -> Result<Option<&AzureLink>, &str> {
        self.azure.get().map(|a| a.link(link))
    }
}

/// Whether two names are the same object: SQL Server's default collations and Azure compare without case.
pub fn same_name(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}
