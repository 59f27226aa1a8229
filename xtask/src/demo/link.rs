//! A live copy of Chinook, by the statements that SQL Server's documentation gives, and a role change there and back.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::instance::Instance;
use crate::report;

/// How long seeding and role changes may take here.
const PATIENCE: Duration = Duration::from_mins(1);

pub(super) fn show(one: &Instance, two: &Instance) -> Result<(), String> {
    report("Trust: each instance gets a certificate and an endpoint, and imports the other's certificate");
    let (first, second) = (free_port()?, free_port()?);
    prepare(one, first)?;
    prepare(two, second)?;
    trust(one, two)?;
    trust(two, one)?;
    report("A distributed availability group: SQL1 is primary, SQL2 is seeded and follows");
    one.run("ALTER DATABASE Chinook SET RECOVERY FULL; BACKUP DATABASE Chinook TO DISK = N'Chinook.bak'")?;
    group(one, "AG1", "FOR DATABASE Chinook", first)?;
    group(two, "AG2", "FOR", second)?;
    two.run("ALTER AVAILABILITY GROUP AG2 GRANT CREATE ANY DATABASE")?;
    let members = format!("AVAILABILITY GROUP ON {}, {}", member("AG1", first), member("AG2", second));
    one.run(&format!("CREATE AVAILABILITY GROUP DAG_Chinook WITH (DISTRIBUTED) {members}"))?;
    let begun = Instant::now();
    two.run(&format!("ALTER AVAILABILITY GROUP DAG_Chinook JOIN {members}"))?;
    wait(two, "SELECT COUNT(*) FROM sys.databases WHERE name = N'Chinook' AND state_desc = N'ONLINE'", "1")?;
    report(&format!("  readable on SQL2 after {} ms; live from now on:", begun.elapsed().as_millis()));
    one.run("INSERT Chinook.dbo.Genre(GenreId, Name) VALUES(100, N'Replicated')")?;
    wait(two, "SELECT COUNT(*) FROM Chinook.dbo.Genre WHERE GenreId = 100", "1")?;
    report("  a row that was inserted on SQL1 is there on SQL2");
    for (from, to) in [(one, two), (two, one)] {
        let begun = Instant::now();
        hand_over(from, to)?;
        wait(to, "SELECT sys.fn_hadr_is_primary_replica(N'Chinook')", "1")?;
        to.run("INSERT Chinook.dbo.Genre(GenreId, Name) SELECT MAX(GenreId) + 1, @@SERVERNAME FROM Chinook.dbo.Genre")?;
        report(&format!(
            "Planned failover to {}: written there {} ms later",
            to.name,
            begun.elapsed().as_millis()
        ));
    }
    wait(two, "SELECT COUNT(*) FROM Chinook.dbo.Genre WHERE GenreId >= 100", "3")?;
    report("Nothing is lost on either side:");
    for instance in [one, two] {
        instance.sql(&[
            "-b",
            "-d",
            "Chinook",
            "-Q",
            "SELECT GenreId, Name FROM Genre WHERE GenreId >= 100",
        ])?;
    }
    Ok(())
}

/// A planned role change between two SQL Servers, which loses nothing: one gives the role up, and the other takes it when both
/// have hardened the same log.
fn hand_over(from: &Instance, to: &Instance) -> Result<(), String> {
    let state = "SELECT s.synchronization_state_desc FROM sys.dm_hadr_database_replica_states s
                 JOIN sys.availability_groups g ON g.group_id = s.group_id
                 WHERE g.is_distributed = 1 AND s.is_local = 0";
    wait(from, state, "SYNCHRONIZED")?;
    from.run("ALTER AVAILABILITY GROUP DAG_Chinook SET (ROLE = SECONDARY)")?;
    let hardened = "SELECT s.last_hardened_lsn FROM sys.dm_hadr_database_replica_states s
                    JOIN sys.availability_groups g ON g.group_id = s.group_id
                    WHERE g.is_distributed = 1 AND s.is_local = 1";
    wait(to, hardened, &from.ask(hardened)?)?;
    to.run("ALTER AVAILABILITY GROUP DAG_Chinook FORCE_FAILOVER_ALLOW_DATA_LOSS")
}

fn prepare(instance: &Instance, port: u16) -> Result<(), String> {
    let certificate = format!("Cert_{}_endpoint", instance.name);
    instance.run("CREATE MASTER KEY ENCRYPTION BY PASSWORD = 'Demo#Key#Pass1'")?;
    instance.run(&format!("CREATE CERTIFICATE {certificate} WITH SUBJECT = '{} endpoint'", instance.name))?;
    instance.run(&format!(
        "CREATE ENDPOINT mirroring STATE = STARTED AS TCP (LISTENER_PORT = {port}, LISTENER_IP = ALL)
         FOR DATABASE_MIRRORING (ROLE = ALL, AUTHENTICATION = CERTIFICATE {certificate},
         ENCRYPTION = REQUIRED ALGORITHM AES)"
    ))
}

/// `instance` imports the certificate of `other`.
fn trust(instance: &Instance, other: &Instance) -> Result<(), String> {
    let certificate = format!("Cert_{}_endpoint", other.name);
    let shown = format!("SELECT CONVERT(varchar(max), CERTENCODED(CERT_ID('{certificate}')), 1)");
    let public = other.ask(&shown)?;
    instance.run(&format!("CREATE CERTIFICATE {certificate} FROM BINARY = {public}"))
}

fn group(instance: &Instance, name: &str, databases: &str, port: u16) -> Result<(), String> {
    instance.run(&format!(
        "CREATE AVAILABILITY GROUP {name} WITH (CLUSTER_TYPE = NONE) {databases} REPLICA ON N'{}' WITH
         (ENDPOINT_URL = 'TCP://127.0.0.1:{port}', AVAILABILITY_MODE = SYNCHRONOUS_COMMIT,
         FAILOVER_MODE = MANUAL, SEEDING_MODE = AUTOMATIC)",
        instance.name
    ))
}

fn member(group: &str, port: u16) -> String {
    format!(
        "N'{group}' WITH (LISTENER_URL = 'TCP://127.0.0.1:{port}', AVAILABILITY_MODE = SYNCHRONOUS_COMMIT,
         FAILOVER_MODE = MANUAL, SEEDING_MODE = AUTOMATIC)"
    )
}

/// Waits until a query has that answer; errors count as another one, since the database may be on its way.
fn wait(instance: &Instance, query: &str, wanted: &str) -> Result<(), String> {
    let until = Instant::now() + PATIENCE;
    loop {
        let answer = instance.ask(query);
        if answer.as_deref() == Ok(wanted) {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(format!("{} still answers {answer:?} to {query}", instance.name));
        }
    }
}

/// A port that nobody listens on now.
fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(|e| format!("a free port: {e}"))?;
    listener.local_addr().map(|a| a.port()).map_err(|e| format!("a free port: {e}"))
}
