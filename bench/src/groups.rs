//! Two lab instances that replicate a database, by the documented statements and nothing else: trust, groups, the
//! distributed group over both, seeding.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::{Result, Session, tds};

/// How long seeding, or a change of state, may take.
const PATIENCE: Duration = Duration::from_mins(2);
/// How often a state is asked for.
const POLL: Duration = Duration::from_millis(5);
/// Where both instances are.
const HOST: &str = "127.0.0.1";
/// The distributed availability group.
const LINK: &str = "DAG_bench";

/// AVAILABILITY_MODE of both members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A commit is acknowledged when both sides have hardened it.
    Synchronous,
    /// A commit is acknowledged when the primary has hardened it.
    Asynchronous,
}

impl Mode {
    fn word(self) -> &'static str {
        match self {
            Mode::Synchronous => "SYNCHRONOUS_COMMIT",
            Mode::Asynchronous => "ASYNCHRONOUS_COMMIT",
        }
    }

    /// The state of a secondary that follows.
    fn steady(self) -> &'static str {
        match self {
            Mode::Synchronous => "SYNCHRONIZED",
            Mode::Asynchronous => "SYNCHRONIZING",
        }
    }
}

/// An instance as the statements name it.
#[derive(Debug, Clone)]
pub struct Instance {
    /// @@SERVERNAME.
    pub name: String,
    /// Where it listens for clients.
    pub address: SocketAddr,
    /// sa's password.
    pub password: String,
    /// Where its endpoint listens.
    pub endpoint_port: u16,
    /// Where others are told that its endpoint is: the same, or a relay in front of it.
    pub told_port: u16,
}

impl Instance {
    /// A session in a database.
    pub fn open(&self, database: &str) -> Result<Session> {
        tds::Session::open(self.address, &self.password, database).map(Session::Tds)
    }

    /// Runs a statement in master.
    pub fn run(&self, statement: &str) -> Result<()> {
        self.open("master")?.run(statement).map_err(|e| format!("{}: {e}", self.name)).map(drop)
    }

    fn certificate(&self) -> String {
        format!("Cert_{}_endpoint", self.name)
    }

    fn group(&self, database: &str) -> String {
        format!("AG_{database}_{}", self.name)
    }

    fn url(&self) -> String {
        format!("TCP://{HOST}:{}", self.told_port)
    }

    /// Master key, certificate, endpoint.
    pub fn prepare(&self) -> Result<()> {
        let certificate = self.certificate();
        self.run("CREATE MASTER KEY ENCRYPTION BY PASSWORD = 'Str0ng#MasterKey'")?;
        self.run(&format!(
            "CREATE CERTIFICATE [{certificate}] WITH SUBJECT = '{certificate} for the endpoint', EXPIRY_DATE = '20991231'"
        ))?;
        self.run(&format!(
            "CREATE ENDPOINT [database_mirroring_endpoint] STATE = STARTED \
             AS TCP (LISTENER_PORT = {}, LISTENER_IP = ALL) FOR DATABASE_MIRRORING \
             (ROLE = ALL, AUTHENTICATION = CERTIFICATE [{certificate}], ENCRYPTION = REQUIRED ALGORITHM AES)",
            self.endpoint_port
        ))
    }

    /// Accepts the certificate of another one, under the name that a link's must have: its host's.
    pub fn trust(&self, other: &Instance) -> Result<()> {
        let certificate = other.certificate();
        let encoded = other
            .open("master")?
            .value(&format!("SELECT CONVERT(nvarchar(4000), CERTENCODED(CERT_ID('{certificate}')), 1)"))?;
        self.run(&format!("CREATE CERTIFICATE [{HOST}] FROM BINARY = {encoded}"))
    }
}

/// A database's two sides. Which of them is primary may change.
#[derive(Debug, Clone)]
pub struct Link {
    /// The primary at first.
    pub a: Instance,
    /// The secondary at first.
    pub b: Instance,
    /// The database, on both.
    pub database: String,
    /// How it commits.
    pub mode: Mode,
}

impl Link {
    /// Prepares both sides' endpoints, and lets them trust each other. Once for each pair of instances.
    pub fn prepare(&self) -> Result<()> {
        for side in [&self.a, &self.b] {
            side.prepare()?;
        }
        self.a.trust(&self.b)?;
        self.b.trust(&self.a)
    }

    /// What a database needs to be in a group: the full recovery model and a full backup. A backup of the log follows, so
    /// that later ones need no log from before.
    pub fn back_up(&self, folder: &std::path::Path) -> Result<()> {
        let database = &self.database;
        self.a.run(&format!("ALTER DATABASE [{database}] SET RECOVERY FULL"))?;
        for (what, file) in [("DATABASE", "bench.bak"), ("LOG", "bench.trn")] {
            let file = folder.join(file);
            self.a
                .run(&format!("BACKUP {what} [{database}] TO DISK = N'{}' WITH CHECKSUM", file.display()))?;
        }
        Ok(())
    }

    /// Makes both sides' groups and the distributed group, up to and without JOIN: with that, seeding begins.
    pub fn create(&self) -> Result<()> {
        let (a, b, database) = (&self.a, &self.b, &self.database);
        a.run(&group(a, database, &format!("DATABASE [{database}] ")))?;
        b.run(&group(b, database, ""))?;
        b.run(&format!("ALTER AVAILABILITY GROUP [{}] GRANT CREATE ANY DATABASE", b.group(database)))?;
        a.run(&format!(
            "CREATE AVAILABILITY GROUP [{LINK}] WITH (DISTRIBUTED) AVAILABILITY GROUP ON {}",
            self.members()
        ))
    }

    /// JOIN, on the second side.
    pub fn join(&self) -> Result<()> {
        self.b
            .run(&format!("ALTER AVAILABILITY GROUP [{LINK}] JOIN AVAILABILITY GROUP ON {}", self.members()))
    }

    /// Takes the distributed group, and both sides' groups, away again; the second side's copy as well.
    pub fn remove(&self) -> Result<()> {
        for side in [&self.a, &self.b] {
            side.run(&format!("DROP AVAILABILITY GROUP [{LINK}]"))?;
            side.run(&format!("DROP AVAILABILITY GROUP [{}]", side.group(&self.database)))?;
        }
        self.b.run(&format!("DROP DATABASE [{}]", self.database))
    }

    /// Waits until the side that is primary sees its secondary follow: SYNCHRONIZED, or SYNCHRONIZING with asynchronous
    /// commit.
    pub fn wait_steady(&self, primary: &Instance) -> Result<()> {
        let mut session = primary.open("master")?;
        let query = format!(
            "SELECT CONVERT(nvarchar(60), s.synchronization_state_desc) FROM sys.dm_hadr_database_replica_states s \
             JOIN sys.availability_groups g ON g.group_id = s.group_id WHERE g.name = N'{LINK}' AND s.is_local = 0"
        );
        until(|| match session.value(&query)? {
            state if state == self.mode.steady() => Ok(None),
            state => Ok(Some(format!("{} sees its secondary {state}", primary.name))),
        })
        .map_err(|e| format!("{e}\n{}", self.story()))
    }

    /// Waits until the second side's copy can be read.
    pub fn wait_readable(&self, query: &str) -> Result<()> {
        until(|| match self.b.open(&self.database).and_then(|mut session| session.value(query)) {
            Ok(_) => Ok(None),
            Err(why) => Ok(Some(why)),
        })
        .map_err(|e| format!("{e}\n{}", self.story()))
    }

    /// The planned change of roles, from the side that is primary.
    pub fn fail_over(&self, primary: &Instance) -> Result<()> {
        primary.run(&format!("ALTER AVAILABILITY GROUP [{LINK}] FAILOVER"))
    }

    fn members(&self) -> String {
        // FAILOVER is for links, whose other side is a managed instance; the URL says so. A link is not made synchronous.
        let managed = |side: &Instance| match self.mode {
            Mode::Synchronous => String::new(),
            Mode::Asynchronous => format!(";Server=[{}]", side.name),
        };
        let member = |side: &Instance| {
            format!(
                "N'{}' WITH (LISTENER_URL = '{}{}', AVAILABILITY_MODE = {}, FAILOVER_MODE = MANUAL, SEEDING_MODE = AUTOMATIC)",
                side.group(&self.database),
                side.url(),
                managed(side),
                self.mode.word()
            )
        };
        format!("{}, {}", member(&self.a), member(&self.b))
    }

    /// For messages of failures: what both sides say of their connections.
    fn story(&self) -> String {
        let query = "SELECT CONVERT(nvarchar(1000), ISNULL(r.connected_state_desc, '') + N', ' + ISNULL(r.role_desc, '') + N', ' \
                     + ISNULL(r.last_connect_error_description, '')) FROM sys.dm_hadr_availability_replica_states r \
                     JOIN sys.availability_groups g ON g.group_id = r.group_id WHERE g.is_distributed = 1 AND r.is_local = 0";
        let of = |side: &Instance| {
            let said = side.open("master").and_then(|mut session| session.value(query));
            format!("{} says of the other side: {}", side.name, said.unwrap_or_else(|e| e))
        };
        format!("{}\n{}", of(&self.a), of(&self.b))
    }
}

/// CREATE AVAILABILITY GROUP of one replica.
fn group(side: &Instance, database: &str, databases: &str) -> String {
    format!(
        "CREATE AVAILABILITY GROUP [{}] WITH (CLUSTER_TYPE = NONE) FOR {databases}REPLICA ON N'{}' \
         WITH (ENDPOINT_URL = '{}', AVAILABILITY_MODE = SYNCHRONOUS_COMMIT, FAILOVER_MODE = MANUAL, SEEDING_MODE = AUTOMATIC)",
        side.group(database),
        side.name,
        side.url()
    )
}

/// Asks until nothing is missing any more.
pub fn until(mut missing: impl FnMut() -> Result<Option<String>>) -> Result<()> {
    let begun = Instant::now();
    loop {
        let Some(why) = missing()? else { return Ok(()) };
        if begun.elapsed() > PATIENCE {
            return Err(format!("{why}, after {} s", PATIENCE.as_secs()));
        }
        std::thread::sleep(POLL);
    }
}
