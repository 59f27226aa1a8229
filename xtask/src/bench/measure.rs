//! What is measured, and how.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bench_driver::load::{self, Load, Style, Workload};
use bench_driver::{Session, Target, bulk};

use super::report::{Aim, Cores, Figure, Sample};
use super::server::{Running, Server, Side};
use super::{Result, process, progress};

/// Before each run is measured.
pub(crate) const WARM_UP: Duration = Duration::from_millis(500);
/// The rows of a bulk load.
const BULK_ROWS: u32 = 500_000;
/// How long a server is left alone before its memory is read.
const IDLE: Duration = Duration::from_secs(2);
/// Connections whose memory is read.
const IDLE_CONNECTIONS: usize = 64;

/// What the runs have in common.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) milink: PathBuf,
    /// The folder of PostgreSQL's programs, if there is a peer.
    pub(crate) postgres: Option<PathBuf>,
    pub(crate) dir: PathBuf,
    pub(crate) duration: Duration,
    pub(crate) rounds: u32,
    pub(crate) connections: Vec<u32>,
    pub(crate) styles: Vec<Style>,
    /// How often roles change.
    pub(crate) role_changes: u32,
    /// The size of the database that is seeded.
    pub(crate) seeding_bytes: u64,
}

impl Bench {
    /// Single-row inserts, each a transaction that is hardened before its answer.
    pub(crate) fn insert(&self) -> Result<Vec<Figure>> {
        self.load(Workload::Insert, "commits/s")
    }

    /// Point selects.
    pub(crate) fn select(&self) -> Result<Vec<Figure>> {
        self.load(Workload::Select, "selects/s")
    }

    fn load(&self, workload: Workload, unit: &'static str) -> Result<Vec<Figure>> {
        let mut figures = Vec::new();
        let servers = self.servers()?;
        if workload == Workload::Select {
            // Nothing changes these rows, so they are made once.
            for (_, server) in &servers {
                let running = server.start()?;
                load::prepare(&running.target(), workload)?;
                running.stop()?;
            }
        }
        for &style in &self.styles {
            for &connections in &self.connections {
                let load = Load { workload, style, connections, warm_up: WARM_UP, duration: self.duration };
                let (name, how) = match (workload, style) {
                    (Workload::Insert, Style::Text) => ("insert", "batch / simple query"),
                    (Workload::Insert, Style::Parameters) => ("insert", "sp_executesql / prepared"),
                    (Workload::Select, Style::Text) => ("select", "batch / simple query"),
                    (Workload::Select, Style::Parameters) => ("select", "sp_executesql / prepared"),
                    (Workload::Transaction, _) => ("transaction", "batch / simple query"),
                };
                let aimed = style == Style::Text && (workload == Workload::Select || connections >= 16);
                let aim = aimed.then_some(Aim::RatioAtLeast(1.0));
                let figure = Figure::new(name, how, unit, aim).with_connections(connections);
                figures.push(self.in_turn(figure, &servers, |running| one_load(running, &load))?);
            }
        }
        Ok(figures)
    }

    /// Rows per second of a bulk load in one transaction.
    pub(crate) fn bulk(&self) -> Result<Figure> {
        let figure = Figure::new("bulk", "INSERT BULK / COPY", "rows/s", Some(Aim::RatioAtLeast(0.5)));
        self.in_turn(figure, &self.servers()?, |running| {
            let ready = bulk::prepare(&running.target(), BULK_ROWS)?;
            let spent = Spent::begin([running])?;
            let took = ready.run()?;
            let cores = Some(spent.end([running], took)?);
            let rate = f64::from(BULK_ROWS) / took.as_secs_f64();
            Ok(Sample { cores, ..Sample::of(rate) })
        })
    }

    /// Bytes of log per insert, from one connection.
    pub(crate) fn log(&self) -> Result<Figure> {
        let load = Load {
            workload: Workload::Insert,
            style: Style::Text,
            connections: 1,
            warm_up: Duration::ZERO,
            duration: self.duration,
        };
        let figure = Figure::new("log", "per insert", "bytes", Some(Aim::AtMost(1024.0))).with_connections(1);
        let servers = self.servers()?;
        let data = servers.iter().map(|(_, s)| s.data()).next().unwrap_or_default();
        self.in_turn(figure, &servers, |running| {
            let target = running.target();
            load::prepare(&target, Workload::Insert)?;
            let before = log_position(&target, &data)?;
            let outcome = load::run(&target, &load)?;
            let bytes = log_position(&target, &data)?.saturating_sub(before);
            Ok(Sample::of(bytes as f64 / outcome.requests_all as f64))
        })
    }

    /// From the start of the process to the first answer, with data that was closed in order.
    pub(crate) fn start(&self) -> Result<Figure> {
        let mut figure = Figure::new("start", "to the first answer", "ms", Some(Aim::AtMost(300.0)));
        let servers = self.servers()?;
        for round in 1..=self.rounds {
            for (side, server) in &servers {
                progress(&format!("start: round {round}, {side:?}"));
                let running = server.start()?;
                figure.add(*side, Sample::of(running.ready_in.as_secs_f64() * 1000.0));
                running.stop()?;
            }
        }
        Ok(figure)
    }

    /// Memory after the start, and with idle connections; pages that processes share are counted once.
    pub(crate) fn memory(&self) -> Result<Vec<Figure>> {
        let mut alone = Figure::new("memory", "idle", "MiB", Some(Aim::AtMost(40.0)));
        let mut crowd = Figure::new("memory", "idle", "MiB", None).with_connections(IDLE_CONNECTIONS as u32);
        let servers = self.servers()?;
        for round in 1..=self.rounds {
            for (side, server) in &servers {
                progress(&format!("memory: round {round}, {side:?}"));
                let running = server.start()?;
                let mib = || -> Result<Sample> {
                    std::thread::sleep(IDLE);
                    Ok(Sample::of(running.memory()? as f64 / f64::from(1 << 20)))
                };
                alone.add(*side, mib()?);
                let mut sessions: Vec<Session> = Vec::new();
                for _ in 0..IDLE_CONNECTIONS {
                    let mut session = running.target().open()?;
                    session.run("SELECT 1")?;
                    sessions.push(session);
                }
                crowd.add(*side, mib()?);
                drop(sessions);
                running.stop()?;
            }
        }
        Ok(vec![alone, crowd])
    }

    /// Both sides, or ours alone, with fresh data.
    fn servers(&self) -> Result<Vec<(Side, Server)>> {
        let mut out = vec![(Side::Milink, Server::create(Side::Milink, &self.milink, &self.dir)?)];
        if let Some(postgres) = &self.postgres {
            out.push((Side::Postgres, Server::create(Side::Postgres, postgres, &self.dir)?));
        }
        Ok(out)
    }

    /// Lets the sides take turns; only one of them runs at a time, and each starts anew.
    fn in_turn(
        &self,
        mut figure: Figure,
        servers: &[(Side, Server)],
        measure: impl Fn(&Running) -> Result<Sample>,
    ) -> Result<Figure> {
        for round in 1..=self.rounds {
            for (side, server) in servers {
                let running = server.start()?;
                let sample = measure(&running)?;
                running.stop()?;
                progress(&format!("{}: round {round}, {side:?}: {:.0}", figure.title(), sample.value));
                figure.add(*side, sample);
            }
        }
        Ok(figure)
    }
}

fn one_load(running: &Running, load: &Load) -> Result<Sample> {
    let target = running.target();
    if load.workload == Workload::Insert {
        load::prepare(&target, load.workload)?;
    }
    let spent = Spent::begin([running])?;
    let outcome = load::run(&target, load)?;
    let cores = spent.end([running], load.warm_up + load.duration)?;
    Ok(Sample {
        value: outcome.rate,
        p50_us: Some(outcome.p50_us),
        p99_us: Some(outcome.p99_us),
        cores: Some(cores),
    })
}

/// Processor time of the server, of the load generator, which is this process, and of the machine.
pub(crate) struct Spent {
    server: f64,
    driver: f64,
    machine: f64,
}

impl Spent {
    pub(crate) fn begin<'r>(servers: impl IntoIterator<Item = &'r Running>) -> Result<Spent> {
        Ok(Spent {
            server: cpu_seconds(servers)?,
            driver: process::own_cpu_seconds()?,
            machine: process::machine_cpu_seconds()?,
        })
    }

    /// Who kept how many cores busy since.
    pub(crate) fn end<'r>(
        &self,
        servers: impl IntoIterator<Item = &'r Running>,
        took: Duration,
    ) -> Result<Cores> {
        let cores = |seconds: f64| seconds / took.as_secs_f64();
        let server = cores(cpu_seconds(servers)? - self.server);
        let driver = cores(process::own_cpu_seconds()? - self.driver);
        let machine = cores(process::machine_cpu_seconds()? - self.machine);
        Ok(Cores { server, driver, others: (machine - server - driver).max(0.0) })
    }
}

fn cpu_seconds<'r>(servers: impl IntoIterator<Item = &'r Running>) -> Result<f64> {
    servers.into_iter().map(Running::cpu_seconds).sum()
}

/// Where the log ends, in bytes from some beginning.
fn log_position(target: &Target, data: &Path) -> Result<u64> {
    let mut session = target.open()?;
    match session {
        Session::Postgres(_) => {
            let bytes = session.value("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")?;
            bytes.parse().map_err(|e| format!("pg_current_wal_lsn gave {bytes}: {e}"))
        }
        Session::Tds(_) => newest_segment_end(data),
    }
}

/// The instance tells nobody its position yet, so it is read where it is written: a segment is called after the LSN with which
/// it begins, has a header, then records, then the zeros that it was made with.
fn newest_segment_end(data: &Path) -> Result<u64> {
    const HEADER: usize = 64;
    let list = |folder: &Path| -> Result<Vec<PathBuf>> {
        let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        Ok(entries.flatten().map(|entry| entry.path()).collect())
    };
    let mut newest: Option<(u64, PathBuf)> = None;
    // The one user database has a folder of its own, `db` and its id.
    for folder in
        list(data)?.iter().filter(|p| p.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b"db")))
    {
        for path in list(folder)? {
            newest = newest.max(segment_start(&path).map(|start| (start, path)));
        }
    }
    let (start, path) = newest.ok_or_else(|| format!("{} has no log segment", data.display()))?;
    let bytes = std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let used = bytes.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
    Ok(start + used.saturating_sub(HEADER) as u64)
}

fn segment_start(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?.strip_suffix(".log")?;
    u64::from_str_radix(name, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logs_end_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("db5-1");
        std::fs::create_dir_all(&log).unwrap();
        std::fs::write(log.join("0000000000000100.log"), [1; 200]).unwrap();
        let newest: Vec<u8> = [&[1; 64][..], &[2; 10], &[0; 90]].concat();
        std::fs::write(log.join("0000000000000200.log"), newest).unwrap();
        std::fs::write(log.join("spare.new"), [1; 500]).unwrap();
        assert_eq!(newest_segment_end(folder.path()), Ok(0x200 + 10));
        assert!(newest_segment_end(&log).is_err());
    }
}
