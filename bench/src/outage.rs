//! How long nobody can write while the roles change: a writer that knows both addresses.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::load::{FIRST_KEY, PAYLOAD};
use crate::{Result, Target};

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(1);
/// An answer that has not come by then is not waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// A writer that inserts rows, one after the other, where it can.
#[derive(Debug)]
pub struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    stop: AtomicBool,
}

#[derive(Debug, Default, Clone)]
struct State {
    /// Which address acknowledged last, and when.
    last: Option<(usize, Instant)>,
    /// From the last acknowledgement of one address to the first of the other.
    outages: Vec<Duration>,
    tally: Tally,
    /// Why the last attempt failed.
    refusal: String,
}

/// What the writer has done.
#[derive(Debug, Default, Clone, Copy)]
pub struct Tally {
    /// Rows that were acknowledged.
    pub acknowledged: u64,
    /// Rows of which it is not known.
    pub unknown: u64,
}

impl Writer {
    /// Begins to write into the table `t`, at the first address.
    pub fn start(targets: [Target; 2]) -> Result<Writer> {
        let shared = Arc::new(Shared::default());
        let writing = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || write(&targets, &writing))
            .map_err(|e| format!("a writer: {e}"))?;
        Ok(Writer { shared, thread: Some(thread) })
    }

    /// How many changes of the address there have been.
    pub fn changes(&self) -> usize {
        self.state().outages.len()
    }

    /// Waits for the outage of that number; the first is 0.
    pub fn outage(&self, number: usize) -> Result<Duration> {
        let begun = Instant::now();
        loop {
            let state = self.state();
            if let Some(outage) = state.outages.get(number) {
                return Ok(*outage);
            }
            if begun.elapsed() > Duration::from_secs(30) {
                return Err(format!("the writer cannot write: {}", state.refusal));
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Waits until some more rows have been acknowledged.
    pub fn wait_for_rows(&self, rows: u64) -> Result<()> {
        let (begun, wanted) = (Instant::now(), self.state().tally.acknowledged + rows);
        while self.state().tally.acknowledged < wanted {
            if begun.elapsed() > Duration::from_secs(30) {
                return Err(format!("the writer cannot write: {}", self.state().refusal));
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Ends; gives what was written.
    pub fn stop(mut self) -> Tally {
        self.end();
        self.state().tally
    }

    fn end(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by itself.
            drop(thread.join());
        }
    }

    fn state(&self) -> State {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.end();
    }
}

/// Writes until it is stopped; after a failure at the other address, with a new connection.
fn write(targets: &[Target; 2], shared: &Shared) {
    let mut key = FIRST_KEY;
    let mut at = 0;
    while !shared.stop.load(Ordering::Relaxed) {
        let why = match write_at(&targets[at], at, &mut key, shared) {
            Ok(()) => return,
            Err(why) => why,
        };
        shared.state.lock().unwrap_or_else(PoisonError::into_inner).refusal = why;
        at = 1 - at;
        std::thread::sleep(PAUSE);
    }
}

fn write_at(target: &Target, at: usize, key: &mut u32, shared: &Shared) -> Result<()> {
    let mut session = target.open()?;
    session.set_patience(PATIENCE)?;
    let mut request = session.request_with_keys(&["INSERT INTO t VALUES (", &format!(", '{PAYLOAD}')")]);
    while !shared.stop.load(Ordering::Relaxed) {
        // A key is never used again: an insert that failed may have been made.
        *key += 1;
        let done = session.round_trip(request.with_key(*key));
        let now = Instant::now();
        let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        match done {
            Ok(_) => state.acknowledge(at, now),
            Err(why) => {
                state.tally.unknown += 1;
                return Err(why);
            }
        }
    }
    Ok(())
}

impl State {
    fn acknowledge(&mut self, at: usize, now: Instant) {
        self.tally.acknowledged += 1;
        if let Some((_, last)) = self.last.filter(|(before, _)| *before != at) {
            self.outages.push(now.duration_since(last));
        }
        self.last = Some((at, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_from_the_last_here_to_the_first_there() {
        let zero = Instant::now();
        let mut state = State::default();
        for (at, ms) in [(0, 0), (0, 10), (1, 35), (1, 36), (0, 40)] {
            state.acknowledge(at, zero + Duration::from_millis(ms));
        }
        assert_eq!(state.outages, [Duration::from_millis(25), Duration::from_millis(4)]);
        assert_eq!(state.tally.acknowledged, 5);
    }
}
