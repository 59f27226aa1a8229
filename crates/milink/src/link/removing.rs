//! `milink drop`, `undo`, `adopt` and `purge`: links that go, and links that somebody else made.

use std::process::ExitCode;

use clap::Args;
use milink_core::moment::Moment;
use milink_core::plan::{DropOptions, Plan, Purge, UndoOptions, Verb, adopt, adoptable, drop, purge, undo};
use milink_core::run::{Entry, JOURNAL_VERSION, Record, Verdict};
use milink_core::spec::Link;
use milink_ops::journal::Journal;
use milink_ops::sides::now;
use serde::Serialize;

use super::changing::{self, Ended, PlanDocument};
use super::failover::{cannot, link_of};
use super::session::{Common, Session, journal_failure, with};
use super::status::known;
use crate::exit::{Exit, Failure, NOTHING_CHANGED};
use crate::output::{Cell, Document, Table, Tone};

/// Flags of drop.
#[derive(Debug, Args)]
pub(crate) struct DropArguments {
    #[command(flatten)]
    common: Common,
    /// The link.
    #[arg(value_name = "LINK")]
    link: String,
    /// Leave SQL Server's availability group.
    #[arg(long)]
    keep_group: bool,
    /// Leave certificates and the endpoint.
    #[arg(long)]
    keep_trust: bool,
    /// Delete the secondary's copy of the database too.
    #[arg(long)]
    delete_copy: bool,
    /// Remove it although the sides are not equal, or one of them does not answer.
    #[arg(long)]
    force: bool,
    /// Show what would be done, and change nothing.
    #[arg(long)]
    what_if: bool,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
}

/// Flags of undo.
#[derive(Debug, Args)]
pub(crate) struct UndoArguments {
    #[command(flatten)]
    common: Common,
    /// The link.
    #[arg(value_name = "LINK")]
    link: String,
    /// Show what would be done, and change nothing.
    #[arg(long)]
    what_if: bool,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
}

/// Flags of adopt.
#[derive(Debug, Args)]
pub(crate) struct AdoptArguments {
    #[command(flatten)]
    common: Common,
    /// The link; all that can be seen, unless said.
    #[arg(value_name = "LINK")]
    link: Option<String>,
}

/// Flags of purge.
#[derive(Debug, Args)]
pub(crate) struct PurgeArguments {
    #[command(flatten)]
    common: Common,
    /// Show what is left over, and change nothing.
    #[arg(long)]
    what_if: bool,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
}

impl Document for Ended {
    const SCHEMA_VERSION: u32 = 1;

    fn table(&self) -> Table {
        let took = self.ended.ms_since(self.started) as f64 / 1000.0;
        let mut table = Table::pairs();
        table
            .pair("link", self.link.clone())
            .pair("result", Cell::toned("done", Tone::Good))
            .pair("took", format!("{took:.1} s"))
            .pair("run", self.run.to_string());
        table
    }
}

/// Shows a plan, asks, and runs it.
async fn carry_out(
    session: &Session,
    plan: Plan,
    what_if: bool,
    yes: bool,
    question: &str,
) -> Result<(), Failure> {
    let seen = session.look().await;
    let document = PlanDocument::of(plan.clone(), &seen);
    if what_if {
        return session.output.show(&document);
    }
    if !yes && session.output.is_for_people() {
        session.output.show(&document)?;
    }
    changing::confirm(&session.output, yes, question)?;
    for note in &plan.notes {
        session.output.note(note);
    }
    let ended = changing::run_one(session, plan).await?;
    match changing::failure(&ended.link, &ended.verdict) {
        None => session.output.show(&ended),
        Some(failure) => Err(failure),
    }
}

/// Removes a link.
pub(crate) fn run_drop(arguments: &DropArguments) -> ExitCode {
    with(&arguments.common, |session| async move {
        let seen = session.look().await;
        known(&arguments.link, &seen)?;
        let link = link_of(&session, &arguments.link, &seen)?;
        let options = DropOptions {
            keep_group: arguments.keep_group,
            clean_trust: !arguments.keep_trust,
            delete_copy: arguments.delete_copy,
            force: arguments.force,
        };
        let plan = drop(&link, &seen, options).map_err(|e| cannot(&link.name, &e))?;
        carry_out(&session, plan, arguments.what_if, arguments.yes, &format!("Remove link {}?", link.name))
            .await
    })
}

/// Takes back what a run has done that did not reach its goal.
pub(crate) fn run_undo(arguments: &UndoArguments) -> ExitCode {
    with(&arguments.common, |session| take_back(session, arguments))
}

async fn take_back(session: Session, arguments: &UndoArguments) -> Result<(), Failure> {
    let journal = session.journal()?;
    let open = journal.open_run(&arguments.link).map_err(|e| journal_failure(&e))?;
    let run = match open {
        Some((run, _)) => run,
        None => journal
            .runs(Some(&arguments.link))
            .map_err(|e| journal_failure(&e))?
            .into_iter()
            .next()
            .ok_or_else(|| {
                Failure::not_found(
                    format!("the journal has no run of link {}", arguments.link),
                    format!("the journal {}", journal.path().display()),
                    "milink history shows the runs that there are".to_owned(),
                )
            })?,
    };
    let seen = session.look().await;
    let plan = undo(&run.plan, &seen, UndoOptions::default()).map_err(|e| cannot(&arguments.link, &e))?;
    let document = PlanDocument::of(plan.clone(), &seen);
    if arguments.what_if {
        return session.output.show(&document);
    }
    if !arguments.yes && session.output.is_for_people() {
        session.output.show(&document)?;
    }
    changing::confirm(&session.output, arguments.yes, &format!("Take back run {}?", run.id))?;
    for note in &plan.notes {
        session.output.note(note);
    }
    // What is taken back cannot be gone on with.
    let verdict = Verdict::RolledBack {
        step: String::new(),
        why: "milink undo takes it back".to_owned(),
        undone: Vec::new(),
        now_true: Vec::new(),
        next: milink_core::run::Next::new(format!("milink doctor {}", arguments.link), "it was taken back"),
    };
    let ended = changing::run_instead(&session, &run, &ending(verdict), plan).await?;
    match changing::failure(&ended.link, &ended.verdict) {
        None => session.output.show(&ended),
        Some(failure) => Err(failure),
    }
}

fn ending(verdict: Verdict) -> Record {
    let entry = Entry::Ended { verdict: Box::new(verdict) };
    Record { version: JOURNAL_VERSION, at: Some(now()), entry }
}

fn note_end(journal: &mut Journal, run: milink_ops::journal::RunId, verdict: Verdict) -> Result<(), Failure> {
    journal.append(run, now(), &ending(verdict)).map_err(|e| journal_failure(&e))
}

/// Links that were taken into the journal.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Adopted {
    at: Moment,
    links: Vec<Link>,
    /// Those that could not be, and why.
    refused: Vec<(String, String)>,
}

impl Document for Adopted {
    const SCHEMA_VERSION: u32 = 1;

    fn table(&self) -> Table {
        let mut table = Table::new(["LINK", "RESULT", "DATABASES", "GROUPS"]);
        for link in &self.links {
            table.row([
                Cell::from(link.name.clone()),
                Cell::toned("adopted", Tone::Good),
                Cell::from(link.databases.join(", ")),
                Cell::from(format!("{} and {}", link.sql_group, link.managed_group)),
            ]);
        }
        for (link, why) in &self.refused {
            table.row([
                Cell::from(link.clone()),
                Cell::toned(why.clone(), Tone::Bad),
                Cell::from(""),
                Cell::from(""),
            ]);
        }
        table.or_say("No links.")
    }
}

/// Writes a journal for links that somebody else made.
pub(crate) fn run_adopt(arguments: &AdoptArguments) -> ExitCode {
    with(&arguments.common, |session| async move {
        let seen = session.look().await;
        let found = match &arguments.link {
            Some(name) => {
                known(name, &seen)?;
                vec![(name.clone(), adopt(name, &seen))]
            }
            None => adoptable(&seen).map_err(|e| cannot("", &e))?,
        };
        let mut journal = session.journal()?;
        let (mut links, mut refused) = (Vec::new(), Vec::new());
        for (name, link) in found {
            match link {
                Ok(link) => {
                    let plan =
                        Plan { verb: Verb::Create, link: link.clone(), steps: Vec::new(), notes: Vec::new() };
                    let run = journal.begin(&plan, now()).map_err(|e| journal_failure(&e))?;
                    note_end(&mut journal, run, Verdict::Reached)?;
                    links.push(link);
                }
                Err(e) => refused.push((name, e.to_string())),
            }
        }
        let failed = !refused.is_empty() && links.is_empty();
        session.output.show(&Adopted { at: now(), links, refused })?;
        if failed {
            return Err(Failure {
                code: Exit::Refused,
                what: "no link could be adopted".to_owned(),
                where_: "both sides and Azure".to_owned(),
                now_true: NOTHING_CHANGED.to_owned(),
                next: "milink doctor LINK says what is wrong with one".to_owned(),
            });
        }
        Ok(())
    })
}

/// Removes what is left over of links.
pub(crate) fn run_purge(arguments: &PurgeArguments) -> ExitCode {
    with(&arguments.common, |session| async move {
        let seen = session.look().await;
        let Purge { plan, .. } = purge(&seen).map_err(|e| cannot("", &e))?;
        if plan.steps.is_empty() {
            for note in &plan.notes {
                session.output.note(note);
            }
            session.output.note("Nothing is left over.");
            return Ok(());
        }
        carry_out(&session, plan, arguments.what_if, arguments.yes, "Remove what is left over?").await
    })
}
