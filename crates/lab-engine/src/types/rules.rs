//! Which types meet in which, and what operators make of them.

use super::{ArithmeticOp, ConvertKind, Len, SqlType};
use crate::error::SqlError;

/// Data type precedence, highest first (Transact-SQL reference, "Data type precedence").
fn precedence(ty: SqlType) -> u8 {
    match ty {
        SqlType::Variant => 29,
        SqlType::Xml => 28,
        SqlType::DateTimeOffset { .. } => 27,
        SqlType::DateTime2 { .. } => 26,
        SqlType::DateTime => 25,
        SqlType::SmallDateTime => 24,
        SqlType::Date => 23,
        SqlType::Time { .. } => 22,
        SqlType::Float => 21,
        SqlType::Real => 20,
        SqlType::Decimal { .. } | SqlType::Numeric { .. } => 19,
        SqlType::Money => 18,
        SqlType::SmallMoney => 17,
        SqlType::BigInt => 16,
        SqlType::Int => 15,
        SqlType::SmallInt => 14,
        SqlType::TinyInt => 13,
        SqlType::Bit => 12,
        SqlType::NText => 11,
        SqlType::Text => 10,
        SqlType::Image => 9,
        SqlType::RowVersion => 8,
        SqlType::UniqueIdentifier => 7,
        SqlType::NVarChar { .. } => 6,
        SqlType::NChar { .. } => 5,
        SqlType::VarChar { .. } => 4,
        SqlType::Char { .. } => 3,
        SqlType::VarBinary { .. } => 2,
        SqlType::Binary { .. } => 1,
    }
}

/// Precision and scale of an exact type as a decimal.
pub(crate) fn as_decimal(ty: SqlType) -> (u8, u8) {
    match ty {
        SqlType::Decimal { precision, scale } | SqlType::Numeric { precision, scale } => (precision, scale),
        SqlType::Bit => (1, 0),
        SqlType::TinyInt => (3, 0),
        SqlType::SmallInt => (5, 0),
        SqlType::BigInt => (19, 0),
        SqlType::Money => (19, 4),
        SqlType::SmallMoney => (10, 4),
        _ => (10, 0),
    }
}

fn longer(a: SqlType, b: SqlType) -> Len {
    match (a.char_length(), b.char_length()) {
        (Some(a), Some(b)) => Len::N(a.max(b)),
        _ => Len::Max,
    }
}

/// The type that two types meet in: of CASE, COALESCE, UNION, comparisons.
///
/// # Errors
/// 206 if the lower one cannot become the higher one.
pub(crate) fn combine(a: SqlType, b: SqlType) -> Result<SqlType, SqlError> {
    if a == b {
        return Ok(a);
    }
    let (high, low) = if precedence(a) >= precedence(b) { (a, b) } else { (b, a) };
    check_conversion(low, high, ConvertKind::Implicit)?;
    Ok(match high {
        SqlType::Decimal { .. } | SqlType::Numeric { .. }
            if low.is_integer() || low.is_money() || low.is_decimal() =>
        {
            let ((p1, s1), (p2, s2)) = (as_decimal(a), as_decimal(b));
            let scale = s1.max(s2);
            fit(
                i32::from((p1 - s1).max(p2 - s2)) + i32::from(scale),
                i32::from(scale),
                false,
                matches!(high, SqlType::Numeric { .. }),
            )
        }
        SqlType::NVarChar { .. } | SqlType::NChar { .. } if low.is_character() => {
            if a.is_large() || b.is_large() {
                SqlType::NVARCHAR_MAX
            } else {
                SqlType::NVarChar { len: clip(longer(a, b), 4000) }
            }
        }
        SqlType::VarChar { .. } if low.is_character() => SqlType::VarChar { len: longer(a, b) },
        SqlType::Char { len } => match low {
            SqlType::Char { len: other } => SqlType::Char { len: len.max(other) },
            _ => high,
        },
        SqlType::NChar { .. } => high,
        SqlType::VarBinary { .. } | SqlType::Binary { .. } if low.is_binary() => match (a, b) {
            (SqlType::Binary { len: x }, SqlType::Binary { len: y }) => SqlType::Binary { len: x.max(y) },
            _ => SqlType::VarBinary { len: longer(a, b) },
        },
        SqlType::Time { scale } => SqlType::Time { scale: scale.max(low.scale()) },
        SqlType::DateTime2 { scale } if low.is_temporal() => {
            SqlType::DateTime2 { scale: scale.max(low.scale()) }
        }
        SqlType::DateTimeOffset { scale } if low.is_temporal() => {
            SqlType::DateTimeOffset { scale: scale.max(low.scale()) }
        }
        other => other,
    })
}

fn clip(len: Len, max: u16) -> Len {
    match len {
        Len::N(n) => Len::N(n.min(max)),
        Len::Max => Len::Max,
    }
}

/// A decimal type brought within 38 digits ("Precision, scale, and length").
fn fit(precision: i32, scale: i32, keeps_six: bool, numeric: bool) -> SqlType {
    let (mut p, mut s) = (precision, scale);
    if p > 38 {
        let integral = p - s;
        s = if keeps_six {
            if integral <= 32 { s.min(38 - integral) } else { s.min(6) }
        } else {
            s.min((38 - integral).max(0))
        };
        p = 38;
    }
    let (precision, scale) = (p.max(1) as u8, s.max(0) as u8);
    if numeric { SqlType::Numeric { precision, scale } } else { SqlType::Decimal { precision, scale } }
}

/// What an operator needs its operands to be, and what it yields.
pub(crate) struct ArithmeticRule {
    pub(crate) left: SqlType,
    pub(crate) right: SqlType,
    pub(crate) result: SqlType,
}

/// The rule for `a op b`.
///
/// # Errors
/// 402 if there is none.
pub(crate) fn arithmetic(op: ArithmeticOp, a: SqlType, b: SqlType) -> Result<ArithmeticRule, SqlError> {
    let same = |ty| Ok(ArithmeticRule { left: ty, right: ty, result: ty });
    let invalid = || Err(SqlError::incompatible_types(a.name(), b.name(), operator_name(op)));
    let bitwise = matches!(op, ArithmeticOp::BitAnd | ArithmeticOp::BitOr | ArithmeticOp::BitXor);
    if a.is_temporal() || b.is_temporal() {
        let number = |t: SqlType| {
            t.is_integer() || t.is_decimal() || t.is_approximate() || t.is_money() || t.is_character()
        };
        let old = |t: SqlType| matches!(t, SqlType::DateTime | SqlType::SmallDateTime);
        let ok = matches!(op, ArithmeticOp::Add | ArithmeticOp::Sub)
            && (old(a) || number(a))
            && (old(b) || number(b));
        if ok {
            return same(SqlType::DateTime);
        }
        // A number next to one of the new types is a clash of types, two dates are just no operands.
        let numeric = |t: SqlType| number(t) && !t.is_character();
        if numeric(a) || numeric(b) {
            return Err(SqlError::type_clash(a.name(), b.name()));
        }
        return invalid();
    }
    if matches!(a, SqlType::UniqueIdentifier | SqlType::Variant)
        || matches!(b, SqlType::UniqueIdentifier | SqlType::Variant)
    {
        return invalid();
    }
    if !a.is_comparable()
        || !b.is_comparable()
        || (a.is_character() && b.is_character())
        || (a.is_binary() && b.is_binary())
    {
        return invalid();
    }
    let high = combine_numbers(a, b);
    if bitwise {
        return if high.is_integer() { same(high) } else { invalid() };
    }
    if high.is_approximate() {
        return if op == ArithmeticOp::Mod { invalid() } else { same(high) };
    }
    if high.is_decimal() {
        // Text next to a decimal becomes that decimal.
        let number = |t: SqlType, other: SqlType| if t.is_character() || t.is_binary() { other } else { t };
        let (a, b) = (number(a, b), number(b, a));
        return Ok(ArithmeticRule { left: a, right: b, result: decimal_result(op, a, b) });
    }
    let high = if high == SqlType::Bit { SqlType::Int } else { high };
    same(high)
}

fn combine_numbers(a: SqlType, b: SqlType) -> SqlType {
    let high = if precedence(a) >= precedence(b) { a } else { b };
    if high.is_character() || high.is_binary() { SqlType::Int } else { high }
}

fn decimal_result(op: ArithmeticOp, a: SqlType, b: SqlType) -> SqlType {
    let ((p1, s1), (p2, s2)) = (as_decimal(a), as_decimal(b));
    let (p1, s1, p2, s2) = (i32::from(p1), i32::from(s1), i32::from(p2), i32::from(s2));
    let numeric = matches!(a, SqlType::Numeric { .. }) || matches!(b, SqlType::Numeric { .. });
    let scale = s1.max(s2);
    match op {
        ArithmeticOp::Mul => fit(p1 + p2 + 1, s1 + s2, true, numeric),
        ArithmeticOp::Div => {
            let scale = 6.max(s1 + p2 + 1);
            fit(p1 - s1 + s2 + scale, scale, true, numeric)
        }
        ArithmeticOp::Mod => fit((p1 - s1).min(p2 - s2) + scale, scale, false, numeric),
        _ => {
            // The digit for a carry is the first one to go: the integral part keeps what both sides have.
            let integral = (p1 - s1).max(p2 - s2);
            let precision = (integral + scale + 1).min(38);
            fit(precision, scale.min((38 - integral).max(0)), false, numeric)
        }
    }
}

fn operator_name(op: ArithmeticOp) -> &'static str {
    match op {
        ArithmeticOp::Add => "add",
        ArithmeticOp::Sub => "subtract",
        ArithmeticOp::Mul => "multiply",
        ArithmeticOp::Div => "divide",
        ArithmeticOp::Mod => "modulo",
        ArithmeticOp::BitAnd => "'&'",
        ArithmeticOp::BitOr => "'|'",
        ArithmeticOp::BitXor => "'^'",
    }
}

/// The type of SUM and AVG ("SUM (Transact-SQL)", "AVG (Transact-SQL)").
pub(crate) fn sum_type(average: bool, ty: SqlType) -> SqlType {
    match ty {
        SqlType::TinyInt | SqlType::SmallInt | SqlType::Int => SqlType::Int,
        SqlType::BigInt => SqlType::BigInt,
        SqlType::Money | SqlType::SmallMoney => SqlType::Money,
        SqlType::Real | SqlType::Float => SqlType::Float,
        other => {
            let (_, scale) = as_decimal(other);
            SqlType::Decimal { precision: 38, scale: if average { scale.max(6) } else { scale } }
        }
    }
}

/// The type of two strings (or binaries) joined.
pub(crate) fn concat_type(a: SqlType, b: SqlType) -> SqlType {
    let sum = match (text_form(a).char_length(), text_form(b).char_length()) {
        (Some(a), Some(b)) if !a_large(a, b) => Some(u32::from(a) + u32::from(b)),
        _ => None,
    };
    let large = a.is_large() || b.is_large();
    if a.is_binary() && b.is_binary() {
        return if large {
            SqlType::VarBinary { len: Len::Max }
        } else {
            SqlType::VarBinary { len: Len::N(sum.unwrap_or(8000).min(8000) as u16) }
        };
    }
    if a.is_national() || b.is_national() {
        return if large {
            SqlType::NVARCHAR_MAX
        } else {
            SqlType::nvarchar(sum.unwrap_or(4000).min(4000) as u16)
        };
    }
    if large {
        SqlType::VarChar { len: Len::Max }
    } else {
        SqlType::varchar(sum.unwrap_or(8000).min(8000) as u16)
    }
}

const fn a_large(_: u16, _: u16) -> bool {
    false
}

/// Whether joining may be cut off at 8000 bytes.
pub(crate) fn may_exceed(a: SqlType, b: SqlType) -> bool {
    let limit = if a.is_national() || b.is_national() { 4000 } else { 8000 };
    match (text_form(a).char_length(), text_form(b).char_length()) {
        (Some(a), Some(b)) => u32::from(a) + u32::from(b) > limit,
        _ => false,
    }
}

/// The character type that a value of another type becomes when it meets text.
pub(crate) fn text_form(ty: SqlType) -> SqlType {
    match ty {
        t if t.is_character() => t,
        SqlType::Bit => SqlType::varchar(1),
        SqlType::TinyInt => SqlType::varchar(3),
        SqlType::SmallInt => SqlType::varchar(6),
        SqlType::Int => SqlType::varchar(12),
        SqlType::BigInt => SqlType::varchar(24),
        SqlType::UniqueIdentifier => SqlType::varchar(36),
        SqlType::Decimal { .. } | SqlType::Numeric { .. } => SqlType::varchar(41),
        t if t.is_large() => SqlType::VarChar { len: Len::Max },
        SqlType::Binary { len } | SqlType::VarBinary { len: Len::N(len) } => SqlType::varchar(len),
        _ => SqlType::varchar(40),
    }
}

/// Whether a value of one type is the same value of the other, bit for bit, whatever the lengths.
pub(crate) fn same_representation(a: SqlType, b: SqlType) -> bool {
    if a.is_character() && b.is_character() {
        return true;
    }
    match (a, b) {
        (
            SqlType::Decimal { precision: p1, scale: s1 } | SqlType::Numeric { precision: p1, scale: s1 },
            SqlType::Decimal { precision: p2, scale: s2 } | SqlType::Numeric { precision: p2, scale: s2 },
        ) => s1 == s2 && (p1 <= 18) == (p2 <= 18),
        (SqlType::Money, SqlType::SmallMoney) | (SqlType::SmallMoney, SqlType::Money) => true,
        (SqlType::Real | SqlType::Float, SqlType::Real | SqlType::Float) => true,
        (SqlType::Time { .. }, SqlType::Time { .. })
        | (SqlType::DateTime2 { .. }, SqlType::DateTime2 { .. }) => true,
        (SqlType::DateTimeOffset { .. }, SqlType::DateTimeOffset { .. }) => true,
        (a, b) if a.is_binary() && b.is_binary() => {
            !matches!((a, b), (SqlType::Binary { .. }, _) | (_, SqlType::Binary { .. })) || a == b
        }
        (a, b) => a == b,
    }
}

/// Whether SQL Server has that conversion.
///
/// # Errors
/// 206 or 257 if it is not implicit, 529 if there is none at all.
pub(crate) fn check_conversion(from: SqlType, to: SqlType, kind: ConvertKind) -> Result<(), SqlError> {
    let explicit_only = match (from, to) {
        _ if from == to => false,
        (SqlType::Variant, _) => to != SqlType::Variant,
        (f, SqlType::Variant) => {
            if f.is_large() || f == SqlType::RowVersion {
                return Err(SqlError::type_clash(f.name(), to.name()));
            }
            false
        }
        (f, t)
            if f.is_temporal()
                && (t.is_integer() || t.is_decimal() || t.is_money() || t.is_approximate()) =>
        {
            if !matches!(f, SqlType::DateTime | SqlType::SmallDateTime) {
                return no_conversion(from, to, kind);
            }
            true
        }
        (f, t)
            if t.is_temporal()
                && (f.is_integer() || f.is_decimal() || f.is_money() || f.is_approximate()) =>
        {
            if !matches!(t, SqlType::DateTime | SqlType::SmallDateTime) {
                return no_conversion(from, to, kind);
            }
            false
        }
        (SqlType::Date, SqlType::Time { .. }) | (SqlType::Time { .. }, SqlType::Date) => {
            return no_conversion(from, to, kind);
        }
        (SqlType::UniqueIdentifier, t) if !t.is_character() && !t.is_binary() => {
            return no_conversion(from, to, kind);
        }
        (f, SqlType::UniqueIdentifier) if !f.is_character() && !f.is_binary() => {
            return no_conversion(from, to, kind);
        }
        (f, t)
            if (f.is_large() || t.is_large())
                && !(f.is_character() || f.is_binary())
                && !t.is_character() =>
        {
            return no_conversion(from, to, kind);
        }
        (f, t) if f.is_character() && t.is_binary() => true,
        (f, t) if f.is_binary() && t.is_character() && f != SqlType::RowVersion => false,
        (f, t) if f.is_character() && t.is_money() => matches!(f, SqlType::NText | SqlType::Text),
        (f, t) if f.is_approximate() && t.is_binary() => true,
        (f, t) if f.is_binary() && t.is_approximate() => return no_conversion(from, to, kind),
        (f, t) if f.is_temporal() && t.is_binary() => true,
        _ => false,
    };
    if explicit_only && kind != ConvertKind::Explicit {
        return Err(SqlError::implicit_conversion_not_allowed(from.name(), to.name()));
    }
    Ok(())
}

fn no_conversion(from: SqlType, to: SqlType, kind: ConvertKind) -> Result<(), SqlError> {
    if kind == ConvertKind::Explicit {
        Err(SqlError::explicit_conversion_not_allowed(from.name(), to.name()))
    } else {
        Err(SqlError::type_clash(from.name(), to.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_results_follow_the_documented_table() {
        let d = |precision, scale| SqlType::Decimal { precision, scale };
        let result = |op, a, b| arithmetic(op, a, b).unwrap().result;
        assert_eq!(result(ArithmeticOp::Add, d(10, 2), d(5, 4)), d(13, 4));
        assert_eq!(result(ArithmeticOp::Mul, d(10, 2), d(5, 4)), d(16, 6));
        assert_eq!(result(ArithmeticOp::Div, d(10, 2), d(5, 4)), d(20, 8));
        assert_eq!(result(ArithmeticOp::Mul, d(38, 10), d(38, 10)), d(38, 6), "the documented example");
        assert_eq!(result(ArithmeticOp::Div, d(38, 10), d(38, 10)), d(38, 6));
        assert_eq!(result(ArithmeticOp::Add, d(38, 10), d(38, 10)), d(38, 10));
        assert_eq!(result(ArithmeticOp::Add, d(38, 10), d(38, 0)), d(38, 0));
        assert_eq!(result(ArithmeticOp::Div, SqlType::Int, SqlType::Int), SqlType::Int);
    }
}
