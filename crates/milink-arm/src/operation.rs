//! What was accepted, and how it is followed: long-running operations.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::RequestIds;

/// Where an operation is followed. A journal keeps it, so that another process can go on: it serialises with its addresses,
/// which are signed; it prints without the signature.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationRef {
    /// `Azure-AsyncOperation`, as it came.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) status_url: Option<String>,
    /// `Location`, as it came.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) location_url: Option<String>,
    /// The names of the request that began it.
    #[serde(default)]
    pub ids: RequestIds,
    /// Before the request that began it there was one whose answer was lost, and which may have been carried out. Then this
    /// operation may fail because its work is done already: a failure proves nothing, and the resource must be looked at.
    #[serde(default)]
    pub after_lost_try: bool,
}

impl OperationRef {
    /// The addresses without what follows the `?`.
    pub fn shown(&self) -> String {
        self.status_url.as_deref().or(self.location_url.as_deref()).map_or_else(String::new, redacted)
    }
}

impl fmt::Debug for OperationRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperationRef")
            .field("status_url", &self.status_url.as_deref().map(redacted))
            .field("location_url", &self.location_url.as_deref().map(redacted))
            .field("ids", &self.ids)
            .field("after_lost_try", &self.after_lost_try)
            .finish()
    }
}

impl fmt::Display for OperationRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

/// An address without its query, which in operation addresses is a signature.
pub(crate) fn redacted(url: &str) -> String {
    match url.split_once('?') {
        Some((path, _)) => format!("{path}?***"),
        None => url.to_owned(),
    }
}

/// A write that Azure took. `Succeeded` of its operation is not yet the wanted state of the world: observe that.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted {
    /// The HTTP status.
    pub status: u16,
    /// The operation to follow; `None` when it is done already (200, 201, 204), or when Azure gave no usable address: see
    /// `note`.
    pub operation: Option<OperationRef>,
    /// What the answer holds: the resource, or the operation's name and start.
    pub body: Option<Value>,
    /// When to ask first.
    pub retry_after: Option<Duration>,
    /// The names of the request.
    pub ids: RequestIds,
    /// How many requests it took.
    pub attempts: u32,
    /// Why there is no operation to follow although it was only accepted. Then observe the resource instead.
    pub note: Option<String>,
}

impl Accepted {
    /// Whether the call was done at once, so that there is nothing to follow.
    pub fn is_done(&self) -> bool {
        self.operation.is_none() && self.status != 202
    }
}

/// How far an operation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Not finished.
    Running {
        /// When to ask again.
        retry_after: Duration,
    },
    /// Finished well.
    Succeeded,
    /// Finished badly.
    Failed {
        /// Azure's code for it.
        code: String,
        /// Azure's words for it.
        message: String,
    },
    /// Somebody stopped it.
    Canceled,
    /// Azure does not know it, or not any more; a delete of what is not there ends so too. Observe the resource instead.
    Gone,
}
