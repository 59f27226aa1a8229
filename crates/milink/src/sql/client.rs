//! The connection and what comes of a batch.

use mssql_tds::connection::client_context::{ClientContext, TdsAuthenticationMethod};
use mssql_tds::connection::tds_client::{
    BatchErrorMode, ExecuteOptions, ResultSet as _, StatementResult, TdsClient,
};
use mssql_tds::connection_provider::tds_connection_provider::TdsConnectionProvider;
use mssql_tds::core::{EncryptionOptions, EncryptionSetting};
use mssql_tds::error::Error;

use super::show::{Column, Message, Shown};
use super::value;
use super::{Arguments, Encrypt};

pub(crate) struct Client {
    tds: TdsClient,
    /// Seconds.
    query_timeout: Option<u32>,
}

/// What the client library is told to connect to; what it would not explain is refused here.
fn data_source(server: &str) -> Result<String, String> {
    let host = server.strip_prefix("tcp:").unwrap_or(server);
    if host.is_empty() {
        return Err("-S wants a server: host, host,port or host\\instance".to_owned());
    }
    if let Some((_, port)) = host.split_once(',')
        && !port.trim().parse::<u16>().is_ok_and(|p| p > 0)
    {
        return Err(format!("-S {server}: '{port}' is no port (a number from 1 to 65535)"));
    }
    Ok(format!("tcp:{host}"))
}

/// Why there is no connection, and what to do about it.
fn why(e: &Error, strict: bool) -> String {
    let said = e.to_string();
    if said.contains("certificate verify failed") {
        // OpenSSL's words end with the reason in parentheses.
        let words = said.split(". Certificate SANs").next().unwrap_or_default();
        let reason = words.rsplit_once(" (").map_or_else(String::new, |(_, reason)| format!(" ({reason}"));
        // NB: trusting whoever answers would take strict encryption's meaning away, so that -C does not work with it.
        let mend = if strict {
            "give the certificate that it should have with -J FILE"
        } else {
            "if you know that this is your server, trust it with -C"
        };
        return format!("this machine does not trust its certificate{reason}; {mend}");
    }
    if said.contains("Connection refused") {
        return "nothing listens there (connection refused): is the server running, and is the port right?"
            .to_owned();
    }
    match e {
        Error::Io(e) => e.to_string(),
        Error::TimeoutError(_) => "it did not answer in time (-l SECONDS waits longer)".to_owned(),
        Error::ConnectionError(said) | Error::ConnectionClosed(said) | Error::ProtocolError(said) => {
            said.clone()
        }
        other => other.to_string(),
    }
}

impl Client {
    pub(crate) async fn connect(arguments: &Arguments) -> Result<Client, String> {
        let server = data_source(&arguments.server)?;
        let mut context = ClientContext::with_data_source(&server);
        context.tds_authentication_method = TdsAuthenticationMethod::Password;
        context.user_name =
            arguments.user.clone().ok_or("a login is needed: -U, and its password in SQLCMDPASSWORD")?;
        context.password =
            arguments.password.clone().ok_or("a password is needed: set SQLCMDPASSWORD (or use -P)")?;
        context.database = arguments.database.clone().unwrap_or_default();
        context.application_name = "milink sql".to_owned();
        context.encryption_options = EncryptionOptions {
            mode: match arguments.encrypt {
                Encrypt::Mandatory => EncryptionSetting::On,
                Encrypt::Strict => EncryptionSetting::Strict,
                Encrypt::Optional => EncryptionSetting::PreferOff,
            },
            trust_server_certificate: arguments.trust,
            host_name_in_cert: None,
            server_certificate: arguments.certificate.clone(),
        };
        if let Some(seconds) = arguments.login_timeout.filter(|s| *s > 0) {
            context.connect_timeout = seconds;
            context.login_timeout = Some(seconds);
        }
        let tds = TdsConnectionProvider::new().create_client(context, &server, None).await;
        let tds = tds.map_err(|e| match &e {
            Error::SqlServerError { diagnostics } => diagnostics
                .errors
                .iter()
                .map(|e| format!("Msg {}, Level {}, State {}: {}", e.number, e.class, e.state, e.message))
                .collect::<Vec<_>>()
                .join("\n"),
            other => {
                let strict = arguments.encrypt == Encrypt::Strict;
                format!("cannot connect to {}: {}", arguments.server, why(other, strict))
            }
        })?;
        Ok(Client { tds, query_timeout: arguments.query_timeout.filter(|s| *s > 0) })
    }

    /// Runs a batch and shows what comes of it; whether it was without error.
    ///
    /// # Errors
    /// The connection is lost, or the output cannot be written.
    pub(crate) async fn batch(&mut self, text: &str, shown: &mut Shown) -> Result<bool, String> {
        let options = ExecuteOptions {
            timeout: self.query_timeout,
            on_error: BatchErrorMode::Continue,
            ..ExecuteOptions::default()
        };
        let mut good = true;
        let mut next = self.tds.execute(text.to_owned(), options).await;
        loop {
            self.messages(shown)?;
            match next {
                Ok(StatementResult::End) => break,
                Ok(StatementResult::NoRows { rows_affected }) => {
                    if let Some(rows) = rows_affected {
                        shown.affected(rows)?;
                    }
                }
                Ok(StatementResult::Rows) => good &= self.rows(shown).await?,
                Err(e) => {
                    good = false;
                    failed(e, shown)?;
                    if !self.tds.has_open_batch() {
                        break;
                    }
                }
            }
            next = self.tds.advance().await;
        }
        self.messages(shown)?;
        Ok(good)
    }

    async fn rows(&mut self, shown: &mut Shown) -> Result<bool, String> {
        let metadata = self.tds.get_metadata().clone();
        let columns = metadata
            .iter()
            .map(|c| Column { name: c.column_name.clone(), numeric: value::is_numeric(c.data_type) })
            .collect();
        shown.begin(columns)?;
        let mut good = true;
        loop {
            match self.tds.next_row().await {
                Ok(Some(row)) => {
                    let cells = row.iter().zip(&metadata).map(|(v, c)| value::text(v, c)).collect();
                    shown.row(cells)?;
                }
                Ok(None) => break,
                Err(e) => {
                    good = false;
                    failed(e, shown)?;
                    break;
                }
            }
        }
        shown.end()?;
        Ok(good)
    }

    fn messages(&mut self, shown: &mut Shown) -> Result<(), String> {
        for info in self.tds.take_info_messages() {
            // What a login or USE says of itself is no news.
            if matches!(info.number, 5701 | 5703) {
                continue;
            }
            shown.message(&Message {
                number: info.number,
                level: info.class,
                state: info.state,
                line: info.line_number,
                procedure: info.proc_name,
                text: info.message,
            })?;
        }
        Ok(())
    }
}

fn failed(e: Error, shown: &mut Shown) -> Result<(), String> {
    match e {
        Error::SqlServerError { diagnostics } => {
            for e in diagnostics.errors {
                shown.message(&Message {
                    number: e.number,
                    level: e.class,
                    state: e.state,
                    line: e.line_number,
                    procedure: e.proc_name,
                    text: e.message,
                })?;
            }
            Ok(())
        }
        // The client library has cancelled it; the session goes on.
        Error::TimeoutError(_) => shown.complain("Query timeout expired (-t SECONDS waits longer)."),
        other => Err(format!("the connection failed: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers() {
        assert_eq!(data_source("h,1433").as_deref(), Ok("tcp:h,1433"));
        assert_eq!(data_source("tcp:h").as_deref(), Ok("tcp:h"));
        for bad in ["", "tcp:", "h,0", "h,65536", "h,port", "h,"] {
            assert!(data_source(bad).is_err(), "{bad}");
        }
    }
}
