//! Up, status, env, down, reset, snapshot, restore; a supervisor that is killed; two labs at once.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::{Arm, Lab, kill, lives, text};
use crate::hadr::eventually;

/// The names in a JSON object, in order.
fn names(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn a_whole_life() {
    let lab = Lab::up(&["--sample", "northwind", "--version", "2019"]);
    let status = lab.status();
    assert_eq!(status["schemaVersion"], 1);
    assert_eq!(names(&status["sqlserver"]), ["server", "user", "password", "endpoint"]);
    assert_eq!(names(&status["managed"]), ["server", "user", "password", "endpoint", "fqdn", "resourceId"]);
    let azure = [
        "armEndpoint",
        "authority",
        "tenantId",
        "subscriptionId",
        "resourceGroup",
        "instanceName",
        "principals",
        "caFile",
        "caBundleFile",
    ];
    assert_eq!(names(&status["azure"]), azure);
    assert_eq!(names(&status["azure"]["principals"][0]), ["name", "clientId", "clientSecret", "role"]);
    assert_eq!(status["azure"]["principals"][0]["name"], "contributor");
    assert_eq!(status["faults"], serde_json::json!([]));

    // All three answer.
    assert_eq!(lab.sql("sqlserver", "Northwind", "SELECT COUNT(*) FROM Orders"), ["830"]);
    assert_eq!(lab.sql("sqlserver", "master", "SELECT SERVERPROPERTY('ProductMajorVersion')"), ["15"]);
    assert_eq!(lab.sql("managed", "master", "SELECT SERVERPROPERTY('EngineEdition')"), ["8"]);
    let arm = Arm::sign_in(&status);
    let (code, instance, _) = arm.send("GET", "", None);
    assert_eq!((code, &instance["name"]), (200, &status["azure"]["instanceName"]), "{instance}");
    assert_eq!(instance["properties"]["fullyQualifiedDomainName"], status["managed"]["fqdn"]);

    // Only the owner reads secrets, and a stranger gets nothing.
    for file in ["secrets.json", "control.json"] {
        let mode = std::fs::metadata(lab.data().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file}");
    }
    let control: Value =
        serde_json::from_str(&std::fs::read_to_string(lab.data().join("control.json")).unwrap()).unwrap();
    let url = format!("http://127.0.0.1:{}/api/status", control["port"]);
    let http = reqwest::blocking::Client::builder().no_proxy().build().unwrap();
    for token in ["", "Bearer ", "Bearer wrong"] {
        let answer = http.get(&url).header("Authorization", token).send().unwrap();
        assert_eq!(answer.status().as_u16(), 401, "{token}");
    }

    // What other programs read, as a shell gives it to them: milink sql needs nothing else.
    let script = format!(
        "eval \"$('{0}' lab env)\" && '{0}' sql -S \"$SQLCMDSERVER\" -C -b --output tsv -Q 'SELECT 42' && \
         printf '%s\\n' \"$AZURE_TENANT_ID\" \"$MILINK_ARM_ENDPOINT\" \"$MILINK_CA_FILE\" \"$MILINK_MANAGED_PASSWORD\"",
        env!("CARGO_BIN_EXE_milink")
    );
    let out = Command::new("sh").args(["-c", &script]).env("MILINK_LAB_DATA", lab.data()).output().unwrap();
    let said = text(&out.stdout);
    let wanted = [
        "42",
        status["azure"]["tenantId"].as_str().unwrap(),
        status["azure"]["armEndpoint"].as_str().unwrap(),
        status["azure"]["caFile"].as_str().unwrap(),
        status["managed"]["password"].as_str().unwrap(),
    ];
    assert_eq!(said.lines().skip(1).collect::<Vec<_>>(), wanted, "{}", text(&out.stderr));

    // The table says the same, and the logs say something of everybody.
    assert!(lab.good(&["status"]).contains(status["sqlserver"]["server"].as_str().unwrap()));
    let logs = lab.good(&["logs"]);
    for who in ["lab ", "sqlserver ", "managed "] {
        assert!(logs.lines().any(|line| line.starts_with(who)), "{who}: {logs}");
    }
}

#[test]
fn snapshot_restore_reset_and_a_second_start() {
    let lab = Lab::up(&["--sample", "chinook"]);
    let before = lab.status();
    let count = "SELECT COUNT(*) FROM Genre";
    let there = lab.sql("sqlserver", "Chinook", count);
    lab.sql("sqlserver", "Chinook", "INSERT Genre (GenreId, Name) VALUES (100, N'kept')");
    lab.sql("managed", "master", "CREATE DATABASE mine");
    lab.good(&["snapshot", "first"]);
    lab.sql("sqlserver", "Chinook", "DELETE Genre WHERE GenreId = 100");
    lab.sql("managed", "master", "DROP DATABASE mine");
    lab.good(&["fault", "delay", "5"]);
    lab.good(&["restore", "first"]);
    assert_eq!(lab.sql("sqlserver", "Chinook", "SELECT Name FROM Genre WHERE GenreId = 100"), ["kept"]);
    assert_eq!(lab.sql("managed", "mine", "SELECT 1"), ["1"]);
    let status = lab.status();
    assert_eq!(status["lab"]["snapshots"], serde_json::json!(["first"]));
    assert_eq!(status["faults"], serde_json::json!([]));

    // In order down and up: addresses, secrets and data are the same.
    lab.good(&["down"]);
    assert!(lab.bad(&["status"]).1.contains("is not running: start it with `milink lab up`"));
    lab.start(&[]);
    let after = lab.status();
    for part in ["sqlserver", "managed", "azure"] {
        assert_eq!(before[part], after[part], "{part}");
    }
    assert_eq!(lab.sql("sqlserver", "Chinook", "SELECT Name FROM Genre WHERE GenreId = 100"), ["kept"]);

    lab.good(&["reset"]);
    assert_eq!(lab.sql("sqlserver", "Chinook", count), there);
    assert!(lab.query("managed", "mine", "SELECT 1").is_err());
    let status = lab.status();
    assert_eq!(status["azure"], before["azure"], "who has signed in stays signed in");
    assert_eq!(status["lab"]["snapshots"], serde_json::json!(["first"]));
}

/// A restoring that was broken off after it had begun to take things away is ended by the next start.
#[test]
fn a_restoring_that_was_broken_off_is_ended() {
    let lab = Lab::up(&["--sample", "none"]);
    lab.sql("sqlserver", "master", "CREATE DATABASE d");
    lab.good(&["snapshot", "s"]);
    assert!(lab.bad(&["snapshot", "s"]).1.contains("there is a snapshot 's' already"));
    lab.good(&["down"]);
    std::fs::remove_dir_all(lab.data().join("sqlserver")).unwrap();
    std::fs::write(lab.data().join("restoring.json"), "\"s\"").unwrap();
    lab.start(&[]);
    assert_eq!(lab.sql("sqlserver", "d", "SELECT 1"), ["1"]);
    assert!(!lab.data().join("restoring.json").exists());
}

/// Types on a terminal that `milink lab sql` has: each piece once the screen shows what it waits for. All that was shown.
fn type_in(lab: &Lab, state: &std::path::Path, pieces: &[(&str, &str)]) -> String {
    let mut child = Command::new("script")
        .args(["-qec", &format!("'{}' lab sql", env!("CARGO_BIN_EXE_milink")), "/dev/null"])
        .env("MILINK_LAB_DATA", lab.data())
        .env("XDG_STATE_HOME", state)
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("script (of util-linux) gives the test its terminal: {e}"));
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let shown = Arc::new(Mutex::new(Vec::new()));
    let screen = Arc::clone(&shown);
    let reader = std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = output.read(&mut buffer) {
            screen.lock().unwrap().extend_from_slice(&buffer[..n]);
        }
    });
    let mut seen = 0;
    for (wanted, keys) in pieces {
        seen = eventually(&format!("{wanted:?} is shown"), super::SOON, || {
            let all = shown.lock().unwrap().clone();
            if text(&all[seen..]).contains(wanted) { Ok(all.len()) } else { Err(text(&all)) }
        });
        input.write_all(keys.as_bytes()).unwrap();
    }
    child.wait().unwrap();
    drop(input);
    reader.join().unwrap();
    let all = shown.lock().unwrap().clone();
    text(&all)
}

/// On a terminal: several lines to a batch, a batch given up with Ctrl-C, and what was typed is found again.
#[test]
fn queries_are_typed_on_a_terminal() {
    let lab = Lab::up(&["--sample", "none"]);
    let state = tempfile::tempdir().unwrap();
    let said = type_in(
        &lab,
        state.path(),
        &[
            ("1> ", "SELECT nonsense\r"),
            ("2> ", "\x03"),
            ("1> ", "SELECT 6 * 7\r"),
            ("2> ", "AS answer\r"),
            ("3> ", "GO\r"),
            ("affected", "exit\r"),
        ],
    );
    assert!(said.contains("answer") && said.contains("42"), "{said}");
    assert!(!said.contains("Invalid column"), "{said}");
    let history = std::fs::read_to_string(state.path().join("milink/sql_history")).unwrap();
    assert!(history.contains("SELECT 6 * 7"), "{history}");
    // The fourth last line, which begins the batch anew.
    let up = "\x1b[A\x1b[A\x1b[A\x1b[A\r";
    let said = type_in(&lab, state.path(), &[("1> ", up), ("2> ", "GO\r"), ("affected", "exit\r")]);
    assert!(said.contains("42"), "{said}");
}

#[test]
fn logs_are_followed() {
    let lab = Lab::up(&["--sample", "none"]);
    let mut child = Command::new(env!("CARGO_BIN_EXE_milink"))
        .args(["lab", "logs", "-f", "-n", "0"])
        .env("MILINK_LAB_DATA", lab.data())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    std::thread::sleep(std::time::Duration::from_millis(400));
    lab.good(&["fault", "delay", "123"]);
    let seen = lines.map_while(Result::ok).find(|line| line.contains("\"ms\":123"));
    assert!(seen.is_some_and(|line| line.starts_with("lab ")));
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Nobody is there to stop anything: the instances stop by themselves, and all is there again after the next start.
#[test]
fn a_killed_supervisor_leaves_nothing_behind() {
    let lab = Lab::up(&["--sample", "none"]);
    lab.sql("sqlserver", "master", "CREATE DATABASE d");
    lab.sql("sqlserver", "d", "CREATE TABLE t (n int); INSERT t VALUES (7)");
    let before = lab.status();
    let pids: Vec<u64> =
        before["processes"].as_array().unwrap().iter().map(|p| p["pid"].as_u64().unwrap()).collect();
    kill(before["lab"]["pid"].as_u64().unwrap());
    // Not waited for: whoever starts it again does it at once.
    lab.start(&[]);
    let after = lab.status();
    assert_eq!(lab.sql("sqlserver", "d", "SELECT n FROM t"), ["7"]);
    assert_eq!(before["managed"], after["managed"]);
    for pid in pids {
        assert!(!lives(pid), "{pid} has outlived its lab");
    }
    // And once more, to stay dead.
    let pids: Vec<u64> =
        after["processes"].as_array().unwrap().iter().map(|p| p["pid"].as_u64().unwrap()).collect();
    kill(after["lab"]["pid"].as_u64().unwrap());
    for pid in pids {
        eventually("an instance stops with its lab", super::SOON, || {
            if lives(pid) { Err(format!("{pid} lives")) } else { Ok(()) }
        });
    }
}

#[test]
fn two_labs_side_by_side() {
    let one = Lab::up(&["--sample", "none"]);
    let two = Lab::up(&["--sample", "none", "--version", "2025", "--policy", "sql2025"]);
    one.sql("sqlserver", "master", "CREATE DATABASE only_one");
    assert!(two.query("sqlserver", "only_one", "SELECT 1").is_err());
    let (first, second) = (one.status(), two.status());
    for (part, name) in [("sqlserver", "server"), ("managed", "endpoint"), ("azure", "armEndpoint")] {
        assert_ne!(first[part][name], second[part][name]);
    }
    two.good(&["down"]);
    assert_eq!(one.sql("sqlserver", "only_one", "SELECT 1"), ["1"]);
}

/// In the foreground, until Ctrl-C.
#[test]
fn ctrl_c_stops_everything() {
    let lab = Lab::new();
    let mut child = Command::new(env!("CARGO_BIN_EXE_milink"))
        .args(["lab", "up", "--sample", "none"])
        .env("MILINK_LAB_DATA", lab.data())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let pids: Vec<u64> = eventually("it is ready", super::SOON, || {
        let out = lab.run(&["status", "-o", "json"]);
        let status: Value = serde_json::from_slice(&out.stdout).map_err(|_| text(&out.stderr))?;
        let processes = status["processes"].as_array().ok_or("none")?;
        Ok(processes.iter().filter_map(|p| p["pid"].as_u64()).collect())
    });
    assert_eq!(pids.len(), 2);
    let asked = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(asked.success() && child.wait().unwrap().success());
    assert!(pids.into_iter().all(|pid| !lives(pid)));
    assert!(lab.logs().ends_with("Stopped\n"), "{}", lab.logs());
    assert!(!lab.data().join("control.json").exists());
}
