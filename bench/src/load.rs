//! Many connections for a while.

use std::sync::Barrier;
use std::time::{Duration, Instant};

pub use crate::request::FIRST_KEY;
use crate::request::Request;
use crate::statistics::percentile;
use crate::{Result, Session, Target, postgres, tds};

/// The payload of every row: 50 characters.
pub const PAYLOAD: &str = "The quick brown fox jumps over the lazy dog twice.";
/// The rows of the table that is selected from.
pub const SELECT_ROWS: u32 = 100_000;
/// The keys that each connection has for itself: more than any can insert.
const KEYS_EACH: u32 = 15_000_000;
/// The rows that transactions update: one for each connection, and more, so that they lie on several pages.
const BALANCES: u32 = 1000;
/// What a text of VALUES may hold.
const ROWS_EACH_BATCH: u32 = 1000;

/// What each request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// Inserts one row with a new key, and commits it.
    Insert,
    /// Selects one row by its key.
    Select,
    /// Inserts one row with a new key, sets a row of the connection's own to that key, and commits both.
    Transaction,
}

/// How requests are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// A text with its values: SQLBatch, simple query.
    Text,
    /// Values apart from the text: sp_executesql, Bind and Execute of a prepared statement.
    Parameters,
}

/// A run.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// What each request does.
    pub workload: Workload,
    /// How requests are sent.
    pub style: Style,
    /// How many at once.
    pub connections: u32,
    /// Before measuring begins.
    pub warm_up: Duration,
    /// How long is measured.
    pub duration: Duration,
}

/// What a run gave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// Requests that were answered while measuring.
    pub requests: u64,
    /// Requests that were answered at all, with those of the warm-up.
    pub requests_all: u64,
    /// Requests a second.
    pub rate: f64,
    /// Half were answered within this.
    pub p50_us: f64,
    /// 99 of 100 were answered within this.
    pub p99_us: f64,
}

/// Makes the table `t` anew, filled if the workload reads; and what else the workload needs.
pub fn prepare(target: &Target, workload: Workload) -> Result<()> {
    let mut session = target.open()?;
    session.run("DROP TABLE IF EXISTS t")?;
    session.run("CREATE TABLE t (id int NOT NULL PRIMARY KEY, payload varchar(50) NOT NULL)")?;
    if workload == Workload::Select {
        for batch in 0..SELECT_ROWS / ROWS_EACH_BATCH {
            let first = FIRST_KEY + batch * ROWS_EACH_BATCH;
            let rows: Vec<String> =
                (first..first + ROWS_EACH_BATCH).map(|key| format!("({key}, '{PAYLOAD}')")).collect();
            session.run(&format!("INSERT INTO t VALUES {}", rows.join(", ")))?;
        }
    }
    if workload == Workload::Transaction {
        session.run("DROP TABLE IF EXISTS balances")?;
        session.run("CREATE TABLE balances (id int NOT NULL PRIMARY KEY, n int NOT NULL)")?;
        let rows: Vec<String> = (FIRST_KEY..FIRST_KEY + BALANCES).map(|key| format!("({key}, 0)")).collect();
        session.run(&format!("INSERT INTO balances VALUES {}", rows.join(", ")))?;
    }
    // PostgreSQL gathers statistics in the background; without them its first plans differ from its later ones.
    if let Session::Postgres(_) = session {
        session.run("ANALYZE t")?;
    }
    Ok(())
}

/// A session, and the transaction with holes for the new row's key, the value to set, and the row to set.
pub fn open_transaction(target: &Target) -> Result<(Session, Request)> {
    let mut session = target.open()?;
    let begin = match session {
        Session::Tds(_) => {
            // The rest of a batch after an error would commit half of the transaction.
            session.run("SET XACT_ABORT ON")?;
            "BEGIN TRANSACTION; INSERT INTO t VALUES ("
        }
        Session::Postgres(_) => "BEGIN; INSERT INTO t VALUES (",
    };
    let insert = format!(", '{PAYLOAD}'); UPDATE balances SET n = ");
    let request = session.request_with_keys(&[begin, &insert, " WHERE id = ", "; COMMIT"]);
    Ok((session, request))
}

/// The key before the first of a connection.
pub fn first_key(number: u32) -> u32 {
    FIRST_KEY + number * KEYS_EACH
}

/// Runs the load on the table that [`prepare`] made.
pub fn run(target: &Target, load: &Load) -> Result<Outcome> {
    let mut sessions = Vec::new();
    for number in 0..load.connections {
        sessions.push((number, open(target, load)?));
    }
    let barrier = Barrier::new(sessions.len());
    let done: Vec<Result<(u64, Vec<u64>)>> = std::thread::scope(|scope| {
        let threads: Vec<_> = sessions
            .into_iter()
            .map(|(number, (session, request))| {
                let barrier = &barrier;
                scope.spawn(move || drive(session, request, number, load, barrier))
            })
            .collect();
        threads
            .into_iter()
            .map(|t| t.join().unwrap_or_else(|_| Err("a thread of the load generator panicked".to_owned())))
            .collect()
    });
    let (mut requests_all, mut latencies) = (0, Vec::new());
    for outcome in done {
        let (all, measured) = outcome?;
        requests_all += all;
        latencies.extend(measured);
    }
    latencies.sort_unstable();
    let us = |share| percentile(&latencies, share) as f64 / 1000.0;
    Ok(Outcome {
        requests: latencies.len() as u64,
        requests_all,
        rate: latencies.len() as f64 / load.duration.as_secs_f64(),
        p50_us: us(0.5),
        p99_us: us(0.99),
    })
}

/// A session and the request that it will send.
fn open(target: &Target, load: &Load) -> Result<(Session, Request)> {
    let mut session = target.open()?;
    let request = match (&mut session, load.workload, load.style) {
        (Session::Tds(_), Workload::Insert, Style::Text) => {
            tds::batch_with_keys(&["INSERT INTO t VALUES (", &format!(", '{PAYLOAD}')")])
        }
        (Session::Tds(_), Workload::Select, Style::Text) => {
            tds::batch_with_keys(&["SELECT payload FROM t WHERE id = ", ""])
        }
        (Session::Tds(_), Workload::Insert, Style::Parameters) => {
            tds::rpc_with_key("INSERT INTO t VALUES (@k, @p)", Some(PAYLOAD))
        }
        (Session::Tds(_), Workload::Select, Style::Parameters) => {
            tds::rpc_with_key("SELECT payload FROM t WHERE id = @k", None)
        }
        (Session::Postgres(_), Workload::Insert, Style::Text) => {
            postgres::simple_with_keys(&["INSERT INTO t VALUES (", &format!(", '{PAYLOAD}')")])
        }
        (Session::Postgres(_), Workload::Select, Style::Text) => {
            postgres::simple_with_keys(&["SELECT payload FROM t WHERE id = ", ""])
        }
        (Session::Postgres(session), Workload::Insert, Style::Parameters) => {
            session.round_trip(&postgres::prepare("INSERT INTO t VALUES ($1, $2)"))?;
            postgres::prepared_with_key(Some(PAYLOAD))
        }
        (Session::Postgres(session), Workload::Select, Style::Parameters) => {
            session.round_trip(&postgres::prepare("SELECT payload FROM t WHERE id = $1"))?;
            postgres::prepared_with_key(None)
        }
        (_, Workload::Transaction, _) => return open_transaction(target),
    };
    Ok((session, request))
}

/// Sends requests until the time is over; gives their number and the measured ones' nanoseconds.
fn drive(
    mut session: Session,
    mut request: Request,
    number: u32,
    load: &Load,
    barrier: &Barrier,
) -> Result<(u64, Vec<u64>)> {
    let mut keys = Keys::new(load.workload, number);
    let mut latencies = Vec::with_capacity(1 << 16);
    let mut all = 0;
    barrier.wait();
    let begin = Instant::now();
    let (from, to) = (begin + load.warm_up, begin + load.warm_up + load.duration);
    let mut sent = begin;
    loop {
        let key = keys.next();
        let (bytes, expected) = match load.workload {
            Workload::Insert | Workload::Select => (request.with_key(key), 1),
            // COMMIT's.
            Workload::Transaction => (request.with_keys(&[key, key, FIRST_KEY + number]), 0),
        };
        let rows = session.round_trip(bytes)?;
        let answered = Instant::now();
        if rows != expected {
            return Err(format!("{:?} gave {rows} rows instead of {expected}", load.workload));
        }
        all += 1;
        if answered >= to {
            return Ok((all, latencies));
        }
        if answered >= from {
            latencies.push(answered.duration_since(sent).as_nanos() as u64);
        }
        sent = answered;
    }
}

/// The keys of one connection: one after the other to insert, at random to select.
struct Keys {
    workload: Workload,
    next: u32,
    random: u64,
}

impl Keys {
    fn new(workload: Workload, number: u32) -> Keys {
        let random = 0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(u64::from(number) + 1);
        Keys { workload, next: first_key(number), random }
    }

    fn next(&mut self) -> u32 {
        match self.workload {
            Workload::Insert | Workload::Transaction => {
                self.next += 1;
                self.next
            }
            Workload::Select => {
                // xorshift64: cheap, and the same keys in every run.
                self.random ^= self.random << 13;
                self.random ^= self.random >> 7;
                self.random ^= self.random << 17;
                FIRST_KEY + (self.random % u64::from(SELECT_ROWS)) as u32
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_that_they_should_be() {
        let mut first = Keys::new(Workload::Insert, 0);
        assert_eq!((first.next(), first.next()), (FIRST_KEY + 1, FIRST_KEY + 2));
        // 64 connections' keys are ints still.
        assert!(i32::try_from(FIRST_KEY + 64 * KEYS_EACH).is_ok());
        let mut select = Keys::new(Workload::Select, 3);
        assert!((0..1000).all(|_| (FIRST_KEY..FIRST_KEY + SELECT_ROWS).contains(&select.next())));
    }
}
