//! What the two model instances and the model of Azure do with statements and calls.

use milink_core::action::{Action, ArmCall, FailoverType, RoleChange, Statement};
use milink_core::names::{CommitMode, Role, Side};
use milink_core::observe::{Endpoint, RecoveryModel};
use milink_core::run::{OperationState, Outcome};

use super::world::{By, Ended, FQDN, Fate, Pending, World, certificate, thumbprint};

pub(crate) fn endpoint(certificate: &str) -> Endpoint {
    Endpoint {
        name: "database_mirroring_endpoint".to_owned(),
        state: "STARTED".to_owned(),
        role: "ALL".to_owned(),
        port: 5022,
        authentication: "CERTIFICATE".to_owned(),
        certificate: Some(certificate.to_owned()),
        encrypted: true,
        algorithm: "AES".to_owned(),
    }
}

/// How an action is to reach its server, if a test does not leave it to chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    Chance,
    AnswerLost,
    RequestLost,
}

/// Gives an action. `step` is only for the records.
pub(crate) fn act(world: &mut World, step: &str, action: &Action, by: By, how: Delivery) -> Outcome {
    world.counts.add("actions given");
    let took = world.dice.between(5, 300);
    world.pass(took);
    let trouble = how == Delivery::Chance && world.dice.of_1000(world.faults.action);
    let lost = |why: &str| Outcome::Uncertain { why: why.to_owned() };
    if how == Delivery::RequestLost || trouble && world.dice.of_1000(250) {
        world.counts.add("requests lost");
        return lost("the request was lost");
    }
    let answer_lost = how == Delivery::AnswerLost || trouble && world.dice.of_1000(350);
    if answer_lost {
        world.counts.add("answers lost");
    }
    let outcome = match action {
        Action::Sql { side, statement } => {
            let node = world.node(*side);
            if !node.alive || !node.reachable {
                return if world.dice.of_1000(500) {
                    lost("the connection broke")
                } else {
                    Outcome::Refused { code: "-1".to_owned(), text: "no connection".to_owned() }
                };
            }
            // What hangs before it holds the locks.
            let hanging = world.pending.iter().position(|p| p.operation.is_none());
            if let Some(at) = hanging {
                let earlier = world.pending.remove(at);
                fall_due(world, earlier);
            }
            if answer_lost && how == Delivery::Chance && world.dice.of_1000(500) {
                world.counts.add("statements that come late");
                let due = world.now + world.dice.between(500, 8_000);
                world.pending.push(Pending {
                    due,
                    action: action.clone(),
                    by,
                    operation: None,
                    fate: Fate::Works,
                });
                return lost("the connection broke, and the statement went on");
            }
            if trouble && !answer_lost {
                world.counts.add("refusals that pass");
                return Outcome::Refused {
                    code: "1222".to_owned(),
                    text: "Lock request time out".to_owned(),
                };
            }
            match statement_on(world, *side, statement, by) {
                Ok(()) => {
                    world.deliveries.push((step.to_owned(), true, false));
                    Outcome::Done
                }
                Err(code) => Outcome::Refused { code: code.to_owned(), text: String::new() },
            }
        }
        Action::Arm { call } => {
            if !world.azure {
                return lost("Azure does not answer");
            }
            if trouble && !answer_lost {
                world.counts.add("refusals that pass");
                return if world.dice.of_1000(500) {
                    Outcome::Refused { code: "TooManyRequests".to_owned(), text: "429".to_owned() }
                } else {
                    lost("500 InternalServerError")
                };
            }
            let twice = trouble && is_idempotent(call) && world.dice.of_1000(500);
            match accept(world, call) {
                Err(code) => Outcome::Refused { code: code.to_owned(), text: String::new() },
                Ok(()) => {
                    let due = world.now + world.dice.between(100, 12_000);
                    let operation = world.operation_for(action.clone(), by, due);
                    if twice {
                        world.counts.add("calls that come twice");
                        world.operation_for(action.clone(), by, due + 50);
                    }
                    world.deliveries.push((step.to_owned(), true, true));
                    Outcome::Started { operation: operation.to_string(), retry_after_ms: 500 }
                }
            }
        }
    };
    if answer_lost { lost("the answer was lost") } else { outcome }
}

fn is_idempotent(call: &ArmCall) -> bool {
    !matches!(call, ArmCall::Failover { .. } | ArmCall::SetRole { .. })
}

/// What became of an operation.
pub(crate) fn poll(world: &mut World, operation: &str) -> OperationState {
    world.pass(20);
    if !world.azure {
        return OperationState::Unknown { why: "Azure does not answer".to_owned() };
    }
    let Ok(number) = operation.parse::<u32>() else { return OperationState::Gone };
    if world.pending.iter().any(|p| p.operation == Some(number)) {
        return OperationState::Running { retry_after_ms: 1_000 };
    }
    if world.dice.of_1000(world.faults.operation / 4) {
        world.counts.add("operations that Azure forgets");
        return OperationState::Gone;
    }
    match world.ended.get(&number) {
        Some(Ended::Succeeded) => OperationState::Succeeded,
        Some(Ended::Failed(code)) => OperationState::Failed { code: (*code).to_owned(), text: String::new() },
        None => OperationState::Gone,
    }
}

/// An operation, or a statement that nobody waits for any more, is carried out.
pub(crate) fn fall_due(world: &mut World, pending: Pending) {
    let dead = !world.node(Side::Managed).alive;
    let result = match (&pending.action, pending.fate) {
        (Action::Sql { side, statement }, _) => statement_on(world, *side, statement, pending.by),
        (Action::Arm { .. }, Fate::Fails) => Err("InternalServerError"),
        (Action::Arm { .. }, _) if dead => Err("ManagedInstanceUnavailable"),
        (Action::Arm { call }, fate) => {
            let result = call_on(world, call, pending.by);
            if fate == Fate::FailsAfterwards {
                world.counts.add("operations that fail halfway");
                Err("DistributedAvailabilityGroupSetRoleFailed")
            } else {
                result
            }
        }
    };
    if let Some(operation) = pending.operation {
        world.ended.insert(operation, result.map_or_else(Ended::Failed, |()| Ended::Succeeded));
    }
}

/// A planned failover that the servers do by themselves: all or nothing.
fn change_roles(world: &mut World, from: Side, by: By) -> Result<(), &'static str> {
    let to = from.other();
    if world.primary() != Some(from) {
        return Err("35251");
    }
    let broken = !world.is_connected() || world.node(to).suspended || !world.node(to).has_copy;
    let source = world.node(from).log.clone();
    if broken || !source.starts_with(&world.node(to).log) {
        return Err("41142");
    }
    world.node_mut(to).log = source;
    world.demote(from);
    world.promote(to, by, true);
    world.reset_modes();
    world.counts.add("planned failovers");
    Ok(())
}

fn statement_on(world: &mut World, side: Side, statement: &Statement, by: By) -> Result<(), &'static str> {
    let role = world.node(side).role;
    match statement {
        Statement::CreateMasterKey if world.master_key => Err("15578"),
        Statement::CreateMasterKey => {
            world.master_key = true;
            Ok(())
        }
        Statement::CreateCertificate { name, .. } => import(world, name, 1, true),
        Statement::ImportCertificate { name, .. } => {
            import(world, name, if name == FQDN { 2 } else { 3 }, false)
        }
        Statement::AddIssuer { certificate, .. } => {
            let there = world.certificates.iter().any(|c| c.name == *certificate);
            if there { Ok(()) } else { Err("15151") }
        }
        Statement::DropCertificate { name } => {
            let before = world.certificates.len();
            world.certificates.retain(|c| c.name != *name);
            if world.certificates.len() < before { Ok(()) } else { Err("15151") }
        }
        Statement::CreateEndpoint { .. } if world.endpoint.is_some() => Err("15025"),
        Statement::CreateEndpoint { certificate, .. } | Statement::AlterEndpoint { certificate, .. } => {
            world.endpoint = Some(endpoint(certificate));
            Ok(())
        }
        Statement::DropEndpoint { .. } => world.endpoint.take().map(|_| ()).ok_or("15151"),
        Statement::DropDatabase { .. } => delete_copy(world, side).ok_or("3701"),
        Statement::StartEndpoint { .. } => match &mut world.endpoint {
            Some(endpoint) => {
                "STARTED".clone_into(&mut endpoint.state);
                Ok(())
            }
            None => Err("15151"),
        },
        Statement::SetRecoveryFull { .. } => {
            world.recovery = RecoveryModel::Full;
            Ok(())
        }
        Statement::SetRecovery { model, .. } => {
            world.recovery = *model;
            Ok(())
        }
        Statement::BackupDatabase { copy_only, .. } => {
            if role == Some(Role::Secondary) {
                return Err("3059");
            }
            if !copy_only {
                world.full_backup = Some(world.now);
            }
            world.counts.add("backups");
            Ok(())
        }
        Statement::BackupLog { .. } => {
            world.log_backup = Some(world.now);
            Ok(())
        }
        Statement::CreateGroup { .. } if world.group => Err("41171"),
        Statement::CreateGroup { databases, .. } => {
            let ready = world.recovery == RecoveryModel::Full && world.full_backup.is_some();
            if !databases.is_empty() && !ready {
                return Err("1475");
            }
            (world.group, world.database_in_group) = (true, !databases.is_empty());
            Ok(())
        }
        Statement::GrantCreateAnyDatabase { .. } => {
            if world.group {
                Ok(())
            } else {
                Err("15151")
            }
        }
        Statement::CreateDistributed { .. } if role.is_some() => Err("19509"),
        Statement::CreateDistributed { .. } if !world.group => Err("19501"),
        Statement::CreateDistributed { .. } => {
            let role = if world.database_in_group { Role::Primary } else { Role::Secondary };
            world.node_mut(side).role = Some(role);
            Ok(())
        }
        Statement::SetCommitMode { mode, .. } if role.is_some() => {
            world.sql_mode = *mode;
            Ok(())
        }
        Statement::SetRoleSecondary { .. } if role.is_some() => {
            if role == Some(Role::Primary) {
                world.demote(side);
            }
            Ok(())
        }
        Statement::Failover { .. } if role.is_some() => change_roles(world, side, by),
        Statement::ForceFailover { .. } if role == Some(Role::Primary) => Err("41190"),
        Statement::ForceFailover { .. } if role.is_some() => {
            if !world.node(side).has_copy || world.node(side).reverting_until.is_some() {
                return Err("35253");
            }
            world.promote(side, by, by.verb == milink_core::plan::Verb::PlannedFailover);
            Ok(())
        }
        // The half was dropped meanwhile.
        Statement::SetCommitMode { .. }
        | Statement::SetRoleSecondary { .. }
        | Statement::Failover { .. }
        | Statement::ForceFailover { .. } => Err("19510"),
        Statement::ResumeDatabase { .. } => {
            world.node_mut(side).suspended = false;
            Ok(())
        }
        Statement::TraceOn { flag } => {
            if !world.flags.contains(flag) {
                world.flags.push(*flag);
            }
            Ok(())
        }
        Statement::TraceOff { flag } => {
            world.flags.retain(|f| f != flag);
            Ok(())
        }
        Statement::DropGroup { name } if name == super::look::LINK => match role {
            Some(_) => {
                let node = world.node_mut(side);
                (node.role, node.suspended) = (None, false);
                Ok(())
            }
            None => Err("15151"),
        },
        Statement::DropGroup { .. } => {
            if world.node(side).role.is_some() || !world.group {
                return Err("15151");
            }
            (world.group, world.database_in_group) = (false, false);
            Ok(())
        }
        other => panic!("the model does not know {other:?} with {role:?}"),
    }
}

/// A side's copy goes; `None` if it has none.
fn delete_copy(world: &mut World, side: Side) -> Option<()> {
    let node = world.node_mut(side);
    if !node.has_copy {
        return None;
    }
    node.has_copy = false;
    node.log.clear();
    Some(())
}

fn import(world: &mut World, name: &str, of: u8, private_key: bool) -> Result<(), &'static str> {
    if world.certificates.iter().any(|c| c.name == name) {
        return Err("15232");
    }
    world.certificates.push(certificate(name, of, private_key));
    Ok(())
}

/// What Azure looks at before it takes a call.
fn accept(world: &World, call: &ArmCall) -> Result<(), &'static str> {
    let role = world.node(Side::Managed).role;
    let running = |wanted: fn(&ArmCall) -> bool| {
        world.pending.iter().any(|p| matches!(&p.action, Action::Arm { call } if wanted(call)))
    };
    let changes = |c: &ArmCall| matches!(c, ArmCall::Failover { .. } | ArmCall::SetRole { .. });
    match call {
        ArmCall::Failover { .. } | ArmCall::SetRole { .. } | ArmCall::SetCommitMode { .. }
            if role.is_none() =>
        {
            Err("ResourceNotFound")
        }
        ArmCall::Failover { .. } | ArmCall::SetRole { .. } if running(changes) => {
            Err("DistributedAvailabilityGroupSetRoleChangeRoleAlreadyInProgress")
        }
        ArmCall::Failover { kind: FailoverType::Planned, .. } if role != Some(Role::Primary) => {
            Err("InvalidDistributedAvailabilityGroupFailoverInstanceRole")
        }
        ArmCall::Failover { kind: FailoverType::Planned, .. }
        | ArmCall::SetRole { role: Role::Secondary, change: RoleChange::Planned, .. }
            if !world.is_connected() || world.node(Side::SqlServer).suspended =>
        {
            Err("DistributedAvailabilityGroupFailoverSecondariesNotSynchronizing")
        }
        ArmCall::Failover { kind: FailoverType::ForcedAllowDataLoss, .. } if role == Some(Role::Primary) => {
            Err("DistributedAvailabilityGroupSetRoleInstanceAlreadyInRequestedRole")
        }
        ArmCall::SetRole { role: wanted, .. } if role == Some(*wanted) => {
            Err("DistributedAvailabilityGroupSetRoleInstanceAlreadyInRequestedRole")
        }
        ArmCall::SetRole { role: Role::Primary, change: RoleChange::Planned, .. } => {
            Err("DistributedAvailabilityGroupSetRolePrimaryPlannedNotSupported")
        }
        _ => Ok(()),
    }
}

fn call_on(world: &mut World, call: &ArmCall, by: By) -> Result<(), &'static str> {
    let role = world.node(Side::Managed).role;
    match call {
        ArmCall::PutTrustCertificate { name, .. } => {
            world.trusted.retain(|(n, _)| n != name);
            world.trusted.push((name.clone(), thumbprint(1)));
            Ok(())
        }
        ArmCall::DeleteTrustCertificate { name } => {
            world.trusted.retain(|(n, _)| n != name);
            Ok(())
        }
        // What is there already stays as it is.
        ArmCall::PutLink { .. } if role.is_some() => Ok(()),
        ArmCall::PutLink { body, .. } => {
            let taken = world.node(body.instance_role_side()).has_copy;
            if taken && body.instance_role == Role::Secondary {
                return Err("DatabaseAlreadyExists");
            }
            world.node_mut(Side::Managed).role = Some(body.instance_role);
            if body.instance_role == Role::Primary {
                world.node_mut(Side::SqlServer).role = Some(Role::Secondary);
            }
            world.azure_mode = CommitMode::Asynchronous;
            world.seeding = None;
            Ok(())
        }
        ArmCall::SetCommitMode { mode, .. } if role.is_some() => {
            world.azure_mode = *mode;
            Ok(())
        }
        ArmCall::DeleteDatabase { .. } => delete_copy(world, Side::Managed).ok_or("ResourceNotFound"),
        ArmCall::DeleteLink { .. } => {
            let whole = Side::BOTH.map(|side| world.node(side).log.clone());
            if by.verb == milink_core::plan::Verb::Drop && role.is_some() && whole[0] != whole[1] {
                world.violations.push(format!(
                    "at {} ms a link was dropped while its sides had not the same: {} commits and {}",
                    world.now,
                    whole[0].len(),
                    whole[1].len()
                ));
            }
            if world.has_role(Side::SqlServer, Role::Primary)
                && by.verb == milink_core::plan::Verb::PlannedFailover
            {
                let old = world.node(Side::SqlServer).log.clone();
                world.expect_all(Side::Managed, &old);
                world.counts.add("links broken by a failover");
            }
            world.node_mut(Side::Managed).role = None;
            Ok(())
        }
        ArmCall::Failover { kind: FailoverType::Planned, .. } => change_roles(world, Side::Managed, by),
        ArmCall::Failover { kind: FailoverType::ForcedAllowDataLoss, .. }
        | ArmCall::SetRole { role: Role::Primary, .. } => {
            let node = world.node(Side::Managed);
            if role == Some(Role::Primary) {
                return Err("DistributedAvailabilityGroupSetRoleInstanceAlreadyInRequestedRole");
            }
            if role.is_none() || !node.has_copy || node.reverting_until.is_some() {
                return Err("DistributedAvailabilityGroupSetRoleFailed");
            }
            world.promote(Side::Managed, by, by.verb == milink_core::plan::Verb::PlannedFailover);
            Ok(())
        }
        ArmCall::SetRole { .. } => {
            if role == Some(Role::Primary) {
                world.demote(Side::Managed);
            }
            Ok(())
        }
        // The link was removed meanwhile.
        ArmCall::SetCommitMode { .. } => Err("ResourceNotFound"),
        other => panic!("the model does not know {other:?} with {role:?}"),
    }
}

/// Which side a link's first copy goes to when the managed instance is in that role.
trait Target {
    fn instance_role_side(&self) -> Side;
}

impl Target for milink_core::action::LinkBody {
    fn instance_role_side(&self) -> Side {
        match self.instance_role {
            Role::Secondary => Side::Managed,
            Role::Primary | Role::Resolving => Side::SqlServer,
        }
    }
}
