//! Select Databases: every database of the initial primary, and whether a link can be made of it.

use milink_core::check::{blocks, blocks_creation, fleet};
use milink_core::finding::{Finding, Status, Subject};
use milink_core::observe::{Database, Observation, same_name};

use super::Here;
use crate::pages::database::bytes;

/// A database that could be chosen.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) name: String,
    pub(super) ticked: bool,
    pub(super) state: String,
    pub(super) size: String,
    pub(super) recovery_model: &'static str,
    pub(super) last_full_backup: String,
    /// What stands in the way, each with its reason.
    pub(super) reasons: Vec<String>,
    /// What the plan does about it by itself.
    pub(super) prepared: Vec<String>,
    /// What the button "back up now" sends, if that is what is missing.
    pub(super) mend: Option<String>,
    /// What that button says.
    pub(super) mend_label: &'static str,
}

/// All databases of the initial primary, and those that were chosen and are not seen.
pub(super) fn choices(here: &Here, seen: &Observation) -> Vec<Choice> {
    let typed = &here.draft.typed;
    let side = seen.side(typed.initial_primary).known();
    let databases = side.map(|i| i.databases.as_slice()).unwrap_or_default();
    let mut all: Vec<Choice> = databases.iter().map(|d| choice(here, seen, d)).collect();
    let unseen = typed.databases.iter().filter(|name| !databases.iter().any(|d| same_name(&d.name, name)));
    let gone = |name: &String| Choice {
        name: name.clone(),
        ticked: true,
        state: if side.is_some() { "not there" } else { "not seen" }.to_owned(),
        size: String::new(),
        recovery_model: "",
        last_full_backup: String::new(),
        reasons: Vec::new(),
        prepared: Vec::new(),
        mend: None,
        mend_label: "",
    };
    all.extend(unseen.map(gone));
    all
}

fn choice(here: &Here, seen: &Observation, d: &Database) -> Choice {
    let typed = &here.draft.typed;
    let found = match typed.link_of(&d.name, &here.connected.endpoints) {
        Some(link) => fleet(std::slice::from_ref(&link), seen),
        None => Vec::new(),
    };
    let about =
        |f: &&Finding| matches!(&f.subject, Subject::Database { name, .. } if same_name(name, &d.name));
    let found: Vec<&Finding> = found.iter().filter(about).collect();
    let reason = |f: &&Finding| format!("{}: {} is wanted; {}", f.seen, f.wanted, f.why);
    let missing = |f: &&Finding| f.status == Status::Failed || f.status == Status::Warning;
    let safe = |f: &&Finding| f.fix.as_ref().is_some_and(|fix| fix.safe && !fix.actions.is_empty());
    let mends = found.iter().any(|f| missing(f) && safe(f));
    Choice {
        name: d.name.clone(),
        ticked: typed.databases.iter().any(|name| same_name(name, &d.name)),
        state: d.state.clone(),
        size: bytes(d.size_bytes),
        recovery_model: d.recovery_model.tsql(),
        last_full_backup: d
            .last_full_backup
            .as_ref()
            .map_or_else(|| "none".to_owned(), |b| b.finished.to_string()),
        reasons: found.iter().filter(|f| blocks_creation(f)).map(reason).collect(),
        prepared: found.iter().filter(|f| blocks(f) && !blocks_creation(f)).map(reason).collect(),
        mend: mends.then(|| format!("database {}", d.name)),
        mend_label: if d.last_full_backup.is_none() { "Back up now" } else { "Mend it" },
    }
}
