//! The part of a session that others read: functions called from within SQLite, and the views of sessions.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::catalog::Catalog;
use crate::error::SqlError;
use crate::request::Isolation;
use crate::server::Server;

/// What a session is doing, for `sys.dm_exec_sessions` and `sys.dm_exec_requests`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activity {
    Sleeping,
    Running,
    /// Waits for the write lock of a database.
    Suspended,
}

/// The facts of a session as of now.
#[derive(Debug, Clone)]
pub(crate) struct SharedState {
    pub(crate) database: i32,
    pub(crate) login: String,
    pub(crate) login_sid: String,
    pub(crate) sysadmin: bool,
    /// The database user that the login is in the current database.
    pub(crate) user: String,
    pub(crate) host: String,
    pub(crate) program: String,
    pub(crate) client_interface: String,
    pub(crate) host_process: u32,
    pub(crate) client_address: String,
    pub(crate) encrypted: bool,
    pub(crate) tds_version: u32,
    pub(crate) packet_size: u32,
    /// As `datetime`, UTC.
    pub(crate) login_time: i64,
    pub(crate) last_request_start: i64,
    pub(crate) last_request_end: i64,
    pub(crate) activity: Activity,
    pub(crate) command: String,
    pub(crate) batch_text: Arc<str>,
    pub(crate) open_transactions: u32,
    pub(crate) isolation: Isolation,
    pub(crate) row_count: i64,
    pub(crate) language: String,
    pub(crate) date_format: String,
    pub(crate) date_first: u8,
    pub(crate) lock_timeout_ms: i64,
    pub(crate) quoted_identifier: bool,
    pub(crate) ansi_nulls: bool,
    pub(crate) context_info: Vec<u8>,
    /// `sp_set_session_context`.
    pub(crate) session_context: BTreeMap<String, rusqlite::types::Value>,
    /// The temporary objects of this session.
    pub(crate) temp: Arc<Catalog>,
    /// Databases that the running request or the open transaction uses.
    pub(crate) using: std::collections::BTreeSet<i32>,
    /// The thread that runs requests, which a wait is ended on.
    pub(crate) thread: Option<std::thread::Thread>,
    /// Databases whose files the session's connection has open.
    pub(crate) attached: std::collections::BTreeSet<i32>,
    /// Catalogs that this session's open transaction has changed.
    pub(crate) changed_catalogs: BTreeMap<i32, Arc<Catalog>>,
}

/// Shared by the session's thread, its SQLite functions, and the server's list of sessions.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) id: u16,
    pub(crate) server: Arc<Server>,
    /// ApplicationIntent=ReadOnly.
    pub(crate) read_intent: bool,
    state: Mutex<SharedState>,
    /// Set by KILL.
    killed: std::sync::atomic::AtomicBool,
    hang_up: HangUp,
}

/// Ends the connection of a session that waits for its client's next request.
#[derive(Default)]
struct HangUp(Mutex<Option<Box<dyn Fn() + Send>>>);

impl std::fmt::Debug for HangUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HangUp")
    }
}

impl Shared {
    pub(crate) fn new(id: u16, server: Arc<Server>, read_intent: bool, state: SharedState) -> Shared {
        let killed = std::sync::atomic::AtomicBool::new(false);
        Shared { id, server, read_intent, state: Mutex::new(state), killed, hang_up: HangUp::default() }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, SharedState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The catalog of a database, with what this session's transaction has changed.
    ///
    /// # Errors
    /// The database is not online.
    pub(crate) fn catalog(&self, database: i32) -> Result<Arc<Catalog>, SqlError> {
        if let Some(catalog) = self.state().changed_catalogs.get(&database) {
            return Ok(Arc::clone(catalog));
        }
        let database = self
            .server
            .database(database)
            .ok_or_else(|| SqlError::new(911, 16, 1, "Database does not exist."))?;
        let catalog = database.catalog()?;
        database.check_access(self.read_intent)?;
        Ok(catalog)
    }

    pub(crate) fn kill(&self) {
        self.killed.store(true, std::sync::atomic::Ordering::Release);
        let state = self.state();
        let sleeping = state.activity == Activity::Sleeping;
        if let Some(thread) = state.thread.as_ref().filter(|_| !sleeping) {
            // One that runs sees the mark by itself, and may have something to roll back first; one that waits looks now.
            thread.unpark();
        }
        drop(state);
        if sleeping {
            self.hang_up();
        }
    }

    fn hang_up(&self) {
        if let Some(hang_up) = &*self.hang_up.0.lock().unwrap_or_else(PoisonError::into_inner) {
            hang_up();
        }
    }

    pub(crate) fn set_hang_up(&self, hang_up: Box<dyn Fn() + Send>) {
        *self.hang_up.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(hang_up);
        if self.is_killed() {
            // Between the login and now.
            self.hang_up();
        }
    }

    pub(crate) fn is_killed(&self) -> bool {
        self.killed.load(std::sync::atomic::Ordering::Acquire)
    }
}
