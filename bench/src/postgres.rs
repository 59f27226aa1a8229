//! As much of PostgreSQL's protocol 3.0 as a load generator needs: trust authentication, simple queries, one prepared
//! statement, COPY.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::Result;
use crate::request::{DIGITS, KeyForm, Request};

/// The type byte and the length.
const HEADER: usize = 5;
/// The user that the benchmark's cluster is made with.
pub const USER: &str = "postgres";

/// A connection that is ready for queries.
#[derive(Debug)]
pub struct Session {
    tcp: TcpStream,
    buffer: Vec<u8>,
    /// The first value of the last answer's first row.
    value: Option<String>,
}

impl Session {
    /// Connects without a password.
    pub fn open(address: SocketAddr, database: &str) -> Result<Session> {
        let tcp = TcpStream::connect(address).map_err(|e| format!("connect to {address}: {e}"))?;
        tcp.set_nodelay(true).map_err(|e| format!("TCP_NODELAY: {e}"))?;
        let mut session = Session { tcp, buffer: vec![0; 64 * 1024], value: None };
        let mut body = 196_608_u32.to_be_bytes().to_vec();
        body.extend_from_slice(format!("user\0{USER}\0database\0{database}\0\0").as_bytes());
        let length = (body.len() + 4) as u32;
        session.round_trip(&[&length.to_be_bytes()[..], &body].concat())?;
        Ok(session)
    }

    /// Sends a request and waits until the server is ready again; gives the rows that it returned or changed.
    pub fn round_trip(&mut self, request: &[u8]) -> Result<u64> {
        self.tcp.write_all(request).map_err(|e| format!("send: {e}"))?;
        self.answer()
    }

    /// The first value of the first row that a request gives, as text.
    pub fn value(&mut self, request: &[u8]) -> Result<String> {
        self.value = None;
        self.round_trip(request)?;
        self.value.take().ok_or_else(|| "no row".to_owned())
    }

    /// Lets whoever waits for an answer give up after that time.
    pub fn set_patience(&self, patience: Duration) -> Result<()> {
        self.tcp.set_read_timeout(Some(patience)).map_err(|e| format!("a read timeout: {e}"))
    }

    fn answer(&mut self) -> Result<u64> {
        let (mut have, mut at, mut rows, mut failed) = (0, 0, 0, None);
        loop {
            while have - at < HEADER {
                self.make_room(&mut at, &mut have)?;
                have += self.fill(have)?;
            }
            let length = 1 + u32::from_be_bytes([
                self.buffer[at + 1],
                self.buffer[at + 2],
                self.buffer[at + 3],
                self.buffer[at + 4],
            ]) as usize;
            while have - at < length {
                self.make_room(&mut at, &mut have)?;
                have += self.fill(have)?;
            }
            let body = &self.buffer[at + HEADER..at + length];
            match self.buffer[at] {
                b'C' => rows = count(body),
                b'D' if self.value.is_none() => self.value = first_value(body),
                b'E' => failed = Some(error_text(body)),
                b'Z' => return failed.map_or(Ok(rows), Err),
                // CopyInResponse: the server waits for the rows.
                b'G' => return Ok(0),
                _ => {}
            }
            at += length;
            // A startup packet that is refused is not followed by ReadyForQuery.
            if let Some(why) = failed.take_if(|why| why.starts_with("FATAL")) {
                return Err(why);
            }
        }
    }

    /// Moves what is unread to the front when it has reached the buffer's end.
    fn make_room(&mut self, at: &mut usize, have: &mut usize) -> Result<()> {
        if *have == self.buffer.len() {
            if *at == 0 {
                return Err("a message that is longer than the buffer".to_owned());
            }
            self.buffer.copy_within(*at..*have, 0);
            *have -= *at;
            *at = 0;
        }
        Ok(())
    }

    fn fill(&mut self, have: usize) -> Result<usize> {
        match self.tcp.read(&mut self.buffer[have..]) {
            Ok(0) => Err("the server closed the connection".to_owned()),
            Ok(n) => Ok(n),
            Err(e) => Err(format!("receive: {e}")),
        }
    }
}

/// The number at the end of a command tag, as in `INSERT 0 1`.
fn count(tag: &[u8]) -> u64 {
    let tag = tag.strip_suffix(&[0]).unwrap_or(tag);
    let digits = tag.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    tag[tag.len() - digits..].iter().fold(0, |n, d| n * 10 + u64::from(d - b'0'))
}

/// A DataRow's first value: count of columns, then each with its length.
fn first_value(row: &[u8]) -> Option<String> {
    let length = u32::from_be_bytes(row.get(2..6)?.try_into().ok()?) as usize;
    Some(String::from_utf8_lossy(row.get(6..6 + length)?).into_owned())
}

/// An ErrorResponse's severity and message.
fn error_text(body: &[u8]) -> String {
    let field = |code: u8| body.split(|b| *b == 0).find_map(|f| f.strip_prefix(&[code]));
    let text = |code| String::from_utf8_lossy(field(code).unwrap_or_default()).into_owned();
    format!("{}: {}", text(b'S'), text(b'M'))
}

fn message(out: &mut Vec<u8>, kind: u8, body: &[u8]) {
    out.push(kind);
    out.extend_from_slice(&((body.len() + 4) as u32).to_be_bytes());
    out.extend_from_slice(body);
}

/// A simple query.
pub fn simple(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    message(&mut out, b'Q', format!("{text}\0").as_bytes());
    out
}

/// A simple query with a key between each two texts.
pub fn simple_with_keys(texts: &[&str]) -> Request {
    let bytes = simple(&texts.join(&"0".repeat(DIGITS)));
    let holes = crate::request::holes(texts, |text| text.len(), DIGITS);
    Request::new(bytes, holes.into_iter().map(|at| HEADER + at).collect(), KeyForm::Ascii)
}

/// Prepares `statement`, which takes `$1 int` and perhaps `$2 varchar`, as `s`.
pub fn prepare(statement: &str) -> Vec<u8> {
    let mut out = Vec::new();
    message(&mut out, b'P', format!("s\0{statement}\0\0\0").as_bytes());
    message(&mut out, b'S', &[]);
    out
}

/// Runs `s`: Bind, Execute, Sync. The key is binary, the payload text.
pub fn prepared_with_key(payload: Option<&str>) -> Request {
    // The unnamed portal of statement `s`; a format for each parameter (1: binary).
    let mut bind = b"\0s\0".to_vec();
    match payload {
        Some(_) => bind.extend_from_slice(&[0, 2, 0, 1, 0, 0, 0, 2]),
        None => bind.extend_from_slice(&[0, 1, 0, 1, 0, 1]),
    }
    bind.extend_from_slice(&4_u32.to_be_bytes());
    let at = HEADER + bind.len();
    bind.extend_from_slice(&[0; 4]);
    if let Some(payload) = payload {
        bind.extend_from_slice(&(payload.len() as u32).to_be_bytes());
        bind.extend_from_slice(payload.as_bytes());
    }
    // Results as text.
    bind.extend_from_slice(&[0, 0]);
    let mut out = Vec::new();
    message(&mut out, b'B', &bind);
    message(&mut out, b'E', &[0, 0, 0, 0, 0]);
    message(&mut out, b'S', &[]);
    Request::new(out, vec![at], KeyForm::BigEndian)
}

/// COPY's rows in their messages, and its end.
pub(crate) fn copy_data(rows: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(rows.len() + rows.len() / 1000 + 64);
    for chunk in rows.chunks(8192) {
        message(&mut out, b'd', chunk);
    }
    message(&mut out, b'c', &[]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_the_lengths_that_they_say() {
        assert_eq!(simple("x"), [b'Q', 0, 0, 0, 6, b'x', 0]);
        let mut request = simple_with_keys(&["id=", ";"]);
        assert_eq!(request.with_key(1_234_567_890), b"Q\0\0\0\x13id=1234567890;\0");
        let mut bound = prepared_with_key(None);
        let expected =
            b"B\0\0\0\x17\0s\0\0\x01\0\x01\0\x01\0\0\0\x04\0\0\0\x07\0\0E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04";
        assert_eq!(bound.with_key(7), expected);
    }

    #[test]
    fn command_tags_and_errors() {
        assert_eq!(count(b"INSERT 0 1\0"), 1);
        assert_eq!(count(b"COPY 200000\0"), 200_000);
        assert_eq!(count(b"CREATE TABLE\0"), 0);
        assert_eq!(error_text(b"SERROR\0C42P01\0Mno table\0\0"), "ERROR: no table");
        assert_eq!(first_value(b"\0\x01\0\0\0\x0212"), Some("12".to_owned()));
    }
}
