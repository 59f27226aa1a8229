//! Who is let in, what is refused and how, and what faults do.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Client, Reply, http, sign_in};
use crate::labs::{Cloud, LinkNames};
use crate::life::create_body;

const LINK: &str = "/distributedAvailabilityGroups/Link1";

fn names() -> LinkNames {
    LinkNames {
        link: "Link1".to_owned(),
        server_group: "AG".to_owned(),
        instance_group: "AG_MI".to_owned(),
        databases: vec!["Sales".to_owned()],
    }
}

fn refused(reply: &Reply) -> (u16, &str) {
    (reply.status, reply.code())
}

#[test]
fn only_who_has_signed_in_is_let_in() {
    let cloud = Cloud::start("signin");
    let azure = cloud.azure();
    let http = http(azure);
    let contributor = &azure.principals()[0];
    assert_eq!(contributor.name, "contributor");
    let scope = format!("{}/.default", azure.endpoint());
    let wrong = lab_azure::Principal { client_secret: "wrong".to_owned(), ..contributor.clone() };
    let reply = sign_in(&http, azure, &wrong, &scope);
    assert_eq!((reply.status, &reply.body["error"]), (401, &json!("invalid_client")));
    assert_eq!(reply.body["error_codes"], json!([7_000_215]));
    let stranger = lab_azure::Principal { client_id: "nobody".to_owned(), ..contributor.clone() };
    assert_eq!(sign_in(&http, azure, &stranger, &scope).body["error_codes"], json!([700_016]));
    let elsewhere = sign_in(&http, azure, contributor, "https://elsewhere.test/.default");
    assert_eq!(elsewhere.body["error_codes"], json!([500_011]));

    let mut client = Client::new(azure, "contributor");
    assert_eq!(client.get("").status, 200);
    // For the instance, not for Resource Manager.
    let database = sign_in(&http, azure, contributor, "https://database.windows.net//.default");
    client.token = database.body["access_token"].as_str().unwrap().to_owned();
    assert_eq!(refused(&client.get("")), (401, "InvalidAuthenticationTokenAudience"));
    "x.y.z".clone_into(&mut client.token);
    let reply = client.get("");
    assert_eq!(refused(&reply), (401, "InvalidAuthenticationToken"));
    assert!(reply.header("www-authenticate").starts_with("Bearer authorization_uri="));
    let open = http.get(client.url("")).send().unwrap();
    assert_eq!(open.status().as_u16(), 401);
    let metadata = http.get(format!("{}/metadata/endpoints?api-version=2022-09-01", azure.endpoint()));
    let metadata: Value = serde_json::from_str(&metadata.send().unwrap().text().unwrap()).unwrap();
    assert_eq!(metadata["authentication"]["loginEndpoint"], json!(azure.endpoint()));
}

#[test]
fn a_token_runs_out() {
    let mut cloud = Cloud::start("expiry");
    cloud.token_lifetime(Duration::from_secs(1));
    let client = Client::new(cloud.azure(), "contributor");
    let limit = Instant::now() + Duration::from_secs(20);
    loop {
        let reply = client.get("/databases");
        if reply.status == 401 {
            assert_eq!(reply.code(), "ExpiredAuthenticationToken");
            assert!(reply.message().contains("is earlier than current UTC time"), "{}", reply.message());
            break;
        }
        assert!(Instant::now() < limit);
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn each_principal_is_kept_from_just_what_it_lacks() {
    let cloud = Cloud::start("roles");
    let azure = cloud.azure();
    let body = create_body(&cloud, &names(), "Secondary");
    let call = |client: &Client, method: &str, path: &str| {
        let body = match (method, path) {
            ("PUT", LINK) => body.clone(),
            ("PUT", _) => json!({"properties": {"publicBlob": cloud.server_blob()}}),
            _ => json!({}),
        };
        client.send(method, &client.url(path), (method != "GET").then_some(&body))
    };
    let calls = [
        ("distributedAvailabilityGroups-read", "GET", LINK),
        ("distributedAvailabilityGroups-write", "PUT", LINK),
        ("distributedAvailabilityGroups-delete", "DELETE", LINK),
        ("distributedAvailabilityGroups-setRole-action", "POST", &*format!("{LINK}/setRole")),
        ("distributedAvailabilityGroups-failover-action", "POST", &*format!("{LINK}/failover")),
        ("serverTrustCertificates-read", "GET", "/serverTrustCertificates"),
        ("serverTrustCertificates-write", "PUT", "/serverTrustCertificates/c"),
        ("serverTrustCertificates-delete", "DELETE", "/serverTrustCertificates/c"),
        ("endpointCertificates-read", "GET", "/endpointCertificates"),
        ("databases-read", "GET", "/databases"),
        ("databases-delete", "DELETE", "/databases/none"),
        ("operations-read", "GET", "/operations"),
        ("read", "GET", ""),
        ("write", "PATCH", ""),
    ];
    for (lacking, method, path) in calls {
        let client = Client::new(azure, &format!("without-{lacking}"));
        let reply = call(&client, method, path);
        assert_eq!(refused(&reply), (403, "AuthorizationFailed"), "{lacking}");
        let action = lacking.replace('-', "/");
        assert!(
            reply.message().contains(&format!("'Microsoft.Sql/managedInstances/{action}'")),
            "{}",
            reply.message()
        );
        let of = format!("over scope '{}", azure.names().instance_id());
        assert!(reply.message().contains(&of), "{}", reply.message());
        // What the permissions say agrees with what is refused; nothing else is.
        let permissions = client.get("/providers/Microsoft.Authorization/permissions");
        let not = &permissions.body["value"][0]["notActions"];
        assert!(not.as_array().unwrap().contains(&json!(format!("Microsoft.Sql/managedInstances/{action}"))));
        for (other, method, path) in
            calls.into_iter().filter(|(other, method, _)| *other != lacking && *method == "GET")
        {
            let reply = call(&client, method, path);
            assert_ne!(reply.status, 403, "{lacking} keeps from {other}");
        }
    }
    let reader = Client::new(azure, "reader");
    assert_eq!(reader.get("").status, 200);
    assert_eq!(reader.delete(LINK).status, 403);
    let polled = Client::new(azure, "contributor").delete(LINK);
    // An operation's address can be read by whoever was given it, and not be made up.
    let url = polled.header("azure-asyncoperation");
    let unsigned = url.split("&t=").next().unwrap();
    let lacking =
        Client::new(azure, "without-locations-distributedAvailabilityGroupsAzureAsyncOperation-read");
    assert_eq!(lacking.send("GET", url, None).status, 200);
    assert_eq!(lacking.send("GET", unsigned, None).status, 403);
    assert_eq!(lacking.send("GET", &url.replace("&s=", "&s=A"), None).status, 403);
}

#[test]
fn what_is_wrong_is_refused_in_azures_words() {
    let cloud = Cloud::start("wrong");
    let client = Client::new(cloud.azure(), "contributor");
    let base = &client.endpoint;
    let id = cloud.azure().names().instance_id();
    let sub = &cloud.azure().names().subscription_id;
    let get = |path: &str| client.send("GET", &format!("{base}{path}"), None);
    for (path, status, code) in [
        (id.clone(), 400, "MissingApiVersionParameter"),
        (format!("{id}?api-version=newest"), 400, "InvalidApiVersionParameter"),
        (format!("{id}?api-version=2019-01-01"), 400, "NoRegisteredProviderFound"),
        (format!("{id}{LINK}?api-version=2022-08-01-preview"), 400, "NoRegisteredProviderFound"),
        (format!("{id}/tables?api-version=2025-01-01"), 404, "InvalidResourceType"),
        ("/subscriptions/x/resourcegroups?api-version=2025-01-01".to_owned(), 400, "InvalidSubscriptionId"),
        (
            "/subscriptions/00000000-0000-0000-0000-00000000000f?api-version=2025-01-01".to_owned(),
            404,
            "SubscriptionNotFound",
        ),
        (
            format!("/subscriptions/{sub}/resourceGroups/other?api-version=2025-01-01"),
            404,
            "ResourceGroupNotFound",
        ),
        (format!("{id}x?api-version=2025-01-01"), 404, "ResourceNotFound"),
        (format!("{id}/databases/none?api-version=2025-01-01"), 404, "ResourceNotFound"),
        (format!("{id}/operations/none?api-version=2025-01-01"), 404, "ResourceNotFound"),
        ("/nothing/here?api-version=2025-01-01".to_owned(), 404, "NotFound"),
        (format!("{id}/start?api-version=2025-01-01"), 501, "NotImplemented"),
    ] {
        assert_eq!(refused(&get(&path)), (status, code), "{path}");
    }
    assert_eq!(get(&format!("{id}x?api-version=2025-01-01")).header("x-ms-failure-cause"), "gateway");
    assert_eq!(get(&format!("{id}{LINK}?api-version=2025-01-01")).header("x-ms-failure-cause"), "");
    assert_eq!(client.send("PUT", &client.url("/databases"), Some(&json!({}))).status, 405);

    let good = create_body(&cloud, &names(), "Secondary");
    let with = |property: &str, value: Value| {
        let mut body = good.clone();
        body["properties"][property] = value;
        body
    };
    let request = "InvalidDistributedAvailabilityGroupsCreateOrUpdateRequest";
    let db = |name: &str| json!({"databaseName": name});
    for (body, code) in [
        (json!({}), request.to_owned()),
        (json!({"properties": []}), "InvalidResourceRequestBody".to_owned()),
        (with("databases", json!([])), format!("{request}Databases")),
        (with("databases", json!([db("a"), db("b")])), format!("{request}Databases")),
        (with("databases", json!([db("")])), format!("{request}Databases")),
        (with("databases", json!("a")), "InvalidResourceRequestBody".to_owned()),
        (with("databases", json!([1])), "InvalidResourceRequestBody".to_owned()),
        (with("replicationMode", json!("Fast")), "InvalidParameterValue".to_owned()),
        (with("replicationMode", json!(1)), "InvalidResourceRequestBody".to_owned()),
        (with("instanceLinkRole", json!("Resolving")), "InvalidParameterValue".to_owned()),
        (with("linkMode", json!("ManyDatabases")), "InvalidParameterValue".to_owned()),
        (with("seedingMode", json!("Manual")), format!("{request}SeedingMode")),
        (
            with("instanceAvailabilityGroupName", json!("g".repeat(129))),
            format!("{request}InstanceAvailabilityGroupName"),
        ),
        (
            with("instanceAvailabilityGroupName", json!("ag")),
            "InstanceAvailabilityGroupNamePartnerAvailabilityGroupNameMatch".to_owned(),
        ),
    ] {
        let reply = client.put(LINK, &body);
        assert_eq!(refused(&reply), (400, code.as_str()), "{body}");
    }
    let long = format!("/distributedAvailabilityGroups/{}", "l".repeat(129));
    assert_eq!(refused(&client.put(&long, &good)), (400, "InvalidResourceName"));
    let twice = with("databases", json!([db("a"), db("b")]));
    let mut multi = twice;
    multi["properties"]["linkMode"] = json!("MultiDatabase");
    assert_eq!(client.put(LINK, &multi).code(), "InvalidMultiDbDistributedAvailabilityGroupName");
    assert_eq!(
        client.post(&format!("{LINK}/failover"), &json!({"failoverType": "Now"})).code(),
        "InvalidParameterValue"
    );
    assert_eq!(
        client.post(&format!("{LINK}/failover"), &json!({"failoverType": "Planned"})).code(),
        "ResourceNotFound"
    );
    assert_eq!(client.patch(LINK, &json!({})).code(), "ResourceNotFound");
    // Nothing of all that has left anything.
    assert_eq!(client.get("/operations").body, json!({"value": []}));
    assert_eq!(cloud.managed.one("SELECT COUNT(*) FROM sys.availability_groups"), "0");
}

#[test]
fn settings_of_the_instance_are_kept() {
    let mut cloud = Cloud::start("patch");
    let client = Client::new(cloud.azure(), "contributor");
    let patched = client.patch(
        "",
        &json!({"properties": {"hybridSecondaryUsage": "Passive", "vCores": 8}, "tags": {"a": "b"}}),
    );
    assert_eq!(patched.body["operation"], json!("UpsertManagedServer"));
    client.done(&patched);
    cloud.restart_azure();
    let client = Client::new(cloud.azure(), "contributor");
    let shown = client.get("").body;
    assert_eq!(shown["properties"]["hybridSecondaryUsage"], json!("Passive"));
    assert_eq!((&shown["sku"]["capacity"], &shown["tags"]), (&json!(8), &json!({"a": "b"})));
    for (body, code) in [
        (json!({"properties": {"hybridSecondaryUsage": "Idle"}}), "InvalidParameterValue"),
        (json!({"properties": {"vCores": 5}}), "InvalidParameterValue"),
        (json!({"properties": {"storageSizeInGB": 33}}), "InvalidStorageSizeValue"),
        (json!({"properties": {"databaseFormat": "AlwaysUpToDate"}}), "NotImplemented"),
        (json!({"properties": {"subnetId": "x"}}), "NotImplemented"),
        (json!({"sku": {}}), "NotImplemented"),
    ] {
        assert_eq!(client.patch("", &body).code(), code, "{body}");
    }
}

#[test]
fn faults_are_met_and_end() {
    let cloud = Cloud::start("faults");
    let client = Client::new(cloud.azure(), "contributor");
    cloud.faults().change(|f| (f.throttle, f.throttle_retry_after_s) = (1, 7));
    let throttled = client.get("/databases");
    assert_eq!(refused(&throttled), (429, "SubscriptionTooManyRequests"));
    assert_eq!(throttled.header("retry-after"), "7");
    cloud.faults().change(|f| f.fail = 1);
    assert_eq!(refused(&client.get("/databases")), (500, "InternalServerError"));
    assert_eq!(client.get("/databases").status, 200);
    cloud.faults().change(|f| f.slow_ms = 300);
    let began = Instant::now();
    client.get("/databases");
    assert!(began.elapsed() >= Duration::from_millis(300));
    cloud.faults().clear();

    // Nobody hears of it, and it is done nevertheless.
    let path = "/serverTrustCertificates/Server";
    let body = json!({"properties": {"publicBlob": cloud.server_blob()}});
    cloud.faults().change(|f| f.lost_answer = 1);
    client.try_send("PUT", &client.url(path), Some(&body)).unwrap_err();
    crate::labs::until("the certificate", &200, || client.get(path).status);
    assert!(cloud.faults().settings().is_clear());

    // The second time it is another operation; both are on record.
    cloud.faults().change(|f| f.duplicate = 1);
    let deleted = client.delete(path);
    assert!([202, 204, 409].contains(&deleted.status), "{deleted:?}");
    crate::labs::until("the end of the certificate", &404, || client.get(path).status);
    let operations = client.get("/operations").body;
    assert!(operations["value"].as_array().unwrap().len() >= 2, "{operations}");
}

#[test]
fn an_instance_that_is_gone_is_azures_own_error() {
    let cloud = Cloud::start("gone");
    let client = Client::new(cloud.azure(), "contributor");
    let created = client.put(LINK, &create_body(&cloud, &names(), "Secondary"));
    crate::labs::until("the link", &200, || client.get(LINK).status);
    cloud.silence(true);
    assert_eq!(refused(&client.get("/distributedAvailabilityGroups")), (500, "InternalServerError"));
    assert_eq!(client.get("").body["properties"]["state"], json!("Stopped"));
    let ended = client
        .put("/serverTrustCertificates/Server", &json!({"properties": {"publicBlob": cloud.server_blob()}}));
    assert_eq!(ended.status, 500);
    // What was begun goes on when the instance is back: nothing has been decided without it.
    let polled = client.send("GET", created.header("azure-asyncoperation"), None);
    assert_eq!(polled.body["status"], json!("InProgress"), "{polled:?}");
    cloud.silence(false);
    client.done(&client.delete(LINK));
    assert_eq!(client.ended(&created)["status"], json!("Canceled"));
}

#[test]
fn what_is_too_much_is_turned_away() {
    let cloud = Cloud::start("bounds");
    let client = Client::new(cloud.azure(), "contributor");
    let big = json!({"properties": {"publicBlob": "0".repeat(300 * 1024)}});
    match client.try_send("PUT", &client.url("/serverTrustCertificates/c"), Some(&big)) {
        Ok(reply) => assert_eq!(reply.status, 413),
        // The connection may be closed before all of it was sent.
        Err(e) => assert!(e.is_request() || e.is_body(), "{e:?}"),
    }
    match client.try_send("GET", &format!("{}/{}", client.endpoint, "a".repeat(65_000)), None) {
        Ok(reply) => assert!([414, 431, 400].contains(&reply.status), "{reply:?}"),
        Err(e) => assert!(e.is_request() || e.is_body(), "{e:?}"),
    }
    assert_eq!(client.get("").status, 200);
    // Secrets are for their owner alone, and in no log.
    use std::os::unix::fs::PermissionsExt as _;
    for name in ["principals.json", "token-key.pk8", "ca-key.pem", "server-key.pem", "state.json"] {
        let mode = std::fs::metadata(cloud.data().join("azure").join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let log = cloud.log();
    assert!(log.iter().any(|l| l.contains("managedInstances")), "{log:?}");
    for principal in cloud.azure().principals() {
        assert!(log.iter().all(|l| !l.contains(&principal.client_secret)));
        assert!(!format!("{principal:?}").contains(&principal.client_secret));
    }
    assert!(log.iter().all(|l| !l.contains("&s=")), "{log:?}");
}
