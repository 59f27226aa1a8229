//! A disk that can be full on demand: for the faults of the lab.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lab_store::{Disk, DiskFile, RealDisk};

/// The operating system's disk, which has no room left while it is said to be full: files that are there can be read and
/// written over, as on a disk that is really full; nothing can become longer, and nothing new can be made.
#[derive(Debug, Default, Clone)]
pub struct FillableDisk {
    full: Arc<AtomicBool>,
}

impl FillableDisk {
    /// Fills it, or makes room again.
    pub fn fill(&self, full: bool) {
        self.full.store(full, Ordering::Release);
    }

    /// Whether it is full now.
    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::Acquire)
    }
}

struct File {
    inner: Arc<dyn DiskFile>,
    disk: FillableDisk,
}

fn no_space() -> io::Error {
    io::Error::new(ErrorKind::StorageFull, "There is not enough space on the disk. (a fault of the lab)")
}

impl File {
    fn room(&self, site: &'static str, until: u64) -> io::Result<()> {
        if self.disk.is_full() && until > self.inner.len(site)? { Err(no_space()) } else { Ok(()) }
    }
}

impl DiskFile for File {
    fn read_at(&self, site: &'static str, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read_at(site, offset, buffer)
    }

    fn write_at(&self, site: &'static str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.room(site, offset + bytes.len() as u64)?;
        self.inner.write_at(site, offset, bytes)
    }

    fn sync(&self, site: &'static str) -> io::Result<()> {
        self.inner.sync(site)
    }

    fn begin_write_back(&self, offset: u64, bytes: u64) {
        self.inner.begin_write_back(offset, bytes);
    }

    fn set_len(&self, site: &'static str, len: u64) -> io::Result<()> {
        self.room(site, len)?;
        self.inner.set_len(site, len)
    }

    fn len(&self, site: &'static str) -> io::Result<u64> {
        self.inner.len(site)
    }
}

impl Disk for FillableDisk {
    fn open(&self, site: &'static str, path: &Path, create: bool) -> io::Result<Arc<dyn DiskFile>> {
        if create && self.is_full() && !path.exists() {
            return Err(no_space());
        }
        let inner = RealDisk.open(site, path, create)?;
        Ok(Arc::new(File { inner, disk: self.clone() }))
    }

    fn open_read_only(&self, site: &'static str, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        RealDisk.open_read_only(site, path)
    }

    fn rename(&self, site: &'static str, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(site, from, to)
    }

    fn remove(&self, site: &'static str, path: &Path) -> io::Result<()> {
        RealDisk.remove(site, path)
    }

    fn sync_dir(&self, site: &'static str, path: &Path) -> io::Result<()> {
        RealDisk.sync_dir(site, path)
    }

    fn list(&self, site: &'static str, path: &Path) -> io::Result<Vec<PathBuf>> {
        RealDisk.list(site, path)
    }

    fn make_dir(&self, site: &'static str, path: &Path) -> io::Result<()> {
        if self.is_full() && !path.exists() {
            return Err(no_space());
        }
        RealDisk.make_dir(site, path)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    #[test]
    fn a_full_disk_takes_only_what_has_its_place_already() {
        let folder = tempfile::tempdir().unwrap();
        let disk = FillableDisk::default();
        let file = disk.open("t", &folder.path().join("a"), true).unwrap();
        file.write_at("t", 0, b"abcd").unwrap();
        disk.fill(true);
        file.write_at("t", 1, b"xyz").unwrap();
        assert_eq!(file.write_at("t", 1, b"long").unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!(file.set_len("t", 5).unwrap_err().kind(), ErrorKind::StorageFull);
        file.set_len("t", 2).unwrap();
        let made = disk.open("t", &folder.path().join("b"), true).map(|_| ()).unwrap_err();
        assert_eq!(made.kind(), ErrorKind::StorageFull);
        assert_eq!(disk.make_dir("t", &folder.path().join("d")).unwrap_err().kind(), ErrorKind::StorageFull);
        disk.fill(false);
        file.write_at("t", 2, b"more").unwrap();
        let mut read = [0; 6];
        assert_eq!(file.read_at("t", 0, &mut read).unwrap(), 6);
        assert_eq!(&read, b"axmore");
    }
}
