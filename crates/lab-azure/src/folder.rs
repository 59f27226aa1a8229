//! The data folder: files that are there wholly or not at all, and readable by nobody else where they are secret.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The version of what is in the folder. A newer one is not touched.
const VERSION: u32 = 1;
const VERSION_FILE: &str = "version";

/// A file that could not be used.
#[derive(Debug)]
pub struct FolderError {
    /// Which.
    pub path: PathBuf,
    /// What was wrong.
    pub what: String,
}

impl std::fmt::Display for FolderError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.what)
    }
}

impl std::error::Error for FolderError {}

/// The folder.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    path: PathBuf,
}

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readable {
    /// Its owner.
    ByOwner,
    /// Everybody.
    ByAll,
}

impl Folder {
    /// Opens the folder, making it first if it is not there.
    ///
    /// # Errors
    /// It cannot be made or written, or it belongs to a newer version.
    pub(crate) fn open(path: PathBuf) -> Result<Folder, FolderError> {
        std::fs::create_dir_all(&path).map_err(|e| failed(&path, e))?;
        let folder = Folder { path };
        let file = folder.file(VERSION_FILE);
        match folder.read(VERSION_FILE)? {
            None => folder.write(VERSION_FILE, format!("{VERSION}\n").as_bytes(), Readable::ByAll)?,
            Some(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                let found: u32 = text.trim().parse().map_err(|e| failed(&file, e))?;
                if found > VERSION {
                    let what =
                        format!("the folder is of version {found}; this program knows up to {VERSION}");
                    return Err(failed(&file, what));
                }
            }
        }
        Ok(folder)
    }

    /// A file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// What a file holds; nothing if it is not there.
    pub(crate) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, FolderError> {
        let file = self.file(name);
        match std::fs::read(&file) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(failed(&file, e)),
        }
    }

    /// The same, as JSON.
    pub(crate) fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, FolderError> {
        let Some(bytes) = self.read(name)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|e| failed(&self.file(name), e))
    }

    /// Replaces a file: its new content is on disk before its old one is gone.
    pub(crate) fn write(&self, name: &str, bytes: &[u8], readable: Readable) -> Result<(), FolderError> {
        let (file, new) = (self.file(name), self.file(&format!("{name}.new")));
        let mode = if readable == Readable::ByOwner { 0o600 } else { 0o644 };
        // One that a crash has left may have another mode.
        match std::fs::remove_file(&new) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(failed(&new, e)),
            _ => {}
        }
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&new)
            .and_then(|mut f| f.write_all(bytes).and_then(|()| f.sync_all()));
        written.map_err(|e| failed(&new, e))?;
        std::fs::rename(&new, &file).map_err(|e| failed(&file, e))?;
        File::open(&self.path).and_then(|f| f.sync_all()).map_err(|e| failed(&self.path, e))
    }

    /// The same, with JSON. Only what this program has made is written, so only its owner needs to read it.
    pub(crate) fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), FolderError> {
        let text = serde_json::to_vec_pretty(value).map_err(|e| failed(&self.file(name), e))?;
        self.write(name, &text, Readable::ByOwner)
    }
}

pub(crate) fn failed(path: &Path, what: impl std::fmt::Display) -> FolderError {
    FolderError { path: path.to_owned(), what: what.to_string() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_folder_keeps_secrets_and_refuses_a_newer_one() {
        let temp = tempfile::tempdir().unwrap();
        let folder = Folder::open(temp.path().join("azure")).unwrap();
        assert_eq!(folder.read("a").unwrap(), None);
        folder.write_json("a", &[1, 2]).unwrap();
        folder.write_json("a", &[3]).unwrap();
        assert_eq!(folder.read_json::<Vec<u8>>("a").unwrap(), Some(vec![3]));
        let mode = std::fs::metadata(folder.file("a")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        folder.write(VERSION_FILE, b"2\n", Readable::ByAll).unwrap();
        let error = Folder::open(temp.path().join("azure")).unwrap_err();
        assert!(error.to_string().contains("version 2"), "{error}");
    }
}
