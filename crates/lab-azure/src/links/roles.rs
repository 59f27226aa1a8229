//! Role changes: what must hold before one is begun.

use super::body::ROLES;
use super::{KIND, find, start};
use crate::context::{Context, Outcome};
use crate::error::{ArmError, code_of};
use crate::instance::{FailoverMode, Link, LinkDatabase, Role, SynchronizationState};
use crate::operations::Work;
use crate::validate::{self, Object};

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
