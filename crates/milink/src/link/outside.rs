//! The arguments of `milink objects`, and `milink benefit`: what is about the instances and not about one link.

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use milink_core::action::HybridUsage;
use milink_core::plan::benefit as benefit_plan;
use milink_sql::Client;
use serde::Serialize;

use super::changing::{self, confirm};
use super::failover::cannot;
use super::objects;
use super::session::{Common, Session, with};
use super::spec::Side;
use crate::exit::{Exit, Failure, NOTHING_CHANGED};
use crate::output::{Cell, Document, Table, Tone};

/// What is done with objects outside of the databases.
#[derive(Debug, Subcommand)]
pub(crate) enum Objects {
    /// Show what the other side lacks or has otherwise: logins, roles, jobs, linked servers, credentials, settings.
    Diff(Which),
    /// Print a script that gives the other side what it lacks.
    Script(Scripted),
    /// Give the other side what it lacks.
    Copy(Copied),
}

/// From which side, for which databases.
#[derive(Debug, Args)]
pub(crate) struct Which {
    #[command(flatten)]
    common: Common,
    /// The side whose objects are right.
    #[arg(long, value_enum, value_name = "SIDE", default_value = "sql-server")]
    from: Side,
    /// The databases whose users matter; all that are in an availability group, unless said.
    #[arg(long = "database", short = 'D', value_name = "DATABASE", value_delimiter = ',')]
    databases: Vec<String>,
}

/// Flags of a script.
#[derive(Debug, Args)]
pub(crate) struct Scripted {
    #[command(flatten)]
    which: Which,
    /// Put the hashes of passwords into the script, which is then as secret as they are.
    #[arg(long)]
    with_password_hashes: bool,
}

/// Flags of copying.
#[derive(Debug, Args)]
pub(crate) struct Copied {
    #[command(flatten)]
    which: Which,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
}

impl Which {
    fn clients<'a>(&self, session: &'a Session) -> Result<(&'a Client, &'a Client), Failure> {
        let from = self.from.into();
        let one = |side| {
            session.sides.client(side).ok_or_else(|| {
                Failure::arguments(
                    format!("no connection to the {side} is configured"),
                    "-S and --managed-server, or SQLCMDSERVER and MILINK_MANAGED_SERVER",
                    "objects are compared between both sides: give both",
                )
            })
        };
        Ok((one(from)?, one(from.other())?))
    }
}

/// Runs it.
pub(crate) fn run(verb: &Objects) -> ExitCode {
    match verb {
        Objects::Diff(which) => with(&which.common, |session| async move {
            let (source, target) = which.clients(&session)?;
            let databases = objects::databases(source, &which.databases).await?;
            session.output.show(&objects::diff(source, target, &databases).await?)
        }),
        Objects::Script(asked) => with(&asked.which.common, |session| async move {
            let (source, target) = asked.which.clients(&session)?;
            let databases = objects::databases(source, &asked.which.databases).await?;
            let script = objects::script(source, target, &databases, asked.with_password_hashes).await?;
            if session.output.is_for_people() {
                session.output.print(&script.text)
            } else {
                session.output.show(&script)
            }
        }),
        Objects::Copy(asked) => with(&asked.which.common, |session| async move {
            let (source, target) = asked.which.clients(&session)?;
            let databases = objects::databases(source, &asked.which.databases).await?;
            if !asked.yes {
                session.output.show(&objects::diff(source, target, &databases).await?)?;
            }
            confirm(&session.output, asked.yes, "Give the other side what it lacks?")?;
            let copied = objects::copy(source, target, &databases).await?;
            session.output.show(&copied)?;
            copied.failure().map_or(Ok(()), Err)
        }),
    }
}

/// What a managed instance is used for, and so what it costs.
#[derive(Debug, Args)]
pub(crate) struct Benefit {
    #[command(flatten)]
    common: Common,
    /// Set it: passive is a replica without licence costs, on which nothing else may run.
    #[arg(long, value_enum, value_name = "USAGE")]
    set: Option<Usage>,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
}

/// What it is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Usage {
    /// It is used.
    Active,
    /// A passive replica.
    Passive,
}

/// The licence of a managed instance.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Licence {
    instance: String,
    license_type: Option<String>,
    hybrid_secondary_usage: Option<String>,
    hybrid_secondary_usage_detected: Option<String>,
}

impl Document for Licence {
    const SCHEMA_VERSION: u32 = 1;

    fn table(&self) -> Table {
        let said =
            |value: &Option<String>| Cell::from(value.clone().unwrap_or_else(|| "not said".to_owned()));
        let passive = self.hybrid_secondary_usage.as_deref() == Some("Passive");
        let used = self.hybrid_secondary_usage_detected.as_deref() == Some("Active");
        let mut table = Table::pairs();
        table
            .pair("managed instance", self.instance.clone())
            .pair("licence", said(&self.license_type))
            .pair("usage", said(&self.hybrid_secondary_usage))
            .pair("usage that Azure sees", said(&self.hybrid_secondary_usage_detected));
        if passive && used {
            table
                .pair("beware", Cell::toned("it is declared passive and used: licences are owed", Tone::Bad));
        }
        table
    }
}

/// Shows and sets the hybrid failover benefit.
pub(crate) fn benefit(arguments: &Benefit) -> ExitCode {
    with(&arguments.common, |session| set(session, arguments))
}

async fn set(session: Session, arguments: &Benefit) -> Result<(), Failure> {
    session.settings.azure()?;
    let mut seen = session.look().await;
    if let Some(usage) = arguments.set {
        let usage = match usage {
            Usage::Active => HybridUsage::Active,
            Usage::Passive => HybridUsage::Passive,
        };
        let plan = benefit_plan(usage, &seen).map_err(|e| cannot("", &e))?;
        if !plan.steps.is_empty() {
            confirm(&session.output, arguments.yes, &format!("Declare the managed instance {usage:?}?"))?;
            for note in &plan.notes {
                session.output.note(note);
            }
            let ended = changing::run_one(&session, plan).await?;
            if let Some(failure) = changing::failure(&ended.link, &ended.verdict) {
                return Err(failure);
            }
            seen = session.look().await;
        }
    }
    let azure = seen.azure.get().map_err(|why| Failure {
        code: Exit::Error,
        what: format!("Azure does not answer: {why}"),
        where_: "Azure".to_owned(),
        now_true: NOTHING_CHANGED.to_owned(),
        next: "see --arm-endpoint and how you sign in".to_owned(),
    })?;
    session.output.show(&Licence {
        instance: azure.name.clone(),
        license_type: azure.license.clone(),
        hybrid_secondary_usage: azure.hybrid_usage.clone(),
        hybrid_secondary_usage_detected: azure.hybrid_usage_detected.clone(),
    })
}
