//! A file in memory, whose far end lies on a disk.
//!
//! SQLite's WAL is small as long as checkpoints keep up, and as large as the largest transaction otherwise. What is within
//! [`MEMORY_MAX`] is kept in pieces, so that growing copies nothing and shrinking gives memory back; what is behind that
//! goes to a file that the store provides when it is first needed.

use std::io;
use std::sync::Arc;

use crate::PageFile;

/// Bytes of a piece.
const PIECE: u64 = 256 << 10;
/// What is kept in memory at most.
pub(crate) const MEMORY_MAX: u64 = 64 << 20;

/// Opens the file for what does not fit into memory.
pub(crate) type Overflow = Box<dyn Fn() -> io::Result<Arc<dyn PageFile>> + Send + Sync>;

#[derive(Default)]
pub(crate) struct MemoryFile {
    pieces: Vec<Box<[u8]>>,
    len: u64,
    overflow: Option<Arc<dyn PageFile>>,
}

impl MemoryFile {
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Reads what is there of a range; how much it was.
    pub(crate) fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let there = self.len.saturating_sub(offset).min(buffer.len() as u64) as usize;
        let mut done = 0;
        while done < there {
            let at = offset + done as u64;
            let rest = buffer.get_mut(done..there).unwrap_or_default();
            done += if at >= MEMORY_MAX {
                let overflow = self.overflow.as_ref().ok_or_else(|| io::Error::other("no overflow"))?;
                match overflow.read_at(at - MEMORY_MAX, rest)? {
                    0 => return Ok(done),
                    n => n,
                }
            } else {
                let from = (at % PIECE) as usize;
                let piece =
                    self.pieces.get((at / PIECE) as usize).and_then(|p| p.get(from..)).unwrap_or_default();
                let n = rest.len().min(piece.len());
                if n == 0 {
                    return Ok(done);
                }
                copy(rest, piece, n);
                n
            };
        }
        Ok(done)
    }

    /// Writes a range, growing the file as needed; a gap is zero.
    pub(crate) fn write_at(&mut self, offset: u64, bytes: &[u8], overflow: &Overflow) -> io::Result<()> {
        let end =
            offset.checked_add(bytes.len() as u64).ok_or_else(|| io::Error::other("beyond any file"))?;
        let mut done = 0;
        while let Some(rest) = bytes.get(done..).filter(|r| !r.is_empty()) {
            let at = offset + done as u64;
            if at >= MEMORY_MAX {
                if self.overflow.is_none() {
                    self.overflow = Some(overflow()?);
                }
                if let Some(file) = &self.overflow {
                    file.write_at(at - MEMORY_MAX, rest)?;
                }
                break;
            }
            let from = (at % PIECE) as usize;
            let piece = self.piece((at / PIECE) as usize);
            let room = piece.get_mut(from..).unwrap_or_default();
            let n = rest.len().min(room.len());
            copy(room, rest, n);
            done += n;
        }
        self.len = self.len.max(end);
        Ok(())
    }

    fn piece(&mut self, at: usize) -> &mut [u8] {
        while self.pieces.len() <= at {
            self.pieces.push(vec![0; PIECE as usize].into_boxed_slice());
        }
        self.pieces.get_mut(at).map(|p| &mut **p).unwrap_or_default()
    }

    /// Cuts the file off, and gives the memory behind that back.
    pub(crate) fn set_len(&mut self, len: u64) -> io::Result<()> {
        if len < self.len {
            self.pieces.truncate(len.div_ceil(PIECE) as usize);
            // What is left of the last piece would come back when the file grows again.
            if let Some(last) = self.pieces.get_mut((len / PIECE) as usize)
                && let Some(rest) = last.get_mut((len % PIECE) as usize..)
            {
                rest.fill(0);
            }
            if let Some(file) = &self.overflow {
                file.set_len(len.saturating_sub(MEMORY_MAX))?;
            }
        } else if len > MEMORY_MAX && len > self.len {
            return Err(io::Error::other("a file in memory is lengthened by writing only"));
        }
        self.len = len;
        Ok(())
    }
}

/// Copies the first `n` bytes, which both have.
fn copy(to: &mut [u8], from: &[u8], n: usize) {
    if let (Some(to), Some(from)) = (to.get_mut(..n), from.get(..n)) {
        to.copy_from_slice(from);
    }
}
