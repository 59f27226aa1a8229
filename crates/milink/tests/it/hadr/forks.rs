//! Forced failover: two primaries, what each has alone, and the way out. Sections 7.5 and 7.6.

use super::client::Sql;
use super::contents::assert_same;
use super::ledger::Ledger;
use super::pair::{DAG, DB, Pair, Setup, database_state, role, state};
use super::server::Server;
use super::{SOON, eventually, until};

/// Makes a secondary primary, whatever may be lost.
pub(crate) fn force(server: &Server) {
    server.run(&format!("ALTER AVAILABILITY GROUP [{DAG}] FORCE_FAILOVER_ALLOW_DATA_LOSS"));
    until("it was forced to be primary", &"PRIMARY".to_owned(), || role(server));
    eventually("it can be written to", SOON, || {
        let open = Sql::open(server.port(), DB)
            .and_then(|mut sql| sql.rows("SELECT DATABASEPROPERTYEX(DB_NAME(), 'Updateability')"));
        match open {
            Ok(rows) if rows == [["READ_WRITE"]] => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
}

/// Makes a primary give way.
pub(crate) fn give_way(server: &Server) {
    server.run(&format!("ALTER AVAILABILITY GROUP [{DAG}] SET (ROLE = SECONDARY)"));
}

/// Both sides were written to after they had parted. The connection between them is there again.
fn parted(pair: &Pair) {
    let (a, b) = (&pair.a, &pair.b);
    a.sql(DB).run("INSERT INTO totals VALUES (1, 1), (2, 2)");
    pair.wait_equal(a);
    for proxy in pair.proxies.as_ref().unwrap() {
        proxy.refuse(true);
        proxy.reset();
    }
    force(b);
    // Only on the old primary: two transactions on two tables, one with three kinds of changes.
    a.sql(DB).run("INSERT INTO totals VALUES (10, 10), (11, 11)");
    a.sql(DB).run("BEGIN TRAN INSERT INTO ledger VALUES (1, 1, 'a') UPDATE totals SET n = 20 WHERE w = 10 DELETE FROM totals WHERE w = 11 COMMIT");
    // Only on the new one.
    b.sql(DB).run("INSERT INTO totals VALUES (30, 30)");
    for proxy in pair.proxies.as_ref().unwrap() {
        proxy.heal();
    }
}

const FORK: &str = "SELECT table_name, SUM(rows_inserted), SUM(rows_updated), SUM(rows_deleted), COUNT(DISTINCT commit_lsn) \
                    FROM lab.fork_transactions WHERE database_name = N'Db1' GROUP BY table_name ORDER BY table_name";

#[test]
fn two_primaries_are_seen_and_the_loser_is_rewound() {
    let pair = Pair::linked(Setup { proxied: true, timeout_s: 5, ..Setup::default() });
    let (a, b) = (&pair.a, &pair.b);
    // Something that a new seeding would have to carry.
    a.sql(DB).run("CREATE TABLE heavy (n int, pad varchar(8000))");
    let mut sql = a.sql(DB);
    for n in 0..100 {
        sql.run(&format!("INSERT INTO heavy SELECT {n}, REPLICATE(CONVERT(varchar(36), NEWID()), 200)"));
    }
    drop(sql);
    parted(&pair);
    until("both are primary, and see each other", &["PRIMARY".to_owned(), "PRIMARY".to_owned()], || {
        [a, b].map(role)
    });
    for server in [a, b] {
        until("nothing moves", &"NOT SYNCHRONIZING".to_owned(), || state(server, DAG, false));
    }
    // Each side lists what it has alone, and nothing else.
    until(
        "the old primary's own transactions",
        &vec![
            vec!["dbo.ledger".to_owned(), "1".into(), "0".into(), "0".into(), "1".into()],
            vec!["dbo.totals".to_owned(), "2".into(), "1".into(), "1".into(), "2".into()],
        ],
        || a.run(FORK),
    );
    until(
        "the new primary's own transaction",
        &vec![vec!["dbo.totals".to_owned(), "1".into(), "0".into(), "0".into(), "1".into()]],
        || b.run(FORK),
    );
    // Both can be read and written meanwhile; whoever is to lose them has them until it gives way.
    assert_eq!(a.sql(DB).one("SELECT COUNT(*) FROM totals"), "3");
    assert_eq!(b.sql(DB).one("SELECT COUNT(*) FROM totals"), "3");
    let seedings = a.one("SELECT COUNT(*) FROM sys.dm_hadr_automatic_seeding");
    give_way(a);
    pair.wait_state(b, "SYNCHRONIZED");
    pair.wait_equal(b);
    assert_same(b, a, DB);
    assert_eq!(a.sql(DB).run("SELECT w FROM totals ORDER BY w"), [["1"], ["2"], ["30"]]);
    // Rewound by the pages that had changed: not by the whole database.
    let moved = bytes_moved(a);
    let whole =
        a.sql(DB).one("SELECT SUM(CAST(size AS bigint)) * 8192 FROM sys.database_files WHERE type = 0");
    let whole: u64 = whole.parse().unwrap();
    assert!(moved < whole / 2, "{moved} bytes of {whole}, {seedings} seedings before");
    // The report outlives the way out.
    assert_eq!(a.run(FORK).len(), 2);
    // And the link works as before, both ways.
    b.sql(DB).run("INSERT INTO totals VALUES (31, 31)");
    pair.wait_equal(b);
    assert_eq!(a.sql(DB).one("SELECT COUNT(*) FROM totals"), "4");
}

/// Bytes that the last copy, or the last rewinding, brought.
fn bytes_moved(server: &Server) -> u64 {
    let moved = server.one(
        "SELECT ISNULL((SELECT TOP (1) transferred_size_bytes FROM sys.dm_hadr_physical_seeding_stats \
         ORDER BY start_time_utc DESC), 0)",
    );
    moved.parse().unwrap()
}

/// Section 6.1: after a forced failover the other side's data movement is suspended until somebody decides.
#[test]
fn the_winner_may_be_the_old_primary() {
    let pair = Pair::linked(Setup { proxied: true, timeout_s: 5, ..Setup::default() });
    let (a, b) = (&pair.a, &pair.b);
    parted(&pair);
    until("both are primary, and see each other", &"NOT SYNCHRONIZING".to_owned(), || state(a, DAG, false));
    give_way(b);
    pair.wait_state(a, "SYNCHRONIZED");
    pair.wait_equal(a);
    assert_same(a, b, DB);
    assert_eq!(b.sql(DB).run("SELECT w FROM totals ORDER BY w"), [["1"], ["2"], ["10"]]);
    assert_eq!(database_state(b, DAG, true, "database_state_desc"), "ONLINE");
}

/// Nothing of the loser's log is left: it is seeded anew.
#[test]
fn without_its_log_the_loser_is_seeded_anew() {
    let pair =
        Pair::linked(Setup { proxied: true, timeout_s: 5, mode: "ASYNCHRONOUS_COMMIT", ..Setup::default() });
    let (a, b) = (&pair.a, &pair.b);
    parted(&pair);
    until("both are primary, and see each other", &"NOT SYNCHRONIZING".to_owned(), || state(a, DAG, false));
    let folder = pair.folder.path().display();
    // The fork point's log is let go of on both sides: much is written, backed up, checkpointed.
    for server in [b, a] {
        let mut sql = server.sql(DB);
        super::seeding::fill(&mut sql, 8);
        drop(sql);
        server.run(&format!("BACKUP DATABASE [{DB}] TO DISK = N'{folder}/full.bak' WITH INIT"));
        for n in 0..3 {
            server.run(&format!("BACKUP LOG [{DB}] TO DISK = N'{folder}/log.trn' WITH INIT"));
            server.sql(DB).run(&format!("UPDATE totals SET n = n + {n} CHECKPOINT"));
        }
    }
    give_way(a);
    pair.wait_state(b, "SYNCHRONIZING");
    pair.wait_equal(b);
    assert_same(b, a, DB);
    let log = a.error_log().join("\n");
    assert!(log.contains("was set aside"), "{log}");
}

/// Synchronous: what was acknowledged survives the sudden end of the primary and a forced failover.
#[test]
fn a_killed_primary_loses_nothing_acknowledged() {
    let mut pair = Pair::linked(Setup { timeout_s: 5, ..Setup::default() });
    let ledger = Ledger::new(4);
    let load = ledger.write_to(&pair.a);
    super::ledger::wait_for_commits(&ledger, 100);
    pair.a.kill();
    load.stop();
    assert!(ledger.total() >= 100);
    force(&pair.b);
    ledger.check(&pair.b);
    // The old primary comes back and believes what it believed.
    pair.a.restart();
    until("both are primary", &"PRIMARY".to_owned(), || role(&pair.a));
    give_way(&pair.a);
    pair.wait_state(&pair.b, "SYNCHRONIZED");
    pair.wait_equal(&pair.b);
    ledger.check(&pair.a);
    assert_same(&pair.b, &pair.a, DB);
}
