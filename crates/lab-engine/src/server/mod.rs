//! The server: its databases, logins and sessions.

mod always_on;
mod automatic_backups;
mod boot;
mod checkpointer;
mod copies;
mod database;
mod entries;
mod error_log;
mod facts;
mod identity;
mod login;
mod managed;
mod options;
mod partners;
mod reissue;
mod release;
mod replica;
mod security;
mod service;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use lab_store::{Disk, Locks};

pub use always_on::{AlwaysOn, AlwaysOnCaller, AlwaysOnStatement};
pub(crate) use automatic_backups::{AUTOMATIC_FOLDER, AutomaticBackups};
pub use boot::{LOCK_FILE, OpenError};
pub(crate) use boot::{attach, connection, load_catalog, strong};
pub(crate) use checkpointer::Checkpointer;
pub(crate) use database::*;
pub(crate) use entries::ServerEntry;
use error_log::ErrorLog;
pub use facts::DatabaseFacts;
pub(crate) use login::*;
pub(crate) use options::TRACE_FLAG_MAX;
pub use reissue::Reissued;
pub use release::{Flavor, Release, UpdatePolicy};
pub(crate) use replica::Replica;
pub use replica::{ReplicaIds, ReplicaRole, SecondaryConnections};
use security::SecurityListener;
pub use security::{EndpointCertificate, MirroringEndpoint, PrivateKey, TrustedCertificate};

use crate::catalog::same_name;
use crate::security::Security;
use crate::security::crypt::Key;
use crate::session::Shared;
use crate::types::Collation;

/// Where backup devices without a path are, under the data folder.
pub(crate) const BACKUP_FOLDER: &str = "Backup";

/// What a server is started with.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The folder that holds every database.
    pub data_dir: PathBuf,
    /// The password of `sa`; set anew at each start if given.
    pub sa_password: Option<Secret>,
    /// The server's collation; only the first start can choose it.
    pub collation: Collation,
    /// `@@SERVERNAME`.
    pub server_name: String,
    /// How many sessions may be open at once.
    pub max_sessions: usize,
    /// Which SQL Server it is, or which managed instance.
    pub flavor: Flavor,
    /// Turns the Always On feature on or off; without, it is what it was last, and off at first.
    pub hadr_enabled: Option<bool>,
    /// Trace flags that are on for all sessions from the start (`-T`).
    pub trace_flags: Vec<u32>,
    /// The port of a managed instance's endpoint; SQL Server's is what CREATE ENDPOINT says.
    pub mirroring_port: u16,
}

impl ServerConfig {
    /// The defaults, for a folder of databases.
    pub fn new(data_dir: impl Into<PathBuf>) -> ServerConfig {
        ServerConfig {
            data_dir: data_dir.into(),
            sa_password: None,
            collation: Collation::default(),
            server_name: "MILINK-LAB".to_owned(),
            max_sessions: 1000,
            flavor: Flavor::default(),
            hadr_enabled: None,
            trace_flags: Vec::new(),
            mirroring_port: 5022,
        }
    }
}

/// A password on its way to where it is hashed. It prints as `***`.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a password.
    pub fn new(value: String) -> Secret {
        Secret(value)
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// One server: everything that its sessions share.
pub struct Server {
    pub(crate) config: ServerConfig,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) locks: Locks,
    pub(crate) started: i64,
    pub(crate) collation: Collation,
    pub(crate) verifier: Verifier,
    databases: RwLock<BTreeMap<i32, Arc<Database>>>,
    logins: RwLock<BTreeMap<i32, Login>>,
    sessions: Mutex<BTreeMap<u16, Arc<Shared>>>,
    /// The write side of master's server entries.
    admin: Mutex<rusqlite::Connection>,
    next_transaction: AtomicU64,
    /// Temporary objects of all sessions draw their ids here, so that they never meet.
    next_temp_object: AtomicU32,
    /// Identity values handed out and not yet known to be committed: (database, object) to the last value.
    identities: Mutex<BTreeMap<(i32, i32), i64>>,
    /// Held while databases or logins are defined: two CREATE DATABASE of one name must not both succeed.
    definitions: Mutex<()>,
    /// `sp_configure` values by name, as RECONFIGURE made them.
    pub(crate) configuration: Mutex<BTreeMap<String, i64>>,
    pub(crate) checkpointer: Checkpointer,
    always_on: RwLock<Option<Arc<dyn AlwaysOn>>>,
    pub(crate) automatic_backups: AutomaticBackups,
    /// Lines for the error log that nobody has taken yet.
    notices: Mutex<Vec<String>>,
    pub(crate) hadr_views: RwLock<Option<Arc<dyn crate::system::HadrViews>>>,
    hadr_enabled: AtomicBool,
    trace_flags: Mutex<BTreeSet<u32>>,
    security: RwLock<Security>,
    service_key: Key,
    pub(crate) error_log: ErrorLog,
    security_listeners: Mutex<Vec<SecurityListener>>,
    documents: Mutex<BTreeMap<String, (i64, String)>>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("data_dir", &self.config.data_dir).finish_non_exhaustive()
    }
}

impl Server {
    pub(crate) fn database(&self, id: i32) -> Option<Arc<Database>> {
        self.databases.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    pub(crate) fn database_named(&self, name: &str) -> Option<Arc<Database>> {
        self.databases().into_iter().find(|d| same_name(&d.name(), name))
    }

    /// The name of a database; empty if there is none of that id.
    pub(crate) fn database_name(&self, id: i32) -> String {
        self.database(id).map(|d| d.name()).unwrap_or_default()
    }

    pub(crate) fn databases(&self) -> Vec<Arc<Database>> {
        self.databases.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The smallest id that no database has. The caller is [`Server::defining`].
    pub(crate) fn next_database_id(&self) -> i32 {
        let databases = self.databases.read().unwrap_or_else(PoisonError::into_inner);
        (MSDB + 1..).find(|id| !databases.contains_key(id)).unwrap_or(MSDB + 1)
    }

    /// Adds a database, or puts it into the place of its former self, whose role in a group it keeps.
    pub(crate) fn add_database(&self, database: Arc<Database>) {
        let mut databases = self.databases.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(former) = databases.get(&database.id) {
            database.set_replica(former.replica());
        }
        databases.insert(database.id, database);
    }

    pub(crate) fn forget_database(&self, id: i32) {
        self.databases.write().unwrap_or_else(PoisonError::into_inner).remove(&id);
        self.forget_identities(id);
    }

    /// Identity values of a database are read from its pages again.
    pub(crate) fn forget_identities(&self, id: i32) {
        lock(&self.identities).retain(|(database, _), _| *database != id);
    }

    /// Makes others wait that define databases or logins.
    pub(crate) fn defining(&self) -> MutexGuard<'_, ()> {
        lock(&self.definitions)
    }

    pub(crate) fn logins(&self) -> Vec<Login> {
        self.logins.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(crate) fn login_named(&self, name: &str) -> Option<Login> {
        self.logins().into_iter().find(|l| same_name(&l.name, name))
    }

    pub(crate) fn sessions(&self) -> Vec<Arc<Shared>> {
        lock(&self.sessions).values().cloned().collect()
    }

    /// Finds a free session id from 51 up, as user sessions have in SQL Server, and registers what `make` builds.
    pub(crate) fn register(&self, make: impl FnOnce(u16) -> Shared) -> Option<Arc<Shared>> {
        let mut sessions = lock(&self.sessions);
        if sessions.len() >= self.config.max_sessions {
            return None;
        }
        let id = (51..=u16::MAX).find(|id| !sessions.contains_key(id))?;
        let shared = Arc::new(make(id));
        sessions.insert(id, Arc::clone(&shared));
        Some(shared)
    }

    pub(crate) fn unregister(&self, id: u16) {
        lock(&self.sessions).remove(&id);
    }

    pub(crate) fn next_transaction_id(&self) -> u64 {
        self.next_transaction.fetch_add(1, Ordering::Relaxed)
    }

    /// Temporary objects have negative ids.
    pub(crate) fn next_temp_object_id(&self) -> i32 {
        let step = self.next_temp_object.fetch_add(1, Ordering::Relaxed) & 0x3FFF_FFFF;
        -1 - step as i32
    }

    /// Takes `count` identity values; `last_on_disk` is asked once, when the table's counter is not yet in memory.
    /// Returns the first.
    ///
    /// Like SQL Server's, the counter does not go back when a transaction is rolled back.
    pub(crate) fn take_identity<E>(
        &self,
        table: (i32, i32),
        step: &crate::catalog::Identity,
        count: i64,
        last_on_disk: impl FnOnce() -> Result<Option<i64>, E>,
    ) -> Result<Option<i64>, E> {
        let mut identities = lock(&self.identities);
        let last = match identities.get(&table) {
            Some(last) => Some(*last),
            None => last_on_disk()?,
        };
        let first = match last {
            Some(last) => last.checked_add(step.increment),
            None => Some(step.seed),
        };
        let end = first.and_then(|f| step.increment.checked_mul(count - 1).and_then(|d| f.checked_add(d)));
        if let Some(end) = end {
            identities.insert(table, end);
        }
        Ok(first.filter(|_| end.is_some()))
    }

    /// Moves a counter to `last` (IDENTITY_INSERT, DBCC CHECKIDENT), or forgets it.
    pub(crate) fn set_identity(&self, table: (i32, i32), last: Option<i64>) {
        let mut identities = lock(&self.identities);
        match last {
            Some(last) => identities.insert(table, last),
            None => identities.remove(&table),
        };
    }

    pub(crate) fn last_identity(&self, table: (i32, i32)) -> Option<i64> {
        lock(&self.identities).get(&table).copied()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What these mutexes hold is a map that is changed by one call: a panic elsewhere leaves it whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
