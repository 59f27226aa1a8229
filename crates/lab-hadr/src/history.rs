//! The recovery forks of a copy: where its log has been, so that two copies can tell where they parted.

use lab_store::Lsn;

/// A recovery fork.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ForkId(pub [u8; 16]);

impl std::fmt::Debug for ForkId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().take(4).try_for_each(|b| write!(f, "{b:02x}"))
    }
}

/// Where a fork ended, and another one began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForkPoint {
    /// The fork that ended.
    pub fork: ForkId,
    /// What lies before this is its.
    pub end: Lsn,
}

/// The forks of a copy and how far its log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// The forks that have ended, oldest first; their ends never fall.
    pub forks: Vec<ForkPoint>,
    /// The fork that goes on.
    pub fork: ForkId,
    /// Where the log ends.
    pub end: Lsn,
}

impl History {
    /// Every fork with the end of its log.
    fn stretches(&self) -> impl Iterator<Item = (ForkId, Lsn)> {
        self.forks.iter().map(|f| (f.fork, f.end)).chain([(self.fork, self.end)])
    }

    /// Whether the histories began as one: copies of one database, wherever they have gone since.
    pub fn is_related(&self, other: &History) -> bool {
        let first = |h: &History| h.forks.first().map_or(h.fork, |f| f.fork);
        first(self) == first(other)
    }

    /// How far both logs are the same; nothing if they never were.
    pub fn common_end(&self, other: &History) -> Option<Lsn> {
        let mut common = None;
        for ((mine, my_end), (theirs, their_end)) in self.stretches().zip(other.stretches()) {
            if mine != theirs {
                break;
            }
            common = Some(my_end.min(their_end));
            if my_end != their_end {
                break;
            }
        }
        common
    }

    /// Whether all of this log is also in the other one.
    pub fn is_prefix_of(&self, other: &History) -> bool {
        self.common_end(other) == Some(self.end)
    }

    /// The history of a copy that has been brought onto this one, but has only this much of its log yet.
    pub fn up_to(&self, end: Lsn) -> History {
        History { end, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(forks: &[(u8, u64)], fork: u8, end: u64) -> History {
        let point = |(f, e): &(u8, u64)| ForkPoint { fork: ForkId([*f; 16]), end: Lsn(*e) };
        History { forks: forks.iter().map(point).collect(), fork: ForkId([fork; 16]), end: Lsn(end) }
    }

    #[test]
    fn copies_tell_where_they_parted() {
        let old = history(&[], 1, 100);
        for (new, common) in [
            (history(&[], 1, 100), Some(100)),
            (history(&[], 1, 60), Some(60)),
            (history(&[(1, 80)], 2, 90), Some(80)),
            (history(&[(1, 100)], 2, 100), Some(100)),
            (history(&[(1, 120)], 2, 130), Some(100)),
            (history(&[(1, 80), (2, 90)], 3, 95), Some(80)),
            (history(&[], 9, 100), None),
        ] {
            assert_eq!(old.common_end(&new), common.map(Lsn), "{new:?}");
            assert_eq!(new.common_end(&old), common.map(Lsn), "{new:?}");
        }
        assert!(old.is_prefix_of(&history(&[(1, 100)], 2, 300)));
        assert!(!old.is_prefix_of(&history(&[(1, 99)], 2, 300)));
    }

    #[test]
    fn forks_that_ended_at_the_same_place_are_told_apart() {
        let left = history(&[(1, 80)], 2, 90);
        let right = history(&[(1, 80)], 3, 90);
        assert_eq!(left.common_end(&right), Some(Lsn(80)));
        assert!(left.is_related(&right));
    }
}
