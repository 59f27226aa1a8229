//! The managed instance, read from Azure Resource Manager.

use std::collections::BTreeMap;

use milink_arm::{
    ArmClient, ArmError, EndpointCertificate as Shown, InstanceFailoverGroup, InstanceId, Link, LinkDatabase,
    ManagedInstance, ManagementOperation, PermissionEntry, Scope, TrustCertificate as Trusted,
};
use milink_core::facts::policy::UpdatePolicy;
use milink_core::facts::rbac::{Permission, RIGHTS, granted};
use milink_core::moment::Moment;
use milink_core::names::{CommitMode, FailoverMode, Hex, LinkMode, Role, SeedingMode, Thumbprint};
use milink_core::observe::{
    AzureDatabase, AzureInstance, AzureLink, AzureLinkDatabase, EndpointCertificate, Health,
    RunningOperation, Tier, TrustCertificate,
};
use sha1::{Digest as _, Sha1};

/// Everything that checks and plans ask of Azure. What the caller may not read is empty or `None`; a call that fails otherwise fails all,
/// so that nothing is taken for absent that was not seen.
///
/// # Errors
/// Azure does not answer, or has no such instance.
pub async fn azure(client: &ArmClient, id: &InstanceId) -> Result<AzureInstance, ArmError> {
    let scope = Scope::Instance(id.clone());
    let (instance, databases, links, (endpoint, trusted), (permissions, operations)) = tokio::try_join!(
        client.managed_instance(id),
        client.databases(id),
        client.links(id),
        async {
            tokio::try_join!(
                readable(client.endpoint_certificate(id)),
                readable(client.trust_certificates(id))
            )
        },
        async { tokio::try_join!(readable(client.permissions(&scope)), readable(client.operations(id))) },
    )?;
    let groups = match client.failover_groups(&id.group(), &instance.location).await {
        // A cloud that does not know such groups has none.
        Err(ArmError::NotFound { .. }) => Some(Vec::new()),
        other => readable(std::future::ready(other)).await?,
    };
    let tier = tier(&instance);
    let ManagedInstance { name, location, sku, properties: p, .. } = instance;
    Ok(AzureInstance {
        id: id.to_string(),
        name,
        fqdn: p.fully_qualified_domain_name.unwrap_or_default(),
        location,
        state: p.state.or(p.provisioning_state).unwrap_or_default(),
        update_policy: p.database_format.and_then(|f| UpdatePolicy::from_rest(f.as_str())),
        tier,
        v_cores: p.v_cores.or(sku.and_then(|s| s.capacity)).and_then(|n| u32::try_from(n).ok()),
        storage_gb: p.storage_size_in_gb.and_then(|n| u32::try_from(n).ok()),
        collation: p.collation,
        license: p.license_type,
        hybrid_usage: p.hybrid_secondary_usage.map(|u| u.to_string()),
        hybrid_usage_detected: p.hybrid_secondary_usage_detected.map(|u| u.to_string()),
        in_failover_group: groups.map(|g| in_group(&g, id)),
        databases: databases
            .into_iter()
            .map(|d| AzureDatabase {
                name: d.name,
                status: d.properties.status.map(|s| s.to_string()).unwrap_or_default(),
            })
            .collect(),
        links: links.into_iter().map(link).collect(),
        trust_certificates: trusted.unwrap_or_default().into_iter().filter_map(trust).collect(),
        endpoint_certificate: endpoint.and_then(|c| endpoint_certificate(&c)),
        actions: actions(permissions.as_deref()),
        operations: operations
            .unwrap_or_default()
            .into_iter()
            .filter(ManagementOperation::is_running)
            .map(running)
            .collect(),
    })
}

/// What changes by itself: the links. The rest is as it was before.
///
/// # Errors
/// Azure does not answer.
pub async fn azure_live(
    client: &ArmClient,
    id: &InstanceId,
    before: &AzureInstance,
) -> Result<AzureInstance, ArmError> {
    let links = client.links(id).await?;
    Ok(AzureInstance { links: links.into_iter().map(link).collect(), ..before.clone() })
}

/// `None` for what the caller may not read, or what this cloud does not have.
async fn readable<T>(asked: impl Future<Output = Result<T, ArmError>>) -> Result<Option<T>, ArmError> {
    match asked.await {
        Ok(value) => Ok(Some(value)),
        Err(ArmError::Forbidden { .. } | ArmError::NotFound { .. } | ArmError::Refused { .. }) => Ok(None),
        Err(e) => Err(e),
    }
}

fn tier(instance: &ManagedInstance) -> Tier {
    let named = instance.sku.as_ref().and_then(|s| s.tier.as_deref()).unwrap_or_default();
    if named.eq_ignore_ascii_case("BusinessCritical") {
        Tier::BusinessCritical
    } else if instance.properties.is_general_purpose_v2 == Some(true) {
        Tier::NextGenGeneralPurpose
    } else {
        Tier::GeneralPurpose
    }
}

fn in_group(groups: &[InstanceFailoverGroup], id: &InstanceId) -> bool {
    let id = id.to_string();
    let is = |other: &Option<String>| other.as_ref().is_some_and(|o| o.eq_ignore_ascii_case(&id));
    groups
        .iter()
        .flat_map(|g| &g.properties.managed_instance_pairs)
        .any(|p| is(&p.primary_managed_instance_id) || is(&p.partner_managed_instance_id))
}

fn actions(entries: Option<&[PermissionEntry]>) -> BTreeMap<String, bool> {
    let Some(entries) = entries else { return BTreeMap::new() };
    let entries: Vec<Permission> = entries.iter().map(PermissionEntry::patterns).collect();
    RIGHTS.iter().map(|right| (right.action.to_owned(), granted(&entries, right.action))).collect()
}

fn running(operation: ManagementOperation) -> RunningOperation {
    let p = operation.properties;
    RunningOperation {
        operation: p.operation_friendly_name.or(p.operation).unwrap_or(operation.name),
        state: p.state.map(|s| s.to_string()).unwrap_or_default(),
        percent: p.percent_complete.map(|n| n.clamp(0.0, 100.0) as u32),
    }
}

fn trust(certificate: Trusted) -> Option<TrustCertificate> {
    let bytes = match &certificate.properties.thumbprint {
        Some(text) => text.parse::<Hex>().ok(),
        None => certificate.der().map(|der| Hex::new(Sha1::digest(der.bytes()).to_vec())),
    };
    Some(TrustCertificate { name: certificate.name, thumbprint: Thumbprint::new(bytes?) })
}

fn endpoint_certificate(shown: &Shown) -> Option<EndpointCertificate> {
    let der = shown.der()?;
    let expiry = x509_parser::parse_x509_certificate(der.bytes())
        .ok()
        .map(|(_, c)| Moment::from_unix_ms(c.validity().not_after.timestamp().saturating_mul(1000)));
    let root = |value: &serde_json::Value| {
        let subject = value["subject"].as_str().unwrap_or_default().to_owned();
        Some((subject, value["publicBlob"].as_str()?.parse().ok()?))
    };
    Some(EndpointCertificate {
        thumbprint: Thumbprint::new(Hex::new(Sha1::digest(der.bytes()).to_vec())),
        expiry,
        roots: shown.properties.trusted_root_certificates.iter().filter_map(root).collect(),
        public: der,
    })
}

fn role(text: &str) -> Option<Role> {
    match text {
        "Primary" => Some(Role::Primary),
        "Secondary" => Some(Role::Secondary),
        _ => None,
    }
}

/// A moment that Azure writes; one that cannot be read is not known.
fn moment(text: Option<String>) -> Option<Moment> {
    text.and_then(|t| t.parse().ok())
}

fn link(link: Link) -> AzureLink {
    let p = link.properties;
    AzureLink {
        name: link.name,
        group_id: p.distributed_availability_group_id,
        partner_group: p.partner_availability_group_name,
        instance_group: p.instance_availability_group_name,
        partner_endpoint: p.partner_endpoint,
        instance_role: p.instance_link_role.and_then(|r| role(r.as_str())),
        partner_role: p.partner_link_role.and_then(|r| role(r.as_str())),
        failover_mode: p.failover_mode.and_then(|m| match m.as_str() {
            "None" => Some(FailoverMode::OneWay),
            "Manual" => Some(FailoverMode::TwoWay),
            _ => None,
        }),
        seeding_mode: p.seeding_mode.and_then(|m| match m.as_str() {
            "Automatic" => Some(SeedingMode::Automatic),
            "Manual" => Some(SeedingMode::Manual),
            _ => None,
        }),
        commit_mode: p.replication_mode.and_then(|m| match m.as_str() {
            "Async" => Some(CommitMode::Asynchronous),
            "Sync" => Some(CommitMode::Synchronous),
            _ => None,
        }),
        link_mode: p.link_mode.and_then(|m| match m.as_str() {
            "SingleDatabase" => Some(LinkMode::SingleDatabase),
            "MultiDatabase" => Some(LinkMode::MultiDatabase),
            _ => None,
        }),
        databases: p.databases.into_iter().map(link_database).collect(),
    }
}

fn link_database(d: LinkDatabase) -> AzureLinkDatabase {
    // -1 is unknown, or not this direction.
    let lag = |seconds: Option<i64>| seconds.and_then(|s| u64::try_from(s).ok());
    AzureLinkDatabase {
        name: d.database_name,
        state: d.replica_state,
        seeding_progress: d.seeding_progress,
        health: d.synchronization_health.and_then(|h| match h.as_str() {
            "NOT_HEALTHY" => Some(Health::NotHealthy),
            "PARTIALLY_HEALTHY" => Some(Health::PartiallyHealthy),
            "HEALTHY" => Some(Health::Healthy),
            _ => None,
        }),
        connected: d.connected_state.and_then(|c| match c.as_str() {
            "CONNECTED" => Some(true),
            "DISCONNECTED" => Some(false),
            _ => None,
        }),
        // 0 and 1 are written where none is known.
        hardened_lsn: d
            .last_hardened_lsn
            .and_then(|t| t.parse().ok())
            .filter(|l: &milink_core::lsn::Lsn| l.number() > 1),
        commit_time: moment(d.last_commit_time),
        error: d.most_recent_link_error.and_then(|t| t.parse().ok()).filter(|n| *n != 0),
        send_lag_seconds: lag(d.instance_send_replication_lag_seconds),
        redo_lag_seconds: lag(d.instance_redo_replication_lag_seconds),
        partner_certificate_expiry: moment(d.partner_auth_cert_validity.and_then(|v| v.expiry_date)),
    }
}
