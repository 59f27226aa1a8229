//! SIGKILL under load: what was acknowledged is there, and nothing is there by half.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tiberius::EncryptionLevel;

use crate::Instance;
use crate::tiberius_client::connect;

const WRITERS: usize = 4;

/// Commits pairs of rows until the connection breaks; what was acknowledged is in `acked`.
async fn write(port: u16, writer: usize, first: i64, acked: Arc<AtomicI64>) {
    let Ok(mut client) = connect(port, "d", EncryptionLevel::NotSupported).await else { return };
    for n in first.. {
        // Both ways of committing, and rows of different sizes.
        let text = if n % 2 == 0 {
            format!(
                "BEGIN TRAN INSERT INTO a VALUES ({writer}, {n}, REPLICATE('x', {})) INSERT INTO b VALUES ({writer}, {n}) COMMIT",
                n % 3000
            )
        } else {
            format!(
                "SET XACT_ABORT ON BEGIN TRAN INSERT INTO b VALUES ({writer}, {n}) INSERT INTO a VALUES ({writer}, {n}, NULL) COMMIT"
            )
        };
        let done = match client.simple_query(text).await {
            Ok(stream) => stream.into_results().await.is_ok(),
            Err(_) => false,
        };
        if !done {
            return;
        }
        acked.store(n, Ordering::SeqCst);
    }
}

#[test]
fn every_acknowledged_commit_survives() {
    let rounds: usize = std::env::var("MILINK_CRASH_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(100);
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let lab = Instance::start(&data);
    lab.query("master", "CREATE DATABASE d");
    lab.query("d", "CREATE TABLE a (w int, n int, pad varchar(3000), PRIMARY KEY (w, n)) CREATE TABLE b (w int, n int, UNIQUE (w, n)) SELECT 1");
    lab.kill();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let acked: Vec<Arc<AtomicI64>> = (0..WRITERS).map(|_| Arc::new(AtomicI64::new(0))).collect();
    let mut seed = 0x2545_F491_4F6C_DD1D_u64;
    for round in 0..rounds {
        let lab = Instance::start(&data);
        let mut next = Vec::new();
        for (w, acked) in acked.iter().enumerate() {
            let known = lab.query("d", &format!("SELECT COUNT(*), ISNULL(MAX(n), 0) FROM a WHERE w = {w}"));
            let (count, most) = known
                .first()
                .and_then(|l| l.split_once('\t'))
                .map(|(c, m)| (c.parse::<i64>().unwrap(), m.parse::<i64>().unwrap()))
                .unwrap();
            assert!(
                most >= acked.load(Ordering::SeqCst),
                "round {round}: writer {w} was told {} and {most} is there",
                acked.load(Ordering::SeqCst)
            );
            assert_eq!(count, most, "round {round}: writer {w} has gaps");
            next.push(most + 1);
        }
        assert_eq!(lab.query("d", "SELECT COUNT(*) FROM a FULL JOIN b ON a.w = b.w AND a.n = b.n WHERE a.w IS NULL OR b.w IS NULL"), ["0"], "round {round}: half a transaction");
        if round % 10 == 0 || round + 1 == rounds {
            let check = lab.sql(&["-b", "-d", "d", "-Q", "DBCC CHECKDB"]);
            assert!(check.status.success(), "round {round}: {}", String::from_utf8_lossy(&check.stderr));
        }
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let wait = Duration::from_millis(20 + seed % 250);
        let port = lab.port;
        runtime.block_on(async {
            let writers: Vec<_> = acked
                .iter()
                .zip(&next)
                .enumerate()
                .map(|(w, (acked, first))| tokio::spawn(write(port, w, *first, Arc::clone(acked))))
                .collect();
            tokio::time::sleep(wait).await;
            lab.kill();
            for writer in writers {
                writer.await.unwrap();
            }
        });
    }
    let total: i64 = acked.iter().map(|a| a.load(Ordering::SeqCst)).sum();
    assert!(total > rounds as i64 / 2, "hardly anything was written: {total}");
    eprintln!("{total} commits acknowledged in {rounds} rounds");
}
