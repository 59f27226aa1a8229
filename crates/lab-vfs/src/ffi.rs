//! SQLite's VFS interface (SQLite documentation, "The SQLite OS Interface or VFS").
//!
//! Each function gets pointers whose meaning SQLite promises: a file object that `x_open` has filled in and `x_close` has
//! not yet emptied, used by one thread at a time; buffers as long as it says; names that end in a zero byte. The blocks
//! below rely on that and on nothing else.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::io;
use std::sync::{Arc, OnceLock, PoisonError};

use rusqlite::ffi;

use crate::locks::{Held, IndexHeld, IndexLocks, Level};
use crate::volume::{PREFIX, REGION, Shared, find};

/// A file as SQLite sees it: its head is SQLite's, what follows is ours.
#[repr(C)]
struct File {
    base: ffi::sqlite3_file,
    open: Option<Box<Open>>,
}

/// An open file of a mounted database.
struct Open {
    shared: Arc<Shared>,
    part: Part,
    held: Held,
    index: IndexHeld,
    mapped: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Pages,
    Wal,
    Journal,
}

impl Open {
    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match self.part {
            Part::Pages => self.shared.pages.read_at(offset, buffer),
            Part::Wal => self.shared.wal.read_at(offset, buffer),
            Part::Journal => self.shared.journal.read_at(offset, buffer),
        }
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        match self.part {
            Part::Pages => self.shared.pages.write_at(offset, bytes),
            Part::Wal => self.shared.write_wal(offset, bytes),
            Part::Journal => self.shared.write_journal(offset, bytes),
        }
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        match self.part {
            Part::Pages => self.shared.pages.set_len(len),
            Part::Wal => self.shared.wal.set_len(len),
            Part::Journal => self.shared.journal.set_len(len),
        }
    }

    fn size(&self) -> io::Result<u64> {
        match self.part {
            Part::Pages => self.shared.pages.size(),
            Part::Wal => Ok(self.shared.wal.len()),
            Part::Journal => Ok(self.shared.journal.len()),
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.shared.locks.lock().unwrap_or_else(PoisonError::into_inner).unlock(&mut self.held, Level::None);
        let mut index = self.shared.index.lock().unwrap_or_else(PoisonError::into_inner);
        index.locks.unlock_all(&mut self.index);
        if self.mapped {
            index.mapped -= 1;
        }
    }
}

/// Registers the file system, once.
pub(crate) fn install() -> rusqlite::Result<()> {
    static INSTALLED: OnceLock<c_int> = OnceLock::new();
    let code = *INSTALLED.get_or_init(register);
    if code == ffi::SQLITE_OK {
        Ok(())
    } else {
        Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None))
    }
}

fn register() -> c_int {
    // SAFETY: asks for SQLite's default file system, which lives as long as the process.
    let default = unsafe { ffi::sqlite3_vfs_find(std::ptr::null()) };
    if default.is_null() {
        return ffi::SQLITE_ERROR;
    }
    // SAFETY: `default` was just seen not to be null, and nobody changes a registered file system.
    let base = unsafe { &*default };
    let vfs = Box::new(ffi::sqlite3_vfs {
        iVersion: 2,
        // Files that are not ours are opened into the same memory by the default file system.
        szOsFile: base.szOsFile.max(size_of::<File>() as c_int),
        mxPathname: base.mxPathname,
        pNext: std::ptr::null_mut(),
        zName: c"milink".as_ptr(),
        pAppData: default.cast(),
        xOpen: Some(x_open),
        xDelete: Some(x_delete),
        xAccess: Some(x_access),
        xFullPathname: Some(x_full_pathname),
        // These take no notice of the file system that they are called for.
        xDlOpen: base.xDlOpen,
        xDlError: base.xDlError,
        xDlSym: base.xDlSym,
        xDlClose: base.xDlClose,
        xRandomness: base.xRandomness,
        xSleep: base.xSleep,
        xCurrentTime: base.xCurrentTime,
        xGetLastError: base.xGetLastError,
        xCurrentTimeInt64: base.xCurrentTimeInt64,
        xSetSystemCall: None,
        xGetSystemCall: None,
        xNextSystemCall: None,
    });
    // SAFETY: the file system is leaked, so it outlives every connection; its functions are those of this file.
    unsafe { ffi::sqlite3_vfs_register(Box::into_raw(vfs), 0) }
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(x_close),
    xRead: Some(x_read),
    xWrite: Some(x_write),
    xTruncate: Some(x_truncate),
    xSync: Some(x_sync),
    xFileSize: Some(x_file_size),
    xLock: Some(x_lock),
    xUnlock: Some(x_unlock),
    xCheckReservedLock: Some(x_check_reserved_lock),
    xFileControl: Some(x_file_control),
    xSectorSize: Some(x_sector_size),
    xDeviceCharacteristics: Some(x_device_characteristics),
    xShmMap: Some(x_shm_map),
    xShmLock: Some(x_shm_lock),
    xShmBarrier: Some(x_shm_barrier),
    xShmUnmap: Some(x_shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// A name of ours: the database and which of its files.
fn parse(name: &str) -> Option<(&str, Part)> {
    if !name.starts_with(PREFIX) {
        return None;
    }
    Some(match (name.strip_suffix("-wal"), name.strip_suffix("-journal")) {
        (Some(database), _) => (database, Part::Wal),
        (_, Some(database)) => (database, Part::Journal),
        _ => (name, Part::Pages),
    })
}

/// # Safety
/// `name` is null or a string that ends in a zero byte and lives as long as the result.
unsafe fn text<'a>(name: *const c_char) -> Option<&'a str> {
    if name.is_null() {
        return None;
    }
    // SAFETY: not null, so it is a string as the caller promises.
    unsafe { CStr::from_ptr(name) }.to_str().ok()
}

/// # Safety
/// `vfs` is the file system that `register` made.
unsafe fn default_of(vfs: *mut ffi::sqlite3_vfs) -> *mut ffi::sqlite3_vfs {
    // SAFETY: `register` put the default file system there.
    unsafe { (*vfs).pAppData.cast() }
}

unsafe extern "C" fn x_open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite passes null for a temporary file, else a name.
    let ours = unsafe { text(name) }.and_then(parse);
    let Some((database, part)) = ours else {
        // SAFETY: the memory of `file` is as large as the default file system asks for, see `register`.
        return unsafe {
            let default = default_of(vfs);
            (*default).xOpen.map_or(ffi::SQLITE_CANTOPEN, |open| open(default, name, file, flags, out_flags))
        };
    };
    let Some(shared) = find(database) else { return refuse(file) };
    match part {
        Part::Pages => {}
        Part::Wal if flags & ffi::SQLITE_OPEN_CREATE != 0 => shared.wal.create(),
        Part::Journal if flags & ffi::SQLITE_OPEN_CREATE != 0 => shared.journal.create(),
        Part::Wal | Part::Journal => return refuse(file),
    }
    let open = Open { shared, part, held: Held::default(), index: IndexHeld::default(), mapped: false };
    // SAFETY: `file` is uninitialized memory of at least the size of `File`, aligned for pointers; it is written whole.
    unsafe {
        file.cast::<File>().write(File {
            base: ffi::sqlite3_file { pMethods: &raw const METHODS },
            open: Some(Box::new(open)),
        });
        if !out_flags.is_null() {
            *out_flags = flags;
        }
    }
    ffi::SQLITE_OK
}

/// A file that cannot be opened: without methods, so that SQLite does not close it.
fn refuse(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: `file` is memory for a file object, whose head is written.
    unsafe { (*file).pMethods = std::ptr::null() };
    ffi::SQLITE_CANTOPEN
}

/// # Safety
/// `file` was filled in by `x_open` and not yet closed, and nobody else uses it meanwhile.
unsafe fn opened<'a>(file: *mut ffi::sqlite3_file) -> Option<&'a mut Open> {
    // SAFETY: as the caller promises.
    unsafe { (*file.cast::<File>()).open.as_deref_mut() }
}

unsafe extern "C" fn x_close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: the file object is ours and open; it is left empty, as memory that SQLite frees without looking at it.
    drop(unsafe { (*file.cast::<File>()).open.take() });
    ffi::SQLITE_OK
}

unsafe extern "C" fn x_read(
    file: *mut ffi::sqlite3_file,
    buffer: *mut c_void,
    amount: c_int,
    offset: i64,
) -> c_int {
    let (Ok(amount), Ok(offset)) = (usize::try_from(amount), u64::try_from(offset)) else {
        return ffi::SQLITE_IOERR_READ;
    };
    // SAFETY: the buffer has room for `amount` bytes; they are made zero first, so that no byte of the slice is undefined
    // and what a short read leaves is zero, as SQLite demands.
    let (open, buffer) = unsafe {
        buffer.cast::<u8>().write_bytes(0, amount);
        (opened(file), std::slice::from_raw_parts_mut(buffer.cast::<u8>(), amount))
    };
    let Some(open) = open else { return ffi::SQLITE_IOERR_READ };
    match open.read(offset, buffer) {
        Ok(read) if read == amount => ffi::SQLITE_OK,
        Ok(_) => ffi::SQLITE_IOERR_SHORT_READ,
        Err(_) => ffi::SQLITE_IOERR_READ,
    }
}

unsafe extern "C" fn x_write(
    file: *mut ffi::sqlite3_file,
    buffer: *const c_void,
    amount: c_int,
    offset: i64,
) -> c_int {
    let (Ok(amount), Ok(offset)) = (usize::try_from(amount), u64::try_from(offset)) else {
        return ffi::SQLITE_IOERR_WRITE;
    };
    // SAFETY: the buffer holds `amount` bytes, which SQLite does not change during the call.
    let (open, bytes) = unsafe { (opened(file), std::slice::from_raw_parts(buffer.cast::<u8>(), amount)) };
    let Some(open) = open else { return ffi::SQLITE_IOERR_WRITE };
    match open.write(offset, bytes) {
        Ok(()) => ffi::SQLITE_OK,
        Err(e) if e.kind() == io::ErrorKind::StorageFull => ffi::SQLITE_FULL,
        Err(_) => ffi::SQLITE_IOERR_WRITE,
    }
}

unsafe extern "C" fn x_truncate(file: *mut ffi::sqlite3_file, len: i64) -> c_int {
    // SAFETY: the file object is ours and open.
    let open = unsafe { opened(file) };
    match (open, u64::try_from(len)) {
        (Some(open), Ok(len)) if open.truncate(len).is_ok() => ffi::SQLITE_OK,
        _ => ffi::SQLITE_IOERR_TRUNCATE,
    }
}

unsafe extern "C" fn x_sync(_: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    // NB: nothing is synced for SQLite. The store syncs its log, and the pages when a checkpoint is complete.
    ffi::SQLITE_OK
}

unsafe extern "C" fn x_file_size(file: *mut ffi::sqlite3_file, size: *mut i64) -> c_int {
    // SAFETY: the file object is ours and open.
    let found =
        unsafe { opened(file) }.and_then(|open| open.size().ok()).and_then(|len| i64::try_from(len).ok());
    let Some(found) = found else { return ffi::SQLITE_IOERR_FSTAT };
    // SAFETY: SQLite passes a place for the result.
    unsafe { *size = found };
    ffi::SQLITE_OK
}

unsafe extern "C" fn x_lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: the file object is ours and open.
    let (Some(open), Some(level)) = (unsafe { opened(file) }, Level::from_raw(level)) else {
        return ffi::SQLITE_IOERR_LOCK;
    };
    let mut locks = open.shared.locks.lock().unwrap_or_else(PoisonError::into_inner);
    if locks.lock(&mut open.held, level) { ffi::SQLITE_OK } else { ffi::SQLITE_BUSY }
}

unsafe extern "C" fn x_unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: the file object is ours and open.
    let (Some(open), Some(level)) = (unsafe { opened(file) }, Level::from_raw(level)) else {
        return ffi::SQLITE_IOERR_UNLOCK;
    };
    open.shared.locks.lock().unwrap_or_else(PoisonError::into_inner).unlock(&mut open.held, level);
    ffi::SQLITE_OK
}

unsafe extern "C" fn x_check_reserved_lock(file: *mut ffi::sqlite3_file, result: *mut c_int) -> c_int {
    // SAFETY: the file object is ours and open.
    let Some(open) = (unsafe { opened(file) }) else { return ffi::SQLITE_IOERR_CHECKRESERVEDLOCK };
    let reserved = open.shared.locks.lock().unwrap_or_else(PoisonError::into_inner).is_reserved();
    // SAFETY: SQLite passes a place for the result.
    unsafe { *result = c_int::from(reserved) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn x_file_control(_: *mut ffi::sqlite3_file, _: c_int, _: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn x_sector_size(_: *mut ffi::sqlite3_file) -> c_int {
    4096
}

unsafe extern "C" fn x_device_characteristics(_: *mut ffi::sqlite3_file) -> c_int {
    // No padding of frames to whole sectors: what is torn is thrown away with the rest of the WAL.
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

unsafe extern "C" fn x_shm_map(
    file: *mut ffi::sqlite3_file,
    number: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: the file object is ours and open.
    let (Some(open), Ok(number)) = (unsafe { opened(file) }, usize::try_from(number)) else {
        return ffi::SQLITE_IOERR_SHMMAP;
    };
    if size as usize != REGION {
        return ffi::SQLITE_IOERR_SHMSIZE;
    }
    let mut index = open.shared.index.lock().unwrap_or_else(PoisonError::into_inner);
    if !std::mem::replace(&mut open.mapped, true) {
        index.mapped += 1;
    }
    let region = index.region(number, extend != 0);
    // SAFETY: SQLite passes a place for the result. A region lives as long as `shared`, which this file keeps alive, or
    // until nobody has the index mapped.
    unsafe { *out = region.map_or(std::ptr::null_mut(), <*mut u64>::cast) };
    if region.is_none() && extend != 0 { ffi::SQLITE_IOERR_SHMMAP } else { ffi::SQLITE_OK }
}

unsafe extern "C" fn x_shm_lock(
    file: *mut ffi::sqlite3_file,
    offset: c_int,
    count: c_int,
    flags: c_int,
) -> c_int {
    // SAFETY: the file object is ours and open.
    let (Some(open), Some(slots)) = (unsafe { opened(file) }, IndexLocks::slots(offset, count)) else {
        return ffi::SQLITE_IOERR_SHMLOCK;
    };
    let mut index = open.shared.index.lock().unwrap_or_else(PoisonError::into_inner);
    if flags & ffi::SQLITE_SHM_UNLOCK != 0 {
        index.locks.unlock(&mut open.index, slots);
        return ffi::SQLITE_OK;
    }
    let exclusive = flags & ffi::SQLITE_SHM_EXCLUSIVE != 0;
    if index.locks.lock(&mut open.index, slots, exclusive) { ffi::SQLITE_OK } else { ffi::SQLITE_BUSY }
}

unsafe extern "C" fn x_shm_barrier(_: *mut ffi::sqlite3_file) {
    std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
}

unsafe extern "C" fn x_shm_unmap(file: *mut ffi::sqlite3_file, delete: c_int) -> c_int {
    // SAFETY: the file object is ours and open.
    let Some(open) = (unsafe { opened(file) }) else { return ffi::SQLITE_OK };
    let mut index = open.shared.index.lock().unwrap_or_else(PoisonError::into_inner);
    index.locks.unlock_all(&mut open.index);
    if std::mem::take(&mut open.mapped) {
        index.mapped -= 1;
    }
    // An index without its WAL would mislead the next one who opens the database.
    if delete != 0 && index.mapped == 0 {
        index.regions.clear();
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn x_delete(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, sync_dir: c_int) -> c_int {
    // SAFETY: SQLite passes a name.
    let Some((database, part)) = unsafe { text(name) }.and_then(parse) else {
        // SAFETY: hands the call on to the file system whose file it is.
        return unsafe {
            let default = default_of(vfs);
            (*default).xDelete.map_or(ffi::SQLITE_IOERR_DELETE, |delete| delete(default, name, sync_dir))
        };
    };
    let Some(shared) = find(database) else { return ffi::SQLITE_IOERR_DELETE_NOENT };
    let removed = match part {
        // The pages are the store's.
        Part::Pages => return ffi::SQLITE_IOERR_DELETE,
        Part::Wal => shared.wal.remove(),
        Part::Journal => shared.journal.remove(),
    };
    if removed.is_ok() { ffi::SQLITE_OK } else { ffi::SQLITE_IOERR_DELETE }
}

unsafe extern "C" fn x_access(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    flags: c_int,
    result: *mut c_int,
) -> c_int {
    // SAFETY: SQLite passes a name.
    let Some((database, part)) = unsafe { text(name) }.and_then(parse) else {
        // SAFETY: hands the call on to the file system whose file it is.
        return unsafe {
            let default = default_of(vfs);
            (*default).xAccess.map_or(ffi::SQLITE_IOERR_ACCESS, |access| access(default, name, flags, result))
        };
    };
    let there = find(database).is_some_and(|shared| match part {
        Part::Pages => true,
        Part::Wal => shared.wal.exists(),
        Part::Journal => shared.journal.exists(),
    });
    // SAFETY: SQLite passes a place for the result.
    unsafe { *result = c_int::from(there) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn x_full_pathname(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    size: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: SQLite passes a name.
    let ours = unsafe { text(name) }.filter(|n| parse(n).is_some());
    let Some(ours) = ours else {
        // SAFETY: hands the call on to the file system whose file it is.
        return unsafe {
            let default = default_of(vfs);
            (*default).xFullPathname.map_or(ffi::SQLITE_CANTOPEN, |full| full(default, name, size, out))
        };
    };
    if ours.len() + 1 > usize::try_from(size).unwrap_or(0) {
        return ffi::SQLITE_CANTOPEN;
    }
    // SAFETY: `out` has room for `size` bytes, which are as many as the name and its zero byte, or more.
    unsafe { std::ptr::copy_nonoverlapping(name, out, ours.len() + 1) };
    ffi::SQLITE_OK
}
