//! `milink doctor`: one screen, whoever is dead.

use std::process::ExitCode;

use clap::Args;
use milink_core::doctor::{Diagnosis, diagnose};
use milink_core::status::LinkState;

use super::failover::link_of;
use super::session::{Common, Session, journal_failure, with};
use crate::exit::Failure;
use crate::output::{Cell, Document, Table, Tone};

/// Flags of doctor.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    common: Common,
    /// The link.
    #[arg(value_name = "LINK")]
    link: String,
}

impl Document for Diagnosis {
    const SCHEMA_VERSION: u32 = 1;

    fn table(&self) -> Table {
        let tone = match self.state {
            LinkState::Healthy => Tone::Good,
            LinkState::Seeding | LinkState::Degraded | LinkState::HalfMade | LinkState::Unknown => {
                Tone::Warning
            }
            LinkState::Broken | LinkState::NoPrimary | LinkState::TwoPrimaries => Tone::Bad,
        };
        let mut about = Table::pairs();
        about
            .pair("link", self.link.clone())
            .pair("state", Cell::toned(self.state.to_string(), tone))
            .pair("in short", self.headline.clone());
        for risk in &self.at_risk {
            about.pair(&format!("at risk in {}", risk.database), risk.said.clone());
        }
        for why in &self.unknown {
            about.pair("not seen", Cell::toned(why.clone(), Tone::Bad));
        }
        for endpoint in &self.endpoints {
            about.pair("endpoint", endpoint.clone());
        }
        about.pair("next", self.next.command.clone()).pair("because", self.next.why.clone());
        if self.causes.is_empty() {
            return about;
        }
        let mut causes = Table::new(["WHAT WAS FOUND", "ITS CAUSE", "ITS MENDING"]);
        for cause in &self.causes {
            causes.row([
                cause.what.clone(),
                cause.cause.clone().unwrap_or_default(),
                cause.fix.clone().unwrap_or_default(),
            ]);
        }
        about.and(causes.under("Causes"))
    }
}

/// Runs it.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    with(&arguments.common, |session| look(session, &arguments.link))
}

async fn look(session: Session, link: &str) -> Result<(), Failure> {
    let mut seen = session.look().await;
    // What the link's own records say goes before flags: a link may have other endpoints than the next one will.
    let made = link_of(&session, link, &seen).ok();
    session.probe(made.as_ref(), &mut seen).await;
    let journal = session.journal()?;
    let open = journal.open_run(link).map_err(|e| journal_failure(&e))?;
    let summary = open.as_ref().map(|(run, recovered)| recovered.summary(&run.plan));
    session.output.show(&diagnose(link, &seen, summary.as_ref()))
}
