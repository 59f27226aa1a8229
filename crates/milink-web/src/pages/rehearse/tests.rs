//! The page as a browser sees it, over a place that only remembers what it was asked.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use milink_core::drill::{Counted, SideCount};
use milink_core::moment::Moment;
use milink_ops::sides::{Sides, now};
use tokio::sync::watch;
use tower::ServiceExt as _;

use super::*;
use crate::connect::{Connect, Connected, ContextInfo, Endpoints};
use crate::options::Options;
use crate::rehearsal::Rehearsal;
use crate::security::Role;

struct Pretended {
    asked: Mutex<Vec<String>>,
    drill: Mutex<Option<Drill>>,
}

#[async_trait]
impl Rehearsal for Pretended {
    fn faults(&self) -> Vec<Fault> {
        let fault = |name: &str, title: &str| Fault {
            name: name.to_owned(),
            title: title.to_owned(),
            about: "\"><script>alert(1)</script>".to_owned(),
            group: "Wire".to_owned(),
        };
        vec![fault("cut", "Cut the wire"), fault("odd", "<b>Odd</b>")]
    }

    async fn in_force(&self) -> Result<Vec<String>, String> {
        Ok(vec!["cut both".to_owned()])
    }

    async fn apply(&self, fault: &str) -> Result<(), String> {
        self.asked.lock().unwrap().push(fault.to_owned());
        if fault == "odd" { Err("it does not apply".to_owned()) } else { Ok(()) }
    }

    async fn clear(&self) -> Result<(), String> {
        Ok(())
    }

    async fn start(&self, workload: Workload) -> Result<(), String> {
        self.asked.lock().unwrap().push(format!("{workload:?}"));
        Ok(())
    }

    async fn stop(&self) -> Result<(), String> {
        Err("nobody writes".to_owned())
    }

    fn drill(&self) -> Option<Drill> {
        self.drill.lock().unwrap().clone()
    }
}

/// The context `lab` has a place to rehearse in, and `prod` has none.
struct Contexts {
    journal: std::path::PathBuf,
    place: Arc<Pretended>,
}

#[async_trait]
impl Connect for Contexts {
    fn contexts(&self) -> Vec<ContextInfo> {
        let info = |name: &str| ContextInfo {
            name: name.to_owned(),
            sql_server: None,
            managed: None,
            instance: None,
        };
        vec![info("lab"), info("prod")]
    }

    fn rehearsal(&self, context: &str) -> Option<Arc<dyn Rehearsal>> {
        (context == "lab").then(|| Arc::clone(&self.place) as Arc<dyn Rehearsal>)
    }

    async fn connect(&self, _: &str) -> Result<Connected, String> {
        Ok(Connected {
            sides: Sides::default(),
            journal: self.journal.clone(),
            endpoints: Endpoints::default(),
            warnings: Vec::new(),
        })
    }
}

struct Served {
    app: App,
    place: Arc<Pretended>,
    _stop: watch::Sender<bool>,
    _folder: tempfile::TempDir,
}

fn served() -> Served {
    let folder = tempfile::tempdir().unwrap();
    let place = Arc::new(Pretended { asked: Mutex::default(), drill: Mutex::default() });
    let contexts = Contexts { journal: folder.path().join("journal.db"), place: Arc::clone(&place) };
    let contexts: Arc<dyn Connect> = Arc::new(contexts);
    let options = Options {
        listen: "127.0.0.1:8930".parse().unwrap(),
        tls: None,
        hosts: Vec::new(),
        password_file: None,
        oidc: None,
        metrics_token: None,
        audit: folder.path().join("audit.db"),
        every: Duration::from_millis(200),
        announce: Arc::new(|_| {}),
    };
    let (stop, stopping) = watch::channel(false);
    let app = App::new(&options, options.listen, &contexts, stopping).unwrap();
    Served { app, place, _stop: stop, _folder: folder }
}

impl Served {
    /// Asks as somebody; a form carries the session's token.
    async fn ask(&self, role: Role, path: &str, form: Option<&str>) -> (StatusCode, String, String) {
        let token = self.app.security.sessions.begin("anna", role, "test", Instant::now());
        let session = self.app.security.sessions.find(&token, Instant::now()).unwrap();
        let request = Request::builder()
            .uri(path)
            .header(header::HOST, "127.0.0.1:8930")
            .header(header::COOKIE, crate::security::sign_in::test_cookie(&self.app, &token));
        let request = match form {
            None => request.body(Body::empty()),
            Some(form) => request
                .method("POST")
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(Body::from(format!("{form}&csrf={}", session.csrf_token()))),
        };
        let answer = self.app.router().oneshot(request.unwrap()).await.unwrap();
        let status = answer.status();
        let to = answer.headers().get(header::LOCATION).map(|l| l.to_str().unwrap().to_owned());
        let body = to_bytes(answer.into_body(), 1 << 22).await.unwrap();
        (status, to.unwrap_or_default(), String::from_utf8(body.to_vec()).unwrap())
    }

    fn asked(&self) -> Vec<String> {
        self.place.asked.lock().unwrap().clone()
    }

    /// Waits until the context has its connections.
    async fn ready(&self) {
        while self.app.hub.context("lab").unwrap().connected().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn drill(lost: u64) -> Drill {
    let began = Moment::from_unix_ms(now().unix_ms() - 60_000);
    let counted = Ok(Counted { primary: true, lost, ..Counted::default() });
    Drill {
        state: DrillState::Ended,
        began,
        ended: Some(began.plus_ms(120_000)),
        ledger: Ledger {
            acknowledged: 500,
            longest_pause_ms: 1_500,
            found: vec![SideCount { side: "managed".to_owned(), counted }],
            ..Ledger::default()
        },
    }
}

#[tokio::test]
async fn faults_are_buttons_where_there_is_a_place_and_nowhere_else() {
    let served = served();
    let (status, _, page) = served.ask(Role::Operator, "/c/lab/rehearse", None).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    assert!(page.contains("Cut the wire") && page.contains("cut both"), "{page}");
    assert!(!page.contains("<script>alert") && !page.contains("<b>Odd"), "{page}");
    let (status, to, _) = served.ask(Role::Operator, "/c/lab/rehearse/fault", Some("fault=cut")).await;
    assert_eq!((status, to.as_str()), (StatusCode::SEE_OTHER, "/c/lab/rehearse"));
    let (status, _, page) = served.ask(Role::Operator, "/c/lab/rehearse/fault", Some("fault=odd")).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(page.contains("it does not apply"));
    let (status, ..) = served.ask(Role::Operator, "/c/lab/rehearse/fault", Some("fault=none")).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(served.asked(), ["cut", "odd"]);
    for path in ["/c/prod/rehearse", "/c/prod/rehearse/report", "/c/prod/rehearse/report.xml"] {
        assert_eq!(served.ask(Role::Operator, path, None).await.0, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_reader_sees_and_changes_nothing() {
    let served = served();
    let (status, _, page) = served.ask(Role::Reader, "/c/lab/rehearse", None).await;
    assert_eq!(status, StatusCode::OK);
    assert!(!page.contains("name=\"fault\""), "{page}");
    let forms = [
        ("/c/lab/rehearse/fault", "fault=cut"),
        ("/c/lab/rehearse/clear", ""),
        ("/c/lab/rehearse/start", "rate=1&connections=1"),
        ("/c/lab/rehearse/stop", ""),
        ("/c/lab/links/orders/failover/begin", "kind=forced&to=managed&confirm=orders"),
        ("/c/lab/links/orders/failover/receipt", "run=1"),
        ("/c/lab/links/orders/repair", "winner=managed&confirm=orders"),
        ("/c/lab/links/orders/drop", "force=on&confirm=orders"),
    ];
    for (path, form) in forms {
        assert_eq!(served.ask(Role::Reader, path, Some(form)).await.0, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(served.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn a_workload_is_bounded() {
    let served = served();
    let start = "/c/lab/rehearse/start";
    for form in ["rate=0&connections=4", "rate=x&connections=4", "rate=100&connections=201"] {
        let (status, _, page) = served.ask(Role::Operator, start, Some(form)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{form}");
        assert!(page.contains("a whole number from 1"), "{page}");
    }
    let (status, ..) = served.ask(Role::Operator, start, Some("rate=50&connections=2")).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert_eq!(served.asked(), ["Workload { rate: 50, connections: 2 }"]);
    let (status, _, page) = served.ask(Role::Operator, "/c/lab/rehearse/stop", Some("")).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(page.contains("nobody writes"));
}

#[tokio::test]
async fn a_drill_is_graded_as_a_page_and_as_junit_and_fails_when_commits_are_lost() {
    let served = served();
    served.ready().await;
    let (html, xml) = ("/c/lab/rehearse/report", "/c/lab/rehearse/report.xml");
    assert_eq!(served.ask(Role::Reader, html, None).await.0, StatusCode::NOT_FOUND);
    *served.place.drill.lock().unwrap() = Some(drill(0));
    served.ask(Role::Operator, "/c/lab/rehearse/fault", Some("fault=cut")).await;
    let (status, _, page) = served.ask(Role::Reader, html, None).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    assert!(page.contains(">PASSED<") && page.contains("Cut the wire"), "{page}");
    let (_, _, page) = served.ask(Role::Reader, &format!("{html}?rto_ms=1499"), None).await;
    assert!(page.contains(">NOT PASSED<"), "{page}");
    let (status, ..) = served.ask(Role::Reader, &format!("{html}?rto_ms=soon"), None).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    *served.place.drill.lock().unwrap() = Some(drill(3));
    let (status, _, text) = served.ask(Role::Reader, xml, None).await;
    assert_eq!(status, StatusCode::OK);
    assert!(text.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites "), "{text}");
    assert!(text.contains("failures=\"1\"") && text.contains("3 commits"), "{text}");
    *served.place.drill.lock().unwrap() = Some(Drill { state: DrillState::Writing, ..drill(0) });
    assert_eq!(served.ask(Role::Reader, xml, None).await.0, StatusCode::CONFLICT);
}
