//! The Azure CLI, unmodified, through a whole link's life.
//!
//! `tests/clients/install` installs it. Where it is missing this fails: a client that is skipped is one that nobody knows to be
//! broken.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lab_azure::Azure;
use serde_json::{Value, json};

use crate::client::Client;
use crate::labs::{Cloud, LinkNames, until};

/// A program of the virtual environment with Azure's clients.
pub(crate) fn program(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = root.join(".venv-azure/bin").join(name);
    assert!(path.exists(), "{} is missing: run tests/clients/install", path.display());
    path
}

struct Az<'a> {
    folder: &'a Path,
    /// The variable replaces the roots that the client has: it is to be given all of them.
    bundle: PathBuf,
}

impl Az<'_> {
    /// Runs it: what it prints, or what it says is wrong.
    fn attempt(&self, arguments: &[&str]) -> Result<Value, String> {
        let out = Command::new(program("az"))
            .args(arguments)
            .args(["--output", "json", "--only-show-errors"])
            .env("AZURE_CONFIG_DIR", self.folder.join("az"))
            .env("REQUESTS_CA_BUNDLE", &self.bundle)
            .env("AZURE_CORE_COLLECT_TELEMETRY", "false")
            .env("NO_PROXY", "localhost")
            .env("no_proxy", "localhost")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let stdout = String::from_utf8_lossy(&out.stdout);
        if !out.status.success() {
            return Err(String::from_utf8_lossy(&out.stderr).into_owned());
        }
        if stdout.trim().is_empty() {
            return Ok(Value::Null);
        }
        Ok(serde_json::from_str(&stdout).unwrap_or_else(|e| panic!("az {arguments:?}: {e}: {stdout}")))
    }

    fn run(&self, arguments: &[&str]) -> Value {
        self.attempt(arguments).unwrap_or_else(|e| panic!("az {}: {e}", arguments.join(" ")))
    }

    /// A command of `az sql mi ...` on the lab's instance.
    fn mi(&self, command: &[&str], arguments: &[&str]) -> Value {
        let of = ["--resource-group", "lab", "--instance-name", "mi"];
        self.run(&[&["sql", "mi"], command, &of, arguments].concat())
    }

    fn sign_in(&self, azure: &Azure, who: &str) {
        let endpoint = azure.endpoint();
        self.run(&["cloud", "register", "-n", "lab", "--endpoint-resource-manager", &endpoint]);
        self.run(&["cloud", "set", "-n", "lab"]);
        self.run(&["config", "set", "core.instance_discovery=false"]);
        self.sign_in_as(azure, who);
    }

    fn sign_in_as(&self, azure: &Azure, who: &str) {
        let who = azure.principals().iter().find(|p| p.name == who).unwrap();
        let (id, secret, tenant) = (&*who.client_id, &*who.client_secret, &*azure.names().tenant_id);
        let secret = format!("--password={secret}");
        let account = self.run(&["login", "--service-principal", "-u", id, &secret, "--tenant", tenant]);
        assert_eq!(account[0]["id"], json!(azure.names().subscription_id), "{account}");
    }
}

#[test]
fn the_azure_cli_takes_a_link_through_its_life() {
    let cloud = Cloud::start("az");
    let azure = cloud.azure();
    let folder = tempfile::tempdir().unwrap();
    let az = Az { folder: folder.path(), bundle: azure.bundle_file().to_owned() };
    az.sign_in(azure, "contributor");

    let instance = az.run(&["sql", "mi", "show", "-g", "lab", "-n", "mi"]);
    assert_eq!(instance["id"], json!(azure.names().instance_id()));
    assert_eq!(instance["fullyQualifiedDomainName"], json!(cloud.managed.instance().server().host_name()));
    assert_eq!(az.run(&["sql", "mi", "list"])[0]["name"], json!("mi"));
    assert_eq!(az.run(&["group", "show", "-n", "lab"])["name"], json!("lab"));

    // Certificates, as the documentation exchanges them; what the CLI prints is what the instance has.
    let name = cloud.sql.certificate();
    let uploaded =
        az.mi(&["partner-cert", "create"], &["--name", &name, "--public-blob", &cloud.server_blob()]);
    let thumbprint =
        format!("SELECT CONVERT(varchar(100), thumbprint, 2) FROM sys.certificates WHERE name = '{name}'");
    assert_eq!(uploaded["thumbprint"], json!(cloud.managed.one(&thumbprint)));
    assert_eq!(az.mi(&["partner-cert", "list"], &[])[0]["name"], json!(name));
    let shown = az.mi(&["endpoint-cert", "show"], &["--endpoint-type", "DATABASE_MIRRORING"]);
    let own = Client::new(azure, "contributor").get("/endpointCertificates/DATABASE_MIRRORING").body;
    assert_eq!(shown["publicBlob"], own["properties"]["publicBlob"]);
    cloud.sql_server_trusts(&own);

    let names = LinkNames {
        link: "Link1".to_owned(),
        server_group: "AG_Sales".to_owned(),
        instance_group: "AG_Sales_MI".to_owned(),
        databases: vec!["Sales".to_owned()],
    };
    cloud.prepare_from_managed(&names);
    assert_eq!(az.mi(&["link", "list"], &[]), json!([]));
    let endpoint = cloud.sql.endpoint_url();
    let created = az.mi(
        &["link", "create"],
        &[
            "--name",
            "Link1",
            "--databases",
            "[{database-name:Sales}]",
            "--instance-ag",
            "AG_Sales_MI",
            "--partner-ag",
            "AG_Sales",
            "--partner-endpoint",
            &endpoint,
            "--instance-link-role",
            "Primary",
            "--failover-mode",
            "Manual",
            "--seeding-mode",
            "Automatic",
        ],
    );
    assert_eq!(created["instanceLinkRole"], json!("Primary"), "{created}");
    cloud.sql.until_rows("Sales", 3);
    let show = || az.mi(&["link", "show"], &["--name", "Link1"]);
    until("the link", &json!("LinkSynchronizing"), || show()["databases"][0]["replicaState"].clone());
    let lsn = "SELECT s.last_hardened_lsn FROM sys.dm_hadr_database_replica_states s JOIN sys.availability_groups g \
               ON g.group_id = s.group_id WHERE g.is_distributed = 1 AND s.is_local = 0";
    until("the position of the instance's view", &true, || {
        show()["databases"][0]["lastHardenedLsn"] == json!(cloud.managed.one(lsn))
    });
    let group = "SELECT CONVERT(varchar(36), group_id) FROM sys.availability_groups WHERE is_distributed = 1";
    let id = show()["distributedAvailabilityGroupId"].as_str().unwrap().to_uppercase();
    assert_eq!(id, cloud.managed.one(group));
    assert_eq!(az.mi(&["link", "list"], &[])[0]["name"], json!("Link1"));

    let updated = az.mi(&["link", "update"], &["--name", "Link1", "--replication-mode", "Sync"]);
    assert_eq!(updated["replicationMode"], json!("Sync"));
    let databases = az.run(&["sql", "midb", "list", "-g", "lab", "--mi", "mi"]);
    assert_eq!((&databases[0]["name"], &databases[0]["status"]), (&json!("Sales"), &json!("Online")));
    let rest = az.run(&[
        "rest",
        "--method",
        "get",
        "--url",
        &format!(
            "{}/distributedAvailabilityGroups?api-version=2025-08-01-preview",
            azure.names().instance_id()
        ),
    ]);
    assert_eq!(rest["value"][0]["name"], json!("Link1"));

    az.mi(&["link", "failover"], &["--name", "Link1", "--failover-type", "Planned", "--yes"]);
    assert_eq!(show()["instanceLinkRole"], json!("Secondary"));
    cloud.sql.insert("Sales", 4);
    cloud.managed.until_rows("Sales", 4);
    let operations = az.run(&["sql", "mi", "op", "list", "-g", "lab", "--mi", "mi"]);
    assert_eq!(
        operations[0]["operation"],
        json!("DistributedAvailabilityGroupsLinkFailover"),
        "{operations}"
    );

    // What goes wrong is told in Azure's words, also by the client's exit code.
    let of = ["-g", "lab", "--mi", "mi", "-n", "Link1"];
    let refused = az.attempt(
        &[&["sql", "mi", "link", "failover", "--failover-type", "Planned", "--yes"], &of[..]].concat(),
    );
    let said = refused.unwrap_err();
    assert!(said.contains("InvalidDistributedAvailabilityGroupFailoverInstanceRole"), "{said}");
    az.mi(&["link", "delete"], &["--name", "Link1", "--yes"]);
    assert_eq!(cloud.managed.one("SELECT COUNT(*) FROM sys.availability_groups"), "0");
    let gone = az.attempt(&[&["sql", "mi", "link", "show"], &of[..]].concat()).unwrap_err();
    assert!(gone.contains("ResourceNotFound"), "{gone}");
    az.mi(&["partner-cert", "delete"], &["--name", &name, "--yes"]);
    assert_eq!(cloud.managed.one(&thumbprint), "");
    cloud.faults().change(|f| f.throttle = 1);
    assert_eq!(az.mi(&["link", "list"], &[]), json!([]), "it comes back after a 429");

    az.sign_in_as(azure, "without-distributedAvailabilityGroups-read");
    let forbidden = az.attempt(&["sql", "mi", "link", "list", "-g", "lab", "--mi", "mi"]).unwrap_err();
    assert!(forbidden.contains("AuthorizationFailed"), "{forbidden}");
}
