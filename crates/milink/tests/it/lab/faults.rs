//! Faults of instances, of the local Azure and of certificates: set, seen, bitten, mended.

use super::{Arm, Lab, SOON, begin_link, link};
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
        let written = lab.query("sqlserver", "d", "INSERT t VALUES (2, NULL)");
        if written.is_err() {
            drop(lab.query("sqlserver", "master", "ALTER DATABASE d SET ONLINE"));
        }
        written
    });
}

#[test]
fn azure_does_wrong_as_often_as_it_was_told() {
    let lab = Lab::up(&["--sample", "none"]);
    let arm = Arm::sign_in(&lab.status());
    lab.good(&["fault", "azure", "429", "2"]);
    lab.good(&["fault", "azure", "500"]);
    assert_eq!(listed(&lab), "azure 429 for 2 requests\nazure 500 for 1 request\n");
    assert_eq!(arm.send("GET", "", None).0, 429);
    assert_eq!(listed(&lab), "azure 429 for 1 request\nazure 500 for 1 request\n");
    assert_eq!(arm.send("GET", "", None).0, 429);
    assert_eq!(arm.send("GET", "", None).0, 500);
    assert_eq!(arm.send("GET", "", None).0, 200);
    assert_eq!(listed(&lab), "nothing is broken\n");
    lab.good(&["fault", "azure", "slow"]);
    assert_eq!(listed(&lab), "azure slow by 1000 ms\n");
    lab.good(&["fault", "azure", "slow", "300"]);
    assert_eq!(listed(&lab), "azure slow by 300 ms\n");
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
        if action == "expire" {
            eventually("the partner says why", SOON, || {
                let log =
                    std::fs::read_to_string(lab.data().join("managed/log/ERRORLOG")).unwrap_or_default();
                if log.contains("expired") { Ok(()) } else { Err(log) }
            });
        }
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

/// A log backup at the wrong moment, on an endpoint that was made with a port of its own.
#[test]
fn a_log_backup_spoils_a_seeding() {
    let lab = Lab::up(&["--sample", "none"]);
    lab.sql("sqlserver", "master", "CREATE DATABASE Db1");
    lab.sql(
        "sqlserver",
        "Db1",
        "CREATE TABLE heavy (n int IDENTITY PRIMARY KEY, noise varbinary(max));
         DECLARE @n int = 0;
         WHILE @n < 4 BEGIN
             INSERT heavy (noise) SELECT CONVERT(varbinary(max), STRING_AGG(CONVERT(varchar(max), NEWID()), ''))
               FROM sys.all_objects a CROSS JOIN (SELECT TOP (20) 1 AS x FROM sys.all_objects) b;
             SET @n += 1;
         END",
    );
    lab.good(&["fault", "throttle", "300", "--direction", "to-managed"]);
    lab.good(&["fault", "log-backup-during-seeding"]);
    let port = crate::hadr::free_port().to_string();
    let _arm = begin_link(&lab, "Db1", &port);
    eventually("the seeding has failed", SOON, || {
        lab.sql("sqlserver", "Db1", "INSERT heavy (noise) VALUES (0x00)");
        let states =
            "SELECT current_state FROM sys.dm_hadr_automatic_seeding WHERE current_state = N'FAILED'";
        let failed = lab.sql("sqlserver", "master", states);
        if failed.is_empty() { Err("not yet".to_owned()) } else { Ok(()) }
    });
    assert_eq!(
        listed(&lab),
        "throttle to-managed 300 KB/s\nlog backup during seeding\n",
        "what was set is what is shown"
    );
    let taken = "SELECT COUNT(*) FROM msdb.dbo.backupset WHERE database_name = N'Db1' AND type = 'L'";
    assert_ne!(lab.sql("sqlserver", "master", taken), ["0"]);
    assert!(lab.logs().contains(&format!("endpoint is reached at port {port}, too")), "{}", lab.logs());
    lab.good(&["fault", "clear"]);
}
