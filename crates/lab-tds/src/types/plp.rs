//! Partially length-prefixed data, the form of (max) types and xml (2.2.5.2.3).
//!
//! | field | |
//! |---|---|
//! | length | ULONGLONG; FFFFFFFFFFFFFFFF: NULL, FFFFFFFFFFFFFFFE: not known yet |
//! | chunks | repeated: length DWORD, data |
//! | end | DWORD 0 |

use std::borrow::Cow;

use crate::read::{DecodeError, Reader, Result};

const NULL: u64 = u64::MAX;
const UNKNOWN: u64 = u64::MAX - 1;

/// `None` is NULL. What is allocated is bounded by what has arrived, not by what is announced.
pub(super) fn decode<'a>(r: &mut Reader<'a>) -> Result<Option<Cow<'a, [u8]>>> {
    let total = r.u64()?;
    if total == NULL {
        return Ok(None);
    }
    let mut whole: Cow<'a, [u8]> = Cow::Borrowed(&[]);
    loop {
        let length = usize::try_from(r.u32()?).unwrap_or(usize::MAX);
        if length == 0 {
            break;
        }
        let chunk = r.take(length)?;
        if whole.is_empty() {
            whole = Cow::Borrowed(chunk);
        } else {
            whole.to_mut().extend_from_slice(chunk);
        }
    }
    if total != UNKNOWN && total != whole.len() as u64 {
        return Err(DecodeError::malformed("PLP data of another length than announced", total));
    }
    Ok(Some(whole))
}

pub(super) fn encode_null(out: &mut Vec<u8>) {
    out.extend_from_slice(&NULL.to_le_bytes());
}

/// Writes a value whose bytes `body` appends, as one chunk. 4 GiB and more cannot occur: values have at most 2 GiB.
pub(super) fn encode(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0; 12]);
    body(out);
    let length = out.len() - at - 12;
    if length == 0 {
        // A chunk of length 0 would be the end, and the end follows anyway.
        out.truncate(at + 8);
    } else if let Some(head) = out.get_mut(at..at + 12) {
        let (total, chunk) = head.split_at_mut(8);
        total.copy_from_slice(&(length as u64).to_le_bytes());
        chunk.copy_from_slice(&(length as u32).to_le_bytes());
    }
    out.extend_from_slice(&[0; 4]);
}
