//! Whatever lies on disk where the log should be: a record is read whole or not at all, and what is read is what was
//! written.
#![no_main]

use lab_store::{ParsedRecord, read_record};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let ParsedRecord::Record(record, len) = read_record(input) {
        assert!(len <= input.len(), "a record longer than what it was read from");
        assert_eq!(record.encode(), input[..len], "a record that is written differently from how it was read");
    }
    // The checksum shuts nearly everything out: with a right one in place, what lies behind it is exercised, too.
    let mut repaired = input.to_vec();
    if repaired.len() >= 12 {
        let len = (repaired.len() / 8) * 8;
        repaired.truncate(len);
        repaired[..4].copy_from_slice(b"MLR2");
        repaired[4..8].copy_from_slice(&(len as u32).to_le_bytes());
        if len >= 12 {
            let crc = crc32c::crc32c(&repaired[12..]);
            repaired[8..12].copy_from_slice(&crc.to_le_bytes());
            drop(read_record(&repaired));
        }
    }
});
