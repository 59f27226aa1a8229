//! What is counted while the workload runs: commits, errors, outages, and how far the other side is behind.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use lab::Side;

/// Without an acknowledgement for so long, it is an outage.
const OUTAGE: Duration = Duration::from_millis(500);
/// So many points in time are remembered, to tell how old the other side's rows are.
const REMEMBERED: usize = 100_000;

/// The counters of a run.
#[derive(Debug)]
pub(super) struct Progress {
    began: Instant,
    pub(super) acknowledged: u64,
    pub(super) refused: u64,
    pub(super) uncertain: u64,
    pub(super) last_error: Option<String>,
    /// Who took the last commit.
    pub(super) primary: Option<Side>,
    pub(super) role_changes: u32,
    last_acknowledged: Instant,
    outages: Vec<Duration>,
    /// The longest time between two acknowledgements, outage or not.
    longest_pause: Duration,
    /// When each so many commits had been acknowledged.
    times: VecDeque<(u64, Instant)>,
    /// How long there must be no acknowledgement, at this rate.
    outage: Duration,
}

/// How far the other side is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lag {
    pub(super) rows: u64,
    pub(super) time: Duration,
}

impl Progress {
    pub(super) fn new(now: Instant, commits_per_second: f64) -> Progress {
        Progress {
            began: now,
            acknowledged: 0,
            refused: 0,
            uncertain: 0,
            last_error: None,
            primary: None,
            role_changes: 0,
            last_acknowledged: now,
            outages: Vec::new(),
            longest_pause: Duration::ZERO,
            times: VecDeque::new(),
            outage: OUTAGE.max(Duration::from_secs_f64(5.0 / commits_per_second.max(0.01))),
        }
    }

    pub(super) fn acknowledge(&mut self, now: Instant, by: Side) {
        self.acknowledged += 1;
        let gap = now - self.last_acknowledged;
        if gap >= self.outage {
            self.outages.push(gap);
        }
        self.longest_pause = self.longest_pause.max(gap);
        self.last_acknowledged = now;
        if self.primary.replace(by).is_some_and(|before| before != by) {
            self.role_changes += 1;
        }
        self.times.push_back((self.acknowledged, now));
        if self.times.len() > REMEMBERED {
            self.times.pop_front();
        }
    }

    /// All outages together, and the longest; one that goes on counts.
    pub(super) fn outage(&self, now: Instant) -> (Duration, Duration) {
        let going_on = Some(now - self.last_acknowledged).filter(|gap| *gap >= self.outage);
        let all = self.outages.iter().copied().chain(going_on);
        all.fold((Duration::ZERO, Duration::ZERO), |(sum, longest), gap| (sum + gap, longest.max(gap)))
    }

    /// The longest time without an acknowledgement; one that goes on counts. A role change that is too short to be an outage shows here.
    pub(super) fn longest_pause(&self, now: Instant) -> Duration {
        self.longest_pause.max(now - self.last_acknowledged)
    }

    /// How far a side is behind that shows so many orders.
    pub(super) fn lag(&self, now: Instant, shown: u64) -> Lag {
        let rows = self.acknowledged.saturating_sub(shown);
        // The first commit that it does not show: as old as that is the side.
        let first_missing = self.times.iter().find(|(count, _)| *count > shown);
        let time = first_missing.map_or(Duration::ZERO, |(_, at)| now - *at);
        Lag { rows, time: if rows == 0 { Duration::ZERO } else { time } }
    }

    pub(super) fn elapsed(&self, now: Instant) -> Duration {
        now - self.began
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outages_lag_and_role_changes() {
        let at = Instant::now();
        let ms = |n| at + Duration::from_millis(n);
        let mut progress = Progress::new(at, 100.0);
        for n in 1..=10 {
            progress.acknowledge(ms(n * 100), Side::SqlServer);
        }
        assert_eq!(progress.outage(ms(1_100)), (Duration::ZERO, Duration::ZERO));
        assert_eq!(progress.longest_pause(ms(1_050)), Duration::from_millis(100));
        assert_eq!(progress.longest_pause(ms(1_250)), Duration::from_millis(250));
        assert_eq!(progress.lag(ms(1_050), 10), Lag { rows: 0, time: Duration::ZERO });
        assert_eq!(progress.lag(ms(1_050), 8), Lag { rows: 2, time: Duration::from_millis(150) });
        progress.acknowledge(ms(3_000), Side::Managed);
        assert_eq!(progress.outage(ms(3_100)), (Duration::from_secs(2), Duration::from_secs(2)));
        let (sum, longest) = progress.outage(ms(6_000));
        assert_eq!((sum, longest), (Duration::from_secs(5), Duration::from_secs(3)));
        assert_eq!(progress.role_changes, 1);
    }
}
