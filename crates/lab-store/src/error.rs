//! What can go wrong with a store, by what its owner can do about it.

/// An error of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreError {
    /// What is on disk contradicts itself: the database is SUSPECT.
    Corrupt(String),
    /// The disk cannot be read or written now: the database is RECOVERY_PENDING, or fails while it runs.
    Io(String),
    /// The disk has no room: as [`StoreError::Io`], and nothing is lost or in doubt once there is room again.
    Full(String),
    /// The database is a secondary: it changes by redo alone. The store has not failed.
    ReadOnly,
    /// A change of role, or a copy, whose conditions do not hold; nothing has changed, and the store has not failed.
    NotReady(String),
    /// An earlier failure was final: the store answers nothing any more until it is opened again.
    Failed(Box<StoreError>),
}

impl StoreError {
    /// Whether the files are wrong, rather than out of reach.
    pub fn is_corruption(&self) -> bool {
        matches!(self.cause(), StoreError::Corrupt(_))
    }

    /// Whether there was no room on the disk.
    pub fn is_full(&self) -> bool {
        matches!(self.cause(), StoreError::Full(_))
    }

    /// The failure that this one is the consequence of; itself, if it is the first.
    pub fn cause(&self) -> &StoreError {
        match self {
            StoreError::Failed(first) => first.cause(),
            StoreError::Corrupt(_)
            | StoreError::Io(_)
            | StoreError::Full(_)
            | StoreError::ReadOnly
            | StoreError::NotReady(_) => self,
        }
    }

    pub(crate) fn io(site: &str, e: &std::io::Error) -> StoreError {
        use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        if matches!(e.kind(), StorageFull | QuotaExceeded | FileTooLarge) {
            StoreError::Full(format!("{site}: {e}"))
        } else {
            StoreError::Io(format!("{site}: {e}"))
        }
    }

    /// A sync failed. Whatever the reason, what is on disk is not known: never [`StoreError::Full`].
    pub(crate) fn sync(site: &str, e: &std::io::Error) -> StoreError {
        StoreError::Io(format!("{site}: {e}"))
    }

    pub(crate) fn sqlite(site: &str, e: &rusqlite::Error) -> StoreError {
        match e.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => StoreError::Full(format!("{site}: {e}")),
            Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
                StoreError::Corrupt(format!("{site}: {e}"))
            }
            _ => StoreError::Io(format!("{site}: {e}")),
        }
    }
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StoreError::Corrupt(what) => write!(f, "corrupt: {what}"),
            StoreError::Io(what) => write!(f, "disk: {what}"),
            StoreError::Full(what) => write!(f, "disk full: {what}"),
            StoreError::ReadOnly => f.write_str("the database is a secondary"),
            StoreError::NotReady(what) => write!(f, "not ready: {what}"),
            StoreError::Failed(what) => write!(f, "failed earlier: {what}"),
        }
    }
}

impl std::error::Error for StoreError {}
