//! Recorded traffic of the real Azure: the client reads every answer in it, and loses nothing of what it reads.

use std::path::Path;

use milink_arm::models::links::{FailoverMode, ReplicationMode, SeedingMode};
use milink_arm::{
    Accepted, ArmClient, ArmError, FailoverType, InstanceId, LinkBody, LinkId, LinkMode, LinkPatch, LinkRole,
    LinkView, OperationRef, Progress,
};
use serde_json::{Map, Value, json as value};

use crate::server::{Reply, SUB, Server, login, with};

/// The lab's copies: data, not code.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../lab-azure/tests/recordings");

#[derive(Debug)]
enum What {
    Links(InstanceId),
    Link(LinkId),
    FailOver(LinkId),
    Certificates(InstanceId),
    Certificate(InstanceId, String),
    Instance(InstanceId),
    Status,
    Result,
}

/// What a recorded path is about.
fn what(path: &str) -> What {
    let (path, _) = path.split_once('?').unwrap();
    // One was recorded without an instance's name; the client sends no such thing.
    let path = path.replace("managedInstances/distributed", "managedInstances/missing/distributed");
    let path = path.replace("managedInstances//", "managedInstances/missing/");
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    if path.contains("AsyncOperation/") {
        return What::Status;
    }
    if path.contains("OperationResults/") {
        return What::Result;
    }
    let id: InstanceId = format!("/{}", parts[..8].join("/")).parse().unwrap();
    match parts[8..] {
        [] => What::Instance(id),
        ["distributedAvailabilityGroups"] => What::Links(id),
        ["distributedAvailabilityGroups", name] => What::Link(id.link(name)),
        ["distributedAvailabilityGroups", name, "failover"] => What::FailOver(id.link(name)),
        ["serverTrustCertificates"] => What::Certificates(id),
        ["serverTrustCertificates", name] => What::Certificate(id, name.to_owned()),
        _ => panic!("{path}"),
    }
}

/// The body of a recorded PUT. Each of its properties must have a field.
fn body(recorded: &Value) -> LinkBody {
    let properties = recorded["properties"].as_object().unwrap();
    let text = |name: &str| properties.get(name).and_then(Value::as_str);
    LinkBody {
        databases: names(recorded),
        instance_link_role: LinkRole::from(text("instanceLinkRole").unwrap()),
        partner_endpoint: text("partnerEndpoint").unwrap().to_owned(),
        partner_availability_group_name: text("partnerAvailabilityGroupName").unwrap().to_owned(),
        instance_availability_group_name: text("instanceAvailabilityGroupName").unwrap().to_owned(),
        failover_mode: text("failoverMode").map(FailoverMode::from),
        seeding_mode: text("seedingMode").map(SeedingMode::from),
        replication_mode: text("replicationMode").map(ReplicationMode::from),
        link_mode: text("linkMode").map(LinkMode::from),
    }
}

fn names(recorded: &Value) -> Vec<String> {
    let databases = recorded["properties"]["databases"].as_array().cloned().unwrap_or_default();
    databases.iter().map(|d| d["databaseName"].as_str().unwrap().to_owned()).collect()
}

/// The answer as the recording has it, with addresses that lead to this server.
fn reply(exchange: &Value, origin: &str) -> Reply {
    let status = u16::try_from(exchange["status"].as_u64().unwrap()).unwrap();
    let headers = exchange["responseHeaders"].as_object().cloned().unwrap_or_default();
    let headers: Vec<(String, String)> = headers
        .iter()
        .map(|(name, v)| {
            let text = v.as_str().map_or_else(|| v.to_string(), str::to_owned);
            // The recordings shorten the signatures with words in brackets.
            let text = text.replace("https://management.azure.com", origin).replace(['<', '>', ' '], "");
            (name.clone(), text)
        })
        .collect();
    let body = exchange.get("responseBody").map(Value::to_string).unwrap_or_default();
    let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    with(status, &headers, &body)
}

/// Lists that are empty and properties that are absent are the same.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().map(|(k, v)| (k.clone(), plain(v)));
            Value::Object(kept.filter(|(_, v)| *v != value!([]) && !v.is_null()).collect::<Map<_, _>>())
        }
        Value::Array(list) => list.iter().map(plain).collect(),
        other => other.clone(),
    }
}

fn same(read: impl serde::Serialize, recorded: &Value, place: &str) {
    assert_eq!(plain(&serde_json::to_value(read).unwrap()), plain(recorded), "{place}");
}

/// What the client must make of an answer.
fn judged(result: Result<Accepted, ArmError>, exchange: &Value, place: &str) {
    let status = exchange["status"].as_u64().unwrap();
    let error = &exchange["responseBody"]["error"];
    match result {
        Ok(accepted) => {
            assert_eq!(u64::from(accepted.status), status, "{place}");
            assert_eq!(accepted.body.as_ref(), exchange.get("responseBody"), "{place}");
            let operation = accepted.operation.unwrap_or_else(|| panic!("{place}: {:?}", accepted.note));
            let recorded = exchange["responseHeaders"]["azure-asyncoperation"].as_str().unwrap();
            let path = recorded.trim_start_matches("https://management.azure.com").split('?').next().unwrap();
            assert!(operation.shown().contains(path), "{place}: {operation}");
        }
        Err(ArmError::Refused { status: found, code, message, .. }) => {
            assert_eq!(
                (u64::from(found), &value!(code), &value!(message)),
                (status, &error["code"], &error["message"]),
                "{place}"
            );
        }
        Err(ArmError::NotFound { code, message, by_gateway, .. }) => {
            assert_eq!(
                (404, &value!(code), &value!(message)),
                (status, &error["code"], &error["message"]),
                "{place}"
            );
            assert_eq!(by_gateway, exchange["responseHeaders"]["x-ms-failure-cause"] == "gateway", "{place}");
        }
        Err(other) => panic!("{place}: {other}"),
    }
}

fn polled(progress: Progress, exchange: &Value, place: &str) {
    let body = &exchange["responseBody"];
    match body["status"].as_str() {
        Some("InProgress") => assert!(matches!(progress, Progress::Running { .. }), "{place}: {progress:?}"),
        Some("Succeeded") | None => assert_eq!(progress, Progress::Succeeded, "{place}"),
        Some("Failed") if body["error"]["code"] == "OperationIdNotFound" => {
            assert_eq!(progress, Progress::Gone, "{place}");
        }
        other => panic!("{place}: {other:?}"),
    }
}

#[derive(Default)]
struct Counts {
    links: usize,
    writes: usize,
    polls: usize,
    errors: usize,
    certificates: usize,
}

#[tokio::test]
async fn every_recorded_answer_is_read() {
    let mut counts = Counts::default();
    let mut files = 0;
    for entry in std::fs::read_dir(FOLDER).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "json") {
            replay(&path, &mut counts).await;
            files += 1;
        }
    }
    // A replay of nothing would succeed as well.
    assert_eq!(files, 8);
    let Counts { links, writes, polls, errors, certificates } = counts;
    assert!(
        links >= 16 && writes >= 14 && polls >= 25 && errors >= 11 && certificates >= 3,
        "links {links}, writes {writes}, polls {polls}, errors {errors}, certificates {certificates}"
    );
}

async fn replay(file: &Path, counts: &mut Counts) {
    let recording: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let exchanges = recording["exchanges"].as_array().unwrap().clone();
    let answers = exchanges.clone();
    let server = Server::start(move |asked, nth| {
        reply(&answers[nth], &format!("https://{}", asked.header("host").unwrap()))
    })
    .await;
    let options = milink_arm::Options { link_view: LinkView::WithMode, retries: 0, ..server.options() };
    let client = ArmClient::new(server.cloud(), login(), options).unwrap();
    for (nth, exchange) in exchanges.iter().enumerate() {
        let place = format!("{} {nth}", file.file_name().unwrap().to_string_lossy());
        one(&client, exchange, &place, counts).await;
        let asked = server.asked();
        assert_eq!(asked.len(), nth + 1, "{place}: one request each");
        let sent = asked.last().unwrap();
        assert_eq!(Some(sent.method.as_str()), exchange["method"].as_str(), "{place}");
        if let Some(recorded) = exchange
            .get("requestBody")
            .filter(|b| b.get("properties").is_some() || b.get("failoverType").is_some())
        {
            let sent: Value = serde_json::from_str(&sent.body).unwrap();
            assert_eq!(&sent, recorded, "{place}");
        }
    }
}

async fn one(client: &ArmClient, exchange: &Value, place: &str, counts: &mut Counts) {
    let path = exchange["path"].as_str().unwrap();
    let recorded = &exchange["responseBody"];
    let request = exchange.get("requestBody");
    let get = exchange["method"] == "GET";
    if exchange["status"].as_u64().unwrap() >= 400 {
        counts.errors += 1;
    } else if !get {
        counts.writes += 1;
    }
    match what(path) {
        What::Links(id) => {
            let links = client.links(&id).await.unwrap();
            for (link, recorded) in links.iter().zip(recorded["value"].as_array().unwrap()) {
                counts.links += 1;
                same(link, recorded, place);
                // The recorded id may be the instance's; ours never is.
                assert!(
                    link.link_id(&id)
                        .to_string()
                        .ends_with(&format!("/distributedAvailabilityGroups/{}", link.name))
                );
            }
            assert_eq!(links.len(), recorded["value"].as_array().unwrap().len(), "{place}");
            counts.links += usize::from(links.is_empty());
        }
        What::Link(id) if get => match client.link(&id).await.unwrap() {
            Some(link) => {
                counts.links += 1;
                same(&link, recorded, place);
                assert_eq!(link.link_id(&id.instance), id, "{place}");
            }
            None => assert_eq!(exchange["status"], 404, "{place}"),
        },
        What::Link(id) => {
            let result = match exchange["method"].as_str().unwrap() {
                "PUT" => {
                    let default = value!({"properties": {"databases": [], "instanceLinkRole": "Secondary", "partnerEndpoint": "",
                        "partnerAvailabilityGroupName": "", "instanceAvailabilityGroupName": ""}});
                    client.put_link(&id, &body(request.unwrap_or(&default))).await
                }
                "PATCH" => client.patch_link(&id, &LinkPatch::Databases(names(request.unwrap()))).await,
                "DELETE" => client.delete_link(&id).await,
                other => panic!("{other}"),
            };
            judged(result, exchange, place);
        }
        What::FailOver(id) => {
            let forced = place.contains("forced");
            let how = if forced { FailoverType::ForcedAllowDataLoss } else { FailoverType::Planned };
            judged(client.failover(&id, how).await, exchange, place);
        }
        What::Certificates(id) => {
            let found = client.trust_certificates(&id).await.unwrap();
            same(found, &recorded["value"], place);
            counts.certificates += 1;
        }
        What::Certificate(id, name) if get => {
            let found = client.trust_certificate(&id, &name).await.unwrap().unwrap();
            same(&found, recorded, place);
            assert_eq!(found.der().unwrap().bytes()[0], 0x30, "{place}");
            counts.certificates += 1;
        }
        What::Certificate(id, name) if exchange["method"] == "PUT" => {
            let blob = request.unwrap()["properties"]["publicBlob"].as_str().unwrap();
            let der = blob.parse::<milink_core::names::Hex>().unwrap();
            judged(client.put_trust_certificate(&id, &name, &der).await, exchange, place);
        }
        What::Certificate(id, name) => {
            judged(client.delete_trust_certificate(&id, &name).await, exchange, place);
        }
        What::Instance(id) => {
            let found = client.managed_instance(&id).await.unwrap();
            same(&found, recorded, place);
            assert_eq!(found.properties.state.as_deref(), Some("Ready"));
            assert_eq!(found.instance_id().unwrap().subscription.as_str(), SUB);
        }
        about @ (What::Status | What::Result) => {
            counts.polls += 1;
            let kept = if matches!(about, What::Status) { "status_url" } else { "location_url" };
            let operation: OperationRef = serde_json::from_value(value!({kept: path})).unwrap();
            polled(client.poll(&operation).await.unwrap(), exchange, place);
        }
    }
}
