//! What has really happened: a run that did nothing proves nothing.

use std::collections::BTreeMap;

/// How often each thing happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts(pub BTreeMap<&'static str, u64>);

impl Counts {
    /// It has happened once more.
    pub fn add(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    /// And all of that.
    pub fn merge(&mut self, other: &Counts) {
        for (what, n) in &other.0 {
            *self.0.entry(what).or_default() += n;
        }
    }

    /// How often.
    pub fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }

    /// What has happened too seldom in so many seeds. A few seeds may lack anything.
    pub fn below_floor(&self, seeds: u64) -> Vec<String> {
        if seeds < 1000 {
            return Vec::new();
        }
        let missed = |(what, floor): &&(&str, u64)| self.of(what) < floor * seeds / 1000;
        let text = |(what, floor): &(&str, u64)| {
            format!("{what}: {} of at least {}", self.of(what), floor * seeds / 1000)
        };
        FLOORS.iter().filter(missed).map(text).collect()
    }
}

/// How often each must happen in 1,000 seeds, at the least.
const FLOORS: &[(&str, u64)] = &[
    ("acknowledged alone", 23_000),
    ("acknowledged commits lost by force", 2_900),
    ("acknowledged in sync", 25_000),
    ("appends", 36_000),
    ("appends refused", 190),
    ("appends without room", 220),
    ("bits flipped in received log", 140),
    ("certificates replaced", 620),
    ("checkpoints", 3_000),
    ("chunks written", 3_800),
    ("commit modes changed", 310),
    ("commits", 53_000),
    ("connections dropped", 380),
    ("connections lost", 3_300),
    ("connections made", 3_600),
    ("crashes", 1_300),
    ("crashes at an effect", 380),
    ("cuts both ways", 600),
    ("cuts one way", 620),
    ("databases added", 110),
    ("demotions", 500),
    ("dials failed", 5_300),
    ("diverged copies replaced", 130),
    ("failovers by hand begun", 120),
    ("failovers by hand done", 64),
    ("forced failovers", 190),
    ("forced promotions", 580),
    ("fork reports checked", 410),
    ("forks entered", 380),
    ("forks read", 410),
    ("frames corrupted", 390),
    ("frames delivered", 150_000),
    ("freezes", 630),
    ("full disks", 630),
    ("groups dropped", 270),
    ("handovers offered", 65),
    ("log backups", 3_300),
    ("log truncations", 670),
    ("outcomes unknown", 1_800),
    ("planned failovers asked for", 310),
    ("planned failovers done", 64),
    ("planned failovers refused", 250),
    ("planned promotions", 97),
    ("primaries lost for good", 120),
    ("redo steps", 56_000),
    ("required secondaries changed", 310),
    ("rewinds begun", 110),
    ("rewinds done", 110),
    ("role conflicts resolved", 170),
    ("roles set", 130),
    ("roles set by hand", 740),
    ("secondaries lost for good", 320),
    ("seedings begun", 1_200),
    ("seedings done", 1_100),
    ("seeds at rest", 1_000),
    ("slow disks", 630),
    ("slow wires", 620),
    ("suspensions", 310),
    ("synchronized copies compared", 21_000),
    ("two primaries by force", 140),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_did_nothing_proves_nothing() {
        assert_eq!(Counts::default().below_floor(1000).len(), FLOORS.len());
        let mut enough = Counts(FLOORS.iter().map(|(what, floor)| (*what, floor * 2)).collect());
        assert_eq!(enough.below_floor(2000), Vec::<String>::new());
        enough.0.remove("crashes");
        assert_eq!(enough.below_floor(2000), ["crashes: 0 of at least 2600"]);
    }
}
