//! What the documents say, as tables: each row with its source, each question that a check asks as a function over them.
//!
//! - [`version`]: which builds of SQL Server can do what; [`policy`]: which way data can flow;
//! - [`errors`]: what an error number or code means, and what to do about it;
//! - [`limits`]: numbers and rules for names; [`rbac`]: rights in Azure;
//! - [`certificates`]: Azure's roots, and [`roots`]: those certificates themselves;
//! - [`states`]: the words in which states are told;
//! - [`sources`]: the documents, by the short names that rows cite.
//!
//! [`markdown()`] writes them all down as `docs/facts.md`.
//!
//! Nothing here is repeated elsewhere: checks, plans and error messages ask these tables.

pub mod certificates;
pub mod errors;
pub mod limits;
mod markdown;
pub mod policy;
pub mod rbac;
pub mod roots;
pub mod sources;
pub mod states;
pub mod version;

use std::fmt;

use serde::Serialize;

pub use markdown::markdown;

/// What a table answers to a question such as "can this build have a link?".
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// Yes, no, or what no document tells.
    pub answer: Answer,
    /// What would have to be for a yes: shown beside what was seen.
    pub wanted: String,
    /// Why it is so, for who has got a no.
    pub why: &'static str,
    /// The document that says so, and the part of it.
    pub source: &'static str,
}

impl Verdict {
    /// Whether it is a plain yes. What is unknown is none.
    pub fn is_yes(&self) -> bool {
        self.answer == Answer::Yes
    }

    pub(crate) fn new(answer: Answer, wanted: String, why: &'static str, source: &'static str) -> Verdict {
        Verdict { answer, wanted, why, source }
    }
}

/// Yes, no, or not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// It can.
    Yes,
    /// It cannot.
    No,
    /// The documents do not say it for this build, policy or edition; [`Verdict::wanted`] says how to find out.
    Unknown,
}

impl Answer {
    pub(crate) fn from_bool(yes: bool) -> Answer {
        if yes { Answer::Yes } else { Answer::No }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Answer::Yes => "yes",
            Answer::No => "no",
            Answer::Unknown => "unknown",
        })
    }
}
