//! The content of a backup: its pages or its log, checked against what its header promises.

use super::Progress;
use super::error::BackupError;
use super::format::{BackupKind, BlockKind};
use super::log_reader::RawRecord;
use super::media::{Media, SetFacts};
use crate::record::{lock_page, page_hash};
use crate::{ParsedRecord, read_record};

/// Reads a backup to its end and changes nothing.
///
/// # Errors
/// It is damaged, or not all there.
pub fn verify_set(media: &Media, set: &SetFacts, progress: &mut Progress<'_>) -> Result<(), BackupError> {
    match set.header.kind {
        BackupKind::Full => read_pages(media, set, progress, |_, _| Ok(())),
        BackupKind::Log => read_log(media, set, progress, |_| Ok(true)),
    }
}

fn damaged(what: String) -> BackupError {
    BackupError::Damaged(what)
}

/// Gives every page of a full backup, in ascending order.
pub(super) fn read_pages(
    media: &Media,
    set: &SetFacts,
    progress: &mut Progress<'_>,
    mut each: impl FnMut(u32, &[u8]) -> Result<(), BackupError>,
) -> Result<(), BackupError> {
    let page_size = set.header.page_size as usize;
    let facts = set.header.pages.ok_or(BackupError::WrongKind)?;
    if !page_size.is_power_of_two() || !(512..=65536).contains(&page_size) {
        return Err(damaged(format!("its pages are said to have {page_size} bytes")));
    }
    let lock_page = lock_page(page_size);
    let mut expected = 1_u32;
    let mut sum = 0;
    media.read_set(set, |block, done, total| {
        if block.kind != BlockKind::Pages || !block.content.len().is_multiple_of(4 + page_size) {
            return Err(damaged("a block holds something else than whole pages".to_owned()));
        }
        for entry in block.content.chunks_exact(4 + page_size) {
            let (number, page) = entry.split_at_checked(4).unwrap_or_default();
            let number = number.try_into().map_or(0, u32::from_le_bytes);
            if expected == lock_page {
                expected += 1;
            }
            if number != expected || number > facts.database_pages {
                return Err(damaged(format!("page {expected} is expected, page {number} is there")));
            }
            expected += 1;
            sum ^= page_hash(number, page);
            each(number, page)?;
        }
        if progress(done, total) { Ok(()) } else { Err(BackupError::Cancelled) }
    })?;
    if expected == lock_page {
        expected += 1;
    }
    if expected != facts.database_pages.saturating_add(1) {
        return Err(damaged(format!(
            "it has pages up to {}, the database has {}",
            expected - 1,
            facts.database_pages
        )));
    }
    if sum != facts.checksum {
        return Err(damaged(format!(
            "the checksum of all pages is {sum:016x}, its header says {:016x}",
            facts.checksum
        )));
    }
    Ok(())
}

/// Gives every record of a log backup, in order, as long as `each` wants more.
pub(super) fn read_log(
    media: &Media,
    set: &SetFacts,
    progress: &mut Progress<'_>,
    mut each: impl FnMut(RawRecord) -> Result<bool, BackupError>,
) -> Result<(), BackupError> {
    let header = &set.header;
    if header.kind != BackupKind::Log {
        return Err(BackupError::WrongKind);
    }
    let mut buffer: Vec<u8> = Vec::new();
    let history = header.history();
    let mut at = header.first_lsn;
    let mut wanted = true;
    media.read_set(set, |block, done, total| {
        if block.kind != BlockKind::Log {
            return Err(damaged("a block holds something else than log".to_owned()));
        }
        // A record is collected as its bytes come, so that no length is believed before it is there.
        buffer.extend_from_slice(&block.content);
        let mut used = 0;
        loop {
            match read_record(buffer.get(used..).unwrap_or_default()) {
                ParsedRecord::Record(record, len) => {
                    if record.lsn != at
                        || record.fork != history.fork_at(at)
                        || record.page_size != header.page_size
                    {
                        return Err(damaged(format!("the record at {at} is another one")));
                    }
                    let bytes = buffer.get(used..used + len).unwrap_or_default().to_vec();
                    used += len;
                    at.0 += len as u64;
                    wanted = wanted && each(RawRecord { record: *record, bytes })?;
                }
                ParsedRecord::NeedMore => break,
                ParsedRecord::Malformed => {
                    return Err(damaged(format!("the record at {at} does not verify")));
                }
            }
        }
        buffer.drain(..used);
        if progress(done, total) { Ok(()) } else { Err(BackupError::Cancelled) }
    })?;
    if at != header.last_lsn || !buffer.is_empty() {
        return Err(damaged(format!("its log ends at {at}, its header says {}", header.last_lsn)));
    }
    Ok(())
}
