//! `milink resume`.

use std::process::ExitCode;

use clap::Args;
use milink_core::run::Run;

use super::changing::{self, PlanDocument, Screen};
use super::session::{Common, Session, journal_failure, with};
use crate::exit::Failure;

/// Flags of resume.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    common: Common,
    /// The link.
    #[arg(value_name = "LINK")]
    link: String,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
}

/// Runs it.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    with(&arguments.common, |session| resume(session, arguments))
}

async fn resume(session: Session, arguments: &Arguments) -> Result<(), Failure> {
    let mut journal = session.journal()?;
    let _lock = journal.lock(&arguments.link).map_err(|e| journal_failure(&e))?;
    let open = journal.open_run(&arguments.link).map_err(|e| journal_failure(&e))?;
    let Some((run, recovered)) = open else {
        return Err(Failure::not_found(
            format!("no run of link {} is open", arguments.link),
            format!("the journal {}", journal.path().display()),
            format!("milink doctor {} says what the link needs", arguments.link),
        ));
    };
    if !arguments.yes && session.output.is_for_people() {
        let seen = session.look().await;
        session.output.show(&PlanDocument::of(run.plan.clone(), &seen))?;
    }
    changing::confirm(&session.output, arguments.yes, &format!("Go on with run {}?", run.id))?;
    let screen = Screen::new(&session.output, &run.plan, "");
    let stop = changing::stop_on_ctrl_c(&session.output);
    let machine = Run::new(run.plan, recovered);
    let (_, verdict) = changing::go_on(&session.sides, &mut journal, run.id, machine, screen, stop).await?;
    match changing::failure(&arguments.link, &verdict) {
        None => {
            session.output.note(&format!("Run {} of link {} is through.", run.id, arguments.link));
            Ok(())
        }
        Some(failure) => Err(failure),
    }
}
