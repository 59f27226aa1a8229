//! Queries: common table expressions, set operations, ORDER BY, OFFSET.

use lab_tsql::ast::{Cte, Query, QueryBody, SetOp};

use super::{Binder, Bound, ColumnFacts, CteScope, Scope, Strength};
use crate::error::SqlError;
use crate::types::{Collation, SqlType};

/// A column that a query yields; in its SQL it is called `c1`, `c2`, ...
#[derive(Debug, Clone)]
pub(crate) struct OutColumn {
    /// `None` for an expression without alias.
    pub(crate) name: Option<String>,
    pub(crate) ty: SqlType,
    pub(crate) nullable: bool,
    pub(crate) collation: Option<Collation>,
    pub(crate) facts: ColumnFacts,
}

impl OutColumn {
    /// Whether it is one of the engine's own, which no name reaches.
    pub(crate) fn is_hidden(&self) -> bool {
        self.name.as_deref().is_some_and(|n| n.starts_with('\u{1}'))
    }
}

/// A query, lowered.
#[derive(Debug, Clone)]
pub(crate) struct BoundQuery {
    pub(crate) sql: String,
    pub(crate) columns: Vec<OutColumn>,
    /// At most one row, whatever the data.
    pub(crate) single_row: bool,
    /// Variables that the select list assigns, in order; then the query yields no rows to the client.
    pub(crate) assigns: Vec<String>,
    /// Of an assignment that reads the variables it assigns: what to evaluate for each row of `sql`.
    pub(crate) row_expressions: Option<super::RowExpressions>,
}

impl Binder<'_> {
    /// Binds a whole query at the outermost level.
    pub(crate) fn query(&mut self, query: &Query) -> Result<BoundQuery, SqlError> {
        self.nested(|b| b.query_inner(query))
    }

    /// Binds a subquery, in which the names of the outer queries are visible.
    pub(crate) fn subquery(&mut self, query: &Query) -> Result<BoundQuery, SqlError> {
        if !query.order_by.is_empty()
            && query.offset.is_none()
            && !has_top(&query.body)
            && query.for_clause.is_none()
        {
            return Err(SqlError::order_without_top());
        }
        self.query(query)
    }

    fn query_inner(&mut self, query: &Query) -> Result<BoundQuery, SqlError> {
        if let Some(clause) = &query.for_clause
            && clause != "BROWSE"
        {
            return Err(SqlError::unsupported(&format!("FOR {clause}")));
        }
        let known = self.ctes.len();
        let wish = self.take_wish();
        let with = self.with_clause(&query.with, max_recursion(&query.options))?;
        self.put_wish(wish && matches!(query.body, QueryBody::Select(_)));
        let mut bound = match &query.body {
            QueryBody::Select(select) => self.select(select, Some(query))?,
            body => self.ordered_set(body, query)?,
        };
        bound.sql.insert_str(0, &with);
        self.ctes.truncate(known);
        Ok(bound)
    }

    /// `WITH ... `, or nothing; its names stay in scope.
    pub(crate) fn with_clause(&mut self, ctes: &[Cte], max_recursion: u64) -> Result<String, SqlError> {
        let mut with = Vec::new();
        let mut recursive = false;
        for cte in ctes {
            let (sql, calls_itself) = self.cte(cte, max_recursion)?;
            recursive |= calls_itself;
            with.push(sql);
        }
        if with.is_empty() {
            return Ok(String::new());
        }
        Ok(format!("{} {} ", if recursive { "WITH RECURSIVE" } else { "WITH" }, with.join(", ")))
    }

    fn ordered_set(&mut self, body: &QueryBody, query: &Query) -> Result<BoundQuery, SqlError> {
        let set = self.body(body)?;
        if query.order_by.is_empty() {
            return Ok(set);
        }
        let alias = self.alias();
        let scope = self.derived_scope(&alias, None, &set.columns);
        self.scopes.push(scope);
        let mut keys = Vec::new();
        for item in &query.order_by {
            let key = match ordinal(&item.expr) {
                Some(n) => self.ordinal_key(&alias, &set.columns, n)?,
                None => {
                    let bound = self.expr(&output_column(&item.expr))?;
                    self.sort_key(&bound)
                }
            };
            keys.push(format!("{key}{}", if item.descending { " DESC" } else { "" }));
        }
        let limit = self.offset_fetch(query)?;
        self.scopes.pop();
        let sql = format!(
            "SELECT {} FROM ({}) AS {alias} ORDER BY {}{limit}",
            column_list(&alias, set.columns.len()),
            set.sql,
            keys.join(",")
        );
        Ok(BoundQuery { sql, single_row: false, ..set })
    }

    fn ordinal_key(&mut self, alias: &str, columns: &[OutColumn], n: usize) -> Result<String, SqlError> {
        let column = n
            .checked_sub(1)
            .and_then(|at| columns.get(at))
            .ok_or_else(|| SqlError::order_position(&n.to_string()))?;
        let bound =
            Bound { collation: column.collation, ..Bound::new(format!("{alias}.c{n}"), column.ty, true) };
        Ok(self.sort_key(&bound))
    }

    /// ` LIMIT .. OFFSET ..`, or nothing.
    pub(crate) fn offset_fetch(&mut self, query: &Query) -> Result<String, SqlError> {
        let Some(offset) = &query.offset else { return Ok(String::new()) };
        let offset = self.expr(offset)?;
        let offset = format!("t_offset(t_count({}))", self.implicit(&offset, SqlType::BigInt)?.sql);
        let fetch = match &query.fetch {
            Some(fetch) => {
                let fetch = self.expr(fetch)?;
                format!("t_fetch(t_count({}))", self.implicit(&fetch, SqlType::BigInt)?.sql)
            }
            None => "-1".to_owned(),
        };
        Ok(format!(" LIMIT {fetch} OFFSET {offset}"))
    }

    /// A body without ORDER BY of its own.
    fn body(&mut self, body: &QueryBody) -> Result<BoundQuery, SqlError> {
        match body {
            QueryBody::Select(select) => self.select(select, None),
            QueryBody::Nested(query) => self.query(query),
            QueryBody::Set { op, left, right } => self.nested(|b| {
                let (left, right) = (b.body(left)?, b.body(right)?);
                b.combine(*op, left, right)
            }),
        }
    }

    fn combine(&mut self, op: SetOp, left: BoundQuery, right: BoundQuery) -> Result<BoundQuery, SqlError> {
        if left.columns.len() != right.columns.len() {
            return Err(SqlError::set_operation_count());
        }
        let mut columns = Vec::new();
        let (mut l_items, mut r_items) = (Vec::new(), Vec::new());
        let (la, ra) = (self.alias(), self.alias());
        let word = match op {
            SetOp::Union => "UNION",
            SetOp::UnionAll => "UNION ALL",
            SetOp::Except => "EXCEPT",
            SetOp::Intersect => "INTERSECT",
        };
        for (n, (l, r)) in left.columns.iter().zip(&right.columns).enumerate() {
            let side = |alias: &str, c: &OutColumn| Bound {
                collation: c.collation,
                collation_strength: Strength::Implicit,
                is_null_literal: c.facts.untyped,
                ..Bound::new(format!("{alias}.c{}", n + 1), c.ty, c.nullable)
            };
            let (common, ty) = self.common_for(&[side(&la, l), side(&ra, r)], word)?;
            let [lc, rc] = common.as_slice() else { return Err(SqlError::set_operation_count()) };
            let collate = if ty.is_character() && op != SetOp::UnionAll {
                super::compare::collate(Some(lc.collation.unwrap_or_else(|| self.database_collation())))
            } else {
                String::new()
            };
            l_items.push(format!("{}{collate} AS c{}", lc.sql, n + 1));
            r_items.push(format!("{} AS c{}", rc.sql, n + 1));
            columns.push(OutColumn {
                name: l.name.clone(),
                ty,
                nullable: l.nullable || r.nullable,
                collation: lc.collation,
                facts: ColumnFacts { untyped: l.facts.untyped && r.facts.untyped, ..ColumnFacts::default() },
            });
        }
        let sql = format!(
            "SELECT {} FROM ({}) AS {la} {word} SELECT {} FROM ({}) AS {ra}",
            l_items.join(","),
            left.sql,
            r_items.join(","),
            right.sql
        );
        Ok(BoundQuery {
            sql: format!("SELECT * FROM ({sql})"),
            columns,
            single_row: false,
            assigns: Vec::new(),
            row_expressions: None,
        })
    }

    /// `name(c1, c2) AS (...)`, and whether the expression refers to itself.
    fn cte(&mut self, cte: &Cte, max_recursion: u64) -> Result<(String, bool), SqlError> {
        let sqlite_name = format!("w{}", self.alias());
        if let Some((anchor, steps)) = recursive_parts(&cte.query.body, &cte.name.value) {
            let sql = self.recursive_cte(cte, &sqlite_name, anchor, &steps, max_recursion)?;
            return Ok((sql, true));
        }
        // What is outside of the statement's scopes is invisible to a CTE.
        let outer = std::mem::take(&mut self.scopes);
        let wish = self.wishes_for(&cte.name.value);
        self.put_wish(wish);
        let bound = self.subquery(&cte.query);
        self.scopes = outer;
        let bound = bound?;
        let columns = named_columns(&bound.columns, &cte.columns, &cte.name.value)?;
        let sql = format!("{sqlite_name}({}) AS ({})", column_list("", columns.len()), bound.sql);
        self.ctes.push(CteScope { name: cte.name.value.clone(), sqlite_name, columns, depth: None });
        Ok((sql, false))
    }

    fn recursive_cte(
        &mut self,
        cte: &Cte,
        sqlite_name: &str,
        anchor: &QueryBody,
        steps: &[&QueryBody],
        max: u64,
    ) -> Result<String, SqlError> {
        let outer = std::mem::take(&mut self.scopes);
        let anchor = self.body(anchor);
        let anchor = match anchor {
            Ok(anchor) => anchor,
            Err(e) => {
                self.scopes = outer;
                return Err(e);
            }
        };
        let columns = named_columns(&anchor.columns, &cte.columns, &cte.name.value)?;
        self.ctes.push(CteScope {
            name: cte.name.value.clone(),
            sqlite_name: sqlite_name.to_owned(),
            columns: columns.clone(),
            depth: Some(max),
        });
        let steps: Result<Vec<String>, SqlError> =
            steps.iter().map(|step| self.recursive_step(step, &columns)).collect();
        self.scopes = outer;
        let step = steps?.join(" UNION ALL ");
        let n = columns.len();
        Ok(format!(
            "{sqlite_name}({},depth) AS (SELECT {},0 FROM ({}) AS a UNION ALL {step})",
            column_list("", n),
            column_list("a", n),
            anchor.sql
        ))
    }

    /// The recursive part must name the table directly for SQLite, so its select list is converted in place.
    fn recursive_step(&mut self, body: &QueryBody, columns: &[OutColumn]) -> Result<String, SqlError> {
        match body {
            QueryBody::Select(select) => self.recursive_select(select, columns),
            _ => Err(SqlError::unsupported("this form of recursive common table expression")),
        }
    }

    pub(crate) fn derived_scope(
        &mut self,
        alias: &str,
        exposed: Option<&str>,
        columns: &[OutColumn],
    ) -> Scope {
        Scope { sources: vec![super::from::derived_source(alias, exposed, columns)], ..Scope::default() }
    }
}

/// How deep recursion may go: MAXRECURSION, or 100.
pub(crate) fn max_recursion(options: &[lab_tsql::ast::QueryHint]) -> u64 {
    options.iter().find(|h| h.name == "MAXRECURSION").and_then(|h| h.value).unwrap_or(100)
}

/// Behind a set operation, `ORDER BY t.c` means the output column `c`, whichever table of the first query it names.
fn output_column(expr: &lab_tsql::ast::Expr) -> lab_tsql::ast::Expr {
    match expr {
        lab_tsql::ast::Expr::Column(name) => {
            let last = name.parts.last().cloned().into_iter().collect();
            lab_tsql::ast::Expr::Column(lab_tsql::ast::ObjectName { parts: last })
        }
        other => other.clone(),
    }
}

/// The position that `ORDER BY 2` names.
pub(crate) fn ordinal(expr: &lab_tsql::ast::Expr) -> Option<usize> {
    match expr {
        lab_tsql::ast::Expr::Literal(lab_tsql::ast::Literal::Int(n)) => n.parse().ok(),
        _ => None,
    }
}

/// `alias.c1,alias.c2,...`
pub(crate) fn column_list(alias: &str, n: usize) -> String {
    let dot = if alias.is_empty() { "" } else { "." };
    (1..=n).map(|n| format!("{alias}{dot}c{n}")).collect::<Vec<_>>().join(",")
}

/// Columns under the names of an alias list, which must all have one.
pub(crate) fn named_columns(
    columns: &[OutColumn],
    names: &[lab_tsql::ast::Ident],
    table: &str,
) -> Result<Vec<OutColumn>, SqlError> {
    let shown = columns.iter().filter(|c| !c.is_hidden()).count();
    if !names.is_empty() && names.len() != shown {
        return Err(if names.len() < shown {
            SqlError::more_columns_than_list(table)
        } else {
            SqlError::fewer_columns_than_list(table)
        });
    }
    let mut out: Vec<OutColumn> = Vec::new();
    for (n, column) in columns.iter().enumerate() {
        let name = names.get(n).map(|i| i.value.clone()).or_else(|| column.name.clone());
        let name = name.ok_or_else(|| SqlError::no_column_name(&(n + 1).to_string(), table))?;
        if out.iter().any(|o| o.name.as_deref().is_some_and(|o| crate::catalog::same_name(o, &name))) {
            return Err(SqlError::duplicate_column_name(&name, table));
        }
        out.push(OutColumn { name: Some(name), ..column.clone() });
    }
    Ok(out)
}

/// The anchor and the recursive parts of a common table expression that refers to itself: all members of a chain of UNION
/// ALL from the first on that does.
fn recursive_parts<'q>(body: &'q QueryBody, name: &str) -> Option<(&'q QueryBody, Vec<&'q QueryBody>)> {
    let mut steps = Vec::new();
    let mut at = body;
    while let QueryBody::Set { op: SetOp::UnionAll, left, right } = at {
        if !mentions(right, name) {
            break;
        }
        steps.insert(0, right.as_ref());
        at = left;
    }
    if steps.is_empty() { None } else { Some((at, steps)) }
}

fn has_top(body: &QueryBody) -> bool {
    matches!(body, QueryBody::Select(s) if s.top.is_some())
}

/// Whether a query body selects from a table of that name.
fn mentions(body: &QueryBody, name: &str) -> bool {
    use lab_tsql::ast::TableRef;
    fn table(t: &TableRef, name: &str) -> bool {
        match t {
            TableRef::Named { name: n, .. } => {
                n.parts.len() == 1 && crate::catalog::same_name(n.name(), name)
            }
            TableRef::Join { left, right, .. } => table(left, name) || table(right, name),
            TableRef::Derived { query, .. } => mentions(&query.body, name),
            _ => false,
        }
    }
    match body {
        QueryBody::Select(s) => s.from.iter().any(|t| table(t, name)),
        QueryBody::Set { left, right, .. } => mentions(left, name) || mentions(right, name),
        QueryBody::Nested(q) => mentions(&q.body, name),
    }
}
