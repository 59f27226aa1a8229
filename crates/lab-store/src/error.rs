//! What can go wrong with a store, by what its owner can do about it.

/// An error of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreError {
    /// What is on disk contradicts itself: the database is SUSPECT.
    Corrupt(String),
    /// The disk cannot be read or written now: the database is RECOVERY_PENDING, or fails while it runs.
    Io(String),
    /// An earlier failure was final: the store answers nothing any more until it is opened again.
    Failed(String),
}

impl StoreError {
    /// Whether the files are wrong, rather than out of reach.
    pub fn is_corruption(&self) -> bool {
        matches!(self, StoreError::Corrupt(_))
    }

    pub(crate) fn io(site: &str, e: &std::io::Error) -> StoreError {
        StoreError::Io(format!("{site}: {e}"))
    }

    pub(crate) fn sqlite(site: &str, e: &rusqlite::Error) -> StoreError {
        StoreError::Io(format!("{site}: {e}"))
    }
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StoreError::Corrupt(what) => write!(f, "corrupt: {what}"),
            StoreError::Io(what) => write!(f, "disk: {what}"),
            StoreError::Failed(what) => write!(f, "failed earlier: {what}"),
        }
    }
}

impl std::error::Error for StoreError {}
