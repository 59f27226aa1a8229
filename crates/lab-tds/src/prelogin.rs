//! PRELOGIN, the first message of a connection (2.2.6.5).
//!
//! | part | layout |
//! |---|---|
//! | options | repeated: token BYTE, offset USHORT big-endian, length USHORT big-endian |
//! | end of options | 0xFF |
//! | data | at the offsets, from the start of the message |
//!
//! | token | option | data |
//! |---|---|---|
//! | 0 | VERSION | UL_VERSION 4 bytes, US_SUBBUILD 2 bytes |
//! | 1 | ENCRYPTION | BYTE |
//! | 2 | INSTOPT | zero-terminated instance name; answer: 0 |
//! | 3 | THREADID | ULONG |
//! | 4 | MARS | BYTE |
//! | 5 | TRACEID | GUID, activity GUID, sequence ULONG |
//! | 6 | FEDAUTHREQUIRED | BYTE |
//! | 7 | NONCEOPT | 32 bytes |

use crate::read::{DecodeError, Reader, Result};

/// What a side says about encryption: the raw byte, since clients say more than the specification knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncryptionOption(pub u8);

impl EncryptionOption {
    /// Encryption is available but off: the login packet alone is encrypted.
    pub const OFF: EncryptionOption = EncryptionOption(0);
    /// Encryption is available and on.
    pub const ON: EncryptionOption = EncryptionOption(1);
    /// Encryption is not available.
    pub const NOT_SUPPORTED: EncryptionOption = EncryptionOption(2);
    /// Encryption is required.
    pub const REQUIRED: EncryptionOption = EncryptionOption(3);

    /// The option without ENCRYPT_CLIENT_CERT, which only adds a certificate that nobody asks for here.
    pub(crate) fn without_certificate_bit(self) -> EncryptionOption {
        EncryptionOption(self.0 & 0x7F)
    }
}

/// PRELOGIN of either side.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prelogin {
    /// Major, minor, build (two bytes), sub-build (two bytes).
    pub version: Option<[u8; 6]>,
    /// What is said about encryption.
    pub encryption: Option<EncryptionOption>,
    /// The instance name asked for, without its terminator.
    pub instance: Option<Vec<u8>>,
    /// The client's thread.
    pub thread_id: Option<u32>,
    /// Whether multiple active result sets are wanted.
    pub mars: Option<u8>,
    /// Connection and activity ids for tracing.
    pub trace_id: Option<Vec<u8>>,
    /// Whether federated authentication is (to be) used.
    pub fed_auth_required: Option<u8>,
    /// Tokens of options that are not known here.
    pub unknown: Vec<u8>,
}

const END: u8 = 0xFF;
/// A real PRELOGIN has at most ten options.
const MAX_OPTIONS: usize = 64;

impl Prelogin {
    /// Decodes a whole message.
    pub fn decode(message: &[u8]) -> Result<Prelogin> {
        let mut out = Prelogin::default();
        let mut list = Reader::new(message);
        for _ in 0..MAX_OPTIONS {
            let token = list.u8()?;
            if token == END {
                return Ok(out);
            }
            let offset = usize::from(list.u16_be()?);
            let length = usize::from(list.u16_be()?);
            let data = message
                .get(offset..)
                .and_then(|d| d.get(..length))
                .ok_or(DecodeError::malformed("a PRELOGIN option lies outside of the message", offset))?;
            out.option(token, data)?;
        }
        Err(DecodeError::malformed("PRELOGIN has too many options", MAX_OPTIONS))
    }

    fn option(&mut self, token: u8, data: &[u8]) -> Result<()> {
        let mut r = Reader::new(data);
        match token {
            0 => self.version = Some(r.array()?),
            1 => self.encryption = Some(EncryptionOption(r.u8()?)),
            2 => self.instance = Some(data.split(|b| *b == 0).next().unwrap_or_default().to_vec()),
            // Several clients send this option empty.
            3 => self.thread_id = r.u32_be().ok(),
            4 => self.mars = r.u8().ok(),
            5 => self.trace_id = Some(data.to_vec()),
            6 => self.fed_auth_required = r.u8().ok(),
            other => self.unknown.push(other),
        }
        Ok(())
    }

    /// Encodes a whole message. Unknown options are not repeated.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut options: Vec<(u8, Vec<u8>)> = Vec::new();
        let mut add = |token: u8, data: Option<Vec<u8>>| options.extend(data.map(|d| (token, d)));
        add(0, self.version.map(|v| v.to_vec()));
        add(1, self.encryption.map(|e| vec![e.0]));
        add(2, self.instance.as_ref().map(|name| [name.as_slice(), &[0]].concat()));
        add(3, self.thread_id.map(|id| id.to_be_bytes().to_vec()));
        add(4, self.mars.map(|m| vec![m]));
        add(5, self.trace_id.clone());
        add(6, self.fed_auth_required.map(|f| vec![f]));
        let mut offset = options.len() * 5 + 1;
        for (token, data) in &options {
            out.push(*token);
            out.extend_from_slice(&(offset as u16).to_be_bytes());
            out.extend_from_slice(&(data.len() as u16).to_be_bytes());
            offset += data.len();
        }
        out.push(END);
        for (_, data) in &options {
            out.extend_from_slice(data);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The example of MS-TDS 4.1, without packet header.
    const GOLDEN: &[u8] = &[
        0x00, 0x00, 0x1A, 0x00, 0x06, 0x01, 0x00, 0x20, 0x00, 0x01, 0x02, 0x00, 0x21, 0x00, 0x01, 0x03, 0x00,
        0x22, 0x00, 0x04, 0x04, 0x00, 0x26, 0x00, 0x01, 0xFF, 0x09, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00,
        0xB8, 0x0D, 0x00, 0x00, 0x01,
    ];

    #[test]
    fn golden() {
        let p = Prelogin::decode(GOLDEN).unwrap();
        assert_eq!(p.version, Some([9, 0, 0, 0, 0, 0]));
        assert_eq!(p.encryption, Some(EncryptionOption::ON));
        assert_eq!(p.instance.as_deref(), Some(&b""[..]));
        assert_eq!(p.thread_id, Some(0xB80D_0000));
        assert_eq!(p.mars, Some(1));
        let mut out = Vec::new();
        p.encode(&mut out);
        assert_eq!(out, GOLDEN);
    }

    #[test]
    fn an_option_outside_of_the_message() {
        assert!(matches!(Prelogin::decode(&[0, 0xFF, 0, 0, 6, 0xFF]), Err(DecodeError::Malformed { .. })));
        assert_eq!(Prelogin::decode(&[]), Err(DecodeError::NeedMore));
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Prelogin::decode(&bytes);
        }

        #[test]
        fn round_trip(version: Option<[u8; 6]>, encryption: Option<u8>, thread_id: Option<u32>, mars: Option<u8>, fed: Option<u8>) {
            let p = Prelogin {
                version, encryption: encryption.map(EncryptionOption), instance: Some(b"X1".to_vec()), thread_id, mars,
                trace_id: Some(vec![7; 36]), fed_auth_required: fed, unknown: vec![],
            };
            let mut out = Vec::new();
            p.encode(&mut out);
            prop_assert_eq!(Prelogin::decode(&out).unwrap(), p);
        }
    }
}
