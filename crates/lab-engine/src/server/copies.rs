//! Databases that come and go without a statement of T-SQL: copies of another instance's, seeded into a folder.
//!
//! Everything is durable when it returns, and a crash at any point leaves a database as it was or as it is to be: an entry
//! of master that says `seeding` is removed at the next start with whatever its folder holds, and the entry that no longer
//! says so is written after the copy is complete.

use std::path::PathBuf;
use std::sync::Arc;

use lab_store::{Database as Store, Disk};

use super::{
    Database, DatabaseEntry, DatabaseState, RecoveryModel, Replica, ReplicaRole, Server, ServerEntry,
    failure_state, load_catalog,
};
use crate::catalog::Catalog;
use crate::error::SqlError;
use crate::types::now_datetime;

impl Server {
    /// Makes room for a copy of a database: an entry, shown as RESTORING, and the name of a folder. The folder does not
    /// exist yet. The id of the database.
    ///
    /// # Errors
    /// 1801: there is a database of that name. Storage errors of master.
    pub fn attach_seeding(&self, name: &str) -> Result<i32, SqlError> {
        let _defining = self.defining();
        if self.database_named(name).is_some() {
            return Err(SqlError::database_exists(name));
        }
        let id = self.next_database_id();
        let guid = crate::exec::random_hex()?;
        let entry = DatabaseEntry {
            id,
            name: name.to_owned(),
            folder: PathBuf::from(format!("db{id}-{}", guid.get(..8).unwrap_or("0"))),
            created: now_datetime(),
            owner: "sa".to_owned(),
            collation: self.collation,
            recovery_model: RecoveryModel::Full,
            compatibility_level: self.config.flavor.compatibility_level(),
            read_only: false,
            single_user: false,
            offline: false,
            restoring: true,
            seeding: true,
            snapshot_isolation: false,
            read_committed_snapshot: false,
            switches: std::collections::BTreeMap::new(),
            guid,
        };
        self.save_entry(ServerEntry::Database(Box::new(entry.clone())))?;
        let why = "being copied from the primary replica".to_owned();
        self.add_database(Arc::new(Database::down(entry, DatabaseState::Restoring, why)));
        Ok(id)
    }

    /// The folder that a copy goes into; `None` if the database is not being seeded.
    pub fn seeding_folder(&self, name: &str) -> Option<PathBuf> {
        let entry = self.seeding(name).ok()?.entry();
        Some(self.config.data_dir.join(entry.folder))
    }

    /// Brings a copy up whose folder is complete, as a secondary: its store takes log and no commits. A database that has no role yet is RESOLVING from then on: nobody writes
    /// to a copy by accident.
    ///
    /// # Errors
    /// 911: it is not being seeded. 3183: the folder cannot be opened as a database; it stays as it is, to be abandoned or
    /// finished again. Storage errors of master.
    pub fn finish_seeding(&self, name: &str) -> Result<(), SqlError> {
        let _defining = self.defining();
        let database = self.seeding(name)?;
        let entry = DatabaseEntry { restoring: false, seeding: false, ..database.entry() };
        let (store, catalog) = self.open_files(&entry).map_err(|(_, why)| SqlError::restored_damage(&why))?;
        // From before anybody can see it.
        store.demote().map_err(|e| SqlError::storage(name, &e))?;
        let recovery_model = store.recovery_model().into();
        let entry = DatabaseEntry { collation: catalog.collation, recovery_model, ..entry };
        self.save_entry(ServerEntry::Database(Box::new(entry)))?;
        let replica = database.replica();
        if replica.role == ReplicaRole::Standalone {
            database.set_replica(Replica { role: ReplicaRole::Resolving, ..replica });
        }
        self.forget_identities(database.id);
        database.bring_up(store, catalog);
        Ok(())
    }

    /// Removes a copy that will not be completed: its folder, which nobody may have open any more, and its entry.
    ///
    /// # Errors
    /// 911: it is not being seeded. 5009: the folder cannot be removed; the entry stays, too.
    pub fn abandon_seeding(&self, name: &str) -> Result<(), SqlError> {
        let _defining = self.defining();
        let database = self.seeding(name)?;
        self.remove_copy(&database.entry())?;
        self.forget_database(database.id);
        Ok(())
    }

    /// At the start: removes what a crash has left of a copy.
    pub(super) fn remove_copy(&self, entry: &DatabaseEntry) -> Result<(), SqlError> {
        let folder = self.config.data_dir.join(&entry.folder);
        // The folder first: as long as it is there, the entry says what it is.
        match std::fs::remove_dir_all(&folder) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                let text = format!("The files of a copy in {} could not be removed: {e}.", folder.display());
                return Err(SqlError::new(5009, 16, 3, text));
            }
            _ => {}
        }
        self.remove_database_entry(entry.id)
    }

    /// Takes a database down so that its files can be changed from outside, and says where they are. Sessions that use it,
    /// or have its files open, are ended; until [`Server::reopen`] it is shown as RECOVERING.
    ///
    /// # Errors
    /// 911; 5070 if somebody does not let go of the files: it stays down, and can be reopened or closed again.
    pub fn close_for_rewind(&self, name: &str) -> Result<PathBuf, SqlError> {
        let _defining = self.defining();
        let database = self.database_named(name).ok_or_else(|| SqlError::database_not_found(name))?;
        self.close_files(&database)?;
        Ok(self.config.data_dir.join(database.entry().folder))
    }

    fn close_files(&self, database: &Arc<Database>) -> Result<(), SqlError> {
        database.take_down(DatabaseState::Recovering, "its files are being changed".to_owned());
        self.cut(database, true);
        if self.evict(database, 0) { Ok(()) } else { Err(SqlError::others_use_database(&database.name())) }
    }

    /// Brings a database up again that was closed, with the role that it has.
    ///
    /// # Errors
    /// 911; 5181: its files cannot be opened, and its state says why.
    pub fn reopen(&self, name: &str) -> Result<(), SqlError> {
        let _defining = self.defining();
        let database = self.database_named(name).ok_or_else(|| SqlError::database_not_found(name))?;
        if database.state() != DatabaseState::Recovering {
            return Ok(());
        }
        self.forget_identities(database.id);
        match self.open_files(&database.entry()) {
            Ok((store, catalog)) => {
                database.bring_up(store, catalog);
                Ok(())
            }
            Err((state, why)) => {
                let text = format!(
                    "Could not restart database \"{}\". Reverting to the previous status. {why}",
                    database.name()
                );
                database.take_down(state, why);
                Err(SqlError::new(5181, 16, 5, text))
            }
        }
    }

    /// A secondary copy leaves its group: as in SQL Server it is left RESTORING, so that log can be restored to it, or it
    /// is recovered with RESTORE ... WITH RECOVERY. It is in no group any more.
    ///
    /// # Errors
    /// 911, 5070, 3183 for files that cannot be recovered.
    pub fn leave_restoring(&self, name: &str) -> Result<(), SqlError> {
        let _defining = self.defining();
        let database = self.database_named(name).ok_or_else(|| SqlError::database_not_found(name))?;
        self.close_files(&database)?;
        let entry = DatabaseEntry { restoring: true, ..database.entry() };
        let folder = self.config.data_dir.join(&entry.folder);
        lab_store::leave_restoring(&self.disk, &folder)
            .map_err(|e| SqlError::restored_damage(&e.to_string()))?;
        self.save_entry(ServerEntry::Database(Box::new(entry)))?;
        self.remove_replica(database.id)?;
        database.take_down(DatabaseState::Restoring, "it was a secondary replica".to_owned());
        database.set_replica(Replica::default());
        Ok(())
    }

    /// Takes a database out of the way of a new copy of the same name. It is no database of the server any more; its files are
    /// in the folder that is returned, where what was set aside of it before is replaced.
    ///
    /// # Errors
    /// 911; 5070 if somebody does not let go of the files; 5009 if they cannot be moved.
    pub fn set_aside(&self, name: &str) -> Result<PathBuf, SqlError> {
        let _defining = self.defining();
        let database = self.database_named(name).ok_or_else(|| SqlError::database_not_found(name))?;
        self.close_files(&database)?;
        let entry = database.entry();
        let from = self.config.data_dir.join(&entry.folder);
        let to = self.config.data_dir.join(format!("aside-{}", entry.name.to_lowercase().replace('/', "_")));
        // The entry first: a crash in between leaves a folder that nobody counts on.
        self.remove_replica(entry.id)?;
        self.remove_database_entry(entry.id)?;
        self.forget_database(entry.id);
        let moved = match std::fs::remove_dir_all(&to) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e),
            _ => std::fs::rename(&from, &to),
        };
        moved.map(|()| to).map_err(|e| {
            let text =
                format!("The files of the database '{name}' in {} could not be moved: {e}.", from.display());
            SqlError::new(5009, 16, 4, text)
        })
    }

    /// The other way round: a database that was restored WITH NORECOVERY, or has left its group, is a secondary from now
    /// on, which goes on where its log ends. It is RESOLVING until its group gives it a role.
    ///
    /// # Errors
    /// 911; 3183 for files that cannot be brought up, which are left as they are. Storage errors of master.
    pub fn join_restored(&self, name: &str) -> Result<(), SqlError> {
        let _defining = self.defining();
        let database = self.database_named(name).ok_or_else(|| SqlError::database_not_found(name))?;
        if database.state() != DatabaseState::Restoring || database.entry().seeding {
            return Err(SqlError::database_not_found(name));
        }
        let folder = self.config.data_dir.join(&database.entry().folder);
        lab_store::join_restored(&self.disk, &folder)
            .map_err(|e| SqlError::restored_damage(&e.to_string()))?;
        let entry = DatabaseEntry { restoring: false, ..database.entry() };
        let (store, catalog) = self.open_files(&entry).map_err(|(_, why)| SqlError::restored_damage(&why))?;
        let recovery_model = store.recovery_model().into();
        let entry = DatabaseEntry { collation: catalog.collation, recovery_model, ..entry };
        self.save_entry(ServerEntry::Database(Box::new(entry)))?;
        database.set_replica(Replica { role: ReplicaRole::Resolving, ..database.replica() });
        self.forget_identities(database.id);
        database.bring_up(store, catalog);
        Ok(())
    }

    /// The store of a database that is online.
    pub fn store(&self, name: &str) -> Option<Arc<Store>> {
        self.database_named(name)?.store().ok()
    }

    /// The folder that holds a database's files, whatever state it is in.
    pub fn database_folder(&self, name: &str) -> Option<PathBuf> {
        Some(self.config.data_dir.join(self.database_named(name)?.entry().folder))
    }

    /// The disk that databases are on, for what is written beside them.
    pub fn disk(&self) -> Arc<dyn Disk> {
        Arc::clone(&self.disk)
    }

    fn seeding(&self, name: &str) -> Result<Arc<Database>, SqlError> {
        self.database_named(name)
            .filter(|d| d.entry().seeding)
            .ok_or_else(|| SqlError::database_not_found(name))
    }

    /// Opens the files of a database, recovering them; otherwise the state that it is in, and why.
    pub(super) fn open_files(
        &self,
        entry: &DatabaseEntry,
    ) -> Result<(Store, Catalog), (DatabaseState, String)> {
        let folder = self.config.data_dir.join(&entry.folder);
        let store =
            Store::open(Arc::clone(&self.disk), &folder).map_err(|e| (failure_state(&e), e.to_string()))?;
        let catalog = load_catalog(&store, entry.id).map_err(|e| {
            let state = match e.sqlite_error_code() {
                Some(rusqlite::ErrorCode::SystemIoFailure | rusqlite::ErrorCode::DiskFull) => {
                    DatabaseState::RecoveryPending
                }
                _ => DatabaseState::Suspect,
            };
            (state, e.to_string())
        })?;
        Ok((store, catalog))
    }
}
