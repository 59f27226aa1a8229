//! The life of links over HTTPS: what Azure says is what the instance does.

use serde_json::{Value, json};

use crate::client::Client;
use crate::labs::{Cloud, LinkNames, until};

const DB: &str = "Sales";

fn names() -> LinkNames {
    LinkNames {
        link: "Link1".to_owned(),
        server_group: "AG_Sales".to_owned(),
        instance_group: "AG_Sales_MI".to_owned(),
        databases: vec![DB.to_owned()],
    }
}

pub(crate) fn create_body(cloud: &Cloud, names: &LinkNames, role: &str) -> Value {
    let databases: Vec<Value> = names.databases.iter().map(|d| json!({"databaseName": d})).collect();
    json!({"properties": {
        "databases": databases,
        "failoverMode": "Manual",
        "instanceAvailabilityGroupName": names.instance_group,
        "instanceLinkRole": role,
        "partnerAvailabilityGroupName": names.server_group,
        "partnerEndpoint": cloud.sql.endpoint_url(),
        "seedingMode": "Automatic",
    }})
}

const LINK: &str = "/distributedAvailabilityGroups/Link1";

/// A database of the link, by the name of a property.
fn of_database(client: &Client, property: &str) -> Value {
    client.get(LINK).body["properties"]["databases"][0][property].clone()
}

fn role(client: &Client) -> Value {
    client.get(LINK).body["properties"]["instanceLinkRole"].clone()
}

fn until_state(client: &Client, wanted: &str) {
    until("the state of the link", &json!(wanted), || of_database(client, "replicaState"));
}

#[test]
fn a_link_lives_from_create_to_delete() {
    let cloud = Cloud::start("life");
    let client = Client::new(cloud.azure(), "contributor");
    assert_eq!(client.get("/distributedAvailabilityGroups").body, json!({"value": []}));
    client.exchange_certificates(&cloud);
    cloud.prepare_from_sql_server(&names());

    let created = client.put(LINK, &create_body(&cloud, &names(), "Secondary"));
    assert_eq!(created.body["operation"], json!("DistributedAvailabilityGroupsLinkCreate"));
    assert_eq!(created.header("retry-after"), "1");
    client.done(&created);
    until_state(&client, "LinkSynchronizing");
    cloud.managed.until_rows(DB, 3);
    let link = client.get(LINK).body;
    let database = &link["properties"]["databases"][0];
    assert_eq!(database["synchronizationHealth"], json!("HEALTHY"), "{link}");
    assert_eq!(database["partnerAuthCertValidity"]["certificateName"], json!(cloud.sql.certificate()));
    // The same again changes nothing.
    client.done(&client.put(LINK, &create_body(&cloud, &names(), "Secondary")));

    // What Azure shows is what the instance's own views show.
    cloud.sql.insert(DB, 4);
    cloud.managed.until_rows(DB, 4);
    let lsn = "SELECT s.last_hardened_lsn FROM sys.dm_hadr_database_replica_states s JOIN sys.availability_groups g \
               ON g.group_id = s.group_id WHERE g.is_distributed = 1 AND s.is_local = 1";
    until("the same LSN", &true, || of_database(&client, "lastHardenedLsn") == json!(cloud.managed.one(lsn)));
    let databases = client.get("/databases").body;
    assert_eq!(databases["value"][0]["name"], json!(DB));
    assert_eq!(databases["value"][0]["properties"]["status"], json!("Online"));
    let instance = client.get("").body;
    assert_eq!(instance["properties"]["hybridSecondaryUsageDetected"], json!("Passive"));
    assert_eq!(instance["properties"]["databaseFormat"], json!("SQLServer2022"));

    // A secondary hands nothing over; it takes.
    let refused = client.post(&format!("{LINK}/failover"), &json!({"failoverType": "Planned"}));
    assert_eq!(
        (refused.status, refused.code()),
        (400, "InvalidDistributedAvailabilityGroupFailoverInstanceRole")
    );

    // Both sides must be synchronous for the pair to be.
    cloud.sql.run(
        "ALTER AVAILABILITY GROUP [Link1] MODIFY AVAILABILITY GROUP ON \
         'AG_Sales' WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT), \
         'AG_Sales_MI' WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT)",
    );
    client.done(&client.patch(LINK, &json!({"properties": {"replicationMode": "Sync"}})));
    assert_eq!(client.get(LINK).body["properties"]["replicationMode"], json!("Sync"));
    until("SYNCHRONIZED", &json!("HEALTHY"), || of_database(&client, "synchronizationHealth"));

    // SQL Server hands over, and gets it back from Azure.
    cloud.sql.run("ALTER AVAILABILITY GROUP [Link1] FAILOVER");
    until("the instance's role", &json!("Primary"), || role(&client));
    until_state(&client, "LinkSynchronizing");
    cloud.managed.insert(DB, 5);
    cloud.sql.until_rows(DB, 5);
    let failed_over = client.post(&format!("{LINK}/failover"), &json!({"failoverType": "planned"}));
    client.done(&failed_over);
    let result = client.send("GET", failed_over.header("location"), None);
    assert_eq!(result.status, 200);
    assert_eq!(result.body["properties"]["instanceLinkRole"], json!("Secondary"));
    cloud.sql.insert(DB, 6);
    cloud.managed.until_rows(DB, 6);

    // The end: both sides go on alone.
    let deleted = client.delete(LINK);
    assert_eq!(deleted.body["operation"], json!("DistributedAvailabilityGroupsDropLink"));
    client.done(&deleted);
    assert_eq!(client.get(LINK).code(), "ResourceNotFound");
    assert_eq!(cloud.managed.one("SELECT COUNT(*) FROM sys.availability_groups"), "0");
    cloud.managed.insert(DB, 7);
    client.done(&client.delete(&format!("/databases/{DB}")));
    assert_eq!(cloud.managed.one("SELECT COUNT(*) FROM sys.databases WHERE name = 'Sales'"), "0");
    let operations = client.get("/operations").body;
    let names: Vec<&str> = operations["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|o| o["properties"]["operation"].as_str().unwrap())
        .collect();
    assert_eq!(names.first(), Some(&"DropManagedDatabase"), "{names:?}");
    assert_eq!(names.last(), Some(&"UploadManagedInstanceServerTrustCertificate"), "{names:?}");
}

#[test]
fn a_role_is_given_up_and_taken_by_force() {
    let cloud = Cloud::start("force");
    let client = Client::new(cloud.azure(), "contributor");
    client.exchange_certificates(&cloud);
    cloud.prepare_from_managed(&names());
    let created = client.put(LINK, &create_body(&cloud, &names(), "Primary"));
    assert_eq!(created.body["operation"], json!("DistributedAvailabilityGroupsLinkCreateFromMI"));
    client.done(&created);
    until_state(&client, "LinkSynchronizing");
    cloud.sql.until_rows(DB, 3);
    let set_role = |role: &str, change: &str| {
        client.post(&format!("{LINK}/setRole"), &json!({"instanceRole": role, "roleChangeType": change}))
    };
    let refused = set_role("Primary", "Forced");
    assert_eq!(
        (refused.status, refused.code()),
        (409, "DistributedAvailabilityGroupSetRoleInstanceAlreadyInRequestedRole")
    );
    client.done(&set_role("Secondary", "Planned"));
    assert_eq!(role(&client), json!("Secondary"));
    assert_eq!(
        set_role("Primary", "Planned").code(),
        "DistributedAvailabilityGroupSetRolePrimaryPlannedNotSupported"
    );
    cloud.sql.run("ALTER AVAILABILITY GROUP [Link1] FORCE_FAILOVER_ALLOW_DATA_LOSS");
    cloud.sql.insert(DB, 4);
    cloud.managed.until_rows(DB, 4);

    // And back by force, while SQL Server is primary still.
    client.done(&client.post(&format!("{LINK}/failover"), &json!({"failoverType": "ForcedAllowDataLoss"})));
    assert_eq!(role(&client), json!("Primary"));
    until_state(&client, "LinkSynchronizationError");
    cloud.managed.insert(DB, 5);
}

#[test]
fn a_link_that_finds_nobody_fails_with_its_reason() {
    let mut cloud = Cloud::start("nobody");
    cloud.impatient();
    let client = Client::new(cloud.azure(), "contributor");
    let names = names();
    let mut body = create_body(&cloud, &names, "Secondary");
    body["properties"]["partnerEndpoint"] = json!(format!("tcp://127.0.0.1:{}", crate::labs::free_port()));
    let created = client.put(LINK, &body);
    assert_eq!(created.status, 202);
    // While it runs nobody else may change the link.
    let again = client.put(LINK, &body);
    assert_eq!((again.status, again.code()), (409, "ConflictingServerOperation"));
    // Nor does a restart make it forget: the operation goes on, and it is still the same link.
    cloud.restart_azure();
    let client = Client::new(cloud.azure(), "contributor");
    let end = client.ended(&created);
    assert_eq!(end["status"], json!("Failed"), "{end}");
    assert_eq!(end["error"]["code"], json!("ManagedInstanceLinkConnectivityIsNotEstablished"), "{end}");
    assert_eq!(of_database(&client, "replicaState"), json!("LinkInitError"));
    assert_eq!(of_database(&client, "mostRecentLinkError"), json!("41986"));
    client.done(&client.delete(LINK));
    let gone = client.ended(&client.delete(LINK));
    assert_eq!(gone["error"]["code"], json!("OperationIdNotFound"));
}

#[test]
fn a_creation_ends_when_its_link_is_deleted() {
    let cloud = Cloud::start("cancel");
    let client = Client::new(cloud.azure(), "contributor");
    let created = client.put(LINK, &create_body(&cloud, &names(), "Secondary"));
    until("the link", &200, || client.get(LINK).status);
    let deleted = client.delete(LINK);
    client.done(&deleted);
    assert_eq!(client.ended(&created)["status"], json!("Canceled"));
    assert_eq!(client.send("GET", created.header("location"), None).code(), "OperationCancelled");
    assert_eq!(cloud.managed.one("SELECT COUNT(*) FROM sys.availability_groups"), "0");
    assert_eq!(client.get("/distributedAvailabilityGroups").body, json!({"value": []}));
}

#[test]
fn certificates_come_and_go() {
    let cloud = Cloud::start("cert");
    let client = Client::new(cloud.azure(), "contributor");
    let blob = cloud.server_blob();
    let path = "/serverTrustCertificates/Server";
    let put = |blob: &str| client.put(path, &json!({"properties": {"publicBlob": blob}}));
    let uploaded = put(&blob);
    client.done(&uploaded);
    let shown = client.get(path).body;
    assert_eq!(format!("0x{}", shown["properties"]["publicBlob"].as_str().unwrap()), blob);
    assert_eq!(client.send("GET", uploaded.header("location"), None).body, shown);
    // The same again is no error, another under its name is, and so is what is no certificate.
    client.done(&put(&blob));
    let endpoint = client.get("/endpointCertificates").body;
    let own = endpoint["value"][0]["properties"]["publicBlob"].as_str().unwrap();
    assert_eq!(put(own).code(), "NameAlreadyExists");
    for bad in ["", "0x", "zz", "0x3000", &format!("{blob}00")] {
        assert_eq!(put(bad).code(), "InvalidParameterValue", "{bad}");
    }
    // Under another name the instance does not take it: that is the operation's failure.
    let twice = client.put("/serverTrustCertificates/Other", &json!({"properties": {"publicBlob": blob}}));
    let end = client.ended(&twice);
    assert_eq!(end["error"]["code"], json!("15232"), "{end}");
    client.done(&client.delete(path));
    assert_eq!(client.get(path).status, 404);
    assert_eq!(client.delete(path).status, 204);
}

fn several() -> LinkNames {
    LinkNames {
        link: "link1".to_owned(),
        server_group: "AG_several".to_owned(),
        instance_group: "AG_several_MI".to_owned(),
        databases: vec!["db1".to_owned(), "db2".to_owned()],
    }
}

fn several_body(cloud: &Cloud, role: &str) -> Value {
    let mut body = create_body(cloud, &several(), role);
    body["properties"]["linkMode"] = json!("MultiDatabase");
    body
}

/// The databases of a link that replicate, by their names.
fn replicating(client: &Client) -> Vec<String> {
    let link = client.get("/distributedAvailabilityGroups/link1").body;
    let databases = link["properties"]["databases"].as_array().cloned().unwrap_or_default();
    let mut names: Vec<String> = databases
        .iter()
        .filter(|d| d["replicaState"] == json!("LinkSynchronizing"))
        .map(|d| d["databaseName"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

fn with_databases(names: &[&str]) -> Value {
    let list: Vec<Value> = names.iter().map(|n| json!({"databaseName": n})).collect();
    json!({"properties": {"databases": list}})
}

#[test]
fn a_link_of_several_databases_gains_and_loses_some() {
    let cloud = Cloud::start("several");
    let client = Client::new(cloud.azure(), "contributor");
    client.exchange_certificates(&cloud);
    cloud.sql.run("EXEC sp_multidb_milink 1");
    cloud.prepare_from_managed(&several());
    let path = "/distributedAvailabilityGroups/link1";
    let created = client.put(path, &several_body(&cloud, "Primary"));
    assert_eq!(created.body["operation"], json!("CreateManagedFailoverGroup"));
    client.done(&created);
    until("both", &vec!["db1".to_owned(), "db2".to_owned()], || replicating(&client));
    assert_eq!(client.get(path).body["properties"]["linkMode"], json!("MultiDatabase"));
    // The first database is on the SQL Server, and so is the second.
    cloud.sql.until_rows("db1", 3);
    cloud.sql.until_rows("db2", 3);

    cloud.managed.make_database("db3");
    let added = client.patch(path, &with_databases(&["db1", "db2", "db3"]));
    assert_eq!(added.body["operation"], json!("UpdateManagedFailoverGroup"));
    client.done(&added);
    cloud.sql.until_rows("db3", 3);
    until("three", &3, || replicating(&client).len());
    // The list is the whole list.
    client.done(&client.patch(path, &with_databases(&["db1", "db3"])));
    until("two", &vec!["db1".to_owned(), "db3".to_owned()], || replicating(&client));
    cloud.managed.insert("db2", 4);
    let missing = client.ended(&client.patch(path, &with_databases(&["db1", "db3", "none"])));
    assert_eq!(missing["status"], json!("Failed"), "{missing}");
    client.done(&client.delete(path));
}

#[test]
fn a_secondary_of_several_databases_follows_its_primary() {
    let cloud = Cloud::start("follows");
    let client = Client::new(cloud.azure(), "contributor");
    client.exchange_certificates(&cloud);
    cloud.sql.run("EXEC sp_multidb_milink 1");
    cloud.prepare_from_sql_server(&several());
    let path = "/distributedAvailabilityGroups/link1";
    client.done(&client.put(path, &several_body(&cloud, "Secondary")));
    until("both", &vec!["db1".to_owned(), "db2".to_owned()], || replicating(&client));
    cloud.managed.until_rows("db2", 3);

    cloud.sql.make_database("db3");
    cloud.sql.run("ALTER AVAILABILITY GROUP [AG_several] ADD DATABASE [db3]");
    client.done(&client.patch(path, &with_databases(&["db1", "db2", "db3"])));
    cloud.managed.until_rows("db3", 3);
    until("three", &3, || replicating(&client).len());

    // What is removed on SQL Server alone stays in the link on the instance, which is unhealthy then; it can come back.
    cloud.sql.run("ALTER AVAILABILITY GROUP [AG_several] REMOVE DATABASE [db2]");
    let healths = || {
        let link = client.get(path).body["properties"].clone();
        let databases = link["databases"].as_array().cloned().unwrap_or_default();
        // Their order is that in which their copies were there first.
        let said = |d: &serde_json::Value, name: &str| d[name].as_str().unwrap_or("none").to_owned();
        let healths = databases.iter().map(|d| (said(d, "databaseName"), said(d, "synchronizationHealth")));
        healths.collect::<std::collections::BTreeMap<_, _>>()
    };
    let wanted = [("db1", "HEALTHY"), ("db2", "NOT_HEALTHY"), ("db3", "HEALTHY")];
    let wanted = wanted.into_iter().map(|(name, health)| (name.to_owned(), health.to_owned())).collect();
    until("db2 is not followed", &wanted, healths);
    let view = "SELECT synchronization_state_desc FROM sys.dm_hadr_database_replica_states s JOIN sys.availability_groups g \
                ON g.group_id = s.group_id WHERE g.is_distributed = 1 AND s.is_local = 1 AND s.database_id = DB_ID('db2')";
    assert_eq!(cloud.managed.one(view), "NOT SYNCHRONIZING");
    cloud.sql.insert("db2", 4);
    assert_eq!(cloud.managed.one("USE [db2] SELECT COUNT(*) FROM t"), "3");
    cloud.sql.run("ALTER AVAILABILITY GROUP [AG_several] ADD DATABASE [db2]");
    cloud.managed.until_rows("db2", 4);
    until("three again", &3, || replicating(&client).len());
    cloud.sql.run("ALTER AVAILABILITY GROUP [AG_several] REMOVE DATABASE [db2]");
    client.done(&client.patch(path, &with_databases(&["db1", "db3"])));
    until("two", &vec!["db1".to_owned(), "db3".to_owned()], || replicating(&client));
}
