//! What master keeps about the server itself: databases, logins, settings, keys, certificates, the endpoint, documents.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::{DatabaseEntry, Login, MASTER, ReplicaIds, Server, lock};
use crate::error::SqlError;
use crate::security::objects::MASTER_KEY_ID;
use crate::security::{Certificate, Endpoint, MasterKey, Security};

const DATABASE: i64 = 1;
const LOGIN: i64 = 2;
const SETTING: i64 = 3;
const REPLICA: i64 = 20;
const DOCUMENT: i64 = 4;
const MASTER_KEY: i64 = 5;
const CERTIFICATE: i64 = 6;
const ENDPOINT: i64 = 7;

/// The kinds of rows that are written as a whole, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Document = DOCUMENT as isize,
    MasterKey = MASTER_KEY as isize,
    Certificate = CERTIFICATE as isize,
    Endpoint = ENDPOINT as isize,
}

/// A row of master's `_server`.
#[derive(Debug, Clone)]
pub(crate) enum ServerEntry {
    Database(Box<DatabaseEntry>),
    Login(Box<Login>),
    /// A value of `sp_configure`, or one that the start sets.
    Setting(i64, String, i64),
    /// A database is in a group: until somebody says which role it has, nobody may open it.
    Replica(i32, ReplicaIds),
}

/// Everything that [`load`] finds.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) entries: Vec<ServerEntry>,
    pub(crate) security: Security,
    /// Name to id and text.
    pub(crate) documents: BTreeMap<String, (i64, String)>,
}

pub(crate) fn create_table(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch(
        "CREATE TABLE db1._server(kind INTEGER NOT NULL, id INTEGER NOT NULL, body TEXT NOT NULL,
            PRIMARY KEY(kind, id)) STRICT, WITHOUT ROWID;",
    )
}

pub(crate) fn load(conn: &Connection) -> rusqlite::Result<Loaded> {
    let corrupt = |e: serde_json::Error| {
        rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT),
            Some(format!("server entry cannot be read: {e}")),
        )
    };
    let mut statement = conn.prepare("SELECT kind, id, body FROM db1._server ORDER BY kind, id")?;
    let mut rows = statement.query([])?;
    let mut out = Loaded::default();
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(1)?;
        let body: String = row.get(2)?;
        let entry = match row.get::<_, i64>(0)? {
            DATABASE => ServerEntry::Database(serde_json::from_str(&body).map_err(corrupt)?),
            LOGIN => ServerEntry::Login(serde_json::from_str(&body).map_err(corrupt)?),
            REPLICA => ServerEntry::Replica(id as i32, serde_json::from_str(&body).map_err(corrupt)?),
            SETTING => {
                let (name, value): (String, i64) = serde_json::from_str(&body).map_err(corrupt)?;
                ServerEntry::Setting(id, name, value)
            }
            DOCUMENT => {
                let (name, text): (String, String) = serde_json::from_str(&body).map_err(corrupt)?;
                out.documents.insert(name, (id, text));
                continue;
            }
            MASTER_KEY => {
                out.security.master_key = Some(serde_json::from_str::<MasterKey>(&body).map_err(corrupt)?);
                continue;
            }
            CERTIFICATE => {
                let certificate: Certificate = serde_json::from_str(&body).map_err(corrupt)?;
                out.security.certificates.insert(certificate.id, certificate);
                continue;
            }
            ENDPOINT => {
                out.security.endpoint = Some(serde_json::from_str::<Endpoint>(&body).map_err(corrupt)?);
                continue;
            }
            // Of a newer version: what is not known is left alone.
            _ => continue,
        };
        out.entries.push(entry);
    }
    Ok(out)
}

const JSON: &str = "server entries hold no map with keys that JSON cannot write";

/// The rows that hold keys, certificates and the endpoint.
pub(crate) fn security_rows(security: &Security) -> BTreeMap<(Kind, i64), String> {
    let mut rows = BTreeMap::new();
    if let Some(key) = &security.master_key {
        rows.insert((Kind::MasterKey, MASTER_KEY_ID), serde_json::to_string(key).expect(JSON));
    }
    for certificate in security.certificates.values() {
        let body = serde_json::to_string(certificate).expect(JSON);
        rows.insert((Kind::Certificate, i64::from(certificate.id)), body);
    }
    if let Some(endpoint) = &security.endpoint {
        let body = serde_json::to_string(endpoint).expect(JSON);
        rows.insert((Kind::Endpoint, i64::from(endpoint.id)), body);
    }
    rows
}

pub(crate) fn document_row(name: &str, text: &str) -> String {
    serde_json::to_string(&(name, text)).expect(JSON)
}

pub(crate) fn put_row(conn: &Connection, kind: Kind, id: i64, body: &str) -> rusqlite::Result<()> {
    conn.execute("INSERT OR REPLACE INTO db1._server VALUES(?1, ?2, ?3)", params![kind as i64, id, body])?;
    Ok(())
}

pub(crate) fn delete_row(conn: &Connection, kind: Kind, id: i64) -> rusqlite::Result<()> {
    conn.execute("DELETE FROM db1._server WHERE kind = ?1 AND id = ?2", params![kind as i64, id])?;
    Ok(())
}

pub(crate) fn put(conn: &Connection, entry: &ServerEntry) -> rusqlite::Result<()> {
    let (kind, id, body) = match entry {
        ServerEntry::Database(d) => (DATABASE, i64::from(d.id), serde_json::to_string(d)),
        ServerEntry::Login(l) => (LOGIN, i64::from(l.id), serde_json::to_string(l)),
        ServerEntry::Setting(id, name, value) => (SETTING, *id, serde_json::to_string(&(name, value))),
        ServerEntry::Replica(id, ids) => (REPLICA, i64::from(*id), serde_json::to_string(ids)),
    };
    let body = body.expect(JSON);
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
        // Ids are used again: what the login was granted must not go to the next one.
        let mut security = self.security();
        if security.endpoint.as_mut().is_some_and(|e| e.connect.remove(&id).is_some()) {
            self.save_security(security)?;
        }
        Ok(())
    }

    /// One small transaction on master, hardened when it returns.
    ///
    /// It waits for master's write lock like any session: these statements are not allowed inside a user's transaction,
    /// so the caller cannot hold that lock itself.
    pub(super) fn change_master(
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
