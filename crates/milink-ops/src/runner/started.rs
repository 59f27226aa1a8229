//! A run whose link is taken: nobody else can run a plan for it until this ends.

use std::fmt;
use std::path::Path;

use milink_core::plan::Plan;
use milink_core::run::{Record, Recovered, Run, Verdict};
use tokio::sync::watch;

use crate::driver::{Hands, Told, drive};
use crate::journal::{Journal, JournalError, LinkLock, RunId, RunRecord};
use crate::sides::now;

/// Why a run is not begun or gone on with. Nothing was changed.
#[derive(Debug)]
pub enum NotStarted {
    /// The journal cannot be used, or another process has the link.
    Journal(JournalError),
    /// An earlier run of the link is not through: it must be resumed or taken back first.
    Open(Box<RunRecord>),
    /// No run of the link waits to be gone on with.
    NothingOpen {
        /// The link.
        link: String,
    },
}

impl fmt::Display for NotStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotStarted::Journal(e) => e.fmt(f),
            NotStarted::Open(run) => write!(f, "run {} of link {} is not through", run.id, run.link),
            NotStarted::NothingOpen { link } => write!(f, "no run of link {link} is open"),
        }
    }
}

impl std::error::Error for NotStarted {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            NotStarted::Journal(e) => Some(e),
            NotStarted::Open(_) | NotStarted::NothingOpen { .. } => None,
        }
    }
}

impl From<JournalError> for NotStarted {
    fn from(e: JournalError) -> NotStarted {
        NotStarted::Journal(e)
    }
}

/// A run that can be driven.
#[derive(Debug)]
pub struct Started {
    id: RunId,
    plan: Plan,
    recovered: Recovered,
    journal: Journal,
    _lock: LinkLock,
}

impl Started {
    /// Takes the plan's link and writes the run's beginning.
    ///
    /// # Errors
    /// Another run of the link is open or under way, or the journal cannot be used.
    pub fn begin(journal: &Path, plan: Plan) -> Result<Started, NotStarted> {
        let mut journal = Journal::open(journal)?;
        let lock = journal.lock(&plan.link.name)?;
        if let Some((run, _)) = journal.open_run(&plan.link.name)? {
            return Err(NotStarted::Open(Box::new(run)));
        }
        let id = journal.begin(&plan, now())?;
        Ok(Started { id, plan, recovered: Recovered::nothing(), journal, _lock: lock })
    }

    /// Takes the link of a run, and begins a plan in its place: its last entry is `ends`.
    pub(super) fn instead(
        journal: &Path,
        run: RunId,
        ends: &Record,
        plan: Plan,
    ) -> Result<Started, NotStarted> {
        let mut journal = Journal::open(journal)?;
        let lock = journal.lock(&plan.link.name)?;
        if let Some((open, _)) = journal.open_run(&plan.link.name)?
            && open.id != run
        {
            return Err(NotStarted::Open(Box::new(open)));
        }
        let id = journal.begin_instead(run, ends, &plan, now())?;
        Ok(Started { id, plan, recovered: Recovered::nothing(), journal, _lock: lock })
    }

    /// Takes a link whose newest run is not through.
    ///
    /// # Errors
    /// There is none, it is under way, or the journal cannot be used.
    pub fn resume(journal: &Path, link: &str) -> Result<Started, NotStarted> {
        let journal = Journal::open(journal)?;
        let lock = journal.lock(link)?;
        let (run, recovered) =
            journal.open_run(link)?.ok_or_else(|| NotStarted::NothingOpen { link: link.to_owned() })?;
        Ok(Started { id: run.id, plan: run.plan, recovered, journal, _lock: lock })
    }

    /// The run's number.
    pub fn id(&self) -> RunId {
        self.id
    }

    /// What is done.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The journal, which has what was done before.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Drives it to its end. `stop` asks it to end at the next safe place.
    ///
    /// # Errors
    /// The journal cannot be written; nothing was done that is not in it.
    pub async fn drive(
        mut self,
        hands: &(impl Hands + Sync),
        stop: watch::Receiver<bool>,
        tell: &mut (dyn FnMut(Told<'_>) + Send),
    ) -> Result<Verdict, JournalError> {
        let run = Run::new(self.plan, self.recovered);
        let mut keeper = self.journal.keeper(self.id);
        drive(run, hands, &mut keeper, stop, tell).await
    }
}
