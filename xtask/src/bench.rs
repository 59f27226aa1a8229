//! `cargo xtask bench`: a lab instance and PostgreSQL, started fresh, measured in turn, compared.
//!
//! What is measured is listed in [`measure`]; the servers are started and stopped by [`server`], their processor time and
//! memory read by [`process`]; [`report`] turns figures into a table, JSON or `docs/benchmarks.md`, with [`machine`]'s
//! description of where they were taken. The load comes from the crate `bench-driver`.

mod machine;
mod measure;
mod process;
mod report;
mod server;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clap::{Args, ValueEnum};

use machine::Machine;
use measure::Bench;
use report::Report;

/// What can go wrong, in words: a chore's caller can only read it.
type Result<T> = std::result::Result<T, String>;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// What to measure.
    #[arg(value_enum)]
    name: Name,
    /// How many connections at once, for insert and select; may be given several times [default: 1, 4, 16, 64].
    #[arg(long)]
    connections: Vec<u32>,
    /// How many seconds each run measures.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// How many times the sides take turns; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Whom to compare with.
    #[arg(long, value_enum, default_value = "postgres")]
    peer: Peer,
    /// How requests are sent, for insert and select [default: both].
    #[arg(long, value_enum)]
    style: Option<StyleName>,
    /// How to print the figures.
    #[arg(short, long, value_enum, default_value = "table")]
    output: Output,
    /// Write docs/benchmarks.md (with `all`).
    #[arg(long)]
    write: bool,
    /// The program to measure, instead of building this workspace's.
    #[arg(long)]
    milink: Option<PathBuf>,
    /// Where both sides put their data; it must be on a disk, and both sides' users must be able to reach it.
    #[arg(long, default_value = "/var/tmp")]
    dir: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Single-row inserts, each committed and hardened.
    Insert,
    /// Selects of one row of 100,000 by its key.
    Select,
    /// Bulk load: INSERT BULK beside COPY.
    Bulk,
    /// Bytes of log that an insert costs.
    Log,
    /// From start to the first answer.
    Start,
    /// Memory of a server that waits.
    Memory,
    /// All of them.
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Peer {
    /// PostgreSQL 15, as the distribution packages it, with its default settings.
    Postgres,
    /// Nobody: only the lab instance is measured.
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StyleName {
    /// SQLBatch beside a simple query.
    Text,
    /// sp_executesql beside a prepared statement.
    Parameters,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    Table,
    /// For programs.
    Json,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.write && (arguments.name != Name::All || arguments.peer == Peer::None) {
        return Err("--write goes with all, and with a peer".to_owned());
    }
    if !(arguments.seconds > 0.0 && arguments.seconds <= 3600.0) || arguments.rounds == 0 {
        return Err("--seconds is between 0 and 3600, --rounds at least 1".to_owned());
    }
    let milink = match &arguments.milink {
        Some(path) => path.clone(),
        None => build()?,
    };
    let postgres = match arguments.peer {
        Peer::Postgres => Some(server::postgres_programs()?),
        Peer::None => None,
    };
    let machine = Machine::describe(&arguments.dir, &milink, postgres.as_deref())?;
    let bench = Bench {
        milink,
        postgres,
        dir: arguments.dir.clone(),
        duration: Duration::from_secs_f64(arguments.seconds),
        rounds: arguments.rounds,
        connections: if arguments.connections.is_empty() {
            vec![1, 4, 16, 64]
        } else {
            arguments.connections.clone()
        },
        styles: match arguments.style {
            Some(StyleName::Text) => vec![bench_driver::load::Style::Text],
            Some(StyleName::Parameters) => vec![bench_driver::load::Style::Parameters],
            None => vec![bench_driver::load::Style::Text, bench_driver::load::Style::Parameters],
        },
    };
    let is = |name| arguments.name == name || arguments.name == Name::All;
    let mut figures = Vec::new();
    if is(Name::Insert) {
        figures.extend(bench.insert()?);
    }
    if is(Name::Select) {
        figures.extend(bench.select()?);
    }
    if is(Name::Bulk) {
        figures.push(bench.bulk()?);
    }
    if is(Name::Log) {
        figures.push(bench.log()?);
    }
    if is(Name::Start) {
        figures.push(bench.start()?);
    }
    if is(Name::Memory) {
        figures.extend(bench.memory()?);
    }
    let report = Report::new(machine, arguments.rounds, arguments.seconds, &figures);
    if arguments.write {
        let path = workspace().join("docs/benchmarks.md");
        std::fs::create_dir_all(workspace().join("docs")).map_err(|e| format!("docs: {e}"))?;
        std::fs::write(&path, report.page()).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    let text = match arguments.output {
        Output::Table => report.table(),
        Output::Json => report.json()?,
    };
    write!(std::io::stdout(), "{text}").map_err(|e| format!("stdout: {e}"))
}

/// Tells what is going on while the figures are not there yet.
fn progress(line: &str) {
    // Nobody is left to be told when stderr is gone.
    drop(writeln!(std::io::stderr(), "{line}"));
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Brings the release build up to date, which takes a moment if it is, and gives its path.
fn build() -> Result<PathBuf> {
    progress("building the release");
    let status = Command::new("cargo")
        .args(["build", "--quiet", "--release", "--package", "milink"])
        .current_dir(workspace())
        .status()
        .map_err(|e| format!("cargo: {e}"))?;
    if !status.success() {
        return Err("the release build failed".to_owned());
    }
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    Ok(target.join("release/milink"))
}
