//! One connection: how it comes about, and one request on it.

use std::sync::Arc;
use std::time::Duration;

use mssql_tds::connection::client_context::{ClientContext, TdsAuthenticationMethod};
use mssql_tds::connection::tds_client::{BatchErrorMode, ExecuteOptions, StatementResult, TdsClient};
use mssql_tds::connection_provider::tds_connection_provider::TdsConnectionProvider;
use mssql_tds::core::{CancelHandle, EncryptionOptions, EncryptionSetting};
use mssql_tds::datatypes::sqldatatypes::TdsDataType;
use mssql_tds::error::{Error, SqlErrorInfo, SqlInfoMessage};
use mssql_tds::message::login_options::ApplicationIntent as DriverIntent;
use tokio::time::{Instant, timeout, timeout_at};

use crate::decode::RowDecoder;
use crate::error::{FATAL, ServerError, ServerMessage, SqlError};
use crate::rows::{Batch, ColumnInfo, Row, Rows};
use crate::target::{ApplicationIntent, Authentication, Encrypt, Target};

/// How long the server may take to confirm that a request was called off. After that the connection is closed.
const CALL_OFF: Duration = Duration::from_secs(5);

/// As many errors or messages of one request are kept.
const MESSAGES_MAX: usize = 10_000;

/// How much of an answer is kept, and what for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Rows are read and thrown away.
    pub(crate) no_rows: bool,
    pub(crate) rows_max: usize,
    pub(crate) bytes_max: usize,
}

impl Limits {
    pub(crate) const NONE: Limits = Limits { no_rows: true, rows_max: 0, bytes_max: 0 };
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
    /// The answer has more rows or bytes than are wanted. It was called off.
    TooMuch(String),
    /// Called off at its deadline.
    TimedOut,
    /// The connection died. Whether any of the answer had come before.
    Lost { reason: String, answered: bool },
}

impl Failure {
    /// Whether the request came upon a connection that had died before: then nothing of it was answered.
    pub(crate) fn is_of_a_dead_connection(&self) -> bool {
        match self {
            Failure::Lost { answered, .. } => !answered,
            // For example 18056, a session that cannot be reset, since its database is not accessible any more.
            Failure::Server(errors) => errors.iter().any(|e| e.class >= FATAL),
            Failure::TooMuch(_) | Failure::TimedOut => false,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Server(errors) => errors.iter().try_for_each(|e| write!(f, "{e}")),
            Failure::TooMuch(what) => f.write_str(what),
            Failure::TimedOut => f.write_str("it did not answer in time"),
            Failure::Lost { reason, .. } => f.write_str(reason),
        }
    }
}

impl Connection {
    /// Connects and logs in, within the target's time.
    pub(crate) async fn open(target: &Target) -> Result<Connection, SqlError> {
        let deadline = Instant::now() + target.connect_timeout;
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
        !self.tds.is_connection_dead() && !self.tds.has_open_batch() && !self.tds.has_active_transaction()
    }

    /// Has the server reset the session (as `sp_reset_connection` does) together with the next request, so that no
    /// setting, temporary table or transaction of the last user is left. The database is the first one again.
    pub(crate) fn reset(&mut self) {
        self.tds.prepare_reset_connection(false);
    }

    /// Sends a batch and reads all of its answer.
    ///
    /// NB: whoever drops this before it ends must drop the connection too, for what is still to come
    /// would be taken for the answer to the next request.
    pub(crate) async fn request(
        &mut self,
        text: &str,
        limits: Limits,
        deadline: Instant,
    ) -> Result<Batch, Failure> {
        let mut cancel = CancelHandle::new();
        cancel.set_cancel_timeout_secs(CALL_OFF.as_secs() as u32);
        let mut work = Box::pin(run(&mut self.tds, text, limits, &cancel));
        if let Ok(done) = timeout_at(deadline, &mut work).await {
            return done;
        }
        cancel.cancel();
        match timeout(CALL_OFF + Duration::from_secs(1), &mut work).await {
            // The answer was faster than its being called off.
            Ok(done @ (Ok(_) | Err(Failure::Server(_)))) => done,
            Ok(Err(_)) => Err(Failure::TimedOut),
            Err(_) => {
                drop(work);
                self.tds.mark_connection_dead();
                Err(Failure::TimedOut)
            }
        }
    }
}

async fn run(
    tds: &mut TdsClient,
    text: &str,
    limits: Limits,
    cancel: &CancelHandle,
) -> Result<Batch, Failure> {
    let options = ExecuteOptions {
        cancel: Some(cancel),
        on_error: BatchErrorMode::Continue,
        ..ExecuteOptions::default()
    };
    let mut answer = Answer {
        limits,
        batch: Batch::default(),
        errors: Vec::new(),
        decoder: RowDecoder::default(),
        rows: 0,
    };
    let mut answered = false;
    let mut next = tds.execute(text.to_owned(), options).await;
    loop {
        answer.messages(tds);
        let result = match next {
            Ok(StatementResult::End) => break,
            Ok(StatementResult::NoRows { rows_affected }) => {
                answer.batch.affected.extend(rows_affected);
                Ok(())
            }
            Ok(StatementResult::Rows) => answer.set(tds).await?,
            Err(e) => Err(e),
        };
        match result {
            Ok(()) => {}
            Err(Error::SqlServerError { diagnostics }) => {
                answer.errors(diagnostics.errors);
                if !tds.has_open_batch() {
                    break;
                }
            }
            Err(Error::OperationCancelledError(_) | Error::TimeoutError(_)) => return Err(Failure::TimedOut),
            Err(e) => {
                tds.mark_connection_dead();
                // What the server said before it went is the better reason.
                if !answer.errors.is_empty() {
                    break;
                }
                return Err(Failure::Lost { reason: e.to_string(), answered });
            }
        }
        answered = true;
        next = tds.advance().await;
    }
    answer.messages(tds);
    if answer.errors.is_empty() { Ok(answer.batch) } else { Err(Failure::Server(answer.errors)) }
}

/// What has come so far.
struct Answer {
    limits: Limits,
    batch: Batch,
    errors: Vec<ServerError>,
    decoder: RowDecoder,
    /// Of all sets.
    rows: usize,
}

impl Answer {
    /// Reads a result set. The inner error is the library's.
    async fn set(&mut self, tds: &mut TdsClient) -> Result<Result<(), Error>, Failure> {
        use mssql_tds::connection::tds_client::ResultSet as _;
        let columns: Arc<[ColumnInfo]> = tds
            .get_metadata()
            .iter()
            .map(|c| ColumnInfo { name: c.column_name.clone(), numeric: is_numeric(c.data_type) })
            .collect();
        let mut rows = Vec::new();
        let ended = loop {
            match tds.next_row_into(&mut self.decoder).await {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(e) => break Err(e),
            }
            let values = self.decoder.take();
            if self.limits.no_rows {
                self.decoder.bytes = 0;
                continue;
            }
            self.rows += 1;
            let Limits { rows_max, bytes_max, .. } = self.limits;
            if self.rows > rows_max || self.decoder.bytes > bytes_max {
                if tds.cancel_query(CALL_OFF.as_secs() as u32).await.is_err() {
                    tds.mark_connection_dead();
                }
                return Err(Failure::TooMuch(format!(
                    "more than {rows_max} rows or {bytes_max} bytes were answered: ask for less, or set a higher limit"
                )));
            }
            rows.push(Row::new(&columns, values));
        };
        if !self.limits.no_rows {
            self.batch.sets.push(Rows { columns, rows });
        }
        Ok(ended)
    }

    fn messages(&mut self, tds: &mut TdsClient) {
        for info in tds.take_info_messages() {
            // What a login or USE says of itself is no news.
            if !matches!(info.number, 5701 | 5703) && self.batch.messages.len() < MESSAGES_MAX {
                self.batch.messages.push(message(info));
            }
        }
    }

    fn errors(&mut self, errors: Vec<SqlErrorInfo>) {
        let room = MESSAGES_MAX.saturating_sub(self.errors.len());
        self.errors.extend(errors.into_iter().take(room).map(error));
    }
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

fn error(e: SqlErrorInfo) -> ServerError {
    ServerError {
        number: e.number,
        class: e.class.clamp(0, 255) as u8,
        state: e.state,
        line: e.line_number.unwrap_or(0).max(0) as u32,
        procedure: e.proc_name.filter(|p| !p.is_empty()),
        message: e.message,
    }
}

fn message(m: SqlInfoMessage) -> ServerMessage {
    ServerMessage {
        number: m.number,
        class: m.class.clamp(0, 255) as u8,
        state: m.state,
        line: m.line_number.unwrap_or(0).max(0) as u32,
        procedure: m.proc_name.filter(|p| !p.is_empty()),
        message: m.message,
    }
}

/// What the client library is told. Tokens are fetched here, so that each connection has a good one.
async fn context(target: &Target, deadline: Instant) -> Result<ClientContext, SqlError> {
    let refuse =
        |reason: String| SqlError::Login { server: target.server.to_string(), reason, errors: Vec::new() };
    let mut context = ClientContext::with_data_source(&target.server.data_source());
    match &target.authentication {
        Authentication::Unset => {
            return Err(refuse(
                "nobody to log in as was given: a login and its password, or another method".to_owned(),
            ));
        }
        Authentication::SqlPassword { user, password } => {
            context.tds_authentication_method = TdsAuthenticationMethod::Password;
            context.user_name.clone_from(user);
            password.expose().clone_into(&mut context.password);
        }
        Authentication::Token(source) => {
            let token = timeout_at(deadline, source.token())
                .await
                .map_err(|_| refuse("no token came in time".to_owned()))?
                .map_err(|e| refuse(format!("no token can be had: {e}")))?;
            context.tds_authentication_method = TdsAuthenticationMethod::AccessToken;
            context.access_token = Some(token.expose().to_owned());
        }
        Authentication::Entra(entra) => {
            return Err(refuse(format!("{} needs credentials that were not given", entra.method.name())));
        }
        Authentication::Integrated => {
            context.tds_authentication_method = TdsAuthenticationMethod::SSPI;
            context.server_spn.clone_from(&target.server_spn);
        }
    }
    context.database = target.database.clone().unwrap_or_default();
    context.application_name.clone_from(&target.application_name);
    context.application_intent = match target.application_intent {
        ApplicationIntent::ReadWrite => DriverIntent::ReadWrite,
        ApplicationIntent::ReadOnly => DriverIntent::ReadOnly,
    };
    context.encryption_options = EncryptionOptions {
        mode: match target.encrypt {
            Encrypt::Optional => EncryptionSetting::PreferOff,
            Encrypt::Mandatory => EncryptionSetting::On,
            Encrypt::Strict => EncryptionSetting::Strict,
        },
        trust_server_certificate: target.trust,
        host_name_in_cert: target.host_name_in_certificate.clone(),
        server_certificate: target.server_certificate.clone(),
    };
    // It neither connects again behind our back nor repeats anything: what was sent when is ours to know.
    context.connect_retry_count = 0;
    let left = deadline.saturating_duration_since(Instant::now());
    context.connect_timeout = left.as_secs().clamp(1, 86_400) as u32 + 1;
    context.login_timeout = Some(context.connect_timeout);
    Ok(context)
}

fn no_time_to_connect(target: &Target) -> SqlError {
    SqlError::Unreachable {
        server: target.server.to_string(),
        reason: format!(
            "it did not answer within {} s: is the address right, and does a firewall let its port through?",
            target.connect_timeout.as_secs_f64()
        ),
    }
}

/// Why there is no connection, and what to do about it.
fn not_connected(target: &Target, e: &Error) -> SqlError {
    let server = target.server.to_string();
    let unreachable = |reason: String| SqlError::Unreachable { server: server.clone(), reason };
    let untrusted = |reason: String| SqlError::Untrusted { server: server.clone(), reason };
    match e {
        Error::SqlServerError { diagnostics } => {
            let errors: Vec<ServerError> = diagnostics.errors.iter().cloned().map(error).collect();
            SqlError::Login { reason: login_hint(&errors).to_owned(), errors, server }
        }
        Error::TlsHandshakeError { source, .. } => certificate(target, &source.to_string()),
        Error::TlsError(source) => certificate(target, &source.to_string()),
        Error::CertificateMismatch => untrusted(
            "it has another certificate than the one in the file that was given (-J or ServerCertificate)"
                .to_owned(),
        ),
        Error::CertificateExpired => untrusted("its certificate has expired".to_owned()),
        Error::NoServerCertificate => untrusted("it showed no certificate".to_owned()),
        Error::CertificateNotFound { .. }
        | Error::InvalidCertificateFormat { .. }
        | Error::CertificateFileIoError { .. } => untrusted(e.to_string()),
        Error::TimeoutError(_) => no_time_to_connect(target),
        Error::Security(e) => SqlError::Login {
            server,
            reason: format!(
                "Kerberos: {e}; is there a ticket (klist), and is the service's name (SPN) registered?"
            ),
            errors: Vec::new(),
        },
        other => {
            let said = other.to_string();
            if said.contains("certificate verify failed") {
                certificate(target, &said)
            } else if said.contains("Connection refused") || said.contains("actively refused") {
                unreachable(
                    "nothing listens there (connection refused): is the server running, and is the port right?".to_owned(),
                )
            } else {
                unreachable(said)
            }
        }
    }
}

/// What a failed TLS handshake says, and what to do. Whatever it is, nothing was sent.
fn certificate(target: &Target, said: &str) -> SqlError {
    let server = target.server.to_string();
    let lower = said.to_lowercase();
    if !["certificate", "trust", "hostname", "self-signed"].iter().any(|word| lower.contains(word)) {
        return SqlError::Unreachable { server, reason: format!("the TLS handshake failed: {said}") };
    }
    // OpenSSL's words end with the reason in parentheses.
    let words = said.split(". Certificate SANs").next().unwrap_or_default();
    let reason =
        words.rsplit_once(" (").map_or_else(|| format!(" ({words})"), |(_, reason)| format!(" ({reason}"));
    // NB: trusting whoever answers would take strict encryption's meaning away, so that -C does not work with it.
    let mend = if target.encrypt == Encrypt::Strict {
        "give the certificate that it should have with -J FILE (ServerCertificate=FILE)"
    } else {
        "if you know that this is your server, trust it with -C (TrustServerCertificate=true), or give the name in \
         its certificate with -F NAME (HostNameInCertificate=NAME)"
    };
    SqlError::Untrusted {
        server,
        reason: format!("this machine does not trust its certificate{reason}; {mend}"),
    }
}

fn login_hint(errors: &[ServerError]) -> &'static str {
    match errors.first().map(|e| e.number) {
        Some(18456) => {
            "check the login's name and its password, and whether the server allows SQL Server logins"
        }
        Some(18452) => "this server allows no SQL Server logins or does not trust your domain",
        Some(4060) => "the login is good, but it may not use this database, or there is none of that name",
        Some(18488 | 18487) => "the password has expired and must be changed",
        Some(18486) => "the login is locked out",
        Some(40615) => "the server's firewall does not let this machine in",
        _ => "the server refused the login",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_about_a_certificate() {
        let mut target = Target::new(crate::Server::parse("h").unwrap());
        let said = "error:0A000086:SSL routines:tls_post_process_server_certificate:certificate verify failed:\
                    ../ssl/statem/statem_clnt.c:1889: (self-signed certificate)";
        let e = certificate(&target, said);
        assert!(matches!(e, SqlError::Untrusted { .. }));
        let shown = e.to_string();
        assert!(shown.contains("(self-signed certificate); ") && shown.contains("with -C"), "{shown}");
        target.encrypt = Encrypt::Strict;
        let shown = certificate(&target, said).to_string();
        assert!(shown.contains("with -J FILE") && !shown.contains("-C"), "{shown}");
        assert!(matches!(certificate(&target, "unexpected EOF"), SqlError::Unreachable { .. }));
    }
}
