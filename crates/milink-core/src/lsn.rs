//! Positions in the log, as SQL Server's views and Azure's answers give them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A position in a database's log: `numeric(25,0)` in `sys.dm_hadr_database_replica_states`, decimal text in Azure's answers.
///
/// The digits are those of virtual log file, block and slot (10 + 10 + 5); here only their order matters. Azure writes `0` and `1`
/// where it knows none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Lsn(u128);

impl Lsn {
    /// One more than the largest that 25 digits can write.
    const LIMIT: u128 = 10_u128.pow(25);

    /// A position from its number; `None` if it has more than 25 digits.
    pub fn new(number: u128) -> Option<Lsn> {
        (number < Lsn::LIMIT).then_some(Lsn(number))
    }

    /// The number.
    pub fn number(self) -> u128 {
        self.0
    }

    /// How far `self` is behind `other`, as a difference of the numbers: zero if it is not. It says whether something is missing and
    /// which of two is further behind; it counts no bytes.
    pub fn behind(self, other: Lsn) -> u128 {
        other.0.saturating_sub(self.0)
    }

    /// The beginning of the log block that it is in.
    #[must_use]
    pub fn block(self) -> Lsn {
        Lsn(self.0 - self.0 % 100_000)
    }

    /// Virtual log file, block and slot.
    pub fn parts(self) -> (u64, u64, u32) {
        let slot = (self.0 % 100_000) as u32;
        let block = (self.0 / 100_000 % 10_000_000_000) as u64;
        let file = (self.0 / 1_000_000_000_000_000) as u64;
        (file, block, slot)
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A text that is no LSN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoLsn(pub String);

impl fmt::Display for NoLsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is no LSN: up to 25 decimal digits are wanted", self.0)
    }
}

impl std::error::Error for NoLsn {}

impl FromStr for Lsn {
    type Err = NoLsn;

    fn from_str(text: &str) -> Result<Lsn, NoLsn> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let number = digits.then(|| text.parse().ok()).flatten();
        number.and_then(Lsn::new).ok_or_else(|| NoLsn(text.to_owned()))
    }
}

impl Serialize for Lsn {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Lsn {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Lsn, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_what_the_views_give() {
        let lsn: Lsn = "71000009408100001".parse().unwrap();
        assert_eq!(lsn.to_string(), "71000009408100001");
        assert_eq!(lsn.parts(), (71, 94081, 1));
        assert_eq!("0".parse(), Ok(Lsn(0)));
        for bad in ["", "-1", "+1", "0x10", "1.0", " 1", "99999999999999999999999999"] {
            assert!(bad.parse::<Lsn>().is_err(), "{bad}");
        }
    }

    #[test]
    fn knows_which_is_behind() {
        assert_eq!(Lsn(5).behind(Lsn(9)), 4);
        assert_eq!(Lsn(9).behind(Lsn(5)), 0);
    }
}
