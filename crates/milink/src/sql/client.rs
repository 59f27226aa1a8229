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
}

impl Client {
    pub(crate) async fn connect(arguments: &Arguments) -> Result<Client, String> {
        let server = match arguments.server.strip_prefix("tcp:") {
            Some(_) => arguments.server.clone(),
            None => format!("tcp:{}", arguments.server),
        };
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
            server_certificate: None,
        };
        let tds = TdsConnectionProvider::new().create_client(context, &server, None).await;
        let tds = tds.map_err(|e| match &e {
            Error::SqlServerError { diagnostics } => diagnostics
                .errors
                .iter()
                .map(|e| format!("Msg {}, Level {}, State {}: {}", e.number, e.class, e.state, e.message))
                .collect::<Vec<_>>()
                .join("\n"),
            other => format!("cannot connect to {}: {other}", arguments.server),
        })?;
        Ok(Client { tds })
    }

    /// Runs a batch and shows what comes of it; whether it was without error.
    ///
    /// # Errors
    /// The connection is lost, or the output cannot be written.
    pub(crate) async fn batch(&mut self, text: &str, shown: &mut Shown) -> Result<bool, String> {
        let options = ExecuteOptions { on_error: BatchErrorMode::Continue, ..ExecuteOptions::default() };
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
        other => Err(format!("the connection failed: {other}")),
    }
}
