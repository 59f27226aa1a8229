//! The chores of the project, run as `cargo xtask NAME`.

mod bench;
mod demo;
mod fuzz;
mod sim;

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
    /// Start an instance, load Chinook into it, query it.
    Demo,
    /// Measure a lab instance beside PostgreSQL on this machine.
    Bench(bench::Arguments),
    /// Simulate instances, disks and networks, and prove that nothing is lost.
    Sim(sim::Arguments),
    /// Throw hostile bytes at whatever reads them.
    Fuzz(fuzz::Arguments),
}

fn main() -> ExitCode {
    let done = match Cli::parse().chore {
        Chore::Demo => demo::run(),
        Chore::Bench(arguments) => bench::run(&arguments),
        Chore::Sim(arguments) => sim::run(&arguments),
        Chore::Fuzz(arguments) => fuzz::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            report(&format!("cargo xtask: {why}"));
            ExitCode::FAILURE
        }
    }
}

/// A line for the person who waits; results go to stdout instead.
fn report(line: &str) {
    // Nobody is left to be told when stderr is gone.
    drop(writeln!(std::io::stderr(), "{line}"));
}
