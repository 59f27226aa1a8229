//! Calls of Azure Resource Manager that change something. All are on the managed instance that the link is with.

use serde::{Deserialize, Serialize};

use super::PublicKey;
use crate::names::{CommitMode, FailoverMode, LinkMode, Role, SeedingMode};

/// A call that changes something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "call")]
pub enum ArmCall {
    /// `PUT serverTrustCertificates/NAME`.
    PutTrustCertificate {
        /// Its name in Azure.
        name: String,
        /// The certificate of the partner's endpoint.
        public: PublicKey,
    },
    /// `DELETE serverTrustCertificates/NAME`.
    DeleteTrustCertificate {
        /// Its name in Azure.
        name: String,
    },
    /// `PUT distributedAvailabilityGroups/NAME`.
    PutLink {
        /// The link.
        name: String,
        /// What it is to be.
        body: LinkBody,
    },
    /// `PATCH distributedAvailabilityGroups/NAME` of `replicationMode`.
    SetCommitMode {
        /// The link.
        name: String,
        /// The mode.
        mode: CommitMode,
    },
    /// `PATCH distributedAvailabilityGroups/NAME` of `databases`, which replaces the whole list.
    SetDatabases {
        /// The link.
        name: String,
        /// All that it is to carry.
        databases: Vec<String>,
    },
    /// `DELETE distributedAvailabilityGroups/NAME`.
    DeleteLink {
        /// The link.
        name: String,
    },
    /// `POST distributedAvailabilityGroups/NAME/failover`.
    Failover {
        /// The link.
        name: String,
        /// Which.
        kind: FailoverType,
    },
    /// `POST distributedAvailabilityGroups/NAME/setRole`.
    SetRole {
        /// The link.
        name: String,
        /// The managed instance's role to be.
        role: Role,
        /// How.
        change: RoleChange,
    },
    /// `PATCH` of the instance's `hybridSecondaryUsage`.
    SetHybridUsage {
        /// What it is used for.
        usage: HybridUsage,
    },
    /// `DELETE databases/NAME`.
    DeleteDatabase {
        /// The database.
        name: String,
    },
}

/// The body of a link that is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LinkBody {
    /// The databases.
    pub databases: Vec<String>,
    /// `partnerAvailabilityGroupName`: the group on SQL Server.
    pub partner_group: String,
    /// `instanceAvailabilityGroupName`.
    pub instance_group: String,
    /// `partnerEndpoint`.
    pub partner_endpoint: String,
    /// `instanceLinkRole`.
    pub instance_role: Role,
    /// `failoverMode`.
    pub failover_mode: FailoverMode,
    /// `seedingMode`.
    pub seeding_mode: SeedingMode,
    /// `replicationMode`.
    pub commit_mode: CommitMode,
    /// `linkMode`.
    pub link_mode: LinkMode,
}

/// `failoverType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FailoverType {
    /// `Planned`: asked of the instance while it is primary.
    Planned,
    /// `ForcedAllowDataLoss`: asked of the instance while it is secondary.
    ForcedAllowDataLoss,
}

/// `roleChangeType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RoleChange {
    /// `Planned`.
    Planned,
    /// `Forced`.
    Forced,
}

/// `hybridSecondaryUsage`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HybridUsage {
    /// It is used.
    Active,
    /// A passive replica, without licence costs.
    Passive,
}
