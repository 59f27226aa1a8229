//! From a name to what it names.

use std::sync::Arc;

use lab_tsql::ast::ObjectName;

use super::Binder;
use crate::catalog::{DBO, Object};
use crate::error::SqlError;

/// An object and the database it is in; database 0 holds the session's temporary objects.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    pub(crate) database: i32,
    pub(crate) object: Arc<Object>,
}

/// What SQLite calls a database in a session.
pub(crate) fn alias_of(database: i32) -> String {
    if database == 0 { "temp".to_owned() } else { format!("db{database}") }
}

impl Binder<'_> {
    /// The database that a name means.
    pub(crate) fn database_of(&mut self, name: &ObjectName) -> Result<i32, SqlError> {
        if name.server().is_some() {
            return Err(SqlError::new(
                7202,
                11,
                2,
                format!("Could not find server '{}' in sys.servers.", name.server().unwrap_or_default()),
            ));
        }
        if name.name().starts_with('#') && !name.name().starts_with("##") {
            return Ok(0);
        }
        if name.name().starts_with("##") {
            return Ok(crate::server::TEMPDB);
        }
        match name.database() {
            None => Ok(self.env.database),
            Some(database) => {
                let found = self.env.shared.server.database_named(database);
                found.map(|d| d.id).ok_or_else(|| SqlError::invalid_object(&name.to_string()).at(name.line()))
            }
        }
    }

    /// Finds an object by name: in the named schema, or in the user's default schema and then in dbo.
    pub(crate) fn find(&mut self, name: &ObjectName) -> Result<Option<Resolved>, SqlError> {
        let database = self.database_of(name)?;
        let catalog = self.catalog(database)?;
        let object = match name.schema() {
            Some(schema) if database != 0 && !name.name().starts_with("##") => {
                catalog.schema_named(schema).and_then(|s| catalog.object_named(s.id, name.name()))
            }
            _ => {
                let own = catalog.schema_named(self.env.schema).map_or(DBO, |s| s.id);
                catalog.object_named(own, name.name()).or_else(|| catalog.object_named(DBO, name.name()))
            }
        };
        if database != 0 && object.is_some() {
            self.databases.insert(database);
        }
        Ok(object.map(|object| Resolved { database, object: Arc::clone(object) }))
    }

    /// Finds an object that must be there.
    pub(crate) fn object(&mut self, name: &ObjectName) -> Result<Resolved, SqlError> {
        self.find(name)?.ok_or_else(|| {
            let state = u8::from(!name.name().starts_with('#'));
            SqlError { state, ..SqlError::invalid_object(&name.to_string()) }.at(name.line())
        })
    }
}
