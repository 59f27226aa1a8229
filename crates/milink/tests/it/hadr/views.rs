//! The documented views of a link that runs, on both sides: item 7 of the issue and section 6.

use super::pair::{DAG, DB, Pair, Setup};
use super::server::Server;
use super::{SOON, eventually, until};

fn row(values: &[&str]) -> Vec<String> {
    values.iter().map(|v| (*v).to_owned()).collect()
}

/// Waits until a query gives these rows.
fn gives(server: &Server, query: &str, wanted: &[Vec<String>]) {
    until(&format!("{}: {query}", server.name), &wanted.to_vec(), || server.run(query));
}

#[test]
fn of_the_groups() {
    let pair = Pair::linked(Setup::default());
    let [url_a, url_b] = pair.urls();
    for (server, group) in [(&pair.a, "AG_Db1"), (&pair.b, "AG_Db1_B")] {
        gives(
            server,
            "SELECT name, is_distributed, cluster_type, cluster_type_desc, basic_features, \
             required_synchronized_secondaries_to_commit, is_contained FROM sys.availability_groups ORDER BY is_distributed",
            &[row(&[group, "0", "2", "NONE", "0", "0", "0"]), row(&[DAG, "1", "2", "NONE", "0", "0", "0"])],
        );
        // Names behind a distributed group: `replica_server_name` is a group's, `endpoint_url` the listener URL.
        gives(
            server,
            "SELECT r.replica_server_name, r.endpoint_url, r.availability_mode_desc, r.failover_mode_desc, \
             r.seeding_mode_desc, r.session_timeout FROM sys.availability_replicas r \
             JOIN sys.availability_groups g ON g.group_id = r.group_id WHERE g.is_distributed = 1 ORDER BY 1",
            &[
                row(&["AG_Db1", &url_a, "SYNCHRONOUS_COMMIT", "MANUAL", "AUTOMATIC", "20"]),
                row(&["AG_Db1_B", &url_b, "SYNCHRONOUS_COMMIT", "MANUAL", "AUTOMATIC", "20"]),
            ],
        );
        gives(
            server,
            "SELECT r.replica_server_name, c.join_state_desc FROM sys.dm_hadr_availability_replica_cluster_states c \
             JOIN sys.availability_replicas r ON r.replica_id = c.replica_id \
             JOIN sys.availability_groups g ON g.group_id = r.group_id WHERE g.is_distributed = 1 ORDER BY 1",
            &[
                row(&["AG_Db1", "JOINED_STANDALONE_INSTANCE"]),
                row(&["AG_Db1_B", "JOINED_STANDALONE_INSTANCE"]),
            ],
        );
        gives(
            server,
            "SELECT g.name, d.database_name FROM sys.availability_databases_cluster d \
             JOIN sys.availability_groups g ON g.group_id = d.group_id ORDER BY g.is_distributed",
            &[row(&[group, DB]), row(&[DAG, DB])],
        );
        // `sys.databases` leads to both.
        gives(
            server,
            "SELECT d.name, d.state_desc, r.replica_server_name, c.database_name FROM sys.databases d \
             JOIN sys.availability_replicas r ON r.replica_id = d.replica_id \
             JOIN sys.availability_databases_cluster c ON c.group_database_id = d.group_database_id AND c.group_id = r.group_id",
            &[row(&[DB, "ONLINE", &server.name, DB])],
        );
    }
    // Both sides know a database by the same id.
    let id = format!("SELECT group_database_id FROM sys.databases WHERE name = N'{DB}'");
    assert_eq!(pair.a.one(&id), pair.b.one(&id));
}

#[test]
fn of_the_states() {
    let pair = Pair::linked(Setup::default());
    pair.a.sql(DB).run("INSERT INTO totals VALUES (1, 1)");
    pair.wait_equal(&pair.a);
    let replicas = "SELECT r.is_local, r.role, r.role_desc, r.operational_state_desc, r.connected_state_desc, \
                    r.recovery_health_desc, r.synchronization_health_desc, r.last_connect_error_number \
                    FROM sys.dm_hadr_availability_replica_states r JOIN sys.availability_groups g ON g.group_id = r.group_id \
                    WHERE g.is_distributed = 1 ORDER BY r.is_local DESC";
    gives(
        &pair.a,
        &replicas.replace(", r.last_connect_error_number", ""),
        &[
            row(&["1", "1", "PRIMARY", "ONLINE", "CONNECTED", "ONLINE", "HEALTHY"]),
            row(&["0", "2", "SECONDARY", "NULL", "CONNECTED", "NULL", "HEALTHY"]),
        ],
    );
    // A secondary shows itself alone.
    gives(
        &pair.b,
        &replicas.replace(", r.last_connect_error_number", ""),
        &[row(&["1", "2", "SECONDARY", "ONLINE", "CONNECTED", "ONLINE", "HEALTHY"])],
    );
    for (server, primary, secondary) in [(&pair.a, "ONLINE", "NULL"), (&pair.b, "NULL", "ONLINE")] {
        gives(
            server,
            "SELECT s.primary_replica, s.primary_recovery_health_desc, s.secondary_recovery_health_desc, \
             s.synchronization_health_desc FROM sys.dm_hadr_availability_group_states s \
             JOIN sys.availability_groups g ON g.group_id = s.group_id WHERE g.is_distributed = 1",
            &[row(&["AG_Db1", primary, secondary, "HEALTHY"])],
        );
    }
    let databases = "SELECT s.is_local, s.is_primary_replica, s.synchronization_state, s.synchronization_state_desc, \
                     s.is_commit_participant, s.synchronization_health_desc, s.database_state_desc, s.is_suspended, \
                     s.suspend_reason_desc, DB_NAME(s.database_id) \
                     FROM sys.dm_hadr_database_replica_states s JOIN sys.availability_groups g ON g.group_id = s.group_id \
                     WHERE g.is_distributed = 1 ORDER BY s.is_local DESC";
    gives(
        &pair.a,
        databases,
        &[
            row(&["1", "1", "2", "SYNCHRONIZED", "1", "HEALTHY", "ONLINE", "0", "NULL", DB]),
            row(&["0", "0", "2", "SYNCHRONIZED", "1", "HEALTHY", "ONLINE", "0", "NULL", DB]),
        ],
    );
    gives(
        &pair.b,
        databases,
        &[row(&["1", "0", "2", "SYNCHRONIZED", "1", "HEALTHY", "ONLINE", "0", "NULL", DB])],
    );
    gives(
        &pair.a,
        "SELECT c.database_name, c.is_failover_ready, c.is_database_joined FROM sys.dm_hadr_database_replica_cluster_states c \
         JOIN sys.availability_replicas r ON r.replica_id = c.replica_id \
         JOIN sys.availability_groups g ON g.group_id = r.group_id WHERE g.is_distributed = 1",
        &[row(&[DB, "1", "1"]), row(&[DB, "1", "1"])],
    );
}

/// Positions and times: in their order, equal at rest, and moving with the load.
#[test]
fn of_the_positions() {
    let pair = Pair::linked(Setup::default());
    let positions = |s: &Server, local: u8| {
        let rows = s.run(&format!(
            "SELECT s.last_sent_lsn, s.last_received_lsn, s.last_hardened_lsn, s.last_redone_lsn, s.last_commit_lsn, \
             s.log_send_queue_size, s.redo_queue_size, s.secondary_lag_seconds, s.end_of_log_lsn \
             FROM sys.dm_hadr_database_replica_states s JOIN sys.availability_groups g ON g.group_id = s.group_id \
             WHERE g.is_distributed = 1 AND s.is_local = {local}"
        ));
        rows.into_iter().next().unwrap().iter().map(|v| v.parse::<u128>().ok()).collect::<Vec<_>>()
    };
    pair.a.sql(DB).run("INSERT INTO totals VALUES (1, 1)");
    pair.wait_equal(&pair.a);
    let first = eventually("the primary sees its secondary at rest", SOON, || {
        let seen = positions(&pair.a, 0);
        match &seen[..] {
            [
                Some(sent),
                Some(received),
                Some(hardened),
                Some(redone),
                Some(commit),
                Some(0),
                Some(0),
                Some(0),
                _,
            ] if sent >= received && received >= hardened && hardened >= redone => Ok(*commit),
            _ => Err(format!("{seen:?}")),
        }
    });
    let there = positions(&pair.b, 1);
    assert_eq!(there[2], positions(&pair.a, 1)[2], "hardened at rest, here and there");
    assert_eq!(there[4], Some(first), "the last commit, as both sides see it");
    assert!(there[1].is_some() && there[8].is_some(), "{there:?}");
    pair.a.sql(DB).run("INSERT INTO totals VALUES (2, 2)");
    eventually("the last commit moves", SOON, || {
        let now = positions(&pair.a, 0)[4];
        if now > Some(first) { Ok(()) } else { Err(format!("{now:?} after {first}")) }
    });
    // Section 6.2: the difference of commit times estimates what would be lost.
    pair.wait_equal(&pair.a);
    let time = |s: &Server| super::pair::database_state(s, DAG, true, "last_commit_time");
    until("the same commit time", &time(&pair.a), || time(&pair.b));
}

/// Section 6.2's own queries.
#[test]
fn by_the_documented_queries() {
    let pair = Pair::linked(Setup::default());
    let health = format!(
        "SELECT ag.name, rs.synchronization_health_desc FROM sys.availability_groups AS ag \
         INNER JOIN sys.dm_hadr_availability_replica_states AS rs ON ag.group_id = rs.group_id \
         WHERE rs.is_local = 0 AND rs.role = 2 AND ag.is_distributed = 1 AND ag.name = N'{DAG}'"
    );
    gives(&pair.a, &health, &[row(&[DAG, "HEALTHY"])]);
    assert!(pair.b.run(&health).is_empty(), "an empty result says that this side is the secondary");
    let names = "SELECT ag.name AS [DAG Name], ag2.name AS [Underlying AG Name], ar.endpoint_url, ar.availability_mode_desc \
                 FROM sys.availability_groups AS ag JOIN sys.availability_replicas AS ar ON ag.group_id = ar.group_id \
                 LEFT JOIN sys.availability_groups AS ag2 ON ag2.name = ar.replica_server_name WHERE ag.is_distributed = 1";
    assert_eq!(pair.a.run(names).len(), 2);
    let log = pair.a.error_log().join("\n");
    assert!(log.contains("Database Mirroring endpoint is now listening"), "{log}");
    // The backup of the database is where the check of the documents looks for it.
    gives(
        &pair.a,
        &format!("SELECT type, is_copy_only FROM msdb.dbo.backupset WHERE database_name = N'{DB}'"),
        &[row(&["D", "0"])],
    );
}

#[test]
fn the_error_log_tells_when_the_endpoint_stops_and_starts() {
    let folder = tempfile::tempdir().unwrap();
    let server = super::server::Server::start(folder.path(), "SQLA", &[]);
    server.prepare();
    for state in ["STOPPED", "STARTED"] {
        server.run(&format!("ALTER ENDPOINT [database_mirroring_endpoint] STATE = {state}"));
    }
    server.run("DROP ENDPOINT [database_mirroring_endpoint]");
    let of = |what: &str| server.error_log().iter().filter(|line| line.contains(what)).count();
    assert_eq!(of("The Database Mirroring endpoint is now listening for connections"), 2);
    assert_eq!(of("The Database Mirroring endpoint has stopped listening for connections."), 2);
}
