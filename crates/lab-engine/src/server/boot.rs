//! Starting a server: create what is missing, recover what is there.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};

use lab_store::{CreateOptions, Database as Store, Disk, Locks, Lsn, RealDisk};
use rusqlite::Connection;

use super::*;
use crate::catalog::{self, Catalog};
use crate::error::SqlError;
use crate::types::now_datetime;

/// Why a server could not start.
#[derive(Debug)]
pub enum OpenError {
    /// The data folder or one of master's files cannot be used; the text says which and why.
    Storage(String),
    /// The first start needs a password for `sa`.
    NoPassword,
    /// The password is too weak to be set (SQL Server's policy: 8 characters of three kinds).
    WeakPassword,
    /// The folder was written by a newer version.
    Newer(String),
}

impl std::fmt::Display for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            OpenError::Storage(why) => write!(f, "cannot open the data folder: {why}"),
            OpenError::NoPassword => {
                f.write_str("the first start needs a password for sa in MSSQL_SA_PASSWORD")
            }
            OpenError::WeakPassword => f.write_str(
                "the password for sa is too weak: it needs at least 8 characters of three kinds \
                 (upper case, lower case, digits, others)",
            ),
            OpenError::Newer(what) => write!(f, "the data folder was written by a newer version: {what}"),
        }
    }
}

impl std::error::Error for OpenError {}

const MARKER: &str = "milink-lab.json";
const NEW_MARKER: &str = "milink-lab.json.new";
const FORMAT: u32 = 1;

impl Server {
    /// Opens the folder, creating it at the first start, and recovers every database.
    ///
    /// A user database that cannot be recovered is kept as SUSPECT or RECOVERY_PENDING and harms no other.
    pub fn open(config: ServerConfig) -> Result<Arc<Server>, OpenError> {
        Server::open_on(config, Arc::new(RealDisk))
    }

    /// As [`Server::open`], on a disk that may fail.
    pub fn open_on(config: ServerConfig, disk: Arc<dyn Disk>) -> Result<Arc<Server>, OpenError> {
        let first = is_first_start(&disk, &config.data_dir)?;
        if let Some(password) = &config.sa_password
            && !strong(password.expose())
        {
            return Err(OpenError::WeakPassword);
        }
        if first && config.sa_password.is_none() {
            return Err(OpenError::NoPassword);
        }
        let collation = config.collation;
        let master = open_or_create(&disk, &config.data_dir.join("master"), MASTER, collation, true)?;
        let admin = connection().map_err(storage)?;
        attach(&admin, &master.0, "db1").map_err(storage)?;
        if first {
            in_transaction(&admin, &master.0, "master", "db1", super::entries::create_table)
                .map_err(|e| OpenError::Storage(e.message))?;
        }
        let loaded = super::entries::load(&admin).map_err(storage)?;
        let service_key =
            crate::security::service_key::load_or_make(&config.data_dir).map_err(OpenError::Storage)?;
        let collation = master.1.collation;
        let server = Server {
            disk,
            locks: Locks::default(),
            started: now_datetime(),
            collation,
            verifier: Verifier::new().map_err(|e| OpenError::Storage(format!("no randomness: {e}")))?,
            databases: RwLock::new(BTreeMap::new()),
            logins: RwLock::new(BTreeMap::new()),
            sessions: Mutex::new(BTreeMap::new()),
            admin: Mutex::new(admin),
            next_transaction: AtomicU64::new(1000),
            next_temp_object: AtomicU32::new(0),
            identities: Mutex::new(BTreeMap::new()),
            definitions: Mutex::new(()),
            configuration: Mutex::new(BTreeMap::new()),
            checkpointer: Checkpointer::default(),
            always_on: RwLock::new(None),
            hadr_views: RwLock::default(),
            automatic_backups: AutomaticBackups::default(),
            notices: Mutex::default(),
            hadr_enabled: AtomicBool::new(false),
            security: RwLock::new(loaded.security),
            service_key,
            error_log: ErrorLog::start(&config.data_dir),
            security_listeners: Mutex::new(Vec::new()),
            documents: Mutex::new(loaded.documents),
            trace_flags: Mutex::new(config.trace_flags.iter().copied().collect()),
            config,
        };
        server.boot_databases(master, loaded.entries)?;
        server.settle_hadr()?;
        server.settle_managed()?;
        server.set_sa_password()?;
        server.log_start();
        let server = Arc::new(server);
        if first {
            crate::session::run_first_start(&server).map_err(|e| OpenError::Storage(e.to_string()))?;
            write_marker(&server.disk, &server.config.data_dir, true)?;
        }
        Checkpointer::start(&server)
            .map_err(|e| OpenError::Storage(format!("start the checkpointer: {e}")))?;
        AutomaticBackups::start(&server)
            .map_err(|e| OpenError::Storage(format!("start the automatic backups: {e}")))?;
        Ok(server)
    }

    fn boot_databases(&self, master: (Store, Catalog), entries: Vec<ServerEntry>) -> Result<(), OpenError> {
        let dir = &self.config.data_dir;
        let level = self.config.flavor.compatibility_level();
        let mut databases = BTreeMap::new();
        let mut replicas = BTreeMap::new();
        for entry in entries {
            match entry {
                ServerEntry::Database(entry) if entry.id > MSDB => {
                    let entry = *entry;
                    databases.insert(entry.id, entry);
                }
                ServerEntry::Database(_) => {}
                ServerEntry::Login(login) => {
                    self.logins
                        .write()
                        .unwrap_or_else(std::sync::PoisonError::into_inner)
                        .insert(login.id, *login);
                }
                ServerEntry::Setting(_, name, value) => {
                    lock(&self.configuration).insert(name, value);
                }
                ServerEntry::Replica(id, ids) => {
                    replicas.insert(id, ids);
                }
            }
        }
        let (store, catalog) = master;
        self.add_database(Arc::new(Database::online(
            system_entry(MASTER, "master", self.collation, level),
            store,
            catalog,
        )));
        for (id, name) in [(MODEL, "model"), (MSDB, "msdb")] {
            let (store, catalog) = open_or_create(&self.disk, &dir.join(name), id, self.collation, true)?;
            self.add_database(Arc::new(Database::online(
                system_entry(id, name, self.collation, level),
                store,
                catalog,
            )));
        }
        let temp = dir.join("tempdb");
        if temp.exists() {
            std::fs::remove_dir_all(&temp)
                .map_err(|e| OpenError::Storage(format!("remove old tempdb: {e}")))?;
        }
        let (store, catalog) = open_or_create(&self.disk, &temp, TEMPDB, self.collation, false)?;
        self.add_database(Arc::new(Database::online(
            system_entry(TEMPDB, "tempdb", self.collation, level),
            store,
            catalog,
        )));
        for entry in databases.into_values() {
            if entry.seeding {
                self.remove_unfinished(entry);
                continue;
            }
            let database = self.bring_up_entry(entry);
            if let Some(ids) = replicas.get(&database.id) {
                // It must not be written, nor read, before it is known whose changes are the right ones.
                database.set_replica(Replica { role: ReplicaRole::Resolving, ids: Some(*ids) });
            } else if database.store().is_ok_and(|s| s.mode() == lab_store::Mode::Secondary) {
                database.set_replica(Replica { role: ReplicaRole::Resolving, ids: None });
            }
            self.add_database(Arc::new(database));
        }
        Ok(())
    }

    /// A copy that a crash has cut off is of no use. One whose files cannot be removed stays, to be seen and dropped.
    fn remove_unfinished(&self, entry: DatabaseEntry) {
        let name = entry.name.clone();
        let said = match self.remove_copy(&entry) {
            Ok(()) => format!(
                "The copy of database '{name}' was not complete when the server stopped; it has been removed."
            ),
            Err(e) => {
                let why = e.message.clone();
                let entry = DatabaseEntry { seeding: false, ..entry };
                self.add_database(Arc::new(Database::down(entry, DatabaseState::Restoring, why)));
                e.message
            }
        };
        self.notice(said);
    }

    /// Something for the error log.
    pub(super) fn notice(&self, line: String) {
        /// As many as are kept for somebody who does not come.
        const NOTICES_MAX: usize = 1000;
        let mut notices = lock(&self.notices);
        if notices.len() < NOTICES_MAX {
            notices.push(line);
        }
    }

    /// What there is to say for the error log since it was last asked: about the start, about automatic backups.
    pub fn take_notices(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.notices))
    }

    /// Recovers a user database; a failure is kept as its state.
    pub(crate) fn bring_up_entry(&self, entry: DatabaseEntry) -> Database {
        if entry.offline {
            return Database::down(entry, DatabaseState::Offline, "set offline".to_owned());
        }
        if entry.restoring {
            return Database::down(entry, DatabaseState::Restoring, "in the middle of a restore".to_owned());
        }
        match self.open_files(&entry) {
            Ok((store, catalog)) => Database::online(entry, store, catalog),
            Err((state, why)) => Database::down(entry, state, why),
        }
    }

    /// Ends the sessions that have the files open of a database that is down, and waits until none has.
    ///
    /// Whatever still works on the former store, with its own log and its own idea of the data file, must be gone before
    /// recovery writes either.
    pub(crate) fn evict(&self, database: &Database, but: u16) -> bool {
        const PATIENCE: Duration = Duration::from_secs(10);
        let start = Instant::now();
        loop {
            if database.is_let_go() {
                return true;
            }
            if start.elapsed() > PATIENCE {
                return false;
            }
            for session in self.sessions() {
                if session.id != but && session.state().attached.contains(&database.id) {
                    session.kill();
                }
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn set_sa_password(&self) -> Result<(), OpenError> {
        let known = self.login_named("sa");
        let Some(password) = &self.config.sa_password else { return Ok(()) };
        if known.as_ref().is_some_and(|sa| self.verifier.verify(sa, password.expose())) {
            return Ok(());
        }
        let hash = PasswordHash::new(password.expose())
            .map_err(|e| OpenError::Storage(format!("no randomness: {e}")))?;
        let now = now_datetime();
        let sa = Login {
            id: 1,
            name: "sa".to_owned(),
            sid: "01".to_owned(),
            password: Some(hash),
            disabled: false,
            default_database: "master".to_owned(),
            default_language: "us_english".to_owned(),
            check_policy: true,
            roles: vec!["sysadmin".to_owned()],
            created: known.map_or(now, |sa| sa.created),
            modified: now,
        };
        self.save_entry(ServerEntry::Login(Box::new(sa))).map_err(|e| OpenError::Storage(e.message))
    }

    /// Makes the files of a new user database, hardened when it returns.
    pub(crate) fn create_database_files(
        &self,
        folder: &Path,
        id: i32,
        collation: Collation,
    ) -> Result<(Store, Catalog), SqlError> {
        let dir = self.config.data_dir.join(folder);
        create(&self.disk, &dir, id, collation, true).map_err(|mut e| {
            // What there is of it is of no use, and on a full disk it takes room that others need.
            if let Err(also) = std::fs::remove_dir_all(&dir)
                && also.kind() != std::io::ErrorKind::NotFound
            {
                e.message = format!("{} Removing {}: {also}.", e.message, dir.display());
            }
            e
        })
    }
}

/// SQL Server's password policy: at least 8 characters, three of four kinds.
pub(crate) fn strong(password: &str) -> bool {
    let has = |test: fn(char) -> bool| u8::from(password.chars().any(test));
    let kinds = has(char::is_uppercase)
        + has(char::is_lowercase)
        + has(|c| c.is_ascii_digit())
        + has(|c| !c.is_alphanumeric());
    password.chars().count() >= 8 && kinds >= 3
}

fn storage(e: impl std::fmt::Display) -> OpenError {
    OpenError::Storage(e.to_string())
}

/// What the program that serves an instance locks in its folder.
pub const LOCK_FILE: &str = "instance.lock";

/// Whether the folder has to be set up. A set-up that was cut off has told nobody of anything: it begins anew.
fn is_first_start(disk: &Arc<dyn Disk>, dir: &Path) -> Result<bool, OpenError> {
    std::fs::create_dir_all(dir).map_err(|e| OpenError::Storage(format!("{}: {e}", dir.display())))?;
    let marker = dir.join(MARKER);
    if marker.exists() {
        let text = std::fs::read_to_string(&marker).map_err(storage)?;
        let marker = serde_json::from_str::<serde_json::Value>(&text)
            .map_err(|_| OpenError::Storage(format!("{} cannot be read", marker.display())))?;
        match marker["format"].as_u64() {
            Some(f) if f <= u64::from(FORMAT) => {}
            f => {
                return Err(OpenError::Newer(format!(
                    "format {}, this program knows {FORMAT}",
                    f.unwrap_or(0)
                )));
            }
        }
        if marker["complete"].as_bool() != Some(false) {
            return Ok(false);
        }
        for name in ["master", "model", "msdb", "tempdb"] {
            let folder = dir.join(name);
            if folder.exists() {
                std::fs::remove_dir_all(&folder)
                    .map_err(|e| OpenError::Storage(format!("{}: {e}", folder.display())))?;
            }
        }
        return Ok(true);
    }
    let files = std::fs::read_dir(dir).map_err(storage)?.collect::<Result<Vec<_>, _>>().map_err(storage)?;
    // A marker that did not get its name yet was going to say that this is ours.
    // A lock is nobody's data: it is there before the first start, so that there is one first start at a time.
    let occupied = files.iter().any(|f| f.file_name() != NEW_MARKER && f.file_name() != LOCK_FILE);
    if occupied && !dir.join("master").exists() {
        return Err(OpenError::Storage(format!("{} is not empty and holds no lab instance", dir.display())));
    }
    write_marker(disk, dir, occupied)?;
    Ok(!occupied)
}

/// Says durably what the folder is, and whether it is set up.
fn write_marker(disk: &Arc<dyn Disk>, dir: &Path, complete: bool) -> Result<(), OpenError> {
    let (new, marker) = (dir.join(NEW_MARKER), dir.join(MARKER));
    let text = format!("{{\"format\":{FORMAT},\"complete\":{complete}}}\n");
    let write = || -> std::io::Result<()> {
        let file = disk.open("marker open", &new, true)?;
        file.set_len("marker cut", 0)?;
        file.write_at("marker write", 0, text.as_bytes())?;
        file.sync("marker sync")?;
        disk.rename("marker rename", &new, &marker)?;
        disk.sync_dir("marker folder", dir)
    };
    write().map_err(|e| OpenError::Storage(format!("{}: {e}", marker.display())))
}

fn system_entry(id: i32, name: &str, collation: Collation, compatibility_level: i64) -> DatabaseEntry {
    DatabaseEntry {
        id,
        name: name.to_owned(),
        folder: name.into(),
        // The date that SQL Server shows for its own system databases.
        created: crate::types::datetime_from_ymd(2003, 4, 8),
        owner: "sa".to_owned(),
        collation,
        recovery_model: if id == MODEL { RecoveryModel::Full } else { RecoveryModel::Simple },
        compatibility_level,
        read_only: false,
        single_user: false,
        offline: false,
        restoring: false,
        seeding: false,
        snapshot_isolation: id == MASTER || id == MSDB,
        read_committed_snapshot: false,
        switches: BTreeMap::new(),
        guid: String::new(),
    }
}

fn open_or_create(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    id: i32,
    collation: Collation,
    hardened: bool,
) -> Result<(Store, Catalog), OpenError> {
    if !dir.exists() {
        return create(disk, dir, id, collation, hardened).map_err(|e| OpenError::Storage(e.message));
    }
    let store = Store::open(Arc::clone(disk), dir)
        .map_err(|e| OpenError::Storage(format!("{}: {e}", dir.display())))?;
    let catalog =
        load_catalog(&store, id).map_err(|e| OpenError::Storage(format!("{}: {e}", dir.display())))?;
    Ok((store, catalog))
}

fn create(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    id: i32,
    collation: Collation,
    hardened: bool,
) -> Result<(Store, Catalog), SqlError> {
    let recovery_model = lab_store::RecoveryModel::Simple;
    let options = CreateOptions { hardened, recovery_model, ..CreateOptions::default() };
    let name = dir.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let store = Store::create(Arc::clone(disk), dir, options).map_err(|e| {
        SqlError::new(
            5123,
            16,
            1,
            format!(
                "CREATE FILE encountered operating system error ({e}) while attempting to open or create the physical file '{}'.",
                dir.display()
            ),
        )
    })?;
    let conn = connection().map_err(|e| SqlError::sqlite(&e))?;
    let alias = format!("db{id}");
    attach(&conn, &store, &alias).map_err(|e| SqlError::sqlite(&e))?;
    let catalog = Catalog::new(collation);
    let lsn =
        in_transaction(&conn, &store, &name, &alias, |conn| catalog::create_tables(conn, &alias, &catalog))?;
    store.wait_hardened(lsn).map_err(|e| SqlError::storage(&name, &e))?;
    Ok((store, catalog))
}

/// Reads the catalog of a store with a connection of its own.
pub(crate) fn load_catalog(store: &Store, id: i32) -> rusqlite::Result<Catalog> {
    let conn = connection()?;
    let alias = format!("db{id}");
    attach(&conn, store, &alias)?;
    // One snapshot for all of it: the log of a primary may be changing the tables at this moment.
    conn.execute_batch("BEGIN")?;
    catalog::load(&conn, &alias)
}

/// A connection whose `main` is empty: databases are attached under their aliases.
pub(crate) fn connection() -> rusqlite::Result<Connection> {
    let conn = lab_store::connection()?;
    conn.set_prepared_statement_cache_capacity(256);
    Ok(conn)
}

/// Attaches a database and sets what the store asks of every connection. Inside of a transaction SQLite refuses that: it
/// waits until the transaction is over, which only costs syncs that the store does not need.
pub(crate) fn attach(conn: &Connection, store: &Store, alias: &str) -> rusqlite::Result<()> {
    conn.execute(&format!("ATTACH DATABASE ?1 AS {alias}"), [store.sqlite_name()])?;
    if conn.is_autocommit() { store.connection_pragmas(conn, alias) } else { Ok(()) }
}

/// Runs `change` in a transaction of its own. The caller holds the database's write lock, or nobody else can know the store.
pub(crate) fn in_transaction(
    conn: &Connection,
    store: &Store,
    name: &str,
    alias: &str,
    change: impl FnOnce(&Connection) -> rusqlite::Result<()>,
) -> Result<Lsn, SqlError> {
    let sqlite = |e: rusqlite::Error| SqlError::sqlite(&e);
    conn.execute_batch("BEGIN").map_err(sqlite)?;
    let committed = change(conn).map_err(sqlite).and_then(|()| {
        let pending = store.begin_commit(conn, alias).map_err(|e| SqlError::storage(name, &e))?;
        if let Err(e) = conn.execute_batch("COMMIT") {
            pending.abort().map_err(|e| SqlError::storage(name, &e))?;
            return Err(sqlite(e));
        }
        pending.finish(lab_store::CommitNote::default()).map_err(|e| SqlError::storage(name, &e))
    });
    if committed.is_err() && !conn.is_autocommit() {
        conn.execute_batch("ROLLBACK").map_err(sqlite)?;
    }
    committed
}
