//! What is around each page of the wizard: the list of pages, and what is wrong on this one.

use super::Here;
use crate::wizard::{Page, Wrong};

/// A page in the list.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) word: &'static str,
    pub(super) title: String,
    pub(super) current: bool,
    /// Whether something is wrong on it.
    pub(super) wrong: bool,
}

/// What is around a page.
#[derive(Debug)]
pub(super) struct Shell {
    pub(super) title: String,
    /// The page's word, for its form.
    pub(super) word: &'static str,
    /// The page's own address.
    pub(super) here: String,
    /// What addresses of this draft begin with, without a slash at the end.
    pub(super) base: String,
    pub(super) items: Vec<Item>,
    pub(super) back: bool,
    /// The page that Next leads to.
    pub(super) next: Option<String>,
    /// What is wrong here, if the page was sent before.
    pub(super) wrong: Vec<Wrong>,
    /// Whether the draft's links were begun: then it is not changed any more.
    pub(super) executed: bool,
}

impl Shell {
    pub(super) fn of(here: &Here, page: Page) -> Shell {
        let primary = here.draft.typed.initial_primary;
        let mut wrong = here.draft.typed.links(&here.connected.endpoints).err().unwrap_or_default();
        wrong.retain(|w| here.draft.visited.contains(&w.page));
        let item = |p: Page| Item {
            word: p.word(),
            title: p.to_string(),
            current: p == page,
            wrong: wrong.iter().any(|w| w.page == p),
        };
        let base = here.href("");
        Shell {
            title: page.to_string(),
            word: page.word(),
            here: here.href(page.word()),
            base: base.trim_end_matches('/').to_owned(),
            items: Page::ALL.into_iter().filter(|p| p.is_for(primary)).map(item).collect(),
            back: page.previous(primary).is_some(),
            next: page.next(primary).map(|p| p.to_string()),
            wrong: wrong.into_iter().filter(|w| w.page == page).collect(),
            executed: here.draft.executed.is_some(),
        }
    }

    /// What is wrong with a field.
    pub(super) fn error(&self, field: &str) -> Option<&str> {
        self.wrong.iter().find(|w| w.field == field).map(|w| w.text.as_str())
    }
}
