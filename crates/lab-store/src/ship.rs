//! Shipping: what a replica's driver asks of the log while commits go on.
//!
//! The driver is told of what was hardened ([`Database::on_hardened`]), reads it in blocks ([`Database::read_block`]), keeps
//! the log from where its peer is ([`LogPin`]), and holds acknowledgements back until the peer has hardened, too
//! ([`Database::hold_commits`]).

use std::sync::Arc;

use crate::backup::{LogPin, LogReader};
use crate::database::{Logged, lock};
use crate::log::{HardenObserver, Station};
use crate::tail::whole_records_of;
use crate::waiters::Departure;
use crate::{Database, Lsn, StoreError};

/// A stretch of hardened log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Where it begins.
    pub from: Lsn,
    /// Where it ends; `from` if nothing more is hardened.
    pub to: Lsn,
    /// Whole records.
    pub bytes: Vec<u8>,
}

/// Why a block cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlockError {
    /// The log no longer reaches back so far: the peer has to be seeded anew.
    LogGone {
        /// Where it begins now.
        oldest: Lsn,
    },
    /// No record begins there: whoever asks has another log.
    NoRecord,
    /// The store.
    Store(StoreError),
}

impl From<StoreError> for BlockError {
    fn from(e: StoreError) -> BlockError {
        BlockError::Store(e)
    }
}

impl std::fmt::Display for BlockError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BlockError::LogGone { oldest } => write!(f, "the log begins at {oldest} now"),
            BlockError::NoRecord => f.write_str("no record begins there"),
            BlockError::Store(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for BlockError {}

impl Database {
    /// Holds back the acknowledgement of every commit whose position is behind `hold`, however durable it is here; with
    /// nothing, none is held. Raising it serves who is free to go on the caller's thread.
    ///
    /// Only those are held who wait by [`Database::wait_committed`], [`Database::when_committed`] and
    /// [`Database::is_committed_settled`]; what the store does for itself goes on.
    pub fn hold_commits(&self, hold: Option<Lsn>) {
        if let Some(logged) = &self.logged {
            logged.log.hold(hold);
        }
    }

    /// Waits until a commit, or what has been seen of one, may be acknowledged: it is hardened here and not held back.
    ///
    /// # Errors
    /// The log has failed before that. Whether the commit is durable somewhere is not known then.
    pub fn wait_committed(&self, lsn: Lsn) -> Result<(), StoreError> {
        self.logged.as_ref().map_or(Ok(()), |l| l.log.wait_at(Station::Committed, lsn))
    }

    /// Hardens it if nobody else does so just now; whether [`Database::wait_committed`] would return at once.
    pub fn is_committed_settled(&self, lsn: Lsn) -> bool {
        self.logged.as_ref().is_none_or(|l| l.log.is_settled(Station::Committed, lsn))
    }

    /// Does something once [`Database::wait_committed`] would return: now, or by whoever hardens it or lets it go.
    pub fn when_committed(&self, lsn: Lsn, departure: Departure) {
        match &self.logged {
            Some(logged) => logged.log.then(Station::Committed, lsn, departure),
            None => departure(Ok(())),
        }
    }

    /// From now on `observer` is told how far the log is hardened, each time that it has got further, by whoever hardened it
    /// and before the sessions here are served: the peer's round trip begins first. No lock is held, calls may overtake
    /// each other, and it must not take long. One that was there before is told nothing any more.
    pub fn on_hardened(&self, observer: HardenObserver) {
        if let Some(logged) = &self.logged {
            logged.log.observe(Some(observer));
        }
    }

    /// Ends what [`Database::on_hardened`] began; a call under way may still come.
    pub fn forget_observer(&self) {
        if let Some(logged) = &self.logged {
            logged.log.observe(None);
        }
    }

    /// Whole hardened records from `from` on, at most `max_bytes`, but at least one. It is empty if `from` is where hardened
    /// log ends.
    ///
    /// The newest log comes from memory, the rest from its segments. Without a [`LogPin`] it may be gone at any time.
    ///
    /// # Errors
    /// [`BlockError`].
    pub fn read_block(&self, from: Lsn, max_bytes: usize) -> Result<Block, BlockError> {
        match &self.logged {
            Some(logged) => self.block(logged, from, max_bytes),
            None => Err(BlockError::NoRecord),
        }
    }

    pub(crate) fn block(&self, logged: &Logged, from: Lsn, max_bytes: usize) -> Result<Block, BlockError> {
        let (chunks, hardened, oldest) = logged.log.in_memory(from, max_bytes);
        if from > hardened {
            return Err(BlockError::NoRecord);
        }
        if from == hardened {
            return Ok(Block { from, to: from, bytes: Vec::new() });
        }
        if from < oldest {
            return Err(BlockError::LogGone { oldest });
        }
        let mut bytes = whole_records_of(&chunks, from, max_bytes);
        if bytes.is_empty() {
            bytes = match self.block_on_disk(logged, from, hardened, max_bytes) {
                // It may have been let go while it was read.
                Err(e) => {
                    let oldest = logged.log.oldest();
                    return Err(if from < oldest { BlockError::LogGone { oldest } } else { e });
                }
                Ok(bytes) => bytes,
            };
        }
        Ok(Block { from, to: Lsn(from.0 + bytes.len() as u64), bytes })
    }

    fn block_on_disk(
        &self,
        logged: &Logged,
        from: Lsn,
        hardened: Lsn,
        max: usize,
    ) -> Result<Vec<u8>, BlockError> {
        let history = lock(&logged.control).history(hardened);
        let mut reader = LogReader::new(Arc::clone(&self.disk), &self.dir, from, history);
        if !reader.begins_record()? {
            return Err(BlockError::NoRecord);
        }
        let mut bytes = Vec::new();
        while let Some(raw) = reader.next_record()? {
            if !bytes.is_empty() && bytes.len() + raw.bytes.len() > max {
                break;
            }
            bytes.extend_from_slice(&raw.bytes);
            if bytes.len() >= max {
                break;
            }
        }
        Ok(bytes)
    }

    /// Keeps the log from `from` on. If it does not reach back so far any more, there is nothing to keep.
    ///
    /// # Errors
    /// [`BlockError::LogGone`]; [`BlockError::NoRecord`] if the database has no log.
    pub fn pin_log(&self, from: Lsn) -> Result<LogPin, BlockError> {
        let logged = self.logged.as_ref().ok_or(BlockError::NoRecord)?;
        let pin = logged.pins.pin(from);
        let oldest = logged.log.oldest();
        if from < oldest { Err(BlockError::LogGone { oldest }) } else { Ok(pin) }
    }

    /// Keeps the log from where it begins now; the position, which is where a segment begins or the log ends.
    ///
    /// # Errors
    /// [`BlockError::NoRecord`] if the database has no log.
    pub fn pin_oldest(&self) -> Result<(LogPin, Lsn), BlockError> {
        let logged = self.logged.as_ref().ok_or(BlockError::NoRecord)?;
        let pin = logged.pins.pin(Lsn(0));
        let oldest = logged.log.oldest();
        pin.advance(oldest);
        Ok((pin, oldest))
    }

    /// The oldest position that the log on disk still holds.
    pub fn log_start(&self) -> Lsn {
        self.logged.as_ref().map_or(Lsn(0), |l| l.log.oldest())
    }

    /// The end of the log, hardened or not, without waiting for a commit in flight.
    pub fn end_lsn(&self) -> Lsn {
        self.logged.as_ref().map_or(Lsn(0), |l| l.log.end())
    }

    /// Where the last log backup ended; nothing before the first full backup.
    pub fn log_backed_up(&self) -> Option<Lsn> {
        self.logged.as_ref().and_then(|l| lock(&l.control).log_backed_up)
    }

    /// Where the last full backup of the chain stands.
    pub fn full_backup_lsn(&self) -> Option<Lsn> {
        self.logged.as_ref().and_then(|l| lock(&l.control).full_backup_lsn)
    }
}
