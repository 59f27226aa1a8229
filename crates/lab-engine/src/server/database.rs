//! One database as the server holds it: its store, its catalog, its options.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, Weak};

use lab_store::{Database as Store, StoreError};
use serde::{Deserialize, Serialize};

use super::Replica;
use crate::catalog::Catalog;
use crate::error::SqlError;
use crate::types::Collation;

/// `database_id` of master.
pub(crate) const MASTER: i32 = 1;
/// `database_id` of tempdb.
pub(crate) const TEMPDB: i32 = 2;
/// `database_id` of model.
pub(crate) const MODEL: i32 = 3;
/// `database_id` of msdb.
pub(crate) const MSDB: i32 = 4;

/// What SQL Server shows as `sys.databases.state_desc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum DatabaseState {
    Online,
    Restoring,
    Recovering,
    RecoveryPending,
    Suspect,
    Offline,
}

impl DatabaseState {
    pub(crate) fn number(self) -> i64 {
        match self {
            DatabaseState::Online => 0,
            DatabaseState::Restoring => 1,
            DatabaseState::Recovering => 2,
            DatabaseState::RecoveryPending => 3,
            DatabaseState::Suspect => 4,
            DatabaseState::Offline => 6,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            DatabaseState::Online => "ONLINE",
            DatabaseState::Restoring => "RESTORING",
            DatabaseState::Recovering => "RECOVERING",
            DatabaseState::RecoveryPending => "RECOVERY_PENDING",
            DatabaseState::Suspect => "SUSPECT",
            DatabaseState::Offline => "OFFLINE",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum RecoveryModel {
    Simple,
    Full,
    BulkLogged,
}

impl RecoveryModel {
    pub(crate) fn number(self) -> i64 {
        match self {
            RecoveryModel::Full => 1,
            RecoveryModel::BulkLogged => 2,
            RecoveryModel::Simple => 3,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            RecoveryModel::Full => "FULL",
            RecoveryModel::BulkLogged => "BULK_LOGGED",
            RecoveryModel::Simple => "SIMPLE",
        }
    }
}

impl From<lab_store::RecoveryModel> for RecoveryModel {
    fn from(model: lab_store::RecoveryModel) -> RecoveryModel {
        match model {
            lab_store::RecoveryModel::Simple => RecoveryModel::Simple,
            lab_store::RecoveryModel::Full => RecoveryModel::Full,
            lab_store::RecoveryModel::BulkLogged => RecoveryModel::BulkLogged,
        }
    }
}

impl From<RecoveryModel> for lab_store::RecoveryModel {
    fn from(model: RecoveryModel) -> lab_store::RecoveryModel {
        match model {
            RecoveryModel::Simple => lab_store::RecoveryModel::Simple,
            RecoveryModel::Full => lab_store::RecoveryModel::Full,
            RecoveryModel::BulkLogged => lab_store::RecoveryModel::BulkLogged,
        }
    }
}

/// What master keeps about a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DatabaseEntry {
    pub(crate) id: i32,
    pub(crate) name: String,
    /// Folder under the data folder.
    pub(crate) folder: PathBuf,
    pub(crate) created: i64,
    pub(crate) owner: String,
    pub(crate) collation: Collation,
    pub(crate) recovery_model: RecoveryModel,
    pub(crate) compatibility_level: i64,
    pub(crate) read_only: bool,
    pub(crate) single_user: bool,
    pub(crate) offline: bool,
    pub(crate) restoring: bool,
    /// Its folder is being filled with a copy of another instance's: one that a crash left behind is of no use.
    #[serde(default)]
    pub(crate) seeding: bool,
    pub(crate) snapshot_isolation: bool,
    pub(crate) read_committed_snapshot: bool,
    /// ON/OFF options that are stored and shown but change nothing here, by name as ALTER DATABASE spells it.
    pub(crate) switches: std::collections::BTreeMap<String, String>,
    /// 16 bytes, hexadecimal; changes when a database is created or restored.
    pub(crate) guid: String,
}

/// A database in memory.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) id: i32,
    /// What SQLite calls it in every session: `db5`.
    pub(crate) alias: String,
    entry: RwLock<DatabaseEntry>,
    replica: RwLock<Replica>,
    live: RwLock<Live>,
}

/// What is there only while the database is online.
#[derive(Debug, Clone)]
enum Live {
    Online {
        store: Arc<Store>,
        catalog: Arc<Catalog>,
    },
    Down {
        state: DatabaseState,
        why: String,
        /// What was there before, which others may still have open.
        former: Weak<Store>,
    },
}

/// The state of a database whose store failed with that.
pub(crate) fn failure_state(e: &StoreError) -> DatabaseState {
    if e.is_corruption() { DatabaseState::Suspect } else { DatabaseState::RecoveryPending }
}

impl Database {
    pub(crate) fn online(entry: DatabaseEntry, store: Store, catalog: Catalog) -> Database {
        let live = Live::Online { store: Arc::new(store), catalog: Arc::new(catalog) };
        Database {
            id: entry.id,
            alias: format!("db{}", entry.id),
            entry: RwLock::new(entry),
            replica: RwLock::default(),
            live: RwLock::new(live),
        }
    }

    pub(crate) fn down(entry: DatabaseEntry, state: DatabaseState, why: String) -> Database {
        Database {
            id: entry.id,
            alias: format!("db{}", entry.id),
            entry: RwLock::new(entry),
            replica: RwLock::default(),
            live: RwLock::new(Live::Down { state, why, former: Weak::new() }),
        }
    }

    pub(crate) fn entry(&self) -> DatabaseEntry {
        self.entry.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_entry(&self, entry: DatabaseEntry) {
        *self.entry.write().unwrap_or_else(PoisonError::into_inner) = entry;
    }

    pub(crate) fn replica(&self) -> Replica {
        *self.replica.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_replica(&self, replica: Replica) {
        *self.replica.write().unwrap_or_else(PoisonError::into_inner) = replica;
    }

    /// Whether a session may open it, as far as its role in a group decides.
    ///
    /// # Errors
    /// 976, 978, 979, 983.
    pub(crate) fn check_access(&self, read_intent: bool) -> Result<(), SqlError> {
        let role = self.replica().role;
        if role == super::ReplicaRole::Standalone {
            Ok(())
        } else {
            role.check_access(&self.name(), read_intent)
        }
    }

    /// Whether nobody may write: by its own option, or by its role in a group.
    pub(crate) fn is_read_only(&self) -> bool {
        !self.replica().role.is_writable()
            || self.entry.read().unwrap_or_else(PoisonError::into_inner).read_only
    }

    pub(crate) fn allows_snapshot(&self) -> bool {
        self.entry.read().unwrap_or_else(PoisonError::into_inner).snapshot_isolation
    }

    pub(crate) fn name(&self) -> String {
        self.entry.read().unwrap_or_else(PoisonError::into_inner).name.clone()
    }

    fn live(&self) -> Live {
        self.live.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn state(&self) -> DatabaseState {
        match self.live() {
            Live::Online { store, .. } => {
                store.failure().map_or(DatabaseState::Online, |e| failure_state(&e))
            }
            Live::Down { state, .. } => state,
        }
    }

    /// The store of a database that is online.
    ///
    /// # Errors
    /// 922/926/927/942/945 as SQL Server says why it cannot be opened.
    pub(crate) fn store(&self) -> Result<Arc<Store>, SqlError> {
        match self.live() {
            Live::Online { store, .. } => match store.failure() {
                None => Ok(store),
                Some(e) => Err(self.unavailable(failure_state(&e))),
            },
            Live::Down { state, .. } => Err(self.unavailable(state)),
        }
    }

    pub(crate) fn catalog(&self) -> Result<Arc<Catalog>, SqlError> {
        match self.live() {
            Live::Online { catalog, .. } => Ok(catalog),
            Live::Down { state, .. } => Err(self.unavailable(state)),
        }
    }

    /// Makes a committed change of the catalog visible to every session.
    pub(crate) fn publish(&self, new: Arc<Catalog>) {
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        if let Live::Online { catalog, .. } = &mut *live {
            *catalog = new;
        }
    }

    pub(crate) fn bring_up(&self, store: Store, catalog: Catalog) {
        *self.live.write().unwrap_or_else(PoisonError::into_inner) =
            Live::Online { store: Arc::new(store), catalog: Arc::new(catalog) };
    }

    pub(crate) fn take_down(&self, state: DatabaseState, why: String) {
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        let former = match &*live {
            Live::Online { store, .. } => Arc::downgrade(store),
            Live::Down { former, .. } => Weak::clone(former),
        };
        *live = Live::Down { state, why, former };
    }

    /// Whether somebody still has the files open that were taken down.
    pub(crate) fn is_let_go(&self) -> bool {
        match self.live() {
            Live::Online { .. } => false,
            Live::Down { former, .. } => former.strong_count() == 0,
        }
    }

    /// Why the database is down, for the error log.
    pub(crate) fn reason(&self) -> Option<String> {
        match self.live() {
            Live::Online { store, .. } => store.failure().map(|e| e.to_string()),
            Live::Down { why, .. } => Some(why),
        }
    }

    fn unavailable(&self, state: DatabaseState) -> SqlError {
        let name = self.name();
        match state {
            DatabaseState::Suspect => SqlError::new(
                926,
                14,
                1,
                format!(
                    "Database '{name}' cannot be opened. It has been marked SUSPECT by recovery. See the SQL Server errorlog for more information."
                ),
            ),
            DatabaseState::Restoring => SqlError::new(
                927,
                14,
                2,
                format!("Database '{name}' cannot be opened. It is in the middle of a restore."),
            ),
            DatabaseState::Recovering => SqlError::being_recovered(&name),
            DatabaseState::Offline | DatabaseState::Online => SqlError::new(
                942,
                14,
                4,
                format!("Database '{name}' cannot be opened because it is offline."),
            ),
            DatabaseState::RecoveryPending => SqlError::new(
                945,
                14,
                2,
                format!(
                    "Database '{name}' cannot be opened due to inaccessible files or insufficient memory or disk space. See the SQL Server errorlog for details."
                ),
            ),
        }
    }
}
