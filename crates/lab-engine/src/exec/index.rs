//! CREATE, ALTER and DROP INDEX.

use lab_tsql::ast::{CreateIndex, Expr, Ident, KeyColumn, ObjectName};

use super::column::shown;
use super::constraint::{must_be_key, next_index_id};
use super::{Frame, Stop};
use crate::bind::{Resolved, alias_of};
use crate::catalog::{Index, IndexKey, IndexRole, Object, ObjectKind, Table, same_name};
use crate::error::SqlError;
use crate::session::Session;
use crate::sink::Sink;
use crate::store::{index_name, violated_index};
use crate::types::now_datetime;

impl Session {
    /// A table that a statement changes the definition of, under its database's lock.
    pub(super) fn table_to_change(
        &mut self,
        frame: &Frame,
        name: &ObjectName,
    ) -> Result<(Resolved, Table), Stop> {
        let missing = || SqlError::alter_table_not_found(name.name()).at(name.line());
        let found = self.bind(frame, |b| b.find(name))?.bound.ok_or_else(missing)?;
        if matches!(found.object.kind, ObjectKind::View(_)) {
            return Err(SqlError::unsupported("index on a view").into());
        }
        self.enter_write(found.database)?;
        let object = self.catalog_of(found.database)?.object(found.object.id).cloned().ok_or_else(missing)?;
        let table = object.table().cloned().ok_or_else(missing)?;
        Ok((Resolved { database: found.database, object }, table))
    }

    /// Puts a changed table back into the catalog.
    pub(super) fn save_table(
        &mut self,
        found: &Resolved,
        table: Table,
        ids: Option<crate::catalog::ObjectIds>,
    ) -> Result<(), Stop> {
        let object =
            Object { modified: now_datetime(), kind: ObjectKind::Table(table), ..(*found.object).clone() };
        self.put_object(found.database, object, ids)?;
        Ok(())
    }

    pub(super) fn run_create_index(
        &mut self,
        frame: &Frame,
        create: &CreateIndex,
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        if let Some(special) = &create.special {
            return Err(SqlError::unsupported(&format!("CREATE {special} INDEX")).into());
        }
        self.atomically(sink, |s, _| {
            let missing = |e: SqlError| if e.number == 4902 { SqlError::index_table_not_found(&create.table.to_string()).at(e.line) } else { e };
            let (found, mut table) = s.table_to_change(frame, &create.table).map_err(|stop| stop.map(missing))?;
            let on = |option: &str| create.options.iter().any(|(n, v)| n == option && v == "ON");
            let existing = table.indexes.iter().position(|i| same_name(&i.name, &create.name.value));
            if let Some(at) = existing {
                if !on("DROP_EXISTING") {
                    return Err(SqlError::index_exists(&create.name.value, &create.table.to_string()).into());
                }
                let old = table.indexes.remove(at);
                s.drop_index_ddl(&found, &old)?;
            } else if on("DROP_EXISTING") {
                return Err(SqlError::new(7999, 16, 9, format!("Could not find any index named '{}' for table '{}'.", create.name.value, create.table)).into());
            }
            if create.clustered && let Some(other) = table.indexes.iter().find(|i| i.clustered) {
                return Err(SqlError::new(1902, 16, 3, format!("Cannot create more than one clustered index on table '{}'. Drop the existing clustered index '{}' before creating another.", create.table, other.name)).into());
            }
            let new = NewIndex {
                name: &create.name.value,
                unique: create.unique,
                clustered: create.clustered,
                keys: &create.columns,
                included: &create.include,
                filter: create.filter.as_ref(),
                ignore_dup_key: on("IGNORE_DUP_KEY"),
                fill_factor: create.options.iter().find(|(n, _)| n == "FILLFACTOR").and_then(|(_, v)| v.parse().ok()).unwrap_or(0),
            };
            let index = define_index(&table, &found.object.name, &new)?;
            table.indexes.push(index.clone());
            s.build_index(&found, &table, &index)?;
            s.save_table(&found, table, None)
        })
    }

    /// Builds an index over the rows that are there.
    ///
    /// # Errors
    /// 1505 if they contradict its uniqueness.
    pub(super) fn build_index(&mut self, found: &Resolved, table: &Table, index: &Index) -> Result<(), Stop> {
        let ddl = self.index_ddl(&alias_of(found.database), found.object.id, table, index)?;
        for sql in ddl {
            if let Err(e) = self.conn.execute_batch(&sql) {
                let duplicate = matches!(&e, rusqlite::Error::SqliteFailure(_, Some(m)) if violated_index(table, m).is_some());
                if duplicate {
                    let schema = self.catalog_of(found.database)?.schema_name(found.object.schema).to_owned();
                    let key = self.first_duplicate(found, table, index)?;
                    let e = SqlError::new(
                        1505,
                        16,
                        1,
                        format!(
                            "The CREATE UNIQUE INDEX statement terminated because a duplicate key was found for the object name '{schema}.{}' and the index name '{}'. The duplicate key value is {key}.",
                            found.object.name, index.name
                        ),
                    );
                    return Err(
                        if index.role == IndexRole::Index { e } else { SqlError::no_constraint(e) }.into()
                    );
                }
                if e.to_string().contains("prohibited in index")
                    || e.to_string().contains("non-deterministic")
                {
                    let computed = |k: &IndexKey| table.column(k.column).filter(|c| c.computed.is_some());
                    let column = index.keys.iter().find_map(computed).map_or("", |c| &c.name);
                    return Err(SqlError::not_deterministic(column, &found.object.name).into());
                }
                return Err(SqlError::sqlite(&e).into());
            }
        }
        Ok(())
    }

    /// The key that more than one row has, as 1505 shows it.
    fn first_duplicate(&self, found: &Resolved, table: &Table, index: &Index) -> Result<String, Stop> {
        let plan = self.bind(&Frame::batch(), |b| {
            let columns = b.table_columns_at(table, |_, c| format!("c{}", c.id))?;
            let filter = index.filter.as_ref().map(|f| b.index_filter(table, f)).transpose()?;
            Ok((columns, filter))
        })?;
        let (columns, filter) = plan.bound;
        let keys: Vec<_> = index
            .keys
            .iter()
            .filter_map(|k| {
                table.columns.iter().position(|c| c.id == k.column).and_then(|at| columns.get(at))
            })
            .collect();
        let list: Vec<String> = keys.iter().map(|c| c.sql.clone()).collect();
        let list = list.join(",");
        let sql = format!(
            "SELECT {list} FROM {}{} GROUP BY {list} HAVING count(*) > 1 LIMIT 1",
            crate::store::table_name(&alias_of(found.database), found.object.id),
            filter.map(|f| format!(" WHERE {f}")).unwrap_or_default()
        );
        let values: Vec<rusqlite::types::Value> = self
            .conn
            .query_row(&sql, [], |row| (0..keys.len()).map(|n| row.get(n)).collect())
            .map_err(|e| SqlError::sqlite(&e))?;
        let shown: Vec<String> = values
            .iter()
            .zip(&keys)
            .map(|(value, column)| {
                if *value == rusqlite::types::Value::Null {
                    "<NULL>".to_owned()
                } else {
                    crate::types::display_value(value, column.ty)
                }
            })
            .collect();
        Ok(format!("({})", shown.join(", ")))
    }

    pub(super) fn drop_index_ddl(&self, found: &Resolved, index: &Index) -> Result<(), Stop> {
        let alias = alias_of(found.database);
        let name = index_name(found.object.id, index.id);
        self.run_ddl(&[
            format!("DROP INDEX IF EXISTS {alias}.{name}"),
            format!("DROP INDEX IF EXISTS {alias}.{name}_null"),
        ])
    }

    pub(super) fn run_drop_index(
        &mut self,
        frame: &Frame,
        indexes: &[(Ident, ObjectName)],
        if_exists: bool,
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        self.atomically(sink, |s, _| {
            for (name, table_name) in indexes {
                let shown = format!("{table_name}.{}", name.value);
                let known = s.bind(frame, |b| b.find(table_name))?.bound.is_some();
                if !known && if_exists {
                    continue;
                }
                if !known {
                    return Err(SqlError::no_index(&shown).into());
                }
                let (found, mut table) = s.table_to_change(frame, table_name)?;
                let Some(at) = table.indexes.iter().position(|i| same_name(&i.name, &name.value)) else {
                    if if_exists {
                        continue;
                    }
                    return Err(SqlError::no_index(&shown).into());
                };
                if table.indexes.get(at).is_some_and(|i| i.role != IndexRole::Index) {
                    return Err(SqlError::new(3723, 16, 4, format!("An explicit DROP INDEX is not allowed on index '{shown}'. It is being used for PRIMARY KEY or UNIQUE constraint enforcement.")).into());
                }
                let index = table.indexes.remove(at);
                s.drop_index_ddl(&found, &index)?;
                s.save_table(&found, table, None)?;
            }
            Ok(())
        })
    }

    pub(super) fn run_alter_index(
        &mut self,
        frame: &Frame,
        index: Option<&Ident>,
        name: &ObjectName,
        action: &str,
        sink: &mut dyn Sink,
    ) -> Result<(), Stop> {
        let verb = action.split_whitespace().next().unwrap_or_default().to_owned();
        self.atomically(sink, |s, _| {
            let (found, mut table) = s.table_to_change(frame, name)?;
            let chosen: Vec<usize> = table
                .indexes
                .iter()
                .enumerate()
                .filter(|(_, i)| index.is_none_or(|wanted| same_name(&i.name, &wanted.value)))
                .map(|(at, _)| at)
                .collect();
            if let (true, Some(wanted)) = (chosen.is_empty(), index) {
                return Err(SqlError::new(
                    7999,
                    16,
                    9,
                    format!("Could not find any index named '{}' for table '{name}'.", wanted.value),
                )
                .into());
            }
            let disable = match verb.as_str() {
                "DISABLE" => true,
                "REBUILD" | "REORGANIZE" | "SET" | "RESUME" => false,
                other => return Err(SqlError::unsupported(&format!("ALTER INDEX {other}")).into()),
            };
            for at in chosen {
                let Some(index) = table.indexes.get_mut(at) else { continue };
                if index.disabled == disable || (verb != "DISABLE" && verb != "REBUILD") {
                    continue;
                }
                if disable && index.clustered {
                    return Err(SqlError::unsupported("ALTER INDEX DISABLE of a clustered index").into());
                }
                index.disabled = disable;
                let index = index.clone();
                if disable {
                    s.drop_index_ddl(&found, &index)?;
                } else {
                    s.build_index(&found, &table.clone(), &index)?;
                }
            }
            s.save_table(&found, table, None)
        })
    }
}

/// An index as a statement writes it.
pub(super) struct NewIndex<'a> {
    pub(super) name: &'a str,
    pub(super) unique: bool,
    pub(super) clustered: bool,
    pub(super) keys: &'a [KeyColumn],
    pub(super) included: &'a [Ident],
    pub(super) filter: Option<&'a (Expr, String)>,
    pub(super) ignore_dup_key: bool,
    pub(super) fill_factor: u8,
}

/// An index as the catalog keeps it.
///
/// # Errors
/// A column is missing, listed twice, or of a type that cannot be a key.
pub(super) fn define_index(table: &Table, name: &str, new: &NewIndex<'_>) -> Result<Index, SqlError> {
    const KEYS_MAX: usize = 32;
    let column = |written: &Ident| {
        table.column_named(&written.value).ok_or_else(|| {
            let text = format!("Column name '{}' does not exist in the target table or view.", written.value);
            SqlError::new(1911, 16, 1, text).at(written.pos.line)
        })
    };
    let mut keys: Vec<IndexKey> = Vec::new();
    for key in new.keys {
        let found = column(&key.name)?;
        must_be_key(found, name)?;
        if keys.iter().any(|k| k.column == found.id) {
            return Err(SqlError::duplicate_key_column(&key.name.value));
        }
        keys.push(IndexKey { column: found.id, descending: key.descending });
    }
    if keys.len() > KEYS_MAX {
        return Err(SqlError::new(
            1904,
            16,
            1,
            format!(
                "The index '{}' on table '{name}' has {} columns in the key list. The maximum limit for index key column list is {KEYS_MAX}.",
                new.name,
                keys.len()
            ),
        ));
    }
    let mut included = Vec::new();
    for written in new.included {
        let id = column(written)?.id;
        if included.contains(&id) || keys.iter().any(|k| k.column == id) {
            return Err(SqlError::duplicate_key_column(&written.value));
        }
        included.push(id);
    }
    Ok(Index {
        id: next_index_id(table, new.clustered),
        name: new.name.to_owned(),
        system_named: false,
        role: IndexRole::Index,
        clustered: new.clustered,
        unique: new.unique,
        keys,
        included,
        filter: new.filter.map(|(expr, text)| shown(expr, text)),
        ignore_dup_key: new.ignore_dup_key,
        disabled: false,
        fill_factor: new.fill_factor,
    })
}
