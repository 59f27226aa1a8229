//! Packets and messages (2.2.3).
//!
//! | offset | field | |
//! |---|---|---|
//! | 0 | Type | [`PacketKind`] |
//! | 1 | Status | [`PacketStatus`] |
//! | 2 | Length | USHORT big-endian, header included |
//! | 4 | SPID | USHORT big-endian |
//! | 6 | PacketID | counts up, modulo 256 |
//! | 7 | Window | 0 |

use crate::read::{DecodeError, Reader, Result};

/// Bytes of a packet header.
const HEADER: usize = 8;
/// No client may send longer packets (LOGIN7's PacketSize is bounded by it too).
const MAX_PACKET: u16 = 32767;

/// What a message is: the raw byte, with names for the known ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketKind(pub u8);

impl PacketKind {
    /// A batch of T-SQL.
    pub const SQL_BATCH: PacketKind = PacketKind(1);
    /// Remote procedure calls.
    pub const RPC: PacketKind = PacketKind(3);
    /// The server's answer.
    pub const TABULAR_RESULT: PacketKind = PacketKind(4);
    /// Cancel what runs.
    pub const ATTENTION: PacketKind = PacketKind(6);
    /// Rows of a bulk load.
    pub const BULK_LOAD: PacketKind = PacketKind(7);
    /// A federated authentication token.
    pub const FED_AUTH_TOKEN: PacketKind = PacketKind(8);
    /// A transaction-manager request.
    pub const TRANSACTION_MANAGER: PacketKind = PacketKind(14);
    /// LOGIN7.
    pub const LOGIN7: PacketKind = PacketKind(16);
    /// SSPI data.
    pub const SSPI: PacketKind = PacketKind(17);
    /// PRELOGIN, and the TLS handshake after it.
    pub const PRELOGIN: PacketKind = PacketKind(18);

    fn is_known(self) -> bool {
        matches!(self.0, 1 | 3 | 4 | 6 | 7 | 8 | 14 | 16 | 17 | 18)
    }
}

/// The status bits of a packet; combinations are legal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PacketStatus(pub u8);

impl PacketStatus {
    /// The last packet of its message.
    pub const END_OF_MESSAGE: PacketStatus = PacketStatus(0x01);
    /// The client has given up in the middle of the message; the server drops it.
    pub const IGNORE: PacketStatus = PacketStatus(0x02);
    /// RESETCONNECTION.
    pub const RESET_CONNECTION: PacketStatus = PacketStatus(0x08);
    /// RESETCONNECTIONSKIPTRAN.
    pub const RESET_CONNECTION_SKIP_TRANSACTION: PacketStatus = PacketStatus(0x10);

    /// Whether all bits of `other` are set.
    pub fn contains(self, other: PacketStatus) -> bool {
        self.0 & other.0 == other.0
    }
}

/// A packet's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketHeader {
    /// What the message is.
    pub kind: PacketKind,
    /// Its status bits.
    pub status: PacketStatus,
    /// Bytes of the packet, header included.
    pub length: u16,
    /// The server's session id; clients send 0.
    pub spid: u16,
    /// Counts up.
    pub id: u8,
}

impl PacketHeader {
    /// Decodes and checks a header.
    pub fn decode(bytes: &[u8]) -> Result<PacketHeader> {
        let mut r = Reader::new(bytes);
        let [kind, status] = r.array()?;
        let length = r.u16_be()?;
        let spid = r.u16_be()?;
        let [id, _window] = r.array()?;
        let kind = PacketKind(kind);
        if !kind.is_known() {
            return Err(DecodeError::malformed("unknown packet type", kind.0));
        }
        if !(HEADER as u16..=MAX_PACKET).contains(&length) {
            return Err(DecodeError::malformed("packet length out of range", length));
        }
        Ok(PacketHeader { kind, status: PacketStatus(status), length, spid, id })
    }

    /// Encodes a header.
    pub fn encode(&self) -> [u8; 8] {
        let [l0, l1] = self.length.to_be_bytes();
        let [s0, s1] = self.spid.to_be_bytes();
        [self.kind.0, self.status.0, l0, l1, s0, s1, self.id, 0]
    }
}

/// One packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Its header.
    pub header: PacketHeader,
    /// What follows the header.
    pub payload: &'a [u8],
}

/// Cuts a stream of bytes into packets. Holds at most one incomplete packet beyond what was fed at once.
#[derive(Debug, Default)]
pub struct PacketReader {
    buffer: Vec<u8>,
    /// Bytes at the front that were handed out already.
    taken: usize,
}

impl PacketReader {
    /// An empty one.
    pub fn new() -> PacketReader {
        PacketReader::default()
    }

    /// Adds bytes that arrived.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.taken > 0 {
            self.buffer.drain(..self.taken);
            self.taken = 0;
        }
        // Exactly, because thousands of connections may wait in the middle of a packet; it stays for the packets after it.
        self.buffer.reserve_exact(bytes.len());
        self.buffer.extend_from_slice(bytes);
    }

    /// Bytes that wait to be cut.
    pub fn buffered(&self) -> usize {
        self.buffer.len() - self.taken
    }

    /// What has arrived and is not cut yet, for whoever takes the stream over (TLS after PRELOGIN).
    pub fn take_rest(&mut self) -> Vec<u8> {
        let rest = self.buffer.split_off(self.taken);
        self.buffer.clear();
        self.taken = 0;
        rest
    }

    /// The next whole packet; `None` until more bytes come.
    pub fn next_packet(&mut self) -> Result<Option<Packet<'_>>> {
        let rest = self.buffer.get(self.taken..).unwrap_or_default();
        let header = match PacketHeader::decode(rest) {
            Ok(header) => header,
            // A wrong first byte is known before the whole header is there.
            Err(DecodeError::NeedMore) => return Ok(None),
            Err(e) => return Err(e),
        };
        let length = usize::from(header.length);
        let Some(payload) = rest.get(HEADER..length) else { return Ok(None) };
        self.taken += length;
        Ok(Some(Packet { header, payload }))
    }

    /// The header of the packet that is next, if that much has arrived.
    pub fn peek_header(&self) -> Option<PacketHeader> {
        PacketHeader::decode(self.buffer.get(self.taken..)?).ok()
    }
}

/// What a client asks to be reset before its request runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reset {
    /// RESETCONNECTION: everything, an open transaction too.
    Connection,
    /// RESETCONNECTIONSKIPTRAN: everything but the transaction.
    KeepTransaction,
}

impl Reset {
    /// What the first packet of a message asks for.
    pub fn of(status: PacketStatus) -> Option<Reset> {
        if status.contains(PacketStatus::RESET_CONNECTION) {
            Some(Reset::Connection)
        } else if status.contains(PacketStatus::RESET_CONNECTION_SKIP_TRANSACTION) {
            Some(Reset::KeepTransaction)
        } else {
            None
        }
    }
}

/// A whole message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What it is.
    pub kind: PacketKind,
    /// Whether the session is to be reset first.
    pub reset: Option<Reset>,
    /// The contents of its packets.
    pub payload: Vec<u8>,
}

/// What a packet has led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assembled {
    /// Its message goes on.
    More,
    /// Its message is complete.
    Message(Message),
    /// The client has given its message up; it waits for a single DONE with the error bit (2.2.1.7).
    Ignored,
}

/// Joins packets into messages of at most `limit` bytes.
#[derive(Debug)]
pub struct Assembler {
    limit: usize,
    open: Option<Message>,
}

impl Assembler {
    /// `limit`: the bytes a message may have.
    pub fn new(limit: usize) -> Assembler {
        Assembler { limit, open: None }
    }

    /// Allows other sizes from now on.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Whether a message has begun and not ended.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Adds a packet.
    pub fn push(&mut self, packet: Packet<'_>) -> Result<Assembled> {
        let Packet { header, payload } = packet;
        let mut message = match self.open.take() {
            // An Attention may cut a message short.
            Some(open) if open.kind == header.kind => open,
            Some(open) if header.kind != PacketKind::ATTENTION => {
                return Err(DecodeError::malformed(
                    "a packet of another type inside of a message",
                    open.kind.0,
                ));
            }
            _ => Message { kind: header.kind, reset: Reset::of(header.status), payload: Vec::new() },
        };
        if message.payload.len().saturating_add(payload.len()) > self.limit {
            return Err(DecodeError::malformed("the message is too long", self.limit));
        }
        message.payload.extend_from_slice(payload);
        if !header.status.contains(PacketStatus::END_OF_MESSAGE) {
            self.open = Some(message);
            return Ok(Assembled::More);
        }
        Ok(if header.status.contains(PacketStatus::IGNORE) {
            Assembled::Ignored
        } else {
            Assembled::Message(message)
        })
    }
}

/// Cuts the server's tokens into packets.
#[derive(Debug)]
pub struct PacketWriter {
    /// Bytes of a packet, header included.
    size: usize,
    spid: u16,
    kind: PacketKind,
    next_id: u8,
    /// Tokens that are not in packets yet.
    tokens: Vec<u8>,
}

impl PacketWriter {
    /// `size`: the negotiated packet size in bytes, from 512 to 32767.
    pub fn new(kind: PacketKind, size: u16) -> PacketWriter {
        let mut writer = PacketWriter { size: 0, spid: 0, kind, next_id: 1, tokens: Vec::new() };
        writer.set_size(size);
        writer
    }

    /// Uses packets of that size from now on.
    pub fn set_size(&mut self, size: u16) {
        self.size = usize::from(size.clamp(512, MAX_PACKET));
    }

    /// Shows that session id from now on.
    pub fn set_spid(&mut self, spid: u16) {
        self.spid = spid;
    }

    /// Where tokens are appended.
    pub fn tokens(&mut self) -> &mut Vec<u8> {
        &mut self.tokens
    }

    /// Bytes that wait.
    pub fn waiting(&self) -> usize {
        self.tokens.len()
    }

    /// Whether a packet is full.
    pub fn has_full_packet(&self) -> bool {
        self.tokens.len() > self.size - HEADER
    }

    /// Moves full packets to `out`. Something always stays, so that the last packet is not empty.
    pub fn full_packets(&mut self, out: &mut Vec<u8>) {
        let room = self.size - HEADER;
        if self.tokens.len() <= room {
            return;
        }
        let tokens = std::mem::take(&mut self.tokens);
        let keep = (tokens.len() - 1) % room + 1;
        let (full, rest) = tokens.split_at(tokens.len() - keep);
        for payload in full.chunks(room) {
            self.packet(payload, PacketStatus::default(), out);
        }
        self.tokens.extend_from_slice(rest);
    }

    /// Moves everything to `out`, so that the client sees it although the message goes on.
    pub fn flush(&mut self, out: &mut Vec<u8>) {
        self.full_packets(out);
        if !self.tokens.is_empty() {
            let rest = std::mem::take(&mut self.tokens);
            self.packet(&rest, PacketStatus::default(), out);
        }
    }

    /// Forgets what was made of a message and has not been sent: the next packet is its first.
    pub fn restart(&mut self) {
        self.next_id = 1;
    }

    /// Moves everything to `out` and ends the message.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.full_packets(out);
        let rest = std::mem::take(&mut self.tokens);
        self.packet(&rest, PacketStatus::END_OF_MESSAGE, out);
        self.next_id = 1;
        self.tokens = rest;
        self.tokens.clear();
    }

    fn packet(&mut self, payload: &[u8], status: PacketStatus, out: &mut Vec<u8>) {
        let length = (payload.len() + HEADER) as u16;
        let header = PacketHeader { kind: self.kind, status, length, spid: self.spid, id: self.next_id };
        self.next_id = self.next_id.wrapping_add(1);
        out.extend_from_slice(&header.encode());
        out.extend_from_slice(payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn golden_header() {
        let bytes = [0x12, 0x01, 0x00, 0x2F, 0x00, 0x00, 0x01, 0x00];
        let header = PacketHeader::decode(&bytes).unwrap();
        assert_eq!((header.kind, header.length, header.id), (PacketKind::PRELOGIN, 47, 1));
        assert_eq!(header.encode(), bytes);
    }

    #[test]
    fn bad_headers() {
        let bad = |bytes: [u8; 8]| {
            assert!(matches!(PacketHeader::decode(&bytes), Err(DecodeError::Malformed { .. })));
        };
        bad([0x16, 1, 0, 20, 0, 0, 0, 0]);
        bad([1, 1, 0, 7, 0, 0, 0, 0]);
        bad([1, 1, 0x80, 0, 0, 0, 0, 0]);
    }

    fn packet(kind: u8, status: u8, payload: &[u8]) -> Vec<u8> {
        let header = PacketHeader {
            kind: PacketKind(kind),
            status: PacketStatus(status),
            length: payload.len() as u16 + 8,
            spid: 0,
            id: 1,
        };
        [&header.encode(), payload].concat()
    }

    fn assemble(limit: usize, stream: &[u8]) -> Result<Vec<Message>> {
        let (mut reader, mut assembler, mut out) = (PacketReader::new(), Assembler::new(limit), Vec::new());
        reader.feed(stream);
        while let Some(p) = reader.next_packet()? {
            if let Assembled::Message(message) = assembler.push(p)? {
                out.push(message);
            }
        }
        Ok(out)
    }

    #[test]
    fn messages() {
        let stream =
            [packet(1, 8, b"ab"), packet(1, 1, b"c"), packet(3, 0, b"x"), packet(6, 1, b"")].concat();
        let got = assemble(100, &stream).unwrap();
        assert_eq!(got.len(), 2);
        assert_eq!(
            got[0],
            Message { kind: PacketKind::SQL_BATCH, reset: Some(Reset::Connection), payload: b"abc".to_vec() }
        );
        assert_eq!(got[1].kind, PacketKind::ATTENTION);
        let mut assembler = Assembler::new(100);
        let mut reader = PacketReader::new();
        reader.feed(&[packet(1, 0, b"ab"), packet(1, 3, b"c")].concat());
        assert_eq!(assembler.push(reader.next_packet().unwrap().unwrap()), Ok(Assembled::More));
        assert_eq!(assembler.push(reader.next_packet().unwrap().unwrap()), Ok(Assembled::Ignored));
        assert!(assemble(2, &packet(1, 0, b"abc")).is_err(), "the limit");
        assert!(assemble(9, &[packet(1, 0, b"a"), packet(3, 1, b"b")].concat()).is_err(), "another kind");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(payload in proptest::collection::vec(any::<u8>(), 1..5000), cut in 1usize..700, flush_at in 0usize..5000) {
            let mut writer = PacketWriter::new(PacketKind::TABULAR_RESULT, 512);
            let mut wire = Vec::new();
            let (a, b) = payload.split_at(flush_at.min(payload.len()));
            writer.tokens().extend_from_slice(a);
            writer.flush(&mut wire);
            writer.tokens().extend_from_slice(b);
            writer.finish(&mut wire);
            let (mut reader, mut assembler, mut got) = (PacketReader::new(), Assembler::new(10_000), None);
            for piece in wire.chunks(cut) {
                reader.feed(piece);
                while let Some(p) = reader.next_packet().unwrap() {
                    prop_assert!(p.payload.len() <= 504);
                    prop_assert!(got.is_none());
                    if let Assembled::Message(message) = assembler.push(p).unwrap() {
                        got = Some(message);
                    }
                }
            }
            prop_assert_eq!(got.unwrap().payload, payload);
        }

        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = assemble(100, &bytes);
        }
    }
}
