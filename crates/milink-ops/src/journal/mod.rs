//! The journal: what was going to be done, and what became of it, in one SQLite file.
//!
//! The intent is written, and synced, before each action; the outcome after it. So whatever kills `milink`, the journal says which action
//! may have been carried out, and whoever has the file can take the run up. Each entry carries the hash of the one before: an entry that
//! was changed or taken out later is found ([`Journal::verify`]). Secrets are in no plan and in no entry.

mod schema;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use milink_core::moment::Moment;
use milink_core::plan::{Plan, Verb};
use milink_core::run::{Entry, Record, Recovered};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::chain;
use crate::driver::Keeper;

/// A run's number in its journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct RunId(pub i64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What a journal cannot do.
#[derive(Debug)]
pub enum JournalError {
    /// The file cannot be used: where, and why.
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// It was written by a later release.
    Newer {
        /// Its version.
        version: i64,
    },
    /// Somebody runs a plan for this link now.
    Busy {
        /// The link.
        link: String,
    },
    /// An entry does not fit the one before it: it was changed, or entries are missing.
    Broken {
        /// The run.
        run: RunId,
        /// The entry's number in it.
        entry: i64,
    },
    /// There is no such run.
    NoRun {
        /// Its number.
        run: RunId,
    },
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JournalError::Io { path, why } => write!(f, "the journal {}: {why}", path.display()),
            JournalError::Newer { version } => write!(
                f,
                "the journal has format {version}, which a later release of milink wrote: use that one, or another --journal"
            ),
            JournalError::Busy { link } => {
                write!(f, "another milink runs a plan for link {link} with this journal: wait until it ends")
            }
            JournalError::Broken { run, entry } => write!(
                f,
                "entry {entry} of run {run} does not follow from the one before: the journal was changed or damaged"
            ),
            JournalError::NoRun { run } => write!(f, "the journal has no run {run}"),
        }
    }
}

impl std::error::Error for JournalError {}

/// A run, without its entries.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunRecord {
    /// Its number.
    pub id: RunId,
    /// What it is for.
    pub verb: Verb,
    /// The link.
    pub link: String,
    /// When it was begun.
    pub started: Moment,
    /// When it ended; `None` if it has not.
    pub ended: Option<Moment>,
    /// What is done.
    pub plan: Plan,
}

/// A journal that is open.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    connection: Connection,
}

/// Keeps everybody else from running a plan for a link with the same journal, until it is dropped.
#[derive(Debug)]
pub struct LinkLock {
    _file: File,
}

/// The place where the entries of one run are kept.
#[derive(Debug)]
pub struct RunJournal<'a> {
    journal: &'a mut Journal,
    run: RunId,
}

impl Keeper for RunJournal<'_> {
    fn keep(&mut self, at: Moment, record: &Record) -> Result<(), JournalError> {
        self.journal.append(self.run, at, record)
    }
}

/// An entry with its place and time.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Recorded {
    /// Its number in the run, from 1.
    pub number: i64,
    /// When it was written.
    pub at: Moment,
    /// What it says.
    pub record: Record,
}

impl Journal {
    /// Opens a journal, or makes one.
    ///
    /// # Errors
    /// The file cannot be used, or a later release wrote it.
    pub fn open(path: &Path) -> Result<Journal, JournalError> {
        let failed = |why: String| JournalError::Io { path: path.to_owned(), why };
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(|e| failed(e.to_string()))?;
        }
        let mut connection = Connection::open(path).map_err(|e| failed(e.to_string()))?;
        schema::prepare(&mut connection).map_err(|e| match e {
            schema::Unusable::Newer(version) => JournalError::Newer { version },
            schema::Unusable::Sqlite(e) => failed(e.to_string()),
        })?;
        Ok(Journal { path: path.to_owned(), connection })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes a link for this process.
    ///
    /// # Errors
    /// Another process has it, or the lock's file cannot be made.
    pub fn lock(&self, link: &str) -> Result<LinkLock, JournalError> {
        let failed = |why: String| JournalError::Io { path: self.path.clone(), why };
        let mut folder = self.path.clone().into_os_string();
        folder.push(".locks");
        fs::create_dir_all(&folder).map_err(|e| failed(e.to_string()))?;
        // A link's name may hold what a file's name may not.
        let name: String = Sha256::digest(link.to_lowercase()).iter().map(|b| format!("{b:02x}")).collect();
        let file = File::create(Path::new(&folder).join(name)).map_err(|e| failed(e.to_string()))?;
        match file.try_lock() {
            Ok(()) => Ok(LinkLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(JournalError::Busy { link: link.to_owned() }),
            Err(TryLockError::Error(e)) => Err(failed(e.to_string())),
        }
    }

    /// Begins a run. It is on disk when this returns.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn begin(&mut self, plan: &Plan, at: Moment) -> Result<RunId, JournalError> {
        insert_run(&self.connection, plan, at).map_err(|e| self.failed(&e))
    }

    /// Begins a run that takes the place of another one, whose last entry is `ends`. Both are on disk when this returns, or neither is:
    /// whoever reads the journal finds one of the two open, at any moment.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn begin_instead(
        &mut self,
        old: RunId,
        ends: &Record,
        plan: &Plan,
        at: Moment,
    ) -> Result<RunId, JournalError> {
        let written = (|| {
            let transaction = self.connection.transaction()?;
            let new = insert_run(&transaction, plan, at)?;
            insert_entry(&transaction, old, at, ends)?;
            transaction.commit()?;
            Ok(new)
        })();
        written.map_err(|e| self.failed(&e))
    }

    /// Writes an entry. It is on disk when this returns.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn append(&mut self, run: RunId, at: Moment, record: &Record) -> Result<(), JournalError> {
        let written = (|| {
            let transaction = self.connection.transaction()?;
            insert_entry(&transaction, run, at, record)?;
            transaction.commit()
        })();
        written.map_err(|e| self.failed(&e))
    }

    /// A run's entries, in their order.
    ///
    /// # Errors
    /// The file cannot be read, or its entries do not follow from each other.
    pub fn entries(&self, run: RunId) -> Result<Vec<Recorded>, JournalError> {
        let rows = self.rows(run).map_err(|e| self.failed(&e))?;
        let mut before = Vec::new();
        let mut out = Vec::new();
        for (place, (number, at, body, hash)) in rows.into_iter().enumerate() {
            let at = Moment::from_unix_ms(at);
            let broken = JournalError::Broken { run, entry: number };
            if number != place as i64 + 1 || chain::hash(&before, run.0, number, at, &body) != hash {
                return Err(broken);
            }
            let record = serde_json::from_str(&body).map_err(|_| broken)?;
            out.push(Recorded { number, at, record });
            before = hash;
        }
        Ok(out)
    }

    /// Looks at every entry of every run; how many there are.
    ///
    /// # Errors
    /// The first that does not follow from the one before it.
    pub fn verify(&self) -> Result<usize, JournalError> {
        let mut count = 0;
        for run in self.runs(None)? {
            count += self.entries(run.id)?.len();
        }
        Ok(count)
    }

    /// The runs, newest first; of one link, if it is named.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn runs(&self, link: Option<&str>) -> Result<Vec<RunRecord>, JournalError> {
        let read = (|| {
            let mut statement = self.connection.prepare(
                "SELECT id, started, ended, plan FROM runs WHERE ?1 IS NULL OR lower(link) = lower(?1) ORDER BY id DESC",
            )?;
            let rows = statement.query_map([link], |r| {
                Ok((r.get::<_, i64>(0)?, r.get::<_, i64>(1)?, r.get::<_, Option<i64>>(2)?, r.get::<_, String>(3)?))
            })?;
            rows.collect::<Result<Vec<_>, _>>()
        })()
        .map_err(|e| self.failed(&e))?;
        rows_to_records(read).map_err(|why| JournalError::Io { path: self.path.clone(), why })
    }

    /// A run.
    ///
    /// # Errors
    /// The file cannot be read, or there is no such run.
    pub fn run(&self, run: RunId) -> Result<RunRecord, JournalError> {
        self.runs(None)?.into_iter().find(|r| r.id == run).ok_or(JournalError::NoRun { run })
    }

    /// What the newest run of a link left behind, if it is not through: it can be resumed or undone.
    ///
    /// # Errors
    /// The file cannot be read, or a later release wrote its entries.
    pub fn open_run(&self, link: &str) -> Result<Option<(RunRecord, Recovered)>, JournalError> {
        let Some(run) = self.runs(Some(link))?.into_iter().next() else { return Ok(None) };
        let recovered = self.recovered(run.id)?;
        Ok(recovered.summary(&run.plan).is_open().then_some((run, recovered)))
    }

    /// What a run's entries say.
    ///
    /// # Errors
    /// The file cannot be read, or a later release wrote its entries.
    pub fn recovered(&self, run: RunId) -> Result<Recovered, JournalError> {
        let records: Vec<Record> = self.entries(run)?.into_iter().map(|r| r.record).collect();
        Recovered::from_records(&records).map_err(|version| JournalError::Newer { version: version.into() })
    }

    /// The place where a run's entries are kept.
    pub fn keeper(&mut self, run: RunId) -> RunJournal<'_> {
        RunJournal { journal: self, run }
    }

    #[allow(clippy::type_complexity)]
    fn rows(&self, run: RunId) -> rusqlite::Result<Vec<(i64, i64, String, Vec<u8>)>> {
        let mut statement = self
            .connection
            .prepare("SELECT number, at, body, hash FROM entries WHERE run = ?1 ORDER BY number")?;
        let rows = statement.query_map([run.0], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)))?;
        rows.collect()
    }

    fn failed(&self, e: &rusqlite::Error) -> JournalError {
        JournalError::Io { path: self.path.clone(), why: e.to_string() }
    }
}

fn insert_run(connection: &Connection, plan: &Plan, at: Moment) -> rusqlite::Result<RunId> {
    let verb = text(&plan.verb);
    let (name, plan) = (&plan.link.name, text(plan));
    connection.execute(
        "INSERT INTO runs(verb, link, started, plan) VALUES(?1, ?2, ?3, ?4)",
        params![verb, name, at.unix_ms(), plan],
    )?;
    Ok(RunId(connection.last_insert_rowid()))
}

fn insert_entry(connection: &Connection, run: RunId, at: Moment, record: &Record) -> rusqlite::Result<()> {
    let body = text(record);
    let last: Option<(i64, Vec<u8>)> = connection
        .query_row(
            "SELECT number, hash FROM entries WHERE run = ?1 ORDER BY number DESC LIMIT 1",
            [run.0],
            |r| Ok((r.get(0)?, r.get(1)?)),
        )
        .optional()?;
    let (number, before) = last.map_or((1, Vec::new()), |(n, hash)| (n + 1, hash));
    let hash = chain::hash(&before, run.0, number, at, &body);
    connection.execute(
        "INSERT INTO entries(run, number, at, body, hash) VALUES(?1, ?2, ?3, ?4, ?5)",
        params![run.0, number, at.unix_ms(), body, hash],
    )?;
    // A run that had stopped is taken up by its next intent.
    let ended = match record.entry {
        Entry::Ended { .. } => Some(Some(at.unix_ms())),
        Entry::Intent { .. } => Some(None),
        _ => None,
    };
    if let Some(ended) = ended {
        connection.execute("UPDATE runs SET ended = ?2 WHERE id = ?1", params![run.0, ended])?;
    }
    Ok(())
}

fn rows_to_records(rows: Vec<(i64, i64, Option<i64>, String)>) -> Result<Vec<RunRecord>, String> {
    let record = |(id, started, ended, plan): (i64, i64, Option<i64>, String)| {
        let plan: Plan = serde_json::from_str(&plan).map_err(|e| format!("the plan of run {id}: {e}"))?;
        Ok(RunRecord {
            id: RunId(id),
            verb: plan.verb,
            link: plan.link.name.clone(),
            started: Moment::from_unix_ms(started),
            ended: ended.map(Moment::from_unix_ms),
            plan,
        })
    };
    rows.into_iter().map(record).collect()
}

fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plans and entries have only names for keys")
}
