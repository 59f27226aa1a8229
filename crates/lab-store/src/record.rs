//! A log record: the page changes of one commit.
//!
//! | bytes | what |
//! |---|---|
//! | 4 | magic `MLR2`; `MLR1`, which no release has written, is not read |
//! | 4 | length of the record, header included, a multiple of 8 |
//! | 4 | CRC-32C of everything behind this field |
//! | 4 | number of pages |
//! | 8 | LSN: where the record stands |
//! | 8 | what was hardened when it was written |
//! | 8 + 8 | the database's checksum before and after |
//! | 8 | commit time, 100 ns since 0001-01-01 |
//! | 4 + 4 | pages in the database after the commit; bytes of a page |
//! | 16 | fork |
//! | 4 | flags: bit 0, redo may begin here. Bits that are not known are kept |
//! | any | [note](crate::CommitNote) |
//! | each page | number (4), kind (1: 0 image, 1 delta), length of data (4), hash before (8), hash after (8), data |
//!
//! Integers are little-endian; data is LZ4. A page that the commit cut off the database has a number beyond the pages in
//! the database, a hash after of 0, and no data.
//!
//! Page 1 is logged without SQLite's change counter (bytes 24-27 and 92-99). Each SQLite counts there by itself when it
//! writes the page; with a write-ahead log nobody reads it. So it is no part of the content of a database: its bytes are
//! zero here, and no hash covers them.

use std::borrow::Cow;
use std::ops::Range;

use crate::{CommitNote, ForkId, Lsn, PageMap, StoreError};

const MAGIC: u32 = u32::from_le_bytes(*b"MLR2");
const HEADER: usize = 84;
const PAGE_HEADER: usize = 25;
/// No commit changes more than this; a larger length is not believed.
pub(crate) const RECORD_MAX: usize = 1 << 30;

/// How a page changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageChange {
    /// SQLite's page number, from 1.
    pub number: u32,
    /// `data` is XORed with the page before, rather than the page itself.
    pub delta: bool,
    /// Hash of the page before.
    pub hash_before: u64,
    /// Hash of the page after.
    pub hash_after: u64,
    /// Compressed.
    pub data: Vec<u8>,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where it stands.
    pub lsn: Lsn,
    /// What was hardened when it was written.
    pub hardened: Lsn,
    /// The database's checksum before it.
    pub checksum_before: u64,
    /// The database's checksum after it.
    pub checksum_after: u64,
    /// Commit time, 100 ns since 0001-01-01.
    pub time: i64,
    /// Pages in the database after it.
    pub database_pages: u32,
    /// Bytes of a page.
    pub page_size: u32,
    /// The fork it was written on.
    pub fork: ForkId,
    /// [`Record::RESTART_POINT`], and what a newer program may have added.
    pub flags: u32,
    /// What the commit says about itself.
    pub note: CommitNote,
    /// The pages, by number.
    pub pages: Vec<PageChange>,
}

/// What stands at a place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParsedRecord {
    /// A record and its length in bytes.
    Record(Box<Record>, usize),
    /// Not all of it is there yet.
    NeedMore,
    /// No record.
    Malformed,
}

impl Record {
    /// The flag of a record that redo may begin at: from here on the first change of each page is an image, so that a data
    /// file which already holds some of what follows does no harm.
    pub const RESTART_POINT: u32 = 1;

    /// The record that leads from all pages of a database (1 to the last) to what they are afterwards. Changed pages for
    /// which `image` says so, and new ones, become images, the others deltas. The rest is for the caller to fill in:
    /// `hardened`, `time`, `flags` and `note` are 0 or empty.
    pub fn between(
        (lsn, fork, page_size): (Lsn, ForkId, u32),
        before: &PageMap,
        after: &PageMap,
        image: impl Fn(u32) -> bool,
    ) -> Record {
        let mut pages = Vec::new();
        for (number, page) in after {
            let old = before.get(number).map(Vec::as_slice).unwrap_or_default();
            if page_content(*number, old) != page_content(*number, page) {
                let old = (old, page_hash(*number, old));
                pages.push(change(*number, old, page, image(*number) || old.0.is_empty()));
            }
        }
        let gone = before.iter().filter(|(number, _)| !after.contains_key(number));
        pages.extend(gone.map(|(number, page)| cut_off(*number, page_hash(*number, page))));
        Record {
            lsn,
            hardened: Lsn(0),
            checksum_before: checksum(before),
            checksum_after: checksum(after),
            time: 0,
            database_pages: after.keys().last().copied().unwrap_or(0),
            page_size,
            fork,
            flags: 0,
            note: CommitNote::default(),
            pages,
        }
    }

    /// Whether redo may begin at it.
    pub fn is_restart_point(&self) -> bool {
        self.flags & Record::RESTART_POINT != 0
    }

    /// The record as bytes; [`read_record`] is the way back.
    pub fn encode(&self) -> Vec<u8> {
        let body: usize = self.pages.iter().map(|p| PAGE_HEADER + p.data.len()).sum();
        let mut out = Vec::with_capacity(HEADER + body + 32);
        out.extend(MAGIC.to_le_bytes());
        out.extend([0; 8]);
        out.extend((self.pages.len() as u32).to_le_bytes());
        out.extend(self.lsn.0.to_le_bytes());
        out.extend(self.hardened.0.to_le_bytes());
        out.extend(self.checksum_before.to_le_bytes());
        out.extend(self.checksum_after.to_le_bytes());
        out.extend(self.time.to_le_bytes());
        out.extend(self.database_pages.to_le_bytes());
        out.extend(self.page_size.to_le_bytes());
        out.extend(self.fork.0);
        out.extend(self.flags.to_le_bytes());
        self.note.encode(&mut out);
        for page in &self.pages {
            out.extend(page.number.to_le_bytes());
            out.push(u8::from(page.delta));
            out.extend((page.data.len() as u32).to_le_bytes());
            out.extend(page.hash_before.to_le_bytes());
            out.extend(page.hash_after.to_le_bytes());
            out.extend(&page.data);
        }
        out.resize(out.len().next_multiple_of(8), 0);
        let len = out.len() as u32;
        if let Some(slot) = out.get_mut(4..8) {
            slot.copy_from_slice(&len.to_le_bytes());
        }
        seal(&mut out);
        out
    }
}

/// Writes the checksum of a record into it.
fn seal(record: &mut [u8]) {
    let crc = crc32c::crc32c(record.get(12..).unwrap_or_default());
    if let Some(slot) = record.get_mut(8..12) {
        slot.copy_from_slice(&crc.to_le_bytes());
    }
}

/// The length that a record at the start of `bytes` says it has.
pub(crate) fn record_length(bytes: &[u8]) -> usize {
    bytes.get(4..8).and_then(|b| b.try_into().ok()).map_or(bytes.len(), |b| u32::from_le_bytes(b) as usize)
}

/// Makes each of a row of records say what is hardened now, as it is written: when it was made, it may have been less.
pub(crate) fn stamp(mut records: &mut [u8], hardened: Lsn) {
    while !records.is_empty() {
        let len = record_length(records).clamp(8, records.len());
        let (record, rest) = records.split_at_mut(len);
        records = rest;
        if let Some(slot) = record.get_mut(24..32)
            && *slot != hardened.0.to_le_bytes()
        {
            slot.copy_from_slice(&hardened.0.to_le_bytes());
            seal(record);
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(n)?;
        self.0 = tail;
        Some(head)
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }
}

/// Reads the record at the start of `bytes`.
pub fn read_record(bytes: &[u8]) -> ParsedRecord {
    let mut reader = Reader(bytes);
    let (Some(magic), Some(len), Some(crc)) = (reader.u32(), reader.u32(), reader.u32()) else {
        return if bytes.iter().all(|b| *b == 0) && !bytes.is_empty() {
            ParsedRecord::Malformed
        } else {
            ParsedRecord::NeedMore
        };
    };
    let len = len as usize;
    if magic != MAGIC || !(HEADER..=RECORD_MAX).contains(&len) || !len.is_multiple_of(8) {
        return ParsedRecord::Malformed;
    }
    let Some(body) = bytes.get(12..len) else { return ParsedRecord::NeedMore };
    if crc32c::crc32c(body) != crc {
        return ParsedRecord::Malformed;
    }
    parse_body(Reader(body))
        .map_or(ParsedRecord::Malformed, |record| ParsedRecord::Record(Box::new(record), len))
}

fn parse_body(mut reader: Reader<'_>) -> Option<Record> {
    let count = reader.u32()?;
    let mut record = Record {
        lsn: Lsn(reader.u64()?),
        hardened: Lsn(reader.u64()?),
        checksum_before: reader.u64()?,
        checksum_after: reader.u64()?,
        time: reader.u64()? as i64,
        database_pages: reader.u32()?,
        page_size: reader.u32()?,
        fork: ForkId(reader.take(16)?.try_into().ok()?),
        flags: reader.u32()?,
        note: CommitNote::default(),
        pages: Vec::new(),
    };
    (record.note, reader.0) = CommitNote::decode(reader.0)?;
    for _ in 0..count {
        let number = reader.u32()?;
        let delta = match reader.take(1)? {
            [0] => false,
            [1] => true,
            _ => return None,
        };
        let len = reader.u32()? as usize;
        let (hash_before, hash_after) = (reader.u64()?, reader.u64()?);
        record.pages.push(PageChange {
            number,
            delta,
            hash_before,
            hash_after,
            data: reader.take(len)?.to_vec(),
        });
    }
    // What fills the record up to its multiple of 8 is zero: a record has one form only.
    (reader.0.len() < 8 && reader.0.iter().all(|b| *b == 0)).then_some(record)
}

/// What page 1 of SQLite's databases begins with.
const SQLITE: &[u8] = b"SQLite format 3\0";
/// Where SQLite counts its changes there, and names its version.
const COUNTED: [Range<usize>; 2] = [24..28, 92..100];

/// A page as it counts for the database's content: without SQLite's change counter.
pub(crate) fn page_content(number: u32, page: &[u8]) -> Cow<'_, [u8]> {
    let counts = |bytes: &Range<usize>| page.get(bytes.clone()).is_some_and(|b| b.iter().any(|n| *n != 0));
    if number != 1 || !page.starts_with(SQLITE) || !COUNTED.iter().any(counts) {
        return Cow::Borrowed(page);
    }
    let mut page = page.to_vec();
    COUNTED.iter().filter_map(|bytes| page.get_mut(bytes.clone()).map(|b| b.fill(0))).for_each(drop);
    Cow::Owned(page)
}

/// The hash of a page that the checksum of a database is made of; 0 for one that does not exist.
pub fn page_hash(number: u32, page: &[u8]) -> u64 {
    // Growing needs no special case then.
    if page.is_empty() {
        return 0;
    }
    xxhash_rust::xxh3::xxh3_64_with_seed(&page_content(number, page), u64::from(number))
}

/// The checksum of a database: the hashes of all its pages, XORed.
pub fn checksum(pages: &PageMap) -> u64 {
    pages.iter().fold(0, |sum, (number, page)| sum ^ page_hash(*number, page))
}

/// How `after` follows from `before`, whose hash is known; an image if there is no `before` to rely on.
pub(crate) fn change(
    number: u32,
    (before, hash_before): (&[u8], u64),
    after: &[u8],
    image: bool,
) -> PageChange {
    let (before, after) = (page_content(number, before), page_content(number, after));
    let delta = !image && before.len() == after.len();
    let data = if delta {
        let difference: Vec<u8> = before.iter().zip(&*after).map(|(a, b)| a ^ b).collect();
        lz4_flex::compress(&difference)
    } else {
        lz4_flex::compress(&after)
    };
    PageChange { number, delta, hash_before, hash_after: page_hash(number, &after), data }
}

/// A page that the database no longer has.
pub(crate) fn cut_off(number: u32, hash_before: u64) -> PageChange {
    PageChange { number, delta: false, hash_before, hash_after: 0, data: Vec::new() }
}

/// SQLite's lock page: the one that holds byte 2^30. It is never part of the database.
pub(crate) fn lock_page(page_size: usize) -> u32 {
    ((1_u64 << 30) / page_size as u64 + 1) as u32
}

/// The page after a change; `before` is looked at only if it is a delta.
///
/// # Errors
/// The data does not unpack to a page, or the result is not the page that was logged.
pub fn apply(change: &PageChange, before: &[u8], page_size: usize) -> Result<Vec<u8>, StoreError> {
    let bad = |what: &str| StoreError::Corrupt(format!("page {}: {what}", change.number));
    let mut page =
        lz4_flex::decompress(&change.data, page_size).map_err(|_| bad("its data cannot be unpacked"))?;
    if page.len() != page_size {
        return Err(bad("its data is no page"));
    }
    if change.delta {
        if before.len() != page_size || page_hash(change.number, before) != change.hash_before {
            return Err(bad("the page that the change builds on is another one"));
        }
        for (byte, old) in page.iter_mut().zip(page_content(change.number, before).iter()) {
            *byte ^= *old;
        }
    }
    if page_hash(change.number, &page) != change.hash_after {
        return Err(bad("the page after the change has another hash than was logged"));
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(pages: Vec<(u32, Vec<u8>)>) -> Record {
        Record {
            lsn: Lsn(64),
            hardened: Lsn(8),
            checksum_before: 1,
            checksum_after: 2,
            time: 3,
            database_pages: 4,
            page_size: 512,
            fork: ForkId([7; 16]),
            flags: 0x8000_0001,
            note: CommitNote { session: 51, catalog_changed: true, rows: Vec::new() },
            pages: pages.into_iter().map(|(n, p)| change(n, (&[], 0), &p, true)).collect(),
        }
    }

    proptest! {
        #[test]
        fn a_record_survives_its_bytes(pages in prop::collection::vec((1_u32..9, prop::collection::vec(any::<u8>(), 512)), 0..5)) {
            let record = sample(pages);
            let bytes = record.encode();
            prop_assert_eq!(read_record(&bytes), ParsedRecord::Record(Box::new(record), bytes.len()));
        }

        #[test]
        fn a_damaged_record_is_no_record(at in 0_usize..200, bit in 0_u8..8) {
            let mut bytes = sample(vec![(1, vec![5; 512])]).encode();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            prop_assert!(!matches!(read_record(&bytes), ParsedRecord::Record(..)));
        }

        #[test]
        fn the_record_between_two_states_leads_from_one_to_the_other(
            before in prop::collection::vec(prop::collection::vec(0_u8..3, 16), 0..5),
            after in prop::collection::vec(prop::collection::vec(0_u8..3, 16), 1..5),
            images: bool,
        ) {
            let map = |pages: Vec<Vec<u8>>| (1..).zip(pages).collect::<PageMap>();
            let (mut before, after) = (map(before), map(after));
            let record = Record::between((Lsn(8), ForkId([7; 16]), 16), &before, &after, |_| images);
            let bytes = record.encode();
            prop_assert_eq!(read_record(&bytes), ParsedRecord::Record(Box::new(record.clone()), bytes.len()));
            let sum = checksum(&before);
            prop_assert_eq!(crate::redo(&record, &mut before, sum), Ok(checksum(&after)));
            prop_assert_eq!(before, after);
        }

        #[test]
        fn sqlites_counter_is_no_content(a: u8, b: u8, before in prop::collection::vec(any::<u8>(), 512)) {
            let mut before = before;
            before[..16].copy_from_slice(SQLITE);
            let (mut one, mut two) = (before.clone(), before.clone());
            (one[27], one[95]) = (a, a);
            (two[27], two[95], two[99]) = (b, b, 1);
            let hash = page_hash(1, &before);
            let image = change(1, (&[], 0), &one, true);
            prop_assert_eq!(&image, &change(1, (&[], 0), &two, true));
            prop_assert_eq!(page_hash(1, &apply(&image, &[], 512).unwrap()), page_hash(1, &two));
            let delta = change(1, (&before, hash), &one, false);
            two[27] = b.wrapping_add(1);
            prop_assert!(apply(&delta, &two, 512).is_ok());
            prop_assert_ne!(page_hash(2, &one), page_hash(2, &two), "only on page 1");
        }

        #[test]
        fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            read_record(&bytes);
        }

        #[test]
        fn a_delta_gives_the_page_back(a in prop::collection::vec(any::<u8>(), 512), b in prop::collection::vec(any::<u8>(), 512)) {
            let delta = change(3, (&a, page_hash(3, &a)), &b, false);
            prop_assert!(delta.delta);
            prop_assert_eq!(apply(&delta, &a, 512).unwrap(), b.clone());
            if a != b {
                prop_assert!(apply(&delta, &b, 512).is_err(), "another base is noticed");
            }
        }
    }
}
