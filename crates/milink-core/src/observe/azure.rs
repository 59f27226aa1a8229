//! The managed instance and its links, as Azure Resource Manager describes them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Health, same_name};
use crate::facts::policy::UpdatePolicy;
use crate::lsn::Lsn;
use crate::moment::Moment;
use crate::names::{CommitMode, FailoverMode, Hex, LinkMode, Role, SeedingMode, Thumbprint};

/// A managed instance as a resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AzureInstance {
    /// Its resource id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `fullyQualifiedDomainName`.
    pub fqdn: String,
    /// Its region.
    pub location: String,
    /// `state`: `Ready` when it can be used.
    pub state: String,
    /// `databaseFormat`; `None` in very old answers.
    pub update_policy: Option<UpdatePolicy>,
    /// Its service tier.
    pub tier: Tier,
    /// `vCores`.
    pub v_cores: Option<u32>,
    /// `storageSizeInGB`.
    pub storage_gb: Option<u32>,
    /// `collation`.
    pub collation: Option<String>,
    /// `licenseType`.
    pub license: Option<String>,
    /// `hybridSecondaryUsage`: `Active`, or `Passive` for a replica without licence costs.
    pub hybrid_usage: Option<String>,
    /// `hybridSecondaryUsageDetected`.
    pub hybrid_usage_detected: Option<String>,
    /// Whether it is in a failover group; `None` if that cannot be seen.
    pub in_failover_group: Option<bool>,
    /// Its databases.
    pub databases: Vec<AzureDatabase>,
    /// Its links.
    pub links: Vec<AzureLink>,
    /// Certificates of partners that it knows.
    pub trust_certificates: Vec<TrustCertificate>,
    /// The certificate of its own endpoint.
    pub endpoint_certificate: Option<EndpointCertificate>,
    /// For each action that a link needs, whether the caller may do it, as far as can be seen.
    pub actions: BTreeMap<String, bool>,
    /// Operations of the instance that have not ended.
    pub operations: Vec<RunningOperation>,
}

impl AzureInstance {
    /// A link.
    pub fn link(&self, name: &str) -> Option<&AzureLink> {
        self.links.iter().find(|l| same_name(&l.name, name))
    }

    /// A database.
    pub fn database(&self, name: &str) -> Option<&AzureDatabase> {
        self.databases.iter().find(|d| same_name(&d.name, name))
    }

    /// A partner's certificate by what it is.
    pub fn trusts(&self, thumbprint: &Thumbprint) -> Option<&TrustCertificate> {
        self.trust_certificates.iter().find(|c| c.thumbprint == *thumbprint)
    }
}

/// The service tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// General Purpose.
    GeneralPurpose,
    /// Next-generation General Purpose (`isGeneralPurposeV2`).
    NextGenGeneralPurpose,
    /// Business Critical.
    BusinessCritical,
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Tier::GeneralPurpose => "General Purpose",
            Tier::NextGenGeneralPurpose => "Next-gen General Purpose",
            Tier::BusinessCritical => "Business Critical",
        })
    }
}

/// A managed database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AzureDatabase {
    /// Its name.
    pub name: String,
    /// `status`: `Online`, `Restoring`, ...
    pub status: String,
}

/// A link (`distributedAvailabilityGroups`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AzureLink {
    /// Its name.
    pub name: String,
    /// `distributedAvailabilityGroupId`.
    pub group_id: Option<String>,
    /// `partnerAvailabilityGroupName`: the group on SQL Server.
    pub partner_group: Option<String>,
    /// `instanceAvailabilityGroupName`.
    pub instance_group: Option<String>,
    /// `partnerEndpoint`.
    pub partner_endpoint: Option<String>,
    /// `instanceLinkRole`.
    pub instance_role: Option<Role>,
    /// `partnerLinkRole`: the instance's opinion, no more.
    pub partner_role: Option<Role>,
    /// `failoverMode`.
    pub failover_mode: Option<FailoverMode>,
    /// `seedingMode`.
    pub seeding_mode: Option<SeedingMode>,
    /// `replicationMode`.
    pub commit_mode: Option<CommitMode>,
    /// `linkMode`; absent in older answers.
    pub link_mode: Option<LinkMode>,
    /// Its databases.
    pub databases: Vec<AzureLinkDatabase>,
}

impl AzureLink {
    /// One of its databases.
    pub fn database(&self, name: &str) -> Option<&AzureLinkDatabase> {
        self.databases.iter().find(|d| same_name(&d.name, name))
    }
}

/// A database of a link, as the instance reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AzureLinkDatabase {
    /// Its name.
    pub name: String,
    /// `replicaState`, free text: whatever contains `Error` failed.
    pub state: Option<String>,
    /// `seedingProgress`: text such as `80%`.
    pub seeding_progress: Option<String>,
    /// `synchronizationHealth`.
    pub health: Option<Health>,
    /// `connectedState`.
    pub connected: Option<bool>,
    /// `lastHardenedLsn`.
    pub hardened_lsn: Option<Lsn>,
    /// `lastCommitTime`.
    pub commit_time: Option<Moment>,
    /// `mostRecentLinkError`: an error number.
    pub error: Option<u32>,
    /// `instanceSendReplicationLagSeconds`; -1 is taken for unknown.
    pub send_lag_seconds: Option<u64>,
    /// `instanceRedoReplicationLagSeconds`; -1 is taken for unknown.
    pub redo_lag_seconds: Option<u64>,
    /// `partnerAuthCertValidity.expiryDate`.
    pub partner_certificate_expiry: Option<Moment>,
}

/// A partner's certificate (`serverTrustCertificates`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrustCertificate {
    /// Its name in Azure.
    pub name: String,
    /// SHA-1 of its DER form.
    pub thumbprint: Thumbprint,
}

/// The certificate that a managed instance shows to partners (`endpointCertificates/DATABASE_MIRRORING`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointCertificate {
    /// Its DER form.
    pub public: Hex,
    /// SHA-1 of it.
    pub thumbprint: Thumbprint,
    /// Until when it is valid, if that could be read.
    pub expiry: Option<Moment>,
    /// `trustedRootCertificates`: the roots that vouch for it, with their subjects. Empty where Azure does not name them.
    pub roots: Vec<(String, Hex)>,
}

/// An operation of the instance that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunningOperation {
    /// What it does.
    pub operation: String,
    /// `state`.
    pub state: String,
    /// `percentComplete`.
    pub percent: Option<u32>,
}
