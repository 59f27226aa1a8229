//! Faults of instances, of the local Azure and of certificates: set, seen, bitten, mended.

use super::{Arm, Lab, SOON, link};
use crate::hadr::eventually;

/// The faults, as status shows them.
fn listed(lab: &Lab) -> String {
    lab.good(&["fault", "list"])
}

#[test]
fn instances_are_killed_stopped_and_filled() {
    let lab = Lab::up(&["--sample", "none"]);
    lab.sql("sqlserver", "master", "CREATE DATABASE d");
    lab.sql("sqlserver", "d", "CREATE TABLE t (n int, v varbinary(max))");

    lab.good(&["fault", "kill", "sqlserver"]);
    assert_eq!(lab.process("sqlserver"), ("killed".to_owned(), None));
    assert!(lab.query("sqlserver", "d", "SELECT 1").is_err());
    lab.good(&["fault", "stop", "managed"]);
    assert_eq!(listed(&lab), "killed sqlserver\nstopped managed\n");
    let said = lab.bad(&["fault", "disk-full", "managed"]).1;
    assert!(said.contains("managed is down: `milink lab fault start managed` first"), "{said}");
    lab.good(&["fault", "clear"]);
    assert_eq!(lab.process("managed").0, "running");
    assert_eq!(lab.sql("sqlserver", "d", "SELECT COUNT(*) FROM t"), ["0"]);

    // One that ends by itself is no fault of ours, and is started like one.
    let (_, pid) = lab.process("managed");
    super::kill(pid.unwrap());
    eventually("its end is seen", SOON, || {
        let (state, _) = lab.process("managed");
        if state == "ended" { Ok(()) } else { Err(state) }
    });
    assert_eq!(listed(&lab), "nothing is broken\n");
    lab.good(&["fault", "start", "managed"]);
    assert_eq!(lab.sql("managed", "master", "SELECT 1"), ["1"]);

    // No room: what needs some fails, and what is there can be read.
    lab.good(&["fault", "disk-full", "sqlserver"]);
    assert_eq!(listed(&lab), "disk full sqlserver\n");
    let big = "INSERT t VALUES (1, CONVERT(varbinary(max), (SELECT STRING_AGG(CONVERT(varchar(max), NEWID()), '') \
               FROM sys.all_objects a CROSS JOIN sys.all_objects b)))";
    let mut said = String::new();
    for _ in 0..20 {
        match lab.query("sqlserver", "d", big) {
            Ok(_) => {}
            Err(e) => {
                said = e;
                break;
            }
        }
    }
    assert!(said.contains("Msg "), "nothing has bitten: {said}");
    lab.good(&["fault", "disk-full", "sqlserver", "off"]);
    eventually("it can be written again", SOON, || {
        lab.query("sqlserver", "d", "INSERT t VALUES (2, NULL)").or_else(|e| {
            drop(lab.query("sqlserver", "master", "ALTER DATABASE d SET ONLINE"));
            Err(e)
        })
    });
}

#[test]
fn azure_does_wrong_as_often_as_it_was_told() {
    let lab = Lab::up(&["--sample", "none"]);
    let arm = Arm::sign_in(&lab.status());
    lab.good(&["fault", "azure", "429", "2"]);
    lab.good(&["fault", "azure", "500"]);
    assert_eq!(listed(&lab), "azure 429 for 2 requests\nazure 500 for 1 requests\n");
    assert_eq!(arm.send("GET", "", None).0, 429);
    assert_eq!(listed(&lab), "azure 429 for 1 requests\nazure 500 for 1 requests\n");
    assert_eq!(arm.send("GET", "", None).0, 429);
    assert_eq!(arm.send("GET", "", None).0, 500);
    assert_eq!(arm.send("GET", "", None).0, 200);
    assert_eq!(listed(&lab), "nothing is broken\n");
    lab.good(&["fault", "azure", "slow", "300"]);
    let begun = std::time::Instant::now();
    assert_eq!(arm.send("GET", "", None).0, 200);
    assert!(begun.elapsed().as_millis() >= 300);
    lab.good(&["fault", "clear"]);
    // An instance that is down does not answer, and Azure says so rather than nothing.
    lab.good(&["fault", "kill", "managed"]);
    let (code, said, _) = arm.send("GET", "/databases", None);
    assert!(code >= 400, "{code} {said}");
    lab.good(&["fault", "start", "managed"]);
    assert_eq!(arm.send("GET", "/databases", None).0, 200);
}

/// The certificate of either endpoint goes bad under a link, and good again.
#[test]
fn certificates_go_bad_and_good_again() {
    let lab = Lab::up(&["--sample", "none"]);
    lab.sql("sqlserver", "master", "CREATE DATABASE Db1");
    lab.sql("sqlserver", "Db1", "CREATE TABLE t (n int)");
    let _arm = link(&lab, "Db1");
    let state = "SELECT connected_state_desc FROM sys.dm_hadr_availability_replica_states r \
                 JOIN sys.availability_groups g ON g.group_id = r.group_id WHERE g.is_distributed = 1 AND r.is_local = 0";
    lab.wait("sqlserver", "master", state, "CONNECTED");
    let mut n = 0;
    for (side, action, shown) in [("sqlserver", "expire", "expired"), ("managed", "replace", "replaced")] {
        lab.good(&["fault", "certificate", side, action]);
        assert_eq!(listed(&lab), format!("certificate {side} {shown}\n"));
        lab.wait("sqlserver", "master", state, "DISCONNECTED");
        // It outlives the lab's own restart.
        if side == "managed" {
            lab.good(&["down"]);
            lab.start(&[]);
            assert_eq!(listed(&lab), format!("certificate {side} {shown}\n"));
        }
        n += 1;
        lab.sql("sqlserver", "Db1", &format!("INSERT t VALUES ({n})"));
        lab.good(&["fault", "certificate", side, "restore"]);
        lab.wait("sqlserver", "master", state, "CONNECTED");
        lab.wait("managed", "Db1", "SELECT MAX(n) FROM t", &n.to_string());
    }
    assert_eq!(listed(&lab), "nothing is broken\n");
}
