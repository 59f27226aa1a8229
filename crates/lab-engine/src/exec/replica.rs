//! What a database's part in an availability group forbids.

use lab_store::BackupKind;

use crate::error::SqlError;
use crate::server::{Database, ReplicaRole};

/// Options that take a database, or its log, away from those who copy it.
fn breaks_group(option: &str, value: &str) -> bool {
    match option {
        "RECOVERY" => value != "FULL",
        "AUTO_CLOSE" => value == "ON",
        "READ_ONLY" | "OFFLINE" | "EMERGENCY" | "SINGLE_USER" | "RESTRICTED_USER" | "MODIFY NAME" => true,
        _ => false,
    }
}

/// Whether an option of a database may be set (its name changed, as `MODIFY NAME`).
///
/// # Errors
/// 5069 behind 1468, or behind what says that its primary is elsewhere.
pub(super) fn may_alter(database: &Database, option: &str, value: &str) -> Result<(), SqlError> {
    let replica = database.replica();
    let why = match replica.role {
        ReplicaRole::Secondary { .. } => SqlError::read_only_database(&database.name()),
        ReplicaRole::Resolving => SqlError::replica_resolving(&database.name()),
        _ if replica.in_group() && breaks_group(option, value) => SqlError::in_group(&database.name()),
        _ => return Ok(()),
    };
    Err(SqlError::alter_database_failed().after(why))
}

/// Whether a backup may be taken here: on a secondary full ones with COPY_ONLY, and those of the log.
///
/// # Errors
/// 983, 1468, 3059.
pub(super) fn may_back_up(
    database: &Database,
    kind: BackupKind,
    copy_only: bool,
    no_recovery: bool,
) -> Result<(), SqlError> {
    let replica = database.replica();
    match replica.role {
        ReplicaRole::Resolving => Err(SqlError::replica_resolving(&database.name())),
        ReplicaRole::Secondary { .. } if no_recovery || copy_only != (kind == BackupKind::Full) => {
            Err(SqlError::backup_on_secondary())
        }
        _ if no_recovery && replica.in_group() => Err(SqlError::in_group(&database.name())),
        _ => Ok(()),
    }
}

/// Whether a database may be replaced by a restore.
///
/// # Errors
/// 3104; 3101 while its first copy is on its way.
pub(super) fn may_restore(database: &Database) -> Result<(), SqlError> {
    if database.replica().in_group() {
        Err(SqlError::restore_in_group(&database.name()))
    } else if database.entry().seeding {
        Err(SqlError::no_exclusive_access())
    } else {
        Ok(())
    }
}

/// Whether a database may be dropped.
///
/// # Errors
/// 3752; 3702 while its first copy is on its way.
pub(super) fn may_drop(database: &Database) -> Result<(), SqlError> {
    if database.replica().in_group() {
        Err(SqlError::drop_in_group(&database.name()))
    } else if database.entry().seeding {
        Err(SqlError::database_in_use(&database.name()))
    } else {
        Ok(())
    }
}
