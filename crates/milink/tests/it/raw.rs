//! Bytes on the wire, written by hand: for what no client would say, and for what clients do not show of an answer.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

pub(crate) const BATCH: u8 = 1;
pub(crate) const ATTENTION: u8 = 6;
pub(crate) const PRELOGIN: u8 = 18;
const LOGIN7: u8 = 16;

/// A PRELOGIN whose client cannot encrypt.
const NO_ENCRYPTION: [u8; 7] = [1, 0, 6, 0, 1, 0xFF, 2];

pub(crate) struct Raw {
    pub(crate) tcp: TcpStream,
}

/// A message that has come.
pub(crate) struct Reply {
    pub(crate) bytes: Vec<u8>,
}

impl Reply {
    /// The bytes after the first token of that kind whose length the next two bytes give.
    pub(crate) fn token(&self, kind: u8) -> Option<&[u8]> {
        let mut rest = self.bytes.as_slice();
        while let [found, after @ ..] = rest {
            let length = match found {
                // DONE, DONEPROC, DONEINPROC.
                0xFD..=0xFF => 12,
                // RETURNSTATUS.
                0x79 => 4,
                // FEATUREEXTACK has no length; it is the last but DONE.
                0xAE => after.len() - 13,
                // ENVCHANGE, ERROR, INFO, LOGINACK.
                0xE3 | 0xAA | 0xAB | 0xAD => 2 + usize::from(u16::from_le_bytes([after[0], after[1]])),
                other => panic!("token {other:02X} in {:02X?}", self.bytes),
            };
            if *found == kind {
                return after.get(..length);
            }
            rest = after.get(length..).unwrap();
        }
        None
    }

    /// Number, state and class of the first ERROR.
    pub(crate) fn error(&self) -> Option<(i32, u8, u8)> {
        let token = self.token(0xAA)?;
        Some((i32::from_le_bytes(token.get(2..6)?.try_into().unwrap()), *token.get(6)?, *token.get(7)?))
    }

    /// The status of the last DONE.
    pub(crate) fn done(&self) -> u16 {
        let at = self.bytes.len() - 12;
        u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]])
    }
}

pub(crate) fn packet(kind: u8, status: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u16 + 8).to_be_bytes();
    [&[kind, status, length[0], length[1], 0, 0, 1, 0], payload].concat()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// LOGIN7 of TDS 7.4 with feature extensions, `FF` included.
fn login7(user: &str, password: &str, features: &[u8]) -> Vec<u8> {
    let secret: Vec<u8> = utf16(password).iter().map(|b| b.rotate_left(4) ^ 0xA5).collect();
    let mut fixed = Vec::new();
    fixed.extend(0x7400_0004_u32.to_le_bytes());
    fixed.extend(4096_u32.to_le_bytes());
    // Client version, process, connection; then flags: the fourth byte's bit 4 says that extensions follow.
    fixed.extend([0; 12]);
    fixed.extend([0xE0, 3, 0, if features.is_empty() { 0 } else { 0x10 }]);
    fixed.extend([0; 8]);
    let (mut places, mut data) = (Vec::new(), Vec::new());
    let base = 94_usize;
    let extension_at = base + (utf16(user).len() + secret.len());
    // Host, user, password, application, server, extension, library, language, database.
    for (n, field) in [&[][..], &utf16(user), &secret, &[], &[], &[], &[], &[], &[]].iter().enumerate() {
        places.extend(((base + data.len()) as u16).to_le_bytes());
        let is_extension = n == 5 && !features.is_empty();
        places.extend(if is_extension { 4_u16 } else { (field.len() / 2) as u16 }.to_le_bytes());
        data.extend_from_slice(field);
        if is_extension {
            data.extend(((extension_at + 4) as u32).to_le_bytes());
            data.extend_from_slice(features);
        }
    }
    // Client id; SSPI, file, new password, long SSPI.
    places.extend([0; 6]);
    places.extend([0; 12]);
    places.extend([0; 4]);
    let body = [fixed, places, data].concat();
    [&((body.len() + 4) as u32).to_le_bytes(), &body[..]].concat()
}

impl Raw {
    pub(crate) fn connect(port: u16) -> Raw {
        let tcp = TcpStream::connect(("127.0.0.1", port)).unwrap();
        tcp.set_nodelay(true).unwrap();
        tcp.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Raw { tcp }
    }

    /// A session without encryption, and the answer to its LOGIN7.
    pub(crate) fn login(port: u16, user: &str, password: &str, features: &[u8]) -> (Raw, Reply) {
        let mut raw = Raw::connect(port);
        raw.send(PRELOGIN, 1, &NO_ENCRYPTION);
        raw.reply().unwrap();
        raw.send(LOGIN7, 1, &login7(user, password, features));
        let reply = raw.reply().unwrap();
        (raw, reply)
    }

    pub(crate) fn send(&mut self, kind: u8, status: u8, payload: &[u8]) {
        self.tcp.write_all(&packet(kind, status, payload)).unwrap();
    }

    /// A batch, after the header that says it is in no transaction.
    pub(crate) fn batch(&mut self, status: u8, sql: &str) {
        let headers = [22, 0, 0, 0, 18, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0];
        self.send(BATCH, status, &[&headers[..], &utf16(sql)].concat());
    }

    /// The next whole message.
    pub(crate) fn reply(&mut self) -> io::Result<Reply> {
        let mut bytes = Vec::new();
        loop {
            let mut header = [0; 8];
            self.tcp.read_exact(&mut header)?;
            let length = usize::from(u16::from_be_bytes([header[2], header[3]])) - 8;
            let start = bytes.len();
            bytes.resize(start + length, 0);
            self.tcp.read_exact(&mut bytes[start..])?;
            if header[1] & 1 != 0 {
                return Ok(Reply { bytes });
            }
        }
    }

    /// Whether the server has hung up.
    pub(crate) fn is_closed(&mut self) -> bool {
        let mut one = [0];
        match self.tcp.read(&mut one) {
            Ok(0) => true,
            Ok(_) => false,
            Err(e) => e.kind() == io::ErrorKind::ConnectionReset,
        }
    }
}
