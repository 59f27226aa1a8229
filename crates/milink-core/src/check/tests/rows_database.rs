//! Rows about links and their databases.

use super::world::*;
use crate::finding::Status::{Failed, Pass, Skipped, Unknown, Warning};
use crate::names::{CommitMode, LinkMode, Role, SeedingMode};
use crate::observe::*;

fn job(name: &str, hours: u64) -> Job {
    Job { name: name.to_owned(), enabled: true, next_run: Some(now().plus_ms(hours * 3_600_000)) }
}

fn memory(w: &mut World, containers: u32, tables: Option<u32>, tier: Tier) {
    w.database().memory_optimized = Memory { containers, tables };
    w.azure().tier = tier;
}

fn encrypt(w: &mut World, by: Option<&str>) {
    w.database().encryption =
        Encryption { on: true, encryptor: by.map(str::to_owned), thumbprint: Some("0B".repeat(20)) };
}

fn no_files(w: &mut World) {
    w.database().data_files = 0;
    w.database().log_files = 0;
}

fn another_group(w: &mut World) {
    w.linked();
    w.sql().groups[1].replicas[0].name = "AG_Other".to_owned();
}

/// The availability group is there, and no link.
fn group_only(w: &mut World) -> &mut World {
    w.linked();
    w.sql().groups.truncate(1);
    w.managed().groups.clear();
    w.managed().databases.clear();
    w.azure().links.clear();
    w.azure().databases.clear();
    w
}

pub(super) fn rows() -> Vec<Row> {
    vec![
        row("link.name", |w| w.link.name = "a/b".to_owned(), Failed, "a/b"),
        row("link.name", |w| w.multi_database().link.name = "Sales_Link".to_owned(), Failed, "lowercase"),
        row("link.group-names", |w| w.link.managed_group = "ag_SALES".to_owned(), Failed, "different names"),
        row("link.databases", |w| w.link.databases.push("Stock".to_owned()), Failed, "2 databases"),
        row(
            "link.databases",
            |w| w.multi_database().link.databases.push("Stock".to_owned()),
            Pass,
            "2 databases",
        ),
        row("link.seeding-mode", |w| w.link.seeding_mode = SeedingMode::Manual, Failed, "Manual"),
        row("link.commit-mode", |w| w.link.commit_mode = CommitMode::Synchronous, Warning, "Sync"),
        row("link.name-free", |_| {}, Pass, "free on both sides"),
        row("link.name-free", |w| w.linked().end(), Pass, "this link is there on both sides"),
        row("link.name-free", another_group, Failed, "AG_Other"),
        row(
            "link.name-free",
            |w| w.linked().azure().links[0].partner_group = Some("AG_X".to_owned()),
            Failed,
            "other groups",
        ),
        row(
            "link.name-free",
            |w| group_only(w).link.name = "AG_Sales".to_owned(),
            Failed,
            "availability group AG_Sales",
        ),
        row("link.name-free", |w| w.blind().end(), Unknown, "hidden"),
        row("link.name-free", World::without_azure, Unknown, "AuthorizationFailed"),
        row("link.sql-group", |_| {}, Pass, "AG_Sales is free"),
        row("link.sql-group", |w| group_only(w).end(), Pass, "AG_Sales is there, with 1 of 1"),
        row(
            "link.sql-group",
            |w| {
                let mut other = database("Stock");
                other.group = Some("AG_Sales".to_owned());
                group_only(w).sql().databases.push(other);
            },
            Failed,
            "AG_Sales has Stock too",
        ),
        row(
            "link.sql-group",
            |w| group_only(w).sql().groups[0].role = Some(Role::Secondary),
            Failed,
            "SECONDARY",
        ),
        row("link.sql-group", |w| w.linked().link.sql_group = "sales".to_owned(), Failed, "distributed"),
        row("link.sql-group", |w| w.blind().end(), Unknown, "hidden"),
        row("link.listener", |_| {}, Skipped, "new"),
        row(
            "link.listener",
            |w| {
                let second = group_only(w).sql().groups[0].replicas[0].clone();
                w.sql().groups[0].replicas.push(second);
            },
            Warning,
            "2 replicas",
        ),
        row("link.listener", |w| group_only(w).end(), Pass, "one replica"),
        row("link.listener", World::without_sql, Unknown, "refused"),
        row(
            "link.managed-group",
            |w| w.azure().links = vec![azure_link("other", "AG_Sales_MI", "X")],
            Failed,
            "link other",
        ),
        row("link.managed-group", World::without_azure, Unknown, "AuthorizationFailed"),
        row("link.mode", |w| w.sql().multi_database = Some(true), Failed, "opted in"),
        row(
            "link.mode",
            |w| {
                w.linked();
                w.link.name = "second".to_owned();
                w.link.link_mode = LinkMode::MultiDatabase;
            },
            Failed,
            "link sales is SingleDatabase",
        ),
        // Another managed instance's links are not described here, and are of the mode that the server is in.
        row(
            "link.mode",
            |w| {
                w.linked();
                w.link.name = "second".to_owned();
                w.link.link_mode = LinkMode::MultiDatabase;
                w.azure().links.clear();
            },
            Failed,
            "1 links are there",
        ),
        row("link.mode", |w| w.multi_database().end(), Pass, "no link of the other mode"),
        row("link.mode", |w| w.multi_database().sql().multi_database = None, Unknown, "could not be read"),
        row("link.mode", World::without_sql, Unknown, "refused"),
        row("database.exists", |w| w.sql().databases.clear(), Failed, "no database Sales"),
        row("database.exists", |w| w.blind().sql().databases.clear(), Unknown, "VIEW ANY DATABASE"),
        row("database.exists", |w| w.from_managed().end(), Pass, "GB"),
        row("database.exists", |w| w.from_managed().without_managed(), Unknown, "time-out"),
        row("database.system", |w| w.link.databases = vec!["MSDB".to_owned()], Failed, "system"),
        row("database.online", |w| w.database().state = "RESTORING".to_owned(), Failed, "RESTORING"),
        row("database.online", |w| w.database().read_only = true, Failed, "read-only"),
        row("database.online", World::without_sql, Unknown, "refused"),
        row(
            "database.online",
            |w| w.failed_over().database().state = "RESTORING".to_owned(),
            Skipped,
            "the link's secondary now",
        ),
        row("database.group", |w| w.database().group = Some("AG_Other".to_owned()), Failed, "AG_Other"),
        row("database.group", |w| w.linked().end(), Pass, "in AG_Sales"),
        row("database.group", World::without_sql, Unknown, "refused"),
        row(
            "database.linked",
            |w| w.azure().links = vec![azure_link("other", "AG_O", "sales")],
            Failed,
            "link other",
        ),
        row("database.linked", |w| w.linked().end(), Pass, "in none"),
        row("database.linked", World::without_azure, Unknown, "AuthorizationFailed"),
        row("database.name-free", |w| w.azure().databases = vec![online("SALES")], Failed, "(Online)"),
        row("database.name-free", |w| w.managed().databases = vec![database("Sales")], Failed, "(ONLINE)"),
        row("database.name-free", |w| w.linked().end(), Pass, "this link's copy"),
        row("database.name-free", World::without_azure, Unknown, "AuthorizationFailed"),
        row(
            "database.name-free",
            |w| w.from_managed().sql().databases = vec![database("Sales")],
            Failed,
            "SQL Server has a database",
        ),
        row("database.name-free", |w| w.from_managed().blind().end(), Unknown, "VIEW ANY DATABASE"),
        row(
            "database.recovery-model",
            |w| w.database().recovery_model = RecoveryModel::Simple,
            Failed,
            "SIMPLE",
        ),
        row("database.recovery-model", World::without_sql, Unknown, "refused"),
        row("database.recovery-model", |w| w.from_managed().end(), Skipped, "initial primary"),
        row(
            "database.full-backup",
            |w| {
                w.database().log_chain = Some(false);
                w.database().last_full_backup = None;
            },
            Failed,
            "no full backup",
        ),
        // Back from SIMPLE to FULL: the old backup begins no chain.
        row("database.full-backup", |w| w.database().log_chain = Some(false), Failed, "has not begun since"),
        row("database.full-backup", |w| w.database().last_full_backup = None, Pass, "no longer"),
        row("database.full-backup", |w| w.database().log_chain = None, Pass, "last full backup"),
        row(
            "database.full-backup",
            |w| {
                w.database().log_chain = None;
                w.database().last_full_backup = None;
            },
            Unknown,
            "hidden",
        ),
        row("database.full-backup", |w| w.from_managed().end(), Skipped, "initial primary"),
        row(
            "database.backup-checksums",
            |w| w.database().last_full_backup = Some(Backup { checksums: false, ..backup(3) }),
            Warning,
            "without checksums",
        ),
        row("database.backup-checksums", World::without_sql, Unknown, "refused"),
        row("database.log-files", |w| w.database().log_files = 2, Failed, "2 log files"),
        row("database.log-files", no_files, Unknown, "hidden"),
        row("database.filestream", |w| w.database().filestream = true, Failed, "FILESTREAM"),
        row("database.filestream", no_files, Unknown, "hidden"),
        row("database.memory-optimized", |_| {}, Pass, "no memory-optimized"),
        row("database.memory-optimized", |w| memory(w, 1, Some(0), Tier::GeneralPurpose), Pass, "0 tables"),
        row("database.memory-optimized", |w| memory(w, 1, Some(2), Tier::GeneralPurpose), Failed, "2 tables"),
        row(
            "database.memory-optimized",
            |w| memory(w, 1, Some(2), Tier::BusinessCritical),
            Pass,
            "Business Critical",
        ),
        row(
            "database.memory-optimized",
            |w| memory(w, 2, Some(0), Tier::BusinessCritical),
            Failed,
            "2 containers",
        ),
        row(
            "database.memory-optimized",
            |w| memory(w, 1, None, Tier::GeneralPurpose),
            Unknown,
            "may not see",
        ),
        row("database.defunct-files", |w| w.database().defunct_files = 1, Failed, "1 files"),
        row("database.defunct-files", no_files, Unknown, "hidden"),
        row("database.files", |w| w.database().data_files = 12, Unknown, "12 data files"),
        row("database.encryption", |w| encrypt(w, Some("CERTIFICATE")), Unknown, "CERTIFICATE 0B0B"),
        row(
            "database.encryption",
            |w| {
                encrypt(w, Some("CERTIFICATE"));
                w.managed().certificates = Some(vec![certificate("tde", 11, true)]);
            },
            Pass,
            "which the managed instance has",
        ),
        row(
            "database.encryption",
            |w| encrypt(w.from_managed(), Some("CERTIFICATE")),
            Failed,
            "service-managed",
        ),
        row(
            "database.encryption",
            |w| encrypt(w.from_managed(), Some("ASYMMETRIC KEY")),
            Unknown,
            "ASYMMETRIC KEY",
        ),
        row("database.encryption", |w| encrypt(w.from_managed(), None), Unknown, "hidden"),
        row(
            "database.accelerated-recovery",
            |w| w.database().accelerated_recovery = Some(false),
            Warning,
            "off",
        ),
        row(
            "database.accelerated-recovery",
            |w| w.database().accelerated_recovery = None,
            Unknown,
            "does not show",
        ),
        row(
            "database.accelerated-recovery",
            |w| w.sql().version = "14.0.3490.10".parse().unwrap(),
            Skipped,
            "does not have it",
        ),
        row(
            "database.version-store",
            |w| w.database().version_store_on_primary = Some(false),
            Warning,
            "another filegroup",
        ),
        row(
            "database.version-store",
            |w| w.database().version_store_on_primary = None,
            Unknown,
            "VIEW SERVER STATE",
        ),
        row("database.version-store", |w| w.database().accelerated_recovery = Some(false), Skipped, "not on"),
        row("database.broker", |w| w.database().broker_enabled = false, Warning, "disabled"),
        row("database.broker", World::without_sql, Unknown, "refused"),
        row("database.change-data-capture", |w| w.database().cdc_enabled = true, Warning, "on"),
        row("database.change-data-capture", World::without_sql, Unknown, "refused"),
        row("database.replication", |w| w.database().published = true, Warning, "publishes"),
        row("database.replication", World::without_sql, Unknown, "refused"),
        row("seeding.duration", |_| {}, Pass, "10.7 GB take about 8 min"),
        row("seeding.duration", |w| w.database().size_bytes = 13_000 * GIB, Warning, "TB"),
        row("seeding.duration", |w| w.database().size_bytes = 0, Unknown, "hidden"),
        row("seeding.duration", |w| w.linked().end(), Skipped, "nothing"),
        row(
            "seeding.log-backup-jobs",
            |w| w.sql().log_backup_jobs = Some(vec![job("LogBackup", 1)]),
            Pass,
            "none of them until",
        ),
        row(
            "seeding.log-backup-jobs",
            |w| {
                w.database().size_bytes = 200 * GIB;
                w.sql().log_backup_jobs = Some(vec![job("LogBackup", 1)]);
            },
            Warning,
            "LogBackup at 2026-11-25T13:00",
        ),
        row(
            "seeding.log-backup-jobs",
            |w| {
                w.database().size_bytes = 200 * GIB;
                w.sql().log_backup_jobs = Some(vec![Job { enabled: false, ..job("LogBackup", 1) }]);
            },
            Pass,
            "none of them until",
        ),
        row(
            "seeding.log-backup-jobs",
            |w| {
                w.database().size_bytes = 200 * GIB;
                w.sql().log_backup_jobs = Some(vec![job("LogBackup", 1)]);
                w.sql().trace_flags = Some(vec![12381]);
            },
            Pass,
            "12381 keeps the log",
        ),
        row("seeding.log-backup-jobs", |w| w.sql().log_backup_jobs = None, Unknown, "msdb"),
        row(
            "seeding.log-backup-jobs",
            |w| w.from_managed().end(),
            Skipped,
            "nothing is seeded from SQL Server",
        ),
        row("seeding.log-space", |_| {}, Pass, "5 % of 2.1 GB"),
        row("seeding.log-space", |w| w.database().log_used_percent = Some(99.0), Warning, "99 %"),
        // Half of the log in an hour does not last for the two hours and a half that the copy takes.
        row(
            "seeding.log-space",
            |w| {
                w.database().log_used_percent = Some(50.0);
                w.database().size_bytes = 200 * GIB;
            },
            Warning,
            "in 2.6 h",
        ),
        row(
            "seeding.log-space",
            |w| {
                w.database().last_log_backup = None;
                w.database().log_used_percent = Some(79.0);
            },
            Pass,
            "not known",
        ),
        row("seeding.log-space", |w| w.database().log_used_percent = None, Unknown, "SQLPERF"),
        row("seeding.log-space", |w| w.linked().end(), Skipped, "the copy is being made"),
    ]
}
