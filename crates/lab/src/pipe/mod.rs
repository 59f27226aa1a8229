//! Questions to an instance and its answers, over the standard input and output of its process.
//!
//! ```text
//! line      = question | answer            one JSON object, of LINE_MAX bytes at most
//! question  = {"id": n, "ask": ...}        supervisor to instance
//! answer    = {"id": n, "ok": ...}         instance to supervisor, in any order
//!           | {"id": n, "error": "..."}
//! ```
//!
//! [`line`](mod@line) reads and writes lines, [`asking`] is the supervisor's end, [`answering`] the instance's.

mod answering;
mod asking;
mod line;

pub use answering::{Controlled, serve_control};
pub(crate) use asking::{Pipe, PipeError};

use serde::{Deserialize, Serialize};

use crate::settings::Sample;

/// What an instance is asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// What the service that owns a managed instance asks: a [`lab_azure::Answer`] or its error.
    Managed(lab_azure::Call),
    /// How it is: [`Facts`].
    Facts,
    /// Load a sample database, anew if it is there.
    Load(Sample),
    /// Have no room on the disk, or some again.
    DiskFull(bool),
    /// Take a log backup of each database whose seeding is seen, while this is on.
    BackUpLogDuringSeeding(bool),
    /// Give the endpoint's certificate a new key and other dates: [`Reissued`], or nothing if it is not `only_if`.
    Reissue {
        /// What the endpoint must show now: it may have got another certificate meanwhile.
        only_if: Option<Vec<u8>>,
        /// Valid from, in seconds since 1970.
        not_before: i64,
        /// Valid until.
        not_after: i64,
    },
    /// Put a partner's new certificate in the place of its old one: whether that was there.
    Exchange(Reissued),
}

/// What an instance says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct Facts {
    /// The host name of its endpoint.
    pub host_name: String,
    /// The port that its endpoint is said to have, if there is one.
    pub endpoint_port: Option<u16>,
    /// Whether its disk is full by a fault.
    pub disk_full: bool,
    /// How many log backups were taken during seedings.
    pub log_backups: u64,
}

/// A certificate before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reissued {
    /// What the endpoint showed.
    pub old: Vec<u8>,
    /// What it shows now.
    pub new: Vec<u8>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Question {
    id: u64,
    ask: Ask,
}

#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    id: u64,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Ok(serde_json::Value),
    Error(String),
}
