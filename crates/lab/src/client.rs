//! Talks to a running lab from another process.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::{ApiError, Named};
use crate::faults::{Change, Fault};
use crate::folder::{Folder, FolderError};
use crate::status::Status;

/// Why a lab did not do what it was asked.
#[derive(Debug)]
pub enum ClientError {
    /// The folder.
    Folder(FolderError),
    /// Nobody runs it.
    NotRunning(std::path::PathBuf),
    /// It does not answer.
    Silent(String),
    /// It says why not.
    Refused {
        /// `NotFound`, `DoesNotApply`, `Failed`.
        code: String,
        /// The sentence.
        message: String,
    },
}

impl std::fmt::Display for ClientError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ClientError::Folder(e) => e.fmt(f),
            ClientError::NotRunning(path) => {
                write!(f, "the lab in {} is not running: start it with `milink lab up`", path.display())
            }
            ClientError::Silent(why) => write!(f, "the lab does not answer: {why}"),
            ClientError::Refused { message, .. } => f.write_str(message),
        }
    }
}

impl std::error::Error for ClientError {}

/// A running lab.
#[derive(Debug)]
pub struct Client {
    agent: ureq::Agent,
    url: String,
    token: String,
}

impl Client {
    /// Finds the lab of a folder.
    ///
    /// # Errors
    /// There is none, it does not run, or it is of a newer version.
    pub fn connect(folder: &Folder) -> Result<Client, ClientError> {
        if folder.settings().map_err(ClientError::Folder)?.is_none() {
            return Err(ClientError::Folder(FolderError::NoLab(folder.path().to_owned())));
        }
        let not_running = || ClientError::NotRunning(folder.path().to_owned());
        if !folder.is_running() {
            return Err(not_running());
        }
        let control = folder.announced().map_err(ClientError::Folder)?.ok_or_else(not_running)?;
        let secrets = folder.secrets().map_err(ClientError::Folder)?;
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(Duration::from_mins(10)))
            .timeout_connect(Some(Duration::from_secs(5)))
            .build();
        Ok(Client {
            agent: config.into(),
            url: format!("http://127.0.0.1:{}/api", control.port),
            token: secrets.token,
        })
    }

    fn silent(e: &ureq::Error) -> ClientError {
        ClientError::Silent(e.to_string())
    }

    fn read<T: DeserializeOwned>(
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<T, ClientError> {
        let mut answer = answer.map_err(|e| Client::silent(&e))?;
        let good = answer.status().is_success();
        let text = answer.body_mut().read_to_string().map_err(|e| Client::silent(&e))?;
        let strange =
            |e: serde_json::Error| ClientError::Silent(format!("its answer is not understood: {e}"));
        if good {
            return serde_json::from_str(&text).map_err(strange);
        }
        let ApiError { code, message } = serde_json::from_str(&text).map_err(strange)?;
        Err(ClientError::Refused { code, message })
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let request = self.agent.get(format!("{}/{path}", self.url));
        Client::read(request.header("Authorization", format!("Bearer {}", self.token)).call())
    }

    fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        let body = serde_json::to_vec(body).map_err(|e| ClientError::Silent(e.to_string()))?;
        let request = self.agent.post(format!("{}/{path}", self.url));
        let request = request.header("Content-Type", "application/json");
        Client::read(request.header("Authorization", format!("Bearer {}", self.token)).send(body))
    }

    /// How it is.
    pub fn status(&self) -> Result<Status, ClientError> {
        self.get("status")
    }

    /// Breaks or mends something; what is broken then.
    pub fn fault(&self, change: &Change) -> Result<Vec<Fault>, ClientError> {
        self.post("faults", change)
    }

    /// Makes it as it was at first.
    pub fn reset(&self) -> Result<Status, ClientError> {
        self.post("reset", &())
    }

    /// Copies all that it holds.
    pub fn snapshot(&self, name: &str) -> Result<Status, ClientError> {
        self.post("snapshot", &Named { name: name.to_owned() })
    }

    /// Makes it as it was when the copy was made.
    pub fn restore(&self, name: &str) -> Result<Status, ClientError> {
        self.post("restore", &Named { name: name.to_owned() })
    }

    /// Stops it; it has begun to when this returns.
    pub fn down(&self) -> Result<(), ClientError> {
        self.post("down", &())
    }
}
