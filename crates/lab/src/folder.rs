//! The folder that a lab lies in.
//!
//! ```text
//! lab.json       how the lab was made, with the version of this layout
//! lock           locked while a supervisor runs
//! secrets.json   passwords and the token of the control endpoint, for the owner's eyes only
//! control.json   where the supervisor answers, while it runs
//! sqlserver/     the databases of SQL Server
//! managed/       the databases of the managed instance
//! azure/         what the local Azure keeps
//! logs/          what the processes say
//! snapshots/     copies of the three folders above
//! ```

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::settings::{Settings, Side};

/// The version of the layout.
const FORMAT: u64 = 1;

/// Whoever looks whether a lab runs has its lock for a moment, too: that is no lab.
const LOOKED_AT: Duration = Duration::from_millis(300);

/// Why a folder cannot be used.
#[derive(Debug)]
pub enum FolderError {
    /// There is no lab in it.
    NoLab(PathBuf),
    /// A newer program has made it.
    Newer {
        /// The folder.
        path: PathBuf,
        /// Its version.
        format: u64,
    },
    /// A lab runs in it already.
    Running(PathBuf),
    /// A file cannot be read or written.
    Io(PathBuf, io::Error),
    /// A file is not what it should be.
    Damaged(PathBuf, String),
}

impl std::fmt::Display for FolderError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FolderError::NoLab(path) => {
                write!(
                    f,
                    "there is no lab in {}: make one with `milink lab up`, or say where it is with --data",
                    path.display()
                )
            }
            FolderError::Newer { path, format } => write!(
                f,
                "the lab in {} is of format {format}, and this program knows {FORMAT}: use the newer milink, or another folder",
                path.display()
            ),
            FolderError::Running(path) => write!(
                f,
                "a lab runs in {} already: see `milink lab status`, or start another one with --data",
                path.display()
            ),
            FolderError::Io(path, e) => match e.kind() {
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    write!(f, "{} cannot be written ({e}): choose another folder with --data", path.display())
                }
                io::ErrorKind::NotADirectory | io::ErrorKind::NotFound => {
                    write!(f, "{} cannot be used ({e}): choose another folder with --data", path.display())
                }
                _ => write!(f, "{}: {e}", path.display()),
            },
            FolderError::Damaged(path, why) => write!(f, "{} is damaged: {why}", path.display()),
        }
    }
}

impl std::error::Error for FolderError {}

/// Where a lab is if nobody says: the platform's folder for state.
///
/// # Errors
/// The environment names no home.
pub fn default_folder() -> Result<PathBuf, String> {
    let var = |name| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let home =
        || var("HOME").ok_or_else(|| "no home folder is known: say with --data where the lab is".to_owned());
    if cfg!(target_os = "macos") {
        return Ok(home()?.join("Library/Application Support/milink/lab"));
    }
    let state = match var("XDG_STATE_HOME") {
        Some(state) => state,
        None => home()?.join(".local/state"),
    };
    Ok(state.join("milink/lab"))
}

/// A lab's folder.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
}

/// The folder is used by nobody else as long as this lives.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// What nobody else may read.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Secrets {
    pub(crate) sqlserver_password: String,
    pub(crate) managed_password: String,
    pub(crate) token: String,
}

impl Secrets {
    /// The password of an instance's `sa`.
    pub(crate) fn password(&self, side: Side) -> &str {
        match side {
            Side::SqlServer => &self.sqlserver_password,
            Side::Managed => &self.managed_password,
        }
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Where the supervisor answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ControlFile {
    pub(crate) port: u16,
    pub(crate) pid: u32,
}

#[derive(Serialize, Deserialize)]
struct LabFile {
    format: u64,
    settings: Option<serde_json::Value>,
}

impl Folder {
    /// A folder, which may not be there yet. Processes that start elsewhere find it too.
    ///
    /// # Errors
    /// The current folder is not known.
    pub fn new(path: &Path) -> Result<Folder, FolderError> {
        let path = std::path::absolute(path).map_err(|e| FolderError::Io(path.to_owned(), e))?;
        Ok(Folder { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The databases of an instance.
    pub(crate) fn instance(&self, side: Side) -> PathBuf {
        self.path.join(side.word())
    }

    pub(crate) fn azure(&self) -> PathBuf {
        self.path.join("azure")
    }

    /// What an instance says that is nobody's answer.
    pub fn instance_log(&self, side: Side) -> PathBuf {
        self.path.join("logs").join(format!("{side}.log"))
    }

    /// The error log of an instance, as `sp_readerrorlog` reads it.
    pub fn error_log(&self, side: Side) -> PathBuf {
        self.instance(side).join("log/ERRORLOG")
    }

    /// What the local Azure says.
    pub fn azure_log(&self) -> PathBuf {
        self.path.join("logs/azure.log")
    }

    /// What the supervisor says.
    pub fn lab_log(&self) -> PathBuf {
        self.path.join("logs/lab.log")
    }

    pub(crate) fn snapshots(&self) -> PathBuf {
        self.path.join("snapshots")
    }

    fn control_file(&self) -> PathBuf {
        self.path.join("control.json")
    }

    /// Makes the folder, if it is not there, and takes it for this process.
    pub(crate) fn take(&self) -> Result<Lock, FolderError> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        for folder in [self.path.clone(), self.path.join("logs"), self.snapshots()] {
            builder.create(&folder).map_err(|e| FolderError::Io(folder.clone(), e))?;
        }
        let path = self.path.join("lock");
        let open = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = open.map_err(|e| FolderError::Io(path.clone(), e))?;
        let until = Instant::now() + LOOKED_AT;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(TryLockError::WouldBlock) if Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(TryLockError::WouldBlock) => return Err(FolderError::Running(self.path.clone())),
                Err(TryLockError::Error(e)) => return Err(FolderError::Io(path, e)),
            }
        }
    }

    /// Whether a supervisor has the folder.
    pub fn is_running(&self) -> bool {
        let Ok(file) = File::open(self.path.join("lock")) else { return false };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }

    /// Waits until no supervisor has the folder; whether that is so.
    pub fn wait_until_free(&self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        while self.is_running() {
            if Instant::now() > until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }

    /// How the lab was made; nothing before its first start.
    ///
    /// # Errors
    /// The folder is of a newer version, or damaged, or cannot be read.
    pub fn settings(&self) -> Result<Option<Settings>, FolderError> {
        let path = self.path.join("lab.json");
        let Some(file) = read::<LabFile>(&path)? else { return Ok(None) };
        if file.format > FORMAT {
            return Err(FolderError::Newer { path: self.path.clone(), format: file.format });
        }
        let settings = file.settings.unwrap_or_default();
        serde_json::from_value(settings).map(Some).map_err(|e| FolderError::Damaged(path, e.to_string()))
    }

    pub(crate) fn keep_settings(&self, settings: &Settings) -> Result<(), FolderError> {
        let path = self.path.join("lab.json");
        let settings =
            serde_json::to_value(settings).map_err(|e| FolderError::Damaged(path.clone(), e.to_string()))?;
        write(&path, &LabFile { format: FORMAT, settings: Some(settings) }, 0o644)
    }

    /// The secrets, made at the first start.
    pub(crate) fn secrets(&self) -> Result<Secrets, FolderError> {
        let path = self.path.join("secrets.json");
        if let Some(secrets) = read(&path)? {
            return Ok(secrets);
        }
        // SQL Server's rule for passwords wants three of four kinds of characters.
        let secrets = Secrets {
            sqlserver_password: format!("Lab-{}", random(&path, 12)?),
            managed_password: format!("Lab-{}", random(&path, 12)?),
            token: random(&path, 32)?,
        };
        write(&path, &secrets, 0o600)?;
        Ok(secrets)
    }

    /// Says where the supervisor answers.
    pub(crate) fn announce(&self, control: &ControlFile) -> Result<(), FolderError> {
        write(&self.control_file(), control, 0o600)
    }

    /// Takes it back: in order. A supervisor that was killed leaves it.
    pub(crate) fn retract(&self) -> Result<(), FolderError> {
        match std::fs::remove_file(self.control_file()) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(FolderError::Io(self.control_file(), e)),
            _ => Ok(()),
        }
    }

    /// Where the supervisor that runs, or was killed, has said that it answers.
    pub(crate) fn announced(&self) -> Result<Option<ControlFile>, FolderError> {
        read(&self.control_file())
    }
}

fn random(path: &Path, bytes: usize) -> Result<String, FolderError> {
    let mut buffer = vec![0; bytes];
    getrandom::fill(&mut buffer)
        .map_err(|e| FolderError::Io(path.to_owned(), io::Error::other(format!("no randomness: {e}"))))?;
    Ok(buffer.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, FolderError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(FolderError::Io(path.to_owned(), e)),
    };
    serde_json::from_str(&text).map(Some).map_err(|e| FolderError::Damaged(path.to_owned(), e.to_string()))
}

/// Writes a file so that it is there as a whole or not at all.
pub(crate) fn write<T: Serialize>(path: &Path, value: &T, mode: u32) -> Result<(), FolderError> {
    let failed = |e| FolderError::Io(path.to_owned(), e);
    let text = serde_json::to_string_pretty(value)
        .map_err(|e| FolderError::Damaged(path.to_owned(), e.to_string()))?;
    let new = path.with_extension("new");
    let open = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&new);
    let mut file = open.map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&new, path).map_err(failed)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder).and_then(|f| f.sync_all()).map_err(failed)
}

/// Reads a file that a snapshot has.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, FolderError> {
    read(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn one_supervisor_at_a_time() {
        let temp = tempfile::tempdir().unwrap();
        let folder = Folder::new(temp.path()).unwrap();
        assert!(!folder.is_running());
        let lock = folder.take().unwrap();
        assert!(folder.is_running());
        assert!(matches!(folder.take(), Err(FolderError::Running(_))));
        drop(lock);
        assert!(folder.wait_until_free(Duration::ZERO));
    }

    #[test]
    fn a_newer_folder_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let folder = Folder::new(temp.path()).unwrap();
        assert!(folder.settings().unwrap().is_none());
        std::fs::write(temp.path().join("lab.json"), r#"{"format": 9, "else": true}"#).unwrap();
        let said = folder.settings().unwrap_err().to_string();
        assert!(said.contains("format 9") && said.contains("knows 1"), "{said}");
    }

    #[test]
    fn secrets_are_made_once_and_for_the_owner_only() {
        let temp = tempfile::tempdir().unwrap();
        let folder = Folder::new(temp.path()).unwrap();
        let secrets = folder.secrets().unwrap();
        assert_eq!(folder.secrets().unwrap().token, secrets.token);
        assert_eq!(secrets.token.len(), 64);
        let mode = std::fs::metadata(temp.path().join("secrets.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
