//! The thread that checkpoints databases: when their WAL has grown, and now and then, so that recovery stays short.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Server;

/// How often databases are looked at that nobody has asked for.
const ROUND: Duration = Duration::from_secs(30);
/// How long a database is left alone whose checkpoint could not be completed: old readers hold it back, or its disk.
const RETRY: Duration = Duration::from_secs(1);

/// The checkpointer as its server holds it.
#[derive(Debug, Default)]
pub(crate) struct Checkpointer {
    signal: Arc<Signal>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Signal {
    asked: Mutex<Asked>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct Asked {
    databases: BTreeSet<i32>,
    stopping: bool,
}

impl Checkpointer {
    /// Starts the thread. It ends with the server.
    pub(crate) fn start(server: &Arc<Server>) -> std::io::Result<()> {
        let (signal, weak) = (Arc::clone(&server.checkpointer.signal), Arc::downgrade(server));
        let spawned =
            std::thread::Builder::new().name("checkpointer".to_owned()).spawn(move || run(&signal, &weak))?;
        *server.checkpointer.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(spawned);
        Ok(())
    }

    /// Asks for a checkpoint of a database.
    pub(crate) fn ask(&self, database: i32) {
        if self.signal.lock().databases.insert(database) {
            self.signal.wake.notify_one();
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.signal.lock().stopping = true;
        self.signal.wake.notify_one();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The thread itself drops the server if it held the last reference; it cannot wait for itself.
        if let Some(thread) = thread.filter(|t| t.thread().id() != std::thread::current().id()) {
            // A panic was printed by the thread; there is nobody left to tell.
            drop(thread.join());
        }
    }
}

impl Signal {
    fn lock(&self) -> std::sync::MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until somebody asks, or a round is over; `None` to stop.
    fn wait(&self) -> Option<BTreeSet<i32>> {
        let asked = self.lock();
        let nothing = |a: &mut Asked| a.databases.is_empty() && !a.stopping;
        let (mut asked, _) =
            self.wake.wait_timeout_while(asked, ROUND, nothing).unwrap_or_else(PoisonError::into_inner);
        (!asked.stopping).then(|| std::mem::take(&mut asked.databases))
    }
}

fn run(signal: &Signal, server: &Weak<Server>) {
    let mut not_before: BTreeMap<i32, Instant> = BTreeMap::new();
    while let Some(asked) = signal.wait() {
        let Some(server) = server.upgrade() else { return };
        let now = Instant::now();
        not_before.retain(|_, until| *until > now);
        for database in server.databases() {
            let Ok(store) = database.store() else { continue };
            let due = if asked.is_empty() { store.needs_checkpoint() } else { asked.contains(&database.id) };
            if !due || not_before.contains_key(&database.id) {
                continue;
            }
            // An error that is final is the store's own state from then on; any other is met again at the next try. A secondary
            // may have to begin recovery where it did, and its WAL anew all the same.
            if !store.checkpoint().is_ok_and(|report| report.wal_moved) {
                not_before.insert(database.id, now + RETRY);
            }
        }
    }
}
