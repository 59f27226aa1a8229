//! Operations, followed from here and from elsewhere.

use std::time::Duration;

use milink_arm::{ArmError, OperationRef, Progress};
use serde_json::json as value;

use crate::server::{Reply, Server, json, link, with};

/// As Azure signs it: some 3 KB, to be sent back as it came.
fn signed(path: &str) -> String {
    format!("{path}?api-version=2025-01-01&t=638&c={}&s=a%2Bb%2f-_~.!$()*,;:@=&h=", "MII".repeat(1000))
}

async fn ask(operation: &OperationRef, reply: Reply) -> Result<Progress, ArmError> {
    let server = Server::in_turn(vec![reply]).await;
    server.client().poll(operation).await
}

fn status() -> OperationRef {
    serde_json::from_value(value!({"status_url": "/status?x=1"})).unwrap()
}

fn location() -> OperationRef {
    serde_json::from_value(value!({"location_url": "/result?x=1"})).unwrap()
}

#[tokio::test]
async fn another_process_goes_on_with_the_very_same_address() {
    let path = signed("/status");
    let server = Server::start({
        let path = path.clone();
        move |asked, nth| match nth {
            0 => {
                let host = asked.header("host").unwrap();
                let status = format!("https://{host}{path}");
                let headers = [
                    ("Azure-AsyncOperation", status.as_str()),
                    ("Location", "/result"),
                    ("Retry-After", "15"),
                    ("x-ms-request-id", "theirs"),
                ];
                with(202, &headers, r#"{"operation":"X","startTime":"now"}"#)
            }
            1 => with(200, &[("Retry-After", "15")], r#"{"name":"g","status":"InProgress"}"#),
            _ => json(200, r#"{"name":"g","status":"Succeeded"}"#),
        }
    })
    .await;
    let accepted = server.client().delete_link(&link()).await.unwrap();
    assert!(!accepted.is_done());
    assert_eq!(accepted.retry_after, Some(Duration::from_secs(15)));
    assert_eq!(accepted.body, Some(value!({"operation": "X", "startTime": "now"})));
    let journal = serde_json::to_string(&accepted.operation.unwrap()).unwrap();
    let operation: OperationRef = serde_json::from_str(&journal).unwrap();
    assert_eq!(operation.ids.request_id.as_deref(), Some("theirs"));
    assert!(operation.ids.client_request_id.is_some());
    let client = server.client();
    assert_eq!(
        client.poll(&operation).await.unwrap(),
        Progress::Running { retry_after: Duration::from_secs(15) }
    );
    assert_eq!(client.poll(&operation).await.unwrap(), Progress::Succeeded);
    assert_eq!(server.asked()[1].target, path);
}

#[tokio::test]
async fn a_status_says_how_far_it_is() {
    let running = Progress::Running { retry_after: Duration::from_secs(10) };
    let failed = |code: &str| format!(r#"{{"status":"Failed","error":{{"code":"{code}","message":"m"}}}}"#);
    let bad = Progress::Failed { code: "X".to_owned(), message: "m".to_owned() };
    for (reply, wanted) in [
        (json(200, r#"{"status":"InProgress"}"#), running.clone()),
        (json(200, r#"{"status":"Whatever"}"#), running.clone()),
        (json(200, "{}"), running.clone()),
        (json(200, ""), running.clone()),
        (json(202, ""), running),
        (
            with(200, &[("Retry-After", "99999")], "{}"),
            Progress::Running { retry_after: Duration::from_mins(5) },
        ),
        (json(200, r#"{"status":"succeeded"}"#), Progress::Succeeded),
        (json(200, r#"{"status":"Canceled"}"#), Progress::Canceled),
        (json(200, &failed("X")), bad),
        (json(200, &failed("OperationIdNotFound")), Progress::Gone),
        (
            json(200, r#"{"status":"Failed"}"#),
            Progress::Failed { code: String::new(), message: String::new() },
        ),
        (json(404, ""), Progress::Gone),
    ] {
        assert_eq!(ask(&status(), reply.clone()).await.unwrap(), wanted, "{reply:?}");
    }
    // Not to be told whether it is over is not to be told that it has failed.
    for reply in [json(403, ""), json(400, ""), json(500, ""), json(200, "<html>")] {
        assert!(ask(&status(), reply.clone()).await.is_err(), "{reply:?}");
    }
}

#[tokio::test]
async fn a_location_alone_is_enough() {
    let said = r#"{"error":{"code":"X","message":"m"}}"#;
    for (reply, wanted) in [
        (json(202, ""), Progress::Running { retry_after: Duration::from_secs(10) }),
        (json(200, "{}"), Progress::Succeeded),
        (json(204, ""), Progress::Succeeded),
        (json(400, said), Progress::Failed { code: "X".to_owned(), message: "m".to_owned() }),
        (json(404, said), Progress::Gone),
    ] {
        assert_eq!(ask(&location(), reply.clone()).await.unwrap(), wanted, "{reply:?}");
    }
    assert!(ask(&location(), json(503, "")).await.is_err());
}
