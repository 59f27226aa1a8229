//! Windows-1252, the code page of varchar in every collation here that is not UTF-8.

/// What 0x80 to 0x9F stand for; the five unassigned ones map to themselves, as Windows does.
const HIGH: [char; 32] = [
    '\u{20AC}', '\u{81}', '\u{201A}', '\u{192}', '\u{201E}', '\u{2026}', '\u{2020}', '\u{2021}', '\u{2C6}',
    '\u{2030}', '\u{160}', '\u{2039}', '\u{152}', '\u{8D}', '\u{17D}', '\u{8F}', '\u{90}', '\u{2018}',
    '\u{2019}', '\u{201C}', '\u{201D}', '\u{2022}', '\u{2013}', '\u{2014}', '\u{2DC}', '\u{2122}', '\u{161}',
    '\u{203A}', '\u{153}', '\u{9D}', '\u{17E}', '\u{178}',
];

/// Decodes bytes of the code page; every byte has a meaning.
pub(crate) fn decode(bytes: &[u8]) -> String {
    if let Ok(ascii) = std::str::from_utf8(bytes)
        && ascii.is_ascii()
    {
        return ascii.to_owned();
    }
    bytes
        .iter()
        .map(|b| match b {
            0x80..=0x9F => HIGH.get(usize::from(b - 0x80)).copied().unwrap_or('?'),
            _ => char::from(*b),
        })
        .collect()
}

/// Appends text in the code page, `?` for what it has not; at most `max` bytes.
pub(crate) fn encode(out: &mut Vec<u8>, text: &str, max: usize) {
    if text.is_ascii() {
        let bytes = text.as_bytes();
        out.extend_from_slice(bytes.get(..max).unwrap_or(bytes));
        return;
    }
    out.extend(text.chars().take(max).map(|c| match u32::from(c) {
        code @ (0..=0x7F | 0xA0..=0xFF) => code as u8,
        _ => HIGH.iter().position(|h| *h == c).map_or(b'?', |at| at as u8 + 0x80),
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_round_trips() {
        let all: Vec<u8> = (0..=255).collect();
        let mut out = Vec::new();
        encode(&mut out, &decode(&all), 256);
        assert_eq!(out, all);
    }

    #[test]
    fn what_is_not_in_the_page() {
        let mut out = Vec::new();
        encode(&mut out, "€5 Ω", 10);
        assert_eq!(out, b"\x805 ?");
    }
}
