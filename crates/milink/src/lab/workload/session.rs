//! A connection of the workload, over TDS, to whichever side it is to.

use std::time::Duration;

use lab::{Side, Status};
use mssql_tds::connection::client_context::{ClientContext, TdsAuthenticationMethod};
use mssql_tds::connection::tds_client::{
    BatchErrorMode, ExecuteOptions, ResultSet as _, StatementResult, TdsClient,
};
use mssql_tds::connection_provider::tds_connection_provider::TdsConnectionProvider;
use mssql_tds::core::{EncryptionOptions, EncryptionSetting};
use mssql_tds::error::Error;

use crate::sql::value;

/// How long a connection may take.
const CONNECT_S: u32 = 5;

/// How to reach both sides.
#[derive(Debug, Clone)]
pub(super) struct Sides {
    sqlserver: (String, String, String),
    managed: (String, String, String),
    database: String,
    timeout_s: u32,
}

/// Why a batch came to nothing.
#[derive(Debug, Clone)]
pub(super) enum Failure {
    /// The server says so, and has undone it.
    Refused { number: u32, text: String },
    /// Whether it was done is not known.
    Lost(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Refused { number, text } => write!(f, "Msg {number}: {text}"),
            Failure::Lost(why) => f.write_str(why),
        }
    }
}

impl Failure {
    /// Whether it may be that there is no such database (4060: it cannot be opened).
    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Failure::Refused { number: 4060, .. })
    }
}

impl From<Error> for Failure {
    fn from(e: Error) -> Failure {
        match &e {
            Error::SqlServerError { diagnostics } => match diagnostics.errors.first() {
                // From severity 17 on it is the server's trouble, which may begin after the commit.
                Some(first) if diagnostics.errors.iter().all(|e| e.class < 17) => {
                    Failure::Refused { number: first.number, text: first.message.clone() }
                }
                Some(first) => Failure::Lost(format!("Msg {}: {}", first.number, first.message)),
                None => Failure::Lost(e.to_string()),
            },
            other => Failure::Lost(other.to_string()),
        }
    }
}

pub(super) struct Session {
    tds: TdsClient,
    timeout_s: u32,
}

impl Sides {
    pub(super) fn new(status: &Status, database: &str, timeout: Duration) -> Sides {
        let Status { sqlserver, managed, .. } = status;
        Sides {
            sqlserver: (sqlserver.server.clone(), sqlserver.user.clone(), sqlserver.password.clone()),
            managed: (managed.server.clone(), managed.user.clone(), managed.password.clone()),
            database: database.to_owned(),
            timeout_s: timeout.as_secs().max(1) as u32,
        }
    }

    pub(super) fn database(&self) -> &str {
        &self.database
    }

    /// Whether a side says that it has no such database: nothing is to be waited for there.
    pub(super) async fn lacks_database(&self, side: Side) -> bool {
        let there = Sides { database: "master".to_owned(), ..self.clone() };
        let Ok(mut session) = there.open(side).await else { return false };
        let name = self.database.replace('\'', "''");
        let asked = format!("SELECT COUNT(*) FROM sys.databases WHERE name = N'{name}'");
        let rows = session.rows(&asked).await.unwrap_or_default();
        rows.first().and_then(|row| row.first()).is_some_and(|count| count == "0")
    }

    pub(super) async fn open(&self, side: Side) -> Result<Session, Failure> {
        let (server, user, password) = match side {
            Side::SqlServer => &self.sqlserver,
            Side::Managed => &self.managed,
        };
        let server = format!("tcp:{server}");
        let mut context = ClientContext::with_data_source(&server);
        context.tds_authentication_method = TdsAuthenticationMethod::Password;
        context.user_name.clone_from(user);
        context.password.clone_from(password);
        context.database.clone_from(&self.database);
        context.application_name = "milink lab workload".to_owned();
        context.encryption_options = EncryptionOptions {
            mode: EncryptionSetting::On,
            // The lab's own instances, on this machine.
            trust_server_certificate: true,
            host_name_in_cert: None,
            server_certificate: None,
        };
        context.connect_timeout = CONNECT_S;
        context.login_timeout = Some(CONNECT_S);
        let provider = TdsConnectionProvider::new();
        let connecting = provider.create_client(context, &server, None);
        let limit = Duration::from_secs(u64::from(CONNECT_S) * 2);
        let connected = tokio::time::timeout(limit, connecting).await;
        let tds = connected.map_err(|_| Failure::Lost("no connection in time".to_owned()))??;
        Ok(Session { tds, timeout_s: self.timeout_s })
    }

    /// A connection to that side if it takes writes; `None` if it does not.
    pub(super) async fn open_primary(&self, side: Side) -> Result<Option<Session>, Failure> {
        let mut session = self.open(side).await?;
        let asked = "SELECT CONVERT(nvarchar(20), DATABASEPROPERTYEX(DB_NAME(), 'Updateability')), \
                     CONVERT(int, sys.fn_hadr_is_primary_replica(DB_NAME()))";
        let rows = session.rows(asked).await?;
        let writable = rows.first().is_some_and(|row| row.first().is_some_and(|v| v == "READ_WRITE"));
        let secondary = rows.first().is_some_and(|row| row.get(1).is_some_and(|v| v == "0"));
        Ok((writable && !secondary).then_some(session))
    }
}

impl Session {
    /// Runs a batch; the rows of all its results as text.
    pub(super) async fn rows(&mut self, batch: &str) -> Result<Vec<Vec<String>>, Failure> {
        // The library's own limit lets the connection live; ours is for a server that does not even say that.
        let limit = Duration::from_secs(u64::from(self.timeout_s) + 3);
        match tokio::time::timeout(limit, self.try_rows(batch)).await {
            Ok(done) => done,
            Err(_) => Err(Failure::Lost("no answer in time".to_owned())),
        }
    }

    async fn try_rows(&mut self, batch: &str) -> Result<Vec<Vec<String>>, Failure> {
        let options = ExecuteOptions {
            timeout: Some(self.timeout_s),
            on_error: BatchErrorMode::Continue,
            ..ExecuteOptions::default()
        };
        let mut out = Vec::new();
        let mut failed: Option<Failure> = None;
        let mut next = self.tds.execute(batch.to_owned(), options).await;
        loop {
            match next {
                Ok(StatementResult::End) => break,
                Ok(StatementResult::NoRows { .. }) => {}
                Ok(StatementResult::Rows) => {
                    let columns = self.tds.get_metadata().clone();
                    while let Some(row) = self.tds.next_row().await? {
                        let cells =
                            row.iter().zip(&columns).map(|(v, c)| value::text(v, c).shown().to_owned());
                        out.push(cells.collect());
                    }
                }
                Err(e) => {
                    let failure = Failure::from(e);
                    let lost = matches!(failure, Failure::Lost(_));
                    failed.get_or_insert(failure);
                    if lost || !self.tds.has_open_batch() {
                        break;
                    }
                }
            }
            next = self.tds.advance().await;
        }
        // Nobody reads what the server has to say beside it.
        drop(self.tds.take_info_messages());
        failed.map_or(Ok(out), Err)
    }
}
