//! Databases and schemas: CREATE, ALTER, DROP, USE.

use std::collections::BTreeMap;
use std::sync::Arc;

use lab_tsql::ast::{AlterDatabase, Ident, ObjectName};

use super::Stop;
use crate::catalog::{CatalogChange, Schema, same_name};
use crate::error::SqlError;
use crate::server::{Database, DatabaseEntry, DatabaseState, MSDB, RecoveryModel, ServerEntry, TEMPDB};
use crate::session::Session;
use crate::sink::{EnvChange, Sink};
use crate::types::{Collation, now_datetime};

/// Options that are kept and shown, and change nothing in a lab instance.
const SWITCHES: &[&str] = &[
    "ANSI_NULL_DEFAULT",
    "ANSI_NULLS",
    "ANSI_PADDING",
    "ANSI_WARNINGS",
    "ARITHABORT",
    "AUTO_CLOSE",
    "AUTO_CREATE_STATISTICS",
    "AUTO_SHRINK",
    "AUTO_UPDATE_STATISTICS",
    "AUTO_UPDATE_STATISTICS_ASYNC",
    "CONCAT_NULL_YIELDS_NULL",
    "CURSOR_CLOSE_ON_COMMIT",
    "CURSOR_DEFAULT",
    "DATE_CORRELATION_OPTIMIZATION",
    "DB_CHAINING",
    "DELAYED_DURABILITY",
    "ENABLE_BROKER",
    "DISABLE_BROKER",
    "NEW_BROKER",
    "HONOR_BROKER_PRIORITY",
    "NUMERIC_ROUNDABORT",
    "PAGE_VERIFY",
    "PARAMETERIZATION",
    "QUERY_STORE",
    "QUOTED_IDENTIFIER",
    "RECURSIVE_TRIGGERS",
    "TARGET_RECOVERY_TIME",
    "TRUSTWORTHY",
    "ACCELERATED_DATABASE_RECOVERY",
    "TORN_PAGE_DETECTION",
    "MIXED_PAGE_ALLOCATION",
    "ENCRYPTION",
    "NESTED_TRIGGERS",
    "DEFAULT_LANGUAGE",
    "FILESTREAM",
    "CONTAINMENT",
];

impl Session {
    pub(super) fn run_use(&mut self, name: &Ident, sink: &mut dyn Sink) -> Result<(), Stop> {
        let found = self
            .server
            .database_named(&name.value)
            .ok_or_else(|| SqlError::database_not_found(&name.value).at(name.pos.line))?;
        let old = self.database_name();
        self.enter_database(found.id)?;
        let new = found.name();
        sink.env(EnvChange::Database { new: new.clone(), old });
        sink.env(EnvChange::Collation(self.database_collation()));
        sink.info(
            &SqlError::new(5701, 0, 2, format!("Changed database context to '{new}'.")).at(name.pos.line),
        );
        Ok(())
    }

    pub(super) fn run_create_database(
        &mut self,
        name: &Ident,
        collation: Option<&Ident>,
    ) -> Result<(), Stop> {
        if !self.shared.has_server_role("dbcreator") {
            return Err(self.lacks("CREATE DATABASE", crate::server::MASTER).into());
        }
        self.outside_transactions("CREATE DATABASE")?;
        if name.value.is_empty() || name.value.chars().count() > 128 || name.value.contains('\0') {
            return Err(SqlError::new(1038, 15, 4, "The name of a database has 1 to 128 characters.").into());
        }
        let collation = match collation {
            Some(c) => Collation::by_name(&c.value)
                .ok_or_else(|| SqlError::invalid_collation(&c.value).at(c.pos.line))?,
            None => self.server.collation,
        };
        let server = Arc::clone(&self.server);
        let defining = server.defining();
        if server.database_named(&name.value).is_some() {
            return Err(SqlError::database_exists(&name.value).at(name.pos.line).into());
        }
        let id = server.next_database_id();
        let guid = random_hex()?;
        // The folder's name is never used twice: a crash may leave one behind.
        let folder = std::path::PathBuf::from(format!("db{id}-{}", guid.get(..8).unwrap_or("0")));
        let (store, catalog) = server.create_database_files(&folder, id, collation).and_then(|made| {
            made.0
                .set_recovery_model(lab_store::RecoveryModel::Full)
                .map_err(|e| SqlError::storage(&name.value, &e))?;
            Ok(made)
        })?;
        let entry = DatabaseEntry {
            id,
            name: name.value.clone(),
            folder,
            created: now_datetime(),
            owner: self.shared.state().login.clone(),
            collation,
            recovery_model: RecoveryModel::Full,
            compatibility_level: server.config.flavor.compatibility_level(),
            read_only: false,
            single_user: false,
            offline: false,
            restoring: false,
            seeding: false,
            snapshot_isolation: false,
            read_committed_snapshot: false,
            switches: BTreeMap::new(),
            guid,
        };
        server.save_entry(ServerEntry::Database(Box::new(entry.clone())))?;
        let database = Arc::new(Database::online(entry, store, catalog));
        server.add_database(Arc::clone(&database));
        drop(defining);
        server.back_up_first(&database);
        Ok(())
    }

    pub(super) fn drop_database(&mut self, name: &ObjectName, if_exists: bool) -> Result<(), Stop> {
        self.outside_transactions("DROP DATABASE")?;
        let server = Arc::clone(&self.server);
        let _defining = server.defining();
        let found = server.database_named(name.name());
        if found.as_ref().is_some_and(|d| !self.owns_database(d.id)) {
            return Err(SqlError::cannot_drop("database", name.name()).at(name.line()).into());
        }
        let Some(database) = found else {
            return if if_exists {
                Ok(())
            } else {
                Err(SqlError::cannot_drop("database", name.name()).at(name.line()).into())
            };
        };
        if database.id <= MSDB {
            return Err(SqlError::new(
                3708,
                16,
                1,
                format!("Cannot drop the database '{}' because it is a system database.", database.name()),
            )
            .into());
        }
        super::replica::may_drop(&database).map_err(|e| e.at(name.line()))?;
        if server.sessions().iter().any(|s| s.state().database == database.id) {
            return Err(SqlError::database_in_use(&database.name()).at(name.line()).into());
        }
        let name = database.entry().folder;
        let folder = server.config.data_dir.join(&name);
        server.remove_database_entry(database.id)?;
        database.take_down(DatabaseState::Offline, "dropped".to_owned());
        server.forget_database(database.id);
        self.let_go(database.id)?;
        std::fs::remove_dir_all(&folder).and_then(|()| server.remove_automatic_backups(&name)).map_err(
            |e| {
                SqlError::new(
                    5009,
                    16,
                    3,
                    format!(
                        "The database was dropped, but its files in {} could not be removed: {e}.",
                        folder.display()
                    ),
                )
            },
        )?;
        Ok(())
    }

    pub(super) fn run_alter_database(
        &mut self,
        name: Option<&Ident>,
        alter: &AlterDatabase,
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        let server = Arc::clone(&self.server);
        let database = match name {
            None => server.database(self.current_database()),
            Some(name) => server.database_named(&name.value),
        };
        let shown = name.map_or_else(|| self.database_name(), |n| n.value.clone());
        let database = database
            .filter(|d| self.owns_database(d.id))
            .ok_or_else(|| SqlError::cannot_alter_database(&shown))?;
        self.outside_transactions("ALTER DATABASE")?;
        let _defining = server.defining();
        match alter {
            AlterDatabase::Set(options) => {
                for (option, value) in options {
                    self.set_database_option(&database, option, value)?;
                }
            }
            AlterDatabase::Rename(new) => {
                super::replica::may_alter(&database, "MODIFY NAME", &new.value)?;
                if database.id <= MSDB {
                    return Err(SqlError::cannot_alter_database(&shown).into());
                }
                if server.database_named(&new.value).is_some_and(|d| d.id != database.id) {
                    return Err(SqlError::database_exists(&new.value).into());
                }
                let entry = DatabaseEntry { name: new.value.clone(), ..database.entry() };
                server.save_entry(ServerEntry::Database(Box::new(entry)))?;
                sink.info(&SqlError::new(
                    5090,
                    0,
                    1,
                    format!("The database name '{}' has been set.", new.value),
                ));
            }
            AlterDatabase::Collate(_) => return Err(SqlError::unsupported("ALTER DATABASE COLLATE").into()),
            // Hints for a query processor that is not this one: nothing that a query answers depends on them.
            AlterDatabase::Other(what) if what.starts_with("SCOPED CONFIGURATION") => {}
            AlterDatabase::Other(what) => {
                return Err(SqlError::unsupported(&format!("ALTER DATABASE {what}")).into());
            }
        }
        Ok(())
    }

    fn set_database_option(
        &mut self,
        database: &Arc<Database>,
        option: &str,
        value: &str,
    ) -> Result<(), Stop> {
        self.refuse_option_on_managed(option, value)?;
        super::replica::may_alter(database, option, value)?;
        let on = value == "ON";
        let mut entry = database.entry();
        match option {
            "RECOVERY" => {
                if database.id == TEMPDB {
                    return Err(SqlError::new(
                        5058,
                        16,
                        1,
                        "Option 'RECOVERY' cannot be set in database 'tempdb'.",
                    )
                    .into());
                }
                let (model, store_model) = match value {
                    "SIMPLE" => (RecoveryModel::Simple, lab_store::RecoveryModel::Simple),
                    "FULL" => (RecoveryModel::Full, lab_store::RecoveryModel::Full),
                    "BULK_LOGGED" => (RecoveryModel::BulkLogged, lab_store::RecoveryModel::BulkLogged),
                    other => {
                        return Err(
                            SqlError::new(102, 15, 6, format!("Incorrect syntax near '{other}'.")).into()
                        );
                    }
                };
                database
                    .store()?
                    .set_recovery_model(store_model)
                    .map_err(|e| SqlError::storage(&entry.name, &e))?;
                entry.recovery_model = model;
            }
            "READ_ONLY" => entry.read_only = true,
            "READ_WRITE" => entry.read_only = false,
            "SINGLE_USER" | "RESTRICTED_USER" => entry.single_user = option == "SINGLE_USER",
            "MULTI_USER" => entry.single_user = false,
            "OFFLINE" => return self.set_offline(database, entry),
            "ONLINE" => return self.set_online(database, entry),
            "ALLOW_SNAPSHOT_ISOLATION" => entry.snapshot_isolation = on,
            "READ_COMMITTED_SNAPSHOT" => entry.read_committed_snapshot = on,
            "COMPATIBILITY_LEVEL" => {
                let level = value.parse().ok().filter(|l| {
                    [100, 110, 120, 130, 140, 150, 160, 170].contains(l)
                        && *l <= self.server.config.flavor.compatibility_level()
                });
                entry.compatibility_level = level.ok_or_else(|| SqlError::new(15048, 16, 3, "Valid values of the database compatibility level are 100, 110, 120, 130, 140, 150, or 160."))?;
            }
            other if SWITCHES.contains(&other) => {
                entry.switches.insert(other.to_owned(), value.to_owned());
            }
            other => return Err(SqlError::unsupported(&format!("ALTER DATABASE SET {other}")).into()),
        }
        self.server.save_entry(ServerEntry::Database(Box::new(entry)))?;
        Ok(())
    }

    fn set_offline(&mut self, database: &Arc<Database>, mut entry: DatabaseEntry) -> Result<(), Stop> {
        if database.id <= MSDB {
            return Err(SqlError::new(
                5058,
                16,
                1,
                format!("Option 'OFFLINE' cannot be set in database '{}'.", entry.name),
            )
            .into());
        }
        if self.server.sessions().iter().any(|s| s.state().database == database.id) {
            return Err(SqlError::others_use_database(&entry.name).into());
        }
        entry.offline = true;
        self.server.save_entry(ServerEntry::Database(Box::new(entry)))?;
        database.take_down(DatabaseState::Offline, "set offline".to_owned());
        self.let_go(database.id)?;
        Ok(())
    }

    fn set_online(&mut self, database: &Arc<Database>, mut entry: DatabaseEntry) -> Result<(), Stop> {
        let was = database.state();
        if was == DatabaseState::Online {
            return Ok(());
        }
        if was == DatabaseState::Restoring {
            return Err(SqlError::new(
                5052,
                16,
                1,
                "ALTER DATABASE is not permitted while a database is in the Restoring state.",
            )
            .into());
        }
        entry.offline = false;
        self.let_go(database.id)?;
        let why = database.reason().unwrap_or_default();
        database.take_down(was, why);
        if !self.server.evict(database, self.id()) {
            return Err(SqlError::others_use_database(&entry.name).into());
        }
        let recovered = self.server.bring_up_entry(entry.clone());
        self.server.log_database(&recovered);
        let state = recovered.state();
        let why = recovered.reason();
        self.server.add_database(Arc::new(recovered));
        if state != DatabaseState::Online {
            return Err(SqlError::new(
                5181,
                16,
                5,
                format!(
                    "Could not restart database \"{}\". Reverting to the previous status. {}",
                    entry.name,
                    why.unwrap_or_default()
                ),
            )
            .into());
        }
        self.server.save_entry(ServerEntry::Database(Box::new(entry)))?;
        Ok(())
    }

    pub(super) fn run_create_schema(
        &mut self,
        frame: &super::Frame,
        name: &Ident,
        owner: Option<&Ident>,
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        let database = frame.database.unwrap_or_else(|| self.current_database());
        self.atomically(sink, |s, _| {
            s.enter_write(database)?;
            let catalog = s.catalog_of(database)?;
            if catalog.schema_named(&name.value).is_some() {
                return Err(SqlError::object_exists(&name.value).at(name.pos.line).into());
            }
            let owner = match owner {
                None => 1,
                Some(owner) => catalog
                    .principal_named(&owner.value)
                    .map(|p| p.id)
                    .ok_or_else(|| SqlError::principal_not_found("user", &owner.value))?,
            };
            // Between the schemas that every database has and the fixed roles' ones from 16384.
            let id = (5..16384)
                .find(|id| !catalog.schemas.contains_key(id))
                .ok_or_else(|| SqlError::internal("too many schemas"))?;
            let schema = Schema { id, name: name.value.clone(), owner };
            s.change_catalog(database, [CatalogChange::PutSchema(id)], |c| {
                c.schemas.insert(id, schema);
            })?;
            Ok(())
        })
    }

    /// Whether a principal of that name is a fixed server role.
    pub(super) fn is_server_role(name: &str) -> bool {
        crate::server::SERVER_ROLES.iter().any(|(_, role)| same_name(role, name))
    }
}

/// 16 random bytes in hexadecimal: a database's guid, a login's sid.
pub(crate) fn random_hex() -> Result<String, SqlError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(SqlError::internal)?;
    Ok(bytes.iter().map(|b| format!("{b:02X}")).collect())
}
