//! In which order many links are worked on: a canary first, then so many at once, and no more after the first that fails.

use std::collections::VecDeque;

/// What is to be done with each of many links, and what has become of it.
///
/// Told of each end ([`Waves::ended`]), it says what may begin ([`Waves::begin`]). It never has more under way than `parallel`, begins
/// nothing beside the canary until that has ended well, and nothing after a failure unless told to go on.
#[derive(Debug, Clone)]
pub struct Waves {
    waiting: VecDeque<usize>,
    under_way: usize,
    parallel: usize,
    canary: Canary,
    go_on: bool,
    failed: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Canary {
    /// It has not been begun.
    Waits,
    /// It is under way, and everything else waits for it.
    Flies,
    /// There is none, or it has come back.
    Over,
}

impl Waves {
    /// So many links, `parallel` of them at once (at least one). With `canary`, the first alone; with `go_on`, failures stop nothing.
    pub fn new(links: usize, parallel: usize, canary: bool, go_on: bool) -> Waves {
        Waves {
            waiting: (0..links).collect(),
            under_way: 0,
            parallel: parallel.max(1),
            canary: if canary && links > 1 { Canary::Waits } else { Canary::Over },
            go_on,
            failed: Vec::new(),
        }
    }

    /// Which links may begin now. They count as begun.
    pub fn begin(&mut self) -> Vec<usize> {
        let room = match self.canary {
            _ if self.has_failed() && !self.go_on => 0,
            Canary::Waits => {
                self.canary = Canary::Flies;
                1
            }
            Canary::Flies => 0,
            Canary::Over => self.parallel - self.under_way,
        };
        let begun: Vec<usize> = self.waiting.drain(..room.min(self.waiting.len())).collect();
        self.under_way += begun.len();
        begun
    }

    /// A link's end. A canary that fails stops everything, whatever was said of other failures.
    pub fn ended(&mut self, link: usize, good: bool) {
        self.under_way = self.under_way.saturating_sub(1);
        if !good {
            self.failed.push(link);
            if self.canary == Canary::Flies {
                self.go_on = false;
            }
        }
        if self.canary == Canary::Flies {
            self.canary = Canary::Over;
        }
    }

    /// Whether nothing is under way and nothing will begin.
    pub fn is_over(&self) -> bool {
        self.under_way == 0 && (self.waiting.is_empty() || (self.has_failed() && !self.go_on))
    }

    /// Those that failed, in the order of their ends.
    pub fn failed(&self) -> &[usize] {
        &self.failed
    }

    /// Those that were never begun.
    pub fn left(&self) -> Vec<usize> {
        self.waiting.iter().copied().collect()
    }

    fn has_failed(&self) -> bool {
        !self.failed.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_canary_flies_alone() {
        let mut waves = Waves::new(5, 3, true, false);
        assert_eq!(waves.begin(), [0]);
        assert_eq!(waves.begin(), [0_usize; 0]);
        waves.ended(0, true);
        assert_eq!(waves.begin(), [1, 2, 3]);
        waves.ended(2, true);
        assert_eq!(waves.begin(), [4]);
        for link in [1, 3, 4] {
            assert!(!waves.is_over());
            waves.ended(link, true);
        }
        assert!(waves.is_over());
    }

    #[test]
    fn a_failure_stops_what_has_not_begun() {
        let mut waves = Waves::new(5, 2, false, false);
        assert_eq!(waves.begin(), [0, 1]);
        waves.ended(0, false);
        assert_eq!(waves.begin(), [0_usize; 0]);
        assert!(!waves.is_over());
        waves.ended(1, true);
        assert!(waves.is_over());
        assert_eq!((waves.failed(), waves.left()), (&[0][..], vec![2, 3, 4]));
    }

    #[test]
    fn going_on_is_not_for_a_canary() {
        let mut waves = Waves::new(3, 1, false, true);
        assert_eq!(waves.begin(), [0]);
        waves.ended(0, false);
        assert_eq!(waves.begin(), [1]);
        let mut waves = Waves::new(3, 2, true, true);
        assert_eq!(waves.begin(), [0]);
        waves.ended(0, false);
        assert!(waves.begin().is_empty());
        assert!(waves.is_over());
    }
}
