//! What must be there first, and the number that says what is not: sections 3, 8.1 and 8.2.

use super::pair::{DAG, DB, Pair, Setup, create_group, replica_state};
use super::server::Server;
use super::{SOON, eventually};

const URL: &str = "TCP://127.0.0.1:5022";

/// A statement and the error that it must end with; 0: it must succeed.
type Case<'a> = (&'a str, u32);

fn check(server: &Server, cases: &[Case<'_>]) {
    let mut sql = server.sql("master");
    for (statement, wanted) in cases {
        let found = match sql.rows(statement) {
            Ok(_) => 0,
            Err(e) => e.number().unwrap_or_else(|| panic!("{statement}: {e:?}")),
        };
        assert_eq!(found, *wanted, "{statement}");
    }
}

fn member(group: &str, url: &str) -> String {
    format!(
        "'{group}' WITH (LISTENER_URL = '{url}', AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT, FAILOVER_MODE = MANUAL, \
         SEEDING_MODE = AUTOMATIC)"
    )
}

fn distributed(dag: &str, first: &str, second: &str) -> String {
    format!("CREATE AVAILABILITY GROUP [{dag}] WITH (DISTRIBUTED) AVAILABILITY GROUP ON {first}, {second}")
}

#[test]
fn without_always_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path(), "SQLA", &["--hadr", "off"]);
    assert_eq!(server.one("SELECT SERVERPROPERTY('IsHadrEnabled')"), "0");
    server.run("CREATE DATABASE d");
    let create = create_group("AG1", &server, URL, None);
    check(
        &server,
        &[
            (&create, 35221),
            ("ALTER DATABASE d SET HADR SUSPEND", 35221),
            ("USE tempdb", 0),
            (&create, 35208),
        ],
    );
    // Enabled, which takes a restart; then there must be an endpoint.
    server.kill();
    let server = Server::start(folder.path(), "SQLA", &[]);
    assert_eq!(server.one("SELECT SERVERPROPERTY('IsHadrEnabled')"), "1");
    check(&server, &[(&create, 35204), ("USE tempdb", 0), (&create, 35208)]);
    server.prepare();
    check(
        &server,
        &[
            ("ALTER ENDPOINT database_mirroring_endpoint STATE = STOPPED", 0),
            (&create, 35204),
            ("ALTER ENDPOINT database_mirroring_endpoint STATE = STARTED", 0),
            (&create, 0),
            (&create, 41042),
            ("BEGIN TRAN", 0),
            ("DROP AVAILABILITY GROUP AG1", 226),
            ("ROLLBACK", 0),
            ("DROP AVAILABILITY GROUP AG1", 0),
            ("DROP AVAILABILITY GROUP AG1", 15151),
        ],
    );
}

#[test]
fn databases_that_cannot_be_added() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), "SQLA", &[]);
    server.prepare();
    let backup =
        |db: &str| format!("BACKUP DATABASE [{db}] TO DISK = N'{}/{db}.bak'", folder.path().display());
    let create = |db: &str| create_group("AG1", &server, URL, Some(db));
    let add = |db: &str| format!("ALTER AVAILABILITY GROUP [AG1] ADD DATABASE [{db}]");
    let copy_only = format!("{} WITH COPY_ONLY", backup("fresh"));
    check(
        &server,
        &[
            ("CREATE DATABASE fresh", 0),
            ("CREATE DATABASE simple", 0),
            ("CREATE DATABASE other", 0),
            ("ALTER DATABASE simple SET RECOVERY SIMPLE", 0),
            (&backup("simple"), 0),
            (&backup("other"), 0),
            (&create("master"), 35249),
            (&create("msdb"), 35249),
            (&create("missing"), 35238),
            (&create("simple"), 1465),
            // No full backup; one that is COPY_ONLY begins no chain.
            (&create("fresh"), 1475),
            (&copy_only, 0),
            (&create("fresh"), 1475),
            (&backup("fresh"), 0),
            // Broken by a change of the recovery model, and begun again.
            ("ALTER DATABASE fresh SET RECOVERY SIMPLE", 0),
            ("ALTER DATABASE fresh SET RECOVERY FULL", 0),
            (&create("fresh"), 1475),
            (&backup("fresh"), 0),
            (&create("fresh"), 0),
            (&add("fresh"), 35280),
            (&add("missing"), 35238),
            (&add("master"), 35249),
            (&create_group("AG2", &server, URL, Some("fresh")), 35244),
            (&add("other"), 0),
            ("ALTER AVAILABILITY GROUP [AG1] REMOVE DATABASE [other]", 0),
            ("ALTER AVAILABILITY GROUP [AG1] REMOVE DATABASE [other]", 35281),
            ("ALTER DATABASE other SET HADR SUSPEND", 35242),
            ("ALTER DATABASE master SET HADR OFF", 35261),
            ("ALTER DATABASE fresh SET HADR OFF", 35240),
            // In a group some things are not done.
            ("ALTER DATABASE fresh SET RECOVERY SIMPLE", 1468),
            ("DROP DATABASE fresh", 3752),
        ],
    );
}

#[test]
fn distributed_groups_that_cannot_be() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), "SQLA", &[]);
    server.prepare();
    let here = member("AG1", URL);
    let there = member("AG2", "TCP://127.0.0.1:5023");
    let bad = |url: &str| distributed("DAG", &here, &member("AG2", url));
    let basic = "CREATE AVAILABILITY GROUP [AGB] WITH (BASIC, CLUSTER_TYPE = NONE) FOR REPLICA ON 'SQLA' WITH \
                 (ENDPOINT_URL = 'TCP://127.0.0.1:5022', AVAILABILITY_MODE = SYNCHRONOUS_COMMIT, FAILOVER_MODE = MANUAL)";
    let automatic = there.replace("FAILOVER_MODE = MANUAL", "FAILOVER_MODE = AUTOMATIC");
    let join = |members: &str| format!("ALTER AVAILABILITY GROUP [DAG] JOIN AVAILABILITY GROUP ON {members}");
    let modify = |member: &str| {
        format!(
            "ALTER AVAILABILITY GROUP [DAG] MODIFY AVAILABILITY GROUP ON '{member}' WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT)"
        )
    };
    server.run("CREATE DATABASE d");
    server.run(&format!("BACKUP DATABASE d TO DISK = N'{}/d.bak'", folder.path().display()));
    check(
        &server,
        &[
            (&distributed("DAG", &here, &there), 19501),
            (&create_group("AG1", &server, URL, Some("d")), 0),
            (
                &format!(
                    "CREATE AVAILABILITY GROUP [DAG] WITH (DISTRIBUTED, CLUSTER_TYPE = NONE) AVAILABILITY GROUP ON {here}, {there}"
                ),
                19497,
            ),
            (
                &format!(
                    "CREATE AVAILABILITY GROUP [DAG] WITH (CLUSTER_TYPE = NONE) AVAILABILITY GROUP ON {here}, {there}"
                ),
                19498,
            ),
            (&bad("nonsense"), 19499),
            (&bad("TCP://127.0.0.1"), 19499),
            (&distributed("DAG", &here, &automatic), 35277),
            (basic, 0),
            (&distributed("DAG", &member("AGB", URL), &there), 19513),
            (&modify("AG1"), 19510),
            (&join(&format!("{here}, {there}")), 19511),
            (&distributed("DAG", &here, &there), 0),
            (&distributed("DAG", &here, &there), 19509),
            (&distributed("DAG2", &here, &there), 19507),
            (&modify("AG3"), 19508),
            (&modify("AG1").replace("[DAG]", "[AG1]"), 19512),
            ("ALTER AVAILABILITY GROUP [DAG] FAILOVER", 47511),
            ("ALTER AVAILABILITY GROUP [DAG] FORCE_FAILOVER_ALLOW_DATA_LOSS", 41122),
            ("ALTER AVAILABILITY GROUP [DAG] SET (REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT = 2)", 35248),
            // What a group stands on is not dropped beneath it.
            ("DROP AVAILABILITY GROUP [AG1]", 3729),
            ("DROP AVAILABILITY GROUP [DAG]", 0),
            // A side that is to receive must be empty and may make databases.
            (&create_group("AG3", &server, URL, None), 0),
            (&join(&format!("{there}, {}", member("AG3", URL))), 19506),
            ("ALTER AVAILABILITY GROUP [AG3] GRANT CREATE ANY DATABASE", 0),
            (&join(&format!("{there}, {}", member("AG3", URL))), 0),
            (&distributed("DAG2", &member("AG3", URL), &member("AG9", "TCP://127.0.0.1:5029")), 19503),
            ("ALTER AVAILABILITY GROUP [DAG] SET (ROLE = SECONDARY)", 35251),
        ],
    );
}

/// Section 2.1: every release that the lab imitates has its servicing update; FAILOVER came with 2022 CU13.
#[test]
fn releases_differ() {
    let folder = tempfile::tempdir().unwrap();
    let managed = "tcp://127.0.0.1:1;Server=[mi]";
    for (version, major, failover) in [
        ("2016", "13", 19504),
        ("2017", "14", 19504),
        ("2019", "15", 19504),
        ("2022", "16", 47514),
        ("2025", "17", 47514),
    ] {
        let server = Server::start(folder.path(), &format!("SQL{version}"), &["--version", version]);
        assert_eq!(server.one("SELECT CAST(SERVERPROPERTY('ProductMajorVersion') AS varchar(9))"), major);
        server.prepare();
        let certificate = server.certificate();
        server.run(&format!(
            "DECLARE @id int = CERT_ID('{certificate}') EXEC sp_certificate_add_issuer @id, N'*.database.windows.net'"
        ));
        server.run("CREATE DATABASE d");
        server.run(&format!("BACKUP DATABASE d TO DISK = N'{}/{version}.bak'", folder.path().display()));
        let create = create_group("AG1", &server, URL, Some("d"));
        // 2016 has groups in a cluster only, and takes no CLUSTER_TYPE.
        let without = create.replace("WITH (CLUSTER_TYPE = NONE) ", "");
        let (right, wrong, number) =
            if major == "13" { (&without, &create, 102) } else { (&create, &without, 35220) };
        check(
            &server,
            &[
                (wrong, number),
                (right, 0),
                (&distributed("DAG", &member("AG1", URL), &member("AG_MI", managed)), 0),
                ("ALTER AVAILABILITY GROUP [DAG] FAILOVER", failover),
                // One database for each link.
                ("CREATE DATABASE e", 0),
                (&format!("BACKUP DATABASE e TO DISK = N'{}/{version}e.bak'", folder.path().display()), 0),
                ("ALTER AVAILABILITY GROUP [AG1] ADD DATABASE e", 47503),
                ("ALTER AVAILABILITY GROUP [AG1] REMOVE DATABASE d", 47520),
            ],
        );
    }
}

/// 41976 and what the log says of it: the gateway cannot redirect without `;Server=[...]`.
#[test]
fn a_managed_url_without_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let a = Server::start(folder.path(), "SQLA", &[]);
    let mi = Server::start(
        folder.path(),
        "mi",
        &["--flavor", "managed", "--mirroring-port", &super::server::free_port().to_string()],
    );
    a.prepare();
    let port = mi.one("SELECT port FROM sys.tcp_endpoints WHERE type_desc = N'DATABASE_MIRRORING'");
    a.run("CREATE DATABASE d");
    a.run(&format!("BACKUP DATABASE d TO DISK = N'{}/d.bak'", folder.path().display()));
    let url = format!("TCP://127.0.0.1:{}", a.endpoint_port);
    a.run(&create_group("AG_d", &a, &url, Some("d")));
    let there = format!("tcp://mi.localhost:{port}");
    a.run(&distributed("DAG_d", &member("AG_d", &url), &member("AG_d_MI", &there)));
    let number = eventually("the failure is shown", SOON, || {
        let number = replica_state(&a, "DAG_d", false, "last_connect_error_number");
        if matches!(number.as_str(), "" | "NULL" | "0") { Err(number) } else { Ok(number) }
    });
    let text = replica_state(&a, "DAG_d", false, "last_connect_error_description");
    assert!(!text.is_empty(), "{number}");
    assert_eq!(replica_state(&a, "DAG_d", false, "connected_state_desc"), "DISCONNECTED");
    // What a managed instance keeps to itself.
    check(
        &mi,
        &[
            (&create_group("AG1", &mi, URL, None), 41906),
            (
                "CREATE ENDPOINT e STATE = STARTED AS TCP (LISTENER_PORT = 5022) FOR DATABASE_MIRRORING (ROLE = ALL)",
                41906,
            ),
            ("DROP AVAILABILITY GROUP [DAG_d]", 41906),
            ("CREATE DATABASE m", 0),
            ("BACKUP DATABASE m TO DISK = N'/nowhere/m.bak'", 41901),
            ("ALTER DATABASE m SET RECOVERY SIMPLE", 5008),
            ("SHUTDOWN", 41906),
            ("ALTER AVAILABILITY GROUP [DAG_d] FAILOVER", 15151),
        ],
    );
    assert_eq!(mi.one("SELECT CAST(SERVERPROPERTY('EngineEdition') AS int)"), "8");
}

/// Statements for the other side.
#[test]
fn the_wrong_role() {
    let pair = Pair::linked(Setup::default());
    let (a, b) = (&pair.a, &pair.b);
    check(
        b,
        &[
            (&format!("ALTER AVAILABILITY GROUP [{DAG}] SET (ROLE = SECONDARY)"), 35251),
            (&format!("ALTER AVAILABILITY GROUP [AG_{DB}_B] ADD DATABASE [master]"), 35251),
            (&format!("BACKUP DATABASE [{DB}] TO DISK = N'{}/b.bak'", pair.folder.path().display()), 3059),
            (&format!("DROP DATABASE [{DB}]"), 3752),
        ],
    );
    check(
        a,
        &[
            (&format!("ALTER AVAILABILITY GROUP [{DAG}] FORCE_FAILOVER_ALLOW_DATA_LOSS"), 41122),
            (&format!("ALTER DATABASE [{DB}] SET HADR OFF"), 35240),
        ],
    );
    let reset = "ALTER AVAILABILITY GROUP [DAG_Db1] JOIN AVAILABILITY GROUP ON ";
    check(b, &[(&format!("{reset}{}", pair.members(DB)), 19509)]);
}
