//! CREATE TABLE and table variables.

use std::collections::BTreeMap;
use std::sync::Arc;

use lab_tsql::ast::{ConstraintKind, CreateTable, InlineIndex, ObjectName, TableElement};

use super::constraint::TableBeing;
use super::index::{NewIndex, define_index};
use super::{Frame, Stop};
use crate::bind::alias_of;
use crate::catalog::{Catalog, CatalogChange, DBO, Index, Object, ObjectIds, ObjectKind, Table, same_name};
use crate::error::SqlError;
use crate::session::Session;
use crate::session::TABLE_VARIABLE;
use crate::sink::Sink;
use crate::store::{create_index_sql, create_table_sql, table_name};
use crate::types::{SqlType, now_datetime};

impl Session {
    pub(super) fn run_create_table(
        &mut self,
        frame: &mut Frame,
        create: &CreateTable,
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        self.atomically(sink, |s, _| {
            let (database, schema) = s.place_for(&create.name)?;
            s.enter_write(database)?;
            s.must_be_new(database, schema, &create.name)?;
            s.create_table(frame, database, schema, create.name.name(), &create.elements)?;
            Ok(())
        })
    }

    pub(super) fn must_be_new(&self, database: i32, schema: i32, name: &ObjectName) -> Result<(), SqlError> {
        let catalog = self.catalog_of(database)?;
        if catalog.id_of(schema, name.name()).is_some() {
            return Err(SqlError::object_exists(name.name()).at(name.line()));
        }
        Ok(())
    }

    /// Defines a table and makes it. The caller has entered the write.
    fn create_table(
        &mut self,
        frame: &mut Frame,
        database: i32,
        schema: i32,
        name: &str,
        elements: &[TableElement],
    ) -> Result<Arc<Object>, Stop> {
        let catalog = self.catalog_of(database)?;
        let mut ids = catalog.ids();
        let id = self.new_object_id(database, &mut ids);
        let mut table = Table { next_column_id: 1, ..Table::default() };
        self.define_columns(&mut table, name, database, elements)?;
        let being = TableBeing { id, name, schema, database, catalog: &catalog, exists: false };
        for element in elements {
            match element {
                TableElement::Column(def) => {
                    for constraint in &def.constraints {
                        self.add_constraint(&being, &mut table, &mut ids, constraint, Some(&def.name.value))?;
                    }
                }
                TableElement::Constraint(_) | TableElement::Index(_) => {}
            }
        }
        // Keys before foreign keys: a table may refer to itself.
        let later = |c: &&TableElement| matches!(c, TableElement::Constraint(c) if matches!(c.kind, ConstraintKind::ForeignKey { .. }));
        for element in elements.iter().filter(|e| !later(e)).chain(elements.iter().filter(later)) {
            if let TableElement::Constraint(constraint) = element {
                self.add_constraint(&being, &mut table, &mut ids, constraint, None)?;
            }
        }
        for element in elements {
            let inline = match element {
                TableElement::Index(inline) => std::slice::from_ref(inline),
                TableElement::Column(def) => def.indexes.as_slice(),
                TableElement::Constraint(_) => &[],
            };
            for inline in inline {
                self.add_inline_index(&mut table, name, inline)?;
            }
        }
        must_fit(&table, name)?;
        table.rowid_column = rowid_column(&table);
        self.put_table(frame, (database, schema), (id, ids), name, table)
    }

    fn add_inline_index(&self, table: &mut Table, name: &str, inline: &InlineIndex) -> Result<(), Stop> {
        if table.indexes.iter().any(|i| same_name(&i.name, &inline.name.value)) {
            return Err(SqlError::no_constraint(SqlError::index_exists(&inline.name.value, name)).into());
        }
        let index = define_index(
            table,
            name,
            &NewIndex {
                name: &inline.name.value,
                unique: inline.unique,
                clustered: inline.clustered && !table.indexes.iter().any(|i| i.clustered),
                keys: &inline.columns,
                included: &inline.include,
                filter: inline.filter.as_ref(),
                ignore_dup_key: false,
                fill_factor: 0,
            },
        )
        .map_err(SqlError::no_constraint)?;
        table.indexes.push(index);
        Ok(())
    }

    /// The id of a new object, counted per database, or per server for temporary ones.
    pub(super) fn new_object_id(&self, database: i32, ids: &mut ObjectIds) -> i32 {
        if database == 0 { self.server.next_temp_object_id() } else { ids.take() }
    }

    pub(super) fn define_columns(
        &self,
        table: &mut Table,
        name: &str,
        database: i32,
        elements: &[TableElement],
    ) -> Result<(), Stop> {
        let first = table.columns.len();
        for element in elements {
            let TableElement::Column(def) = element else { continue };
            if table.column_named(&def.name.value).is_some() {
                return Err(SqlError::duplicate_table_column(&def.name.value, name)
                    .at(def.name.pos.line)
                    .into());
            }
            let id = table.next_column_id;
            table.next_column_id += 1;
            let place = table.columns.len() + 1;
            let column = self
                .define_column(def, database, id)
                .map_err(|stop| stop.map(|e| named_in_column(e, &def.name.value, place)))?;
            if column.ty == SqlType::RowVersion && table.columns.iter().any(|c| c.ty == SqlType::RowVersion) {
                return Err(SqlError::two_timestamps(name, &column.name).at(def.name.pos.line).into());
            }
            table.columns.push(column);
        }
        if table.columns.len() > 1024 {
            return Err(SqlError::new(1702, 16, 1, format!("CREATE TABLE failed because column '{}' in table '{name}' exceeds the maximum of 1024 columns.", table.columns.get(1024).map_or("", |c| &c.name))).into());
        }
        if table.columns.iter().filter(|c| c.identity.is_some()).count() > 1 {
            return Err(SqlError::two_identities(name).into());
        }
        let defs =
            elements.iter().filter_map(|e| if let TableElement::Column(def) = e { Some(def) } else { None });
        for (n, def) in defs.enumerate() {
            if let Some((expr, text)) = &def.computed {
                let computed = |c: &&crate::catalog::Column| c.computed.is_some();
                let other = table.columns.iter().filter(computed).find(|c| mentions(text, &c.name));
                if let Some(other) = other {
                    return Err(SqlError::new(1759, 16, 0, format!("Computed column '{}' in table '{name}' is not allowed to be used in another computed-column definition.", other.name)).at(def.name.pos.line).into());
                }
                self.type_computed(table, name, first + n, expr)?;
                if def.nullable == Some(false)
                    && let Some(column) = table.columns.get_mut(first + n)
                {
                    column.nullable = false;
                }
            }
        }
        Ok(())
    }

    /// Makes a table that another statement has defined (SELECT INTO).
    pub(super) fn put_new_table(
        &mut self,
        frame: &mut Frame,
        database: i32,
        schema: i32,
        name: &str,
        table: Table,
    ) -> Result<Arc<Object>, Stop> {
        let catalog = self.catalog_of(database)?;
        if catalog.id_of(schema, name).is_some() {
            return Err(SqlError::object_exists(name).into());
        }
        let mut ids = catalog.ids();
        let id = self.new_object_id(database, &mut ids);
        self.put_table(frame, (database, schema), (id, ids), name, table)
    }

    fn put_table(
        &mut self,
        frame: &mut Frame,
        (database, schema): (i32, i32),
        (id, ids): (i32, ObjectIds),
        name: &str,
        table: Table,
    ) -> Result<Arc<Object>, Stop> {
        let alias = alias_of(database);
        let mut ddl = vec![create_table_sql(&table_name(&alias, id), &table)];
        for index in &table.indexes {
            ddl.extend(self.index_ddl(&alias, id, &table, index)?);
        }
        self.run_ddl(&ddl)?;
        let now = now_datetime();
        let schema = if database == 0 { DBO } else { schema };
        let object = Object {
            id,
            schema,
            name: name.to_owned(),
            created: now,
            modified: now,
            kind: ObjectKind::Table(table),
        };
        let object = self.put_object(database, object, Some(ids))?;
        if database == 0 {
            frame.temporary.push(id);
        }
        Ok(object)
    }

    /// SQLite's statements for an index.
    pub(super) fn index_ddl(
        &self,
        alias: &str,
        id: i32,
        table: &Table,
        index: &Index,
    ) -> Result<Vec<String>, Stop> {
        let filter = match &index.filter {
            Some(filter) => Some(self.bind(&Frame::batch(), |b| b.index_filter(table, filter))?.bound),
            None => None,
        };
        let computed = self.computed_keys(table, index)?;
        Ok(create_index_sql(alias, id, table, index, filter.as_deref(), &computed))
    }

    /// The expressions of the computed columns that an index has as keys.
    ///
    /// # Errors
    /// 2729 if one depends on more than the row.
    fn computed_keys(&self, table: &Table, index: &Index) -> Result<BTreeMap<i32, String>, Stop> {
        let mut out = BTreeMap::new();
        for key in &index.keys {
            let Some(at) = table.columns.iter().position(|c| c.id == key.column && c.computed.is_some())
            else {
                continue;
            };
            let plan =
                self.bind(&Frame::batch(), |b| b.table_columns_at(table, |_, c| format!("c{}", c.id)))?;
            let Some(column) = plan.bound.get(at) else { continue };
            if !plan.params.is_empty() || column.sql.contains("SELECT ") {
                return Err(SqlError::not_deterministic(&column.name, "").into());
            }
            out.insert(key.column, column.sql.clone());
        }
        Ok(out)
    }

    pub(super) fn run_ddl(&self, statements: &[String]) -> Result<(), Stop> {
        for sql in statements {
            self.conn.execute_batch(sql).map_err(|e| Stop::from(SqlError::sqlite(&e)))?;
        }
        Ok(())
    }

    /// Puts an object into its database's catalog, new or in the place of its former self.
    pub(super) fn put_object(
        &mut self,
        database: i32,
        object: Object,
        ids: Option<ObjectIds>,
    ) -> Result<Arc<Object>, Stop> {
        let id = object.id;
        let mut put = None;
        self.change_catalog(database, [CatalogChange::PutObject(id)], |catalog| {
            put = Some(catalog.put(object));
            if let Some(ids) = ids {
                catalog.advance(ids);
            }
        })?;
        put.ok_or_else(|| SqlError::internal("an object that was not put").into())
    }

    /// DECLARE @t TABLE (...): a temporary table that only this frame knows.
    pub(super) fn declare_table(
        &mut self,
        frame: &mut Frame,
        name: &str,
        elements: &[TableElement],
    ) -> Result<(), Stop> {
        let folded = name.to_lowercase();
        if frame.tables.contains_key(&folded) || frame.variables.contains_key(&folded) {
            return Err(SqlError::duplicate_variable(name).into());
        }
        let mut nobody = super::sinks::FirstError::default();
        let id = self.atomically(&mut nobody, |s, _| {
            s.enter_write(0)?;
            // No object can be called that, so it meets no other table.
            let hidden = format!("{TABLE_VARIABLE}{}{name}", s.server.next_temp_object_id());
            Ok(s.create_table(frame, 0, DBO, &hidden, elements)?.id)
        })?;
        frame.tables.insert(folded, id);
        Ok(())
    }

    /// Drops what a procedure has made, when it ends.
    pub(super) fn drop_temporary(&mut self, frame: &mut Frame) -> Result<(), Stop> {
        let ids: Vec<i32> = frame.temporary.drain(..).filter(|id| self.temp.object(*id).is_some()).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let mut nobody = super::sinks::FirstError::default();
        self.atomically(&mut nobody, |s, _| {
            s.enter_write(0)?;
            for id in &ids {
                s.run_ddl(&[format!("DROP TABLE IF EXISTS {}", table_name("temp", *id))])?;
            }
            s.change_catalog(0, [], |catalog: &mut Catalog| ids.iter().for_each(|id| catalog.remove(*id)))?;
            Ok(())
        })
    }
}

/// An integer primary key is SQLite's rowid.
fn rowid_column(table: &Table) -> Option<i32> {
    let key = table.primary_key()?;
    let [only] = key.keys.as_slice() else { return None };
    let column = table.column(only.column)?;
    if column.computed.is_some() {
        return None;
    }
    matches!(column.ty, SqlType::TinyInt | SqlType::SmallInt | SqlType::Int | SqlType::BigInt)
        .then_some(column.id)
}

/// Whether a definition speaks of a column.
pub(super) fn mentions(definition: &str, column: &str) -> bool {
    lab_tsql::mentioned_names(definition).iter().any(|n| n.parts.iter().any(|p| same_name(&p.value, column)))
}

/// Errors of a type that name the column it is written for, by place or name.
fn named_in_column(e: SqlError, name: &str, place: usize) -> SqlError {
    let message = match e.number {
        131 => match (e.message.split_once(" given to the type '"), e.message.split_once("' exceeds")) {
            (Some((head, _)), Some((_, tail))) => {
                format!("{head} given to the column '{name}' exceeds{tail}")
            }
            _ => e.message.clone(),
        },
        183 => e.message.replace("column ''", &format!("column '{name}'")),
        2715 | 2716 | 2750 => e.message.replace("#1", &format!("#{place}")),
        _ => return e,
    };
    SqlError { message, ..e }
}

/// SQL Server's rows hold at most 8,060 bytes of columns whose length is fixed.
fn must_fit(table: &Table, name: &str) -> Result<(), SqlError> {
    const ROW_MAX: i64 = 8060;
    if table.stored_columns().next().is_none() {
        return Err(SqlError::unsupported("table of computed columns only"));
    }
    let fixed: i64 = table
        .stored_columns()
        .map(|c| match c.ty {
            SqlType::VarChar { .. }
            | SqlType::NVarChar { .. }
            | SqlType::VarBinary { .. }
            | SqlType::Variant => 0,
            ty if ty.is_large() => 0,
            SqlType::Bit => 1,
            ty => i64::from(ty.max_length()),
        })
        .sum();
    let columns = table.columns.len() as i64;
    let size = fixed + 4 + 2 + columns.div_euclid(8) + i64::from(columns % 8 > 0);
    if size <= ROW_MAX {
        return Ok(());
    }
    Err(SqlError::new(
        1701,
        16,
        1,
        format!(
            "Creating or altering table '{name}' failed because the minimum row size would be {size}, including {} bytes of internal overhead. This exceeds the maximum allowable table row size of {ROW_MAX} bytes.",
            size - fixed
        ),
    ))
}
