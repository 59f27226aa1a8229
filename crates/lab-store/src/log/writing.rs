//! Who hardens the records, and when: a session that needs one hardened, or the log's own thread.

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use super::state::{Shared, State, Station};
use crate::record::stamp;
use crate::waiters::{Place, Waiter};
use crate::{Lsn, StoreError};

/// How long a record may stay unhardened that nobody waits for.
const LINGER: Duration = Duration::from_millis(5);

impl Shared {
    /// Writes and syncs what is pending, as the one who writes, and wakes who has waited for it.
    pub(super) fn harden<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.writing = true;
        let (mut bytes, at) = (std::mem::take(&mut state.pending), state.hardened);
        drop(state);
        // Everything before this write is durable by now: found later, each record proves it.
        stamp(&mut bytes, at);
        let written = {
            let mut segments = self.segments.lock().unwrap_or_else(PoisonError::into_inner);
            self.write(&mut segments, &bytes, at)
        };
        let mut state = self.lock();
        state.writing = false;
        match written {
            Ok(used) => {
                state.hardened = Lsn(at.0 + bytes.len() as u64);
                state.tail.push(at, bytes);
                state.syncs += 1;
                if used && !state.spare_wanted {
                    state.spare_wanted = true;
                    self.work.notify_one();
                }
            }
            // A failed sync is final: what is on disk now is not known, so nothing more is written behind it.
            Err(e) => {
                state.failure.get_or_insert(e);
            }
        }
        let result = match &state.failure {
            Some(why) => Err(StoreError::Failed(Box::new(why.clone()))),
            None => Ok(()),
        };
        let served = state.take_served();
        if !state.waiters.is_empty() || (!state.commits.is_empty() && !state.pending.is_empty()) {
            // The disk should not wait until all the others are served.
            self.call_keeper(&mut state);
        }
        let observer = state.observer.clone().filter(|_| result.is_ok());
        let hardened = state.hardened;
        drop(state);
        // The way to the peer and back is longer than the one to the sessions here.
        if let Some(observer) = observer {
            observer(hardened);
        }
        served.into_iter().for_each(|w| w.served(result.clone()));
        self.lock()
    }

    /// A waiter's place. If nobody writes, the log's own thread does; who writes now looks for waiters when it is done.
    pub(super) fn enter(&self, state: &mut State, station: Station, lsn: Lsn, waiter: Waiter) -> Place {
        let place = match station {
            Station::Hardened => state.waiters.enter(lsn, waiter),
            Station::Committed => state.commits.enter(lsn, waiter),
        };
        // One that is held back has nothing left to be written.
        if !state.writing && state.hardened < lsn {
            self.call_keeper(state);
        }
        place
    }

    /// Lets the log's own thread write what is pending, and what comes meanwhile.
    fn call_keeper(&self, state: &mut State) {
        if !std::mem::replace(&mut state.keeping, true) {
            self.work.notify_one();
        }
    }

    /// The log's own thread.
    pub(super) fn keep(&self) {
        let mut state = self.lock();
        loop {
            while state.pending.is_empty() && !state.spare_wanted && !state.stopping {
                state.idle = true;
                state.keeping = false;
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.idle = false;
            if state.failure.is_some() || (state.stopping && state.pending.is_empty()) {
                return;
            }
            if std::mem::take(&mut state.spare_wanted) {
                drop(state);
                self.prepare_spare();
                state = self.lock();
            }
            state = self.keep_writing(state);
        }
    }

    /// Writes what is pending at once, if it was called; else when it has lain there for some time.
    fn keep_writing<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let seen = state.end;
        let not_called = |s: &mut State| s.writing || !(s.keeping || s.stopping);
        state =
            self.work.wait_timeout_while(state, LINGER, not_called).unwrap_or_else(PoisonError::into_inner).0;
        let wanted = state.keeping || state.stopping || state.hardened < seen;
        let can = !state.writing && !state.pending.is_empty() && state.failure.is_none();
        if wanted && can { self.harden(state) } else { state }
    }
}
