//! The log on disk: segments, and the thread that hardens records.
//!
//! A segment is a file `<first LSN in hex>.log`: 64 bytes of header, then records. It is zeroed and synced before its
//! first record, so that appending changes no metadata and a sync costs one write.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::disk::DiskFile;
use crate::{Disk, Lsn, ParsedRecord, Record, StoreError, read_record};

const MAGIC: &[u8; 8] = b"MLSEG001";
const HEADER: u64 = 64;
/// Bytes of log in a segment, unless one record needs more.
const SEGMENT: u64 = 2 << 20;

/// The log of one database.
pub(crate) struct Log {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
    /// Woken by new records only.
    work: Condvar,
}

struct State {
    /// Encoded records that are not yet written.
    pending: Vec<u8>,
    /// Where the next record will stand.
    end: Lsn,
    hardened: Lsn,
    failure: Option<String>,
    stopping: bool,
    syncs: u64,
    bytes: u64,
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
                stopping: false,
                syncs: 0,
                bytes: 0,
            }),
            changed: Condvar::new(),
            work: Condvar::new(),
        });
        let thread = Arc::clone(&shared);
        let writer = std::thread::Builder::new()
            .name("log writer".to_owned())
            .stack_size(256 << 10)
            .spawn(move || thread.write_loop())
            .map_err(|e| StoreError::io("start the log writer", &e))?;
        Ok(Log { shared, writer: Mutex::new(Some(writer)) })
    }

    /// Appends what `make` builds for the position it is given, and returns the position behind it.
    pub(crate) fn append(&self, make: impl FnOnce(Lsn, Lsn) -> Record) -> Lsn {
        let mut state = self.shared.lock();
        let bytes = make(state.end, state.hardened).encode();
        state.pending.extend_from_slice(&bytes);
        state.end = Lsn(state.end.0 + bytes.len() as u64);
        state.bytes += bytes.len() as u64;
        let end = state.end;
        drop(state);
        self.shared.work.notify_one();
        end
    }

    /// Waits until everything before `lsn` is durable.
    pub(crate) fn wait(&self, lsn: Lsn) -> Result<(), StoreError> {
        let mut state = self.shared.lock();
        while state.hardened < lsn {
            if let Some(why) = &state.failure {
                return Err(StoreError::Failed(why.clone()));
            }
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
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
        self.shared.lock().failure.get_or_insert(why);
        self.shared.changed.notify_all();
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
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer
            && writer.join().is_err()
        {
            // The writer's panic was printed by its own thread; there is nobody left to tell.
            self.shared.lock().failure.get_or_insert("the log writer panicked".to_owned());
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_loop(&self) {
        let mut open = None;
        loop {
            let (bytes, at) = {
                let mut state = self.lock();
                while state.pending.is_empty() && !state.stopping {
                    state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                if state.pending.is_empty() {
                    return;
                }
                (std::mem::take(&mut state.pending), state.hardened)
            };
            let written = self.write(&mut open, &bytes, at);
            let mut state = self.lock();
            match written {
                Ok(()) => {
                    state.hardened = Lsn(at.0 + bytes.len() as u64);
                    state.syncs += 1;
                }
                // A failed sync is final: what is on disk now is not known, so nothing more is written behind it.
                Err(e) => {
                    state.failure.get_or_insert(e.to_string());
                }
            }
            let failed = state.failure.is_some();
            drop(state);
            self.changed.notify_all();
            if failed {
                return;
            }
        }
    }

    fn write(&self, open: &mut Option<Open>, bytes: &[u8], mut at: Lsn) -> Result<(), StoreError> {
        let io = |e: std::io::Error| StoreError::io("write the log", &e);
        let mut rest = bytes;
        while !rest.is_empty() {
            let segment = match open.take() {
                Some(segment) => segment,
                None => self.open_segment(at, record_length(rest))?,
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
            *open = Some(segment);
        }
        Ok(())
    }

    /// A new segment that begins at `start`, zeroed and durable.
    fn open_segment(&self, start: Lsn, at_least: usize) -> Result<Open, StoreError> {
        let io = |e: std::io::Error| StoreError::io("make a log segment", &e);
        let capacity = SEGMENT.max(at_least as u64);
        let path = segment_path(&self.dir, start);
        let file = self.disk.open("segment open", &path, true).map_err(io)?;
        let zeros = vec![0; 256 << 10];
        let mut offset = 0;
        while offset < HEADER + capacity {
            let n = (HEADER + capacity - offset).min(zeros.len() as u64);
            file.write_at("segment zero", offset, zeros.get(..n as usize).unwrap_or(&zeros)).map_err(io)?;
            offset += n;
        }
        let mut header = MAGIC.to_vec();
        header.extend(start.0.to_le_bytes());
        header.extend(capacity.to_le_bytes());
        file.write_at("segment header", 0, &header).map_err(io)?;
        file.sync("segment sync").map_err(io)?;
        self.disk.sync_dir("log folder", &self.dir).map_err(io)?;
        Ok(Open { file, start, capacity })
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
