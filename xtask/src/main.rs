//! The chores of the project, run as `cargo xtask NAME`.

mod bench;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own chores.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Measure a lab instance beside PostgreSQL on this machine.
    Bench(bench::Arguments),
}

fn main() -> ExitCode {
    let Chore::Bench(arguments) = Cli::parse().chore;
    match bench::run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            // Nobody is left to be told when stderr is gone.
            drop(writeln!(std::io::stderr(), "cargo xtask bench: {e}"));
            ExitCode::FAILURE
        }
    }
}
