//! What a statement needs before it runs.

use lab_tsql::ast::{BackupRestore, CreateMode, DropKind, ModuleBody, ObjectName, StatementKind};
use rusqlite::types::Value;

use super::{Frame, Stop};
use crate::bind::Resolved;
use crate::error::SqlError;
use crate::rights::{Rights, denied};
use crate::session::Session;
use crate::types::SqlType;

impl Session {
    /// Whether a login may run a statement that defines something or speaks to the server. What depends on more than the
    /// statement (whose password, which database) is asked where that is known.
    pub(super) fn authorize(&mut self, frame: &Frame, kind: &StatementKind) -> Result<(), Stop> {
        use StatementKind as K;
        if self.shared.state().sysadmin {
            return Ok(());
        }
        let here = frame.database.unwrap_or_else(|| self.current_database());
        match kind {
            K::CreateTable(create) => self.may_create(here, &create.name, "CREATE TABLE")?,
            K::CreateModule(create) => {
                let word = match create.body {
                    ModuleBody::View { .. } => "VIEW",
                    ModuleBody::Procedure { .. } => "PROCEDURE",
                    _ => "FUNCTION",
                };
                if create.mode == CreateMode::Alter && !self.rights_for(here, &create.name)?.ddl {
                    let word = word.to_ascii_lowercase();
                    return Err(SqlError::new(
                        3704,
                        16,
                        1,
                        format!(
                            "User does not have permission to perform this operation on {word} '{}'.",
                            create.name.name()
                        ),
                    )
                    .into());
                }
                self.may_create(here, &create.name, &format!("CREATE {word}"))?;
            }
            K::AlterTable(name, _) | K::AlterIndex(_, name, _) => self.may_alter(here, name, 13)?,
            K::CreateIndex(create) => self.may_alter(here, &create.table, 12)?,
            K::DropIndex { indexes, .. } => {
                for (_, table) in indexes {
                    self.may_alter(here, table, 14)?;
                }
            }
            K::Truncate(name) => self.may_alter(here, name, 7)?,
            K::TransferSchema(_, name) => self.may_alter(here, name, 13)?,
            K::Drop { kind, names, .. } => self.may_drop(here, *kind, names)?,
            K::CreateSchema { .. } if !self.shared.rights(here)?.ddl => {
                let first = self.lacks("CREATE SCHEMA", here);
                return Err(SqlError::new(2759, 16, 0, "CREATE SCHEMA failed due to previous errors.")
                    .after(first)
                    .into());
            }
            K::User { create: true, .. } if !self.shared.rights(here)?.access => {
                return Err(SqlError::no_permission().into());
            }
            K::User { name, .. } if !self.shared.rights(here)?.access => {
                return Err(SqlError::cannot_alter("user", &name.value).into());
            }
            K::CreateRole(_) if !self.shared.rights(here)?.security => {
                return Err(SqlError::no_permission().into());
            }
            K::RenameRole(role, _) if !self.shared.rights(here)?.security => {
                return Err(SqlError::cannot_alter("role", &role.value).into());
            }
            K::RoleMember { server: false, role, .. } => {
                let rights = self.shared.rights(here)?;
                let fixed = self.catalog_of(here)?.principal_named(&role.value).is_some_and(|p| p.fixed_role);
                if !(rights.owner || rights.security && !fixed) {
                    return Err(SqlError::cannot_alter("role", &role.value).into());
                }
            }
            K::BackupRestore(backup) => self.may_back_up(frame, here, backup)?,
            K::Checkpoint if !self.shared.rights(here)?.backup => {
                return Err(self.lacks("CHECKPOINT", here).into());
            }
            K::Kill(_) if !self.shared.has_server_role("processadmin") => {
                return Err(SqlError::new(
                    6102,
                    14,
                    1,
                    "User does not have permission to use the KILL statement.",
                )
                .into());
            }
            K::Shutdown if !self.shared.has_server_role("serveradmin") => {
                return Err(SqlError::new(
                    6004,
                    14,
                    1,
                    "User does not have permission to perform this action.",
                )
                .into());
            }
            K::Reconfigure if !self.shared.has_server_role("serveradmin") => {
                return Err(SqlError::new(
                    5812,
                    14,
                    1,
                    "You do not have permission to run the RECONFIGURE statement.",
                )
                .into());
            }
            K::Dbcc(command, _, _) => self.may_run_dbcc(here, command)?,
            _ => {}
        }
        Ok(())
    }

    /// 262.
    pub(super) fn lacks(&self, permission: &str, database: i32) -> SqlError {
        let name = self.name_of(database);
        SqlError::new(262, 14, 1, format!("{permission} permission denied in database '{name}'."))
    }

    /// The rights in the database that a name means; temporary objects are everybody's.
    fn rights_for(&mut self, here: i32, name: &ObjectName) -> Result<Rights, SqlError> {
        if name.name().starts_with('#') {
            return Ok(Rights::ALL);
        }
        let database = match name.database() {
            None => here,
            Some(named) => {
                self.server.database_named(named).ok_or_else(|| SqlError::database_not_found(named))?.id
            }
        };
        self.shared.rights(database)
    }

    /// Whether the session may make an object, in the database that its name means.
    pub(super) fn may_create(
        &mut self,
        here: i32,
        name: &ObjectName,
        permission: &str,
    ) -> Result<(), SqlError> {
        if self.rights_for(here, name)?.ddl { Ok(()) } else { Err(self.lacks(permission, here)) }
    }

    fn may_alter(&mut self, here: i32, name: &ObjectName, state: u8) -> Result<(), SqlError> {
        if self.rights_for(here, name)?.ddl {
            return Ok(());
        }
        Err(SqlError { state, ..SqlError::index_table_not_found(&name.to_string()) })
    }

    fn may_drop(&mut self, here: i32, kind: DropKind, names: &[ObjectName]) -> Result<(), SqlError> {
        for name in names {
            let rights = match kind {
                // Asked where the database or the login is known.
                DropKind::Database | DropKind::Login => continue,
                _ => self.rights_for(here, name)?,
            };
            let (may, word) = match kind {
                DropKind::Table => (rights.ddl, "table"),
                DropKind::View => (rights.ddl, "view"),
                DropKind::Procedure => (rights.ddl, "procedure"),
                DropKind::Function => (rights.ddl, "function"),
                DropKind::Synonym => (rights.ddl, "synonym"),
                DropKind::Schema => (rights.ddl, "schema"),
                DropKind::User => (rights.access, "user"),
                DropKind::Role => (rights.security, "role"),
                DropKind::Database | DropKind::Login => continue,
            };
            if may {
                continue;
            }
            return Err(match kind {
                DropKind::Schema | DropKind::User | DropKind::Role => {
                    SqlError::cannot_drop_principal(word, name.name())
                }
                _ => SqlError { state: 20, ..SqlError::cannot_drop(word, name.name()) },
            });
        }
        Ok(())
    }

    /// BACKUP; RESTORE knows for itself whether its database is there and whose it is.
    fn may_back_up(&mut self, frame: &Frame, here: i32, backup: &BackupRestore) -> Result<(), Stop> {
        if backup.restore {
            return Ok(());
        }
        let name = match &backup.database {
            Some(name) => match self.evaluate(frame, name, SqlType::SYSNAME)? {
                Value::Text(name) => name,
                _ => String::new(),
            },
            None => self.name_of(here),
        };
        let database = self.server.database_named(&name).map(|d| d.id);
        if let Some(id) = database
            && !self.shared.rights(id)?.backup
        {
            let what = &backup.what;
            let first = self.lacks(&format!("BACKUP {what}"), id);
            let last = format!("BACKUP {what} is terminating abnormally.");
            return Err(SqlError::new(3013, 16, 1, last).after(first).into());
        }
        Ok(())
    }

    fn may_run_dbcc(&self, here: i32, command: &str) -> Result<(), SqlError> {
        let user = self.shared.state().user.clone();
        let lower = command.to_ascii_lowercase();
        match command {
            "CHECKDB" | "CHECKALLOC" | "CHECKCATALOG" | "CHECKTABLE" | "SHRINKFILE" | "SHRINKDATABASE"
                if !self.shared.rights(here)?.owner =>
            {
                let name = self.name_of(here);
                Err(SqlError::new(
                    7983,
                    14,
                    36,
                    format!(
                        "User '{user}' does not have permission to run DBCC {lower} for database '{name}'."
                    ),
                ))
            }
            "CHECKIDENT" | "UPDATEUSAGE" | "CHECKCONSTRAINTS" | "SHOW_STATISTICS"
                if !self.shared.rights(here)?.ddl =>
            {
                Err(SqlError::new(
                    2571,
                    14,
                    3,
                    format!("User '{user}' does not have permission to run DBCC {lower}."),
                ))
            }
            "TRACEON" | "TRACEOFF" | "FREEPROCCACHE" | "DROPCLEANBUFFERS" | "FREESYSTEMCACHE" | "SQLPERF"
                if !self.shared.has_server_role("serveradmin") =>
            {
                Err(SqlError::new(
                    2571,
                    14,
                    3,
                    format!("User '{user}' does not have permission to run DBCC {lower}."),
                ))
            }
            _ => Ok(()),
        }
    }

    /// Whether the session may write rows of a table, where it is not a module that does.
    ///
    /// # Errors
    /// 229 with the statement's name.
    pub(crate) fn may_change(&self, frame: &Frame, found: &Resolved, verb: &str) -> Result<(), SqlError> {
        if frame.procedure.is_some() || found.database == 0 || self.shared.state().sysadmin {
            return Ok(());
        }
        // A temporary table that all sessions see is everybody's.
        if found.object.name.starts_with("##") || self.shared.rights(found.database)?.may_write() {
            return Ok(());
        }
        let schema = self.catalog_of(found.database)?.schema_name(found.object.schema).to_owned();
        Err(denied(verb, &found.object.name, &self.name_of(found.database), &schema))
    }

    /// Whether the session may run a procedure.
    pub(super) fn may_execute(&self, frame: &Frame, found: &Resolved) -> Result<(), SqlError> {
        if frame.procedure.is_some() || self.shared.rights(found.database)?.owner {
            return Ok(());
        }
        let schema = self.catalog_of(found.database)?.schema_name(found.object.schema).to_owned();
        Err(denied("EXECUTE", &found.object.name, &self.name_of(found.database), &schema))
    }

    /// Whether the session may change a database's options, or drop it.
    pub(super) fn owns_database(&self, id: i32) -> bool {
        self.shared.has_server_role("dbcreator") || self.shared.rights(id).is_ok_and(|r| r.owner)
    }
}
