//! Running statements: control flow here and in [`control`], one file for each family of statements.

mod alter;
mod always_on;
mod backup;
mod bulk;
mod call;
mod certificate;
mod change;
mod column;
mod constraint;
mod control;
mod cursor;
mod database;
mod dbcc;
mod delete;
mod drop;
mod endpoint;
mod frame;
mod index;
mod insert;
mod managed;
mod master_key;
mod module;
mod output;
mod permission;
mod prepared;
mod procedures;
mod query;
mod replica;
mod rpc;
mod schema;
mod security;
mod set;
mod sinks;
mod statement;
mod table;
mod target;
mod trace_flags;
mod update;

pub(crate) use bulk::BulkTarget;
pub use bulk::{NextRow, RowsEnd};
pub(crate) use control::format_message;
pub(crate) use cursor::Cursors;
pub(crate) use database::random_hex;
pub(crate) use frame::{Flow, Frame, Stop};
pub(crate) use prepared::Prepared;
pub(crate) use procedures::names as system_procedures;
pub use sinks::FirstError;

use std::sync::Arc;

use lab_tsql::{ParseOptions, parse_batch};

use crate::error::SqlError;
use crate::request::{Isolation, Outcome, TransactionRequest};
use crate::session::{Activity, Session};
use crate::sink::{Done, DoneKind, Sink};
use crate::types::now_datetime;

impl Session {
    /// Runs a batch of statements.
    pub fn run_batch(&mut self, text: &str, sink: &mut dyn Sink) -> Outcome {
        self.request("SELECT", text, sink, |session, sink| {
            // A session's batches are one scope to SCOPE_IDENTITY(), as clients that ask in a batch of its own count on.
            let mut frame = Frame { scope_identity: session.scope_identity, ..Frame::batch() };
            let done = session.run_text(&mut frame, text, sink).map(|_| ());
            session.scope_identity = frame.scope_identity;
            done
        })
    }

    /// Runs one request: notes what the views of sessions show, and turns how it stopped into an [`Outcome`].
    pub(crate) fn request(
        &mut self,
        command: &str,
        text: &str,
        sink: &mut dyn Sink,
        work: impl FnOnce(&mut Session, &mut dyn Sink) -> Result<(), Stop>,
    ) -> Outcome {
        self.interrupt.clear();
        if self.tran.count == 0 {
            self.using.clear();
        }
        {
            let mut state = self.shared.state();
            if self.tran.count == 0 {
                state.using.clear();
            }
            state.thread = Some(std::thread::current());
            state.activity = Activity::Running;
            state.last_request_start = now_datetime();
            command.clone_into(&mut state.command);
            state.batch_text = shown_text(text);
        }
        let stopped = if self.is_killed() {
            Err(Stop::Cancelled)
        } else {
            self.forget_stale().map_err(Stop::Error).and_then(|()| work(self, sink))
        };
        self.try_depth = 0;
        self.catching.clear();
        self.nest_level = 0;
        let outcome = self.finish_request(stopped, sink);
        let mut state = self.shared.state();
        state.activity = Activity::Sleeping;
        state.last_request_end = now_datetime();
        state.row_count = self.row_count;
        state.thread = None;
        if self.tran.count == 0 {
            state.using.clear();
            self.using.clear();
        }
        outcome
    }

    fn finish_request(&mut self, stopped: Result<(), Stop>, sink: &mut dyn Sink) -> Outcome {
        match stopped {
            Ok(()) | Err(Stop::Aborted | Stop::Scope) => {}
            Err(Stop::Error(e)) => {
                e.preceded_by.iter().for_each(|first| sink.error(first));
                sink.error(&e);
                sink.done(Done { kind: DoneKind::Statement, rows: None, command: Done::OTHER, error: true });
                if e.class >= 20 {
                    return Outcome::Disconnect;
                }
            }
            Err(Stop::Cancelled) => {
                // An Attention ends the batch; the transaction goes on, unless XACT_ABORT is on.
                if self.tran.count == 0 || self.settings.xact_abort || self.is_killed() {
                    let undone =
                        if self.tran.count > 0 { self.rollback_all(sink) } else { self.auto_rollback() };
                    if let Err(e) = undone {
                        sink.error(&e);
                    }
                }
                if !self.is_killed() {
                    return Outcome::Cancelled;
                }
                sink.error(&SqlError::killed());
                sink.done(Done { kind: DoneKind::Statement, rows: None, command: Done::OTHER, error: true });
                return Outcome::Disconnect;
            }
            Err(Stop::Closed) => return Outcome::Disconnect,
        }
        if self.tran.doomed && self.tran.count > 0 {
            let e = SqlError::new(
                3998,
                16,
                1,
                "Uncommittable transaction is detected at the end of the batch. The transaction is rolled back.",
            );
            sink.error(&e.at(1));
            if let Err(e) = self.rollback_all(sink) {
                sink.error(&e);
            }
        }
        if self.is_killed() {
            Outcome::Disconnect
        } else if self.interrupt.seen() {
            // The Attention was taken off the wire when everything was done already: it is acknowledged all the same.
            Outcome::Cancelled
        } else {
            Outcome::Continue
        }
    }

    /// Parses and runs text in a frame.
    pub(crate) fn run_text(
        &mut self,
        frame: &mut Frame,
        text: &str,
        sink: &mut dyn Sink,
    ) -> Result<Flow, Stop> {
        let options = ParseOptions { quoted_identifier: self.settings.quoted_identifier };
        let batch = match parse_batch(text, &options) {
            Ok(batch) => batch,
            Err(e) => return self.abort_batch(frame, e.into(), sink),
        };
        if self.settings.parseonly && !module_sets_parseonly(&batch) {
            return Ok(Flow::Next);
        }
        frame.text = Arc::from(text);
        if let Err(e) = frame.hoist(&batch.statements) {
            return self.abort_batch(frame, e, sink);
        }
        match self.run_statements(frame, &batch.statements, sink)? {
            Flow::Break => {
                let e = "Cannot use a BREAK statement outside the scope of a WHILE statement.";
                self.abort_batch(frame, SqlError::new(135, 15, 1, e).at(1), sink)
            }
            Flow::Continue => {
                let e = "Cannot use a CONTINUE statement outside the scope of a WHILE statement.";
                self.abort_batch(frame, SqlError::new(136, 15, 1, e).at(1), sink)
            }
            Flow::Goto(label) => {
                let e = format!(
                    "A GOTO statement references the label '{label}' but the label has not been declared."
                );
                self.abort_batch(frame, SqlError::new(133, 15, 1, e).at(1), sink)
            }
            flow => Ok(flow),
        }
    }

    /// An error that ends the batch without anything of it having run.
    fn abort_batch(&mut self, frame: &Frame, e: SqlError, sink: &mut dyn Sink) -> Result<Flow, Stop> {
        self.last_error = e.number;
        if self.try_depth > 0 {
            return Err(Stop::Error(e));
        }
        sink.error(&e);
        sink.done(Done { kind: frame.done_kind, rows: None, command: Done::OTHER, error: true });
        Err(if frame.done_kind == DoneKind::InProc { Stop::Scope } else { Stop::Aborted })
    }

    /// Carries out a transaction-manager request.
    pub fn run_transaction_request(&mut self, request: &TransactionRequest, sink: &mut dyn Sink) -> Outcome {
        self.request("TM REQUEST", "", sink, |session, sink| {
            session.transaction_request(request, sink).map_err(Stop::Error)?;
            sink.done(Done { kind: DoneKind::Statement, rows: None, command: Done::OTHER, error: false });
            Ok(())
        })
    }

    fn transaction_request(
        &mut self,
        request: &TransactionRequest,
        sink: &mut dyn Sink,
    ) -> Result<(), SqlError> {
        let again = match request {
            TransactionRequest::Begin { isolation, name } => {
                return self.begin_request(*isolation, name, sink);
            }
            TransactionRequest::Commit { then_begin, .. } => {
                self.commit(sink)?;
                then_begin
            }
            TransactionRequest::Rollback { name, then_begin } => {
                if name.is_empty() {
                    if self.tran.count == 0 {
                        return Err(SqlError::rollback_without_begin());
                    }
                    self.rollback_all(sink)?;
                } else {
                    self.rollback_to(name, sink)?;
                }
                then_begin
            }
            TransactionRequest::Save { name } => return self.save(name),
        };
        match again {
            Some((isolation, name)) => self.begin_request(*isolation, name, sink),
            None => Ok(()),
        }
    }

    fn begin_request(
        &mut self,
        isolation: Option<Isolation>,
        name: &str,
        sink: &mut dyn Sink,
    ) -> Result<(), SqlError> {
        if let Some(isolation) = isolation {
            self.isolation = isolation;
            self.show_settings();
        }
        self.begin(name, sink)
    }
}

/// The text of a batch as views of sessions show it: one that may hold a password or a key is replaced, as in SQL Server.
fn shown_text(text: &str) -> Arc<str> {
    let upper = text.to_ascii_uppercase();
    for word in ["PASSWORD", "PRIVATE KEY"] {
        if upper.contains(word) {
            let word = word.to_ascii_lowercase();
            return Arc::from(format!(
                "-- '{word}' was found in the text of this event.\n-- The text has been replaced with this comment for security reasons."
            ));
        }
    }
    Arc::from(text)
}

/// `SET PARSEONLY OFF` takes effect while parsing, or there would be no way back.
fn module_sets_parseonly(batch: &lab_tsql::ast::Batch) -> bool {
    use lab_tsql::ast::{SetStatement, StatementKind};
    batch.statements.iter().any(|s| matches!(&s.kind, StatementKind::Set(SetStatement::Switch(names, false)) if names.iter().any(|n| n == "PARSEONLY")))
}
