//! What a supervisor says: to whoever started it, and to its log.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Told what goes on, a sentence at a time.
pub type Progress = Box<dyn Fn(&str) + Send + Sync>;

/// The supervisor's log, whose lines the starter sees too.
pub(crate) struct Log {
    file: Mutex<File>,
    progress: Progress,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").finish_non_exhaustive()
    }
}

impl Log {
    pub(crate) fn open(path: &Path, progress: Progress) -> std::io::Result<Log> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Log { file: Mutex::new(file), progress })
    }

    pub(crate) fn say(&self, text: &str) {
        (self.progress)(text);
        let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let line = format!("{} {text}\n", crate::status::utc(seconds.as_secs()));
        // A log that cannot be written stops nothing.
        drop(self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes()));
    }
}
