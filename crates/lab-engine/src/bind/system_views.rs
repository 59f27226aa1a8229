//! The system views as sources of FROM.

use std::collections::BTreeMap;
use std::sync::Arc;

use lab_tsql::ast::{Ident, ModuleBody, ObjectName};

use super::from::derived_source;
use super::names::alias_of;
use super::query::{OutColumn, named_columns};
use super::{Binder, ColumnFacts, Resolved};
use crate::catalog::{INFORMATION_SCHEMA, Object, ObjectKind, SYS, same_name};
use crate::error::SqlError;
use crate::store::table_name;
use crate::system::{self, Empty, Script, SystemView};

impl Binder<'_> {
    pub(super) fn system_view(
        &mut self,
        view: &SystemView,
        name: &ObjectName,
        alias: Option<&Ident>,
    ) -> Result<(String, usize), SqlError> {
        let view = match view {
            SystemView::Native(view) => *view,
            SystemView::Script(script) => return self.script_view(script, name, alias),
            SystemView::Empty(view) => return self.empty_view(view, name, alias),
        };
        let database = self.database_of(name)?;
        if database != self.env.database {
            self.env.shared.principal_in(database)?;
        }
        let sqlite = self.alias();
        let exposed = alias.map_or(view.name, |a| a.value.as_str());
        let columns: Vec<OutColumn> = view
            .columns
            .iter()
            .map(|(name, ty, nullable)| OutColumn {
                name: Some((*name).to_owned()),
                ty: *ty,
                nullable: *nullable,
                collation: ty.is_character().then(|| self.database_collation()),
                facts: ColumnFacts::default(),
            })
            .collect();
        if view.key() == system::TABLE_ROWS {
            return self.table_rows(database, &columns, exposed);
        }
        let cells: Vec<String> =
            (0..columns.len()).map(|n| format!("t_unpack(j.value,{n}) AS c{}", n + 1)).collect();
        let mut source = derived_source(&sqlite, Some(exposed), &columns);
        if alias.is_none() {
            source.qualifier = vec![name.schema().unwrap_or("sys").to_owned()];
        }
        self.push_source(source)?;
        Ok((
            format!(
                "(SELECT {} FROM json_each(t_view('{}',{database})) AS j) AS {sqlite}",
                cells.join(","),
                view.key()
            ),
            1,
        ))
    }

    /// How many rows each table has, counted when it is asked; pages are estimated from them.
    fn table_rows(
        &mut self,
        database: i32,
        columns: &[OutColumn],
        exposed: &str,
    ) -> Result<(String, usize), SqlError> {
        /// As many SELECTs as one compound of SQLite takes.
        const TERMS_MAX: usize = 400;
        let catalog = self.catalog(database)?;
        let counts: Vec<String> = catalog
            .objects()
            .filter_map(|o| {
                let width: i64 = o.table()?.columns.iter().map(|c| i64::from(c.ty.max_length()).clamp(1, 60)).sum();
                let table = table_name(&alias_of(database), o.id);
                Some(format!(
                    "SELECT {} AS c1,n AS c2,(n*{width}+8095)/8096 AS c3 FROM (SELECT count(*) AS n FROM {table})",
                    o.id
                ))
            })
            .collect();
        self.databases.insert(database);
        let sqlite = self.alias();
        self.push_source(derived_source(&sqlite, Some(exposed), columns))?;
        let sql = if counts.is_empty() {
            "SELECT NULL AS c1,NULL AS c2,NULL AS c3 WHERE 0".to_owned()
        } else {
            let parts: Vec<String> = counts
                .chunks(TERMS_MAX)
                .map(|c| format!("SELECT * FROM ({})", c.join(" UNION ALL ")))
                .collect();
            parts.join(" UNION ALL ")
        };
        Ok((format!("({sql}) AS {sqlite}"), 1))
    }

    /// What stands in for the object that a system script is.
    pub(super) fn system_object(&mut self, script: &Script, name: &ObjectName) -> Result<Resolved, SqlError> {
        let database = self.database_of(name)?;
        if database != self.env.database {
            self.env.shared.principal_in(database)?;
        }
        let schema = if same_name(&script.schema, "sys") { SYS } else { INFORMATION_SCHEMA };
        let kind = ObjectKind::Synonym(String::new());
        let object =
            Object { id: script.id, schema, name: script.name.clone(), created: 0, modified: 0, kind };
        Ok(Resolved { database, object: Arc::new(object) })
    }

    fn script_view(
        &mut self,
        script: &Script,
        name: &ObjectName,
        alias: Option<&Ident>,
    ) -> Result<(String, usize), SqlError> {
        let ModuleBody::View { query, columns: names, .. } = &script.create.body else {
            return Err(SqlError::internal("a system view without a query"));
        };
        let resolved = self.system_object(script, name)?;
        self.arguments.push(BTreeMap::new());
        let bound = self.in_module(&resolved, |b| b.query(query));
        self.arguments.pop();
        let bound = bound?;
        let columns = named_columns(&bound.columns, names, &script.name)?;
        let sqlite = self.alias();
        let mut source =
            derived_source(&sqlite, Some(alias.map_or(script.name.as_str(), |a| a.value.as_str())), &columns);
        if alias.is_none() {
            source.qualifier = vec![script.schema.clone()];
        }
        self.push_source(source)?;
        Ok((format!("({}) AS {sqlite}", bound.sql), 1))
    }

    fn empty_view(
        &mut self,
        view: &Empty,
        name: &ObjectName,
        alias: Option<&Ident>,
    ) -> Result<(String, usize), SqlError> {
        if self.database_of(name)? != self.env.database {
            let database = self.database_of(name)?;
            self.env.shared.principal_in(database)?;
        }
        let collation = self.database_collation();
        let columns: Vec<OutColumn> = view
            .columns
            .iter()
            .map(|(name, ty, nullable)| OutColumn {
                name: Some(name.clone()),
                ty: *ty,
                nullable: *nullable,
                collation: ty.is_character().then_some(collation),
                facts: ColumnFacts::default(),
            })
            .collect();
        let sqlite = self.alias();
        let mut source =
            derived_source(&sqlite, Some(alias.map_or(view.name.as_str(), |a| a.value.as_str())), &columns);
        if alias.is_none() {
            source.qualifier = vec![view.schema.clone()];
        }
        self.push_source(source)?;
        if view.of_groups {
            let cells: Vec<String> =
                (0..columns.len()).map(|n| format!("t_unpack(j.value,{n}) AS c{}", n + 1)).collect();
            let (cells, key) = (cells.join(","), view.key());
            return Ok((format!("(SELECT {cells} FROM json_each(t_view('{key}',0)) AS j) AS {sqlite}"), 1));
        }
        let nulls: Vec<String> = (1..=columns.len()).map(|n| format!("NULL AS c{n}")).collect();
        Ok((format!("(SELECT {} WHERE 0) AS {sqlite}", nulls.join(",")), 1))
    }
}
