//! Expressions and conditions.

use super::{DataType, Ident, ObjectName, Pos, Query};

/// A literal as written.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// `NULL`.
    Null,
    /// Digits.
    Int(String),
    /// Digits with a point.
    Decimal(String),
    /// With an exponent.
    Float(String),
    /// `$12.50`, without the sign of the currency.
    Money(String),
    /// `'text'`, `N'text'`.
    String {
        /// The text, quotes undoubled.
        value: String,
        /// `N'...'`.
        national: bool,
    },
    /// `0x...`.
    Binary(Vec<u8>),
}

/// Operators of two operands, but for AND and OR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinaryOp {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`
    Mod,
    /// `&`
    BitAnd,
    /// `|`
    BitOr,
    /// `^`
    BitXor,
}

/// Comparison operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompareOp {
    /// `=`
    Eq,
    /// `<>`, `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`, `!>`
    Le,
    /// `>`
    Gt,
    /// `>=`, `!<`
    Ge,
}

/// Operators of one operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnaryOp {
    /// `+x`
    Plus,
    /// `-x`
    Minus,
    /// `~x`
    BitNot,
}

/// ALL, or ANY/SOME.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantifier {
    /// `ALL`
    All,
    /// `ANY`, `SOME`
    Any,
}

/// How a conversion is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CastKind {
    /// `CAST(x AS t)`
    Cast,
    /// `TRY_CAST(x AS t)`
    TryCast,
    /// `CONVERT(t, x, style)`
    Convert,
    /// `TRY_CONVERT(t, x, style)`
    TryConvert,
    /// `PARSE(x AS t)`
    Parse,
    /// `TRY_PARSE(x AS t)`
    TryParse,
}

/// An expression or a condition; which of the two it must be is checked when it is bound.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// A literal.
    Literal(Literal),
    /// `@x`.
    Variable {
        /// With its `@`.
        name: String,
        /// Where.
        pos: Pos,
    },
    /// `@@x`.
    Global {
        /// With its `@@`.
        name: String,
        /// Where.
        pos: Pos,
    },
    /// A column, possibly qualified.
    Column(ObjectName),
    /// `-x`.
    Unary {
        /// The operator.
        op: UnaryOp,
        /// The operand.
        operand: Box<Expr>,
    },
    /// `a + b`.
    Binary {
        /// The operator.
        op: BinaryOp,
        /// Left operand.
        left: Box<Expr>,
        /// Right operand.
        right: Box<Expr>,
    },
    /// `a = b`.
    Compare {
        /// The operator.
        op: CompareOp,
        /// Left operand.
        left: Box<Expr>,
        /// Right operand.
        right: Box<Expr>,
    },
    /// `a AND b`.
    And(Box<Expr>, Box<Expr>),
    /// `a OR b`.
    Or(Box<Expr>, Box<Expr>),
    /// `NOT a`.
    Not(Box<Expr>),
    /// `a IS [NOT] NULL`.
    IsNull {
        /// What is asked about.
        operand: Box<Expr>,
        /// `IS NOT NULL`.
        negated: bool,
    },
    /// `a IS [NOT] DISTINCT FROM b`.
    DistinctFrom {
        /// Left operand.
        left: Box<Expr>,
        /// Right operand.
        right: Box<Expr>,
        /// `IS NOT DISTINCT FROM`.
        negated: bool,
    },
    /// `a [NOT] LIKE b [ESCAPE c]`.
    Like {
        /// The text.
        operand: Box<Expr>,
        /// The pattern.
        pattern: Box<Expr>,
        /// The escape character.
        escape: Option<Box<Expr>>,
        /// `NOT LIKE`.
        negated: bool,
    },
    /// `a [NOT] BETWEEN b AND c`.
    Between {
        /// The value.
        operand: Box<Expr>,
        /// Lower bound.
        low: Box<Expr>,
        /// Upper bound.
        high: Box<Expr>,
        /// `NOT BETWEEN`.
        negated: bool,
    },
    /// `a [NOT] IN (b, c)`.
    InList {
        /// The value.
        operand: Box<Expr>,
        /// The list.
        list: Vec<Expr>,
        /// `NOT IN`.
        negated: bool,
    },
    /// `a [NOT] IN (SELECT ...)`.
    InQuery {
        /// The value.
        operand: Box<Expr>,
        /// The subquery.
        query: Box<Query>,
        /// `NOT IN`.
        negated: bool,
    },
    /// `EXISTS (SELECT ...)`.
    Exists(Box<Query>),
    /// `a > ALL (SELECT ...)`.
    Quantified {
        /// The comparison.
        op: CompareOp,
        /// The value.
        operand: Box<Expr>,
        /// ALL or ANY.
        quantifier: Quantifier,
        /// The subquery.
        query: Box<Query>,
    },
    /// `CASE`.
    Case {
        /// Of a simple CASE, what is compared.
        operand: Option<Box<Expr>>,
        /// WHEN and THEN.
        whens: Vec<(Expr, Expr)>,
        /// ELSE.
        otherwise: Option<Box<Expr>>,
    },
    /// Any of the conversions.
    Cast {
        /// How it is written.
        kind: CastKind,
        /// What is converted.
        operand: Box<Expr>,
        /// To what.
        to: DataType,
        /// Style, or culture of PARSE.
        style: Option<Box<Expr>>,
        /// Where.
        pos: Pos,
    },
    /// `x COLLATE name`.
    Collate {
        /// The text.
        operand: Box<Expr>,
        /// The collation.
        collation: Ident,
    },
    /// `x AT TIME ZONE y`.
    AtTimeZone {
        /// The time.
        operand: Box<Expr>,
        /// The zone.
        zone: Box<Expr>,
    },
    /// A function call, aggregates and window functions included.
    Call(Box<Call>),
    /// `(SELECT ...)` as a value.
    Subquery(Box<Query>),
    /// `NEXT VALUE FOR s`.
    NextValue(ObjectName),
    /// `DEFAULT`, as a value of INSERT, UPDATE or EXEC.
    Default,
    /// Parentheses; kept so that the text can be printed as it was grouped.
    Nested(Box<Expr>),
}

/// A function call.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The function.
    pub name: ObjectName,
    /// Arguments in order.
    pub args: Vec<Expr>,
    /// `COUNT(DISTINCT x)`.
    pub distinct: bool,
    /// `COUNT(*)`.
    pub star: bool,
    /// `OVER (...)`.
    pub over: Option<WindowSpec>,
    /// `WITHIN GROUP (ORDER BY ...)`.
    pub within_group: Vec<OrderItem>,
    /// `IGNORE NULLS`.
    pub ignore_nulls: bool,
    /// Called without parentheses, as CURRENT_TIMESTAMP.
    pub bare: bool,
}

/// `OVER (...)`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WindowSpec {
    /// `OVER name`, or a name inside the parentheses.
    pub name: Option<Ident>,
    /// `PARTITION BY`.
    pub partition_by: Vec<Expr>,
    /// `ORDER BY`.
    pub order_by: Vec<OrderItem>,
    /// `ROWS`/`RANGE`.
    pub frame: Option<Frame>,
}

/// A window frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// ROWS rather than RANGE.
    pub rows: bool,
    /// Its start.
    pub start: FrameBound,
    /// Its end, if BETWEEN was written.
    pub end: Option<FrameBound>,
}

/// An edge of a window frame.
#[derive(Debug, Clone, PartialEq)]
pub enum FrameBound {
    /// `UNBOUNDED PRECEDING`
    UnboundedPreceding,
    /// `n PRECEDING`
    Preceding(String),
    /// `CURRENT ROW`
    CurrentRow,
    /// `n FOLLOWING`
    Following(String),
    /// `UNBOUNDED FOLLOWING`
    UnboundedFollowing,
}

/// One item of ORDER BY.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderItem {
    /// What to sort by.
    pub expr: Expr,
    /// `DESC`.
    pub descending: bool,
}
