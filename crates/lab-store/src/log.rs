//! The log on disk: segments, and how records are hardened.
//!
//! A segment is a file `<first LSN in hex>.log`: 64 bytes of header, then records. It is zeroed and synced before its
//! first record, so that appending changes no metadata and a sync costs one write. It gets its name only when everything
//! before it is durable: that it exists proves so. Reading it back is [`crate::replay`]'s part.
//!
//! Whoever needs a record hardened and finds nobody writing becomes the writer for all records that are there: a lone
//! session's commit goes through no other thread. If more has come meanwhile, the log's own thread takes over until
//! nothing is left (group commit). It also hardens what nobody asks for, and prepares segments ahead. Who needs a record
//! hardened either sleeps, or leaves behind what is to be done then, and goes on.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::backup::Pins;
use crate::disk::DiskFile;
use crate::record::{RECORD_MAX, record_length, stamp};
use crate::tail::Tail;
use crate::waiters::{Departure, Place, Waiter, Waiters};
use crate::{Disk, Lsn, Record, StoreError};

const MAGIC: &[u8; 8] = b"MLSEG001";
pub(crate) const HEADER: u64 = 64;
/// Bytes of log in a segment, unless one record needs more.
pub(crate) const SEGMENT: u64 = 2 << 20;
/// A segment that was prepared ahead is that many times as long: the database is written to.
const SPARE: u64 = 4;
/// How long a record may stay unhardened that nobody waits for.
const LINGER: Duration = Duration::from_millis(5);

/// Told how far the log is hardened.
pub type HardenObserver = Arc<dyn Fn(Lsn) + Send + Sync>;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Station {
    /// That it is durable here.
    Hardened,
    /// That it is durable here, and not held back: a commit may be acknowledged.
    Committed,
}

/// The log of one database.
pub(crate) struct Log {
    shared: Arc<Shared>,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    segment_bytes: u64,
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
    failure: Option<StoreError>,
    /// What SQLite shows is not what the log holds: not even what is hardened may be told any more.
    parted: bool,
    /// First LSN of the newest segment that is durable. One that is being made does not count: it may not come to be.
    newest_segment: Lsn,
    /// Somebody writes.
    writing: bool,
    /// The log's own thread writes until nothing is left.
    keeping: bool,
    /// Who waits until a position is hardened.
    waiters: Waiters,
    /// Who waits until a commit may be acknowledged.
    commits: Waiters,
    /// Commits behind this are not acknowledged, however durable they are here.
    hold: Option<Lsn>,
    observer: Option<HardenObserver>,
    /// What was hardened last.
    tail: Tail,
    /// Where the oldest segment begins.
    oldest: Lsn,
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
    /// How far a station has got.
    fn reached(&self, station: Station) -> Lsn {
        match (station, self.hold) {
            (Station::Committed, Some(hold)) => self.hardened.min(hold),
            (Station::Committed, None) | (Station::Hardened, _) => self.hardened,
        }
    }

    /// What has become of a position, once that is known.
    fn result(&self, station: Station, lsn: Lsn) -> Option<Result<(), StoreError>> {
        if self.reached(station) >= lsn && !self.parted {
            return Some(Ok(()));
        }
        self.failure.as_ref().map(|why| Err(StoreError::Failed(Box::new(why.clone()))))
    }

    /// Takes out everybody whose position is reached, or all if none will be any more.
    fn take_served(&mut self) -> Vec<Waiter> {
        let (hardened, committed) = (self.reached(Station::Hardened), self.reached(Station::Committed));
        let mut served =
            if self.failure.is_some() { self.waiters.take_all() } else { self.waiters.take_up_to(hardened) };
        served.extend(if self.failure.is_some() {
            self.commits.take_all()
        } else {
            self.commits.take_up_to(committed)
        });
        served
    }

    /// Whether a session may write by itself.
    fn may_write(&self) -> bool {
        !self.writing && !self.keeping && !self.pending.is_empty()
    }
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
        let shared = Arc::new(Shared {
            disk,
            dir: dir.to_owned(),
            segment_bytes,
            state: Mutex::new(State {
                pending: Vec::new(),
                end,
                hardened: end,
                failure: None,
                parted: false,
                newest_segment,
                writing: false,
                keeping: false,
                waiters: Waiters::default(),
                commits: Waiters::default(),
                hold: None,
                observer: None,
                tail: Tail::default(),
                oldest,
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

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes and syncs what is pending, as the one who writes, and wakes who has waited for it.
    fn harden<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.writing = true;
        let (mut bytes, at) = (std::mem::take(&mut state.pending), state.hardened);
        drop(state);
        // Everything before this write is durable by now: found later, each record proves it.
        stamp(&mut bytes, at);
        let written = {
            let mut segments = self.segments.lock().unwrap_or_else(PoisonError::into_inner);
            self.write(&mut segments, &bytes, at)
        };
        let mut state = self.lock();
        state.writing = false;
        match written {
            Ok(used) => {
                state.hardened = Lsn(at.0 + bytes.len() as u64);
                state.tail.push(at, bytes);
                state.syncs += 1;
                if used && !state.spare_wanted {
                    state.spare_wanted = true;
                    self.work.notify_one();
                }
            }
            // A failed sync is final: what is on disk now is not known, so nothing more is written behind it.
            Err(e) => {
                state.failure.get_or_insert(e);
            }
        }
        let result = match &state.failure {
            Some(why) => Err(StoreError::Failed(Box::new(why.clone()))),
            None => Ok(()),
        };
        let served = state.take_served();
        if !state.waiters.is_empty() || (!state.commits.is_empty() && !state.pending.is_empty()) {
            // The disk should not wait until all the others are served.
            self.call_keeper(&mut state);
        }
        let observer = state.observer.clone().filter(|_| result.is_ok());
        let hardened = state.hardened;
        drop(state);
        // The way to the peer and back is longer than the one to the sessions here.
        if let Some(observer) = observer {
            observer(hardened);
        }
        served.into_iter().for_each(|w| w.served(result.clone()));
        self.lock()
    }

    /// A waiter's place. If nobody writes, the log's own thread does; who writes now looks for waiters when it is done.
    fn enter(&self, state: &mut State, station: Station, lsn: Lsn, waiter: Waiter) -> Place {
        let place = match station {
            Station::Hardened => state.waiters.enter(lsn, waiter),
            Station::Committed => state.commits.enter(lsn, waiter),
        };
        // One that is held back has nothing left to be written.
        if !state.writing && state.hardened < lsn {
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
            segment.file.sync("log sync").map_err(|e| StoreError::sync("sync the log", &e))?;
            at = Lsn(at.0 + fitting as u64);
            rest = later;
            segments.open = Some(segment);
        }
        let half = segments.open.as_ref().is_some_and(|s| at.0 - s.start.0 > s.capacity / 2);
        Ok(half && segments.spare.is_none())
    }

    /// A new segment that begins at `start`, zeroed and durable.
    ///
    /// # Errors
    /// [`StoreError::Full`] if there is no room for it: no record has been written.
    fn open_segment(
        &self,
        spare: &mut Option<Arc<dyn DiskFile>>,
        start: Lsn,
        at_least: usize,
    ) -> Result<Open, StoreError> {
        let io = |e: std::io::Error| StoreError::io("make a log segment", &e);
        let unknown = |e: std::io::Error| StoreError::sync("make a log segment", &e);
        let path = segment_path(&self.dir, start);
        let prepared = spare.take().filter(|_| at_least as u64 <= self.spare_bytes());
        let (file, capacity) = match prepared {
            Some(file) => {
                self.disk.rename("segment rename", &spare_path(&self.dir), &path).map_err(unknown)?;
                (file, self.spare_bytes())
            }
            None => {
                let capacity = self.segment_bytes.max(at_least as u64);
                (self.zeroed(&path, HEADER + capacity).map_err(io)?, capacity)
            }
        };
        file.write_at("segment header", 0, &segment_header(start, capacity)).map_err(io)?;
        file.sync("segment sync").map_err(unknown)?;
        self.disk.sync_dir("log folder", &self.dir).map_err(unknown)?;
        self.lock().newest_segment = start;
        Ok(Open { file, start, capacity })
    }

    fn spare_bytes(&self) -> u64 {
        self.segment_bytes * SPARE
    }

    /// A file of that many zero bytes, written and not just allocated. What it took is given back if there is no room for
    /// all of it.
    fn zeroed(&self, path: &Path, len: u64) -> std::io::Result<Arc<dyn DiskFile>> {
        let file = self.disk.open("segment open", path, true)?;
        // What an earlier log has left under this name must not be read behind the end of this one.
        file.set_len("segment cut", 0)?;
        let zeros = vec![0; len.min(256 << 10) as usize];
        let mut offset = 0;
        while offset < len {
            let n = (len - offset).min(zeros.len() as u64);
            let written = file.write_at("segment zero", offset, zeros.get(..n as usize).unwrap_or(&zeros));
            if let Err(e) = written {
                return Err(match file.set_len("segment cut", 0) {
                    Ok(()) => e,
                    Err(also) => std::io::Error::new(e.kind(), format!("{e}; giving its room back: {also}")),
                });
            }
            offset += n;
        }
        Ok(file)
    }

    fn prepare_spare(&self) {
        // NB: while one was being made a writer may have asked for it again. By the time that a second one was zeroed, the
        // first, which has its name, may be a segment with records in it.
        if self.segments.lock().unwrap_or_else(PoisonError::into_inner).spare.is_some() {
            return;
        }
        let made = self.zeroed(&spare_path(&self.dir), HEADER + self.spare_bytes());
        let made = made.and_then(|file| file.sync("spare sync").map(|()| file));
        // NB: a failure is not kept. The writer makes its segment itself then, and fails by itself if it must.
        if let Ok(file) = made {
            self.segments.lock().unwrap_or_else(PoisonError::into_inner).spare = Some(file);
        }
    }
}

/// Magic, first LSN, capacity, CRC-32C of these, zeros.
fn segment_header(start: Lsn, capacity: u64) -> [u8; HEADER as usize] {
    let mut fields = MAGIC.to_vec();
    fields.extend(start.0.to_le_bytes());
    fields.extend(capacity.to_le_bytes());
    fields.extend(crc32c::crc32c(&fields).to_le_bytes());
    let mut header = [0; HEADER as usize];
    header.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
    header
}

pub(crate) fn header_is_good(bytes: &[u8], start: Lsn) -> bool {
    let capacity = bytes.get(16..24).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes);
    bytes.get(..HEADER as usize) == Some(&segment_header(start, capacity)[..])
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spare_that_is_there_is_not_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::start(Arc::new(crate::RealDisk), folder.path(), Lsn(0), SEGMENT).unwrap();
        log.shared.prepare_spare();
        // As a writer does that takes the spare while the keeper makes another.
        let spare = log.shared.segments.lock().unwrap().spare.clone().unwrap();
        spare.write_at("segment write", 0, b"records").unwrap();
        log.shared.prepare_spare();
        let mut read = [0; 7];
        spare.read_at("segment read", 0, &mut read).unwrap();
        assert_eq!(&read, b"records");
    }
}
