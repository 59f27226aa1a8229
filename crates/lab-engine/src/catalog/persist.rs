//! The catalog's table in the database: one row for each entry, its body in JSON.

use rusqlite::{Connection, OptionalExtension, params};

use super::{Catalog, Object, Principal, Schema};
use crate::types::Collation;

/// One entry that a statement changed.
#[derive(Debug, Clone)]
pub(crate) enum CatalogChange {
    PutObject(i32),
    RemoveObject(i32),
    PutSchema(i32),
    RemoveSchema(i32),
    PutPrincipal(i32),
    RemovePrincipal(i32),
    PutProperty(i32),
    RemoveProperty(i32),
}

const OBJECT: i64 = 1;
const SCHEMA: i64 = 2;
const PRINCIPAL: i64 = 3;
const PROPERTY: i64 = 4;
const SETTING: i64 = 0;
const SETTING_VERSION: i64 = 1;
const SETTING_COLLATION: i64 = 2;
const SETTING_NEXT_OBJECT_ID: i64 = 3;

/// Makes the catalog's tables in an empty database and writes the first version.
pub(crate) fn create_tables(conn: &Connection, alias: &str, catalog: &Catalog) -> rusqlite::Result<()> {
    conn.execute_batch(&format!(
        "CREATE TABLE {alias}._catalog(kind INTEGER NOT NULL, id INTEGER NOT NULL, body TEXT NOT NULL,
            PRIMARY KEY(kind, id)) STRICT, WITHOUT ROWID;
         CREATE TABLE {alias}._identity(object_id INTEGER PRIMARY KEY, last INTEGER) STRICT;
         CREATE TABLE {alias}._rowversion(one INTEGER PRIMARY KEY CHECK(one = 1), last INTEGER NOT NULL) STRICT;
         INSERT INTO {alias}._rowversion VALUES(1, 2000);"
    ))?;
    put(conn, alias, SETTING, SETTING_COLLATION, catalog.collation.name())?;
    for schema in catalog.schemas.values() {
        put(conn, alias, SCHEMA, i64::from(schema.id), &json(schema))?;
    }
    for principal in catalog.principals.values() {
        put(conn, alias, PRINCIPAL, i64::from(principal.id), &json(principal))?;
    }
    write_counters(conn, alias, catalog)
}

impl Catalog {
    /// Writes the changed entries and the new version into the caller's open transaction.
    pub(crate) fn save(
        &self,
        conn: &Connection,
        alias: &str,
        changes: &[CatalogChange],
    ) -> rusqlite::Result<()> {
        for change in changes {
            match change {
                CatalogChange::PutObject(id) => {
                    if let Some(object) = self.object(*id) {
                        put(conn, alias, OBJECT, i64::from(*id), &json(object.as_ref()))?;
                    }
                }
                CatalogChange::PutSchema(id) => {
                    if let Some(schema) = self.schemas.get(id) {
                        put(conn, alias, SCHEMA, i64::from(*id), &json(schema))?;
                    }
                }
                CatalogChange::PutPrincipal(id) => {
                    if let Some(principal) = self.principals.get(id) {
                        put(conn, alias, PRINCIPAL, i64::from(*id), &json(principal))?;
                    }
                }
                CatalogChange::PutProperty(id) => {
                    if let Some(property) = self.property(*id) {
                        put(conn, alias, PROPERTY, i64::from(*id), &json(property))?;
                    }
                }
                CatalogChange::RemoveProperty(id) => remove(conn, alias, PROPERTY, *id)?,
                CatalogChange::RemoveObject(id) => {
                    remove(conn, alias, OBJECT, *id)?;
                    conn.prepare_cached(&format!("DELETE FROM {alias}._identity WHERE object_id = ?1"))?
                        .execute([*id])?;
                }
                CatalogChange::RemoveSchema(id) => remove(conn, alias, SCHEMA, *id)?,
                CatalogChange::RemovePrincipal(id) => remove(conn, alias, PRINCIPAL, *id)?,
            }
        }
        write_counters(conn, alias, self)
    }
}

/// Reads the whole catalog.
pub(crate) fn load(conn: &Connection, alias: &str) -> rusqlite::Result<Catalog> {
    let setting = |id: i64| -> rusqlite::Result<Option<String>> {
        conn.query_row(
            &format!("SELECT body FROM {alias}._catalog WHERE kind = ?1 AND id = ?2"),
            params![SETTING, id],
            |row| row.get(0),
        )
        .optional()
    };
    let collation = setting(SETTING_COLLATION)?.and_then(|n| Collation::by_name(&n)).unwrap_or_default();
    let mut catalog = Catalog::new(collation);
    catalog.schemas.clear();
    catalog.principals.clear();
    catalog.version = setting(SETTING_VERSION)?.and_then(|v| v.parse().ok()).unwrap_or(1);
    if let Some(next) = setting(SETTING_NEXT_OBJECT_ID)?.and_then(|v| v.parse().ok()) {
        catalog.next_object_id = next;
    }
    let mut statement =
        conn.prepare(&format!("SELECT kind, body FROM {alias}._catalog WHERE kind <> 0 ORDER BY kind, id"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let body: String = row.get(1)?;
        match row.get::<_, i64>(0)? {
            OBJECT => {
                catalog.put(parse::<Object>(&body)?);
            }
            SCHEMA => {
                let schema: Schema = parse(&body)?;
                catalog.schemas.insert(schema.id, schema);
            }
            PRINCIPAL => {
                let principal: Principal = parse(&body)?;
                catalog.principals.insert(principal.id, principal);
            }
            PROPERTY => catalog.put_property(parse(&body)?),
            other => return Err(corrupt(format!("catalog entry of unknown kind {other}"))),
        }
    }
    Ok(catalog)
}

/// The version that is on disk now, without reading the rest.
pub(crate) fn write_counters(conn: &Connection, alias: &str, catalog: &Catalog) -> rusqlite::Result<()> {
    put(conn, alias, SETTING, SETTING_VERSION, &catalog.version.to_string())?;
    put(conn, alias, SETTING, SETTING_NEXT_OBJECT_ID, &catalog.next_object_id.to_string())
}

fn put(conn: &Connection, alias: &str, kind: i64, id: i64, body: &str) -> rusqlite::Result<()> {
    conn.prepare_cached(&format!(
        "INSERT OR REPLACE INTO {alias}._catalog(kind, id, body) VALUES(?1, ?2, ?3)"
    ))?
    .execute(params![kind, id, body])?;
    Ok(())
}

fn remove(conn: &Connection, alias: &str, kind: i64, id: i32) -> rusqlite::Result<()> {
    conn.prepare_cached(&format!("DELETE FROM {alias}._catalog WHERE kind = ?1 AND id = ?2"))?
        .execute(params![kind, id])?;
    Ok(())
}

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("catalog entries hold no map with keys that JSON cannot write")
}

fn parse<T: serde::de::DeserializeOwned>(body: &str) -> rusqlite::Result<T> {
    serde_json::from_str(body).map_err(|e| corrupt(format!("catalog entry cannot be read: {e}")))
}

fn corrupt(message: String) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT), Some(message))
}
