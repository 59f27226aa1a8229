//! The wizard's pages, by SSMS's names.

use std::fmt;

use milink_core::names::Side;
use serde::{Deserialize, Serialize};

/// A page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Page {
    /// What the wizard does.
    Introduction,
    /// Name, direction, modes.
    Options,
    /// What both instances must have.
    Requirements,
    /// Which databases.
    Databases,
    /// The other side, its endpoint and its group.
    Secondary,
    /// How Azure is signed in to.
    Login,
    /// Everything, with the databases that were chosen.
    Validation,
    /// The whole plan.
    Summary,
    /// The plan while it is carried out.
    Executing,
    /// What became of it.
    Results,
}

impl Page {
    /// All, in their order.
    pub(crate) const ALL: [Page; 10] = [
        Page::Introduction,
        Page::Options,
        Page::Requirements,
        Page::Databases,
        Page::Secondary,
        Page::Login,
        Page::Validation,
        Page::Summary,
        Page::Executing,
        Page::Results,
    ];

    /// Its word in addresses.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Page::Introduction => "introduction",
            Page::Options => "options",
            Page::Requirements => "requirements",
            Page::Databases => "databases",
            Page::Secondary => "secondary",
            Page::Login => "login",
            Page::Validation => "validation",
            Page::Summary => "summary",
            Page::Executing => "executing",
            Page::Results => "results",
        }
    }

    /// The page of a word.
    pub(crate) fn of(word: &str) -> Option<Page> {
        Page::ALL.into_iter().find(|p| p.word() == word)
    }

    /// Whether a link from that side goes through it: SSMS asks for Azure on a page of its own only if the data begins there.
    pub(crate) fn is_for(self, initial_primary: Side) -> bool {
        self != Page::Login || initial_primary == Side::Managed
    }

    /// The page after it.
    pub(crate) fn next(self, initial_primary: Side) -> Option<Page> {
        Page::ALL.into_iter().find(|p| *p > self && p.is_for(initial_primary))
    }

    /// The page before it.
    pub(crate) fn previous(self, initial_primary: Side) -> Option<Page> {
        Page::ALL.into_iter().rev().find(|p| *p < self && p.is_for(initial_primary))
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Page::Introduction => "Introduction",
            Page::Options => "Specify Link Options",
            Page::Requirements => "Requirements",
            Page::Databases => "Select Databases",
            Page::Secondary => "Specify Secondary Replica",
            Page::Login => "Login to Azure",
            Page::Validation => "Validation",
            Page::Summary => "Summary",
            Page::Executing => "Executing actions",
            Page::Results => "Results",
        })
    }
}
