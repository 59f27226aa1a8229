//! COLLATION, five bytes (2.2.5.1.2): LCID in 20 bits, flags in 8, version in 4, then the sort id.

use crate::code_page;
use crate::read::{Reader, Result};

/// A collation as it travels: raw, since clients echo what they were told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Collation(pub [u8; 5]);

impl Default for Collation {
    /// SQL_Latin1_General_CP1_CI_AS: jTDS gives up at a collation of zeros.
    fn default() -> Collation {
        Collation([0x09, 0x04, 0xD0, 0x00, 0x34])
    }
}

impl Collation {
    /// fUTF8: varchar is UTF-8.
    pub fn is_utf8(self) -> bool {
        let [_, _, _, flags, _] = self.0;
        flags & 0x04 != 0
    }

    pub(crate) fn decode(r: &mut Reader<'_>) -> Result<Collation> {
        r.array().map(Collation)
    }

    /// varchar bytes to text. Bytes that are no UTF-8 become U+FFFD.
    pub(crate) fn text(self, bytes: &[u8]) -> String {
        if self.is_utf8() { String::from_utf8_lossy(bytes).into_owned() } else { code_page::decode(bytes) }
    }

    /// Appends text as varchar, at most `max` bytes.
    pub(crate) fn bytes(self, out: &mut Vec<u8>, text: &str, max: usize) {
        if self.is_utf8() {
            let end = text.floor_char_boundary(max);
            out.extend_from_slice(text.as_bytes().get(..end).unwrap_or_default());
        } else {
            code_page::encode(out, text, max);
        }
    }
}
