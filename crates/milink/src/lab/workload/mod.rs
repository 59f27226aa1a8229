//! `milink lab workload`: writers, the one who watches, and the verdict.
//!
//! [`ledger`] knows what must be there, [`progress`] counts while it runs, [`session`] is a connection, [`graded`] says it in the words of
//! a drill; here are the writers, who follow the primary, and what is shown.

mod graded;
mod ledger;
mod progress;
mod session;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use lab::{Client, Side};
use serde::Serialize;

use super::{Done, Failure as VerbFailure, Output, Where, print, print_json, report};
use ledger::{Found, Order, Outcome, Tape, Verdict, judge};
use progress::{Lag, Progress};
use session::{Failure, Session, Sides};

#[derive(Debug, Args)]
pub(crate) struct Workload {
    #[command(flatten)]
    place: Where,
    /// Commits a second, of all connections together.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// Connections that write.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    connections: u32,
    /// How long; Ctrl-C ends it earlier, with the verdict.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// The database [default: the lab's sample].
    #[arg(long)]
    database: Option<String>,
    /// Where to write.
    #[arg(long, value_enum, default_value = "primary")]
    against: Against,
    /// Seconds to wait for the answer to a commit.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=600))]
    timeout: u32,
    /// Seconds that the secondary is given to catch up in the end.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(0..=3_600))]
    settle: u32,
    /// The form of the verdict.
    #[arg(long, short, value_enum, default_value = "table")]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Against {
    /// SQL Server, whatever its role.
    Sqlserver,
    /// The managed instance, whatever its role.
    Managed,
    /// Whoever is primary.
    Primary,
}

impl Against {
    fn sides(self) -> &'static [Side] {
        match self {
            Against::Sqlserver => &[Side::SqlServer],
            Against::Managed => &[Side::Managed],
            Against::Primary => Side::ALL,
        }
    }
}

const TABLES: &str = "\
IF OBJECT_ID(N'dbo.milink_workload_orders') IS NULL
    CREATE TABLE dbo.milink_workload_orders (
        id bigint IDENTITY PRIMARY KEY, run int NOT NULL, client int NOT NULL, seq bigint NOT NULL,
        amount bigint NOT NULL, running_sum bigint NOT NULL, placed datetime2 NOT NULL DEFAULT SYSUTCDATETIME());
IF OBJECT_ID(N'dbo.milink_workload_lines') IS NULL
    CREATE TABLE dbo.milink_workload_lines (
        id bigint IDENTITY PRIMARY KEY, run int NOT NULL, client int NOT NULL, seq bigint NOT NULL,
        line int NOT NULL, amount bigint NOT NULL);
IF OBJECT_ID(N'dbo.milink_workload_clients') IS NULL
    CREATE TABLE dbo.milink_workload_clients (
        run int NOT NULL, client int NOT NULL, orders bigint NOT NULL, PRIMARY KEY (run, client));
SELECT ISNULL(MAX(run), 0) + 1 FROM dbo.milink_workload_clients";

/// How much is written, where, and how patiently.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    rate: u32,
    connections: u32,
    database: Option<String>,
    against: Against,
    timeout: Duration,
    settle: Duration,
}

impl Wish {
    /// So much, to whoever is primary, with the verb's own patience.
    pub(crate) fn of(rate: u32, connections: u32) -> Wish {
        Wish {
            rate,
            connections,
            database: None,
            against: Against::Primary,
            timeout: Duration::from_secs(10),
            settle: Duration::from_secs(30),
        }
    }
}

impl Workload {
    fn wish(&self) -> Wish {
        Wish {
            rate: self.rate,
            connections: self.connections,
            database: self.database.clone(),
            against: self.against,
            timeout: Duration::from_secs(self.timeout.into()),
            settle: Duration::from_secs(self.settle.into()),
        }
    }
}

/// What is told while it goes on.
pub(crate) enum Told {
    /// The first order is about to be written.
    Begins {
        /// Into which database.
        database: String,
        /// On which side.
        side: Side,
    },
    /// A second has passed.
    Sample(Sample),
    /// Nobody writes any more, and both sides are counted.
    Counting,
}

/// How it goes.
pub(crate) struct Sample {
    elapsed: Duration,
    acknowledged: u64,
    /// Since the sample before.
    commits: u64,
    refused: u64,
    uncertain: u64,
    outage: Duration,
    longest_pause: Duration,
    role_changes: u32,
    lag: Option<Lag>,
    primary: Option<Side>,
    error: Option<String>,
}

impl Sample {
    /// As a line for people.
    fn line(&self) -> String {
        let lag = self.lag.as_ref().map_or_else(
            || "lag unknown".to_owned(),
            |l| format!("lag {} ms ({} rows)", l.time.as_millis(), l.rows),
        );
        let error = self.error.as_ref().map(|e| format!("  last error: {e}")).unwrap_or_default();
        format!(
            "{:>5.0} s  {:>6} commits/s  {} refused, {} uncertain  outage {:.1} s  {lag}  primary {}{error}",
            self.elapsed.as_secs_f64(),
            self.commits,
            self.refused,
            self.uncertain,
            self.outage.as_secs_f64(),
            self.primary.map_or("unknown", Side::word),
        )
    }
}

/// What the writers and the watcher share. There is one thread.
struct Shared {
    sides: Sides,
    against: Against,
    run: String,
    interval: Duration,
    progress: RefCell<Progress>,
    tapes: RefCell<Vec<Tape>>,
    /// Where the last connection was good: asked first.
    preferred: RefCell<Side>,
    ending: RefCell<bool>,
    tell: Box<dyn Fn(Told)>,
}

/// What is said of a side in the end.
#[derive(Debug, Serialize)]
#[serde(tag = "checked", rename_all = "camelCase")]
enum Checked {
    Yes {
        primary: bool,
        #[serde(flatten)]
        verdict: Verdict,
    },
    No {
        reason: String,
    },
}

/// The whole result.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    schema_version: u32,
    seconds: f64,
    attempted: u64,
    acknowledged: u64,
    refused: u64,
    uncertain: u64,
    commits_per_second: f64,
    outage_ms: u64,
    longest_outage_ms: u64,
    longest_pause_ms: u64,
    role_changes: u32,
    lag_ms_max: Option<u64>,
    sides: BTreeMap<Side, Checked>,
    clean: bool,
}

pub(super) fn run(arguments: &Workload) -> Done {
    let (rate, connections, seconds) = (arguments.rate, arguments.connections, arguments.seconds);
    let tell = move |told: Told| match told {
        Told::Begins { database, side } => report(&format!(
            "Writing orders to {database}, first on {side}: {rate} commits/s, {connections} connections, {seconds} s"
        )),
        Told::Sample(sample) => report(&sample.line()),
        Told::Counting => {}
    };
    let until = async move {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(seconds.into())) => {}
            _ = tokio::signal::ctrl_c() => report("Ending; once more Ctrl-C gives up the verdict"),
        }
    };
    let report = write_orders(&arguments.place.client()?, &arguments.wish(), until, tell)?;
    match arguments.output {
        Output::Json => print_json(&report)?,
        Output::Table => print(&text(&report))?,
    }
    if report.clean { Ok(()) } else { Err(VerbFailure::Said) }
}

/// Writes until `until` ends, and counts both sides. It takes this thread.
pub(crate) fn write_orders(
    client: &Client,
    wish: &Wish,
    until: impl Future<Output = ()>,
    tell: impl Fn(Told) + 'static,
) -> Result<Report, VerbFailure> {
    let status = client.status()?;
    let database = match (&wish.database, status.lab.sample.database()) {
        (Some(database), _) => database.clone(),
        (None, Some(sample)) => sample.to_owned(),
        (None, None) => {
            return Err(VerbFailure::Error(
                "the lab has no sample: say which database with --database".to_owned(),
            ));
        }
    };
    let sides = Sides::new(&status, &database, wish.timeout);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| VerbFailure::Error(e.to_string()))?;
    tokio::task::LocalSet::new().block_on(&runtime, drive(wish, sides, until, Box::new(tell)))
}

async fn drive(
    wish: &Wish,
    sides: Sides,
    until: impl Future<Output = ()>,
    tell: Box<dyn Fn(Told)>,
) -> Result<Report, VerbFailure> {
    let database = sides.database().to_owned();
    let rate = f64::from(wish.rate);
    let shared = Rc::new(Shared {
        sides,
        against: wish.against,
        run: String::new(),
        interval: Duration::from_secs_f64(f64::from(wish.connections) / rate),
        progress: RefCell::new(Progress::new(Instant::now(), rate)),
        tapes: RefCell::new(vec![Tape::default(); wish.connections as usize]),
        preferred: RefCell::new(*wish.against.sides().first().unwrap_or(&Side::SqlServer)),
        ending: RefCell::new(false),
        tell,
    });
    let mut last = None;
    let opened = open_to_write(&shared, &mut last).await;
    let Some((side, mut session)) = opened else {
        let why = last.map_or_else(|| "nobody takes writes".to_owned(), |e| e.to_string());
        return Err(VerbFailure::Error(format!("nothing can be written to {database}: {why}")));
    };
    let made = session.rows(TABLES).await;
    let made = made.map_err(|e| VerbFailure::Error(format!("the workload's tables in {database}: {e}")))?;
    let run = made.last().and_then(|row| row.first()).cloned().unwrap_or_default();
    for client in 0..wish.connections {
        let begin =
            format!("INSERT dbo.milink_workload_clients (run, client, orders) VALUES ({run}, {client}, 0)");
        session.rows(&begin).await.map_err(|e| VerbFailure::Error(format!("the workload's clients: {e}")))?;
    }
    drop(session);
    let Ok(shared) = Rc::try_unwrap(shared) else {
        return Err(VerbFailure::Error("a writer before its time".to_owned()));
    };
    let progress = RefCell::new(Progress::new(Instant::now(), rate));
    let shared = Rc::new(Shared { run, progress, ..shared });
    (shared.tell)(Told::Begins { database, side });
    let writers: Vec<_> = (0..wish.connections)
        .map(|client| tokio::task::spawn_local(write(Rc::clone(&shared), client)))
        .collect();
    let watcher = tokio::task::spawn_local(watch(Rc::clone(&shared)));
    until.await;
    *shared.ending.borrow_mut() = true;
    let ended = Instant::now();
    let (outage, longest) = shared.progress.borrow().outage(ended);
    let pause = shared.progress.borrow().longest_pause(ended);
    for writer in writers {
        writer.await.map_err(|e| VerbFailure::Error(format!("a writer has a defect: {e}")))?;
    }
    let lag_max = watcher.await.map_err(|e| VerbFailure::Error(format!("the watcher has a defect: {e}")))?;
    (shared.tell)(Told::Counting);
    let sides = verify(&shared, wish.settle).await;
    let progress = shared.progress.borrow();
    let seconds = progress.elapsed(ended).as_secs_f64();
    let count = |outcome| shared.tapes.borrow().iter().map(|t| t.count(outcome)).sum::<u64>();
    let (acknowledged, refused, uncertain) =
        (count(Outcome::Acknowledged), count(Outcome::Refused), count(Outcome::Uncertain));
    Ok(Report {
        schema_version: 1,
        seconds,
        attempted: acknowledged + refused + uncertain,
        acknowledged,
        refused,
        uncertain,
        commits_per_second: acknowledged as f64 / seconds,
        outage_ms: outage.as_millis() as u64,
        longest_outage_ms: longest.as_millis() as u64,
        longest_pause_ms: pause.as_millis() as u64,
        role_changes: progress.role_changes,
        lag_ms_max: lag_max.map(|lag| lag.as_millis() as u64),
        clean: is_clean(&sides),
        sides,
    })
}

/// Whether all that was acknowledged is there, once, wherever it should be. Who cannot be asked proves nothing.
fn is_clean(sides: &BTreeMap<Side, Checked>) -> bool {
    let any_primary = sides.values().any(|s| matches!(s, Checked::Yes { primary: true, .. }));
    let all_clean = sides.values().all(|s| match s {
        Checked::Yes { verdict, .. } => verdict.is_clean(),
        Checked::No { .. } => true,
    });
    any_primary && all_clean
}

/// A connection to whoever takes writes; the side that did last is asked first.
async fn open_to_write(shared: &Shared, last: &mut Option<Failure>) -> Option<(Side, Session)> {
    let preferred = *shared.preferred.borrow();
    let mut order: Vec<Side> = shared.against.sides().to_vec();
    order.sort_by_key(|side| *side != preferred);
    for side in order {
        let opened = if shared.against == Against::Primary {
            shared.sides.open_primary(side).await
        } else {
            shared.sides.open(side).await.map(Some)
        };
        match opened {
            Ok(Some(session)) => {
                *shared.preferred.borrow_mut() = side;
                return Some((side, session));
            }
            Ok(None) => {}
            Err(e) => *last = Some(e),
        }
    }
    None
}

fn statement(run: &str, order: &Order) -> String {
    let Order { client, seq, amount, running_sum } = order;
    let [first, second] = order.lines();
    format!(
        "SET XACT_ABORT ON; SET NOCOUNT ON; BEGIN TRAN; \
         INSERT dbo.milink_workload_orders (run, client, seq, amount, running_sum) \
         VALUES ({run}, {client}, {seq}, {amount}, {running_sum}); \
         INSERT dbo.milink_workload_lines (run, client, seq, line, amount) \
         VALUES ({run}, {client}, {seq}, 1, {first}), ({run}, {client}, {seq}, 2, {second}); \
         UPDATE dbo.milink_workload_clients SET orders = orders + 1 WHERE run = {run} AND client = {client}; \
         COMMIT"
    )
}

/// Writes one order after the other, at its rate, to whoever is primary.
async fn write(shared: Rc<Shared>, client: u32) {
    let mut session: Option<(Side, Session)> = None;
    // Not all at once.
    let mut due = Instant::now() + shared.interval.mul_f64(f64::from(client) / 1000.0 % 1.0);
    while !*shared.ending.borrow() {
        let Some((side, open)) = &mut session else {
            let mut last = None;
            session = open_to_write(&shared, &mut last).await;
            if session.is_none() {
                shared.progress.borrow_mut().last_error = last.map(|e| e.to_string());
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            continue;
        };
        tokio::time::sleep_until(due.into()).await;
        // What an outage has kept back is not caught up with.
        let now = Instant::now();
        due = (due + shared.interval).max(now.checked_sub(shared.interval).unwrap_or(now));
        if *shared.ending.borrow() {
            return;
        }
        let tape = |shared: &Shared, work: &mut dyn FnMut(&mut Tape)| {
            shared.tapes.borrow_mut().get_mut(client as usize).into_iter().for_each(work);
        };
        let mut order = None;
        tape(&shared, &mut |t| order = Some(t.next(client)));
        let Some(order) = order else { return };
        let side = *side;
        let (outcome, error) = match open.rows(&statement(&shared.run, &order)).await {
            Ok(_) => (Outcome::Acknowledged, None),
            Err(e @ Failure::Refused { .. }) => (Outcome::Refused, Some(e)),
            Err(e @ Failure::Lost(_)) => (Outcome::Uncertain, Some(e)),
        };
        tape(&shared, &mut |t| t.note(outcome));
        let mut progress = shared.progress.borrow_mut();
        match outcome {
            Outcome::Acknowledged => progress.acknowledge(Instant::now(), side),
            Outcome::Refused => progress.refused += 1,
            Outcome::Uncertain => progress.uncertain += 1,
        }
        if let Some(e) = error {
            progress.last_error = Some(e.to_string());
            // Whoever refused may be primary no longer.
            session = None;
        }
    }
}

/// Shows how it goes, once a second, and how far the other side is behind; the longest lag that was seen, if any could be.
async fn watch(shared: Rc<Shared>) -> Option<Duration> {
    let mut follower: Option<(Side, Session)> = None;
    let mut longest = None;
    let (mut before, mut due) = (0, Instant::now());
    loop {
        due += Duration::from_secs(1);
        while Instant::now() < due {
            if *shared.ending.borrow() {
                return longest;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let primary = shared.progress.borrow().primary;
        let lag = match primary {
            Some(primary) => lag(&shared, primary.other(), &mut follower).await,
            None => None,
        };
        longest = longest.max(lag.as_ref().map(|l| l.time));
        let now = Instant::now();
        let error = shared.progress.borrow_mut().last_error.take();
        let progress = shared.progress.borrow();
        let (outage, _) = progress.outage(now);
        (shared.tell)(Told::Sample(Sample {
            elapsed: progress.elapsed(now),
            acknowledged: progress.acknowledged,
            commits: progress.acknowledged - before,
            refused: progress.refused,
            uncertain: progress.uncertain,
            outage,
            longest_pause: progress.longest_pause(now),
            role_changes: progress.role_changes,
            lag,
            primary,
            error,
        }));
        before = progress.acknowledged;
    }
}

/// How far a side is behind; nothing if it cannot be asked.
async fn lag(shared: &Shared, side: Side, follower: &mut Option<(Side, Session)>) -> Option<Lag> {
    if follower.as_ref().is_none_or(|(known, _)| *known != side) {
        *follower = shared.sides.open(side).await.ok().map(|session| (side, session));
    }
    let (_, session) = follower.as_mut()?;
    let asked = format!("SELECT SUM(orders) FROM dbo.milink_workload_clients WHERE run = {}", shared.run);
    match session.rows(&asked).await {
        Ok(rows) => {
            let shown = rows.first()?.first()?.parse().ok()?;
            Some(shared.progress.borrow().lag(Instant::now(), shown))
        }
        Err(_) => {
            *follower = None;
            None
        }
    }
}

/// Looks at both sides until all that must be there is, or the time is over.
async fn verify(shared: &Shared, settle: Duration) -> BTreeMap<Side, Checked> {
    let until = Instant::now() + settle;
    let mut out = BTreeMap::new();
    for side in Side::ALL {
        let checked = loop {
            let checked = check(shared, *side).await;
            let settled = match &checked {
                Ok((_, verdict)) => verdict.is_clean(),
                Err(e) => e.is_absent() && shared.sides.lacks_database(*side).await,
            };
            if settled || Instant::now() >= until {
                break checked;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        };
        out.insert(
            *side,
            match checked {
                Ok((primary, verdict)) => Checked::Yes { primary, verdict },
                Err(e) => Checked::No { reason: e.to_string() },
            },
        );
    }
    out
}

async fn check(shared: &Shared, side: Side) -> Result<(bool, Verdict), Failure> {
    let mut session = shared.sides.open(side).await?;
    let run = &shared.run;
    let primary = session
        .rows("SELECT ISNULL(CONVERT(int, sys.fn_hadr_is_primary_replica(DB_NAME())), 1)")
        .await?
        .first()
        .is_some_and(|row| row.first().is_some_and(|v| v == "1"));
    let number = |text: &str| text.parse::<i64>().unwrap_or(i64::MIN);
    let mut found = BTreeMap::new();
    let orders = session
        .rows(&format!(
            "SELECT client, seq, COUNT_BIG(*), MIN(amount), MIN(running_sum) FROM dbo.milink_workload_orders \
             WHERE run = {run} GROUP BY client, seq"
        ))
        .await?;
    for row in orders {
        let [client, seq, rows, amount, running_sum] = &row[..] else { continue };
        let one = Found {
            rows: number(rows) as u64,
            amount: number(amount),
            running_sum: number(running_sum),
            lines: 0,
            lines_sum: 0,
        };
        found.insert((number(client) as u32, number(seq) as u64), one);
    }
    let lines = session
        .rows(&format!(
            "SELECT client, seq, COUNT_BIG(*), SUM(amount) FROM dbo.milink_workload_lines \
             WHERE run = {run} GROUP BY client, seq"
        ))
        .await?;
    for row in lines {
        let [client, seq, lines, sum] = &row[..] else { continue };
        let key = (number(client) as u32, number(seq) as u64);
        // Lines of no order are half an order.
        let order =
            found.entry(key).or_insert(Found { rows: 0, amount: 0, running_sum: 0, lines: 0, lines_sum: 0 });
        order.lines = number(lines) as u64;
        order.lines_sum = number(sum);
    }
    Ok((primary, judge(&shared.tapes.borrow(), &found)))
}

/// The result for people.
fn text(report: &Report) -> String {
    let mut out = format!(
        "{} orders acknowledged in {:.1} s ({:.0} commits/s), {} refused, {} without an answer\n\
         outage {:.1} s in all, {:.1} s the longest; longest pause between commits {} ms; {}; {} role changes\n",
        report.acknowledged,
        report.seconds,
        report.commits_per_second,
        report.refused,
        report.uncertain,
        report.outage_ms as f64 / 1000.0,
        report.longest_outage_ms as f64 / 1000.0,
        report.longest_pause_ms,
        report.lag_ms_max.map_or_else(|| "lag unknown".to_owned(), |ms| format!("lag up to {ms} ms")),
        report.role_changes
    );
    for (side, checked) in &report.sides {
        out.push_str(&match checked {
            Checked::No { reason } => format!("{side}: not checked: {reason}\n"),
            Checked::Yes { primary, verdict } => {
                let role = if *primary { "primary" } else { "secondary" };
                let v = verdict;
                format!(
                    "{side} ({role}): {} lost, {} not there yet, {} doubled, {} damaged, {} unwanted; \
                     of those without an answer {} are there\n",
                    v.lost, v.behind, v.doubled, v.damaged, v.unwanted, v.uncertain_there
                )
            }
        });
    }
    out.push_str(if report.clean {
        "Verdict: nothing that was acknowledged is lost or doubled\n"
    } else {
        "Verdict: NOT CLEAN: something that was acknowledged is lost, doubled or damaged, or could not be checked\n"
    });
    out
}
