//! The `milink` command.

mod connect;
mod context;
mod exit;
mod explain;
mod lab;
mod link;
mod manual;
mod output;
mod serve;
mod sql;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

/// The Managed Instance link from the command line, and a lab to rehearse it in.
#[derive(Debug, Parser)]
#[command(name = "milink", version, about, after_long_help = manual::epilogue())]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    #[command(flatten)]
    Link(Box<link::Verb>),
    /// Where both sides and Azure are, kept under names.
    #[command(subcommand)]
    Context(context::Verb),
    /// Explain an error number of SQL Server, or an error code of Azure.
    Explain(explain::Explain),
    /// Run a script or a query against a SQL Server, with sqlcmd's flags.
    Sql(Box<sql::Arguments>),
    /// Serve the wizard and the dashboard to browsers.
    Serve(Box<serve::Arguments>),
    /// A SQL Server, a managed instance and a local Azure to rehearse with.
    #[command(subcommand)]
    Lab(lab::Verb),
    /// Print a script that completes milink's arguments in a shell.
    Completion(manual::Completion),
    /// Write the manual pages.
    Man(manual::Man),
}

fn main() -> ExitCode {
    let mut command = Cli::command();
    // What is wrong with the arguments is said before they are parsed.
    if std::env::args_os().any(|a| a == "--no-color") {
        command = command.color(clap::ColorChoice::Never);
    }
    let cli = Cli::from_arg_matches(&command.get_matches()).unwrap_or_else(|e| e.exit());
    match cli.verb {
        Verb::Link(verb) => link::run(*verb),
        Verb::Context(verb) => context::run(&verb),
        Verb::Explain(arguments) => explain::run(&arguments),
        Verb::Sql(arguments) => sql::run(&arguments),
        Verb::Serve(arguments) => serve::run(&arguments),
        Verb::Lab(verb) => lab::run(verb),
        Verb::Completion(arguments) => manual::completion(&arguments, Cli::command()),
        Verb::Man(arguments) => manual::man(&arguments, Cli::command()),
    }
}
