//! Who waits for a position of the log, and what is done for them then.

use std::collections::BTreeMap;
use std::thread::Thread;

use crate::{Lsn, StoreError};

/// What is done once a position is reached, or never will be. It is run by whoever reaches it: it must not take long.
pub type Departure = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

pub(crate) enum Waiter {
    Asleep(Thread),
    Gone(Departure),
}

impl Waiter {
    pub(crate) fn served(self, result: Result<(), StoreError>) {
        match self {
            // It looks for itself what has become of its position.
            Waiter::Asleep(thread) => thread.unpark(),
            Waiter::Gone(departure) => departure(result),
        }
    }
}

/// A waiter's place: its position, and a number that tells those apart who wait for the same.
pub(crate) type Place = (Lsn, u64);

/// All who wait, by what they wait for.
#[derive(Default)]
pub(crate) struct Waiters {
    places: BTreeMap<Place, Waiter>,
    next: u64,
}

impl Waiters {
    pub(crate) fn enter(&mut self, lsn: Lsn, waiter: Waiter) -> Place {
        let place = (lsn, self.next);
        self.next += 1;
        self.places.insert(place, waiter);
        place
    }

    pub(crate) fn leave(&mut self, place: Place) {
        self.places.remove(&place);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Those who wait for `lsn` or less.
    pub(crate) fn take_up_to(&mut self, lsn: Lsn) -> Vec<Waiter> {
        let later = match lsn.0.checked_add(1) {
            Some(behind) => self.places.split_off(&(Lsn(behind), 0)),
            None => BTreeMap::new(),
        };
        std::mem::replace(&mut self.places, later).into_values().collect()
    }

    pub(crate) fn take_all(&mut self) -> Vec<Waiter> {
        std::mem::take(&mut self.places).into_values().collect()
    }
}
