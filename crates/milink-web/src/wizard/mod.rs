//! The New-link wizard behind its pages: what somebody has typed so far, kept on disk, and what follows from it.
//!
//! ```text
//! form ──► Draft (Typed, as it was typed) ──► spec() ──► LinkSpec, or what is wrong at which field
//!            │
//!            └── Store: wizard/<id>.json beside the journal, written whole and renamed
//! ```
//!
//! - `page`: the pages, in their order;
//! - `draft`: the draft and its form in the file;
//! - `typed`: what is typed on each page, and the spec that it means;
//! - `store`: the files;
//! - `command`: the same as one command line.

mod command;
mod draft;
mod page;
mod store;
#[cfg(test)]
mod tests;
mod typed;

pub(crate) use command::command;
pub(crate) use draft::{Draft, DraftId, Executed};
pub(crate) use page::Page;
pub(crate) use store::{Store, StoreError};
pub(crate) use typed::{Typed, Wrong};
