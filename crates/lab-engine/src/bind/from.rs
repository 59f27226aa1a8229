//! FROM: tables, views, derived tables, functions, joins.

use std::collections::BTreeMap;
use std::sync::Arc;

use lab_tsql::ast::{
    CreateModule, Expr, Ident, JoinKind, ModuleBody, ObjectName, Query, StatementKind, TableRef,
};
use lab_tsql::{ParseOptions, parse_batch, parse_expression};

use super::builtin_tables::is_builtin_table;
use super::names::alias_of;
use super::query::{OutColumn, column_list, named_columns};
use super::{Binder, Bound, ColumnFacts, Resolved, Scope, Source, SourceColumn};
use crate::catalog::{Module, Object, ObjectKind, Table, same_name};
use crate::error::SqlError;
use crate::store::table_name;
use crate::system;
use crate::types::{ConvertKind, SqlType};

/// A derived table as a source.
pub(crate) fn derived_source(alias: &str, exposed: Option<&str>, columns: &[OutColumn]) -> Source {
    let columns = columns
        .iter()
        .enumerate()
        .map(|(n, c)| SourceColumn {
            name: c.name.clone().unwrap_or_default(),
            sql: format!("{alias}.c{}", n + 1),
            ty: c.ty,
            nullable: c.nullable,
            collation: c.collation,
            facts: c.facts,
        })
        .collect();
    Source {
        alias: alias.to_owned(),
        exposed: exposed.map(str::to_owned),
        qualifier: Vec::new(),
        columns,
        table: None,
    }
}

impl Binder<'_> {
    /// ` FROM ...`, or nothing; fills the innermost scope.
    pub(crate) fn from_clause(&mut self, tables: &[TableRef]) -> Result<String, SqlError> {
        let mut sql = String::new();
        for (n, table) in tables.iter().enumerate() {
            // A plain JOIN leaves the order to SQLite's planner, as its CROSS JOIN would not.
            sql.push_str(if n == 0 { " FROM " } else { " JOIN " });
            let (part, _) = self.table(table)?;
            let joined = n > 0 && matches!(table, TableRef::Join { .. });
            sql.push_str(&if joined { format!("({part})") } else { part });
        }
        Ok(sql)
    }

    /// A table reference as SQL, and how many sources it added to the scope.
    pub(super) fn table(&mut self, table: &TableRef) -> Result<(String, usize), SqlError> {
        self.nested(|b| b.table_inner(table))
    }

    fn table_inner(&mut self, table: &TableRef) -> Result<(String, usize), SqlError> {
        match table {
            TableRef::Named { name, alias, hints } => {
                let done = self.named(name, alias.as_ref()).map_err(|e| e.at(name.line()))?;
                if hints.iter().any(|h| LOCKING.contains(&h.as_str()))
                    && let Some((database, _)) = self.scope().sources.last().and_then(|s| s.table)
                {
                    self.locks.insert(database);
                }
                Ok(done)
            }
            TableRef::Variable { name, alias, pos } => {
                let id = self
                    .env
                    .variables
                    .table_variable(&name.to_lowercase())
                    .ok_or_else(|| SqlError::undeclared_table_variable(name).at(pos.line))?;
                let object = self
                    .catalog(0)?
                    .object(id)
                    .cloned()
                    .ok_or_else(|| SqlError::undeclared_table_variable(name).at(pos.line))?;
                let exposed = alias.as_ref().map_or(name.as_str(), |a| a.value.as_str()).to_owned();
                self.base_table(&Resolved { database: 0, object }, &exposed, Vec::new())
            }
            TableRef::Derived { query, alias, columns } => self.derived(query, alias, columns, false),
            TableRef::Values { rows, alias, columns } => self.values(rows, alias, columns, false),
            TableRef::Function { name, args, alias, columns } => {
                self.table_function(name, args, alias.as_ref(), columns)
            }
            TableRef::Join { kind, left, right, on } => self.join(*kind, left, right, on.as_ref()),
            TableRef::Unsupported(what) => Err(SqlError::unsupported(what)),
        }
    }

    pub(super) fn push_source(&mut self, source: Source) -> Result<usize, SqlError> {
        let twin = self.scope().sources.iter().find(|s| {
            !s.qualifier.is_empty()
                && s.qualifier == source.qualifier
                && s.exposed.as_deref().zip(source.exposed.as_deref()).is_some_and(|(a, b)| same_name(a, b))
        });
        if let Some(name) = twin.and_then(|t| t.exposed.clone()) {
            return Err(SqlError::same_exposed(&name, source.exposed.as_deref().unwrap_or_default()));
        }
        if let Some(name) = &source.exposed
            && source.qualifier.is_empty()
            && self
                .scope()
                .sources
                .iter()
                .any(|s| s.qualifier.is_empty() && s.exposed.as_deref().is_some_and(|e| same_name(e, name)))
        {
            return Err(SqlError::duplicate_exposed(name));
        }
        self.scope().sources.push(source);
        Ok(1)
    }

    fn join(
        &mut self,
        kind: JoinKind,
        left: &TableRef,
        right: &TableRef,
        on: Option<&Expr>,
    ) -> Result<(String, usize), SqlError> {
        let before = self.scope().sources.len();
        let (left_sql, left_count) = self.table(left)?;
        let middle = self.scope().sources.len();
        let apply = matches!(kind, JoinKind::CrossApply | JoinKind::OuterApply);
        let (right_sql, right_count) = if apply { self.applied(right)? } else { self.table(right)? };
        // Only the two sides of a join are visible in its ON.
        let condition = match on {
            Some(on) => {
                let all = self.scope().sources.clone();
                self.scope().sources = all.get(before..).unwrap_or_default().to_vec();
                let condition = self.condition(on);
                self.scope().sources = all;
                format!(" ON {}", condition?)
            }
            None if kind == JoinKind::OuterApply => " ON 1".to_owned(),
            None => String::new(),
        };
        let end = self.scope().sources.len();
        let outer = |binder: &mut Self, from: usize, to: usize| {
            for source in binder.scope().sources.iter_mut().take(to).skip(from) {
                source.columns.iter_mut().for_each(|c| c.nullable = true);
            }
        };
        let word = match kind {
            JoinKind::Inner => "JOIN",
            JoinKind::Left | JoinKind::OuterApply => {
                outer(self, middle, end);
                "LEFT JOIN"
            }
            JoinKind::Right => {
                outer(self, before, middle);
                "RIGHT JOIN"
            }
            JoinKind::Full => {
                outer(self, before, end);
                "FULL JOIN"
            }
            JoinKind::Cross => "JOIN",
            JoinKind::CrossApply => "CROSS JOIN",
        };
        let right_sql =
            if matches!(right, TableRef::Join { .. }) { format!("({right_sql})") } else { right_sql };
        Ok((format!("{left_sql} {word} {right_sql}{condition}"), left_count + right_count))
    }

    fn named(&mut self, name: &ObjectName, alias: Option<&Ident>) -> Result<(String, usize), SqlError> {
        if name.parts.len() == 1
            && let Some(cte) = self.ctes.iter().rev().find(|c| same_name(&c.name, name.name())).cloned()
        {
            let sqlite = self.alias();
            let exposed = alias.map_or(cte.name.as_str(), |a| a.value.as_str());
            let mut source = derived_source(&sqlite, Some(exposed), &cte.columns);
            if cte.depth.is_some() {
                // A column that no name reaches.
                source.columns.push(SourceColumn {
                    name: "\u{1}depth".to_owned(),
                    sql: format!("{sqlite}.depth"),
                    ty: SqlType::Int,
                    nullable: false,
                    collation: None,
                    facts: ColumnFacts::default(),
                });
            }
            self.push_source(source)?;
            return Ok((format!("{} AS {sqlite}", cte.sqlite_name), 1));
        }
        if let Some(view) = system::view_named(name, &self.expanding) {
            return self.system_view(&view, name, alias);
        }
        let resolved = self.object(name)?;
        self.permitted(&resolved, "SELECT")?;
        let exposed = alias.map_or(resolved.object.name.as_str(), |a| a.value.as_str()).to_owned();
        let qualifier = if alias.is_some() {
            Vec::new()
        } else {
            let database =
                self.env.shared.server.database(resolved.database).map(|d| d.name()).unwrap_or_default();
            let schema = self.catalog(resolved.database)?.schema_name(resolved.object.schema).to_owned();
            vec![database, schema]
        };
        match &resolved.object.kind {
            ObjectKind::Table(_) => self.base_table(&resolved, &exposed, qualifier),
            ObjectKind::View(module) => self.view(&resolved, module, &exposed, qualifier),
            ObjectKind::Synonym(target) => Err(SqlError::unsupported(&format!("synonym for {target}"))),
            _ => Err(SqlError::invalid_object(&name.to_string())),
        }
    }

    /// The columns of a table under a SQLite alias, computed ones spelt out.
    pub(crate) fn table_columns(
        &mut self,
        table: &Table,
        alias: &str,
    ) -> Result<Vec<SourceColumn>, SqlError> {
        self.table_columns_at(table, |_, c| format!("{alias}.c{}", c.id))
    }

    /// The columns of a table, the stored ones where `place` says.
    pub(crate) fn table_columns_at(
        &mut self,
        table: &Table,
        place: impl Fn(usize, &crate::catalog::Column) -> String,
    ) -> Result<Vec<SourceColumn>, SqlError> {
        let mut columns: Vec<SourceColumn> = table
            .columns
            .iter()
            .enumerate()
            .map(|(at, c)| SourceColumn {
                name: c.name.clone(),
                sql: place(at, c),
                ty: c.ty,
                nullable: c.nullable,
                collation: c.ty.is_character().then_some(c.collation),
                facts: ColumnFacts {
                    identity: c.identity.is_some(),
                    computed: c.computed.is_some(),
                    table_column: true,
                    untyped: false,
                },
            })
            .collect();
        for (at, column) in table.columns.iter().enumerate() {
            let Some(computed) = &column.computed else { continue };
            let expr = parse_expression(&computed.definition, &ParseOptions::default())?;
            let plain: Vec<SourceColumn> = columns
                .iter()
                .zip(&table.columns)
                .filter(|(_, c)| c.computed.is_none())
                .map(|(s, _)| s.clone())
                .collect();
            let source = Source {
                alias: String::new(),
                exposed: None,
                qualifier: Vec::new(),
                columns: plain,
                table: None,
            };
            let outer = std::mem::replace(
                &mut self.scopes,
                vec![Scope { sources: vec![source], ..Scope::default() }],
            );
            let bound = self.expr(&expr);
            self.scopes = outer;
            let bound = self.convert(&bound?, column.ty, ConvertKind::Explicit)?;
            if let Some(slot) = columns.get_mut(at) {
                slot.sql = format!("({})", bound.sql);
            }
        }
        Ok(columns)
    }

    pub(crate) fn base_table(
        &mut self,
        resolved: &Resolved,
        exposed: &str,
        qualifier: Vec<String>,
    ) -> Result<(String, usize), SqlError> {
        let ObjectKind::Table(table) = &resolved.object.kind else {
            return Err(SqlError::internal("no table"));
        };
        let alias = self.alias();
        let columns = self.table_columns(table, &alias)?;
        if resolved.database != 0 {
            self.databases.insert(resolved.database);
        }
        let name = table_name(&alias_of(resolved.database), resolved.object.id);
        self.push_source(Source {
            alias: alias.clone(),
            exposed: Some(exposed.to_owned()),
            qualifier,
            columns,
            table: Some((resolved.database, resolved.object.id)),
        })?;
        Ok((format!("{name} AS {alias}"), 1))
    }

    fn derived(
        &mut self,
        query: &Query,
        alias: &Ident,
        names: &[Ident],
        correlated: bool,
    ) -> Result<(String, usize), SqlError> {
        let outer = self.hide_siblings(correlated);
        let wish = self.wishes_for(&alias.value);
        self.put_wish(wish);
        let bound = self.subquery(query);
        self.show_siblings(outer);
        let bound = bound?;
        let columns = named_columns(&bound.columns, names, &alias.value)?;
        let sqlite = self.alias();
        let sql = if correlated {
            self.push_source(applied_source(&sqlite, &alias.value, &columns))?;
            applied_sql(&bound.sql, columns.len(), &sqlite)
        } else {
            self.push_source(derived_source(&sqlite, Some(&alias.value), &columns))?;
            format!("({}) AS {sqlite}", bound.sql)
        };
        Ok((sql, 1))
    }

    /// A derived table does not see the tables beside it; only APPLY's right side does.
    fn hide_siblings(&mut self, correlated: bool) -> Option<Scope> {
        if correlated { None } else { self.scopes.pop() }
    }

    fn show_siblings(&mut self, scope: Option<Scope>) {
        if let Some(scope) = scope {
            self.scopes.push(scope);
        }
    }

    fn values(
        &mut self,
        rows: &[Vec<Expr>],
        alias: &Ident,
        names: &[Ident],
        correlated: bool,
    ) -> Result<(String, usize), SqlError> {
        let width = rows.first().map_or(0, Vec::len);
        let mut bound = Vec::new();
        for row in rows {
            if row.len() != width {
                return Err(SqlError::new(
                    10709,
                    16,
                    1,
                    "The number of columns for each row in a table value constructor must be the same.",
                ));
            }
            bound.push(row.iter().map(|e| self.expr(e)).collect::<Result<Vec<_>, _>>()?);
        }
        let mut columns = Vec::new();
        let mut cells: Vec<Vec<String>> = vec![Vec::new(); rows.len()];
        for n in 0..width {
            let column: Vec<Bound> = bound.iter().filter_map(|r| r.get(n).cloned()).collect();
            let (converted, ty) = self.common(&column)?;
            for (row, cell) in cells.iter_mut().zip(&converted) {
                row.push(format!("{} AS c{}", cell.sql, n + 1));
            }
            columns.push(OutColumn {
                name: None,
                ty,
                nullable: column.iter().any(|c| c.nullable),
                collation: converted.first().and_then(|c| c.collation),
                facts: ColumnFacts::default(),
            });
        }
        let columns = named_columns(&columns, names, &alias.value)?;
        let sqlite = self.alias();
        let selects: Vec<String> = cells.iter().map(|r| format!("SELECT {}", r.join(","))).collect();
        let sql = selects.join(" UNION ALL ");
        if correlated {
            self.push_source(applied_source(&sqlite, &alias.value, &columns))?;
            return Ok((applied_sql(&sql, columns.len(), &sqlite), 1));
        }
        self.push_source(derived_source(&sqlite, Some(&alias.value), &columns))?;
        Ok((format!("({sql}) AS {sqlite}"), 1))
    }

    /// The right side of APPLY, which sees what stands left of it.
    fn applied(&mut self, table: &TableRef) -> Result<(String, usize), SqlError> {
        match table {
            TableRef::Derived { query, alias, columns } => self.derived(query, alias, columns, true),
            TableRef::Values { rows, alias, columns } => self.values(rows, alias, columns, true),
            // These see what stands left of them as they are.
            TableRef::Function { name, .. } if is_builtin_table(name) => self.table(table),
            TableRef::Function { name, args, alias, columns: names } => {
                let (module, query, resolved) = self.table_module(name)?;
                let (bound, columns) = self.expand_function(&module, &query, &resolved, args, true)?;
                let exposed = alias.as_ref().map_or(name.name(), |a| a.value.as_str()).to_owned();
                let columns = named_columns(&columns, names, &exposed)?;
                let sqlite = self.alias();
                self.push_source(applied_source(&sqlite, &exposed, &columns))?;
                Ok((applied_sql(&bound, columns.len(), &sqlite), 1))
            }
            other => self.table(other),
        }
    }

    fn table_function(
        &mut self,
        name: &ObjectName,
        args: &[Expr],
        alias: Option<&Ident>,
        names: &[Ident],
    ) -> Result<(String, usize), SqlError> {
        let lower = name.name().to_ascii_lowercase();
        if is_builtin_table(name) {
            return self.builtin_table(&lower, args, alias, names);
        }
        let (module, query, resolved) = self.table_module(name)?;
        let (sql, columns) = self.expand_function(&module, &query, &resolved, args, false)?;
        let exposed = alias.map_or(name.name(), |a| a.value.as_str()).to_owned();
        let columns = named_columns(&columns, names, &exposed)?;
        let sqlite = self.alias();
        self.push_source(derived_source(&sqlite, Some(&exposed), &columns))?;
        Ok((format!("({sql}) AS {sqlite}"), 1))
    }

    /// A table function, the user's or the catalog's.
    fn table_module(&mut self, name: &ObjectName) -> Result<(Arc<Object>, CreateModule, Resolved), SqlError> {
        match system::script_function(name) {
            Some(script) => {
                let resolved = self.system_object(&script, name)?;
                Ok((Arc::clone(&resolved.object), script.create.clone(), resolved))
            }
            None => self.inline_function(name),
        }
    }

    fn inline_function(
        &mut self,
        name: &ObjectName,
    ) -> Result<(Arc<Object>, CreateModule, Resolved), SqlError> {
        let resolved = self.object(name)?;
        let ObjectKind::InlineFunction(module) = &resolved.object.kind else {
            return Err(SqlError::invalid_object(&name.to_string()).at(name.line()));
        };
        self.permitted(&resolved, "SELECT")?;
        Ok((Arc::clone(&resolved.object), parse_module(module)?, resolved))
    }

    /// An inline function's query with its arguments put in.
    fn expand_function(
        &mut self,
        object: &Object,
        module: &CreateModule,
        resolved: &Resolved,
        args: &[Expr],
        correlated: bool,
    ) -> Result<(String, Vec<OutColumn>), SqlError> {
        let ModuleBody::InlineFunction { parameters, query } = &module.body else {
            return Err(SqlError::internal("an inline function without a query"));
        };
        if args.len() > parameters.len() {
            return Err(SqlError::too_many_arguments(&object.name));
        }
        let mut values = BTreeMap::new();
        for (n, parameter) in parameters.iter().enumerate() {
            let ty = super::declared_type(&parameter.data_type)?;
            let bound = match (args.get(n), &parameter.default) {
                (Some(Expr::Default) | None, Some(default)) => self.expr(default)?,
                (Some(arg), _) if !matches!(arg, Expr::Default) => self.expr(arg)?,
                _ => {
                    return Err(SqlError::new(
                        313,
                        16,
                        3,
                        format!(
                            "An insufficient number of arguments were supplied for the procedure or function {}.",
                            object.name
                        ),
                    ));
                }
            };
            let bound = self.convert(&bound, ty, ConvertKind::Explicit)?;
            values.insert(
                parameter.name.to_lowercase(),
                Bound { ungrouped: None, column: None, nullable: true, ..bound },
            );
        }
        self.arguments.push(values);
        let outer = self.hide_siblings(correlated);
        let bound = self.in_module(resolved, |b| b.subquery(query));
        self.show_siblings(outer);
        self.arguments.pop();
        let bound = bound?;
        Ok((bound.sql, bound.columns))
    }

    /// Binds what stands inside a module: names resolve in its database, and the outer query's are out of sight.
    pub(super) fn in_module<T>(
        &mut self,
        resolved: &Resolved,
        work: impl FnOnce(&mut Self) -> Result<T, SqlError>,
    ) -> Result<T, SqlError> {
        let id = (resolved.database, resolved.object.id);
        if self.expanding.contains(&id) {
            return Err(SqlError::new(
                4429,
                16,
                1,
                format!(
                    "View or function '{}' contains a self-reference. Views or functions cannot reference themselves directly or indirectly.",
                    resolved.object.name
                ),
            ));
        }
        self.expanding.push(id);
        let database = std::mem::replace(&mut self.env.database, resolved.database);
        let schema = std::mem::replace(&mut self.env.schema, resolved.object.schema);
        let scopes = std::mem::take(&mut self.scopes);
        let ctes = std::mem::take(&mut self.ctes);
        let done = self.nested(work);
        self.ctes = ctes;
        self.scopes = scopes;
        self.env.database = database;
        self.env.schema = schema;
        self.expanding.pop();
        done
    }

    fn view(
        &mut self,
        resolved: &Resolved,
        module: &Module,
        exposed: &str,
        qualifier: Vec<String>,
    ) -> Result<(String, usize), SqlError> {
        let create = parse_module(module)?;
        let ModuleBody::View { columns: names, query, check_option } = &create.body else {
            return Err(SqlError::internal("a view without a query"));
        };
        let wish = self.wishes_for(exposed);
        if wish && *check_option {
            return Err(SqlError::unsupported("writing through a view WITH CHECK OPTION"));
        }
        self.arguments.push(BTreeMap::new());
        let bound = self.in_module(resolved, |b| {
            b.put_wish(wish);
            b.query(query)
        });
        self.arguments.pop();
        let bound = bound?;
        let columns = named_columns(&bound.columns, names, &resolved.object.name)?;
        let sqlite = self.alias();
        let mut source = derived_source(&sqlite, Some(exposed), &columns);
        source.qualifier = qualifier;
        self.push_source(source)?;
        Ok((format!("({}) AS {sqlite}", bound.sql), 1))
    }
}

/// Hints that ask for the locks of a write while reading.
const LOCKING: &[&str] = &["UPDLOCK", "XLOCK", "HOLDLOCK", "SERIALIZABLE", "REPEATABLEREAD", "TABLOCKX"];

/// The CREATE statement of a module.
pub(crate) fn parse_module(module: &Module) -> Result<CreateModule, SqlError> {
    let batch =
        parse_batch(&module.definition, &ParseOptions { quoted_identifier: module.quoted_identifier })?;
    match batch.statements.into_iter().next().map(|s| s.kind) {
        Some(StatementKind::CreateModule(create)) => Ok(*create),
        _ => Err(SqlError::internal("a module's definition is no CREATE statement")),
    }
}

fn applied_sql(query: &str, columns: usize, alias: &str) -> String {
    format!(
        "json_each((SELECT json_group_array(t_pack({})) FROM ({query}) AS z)) AS {alias}",
        column_list("z", columns)
    )
}

fn applied_source(alias: &str, exposed: &str, columns: &[OutColumn]) -> Source {
    let mut source = derived_source(alias, Some(exposed), columns);
    for (n, column) in source.columns.iter_mut().enumerate() {
        column.sql = format!("t_unpack({alias}.value,{n})");
    }
    source
}
