//! A SQL Server, a managed instance and the Azure in front of it, all in this process.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use lab_azure::{
    Answer, Azure, AzureConfig, AzureFaults, Call, InstanceError, ManagedAddress, ManagedInstance, Names,
    Timing,
};
use lab_engine::{Flavor, UpdatePolicy};
use lab_instance::{Instance, InstanceConfig, Secret, ServerConfig, ServerEncryption};

/// How long a test waits for something that must come.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A port for an endpoint, from below the range that connections are given their ports from.
pub(crate) fn free_port() -> u16 {
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

/// Waits until something has a value.
pub(crate) fn until<T: PartialEq + std::fmt::Debug>(what: &str, wanted: &T, mut value: impl FnMut() -> T) {
    let limit = Instant::now() + PATIENCE;
    loop {
        let found = value();
        if found == *wanted {
            return;
        }
        assert!(Instant::now() < limit, "{what}: {found:?}, not {wanted:?}");
        std::thread::sleep(Duration::from_millis(20));
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
            sa_password: Some(Secret::new("Lab#Pass123".into())),
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
            endpoint_listen: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            encryption: ServerEncryption::Unsupported,
            server: self.config.clone(),
        };
        self.instance = Some(Instance::start(config).unwrap());
    }

    fn stop(&mut self) {
        if let Some(instance) = self.instance.take() {
            instance.stop();
        }
    }

    pub(crate) fn instance(&self) -> &Instance {
        self.instance.as_ref().unwrap()
    }

    pub(crate) fn certificate(&self) -> String {
        format!("Cert_{}_endpoint", self.name)
    }

    pub(crate) fn endpoint_url(&self) -> String {
        format!("tcp://127.0.0.1:{}", self.port)
    }

    /// What a batch answers: a row a line, columns joined by `|`; or the number of its error.
    pub(crate) fn attempt(&self, batch: &str) -> Result<Vec<String>, i32> {
        let rows = self.instance().server().run_as_service(batch).map_err(|e| e.number)?;
        let cell = |cell: Option<String>| cell.unwrap_or_else(|| "NULL".to_owned());
        Ok(rows.into_iter().map(|r| r.into_iter().map(cell).collect::<Vec<_>>().join("|")).collect())
    }

    /// Runs what must succeed.
    pub(crate) fn run(&self, batch: &str) -> Vec<String> {
        self.attempt(batch).unwrap_or_else(|e| panic!("{}: {batch}: {e}", self.name))
    }

    /// The only value.
    pub(crate) fn one(&self, batch: &str) -> String {
        self.run(batch).pop().unwrap_or_default()
    }

    /// A database with a table of three rows, and a full backup.
    pub(crate) fn make_database(&self, name: &str) {
        self.run(&format!("CREATE DATABASE [{name}]"));
        self.run(&format!("USE [{name}] CREATE TABLE t (n int PRIMARY KEY)"));
        self.run(&format!("USE [{name}] INSERT INTO t VALUES (1), (2), (3)"));
        if !self.instance().server().flavor().is_managed() {
            self.run(&format!("BACKUP DATABASE [{name}] TO DISK = '{name}.bak'"));
        }
    }

    pub(crate) fn insert(&self, database: &str, n: u32) {
        self.run(&format!("USE [{database}] INSERT INTO t VALUES ({n})"));
    }

    /// Waits until the table has that many rows.
    pub(crate) fn until_rows(&self, database: &str, rows: u32) {
        until(&format!("{} rows of {database} on {}", rows, self.name), &Ok(vec![rows.to_string()]), || {
            self.attempt(&format!("USE [{database}] SELECT COUNT(*) FROM t"))
        });
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.stop();
        }
    }
}

/// The names of a link and of what it stands on.
#[derive(Clone)]
pub(crate) struct LinkNames {
    pub(crate) link: String,
    pub(crate) server_group: String,
    pub(crate) instance_group: String,
    pub(crate) databases: Vec<String>,
}

/// All of it.
pub(crate) struct Cloud {
    pub(crate) sql: Lab,
    pub(crate) managed: Lab,
    azure: Option<Azure>,
    config: AzureConfig,
    switch: Arc<Switch>,
    log: Arc<Mutex<Vec<String>>>,
    folder: tempfile::TempDir,
}

/// An instance that answers, or does not: then it may have been killed, or be starting still.
struct Switch {
    control: lab_instance::Control,
    silent: AtomicBool,
}

impl ManagedInstance for Switch {
    fn ask(&self, call: &Call) -> Result<Answer, InstanceError> {
        if self.silent.load(Ordering::SeqCst) { Err(InstanceError::Silent) } else { self.control.ask(call) }
    }
}

impl Cloud {
    pub(crate) fn start(tag: &str) -> Cloud {
        Cloud::named(tag, Names::default())
    }

    /// With names of somebody's choice.
    pub(crate) fn named(tag: &str, names: Names) -> Cloud {
        let sql = Lab::start(&format!("SQL{tag}"), Flavor::default());
        sql.run("CREATE MASTER KEY ENCRYPTION BY PASSWORD = 'Str0ng#MasterKey'");
        let certificate = sql.certificate();
        sql.run(&format!(
            "CREATE CERTIFICATE [{certificate}] WITH SUBJECT = 'for the endpoint', EXPIRY_DATE = '20991231'"
        ));
        sql.run(&format!(
            "CREATE ENDPOINT [database_mirroring_endpoint] STATE = STARTED \
             AS TCP (LISTENER_PORT = {}, LISTENER_IP = ALL) FOR DATABASE_MIRRORING (ROLE = ALL, \
             AUTHENTICATION = CERTIFICATE [{certificate}], ENCRYPTION = REQUIRED ALGORITHM AES)",
            sql.port
        ));
        let managed = Lab::start(&format!("mi-{tag}"), Flavor::Managed(UpdatePolicy::Sql2022));
        let folder = tempfile::tempdir().unwrap();
        let address = ManagedAddress {
            fqdn: managed.instance().server().host_name(),
            port: managed.instance().address().port(),
            endpoint_port: managed.port,
        };
        let control = managed.instance().control().unwrap();
        let switch = Arc::new(Switch { control, silent: AtomicBool::new(false) });
        let instance: Arc<dyn ManagedInstance> = Arc::clone(&switch) as _;
        let mut config = AzureConfig::new(folder.path().join("azure"), address, instance);
        config.names = names;
        config.timing = Timing { link_create_limit: Duration::from_secs(20), ..Timing::default() };
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let lines = Arc::clone(&log);
        config.log = Arc::new(move |line| lines.lock().unwrap().push(line.to_owned()));
        let azure = Azure::start(config.clone()).unwrap();
        Cloud { sql, managed, azure: Some(azure), config, switch, log, folder }
    }

    pub(crate) fn azure(&self) -> &Azure {
        self.azure.as_ref().unwrap()
    }

    pub(crate) fn faults(&self) -> &AzureFaults {
        &self.config.faults
    }

    pub(crate) fn data(&self) -> &Path {
        self.folder.path()
    }

    /// Stops the endpoints and starts them again where they were.
    pub(crate) fn restart_azure(&mut self) {
        if let Some(azure) = self.azure.take() {
            self.config.listen = azure.address();
            azure.stop();
        }
        self.azure = Some(Azure::start(self.config.clone()).unwrap());
    }

    /// Lets tokens be good for so long.
    pub(crate) fn token_lifetime(&mut self, lifetime: Duration) {
        self.config.timing.token_lifetime = lifetime;
        self.restart_azure();
    }

    /// Gives up sooner on links that find nobody.
    pub(crate) fn impatient(&mut self) {
        self.config.timing.link_create_limit = Duration::from_secs(3);
        self.restart_azure();
    }

    /// Lets the managed instance answer no more, or again.
    pub(crate) fn silence(&self, silent: bool) {
        self.switch.silent.store(silent, Ordering::SeqCst);
    }

    /// What was logged.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    fn fqdn(&self) -> String {
        self.managed.instance().server().host_name()
    }

    /// The managed instance's certificate under its host name, and its root, as Azure gives them.
    pub(crate) fn sql_server_trusts(&self, endpoint: &serde_json::Value) {
        let blob = |value: &serde_json::Value| format!("0x{}", value["publicBlob"].as_str().unwrap());
        let (fqdn, properties) = (self.fqdn(), &endpoint["properties"]);
        self.sql.run(&format!("CREATE CERTIFICATE [{fqdn}] FROM BINARY = {}", blob(properties)));
        let root = blob(&properties["trustedRootCertificates"][0]);
        self.sql.run(&format!("CREATE CERTIFICATE [Lab root] FROM BINARY = {root}"));
        self.sql
            .run("DECLARE @id int = CERT_ID('Lab root') EXEC sp_certificate_add_issuer @id, N'*.localhost'");
    }

    /// The SQL Server's certificate, as its administrator copies it.
    pub(crate) fn server_blob(&self) -> String {
        let certificate = self.sql.certificate();
        self.sql.one(&format!("SELECT CONVERT(varchar(max), CERTENCODED(CERT_ID('{certificate}')), 1)"))
    }

    fn group(&self, names: &LinkNames, databases: &[String]) {
        let list: Vec<String> = databases.iter().map(|d| format!("[{d}]")).collect();
        let of = if list.is_empty() { String::new() } else { format!("DATABASE {} ", list.join(", ")) };
        self.sql.run(&format!(
            "CREATE AVAILABILITY GROUP [{}] WITH (CLUSTER_TYPE = NONE) FOR {of}\
             REPLICA ON N'{}' WITH (ENDPOINT_URL = '{}', AVAILABILITY_MODE = SYNCHRONOUS_COMMIT, \
             FAILOVER_MODE = MANUAL, SEEDING_MODE = AUTOMATIC)",
            names.server_group,
            self.sql.name,
            self.sql.endpoint_url()
        ));
    }

    fn distributed(&self, names: &LinkNames, behind: &str) {
        let mode =
            "AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT, FAILOVER_MODE = MANUAL, SEEDING_MODE = AUTOMATIC";
        self.sql.run(&format!(
            "CREATE AVAILABILITY GROUP [{}] WITH (DISTRIBUTED) AVAILABILITY GROUP ON \
             N'{}' WITH (LISTENER_URL = '{}', {mode}, SESSION_TIMEOUT = 20), \
             N'{}' WITH (LISTENER_URL = 'tcp://{}:{};Server=[{}]{behind}', {mode})",
            names.link,
            names.server_group,
            self.sql.endpoint_url(),
            names.instance_group,
            self.fqdn(),
            self.managed.port,
            self.managed.name
        ));
    }

    /// The SQL Server's half of a link whose first primary it is.
    pub(crate) fn prepare_from_sql_server(&self, names: &LinkNames) {
        names.databases.iter().for_each(|d| self.sql.make_database(d));
        self.group(names, &names.databases);
        self.distributed(names, "");
    }

    /// The SQL Server's half of a link whose first primary is the managed instance.
    pub(crate) fn prepare_from_managed(&self, names: &LinkNames) {
        names.databases.iter().for_each(|d| self.managed.make_database(d));
        self.group(names, &[]);
        self.sql.run(&format!("ALTER AVAILABILITY GROUP [{}] GRANT CREATE ANY DATABASE", names.server_group));
        let behind = names.databases.first().map(|d| format!(";Database=[{d}]")).unwrap_or_default();
        self.distributed(names, &behind);
    }
}
