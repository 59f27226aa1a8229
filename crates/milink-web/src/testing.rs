//! A visitor for tests of this crate's pages: the whole router without sockets, over contexts whose sides nobody configured.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_TYPE, COOKIE, HOST, LOCATION};
use axum::http::{Request, StatusCode};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use milink_ops::sides::Sides;
use tokio::sync::watch;

use crate::app::App;
use crate::connect::{Connect, Connected, ContextInfo, Endpoints};
use crate::options::Options;
use crate::security::Role;

struct Nobody {
    journal: PathBuf,
}

#[async_trait]
impl Connect for Nobody {
    fn contexts(&self) -> Vec<ContextInfo> {
        let info = |name: &str| ContextInfo {
            name: name.to_owned(),
            sql_server: Some("sql.example".to_owned()),
            managed: Some("mi1.example".to_owned()),
            instance: Some("mi1".to_owned()),
        };
        vec![info("prod"), info("broken")]
    }

    async fn connect(&self, context: &str) -> Result<Connected, String> {
        if context == "broken" {
            return Err("the secret cannot be read".to_owned());
        }
        Ok(Connected {
            sides: Sides::default(),
            journal: self.journal.clone(),
            endpoints: Endpoints { sql_server: Some("TCP://sql.example:5022".to_owned()), managed: None },
            warnings: Vec::new(),
        })
    }
}

/// A server without sockets, and somebody who has signed in to it.
pub(crate) struct Visit {
    pub(crate) app: App,
    pub(crate) folder: Arc<tempfile::TempDir>,
    cookie: String,
    csrf: String,
    _stop: watch::Sender<bool>,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) location: String,
    pub(crate) text: String,
}

impl Visit {
    /// A new server with a new folder, as an operator.
    pub(crate) async fn new() -> Visit {
        Visit::at(Arc::new(tempfile::tempdir().unwrap()), Role::Operator).await
    }

    /// A server on a folder that another one may have used.
    pub(crate) async fn at(folder: Arc<tempfile::TempDir>, role: Role) -> Visit {
        let options = Options {
            listen: ([127, 0, 0, 1], 8080).into(),
            tls: None,
            hosts: Vec::new(),
            password_file: None,
            oidc: None,
            audit: folder.path().join("audit.db"),
            every: Duration::from_mins(1),
            metrics_token: None,
            announce: Arc::new(|_| {}),
        };
        let (stop, stopping) = watch::channel(false);
        let contexts: Arc<dyn Connect> = Arc::new(Nobody { journal: folder.path().join("journal.db") });
        let app = App::new(&options, options.listen, &contexts, stopping).unwrap();
        let token = app.security.sessions.begin("anna", role, "test", Instant::now());
        let csrf = app.security.sessions.find(&token, Instant::now()).unwrap().csrf_token();
        let mut snapshots = app.hub.context("prod").unwrap().subscribe();
        while snapshots.borrow_and_update().number == 0 {
            snapshots.changed().await.unwrap();
        }
        Visit { app, folder, cookie: format!("milink-8080={token}"), csrf, _stop: stop }
    }

    async fn ask(&self, request: Request<Body>) -> Answer {
        let response = TowerToHyperService::new(self.app.router()).call(request).await.unwrap();
        let location = response.headers().get(LOCATION).map(|l| l.to_str().unwrap().to_owned());
        let status = response.status();
        let bytes = to_bytes(response.into_body(), 1 << 22).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Answer { status, location: location.unwrap_or_default(), text }
    }

    /// Gets a page.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        let request = Request::get(path)
            .header(HOST, "127.0.0.1:8080")
            .header(COOKIE, &self.cookie)
            .body(Body::empty());
        self.ask(request.unwrap()).await
    }

    /// Gets a page that is there.
    pub(crate) async fn text(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
        answer.text
    }

    /// Sends a form.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut fields = fields.to_vec();
        fields.push(("csrf", &self.csrf));
        let body = serde_urlencoded::to_string(fields).unwrap();
        let request = Request::post(path)
            .header(HOST, "127.0.0.1:8080")
            .header(COOKIE, &self.cookie)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(body));
        self.ask(request.unwrap()).await
    }

    /// Sends a form, and is led on.
    pub(crate) async fn send(&self, path: &str, fields: &[(&str, &str)]) -> String {
        let answer = self.post(path, fields).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}: {}", answer.text);
        answer.location
    }
}
