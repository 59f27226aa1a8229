//! Reading the log back: every record from a position on, up to where the log ends.
//!
//! A record that does not verify ends the log if nothing proves that it had been hardened. What proves it: the control
//! file, which says how far the log was durable when it was written; a later segment, which is made only when everything
//! before it is durable; a later record, which says what was durable when it was written.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::log::{HEADER, header_is_good, segment_path, segments};
use crate::{Disk, History, Lsn, ParsedRecord, Record, StoreError, read_record};

/// How far the log goes, and how far that is proved to be durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Replayed {
    pub(crate) end: Lsn,
    pub(crate) proved: Lsn,
}

/// A segment as it is on disk.
struct Segment {
    path: PathBuf,
    start: Lsn,
    bytes: Vec<u8>,
}

impl Segment {
    fn read(disk: &Arc<dyn Disk>, dir: &Path, start: Lsn) -> Result<Segment, StoreError> {
        let io = |e: std::io::Error| StoreError::io("read the log", &e);
        let path = segment_path(dir, start);
        let file = disk.open("segment open", &path, false).map_err(io)?;
        let len = file.len("segment length").map_err(io)?.min(2 << 30);
        let mut bytes = vec![0; len as usize];
        let read = file.read_at("segment read", 0, &mut bytes).map_err(io)?;
        bytes.truncate(read);
        Ok(Segment { path, start, bytes })
    }

    /// The record that stands at `at`, if it is of the fork that belongs there, and its length.
    fn record(&self, at: Lsn, history: &History) -> Option<(Record, usize)> {
        let rest = self.bytes.get((HEADER + at.0.checked_sub(self.start.0)?) as usize..)?;
        // Before the checksum, which costs more.
        if rest.get(16..24)? != at.0.to_le_bytes() {
            return None;
        }
        match read_record(rest) {
            ParsedRecord::Record(record, len) if record.lsn == at && record.fork == history.fork_at(at) => {
                Some((*record, len))
            }
            ParsedRecord::Record(..) | ParsedRecord::NeedMore | ParsedRecord::Malformed => None,
        }
    }

    fn corrupt(&self, at: Lsn, found: &str) -> StoreError {
        if !header_is_good(&self.bytes, self.start) {
            return StoreError::Corrupt(format!(
                "{}, offset 0: the header of a log segment is expected, its checksum is wrong, {found}",
                self.path.display()
            ));
        }
        StoreError::Corrupt(format!(
            "{}, offset {}: a record with LSN {at} ({}) is expected, {found}",
            self.path.display(),
            HEADER + at.0.saturating_sub(self.start.0),
            at.hex()
        ))
    }

    /// The log ends here at `at`: nothing behind it may prove that it once went further.
    fn refuse_later_records(&self, at: Lsn, history: &History) -> Result<(), StoreError> {
        let header_is_good = header_is_good(&self.bytes, self.start);
        let end = self.start.0 + (self.bytes.len() as u64).saturating_sub(HEADER);
        for later in (at.0..end).step_by(8).map(Lsn) {
            // The header is durable before the first record is written.
            if let Some((record, _)) = self.record(later, history)
                && (record.hardened > at || !header_is_good)
            {
                return Err(self.corrupt(at, &format!("the record at {later} shows that it was durable")));
            }
        }
        Ok(())
    }
}

/// Reads every record from `from` on, in order, each of the fork that it belongs to there. The log is known to have been durable up to `proved`.
///
/// # Errors
/// Corruption, as described above, and whatever `each` says.
pub(crate) fn replay(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    from: Lsn,
    proved: Lsn,
    history: &History,
    mut each: impl FnMut(Record) -> Result<(), StoreError>,
) -> Result<Replayed, StoreError> {
    let mut done = Replayed { end: from, proved: proved.max(from) };
    let starts = segments(disk, dir)?;
    let first = starts.iter().rposition(|s| *s <= from).unwrap_or(0);
    if starts.is_empty() && from > Lsn(0) {
        // A truncated log keeps its newest segment.
        return Err(StoreError::Io(format!("read the log: {} holds no segment of it", dir.display())));
    }
    let mut last = None;
    for start in starts.into_iter().skip(first) {
        let segment = Segment::read(disk, dir, start)?;
        if last.is_some() && start != done.end || start > done.end {
            return Err(match last {
                Some(last) => {
                    Segment::corrupt(&last, done.end, &format!("the next segment begins at {start}"))
                }
                None => segment.corrupt(done.end, "the segment that holds it is missing"),
            });
        }
        done.proved = done.proved.max(start);
        if header_is_good(&segment.bytes, start) {
            while let Some((record, len)) = segment.record(done.end, history) {
                done.proved = done.proved.max(record.hardened);
                each(record)?;
                done.end = Lsn(done.end.0 + len as u64);
            }
        }
        last = Some(segment);
    }
    if let Some(last) = &last {
        last.refuse_later_records(done.end, history)?;
    }
    if done.end < done.proved {
        return Err(StoreError::Corrupt(format!(
            "the log in {} ends at {} ({}), it was durable up to {} ({})",
            dir.display(),
            done.end,
            done.end.hex(),
            done.proved,
            done.proved.hex()
        )));
    }
    Ok(done)
}

/// Writes again, and syncs, what stands in the log between `from` and `end`.
///
/// It was read, but may be in the page cache alone: after a kill nobody has synced it, and after a failed sync the system
/// takes it for clean and would not write it either.
pub(crate) fn harden(disk: &Arc<dyn Disk>, dir: &Path, from: Lsn, end: Lsn) -> Result<(), StoreError> {
    let io = |e: std::io::Error| StoreError::io("harden the end of the log", &e);
    let starts = segments(disk, dir)?;
    for (n, start) in starts.iter().enumerate() {
        let next = starts.get(n + 1).copied().unwrap_or(end).min(end);
        let begin = from.max(*start);
        if begin >= next {
            continue;
        }
        let file = disk.open("segment open", &segment_path(dir, *start), false).map_err(io)?;
        let mut bytes = vec![0; (next.0 - begin.0) as usize];
        let offset = HEADER + begin.0 - start.0;
        let read = file.read_at("segment read", offset, &mut bytes).map_err(io)?;
        bytes.truncate(read);
        file.write_at("log write", offset, &bytes).map_err(io)?;
        file.sync("log sync").map_err(|e| StoreError::sync("harden the end of the log", &e))?;
    }
    // So that the newest segment's name is durable, too.
    disk.sync_dir("log folder", dir).map_err(|e| StoreError::sync("harden the end of the log", &e))
}
