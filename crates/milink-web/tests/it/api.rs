//! The API, its document, metrics, and what the first page costs.

use std::time::Duration;

use serde_json::Value;

use crate::browser::Browser;
use crate::server::{CANARY, Running};

/// Asks until it is so: a watcher looks once in 50 ms.
async fn until(browser: &Browser, path: &str, is: impl Fn(&str) -> bool) -> String {
    for _ in 0..200 {
        let text = browser.text(path).await;
        if is(&text) {
            return text;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{path} does not become so: {}", browser.text(path).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_names_what_there_is() {
    let server = Running::start().await;
    let browser = Browser::signed_in(&server).await;
    let document: Value = serde_json::from_str(&browser.text("/api/v1/openapi.json").await).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() >= 10, "{:?}", paths.keys());
    until(&browser, "/api/v1/contexts", |t| t.contains("seenAt\":\"")).await;
    for (path, methods) in paths {
        let here = path.replace("{context}", "prod").replace("{link}", "none").replace("{run}", "1");
        assert!(!here.contains('{'), "{path}");
        if methods.get("get").is_some() {
            let status = browser.get(&here).await.status();
            assert!(status == 200 || here.contains("none") || here.ends_with("/runs/1"), "{here}: {status}");
        }
        if methods.get("post").is_some() {
            assert_eq!(
                browser.post(&here).send().await.unwrap().status(),
                403,
                "{here} does without a token"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contexts_say_who_answers() {
    let server = Running::start().await;
    let browser = Browser::signed_in(&server).await;
    let text = until(&browser, "/api/v1/contexts", |t| {
        t.contains("variable is not set") && t.contains("seenAt\":\"")
    })
    .await;
    let list: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(list["contexts"][0]["name"], "prod");
    assert_eq!(list["contexts"][0]["unknown"].as_array().unwrap().len(), 3);
    assert_eq!(list["contexts"][1]["unknown"][0], "the secret cannot be read: the variable is not set");
    let page = until(&browser, "/c/broken", |t| t.contains("This context cannot be used")).await;
    assert!(page.contains("never seen"), "nobody has ever answered");
    let links: Value = serde_json::from_str(&browser.text("/api/v1/contexts/prod/links").await).unwrap();
    assert_eq!(
        (links["schemaVersion"].as_i64(), links["links"].as_array().map(Vec::len)),
        (Some(1), Some(0))
    );
    let metrics = browser.text("/metrics").await;
    assert!(metrics.contains("milink_side_answers{context=\"prod\",side=\"azure\"} 0"), "{metrics}");
    let dashboard: Value = serde_json::from_str(&browser.text("/grafana/dashboard.json").await).unwrap();
    for panel in dashboard["panels"].as_array().unwrap() {
        let expression = panel["targets"][0]["expr"].as_str().unwrap();
        let name: String = expression
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .find(|w| w.starts_with("milink_") || w.starts_with("sqlserver_"))
            .unwrap()
            .to_owned();
        assert!(metrics.contains(&format!("# TYPE {name} gauge")), "no metric {name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_can_be_asked_for() {
    let server = Running::start().await;
    let browser = Browser::signed_in(&server).await;
    until(&browser, "/api/v1/contexts", |t| t.contains("seenAt\":\"")).await;
    let token = browser.csrf().await;
    let ask =
        |path: &str, body: &'static str| browser.post(path).header("x-csrf-token", &token).body(body).send();
    let check = ask("/api/v1/contexts/prod/check", r#"{"name":"l","databases":["Sales"]}"#).await.unwrap();
    let found: Value = serde_json::from_str(&check.text().await.unwrap()).unwrap();
    assert!(found["blocking"].as_i64().unwrap() > 0, "nobody is seen, so nothing can be made: {found}");
    let plan = ask("/api/v1/contexts/prod/plan", r#"{"name":"l","databases":["Sales"]}"#).await.unwrap();
    assert_eq!(plan.status(), 409, "{}", plan.text().await.unwrap());
    let wrong = ask("/api/v1/contexts/prod/plan", r#"{"nome":"l"}"#).await.unwrap();
    assert_eq!(wrong.status(), 400);
    assert_eq!(browser.get("/api/v1/contexts/prod/runs/7").await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_page_is_small_and_nothing_says_a_secret() {
    let server = Running::start().await;
    let browser = Browser::signed_in(&server).await;
    until(&browser, "/api/v1/contexts", |t| t.contains("seenAt\":\"")).await;
    let get = |path: String| {
        browser.with_cookie(browser.client.get(server.url(&path))).header("accept-encoding", "gzip").send()
    };
    let page = browser.text("/c/prod").await;
    let sent = get("/c/prod".to_owned()).await.unwrap();
    assert_eq!(sent.headers()["content-encoding"], "gzip");
    let mut bytes = sent.bytes().await.unwrap().len();
    let addresses: Vec<&str> = page.split('"').filter(|t| t.starts_with("/assets/")).collect();
    assert!(addresses.len() >= 5, "{addresses:?}");
    for address in addresses {
        let asset = get(address.to_owned()).await.unwrap();
        assert_eq!(asset.status(), 200, "{address}");
        assert_eq!(asset.headers()["cache-control"], "public, max-age=31536000, immutable");
        let tag = asset.headers()["etag"].clone();
        bytes += asset.bytes().await.unwrap().len();
        let again =
            browser.client.get(server.url(address)).header("if-none-match", tag).send().await.unwrap();
        assert_eq!(again.status(), 304);
    }
    assert!(bytes < 100_000, "{bytes} bytes");
    for path in [
        "/c/prod",
        "/c/broken",
        "/audit",
        "/metrics",
        "/api/v1/contexts",
        "/api/v1/audit",
        "/api/v1/openapi.json",
    ] {
        assert!(!browser.text(path).await.contains(CANARY), "{path}");
    }
}
