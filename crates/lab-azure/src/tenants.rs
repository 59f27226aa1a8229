//! What Resource Manager itself has: directories, subscriptions, resource groups, regions, providers, and who may do what.

use serde_json::{Value, json};

use crate::access::{self, Account};
use crate::context::{Context, Outcome};
use crate::databases;
use crate::error::ArmError;
use crate::instances;
use crate::links;
use crate::message::Response;
use crate::validate::is_guid;

fn listed(value: Vec<Value>) -> Outcome {
    Response::json(200, json!({ "value": value })).into()
}

fn shown(value: Value) -> Outcome {
    Response::json(200, value).into()
}

pub(crate) fn tenants(context: &Context<'_>) -> Outcome {
    let tenant = &context.names().tenant_id;
    listed(vec![json!({
        "id": format!("/tenants/{tenant}"),
        "tenantId": tenant,
        "displayName": "milink lab",
        "defaultDomain": "lab.localhost",
        "domains": ["lab.localhost"],
        "tenantCategory": "Home",
        "tenantType": "AAD",
        "countryCode": "US",
    })])
}

fn subscription_resource(context: &Context<'_>) -> Value {
    let names = context.names();
    json!({
        "id": format!("/subscriptions/{}", names.subscription_id),
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": names.subscription_id,
        "tenantId": names.tenant_id,
        "displayName": names.subscription_name,
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
    })
}

pub(crate) fn subscriptions(context: &Context<'_>) -> Outcome {
    listed(vec![subscription_resource(context)])
}

pub(crate) fn subscription(context: &Context<'_>) -> Outcome {
    shown(subscription_resource(context))
}

pub(crate) fn locations(context: &Context<'_>) -> Outcome {
    let names = context.names();
    listed(vec![json!({
        "id": format!("/subscriptions/{}/locations/{}", names.subscription_id, names.location),
        "name": names.location,
        "type": "Region",
        "displayName": names.location,
        "regionalDisplayName": names.location,
        "metadata": {"regionType": "Physical", "regionCategory": "Recommended"},
    })])
}

fn group_resource(context: &Context<'_>) -> Value {
    let names = context.names();
    json!({
        "id": format!("/subscriptions/{}/resourceGroups/{}", names.subscription_id, names.resource_group),
        "name": names.resource_group,
        "type": "Microsoft.Resources/resourceGroups",
        "location": names.location,
        "tags": {},
        "properties": {"provisioningState": "Succeeded"},
    })
}

pub(crate) fn groups(context: &Context<'_>) -> Outcome {
    listed(vec![group_resource(context)])
}

pub(crate) fn group(context: &Context<'_>) -> Outcome {
    shown(group_resource(context))
}

/// What is in the group: the instance and its databases. Links and certificates are no resources of their own to it.
pub(crate) fn resources(context: &Context<'_>) -> Outcome {
    let short = |mut resource: Value| {
        let mut out = json!({});
        for key in ["id", "name", "type", "location", "tags", "sku", "identity"] {
            if let Some(value) = resource.get_mut(key) {
                out[key] = value.take();
            }
        }
        out
    };
    let mut all = vec![short(instances::resource(context))];
    // An instance that does not answer has no databases to show; it is there itself.
    all.extend(databases::resources(context).unwrap_or_default().into_iter().map(short));
    listed(all)
}

/// The types that the lab has, with the versions that it speaks.
const TYPES: [&str; 6] = [
    "managedInstances",
    "managedInstances/databases",
    "managedInstances/distributedAvailabilityGroups",
    "managedInstances/endpointCertificates",
    "managedInstances/serverTrustCertificates",
    "managedInstances/operations",
];

/// The versions that are named to clients; every other since the first is spoken, too.
pub(crate) const VERSIONS: [&str; 8] = [
    "2021-11-01-preview",
    "2022-02-01-preview",
    "2023-05-01-preview",
    "2023-08-01",
    "2024-11-01-preview",
    "2025-01-01",
    "2025-08-01-preview",
    "2026-08-01-preview",
];

fn provider_resource(context: &Context<'_>) -> Value {
    let names = context.names();
    let kind = |kind: &&str| json!({"resourceType": kind, "locations": [names.location], "apiVersions": VERSIONS, "capabilities": "None"});
    json!({
        "id": format!("/subscriptions/{}/providers/Microsoft.Sql", names.subscription_id),
        "namespace": "Microsoft.Sql",
        "registrationPolicy": "RegistrationRequired",
        "registrationState": "Registered",
        "resourceTypes": TYPES.iter().map(kind).collect::<Vec<_>>(),
    })
}

pub(crate) fn providers(context: &Context<'_>) -> Outcome {
    listed(vec![provider_resource(context)])
}

/// The one provider; registering what is registered changes nothing.
pub(crate) fn provider(context: &Context<'_>, namespace: &str) -> Result<Outcome, ArmError> {
    if namespace.eq_ignore_ascii_case("Microsoft.Sql") {
        return Ok(shown(provider_resource(context)));
    }
    let message = format!("The resource namespace '{namespace}' is invalid.");
    Err(ArmError::new(404, "InvalidResourceNamespace", message))
}

pub(crate) fn permissions(context: &Context<'_>) -> Outcome {
    shown(access::permissions(&context.account.kind))
}

fn subscription_scope(context: &Context<'_>) -> String {
    format!("/subscriptions/{}", context.names().subscription_id)
}

fn definition_id(context: &Context<'_>, id: &str) -> String {
    format!("{}/providers/Microsoft.Authorization/roleDefinitions/{id}", subscription_scope(context))
}

fn assignments_of(context: &Context<'_>, account: &Account) -> Vec<Value> {
    let scope = subscription_scope(context);
    let assignment = |(n, (definition, _)): (usize, (String, String))| {
        // An id of its own for each: that of the object, with the number of the assignment at its end.
        let head = account.object_id.get(..34).unwrap_or_default();
        let name = format!("{head}{n:02x}");
        json!({
            "properties": {
                "roleDefinitionId": definition_id(context, &definition),
                "principalId": account.object_id,
                "principalType": "ServicePrincipal",
                "scope": scope,
            },
            "id": format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"),
            "name": name,
            "type": "Microsoft.Authorization/roleAssignments",
        })
    };
    account.kind.definitions().into_iter().enumerate().map(assignment).collect()
}

/// All assignments; of one principal, if the filter asks for it.
pub(crate) fn role_assignments(context: &Context<'_>) -> Outcome {
    let filter = context.request.parameter("$filter").unwrap_or_default();
    let wanted = filter.split('\'').find(|part| is_guid(part));
    let accounts = context.estate.accounts.iter();
    let of = accounts.filter(|a| wanted.is_none_or(|id| a.object_id.eq_ignore_ascii_case(id)));
    listed(of.flat_map(|a| assignments_of(context, a)).collect())
}

fn definitions(context: &Context<'_>) -> Vec<Value> {
    let mut out: Vec<Value> = Vec::new();
    for account in &context.estate.accounts {
        let permissions = access::permissions(&account.kind);
        let of = account.kind.definitions();
        for (n, (id, title)) in of.into_iter().enumerate() {
            if out.iter().any(|d| d["name"] == json!(id)) {
                continue;
            }
            let own = permissions["value"].get(n).cloned();
            out.push(json!({
                "properties": {
                    "roleName": title,
                    "type": if id.starts_with("1ab00000") { "CustomRole" } else { "BuiltInRole" },
                    "assignableScopes": ["/"],
                    "permissions": own.into_iter().collect::<Vec<_>>(),
                },
                "id": definition_id(context, &id),
                "name": id,
                "type": "Microsoft.Authorization/roleDefinitions",
            }));
        }
    }
    out
}

pub(crate) fn role_definitions(context: &Context<'_>) -> Outcome {
    let filter = context.request.parameter("$filter").unwrap_or_default();
    let wanted = filter.contains("roleName eq").then(|| filter.split('\'').nth(1)).flatten();
    let all = definitions(context).into_iter();
    listed(all.filter(|d| wanted.is_none_or(|name| d["properties"]["roleName"] == json!(name))).collect())
}

pub(crate) fn role_definition(context: &Context<'_>, id: &str) -> Result<Outcome, ArmError> {
    let found = definitions(context).into_iter().find(|d| d["name"] == json!(id.to_lowercase()));
    found.map(shown).ok_or_else(|| {
        let message = format!("The specified role definition with ID '{id}' does not exist.");
        ArmError::new(404, "RoleDefinitionDoesNotExist", message)
    })
}

/// The result of an operation on a link, as its Location shows it: the link, or a stub of what is gone.
pub(crate) fn link_result(context: &Context<'_>, name: &str) -> Result<Outcome, ArmError> {
    let stub = || {
        let instance = context.names().instance_id();
        let parent = instance.strip_suffix(&context.names().instance).unwrap_or(&instance);
        json!({"id": parent, "type": "Microsoft.Sql/managedInstances/distributedAvailabilityGroups"})
    };
    Ok(shown(links::resource_named(context, name)?.unwrap_or_else(stub)))
}
