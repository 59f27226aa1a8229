//! Each database of each link, on the side that has it.

use super::catalogue::{
    Check, DATABASE_BACKUP, DATABASE_CHECKSUMS, DATABASE_EXISTS, DATABASE_GROUP, DATABASE_LINKED,
    DATABASE_NAME_FREE, DATABASE_ONLINE, DATABASE_RECOVERY, DATABASE_SYSTEM,
};
use super::judge::Judge;
use super::scene::{Scene, has_permission, key, size};
use crate::action::{Action, Statement};
use crate::finding::{Finding, Subject};
use crate::names::{Role, Side};
use crate::observe::{Database, Instance, RecoveryModel, same_name};
use crate::spec::Link;

/// A database of a link, where the data is before the link is made.
pub(super) struct Case<'a> {
    pub(super) scene: &'a Scene<'a>,
    pub(super) link: &'a Link,
    pub(super) name: &'a str,
    /// The database, or why nothing is known of it.
    pub(super) found: Result<&'a Database, String>,
}

impl<'a> Case<'a> {
    pub(super) fn new(scene: &'a Scene<'a>, link: &'a Link, name: &'a str) -> Case<'a> {
        let side = link.initial_primary;
        let found = scene
            .database(side, name)
            .and_then(|found| found.ok_or_else(|| format!("no database {name} is seen on {side}")));
        Case { scene, link, name, found }
    }

    pub(super) fn begin(&self, check: Check, wanted: impl Into<String>) -> Judge {
        let subject = Subject::Database { side: self.link.initial_primary, name: self.name.to_owned() };
        check.of(subject, wanted)
    }

    /// A check of the database, whichever side has it.
    pub(super) fn on(
        &self,
        check: Check,
        wanted: impl Into<String>,
        look: impl FnOnce(Judge, &'a Database) -> Finding,
    ) -> Finding {
        self.begin(check, wanted).look(self.found.clone(), look)
    }

    /// A check that is about databases of SQL Server only.
    pub(super) fn on_sql_server(
        &self,
        check: Check,
        wanted: impl Into<String>,
        look: impl FnOnce(Judge, &'a Database) -> Finding,
    ) -> Finding {
        match self.link.initial_primary {
            Side::SqlServer => self.on(check, wanted, look),
            Side::Managed => self.begin(check, wanted).skip("the managed instance is the initial primary"),
        }
    }
}

pub(super) fn checks(case: &Case<'_>) -> Vec<Finding> {
    vec![
        exists(case),
        system(case),
        online(case),
        group(case),
        linked(case),
        name_free(case),
        recovery(case),
        backup(case),
        checksums(case),
    ]
}

fn exists(case: &Case<'_>) -> Finding {
    let side = case.link.initial_primary;
    let judge = case.begin(DATABASE_EXISTS, format!("on {side}"));
    let found = match case.scene.side(side) {
        Err(why) => judge.unknown(why),
        Ok(instance) => match &case.found {
            Ok(database) => judge.pass(size(database.size_bytes)),
            Err(why) if sees_databases(instance) => judge.fail(why.clone()),
            Err(why) => judge.unknown(format!("{why}, and this login lacks VIEW ANY DATABASE")),
        },
    };
    found.advise("name a database that is there, or the other side as the initial primary")
}

/// Everybody has VIEW ANY DATABASE unless it was taken away.
fn sees_databases(instance: &Instance) -> bool {
    instance.is_sysadmin == Some(true)
        || ["VIEW ANY DATABASE", "ALTER ANY DATABASE", "CONTROL SERVER"]
            .iter()
            .any(|p| has_permission(instance, p))
}

fn system(case: &Case<'_>) -> Finding {
    let system = ["master", "model", "msdb", "tempdb"];
    let is_system = system.iter().any(|s| same_name(s, case.name));
    case.begin(DATABASE_SYSTEM, "a user database")
        .judge(!is_system, if is_system { "a system database" } else { "a user database" })
        .advise("name a user database")
}

/// Whether SQL Server is this link's secondary, whose copy is not to be written to.
fn is_secondary(case: &Case<'_>) -> bool {
    let group = case.scene.distributed(&case.link.name);
    case.scene.is_on_sql_server(case.link) && group.is_some_and(|g| g.role == Some(Role::Secondary))
}

fn online(case: &Case<'_>) -> Finding {
    case.on(DATABASE_ONLINE, "ONLINE, and not read-only", |judge, d| {
        if case.link.initial_primary == Side::SqlServer && is_secondary(case) {
            return judge.skip("SQL Server is the link's secondary now");
        }
        let seen = format!("{}{}", d.state, if d.read_only { ", read-only" } else { "" });
        judge
            .judge(d.state == "ONLINE" && !d.read_only, seen)
            .advise("bring the database online, and let it be written to (SET READ_WRITE)")
    })
}

fn group(case: &Case<'_>) -> Finding {
    let wanted = format!("no group, or {}", case.link.sql_group);
    case.on_sql_server(DATABASE_GROUP, wanted, |judge, d| match &d.group {
        None => judge.pass("in no group"),
        Some(group) => {
            judge.judge(same_name(group, &case.link.sql_group), format!("in {group}")).advise(format!(
                "use that group for the link (sqlServer.availabilityGroup), or take the database out of it \
             (ALTER AVAILABILITY GROUP [{group}] REMOVE DATABASE)"
            ))
        }
    })
}

/// A database of the managed instance that another link carries.
fn linked(case: &Case<'_>) -> Finding {
    case.begin(DATABASE_LINKED, "in no other link").look(case.scene.azure(), |judge, _| {
        let carries = |l: &&crate::observe::AzureLink| {
            !same_name(&l.name, &case.link.name) && l.databases.iter().any(|d| same_name(&d.name, case.name))
        };
        match case.scene.azure_links().find(carries) {
            None => judge.pass("in none"),
            Some(other) => judge
                .fail(format!("link {} carries it", other.name))
                .advise("drop the other link first, or adopt it"),
        }
    })
}

fn name_free(case: &Case<'_>) -> Finding {
    let other = case.link.initial_primary.other();
    let wanted = format!("no database of that name on {other}, or this link's copy");
    let judge = case.begin(DATABASE_NAME_FREE, wanted);
    match other {
        Side::Managed => free_on_managed(case, judge),
        Side::SqlServer => free_on_sql_server(case, judge),
    }
    .advise(format!("drop or rename the one on {other}, after looking what it is"))
}

const OWN_COPY: &str = "this link's copy is there";

/// Azure lists all databases, whoever asks; what the managed instance shows itself counts too.
fn free_on_managed(case: &Case<'_>, judge: Judge) -> Finding {
    let (scene, name) = (case.scene, case.name);
    let half = scene.managed().ok().and_then(|i| i.distributed(&case.link.name));
    let described = scene.azure_link(&case.link.name).filter(|_| scene.is_in_azure(case.link));
    let in_azure = described.is_some_and(|l| l.databases.is_empty() || l.database(name).is_some());
    if in_azure || half.is_some_and(|g| g.local_database(name).is_some()) {
        return judge.pass(OWN_COPY);
    }
    let over_tds = scene.database(Side::Managed, name).ok().flatten().map(|d| d.state.clone());
    match (scene.azure(), scene.azure_database(name).map(|d| d.status.clone()).or(over_tds)) {
        // What is there may be this link's copy, which nobody shows as such.
        (Err(why), Some(_)) if half.is_some() => judge.unknown(why),
        (_, Some(state)) => judge.fail(format!("the managed instance has a database {name} ({state})")),
        (Ok(_), None) => judge.pass("free"),
        (Err(why), None) => judge.unknown(why),
    }
}

fn free_on_sql_server(case: &Case<'_>, judge: Judge) -> Finding {
    let (scene, name) = (case.scene, case.name);
    judge.look(scene.sql_server(), |judge, i| match i.database(name) {
        Some(there) => {
            let group = there.group.as_deref().is_some_and(|g| key(g) == key(&case.link.sql_group));
            if group && scene.is_on_sql_server(case.link) {
                judge.pass(OWN_COPY)
            } else {
                judge.fail(format!("SQL Server has a database {name} ({})", there.state))
            }
        }
        None if sees_databases(i) => judge.pass("free"),
        None => judge.unknown(format!("no database {name} is seen, and this login lacks VIEW ANY DATABASE")),
    })
}

fn recovery(case: &Case<'_>) -> Finding {
    case.on_sql_server(DATABASE_RECOVERY, "FULL", |judge, d| {
        judge.judge(d.recovery_model == RecoveryModel::Full, d.recovery_model.tsql()).mend(
            "set it, back up, and back up the log regularly from then on: it is not truncated by itself any more",
            vec![set_recovery(case.name)],
            true,
        )
    })
}

fn set_recovery(database: &str) -> Action {
    Action::sql(Statement::SetRecoveryFull { database: database.to_owned() })
}

fn backup(case: &Case<'_>) -> Finding {
    case.on_sql_server(DATABASE_BACKUP, "a full backup that is not copy-only, and a log chain since", |judge, d| {
        let last = d.last_full_backup.as_ref().map(|b| b.finished);
        let said = last.map_or_else(|| "no full backup is on record".to_owned(), |at| format!("last full backup at {at}"));
        let found = match (d.log_chain, last) {
            (Some(true), Some(_)) => judge.pass(said),
            (Some(true), None) => judge.pass("the log chain has begun; the backup is on record no longer"),
            (Some(false), _) => judge.fail(format!("{said}, and the log chain has not begun since")),
            (None, Some(_)) => judge.pass(format!("{said} (whether the log chain still stands is hidden from this login)")),
            (None, None) => judge.unknown(format!(
                "{said}, and the log chain (sys.database_recovery_status) is hidden from this login (VIEW ANY DEFINITION)"
            )),
        };
        let mut actions = Vec::new();
        if d.recovery_model != RecoveryModel::Full {
            actions.push(set_recovery(case.name));
        }
        actions.push(Action::sql(Statement::BackupDatabase {
            database: case.name.to_owned(),
            path: backup_path(case),
            copy_only: false,
        }));
        found.mend("make a full backup", actions, true)
    })
}

/// The file of a backup. Without a folder the server puts it into its default one.
fn backup_path(case: &Case<'_>) -> String {
    let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let name: String = case.name.chars().map(plain).collect();
    let file = format!("{name}_{}.bak", case.scene.seen.at.file_stamp());
    let default = || case.scene.sql_server().ok().and_then(|i| i.backup_folder.clone());
    match case.link.sql_server.backup_folder.clone().or_else(default) {
        None => file,
        Some(folder) => {
            let separator = if folder.contains('/') { '/' } else { '\\' };
            format!("{}{separator}{file}", folder.trim_end_matches(['/', '\\']))
        }
    }
}

fn checksums(case: &Case<'_>) -> Finding {
    case.on_sql_server(DATABASE_CHECKSUMS, "WITH CHECKSUM", |judge, d| match &d.last_full_backup {
        None => judge.skip("no full backup is on record"),
        Some(backup) => judge
            .judge(
                backup.checksums,
                format!(
                    "the backup of {} is {} checksums",
                    backup.finished,
                    if backup.checksums { "with" } else { "without" }
                ),
            )
            .advise("make backups WITH CHECKSUM"),
    })
}
