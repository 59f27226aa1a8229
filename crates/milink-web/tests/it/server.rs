//! A server for one test.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use milink_ops::sides::Sides;
use milink_web::{Announcement, Connect, Connected, ContextInfo, Endpoints, Options, ServeError, Server};
use tokio::sync::oneshot;

/// Nobody may ever read this: it is in every place where a secret of a connection could be.
pub(crate) const CANARY: &str = "canary-7f3a";

struct Contexts {
    journal: std::path::PathBuf,
}

#[async_trait]
impl Connect for Contexts {
    fn contexts(&self) -> Vec<ContextInfo> {
        let info = |name: &str| ContextInfo {
            name: name.to_owned(),
            sql_server: Some("sql.example,1433".to_owned()),
            managed: None,
            instance: None,
        };
        vec![info("prod"), info("broken")]
    }

    async fn connect(&self, context: &str) -> Result<Connected, String> {
        if context == "broken" {
            return Err("the secret cannot be read: the variable is not set".to_owned());
        }
        Ok(Connected {
            sides: Sides::default(),
            journal: self.journal.clone(),
            endpoints: Endpoints { sql_server: Some("TCP://sql.example:5022".to_owned()), managed: None },
            warnings: Vec::new(),
        })
    }
}

/// A server that runs, until it is dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) folder: tempfile::TempDir,
    announced: Arc<Mutex<Vec<Announcement>>>,
    stop: Option<oneshot::Sender<()>>,
    ended: Option<tokio::task::JoinHandle<()>>,
}

/// Options for a free port of loopback.
pub(crate) fn options(folder: &Path) -> (Options, Arc<Mutex<Vec<Announcement>>>) {
    let announced: Arc<Mutex<Vec<Announcement>>> = Arc::default();
    let keep = Arc::clone(&announced);
    let options = Options {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        tls: None,
        hosts: Vec::new(),
        password_file: None,
        oidc: None,
        metrics_token: Some(format!("{CANARY}-metrics").into()),
        audit: folder.join("audit.db"),
        every: Duration::from_millis(50),
        announce: Arc::new(move |news| keep.lock().unwrap().push(news.clone())),
    };
    (options, announced)
}

pub(crate) fn contexts(folder: &Path) -> Arc<dyn Connect> {
    Arc::new(Contexts { journal: folder.join("journal.db") })
}

impl Running {
    /// Starts one.
    pub(crate) async fn start() -> Running {
        Running::with(|_, _| {}).await.unwrap()
    }

    /// Starts one with other options.
    pub(crate) async fn with(change: impl FnOnce(&mut Options, &Path)) -> Result<Running, ServeError> {
        let folder = tempfile::tempdir().unwrap();
        let (mut options, announced) = options(folder.path());
        change(&mut options, folder.path());
        let server = Server::bind(&options, &contexts(folder.path())).await?;
        let address = server.address();
        let (stop, stopped) = oneshot::channel::<()>();
        let ended = tokio::spawn(server.run(async move { drop(stopped.await) }));
        Ok(Running { address, folder, announced, stop: Some(stop), ended: Some(ended) })
    }

    /// An address of it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The newest one-time address.
    pub(crate) fn one_time(&self) -> String {
        let announced = self.announced.lock().unwrap();
        let newest = announced.iter().rev().find_map(|a| match a {
            Announcement::SignIn { url } => Some(url.clone()),
            Announcement::Listening { .. } => None,
        });
        newest.expect("no one-time address was announced")
    }

    /// Stops it in order, and says whether it ended by itself in time.
    pub(crate) async fn stop(mut self) -> bool {
        drop(self.stop.take());
        let ended = self.ended.take().unwrap();
        tokio::time::timeout(Duration::from_secs(4), ended).await.is_ok_and(|e| e.is_ok())
    }
}
