//! The connection and what comes of a batch.

use std::time::Duration;

use milink_sql::{
    Authentication, ColumnInfo, Encrypt, Secret, Server, ServerError, Session, Sink, SqlError, Stopped,
    Target, Value,
};

use super::Arguments;
use super::show::Shown;

pub(crate) struct Client {
    session: Session,
    query_timeout: Duration,
}

/// Where to, as whom, and how sure, from sqlcmd's flags.
fn target(arguments: &Arguments) -> Result<Target, String> {
    let server = Server::parse(&arguments.server).map_err(|e| format!("-S: {e}"))?;
    let mut target = Target::new(server);
    target.authentication = if arguments.integrated {
        Authentication::Integrated
    } else {
        let user = arguments.user.clone();
        let password = arguments.password.clone();
        Authentication::SqlPassword {
            user: user.ok_or("a login is needed: -U, and its password in SQLCMDPASSWORD")?,
            password: Secret::new(password.ok_or("a password is needed: set SQLCMDPASSWORD (or use -P)")?),
        }
    };
    target.database.clone_from(&arguments.database);
    target.application_name = "milink sql".to_owned();
    target.encrypt = match arguments.encrypt {
        super::Encrypt::Mandatory => Encrypt::Mandatory,
        super::Encrypt::Strict => Encrypt::Strict,
        super::Encrypt::Optional => Encrypt::Optional,
    };
    target.trust = arguments.trust;
    target.host_name_in_certificate.clone_from(&arguments.host_name);
    target.server_certificate.clone_from(&arguments.certificate);
    if let Some(seconds) = arguments.login_timeout {
        target.connect_timeout = seconds_or_for_ever(seconds);
    }
    Ok(target)
}

/// Zero is for ever, in sqlcmd.
fn seconds_or_for_ever(seconds: u32) -> Duration {
    if seconds == 0 { Duration::MAX } else { Duration::from_secs(seconds.into()) }
}

impl Client {
    pub(crate) async fn connect(arguments: &Arguments) -> Result<Client, String> {
        let target = target(arguments)?;
        let session = Session::open(&target).await.map_err(|e| e.to_string())?;
        Ok(Client { session, query_timeout: seconds_or_for_ever(arguments.query_timeout.unwrap_or(0)) })
    }

    /// Runs a batch and shows what comes of it; whether it was without error.
    ///
    /// # Errors
    /// The connection is lost, or the output cannot be written.
    pub(crate) async fn batch(&mut self, text: &str, shown: &mut Shown) -> Result<bool, String> {
        match self.session.run(text, self.query_timeout, shown).await {
            Ok(good) => Ok(good),
            Err(Stopped::Sink(why)) => Err(why),
            // The batch was called off; the session goes on.
            Err(Stopped::Sql(SqlError::TimedOut { .. })) if self.session.is_open() => {
                shown.complain("Query timeout expired (-t SECONDS waits longer).")?;
                Ok(false)
            }
            Err(Stopped::Sql(e)) => Err(e.to_string()),
        }
    }
}

impl Sink for Shown {
    fn columns(&mut self, columns: Vec<ColumnInfo>) -> Result<(), String> {
        self.begin(columns)
    }

    fn row(&mut self, values: Vec<Value>) -> Result<(), String> {
        self.cells(values)
    }

    fn end(&mut self) -> Result<(), String> {
        self.ended()
    }

    fn affected(&mut self, rows: u64) -> Result<(), String> {
        self.changed(rows)
    }

    fn said(&mut self, said: ServerError) -> Result<(), String> {
        self.message(&said)
    }
}
