//! Rewinding: the loser of a forced failover becomes a secondary of the winner without being seeded.
//!
//! Both logs are the same up to the fork point. Every page that has changed since, on either side, is taken from a snapshot
//! of the winner, and so is the log from the fork point on; every other page is the same already.
//!
//! What comes is written beside the old database, which may be open and stays what it was. [`Rewind::finish`] first brings
//! the old data file to the end of its log and works out whether the pages lead to the winner's checksum. Then a file says
//! that the rewind is to be done, and from there on it is: broken off anywhere, [`Database::open`](crate::Database::open)
//! goes on with it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::control::Control;
use crate::database::data_path;
use crate::disk::DiskFile;
use crate::log::{Log, SEGMENT, segment_path, segments};
use crate::record::{RECORD_MAX, lock_page, page_hash, record_length};
use crate::recovery::{self, Recovered};
use crate::redo::{FilePages, Pages};
use crate::seed::{SeedHeader, SeedLog, check_page};
use crate::{Disk, StoreError, common_point, pages};

const STATE: &str = "rewind";
const STATE_NEW: &str = "rewind.new";
const PAGES: &str = "rewind.pages";
const LOG: &str = "rewind.log";
const FORMAT: u32 = 1;
/// Bytes of log that are written at once, unless a record is longer.
const LOG_BYTES: usize = 1 << 20;

/// A rewind that is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    format: u32,
    header: SeedHeader,
    /// The hashes of the pages that were sent, XORed.
    sum: u64,
    /// How many there are.
    count: u32,
    log_bytes: u64,
}

fn io(e: std::io::Error) -> StoreError {
    StoreError::io("rewind", &e)
}

fn sync(e: std::io::Error) -> StoreError {
    StoreError::sync("rewind", &e)
}

/// A rewind on its way into a folder.
pub struct Rewind {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    pages: Arc<dyn DiskFile>,
    log: Arc<dyn DiskFile>,
    checked: SeedLog,
    /// The page that was written last.
    last: u32,
    state: State,
}

impl std::fmt::Debug for Rewind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rewind").field("dir", &self.dir).field("state", &self.state).finish_non_exhaustive()
    }
}

impl Rewind {
    /// Begins a rewind of the database in a folder, which may be open, to what the header says. The header's `log_from` is
    /// where the two histories parted. What an earlier attempt has left goes.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if there can be no such header; the disk.
    pub fn begin(disk: Arc<dyn Disk>, dir: &Path, header: &SeedHeader) -> Result<Rewind, StoreError> {
        header.check()?;
        let fresh = |name: &str| -> Result<Arc<dyn DiskFile>, StoreError> {
            let file = disk.open("rewind open", &dir.join(name), true).map_err(io)?;
            file.set_len("rewind cut", 0).map_err(io)?;
            Ok(file)
        };
        let (pages, log) = (fresh(PAGES)?, fresh(LOG)?);
        let checked = SeedLog::new(header);
        let state = State { format: FORMAT, header: header.clone(), sum: 0, count: 0, log_bytes: 0 };
        Ok(Rewind { disk, dir: dir.to_owned(), pages, log, checked, last: 0, state })
    }

    /// Writes a page of the snapshot. Pages come in ascending order.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if it is no page that could come now; the disk.
    pub fn write_page(&mut self, number: u32, page: &[u8]) -> Result<(), StoreError> {
        check_page(&self.state.header, self.last, number, page)?;
        let entry = [&number.to_le_bytes()[..], page].concat();
        let offset = u64::from(self.state.count) * entry.len() as u64;
        self.pages.write_at("rewind write", offset, &entry).map_err(io)?;
        self.state.sum ^= page_hash(number, page);
        self.state.count += 1;
        self.last = number;
        Ok(())
    }

    /// Adds whole records of the winner's log, from where the histories parted up to the header's `lsn`.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if they do not go on where the last ones ended; the disk.
    pub fn append_log(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.checked.check(bytes)?;
        self.log.write_at("rewind write", self.state.log_bytes, bytes).map_err(io)?;
        self.state.log_bytes += bytes.len() as u64;
        Ok(())
    }

    /// Gives it up: the database is what it was.
    ///
    /// # Errors
    /// What was written could not be removed; opening the database does that, too.
    pub fn abandon(self) -> Result<(), StoreError> {
        let Rewind { disk, dir, .. } = self;
        remove_sent(&disk, &dir)
    }

    /// Does it. Nobody has the database open any more; it is a secondary at the header's `lsn` when this returns.
    ///
    /// # Errors
    /// [`StoreError::NotReady`] if the pages and the log do not lead from this database to that one: it stays what it was,
    /// and has to be seeded. After any other error opening the database either finds the old one or goes on with this.
    pub fn finish(self) -> Result<(), StoreError> {
        let Rewind { disk, dir, pages, log, checked, state, .. } = self;
        let unfit = |e: StoreError| StoreError::NotReady(e.to_string());
        checked.finish(&state.header).map_err(unfit)?;
        pages.sync("rewind sync").map_err(sync)?;
        log.sync("rewind sync").map_err(sync)?;
        let control = Control::load(&disk, &dir)?;
        let old = recovery::recover(&disk, &dir, &control)?;
        leads_there(&state, &control, &old, pages.as_ref())?;
        drop((pages, log, old));
        save(&state, &disk, &dir)?;
        apply(&state, &disk, &dir)
    }
}

/// Whether the pages that were sent make the winner's database of the loser's.
fn leads_there(
    state: &State,
    control: &Control,
    old: &Recovered,
    pages: &dyn DiskFile,
) -> Result<(), StoreError> {
    let header = &state.header;
    let mine = control.history(old.end.lsn).reached();
    let parted = common_point(&mine, &header.history).map(|c| c.lsn);
    if control.page_size != header.page_size || parted != Some(header.log_from) {
        return Err(StoreError::NotReady(format!(
            "the histories part at {parted:?}, the rewind was made for {}",
            header.log_from
        )));
    }
    let page_size = header.page_size as usize;
    let mut before = FilePages { file: Arc::clone(&old.data), page_size };
    let mut sum = old.end.checksum;
    each_page(state, pages, |number, page| {
        if number <= old.end.database_pages {
            sum ^= page_hash(number, &before.read(number)?);
        }
        sum ^= page_hash(number, page);
        Ok(())
    })?;
    let mut cut = FilePages { file: Arc::clone(&old.data), page_size };
    for number in header.database_pages.saturating_add(1)..=old.end.database_pages {
        if number != lock_page(page_size) {
            sum ^= page_hash(number, &cut.read(number)?);
        }
    }
    if sum == header.checksum {
        return Ok(());
    }
    Err(StoreError::NotReady(format!(
        "the pages lead to a database with checksum {sum:016x}, {:016x} is expected",
        header.checksum
    )))
}

/// Gives the pages that were sent.
fn each_page(
    state: &State,
    file: &dyn DiskFile,
    mut each: impl FnMut(u32, &[u8]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut entry = vec![0; 4 + state.header.page_size as usize];
    let (mut sum, mut last) = (0, 0);
    for n in 0..u64::from(state.count) {
        let read = file.read_at("rewind read", n * entry.len() as u64, &mut entry).map_err(io)?;
        let (number, page) = entry.get(..read).unwrap_or_default().split_at_checked(4).unwrap_or_default();
        let number = number.try_into().map_or(0, u32::from_le_bytes);
        check_page(&state.header, last, number, page)?;
        sum ^= page_hash(number, page);
        last = number;
        each(number, page)?;
    }
    if sum == state.sum {
        return Ok(());
    }
    Err(StoreError::Corrupt(format!(
        "{PAGES}: the checksum of its pages is {sum:016x}, not {:016x}",
        state.sum
    )))
}

/// The rewind is to be done from here on.
fn save(state: &State, disk: &Arc<dyn Disk>, dir: &Path) -> Result<(), StoreError> {
    let body = serde_json::to_string(state).expect("a rewind's state holds no map");
    let text = format!("{:08x}\n{body}\n", crc32c::crc32c(body.as_bytes()));
    let new = dir.join(STATE_NEW);
    let file = disk.open("rewind state open", &new, true).map_err(io)?;
    file.set_len("rewind state cut", 0).map_err(io)?;
    file.write_at("rewind state write", 0, text.as_bytes()).map_err(io)?;
    file.sync("rewind state sync").map_err(sync)?;
    // The files beside it are there as surely as it is.
    disk.sync_dir("rewind folder", dir).map_err(sync)?;
    disk.rename("rewind state rename", &new, &dir.join(STATE)).map_err(sync)?;
    disk.sync_dir("rewind folder", dir).map_err(sync)
}

fn load(disk: &Arc<dyn Disk>, dir: &Path) -> Result<State, StoreError> {
    let file = disk.open("rewind state open", &dir.join(STATE), false).map_err(io)?;
    let len = file.len("rewind state length").map_err(io)?.min(1 << 20);
    let mut bytes = vec![0; len as usize];
    let read = file.read_at("rewind state read", 0, &mut bytes).map_err(io)?;
    bytes.truncate(read);
    let parse = || {
        let (crc, body) = std::str::from_utf8(&bytes).ok()?.split_once('\n')?;
        let body = body.trim_end();
        (u32::from_str_radix(crc, 16).ok()? == crc32c::crc32c(body.as_bytes())).then_some(())?;
        serde_json::from_str::<State>(body).ok()
    };
    let state = parse().ok_or_else(|| {
        StoreError::Corrupt(format!("{}/{STATE} cannot be read or has a wrong checksum", dir.display()))
    })?;
    if state.format > FORMAT {
        return Err(StoreError::Io(format!(
            "the rewind was begun with format {}, newer than this program's {FORMAT}",
            state.format
        )));
    }
    Ok(state)
}

/// Makes the database the other one. Doing it again after it was broken off is safe: it relies on nothing that it changes.
fn apply(state: &State, disk: &Arc<dyn Disk>, dir: &Path) -> Result<(), StoreError> {
    let header = &state.header;
    pages::remove_overflow(disk, dir)?;
    let file = disk.open("data open", &data_path(dir), false).map_err(io)?;
    let mut to = FilePages { file: Arc::clone(&file), page_size: header.page_size as usize };
    let sent = disk.open("rewind open", &dir.join(PAGES), false).map_err(io)?;
    each_page(state, sent.as_ref(), |number, page| to.write(number, page))?;
    to.resize(header.database_pages)?;
    file.sync("data sync").map_err(sync)?;
    // What stands in an older segment behind the point where the histories parted is of a fork that nothing names any more.
    for start in segments(disk, dir)?.into_iter().filter(|start| *start >= header.log_from) {
        disk.remove("segment remove", &segment_path(dir, start)).map_err(io)?;
    }
    disk.sync_dir("log folder", dir).map_err(sync)?;
    if header.log_from == header.lsn {
        Log::begin(disk, dir, header.lsn)?;
    } else {
        write_log(state, disk, dir)?;
    }
    header.control().save(disk, dir)?;
    disk.remove("rewind state remove", &dir.join(STATE)).map_err(io)?;
    disk.sync_dir("rewind folder", dir).map_err(sync)?;
    remove_sent(disk, dir)
}

/// Writes the log that was sent into segments.
fn write_log(state: &State, disk: &Arc<dyn Disk>, dir: &Path) -> Result<(), StoreError> {
    let file = disk.open("rewind open", &dir.join(LOG), false).map_err(io)?;
    let log = Log::start(Arc::clone(disk), dir, state.header.log_from, SEGMENT)?;
    let mut checked = SeedLog::new(&state.header);
    let mut at = 0;
    while at < state.log_bytes {
        let records = whole_records(file.as_ref(), at, state.log_bytes)?;
        let from = checked.check(&records)?;
        log.wait(log.append_records(from, &records)?)?;
        at += records.len() as u64;
    }
    checked.finish(&state.header)
}

/// Whole records from `at` on: about [`LOG_BYTES`] of them, but at least one.
fn whole_records(file: &dyn DiskFile, at: u64, end: u64) -> Result<Vec<u8>, StoreError> {
    let read = |len: usize| -> Result<Vec<u8>, StoreError> {
        let mut bytes = vec![0; (end - at).min(len as u64) as usize];
        let read = file.read_at("rewind read", at, &mut bytes).map_err(io)?;
        bytes.truncate(read);
        Ok(bytes)
    };
    let mut bytes = read(LOG_BYTES)?;
    let first = record_length(&bytes).clamp(8, RECORD_MAX);
    if first > bytes.len() {
        bytes = read(first)?;
    }
    let mut whole = 0;
    while let Some(rest) = bytes.get(whole..).filter(|r| r.len() >= 8) {
        let len = record_length(rest).max(8);
        if len > rest.len() {
            break;
        }
        whole += len;
    }
    // What is no record is left for the check to say.
    bytes.truncate(if whole == 0 { first } else { whole });
    if bytes.is_empty() {
        return Err(StoreError::Corrupt(format!("{LOG} ends at {at}, {end} bytes are expected")));
    }
    Ok(bytes)
}

fn remove_sent(disk: &Arc<dyn Disk>, dir: &Path) -> Result<(), StoreError> {
    [STATE_NEW, PAGES, LOG]
        .into_iter()
        .try_for_each(|name| disk.remove("rewind remove", &dir.join(name)))
        .map_err(io)
}

/// Goes on with a rewind that was to be done, and removes what is left of one that was not. The database is not open.
pub(crate) fn settle(disk: &Arc<dyn Disk>, dir: &Path) -> Result<(), StoreError> {
    let files = disk.list("rewind list", dir).map_err(io)?;
    let has = |name: &str| files.iter().any(|f| f.file_name().is_some_and(|n| n == name));
    if has(STATE) {
        return apply(&load(disk, dir)?, disk, dir);
    }
    if [STATE_NEW, PAGES, LOG].into_iter().any(has) { remove_sent(disk, dir) } else { Ok(()) }
}
