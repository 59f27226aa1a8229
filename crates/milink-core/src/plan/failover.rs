//! Planned failover: the roles are changed without a loss, from either side.
//!
//! | primary | build of SQL Server | how | documents |
//! |---|---|---|---|
//! | SQL Server | 2022 CU13 or later | `ALTER AVAILABILITY GROUP ... FAILOVER` | Fail over, 7.2 |
//! | SQL Server | 2022 before CU13 | SET (ROLE = SECONDARY), equal LSNs, `setRole` Primary | Fail over, 7.3 |
//! | SQL Server | 2019 and earlier | equal LSNs, then the link is removed: there is no way back | Fail over, 7.3 |
//! | managed instance | 2022 CU13 or later | `POST failover` Planned | REST, 3.2 |
//! | managed instance | 2022 before CU13 | `setRole` Secondary, equal LSNs, FORCE_FAILOVER_ALLOW_DATA_LOSS | Fail over, 7.3 |
//!
//! Whichever it is, it begins with synchronous commit on both halves, and goes on only once the copies are SYNCHRONIZED. Where the roles
//! are changed by hand, nobody is primary between demotion and promotion; the promotion is fenced by the LSN that the former primary has
//! hardened last, and until it is given, everything is taken back if something fails.

use super::{Condition, Phase, Plan, PlanError, Repeat, Step, Undo, Verb};
use crate::action::{Action, ArmCall, FailoverType, RoleChange, Statement};
use crate::facts::version;
use crate::names::{CommitMode, LinkMode, Role, Side};
use crate::observe::{Instance, Observation};
use crate::spec::Link;

/// What the user may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailoverOptions {
    /// How long draining may take, in milliseconds, before the former state is brought back.
    pub drain_timeout_ms: u64,
    /// How long the hardened LSNs must stay equal before the fence counts as reached, in milliseconds.
    pub stable_ms: u64,
}

impl Default for FailoverOptions {
    fn default() -> FailoverOptions {
        FailoverOptions { drain_timeout_ms: 300_000, stable_ms: 1_000 }
    }
}

/// How long a role change may take once it was asked for, in milliseconds.
const CHANGE_TIMEOUT_MS: u64 = 300_000;

/// How long a setting may take to be seen, in milliseconds.
const SETTING_TIMEOUT_MS: u64 = 120_000;

/// Where clients write while a link is broken by its failover, LSNs that are equal once may part again: they are looked at for longer.
const BREAKING_STABLE_MS: u64 = 3_000;

/// How the roles can be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// One statement on SQL Server, which is primary.
    Statement,
    /// One call of Azure, for the managed instance, which is primary.
    Call,
    /// Demotion, fence and promotion, one after the other.
    ByHand,
    /// The link is removed once both sides are equal.
    Break,
}

/// The side that is primary now, for certain: it says so, and the other one says that it is not.
///
/// # Errors
/// A side was not seen, or there is not exactly one primary.
pub fn primary(link: &Link, seen: &Observation) -> Result<Side, PlanError> {
    let is = |side, role| Condition::Role { name: link.name.clone(), side, role }.judge(seen);
    for side in Side::BOTH {
        if is(side, Role::Primary).holds() && is(side.other(), Role::Secondary).holds() {
            return Ok(side);
        }
    }
    for side in Side::BOTH {
        if let super::Truth::Unknown { why } = is(side, Role::Primary) {
            return Err(PlanError::unseen(side.to_string(), why));
        }
    }
    let roles = Side::BOTH.map(|side| {
        let role = seen.role(side, &link.name).ok().flatten();
        format!("{side} is {}", role.map_or_else(|| "in no role".to_owned(), |r| r.to_string()))
    });
    Err(PlanError::refused(
        format!("link {} has not exactly one primary: {}", link.name, roles.join(", ")),
        format!("`milink doctor {}` says what to do", link.name),
    ))
}

/// How a failover from `from` is done with this SQL Server.
///
/// # Errors
/// It cannot be done.
pub fn method(from: Side, sql_server: &Instance, seen: &Observation) -> Result<Method, PlanError> {
    let build = sql_server.version;
    let breaks = build.release().is_some_and(version::failover_breaks_link);
    if from == Side::SqlServer && breaks {
        return Ok(Method::Break);
    }
    if from == Side::Managed {
        let policy = seen.azure.get().map_err(PlanError::azure)?.update_policy;
        let verdict = version::can_fail_back(build, policy);
        if !verdict.is_yes() {
            return Err(PlanError::refused(
                format!("data cannot come back to SQL Server {build}: {}", verdict.why),
                format!("wanted: {}", verdict.wanted),
            ));
        }
    }
    match (version::failover_by_tsql(build).is_yes(), from) {
        (true, Side::SqlServer) => Ok(Method::Statement),
        (true, Side::Managed) => Ok(Method::Call),
        (false, _) => Ok(Method::ByHand),
    }
}

/// A planned failover to a side.
///
/// # Errors
/// The roles are not known, the side is primary already, or the roles cannot be changed that way.
pub fn planned(
    link: &Link,
    to: Side,
    seen: &Observation,
    options: FailoverOptions,
) -> Result<Plan, PlanError> {
    let from = primary(link, seen)?;
    if from == to {
        return Err(PlanError::refused(
            format!("{to} is primary in link {} already", link.name),
            "nothing has to be done".to_owned(),
        ));
    }
    let sql_server = seen.sql_server.get().map_err(PlanError::side(Side::SqlServer))?;
    let method = method(from, sql_server, seen)?;
    roles_are_said(method, seen)?;
    let planner = Planner { link, from, to, options };
    let mut notes = vec![format!(
        "{from} gives the primary role to {to}. Writes that are under way at the change fail and have to be repeated there."
    )];
    let mut steps = planner.drain(method);
    match method {
        Method::Statement | Method::Call => steps.push(planner.change(method)),
        Method::ByHand => {
            steps.extend(planner.by_hand());
            notes.push(
                "From the demotion to the promotion nobody is primary, and nothing can be written."
                    .to_owned(),
            );
        }
        Method::Break => {
            steps.extend(planner.break_link());
            notes.push(format!(
                "SQL Server {} can only fail over to Azure by ending the link: afterwards both databases are independent, and there is no way back through it.",
                sql_server.version
            ));
            notes.push("Stop all writes on SQL Server first: what is committed after both sides were equal would stay there.".to_owned());
        }
    }
    if method != Method::Break {
        steps.push(planner.following());
        steps.extend(planner.at_rest());
    }
    Ok(Plan { verb: Verb::PlannedFailover, link: link.clone(), steps, notes })
}

/// Refuses where the roles are changed one after the other, or the link is broken, and Azure speaks for the managed instance: its word may
/// be old after a split. One statement, or one call, is carried out by servers that look at their roles themselves.
///
/// # Errors
/// The managed instance does not say its role itself.
pub(crate) fn roles_are_said(method: Method, seen: &Observation) -> Result<(), PlanError> {
    match (method, seen.managed.get()) {
        (Method::Statement | Method::Call, _) | (_, Ok(_)) => Ok(()),
        (Method::ByHand | Method::Break, Err(why)) => Err(PlanError::refused(
            format!("the managed instance's role is Azure's word only, which may be old: {why}"),
            "let the managed instance answer (--managed-server), so that it says its role itself",
        )),
    }
}

struct Planner<'a> {
    link: &'a Link,
    from: Side,
    to: Side,
    options: FailoverOptions,
}

impl Planner<'_> {
    fn name(&self) -> String {
        self.link.name.clone()
    }

    fn role(&self, side: Side, role: Role) -> Condition {
        Condition::Role { name: self.name(), side, role }
    }

    fn synchronized(&self) -> Condition {
        Condition::Synchronized {
            name: self.name(),
            databases: self.link.databases.clone(),
            primary: self.from,
        }
    }

    fn equal(&self) -> Condition {
        Condition::HardenedEqual { name: self.name(), databases: self.link.databases.clone() }
    }

    fn changed(&self) -> Condition {
        Condition::All { of: vec![self.role(self.to, Role::Primary), self.role(self.from, Role::Secondary)] }
    }

    /// Synchronous commit on both halves, until the copies are SYNCHRONIZED. Azure takes the mode of its half only while SQL Server is
    /// primary; from the managed instance its own failover does all this by itself.
    fn drain(&self, method: Method) -> Vec<Step> {
        if method == Method::Call {
            return vec![Step {
                timeout_ms: self.options.drain_timeout_ms,
                ..step(
                    "drain",
                    "Wait until the copy on SQL Server follows and is connected",
                    Phase::Drain,
                    None,
                    Condition::Following {
                        name: self.name(),
                        databases: self.link.databases.clone(),
                        primary: self.from,
                    },
                )
            }];
        }
        let mut steps: Vec<Step> = Side::BOTH
            .into_iter()
            .map(|side| self.commit_mode(side, CommitMode::Synchronous, "synchronous"))
            .collect();
        steps.push(Step {
            timeout_ms: self.options.drain_timeout_ms,
            ..step("drain", "Wait until every copy is SYNCHRONIZED", Phase::Drain, None, self.synchronized())
        });
        steps
    }

    /// Sets the commit mode of one half. Taking it back means the mode that the link has at rest.
    fn commit_mode(&self, side: Side, mode: CommitMode, id: &str) -> Step {
        let members = [self.link.sql_group.clone(), self.link.managed_group.clone()];
        let action = |mode| match side {
            Side::SqlServer => {
                Action::sql(Statement::SetCommitMode { name: self.name(), members: members.clone(), mode })
            }
            Side::Managed => Action::arm(ArmCall::SetCommitMode { name: self.name(), mode }),
        };
        let proof = |mode| Condition::CommitModeOn { name: self.name(), side, mode };
        let word = match side {
            Side::SqlServer => "sql-server",
            Side::Managed => "managed",
        };
        let rest = self.link.commit_mode;
        Step {
            timeout_ms: SETTING_TIMEOUT_MS,
            undo: Undo::By { action: Box::new(action(rest)), proved_by: proof(rest) },
            repeat: Repeat::Safe,
            ..step(
                &format!("{id}-{word}"),
                &format!("Set {} on the {side}'s half", mode.tsql()),
                Phase::Drain,
                Some(action(mode)),
                proof(mode),
            )
        }
    }

    /// The one statement, or the one call.
    fn change(&self, method: Method) -> Step {
        let action = match method {
            Method::Call => Action::arm(ArmCall::Failover { name: self.name(), kind: FailoverType::Planned }),
            Method::Statement | Method::ByHand | Method::Break => {
                Action::Sql { side: self.from, statement: Statement::Failover { name: self.name() } }
            }
        };
        let ready = match method {
            Method::Call => Condition::Always,
            Method::Statement | Method::ByHand | Method::Break => self.synchronized(),
        };
        Step {
            requires: Condition::All { of: vec![self.role(self.from, Role::Primary), ready] },
            timeout_ms: CHANGE_TIMEOUT_MS,
            undo: Undo::Impossible {
                why: "the roles have changed; a failover the other way changes them again".to_owned(),
            },
            // A second one is refused by a side that is not primary any more.
            repeat: Repeat::AfterWaiting,
            irreversible: true,
            ..step(
                "failover",
                &format!("Fail over from the {} to the {}", self.from, self.to),
                Phase::Promote,
                Some(action),
                self.changed(),
            )
        }
    }

    fn by_hand(&self) -> Vec<Step> {
        let (name, from, to) = (self.name(), self.from, self.to);
        let demote = match from {
            Side::SqlServer => Action::sql(Statement::SetRoleSecondary { name: name.clone() }),
            Side::Managed => Action::arm(ArmCall::SetRole {
                name: name.clone(),
                role: Role::Secondary,
                change: RoleChange::Planned,
            }),
        };
        let promote = |side| match side {
            Side::SqlServer => Action::sql(Statement::ForceFailover { name: name.clone() }),
            // Azure refuses Planned here (41970).
            Side::Managed => Action::arm(ArmCall::SetRole {
                name: name.clone(),
                role: Role::Primary,
                change: RoleChange::Forced,
            }),
        };
        let demoted = self.role(from, Role::Secondary);
        vec![
            Step {
                requires: Condition::All { of: vec![self.role(to, Role::Secondary), self.synchronized()] },
                timeout_ms: SETTING_TIMEOUT_MS,
                undo: Undo::By {
                    action: Box::new(promote(from)),
                    // Where somebody else has made the other side primary meanwhile, there is nothing left to take back.
                    proved_by: Condition::Any { of: vec![self.role(from, Role::Primary), self.changed()] },
                },
                repeat: Repeat::Safe,
                ..step(
                    "demote",
                    &format!("Demote the {from}: from here on nobody is primary"),
                    Phase::Demote,
                    Some(demote),
                    demoted.clone(),
                )
            },
            Step {
                stable_ms: self.options.stable_ms,
                timeout_ms: self.options.drain_timeout_ms,
                ..step(
                    "fence",
                    "Wait until both sides have hardened the same log, and it stays so",
                    Phase::Demote,
                    None,
                    Condition::All { of: vec![demoted.clone(), self.equal()] },
                )
            },
            Step {
                requires: Condition::All { of: vec![demoted, self.equal()] },
                timeout_ms: CHANGE_TIMEOUT_MS,
                undo: Undo::Impossible {
                    why: "the roles have changed; a failover the other way changes them again".to_owned(),
                },
                repeat: Repeat::AfterWaiting,
                irreversible: true,
                ..step(
                    "promote",
                    &format!("Make the {to} primary"),
                    Phase::Promote,
                    Some(promote(to)),
                    self.changed(),
                )
            },
        ]
    }

    fn break_link(&self) -> Vec<Step> {
        let name = self.name();
        let online = self
            .link
            .databases
            .iter()
            .map(|database| Condition::DatabaseOnline { side: Side::Managed, database: database.clone() });
        let mut gone: Vec<Condition> = online.collect();
        gone.push(Condition::NoAzureLink { name: name.clone() });
        vec![
            Step {
                stable_ms: BREAKING_STABLE_MS.max(self.options.stable_ms),
                timeout_ms: self.options.drain_timeout_ms,
                ..step(
                    "fence",
                    "Wait until both sides have hardened the same log, and it stays so: no writes any more",
                    Phase::Drain,
                    None,
                    self.equal(),
                )
            },
            Step {
                requires: self.equal(),
                timeout_ms: CHANGE_TIMEOUT_MS,
                undo: Undo::Impossible {
                    why: "the link is gone; it can be made again, with a new first copy".to_owned(),
                },
                repeat: Repeat::AfterWaiting,
                irreversible: true,
                ..step(
                    "delete-link",
                    "Remove the link in Azure: the managed instance's database becomes independent",
                    Phase::Promote,
                    Some(Action::arm(ArmCall::DeleteLink { name: name.clone() })),
                    Condition::All { of: gone },
                )
            },
            Step {
                timeout_ms: SETTING_TIMEOUT_MS,
                undo: Undo::Impossible { why: "the link is gone".to_owned() },
                repeat: Repeat::Safe,
                ..step(
                    "drop-distributed-group",
                    "Drop the distributed availability group on SQL Server",
                    Phase::Cleanup,
                    Some(Action::sql(Statement::DropGroup { name: name.clone() })),
                    Condition::GroupAbsent { name },
                )
            },
        ]
    }

    fn following(&self) -> Step {
        Step {
            timeout_ms: CHANGE_TIMEOUT_MS,
            ..step(
                "verify",
                &format!("See the {} follow the new primary", self.from),
                Phase::Verify,
                None,
                Condition::Following {
                    name: self.name(),
                    databases: self.link.databases.clone(),
                    primary: self.to,
                },
            )
        }
    }

    /// Afterwards a link is asynchronous whatever it was before; what is wanted at rest is set again where it is not so. Azure's half is
    /// left to Azure unless synchronous commit is wanted, since it says its own mode only some time later.
    fn at_rest(&self) -> Vec<Step> {
        let rest = self.link.commit_mode;
        Side::BOTH
            .into_iter()
            .filter(|side| {
                *side == Side::SqlServer || rest == CommitMode::Synchronous || self.to == Side::Managed
            })
            .filter(|_| self.link.link_mode == LinkMode::SingleDatabase || rest == CommitMode::Synchronous)
            .map(|side| Step {
                phase: Phase::Cleanup,
                undo: Undo::Nothing,
                ..self.commit_mode(side, rest, "rest")
            })
            .collect()
    }
}

/// A step that only waits, or acts, with what most of them have.
pub(super) fn step(
    id: &str,
    title: &str,
    phase: Phase,
    action: Option<Action>,
    proved_by: Condition,
) -> Step {
    Step {
        id: id.to_owned(),
        title: title.to_owned(),
        phase,
        action,
        requires: Condition::Always,
        proved_by,
        stable_ms: 0,
        timeout_ms: SETTING_TIMEOUT_MS,
        undo: Undo::Nothing,
        repeat: Repeat::Safe,
        irreversible: false,
    }
}
