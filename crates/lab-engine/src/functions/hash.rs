//! MD5 and SHA-1 for HASHBYTES: applications keep them as keys of rows, nobody here trusts them with a secret.

/// MD5 (RFC 1321).
pub(super) fn md5(data: &[u8]) -> Vec<u8> {
    const SHIFTS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];
    // The table of the RFC: the integer part of 2^32 times the sine.
    let table: Vec<u32> = (1..=64).map(|i| (f64::from(i).sin().abs() * 4_294_967_296.0) as u32).collect();
    let mut state: [u32; 4] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476];
    for block in padded(data, u64::to_le_bytes).chunks_exact(64) {
        let words = words(block, u32::from_le_bytes);
        let [mut a, mut b, mut c, mut d] = state;
        for (i, k) in table.iter().enumerate() {
            let (f, g) = match i / 16 {
                0 => ((b & c) | (!b & d), i),
                1 => ((d & b) | (!d & c), 5 * i + 1),
                2 => (b ^ c ^ d, 3 * i + 5),
                _ => (c ^ (b | !d), 7 * i),
            };
            let sum = a.wrapping_add(f).wrapping_add(*k).wrapping_add(words[g % 16]);
            (a, d, c, b) = (d, c, b, b.wrapping_add(sum.rotate_left(SHIFTS[i / 16][i % 4])));
        }
        for (slot, value) in state.iter_mut().zip([a, b, c, d]) {
            *slot = slot.wrapping_add(value);
        }
    }
    state.iter().flat_map(|w| w.to_le_bytes()).collect()
}

/// SHA-1 (RFC 3174).
pub(super) fn sha1(data: &[u8]) -> Vec<u8> {
    let mut state: [u32; 5] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0];
    for block in padded(data, u64::to_be_bytes).chunks_exact(64) {
        let mut w = words(block, u32::from_be_bytes).to_vec();
        for i in 16..80 {
            w.push((w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16]).rotate_left(1));
        }
        let [mut a, mut b, mut c, mut d, mut e] = state;
        for (i, word) in w.iter().enumerate() {
            let (f, k) = match i / 20 {
                0 => ((b & c) | (!b & d), 0x5A82_7999),
                1 => (b ^ c ^ d, 0x6ED9_EBA1),
                2 => ((b & c) | (b & d) | (c & d), 0x8F1B_BCDC),
                _ => (b ^ c ^ d, 0xCA62_C1D6_u32),
            };
            let sum = a.rotate_left(5).wrapping_add(f).wrapping_add(e).wrapping_add(k).wrapping_add(*word);
            (e, d, c, b, a) = (d, c, b.rotate_left(30), a, sum);
        }
        for (slot, value) in state.iter_mut().zip([a, b, c, d, e]) {
            *slot = slot.wrapping_add(value);
        }
    }
    state.iter().flat_map(|w| w.to_be_bytes()).collect()
}

/// The data with a one bit, zeros, and its length in bits behind it: whole blocks of 64 bytes.
fn padded(data: &[u8], length: fn(u64) -> [u8; 8]) -> Vec<u8> {
    let mut out = data.to_vec();
    out.push(0x80);
    while out.len() % 64 != 56 {
        out.push(0);
    }
    out.extend(length(data.len() as u64 * 8));
    out
}

fn words(block: &[u8], read: fn([u8; 4]) -> u32) -> [u32; 16] {
    let mut out = [0; 16];
    for (slot, bytes) in out.iter_mut().zip(block.chunks_exact(4)) {
        *slot = bytes.try_into().map_or(0, read);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::hex_upper;

    #[test]
    fn digests_are_those_of_the_documents() {
        assert_eq!(hex_upper(&md5(b"")), "D41D8CD98F00B204E9800998ECF8427E");
        assert_eq!(hex_upper(&md5(b"message digest")), "F96B697D7CB7938D525A2F31AAF161D0");
        assert_eq!(
            hex_upper(&md5(&b"1234567890".repeat(8))),
            "57EDF4A22BE3C955AC49DA2E2107B67A",
            "more than one block"
        );
        assert_eq!(hex_upper(&sha1(b"abc")), "A9993E364706816ABA3E25717850C26C9CD0D89D");
        assert_eq!(
            hex_upper(&sha1(b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "84983E441C3BD26EBAAE4AA1F95129E5E54670F1"
        );
    }
}
