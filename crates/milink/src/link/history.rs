//! `milink history`: what the journal has.

use std::process::ExitCode;

use clap::Args;
use milink_core::plan::Verb;
use milink_core::run::{Entry, Outcome, Verdict};
use milink_ops::journal::{Recorded, RunId, RunRecord};
use serde::Serialize;

use super::session::{Common, journal_at, journal_failure};
use crate::exit::Failure;
use crate::output::{Cell, Document, Output, Table, Tone};

/// Flags of history.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    common: Common,
    /// Only this link.
    #[arg(value_name = "LINK")]
    link: Option<String>,
    /// All entries of one run.
    #[arg(long, value_name = "RUN")]
    run: Option<i64>,
    /// See whether any entry was changed or taken out.
    #[arg(long)]
    verify: bool,
}

/// Runs, newest first.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Runs {
    runs: Vec<Line>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(flatten)]
    record: RunRecord,
    /// How it ended; `None` if it was interrupted.
    verdict: Option<Verdict>,
}

impl Document for Runs {
    const SCHEMA_VERSION: u32 = 1;

    fn table(&self) -> Table {
        let mut table = Table::new(["RUN", "LINK", "WHAT", "STARTED", "TOOK", "RESULT"]);
        for Line { record, verdict } in &self.runs {
            let took = record.ended.map(|e| format!("{:.1} s", e.ms_since(record.started) as f64 / 1000.0));
            table.row([
                Cell::number(record.id),
                Cell::from(record.link.clone()),
                Cell::from(verb(record.verb)),
                Cell::from(record.started.to_string()),
                took.map_or_else(|| Cell::from(""), Cell::number),
                result(verdict.as_ref()),
            ]);
        }
        table.or_say("No runs.")
    }
}

/// One run with its entries.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Entries {
    #[serde(flatten)]
    record: RunRecord,
    entries: Vec<Recorded>,
}

impl Document for Entries {
    const SCHEMA_VERSION: u32 = 1;

    fn table(&self) -> Table {
        let mut table = Table::new(["AT", "STEP", "WHAT"]);
        for recorded in &self.entries {
            let (step, what) = said(&recorded.record.entry);
            table.row([Cell::from(recorded.at.to_string()), Cell::from(step), what]);
        }
        table.under(format!(
            "Run {} of link {}: {}",
            self.record.id,
            self.record.link,
            verb(self.record.verb)
        ))
    }
}

/// That the journal is whole.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Whole {
    entries: usize,
}

impl Document for Whole {
    const SCHEMA_VERSION: u32 = 1;

    fn table(&self) -> Table {
        let mut table = Table::pairs();
        table.pair("entries", Cell::number(self.entries)).pair("journal", Cell::toned("whole", Tone::Good));
        table
    }
}

/// Runs it.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let output = Output::of(&arguments.common.output);
    output.end(history(&output, arguments))
}

/// NB: no connection is made. The journal is all that an auditor may have.
fn history(output: &Output, arguments: &Arguments) -> Result<(), Failure> {
    let journal = journal_at(arguments.common.journal.as_deref())?;
    let failed = |e| journal_failure(&e);
    if arguments.verify {
        return output.show(&Whole { entries: journal.verify().map_err(failed)? });
    }
    if let Some(run) = arguments.run {
        let record = journal.run(RunId(run)).map_err(failed)?;
        let entries = journal.entries(record.id).map_err(failed)?;
        return output.show(&Entries { record, entries });
    }
    let mut runs = Vec::new();
    for record in journal.runs(arguments.link.as_deref()).map_err(failed)? {
        let verdict = journal.recovered(record.id).map_err(failed)?.ended().cloned();
        runs.push(Line { record, verdict });
    }
    output.show(&Runs { runs })
}

fn verb(verb: Verb) -> String {
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
    .to_owned()
}

fn result(verdict: Option<&Verdict>) -> Cell {
    match verdict {
        None => Cell::toned("interrupted", Tone::Bad),
        Some(Verdict::Reached) => Cell::toned("reached", Tone::Good),
        Some(Verdict::Stopped { step, .. }) => Cell::toned(format!("stopped at {step}"), Tone::Bad),
        Some(Verdict::RolledBack { step, .. }) => {
            Cell::toned(format!("rolled back, {step} failed"), Tone::Warning)
        }
        Some(Verdict::Uncertain { step, .. }) => Cell::toned(format!("uncertain at {step}"), Tone::Bad),
    }
}

fn said(entry: &Entry) -> (String, Cell) {
    let way = |back: bool| if back { "take back: " } else { "" };
    match entry {
        Entry::Intent { step, back } => (step.clone(), Cell::from(format!("{}about to be done", way(*back)))),
        Entry::Outcome { step, back, outcome } => {
            let cell = match outcome {
                Outcome::Done => Cell::from(format!("{}done", way(*back))),
                // The operation's address is signed: it stays in the journal.
                Outcome::Started { .. } => Cell::from(format!("{}begun", way(*back))),
                Outcome::Refused { code, text } => Cell::toned(format!("refused: {code} {text}"), Tone::Bad),
                Outcome::Uncertain { why } => Cell::toned(format!("nobody knows: {why}"), Tone::Bad),
            };
            (step.clone(), cell)
        }
        Entry::Proved { step, back, seen } => {
            let seen = if seen.is_empty() { String::new() } else { format!(": {seen}") };
            (step.clone(), Cell::toned(format!("{}proved{seen}", way(*back)), Tone::Good))
        }
        Entry::Disproved { step, back, seen } => (
            step.clone(),
            Cell::toned(format!("{}not carried out after all: {seen}", way(*back)), Tone::Warning),
        ),
        Entry::RollingBack { step, why } => {
            (step.clone(), Cell::toned(format!("the former state is brought back: {why}"), Tone::Warning))
        }
        Entry::Ended { verdict } => (String::new(), result(Some(verdict))),
    }
}
