//! The first frame each way: what tells an endpoint apart from whatever else may listen on a port or knock at one.
//!
//! Hello, from the side that dials:
//!
//! | field | bytes | |
//! |---|---|---|
//! | magic | 8 | `MILKHADR` |
//! | versions | 2 + 2 | lowest and highest that the dialer speaks |
//! | server name | 2 + n | what `;Server=[name]` of the URL says (UTF-8); empty without it |
//!
//! Answer: magic, the version that is spoken from here on (2), an error number (4; 0 says welcome) and its text (2 + n).
//! Numbers are little-endian. What follows the known fields is ignored, so that later versions may say more.

use super::failure::printable;
use super::frame::cut;

/// What both messages begin with.
const MAGIC: &[u8; 8] = b"MILKHADR";
/// The version that this code speaks.
pub const VERSION: u16 = 1;
/// The longest server name: 128 characters of UTF-8.
pub const SERVER_NAME_MAX: usize = 512;
/// The longest text of a refusal.
const TEXT_MAX: usize = 768;
/// No preamble is longer than this, those of later versions included.
pub const PREAMBLE_MAX: usize = 1024;

/// Why bytes are no preamble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreambleError {
    /// They do not begin as one.
    Magic,
    /// They end too early, or a text is not UTF-8 or too long.
    Malformed,
}

impl std::fmt::Display for PreambleError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            PreambleError::Magic => "what came is not the preamble of a database mirroring endpoint",
            PreambleError::Malformed => "the preamble is malformed",
        })
    }
}

impl std::error::Error for PreambleError {}

/// What the dialer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The lowest version that it speaks.
    pub lowest: u16,
    /// The highest.
    pub highest: u16,
    /// Which server it wants behind a managed instance's address.
    pub server_name: Option<String>,
}

impl Hello {
    /// The bytes of the payload. The name was checked against [`SERVER_NAME_MAX`]; one that is longer is cut.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&self.lowest.to_le_bytes());
        bytes.extend_from_slice(&self.highest.to_le_bytes());
        put_text(&mut bytes, self.server_name.as_deref().unwrap_or_default(), SERVER_NAME_MAX);
        bytes
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// It is no hello.
    pub fn decode(bytes: &[u8]) -> Result<Hello, PreambleError> {
        let mut rest = bytes.strip_prefix(MAGIC).ok_or(PreambleError::Magic)?;
        let lowest = u16::from_le_bytes(take(&mut rest)?);
        let highest = u16::from_le_bytes(take(&mut rest)?);
        let server_name = take_text(&mut rest, SERVER_NAME_MAX)?;
        Ok(Hello { lowest, highest, server_name: (!server_name.is_empty()).then_some(server_name) })
    }

    /// Whether this code speaks one of its versions.
    pub fn speaks(&self, version: u16) -> bool {
        (self.lowest..=self.highest).contains(&version)
    }
}

/// What the other side answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The version spoken from here on; 0 when refused.
    pub version: u16,
    /// The number of the error; 0 if welcome.
    pub number: i32,
    /// Its text.
    pub text: String,
}

impl Answer {
    /// The bytes of the payload. A text that is too long is cut.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&self.version.to_le_bytes());
        bytes.extend_from_slice(&self.number.to_le_bytes());
        put_text(&mut bytes, &self.text, TEXT_MAX);
        bytes
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// It is no answer.
    pub fn decode(bytes: &[u8]) -> Result<Answer, PreambleError> {
        let mut rest = bytes.strip_prefix(MAGIC).ok_or(PreambleError::Magic)?;
        let version = u16::from_le_bytes(take(&mut rest)?);
        let number = i32::from_le_bytes(take(&mut rest)?);
        let text = take_text(&mut rest, TEXT_MAX)?;
        Ok(Answer { version, number, text: printable(&text) })
    }
}

fn put_text(bytes: &mut Vec<u8>, text: &str, most: usize) {
    let text = cut(text, most);
    bytes.extend_from_slice(&(text.len() as u16).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], PreambleError> {
    let (taken, after) = rest.split_first_chunk().ok_or(PreambleError::Malformed)?;
    *rest = after;
    Ok(*taken)
}

fn take_text(rest: &mut &[u8], most: usize) -> Result<String, PreambleError> {
    let length = usize::from(u16::from_le_bytes(take(rest)?));
    if length > most {
        return Err(PreambleError::Malformed);
    }
    let (taken, after) = rest.split_at_checked(length).ok_or(PreambleError::Malformed)?;
    *rest = after;
    Ok(std::str::from_utf8(taken).map_err(|_| PreambleError::Malformed)?.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood_and_more_is_ignored() {
        let hello = Hello { lowest: 1, highest: 3, server_name: Some("mi-eins".into()) };
        let mut bytes = hello.encode();
        // Golden: a preamble of version 1 must be readable for ever.
        assert_eq!(bytes, b"MILKHADR\x01\0\x03\0\x07\0mi-eins");
        bytes.extend_from_slice(b"of a later version");
        assert_eq!(Hello::decode(&bytes), Ok(hello));
        let answer = Answer { version: 0, number: 33_320, text: "no\r\nway".into() };
        assert_eq!(answer.encode(), b"MILKHADR\0\0\x28\x82\0\0\x07\0no\r\nway");
        assert_eq!(Answer::decode(&answer.encode()).unwrap().text, "no  way");
    }

    #[test]
    fn no_beginning_of_a_preamble_is_one() {
        let hello = Hello { lowest: 1, highest: 1, server_name: Some("x".repeat(SERVER_NAME_MAX)) }.encode();
        assert!(hello.len() <= PREAMBLE_MAX);
        for end in 0..hello.len() {
            assert!(Hello::decode(hello.get(..end).unwrap()).is_err());
        }
        let answer = Answer { version: 1, number: 0, text: "y".repeat(2 * TEXT_MAX) }.encode();
        assert!(answer.len() <= PREAMBLE_MAX);
        for end in 0..answer.len() {
            assert!(Answer::decode(answer.get(..end).unwrap()).is_err());
        }
        assert_eq!(Hello::decode(b"GET / HTTP/1.1\r\n\r\n"), Err(PreambleError::Magic));
    }
}
