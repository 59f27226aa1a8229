//! The chores of the project, run as `cargo xtask NAME`.

mod demo;
mod fuzz;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The chores of the project.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Start an instance, load Chinook into it, query it.
    Demo,
    /// Throw hostile bytes at whatever reads them.
    Fuzz(fuzz::Arguments),
}

fn main() -> ExitCode {
    let done = match Cli::parse().chore {
        Chore::Demo => demo::run(),
        Chore::Fuzz(arguments) => fuzz::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            report(&format!("xtask: {why}"));
            ExitCode::FAILURE
        }
    }
}

/// A line for the person who waits; results go to stdout instead.
fn report(line: &str) {
    use std::io::Write as _;
    // Nobody is left to be told when stderr is gone.
    drop(writeln!(std::io::stderr(), "{line}"));
}
