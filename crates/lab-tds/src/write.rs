//! Writing of wire bytes into a growing buffer. Nothing here can fail: what does not fit its length field is cut.

/// Appends text as UTF-16LE, at most `max` units; returns how many units it was.
pub(crate) fn utf16(out: &mut Vec<u8>, text: &str, max: usize) -> usize {
    if text.is_ascii() {
        let count = text.len().min(max);
        out.reserve(count * 2);
        out.extend(text.bytes().take(count).flat_map(|b| [b, 0]));
        return count;
    }
    let before = out.len();
    out.reserve(text.len().min(max) * 2);
    let mut count = 0;
    for c in text.chars() {
        if count + c.len_utf16() > max {
            break;
        }
        count += c.len_utf16();
        let mut units = [0; 2];
        for unit in c.encode_utf16(&mut units) {
            out.extend_from_slice(&unit.to_le_bytes());
        }
    }
    debug_assert_eq!(out.len() - before, count * 2, "two bytes a unit");
    count
}

/// B_VARCHAR (2.2.5.2.1): at most 255 UTF-16 units.
pub(crate) fn b_varchar(out: &mut Vec<u8>, text: &str) {
    let at = out.len();
    out.push(0);
    let count = utf16(out, text, 255);
    if let Some(length) = out.get_mut(at) {
        *length = count as u8;
    }
}

/// US_VARCHAR: at most 65535 UTF-16 units.
pub(crate) fn us_varchar(out: &mut Vec<u8>, text: &str, max: usize) {
    let at = reserve_u16(out);
    let count = utf16(out, text, max.min(usize::from(u16::MAX)));
    patch_u16(out, at, count as u16);
}

/// A 16-bit count of bytes, then at most `max` UTF-16 units.
pub(crate) fn us_varchar_bytes(out: &mut Vec<u8>, text: &str, max: usize) {
    let at = reserve_u16(out);
    let count = utf16(out, text, max.min(usize::from(u16::MAX) / 2 - 1));
    patch_u16(out, at, (count * 2) as u16);
}

/// B_VARBYTE: at most 255 bytes.
pub(crate) fn b_varbyte(out: &mut Vec<u8>, bytes: &[u8]) {
    let bytes = bytes.get(..255).unwrap_or(bytes);
    out.push(bytes.len() as u8);
    out.extend_from_slice(bytes);
}

/// Leaves room for a 16-bit length that is known later.
pub(crate) fn reserve_u16(out: &mut Vec<u8>) -> usize {
    let at = out.len();
    out.extend_from_slice(&[0; 2]);
    at
}

/// Fills in what [`reserve_u16`] left.
pub(crate) fn patch_u16(out: &mut [u8], at: usize, value: u16) {
    if let Some(slot) = out.get_mut(at..at + 2) {
        slot.copy_from_slice(&value.to_le_bytes());
    }
}

/// Leaves room for a 32-bit length that is known later.
pub(crate) fn reserve_u32(out: &mut Vec<u8>) -> usize {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    at
}

/// Fills in what [`reserve_u32`] left.
pub(crate) fn patch_u32(out: &mut [u8], at: usize, value: u32) {
    if let Some(slot) = out.get_mut(at..at + 4) {
        slot.copy_from_slice(&value.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_surrogate_pair_is_not_cut_in_two() {
        let mut out = Vec::new();
        assert_eq!(utf16(&mut out, "é\u{1F600}", 2), 1);
        assert_eq!(out, [0xE9, 0]);
    }
}
