//! Instances in this process, prepared for availability groups by the documented statements.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use lab_engine::types::display_value;
use lab_engine::{
    ColumnMeta, Done, EnvChange, Flavor, LoginRequest, ReturnValue, Session, Sink, SinkClosed, SqlError,
    UpdatePolicy,
};
use lab_instance::{Control, Instance, InstanceConfig, Secret, ServerConfig, ServerEncryption};
use rusqlite::types::Value;

/// How long a test waits for something that must come.
const PATIENCE: Duration = Duration::from_mins(1);
const PASSWORD: &str = "Lab#Pass123";

/// A port for an endpoint, from below the range that connections are given their ports from.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = std::process::id() % 600 * 20;
    for _ in 0..10_000 {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 12_000 + (first as u16).wrapping_add(step) % 8_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port");
}

/// Waits for something that must come.
pub(crate) fn until(what: &str, mut there: impl FnMut() -> bool) {
    let limit = Instant::now() + PATIENCE;
    while !there() {
        assert!(Instant::now() < limit, "{what} has not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What a batch answered.
#[derive(Debug, Default)]
struct Answers {
    columns: Vec<ColumnMeta>,
    rows: Vec<Vec<Value>>,
    errors: Vec<SqlError>,
}

impl Sink for Answers {
    fn columns(&mut self, columns: &[ColumnMeta]) {
        self.columns = columns.to_vec();
        self.rows.clear();
    }
    fn row(&mut self, row: &[Value]) -> Result<(), SinkClosed> {
        self.rows.push(row.to_vec());
        Ok(())
    }
    fn done(&mut self, _: Done) {}
    fn info(&mut self, _: &SqlError) {}
    fn error(&mut self, error: &SqlError) {
        self.errors.push(error.clone());
    }
    fn env(&mut self, _: EnvChange) {}
    fn return_status(&mut self, _: i32) {}
    fn return_value(&mut self, _: &ReturnValue) {}
    fn flush(&mut self) -> Result<(), SinkClosed> {
        Ok(())
    }
}

/// An instance.
pub(crate) struct Lab {
    pub(crate) name: String,
    pub(crate) port: u16,
    instance: Option<Instance>,
    config: ServerConfig,
    _folder: tempfile::TempDir,
}

impl Lab {
    fn start(name: &str, flavor: Flavor) -> Lab {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let config = ServerConfig {
            sa_password: Some(Secret::new(PASSWORD.into())),
            server_name: name.into(),
            flavor,
            hadr_enabled: Some(true),
            mirroring_port: port,
            ..ServerConfig::new(folder.path().join("data"))
        };
        let mut lab = Lab { name: name.to_owned(), port, instance: None, config, _folder: folder };
        lab.restart();
        lab
    }

    pub(crate) fn restart(&mut self) {
        self.stop();
        let config = InstanceConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            encryption: ServerEncryption::Unsupported,
            endpoint_listen: None,
            server: self.config.clone(),
        };
        self.instance = Some(Instance::start(config).unwrap());
    }

    pub(crate) fn stop(&mut self) {
        if let Some(instance) = self.instance.take() {
            instance.stop();
        }
    }

    /// SQL Server, with master key, certificate and endpoint: section 4.2 of the documents' way to a link.
    pub(crate) fn sql_server(name: &str) -> Lab {
        let lab = Lab::start(name, Flavor::default());
        lab.run("CREATE MASTER KEY ENCRYPTION BY PASSWORD = 'Str0ng#MasterKey'");
        lab.run(&format!(
            "CREATE CERTIFICATE [{}] WITH SUBJECT = 'for the endpoint', EXPIRY_DATE = '20991231'",
            lab.certificate()
        ));
        lab.run(&format!(
            "CREATE ENDPOINT [database_mirroring_endpoint] STATE = STARTED \
             AS TCP (LISTENER_PORT = {}, LISTENER_IP = ALL) \
             FOR DATABASE_MIRRORING (ROLE = ALL, AUTHENTICATION = CERTIFICATE [{}], ENCRYPTION = REQUIRED ALGORITHM AES)",
            lab.port,
            lab.certificate()
        ));
        lab
    }

    /// A managed instance.
    pub(crate) fn managed(name: &str) -> Lab {
        Lab::start(name, Flavor::Managed(UpdatePolicy::Sql2022))
    }

    pub(crate) fn instance(&self) -> &Instance {
        self.instance.as_ref().unwrap()
    }

    pub(crate) fn control(&self) -> Control {
        self.instance().control().unwrap()
    }

    pub(crate) fn certificate(&self) -> String {
        format!("Cert_{}_endpoint", self.name)
    }

    pub(crate) fn endpoint_url(&self) -> String {
        format!("TCP://127.0.0.1:{}", self.port)
    }

    /// A session in a database, or the error that keeps it out.
    pub(crate) fn login(&self, database: &str, read_only: bool) -> Result<Session, i32> {
        let request = LoginRequest {
            user: "sa".into(),
            password: Some(Secret::new(PASSWORD.into())),
            database: database.into(),
            read_only_intent: read_only,
            ..LoginRequest::default()
        };
        let mut session = self.instance().server().login(&request).map_err(|e| e.number)?;
        // Whether the login's database can be used is found out by using it.
        batch(&mut session, &format!("USE [{database}]")).map(|_| session)
    }

    /// Runs a batch in a database: the rows of its last result, columns joined by `|`, or the number of its error.
    pub(crate) fn attempt(&self, database: &str, text: &str) -> Result<Vec<String>, i32> {
        let mut session = self.login(database, false)?;
        batch(&mut session, text)
    }

    /// Runs in `master` what must succeed.
    pub(crate) fn run(&self, text: &str) -> Vec<String> {
        self.run_in("master", text)
    }

    /// Runs in a database what must succeed.
    pub(crate) fn run_in(&self, database: &str, text: &str) -> Vec<String> {
        self.attempt(database, text).unwrap_or_else(|e| panic!("{} {database}: {text}: {e}", self.name))
    }

    /// The error of what must fail in `master`.
    pub(crate) fn fails(&self, text: &str) -> i32 {
        match self.attempt("master", text) {
            Ok(rows) => panic!("{}: {text} gave {rows:?}", self.name),
            Err(number) => number,
        }
    }

    /// The only value of a query in `master`; empty without a row.
    pub(crate) fn one(&self, text: &str) -> String {
        self.run(text).pop().unwrap_or_default()
    }

    /// The state of a database.
    pub(crate) fn state(&self, database: &str) -> String {
        self.one(&format!("SELECT state_desc FROM sys.databases WHERE name = '{database}'"))
    }

    /// A certificate, as `0x...`.
    pub(crate) fn encoded(&self, certificate: &str) -> String {
        self.one(&format!("SELECT CONVERT(varchar(max), CERTENCODED(CERT_ID('{certificate}')), 1)"))
    }

    /// Takes over the certificate of another SQL Server.
    pub(crate) fn trust(&self, other: &Lab) {
        let name = other.certificate();
        self.run(&format!("CREATE CERTIFICATE [{name}] FROM BINARY = {}", other.encoded(&name)));
    }

    /// A database with a table of that many rows, and a full backup.
    pub(crate) fn make_database(&self, name: &str, rows: u32) {
        self.run(&format!("CREATE DATABASE [{name}]"));
        self.run_in(name, "CREATE TABLE t (n int PRIMARY KEY, text nvarchar(100))");
        for n in 1..=rows {
            self.run_in(name, &format!("INSERT INTO t VALUES ({n}, N'row {n}')"));
        }
        if !self.instance().server().flavor().is_managed() {
            self.run(&format!("BACKUP DATABASE [{name}] TO DISK = '{name}.bak'"));
        }
    }

    /// Waits until the table of [`Lab::make_database`] has that many rows.
    pub(crate) fn until_rows(&self, database: &str, rows: u32) {
        let wanted = Ok(vec![rows.to_string()]);
        let mut last = Err(0);
        let limit = Instant::now() + PATIENCE;
        while last != wanted {
            assert!(Instant::now() < limit, "{}: {rows} rows are wanted, it is {last:?}", self.name);
            std::thread::sleep(Duration::from_millis(20));
            last = self.attempt(database, "SELECT COUNT(*) FROM t");
        }
    }

    /// The state of a database's data movement as this side's row of the view says it.
    pub(crate) fn synchronization(&self, database: &str) -> String {
        self.one(&format!(
            "SELECT TOP (1) s.synchronization_state_desc FROM sys.dm_hadr_database_replica_states s \
             JOIN sys.databases d ON d.database_id = s.database_id WHERE d.name = '{database}' AND s.is_local = 1"
        ))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.stop();
        }
    }
}

fn batch(session: &mut Session, text: &str) -> Result<Vec<String>, i32> {
    let mut answers = Answers::default();
    session.run_batch(text, &mut answers);
    session.barrier().wait().map_err(|_| -1)?;
    if let Some(error) = answers.errors.first() {
        return Err(error.number);
    }
    let cell = |(value, column): (&Value, &ColumnMeta)| match value {
        Value::Null => "NULL".to_owned(),
        value => display_value(value, column.ty),
    };
    let line = |row: &Vec<Value>| row.iter().zip(&answers.columns).map(cell).collect::<Vec<_>>().join("|");
    Ok(answers.rows.iter().map(line).collect())
}
