//! The protocol's versions and what differs between them.

/// A TDS version that is served. Ordered: a later one can do what the earlier ones can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names are the versions")]
pub enum TdsVersion {
    V7_1,
    V7_2,
    V7_3A,
    V7_3B,
    V7_4,
    V8_0,
}

impl TdsVersion {
    /// The version that a client which asks for `raw` (LOGIN7's TDSVersion, 2.2.6.4) is served with; `None` for those
    /// before 7.1, whose text has no collations.
    pub fn negotiate(raw: u32) -> Option<TdsVersion> {
        Some(match raw >> 24 {
            0x08 => TdsVersion::V8_0,
            0x71 => TdsVersion::V7_1,
            0x72 => TdsVersion::V7_2,
            0x73 if raw >= 0x730B_0003 => TdsVersion::V7_3B,
            0x73 => TdsVersion::V7_3A,
            0x74..=0x7F => TdsVersion::V7_4,
            0x07 if raw == 0x0701_0000 => TdsVersion::V7_1,
            _ => return None,
        })
    }

    /// What LOGINACK says, most significant byte first (2.2.7.14).
    pub const fn login_ack(self) -> u32 {
        match self {
            TdsVersion::V7_1 => 0x7100_0001,
            TdsVersion::V7_2 => 0x7209_0002,
            TdsVersion::V7_3A => 0x730A_0003,
            TdsVersion::V7_3B => 0x730B_0003,
            TdsVersion::V7_4 => 0x7400_0004,
            TdsVersion::V8_0 => 0x0800_0000,
        }
    }

    /// From 7.2: 64-bit row counts, 32-bit user types and line numbers, ALL_HEADERS, (max) types, transaction ENVCHANGEs.
    pub fn is_7_2(self) -> bool {
        self >= TdsVersion::V7_2
    }

    /// From 7.3: date, time, datetime2, datetimeoffset.
    pub fn has_date_types(self) -> bool {
        self >= TdsVersion::V7_3A
    }

    /// From 7.3B: rows with a bitmap of NULLs.
    pub fn has_nbc_rows(self) -> bool {
        self >= TdsVersion::V7_3B
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_clients_ask_for() {
        let check = |raw, expect| assert_eq!(TdsVersion::negotiate(raw), expect, "{raw:x}");
        check(0x7000_0000, None);
        check(0x7100_0001, Some(TdsVersion::V7_1));
        check(0x730A_0003, Some(TdsVersion::V7_3A));
        check(0x730B_0003, Some(TdsVersion::V7_3B));
        check(0x7400_0004, Some(TdsVersion::V7_4));
        check(0x7500_0000, Some(TdsVersion::V7_4));
        check(0x0800_0000, Some(TdsVersion::V8_0));
        check(0, None);
    }
}
