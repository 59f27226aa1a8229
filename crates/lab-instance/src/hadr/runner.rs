//! Running the protocol's machine: events in, in the order in which they come; effects out, in the order that it wants.
//!
//! Whoever has an event and finds nobody at work does all the work that there is: the thread that has hardened a commit
//! sends it, the thread that has received log hardens it and acknowledges. No thread is woken for either. What may take
//! long, or wait for sessions, is left to the worker, and with it the rest: order is kept.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::time::{Duration, Instant};

use lab_hadr::{DbName, Effect, Event, Node, Tick, View};
use lab_store::{Database as Store, Lsn};

use super::Hadr;
use crate::answer::lock;

/// How often time is told.
const TICK: Duration = Duration::from_millis(100);
/// How often it is looked whether a certificate has expired.
const EXPIRY: Duration = Duration::from_secs(1);

pub(super) struct Runner {
    inner: Mutex<Inner>,
    /// Wakes the worker.
    work: Condvar,
    /// Wakes whoever waits for the machine to get somewhere.
    moved: Condvar,
    node: Mutex<Node>,
    started: Instant,
    /// Received log that nobody has hardened yet.
    unhardened: Mutex<Vec<(DbName, Arc<Store>, Lsn)>>,
}

#[derive(Default)]
struct Inner {
    events: VecDeque<Event>,
    effects: VecDeque<Effect>,
    /// Somebody is at work.
    running: bool,
    /// It is the worker's turn.
    handed: bool,
    waiting: usize,
    stopping: bool,
}

/// Whether an effect may take long.
fn is_slow(effect: &Effect) -> bool {
    match effect {
        Effect::Dial { .. }
        | Effect::EnterFork { .. }
        | Effect::Demote { .. }
        | Effect::Promote { .. }
        | Effect::SetAccess { .. }
        | Effect::FollowBackups { .. }
        | Effect::ReadFork { .. }
        | Effect::SeedOpen { .. }
        | Effect::SeedClose { .. }
        | Effect::SeedCreate { .. }
        | Effect::SeedFinish { .. }
        | Effect::SeedDiscard { .. }
        | Effect::SetRole { .. }
        | Effect::Offered { .. }
        | Effect::Adopt { .. }
        | Effect::JoinOutsider { .. }
        | Effect::FailoverDone { .. }
        | Effect::Report { .. } => true,
        Effect::Close { .. }
        | Effect::Send { .. }
        | Effect::Ship { .. }
        | Effect::Append { .. }
        | Effect::Redo { .. }
        | Effect::Hold { .. }
        | Effect::Pin { .. }
        | Effect::SeedRead { .. }
        | Effect::SeedWrite { .. } => false,
    }
}

impl Runner {
    pub(super) fn new(node: Node) -> Runner {
        Runner {
            inner: Mutex::default(),
            work: Condvar::new(),
            moved: Condvar::new(),
            node: Mutex::new(node),
            started: Instant::now(),
            unhardened: Mutex::default(),
        }
    }

    pub(super) fn now(&self) -> Tick {
        Tick(self.started.elapsed().as_millis() as u64)
    }

    pub(super) fn view(&self) -> View {
        lock(&self.node).view()
    }

    /// Received log that is to be hardened when nothing else is left to do.
    pub(super) fn harden_later(&self, db: DbName, store: Arc<Store>, end: Lsn) {
        lock(&self.unhardened).push((db, store, end));
    }

    pub(super) fn stop(&self) {
        lock(&self.inner).stopping = true;
        self.work.notify_all();
        self.moved.notify_all();
    }
}

impl Hadr {
    /// Something has happened.
    pub(super) fn tell(&self, event: Event) {
        {
            let mut inner = lock(&self.runner.inner);
            if inner.stopping {
                return;
            }
            inner.events.push_back(event);
            if std::mem::replace(&mut inner.running, true) {
                return;
            }
        }
        self.run(false);
        self.harden();
    }

    /// Works until nothing is left, or the rest is the worker's.
    fn run(&self, as_worker: bool) {
        let runner = &self.runner;
        loop {
            let mut inner = lock(&runner.inner);
            if let Some(effect) = inner.effects.pop_front() {
                if is_slow(&effect) && !as_worker {
                    inner.effects.push_front(effect);
                    inner.handed = true;
                    runner.work.notify_one();
                    return;
                }
                drop(inner);
                self.execute(effect);
                continue;
            }
            let Some(event) = inner.events.pop_front() else {
                inner.running = false;
                let waiting = inner.waiting > 0;
                drop(inner);
                if waiting {
                    runner.moved.notify_all();
                }
                return;
            };
            drop(inner);
            let effects = lock(&runner.node).step(runner.now(), event);
            lock(&runner.inner).effects.extend(effects);
        }
    }

    /// Hardens what was received, unless somebody does so just now, who then hardens this, too. The store tells when it is
    /// done.
    ///
    /// NB: never by waiting for it. This may be the log's own thread, which others wait for.
    fn harden(&self) {
        // Taken out first: a guard in the loop's head would be held through the loop, and hardening comes back here.
        let unhardened = std::mem::take(&mut *lock(&self.runner.unhardened));
        for (db, store, end) in unhardened {
            let hadr = Weak::clone(&self.me);
            store.when_hardened(
                end,
                Box::new(move |hardened| {
                    if let (Err(e), Some(hadr)) = (hardened, hadr.upgrade()) {
                        hadr.tell(Event::AppendFailed { db, failure: super::failure(&e) });
                    }
                }),
            );
        }
    }

    /// The worker's life: what takes long, and the passing of time.
    pub(super) fn work(&self) {
        let runner = &self.runner;
        let mut ticked = Instant::now();
        let mut expired = Instant::now();
        loop {
            let mut inner = lock(&runner.inner);
            if inner.stopping {
                return;
            }
            let left = TICK.saturating_sub(ticked.elapsed());
            if !inner.handed && !left.is_zero() {
                let idle = |i: &mut Inner| !i.handed && !i.stopping;
                inner = match runner.work.wait_timeout_while(inner, left, idle) {
                    Ok((inner, _)) => inner,
                    Err(poisoned) => poisoned.into_inner().0,
                };
            }
            if std::mem::take(&mut inner.handed) {
                drop(inner);
                self.run(true);
            } else {
                drop(inner);
            }
            self.harden();
            if ticked.elapsed() >= TICK {
                ticked = Instant::now();
                self.tell(Event::Tick);
                self.watch();
            }
            if expired.elapsed() >= EXPIRY {
                expired = Instant::now();
                self.peers.end_expired();
            }
        }
    }

    /// Whether the machine has been told all that has happened, and all that it wanted is done.
    pub(super) fn is_idle(&self) -> bool {
        let inner = lock(&self.runner.inner);
        inner.events.is_empty() && inner.effects.is_empty() && !inner.running
    }

    /// Waits until the machine has got somewhere; whether it did in time.
    pub(super) fn wait_for(&self, patience: Duration, there: impl Fn(&Hadr) -> bool) -> bool {
        let until = Instant::now() + patience;
        loop {
            if there(self) {
                return true;
            }
            let left = until.saturating_duration_since(Instant::now());
            let mut inner = lock(&self.runner.inner);
            if left.is_zero() || inner.stopping {
                return false;
            }
            inner.waiting += 1;
            // What it waits for may have come before it waited: so never long.
            let slice = left.min(Duration::from_millis(20));
            let mut inner = match self.runner.moved.wait_timeout(inner, slice) {
                Ok((inner, _)) => inner,
                Err(poisoned) => poisoned.into_inner().0,
            };
            inner.waiting -= 1;
        }
    }
}
