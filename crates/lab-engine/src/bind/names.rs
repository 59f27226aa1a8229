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
        if database != 0 && database != self.env.database {
            self.env.shared.principal_in(database)?;
        }
        let catalog = self.catalog(database)?;
        let object = match name.schema() {
            Some(schema) if database != 0 && !name.name().starts_with("##") => {
                catalog.schema_named(schema).and_then(|s| catalog.object_named(s.id, name.name()))
            }
            _ => {
                let own = if database == self.env.database { self.env.schema } else { DBO };
                catalog.object_named(own, name.name()).or_else(|| catalog.object_named(DBO, name.name()))
            }
        };
        if database != 0 && object.is_some() {
            self.databases.insert(database);
        }
        Ok(object.map(|object| Resolved { database, object: Arc::clone(object) }))
    }

    /// Whether what is named directly (and not by a module, whose owner answers for it) may be read or run.
    ///
    /// # Errors
    /// 229.
    pub(crate) fn permitted(&mut self, found: &Resolved, permission: &str) -> Result<(), SqlError> {
        if self.env.in_module || !self.expanding.is_empty() || found.database == 0 {
            return Ok(());
        }
        if found.object.name.starts_with("##") || self.env.shared.state().sysadmin {
            return Ok(());
        }
        let rights = self.env.shared.rights(found.database)?;
        if rights.owner && !rights.deny_read || permission == "SELECT" && rights.may_select() {
            return Ok(());
        }
        let database = self.env.shared.server.database(found.database).map(|d| d.name()).unwrap_or_default();
        let schema = self.catalog(found.database)?.schema_name(found.object.schema).to_owned();
        Err(crate::rights::denied(permission, &found.object.name, &database, &schema))
    }

    /// Finds an object that must be there.
    pub(crate) fn object(&mut self, name: &ObjectName) -> Result<Resolved, SqlError> {
        self.find(name)?.ok_or_else(|| {
            let state = u8::from(!name.name().starts_with('#'));
            SqlError { state, ..SqlError::invalid_object(&name.to_string()) }.at(name.line())
        })
    }
}
