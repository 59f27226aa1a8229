//! Queries.

use super::{Expr, Ident, ObjectName, OrderItem, Pos, WindowSpec};

/// A query with everything around it.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// `WITH`.
    pub with: Vec<Cte>,
    /// SELECTs and set operations.
    pub body: QueryBody,
    /// `ORDER BY`.
    pub order_by: Vec<OrderItem>,
    /// `OFFSET n ROWS`.
    pub offset: Option<Expr>,
    /// `FETCH NEXT n ROWS ONLY`.
    pub fetch: Option<Expr>,
    /// `FOR XML`, `FOR JSON`, `FOR BROWSE`: the word after FOR.
    pub for_clause: Option<String>,
    /// `OPTION (...)`.
    pub options: Vec<QueryHint>,
}

/// A query hint as written: `MAXRECURSION 10`.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryHint {
    /// Its words, upper case.
    pub name: String,
    /// Its number, if it has one.
    pub value: Option<u64>,
}

/// A common table expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Cte {
    /// Its name.
    pub name: Ident,
    /// Its columns, if listed.
    pub columns: Vec<Ident>,
    /// Its query.
    pub query: Box<Query>,
}

/// Set operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetOp {
    /// `UNION`
    Union,
    /// `UNION ALL`
    UnionAll,
    /// `EXCEPT`
    Except,
    /// `INTERSECT`
    Intersect,
}

/// What a query consists of.
#[derive(Debug, Clone, PartialEq)]
pub enum QueryBody {
    /// One SELECT.
    Select(Box<Select>),
    /// Two queries combined.
    Set {
        /// How.
        op: SetOp,
        /// The left one.
        left: Box<QueryBody>,
        /// The right one.
        right: Box<QueryBody>,
    },
    /// A query in parentheses.
    Nested(Box<Query>),
}

/// `TOP`.
#[derive(Debug, Clone, PartialEq)]
pub struct Top {
    /// How many.
    pub count: Expr,
    /// `PERCENT`.
    pub percent: bool,
    /// `WITH TIES`.
    pub with_ties: bool,
}

/// One SELECT.
#[derive(Debug, Clone, PartialEq)]
pub struct Select {
    /// `DISTINCT`.
    pub distinct: bool,
    /// `TOP`.
    pub top: Option<Top>,
    /// The select list.
    pub items: Vec<SelectItem>,
    /// `INTO`.
    pub into: Option<ObjectName>,
    /// `FROM`; several entries are joined by commas.
    pub from: Vec<TableRef>,
    /// `WHERE`.
    pub filter: Option<Expr>,
    /// `GROUP BY`.
    pub group_by: Vec<Expr>,
    /// ROLLUP, CUBE or GROUPING SETS was written: its name.
    pub grouping_sets: Option<String>,
    /// `HAVING`.
    pub having: Option<Expr>,
    /// `WINDOW`.
    pub windows: Vec<(Ident, WindowSpec)>,
    /// Where.
    pub pos: Pos,
}

/// Compound assignment operators; `None` stands for plain `=`.
pub type AssignOp = Option<super::BinaryOp>;

/// One item of a select list.
#[derive(Debug, Clone, PartialEq)]
pub enum SelectItem {
    /// `*` or `t.*`.
    Star(Option<ObjectName>),
    /// An expression.
    Expr {
        /// The expression.
        expr: Expr,
        /// Its alias.
        alias: Option<Ident>,
    },
    /// `@x = expr`.
    Assign {
        /// The variable.
        variable: String,
        /// `=` or a compound operator.
        op: AssignOp,
        /// The value.
        expr: Expr,
        /// Where.
        pos: Pos,
    },
}

/// Kinds of joins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinKind {
    /// `[INNER] JOIN`
    Inner,
    /// `LEFT [OUTER] JOIN`
    Left,
    /// `RIGHT [OUTER] JOIN`
    Right,
    /// `FULL [OUTER] JOIN`
    Full,
    /// `CROSS JOIN`
    Cross,
    /// `CROSS APPLY`
    CrossApply,
    /// `OUTER APPLY`
    OuterApply,
}

/// Something that rows come from.
#[derive(Debug, Clone, PartialEq)]
pub enum TableRef {
    /// A table or view.
    Named {
        /// Its name.
        name: ObjectName,
        /// Its alias.
        alias: Option<Ident>,
        /// Table hints, upper case.
        hints: Vec<String>,
    },
    /// `@t`.
    Variable {
        /// With its `@`.
        name: String,
        /// Its alias.
        alias: Option<Ident>,
        /// Where.
        pos: Pos,
    },
    /// A table-valued function.
    Function {
        /// Its name.
        name: ObjectName,
        /// Its arguments.
        args: Vec<Expr>,
        /// Its alias.
        alias: Option<Ident>,
        /// Column aliases, or the names of OPENJSON's WITH.
        columns: Vec<Ident>,
    },
    /// `(SELECT ...) AS t(a, b)`.
    Derived {
        /// The query.
        query: Box<Query>,
        /// Its alias.
        alias: Ident,
        /// Column aliases.
        columns: Vec<Ident>,
    },
    /// `(VALUES (1, 2), (3, 4)) AS t(a, b)`.
    Values {
        /// The rows.
        rows: Vec<Vec<Expr>>,
        /// Its alias.
        alias: Ident,
        /// Column aliases.
        columns: Vec<Ident>,
    },
    /// A join.
    Join {
        /// Which.
        kind: JoinKind,
        /// Left side.
        left: Box<TableRef>,
        /// Right side.
        right: Box<TableRef>,
        /// `ON`.
        on: Option<Expr>,
    },
    /// PIVOT, UNPIVOT, OPENROWSET, and others that are only recognised.
    Unsupported(String),
}
