//! Two SQL Servers and a database between them: trust, groups, distributed group, seeding, by the documented statements.

use std::net::SocketAddr;

use lab_instance::endpoint::FaultProxy;

use super::client::Row;
use super::server::Server;
use super::{SOON, eventually};

/// What a pair is made with.
#[derive(Clone, Copy)]
pub(crate) struct Setup<'a> {
    /// AVAILABILITY_MODE of both members.
    pub(crate) mode: &'a str,
    /// SESSION_TIMEOUT in seconds.
    pub(crate) timeout_s: u32,
    /// Whether what goes between the two passes through proxies that can break it.
    pub(crate) proxied: bool,
    /// Whether the members' URLs are a link's, so that the distributed group is one: FAILOVER is for links.
    pub(crate) link: bool,
    /// More arguments of the first instance.
    pub(crate) a: &'a [&'a str],
    /// More arguments of the second.
    pub(crate) b: &'a [&'a str],
}

impl Default for Setup<'_> {
    fn default() -> Self {
        Setup { mode: "SYNCHRONOUS_COMMIT", timeout_s: 20, proxied: false, link: false, a: &[], b: &[] }
    }
}

/// Two instances. Which of them is primary changes in the course of a test.
pub(crate) struct Pair {
    pub(crate) a: Server,
    pub(crate) b: Server,
    /// In front of the endpoints of `a` and of `b`.
    pub(crate) proxies: Option<[FaultProxy; 2]>,
    mode: String,
    timeout_s: u32,
    link: bool,
    // Last: the instances are killed before their folder goes.
    pub(crate) folder: tempfile::TempDir,
}

/// The database of most tests, and the names that belong to it.
pub(crate) const DB: &str = "Db1";
pub(crate) const DAG: &str = "DAG_Db1";

/// Options of a member of a distributed group, as section 4.3 has them.
fn member(group: &str, url: &str, mode: &str, timeout: Option<u32>) -> String {
    let timeout = timeout.map(|s| format!(", SESSION_TIMEOUT = {s}")).unwrap_or_default();
    format!(
        "N'{group}' WITH (LISTENER_URL = '{url}', AVAILABILITY_MODE = {mode}, FAILOVER_MODE = MANUAL, \
         SEEDING_MODE = AUTOMATIC{timeout})"
    )
}

/// CREATE AVAILABILITY GROUP on one server, with a database or empty.
pub(crate) fn create_group(group: &str, server: &Server, url: &str, database: Option<&str>) -> String {
    let database = database.map(|db| format!("DATABASE [{db}] ")).unwrap_or_default();
    format!(
        "CREATE AVAILABILITY GROUP [{group}] WITH (CLUSTER_TYPE = NONE) FOR {database}REPLICA ON N'{}' \
         WITH (ENDPOINT_URL = '{url}', AVAILABILITY_MODE = SYNCHRONOUS_COMMIT, FAILOVER_MODE = MANUAL, \
         SEEDING_MODE = AUTOMATIC)",
        server.name
    )
}

impl Pair {
    /// Two instances that trust each other.
    pub(crate) fn start(setup: Setup<'_>) -> Pair {
        let folder = tempfile::tempdir().unwrap();
        let a = Server::start(folder.path(), "SQLA", setup.a);
        let b = Server::start(folder.path(), "SQLB", setup.b);
        let proxies = setup.proxied.then(|| {
            [&a, &b].map(|s| FaultProxy::start(SocketAddr::from(([127, 0, 0, 1], s.endpoint_port))).unwrap())
        });
        for server in [&a, &b] {
            server.prepare();
        }
        for (one, other) in [(&a, &b), (&b, &a)] {
            // A link's certificate must have the name of the host in the URL.
            if setup.link { one.trust_as("127.0.0.1", other) } else { one.trust(other) }
        }
        let (mode, timeout_s, link) = (setup.mode.to_owned(), setup.timeout_s, setup.link);
        Pair { a, b, proxies, mode, timeout_s, link, folder }
    }

    /// Two instances that somebody else has prepared.
    pub(crate) fn of(a: Server, b: Server, folder: tempfile::TempDir) -> Pair {
        let mode = "ASYNCHRONOUS_COMMIT".to_owned();
        Pair { a, b, proxies: None, mode, timeout_s: 20, link: false, folder }
    }

    /// The same, with the ledger's database linked and followed.
    pub(crate) fn linked(setup: Setup<'_>) -> Pair {
        let pair = Pair::start(setup);
        pair.create_database(DB);
        pair.link(DB);
        pair.wait_state(&pair.a, steady(setup.mode));
        pair
    }

    pub(crate) fn urls(&self) -> [String; 2] {
        let ports = match &self.proxies {
            Some(proxies) => proxies.each_ref().map(|p| p.address().port()),
            None => [self.a.endpoint_port, self.b.endpoint_port],
        };
        ports.map(|port| format!("TCP://127.0.0.1:{port}"))
    }

    /// A database in full recovery with a full backup, and the ledger in it.
    pub(crate) fn create_database(&self, database: &str) {
        self.a.run(&format!("CREATE DATABASE [{database}]"));
        self.a.run(&format!("ALTER DATABASE [{database}] SET RECOVERY FULL"));
        self.a.sql(database).run(super::ledger::TABLE);
        self.back_up(database);
    }

    pub(crate) fn back_up(&self, database: &str) {
        let file = self.folder.path().join(format!("{database}.bak"));
        self.a.run(&format!("BACKUP DATABASE [{database}] TO DISK = N'{}' WITH CHECKSUM", file.display()));
    }

    /// Sections 4.3 and 1: the groups of both sides, the distributed group, and JOIN.
    pub(crate) fn link(&self, database: &str) {
        let [url_a, url_b] = self.urls();
        let members = self.members(database);
        self.a.run(&create_group(&format!("AG_{database}"), &self.a, &url_a, Some(database)));
        self.b.run(&create_group(&format!("AG_{database}_B"), &self.b, &url_b, None));
        self.b.run(&format!("ALTER AVAILABILITY GROUP [AG_{database}_B] GRANT CREATE ANY DATABASE"));
        self.a.run(&format!(
            "CREATE AVAILABILITY GROUP [DAG_{database}] WITH (DISTRIBUTED) AVAILABILITY GROUP ON {members}"
        ));
        self.b
            .run(&format!("ALTER AVAILABILITY GROUP [DAG_{database}] JOIN AVAILABILITY GROUP ON {members}"));
    }

    /// The two members, as they stand in CREATE and in JOIN.
    pub(crate) fn members(&self, database: &str) -> String {
        let [mut url_a, mut url_b] = self.urls();
        if self.link {
            url_a.push_str(&format!(";Server=[{}]", self.a.name));
            url_b.push_str(&format!(";Server=[{}]", self.b.name));
        }
        let a = member(&format!("AG_{database}"), &url_a, &self.mode, Some(self.timeout_s));
        let b = member(&format!("AG_{database}_B"), &url_b, &self.mode, Some(self.timeout_s));
        format!("{a}, {b}")
    }

    /// MODIFY AVAILABILITY GROUP ON for both members, on both sides.
    pub(crate) fn modify_members(&self, options: &str) {
        for server in [&self.a, &self.b] {
            server.run(&format!(
                "ALTER AVAILABILITY GROUP [{DAG}] MODIFY AVAILABILITY GROUP ON \
                 'AG_{DB}' WITH ({options}), 'AG_{DB}_B' WITH ({options})"
            ));
        }
    }

    pub(crate) fn other(&self, server: &Server) -> &Server {
        if server.name == self.a.name { &self.b } else { &self.a }
    }

    /// Waits until the primary says that of the other side's copy.
    pub(crate) fn wait_state(&self, primary: &Server, wanted: &str) {
        eventually(&format!("{} sees its secondary {wanted}", primary.name), SOON, || {
            let found = state(primary, DAG, false);
            if found == wanted { Ok(()) } else { Err(format!("{found}; {}", self.story())) }
        });
    }

    /// Waits until both sides have hardened, and redone, the same log. Nobody writes meanwhile.
    pub(crate) fn wait_equal(&self, primary: &Server) {
        let secondary = self.other(primary);
        eventually("both sides have the same log", SOON, || {
            let positions = |s: &Server| lsn(s, DAG, "last_commit_lsn");
            let (here, there) = (positions(primary), positions(secondary));
            let redone = lsn(secondary, DAG, "last_redone_lsn");
            let hardened = [primary, secondary].map(|s| lsn(s, DAG, "last_hardened_lsn"));
            if here == there && here.is_some() {
                Ok(())
            } else {
                Err(format!("commits {here:?} and {there:?}, redone {redone:?}, hardened {hardened:?}"))
            }
        });
    }

    /// For messages of failures: what both sides show.
    pub(crate) fn story(&self) -> String {
        let query = "SELECT g.name, r.is_local, r.role_desc, r.connected_state_desc, r.last_connect_error_number, \
                     r.last_connect_error_description, d.synchronization_state_desc, d.database_state_desc, \
                     d.suspend_reason_desc \
                     FROM sys.availability_groups g \
                     JOIN sys.dm_hadr_availability_replica_states r ON r.group_id = g.group_id \
                     LEFT JOIN sys.dm_hadr_database_replica_states d ON d.replica_id = r.replica_id \
                     WHERE g.is_distributed = 1";
        let show = |s: &Server| format!("{}: {:?}", s.name, s.attempt(query));
        format!("{}; {}", show(&self.a), show(&self.b))
    }
}

/// A test that has failed shows what the instances have to say.
impl Drop for Pair {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for server in [&self.a, &self.b] {
            let log = std::fs::read_to_string(server.data().join("log/ERRORLOG")).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("the error log of {}, its end:", server.name);
            lines.iter().skip(lines.len().saturating_sub(30)).for_each(|line| eprintln!("    {line}"));
        }
    }
}

/// The state of a secondary that follows.
pub(crate) fn steady(mode: &str) -> &'static str {
    if mode == "SYNCHRONOUS_COMMIT" { "SYNCHRONIZED" } else { "SYNCHRONIZING" }
}

/// A column of `sys.dm_hadr_database_replica_states` in a distributed group; empty without a row.
pub(crate) fn database_state(server: &Server, dag: &str, local: bool, column: &str) -> String {
    let local = u8::from(local);
    let rows = server.run(&format!(
        "SELECT s.{column} FROM sys.dm_hadr_database_replica_states s \
         JOIN sys.availability_groups g ON g.group_id = s.group_id \
         WHERE g.name = N'{dag}' AND g.is_distributed = 1 AND s.is_local = {local}"
    ));
    only(rows)
}

fn only(rows: Vec<Row>) -> String {
    rows.into_iter().next().and_then(|row| row.into_iter().next()).unwrap_or_default()
}

pub(crate) fn state(server: &Server, dag: &str, local: bool) -> String {
    database_state(server, dag, local, "synchronization_state_desc")
}

/// A position of this side's copy; nothing if it is NULL.
pub(crate) fn lsn(server: &Server, dag: &str, column: &str) -> Option<u128> {
    database_state(server, dag, true, column).parse().ok()
}

/// A column of `sys.dm_hadr_availability_replica_states` in a distributed group.
pub(crate) fn replica_state(server: &Server, dag: &str, local: bool, column: &str) -> String {
    let local = u8::from(local);
    only(server.run(&format!(
        "SELECT r.{column} FROM sys.dm_hadr_availability_replica_states r \
         JOIN sys.availability_groups g ON g.group_id = r.group_id \
         WHERE g.name = N'{dag}' AND g.is_distributed = 1 AND r.is_local = {local}"
    )))
}

/// PRIMARY, SECONDARY, RESOLVING: section 6.2, "Role of this side".
pub(crate) fn role(server: &Server) -> String {
    replica_state(server, DAG, true, "role_desc")
}
