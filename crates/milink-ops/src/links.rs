//! A link as its journal knows it, and the run of it that can be taken back: what every surface asks before it plans.

use std::fmt;

use milink_core::observe::Observation;
use milink_core::plan::{PlanError, adopt, as_seen};
use milink_core::spec::Link;

use crate::journal::{Journal, JournalError, RunRecord};

/// Why nobody knows a link well enough to plan for it.
#[derive(Debug)]
pub enum NoLink {
    /// The journal cannot be read.
    Journal(JournalError),
    /// No journal has it, and it cannot be told from what is seen.
    Plan(PlanError),
}

impl fmt::Display for NoLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoLink::Journal(e) => e.fmt(f),
            NoLink::Plan(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for NoLink {}

/// A link that can be planned for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The link.
    pub link: Link,
    /// What of it is otherwise now than the journal has it, in words.
    pub changed: Option<String>,
}

/// The link as it is: as the journal knows it, with the names that both sides and Azure show now; or all as they show it.
///
/// # Errors
/// It cannot be told.
pub fn link_of(journal: &Journal, name: &str, seen: &Observation) -> Result<Known, NoLink> {
    let runs = journal.runs(Some(name)).map_err(NoLink::Journal)?;
    match runs.into_iter().next() {
        Some(run) => {
            let (link, changed) = as_seen(&run.plan.link, seen);
            Ok(Known { link, changed })
        }
        None => adopt(name, seen).map(|link| Known { link, changed: None }).map_err(NoLink::Plan),
    }
}

/// The run of a link that is taken back when nobody says which: the one that is open, else the newest.
///
/// # Errors
/// The journal cannot be read.
pub fn run_to_undo(journal: &Journal, link: &str) -> Result<Option<RunRecord>, JournalError> {
    if let Some((run, _)) = journal.open_run(link)? {
        return Ok(Some(run));
    }
    Ok(journal.runs(Some(link))?.into_iter().next())
}

#[cfg(test)]
mod tests {
    use milink_core::moment::Moment;
    use milink_core::observe::Seen;
    use milink_core::plan::{Plan, Verb};
    use milink_core::spec::LinkSpec;

    use super::*;

    #[test]
    fn a_link_is_the_journals_before_it_is_what_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        let mut journal = Journal::open(&path).unwrap();
        let at = Moment::from_unix_ms(1);
        let silent = || Seen::Unknown { at, why: "no answer".to_owned() };
        let seen = Observation {
            at,
            sql_server: silent(),
            managed: silent(),
            azure: Seen::Unknown { at, why: "no answer".to_owned() },
            probes: Vec::new(),
        };
        assert!(matches!(link_of(&journal, "sales", &seen), Err(NoLink::Plan(_))));
        assert!(run_to_undo(&journal, "sales").unwrap().is_none());
        let link = LinkSpec::new("sales", &["Sales"]).links().unwrap().remove(0);
        let plan = Plan { verb: Verb::Create, link: link.clone(), steps: Vec::new(), notes: Vec::new() };
        let run = journal.begin(&plan, at).unwrap();
        assert_eq!(link_of(&journal, "SALES", &seen).unwrap(), Known { link, changed: None });
        assert!(journal.open_run("sales").unwrap().is_some());
        assert_eq!(run_to_undo(&journal, "sales").unwrap().unwrap().id, run);
    }
}
