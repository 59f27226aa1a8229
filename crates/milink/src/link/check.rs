//! `milink check`: every requirement of a link, and what would mend it; with `--for failover`, every gate before a role change.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use milink_core::check::report;
use milink_core::check::{Readiness, blocks, blocks_creation, fixes, fleet, readiness};
use milink_core::finding::{Finding, Status};
use milink_core::observe::Observation;
use milink_core::script::sent;
use milink_core::spec::Link;
use serde::Serialize;

use super::changing::{self, PlanDocument};
use super::failover::link_of;
use super::session::{Common, Session, with};
use super::spec::SpecArguments;
use super::status::known;
use crate::exit::{Exit, Failure, NOTHING_CHANGED};
use crate::output::{Cell, Document, Table, Tone};

/// Flags of check.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    spec: SpecArguments,
    /// A link that exists: could it be failed over now?
    #[arg(value_name = "LINK", conflicts_with_all = ["name", "databases", "file"])]
    link: Option<String>,
    /// Show what is as it should be, too.
    #[arg(long)]
    all: bool,
    /// Do not try the endpoints from this machine. SQL Server writes a line into its error log for each stranger.
    #[arg(long)]
    no_probe: bool,
    /// The form of a report for other programs.
    #[arg(long, value_enum, value_name = "FORM")]
    report: Option<Report>,
    /// Mend what is safe to mend, after showing it.
    #[arg(long)]
    fix: bool,
    /// Do not ask before mending.
    #[arg(long, short)]
    yes: bool,
}

/// Reports for other programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Report {
    /// JUnit XML, as continuous integration reads it.
    Junit,
    /// SARIF 2.1.0.
    Sarif,
}

/// What was found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Findings {
    /// From 0 to 100, of a link that exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) score: Option<u32>,
    /// How many stop what is wanted.
    pub(crate) blocking: usize,
    /// What was looked at.
    pub(crate) findings: Vec<Finding>,
    /// Whether what is well is shown to people.
    #[serde(skip)]
    pub(crate) all: bool,
}

impl Document for Findings {
    const SCHEMA_VERSION: u32 = 1;

    fn table(&self) -> Table {
        let mut table = Table::new(["", "CHECK", "ABOUT", "SEEN", "WANTED", "MENDING"]);
        for f in &self.findings {
            if !self.all && matches!(f.status, Status::Pass | Status::Skipped) {
                continue;
            }
            let tone = match f.status {
                Status::Pass => Tone::Good,
                Status::Skipped => Tone::Faint,
                Status::Warning => Tone::Warning,
                Status::Unknown | Status::Failed => Tone::Bad,
            };
            let mending = f.fix.as_ref().map_or_else(String::new, |fix| {
                let actions: Vec<String> = fix.actions.iter().map(sent).collect();
                [vec![fix.advice.clone()], actions].concat().join("\n")
            });
            table.row([
                Cell::toned(f.status.to_string(), tone),
                Cell::from(f.check),
                Cell::from(f.subject.to_string()),
                Cell::from(f.seen.clone()),
                Cell::from(f.wanted.clone()),
                Cell::from(mending),
            ]);
        }
        let passed = self.findings.iter().filter(|f| f.status == Status::Pass).count();
        let mut sum = Table::pairs();
        sum.pair("passed", Cell::number(passed)).pair(
            "in the way",
            Cell::number(self.blocking).with(if self.blocking == 0 { Tone::Good } else { Tone::Bad }),
        );
        if let Some(score) = self.score {
            sum.pair("ready for a failover", format!("{score} of 100"));
        }
        table.or_say("Everything is as it should be.").and(sum)
    }
}

/// Runs it.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    with(&arguments.common, |session| check(session, arguments))
}

async fn check(session: Session, arguments: &Arguments) -> Result<(), Failure> {
    let mut seen = session.look().await;
    let links = match &arguments.link {
        Some(name) => {
            known(name, &seen)?;
            vec![link_of(&session, name, &seen)?]
        }
        None => arguments.spec.links(&session)?,
    };
    if !arguments.no_probe {
        session.probe(links.first(), &mut seen).await;
    }
    let (findings, score, blocking) = match (&arguments.link, links.first()) {
        (Some(_), Some(link)) => {
            let Readiness { score, findings, .. } = readiness(link, &seen);
            let blocking = findings.iter().filter(|f| blocks(f)).count();
            (findings, Some(score), blocking)
        }
        _ => {
            let findings = fleet(&links, &seen);
            let blocking = findings.iter().filter(|f| blocks_creation(f)).count();
            (findings, None, blocking)
        }
    };
    if arguments.fix {
        return mend(&session, &links, &findings, &seen, arguments.yes).await;
    }
    match arguments.report {
        Some(Report::Junit) => session.output.print(&report::junit(&findings))?,
        Some(Report::Sarif) => session.output.print(&format!("{:#}\n", report::sarif(&findings)))?,
        None => session.output.show(&Findings { score, blocking, findings, all: arguments.all })?,
    }
    if blocking == 0 { Ok(()) } else { Err(refused(blocking, "what was asked for cannot be done like this")) }
}

fn refused(count: usize, what: &str) -> Failure {
    Failure {
        code: Exit::Refused,
        what: format!("{count} of the checks are in the way: {what}"),
        where_: "the checks".to_owned(),
        now_true: NOTHING_CHANGED.to_owned(),
        next: "mend what the table names; milink check --fix mends what is safe to mend".to_owned(),
    }
}

/// Refuses a creation that the checks say cannot work.
///
/// # Errors
/// Something is in the way; it is printed.
pub(crate) fn before_creation(session: &Session, links: &[Link], seen: &Observation) -> Result<(), Failure> {
    let findings: Vec<Finding> = fleet(links, seen).into_iter().filter(blocks_creation).collect();
    stop_at(session, findings, "the link cannot be made like this")
}

/// Refuses where something is in the way.
///
/// # Errors
/// It is; it is printed.
pub(crate) fn stop_at(session: &Session, findings: Vec<Finding>, what: &str) -> Result<(), Failure> {
    if findings.is_empty() {
        return Ok(());
    }
    let blocking = findings.len();
    session.output.show(&Findings { score: None, blocking, findings, all: true })?;
    Err(refused(blocking, what))
}

async fn mend(
    session: &Session,
    links: &[Link],
    findings: &[Finding],
    seen: &Observation,
    yes: bool,
) -> Result<(), Failure> {
    let Some(link) = links.first() else { return Ok(()) };
    let plan = fixes(link, findings, seen);
    if plan.steps.is_empty() {
        for note in &plan.notes {
            session.output.note(note);
        }
        session.output.note("Nothing of it can be mended safely without you.");
        return Ok(());
    }
    session.output.show(&PlanDocument::of(plan.clone(), seen))?;
    changing::confirm(&session.output, yes, "Mend this?")?;
    // What is left to the user is said whether anything is mended or not.
    for note in &plan.notes {
        session.output.note(note);
    }
    let ended = changing::run_one(session, plan).await?;
    changing::failure(&ended.link, &ended.verdict).map_or(Ok(()), Err)
}
