//! SQLite's files where the store wants them.
//!
//! The store's log is the truth; SQLite's write-ahead log is thrown away at every start. So it has no business on a disk:
//! this virtual file system keeps it in memory ([`memory`]), together with the WAL's index, which saves every commit half a
//! dozen system calls for frames and as many for file locks. Pages go through whatever the store gives ([`PageFile`]), so
//! that a test which simulates a disk simulates SQLite's part, too.
//!
//! A database is [`mount`]ed under a name of its own and can be opened by any connection of this process that uses the
//! file system [`VFS`]; everything else (temporary files) is left to the operating system's. What the file system decides,
//! the locks between connections, is in [`locks`] and knows no pointers; [`ffi`] is the C interface, and the only unsafe
//! code of the lab.

mod ffi;
mod locks;
mod memory;
mod volume;

pub use volume::{PageFile, Volume, Wal, mount};

use rusqlite::{Connection, OpenFlags};

/// The file system's name, for connections that open mounted databases.
pub const VFS: &str = "milink";

/// A connection whose `main` is empty and to which mounted databases can be attached by their names.
///
/// # Errors
/// SQLite could not open it.
pub fn connection() -> rusqlite::Result<Connection> {
    ffi::install()?;
    Connection::open_in_memory_with_flags_and_vfs(flags(), VFS)
}

/// A connection whose `main` is a mounted database.
///
/// # Errors
/// SQLite could not open it.
pub fn open(volume: &Volume) -> rusqlite::Result<Connection> {
    ffi::install()?;
    Connection::open_with_flags_and_vfs(volume.name(), flags(), VFS)
}

fn flags() -> OpenFlags {
    // Every connection has one thread that uses it at a time.
    OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

#[cfg(test)]
mod tests;
