//! The data file as SQLite reads and writes it: through the store's disk.

use std::io;
use std::path::Path;
use std::sync::Arc;

use lab_vfs::{PageFile, Volume};

use crate::disk::DiskFile;
use crate::{Disk, StoreError};

/// What SQLite's WAL outgrows memory by.
const OVERFLOW: &str = "wal.overflow";

struct Pages(Arc<dyn DiskFile>);

impl PageFile for Pages {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_at("page read", offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_at("page write", offset, bytes)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len("page cut", len)
    }

    fn size(&self) -> io::Result<u64> {
        self.0.len("page length")
    }
}

/// Makes the data file of a folder known to SQLite.
pub(crate) fn mount(disk: &Arc<dyn Disk>, dir: &Path, data: &Arc<dyn DiskFile>) -> Volume {
    let (disk, overflow) = (Arc::clone(disk), dir.join(OVERFLOW));
    lab_vfs::mount(Arc::new(Pages(Arc::clone(data))), move || {
        let file = disk.open("overflow open", &overflow, true)?;
        file.set_len("overflow cut", 0)?;
        Ok(Arc::new(Pages(file)) as Arc<dyn PageFile>)
    })
}

/// Removes what a WAL has left behind that was too large for memory.
pub(crate) fn remove_overflow(disk: &Arc<dyn Disk>, dir: &Path) -> Result<(), StoreError> {
    disk.remove("overflow remove", &dir.join(OVERFLOW)).map_err(|e| StoreError::io("recover", &e))
}
