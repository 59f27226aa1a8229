//! Reading the log while it is written: for log backups, and for whoever ships it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::database::lock;
use crate::disk::DiskFile;
use crate::log::{HEADER, segment_path, segments};
use crate::{Database, Disk, History, Lsn, ParsedRecord, Record, StoreError, read_record};

/// Positions from which on the log is kept for its readers.
#[derive(Debug, Default)]
pub(crate) struct Pins {
    positions: Mutex<(u64, BTreeMap<u64, Lsn>)>,
}

impl Pins {
    fn lock(&self) -> MutexGuard<'_, (u64, BTreeMap<u64, Lsn>)> {
        self.positions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the log from `from` on. The caller knows that it has not been let go yet.
    pub(crate) fn pin(self: &Arc<Pins>, from: Lsn) -> LogPin {
        let mut positions = self.lock();
        positions.0 += 1;
        let key = positions.0;
        positions.1.insert(key, from);
        LogPin { pins: Arc::clone(self), key }
    }

    /// How much of what lies before `floor` may be let go.
    pub(crate) fn hold(&self, floor: Lsn) -> Lsn {
        self.lock().1.values().copied().fold(floor, Lsn::min)
    }
}

/// Keeps the log from a position on, as long as it lives.
#[derive(Debug)]
pub struct LogPin {
    pins: Arc<Pins>,
    key: u64,
}

impl LogPin {
    /// Keeps the log from `to` on only. Going back keeps nothing that was let go already.
    pub fn advance(&self, to: Lsn) {
        self.pins.lock().1.insert(self.key, to);
    }

    /// From where the log is kept.
    pub fn position(&self) -> Lsn {
        self.pins.lock().1.get(&self.key).copied().unwrap_or_default()
    }
}

impl Drop for LogPin {
    fn drop(&mut self) {
        self.pins.lock().1.remove(&self.key);
    }
}

/// A record with the bytes that it stands in the log as.
#[derive(Debug)]
pub struct RawRecord {
    /// The record.
    pub record: Record,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Reads a stretch of hardened log, record by record.
pub struct LogReader {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    at: Lsn,
    to: Lsn,
    history: History,
    open: Option<Open>,
    /// Log from `at` on that was read already.
    buffer: Vec<u8>,
    /// How much of the buffer's beginning is used up.
    used: usize,
}

struct Open {
    file: Arc<dyn DiskFile>,
    start: Lsn,
    /// Where the next segment begins.
    end: Lsn,
}

/// How much is read at once, unless a record is longer.
const CHUNK: u64 = 256 << 10;

impl std::fmt::Debug for LogReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogReader").field("at", &self.at).field("to", &self.to).finish_non_exhaustive()
    }
}

impl LogReader {
    /// Reads from `from`, where a record begins, up to the end of the history, which is hardened.
    pub(crate) fn new(disk: Arc<dyn Disk>, dir: &Path, from: Lsn, history: History) -> LogReader {
        let (dir, to) = (dir.to_owned(), history.end);
        LogReader { disk, dir, at: from, to, history, open: None, buffer: Vec::new(), used: 0 }
    }

    /// Whether a record begins where reading begins.
    ///
    /// # Errors
    /// The log cannot be read.
    pub(crate) fn begins_record(&mut self) -> Result<bool, StoreError> {
        if self.buffer.len() < 24 {
            self.fill()?;
        }
        Ok(self.buffer.get(16..24) == Some(&self.at.0.to_le_bytes()))
    }

    /// The next record.
    ///
    /// # Errors
    /// The log was let go before it was read, or does not verify.
    pub fn next_record(&mut self) -> Result<Option<RawRecord>, StoreError> {
        if self.at >= self.to {
            return Ok(None);
        }
        loop {
            match read_record(self.buffer.get(self.used..).unwrap_or_default()) {
                ParsedRecord::Record(record, len)
                    if record.lsn == self.at && record.fork == self.history.fork_at(self.at) =>
                {
                    let bytes = self.buffer.get(self.used..self.used + len).unwrap_or_default().to_vec();
                    self.used += len;
                    self.at = Lsn(self.at.0 + len as u64);
                    return Ok(Some(RawRecord { record: *record, bytes }));
                }
                ParsedRecord::NeedMore if self.fill()? => {}
                ParsedRecord::Record(..) | ParsedRecord::NeedMore | ParsedRecord::Malformed => {
                    return Err(self.corrupt("there is no record that verifies"));
                }
            }
        }
    }

    /// Reads more of the log behind `at`; whether there was any. As much again as there is of a long record, so that it is
    /// not looked at too often.
    fn fill(&mut self) -> Result<bool, StoreError> {
        self.buffer.drain(..self.used.min(self.buffer.len()));
        self.used = 0;
        let have = self.buffer.len() as u64;
        if have == 0 && self.open.as_ref().is_some_and(|o| self.at >= o.end) {
            self.open = None;
        }
        if self.open.is_none() {
            self.open = Some(self.open_segment()?);
        }
        let Some(open) = &self.open else { return Ok(false) };
        let from = self.at.0 + have;
        let end = self.to.min(open.end).0;
        let n = end.saturating_sub(from).min(have.max(CHUNK));
        if n == 0 {
            return Ok(false);
        }
        let mut more = vec![0; n as usize];
        let read = open
            .file
            .read_at("log read", HEADER + from - open.start.0, &mut more)
            .map_err(|e| StoreError::io("read the log", &e))?;
        more.truncate(read);
        self.buffer.extend_from_slice(&more);
        Ok(read > 0)
    }

    fn open_segment(&self) -> Result<Open, StoreError> {
        let starts = segments(&self.disk, &self.dir)?;
        let Some(n) = starts.iter().rposition(|s| *s <= self.at) else {
            return Err(self.corrupt("the segment that holds it is missing"));
        };
        let start = starts.get(n).copied().unwrap_or(self.at);
        let path = segment_path(&self.dir, start);
        let file = self
            .disk
            .open("segment open", &path, false)
            .map_err(|e| StoreError::io("open a log segment", &e))?;
        Ok(Open { file, start, end: starts.get(n + 1).copied().unwrap_or(self.to) })
    }

    fn corrupt(&self, what: &str) -> StoreError {
        StoreError::Corrupt(format!(
            "the log in {} is expected to have a record at {} ({}): {what}",
            self.dir.display(),
            self.at,
            self.at.hex()
        ))
    }
}

impl Database {
    /// Keeps the log from `from` on, and reads from there up to what is hardened now.
    ///
    /// # Errors
    /// The database has no log.
    pub fn read_log(&self, from: Lsn) -> Result<(LogReader, LogPin), StoreError> {
        let logged =
            self.logged.as_ref().ok_or_else(|| StoreError::Io("the database has no log".to_owned()))?;
        let pin = logged.pins.pin(from);
        let history = lock(&logged.control).history(logged.log.hardened());
        Ok((LogReader::new(Arc::clone(&self.disk), &self.dir, from, history), pin))
    }
}
