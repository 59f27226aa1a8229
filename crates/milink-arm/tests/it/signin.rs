//! Clouds and tokens.

use milink_arm::{ArmClient, ArmError, Cloud, Login, Secret};

use crate::server::{CLIENT_SECRET, SUB, Server, TOKEN, instance, json, login};

const NONE: &str = r#"{"value":[]}"#;

#[tokio::test]
async fn signs_in_once_and_shows_the_token() {
    let server = Server::in_turn(vec![json(200, NONE)]).await;
    let client = server.client();
    client.links(&instance()).await.unwrap();
    client.clone().databases(&instance()).await.unwrap();
    let asked = server.token_requests();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].target, format!("/{SUB}/oauth2/v2.0/token"));
    assert!(asked[0].body.contains(&format!("client_secret={CLIENT_SECRET}")), "{}", asked[0].body);
    assert!(asked[0].body.contains("grant_type=client_credentials"));
    // The audience ends in a slash, and so the scope has two.
    assert!(asked[0].body.contains("%2F%2F.default"), "{}", asked[0].body);
    for request in server.asked() {
        assert_eq!(request.header("authorization"), Some(format!("Bearer {TOKEN}-1").as_str()));
        assert!(request.header("user-agent").unwrap().starts_with("milink/"));
        assert_eq!(request.header("x-ms-client-request-id").unwrap().len(), 36);
    }
}

#[tokio::test]
async fn many_at_once_fetch_one_token() {
    let server = Server::in_turn(vec![json(200, NONE)]).await;
    let client = server.client();
    let id = instance();
    let (a, b, c) = tokio::join!(client.links(&id), client.databases(&id), client.operations(&id));
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    assert_eq!(server.token_requests().len(), 1);
}

#[tokio::test]
async fn another_audience_has_another_token() {
    let server = Server::in_turn(vec![json(200, NONE)]).await;
    let client = server.client();
    let sql = client.token(&client.cloud().sql_audience).await.unwrap();
    assert_eq!(sql, client.token(&client.cloud().sql_audience).await.unwrap());
    client.links(&instance()).await.unwrap();
    let asked = server.token_requests();
    assert_eq!(asked.len(), 2);
    assert!(asked[0].body.contains("database.windows.net%2F%2F.default"), "{}", asked[0].body);
    assert_ne!(server.asked()[0].header("authorization"), Some(format!("Bearer {}", sql.expose()).as_str()));
}

#[tokio::test]
async fn a_token_that_has_ended_is_renewed_once() {
    let ended = json(401, r#"{"error":{"code":"ExpiredAuthenticationToken","message":"ended"}}"#);
    let server = Server::in_turn(vec![ended.clone(), json(200, NONE)]).await;
    server.client().links(&instance()).await.unwrap();
    assert_eq!(server.token_requests().len(), 2);
    assert_eq!(server.asked()[1].header("authorization"), Some(format!("Bearer {TOKEN}-2").as_str()));
    // Once, and no more.
    let server = Server::in_turn(vec![ended.clone()]).await;
    let error = server.client().links(&instance()).await.unwrap_err();
    assert!(
        matches!(&error, ArmError::Unauthenticated { message, .. } if message.contains("Expired")),
        "{error}"
    );
    assert_eq!((server.asked().len(), server.token_requests().len()), (2, 2));
    // One that was given is not ours to renew.
    let server = Server::in_turn(vec![ended]).await;
    let client =
        ArmClient::new(server.cloud(), Login::Token(Secret::new("given")), server.options()).unwrap();
    assert!(client.links(&instance()).await.is_err());
    assert_eq!((server.asked().len(), server.token_requests().len()), (1, 0));
}

#[tokio::test]
async fn a_cloud_says_what_it_is() {
    let one = r#"{"authentication":{"loginEndpoint":"https://login/","audiences":["https://aud/"]},"suffixes":{"sqlServerHostname":"sql"}}"#;
    for body in [one.to_owned(), format!("[{one}]")] {
        let server = Server::in_turn(vec![json(503, ""), json(200, &body)]).await;
        let cloud = Cloud::discover(&server.origin, &server.options()).await.unwrap();
        assert_eq!((cloud.authority.as_str(), cloud.audience.as_str()), ("https://login", "https://aud/"));
        assert_eq!(cloud.arm_endpoint, server.origin);
        assert_eq!(
            (cloud.sql_suffix.as_str(), cloud.sql_audience.as_str()),
            ("sql", "https://database.windows.net/")
        );
        let asked = server.asked();
        assert_eq!(asked[1].target, "/metadata/endpoints?api-version=2022-09-01");
        assert_eq!(asked[1].header("authorization"), None);
    }
    let server = Server::in_turn(vec![json(200, "{}")]).await;
    assert!(matches!(
        Cloud::discover(&server.origin, &server.options()).await,
        Err(ArmError::Unexpected { .. })
    ));
}

#[tokio::test]
async fn nothing_goes_without_tls() {
    let server = Server::in_turn(vec![json(200, NONE)]).await;
    for change in [0, 1] {
        let mut cloud = server.cloud();
        let plain = server.origin.replace("https", "http");
        if change == 0 {
            cloud.arm_endpoint = plain;
        } else {
            cloud.authority = plain;
        }
        let error = ArmClient::new(cloud, login(), server.options()).unwrap_err();
        assert!(matches!(error, ArmError::NotSent { .. }), "{error}");
    }
    let error = Cloud::discover("http://localhost:1", &server.options()).await.unwrap_err();
    assert!(error.to_string().contains("https"), "{error}");
    let error = server.client().link(&instance().link("../../x")).await.map(drop).unwrap_err();
    assert!(matches!(error, ArmError::NotSent { .. }), "{error}");
    assert!(server.asked().is_empty());
    let missing = milink_arm::Options { ca_file: Some("/nowhere/ca.pem".into()), ..server.options() };
    let error = ArmClient::new(server.cloud(), login(), missing).unwrap_err();
    assert!(error.to_string().contains("/nowhere/ca.pem"), "{error}");
}
