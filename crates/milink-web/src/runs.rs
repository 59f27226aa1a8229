//! The runs of a context, as pages see them: one runner for all, the batches that wizards began, and followers for streams.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use milink_core::moment::Moment;
use milink_core::observe::Observation;
use milink_core::plan::{Plan, Verb};
use milink_core::run::Picture;
use milink_ops::journal::{Journal, JournalError, RunId, RunRecord};
use milink_ops::runner::{Batch, BatchState, Runner, Watched};
use milink_ops::sides::Sides;
use tokio::sync::watch;

use crate::wizard::Store;

/// Batches that are remembered; whatever is older is in the journal, run by run.
const BATCHES_MAX: usize = 256;

/// Looks that are asked for within so long are one.
const LOOK_SHARED: Duration = Duration::from_millis(500);

/// What this process drives for a context, and what its journal has.
#[derive(Debug)]
pub(crate) struct Runs {
    /// Who drives runs.
    pub(crate) runner: Runner,
    /// What wizards keep.
    pub(crate) drafts: Store,
    batches: Mutex<BTreeMap<String, Going>>,
    looked: tokio::sync::Mutex<Option<(Instant, Arc<Observation>)>>,
}

/// A batch that was begun here.
#[derive(Debug)]
struct Going {
    batch: watch::Receiver<Arc<Batch>>,
    stop: watch::Sender<bool>,
}

impl Runs {
    /// Of a journal.
    pub(crate) fn new(journal: &Path) -> Runs {
        Runs {
            runner: Runner::new(journal),
            drafts: Store::beside(journal),
            batches: Mutex::default(),
            looked: tokio::sync::Mutex::default(),
        }
    }

    /// A look at everything, as before each change: what was changed a moment ago is in it. Who asks at the same time shares one.
    pub(crate) async fn look(&self, sides: &Sides) -> Arc<Observation> {
        // NB: held while it is looked: who comes second waits for the first one's look instead of making another.
        let mut looked = self.looked.lock().await;
        if let Some((_, seen)) = looked.as_ref().filter(|(at, _)| at.elapsed() < LOOK_SHARED) {
            return Arc::clone(seen);
        }
        let seen = Arc::new(Box::pin(sides.look()).await);
        *looked = Some((Instant::now(), Arc::clone(&seen)));
        seen
    }

    /// Begins many plans under a name, or goes on with those that are open; whether it did: a batch of that name may be under way. There must
    /// be a runtime.
    pub(crate) fn begin_all(&self, name: &str, sides: &Sides, plans: Vec<Plan>, parallel: usize) -> bool {
        let mut batches = self.lock();
        if batches.get(name).is_some_and(|going| !going.batch.borrow().over) {
            return false;
        }
        let (stop, stopping) = watch::channel(false);
        let batch = self.runner.begin_all(sides, plans, parallel, stopping);
        if batches.len() >= BATCHES_MAX {
            batches.retain(|_, going| !going.batch.borrow().over);
        }
        batches.insert(name.to_owned(), Going { batch, stop });
        true
    }

    /// Asks a batch to begin no more, and its runs to end at the next safe place; whether it is under way here.
    pub(crate) fn stop_all(&self, name: &str) -> bool {
        self.lock().get(name).is_some_and(|going| !going.batch.borrow().over && going.stop.send(true).is_ok())
    }

    /// A batch that was begun here.
    pub(crate) fn batch(&self, name: &str) -> Option<Arc<Batch>> {
        self.lock().get(name).map(|going| Arc::clone(&going.batch.borrow()))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Going>> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which runs are followed.
#[derive(Debug, Clone)]
pub(crate) enum Wanted {
    /// One of them.
    Run(RunId),
    /// For each link, the run that makes it: the one of a batch, or the newest since a moment.
    Links {
        /// The batch's name.
        batch: String,
        /// The links.
        links: Vec<String>,
        /// No run before that is meant.
        since: Moment,
    },
}

/// A link whose run is followed.
#[derive(Debug)]
pub(crate) struct Followed {
    /// The link.
    pub(crate) link: String,
    /// Why no run was begun, if somebody tried.
    pub(crate) refused: Option<String>,
    /// Its run.
    pub(crate) run: Option<OneRun>,
}

/// A run that is followed.
#[derive(Debug)]
pub(crate) struct OneRun {
    watched: Watched,
    /// Whether it waits to be gone on with or taken back.
    pub(crate) open: bool,
    settled: bool,
}

impl OneRun {
    fn of(runs: &Runs, run: RunId) -> Result<OneRun, JournalError> {
        let mut one = OneRun { watched: runs.runner.watch(run)?, open: false, settled: false };
        one.settle(runs)?;
        Ok(one)
    }

    /// What the journal says of the run.
    pub(crate) fn record(&self) -> &RunRecord {
        &self.watched.record
    }

    /// Its newest picture.
    pub(crate) fn picture(&self) -> Arc<Picture> {
        Arc::clone(&self.watched.pictures.borrow())
    }

    /// Whether this process drives it.
    pub(crate) fn is_live(&self) -> bool {
        // Its sender goes when it ends.
        self.watched.under_way
            && self.watched.pictures.has_changed().is_ok()
            && self.watched.pictures.borrow().verdict.is_none()
    }

    /// Once it is over it is asked, once, whether something is left to be done.
    fn settle(&mut self, runs: &Runs) -> Result<(), JournalError> {
        if !self.settled && !self.is_live() {
            let open = Journal::open(runs.runner.journal())?.open_run(&self.watched.record.link)?;
            self.open = open.is_some_and(|(run, _)| run.id == self.watched.record.id);
            self.settled = true;
        }
        Ok(())
    }
}

/// Follows runs. It reads files: not for where nothing may block.
#[derive(Debug)]
pub(crate) struct Follow {
    wanted: Wanted,
    /// The links, in their order.
    pub(crate) links: Vec<Followed>,
}

impl Follow {
    /// Begins to follow.
    ///
    /// # Errors
    /// There is no such run, or the journal cannot be read.
    pub(crate) fn new(runs: &Runs, wanted: Wanted) -> Result<Follow, JournalError> {
        let links = match &wanted {
            Wanted::Run(run) => {
                let run = OneRun::of(runs, *run)?;
                vec![Followed { link: run.record().link.clone(), refused: None, run: Some(run) }]
            }
            Wanted::Links { links, .. } => {
                links.iter().map(|l| Followed { link: l.clone(), refused: None, run: None }).collect()
            }
        };
        let mut follow = Follow { wanted, links };
        follow.refresh(runs)?;
        Ok(follow)
    }

    /// Takes what is new: runs that were begun, and runs that ended.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub(crate) fn refresh(&mut self, runs: &Runs) -> Result<(), JournalError> {
        for place in 0..self.links.len() {
            let (run, refused) = self.run_of(runs, place)?;
            let followed = &mut self.links[place];
            followed.refused = refused;
            let Some(run) = run else { continue };
            let stays = followed.run.as_ref().is_some_and(|held| {
                // One that was over may have been gone on with.
                held.record().id == run && (held.is_live() || runs.runner.under_way(&followed.link).is_none())
            });
            match (&mut followed.run, stays) {
                (Some(held), true) => held.settle(runs)?,
                (held, _) => *held = Some(OneRun::of(runs, run)?),
            }
        }
        Ok(())
    }

    /// Whether a run is under way here, or will be begun.
    pub(crate) fn is_live(&self, runs: &Runs) -> bool {
        let batch = match &self.wanted {
            Wanted::Run(_) => None,
            Wanted::Links { batch, .. } => runs.batch(batch),
        };
        batch.is_some_and(|b| !b.over)
            || self.links.iter().any(|l| l.run.as_ref().is_some_and(OneRun::is_live))
    }

    /// The run of a link, and why there is none if somebody tried.
    fn run_of(&self, runs: &Runs, place: usize) -> Result<(Option<RunId>, Option<String>), JournalError> {
        let (batch, since) = match &self.wanted {
            Wanted::Run(run) => return Ok((Some(*run), None)),
            Wanted::Links { batch, since, .. } => (runs.batch(batch), *since),
        };
        let link = &self.links[place].link;
        let state = batch.as_ref().and_then(|b| b.links.iter().find(|l| l.link == *link)).map(|l| &l.state);
        match state {
            Some(BatchState::UnderWay(run) | BatchState::Ended(run, _)) => return Ok((Some(*run), None)),
            Some(BatchState::NotStarted(why)) => return Ok((None, Some(why.clone()))),
            Some(BatchState::Waits) | None => {}
        }
        if let Some(held) = &self.links[place].run {
            return Ok((Some(held.record().id), None));
        }
        let all = Journal::open(runs.runner.journal())?.runs(Some(link))?;
        let newest = all.into_iter().find(|r| r.verb == Verb::Create && r.started >= since);
        Ok((newest.map(|r| r.id), None))
    }
}
