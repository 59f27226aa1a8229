//! Recovery forks: the histories that a database's log can have.
//!
//! A fork begins when a database is created, restored, or promoted, and ends at a fork point, where the next one began. A
//! position in a log means something only together with the fork that it is on.

use serde::{Deserialize, Serialize};

use crate::Lsn;

/// Which history of a database a record belongs to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct ForkId(pub [u8; 16]);

impl ForkId {
    /// One that is unlike any other.
    pub fn unique() -> ForkId {
        ForkId(unique_id())
    }
}

/// As SQL Server shows a GUID of these bytes.
impl std::fmt::Display for ForkId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [a, b, c, d, e, g, h, i, rest @ ..] = self.0;
        write!(f, "{d:02X}{c:02X}{b:02X}{a:02X}-{g:02X}{e:02X}-{i:02X}{h:02X}-")?;
        for (n, byte) in rest.iter().enumerate() {
            write!(f, "{}{byte:02X}", if n == 2 { "-" } else { "" })?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for ForkId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ForkId({self})")
    }
}

/// Where a recovery fork ended, and another one began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForkPoint {
    /// The fork that ended.
    pub fork: ForkId,
    /// What lies before this is its.
    pub end: Lsn,
}

/// Sixteen bytes that nobody else has made, or will make.
pub(crate) fn unique_id() -> [u8; 16] {
    // It needs to be unlike any other, not secret: time and a fresh salt are hashed.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let salt = std::collections::hash_map::RandomState::new();
    let mix = |n: u64| std::hash::BuildHasher::hash_one(&salt, (now.as_nanos(), n));
    let mut out = [0; 16];
    let (low, high) = out.split_at_mut(8);
    low.copy_from_slice(&mix(1).to_le_bytes());
    high.copy_from_slice(&mix(2).to_le_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fork_is_shown_as_a_guid() {
        let fork = ForkId([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255]);
        assert_eq!(fork.to_string(), "03020100-0504-0706-0809-0A0B0C0D0EFF");
        assert_ne!(ForkId::unique(), ForkId::unique());
    }
}
