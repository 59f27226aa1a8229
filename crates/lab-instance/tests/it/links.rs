//! Links between a SQL Server and a managed instance, as the documents make them: T-SQL on the one, the service's own
//! interface on the other.

use lab_instance::{CommitMode, LinkRequest, LiveDatabase, Role, SeedingMode, SeedingState};

use crate::labs::{Lab, until};

const DB: &str = "Sales";

/// A SQL Server and a managed instance that trust each other.
struct Pair {
    sql: Lab,
    managed: Lab,
}

impl Pair {
    fn new(tag: &str) -> Pair {
        let pair = Pair::strangers(tag);
        pair.sql_server_trusts();
        pair.managed_trusts();
        pair
    }

    fn strangers(tag: &str) -> Pair {
        Pair { sql: Lab::sql_server(&format!("SQL{tag}")), managed: Lab::managed(&format!("mi-{tag}")) }
    }

    fn fqdn(&self) -> String {
        self.managed.instance().server().host_name()
    }

    /// Steps 5 to 7: the managed instance's certificate under its host name, and its root.
    fn sql_server_trusts(&self) {
        let fqdn = self.fqdn();
        let der = self.managed.control().endpoint_certificate().unwrap();
        let root = self.managed.instance().server().managed_root_certificate().unwrap();
        self.sql.run(&format!("CREATE CERTIFICATE [{fqdn}] FROM BINARY = {}", hex(&der)));
        self.sql.run(&format!("CREATE CERTIFICATE [Lab root] FROM BINARY = {}", hex(&root)));
        self.sql
            .run("DECLARE @id int = CERT_ID('Lab root') EXEC sp_certificate_add_issuer @id, N'*.localhost'");
        self.sql
            .run(&format!("DECLARE @id int = CERT_ID('{fqdn}') EXEC sp_validate_certificate_ca_chain @id"));
    }

    /// Steps 3 and 4: what an upload of the SQL Server's certificate comes to.
    fn managed_trusts(&self) {
        let name = self.sql.certificate();
        let der = unhex(&self.sql.encoded(&name));
        self.managed.control().trust_certificate(&name, &der).unwrap();
    }

    /// Step 10; empty without a database.
    fn make_group(&self, database: Option<&str>) {
        let of = database.map_or(String::new(), |d| format!("DATABASE [{d}] "));
        self.sql.run(&format!(
            "CREATE AVAILABILITY GROUP [AG_{DB}] WITH (CLUSTER_TYPE = NONE) FOR {of}\
             REPLICA ON N'{}' WITH (ENDPOINT_URL = '{}', AVAILABILITY_MODE = SYNCHRONOUS_COMMIT, \
             FAILOVER_MODE = MANUAL, SEEDING_MODE = AUTOMATIC)",
            self.sql.name,
            self.sql.endpoint_url()
        ));
    }

    /// Step 11.
    fn make_distributed(&self, behind: &str) {
        self.sql.run(&format!(
            "CREATE AVAILABILITY GROUP [DAG_{DB}] WITH (DISTRIBUTED) AVAILABILITY GROUP ON \
             N'AG_{DB}' WITH (LISTENER_URL = '{}', AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT, \
             FAILOVER_MODE = MANUAL, SEEDING_MODE = AUTOMATIC, SESSION_TIMEOUT = 20), \
             N'AG_{DB}_MI' WITH (LISTENER_URL = 'tcp://{}:{}{behind}', AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT, \
             FAILOVER_MODE = MANUAL, SEEDING_MODE = AUTOMATIC)",
            self.sql.endpoint_url(),
            self.fqdn(),
            self.managed.port
        ));
    }

    fn behind(&self) -> String {
        format!(";Server=[{}]", self.managed.name)
    }

    /// Step 13.
    fn create_link(&self, role: Role) {
        let request = LinkRequest {
            name: format!("DAG_{DB}"),
            partner_group: format!("AG_{DB}"),
            partner_endpoint: self.sql.endpoint_url(),
            instance_group: format!("AG_{DB}_MI"),
            databases: vec![DB.to_owned()],
            role,
            commit_mode: CommitMode::Asynchronous,
            seeding_mode: SeedingMode::Automatic,
        };
        self.managed.control().create_link(&request).unwrap();
    }

    /// Sections 4.2 and 4.3.
    fn link_from_sql_server(&self) {
        self.sql.make_database(DB, 3);
        self.make_group(Some(DB));
        self.make_distributed(&self.behind());
        self.create_link(Role::Secondary);
        self.managed.until_rows(DB, 3);
    }

    /// Sections 4.2 and 4.4.
    fn link_from_managed(&self) {
        self.managed.make_database(DB, 3);
        self.make_group(None);
        self.sql.run(&format!("ALTER AVAILABILITY GROUP [AG_{DB}] GRANT CREATE ANY DATABASE"));
        self.make_distributed(&format!("{};Database=[{DB}]", self.behind()));
        self.create_link(Role::Primary);
        self.sql.until_rows(DB, 3);
    }

    fn link(&self) -> lab_instance::Link {
        self.managed.control().link(&format!("dag_{DB}")).unwrap()
    }

    fn role(&self) -> Option<Role> {
        self.link().live.map(|l| l.role)
    }

    /// The managed instance's row of its own copy.
    fn copy(&self) -> Option<LiveDatabase> {
        self.link().live?.databases.into_values().next()
    }

    fn insert(&self, into: &Lab, n: u32) {
        into.run_in(DB, &format!("INSERT INTO t VALUES ({n}, N'live')"));
    }

    fn managed_is(&self, role: Role) {
        until(&format!("the role {role:?}"), || self.role() == Some(role));
    }

    fn synchronize(&self) {
        let member = |name: &str| format!("'{name}' WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT)");
        self.sql.run(&format!(
            "ALTER AVAILABILITY GROUP [DAG_{DB}] MODIFY AVAILABILITY GROUP ON {}, {}",
            member(&format!("AG_{DB}")),
            member(&format!("AG_{DB}_MI"))
        ));
        self.managed.control().set_commit_mode(&format!("DAG_{DB}"), CommitMode::Synchronous).unwrap();
    }
}

fn hex(bytes: &[u8]) -> String {
    format!("0x{}", bytes.iter().map(|b| format!("{b:02X}")).collect::<String>())
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.strip_prefix("0x").unwrap().as_bytes();
    digits.chunks(2).map(|d| u8::from_str_radix(std::str::from_utf8(d).unwrap(), 16).unwrap()).collect()
}

#[test]
fn a_link_from_sql_server_goes_both_ways_and_ends() {
    let pair = Pair::new("a");
    let Pair { sql, managed } = &pair;
    pair.link_from_sql_server();
    pair.insert(sql, 4);
    managed.until_rows(DB, 4);
    assert_eq!(managed.attempt(DB, "DELETE FROM t"), Err(3906));
    let link = pair.link();
    assert_eq!((link.databases.as_slice(), link.error), ([DB.to_owned()].as_slice(), None));
    let seeding = link.seedings.last().unwrap();
    assert_eq!((seeding.state, seeding.attempts), (SeedingState::Completed, 1));
    let live = link.live.unwrap();
    let peer = live.peers.values().next().unwrap();
    assert!(live.role == Role::Secondary && peer.connected && !peer.managed && peer.last_error.is_none());
    let copy = pair.copy().unwrap();
    assert!(copy.last_hardened_lsn.is_some() && copy.last_redone_lsn.is_some() && copy.error.is_none());
    // SQL Server sees it connected: step 15.
    let connected = "SELECT s.connected_state_desc, s.last_connect_error_number FROM sys.availability_replicas r \
                     JOIN sys.dm_hadr_availability_replica_states s ON s.replica_id = r.replica_id \
                     WHERE r.replica_server_name = 'AG_Sales_MI'";
    assert_eq!(sql.run(connected), ["CONNECTED|NULL"]);

    pair.synchronize();
    until("SYNCHRONIZED", || pair.copy().is_some_and(|c| c.synchronization_state.name() == "SYNCHRONIZED"));

    // There and back, and nothing is lost.
    sql.run(&format!("ALTER AVAILABILITY GROUP [DAG_{DB}] FAILOVER"));
    pair.managed_is(Role::Primary);
    pair.insert(managed, 5);
    sql.until_rows(DB, 5);
    assert_eq!(sql.attempt(DB, "DELETE FROM t"), Err(3906));
    managed.control().fail_over(&format!("DAG_{DB}"), false).unwrap();
    pair.managed_is(Role::Secondary);
    pair.insert(sql, 6);
    managed.until_rows(DB, 6);

    // Both sides go on alone.
    managed.control().drop_link(&format!("DAG_{DB}")).unwrap();
    assert!(managed.control().links().is_empty());
    pair.insert(managed, 7);
    sql.run(&format!("DROP AVAILABILITY GROUP [DAG_{DB}]"));
    pair.insert(sql, 8);
    assert_eq!(managed.run_in(DB, "SELECT MAX(n) FROM t"), ["7"]);
    assert_eq!(sql.run_in(DB, "SELECT COUNT(*), MAX(n) FROM t"), ["7|8"]);
    assert_eq!(managed.run("SELECT COUNT(*) FROM sys.availability_groups"), ["0"]);
}

#[test]
fn a_link_from_a_managed_instance_takes_a_role_by_force() {
    let pair = Pair::new("b");
    let Pair { sql, managed } = &pair;
    pair.link_from_managed();
    assert_eq!(pair.role(), Some(Role::Primary));
    pair.insert(managed, 4);
    sql.until_rows(DB, 4);
    assert_eq!(sql.attempt(DB, "DELETE FROM t"), Err(3906));
    assert!(pair.link().error.is_none());

    // The documents' way before CU13: the managed side gives the role up, SQL Server takes it.
    managed.control().become_secondary(&format!("DAG_{DB}")).unwrap();
    pair.managed_is(Role::Secondary);
    sql.run(&format!("ALTER AVAILABILITY GROUP [DAG_{DB}] FORCE_FAILOVER_ALLOW_DATA_LOSS"));
    pair.insert(sql, 5);
    managed.until_rows(DB, 5);

    // And by force in the other direction, while SQL Server is still primary: then its side gives way.
    managed.control().fail_over(&format!("DAG_{DB}"), true).unwrap();
    pair.managed_is(Role::Primary);
    pair.insert(managed, 6);
    sql.run(&format!("ALTER AVAILABILITY GROUP [DAG_{DB}] SET (ROLE = SECONDARY)"));
    sql.until_rows(DB, 6);

    // The primary ends the link: the other side is told by nobody.
    managed.control().drop_link(&format!("DAG_{DB}")).unwrap();
    pair.insert(managed, 7);
    sql.run(&format!("DROP AVAILABILITY GROUP [DAG_{DB}]"));
    pair.insert(sql, 8);
}

#[test]
fn a_link_survives_restarts_of_either_side() {
    let mut pair = Pair::new("c");
    pair.link_from_sql_server();
    pair.managed.restart();
    pair.insert(&pair.sql, 4);
    pair.managed.until_rows(DB, 4);
    pair.sql.restart();
    // It has no role until its groups were read.
    until("the primary", || pair.sql.attempt(DB, "INSERT INTO t VALUES (5, N'live')").is_ok());
    pair.managed.until_rows(DB, 5);
}

#[test]
fn without_a_server_in_the_url_no_link_comes_about() {
    let pair = Pair::new("d");
    pair.sql.make_database(DB, 1);
    pair.make_group(Some(DB));
    pair.make_distributed("");
    pair.create_link(Role::Secondary);
    let error = "SELECT s.last_connect_error_number FROM sys.availability_replicas r \
                 JOIN sys.dm_hadr_availability_replica_states s ON s.replica_id = r.replica_id \
                 WHERE r.replica_server_name = 'AG_Sales_MI'";
    until("the redirect's failure", || pair.sql.run(error) == ["33320"]);
    until("41976", || pair.link().error.is_some_and(|e| e.number() == 41976));
    assert_eq!(pair.sql.run(error), ["33320"]);
    assert_eq!(pair.managed.run("SELECT COUNT(*) FROM sys.databases WHERE name = 'Sales'"), ["0"]);
    // The right URL heals it.
    pair.sql.run(&format!(
        "ALTER AVAILABILITY GROUP [DAG_{DB}] MODIFY AVAILABILITY GROUP ON 'AG_{DB}_MI' \
         WITH (LISTENER_URL = 'tcp://{}:{}{}')",
        pair.fqdn(),
        pair.managed.port,
        pair.behind()
    ));
    pair.managed.until_rows(DB, 1);
}

#[test]
fn a_certificate_that_is_missing_is_named_by_the_side_that_lacks_it() {
    let pair = Pair::strangers("e");
    pair.sql.make_database(DB, 1);
    pair.make_group(Some(DB));
    pair.make_distributed(&pair.behind());
    pair.sql_server_trusts();
    pair.create_link(Role::Secondary);
    until("41973", || pair.link().error.is_some_and(|e| e.number() == 41973));
    let error = "SELECT MAX(last_connect_error_number) FROM sys.dm_hadr_availability_replica_states";
    until("an error on SQL Server", || pair.sql.one(error) == "28028");
    pair.managed_trusts();
    pair.managed.until_rows(DB, 1);
    assert_eq!(pair.link().error, None);

    // Now the other way: the link breaks off, and the managed side is told that it is not known any more.
    pair.sql.run(&format!("DROP CERTIFICATE [{}]", pair.fqdn()));
    until("41974", || pair.link().error.is_some_and(|e| e.number() == 41974));
    until("an error on SQL Server", || pair.sql.one(error) == "28035");
    let name = pair.sql.certificate();
    assert_eq!(pair.managed.control().trusted_certificates().len(), 1);
    pair.managed.control().forget_certificate(&name).unwrap();
    until("41973 again", || pair.link().error.is_some_and(|e| e.number() == 41973));
}

#[test]
fn a_name_that_is_taken_is_told_by_the_seeding() {
    let pair = Pair::new("f");
    pair.managed.run(&format!("CREATE DATABASE [{DB}]"));
    pair.sql.make_database(DB, 2);
    pair.make_group(Some(DB));
    pair.make_distributed(&pair.behind());
    pair.create_link(Role::Secondary);
    until("a failed seeding", || {
        pair.link()
            .seedings
            .iter()
            .any(|s| s.failure.as_ref().is_some_and(|f| f.text.contains("already exists")))
    });
    until("41977", || pair.link().error.is_some_and(|e| e.number() == 41977));
    assert_eq!(
        pair.managed.run_in(DB, "SELECT COUNT(*) FROM sys.tables"),
        ["0"],
        "what was there is left alone"
    );
    pair.managed.run(&format!("DROP DATABASE [{DB}]"));
    pair.managed.until_rows(DB, 2);
    let attempts = pair.link().seedings.last().unwrap().attempts;
    assert!(attempts > 1, "{attempts}");
}

#[test]
fn a_link_that_cannot_be_made_leaves_nothing() {
    let pair = Pair::new("g");
    let request = LinkRequest {
        name: "DAG_x".to_owned(),
        partner_group: "AG_same".to_owned(),
        partner_endpoint: pair.sql.endpoint_url(),
        instance_group: "ag_SAME".to_owned(),
        databases: vec![DB.to_owned()],
        role: Role::Secondary,
        commit_mode: CommitMode::Asynchronous,
        seeding_mode: SeedingMode::Automatic,
    };
    let control = pair.managed.control();
    control.create_link(&request).unwrap_err();
    assert_eq!(pair.managed.run("SELECT COUNT(*) FROM sys.availability_groups"), ["0"]);
    let missing = LinkRequest { instance_group: "AG_mi".to_owned(), role: Role::Primary, ..request };
    // Of a primary the database must be there.
    control.create_link(&missing).unwrap_err();
    assert_eq!(pair.managed.run("SELECT COUNT(*) FROM sys.availability_groups"), ["0"]);
    for error in [
        control.drop_link("DAG_x").unwrap_err(),
        control.fail_over("DAG_x", false).unwrap_err(),
        control.set_commit_mode("DAG_x", CommitMode::Synchronous).unwrap_err(),
    ] {
        assert!([19510, 15151].contains(&error.number), "{error:?}");
    }
}
