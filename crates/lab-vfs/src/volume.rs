//! A mounted database: its pages, its files in memory, its locks.

use std::cell::UnsafeCell;
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

use crate::locks::{FileLocks, IndexLocks};
use crate::memory::{MemoryFile, Overflow};

/// A file of the store's disk.
pub trait PageFile: Send + Sync {
    /// Reads up to `buffer.len()` bytes; fewer at the end of the file.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
    /// Writes all of it.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Cuts the file off, or lengthens it with zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Its length in bytes.
    fn size(&self) -> io::Result<u64>;
}

/// Bytes of a region of the WAL's index, as SQLite asks for them.
pub(crate) const REGION: usize = 32 << 10;

/// A region of the WAL's index: SQLite's connections read and write it by themselves, with barriers of their own. It
/// stays where it is when the list of regions grows.
pub(crate) struct Region(Box<[UnsafeCell<u64>]>);

impl Region {
    fn new() -> Region {
        Region((0..REGION / size_of::<u64>()).map(|_| UnsafeCell::new(0)).collect())
    }

    /// Where it begins; it stays there until the region is dropped.
    pub(crate) fn address(&self) -> *mut u64 {
        UnsafeCell::raw_get(self.0.as_ptr())
    }
}

// SAFETY: the words are only ever touched through the address that is handed to SQLite, which coordinates its threads by
// the locks of `IndexLocks` and by barriers, as it does for memory shared between processes.
unsafe impl Sync for Region {}

/// What all connections to a mounted database share.
pub(crate) struct Shared {
    pub(crate) pages: Arc<dyn PageFile>,
    pub(crate) wal: Temporary,
    /// How far the WAL is written; SQLite begins it anew by writing its header.
    wal_front: AtomicU64,
    /// The rollback journal: needed once, when an empty database is put into WAL mode.
    pub(crate) journal: Temporary,
    pub(crate) locks: Mutex<FileLocks>,
    pub(crate) index: Mutex<Index>,
    overflow: Overflow,
}

/// The WAL's index.
#[derive(Default)]
pub(crate) struct Index {
    pub(crate) locks: IndexLocks,
    pub(crate) regions: Vec<Region>,
    /// Connections that have it mapped.
    pub(crate) mapped: usize,
}

impl Index {
    /// The region with that number, made if `extend` allows.
    pub(crate) fn region(&mut self, number: usize, extend: bool) -> Option<*mut u64> {
        // SQLite's index grows with its WAL: this is a WAL of more than 100 GB.
        const REGIONS_MAX: usize = 1 << 16;
        if number >= REGIONS_MAX {
            return None;
        }
        while extend && self.regions.len() <= number {
            self.regions.push(Region::new());
        }
        self.regions.get(number).map(Region::address)
    }
}

/// A file that no start outlives.
#[derive(Default)]
pub(crate) struct Temporary {
    content: RwLock<Option<MemoryFile>>,
}

impl Temporary {
    pub(crate) fn exists(&self) -> bool {
        self.content.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    pub(crate) fn create(&self) {
        self.content.write().unwrap_or_else(PoisonError::into_inner).get_or_insert_default();
    }

    pub(crate) fn remove(&self) -> io::Result<()> {
        let removed = self.content.write().unwrap_or_else(PoisonError::into_inner).take();
        removed.map_or(Ok(()), |mut file| file.set_len(0))
    }

    pub(crate) fn len(&self) -> u64 {
        self.content.read().unwrap_or_else(PoisonError::into_inner).as_ref().map_or(0, MemoryFile::len)
    }

    pub(crate) fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let content = self.content.read().unwrap_or_else(PoisonError::into_inner);
        content.as_ref().map_or(Ok(0), |file| file.read_at(offset, buffer))
    }

    fn write_at(&self, offset: u64, bytes: &[u8], overflow: &Overflow) -> io::Result<()> {
        let mut content = self.content.write().unwrap_or_else(PoisonError::into_inner);
        content.get_or_insert_default().write_at(offset, bytes, overflow)
    }

    pub(crate) fn set_len(&self, len: u64) -> io::Result<()> {
        let mut content = self.content.write().unwrap_or_else(PoisonError::into_inner);
        content.as_mut().map_or(Ok(()), |file| file.set_len(len))
    }
}

impl Shared {
    pub(crate) fn write_wal(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let end = offset + bytes.len() as u64;
        if offset == 0 {
            self.wal_front.store(end, Ordering::Relaxed);
        } else {
            self.wal_front.fetch_max(end, Ordering::Relaxed);
        }
        self.wal.write_at(offset, bytes, &self.overflow)
    }

    pub(crate) fn write_journal(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.journal.write_at(offset, bytes, &self.overflow)
    }
}

/// A mounted database; connections to it can be opened until this is dropped, and live on behind that.
pub struct Volume {
    name: String,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Volume {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Volume").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What the names of mounted databases begin with; no path of the operating system's does.
pub(crate) const PREFIX: &str = "milink:";

static NEXT: AtomicU64 = AtomicU64::new(1);
static MOUNTED: Mutex<BTreeMap<String, Weak<Shared>>> = Mutex::new(BTreeMap::new());

fn mounted() -> MutexGuard<'static, BTreeMap<String, Weak<Shared>>> {
    MOUNTED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The mounted database of that name.
pub(crate) fn find(name: &str) -> Option<Arc<Shared>> {
    mounted().get(name).and_then(Weak::upgrade)
}

/// Mounts a database whose pages are in `pages`. What its WAL outgrows memory by goes to the file that `overflow` opens.
pub fn mount(
    pages: Arc<dyn PageFile>,
    overflow: impl Fn() -> io::Result<Arc<dyn PageFile>> + Send + Sync + 'static,
) -> Volume {
    let name = format!("{PREFIX}{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let shared = Arc::new(Shared {
        pages,
        wal: Temporary::default(),
        wal_front: AtomicU64::new(0),
        journal: Temporary::default(),
        locks: Mutex::default(),
        index: Mutex::default(),
        overflow: Box::new(overflow),
    });
    mounted().insert(name.clone(), Arc::downgrade(&shared));
    Volume { name, shared }
}

impl Volume {
    /// The name that SQLite opens or attaches it by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes of its WAL that were written since it began anew. The file itself may be longer.
    pub fn wal_bytes(&self) -> u64 {
        self.shared.wal_front.load(Ordering::Relaxed)
    }

    /// Its WAL, to be read.
    pub fn wal(&self) -> Wal {
        Wal { shared: Arc::clone(&self.shared) }
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        mounted().remove(&self.name);
    }
}

/// The WAL of a mounted database.
#[derive(Clone)]
pub struct Wal {
    shared: Arc<Shared>,
}

impl Wal {
    /// Reads up to `buffer.len()` bytes; fewer at the end.
    ///
    /// # Errors
    /// What does not fit into memory could not be read from disk.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.shared.wal.read_at(offset, buffer)
    }
}
