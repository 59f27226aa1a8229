//! What the local Azure of a running lab allows to whom, and what it does to those who are in its way.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::{Arm, Lab, SOON, begin_link_as, link, text};
use crate::hadr::eventually;

const LINK: &str = "/distributedAvailabilityGroups/link-Shop";

/// Whoever has the role that the documentation lists makes a link and ends it, and cannot fail over from Azure.
#[test]
fn the_documented_role_makes_links_and_does_not_fail_over() {
    let lab = Lab::up(&["--sample", "none"]);
    let status = lab.status();
    let principals = status["azure"]["principals"].as_array().unwrap();
    let names: Vec<&str> = principals.iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(names[..3], ["contributor", "reader", "documented"]);
    assert!(names[3..].iter().all(|name| name.starts_with("without-")) && names.len() > 20, "{names:?}");
    assert_eq!(principals[2]["role"], "Managed Instance link, as documented");
    assert!(lab.good(&["status"]).contains("contributor, reader, documented and "));

    lab.sql("sqlserver", "master", "CREATE DATABASE Shop");
    let port = crate::hadr::free_port().to_string();
    let arm = begin_link_as(&lab, "documented", "Shop", &port);
    lab.wait("managed", "master", "SELECT state_desc FROM sys.databases WHERE name = N'Shop'", "ONLINE");
    let forced = json!({"failoverType": "ForcedAllowDataLoss"});
    let (code, said, _) = arm.send("POST", &format!("{LINK}/failover"), Some(&forced));
    assert_eq!((code, &said["error"]["code"]), (403, &json!("AuthorizationFailed")));
    let action = "Microsoft.Sql/managedInstances/distributedAvailabilityGroups/failover/action";
    assert!(said["error"]["message"].as_str().unwrap().contains(action), "{said}");
    assert_eq!(arm.send("GET", LINK, None).1["properties"]["instanceLinkRole"], "Secondary");
    arm.change("PATCH", LINK, &json!({"properties": {"replicationMode": "Sync"}}));
    arm.change("DELETE", LINK, &json!({}));
    assert_eq!(arm.send("GET", LINK, None).0, 404);
}

/// `milink lab sql` in a database of the managed instance.
fn session(lab: &Lab, database: &str, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_milink"))
        .args(["lab", "sql", "managed", "-d", database])
        .args(arguments)
        .env("MILINK_LAB_DATA", lab.data())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits until so many sessions are in a database.
fn within(lab: &Lab, database: &str, wanted: usize) {
    let sessions =
        format!("SELECT COUNT(*) FROM sys.dm_exec_sessions WHERE database_id = DB_ID('{database}')");
    lab.wait("managed", "master", &sessions, &wanted.to_string());
}

/// How a deletion ended.
fn delete(arm: &Arm, database: &str) -> Value {
    arm.ended("DELETE", &format!("/databases/{database}"), &json!({}))
}

/// Azure does not ask who uses a database that it is to delete; one that belongs to a link it leaves alone, and its users too.
#[test]
fn a_database_in_use_is_deleted_and_one_of_a_link_is_not() {
    let lab = Lab::up(&["--sample", "none"]);
    let arm = Arm::sign_in(&lab.status());
    lab.sql("managed", "master", "CREATE DATABASE Old");
    lab.sql("managed", "Old", "CREATE TABLE t (n int)");
    let busy = "BEGIN TRANSACTION; INSERT t VALUES (1); WAITFOR DELAY '00:01:00'";
    let busy = session(&lab, "Old", &["-Q", busy]);
    let mut idle = session(&lab, "Old", &[]);
    writeln!(idle.stdin.as_mut().unwrap(), "SELECT 1\nGO").unwrap();
    within(&lab, "Old", 2);
    let begun = std::time::Instant::now();
    assert_eq!(delete(&arm, "Old")["status"], "Succeeded");
    assert!(begun.elapsed().as_secs() < 10, "nobody was waited for");
    assert_eq!(lab.sql("managed", "master", "SELECT COUNT(*) FROM sys.databases WHERE name = 'Old'"), ["0"]);
    assert!(arm.send("GET", "/databases/Old", None).0 == 404);
    writeln!(idle.stdin.as_mut().unwrap(), "SELECT 2\nGO").unwrap();
    for ended in [busy, idle] {
        let out = ended.wait_with_output().unwrap();
        assert!(!out.status.success(), "it went on: {}{}", text(&out.stdout), text(&out.stderr));
    }

    lab.sql("sqlserver", "master", "CREATE DATABASE Shop");
    let _arm = link(&lab, "Shop");
    let reader = session(&lab, "Shop", &["-Q", "WAITFOR DELAY '00:00:03'; SELECT 'still here'"]);
    within(&lab, "Shop", 1);
    let refused = delete(&arm, "Shop");
    assert_eq!(
        (&refused["status"], &refused["error"]["code"]),
        (&json!("Failed"), &json!("3752")),
        "{refused}"
    );
    let out = reader.wait_with_output().unwrap();
    assert!(text(&out.stdout).contains("still here"), "{}", text(&out.stderr));
    eventually("the link goes on", SOON, || {
        let shown = arm.send("GET", LINK, None).1;
        if shown["properties"]["databases"][0]["replicaState"] == "LinkSynchronizing" {
            Ok(())
        } else {
            Err(shown.to_string())
        }
    });
}
