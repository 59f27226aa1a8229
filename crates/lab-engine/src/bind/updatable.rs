//! Writing through a query: a common table expression, a derived table or a view over one table.
//!
//! The query is bound with columns that no name reaches behind its own: the table's row id and its stored columns. So the
//! statement knows which rows the query shows, and what they hold.

use std::collections::BTreeMap;

use lab_tsql::ast::ObjectName;

use super::query::OutColumn;
use super::{Binder, ColumnFacts, Resolved, Source};
use crate::catalog::{ObjectKind, same_name};
use crate::error::SqlError;
use crate::types::SqlType;

/// The hidden column that holds the row id.
const ROW_ID: &str = "\u{1}rowid";

/// What is asked of the queries that are bound.
#[derive(Debug, Default)]
pub(super) struct Wish {
    /// The name that the statement writes to.
    target: Option<String>,
    /// The next query is the one behind that name.
    now: bool,
    found: Option<Exposed>,
}

/// The table behind a query.
#[derive(Debug, Clone)]
struct Exposed {
    database: i32,
    object: i32,
    /// For each column of the query that is one of the table: its place in the query, and its id in the table.
    columns: Vec<(usize, i32)>,
}

/// How a statement reaches the table it writes to.
#[derive(Debug, Clone)]
pub(super) struct Reach {
    pub(super) target: Resolved,
    /// SQL of the row id.
    pub(super) rowid: String,
    /// SQL of the stored columns, by id.
    pub(super) cells: BTreeMap<i32, String>,
    /// Through a query: the table's columns by the names that the query gives them.
    names: Option<Vec<(String, i32)>>,
}

impl Reach {
    /// The id of the column that a name means here.
    pub(super) fn column_named(&self, name: &str) -> Option<i32> {
        match &self.names {
            Some(names) => names.iter().find(|(n, _)| same_name(n, name)).map(|(_, id)| *id),
            None => {
                let table = self.target.object.table()?;
                table.columns.iter().find(|c| same_name(&c.name, name)).map(|c| c.id)
            }
        }
    }

    /// `db.dbo.t`, as messages name it.
    pub(super) fn full_name(&self, binder: &mut Binder<'_>) -> Result<String, SqlError> {
        let Resolved { database, object } = &self.target;
        if *database == 0 {
            return Ok(format!("tempdb.dbo.{}", object.name));
        }
        let name = binder.env.shared.server.database(*database).map(|d| d.name()).unwrap_or_default();
        Ok(format!("{name}.{}.{}", binder.catalog(*database)?.schema_name(object.schema), object.name))
    }

    /// A column by its id, where its place is.
    pub(super) fn cell(&self, id: i32) -> String {
        self.cells.get(&id).cloned().unwrap_or_else(|| "NULL".to_owned())
    }
}

impl Binder<'_> {
    /// From now on the query behind `name` is bound with its hidden columns.
    pub(super) fn wish_for(&mut self, name: &str) {
        self.wish = Wish { target: Some(name.to_owned()), ..Wish::default() };
    }

    pub(super) fn wishes_for(&self, name: &str) -> bool {
        self.wish.target.as_deref().is_some_and(|t| same_name(t, name)) && self.wish.found.is_none()
    }

    pub(super) fn put_wish(&mut self, now: bool) {
        self.wish.now = now;
    }

    pub(super) fn take_wish(&mut self) -> bool {
        std::mem::take(&mut self.wish.now)
    }

    /// Adds the hidden columns of the one table that the query selects from.
    pub(super) fn expose_rows(
        &mut self,
        plain: bool,
        shown: &[String],
        list: &mut String,
        columns: &mut Vec<OutColumn>,
    ) -> Result<(), SqlError> {
        let sources = self.scope().sources.clone();
        let tables: Vec<&Source> = sources.iter().filter(|s| s.table.is_some()).collect();
        let [source] = tables.as_slice() else {
            return Err(SqlError::unsupported("writing through a query of several tables"));
        };
        if !plain {
            return Err(SqlError::unsupported(
                "writing through a query with DISTINCT, GROUP BY or aggregates",
            ));
        }
        let Some((database, object)) = source.table else { return Ok(()) };
        let catalog = self.catalog(database)?;
        let Some(table) = catalog.object(object).and_then(|o| o.table()) else { return Ok(()) };
        let mut found = Exposed { database, object, columns: Vec::new() };
        for (n, sql) in shown.iter().enumerate() {
            let of_table = table.stored_columns().find(|c| *sql == format!("{}.c{}", source.alias, c.id));
            found.columns.extend(of_table.map(|c| (n, c.id)));
        }
        let hidden = |name: String, ty: SqlType| OutColumn {
            name: Some(name),
            ty,
            nullable: true,
            collation: None,
            facts: ColumnFacts::default(),
        };
        let mut add = |name: String, ty: SqlType, sql: String| {
            columns.push(hidden(name, ty));
            list.push_str(&format!(",{sql} AS c{}", columns.len()));
        };
        add(ROW_ID.to_owned(), SqlType::BigInt, format!("{}.rowid", source.alias));
        for column in table.stored_columns() {
            add(format!("\u{1}{}", column.id), column.ty, format!("{}.c{}", source.alias, column.id));
        }
        self.wish.found = Some(found);
        Ok(())
    }

    /// How to reach the table behind a source of the FROM clause; `None` if nothing is known to be behind it.
    pub(super) fn reach(&mut self, source: &Source) -> Result<Option<Reach>, SqlError> {
        let (database, id, through) = match (source.table, &self.wish.found) {
            (Some((database, id)), _) => (database, id, None),
            (None, Some(found)) if source.columns.iter().any(|c| c.name == ROW_ID) => {
                (found.database, found.object, Some(found.clone()))
            }
            _ => return Ok(None),
        };
        let object = self
            .catalog(database)?
            .object(id)
            .cloned()
            .ok_or_else(|| SqlError::internal("a target that is gone"))?;
        let Some(table) = object.table() else {
            return Err(SqlError::internal("a target that is no table"));
        };
        let place = |name: &str| source.columns.iter().find(|c| c.name == name).map(|c| c.sql.clone());
        let (rowid, names) = match &through {
            None => (format!("{}.rowid", source.alias), None),
            Some(found) => {
                let names = found
                    .columns
                    .iter()
                    .filter_map(|(n, id)| source.columns.get(*n).map(|c| (c.name.clone(), *id)));
                (place(ROW_ID).unwrap_or_default(), Some(names.collect()))
            }
        };
        let cells = table
            .stored_columns()
            .map(|c| {
                let sql = match &through {
                    None => format!("{}.c{}", source.alias, c.id),
                    Some(_) => place(&format!("\u{1}{}", c.id)).unwrap_or_else(|| "NULL".to_owned()),
                };
                (c.id, sql)
            })
            .collect();
        Ok(Some(Reach { target: Resolved { database, object }, rowid, cells, names }))
    }

    /// The table that an INSERT into a view fills, and its columns by the view's names.
    pub(crate) fn behind_view(
        &mut self,
        name: &ObjectName,
    ) -> Result<Option<(Resolved, Vec<(String, String)>)>, SqlError> {
        let Some(found) = self.find(name)? else { return Ok(None) };
        if !matches!(found.object.kind, ObjectKind::View(_)) {
            return Ok(None);
        }
        self.wish_for(&found.object.name);
        self.scopes.push(super::Scope::default());
        let bound = self.from_clause(&[lab_tsql::ast::TableRef::Named {
            name: name.clone(),
            alias: None,
            hints: Vec::new(),
        }]);
        let source = self.scope().sources.last().cloned();
        self.scopes.pop();
        bound?;
        let reach = match source {
            Some(source) => self.reach(&source)?,
            None => None,
        };
        let reach = reach.ok_or_else(|| SqlError::unsupported("writing through this view"))?;
        let names = reach.names.clone().unwrap_or_default();
        let table = reach.target.object.table();
        let pairs = names
            .into_iter()
            .filter_map(|(shown, id)| table?.column(id).map(|c| (shown, c.name.clone())))
            .collect();
        Ok(Some((reach.target, pairs)))
    }
}
