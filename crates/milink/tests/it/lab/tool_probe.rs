//! The probe of endpoints against a lab that runs: what is sound, what is stopped, what is something else.

use std::net::TcpListener;

use serde_json::Value;

use super::Lab;
use super::tool_link::Tool;

const CHECK: [&str; 5] = ["check", "--name", "sales", "--database", "Chinook"];

/// A check's finding, whatever else the checks find.
fn finding(tool: &Tool<'_>, more: &[&str], check: &str) -> (String, String) {
    let out = tool.run(&[&CHECK[..], more, &["-o", "json"]].concat());
    let found: Value = serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {out:?}"));
    let one = found["findings"].as_array().unwrap().iter().find(|f| f["check"] == check).unwrap();
    (one["status"].as_str().unwrap().to_owned(), one["seen"].as_str().unwrap().to_owned())
}

#[test]
fn the_endpoints_are_tried_and_what_failed_is_named() {
    let lab = Lab::up(&["--sample", "chinook"]);
    let tool = Tool::of(&lab);
    let status = lab.status();

    // The managed instance's endpoint answers, and has the certificate that Azure shows. SQL Server has none yet.
    let (status_word, seen) = finding(&tool, &[], "network.to-managed");
    assert_eq!(status_word, "unknown", "{seen}");
    assert!(seen.contains("every hop is fine; from the SQL Server itself nobody has tried"), "{seen}");
    let (_, seen) = finding(&tool, &[], "network.to-sql-server");
    assert!(seen.contains("no probe was made"), "{seen}");
    let (_, seen) = finding(&tool, &["--no-probe"], "network.to-managed");
    assert!(seen.contains("no probe was made"), "{seen}");

    // The port that clients connect to is not the endpoint's.
    let server = status["managed"]["server"].as_str().unwrap().replace(',', ":").replace("tcp:", "");
    let (word, seen) =
        finding(&tool, &["--managed-endpoint", &format!("TCP://{server}")], "network.to-managed");
    assert!(word == "failed" && seen.contains("protocol failed: TDS answers there"), "{word} {seen}");
    // Somebody takes connections and never answers.
    let hole = TcpListener::bind("127.0.0.1:0").unwrap();
    let hole = format!("TCP://127.0.0.1:{}", hole.local_addr().unwrap().port());
    let hole = ["--managed-endpoint", &hole];
    // NB: the listener is still bound: its backlog takes connections that nobody accepts.
    let (word, seen) = finding(&tool, &hole, "network.to-managed");
    assert!(word == "unknown" && seen.contains("nothing came back for 3000 ms"), "{word} {seen}");
    let nowhere = ["--managed-endpoint", "TCP://no-such-host.invalid:5022"];
    let (word, seen) = finding(&tool, &nowhere, "network.to-managed");
    assert!(word == "unknown" && seen.contains("DNS failed: no-such-host.invalid is not found"), "{seen}");

    // A link that works says so itself.
    tool.create();
    for check in ["network.to-managed", "network.to-sql-server"] {
        let (word, seen) = finding(&tool, &[], check);
        assert!(
            word == "pass" && seen.contains("says that link sales is connected"),
            "{check}: {word} {seen}"
        );
    }
    let doctor = tool.json(&["doctor", "sales"]);
    let endpoints = doctor["endpoints"].as_array().unwrap();
    let fine =
        |e: &Value| e.as_str().unwrap().contains("every hop is fine: it asks for a partner's certificate");
    assert!(endpoints.len() == 2 && endpoints.iter().all(fine), "{doctor:#}");

    // A stopped endpoint: what stands before it in a lab takes the connection and closes it, as a load balancer would.
    let name = lab.sql("sqlserver", "master", "SELECT name FROM sys.database_mirroring_endpoints").remove(0);
    lab.sql("sqlserver", "master", &format!("ALTER ENDPOINT [{name}] STATE = STOPPED"));
    let doctor = tool.json(&["doctor", "sales"]);
    let said = doctor["endpoints"][0].as_str().unwrap();
    assert!(
        said.starts_with("SQL Server: from this machine to ") && said.contains("closed at once"),
        "{said}"
    );
    assert!(doctor["causes"].to_string().contains("is STOPPED"), "{doctor:#}");
    let table = tool.good(&["doctor", "sales"]);
    assert!(table.contains("no more is known"), "{table}");
}
