//! What INSERT, UPDATE and DELETE read before they write.

use lab_tsql::ast::{Cte, Expr, ObjectName, SetClause, TableRef, Target, Top};
use rusqlite::types::Value;

use super::{Binder, Bound, ParamSource, Resolved, Scope, Source, SourceColumn, Strength};
use crate::catalog::{Column, ObjectKind, Table};
use crate::error::SqlError;
use crate::store::LoweredCheck;
use crate::types::ConvertKind;

/// What an assignment of UPDATE changes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SetTarget {
    /// The column at this place in the table, and possibly a variable with it.
    Column(usize, Option<String>),
    Variable(String),
}

/// The rows that an UPDATE or DELETE changes.
#[derive(Debug, Clone)]
pub(crate) struct BoundChange {
    pub(crate) target: Resolved,
    /// `SELECT rowid, <columns of the table>, <new values>`.
    pub(crate) sql: String,
    /// What the new values are for, in order.
    pub(crate) sets: Vec<SetTarget>,
}

/// The clauses that UPDATE and DELETE have in common.
pub(crate) struct ChangeClauses<'a> {
    pub(crate) with: &'a [Cte],
    pub(crate) top: Option<&'a Top>,
    pub(crate) target: &'a Target,
    pub(crate) from: &'a [TableRef],
    pub(crate) filter: Option<&'a Expr>,
    pub(crate) set: &'a [SetClause],
}

impl Binder<'_> {
    /// The table that a statement writes to.
    pub(crate) fn target(&mut self, target: &Target) -> Result<Resolved, SqlError> {
        let resolved = match target {
            Target::Variable(name, pos) => {
                let id = self.env.variables.table_variable(&name.to_lowercase());
                let object = id.and_then(|id| self.catalog(0).ok().and_then(|c| c.object(id).cloned()));
                let object = object.ok_or_else(|| SqlError::undeclared_table_variable(name).at(pos.line))?;
                Resolved { database: 0, object }
            }
            Target::Table(name) => self.object(name)?,
        };
        match resolved.object.kind {
            ObjectKind::Table(_) => Ok(resolved),
            ObjectKind::View(_) => Err(SqlError::unsupported("writing through a view")),
            _ => Err(SqlError::invalid_object(&resolved.object.name)),
        }
    }

    /// Binds what an UPDATE or DELETE reads.
    pub(crate) fn change(&mut self, clauses: &ChangeClauses<'_>) -> Result<BoundChange, SqlError> {
        let with = self.with_clause(clauses.with, 100)?;
        self.scopes.push(Scope::default());
        let bound = self.change_in_scope(clauses, &with);
        self.scopes.pop();
        bound
    }

    fn change_in_scope(&mut self, clauses: &ChangeClauses<'_>, with: &str) -> Result<BoundChange, SqlError> {
        let mut from = self.from_clause(clauses.from)?;
        let named = match clauses.target {
            Target::Table(name) => self.named_source(name),
            Target::Variable(name, _) => self
                .scope()
                .sources
                .iter()
                .find(|s| s.exposed.as_deref().is_some_and(|e| crate::catalog::same_name(e, name)))
                .cloned(),
        };
        let source = match named {
            Some(source) => source,
            None => {
                if let Target::Table(name) = clauses.target
                    && self.ctes.iter().any(|c| crate::catalog::same_name(&c.name, name.name()))
                {
                    return Err(SqlError::unsupported("writing through a common table expression"));
                }
                let resolved = self.target(clauses.target)?;
                let exposed = resolved.object.name.clone();
                let exposed =
                    if let Target::Variable(name, _) = clauses.target { name.clone() } else { exposed };
                let (sql, _) = self.base_table(&resolved, &exposed, Vec::new())?;
                from.push_str(if from.is_empty() { " FROM " } else { " CROSS JOIN " });
                from.push_str(&sql);
                self.scope()
                    .sources
                    .last()
                    .cloned()
                    .ok_or_else(|| SqlError::internal("a target without a source"))?
            }
        };
        let Some((database, id)) = source.table else {
            return Err(SqlError::unsupported("writing through a view"));
        };
        let object = self
            .catalog(database)?
            .object(id)
            .cloned()
            .ok_or_else(|| SqlError::internal("a target that is gone"))?;
        let target = Resolved { database, object };
        let Some(table) = target.object.table() else {
            return Err(SqlError::internal("a target that is no table"));
        };
        let mut list = vec![format!("{}.rowid", source.alias)];
        list.extend(table.columns.iter().map(|c| {
            if c.computed.is_some() { "NULL".to_owned() } else { format!("{}.c{}", source.alias, c.id) }
        }));
        let mut sets = Vec::new();
        for set in clauses.set {
            let (what, sql) = self.set_clause(set, table, &target.object.name, &source)?;
            sets.push(what);
            list.push(sql);
        }
        let filter = match clauses.filter {
            Some(filter) => format!(" WHERE {}", self.condition(filter)?),
            None => String::new(),
        };
        let limit = match clauses.top {
            Some(top) if top.percent => return Err(SqlError::unsupported("TOP PERCENT of a change")),
            Some(top) => format!(" LIMIT {}", self.top_count(top)?),
            None => String::new(),
        };
        let sql = format!("{with}SELECT {}{from}{filter}{limit}", list.join(","));
        Ok(BoundChange { target, sql, sets })
    }

    fn named_source(&mut self, name: &ObjectName) -> Option<Source> {
        let names: Vec<&str> = name.parts.iter().map(|p| p.value.as_str()).collect();
        let answering: Vec<Source> = self
            .scope()
            .sources
            .iter()
            .filter(|s| s.table.is_some() && s.answers_to(&names))
            .cloned()
            .collect();
        if let Some(found) = answering.into_iter().next() {
            return Some(found);
        }
        // `UPDATE t ... FROM t AS a`: the table itself, under whatever alias it has there.
        let resolved = self.find(name).ok().flatten()?;
        let same = |s: &&Source| s.table == Some((resolved.database, resolved.object.id));
        let sources = self.scope().sources.clone();
        let mut matching = sources.iter().filter(same);
        let first = matching.next().cloned();
        first.filter(|_| matching.next().is_none())
    }

    fn set_clause(
        &mut self,
        set: &SetClause,
        table: &Table,
        name: &str,
        source: &Source,
    ) -> Result<(SetTarget, String), SqlError> {
        let Some(column_name) = &set.column else {
            let variable = set.variable.clone().unwrap_or_default();
            let (ty, _) = self
                .env
                .variables
                .variable(&variable.to_lowercase())
                .ok_or_else(|| SqlError::undeclared_variable(&variable))?;
            let mut bound = self.expr(&set.value)?;
            if let Some(op) = set.op {
                let current = self
                    .expr(&Expr::Variable { name: variable.clone(), pos: lab_tsql::ast::Pos::default() })?;
                bound = self.arithmetic(super::expr::arithmetic_op(op), current, bound)?;
            }
            return Ok((SetTarget::Variable(variable), self.to_variable(&bound, ty)?.sql));
        };
        let at = table.columns.iter().position(|c| crate::catalog::same_name(&c.name, column_name.name()));
        let Some((at, column)) = at.and_then(|at| table.columns.get(at).map(|c| (at, c))) else {
            return Err(SqlError::invalid_column(column_name.name()).at(column_name.line()));
        };
        if column.computed.is_some() {
            return Err(SqlError::cannot_modify_column(&column.name));
        }
        if column.identity.is_some() {
            return Err(SqlError::update_identity(&column.name));
        }
        if column.ty == crate::types::SqlType::RowVersion {
            return Err(SqlError::new(272, 16, 1, "Cannot update a timestamp column."));
        }
        let bound = match (&set.value, set.op) {
            (Expr::Default, None) => self.default_of(column)?,
            (value, None) => self.expr(value)?,
            (value, Some(op)) => {
                let value = self.expr(value)?;
                let current = Bound {
                    collation: column.ty.is_character().then_some(column.collation),
                    collation_strength: Strength::Implicit,
                    ..Bound::new(format!("{}.c{}", source.alias, column.id), column.ty, column.nullable)
                };
                self.arithmetic(super::expr::arithmetic_op(op), current, value)?
            }
        };
        let sql = self.assign_column(&bound, name, column)?.sql;
        Ok((SetTarget::Column(at, set.variable.clone()), sql))
    }

    /// A column's default, or NULL.
    pub(crate) fn default_of(&mut self, column: &Column) -> Result<Bound, SqlError> {
        let Some(default) = &column.default else { return Ok(Bound::null()) };
        if let Some(constant) = &default.constant {
            return Ok(Bound::literal(constant.0.clone(), column.ty));
        }
        let expr = lab_tsql::parse_expression(&default.definition, &lab_tsql::ParseOptions::default())?;
        self.expr(&expr)
    }

    /// Converts a value for a column; what does not fit is reported with the column's name.
    pub(crate) fn assign_column(
        &mut self,
        bound: &Bound,
        table: &str,
        column: &Column,
    ) -> Result<Bound, SqlError> {
        if let Some(Value::Text(_) | Value::Blob(_)) = &bound.literal {
            return self.assign(bound, column.ty).map_err(|e| match e.number {
                2628 => {
                    let value = e
                        .message
                        .rsplit_once("Truncated value: '")
                        .map_or("", |(_, v)| v)
                        .trim_end_matches("'.")
                        .to_owned();
                    SqlError::truncated_in(table, &column.name, &value)
                }
                _ => e,
            });
        }
        let assigned = self.assign(bound, column.ty)?;
        let sized = column.ty.is_character() || column.ty.is_binary();
        if !sized || assigned.sql == bound.sql {
            return Ok(assigned);
        }
        let name = |n: &str| n.replace('\'', "''");
        let sql = format!(
            "t_assign({},{},{},{},'{}','{}')",
            bound.sql,
            bound.ty.code(),
            column.ty.code(),
            ConvertKind::Assign.code(),
            name(table),
            name(&column.name)
        );
        Ok(Bound { sql, ..assigned })
    }

    /// The enabled CHECK constraints of a table: `?k` is its k-th column, and the binder's parameters come behind those.
    pub(crate) fn checks(&mut self, table: &Table) -> Result<Vec<LoweredCheck>, SqlError> {
        let enabled: Vec<_> = table.checks.iter().filter(|c| !c.disabled).collect();
        if enabled.is_empty() {
            return Ok(Vec::new());
        }
        // The first parameters are the columns: names that no variable can have keep their places.
        for n in 0..table.columns.len() {
            self.param(ParamSource::Variable(format!("\u{1}{n}")));
        }
        let columns = self.table_columns_at(table, |at, _| format!("?{}", at + 1))?;
        let source =
            Source { alias: String::new(), exposed: None, qualifier: Vec::new(), columns, table: None };
        let mut out = Vec::new();
        for check in enabled {
            let expr = lab_tsql::parse_expression(&check.definition, &lab_tsql::ParseOptions::default())?;
            self.scopes.push(Scope { sources: vec![source.clone()], ..Scope::default() });
            let sql = self.condition(&expr);
            self.scopes.pop();
            out.push(LoweredCheck { name: check.name.clone(), column: check.column, sql: sql? });
        }
        Ok(out)
    }

    /// A table's rows as `packed` JSON arrays hold them: the source of `inserted` and `deleted`.
    pub(crate) fn packed_source(
        &mut self,
        table: &Table,
        param: &str,
        exposed: &str,
    ) -> Result<(String, Source), SqlError> {
        let alias = self.alias();
        let cells: Vec<String> = table
            .columns
            .iter()
            .enumerate()
            .map(|(n, c)| format!("t_unpack(value,{n}) AS c{}", c.id))
            .collect();
        let sql = format!("(SELECT key AS k,{} FROM json_each({param})) AS {alias}", cells.join(","));
        let columns: Vec<SourceColumn> = self.table_columns(table, &alias)?;
        Ok((
            sql,
            Source { alias, exposed: Some(exposed.to_owned()), qualifier: Vec::new(), columns, table: None },
        ))
    }

    /// A filter of an index in terms of the bare table.
    pub(crate) fn index_filter(&mut self, table: &Table, filter: &str) -> Result<String, SqlError> {
        let expr = lab_tsql::parse_expression(filter, &lab_tsql::ParseOptions::default())?;
        let columns = self.table_columns_at(table, |_, c| format!("c{}", c.id))?;
        let source =
            Source { alias: String::new(), exposed: None, qualifier: Vec::new(), columns, table: None };
        self.scopes.push(Scope { sources: vec![source], ..Scope::default() });
        let sql = self.condition(&expr);
        self.scopes.pop();
        sql
    }
}
