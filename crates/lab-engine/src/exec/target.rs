//! A table that a statement writes to, with everything that its rows must satisfy.

use std::cell::RefCell;
use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::types::Value;

use super::{Frame, Stop};
use crate::bind::{Resolved, alias_of};
use crate::catalog::{Catalog, DBO, Object, ObjectKind, Table};
use crate::error::SqlError;
use crate::session::Session;
use crate::store::{Cascaded, Changed, ForeignKeys, LoweredCheck, RowWriter, WriteKind};

/// A table with its names and rules.
pub(crate) struct WriteTarget {
    pub(crate) database: i32,
    pub(crate) object: Arc<Object>,
    pub(crate) database_name: String,
    pub(crate) schema: String,
    pub(crate) alias: String,
    catalog: Arc<Catalog>,
    checks: Vec<LoweredCheck>,
    check_values: Vec<Value>,
    referenced: bool,
}

impl WriteTarget {
    pub(crate) fn table(&self) -> Result<&Table, SqlError> {
        match &self.object.kind {
            ObjectKind::Table(table) => Ok(table),
            _ => Err(SqlError::internal("a target that is no table")),
        }
    }

    pub(crate) fn writer<'a>(
        &'a self,
        conn: &'a Connection,
        kind: WriteKind,
    ) -> Result<RowWriter<'a>, SqlError> {
        let rules = (self.checks.clone(), self.check_values.clone());
        Ok(RowWriter::new(
            conn,
            (&self.database_name, &self.schema),
            &self.alias,
            &self.object,
            self.table()?,
            kind,
            rules,
        ))
    }

    fn foreign_keys<'a>(&'a self, conn: &'a Connection) -> ForeignKeys<'a> {
        ForeignKeys {
            conn,
            catalog: Arc::clone(&self.catalog),
            alias: &self.alias,
            database: &self.database_name,
            cascaded: RefCell::default(),
        }
    }

    /// Whether foreign keys have to see what was changed.
    pub(crate) fn is_referenced(&self) -> bool {
        self.referenced
    }

    /// Judges foreign keys after a statement's writing, and carries out cascades.
    fn judge(
        &self,
        conn: &Connection,
        changes: &[Changed],
        kind: WriteKind,
    ) -> Result<Vec<Cascaded>, SqlError> {
        if !self.referenced {
            return Ok(Vec::new());
        }
        let keys = self.foreign_keys(conn);
        keys.judge(&self.object, changes, kind.name())?;
        Ok(keys.cascaded.into_inner())
    }

    /// `dbo.t`, as messages name it.
    pub(crate) fn full_name(&self) -> String {
        format!("{}.{}.{}", self.database_name, self.schema, self.object.name)
    }
}

impl Session {
    /// Takes the target's write lock and loads its rules. The catalog is read after the lock was taken: nobody changes
    /// the table from then on.
    pub(crate) fn enter_target(&mut self, frame: &Frame, found: &Resolved) -> Result<WriteTarget, Stop> {
        self.enter_write(found.database)?;
        if self.settings.noexec {
            return Err(Stop::Aborted);
        }
        let catalog = self.catalog_of(found.database)?;
        let object = catalog
            .object(found.object.id)
            .cloned()
            .ok_or_else(|| SqlError::invalid_object(&found.object.name))?;
        let ObjectKind::Table(table) = &object.kind else {
            return Err(SqlError::invalid_object(&object.name).into());
        };
        let (checks, check_values) = if table.checks.iter().any(|c| !c.disabled) {
            let mut plan = self.bind(frame, |b| b.checks(table))?;
            let behind = plan.params.split_off(table.columns.len().min(plan.params.len()));
            let values = self.values(frame, &behind)?;
            (plan.bound, values)
        } else {
            (Vec::new(), Vec::new())
        };
        let database_name = self.name_of(found.database);
        let schema = if found.database == 0 {
            "dbo".to_owned()
        } else {
            catalog.schema_name(object.schema).to_owned()
        };
        let alias = alias_of(found.database);
        let mut target = WriteTarget {
            database: found.database,
            object: Arc::clone(&object),
            database_name,
            schema,
            alias,
            catalog,
            checks,
            check_values,
            referenced: false,
        };
        self.write_target = (format!("{}.{}", target.schema, object.name), target.database_name.clone());
        target.referenced = target.foreign_keys(&self.conn).concern(&object);
        Ok(target)
    }

    /// A statement has written `rows` rows: foreign keys judge them, cascades follow, and the transaction's note counts them.
    /// `changes` are the rows themselves where foreign keys ask for them.
    pub(crate) fn written(
        &mut self,
        target: &WriteTarget,
        changes: &[Changed],
        kind: WriteKind,
        rows: u64,
    ) -> Result<(), SqlError> {
        let cascaded = target.judge(&self.conn, changes, kind)?;
        self.tran.touched.add(target.database, target.object.id, kind, rows);
        for c in cascaded {
            self.tran.touched.add(target.database, c.table, c.kind, c.rows);
        }
        Ok(())
    }

    /// The catalog of a database, or of the temporary objects for 0.
    pub(crate) fn catalog_of(&self, database: i32) -> Result<Arc<Catalog>, SqlError> {
        if database == 0 { Ok(Arc::clone(&self.temp)) } else { self.shared.catalog(database) }
    }

    /// A database's name; temporary objects are tempdb's.
    pub(crate) fn name_of(&self, database: i32) -> String {
        if database == 0 {
            "tempdb".to_owned()
        } else {
            self.server.database(database).map(|d| d.name()).unwrap_or_default()
        }
    }

    /// `d.dbo.t`, as messages name a table.
    pub(crate) fn full_name_of(&self, found: &Resolved) -> Result<String, SqlError> {
        let catalog = self.catalog_of(found.database)?;
        let schema = if found.database == 0 { "dbo" } else { catalog.schema_name(found.object.schema) };
        Ok(format!("{}.{schema}.{}", self.name_of(found.database), found.object.name))
    }

    /// The schema that a new object goes into: database (0 for a temporary one) and schema id.
    pub(crate) fn place_for(&mut self, name: &lab_tsql::ast::ObjectName) -> Result<(i32, i32), SqlError> {
        let database = self.bind(&Frame::batch(), |b| b.database_of(name))?.bound;
        if database == 0 || name.name().starts_with('#') {
            return Ok((database, DBO));
        }
        let catalog = self.catalog_of(database)?;
        let Some(schema) = name.schema() else { return Ok((database, self.default_schema(database))) };
        let found =
            catalog.schema_named(schema).ok_or_else(|| SqlError::schema_not_found(schema).at(name.line()))?;
        Ok((database, found.id))
    }
}
