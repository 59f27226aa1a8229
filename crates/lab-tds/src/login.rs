//! LOGIN7 (2.2.6.4).
//!
//! | offset | field | |
//! |---|---|---|
//! | 0 | Length | ULONG, of the whole message |
//! | 4 | TDSVersion | ULONG |
//! | 8 | PacketSize | ULONG; 0: the server chooses |
//! | 12 | ClientProgVer | ULONG |
//! | 16 | ClientPID | ULONG |
//! | 20 | ConnectionID | ULONG |
//! | 24 | OptionFlags1, OptionFlags2, TypeFlags, OptionFlags3 | 4 BYTEs |
//! | 28 | ClientTimeZone | LONG, minutes |
//! | 32 | ClientLCID | ULONG |
//! | 36 | HostName, UserName, Password, AppName, ServerName, Extension, CltIntName, Language, Database | offset USHORT, length USHORT each |
//! | 72 | ClientID | 6 bytes |
//! | 78 | SSPI, AtchDBFile | offset, length each |
//! | 86 | ChangePassword | offset, length (from 7.2) |
//! | 90 | SSPILong | ULONG (from 7.2) |
//! | then | data | at the offsets |
//!
//! Lengths of text are in characters, of SSPI and Extension in bytes. Extension holds the offset (ULONG) of FeatureExt: id
//! BYTE, length ULONG, data; ended by 0xFF.

use std::fmt;

use crate::read::{DecodeError, Reader, Result, utf16};

/// A password. It prints as `***`, and [`Password::expose`] is the one way to it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Password(String);

impl Password {
    /// The clear text.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Undoes LOGIN7's disguise: each byte was rotated by four bits and then xored with 0xA5.
    fn decode(bytes: &[u8]) -> Result<Password> {
        let plain: Vec<u8> = bytes.iter().map(|b| (b ^ 0xA5).rotate_left(4)).collect();
        utf16(&plain).map(Password)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A feature extension as the client sent it.
#[derive(Clone, PartialEq, Eq)]
pub struct Feature {
    /// The raw id; see the constants.
    pub id: u8,
    /// Its data, unread.
    pub data: Vec<u8>,
}

impl fmt::Debug for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The data of FEDAUTH is a credential.
        write!(f, "Feature(0x{:02X}, {} bytes)", self.id, self.data.len())
    }
}

impl Feature {
    /// SESSIONRECOVERY.
    pub const SESSION_RECOVERY: u8 = 0x01;
    /// FEDAUTH.
    pub const FED_AUTH: u8 = 0x02;
    /// COLUMNENCRYPTION.
    pub const COLUMN_ENCRYPTION: u8 = 0x04;
    /// DATACLASSIFICATION.
    pub const DATA_CLASSIFICATION: u8 = 0x09;
    /// UTF8_SUPPORT.
    pub const UTF8_SUPPORT: u8 = 0x0A;
    /// AZURESQLDNSCACHING.
    pub const DNS_CACHING: u8 = 0x0B;
    /// JSONSUPPORT.
    pub const JSON: u8 = 0x0D;
    /// VECTORSUPPORT.
    pub const VECTOR: u8 = 0x0E;
    /// USERAGENT.
    pub const USER_AGENT: u8 = 0x10;
}

/// FEDAUTH's data, when it carries the token itself (library SecurityToken).
#[derive(Clone, PartialEq, Eq)]
pub struct FederatedAuth {
    /// bFedAuthLibrary: 1 security token, 2 ADAL; raw.
    pub library: u8,
    /// fFedAuthEcho.
    pub echo: bool,
    /// The token, as it came; empty if it follows in a later message.
    pub token: Vec<u8>,
}

impl fmt::Debug for FederatedAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FederatedAuth(library {}, ***)", self.library)
    }
}

/// A login request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Login7 {
    /// The raw version asked for; see [`crate::TdsVersion::negotiate`].
    pub tds_version: u32,
    /// The packet size asked for in bytes, 0 if the server may choose.
    pub packet_size: u32,
    /// The client program's version.
    pub client_version: u32,
    /// The client's process id.
    pub client_pid: u32,
    /// OptionFlags1, raw.
    pub option_flags1: u8,
    /// OptionFlags2, raw.
    pub option_flags2: u8,
    /// TypeFlags, raw.
    pub type_flags: u8,
    /// OptionFlags3, raw.
    pub option_flags3: u8,
    /// Minutes from UTC.
    pub time_zone: i32,
    /// The client's locale.
    pub lcid: u32,
    /// The client's host.
    pub host_name: String,
    /// The login.
    pub user_name: String,
    /// Its password.
    pub password: Password,
    /// The application.
    pub app_name: String,
    /// The server as the client calls it.
    pub server_name: String,
    /// The client library.
    pub library_name: String,
    /// The language of messages; empty for the login's default.
    pub language: String,
    /// The database; empty for the login's default.
    pub database: String,
    /// A database file to attach.
    pub attach_db_file: String,
    /// The new password, if the client changes it.
    pub change_password: Option<Password>,
    /// SSPI data of integrated security.
    pub sspi: Vec<u8>,
    /// Feature extensions, in order.
    pub features: Vec<Feature>,
}

/// The longest fixed part; clients of TDS 7.1 send 8 bytes less.
const FIXED: usize = 94;
/// More feature extensions than there are.
const MAX_FEATURES: usize = 64;

impl Login7 {
    /// Decodes a whole message.
    pub fn decode(message: &[u8]) -> Result<Login7> {
        let mut r = Reader::new(message);
        let length = r.u32()?;
        if usize::try_from(length).ok().is_none_or(|l| l > message.len()) {
            return Err(DecodeError::malformed("LOGIN7 is shorter than it says", length));
        }
        let mut out = Login7 {
            tds_version: r.u32()?,
            packet_size: r.u32()?,
            client_version: r.u32()?,
            client_pid: r.u32()?,
            ..Login7::default()
        };
        let _connection_id = r.u32()?;
        [out.option_flags1, out.option_flags2, out.type_flags, out.option_flags3] = r.array()?;
        out.time_zone = r.i32()?;
        out.lcid = r.u32()?;
        out.host_name = text(message, &mut r)?;
        out.user_name = text(message, &mut r)?;
        out.password = Password::decode(chars(message, &mut r)?)?;
        out.app_name = text(message, &mut r)?;
        out.server_name = text(message, &mut r)?;
        let extension = bytes(message, &mut r, 1)?;
        out.library_name = text(message, &mut r)?;
        out.language = text(message, &mut r)?;
        out.database = text(message, &mut r)?;
        let _client_id: [u8; 6] = r.array()?;
        out.sspi = bytes(message, &mut r, 1)?.to_vec();
        out.attach_db_file = text(message, &mut r)?;
        // The first field to point somewhere tells where the fixed part ends.
        let host_offset = Reader::new(message.get(36..).unwrap_or_default()).u16()?;
        if out.tds_version >= 0x7200_0000 && usize::from(host_offset) >= FIXED {
            let new = chars(message, &mut r)?;
            if out.option_flags3 & 0x01 != 0 {
                out.change_password = Some(Password::decode(new)?);
            }
        }
        if out.option_flags3 & 0x10 != 0 {
            out.features = features(message, extension)?;
        }
        Ok(out)
    }

    /// ApplicationIntent=ReadOnly.
    pub fn read_only_intent(&self) -> bool {
        self.type_flags & 0x20 != 0
    }

    /// fIntSecurity: the client wants Windows authentication.
    pub fn integrated_security(&self) -> bool {
        self.option_flags2 & 0x80 != 0
    }

    /// fODBC: the session starts with the ANSI options on.
    pub fn odbc(&self) -> bool {
        self.option_flags2 & 0x02 != 0
    }

    /// The feature extension with that id.
    pub fn feature(&self, id: u8) -> Option<&Feature> {
        self.features.iter().find(|f| f.id == id)
    }

    /// The federated authentication that the client offers.
    pub fn federated_auth(&self) -> Result<Option<FederatedAuth>> {
        let Some(feature) = self.feature(Feature::FED_AUTH) else { return Ok(None) };
        let mut r = Reader::new(&feature.data);
        let options = r.u8()?;
        let library = options >> 1;
        let token = if library == 1 {
            let length = usize::try_from(r.u32()?).unwrap_or(usize::MAX);
            r.take(length)?.to_vec()
        } else {
            Vec::new()
        };
        Ok(Some(FederatedAuth { library, echo: options & 1 != 0, token }))
    }
}

fn bytes<'a>(message: &'a [u8], r: &mut Reader<'_>, width: usize) -> Result<&'a [u8]> {
    let offset = usize::from(r.u16()?);
    let length = usize::from(r.u16()?) * width;
    if length == 0 {
        return Ok(&[]);
    }
    message
        .get(offset..)
        .and_then(|d| d.get(..length))
        .ok_or(DecodeError::malformed("a LOGIN7 field lies outside of the message", offset))
}

fn chars<'a>(message: &'a [u8], r: &mut Reader<'_>) -> Result<&'a [u8]> {
    bytes(message, r, 2)
}

fn text(message: &[u8], r: &mut Reader<'_>) -> Result<String> {
    utf16(chars(message, r)?)
}

fn features(message: &[u8], extension: &[u8]) -> Result<Vec<Feature>> {
    let at = Reader::new(extension).u32()?;
    let list = usize::try_from(at)
        .ok()
        .and_then(|at| message.get(at..))
        .ok_or(DecodeError::malformed("FeatureExt lies outside of the message", at))?;
    let mut r = Reader::new(list);
    let mut out = Vec::new();
    loop {
        let id = r.u8()?;
        if id == 0xFF {
            return Ok(out);
        }
        if out.len() == MAX_FEATURES {
            return Err(DecodeError::malformed("LOGIN7 has too many feature extensions", id));
        }
        let length = usize::try_from(r.u32()?).unwrap_or(usize::MAX);
        out.push(Feature { id, data: r.take(length)?.to_vec() });
    }
}

#[cfg(test)]
mod tests;
