//! Checked reading of wire bytes: nothing here can panic or run past the end.

use std::fmt;

/// Why bytes could not be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// The bytes end in the middle of a value. In a complete message that is as bad as [`DecodeError::Malformed`]; in a
    /// stream it means: come back with more.
    NeedMore,
    /// The bytes are not TDS; the session is to be closed. `value` is the offending raw number.
    Malformed {
        /// Which rule was broken.
        what: &'static str,
        /// The raw number found.
        value: u64,
    },
    /// A data type that is not served here (table-valued parameters, CLR types); the request fails, the session goes on.
    UnsupportedType(u8),
    /// A remote procedure call with more than 2100 parameters (error 8003); the session goes on.
    TooManyParameters,
}

impl DecodeError {
    pub(crate) fn malformed(what: &'static str, value: impl TryInto<u64>) -> DecodeError {
        DecodeError::Malformed { what, value: value.try_into().unwrap_or(u64::MAX) }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::NeedMore => f.write_str("the message ends too early"),
            DecodeError::Malformed { what, value } => write!(f, "{what} (0x{value:x})"),
            DecodeError::UnsupportedType(ty) => write!(f, "data type 0x{ty:02X} is not supported"),
            DecodeError::TooManyParameters => f.write_str("more than 2100 parameters"),
        }
    }
}

impl std::error::Error for DecodeError {}

pub(crate) type Result<T> = std::result::Result<T, DecodeError>;

/// A cursor over received bytes. A failed read leaves it where it was.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(len).ok_or(DecodeError::NeedMore)?;
        self.rest = tail;
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, tail) = self.rest.split_first_chunk::<N>().ok_or(DecodeError::NeedMore)?;
        self.rest = tail;
        Ok(*head)
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        self.array::<1>().map(|[b]| b)
    }

    pub(crate) fn u16(&mut self) -> Result<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u16_be(&mut self) -> Result<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn i16(&mut self) -> Result<i16> {
        self.array().map(i16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u32_be(&mut self) -> Result<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> Result<i32> {
        self.array().map(i32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// B_VARCHAR: a byte count of characters, then UTF-16LE (2.2.5.2.1).
    pub(crate) fn b_varchar(&mut self) -> Result<String> {
        let mut ahead = self.clone();
        let chars = usize::from(ahead.u8()?);
        let text = utf16(ahead.take(chars * 2)?)?;
        *self = ahead;
        Ok(text)
    }

    /// US_VARCHAR: a 16-bit count of characters, then UTF-16LE.
    pub(crate) fn us_varchar(&mut self) -> Result<String> {
        let mut ahead = self.clone();
        let chars = usize::from(ahead.u16()?);
        let text = utf16(ahead.take(chars * 2)?)?;
        *self = ahead;
        Ok(text)
    }

    /// B_VARBYTE: a byte count, then bytes.
    pub(crate) fn b_varbyte(&mut self) -> Result<&'a [u8]> {
        let mut ahead = self.clone();
        let len = usize::from(ahead.u8()?);
        let bytes = ahead.take(len)?;
        *self = ahead;
        Ok(bytes)
    }
}

/// UTF-16LE to a string. SQL Server keeps lone surrogates; here they become U+FFFD, since text is kept as UTF-8.
pub(crate) fn utf16(bytes: &[u8]) -> Result<String> {
    let (pairs, odd) = bytes.as_chunks::<2>();
    if !odd.is_empty() {
        return Err(DecodeError::malformed("UTF-16 text of an odd number of bytes", bytes.len()));
    }
    if pairs.iter().all(|[low, high]| *high == 0 && *low < 0x80) {
        return Ok(pairs.iter().map(|[low, _]| char::from(*low)).collect());
    }
    let units = pairs.iter().map(|pair| u16::from_le_bytes(*pair));
    Ok(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_read_leaves_the_cursor() {
        let mut r = Reader::new(&[2, b'a', 0, b'b']);
        assert_eq!(r.b_varchar(), Err(DecodeError::NeedMore));
        assert_eq!(r.remaining(), 4);
        assert_eq!(r.u32_be(), Ok(0x0261_0062));
        assert_eq!(r.u8(), Err(DecodeError::NeedMore));
    }

    #[test]
    fn utf16_beyond_ascii() {
        assert_eq!(utf16(&[0x3D, 0xD8, 0x00, 0xDE]).unwrap(), "\u{1F600}");
        assert_eq!(utf16(&[0x3D, 0xD8]).unwrap(), "\u{FFFD}");
        assert!(utf16(&[0x3D]).is_err());
    }
}
