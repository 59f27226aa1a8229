//! One connection from its first byte to its last.

use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use lab_engine::{
    Done, DoneKind, Isolation, Outcome, ProcName, RpcCall, RpcParam, Server, Session, Sink, SqlError,
    TransactionRequest,
};
use lab_tds::{
    Assembled, Assembler, BeginTransaction, DecodeError, Login7, Message, Packet, PacketKind, Procedure,
    Reset, RpcCalls, RpcRequest, ServerEncryption, SqlBatch, TdsVersion, TransactionManagerRequest,
};

use crate::answer::{Answer, lock};
use crate::bulk::{BulkEnd, BulkRows};
use crate::certificate::Tls;
use crate::channel::{Channel, ChannelError, OwnedPacket};
use crate::handshake;
use crate::values::{from_wire, sql_type};

/// How long a client may take to log in (SQL Server: 15 s in its clients, enforced here).
const LOGIN_TIME: Duration = Duration::from_secs(15);
/// The longest request: SQL Server's batches end at 65,536 packets, which is this at 4096 bytes each.
const REQUEST_MAX: usize = 256 * 1024 * 1024;

/// What every connection of an instance needs.
pub(crate) struct Shared {
    pub(crate) server: Arc<Server>,
    pub(crate) tls: Tls,
    pub(crate) encryption: ServerEncryption,
    pub(crate) server_name: String,
}

/// Serves a connection until either side ends it.
pub(crate) fn serve(tcp: TcpStream, shared: &Shared) {
    let address = tcp.peer_addr().map_or_else(|_| String::new(), |a| a.ip().to_string());
    let mut channel = Channel::new(tcp, Instant::now() + LOGIN_TIME);
    let Ok(entered) =
        handshake::enter(&mut channel, &shared.tls, shared.encryption, shared.server.flavor().build())
    else {
        return;
    };
    let Ok(request) = Login7::decode(&entered.login.payload) else { return };
    let strict = entered.strict;
    let Some(version) = TdsVersion::negotiate(request.tds_version) else { return };
    // A strict connection speaks 7.4's formats whatever it calls them.
    let version = if strict { version.max(TdsVersion::V7_4) } else { version };
    let channel = Arc::new(Mutex::new(channel));
    let mut answer = Answer::new(Arc::clone(&channel), version, shared.server_name.clone());
    let Some(mut session) = crate::login::login(&shared.server, &request, &entered, &address, &mut answer)
    else {
        return;
    };
    drop((request, entered));
    if lock(&channel).logged_in().is_err() || answer.is_broken() {
        return;
    }
    let probed = Arc::clone(&channel);
    session.set_hang_up(lock(&channel).hang_up());
    session.set_interrupt(Box::new(move || lock(&probed).attention_waits()));
    Connection { channel, answer, session, version, assembler: Assembler::new(REQUEST_MAX) }.run();
}

struct Connection {
    channel: Arc<Mutex<Channel>>,
    answer: Answer,
    session: Session,
    version: TdsVersion,
    assembler: Assembler,
}

impl Connection {
    fn run(&mut self) {
        loop {
            let read = lock(&self.channel).read_packet();
            let packet = match read {
                Ok(packet) => packet,
                Err(ChannelError::Protocol(why)) => return self.protocol_error(&why),
                Err(_) => return,
            };
            let outcome = if packet.header.kind == PacketKind::BULK_LOAD && self.session.awaits_bulk() {
                self.bulk(&packet)
            } else {
                match self.assembler.push(Packet { header: packet.header, payload: &packet.payload }) {
                    Ok(Assembled::More) => continue,
                    // Nothing runs any more: there is just the acknowledgement.
                    Ok(Assembled::Message(message)) if message.kind == PacketKind::ATTENTION => {
                        self.answer.acknowledge();
                        continue;
                    }
                    Ok(Assembled::Message(message)) => {
                        // The packet is in the message now; what it held would be held twice while the request runs.
                        drop(packet);
                        self.message(&message)
                    }
                    Ok(Assembled::Ignored) => {
                        self.ignored();
                        Ok(Outcome::Continue)
                    }
                    Err(e) => return self.protocol_error(&e.to_string()),
                }
            };
            match outcome {
                Ok(Outcome::Continue) => self.answer.finish(),
                Ok(Outcome::Cancelled) => {
                    lock(&self.channel).forget_attention();
                    self.answer.finish();
                    self.answer.acknowledge();
                }
                Ok(Outcome::Disconnect) => {
                    self.answer.finish();
                    return;
                }
                Err(e) => return self.protocol_error(&e.to_string()),
            }
            if self.answer.is_broken() || self.session.is_killed() {
                return;
            }
        }
    }

    /// What came is not TDS: the session ends with the error that SQL Server gives.
    fn protocol_error(&mut self, why: &str) {
        let e = SqlError::new(
            4002,
            20,
            1,
            format!("The incoming tabular data stream (TDS) protocol stream is incorrect. {why}."),
        );
        self.answer.error(&e);
        self.answer.done(Done { kind: DoneKind::Statement, rows: None, command: 0, error: true });
        self.answer.finish();
    }

    fn refuse(&mut self, e: &SqlError) -> Result<Outcome, DecodeError> {
        self.answer.error(e);
        self.answer.done(Done { kind: DoneKind::Statement, rows: None, command: 0, error: true });
        Ok(Outcome::Continue)
    }

    fn message(&mut self, message: &Message) -> Result<Outcome, DecodeError> {
        self.session.forget_bulk();
        if let Some(reset) = message.reset
            && let Err(e) = self.session.reset(reset == Reset::KeepTransaction, &mut self.answer)
        {
            return self.refuse(&e);
        }
        match message.kind {
            PacketKind::SQL_BATCH => {
                let batch = SqlBatch::decode(&message.payload, self.version)?;
                Ok(self.session.run_batch(&batch.text, &mut self.answer))
            }
            PacketKind::RPC => self.calls(message),
            PacketKind::TRANSACTION_MANAGER => self.transaction(message),
            _ => Err(DecodeError::NeedMore),
        }
    }

    fn calls(&mut self, message: &Message) -> Result<Outcome, DecodeError> {
        let mut calls = RpcCalls::new(&message.payload, self.version)?;
        let mut outcome = Outcome::Continue;
        while outcome == Outcome::Continue {
            let call = match calls.next_call() {
                Ok(Some(call)) => rpc_call(call),
                Ok(None) => break,
                Err(e) => return unusable_call(e).and_then(|e| self.refuse(&e)),
            };
            outcome = match call {
                Ok(call) => self.session.run_rpc(&call, &mut self.answer),
                Err(e) => self.refuse(&e)?,
            };
            if outcome == Outcome::Continue && !calls.is_empty() {
                self.answer.call_ended();
            }
        }
        Ok(outcome)
    }

    fn transaction(&mut self, message: &Message) -> Result<Outcome, DecodeError> {
        let begin = |b: BeginTransaction| (isolation(b.isolation), b.name);
        let request = match TransactionManagerRequest::decode(&message.payload, self.version)? {
            TransactionManagerRequest::Begin(b) => {
                TransactionRequest::Begin { isolation: isolation(b.isolation), name: b.name }
            }
            TransactionManagerRequest::Commit { name, then_begin } => {
                TransactionRequest::Commit { name, then_begin: then_begin.map(begin) }
            }
            TransactionManagerRequest::Rollback { name, then_begin } => {
                TransactionRequest::Rollback { name, then_begin: then_begin.map(begin) }
            }
            TransactionManagerRequest::Save { name } => TransactionRequest::Save { name },
            TransactionManagerRequest::Other(_) => {
                return self.refuse(&SqlError::new(
                    40510,
                    16,
                    1,
                    "Statement 'distributed transaction' is not supported in this version of SQL Server.",
                ));
            }
        };
        Ok(self.session.run_transaction_request(&request, &mut self.answer))
    }

    /// The rows of a bulk load, taken from the packets as they come.
    fn bulk(&mut self, first: &OwnedPacket) -> Result<Outcome, DecodeError> {
        let mut rows = BulkRows::new(Arc::clone(&self.channel), self.version, first);
        let outcome = match rows.columns() {
            Ok(columns) => self.session.run_bulk(&columns, &mut || rows.next_row(), &mut self.answer),
            Err(e) => self.session.give_up_bulk(e, &mut self.answer),
        };
        // Whatever is left of the message has to be read before the client listens.
        match rows.drain() {
            None => Ok(Outcome::Disconnect),
            Some(BulkEnd::Ignored) => {
                self.ignored();
                Ok(Outcome::Continue)
            }
            Some(BulkEnd::Cancelled) if outcome == Outcome::Continue => Ok(Outcome::Cancelled),
            Some(_) => Ok(outcome),
        }
    }

    /// Answers a message that the client has given up while it sent it.
    fn ignored(&mut self) {
        self.answer.done(Done { kind: DoneKind::Statement, rows: None, command: 0, error: true });
    }
}

/// What a call is refused with that cannot be decoded, if the session can go on.
fn unusable_call(e: DecodeError) -> Result<SqlError, DecodeError> {
    match e {
        DecodeError::UnsupportedType(0xF3) => Ok(SqlError::new(
            40510,
            16,
            1,
            "Statement 'table-valued parameter' is not supported in this version of SQL Server.",
        )),
        DecodeError::UnsupportedType(ty) => Ok(SqlError::new(
            8009,
            16,
            1,
            format!(
                "The incoming tabular data stream (TDS) remote procedure call (RPC) protocol stream is incorrect. Data type 0x{ty:02X} is unknown."
            ),
        )),
        DecodeError::TooManyParameters => Ok(SqlError::new(
            8003,
            16,
            1,
            "The incoming request has too many parameters. The server supports a maximum of 2100 parameters. Reduce the number of parameters and resend the request.",
        )),
        e => Err(e),
    }
}

fn rpc_call(request: RpcRequest) -> Result<RpcCall, SqlError> {
    let procedure = match request.procedure {
        Procedure::Id(id) => ProcName::Id(id),
        Procedure::Name(name) => ProcName::Name(name),
    };
    let mut params = Vec::with_capacity(request.parameters.len());
    for (n, p) in request.parameters.into_iter().enumerate() {
        let (ty, collation) = sql_type(p.ty);
        let value = from_wire(p.value, ty).map_err(|_| {
            SqlError::new(8023, 16, 1, format!("The incoming tabular data stream (TDS) remote procedure call (RPC) protocol stream is incorrect. Parameter {} (\"{}\"): The supplied value is not a valid instance of data type {}. Check the source data for invalid values.", n + 1, p.name, ty.name()))
        })?;
        params.push(RpcParam {
            name: p.name,
            output: p.by_reference,
            default: p.default,
            ty,
            collation,
            value,
        });
    }
    Ok(RpcCall { procedure, params, no_metadata: request.no_metadata })
}

fn isolation(raw: u8) -> Option<Isolation> {
    Some(match raw {
        1 => Isolation::ReadUncommitted,
        2 => Isolation::ReadCommitted,
        3 => Isolation::RepeatableRead,
        4 => Isolation::Serializable,
        5 => Isolation::Snapshot,
        _ => return None,
    })
}
