//! Making a database of backups.
//!
//! A full backup becomes the data file of a new folder. A log backup is checked record by record and put beside it. Redo
//! comes in the end, with recovery: into a copy of the data file, which takes its place when it is complete and durable. So
//! a restore can be broken off anywhere, and what was restored before is still there.

use std::path::Path;
use std::sync::Arc;

use super::Progress;
use super::error::BackupError;
use super::format::BackupKind;
use super::log_reader::RawRecord;
use super::media::{Media, SetFacts};
use super::read::{read_log, read_pages};
use super::state::{DATA, Piece, RestoreState};
use crate::capture::now;
use crate::control::{Control, Mode, Position};
use crate::database::data_path;
use crate::disk::DiskFile;
use crate::log::{Log, SEGMENT, segment_path, segments};
use crate::recovery;
use crate::redo::{FilePages, Pages, redo};
use crate::{Disk, ForkId, ForkPoint, Lsn, ParsedRecord, RecoveryModel, StoreError, read_record};

/// What a log backup did to a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogRestored {
    /// Where the database is now.
    pub at: Lsn,
    /// Bytes of log that were new to it.
    pub log_bytes: u64,
    /// The point in time was reached: there is nothing more to restore.
    pub stopped: bool,
}

fn io(e: &std::io::Error) -> BackupError {
    StoreError::io("restore", e).into()
}

/// Makes a folder of a full backup. It is in the middle of a restore until [`recover`] ends that.
///
/// # Errors
/// The backup is damaged, or the disk fails; the folder is of no use then and may be removed.
pub fn restore_full(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    media: &Media,
    set: &SetFacts,
    progress: &mut Progress<'_>,
) -> Result<(), BackupError> {
    let header = &set.header;
    let facts = header.pages.filter(|_| header.kind == BackupKind::Full).ok_or(BackupError::WrongKind)?;
    disk.make_dir("make folder", dir).map_err(|e| io(&e))?;
    let file = disk.open("data open", &data_path(dir), true).map_err(|e| io(&e))?;
    file.set_len("restore cut", 0).map_err(|e| io(&e))?;
    let page_size = header.page_size as usize;
    let mut pages = FilePages { file: Arc::clone(&file), page_size };
    read_pages(media, set, progress, |number, page| Ok(pages.write(number, page)?))?;
    pages.resize(facts.database_pages)?;
    file.sync("data sync").map_err(|e| io(&e))?;
    let base = Position {
        lsn: header.last_lsn,
        checksum: facts.checksum,
        database_pages: facts.database_pages,
        time: header.started,
    };
    let state = RestoreState {
        recovery_model: header.recovery_model,
        full_backup_lsn: Some(header.checkpoint_lsn),
        ..RestoreState::new(header.page_size, base, header.fork, header.forks.clone())
    };
    state.save(disk, dir)?;
    if let Some(parent) = dir.parent() {
        disk.sync_dir("parent folder", parent).map_err(|e| io(&e))?;
    }
    Ok(())
}

/// Where a database in the middle of a restore is.
pub fn restored_lsn(disk: &Arc<dyn Disk>, dir: &Path) -> Result<Lsn, BackupError> {
    RestoreState::load(disk, dir).map(|s| s.at.lsn)
}

/// The fork that a database in the middle of a restore began with.
pub fn restored_family(disk: &Arc<dyn Disk>, dir: &Path) -> Result<ForkId, BackupError> {
    RestoreState::load(disk, dir).map(|s| s.forks.first().map_or(s.fork, |f| f.fork))
}

/// Adds a log backup to what has been restored, up to `stop_at` (100 ns since 0001-01-01) if that is given.
///
/// # Errors
/// It does not follow on what was restored, or is damaged; the folder is as it was before.
pub fn restore_log(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    media: &Media,
    set: &SetFacts,
    stop_at: Option<i64>,
    progress: &mut Progress<'_>,
) -> Result<LogRestored, BackupError> {
    let mut state = RestoreState::load(disk, dir)?;
    let (header, before) = (&set.header, state.at);
    if header.kind != BackupKind::Log || header.page_size != state.page_size {
        return Err(BackupError::WrongKind);
    }
    if header.first_lsn > before.lsn {
        return Err(BackupError::TooLate { first: header.first_lsn, at: before.lsn });
    }
    if !header.follows(&state.fork, before.lsn) {
        return Err(BackupError::OtherFork);
    }
    if header.last_lsn < before.lsn {
        return Err(BackupError::TooEarly { last: header.last_lsn, at: before.lsn });
    }
    if stop_at.is_some_and(|stop| stop < before.time) {
        return Err(BackupError::StopTooEarly);
    }
    let name = format!("{PIECE}{:016x}", before.lsn.0);
    let file = disk.open("piece open", &dir.join(&name), true).map_err(|e| io(&e))?;
    file.set_len("piece cut", 0).map_err(|e| io(&e))?;
    let mut stacked = Stacked { at: before, bytes: 0, stopped: false };
    read_log(media, set, progress, |raw| stacked.add(file.as_ref(), raw, stop_at))?;
    file.sync("piece sync").map_err(|e| io(&e))?;
    if stacked.bytes > 0 {
        state.pieces.push(Piece { name, first: before.lsn, last: stacked.at.lsn });
    }
    state.at = stacked.at;
    let history = header.history();
    // A point in time may lie before the fork that the backup was taken on.
    let history = if stacked.at.lsn < history.end { history.up_to(stacked.at.lsn) } else { history };
    (state.fork, state.forks) = (history.fork, history.forks);
    state.recovery_model = header.recovery_model;
    state.save(disk, dir)?;
    Ok(LogRestored { at: stacked.at.lsn, log_bytes: stacked.bytes, stopped: stacked.stopped })
}

/// A log backup on its way into a folder.
struct Stacked {
    at: Position,
    bytes: u64,
    stopped: bool,
}

impl Stacked {
    /// Takes the next record; whether more are wanted.
    fn add(
        &mut self,
        file: &dyn DiskFile,
        raw: RawRecord,
        stop_at: Option<i64>,
    ) -> Result<bool, BackupError> {
        let RawRecord { record, bytes } = raw;
        if record.lsn < self.at.lsn && self.bytes == 0 {
            // An earlier backup has brought it.
            return Ok(true);
        }
        if record.lsn != self.at.lsn || record.checksum_before != self.at.checksum {
            return Err(BackupError::OtherFork);
        }
        if stop_at.is_some_and(|stop| record.time > stop) {
            self.stopped = true;
            return Ok(false);
        }
        file.write_at("piece write", self.bytes, &bytes).map_err(|e| io(&e))?;
        self.bytes += bytes.len() as u64;
        self.at = Position {
            lsn: Lsn(record.lsn.0 + bytes.len() as u64),
            checksum: record.checksum_after,
            database_pages: record.database_pages,
            time: record.time,
        };
        Ok(true)
    }
}

/// What the names of files with restored log begin with.
const PIECE: &str = "restored-";
/// The copy of the data file that redo goes into.
const REDONE: &str = "data.redo";

/// Ends a restore: the folder can be opened as a database, on a recovery fork of its own.
///
/// Doing it again after it was broken off, or done, is safe as long as nobody has opened the database.
///
/// # Errors
/// The log does not fit the pages, or the disk fails; the folder is still in the middle of the restore.
pub fn recover(disk: &Arc<dyn Disk>, dir: &Path) -> Result<(), BackupError> {
    let mut state = match RestoreState::load(disk, dir) {
        Ok(state) => state,
        Err(BackupError::NotRestoring) => {
            return Ok(Control::load(disk, dir).map(|_| ())?);
        }
        Err(e) => return Err(e),
    };
    settle(disk, dir, &mut state)?;
    let pieces = std::mem::take(&mut state.pieces);
    if !pieces.is_empty() {
        redo_pieces(disk, dir, &state, &pieces)?;
        state.base = state.at;
        REDONE.clone_into(&mut state.data);
        state.save(disk, dir)?;
    }
    settle(disk, dir, &mut state)?;
    remove_pieces(disk, dir)?;
    let mut forks = state.forks;
    forks.push(ForkPoint { fork: state.fork, end: state.at.lsn });
    let mut control = Control {
        log_backed_up: (state.recovery_model != RecoveryModel::Simple).then_some(state.at.lsn),
        full_backup_lsn: state.full_backup_lsn,
        forks,
        ..Control::new(state.page_size, ForkId::unique(), state.recovery_model)
    };
    control.set_checkpoint(&state.at);
    // A log that has been truncated keeps a segment, and so does one that begins at another LSN than 0.
    Log::begin(disk, dir, state.at.lsn)?;
    control.save(disk, dir)?;
    RestoreState::remove(disk, dir)?;
    Ok(())
}

/// Ends a restore the other way: the folder is a secondary from then on, which goes on where the restore has come to, on
/// the fork that the backups were taken on. Redo of the log backups is left to recovery.
///
/// Doing it again after it was broken off, or done, is safe as long as nobody has opened the database.
///
/// # Errors
/// The disk fails; the folder is still in the middle of the restore.
pub fn join_restored(disk: &Arc<dyn Disk>, dir: &Path) -> Result<(), BackupError> {
    let mut state = match RestoreState::load(disk, dir) {
        Ok(state) => state,
        Err(BackupError::NotRestoring) => {
            return Ok(Control::load(disk, dir).map(|_| ())?);
        }
        Err(e) => return Err(e),
    };
    settle(disk, dir, &mut state)?;
    let mut control = if state.was_open {
        // A database that was left as it was goes on as it was: its log is still beside it.
        Control::load(disk, dir)?
    } else {
        let mut control = Control::new(state.page_size, state.fork, state.recovery_model);
        control.full_backup_lsn = state.full_backup_lsn;
        // A full backup was taken as snapshots are: the log behind it begins with images.
        control.set_checkpoint(&state.base);
        remove_log(disk, dir, Lsn(0))?;
        Log::begin(disk, dir, state.base.lsn)?;
        control
    };
    control.mode = Mode::Secondary;
    if !(state.was_open && state.pieces.is_empty()) {
        control.recovery_model = state.recovery_model;
        control.log_backed_up = (state.recovery_model != RecoveryModel::Simple).then_some(state.at.lsn);
        (control.fork, control.forks) = (state.fork, state.forks.clone());
        control.hardened_lsn = state.at.lsn;
        append_pieces(disk, dir, &state)?;
    }
    control.save(disk, dir)?;
    RestoreState::remove(disk, dir)?;
    // What could not be removed is of no use and no harm.
    remove_pieces(disk, dir)
}

/// Puts restored log behind the log that is there, which ends where the restore began.
fn append_pieces(disk: &Arc<dyn Disk>, dir: &Path, state: &RestoreState) -> Result<(), BackupError> {
    if state.was_open {
        // What an earlier attempt has appended.
        remove_log(disk, dir, state.base.lsn)?;
    }
    let log = Log::start(Arc::clone(disk), dir, state.base.lsn, SEGMENT)?;
    for piece in &state.pieces {
        let file = disk.open("piece open", &dir.join(&piece.name), false).map_err(|e| io(&e))?;
        let mut at = piece.first;
        each_record(file.as_ref(), piece.last.0.saturating_sub(piece.first.0), |record, _| {
            at = log.append_records(at, &record.encode())?;
            if at.0.saturating_sub(log.hardened().0) > LOG_BYTES_MAX { log.wait(at) } else { Ok(()) }
        })?;
    }
    Ok(log.wait(state.at.lsn)?)
}

/// Bytes of log that are written at once.
const LOG_BYTES_MAX: u64 = 4 << 20;

/// Removes the segments that begin there or behind: what an attempt that was broken off has begun.
fn remove_log(disk: &Arc<dyn Disk>, dir: &Path, from: Lsn) -> Result<(), BackupError> {
    for start in segments(disk, dir)?.into_iter().filter(|start| *start >= from) {
        disk.remove("segment remove", &segment_path(dir, start)).map_err(|e| io(&e))?;
    }
    disk.sync_dir("restore folder", dir).map_err(|e| io(&e))
}

/// Puts the redone copy into the place of the data file, if there is one.
fn settle(disk: &Arc<dyn Disk>, dir: &Path, state: &mut RestoreState) -> Result<(), BackupError> {
    if state.data != REDONE {
        return Ok(());
    }
    match disk.rename("redone rename", &dir.join(REDONE), &data_path(dir)) {
        // Renamed before this was broken off.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        other => other.map_err(|e| io(&e))?,
    }
    disk.sync_dir("restore folder", dir).map_err(|e| io(&e))?;
    DATA.clone_into(&mut state.data);
    Ok(state.save(disk, dir)?)
}

/// Restored log that is redone, or that a restore which failed has left.
fn remove_pieces(disk: &Arc<dyn Disk>, dir: &Path) -> Result<(), BackupError> {
    for path in disk.list("pieces list", dir).map_err(|e| io(&e))? {
        if path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with(PIECE)) {
            disk.remove("piece remove", &path).map_err(|e| io(&e))?;
        }
    }
    Ok(())
}

/// Copies the data file and redoes the pieces in the copy.
fn redo_pieces(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    state: &RestoreState,
    pieces: &[Piece],
) -> Result<(), BackupError> {
    let from = disk.open("data open", &dir.join(&state.data), false).map_err(|e| io(&e))?;
    let to = disk.open("redone open", &dir.join(REDONE), true).map_err(|e| io(&e))?;
    copy(from.as_ref(), to.as_ref()).map_err(|e| io(&e))?;
    let page_size = state.page_size as usize;
    let mut pages = FilePages { file: Arc::clone(&to), page_size };
    let mut checksum = state.base.checksum;
    let mut at = state.base.lsn;
    for piece in pieces {
        let file = disk.open("piece open", &dir.join(&piece.name), false).map_err(|e| io(&e))?;
        let len = piece.last.0.saturating_sub(piece.first.0);
        each_record(file.as_ref(), len, |record, size| {
            if record.lsn != at {
                return Err(StoreError::Corrupt(format!(
                    "{}: the record at {at} is expected, one at {} is there",
                    piece.name, record.lsn
                )));
            }
            checksum = redo(record, &mut pages, checksum)?;
            at.0 += size as u64;
            Ok(())
        })?;
    }
    if at != state.at.lsn || checksum != state.at.checksum {
        return Err(StoreError::Corrupt(format!(
            "the restored log ends at {at}, {} is expected",
            state.at.lsn
        ))
        .into());
    }
    pages.resize(state.at.database_pages)?;
    to.sync("redone sync").map_err(|e| io(&e))?;
    disk.sync_dir("restore folder", dir).map_err(|e| io(&e))
}

fn copy(from: &dyn DiskFile, to: &dyn DiskFile) -> std::io::Result<()> {
    to.set_len("redone cut", 0)?;
    let mut buffer = vec![0; 256 << 10];
    let mut at = 0;
    loop {
        let read = from.read_at("copy read", at, &mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        to.write_at("copy write", at, buffer.get(..read).unwrap_or_default())?;
        at += read as u64;
    }
}

/// Reads the records of a piece of `len` bytes.
fn each_record(
    file: &dyn DiskFile,
    len: u64,
    mut each: impl FnMut(&crate::Record, usize) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut buffer: Vec<u8> = Vec::new();
    let mut at = 0;
    loop {
        let mut used = 0;
        while let ParsedRecord::Record(record, size) = read_record(buffer.get(used..).unwrap_or_default()) {
            each(&record, size)?;
            used += size;
        }
        buffer.drain(..used);
        let mut more = vec![0; (len - at).min(256 << 10) as usize];
        let read =
            file.read_at("piece read", at, &mut more).map_err(|e| StoreError::io("read restored log", &e))?;
        if read == 0 {
            break;
        }
        at += read as u64;
        buffer.extend(more.into_iter().take(read));
    }
    if buffer.is_empty() {
        Ok(())
    } else {
        Err(StoreError::Corrupt("restored log does not verify".to_owned()))
    }
}

/// Puts a database that nobody has open into the middle of a restore, as it is: BACKUP LOG WITH NORECOVERY.
///
/// # Errors
/// It cannot be recovered; it is left as it was.
pub fn leave_restoring(disk: &Arc<dyn Disk>, dir: &Path) -> Result<Lsn, BackupError> {
    let control = Control::load(disk, dir)?;
    let recovered = recovery::recover(disk, dir, &control)?;
    let base = Position { time: now(), ..recovered.end };
    let state = RestoreState {
        was_open: true,
        recovery_model: control.recovery_model,
        full_backup_lsn: control.full_backup_lsn,
        ..RestoreState::new(control.page_size, base, control.fork, control.forks.clone())
    };
    state.save(disk, dir)?;
    Ok(recovered.end.lsn)
}
