//! A link in a lab, its wire and its instances broken under load, and the verdict.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::{Lab, SOON, link, text};
use crate::hadr::eventually;

/// A workload that runs beside what a test does.
pub(super) fn workload(lab: &Lab, arguments: &[&str]) -> std::process::Child {
    Command::new(env!("CARGO_BIN_EXE_milink"))
        .args(["lab", "workload", "-o", "json"])
        .args(arguments)
        .env("MILINK_LAB_DATA", lab.data())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What it came to.
pub(super) fn verdict(child: std::process::Child) -> (bool, Value, String) {
    let out = child.wait_with_output().unwrap();
    let report = serde_json::from_slice(&out.stdout);
    let report = report.unwrap_or_else(|e| panic!("{e}: {}{}", text(&out.stdout), text(&out.stderr)));
    (out.status.success(), report, text(&out.stderr))
}

fn pause(ms: u64) {
    // Not for something to happen, but for the load to have gone on for that long.
    std::thread::sleep(Duration::from_millis(ms));
}

#[test]
fn a_workload_survives_cuts_and_a_kill() {
    let lab = Lab::up(&["--sample", "chinook"]);
    let arm = link(&lab, "Chinook");
    let (code, shown, _) = arm.send("GET", "/distributedAvailabilityGroups/link-Chinook", None);
    assert_eq!(code, 200);
    assert_eq!(shown["properties"]["databases"][0]["databaseName"], "Chinook", "{shown}");

    let load = workload(&lab, &["--rate", "100", "--connections", "3", "--seconds", "8"]);
    pause(1_500);
    lab.good(&["fault", "cut", "--direction", "to-managed"]);
    pause(500);
    lab.good(&["fault", "heal"]);
    lab.good(&["fault", "corrupt", "--direction", "to-managed"]);
    eventually("a bit has been changed", SOON, || {
        let list = lab.good(&["fault", "list"]);
        if list == "nothing is broken\n" { Ok(()) } else { Err(list) }
    });
    lab.good(&["fault", "kill", "sqlserver"]);
    pause(700);
    lab.good(&["fault", "start", "sqlserver"]);
    lab.good(&["fault", "kill", "managed"]);
    lab.good(&["fault", "start", "managed"]);
    let (good, report, said) = verdict(load);
    assert!(good && report["clean"] == true, "{report:#}\n{said}");
    assert!(report["acknowledged"].as_u64().unwrap() > 150, "{report:#}\n{said}");
    assert!(report["longestOutageMs"].as_u64().unwrap() >= 500, "{report:#}\n{said}");
    assert!(report["lagMsMax"].is_u64(), "{report:#}");
    for side in ["sqlserver", "managed"] {
        let side = &report["sides"][side];
        assert_eq!(side["checked"], "yes", "{report:#}");
        assert_eq!((&side["lost"], &side["doubled"], &side["behind"]), (&0.into(), &0.into(), &0.into()));
    }
    assert_eq!(report["sides"]["sqlserver"]["primary"], true);
    let wire = &lab.status()["wire"];
    assert!(wire["toManagedBytes"].as_u64().unwrap() > 10_000, "{wire}");
}

/// The workload goes to whoever is primary, and nothing is lost on the way there.
#[test]
fn a_workload_follows_a_planned_failover() {
    let lab = Lab::up(&["--sample", "none"]);
    lab.sql("sqlserver", "master", "CREATE DATABASE Shop");
    let _arm = link(&lab, "Shop");
    for side in ["sqlserver", "managed"] {
        let modes = "ALTER AVAILABILITY GROUP [link-Shop] MODIFY AVAILABILITY GROUP ON \
                     'AG_Shop' WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT), \
                     'AG_Shop_MI' WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT)";
        if side == "sqlserver" {
            lab.sql(side, "master", modes);
        }
    }
    let load = workload(&lab, &["--rate", "60", "--seconds", "6", "--database", "Shop"]);
    pause(2_000);
    eventually("the roles are changed", SOON, || {
        lab.query("sqlserver", "master", "ALTER AVAILABILITY GROUP [link-Shop] FAILOVER")
    });
    let (good, report, said) = verdict(load);
    assert!(good, "{report:#}\n{said}");
    assert_eq!(report["roleChanges"], 1, "{report:#}\n{said}");
    assert_eq!(report["sides"]["managed"]["primary"], true, "{report:#}");
    assert_eq!(report["sides"]["sqlserver"]["primary"], false, "{report:#}");
}

/// A row that is taken away is missed, and so is one that comes twice: the verdict is no rubber stamp.
#[test]
fn what_is_lost_or_doubled_is_found() {
    let lab = Lab::up(&["--sample", "none"]);
    lab.sql("sqlserver", "master", "CREATE DATABASE Shop");
    let load = workload(&lab, &["--rate", "50", "--seconds", "3", "--database", "Shop", "--settle", "0"]);
    eventually("orders are there", SOON, || {
        let rows =
            lab.query("sqlserver", "Shop", "SELECT COUNT(*) FROM milink_workload_orders WHERE client = 0")?;
        if rows.first().and_then(|n| n.parse::<u32>().ok()) > Some(6) {
            Ok(())
        } else {
            Err(format!("{rows:?}"))
        }
    });
    lab.sql(
        "sqlserver",
        "Shop",
        "DELETE milink_workload_orders WHERE client = 0 AND seq = 2; DELETE milink_workload_lines WHERE client = 0 AND seq = 2;
         INSERT milink_workload_orders (run, client, seq, amount, running_sum)
           SELECT run, client, seq, amount, running_sum FROM milink_workload_orders WHERE client = 0 AND seq = 3;
         DELETE milink_workload_lines WHERE client = 0 AND seq = 4 AND line = 2",
    );
    let (good, report, _) = verdict(load);
    assert!(!good && report["clean"] == false);
    assert!(report["lagMsMax"].is_null(), "there is nobody to be behind: {report:#}");
    let side = &report["sides"]["sqlserver"];
    assert_eq!(
        (&side["lost"], &side["doubled"], &side["damaged"]),
        (&1.into(), &1.into(), &1.into()),
        "{report:#}"
    );
}
