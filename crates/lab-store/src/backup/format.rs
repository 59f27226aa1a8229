//! The bytes of a backup device. Nothing here touches a file.
//!
//! A device begins with 64 bytes:
//!
//! | bytes | what |
//! |---|---|
//! | 8 | magic `MLBACKUP` |
//! | 4 | version |
//! | 16 + 16 | media set, media family |
//! | 8 | when it was formatted, 100 ns since 0001-01-01 |
//! | 8 | zeros |
//! | 4 | CRC-32C of the 60 bytes before it |
//!
//! Behind it stand backups, one after the other; each is a sequence of blocks: one set header, its pages or its log, one
//! set trailer. A block:
//!
//! | bytes | what |
//! |---|---|
//! | 4 | magic `MLBK` |
//! | 4 | kind: 1 set header, 2 pages, 3 log, 4 set trailer |
//! | 4 | number within the backup, from 0: a block that is missing or moved is noticed |
//! | 4 + 4 | bytes stored, bytes unpacked; at most 1 MiB each |
//! | 4 | 1 if the bytes are LZ4, else 0 |
//! | 4 | zeros |
//! | 4 | CRC-32C of the 28 bytes before it and of the stored bytes |
//!
//! Headers and trailers are JSON. Pages are numbers (4) and pages, in ascending order; log is the log's own records, cut
//! anywhere. Integers are little-endian.

use serde::{Deserialize, Serialize};

use crate::{ForkId, ForkPoint, History, Lsn, RecoveryModel};

const MEDIA_MAGIC: &[u8; 8] = b"MLBACKUP";
const BLOCK_MAGIC: &[u8; 4] = b"MLBK";
/// The version that is written; older ones are read.
pub(crate) const VERSION: u32 = 1;
/// Bytes that a device begins with.
pub(crate) const MEDIA_HEADER: usize = 64;
/// Bytes that a block begins with.
pub(crate) const BLOCK_HEADER: usize = 32;
/// A block holds no more than this, packed or unpacked: nothing larger is ever allocated for one.
pub(crate) const BLOCK_MAX: usize = 1 << 20;

/// What a device begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaHeader {
    /// The media set.
    pub set: [u8; 16],
    /// The media family within it.
    pub family: [u8; 16],
    /// When it was formatted, 100 ns since 0001-01-01.
    pub formatted: i64,
}

/// Why the first bytes of a file are no media header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MediaFault {
    /// Something else, or damaged.
    NotMedia,
    /// Written by a newer program.
    Newer(u32),
}

impl MediaHeader {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = MEDIA_MAGIC.to_vec();
        out.extend(VERSION.to_le_bytes());
        out.extend(self.set);
        out.extend(self.family);
        out.extend(self.formatted.to_le_bytes());
        out.resize(MEDIA_HEADER - 4, 0);
        out.extend(crc32c::crc32c(&out).to_le_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<MediaHeader, MediaFault> {
        let parse = || {
            let (head, crc) = bytes.get(..MEDIA_HEADER)?.split_at_checked(MEDIA_HEADER - 4)?;
            if head.get(..8)? != MEDIA_MAGIC || crc32c::crc32c(head).to_le_bytes() != crc {
                return None;
            }
            let header = MediaHeader {
                set: head.get(12..28)?.try_into().ok()?,
                family: head.get(28..44)?.try_into().ok()?,
                formatted: i64::from_le_bytes(head.get(44..52)?.try_into().ok()?),
            };
            Some((u32::from_le_bytes(head.get(8..12)?.try_into().ok()?), header))
        };
        match parse() {
            None => Err(MediaFault::NotMedia),
            Some((version, _)) if version > VERSION => Err(MediaFault::Newer(version)),
            Some((_, header)) => Ok(header),
        }
    }
}

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlockKind {
    Header,
    Pages,
    Log,
    Trailer,
}

impl BlockKind {
    fn number(self) -> u32 {
        match self {
            BlockKind::Header => 1,
            BlockKind::Pages => 2,
            BlockKind::Log => 3,
            BlockKind::Trailer => 4,
        }
    }
}

/// What a block begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockHead {
    pub(crate) kind: BlockKind,
    pub(crate) number: u32,
    pub(crate) stored: usize,
    unpacked: usize,
    packed: bool,
    crc: u32,
}

/// A block as bytes; `content` is at most [`BLOCK_MAX`].
pub(crate) fn encode_block(kind: BlockKind, number: u32, content: &[u8], compress: bool) -> Vec<u8> {
    assert!(content.len() <= BLOCK_MAX, "a block of {} bytes", content.len());
    let packed = if compress { lz4_flex::compress(content) } else { Vec::new() };
    // What does not get smaller is stored as it is, so that no block outgrows its bound.
    let is_packed = compress && packed.len() < content.len();
    let stored = if is_packed { &packed } else { content };
    let mut out = Vec::with_capacity(BLOCK_HEADER + stored.len());
    out.extend(BLOCK_MAGIC);
    out.extend(kind.number().to_le_bytes());
    out.extend(number.to_le_bytes());
    out.extend((stored.len() as u32).to_le_bytes());
    out.extend((content.len() as u32).to_le_bytes());
    out.extend(u32::from(is_packed).to_le_bytes());
    out.extend([0; 4]);
    let crc = crc32c::crc32c_append(crc32c::crc32c(&out), stored);
    out.extend(crc.to_le_bytes());
    out.extend(stored);
    out
}

/// Reads the head of a block; nothing if it is none.
pub(crate) fn decode_head(bytes: &[u8]) -> Option<BlockHead> {
    let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    if bytes.get(..4)? != BLOCK_MAGIC || word(24)? != 0 {
        return None;
    }
    let kind = match word(4)? {
        1 => BlockKind::Header,
        2 => BlockKind::Pages,
        3 => BlockKind::Log,
        4 => BlockKind::Trailer,
        _ => return None,
    };
    let (stored, unpacked) = (word(12)? as usize, word(16)? as usize);
    let packed = match word(20)? {
        0 if stored == unpacked => false,
        1 => true,
        _ => return None,
    };
    (stored <= BLOCK_MAX && unpacked <= BLOCK_MAX).then_some(BlockHead {
        kind,
        number: word(8)?,
        stored,
        unpacked,
        packed,
        crc: word(28)?,
    })
}

/// What a block holds; nothing if it is not what was written.
pub(crate) fn decode_content(head_bytes: &[u8], head: &BlockHead, stored: &[u8]) -> Option<Vec<u8>> {
    let crc = crc32c::crc32c_append(crc32c::crc32c(head_bytes.get(..BLOCK_HEADER - 4)?), stored);
    if crc != head.crc || stored.len() != head.stored {
        return None;
    }
    let content =
        if head.packed { lz4_flex::decompress(stored, head.unpacked).ok()? } else { stored.to_vec() };
    (content.len() == head.unpacked).then_some(content)
}

/// What is in a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BackupKind {
    /// Every page.
    Full,
    /// A stretch of the log.
    Log,
}

/// What a full backup says about its pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PagesFacts {
    /// Pages of the database, the lock page counted.
    pub database_pages: u32,
    /// The database's checksum.
    pub checksum: u64,
}

/// What a backup begins with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetHeader {
    /// Version of the content behind it.
    pub format: u32,
    /// The backup's own id.
    pub set: [u8; 16],
    /// Its number on the device, from 1.
    pub position: u32,
    /// What it holds.
    pub kind: BackupKind,
    /// It is no part of the chain of backups.
    pub copy_only: bool,
    /// WITH COMPRESSION.
    pub compressed: bool,
    /// WITH CHECKSUM. The blocks are checked in any case.
    pub checksums: bool,
    /// Everything before this is in it or in an earlier backup.
    pub first_lsn: Lsn,
    /// Everything before this is in it.
    pub last_lsn: Lsn,
    /// Where redo begins.
    pub checkpoint_lsn: Lsn,
    /// `checkpoint_lsn` of the last full backup of the chain.
    pub database_backup_lsn: Option<Lsn>,
    /// The recovery fork that `last_lsn` is on.
    pub fork: ForkId,
    /// The forks before it, oldest first.
    pub forks: Vec<ForkPoint>,
    /// Bytes of a page.
    pub page_size: u32,
    /// Of a full backup.
    pub pages: Option<PagesFacts>,
    /// The database's recovery model.
    pub recovery_model: RecoveryModel,
    /// When it began, 100 ns since 0001-01-01.
    pub started: i64,
    /// The database.
    pub database_name: String,
    /// The server it was taken on.
    pub server_name: String,
    /// Who took it.
    pub user_name: String,
    /// WITH NAME.
    pub name: Option<String>,
    /// WITH DESCRIPTION.
    pub description: Option<String>,
    /// What else the server knows about the database; the store does not look into it.
    pub attributes: String,
}

impl SetHeader {
    /// The fork that the database began with: it tells one database from another, through every restore.
    pub fn family(&self) -> ForkId {
        self.forks.first().map_or(self.fork, |f| f.fork)
    }

    /// The forks that it went through.
    pub fn history(&self) -> History {
        History { fork: self.fork, forks: self.forks.clone(), end: self.last_lsn }
    }

    /// Where the fork began.
    pub fn fork_point(&self) -> Option<Lsn> {
        self.forks.last().map(|f| f.end)
    }

    /// Whether it is the first log backup behind a full one.
    pub fn begins_log_chain(&self) -> bool {
        self.kind == BackupKind::Log && self.database_backup_lsn == Some(self.first_lsn)
    }

    /// Whether a database that is at `at` on `fork` is on the way to this backup.
    pub(crate) fn follows(&self, fork: &ForkId, at: Lsn) -> bool {
        *fork == self.fork || self.forks.iter().any(|f| f.fork == *fork && at <= f.end)
    }
}

/// What a backup ends with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetTrailer {
    /// When it was finished, 100 ns since 0001-01-01.
    pub finished: i64,
    /// Blocks before this one.
    pub blocks: u32,
    /// Bytes of pages and log before they were packed.
    pub content_bytes: u64,
    /// Bytes of the blocks before this one.
    pub stored_bytes: u64,
}

/// Reads a header or a trailer.
pub(crate) fn decode_json<T: for<'a> Deserialize<'a>>(content: &[u8]) -> Option<T> {
    serde_json::from_slice(content).ok()
}

/// A header or trailer as a block's content.
pub(crate) fn encode_json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("headers and trailers hold no map")
}
