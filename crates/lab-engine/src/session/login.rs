//! How a session begins.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Activity, Barrier, Interrupt, Session, Settings, Shared, SharedState};
use crate::catalog::Catalog;
use crate::error::SqlError;
use crate::exec::Cursors;
use crate::request::Isolation;
use crate::server::{Login, MASTER, Secret, Server, TEMPDB};
use crate::types::now_datetime;

/// What a client logs in with.
#[derive(Debug, Clone, Default)]
pub struct LoginRequest {
    /// The login's name.
    pub user: String,
    /// Its password.
    pub password: Option<Secret>,
    /// The database asked for; empty for the login's default.
    pub database: String,
    /// The client's computer.
    pub host: String,
    /// The client's program.
    pub program: String,
    /// The client's library.
    pub client_interface: String,
    /// The client's process id.
    pub host_process: u32,
    /// The client's address.
    pub client_address: String,
    /// Whether the connection is encrypted.
    pub encrypted: bool,
    /// The TDS version as it is on the wire.
    pub tds_version: u32,
    /// The packet size agreed on.
    pub packet_size: u32,
    /// ApplicationIntent=ReadOnly.
    pub read_only_intent: bool,
}

/// Why a login was refused: the error that is sent before the connection is closed.
pub type LoginRefused = SqlError;

impl Server {
    /// Checks a login and opens its session.
    ///
    /// # Errors
    /// 18456 whatever is wrong with name or password (its state says nothing to the client), 18470 for a disabled login,
    /// 4060 for a database that cannot be opened, 976, 978, 979, 983 for one whose role in a group does not allow it, 17809 if there are too many sessions.
    pub fn login(self: &Arc<Server>, request: &LoginRequest) -> Result<Session, LoginRefused> {
        self.check_login(request).inspect_err(|e| {
            let number = format!("Error: {}, Severity: {}, State: {}.", e.number, e.class, e.state);
            self.log_event("Logon", &number);
            self.log_event("Logon", &format!("{} [CLIENT: {}]", e.message, request.client_address));
        })
    }

    fn check_login(self: &Arc<Server>, request: &LoginRequest) -> Result<Session, LoginRefused> {
        let refused = || SqlError::new(18456, 14, 1, format!("Login failed for user '{}'.", request.user));
        let password = request.password.as_ref().ok_or_else(refused)?;
        let login = match self.login_named(&request.user) {
            Some(login) => login,
            None => {
                // As much work as for a login that exists: the time taken must not tell which names do.
                self.verifier.spend(password.expose());
                return Err(refused());
            }
        };
        if !self.verifier.verify(&login, password.expose()) {
            return Err(refused());
        }
        if login.disabled {
            return Err(SqlError::new(
                18470,
                14,
                1,
                format!("Login failed for user '{}'. Reason: The account is disabled.", request.user),
            ));
        }
        let mut session = self.open_session(&login, request)?;
        session.enter_first_database(&login, &request.database)?;
        Ok(session)
    }

    fn open_session(self: &Arc<Server>, login: &Login, request: &LoginRequest) -> Result<Session, SqlError> {
        let now = now_datetime();
        let temp = Arc::new(Catalog::new(self.collation));
        let state = SharedState {
            database: MASTER,
            login: login.name.clone(),
            login_sid: login.sid.clone(),
            sysadmin: login.is_sysadmin(),
            user: "dbo".to_owned(),
            host: request.host.clone(),
            program: request.program.clone(),
            client_interface: request.client_interface.clone(),
            host_process: request.host_process,
            client_address: request.client_address.clone(),
            encrypted: request.encrypted,
            tds_version: request.tds_version,
            packet_size: request.packet_size,
            login_time: now,
            last_request_start: now,
            last_request_end: now,
            activity: Activity::Sleeping,
            command: String::new(),
            batch_text: Arc::from(""),
            open_transactions: 0,
            isolation: Isolation::default(),
            row_count: 0,
            language: "us_english".to_owned(),
            date_format: "mdy".to_owned(),
            date_first: 7,
            lock_timeout_ms: -1,
            quoted_identifier: true,
            ansi_nulls: true,
            context_info: Vec::new(),
            session_context: BTreeMap::new(),
            using: std::collections::BTreeSet::new(),
            thread: None,
            attached: std::collections::BTreeSet::new(),
            temp: Arc::clone(&temp),
            changed_catalogs: BTreeMap::new(),
        };
        let full = || {
            SqlError::new(
                17809,
                20,
                1,
                "Could not connect because the maximum number of user connections has been reached.",
            )
        };
        let intent = request.read_only_intent;
        let shared = self.register(|id| Shared::new(id, Arc::clone(self), intent, state)).ok_or_else(full)?;
        let sqlite = |e: rusqlite::Error| SqlError::sqlite(&e);
        let conn = match crate::server::connection() {
            Ok(conn) => conn,
            Err(e) => {
                self.unregister(shared.id);
                return Err(sqlite(e));
            }
        };
        let interrupt = Interrupt::new(Arc::clone(&shared));
        let mut session = Session {
            server: Arc::clone(self),
            shared: Arc::clone(&shared),
            conn,
            settings: Settings::default(),
            tran: super::Transaction::default(),
            temp,
            isolation: Isolation::default(),
            interrupt: interrupt.clone(),
            barrier: Barrier::new(Arc::clone(self)),
            attached: BTreeMap::new(),
            using: Vec::new(),
            login_database: MASTER,
            row_count: 0,
            last_error: 0,
            identity: None,
            scope_identity: None,
            try_depth: 0,
            catching: Vec::new(),
            write_target: (String::new(), String::new()),
            late: BTreeSet::new(),
            nest_level: 0,
            prepared: BTreeMap::new(),
            next_handle: 0,
            cursors: Cursors::default(),
            bulk: None,
            trace_flags: std::collections::BTreeSet::new(),
            master_key: None,
            modules: BTreeMap::new(),
        };
        // From here on the session's own end unregisters it.
        crate::functions::register(&session.conn, &shared).map_err(sqlite)?;
        crate::system::register(&session.conn, &shared).map_err(sqlite)?;
        session.conn.progress_handler(PROGRESS_STEPS, Some(move || interrupt.cancelled())).map_err(sqlite)?;
        session.conn.execute_batch("PRAGMA temp_store=MEMORY;").map_err(sqlite)?;
        Ok(session)
    }

    /// A session of the server itself, as sysadmin.
    pub(crate) fn internal_session(self: &Arc<Server>) -> Result<Session, SqlError> {
        let sa = self.login_named("sa").ok_or_else(|| SqlError::internal("there is no sa"))?;
        self.open_session(&sa, &LoginRequest { program: "milink lab".to_owned(), ..LoginRequest::default() })
    }
}

/// How many steps of SQLite's machine pass between two looks at the client: some hundred microseconds.
const PROGRESS_STEPS: i32 = 20_000;

impl Session {
    fn enter_first_database(&mut self, login: &Login, asked: &str) -> Result<(), SqlError> {
        let name = if asked.is_empty() { login.default_database.as_str() } else { asked };
        let found = self.server.database_named(name).ok_or_else(|| SqlError::cannot_open_database(name))?;
        self.database(TEMPDB)?;
        self.enter_database(found.id)
            // What a role in a group does not allow is said as it is: the client is to come back, or to go elsewhere.
            .map_err(|e| match e.number {
                916 | 976 | 978 | 979 | 983 => e,
                _ => SqlError::cannot_open_database(name),
            })?;
        self.login_database = found.id;
        Ok(())
    }

    /// Makes a database the current one.
    ///
    /// # Errors
    /// It is not online, or the login has no user in it (916).
    pub(crate) fn enter_database(&mut self, id: i32) -> Result<(), SqlError> {
        self.database(id)?;
        let catalog = self.shared.catalog(id)?;
        let principal = self.shared.principal_in(id)?;
        let user = catalog.principals.get(&principal).map_or_else(|| "dbo".to_owned(), |p| p.name.clone());
        let mut state = self.shared.state();
        state.database = id;
        state.user = user;
        Ok(())
    }
}

/// What the first start sets up: msdb's tables and procedures.
pub(crate) fn run_first_start(server: &Arc<Server>) -> Result<(), SqlError> {
    let mut session = server.internal_session()?;
    let mut errors = crate::exec::FirstError::default();
    for batch in include_str!("msdb.sql").split("\nGO\n") {
        session.run_batch(batch, &mut errors);
    }
    errors.into_result()?;
    session.barrier.wait()
}
