//! What a folder in the middle of a restore knows about itself.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::error::BackupError;
use crate::control::Position;
use crate::{Disk, ForkId, ForkPoint, Lsn, RecoveryModel, StoreError};

const NAME: &str = "restore";
const FORMAT: u32 = 1;
/// The data file of a database.
pub(super) const DATA: &str = "data.db";
/// No state is longer: a restore of ten thousand log backups has a megabyte of it.
const STATE_MAX: u64 = 16 << 20;

/// A stretch of log that stands beside the data file and is not yet redone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Piece {
    /// The file.
    pub(super) name: String,
    /// Where its log begins.
    pub(super) first: Lsn,
    /// Where its log ends.
    pub(super) last: Lsn,
}

/// A restore that is not finished. `base.lsn <= at.lsn`; the pieces are the log from one to the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RestoreState {
    pub(super) format: u32,
    pub(super) page_size: u32,
    /// The file with the pages.
    pub(super) data: String,
    /// What the file with the pages is at.
    pub(super) base: Position,
    /// What has been restored so far.
    pub(super) at: Position,
    pub(super) fork: ForkId,
    pub(super) forks: Vec<ForkPoint>,
    pub(super) recovery_model: RecoveryModel,
    pub(super) full_backup_lsn: Option<Lsn>,
    pub(super) pieces: Vec<Piece>,
    /// The folder was a database before, whose log and control file are still there.
    #[serde(default)]
    pub(super) was_open: bool,
}

impl RestoreState {
    pub(super) fn new(page_size: u32, base: Position, fork: ForkId, forks: Vec<ForkPoint>) -> RestoreState {
        RestoreState {
            format: FORMAT,
            page_size,
            data: DATA.to_owned(),
            base,
            at: base,
            fork,
            forks,
            recovery_model: RecoveryModel::Simple,
            full_backup_lsn: None,
            pieces: Vec::new(),
            was_open: false,
        }
    }

    /// Writes it beside the old one, syncs, renames, syncs the folder.
    pub(super) fn save(&self, disk: &Arc<dyn Disk>, dir: &Path) -> Result<(), StoreError> {
        let body = serde_json::to_string(self).expect("a restore's state holds no map");
        let text = format!("{:08x}\n{body}\n", crc32c::crc32c(body.as_bytes()));
        let (new, name) = (dir.join("restore.new"), dir.join(NAME));
        let write = || -> std::io::Result<()> {
            let file = disk.open("restore state open", &new, true)?;
            file.set_len("restore state cut", 0)?;
            file.write_at("restore state write", 0, text.as_bytes())?;
            file.sync("restore state sync")?;
            disk.rename("restore state rename", &new, &name)?;
            disk.sync_dir("restore folder", dir)
        };
        write().map_err(|e| StoreError::io("write the state of the restore", &e))
    }

    /// # Errors
    /// [`BackupError::NotRestoring`] if the folder is not in the middle of a restore.
    pub(super) fn load(disk: &Arc<dyn Disk>, dir: &Path) -> Result<RestoreState, BackupError> {
        let io = |e: std::io::Error| BackupError::from(StoreError::io("read the state of the restore", &e));
        let file = match disk.open("restore state open", &dir.join(NAME), false) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(BackupError::NotRestoring),
            other => other.map_err(io)?,
        };
        let len = file.len("restore state length").map_err(io)?.min(STATE_MAX);
        let mut bytes = vec![0; len as usize];
        let read = file.read_at("restore state read", 0, &mut bytes).map_err(io)?;
        bytes.truncate(read);
        let parse = || {
            let (crc, body) = std::str::from_utf8(&bytes).ok()?.split_once('\n')?;
            let body = body.trim_end();
            if u32::from_str_radix(crc, 16).ok()? != crc32c::crc32c(body.as_bytes()) {
                return None;
            }
            serde_json::from_str::<RestoreState>(body).ok()
        };
        let state = parse().ok_or_else(|| {
            StoreError::Corrupt(format!("{}/{NAME} cannot be read or has a wrong checksum", dir.display()))
        })?;
        if state.format > FORMAT {
            return Err(StoreError::Io(format!(
                "the restore was begun with format {}, newer than this program's {FORMAT}",
                state.format
            ))
            .into());
        }
        Ok(state)
    }

    /// The folder is a database from now on.
    pub(super) fn remove(disk: &Arc<dyn Disk>, dir: &Path) -> Result<(), StoreError> {
        disk.remove("restore state remove", &dir.join(NAME))
            .and_then(|()| disk.sync_dir("restore folder", dir))
            .map_err(|e| StoreError::io("end the restore", &e))
    }
}
