//! Seeding: the first copy of a database, made of a snapshot of another one and of the log before it.
//!
//! The source takes a [`Snapshot`], says what it is ([`SeedHeader`]), and sends its pages and the log that leads up to it. The
//! destination writes them into a folder ([`SeedWriter`]), which is a secondary once all of it is there and verifies. Until
//! then the folder holds a file that says so: a seeding that was broken off is begun anew, as SQL Server does it.
//!
//! The log before the snapshot is what the chain of log backups still needs: the copy can take the next log backup, should
//! it become the primary.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::control::{Control, Mode, Position};
use crate::database::{data_path, lock};
use crate::disk::DiskFile;
use crate::log::{Log, SEGMENT};
use crate::receive::Received;
use crate::record::page_hash;
use crate::redo::{FilePages, Pages};
use crate::{Database, Disk, History, LogPin, Lsn, ReceiveError, RecoveryModel, Snapshot, StoreError};

/// A folder that holds this file holds no database yet.
const MARKER: &str = "seeding";
/// Bytes of log that are written at once.
const LOG_BYTES_MAX: usize = 4 << 20;
/// Bytes of pages after which the disk is asked to begin with them.
const WRITE_BACK_BYTES: u64 = 16 << 20;

/// What a copy is told before its pages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeedHeader {
    /// Bytes of a page.
    pub page_size: u32,
    /// Pages of the database, the lock page counted.
    pub database_pages: u32,
    /// The database's checksum.
    pub checksum: u64,
    /// The pages hold everything before this.
    pub lsn: Lsn,
    /// When the last commit before `lsn` was, 100 ns since 0001-01-01.
    pub time: i64,
    /// The log from here to `lsn` belongs to the copy, too.
    pub log_from: Lsn,
    /// The forks up to `lsn`.
    pub history: History,
    /// The recovery model.
    pub recovery_model: RecoveryModel,
    /// Where the last log backup ended.
    pub log_backed_up: Option<Lsn>,
    /// Where the last full backup of the chain stands.
    pub full_backup_lsn: Option<Lsn>,
    /// Where recovery of the copy begins, if that is not where its pages are. Of a primary the log behind the snapshot begins
    /// with an image of each page, so that redo over the pages can be broken off and begin again. What a secondary has
    /// received behind its snapshot does not; but its log does so behind its last restart point, and the pages of the
    /// snapshot are none that redo from there could not have left.
    #[serde(default)]
    pub(crate) restart: Option<Position>,
}

impl SeedHeader {
    /// Whether it can be the header of any copy. It comes from a peer.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let good = self.page_size.is_power_of_two()
            && (512..=65536).contains(&self.page_size)
            && self.database_pages > 0
            && self.log_from <= self.lsn
            && self.history.end == self.lsn
            && self.history.forks.is_sorted_by_key(|f| f.end)
            && self.history.forks.last().is_none_or(|f| f.end <= self.lsn)
            && self.restart.is_none_or(|r| self.log_from <= r.lsn && r.lsn <= self.lsn);
        if good { Ok(()) } else { Err(StoreError::Corrupt(format!("no copy has this header: {self:?}"))) }
    }

    pub(crate) fn position(&self) -> Position {
        let SeedHeader { lsn, checksum, database_pages, time, .. } = *self;
        Position { lsn, checksum, database_pages, time }
    }

    /// The control file of the copy.
    pub(crate) fn control(&self) -> Control {
        let mut control = Control {
            mode: Mode::Secondary,
            hardened_lsn: self.lsn,
            log_backed_up: self.log_backed_up,
            full_backup_lsn: self.full_backup_lsn,
            forks: self.history.forks.clone(),
            ..Control::new(self.page_size, self.history.fork, self.recovery_model)
        };
        control.set_checkpoint(&self.restart.unwrap_or(self.position()));
        control
    }
}

impl Database {
    /// What a copy is made of: a snapshot, what it says of itself, and a pin on the log from `log_from` on, which may be
    /// moved to where the copy is by then.
    ///
    /// The log belongs to the copy from `log_from` on; if that is not given, from where the next log backup begins.
    ///
    /// # Errors
    /// [`StoreError::NotReady`] if the log does not reach back to `log_from`, or on a secondary not to its last restart
    /// point.
    pub fn seed(&self, log_from: Option<Lsn>) -> Result<(SeedHeader, Snapshot, LogPin), StoreError> {
        let logged = self.logged()?;
        // Nothing goes away between asking and pinning.
        let (pin, oldest) = self.pin_oldest().map_err(|e| StoreError::Io(e.to_string()))?;
        // Before the snapshot: its pages have come at least that far.
        let checkpoint = lock(&logged.control).checkpoint();
        let snapshot = self.snapshot()?;
        let restart = (!snapshot.is_restart_point).then_some(checkpoint);
        let control = lock(&logged.control).clone();
        let keeps_log = control.recovery_model != RecoveryModel::Simple;
        let backed_up = control.log_backed_up.filter(|lsn| keeps_log && *lsn <= snapshot.lsn);
        let log_from = log_from.or(backed_up).unwrap_or(snapshot.lsn);
        let log_from = restart.map_or(log_from, |r| log_from.min(r.lsn));
        if log_from < oldest || log_from > snapshot.lsn {
            return Err(StoreError::NotReady(format!("the log reaches from {oldest} to {}", snapshot.lsn)));
        }
        pin.advance(log_from);
        let header = SeedHeader {
            page_size: snapshot.page_size,
            database_pages: snapshot.database_pages,
            checksum: snapshot.checksum,
            lsn: snapshot.lsn,
            time: snapshot.time,
            log_from,
            // Of a secondary the control file may name forks that its log has not come to.
            history: History { fork: snapshot.fork, forks: snapshot.forks.clone(), end: snapshot.lsn }
                .reached(),
            recovery_model: snapshot.recovery_model,
            log_backed_up: backed_up,
            full_backup_lsn: control.full_backup_lsn.filter(|lsn| *lsn <= snapshot.lsn),
            restart,
        };
        Ok((header, snapshot, pin))
    }
}

/// Log on its way to a copy: checked against what the header says of it, record by record.
pub(crate) struct SeedLog {
    received: Option<Received>,
    first: Lsn,
    history: History,
    page_size: u32,
}

impl SeedLog {
    pub(crate) fn new(header: &SeedHeader) -> SeedLog {
        SeedLog {
            received: None,
            first: header.log_from,
            history: header.history.clone(),
            page_size: header.page_size,
        }
    }

    /// Checks whole records; where they begin.
    pub(crate) fn check(&mut self, bytes: &[u8]) -> Result<Lsn, StoreError> {
        let received = match &mut self.received {
            Some(received) => received,
            // What the database was before the first record, that record says.
            none => none.insert(Received::before(bytes, self.first, self.history.clone())),
        };
        let at = received.end.lsn;
        let end = received.check(bytes, self.page_size).map_err(|e| match e {
            ReceiveError::Store(e) => e,
            other => StoreError::Corrupt(format!("the log of the copy at {at}: {other}")),
        })?;
        if end.lsn > self.history.end {
            return Err(StoreError::Corrupt(format!(
                "the log of the copy goes on behind {}",
                self.history.end
            )));
        }
        received.end = end;
        Ok(at)
    }

    /// Whether the log has come to where the pages are.
    pub(crate) fn finish(&self, header: &SeedHeader) -> Result<(), StoreError> {
        let end = self.received.as_ref().map(|r| r.end);
        let (at, checksum) = end.map_or((self.first, header.checksum), |e| (e.lsn, e.checksum));
        if at == header.lsn && checksum == header.checksum {
            return Ok(());
        }
        Err(StoreError::Corrupt(format!(
            "the log of the copy ends at {at} with checksum {checksum:016x}, {} with {:016x} is expected",
            header.lsn, header.checksum
        )))
    }
}

/// Whether a seeding of this folder was begun and not finished: it holds no database, and may be seeded or removed.
///
/// # Errors
/// The folder cannot be read.
pub fn is_half_seeded(disk: &Arc<dyn Disk>, dir: &Path) -> Result<bool, StoreError> {
    has(disk, dir, MARKER).map_err(io)
}

fn has(disk: &Arc<dyn Disk>, dir: &Path, name: &str) -> std::io::Result<bool> {
    match disk.list("seed list", dir) {
        Ok(files) => Ok(files.iter().any(|f| f.file_name().is_some_and(|n| n == name))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

fn io(e: std::io::Error) -> StoreError {
    StoreError::io("seed", &e)
}

/// Removes everything of a seeding that was not finished; the folder itself stays. A folder without one is left alone.
///
/// # Errors
/// It could not be removed; it is still half seeded.
pub fn remove_half_seeded(disk: &Arc<dyn Disk>, dir: &Path) -> Result<(), StoreError> {
    if !is_half_seeded(disk, dir)? {
        return Ok(());
    }
    clear(disk, dir)?;
    disk.remove("seed marker remove", &dir.join(MARKER)).map_err(io)?;
    disk.sync_dir("seed folder", dir).map_err(|e| StoreError::sync("remove a seeding", &e))
}

/// Removes all files but the marker.
fn clear(disk: &Arc<dyn Disk>, dir: &Path) -> Result<(), StoreError> {
    for path in disk.list("seed list", dir).map_err(io)? {
        if path.file_name().is_none_or(|n| n != MARKER) {
            disk.remove("seed remove", &path).map_err(io)?;
        }
    }
    disk.sync_dir("seed folder", dir).map_err(|e| StoreError::sync("remove a seeding", &e))
}

/// Makes a folder of a copy.
pub struct SeedWriter {
    disk: Arc<dyn Disk>,
    dir: std::path::PathBuf,
    header: SeedHeader,
    file: Arc<dyn DiskFile>,
    log: Log,
    checked: SeedLog,
    /// The page that was written last.
    last: u32,
    sum: u64,
    /// Up to here the disk was asked to write.
    written_back: u64,
}

impl std::fmt::Debug for SeedWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SeedWriter").field("dir", &self.dir).field("last", &self.last).finish_non_exhaustive()
    }
}

impl SeedWriter {
    /// Begins a copy in a folder, which is made if it is not there. What an earlier seeding has left in it goes.
    ///
    /// # Errors
    /// [`StoreError::NotReady`] if the folder holds a database; [`StoreError::Corrupt`] if there can be no such copy.
    pub fn begin(disk: Arc<dyn Disk>, dir: &Path, header: &SeedHeader) -> Result<SeedWriter, StoreError> {
        header.check()?;
        disk.make_dir("make folder", dir).map_err(io)?;
        if is_half_seeded(&disk, dir)? {
            clear(&disk, dir)?;
        } else if !disk.list("seed list", dir).map_err(io)?.is_empty() {
            return Err(StoreError::NotReady(format!("{} is not empty", dir.display())));
        }
        // Before anything else: nobody takes what follows for a database.
        let marker = disk.open("seed marker open", &dir.join(MARKER), true).map_err(io)?;
        marker.sync("seed marker sync").map_err(io)?;
        disk.sync_dir("seed folder", dir).map_err(io)?;
        if let Some(parent) = dir.parent() {
            disk.sync_dir("parent folder", parent).map_err(io)?;
        }
        let file = disk.open("data open", &data_path(dir), true).map_err(io)?;
        let log = Log::start(Arc::clone(&disk), dir, header.log_from, SEGMENT)?;
        let checked = SeedLog::new(header);
        Ok(SeedWriter {
            disk,
            dir: dir.to_owned(),
            header: header.clone(),
            file,
            log,
            checked,
            last: 0,
            sum: 0,
            written_back: 0,
        })
    }

    /// Writes a page. Pages come in ascending order; SQLite's lock page does not come.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if it is no page that could come now.
    pub fn write_page(&mut self, number: u32, page: &[u8]) -> Result<(), StoreError> {
        check_page(&self.header, self.last, number, page)?;
        self.write_pages(number, page)
    }

    /// Writes pages that follow each other, the first of which is `first`, with one call of the disk: a call for each page
    /// costs more than all else that is done with it.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if one of them is no page that could come now; none is written then.
    pub fn write_pages(&mut self, first: u32, pages: &[u8]) -> Result<(), StoreError> {
        let page_size = self.header.page_size as usize;
        let (mut last, mut sum) = (self.last, self.sum);
        for (number, page) in (first..=u32::MAX).zip(pages.chunks(page_size)) {
            check_page(&self.header, last, number, page)?;
            sum ^= page_hash(number, page);
            last = number;
        }
        let offset = u64::from(first.saturating_sub(1)) * page_size as u64;
        self.file.write_at("seed write", offset, pages).map_err(io)?;
        (self.last, self.sum) = (last, sum);
        self.begin_write_back(offset + pages.len() as u64);
        Ok(())
    }

    /// Lets the disk work on what was written while more comes: the sync at the end finds little left to do.
    fn begin_write_back(&mut self, end: u64) {
        let dirty = end.saturating_sub(self.written_back);
        if dirty >= WRITE_BACK_BYTES {
            self.file.begin_write_back(self.written_back, dirty);
            self.written_back = end;
        }
    }

    /// Adds whole records of the log from `log_from` on, up to the header's `lsn`. They may come before, between or behind
    /// the pages.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if they do not go on where the last ones ended.
    pub fn append_log(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let at = self.checked.check(bytes)?;
        let end = self.log.append_records(at, bytes)?;
        if end.0.saturating_sub(self.log.hardened().0) > LOG_BYTES_MAX as u64 {
            self.log.wait(end)?;
        }
        Ok(())
    }

    /// How many pages of the copy have come, or were skipped: the number of the last one.
    pub fn pages_written(&self) -> u32 {
        self.last
    }

    /// Ends it: the folder is a secondary now, with everything up to the header's `lsn` redone.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if pages or log are missing or are not what the header says. The folder is half seeded still.
    pub fn finish(self) -> Result<(), StoreError> {
        let SeedWriter { disk, dir, header, file, log, checked, sum, .. } = self;
        checked.finish(&header)?;
        if sum != header.checksum {
            return Err(StoreError::Corrupt(format!(
                "the checksum of all pages is {sum:016x}, the copy's header says {:016x}",
                header.checksum
            )));
        }
        log.wait(header.lsn)?;
        drop(log);
        if header.log_from == header.lsn {
            // A log that begins at another LSN than 0 has a segment, however little is in it.
            Log::begin(&disk, &dir, header.lsn)?;
        }
        let page_size = header.page_size as usize;
        FilePages { file: Arc::clone(&file), page_size }.resize(header.database_pages)?;
        file.sync("data sync").map_err(|e| StoreError::sync("sync the data file", &e))?;
        header.control().save(&disk, &dir)?;
        disk.remove("seed marker remove", &dir.join(MARKER)).map_err(io)?;
        disk.sync_dir("seed folder", &dir).map_err(|e| StoreError::sync("end the seeding", &e))
    }
}

/// Whether a page can come behind page `last` of a copy.
pub(crate) fn check_page(header: &SeedHeader, last: u32, number: u32, page: &[u8]) -> Result<(), StoreError> {
    let page_size = header.page_size as usize;
    let can = number > last
        && number <= header.database_pages
        && page.len() == page_size
        && number != crate::record::lock_page(page_size);
    if can {
        return Ok(());
    }
    Err(StoreError::Corrupt(format!(
        "page {number} of {} bytes came behind page {last}, the copy has {} pages of {page_size}",
        page.len(),
        header.database_pages
    )))
}
