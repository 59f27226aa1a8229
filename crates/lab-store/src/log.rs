//! The log on disk: segments, and how records are hardened.
//!
//! A segment is a file `<first LSN in hex>.log`: 64 bytes of header, then records. It is zeroed and synced before its
//! first record, so that appending changes no metadata and a sync costs one write.
//!
//! Whoever needs a record hardened and finds nobody writing becomes the writer for all records that are there: a lone
//! session's commit goes through no other thread. If more has come meanwhile, the log's own thread takes over until
//! nothing is left (group commit). It also hardens what nobody asks for, and prepares segments ahead. Who needs a record
//! hardened either sleeps, or leaves behind what is to be done then, and goes on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use crate::disk::DiskFile;
use crate::{Disk, Lsn, ParsedRecord, Record, StoreError, read_record};

const MAGIC: &[u8; 8] = b"MLSEG001";
const HEADER: u64 = 64;
/// Bytes of log in a segment, unless one record needs more.
const SEGMENT: u64 = 2 << 20;
/// Bytes of log in a segment that was prepared ahead: the database is written to.
const SPARE: u64 = 8 << 20;
/// How long a record may stay unhardened that nobody waits for.
const LINGER: Duration = Duration::from_millis(5);

/// What is done once a position is hardened, or never will be. It is run by whoever hardens: it must not take long.
pub type Departure = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

enum Waiter {
    Asleep(Thread),
    Gone(Departure),
}

impl Waiter {
    fn served(self, result: Result<(), StoreError>) {
        match self {
            // It looks for itself what has become of its position.
            Waiter::Asleep(thread) => thread.unpark(),
            Waiter::Gone(departure) => departure(result),
        }
    }
}

/// The log of one database.
pub(crate) struct Log {
    shared: Arc<Shared>,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    state: Mutex<State>,
    /// Wakes the log's own thread.
    work: Condvar,
    /// What the writer of the moment needs; held by nobody else.
    segments: Mutex<Segments>,
}

struct State {
    /// Encoded records that are not yet written; they begin where hardening has got to, or will have.
    pending: Vec<u8>,
    /// Where the next record will stand.
    end: Lsn,
    hardened: Lsn,
    failure: Option<String>,
    /// Somebody writes.
    writing: bool,
    /// The log's own thread writes until nothing is left.
    keeping: bool,
    /// Who waits for which position. A number tells those apart who wait for the same.
    waiters: BTreeMap<(Lsn, u64), Waiter>,
    next_waiter: u64,
    /// The log's own thread has nothing to do until it is told.
    idle: bool,
    spare_wanted: bool,
    stopping: bool,
    syncs: u64,
    bytes: u64,
}

#[derive(Default)]
struct Segments {
    open: Option<Open>,
    /// Zeroed and synced, under a name that is no segment's.
    spare: Option<Arc<dyn DiskFile>>,
}

/// The segment being written.
struct Open {
    file: Arc<dyn DiskFile>,
    start: Lsn,
    capacity: u64,
}

pub(crate) fn segment_path(dir: &Path, start: Lsn) -> PathBuf {
    dir.join(format!("{:016x}.log", start.0))
}

fn spare_path(dir: &Path) -> PathBuf {
    dir.join("spare.new")
}

impl State {
    /// What has become of a position, once that is known.
    fn result(&self, lsn: Lsn) -> Option<Result<(), StoreError>> {
        if self.hardened >= lsn {
            return Some(Ok(()));
        }
        self.failure.as_ref().map(|why| Err(StoreError::Failed(why.clone())))
    }

    /// Whether a session may write by itself.
    fn may_write(&self) -> bool {
        !self.writing && !self.keeping && !self.pending.is_empty()
    }
}

impl Log {
    /// Starts appending at `end`; what lies there is overwritten.
    pub(crate) fn start(disk: Arc<dyn Disk>, dir: &Path, end: Lsn) -> Result<Log, StoreError> {
        let shared = Arc::new(Shared {
            disk,
            dir: dir.to_owned(),
            state: Mutex::new(State {
                pending: Vec::new(),
                end,
                hardened: end,
                failure: None,
                writing: false,
                keeping: false,
                waiters: BTreeMap::new(),
                next_waiter: 0,
                idle: false,
                spare_wanted: false,
                stopping: false,
                syncs: 0,
                bytes: 0,
            }),
            work: Condvar::new(),
            segments: Mutex::default(),
        });
        let thread = Arc::clone(&shared);
        let keeper = std::thread::Builder::new()
            .name("log keeper".to_owned())
            .stack_size(256 << 10)
            .spawn(move || thread.keep())
            .map_err(|e| StoreError::io("start the log's thread", &e))?;
        Ok(Log { shared, keeper: Mutex::new(Some(keeper)) })
    }

    /// Appends what `make` builds for the position it is given, and returns the position behind it. The caller holds the
    /// database's gate: nobody else appends meanwhile.
    pub(crate) fn append(&self, make: impl FnOnce(Lsn, Lsn) -> Record) -> Lsn {
        let (at, hardened) = {
            let state = self.shared.lock();
            (state.end, state.hardened)
        };
        let bytes = make(at, hardened).encode();
        let mut state = self.shared.lock();
        assert!(state.end == at, "two appended at once: {} is not {at}", state.end);
        state.pending.extend_from_slice(&bytes);
        state.end = Lsn(at.0 + bytes.len() as u64);
        state.bytes += bytes.len() as u64;
        let end = state.end;
        if std::mem::take(&mut state.idle) {
            self.shared.work.notify_one();
        }
        end
    }

    /// Waits until everything before `lsn` is durable, and helps.
    ///
    /// # Errors
    /// The log has failed before that.
    pub(crate) fn wait(&self, lsn: Lsn) -> Result<(), StoreError> {
        let mut state = self.shared.lock();
        loop {
            if let Some(result) = state.result(lsn) {
                return result;
            }
            if state.may_write() {
                state = self.shared.harden(state);
                continue;
            }
            let me = self.shared.enter(&mut state, lsn, Waiter::Asleep(std::thread::current()));
            drop(state);
            std::thread::park();
            state = self.shared.lock();
            state.waiters.remove(&me);
        }
    }

    /// Does something once everything before `lsn` is durable, or the log has failed: now, or by whoever hardens it.
    pub(crate) fn then(&self, lsn: Lsn, departure: Departure) {
        let mut state = self.shared.lock();
        if state.result(lsn).is_none() && state.may_write() {
            state = self.shared.harden(state);
        }
        match state.result(lsn) {
            Some(result) => {
                drop(state);
                departure(result);
            }
            None => {
                self.shared.enter(&mut state, lsn, Waiter::Gone(departure));
            }
        }
    }

    pub(crate) fn end(&self) -> Lsn {
        self.shared.lock().end
    }

    pub(crate) fn hardened(&self) -> Lsn {
        self.shared.lock().hardened
    }

    pub(crate) fn failure(&self) -> Option<String> {
        self.shared.lock().failure.clone()
    }

    /// Makes every later wait fail: the log and the pages may have parted.
    pub(crate) fn fail(&self, why: String) {
        let mut state = self.shared.lock();
        let why = state.failure.get_or_insert(why).clone();
        let waiters = std::mem::take(&mut state.waiters);
        drop(state);
        waiters.into_values().for_each(|w| w.served(Err(StoreError::Failed(why.clone()))));
    }

    /// Syncs and bytes since the start.
    pub(crate) fn counters(&self) -> (u64, u64) {
        let state = self.shared.lock();
        (state.syncs, state.bytes)
    }

    /// Removes segments that lie wholly before `floor`.
    pub(crate) fn truncate(&self, floor: Lsn) -> Result<(), StoreError> {
        let io = |e: std::io::Error| StoreError::io("truncate the log", &e);
        let starts = segments(&self.shared.disk, &self.shared.dir)?;
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
        if let Some(keeper) = keeper
            && keeper.join().is_err()
        {
            // The thread's panic was printed by itself; there is nobody left to tell.
            self.shared.lock().failure.get_or_insert("the log's thread panicked".to_owned());
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes and syncs what is pending, as the one who writes, and wakes who has waited for it.
    fn harden<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.writing = true;
        let (bytes, at) = (std::mem::take(&mut state.pending), state.hardened);
        drop(state);
        let written = {
            let mut segments = self.segments.lock().unwrap_or_else(PoisonError::into_inner);
            self.write(&mut segments, &bytes, at)
        };
        let mut state = self.lock();
        state.writing = false;
        match written {
            Ok(used) => {
                state.hardened = Lsn(at.0 + bytes.len() as u64);
                state.syncs += 1;
                if used && !state.spare_wanted {
                    state.spare_wanted = true;
                    self.work.notify_one();
                }
            }
            // A failed sync is final: what is on disk now is not known, so nothing more is written behind it.
            Err(e) => {
                state.failure.get_or_insert(e.to_string());
            }
        }
        let (result, later) = match &state.failure {
            Some(why) => (Err(StoreError::Failed(why.clone())), BTreeMap::new()),
            None => {
                let behind = (Lsn(state.hardened.0.saturating_add(1)), 0);
                (Ok(()), state.waiters.split_off(&behind))
            }
        };
        let served = std::mem::replace(&mut state.waiters, later);
        if !state.waiters.is_empty() {
            // The disk should not wait until all the others are served.
            self.call_keeper(&mut state);
        }
        drop(state);
        served.into_values().for_each(|w| w.served(result.clone()));
        self.lock()
    }

    /// A waiter's place. If nobody writes, the log's own thread does; who writes now looks for waiters when it is done.
    fn enter(&self, state: &mut State, lsn: Lsn, waiter: Waiter) -> (Lsn, u64) {
        let place = (lsn, state.next_waiter);
        state.next_waiter += 1;
        state.waiters.insert(place, waiter);
        if !state.writing {
            self.call_keeper(state);
        }
        place
    }

    /// Lets the log's own thread write what is pending, and what comes meanwhile.
    fn call_keeper(&self, state: &mut State) {
        if !std::mem::replace(&mut state.keeping, true) {
            self.work.notify_one();
        }
    }

    /// The log's own thread.
    fn keep(&self) {
        let mut state = self.lock();
        loop {
            while state.pending.is_empty() && !state.spare_wanted && !state.stopping {
                state.idle = true;
                state.keeping = false;
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.idle = false;
            if state.failure.is_some() || (state.stopping && state.pending.is_empty()) {
                return;
            }
            if std::mem::take(&mut state.spare_wanted) {
                drop(state);
                self.prepare_spare();
                state = self.lock();
            }
            state = self.keep_writing(state);
        }
    }

    /// Writes what is pending at once, if it was called; else when it has lain there for some time.
    fn keep_writing<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let seen = state.end;
        let not_called = |s: &mut State| s.writing || !(s.keeping || s.stopping);
        state =
            self.work.wait_timeout_while(state, LINGER, not_called).unwrap_or_else(PoisonError::into_inner).0;
        let wanted = state.keeping || state.stopping || state.hardened < seen;
        let can = !state.writing && !state.pending.is_empty() && state.failure.is_none();
        if wanted && can { self.harden(state) } else { state }
    }

    /// Writes records where they belong; whether more than half of the segment is used and no spare is there.
    fn write(&self, segments: &mut Segments, bytes: &[u8], mut at: Lsn) -> Result<bool, StoreError> {
        let io = |e: std::io::Error| StoreError::io("write the log", &e);
        let mut rest = bytes;
        while !rest.is_empty() {
            let segment = match segments.open.take() {
                Some(segment) => segment,
                None => self.open_segment(&mut segments.spare, at, record_length(rest))?,
            };
            let room = segment.start.0 + segment.capacity - at.0;
            let fitting = whole_records(rest, room);
            if fitting == 0 {
                continue;
            }
            let (now, later) = rest.split_at_checked(fitting).unwrap_or((rest, &[]));
            segment.file.write_at("log write", HEADER + at.0 - segment.start.0, now).map_err(io)?;
            segment.file.sync("log sync").map_err(io)?;
            at = Lsn(at.0 + fitting as u64);
            rest = later;
            segments.open = Some(segment);
        }
        let half = segments.open.as_ref().is_some_and(|s| at.0 - s.start.0 > s.capacity / 2);
        Ok(half && segments.spare.is_none())
    }

    /// A new segment that begins at `start`, zeroed and durable.
    fn open_segment(
        &self,
        spare: &mut Option<Arc<dyn DiskFile>>,
        start: Lsn,
        at_least: usize,
    ) -> Result<Open, StoreError> {
        let io = |e: std::io::Error| StoreError::io("make a log segment", &e);
        let path = segment_path(&self.dir, start);
        let prepared = spare.take().filter(|_| at_least as u64 <= SPARE);
        let (file, capacity) = match prepared {
            Some(file) => {
                self.disk.rename("segment rename", &spare_path(&self.dir), &path).map_err(io)?;
                (file, SPARE)
            }
            None => {
                let capacity = SEGMENT.max(at_least as u64);
                (self.zeroed(&path, HEADER + capacity).map_err(io)?, capacity)
            }
        };
        let mut header = MAGIC.to_vec();
        header.extend(start.0.to_le_bytes());
        header.extend(capacity.to_le_bytes());
        file.write_at("segment header", 0, &header).map_err(io)?;
        file.sync("segment sync").map_err(io)?;
        self.disk.sync_dir("log folder", &self.dir).map_err(io)?;
        Ok(Open { file, start, capacity })
    }

    /// A file of that many zero bytes, written and not just allocated.
    fn zeroed(&self, path: &Path, len: u64) -> std::io::Result<Arc<dyn DiskFile>> {
        let file = self.disk.open("segment open", path, true)?;
        // What an earlier log has left under this name must not be read behind the end of this one.
        file.set_len("segment cut", 0)?;
        let zeros = vec![0; 256 << 10];
        let mut offset = 0;
        while offset < len {
            let n = (len - offset).min(zeros.len() as u64);
            file.write_at("segment zero", offset, zeros.get(..n as usize).unwrap_or(&zeros))?;
            offset += n;
        }
        Ok(file)
    }

    fn prepare_spare(&self) {
        let made = self.zeroed(&spare_path(&self.dir), HEADER + SPARE);
        let made = made.and_then(|file| file.sync("spare sync").map(|()| file));
        // NB: a failure is not kept. The writer makes its segment itself then, and fails by itself if it must.
        if let Ok(file) = made {
            self.segments.lock().unwrap_or_else(PoisonError::into_inner).spare = Some(file);
        }
    }
}

fn record_length(bytes: &[u8]) -> usize {
    bytes.get(4..8).and_then(|b| b.try_into().ok()).map_or(bytes.len(), |b| u32::from_le_bytes(b) as usize)
}

/// How many bytes of whole records fit into `room`.
fn whole_records(bytes: &[u8], room: u64) -> usize {
    let mut end = 0;
    while let Some(rest) = bytes.get(end..).filter(|r| !r.is_empty()) {
        let next = end + record_length(rest).max(8);
        if next as u64 > room {
            break;
        }
        end = next;
    }
    end.min(bytes.len())
}

/// The first LSNs of the segments in a folder, in order.
pub(crate) fn segments(disk: &Arc<dyn Disk>, dir: &Path) -> Result<Vec<Lsn>, StoreError> {
    let files = disk.list("log list", dir).map_err(|e| StoreError::io("list the log", &e))?;
    let mut starts: Vec<Lsn> = files
        .iter()
        .filter(|p| p.extension().is_some_and(|e| e == "log"))
        .filter_map(|p| p.file_stem().and_then(|s| s.to_str()).and_then(|s| u64::from_str_radix(s, 16).ok()))
        .map(Lsn)
        .collect();
    starts.sort_unstable();
    Ok(starts)
}

/// Reads every record from `from` on, in order, and returns the position behind the last one.
///
/// A record that does not verify ends the log if nothing proves that it had been hardened; if a later record says that the
/// log was hardened past it, it is corruption.
pub(crate) fn replay(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    from: Lsn,
    mut each: impl FnMut(Record) -> Result<(), StoreError>,
) -> Result<Lsn, StoreError> {
    let io = |e: std::io::Error| StoreError::io("read the log", &e);
    let mut at = from;
    let starts = segments(disk, dir)?;
    let first = starts.iter().rposition(|s| *s <= from).unwrap_or(0);
    for (n, start) in starts.iter().enumerate().skip(first) {
        if *start > at {
            return hole(disk, dir, &starts, at);
        }
        let file = disk.open("segment open", &segment_path(dir, *start), false).map_err(io)?;
        let len = file.len("segment length").map_err(io)?.min(2 << 30);
        let mut bytes = vec![0; len as usize];
        let read = file.read_at("segment read", 0, &mut bytes).map_err(io)?;
        bytes.truncate(read);
        let last = n + 1 == starts.len();
        let header_ok = bytes.get(..8) == Some(MAGIC) && bytes.get(8..16) == Some(&start.0.to_le_bytes());
        if !header_ok {
            if last {
                return Ok(at);
            }
            return Err(StoreError::Corrupt(format!("log segment {:016x} has no valid header", start.0)));
        }
        let mut offset = (HEADER + at.0 - start.0) as usize;
        while let ParsedRecord::Record(record, size) = read_record(bytes.get(offset..).unwrap_or_default()) {
            if record.lsn != at {
                break;
            }
            each(*record)?;
            at = Lsn(at.0 + size as u64);
            offset += size;
        }
        if last {
            refuse_hole(&bytes, offset, at)?;
        }
    }
    Ok(at)
}

fn hole(disk: &Arc<dyn Disk>, dir: &Path, starts: &[Lsn], at: Lsn) -> Result<Lsn, StoreError> {
    let io = |e: std::io::Error| StoreError::io("read the log", &e);
    for start in starts.iter().filter(|s| **s > at) {
        let file = disk.open("segment open", &segment_path(dir, *start), false).map_err(io)?;
        let mut bytes = vec![0; (file.len("segment length").map_err(io)?.min(2 << 30)) as usize];
        file.read_at("segment read", 0, &mut bytes).map_err(io)?;
        refuse_hole(&bytes, HEADER as usize, at)?;
    }
    Ok(at)
}

/// Looks for a record behind `offset` that was written when the log was already hardened past `at`.
fn refuse_hole(bytes: &[u8], offset: usize, at: Lsn) -> Result<(), StoreError> {
    for next in (offset..bytes.len()).step_by(8) {
        let rest = bytes.get(next..).unwrap_or_default();
        if rest.get(..4) == Some(b"MLR1")
            && let ParsedRecord::Record(record, _) = read_record(rest)
            && record.hardened > at
        {
            return Err(StoreError::Corrupt(format!(
                "the log record at {at} ({}) does not verify, and a later record shows that it had been hardened",
                at.hex()
            )));
        }
    }
    Ok(())
}
