//! The first copy: under load, compressed, interrupted, undermined by a log backup, without room.

use std::process::Command;

use lab_instance::endpoint::{Direction, FaultProxy};

use super::client::Sql;
use super::contents::assert_same;
use super::ledger::{Ledger, wait_for_commits};
use super::pair::{DAG, DB, Pair, Setup, database_state, state};
use super::server::Server;
use super::{SOON, eventually, until};

/// A table of some megabytes that compresses by half: what repeats does so farther apart than LZ4 looks back.
pub(crate) fn fill(sql: &mut Sql, megabytes: usize) {
    sql.run("CREATE TABLE heavy (n int IDENTITY PRIMARY KEY, noise varbinary(4000), zeros varbinary(4000))");
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    let mut row = || {
        let mut noise = String::with_capacity(8000);
        while noise.len() < 8000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            noise.push_str(&format!("{:08X}", seed >> 32));
        }
        format!("(0x{noise}, CAST(REPLICATE('x', 4000) AS varbinary(4000)))")
    };
    let rows: Vec<String> = (0..16).map(|_| row()).collect();
    sql.run(&format!("INSERT INTO heavy (noise, zeros) VALUES {}", rows.join(", ")));
    for _ in 1..megabytes * 8 {
        sql.run("INSERT INTO heavy (noise, zeros) SELECT noise, zeros FROM heavy WHERE n <= 16 ORDER BY n");
    }
}

fn prepared(setup: Setup<'_>, megabytes: usize) -> Pair {
    let pair = Pair::start(setup);
    pair.create_database(DB);
    fill(&mut pair.a.sql(DB), megabytes);
    pair
}

/// The last row of `sys.dm_hadr_automatic_seeding`.
fn automatic(server: &Server, column: &str) -> String {
    let rows = server
        .run(&format!("SELECT TOP (1) {column} FROM sys.dm_hadr_automatic_seeding ORDER BY start_time DESC"));
    rows.into_iter().flatten().next().unwrap_or_default()
}

/// What has passed through the proxies towards both sides.
fn carried(pair: &Pair) -> u64 {
    let both = |p: &FaultProxy| p.statistics().to_client + p.statistics().to_server;
    pair.proxies.as_ref().unwrap().iter().map(both).sum()
}

/// Lets little through, so that a seeding can be looked at.
fn throttle(pair: &Pair, bytes_per_second: Option<u64>) {
    for proxy in pair.proxies.as_ref().unwrap() {
        for direction in [Direction::ToServer, Direction::ToClient] {
            proxy.throttle(direction, bytes_per_second);
        }
    }
}

fn wait_for_seeding(pair: &Pair) {
    eventually("it is being seeded", SOON, || {
        let found = automatic(&pair.a, "current_state");
        if found == "SEEDING" && carried(pair) > 500_000 {
            Ok(())
        } else {
            Err(format!("{found} {}", carried(pair)))
        }
    });
}

#[test]
fn while_it_is_written_to() {
    let pair = prepared(Setup { mode: "ASYNCHRONOUS_COMMIT", proxied: true, ..Setup::default() }, 8);
    let ledger = Ledger::new(3);
    let load = ledger.write_to(&pair.a);
    throttle(&pair, Some(4 << 20));
    pair.link(DB);
    wait_for_seeding(&pair);
    // What the documents have one look at.
    let stats = "SELECT s.local_database_name, s.role_desc, a.is_source, a.current_state, s.is_compression_enabled, \
                 CASE WHEN s.database_size_bytes > 8000000 AND s.transferred_size_bytes > 0 AND s.start_time_utc IS NOT NULL \
                      AND s.transferred_size_bytes <= s.database_size_bytes * 2 THEN 1 ELSE 0 END \
                 FROM sys.dm_hadr_physical_seeding_stats s \
                 JOIN sys.dm_hadr_automatic_seeding a ON s.local_physical_seeding_id = a.operation_id";
    until(
        "the source's figures",
        &vec![["Db1", "Source", "1", "SEEDING", "0", "1"].map(str::to_owned).to_vec()],
        || pair.a.run(stats),
    );
    assert_eq!(
        pair.b.run("SELECT current_state, is_source FROM sys.dm_hadr_automatic_seeding"),
        [["SEEDING", "0"]]
    );
    // No failover onto a copy that is not there yet, and no reader.
    assert_eq!(
        pair.b.fails(&format!("ALTER AVAILABILITY GROUP [{DAG}] FORCE_FAILOVER_ALLOW_DATA_LOSS")),
        35253
    );
    throttle(&pair, None);
    pair.wait_state(&pair.a, "SYNCHRONIZING");
    wait_for_commits(&ledger, 20);
    load.stop();
    pair.wait_equal(&pair.a);
    ledger.check(&pair.b);
    assert_same(&pair.a, &pair.b, DB);
    for (server, source) in [(&pair.a, "1"), (&pair.b, "0")] {
        let row = "CONCAT(is_source, N' ', current_state, N' ', performed_seeding, N' ', number_of_attempts, N' ', \
                   CASE WHEN completion_time >= start_time THEN N'ended' END)";
        assert_eq!(automatic(server, row), format!("{source} COMPLETED 1 1 ended"));
    }
}

/// Trace flag 9567 on the primary: fewer bytes, and the view says so.
#[test]
fn compressed() {
    let mut bytes = Vec::new();
    for flags in [&[][..], &["-T", "9567"]] {
        let setup = Setup { proxied: true, a: flags, ..Setup::default() };
        let pair = prepared(setup, 4);
        pair.link(DB);
        pair.wait_state(&pair.a, "SYNCHRONIZED");
        bytes.push(carried(&pair));
        pair.wait_equal(&pair.a);
        assert_same(&pair.a, &pair.b, DB);
    }
    assert!(bytes[1] * 4 < bytes[0] * 3, "{bytes:?}");
}

/// Section 6.4: whatever interrupts it makes it begin again, and is counted.
#[test]
fn interrupted_it_begins_again() {
    let mut pair = prepared(Setup { proxied: true, timeout_s: 5, ..Setup::default() }, 6);
    throttle(&pair, Some(1 << 20));
    pair.link(DB);
    wait_for_seeding(&pair);
    pair.proxies.as_ref().unwrap().iter().for_each(FaultProxy::reset);
    until("a second attempt", &"2".to_owned(), || automatic(&pair.a, "number_of_attempts"));
    wait_for_seeding(&pair);
    // A restart of the receiver, in the middle.
    pair.b.restart();
    eventually("a third attempt", SOON, || {
        let attempts = automatic(&pair.a, "number_of_attempts");
        if attempts == "3" { Ok(()) } else { Err(attempts) }
    });
    throttle(&pair, None);
    pair.wait_state(&pair.a, "SYNCHRONIZED");
    assert_eq!(automatic(&pair.a, "CONCAT(current_state, N' ', number_of_attempts)"), "COMPLETED 3");
    let failed = pair
        .a
        .run("SELECT DISTINCT current_state FROM sys.dm_hadr_automatic_seeding WHERE number_of_attempts < 3");
    assert_eq!(failed, [["FAILED"]], "the history of failures is kept");
    pair.wait_equal(&pair.a);
    assert_same(&pair.a, &pair.b, DB);
}

fn back_up_log(pair: &Pair) {
    let folder = pair.folder.path().display();
    pair.a
        .sql(DB)
        .run("UPDATE totals SET n = n + 0 INSERT INTO totals SELECT ISNULL(MAX(w), 0) + 1, 1 FROM totals");
    pair.a.run(&format!("BACKUP LOG [{DB}] TO DISK = N'{folder}/during.trn' WITH INIT"));
}

/// Section 6.4 and 8.1: a log backup during seeding fails it, with 1408 or 1412.
#[test]
fn a_log_backup_during_seeding_fails_it() {
    let pair = prepared(Setup { proxied: true, ..Setup::default() }, 16);
    throttle(&pair, Some(1 << 20));
    pair.link(DB);
    wait_for_seeding(&pair);
    back_up_log(&pair);
    throttle(&pair, None);
    eventually("it has failed", SOON, || {
        let found = automatic(&pair.a, "CONCAT(current_state, N' ', error_code)");
        if found == "FAILED 1412" || found == "FAILED 1408" { Ok(()) } else { Err(found) }
    });
    assert_ne!(state(&pair.a, DAG, false), "SYNCHRONIZED");
    let said = pair.b.error_log().join("\n") + &pair.a.error_log().join("\n");
    assert!(said.contains("1412") || said.contains("1408"), "{said}");
    // The primary is none the worse for it. The way out of the documents: delete the link, create it again.
    pair.a.sql(DB).run("INSERT INTO totals VALUES (100, 1)");
    pair.a.run(&format!("DROP AVAILABILITY GROUP [{DAG}]"));
    pair.a.run(&format!("DROP AVAILABILITY GROUP [AG_{DB}]"));
    pair.b.run(&format!("DROP AVAILABILITY GROUP [{DAG}]"));
    pair.b.run(&format!("DROP AVAILABILITY GROUP [AG_{DB}_B]"));
    if pair.b.one(&format!("SELECT COUNT(*) FROM sys.databases WHERE name = N'{DB}'")) == "1" {
        pair.b.run(&format!("DROP DATABASE [{DB}]"));
    }
    pair.link(DB);
    pair.wait_state(&pair.a, "SYNCHRONIZED");
    pair.wait_equal(&pair.a);
    assert_same(&pair.a, &pair.b, DB);
}

/// With trace flag 12381 on the primary the log is kept until the copy has joined.
#[test]
fn with_12381_a_log_backup_does_no_harm() {
    let pair = prepared(Setup { proxied: true, a: &[], ..Setup::default() }, 16);
    pair.a.run("DBCC TRACEON(12381, -1)");
    throttle(&pair, Some(1 << 20));
    pair.link(DB);
    wait_for_seeding(&pair);
    back_up_log(&pair);
    throttle(&pair, None);
    pair.wait_state(&pair.a, "SYNCHRONIZED");
    pair.a.run("DBCC TRACEOFF(12381, -1)");
    assert_eq!(automatic(&pair.a, "CONCAT(current_state, N' ', number_of_attempts)"), "COMPLETED 1");
    pair.wait_equal(&pair.a);
    assert_same(&pair.a, &pair.b, DB);
}

/// A receiver that may write no file larger than a limit, as one has it whose disk is full.
#[test]
fn no_room_on_the_secondary() {
    let pair = prepared(Setup { proxied: true, ..Setup::default() }, 8);
    let limit = |bytes: &str| {
        let limit = Command::new("prlimit")
            .args([format!("--pid={}", pair.b.lab().pid()), format!("--fsize={bytes}:")])
            .status();
        assert!(limit.unwrap().success());
    };
    limit("4000000");
    pair.link(DB);
    eventually("it has failed", SOON, || {
        let found = pair.b.run("SELECT TOP (1) failure_code, failure_message FROM sys.dm_hadr_physical_seeding_stats WHERE failure_code <> 0");
        if found.is_empty() { Err(format!("{:?}", automatic(&pair.b, "current_state"))) } else { Ok(()) }
    });
    // The primary goes on, and so does the secondary's server; nothing half done is in sight.
    pair.a.sql(DB).run("INSERT INTO totals VALUES (1, 1)");
    assert_ne!(database_state(&pair.b, DAG, true, "database_state_desc"), "ONLINE");
    assert_eq!(pair.b.one("SELECT COUNT(*) FROM sys.databases WHERE name = N'master'"), "1");
    // With room it comes by itself.
    limit("unlimited");
    pair.wait_state(&pair.a, "SYNCHRONIZED");
    pair.wait_equal(&pair.a);
    assert_same(&pair.a, &pair.b, DB);
}

/// Section 6.4: it is cancelled by SEEDING_MODE = MANUAL on the primary, and begun by AUTOMATIC.
#[test]
fn cancelled_and_begun_anew() {
    let pair = prepared(Setup { proxied: true, ..Setup::default() }, 4);
    throttle(&pair, Some(500_000));
    pair.link(DB);
    wait_for_seeding(&pair);
    let mode = |mode: &str| {
        pair.a.run(&format!(
            "ALTER AVAILABILITY GROUP [{DAG}] MODIFY AVAILABILITY GROUP ON 'AG_{DB}_B' WITH (SEEDING_MODE = {mode})"
        ));
    };
    mode("MANUAL");
    until("it is cancelled", &"FAILED".to_owned(), || automatic(&pair.a, "current_state"));
    throttle(&pair, None);
    assert_ne!(state(&pair.a, DAG, false), "SYNCHRONIZED");
    mode("AUTOMATIC");
    pair.wait_state(&pair.a, "SYNCHRONIZED");
    pair.wait_equal(&pair.a);
    assert_same(&pair.a, &pair.b, DB);
}
