//! The log on disk: what the rest of the store asks of it. Its files are [`segments`], who writes is decided in [`writing`],
//! and how far it has got is [`state`].
//!
//! A segment is a file `<first LSN in hex>.log`: 64 bytes of header, then records. It is zeroed and synced before its
//! first record, so that appending changes no metadata and a sync costs one write. It gets its name only when everything
//! before it is durable: that it exists proves so. Reading it back is [`crate::replay`]'s part.
//!
//! Whoever needs a record hardened and finds nobody writing becomes the writer for all records that are there: a lone
//! session's commit goes through no other thread. If more has come meanwhile, the log's own thread takes over until
//! nothing is left (group commit). It also hardens what nobody asks for, and prepares segments ahead. Who needs a record
//! hardened either sleeps, or leaves behind what is to be done then, and goes on.

mod segments;
mod state;
mod writing;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::backup::Pins;
use crate::record::RECORD_MAX;
use crate::waiters::{Departure, Waiter};
use crate::{Disk, Lsn, Record, StoreError};

pub(crate) use segments::{HEADER, SEGMENT, header_is_good, segment_path, segments};
pub(crate) use state::Station;
use state::{Shared, State};

/// Told how far the log is hardened.
pub type HardenObserver = Arc<dyn Fn(Lsn) + Send + Sync>;

/// The log of one database.
pub(crate) struct Log {
    shared: Arc<Shared>,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

impl Log {
    /// Starts appending at `end`; what lies there is overwritten.
    pub(crate) fn start(
        disk: Arc<dyn Disk>,
        dir: &Path,
        end: Lsn,
        segment_bytes: u64,
    ) -> Result<Log, StoreError> {
        // Recovery has synced their names.
        let starts = segments(&disk, dir)?;
        let newest_segment = starts.last().copied().unwrap_or_default();
        let oldest = starts.first().copied().unwrap_or(end);
        let state = State::starting_at(end, newest_segment, oldest);
        let shared = Arc::new(Shared::new(disk, dir, segment_bytes, state));
        let thread = Arc::clone(&shared);
        let keeper = std::thread::Builder::new()
            .name("log keeper".to_owned())
            .stack_size(256 << 10)
            .spawn(move || thread.keep())
            .map_err(|e| StoreError::io("start the log's thread", &e))?;
        Ok(Log { shared, keeper: Mutex::new(Some(keeper)) })
    }

    /// Makes the segment that a log begins with whose first LSN is not 0.
    pub(crate) fn begin(disk: &Arc<dyn Disk>, dir: &Path, start: Lsn) -> Result<(), StoreError> {
        Log::start(Arc::clone(disk), dir, start, SEGMENT)?
            .shared
            .open_segment(&mut None, start, 0)
            .map(|_| ())
    }

    /// Appends what `make` builds for the position it is given, and returns the position behind it. The caller holds the
    /// database's gate: nobody else appends meanwhile.
    ///
    /// # Errors
    /// The log has failed, or the record is longer than any that recovery would believe.
    pub(crate) fn append(&self, make: impl FnOnce(Lsn, Lsn) -> Record) -> Result<Lsn, StoreError> {
        let (at, hardened) = {
            let state = self.shared.lock();
            if let Some(why) = &state.failure {
                return Err(StoreError::Failed(Box::new(why.clone())));
            }
            (state.end, state.hardened)
        };
        let bytes = make(at, hardened).encode();
        let len = bytes.len();
        if len > RECORD_MAX {
            return Err(StoreError::Io(format!(
                "a transaction of {len} bytes of log is longer than the {RECORD_MAX} that a log record can have"
            )));
        }
        self.append_records(at, &bytes)
    }

    /// Appends whole records that begin at `at`, the log's end, and returns the position behind them. Nobody else appends
    /// meanwhile.
    ///
    /// # Errors
    /// The log has failed.
    pub(crate) fn append_records(&self, at: Lsn, bytes: &[u8]) -> Result<Lsn, StoreError> {
        let mut state = self.shared.lock();
        if let Some(why) = &state.failure {
            return Err(StoreError::Failed(Box::new(why.clone())));
        }
        assert!(state.end == at, "two appended at once: {} is not {at}", state.end);
        state.pending.extend_from_slice(bytes);
        state.end = Lsn(at.0 + bytes.len() as u64);
        state.bytes += bytes.len() as u64;
        let end = state.end;
        if std::mem::take(&mut state.idle) {
            self.shared.work.notify_one();
        }
        Ok(end)
    }

    /// Waits until everything before `lsn` is durable, and helps.
    ///
    /// # Errors
    /// The log has failed before that.
    pub(crate) fn wait(&self, lsn: Lsn) -> Result<(), StoreError> {
        self.wait_at(Station::Hardened, lsn)
    }

    /// Waits until everything before `lsn` has reached a station, and helps.
    ///
    /// # Errors
    /// The log has failed before that.
    pub(crate) fn wait_at(&self, station: Station, lsn: Lsn) -> Result<(), StoreError> {
        let mut state = self.shared.lock();
        loop {
            if let Some(result) = state.result(station, lsn) {
                return result;
            }
            if state.may_write() {
                state = self.shared.harden(state);
                continue;
            }
            let asleep = Waiter::Asleep(std::thread::current());
            let me = self.shared.enter(&mut state, station, lsn, asleep);
            drop(state);
            std::thread::park();
            state = self.shared.lock();
            match station {
                Station::Hardened => state.waiters.leave(me),
                Station::Committed => state.commits.leave(me),
            }
        }
    }

    /// Whether it is known what has become of a position, after helping.
    pub(crate) fn is_settled(&self, station: Station, lsn: Lsn) -> bool {
        let mut state = self.shared.lock();
        if state.result(station, lsn).is_none() && state.may_write() {
            state = self.shared.harden(state);
        }
        state.result(station, lsn).is_some()
    }

    /// Does something once everything before `lsn` has reached a station, or the log has failed: now, or by whoever brings
    /// it there.
    pub(crate) fn then(&self, station: Station, lsn: Lsn, departure: Departure) {
        let mut state = self.shared.lock();
        if state.result(station, lsn).is_none() && state.may_write() {
            state = self.shared.harden(state);
        }
        match state.result(station, lsn) {
            Some(result) => {
                drop(state);
                departure(result);
            }
            None => {
                self.shared.enter(&mut state, station, lsn, Waiter::Gone(departure));
            }
        }
    }

    /// From now on no commit behind `hold` is acknowledged; with nothing, none is held. Serves those who are free to go.
    pub(crate) fn hold(&self, hold: Option<Lsn>) {
        let mut state = self.shared.lock();
        state.hold = hold;
        if state.failure.is_some() {
            return;
        }
        let served = state.take_served();
        drop(state);
        served.into_iter().for_each(|w| w.served(Ok(())));
    }

    pub(crate) fn observe(&self, observer: Option<HardenObserver>) {
        self.shared.lock().observer = observer;
    }

    /// Chunks of log in memory from the one that holds `from` on, what is hardened, and where the oldest segment begins.
    /// From now on the newest log is kept in memory.
    pub(crate) fn in_memory(&self, from: Lsn, max: usize) -> (Vec<(Lsn, Arc<Vec<u8>>)>, Lsn, Lsn) {
        let mut state = self.shared.lock();
        state.tail.wanted = true;
        (state.tail.from(from, max), state.hardened, state.oldest)
    }

    /// Where the oldest segment begins.
    pub(crate) fn oldest(&self) -> Lsn {
        self.shared.lock().oldest
    }

    pub(crate) fn end(&self) -> Lsn {
        self.shared.lock().end
    }

    pub(crate) fn hardened(&self) -> Lsn {
        self.shared.lock().hardened
    }

    pub(crate) fn failure(&self) -> Option<StoreError> {
        self.shared.lock().failure.clone()
    }

    /// Makes every later wait fail: the log and the pages may have parted.
    pub(crate) fn fail(&self, why: StoreError) {
        let mut state = self.shared.lock();
        let why = state.failure.get_or_insert(why).clone();
        state.parted = true;
        let waiters = state.take_served();
        drop(state);
        waiters.into_iter().for_each(|w| w.served(Err(StoreError::Failed(Box::new(why.clone())))));
    }

    /// Makes every later append fail. What is durable can still be told; commits that are held back fail.
    pub(crate) fn close(&self, why: StoreError) {
        let mut state = self.shared.lock();
        let why = state.failure.get_or_insert(why).clone();
        let held = state.commits.take_all();
        drop(state);
        held.into_iter().for_each(|w| w.served(Err(StoreError::Failed(Box::new(why.clone())))));
    }

    /// Syncs and bytes since the start.
    pub(crate) fn counters(&self) -> (u64, u64) {
        let state = self.shared.lock();
        (state.syncs, state.bytes)
    }

    /// Removes segments that lie wholly before `floor` and before what is pinned; the newest stays in any case.
    pub(crate) fn truncate(&self, floor: Lsn, pins: &Pins) -> Result<(), StoreError> {
        let io = |e: std::io::Error| StoreError::io("truncate the log", &e);
        let starts = segments(&self.shared.disk, &self.shared.dir)?;
        // Who pins a position asks for the oldest one after that: it is held back here, or is told that it comes too late.
        let mut state = self.shared.lock();
        let floor = pins.hold(floor).min(state.newest_segment);
        state.oldest =
            starts.iter().rfind(|start| **start <= floor).map_or(state.oldest, |s| state.oldest.max(*s));
        drop(state);
        let mut removed = false;
        for pair in starts.windows(2) {
            if let [start, next] = pair
                && *next <= floor
            {
                self.shared
                    .disk
                    .remove("segment remove", &segment_path(&self.shared.dir, *start))
                    .map_err(io)?;
                removed = true;
            }
        }
        if removed { self.shared.disk.sync_dir("log folder", &self.shared.dir).map_err(io) } else { Ok(()) }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.shared.lock().stopping = true;
        self.shared.work.notify_all();
        let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take();
        // NB: what departs by the log's own thread may hold the last of the store; that thread cannot wait for itself.
        if let Some(keeper) = keeper.filter(|k| k.thread().id() != std::thread::current().id())
            && keeper.join().is_err()
        {
            // The thread's panic was printed by itself; there is nobody left to tell.
            let panicked = StoreError::Io("the log's thread has panicked".to_owned());
            self.shared.lock().failure.get_or_insert(panicked);
        }
    }
}
