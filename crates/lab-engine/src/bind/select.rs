//! One SELECT.

use lab_tsql::ast::{Expr, OrderItem, Query, Select, SelectItem, Top};

use super::aggregate::is_aggregate;
use super::query::{BoundQuery, OutColumn, column_list, ordinal};
use super::{Binder, Bound, Grouping, Scope};
use crate::catalog::same_name;
use crate::error::SqlError;
use crate::types::SqlType;

/// An item of the select list, bound.
pub(super) struct Item {
    pub(super) bound: Bound,
    pub(super) name: Option<String>,
    pub(super) assign: Option<String>,
}

/// What is already put into SQL when the select list comes.
struct Clauses {
    from: String,
    filter: String,
    group: String,
}

impl Binder<'_> {
    /// Binds a SELECT; `query` is what surrounds it, if it has its own ORDER BY.
    pub(crate) fn select(&mut self, select: &Select, query: Option<&Query>) -> Result<BoundQuery, SqlError> {
        self.scopes.push(Scope::default());
        let bound = self.select_in_scope(select, query).map_err(|e| e.at(select.pos.line));
        self.scopes.pop();
        bound
    }

    fn clauses(&mut self, select: &Select) -> Result<Clauses, SqlError> {
        if let Some(what) = &select.grouping_sets {
            return Err(SqlError::unsupported(&format!("GROUP BY {what}")));
        }
        let from = self.from_clause(&select.from)?;
        let filter = match &select.filter {
            Some(filter) => format!(" WHERE {}", self.condition(filter)?),
            None => String::new(),
        };
        let mut keys = Vec::new();
        let mut sorted = Vec::new();
        for expr in &select.group_by {
            let bound = self.expr(expr)?;
            if !bound.ty.is_comparable() {
                return Err(SqlError::new(
                    306,
                    16,
                    2,
                    "The text, ntext, and image data types cannot be compared or sorted, except when using IS NULL or LIKE operator.",
                ));
            }
            sorted.push(self.sort_key(&bound));
            keys.push(bound.sql);
        }
        let group = if sorted.is_empty() { String::new() } else { format!(" GROUP BY {}", sorted.join(",")) };
        let aggregates = !keys.is_empty() || select.having.is_some() || has_aggregate(select);
        let scope = self.scope();
        scope.aggregates_allowed = true;
        scope.windows.clone_from(&select.windows);
        if aggregates {
            scope.grouping = Some(Grouping { keys });
        }
        Ok(Clauses { from, filter, group })
    }

    fn select_in_scope(&mut self, select: &Select, query: Option<&Query>) -> Result<BoundQuery, SqlError> {
        let expose = self.take_wish();
        if select.top.is_some() && query.is_some_and(|q| q.offset.is_some()) {
            return Err(SqlError::new(
                10741,
                15,
                2,
                "A TOP can not be used in the same query or sub-query as a OFFSET.",
            ));
        }
        let mut clauses = self.clauses(select)?;
        if let Some(having) = &select.having {
            let (sql, ungrouped) = self.condition_with(having)?;
            if let Some(column) = ungrouped {
                return Err(SqlError::ungrouped_having(&column));
            }
            // SQLite wants a GROUP BY in front of HAVING.
            if clauses.group.is_empty() {
                clauses.group = " GROUP BY NULL".to_owned();
            }
            clauses.group.push_str(&format!(" HAVING {sql}"));
        }
        let items = self.items(&select.items, !select.from.is_empty())?;
        let assigns: Vec<String> = items.iter().filter_map(|i| i.assign.clone()).collect();
        if !assigns.is_empty() && assigns.len() != items.len() {
            return Err(SqlError::mixed_assignment());
        }
        if let Some(column) = items.iter().find_map(|i| i.bound.ungrouped.clone()) {
            return Err(SqlError::ungrouped_column(&column));
        }
        let row_expressions = self.row_expressions(select, &assigns)?;
        let mut list = match &row_expressions {
            Some(found) => found.list(),
            None => self.item_list(&items, select.distinct),
        };
        let mut columns = match &row_expressions {
            Some(found) => found.columns(),
            None => out_columns(&items),
        };
        if expose {
            let shown: Vec<String> = items.iter().map(|i| i.bound.sql.clone()).collect();
            let plain = !select.distinct && self.scope().grouping.is_none();
            self.expose_rows(plain, &shown, &mut list, &mut columns)?;
        }
        let single_row = (self.scope().grouping.as_ref().is_some_and(|g| g.keys.is_empty())
            && select.group_by.is_empty())
            || (select.from.is_empty())
            || top_one(select.top.as_ref());
        let order = match query {
            Some(query) => self.order_keys(&query.order_by, &items, select)?,
            None => Vec::new(),
        };
        let distinct = if select.distinct { "DISTINCT " } else { "" };
        let body = format!("{}{}{}", clauses.from, clauses.filter, clauses.group);
        let sql = match &select.top {
            Some(top) if top.percent || top.with_ties => {
                self.ranked_top(top, distinct, &list, &body, &order, columns.len())?
            }
            top => {
                let mut sql = format!("SELECT {distinct}{list}{body}");
                if !order.is_empty() {
                    sql.push_str(&format!(" ORDER BY {}", order.join(",")));
                }
                match (top, query) {
                    (Some(top), _) => sql.push_str(&format!(" LIMIT {}", self.top_count(top)?)),
                    (None, Some(query)) => sql.push_str(&self.offset_fetch(query)?),
                    (None, None) => {}
                }
                sql
            }
        };
        Ok(BoundQuery { sql, columns, single_row, assigns, row_expressions })
    }

    /// The items of an OUTPUT clause over rows that `from` yields.
    pub(crate) fn output_query(
        &mut self,
        items: &[SelectItem],
        from: &str,
        sources: Vec<super::Source>,
    ) -> Result<BoundQuery, SqlError> {
        self.scopes.push(Scope { sources, ..Scope::default() });
        let items = self.items(items, true);
        self.scopes.pop();
        let items = items?;
        let list = self.item_list(&items, false);
        Ok(BoundQuery {
            sql: format!("SELECT {list} FROM {from}"),
            columns: out_columns(&items),
            single_row: false,
            assigns: Vec::new(),
            row_expressions: None,
        })
    }

    pub(super) fn items(&mut self, items: &[SelectItem], has_from: bool) -> Result<Vec<Item>, SqlError> {
        let mut out = Vec::new();
        for item in items {
            match item {
                SelectItem::Star(qualifier) => {
                    if !has_from {
                        return Err(SqlError::star_without_from());
                    }
                    let names: Vec<&str> =
                        qualifier.iter().flat_map(|q| q.parts.iter().map(|p| p.value.as_str())).collect();
                    let grouped = self.scope().grouping.is_some();
                    let sources: Vec<_> =
                        self.scope().sources.iter().filter(|s| s.answers_to(&names)).cloned().collect();
                    if sources.is_empty() {
                        let shown = qualifier.as_ref().map(ToString::to_string).unwrap_or_default();
                        return Err(SqlError::new(
                            107,
                            15,
                            1,
                            format!(
                                "The column prefix '{shown}' does not match with a table name or alias name used in the query."
                            ),
                        ));
                    }
                    let columns = sources.into_iter().flat_map(|s| {
                        let table = s.exposed.clone();
                        s.columns.into_iter().map(move |c| (table.clone(), c))
                    });
                    // Columns that no name reaches are the engine's own.
                    for (table, column) in columns.filter(|(_, c)| !c.name.starts_with('\u{1}')) {
                        let keys = self.scope().grouping.clone().unwrap_or_default().keys;
                        let shown =
                            table.map_or_else(|| column.name.clone(), |t| format!("{t}.{}", column.name));
                        let bound = Bound {
                            collation: column.collation,
                            collation_strength: super::Strength::Implicit,
                            column: Some(column.facts),
                            ungrouped: (grouped && !keys.contains(&column.sql)).then_some(shown),
                            ..Bound::new(column.sql, column.ty, column.nullable)
                        };
                        out.push(Item { bound, name: Some(column.name), assign: None });
                    }
                }
                SelectItem::Expr { expr, alias } => {
                    let bound = self.expr(expr)?;
                    let name = alias.as_ref().map(|a| a.value.clone()).or_else(|| implied_name(expr));
                    out.push(Item { bound, name, assign: None });
                }
                SelectItem::Assign { variable, op, expr, pos } => {
                    let folded = variable.to_lowercase();
                    let ty = self
                        .assigned_type(&folded)
                        .ok_or_else(|| SqlError::undeclared_variable(variable).at(pos.line))?;
                    let before = std::mem::take(&mut self.expansion.reads);
                    let mut bound = self.expr(expr)?;
                    if let Some(op) = op {
                        let current = self.expr(&Expr::Variable { name: variable.clone(), pos: *pos })?;
                        bound = self.arithmetic(super::expr::arithmetic_op(*op), current, bound)?;
                    }
                    let reads = std::mem::replace(&mut self.expansion.reads, before);
                    self.expansion.reads.extend(reads.iter().cloned());
                    self.expansion.item_reads.push(reads);
                    let bound = self.to_variable(&bound, ty)?;
                    out.push(Item { bound, name: None, assign: Some(folded) });
                }
            }
        }
        Ok(out)
    }

    fn item_list(&mut self, items: &[Item], distinct: bool) -> String {
        let mut out = Vec::new();
        for (n, item) in items.iter().enumerate() {
            let sql = if distinct { self.distinct_key(&item.bound) } else { item.bound.sql.clone() };
            out.push(format!("{sql} AS c{}", n + 1));
        }
        out.join(",")
    }

    fn distinct_key(&mut self, bound: &Bound) -> String {
        if bound.ty.is_character() { self.sort_key(bound) } else { bound.sql.clone() }
    }

    /// ORDER BY of a SELECT: aliases of the list come before columns of the tables.
    fn order_keys(
        &mut self,
        order: &[OrderItem],
        items: &[Item],
        select: &Select,
    ) -> Result<Vec<String>, SqlError> {
        let distinct = select.distinct;
        // Rows that are numbered after DISTINCT are sorted by what DISTINCT left.
        let outer = distinct && select.top.as_ref().is_some_and(|t| t.percent || t.with_ties);
        let mut out = Vec::new();
        for item in order {
            let by_alias = match &item.expr {
                Expr::Column(name) if name.parts.len() == 1 => {
                    items.iter().position(|i| i.name.as_deref().is_some_and(|n| same_name(n, name.name())))
                }
                other => match ordinal(other) {
                    Some(n) if (1..=items.len()).contains(&n) => Some(n - 1),
                    Some(n) => return Err(SqlError::order_position(&n.to_string())),
                    None => None,
                },
            };
            let bound = match by_alias.and_then(|at| items.get(at)) {
                Some(item) => item.bound.clone(),
                None => self.expr(&item.expr)?,
            };
            if let Some(column) = &bound.ungrouped {
                return Err(SqlError::ungrouped_order(column));
            }
            let listed = by_alias.or_else(|| items.iter().position(|i| i.bound.sql == bound.sql));
            if distinct && listed.is_none() {
                return Err(SqlError::distinct_order());
            }
            let bound = match listed {
                Some(at) if outer => Bound { sql: format!("d.c{}", at + 1), ..bound },
                _ => bound,
            };
            if bound.literal.is_some() && by_alias.is_none() {
                continue;
            }
            let key = self.sort_key(&bound);
            out.push(format!("{key}{}", if item.descending { " DESC" } else { "" }));
        }
        Ok(out)
    }

    /// The row count of TOP as SQL; NULL and negative counts are errors at run time.
    pub(crate) fn top_count(&mut self, top: &Top) -> Result<String, SqlError> {
        let count = self.expr(&top.count)?;
        if count.ty.is_character() || count.ty.is_approximate() && !top.percent {
            return Err(SqlError::bad_top());
        }
        let count = self.implicit(&count, SqlType::BigInt)?;
        Ok(match count.literal {
            Some(rusqlite::types::Value::Integer(0..)) => count.sql,
            _ => format!("t_top(t_count({}))", count.sql),
        })
    }

    /// TOP (n) PERCENT and WITH TIES: rows are numbered in order first.
    fn ranked_top(
        &mut self,
        top: &Top,
        distinct: &str,
        list: &str,
        body: &str,
        order: &[String],
        n: usize,
    ) -> Result<String, SqlError> {
        if top.with_ties && order.is_empty() {
            return Err(SqlError::new(
                1062,
                15,
                1,
                "The TOP N WITH TIES clause is not allowed without a corresponding ORDER BY clause.",
            ));
        }
        let window = if order.is_empty() { String::new() } else { format!("ORDER BY {}", order.join(",")) };
        let rank = if top.with_ties { "rank" } else { "row_number" };
        let limit = if top.percent {
            let count = self.expr(&top.count)?;
            let percent = self.implicit(&count, SqlType::Float)?.sql;
            format!("k_pos <= ceil(k_all * t_percent(t_count({percent})) / 100.0)")
        } else {
            format!("k_pos <= {}", self.top_count(top)?)
        };
        let (list, body) = if distinct.is_empty() {
            (list.to_owned(), body.to_owned())
        } else {
            let left: Vec<String> = (1..=n).map(|n| format!("d.c{n} AS c{n}")).collect();
            (left.join(","), format!(" FROM (SELECT DISTINCT {list}{body}) AS d"))
        };
        Ok(format!(
            "SELECT {} FROM (SELECT {list}, {rank}() OVER ({window}) AS k_pos, row_number() OVER ({window}) AS k_row, count(*) OVER () AS k_all{body}) AS k WHERE {limit} ORDER BY k_row",
            column_list("k", n)
        ))
    }

    /// The recursive part of a common table expression.
    pub(crate) fn recursive_select(
        &mut self,
        select: &Select,
        columns: &[OutColumn],
    ) -> Result<String, SqlError> {
        self.scopes.push(Scope::default());
        let done = self.recursive_in_scope(select, columns);
        self.scopes.pop();
        done
    }

    fn recursive_in_scope(&mut self, select: &Select, columns: &[OutColumn]) -> Result<String, SqlError> {
        let clauses = self.clauses(select)?;
        if !clauses.group.is_empty() || select.top.is_some() || select.distinct {
            return Err(SqlError::new(
                460,
                16,
                1,
                "DISTINCT, TOP and GROUP BY are not allowed in the recursive part of a recursive common table expression.",
            ));
        }
        let items = self.items(&select.items, true)?;
        if items.len() != columns.len() {
            return Err(SqlError::set_operation_count());
        }
        let mut list = Vec::new();
        for (item, column) in items.iter().zip(columns) {
            // Types must be the same down to their lengths; decimal and numeric are.
            let decimals = item.bound.ty.is_decimal() && column.ty.is_decimal();
            let same = item.bound.ty == column.ty
                || (decimals
                    && item.bound.ty.precision() == column.ty.precision()
                    && item.bound.ty.scale() == column.ty.scale());
            if !same && !item.bound.is_null_literal {
                let name = column.name.clone().unwrap_or_default();
                let query = self.ctes.last().map(|c| c.name.clone()).unwrap_or_default();
                return Err(SqlError::new(
                    240,
                    16,
                    1,
                    format!(
                        "Types don't match between the anchor and the recursive part in column \"{name}\" of recursive query \"{query}\"."
                    ),
                ));
            }
            list.push(self.implicit(&item.bound, column.ty)?.sql);
        }
        let depth = self
            .scope()
            .sources
            .iter()
            .find_map(|s| s.columns.iter().find(|c| c.name == "\u{1}depth").map(|c| c.sql.clone()));
        let max = self.ctes.last().and_then(|c| c.depth).unwrap_or(100);
        let depth = depth.ok_or_else(|| SqlError::internal("a recursive query without its table"))?;
        Ok(format!("SELECT {},t_depth({depth}+1,{max}){}{}", list.join(","), clauses.from, clauses.filter))
    }
}

fn out_columns(items: &[Item]) -> Vec<OutColumn> {
    items
        .iter()
        .map(|i| OutColumn {
            name: i.name.clone(),
            ty: i.bound.ty,
            nullable: i.bound.nullable,
            collation: i.bound.collation.filter(|_| i.bound.ty.is_character()),
            facts: super::ColumnFacts {
                untyped: i.bound.is_null_literal,
                ..i.bound.column.unwrap_or_default()
            },
        })
        .collect()
}

/// The name that a select item has without an alias.
fn implied_name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Column(name) => Some(name.name().to_owned()),
        Expr::Nested(inner) => implied_name(inner),
        _ => None,
    }
}

fn top_one(top: Option<&Top>) -> bool {
    matches!(top, Some(Top { count: Expr::Literal(lab_tsql::ast::Literal::Int(n)), percent: false, with_ties: false }) if n == "1")
}

/// Whether aggregates stand in the select list, so that the query is grouped without GROUP BY.
fn has_aggregate(select: &Select) -> bool {
    select.items.iter().any(|item| match item {
        SelectItem::Star(_) => false,
        SelectItem::Expr { expr, .. } | SelectItem::Assign { expr, .. } => aggregates(expr),
    })
}

fn aggregates(expr: &Expr) -> bool {
    match expr {
        Expr::Call(call) => {
            let name = call.name.name().to_ascii_lowercase();
            (is_aggregate(&name) && call.over.is_none() && call.name.parts.len() == 1)
                || call.args.iter().any(aggregates)
        }
        Expr::Nested(e) | Expr::Not(e) => aggregates(e),
        Expr::Unary { operand, .. }
        | Expr::Cast { operand, .. }
        | Expr::Collate { operand, .. }
        | Expr::IsNull { operand, .. } => aggregates(operand),
        Expr::DistinctFrom { left, right, .. } => aggregates(left) || aggregates(right),
        Expr::Binary { left, right, .. } | Expr::Compare { left, right, .. } => {
            aggregates(left) || aggregates(right)
        }
        Expr::And(a, b) | Expr::Or(a, b) => aggregates(a) || aggregates(b),
        Expr::Between { operand, low, high, .. } => {
            aggregates(operand) || aggregates(low) || aggregates(high)
        }
        Expr::InList { operand, list, .. } => aggregates(operand) || list.iter().any(aggregates),
        Expr::Like { operand, pattern, .. } => aggregates(operand) || aggregates(pattern),
        Expr::Case { operand, whens, otherwise } => {
            operand.as_deref().is_some_and(aggregates)
                || whens.iter().any(|(w, t)| aggregates(w) || aggregates(t))
                || otherwise.as_deref().is_some_and(aggregates)
        }
        _ => false,
    }
}
