//! Log sequence numbers.

/// A position in a database's log: the number of bytes that lie before it since the log began.
///
/// SQL Server shows a position as virtual log file, block and slot, and writes the three into one `numeric(25,0)`. Here a
/// virtual log file is 4 MiB of log and a block 512 bytes of it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
pub struct Lsn(pub u64);

const VLF_BYTES: u64 = 4 << 20;
const BLOCK_BYTES: u64 = 512;

impl Lsn {
    fn parts(self) -> (u64, u64, u64) {
        let within = self.0 % VLF_BYTES;
        // Records are aligned to 8 bytes, so 64 of them can begin in one block.
        (self.0 / VLF_BYTES + 32, within / BLOCK_BYTES, within % BLOCK_BYTES / 8 + 1)
    }

    /// The form of `sys.dm_hadr_database_replica_states` and `backupset`: `numeric(25,0)`.
    pub fn numeric(self) -> i128 {
        let (vlf, block, slot) = self.parts();
        (i128::from(vlf) * 10_000_000_000 + i128::from(block)) * 100_000 + i128::from(slot)
    }

    /// The form of messages about backups: `32:1:1`.
    pub fn colons(self) -> String {
        let (vlf, block, slot) = self.parts();
        format!("{vlf}:{block}:{slot}")
    }

    /// The form of the error log: `00000020:00000001:0001`.
    pub fn hex(self) -> String {
        let (vlf, block, slot) = self.parts();
        format!("{vlf:08x}:{block:08x}:{slot:04x}")
    }
}

impl std::fmt::Display for Lsn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.numeric())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_numeric_form_keeps_the_order(a in 0_u64..1 << 50, b in 0_u64..1 << 50) {
            let (a, b) = (Lsn(a / 8 * 8), Lsn(b / 8 * 8));
            prop_assert_eq!(a.cmp(&b), a.numeric().cmp(&b.numeric()));
        }
    }
}
