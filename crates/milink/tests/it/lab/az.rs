//! The Azure CLI in a lab's shell: `eval "$(milink lab env)"`, and then a whole link's life as the documentation has it, while
//! somebody works with the database.
//!
//! `tests/clients/install` installs it. Where it is missing this fails: a client that is skipped is one that nobody knows to be
//! broken.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::link::{verdict, workload};
use super::{Lab, make_endpoint, make_groups, text, trust};
use crate::hadr::eventually;

/// How long az may take until it has seen something: each call starts an interpreter.
const SLOWLY: Duration = Duration::from_mins(2);

/// Where az and milink are.
fn path() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let clients = root.join(".venv-azure/bin");
    assert!(clients.join("az").exists(), "{} has no az: run tests/clients/install", clients.display());
    let milink = PathBuf::from(env!("CARGO_BIN_EXE_milink"));
    let milink = milink.parent().unwrap();
    format!("{}:{}:{}", clients.display(), milink.display(), std::env::var("PATH").unwrap())
}

/// Runs lines in a shell of this lab: what they print, or say.
fn shell(lab: &Lab, lines: &str) -> Result<String, String> {
    let out = Command::new("bash")
        .args(["-c", &format!("set -euo pipefail\neval \"$(milink lab env)\"\n{lines}")])
        .env("PATH", path())
        .env("MILINK_LAB_DATA", lab.data())
        .env("AZURE_CORE_COLLECT_TELEMETRY", "false")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    if out.status.success() { Ok(text(&out.stdout)) } else { Err(text(&out.stderr)) }
}

/// A command of az that must succeed: what it prints.
fn az(lab: &Lab, command: &str) -> Value {
    let printed = shell(lab, &format!("az {command} --output json --only-show-errors"));
    let printed = printed.unwrap_or_else(|e| panic!("az {command}: {e}\n{}", lab.logs()));
    if printed.trim().is_empty() {
        return Value::Null;
    }
    serde_json::from_str(&printed).unwrap_or_else(|e| panic!("az {command}: {e}: {printed}"))
}

/// The lab's instance, as the commands of `az sql mi` name it.
const MI: &str = "--resource-group \"$MILINK_RESOURCE_GROUP\" --instance-name \"$MILINK_INSTANCE_NAME\"";

/// Runs the lines with which `milink lab env --help` has az sign in.
fn sign_in(lab: &Lab) {
    let help = lab.good(&["env", "--help"]);
    let lines: Vec<&str> = help.lines().map(str::trim).filter(|l| l.starts_with("az ")).collect();
    assert_eq!(lines.len(), 3, "{help}");
    shell(lab, &lines.join("\n")).unwrap_or_else(|e| panic!("{lines:#?}: {e}"));
}

#[test]
fn az_takes_a_link_through_its_life_under_load() {
    let lab = Lab::up(&["--sample", "none"]);
    lab.sql("sqlserver", "master", "CREATE DATABASE Shop");
    sign_in(&lab);
    let shown = az(&lab, "sql mi show -g \"$MILINK_RESOURCE_GROUP\" -n \"$MILINK_INSTANCE_NAME\"");
    assert_eq!(shown["id"], lab.status()["managed"]["resourceId"]);
    assert_eq!(shown["fullyQualifiedDomainName"], lab.status()["managed"]["fqdn"]);

    // Both sides get to know each other: SQL Server's by T-SQL, Azure's by az.
    let port = lab.status()["sqlserver"]["endpoint"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
    let blob = make_endpoint(&lab, &port);
    let trusted = az(&lab, &format!("sql mi partner-cert create {MI} --name LABSQL --public-blob {blob}"));
    let thumbprint = "SELECT CONVERT(varchar(40), thumbprint, 2) FROM sys.certificates WHERE name = 'LABSQL'";
    assert_eq!(json!(lab.sql("managed", "master", thumbprint)), json!([trusted["thumbprint"]]));
    let own = az(&lab, &format!("sql mi endpoint-cert show {MI} --endpoint-type DATABASE_MIRRORING"));
    trust(&lab, shown["fullyQualifiedDomainName"].as_str().unwrap(), own["publicBlob"].as_str().unwrap());
    let endpoint = format!("TCP://127.0.0.1:{port}");
    make_groups(&lab, "Shop", &endpoint);

    // The link, while orders come in.
    let load = workload(&lab, &["--rate", "40", "--database", "Shop"]);
    let created = az(
        &lab,
        &format!(
            "sql mi link create {MI} --name link-Shop --databases '[{{database-name:Shop}}]' --instance-ag AG_Shop_MI \
             --partner-ag AG_Shop --partner-endpoint {endpoint} --instance-link-role Secondary --failover-mode Manual \
             --seeding-mode Automatic"
        ),
    );
    assert_eq!(created["instanceLinkRole"], "Secondary", "{created}");
    let show = || az(&lab, &format!("sql mi link show {MI} --name link-Shop"));
    let becomes = |what: &str, wanted: &dyn Fn(&Value) -> bool| {
        eventually(what, SLOWLY, || {
            let shown = show();
            if wanted(&shown) { Ok(()) } else { Err(shown.to_string()) }
        });
    };
    becomes("az shows it seeded", &|shown| {
        let database = &shown["databases"][0];
        database["replicaState"] == "LinkSynchronizing" && database["synchronizationHealth"] == "HEALTHY"
    });
    assert_eq!(
        lab.sql("managed", "master", "SELECT state_desc FROM sys.databases WHERE name = 'Shop'"),
        ["ONLINE"]
    );

    // To Azure: both sides commit together, and SQL Server, which is primary, is asked.
    let updated = az(&lab, &format!("sql mi link update {MI} --name link-Shop --replication-mode Sync"));
    assert_eq!(updated["replicationMode"], "Sync");
    lab.sql(
        "sqlserver",
        "master",
        "ALTER AVAILABILITY GROUP [link-Shop] MODIFY AVAILABILITY GROUP ON 'AG_Shop' WITH (AVAILABILITY_MODE = \
         SYNCHRONOUS_COMMIT), 'AG_Shop_MI' WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT)",
    );
    eventually("the roles are changed", SLOWLY, || {
        lab.query("sqlserver", "master", "ALTER AVAILABILITY GROUP [link-Shop] FAILOVER")
    });
    becomes("az shows the instance as primary", &|shown| shown["instanceLinkRole"] == "Primary");

    // And back: now it is the instance that is asked, by az.
    az(&lab, &format!("sql mi link update {MI} --name link-Shop --replication-mode Sync"));
    az(&lab, &format!("sql mi link failover {MI} --name link-Shop --failover-type Planned --yes"));
    becomes("az shows the instance as secondary", &|shown| shown["instanceLinkRole"] == "Secondary");
    let role = "SELECT role_desc FROM sys.dm_hadr_availability_replica_states r JOIN sys.availability_groups g ON \
                g.group_id = r.group_id WHERE g.is_distributed = 1 AND r.is_local = 1";
    lab.wait("sqlserver", "master", role, "PRIMARY");

    // Nothing was lost on the way there and back.
    assert!(Command::new("kill").args(["-INT", &load.id().to_string()]).status().unwrap().success());
    let (good, report, said) = verdict(load);
    assert!(good && report["clean"] == true, "{report:#}\n{said}");
    assert_eq!(report["roleChanges"], 2, "{report:#}\n{said}");
    assert!(report["acknowledged"].as_u64().unwrap() > 200, "{report:#}\n{said}");
    for side in ["sqlserver", "managed"] {
        let side = &report["sides"][side];
        assert_eq!(
            (&side["checked"], &side["lost"], &side["doubled"]),
            (&"yes".into(), &0.into(), &0.into())
        );
    }

    // The end: Azure's half by az, SQL Server's by T-SQL; both copies stay, and are written to.
    az(&lab, &format!("sql mi link delete {MI} --name link-Shop --yes"));
    assert_eq!(az(&lab, &format!("sql mi link list {MI}")), json!([]));
    assert_eq!(lab.sql("managed", "master", "SELECT COUNT(*) FROM sys.availability_groups"), ["0"]);
    lab.sql("sqlserver", "master", "DROP AVAILABILITY GROUP [link-Shop]; DROP AVAILABILITY GROUP [AG_Shop]");
    for side in ["sqlserver", "managed"] {
        lab.sql(side, "Shop", "CREATE TABLE own (n int); INSERT own VALUES (1)");
    }
    az(&lab, &format!("sql mi partner-cert delete {MI} --name LABSQL --yes"));
    assert!(lab.sql("managed", "master", thumbprint).is_empty());
}
