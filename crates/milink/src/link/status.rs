//! `milink status`, `list` and `show`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use milink_core::status;

use super::session::{Common, Session, with};
use super::status_document::{LinkDetail, LinkList};
use super::watch::{Watched, watch};
use crate::exit::{Exit, Failure, NOTHING_CHANGED};

/// Flags of status.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    common: Common,
    /// Only these links.
    #[arg(value_name = "LINK")]
    links: Vec<String>,
    /// Go on showing them on the terminal, until q is pressed.
    #[arg(long, short)]
    watch: bool,
    /// How often to look, in seconds, with --watch.
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0)]
    every: f64,
}

/// Flags of show.
#[derive(Debug, Args)]
pub(crate) struct One {
    #[command(flatten)]
    common: Common,
    /// The link.
    #[arg(value_name = "LINK")]
    link: String,
}

/// Shows links, one to a line.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    with(&arguments.common, |session| list(session, arguments))
}

async fn list(session: Session, arguments: &Arguments) -> Result<(), Failure> {
    if arguments.watch {
        let every = Duration::try_from_secs_f64(arguments.every).unwrap_or(Duration::from_secs(1));
        let every = every.clamp(Duration::from_millis(100), Duration::from_hours(1));
        let watched = Watched { names: arguments.links.clone(), every };
        return watch(&session.sides, &watched).await.map_err(|e| Failure {
            code: Exit::Error,
            what: format!("the terminal cannot be used: {e}"),
            where_: "--watch".to_owned(),
            now_true: NOTHING_CHANGED.to_owned(),
            next: "milink status without --watch needs no terminal".to_owned(),
        });
    }
    let seen = session.look().await;
    let mut links = status::links(&seen);
    if !arguments.links.is_empty() {
        for name in &arguments.links {
            known(name, &seen)?;
        }
        links.retain(|l| arguments.links.iter().any(|n| milink_core::observe::same_name(n, &l.name)));
    }
    session.output.show(&LinkList { seen_at: seen.at, unknown: status::silent(&seen), links })
}

/// Shows all that is known of a link.
pub(crate) fn show(arguments: &One) -> ExitCode {
    with(&arguments.common, |session| async move {
        let seen = session.look().await;
        known(&arguments.link, &seen)?;
        session.output.show(&LinkDetail::of(status::link(&arguments.link, &seen)))
    })
}

/// Refuses a link that nobody knows, as far as everybody answers.
///
/// # Errors
/// Nobody knows it.
pub(crate) fn known(name: &str, seen: &milink_core::observe::Observation) -> Result<(), Failure> {
    if status::names(seen).iter().any(|n| milink_core::observe::same_name(n, name)) {
        return Ok(());
    }
    let silent = status::silent(seen);
    let what = if silent.is_empty() {
        format!("there is no link {name}")
    } else {
        format!("no link {name} can be seen, and not everybody answers:\n{}", silent.join("\n"))
    };
    Err(Failure::not_found(what, "both sides and Azure", "milink list shows the links that there are"))
}
