//! What the world knows, and no instance does: every commit with its outcome, every fork, who had what durably.

use std::collections::{BTreeMap, BTreeSet};

use lab_hadr::DbName;
use lab_store::{ForkId, Lsn, PageMap};

use crate::copy::{Entry, Snapshot};

/// What a client knows of its commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Waiting,
    Acknowledged,
    /// The connection was cut before there was an answer.
    Unknown,
}

/// A commit.
#[derive(Debug, Clone)]
pub(crate) struct Commit {
    pub(crate) db: DbName,
    pub(crate) instance: usize,
    pub(crate) fork: ForkId,
    pub(crate) entry: Entry,
    pub(crate) writes: Vec<(u32, Vec<u8>)>,
    /// Pages in the database afterwards.
    pub(crate) pages: u32,
    pub(crate) outcome: Outcome,
    pub(crate) acknowledged_at: u64,
    /// The replicas that said SYNCHRONIZED, or were required, when it was acknowledged.
    pub(crate) protected_by: Vec<usize>,
}

/// A recovery fork.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fork {
    /// The fork before it, and where it began.
    pub(crate) parent: Option<(ForkId, Lsn)>,
    /// A human forced it.
    pub(crate) forced: bool,
    pub(crate) instance: usize,
    pub(crate) at: u64,
}

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    pub(crate) commits: BTreeMap<i64, Commit>,
    pub(crate) forks: BTreeMap<ForkId, Fork>,
    /// What each instance has ever had durably.
    pub(crate) durable: BTreeMap<usize, BTreeSet<i64>>,
    pub(crate) snapshots: BTreeMap<u64, Snapshot>,
    /// When a copy was last replaced by another one.
    pub(crate) replaced: BTreeMap<(usize, DbName), u64>,
    /// Transactions that an instance has noted as its own alone.
    pub(crate) reports: BTreeMap<(usize, DbName), BTreeSet<i64>>,
    last_id: i64,
}

impl Truth {
    pub(crate) fn new_id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    /// What the pages of a copy with this log must be at a position: the last write of each page counts.
    pub(crate) fn pages(&self, content: &[Entry], at: Lsn) -> PageMap {
        let mut pages = PageMap::new();
        let mut last = None;
        for entry in content.iter().rev().skip_while(|e| e.end > at) {
            let Some(commit) = self.commits.get(&entry.id) else { continue };
            let count = *last.get_or_insert(commit.pages);
            for (number, page) in commit.writes.iter().filter(|(n, _)| *n <= count) {
                pages.entry(*number).or_insert_with(|| page.clone());
            }
            if pages.len() == count as usize {
                break;
            }
        }
        pages
    }

    /// The forks from the first one to this one.
    fn path(&self, to: ForkId) -> Vec<ForkId> {
        let mut path = vec![to];
        let mut fork = to;
        while let Some((parent, _)) = self.forks.get(&fork).and_then(|f| f.parent) {
            path.push(parent);
            fork = parent;
        }
        path.reverse();
        path
    }

    /// Where the log that ends with the fork `newest` went another way than the one that has the commit: the first fork
    /// that only that log went through, and the first that only the commit's did.
    pub(crate) fn parting(&self, commit: &Commit, newest: ForkId) -> (Option<Fork>, Option<Fork>) {
        let (kept, lost) = (self.path(newest), self.path(commit.fork));
        let shared = kept.iter().zip(&lost).take_while(|(a, b)| a == b).count();
        let fork = |path: &[ForkId]| path.get(shared).and_then(|f| self.forks.get(f)).copied();
        // A fork that began behind the commit does not explain why that is gone.
        let before = |f: &Fork| f.parent.is_none_or(|(_, at)| at <= commit.entry.lsn);
        (fork(&kept).filter(before), fork(&lost).filter(before))
    }
}
