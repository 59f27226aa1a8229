//! Reading the frames that a commit has appended to SQLite's WAL (SQLite documentation, "WAL-mode File Format").

use std::collections::BTreeMap;
use std::sync::Arc;

use lab_vfs::Wal;

use crate::StoreError;
use crate::record::lock_page;

const HEADER: u64 = 32;
const FRAME_HEADER: usize = 24;

/// Where reading goes on.
#[derive(Debug, Default)]
pub(crate) struct Cursor {
    salt: [u8; 8],
    /// Frames read in this generation of the WAL.
    pub(crate) frames: u64,
    /// The newest frame of each page in this generation.
    newest: BTreeMap<u32, u64>,
}

/// The pages of one commit.
pub(crate) struct Commit {
    pub(crate) pages: BTreeMap<u32, Arc<[u8]>>,
    pub(crate) database_pages: u32,
    /// The WAL began anew with this commit.
    pub(crate) restarted: bool,
    salt: [u8; 8],
    /// The frame behind the commit.
    end: u64,
    newest: Vec<(u32, u64)>,
}

fn be32(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_be_bytes)
}

impl Cursor {
    /// Reads the one commit that stands behind the cursor.
    ///
    /// Frames behind it may be left over from a transaction that spilled and was rolled back, so reading stops at the
    /// first commit frame.
    pub(crate) fn read_commit(&self, wal: &Wal, page_size: usize) -> Result<Commit, StoreError> {
        let io = |e: std::io::Error| StoreError::io("read SQLite's WAL", &e);
        let ends = || StoreError::Corrupt("SQLite's WAL ends before its commit".to_owned());
        let mut header = [0; HEADER as usize];
        if wal.read_at(0, &mut header).map_err(io)? < header.len() {
            return Err(StoreError::Corrupt("SQLite's WAL has no header after a commit".to_owned()));
        }
        let salt: [u8; 8] = header.get(16..24).and_then(|s| s.try_into().ok()).unwrap_or_default();
        let restarted = salt != self.salt;
        let mut commit = Commit {
            pages: BTreeMap::new(),
            database_pages: 0,
            restarted,
            salt,
            end: if restarted { 0 } else { self.frames },
            newest: Vec::new(),
        };
        let mut frame = vec![0; FRAME_HEADER + page_size];
        while commit.database_pages == 0 {
            let offset = HEADER + commit.end * frame.len() as u64;
            if wal.read_at(offset, &mut frame).map_err(io)? < frame.len() {
                return Err(ends());
            }
            let (head, page) = frame.split_at_checked(FRAME_HEADER).ok_or_else(ends)?;
            if head.get(8..16) != Some(&salt[..]) {
                return Err(ends());
            }
            let number = be32(head, 0);
            commit.newest.push((number, commit.end));
            commit.end += 1;
            if number != lock_page(page_size) {
                commit.pages.insert(number, Arc::from(page));
            }
            commit.database_pages = be32(head, 4);
        }
        // A transaction may spill pages that it cuts off in the end.
        commit.pages.retain(|number, _| *number <= commit.database_pages);
        Ok(commit)
    }

    /// Goes on behind a commit that was read from here.
    pub(crate) fn advance(&mut self, commit: &Commit) {
        self.salt = commit.salt;
        self.frames = commit.end;
        self.newest.extend(commit.newest.iter().copied());
    }

    /// The newest version of a page in this generation, if it is in the WAL at all.
    pub(crate) fn page(
        &self,
        wal: &Wal,
        number: u32,
        page_size: usize,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(frame) = self.newest.get(&number) else { return Ok(None) };
        let offset = HEADER + frame * (FRAME_HEADER + page_size) as u64 + FRAME_HEADER as u64;
        let mut page = vec![0; page_size];
        let read = wal.read_at(offset, &mut page).map_err(|e| StoreError::io("read SQLite's WAL", &e))?;
        Ok((read == page_size).then_some(page))
    }
}
