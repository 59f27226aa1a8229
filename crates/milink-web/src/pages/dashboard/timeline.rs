//! What was done with a link: the runs of the journal, each with its steps, what they sent and what was answered.

use milink_core::moment::Moment;
use milink_core::plan::Verb;
use milink_core::run::{Picture, RunSummary, StepState, Verdict};
use milink_ops::journal::{Journal, JournalError};

use crate::pages::path;
use crate::pages::run::step_state;
use crate::state::Watched;

/// So many runs are shown, the newest first; `milink history` has all.
const RUNS_MAX: usize = 20;

/// A run.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) run: i64,
    pub(super) href: String,
    pub(super) what: &'static str,
    pub(super) started: String,
    pub(super) took: String,
    pub(super) result: String,
    pub(super) tone: &'static str,
    pub(super) picture: Picture,
}

impl Operation {
    /// A step's state as a badge: its tone and words, as on the run's own page.
    pub(super) fn badge(state: &StepState) -> (&'static str, &'static str) {
        step_state(*state)
    }
}

/// A link's runs. The journal is a file: it is read where waiting harms nobody.
///
/// # Errors
/// Why it cannot be read, for people.
pub(super) async fn of(watched: &Watched, link: &str) -> Result<Vec<Operation>, String> {
    let connected = watched.connected().ok_or("The context's connections are not ready yet.")?;
    let (context, link) = (watched.info.name.clone(), link.to_owned());
    let read = tokio::task::spawn_blocking(move || read(&connected.journal, &context, &link));
    match read.await {
        Ok(read) => read.map_err(|e| e.to_string()),
        Err(_) => Err("The journal could not be read.".to_owned()),
    }
}

/// The link's run that is not through, for the doctor.
///
/// # Errors
/// Why the journal cannot be read, for people.
pub(super) async fn open_run(watched: &Watched, link: &str) -> Result<Option<RunSummary>, String> {
    let connected = watched.connected().ok_or("The context's connections are not ready yet.")?;
    let link = link.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        let open = Journal::open(&connected.journal)?.open_run(&link)?;
        Ok::<_, JournalError>(open.map(|(run, recovered)| recovered.summary(&run.plan)))
    });
    match read.await {
        Ok(read) => read.map_err(|e| e.to_string()),
        Err(_) => Err("The journal could not be read.".to_owned()),
    }
}

fn read(journal: &std::path::Path, context: &str, link: &str) -> Result<Vec<Operation>, JournalError> {
    let journal = Journal::open(journal)?;
    let mut operations = Vec::new();
    for record in journal.runs(Some(link))?.into_iter().take(RUNS_MAX) {
        let entries: Vec<_> = journal.entries(record.id)?.into_iter().map(|r| (r.at, r.record)).collect();
        let picture = Picture::of_journal(&record.plan, &entries);
        let (tone, result) = result(picture.verdict.as_ref());
        operations.push(Operation {
            run: record.id.0,
            href: path(&["c", context, "runs", &record.id.0.to_string()]),
            what: verb(record.verb),
            started: record.started.to_string(),
            took: record.ended.map_or_else(|| "not ended".to_owned(), |ended| took(record.started, ended)),
            result,
            tone,
            picture,
        });
    }
    Ok(operations)
}

fn took(started: Moment, ended: Moment) -> String {
    format!("{:.1} s", ended.ms_since(started) as f64 / 1000.0)
}

/// What a run is called.
pub(super) fn verb(verb: Verb) -> &'static str {
    match verb {
        Verb::Create => "create",
        Verb::PlannedFailover => "planned failover",
        Verb::ForcedFailover => "forced failover",
        Verb::Repair => "repair",
        Verb::Drop => "drop",
        Verb::Undo => "undo",
        Verb::Fix => "fix",
        Verb::Purge => "purge",
    }
}

fn result(verdict: Option<&Verdict>) -> (&'static str, String) {
    match verdict {
        None => ("warning", "under way or interrupted".to_owned()),
        Some(Verdict::Reached) => ("good", "reached".to_owned()),
        Some(Verdict::Stopped { step, .. }) => ("bad", format!("stopped at {step}")),
        Some(Verdict::RolledBack { step, .. }) => ("warning", format!("rolled back, {step} failed")),
        Some(Verdict::Uncertain { step, .. }) => ("bad", format!("uncertain at {step}")),
    }
}
