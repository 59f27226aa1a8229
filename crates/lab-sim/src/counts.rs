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

    /// What has happened too seldom in so many seeds.
    pub fn below_floor(&self, seeds: u64) -> Vec<String> {
        let missed = |(what, floor): &&(&str, u64)| self.of(what) < floor * seeds / 1000;
        let text = |(what, floor): &(&str, u64)| {
            format!("{what}: {} of at least {}", self.of(what), floor * seeds / 1000)
        };
        FLOORS.iter().filter(missed).map(text).collect()
    }
}

/// How often each must happen in 1,000 seeds, at the least.
const FLOORS: &[(&str, u64)] = &[];
