//! What stands around every route.

use std::net::SocketAddr;

use milink_web::{ServeError, TlsFiles, hash_password};
use reqwest::header::{HOST, LOCATION};

use crate::browser::{Browser, client};
use crate::server::{CANARY, Running};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_in_without_a_session() {
    let server = Running::start().await;
    let stranger = Browser::new(&server);
    for (path, to) in [
        ("/", "/sign-in"),
        ("/c/prod", "/sign-in?to=%2Fc%2Fprod"),
        ("/c/prod/links?sort=lag", "/sign-in?to=%2Fc%2Fprod%2Flinks%3Fsort%3Dlag"),
        ("/nowhere", "/sign-in?to=%2Fnowhere"),
        ("/audit", "/sign-in?to=%2Faudit"),
    ] {
        let response = stranger.get(path).await;
        assert_eq!(response.status(), 303, "{path}");
        assert_eq!(response.headers()[LOCATION], to);
    }
    for path in [
        "/api/v1/contexts",
        "/api/v1/openapi.json",
        "/api/v1/nowhere",
        "/metrics",
        "/events/prod?topics=tree",
    ] {
        let response = stranger.get(path).await;
        assert_eq!(response.status(), 401, "{path}");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }
    assert_eq!(stranger.post("/sign-out").send().await.unwrap().status(), 303);
    assert_eq!(stranger.post("/api/v1/contexts/prod/look").send().await.unwrap().status(), 401);
    let health = stranger.get("/healthz").await;
    assert_eq!((health.status().as_u16(), health.text().await.unwrap().as_str()), (200, "ok\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_the_policy_and_no_page_breaks_it() {
    let server = Running::start().await;
    let browser = Browser::signed_in(&server).await;
    let pages = [
        "/c/prod",
        "/c/broken",
        "/audit",
        "/sign-in",
        "/nowhere",
        "/c/nowhere",
        "/c/prod/databases/managed/x",
    ];
    for path in pages {
        let response = browser.get(path).await;
        assert_eq!(response.headers()["content-security-policy"], POLICY, "{path}");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/html"), "{path}");
        let text = response.text().await.unwrap();
        for inline in ["<script>", " style=", " onclick", " onload", "javascript:", "hx-on"] {
            assert!(!text.contains(inline), "{path} has {inline}");
        }
        assert!(
            text.contains("<html lang=\"en\"") && text.contains("id=\"main\"") && text.contains("<h1>"),
            "{path}"
        );
        assert!(!text.contains("/assets/missing/"), "{path}");
    }
    for path in ["/api/v1/contexts", "/", "/metrics"] {
        assert_eq!(browser.get(path).await.headers()["content-security-policy"], POLICY, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_without_the_sessions_token_is_refused() {
    let server = Running::start().await;
    let (browser, other) = (Browser::signed_in(&server).await, Browser::signed_in(&server).await);
    let look = "/api/v1/contexts/prod/look";
    assert_eq!(browser.post(look).send().await.unwrap().status(), 403);
    let others = other.csrf().await;
    assert_eq!(browser.post(look).header("x-csrf-token", &others).send().await.unwrap().status(), 403);
    let own = browser.csrf().await;
    let elsewhere = browser.post(look).header("x-csrf-token", &own).header("sec-fetch-site", "cross-site");
    assert_eq!(elsewhere.send().await.unwrap().status(), 403);
    let elsewhere = browser.post(look).header("x-csrf-token", &own).header("origin", "https://evil.example");
    assert_eq!(elsewhere.send().await.unwrap().status(), 403);
    assert_eq!(browser.post(look).header("x-csrf-token", &own).send().await.unwrap().status(), 202);
    // A form carries it in a field.
    let form = |body: String| {
        browser.post("/theme").header("content-type", "application/x-www-form-urlencoded").body(body)
    };
    assert_eq!(form("theme=dark&to=%2Faudit".to_owned()).send().await.unwrap().status(), 403);
    let twice = format!("theme=dark&csrf={own}&csrf={own}");
    assert_eq!(form(twice).send().await.unwrap().status(), 403);
    let set = form(format!("theme=dark&to=%2Faudit&csrf={own}")).send().await.unwrap();
    assert_eq!((set.status().as_u16(), set.headers()[LOCATION].to_str().unwrap()), (303, "/audit"));
    let away = form(format!("theme=dark&to=%2F%2Fevil.example&csrf={own}")).send().await.unwrap();
    assert_eq!(away.headers()[LOCATION], "/");
    // What was refused before its handler left no trace of being done; what was done is written down, twice.
    let audit = browser.text("/api/v1/audit").await;
    assert_eq!(audit.matches("\"what\":\"POST /api/v1/contexts/prod/look\"").count(), 2, "{audit}");
    assert!(audit.contains("\"outcome\":\"asked\"") && audit.contains("\"status\":202"), "{audit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_name_is_not_answered() {
    let server = Running::start().await;
    let browser = Browser::signed_in(&server).await;
    for host in ["evil.example", &format!("evil.example:{}", server.address.port()), "127.0.0.1:1"] {
        let request = browser.with_cookie(browser.client.get(server.url("/c/prod"))).header(HOST, host);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 421, "{host}");
        assert!(!response.text().await.unwrap().contains("prod"));
    }
    let request = browser.with_cookie(browser.client.get(server.url("/c/prod")));
    let response = request.header(HOST, format!("localhost:{}", server.address.port())).send().await.unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_of_others_needs_tls_and_a_way_to_sign_in() {
    let everywhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let refused = Running::with(|o, _| o.listen = everywhere).await.err().unwrap();
    assert!(matches!(refused, ServeError::NoTls(_)), "{refused}");
    let refused = Running::with(|o, folder| {
        o.listen = everywhere;
        o.tls = Some(certificate(folder));
    });
    let refused = refused.await.err().unwrap();
    assert!(matches!(refused, ServeError::NoSignIn(_)), "{refused}");
    let refused = Running::with(|o, folder| {
        o.listen = everywhere;
        o.password_file = Some(users(folder));
    });
    assert!(matches!(refused.await.err().unwrap(), ServeError::NoTls(_)));
    let server = Running::with(|o, folder| {
        o.listen = everywhere;
        o.tls = Some(certificate(folder));
        o.password_file = Some(users(folder));
    });
    let server = server.await.unwrap();
    drop(client());
    let ca = std::fs::read(server.folder.path().join("web.pem")).unwrap();
    let client = reqwest::Client::builder()
        .add_root_certificate(reqwest::Certificate::from_pem(&ca).unwrap())
        .redirect(reqwest::redirect::Policy::none())
        .resolve("milink.example", SocketAddr::from(([127, 0, 0, 1], server.address.port())))
        .build()
        .unwrap();
    let url = format!("https://milink.example:{}", server.address.port());
    let given = "name=anna&password=correct+horse&to=%2Faudit";
    let signed = client
        .post(format!("{url}/sign-in"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(given);
    let signed = signed.send().await.unwrap();
    assert_eq!((signed.status().as_u16(), signed.headers()[LOCATION].to_str().unwrap()), (303, "/audit"));
    let cookie = signed.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-milink") && cookie.contains("; Secure"), "{cookie}");
    assert!(signed.headers().contains_key("strict-transport-security"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_sees_and_changes_nothing() {
    let server = Running::with(|o, folder| o.password_file = Some(users(folder))).await.unwrap();
    let mut reader = Browser::new(&server);
    let form = reader.post("/sign-in").header("content-type", "application/x-www-form-urlencoded");
    let signed = form.body("name=bert&password=battery+staple").send().await.unwrap();
    assert_eq!(signed.status(), 303);
    reader.keep_cookie(&signed);
    let token = reader.csrf().await;
    let refused =
        reader.post("/api/v1/contexts/prod/look").header("x-csrf-token", &token).send().await.unwrap();
    assert_eq!(refused.status(), 403);
    assert!(refused.text().await.unwrap().contains("operator"));
    assert!(reader.text("/api/v1/audit").await.contains("a reader may not change anything"));
    assert_eq!(reader.post("/sign-out").header("x-csrf-token", &token).send().await.unwrap().status(), 303);
    assert_eq!(reader.get("/c/prod").await.status(), 303, "the session is over");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_reads_metrics_and_nothing_else() {
    let server = Running::start().await;
    let monitor = client();
    let ask = |path: &str, token: &str| {
        monitor.get(server.url(path)).header("authorization", format!("Bearer {token}")).send()
    };
    let token = format!("{CANARY}-metrics");
    assert_eq!(ask("/metrics", &token).await.unwrap().status(), 200);
    assert_eq!(ask("/metrics", "another").await.unwrap().status(), 401);
    assert_eq!(ask("/metrics", "").await.unwrap().status(), 401);
    assert_eq!(ask("/api/v1/contexts", &token).await.unwrap().status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stops_in_order_with_a_stream_open() {
    let server = Running::start().await;
    let browser = Browser::signed_in(&server).await;
    let mut stream = browser.get("/events/prod?topics=tree,seen").await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let first = stream.chunk().await.unwrap().unwrap();
    assert!(first.starts_with(b"event: tree\n"), "{first:?}");
    assert!(server.stop().await, "it does not end");
    while let Ok(Some(_)) = stream.chunk().await {}
}

fn users(folder: &std::path::Path) -> std::path::PathBuf {
    let path = folder.join("users");
    let (anna, bert) = (hash_password("correct horse").unwrap(), hash_password("battery staple").unwrap());
    std::fs::write(&path, format!("anna operator {anna}\nbert reader {bert}\n")).unwrap();
    path
}

fn certificate(folder: &std::path::Path) -> TlsFiles {
    let made = rcgen::generate_simple_self_signed(["milink.example".to_owned()]).unwrap();
    let (certificate, key) = (folder.join("web.pem"), folder.join("web.key"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    TlsFiles { certificate, key }
}
