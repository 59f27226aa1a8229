//! How far the log has got, and who waits for it to get further.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::HardenObserver;
use super::segments::Segments;
use crate::tail::Tail;
use crate::waiters::{Waiter, Waiters};
use crate::{Disk, Lsn, StoreError};

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Station {
    /// That it is durable here.
    Hardened,
    /// That it is durable here, and not held back: a commit may be acknowledged.
    Committed,
}

/// What the sessions and the log's own thread share.
pub(super) struct Shared {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) dir: PathBuf,
    pub(super) segment_bytes: u64,
    pub(super) state: Mutex<State>,
    /// Wakes the log's own thread.
    pub(super) work: Condvar,
    /// What the writer of the moment needs; held by nobody else.
    pub(super) segments: Mutex<Segments>,
}

/// How far the log has got.
pub(super) struct State {
    /// Encoded records that are not yet written; they begin where hardening has got to, or will have.
    pub(super) pending: Vec<u8>,
    /// Where the next record will stand.
    pub(super) end: Lsn,
    pub(super) hardened: Lsn,
    pub(super) failure: Option<StoreError>,
    /// What SQLite shows is not what the log holds: not even what is hardened may be told any more.
    pub(super) parted: bool,
    /// First LSN of the newest segment that is durable. One that is being made does not count: it may not come to be.
    pub(super) newest_segment: Lsn,
    /// Somebody writes.
    pub(super) writing: bool,
    /// The log's own thread writes until nothing is left.
    pub(super) keeping: bool,
    /// Who waits until a position is hardened.
    pub(super) waiters: Waiters,
    /// Who waits until a commit may be acknowledged.
    pub(super) commits: Waiters,
    /// Commits behind this are not acknowledged, however durable they are here.
    pub(super) hold: Option<Lsn>,
    pub(super) observer: Option<HardenObserver>,
    /// What was hardened last.
    pub(super) tail: Tail,
    /// Where the oldest segment begins.
    pub(super) oldest: Lsn,
    /// The log's own thread has nothing to do until it is told.
    pub(super) idle: bool,
    pub(super) spare_wanted: bool,
    pub(super) stopping: bool,
    pub(super) syncs: u64,
    pub(super) bytes: u64,
}

impl State {
    /// Nothing is pending, and everything before `end` is hardened.
    pub(super) fn starting_at(end: Lsn, newest_segment: Lsn, oldest: Lsn) -> State {
        State {
            pending: Vec::new(),
            end,
            hardened: end,
            failure: None,
            parted: false,
            newest_segment,
            writing: false,
            keeping: false,
            waiters: Waiters::default(),
            commits: Waiters::default(),
            hold: None,
            observer: None,
            tail: Tail::default(),
            oldest,
            idle: false,
            spare_wanted: false,
            stopping: false,
            syncs: 0,
            bytes: 0,
        }
    }

    /// How far a station has got.
    fn reached(&self, station: Station) -> Lsn {
        match (station, self.hold) {
            (Station::Committed, Some(hold)) => self.hardened.min(hold),
            (Station::Committed, None) | (Station::Hardened, _) => self.hardened,
        }
    }

    /// What has become of a position, once that is known.
    pub(super) fn result(&self, station: Station, lsn: Lsn) -> Option<Result<(), StoreError>> {
        if self.reached(station) >= lsn && !self.parted {
            return Some(Ok(()));
        }
        self.failure.as_ref().map(|why| Err(StoreError::Failed(Box::new(why.clone()))))
    }

    /// Takes out everybody whose position is reached, or all if none will be any more.
    pub(super) fn take_served(&mut self) -> Vec<Waiter> {
        let (hardened, committed) = (self.reached(Station::Hardened), self.reached(Station::Committed));
        let mut served =
            if self.failure.is_some() { self.waiters.take_all() } else { self.waiters.take_up_to(hardened) };
        served.extend(if self.failure.is_some() {
            self.commits.take_all()
        } else {
            self.commits.take_up_to(committed)
        });
        served
    }

    /// Whether a session may write by itself.
    pub(super) fn may_write(&self) -> bool {
        !self.writing && !self.keeping && !self.pending.is_empty()
    }
}

impl Shared {
    pub(super) fn new(disk: Arc<dyn Disk>, dir: &Path, segment_bytes: u64, state: State) -> Shared {
        Shared {
            disk,
            dir: dir.to_owned(),
            segment_bytes,
            state: Mutex::new(state),
            work: Condvar::new(),
            segments: Mutex::default(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
