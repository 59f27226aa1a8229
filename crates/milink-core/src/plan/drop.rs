//! Removing a link, and what is left over of links.
//!
//! The managed instance's half goes first: from then on both databases are independent. Then SQL Server's distributed group, its
//! availability group if nothing else stands on it, and trust that no other link uses.

mod purge;
mod trust;

pub use purge::{Leftover, Purge, purge};

use super::draft::{Draft, OPERATION_MS, of_database};
use super::failover::primary;
use super::{Condition, Phase, Plan, PlanError, Step, Verb, hardened_lsn};
use crate::action::{Action, ArmCall, Statement};
use crate::names::{Role, Side};
use crate::observe::{Observation, Seen};
use crate::spec::Link;

/// What goes with a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DropOptions {
    /// The availability group on SQL Server stays.
    pub keep_group: bool,
    /// Certificates and the endpoint go, where nothing else uses them.
    pub clean_trust: bool,
    /// The secondary's copy goes as well.
    pub delete_copy: bool,
    /// Neither are both sides asked to be equal, nor need each of them answer.
    pub force: bool,
}

impl Default for DropOptions {
    fn default() -> DropOptions {
        DropOptions { keep_group: false, clean_trust: true, delete_copy: false, force: false }
    }
}

/// The plan that removes a link.
///
/// # Errors
/// A side was not seen and `force` is not given, there is no such link, or nobody can tell which copy stays.
pub fn drop(link: &Link, seen: &Observation, options: DropOptions) -> Result<Plan, PlanError> {
    let sides = Sides::of(link, seen, options)?;
    let mut draft = Draft::new(seen);
    let guards = guards(link, seen, options, &sides, &mut draft)?;
    let gone = Condition::NoAzureLink { name: link.name.clone() };
    let dropped = Condition::GroupAbsent { name: link.name.clone() };
    if sides.azure {
        let delete = Action::arm(ArmCall::DeleteLink { name: link.name.clone() });
        draft.add(
            Step::new("delete-link", "Remove the link in Azure", Phase::Cleanup, delete, gone.clone())
                // A second DELETE does no harm: Azure answers that there is none.
                .requires(guards.clone())
                .within(OPERATION_MS)
                .for_good("the link is gone; it can be made again, with a new first copy"),
        );
    }
    if sides.sql_server {
        let drop = Action::sql(Statement::DropGroup { name: link.name.clone() });
        let title = "Drop the distributed availability group on SQL Server";
        draft.add(
            Step::new("drop-distributed", title, Phase::Cleanup, drop, dropped)
                // Without Azure's half there is none to wait for.
                .requires(if sides.azure { gone } else { guards })
                .once()
                .for_good("the link is gone; it can be made again, with a new first copy"),
        );
    }
    if !draft.steps.is_empty() {
        independent(link, seen, &mut draft);
    }
    if sides.sql_server && !options.keep_group {
        group(link, seen, &mut draft);
    }
    if options.delete_copy {
        copies(link, &sides, &mut draft)?;
    }
    if options.clean_trust && !options.keep_group {
        trust::clean(link, seen, &mut draft);
    }
    Ok(Plan { verb: Verb::Drop, link: link.clone(), steps: draft.steps, notes: draft.notes })
}

/// Which halves can be worked on.
struct Sides {
    sql_server: bool,
    azure: bool,
    /// Who is primary, if that is certain.
    primary: Option<Side>,
}

impl Sides {
    fn of(link: &Link, seen: &Observation, options: DropOptions) -> Result<Sides, PlanError> {
        let known = |answer: Result<(), PlanError>| match answer {
            Ok(()) => Ok(true),
            Err(_) if options.force => Ok(false),
            Err(e) => Err(e),
        };
        let sql_server = known(seen.sql_server.get().map(|_| ()).map_err(PlanError::side(Side::SqlServer)))?;
        let azure = known(seen.azure.get().map(|_| ()).map_err(PlanError::azure))?;
        let half = seen.distributed(Side::SqlServer, &link.name).ok().flatten().is_some();
        let described = seen.azure_link(&link.name).ok().flatten().is_some();
        if !half && !described {
            return Err(PlanError::refused(
                format!("neither SQL Server nor Azure shows a link {}", link.name),
                "`milink list` shows what there is, `milink purge` what is left over of links",
            ));
        }
        let primary = match primary(link, seen) {
            Ok(side) => Some(side),
            // Where one half is missing there is nothing more to lose by removing the other.
            Err(_) if options.force || !half || !described => None,
            Err(e) => return Err(e),
        };
        Ok(Sides { sql_server, azure, primary })
    }
}

/// What must hold before anything is removed, unless that is forced.
fn guards(
    link: &Link,
    seen: &Observation,
    options: DropOptions,
    sides: &Sides,
    draft: &mut Draft<'_>,
) -> Result<Condition, PlanError> {
    let mut of = Vec::new();
    if sides.primary == Some(Side::Managed) {
        // Without it a restart may leave the database unavailable until Azure's support repairs it: that is never forced.
        of.extend(
            link.databases.iter().map(|d| Condition::FullBackup { side: Side::Managed, database: d.clone() }),
        );
    }
    if options.force {
        lost(link, seen, sides, draft);
    } else if let Some(primary) = sides.primary {
        of.push(Condition::NothingBehind {
            name: link.name.clone(),
            primary,
            databases: link.databases.clone(),
        });
        let nobody = |d: &String| Condition::NobodyConnected { side: primary, database: d.clone() };
        of.extend(link.databases.iter().map(nobody));
    }
    Ok(Condition::All { of })
}

/// What a forced removal leaves behind, in numbers.
fn lost(link: &Link, seen: &Observation, sides: &Sides, draft: &mut Draft<'_>) {
    for database in &link.databases {
        let lsn = |side| hardened_lsn(seen, side, &link.name, database);
        let said = match (lsn(Side::SqlServer), lsn(Side::Managed)) {
            (Ok(one), Ok(two)) if one == two => format!("{database}: both sides have hardened {one}"),
            (Ok(one), Ok(two)) => {
                let behind = if one < two { Side::SqlServer } else { Side::Managed };
                format!(
                    "{database}: SQL Server has hardened {one}, the managed instance {two}; what the {behind} lacks it will never get"
                )
            }
            (Err(why), _) | (_, Err(why)) => format!("{database}: nobody can tell what a side lacks: {why}"),
        };
        draft.note(said);
    }
    let missing = [(sides.sql_server, "SQL Server"), (sides.azure, "Azure")];
    for (_, name) in missing.iter().filter(|(there, _)| !there) {
        draft.note(format!(
            "{name} does not answer: its half of the link stays, and has to be removed later (`milink purge`)"
        ));
    }
}

/// Both copies are databases of their own afterwards.
fn independent(link: &Link, seen: &Observation, draft: &mut Draft<'_>) {
    let has = |side: Side, d: &str| match side {
        Side::SqlServer => seen.sql_server.known().is_some_and(|i| i.database(d).is_some()),
        Side::Managed => {
            seen.managed.known().is_some_and(|i| i.database(d).is_some())
                || seen.azure.known().is_some_and(|a| a.database(d).is_some())
        }
    };
    let online = |side| {
        let there = link.databases.iter().filter(move |d| has(side, d));
        there.map(move |d| Condition::DatabaseOnline { side, database: d.clone() })
    };
    let of: Vec<Condition> = Side::BOTH.into_iter().flat_map(online).collect();
    // It holds already where nothing was seeded; after the removal it is asked again.
    draft.steps.push(Step::wait(
        "wait-independent",
        "See the databases ONLINE by themselves",
        Phase::Verify,
        Condition::All { of },
        OPERATION_MS,
    ));
}

/// The availability group, unless something else needs it.
fn group(link: &Link, seen: &Observation, draft: &mut Draft<'_>) {
    let name = &link.sql_group;
    let Seen::At { value: server, .. } = &seen.sql_server else { return };
    let Some(there) = server.group(name) else { return };
    let others: Vec<&str> = server
        .groups
        .iter()
        .filter(|g| g.distributed && g.name != link.name && g.replica(name).is_some())
        .map(|g| g.name.as_str())
        .collect();
    if !others.is_empty() {
        draft.note(format!("availability group {name} stays: {} stands on it", others.join(", ")));
        return;
    }
    if there.replicas.len() > 1 {
        draft.note(format!("availability group {name} stays: it has {} replicas", there.replicas.len()));
        return;
    }
    let drop = Action::sql(Statement::DropGroup { name: name.clone() });
    let title = format!("Drop availability group {name}; its databases stay");
    draft.add(
        Step::new("drop-group", title, Phase::Cleanup, drop, Condition::GroupAbsent { name: name.clone() })
            .requires(Condition::NothingOnGroup { name: name.clone() })
            .once(),
    );
}

/// The secondary's copies.
fn copies(link: &Link, sides: &Sides, draft: &mut Draft<'_>) -> Result<(), PlanError> {
    let Some(primary) = sides.primary else {
        return Err(PlanError::refused(
            "nobody can tell which copy is the secondary's",
            "remove the link first, and then the database that is not wanted",
        ));
    };
    for database in &link.databases {
        draft.add(delete_copy(link, primary.other(), database));
    }
    Ok(())
}

/// A copy is deleted only where its link is gone for certain, and the other copy is there.
pub(super) fn delete_copy(link: &Link, side: Side, database: &str) -> Step {
    let action = match side {
        Side::SqlServer => Action::sql(Statement::DropDatabase { database: database.to_owned() }),
        Side::Managed => Action::arm(ArmCall::DeleteDatabase { name: database.to_owned() }),
    };
    let step = Step::new(
        of_database("delete-copy", &link.databases, database),
        format!("Delete the copy of {database} on the {side}"),
        Phase::Cleanup,
        action,
        Condition::DatabaseAbsent { side, database: database.to_owned() },
    )
    .requires(Condition::All {
        of: vec![
            Condition::NoAzureLink { name: link.name.clone() },
            Condition::GroupAbsent { name: link.name.clone() },
            Condition::DatabaseOnline { side: side.other(), database: database.to_owned() },
        ],
    })
    .within(OPERATION_MS)
    .for_good("the copy is gone");
    match side {
        Side::SqlServer => step.once(),
        // A second DELETE does no harm: Azure answers that there is none.
        Side::Managed => step,
    }
}

/// The role of the managed instance by its own word or by Azure's.
pub(super) fn managed_role(seen: &Observation, link: &str) -> Option<Role> {
    let own = seen.role(Side::Managed, link).ok().flatten();
    own.or_else(|| seen.azure_link(link).ok().flatten().and_then(|l| l.instance_role))
}
