//! Codes of Azure Resource Manager around the SQL resource provider.

use super::Phase::Any;
use super::Severity::{Critical, Failure, Transient};
use super::{CodeFact, code};

const ARM: &str = "REST, errors of Azure Resource Manager";
const LIMITS: &str = "REST, limits of Azure Resource Manager";

/// Sorted by code, without case.
pub(super) const FACTS: &[CodeFact] = &[
    code("AuthenticationFailed", Some(401), Any, Failure)
        .says("Azure does not accept the token")
        .because("there is none, or it is for another tenant, another audience or another cloud")
        .mend("sign in again, in the tenant of the subscription and the right cloud")
        .run("az login --tenant <tenant>")
        .per(ARM),
    code("AuthorizationFailed", Some(403), Any, Failure)
        .says("the caller may not do this; the message names the action and the scope")
        .because("the role assignment is missing, is at another scope, or is too new to have arrived (up to some minutes)")
        .mend("assign SQL Managed Instance Contributor on the instance, or a custom role with the action that the message names")
        .run("az role assignment create --assignee <who> --role \"SQL Managed Instance Contributor\" --scope <id of the managed instance>")
        .per("Prepare, permissions; REST, errors of Azure Resource Manager"),
    code("ConflictingSubscriptionOperation", Some(429), Any, Transient)
        .says("another operation of the subscription stands in the way")
        .because("too many are running at once")
        .mend("wait as long as Retry-After says, then ask again")
        .per(LIMITS),
    code("ExpiredAuthenticationToken", Some(401), Any, Transient)
        .says("the token has expired")
        .because("it is valid for about an hour, or the clock of this machine is wrong")
        .mend("get a new one; the operation itself goes on, so read its status before asking again")
        .run("az account get-access-token --query expiresOn")
        .per(ARM),
    code("GatewayInternalServerError", Some(500), Any, Transient)
        .says("Azure's gateway failed")
        .because("something passing on Azure's side")
        .mend("read again; before repeating a write, look whether it was carried out")
        .per(ARM),
    code("InvalidApiVersionParameter", Some(400), Any, Failure)
        .says("the api-version is not valid")
        .because("it is malformed, or no provider has it")
        .mend("use 2025-01-01, or a newer one that the resource's type lists")
        .run("az provider show --namespace Microsoft.Sql --query \"resourceTypes[?resourceType=='managedInstances/distributedAvailabilityGroups'].apiVersions\"")
        .per(ARM),
    code("InvalidAuthenticationToken", Some(401), Any, Failure)
        .says("the token cannot be read or is not signed as it should")
        .because("it is cut short, or comes from another cloud or authority")
        .mend("sign in again; check that authority and endpoint belong to the same cloud")
        .run("az cloud show --query name")
        .per(ARM),
    code("InvalidParameterValue", Some(400), Any, Failure)
        .says("a parameter's value is refused; the message names the parameter, sometimes by its old name")
        .because("for links `SourceEndpoint` means partnerEndpoint: it is not of the form tcp://host:port")
        .mend("correct the value")
        .per("Recorded, refused requests"),
    code("InvalidResourceType", Some(404), Any, Failure)
        .says("Azure does not know this type of resource")
        .because("this api-version, or this cloud, does not have links yet")
        .mend("use another api-version; check that the cloud offers the feature")
        .per(ARM),
    code("MissingApiVersionParameter", Some(400), Any, Failure)
        .says("the request has no api-version")
        .because("the query is missing or was cut off, by a proxy perhaps")
        .mend("send it; use the URLs of operations exactly as they were given")
        .per(ARM),
    code("NoRegisteredProviderFound", Some(400), Any, Failure)
        .says("no provider serves this type with this api-version in this place")
        .because("the api-version is not known for the type, or the subscription has not registered Microsoft.Sql")
        .mend("use a version that the message lists, or register the provider")
        .run("az provider register --namespace Microsoft.Sql")
        .per(ARM),
    code("RequestTimeout", Some(504), Any, Transient)
        .says("Azure did not answer in time")
        .because("the service is busy; the request may have been carried out all the same")
        .mend("observe first; ask again only if nothing has changed, and never repeat a failover blindly")
        .per(ARM),
    code("ResourceGroupNotFound", Some(404), Any, Failure)
        .says("there is no such resource group in this subscription")
        .because("the group's name or the subscription is wrong")
        .mend("check both")
        .run("az group list --query [].name")
        .per(ARM),
    code("ResourceNotFound", Some(404), Any, Failure)
        .says("there is no such resource")
        .because("with the header x-ms-failure-cause: gateway the managed instance is unknown; without it, the link or certificate is")
        .mend("check subscription, group, instance and link; while creating, a link that is not found yet is what is wanted")
        .run("az sql mi link list --resource-group <rg> --instance-name <mi>")
        .per("Recorded, missing resources"),
    code("ScopeLocked", Some(409), Any, Failure)
        .says("a lock forbids the change")
        .because("the instance, its group or its subscription has a CanNotDelete or ReadOnly lock")
        .mend("ask its owner to take the lock off for this change")
        .run("az lock list --resource-group <rg>")
        .per(ARM),
    code("SubscriptionDisabled", Some(409), Any, Critical)
        .says("the subscription is disabled")
        .because("of its payment, its credit or its owner; managed instances stop with it")
        .mend("have it enabled again by its billing owner, soon: the primary's log grows meanwhile")
        .run("az account show --query state")
        .per(ARM),
    code("SubscriptionNotFound", Some(404), Any, Failure)
        .says("there is no such subscription for this caller")
        .because("its id is wrong, or the token is of another tenant")
        .mend("check the id; sign in to the subscription's tenant")
        .run("az account list --query \"[].{name:name, id:id, tenant:tenantId}\"")
        .per(ARM),
    code("SubscriptionTooManyCreateUpdateRequests", Some(429), Any, Transient)
        .says("too many writes in this subscription")
        .because("its budget for writes is used up for the moment")
        .mend("wait as long as Retry-After says; work on fewer links at once")
        .per(LIMITS),
    code("SubscriptionTooManyRequests", Some(429), Any, Transient)
        .says("too many requests in this subscription")
        .because("its budget is used up for the moment")
        .mend("wait as long as Retry-After says; watch less often")
        .per(LIMITS),
    code("TooManyRequests", Some(503), Any, Transient)
        .says("too many requests")
        .because("the service protects itself")
        .mend("wait as long as Retry-After says, then ask again")
        .per(LIMITS),
];
