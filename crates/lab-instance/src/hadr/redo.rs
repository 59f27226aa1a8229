//! Redo on a secondary: a thread for each database, which applies what was received, while that is being hardened.

use std::sync::{Arc, Condvar, Mutex, Weak};
use std::thread::JoinHandle;

use lab_hadr::{DbName, Event};
use lab_store::{Database as Store, Mode};

use super::{Hadr, failure};
use crate::answer::lock;

/// Log that is redone in one transaction.
const GROUP_BYTES: usize = 1 << 20;

pub(super) struct Redo {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    wanted: bool,
    stopping: bool,
}

impl Redo {
    pub(super) fn start(hadr: Weak<Hadr>, db: DbName, store: &Arc<Store>) -> Redo {
        let shared = Arc::new(Shared::default());
        let (working, store) = (Arc::clone(&shared), Arc::clone(store));
        let work = move || {
            while working.wait() {
                redo(&hadr, &db, &store);
            }
        };
        // Without the thread nothing is redone, which the views show; the instance goes on.
        let thread = std::thread::Builder::new().name("redo".to_owned()).spawn(work).ok();
        Redo { shared, thread: Mutex::new(thread) }
    }

    pub(super) fn wake(&self) {
        lock(&self.shared.state).wanted = true;
        self.shared.work.notify_one();
    }

    pub(super) fn stop(&self) {
        lock(&self.shared.state).stopping = true;
        self.shared.work.notify_one();
        let thread = lock(&self.thread).take();
        if let Some(thread) = thread.filter(|t| t.thread().id() != std::thread::current().id()) {
            // A panic of the thread has been reported by itself.
            drop(thread.join());
        }
    }
}

impl Shared {
    /// Whether there is something to do.
    fn wait(&self) -> bool {
        let state = lock(&self.state);
        let idle = |s: &mut State| !s.wanted && !s.stopping;
        let mut state = self.work.wait_while(state, idle).unwrap_or_else(std::sync::PoisonError::into_inner);
        state.wanted = false;
        !state.stopping
    }
}

/// Redoes everything that is there.
fn redo(hadr: &Weak<Hadr>, db: &DbName, store: &Arc<Store>) {
    while store.mode() == Mode::Secondary && store.redone_lsn() < store.end_lsn() {
        let redone = store.redo(GROUP_BYTES);
        let Some(hadr) = hadr.upgrade() else { return };
        match redone {
            Ok(redone) => {
                if redone.catalog_changed
                    && let Err(e) = hadr.server.reload_catalog(db.as_str())
                {
                    hadr.log(&format!("The catalog of '{db}' could not be read after redo: {}", e.message));
                }
                if redone.records == 0 {
                    return;
                }
                hadr.server.checkpoint_if_large(db.as_str(), store);
                let (redone, time) = (redone.redone_lsn, redone.commit_time);
                // Before it is hardened it does not count; then it is told.
                if redone <= store.hardened_lsn() {
                    hadr.tell(Event::Redone { db: db.clone(), redone, time });
                }
            }
            Err(e) => {
                return hadr.tell(Event::RedoFailed { db: db.clone(), failure: failure(&e) });
            }
        }
    }
}
