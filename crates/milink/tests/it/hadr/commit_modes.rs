//! Synchronous and asynchronous commit, the change between them, and what a lost session does to waiting commits.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use lab_instance::endpoint::Direction;

use super::client::{Failure, Sql};
use super::ledger::{Ledger, wait_for_commits};
use super::pair::{DAG, DB, Pair, Setup, database_state, lsn, role, state};
use super::server::Server;
use super::{SOON, eventually, until};

/// Runs a statement in a session and a thread of its own; what has come of it, and when.
fn in_background(server: &Server, sql: &str) -> mpsc::Receiver<(Result<(), Failure>, Instant)> {
    let (sender, receiver) = mpsc::channel();
    let (mut session, sql) = (server.sql(DB), sql.to_owned());
    std::thread::spawn(move || {
        let done = session.rows(&sql).map(drop);
        // Whoever waited may have given up.
        drop(sender.send((done, Instant::now())));
    });
    receiver
}

fn cut(pair: &Pair) {
    pair.proxies.as_ref().unwrap().iter().for_each(lab_instance::endpoint::FaultProxy::cut);
}

fn heal(pair: &Pair) {
    pair.proxies.as_ref().unwrap().iter().for_each(lab_instance::endpoint::FaultProxy::heal);
}

/// A commit waits for the wire; the wire's delay is what it waits for.
#[test]
fn a_synchronous_commit_waits_and_an_asynchronous_one_does_not() {
    let pair = Pair::linked(Setup { proxied: true, ..Setup::default() });
    let delay = Duration::from_millis(300);
    for proxy in pair.proxies.as_ref().unwrap() {
        proxy.delay(Direction::ToServer, delay / 2);
        proxy.delay(Direction::ToClient, delay / 2);
    }
    let mut sql = pair.a.sql(DB);
    let mut n = 0;
    let mut took = |sql: &mut Sql| {
        n += 1;
        let began = Instant::now();
        sql.run(&format!("INSERT INTO totals VALUES ({n}, {n})"));
        began.elapsed()
    };
    let synchronous = took(&mut sql);
    assert!(synchronous >= delay, "acknowledged after {synchronous:?}");
    pair.modify_members("AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT");
    pair.wait_state(&pair.a, "SYNCHRONIZING");
    let asynchronous = took(&mut sql);
    assert!(asynchronous < delay, "acknowledged after {asynchronous:?}");
    // NULL: nobody waits for an asynchronous secondary.
    assert_eq!(lsn(&pair.a, DAG, "last_hardened_lsn"), None);
    pair.modify_members("AVAILABILITY_MODE = SYNCHRONOUS_COMMIT");
    pair.wait_state(&pair.a, "SYNCHRONIZED");
    let synchronous = took(&mut sql);
    assert!(synchronous >= delay, "acknowledged after {synchronous:?}");
}

/// Forth and back between the modes while commits are made; none is lost, none waits for ever.
#[test]
fn modes_change_under_load() {
    let pair = Pair::linked(Setup::default());
    let ledger = Ledger::new(3);
    let load = ledger.write_to(&pair.a);
    for _ in 0..3 {
        pair.modify_members("AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT");
        pair.wait_state(&pair.a, "SYNCHRONIZING");
        wait_for_commits(&ledger, 20);
        pair.modify_members("AVAILABILITY_MODE = SYNCHRONOUS_COMMIT");
        pair.wait_state(&pair.a, "SYNCHRONIZED");
        wait_for_commits(&ledger, 20);
    }
    // One side alone does not make a pair synchronous.
    pair.b.run(&format!(
        "ALTER AVAILABILITY GROUP [{DAG}] MODIFY AVAILABILITY GROUP ON 'AG_{DB}_B' WITH (AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT)"
    ));
    pair.wait_state(&pair.a, "SYNCHRONIZING");
    wait_for_commits(&ledger, 20);
    load.stop();
    pair.wait_equal(&pair.a);
    ledger.check(&pair.b);
}

/// The session times out: waiting commits are acknowledged, and the state says that they are on one side only.
#[test]
fn a_session_that_times_out_lets_commits_go() {
    let pair = Pair::linked(Setup { proxied: true, timeout_s: 5, ..Setup::default() });
    let began = Instant::now();
    cut(&pair);
    let waiting = in_background(&pair.a, "INSERT INTO totals VALUES (1, 1)");
    let early = waiting.recv_timeout(Duration::from_secs(2));
    assert!(early.is_err(), "acknowledged while the session was thought to be alive: {early:?}");
    assert_eq!(state(&pair.a, DAG, false), "SYNCHRONIZED");
    let (done, at) = waiting.recv_timeout(SOON).unwrap();
    done.unwrap();
    let took = at - began;
    assert!((Duration::from_secs(4)..Duration::from_secs(15)).contains(&took), "after {took:?}");
    until("the state says so", &"NOT SYNCHRONIZING".to_owned(), || state(&pair.a, DAG, false));
    assert_eq!(database_state(&pair.a, DAG, false, "synchronization_health_desc"), "NOT_HEALTHY");
    // Later ones wait for nobody.
    let began = Instant::now();
    pair.a.sql(DB).run("INSERT INTO totals VALUES (2, 2)");
    assert!(began.elapsed() < Duration::from_secs(2));
    heal(&pair);
    pair.wait_state(&pair.a, "SYNCHRONIZED");
    pair.wait_equal(&pair.a);
    assert_eq!(pair.b.sql(DB).one("SELECT COUNT(*) FROM totals"), "2");
}

/// REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT = 1: they wait instead, and go when the secondary is back.
#[test]
fn required_secondaries_are_waited_for() {
    let mut pair = Pair::linked(Setup { timeout_s: 5, ..Setup::default() });
    let set = |n: u32| {
        format!("ALTER AVAILABILITY GROUP [{DAG}] SET (REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT = {n})")
    };
    pair.a.run(&set(1));
    assert_eq!(
        pair.a.one(&format!(
            "SELECT required_synchronized_secondaries_to_commit FROM sys.availability_groups WHERE name = N'{DAG}'"
        )),
        "1"
    );
    pair.a.sql(DB).run("INSERT INTO totals VALUES (1, 1)");
    pair.b.kill();
    until("the secondary is missed", &"NOT SYNCHRONIZING".to_owned(), || state(&pair.a, DAG, false));
    let waiting = in_background(&pair.a, "INSERT INTO totals VALUES (2, 2)");
    assert!(waiting.recv_timeout(Duration::from_secs(3)).is_err(), "acknowledged with nobody there");
    // Whoever reads what is not acknowledged waits with it.
    let reading = in_background(&pair.a, "SELECT COUNT(*) FROM totals");
    assert!(reading.recv_timeout(Duration::from_secs(1)).is_err(), "read what may yet be lost");
    pair.b.restart();
    for waits in [waiting, reading] {
        waits.recv_timeout(SOON).unwrap().0.unwrap();
    }
    pair.wait_equal(&pair.a);
    assert_eq!(pair.b.sql(DB).one("SELECT COUNT(*) FROM totals"), "2");
    // Without the requirement nobody waits; taking it back lets go of those that do.
    pair.b.kill();
    until("the secondary is missed", &"NOT SYNCHRONIZING".to_owned(), || state(&pair.a, DAG, false));
    let waiting = in_background(&pair.a, "INSERT INTO totals VALUES (3, 3)");
    assert!(waiting.recv_timeout(Duration::from_secs(1)).is_err(), "acknowledged with nobody there");
    pair.a.run(&set(0));
    waiting.recv_timeout(SOON).unwrap().0.unwrap();
}

/// The first primary dies with commits that nobody was told of; those that were told are on the other side.
#[test]
fn kill_and_forced_failover_under_synchronous_load() {
    let mut pair = Pair::linked(Setup { timeout_s: 5, ..Setup::default() });
    let ledger = Ledger::new(8);
    for _ in 0..2 {
        let load = ledger.write_to(&pair.a);
        wait_for_commits(&ledger, 50);
        pair.a.kill();
        load.stop();
        super::forks::force(&pair.b);
        ledger.check(&pair.b);
        let load = ledger.write_to(&pair.b);
        wait_for_commits(&ledger, 20);
        pair.a.restart();
        until("it believes to be primary", &"PRIMARY".to_owned(), || role(&pair.a));
        super::forks::give_way(&pair.a);
        pair.wait_state(&pair.b, "SYNCHRONIZED");
        load.stop();
        ledger.check(&pair.b);
        pair.wait_equal(&pair.b);
        // The roles as they were, by the planned way.
        pair.b.run(&format!("ALTER AVAILABILITY GROUP [{DAG}] SET (ROLE = SECONDARY)"));
        eventually("both have hardened the same", SOON, || {
            let [here, there] = [&pair.a, &pair.b].map(|s| lsn(s, DAG, "last_hardened_lsn"));
            if here.is_some() && here == there { Ok(()) } else { Err(format!("{here:?} and {there:?}")) }
        });
        super::forks::force(&pair.a);
        pair.wait_state(&pair.a, "SYNCHRONIZED");
    }
    ledger.check(&pair.a);
}
