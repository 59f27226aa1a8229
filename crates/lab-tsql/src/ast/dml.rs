//! INSERT, UPDATE, DELETE.

use super::{
    AssignOp, Cte, DataType, Execute, Expr, Ident, ObjectName, Pos, Query, SelectItem, TableRef, Top,
};

/// What a statement writes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// A table, view, or alias of the FROM clause.
    Table(ObjectName),
    /// A table variable.
    Variable(String, Pos),
}

/// `OUTPUT ... [INTO ...]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// The items, over `inserted` and `deleted`.
    pub items: Vec<SelectItem>,
    /// Where the rows go, if not to the client.
    pub into: Option<(Target, Vec<Ident>)>,
}

/// Where the rows of an INSERT come from.
#[derive(Debug, Clone, PartialEq)]
pub enum InsertSource {
    /// `VALUES`.
    Values(Vec<Vec<Expr>>),
    /// A query.
    Query(Box<Query>),
    /// `EXEC`.
    Execute(Box<Execute>),
    /// `DEFAULT VALUES`.
    DefaultValues,
}

/// `INSERT`.
#[derive(Debug, Clone, PartialEq)]
pub struct Insert {
    /// `WITH`.
    pub with: Vec<Cte>,
    /// `TOP`.
    pub top: Option<Top>,
    /// Where to.
    pub target: Target,
    /// Which columns.
    pub columns: Vec<Ident>,
    /// `OUTPUT`.
    pub output: Option<Output>,
    /// The rows.
    pub source: InsertSource,
}

/// One assignment of UPDATE.
#[derive(Debug, Clone, PartialEq)]
pub struct SetClause {
    /// `@x =` in front of the column, or alone.
    pub variable: Option<String>,
    /// The column.
    pub column: Option<ObjectName>,
    /// `=` or a compound operator.
    pub op: AssignOp,
    /// The value.
    pub value: Expr,
}

/// `UPDATE`.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// `WITH`.
    pub with: Vec<Cte>,
    /// `TOP`.
    pub top: Option<Top>,
    /// What to update.
    pub target: Target,
    /// `SET`.
    pub set: Vec<SetClause>,
    /// `OUTPUT`.
    pub output: Option<Output>,
    /// `FROM`.
    pub from: Vec<TableRef>,
    /// `WHERE`.
    pub filter: Option<Expr>,
}

/// `DELETE`.
#[derive(Debug, Clone, PartialEq)]
pub struct Delete {
    /// `WITH`.
    pub with: Vec<Cte>,
    /// `TOP`.
    pub top: Option<Top>,
    /// What to delete from.
    pub target: Target,
    /// `OUTPUT`.
    pub output: Option<Output>,
    /// `FROM`, the second one.
    pub from: Vec<TableRef>,
    /// `WHERE`.
    pub filter: Option<Expr>,
}

/// `INSERT BULK t (c type, ...)`: the announcement of a bulk load.
#[derive(Debug, Clone, PartialEq)]
pub struct InsertBulk {
    /// The table.
    pub table: ObjectName,
    /// The columns that will be sent.
    pub columns: Vec<(Ident, DataType)>,
    /// Options, upper case.
    pub options: Vec<String>,
}
