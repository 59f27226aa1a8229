//! Conversions and arithmetic in SQLite.

use std::sync::Arc;

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::Value;
use rusqlite::{Connection, Result};

use crate::error::SqlError;
use crate::session::Shared;
use crate::types::{self, ArithmeticOp, Collation, ConvertContext, ConvertKind, DateFormat, SqlType};

/// Deterministic and harmless.
pub(super) const PURE: FunctionFlags = FunctionFlags::SQLITE_DETERMINISTIC
    .union(FunctionFlags::SQLITE_UTF8)
    .union(FunctionFlags::SQLITE_INNOCUOUS);

/// SQL that converts `sql` from one type to another; the text itself where nothing changes.
pub(crate) fn coerce_sql(sql: &str, from: SqlType, to: SqlType, kind: ConvertKind) -> String {
    if is_free(from, to) {
        return sql.to_owned();
    }
    format!("t_conv({sql},{},{},{})", from.code(), to.code(), kind.code())
}

/// Whether every value of one type already is the same value of the other.
fn is_free(from: SqlType, to: SqlType) -> bool {
    if from == to {
        return true;
    }
    let rank = |t: SqlType| match t {
        SqlType::Bit => 0,
        SqlType::TinyInt => 1,
        SqlType::SmallInt => 2,
        SqlType::Int => 3,
        _ => 4,
    };
    if from.is_integer() && to.is_integer() {
        return rank(from) <= rank(to);
    }
    let fits = match (from.char_length(), to.char_length()) {
        (Some(a), Some(b)) => a <= b,
        (_, None) => true,
        (None, Some(_)) => false,
    };
    let variable = |t: SqlType| !matches!(t, SqlType::Char { .. } | SqlType::NChar { .. });
    if from.is_character() && to.is_character() {
        return fits && variable(to) && (to.is_national() || !from.is_national());
    }
    if from.is_binary() && to.is_binary() {
        return fits && !matches!(to, SqlType::Binary { .. } | SqlType::RowVersion);
    }
    match (from, to) {
        (SqlType::Real, SqlType::Float) | (SqlType::SmallMoney, SqlType::Money) => true,
        (SqlType::Time { scale: a }, SqlType::Time { scale: b })
        | (SqlType::DateTime2 { scale: a }, SqlType::DateTime2 { scale: b })
        | (SqlType::DateTimeOffset { scale: a }, SqlType::DateTimeOffset { scale: b }) => a <= b,
        _ => {
            from.is_decimal()
                && to.is_decimal()
                && types::same_representation(from, to)
                && from.precision() <= to.precision()
        }
    }
}

fn op_code(op: ArithmeticOp) -> i64 {
    match op {
        ArithmeticOp::Add => 0,
        ArithmeticOp::Sub => 1,
        ArithmeticOp::Mul => 2,
        ArithmeticOp::Div => 3,
        ArithmeticOp::Mod => 4,
        ArithmeticOp::BitAnd => 5,
        ArithmeticOp::BitOr => 6,
        ArithmeticOp::BitXor => 7,
    }
}

fn op_of(code: i64) -> ArithmeticOp {
    match code {
        0 => ArithmeticOp::Add,
        1 => ArithmeticOp::Sub,
        2 => ArithmeticOp::Mul,
        3 => ArithmeticOp::Div,
        4 => ArithmeticOp::Mod,
        5 => ArithmeticOp::BitAnd,
        6 => ArithmeticOp::BitOr,
        _ => ArithmeticOp::BitXor,
    }
}

/// SQL for `left op right` whose operands are of the rule's types.
pub(crate) fn arithmetic_sql(
    op: ArithmeticOp,
    left: (&str, SqlType),
    right: (&str, SqlType),
    result: SqlType,
) -> String {
    format!(
        "t_arith({},{},{},{},{},{})",
        op_code(op),
        left.0,
        left.1.code(),
        right.0,
        right.1.code(),
        result.code()
    )
}

/// SQL for `-x`.
pub(crate) fn negate_sql(sql: &str, ty: SqlType) -> String {
    if ty.is_approximate() {
        return format!("(-{sql})");
    }
    format!("t_arith(1,0,{},{sql},{},{})", SqlType::Int.code(), ty.code(), ty.code())
}

/// The same arithmetic, yielding NULL where it fails, as ARITHABORT and ANSI_WARNINGS OFF ask for.
pub(crate) fn lenient_sql(arithmetic: &str) -> String {
    format!("t_lenient{}", arithmetic.trim_start_matches("t_arith"))
}

pub(super) fn register(conn: &Connection, shared: &Arc<Shared>) -> Result<()> {
    let context = |shared: &Arc<Shared>| {
        let shared = Arc::clone(shared);
        move || date_format(&shared)
    };
    let format = context(shared);
    conn.create_scalar_function("t_conv", 4, PURE, move |c| conv(c, None, &format))?;
    let format = context(shared);
    conn.create_scalar_function("t_conv", 6, PURE, move |c| {
        let style: Option<i32> = c.get(4)?;
        if c.get_raw(4) == rusqlite::types::ValueRef::Null && c.get::<i64>(5)? & 1 == 1 {
            return Ok(Value::Null);
        }
        conv(c, style, &format)
    })?;
    let format = context(shared);
    conn.create_scalar_function("t_try", 5, PURE, move |c| {
        let style: Option<i32> = c.get(4)?;
        Ok(convert(c, style, &format).unwrap_or(Value::Null))
    })?;
    let format = context(shared);
    conn.create_scalar_function("t_parse", 6, PURE, move |c| {
        let culture: String = c.get::<Option<String>>(4)?.unwrap_or_default();
        let done = convert(c, None, &format);
        if c.get::<i64>(5)? == 1 {
            return Ok(done.unwrap_or(Value::Null));
        }
        done.map_err(|_| {
            let value: String = c.get(0).unwrap_or_default();
            let to = c.get(2).ok().and_then(SqlType::from_code).map_or("", SqlType::name);
            SqlError::new(
                9819,
                16,
                1,
                format!(
                    "Error converting string value '{value}' into data type {to} using culture '{culture}'."
                ),
            )
            .to_carrier()
        })
    })?;
    let format = context(shared);
    conn.create_scalar_function("t_assign", 6, PURE, move |c| {
        let table: String = c.get(4)?;
        let column: String = c.get(5)?;
        convert(c, None, &format).map_err(|e| match e.number {
            2628 => {
                let value =
                    e.message.rsplit_once("Truncated value: '").map_or("", |(_, v)| v).trim_end_matches("'.");
                SqlError::truncated_in(&table, &column, value).to_carrier()
            }
            _ => e.to_carrier(),
        })
    })?;
    conn.create_scalar_function("t_arith", 6, PURE, |c| arith(c).map_err(|e| e.to_carrier()))?;
    conn.create_scalar_function("t_lenient", 6, PURE, |c| Ok(arith(c).unwrap_or(Value::Null)))?;
    conn.create_scalar_function("t_vkey", 1, PURE, |c| Ok(types::variant_key(&c.get(0)?)))?;
    conn.create_scalar_function("t_clip", 2, PURE, |c| {
        let (Value::Text(text), Some(ty)) = (c.get::<Value>(0)?, SqlType::from_code(c.get(1)?)) else {
            return c.get::<Value>(0);
        };
        let limit = ty.char_length().map_or(usize::MAX, usize::from);
        Ok(Value::Text(text.chars().take(limit).collect()))
    })?;
    conn.create_scalar_function("t_cat_bin", 2, PURE, |c| {
        let (Value::Blob(mut a), Value::Blob(b)) = (c.get(0)?, c.get(1)?) else { return Ok(Value::Null) };
        a.extend(b);
        Ok(Value::Blob(a))
    })
}

fn conv(c: &Context<'_>, style: Option<i32>, format: &dyn Fn() -> DateFormat) -> Result<Value> {
    convert(c, style, format).map_err(|e| e.to_carrier())
}

/// The session's DATEFORMAT.
fn date_format(shared: &Shared) -> DateFormat {
    DateFormat::by_name(&shared.state().date_format).unwrap_or_default()
}

/// Reads `(value, from, to, kind)`. DATEFORMAT is asked for only where text becomes a date.
fn convert(
    c: &Context<'_>,
    style: Option<i32>,
    format: &dyn Fn() -> DateFormat,
) -> std::result::Result<Value, SqlError> {
    let get = |n: usize| c.get::<i64>(n).map_err(SqlError::internal);
    let value: Value = c.get(0).map_err(SqlError::internal)?;
    let (Some(from), Some(to)) = (SqlType::from_code(get(1)?), SqlType::from_code(get(2)?)) else {
        return Err(SqlError::internal("a conversion between unknown types"));
    };
    let kind = get(3)?;
    let date_format = if to.is_temporal() && matches!(value, Value::Text(_) | Value::Blob(_)) {
        format()
    } else {
        DateFormat::default()
    };
    let collation = if kind & types::UTF8_FLAG == 0 {
        Collation::default()
    } else {
        Collation::Latin1General100CiAsScUtf8
    };
    types::convert(
        &value,
        from,
        to,
        style,
        ConvertKind::from_code(kind),
        &ConvertContext { date_format, collation },
    )
}

fn arith(c: &Context<'_>) -> std::result::Result<Value, SqlError> {
    let internal = |e: rusqlite::Error| SqlError::internal(e);
    let (a, b): (Value, Value) = (c.get(1).map_err(internal)?, c.get(3).map_err(internal)?);
    if a == Value::Null || b == Value::Null {
        return Ok(Value::Null);
    }
    let op = op_of(c.get(0).map_err(internal)?);
    let ty = |n: usize| {
        SqlType::from_code(c.get::<i64>(n).unwrap_or(-1)).ok_or_else(|| SqlError::internal("unknown type"))
    };
    let (ta, tb, result) = (ty(2)?, ty(4)?, ty(5)?);
    if result.is_integer()
        && let (Value::Integer(a), Value::Integer(b)) = (&a, &b)
    {
        return integer_arithmetic(op, *a, *b, result);
    }
    if result.is_approximate() {
        return float_arithmetic(
            op,
            types::to_float(&a, ta, result)?,
            types::to_float(&b, tb, result)?,
            result,
        );
    }
    if result == SqlType::DateTime {
        let (Value::Integer(a), Value::Integer(b)) = (a, b) else {
            return Err(SqlError::internal("datetime arithmetic"));
        };
        let sum = if op == ArithmeticOp::Add { a + b } else { a - b };
        return if (DATETIME_MIN..=DATETIME_MAX).contains(&sum) {
            Ok(Value::Integer(sum))
        } else {
            Err(SqlError::overflow_to("datetime"))
        };
    }
    let exact =
        |v: &Value| types::exact(v).ok_or_else(|| SqlError::internal("an exact number cannot be read"));
    let scaled = types::exact_arithmetic(
        op,
        (exact(&a)?, types::exact_scale(ta)),
        (exact(&b)?, types::exact_scale(tb)),
        result,
    )?;
    types::exact_value(scaled, result)
}

/// 1753-01-01 and the end of 9999-12-31 as `datetime`.
const DATETIME_MIN: i64 = (639_905 - types::DAYS_1900) * 25_920_000;
const DATETIME_MAX: i64 = (types::DAY_MAX + 1 - types::DAYS_1900) * 25_920_000 - 1;

fn integer_arithmetic(
    op: ArithmeticOp,
    a: i64,
    b: i64,
    result: SqlType,
) -> std::result::Result<Value, SqlError> {
    if b == 0 && matches!(op, ArithmeticOp::Div | ArithmeticOp::Mod) {
        return Err(SqlError::divide_by_zero());
    }
    let value = match op {
        ArithmeticOp::Add => a.checked_add(b),
        ArithmeticOp::Sub => a.checked_sub(b),
        ArithmeticOp::Mul => a.checked_mul(b),
        ArithmeticOp::Div => a.checked_div(b),
        ArithmeticOp::Mod => Some(a.checked_rem(b).unwrap_or(0)),
        ArithmeticOp::BitAnd => Some(a & b),
        ArithmeticOp::BitOr => Some(a | b),
        ArithmeticOp::BitXor => Some(a ^ b),
    };
    types::exact_value(i128::from(value.ok_or_else(|| SqlError::overflow_to(result.name()))?), result)
}

fn float_arithmetic(
    op: ArithmeticOp,
    a: f64,
    b: f64,
    result: SqlType,
) -> std::result::Result<Value, SqlError> {
    let value = match op {
        ArithmeticOp::Add => a + b,
        ArithmeticOp::Sub => a - b,
        ArithmeticOp::Mul => a * b,
        ArithmeticOp::Div if b == 0.0 => return Err(SqlError::divide_by_zero()),
        ArithmeticOp::Div => a / b,
        _ => return Err(SqlError::incompatible_types("float", "float", "modulo")),
    };
    // Two reals of 24 bits are exact in an f64, and so rounding its result once more is rounding the real result once.
    let value = if result == SqlType::Real { f64::from(value as f32) } else { value };
    if value.is_finite() { Ok(Value::Real(value)) } else { Err(SqlError::overflow_to(result.name())) }
}
