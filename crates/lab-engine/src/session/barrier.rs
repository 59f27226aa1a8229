//! What must be hardened, here and where it must be besides, before an answer may leave.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use lab_store::{Database as Store, Lsn};

use crate::error::SqlError;
use crate::server::Server;

/// For each database, the newest LSN that an answer depends on: written by it, or seen by it.
///
/// Shared by the session, which notes, and whoever carries its answers away, who waits.
#[derive(Debug, Clone)]
pub struct Barrier {
    server: Arc<Server>,
    waits: Arc<Mutex<Waits>>,
}

type Waits = BTreeMap<i32, (Arc<Store>, Lsn)>;

impl Barrier {
    pub(crate) fn new(server: Arc<Server>) -> Barrier {
        Barrier { server, waits: Arc::default() }
    }

    /// The answer depends on that much of the database's log.
    pub(crate) fn note(&self, database: i32, store: &Arc<Store>, lsn: Lsn) {
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = waits.entry(database).or_insert_with(|| (Arc::clone(store), lsn));
        if !Arc::ptr_eq(&entry.0, store) || entry.1 < lsn {
            *entry = (Arc::clone(store), lsn);
        }
    }

    /// Waits until all of it is hardened, and acknowledged by whoever has to.
    ///
    /// # Errors
    /// The log of a database has failed: the answer must not leave.
    pub fn wait(&self) -> Result<(), SqlError> {
        let waits = std::mem::take(&mut *self.waits.lock().unwrap_or_else(PoisonError::into_inner));
        waits.into_iter().try_for_each(|(id, (store, lsn))| {
            store.wait_committed(lsn).map_err(|e| SqlError::storage(&self.server.database_name(id), &e))
        })
    }

    /// Hardens what nobody else hardens just now; whether [`Barrier::wait`] would return at once.
    pub fn is_settled(&self) -> bool {
        let waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        waits.values().all(|(store, lsn)| store.is_committed_settled(*lsn))
    }

    /// Does something once all of it is hardened, or cannot be: now, or on the thread of whoever hardens the last of it.
    pub fn then(&self, departure: Box<dyn FnOnce(Result<(), SqlError>) + Send>) {
        let waits = std::mem::take(&mut *self.waits.lock().unwrap_or_else(PoisonError::into_inner));
        depart(Arc::downgrade(&self.server), waits.into_iter().collect(), departure);
    }
}

type Departure = Box<dyn FnOnce(Result<(), SqlError>) + Send>;

fn depart(server: Weak<Server>, mut waits: Vec<(i32, (Arc<Store>, Lsn))>, departure: Departure) {
    let Some((id, (store, lsn))) = waits.pop() else { return departure(Ok(())) };
    store.when_committed(
        lsn,
        Box::new(move |hardened| match hardened {
            Ok(()) => depart(server, waits, departure),
            Err(e) => {
                let name = server.upgrade().map(|s| s.database_name(id)).unwrap_or_default();
                departure(Err(SqlError::storage(&name, &e)));
            }
        }),
    );
}
