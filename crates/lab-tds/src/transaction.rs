//! Transaction-manager requests (2.2.6.9).
//!
//! | field | |
//! |---|---|
//! | ALL_HEADERS | from TDS 7.2, as the message itself |
//! | RequestType | USHORT |
//! | payload | by type |
//!
//! | type | payload |
//! |---|---|
//! | 5 TM_BEGIN_XACT | isolation BYTE, name B_VARBYTE (UTF-16LE) |
//! | 7 TM_COMMIT_XACT, 8 TM_ROLLBACK_XACT | name B_VARBYTE, flags BYTE; if flags & 1: isolation BYTE, name B_VARBYTE |
//! | 9 TM_SAVE_XACT | name B_VARBYTE |
//! | 0 TM_GET_DTC_ADDRESS, 1 TM_PROPAGATE_XACT, 6 TM_PROMOTE_XACT | distributed transactions: not read |

use crate::all_headers::AllHeaders;
use crate::read::{Reader, Result, utf16};
use crate::version::TdsVersion;

/// A transaction to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BeginTransaction {
    /// 0 keeps the level; 1 read uncommitted, 2 read committed, 3 repeatable read, 4 serializable, 5 snapshot. Raw.
    pub isolation: u8,
    /// Its name, possibly empty.
    pub name: String,
}

/// A transaction-manager request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransactionManagerRequest {
    /// TM_BEGIN_XACT.
    Begin(BeginTransaction),
    /// TM_COMMIT_XACT.
    Commit {
        /// The transaction's name, possibly empty.
        name: String,
        /// Begin another one at once.
        then_begin: Option<BeginTransaction>,
    },
    /// TM_ROLLBACK_XACT.
    Rollback {
        /// The transaction's or savepoint's name, possibly empty.
        name: String,
        /// Begin another one at once.
        then_begin: Option<BeginTransaction>,
    },
    /// TM_SAVE_XACT.
    Save {
        /// The savepoint's name.
        name: String,
    },
    /// Any other request, by its raw number; the distributed ones are 0, 1 and 6.
    Other(u16),
}

impl TransactionManagerRequest {
    /// Decodes a whole message.
    pub fn decode(message: &[u8], version: TdsVersion) -> Result<TransactionManagerRequest> {
        let mut r = Reader::new(message);
        AllHeaders::decode(&mut r, version)?;
        Ok(match r.u16()? {
            5 => TransactionManagerRequest::Begin(begin(&mut r)?),
            7 => TransactionManagerRequest::Commit { name: name(&mut r)?, then_begin: then_begin(&mut r)? },
            8 => TransactionManagerRequest::Rollback { name: name(&mut r)?, then_begin: then_begin(&mut r)? },
            9 => TransactionManagerRequest::Save { name: name(&mut r)? },
            other => TransactionManagerRequest::Other(other),
        })
    }
}

fn name(r: &mut Reader<'_>) -> Result<String> {
    utf16(r.b_varbyte()?)
}

fn begin(r: &mut Reader<'_>) -> Result<BeginTransaction> {
    Ok(BeginTransaction { isolation: r.u8()?, name: name(r)? })
}

fn then_begin(r: &mut Reader<'_>) -> Result<Option<BeginTransaction>> {
    if r.u8()? & 1 != 0 { begin(r).map(Some) } else { Ok(None) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(payload: &[u8], expect: TransactionManagerRequest) {
        let headers = [0x16, 0, 0, 0, 0x12, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0];
        let message = [&headers[..], payload].concat();
        assert_eq!(TransactionManagerRequest::decode(&message, TdsVersion::V7_4), Ok(expect));
        for cut in 0..message.len() {
            assert!(TransactionManagerRequest::decode(&message[..cut], TdsVersion::V7_4).is_err(), "{cut}");
        }
    }

    #[test]
    fn golden() {
        use TransactionManagerRequest::*;
        check(&[5, 0, 2, 2, b'x', 0], Begin(BeginTransaction { isolation: 2, name: "x".into() }));
        // python-tds: commit and begin the next one.
        let next = BeginTransaction { isolation: 0, name: String::new() };
        check(&[7, 0, 0, 1, 0, 0], Commit { name: String::new(), then_begin: Some(next) });
        check(&[8, 0, 0, 0], Rollback { name: String::new(), then_begin: None });
        check(&[9, 0, 2, b's', 0], Save { name: "s".into() });
        check(&[6, 0], Other(6));
    }
}
