//! What a managed instance refuses: where files are, how long the log is kept, and when backups are taken is its own business.

use lab_tsql::ast::{
    AlterAvailabilityGroup, AvailabilityGroupStatement, BackupRestore, EndpointStatement, GroupOption,
    StatementKind,
};

use crate::error::SqlError;
use crate::session::Session;

/// Options of ALTER DATABASE that a managed instance does not let anybody set ("T-SQL differences between SQL Server and
/// Azure SQL Managed Instance", ALTER DATABASE).
const FIXED_OPTIONS: &[&str] = &[
    "AUTO_CLOSE",
    "DISABLE_BROKER",
    "EMERGENCY",
    "ENABLE_BROKER",
    "FILESTREAM",
    "HADR",
    "MULTI_USER",
    "NEW_BROKER",
    "OFFLINE",
    "ONLINE",
    "PAGE_VERIFY",
    "PARTNER",
    "READ_ONLY",
    "READ_WRITE",
    "RESTRICTED_USER",
    "SINGLE_USER",
    "TORN_PAGE_DETECTION",
    "WITNESS",
];

/// Settings of sp_configure that stand for what a managed instance does not have, or decides by itself.
const FIXED_SETTINGS: &[&str] = &[
    "allow updates",
    "backup compression default",
    "backup checksum default",
    "contained database authentication",
    "filestream access level",
    "remote access",
    "remote login timeout (s)",
    "remote proc trans",
    "xp_cmdshell",
];

/// Whether a change of a group is one of roles, which a managed instance takes part in.
fn changes_role(alter: &AlterAvailabilityGroup) -> bool {
    match alter {
        AlterAvailabilityGroup::Failover | AlterAvailabilityGroup::ForceFailoverAllowDataLoss => true,
        AlterAvailabilityGroup::Set(options) => {
            options.iter().all(|o| matches!(o.value, GroupOption::RoleSecondary))
        }
        _ => false,
    }
}

impl Session {
    /// Whether a statement may run on this instance, by what it is alone.
    ///
    /// # Errors
    /// 41906, naming it.
    pub(super) fn refuse_on_managed(&self, kind: &StatementKind) -> Result<(), SqlError> {
        if !self.server.config.flavor.is_managed() {
            return Ok(());
        }
        let refused = |what: &str| Err(SqlError::managed_no_statement(what));
        match kind {
            StatementKind::CreateDatabase { files: true, .. } => Err(SqlError::managed_no_files()),
            // Its groups and its endpoint are the platform's; roles are changed through either side.
            StatementKind::AvailabilityGroup(group) => match group {
                AvailabilityGroupStatement::Create(_) => refused("CREATE AVAILABILITY GROUP"),
                AvailabilityGroupStatement::Drop(_) => refused("DROP AVAILABILITY GROUP"),
                AvailabilityGroupStatement::Alter(_, alter) if changes_role(alter) => Ok(()),
                AvailabilityGroupStatement::Alter(..) => refused("ALTER AVAILABILITY GROUP"),
            },
            StatementKind::SetHadr(..) => {
                Err(SqlError::alter_database_failed().after(SqlError::alter_database_unsupported()))
            }
            StatementKind::Endpoint(endpoint) => match endpoint {
                EndpointStatement::Create(_) => refused("CREATE ENDPOINT"),
                EndpointStatement::Alter(_) => refused("ALTER ENDPOINT"),
                EndpointStatement::Drop(_) => refused("DROP ENDPOINT"),
                EndpointStatement::Connect { .. } => Ok(()),
            },
            StatementKind::Shutdown => refused("SHUTDOWN"),
            _ => Ok(()),
        }
    }

    /// Whether a backup or restore may run: COPY_ONLY backups of databases to a URL, restores from one.
    ///
    /// # Errors
    /// 41901, 41902, 41904, 41906.
    pub(super) fn refuse_backup_on_managed(&self, statement: &BackupRestore) -> Result<(), SqlError> {
        if !self.server.config.flavor.is_managed() {
            return Ok(());
        }
        let url = statement.devices.iter().all(|d| d.kind.as_deref() == Some("URL"));
        let copy_only = statement.options.iter().any(|o| o.name == "COPY_ONLY");
        match (statement.restore, statement.what.as_str()) {
            (true, "LOG") => Err(SqlError::managed_no_statement("RESTORE LOG")),
            (true, _) if !url || statement.devices.is_empty() => Err(SqlError::managed_restore_device()),
            (true, _) => Ok(()),
            (false, "LOG") => Err(SqlError::managed_no_statement("BACKUP LOG")),
            (false, _) if !url => Err(SqlError::managed_no_option("disk")),
            (false, _) if !copy_only => Err(SqlError::managed_copy_only()),
            (false, _) => Ok(()),
        }
    }

    /// Whether an option of a database may be set.
    ///
    /// # Errors
    /// 5069 behind 5008.
    pub(super) fn refuse_option_on_managed(&self, option: &str, value: &str) -> Result<(), SqlError> {
        let fixed = FIXED_OPTIONS.contains(&option) || (option == "RECOVERY" && value != "FULL");
        if fixed && self.server.config.flavor.is_managed() {
            return Err(SqlError::alter_database_failed().after(SqlError::alter_database_unsupported()));
        }
        Ok(())
    }

    /// Whether a setting of sp_configure may be changed.
    ///
    /// # Errors
    /// 41920.
    pub(super) fn refuse_setting_on_managed(&self, setting: &str) -> Result<(), SqlError> {
        if FIXED_SETTINGS.contains(&setting) && self.server.config.flavor.is_managed() {
            return Err(SqlError::managed_no_feature());
        }
        Ok(())
    }
}
