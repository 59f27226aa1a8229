//! Randomness: ids and secrets.

use crate::validate::to_hex;

/// There is no randomness to be had: nothing may go on as if there were.
#[derive(Debug)]
pub(crate) struct NoRandomness;

pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut out = [0; N];
    getrandom::fill(&mut out).map_err(|_| NoRandomness)?;
    Ok(out)
}

/// A random GUID, in lower case.
pub(crate) fn guid() -> Result<String, NoRandomness> {
    let mut id: [u8; 16] = bytes()?;
    // Version 4, variant 1 (RFC 9562).
    id[6] = id[6] & 0x0f | 0x40;
    id[8] = id[8] & 0x3f | 0x80;
    let hex = to_hex(&id).to_lowercase();
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| hex.get(range).unwrap_or_default());
    Ok(parts.join("-"))
}
