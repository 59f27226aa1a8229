//! Who did what: one entry when something is asked for and one when it has been answered, each chained to the one before by its hash.
//!
//! The file and the chain are `milink_ops::audit`'s, whose chain is the journal's. What was sent with a request is in no entry, since it may
//! be secret; a handler adds what may be said by putting a [`Detail`] into its answer's extensions.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::Method;
use milink_ops::audit::{AuditError, AuditLog, Audited};
use milink_ops::sides::now;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::security::{Role, Session};

/// What a handler adds to the entry of its answer: `link orders: planned failover, run 12`.
#[derive(Debug, Clone)]
pub(crate) struct Detail(pub(crate) String);

/// What is written down of one request.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    /// Who.
    pub(crate) user: String,
    /// Reader or operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<String>,
    /// How they signed in.
    pub(crate) by: String,
    /// From where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<String>,
    /// Method and path, or `sign in`.
    pub(crate) what: String,
    /// `asked`, `answered`, `refused` or `signed in`.
    pub(crate) outcome: String,
    /// The status that was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    /// More about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<String>,
}

impl Entry {
    /// Of a request that changes something.
    pub(crate) fn of(session: &Session, from: Option<SocketAddr>, method: &Method, path: &str) -> Entry {
        Entry {
            user: session.user.clone(),
            role: Some(session.role.to_string()),
            by: session.by.to_owned(),
            from: from.map(|a| a.ip().to_string()),
            what: format!("{method} {path}"),
            outcome: String::new(),
            status: None,
            detail: None,
        }
    }

    /// Of somebody who signs in.
    pub(crate) fn sign_in(user: &str, by: &str, from: Option<IpAddr>) -> Entry {
        Entry {
            user: user.to_owned(),
            role: None,
            by: by.to_owned(),
            from: from.map(|a| a.to_string()),
            what: "sign in".to_owned(),
            outcome: String::new(),
            status: None,
            detail: None,
        }
    }

    /// Before it is done.
    pub(crate) fn asked(self) -> Entry {
        Entry { outcome: "asked".to_owned(), ..self }
    }

    /// After it was done.
    pub(crate) fn answered(self, status: u16, detail: Option<Detail>) -> Entry {
        Entry { outcome: "answered".to_owned(), status: Some(status), detail: detail.map(|d| d.0), ..self }
    }

    /// It is not done.
    pub(crate) fn refused(self, why: &str) -> Entry {
        Entry { outcome: "refused".to_owned(), detail: Some(why.to_owned()), ..self }
    }

    /// Somebody is in.
    pub(crate) fn signed_in(self, role: Role) -> Entry {
        Entry { outcome: "signed in".to_owned(), role: Some(role.to_string()), ..self }
    }
}

/// The audit log.
#[derive(Clone)]
pub(crate) struct Audit(Arc<Mutex<AuditLog>>);

impl Audit {
    /// Opens it.
    ///
    /// # Errors
    /// The file cannot be used, or something in it was changed.
    pub(crate) fn open(path: &Path) -> Result<Audit, AuditError> {
        let log = AuditLog::open(path)?;
        log.verify()?;
        Ok(Audit(Arc::new(Mutex::new(log))))
    }

    /// Writes an entry. It is on disk when this returns.
    ///
    /// # Errors
    /// It is not.
    pub(crate) async fn write(&self, entry: Entry) -> Result<(), AuditError> {
        let body = serde_json::to_string(&entry).expect("an entry has only names for keys");
        self.with(move |log| log.append(now(), &body)).await
    }

    /// The newest entries, the newest first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) async fn newest(&self, count: usize) -> Result<Vec<Audited>, AuditError> {
        self.with(move |log| log.newest(count)).await
    }

    /// How many entries there are, if all follow from each other.
    ///
    /// # Errors
    /// They do not, or the file cannot be read.
    pub(crate) async fn verify(&self) -> Result<usize, AuditError> {
        self.with(|log| log.verify()).await
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut AuditLog) -> Result<T, AuditError> + Send + 'static,
    ) -> Result<T, AuditError> {
        let log = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || {
            work(&mut log.lock().unwrap_or_else(PoisonError::into_inner))
        });
        done.await.unwrap_or_else(|e| Err(AuditError::Io { why: e.to_string() }))
    }
}
