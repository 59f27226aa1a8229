//! The `milink` command.

#[allow(dead_code, reason = "the verbs of the link, which use all of it, come next")]
mod exit;
mod lab;
#[allow(dead_code, unused_imports, reason = "the verbs of the link, which use all of it, come next")]
mod output;
mod sql;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The Managed Instance link from the command line, and a lab to rehearse it in.
#[derive(Debug, Parser)]
#[command(name = "milink", version, about)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run a script or a query against a SQL Server, with sqlcmd's flags.
    Sql(Box<sql::Arguments>),
    /// A SQL Server, a managed instance and a local Azure to rehearse with.
    #[command(subcommand)]
    Lab(lab::Verb),
}

fn main() -> ExitCode {
    match Cli::parse().verb {
        Verb::Sql(arguments) => sql::run(&arguments),
        Verb::Lab(verb) => lab::run(verb),
    }
}
