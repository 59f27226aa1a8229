//! A request with a hole for the key.

/// How the key stands in the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyForm {
    /// Ten decimal digits of one byte each.
    Ascii,
    /// Ten decimal digits of UTF-16.
    Utf16,
    /// Four bytes, the lowest first.
    LittleEndian,
    /// Four bytes, the highest first.
    BigEndian,
}

/// The digits that a key has in a text: enough for every int, and always the same number, so that the request's length stays.
pub const DIGITS: usize = 10;
/// Where keys begin, so that they have [`DIGITS`] digits without leading zeros.
pub const FIRST_KEY: u32 = 1_000_000_000;

/// A request that is sent many times with different keys.
#[derive(Debug, Clone)]
pub struct Request {
    bytes: Vec<u8>,
    at: usize,
    form: KeyForm,
}

impl Request {
    /// `at`: where in `bytes` the key stands.
    pub(crate) fn new(bytes: Vec<u8>, at: usize, form: KeyForm) -> Request {
        let width = match form {
            KeyForm::Ascii => DIGITS,
            KeyForm::Utf16 => DIGITS * 2,
            KeyForm::LittleEndian | KeyForm::BigEndian => 4,
        };
        assert!(
            at + width <= bytes.len(),
            "the key at {at} lies outside of a request of {} bytes",
            bytes.len()
        );
        Request { bytes, at, form }
    }

    /// The bytes to send for `key`.
    pub fn with_key(&mut self, key: u32) -> &[u8] {
        let hole = &mut self.bytes[self.at..];
        match self.form {
            KeyForm::Ascii => write_digits(hole, 1, key),
            KeyForm::Utf16 => write_digits(hole, 2, key),
            KeyForm::LittleEndian => hole[..4].copy_from_slice(&key.to_le_bytes()),
            KeyForm::BigEndian => hole[..4].copy_from_slice(&key.to_be_bytes()),
        }
        &self.bytes
    }
}

fn write_digits(hole: &mut [u8], width: usize, mut key: u32) {
    for digit in (0..DIGITS).rev() {
        hole[digit * width] = b'0' + (key % 10) as u8;
        key /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_where_they_belong() {
        let mut text = Request::new(b"id=..........;".to_vec(), 3, KeyForm::Ascii);
        assert_eq!(text.with_key(1_234_567_890), b"id=1234567890;");
        assert_eq!(text.with_key(42), b"id=0000000042;");
        let mut wide = Request::new(vec![0; 22], 2, KeyForm::Utf16);
        assert_eq!(wide.with_key(42), b"\0\x000\x000\x000\x000\x000\x000\x000\x000\x004\x002\0");
        assert_eq!(Request::new(vec![9; 5], 1, KeyForm::LittleEndian).with_key(1), [9, 1, 0, 0, 0]);
        assert_eq!(Request::new(vec![9; 5], 1, KeyForm::BigEndian).with_key(1), [9, 0, 0, 0, 1]);
    }
}
