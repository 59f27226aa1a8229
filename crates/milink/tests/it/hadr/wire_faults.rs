//! What happens to the wire between two sides, by a proxy that breaks it.

use std::time::Duration;

use lab_instance::endpoint::{Direction, FaultProxy};

use super::contents::assert_same;
use super::ledger::{Ledger, wait_for_commits};
use super::pair::{DAG, DB, Pair, Setup, replica_state, role, state};
use super::{SOON, eventually, until};

fn all(pair: &Pair) -> &[FaultProxy; 2] {
    pair.proxies.as_ref().unwrap()
}

fn connections(pair: &Pair) -> u64 {
    all(pair).iter().map(|p| p.statistics().connections).sum()
}

/// Set up, inject, wait until it has bitten, recover, wait until healed, look at what there is.
#[test]
fn cut_delayed_corrupted_and_reset_under_load() {
    let pair = Pair::linked(Setup { proxied: true, timeout_s: 5, ..Setup::default() });
    let ledger = Ledger::new(4);
    let load = ledger.write_to(&pair.a);
    wait_for_commits(&ledger, 50);
    // Both ways, and each way alone.
    for way in [None, Some(Direction::ToServer), Some(Direction::ToClient)] {
        for proxy in all(&pair) {
            match way {
                None => proxy.cut(),
                Some(way) => proxy.cut_one_way(way),
            }
        }
        until("the secondary is missed", &"NOT SYNCHRONIZING".to_owned(), || state(&pair.a, DAG, false));
        wait_for_commits(&ledger, 10);
        all(&pair).iter().for_each(FaultProxy::heal);
        pair.wait_state(&pair.a, "SYNCHRONIZED");
        wait_for_commits(&ledger, 10);
    }
    // Resets come and go.
    for _ in 0..5 {
        let before = connections(&pair);
        all(&pair).iter().for_each(FaultProxy::reset);
        eventually("there is a new connection", SOON, || {
            if connections(&pair) > before { Ok(()) } else { Err(pair.story()) }
        });
        wait_for_commits(&ledger, 5);
    }
    pair.wait_state(&pair.a, "SYNCHRONIZED");
    // A changed bit is noticed, whichever way it went; nothing of it is applied.
    for way in [Direction::ToServer, Direction::ToClient] {
        let changed = || all(&pair).iter().map(|p| p.statistics().corrupted).sum::<u64>();
        let (before, made) = (changed(), connections(&pair));
        all(&pair).iter().for_each(|p| p.corrupt(way, 2000));
        eventually("a bit was changed and the connection given up", SOON, || {
            if changed() > before && connections(&pair) > made { Ok(()) } else { Err(pair.story()) }
        });
        all(&pair).iter().for_each(FaultProxy::heal);
        pair.wait_state(&pair.a, "SYNCHRONIZED");
    }
    // A slow wire costs time and nothing else.
    for proxy in all(&pair) {
        proxy.delay(Direction::ToServer, Duration::from_millis(40));
        proxy.throttle(Direction::ToClient, Some(200_000));
    }
    wait_for_commits(&ledger, 20);
    assert_eq!(state(&pair.a, DAG, false), "SYNCHRONIZED");
    all(&pair).iter().for_each(FaultProxy::heal);
    load.stop();
    pair.wait_equal(&pair.a);
    ledger.check(&pair.b);
    assert_same(&pair.a, &pair.b, DB);
    assert_eq!([&pair.a, &pair.b].map(role), ["PRIMARY", "SECONDARY"]);
}

/// An endpoint that is stopped, and one that nobody listens at: why is in the view and in the log.
#[test]
fn why_there_is_no_connection() {
    let mut pair = Pair::linked(Setup { timeout_s: 5, ..Setup::default() });
    let error = |pair: &Pair, wanted: &[&str]| {
        eventually("the failure is shown", SOON, || {
            let number = replica_state(&pair.a, DAG, false, "last_connect_error_number");
            let text = replica_state(&pair.a, DAG, false, "last_connect_error_description");
            let shown = !text.is_empty() && text != "NULL" && wanted.contains(&number.as_str());
            let now = replica_state(&pair.a, DAG, false, "connected_state_desc");
            if shown && now == "DISCONNECTED" { Ok(text) } else { Err(format!("{number} {text} {now}")) }
        })
    };
    pair.b.kill();
    error(&pair, &["10061", "35206", "35250"]);
    pair.b.restart();
    pair.wait_state(&pair.a, "SYNCHRONIZED");
    pair.b.run("ALTER ENDPOINT database_mirroring_endpoint STATE = STOPPED");
    pair.a.run("ALTER ENDPOINT database_mirroring_endpoint STATE = STOPPED");
    until("it is disconnected", &"DISCONNECTED".to_owned(), || {
        replica_state(&pair.a, DAG, false, "connected_state_desc")
    });
    error(&pair, &["35204", "35206", "35267"]);
    for server in [&pair.a, &pair.b] {
        server.run("ALTER ENDPOINT database_mirroring_endpoint STATE = STARTED");
    }
    pair.wait_state(&pair.a, "SYNCHRONIZED");
    let log = pair.a.error_log().join("\n");
    for said in ["connection with", "established", "terminated"] {
        assert!(log.contains(said), "{said} is not in {log}");
    }
}
