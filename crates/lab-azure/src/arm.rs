//! How a request is judged, in Resource Manager's order: who asks, in which version, whether he may, whether it is there;
//! and only then what is asked.

use crate::access::Account;
use crate::context::{Context, Estate, Outcome};
use crate::error::ArmError;
use crate::message::{Request, Response};
use crate::operations::Operation;
use crate::permission::Action;
use crate::signin;
use crate::target::{self, Family, Target};
use crate::token::Signer;
use crate::validate::{api_date, is_guid};
use crate::{certificates, databases, instances, links, tenants};

/// The first version of Microsoft.Sql that is spoken, and the first in which links have their present shape.
const FIRST: &str = "2021-11-01";
const FIRST_OF_LINKS: &str = "2023-05-01";

/// A request that was let in.
pub(crate) struct Admitted<'a> {
    pub(crate) account: &'a Account,
    pub(crate) target: Target,
    pub(crate) version: String,
}

/// Judges a request by all that needs no look at the instance.
pub(crate) fn admit<'a>(
    estate: &'a Estate,
    signer: &Signer,
    request: &Request,
    now_ms: i64,
) -> Result<Admitted<'a>, ArmError> {
    let account = signin::authenticate(estate, signer, request, now_ms)?;
    let (place, target) = target::parse(&request.segments);
    let names = &estate.names;
    if target == Target::Nothing {
        return Err(ArmError::no_path(&request.path));
    }
    let version = request.parameter("api-version").filter(|v| !v.is_empty());
    let version = version.ok_or_else(ArmError::no_api_version)?;
    let spoken = tenants::VERSIONS.join(", ");
    let date = api_date(version).ok_or_else(|| ArmError::bad_api_version(version, &spoken))?;
    if let Some(id) = &place.subscription {
        if !is_guid(id) {
            return Err(ArmError::bad_subscription(id));
        }
        if !id.eq_ignore_ascii_case(&names.subscription_id) {
            return Err(ArmError::no_subscription(id));
        }
    }
    let too_old = |first: &str| date < first;
    if let Some(kind) = target.sql_type() {
        let links = kind.ends_with("distributedAvailabilityGroups");
        if too_old(FIRST) || (links && too_old(FIRST_OF_LINKS)) {
            return Err(ArmError::no_registered_provider(&names.location, version, kind, &spoken));
        }
    }
    match target.action(request.method) {
        Action::Anybody => {}
        Action::Impossible => {
            return Err(ArmError::no_method(&format!("{:?}", request.method).to_uppercase(), &request.path));
        }
        Action::Needs(action) => {
            let granted = account.kind.grants(&action) || signed_for(signer, &target, request);
            if !granted {
                return Err(ArmError::forbidden(
                    &account.client_id,
                    &account.object_id,
                    &action,
                    &scope(request),
                ));
            }
        }
    }
    if let Some(group) = &place.group
        && !group.eq_ignore_ascii_case(&names.resource_group)
    {
        return Err(ArmError::no_group(group));
    }
    if let (Some(instance), Some(group)) = (&place.instance, &place.group)
        && !instance.eq_ignore_ascii_case(&names.instance)
    {
        return Err(ArmError::no_instance(instance, group));
    }
    match &target {
        Target::NotInLab(what) => return Err(ArmError::not_in_lab(what)),
        Target::NoType { namespace, kind } => {
            return Err(ArmError::no_type(kind, namespace, version, &spoken));
        }
        _ => {}
    }
    Ok(Admitted { account, target, version: version.to_owned() })
}

/// Answers a request to what is asked without a token: the ways in.
pub(crate) fn open(
    estate: &Estate,
    signer: &Signer,
    request: &Request,
    target: &Target,
    now_ms: i64,
) -> Response {
    match target.action(request.method) {
        Action::Impossible => {
            ArmError::no_method(&format!("{:?}", request.method).to_uppercase(), &request.path).response()
        }
        Action::Anybody | Action::Needs(_) => signin::answer(estate, signer, request, target, now_ms),
    }
}

/// What a permission is missing on: the resource, without what is done to it.
fn scope(request: &Request) -> String {
    let path = request.path.trim_end_matches('/');
    let action = ["/failover", "/setRole", "/cancel"].iter().find_map(|a| {
        let at = path.len().checked_sub(a.len())?;
        path.get(at..).is_some_and(|end| end.eq_ignore_ascii_case(a)).then_some(at)
    });
    action.and_then(|at| path.get(..at)).unwrap_or(path).to_owned()
}

/// The address of an operation is signed: whoever was given it may read it, as in Azure.
fn signed_for(signer: &Signer, target: &Target, request: &Request) -> bool {
    let (Target::Status { .. } | Target::Results { .. }) = target else { return false };
    let part = |name: &str| request.parameter(name).unwrap_or_default();
    signer.verifies(&signed_text(&request.path, part("api-version"), part("t")), part("s"))
}

/// What the signature of an operation's address is of.
pub(crate) fn signed_text(path: &str, version: &str, ticks: &str) -> String {
    format!("{path}?api-version={version}&t={ticks}")
}

/// Answers a request that was let in.
pub(crate) fn answer(context: &Context<'_>, target: &Target) -> Result<Outcome, ArmError> {
    match target {
        Target::Tenants => Ok(tenants::tenants(context)),
        Target::Subscriptions => Ok(tenants::subscriptions(context)),
        Target::Subscription => Ok(tenants::subscription(context)),
        Target::Locations => Ok(tenants::locations(context)),
        Target::Groups => Ok(tenants::groups(context)),
        Target::Group => Ok(tenants::group(context)),
        Target::Resources => Ok(tenants::resources(context)),
        Target::Providers => Ok(tenants::providers(context)),
        Target::Provider(namespace) | Target::RegisterProvider(namespace) => {
            tenants::provider(context, namespace)
        }
        Target::Permissions { .. } => Ok(tenants::permissions(context)),
        Target::RoleAssignments { .. } => Ok(tenants::role_assignments(context)),
        Target::RoleDefinitions { .. } => Ok(tenants::role_definitions(context)),
        Target::RoleDefinition { id, .. } => tenants::role_definition(context, id),
        Target::Instances => Ok(instances::list(context)),
        Target::Instance => instances::one(context),
        Target::InstanceOperations => Ok(instances::operations(context)),
        Target::InstanceOperation(id) => instances::operation_one(context, id),
        Target::CancelOperation(id) => instances::cancel(context, id),
        Target::Links => links::list(context),
        Target::Link(name) => match context.request.method {
            crate::message::Method::Put => links::create(context, name),
            crate::message::Method::Delete => links::delete(context, name),
            _ => links::one(context, name),
        },
        Target::FailOver(name) => links::fail_over(context, name),
        Target::SetRole(name) => links::set_role(context, name),
        Target::TrustCertificates => certificates::trust_list(context),
        Target::TrustCertificate(name) => certificates::trust_one(context, name),
        Target::EndpointCertificates => certificates::endpoint_list(context),
        Target::EndpointCertificate(name) => certificates::endpoint_one(context, name),
        Target::Databases => databases::list(context),
        Target::Database(name) => databases::one(context, name),
        Target::RestoreDetails(name) => databases::restore_details(context, name),
        Target::Status { family, id } => {
            Ok(waiting(context, Response::json(200, found(context, *family, id)?.status_body())).into())
        }
        Target::Results { family, id } => result(context, *family, id),
        Target::Metadata
        | Target::InstanceDiscovery
        | Target::OpenId { .. }
        | Target::Keys { .. }
        | Target::Token { .. }
        | Target::NotInLab(_)
        | Target::NoType { .. }
        | Target::Nothing => Err(ArmError::internal()),
    }
}

fn found<'a>(context: &Context<'a>, family: Family, id: &str) -> Result<&'a Operation, ArmError> {
    let operation = context.operations.get(id).filter(|o| o.family == family);
    operation.ok_or_else(|| {
        let message = format!("The operation with Id: '{id}' does not exist.");
        ArmError::new(404, "OperationIdNotFound", message)
    })
}

fn waiting(context: &Context<'_>, response: Response) -> Response {
    response.with("Retry-After", context.estate.timing.retry_after_s.to_string())
}

/// What the Location of an operation shows: not done yet, or what has become of the resource.
fn result(context: &Context<'_>, family: Family, id: &str) -> Result<Outcome, ArmError> {
    use crate::operations::Status;
    let operation = found(context, family, id)?;
    match &operation.status {
        Status::InProgress => return Ok(waiting(context, Response::empty(202)).into()),
        Status::Failed { code, message } => {
            return Err(ArmError::new(400, code.clone(), message.clone()));
        }
        Status::Canceled => {
            let message = "The operation has been cancelled by user.";
            return Err(ArmError::new(409, "OperationCancelled", message));
        }
        Status::Succeeded => {}
    }
    let subject = &operation.subject;
    match family {
        Family::Links => tenants::link_result(context, subject),
        Family::TrustCertificates => {
            let there = certificates::resource_named(context, subject)?;
            Ok(there.map_or_else(|| Response::empty(204), |body| Response::json(200, body)).into())
        }
        Family::Instances => Ok(Response::json(200, instances::resource(context)).into()),
        Family::Databases => Ok(Response::empty(204).into()),
    }
}
