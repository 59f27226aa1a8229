//! A backup device: a file that holds backups one behind the other.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{BackupError, DeviceFault};
use super::format::{
    BLOCK_HEADER, BLOCK_MAX, BlockKind, MEDIA_HEADER, MediaFault, MediaHeader, SetHeader, SetTrailer,
    decode_content, decode_head, decode_json, encode_block, encode_json,
};
use crate::Disk;
use crate::disk::DiskFile;

/// A device that is read.
pub struct Media {
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    len: u64,
    /// What it begins with.
    pub header: MediaHeader,
}

impl std::fmt::Debug for Media {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Media").field("path", &self.path).finish_non_exhaustive()
    }
}

/// A whole backup on a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetFacts {
    /// What it begins with.
    pub header: SetHeader,
    /// What it ends with.
    pub trailer: SetTrailer,
    /// Where it begins.
    offset: u64,
    /// Where the next one begins.
    end: u64,
}

impl SetFacts {
    /// Bytes of it on the device.
    pub fn stored_bytes(&self) -> u64 {
        self.end - self.offset
    }
}

/// The backups of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The whole ones.
    pub sets: Vec<SetFacts>,
    /// Why what follows them is none.
    pub fault: Option<BackupError>,
}

/// A block as it was read.
pub(super) struct Block {
    pub(super) kind: BlockKind,
    pub(super) content: Vec<u8>,
}

impl Media {
    /// Opens a device.
    pub fn open(disk: &Arc<dyn Disk>, path: &Path) -> Result<Media, BackupError> {
        let file = disk
            .open_read_only("backup open", path)
            .map_err(|e| BackupError::Open(DeviceFault::new(path, &e)))?;
        let read = |e: std::io::Error| BackupError::Read(DeviceFault::new(path, &e));
        let len = file.len("backup length").map_err(read)?;
        let mut bytes = [0; MEDIA_HEADER];
        let n = file.read_at("backup read", 0, &mut bytes).map_err(read)?;
        let header =
            MediaHeader::decode(bytes.get(..n).unwrap_or_default()).map_err(|fault| match fault {
                MediaFault::NotMedia => BackupError::NotMedia,
                MediaFault::Newer(version) => BackupError::Newer(version),
            })?;
        Ok(Media { path: path.to_owned(), file, len, header })
    }

    /// Opens a device if there is one: not if there is no file, or an empty one.
    pub(super) fn find(disk: &Arc<dyn Disk>, path: &Path) -> Result<Option<Media>, BackupError> {
        let fault = |e: std::io::Error| BackupError::Open(DeviceFault::new(path, &e));
        let file = match disk.open_read_only("backup open", path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(fault)?,
        };
        if file.len("backup length").map_err(fault)? == 0 {
            return Ok(None);
        }
        Media::open(disk, path).map(Some)
    }

    /// Its backups. Pages and log are passed over unread.
    ///
    /// # Errors
    /// The file cannot be read; damage is said in the listing.
    pub fn list(&self) -> Result<Listing, BackupError> {
        let mut listing = Listing { sets: Vec::new(), fault: None };
        let mut at = MEDIA_HEADER as u64;
        while at < self.len {
            match self.pass_over(at) {
                Ok(set) => {
                    at = set.end;
                    listing.sets.push(set);
                }
                Err(e @ (BackupError::Damaged(_) | BackupError::CutOff)) => {
                    listing.fault = Some(e);
                    break;
                }
                Err(e) => return Err(e),
            }
        }
        Ok(listing)
    }

    /// The backup with that number.
    pub fn set(&self, number: u32) -> Result<SetFacts, BackupError> {
        let listing = self.list()?;
        let at = (number as usize).checked_sub(1);
        match (at.and_then(|at| listing.sets.get(at)), listing.fault) {
            (Some(set), _) => Ok(set.clone()),
            (None, Some(fault)) => Err(fault),
            (None, None) => Err(BackupError::NoSuchSet(number)),
        }
    }

    fn pass_over(&self, offset: u64) -> Result<SetFacts, BackupError> {
        let mut at = offset;
        let header = self.block(&mut at, 0)?;
        let damaged = |what: &str| BackupError::Damaged(format!("the backup at offset {offset} {what}"));
        if header.kind != BlockKind::Header {
            return Err(damaged("begins with something else than its header"));
        }
        let header: SetHeader =
            decode_json(&header.content).ok_or_else(|| damaged("has a header that cannot be read"))?;
        for number in 1.. {
            let (_, head) = self.head(at, number)?;
            match head.kind {
                BlockKind::Header => return Err(damaged("has no trailer")),
                BlockKind::Pages | BlockKind::Log => at += (BLOCK_HEADER + head.stored) as u64,
                BlockKind::Trailer => break,
            }
        }
        let blocks_end = at;
        let (_, head) = self.head_any(at)?;
        let trailer = self.block(&mut at, head.number)?;
        let trailer: SetTrailer =
            decode_json(&trailer.content).ok_or_else(|| damaged("has a trailer that cannot be read"))?;
        if trailer.blocks != head.number || trailer.stored_bytes != blocks_end - offset {
            return Err(damaged("is not as long as its trailer says"));
        }
        Ok(SetFacts { header, trailer, offset, end: at })
    }

    fn head_any(&self, at: u64) -> Result<([u8; BLOCK_HEADER], super::format::BlockHead), BackupError> {
        let mut bytes = [0; BLOCK_HEADER];
        let read = self.read(at, &mut bytes)?;
        if read < BLOCK_HEADER {
            return Err(BackupError::CutOff);
        }
        match decode_head(&bytes) {
            Some(head) if at + (BLOCK_HEADER + head.stored) as u64 <= self.len => Ok((bytes, head)),
            Some(_) => Err(BackupError::CutOff),
            None => Err(BackupError::Damaged(format!("there is no block at offset {at}"))),
        }
    }

    fn head(
        &self,
        at: u64,
        number: u32,
    ) -> Result<([u8; BLOCK_HEADER], super::format::BlockHead), BackupError> {
        let (bytes, head) = self.head_any(at)?;
        if head.number == number {
            return Ok((bytes, head));
        }
        Err(BackupError::Damaged(format!(
            "block {number} is expected at offset {at}, block {} is there",
            head.number
        )))
    }

    fn read(&self, at: u64, bytes: &mut [u8]) -> Result<usize, BackupError> {
        self.file
            .read_at("backup read", at, bytes)
            .map_err(|e| BackupError::Read(DeviceFault::new(&self.path, &e)))
    }

    fn block(&self, at: &mut u64, number: u32) -> Result<Block, BackupError> {
        let (bytes, head) = self.head(*at, number)?;
        let mut stored = vec![0; head.stored];
        let start = *at + BLOCK_HEADER as u64;
        if self.read(start, &mut stored)? < stored.len() {
            return Err(BackupError::CutOff);
        }
        let content = decode_content(&bytes, &head, &stored).ok_or_else(|| {
            BackupError::Damaged(format!("the block at offset {at} does not match its checksum"))
        })?;
        *at = start + stored.len() as u64;
        Ok(Block { kind: head.kind, content })
    }

    /// Gives every block between the header and the trailer of a backup, verified.
    pub(super) fn read_set(
        &self,
        set: &SetFacts,
        mut each: impl FnMut(Block, u64, u64) -> Result<(), BackupError>,
    ) -> Result<(), BackupError> {
        let mut at = set.offset;
        let header = self.block(&mut at, 0)?;
        if decode_json::<SetHeader>(&header.content).as_ref() != Some(&set.header) {
            return Err(BackupError::Damaged("the device has changed while it was read".to_owned()));
        }
        for number in 1..set.trailer.blocks {
            let block = self.block(&mut at, number)?;
            each(block, at - set.offset, set.stored_bytes())?;
        }
        self.block(&mut at, set.trailer.blocks).map(|_| ())
    }
}

/// A device that a backup is written to.
///
/// A file that is new or overwritten is written beside the old one and takes its place in the end; what is appended is cut
/// off again if it does not get that far. So a backup that fails leaves the device as it was.
pub(super) struct MediaWriter {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    /// Where a new file is written first.
    temporary: Option<PathBuf>,
    /// Where this backup begins.
    start: u64,
    at: u64,
    number: u32,
    compress: bool,
    content_bytes: u64,
    pub(super) header: MediaHeader,
    /// The backup's number on the device.
    pub(super) position: u32,
}

impl MediaWriter {
    /// A device with nothing on it yet.
    pub(super) fn overwrite(
        disk: &Arc<dyn Disk>,
        path: &Path,
        header: MediaHeader,
        compress: bool,
    ) -> Result<MediaWriter, BackupError> {
        let mut name = path.as_os_str().to_owned();
        let unique: String = header.family.iter().take(4).map(|b| format!("{b:02x}")).collect();
        name.push(format!(".{unique}.new"));
        let temporary = PathBuf::from(name);
        let open = |e: std::io::Error| BackupError::Open(DeviceFault::new(path, &e));
        let file = disk.open("backup create", &temporary, true).map_err(open)?;
        file.set_len("backup cut", 0).map_err(open)?;
        let mut writer = MediaWriter {
            disk: Arc::clone(disk),
            path: path.to_owned(),
            file,
            temporary: Some(temporary),
            start: MEDIA_HEADER as u64,
            at: 0,
            number: 0,
            compress,
            content_bytes: 0,
            header,
            position: 1,
        };
        match writer.write(&header.encode()) {
            Ok(()) => Ok(writer),
            Err(e) => Err(writer.abandon(e)),
        }
    }

    /// A device that holds backups already.
    pub(super) fn append(
        disk: &Arc<dyn Disk>,
        media: &Media,
        compress: bool,
    ) -> Result<MediaWriter, BackupError> {
        let (path, listing) = (media.path.as_path(), media.list()?);
        if listing.fault.is_some() {
            return Err(BackupError::DamagedTail);
        }
        let file = disk
            .open("backup open", path, false)
            .map_err(|e| BackupError::Open(DeviceFault::new(path, &e)))?;
        let end = listing.sets.last().map_or(MEDIA_HEADER as u64, |s| s.end);
        Ok(MediaWriter {
            disk: Arc::clone(disk),
            path: path.to_owned(),
            file,
            temporary: None,
            start: end,
            at: end,
            number: 0,
            compress,
            content_bytes: 0,
            header: media.header,
            position: listing.sets.len() as u32 + 1,
        })
    }

    fn fault(&self, e: &std::io::Error) -> BackupError {
        BackupError::Write(DeviceFault::new(&self.path, e))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), BackupError> {
        self.file.write_at("backup write", self.at, bytes).map_err(|e| self.fault(&e))?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    pub(super) fn set_header(&mut self, header: &SetHeader) -> Result<(), BackupError> {
        self.block(BlockKind::Header, &encode_json(header), false)
    }

    /// Pages or log, at most [`BLOCK_MAX`] bytes of it.
    pub(super) fn content(&mut self, kind: BlockKind, content: &[u8]) -> Result<(), BackupError> {
        self.content_bytes += content.len() as u64;
        self.block(kind, content, self.compress)
    }

    fn block(&mut self, kind: BlockKind, content: &[u8], compress: bool) -> Result<(), BackupError> {
        if content.len() > BLOCK_MAX {
            return Err(BackupError::Damaged(format!("a block of {} bytes is too long", content.len())));
        }
        let bytes = encode_block(kind, self.number, content, compress);
        self.number += 1;
        self.write(&bytes)
    }

    /// Ends the backup and makes it durable.
    pub(super) fn finish(mut self, finished: i64) -> Result<(SetTrailer, u64), BackupError> {
        let trailer = SetTrailer {
            finished,
            blocks: self.number,
            content_bytes: self.content_bytes,
            stored_bytes: self.at - self.start,
        };
        let done = self
            .block(BlockKind::Trailer, &encode_json(&trailer), false)
            .and_then(|()| self.file.sync("backup sync").map_err(|e| self.fault(&e)));
        if let Err(e) = done {
            return Err(self.abandon(e));
        }
        if let Some(temporary) = &self.temporary {
            let renamed = self.disk.rename("backup rename", temporary, &self.path).and_then(|()| {
                self.path.parent().map_or(Ok(()), |folder| self.disk.sync_dir("backup folder", folder))
            });
            if let Err(e) = renamed {
                let e = self.fault(&e);
                return Err(self.abandon(e));
            }
        }
        Ok((trailer, self.at - self.start))
    }

    /// Leaves the device as it was; gives back why.
    pub(super) fn abandon(self, why: BackupError) -> BackupError {
        let cleaned = match &self.temporary {
            Some(temporary) => self.disk.remove("backup remove", temporary),
            None => self.file.set_len("backup cut", self.start),
        };
        match (cleaned, why) {
            (Err(also), BackupError::Write(mut fault)) => {
                // What is left behind is found as a backup that is cut off.
                fault.text = format!("{}; cleaning up: {also}", fault.text);
                BackupError::Write(fault)
            }
            (_, why) => why,
        }
    }
}
