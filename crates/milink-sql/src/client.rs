//! A bounded pool of connections to one instance, and the requests that run on it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use crate::collect::{Collector, Limits};
use crate::connection::{Connection, Failure};
use crate::error::SqlError;
use crate::rows::{Batch, Executed, Rows};
use crate::target::Target;

/// How many connections there are at most, unless it is said.
const CONNECTIONS: usize = 4;

/// A connection that nobody used for so long is closed: what lies between may have forgotten it without a word.
const IDLE_MAX: Duration = Duration::from_mins(4);

/// A client of one instance. Clones share its connections, which come about when they are needed and again after a loss.
///
/// Dropping the future of a request calls it off by closing its connection.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    target: Target,
    /// One permit is one connection in use, or the right to open one.
    permits: Arc<Semaphore>,
    /// The last one used comes first: the others grow old and are closed.
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

/// What a request may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The database to run in; the target's if there is none.
    pub database: Option<String>,
    /// How long the answer may take; the target's `query_timeout` if there is none.
    pub timeout: Option<Duration>,
    /// How many rows the answer may have, over all of its result sets.
    pub rows_max: usize,
    /// How many bytes the answer's values may take. It is looked at after each row, and one value can have 2 GB.
    pub bytes_max: usize,
}

impl Default for Options {
    fn default() -> Options {
        let Limits { rows_max, bytes_max, .. } = Limits::default();
        Options { database: None, timeout: None, rows_max, bytes_max }
    }
}

impl Options {
    /// To run in this database.
    pub fn in_database(database: &str) -> Options {
        Options { database: Some(database.to_owned()), ..Options::default() }
    }

    /// The same, to be answered in this time.
    pub fn within(self, timeout: Duration) -> Options {
        Options { timeout: Some(timeout), ..self }
    }
}

impl Client {
    /// A client of four connections at most. Nothing is connected yet.
    pub fn new(target: Target) -> Client {
        Client::with_connections(target, CONNECTIONS)
    }

    /// A client of so many connections at most.
    pub fn with_connections(target: Target, connections: usize) -> Client {
        let permits = Arc::new(Semaphore::new(connections.clamp(1, 1000)));
        Client { inner: Arc::new(Inner { target, permits, idle: Mutex::default() }) }
    }

    /// What it connects to.
    pub fn target(&self) -> &Target {
        &self.inner.target
    }

    /// Reads: the first result set. Repeated once if the pooled connection turns out to have died meanwhile.
    ///
    /// # Errors
    /// See [`SqlError`]; an answer without a result set is unexpected.
    pub async fn query(&self, text: &str) -> Result<Rows, SqlError> {
        self.query_with(text, &Options::default()).await
    }

    /// The same in a database.
    ///
    /// # Errors
    /// As [`Client::query`].
    pub async fn query_in(&self, database: &str, text: &str) -> Result<Rows, SqlError> {
        self.query_with(text, &Options::in_database(database)).await
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`Client::query`].
    pub async fn query_with(&self, text: &str, options: &Options) -> Result<Rows, SqlError> {
        let batch = self.batch_with(text, options).await?;
        let what = "the query was answered without a result set".to_owned();
        batch.sets.into_iter().next().ok_or(SqlError::Unexpected { what })
    }

    /// Reads: all result sets, and messages. Repeated once as a query is.
    ///
    /// # Errors
    /// See [`SqlError`].
    pub async fn batch(&self, text: &str) -> Result<Batch, SqlError> {
        self.batch_with(text, &Options::default()).await
    }

    /// The same in a database.
    ///
    /// # Errors
    /// See [`SqlError`].
    pub async fn batch_in(&self, database: &str, text: &str) -> Result<Batch, SqlError> {
        self.batch_with(text, &Options::in_database(database)).await
    }

    /// The same with options.
    ///
    /// # Errors
    /// See [`SqlError`].
    pub async fn batch_with(&self, text: &str, options: &Options) -> Result<Batch, SqlError> {
        let limits = Limits { no_rows: false, rows_max: options.rows_max, bytes_max: options.bytes_max };
        let within = self.timeout(options);
        let mut lease = self.lease(options, false).await?;
        let mut done = lease.request(text, limits, within).await;
        if lease.unproved && done.as_ref().is_err_and(Failure::is_of_a_dead_connection) {
            self.inner.forget_idle();
            lease = self.open(lease.into_permit(), options).await?;
            done = lease.request(text, limits, within).await;
        }
        done.map_err(|failure| failure.meaning(&self.server(), within))
    }

    /// Sends a statement with effects, in a database. It is never repeated: a pooled connection is proved alive
    /// before, and a new one is opened only if that fails.
    ///
    /// # Errors
    /// See [`SqlError`], and ask it [`SqlError::is_certain`].
    pub async fn execute(&self, database: &str, text: &str) -> Result<Executed, SqlError> {
        self.execute_with(text, &Options::in_database(database)).await
    }

    /// The same with options. What rows it answers with are not kept.
    ///
    /// # Errors
    /// As [`Client::execute`].
    pub async fn execute_with(&self, text: &str, options: &Options) -> Result<Executed, SqlError> {
        let within = self.timeout(options);
        let mut lease = self.lease(options, true).await?;
        match lease.request(text, Limits::NO_ROWS, within).await {
            Ok(Batch { affected, messages, .. }) => Ok(Executed { affected, messages }),
            Err(failure) => Err(failure.meaning(&self.server(), within)),
        }
    }

    /// A connection in the right database: from the pool or a new one. With `proof` it is known to be alive.
    async fn lease(&self, options: &Options, proof: bool) -> Result<Lease, SqlError> {
        let mut permit = self.permit(options).await?;
        while let Some(mut connection) = self.inner.take_idle() {
            connection.reset();
            let enter = self.enters(options, &connection);
            let home = connection.database().to_owned();
            let mut lease = Lease::new(&self.inner, permit, connection, true);
            // The reset is acknowledged with the answer to whatever comes first.
            let first = match enter {
                Some(enter) => enter,
                None if proof => use_statement(&home),
                None => return Ok(lease),
            };
            match lease.request(&first, Limits::NO_ROWS, self.preparing(options)).await {
                Ok(_) => {
                    lease.unproved = false;
                    return Ok(lease);
                }
                Err(failure @ Failure::Server(_)) if !failure.is_of_a_dead_connection() => {
                    return Err(failure.meaning(&self.server(), Duration::ZERO));
                }
                // Where one has died the others have: a server that was restarted knows none of them.
                Err(_) => self.inner.forget_idle(),
            }
            permit = lease.into_permit();
        }
        self.open(permit, options).await
    }

    /// A new connection in the right database.
    async fn open(&self, permit: OwnedSemaphorePermit, options: &Options) -> Result<Lease, SqlError> {
        // The driver's futures are large, and a look asks everything at once: they live on the heap, not on the stack of whoever polls.
        let connection = Box::pin(Connection::open(&self.inner.target)).await?;
        let enter = self.enters(options, &connection);
        let mut lease = Lease::new(&self.inner, permit, connection, false);
        if let Some(enter) = enter {
            match lease.request(&enter, Limits::NO_ROWS, self.preparing(options)).await {
                Ok(_) => {}
                Err(failure @ Failure::Server(_)) if !failure.is_of_a_dead_connection() => {
                    return Err(failure.meaning(&self.server(), Duration::ZERO));
                }
                Err(failure) => {
                    let server = self.server();
                    let reason = format!("{failure}, before the request was sent");
                    return Err(SqlError::Unreachable { server, reason });
                }
            }
        }
        Ok(lease)
    }

    /// The statement that brings a connection into the right database, if it is not there.
    fn enters(&self, options: &Options, connection: &Connection) -> Option<String> {
        let wanted = options.database.as_deref()?;
        (connection.database() != wanted).then(|| use_statement(wanted))
    }

    async fn permit(&self, options: &Options) -> Result<OwnedSemaphorePermit, SqlError> {
        let within = self.timeout(options);
        let unreachable = |reason: String| SqlError::Unreachable { server: self.server(), reason };
        match timeout(within, self.inner.permits.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(e)) => Err(unreachable(e.to_string())),
            Err(_) => Err(unreachable(format!(
                "all connections of this process to it have been in use for {} s",
                within.as_secs_f64()
            ))),
        }
    }

    fn server(&self) -> String {
        self.inner.target.server.to_string()
    }

    fn timeout(&self, options: &Options) -> Duration {
        options.timeout.unwrap_or(self.inner.target.query_timeout)
    }

    /// What comes before the request takes as long as connecting may, but not longer than the request.
    fn preparing(&self, options: &Options) -> Duration {
        self.timeout(options).min(self.inner.target.connect_timeout)
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("target", &self.inner.target).finish_non_exhaustive()
    }
}

fn use_statement(database: &str) -> String {
    format!("USE [{}]", database.replace(']', "]]"))
}

impl Inner {
    /// The connection that was used last, if it is not too old.
    fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        idle.retain(|i| now.duration_since(i.since) < IDLE_MAX && i.connection.is_good());
        idle.pop().map(|i| i.connection)
    }

    fn forget_idle(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// NB: whoever gives one back still holds its permit, so that idle ones and used ones are never too many.
    fn give_back(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() <= self.permits.available_permits() {
            idle.push(Idle { connection, since: Instant::now() });
        }
    }
}

/// A connection in use, and the permit for it.
struct Lease {
    /// NB: the order of the fields is the order in which they are dropped: the connection is given back first.
    held: Held,
    permit: OwnedSemaphorePermit,
    /// It comes from the pool, and nothing was answered on it since.
    unproved: bool,
}

/// It goes back to the pool when this is dropped, but for a connection that a request still runs on.
struct Held {
    inner: Arc<Inner>,
    /// None while a request runs, and after one that left it in doubt.
    connection: Option<Connection>,
}

impl Lease {
    fn new(
        inner: &Arc<Inner>,
        permit: OwnedSemaphorePermit,
        connection: Connection,
        unproved: bool,
    ) -> Lease {
        Lease { held: Held { inner: inner.clone(), connection: Some(connection) }, permit, unproved }
    }

    fn into_permit(self) -> OwnedSemaphorePermit {
        self.permit
    }

    async fn request(&mut self, text: &str, limits: Limits, within: Duration) -> Result<Batch, Failure> {
        // Taken out, so that it is closed when this future is dropped.
        let Some(mut connection) = self.held.connection.take() else {
            let reason = "the connection is closed already".to_owned();
            return Err(Failure::Lost { reason, answered: false });
        };
        let mut collector = Collector::new(limits);
        let done = Box::pin(connection.request(text, &mut collector, within)).await;
        if connection.is_good() {
            self.held.connection = Some(connection);
        }
        done.and_then(|()| collector.finish())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.inner.give_back(connection);
        }
    }
}
