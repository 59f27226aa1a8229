//! Reading the frames that a commit has appended to SQLite's WAL (SQLite documentation, "WAL-mode File Format").

use std::collections::BTreeMap;

use crate::StoreError;
use crate::disk::DiskFile;

const HEADER: u64 = 32;
const FRAME_HEADER: usize = 24;
/// SQLite's lock page: the one that holds byte 2^30. It is never part of the database.
const LOCK_BYTE: u64 = 1 << 30;

/// Where reading goes on.
#[derive(Debug, Default, Clone)]
pub(crate) struct Cursor {
    salt: [u8; 8],
    /// Frames read in this generation of the WAL.
    pub(crate) frames: u64,
    /// The newest frame of each page in this generation.
    newest: BTreeMap<u32, u64>,
}

/// The pages of one commit.
pub(crate) struct Commit {
    pub(crate) pages: BTreeMap<u32, Vec<u8>>,
    pub(crate) database_pages: u32,
    /// The WAL began anew with this commit.
    pub(crate) restarted: bool,
}

fn be32(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_be_bytes)
}

impl Cursor {
    /// Reads the one commit that stands behind the cursor.
    ///
    /// Frames behind it may be left over from a transaction that spilled and was rolled back, so reading stops at the
    /// first commit frame.
    pub(crate) fn read_commit(&mut self, wal: &dyn DiskFile, page_size: usize) -> Result<Commit, StoreError> {
        let io = |e: std::io::Error| StoreError::io("read SQLite's WAL", &e);
        let mut header = [0; HEADER as usize];
        if wal.read_at("wal header", 0, &mut header).map_err(io)? < header.len() {
            return Err(StoreError::Corrupt("SQLite's WAL has no header after a commit".to_owned()));
        }
        let salt: [u8; 8] = header.get(16..24).and_then(|s| s.try_into().ok()).unwrap_or_default();
        let restarted = salt != self.salt;
        if restarted {
            *self = Cursor { salt, ..Cursor::default() };
        }
        let frame_size = FRAME_HEADER + page_size;
        let mut commit = Commit { pages: BTreeMap::new(), database_pages: 0, restarted };
        let mut buffer = vec![0; frame_size * 8];
        loop {
            let offset = HEADER + self.frames * frame_size as u64;
            let read = wal.read_at("wal frames", offset, &mut buffer).map_err(io)?;
            let whole = read / frame_size;
            if whole == 0 {
                return Err(StoreError::Corrupt("SQLite's WAL ends before its commit".to_owned()));
            }
            for frame in buffer.chunks(frame_size).take(whole) {
                let (head, page) = frame.split_at_checked(FRAME_HEADER).unwrap_or((&[], &[]));
                if head.get(8..16) != Some(&salt[..]) {
                    return Err(StoreError::Corrupt("SQLite's WAL ends before its commit".to_owned()));
                }
                let number = be32(head, 0);
                self.newest.insert(number, self.frames);
                self.frames += 1;
                if u64::from(number) != LOCK_BYTE / page_size as u64 + 1 {
                    commit.pages.insert(number, page.to_vec());
                }
                if be32(head, 4) != 0 {
                    commit.database_pages = be32(head, 4);
                    return Ok(commit);
                }
            }
        }
    }

    /// The newest version of a page in this generation, if it is in the WAL at all.
    pub(crate) fn page(
        &self,
        wal: &dyn DiskFile,
        number: u32,
        page_size: usize,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(frame) = self.newest.get(&number) else { return Ok(None) };
        let offset = HEADER + frame * (FRAME_HEADER + page_size) as u64 + FRAME_HEADER as u64;
        let mut page = vec![0; page_size];
        let read = wal
            .read_at("wal page", offset, &mut page)
            .map_err(|e| StoreError::io("read SQLite's WAL", &e))?;
        Ok((read == page_size).then_some(page))
    }
}
