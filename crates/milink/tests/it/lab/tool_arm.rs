//! milink-arm, the tool's client of Resource Manager, against a lab's local Azure: by what it would do in the real one.

use std::time::{Duration, Instant};

use milink_arm::models::links::{FailoverMode, SeedingMode};
use milink_arm::{
    Accepted, ArmClient, ArmError, Cloud, FailoverType, HybridUsage, InstanceId, LinkBody, LinkMode,
    LinkPatch, LinkRole, LinkView, Login, OperationRef, Options, PermissionEntry, Progress, Scope, Secret,
    SubscriptionId,
};
use milink_core::facts::rbac;
use milink_core::names::Hex;
use serde_json::Value;

use super::{Lab, SOON};

const FAILOVER: &str = "Microsoft.Sql/managedInstances/distributedAvailabilityGroups/failover/action";

fn granted(entries: &[PermissionEntry], action: &str) -> bool {
    let entries: Vec<rbac::Permission> = entries.iter().map(PermissionEntry::patterns).collect();
    rbac::granted(&entries, action)
}

fn text<'a>(status: &'a Value, side: &str, name: &str) -> &'a str {
    status[side][name].as_str().unwrap_or_else(|| panic!("{side}.{name}: {status:#}"))
}

/// Somebody signed in, who knows no more than the endpoint's address and the root certificate.
async fn client(status: &Value, role: &str) -> ArmClient {
    let options = Options {
        ca_file: Some(text(status, "azure", "caFile").into()),
        link_view: LinkView::WithMode,
        ..Options::default()
    };
    let cloud = Cloud::discover(text(status, "azure", "armEndpoint"), &options).await.unwrap();
    let principals = status["azure"]["principals"].as_array().unwrap();
    let who = principals.iter().find(|p| p["role"].as_str().unwrap().contains(role)).unwrap();
    let login = Login::ClientSecret {
        tenant: text(status, "azure", "tenantId").to_owned(),
        client_id: who["clientId"].as_str().unwrap().to_owned(),
        secret: Secret::new(who["clientSecret"].as_str().unwrap()),
    };
    ArmClient::new(cloud, login, options).unwrap()
}

/// The instance, found as the tool finds it: in what the caller may see.
async fn found(client: &ArmClient) -> InstanceId {
    let subscriptions = client.subscriptions().await.unwrap();
    let subscription = SubscriptionId::parse(&subscriptions[0].subscription_id).unwrap();
    let groups = client.resource_groups(&subscription).await.unwrap();
    let all = client.managed_instances(&subscription, None).await.unwrap();
    let of_group = client.managed_instances(&subscription, Some(&groups[0].name)).await.unwrap();
    assert_eq!((all.len(), &all), (1, &of_group));
    all[0].instance_id().unwrap()
}

/// Follows an operation to its end, each time from what a journal would have kept.
async fn end(client: &ArmClient, accepted: Accepted) -> Progress {
    assert_eq!(accepted.status, 202, "{accepted:?}");
    let journal = serde_json::to_string(&accepted.operation.unwrap()).unwrap();
    let began = Instant::now();
    loop {
        let operation: OperationRef = serde_json::from_str(&journal).unwrap();
        match client.poll(&operation).await.unwrap() {
            Progress::Running { retry_after } => {
                assert!(began.elapsed() < SOON, "still running");
                tokio::time::sleep(retry_after.min(Duration::from_millis(200))).await;
            }
            ended => return ended,
        }
    }
}

/// The public certificate of SQL Server's endpoint, which is made for it.
fn prepare(lab: &Lab, status: &Value) -> (String, Hex) {
    let port = text(status, "sqlserver", "endpoint").rsplit(':').next().unwrap();
    let endpoint = format!("TCP://127.0.0.1:{port}");
    lab.sql(
        "sqlserver",
        "master",
        &format!(
            "CREATE DATABASE d; ALTER DATABASE d SET RECOVERY FULL; BACKUP DATABASE d TO DISK = N'd.bak';
             CREATE MASTER KEY ENCRYPTION BY PASSWORD = 'Str0ng#MasterKey';
             CREATE CERTIFICATE Cert_endpoint WITH SUBJECT = 'endpoint', EXPIRY_DATE = '20991231';
             CREATE ENDPOINT database_mirroring_endpoint STATE = STARTED
               AS TCP (LISTENER_PORT = {port}, LISTENER_IP = ALL)
               FOR DATABASE_MIRRORING (ROLE = ALL, AUTHENTICATION = CERTIFICATE Cert_endpoint, ENCRYPTION = REQUIRED ALGORITHM AES);
             CREATE AVAILABILITY GROUP AG_d WITH (CLUSTER_TYPE = NONE) FOR DATABASE d
               REPLICA ON N'LABSQL' WITH (ENDPOINT_URL = '{endpoint}', AVAILABILITY_MODE = SYNCHRONOUS_COMMIT,
               FAILOVER_MODE = MANUAL, SEEDING_MODE = AUTOMATIC)"
        ),
    );
    let encoded = "SELECT CONVERT(varchar(max), CERTENCODED(CERT_ID('Cert_endpoint')), 1)";
    let shown = lab.sql("sqlserver", "master", encoded);
    (endpoint, shown[0].parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tools_client_works_against_a_lab() {
    let lab = Lab::up(&["--sample", "none"]);
    let status = lab.status();
    let client = client(&status, "Contributor").await;
    let id = found(&client).await;
    assert_eq!(id.to_string(), text(&status, "managed", "resourceId"));

    let instance = client.managed_instance(&id).await.unwrap();
    assert_eq!(instance.properties.state.as_deref(), Some("Ready"));
    assert_eq!(
        instance.properties.fully_qualified_domain_name.as_deref(),
        Some(text(&status, "managed", "fqdn"))
    );
    assert!(instance.properties.database_format.is_some(), "{instance:?}");
    assert!(client.operations(&id).await.unwrap().iter().all(|o| !o.is_running()));
    let permissions = client.permissions(&Scope::Instance(id.clone())).await.unwrap();
    assert!(granted(&permissions, FAILOVER), "{permissions:?}");
    let sql = client.token(&client.cloud().sql_audience).await;
    assert!(sql.as_ref().is_ok_and(|t| !t.is_empty()), "{sql:?}");

    // Certificates, both ways.
    let (partner_endpoint, der) = prepare(&lab, &status);
    let put = client.put_trust_certificate(&id, "sqlserver", &der).await.unwrap();
    assert_eq!(end(&client, put).await, Progress::Succeeded);
    let trusted = client.trust_certificates(&id).await.unwrap();
    assert_eq!((trusted.len(), trusted[0].der()), (1, Some(der)));
    assert_eq!(trusted[0].properties.thumbprint.as_ref().map(String::len), Some(40));
    let endpoint = client.endpoint_certificate(&id).await.unwrap();
    let blob = endpoint.der().unwrap().tsql();
    let fqdn = text(&status, "managed", "fqdn");
    lab.sql("sqlserver", "master", &format!("CREATE CERTIFICATE [{fqdn}] FROM BINARY = {blob}"));

    // A link is refused, created, seen, and removed.
    let link = id.link("link-d");
    assert_eq!(client.link(&link).await.unwrap(), None);
    let managed = format!("{};Server=[{}]", text(&status, "managed", "endpoint"), id.name);
    lab.sql(
        "sqlserver",
        "master",
        &format!(
            "CREATE AVAILABILITY GROUP [link-d] WITH (DISTRIBUTED) AVAILABILITY GROUP ON
               N'AG_d' WITH (LISTENER_URL = '{partner_endpoint}', AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT,
                 FAILOVER_MODE = MANUAL, SEEDING_MODE = AUTOMATIC),
               N'AG_d_MI' WITH (LISTENER_URL = '{managed}', AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT,
                 FAILOVER_MODE = MANUAL, SEEDING_MODE = AUTOMATIC)"
        ),
    );
    let mut body = LinkBody {
        databases: Vec::new(),
        instance_link_role: LinkRole::Secondary,
        partner_endpoint,
        partner_availability_group_name: "AG_d".to_owned(),
        instance_availability_group_name: "AG_d_MI".to_owned(),
        failover_mode: Some(FailoverMode::Manual),
        seeding_mode: Some(SeedingMode::Automatic),
        replication_mode: None,
        link_mode: None,
    };
    let error = client.put_link(&link, &body).await.unwrap_err();
    let code = "InvalidDistributedAvailabilityGroupsCreateOrUpdateRequestDatabases";
    assert_eq!((error.code(), error.is_certain()), (Some(code), true), "{error}");
    body.databases.push("d".to_owned());
    let put = client.put_link(&link, &body).await.unwrap();
    assert_eq!(end(&client, put).await, Progress::Succeeded);
    let shown = client.link(&link).await.unwrap().unwrap();
    assert_eq!(shown.properties.instance_link_role, Some(LinkRole::Secondary));
    assert_ne!(shown.properties.link_mode, Some(LinkMode::MultiDatabase), "{shown:?}");
    assert_eq!(shown.properties.databases[0].database_name, "d");
    assert_eq!(shown.link_id(&id), link);
    assert_eq!(client.links(&id).await.unwrap().len(), 1);
    lab.wait("managed", "master", "SELECT state_desc FROM sys.databases WHERE name = N'd'", "ONLINE");
    assert!(client.databases(&id).await.unwrap().iter().any(|d| d.name == "d"));

    // A planned failover is asked of the primary, and the instance is none.
    let error = client.failover(&link, FailoverType::Planned).await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidDistributedAvailabilityGroupFailoverInstanceRole"), "{error}");
    let sync = milink_arm::models::links::ReplicationMode::Sync;
    let patch = LinkPatch::ReplicationMode(sync.clone());
    let patched = client.patch_link(&link, &patch).await.unwrap();
    if patched.operation.is_some() {
        assert_eq!(end(&client, patched).await, Progress::Succeeded);
    }
    let shown = client.link(&link).await.unwrap().unwrap();
    assert_eq!(shown.properties.replication_mode, Some(sync));

    let deleted = client.delete_link(&link).await.unwrap();
    assert_eq!(end(&client, deleted).await, Progress::Succeeded);
    assert_eq!(client.link(&link).await.unwrap(), None);
    // Of what is not there it is accepted too, and then there is nothing to follow.
    let deleted = client.delete_link(&id.link("no-such-link")).await.unwrap();
    assert_eq!(end(&client, deleted).await, Progress::Gone);
    let deleted = client.delete_trust_certificate(&id, "sqlserver").await.unwrap();
    assert_eq!(end(&client, deleted).await, Progress::Succeeded);
    let missing = client.managed_instance(&id.group().instance("no-such-instance")).await.unwrap_err();
    assert!(matches!(missing, ArmError::NotFound { by_gateway: true, .. }), "{missing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tools_client_bears_a_local_azure_that_does_wrong() {
    let lab = Lab::up(&["--sample", "none"]);
    let status = lab.status();
    let all = client(&status, "Contributor").await;
    let id = found(&all).await;
    for fault in [["429", "2"], ["500", "2"]] {
        lab.good(&["fault", "azure", fault[0], fault[1]]);
        all.links(&id).await.unwrap_or_else(|e| panic!("{fault:?}: {e}"));
        assert_eq!(lab.good(&["fault", "list"]), "nothing is broken\n", "{fault:?}: it has not bitten");
    }
    // What was done, and whose answer was lost, is asked again, and that it was is known afterwards.
    let (_, der) = prepare(&lab, &status);
    lab.good(&["fault", "azure", "lost-answer"]);
    let put = all.put_trust_certificate(&id, "c", &der).await.unwrap();
    assert!(put.attempts == 2 && put.operation.as_ref().is_some_and(|o| o.after_lost_try), "{put:?}");
    assert_eq!(end(&all, put).await, Progress::Succeeded);
    assert_eq!(all.trust_certificates(&id).await.unwrap().len(), 1);
    // A POST meets it once, and does not try again.
    lab.good(&["fault", "azure", "500", "2"]);
    let error = all.failover(&id.link("x"), FailoverType::ForcedAllowDataLoss).await.unwrap_err();
    assert!(!error.is_certain(), "{error}");
    assert_eq!(lab.good(&["fault", "list"]), "azure 500 for 1 request\n");
    lab.good(&["fault", "clear"]);

    let reader = client(&status, "Reader").await;
    let permissions = reader.permissions(&Scope::ResourceGroup(id.group())).await.unwrap();
    assert!(granted(&permissions, "Microsoft.Sql/managedInstances/read") && !granted(&permissions, FAILOVER));
    let error = reader.failover(&id.link("x"), FailoverType::Planned).await.unwrap_err();
    let ArmError::Forbidden { action, scope, .. } = &error else { panic!("{error}") };
    assert_eq!(action.as_deref(), Some(FAILOVER));
    assert!(scope.as_ref().is_some_and(|s| s.to_lowercase().contains("managedinstances")), "{error}");
    assert!(all.set_hybrid_usage(&id, HybridUsage::Passive).await.is_ok_and(|a| a.status < 300));
}
