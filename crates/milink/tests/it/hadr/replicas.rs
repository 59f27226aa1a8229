//! Replicas that come and go, and databases that are taken out on a secondary, while the primary is written to.

use super::client::Sql;
use super::ledger::{Ledger, TABLE, wait_for_commits};
use super::pair::DB;
use super::server::Server;
use super::{SOON, eventually, until};

/// As it stands in CREATE and ADD REPLICA.
fn replica(server: &Server) -> String {
    format!(
        "N'{}' WITH (ENDPOINT_URL = 'TCP://127.0.0.1:{}', AVAILABILITY_MODE = SYNCHRONOUS_COMMIT, \
         FAILOVER_MODE = MANUAL, SEEDING_MODE = AUTOMATIC, SECONDARY_ROLE (ALLOW_CONNECTIONS = ALL))",
        server.name, server.endpoint_port
    )
}

/// Instances that all trust each other, and a group on the first of them.
fn group<const N: usize>(names: [&str; N]) -> (tempfile::TempDir, [Server; N]) {
    let folder = tempfile::tempdir().unwrap();
    let servers = names.map(|name| Server::start(folder.path(), name, &[]));
    servers.iter().for_each(Server::prepare);
    for one in &servers {
        for other in servers.iter().filter(|s| s.name != one.name) {
            one.trust(other);
        }
    }
    let first = &servers[0];
    first.run(&format!("CREATE DATABASE [{DB}]"));
    first.sql(DB).run(TABLE);
    first.run(&format!("BACKUP DATABASE [{DB}] TO DISK = N'{}/full.bak'", folder.path().display()));
    let create = "CREATE AVAILABILITY GROUP [ag] WITH (CLUSTER_TYPE = NONE) FOR DATABASE";
    first.run(&format!("{create} [{DB}] REPLICA ON {}", replica(first)));
    (folder, servers)
}

fn add(primary: &Server, secondary: &Server) {
    primary.run(&format!("ALTER AVAILABILITY GROUP [ag] ADD REPLICA ON {}", replica(secondary)));
    secondary.run("ALTER AVAILABILITY GROUP [ag] JOIN WITH (CLUSTER_TYPE = NONE)");
    secondary.run("ALTER AVAILABILITY GROUP [ag] GRANT CREATE ANY DATABASE");
}

fn remove(primary: &Server, secondary: &Server) {
    primary.run(&format!("ALTER AVAILABILITY GROUP [ag] REMOVE REPLICA ON N'{}'", secondary.name));
}

/// What a server's own view says of its copy.
fn synchronization(server: &Server) -> String {
    let rows = server
        .run("SELECT synchronization_state_desc FROM sys.dm_hadr_database_replica_states WHERE is_local = 1");
    rows.into_iter().flatten().next().unwrap_or_default()
}

fn wait_synchronized(server: &Server) {
    eventually(&format!("{} follows", server.name), SOON, || match synchronization(server).as_str() {
        "SYNCHRONIZED" => Ok(()),
        other => {
            let log = server.error_log();
            Err(format!("{other}; {:#?}", log.get(log.len().saturating_sub(12)..)))
        }
    });
}

fn state(server: &Server) -> String {
    server.one(&format!("SELECT MAX(state_desc) FROM sys.databases WHERE name = N'{DB}'"))
}

fn replicas(server: &Server) -> Vec<String> {
    server.run("SELECT replica_server_name FROM sys.availability_replicas ORDER BY 1").concat()
}

/// Waits until a secondary shows a row that is written now.
fn wait_for_row(primary: &Server, secondary: &Server, w: u32) {
    primary.sql(DB).run(&format!("INSERT INTO totals VALUES ({w}, 1)"));
    eventually(&format!("row {w} on {}", secondary.name), SOON, || {
        let rows = Sql::open(secondary.port(), DB)
            .and_then(|mut sql| sql.rows(&format!("SELECT w FROM totals WHERE w = {w}")));
        match rows {
            Ok(rows) if rows.len() == 1 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
}

fn said(server: &Server, what: &str) -> usize {
    server.error_log().iter().filter(|line| line.contains(what)).count()
}

/// How often copies were made for a server, as the primary counts.
fn seedings(primary: &Server) -> String {
    primary.one("SELECT COUNT(*) FROM sys.dm_hadr_automatic_seeding WHERE performed_seeding = 1")
}

#[test]
fn replicas_are_added_and_removed_under_load() {
    let (_folder, [a, b, mut c]) = group(["SQLA", "SQLB", "SQLC"]);
    let ledger = Ledger::new(2);
    let load = ledger.write_to(&a);
    add(&a, &b);
    wait_synchronized(&b);
    wait_for_commits(&ledger, 20);
    add(&a, &c);
    wait_synchronized(&c);
    wait_for_commits(&ledger, 20);
    for server in [&a, &b, &c] {
        until("three replicas", &vec!["SQLA".to_owned(), "SQLB".to_owned(), "SQLC".to_owned()], || {
            replicas(server)
        });
    }

    // One that is there is told at once; its database is out of the group, and readable no more.
    remove(&a, &c);
    until("the group is gone", &Vec::<String>::new(), || replicas(&c));
    until("its database is left", &"RESTORING".to_owned(), || state(&c));
    assert_eq!(c.one("SELECT COUNT(*) FROM sys.availability_groups"), "0");
    assert_eq!(said(&c, "was removed from the availability group 'ag'"), 1);
    until("two replicas", &vec!["SQLA".to_owned(), "SQLB".to_owned()], || replicas(&b));
    wait_for_commits(&ledger, 20);
    wait_synchronized(&b);

    // It comes back: what it has is enough to go on with, and nothing is copied.
    let before = seedings(&a);
    add(&a, &c);
    wait_synchronized(&c);
    wait_for_commits(&ledger, 20);
    assert_eq!(seedings(&a), before, "a copy was made that was not needed");

    // One that is away finds out when it is there again.
    c.kill();
    remove(&a, &c);
    wait_for_commits(&ledger, 20);
    c.restart();
    until("the group is gone", &Vec::<String>::new(), || replicas(&c));
    until("its database is left", &"RESTORING".to_owned(), || state(&c));
    load.stop();
    ledger.check(&a);
    wait_for_row(&a, &b, 1000);
    ledger.check(&b);
    // It belongs to nobody: it can be made a database of its own.
    c.run(&format!("RESTORE DATABASE [{DB}] WITH RECOVERY"));
    assert_eq!(state(&c), "ONLINE");
}

/// SET HADR OFF on a secondary: it stays out, RESTORING, and nobody writes a line every few seconds because of it.
#[test]
fn a_database_that_was_taken_out_stays_out() {
    let (_folder, [a, mut b]) = group(["SQLA", "SQLB"]);
    add(&a, &b);
    wait_synchronized(&b);
    b.run(&format!("ALTER DATABASE [{DB}] SET HADR OFF"));
    until("it is left", &"RESTORING".to_owned(), || state(&b));
    let made = seedings(&a);
    // Longer than what has failed is left alone.
    std::thread::sleep(std::time::Duration::from_secs(12));
    assert_eq!(state(&b), "RESTORING");
    assert_eq!(seedings(&a), made, "it was copied again");
    assert_eq!(said(&b, "does not follow"), 1, "{:?}", b.error_log());
    assert_eq!(said(&a, "seeding"), 0, "{:?}", a.error_log());
    // Nor does a restart bring it back.
    b.restart();
    until("it knows its primary", &"1".to_owned(), || {
        b.one("SELECT COUNT(*) FROM sys.dm_hadr_availability_replica_states WHERE connected_state = 1")
    });
    assert_eq!(state(&b), "RESTORING");

    // It goes on where it stood when it is joined.
    b.run(&format!("ALTER DATABASE [{DB}] SET HADR AVAILABILITY GROUP = [ag]"));
    wait_for_row(&a, &b, 1);
    assert_eq!(seedings(&a), made);

    // Seeding that is wanted again finds that it is not needed.
    b.run(&format!("ALTER DATABASE [{DB}] SET HADR OFF"));
    until("it is left", &"RESTORING".to_owned(), || state(&b));
    a.run("ALTER AVAILABILITY GROUP [ag] MODIFY REPLICA ON N'SQLB' WITH (SEEDING_MODE = AUTOMATIC)");
    wait_for_row(&a, &b, 2);
    assert_eq!(seedings(&a), made);

    // Once it is dropped nothing is in the way of a new copy.
    b.run(&format!("ALTER DATABASE [{DB}] SET HADR OFF"));
    b.run(&format!("DROP DATABASE [{DB}]"));
    wait_for_row(&a, &b, 3);
    assert_ne!(seedings(&a), made);
}

/// A log backup can bring what a copy that was taken out has missed: it is joined then, and goes on behind that.
#[test]
fn log_is_restored_to_what_was_taken_out() {
    let (folder, [a, b]) = group(["SQLA", "SQLB"]);
    add(&a, &b);
    wait_synchronized(&b);
    b.run(&format!("ALTER DATABASE [{DB}] SET HADR OFF"));
    until("it is left", &"RESTORING".to_owned(), || state(&b));
    let made = seedings(&a);
    for n in 1..=2 {
        a.sql(DB).run(&format!("INSERT INTO totals VALUES ({n}, 1)"));
        let file = folder.path().join(format!("{n}.trn"));
        a.run(&format!("BACKUP LOG [{DB}] TO DISK = N'{}'", file.display()));
        b.run(&format!("RESTORE LOG [{DB}] FROM DISK = N'{}' WITH NORECOVERY", file.display()));
    }
    b.run(&format!("ALTER DATABASE [{DB}] SET HADR AVAILABILITY GROUP = [ag]"));
    wait_for_row(&a, &b, 3);
    assert_eq!(b.sql(DB).run("SELECT w FROM totals ORDER BY w"), [["1"], ["2"], ["3"]]);
    assert_eq!(seedings(&a), made, "it was copied again");
    wait_synchronized(&b);
}
