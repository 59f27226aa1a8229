//! Whatever a client sends: packets, messages, requests. Nothing panics, and nothing is allocated by an unchecked number.
#![no_main]

use lab_tds::{
    Assembled, Assembler, BulkDecoder, BulkEvent, Login7, Message, PacketKind, PacketReader, Prelogin, RpcCalls, SqlBatch,
    TdsVersion, TransactionManagerRequest,
};
use libfuzzer_sys::fuzz_target;

/// What a connection accepts at most.
const MESSAGE_MAX: usize = 256 * 1024;

const VERSIONS: [TdsVersion; 5] =
    [TdsVersion::V7_1, TdsVersion::V7_2, TdsVersion::V7_3A, TdsVersion::V7_3B, TdsVersion::V7_4];

fuzz_target!(|input: &[u8]| {
    let Some((choice, bytes)) = input.split_first() else { return };
    let version = VERSIONS[usize::from(*choice) % VERSIONS.len()];
    // The same bytes as a stream of packets, and as the body of each kind of message.
    let mut reader = PacketReader::new();
    let mut assembler = Assembler::new(MESSAGE_MAX);
    for piece in bytes.chunks(7 + usize::from(*choice)) {
        reader.feed(piece);
        while let Ok(Some(packet)) = reader.next_packet() {
            match assembler.push(packet) {
                Ok(Assembled::Message(message)) => decode(&message, version),
                Ok(Assembled::More | Assembled::Ignored) => {}
                Err(_) => return,
            }
        }
    }
    for kind in [
        PacketKind::PRELOGIN,
        PacketKind::LOGIN7,
        PacketKind::SQL_BATCH,
        PacketKind::RPC,
        PacketKind::TRANSACTION_MANAGER,
        PacketKind::BULK_LOAD,
    ] {
        decode(&Message { kind, reset: None, payload: bytes.to_vec() }, version);
    }
});

fn decode(message: &Message, version: TdsVersion) {
    let body = &message.payload;
    match message.kind {
        PacketKind::PRELOGIN => drop(Prelogin::decode(body)),
        PacketKind::LOGIN7 => {
            if let Ok(login) = Login7::decode(body) {
                drop(login.federated_auth());
            }
        }
        PacketKind::SQL_BATCH => drop(SqlBatch::decode(body, version)),
        PacketKind::RPC => {
            if let Ok(mut calls) = RpcCalls::new(body, version) {
                while let Ok(Some(_)) = calls.next_call() {}
            }
        }
        PacketKind::TRANSACTION_MANAGER => drop(TransactionManagerRequest::decode(body, version)),
        PacketKind::BULK_LOAD => bulk(body, version),
        _ => {}
    }
}

/// Rows come in pieces of any size, and mean the same.
fn bulk(body: &[u8], version: TdsVersion) {
    let mut decoder = BulkDecoder::new(version, MESSAGE_MAX);
    let mut rest = body;
    loop {
        match decoder.next_event() {
            Ok(Some(BulkEvent::Done)) | Err(_) => return,
            Ok(Some(_)) => {}
            Ok(None) if rest.is_empty() => return,
            Ok(None) => {
                let (now, later) = rest.split_at(rest.len().min(61));
                decoder.feed(now, later.is_empty());
                rest = later;
            }
        }
    }
}
