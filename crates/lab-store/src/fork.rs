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

/// The forks that a log went through, and how far it goes.
///
/// The ends of `forks` never descend, and none is behind `end`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The fork that the log is on.
    pub fork: ForkId,
    /// The forks before it, oldest first.
    pub forks: Vec<ForkPoint>,
    /// The log's end.
    pub end: Lsn,
}

/// Up to where two histories are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommonPoint {
    /// What lies before this is the same.
    pub lsn: Lsn,
    /// The fork that it is on.
    pub fork: ForkId,
}

impl History {
    /// The fork that a record at `lsn` is of.
    pub fn fork_at(&self, lsn: Lsn) -> ForkId {
        self.forks.iter().find(|f| lsn < f.end).map_or(self.fork, |f| f.fork)
    }

    /// The fork that it began with: it tells one database from another.
    pub fn first_fork(&self) -> ForkId {
        self.forks.first().map_or(self.fork, |f| f.fork)
    }

    /// The history up to `lsn` only.
    pub fn up_to(&self, lsn: Lsn) -> History {
        let kept = self.forks.iter().take_while(|f| f.end < lsn).copied();
        let fork = self.forks.iter().find(|f| f.end >= lsn).map_or(self.fork, |f| f.fork);
        History { fork, forks: kept.collect(), end: lsn.min(self.end) }
    }

    /// The same without forks that begin behind the end: those that a log is only about to follow.
    pub(crate) fn reached(self) -> History {
        match self.forks.iter().position(|f| f.end > self.end) {
            Some(n) => {
                let fork = self.forks.get(n).map_or(self.fork, |f| f.fork);
                History { fork, forks: self.forks.into_iter().take(n).collect(), end: self.end }
            }
            None => self,
        }
    }

    /// Whether this log goes on with what the other one has behind its end.
    ///
    /// It must not have anything that the other one has not, and each page whose image redo may need must come with one.
    /// Whoever begins a fork logs images from there on, and a checkpoint relies on that. So a fork that nothing was written
    /// to cannot be left for one that began before it: what was written there since builds on images that stand far behind.
    pub fn can_go_on_with(&self, theirs: &History) -> bool {
        common_point(self, theirs).is_some_and(|common| {
            common.lsn == self.end
                && (common.fork == self.fork || theirs.forks.iter().any(|f| f.end == self.end))
        })
    }

    /// The forks with their ends, the newest one's being the log's.
    fn stretches(&self) -> impl Iterator<Item = ForkPoint> + '_ {
        self.forks.iter().copied().chain([ForkPoint { fork: self.fork, end: self.end }])
    }
}

/// Up to where two logs are the same; nothing if they never were.
///
/// If that is the end of one of them, it can go on with what the other one has. If it is the end of neither, they have
/// diverged, and what each has behind it, the other one has not.
pub fn common_point(mine: &History, theirs: &History) -> Option<CommonPoint> {
    let mut common = None;
    for (a, b) in mine.stretches().zip(theirs.stretches()) {
        if a.fork != b.fork {
            break;
        }
        common = Some(CommonPoint { lsn: a.end.min(b.end), fork: a.fork });
        if a.end != b.end {
            break;
        }
    }
    common
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
    use proptest::prelude::*;

    fn fork(n: u8) -> ForkId {
        ForkId([n; 16])
    }

    /// A history of forks with their lengths.
    fn history(lengths: &[(u8, u64)]) -> History {
        let mut end = Lsn(0);
        let mut points: Vec<ForkPoint> = lengths
            .iter()
            .map(|(n, len)| {
                end.0 += len;
                ForkPoint { fork: fork(*n), end }
            })
            .collect();
        let last = points.pop().unwrap();
        History { fork: last.fork, forks: points, end: last.end }
    }

    /// The fork of each byte.
    fn bytes(lengths: &[(u8, u64)]) -> Vec<u8> {
        lengths.iter().flat_map(|(n, len)| std::iter::repeat_n(*n, *len as usize)).collect()
    }

    /// Cuts a row of forks off at a byte.
    fn cut(lengths: &[(u8, u64)], at: u64) -> Vec<(u8, u64)> {
        let mut left = at;
        let mut out = Vec::new();
        for (n, len) in lengths {
            out.push((*n, left.min(*len)));
            left -= left.min(*len);
            if left == 0 {
                break;
            }
        }
        out
    }

    proptest! {
        /// Checked byte by byte: two logs are the same as long as their bytes are of the same fork.
        #[test]
        fn logs_are_the_same_up_to_their_common_point(
            shared in prop::collection::vec(1_u64..9, 1..5),
            (mine_at, theirs_at) in (0_u64..40, 0_u64..40),
            mine in prop::collection::vec(1_u64..9, 0..4),
            theirs in prop::collection::vec(1_u64..9, 0..4),
        ) {
            let shared: Vec<(u8, u64)> = (1..).zip(shared).collect();
            let one = [cut(&shared, mine_at), (100..).zip(mine).collect()].concat();
            let two = [cut(&shared, theirs_at), (200..).zip(theirs).collect()].concat();
            let same = bytes(&one).iter().zip(bytes(&two)).take_while(|(a, b)| **a == *b).count() as u64;
            let (h1, h2) = (history(&one), history(&two));
            let found = common_point(&h1, &h2).unwrap();
            prop_assert_eq!(found.lsn, Lsn(same));
            if let Some(last) = same.checked_sub(1) {
                prop_assert_eq!(found.fork, fork(bytes(&one)[last as usize]));
            }
            prop_assert_eq!(common_point(&h2, &h1), Some(found));
            prop_assert_eq!(common_point(&h1, &h1).unwrap().lsn, h1.end, "a log is the same as itself");
            for at in 0..h1.end.0 {
                prop_assert_eq!(h1.fork_at(Lsn(at)), fork(bytes(&one)[at as usize]));
                let before = h1.up_to(Lsn(at));
                prop_assert_eq!(before.end, Lsn(at));
                prop_assert_eq!(common_point(&h1, &before).unwrap().lsn, Lsn(at));
            }
        }
    }

    #[test]
    fn the_cases_that_occur() {
        let both = history(&[(1, 100), (2, 50)]);
        assert_eq!(common_point(&both, &both), Some(CommonPoint { lsn: Lsn(150), fork: fork(2) }), "equal");
        let behind = history(&[(1, 80)]);
        assert_eq!(
            common_point(&both, &behind),
            Some(CommonPoint { lsn: Lsn(80), fork: fork(1) }),
            "one ahead"
        );
        let loser = history(&[(1, 120)]);
        assert_eq!(
            common_point(&both, &loser),
            Some(CommonPoint { lsn: Lsn(100), fork: fork(1) }),
            "diverged"
        );
        assert_eq!(common_point(&both, &history(&[(3, 150)])), None, "unrelated");
        let empty = history(&[(1, 100), (5, 0)]);
        assert_eq!(
            common_point(&empty, &loser),
            Some(CommonPoint { lsn: Lsn(100), fork: fork(1) }),
            "promoted, never written to"
        );
        for (log, theirs, can, why) in [
            (&behind, &both, true, "behind"),
            (&both, &behind, false, "ahead"),
            (&both, &both, true, "equal"),
            (&loser, &both, false, "diverged"),
            (&empty, &both, true, "another fork begins there"),
            (&empty, &loser, false, "a fork of its own, and the other one goes on with an old one"),
            (&history(&[(1, 100)]), &empty, true, "promoted there"),
        ] {
            assert_eq!(log.can_go_on_with(theirs), can, "{why}");
        }
        let twice = history(&[(1, 100), (3, 0), (4, 10)]);
        assert_eq!(
            common_point(&both, &twice),
            Some(CommonPoint { lsn: Lsn(100), fork: fork(1) }),
            "no commit between"
        );
    }

    #[test]
    fn a_fork_is_shown_as_a_guid() {
        let fork = ForkId([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255]);
        assert_eq!(fork.to_string(), "03020100-0504-0706-0809-0A0B0C0D0EFF");
        assert_ne!(ForkId::unique(), ForkId::unique());
    }
}
