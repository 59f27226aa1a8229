//! Copies on their way: a thread reads pages at the primary, a thread writes them at the secondary.
//!
//! A chunk is a byte that says what it holds, and that: runs of pages that follow each other, each with the first one's number
//! and the count before it, or whole log records. It is
//! compressed if the primary has trace flag 9567. The log from the last log backup on comes first: after a role change the
//! chain of log backups goes on at the secondary.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};

use lab_hadr::{DbName, Event, Failure, PageRange, SeedBegin};
use lab_store::{
    Database as Store, LogPin, Lsn, RealDisk, Rewind, SeedHeader, SeedWriter, Snapshot, StoreError,
};
use serde::{Deserialize, Serialize};

use super::{Hadr, failure};
use crate::answer::lock;

/// Bytes of pages in a chunk.
const CHUNK_BYTES: usize = 512 << 10;
/// No chunk unpacks to more: a log record may be this long.
const CHUNK_BYTES_MAX: usize = 1 << 30;
/// Chunks that wait to be written; the machine has no more in flight.
const WAITING_MAX: usize = 16;
/// Trace flag: compress what is seeded.
const COMPRESS: u32 = 9567;

const PAGES: u8 = 0;
const LOG: u8 = 1;

/// Asks a copy's thread for chunks, until it is dropped.
pub(super) struct SeedReader(Sender<()>);

/// Gives a copy's thread chunks; dropped before the end, what was written is thrown away.
pub(super) struct SeedSink(SyncSender<Order>);

enum Order {
    /// The seeding and the chunk, as the machine numbers them.
    Write((u64, u64), Vec<u8>),
    Finish,
}

/// What the secondary's store and engine need to know.
#[derive(Serialize, Deserialize)]
struct Header {
    store: SeedHeader,
    /// What master knows of the database.
    traits: String,
}

/// Nobody wants the rest.
enum Interrupted {
    Unwanted,
    Store(StoreError),
}

impl From<StoreError> for Interrupted {
    fn from(e: StoreError) -> Interrupted {
        Interrupted::Store(e)
    }
}

impl Hadr {
    pub(super) fn open_seed(&self, seed: u64, db: DbName, since: Option<Lsn>, pages: Vec<PageRange>) {
        let Some((hadr, copy)) = self.me.upgrade().zip(self.copy(&db)) else {
            let begin = Err(Failure::Store("the database is not open".to_owned()));
            return self.tell(Event::SeedOpened { seed, begin });
        };
        let (asking, asked) = channel();
        lock(&self.readers).insert(seed, SeedReader(asking));
        let read = move || match Reading::open(&hadr, seed, &db, &copy.store, since, &pages) {
            Ok((reading, begin)) => {
                hadr.tell(Event::SeedOpened { seed, begin: Ok(begin) });
                reading.run(&copy.store, &asked);
            }
            Err(failure) => hadr.tell(Event::SeedOpened { seed, begin: Err(failure) }),
        };
        if let Err(e) = std::thread::Builder::new().name("seeding source".to_owned()).spawn(read) {
            self.tell(Event::SeedOpened { seed, begin: Err(Failure::Store(e.to_string())) });
        }
    }

    pub(super) fn read_seed(&self, seed: u64) {
        if let Some(reader) = lock(&self.readers).get(&seed) {
            // A thread that has ended has said why.
            reader.0.send(()).unwrap_or(());
        }
    }

    pub(super) fn create_seed(&self, db: DbName, begin: &SeedBegin, rewind: bool) {
        let fail = |text: String| {
            let failure = Failure::Store(text);
            self.tell(Event::SeedWriteFailed { db: db.clone(), failure });
        };
        let Ok(header) = serde_json::from_slice::<Header>(&begin.header) else {
            return fail("the header of the copy cannot be read".to_owned());
        };
        let Some(hadr) = self.me.upgrade() else { return };
        let (orders, given) = sync_channel(WAITING_MAX);
        lock(&self.sinks).insert(db.clone(), SeedSink(orders));
        let (name, compressed) = (db.clone(), begin.compressed);
        let write = move || match Writing::open(&hadr, &name, header, rewind) {
            Ok(writing) => writing.run(&hadr, &name, compressed, &given),
            Err(failure) => hadr.tell(Event::SeedWriteFailed { db: name, failure }),
        };
        if let Err(e) = std::thread::Builder::new().name("seeding destination".to_owned()).spawn(write) {
            fail(e.to_string());
        }
    }

    pub(super) fn write_seed(&self, db: &DbName, chunk: (u64, u64), bytes: Vec<u8>) {
        self.order(db, Order::Write(chunk, bytes));
    }

    pub(super) fn finish_seed(&self, db: &DbName) {
        self.order(db, Order::Finish);
    }

    pub(super) fn discard_seed(&self, db: &DbName) {
        drop(lock(&self.sinks).remove(db));
    }

    fn order(&self, db: &DbName, order: Order) {
        let given = lock(&self.sinks).get(db).map(|sink| sink.0.try_send(order));
        match given {
            // A thread that has ended has said why.
            Some(Ok(()) | Err(TrySendError::Disconnected(_))) | None => {}
            Some(Err(TrySendError::Full(_))) => {
                let failure = Failure::Store("the primary sends more than was asked for".to_owned());
                self.tell(Event::SeedWriteFailed { db: db.clone(), failure });
            }
        }
    }
}

/// The primary's side.
struct Reading {
    hadr: Arc<Hadr>,
    seed: u64,
    snapshot: Snapshot,
    /// The log that goes with the pages; the machine pins what comes behind.
    _pin: LogPin,
    wanted: Option<BTreeSet<u32>>,
    log_from: Lsn,
    compressed: bool,
}

impl Reading {
    fn open(
        hadr: &Arc<Hadr>,
        seed: u64,
        db: &DbName,
        store: &Store,
        since: Option<Lsn>,
        pages: &[PageRange],
    ) -> Result<(Reading, SeedBegin), Failure> {
        if since.is_some() && store.mode() == lab_store::Mode::Secondary {
            // What only the peer has can be undone by the pages of a primary alone: a forwarder gives it a new copy.
            return Err(Failure::LogGone);
        }
        let (header, snapshot, pin) = store.seed(since).map_err(|e| match (&e, since) {
            // The log does not reach back to where the copies parted: all pages are needed.
            (StoreError::NotReady(_), Some(_)) => Failure::LogGone,
            _ => failure(&e),
        })?;
        let wanted = match since {
            None => None,
            Some(since) => {
                let mut wanted: BTreeSet<u32> = store
                    .pages_changed_since(since)
                    .map_err(|e| match e {
                        lab_store::BlockError::Store(e) => failure(&e),
                        _ => Failure::LogGone,
                    })?
                    .into_iter()
                    .collect();
                let last = snapshot.database_pages;
                let inside = |(first, end): &PageRange| (*first).max(1)..=(*end).min(last);
                pages.iter().for_each(|range| wanted.extend(inside(range)));
                wanted.retain(|page| *page <= last);
                Some(wanted)
            }
        };
        let count = wanted.as_ref().map_or(u64::from(snapshot.database_pages), |w| w.len() as u64);
        let compressed = hadr.server.trace_flag(COMPRESS);
        let (lsn, log_from) = (snapshot.lsn, header.log_from);
        let bytes_total = count * u64::from(snapshot.page_size);
        let traits = hadr.server.database_traits(db.as_str()).unwrap_or_default();
        let header = serde_json::to_vec(&Header { store: header, traits })
            .map_err(|e| Failure::Store(format!("the header of the copy: {e}")))?;
        let reading =
            Reading { hadr: Arc::clone(hadr), seed, snapshot, _pin: pin, wanted, log_from, compressed };
        Ok((reading, SeedBegin { lsn, bytes_total, compressed, header }))
    }

    fn run(&self, store: &Store, asked: &Receiver<()>) {
        match self.send(store, asked) {
            Ok(()) | Err(Interrupted::Unwanted) => {}
            Err(Interrupted::Store(e)) => {
                self.hadr.tell(Event::SeedReadFailed { seed: self.seed, failure: failure(&e) });
            }
        }
    }

    fn send(&self, store: &Store, asked: &Receiver<()>) -> Result<(), Interrupted> {
        let mut from = self.log_from;
        while from < self.snapshot.lsn {
            let block = store.read_block(from, CHUNK_BYTES).map_err(|e| match e {
                lab_store::BlockError::Store(e) => Interrupted::Store(e),
                other => Interrupted::Store(StoreError::Io(other.to_string())),
            })?;
            // What was logged after the snapshot comes when the secondary follows.
            let within = records_before(&block.bytes, self.snapshot.lsn.0 - from.0);
            if within.is_empty() {
                break;
            }
            from = Lsn(from.0 + within.len() as u64);
            let chunk = [&[LOG], within].concat();
            self.chunk(asked, chunk)?;
        }
        let mut chunk = PageChunk::default();
        let mut each = |number: u32, page: &[u8]| {
            chunk.push(number, page);
            if chunk.bytes.len() < CHUNK_BYTES {
                return Ok(());
            }
            self.chunk(asked, std::mem::take(&mut chunk).bytes)
        };
        match &self.wanted {
            None => self.snapshot.read(&mut each)?,
            Some(wanted) => self.snapshot.read_pages(wanted.iter().copied(), &mut each)?,
        }
        if !chunk.is_empty() {
            self.chunk(asked, chunk.bytes)?;
        }
        asked.recv().map_err(|_| Interrupted::Unwanted)?;
        self.hadr.tell(Event::SeedRead { seed: self.seed, bytes: None });
        Ok(())
    }

    fn chunk(&self, asked: &Receiver<()>, chunk: Vec<u8>) -> Result<(), Interrupted> {
        let chunk = if self.compressed { lz4_flex::compress_prepend_size(&chunk) } else { chunk };
        asked.recv().map_err(|_| Interrupted::Unwanted)?;
        self.hadr.tell(Event::SeedRead { seed: self.seed, bytes: Some(chunk) });
        Ok(())
    }
}

/// A chunk of pages while it grows.
struct PageChunk {
    bytes: Vec<u8>,
    /// Where the count of the last run stands, the count, and the page that would go on with it.
    run: Option<(usize, u32, u32)>,
}

impl Default for PageChunk {
    fn default() -> PageChunk {
        let mut bytes = Vec::with_capacity(CHUNK_BYTES + (64 << 10));
        bytes.push(PAGES);
        PageChunk { bytes, run: None }
    }
}

impl PageChunk {
    fn push(&mut self, number: u32, page: &[u8]) {
        let (at, count) = match self.run {
            Some((at, count, next)) if next == number => (at, count + 1),
            _ => {
                self.bytes.extend(number.to_le_bytes());
                let at = self.bytes.len();
                self.bytes.extend([0; 4]);
                (at, 1)
            }
        };
        self.bytes[at..at + 4].copy_from_slice(&count.to_le_bytes());
        self.bytes.extend(page);
        self.run = Some((at, count, number.saturating_add(1)));
    }

    fn is_empty(&self) -> bool {
        self.run.is_none()
    }
}

/// The first run of a chunk: its first page's number, its pages, and the rest of the chunk.
fn first_run(bytes: &[u8], page_size: usize) -> Option<(u32, &[u8], &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    let (count, rest) = rest.split_first_chunk::<4>()?;
    let count = u32::from_le_bytes(*count);
    // One without pages would be read for ever by nobody, and is made by nobody.
    let len = (count as usize).checked_mul(page_size).filter(|len| *len > 0)?;
    let (pages, rest) = rest.split_at_checked(len)?;
    Some((u32::from_le_bytes(*number), pages, rest))
}

/// The whole records of a block that lie before an offset.
fn records_before(bytes: &[u8], end: u64) -> &[u8] {
    let mut at = 0_usize;
    while let Some(rest) = bytes.get(at..).filter(|r| !r.is_empty() && (at as u64) < end) {
        match lab_store::read_record(rest) {
            lab_store::ParsedRecord::Record(_, len) => at += len,
            lab_store::ParsedRecord::NeedMore | lab_store::ParsedRecord::Malformed => break,
        }
    }
    bytes.get(..at).unwrap_or_default()
}

/// The secondary's side.
struct Writing {
    traits: String,
    page_size: usize,
    target: Target,
}

enum Target {
    New(SeedWriter),
    /// Pages beside a database that goes on until they are all there.
    Existing(Rewind),
}

impl Writing {
    fn open(hadr: &Hadr, db: &DbName, header: Header, rewind: bool) -> Result<Writing, Failure> {
        let store_failure = |e: StoreError| failure(&e);
        let page_size = header.store.page_size as usize;
        let disk = || Arc::new(RealDisk) as Arc<dyn lab_store::Disk>;
        let target = match hadr.copy(db) {
            Some(copy) if rewind => Target::Existing(
                Rewind::begin(disk(), copy.store.dir(), &header.store).map_err(store_failure)?,
            ),
            existing => {
                if existing.is_some() {
                    drop(existing);
                    hadr.set_aside(db)?;
                }
                let folder = hadr.new_copy(db)?;
                Target::New(SeedWriter::begin(disk(), &folder, &header.store).map_err(store_failure)?)
            }
        };
        Ok(Writing { traits: header.traits, page_size, target })
    }

    fn run(mut self, hadr: &Hadr, db: &DbName, compressed: bool, given: &Receiver<Order>) {
        while let Ok(order) = given.recv() {
            let done = match order {
                Order::Write((seeding, chunk), bytes) => self
                    .write(compressed, &bytes)
                    .map(|()| hadr.tell(Event::SeedWritten { db: db.clone(), seeding, chunk })),
                Order::Finish => {
                    let finished = self.finish(hadr, db);
                    if let Err(failure) = finished {
                        hadr.tell(Event::SeedWriteFailed { db: db.clone(), failure });
                    }
                    return;
                }
            };
            if let Err(failure) = done {
                hadr.tell(Event::SeedWriteFailed { db: db.clone(), failure });
                break;
            }
        }
        if let Target::New(writer) = self.target {
            drop(writer);
            hadr.abandon_copy(db);
        }
    }

    fn write(&mut self, compressed: bool, bytes: &[u8]) -> Result<(), Failure> {
        let bad = || Failure::Store("a chunk of the copy cannot be read".to_owned());
        let unpacked;
        let bytes = if compressed {
            let (len, packed) = lz4_flex::block::uncompressed_size(bytes).map_err(|_| bad())?;
            // LZ4 never makes more than 255 bytes of one.
            if len > CHUNK_BYTES_MAX || len / 255 > packed.len() {
                return Err(bad());
            }
            unpacked = lz4_flex::block::decompress(packed, len).map_err(|_| bad())?;
            unpacked.as_slice()
        } else {
            bytes
        };
        match bytes.split_first() {
            Some((&LOG, records)) => self.append_log(records).map_err(|e| failure(&e)),
            Some((&PAGES, mut rest)) => {
                while !rest.is_empty() {
                    let (first, pages, tail) = first_run(rest, self.page_size).ok_or_else(bad)?;
                    self.write_pages(first, pages).map_err(|e| failure(&e))?;
                    rest = tail;
                }
                Ok(())
            }
            Some(_) | None => Err(bad()),
        }
    }

    fn append_log(&mut self, records: &[u8]) -> Result<(), StoreError> {
        match &mut self.target {
            Target::New(writer) => writer.append_log(records),
            Target::Existing(rewind) => rewind.append_log(records),
        }
    }

    fn write_pages(&mut self, first: u32, pages: &[u8]) -> Result<(), StoreError> {
        match &mut self.target {
            Target::New(writer) => writer.write_pages(first, pages),
            Target::Existing(rewind) => {
                let mut numbered = (first..=u32::MAX).zip(pages.chunks(self.page_size));
                numbered.try_for_each(|(number, page)| rewind.write_page(number, page))
            }
        }
    }

    fn finish(self, hadr: &Hadr, db: &DbName) -> Result<(), Failure> {
        let finished = match self.target {
            Target::New(writer) => writer.finish().map_err(|e| failure(&e)).and_then(|()| {
                hadr.server.finish_seeding(db.as_str()).map_err(|e| Failure::Store(e.message))
            }),
            Target::Existing(rewind) => {
                hadr.let_go(db);
                hadr.server
                    .close_for_rewind(db.as_str())
                    .map_err(|e| Failure::Store(e.message))
                    .and_then(|_| rewind.finish().map_err(|e| failure(&e)))
                    .and(hadr.server.reopen(db.as_str()).map_err(|e| Failure::Store(e.message)))
            }
        };
        if finished.is_ok()
            && let Err(e) = hadr.server.apply_traits(db.as_str(), &self.traits)
        {
            hadr.log(&format!("The options of '{db}' could not be taken over: {}", e.message));
        }
        drop(lock(&hadr.sinks).remove(db));
        if finished.is_err() && hadr.server.store(db.as_str()).is_none() {
            hadr.abandon_copy(db);
        }
        hadr.join_seeded(db);
        finished
    }
}

impl Hadr {
    /// A folder for a copy of a database that is not here yet.
    fn new_copy(&self, db: &DbName) -> Result<PathBuf, Failure> {
        let message = |e: lab_engine::SqlError| Failure::Store(e.message);
        self.server.attach_seeding(db.as_str()).map_err(message)?;
        self.server
            .seeding_folder(db.as_str())
            .ok_or_else(|| Failure::Store("the new database is gone".to_owned()))
    }

    /// A copy that cannot be rewound makes room for a new one. It is not thrown away: what only it has may be wanted.
    fn set_aside(&self, db: &DbName) -> Result<(), Failure> {
        self.let_go(db);
        let folder = self.server.set_aside(db.as_str()).map_err(|e| Failure::Store(e.message))?;
        self.log(&format!("The former copy of the database '{db}' was set aside in {}.", folder.display()));
        Ok(())
    }

    fn abandon_copy(&self, db: &DbName) {
        self.tell_copy(db);
        if let Err(e) = self.server.abandon_seeding(db.as_str()) {
            self.log(&format!("What was seeded of '{db}' could not be removed: {}", e.message));
        }
    }

    /// A copy is there: it belongs to the group from now on.
    fn join_seeded(&self, db: &DbName) {
        if self.server.store(db.as_str()).is_none() {
            return;
        }
        let group = self.groups().groups.iter().find(|g| self.is_seeding_group(g.id, db)).map(|g| g.id);
        if let Some(group) = group
            && let Err(e) = self.change_groups(|groups| groups.add_seeded(group, db.as_str()))
        {
            self.log(&format!("That '{db}' is in its group could not be kept: {}", e.message));
        }
        self.take_up(db);
    }

    /// Whether a peer of that group is seeding the database here.
    fn is_seeding_group(&self, group: lab_hadr::GroupId, db: &DbName) -> bool {
        let view = self.runner.view();
        view.seedings
            .iter()
            .any(|s| s.partner.group == group && s.db == *db && !s.is_source && s.ended.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_read_as_they_were_made() {
        let mut chunk = PageChunk::default();
        assert!(chunk.is_empty());
        for number in [1, 2, 3, 7, 9, 10] {
            chunk.push(number, &[number as u8; 4]);
        }
        let mut rest = &chunk.bytes[1..];
        let mut runs = Vec::new();
        while !rest.is_empty() {
            let (first, pages, tail) = first_run(rest, 4).unwrap();
            runs.push((first, pages.to_vec()));
            rest = tail;
        }
        let expected =
            [(1, vec![1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3]), (7, vec![7; 4]), (9, [[9; 4], [10; 4]].concat())];
        assert_eq!(runs, expected);
    }

    #[test]
    fn runs_that_nobody_makes_are_refused() {
        assert!(first_run(&[1, 0, 0, 0, 0, 0, 0, 0], 4).is_none(), "without pages");
        assert!(
            first_run(&[1, 0, 0, 0, 2, 0, 0, 0, 1, 1, 1, 1], 4).is_none(),
            "with fewer pages than it says"
        );
        assert!(
            first_run(&[1, 0, 0, 0, 255, 255, 255, 255, 1], 65536).is_none(),
            "with more than there can be"
        );
        assert!(first_run(&[1, 0, 0], 4).is_none(), "cut off");
    }
}
