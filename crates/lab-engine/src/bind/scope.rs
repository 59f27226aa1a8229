//! What a name can mean at a place in a query.

use crate::catalog::same_name;
use crate::types::{Collation, SqlType};

/// A typed expression, lowered to SQLite SQL.
#[derive(Debug, Clone)]
pub(crate) struct Bound {
    /// SQLite SQL whose value is in `ty`'s storage representation.
    pub(crate) sql: String,
    pub(crate) ty: SqlType,
    pub(crate) nullable: bool,
    pub(crate) collation: Option<Collation>,
    /// Whether the collation was written with COLLATE, or comes with a column; a literal's gives way to both.
    pub(crate) collation_strength: Strength,
    /// The value, if it is known when binding.
    pub(crate) literal: Option<rusqlite::types::Value>,
    /// A bare NULL: it takes any type.
    pub(crate) is_null_literal: bool,
    /// A column of this query that is used outside of aggregates and may not be grouped (8120).
    pub(crate) ungrouped: Option<String>,
    /// Facts of the column it is, if it is just one.
    pub(crate) column: Option<ColumnFacts>,
}

/// Collation precedence (Transact-SQL reference, "Collation Precedence").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Strength {
    CoercibleDefault,
    Implicit,
    Explicit,
}

/// What a client is told about a column that is no expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ColumnFacts {
    pub(crate) identity: bool,
    pub(crate) computed: bool,
    pub(crate) table_column: bool,
    /// A bare NULL, whose type the queries beside it decide.
    pub(crate) untyped: bool,
}

/// A column of a source in scope.
#[derive(Debug, Clone)]
pub(crate) struct SourceColumn {
    pub(crate) name: String,
    /// How SQLite SQL reaches it.
    pub(crate) sql: String,
    pub(crate) ty: SqlType,
    pub(crate) nullable: bool,
    pub(crate) collation: Option<Collation>,
    pub(crate) facts: ColumnFacts,
}

/// A table, derived table, or function in a FROM clause.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// The alias in SQLite SQL, unique in the statement.
    pub(crate) alias: String,
    /// The name that qualifies its columns: the alias, or the table's own name.
    pub(crate) exposed: Option<String>,
    /// Schema and database of a table without alias, so that `dbo.t.c` resolves.
    pub(crate) qualifier: Vec<String>,
    pub(crate) columns: Vec<SourceColumn>,
    /// The table that DML can aim at: database id (0 for temp) and object id.
    pub(crate) table: Option<(i32, i32)>,
}

impl Source {
    /// Whether `a.b` in `a.b.column` means this source.
    pub(crate) fn answers_to(&self, qualifiers: &[&str]) -> bool {
        let Some((last, rest)) = qualifiers.split_last() else { return true };
        if !self.exposed.as_deref().is_some_and(|e| same_name(e, last)) {
            return false;
        }
        // `dbo.t.c`: the schema must agree where the table was named without one it is dbo's.
        rest.iter().rev().zip(self.qualifier.iter().rev()).all(|(a, b)| a.is_empty() || same_name(a, b))
            && (rest.is_empty() || !self.qualifier.is_empty())
    }
}

/// Grouping of the query that a scope belongs to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Grouping {
    /// The lowered GROUP BY expressions.
    pub(crate) keys: Vec<String>,
}

/// The names of one query level.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    pub(crate) sources: Vec<Source>,
    pub(crate) grouping: Option<Grouping>,
    /// Set while the arguments of an aggregate are bound.
    pub(crate) in_aggregate: bool,
    /// Whether aggregates may stand here (a select list, HAVING, ORDER BY).
    pub(crate) aggregates_allowed: bool,
    /// The windows of the WINDOW clause.
    pub(crate) windows: Vec<(lab_tsql::ast::Ident, lab_tsql::ast::WindowSpec)>,
    /// While a select list that reads its own variables is bound: the columns it needs, which become parameters.
    pub(crate) captured: Option<Vec<String>>,
    /// An aggregate was met.
    pub(crate) saw_aggregate: bool,
    pub(crate) saw_window: bool,
}

/// What looking a column up found.
pub(crate) enum Found<'a> {
    One(&'a Source, &'a SourceColumn),
    Ambiguous,
    /// The qualifier names a source, which has no such column.
    NoSuchColumn,
    Nothing,
}

impl Scope {
    pub(crate) fn find(&self, qualifiers: &[&str], name: &str) -> Found<'_> {
        let mut found = None;
        let mut qualified = false;
        for source in self.sources.iter().filter(|s| s.answers_to(qualifiers)) {
            qualified = !qualifiers.is_empty();
            for column in source.columns.iter().filter(|c| same_name(&c.name, name)) {
                if found.is_some() {
                    return Found::Ambiguous;
                }
                found = Some((source, column));
            }
        }
        match found {
            Some((source, column)) => Found::One(source, column),
            None if qualified => Found::NoSuchColumn,
            None => Found::Nothing,
        }
    }
}

impl Bound {
    /// An expression without any column in it.
    pub(crate) fn new(sql: impl Into<String>, ty: SqlType, nullable: bool) -> Bound {
        Bound {
            sql: sql.into(),
            ty,
            nullable,
            collation: None,
            collation_strength: Strength::CoercibleDefault,
            literal: None,
            is_null_literal: false,
            ungrouped: None,
            column: None,
        }
    }
}
