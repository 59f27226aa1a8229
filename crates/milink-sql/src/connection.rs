//! One connection, and one request on it.

use std::time::Duration;

use mssql_tds::connection::tds_client::{
    BatchErrorMode, ExecuteOptions, ResultSet as _, StatementResult, TdsClient,
};
use mssql_tds::connection_provider::tds_connection_provider::TdsConnectionProvider;
use mssql_tds::core::CancelHandle;
use mssql_tds::datatypes::sqldatatypes::TdsDataType;
use mssql_tds::error::{Error, SqlErrorInfo, SqlInfoMessage};
use tokio::time::{Instant, timeout, timeout_at};

use crate::connect::{context, no_time_to_connect, not_connected};
use crate::decode::RowDecoder;
use crate::error::{FATAL, ServerError, ServerMessage, SqlError};
use crate::rows::ColumnInfo;
use crate::target::Target;
use crate::value::Value;

/// How long the server may take to confirm that a request was called off. After that the connection is closed.
const CALL_OFF: Duration = Duration::from_secs(5);

/// Whatever is asked for, connecting does not take longer.
const CONNECT_MAX: Duration = Duration::from_hours(24);

/// Whoever takes an answer as it comes. An error from it calls the rest off.
pub trait Sink {
    /// A result set begins.
    ///
    /// # Errors
    /// No more is wanted; the text says why.
    fn columns(&mut self, columns: Vec<ColumnInfo>) -> Result<(), String>;

    /// Its next row: a value for each column.
    ///
    /// # Errors
    /// No more is wanted.
    fn row(&mut self, values: Vec<Value>) -> Result<(), String>;

    /// The result set ends.
    ///
    /// # Errors
    /// No more is wanted.
    fn end(&mut self) -> Result<(), String>;

    /// A statement without a result set changed so many rows.
    ///
    /// # Errors
    /// No more is wanted.
    fn affected(&mut self, rows: u64) -> Result<(), String>;

    /// The server says something: an error if the class is above 10, or else a message.
    ///
    /// # Errors
    /// No more is wanted.
    fn said(&mut self, said: ServerError) -> Result<(), String>;
}

/// A connection that is logged in. Closing is dropping.
pub(crate) struct Connection {
    tds: TdsClient,
}

/// Why a request failed, before it is known what that means to the caller.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The server answered so. The connection may still be good.
    Server(Vec<ServerError>),
    /// The sink wants no more. The rest was called off.
    Unwanted(String),
    /// Called off at its deadline.
    TimedOut,
    /// The connection died. Whether any of the answer had come before.
    Lost { reason: String, answered: bool },
}

impl Failure {
    /// What it means to the caller, when the request was sent.
    pub(crate) fn meaning(self, server: &str, within: Duration) -> SqlError {
        let server = server.to_owned();
        match self {
            Failure::Server(errors) => SqlError::Server { server, errors },
            Failure::Unwanted(what) => SqlError::Unexpected { what },
            Failure::TimedOut => SqlError::TimedOut { server, after: within },
            Failure::Lost { reason, .. } => SqlError::Lost { server, reason },
        }
    }

    /// Whether the request came upon a connection that had died before: then nothing of it was answered.
    pub(crate) fn is_of_a_dead_connection(&self) -> bool {
        match self {
            Failure::Lost { answered, .. } => !answered,
            // For example 18056, a session that cannot be reset, since its database is not accessible any more.
            Failure::Server(errors) => errors.iter().any(|e| e.class >= FATAL),
            Failure::Unwanted(_) | Failure::TimedOut => false,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Server(errors) => errors.iter().try_for_each(|e| write!(f, "{e}")),
            Failure::Unwanted(what) => f.write_str(what),
            Failure::TimedOut => f.write_str("it did not answer in time"),
            Failure::Lost { reason, .. } => f.write_str(reason),
        }
    }
}

impl Connection {
    /// Connects and logs in, within the target's time.
    pub(crate) async fn open(target: &Target) -> Result<Connection, SqlError> {
        let deadline = Instant::now() + target.connect_timeout.min(CONNECT_MAX);
        let context = context(target, deadline).await?;
        let source = target.server.data_source();
        let provider = TdsConnectionProvider::new();
        // The library has a time-out too, in whole seconds and not over looking up names.
        match timeout_at(deadline, provider.create_client(context, &source, None)).await {
            Ok(Ok(tds)) => Ok(Connection { tds }),
            Ok(Err(e)) => Err(not_connected(target, &e)),
            Err(_) => Err(no_time_to_connect(target)),
        }
    }

    /// The database that requests run in.
    pub(crate) fn database(&self) -> &str {
        self.tds.database()
    }

    /// Whether it can be used for another request: whole, idle, and holding no locks.
    pub(crate) fn is_good(&self) -> bool {
        self.is_usable() && !self.tds.has_active_transaction()
    }

    /// Has the server reset the session (as `sp_reset_connection` does) together with the next request, so that no
    /// setting, temporary table or transaction of the last user is left. The database is the first one again.
    pub(crate) fn reset(&mut self) {
        self.tds.prepare_reset_connection(false);
    }

    /// Whether another request can be made on it.
    pub(crate) fn is_usable(&self) -> bool {
        !self.tds.is_connection_dead() && !self.tds.has_open_batch()
    }

    /// Sends a batch and gives its answer away as it comes. The server's errors are a part of the answer.
    ///
    /// NB: whoever drops this before it ends must drop the connection too, for what is still to come
    /// would be taken for the answer to the next request.
    pub(crate) async fn request<S: Sink>(
        &mut self,
        text: &str,
        sink: &mut S,
        within: Duration,
    ) -> Result<(), Failure> {
        let mut cancel = CancelHandle::new();
        cancel.set_cancel_timeout_secs(CALL_OFF.as_secs() as u32);
        let mut work = Box::pin(run(&mut self.tds, text, sink, &cancel));
        if let Ok(done) = timeout(within, &mut work).await {
            return done;
        }
        cancel.cancel();
        match timeout(CALL_OFF + Duration::from_secs(1), &mut work).await {
            // The answer was faster than its being called off.
            Ok(done @ (Ok(()) | Err(Failure::Unwanted(_)))) => done,
            Ok(Err(_)) => Err(Failure::TimedOut),
            Err(_) => {
                drop(work);
                self.tds.mark_connection_dead();
                Err(Failure::TimedOut)
            }
        }
    }
}

/// Reads the answer to its end, in the order in which it comes.
async fn run<S: Sink>(
    tds: &mut TdsClient,
    text: &str,
    sink: &mut S,
    cancel: &CancelHandle,
) -> Result<(), Failure> {
    let options = ExecuteOptions {
        cancel: Some(cancel),
        on_error: BatchErrorMode::Continue,
        ..ExecuteOptions::default()
    };
    let mut fatal = false;
    let mut answered = false;
    let mut next = tds.execute(text.to_owned(), options).await;
    loop {
        messages(tds, sink).await?;
        answered |= next.is_ok();
        let result = match next {
            Ok(StatementResult::End) => return Ok(()),
            Ok(StatementResult::NoRows { rows_affected }) => {
                let told = rows_affected.map_or(Ok(()), |rows| sink.affected(rows));
                stop(tds, told).await?;
                Ok(())
            }
            Ok(StatementResult::Rows) => set(tds, sink).await?,
            Err(e) => Err(e),
        };
        match result {
            Ok(()) => {}
            Err(Error::SqlServerError { diagnostics }) => {
                answered = true;
                for e in diagnostics.errors {
                    let e = ServerError::from(e);
                    fatal |= e.class >= FATAL;
                    let told = sink.said(e);
                    stop(tds, told).await?;
                }
                if !tds.has_open_batch() {
                    return messages(tds, sink).await;
                }
            }
            Err(Error::OperationCancelledError(_) | Error::TimeoutError(_)) => return Err(Failure::TimedOut),
            Err(e) => {
                tds.mark_connection_dead();
                // What the server said last is the better reason, and says that the connection goes.
                return if fatal { Ok(()) } else { Err(Failure::Lost { reason: e.to_string(), answered }) };
            }
        }
        next = tds.advance().await;
    }
}

/// Reads a result set. The inner error is the library's.
async fn set<S: Sink>(tds: &mut TdsClient, sink: &mut S) -> Result<Result<(), Error>, Failure> {
    let columns: Vec<ColumnInfo> = tds
        .get_metadata()
        .iter()
        .map(|c| ColumnInfo { name: c.column_name.clone(), numeric: is_numeric(c.data_type) })
        .collect();
    let told = sink.columns(columns);
    stop(tds, told).await?;
    let mut decoder = RowDecoder::default();
    let ended = loop {
        match tds.next_row_into(&mut decoder).await {
            Ok(true) => {}
            Ok(false) => break Ok(()),
            Err(e) => break Err(e),
        }
        let told = sink.row(decoder.take());
        stop(tds, told).await?;
    };
    let told = sink.end();
    stop(tds, told).await?;
    Ok(ended)
}

async fn messages<S: Sink>(tds: &mut TdsClient, sink: &mut S) -> Result<(), Failure> {
    for info in tds.take_info_messages() {
        // What a login or USE says of itself is no news.
        if !matches!(info.number, 5701 | 5703) {
            let told = sink.said(info.into());
            stop(tds, told).await?;
        }
    }
    Ok(())
}

/// Calls the rest off when nobody wants it any more.
async fn stop(tds: &mut TdsClient, told: Result<(), String>) -> Result<(), Failure> {
    let Err(why) = told else { return Ok(()) };
    if tds.cancel_query(CALL_OFF.as_secs() as u32).await.is_err() {
        tds.mark_connection_dead();
    }
    Err(Failure::Unwanted(why))
}

fn is_numeric(ty: TdsDataType) -> bool {
    use TdsDataType as T;
    matches!(
        ty,
        T::IntN
            | T::Int1
            | T::Int2
            | T::Int4
            | T::Int8
            | T::DecimalN
            | T::NumericN
            | T::Decimal
            | T::Numeric
            | T::Flt4
            | T::Flt8
            | T::FltN
            | T::Money
            | T::MoneyN
            | T::Money4
            | T::Bit
            | T::BitN
    )
}

impl From<SqlErrorInfo> for ServerError {
    fn from(e: SqlErrorInfo) -> ServerError {
        ServerError {
            number: e.number,
            class: e.class.clamp(0, 255) as u8,
            state: e.state,
            line: e.line_number.unwrap_or(0).max(0) as u32,
            procedure: e.proc_name.filter(|p| !p.is_empty()),
            message: e.message,
        }
    }
}

impl From<SqlInfoMessage> for ServerMessage {
    fn from(m: SqlInfoMessage) -> ServerMessage {
        ServerMessage {
            number: m.number,
            class: m.class.clamp(0, 255) as u8,
            state: m.state,
            line: m.line_number.unwrap_or(0).max(0) as u32,
            procedure: m.proc_name.filter(|p| !p.is_empty()),
            message: m.message,
        }
    }
}
