//! The words and bodies of links: what of them is understood, and what is found fault with.

use crate::error::ArmError;
use crate::instance::{CommitMode, FailoverMode, LinkMode, LinkRequest, Role, SeedingMode};
use crate::operations::same;
use crate::validate::{self, Object};

/// Since when there is `linkMode`.
pub(super) const LINK_MODE_SINCE: &str = "2025-08-01";

pub(super) const COMMIT_MODES: [(&str, CommitMode); 2] =
    [("Async", CommitMode::Asynchronous), ("Sync", CommitMode::Synchronous)];
pub(super) const ROLES: [(&str, Role); 2] = [("Primary", Role::Primary), ("Secondary", Role::Secondary)];
pub(super) const FAILOVER_MODES: [(&str, FailoverMode); 2] =
    [("None", FailoverMode::None), ("Manual", FailoverMode::Manual)];
pub(super) const SEEDING_MODES: [(&str, SeedingMode); 2] =
    [("Automatic", SeedingMode::Automatic), ("Manual", SeedingMode::Manual)];
pub(super) const LINK_MODES: [(&str, LinkMode); 2] =
    [("SingleDatabase", LinkMode::SingleDatabase), ("MultiDatabase", LinkMode::MultiDatabase)];

/// The word for a value.
pub(super) fn word<T: PartialEq + Copy>(words: &[(&'static str, T)], value: T) -> &'static str {
    words.iter().find(|(_, v)| *v == value).map_or("", |(word, _)| word)
}

/// What is wrong with the body of PUT.
pub(super) fn request_error(suffix: &str, what: &str) -> ArmError {
    ArmError::new(
        400,
        format!("InvalidDistributedAvailabilityGroupsCreateOrUpdateRequest{suffix}"),
        format!("Distributed Availability Group Create or Update request body has empty or Invalid {what}."),
    )
}

/// Reads and checks the body of PUT, in the order in which the service finds fault.
pub(super) fn read_create(name: &str, body: &[u8], version: &str) -> Result<LinkRequest, ArmError> {
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
pub(super) fn read_databases(properties: &Object<'_>) -> Result<Option<Vec<String>>, ArmError> {
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
