//! What master keeps about the server itself: databases and logins.

use rusqlite::{Connection, params};

use super::{DatabaseEntry, Login, MASTER, ReplicaIds, Server, lock};
use crate::error::SqlError;

const DATABASE: i64 = 1;
const LOGIN: i64 = 2;
const SETTING: i64 = 3;
const REPLICA: i64 = 20;

/// A row of master's `_server`.
#[derive(Debug, Clone)]
pub(crate) enum ServerEntry {
    Database(Box<DatabaseEntry>),
    Login(Box<Login>),
    /// A value of `sp_configure`.
    Setting(i64, String, i64),
    /// A database is in a group: until somebody says which role it has, nobody may open it.
    Replica(i32, ReplicaIds),
}

pub(crate) fn create_table(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch(
        "CREATE TABLE db1._server(kind INTEGER NOT NULL, id INTEGER NOT NULL, body TEXT NOT NULL,
            PRIMARY KEY(kind, id)) STRICT, WITHOUT ROWID;",
    )
}

pub(crate) fn load(conn: &Connection) -> rusqlite::Result<Vec<ServerEntry>> {
    let corrupt = |e: serde_json::Error| {
        rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT),
            Some(format!("server entry cannot be read: {e}")),
        )
    };
    let mut statement = conn.prepare("SELECT kind, id, body FROM db1._server ORDER BY kind, id")?;
    let mut rows = statement.query([])?;
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(1)?;
        let body: String = row.get(2)?;
        out.push(match row.get::<_, i64>(0)? {
            DATABASE => ServerEntry::Database(serde_json::from_str(&body).map_err(corrupt)?),
            LOGIN => ServerEntry::Login(serde_json::from_str(&body).map_err(corrupt)?),
            REPLICA => ServerEntry::Replica(id as i32, serde_json::from_str(&body).map_err(corrupt)?),
            _ => {
                let (name, value): (String, i64) = serde_json::from_str(&body).map_err(corrupt)?;
                ServerEntry::Setting(id, name, value)
            }
        });
    }
    Ok(out)
}

pub(crate) fn put(conn: &Connection, entry: &ServerEntry) -> rusqlite::Result<()> {
    let (kind, id, body) = match entry {
        ServerEntry::Database(d) => (DATABASE, i64::from(d.id), serde_json::to_string(d)),
        ServerEntry::Login(l) => (LOGIN, i64::from(l.id), serde_json::to_string(l)),
        ServerEntry::Setting(id, name, value) => (SETTING, *id, serde_json::to_string(&(name, value))),
        ServerEntry::Replica(id, ids) => (REPLICA, i64::from(*id), serde_json::to_string(ids)),
    };
    let body = body.expect("server entries hold no map with keys that JSON cannot write");
    conn.execute("INSERT OR REPLACE INTO db1._server VALUES(?1, ?2, ?3)", params![kind, id, body])?;
    Ok(())
}

impl Server {
    /// Writes an entry durably and makes it what the server knows.
    pub(crate) fn save_entry(&self, entry: ServerEntry) -> Result<(), SqlError> {
        self.change_master(|conn| put(conn, &entry))?;
        match entry {
            ServerEntry::Database(d) => {
                if let Some(database) = self.database(d.id) {
                    database.set_entry(*d);
                }
            }
            ServerEntry::Login(l) => {
                self.logins.write().unwrap_or_else(std::sync::PoisonError::into_inner).insert(l.id, *l);
            }
            ServerEntry::Setting(_, name, value) => {
                lock(&self.configuration).insert(name, value);
            }
            // Its role is what counts, and that is set by whoever saves this.
            ServerEntry::Replica(..) => {}
        }
        Ok(())
    }

    pub(crate) fn remove_database_entry(&self, id: i32) -> Result<(), SqlError> {
        self.change_master(|conn| {
            let sql = "DELETE FROM db1._server WHERE kind IN (?1, ?2) AND id = ?3";
            conn.execute(sql, params![DATABASE, REPLICA, id]).map(|_| ())
        })
    }

    pub(super) fn remove_replica(&self, id: i32) -> Result<(), SqlError> {
        self.change_master(|conn| {
            conn.execute("DELETE FROM db1._server WHERE kind = ?1 AND id = ?2", params![REPLICA, id])
                .map(|_| ())
        })
    }

    pub(crate) fn remove_login(&self, id: i32) -> Result<(), SqlError> {
        self.change_master(|conn| {
            conn.execute("DELETE FROM db1._server WHERE kind = ?1 AND id = ?2", params![LOGIN, id])
                .map(|_| ())
        })?;
        self.logins.write().unwrap_or_else(std::sync::PoisonError::into_inner).remove(&id);
        Ok(())
    }

    /// One small transaction on master, hardened when it returns.
    ///
    /// It waits for master's write lock like any session: these statements are not allowed inside a user's transaction,
    /// so the caller cannot hold that lock itself.
    fn change_master(
        &self,
        change: impl FnOnce(&Connection) -> rusqlite::Result<()>,
    ) -> Result<(), SqlError> {
        let conn = lock(&self.admin);
        let master = self.database(MASTER).ok_or_else(|| SqlError::internal("master is not open"))?;
        let store = master.store()?;
        let key = lab_store::DbKey(MASTER as u32);
        self.locks
            .acquire(lab_store::SessionId(0), key, None, &mut || false)
            .map_err(|e| SqlError::internal(format!("write lock of master: {e:?}")))?;
        let done = super::boot::in_transaction(&conn, &store, "master", "db1", change);
        self.locks.release_all(lab_store::SessionId(0));
        let lsn = done?;
        store.wait_hardened(lsn).map_err(|e| SqlError::storage("master", &e))
    }
}
