//! What a check finds.

use std::fmt;

use serde::Serialize;

use crate::action::Action;
use crate::names::Side;

/// What a check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Pass,
    /// It does not apply here.
    Skipped,
    /// A recommendation is not followed; nothing is stopped by that.
    Warning,
    /// It could not be seen. That stops what depends on it, as a failure does.
    Unknown,
    /// A link cannot be made, or not used, like this.
    Failed,
}

impl Status {
    /// Whether what depends on the check may go on.
    pub fn is_passable(self) -> bool {
        match self {
            Status::Pass | Status::Skipped | Status::Warning => true,
            Status::Unknown | Status::Failed => false,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Status::Pass => "pass",
            Status::Skipped => "skipped",
            Status::Warning => "warning",
            Status::Unknown => "unknown",
            Status::Failed => "failed",
        })
    }
}

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Subject {
    /// An instance.
    Instance {
        /// Which.
        side: Side,
    },
    /// A database.
    Database {
        /// Where.
        side: Side,
        /// Which.
        name: String,
    },
    /// Azure's description of the managed instance, and the caller's rights there.
    Azure,
    /// A link.
    Link {
        /// Which.
        name: String,
    },
    /// What lies between the two.
    Network {
        /// From which side.
        from: Side,
    },
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Instance { side } => write!(f, "{side}"),
            Subject::Database { side, name } => write!(f, "{name} on {side}"),
            Subject::Azure => f.write_str("Azure"),
            Subject::Link { name } => write!(f, "link {name}"),
            Subject::Network { from } => write!(f, "network from {from}"),
        }
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The check's stable name, such as `database.full-backup`.
    pub check: &'static str,
    /// What it is about.
    pub subject: Subject,
    /// What it came to.
    pub status: Status,
    /// What was seen, with the number that was judged by.
    pub seen: String,
    /// What is wanted.
    pub wanted: String,
    /// Why it matters: what goes wrong otherwise, with the error's number where it has one.
    pub why: &'static str,
    /// How it is mended.
    pub fix: Option<Fix>,
    /// The document that asks for it.
    pub source: &'static str,
}

/// How something that was found is mended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fix {
    /// In words: what to do, and where.
    pub advice: String,
    /// The statements or calls that do it, in their order. Empty if it is nothing that a statement or call does.
    pub actions: Vec<Action>,
    /// Whether `milink` may do it by itself when asked (`--fix`): it can be taken back, and restarts nothing.
    pub safe: bool,
}
