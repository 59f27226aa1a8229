//! What comes before LOGIN7: strict TLS, PRELOGIN, TLS inside of PRELOGIN packets.

use std::sync::Arc;

use lab_tds::{Message, PacketKind, PacketWriter, Prelogin, ServerEncryption, Wire, negotiate};
use rustls::ServerConnection;

use crate::certificate::Tls;
use crate::channel::{Channel, ChannelError};

/// The first byte of a TLS record that begins a handshake.
const TLS_HANDSHAKE: u8 = 0x16;
/// Messages before login are short: a LOGIN7 with a token is the longest.
const MESSAGE_MAX: usize = 12 * 1024;
/// How the client has come in.
pub(crate) struct Entered {
    /// The message after PRELOGIN: LOGIN7.
    pub(crate) login: Message,
    /// TLS first, TDS 8.0.
    pub(crate) strict: bool,
    /// Everything is encrypted, not just the login.
    pub(crate) encrypted: bool,
}

/// A version as the wire has it: major, minor, build.
pub(crate) fn wire_version([major, minor, build, _]: [u16; 4]) -> [u8; 4] {
    let [high, low] = build.to_be_bytes();
    [major as u8, minor as u8, high, low]
}

/// Brings a connection up to its LOGIN7 message.
pub(crate) fn enter(
    channel: &mut Channel,
    tls: &Tls,
    encryption: ServerEncryption,
    build: [u16; 4],
) -> Result<Entered, ChannelError> {
    let strict = channel.peek()? == TLS_HANDSHAKE;
    if strict {
        let connection = ServerConnection::new(Arc::clone(&tls.strict))
            .map_err(|e| ChannelError::Protocol(e.to_string()))?;
        channel.handshake_outside(Box::new(connection))?;
    }
    let first = channel.read_message(MESSAGE_MAX)?;
    if first.kind == PacketKind::LOGIN7 {
        // jTDS sends no PRELOGIN.
        if encryption == ServerEncryption::Required && !strict {
            return Err(ChannelError::Protocol("encryption is required".to_owned()));
        }
        return Ok(Entered { login: first, strict, encrypted: strict });
    }
    if first.kind != PacketKind::PRELOGIN {
        return Err(ChannelError::Protocol("a connection begins with PRELOGIN".to_owned()));
    }
    let asked = Prelogin::decode(&first.payload)?;
    let agreed = negotiate(asked.encryption, encryption);
    let (answer, wire) = if strict {
        (lab_tds::EncryptionOption::NOT_SUPPORTED, Some(Wire::Plain))
    } else {
        (agreed.answer, agreed.wire)
    };
    let [major, minor, high, low] = wire_version(build);
    let reply = Prelogin {
        version: Some([major, minor, high, low, 0, 0]),
        encryption: Some(answer),
        instance: Some(Vec::new()),
        thread_id: None,
        mars: asked.mars.map(|_| 0),
        fed_auth_required: None,
        ..Prelogin::default()
    };
    let mut body = Vec::new();
    reply.encode(&mut body);
    send_message(channel, PacketKind::TABULAR_RESULT, &body)?;
    match wire {
        None => {
            return Err(ChannelError::Protocol("client and server cannot agree on encryption".to_owned()));
        }
        Some(Wire::Plain) => {}
        Some(Wire::LoginOnly | Wire::Full) => {
            let connection = ServerConnection::new(Arc::clone(&tls.inside))
                .map_err(|e| ChannelError::Protocol(e.to_string()))?;
            handshake_inside(channel, Box::new(connection))?;
        }
    }
    let login = channel.read_message(MESSAGE_MAX)?;
    if login.kind != PacketKind::LOGIN7 {
        return Err(ChannelError::Protocol("LOGIN7 was expected".to_owned()));
    }
    if wire == Some(Wire::LoginOnly) {
        channel.drop_tls();
    }
    let encrypted = channel.is_encrypted();
    Ok(Entered { login, strict, encrypted })
}

/// TLS whose records travel in PRELOGIN packets until the handshake is done.
fn handshake_inside(channel: &mut Channel, mut tls: Box<ServerConnection>) -> Result<(), ChannelError> {
    while tls.is_handshaking() {
        let packet = channel.read_packet()?;
        if packet.header.kind != PacketKind::PRELOGIN {
            return Err(ChannelError::Protocol("a TLS handshake was expected".to_owned()));
        }
        let mut records = packet.payload.as_slice();
        while !records.is_empty() {
            tls.read_tls(&mut records)?;
            let processed = tls.process_new_packets();
            if let Err(e) = processed {
                send_records(channel, &mut tls)?;
                return Err(ChannelError::Protocol(e.to_string()));
            }
        }
        send_records(channel, &mut tls)?;
    }
    channel.set_tls(tls)
}

fn send_records(channel: &mut Channel, tls: &mut ServerConnection) -> Result<(), ChannelError> {
    let mut records = Vec::new();
    while tls.wants_write() {
        tls.write_tls(&mut records)?;
    }
    if records.is_empty() { Ok(()) } else { send_message(channel, PacketKind::PRELOGIN, &records) }
}

fn send_message(channel: &mut Channel, kind: PacketKind, body: &[u8]) -> Result<(), ChannelError> {
    let mut writer = PacketWriter::new(kind, 4096);
    let mut out = Vec::new();
    writer.tokens().extend_from_slice(body);
    writer.finish(&mut out);
    Ok(channel.send(&out)?)
}
