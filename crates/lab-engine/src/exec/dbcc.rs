//! DBCC commands that report: USEROPTIONS, TRACESTATUS, INPUTBUFFER, OPENTRAN, SQLPERF.

use rusqlite::types::Value;

use super::{Frame, Stop};
use crate::error::SqlError;
use crate::request::Isolation;
use crate::session::Session;
use crate::sink::{ColumnMeta, Done, Sink};
use crate::types::SqlType;

const INT: SqlType = SqlType::Int;
const SMALL: SqlType = SqlType::SmallInt;

impl Session {
    /// Runs a command that answers with rows or messages; `false` if it is none of these.
    pub(super) fn dbcc_report(
        &mut self,
        frame: &Frame,
        command: &str,
        values: &[Value],
        sink: &mut dyn Sink,
    ) -> Result<bool, Stop> {
        match command {
            "USEROPTIONS" => self.user_options(frame, sink)?,
            "TRACEON" | "TRACEOFF" => self.set_trace_flags(command == "TRACEON", values)?,
            "TRACESTATUS" => {
                let columns =
                    ["TraceFlag", "Status", "Global", "Session"].map(|name| ColumnMeta::new(name, SMALL));
                report(frame, &columns, self.trace_status(values)?, sink)?;
            }
            "INPUTBUFFER" => self.input_buffer(frame, values, sink)?,
            "OPENTRAN" => self.open_transaction(sink),
            "SQLPERF" => self.log_space(frame, values, sink)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn user_options(&self, frame: &Frame, sink: &mut dyn Sink) -> Result<(), Stop> {
        let state = self.shared.state().clone();
        let columns =
            [ColumnMeta::new("Set Option", SqlType::SYSNAME), ColumnMeta::new("Value", SqlType::SYSNAME)];
        let level = match state.isolation {
            Isolation::ReadUncommitted => "read uncommitted",
            Isolation::ReadCommitted => "read committed",
            Isolation::RepeatableRead => "repeatable read",
            Isolation::Serializable => "serializable",
            Isolation::Snapshot => "snapshot",
        };
        let mut rows = vec![
            ("textsize", self.settings.textsize.to_string()),
            ("language", state.language),
            ("dateformat", state.date_format),
            ("datefirst", state.date_first.to_string()),
            ("lock_timeout", state.lock_timeout_ms.to_string()),
        ];
        // Only what is on is listed.
        let set = |on: bool, name: &'static str| on.then(|| (name, "SET".to_owned()));
        rows.extend(
            [
                set(state.quoted_identifier, "quoted_identifier"),
                set(true, "arithabort"),
                set(true, "ansi_null_dflt_on"),
                set(true, "ansi_warnings"),
                set(true, "ansi_padding"),
                set(state.ansi_nulls, "ansi_nulls"),
                set(true, "concat_null_yields_null"),
            ]
            .into_iter()
            .flatten(),
        );
        rows.push(("isolation level", level.to_owned()));
        let rows =
            rows.into_iter().map(|(name, value)| vec![Value::Text(name.to_owned()), Value::Text(value)]);
        report(frame, &columns, rows.collect(), sink)
    }

    fn input_buffer(&self, frame: &Frame, values: &[Value], sink: &mut dyn Sink) -> Result<(), Stop> {
        let Some(Value::Integer(id)) = values.first() else {
            return Err(
                SqlError::new(2560, 16, 9, "Parameter 1 is incorrect for this DBCC statement.").into()
            );
        };
        let own = *id == i64::from(self.id());
        if !own && !self.shared.has_server_role("processadmin") {
            let user = self.shared.state().user.clone();
            let text = format!("User '{user}' does not have permission to run DBCC inputbuffer.");
            return Err(SqlError::new(2571, 14, 3, text).into());
        }
        let found = self.server.sessions().into_iter().find(|s| i64::from(s.id) == *id);
        let found =
            found.ok_or_else(|| SqlError::new(7955, 16, 2, format!("Invalid SPID {id} specified.")))?;
        let text = found.state().batch_text.to_string();
        let columns = [
            ColumnMeta::new("EventType", SqlType::nvarchar(14)),
            ColumnMeta::new("Parameters", SMALL),
            ColumnMeta::new("EventInfo", SqlType::nvarchar(4000)),
        ];
        let text: String = text.chars().take(4000).collect();
        let row = vec![Value::Text("Language Event".to_owned()), Value::Integer(0), Value::Text(text)];
        report(frame, &columns, vec![row], sink)
    }

    /// The session that has held a transaction open in the current database for the longest.
    fn open_transaction(&self, sink: &mut dyn Sink) {
        let here = self.current_database();
        let oldest = self
            .server
            .sessions()
            .into_iter()
            .map(|s| (s.id, s.state().clone()))
            .filter(|(_, s)| s.open_transactions > 0 && s.database == here)
            .min_by_key(|(_, s)| s.last_request_start);
        let say = |number: i32, text: String, sink: &mut dyn Sink| {
            sink.info(&SqlError::new(number, 0, 1, text));
        };
        let Some((id, state)) = oldest else {
            say(7969, "No active open transactions.".to_owned(), sink);
            return;
        };
        say(7962, format!("Transaction information for database '{}'.", self.name_of(here)), sink);
        let started =
            crate::types::display_value(&Value::Integer(state.last_request_start), SqlType::DateTime);
        let text = format!(
            "Oldest active transaction:\n    SPID (server process ID): {id}\n    UID (user ID) : -1\n    Name          : user_transaction\n    Start time    : {started}"
        );
        say(7963, text, sink);
    }

    fn log_space(&self, frame: &Frame, values: &[Value], sink: &mut dyn Sink) -> Result<(), Stop> {
        if !matches!(values.first(), Some(Value::Text(word)) if word.eq_ignore_ascii_case("LOGSPACE")) {
            return Err(SqlError::unsupported("DBCC SQLPERF other than LOGSPACE").into());
        }
        let columns = [
            ColumnMeta::new("Database Name", SqlType::SYSNAME),
            ColumnMeta::new("Log Size (MB)", SqlType::Real),
            ColumnMeta::new("Log Space Used (%)", SqlType::Real),
            ColumnMeta::new("Status", INT),
        ];
        let mut rows = Vec::new();
        for database in self.server.databases() {
            let dir = self.server.config.data_dir.join(&database.entry().folder);
            let (_, bytes) = crate::system::sizes(&dir);
            let size = bytes as f64 / 1_048_576.0;
            rows.push(vec![
                Value::Text(database.name()),
                Value::Real(size),
                Value::Real(100.0),
                Value::Integer(0),
            ]);
        }
        report(frame, &columns, rows, sink)
    }
}

fn report(
    frame: &Frame,
    columns: &[ColumnMeta],
    rows: Vec<Vec<Value>>,
    sink: &mut dyn Sink,
) -> Result<(), Stop> {
    sink.columns(columns);
    for row in &rows {
        sink.row(row).map_err(|_| Stop::Closed)?;
    }
    sink.done(Done {
        kind: frame.done_kind,
        rows: Some(rows.len() as u64),
        command: Done::SELECT,
        error: false,
    });
    Ok(())
}
