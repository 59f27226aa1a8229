//! Servers that mean harm, or only do it.

use milink_arm::{ArmError, OperationRef, Progress};
use serde_json::{Value, json as value};

use crate::server::{CLIENT_SECRET, Reply, Server, TOKEN, instance, json, link, login, with};

#[tokio::test]
async fn no_answer_is_read_without_end() {
    let huge = format!(r#"{{"value":[],"x":"{}"}}"#, "a".repeat(9 << 20));
    let deep = format!(r#"{{"value":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    for body in [
        &huge,
        &deep,
        "<html>token</html>",
        "{",
        "[]",
        "null",
        "\u{0}",
        r#"{"value":[{"name":7}]}"#,
        r#"{"value":7}"#,
    ] {
        let server = Server::in_turn(vec![json(200, body)]).await;
        let error = server.client().links(&instance()).await.unwrap_err();
        let short: String = body.chars().take(30).collect();
        assert!(matches!(error, ArmError::Unexpected { .. }), "{short}: {error}");
        assert!(error.to_string().len() < 1000, "{short}");
    }
    let server = Server::in_turn(vec![Reply::Torn { status: 200, headers: Vec::new() }]).await;
    assert!(matches!(server.client().link(&link()).await, Err(ArmError::Unexpected { .. })));
    // The same as an error's body.
    let server = Server::in_turn(vec![json(400, &huge)]).await;
    assert!(matches!(server.client().links(&instance()).await, Err(ArmError::Refused { .. })));
}

#[tokio::test]
async fn lists_are_followed_on_the_same_server_only() {
    let other = Server::in_turn(vec![json(200, r#"{"value":[]}"#)]).await;
    let page = |next: &str| json(200, &value!({"value": [{"name": "a"}], "nextLink": next}).to_string());
    for next in
        [format!("{}/next", other.origin), other.origin.replace("https", "http"), "//127.0.0.1/x".to_owned()]
    {
        let server = Server::in_turn(vec![page(&next)]).await;
        let error = server.client().links(&instance()).await.unwrap_err();
        assert!(matches!(error, ArmError::Unexpected { .. }), "{error}");
    }
    assert!(other.asked().is_empty(), "{:?}", other.asked());
    // And verbatim.
    let odd = "/next?$skiptoken=a%2Fb+c%20d&api-version=2025-01-01&x=%7E~";
    let server =
        Server::in_turn(vec![page(odd), json(200, r#"{"value":[{"name":"b"}],"nextLink":null}"#)]).await;
    let names: Vec<String> =
        server.client().links(&instance()).await.unwrap().into_iter().map(|l| l.name).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(server.asked()[1].target, odd);
    // A list without end has one.
    let server = Server::in_turn(vec![page("/round")]).await;
    assert!(matches!(server.client().links(&instance()).await, Err(ArmError::Unexpected { .. })));
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn a_redirect_does_not_get_the_token() {
    let other = Server::in_turn(vec![json(200, r#"{"value":[]}"#)]).await;
    for status in [301, 302, 307, 308] {
        let server = Server::in_turn(vec![with(status, &[("Location", &other.origin)], "")]).await;
        let error = server.client().links(&instance()).await.unwrap_err();
        assert!(matches!(error, ArmError::Unexpected { .. }), "{error}");
        assert_eq!(server.asked().len(), 1);
    }
    assert!(other.asked().is_empty());
}

#[tokio::test]
async fn an_operation_elsewhere_is_not_followed() {
    let other = Server::in_turn(vec![json(200, r#"{"status":"Succeeded"}"#)]).await;
    let url = format!("{}/status?s=signature-canary", other.origin);
    let headers = [("Azure-AsyncOperation", url.as_str()), ("Location", url.as_str())];
    let server = Server::in_turn(vec![with(202, &headers, "{}")]).await;
    // It was accepted all the same; that must not be lost.
    let accepted = server.client().delete_link(&link()).await.unwrap();
    assert_eq!((accepted.status, accepted.operation), (202, None));
    let note = accepted.note.unwrap();
    assert!(note.contains("not followed") && !note.contains("canary"), "{note}");
    // A journal that somebody has had his hands on.
    let kept: OperationRef = serde_json::from_value(value!({"status_url": url})).unwrap();
    let error = server.client().poll(&kept).await.unwrap_err();
    assert!(matches!(error, ArmError::NotSent { .. }), "{error}");
    assert!(!error.to_string().contains("canary"));
    assert!(other.asked().is_empty());
}

#[tokio::test]
async fn an_accepted_write_stays_accepted_when_its_body_is_torn() {
    let headers = vec![("Azure-AsyncOperation".to_owned(), "/status?x=1".to_owned())];
    let server =
        Server::in_turn(vec![Reply::Torn { status: 202, headers }, json(200, r#"{"status":"Succeeded"}"#)])
            .await;
    let accepted = server.client().delete_link(&link()).await.unwrap();
    assert_eq!((accepted.status, accepted.attempts, &accepted.body), (202, 1, &None));
    let operation = accepted.operation.unwrap();
    assert_eq!(server.client().poll(&operation).await.unwrap(), Progress::Succeeded);
}

#[tokio::test]
async fn no_secret_is_ever_shown() {
    // A server that tells everybody what it was told.
    let server = Server::start(|asked, _| {
        let said = asked.header("authorization").unwrap_or_default().to_owned();
        let url = format!("/status?s=signature-canary&t={}", said.replace(' ', ""));
        match asked.method.as_str() {
            "GET" => json(400, &value!({"error": {"code": said, "message": asked.head}}).to_string()),
            "DELETE" => json(
                403,
                &value!({"error": {"code": "A", "message": format!("action '{said}'")}}).to_string(),
            ),
            _ => with(202, &[("Azure-AsyncOperation", &url), ("x-ms-request-id", "id")], "{}"),
        }
    })
    .await;
    let client = server.client();
    let mut shown = vec![format!("{client:?}"), format!("{:?}", login())];
    let refused = client.links(&instance()).await.unwrap_err();
    let forbidden = client.delete_link(&link()).await.unwrap_err();
    shown.extend([
        refused.to_string(),
        format!("{refused:?}"),
        forbidden.to_string(),
        format!("{forbidden:?}"),
    ]);
    let put = client.put_trust_certificate(&instance(), "c", &"0x30".parse().unwrap()).await.unwrap();
    let operation = put.operation.clone().unwrap();
    shown.extend([format!("{put:?}"), format!("{operation:?}"), operation.to_string(), operation.shown()]);
    let token = client.token("https://database.windows.net/").await.unwrap();
    shown.extend([format!("{token:?}"), token.to_string()]);
    assert!(token.expose().starts_with(TOKEN));
    shown.push(format!("{client:?}"));
    for text in &shown {
        for canary in [TOKEN, CLIENT_SECRET, "signature-canary"] {
            assert!(!text.contains(canary), "{canary} in {text}");
        }
    }
    // The journal needs the address, and gets it whole.
    let kept: Value = serde_json::to_value(&operation).unwrap();
    assert!(kept["status_url"].as_str().unwrap().contains("signature-canary"));
    assert_eq!(serde_json::from_value::<OperationRef>(kept).unwrap(), operation);
}

#[tokio::test]
async fn an_authority_that_repeats_the_secret_is_not_quoted() {
    let echo = format!(
        r#"{{"error":"invalid_client","error_description":"AADSTS7000215: {CLIENT_SECRET} is wrong","error_codes":[7000215]}}"#
    );
    let server = Server::in_turn(vec![json(200, "{}")]).await;
    server.refuse_tokens(401, &echo);
    let error = server.client().links(&instance()).await.unwrap_err();
    assert!(matches!(error, ArmError::Unauthenticated { .. }) && error.is_certain(), "{error}");
    let text = format!("{error} {error:?}");
    assert!(text.contains("AADSTS7000215") && !text.contains(CLIENT_SECRET), "{text}");
    assert!(server.asked().is_empty());
}
