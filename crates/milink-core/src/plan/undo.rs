//! Taking back what a plan has done that did not reach its goal.

use super::drop::{delete_copy, managed_role};
use super::{Condition, Phase, Plan, PlanError, Shared, Step, Truth, Undo, Verb};
use crate::action::{Action, ArmCall, PublicKey, Statement};
use crate::names::{Role, Side};
use crate::observe::Observation;

/// What else is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UndoOptions {
    /// The secondary's copies are deleted, complete or not. Without them the link can be made again under the same names.
    pub delete_copies: bool,
}

/// The steps of a plan that are proved done, taken back in the reverse order.
///
/// What other links have come to use is left alone.
///
/// # Errors
/// A side was not seen, or something was done that cannot be taken back.
pub fn undo(plan: &Plan, seen: &Observation, options: UndoOptions) -> Result<Plan, PlanError> {
    seen.sql_server.get().map_err(PlanError::side(Side::SqlServer))?;
    seen.azure.get().map_err(PlanError::azure)?;
    let mut steps = Vec::new();
    let mut notes = Vec::new();
    for step in plan.steps.iter().rev() {
        if !is_done(step, seen) {
            continue;
        }
        match &step.undo {
            Undo::Nothing => {}
            Undo::Impossible { why } => {
                return Err(PlanError::refused(
                    format!("'{}' is done, and cannot be taken back: {why}", step.title),
                    format!("`milink resume {}` goes on, `milink doctor {0}` says what is", plan.link.name),
                ));
            }
            Undo::By { action, proved_by } => {
                steps.extend(take_back(plan, step, action, proved_by, seen, &mut notes));
            }
        }
    }
    if plan.verb == Verb::Create {
        copies(plan, seen, options, &mut steps, &mut notes);
    }
    Ok(Plan { verb: Verb::Undo, link: plan.link.clone(), steps, notes })
}

/// A link that Azure has but does not describe yet is done as far as taking back goes.
fn is_done(step: &Step, seen: &Observation) -> bool {
    if let Some(Action::Arm { call: ArmCall::PutLink { name, .. } }) = &step.action {
        return seen.azure_link(name).ok().flatten().is_some();
    }
    step.proved_by.judge(seen).holds()
}

fn take_back(
    plan: &Plan,
    step: &Step,
    action: &Action,
    proved_by: &Condition,
    seen: &Observation,
    notes: &mut Vec<String>,
) -> Option<Step> {
    if proved_by.judge(seen).holds() {
        return None;
    }
    let requires = match shared(plan, step) {
        None => Condition::Always,
        Some(condition) => match condition.judge(seen) {
            Truth::Holds => condition,
            Truth::Not { seen: why } | Truth::Unknown { why } => {
                notes.push(format!("'{}' is not taken back: {why}", step.title));
                return None;
            }
        },
    };
    let back = Step::new(
        format!("undo-{}", step.id),
        format!("Take back: {}", lower_first(&step.title)),
        step.phase,
        action.clone(),
        proved_by.clone(),
    );
    let back = back.requires(requires).within(step.timeout_ms);
    // A second DELETE does no harm: Azure answers that there is none.
    let deletes = matches!(
        action,
        Action::Arm { call: ArmCall::DeleteLink { .. } | ArmCall::DeleteTrustCertificate { .. } }
    );
    Some(if deletes { back } else { back.once() })
}

/// What must hold before something is taken back that other links may have come to use.
fn shared(plan: &Plan, step: &Step) -> Option<Condition> {
    let unused = |what| Some(Condition::UnusedByOthers { link: plan.link.name.clone(), what });
    match step.action.as_ref()? {
        Action::Arm { call: ArmCall::PutTrustCertificate { .. } } => unused(Shared::TrustCertificate),
        Action::Arm { .. } => None,
        Action::Sql { statement, .. } => match statement {
            Statement::CreateCertificate { .. }
            | Statement::CreateEndpoint { .. }
            | Statement::AlterEndpoint { .. } => unused(Shared::Endpoint),
            Statement::ImportCertificate { name, public: PublicKey::ManagedEndpoint } => {
                unused(Shared::Managed { fqdn: name.clone() })
            }
            Statement::ImportCertificate { .. } | Statement::OptIntoMultiDatabase { .. } => {
                unused(Shared::Roots)
            }
            // The link's own half goes before it.
            Statement::CreateGroup { .. } => None,
            _ => None,
        },
    }
}

/// Copies that the link has made.
fn copies(
    plan: &Plan,
    seen: &Observation,
    options: UndoOptions,
    steps: &mut Vec<Step>,
    notes: &mut Vec<String>,
) {
    let link = &plan.link;
    let secondary = link.initial_primary.other();
    // The plan's link has made them only if Azure has it, in the role that the plan gave it.
    let expected = if secondary == Side::Managed { Role::Secondary } else { Role::Primary };
    if managed_role(seen, &link.name) != Some(expected) {
        return;
    }
    for database in &link.databases {
        let absent = Condition::DatabaseAbsent { side: secondary, database: database.clone() };
        if !matches!(absent.judge(seen), Truth::Not { .. }) {
            continue;
        }
        if options.delete_copies {
            let at = steps.iter().rposition(|s| s.phase == Phase::Groups || s.phase == Phase::Link);
            // After the two halves and the group, before trust.
            steps.insert(at.map_or(0, |at| at + 1), delete_copy(link, secondary, database));
        } else {
            notes.push(format!(
                "{database} stays on the {secondary}, as far as it was copied; as long as it is there, a link of the same database \
                 cannot be made"
            ));
        }
    }
}

fn lower_first(title: &str) -> String {
    let mut chars = title.chars();
    chars.next().map_or_else(String::new, |c| c.to_lowercase().chain(chars).collect())
}
