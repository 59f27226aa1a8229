//! Drafts as files: `wizard/<id>.json` beside the journal, each written whole, synced and renamed.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::draft::VERSION;
use super::{Draft, DraftId};

/// More drafts are not kept: the ones that were changed longest ago go first.
const DRAFTS_MAX: usize = 500;

/// Why drafts cannot be read or kept.
#[derive(Debug)]
pub(crate) enum StoreError {
    /// A file cannot be used: where, and why.
    Io(PathBuf, String),
    /// A later release wrote it.
    Newer(u32),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Io(path, why) => write!(f, "{}: {why}", path.display()),
            StoreError::Newer(version) => {
                write!(
                    f,
                    "the draft has format {version}, which a later release of milink wrote: use that one"
                )
            }
        }
    }
}

/// The drafts of a folder.
#[derive(Debug)]
pub(crate) struct Store {
    folder: PathBuf,
    // Two tabs that send the same draft come one after the other.
    changing: Mutex<()>,
}

impl Store {
    /// The drafts that lie beside a journal.
    pub(crate) fn beside(journal: &Path) -> Store {
        let parent = journal.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Store { folder: parent.join("wizard"), changing: Mutex::new(()) }
    }

    /// A draft of a context, if there is one.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn find(&self, context: &str, id: &DraftId) -> Result<Option<Draft>, StoreError> {
        Ok(self.read(&self.path(id))?.filter(|d| d.context == context))
    }

    /// Changes a draft of a context, and keeps it: it is on disk when this returns.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub(crate) fn change(
        &self,
        context: &str,
        id: &DraftId,
        change: impl FnOnce(&mut Draft),
    ) -> Result<Option<Draft>, StoreError> {
        let _one = self.lock();
        let Some(mut draft) = self.find(context, id)? else { return Ok(None) };
        change(&mut draft);
        self.write(&draft)?;
        Ok(Some(draft))
    }

    /// Keeps a new draft.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn add(&self, draft: &Draft) -> Result<(), StoreError> {
        let _one = self.lock();
        fs::create_dir_all(&self.folder).map_err(|e| failed(&self.folder, &e))?;
        self.make_room()?;
        self.write(draft)
    }

    /// Throws a draft of a context away; whether it was there.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub(crate) fn remove(&self, context: &str, id: &DraftId) -> Result<bool, StoreError> {
        let _one = self.lock();
        if self.find(context, id)?.is_none() {
            return Ok(false);
        }
        let path = self.path(id);
        fs::remove_file(&path).map_err(|e| failed(&path, &e))?;
        Ok(true)
    }

    /// The drafts of a context, the newest first. Files that cannot be read are left out.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub(crate) fn list(&self, context: &str) -> Result<Vec<Draft>, StoreError> {
        let paths = self.files()?;
        let mut drafts: Vec<Draft> = paths.iter().filter_map(|p| self.read(p).ok().flatten()).collect();
        drafts.retain(|d| d.context == context);
        drafts.sort_by(|a, b| b.begun.cmp(&a.begun).then_with(|| a.id.cmp(&b.id)));
        Ok(drafts)
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, id: &DraftId) -> PathBuf {
        self.folder.join(format!("{}.json", id.as_str()))
    }

    fn read(&self, path: &Path) -> Result<Option<Draft>, StoreError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(failed(path, &e)),
        };
        let value: serde_json::Value =
            serde_json::from_str(&text).map_err(|e| StoreError::Io(path.to_owned(), e.to_string()))?;
        let version = value.get("version").and_then(serde_json::Value::as_u64).unwrap_or_default();
        if version > u64::from(VERSION) {
            return Err(StoreError::Newer(u32::try_from(version).unwrap_or(u32::MAX)));
        }
        serde_json::from_value(value).map(Some).map_err(|e| StoreError::Io(path.to_owned(), e.to_string()))
    }

    fn write(&self, draft: &Draft) -> Result<(), StoreError> {
        let path = self.path(&draft.id);
        let temporary = path.with_extension("new");
        let text = serde_json::to_string_pretty(draft).expect("a draft has only names for keys");
        let written = (|| {
            let mut file = File::create(&temporary)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            File::open(&self.folder)?.sync_all()
        })();
        written.map_err(|e| failed(&path, &e))
    }

    fn files(&self) -> Result<Vec<PathBuf>, StoreError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(failed(&self.folder, &e)),
        };
        let paths: Result<Vec<PathBuf>, io::Error> = entries.map(|e| e.map(|e| e.path())).collect();
        let mut paths = paths.map_err(|e| failed(&self.folder, &e))?;
        paths.retain(|p| p.extension().is_some_and(|e| e == "json"));
        Ok(paths)
    }

    fn make_room(&self) -> Result<(), StoreError> {
        let paths = self.files()?;
        if paths.len() < DRAFTS_MAX {
            return Ok(());
        }
        let changed = |p: &PathBuf| fs::metadata(p).and_then(|m| m.modified()).ok();
        match paths.iter().min_by_key(|p| changed(p)) {
            Some(oldest) => fs::remove_file(oldest).map_err(|e| failed(oldest, &e)),
            None => Ok(()),
        }
    }
}

fn failed(path: &Path, e: &io::Error) -> StoreError {
    StoreError::Io(path.to_owned(), e.to_string())
}
