//! Words that nobody can guess.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// 256 bits from the system, as text for addresses and cookies.
pub(super) fn token() -> String {
    URL_SAFE_NO_PAD.encode(bytes::<32>())
}

/// Bytes from the system.
pub(super) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // Without randomness nothing here is safe, and there is nothing to fall back to.
    getrandom::fill(&mut bytes).expect("the system has no random bytes");
    bytes
}
