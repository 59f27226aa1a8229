//! An instance in a process of its own, prepared for links by the documented statements.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};

use super::client::{Failure, Row, Sql};
use crate::Instance;

/// An instance that can be killed and started again where it was.
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) endpoint_port: u16,
    data: PathBuf,
    arguments: Vec<String>,
    lab: Option<Instance>,
}

/// A port for an endpoint. It is written into statements, so it must still be free after a restart: it is taken from below
/// the range that connections are given their ports from.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = std::process::id() % 500 * 20;
    for _ in 0..10_000 {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 20_000 + (first as u16).wrapping_add(step) % 12_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port");
}

impl Server {
    /// Always On is enabled, unless the arguments say otherwise.
    pub(crate) fn start(folder: &Path, name: &str, more: &[&str]) -> Server {
        let mut arguments = vec!["--name".to_owned(), name.to_owned()];
        if !more.contains(&"--hadr") {
            arguments.extend(["--hadr".to_owned(), "on".to_owned()]);
        }
        arguments.extend(more.iter().map(|a| (*a).to_owned()));
        let mut server = Server {
            name: name.to_owned(),
            endpoint_port: free_port(),
            data: folder.join(name),
            arguments,
            lab: None,
        };
        server.restart();
        server
    }

    /// SIGKILL, if it runs.
    pub(crate) fn kill(&mut self) {
        if let Some(lab) = self.lab.take() {
            lab.kill();
        }
    }

    /// Starts it where it was. It gets another port for clients; its endpoint keeps its own.
    pub(crate) fn restart(&mut self) {
        self.kill();
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        self.lab = Some(Instance::start_with(&self.data, &arguments));
    }

    pub(crate) fn lab(&self) -> &Instance {
        self.lab.as_ref().unwrap_or_else(|| panic!("{} does not run", self.name))
    }

    pub(crate) fn port(&self) -> u16 {
        self.lab().port
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// A session.
    pub(crate) fn sql(&self, database: &str) -> Sql {
        Sql::open(self.port(), database).unwrap_or_else(|e| panic!("{} {database}: {e:?}", self.name))
    }

    /// Runs in `master` what must succeed.
    pub(crate) fn run(&self, sql: &str) -> Vec<Row> {
        self.sql("master").run(sql)
    }

    /// The number of the error that a statement in `master` must end with.
    pub(crate) fn fails(&self, sql: &str) -> u32 {
        self.sql("master").fails(sql)
    }

    /// Runs in `master` what may fail.
    pub(crate) fn attempt(&self, sql: &str) -> Result<Vec<Row>, Failure> {
        Sql::open(self.port(), "master")?.rows(sql)
    }

    /// The only value of a query in `master`.
    pub(crate) fn one(&self, sql: &str) -> String {
        self.sql("master").one(sql)
    }

    /// What the error log says.
    pub(crate) fn error_log(&self) -> Vec<String> {
        let rows = self.run("EXEC sp_readerrorlog");
        rows.into_iter().filter_map(|row| row.into_iter().nth(2)).collect()
    }

    /// Section 4.2, steps 1, 2 and 8: master key, certificate, endpoint.
    pub(crate) fn prepare(&self) {
        self.run("CREATE MASTER KEY ENCRYPTION BY PASSWORD = 'Str0ng#MasterKey'");
        self.make_certificate(&self.certificate());
        self.make_endpoint("STARTED");
    }

    /// The documented name of its endpoint's certificate.
    pub(crate) fn certificate(&self) -> String {
        format!("Cert_{}_endpoint", self.name)
    }

    pub(crate) fn make_certificate(&self, name: &str) {
        self.run(&format!(
            "CREATE CERTIFICATE [{name}] WITH SUBJECT = '{name} for the endpoint', EXPIRY_DATE = '20991231'"
        ));
    }

    pub(crate) fn make_endpoint(&self, state: &str) {
        self.run(&format!(
            "CREATE ENDPOINT [database_mirroring_endpoint] STATE = {state} \
             AS TCP (LISTENER_PORT = {}, LISTENER_IP = ALL) \
             FOR DATABASE_MIRRORING (ROLE = ALL, AUTHENTICATION = CERTIFICATE [{}], ENCRYPTION = REQUIRED ALGORITHM AES)",
            self.endpoint_port,
            self.certificate()
        ));
    }

    /// The public part of a certificate, as `0x...`.
    pub(crate) fn encoded(&self, certificate: &str) -> String {
        self.one(&format!("SELECT CERTENCODED(CERT_ID('{certificate}'))"))
    }

    /// Section 4.2, steps 3 to 5: the other side's certificate, read there and made here.
    pub(crate) fn trust(&self, other: &Server) {
        self.trust_certificate(other, &other.certificate());
    }

    /// The same, under another name.
    pub(crate) fn trust_as(&self, name: &str, other: &Server) {
        let encoded = other.encoded(&other.certificate());
        self.run(&format!("CREATE CERTIFICATE [{name}] FROM BINARY = {encoded}"));
    }

    pub(crate) fn trust_certificate(&self, other: &Server, certificate: &str) {
        self.run(&format!("CREATE CERTIFICATE [{certificate}] FROM BINARY = {}", other.encoded(certificate)));
    }
}
