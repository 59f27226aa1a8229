//! Availability groups without a cluster and with several replicas, by T-SQL alone.

use crate::labs::{Lab, until};

const DB: &str = "Sales";

fn replica(lab: &Lab, options: &str) -> String {
    format!(
        "N'{}' WITH (ENDPOINT_URL = '{}', FAILOVER_MODE = MANUAL, {options})",
        lab.name,
        lab.endpoint_url()
    )
}

const READABLE: &str = "AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT, SEEDING_MODE = AUTOMATIC, \
                        SECONDARY_ROLE (ALLOW_CONNECTIONS = ALL)";
const BY_HAND: &str = "AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT, SEEDING_MODE = MANUAL, \
                       SECONDARY_ROLE (ALLOW_CONNECTIONS = ALL)";
const JOIN: &str = "ALTER AVAILABILITY GROUP [ag] JOIN WITH (CLUSTER_TYPE = NONE)";
const GRANT: &str = "ALTER AVAILABILITY GROUP [ag] GRANT CREATE ANY DATABASE";

/// Two SQL Servers that trust each other.
fn two(tag: &str) -> (Lab, Lab) {
    let (a, b) = (Lab::sql_server(&format!("A{tag}")), Lab::sql_server(&format!("B{tag}")));
    a.trust(&b);
    b.trust(&a);
    (a, b)
}

fn create(a: &Lab, b: &Lab, options: &str) {
    a.run(&format!(
        "CREATE AVAILABILITY GROUP [ag] WITH (CLUSTER_TYPE = NONE) FOR DATABASE [{DB}] REPLICA ON {}, {}",
        replica(a, options),
        replica(b, options)
    ));
}

fn insert(lab: &Lab, n: u32) {
    lab.run_in(DB, &format!("INSERT INTO t VALUES ({n}, N'live')"));
}

fn modify(lab: &Lab, which: &Lab, option: &str) {
    lab.run(&format!("ALTER AVAILABILITY GROUP [ag] MODIFY REPLICA ON N'{}' WITH ({option})", which.name));
}

#[test]
fn a_secondary_joins_follows_and_is_read_as_the_group_allows() {
    let (a, b) = two("j");
    assert_eq!(b.fails("ALTER AVAILABILITY GROUP [nothing] JOIN WITH (CLUSTER_TYPE = NONE)"), 47106);
    a.make_database(DB, 3);
    create(&a, &b, READABLE);
    b.run(JOIN);
    assert_eq!(b.run("SELECT name, cluster_type_desc FROM sys.availability_groups"), ["ag|NONE"]);
    assert_eq!(b.run("SELECT COUNT(*) FROM sys.availability_replicas"), ["2"]);
    b.run(GRANT);
    b.until_rows(DB, 3);
    insert(&a, 4);
    b.until_rows(DB, 4);
    assert_eq!(b.attempt(DB, "DELETE FROM t"), Err(3906));
    assert_eq!(b.synchronization(DB), "SYNCHRONIZING");

    // What the primary allows, the secondary keeps.
    let reads = |intent: bool| b.login(DB, intent).err();
    modify(&a, &b, "SECONDARY_ROLE (ALLOW_CONNECTIONS = NO)");
    until("976", || reads(false) == Some(976) && reads(true) == Some(976));
    modify(&a, &b, "SECONDARY_ROLE (ALLOW_CONNECTIONS = READ_ONLY)");
    until("978", || reads(false) == Some(978) && reads(true).is_none());
    modify(&a, &b, "SECONDARY_ROLE (ALLOW_CONNECTIONS = ALL)");
    until("readers", || reads(false).is_none());
    assert_eq!(
        b.fails("ALTER AVAILABILITY GROUP [ag] MODIFY REPLICA ON 'x' WITH (BACKUP_PRIORITY = 1)"),
        41140
    );

    // Databases come and go by statements on the primary.
    a.make_database("More", 2);
    a.run("ALTER AVAILABILITY GROUP [ag] ADD DATABASE [More]");
    b.until_rows("More", 2);
    a.run("ALTER AVAILABILITY GROUP [ag] REMOVE DATABASE [More]");
    until("RESTORING", || b.state("More") == "RESTORING");
    a.run_in("More", "DELETE FROM t");
    b.run("RESTORE DATABASE [More] WITH RECOVERY");
    assert_eq!(b.run_in("More", "SELECT COUNT(*) FROM t"), ["2"]);

    // Synchronous on both sides.
    modify(&a, &a, "AVAILABILITY_MODE = SYNCHRONOUS_COMMIT");
    modify(&a, &b, "AVAILABILITY_MODE = SYNCHRONOUS_COMMIT");
    until("SYNCHRONIZED", || b.synchronization(DB) == "SYNCHRONIZED");
}

#[test]
fn roles_change_without_a_cluster_as_documented() {
    let (a, mut b) = two("r");
    a.make_database(DB, 3);
    create(&a, &b, READABLE);
    b.run(JOIN);
    b.run(GRANT);
    b.until_rows(DB, 3);
    assert_eq!(a.fails("ALTER AVAILABILITY GROUP [ag] FAILOVER"), 47122);
    modify(&a, &a, "AVAILABILITY_MODE = SYNCHRONOUS_COMMIT");
    modify(&a, &b, "AVAILABILITY_MODE = SYNCHRONOUS_COMMIT");
    until("SYNCHRONIZED", || b.synchronization(DB) == "SYNCHRONIZED");
    // Planned: the primary gives the role up, the secondary takes it.
    a.run("ALTER AVAILABILITY GROUP [ag] SET (ROLE = SECONDARY)");
    assert_eq!(a.attempt(DB, "DELETE FROM t"), Err(3906));
    b.run("ALTER AVAILABILITY GROUP [ag] FORCE_FAILOVER_ALLOW_DATA_LOSS");
    insert(&b, 4);
    a.until_rows(DB, 4);
    // The group is the new primary's now.
    modify(&b, &a, "SECONDARY_ROLE (ALLOW_CONNECTIONS = NO)");
    until("976", || a.login(DB, true).err() == Some(976));
    modify(&b, &a, "SECONDARY_ROLE (ALLOW_CONNECTIONS = ALL)");
    a.until_rows(DB, 4);

    // Forced: both are primary, each with rows of its own, until one gives way. The group that it comes back to is that of
    // the other, which was changed meanwhile.
    b.stop();
    a.run("ALTER AVAILABILITY GROUP [ag] FORCE_FAILOVER_ALLOW_DATA_LOSS");
    insert(&a, 5);
    b.restart();
    until("the primary", || b.attempt(DB, "INSERT INTO t VALUES (50, N'lost')").is_ok());
    insert(&b, 51);
    modify(&a, &b, "SECONDARY_ROLE (ALLOW_CONNECTIONS = READ_ONLY)");
    let both = "SELECT COUNT(*) FROM sys.dm_hadr_availability_replica_states WHERE role_desc = 'PRIMARY'";
    until("two primaries", || a.run(both) == ["2"]);
    b.run("ALTER AVAILABILITY GROUP [ag] SET (ROLE = SECONDARY)");
    until("978", || b.login(DB, false).err() == Some(978));
    modify(&a, &b, "SECONDARY_ROLE (ALLOW_CONNECTIONS = ALL)");
    b.until_rows(DB, 5);
    assert_eq!(b.run_in(DB, "SELECT MAX(n) FROM t"), ["5"]);
}

#[test]
fn a_database_is_restored_and_joined_by_hand() {
    let (a, mut b) = two("h");
    a.make_database(DB, 3);
    create(&a, &b, BY_HAND);
    insert(&a, 4);
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    a.run(&format!("BACKUP DATABASE [{DB}] TO DISK = '{}' WITH COPY_ONLY", file("full")));
    insert(&a, 5);
    a.run(&format!("BACKUP LOG [{DB}] TO DISK = '{}'", file("log")));
    insert(&a, 6);
    b.run(JOIN);
    b.run(GRANT);
    let set_hadr = format!("ALTER DATABASE [{DB}] SET HADR AVAILABILITY GROUP = [ag]");
    assert_eq!(b.fails(&set_hadr), 5011, "it is not here");
    b.run(&format!("RESTORE DATABASE [{DB}] FROM DISK = '{}' WITH NORECOVERY", file("full")));
    b.run(&format!("RESTORE LOG [{DB}] FROM DISK = '{}' WITH NORECOVERY", file("log")));
    until("a connection", || b.attempt("master", &set_hadr).is_ok());
    b.until_rows(DB, 6);
    insert(&a, 7);
    b.until_rows(DB, 7);
    b.restart();
    insert(&a, 8);
    b.until_rows(DB, 8);
    assert_eq!(b.run("SELECT COUNT(*) FROM sys.dm_hadr_automatic_seeding"), ["0"]);

    // Out of the group, and back in where it was.
    b.run(&format!("ALTER DATABASE [{DB}] SET HADR OFF"));
    assert_eq!(b.state(DB), "RESTORING");
    insert(&a, 9);
    until("a connection", || b.attempt("master", &set_hadr).is_ok());
    b.until_rows(DB, 9);
    // DROP leaves the copy as SET HADR OFF does.
    b.run("DROP AVAILABILITY GROUP [ag]");
    assert_eq!(b.state(DB), "RESTORING");
    b.run(&format!("RESTORE DATABASE [{DB}] WITH RECOVERY"));
    insert(&b, 10);
}

#[test]
fn seeding_begins_when_it_is_made_automatic() {
    let (a, b) = two("s");
    a.make_database(DB, 3);
    create(&a, &b, BY_HAND);
    b.run(JOIN);
    b.run(GRANT);
    let why = "SELECT COUNT(*) FROM sys.dm_hadr_availability_replica_states WHERE connected_state = 1";
    until("a connection", || b.run(why) == ["1"]);
    assert_eq!(b.run("SELECT COUNT(*) FROM sys.databases WHERE name = 'Sales'"), ["0"]);
    modify(&a, &b, "SEEDING_MODE = AUTOMATIC");
    b.until_rows(DB, 3);
    let seeded = "SELECT current_state FROM sys.dm_hadr_automatic_seeding";
    assert_eq!(b.run(seeded), ["COMPLETED"]);
}

#[test]
fn the_secondary_of_a_distributed_group_feeds_a_replica_of_its_own() {
    let a = Lab::sql_server("Af");
    let (b, mut c) = (Lab::sql_server("Bf"), Lab::sql_server("Cf"));
    for (one, other) in [(&a, &b), (&b, &c)] {
        one.trust(other);
        other.trust(one);
    }
    a.make_database(DB, 3);
    a.run(&format!(
        "CREATE AVAILABILITY GROUP [first] WITH (CLUSTER_TYPE = NONE) FOR DATABASE [{DB}] REPLICA ON {}",
        replica(&a, READABLE)
    ));
    b.run(&format!(
        "CREATE AVAILABILITY GROUP [ag] WITH (CLUSTER_TYPE = NONE) FOR REPLICA ON {}, {}",
        replica(&b, READABLE),
        replica(&c, READABLE)
    ));
    b.run(GRANT);
    c.run(JOIN);
    c.run(GRANT);
    let options = "AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT, FAILOVER_MODE = MANUAL, SEEDING_MODE = AUTOMATIC";
    let members = format!(
        "AVAILABILITY GROUP ON N'first' WITH (LISTENER_URL = '{}', {options}), \
         N'ag' WITH (LISTENER_URL = '{}', {options})",
        a.endpoint_url(),
        b.endpoint_url()
    );
    a.run(&format!("CREATE AVAILABILITY GROUP [dag] WITH (DISTRIBUTED) {members}"));
    b.run(&format!("ALTER AVAILABILITY GROUP [dag] JOIN {members}"));
    b.until_rows(DB, 3);
    c.until_rows(DB, 3);
    insert(&a, 4);
    c.until_rows(DB, 4);
    assert_eq!(c.attempt(DB, "DELETE FROM t"), Err(3906));
    c.restart();
    insert(&a, 5);
    c.until_rows(DB, 5);
    // The forwarder becomes primary of all: its replica goes on with it.
    assert_eq!(a.fails("ALTER AVAILABILITY GROUP [dag] FAILOVER"), 47511);
    a.run("ALTER AVAILABILITY GROUP [dag] SET (ROLE = SECONDARY)");
    b.run("ALTER AVAILABILITY GROUP [dag] FORCE_FAILOVER_ALLOW_DATA_LOSS");
    insert(&b, 6);
    c.until_rows(DB, 6);
    a.until_rows(DB, 6);
}
