//! How links were lately: what the lag chart draws. Kept in memory, bounded, and gone with the server: whoever wants more has `/metrics`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use milink_core::moment::Moment;
use milink_core::status::{DatabaseStatus, LinkStatus};
use serde::Serialize;

/// Points of one link: ten minutes at a look a second.
const POINTS_MAX: usize = 600;
/// Links that are kept; what is beyond them is not drawn.
const LINKS_MAX: usize = 1000;

/// A link at one moment. What nobody said is `None`, and is a gap in the chart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Point {
    /// When.
    pub(crate) at: Moment,
    /// The worst estimated data loss of its databases, in seconds.
    pub(crate) loss_seconds: Option<u64>,
    /// Log that has not been sent, of all databases, in KiB.
    pub(crate) send_queue_kb: Option<u64>,
    /// Log that has not been redone, of all databases, in KiB.
    pub(crate) redo_queue_kb: Option<u64>,
}

impl Point {
    /// Of a look in which nobody spoke of the link.
    fn gap(at: Moment) -> Point {
        Point { at, loss_seconds: None, send_queue_kb: None, redo_queue_kb: None }
    }

    fn of(link: &LinkStatus) -> Point {
        let all = |pick: fn(&DatabaseStatus) -> Option<u64>| {
            let known: Option<Vec<u64>> = link.databases.iter().map(pick).collect();
            known.filter(|known| !known.is_empty())
        };
        let sum = |pick| all(pick).map(|all| all.into_iter().fold(0, u64::saturating_add));
        Point {
            at: link.seen_at,
            loss_seconds: all(|d| d.data_loss_seconds).and_then(|all| all.into_iter().max()),
            send_queue_kb: sum(|d| d.send_queue_kb),
            redo_queue_kb: sum(|d| d.redo_queue_kb),
        }
    }
}

/// The last points of each link of a context.
#[derive(Debug, Default)]
pub(crate) struct History(Mutex<BTreeMap<String, VecDeque<Point>>>);

impl History {
    /// Takes a look at `at`. A link that nobody speaks of has a gap while somebody is `silent`, who may know of it; it is forgotten only when
    /// everybody answers: an outage must not wipe out how it came to it.
    pub(crate) fn take(&self, at: Moment, links: &[LinkStatus], silent: bool) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let spoken: BTreeSet<&str> = links.iter().map(|l| l.name.as_str()).collect();
        if !silent {
            kept.retain(|name, _| spoken.contains(name.as_str()));
        }
        for (_, points) in kept.iter_mut().filter(|(name, _)| !spoken.contains(name.as_str())) {
            push(points, Point::gap(at));
        }
        for link in links {
            if kept.len() >= LINKS_MAX && !kept.contains_key(&link.name) {
                continue;
            }
            push(kept.entry(link.name.clone()).or_default(), Point::of(link));
        }
    }

    /// A link's points, oldest first.
    pub(crate) fn of(&self, link: &str) -> Vec<Point> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(link).map(|points| points.iter().copied().collect()).unwrap_or_default()
    }
}

fn push(points: &mut VecDeque<Point>, point: Point) {
    if points.len() == POINTS_MAX {
        points.pop_front();
    }
    points.push_back(point);
}

#[cfg(test)]
mod tests {
    use milink_core::observe::{Observation, Seen};
    use milink_core::status;

    use super::*;

    #[test]
    fn points_are_bounded_and_links_that_are_gone_are_forgotten() {
        fn silent<T>() -> Seen<T> {
            Seen::Unknown { at: Moment::from_unix_ms(0), why: "no answer".to_owned() }
        }
        let at = Moment::from_unix_ms(0);
        let seen =
            Observation { at, sql_server: silent(), managed: silent(), azure: silent(), probes: Vec::new() };
        let link = status::link("sales", &seen);
        let history = History::default();
        for _ in 0..POINTS_MAX + 5 {
            history.take(at, std::slice::from_ref(&link), true);
        }
        assert_eq!(history.of("sales").len(), POINTS_MAX);
        assert_eq!(history.of("sales")[0].loss_seconds, None, "unknown is no number");
        let later = Moment::from_unix_ms(1000);
        history.take(later, &[], true);
        let points = history.of("sales");
        assert_eq!(points.len(), POINTS_MAX, "an outage wipes out nothing");
        assert_eq!(points.last(), Some(&Point::gap(later)), "and is a gap");
        history.take(later, &[], false);
        assert!(history.of("sales").is_empty());
    }
}
