//! Availability groups and links between instances in processes of their own, driven by T-SQL as the documents have it.
//!
//! [`pair`] starts two instances and brings them to where most tests begin; [`client`] asks them; [`ledger`] writes under
//! load and remembers what was acknowledged.

mod certificates;
mod client;
mod commit_modes;
mod contents;
mod forks;
mod kills;
mod ledger;
mod pair;
mod preconditions;
mod replicas;
mod roles;
mod scripts;
mod secondary;
mod seeding;
mod server;
mod views;
mod wire_faults;

use std::time::{Duration, Instant};

pub(crate) use server::free_port;

/// How long something may take that should happen soon. Machines of CI are slow, and tests run beside each other.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// Waits until a probe succeeds; what it said last is what a failure says.
pub(crate) fn eventually<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Result<T, String>) -> T {
    let began = Instant::now();
    let mut pause = Duration::from_millis(5);
    loop {
        let last = match probe() {
            Ok(value) => return value,
            Err(last) => last,
        };
        assert!(began.elapsed() < limit, "{what}: not within {limit:?}; at last {last}");
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

/// Waits until something has a value.
pub(crate) fn until<T: PartialEq + std::fmt::Debug>(what: &str, wanted: &T, mut value: impl FnMut() -> T) {
    eventually(what, SOON, || {
        let found = value();
        if found == *wanted { Ok(()) } else { Err(format!("{found:?}, not {wanted:?}")) }
    });
}
