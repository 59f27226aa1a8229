//! The management library for Azure SQL in Python, unmodified: `tests/clients/azure_sdk.py`, whose every step is compared with
//! what the instance's own views say then.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::azure_cli::program;
use crate::client::Client;
use crate::labs::{Cloud, LinkNames};

struct Script {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Script {
    fn start(cloud: &Cloud) -> Script {
        let (azure, names) = (cloud.azure(), cloud.azure().names());
        let who = &azure.principals()[0];
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/clients/azure_sdk.py");
        let mut child = Command::new(program("python"))
            .arg(script)
            .env("LAB_ENDPOINT", azure.endpoint())
            .env("LAB_CA", azure.ca_file())
            .env("REQUESTS_CA_BUNDLE", azure.ca_file())
            .env("LAB_TENANT", &names.tenant_id)
            .env("LAB_SUBSCRIPTION", &names.subscription_id)
            .env("LAB_CLIENT_ID", &who.client_id)
            .env("LAB_CLIENT_SECRET", &who.client_secret)
            .env("LAB_CERTIFICATE", cloud.sql.certificate())
            .env("LAB_BLOB", cloud.server_blob())
            .env("LAB_PARTNER", cloud.sql.endpoint_url())
            .env("NO_PROXY", "localhost")
            .env("no_proxy", "localhost")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Script { child, input, output }
    }

    /// What it says next; it waits then.
    fn step(&mut self, wanted: &str) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{wanted}: {e}: {line}"));
        assert_eq!(said["step"], json!(wanted), "{said}");
        said
    }

    fn go_on(&mut self) {
        self.input.as_mut().unwrap().write_all(b"\n").unwrap();
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // It ends when nobody lets it go on.
        self.input = None;
        let _ = self.child.wait();
    }
}

#[test]
fn the_management_library_takes_a_link_through_its_life() {
    let cloud = Cloud::start("sdk");
    let endpoint = Client::new(cloud.azure(), "contributor").get("/endpointCertificates/DATABASE_MIRRORING");
    cloud.sql_server_trusts(&endpoint.body);
    cloud.prepare_from_managed(&LinkNames {
        link: "Link1".to_owned(),
        server_group: "AG_Sales".to_owned(),
        instance_group: "AG_Sales_MI".to_owned(),
        databases: vec!["Sales".to_owned()],
    });
    let mut script = Script::start(&cloud);
    let name = cloud.sql.certificate();
    let thumbprint =
        format!("SELECT CONVERT(varchar(100), thumbprint, 2) FROM sys.certificates WHERE name = '{name}'");
    assert_eq!(script.step("certificate")["thumbprint"], json!(cloud.managed.one(&thumbprint)));
    script.go_on();

    assert_eq!(script.step("created")["status"], json!("Succeeded"));
    cloud.sql.until_rows("Sales", 3);
    let health = "SELECT r.synchronization_health_desc FROM sys.dm_hadr_availability_replica_states r \
                  JOIN sys.availability_groups g ON g.group_id = r.group_id WHERE g.is_distributed = 1 AND r.is_local = 0";
    crate::labs::until("a healthy link", &"HEALTHY".to_owned(), || cloud.managed.one(health));
    script.go_on();
    let seen = script.step("seen");
    assert_eq!((&seen["role"], &seen["state"]), (&json!("Primary"), &json!("LinkSynchronizing")), "{seen}");
    assert_eq!((&seen["health"], &seen["names"]), (&json!("HEALTHY"), &json!(["Link1"])));
    let lsn = "SELECT s.last_hardened_lsn FROM sys.dm_hadr_database_replica_states s JOIN sys.availability_groups g \
               ON g.group_id = s.group_id WHERE g.is_distributed = 1 AND s.is_local = 0";
    assert_eq!(seen["hardened"], json!(cloud.managed.one(lsn)));
    let group =
        "SELECT LOWER(CONVERT(varchar(36), group_id)) FROM sys.availability_groups WHERE is_distributed = 1";
    assert_eq!(seen["id"], json!(cloud.managed.one(group)));
    script.go_on();

    assert_eq!(script.step("failed over")["role"], json!("Secondary"));
    let role = "SELECT r.role_desc FROM sys.dm_hadr_availability_replica_states r JOIN sys.availability_groups g \
                ON g.group_id = r.group_id WHERE g.is_distributed = 1 AND r.is_local = 1";
    assert_eq!(cloud.managed.one(role), "SECONDARY");
    cloud.sql.insert("Sales", 4);
    cloud.managed.until_rows("Sales", 4);
    script.go_on();
    let refused = script.step("refused");
    assert_eq!(refused["code"], json!("InvalidDistributedAvailabilityGroupFailoverInstanceRole"));
    assert_eq!(refused["status"], json!(400));
    script.go_on();
    assert_eq!(script.step("deleted")["code"], json!("ResourceNotFound"));
    assert_eq!(cloud.managed.one("SELECT COUNT(*) FROM sys.availability_groups"), "0");
    script.go_on();
    assert_eq!(script.step("deleted again")["code"], json!("OperationIdNotFound"));
    script.go_on();
    let end = script.child.wait().unwrap();
    assert!(end.success(), "{end}");
}
