//! ALL_HEADERS, before requests from TDS 7.2 on (2.2.5.3).
//!
//! | field | |
//! |---|---|
//! | TotalLength | DWORD, itself included |
//! | headers | repeated: length DWORD (itself included), type USHORT, data |
//!
//! | type | header | data |
//! |---|---|---|
//! | 1 | query notifications | not read |
//! | 2 | transaction descriptor | ULONGLONG descriptor, DWORD outstanding requests |
//! | 3 | trace activity | not read |

use crate::read::{DecodeError, Reader, Result};
use crate::version::TdsVersion;

/// What the headers of a request say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AllHeaders {
    /// The transaction that the request belongs to, 0 for none.
    pub transaction: u64,
}

impl AllHeaders {
    /// Decodes the headers and moves past them. Before 7.2 there are none.
    pub(crate) fn decode(r: &mut Reader<'_>, version: TdsVersion) -> Result<AllHeaders> {
        let mut out = AllHeaders::default();
        if !version.is_7_2() {
            return Ok(out);
        }
        let total = r.u32()?;
        let body = usize::try_from(total).ok().and_then(|t| t.checked_sub(4));
        let body = body.ok_or(DecodeError::malformed("ALL_HEADERS is too short", total))?;
        let mut list = Reader::new(r.take(body)?);
        while !list.is_empty() {
            let length = list.u32()?;
            let data = usize::try_from(length).ok().and_then(|l| l.checked_sub(6));
            let data = data.ok_or(DecodeError::malformed("a header of ALL_HEADERS is too short", length))?;
            let kind = list.u16()?;
            let mut data = Reader::new(list.take(data)?);
            if kind == 2 {
                out.transaction = data.u64()?;
            }
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden() {
        let bytes = [0x16, 0, 0, 0, 0x12, 0, 0, 0, 2, 0, 7, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0xAA];
        let mut r = Reader::new(&bytes);
        assert_eq!(AllHeaders::decode(&mut r, TdsVersion::V7_2), Ok(AllHeaders { transaction: 7 }));
        assert_eq!(r.rest(), [0xAA]);
        let mut old = Reader::new(&bytes);
        assert!(AllHeaders::decode(&mut old, TdsVersion::V7_1).is_ok());
        assert_eq!(old.remaining(), bytes.len());
        assert!(AllHeaders::decode(&mut Reader::new(&[3, 0, 0, 0]), TdsVersion::V7_4).is_err());
    }
}
