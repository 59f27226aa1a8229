//! One connection that keeps its session: what a script needs, whose batches build on each other.

use std::time::Duration;

use crate::collect::{Collector, Limits};
use crate::connection::{Connection, Failure, Sink};
use crate::error::{ServerError, SqlError};
use crate::rows::{Batch, ColumnInfo};
use crate::target::Target;
use crate::value::Value;

/// A connection with its session: settings, temporary tables and transactions stay from one batch to the next.
///
/// It connects once. When it is lost it stays lost, for what the session held is gone with it.
pub struct Session {
    server: String,
    /// None while a batch runs, and when it is lost.
    connection: Option<Connection>,
}

/// Why a batch did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// By the server or the way to it.
    Sql(SqlError),
    /// By whoever takes the answer, in its own words.
    Sink(String),
}

impl Session {
    /// Connects.
    ///
    /// # Errors
    /// There is no connection, and nothing was sent.
    pub async fn open(target: &Target) -> Result<Session, SqlError> {
        let connection = Connection::open(target).await?;
        Ok(Session { server: target.server.to_string(), connection: Some(connection) })
    }

    /// Whether another batch can be run.
    pub fn is_open(&self) -> bool {
        self.connection.is_some()
    }

    /// Runs a batch and gives its answer away as it comes, the server's errors too. Whether there were none.
    ///
    /// # Errors
    /// It was not answered in time (and the session may go on: see [`Session::is_open`]), the connection is lost, or
    /// the sink wants no more.
    pub async fn run<S: Sink>(
        &mut self,
        text: &str,
        within: Duration,
        sink: &mut S,
    ) -> Result<bool, Stopped> {
        let mut watched = Watched { sink, failed: false };
        match self.request(text, within, &mut watched).await {
            Ok(()) => Ok(!watched.failed),
            Err(Failure::Unwanted(why)) => Err(Stopped::Sink(why)),
            Err(failure) => Err(Stopped::Sql(failure.meaning(&self.server, within))),
        }
    }

    /// Runs a batch and keeps its answer: up to a million rows and 256 MiB.
    ///
    /// # Errors
    /// See [`SqlError`].
    pub async fn batch(&mut self, text: &str, within: Duration) -> Result<Batch, SqlError> {
        let mut collector = Collector::new(Limits::default());
        let done = self.request(text, within, &mut collector).await;
        done.and_then(|()| collector.finish()).map_err(|failure| failure.meaning(&self.server, within))
    }

    async fn request<S: Sink>(&mut self, text: &str, within: Duration, sink: &mut S) -> Result<(), Failure> {
        // Taken out, so that it is closed when this future is dropped.
        let Some(mut connection) = self.connection.take() else {
            let reason = "the session was lost before".to_owned();
            return Err(Failure::Lost { reason, answered: false });
        };
        let done = connection.request(text, sink, within).await;
        if connection.is_usable() {
            self.connection = Some(connection);
        }
        done
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("server", &self.server).field("open", &self.is_open()).finish()
    }
}

/// Looks for errors in what goes by.
struct Watched<'a, S> {
    sink: &'a mut S,
    failed: bool,
}

impl<S: Sink> Sink for Watched<'_, S> {
    fn columns(&mut self, columns: Vec<ColumnInfo>) -> Result<(), String> {
        self.sink.columns(columns)
    }

    fn row(&mut self, values: Vec<Value>) -> Result<(), String> {
        self.sink.row(values)
    }

    fn end(&mut self) -> Result<(), String> {
        self.sink.end()
    }

    fn affected(&mut self, rows: u64) -> Result<(), String> {
        self.sink.affected(rows)
    }

    fn said(&mut self, said: ServerError) -> Result<(), String> {
        self.failed |= said.is_error();
        self.sink.said(said)
    }
}
