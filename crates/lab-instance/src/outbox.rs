//! Bytes on their way to a client: sent by its session, or by whoever hardens what they depend on.
//!
//! A session whose answer waits for the log leaves it here and reads its client's next request: the answer is sent by the
//! thread that has hardened the log, and no thread has to be woken for it.

use std::io::{self, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use lab_engine::Barrier;
use rustix::io::Errno;
use rustix::net::{SendFlags, send};

/// The way out of a connection. What is sent leaves in the order in which it was given.
pub(crate) struct Outbox {
    tcp: Arc<TcpStream>,
    state: Mutex<State>,
    departed: Condvar,
}

#[derive(Default)]
struct State {
    /// An answer waits for the log, or is being sent.
    departing: bool,
    broken: bool,
}

impl Outbox {
    pub(crate) fn new(tcp: Arc<TcpStream>) -> Outbox {
        Outbox { tcp, state: Mutex::default(), departed: Condvar::new() }
    }

    /// Sends bytes, after whatever is on its way.
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<()> {
        if self.free().broken {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        (&*self.tcp).write_all(bytes)
    }

    /// Sends bytes once what they depend on is hardened; never if it cannot be, and the connection is closed then.
    pub(crate) fn depart(self: &Arc<Outbox>, bytes: Vec<u8>, barrier: &Barrier) {
        self.free().departing = true;
        let outbox = Arc::clone(self);
        barrier.then(Box::new(move |hardened| match hardened {
            Ok(()) => outbox.deliver(bytes),
            Err(_) => outbox.gone(false),
        }));
    }

    /// The state once nothing is on its way.
    fn free(&self) -> MutexGuard<'_, State> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.departed.wait_while(state, |s| s.departing).unwrap_or_else(PoisonError::into_inner)
    }

    /// Called by whoever has hardened the log, who must not wait for a client that does not read.
    fn deliver(self: Arc<Outbox>, bytes: Vec<u8>) {
        let mut sent = 0;
        while let Some(rest) = bytes.get(sent..).filter(|r| !r.is_empty()) {
            match send(&self.tcp, rest, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(n) => sent += n,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    return self.deliver_slowly(bytes.get(sent..).unwrap_or_default().to_vec());
                }
                Err(_) => return self.gone(false),
            }
        }
        self.gone(true);
    }

    fn deliver_slowly(self: Arc<Outbox>, rest: Vec<u8>) {
        let outbox = Arc::clone(&self);
        let slow = move || outbox.gone((&*outbox.tcp).write_all(&rest).is_ok());
        if std::thread::Builder::new()
            .name("slow client".to_owned())
            .stack_size(64 << 10)
            .spawn(slow)
            .is_err()
        {
            self.gone(false);
        }
    }

    fn gone(&self, well: bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.departing = false;
        if !well {
            state.broken = true;
            // The session is told by the end of what it reads. A connection that is closed already is what is wanted.
            drop(self.tcp.shutdown(Shutdown::Both));
        }
        drop(state);
        self.departed.notify_all();
    }
}
