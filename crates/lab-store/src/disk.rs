//! The disk, as far as the store touches it. Every call names its site, so that a test can fail exactly that call.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An open file.
pub trait DiskFile: Send + Sync {
    /// Reads up to `buffer.len()` bytes; fewer at the end of the file.
    fn read_at(&self, site: &'static str, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
    /// Writes all of it.
    fn write_at(&self, site: &'static str, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Makes what was written durable.
    fn sync(&self, site: &'static str) -> io::Result<()>;
    /// Asks that what was written there be on its way to the disk soon. A hint: nothing is durable by it, and nothing fails.
    fn begin_write_back(&self, _offset: u64, _bytes: u64) {}
    /// Cuts the file off, or lengthens it with zeros.
    fn set_len(&self, site: &'static str, len: u64) -> io::Result<()>;
    /// Its length in bytes.
    fn len(&self, site: &'static str) -> io::Result<u64>;
}

/// A disk.
pub trait Disk: Send + Sync {
    /// Opens a file, creating it if it is not there and `create` says so.
    fn open(&self, site: &'static str, path: &Path, create: bool) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens a file that is only read: the disk may not allow more.
    fn open_read_only(&self, site: &'static str, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.open(site, path, false)
    }
    /// Renames a file over another.
    fn rename(&self, site: &'static str, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file, if it is there.
    fn remove(&self, site: &'static str, path: &Path) -> io::Result<()>;
    /// Makes creations, renames and removals in a folder durable.
    fn sync_dir(&self, site: &'static str, path: &Path) -> io::Result<()>;
    /// The files of a folder.
    fn list(&self, site: &'static str, path: &Path) -> io::Result<Vec<PathBuf>>;
    /// Makes a folder and those above it.
    fn make_dir(&self, site: &'static str, path: &Path) -> io::Result<()>;
}

/// The operating system's disk.
#[derive(Debug, Default, Clone, Copy)]
pub struct RealDisk;

struct RealFile(File);

impl DiskFile for RealFile {
    fn read_at(&self, _: &'static str, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|r| !r.is_empty()) {
            match self.0.read_at(rest, offset + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(done)
    }

    fn write_at(&self, _: &'static str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn sync(&self, _: &'static str) -> io::Result<()> {
        self.0.sync_data()
    }

    fn begin_write_back(&self, offset: u64, bytes: u64) {
        // Linux begins to write what is dirty there, and forgets what is not; it waits for neither. An error of the disk
        // shows at the next sync, as it would without.
        let bytes = std::num::NonZeroU64::new(bytes);
        rustix::fs::fadvise(&self.0, offset, bytes, rustix::fs::Advice::DontNeed).unwrap_or(());
    }

    fn set_len(&self, _: &'static str, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn len(&self, _: &'static str) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

impl Disk for RealDisk {
    fn open(&self, _: &'static str, path: &Path, create: bool) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(RealFile(
            OpenOptions::new().read(true).write(true).create(create).truncate(false).open(path)?,
        )))
    }

    fn open_read_only(&self, _: &'static str, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(RealFile(File::open(path)?)))
    }

    fn rename(&self, _: &'static str, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, _: &'static str, path: &Path) -> io::Result<()> {
        match std::fs::remove_file(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn sync_dir(&self, _: &'static str, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn list(&self, _: &'static str, path: &Path) -> io::Result<Vec<PathBuf>> {
        std::fs::read_dir(path)?.map(|e| e.map(|e| e.path())).collect()
    }

    fn make_dir(&self, _: &'static str, path: &Path) -> io::Result<()> {
        std::fs::create_dir_all(path)
    }
}
