//! What is in a database: files and features that the other side does not take, or that change their meaning there.

use super::catalogue::{
    DATABASE_ADR, DATABASE_BROKER, DATABASE_CDC, DATABASE_DEFUNCT, DATABASE_ENCRYPTION, DATABASE_FILES,
    DATABASE_FILESTREAM, DATABASE_LOG_FILES, DATABASE_MEMORY, DATABASE_PUBLISHED, DATABASE_VERSION_STORE,
};
use super::database::Case;
use super::judge::Judge;
use crate::facts::limits::LOG_FILES;
use crate::facts::version::Release;
use crate::finding::Finding;
use crate::names::Side;
use crate::observe::{Database, Encryption, Tier};

pub(super) fn checks(case: &Case<'_>) -> Vec<Finding> {
    vec![
        log_files(case),
        filestream(case),
        memory(case),
        defunct(case),
        files(case),
        encryption(case),
        accelerated_recovery(case),
        version_store(case),
        broker(case),
        change_data_capture(case),
        published(case),
    ]
}

/// `sys.master_files` shows nothing to a login without rights: a database without files is one whose files are hidden.
fn files_of(database: &Database) -> Result<&Database, String> {
    if database.data_files == 0 && database.log_files == 0 {
        Err("the files are hidden from this login (sys.master_files: VIEW ANY DEFINITION)".to_owned())
    } else {
        Ok(database)
    }
}

fn log_files(case: &Case<'_>) -> Finding {
    case.on_sql_server(DATABASE_LOG_FILES, "one log file", |judge, d| {
        judge.look(files_of(d), |judge, d| {
            judge.judge(u64::from(d.log_files) == LOG_FILES, format!("{} log files", d.log_files)).advise(
                "back the log up until the extra files are empty, then ALTER DATABASE ... REMOVE FILE",
            )
        })
    })
}

fn filestream(case: &Case<'_>) -> Finding {
    case.on_sql_server(DATABASE_FILESTREAM, "none", |judge, d| {
        judge.look(files_of(d), |judge, d| {
            judge
                .judge(!d.filestream, if d.filestream { "there is a FILESTREAM filegroup" } else { "none" })
                .advise("move that data elsewhere, and remove the filegroup")
        })
    })
}

fn memory(case: &Case<'_>) -> Finding {
    let wanted = "none; or one container, empty or on Business Critical";
    case.on_sql_server(DATABASE_MEMORY, wanted, |judge, d| {
        judge.look(files_of(d), |judge, d| {
            let memory = d.memory_optimized;
            let tables = memory.tables.map_or_else(|| "an unknown number of".to_owned(), |t| t.to_string());
            let seen = format!("{} containers, {tables} tables", memory.containers);
            let found = match memory.containers {
                0 => judge.pass("no memory-optimized filegroup"),
                1 => judge.look(case.scene.azure(), |judge, azure| {
                    in_tier(judge, azure.tier, memory.tables, &seen)
                }),
                _ => judge.fail(seen),
            };
            found.advise(
                "empty the memory-optimized filegroup, or link to an instance of the Business Critical tier",
            )
        })
    })
}

fn in_tier(judge: Judge, tier: Tier, tables: Option<u32>, seen: &str) -> Finding {
    let seen = format!("{seen}, {tier}");
    match (tier, tables) {
        (Tier::BusinessCritical, _) | (Tier::GeneralPurpose | Tier::NextGenGeneralPurpose, Some(0)) => {
            judge.pass(seen)
        }
        (Tier::GeneralPurpose | Tier::NextGenGeneralPurpose, Some(_)) => judge.fail(seen),
        (Tier::GeneralPurpose | Tier::NextGenGeneralPurpose, None) => {
            judge.unknown(format!("{seen}: this login may not see what is in the filegroup"))
        }
    }
}

fn defunct(case: &Case<'_>) -> Finding {
    case.on_sql_server(DATABASE_DEFUNCT, "none", |judge, d| {
        judge.look(files_of(d), |judge, d| {
            judge
                .judge(d.defunct_files == 0, format!("{} files are DEFUNCT", d.defunct_files))
                .advise("remove the defunct filegroup; where that fails, copy the database into a new one and link that")
        })
    })
}

/// The documents give no number; that one file of each kind is taken is certain.
fn files(case: &Case<'_>) -> Finding {
    case.on_sql_server(DATABASE_FILES, "what the managed instance takes", |judge, d| {
        judge.look(files_of(d), |judge, d| {
            let seen = format!("{} data files, {} log files", d.data_files, d.log_files);
            if d.data_files <= 1 {
                judge.pass(seen)
            } else {
                judge
                    .unknown(format!("{seen}: the limit of the managed instance is not in the documents"))
                    .advise("compare with the resource limits of the managed instance's tier; move data into fewer files if need be")
            }
        })
    })
}

fn encryption(case: &Case<'_>) -> Finding {
    let other = case.link.initial_primary.other();
    case.on(DATABASE_ENCRYPTION, format!("not encrypted, or with a key that {other} has"), |judge, d| {
        if !d.encryption.on {
            return judge.pass("not encrypted");
        }
        match case.link.initial_primary {
            Side::SqlServer => from_sql_server(case, judge, &d.encryption),
            Side::Managed => from_managed(judge, &d.encryption),
        }
    })
}

fn key_of(encryption: &Encryption) -> String {
    let kind = encryption.encryptor.as_deref().unwrap_or("a key that is hidden from this login");
    match &encryption.thumbprint {
        Some(thumbprint) => format!("encrypted by {kind} {thumbprint}"),
        None => format!("encrypted by {kind}"),
    }
}

/// The managed instance shows certificates that were uploaded for encryption among those of its `master`.
fn from_sql_server(case: &Case<'_>, judge: Judge, encryption: &Encryption) -> Finding {
    let seen = key_of(encryption);
    let there = case.scene.managed().ok().and_then(|i| i.certificates.as_ref()).is_some_and(|all| {
        let same = |t: &String| {
            all.iter().any(|c| c.thumbprint.to_string().eq_ignore_ascii_case(t.trim_start_matches("0x")))
        };
        encryption.thumbprint.as_ref().is_some_and(same)
    });
    if there {
        return judge.pass(format!("{seen}, which the managed instance has"));
    }
    judge.unknown(format!("{seen}; no view of the managed instance shows whether it has that key")).advise(
        "upload the certificate with its private key to the managed instance (Add-AzSqlManagedInstanceTransparentDataEncryptionCertificate), \
         or use a key vault that both reach",
    )
}

/// A service-managed key is a certificate, a customer-managed one an asymmetric key of the key vault.
fn from_managed(judge: Judge, encryption: &Encryption) -> Finding {
    let seen = key_of(encryption);
    let advice =
        "encrypt it with a customer-managed key that SQL Server can reach too, or switch encryption off";
    match encryption.encryptor.as_deref() {
        Some(kind) if kind.eq_ignore_ascii_case("CERTIFICATE") => {
            judge.fail(format!("{seen}: a service-managed key")).advise(advice)
        }
        Some(_) => judge.unknown(format!("{seen}; whether SQL Server can use that key is not shown")).advise(
            "let SQL Server reach the key vault (on Linux from 2022 CU14 on), and open the key there",
        ),
        None => judge.unknown(seen).advise(advice),
    }
}

fn accelerated_recovery(case: &Case<'_>) -> Finding {
    case.on_sql_server(DATABASE_ADR, "on, unless it is to stay off for good", |judge, d| {
        match (knows_recovery(case), d.accelerated_recovery) {
            (false, _) => judge.skip("this release does not have it"),
            (true, Some(on)) => judge
                .judge(on, if on { "on" } else { "off" })
                .advise("ALTER DATABASE ... SET ACCELERATED_DATABASE_RECOVERY = ON before the link is made, if it is wanted"),
            (true, None) => judge.unknown("sys.databases does not show it to this login"),
        }
    })
}

fn knows_recovery(case: &Case<'_>) -> bool {
    case.scene.sql_server().is_ok_and(|i| i.version.major() >= Release::V2019.major())
}

fn version_store(case: &Case<'_>) -> Finding {
    case.on_sql_server(DATABASE_VERSION_STORE, "on PRIMARY", |judge, d| {
        match (d.accelerated_recovery, d.version_store_on_primary) {
            (Some(true), Some(on)) => judge
                .judge(on, if on { "on PRIMARY" } else { "on another filegroup" })
                .advise("switch accelerated recovery off, and on again with its store on PRIMARY, before the link is made"),
            (Some(true), None) => judge.unknown(
                "sys.dm_tran_persistent_version_store_stats does not show it to this login (VIEW SERVER STATE)",
            ),
            (Some(false) | None, _) => judge.skip("accelerated database recovery is not on"),
        }
    })
}

fn broker(case: &Case<'_>) -> Finding {
    case.on_sql_server(DATABASE_BROKER, "enabled, unless it is never to be used", |judge, d| {
        judge
            .judge(d.broker_enabled, if d.broker_enabled { "enabled" } else { "disabled" })
            .advise("ALTER DATABASE ... SET ENABLE_BROKER before the link is made, if it is wanted")
    })
}

fn change_data_capture(case: &Case<'_>) -> Finding {
    case.on(DATABASE_CDC, "off", |judge, d| {
        judge
            .judge(!d.cdc_enabled, if d.cdc_enabled { "on" } else { "off" })
            .advise("note its settings: its jobs are made again on the other side after a failover")
    })
}

fn published(case: &Case<'_>) -> Finding {
    case.on(DATABASE_PUBLISHED, "no publication", |judge, d| {
        judge.judge(!d.published, if d.published { "it publishes" } else { "none" }).advise(
            "note its settings: the publication is configured again on the other side after a failover",
        )
    })
}
