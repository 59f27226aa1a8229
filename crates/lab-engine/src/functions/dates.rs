//! The built-ins for dates and numbers.

use super::Lowered;
use super::builtins::Call;
use crate::error::SqlError;
use crate::types::{self, SqlType};

/// The names and abbreviations of dateparts.
const PARTS: &[(&str, &[&str])] = &[
    ("year", &["year", "yy", "yyyy"]),
    ("quarter", &["quarter", "qq", "q"]),
    ("month", &["month", "mm", "m"]),
    ("dayofyear", &["dayofyear", "dy", "y"]),
    ("day", &["day", "dd", "d"]),
    ("week", &["week", "wk", "ww"]),
    ("weekday", &["weekday", "dw", "w"]),
    ("hour", &["hour", "hh"]),
    ("minute", &["minute", "mi", "n"]),
    ("second", &["second", "ss", "s"]),
    ("millisecond", &["millisecond", "ms"]),
    ("microsecond", &["microsecond", "mcs"]),
    ("nanosecond", &["nanosecond", "ns"]),
    ("tzoffset", &["tzoffset", "tz"]),
    ("iso_week", &["iso_week", "isowk", "isoww"]),
];

fn part(call: &Call<'_>) -> Result<String, SqlError> {
    let word = call.sql(0).to_ascii_lowercase();
    let found = PARTS.iter().find(|(_, names)| names.contains(&word.as_str()));
    let name = call.name.to_ascii_lowercase();
    found
        .map(|(full, _)| format!("'{full}'"))
        .ok_or_else(|| SqlError::new(155, 15, 1, format!("'{word}' is not a recognized {name} option.")))
}

/// A date argument as a date type: text becomes datetime2, numbers datetime.
fn date(call: &Call<'_>, n: usize) -> (String, SqlType) {
    let ty = call.ty(n);
    let to = if ty.is_temporal() {
        ty
    } else if ty.is_character() {
        SqlType::DateTime2 { scale: 7 }
    } else {
        SqlType::DateTime
    };
    (call.to(n, to), to)
}

type Bound = Result<Lowered, SqlError>;

/// Dates and maths; `None` if the name is neither.
pub(super) fn bind_rest(name: &str, call: &Call<'_>) -> Option<Bound> {
    Some(match name {
        "datepart" | "datename" => call.counted(2, 2, |c| {
            let (value, ty) = date(c, 1);
            let result = if name == "datepart" { SqlType::Int } else { SqlType::nvarchar(30) };
            c.strict(
                &format!("t_{name}"),
                &[part(c)?, value, ty.code().to_string(), c.env.date_first.to_string()],
                result,
            )
        }),
        "year" | "month" | "day" => call.counted(1, 1, |c| {
            let (value, ty) = date(c, 0);
            c.strict(
                "t_datepart",
                &[format!("'{name}'"), value, ty.code().to_string(), "7".into()],
                SqlType::Int,
            )
        }),
        "dateadd" => call.counted(3, 3, |c| {
            let (value, ty) = if c.ty(2).is_character() {
                (c.to(2, SqlType::DateTime), SqlType::DateTime)
            } else {
                date(c, 2)
            };
            let n = c.to(1, if c.ty(1) == SqlType::BigInt { SqlType::BigInt } else { SqlType::Int });
            c.strict("t_dateadd", &[part(c)?, n, value, ty.code().to_string()], ty)
        }),
        "datediff" | "datediff_big" => call.counted(3, 3, |c| {
            let (_, a) = date(c, 1);
            let (_, b) = date(c, 2);
            let ty = match types::combine(a, b) {
                Ok(SqlType::Time { .. }) if a != b => SqlType::DateTime2 { scale: 7 },
                Ok(ty) => ty,
                Err(_) => SqlType::DateTime2 { scale: 7 },
            };
            let big = i64::from(name == "datediff_big");
            let result = if big == 1 { SqlType::BigInt } else { SqlType::Int };
            c.strict(
                "t_datediff",
                &[part(c)?, c.to(1, ty), c.to(2, ty), ty.code().to_string(), big.to_string()],
                result,
            )
        }),
        "datetrunc" => call.counted(2, 2, |c| {
            let (value, ty) = date(c, 1);
            c.strict(
                "t_datetrunc",
                &[part(c)?, value, ty.code().to_string(), c.env.date_first.to_string()],
                ty,
            )
        }),
        "date_bucket" => call.counted(3, 4, |c| {
            let (value, ty) = date(c, 2);
            let origin = if c.args.len() > 3 { c.to(3, ty) } else { "NULL".to_owned() };
            c.nullable("t_date_bucket", &[part(c)?, c.int(1), value, ty.code().to_string(), origin], ty)
        }),
        "eomonth" => call.counted(1, 2, |c| {
            let n = if c.args.len() > 1 { c.int(1) } else { "0".to_owned() };
            c.strict("t_eomonth", &[c.to(0, SqlType::Date), n], SqlType::Date)
        }),
        "datefromparts" => {
            call.counted(3, 3, |c| fromparts(c, SqlType::Date, [0, 1, 2].map(|n| c.int(n)), &[]))
        }
        "datetimefromparts" => call.counted(7, 7, |c| {
            let clock = [c.int(3), c.int(4), c.int(5), format!("({})*10000", c.int(6))];
            fromparts(c, SqlType::DateTime, [0, 1, 2].map(|n| c.int(n)), &clock)
        }),
        "smalldatetimefromparts" => call.counted(5, 5, |c| {
            fromparts(c, SqlType::SmallDateTime, [0, 1, 2].map(|n| c.int(n)), &[c.int(3), c.int(4)])
        }),
        "datetime2fromparts" => call.counted(8, 8, |c| {
            let scale = literal_scale(c, 7)?;
            let ticks = format!("({})*{}", c.int(6), types::scale_unit(scale));
            let clock = [c.int(3), c.int(4), c.int(5), ticks];
            fromparts(c, SqlType::DateTime2 { scale }, [0, 1, 2].map(|n| c.int(n)), &clock)
        }),
        "timefromparts" => call.counted(5, 5, |c| {
            let scale = literal_scale(c, 4)?;
            let ticks = format!("({})*{}", c.int(3), types::scale_unit(scale));
            let clock = [c.int(0), c.int(1), c.int(2), ticks];
            fromparts(c, SqlType::Time { scale }, ["1900".into(), "1".into(), "1".into()], &clock)
        }),
        "datetimeoffsetfromparts" => call.counted(10, 10, |c| {
            let scale = literal_scale(c, 9)?;
            let ty = SqlType::DateTimeOffset { scale };
            let mut args = vec![ty.code().to_string()];
            args.extend((0..6).map(|n| c.int(n)));
            args.push(format!("({})*{}", c.int(6), types::scale_unit(scale)));
            args.push(format!("(({})*60+({}))", c.int(7), c.int(8)));
            c.strict("t_fromparts", &args, ty)
        }),
        "switchoffset" | "todatetimeoffset" => call.counted(2, 2, |c| {
            let scale = if c.ty(0).is_temporal() { c.ty(0).scale() } else { 7 };
            let from = if name == "switchoffset" {
                SqlType::DateTimeOffset { scale }
            } else {
                SqlType::DateTime2 { scale }
            };
            let zone = if c.ty(1).is_character() { c.sql(1) } else { c.int(1) };
            c.strict(
                &format!("t_{name}"),
                &[c.to(0, from), zone, from.code().to_string()],
                SqlType::DateTimeOffset { scale },
            )
        }),
        _ => return maths(name, call),
    })
}

fn literal_scale(c: &Call<'_>, n: usize) -> Result<u8, SqlError> {
    match c.args.get(n).and_then(|a| a.literal.clone()) {
        Some(rusqlite::types::Value::Integer(i @ 0..=7)) => Ok(i as u8),
        _ => Err(SqlError::new(
            10760,
            16,
            1,
            "Scale argument is not valid. Valid expressions for data type scale argument are integer constants and integer constant expressions.",
        )),
    }
}

fn fromparts(c: &Call<'_>, ty: SqlType, date: [String; 3], clock: &[String]) -> Bound {
    let mut args = vec![ty.code().to_string()];
    args.extend(date);
    args.extend(clock.iter().cloned());
    args.resize(8, "0".to_owned());
    args.push("0".to_owned());
    c.strict("t_fromparts", &args, ty)
}

fn maths(name: &str, call: &Call<'_>) -> Option<Bound> {
    let numeric = |c: &Call<'_>| {
        let ty = c.ty(0);
        if ty.is_character() || ty.is_binary() {
            SqlType::Float
        } else if ty.is_integer() && ty != SqlType::BigInt {
            SqlType::Int
        } else if ty == SqlType::SmallMoney {
            SqlType::Money
        } else if ty == SqlType::Real {
            SqlType::Float
        } else {
            ty
        }
    };
    Some(match name {
        "abs" => call.counted(1, 1, |c| {
            let ty = numeric(c);
            let v = c.to(0, ty);
            let zero = crate::functions::coerce_sql("0", SqlType::Int, ty, types::ConvertKind::Implicit);
            let negated = crate::functions::negate_sql(&v, ty);
            c.raw(format!("CASE WHEN {v} < {zero} THEN {negated} ELSE {v} END"), ty, true)
        }),
        "sign" => call.counted(1, 1, |c| {
            let ty = numeric(c);
            let v = c.to(0, ty);
            let literal = |n: i64| {
                crate::functions::coerce_sql(&n.to_string(), SqlType::Int, ty, types::ConvertKind::Implicit)
            };
            let sql = format!(
                "CASE WHEN {v} < {} THEN {} WHEN {v} = {} THEN {} WHEN {v} IS NULL THEN NULL ELSE {} END",
                literal(0),
                literal(-1),
                literal(0),
                literal(0),
                literal(1)
            );
            c.raw(sql, ty, true)
        }),
        "ceiling" | "floor" => call.counted(1, 1, |c| {
            let ty = numeric(c);
            let result = match ty {
                SqlType::Decimal { precision, .. } => SqlType::Decimal { precision, scale: 0 },
                SqlType::Numeric { precision, .. } => SqlType::Numeric { precision, scale: 0 },
                other => other,
            };
            c.strict(&format!("t_{name}"), &[c.to(0, ty), ty.code().to_string()], result)
        }),
        "round" => call.counted(2, 3, |c| {
            let ty = numeric(c);
            let truncate = if c.args.len() > 2 { c.int(2) } else { "0".to_owned() };
            c.strict("t_round", &[c.to(0, ty), c.int(1), truncate, ty.code().to_string()], ty)
        }),
        "power" => call.counted(2, 2, |c| {
            let ty = match numeric(c) {
                SqlType::Decimal { scale, .. } | SqlType::Numeric { scale, .. } => {
                    SqlType::Decimal { precision: 38, scale }
                }
                other => other,
            };
            let sql = format!("t_power({},{})", c.float(0), c.float(1));
            c.raw(
                crate::functions::coerce_sql(&sql, SqlType::Float, ty, types::ConvertKind::Explicit),
                ty,
                true,
            )
        }),
        "square" => call.counted(1, 1, |c| c.strict("t_power", &[c.float(0), "2.0".into()], SqlType::Float)),
        "sqrt" | "exp" | "log10" => {
            call.counted(1, 1, |c| c.strict(&format!("t_{name}"), &[c.float(0)], SqlType::Float))
        }
        "log" => call.counted(1, 2, |c| {
            if c.args.len() > 1 {
                c.strict("t_logbase", &[c.float(0), c.float(1)], SqlType::Float)
            } else {
                c.strict("t_log", &[c.float(0)], SqlType::Float)
            }
        }),
        "sin" | "cos" | "tan" | "cot" | "asin" | "acos" | "atan" => {
            call.counted(1, 1, |c| c.strict("t_math", &[format!("'{name}'"), c.float(0)], SqlType::Float))
        }
        "degrees" | "radians" => call.counted(1, 1, |c| {
            let ty = match numeric(c) {
                SqlType::Decimal { .. } | SqlType::Numeric { .. } => {
                    SqlType::Numeric { precision: 38, scale: 18 }
                }
                other => other,
            };
            let sql = format!("t_math('{name}',{})", c.float(0));
            let sql = crate::functions::coerce_sql(&sql, SqlType::Float, ty, types::ConvertKind::Explicit);
            c.raw(sql, ty, c.args.iter().any(|a| a.nullable))
        }),
        "atn2" => call.counted(2, 2, |c| c.strict("t_atn2", &[c.float(0), c.float(1)], SqlType::Float)),
        "pi" => call.counted(0, 0, |c| c.raw("3.141592653589793".to_owned(), SqlType::Float, false)),
        _ => return None,
    })
}
