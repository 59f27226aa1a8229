//! `managedInstances/distributedAvailabilityGroups`: links as Azure shows them, and what may be asked of them.

use serde_json::{Map, Value, json};

use crate::clock::iso;
use crate::config::Names;
use crate::context::{Context, Outcome, Start};
use crate::error::{ArmError, code_of};
use crate::instance::{
    CommitMode, FailoverMode, Link, LinkDatabase, LinkMode, LinkRequest, Role, SeedingMode, SeedingState,
    SynchronizationState, TrustedCertificate,
};
use crate::message::{Method, Response};
use crate::operations::{Work, same, same_databases};
use crate::target::Family;
use crate::validate::{self, Object};

const KIND: &str = "managedInstances/distributedAvailabilityGroups";
/// Since when there are properties.
const LINK_MODE_SINCE: &str = "2025-08-01";
const RECENT_ERROR_SINCE: &str = "2026-08-01";

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

fn request_error(suffix: &str, what: &str) -> ArmError {
    ArmError::new(
        400,
        format!("InvalidDistributedAvailabilityGroupsCreateOrUpdateRequest{suffix}"),
        format!("Distributed Availability Group Create or Update request body has empty or Invalid {what}."),
    )
}

const COMMIT_MODES: [(&str, CommitMode); 2] =
    [("Async", CommitMode::Asynchronous), ("Sync", CommitMode::Synchronous)];
const ROLES: [(&str, Role); 2] = [("Primary", Role::Primary), ("Secondary", Role::Secondary)];
const FAILOVER_MODES: [(&str, FailoverMode); 2] =
    [("None", FailoverMode::None), ("Manual", FailoverMode::Manual)];
const SEEDING_MODES: [(&str, SeedingMode); 2] =
    [("Automatic", SeedingMode::Automatic), ("Manual", SeedingMode::Manual)];
const LINK_MODES: [(&str, LinkMode); 2] =
    [("SingleDatabase", LinkMode::SingleDatabase), ("MultiDatabase", LinkMode::MultiDatabase)];

fn word<T: PartialEq + Copy>(words: &[(&'static str, T)], value: T) -> &'static str {
    words.iter().find(|(_, v)| *v == value).map_or("", |(word, _)| word)
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

/// Reads and checks the body of PUT, in the order in which the service finds fault.
pub(crate) fn read_create(name: &str, body: &[u8], version: &str) -> Result<LinkRequest, ArmError> {
    let name = validate::name(name)?;
    let body = validate::parse(body)?;
    let body = Object::new(&body, "")?;
    let properties = body.object("properties")?.ok_or_else(|| request_error("", "properties"))?;
    let replication = properties.word("replicationMode", &COMMIT_MODES)?;
    let role = properties.word("instanceLinkRole", &ROLES)?;
    let failover_mode = properties.word("failoverMode", &FAILOVER_MODES)?.unwrap_or_default();
    let seeding = properties.word("seedingMode", &SEEDING_MODES)?.unwrap_or_default();
    let asked = properties.word("linkMode", &LINK_MODES)?;
    // An older version does not know the property, and ignores it as it ignores any other.
    let link_mode = asked.filter(|_| version >= LINK_MODE_SINCE).unwrap_or_default();
    let databases = read_databases(&properties)?.unwrap_or_default();
    if databases.is_empty() || (link_mode == LinkMode::SingleDatabase && databases.len() > 1) {
        return Err(request_error("Databases", "Databases"));
    }
    let group = |property: &str, suffix: &str, what: &str| {
        let text = properties.text(property)?.unwrap_or_default();
        if validate::is_name(text) { Ok(text.to_owned()) } else { Err(request_error(suffix, what)) }
    };
    let instance_group = group(
        "instanceAvailabilityGroupName",
        "InstanceAvailabilityGroupName",
        "Instance Availability Group Name",
    )?;
    let partner_group = group(
        "partnerAvailabilityGroupName",
        "PartnerAvailabilityGroupName",
        "Partner Availability Group Name",
    )?;
    if same(&instance_group, &partner_group) {
        return Err(ArmError::new(
            400,
            "InstanceAvailabilityGroupNamePartnerAvailabilityGroupNameMatch",
            "Instance Availability Group Name and Partner Availability Group Name must be different.",
        ));
    }
    let endpoint = properties.text("partnerEndpoint")?.unwrap_or_default();
    if !validate::is_endpoint(endpoint) {
        return Err(ArmError::bad_value("SourceEndpoint"));
    }
    if seeding == SeedingMode::Manual {
        return Err(request_error("SeedingMode", "Seeding Mode"));
    }
    if link_mode == LinkMode::MultiDatabase && !is_multi_name(&name) {
        return Err(ArmError::new(
            400,
            "InvalidMultiDbDistributedAvailabilityGroupName",
            "Multi-database Distributed Availability Group name can only be made up of lowercase letters 'a'-'z', the \
             numbers 0-9 and the hyphen. The hyphen may not lead or trail in the name.",
        ));
    }
    Ok(LinkRequest {
        name,
        partner_group,
        partner_endpoint: endpoint.to_owned(),
        instance_group,
        databases,
        role: role.unwrap_or(Role::Secondary),
        commit_mode: replication.unwrap_or_default(),
        seeding_mode: seeding,
        failover_mode,
        link_mode,
    })
}

fn is_multi_name(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// `databases`: each with a name, none twice.
fn read_databases(properties: &Object<'_>) -> Result<Option<Vec<String>>, ArmError> {
    let Some(list) = properties.list("databases")? else { return Ok(None) };
    let mut names: Vec<String> = Vec::new();
    for value in list {
        let name = Object::new(value, "databases")?.text("databaseName")?.unwrap_or_default();
        if !validate::is_name(name) || names.iter().any(|n| same(n, name)) {
            return Err(request_error("Databases", "Databases"));
        }
        names.push(name.to_owned());
    }
    Ok(Some(names))
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

fn role_error(code: &str, message: impl Into<String>) -> ArmError {
    ArmError::new(409, format!("DistributedAvailabilityGroup{code}"), message)
}

/// What must hold before any role change.
fn ready<'a>(context: &Context<'a>, name: &str) -> Result<&'a Link, ArmError> {
    let link = find(context, name)?.ok_or_else(|| ArmError::no_resource(KIND, name))?;
    if link.changing_role {
        return Err(role_error(
            "SetRoleChangeRoleAlreadyInProgress",
            "Changing the server role cannot be executed at this time as there exist a previous role change in progress on \
             Azure SQL Managed Instance.",
        ));
    }
    Ok(link)
}

/// Whether a planned role change could be without loss.
fn follows(link: &Link) -> Result<(), ArmError> {
    let state = |d: &LinkDatabase| {
        matches!(
            d.synchronization,
            Some(SynchronizationState::Synchronizing | SynchronizationState::Synchronized)
        )
    };
    if link.connected && !link.databases.is_empty() && link.databases.iter().all(state) {
        return Ok(());
    }
    Err(role_error(
        "FailoverSecondariesNotSynchronizing",
        "Failover cannot be completed because the secondary is not synchronizing.",
    ))
}

/// Whether a role may be taken by force.
fn may_force(link: &Link) -> Result<(), ArmError> {
    if link.settings.role == Role::Primary {
        return Err(role_error(
            "SetRoleInstanceAlreadyInRequestedRole",
            "Setting the role cannot be applied as Azure SQL Managed Instance is already in the requested role.",
        ));
    }
    if link.settings.failover_mode == FailoverMode::None {
        let message = "Forced failover is not supported on this managed instance link. For database migration, please \
                       delete the link instead.";
        return Err(ArmError::new(400, code_of(41_985), message));
    }
    Ok(())
}

/// POST failover.
pub(crate) fn fail_over(context: &Context<'_>, name: &str) -> Result<Outcome, ArmError> {
    let body = validate::parse(&context.request.body)?;
    let body = Object::new(&body, "")?;
    let forced = body
        .word("failoverType", &[("Planned", false), ("ForcedAllowDataLoss", true)])?
        .ok_or_else(|| ArmError::bad_value("FailoverType"))?;
    let link = ready(context, name)?;
    if forced {
        may_force(link)?;
    } else {
        if link.settings.role != Role::Primary {
            return Err(ArmError::new(
                400,
                "InvalidDistributedAvailabilityGroupFailoverInstanceRole",
                "Planned failover can be executed on a link in the primary role only. Current state of the specified link \
                 is secondary.",
            ));
        }
        follows(link)?;
    }
    let name = &link.settings.name;
    start(
        context,
        "DistributedAvailabilityGroupsLinkFailover",
        name,
        Work::FailOver { link: name.clone(), forced },
    )
}

/// POST setRole.
pub(crate) fn set_role(context: &Context<'_>, name: &str) -> Result<Outcome, ArmError> {
    let body = validate::parse(&context.request.body)?;
    let body = Object::new(&body, "")?;
    let role = body.word("instanceRole", &ROLES)?.ok_or_else(|| ArmError::bad_value("InstanceRole"))?;
    let planned = body
        .word("roleChangeType", &[("Planned", true), ("Forced", false)])?
        .ok_or_else(|| ArmError::bad_value("RoleChangeType"))?;
    let link = ready(context, name)?;
    if link.settings.role == role {
        return Err(role_error(
            "SetRoleInstanceAlreadyInRequestedRole",
            "Setting the role cannot be applied as Azure SQL Managed Instance is already in the requested role.",
        ));
    }
    let name = link.settings.name.clone();
    let work = match (role, planned) {
        (Role::Primary, true) => {
            return Err(role_error(
                "SetRolePrimaryPlannedNotSupported",
                "Switching to Primary role in planned fashion is not supported.",
            ));
        }
        (Role::Primary, false) => {
            may_force(link)?;
            Work::FailOver { link: name.clone(), forced: true }
        }
        (Role::Secondary | Role::Resolving, planned) => {
            if planned {
                follows(link)?;
            }
            Work::BecomeSecondary { link: name.clone() }
        }
    };
    start(context, "DistributedAvailabilityGroupsSetRole", &name, work)
}

/// A link as a resource.
pub(crate) fn resource(
    names: &Names,
    version: &str,
    link: &Link,
    certificates: &[TrustedCertificate],
) -> Value {
    let is = &link.settings;
    let multi = is.link_mode == LinkMode::MultiDatabase;
    let (here, there) = match is.role {
        Role::Primary => ("Primary", "Secondary"),
        Role::Secondary | Role::Resolving => ("Secondary", "Primary"),
    };
    let mut properties = Map::new();
    let mut put = |name: &str, value: Value| properties.insert(name.to_owned(), value);
    put("distributedAvailabilityGroupName", json!(is.name));
    put("distributedAvailabilityGroupId", json!(link.id.to_lowercase()));
    put("replicationMode", json!(word(&COMMIT_MODES, is.commit_mode)));
    put("partnerLinkRole", json!(there));
    put("partnerAvailabilityGroupName", json!(is.partner_group));
    put("partnerEndpoint", json!(is.partner_endpoint));
    put("instanceLinkRole", json!(here));
    put("instanceAvailabilityGroupName", json!(is.instance_group));
    // As recorded: one of many databases that goes one way does not say so.
    if !(multi && is.failover_mode == FailoverMode::None) {
        put("failoverMode", json!(word(&FAILOVER_MODES, is.failover_mode)));
    }
    put("seedingMode", json!(word(&SEEDING_MODES, is.seeding_mode)));
    if multi && version >= LINK_MODE_SINCE {
        put("linkMode", json!(word(&LINK_MODES, is.link_mode)));
    }
    if version >= RECENT_ERROR_SINCE
        && let Some(problem) = &link.problem
    {
        put("mostRecentError", json!(problem.number.to_string()));
        if let Some(at) = problem.at_ms {
            put("mostRecentErrorTime", json!(iso(at)));
        }
        put("mostRecentErrorMessage", json!(problem.text));
    }
    let databases: Vec<Value> = link.databases.iter().map(|d| database(link, d, certificates)).collect();
    put("databases", json!(databases));
    json!({
        "properties": properties,
        "id": format!("{}/distributedAvailabilityGroups/{}", names.instance_id(), is.name),
        "name": is.name,
        "type": "Microsoft.Sql/managedInstances/distributedAvailabilityGroups",
    })
}

/// What a database of a link is doing, in Azure's words.
pub(crate) fn replica_state(link: &Link, database: &LinkDatabase) -> &'static str {
    use SynchronizationState::{Initializing, NotSynchronizing, Reverting, Synchronized, Synchronizing};
    let wrong = link.problem.is_some();
    match (database.seeding.map(|s| s.state), database.synchronization) {
        _ if link.changing_role => "LinkFailoverInProgress",
        (Some(SeedingState::Failed), _) => "LinkCreationError",
        (Some(SeedingState::Pending | SeedingState::Running), _) => {
            if wrong {
                "LinkCreationError"
            } else {
                "CreatingLink"
            }
        }
        (None, None) => {
            if wrong {
                "LinkInitError"
            } else {
                "InitiatingLink"
            }
        }
        (_, None | Some(NotSynchronizing)) => "LinkSynchronizationError",
        _ if wrong || !is_connected(link) || database.suspended => "LinkSynchronizationError",
        (_, Some(Synchronizing | Synchronized | Reverting | Initializing)) => "LinkSynchronizing",
    }
}

/// Whether anything could go from one side to the other. Where both are primary a session says nothing.
fn is_connected(link: &Link) -> bool {
    let both = link.settings.role == Role::Primary && link.partner_role == Some(Role::Primary);
    link.connected && !both
}

fn health(link: &Link, database: &LinkDatabase) -> &'static str {
    use SynchronizationState::{Synchronized, Synchronizing};
    match (database.synchronization, link.settings.commit_mode) {
        _ if !is_connected(link) || database.suspended => "NOT_HEALTHY",
        (Some(Synchronized), _) | (Some(Synchronizing), CommitMode::Asynchronous) => "HEALTHY",
        (Some(Synchronizing), CommitMode::Synchronous) => "PARTIALLY_HEALTHY",
        (Some(_) | None, _) => "NOT_HEALTHY",
    }
}

fn database(link: &Link, database: &LinkDatabase, certificates: &[TrustedCertificate]) -> Value {
    let primary = link.settings.role == Role::Primary;
    let state = replica_state(link, database);
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| out.insert(name.to_owned(), value);
    put("databaseName", json!(database.name));
    put("instanceReplicaId", json!(database.instance_replica_id.to_lowercase()));
    put("partnerReplicaId", json!(database.partner_replica_id.to_lowercase()));
    put("replicaState", json!(state));
    let begun = database.synchronization.is_some() || database.seeding.is_some();
    if let Some(seeding) = database.seeding.filter(|s| s.state != SeedingState::Completed) {
        put("seedingProgress", json!(format!("{}%", seeding.percent)));
    }
    if begun || link.problem.is_some() {
        put("synchronizationHealth", json!(health(link, database)));
        put("connectedState", json!(if is_connected(link) { "CONNECTED" } else { "DISCONNECTED" }));
    }
    let log = &database.log;
    let positions = [
        ("lastReceived", &log.last_received_lsn, log.last_received_ms),
        ("lastSent", &log.last_sent_lsn, log.last_sent_ms),
        ("lastCommit", &log.last_commit_lsn, log.last_commit_ms),
        ("lastHardened", &log.last_hardened_lsn, log.last_hardened_ms),
        ("lastBackup", &log.last_backup_lsn, log.last_backup_ms),
    ];
    for (name, lsn, at_ms) in positions {
        if let Some(lsn) = lsn {
            put(&format!("{name}Lsn"), json!(lsn));
            if let Some(at_ms) = at_ms {
                put(&format!("{name}Time"), json!(iso(at_ms)));
            }
        }
    }
    if let Some(problem) = &link.problem {
        put("mostRecentLinkError", json!(problem.number.to_string()));
    }
    put("partnerAuthCertValidity", partner_certificate(link, certificates));
    if begun {
        // Of its own log only a primary can say how far it has been sent; what waits to be redone is a secondary's.
        let lag = database.lag_seconds.unwrap_or(0);
        let known = primary && is_connected(link);
        put("instanceSendReplicationLagSeconds", json!(if known { lag } else { -1 }));
        put("instanceRedoReplicationLagSeconds", json!(if primary { 0 } else { lag }));
    }
    Value::Object(out)
}

/// Which of several certificates the partner shows is not known before it has connected, and not told afterwards.
fn partner_certificate(link: &Link, certificates: &[TrustedCertificate]) -> Value {
    match certificates {
        [only] if link.connected => {
            json!({"certificateName": only.name, "expiryDate": iso(only.not_after_ms)})
        }
        _ => json!({}),
    }
}
