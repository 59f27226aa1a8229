//! `milink sql`: sqlcmd's job.

mod client;
mod lines;
mod script;
mod show;
mod terminal;

use std::io::{IsTerminal as _, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use client::Client;
use script::{Script, Step, Variables};
use show::{Shown, Table};

/// Sqlcmd's flags.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Arguments {
    /// Print help.
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
    /// The server: host, host,port or tcp:host,port.
    #[arg(short = 'S', env = "SQLCMDSERVER", default_value = "localhost")]
    server: String,
    /// The login.
    #[arg(short = 'U', env = "SQLCMDUSER")]
    user: Option<String>,
    /// Its password; better given in SQLCMDPASSWORD, where no list of processes shows it.
    #[arg(short = 'P', env = "SQLCMDPASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// The database.
    #[arg(short = 'd', env = "SQLCMDDBNAME")]
    database: Option<String>,
    /// Windows authentication (Kerberos), as whoever runs this.
    #[arg(short = 'E')]
    integrated: bool,
    /// Microsoft Entra authentication.
    #[arg(short = 'G')]
    entra: bool,
    /// Trust the server's certificate, whoever signed it (not with -N strict).
    #[arg(short = 'C')]
    trust: bool,
    /// The name that the server's certificate bears, when it is not the host's.
    #[arg(short = 'F', value_name = "NAME", conflicts_with = "certificate")]
    host_name: Option<String>,
    /// The certificate that the server must have: a file, PEM or DER.
    #[arg(short = 'J', value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// Encryption: m(andatory), s(trict) or o(ptional).
    #[arg(short = 'N', value_enum, default_value = "mandatory", num_args = 0..=1, default_missing_value = "mandatory")]
    encrypt: Encrypt,
    /// Run this query and exit.
    #[arg(short = 'Q', conflicts_with = "input")]
    query: Option<String>,
    /// Run this query, then go on with standard input.
    #[arg(short = 'q', conflicts_with_all = ["input", "query"])]
    first: Option<String>,
    /// Run these files.
    #[arg(short = 'i', value_delimiter = ',')]
    input: Vec<PathBuf>,
    /// Write results to this file.
    #[arg(short = 'o')]
    output_file: Option<PathBuf>,
    /// Set variables: name=value.
    #[arg(short = 'v', num_args = 1..)]
    variables: Vec<String>,
    /// Leave $(variables) as they are.
    #[arg(short = 'x')]
    literal: bool,
    /// Stop at the first error, with exit code 1.
    #[arg(short = 'b')]
    stop: bool,
    /// Seconds to wait for a connection.
    #[arg(short = 'l', value_name = "SECONDS")]
    login_timeout: Option<u32>,
    /// Seconds to wait for a batch.
    #[arg(short = 't', value_name = "SECONDS")]
    query_timeout: Option<u32>,
    /// Print the heading of a table again after so many rows; -1 for never.
    #[arg(short = 'h', value_name = "ROWS", default_value_t = 0, allow_negative_numbers = true)]
    headings: i64,
    /// What stands between the columns of a table.
    #[arg(short = 's', value_name = "CHARACTER", default_value = " ")]
    separator: String,
    /// No blanks to fill up the columns of a table.
    #[arg(short = 'W')]
    tight: bool,
    /// The form of results.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Encrypt {
    #[value(alias = "m", alias = "true")]
    Mandatory,
    #[value(alias = "s")]
    Strict,
    #[value(alias = "o", alias = "false")]
    Optional,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// Columns in line.
    Table,
    /// One JSON object for each result set, line by line.
    Json,
    /// Values between tabs.
    Tsv,
}

/// An option of `milink sql` that is parsed from nothing: its defaults.
#[derive(Debug, clap::Parser)]
struct Defaults {
    #[command(flatten)]
    arguments: Arguments,
}

impl Arguments {
    /// To a server of this machine whose certificate nobody else vouches for. The first error ends it.
    pub(crate) fn to(server: String, user: String, password: String) -> Arguments {
        let defaults = <Defaults as clap::Parser>::parse_from(["milink sql"]).arguments;
        let (user, password) = (Some(user), Some(password));
        Arguments { server, user, password, database: None, trust: true, stop: true, ..defaults }
    }

    /// What to run, and how to show it.
    pub(crate) fn run_on(
        &mut self,
        database: Option<String>,
        query: Option<String>,
        input: Vec<PathBuf>,
        output: Output,
    ) {
        // Whoever types wants to go on after an error.
        self.stop = query.is_some() || !input.is_empty() || !std::io::stdin().is_terminal();
        self.database = database;
        self.query = query;
        self.input = input;
        self.output = output;
    }
}

/// Runs it; whether it ended well.
pub(crate) fn run_stopping(arguments: &Arguments) -> bool {
    match try_run(arguments) {
        Ok(failed) => !(failed && arguments.stop),
        Err(e) => {
            report(&e);
            false
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    if run_stopping(arguments) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether a batch failed.
fn try_run(arguments: &Arguments) -> Result<bool, String> {
    if arguments.entra {
        return Err(
            "-G is not supported yet: give a SQL Server login with -U and the password in SQLCMDPASSWORD, \
                    or use Windows authentication with -E"
                .to_owned(),
        );
    }
    let mut variables = Variables::parse(&arguments.variables, !arguments.literal)?;
    let sources = sources(arguments)?;
    let out: Box<dyn Write> = match &arguments.output_file {
        Some(path) => Box::new(std::io::BufWriter::new(
            std::fs::File::create(path).map_err(|e| format!("{}: {e}", path.display()))?,
        )),
        None => Box::new(std::io::BufWriter::new(std::io::stdout())),
    };
    let table = Table {
        headings: arguments.headings,
        separator: arguments.separator.clone(),
        tight: arguments.tight,
    };
    let mut shown = Shown::new(out, arguments.output, table);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    runtime.block_on(async {
        let mut client = Client::connect(arguments).await?;
        let mut failed = false;
        for source in sources {
            let mut script = source.script()?;
            // Steps are read as they are needed: a script that sets a variable changes what comes after it.
            loop {
                let step = match script.next(&mut variables) {
                    Ok(None) => break,
                    Ok(Some(step)) => step,
                    // Whoever types gets another try.
                    Err(e) if script.is_typed() => {
                        report(&e);
                        continue;
                    }
                    Err(e) => {
                        shown.finish()?;
                        return Err(e);
                    }
                };
                let Step::Batch { text, count } = step else {
                    shown.finish()?;
                    return Ok(failed);
                };
                for _ in 0..count {
                    let good = client.batch(&text, &mut shown).await?;
                    // What has run is seen, whatever comes next and however long it takes.
                    shown.finish()?;
                    failed |= !good;
                    if !good && (arguments.stop || script.exits_on_error()) {
                        return Ok(true);
                    }
                }
            }
        }
        Ok(failed)
    })
}

fn report(e: &str) {
    // Nobody is left to be told when stderr is gone.
    drop(writeln!(std::io::stderr(), "milink sql: {e}"));
}

enum Source {
    Text(String),
    File(PathBuf),
    StandardInput,
}

impl Source {
    fn script(self) -> Result<Script, String> {
        match self {
            Source::Text(text) => Ok(Script::new(&text, std::path::Path::new("."))),
            Source::File(path) => Script::open(&path),
            Source::StandardInput => Ok(Script::standard_input()),
        }
    }
}

fn sources(arguments: &Arguments) -> Result<Vec<Source>, String> {
    if let Some(query) = &arguments.query {
        return Ok(vec![Source::Text(query.clone())]);
    }
    if !arguments.input.is_empty() {
        // Found missing now, before anything has run.
        for path in &arguments.input {
            std::fs::metadata(path).map_err(|e| format!("{}: {e}", path.display()))?;
        }
        return Ok(arguments.input.iter().cloned().map(Source::File).collect());
    }
    let mut out: Vec<Source> = arguments.first.iter().cloned().map(Source::Text).collect();
    out.push(Source::StandardInput);
    Ok(out)
}
