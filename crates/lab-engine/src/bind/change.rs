//! What INSERT, UPDATE and DELETE read before they write.

use lab_tsql::ast::{Cte, Expr, ObjectName, SetClause, TableRef, Target, Top};

use super::updatable::Reach;
use super::{Binder, Bound, ParamSource, Resolved, RowExpressions, Scope, Source, SourceColumn, Strength};
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

impl SetTarget {
    /// The variable that it assigns.
    pub(crate) fn variable(&self) -> Option<&str> {
        match self {
            SetTarget::Column(_, variable) => variable.as_deref(),
            SetTarget::Variable(variable) => Some(variable),
        }
    }
}

/// A column may be assigned once.
fn twice_assigned(table: &Table, sets: &[SetTarget]) -> Result<(), SqlError> {
    let mut seen = std::collections::BTreeSet::new();
    for set in sets {
        if let SetTarget::Column(at, _) = set
            && !seen.insert(*at)
        {
            let name = table.columns.get(*at).map(|c| c.name.clone()).unwrap_or_default();
            return Err(SqlError::assigned_twice(&name));
        }
    }
    Ok(())
}

/// The rows that an UPDATE or DELETE changes.
#[derive(Debug, Clone)]
pub(crate) struct BoundChange {
    pub(crate) target: Resolved,
    /// `SELECT rowid, <columns of the table>, <new values>`.
    pub(crate) sql: String,
    /// What the new values are for, in order.
    pub(crate) sets: Vec<SetTarget>,
    /// Of assignments that read the variables they assign: what to evaluate for each row instead of values in it.
    pub(crate) row_expressions: Option<RowExpressions>,
    /// The other sources of FROM, whose columns stand behind everything else in each row: OUTPUT may name them.
    pub(crate) beside: Vec<Source>,
}

/// The clauses that UPDATE and DELETE have in common.
pub(crate) struct ChangeClauses<'a> {
    pub(crate) with: &'a [Cte],
    pub(crate) top: Option<&'a Top>,
    pub(crate) target: &'a Target,
    pub(crate) from: &'a [TableRef],
    pub(crate) filter: Option<&'a Expr>,
    pub(crate) set: &'a [SetClause],
    /// Whether OUTPUT follows.
    pub(crate) output: bool,
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
            _ => Err(SqlError::invalid_object(&resolved.object.name)),
        }
    }

    /// Binds what an UPDATE or DELETE reads.
    pub(crate) fn change(&mut self, clauses: &ChangeClauses<'_>) -> Result<BoundChange, SqlError> {
        if let Target::Table(name) = clauses.target {
            self.wish_for(name.name());
        }
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
            None if self.is_query(clauses.target) => {
                let Target::Table(name) = clauses.target else {
                    return Err(SqlError::internal("a variable is no query"));
                };
                let named = TableRef::Named { name: name.clone(), alias: None, hints: Vec::new() };
                from.push_str(if from.is_empty() { " FROM " } else { " JOIN " });
                let (sql, _) = self.table(&named)?;
                from.push_str(&sql);
                self.scope()
                    .sources
                    .last()
                    .cloned()
                    .ok_or_else(|| SqlError::internal("a target without a source"))?
            }
            None => {
                let resolved = self.target(clauses.target)?;
                let exposed = resolved.object.name.clone();
                let exposed =
                    if let Target::Variable(name, _) = clauses.target { name.clone() } else { exposed };
                let (sql, _) = self.base_table(&resolved, &exposed, Vec::new())?;
                from.push_str(if from.is_empty() { " FROM " } else { " JOIN " });
                from.push_str(&sql);
                self.scope()
                    .sources
                    .last()
                    .cloned()
                    .ok_or_else(|| SqlError::internal("a target without a source"))?
            }
        };
        let reach =
            self.reach(&source)?.ok_or_else(|| SqlError::unsupported("writing through this query"))?;
        let target = reach.target.clone();
        let Some(table) = target.object.table() else {
            return Err(SqlError::internal("a target that is no table"));
        };
        let mut list = vec![reach.rowid.clone()];
        list.extend(table.columns.iter().map(|c| reach.cell(c.id)));
        let mut sets = Vec::new();
        let mut values = Vec::new();
        for set in clauses.set {
            let (what, sql) = self.set_clause(set, table, &source, &reach)?;
            sets.push(what);
            values.push(sql);
        }
        twice_assigned(table, &sets)?;
        let assigned: Vec<String> = sets.iter().filter_map(|s| s.variable().map(str::to_owned)).collect();
        let row_expressions = if self.reads_any(&assigned) {
            self.scope().captured = Some(Vec::new());
            let again: Result<Vec<String>, SqlError> = clauses
                .set
                .iter()
                .map(|set| self.set_clause(set, table, &source, &reach).map(|(_, sql)| sql))
                .collect();
            let captured = self.scope().captured.take().unwrap_or_default();
            Some(RowExpressions::new(captured, again?))
        } else {
            None
        };
        match &row_expressions {
            Some(found) => list.extend_from_slice(found.more()),
            None => list.append(&mut values),
        }
        let mut beside = Vec::new();
        if clauses.output && !clauses.from.is_empty() {
            beside = self.scope().sources.iter().filter(|s| s.alias != source.alias).cloned().collect();
            list.extend(beside.iter().flat_map(|s| s.columns.iter().map(|c| c.sql.clone())));
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
        Ok(BoundChange { target, sql, sets, row_expressions, beside })
    }

    /// Whether the target is a common table expression or a view, which stands for a query.
    fn is_query(&mut self, target: &Target) -> bool {
        let Target::Table(name) = target else { return false };
        self.ctes.iter().any(|c| crate::catalog::same_name(&c.name, name.name()))
            || matches!(self.find(name), Ok(Some(found)) if matches!(found.object.kind, ObjectKind::View(_)))
    }

    fn named_source(&mut self, name: &ObjectName) -> Option<Source> {
        let names: Vec<&str> = name.parts.iter().map(|p| p.value.as_str()).collect();
        let answering: Vec<Source> =
            self.scope().sources.iter().filter(|s| s.answers_to(&names)).cloned().collect();
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
        source: &Source,
        reach: &Reach,
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
        let id = reach.column_named(column_name.name());
        let at = table.columns.iter().position(|c| Some(c.id) == id);
        if at.is_none()
            && source.columns.iter().any(|c| crate::catalog::same_name(&c.name, column_name.name()))
        {
            let shown = source.exposed.clone().unwrap_or_default();
            return Err(SqlError::new(
                4406,
                16,
                1,
                format!(
                    "Update or insert of view or function '{shown}' failed because it contains a derived or constant field."
                ),
            ));
        }
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
                    ..Bound::new(reach.cell(column.id), column.ty, column.nullable)
                };
                let current = self.captured_cell(current);
                self.arithmetic(super::expr::arithmetic_op(op), current, value)?
            }
        };
        let name = reach.full_name(self)?;
        let sql = self.assign_column(&bound, &name, column)?.sql;
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
        let cuts = !self.env.settings.ansi_warnings;
        let utf8 = column.ty.is_character() && !column.ty.is_national() && column.collation.is_utf8();
        let assigned = self.assign(bound, column.ty)?;
        let sized = column.ty.is_character() || column.ty.is_binary();
        // The length of UTF-8 text is in bytes, whatever type it comes from.
        let foreign = utf8 && !bound.collation.is_some_and(crate::types::Collation::is_utf8);
        if !sized
            || bound.is_null_literal
            || (!foreign && (assigned.sql == bound.sql || assigned.literal.is_some()))
        {
            return Ok(assigned);
        }
        let kind = if cuts { ConvertKind::Explicit } else { ConvertKind::Assign };
        let kind = kind.code() | if utf8 { crate::types::UTF8_FLAG } else { 0 };
        let name = |n: &str| n.replace('\'', "''");
        let sql = format!(
            "t_assign({},{},{},{},'{}','{}')",
            bound.sql,
            bound.ty.code(),
            column.ty.code(),
            kind,
            name(table),
            name(&column.name)
        );
        Ok(Bound { sql, literal: None, ..assigned })
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

    /// The sources beside the target of an UPDATE or DELETE, from rows packed with all their columns one after the other.
    pub(crate) fn packed_beside(&mut self, others: &[Source], param: &str) -> (String, String, Vec<Source>) {
        let alias = self.alias();
        let mut at = 0;
        let mut sources = others.to_vec();
        for source in &mut sources {
            source.table = None;
            for column in &mut source.columns {
                column.sql = format!("t_unpack({alias}.value,{at})");
                at += 1;
            }
        }
        (format!("(SELECT key AS k,value FROM json_each({param})) AS {alias}"), alias, sources)
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
