//! What is sent again, and what never is.

use std::time::{Duration, Instant};

use milink_arm::models::links::ReplicationMode;
use milink_arm::{
    ArmClient, ArmError, FailoverType, HybridUsage, LinkBody, LinkPatch, LinkRole, Options, RoleChangeType,
};

use crate::server::{Reply, Server, instance, json, link, login, with};

fn body() -> LinkBody {
    LinkBody {
        databases: vec!["db1".to_owned()],
        instance_link_role: LinkRole::Secondary,
        partner_endpoint: "tcp://h:5022".to_owned(),
        partner_availability_group_name: "AG".to_owned(),
        instance_availability_group_name: "AG_MI".to_owned(),
        failover_mode: None,
        seeding_mode: None,
        replication_mode: None,
        link_mode: None,
    }
}

const LINK: &str = r#"{"name":"link1","properties":{}}"#;
const BUSY: &str = r#"{"error":{"code":"ConflictingServerOperation","message":"busy"}}"#;

#[tokio::test]
async fn a_read_is_sent_again_until_it_is_answered() {
    for bad in [json(503, ""), json(500, "x"), json(429, ""), json(408, ""), Reply::HangUp] {
        let server = Server::in_turn(vec![bad.clone(), bad.clone(), json(200, LINK)]).await;
        assert_eq!(server.client().link(&link()).await.unwrap().unwrap().name, "link1", "{bad:?}");
        let ids: Vec<_> =
            server.asked().iter().map(|a| a.header("x-ms-client-request-id").map(str::to_owned)).collect();
        assert_eq!(ids.len(), 3);
        assert!(ids[0].is_some() && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    }
}

#[tokio::test]
async fn what_azure_says_of_the_time_is_kept() {
    let server = Server::in_turn(vec![with(429, &[("Retry-After", "1")], ""), json(200, LINK)]).await;
    let began = Instant::now();
    server.client().link(&link()).await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    // Longer than anybody waits for a prompt: it is said, and nothing is sent meanwhile.
    let server = Server::in_turn(vec![with(429, &[("Retry-After", "3600")], BUSY)]).await;
    let error = server.client().link(&link()).await.unwrap_err();
    let ArmError::Throttled { retry_after, .. } = &error else { panic!("{error}") };
    assert_eq!(*retry_after, Some(Duration::from_hours(1)));
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn it_gives_up_after_its_retries() {
    for (bad, certain) in [(json(429, ""), true), (json(503, ""), false), (Reply::HangUp, false)] {
        let server = Server::in_turn(vec![bad]).await;
        let error = server.client().links(&instance()).await.unwrap_err();
        assert_eq!(error.is_certain(), certain, "{error}");
        assert_eq!(server.asked().len(), 4);
    }
    for refusal in [json(400, BUSY), json(409, BUSY), json(403, ""), json(404, "")] {
        let server = Server::in_turn(vec![refusal]).await;
        assert!(server.client().links(&instance()).await.unwrap_err().is_certain());
        assert_eq!(server.asked().len(), 1);
    }
}

#[tokio::test]
async fn writes_that_may_be_repeated_are() {
    let server = Server::in_turn(vec![Reply::HangUp, json(503, ""), json(202, "{}")]).await;
    let accepted = server.client().put_link(&link(), &body()).await.unwrap();
    assert_eq!((accepted.status, accepted.attempts), (202, 3));
    assert!(accepted.note.is_some() && !accepted.is_done());
    let server = Server::in_turn(vec![Reply::HangUp, json(204, "")]).await;
    assert!(server.client().delete_link(&link()).await.unwrap().is_done());
    let server = Server::in_turn(vec![json(503, ""), json(200, LINK)]).await;
    let sync = LinkPatch::ReplicationMode(ReplicationMode::Sync);
    assert!(server.client().patch_link(&link(), &sync).await.unwrap().is_done());
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn a_refusal_after_a_lost_answer_proves_nothing() {
    for lost in [Reply::HangUp, json(500, "")] {
        let server = Server::in_turn(vec![lost, json(409, BUSY)]).await;
        let error = server.client().put_link(&link(), &body()).await.unwrap_err();
        assert!(!error.is_certain(), "{error}");
        assert!(error.to_string().contains("ConflictingServerOperation"), "{error}");
    }
    // Without a lost answer before it, it does.
    let server = Server::in_turn(vec![json(429, ""), json(409, BUSY)]).await;
    let error = server.client().put_link(&link(), &body()).await.unwrap_err();
    assert!(
        error.is_certain() && error.is_busy() && error.code() == Some("ConflictingServerOperation"),
        "{error}"
    );
}

#[tokio::test]
async fn an_operation_says_that_an_earlier_try_was_lost() {
    let accepted = with(202, &[("Azure-AsyncOperation", "/status")], "{}");
    for (first, lost) in [(Reply::HangUp, true), (json(500, ""), true), (json(429, ""), false)] {
        let server = Server::in_turn(vec![first, accepted.clone()]).await;
        let operation = server.client().put_link(&link(), &body()).await.unwrap().operation.unwrap();
        assert_eq!(operation.after_lost_try, lost);
        let kept = serde_json::to_string(&operation).unwrap();
        assert_eq!(serde_json::from_str::<milink_arm::OperationRef>(&kept).unwrap(), operation);
    }
}

/// The calls that are never sent twice.
async fn each_never_call(client: &ArmClient) -> Vec<ArmError> {
    let id = link();
    vec![
        client.failover(&id, FailoverType::Planned).await.unwrap_err(),
        client.failover(&id, FailoverType::ForcedAllowDataLoss).await.unwrap_err(),
        client.set_role(&id, LinkRole::Primary, RoleChangeType::Forced).await.unwrap_err(),
        client.patch_link(&id, &LinkPatch::Databases(vec!["a".to_owned()])).await.unwrap_err(),
        client.set_hybrid_usage(&instance(), HybridUsage::Passive).await.unwrap_err(),
    ]
}

#[tokio::test]
async fn a_failover_is_never_sent_twice() {
    for (bad, certain) in [
        (Reply::HangUp, false),
        (json(500, ""), false),
        (json(503, ""), false),
        (with(503, &[("Retry-After", "0")], ""), false),
        (json(408, ""), false),
        (with(429, &[("Retry-After", "0")], ""), true),
        (json(401, ""), true),
        (with(307, &[("Location", "/again")], ""), false),
    ] {
        let server = Server::in_turn(vec![bad.clone()]).await;
        let errors = each_never_call(&server.client()).await;
        assert_eq!(server.asked().len(), errors.len(), "{bad:?}: {:#?}", server.asked());
        for error in errors {
            assert_eq!(error.is_certain(), certain, "{bad:?}: {error}");
        }
    }
}

#[tokio::test]
async fn silence_ends_and_is_uncertain() {
    let server = Server::in_turn(vec![Reply::Silence]).await;
    let options = Options { request_timeout: Duration::from_millis(300), retries: 1, ..server.options() };
    let client = ArmClient::new(server.cloud(), login(), options).unwrap();
    let began = Instant::now();
    let error = client.failover(&link(), FailoverType::Planned).await.unwrap_err();
    assert!(matches!(error, ArmError::Uncertain { .. }), "{error}");
    assert!(error.ids().is_some_and(|ids| ids.client_request_id.is_some()));
    assert_eq!(server.asked().len(), 1);
    assert!(matches!(client.links(&instance()).await, Err(ArmError::Uncertain { .. })));
    assert_eq!(server.asked().len(), 3);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn what_found_no_server_was_not_sent() {
    let server = Server::in_turn(vec![json(200, LINK)]).await;
    // The token is had from the server; Resource Manager is where nobody listens.
    let mut cloud = server.cloud();
    cloud.arm_endpoint = "https://localhost:1".to_owned();
    let client = ArmClient::new(cloud, login(), server.options()).unwrap();
    let error = client.failover(&link(), FailoverType::Planned).await.unwrap_err();
    assert!(matches!(error, ArmError::NotSent { .. }) && error.is_certain(), "{error}");
    // Nobody is sure of a server whose certificate nobody vouches for, and more tries would not help.
    let options = Options { ca_file: None, retry_base: Duration::from_mins(1), ..server.options() };
    let began = Instant::now();
    let error = milink_arm::Cloud::discover(&server.origin, &options).await.unwrap_err();
    assert!(matches!(error, ArmError::NotSent { .. }), "{error}");
    assert!(error.to_string().to_lowercase().contains("certificate"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(20));
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_link_that_is_not_there_is_no_error_and_an_instance_is() {
    let said = r#"{"error":{"code":"ResourceNotFound","message":"no"}}"#;
    let server =
        Server::in_turn(vec![json(404, said), with(404, &[("x-ms-failure-cause", "gateway")], said)]).await;
    assert_eq!(server.client().link(&link()).await.unwrap(), None);
    let error = server.client().link(&link()).await.unwrap_err();
    assert!(matches!(error, ArmError::NotFound { by_gateway: true, .. }), "{error}");
}
