//! What is measured of two servers that replicate, each beside PostgreSQL's streaming replication.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use bench_driver::bulk;
use bench_driver::groups::Mode;
use bench_driver::lag::{self, Paced};
use bench_driver::load::{self, Load, Style, Workload};
use bench_driver::outage::Writer;
use bench_driver::statistics::percentile;

use super::measure::{Bench, Spent, WARM_UP};
use super::pair::{DRAIN, Pair, RunningPair, Setup};
use super::report::{Aim, Figure, Sample};
use super::server::Side;
use super::{Result, progress};

/// Commits a second while lag is measured.
const LAG_RATE: u32 = 2000;
/// The connections that make them.
const LAG_CONNECTIONS: u32 = 8;
/// Transactions after which roles change again.
const ROWS_BETWEEN_CHANGES: u64 = 50;
/// The connections with which shipped bytes are counted.
const BYTES_CONNECTIONS: [u32; 2] = [1, 16];

impl Bench {
    /// Commits that both sides have hardened before they are acknowledged; and the bytes that each costs on the wire.
    pub(crate) fn sync_commits(&self) -> Result<Vec<Figure>> {
        let mut figures = Vec::new();
        let pairs = self.pairs(Mode::Synchronous, false)?;
        for &connections in &self.connections {
            let aim = Some(Aim::RatioAtLeast(1.0));
            let mut figure = Figure::new("sync-commits", "insert and update", "commits/s", aim)
                .with_connections(connections);
            for round in 1..=self.rounds {
                for (side, pair) in &pairs {
                    let sample = self.commits_of(&pair.start()?, connections)?;
                    progress(&format!("{}: round {round}, {side:?}: {:.0}", figure.title(), sample.value));
                    figure.add(*side, sample);
                }
            }
            figures.push(figure);
        }
        drop(pairs);
        figures.extend(self.shipped_bytes()?);
        Ok(figures)
    }

    fn commits_of(&self, running: &RunningPair<'_>, connections: u32) -> Result<Sample> {
        let load = self.transactions(connections);
        prepare(running)?;
        let spent = Spent::begin(running.all())?;
        let outcome = load::run(&running.primary()?, &load)?;
        let cores = spent.end(running.all(), load.warm_up + load.duration)?;
        check(running, outcome.requests_all)?;
        Ok(Sample {
            value: outcome.rate,
            p50_us: Some(outcome.p50_us),
            p99_us: Some(outcome.p99_us),
            cores: Some(cores),
        })
    }

    fn transactions(&self, connections: u32) -> Load {
        let (workload, style) = (Workload::Transaction, Style::Text);
        Load { workload, style, connections, warm_up: WARM_UP, duration: self.duration }
    }

    /// Bytes on the wire for each of those commits, with all that goes back.
    fn shipped_bytes(&self) -> Result<Vec<Figure>> {
        let mut figures = Vec::new();
        let pairs = self.pairs(Mode::Synchronous, true)?;
        for connections in BYTES_CONNECTIONS {
            let figure = |how, aim| Figure::new("shipped", how, "bytes", aim).with_connections(connections);
            let mut both = figure("both ways, for each commit", Some(Aim::AtMost(1024.0)));
            let mut there = figure("to the secondary alone", None);
            for (side, pair) in &pairs {
                let running = pair.start()?;
                prepare(&running)?;
                let before = running.shipped()?;
                let outcome = load::run(&running.primary()?, &self.transactions(connections))?;
                check(&running, outcome.requests_all)?;
                std::thread::sleep(DRAIN);
                let after = running.shipped()?;
                let of = |bytes: u64| Sample::of(bytes as f64 / outcome.requests_all as f64);
                let (to, from) = (after.0 - before.0, after.1 - before.1);
                progress(&format!("{}: {side:?}: {:.0}", both.title(), of(to + from).value));
                both.add(*side, of(to + from));
                there.add(*side, of(to));
            }
            figures.extend([both, there]);
        }
        Ok(figures)
    }

    /// From a commit's acknowledgement to its being seen on the secondary, with asynchronous commit.
    pub(crate) fn lag(&self) -> Result<Vec<Figure>> {
        let pairs = self.pairs(Mode::Asynchronous, false)?;
        let aim = Some(Aim::RatioAtMost(0.5));
        let mut figures = ["p50", "p99", "max"].map(|how| Figure::new("lag", how, "us", aim));
        let mut rate = Figure::new("lag", "commits that were made", "commits/s", None);
        for round in 1..=self.rounds {
            for (side, pair) in &pairs {
                let running = pair.start()?;
                prepare(&running)?;
                let paced = Paced {
                    rate: LAG_RATE,
                    connections: LAG_CONNECTIONS,
                    warm_up: WARM_UP,
                    duration: self.duration,
                };
                let spent = Spent::begin(running.all())?;
                let lag = lag::run(&running.primary()?, &running.secondary()?, &paced)?;
                let cores = Some(spent.end(running.all(), paced.warm_up + paced.duration)?);
                let us = |share| percentile(&lag.sorted_ns, share) as f64 / 1000.0;
                progress(&format!(
                    "lag: round {round}, {side:?}: {:.0}, {:.0}, {:.0} us; {:.0} commits/s, {:.0} reads/s",
                    us(0.5),
                    us(0.99),
                    us(1.0),
                    lag.rate,
                    lag.reads
                ));
                for (figure, share) in figures.iter_mut().zip([0.5, 0.99, 1.0]) {
                    figure.add(*side, Sample::of(us(share)));
                }
                rate.add(*side, Sample { cores, ..Sample::of(lag.rate) });
                running.stop()?;
            }
        }
        Ok(figures.into_iter().chain([rate]).collect())
    }

    /// The first copy of a database: from JOIN until it can be read, beside `pg_basebackup`, and beside `cp` with fsync.
    pub(crate) fn seeding(&self) -> Result<Vec<Figure>> {
        let mut plain = Figure::new("seeding", "beside pg_basebackup", "MB/s", None);
        let mut packed = Figure::new("seeding", "with trace flag 9567", "MB/s", None);
        let mut copied = Figure::new("seeding", "beside cp and fsync", "MB/s", Some(Aim::RatioAtLeast(0.6)));
        let setup = Setup { mode: Mode::Asynchronous, counted: false };
        let ours = Pair::create(Side::Milink, &self.milink, &self.dir, setup)?;
        let running = RunningPair::of(&ours, [ours.start_server(0)?, ours.start_server(1)?]);
        let link = running.link()?;
        progress("seeding: filling the databases");
        bulk::fill(&running.primary()?, self.seeding_bytes)?;
        link.prepare()?;
        link.back_up(ours.server(0).folder())?;
        let peer = match &self.postgres {
            Some(postgres) => {
                let pair = Pair::create(Side::Postgres, postgres, &self.dir, setup)?;
                let primary = pair.start_server(0)?;
                bulk::fill(&primary.target(), self.seeding_bytes)?;
                primary.target().open()?.run("CHECKPOINT")?;
                Some((pair, primary))
            }
            None => None,
        };
        for round in 1..=self.rounds {
            for (flag, figure) in [("TRACEOFF", &mut plain), ("TRACEON", &mut packed)] {
                link.a.run(&format!("DBCC {flag} (9567, -1)"))?;
                link.create()?;
                let begun = Instant::now();
                link.join()?;
                link.wait_readable("SELECT COUNT(*) FROM pages WHERE id = 1")?;
                let took = begun.elapsed();
                let bytes = std::fs::metadata(data_file(&ours.server(0).data())?)
                    .map_err(|e| format!("the data file: {e}"))?
                    .len();
                let rate = per_second(bytes, took);
                progress(&format!("{}: round {round}, {:?}: {rate:.0}", figure.title(), Side::Milink));
                figure.add(Side::Milink, Sample::of(rate));
                if flag == "TRACEOFF" {
                    copied.add(Side::Milink, Sample::of(rate));
                }
                link.wait_steady(&link.a)?;
                running.wait_equal("SELECT COUNT(*) FROM pages")?;
                link.remove()?;
            }
            let copy = copy(&data_file(&ours.server(0).data())?, &self.dir)?;
            progress(&format!("{}: round {round}, cp: {copy:.0}", copied.title()));
            copied.add(Side::Postgres, Sample::of(copy));
            if let Some((pair, primary)) = &peer {
                let rate = base_backup(self, pair, primary.address().port())?;
                progress(&format!("{}: round {round}, {:?}: {rate:.0}", plain.title(), Side::Postgres));
                plain.add(Side::Postgres, Sample::of(rate));
                packed.add(Side::Postgres, Sample::of(rate));
            }
        }
        Ok(vec![plain, packed, copied])
    }

    /// From the last write on the old primary to the first on the new one.
    pub(crate) fn role_change(&self) -> Result<Vec<Figure>> {
        // Asynchronous on both sides, as links are: FAILOVER waits by itself until the secondary has everything, a clean stop
        // of PostgreSQL ships everything, and neither new primary waits for a standby that is not there yet.
        let pairs = self.pairs(Mode::Asynchronous, false)?;
        let mut changing = Vec::new();
        for (side, pair) in &pairs {
            let running = pair.start()?;
            load::prepare(&running.primary()?, Workload::Insert)?;
            changing.push((*side, running, Vec::new()));
        }
        for round in 1..=self.role_changes {
            for (side, running, outages) in &mut changing {
                let outage = change_roles(running).map_err(|e| format!("round {round}, {side:?}: {e}"))?;
                outages.push(outage.as_nanos() as u64);
                if round % 10 == 0 {
                    progress(&format!(
                        "role-change: round {round}, {side:?}: {:.0} ms",
                        outage.as_secs_f64() * 1000.0
                    ));
                }
            }
        }
        let mut figures = [
            Figure::new("role-change", "p50", "ms", None),
            Figure::new("role-change", "p99", "ms", Some(Aim::AtMost(150.0))),
        ];
        for (side, running, mut outages) in changing {
            outages.sort_unstable();
            for (figure, share) in figures.iter_mut().zip([0.5, 0.99]) {
                figure.add(side, Sample::of(percentile(&outages, share) as f64 / 1e6));
            }
            running.wait_equal("SELECT COUNT(*) FROM t")?;
            running.stop()?;
        }
        Ok(figures.into())
    }

    fn pairs(&self, mode: Mode, counted: bool) -> Result<Vec<(Side, Pair)>> {
        let setup = Setup { mode, counted };
        let mut out =
            vec![(Side::Milink, Pair::create_linked(Side::Milink, &self.milink, &self.dir, setup)?)];
        if let Some(postgres) = &self.postgres {
            out.push((Side::Postgres, Pair::create_linked(Side::Postgres, postgres, &self.dir, setup)?));
        }
        Ok(out)
    }
}

/// Makes the tables of the transactions, and waits until the secondary has them and follows.
fn prepare(running: &RunningPair<'_>) -> Result<()> {
    load::prepare(&running.primary()?, Workload::Transaction)?;
    running.wait_equal("SELECT COUNT(*) FROM balances")?;
    running.wait_steady()
}

/// What was acknowledged is on the secondary, and it still follows in the mode that was asked for.
fn check(running: &RunningPair<'_>, acknowledged: u64) -> Result<()> {
    running.wait_steady()?;
    let rows = running.wait_equal("SELECT COUNT(*) FROM t")?;
    if rows == acknowledged.to_string() {
        return Ok(());
    }
    Err(format!("{acknowledged} commits were acknowledged, and {rows} rows are there"))
}

/// One change of roles, up to the old primary's following the new one; how long nobody could write.
fn change_roles(running: &mut RunningPair<'_>) -> Result<Duration> {
    let from = running.primary()?;
    let to = running.secondary()?;
    let rows = |target: &bench_driver::Target| -> Result<u64> {
        target.open()?.value("SELECT COUNT(*) FROM t")?.parse().map_err(|e| format!("a count of rows: {e}"))
    };
    load::prepare(&from, Workload::Insert)?;
    running.wait_equal("SELECT COUNT(*) FROM t")?;
    let writer = Writer::start([from, to.clone()])?;
    writer.wait_for_rows(ROWS_BETWEEN_CHANGES)?;
    running.hand_over()?;
    let outage = writer.outage(0)?;
    writer.wait_for_rows(ROWS_BETWEEN_CHANGES)?;
    let written = writer.stop();
    let there = rows(&to)?;
    if !(written.acknowledged..=written.acknowledged + written.unknown).contains(&there) {
        return Err(format!("{written:?}, but {there} rows are there"));
    }
    running.settle()?;
    Ok(outage)
}

/// MB/s of `pg_basebackup`, which syncs what it has written, into a folder that is removed again.
fn base_backup(bench: &Bench, pair: &Pair, port: u16) -> Result<f64> {
    let postgres = bench.postgres.as_ref().ok_or("there is no PostgreSQL")?;
    let target = super::server::Server::empty(Side::Postgres, postgres, &bench.dir)?;
    let begun = Instant::now();
    target.copy_of(port)?;
    let took = begun.elapsed();
    // The log that goes with it is counted as well: it was written.
    let bytes = size(&target.data())?;
    let there = size(&pair.server(0).data().join("base"))?;
    if bytes < there {
        return Err(format!("the copy has {bytes} bytes, the cluster {there}"));
    }
    Ok(per_second(bytes, took))
}

/// MB/s of `cp` and a sync of the copy, which is removed again.
fn copy(file: &Path, dir: &Path) -> Result<f64> {
    let folder = tempfile::tempdir_in(dir).map_err(|e| format!("a folder in {}: {e}", dir.display()))?;
    let there = folder.path().join("copy");
    let bytes = std::fs::metadata(file).map_err(|e| format!("{}: {e}", file.display()))?.len();
    let begun = Instant::now();
    let run = |command: &mut Command| {
        let status = command.status().map_err(|e| format!("{command:?}: {e}"))?;
        if status.success() { Ok(()) } else { Err(format!("{command:?} ended with {status}")) }
    };
    run(Command::new("cp").args(["--reflink=never", "--sparse=never"]).arg(file).arg(&there))?;
    run(Command::new("sync").arg(&there))?;
    Ok(per_second(bytes, begun.elapsed()))
}

fn per_second(bytes: u64, took: Duration) -> f64 {
    bytes as f64 / 1e6 / took.as_secs_f64()
}

/// The largest file under an instance's data: the database that was filled, not its log.
fn data_file(data: &Path) -> Result<PathBuf> {
    let mut files = Vec::new();
    walk(data, &mut files)?;
    files
        .into_iter()
        .filter(|(path, _)| path.extension().is_none_or(|e| e != "log" && e != "new"))
        .max_by_key(|(_, bytes)| *bytes)
        .map(|(path, _)| path)
        .ok_or_else(|| format!("{} has no files", data.display()))
}

fn size(folder: &Path) -> Result<u64> {
    let mut files = Vec::new();
    walk(folder, &mut files)?;
    Ok(files.iter().map(|(_, bytes)| bytes).sum())
}

fn walk(folder: &Path, files: &mut Vec<(PathBuf, u64)>) -> Result<()> {
    let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    for entry in entries.flatten() {
        // A file of a server that runs may be gone by now.
        let Ok(about) = entry.metadata() else { continue };
        if about.is_dir() {
            walk(&entry.path(), files)?;
        } else {
            files.push((entry.path(), about.len()));
        }
    }
    Ok(())
}
