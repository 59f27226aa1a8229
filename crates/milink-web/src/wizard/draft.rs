//! A draft: a link, or several, that somebody is about to make.

use std::fmt;
use std::str::FromStr;

use milink_core::moment::Moment;
use serde::{Deserialize, Serialize};

use super::{Page, Typed};

/// The version of the file. A reader refuses a higher one.
pub(super) const VERSION: u32 = 1;

/// A draft's name: part of addresses, and of a file's name. Nothing but 16 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct DraftId(String);

/// A text that names no draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoDraft;

impl fmt::Display for NoDraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a draft's name is 16 hexadecimal digits")
    }
}

impl DraftId {
    /// A new one that nobody guesses.
    ///
    /// # Errors
    /// The system has no randomness.
    pub(crate) fn new() -> Result<DraftId, getrandom::Error> {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes)?;
        Ok(DraftId(bytes.iter().map(|b| format!("{b:02x}")).collect()))
    }

    /// Its digits.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DraftId {
    type Err = NoDraft;

    fn from_str(text: &str) -> Result<DraftId, NoDraft> {
        let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() == 16 && text.bytes().all(digit) { Ok(DraftId(text.to_owned())) } else { Err(NoDraft) }
    }
}

impl TryFrom<String> for DraftId {
    type Error = NoDraft;

    fn try_from(text: String) -> Result<DraftId, NoDraft> {
        text.parse()
    }
}

/// What somebody has typed so far. There is no secret in it: those stay in the context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Draft {
    /// The version of this form.
    pub(crate) version: u32,
    /// Its name.
    pub(crate) id: DraftId,
    /// The context that it is of.
    pub(crate) context: String,
    /// Who began it.
    pub(crate) user: String,
    /// When.
    pub(crate) begun: Moment,
    /// What was typed.
    pub(crate) typed: Typed,
    /// Pages that were sent at least once: only there something can be wrong already.
    pub(crate) visited: Vec<Page>,
    /// What was begun with it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) executed: Option<Executed>,
}

/// What was begun with a draft.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Executed {
    /// When it was begun first. Runs of its links since then are meant.
    pub(crate) at: Moment,
    /// The links.
    pub(crate) links: Vec<String>,
}

impl Draft {
    /// One in which nothing is typed.
    pub(crate) fn new(id: DraftId, context: &str, user: &str, begun: Moment) -> Draft {
        Draft {
            version: VERSION,
            id,
            context: context.to_owned(),
            user: user.to_owned(),
            begun,
            typed: Typed::default(),
            visited: Vec::new(),
            executed: None,
        }
    }

    /// Notes that a page was sent.
    pub(crate) fn visit(&mut self, page: Page) {
        if !self.visited.contains(&page) {
            self.visited.push(page);
        }
    }
}
