//! Entries that follow from each other: each carries a hash over the one before, so that one that was changed or taken out later is found.
//! The journal and the audit log are such chains.

use milink_core::moment::Moment;
use sha2::{Digest as _, Sha256};

/// The hash of an entry: over the one before it, its chain, its place, its time and its text. The first has an empty one before it.
pub(crate) fn hash(before: &[u8], chain: i64, number: i64, at: Moment, body: &str) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(before);
    hash.update(chain.to_be_bytes());
    hash.update(number.to_be_bytes());
    hash.update(at.unix_ms().to_be_bytes());
    hash.update(body.as_bytes());
    hash.finalize().to_vec()
}
