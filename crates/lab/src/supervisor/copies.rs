//! Snapshots: copies of all that a lab holds, made while nothing runs.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Lab, LabError, lock};
use crate::azure::Azure;
use crate::folder::{self, FolderError};
use crate::settings::{Settings, Side};

/// What belongs to a snapshot, beside the folders.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    format: u32,
    settings: Settings,
}

const FORMAT: u32 = 1;
const MANIFEST: &str = "snapshot.json";
/// Says which snapshot is being restored: one that was broken off is done again at the next start.
const RESTORING: &str = "restoring.json";
const NAME_MAX: usize = 64;

fn check_name(name: &str) -> Result<(), LabError> {
    let fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if (1..=NAME_MAX).contains(&name.len()) && !name.starts_with('.') && name.chars().all(fit) {
        return Ok(());
    }
    Err(LabError::DoesNotApply(format!(
        "'{name}' is no name for a snapshot: up to {NAME_MAX} letters, digits, '-', '_' and '.', no '.' in front"
    )))
}

impl Lab {
    /// The folders that are copied, by their names.
    fn copied(&self) -> [(&'static str, PathBuf); 3] {
        [
            (Side::SqlServer.word(), self.folder.instance(Side::SqlServer)),
            (Side::Managed.word(), self.folder.instance(Side::Managed)),
            ("azure", self.folder.azure()),
        ]
    }

    /// The names of the snapshots.
    pub(super) fn snapshots(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.folder.snapshots()) else { return Vec::new() };
        let whole = entries.filter_map(Result::ok).filter(|e| e.path().join(MANIFEST).exists());
        let mut names: Vec<String> = whole.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        names.retain(|name| check_name(name).is_ok());
        names.sort();
        names
    }

    /// Copies all that the lab holds. Both instances are stopped for it, and started again.
    ///
    /// # Errors
    /// There is a snapshot of that name already, or it cannot be written.
    pub fn snapshot(&self, name: &str) -> Result<(), LabError> {
        check_name(name)?;
        let _working = lock(&self.working);
        let target = self.folder.snapshots().join(name);
        if target.join(MANIFEST).exists() {
            return Err(LabError::DoesNotApply(format!("there is a snapshot '{name}' already")));
        }
        self.log.say(&format!("Snapshot '{name}': stopping both instances"));
        self.pause();
        let copied = self.copy_to(&target);
        self.resume()?;
        copied?;
        self.log.say(&format!("Snapshot '{name}' is in {}; the lab runs on", target.display()));
        Ok(())
    }

    fn copy_to(&self, target: &Path) -> Result<(), FolderError> {
        let failed = |e| FolderError::Io(target.to_owned(), e);
        // One that was broken off has no manifest.
        remove(target).map_err(failed)?;
        for (name, from) in self.copied() {
            copy(&from, &target.join(name)).map_err(failed)?;
        }
        let settings = lock(&self.settings).clone();
        folder::write(&target.join(MANIFEST), &Manifest { format: FORMAT, settings }, 0o644)
    }

    /// Makes the lab as it was when a snapshot was made. Faults are forgotten.
    ///
    /// # Errors
    /// There is no such snapshot, or it cannot be read.
    pub fn restore(&self, name: &str) -> Result<(), LabError> {
        check_name(name)?;
        let _working = lock(&self.working);
        let snapshots = self.snapshots();
        if !snapshots.iter().any(|s| s == name) {
            let all = if snapshots.is_empty() { "none yet".to_owned() } else { snapshots.join(", ") };
            return Err(LabError::NotFound(format!("there is no snapshot '{name}': there is {all}")));
        }
        self.log.say(&format!("Restoring snapshot '{name}': stopping both instances"));
        self.pause();
        let restored = self.copy_from(name);
        self.resume()?;
        restored?;
        self.log.say(&format!("Restored snapshot '{name}'; the lab runs on"));
        Ok(())
    }

    fn copy_from(&self, name: &str) -> Result<(), LabError> {
        let source = self.folder.snapshots().join(name);
        let manifest: Manifest = folder::read_json(&source.join(MANIFEST))?
            .ok_or_else(|| LabError::NotFound(format!("there is no snapshot '{name}'")))?;
        if manifest.format > FORMAT {
            return Err(LabError::Failed(format!("the snapshot '{name}' was made by a newer milink")));
        }
        let failed = |path: &Path, e| FolderError::Io(path.to_owned(), e);
        let new = |to: &Path| to.with_extension("restored");
        for (part, to) in self.copied() {
            remove(&new(&to)).map_err(|e| failed(&to, e))?;
            copy(&source.join(part), &new(&to)).map_err(|e| failed(&to, e))?;
        }
        let marker = self.folder.path().join(RESTORING);
        folder::write(&marker, &name, 0o644)?;
        for (_, to) in self.copied() {
            remove(&to).and_then(|()| std::fs::rename(new(&to), &to)).map_err(|e| failed(&to, e))?;
        }
        let mut settings = lock(&self.settings).clone();
        // Addresses are the lab's, and stay.
        settings = Settings { ports: settings.ports, ..manifest.settings };
        self.folder.keep_settings(&settings)?;
        *lock(&self.settings) = settings;
        self.forget_faults()?;
        remove(&marker).map_err(|e| failed(&marker, e))?;
        Ok(())
    }

    /// Ends a restoring that was broken off.
    pub(super) fn finish_restoring(&self) -> Result<(), LabError> {
        let marker = self.folder.path().join(RESTORING);
        let Some(name) = folder::read_json::<String>(&marker)? else { return Ok(()) };
        self.log.say(&format!("Restoring snapshot '{name}', which was broken off"));
        self.copy_from(&name)
    }

    /// Makes the lab as it was at first. Snapshots stay.
    ///
    /// # Errors
    /// The folders cannot be removed, or it does not start.
    pub fn reset(&self) -> Result<(), LabError> {
        let _working = lock(&self.working);
        self.log.say("Reset: stopping both instances, removing their databases");
        self.pause();
        let failed = |path: &Path, e| FolderError::Io(path.to_owned(), e);
        for side in Side::ALL {
            let folder = self.folder.instance(*side);
            remove(&folder).map_err(|e| failed(&folder, e))?;
        }
        Azure::forget(&self.folder.azure()).map_err(|e| failed(&self.folder.azure(), e))?;
        self.forget_faults()?;
        let settings = Settings { sample_loaded: false, ..lock(&self.settings).clone() };
        self.folder.keep_settings(&settings)?;
        *lock(&self.settings) = settings;
        self.start_all()?;
        self.log.say("Reset; the lab runs on");
        Ok(())
    }
}

/// Removes a file or a folder, if it is there.
fn remove(path: &Path) -> io::Result<()> {
    let removed = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    match removed {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Copies a folder and what is in it, durably.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    if !from.exists() {
        return Ok(());
    }
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target)?;
            File::open(&target)?.sync_all()?;
        }
    }
    File::open(to)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_snapshots() {
        for good in ["a", "before-cutover_2.1"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "../x", "a/b", "ü", &"x".repeat(65)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
