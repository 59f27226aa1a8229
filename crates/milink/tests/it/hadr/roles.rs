//! Planned role changes between two SQL Servers: section 7.3, "Generic no-loss DAG failover".

use std::time::Duration;

use super::client::Sql;
use super::contents::assert_same;
use super::ledger::{Ledger, wait_for_commits};
use super::pair::{DAG, DB, Pair, Setup, lsn, role, steady};
use super::server::Server;
use super::{SOON, eventually, until};

/// Hands the primary role over without a loss, and without ending the load.
fn change_roles(pair: &Pair, from: &Server, to: &Server) {
    pair.wait_state(from, "SYNCHRONIZED");
    from.run(&format!("ALTER AVAILABILITY GROUP [{DAG}] SET (ROLE = SECONDARY)"));
    // Nobody is primary now. Positions are compared as the documents say, and stay equal.
    until("it is no primary any more", &"SECONDARY".to_owned(), || role(from));
    eventually("both have hardened the same", SOON, || {
        let [here, there] = [from, to].map(|s| lsn(s, DAG, "last_hardened_lsn"));
        if here.is_some() && here == there { Ok(()) } else { Err(format!("{here:?} and {there:?}")) }
    });
    to.run(&format!("ALTER AVAILABILITY GROUP [{DAG}] FORCE_FAILOVER_ALLOW_DATA_LOSS"));
    until("it is primary", &"PRIMARY".to_owned(), || role(to));
}

/// Section 7.2: one command on the primary, which waits for the other side.
fn fail_over(pair: &Pair, from: &Server, to: &Server) {
    pair.wait_state(from, "SYNCHRONIZING");
    from.run(&format!("ALTER AVAILABILITY GROUP [{DAG}] FAILOVER"));
    until("the roles have changed", &["SECONDARY".to_owned(), "PRIMARY".to_owned()], || [from, to].map(role));
    // It was synchronous until it was done; afterwards it is what it was set to be.
    pair.wait_state(to, "SYNCHRONIZING");
}

#[test]
fn forth_and_back_three_times_under_load() {
    forth_and_back(Setup::default(), change_roles);
}

/// Asynchronous, as a link is, and nothing is lost.
#[test]
fn failover_forth_and_back_three_times_under_load() {
    forth_and_back(Setup { mode: "ASYNCHRONOUS_COMMIT", link: true, ..Setup::default() }, fail_over);
}

fn forth_and_back(setup: Setup<'_>, change_roles: fn(&Pair, &Server, &Server)) {
    let pair = Pair::linked(setup);
    let ledger = Ledger::new(4);
    let load = ledger.write_to(&pair.a);
    let mut sides = [&pair.a, &pair.b];
    for round in 0..6 {
        let [from, to] = sides;
        wait_for_commits(&ledger, 20);
        // A transaction that never ends: it must not hold the change up, and nothing of it may stay.
        let mut open = from.sql(DB);
        open.run("SET IMPLICIT_TRANSACTIONS OFF BEGIN TRAN");
        let session = open.one("SELECT @@SPID");
        change_roles(&pair, from, to);
        assert!(open.rows("SELECT 1").is_err(), "round {round}: session {session} was not cut");
        load.redirect(to);
        wait_for_commits(&ledger, 20);
        pair.wait_state(to, steady(setup.mode));
        ledger.check(to);
        sides = [to, from];
    }
    load.stop();
    pair.wait_equal(&pair.a);
    ledger.check(&pair.b);
    assert_same(&pair.a, &pair.b, DB);
}

/// What has not committed is rolled back, its connection is cut, and it holds nothing up.
#[test]
fn open_transactions_of_the_old_primary_are_undone() {
    let pair = Pair::linked(Setup::default());
    let (a, b) = (&pair.a, &pair.b);
    a.sql(DB).run("INSERT INTO totals VALUES (1, 1)");
    let mut writer = a.sql(DB);
    writer.run("BEGIN TRAN INSERT INTO totals VALUES (2, 2)");
    let mut reader = a.sql(DB);
    reader.run("SELECT COUNT(*) FROM totals");
    let mut elsewhere = a.sql("master");
    change_roles(&pair, a, b);
    for sql in [&mut writer, &mut reader] {
        assert!(
            sql.rows("COMMIT").is_err() && sql.rows("SELECT 1").is_err(),
            "a session of the old primary goes on"
        );
    }
    assert_eq!(elsewhere.one("SELECT 1"), "1", "a session in another database was cut");
    assert_eq!(b.sql(DB).run("SELECT w FROM totals"), [["1"]]);
    // And the other way: what the new primary writes arrives, and the old one writes nothing.
    b.sql(DB).run("INSERT INTO totals VALUES (3, 3)");
    pair.wait_state(b, "SYNCHRONIZED");
    pair.wait_equal(b);
    assert_eq!(a.sql(DB).run("SELECT w FROM totals ORDER BY w"), [["1"], ["3"]]);
    assert_eq!(a.sql(DB).fails("INSERT INTO totals VALUES (4, 4)"), 3906);
}

/// SET (ROLE = SECONDARY) leaves nobody primary; it is undone by making the old primary one again.
#[test]
fn the_way_back_before_the_other_side_takes_over() {
    let pair = Pair::linked(Setup::default());
    let a = &pair.a;
    a.sql(DB).run("INSERT INTO totals VALUES (1, 1)");
    a.run(&format!("ALTER AVAILABILITY GROUP [{DAG}] SET (ROLE = SECONDARY)"));
    until("nobody is primary", &["SECONDARY".to_owned(), "SECONDARY".to_owned()], || {
        [&pair.a, &pair.b].map(role)
    });
    for server in [&pair.a, &pair.b] {
        let written =
            Sql::open(server.port(), DB).and_then(|mut sql| sql.rows("INSERT INTO totals VALUES (2, 2)"));
        assert!(written.is_err(), "{} lets write", server.name);
    }
    a.run(&format!("ALTER AVAILABILITY GROUP [{DAG}] FORCE_FAILOVER_ALLOW_DATA_LOSS"));
    until("it is primary again", &"PRIMARY".to_owned(), || role(a));
    eventually("it is written to", SOON, || {
        let done = Sql::open(a.port(), DB).and_then(|mut sql| sql.rows("INSERT INTO totals VALUES (2, 2)"));
        done.map_err(|e| format!("{e:?}"))
    });
    pair.wait_state(a, "SYNCHRONIZED");
    pair.wait_equal(a);
    assert_same(a, &pair.b, DB);
}

/// From the last row before to the first row after: within half a second on an idle machine, so within five here.
#[test]
fn a_planned_change_is_short() {
    let pair = Pair::linked(Setup::default());
    let (a, b) = (&pair.a, &pair.b);
    a.sql(DB).run("INSERT INTO totals VALUES (1, 1)");
    let began = std::time::Instant::now();
    change_roles(&pair, a, b);
    eventually("the new primary is written to", SOON, || {
        let done = Sql::open(b.port(), DB).and_then(|mut sql| sql.rows("INSERT INTO totals VALUES (2, 2)"));
        done.map_err(|e| format!("{e:?}"))
    });
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

/// A primary without a cluster comes back as one: who connects at once is not told that its role is not known yet.
#[test]
fn a_primary_that_was_restarted_is_written_to_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path(), "SQLA", &[]);
    server.prepare();
    let names: Vec<String> = (0..30).map(|n| format!("[d{n}]")).collect();
    for name in &names {
        server.run(&format!("CREATE DATABASE {name}"));
        server.sql(name.trim_matches(['[', ']'])).run("CREATE TABLE t (n int)");
        server.run(&format!("BACKUP DATABASE {name} TO DISK = N'{}/{name}'", folder.path().display()));
    }
    server.run(&format!(
        "CREATE AVAILABILITY GROUP [ag] WITH (CLUSTER_TYPE = NONE) FOR DATABASE {} REPLICA ON N'SQLA' WITH \
         (ENDPOINT_URL = 'TCP://127.0.0.1:{}', AVAILABILITY_MODE = SYNCHRONOUS_COMMIT, FAILOVER_MODE = MANUAL)",
        names.join(", "),
        server.endpoint_port
    ));
    for n in 1..=3 {
        server.restart();
        let mut last = server.sql("d29");
        last.run(&format!("INSERT INTO t VALUES ({n})"));
        assert_eq!(last.one("SELECT sys.fn_hadr_is_primary_replica('d28')"), "1");
        assert_eq!(server.sql("master").run("USE [d27] SELECT COUNT(*) FROM t"), [["0"]]);
    }
}
