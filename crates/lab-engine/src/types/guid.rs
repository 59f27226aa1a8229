//! uniqueidentifier: the bytes are kept in the order in which SQL Server compares them.

/// For each stored byte, its place in the 16 bytes on the wire (the last six bytes weigh most).
const ORDER: [usize; 16] = [10, 11, 12, 13, 14, 15, 8, 9, 7, 6, 5, 4, 3, 2, 1, 0];

/// Stored bytes of a GUID as TDS carries it.
pub fn guid_from_wire(wire: [u8; 16]) -> Vec<u8> {
    ORDER.iter().map(|at| wire[*at]).collect()
}

/// A GUID as TDS carries it; `None` if the stored bytes are not 16.
pub fn guid_to_wire(stored: &[u8]) -> Option<[u8; 16]> {
    let stored: &[u8; 16] = stored.try_into().ok()?;
    let mut wire = [0; 16];
    for (byte, at) in stored.iter().zip(ORDER) {
        wire[at] = *byte;
    }
    Some(wire)
}

/// The text form, in upper case.
pub(crate) fn guid_text(stored: &[u8]) -> Option<String> {
    let w = guid_to_wire(stored)?;
    let mixed = [w[3], w[2], w[1], w[0], w[5], w[4], w[7], w[6]];
    let mut text = String::with_capacity(36);
    for (n, byte) in mixed.iter().chain(&w[8..]).enumerate() {
        if matches!(n, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02X}"));
    }
    Some(text)
}

/// Stored bytes from text, with or without braces.
pub(crate) fn parse_guid(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_start().strip_prefix('{').unwrap_or(text);
    let head = text.get(..36)?;
    let mut bytes = Vec::with_capacity(16);
    for (n, part) in head.split('-').enumerate() {
        if n > 4 || part.len() != [8, 4, 4, 4, 12][n] {
            return None;
        }
        for at in (0..part.len()).step_by(2) {
            bytes.push(u8::from_str_radix(part.get(at..at + 2)?, 16).ok()?);
        }
    }
    let b: [u8; 16] = bytes.try_into().ok()?;
    let wire = [
        b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15],
    ];
    Some(guid_from_wire(wire))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_agree_and_order_is_sql_servers() {
        let text = "6F9619FF-8B86-D011-B42D-00C04FC964FF";
        let stored = parse_guid(text).unwrap();
        assert_eq!(guid_text(&stored).as_deref(), Some(text));
        assert_eq!(guid_to_wire(&stored).unwrap()[..4], [0xFF, 0x19, 0x96, 0x6F]);
        let low = parse_guid("FFFFFFFF-FFFF-FFFF-FFFF-000000000001").unwrap();
        let high = parse_guid("00000000-0000-0000-0000-000000000002").unwrap();
        assert!(low < high, "the last group weighs most");
    }
}
