//! `milink create` and `milink plan`.

use std::process::ExitCode;

use clap::Args;
use milink_core::fleet::Waves;
use milink_core::plan::{Plan, create as planned};
use milink_ops::sides::now;
use serde::Serialize;
use tokio::task::JoinSet;

use super::changing::{self, Ended, PlanDocument, Screen};
use super::check;
use super::session::{Common, Session, journal_failure, with};
use super::spec::SpecArguments;
use crate::exit::{Exit, Failure, NOTHING_CHANGED};
use crate::output::{Cell, Document, Table, Tone};

/// Flags of create and plan.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    spec: SpecArguments,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
    /// Look and check, show what would be done, and change nothing.
    #[arg(long)]
    what_if: bool,
    /// How many links are made at once.
    #[arg(long, value_name = "N", default_value_t = 4)]
    parallel: usize,
    /// Make all at once, without a first one that is waited for.
    #[arg(long)]
    no_canary: bool,
    /// Go on with the others if one fails.
    #[arg(long)]
    keep_going: bool,
}

/// Several plans.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Plans {
    plans: Vec<PlanDocument>,
}

impl Document for Plans {
    const SCHEMA_VERSION: u32 = 1;

    fn table(&self) -> Table {
        let mut tables = self.plans.iter().map(Document::table);
        let first = tables.next().unwrap_or_else(|| Table::new(["PLAN"]));
        tables.fold(first, Table::and)
    }
}

/// What became of several links.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Results {
    links: Vec<Ended>,
    /// Links that were not begun.
    left: Vec<String>,
}

impl Document for Results {
    const SCHEMA_VERSION: u32 = 1;

    fn table(&self) -> Table {
        let mut table = Table::new(["LINK", "RESULT", "TOOK", "RUN"]);
        for ended in &self.links {
            let result = match changing::failure(&ended.link, &ended.verdict) {
                None => Cell::toned("made", Tone::Good),
                Some(failure) => Cell::toned(failure.what, Tone::Bad),
            };
            let took = ended.ended.ms_since(ended.started) as f64 / 1000.0;
            table.row([
                Cell::from(ended.link.clone()),
                result,
                Cell::number(format!("{took:.1} s")),
                Cell::number(ended.run),
            ]);
        }
        for link in &self.left {
            table.row([
                Cell::from(link.clone()),
                Cell::toned("not begun", Tone::Warning),
                Cell::from(""),
                Cell::from(""),
            ]);
        }
        table
    }
}

/// Runs it.
pub(crate) fn run(arguments: &Arguments, only_plan: bool) -> ExitCode {
    with(&arguments.common, |session| make(session, arguments, only_plan))
}

async fn make(session: Session, arguments: &Arguments, only_plan: bool) -> Result<(), Failure> {
    let links = arguments.spec.links(&session)?;
    session.settings.sql_server()?;
    session.settings.azure()?;
    let seen = session.look().await;
    let mut plans = Vec::new();
    for link in &links {
        plans.push(planned(link, &seen, now()).map_err(|e| Failure {
            code: Exit::Refused,
            what: format!("link {} cannot be made: {e}", link.name),
            where_: "the plan".to_owned(),
            now_true: NOTHING_CHANGED.to_owned(),
            next: "milink check says what is missing, and how it is mended".to_owned(),
        })?);
    }
    if !only_plan {
        check::before_creation(&session, &links, &seen)?;
    }
    let document = Plans { plans: plans.iter().map(|p| PlanDocument::of(p.clone(), &seen)).collect() };
    if only_plan || arguments.what_if {
        return session.output.show(&document);
    }
    if !arguments.yes && session.output.is_for_people() {
        session.output.show(&document)?;
    }
    let question = match plans.as_slice() {
        [one] => format!("Make link {}?", one.link.name),
        several => format!("Make {} links?", several.len()),
    };
    changing::confirm(&session.output, arguments.yes, &question)?;
    let results = waves(&session, plans, arguments).await?;
    session.output.show(&results)?;
    let failed = results.links.iter().find_map(|e| changing::failure(&e.link, &e.verdict));
    failed.map_or(Ok(()), Err)
}

/// Makes the links, so many at a time.
async fn waves(session: &Session, plans: Vec<Plan>, arguments: &Arguments) -> Result<Results, Failure> {
    let mut waves = Waves::new(
        plans.len(),
        arguments.parallel,
        !arguments.no_canary && plans.len() > 1,
        arguments.keep_going,
    );
    let stop = changing::stop_on_ctrl_c(&session.output);
    let local = tokio::task::LocalSet::new();
    let mut results = Vec::new();
    local
        .run_until(async {
            let mut running: JoinSet<(usize, Result<Ended, Failure>)> = JoinSet::new();
            loop {
                if !*stop.borrow() {
                    for place in waves.begin() {
                        let plan = plans[place].clone();
                        let prefix =
                            if plans.len() > 1 { format!("{}: ", plan.link.name) } else { String::new() };
                        let screen = Screen::new(&session.output, &plan, &prefix);
                        let (sides, stop, mut journal) =
                            (session.sides.clone(), stop.clone(), session.journal()?);
                        running.spawn_local(async move {
                            let link = plan.link.name.clone();
                            let made = async {
                                let _lock = journal.lock(&link).map_err(|e| journal_failure(&e))?;
                                changing::nothing_open(&journal, &link)?;
                                let started = now();
                                let (run, verdict) =
                                    changing::begin(&sides, &mut journal, plan, screen, stop).await?;
                                Ok(Ended { link, run, started, ended: now(), verdict })
                            };
                            (place, made.await)
                        });
                    }
                }
                match running.join_next().await {
                    None => break Ok(()),
                    Some(Ok((place, Ok(ended)))) => {
                        waves.ended(place, changing::failure(&ended.link, &ended.verdict).is_none());
                        results.push(ended);
                    }
                    Some(Ok((place, Err(failure)))) => {
                        waves.ended(place, false);
                        if plans.len() == 1 {
                            break Err(failure);
                        }
                        session.output.warn(&failure.to_string());
                    }
                    Some(Err(e)) => {
                        break Err(Failure {
                            code: Exit::Uncertain,
                            what: format!("milink failed within itself: {e}"),
                            where_: "making links".to_owned(),
                            now_true: "the journal says what was begun".to_owned(),
                            next: "milink history, and milink resume for each link that is not through"
                                .to_owned(),
                        });
                    }
                }
            }
        })
        .await?;
    let left = waves.left().into_iter().map(|place| plans[place].link.name.clone()).collect();
    Ok(Results { links: results, left })
}
