//! `managedInstances`: the one instance of the lab, and its operations.

use serde_json::{Value, json};

use crate::clock::iso;
use crate::context::{Context, Outcome, Start};
use crate::error::ArmError;
use crate::instance::Role;
use crate::message::{Method, Response};
use crate::operations::{Operation, Work};
use crate::settings::InstanceSettings;
use crate::target::Family;
use crate::validate::{self, Object};

/// Since when there are some of the properties.
const NEWER_SINCE: &str = "2023-08-01";

/// The instance as a resource. Azure knows of it even when it does not answer: then it is stopped, as far as Azure can tell.
pub(crate) fn resource(context: &Context<'_>) -> Value {
    let (names, managed, settings) = (context.names(), &context.estate.managed, context.settings);
    let facts = context.report.facts().ok();
    // A passive replica serves nobody: it only follows.
    let passive = context
        .report
        .links()
        .is_ok_and(|l| !l.is_empty() && l.iter().all(|l| l.settings.role == Role::Secondary));
    let network = format!(
        "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Network/virtualNetworks/lab/subnets/ManagedInstance",
        names.subscription_id, names.resource_group
    );
    let zone = managed.fqdn.split_once('.').map_or("", |(_, zone)| zone);
    let mut properties = json!({
        "provisioningState": "Succeeded",
        "fullyQualifiedDomainName": managed.fqdn,
        "administratorLogin": "sa",
        "subnetId": network,
        "state": if facts.is_some() { "Ready" } else { "Stopped" },
        "licenseType": settings.license_type,
        "hybridSecondaryUsage": settings.hybrid_secondary_usage,
        "vCores": settings.v_cores,
        "storageSizeInGB": settings.storage_size_gb,
        "dnsZone": zone.strip_suffix(".database.windows.net").unwrap_or(zone),
        "publicDataEndpointEnabled": settings.public_data_endpoint,
        "proxyOverride": settings.proxy_override,
        "timezoneId": "UTC",
        "maintenanceConfigurationId": format!(
            "/subscriptions/{}/providers/Microsoft.Maintenance/publicMaintenanceConfigurations/SQL_Default",
            names.subscription_id
        ),
        "privateEndpointConnections": [],
        "minimalTlsVersion": settings.minimal_tls_version,
        "currentBackupStorageRedundancy": "Local",
        "requestedBackupStorageRedundancy": "Local",
        "zoneRedundant": false,
        "virtualClusterId": format!(
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Sql/virtualClusters/VirtualCluster",
            names.subscription_id, names.resource_group
        ),
        "externalGovernanceStatus": "Disabled",
        "pricingModel": "Regular",
        "createTime": iso(settings.created_ms),
    });
    if context.version >= NEWER_SINCE {
        properties["hybridSecondaryUsageDetected"] = json!(if passive { "Passive" } else { "Active" });
        properties["isGeneralPurposeV2"] = json!(true);
    }
    if let Some(facts) = facts {
        properties["collation"] = json!(facts.collation);
        properties["databaseFormat"] = json!(facts.database_format);
    }
    json!({
        "identity": {"type": "SystemAssigned", "tenantId": names.tenant_id},
        "sku": {"name": "GP_Gen5", "tier": "GeneralPurpose", "family": "Gen5", "capacity": settings.v_cores},
        "properties": properties,
        "location": names.location,
        "tags": settings.tags,
        "id": names.instance_id(),
        "name": names.instance,
        "type": "Microsoft.Sql/managedInstances",
    })
}

/// The list: there is one.
pub(crate) fn list(context: &Context<'_>) -> Outcome {
    Response::json(200, json!({"value": [resource(context)]})).into()
}

/// The instance.
pub(crate) fn one(context: &Context<'_>) -> Result<Outcome, ArmError> {
    match context.request.method {
        Method::Get => Ok(Response::json(200, resource(context)).into()),
        Method::Patch => patch(context),
        Method::Put | Method::Post => {
            Err(ArmError::not_in_lab("Microsoft.Sql/managedInstances/write by PUT"))
        }
        Method::Delete => Err(ArmError::not_in_lab("Microsoft.Sql/managedInstances/delete")),
    }
}

/// What PATCH may change; the rest is refused by its name rather than left undone.
fn patch(context: &Context<'_>) -> Result<Outcome, ArmError> {
    let facts = context.report.facts()?;
    let settings = read_patch(context.settings, &facts.database_format, &context.request.body)?;
    if context.operations.running_on(Family::Instances, &context.names().instance).is_some() {
        return Err(ArmError::conflicting());
    }
    let mut start =
        Start::new(Family::Instances, "UpsertManagedServer", &context.names().instance, Work::Nothing);
    start.settings = Some(settings);
    Ok(start.into())
}

fn same_word(name: &'static str) -> (&'static str, &'static str) {
    (name, name)
}

/// Reads the body of PATCH onto the settings as they are.
pub(crate) fn read_patch(
    settings: &InstanceSettings,
    database_format: &str,
    body: &[u8],
) -> Result<InstanceSettings, ArmError> {
    let body = validate::parse(body)?;
    let body = Object::new(&body, "")?;
    let mut new = settings.clone();
    if let Some(tags) = body.object("tags")? {
        new.tags = tags.texts()?.into_iter().collect();
    }
    if let Some(other) =
        body.names().find(|n| !["tags", "properties"].iter().any(|k| k.eq_ignore_ascii_case(n)))
    {
        return Err(ArmError::not_in_lab(&format!("a change of a managed instance's {other}")));
    }
    let Some(properties) = body.object("properties")? else { return Ok(new) };
    for name in properties.names() {
        match name.to_ascii_lowercase().as_str() {
            "licensetype" => {
                let words = ["LicenseIncluded", "BasePrice"].map(same_word);
                new.license_type = properties.word(name, &words)?.unwrap_or("BasePrice").to_owned();
            }
            "hybridsecondaryusage" => {
                let words = ["Active", "Passive"].map(same_word);
                new.hybrid_secondary_usage = properties.word(name, &words)?.unwrap_or("Active").to_owned();
            }
            "proxyoverride" => {
                let words = ["Proxy", "Redirect", "Default"].map(same_word);
                new.proxy_override = properties.word(name, &words)?.unwrap_or("Proxy").to_owned();
            }
            "minimaltlsversion" => {
                let words = ["None", "1.0", "1.1", "1.2"].map(same_word);
                new.minimal_tls_version = properties.word(name, &words)?.unwrap_or("1.2").to_owned();
            }
            "publicdataendpointenabled" => {
                new.public_data_endpoint = properties.truth(name)?.unwrap_or(new.public_data_endpoint);
            }
            "vcores" => {
                let cores = properties.number(name)?.unwrap_or(new.v_cores);
                if ![4, 8, 16, 24, 32, 40, 64, 80].contains(&cores) {
                    return Err(ArmError::bad_value("VCores"));
                }
                new.v_cores = cores;
            }
            "storagesizeingb" => {
                let size = properties.number(name)?.unwrap_or(new.storage_size_gb);
                if !(32..=32_768).contains(&size) || size % 32 != 0 {
                    return Err(ArmError::new(
                        405,
                        "InvalidStorageSizeValue",
                        "Invalid storage size value: it must be between 32 and 32768 GB, in steps of 32 GB.",
                    ));
                }
                new.storage_size_gb = size;
            }
            // The format of its files is the instance's own, and was chosen when it was made.
            "databaseformat" => {
                let words = ["SQLServer2022", "SQLServer2025", "AlwaysUpToDate"].map(same_word);
                if properties.word(name, &words)?.is_some_and(|format| format != database_format) {
                    return Err(ArmError::not_in_lab("a change of a managed instance's databaseFormat"));
                }
            }
            other => {
                return Err(ArmError::not_in_lab(&format!("a change of a managed instance's {other}")));
            }
        }
    }
    Ok(new)
}

/// What it has been doing.
pub(crate) fn operations(context: &Context<'_>) -> Outcome {
    let value: Vec<Value> =
        context.operations.all().iter().rev().map(|o| o.resource(context.names())).collect();
    Response::json(200, json!({ "value": value })).into()
}

fn operation<'a>(context: &Context<'a>, id: &str) -> Result<&'a Operation, ArmError> {
    let found = context.operations.get(id);
    found.ok_or_else(|| ArmError::no_resource("managedInstances/operations", id))
}

/// One operation.
pub(crate) fn operation_one(context: &Context<'_>, id: &str) -> Result<Outcome, ArmError> {
    Ok(Response::json(200, operation(context, id)?.resource(context.names())).into())
}

/// Cancels one. Only the creation of a link can be: what it has made is taken away again.
pub(crate) fn cancel(context: &Context<'_>, id: &str) -> Result<Outcome, ArmError> {
    let found = operation(context, id)?;
    let Work::CreateLink(request) = &found.work else {
        return Err(ArmError::new(
            400,
            "OperationNotCancellable",
            format!("The operation with Id: '{id}' cannot be cancelled."),
        ));
    };
    if !found.is_running() {
        return Err(ArmError::new(
            409,
            "OperationNotCancellable",
            format!("The operation with Id: '{id}' has ended already."),
        ));
    }
    let work = Work::DropLink { link: request.name.clone() };
    let mut start = Start::new(Family::Links, "DistributedAvailabilityGroupsDropLink", &request.name, work);
    start.cancels = Some(found.id.clone());
    Ok(start.into())
}
