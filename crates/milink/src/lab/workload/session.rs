//! A connection of the workload, over TDS, to whichever side it is to.

use std::time::Duration;

use lab::{Side, Status};
use milink_sql::{Authentication, Secret, Server, SqlError, Target};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// How to reach both sides.
#[derive(Debug, Clone)]
pub(super) struct Sides {
    sqlserver: (String, String, String),
    managed: (String, String, String),
    database: String,
    timeout: Duration,
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

impl From<SqlError> for Failure {
    fn from(e: SqlError) -> Failure {
        match e.errors().first() {
            // One that did not even let us in has changed nothing; of the others it depends.
            Some(first) if e.is_certain() => {
                Failure::Refused { number: first.number, text: first.message.clone() }
            }
            Some(first) => Failure::Lost(format!("Msg {}: {}", first.number, first.message)),
            None => Failure::Lost(e.to_string()),
        }
    }
}

pub(super) struct Session {
    sql: milink_sql::Session,
    timeout: Duration,
}

impl Sides {
    pub(super) fn new(status: &Status, database: &str, timeout: Duration) -> Sides {
        let Status { sqlserver, managed, .. } = status;
        Sides {
            sqlserver: (sqlserver.server.clone(), sqlserver.user.clone(), sqlserver.password.clone()),
            managed: (managed.server.clone(), managed.user.clone(), managed.password.clone()),
            database: database.to_owned(),
            timeout: timeout.max(Duration::from_secs(1)),
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
        let server = Server::parse(server).map_err(|e| Failure::Lost(e.to_string()))?;
        let mut target = Target::new(server);
        target.authentication =
            Authentication::SqlPassword { user: user.clone(), password: Secret::from(password.as_str()) };
        target.database = Some(self.database.clone());
        target.application_name = "milink lab workload".to_owned();
        // The lab's own instances, on this machine.
        target.trust = true;
        target.connect_timeout = CONNECT;
        Ok(Session { sql: milink_sql::Session::open(&target).await?, timeout: self.timeout })
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
        let batch = self.sql.batch(batch, self.timeout).await?;
        let cells = |row: milink_sql::Row| row.values().iter().map(ToString::to_string).collect();
        Ok(batch.sets.into_iter().flatten().map(cells).collect())
    }
}
