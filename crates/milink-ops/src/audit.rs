//! The audit log: who asked for what, in a SQLite file of its own, so that it can be kept where those whom it speaks of cannot write.
//!
//! Its entries are a chain, as the journal's are. NB: a chain does not show that its newest entries were taken off; who has to prove that
//! keeps the newest hash elsewhere.

use std::fmt;
use std::fs;
use std::path::Path;

use milink_core::moment::Moment;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use crate::chain;

/// Raised with each change of the table.
const VERSION: i64 = 1;
/// `mila` in the file's header.
const APPLICATION: i64 = 0x6d69_6c61;
/// The chain's number in its hashes; a file has one chain.
const CHAIN: i64 = 0;

/// What an audit log cannot do.
#[derive(Debug)]
pub enum AuditError {
    /// The file cannot be used.
    Io {
        /// Why.
        why: String,
    },
    /// It was written by a later release.
    Newer {
        /// Its version.
        version: i64,
    },
    /// An entry does not follow from the one before it.
    Broken {
        /// Its number.
        entry: i64,
    },
}

impl fmt::Display for AuditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AuditError::Io { why } => write!(f, "the audit log: {why}"),
            AuditError::Newer { version } => {
                write!(f, "the audit log has format {version}, which a later release of milink wrote")
            }
            AuditError::Broken { entry } => write!(
                f,
                "entry {entry} of the audit log does not follow from the one before: the file was changed or damaged"
            ),
        }
    }
}

impl std::error::Error for AuditError {}

impl From<rusqlite::Error> for AuditError {
    fn from(e: rusqlite::Error) -> AuditError {
        AuditError::Io { why: e.to_string() }
    }
}

/// An entry as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audited {
    /// Its number, from 1.
    pub number: i64,
    /// When it was written.
    pub at: Moment,
    /// Its text, which is its writer's JSON.
    pub body: String,
}

/// An audit log that is open.
#[derive(Debug)]
pub struct AuditLog {
    connection: Connection,
}

impl AuditLog {
    /// Opens an audit log, or makes one.
    ///
    /// # Errors
    /// The file cannot be used, or a later release wrote it.
    pub fn open(path: &Path) -> Result<AuditLog, AuditError> {
        let io = |e: std::io::Error| AuditError::Io { why: format!("{}: {e}", path.display()) };
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(io)?;
        }
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        // What was answered must be written down, whatever happens to the machine.
        connection.pragma_update(None, "synchronous", "FULL")?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version: i64 = transaction.pragma_query_value(None, "user_version", |r| r.get(0))?;
        match version {
            0 => {
                transaction.execute_batch(
                    "CREATE TABLE entries(number INTEGER PRIMARY KEY, at INTEGER NOT NULL, body TEXT NOT NULL, hash BLOB NOT NULL) STRICT;",
                )?;
                transaction.pragma_update(None, "application_id", APPLICATION)?;
                transaction.pragma_update(None, "user_version", VERSION)?;
            }
            VERSION => {}
            version => return Err(AuditError::Newer { version }),
        }
        transaction.commit()?;
        Ok(AuditLog { connection })
    }

    /// Writes an entry. It is on disk when this returns.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn append(&mut self, at: Moment, body: &str) -> Result<(), AuditError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let last: Option<(i64, Vec<u8>)> = transaction
            .query_row("SELECT number, hash FROM entries ORDER BY number DESC LIMIT 1", [], |r| {
                Ok((r.get(0)?, r.get(1)?))
            })
            .optional()?;
        let (number, before) = last.map_or((1, Vec::new()), |(n, hash)| (n + 1, hash));
        let hash = chain::hash(&before, CHAIN, number, at, body);
        transaction.execute(
            "INSERT INTO entries(number, at, body, hash) VALUES(?1, ?2, ?3, ?4)",
            params![number, at.unix_ms(), body, hash],
        )?;
        transaction.commit()?;
        Ok(())
    }

    /// The newest entries, the newest first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn newest(&self, count: usize) -> Result<Vec<Audited>, AuditError> {
        let mut statement =
            self.connection.prepare("SELECT number, at, body FROM entries ORDER BY number DESC LIMIT ?1")?;
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let rows = statement.query_map([count], |r| {
            Ok(Audited { number: r.get(0)?, at: Moment::from_unix_ms(r.get(1)?), body: r.get(2)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many entries there are, if all follow from each other.
    ///
    /// # Errors
    /// They do not, or the file cannot be read.
    pub fn verify(&self) -> Result<usize, AuditError> {
        let mut statement =
            self.connection.prepare("SELECT number, at, body, hash FROM entries ORDER BY number")?;
        let mut rows = statement.query([])?;
        let (mut before, mut count) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            let (number, at): (i64, i64) = (row.get(0)?, row.get(1)?);
            let (body, hash): (String, Vec<u8>) = (row.get(2)?, row.get(3)?);
            let follows = chain::hash(&before, CHAIN, number, Moment::from_unix_ms(at), &body) == hash;
            if !follows || number != count + 1 {
                return Err(AuditError::Broken { entry: number });
            }
            (before, count) = (hash, number);
        }
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Moment {
        Moment::from_unix_ms(ms)
    }

    #[test]
    fn entries_follow_each_other_over_restarts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/audit.db");
        AuditLog::open(&path).unwrap().append(at(1), "one").unwrap();
        let mut log = AuditLog::open(&path).unwrap();
        log.append(at(2), "two").unwrap();
        assert_eq!(log.verify().unwrap(), 2);
        assert_eq!(log.newest(1).unwrap(), [Audited { number: 2, at: at(2), body: "two".to_owned() }]);
    }

    #[test]
    fn what_was_changed_or_taken_out_is_found() {
        for damage in [
            "UPDATE entries SET body = 'another' WHERE number = 1",
            "UPDATE entries SET at = at + 1 WHERE number = 2",
            "DELETE FROM entries WHERE number = 1",
        ] {
            let folder = tempfile::tempdir().unwrap();
            let mut log = AuditLog::open(&folder.path().join("audit.db")).unwrap();
            log.append(at(1), "one").unwrap();
            log.append(at(2), "two").unwrap();
            log.connection.execute(damage, []).unwrap();
            assert!(matches!(log.verify(), Err(AuditError::Broken { .. })), "{damage}");
        }
    }
}
