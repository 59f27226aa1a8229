//! How far a seeding is: its rate, and when it will be done. Pure; time comes from outside.

use std::collections::VecDeque;
use std::time::Duration;

/// The rate is that of the last so many seconds: a mean since the start would hide that nothing moves any more.
const WINDOW: Duration = Duration::from_secs(10);

/// The first copy of one database, as it was observed over time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seeding {
    /// When, and how many bytes had been transferred; the oldest first. Never more than one is older than the window.
    seen: VecDeque<(Duration, u64)>,
    total: Option<u64>,
}

impl Seeding {
    /// Takes what `sys.dm_hadr_physical_seeding_stats` says at a moment. Fewer bytes than before are a new attempt.
    pub(crate) fn observe(&mut self, at: Duration, transferred: u64, total: Option<u64>) {
        self.total = total.filter(|t| *t > 0);
        if self.seen.back().is_some_and(|(_, before)| *before > transferred) {
            self.seen.clear();
        }
        self.seen.push_back((at, transferred));
        while self.seen.get(1).is_some_and(|(then, _)| at.saturating_sub(*then) >= WINDOW) {
            self.seen.pop_front();
        }
    }

    /// Bytes.
    pub(crate) fn transferred(&self) -> u64 {
        self.seen.back().map_or(0, |(_, bytes)| *bytes)
    }

    /// Bytes, if known.
    pub(crate) fn total(&self) -> Option<u64> {
        self.total
    }

    /// Bytes a second; nothing until there were two observations.
    pub(crate) fn rate(&self) -> Option<f64> {
        let ((from, before), (to, after)) = (self.seen.front()?, self.seen.back()?);
        let seconds = to.saturating_sub(*from).as_secs_f64();
        (seconds > 0.0).then(|| after.saturating_sub(*before) as f64 / seconds)
    }

    /// How long it still takes at this rate; nothing while nothing moves.
    pub(crate) fn left(&self) -> Option<Duration> {
        let missing = self.total?.saturating_sub(self.transferred()) as f64;
        let rate = self.rate().filter(|r| *r > 0.0)?;
        Duration::try_from_secs_f64(missing / rate).ok()
    }
}

/// A number of bytes as SQL Server counts them: 1 MB is 1,048,576 bytes.
pub(crate) fn bytes(count: u64) -> String {
    let mut value = count as f64;
    let mut unit = "B";
    for next in ["KB", "MB", "GB", "TB"] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if unit == "B" { format!("{count} B") } else { format!("{value:.1} {unit}") }
}

/// A span of time: as many digits as it deserves.
pub(crate) fn seconds(span: Duration) -> String {
    let all = span.as_secs();
    match all {
        0..=9 => format!("{:.1} s", span.as_secs_f64()),
        10..=59 => format!("{all} s"),
        60..=3599 => format!("{} min {:02} s", all / 60, all % 60),
        _ => format!("{} h {:02} min", all / 3600, all / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1 << 20;

    fn at(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    #[test]
    fn rate_and_rest() {
        let mut seeding = Seeding::default();
        seeding.observe(at(0), 0, Some(100 * MB));
        assert_eq!((seeding.rate(), seeding.left()), (None, None));
        seeding.observe(at(2), 20 * MB, Some(100 * MB));
        assert_eq!(seeding.rate(), Some(10.0 * MB as f64));
        assert_eq!(seeding.left(), Some(at(8)));
    }

    #[test]
    fn one_that_stands_still_has_no_end() {
        let mut seeding = Seeding::default();
        for s in 0..30 {
            seeding.observe(at(s), 5 * MB.min(s * MB), Some(100 * MB));
        }
        assert_eq!(seeding.rate(), Some(0.0));
        assert_eq!(seeding.left(), None);
    }

    #[test]
    fn a_new_attempt_begins_anew() {
        let mut seeding = Seeding::default();
        seeding.observe(at(0), 50 * MB, Some(100 * MB));
        seeding.observe(at(1), MB, Some(100 * MB));
        assert_eq!(seeding.rate(), None);
        assert_eq!(seeding.transferred(), MB);
    }

    #[test]
    fn quantities() {
        let shown = [0, 1023, 1024, 1536, 5 * MB, 3 << 30].map(bytes);
        assert_eq!(shown, ["0 B", "1023 B", "1.0 KB", "1.5 KB", "5.0 MB", "3.0 GB"]);
        let shown = [250, 12_900, 61_000, 7_260_000].map(|ms| seconds(Duration::from_millis(ms)));
        assert_eq!(shown, ["0.2 s", "12 s", "1 min 01 s", "2 h 01 min"]);
    }
}
