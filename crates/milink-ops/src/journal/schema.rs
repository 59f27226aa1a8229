//! The journal's tables, and how older ones become new ones.

use rusqlite::Connection;

/// Raised with each change of the tables.
const VERSION: i64 = 1;

/// `milk` in the file's header: what it is, for whoever finds it.
const APPLICATION: i64 = 0x6d69_6c6b;

/// Why a file is no journal for us.
#[derive(Debug)]
pub(super) enum Unusable {
    /// A later release wrote it.
    Newer(i64),
    /// SQLite says no.
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Unusable {
    fn from(e: rusqlite::Error) -> Unusable {
        Unusable::Sqlite(e)
    }
}

/// Brings a file to the tables of this release.
pub(super) fn prepare(connection: &mut Connection) -> Result<(), Unusable> {
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    // An intent must be on disk before its action, whatever happens to the machine.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let version: i64 = transaction.pragma_query_value(None, "user_version", |r| r.get(0))?;
    match version {
        0 => {
            transaction.execute_batch(
                "CREATE TABLE runs(
                    id INTEGER PRIMARY KEY AUTOINCREMENT, verb TEXT NOT NULL, link TEXT NOT NULL,
                    started INTEGER NOT NULL, ended INTEGER, plan TEXT NOT NULL) STRICT;
                 CREATE INDEX runs_by_link ON runs(lower(link), id);
                 CREATE TABLE entries(
                    run INTEGER NOT NULL REFERENCES runs(id), number INTEGER NOT NULL, at INTEGER NOT NULL,
                    body TEXT NOT NULL, hash BLOB NOT NULL, PRIMARY KEY(run, number)) STRICT, WITHOUT ROWID;",
            )?;
            transaction.pragma_update(None, "application_id", APPLICATION)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
        }
        VERSION => {}
        newer => return Err(Unusable::Newer(newer)),
    }
    transaction.commit()?;
    Ok(())
}
