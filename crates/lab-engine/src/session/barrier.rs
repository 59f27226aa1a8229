//! What must be hardened before an answer may leave.

use std::collections::BTreeMap;
use std::sync::Arc;

use lab_store::{Database as Store, Lsn};

use crate::error::SqlError;

/// For each database, the newest LSN that the answer depends on: written by it, or seen by it.
#[derive(Debug, Default, Clone)]
pub(crate) struct Barrier {
    waits: BTreeMap<i32, (Arc<Store>, Lsn)>,
}

impl Barrier {
    /// The answer depends on that much of the database's log.
    pub(crate) fn note(&mut self, database: i32, store: &Arc<Store>, lsn: Lsn) {
        let entry = self.waits.entry(database).or_insert_with(|| (Arc::clone(store), lsn));
        if !Arc::ptr_eq(&entry.0, store) || entry.1 < lsn {
            *entry = (Arc::clone(store), lsn);
        }
    }

    /// Waits until all of it is hardened.
    pub(crate) fn wait(&mut self) -> Result<(), SqlError> {
        for (_, (store, lsn)) in std::mem::take(&mut self.waits) {
            store.wait_hardened(lsn).map_err(|e| SqlError::storage(&e))?;
        }
        Ok(())
    }
}
