//! A request with holes for its keys.

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
    /// Where the keys stand.
    holes: Vec<usize>,
    form: KeyForm,
}

impl Request {
    /// `holes`: where in `bytes` the keys stand.
    pub(crate) fn new(bytes: Vec<u8>, holes: Vec<usize>, form: KeyForm) -> Request {
        let width = match form {
            KeyForm::Ascii => DIGITS,
            KeyForm::Utf16 => DIGITS * 2,
            KeyForm::LittleEndian | KeyForm::BigEndian => 4,
        };
        for at in &holes {
            assert!(
                at + width <= bytes.len(),
                "the key at {at} lies outside of a request of {} bytes",
                bytes.len()
            );
        }
        Request { bytes, holes, form }
    }

    /// The bytes to send for one key, which stands in every hole.
    pub fn with_key(&mut self, key: u32) -> &[u8] {
        for at in &self.holes {
            write(&mut self.bytes[*at..], self.form, key);
        }
        &self.bytes
    }

    /// The bytes to send for a key for each hole.
    pub fn with_keys(&mut self, keys: &[u32]) -> &[u8] {
        assert_eq!(keys.len(), self.holes.len(), "as many keys as holes");
        for (at, key) in self.holes.iter().zip(keys) {
            write(&mut self.bytes[*at..], self.form, *key);
        }
        &self.bytes
    }
}

/// Where keys stand between texts, if a text has `length` and a key `width`.
pub(crate) fn holes(texts: &[&str], length: impl Fn(&str) -> usize, width: usize) -> Vec<usize> {
    let mut holes = Vec::new();
    let mut at = 0;
    for text in texts.iter().take(texts.len().saturating_sub(1)) {
        at += length(text);
        holes.push(at);
        at += width;
    }
    holes
}

fn write(hole: &mut [u8], form: KeyForm, key: u32) {
    match form {
        KeyForm::Ascii => write_digits(hole, 1, key),
        KeyForm::Utf16 => write_digits(hole, 2, key),
        KeyForm::LittleEndian => hole[..4].copy_from_slice(&key.to_le_bytes()),
        KeyForm::BigEndian => hole[..4].copy_from_slice(&key.to_be_bytes()),
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
        let mut text = Request::new(b"id=..........;".to_vec(), vec![3], KeyForm::Ascii);
        assert_eq!(text.with_key(1_234_567_890), b"id=1234567890;");
        assert_eq!(text.with_key(42), b"id=0000000042;");
        let mut wide = Request::new(vec![0; 22], vec![2], KeyForm::Utf16);
        assert_eq!(wide.with_key(42), b"\0\x000\x000\x000\x000\x000\x000\x000\x000\x004\x002\0");
        let mut two = Request::new(b"..........=..........".to_vec(), vec![0, 11], KeyForm::Ascii);
        assert_eq!(two.with_keys(&[1_000_000_000, 7]), b"1000000000=0000000007");
        assert_eq!(Request::new(vec![9; 5], vec![1], KeyForm::LittleEndian).with_key(1), [9, 1, 0, 0, 0]);
        assert_eq!(Request::new(vec![9; 5], vec![1], KeyForm::BigEndian).with_key(1), [9, 0, 0, 0, 1]);
    }
}
