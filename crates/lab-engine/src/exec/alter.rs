//! ALTER TABLE.

use lab_tsql::ast::{AlterTableAction, ConstraintKind, DataType, Ident, ObjectName, TableElement};
use rusqlite::types::Value;

use super::constraint::{Added, TableBeing};
use super::table::mentions;
use super::{Frame, Stop};
use crate::bind::{Bound, Resolved, Scope, Source, alias_of, declared_type};
use crate::catalog::{CatalogChange, Column, Index, IndexRole, Table, same_name};
use crate::error::SqlError;
use crate::session::Session;
use crate::sink::Sink;
use crate::store::{column_declaration, create_table_sql, table_name};
use crate::types::{Collation, SqlType, same_representation};

impl Session {
    pub(super) fn run_alter_table(
        &mut self,
        frame: &mut Frame,
        name: &ObjectName,
        action: &AlterTableAction,
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        if let AlterTableAction::Other(what) = action {
            return Err(SqlError::unsupported(&format!("ALTER TABLE {what}")).into());
        }
        self.atomically(sink, |s, _| {
            let (found, table) = s.table_to_change(frame, name)?;
            match action {
                AlterTableAction::Add { elements, nocheck } => {
                    s.add_elements(frame, &found, table, elements, *nocheck)
                }
                AlterTableAction::Drop(items, if_exists) => {
                    let mut table = table;
                    for (column, name) in items {
                        table = if *column {
                            s.drop_column(&found, table, name, *if_exists)?
                        } else {
                            s.drop_constraint(&found, table, name, *if_exists)?
                        };
                    }
                    s.save_table(&found, table, None)
                }
                AlterTableAction::AlterColumn { name, data_type, collation, nullable } => {
                    s.alter_column(&found, table, name, data_type, collation.as_ref(), *nullable)
                }
                AlterTableAction::SetConstraints { enable, validate, names } => {
                    s.set_constraints(&found, table, *enable, *validate, names)
                }
                AlterTableAction::Other(what) => {
                    Err(SqlError::unsupported(&format!("ALTER TABLE {what}")).into())
                }
            }
        })
    }

    fn add_elements(
        &mut self,
        frame: &Frame,
        found: &Resolved,
        mut table: Table,
        elements: &[TableElement],
        nocheck: bool,
    ) -> Result<(), Stop> {
        let name = found.object.name.clone();
        let catalog = self.catalog_of(found.database)?;
        let mut ids = catalog.ids();
        let being = TableBeing {
            id: found.object.id,
            name: &name,
            schema: found.object.schema,
            database: found.database,
            catalog: &catalog,
            exists: true,
        };
        let old_width = table.columns.len();
        self.define_columns(&mut table, &name, found.database, elements)?;
        let has_rows = self.has_rows(found)?;
        // Defaults first: they fill the new columns of the rows that are there.
        let mut added = Vec::new();
        let mut later = Vec::new();
        for element in elements {
            match element {
                TableElement::Column(def) => {
                    later.extend(def.constraints.iter().map(|c| (c, Some(def.name.value.as_str()))));
                }
                TableElement::Constraint(constraint) => later.push((constraint, None)),
                TableElement::Index(_) => return Err(SqlError::unsupported("ALTER TABLE ADD INDEX").into()),
            }
        }
        let inline = |e: &TableElement| matches!(e, TableElement::Column(def) if !def.indexes.is_empty());
        if elements.iter().any(inline) {
            return Err(SqlError::unsupported("ALTER TABLE ADD of a column with an INDEX").into());
        }
        let with_values: Vec<&str> = later
            .iter()
            .filter(|(c, _)| matches!(c.kind, ConstraintKind::Default { with_values: true, .. }))
            .filter_map(|(_, column)| *column)
            .collect();
        let is_default = |kind: &ConstraintKind| matches!(kind, ConstraintKind::Default { .. });
        for (constraint, column) in later.iter().filter(|(c, _)| is_default(&c.kind)) {
            self.add_constraint(&being, &mut table, &mut ids, constraint, *column)?;
        }
        let new: Vec<Column> = table.columns.get(old_width..).unwrap_or_default().to_vec();
        for column in new.iter().filter(|c| c.computed.is_none()) {
            let fillable =
                column.default.is_some() || column.identity.is_some() || column.ty == SqlType::RowVersion;
            if has_rows && !column.nullable && !fillable {
                return Err(SqlError::not_null_needs_default(&column.name, &name).into());
            }
            self.run_ddl(&[format!(
                "ALTER TABLE {} ADD COLUMN {}",
                table_name(&alias_of(found.database), found.object.id),
                column_declaration(&table, column)
            )])?;
        }
        self.save_table(found, table.clone(), Some(ids))?;
        if has_rows {
            let filled = |c: &&Column| {
                !c.nullable || c.identity.is_some() || with_values.iter().any(|n| same_name(n, &c.name))
            };
            for column in new.iter().filter(|c| c.computed.is_none()).filter(filled) {
                self.fill_column(frame, found, &table, column)?;
            }
        }
        for (constraint, column) in later.iter().filter(|(c, _)| !is_default(&c.kind)) {
            added.push(self.add_constraint(&being, &mut table, &mut ids, constraint, *column)?);
        }
        self.save_table(found, table.clone(), Some(ids))?;
        for one in added {
            match one {
                Added::Index(id) => {
                    let index =
                        table.indexes.iter().find(|i| i.id == id && i.role != IndexRole::Index).cloned();
                    if let Some(index) = index {
                        self.build_index(found, &table, &index)?;
                    }
                }
                Added::Check(id) if nocheck => mark(&mut table, id, None, Some(true)),
                Added::ForeignKey(id) if nocheck => mark(&mut table, id, None, Some(true)),
                Added::Check(id) => self.validate_check(found, &table, id, "ALTER TABLE")?,
                Added::ForeignKey(id) => self.validate_foreign_key(found, &table, id, "ALTER TABLE")?,
                Added::Default => {}
            }
        }
        self.save_table(found, table, Some(ids))
    }

    pub(super) fn has_rows(&self, found: &Resolved) -> Result<bool, SqlError> {
        let sql = format!(
            "SELECT EXISTS(SELECT 1 FROM {})",
            table_name(&alias_of(found.database), found.object.id)
        );
        self.conn.query_row(&sql, [], |r| r.get(0)).map_err(|e| SqlError::sqlite(&e))
    }

    /// Gives the rows that are there a value in a new column.
    fn fill_column(
        &mut self,
        frame: &Frame,
        found: &Resolved,
        _table: &Table,
        column: &Column,
    ) -> Result<(), Stop> {
        let sqlite = table_name(&alias_of(found.database), found.object.id);
        if column.identity.is_some() || column.ty == SqlType::RowVersion {
            let object = self
                .catalog_of(found.database)?
                .object(found.object.id)
                .cloned()
                .ok_or_else(|| SqlError::internal("a table that is gone"))?;
            let target = self.enter_target(frame, &Resolved { database: found.database, object })?;
            let rowids: Vec<i64> = {
                let mut statement = self
                    .conn
                    .prepare(&format!("SELECT rowid FROM {sqlite} ORDER BY rowid"))
                    .map_err(|e| SqlError::sqlite(&e))?;
                let rows = statement.query_map([], |r| r.get(0)).map_err(|e| SqlError::sqlite(&e))?;
                rows.collect::<Result<_, _>>().map_err(|e| SqlError::sqlite(&e))?
            };
            let update = format!("UPDATE {sqlite} SET c{}=?1 WHERE rowid=?2", column.id);
            let mut next = match column.identity {
                Some(_) => self.draw_identity(&target, rowids.len())?,
                None => 0,
            };
            for rowid in rowids {
                let value = match column.identity {
                    Some(identity) => {
                        let value = next;
                        next += identity.increment;
                        if column.ty.is_decimal() {
                            crate::types::decimal_value(i128::from(value), column.ty.precision())?
                        } else {
                            Value::Integer(value)
                        }
                    }
                    None => self.next_rowversion(&target)?,
                };
                let set = || self.conn.prepare_cached(&update)?.execute((value, rowid));
                set().map_err(|e| SqlError::sqlite(&e))?;
            }
            return Ok(());
        }
        let full = found.object.name.clone();
        let plan = self.bind(frame, |b| {
            let default = b.default_of(column)?;
            b.assign_column(&default, &full, column)
        })?;
        let values = self.values(frame, &plan.params)?;
        let sql = format!("UPDATE {sqlite} SET c{}={}", column.id, plan.bound.sql);
        self.conn.execute(&sql, rusqlite::params_from_iter(values)).map_err(|e| SqlError::sqlite(&e))?;
        Ok(())
    }

    /// Judges the rows that are there by a CHECK constraint.
    ///
    /// # Errors
    /// 547.
    fn validate_check(&mut self, found: &Resolved, table: &Table, id: i32, verb: &str) -> Result<(), Stop> {
        let Some(check) = table.checks.iter().find(|c| c.object_id == id) else { return Ok(()) };
        let expr = lab_tsql::parse_expression(&check.definition, &lab_tsql::ParseOptions::default())
            .map_err(SqlError::from)?;
        let frame = Frame::batch();
        let alias = alias_of(found.database);
        let plan = self.bind(&frame, |b| {
            let columns = b.table_columns(table, "x")?;
            let source =
                Source { alias: "x".to_owned(), exposed: None, qualifier: Vec::new(), columns, table: None };
            b.scopes.push(Scope { sources: vec![source], ..Scope::default() });
            let sql = b.condition(&expr);
            b.scopes.pop();
            sql
        })?;
        let sql = format!(
            "SELECT EXISTS(SELECT 1 FROM {} AS x WHERE NOT ({}))",
            table_name(&alias, found.object.id),
            plan.bound
        );
        let values = self.values(&frame, &plan.params)?;
        let bad: bool = self
            .conn
            .query_row(&sql, rusqlite::params_from_iter(values), |r| r.get(0))
            .map_err(|e| SqlError::sqlite(&e))?;
        if bad {
            let column = table.column(check.column).map(|c| c.name.as_str());
            return Err(SqlError::check_violation(
                verb,
                &check.name,
                &self.name_of(found.database),
                &self.dotted(found)?,
                column,
            )
            .into());
        }
        Ok(())
    }

    /// Judges the rows that are there by a foreign key.
    ///
    /// # Errors
    /// 547.
    fn validate_foreign_key(
        &mut self,
        found: &Resolved,
        table: &Table,
        id: i32,
        verb: &str,
    ) -> Result<(), Stop> {
        let Some(fk) = table.foreign_keys.iter().find(|f| f.object_id == id) else { return Ok(()) };
        let alias = alias_of(found.database);
        let set: Vec<String> = fk.columns.iter().map(|c| format!("x.c{c} IS NOT NULL")).collect();
        let met: Vec<String> =
            fk.referenced_columns.iter().zip(&fk.columns).map(|(p, c)| format!("p.c{p}=x.c{c}")).collect();
        let sql = format!(
            "SELECT EXISTS(SELECT 1 FROM {} AS x WHERE {} AND NOT EXISTS(SELECT 1 FROM {} AS p WHERE {}))",
            table_name(&alias, found.object.id),
            set.join(" AND "),
            table_name(&alias, fk.referenced_table),
            met.join(" AND ")
        );
        let bad: bool = self.conn.query_row(&sql, [], |r| r.get(0)).map_err(|e| SqlError::sqlite(&e))?;
        if bad {
            let catalog = self.catalog_of(found.database)?;
            let parent = catalog.object(fk.referenced_table).cloned();
            let shown = parent
                .as_ref()
                .map(|p| format!("{}.{}", catalog.schema_name(p.schema), p.name))
                .unwrap_or_default();
            let column = match fk.referenced_columns.as_slice() {
                [only] => parent
                    .as_ref()
                    .and_then(|p| p.table())
                    .and_then(|t| t.column(*only))
                    .map(|c| c.name.clone()),
                _ => None,
            };
            let kind =
                if fk.referenced_table == found.object.id { "FOREIGN KEY SAME TABLE" } else { "FOREIGN KEY" };
            return Err(SqlError::foreign_key_violation(
                verb,
                kind,
                &fk.name,
                &self.name_of(found.database),
                &shown,
                column.as_deref(),
            )
            .into());
        }
        Ok(())
    }

    fn dotted(&self, found: &Resolved) -> Result<String, SqlError> {
        let catalog = self.catalog_of(found.database)?;
        Ok(format!("{}.{}", catalog.schema_name(found.object.schema), found.object.name))
    }

    fn drop_column(
        &mut self,
        found: &Resolved,
        mut table: Table,
        name: &Ident,
        if_exists: bool,
    ) -> Result<Table, Stop> {
        let Some(column) = table.column_named(&name.value).cloned() else {
            if if_exists {
                return Ok(table);
            }
            return Err(SqlError::drop_column_missing(&name.value, &found.object.name)
                .at(name.pos.line)
                .into());
        };
        let users = self.column_users(found, &table, column.id, true)?;
        if !users.is_empty() {
            let e = SqlError::column_in_use(&column.name).at(name.pos.line);
            return Err(users.into_iter().fold(e, SqlError::after).into());
        }
        if table.columns.len() == 1 {
            return Err(SqlError::new(4923, 16, 1, format!("ALTER TABLE DROP COLUMN failed because '{}' is the only data column in table '{}'. A table must have at least one data column.", column.name, found.object.name)).into());
        }
        if column.computed.is_none() {
            self.run_ddl(&[format!(
                "ALTER TABLE {} DROP COLUMN c{}",
                table_name(&alias_of(found.database), found.object.id),
                column.id
            )])?;
        }
        table.columns.retain(|c| c.id != column.id);
        // The next column of the same statement is judged without this one.
        self.save_table(found, table.clone(), None)?;
        Ok(table)
    }

    /// What needs a column, one 5074 for each: constraints, indexes, computed columns, modules bound to their schema.
    fn column_users(
        &self,
        found: &Resolved,
        table: &Table,
        id: i32,
        with_default: bool,
    ) -> Result<Vec<SqlError>, SqlError> {
        let Some(column) = table.column(id) else { return Ok(Vec::new()) };
        let in_text = |text: &str| mentions(text, &column.name);
        let user = |kind: &str, name: &str| SqlError::dependent(name, kind, &column.name);
        let mut users = Vec::new();
        for index in &table.indexes {
            let uses = index.keys.iter().any(|k| k.column == id)
                || index.included.contains(&id)
                || index.filter.as_deref().is_some_and(in_text);
            if uses {
                users
                    .push(user(if index.role == IndexRole::Index { "index" } else { "object" }, &index.name));
            }
        }
        let keys = table.foreign_keys.iter().filter(|f| f.columns.contains(&id));
        users.extend(keys.map(|f| user("object", &f.name)));
        let checks = table.checks.iter().filter(|c| in_text(&c.definition));
        users.extend(checks.map(|c| user("object", &c.name)));
        let computed = table
            .columns
            .iter()
            .filter(|c| c.id != id && c.computed.as_ref().is_some_and(|c| in_text(&c.definition)));
        users.extend(computed.map(|c| user("column", &c.name)));
        if let Some(default) = column.default.as_ref().filter(|_| with_default) {
            users.push(user("object", &default.name));
        }
        let catalog = self.catalog_of(found.database)?;
        for (_, key) in catalog.references_to(found.object.id) {
            if key.referenced_columns.contains(&id) {
                users.push(user("object", &key.name));
            }
        }
        for module in catalog.bound_to(&found.object) {
            if module.kind.module().is_some_and(|m| in_text(&m.definition)) {
                users.push(user("object", &module.name));
            }
        }
        Ok(users)
    }

    fn drop_constraint(
        &mut self,
        found: &Resolved,
        mut table: Table,
        name: &Ident,
        if_exists: bool,
    ) -> Result<Table, Stop> {
        let key =
            table.indexes.iter().position(|i| i.role != IndexRole::Index && same_name(&i.name, &name.value));
        if let Some(at) = key {
            return self.drop_key(found, table, at);
        }
        let before = table.constraints().len();
        table.checks.retain(|c| !same_name(&c.name, &name.value));
        table.foreign_keys.retain(|c| !same_name(&c.name, &name.value));
        for column in &mut table.columns {
            if column.default.as_ref().is_some_and(|d| same_name(&d.name, &name.value)) {
                column.default = None;
            }
        }
        if table.constraints().len() == before && !if_exists {
            let e = SqlError::not_a_constraint(&name.value).at(name.pos.line);
            let last = SqlError::new(3727, 16, 0, "Could not drop constraint. See previous errors.");
            return Err(last.after(e).at(name.pos.line).into());
        }
        Ok(table)
    }

    fn drop_key(&mut self, found: &Resolved, mut table: Table, at: usize) -> Result<Table, Stop> {
        let Some(index) = table.indexes.get(at).cloned() else { return Ok(table) };
        let keys: Vec<i32> = index.keys.iter().map(|k| k.column).collect();
        let catalog = self.catalog_of(found.database)?;
        let uses = |f: &crate::catalog::ForeignKey| {
            f.key_index_id == index.id && f.referenced_columns.iter().all(|c| keys.contains(c))
        };
        if let Some((owner, fk)) = catalog.references_to(found.object.id).iter().find(|(_, f)| uses(f)) {
            let e = SqlError::new(
                3725,
                16,
                0,
                format!(
                    "The constraint '{}' is being referenced by table '{}', foreign key constraint '{}'.",
                    index.name, owner.name, fk.name
                ),
            );
            let last = SqlError::new(3727, 16, 0, "Could not drop constraint. See previous errors.");
            return Err(last.after(e).into());
        }
        let old = table.clone();
        table.indexes.remove(at);
        let is_rowid = matches!(index.role, IndexRole::PrimaryKey(_))
            && keys.first().is_some_and(|k| Some(*k) == table.rowid_column)
            && keys.len() == 1;
        if is_rowid {
            // The key was SQLite's rowid, which cannot have duplicates: the table is made anew without it.
            table.rowid_column = None;
            self.rebuild(found, &old, &table, None)?;
        } else {
            self.drop_index_ddl(found, &index)?;
        }
        Ok(table)
    }

    /// Makes a table anew with its rows; one column may be converted on the way, by the SQL given for it.
    fn rebuild(
        &mut self,
        found: &Resolved,
        old: &Table,
        new: &Table,
        converted: Option<(i32, &str)>,
    ) -> Result<(), Stop> {
        let alias = alias_of(found.database);
        let name = table_name(&alias, found.object.id);
        let bare = name.rsplit('.').next().unwrap_or(&name).to_owned();
        let columns: Vec<String> = new.stored_columns().map(|c| format!("c{}", c.id)).collect();
        let values: Vec<String> = new
            .stored_columns()
            .map(|c| match converted {
                Some((id, sql)) if id == c.id => sql.to_owned(),
                _ => format!("c{}", c.id),
            })
            .collect();
        let (rowid, row) = if new.rowid_column.is_none() && old.rowid_column.is_none() {
            (",rowid", ",rowid")
        } else {
            ("", "")
        };
        let mut ddl = vec![
            create_table_sql(&format!("{name}_new"), new),
            format!(
                "INSERT INTO {name}_new({}{rowid}) SELECT {}{row} FROM {name}",
                columns.join(","),
                values.join(",")
            ),
            format!("DROP TABLE {name}"),
            format!("ALTER TABLE {name}_new RENAME TO {bare}"),
        ];
        for index in &new.indexes {
            ddl.extend(self.index_ddl(&alias, found.object.id, new, index)?);
        }
        self.run_ddl(&ddl)
    }

    fn alter_column(
        &mut self,
        found: &Resolved,
        mut table: Table,
        name: &Ident,
        data_type: &DataType,
        collation: Option<&Ident>,
        nullable: Option<bool>,
    ) -> Result<(), Stop> {
        let Some(old) = table.column_named(&name.value).cloned() else {
            return Err(SqlError::new(
                4924,
                16,
                1,
                format!(
                    "ALTER TABLE ALTER COLUMN failed because column '{}' does not exist in table '{}'.",
                    name.value, found.object.name
                ),
            )
            .at(name.pos.line)
            .into());
        };
        let in_use = |users: Vec<SqlError>| {
            users.into_iter().fold(SqlError::alter_column_in_use(&old.name), SqlError::after)
        };
        if old.computed.is_some() || old.ty == SqlType::RowVersion {
            return Err(SqlError::new(
                4928,
                16,
                1,
                format!(
                    "Cannot alter column '{}' because it is '{}'.",
                    old.name,
                    if old.computed.is_some() { "COMPUTED" } else { "timestamp" }
                ),
            )
            .into());
        }
        let collation = match collation {
            Some(c) => Collation::by_name(&c.value).ok_or_else(|| SqlError::invalid_collation(&c.value))?,
            None => old.collation,
        };
        let new = Column {
            ty: declared_type(data_type)?,
            nullable: nullable.unwrap_or(old.identity.is_none()),
            collation,
            ..old.clone()
        };
        let keyed = table.primary_key().is_some_and(|k| k.keys.iter().any(|k| k.column == old.id));
        if keyed && new.nullable {
            return Err(in_use(self.column_users(found, &table, old.id, false)?).into());
        }
        if new.identity.is_some() && (!new.ty.is_integer() && !new.ty.is_decimal() || new.ty.scale() > 0) {
            return Err(SqlError::new(2749, 16, 2, format!("Identity column '{}' must be of data type int, bigint, smallint, tinyint, or decimal or numeric with a scale of 0, unencrypted, and constrained to be nonnullable.", old.name)).into());
        }
        let sqlite = table_name(&alias_of(found.database), found.object.id);
        if !new.nullable && old.nullable {
            let bad: bool = self
                .conn
                .query_row(
                    &format!("SELECT EXISTS(SELECT 1 FROM {sqlite} WHERE c{} IS NULL)", old.id),
                    [],
                    |r| r.get(0),
                )
                .map_err(|e| SqlError::sqlite(&e))?;
            if bad {
                let full = format!("{}.{}", self.name_of(found.database), self.dotted(found)?);
                return Err(SqlError::null_not_allowed(&old.name, &full, "UPDATE").into());
            }
        }
        let old_table = table.clone();
        if let Some(slot) = table.column_named_mut(&old.name) {
            *slot = new.clone();
        }
        let same = same_representation(old.ty, new.ty) && old.collation.name() == new.collation.name();
        let grows = old.ty == new.ty
            || (same && new.ty.max_length() == -1)
            || (same
                && old.ty.max_length() != -1
                && old.ty.max_length() <= new.ty.max_length()
                && old.ty.name() == new.ty.name());
        if !(same && grows) {
            // A default outlives another length, but not another type.
            let users = self.column_users(found, &old_table, old.id, old.ty.name() != new.ty.name())?;
            if !users.is_empty() {
                return Err(in_use(users).into());
            }
            let full = format!("{}.{}", self.name_of(found.database), self.dotted(found)?);
            let frame = Frame::batch();
            let plan = self.bind(&frame, |b| {
                let from = Bound {
                    collation: Some(old.collation),
                    ..Bound::new(format!("c{}", old.id), old.ty, old.nullable)
                };
                b.assign_column(&from, &full, &new)
            })?;
            self.rebuild(found, &old_table, &table, Some((old.id, &plan.bound.sql)))?;
        } else if old.nullable != new.nullable {
            // The companions of unique indexes depend on which columns may be NULL.
            let affected: Vec<Index> = table
                .indexes
                .iter()
                .filter(|i| i.unique && i.keys.iter().any(|k| k.column == old.id))
                .cloned()
                .collect();
            for index in affected {
                self.drop_index_ddl(found, &index)?;
                self.build_index(found, &table, &index)?;
            }
        }
        self.save_table(found, table, None)
    }

    fn set_constraints(
        &mut self,
        found: &Resolved,
        mut table: Table,
        enable: bool,
        validate: bool,
        names: &[Ident],
    ) -> Result<(), Stop> {
        let chosen: Vec<(i32, String)> = table
            .checks
            .iter()
            .map(|c| (c.object_id, c.name.clone()))
            .chain(table.foreign_keys.iter().map(|f| (f.object_id, f.name.clone())))
            .filter(|(_, name)| names.is_empty() || names.iter().any(|n| same_name(&n.value, name)))
            .collect();
        if let Some(missing) = names.iter().find(|n| !chosen.iter().any(|(_, c)| same_name(c, &n.value))) {
            return Err(SqlError::new(
                4917,
                16,
                0,
                format!("Constraint '{}' does not exist.", missing.value),
            )
            .at(missing.pos.line)
            .into());
        }
        for (id, _) in chosen {
            let was_trusted = table.checks.iter().any(|c| c.object_id == id && !c.not_trusted && !c.disabled)
                || table.foreign_keys.iter().any(|f| f.object_id == id && !f.not_trusted && !f.disabled);
            mark(&mut table, id, Some(!enable), Some(!(enable && (validate || was_trusted))));
            if enable && validate {
                self.validate_check(found, &table, id, "ALTER TABLE")?;
                self.validate_foreign_key(found, &table, id, "ALTER TABLE")?;
            }
        }
        self.save_table(found, table, None)
    }

    /// Renames a table's column or index, or an object (sp_rename).
    pub(super) fn rename(
        &mut self,
        frame: &Frame,
        name: &ObjectName,
        new: &str,
        what: &str,
    ) -> Result<(), Stop> {
        let ambiguous = || {
            SqlError::new(
                15225,
                11,
                1,
                format!(
                    "No item by the name of '{name}' could be found in the current database, given that @itemtype was input as '{what}'."
                ),
            )
        };
        let here = frame.database.unwrap_or_else(|| self.current_database());
        if !self.shared.rights(here)?.ddl {
            return Err(ambiguous().into());
        }
        if matches!(what, "COLUMN" | "INDEX") {
            let mut parts = name.parts.clone();
            let Some(inner) = parts.pop() else { return Err(ambiguous().into()) };
            let (found, mut table) = self.table_to_change(frame, &ObjectName { parts })?;
            if what == "COLUMN" {
                if table.column_named(new).is_some() {
                    return Err(SqlError::new(15335, 11, 1, format!("Error: The new name '{new}' is already in use as a COLUMN name and would cause a duplicate that is not permitted.")).into());
                }
                let Some(_) = table.column_named(&inner.value).map(|c| c.id) else {
                    return Err(ambiguous().into());
                };
                let enforced = table.checks.iter().map(|c| c.definition.as_str()).chain(
                    table.columns.iter().filter_map(|c| c.computed.as_ref().map(|c| c.definition.as_str())),
                );
                let filters = table.indexes.iter().filter_map(|i| i.filter.as_deref());
                let bound = self.catalog_of(found.database)?;
                let bound = bound.bound_to(&found.object);
                let modules = bound.iter().filter_map(|o| o.kind.module().map(|m| m.definition.as_str()));
                if enforced.chain(filters).chain(modules).any(|text| mentions(text, &inner.value)) {
                    return Err(SqlError::new(15336, 16, 1, format!("Object '{name}' cannot be renamed because the object participates in enforced dependencies.")).into());
                }
                if let Some(column) = table.column_named_mut(&inner.value) {
                    new.clone_into(&mut column.name);
                }
            } else {
                let index = table
                    .indexes
                    .iter_mut()
                    .find(|i| same_name(&i.name, &inner.value))
                    .ok_or_else(ambiguous)?;
                new.clone_into(&mut index.name);
            }
            return self.save_table(&found, table, None);
        }
        let Some(found) = self.bind(frame, |b| b.find(name))?.bound else {
            return self.rename_constraint(frame, name, new, ambiguous());
        };
        self.enter_write(found.database)?;
        let catalog = self.catalog_of(found.database)?;
        if let Some(by) = catalog.bound_to(&found.object).first() {
            let text = format!(
                "Object '{name}' cannot be renamed because the object participates in enforced dependencies."
            );
            return Err(SqlError::new(15336, 16, 1, text)
                .after(SqlError::schema_bound("RENAME", name.name(), &by.name))
                .into());
        }
        if catalog.id_of(found.object.schema, new).is_some() {
            return Err(SqlError::new(15335, 11, 1, format!("Error: The new name '{new}' is already in use as a OBJECT name and would cause a duplicate that is not permitted.")).into());
        }
        let object = crate::catalog::Object {
            name: new.to_owned(),
            modified: crate::types::now_datetime(),
            ..(*found.object).clone()
        };
        let id = object.id;
        self.change_catalog(found.database, [CatalogChange::PutObject(id)], |c| {
            c.put(object);
        })?;
        Ok(())
    }
}

impl Session {
    /// Renames a constraint, which is found by the name of its own and not by its table's.
    fn rename_constraint(
        &mut self,
        frame: &Frame,
        name: &ObjectName,
        new: &str,
        missing: SqlError,
    ) -> Result<(), Stop> {
        let database = frame.database.unwrap_or_else(|| self.current_database());
        let catalog = self.catalog_of(database)?;
        let schema = match name.schema() {
            Some(schema) => catalog.schema_named(schema).map(|s| s.id).ok_or_else(|| missing.clone())?,
            None => self.default_schema(database),
        };
        let owner = catalog.id_of(schema, name.name()).and_then(|id| catalog.constraint_table(id).cloned());
        let owner = owner.ok_or(missing)?;
        if catalog.id_of(schema, new).is_some() {
            return Err(SqlError::new(15335, 11, 1, format!("Error: The new name '{new}' is already in use as a OBJECT name and would cause a duplicate that is not permitted.")).into());
        }
        self.enter_write(database)?;
        let object = self.catalog_of(database)?.object(owner.id).cloned();
        let object = object.ok_or_else(|| SqlError::internal("a table that is gone"))?;
        let Some(mut table) = object.table().cloned() else { return Ok(()) };
        let names = table
            .indexes
            .iter_mut()
            .map(|i| &mut i.name)
            .chain(table.checks.iter_mut().map(|c| &mut c.name))
            .chain(table.foreign_keys.iter_mut().map(|f| &mut f.name))
            .chain(table.columns.iter_mut().filter_map(|c| c.default.as_mut()).map(|d| &mut d.name));
        for slot in names.filter(|n| same_name(n, name.name())) {
            new.clone_into(slot);
        }
        self.save_table(&Resolved { database, object }, table, None)
    }
}

/// Sets whether a CHECK or FOREIGN KEY is disabled and whether existing rows were left unchecked.
fn mark(table: &mut Table, id: i32, disabled: Option<bool>, not_trusted: Option<bool>) {
    for check in table.checks.iter_mut().filter(|c| c.object_id == id) {
        check.disabled = disabled.unwrap_or(check.disabled);
        check.not_trusted = not_trusted.unwrap_or(check.not_trusted);
    }
    for key in table.foreign_keys.iter_mut().filter(|f| f.object_id == id) {
        key.disabled = disabled.unwrap_or(key.disabled);
        key.not_trusted = not_trusted.unwrap_or(key.not_trusted);
    }
}
