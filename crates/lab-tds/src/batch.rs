//! SQLBatch (2.2.6.7).
//!
//! | field | |
//! |---|---|
//! | ALL_HEADERS | from TDS 7.2 |
//! | SQLText | UTF-16LE to the end of the message |

use crate::all_headers::AllHeaders;
use crate::read::{Reader, Result, utf16};
use crate::version::TdsVersion;

/// A batch of T-SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlBatch {
    /// The request's headers.
    pub headers: AllHeaders,
    /// The text.
    pub text: String,
}

impl SqlBatch {
    /// Decodes a whole message.
    pub fn decode(message: &[u8], version: TdsVersion) -> Result<SqlBatch> {
        let mut r = Reader::new(message);
        let headers = AllHeaders::decode(&mut r, version)?;
        Ok(SqlBatch { headers, text: utf16(r.rest())? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden() {
        let wide = b"s\0e\0l\0";
        assert_eq!(SqlBatch::decode(wide, TdsVersion::V7_1).unwrap().text, "sel");
        let with =
            [&[0x16, 0, 0, 0, 0x12, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0][..], wide].concat();
        assert_eq!(SqlBatch::decode(&with, TdsVersion::V7_4).unwrap().text, "sel");
        assert!(SqlBatch::decode(b"x", TdsVersion::V7_1).is_err());
    }
}
