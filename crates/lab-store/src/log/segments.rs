//! The log's files: their format and names, and how one is made ready before records go into it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use super::state::Shared;
use crate::disk::DiskFile;
use crate::record::record_length;
use crate::{Disk, Lsn, StoreError};

const MAGIC: &[u8; 8] = b"MLSEG001";
pub(crate) const HEADER: u64 = 64;
/// Bytes of log in a segment, unless one record needs more.
pub(crate) const SEGMENT: u64 = 2 << 20;
/// A segment that was prepared ahead is that many times as long: the database is written to.
const SPARE: u64 = 4;

/// The files that the writer of the moment needs.
#[derive(Default)]
pub(super) struct Segments {
    open: Option<Open>,
    /// Zeroed and synced, under a name that is no segment's.
    spare: Option<Arc<dyn DiskFile>>,
}

/// The segment being written.
pub(super) struct Open {
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

impl Shared {
    /// Writes records where they belong; whether more than half of the segment is used and no spare is there.
    pub(super) fn write(
        &self,
        segments: &mut Segments,
        bytes: &[u8],
        mut at: Lsn,
    ) -> Result<bool, StoreError> {
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
    pub(super) fn open_segment(
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

    pub(super) fn prepare_spare(&self) {
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
    use crate::log::Log;

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
