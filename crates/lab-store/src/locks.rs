//! The write locks of databases: one writer each, with time-outs and deadlock detection.
//!
//! Who asks first is served first, with one exception: while the first in the queue wakes up, a session that runs already
//! may go ahead of it, [`BYPASS_MAX`] times at most. Handing every lock to a thread that sleeps would make each commit
//! wait for a context switch once a queue has formed.
//!
//! [`LockTable`] decides and does nothing else; [`Locks`] puts threads to sleep by what it says.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::Thread;
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

/// How often the first in a queue may be passed by.
const BYPASS_MAX: u32 = 8;

#[derive(Debug, Default)]
struct Queue {
    owner: Option<SessionId>,
    waiting: VecDeque<SessionId>,
    /// How often the first of `waiting` was passed by.
    bypassed: u32,
}

impl Queue {
    fn hand_to_first(&mut self) {
        self.owner = self.waiting.pop_front();
        self.bypassed = 0;
    }
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
            None if queue.waiting.is_empty() || queue.bypassed < BYPASS_MAX => {
                queue.bypassed += u32::from(!queue.waiting.is_empty());
                queue.owner = Some(session);
                Decision::Granted
            }
            Some(owner) if owner == session => Decision::Granted,
            _ => {
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

    /// Whether a session that waits has the lock now: it was handed over, or is free and this one is the first.
    fn claim(&mut self, session: SessionId, db: DbKey) -> bool {
        let Some(queue) = self.queues.get_mut(&db) else { return false };
        if queue.owner.is_none() && queue.waiting.front() == Some(&session) {
            queue.hand_to_first();
        }
        queue.owner == Some(session)
    }

    /// The n-th in a queue.
    fn waiting(&self, db: DbKey, n: usize) -> Option<SessionId> {
        self.queues.get(&db).and_then(|q| q.waiting.get(n).copied())
    }

    /// A session waits no longer; who has to be woken in its place.
    fn give_up(&mut self, session: SessionId, db: DbKey) -> Option<SessionId> {
        let queue = self.queues.get_mut(&db)?;
        let was_first = queue.waiting.front() == Some(&session);
        queue.waiting.retain(|s| *s != session);
        let next = queue.waiting.front().copied();
        if was_first {
            queue.bypassed = 0;
        }
        let wakes = next.filter(|_| was_first && queue.owner.is_none());
        self.forget_unused();
        wakes
    }

    /// Lets go of everything that a session holds; who has to be woken.
    fn release_all(&mut self, session: SessionId) -> Vec<SessionId> {
        let mut woken = Vec::new();
        for queue in self.queues.values_mut().filter(|q| q.owner == Some(session)) {
            woken.extend(queue.waiting.front().copied());
            if queue.bypassed < BYPASS_MAX {
                queue.owner = None;
            } else {
                queue.hand_to_first();
            }
        }
        self.forget_unused();
        woken
    }

    fn forget_unused(&mut self) {
        self.queues.retain(|_, q| q.owner.is_some() || !q.waiting.is_empty());
    }
}

/// The write locks of a server.
#[derive(Debug, Default)]
pub struct Locks {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    table: LockTable,
    /// The threads of those who wait: only who gets a lock is woken.
    asleep: BTreeMap<SessionId, Thread>,
}

impl State {
    /// Whether a session that waits has got what it waits for; it waits no longer then.
    fn granted(&mut self, session: SessionId, db: DbKey) -> bool {
        let owns = self.table.claim(session, db);
        if owns {
            self.asleep.remove(&session);
            // Who comes near the front now wakes up while others work, and not only when it is its turn.
            let near = self.table.waiting(db, NEAR - 1);
            if let Some(next) = near.and_then(|s| self.asleep.get(&s)) {
                next.unpark();
            }
        }
        owns
    }
}

/// How many at the front of a queue are awake: a small transaction is done before a thread that sleeps can take over.
const NEAR: usize = 3;
/// How long they look for the lock before they sleep again.
const WATCH: Duration = Duration::from_micros(100);
/// How often a waiting session asks whether its client has cancelled.
const PROBE: Duration = Duration::from_millis(50);

impl Locks {
    /// Waits for the write lock of a database.
    ///
    /// # Errors
    /// It was not granted; nothing is held then that was not held before.
    pub fn acquire(
        &self,
        session: SessionId,
        db: DbKey,
        timeout: Option<Duration>,
        cancelled: &mut dyn FnMut() -> bool,
    ) -> Result<(), LockError> {
        let start = Instant::now();
        {
            let mut state = self.lock();
            match state.table.request(session, db) {
                Decision::Granted => return Ok(()),
                Decision::Deadlock => return Err(LockError::Deadlock),
                Decision::Wait => state.asleep.insert(session, std::thread::current()),
            };
        }
        loop {
            if self.watch(session, db) {
                return Ok(());
            }
            let left = timeout.map_or(PROBE, |t| t.saturating_sub(start.elapsed()).min(PROBE));
            std::thread::park_timeout(left);
            if self.lock().granted(session, db) {
                return Ok(());
            }
            // Asked without holding the table: the answer may take a system call.
            let late = timeout.is_some_and(|t| start.elapsed() >= t);
            if late || cancelled() {
                let mut state = self.lock();
                if state.granted(session, db) {
                    return Ok(());
                }
                state.asleep.remove(&session);
                if let Some(next) = state.table.give_up(session, db).and_then(|s| state.asleep.get(&s)) {
                    next.unpark();
                }
                return Err(if late { LockError::Timeout } else { LockError::Cancelled });
            }
        }
    }

    /// Looks for the lock while it is near the front of the queue and those before it can be expected to be done soon;
    /// whether it has come.
    fn watch(&self, session: SessionId, db: DbKey) -> bool {
        let start = Instant::now();
        loop {
            let mut state = self.lock();
            if state.granted(session, db) {
                return true;
            }
            let near = (0..NEAR).any(|n| state.table.waiting(db, n) == Some(session));
            drop(state);
            if !near || start.elapsed() >= WATCH {
                return false;
            }
            std::thread::yield_now();
        }
    }

    /// Lets go of everything that a session holds.
    pub fn release_all(&self, session: SessionId) {
        let woken: Vec<Thread> = {
            let mut state = self.lock();
            let first = state.table.release_all(session);
            first.iter().filter_map(|s| state.asleep.get(s).cloned()).collect()
        };
        woken.iter().for_each(Thread::unpark);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who holds and who waits: session, database, granted.
    pub fn snapshot(&self) -> Vec<(SessionId, DbKey, bool)> {
        let state = self.lock();
        let mut out = Vec::new();
        for (db, queue) in &state.table.queues {
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
    const C: SessionId = SessionId(3);
    const X: DbKey = DbKey(5);
    const Y: DbKey = DbKey(6);

    #[test]
    fn a_circle_is_refused() {
        let mut table = LockTable::default();
        assert_eq!(table.request(A, X), Decision::Granted);
        assert_eq!(table.request(A, X), Decision::Granted, "again");
        assert_eq!(table.request(B, Y), Decision::Granted);
        assert_eq!(table.request(A, Y), Decision::Wait);
        assert_eq!(table.request(B, X), Decision::Deadlock);
        assert_eq!(table.release_all(B), [A]);
        assert!(table.claim(A, Y));
        assert_eq!(table.release_all(A), []);
        assert!(table.queues.is_empty(), "nothing is left behind");
    }

    #[test]
    fn the_first_in_the_queue_is_passed_by_so_often_and_no_more() {
        let mut table = LockTable::default();
        assert_eq!(table.request(A, X), Decision::Granted);
        assert_eq!((table.request(B, X), table.request(C, X)), (Decision::Wait, Decision::Wait));
        for _ in 0..BYPASS_MAX {
            assert_eq!(table.release_all(A), [B], "the first is woken each time");
            assert_eq!(table.request(A, X), Decision::Granted);
        }
        assert!(!table.claim(B, X), "A has it");
        assert_eq!(table.release_all(A), [B]);
        assert_eq!(table.request(A, X), Decision::Wait, "B has been passed by often enough");
        assert!(!table.claim(C, X) && table.claim(B, X));
        assert_eq!(table.release_all(B), [C]);
        assert_eq!(table.give_up(C, X), Some(A), "who comes next is woken in its place");
        assert!(table.claim(A, X));
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
