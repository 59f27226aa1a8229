//! Remote procedure calls (2.2.6.6).
//!
//! | field | |
//! |---|---|
//! | ALL_HEADERS | from TDS 7.2, as the message itself |
//! | calls | repeated, with a separator BYTE between: 0xFF (7.1: 0x80) |
//!
//! | call | |
//! |---|---|
//! | procedure | USHORT 0xFFFF and ProcID USHORT, or the name as US_VARCHAR |
//! | OptionFlags | USHORT: 1 recompile, 2 no metadata, 4 reuse metadata |
//! | parameters | repeated: name B_VARCHAR, StatusFlags BYTE (1 by reference, 2 default), TYPE_INFO, value |

use crate::all_headers::AllHeaders;
use crate::read::{DecodeError, Reader, Result, utf16};
use crate::types::{Place, TypeInfo, Value, decode_at};
use crate::version::TdsVersion;

/// What is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Procedure {
    /// One of the well-known procedures, by its raw ProcID.
    Id(u16),
    /// A procedure by name.
    Name(String),
}

/// One parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct RpcParameter {
    /// With its `@`; empty when passed by position.
    pub name: String,
    /// fByRefValue: the caller wants it back.
    pub by_reference: bool,
    /// fDefaultValue: the procedure's default is to be used.
    pub default: bool,
    /// Its type.
    pub ty: TypeInfo,
    /// Its value.
    pub value: Value<'static>,
}

/// One call of a message that may hold several.
#[derive(Debug, Clone, PartialEq)]
pub struct RpcRequest {
    /// The request's headers.
    pub headers: AllHeaders,
    /// What is called.
    pub procedure: Procedure,
    /// fNoMetaData: the client knows the result's columns.
    pub no_metadata: bool,
    /// With what.
    pub parameters: Vec<RpcParameter>,
}

/// SQL Server's limit.
const MAX_PARAMETERS: usize = 2100;

/// The calls of a message, decoded one by one as they are run: drivers send thousands in one message (a row each), so that their
/// number is not bounded, but what is held of them is.
#[derive(Debug)]
pub struct RpcCalls<'a> {
    reader: Reader<'a>,
    headers: AllHeaders,
    version: TdsVersion,
}

impl<'a> RpcCalls<'a> {
    /// Decodes a message's headers.
    ///
    /// # Errors
    /// The headers are malformed, or no call follows them.
    pub fn new(message: &'a [u8], version: TdsVersion) -> Result<RpcCalls<'a>> {
        let mut reader = Reader::new(message);
        let headers = AllHeaders::decode(&mut reader, version)?;
        if reader.is_empty() {
            return Err(DecodeError::NeedMore);
        }
        Ok(RpcCalls { reader, headers, version })
    }

    /// Whether no call follows the last one decoded.
    pub fn is_empty(&self) -> bool {
        self.reader.is_empty()
    }

    /// Decodes the next call; `None` after the last one.
    ///
    /// # Errors
    /// [`DecodeError::UnsupportedType`] and [`DecodeError::TooManyParameters`] leave the session usable, but where the call after
    /// it begins is not known.
    pub fn next_call(&mut self) -> Result<Option<RpcRequest>> {
        if self.reader.is_empty() {
            return Ok(None);
        }
        call(&mut self.reader, self.headers, self.version).map(Some)
    }
}

fn call(r: &mut Reader<'_>, headers: AllHeaders, version: TdsVersion) -> Result<RpcRequest> {
    let procedure = match r.u16()? {
        0xFFFF => Procedure::Id(r.u16()?),
        units => Procedure::Name(utf16(r.take(usize::from(units) * 2)?)?),
    };
    let flags = r.u16()?;
    let mut parameters = Vec::new();
    while let Some(next) = r.peek() {
        if is_separator(next, version) {
            r.u8()?;
            break;
        }
        if parameters.len() >= MAX_PARAMETERS {
            return Err(DecodeError::TooManyParameters);
        }
        parameters.push(parameter(r)?);
    }
    Ok(RpcRequest { headers, procedure, no_metadata: flags & 2 != 0, parameters })
}

/// Names have at most 128 characters, so these bytes cannot be a name's length (in 7.1, where a name of exactly 128 would
/// look like a separator, SQL Server reads a separator too).
fn is_separator(byte: u8, version: TdsVersion) -> bool {
    if version.is_7_2() { matches!(byte, 0xFE | 0xFF) } else { byte == 0x80 }
}

fn parameter(r: &mut Reader<'_>) -> Result<RpcParameter> {
    let units = r.u8()?;
    let name = utf16(r.take(usize::from(units) * 2)?)?;
    let status = r.u8()?;
    let ty = TypeInfo::decode(r)?;
    let value = decode_at(ty, r, Place::Parameter)?.into_owned();
    Ok(RpcParameter { name, by_reference: status & 1 != 0, default: status & 2 != 0, ty, value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode_all(message: &[u8], version: TdsVersion) -> Result<Vec<RpcRequest>> {
        let mut calls = RpcCalls::new(message, version)?;
        // Collecting stops at the first error.
        std::iter::from_fn(|| calls.next_call().transpose()).collect()
    }

    const HEADERS: [u8; 22] = [0x16, 0, 0, 0, 0x12, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0];

    #[test]
    fn golden() {
        // sp_executesql N'x', @p int = 5 by reference; then procedure "p".
        let body = [
            &[0xFF, 0xFF, 10, 0, 0, 0][..],
            &[0, 0, 0xE7, 2, 0, 0, 0, 0, 0, 0, 2, 0, b'x', 0],
            &[2, b'@', 0, b'p', 0, 1, 0x26, 4, 4, 5, 0, 0, 0],
            &[0xFF, 1, 0, b'p', 0, 2, 0],
        ]
        .concat();
        let got = decode_all(&[&HEADERS[..], &body].concat(), TdsVersion::V7_4).unwrap();
        assert_eq!(got.len(), 2);
        assert_eq!(got[0].procedure, Procedure::Id(10));
        assert_eq!(got[0].parameters[0].value, Value::Text("x".into()));
        assert_eq!((got[0].parameters[1].name.as_str(), got[0].parameters[1].by_reference), ("@p", true));
        assert_eq!(got[0].parameters[1].value, Value::Int(5));
        assert_eq!((&got[1].procedure, got[1].no_metadata), (&Procedure::Name("p".into()), true));
    }

    #[test]
    fn what_is_refused() {
        let tvp = [&HEADERS[..], &[0xFF, 0xFF, 10, 0, 0, 0, 0, 0, 0xF3]].concat();
        assert_eq!(decode_all(&tvp, TdsVersion::V7_4), Err(DecodeError::UnsupportedType(0xF3)));
        let many = [&HEADERS[..], &[0xFF, 0xFF, 10, 0, 0, 0], &[0, 0, 0x1F].repeat(2101)].concat();
        assert_eq!(decode_all(&many, TdsVersion::V7_4), Err(DecodeError::TooManyParameters));
        assert!(decode_all(&HEADERS, TdsVersion::V7_4).is_err());
        let row_each = [&HEADERS[..], &[0xFF, 0xFF, 10, 0, 0, 0, 0xFF].repeat(5000)].concat();
        assert_eq!(decode_all(&row_each, TdsVersion::V7_4).map(|calls| calls.len()), Ok(5000));
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let all = [&HEADERS[..], &[0xFF, 0xFF, 10, 0, 0, 0], &bytes].concat();
            drop(decode_all(&all, TdsVersion::V7_4));
            drop(decode_all(&bytes, TdsVersion::V7_1));
        }
    }
}
