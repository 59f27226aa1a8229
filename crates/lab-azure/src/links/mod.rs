//! `managedInstances/distributedAvailabilityGroups`: what may be asked of links.

mod body;
mod resource;
mod roles;

use serde_json::{Value, json};

use crate::context::{Context, Outcome, Start};
use crate::error::ArmError;
use crate::instance::{Link, LinkMode, LinkRequest, Role};
use crate::message::{Method, Response};
use crate::operations::{Work, same, same_databases};
use crate::target::Family;
use crate::validate::{self, Object};
use body::{COMMIT_MODES, read_create, read_databases, request_error};
use resource::resource;

#[cfg(test)]
pub(crate) use resource::replica_state;
pub(crate) use roles::{fail_over, set_role};

const KIND: &str = "managedInstances/distributedAvailabilityGroups";

/// The list.
pub(crate) fn list(context: &Context<'_>) -> Result<Outcome, ArmError> {
    let links = context.report.links()?;
    let value: Vec<Value> = links.iter().map(|link| shown(context, link)).collect::<Result<_, _>>()?;
    Ok(Response::json(200, json!({ "value": value })).into())
}

/// One link.
pub(crate) fn one(context: &Context<'_>, name: &str) -> Result<Outcome, ArmError> {
    let found = find(context, name)?.ok_or_else(|| ArmError::no_resource(KIND, name))?;
    match context.request.method {
        Method::Get => Ok(Response::json(200, shown(context, found)?).into()),
        Method::Patch => update(context, found),
        Method::Put | Method::Post | Method::Delete => Err(ArmError::internal()),
    }
}

/// The link of that name as a resource, for results of operations.
pub(crate) fn resource_named(context: &Context<'_>, name: &str) -> Result<Option<Value>, ArmError> {
    find(context, name)?.map(|link| shown(context, link)).transpose()
}

fn find<'a>(context: &Context<'a>, name: &str) -> Result<Option<&'a Link>, ArmError> {
    Ok(context.report.links()?.iter().find(|l| same(&l.settings.name, name)))
}

fn shown(context: &Context<'_>, link: &Link) -> Result<Value, ArmError> {
    Ok(resource(context.names(), context.version, link, context.report.certificates()?))
}

/// An operation on a link, unless one runs already.
fn start(context: &Context<'_>, name: &'static str, link: &str, work: Work) -> Result<Outcome, ArmError> {
    if context.operations.running_on(Family::Links, link).is_some() {
        return Err(ArmError::conflicting());
    }
    Ok(Start::new(Family::Links, name, link, work).into())
}

/// PUT.
pub(crate) fn create(context: &Context<'_>, name: &str) -> Result<Outcome, ArmError> {
    let wanted = read_create(name, &context.request.body, context.version)?;
    let links = context.report.links()?;
    if let Some(link) = links.iter().find(|l| same(&l.settings.name, name)) {
        return create_again(context, link, &wanted);
    }
    let taken = |l: &&Link| {
        same(&l.settings.instance_group, &wanted.instance_group)
            && same(&l.settings.partner_group, &wanted.partner_group)
    };
    if let Some(other) = links.iter().find(taken) {
        let message = format!(
            "Managed Instance link for the provided availability groups '{}' and '{}' already exists: '{}'.",
            wanted.partner_group, wanted.instance_group, other.settings.name
        );
        return Err(ArmError::new(
            409,
            "ManagedInstanceLinkForProvidedAvailabilityGroupsAlreadyExists",
            message,
        ));
    }
    let operation = match (wanted.link_mode, wanted.role) {
        (LinkMode::MultiDatabase, _) => "CreateManagedFailoverGroup",
        (LinkMode::SingleDatabase, Role::Primary) => "DistributedAvailabilityGroupsLinkCreateFromMI",
        (LinkMode::SingleDatabase, Role::Secondary | Role::Resolving) => {
            "DistributedAvailabilityGroupsLinkCreate"
        }
    };
    start(context, operation, name, Work::CreateLink(wanted))
}

/// The same again is accepted, and done at once. A mode may differ, that is a change; the rest may not.
fn create_again(context: &Context<'_>, link: &Link, wanted: &LinkRequest) -> Result<Outcome, ArmError> {
    let is = &link.settings;
    let different = [
        (!same(&is.partner_group, &wanted.partner_group), "PartnerAvailabilityGroupName"),
        (!same(&is.instance_group, &wanted.instance_group), "InstanceAvailabilityGroupName"),
        (!is.partner_endpoint.eq_ignore_ascii_case(&wanted.partner_endpoint), "SourceEndpoint"),
        (is.link_mode != wanted.link_mode, "LinkMode"),
        (!same_databases(&is.databases, &wanted.databases), "Databases"),
    ];
    if let Some((_, parameter)) = different.iter().find(|(differs, _)| *differs) {
        return Err(ArmError::bad_value(parameter));
    }
    let work = if is.commit_mode == wanted.commit_mode {
        Work::Nothing
    } else {
        Work::SetCommitMode { link: is.name.clone(), mode: wanted.commit_mode }
    };
    start(context, "DistributedAvailabilityGroupsLinkCreate", &is.name, work)
}

/// PATCH: the mode, or the whole list of databases.
fn update(context: &Context<'_>, link: &Link) -> Result<Outcome, ArmError> {
    let multi = link.settings.link_mode == LinkMode::MultiDatabase;
    let body = validate::parse(&context.request.body)?;
    let body = Object::new(&body, "")?;
    let properties = body.object("properties")?;
    let (mode, databases) = match &properties {
        None => (None, None),
        Some(p) => (p.word("replicationMode", &COMMIT_MODES)?, read_databases(p)?),
    };
    let name = &link.settings.name;
    if let Some(mode) = mode {
        let work = Work::SetCommitMode { link: name.clone(), mode };
        return start(context, "DistributedAvailabilityGroupsModifyLink", name, work);
    }
    let empty = databases.as_ref().is_none_or(Vec::is_empty);
    if multi && empty {
        return Err(ArmError::new(
            400,
            "InvalidMultiDbDistributedAvailabilityGroupDatabasesRequest",
            "Multi-database Distributed Availability Group Add or Remove databases request body has empty or Invalid \
             Databases.",
        ));
    }
    let databases = databases.unwrap_or_default();
    if multi {
        let work = Work::SetDatabases { link: name.clone(), databases };
        return start(context, "UpdateManagedFailoverGroup", name, work);
    }
    if !empty && !same_databases(&databases, &link.settings.databases) {
        return Err(request_error("Databases", "Databases"));
    }
    start(context, "DistributedAvailabilityGroupsModifyLink", name, Work::Nothing)
}

/// DELETE. Of a link that is not there it is accepted, and fails.
pub(crate) fn delete(context: &Context<'_>, name: &str) -> Result<Outcome, ArmError> {
    let running = context.operations.running_on(Family::Links, name);
    // A link that is being created can be deleted: that ends the creation.
    let creating = running.filter(|o| matches!(o.work, Work::CreateLink(_)));
    if running.is_some() && creating.is_none() {
        return Err(ArmError::conflicting());
    }
    let found = find(context, name)?;
    let work = if found.is_some() || creating.is_some() {
        Work::DropLink { link: name.to_owned() }
    } else {
        Work::Refuse {
            code: "OperationIdNotFound".to_owned(),
            message: format!("The operation with Id: '{name}' does not exist."),
        }
    };
    let multi = found.is_some_and(|l| l.settings.link_mode == LinkMode::MultiDatabase);
    let operation = if multi { "DropManagedFailoverGroup" } else { "DistributedAvailabilityGroupsDropLink" };
    let mut start = Start::new(Family::Links, operation, name, work);
    start.cancels = creating.map(|o| o.id.clone());
    Ok(start.into())
}
