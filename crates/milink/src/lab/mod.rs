//! `milink lab`: its verbs. What they do is in the crate `lab`; here are arguments, output and exit codes.

mod fault;
mod serve_instance;
mod sql;
mod up;
mod verbs;
pub(crate) mod workload;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use lab::{Client, ClientError, Folder};

/// How az gets to the lab: a test runs these lines as they stand here.
const AZ: &str = "\
In a shell that has them, az signs in with:
  az cloud register --name lab --endpoint-resource-manager \"$MILINK_ARM_ENDPOINT\"
  az cloud set --name lab
  az login --service-principal --username \"$AZURE_CLIENT_ID\" --password=\"$AZURE_CLIENT_SECRET\" --tenant \"$AZURE_TENANT_ID\"
The variables have az keep clouds and tokens in the lab's folder, and not in yours.";

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Start a lab: SQL Server, a managed instance and a local Azure.
    Up(up::Up),
    /// Show where everything is, and how it is.
    Status(verbs::Status),
    /// Print what other programs read, as lines for a shell: eval "$(milink lab env)".
    #[command(after_help = AZ)]
    Env(Where),
    /// Stop a lab; its data stays.
    Down(Where),
    /// Make a lab as it was at first; snapshots stay.
    Reset(Where),
    /// Copy all that a lab holds; both instances are stopped for it, and started again.
    Snapshot(verbs::Named),
    /// Make a lab as it was when a snapshot was made.
    Restore(verbs::Named),
    /// Show what the lab and its instances say.
    Logs(verbs::Logs),
    /// Run queries on an instance; with its history and several lines to a batch on a terminal.
    Sql(sql::LabSql),
    /// Break something on purpose, or mend it.
    Fault(fault::FaultArguments),
    /// Write orders, follow the primary, and prove that none is lost or doubled.
    Workload(workload::Workload),
    /// Run one instance in the foreground until SIGINT or SIGTERM.
    ServeInstance(Box<serve_instance::ServeInstance>),
}

/// Which lab.
#[derive(Debug, Args)]
pub(crate) struct Where {
    /// The lab's folder [default: the platform's folder for state, e.g. ~/.local/state/milink/lab].
    #[arg(long, env = "MILINK_LAB_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Where {
    fn folder(&self) -> Result<Folder, Failure> {
        let path = match &self.data {
            Some(path) => path.clone(),
            None => lab::default_folder().map_err(Failure::Error)?,
        };
        Ok(Folder::new(&path).map_err(ClientError::Folder)?)
    }

    fn client(&self) -> Result<Client, Failure> {
        Ok(Client::connect(&self.folder()?)?)
    }
}

/// The form of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Json,
    Table,
}

/// Why a verb failed: its sentence, and so its exit code.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Exit code 1.
    Error(String),
    /// Exit code 3, as az has it for what is not there.
    NotFound(String),
    /// Exit code 1; all has been said.
    Said,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Failure::Error(why) | Failure::NotFound(why) => why,
            Failure::Said => "it did not end well",
        })
    }
}

impl From<ClientError> for Failure {
    fn from(e: ClientError) -> Failure {
        match &e {
            ClientError::Refused { code, .. } if code == "NotFound" => Failure::NotFound(e.to_string()),
            _ => Failure::Error(e.to_string()),
        }
    }
}

type Done = Result<(), Failure>;

pub(crate) fn run(verb: Verb) -> ExitCode {
    let done = match &verb {
        Verb::ServeInstance(arguments) => return serve_instance::run(arguments),
        Verb::Up(arguments) => up::run(arguments),
        Verb::Status(arguments) => verbs::status(arguments),
        Verb::Env(place) => verbs::env(place),
        Verb::Down(place) => verbs::down(place),
        Verb::Reset(place) => verbs::reset(place),
        Verb::Snapshot(arguments) => verbs::snapshot(arguments),
        Verb::Restore(arguments) => verbs::restore(arguments),
        Verb::Logs(arguments) => verbs::logs(arguments),
        Verb::Sql(arguments) => sql::run(arguments),
        Verb::Fault(arguments) => fault::run(arguments),
        Verb::Workload(arguments) => workload::run(arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Said) => ExitCode::FAILURE,
        Err(Failure::Error(e)) => {
            report(&format!("milink lab: {e}"));
            ExitCode::FAILURE
        }
        Err(Failure::NotFound(e)) => {
            report(&format!("milink lab: {e}"));
            ExitCode::from(3)
        }
    }
}

/// Says something to people: progress and errors go to stderr.
fn report(line: &str) {
    // Nobody is left to be told when stderr is gone.
    drop(writeln!(std::io::stderr(), "{line}"));
}

/// Prints data.
fn print(text: &str) -> Done {
    let mut out = std::io::stdout();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|e| Failure::Error(format!("cannot write the output: {e}")))
}

/// Prints a document.
fn print_json(value: &impl serde::Serialize) -> Done {
    let text = serde_json::to_string_pretty(value).map_err(|e| Failure::Error(e.to_string()))?;
    print(&format!("{text}\n"))
}
