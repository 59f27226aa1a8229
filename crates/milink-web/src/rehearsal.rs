//! A place to rehearse in, where things can be broken on purpose. This crate knows of none: whoever starts the server may hand one over.

use async_trait::async_trait;
use milink_core::drill::{Injected, Ledger};
use milink_core::moment::Moment;
use milink_ops::sides::now;
use std::sync::{Arc, Mutex, PoisonError};

/// So much of what was broken and mended is kept.
const INJECTED_MAX: usize = 1000;

/// Something that can be broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// By which it is asked for.
    pub name: String,
    /// On its button.
    pub title: String,
    /// What it does.
    pub about: String,
    /// Under which heading it is shown; those of one group follow each other.
    pub group: String,
}

/// How much is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workload {
    /// Commits a second.
    pub rate: u32,
    /// Connections that write.
    pub connections: u32,
}

/// How far a workload is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DrillState {
    /// It writes.
    Writing,
    /// Nobody writes any more, and both sides are counted.
    Counting,
    /// Everything is counted.
    Ended,
    /// It came to nothing: why.
    Failed(String),
}

/// The newest workload with its ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct Drill {
    /// How far it is.
    pub state: DrillState,
    /// When it began.
    pub began: Moment,
    /// When the writers ended.
    pub ended: Option<Moment>,
    /// What was counted so far.
    pub ledger: Ledger,
}

/// Such a place.
#[async_trait]
pub trait Rehearsal: Send + Sync + 'static {
    /// All that can be broken.
    fn faults(&self) -> Vec<Fault>;

    /// What is broken now.
    ///
    /// # Errors
    /// The place does not answer: why.
    async fn in_force(&self) -> Result<Vec<String>, String>;

    /// Breaks something.
    ///
    /// # Errors
    /// It is not one of [`Rehearsal::faults`], or does not apply.
    async fn apply(&self, fault: &str) -> Result<(), String>;

    /// Mends everything.
    ///
    /// # Errors
    /// It could not be mended.
    async fn clear(&self) -> Result<(), String>;

    /// Begins to write.
    ///
    /// # Errors
    /// Somebody writes already, or nothing can be written.
    async fn start(&self, workload: Workload) -> Result<(), String>;

    /// Ends the writing; both sides are counted then.
    ///
    /// # Errors
    /// Nobody writes.
    async fn stop(&self) -> Result<(), String>;

    /// The newest workload.
    fn drill(&self) -> Option<Drill>;
}

/// A place with what was broken and mended in it through this server.
pub(crate) struct Rehearsing {
    pub(crate) place: Arc<dyn Rehearsal>,
    injected: Mutex<Vec<Injected>>,
}

impl Rehearsing {
    /// Of a place.
    pub(crate) fn new(place: Arc<dyn Rehearsal>) -> Rehearsing {
        Rehearsing { place, injected: Mutex::default() }
    }

    /// Remembers that something was done.
    pub(crate) fn note(&self, what: String) {
        let mut injected = self.injected.lock().unwrap_or_else(PoisonError::into_inner);
        if injected.len() == INJECTED_MAX {
            injected.remove(0);
        }
        injected.push(Injected { at: now(), what });
    }

    /// What was done between two moments.
    pub(crate) fn injected(&self, began: Moment, ended: Moment) -> Vec<Injected> {
        let injected = self.injected.lock().unwrap_or_else(PoisonError::into_inner);
        injected.iter().filter(|i| (began..=ended).contains(&i.at)).cloned().collect()
    }
}
