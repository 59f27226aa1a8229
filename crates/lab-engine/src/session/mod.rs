//! A client's session: its connection to SQLite, its settings, its transaction.

mod barrier;
mod interrupt;
mod login;
mod settings;
mod shared;
mod survivors;
mod touched;
mod transaction;

use std::collections::BTreeMap;
use std::sync::Arc;

use lab_store::Database as Store;
use rusqlite::Connection;

pub use barrier::Barrier;
pub(crate) use interrupt::Interrupt;
pub(crate) use login::run_first_start;
pub use login::{LoginRefused, LoginRequest};
pub(crate) use settings::Settings;
pub(crate) use shared::{Activity, Shared, SharedState};
pub(crate) use survivors::TABLE_VARIABLE;
use transaction::Transaction;

use crate::catalog::Catalog;
use crate::error::SqlError;
use crate::exec::{BulkTarget, Cursors, Prepared};
use crate::request::Isolation;
use crate::server::{Database, Server};

/// One client's session.
pub struct Session {
    pub(crate) server: Arc<Server>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) conn: Connection,
    pub(crate) settings: Settings,
    pub(crate) tran: Transaction,
    pub(crate) temp: Arc<Catalog>,
    pub(crate) isolation: Isolation,
    pub(crate) interrupt: Interrupt,
    pub(crate) barrier: Barrier,
    /// Databases attached to `conn`, with the store that was attached.
    attached: BTreeMap<i32, Arc<Store>>,
    /// What the shared part says is in use.
    pub(crate) using: Vec<i32>,
    /// The database to go back to when the session is reset.
    pub(crate) login_database: i32,
    pub(crate) row_count: i64,
    /// `@@ERROR`.
    pub(crate) last_error: i32,
    /// `@@IDENTITY`.
    pub(crate) identity: Option<i64>,
    /// `SCOPE_IDENTITY()` of the session's batches.
    pub(crate) scope_identity: Option<i64>,
    /// How many TRY blocks are open around what runs.
    pub(crate) try_depth: u32,
    /// Errors of the CATCH blocks that run, in whatever procedure, innermost last: ERROR_NUMBER() sees through calls.
    pub(crate) catching: Vec<SqlError>,
    /// The table written last and its database, for the wording of update conflicts.
    pub(crate) write_target: (String, String),
    /// Databases attached inside of a transaction, where SQLite takes no pragmas yet.
    late: std::collections::BTreeSet<i32>,
    /// `@@NESTLEVEL`.
    pub(crate) nest_level: u32,
    pub(crate) prepared: BTreeMap<i32, Prepared>,
    pub(crate) next_handle: i32,
    pub(crate) cursors: Cursors,
    pub(crate) bulk: Option<BulkTarget>,
    /// Flags of `DBCC TRACEON` without -1.
    pub(crate) trace_flags: std::collections::BTreeSet<u32>,
    /// `OPEN MASTER KEY`.
    pub(crate) master_key: Option<crate::security::crypt::Key>,
    /// Trees of the procedures called last: by database and object, with when they were changed and how long they are.
    pub(crate) modules: BTreeMap<(i32, i32), (i64, usize, Arc<lab_tsql::ast::CreateModule>)>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("id", &self.shared.id).finish_non_exhaustive()
    }
}

impl Session {
    /// `@@SPID`.
    pub fn id(&self) -> u16 {
        self.shared.id
    }

    /// The name of the current database.
    pub fn database_name(&self) -> String {
        self.server.database(self.current_database()).map(|d| d.name()).unwrap_or_default()
    }

    /// The collation of the current database.
    pub fn collation(&self) -> crate::types::Collation {
        self.database_collation()
    }

    /// What must be hardened before anything said so far may leave.
    pub fn barrier(&self) -> Barrier {
        self.barrier.clone()
    }

    /// Sets what is asked whether the client has cancelled: by long statements, waits for locks, and WAITFOR.
    pub fn set_interrupt(&mut self, probe: Box<dyn FnMut() -> bool + Send>) {
        self.interrupt.set_probe(probe);
    }

    /// Sets how KILL ends the connection while nothing runs on it.
    pub fn set_hang_up(&self, hang_up: Box<dyn Fn() + Send>) {
        self.shared.set_hang_up(hang_up);
    }

    /// Whether KILL has ended this session.
    pub fn is_killed(&self) -> bool {
        self.shared.is_killed()
    }

    pub(crate) fn current_database(&self) -> i32 {
        self.shared.state().database
    }

    /// A database by its id, attached to this session's connection.
    pub(crate) fn database(&mut self, id: i32) -> Result<Arc<Database>, SqlError> {
        let database =
            self.server.database(id).ok_or_else(|| SqlError::database_not_found(&id.to_string()))?;
        if !self.using.contains(&id) {
            self.using.push(id);
            self.shared.state().using.insert(id);
        }
        let store = database.store()?;
        // After the mark: see `server::replica`.
        database.check_access(self.shared.read_intent)?;
        if self.attached.get(&id).is_some_and(|known| Arc::ptr_eq(known, &store)) {
            return Ok(database);
        }
        self.let_go(id)?;
        crate::server::attach(&self.conn, &store, &database.alias).map_err(|e| SqlError::sqlite(&e))?;
        if self.sqlite_open() {
            self.late.insert(id);
        }
        self.attached.insert(id, store);
        self.shared.state().attached.insert(id);
        Ok(database)
    }

    /// Lets go of a database that is going down, so that its files can be replaced.
    pub(crate) fn let_go(&mut self, id: i32) -> Result<(), SqlError> {
        if self.attached.contains_key(&id) {
            self.detach(&format!("db{id}"))?;
            // Only now: others wait for the store to be let go of until its files are closed.
            self.attached.remove(&id);
            self.shared.state().attached.remove(&id);
        }
        Ok(())
    }

    fn detach(&self, alias: &str) -> Result<(), SqlError> {
        self.conn.flush_prepared_statement_cache();
        self.conn.execute_batch(&format!("DETACH DATABASE {alias}")).map_err(|e| SqlError::sqlite(&e))
    }

    /// Detaches what no longer is what the server has: a connection must not keep a dropped database's files open.
    pub(crate) fn forget_stale(&mut self) -> Result<(), SqlError> {
        if self.sqlite_open() {
            return Ok(());
        }
        for id in std::mem::take(&mut self.late) {
            if let Some(store) = self.attached.get(&id) {
                store.connection_pragmas(&self.conn, &format!("db{id}")).map_err(|e| SqlError::sqlite(&e))?;
            }
        }
        let stale: Vec<i32> = self
            .attached
            .iter()
            .filter(|(id, store)| {
                let now = self.server.database(**id).and_then(|d| d.store().ok());
                !now.is_some_and(|s| Arc::ptr_eq(&s, store))
            })
            .map(|(id, _)| *id)
            .collect();
        stale.into_iter().try_for_each(|id| self.let_go(id))
    }

    /// RESETCONNECTION: back to how the login left it.
    pub fn reset(
        &mut self,
        keep_transaction: bool,
        sink: &mut dyn crate::sink::Sink,
    ) -> Result<(), SqlError> {
        if !keep_transaction && self.tran.count > 0 {
            self.rollback_all(sink)?;
        }
        self.settings = Settings::default();
        self.isolation = Isolation::default();
        self.prepared.clear();
        self.cursors = Cursors::default();
        self.bulk = None;
        self.identity = None;
        self.scope_identity = None;
        self.drop_temporary_tables()?;
        let back = self.login_database;
        if self.current_database() != back {
            self.shared.state().database = back;
        }
        let mut state = self.shared.state();
        state.session_context.clear();
        state.context_info.clear();
        drop(state);
        self.show_settings();
        sink.env(crate::sink::EnvChange::ResetConnection);
        Ok(())
    }

    /// Copies what views and functions show of the settings.
    pub(crate) fn show_settings(&mut self) {
        let mut state = self.shared.state();
        state.isolation = self.isolation;
        state.language.clone_from(&self.settings.language);
        state.date_format = self.settings.date_format.name().to_owned();
        state.date_first = self.settings.date_first;
        state.lock_timeout_ms = self.settings.lock_timeout_ms;
        state.quoted_identifier = self.settings.quoted_identifier;
        state.ansi_nulls = self.settings.ansi_nulls;
    }

    fn drop_temporary_tables(&mut self) -> Result<(), SqlError> {
        let ids: Vec<i32> = self.temp.objects().map(|o| o.id).collect();
        if self.sqlite_open() || ids.is_empty() {
            return Ok(());
        }
        for id in ids {
            let sql = format!("DROP TABLE IF EXISTS {}", crate::store::table_name("temp", id));
            self.conn.execute_batch(&sql).map_err(|e| SqlError::sqlite(&e))?;
        }
        self.set_temp(Arc::new(Catalog::new(self.server.collation)));
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Nobody is there to be told of a failure; SQLite rolls back when its connection closes, too.
        if self.tran.count > 0 || self.sqlite_open() {
            self.abandon();
        }
        self.server.locks.release_all(lab_store::SessionId(u32::from(self.shared.id).into()));
        self.server.unregister(self.shared.id);
    }
}
