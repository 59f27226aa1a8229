//! Who owns what and where it is: ALTER SCHEMA TRANSFER, ALTER AUTHORIZATION, ALTER ROLE WITH NAME.

use lab_tsql::ast::{Ident, ObjectName};

use super::{Frame, Stop};
use crate::catalog::{CatalogChange, Object, PrincipalKind, Schema};
use crate::error::SqlError;
use crate::server::{DatabaseEntry, ServerEntry};
use crate::session::Session;
use crate::sink::Sink;
use crate::types::now_datetime;

impl Session {
    pub(super) fn run_transfer_schema(
        &mut self,
        frame: &Frame,
        schema: &Ident,
        name: &ObjectName,
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        self.atomically(sink, |s, _| {
            let missing = || SqlError::principal_not_found("object", name.name()).at(name.line());
            let found = s.bind(frame, |b| b.find(name))?.bound.ok_or_else(missing)?;
            s.enter_write(found.database)?;
            let catalog = s.catalog_of(found.database)?;
            let object = catalog.object(found.object.id).cloned().ok_or_else(missing)?;
            let to = catalog
                .schema_named(&schema.value)
                .map(|s| s.id)
                .ok_or_else(|| SqlError::cannot_alter("schema", &schema.value))?;
            if to == object.schema {
                return Ok(());
            }
            if catalog.id_of(to, &object.name).is_some() {
                return Err(SqlError::new(
                    15530,
                    16,
                    1,
                    format!("The object with name \"{}\" already exists.", object.name),
                )
                .into());
            }
            let moved = Object { schema: to, modified: now_datetime(), ..(*object).clone() };
            s.put_object(found.database, moved, None)?;
            Ok(())
        })
    }

    pub(super) fn run_authorization(
        &mut self,
        database: bool,
        name: &Ident,
        owner: &Ident,
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        if database { self.own_database(name, owner) } else { self.own_schema(name, owner, sink) }
    }

    fn own_database(&mut self, name: &Ident, owner: &Ident) -> Result<(), Stop> {
        self.outside_transactions("ALTER AUTHORIZATION")?;
        let server = std::sync::Arc::clone(&self.server);
        let _defining = server.defining();
        let missing = || SqlError::principal_not_found("database", &name.value);
        let found = server.database_named(&name.value).filter(|d| self.owns_database(d.id));
        let found = found.ok_or_else(missing)?;
        if !found.replica().role.is_writable() {
            return Err(SqlError::read_only_database(&found.name()).into());
        }
        let login = server
            .login_named(&owner.value)
            .ok_or_else(|| SqlError::principal_not_found("principal", &owner.value))?;
        if self
            .shared
            .catalog(found.id)?
            .principals
            .values()
            .any(|p| p.sid.as_deref() == Some(&login.sid) && p.id != 1)
        {
            return Err(SqlError::new(
                15110,
                16,
                1,
                "The proposed new database owner is already a user or aliased in the database.",
            )
            .into());
        }
        let entry = DatabaseEntry { owner: login.name, ..found.entry() };
        server.save_entry(ServerEntry::Database(Box::new(entry)))?;
        Ok(())
    }

    fn own_schema(&mut self, name: &Ident, owner: &Ident, sink: &mut dyn Sink) -> Result<(), Stop> {
        let database = self.current_database();
        if !self.shared.rights(database)?.owner {
            return Err(SqlError::principal_not_found("schema", &name.value).into());
        }
        self.atomically(sink, |s, _| {
            s.enter_write(database)?;
            let catalog = s.catalog_of(database)?;
            let schema = catalog
                .schema_named(&name.value)
                .ok_or_else(|| SqlError::principal_not_found("schema", &name.value))?;
            let owner = catalog
                .principal_named(&owner.value)
                .map(|p| p.id)
                .ok_or_else(|| SqlError::principal_not_found("principal", &owner.value))?;
            let schema = Schema { owner, ..schema.clone() };
            let id = schema.id;
            s.change_catalog(database, [CatalogChange::PutSchema(id)], |c| {
                c.schemas.insert(id, schema);
            })?;
            Ok(())
        })
    }

    pub(super) fn run_rename_role(
        &mut self,
        role: &Ident,
        name: &Ident,
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        let database = self.current_database();
        self.atomically(sink, |s, _| {
            s.enter_write(database)?;
            let catalog = s.catalog_of(database)?;
            let found = catalog
                .principal_named(&role.value)
                .filter(|p| p.kind == PrincipalKind::Role && !p.fixed_role && p.id != 0)
                .ok_or_else(|| SqlError::cannot_alter("role", &role.value))?;
            if catalog.principal_named(&name.value).is_some_and(|p| p.id != found.id) {
                return Err(SqlError::principal_exists(&name.value).into());
            }
            let mut renamed = found.clone();
            name.value.clone_into(&mut renamed.name);
            let id = renamed.id;
            s.change_catalog(database, [CatalogChange::PutPrincipal(id)], |c| {
                c.principals.insert(id, renamed);
            })?;
            Ok(())
        })
    }
}
