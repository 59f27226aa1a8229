//! Runs that go on by themselves while many watch them, or nobody: what a server does for its browsers.
//!
//! A run belongs to its journal, not to who watches it. When the process ends in the middle, the journal has all that is needed to go on.

mod batch;
mod started;
mod taking_back;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use milink_core::moment::Moment;
use milink_core::plan::Plan;
use milink_core::run::{Next, Picture, Record, Verdict};
use tokio::sync::watch;

pub use batch::{Batch, BatchLink, BatchState};
pub use started::{NotStarted, Started};

use crate::driver::Told;
use crate::journal::{Journal, JournalError, RunId, RunRecord};
use crate::sides::{Sides, now};

/// Runs of one journal that this process drives.
#[derive(Debug, Clone)]
pub struct Runner {
    journal: PathBuf,
    live: Arc<Mutex<BTreeMap<RunId, Live>>>,
}

/// A run that is under way here.
#[derive(Debug, Clone)]
struct Live {
    link: String,
    pictures: watch::Receiver<Arc<Picture>>,
    stop: watch::Sender<bool>,
}

/// A run that is watched: what it is, and its newest picture.
#[derive(Debug, Clone)]
pub struct Watched {
    /// The run.
    pub record: RunRecord,
    /// Whether this process drives it now. If not, and there is no verdict, it waits to be resumed or somebody else drives it.
    pub under_way: bool,
    /// Its pictures; no new one comes when it is not under way.
    pub pictures: watch::Receiver<Arc<Picture>>,
}

impl Runner {
    /// For the runs of a journal.
    pub fn new(journal: &Path) -> Runner {
        Runner { journal: journal.to_owned(), live: Arc::default() }
    }

    /// The journal.
    pub fn journal(&self) -> &Path {
        &self.journal
    }

    /// Begins a plan, and lets it go on by itself. There must be a runtime.
    ///
    /// # Errors
    /// Another run of the link is open or under way, or the journal cannot be used.
    pub fn begin(&self, sides: &Sides, plan: Plan) -> Result<RunId, NotStarted> {
        let picture = Picture::of(&plan);
        Ok(self.go(sides, Started::begin(&self.journal, plan)?, picture).0)
    }

    /// Goes on with a link's run that is not through. There must be a runtime.
    ///
    /// # Errors
    /// There is none, it is under way, or the journal cannot be used.
    pub fn resume(&self, sides: &Sides, link: &str) -> Result<RunId, NotStarted> {
        let started = Started::resume(&self.journal, link)?;
        let picture = picture_of(started.journal(), started.id(), started.plan())?;
        Ok(self.go(sides, started, Picture { verdict: None, ..picture }).0)
    }

    /// Asks a run to end at the next safe place; whether it is under way here.
    pub fn stop(&self, run: RunId) -> bool {
        self.lock().get(&run).is_some_and(|live| live.stop.send(true).is_ok())
    }

    /// The run of a link that is under way here.
    pub fn under_way(&self, link: &str) -> Option<RunId> {
        self.lock().iter().find(|(_, live)| live.link == link).map(|(id, _)| *id)
    }

    /// A run's pictures, from now on or as the journal has them.
    ///
    /// # Errors
    /// There is no such run, or the journal cannot be read.
    pub fn watch(&self, run: RunId) -> Result<Watched, JournalError> {
        let live = self.lock().get(&run).cloned();
        let journal = Journal::open(&self.journal)?;
        let record = journal.run(run)?;
        match live {
            Some(live) => Ok(Watched { record, under_way: true, pictures: live.pictures }),
            None => {
                let picture = picture_of(&journal, run, &record.plan)?;
                let (_, pictures) = watch::channel(Arc::new(picture));
                Ok(Watched { record, under_way: false, pictures })
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RunId, Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drives a run in a task of its own. What is answered second says its verdict when it ends.
    fn go(
        &self,
        sides: &Sides,
        started: Started,
        picture: Picture,
    ) -> (RunId, tokio::task::JoinHandle<Verdict>) {
        let id = started.id();
        let (send, pictures) = watch::channel(Arc::new(picture.clone()));
        let (stop, stopping) = watch::channel(false);
        self.lock().insert(id, Live { link: started.plan().link.name.clone(), pictures, stop });
        let (runner, sides) = (self.clone(), sides.clone());
        let task = tokio::spawn(async move {
            let mut picture = picture;
            let link = picture.link.clone();
            let mut tell = |told: Told<'_>| {
                match told {
                    Told::Progress(progress) => picture.tell(now(), progress),
                    Told::Seen(seen) => picture.see(seen),
                }
                send.send_replace(Arc::new(picture.clone()));
            };
            let verdict = match Box::pin(started.drive(&sides, stopping, &mut tell)).await {
                Ok(verdict) => verdict,
                Err(e) => unwritten(&link, &e),
            };
            picture.end(now(), &verdict);
            send.send_replace(Arc::new(picture));
            runner.lock().remove(&id);
            verdict
        });
        (id, task)
    }
}

/// The journal could not be written: the run ends there, and what it was about to do was not done.
fn unwritten(link: &str, e: &JournalError) -> Verdict {
    Verdict::Stopped {
        step: String::new(),
        why: e.to_string(),
        now_true: vec!["nothing was done that is not in the journal".to_owned()],
        next: Next::new(format!("milink resume {link}"), "once the journal can be written"),
    }
}

fn picture_of(journal: &Journal, run: RunId, plan: &Plan) -> Result<Picture, JournalError> {
    let entries = journal.entries(run)?.into_iter().map(|r| (r.at, r.record));
    let records: Vec<(Moment, Record)> = entries.collect();
    Ok(Picture::of_journal(plan, &records))
}

#[cfg(test)]
mod tests;
