//! Certificates that are replaced, unknown, or have expired, under way.

use super::contents::assert_same;
use super::ledger::{Ledger, wait_for_commits};
use super::pair::{DAG, DB, Pair, Setup, replica_state};
use super::server::Server;
use super::{SOON, eventually, until};

fn use_certificate(server: &Server, certificate: &str) {
    server.run(&format!(
        "ALTER ENDPOINT [database_mirroring_endpoint] FOR DATABASE_MIRRORING (AUTHENTICATION = CERTIFICATE [{certificate}])"
    ));
}

/// Ends the connections that there are: certificates are looked at when one is made.
fn reconnect(pair: &Pair) {
    for server in [&pair.a, &pair.b] {
        server.run("ALTER ENDPOINT [database_mirroring_endpoint] STATE = STOPPED");
        server.run("ALTER ENDPOINT [database_mirroring_endpoint] STATE = STARTED");
    }
}

fn connected(pair: &Pair) {
    until("they are connected", &"CONNECTED".to_owned(), || {
        replica_state(&pair.a, DAG, false, "connected_state_desc")
    });
}

/// Waits until one side shows why it has no connection, and finds the words in its log too.
fn refused(pair: &Pair, words: &[&str]) {
    let text = eventually("the refusal is shown", SOON, || {
        let shown = |s: &Server, local| replica_state(s, DAG, local, "last_connect_error_description");
        let texts = [shown(&pair.a, false), shown(&pair.b, true)];
        let all = texts.join(" | ");
        let down = replica_state(&pair.a, DAG, false, "connected_state_desc") == "DISCONNECTED";
        if down && words.iter().any(|w| all.to_lowercase().contains(w)) { Ok(all) } else { Err(all) }
    });
    eventually("the refusal is in the log", SOON, || {
        let logs = [&pair.a, &pair.b].map(|s| s.error_log().join("\n").to_lowercase()).join("\n");
        if words.iter().any(|w| logs.contains(w)) { Ok(()) } else { Err(format!("{text}\n{logs}")) }
    });
}

/// Section 9.2: new certificate, exchanged, the endpoint uses it, the old one is dropped; without an end of the load.
#[test]
fn replaced_under_way() {
    let pair = Pair::linked(Setup { timeout_s: 5, ..Setup::default() });
    let ledger = Ledger::new(3);
    let load = ledger.write_to(&pair.a);
    for (server, other) in [(&pair.a, &pair.b), (&pair.b, &pair.a)] {
        wait_for_commits(&ledger, 20);
        let (old, new) = (server.certificate(), format!("{}_2", server.certificate()));
        server.make_certificate(&new);
        other.trust_certificate(server, &new);
        use_certificate(server, &new);
        other.run(&format!("DROP CERTIFICATE [{old}]"));
        server.run(&format!("DROP CERTIFICATE [{old}]"));
        pair.wait_state(&pair.a, "SYNCHRONIZED");
        wait_for_commits(&ledger, 20);
    }
    // Also for connections that are made after that.
    reconnect(&pair);
    pair.wait_state(&pair.a, "SYNCHRONIZED");
    wait_for_commits(&ledger, 20);
    load.stop();
    pair.wait_equal(&pair.a);
    ledger.check(&pair.b);
    assert_same(&pair.a, &pair.b, DB);
}

/// A certificate that the other side does not have, and one that it has no longer.
#[test]
fn unknown_is_refused() {
    let pair = Pair::linked(Setup { timeout_s: 5, ..Setup::default() });
    let new = format!("{}_2", pair.b.certificate());
    pair.b.make_certificate(&new);
    use_certificate(&pair.b, &new);
    reconnect(&pair);
    refused(&pair, &["certificate"]);
    // Nothing moves, and the primary goes on.
    pair.a.sql(DB).run("INSERT INTO totals VALUES (1, 1)");
    pair.a.trust_certificate(&pair.b, &new);
    connected(&pair);
    pair.wait_state(&pair.a, "SYNCHRONIZED");
    // Trust that is taken away.
    pair.a.run(&format!("DROP CERTIFICATE [{new}]"));
    pair.a.run(&format!("DROP CERTIFICATE [{}]", pair.b.certificate()));
    reconnect(&pair);
    refused(&pair, &["certificate"]);
    pair.a.trust_certificate(&pair.b, &new);
    pair.wait_state(&pair.a, "SYNCHRONIZED");
    pair.wait_equal(&pair.a);
}

/// One whose time has come, or has passed: refused, with the reason.
#[test]
fn expired_is_refused() {
    let pair = Pair::linked(Setup { timeout_s: 5, ..Setup::default() });
    for (suffix, dates) in [
        ("expired", "START_DATE = '20200101', EXPIRY_DATE = '20210101'"),
        ("future", "START_DATE = '20900101', EXPIRY_DATE = '20990101'"),
    ] {
        let name = format!("{}_{suffix}", pair.a.certificate());
        pair.a.run(&format!("CREATE CERTIFICATE [{name}] WITH SUBJECT = '{suffix}', {dates}"));
        pair.b.trust_certificate(&pair.a, &name);
        // SQL Server refuses to use it, or lets the connection fail: either way nothing gets through with it.
        let used = pair.a.attempt(&format!(
            "ALTER ENDPOINT [database_mirroring_endpoint] FOR DATABASE_MIRRORING (AUTHENTICATION = CERTIFICATE [{name}])"
        ));
        if used.is_ok() {
            reconnect(&pair);
            refused(&pair, &["expired", "not yet valid", "valid"]);
            use_certificate(&pair.a, &pair.a.certificate());
        }
        reconnect(&pair);
        connected(&pair);
        pair.wait_state(&pair.a, "SYNCHRONIZED");
    }
}
