//! Who is primary, what changes it, and why: one table.
//!
//! The planners ask for no pair that is not here (a test follows each plan through the table), and what the table does not have is not
//! done: nobody is made primary beside a primary but by a forced failover.

use serde::Serialize;

use super::{Phase, Plan, Verb};
use crate::action::{Action, ArmCall, FailoverType, Statement};
use crate::names::{Role, Side};

/// Who is primary in a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Roles {
    /// SQL Server, and the managed instance follows.
    SqlServer,
    /// The managed instance, and SQL Server follows.
    Managed,
    /// Nobody: nothing can be written.
    Nobody,
    /// Both: two histories are written.
    Both,
    /// There is no link any more: each side has a database of its own.
    Apart,
}

impl Roles {
    /// One side is primary.
    pub fn only(side: Side) -> Roles {
        match side {
            Side::SqlServer => Roles::SqlServer,
            Side::Managed => Roles::Managed,
        }
    }
}

/// What changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case", tag = "change", content = "side")]
pub enum Change {
    /// The primary hands its role over, and the server drains by itself.
    FailOver(Side),
    /// A side gives up being primary.
    Demote(Side),
    /// A side becomes primary where nobody is.
    Promote(Side),
    /// A side becomes primary whatever the other one is: somebody has confirmed that.
    Force(Side),
    /// The link is removed, as the failover of SQL Server 2019 and earlier does.
    End,
    /// The link is removed, since nobody wants it any more.
    Remove,
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Transition {
    /// Who is primary before.
    pub from: Roles,
    /// What is done.
    pub on: Change,
    /// Who is primary after.
    pub to: Roles,
    /// Why it is allowed.
    pub why: &'static str,
    /// The part of a plan in which it is done.
    pub phase: Phase,
}

const fn row(from: Roles, on: Change, to: Roles, phase: Phase, why: &'static str) -> Transition {
    Transition { from, on, to, why, phase }
}

/// All of them.
pub const TRANSITIONS: &[Transition] = {
    use Change::{Demote, End, FailOver, Force, Promote, Remove};
    use Phase::{Demote as Demoting, Promote as Promoting};
    use Roles::{Apart, Both, Nobody};
    const S: Side = Side::SqlServer;
    const M: Side = Side::Managed;
    const HANDED: &str = "the server drains, and changes both roles at once: nothing acknowledged is lost";
    const GIVEN: &str = "every copy is SYNCHRONIZED: what was acknowledged is on both sides";
    const FENCED: &str = "both sides have hardened the same log, and nobody is primary";
    const ALONE: &str = "somebody has confirmed it: the other side is lost, or its commits may be";
    const GIVES_WAY: &str = "what it has alone is saved, and nobody is connected to it";
    const ENDS: &str = "both sides have hardened the same log: the copy becomes a database of its own";
    const WANTED: &str = "both sides have hardened the same log, or somebody has confirmed it";
    &[
        row(Roles::SqlServer, FailOver(S), Roles::Managed, Promoting, HANDED),
        row(Roles::Managed, FailOver(M), Roles::SqlServer, Promoting, HANDED),
        row(Roles::SqlServer, Demote(S), Nobody, Demoting, GIVEN),
        row(Roles::Managed, Demote(M), Nobody, Demoting, GIVEN),
        row(Nobody, Promote(S), Roles::SqlServer, Promoting, FENCED),
        row(Nobody, Promote(M), Roles::Managed, Promoting, FENCED),
        row(Nobody, Force(S), Roles::SqlServer, Promoting, ALONE),
        row(Nobody, Force(M), Roles::Managed, Promoting, ALONE),
        row(Roles::Managed, Force(S), Both, Promoting, ALONE),
        row(Roles::SqlServer, Force(M), Both, Promoting, ALONE),
        row(Both, Demote(S), Roles::Managed, Demoting, GIVES_WAY),
        row(Both, Demote(M), Roles::SqlServer, Demoting, GIVES_WAY),
        row(Roles::SqlServer, End, Apart, Promoting, ENDS),
        row(Roles::SqlServer, Remove, Apart, Phase::Cleanup, WANTED),
        row(Roles::Managed, Remove, Apart, Phase::Cleanup, WANTED),
        row(Nobody, Remove, Apart, Phase::Cleanup, WANTED),
        row(Both, Remove, Apart, Phase::Cleanup, WANTED),
    ]
};

/// What comes of a change, if it is allowed.
pub fn next(from: Roles, on: Change) -> Option<&'static Transition> {
    TRANSITIONS.iter().find(|t| t.from == from && t.on == on)
}

/// What can be done from there.
pub fn possible(from: Roles) -> impl Iterator<Item = &'static Transition> {
    TRANSITIONS.iter().filter(move |t| t.from == from)
}

/// What an action changes of the roles, if anything.
pub fn change_of(verb: Verb, action: &Action) -> Option<Change> {
    let promoted =
        |side| if verb == Verb::ForcedFailover { Change::Force(side) } else { Change::Promote(side) };
    match action {
        Action::Sql { side, statement: Statement::Failover { .. } } => Some(Change::FailOver(*side)),
        Action::Sql { side, statement: Statement::SetRoleSecondary { .. } } => Some(Change::Demote(*side)),
        Action::Sql { side, statement: Statement::ForceFailover { .. } } => Some(promoted(*side)),
        Action::Sql { .. } => None,
        Action::Arm { call } => match call {
            ArmCall::Failover { kind: FailoverType::Planned, .. } => Some(Change::FailOver(Side::Managed)),
            ArmCall::Failover { kind: FailoverType::ForcedAllowDataLoss, .. } => {
                Some(promoted(Side::Managed))
            }
            ArmCall::SetRole { role: Role::Primary, .. } => Some(promoted(Side::Managed)),
            ArmCall::SetRole { .. } => Some(Change::Demote(Side::Managed)),
            ArmCall::DeleteLink { .. } if verb == Verb::PlannedFailover => Some(Change::End),
            ArmCall::DeleteLink { .. } => Some(Change::Remove),
            ArmCall::PutTrustCertificate { .. }
            | ArmCall::DeleteTrustCertificate { .. }
            | ArmCall::PutLink { .. }
            | ArmCall::SetCommitMode { .. }
            | ArmCall::SetDatabases { .. }
            | ArmCall::SetHybridUsage { .. }
            | ArmCall::DeleteDatabase { .. } => None,
        },
    }
}

/// The changes that a plan makes, one after the other, with the phase of each.
pub fn changes(plan: &Plan) -> Vec<(Change, Phase)> {
    let change = |s: &super::Step| Some((change_of(plan.verb, s.action.as_ref()?)?, s.phase));
    plan.steps.iter().filter_map(change).collect()
}
