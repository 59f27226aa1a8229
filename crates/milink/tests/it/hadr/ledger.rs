//! Writers under load, who remember what was acknowledged to them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU16, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::client::{Failure, Sql};
use super::pair::DB;
use super::server::Server;
use super::{SOON, eventually};

/// What they write to.
pub(crate) const TABLE: &str = "CREATE TABLE ledger (w int NOT NULL, n int NOT NULL, pad varchar(400), PRIMARY KEY (w, n)) \
     CREATE TABLE totals (w int NOT NULL PRIMARY KEY, n int NOT NULL)";

/// Some writers, each with rows 1, 2, 3, ... of its own.
pub(crate) struct Ledger {
    acknowledged: Arc<Vec<AtomicI64>>,
}

/// Writers at work, until they are stopped.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    port: Arc<AtomicU16>,
    writers: Vec<JoinHandle<()>>,
}

impl Ledger {
    pub(crate) fn new(writers: usize) -> Ledger {
        Ledger { acknowledged: Arc::new((0..writers).map(|_| AtomicI64::new(0)).collect()) }
    }

    /// How many commits were acknowledged.
    pub(crate) fn total(&self) -> i64 {
        self.acknowledged.iter().map(|a| a.load(Ordering::SeqCst)).sum()
    }

    /// Starts the writers. They go on where they were; a commit in doubt is looked up before it is made again. An end of
    /// their connection, or an error, makes them connect anew to whoever is primary then ([`Load::redirect`]).
    pub(crate) fn write_to(&self, primary: &Server) -> Load {
        let (stop, port) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU16::new(primary.port())));
        let writers = (0..self.acknowledged.len())
            .map(|w| {
                let (stop, port, acknowledged) =
                    (Arc::clone(&stop), Arc::clone(&port), Arc::clone(&self.acknowledged));
                std::thread::spawn(move || {
                    while !stop.load(Ordering::SeqCst) {
                        // Whatever has gone wrong, it is tried again until it is stopped; tests look at what has come of it.
                        drop(write(&stop, port.load(Ordering::SeqCst), w, &acknowledged[w]));
                        std::thread::sleep(Duration::from_millis(5));
                    }
                })
            })
            .collect();
        Load { stop, port, writers }
    }

    /// What was acknowledged is there, without gaps, and nothing is there by half.
    pub(crate) fn check(&self, server: &Server) {
        let mut sql = server.sql(DB);
        // Before it is looked up: more may be acknowledged meanwhile.
        let told: Vec<i64> = self.acknowledged.iter().map(|a| a.load(Ordering::SeqCst)).collect();
        let there = sql.run(
            "SELECT t.w, COUNT(l.n), ISNULL(MAX(l.n), 0), MAX(t.n) FROM totals t LEFT JOIN ledger l ON l.w = t.w GROUP BY t.w",
        );
        for (w, acknowledged) in told.into_iter().enumerate() {
            let row = there.iter().find(|row| row[0] == w.to_string());
            let Some(row) = row else {
                assert_eq!(acknowledged, 0, "{}: nothing of writer {w}", server.name);
                continue;
            };
            let [count, most, total] = [1, 2, 3].map(|n| row[n].parse::<i64>().unwrap());
            assert!(
                most >= acknowledged,
                "{}: writer {w} was told {acknowledged} and {most} is there",
                server.name
            );
            assert_eq!(count, most, "{}: writer {w} has gaps", server.name);
            assert_eq!(total, most, "{}: half a transaction of writer {w}", server.name);
        }
    }
}

impl Load {
    /// The writers' next connection goes there.
    pub(crate) fn redirect(&self, primary: &Server) {
        self.port.store(primary.port(), Ordering::SeqCst);
    }

    /// Lets the writers finish what they are doing. One that waits for an answer is given the time that it takes.
    pub(crate) fn stop(mut self) {
        self.stop.store(true, Ordering::SeqCst);
        for writer in self.writers.drain(..) {
            writer.join().unwrap();
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

/// Writes until something fails or it is stopped.
fn write(stop: &AtomicBool, port: u16, w: usize, acknowledged: &AtomicI64) -> Result<(), Failure> {
    let mut sql = Sql::open(port, DB)?;
    let mut doubt = true;
    while !stop.load(Ordering::SeqCst) {
        let n = acknowledged.load(Ordering::SeqCst) + 1;
        let known = doubt && {
            let rows = sql.rows(&format!("SELECT n FROM totals WHERE w = {w} AND n >= {n}"))?;
            doubt = false;
            !rows.is_empty()
        };
        if !known {
            let total = if n == 1 {
                format!("INSERT INTO totals VALUES ({w}, 1)")
            } else {
                format!("UPDATE totals SET n = {n} WHERE w = {w}")
            };
            sql.rows(&format!(
                "SET XACT_ABORT ON BEGIN TRAN INSERT INTO ledger VALUES ({w}, {n}, REPLICATE('x', {})) {total} COMMIT",
                n % 400
            ))?;
        }
        acknowledged.store(n, Ordering::SeqCst);
    }
    Ok(())
}

/// Waits until so many more commits have been acknowledged.
pub(crate) fn wait_for_commits(ledger: &Ledger, more: i64) {
    let from = ledger.total();
    eventually("commits are acknowledged", SOON, || {
        let made = ledger.total() - from;
        if made >= more { Ok(()) } else { Err(format!("{made} of {more}")) }
    });
}
