//! How long a secondary shows less than was acknowledged: commits at a fixed rate on one side, one row read again and again on
//! the other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::load::{self, FIRST_KEY};
use crate::{Result, Session, Target};

/// A run.
#[derive(Debug, Clone, Copy)]
pub struct Paced {
    /// Commits a second, of all connections.
    pub rate: u32,
    /// How many connections make them, in turn.
    pub connections: u32,
    /// Before measuring begins.
    pub warm_up: Duration,
    /// How long is measured.
    pub duration: Duration,
}

/// What a run gave.
#[derive(Debug, Clone)]
pub struct Lag {
    /// Commits a second that were really made.
    pub rate: f64,
    /// From each commit of the first connection to its being seen on the secondary, nanoseconds, in order of size.
    pub sorted_ns: Vec<u64>,
    /// Reads a second that the secondary answered.
    pub reads: f64,
}

/// Between two reads. Without it the reader alone keeps a core busy, and what is measured is how long redo waits for one.
const READ_PAUSE: Duration = Duration::from_micros(50);
/// After the last commit.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs it on the tables that [`load::prepare`] has made for transactions.
///
/// Every connection commits the transaction of [`load::Workload::Transaction`], which sets a row of its own to the
/// transaction's key. The reader reads the row of the first connection: a commit is visible when an answer has arrived that
/// shows its key or a later one.
pub fn run(primary: &Target, secondary: &Target, paced: &Paced) -> Result<Lag> {
    let mut writers = Vec::new();
    for number in 0..paced.connections {
        writers.push((number, load::open_transaction(primary)?));
    }
    let reader = secondary.open()?;
    let done = AtomicBool::new(false);
    // All connections are open by then.
    let begin = Instant::now() + Duration::from_millis(50);
    let (acknowledged, seen) = std::thread::scope(|scope| {
        let reading = scope.spawn(|| read(reader, &done));
        let writing: Vec<_> = writers
            .into_iter()
            .map(|(number, writer)| scope.spawn(move || write(writer, number, paced, begin)))
            .collect();
        let acknowledged: Vec<Result<Vec<(u32, Instant)>>> = writing
            .into_iter()
            .map(|t| t.join().unwrap_or_else(|_| Err("a writer panicked".to_owned())))
            .collect();
        // The reader goes on until it has seen the last one.
        if let Some(Ok(first)) = acknowledged.first() {
            let last = first.last().map_or(0, |(key, _)| *key);
            let told = wait_visible(secondary, last);
            done.store(true, Ordering::Relaxed);
            told?;
        }
        done.store(true, Ordering::Relaxed);
        let seen = reading.join().unwrap_or_else(|_| Err("the reader panicked".to_owned()))?;
        Ok::<_, String>((acknowledged.into_iter().collect::<Result<Vec<_>>>()?, seen))
    })?;
    let (from, to) = (begin + paced.warm_up, begin + paced.warm_up + paced.duration);
    let measured = |at: &Instant| (from..to).contains(at);
    let commits = acknowledged.iter().flatten().filter(|(_, at)| measured(at)).count();
    let probes = acknowledged.first().map(Vec::as_slice).unwrap_or_default();
    let mut sorted_ns = lags(probes.iter().filter(|(_, at)| measured(at)), &seen.changes)?;
    sorted_ns.sort_unstable();
    Ok(Lag { rate: commits as f64 / paced.duration.as_secs_f64(), sorted_ns, reads: seen.rate })
}

fn wait_visible(secondary: &Target, key: u32) -> Result<()> {
    let mut session = secondary.open()?;
    let begun = Instant::now();
    while session.value(&query())? != key.to_string() {
        if begun.elapsed() > PATIENCE {
            return Err(format!("the last commit was not visible after {} s", PATIENCE.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

fn query() -> String {
    format!("SELECT n FROM balances WHERE id = {FIRST_KEY}")
}

/// Commits on the connection's share of the schedule. One that is late is made at once.
fn write(
    (mut session, mut request): (Session, crate::request::Request),
    number: u32,
    paced: &Paced,
    begin: Instant,
) -> Result<Vec<(u32, Instant)>> {
    let end = begin + paced.warm_up + paced.duration;
    let first_key = load::first_key(number);
    let mut out = Vec::new();
    for n in 0.. {
        let due = begin
            + Duration::from_secs_f64(f64::from(n * paced.connections + number) / f64::from(paced.rate));
        if due >= end {
            break;
        }
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let key = first_key + n + 1;
        session.round_trip(request.with_keys(&[key, key, FIRST_KEY + number]))?;
        out.push((key, Instant::now()));
    }
    Ok(out)
}

struct Seen {
    /// The row's value, and when it was first seen.
    changes: Vec<(u32, Instant)>,
    rate: f64,
}

fn read(mut session: Session, done: &AtomicBool) -> Result<Seen> {
    let request = session.request(&query());
    let mut changes: Vec<(u32, Instant)> = Vec::new();
    let begun = Instant::now();
    let mut reads = 0_u32;
    while !done.load(Ordering::Relaxed) {
        let value = session.value_of(&request)?;
        let at = Instant::now();
        std::thread::sleep(READ_PAUSE);
        let value = value.parse().map_err(|e| format!("the row says {value}: {e}"))?;
        reads += 1;
        if changes.last().is_none_or(|(last, _)| *last != value) {
            changes.push((value, at));
        }
    }
    Ok(Seen { changes, rate: f64::from(reads) / begun.elapsed().as_secs_f64() })
}

/// From each acknowledgement to the first sight of it or a later one; one that was seen before it was acknowledged has none.
fn lags<'a>(
    acknowledged: impl Iterator<Item = &'a (u32, Instant)>,
    changes: &[(u32, Instant)],
) -> Result<Vec<u64>> {
    let mut changes = changes.iter().peekable();
    let mut out = Vec::new();
    for (key, at) in acknowledged {
        while changes.next_if(|(value, _)| value < key).is_some() {}
        let (_, seen) = changes.peek().ok_or_else(|| format!("the commit of {key} was never seen"))?;
        out.push(seen.saturating_duration_since(*at).as_nanos() as u64);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_visible_with_it_or_a_later_one() {
        let zero = Instant::now();
        let at = |us| zero + Duration::from_micros(us);
        let changes = [(0, at(0)), (5, at(50)), (7, at(90))];
        let acknowledged = [(5, at(60)), (6, at(70)), (7, at(80))];
        assert_eq!(lags(acknowledged.iter(), &changes), Ok(vec![0, 20_000, 10_000]));
        assert!(lags([(8, at(95))].iter(), &changes).is_err());
    }
}
