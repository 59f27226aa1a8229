//! What the engine says, as tokens.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lab_engine::types::{SqlType, Value};
use lab_engine::{Barrier, ColumnMeta, Done, DoneKind, EnvChange, ReturnValue, Sink, SinkClosed, SqlError};
use lab_tds::token::{self, Column, ServerMessage};
use lab_tds::types::encode_value;
use lab_tds::{PacketKind, PacketWriter, TdsVersion, TypeInfo};

use crate::channel::Channel;
use crate::values::{to_wire, type_info};

/// Tokens are sent when this many bytes wait.
const SEND_AT: usize = 32 * 1024;

/// What may be left to be sent by another thread: it fits into the socket of a client that reads its answers.
const DEPART_MAX: usize = 16 * 1024;

/// The answers of one connection. The last completion token is held back until it is known whether more follows it.
pub(crate) struct Answer {
    channel: Arc<Mutex<Channel>>,
    writer: PacketWriter,
    out: Vec<u8>,
    version: TdsVersion,
    server_name: String,
    barrier: Option<Barrier>,
    held: Option<token::Done>,
    types: Vec<(SqlType, TypeInfo)>,
    /// The client has seen a part of the answer.
    begun: bool,
    /// The client is gone, or must not be told what could not be hardened.
    broken: bool,
}

impl Answer {
    pub(crate) fn new(channel: Arc<Mutex<Channel>>, version: TdsVersion, server_name: String) -> Answer {
        Answer {
            channel,
            writer: PacketWriter::new(PacketKind::TABULAR_RESULT, 4096),
            out: Vec::new(),
            version,
            server_name,
            barrier: None,
            held: None,
            types: Vec::new(),
            begun: false,
            broken: false,
        }
    }

    /// A session answers from now on.
    pub(crate) fn session(&mut self, id: u16, packet_size: u16, barrier: Barrier) {
        self.writer.set_spid(id);
        self.writer.set_size(packet_size);
        self.barrier = Some(barrier);
    }

    pub(crate) fn version(&self) -> TdsVersion {
        self.version
    }

    /// Where tokens are appended that the engine does not know of.
    pub(crate) fn tokens(&mut self) -> &mut Vec<u8> {
        self.release(true);
        self.writer.tokens()
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Ends the answer to a request.
    pub(crate) fn finish(&mut self) {
        self.held.get_or_insert(plain_done(0));
        self.release(false);
        self.writer.finish(&mut self.out);
        self.depart();
        self.begun = false;
    }

    /// Sends the end of an answer, as soon as everything that it depends on is hardened; the session does not wait for it.
    fn depart(&mut self) {
        match &self.barrier {
            // NB: what cannot be hardened after it has departed ends the connection without a word: the answer has its
            // place in the TLS stream by then, and nothing else can take it.
            Some(barrier) if self.out.len() <= DEPART_MAX && !barrier.is_settled() => {
                let sent = lock(&self.channel).depart(std::mem::take(&mut self.out), barrier);
                self.broken |= sent.is_err();
            }
            _ => self.send(),
        }
    }

    /// Acknowledges an Attention, in a message of its own: some clients read the cancelled request's answer to its end
    /// and then wait for another one.
    pub(crate) fn acknowledge(&mut self) {
        self.held = Some(plain_done(token::Done::ATTENTION));
        self.finish();
    }

    /// Ends a call that another call of the same message follows.
    pub(crate) fn call_ended(&mut self) {
        if let Some(done) = &mut self.held {
            done.status |= token::Done::RPC_IN_BATCH;
        }
        self.release(true);
    }

    fn release(&mut self, more: bool) {
        if let Some(mut done) = self.held.take() {
            if more {
                done.status |= token::Done::MORE;
            }
            done.encode(self.writer.tokens(), self.version);
        }
    }

    fn send_if_full(&mut self) -> Result<(), SinkClosed> {
        if self.writer.waiting() >= SEND_AT {
            self.writer.full_packets(&mut self.out);
            self.send();
        }
        if self.broken { Err(SinkClosed) } else { Ok(()) }
    }

    /// Sends what is in packets, once everything that it depends on is hardened.
    fn send(&mut self) {
        if let Some(barrier) = &self.barrier
            && let Err(e) = barrier.wait()
        {
            self.withhold(&e);
        }
        if lock(&self.channel).send(&self.out).is_err() {
            self.broken = true;
        }
        self.begun = true;
        self.out.clear();
    }

    /// The answer must not leave: what it says may not be so. The error takes its place, unless the client has seen a part
    /// of it already, which may end in the middle of a row.
    fn withhold(&mut self, e: &SqlError) {
        self.out.clear();
        self.writer.tokens().clear();
        self.held = None;
        self.broken = true;
        if !self.begun {
            self.message(e, true);
            plain_done(token::Done::ERROR).encode(self.writer.tokens(), self.version);
            self.writer.restart();
            self.writer.finish(&mut self.out);
        }
    }

    fn message(&mut self, e: &SqlError, is_error: bool) {
        self.release(true);
        let message = ServerMessage {
            is_error,
            number: e.number,
            state: e.state,
            class: e.class,
            text: &e.message,
            server: &self.server_name,
            procedure: e.procedure.as_deref().unwrap_or_default(),
            line: e.line.max(1),
        };
        message.encode(self.writer.tokens(), self.version);
    }
}

fn plain_done(status: u16) -> token::Done {
    token::Done { kind: token::DoneKind::Done, status, command: 0, rows: 0 }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A channel that a panic interrupted is one whose connection is about to be closed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sink for Answer {
    fn columns(&mut self, columns: &[ColumnMeta]) {
        self.release(true);
        self.types =
            columns.iter().map(|c| (c.ty, type_info(c.ty, c.collation).for_version(self.version))).collect();
        let described: Vec<Column> = columns
            .iter()
            .zip(&self.types)
            .map(|(c, (_, ty))| {
                let flag = |on: bool, bit: u16| if on { bit } else { 0 };
                let update = if c.updatable { Column::UPDATE_UNKNOWN } else { 0 };
                Column {
                    name: c.name.clone(),
                    ty: *ty,
                    user_type: if c.ty == SqlType::RowVersion { 0x50 } else { 0 },
                    flags: flag(c.nullable, Column::NULLABLE)
                        | update
                        | flag(c.identity, Column::IDENTITY)
                        | flag(c.computed, Column::COMPUTED),
                }
            })
            .collect();
        token::column_metadata(self.writer.tokens(), self.version, &described);
    }

    fn row(&mut self, row: &[Value]) -> Result<(), SinkClosed> {
        let out = self.writer.tokens();
        out.push(token::ROW);
        for ((sql, ty), value) in self.types.iter().zip(row) {
            encode_value(out, *ty, &to_wire(value, *sql));
        }
        self.send_if_full()
    }

    fn done(&mut self, done: Done) {
        self.release(true);
        let kind = match done.kind {
            DoneKind::Statement => token::DoneKind::Done,
            DoneKind::InProc => token::DoneKind::InProc,
            DoneKind::Proc => token::DoneKind::Proc,
        };
        let status = if done.rows.is_some() { token::Done::COUNT } else { 0 }
            | if done.error { token::Done::ERROR } else { 0 };
        self.held = Some(token::Done { kind, status, command: done.command, rows: done.rows.unwrap_or(0) });
    }

    fn info(&mut self, message: &SqlError) {
        self.message(message, false);
    }

    fn error(&mut self, error: &SqlError) {
        self.message(error, true);
    }

    fn env(&mut self, change: EnvChange) {
        self.release(true);
        let change = match &change {
            EnvChange::Database { new, old } => token::EnvChange::Database(new, old),
            EnvChange::Language { new, old } => token::EnvChange::Language(new, old),
            EnvChange::Collation(c) => token::EnvChange::Collation(lab_tds::Collation(c.wire())),
            EnvChange::BeginTransaction(id) => token::EnvChange::Begin(*id),
            EnvChange::CommitTransaction(id) => token::EnvChange::Commit(*id),
            EnvChange::RollbackTransaction(id) => token::EnvChange::Rollback(*id),
            EnvChange::ResetConnection => token::EnvChange::Reset,
        };
        token::env_change(self.writer.tokens(), self.version, change);
    }

    fn return_status(&mut self, status: i32) {
        self.release(true);
        token::return_status(self.writer.tokens(), status);
    }

    fn return_value(&mut self, value: &ReturnValue) {
        self.release(true);
        let ty = type_info(value.ty, value.collation).for_version(self.version);
        token::return_value(
            self.writer.tokens(),
            self.version,
            value.ordinal,
            &value.name,
            ty,
            &to_wire(&value.value, value.ty),
        );
    }

    fn flush(&mut self) -> Result<(), SinkClosed> {
        self.release(true);
        self.writer.flush(&mut self.out);
        self.send();
        if self.broken { Err(SinkClosed) } else { Ok(()) }
    }
}
