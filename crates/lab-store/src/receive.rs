//! How the records of a primary come into the log of a secondary.

use crate::control::Position;
use crate::database::lock;
use crate::record::RECORD_MAX;
use crate::tail::Tail;
use crate::{Database, History, Lsn, ParsedRecord, StoreError, read_record};

/// Bytes of log that may be received and not yet hardened: behind that, receiving waits.
const UNHARDENED_MAX: u64 = 64 << 20;

/// What a secondary has received.
#[derive(Debug)]
pub(crate) struct Received {
    /// The end of its log.
    pub(crate) end: Position,
    /// Which fork each position is on.
    pub(crate) history: History,
    /// What came last: redo need not wait until it is hardened.
    pub(crate) newest: Tail,
}

impl Received {
    pub(crate) fn new(end: Position, history: History) -> Received {
        Received { end, history, newest: Tail::kept() }
    }

    /// A log that begins with these records at `lsn`: what the database was before, the first one says.
    pub(crate) fn before(bytes: &[u8], lsn: Lsn, history: History) -> Received {
        let checksum = match read_record(bytes) {
            ParsedRecord::Record(record, _) => record.checksum_before,
            ParsedRecord::NeedMore | ParsedRecord::Malformed => 0,
        };
        Received::new(Position { lsn, checksum, database_pages: 0, time: 0 }, history)
    }
}

/// Why received log was not taken. Nothing of it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiveError {
    /// It begins elsewhere: ask for it from the log's end on.
    Gap {
        /// The log's end.
        expected: Lsn,
    },
    /// It is of another fork than the one that goes on here.
    OtherFork,
    /// It builds on another database than this one, or this one has log that the peer has not.
    Diverged,
    /// It is not whole records of this database: something on the way has changed it.
    Malformed,
    /// The database is a primary.
    NotSecondary,
    /// The store.
    Store(StoreError),
}

impl From<StoreError> for ReceiveError {
    fn from(e: StoreError) -> ReceiveError {
        ReceiveError::Store(e)
    }
}

impl std::fmt::Display for ReceiveError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ReceiveError::Gap { expected } => write!(f, "log from {expected} on is expected"),
            ReceiveError::OtherFork => f.write_str("the log is of another recovery fork"),
            ReceiveError::Diverged => f.write_str("the copies have diverged"),
            ReceiveError::Malformed => f.write_str("what was received is no log of this database"),
            ReceiveError::NotSecondary => f.write_str("the database is no secondary"),
            ReceiveError::Store(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for ReceiveError {}

impl Received {
    /// What the log's end is behind these records, if they are whole and go on where it ends.
    pub(crate) fn check(&self, mut bytes: &[u8], page_size: u32) -> Result<Position, ReceiveError> {
        let mut at = self.end;
        while !bytes.is_empty() {
            let ParsedRecord::Record(record, len) = read_record(bytes) else {
                return Err(ReceiveError::Malformed);
            };
            if record.lsn != at.lsn {
                return Err(ReceiveError::Gap { expected: self.end.lsn });
            }
            if record.page_size != page_size {
                return Err(ReceiveError::Malformed);
            }
            if record.fork != self.history.fork_at(at.lsn) {
                return Err(ReceiveError::OtherFork);
            }
            if record.checksum_before != at.checksum {
                return Err(ReceiveError::Diverged);
            }
            at = Position {
                lsn: Lsn(at.lsn.0 + len as u64),
                checksum: record.checksum_after,
                database_pages: record.database_pages,
                time: record.time,
            };
            bytes = bytes.get(len..).unwrap_or_default();
        }
        Ok(at)
    }
}

impl Database {
    /// Takes whole records into the log of a secondary, which they go on; its end then. They are hardened as any others are:
    /// whoever wants to know waits for it, or is told.
    ///
    /// Each is checked before any is taken. If too much is not hardened yet, this waits until it is.
    ///
    /// # Errors
    /// [`ReceiveError`]; nothing was taken.
    pub fn receive(&self, bytes: &[u8]) -> Result<Lsn, ReceiveError> {
        let logged = self.logged()?;
        let mut received = lock(&logged.received);
        if !logged.progress.is_secondary() {
            return Err(ReceiveError::NotSecondary);
        }
        if bytes.len() > RECORD_MAX {
            return Err(ReceiveError::Malformed);
        }
        let page_size = lock(&logged.control).page_size;
        let end = received.check(bytes, page_size)?;
        if received.end.lsn.0.saturating_sub(logged.log.hardened().0) > UNHARDENED_MAX {
            logged.log.wait(received.end.lsn)?;
        }
        let at = received.end.lsn;
        logged.log.append_records(at, bytes)?;
        received.newest.push(at, bytes.to_vec());
        received.end = end;
        logged.progress.ends(&end);
        Ok(end.lsn)
    }
}
