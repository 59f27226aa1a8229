//! What happened since a position of the log: which pages changed, and by whose transactions.

use std::collections::BTreeSet;

use crate::backup::RawRecord;
use crate::{BlockError, CommitNote, Database, ForkId, Lsn};

/// A transaction in the log: after a forced failover, one of those that exist on one side only.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ForkTransaction {
    /// Where it stands.
    pub lsn: Lsn,
    /// Where it ends.
    pub end: Lsn,
    /// When it was committed, 100 ns since 0001-01-01.
    pub time: i64,
    /// The fork that it is on.
    pub fork: ForkId,
    /// What it says about itself.
    pub note: CommitNote,
}

impl Database {
    /// The pages that changed from `from` on up to what is hardened, those that were cut off among them.
    ///
    /// # Errors
    /// [`BlockError::LogGone`] if the log no longer reaches back so far; [`BlockError::NoRecord`] if nothing begins there.
    pub fn pages_changed_since(&self, from: Lsn) -> Result<BTreeSet<u32>, BlockError> {
        let mut pages = BTreeSet::new();
        self.each_since(from, |raw| pages.extend(raw.record.pages.iter().map(|p| p.number)))?;
        Ok(pages)
    }

    /// The transactions from `from` on up to what is hardened, oldest first.
    ///
    /// # Errors
    /// [`BlockError::LogGone`] if the log no longer reaches back so far; [`BlockError::NoRecord`] if nothing begins there.
    pub fn transactions_since(&self, from: Lsn) -> Result<Vec<ForkTransaction>, BlockError> {
        let mut transactions = Vec::new();
        self.each_since(from, |RawRecord { record, bytes }| {
            transactions.push(ForkTransaction {
                lsn: record.lsn,
                end: Lsn(record.lsn.0 + bytes.len() as u64),
                time: record.time,
                fork: record.fork,
                note: record.note,
            });
        })?;
        Ok(transactions)
    }

    fn each_since(&self, from: Lsn, mut each: impl FnMut(RawRecord)) -> Result<(), BlockError> {
        let _pin = self.pin_log(from)?;
        let hardened = self.hardened_lsn();
        if from >= hardened {
            return if from == hardened { Ok(()) } else { Err(BlockError::NoRecord) };
        }
        let (mut reader, _) = self.read_log(from)?;
        if !reader.begins_record()? {
            return Err(BlockError::NoRecord);
        }
        while let Some(raw) = reader.next_record()? {
            each(raw);
        }
        Ok(())
    }
}
