//! The write locks of databases: one writer each, in the order of asking, with time-outs and deadlock detection.
//!
//! [`LockTable`] decides and does nothing else; [`Locks`] puts threads to sleep by what it says.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// A database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DbKey(pub u32);

/// Why a lock was not granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockError {
    /// LOCK_TIMEOUT passed (1222).
    Timeout,
    /// Waiting would close a circle (1205).
    Deadlock,
    /// The client cancelled.
    Cancelled,
}

/// What a request leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    Granted,
    Wait,
    Deadlock,
}

#[derive(Debug, Default)]
struct Queue {
    owner: Option<SessionId>,
    waiting: VecDeque<SessionId>,
}

/// Who holds what and who waits for it.
#[derive(Debug, Default)]
struct LockTable {
    queues: BTreeMap<DbKey, Queue>,
}

impl LockTable {
    fn request(&mut self, session: SessionId, db: DbKey) -> Decision {
        if self.would_deadlock(session, db) {
            return Decision::Deadlock;
        }
        let queue = self.queues.entry(db).or_default();
        match queue.owner {
            None => {
                queue.owner = Some(session);
                Decision::Granted
            }
            Some(owner) if owner == session => Decision::Granted,
            Some(_) => {
                queue.waiting.push_back(session);
                Decision::Wait
            }
        }
    }

    /// Whether the owner of `db`, or one it waits for, waits for `session`. A session waits for one lock at a time.
    fn would_deadlock(&self, session: SessionId, db: DbKey) -> bool {
        let mut at = self.queues.get(&db).and_then(|q| q.owner);
        for _ in 0..=self.queues.len() {
            match at {
                None => return false,
                Some(owner) if owner == session => {
                    return self.queues.get(&db).and_then(|q| q.owner) != Some(session);
                }
                Some(owner) => {
                    at = self.queues.values().find(|q| q.waiting.contains(&owner)).and_then(|q| q.owner);
                }
            }
        }
        true
    }

    fn owns(&self, session: SessionId, db: DbKey) -> bool {
        self.queues.get(&db).is_some_and(|q| q.owner == Some(session))
    }

    fn give_up(&mut self, session: SessionId, db: DbKey) {
        if let Some(queue) = self.queues.get_mut(&db) {
            queue.waiting.retain(|s| *s != session);
        }
    }

    fn release_all(&mut self, session: SessionId) {
        for queue in self.queues.values_mut().filter(|q| q.owner == Some(session)) {
            queue.owner = queue.waiting.pop_front();
        }
        self.queues.retain(|_, q| q.owner.is_some());
    }
}

/// The write locks of a server.
#[derive(Debug, Default)]
pub struct Locks {
    table: Mutex<LockTable>,
    changed: Condvar,
}

/// How often a waiting session asks whether its client has cancelled.
const PROBE: Duration = Duration::from_millis(50);

impl Locks {
    /// Waits for the write lock of a database.
    pub fn acquire(
        &self,
        session: SessionId,
        db: DbKey,
        timeout: Option<Duration>,
        cancelled: &mut dyn FnMut() -> bool,
    ) -> Result<(), LockError> {
        let start = Instant::now();
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        match table.request(session, db) {
            Decision::Granted => return Ok(()),
            Decision::Deadlock => return Err(LockError::Deadlock),
            Decision::Wait => {}
        }
        loop {
            let left = timeout.map_or(PROBE, |t| t.saturating_sub(start.elapsed()).min(PROBE));
            table = self.changed.wait_timeout(table, left).unwrap_or_else(PoisonError::into_inner).0;
            if table.owns(session, db) {
                return Ok(());
            }
            let late = timeout.is_some_and(|t| start.elapsed() >= t);
            if late || cancelled() {
                table.give_up(session, db);
                return Err(if late { LockError::Timeout } else { LockError::Cancelled });
            }
        }
    }

    /// Lets go of everything that a session holds.
    pub fn release_all(&self, session: SessionId) {
        self.table.lock().unwrap_or_else(PoisonError::into_inner).release_all(session);
        self.changed.notify_all();
    }

    /// Who holds and who waits: session, database, granted.
    pub fn snapshot(&self) -> Vec<(SessionId, DbKey, bool)> {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = Vec::new();
        for (db, queue) in &table.queues {
            out.extend(queue.owner.map(|s| (s, *db, true)));
            out.extend(queue.waiting.iter().map(|s| (*s, *db, false)));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: SessionId = SessionId(1);
    const B: SessionId = SessionId(2);
    const X: DbKey = DbKey(5);
    const Y: DbKey = DbKey(6);

    #[test]
    fn locks_are_granted_in_order_and_a_circle_is_refused() {
        let mut table = LockTable::default();
        assert_eq!(table.request(A, X), Decision::Granted);
        assert_eq!(table.request(A, X), Decision::Granted, "again");
        assert_eq!(table.request(B, Y), Decision::Granted);
        assert_eq!(table.request(A, Y), Decision::Wait);
        assert_eq!(table.request(B, X), Decision::Deadlock);
        table.release_all(B);
        assert!(table.owns(A, Y));
        table.release_all(A);
        assert!(!table.owns(A, X));
    }

    #[test]
    fn a_wait_ends_by_time_out_and_by_release() {
        let locks = Locks::default();
        locks.acquire(A, X, None, &mut || false).unwrap();
        let short = Some(Duration::from_millis(10));
        assert_eq!(locks.acquire(B, X, short, &mut || false), Err(LockError::Timeout));
        assert_eq!(locks.acquire(B, X, None, &mut || true), Err(LockError::Cancelled));
        std::thread::scope(|s| {
            let waiting = s.spawn(|| locks.acquire(B, X, None, &mut || false));
            while locks.snapshot().len() < 2 {
                std::thread::yield_now();
            }
            locks.release_all(A);
            assert_eq!(waiting.join().unwrap(), Ok(()));
        });
    }
}
