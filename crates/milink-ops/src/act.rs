//! Carrying out an action: one statement, or one call. What its outcome means is the run machine's.

use getrandom::fill;
use milink_arm::models::links::{FailoverMode, ReplicationMode, SeedingMode};
use milink_arm::{
    Accepted, ArmError, FailoverType, HybridUsage, LinkBody, LinkMode, LinkPatch, LinkRole, OperationRef,
    Progress, RoleChangeType,
};
use milink_core::action::{Action, ArmCall, PublicKey, Statement};
use milink_core::names::{CommitMode, Role, Side};
use milink_core::observe::Observation;
use milink_core::run::{OperationState, Outcome};
use milink_core::script::tsql::{self, Fill};
use milink_core::{action, names};
use milink_sql::{Options, SqlError};

use crate::sides::{AzureSide, Sides};

/// A statement that works for long (a backup, a role change that drains) is given this time before nobody knows what became of it.
const STATEMENT_TIMEOUT: std::time::Duration = std::time::Duration::from_hours(12);

/// How long a statement that only changes a setting is given.
const SETTING_TIMEOUT: std::time::Duration = std::time::Duration::from_mins(5);

impl Sides {
    /// Gives an action.
    pub async fn give(&self, action: &Action, seen: &Observation) -> Outcome {
        match action {
            Action::Sql { side, statement } => self.run(*side, statement, seen).await,
            Action::Arm { call } => match &self.azure {
                Some(azure) => match send(azure, call, seen).await {
                    Ok(accepted) => accepted_outcome(accepted),
                    Err(e) => arm_outcome(&e),
                },
                None => refused("", "no managed instance in Azure is configured"),
            },
        }
    }

    async fn run(&self, side: Side, statement: &Statement, seen: &Observation) -> Outcome {
        let Some(client) = self.client(side) else {
            return refused("", format!("no connection to the {side} is configured"));
        };
        let public = match public_key(statement).map(|key| key.resolve(seen)).transpose() {
            Ok(public) => public,
            Err(why) => return refused("", why),
        };
        let password = match statement {
            Statement::CreateMasterKey => match password() {
                Ok(password) => Some(password),
                Err(why) => return refused("", why),
            },
            _ => None,
        };
        let text =
            tsql::statement(statement, &Fill { password: password.as_deref(), public: public.as_ref() });
        let timeout = match statement {
            Statement::BackupDatabase { .. } | Statement::BackupLog { .. } | Statement::Failover { .. } => {
                STATEMENT_TIMEOUT
            }
            _ => SETTING_TIMEOUT,
        };
        match client.execute_with(&text, &Options::in_database("master").within(timeout)).await {
            Ok(_) => Outcome::Done,
            Err(e) => sql_outcome(&e),
        }
    }

    /// Asks what became of an operation.
    pub async fn ask(&self, operation: &str) -> OperationState {
        let Some(azure) = &self.azure else {
            return OperationState::Unknown { why: "no managed instance in Azure is configured".to_owned() };
        };
        let Ok(operation) = serde_json::from_str::<OperationRef>(operation) else {
            return OperationState::Gone;
        };
        match azure.client.poll(&operation).await {
            Ok(progress) => state_of(progress, operation.after_lost_try),
            Err(e) => OperationState::Unknown { why: e.to_string() },
        }
    }
}

/// What Azure's answer about an operation means. Where the answer to a try before it was lost, its failure proves nothing: it may have failed
/// because the work was done already. Then both sides have to be looked at, as if Azure did not remember it.
fn state_of(progress: Progress, after_lost_try: bool) -> OperationState {
    match progress {
        Progress::Running { retry_after } => {
            OperationState::Running { retry_after_ms: retry_after.as_millis() as u64 }
        }
        Progress::Succeeded => OperationState::Succeeded,
        Progress::Failed { .. } | Progress::Canceled if after_lost_try => OperationState::Gone,
        Progress::Failed { code, message } => OperationState::Failed { code, text: message },
        Progress::Canceled => {
            OperationState::Failed { code: "Canceled".to_owned(), text: "somebody cancelled it".to_owned() }
        }
        Progress::Gone => OperationState::Gone,
    }
}

/// The certificate that a statement names, if it names one.
fn public_key(statement: &Statement) -> Option<&PublicKey> {
    match statement {
        Statement::ImportCertificate { public, .. } => Some(public),
        _ => None,
    }
}

/// A password that every policy takes, and nobody will ever type.
fn password() -> Result<String, String> {
    let mut random = [0_u8; 24];
    fill(&mut random).map_err(|e| format!("this machine gives no random numbers: {e}"))?;
    let hex: String = random.iter().map(|b| format!("{b:02x}")).collect();
    Ok(format!("Mk#{hex}A1"))
}

fn refused(code: &str, text: impl Into<String>) -> Outcome {
    Outcome::Refused { code: code.to_owned(), text: text.into() }
}

fn sql_outcome(e: &SqlError) -> Outcome {
    if e.is_certain() {
        refused(&e.number().map_or_else(String::new, |n| n.to_string()), e.to_string())
    } else {
        Outcome::Uncertain { why: e.to_string() }
    }
}

fn arm_outcome(e: &ArmError) -> Outcome {
    if e.is_certain() {
        refused(e.code().unwrap_or_default(), e.to_string())
    } else {
        Outcome::Uncertain { why: e.to_string() }
    }
}

fn accepted_outcome(accepted: Accepted) -> Outcome {
    match &accepted.operation {
        Some(operation) => match serde_json::to_string(operation) {
            Ok(operation) => Outcome::Started {
                operation,
                retry_after_ms: accepted.retry_after.map_or(1_000, |r| r.as_millis() as u64),
            },
            Err(e) => Outcome::Uncertain { why: e.to_string() },
        },
        None if accepted.is_done() => Outcome::Done,
        None => Outcome::Uncertain {
            why: accepted.note.unwrap_or_else(|| "Azure accepted it, and names no operation".to_owned()),
        },
    }
}

async fn send(azure: &AzureSide, call: &ArmCall, seen: &Observation) -> Result<Accepted, ArmError> {
    let (client, instance) = (&azure.client, &azure.instance);
    match call {
        ArmCall::PutTrustCertificate { name, public } => match public.resolve(seen) {
            Ok(der) => client.put_trust_certificate(instance, name, &der).await,
            Err(why) => Err(ArmError::NotSent { why }),
        },
        ArmCall::DeleteTrustCertificate { name } => client.delete_trust_certificate(instance, name).await,
        ArmCall::PutLink { name, body } => client.put_link(&instance.link(name), &link_body(body)).await,
        ArmCall::SetCommitMode { name, mode } => {
            let mode = match mode {
                CommitMode::Asynchronous => ReplicationMode::Async,
                CommitMode::Synchronous => ReplicationMode::Sync,
            };
            client.patch_link(&instance.link(name), &LinkPatch::ReplicationMode(mode)).await
        }
        ArmCall::SetDatabases { name, databases } => {
            client.patch_link(&instance.link(name), &LinkPatch::Databases(databases.clone())).await
        }
        ArmCall::DeleteLink { name } => client.delete_link(&instance.link(name)).await,
        ArmCall::Failover { name, kind } => {
            let kind = match kind {
                action::FailoverType::Planned => FailoverType::Planned,
                action::FailoverType::ForcedAllowDataLoss => FailoverType::ForcedAllowDataLoss,
            };
            client.failover(&instance.link(name), kind).await
        }
        ArmCall::SetRole { name, role, change } => {
            let change = match change {
                action::RoleChange::Planned => RoleChangeType::Planned,
                action::RoleChange::Forced => RoleChangeType::Forced,
            };
            client.set_role(&instance.link(name), link_role(*role), change).await
        }
        ArmCall::SetHybridUsage { usage } => {
            let usage = match usage {
                action::HybridUsage::Active => HybridUsage::Active,
                action::HybridUsage::Passive => HybridUsage::Passive,
            };
            client.set_hybrid_usage(instance, usage).await
        }
        ArmCall::DeleteDatabase { name } => client.delete_database(&instance.database(name)).await,
    }
}

fn link_role(role: Role) -> LinkRole {
    match role {
        Role::Primary => LinkRole::Primary,
        Role::Secondary | Role::Resolving => LinkRole::Secondary,
    }
}

fn link_body(body: &action::LinkBody) -> LinkBody {
    let several = body.link_mode == names::LinkMode::MultiDatabase;
    LinkBody {
        databases: body.databases.clone(),
        instance_link_role: link_role(body.instance_role),
        partner_endpoint: body.partner_endpoint.clone(),
        partner_availability_group_name: body.partner_group.clone(),
        instance_availability_group_name: body.instance_group.clone(),
        failover_mode: Some(match body.failover_mode {
            names::FailoverMode::OneWay => FailoverMode::None,
            names::FailoverMode::TwoWay => FailoverMode::Manual,
        }),
        seeding_mode: Some(match body.seeding_mode {
            names::SeedingMode::Automatic => SeedingMode::Automatic,
            names::SeedingMode::Manual => SeedingMode::Manual,
        }),
        replication_mode: Some(match body.commit_mode {
            CommitMode::Asynchronous => ReplicationMode::Async,
            CommitMode::Synchronous => ReplicationMode::Sync,
        }),
        // The stable version does not know the property.
        link_mode: several.then_some(LinkMode::MultiDatabase),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_after_a_lost_try_proves_nothing() {
        let failed = || Progress::Failed { code: "Conflict".to_owned(), message: "it is there".to_owned() };
        let told = OperationState::Failed { code: "Conflict".to_owned(), text: "it is there".to_owned() };
        assert_eq!(state_of(failed(), false), told);
        assert_eq!(state_of(failed(), true), OperationState::Gone);
        assert_eq!(state_of(Progress::Canceled, true), OperationState::Gone);
        assert_eq!(state_of(Progress::Succeeded, true), OperationState::Succeeded);
    }
}
