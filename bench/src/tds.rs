//! As much of TDS 7.4 as a load generator needs (MS-TDS), unencrypted, as the PostgreSQL connection beside it is.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::Result;
use crate::request::{DIGITS, KeyForm, Request};

const SQL_BATCH: u8 = 1;
const RPC: u8 = 3;
/// Bulk load data.
pub(crate) const BULK_LOAD: u8 = 7;
const LOGIN7: u8 = 16;
const PRELOGIN: u8 = 18;
const HEADER: usize = 8;
const END_OF_MESSAGE: u8 = 1;
/// The size that Microsoft's clients ask for.
const PACKET_SIZE: usize = 8000;
/// ALL_HEADERS with the transaction descriptor of autocommit.
const ALL_HEADERS: [u8; 22] = [22, 0, 0, 0, 18, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0];
/// SQL_Latin1_General_CP1_CI_AS.
pub(crate) const COLLATION: [u8; 5] = [0x09, 0x04, 0xD0, 0x00, 0x34];
/// DONE, DONEPROC and DONEINPROC: token, status, command, count.
const DONE_LENGTH: usize = 13;
/// RETURNSTATUS, between DONEINPROC and DONEPROC.
const RETURN_STATUS_LENGTH: usize = 5;

/// A logged-in connection.
#[derive(Debug)]
pub struct Session {
    tcp: TcpStream,
    buffer: Vec<u8>,
}

impl Session {
    /// Logs in as sa.
    pub fn open(address: SocketAddr, password: &str, database: &str) -> Result<Session> {
        let tcp = TcpStream::connect(address).map_err(|e| format!("connect to {address}: {e}"))?;
        tcp.set_nodelay(true).map_err(|e| format!("TCP_NODELAY: {e}"))?;
        let mut session = Session { tcp, buffer: vec![0; 64 * 1024] };
        session.send(&packets(PRELOGIN, &prelogin()))?;
        session.message()?;
        session.send(&packets(LOGIN7, &login7(password, database)))?;
        let answer = session.message()?;
        judge(answer).map_err(|e| format!("login: {e}"))?;
        Ok(session)
    }

    /// Sends a request and waits for its answer; gives the rows that it returned or changed.
    pub fn round_trip(&mut self, request: &[u8]) -> Result<u64> {
        self.send(request)?;
        judge(self.message()?)
    }

    /// The value of the only column of the first row that a request gives, as text: an int, bigint or nvarchar.
    pub fn value(&mut self, request: &[u8]) -> Result<String> {
        self.send(request)?;
        let answer = self.message()?;
        judge(answer)?;
        first_value(answer).ok_or_else(|| "no row, or none that can be read".to_owned())
    }

    /// Lets whoever waits for an answer give up after that time.
    pub fn set_patience(&self, patience: Duration) -> Result<()> {
        self.tcp.set_read_timeout(Some(patience)).map_err(|e| format!("a read timeout: {e}"))
    }

    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.tcp.write_all(bytes).map_err(|e| format!("send: {e}"))
    }

    /// Reads packets up to the message's end; gives the last packet's contents, in which the verdict is.
    fn message(&mut self) -> Result<&[u8]> {
        let mut have = 0;
        loop {
            while have < HEADER {
                have += self.fill(have)?;
            }
            let length = usize::from(u16::from_be_bytes([self.buffer[2], self.buffer[3]]));
            let last = self.buffer[1] & END_OF_MESSAGE != 0;
            if length < HEADER || length > self.buffer.len() {
                return Err(format!("a packet of {length} bytes"));
            }
            while have < length {
                have += self.fill(have)?;
            }
            if last {
                return Ok(&self.buffer[HEADER..length]);
            }
            self.buffer.copy_within(length..have, 0);
            have -= length;
        }
    }

    fn fill(&mut self, have: usize) -> Result<usize> {
        match self.tcp.read(&mut self.buffer[have..]) {
            Ok(0) => Err("the server closed the connection".to_owned()),
            Ok(n) => Ok(n),
            Err(e) => Err(format!("receive: {e}")),
        }
    }
}

/// The row count of an answer's last DONE (in a procedure's answer: of its last statement's), or what went wrong. The whole answer
/// is read only if it says that there was an error.
fn judge(answer: &[u8]) -> Result<u64> {
    let done_at = |end: usize| end.checked_sub(DONE_LENGTH).and_then(|at| answer.get(at..end));
    let last = done_at(answer.len()).ok_or_else(|| format!("an answer of {} bytes", answer.len()))?;
    if last[1] & 2 != 0 || !matches!(last[0], 0xFD | 0xFE) {
        return Err(error_text(answer));
    }
    let inner = answer.len().checked_sub(DONE_LENGTH + RETURN_STATUS_LENGTH).and_then(done_at);
    let counted = match inner {
        Some(done) if last[0] == 0xFE && done[0] == 0xFF => done,
        _ => last,
    };
    let mut count = [0; 8];
    count.copy_from_slice(&counted[5..]);
    Ok(u64::from_le_bytes(count))
}

/// COLMETADATA of one column and its first ROW. NULL is an empty text.
fn first_value(answer: &[u8]) -> Option<String> {
    /// COLMETADATA, the count of columns, the user type, the flags.
    const BEFORE_TYPE: usize = 9;
    const ROW: u8 = 0xD1;
    const INTN: u8 = 0x26;
    const INT4: u8 = 0x38;
    const INT8: u8 = 0x7F;
    const NVARCHAR: u8 = 0xE7;
    let kind = *answer.get(BEFORE_TYPE)?;
    let name_at = BEFORE_TYPE
        + match kind {
            INT4 | INT8 => 1,
            INTN => 2,
            NVARCHAR => 1 + 2 + COLLATION.len(),
            _ => return None,
        };
    let row_at = name_at + 1 + usize::from(*answer.get(name_at)?) * 2;
    if *answer.get(row_at)? != ROW {
        return None;
    }
    let value = answer.get(row_at + 1..)?;
    let (length, value) = match kind {
        INT4 => (4, value),
        INT8 => (8, value),
        INTN => (usize::from(*value.first()?), value.get(1..)?),
        _ => match u16::from_le_bytes(value.get(..2)?.try_into().ok()?) {
            u16::MAX => (0, &[][..]),
            length => (usize::from(length), value.get(2..)?),
        },
    };
    let value = value.get(..length)?;
    Some(match (kind, length) {
        (NVARCHAR, _) => {
            let units: Vec<u16> = value.chunks_exact(2).map(|c| u16::from_le_bytes([c[0], c[1]])).collect();
            String::from_utf16_lossy(&units)
        }
        (_, 8) => i64::from_le_bytes(value.try_into().ok()?).to_string(),
        (_, 4) => i32::from_le_bytes(value.try_into().ok()?).to_string(),
        _ => String::new(),
    })
}

/// The message of the ERROR token, found by its code: only ever for people.
fn error_text(answer: &[u8]) -> String {
    let token = answer.iter().position(|b| *b == 0xAA).and_then(|at| answer.get(at + 1..));
    let message = token.and_then(|t| {
        let number = u32::from_le_bytes(t.get(2..6)?.try_into().ok()?);
        let units = usize::from(u16::from_le_bytes(t.get(8..10)?.try_into().ok()?));
        let text: Vec<u16> =
            t.get(10..10 + units * 2)?.chunks_exact(2).map(|c| u16::from_le_bytes([c[0], c[1]])).collect();
        Some(format!("error {number}: {}", String::from_utf16_lossy(&text)))
    });
    message.unwrap_or_else(|| {
        "an answer that ends without DONE, or with an error in an earlier packet".to_owned()
    })
}

/// A batch of one text.
pub fn batch(text: &str) -> Vec<u8> {
    packets(SQL_BATCH, &[&ALL_HEADERS[..], &utf16(text)].concat())
}

/// A batch with a key between each two texts.
pub fn batch_with_keys(texts: &[&str]) -> Request {
    let bytes = batch(&texts.join(&"0".repeat(DIGITS)));
    let holes = crate::request::holes(texts, |text| text.encode_utf16().count() * 2, DIGITS * 2);
    let before = HEADER + ALL_HEADERS.len();
    Request::new(bytes, holes.into_iter().map(|at| before + at).collect(), KeyForm::Utf16)
}

/// A call of sp_executesql with `@k int`, the key, and if there is a payload, `@p varchar(50)`.
pub fn rpc_with_key(statement: &str, payload: Option<&str>) -> Request {
    let mut body = ALL_HEADERS.to_vec();
    body.extend_from_slice(&[0xFF, 0xFF, 10, 0, 0, 0]);
    let declared = if payload.is_some() { "@k int, @p varchar(50)" } else { "@k int" };
    for text in [statement, declared] {
        let text = utf16(text);
        body.extend_from_slice(&[0, 0, 0xE7]);
        body.extend_from_slice(&8000_u16.to_le_bytes());
        body.extend_from_slice(&COLLATION);
        body.extend_from_slice(&(text.len() as u16).to_le_bytes());
        body.extend_from_slice(&text);
    }
    parameter_name(&mut body, "@k");
    body.extend_from_slice(&[0x26, 4, 4]);
    let at = HEADER + body.len();
    body.extend_from_slice(&[0; 4]);
    if let Some(payload) = payload {
        parameter_name(&mut body, "@p");
        body.push(0xA7);
        body.extend_from_slice(&50_u16.to_le_bytes());
        body.extend_from_slice(&COLLATION);
        body.extend_from_slice(&(payload.len() as u16).to_le_bytes());
        body.extend_from_slice(payload.as_bytes());
    }
    Request::new(packets(RPC, &body), vec![at], KeyForm::LittleEndian)
}

fn parameter_name(body: &mut Vec<u8>, name: &str) {
    body.push(name.len() as u8);
    body.extend_from_slice(&utf16(name));
    body.push(0);
}

/// A message in its packets.
pub(crate) fn packets(kind: u8, message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + message.len() / PACKET_SIZE * HEADER + HEADER);
    let mut chunks = message.chunks(PACKET_SIZE - HEADER).enumerate().peekable();
    while let Some((number, chunk)) = chunks.next() {
        let status = if chunks.peek().is_none() { END_OF_MESSAGE } else { 0 };
        out.extend_from_slice(&[kind, status]);
        out.extend_from_slice(&((HEADER + chunk.len()) as u16).to_be_bytes());
        out.extend_from_slice(&[0, 0, (number + 1) as u8, 0]);
        out.extend_from_slice(chunk);
    }
    out
}

pub(crate) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// VERSION and ENCRYPTION: not supported.
fn prelogin() -> Vec<u8> {
    vec![0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xFF, 16, 0, 0, 0, 0, 0, 2]
}

fn login7(password: &str, database: &str) -> Vec<u8> {
    const FIXED: usize = 94;
    let secret: Vec<u8> = utf16(password).iter().map(|b| b.rotate_left(4) ^ 0xA5).collect();
    // In the order of the offset table: host, user, password, application, server, extension, library, language, database.
    let texts = [
        vec![],
        utf16("sa"),
        secret,
        utf16("bench"),
        vec![],
        vec![],
        utf16("bench"),
        vec![],
        utf16(database),
    ];
    let (mut table, mut data) = (Vec::new(), Vec::new());
    let mut entry = |table: &mut Vec<u8>, text: &[u8]| {
        table.extend_from_slice(&((FIXED + data.len()) as u16).to_le_bytes());
        table.extend_from_slice(&((text.len() / 2) as u16).to_le_bytes());
        data.extend_from_slice(text);
    };
    for text in &texts {
        entry(&mut table, text);
    }
    table.extend_from_slice(&[0; 6]);
    // SSPI, the file to attach, the new password; then the length of a long SSPI.
    for _ in 0..3 {
        entry(&mut table, &[]);
    }
    table.extend_from_slice(&[0; 4]);
    let mut out = Vec::new();
    out.extend_from_slice(&((FIXED + data.len()) as u32).to_le_bytes());
    out.extend_from_slice(&0x7400_0004_u32.to_le_bytes());
    out.extend_from_slice(&(PACKET_SIZE as u32).to_le_bytes());
    out.extend_from_slice(&[0; 12]);
    // fUseDB, fDatabase fatal, fSetLang; fODBC: the SET options that every modern driver gives.
    out.extend_from_slice(&[0xE0, 0x03, 0, 0]);
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&table);
    out.extend_from_slice(&data);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_has_the_length_that_it_says() {
        let login = login7("secret", "d");
        assert_eq!(u32::from_le_bytes(login[..4].try_into().unwrap()) as usize, login.len());
        let user_at = usize::from(u16::from_le_bytes([login[40], login[41]]));
        assert_eq!(&login[user_at..user_at + 4], utf16("sa"));
    }

    #[test]
    fn long_messages_are_cut_into_packets() {
        let out = packets(SQL_BATCH, &vec![7; PACKET_SIZE]);
        assert_eq!(out[..8], [SQL_BATCH, 0, 0x1F, 0x40, 0, 0, 1, 0]);
        assert_eq!(out[PACKET_SIZE..PACKET_SIZE + 8], [SQL_BATCH, 1, 0, 16, 0, 0, 2, 0]);
        assert_eq!(out.len(), PACKET_SIZE + 16);
    }

    #[test]
    fn the_key_stands_in_the_batch() {
        let mut request = batch_with_keys(&["SELECT ", " x"]);
        let text = utf16("SELECT 1234567890 x");
        assert_eq!(request.with_key(1_234_567_890)[HEADER + 22..], text);
    }

    #[test]
    fn values_are_read() {
        let meta = |kind: &[u8]| [&[0x81, 1, 0, 0, 0, 0, 0, 9, 0][..], kind, &[1, b'n', 0, 0xD1]].concat();
        assert_eq!(first_value(&[meta(&[0x26, 4]), vec![4, 7, 1, 0, 0]].concat()), Some("263".to_owned()));
        assert_eq!(first_value(&[meta(&[0x38]), vec![7, 0, 0, 0]].concat()), Some("7".to_owned()));
        let text = [&[0xE7, 8, 0][..], &COLLATION].concat();
        assert_eq!(first_value(&[meta(&text), vec![4, 0, b'o', 0, b'k', 0]].concat()), Some("ok".to_owned()));
        assert_eq!(first_value(&[meta(&text), vec![255, 255]].concat()), Some(String::new()));
        assert_eq!(first_value(&[0xFD, 0, 0]), None);
    }

    #[test]
    fn answers_are_judged() {
        let done = |token: u8, status: u8, count: u8| [token, status, 0, 0xC1, 0, count, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(judge(&done(0xFD, 0x10, 3)), Ok(3));
        let call = [&done(0xFF, 0x11, 5)[..], &[0x79, 0, 0, 0, 0], &done(0xFE, 0, 0)].concat();
        assert_eq!(judge(&call), Ok(5));
        let error = [&[0xAA, 14, 0, 207, 0, 0, 0, 1, 16, 1, 0, b'x', 0][..], &done(0xFD, 2, 0)].concat();
        assert_eq!(judge(&error), Err("error 207: x".to_owned()));
        assert!(judge(&[0xFD]).is_err());
    }
}
