//! The end of a state with two primaries: one stays, and the other one gives way, after what it has alone was saved.

use super::failover::step;
use super::{Condition, Phase, Plan, PlanError, Repeat, Step, Undo, Verb};
use crate::action::{Action, ArmCall, RoleChange, Statement};
use crate::names::{Role, Side};
use crate::observe::{Observation, SyncState};
use crate::spec::Link;

/// How long a role change may take, in milliseconds.
const CHANGE_TIMEOUT_MS: u64 = 300_000;

/// How long a copy may take to follow again: it may be made anew from the beginning, in milliseconds.
const FOLLOW_TIMEOUT_MS: u64 = 6 * 24 * 3_600_000;

/// How long a backup may take, in milliseconds.
const BACKUP_TIMEOUT_MS: u64 = 24 * 3_600_000;

/// Makes one side the only primary again.
///
/// `winner` keeps its copy. What the other side has alone is backed up on SQL Server before it is given up; a managed instance takes no
/// backup to a file, so there its automatic backups are what is left of it.
///
/// # Errors
/// A side was not seen, or there are not two primaries.
pub fn repair(link: &Link, winner: Side, seen: &Observation) -> Result<Plan, PlanError> {
    let loser = winner.other();
    for side in Side::BOTH {
        let role = seen.role(side, &link.name).map_err(PlanError::side(side))?;
        if role != Some(Role::Primary) && !(side == loser && role == Some(Role::Secondary)) {
            let role = role.map_or_else(|| "in no role".to_owned(), |r| r.to_string());
            return Err(PlanError::refused(
                format!("link {} has not two primaries: {side} is {role}", link.name),
                format!("`milink doctor {}` says what it needs", link.name),
            ));
        }
    }
    let is = |side, role| Condition::Role { name: link.name.clone(), side, role };
    let mut steps = Vec::new();
    let mut notes = vec![format!(
        "The {winner} stays primary. What the {loser} has committed alone is given up, once it is saved. Nobody may be connected to \
         it there: what is committed after the backup would be lost without a trace."
    )];
    match loser {
        // A secondary takes no such backup, and gives up what it has alone as soon as it follows.
        Side::SqlServer if seen.role(loser, &link.name) == Ok(Some(Role::Secondary)) => notes.push(
            "SQL Server is secondary already: what it had alone cannot be backed up any more.".to_owned(),
        ),
        Side::SqlServer => steps.extend(link.databases.iter().map(|d| save(link, d, seen))),
        Side::Managed => notes.push(
            "The managed instance's own backups keep what it has alone: a point in time before now can be restored to another name."
                .to_owned(),
        ),
    }
    let demote = match loser {
        Side::SqlServer => Action::sql(Statement::SetRoleSecondary { name: link.name.clone() }),
        Side::Managed => Action::arm(ArmCall::SetRole {
            name: link.name.clone(),
            role: Role::Secondary,
            change: RoleChange::Forced,
        }),
    };
    let quiet = link.databases.iter().map(|d| nobody_connected(loser, d));
    steps.push(Step {
        requires: Condition::All { of: std::iter::once(is(winner, Role::Primary)).chain(quiet).collect() },
        timeout_ms: CHANGE_TIMEOUT_MS,
        undo: Undo::Impossible { why: "it would be a second primary again".to_owned() },
        repeat: Repeat::Safe,
        irreversible: true,
        ..step(
            "demote",
            &format!("Demote the {loser}"),
            Phase::Demote,
            Some(demote),
            is(loser, Role::Secondary),
        )
    });
    // The winner, too, may have been suspended, by the other side's promotion.
    steps.extend(link.databases.iter().map(|d| resume(link, d)));
    steps.push(Step {
        timeout_ms: FOLLOW_TIMEOUT_MS,
        ..step(
            "follow",
            &format!(
                "See the {loser} follow the {winner}: it gives up what it has alone, or gets a new copy"
            ),
            Phase::Verify,
            None,
            Condition::Following {
                name: link.name.clone(),
                databases: link.databases.clone(),
                primary: winner,
            },
        )
    });
    Ok(Plan { verb: Verb::Repair, link: link.clone(), steps, notes })
}

/// Whoever is connected may commit between the backup and the demotion, and nothing would have that.
fn nobody_connected(side: Side, database: &str) -> Condition {
    Condition::NobodyConnected { side, database: database.to_owned() }
}

fn save(link: &Link, database: &str, seen: &Observation) -> Step {
    let stamp: String = seen.at.to_string().chars().filter(char::is_ascii_digit).take(14).collect();
    let folder =
        link.sql_server.backup_folder.clone().or_else(|| seen.sql_server.known()?.backup_folder.clone());
    let file = format!("{database}_before_repair_{stamp}.bak");
    let path = match folder {
        Some(folder) if folder.contains('\\') => format!("{}\\{file}", folder.trim_end_matches('\\')),
        Some(folder) => format!("{}/{file}", folder.trim_end_matches('/')),
        // A file without a path goes into the server's folder for backups.
        None => file,
    };
    Step {
        requires: Condition::All {
            of: vec![
                Condition::Role { name: link.name.clone(), side: Side::SqlServer, role: Role::Primary },
                nobody_connected(Side::SqlServer, database),
            ],
        },
        timeout_ms: BACKUP_TIMEOUT_MS,
        repeat: Repeat::Safe,
        ..step(
            &format!("save-{database}"),
            &format!("Back up {database} on SQL Server, with what it has alone"),
            Phase::Backup,
            Some(Action::sql(Statement::BackupDatabase {
                database: database.to_owned(),
                path,
                copy_only: true,
            })),
            Condition::Confirmed,
        )
    }
}

/// Data movement is suspended after a forced failover (SUSPEND_FROM_PARTNER), until somebody resumes it.
fn resume(link: &Link, database: &str) -> Step {
    Step {
        timeout_ms: CHANGE_TIMEOUT_MS,
        repeat: Repeat::Safe,
        ..step(
            &format!("resume-{database}"),
            &format!("Resume data movement of {database} on SQL Server"),
            Phase::Verify,
            Some(Action::sql(Statement::ResumeDatabase { database: database.to_owned() })),
            Condition::NotSuspended {
                name: link.name.clone(),
                side: Side::SqlServer,
                database: database.to_owned(),
            },
        )
    }
}

/// Whether two copies have gone different ways, as far as views tell: both are primary, or one says that it takes pages back.
pub fn has_parted(link: &Link, seen: &Observation) -> bool {
    let primaries =
        Side::BOTH.into_iter().filter(|s| seen.role(*s, &link.name) == Ok(Some(Role::Primary))).count();
    let reverts = Side::BOTH.into_iter().any(|side| {
        let group = seen.distributed(side, &link.name).ok().flatten();
        group.is_some_and(|g| {
            g.databases
                .iter()
                .any(|d| d.local && matches!(d.state, Some(SyncState::Reverting | SyncState::Initializing)))
        })
    });
    primaries == 2 || reverts
}
