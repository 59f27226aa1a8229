//! How a running statement learns that its client has cancelled it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::Shared;

type Probe = Box<dyn FnMut() -> bool + Send>;

/// Asked now and then by whatever may take long: SQLite's virtual machine, a wait for a lock, WAITFOR.
#[derive(Clone)]
pub(crate) struct Interrupt {
    inner: Arc<Inner>,
}

struct Inner {
    probe: Mutex<Option<Probe>>,
    /// Once seen, a cancellation stays until the request is over.
    cancelled: AtomicBool,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Interrupt").finish_non_exhaustive()
    }
}

impl Interrupt {
    pub(crate) fn new(shared: Arc<Shared>) -> Interrupt {
        Interrupt {
            inner: Arc::new(Inner { probe: Mutex::new(None), cancelled: AtomicBool::new(false), shared }),
        }
    }

    pub(crate) fn set_probe(&self, probe: Probe) {
        *self.inner.probe.lock().unwrap_or_else(PoisonError::into_inner) = Some(probe);
    }

    /// A new request begins.
    pub(crate) fn clear(&self) {
        self.inner.cancelled.store(false, Ordering::Release);
    }

    /// Whether the request is to stop. Asks the client's socket.
    pub(crate) fn cancelled(&self) -> bool {
        if self.seen() {
            return true;
        }
        let asked = match self.inner.probe.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(probe) => probe(),
            None => false,
        };
        if asked || self.inner.shared.is_killed() {
            self.inner.cancelled.store(true, Ordering::Release);
        }
        self.seen()
    }

    /// Whether a cancellation was seen, without asking again.
    pub(crate) fn seen(&self) -> bool {
        self.inner.cancelled.load(Ordering::Acquire)
    }
}
