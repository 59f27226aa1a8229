//! The ways in.

use milink_web::hash_password;
use reqwest::header::SET_COOKIE;

use crate::browser::Browser;
use crate::server::{CANARY, Running};

#[tokio::test(flavor = "multi_thread")]
async fn a_one_time_address_signs_in_once() {
    let server = Running::start().await;
    let (first, browser) = (server.one_time(), Browser::new(&server));
    let response = browser.client.get(&first).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let cookie = response.headers()[SET_COOKIE].to_str().unwrap();
    assert!(cookie.starts_with(&format!("milink-{}=", server.address.port())), "{cookie}");
    assert!(
        cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Strict") && cookie.contains("; Path=/"),
        "{cookie}"
    );
    let again = browser.client.get(&first).send().await.unwrap();
    assert_eq!(again.status(), 403);
    assert!(!again.headers().contains_key(SET_COOKIE));
    // The next one was announced, and is another.
    assert_ne!(server.one_time(), first);
    Browser::signed_in(&server).await.text("/c/prod").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tries_are_counted() {
    let server = Running::with(|o, folder| {
        let path = folder.join("users");
        std::fs::write(&path, format!("anna operator {}\n", hash_password("correct horse").unwrap()))
            .unwrap();
        o.password_file = Some(path);
    });
    let server = server.await.unwrap();
    let browser = Browser::new(&server);
    let attempt = |name: &'static str, password: &'static str| {
        let form = browser.post("/sign-in").header("content-type", "application/x-www-form-urlencoded");
        form.body(format!("name={name}&password={password}")).send()
    };
    let wrong = attempt("anna", CANARY).await.unwrap();
    assert_eq!(wrong.status(), 403);
    let known = wrong.text().await.unwrap();
    let unknown = attempt("nobody", CANARY).await.unwrap().text().await.unwrap();
    assert_eq!(
        known.replace("value=\"anna\"", ""),
        unknown.replace("value=\"nobody\"", ""),
        "a name can be found out"
    );
    assert!(!known.contains(CANARY));
    for _ in 0..3 {
        assert_eq!(attempt("anna", "x").await.unwrap().status(), 403);
    }
    let limited = attempt("anna", "correct+horse").await.unwrap();
    assert_eq!(limited.status(), 429);
    assert!(limited.headers().contains_key("retry-after"));
    // The one-time addresses share the limit, or a guesser would go there.
    assert_eq!(browser.client.get(server.one_time()).send().await.unwrap().status(), 429);
}
