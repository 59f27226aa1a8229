//! The control file: where recovery begins.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Disk, ForkId, ForkPoint, History, Lsn, RecoveryModel, StoreError};

const NAME: &str = "control";
const FORMAT: u32 = 1;

/// Which way a database changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Mode {
    /// By commits, which make log.
    #[default]
    Primary,
    /// By redo of log that was received.
    Secondary,
}

/// A position, and what the database is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    pub(crate) lsn: Lsn,
    pub(crate) checksum: u64,
    pub(crate) database_pages: u32,
    /// When its last commit was, 100 ns since 0001-01-01, as far as is known.
    pub(crate) time: i64,
}

/// What is known to be durable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Control {
    pub(crate) format: u32,
    pub(crate) page_size: u32,
    pub(crate) fork: ForkId,
    pub(crate) recovery_model: RecoveryModel,
    /// The data file holds everything before this position; redo begins here.
    pub(crate) checkpoint_lsn: Lsn,
    /// The database's checksum at that position.
    pub(crate) checksum: u64,
    /// Pages in the database at that position.
    pub(crate) database_pages: u32,
    /// The log before this position is in a log backup; `None` before the first full backup.
    pub(crate) log_backed_up: Option<Lsn>,
    /// The log was durable up to here when this was written: one that ends earlier has lost something.
    #[serde(default)]
    pub(crate) hardened_lsn: Lsn,
    /// Where the last full backup of the chain stands.
    #[serde(default)]
    pub(crate) full_backup_lsn: Option<Lsn>,
    /// The forks before `fork`, oldest first. On a secondary they may be ahead of the log, which is about to follow.
    #[serde(default)]
    pub(crate) forks: Vec<ForkPoint>,
    #[serde(default)]
    pub(crate) mode: Mode,
    /// When the last commit before `checkpoint_lsn` was.
    #[serde(default)]
    pub(crate) checkpoint_time: i64,
}

impl Control {
    pub(crate) fn new(page_size: u32, fork: ForkId, recovery_model: RecoveryModel) -> Control {
        Control {
            format: FORMAT,
            page_size,
            fork,
            recovery_model,
            checkpoint_lsn: Lsn(0),
            checksum: 0,
            database_pages: 0,
            log_backed_up: None,
            hardened_lsn: Lsn(0),
            full_backup_lsn: None,
            forks: Vec::new(),
            mode: Mode::Primary,
            checkpoint_time: 0,
        }
    }

    /// Where redo begins.
    pub(crate) fn checkpoint(&self) -> Position {
        Position {
            lsn: self.checkpoint_lsn,
            checksum: self.checksum,
            database_pages: self.database_pages,
            time: self.checkpoint_time,
        }
    }

    /// Redo begins there from now on.
    pub(crate) fn set_checkpoint(&mut self, at: &Position) {
        self.checkpoint_lsn = at.lsn;
        self.checksum = at.checksum;
        self.database_pages = at.database_pages;
        self.checkpoint_time = at.time;
    }

    /// The forks that the log went through up to its end, which is given.
    pub(crate) fn history(&self, end: Lsn) -> History {
        History { fork: self.fork, forks: self.forks.clone(), end }
    }

    /// Writes it beside the old one, syncs, renames, syncs the folder.
    ///
    /// # Errors
    /// [`StoreError::Full`] if there was no room: the old one stands as it was. After any other error either of them may
    /// be found later.
    pub(crate) fn save(&self, disk: &Arc<dyn Disk>, dir: &Path) -> Result<(), StoreError> {
        let io = |e: std::io::Error| StoreError::io("write the control file", &e);
        let unknown = |e: std::io::Error| StoreError::sync("write the control file", &e);
        let body = serde_json::to_string(self).expect("a control record has no map");
        let text = format!("{:08x}\n{body}\n", crc32c::crc32c(body.as_bytes()));
        let (new, name) = (dir.join("control.new"), dir.join(NAME));
        let file = disk.open("control open", &new, true).map_err(io)?;
        file.set_len("control cut", 0).map_err(io)?;
        file.write_at("control write", 0, text.as_bytes()).map_err(io)?;
        file.sync("control sync").map_err(unknown)?;
        disk.rename("control rename", &new, &name).map_err(unknown)?;
        disk.sync_dir("control folder", dir).map_err(unknown)
    }

    pub(crate) fn load(disk: &Arc<dyn Disk>, dir: &Path) -> Result<Control, StoreError> {
        let io = |e: std::io::Error| StoreError::io("read the control file", &e);
        let file = disk.open("control open", &dir.join(NAME), false).map_err(io)?;
        let len = file.len("control length").map_err(io)?.min(1 << 20);
        let mut bytes = vec![0; len as usize];
        let read = file.read_at("control read", 0, &mut bytes).map_err(io)?;
        bytes.truncate(read);
        let shown = dir.join(NAME);
        let corrupt =
            |what: &str| StoreError::Corrupt(format!("the control file {}: {what}", shown.display()));
        let text = String::from_utf8(bytes).map_err(|_| corrupt("it is no text"))?;
        let (crc, body) = text.split_once('\n').ok_or_else(|| corrupt("it is cut off"))?;
        let body = body.trim_end();
        let found = crc32c::crc32c(body.as_bytes());
        if u32::from_str_radix(crc, 16).ok() != Some(found) {
            return Err(corrupt(&format!("its checksum is {found:08x}, {crc} is expected")));
        }
        let control: Control =
            serde_json::from_str(body).map_err(|e| corrupt(&format!("it cannot be read: {e}")))?;
        if control.format > FORMAT {
            return Err(StoreError::Io(format!(
                "the database has format {}, newer than this program's {FORMAT}",
                control.format
            )));
        }
        Ok(control)
    }
}
