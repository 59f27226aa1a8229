//! Checkpoints: SQLite moves pages from its WAL into the data file, up to what is hardened.
//!
//! A reader's snapshot holds SQLite back: a passive checkpoint copies no frame that is newer than the oldest snapshot.
//! So a snapshot is taken, what it shows is hardened, and only then SQLite checkpoints. Writers go on meanwhile; what they
//! had committed by the end of that is hardened, too, before the control file says where redo begins.

use std::sync::PoisonError;

use rusqlite::Connection;

use crate::control::Position;
use crate::{Database, Lsn, RecoveryModel, StoreError};

/// Bytes of WAL that are worth a checkpoint; half of what `lab-vfs` keeps in memory.
const WAL_LARGE: u64 = 32 << 20;

/// What a checkpoint did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckpointReport {
    /// Recovery begins here now; the former position if the checkpoint could not be completed because of old readers.
    pub checkpoint_lsn: Lsn,
    /// Whether it was completed.
    pub completed: bool,
    /// Everything in SQLite's WAL is in the data file, even if recovery begins where it did: the next writer begins it anew.
    pub wal_moved: bool,
}

impl Database {
    /// Moves what is hardened into the data file, and lets go of the log that nobody needs.
    ///
    /// On a secondary it is completed only if a restart point has been redone since the last one: recovery begins there.
    pub fn checkpoint(&self) -> Result<CheckpointReport, StoreError> {
        let sqlite = |e: rusqlite::Error| StoreError::sqlite("checkpoint", &e);
        let Some(logged) = &self.logged else {
            let moved =
                self.connect()?.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |r| r.get::<_, i64>(2));
            return moved.map_err(sqlite).map(|_| CheckpointReport {
                checkpoint_lsn: Lsn(0),
                completed: true,
                wal_moved: true,
            });
        };
        // One checkpoint at a time, and none once the store is shut.
        let keeper = logged.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = logged.log.failure() {
            return Err(StoreError::Failed(Box::new(why)));
        }
        let (start, as_primary, frames) = {
            let mut capture = logged.gate.lock().unwrap_or_else(PoisonError::into_inner);
            let as_primary = !logged.progress.is_secondary();
            let start = if as_primary {
                // From here on the first change of a page logs an image: redo from `start` must not rely on the data file,
                // which is being written.
                capture.log_images();
                Some(capture.at)
            } else {
                // Only where the primary says so do images begin.
                capture.restart
            };
            (start, as_primary, capture.cursor.frames)
        };
        let snapshot = self.connect()?;
        snapshot.execute_batch("BEGIN; SELECT lsn FROM _lsn;").map_err(sqlite)?;
        // Fails, too, if the snapshot shows a commit that did not get into the log: it must not get into the data file.
        self.wait_hardened(self.observe_lsn())?;
        let moved: i64 =
            keeper.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |r| r.get(2)).map_err(sqlite)?;
        snapshot.execute_batch("COMMIT").map_err(sqlite)?;
        // NB: of a page that has a newer frame than the snapshot's, SQLite copies none, for it has that one to come back to.
        // The log must have it, too, before redo may begin here: its record is an image.
        self.wait_hardened(self.observe_lsn())?;
        let control = logged.control.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let open =
            CheckpointReport { checkpoint_lsn: control.checkpoint_lsn, completed: false, wal_moved: false };
        // SQLite says -1 if it could not even begin. With nothing in its WAL, all of it is moved.
        if u64::try_from(moved).unwrap_or(0) < frames {
            return Ok(open);
        }
        // NB: the role may have changed since; the newest restart point of a secondary may lie before its checkpoint.
        let is_ahead = |start: &Position| {
            start.lsn > control.checkpoint_lsn || as_primary && start.lsn == control.checkpoint_lsn
        };
        let Some(start) = start.filter(is_ahead) else {
            // The WAL is in the data file, and redo still begins where it did: that does no harm to a newer data file.
            self.restart_wal(&keeper)?;
            return Ok(CheckpointReport { wal_moved: true, ..open });
        };
        logged.data.sync("data sync").map_err(|e| {
            let error = StoreError::sync("sync the data file", &e);
            logged.log.fail(error.clone());
            error
        })?;
        let control = self.change_control(logged, |control| control.set_checkpoint(&start))?;
        let floor = match (control.recovery_model, control.log_backed_up) {
            (RecoveryModel::Full | RecoveryModel::BulkLogged, Some(backed_up)) => start.lsn.min(backed_up),
            _ => start.lsn,
        };
        logged.log.truncate(floor, &logged.pins)?;
        self.restart_wal(&keeper)?;
        Ok(CheckpointReport { checkpoint_lsn: start.lsn, completed: true, wal_moved: true })
    }

    /// With no commit in flight, moves the last few frames, so that the next writer begins the WAL anew.
    fn restart_wal(&self, keeper: &Connection) -> Result<(), StoreError> {
        let Some(logged) = &self.logged else { return Ok(()) };
        let gate = logged.gate.lock().unwrap_or_else(PoisonError::into_inner);
        self.wait_hardened(gate.at.lsn)?;
        let moved = keeper.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |r| r.get::<_, i64>(2));
        drop(gate);
        moved.map(|_| ()).map_err(|e| StoreError::sqlite("checkpoint", &e))
    }

    /// Whether SQLite's WAL has grown so far that a checkpoint should begin it anew.
    pub fn wal_is_large(&self) -> bool {
        self.volume.wal_bytes() > WAL_LARGE
    }

    /// Whether recovery would have something to redo.
    pub fn needs_checkpoint(&self) -> bool {
        self.logged.as_ref().is_some_and(|l| {
            let from = l.control.lock().unwrap_or_else(PoisonError::into_inner).checkpoint_lsn;
            let is_secondary = l.progress.is_secondary();
            let to = if is_secondary { l.progress.restart() } else { l.log.end() };
            l.log.failure().is_none() && (to > from || is_secondary && self.wal_is_large())
        })
    }
}
