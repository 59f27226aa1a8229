//! What the machine works on: a step, or the taking back of one.

use super::{Last, Past};
use crate::action::{Action, ArmCall, FailoverType, Statement};
use crate::names::{Role, Side};
use crate::observe::Observation;
use crate::plan::{Condition, Phase, Plan, Repeat, Truth, Undo, Verb};
use crate::status;

/// How long something that must hold before an action may fail to, in milliseconds, before the plan stops: one look at two sides is not
/// one moment, and what an action has changed is not seen everywhere at once.
pub(super) const PATIENCE_MS: u64 = 15_000;

/// For how long a first copy must be seen to have failed before it is given up, in milliseconds: the servers may begin it again.
pub(super) const FAILED_MS: u64 = 5_000;

/// How often an action is given at most.
pub(super) const GIVEN_MAX: u32 = 5;

/// A step, or the taking back of one, as the machine sees it.
pub(super) struct Task<'a> {
    pub(super) action: Option<&'a Action>,
    pub(super) requires: &'a Condition,
    pub(super) proved_by: &'a Condition,
    pub(super) stable_ms: u64,
    pub(super) timeout_ms: u64,
    pub(super) repeat: Repeat,
    pub(super) phase: Phase,
}

impl Task<'_> {
    /// A step of a plan.
    pub(super) fn of(plan: &Plan, step: usize) -> Option<Task<'_>> {
        plan.steps.get(step).map(|s| Task {
            action: s.action.as_ref(),
            requires: &s.requires,
            proved_by: &s.proved_by,
            stable_ms: s.stable_ms,
            timeout_ms: s.timeout_ms,
            repeat: s.repeat,
            phase: s.phase,
        })
    }

    /// The taking back of a step, if there is an action for it. Such actions set a state and do not add to it, so that they may be given
    /// again; and what promotes is guarded besides (see [`guard`]).
    pub(super) fn back(plan: &Plan, step: usize) -> Option<Task<'_>> {
        let step = plan.steps.get(step)?;
        match &step.undo {
            Undo::By { action, proved_by } => Some(Task {
                action: Some(action),
                requires: &Condition::Always,
                proved_by,
                stable_ms: 0,
                timeout_ms: step.timeout_ms,
                repeat: Repeat::Safe,
                phase: step.phase,
            }),
            Undo::Nothing | Undo::Impossible { .. } => None,
        }
    }

    /// Whether the proof holds. A certain success of the action counts where nothing else shows it.
    pub(super) fn proof(&self, past: &Past, seen: &Observation) -> Truth {
        proof(self.proved_by, past.last == Last::Done, seen)
    }

    /// Whether the proof hangs on the answer alone.
    pub(super) fn hangs_on_the_answer(&self) -> bool {
        asks_for_the_answer(self.proved_by)
    }

    /// How long after an action that nobody knows the end of it may still be under way, in milliseconds: before that, what is seen says
    /// nothing of what will be. What is made or removed by its name is refused a second time, so that little is waited for; a role change is
    /// given time to be seen.
    pub(super) fn under_way_ms(&self) -> u64 {
        let time = match self.phase {
            Phase::Trust | Phase::Groups | Phase::Link | Phase::Cleanup => 2_000,
            Phase::Drain | Phase::Demote | Phase::Promote | Phase::Verify => 10_000,
            Phase::Backup | Phase::Seeding => self.timeout_ms,
        };
        time.min(self.timeout_ms)
    }

    /// When to look next, in milliseconds, after it was waited for so long: soon where an outage is being waited out, more seldom the
    /// longer it takes.
    pub(super) fn look_after_ms(&self, waited_ms: u64) -> u64 {
        let first = match self.phase {
            Phase::Drain | Phase::Demote | Phase::Promote => 50,
            Phase::Verify => 200,
            Phase::Trust | Phase::Backup | Phase::Groups | Phase::Link | Phase::Cleanup => 500,
            Phase::Seeding => 1_000,
        };
        (waited_ms / 10).clamp(first, first.max(1_000))
    }
}

fn proof(condition: &Condition, confirmed: bool, seen: &Observation) -> Truth {
    match condition {
        Condition::Confirmed if confirmed => Truth::Holds,
        Condition::All { of } => of.iter().map(|c| proof(c, confirmed, seen)).fold(Truth::Holds, Truth::and),
        other => other.judge(seen),
    }
}

fn asks_for_the_answer(condition: &Condition) -> bool {
    match condition {
        Condition::Confirmed => true,
        Condition::All { of } => of.iter().any(asks_for_the_answer),
        _ => false,
    }
}

/// Why a first copy that a condition waits for has failed.
pub(super) fn seeding_failure(condition: &Condition, seen: &Observation) -> Option<String> {
    match condition {
        Condition::Following { databases, .. } => {
            databases.iter().find_map(|d| status::seeding_failure(d, seen))
        }
        _ => None,
    }
}

/// The side that an action makes primary while the other one may stay primary: what two primaries come of.
fn promotes(action: &Action) -> Option<(Side, &str)> {
    match action {
        Action::Sql { side, statement: Statement::ForceFailover { name } } => Some((*side, name)),
        Action::Arm {
            call:
                ArmCall::SetRole { name, role: Role::Primary, .. }
                | ArmCall::Failover { name, kind: FailoverType::ForcedAllowDataLoss },
        } => Some((Side::Managed, name)),
        Action::Sql { .. } | Action::Arm { .. } => None,
    }
}

/// What must hold before an action whatever the plan says: nobody is promoted while the other side is primary, or may be. Only a forced
/// failover does that, which somebody has confirmed.
pub(super) fn guard(verb: Verb, action: &Action, seen: &Observation) -> Truth {
    let Some((side, link)) = promotes(action) else { return Truth::Holds };
    if verb == Verb::ForcedFailover {
        return Truth::Holds;
    }
    let other = side.other();
    // NB: Azure's word for a managed instance that is silent does not count. After a split it may be old.
    match seen.role(other, link) {
        Ok(Some(Role::Secondary)) => Truth::Holds,
        Ok(Some(role)) => {
            Truth::Not { seen: format!("{other} is {role}, and {side} would be a second primary") }
        }
        Ok(None) => Truth::Unknown { why: format!("{other} does not say its role in {link}") },
        Err(why) => Truth::Unknown {
            why: format!("{other} does not answer ({why}): nobody knows whether it is primary"),
        },
    }
}

/// Whether a refusal passes by itself, so that the action is given again after a while: the same request was not carried out, and nothing
/// is wrong with it.
pub fn is_transient(code: &str) -> bool {
    const CODES: [&str; 22] = [
        // SQL Server: lock request time-out, deadlock, the connection to the primary is not active, a role change is under way, and the
        // two that a managed instance itself retries while it becomes primary.
        "1222",
        "1205",
        "35250",
        "41968",
        "41954",
        "41961",
        "41964",
        // Azure: busy, and too many requests.
        "ConflictingServerOperation",
        "ConflictingSubscriptionOperation",
        "ConflictingDatabaseOperation",
        "ManagedInstanceIsBusy",
        "ManagedInstanceOperationInProgress",
        "ManagedInstanceStarting",
        "OperationCanNotStartDueToMiLink",
        "DistributedAvailabilityGroupSetRoleChangeRoleAlreadyInProgress",
        "SubscriptionTooManyRequests",
        "SubscriptionTooManyCreateUpdateRequests",
        "TooManyRequests",
        "GatewayInternalServerError",
        "RequestTimeout",
        "OperationTimedOut",
        "ServerBusy",
    ];
    CODES.iter().any(|known| known.eq_ignore_ascii_case(code))
}

/// Whether a refusal says that the like is never done for this caller on this link, whatever the state: then it was not done the time
/// before either, of which nobody knows.
pub(super) fn is_never(code: &str) -> bool {
    const CODES: [&str; 10] = [
        // Not on this link, not with this version, not by this call.
        "41985",
        "19504",
        "41970",
        "DistributedAvailabilityGroupSetRolePrimaryPlannedNotSupported",
        // Not this caller.
        "229",
        "262",
        "297",
        "300",
        "15247",
        "AuthorizationFailed",
    ];
    CODES.iter().any(|known| known.eq_ignore_ascii_case(code))
}
