//! `milink lab` as its users run it: real processes, and what they print.

mod az;
mod azure;
mod faults;
mod life;
mod link;
mod tool_arm;
mod tool_canary;
mod tool_entra;
mod tool_kills;
mod tool_link;
mod tool_probe;
mod tool_scripts;
mod tool_web;

mod wrong;

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::hadr::eventually;

/// How long something may take that should happen soon.
const SOON: Duration = Duration::from_secs(30);

/// A lab in a folder of its own. Whatever of it still runs is ended with it.
struct Lab {
    // The folder goes last.
    folder: tempfile::TempDir,
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Lab {
    fn new() -> Lab {
        Lab { folder: tempfile::tempdir().unwrap() }
    }

    /// One that runs.
    fn up(arguments: &[&str]) -> Lab {
        let lab = Lab::new();
        lab.start(arguments);
        lab
    }

    fn data(&self) -> &Path {
        self.folder.path()
    }

    fn start(&self, arguments: &[&str]) {
        let mut all = vec!["up", "--detach"];
        all.extend(arguments);
        self.good(&all);
    }

    /// Runs a verb.
    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_milink"))
            .arg("lab")
            .args(arguments)
            .env("MILINK_LAB_DATA", self.data())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Runs a verb that must succeed; what it prints.
    fn good(&self, arguments: &[&str]) -> String {
        let out = self.run(arguments);
        assert!(
            out.status.success(),
            "{arguments:?}: {}{}\n{}",
            text(&out.stdout),
            text(&out.stderr),
            self.logs()
        );
        text(&out.stdout)
    }

    /// Runs a verb that must fail; its exit code and what it says.
    fn bad(&self, arguments: &[&str]) -> (i32, String) {
        let out = self.run(arguments);
        assert!(!out.status.success(), "{arguments:?} succeeded: {}", text(&out.stdout));
        (out.status.code().unwrap(), text(&out.stderr))
    }

    fn logs(&self) -> String {
        std::fs::read_to_string(self.data().join("logs/lab.log")).unwrap_or_default()
    }

    fn status(&self) -> Value {
        serde_json::from_str(&self.good(&["status", "-o", "json"])).unwrap()
    }

    /// The state and the process of an instance.
    fn process(&self, name: &str) -> (String, Option<u64>) {
        let status = self.status();
        let found = status["processes"].as_array().unwrap().iter().find(|p| p["name"] == name).unwrap();
        (found["state"].as_str().unwrap().to_owned(), found["pid"].as_u64())
    }

    /// The rows of a query as TSV, or what went wrong.
    fn query(&self, instance: &str, database: &str, query: &str) -> Result<Vec<String>, String> {
        let out = self.run(&["sql", instance, "-d", database, "-o", "tsv", "-Q", query]);
        if out.status.success() {
            Ok(text(&out.stdout).lines().skip(1).map(str::to_owned).collect())
        } else {
            Err(text(&out.stderr))
        }
    }

    /// Runs what must succeed.
    fn sql(&self, instance: &str, database: &str, query: &str) -> Vec<String> {
        self.query(instance, database, query).unwrap_or_else(|e| panic!("{instance}: {query}: {e}"))
    }

    /// Waits until a query has that answer.
    fn wait(&self, instance: &str, database: &str, query: &str, wanted: &str) {
        eventually(query, SOON, || match self.query(instance, database, query) {
            Ok(rows) if rows == [wanted] => Ok(()),
            other => Err(format!("{other:?}")),
        });
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let out = self.run(&["down"]);
        if std::thread::panicking() {
            crate::lab::show(&self.logs(), &out);
        }
        if let Ok(file) = std::fs::read_to_string(self.data().join("control.json"))
            && let Ok(control) = serde_json::from_str::<Value>(&file)
        {
            kill(control["pid"].as_u64().unwrap_or_default());
        }
    }
}

fn show(logs: &str, down: &Output) {
    eprintln!("the lab said:\n{logs}\n{}", text(&down.stderr));
}

/// SIGKILL.
fn kill(pid: u64) {
    if pid > 1 {
        drop(Command::new("kill").args(["-9", &pid.to_string()]).output());
    }
}

/// Whether a process is there. One that waits to be buried by its parent is not.
fn lives(pid: u64) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

/// Somebody who has signed in at the local Azure, and trusts it alone.
struct Arm {
    http: reqwest::blocking::Client,
    endpoint: String,
    resource: String,
    token: String,
}

impl Arm {
    fn sign_in(status: &Value) -> Arm {
        Arm::sign_in_as(status, "contributor")
    }

    fn sign_in_as(status: &Value, name: &str) -> Arm {
        // Another test may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let azure = &status["azure"];
        let at = |name: &str| azure[name].as_str().unwrap().to_owned();
        let ca = reqwest::Certificate::from_pem(&std::fs::read(at("caFile")).unwrap()).unwrap();
        let http = reqwest::blocking::Client::builder().tls_certs_only([ca]).timeout(SOON).no_proxy();
        let http = http.build().unwrap();
        let who = azure["principals"].as_array().unwrap().iter().find(|p| p["name"] == name).unwrap();
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}&scope={}%2F.default",
            who["clientId"].as_str().unwrap(),
            who["clientSecret"].as_str().unwrap(),
            at("armEndpoint").replace(':', "%3A").replace('/', "%2F")
        );
        let url = format!("{}/{}/oauth2/v2.0/token", at("authority"), at("tenantId"));
        let request = http.post(url).header("Content-Type", "application/x-www-form-urlencoded").body(form);
        let answer: Value = serde_json::from_str(&request.send().unwrap().text().unwrap()).unwrap();
        let token = answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        let resource = status["managed"]["resourceId"].as_str().unwrap().to_owned();
        Arm { http, endpoint: at("armEndpoint"), resource, token }
    }

    /// A request about something of the managed instance: its status and its body.
    fn send(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value, String) {
        let url = format!("{}{}{path}?api-version=2025-08-01-preview", self.endpoint, self.resource);
        self.send_to(method, &url, body)
    }

    fn send_to(&self, method: &str, url: &str, body: Option<&Value>) -> (u16, Value, String) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body.to_string());
        }
        let answer = request.send().unwrap();
        let operation = answer.headers().get("azure-asyncoperation").map(|h| h.to_str().unwrap().to_owned());
        let status = answer.status().as_u16();
        let text = answer.text().unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null), operation.unwrap_or_default())
    }

    /// A change that must succeed.
    fn change(&self, method: &str, path: &str, body: &Value) {
        let ended = self.ended(method, path, body);
        assert_eq!(ended["status"], "Succeeded", "{method} {path}: {ended}");
    }

    /// A change, and how it ended.
    fn ended(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, said, operation) = self.send(method, path, Some(body));
        assert_eq!(status, 202, "{method} {path}: {said}");
        let mut ended = Value::Null;
        eventually(&format!("{method} {path}"), SOON, || {
            ended = self.send_to("GET", &operation, None).1;
            if ended["status"] == "InProgress" { Err(ended.to_string()) } else { Ok(()) }
        });
        ended
    }
}

/// SQL Server is prepared, both sides trust each other, and the managed instance has a live copy of a database: by the
/// documented statements and calls.
fn link(lab: &Lab, database: &str) -> Arm {
    let port = lab.status()["sqlserver"]["endpoint"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
    let arm = begin_link(lab, database, &port);
    let state = format!("SELECT state_desc FROM sys.databases WHERE name = N'{database}'");
    lab.wait("managed", "master", &state, "ONLINE");
    arm
}

/// The same with a port for SQL Server's endpoint, and without waiting for the copy.
fn begin_link(lab: &Lab, database: &str, port: &str) -> Arm {
    begin_link_as(lab, "contributor", database, port)
}

/// The same by somebody.
fn begin_link_as(lab: &Lab, who: &str, database: &str, port: &str) -> Arm {
    let status = lab.status();
    let arm = Arm::sign_in_as(&status, who);
    let shown = make_endpoint(lab, port);
    arm.change(
        "PUT",
        "/serverTrustCertificates/sqlserver",
        &json!({ "properties": { "publicBlob": shown } }),
    );
    let (_, certificate, _) = arm.send("GET", "/endpointCertificates/DATABASE_MIRRORING", None);
    let blob = certificate["properties"]["publicBlob"].as_str().unwrap_or_else(|| panic!("{certificate}"));
    trust(lab, status["managed"]["fqdn"].as_str().unwrap(), blob);
    let endpoint = format!("TCP://127.0.0.1:{port}");
    make_groups(lab, database, &endpoint);
    arm.change(
        "PUT",
        &format!("/distributedAvailabilityGroups/link-{database}"),
        &json!({ "properties": {
            "databases": [{ "databaseName": database }],
            "instanceLinkRole": "Secondary",
            "failoverMode": "Manual",
            "seedingMode": "Automatic",
            "partnerEndpoint": endpoint,
            "partnerAvailabilityGroupName": format!("AG_{database}"),
            "instanceAvailabilityGroupName": format!("AG_{database}_MI"),
        }}),
    );
    arm
}

/// SQL Server's endpoint, with a certificate of its own: what partners are to trust, in hexadecimal digits.
fn make_endpoint(lab: &Lab, port: &str) -> String {
    lab.sql(
        "sqlserver",
        "master",
        &format!(
            "CREATE MASTER KEY ENCRYPTION BY PASSWORD = 'Str0ng#MasterKey';
             CREATE CERTIFICATE Cert_endpoint WITH SUBJECT = 'endpoint', EXPIRY_DATE = '20991231';
             CREATE ENDPOINT database_mirroring_endpoint STATE = STARTED
               AS TCP (LISTENER_PORT = {port}, LISTENER_IP = ALL)
               FOR DATABASE_MIRRORING (ROLE = ALL, AUTHENTICATION = CERTIFICATE Cert_endpoint, ENCRYPTION = REQUIRED ALGORITHM AES)"
        ),
    );
    let shown = "SELECT CONVERT(varchar(max), CERTENCODED(CERT_ID('Cert_endpoint')), 1)";
    lab.sql("sqlserver", "master", shown).remove(0)
}

/// SQL Server trusts the managed instance.
fn trust(lab: &Lab, fqdn: &str, blob: &str) {
    let blob = blob.trim_start_matches("0x");
    lab.sql("sqlserver", "master", &format!("CREATE CERTIFICATE [{fqdn}] FROM BINARY = 0x{blob}"));
}

/// The group of a database, and the distributed one of its link.
fn make_groups(lab: &Lab, database: &str, endpoint: &str) {
    let status = lab.status();
    let at = |side: &str, name: &str| status[side][name].as_str().unwrap().to_owned();
    let managed = format!("{};Server=[{}]", at("managed", "endpoint"), at("azure", "instanceName"));
    lab.sql(
        "sqlserver",
        "master",
        &format!(
            "ALTER DATABASE [{database}] SET RECOVERY FULL;
             BACKUP DATABASE [{database}] TO DISK = N'{database}.bak';
             CREATE AVAILABILITY GROUP [AG_{database}] WITH (CLUSTER_TYPE = NONE) FOR DATABASE [{database}]
               REPLICA ON N'LABSQL' WITH (ENDPOINT_URL = '{endpoint}', AVAILABILITY_MODE = SYNCHRONOUS_COMMIT,
               FAILOVER_MODE = MANUAL, SEEDING_MODE = AUTOMATIC);
             CREATE AVAILABILITY GROUP [link-{database}] WITH (DISTRIBUTED) AVAILABILITY GROUP ON
               N'AG_{database}' WITH (LISTENER_URL = '{endpoint}', AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT,
                 FAILOVER_MODE = MANUAL, SEEDING_MODE = AUTOMATIC, SESSION_TIMEOUT = 5),
               N'AG_{database}_MI' WITH (LISTENER_URL = '{managed}', AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT,
                 FAILOVER_MODE = MANUAL, SEEDING_MODE = AUTOMATIC)"
        ),
    );
}
