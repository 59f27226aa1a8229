//! DROP of everything but indexes.

use lab_tsql::ast::{DropKind, ObjectName};

use super::{Frame, Stop};
use crate::bind::{Resolved, alias_of};
use crate::catalog::{CatalogChange, ObjectKind, PrincipalKind, same_name};
use crate::error::SqlError;
use crate::session::Session;
use crate::sink::Sink;
use crate::store::table_name;

impl Session {
    pub(super) fn run_drop(
        &mut self,
        frame: &Frame,
        kind: DropKind,
        names: &[ObjectName],
        if_exists: bool,
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        for name in names {
            match kind {
                DropKind::Database => self.drop_database(name, if_exists)?,
                DropKind::Login => self.drop_login(name, if_exists)?,
                DropKind::Schema => self.atomically(sink, |s, _| s.drop_schema(name, if_exists))?,
                DropKind::User | DropKind::Role => {
                    self.atomically(sink, |s, _| s.drop_principal(kind, name, if_exists))?;
                }
                _ => self.atomically(sink, |s, _| s.drop_object(frame, kind, name, if_exists))?,
            }
        }
        Ok(())
    }

    fn drop_object(
        &mut self,
        frame: &Frame,
        kind: DropKind,
        name: &ObjectName,
        if_exists: bool,
    ) -> Result<(), Stop> {
        let found = self.bind(frame, |b| b.find(name))?.bound;
        let fits = |r: &Resolved| match kind {
            DropKind::Table => matches!(r.object.kind, ObjectKind::Table(_)),
            DropKind::View => matches!(r.object.kind, ObjectKind::View(_)),
            DropKind::Procedure => matches!(r.object.kind, ObjectKind::Procedure(_)),
            DropKind::Function => {
                matches!(r.object.kind, ObjectKind::ScalarFunction(_) | ObjectKind::InlineFunction(_))
            }
            _ => matches!(r.object.kind, ObjectKind::Synonym(_)),
        };
        let word = match kind {
            DropKind::Table => "table",
            DropKind::View => "view",
            DropKind::Procedure => "procedure",
            DropKind::Function => "function",
            _ => "synonym",
        };
        let Some(found) = found.filter(fits) else {
            return if if_exists {
                Ok(())
            } else {
                Err(SqlError::cannot_drop(word, &name.to_string()).at(name.line()).into())
            };
        };
        self.enter_write(found.database)?;
        let catalog = self.catalog_of(found.database)?;
        // Under the lock now: someone may have been faster.
        if catalog.object(found.object.id).is_none() {
            return Err(SqlError::cannot_drop(word, &name.to_string()).at(name.line()).into());
        }
        let id = found.object.id;
        if let Some(by) = catalog.bound_to(&found.object).first() {
            let verb = format!("DROP {}", word.to_uppercase());
            return Err(SqlError::schema_bound(&verb, &name.to_string(), &by.name).at(name.line()).into());
        }
        if kind == DropKind::Table {
            if catalog.references_to(id).iter().any(|(owner, _)| owner.id != id) {
                return Err(SqlError::drop_referenced(&name.to_string()).at(name.line()).into());
            }
            self.run_ddl(&[format!("DROP TABLE IF EXISTS {}", table_name(&alias_of(found.database), id))])?;
            self.server.set_identity((found.database, id), None);
        }
        self.change_catalog(found.database, [CatalogChange::RemoveObject(id)], |c| c.remove(id))?;
        Ok(())
    }

    fn drop_schema(&mut self, name: &ObjectName, if_exists: bool) -> Result<(), Stop> {
        let database = self.current_database();
        self.enter_write(database)?;
        let catalog = self.catalog_of(database)?;
        let Some(schema) = catalog.schema_named(name.name()) else {
            return if if_exists {
                Ok(())
            } else {
                Err(SqlError::cannot_drop_principal("schema", name.name()).into())
            };
        };
        let id = schema.id;
        if id <= crate::catalog::SYS || catalog.objects().any(|o| o.schema == id) {
            let holder = catalog.objects().find(|o| o.schema == id).map_or("sys", |o| o.name.as_str());
            return Err(SqlError::new(
                3729,
                16,
                1,
                format!(
                    "Cannot drop schema '{}' because it is being referenced by object '{holder}'.",
                    name.name()
                ),
            )
            .into());
        }
        self.change_catalog(database, [CatalogChange::RemoveSchema(id)], |c| {
            c.schemas.remove(&id);
        })?;
        Ok(())
    }

    fn drop_principal(&mut self, kind: DropKind, name: &ObjectName, if_exists: bool) -> Result<(), Stop> {
        let database = self.current_database();
        self.enter_write(database)?;
        let catalog = self.catalog_of(database)?;
        let (wanted, word) = if kind == DropKind::User {
            (PrincipalKind::SqlUser, "user")
        } else {
            (PrincipalKind::Role, "role")
        };
        let found = catalog.principal_named(name.name()).filter(|p| p.kind == wanted);
        let Some(found) = found else {
            return if if_exists {
                Ok(())
            } else {
                Err(SqlError::cannot_drop_principal(word, name.name()).into())
            };
        };
        let id = found.id;
        if id <= 4 || found.fixed_role {
            return Err(
                SqlError::new(15150, 16, 1, format!("Cannot drop the {word} '{}'.", found.name)).into()
            );
        }
        if catalog.schemas.values().any(|s| s.owner == id) {
            return Err(SqlError::new(
                15138,
                16,
                1,
                "The database principal owns a schema in the database, and cannot be dropped.",
            )
            .into());
        }
        if wanted == PrincipalKind::Role && catalog.principals.values().any(|p| p.member_of.contains(&id)) {
            return Err(SqlError::new(
                15144,
                16,
                1,
                "The role has members. It must be empty before it can be dropped.",
            )
            .into());
        }
        self.change_catalog(database, [CatalogChange::RemovePrincipal(id)], |c| {
            c.principals.remove(&id);
        })?;
        Ok(())
    }

    fn drop_login(&mut self, name: &ObjectName, if_exists: bool) -> Result<(), Stop> {
        let missing = || SqlError::cannot_drop_principal("login", name.name());
        if !self.shared.has_server_role("securityadmin") {
            return Err(missing().into());
        }
        let Some(login) = self.server.login_named(name.name()) else {
            return if if_exists { Ok(()) } else { Err(missing().into()) };
        };
        if login.is_sysadmin() && !self.shared.state().sysadmin {
            return Err(missing().into());
        }
        if login.id == 1 {
            return Err(
                SqlError::new(15150, 16, 1, format!("Cannot drop the login '{}'.", login.name)).into()
            );
        }
        if self.server.sessions().iter().any(|s| same_name(&s.state().login, &login.name)) {
            return Err(SqlError::new(
                15434,
                16,
                1,
                format!("Could not drop login '{}' as the user is currently logged in.", login.name),
            )
            .into());
        }
        self.outside_transactions("DROP LOGIN")?;
        self.server.remove_login(login.id)?;
        Ok(())
    }

    /// Statements on the server's own records are hardened at once: no transaction could take them back.
    pub(super) fn outside_transactions(&self, statement: &str) -> Result<(), SqlError> {
        if self.tran.count > 0 || self.sqlite_open() {
            Err(SqlError::transaction_not_allowed(statement))
        } else {
            Ok(())
        }
    }
}
