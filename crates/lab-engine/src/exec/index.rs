//! CREATE, ALTER and DROP INDEX.

use lab_tsql::ast::{CreateIndex, Ident, ObjectName};

use super::constraint::next_index_id;
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
            let (found, mut table) = s.table_to_change(frame, &create.table)?;
            let on = |option: &str| create.options.iter().any(|(n, v)| n == option && v == "ON");
            let existing = table.indexes.iter().position(|i| same_name(&i.name, &create.name.value));
            if let Some(at) = existing {
                if !on("DROP_EXISTING") {
                    return Err(SqlError::index_exists(&create.name.value, &create.table.to_string()).into());
                }
                let old = table.indexes.remove(at);
                s.drop_index_ddl(&found, &old)?;
            }
            if create.clustered && table.indexes.iter().any(|i| i.clustered) {
                return Err(SqlError::new(1902, 16, 3, format!("Cannot create more than one clustered index on table '{}'. Drop the existing clustered index before creating another.", create.table)).into());
            }
            let column = |name: &Ident| {
                table.column_named(&name.value).ok_or_else(|| {
                    SqlError::new(1911, 16, 1, format!("Column name '{}' does not exist in the target table or view.", name.value)).at(name.pos.line)
                })
            };
            let mut keys = Vec::new();
            for key in &create.columns {
                let found = column(&key.name)?;
                if found.computed.is_some() {
                    return Err(SqlError::unsupported("index on a computed column").into());
                }
                keys.push(IndexKey { column: found.id, descending: key.descending });
            }
            let included = create.include.iter().map(|i| column(i).map(|c| c.id)).collect::<Result<Vec<_>, _>>()?;
            let index = Index {
                id: next_index_id(&table, create.clustered),
                name: create.name.value.clone(),
                system_named: false,
                role: IndexRole::Index,
                clustered: create.clustered,
                unique: create.unique,
                keys,
                included,
                filter: create.filter.as_ref().map(|(_, text)| format!("({})", text.trim())),
                ignore_dup_key: on("IGNORE_DUP_KEY"),
                disabled: false,
                fill_factor: create.options.iter().find(|(n, _)| n == "FILLFACTOR").and_then(|(_, v)| v.parse().ok()).unwrap_or(0),
            };
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
                    return Err(SqlError::new(1505, 16, 1, format!("The CREATE UNIQUE INDEX statement terminated because a duplicate key was found for the object name '{schema}.{}' and the index name '{}'.", found.object.name, index.name)).into());
                }
                return Err(SqlError::sqlite(&e).into());
            }
        }
        Ok(())
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
