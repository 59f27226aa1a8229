//! What was written, what was acknowledged, and what must be there therefore. Pure: no clock, no connection.
//!
//! A client (a connection of the workload) numbers its orders 1, 2, 3, ... An order's amount and its client's running sum
//! follow from the numbers, so a row that is there can be checked to the last digit. An order whose answer did not come is
//! **uncertain**: it is not written again, and may be there once or not at all.

use std::collections::BTreeMap;

use serde::Serialize;

/// What became of an order, as far as its client was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The commit was answered.
    Acknowledged,
    /// An error was answered: nothing of it may be there.
    Refused,
    /// No answer came.
    Uncertain,
}

/// What one client did.
#[derive(Debug, Clone, Default)]
pub(super) struct Tape {
    outcomes: Vec<Outcome>,
    sum: i64,
}

/// An order that is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) client: u32,
    pub(super) seq: u64,
    pub(super) amount: i64,
    pub(super) running_sum: i64,
}

impl Order {
    /// Its two lines, which add up to its amount.
    pub(super) fn lines(&self) -> [i64; 2] {
        let first = self.amount / 3;
        [first, self.amount - first]
    }
}

/// 1 to 9999, the same whenever it is asked for.
fn amount(client: u32, seq: u64) -> i64 {
    let mixed = (u64::from(client) << 40 ^ seq).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((mixed >> 33) % 9_999) as i64 + 1
}

impl Tape {
    /// The client's next order.
    pub(super) fn next(&mut self, client: u32) -> Order {
        let seq = self.outcomes.len() as u64 + 1;
        let amount = amount(client, seq);
        self.sum += amount;
        // Until it is told otherwise.
        self.outcomes.push(Outcome::Uncertain);
        Order { client, seq, amount, running_sum: self.sum }
    }

    /// What became of the order that was taken last.
    pub(super) fn note(&mut self, outcome: Outcome) {
        if let Some(last) = self.outcomes.last_mut() {
            *last = outcome;
        }
    }

    pub(super) fn count(&self, outcome: Outcome) -> u64 {
        self.outcomes.iter().filter(|o| **o == outcome).count() as u64
    }
}

/// Rows of an order, as one side has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) rows: u64,
    pub(super) amount: i64,
    pub(super) running_sum: i64,
    pub(super) lines: u64,
    pub(super) lines_sum: i64,
}

/// What is to be said of one side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Verdict {
    /// Orders that were acknowledged.
    pub(super) acknowledged: u64,
    /// Of those, orders that are not there although a later one of their client is.
    pub(super) lost: u64,
    /// Of those, orders that are not there, and no later one either: the side is behind, or has lost its end.
    pub(super) behind: u64,
    /// Orders that are there more than once.
    pub(super) doubled: u64,
    /// Orders that are not what was written, or lack a line.
    pub(super) damaged: u64,
    /// Orders that are there although they were answered with an error, or never written.
    pub(super) unwanted: u64,
    /// Orders without an answer that are there.
    pub(super) uncertain_there: u64,
    /// Orders without an answer that are not.
    pub(super) uncertain_absent: u64,
}

impl Verdict {
    /// Nothing is lost, doubled or damaged.
    pub(super) fn is_clean(&self) -> bool {
        self.lost + self.behind + self.doubled + self.damaged + self.unwanted == 0
    }
}

/// Compares what a side has with what was written.
pub(super) fn judge(tapes: &[Tape], found: &BTreeMap<(u32, u64), Found>) -> Verdict {
    let mut verdict = Verdict::default();
    let mut last: BTreeMap<u32, u64> = BTreeMap::new();
    for (client, seq) in found.keys() {
        let last = last.entry(*client).or_default();
        *last = (*last).max(*seq);
    }
    let mut known = 0;
    for (client, tape) in tapes.iter().enumerate() {
        let client = client as u32;
        let last = last.get(&client).copied().unwrap_or_default();
        let mut sum = 0;
        for (n, outcome) in tape.outcomes.iter().enumerate() {
            let seq = n as u64 + 1;
            let amount = amount(client, seq);
            sum += amount;
            let there = found.get(&(client, seq));
            match (outcome, there) {
                (Outcome::Acknowledged, None) if seq < last => verdict.lost += 1,
                (Outcome::Acknowledged, None) => verdict.behind += 1,
                (Outcome::Refused, Some(_)) => verdict.unwanted += 1,
                (Outcome::Uncertain, Some(_)) => verdict.uncertain_there += 1,
                (Outcome::Uncertain, None) => verdict.uncertain_absent += 1,
                (Outcome::Acknowledged, Some(_)) | (Outcome::Refused, None) => {}
            }
            verdict.acknowledged += u64::from(*outcome == Outcome::Acknowledged);
            let Some(there) = there else { continue };
            known += 1;
            let whole = Found { rows: 1, amount, running_sum: sum, lines: 2, lines_sum: amount };
            if there.rows > 1 {
                verdict.doubled += 1;
            } else if *there != whole {
                verdict.damaged += 1;
            }
        }
    }
    verdict.unwanted += found.len() as u64 - known;
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two clients; the first is told `a` of its orders (acknowledged, refused, uncertain), the second only good news.
    fn tapes(of_first: &str) -> Vec<Tape> {
        let mut first = Tape::default();
        for told in of_first.chars() {
            first.next(0);
            first.note(match told {
                'a' => Outcome::Acknowledged,
                'r' => Outcome::Refused,
                _ => Outcome::Uncertain,
            });
        }
        let mut second = Tape::default();
        for _ in 0..3 {
            second.next(1);
            second.note(Outcome::Acknowledged);
        }
        vec![first, second]
    }

    /// What a side has that took those orders of the first client, and all of the second.
    fn side(of_first: &[u64]) -> BTreeMap<(u32, u64), Found> {
        let mut all = BTreeMap::new();
        for client in 0..2_u32 {
            let mut tape = Tape::default();
            for _ in 0..10 {
                let order = tape.next(client);
                let lines_sum = order.lines().iter().sum();
                let found = Found {
                    rows: 1,
                    amount: order.amount,
                    running_sum: order.running_sum,
                    lines: 2,
                    lines_sum,
                };
                let taken = if client == 0 { of_first.contains(&order.seq) } else { order.seq <= 3 };
                if taken {
                    all.insert((client, order.seq), found);
                }
            }
        }
        all
    }

    #[test]
    fn a_clean_side() {
        let verdict = judge(&tapes("aarau"), &side(&[1, 2, 4]));
        assert!(verdict.is_clean(), "{verdict:?}");
        assert_eq!((verdict.acknowledged, verdict.uncertain_absent, verdict.uncertain_there), (6, 1, 0));
        let verdict = judge(&tapes("aarau"), &side(&[1, 2, 4, 5]));
        assert!(verdict.is_clean() && verdict.uncertain_there == 1, "{verdict:?}");
    }

    #[test]
    fn what_is_lost_and_what_is_only_late() {
        let verdict = judge(&tapes("aaaaa"), &side(&[1, 3]));
        assert_eq!((verdict.lost, verdict.behind), (1, 2));
        assert!(!verdict.is_clean());
    }

    #[test]
    fn what_should_not_be_there() {
        assert_eq!(judge(&tapes("ara"), &side(&[1, 2, 3])).unwanted, 1);
        assert_eq!(judge(&tapes("aa"), &side(&[1, 2, 3])).unwanted, 1);
        let mut doubled = side(&[1, 2]);
        doubled.get_mut(&(0, 2)).into_iter().for_each(|f| f.rows = 2);
        let verdict = judge(&tapes("au"), &doubled);
        assert_eq!((verdict.doubled, verdict.uncertain_there), (1, 1));
    }

    #[test]
    fn half_an_order_is_damaged() {
        for change in [
            (|f: &mut Found| f.lines = 1) as fn(&mut Found),
            |f| f.lines_sum += 1,
            |f| f.running_sum -= 1,
            |f| f.amount += 1,
        ] {
            let mut found = side(&[1, 2]);
            found.get_mut(&(0, 1)).into_iter().for_each(change);
            assert_eq!(judge(&tapes("aa"), &found).damaged, 1);
        }
    }
}
