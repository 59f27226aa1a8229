//! `cargo xtask bench`: a lab instance and PostgreSQL, started fresh, measured in turn, compared.
//!
//! What is measured is listed in [`measure`], and of two servers that replicate in [`replication`]; the servers are started and
//! stopped by [`server`] and in pairs by [`pair`], their processor time and
//! memory read by [`process`]; [`report`] turns figures into a table, JSON or `docs/benchmarks.md`, with [`machine`]'s
//! description of where they were taken. The load comes from the crate `bench-driver`.

mod machine;
mod measure;
mod pair;
mod process;
mod replication;
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
    /// How many connections at once, for insert, select and sync-commits; may be given several times [default: 1, 4, 16, 64,
    /// and 1, 16, 64 of two servers].
    #[arg(long)]
    connections: Vec<u32>,
    /// How many seconds each run measures.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// How many times the sides take turns; the median counts. Of role changes there are more.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// How often roles change, for role-change.
    #[arg(long, default_value_t = 50)]
    changes: u32,
    /// The size of the database that is seeded, in MiB.
    #[arg(long, default_value_t = 1024)]
    mib: u32,
    /// One short round of everything, to see that it works: the figures say nothing.
    #[arg(long)]
    quick: bool,
    /// Whom to compare with.
    #[arg(long, value_enum, default_value = "postgres")]
    peer: Peer,
    /// How requests are sent, for insert and select [default: both].
    #[arg(long, value_enum)]
    style: Option<StyleName>,
    /// How to print the figures.
    #[arg(short, long, value_enum, default_value = "table")]
    output: Output,
    /// Write the figures into docs/benchmarks.md (with `all` or `replication`).
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
    /// All of one server.
    All,
    /// Commits a second that a secondary has hardened before they are acknowledged, and bytes that each ships.
    SyncCommits,
    /// From a commit to its being visible on an asynchronous secondary.
    Lag,
    /// The first copy of a database, beside pg_basebackup and cp.
    Seeding,
    /// How long nobody can write during a planned role change.
    RoleChange,
    /// All of two servers that replicate.
    Replication,
}

impl Name {
    /// Whether it is of two servers that replicate.
    fn is_replicated(self) -> bool {
        match self {
            Name::Insert | Name::Select | Name::Bulk | Name::Log | Name::Start | Name::Memory | Name::All => {
                false
            }
            Name::SyncCommits | Name::Lag | Name::Seeding | Name::RoleChange | Name::Replication => true,
        }
    }
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
    let part = match arguments.name {
        Name::All => Some("all"),
        Name::Replication => Some("replication"),
        _ => None,
    };
    if arguments.write && (part.is_none() || arguments.peer == Peer::None || arguments.quick) {
        return Err("--write goes with all or replication, with a peer, and not with --quick".to_owned());
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
    let quick = arguments.quick;
    let (seconds, rounds) = if quick { (1.0, 1) } else { (arguments.seconds, arguments.rounds) };
    let replicated = arguments.name.is_replicated();
    let bench = Bench {
        milink,
        postgres,
        dir: arguments.dir.clone(),
        duration: Duration::from_secs_f64(seconds),
        rounds,
        connections: match &arguments.connections[..] {
            [] if replicated => vec![1, 16, 64],
            [] => vec![1, 4, 16, 64],
            given => given.to_vec(),
        },
        role_changes: if quick { 3 } else { arguments.changes },
        seeding_bytes: if quick { 64 << 20 } else { u64::from(arguments.mib) << 20 },
        styles: match arguments.style {
            Some(StyleName::Text) => vec![bench_driver::load::Style::Text],
            Some(StyleName::Parameters) => vec![bench_driver::load::Style::Parameters],
            None => vec![bench_driver::load::Style::Text, bench_driver::load::Style::Parameters],
        },
    };
    let all = if replicated { Name::Replication } else { Name::All };
    let is = |name| arguments.name == name || (arguments.name == all && replicated == name.is_replicated());
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
    if is(Name::SyncCommits) {
        figures.extend(bench.sync_commits()?);
    }
    if is(Name::Lag) {
        figures.extend(bench.lag()?);
    }
    if is(Name::Seeding) {
        figures.extend(bench.seeding()?);
    }
    if is(Name::RoleChange) {
        figures.extend(bench.role_change()?);
    }
    let report = Report::new(machine, rounds, seconds, &figures);
    if let Some(part) = part.filter(|_| arguments.write) {
        let path = workspace().join("docs/benchmarks.md");
        let told = |e: std::io::Error| format!("{}: {e}", path.display());
        let page = std::fs::read_to_string(&path).map_err(told)?;
        std::fs::write(&path, report::with_part(&page, part, &report.part(part))?).map_err(told)?;
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
