//! `milink script`: the plan as files that others can run.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use milink_core::observe::Observation;
use milink_core::plan::failover::{FailoverOptions, planned, primary};
use milink_core::plan::{DropOptions, Plan, PlanError, create, drop};
use milink_core::script::{Form, Script, render};
use milink_core::spec::Link;
use milink_ops::sides::now;
use serde::Serialize;

use super::failover::{cannot, link_of};
use super::session::{Common, Session, with};
use super::spec::{Side, SpecArguments};
use super::status::known;
use crate::exit::Failure;
use crate::output::{Document, Table};

/// Flags of script.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    spec: SpecArguments,
    /// What the script is to do. For a link that is there, --name says which.
    #[arg(long = "for", value_enum, value_name = "VERB", default_value = "create")]
    verb: VerbWord,
    /// The side that shall be primary, with --for failover; the one that is not, unless said.
    #[arg(long, value_enum, value_name = "SIDE")]
    to: Option<Side>,
    /// What it is written in.
    #[arg(long = "as", value_enum, value_name = "FORM", default_value = "tsql")]
    form: FormWord,
    /// A folder for the files; they are printed without it.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// What a script does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum VerbWord {
    /// Make links.
    Create,
    /// Change the roles, planned.
    Failover,
    /// Remove a link, and what only it uses.
    Drop,
}

/// What a script is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormWord {
    /// T-SQL, a file for each side.
    Tsql,
    /// PowerShell with Az.Sql and SqlServer.
    Powershell,
    /// A shell script with az and sqlcmd.
    Az,
    /// Bicep, for Azure's half.
    Bicep,
    /// All of them.
    All,
}

impl FormWord {
    fn forms(self) -> Vec<Form> {
        match self {
            FormWord::Tsql => vec![Form::Tsql],
            FormWord::Powershell => vec![Form::PowerShell],
            FormWord::Az => vec![Form::Az],
            FormWord::Bicep => vec![Form::Bicep],
            FormWord::All => Form::ALL.to_vec(),
        }
    }
}

/// Scripts.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Scripts {
    scripts: Vec<Script>,
}

impl Document for Scripts {
    const SCHEMA_VERSION: u32 = 1;

    fn table(&self) -> Table {
        let mut table = Table::new(["FILE", "LINES"]);
        for script in &self.scripts {
            table.row([script.file_name.clone(), script.text.lines().count().to_string()]);
        }
        table
    }
}

/// Runs it.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    with(&arguments.common, |session| write(session, arguments))
}

async fn write(session: Session, arguments: &Arguments) -> Result<(), Failure> {
    let seen = session.look().await;
    let mut scripts = Vec::new();
    for plan in plans(&session, arguments, &seen)? {
        for form in arguments.form.forms() {
            scripts.extend(render(&plan, &seen, form));
        }
    }
    match &arguments.dir {
        Some(dir) => {
            let failed = |e: std::io::Error| {
                Failure::file(format!("it cannot be written: {e}"), dir, "see the folder")
            };
            std::fs::create_dir_all(dir).map_err(failed)?;
            for script in &scripts {
                std::fs::write(dir.join(&script.file_name), &script.text).map_err(failed)?;
            }
            session.output.show(&Scripts { scripts })
        }
        None if session.output.is_for_people() => {
            for script in &scripts {
                session.output.print(&script.text)?;
            }
            Ok(())
        }
        None => session.output.show(&Scripts { scripts }),
    }
}

/// What is to be written down: one plan for each link.
fn plans(session: &Session, arguments: &Arguments, seen: &Observation) -> Result<Vec<Plan>, Failure> {
    let there = |plan: &dyn Fn(&Link) -> Result<Plan, PlanError>| {
        let name = arguments.spec.name()?;
        known(name, seen)?;
        let link = link_of(session, name, seen)?;
        Ok(vec![plan(&link).map_err(|e| cannot(&link.name, &e))?])
    };
    match arguments.verb {
        VerbWord::Create => {
            let links = arguments.spec.links(session)?;
            let plan = |link: &Link| create(link, seen, now()).map_err(|e| cannot(&link.name, &e));
            links.iter().map(plan).collect()
        }
        VerbWord::Failover => there(&|link| {
            let to = match arguments.to {
                Some(side) => side.into(),
                None => primary(link, seen)?.other(),
            };
            planned(link, to, seen, FailoverOptions::default())
        }),
        VerbWord::Drop => there(&|link| drop(link, seen, DropOptions::default())),
    }
}
