//! The scalar functions behind T-SQL's built-ins, on values in storage representation.

use std::sync::Arc;

use rusqlite::functions::FunctionFlags;
use rusqlite::types::Value;
use rusqlite::{Connection, Result};

use super::operators::PURE;
use super::{json, moments};
use crate::error::SqlError;
use crate::session::Shared;
use crate::types::{self, Moment, SqlType};

pub(super) type Outcome = std::result::Result<Value, SqlError>;
type Function = fn(&[Value]) -> Outcome;

/// Functions that answer NULL as soon as an argument is NULL.
const STRICT: &[(&str, i32, Function)] = &[
    ("t_len", 1, |a| Ok(int(text(a, 0).trim_end_matches(' ').encode_utf16().count() as i64))),
    ("t_left", 2, |a| slice(a, left_length, |t, n| t.chars().take(n).collect())),
    ("t_right", 2, |a| {
        slice(a, right_length, |t, n| t.chars().skip(t.chars().count().saturating_sub(n)).collect())
    }),
    ("t_substring", 3, substring),
    ("t_charindex", 4, charindex),
    ("t_replace", 4, replace),
    ("t_replicate", 2, replicate),
    ("t_reverse", 1, |a| Ok(Value::Text(text(a, 0).chars().rev().collect()))),
    ("t_stuff", 4, stuff),
    ("t_upper", 1, |a| Ok(Value::Text(text(a, 0).to_uppercase()))),
    ("t_lower", 1, |a| Ok(Value::Text(text(a, 0).to_lowercase()))),
    ("t_str", 3, str_function),
    ("t_char", 1, |a| {
        Ok(u8::try_from(integer(a, 0)).map_or(Value::Null, |b| Value::Text(types::decode_code_page(&[b]))))
    }),
    ("t_nchar", 1, |a| {
        let c = u32::try_from(integer(a, 0)).ok().and_then(char::from_u32);
        Ok(c.map_or(Value::Null, |c| Value::Text(c.to_string())))
    }),
    ("t_ascii", 1, |a| {
        Ok(types::encode_code_page(text(a, 0)).first().map_or(Value::Null, |b| int(i64::from(*b))))
    }),
    ("t_unicode", 1, |a| Ok(text(a, 0).chars().next().map_or(Value::Null, |c| int(i64::from(u32::from(c)))))),
    ("t_quotename", 2, quotename),
    ("t_translate", 3, translate),
    ("t_soundex", 1, |a| Ok(Value::Text(soundex(text(a, 0))))),
    ("t_difference", 2, |a| {
        let (x, y) = (soundex(text(a, 0)), soundex(text(a, 1)));
        Ok(int(x.chars().zip(y.chars()).filter(|(a, b)| a == b).count() as i64))
    }),
    ("t_datepart", 4, moments::datepart),
    ("t_datename", 4, moments::datename),
    ("t_dateadd", 4, moments::dateadd),
    ("t_datediff", 5, moments::datediff),
    ("t_eomonth", 2, moments::eomonth),
    ("t_fromparts", 9, moments::fromparts),
    ("t_datetrunc", 4, moments::datetrunc),
    ("t_at_zone", 3, moments::at_zone),
    ("t_round", 4, round),
    ("t_ceiling", 2, |a| {
        whole(a, |s, unit| s.div_euclid(unit) + i128::from(s.rem_euclid(unit) != 0), f64::ceil)
    }),
    ("t_floor", 2, |a| whole(a, i128::div_euclid, f64::floor)),
    ("t_power", 2, |a| float(real(a, 0).powf(real(a, 1)))),
    ("t_sqrt", 1, |a| if real(a, 0) < 0.0 { Err(invalid_float()) } else { float(real(a, 0).sqrt()) }),
    ("t_log", 1, |a| if real(a, 0) <= 0.0 { Err(invalid_float()) } else { float(real(a, 0).ln()) }),
    ("t_logbase", 2, |a| {
        if real(a, 0) <= 0.0 { Err(invalid_float()) } else { float(real(a, 0).ln() / real(a, 1).ln()) }
    }),
    ("t_log10", 1, |a| if real(a, 0) <= 0.0 { Err(invalid_float()) } else { float(real(a, 0).log10()) }),
    ("t_exp", 1, |a| float(real(a, 0).exp())),
    ("t_math", 2, math),
    ("t_atn2", 2, |a| float(real(a, 0).atan2(real(a, 1)))),
    ("t_parsename", 2, |a| {
        let at = usize::try_from(integer(a, 1)).unwrap_or(0);
        let parts = crate::system::split_name(text(a, 0));
        let part = if parts.len() > 4 { None } else { parts.into_iter().rev().nth(at.wrapping_sub(1)) };
        Ok(part.filter(|p| !p.is_empty()).map_or(Value::Null, Value::Text))
    }),
    ("t_json_value", 2, |a| json::query(text(a, 0), text(a, 1), json::Wanted::Scalar)),
    ("t_json_query", 2, |a| json::query(text(a, 0), text(a, 1), json::Wanted::Container)),
    ("t_json_path_exists", 2, |a| json::exists(text(a, 0), text(a, 1)).map(|yes| int(i64::from(yes)))),
    ("t_isjson", 1, |a| Ok(int(i64::from(json::is_json(text(a, 0)))))),
    ("t_hashbytes", 2, hashbytes),
    ("t_escape_json", 1, |a| Ok(Value::Text(json::escaped(text(a, 0))))),
    ("t_bit_count", 2, |a| {
        let (bits, bytes) = (integer(a, 0) as u64, integer(a, 1).clamp(1, 8) as u32);
        Ok(int(i64::from((bits << (64 - 8 * bytes)).count_ones())))
    }),
    ("t_shift", 3, shift),
    ("t_get_bit", 2, |a| {
        let at = u32::try_from(integer(a, 1)).ok().filter(|n| *n < 64).ok_or_else(bad_bit)?;
        Ok(int((integer(a, 0) >> at) & 1))
    }),
    ("t_set_bit", 4, |a| {
        let at = u32::try_from(integer(a, 1)).ok().filter(|n| *n < 64).ok_or_else(bad_bit)?;
        let bit = 1_i64.checked_shl(at).unwrap_or(0);
        Ok(int(narrowed(
            if integer(a, 2) == 0 { integer(a, 0) & !bit } else { integer(a, 0) | bit },
            type_at(a, 3),
        )))
    }),
    ("t_top", 1, |a| if integer(a, 0) < 0 { Err(negative_top()) } else { Ok(int(integer(a, 0))) }),
    ("t_percent", 1, |a| {
        if (0.0..=100.0).contains(&real(a, 0)) {
            float(real(a, 0))
        } else {
            Err(SqlError::new(1031, 15, 1, "Percent values must be between 0 and 100."))
        }
    }),
    ("t_offset", 1, |a| {
        if integer(a, 0) < 0 {
            Err(SqlError::new(10742, 15, 1, "The offset specified in a OFFSET clause may not be negative."))
        } else {
            Ok(int(integer(a, 0)))
        }
    }),
    ("t_fetch", 1, |a| {
        if integer(a, 0) < 1 {
            Err(SqlError::new(
                10744,
                15,
                1,
                "The number of rows provided for a FETCH clause must be greater then zero.",
            ))
        } else {
            Ok(int(integer(a, 0)))
        }
    }),
    ("t_switchoffset", 3, |a| offset(a, true)),
    ("t_todatetimeoffset", 3, |a| offset(a, false)),
    ("t_variant_property", 2, variant_property),
    ("t_unpack", 2, unpack),
];

/// Functions that see NULLs.
const LAX: &[(&str, i32, Function)] = &[
    ("t_datalength", 3, datalength),
    ("t_format", 4, super::format::format_function),
    ("t_json_modify", 4, json_modify),
    ("t_date_bucket", 5, moments::date_bucket),
    ("t_formatmessage", -1, formatmessage),
    // A count of rows that is NULL is an error; the other checks come after this one.
    ("t_count", 1, |a| match a.first() {
        None | Some(Value::Null) => {
            Err(SqlError::new(1014, 15, 1, "A TOP or FETCH clause contains an invalid value."))
        }
        Some(value) => Ok(value.clone()),
    }),
    ("t_concat", -1, |a| Ok(Value::Text(a.iter().map(as_text).collect::<Vec<_>>().concat()))),
    ("t_concat_ws", -1, |a| {
        let separator = a.first().map(as_text).unwrap_or_default();
        let parts: Vec<String> = a.iter().skip(1).filter(|v| **v != Value::Null).map(as_text).collect();
        Ok(Value::Text(parts.join(&separator)))
    }),
    ("t_isnumeric", 1, |a| Ok(int(i64::from(a.first().is_some_and(|v| is_numeric(&as_text(v))))))),
    ("t_checksum", -1, |a| Ok(checksum(a, |t| t.trim_end().to_lowercase()))),
    ("t_binary_checksum", -1, |a| Ok(checksum(a, |t| t.trim_end().to_owned()))),
    ("t_pack", -1, |a| Ok(Value::Text(pack(a)))),
];

pub(super) fn register(conn: &Connection, shared: &Arc<Shared>) -> Result<()> {
    let shared = Arc::clone(shared);
    conn.create_scalar_function("t_isdate", 1, PURE, move |c| {
        let text = as_text(&c.get::<Value>(0)?);
        let format = types::DateFormat::by_name(&shared.state().date_format).unwrap_or_default();
        let good = !text.trim().is_empty()
            && types::parse_moment(&text, format, true)
                .is_ok_and(|at| types::temporal_value(at, SqlType::DateTime).is_ok());
        Ok(i64::from(good))
    })?;
    for (name, count, function) in STRICT {
        conn.create_scalar_function(*name, *count, PURE, move |c| {
            let args: Vec<Value> = (0..c.len()).map(|n| c.get(n)).collect::<Result<_>>()?;
            if args.contains(&Value::Null) {
                return Ok(Value::Null);
            }
            function(&args).map_err(|e| e.to_carrier())
        })?;
    }
    for (name, count, function) in LAX {
        conn.create_scalar_function(*name, *count, PURE, move |c| {
            let args: Vec<Value> = (0..c.len()).map(|n| c.get(n)).collect::<Result<_>>()?;
            function(&args).map_err(|e| e.to_carrier())
        })?;
    }
    let volatile = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS;
    conn.create_scalar_function("t_newid", 0, volatile, |_| new_guid().map_err(|e| e.to_carrier()))?;
    conn.create_scalar_function("t_depth", 2, volatile, |c| {
        let (depth, max): (i64, i64) = (c.get(0)?, c.get(1)?);
        if max > 0 && depth > max {
            Err(SqlError::recursion_exhausted(&max.to_string()).to_carrier())
        } else {
            Ok(depth)
        }
    })
}

/// A random (version 4) GUID in storage representation.
pub(crate) fn new_guid() -> Outcome {
    let mut wire = [0; 16];
    getrandom::fill(&mut wire).map_err(SqlError::internal)?;
    wire[7] = (wire[7] & 0x0F) | 0x40;
    wire[8] = (wire[8] & 0x3F) | 0x80;
    Ok(Value::Blob(types::guid_from_wire(wire)))
}

pub(super) fn int(n: i64) -> Value {
    Value::Integer(n)
}

fn float(r: f64) -> Outcome {
    if r.is_finite() { Ok(Value::Real(r)) } else { Err(SqlError::overflow_to("float")) }
}

fn invalid_float() -> SqlError {
    SqlError::new(3623, 16, 1, "An invalid floating point operation occurred.")
}

pub(super) fn text(a: &[Value], n: usize) -> &str {
    match a.get(n) {
        Some(Value::Text(t)) => t,
        _ => "",
    }
}

pub(super) fn integer(a: &[Value], n: usize) -> i64 {
    match a.get(n) {
        Some(Value::Integer(i)) => *i,
        Some(Value::Real(r)) => *r as i64,
        _ => 0,
    }
}

fn real(a: &[Value], n: usize) -> f64 {
    match a.get(n) {
        Some(Value::Real(r)) => *r,
        Some(Value::Integer(i)) => *i as f64,
        _ => 0.0,
    }
}

pub(super) fn type_at(a: &[Value], n: usize) -> SqlType {
    SqlType::from_code(integer(a, n)).unwrap_or(SqlType::Int)
}

fn as_text(value: &Value) -> String {
    match value {
        Value::Text(t) => t.clone(),
        Value::Integer(i) => i.to_string(),
        Value::Real(r) => r.to_string(),
        Value::Null | Value::Blob(_) => String::new(),
    }
}

fn left_length() -> SqlError {
    SqlError::new(537, 16, 3, "Invalid length parameter passed to the LEFT or SUBSTRING function.")
}

fn right_length() -> SqlError {
    SqlError::new(536, 16, 4, "Invalid length parameter passed to the RIGHT function.")
}

fn slice(a: &[Value], bad: fn() -> SqlError, cut: impl Fn(&str, usize) -> String) -> Outcome {
    let n = usize::try_from(integer(a, 1)).map_err(|_| bad())?;
    Ok(Value::Text(cut(text(a, 0), n)))
}

fn substring(a: &[Value]) -> Outcome {
    let (start, len) = (integer(a, 1), integer(a, 2));
    if len < 0 {
        return Err(left_length());
    }
    // A start in front of the first character takes from the length.
    let end = start.saturating_add(len).max(1) - 1;
    let from = start.max(1) - 1;
    let (skip, take) = (from as usize, (end - from).max(0) as usize);
    Ok(match a.first() {
        Some(Value::Blob(b)) => Value::Blob(b.iter().skip(skip).take(take).copied().collect()),
        _ => Value::Text(text(a, 0).chars().skip(skip).take(take).collect()),
    })
}

fn charindex(a: &[Value]) -> Outcome {
    let collation = types::Collation::by_name(text(a, 3)).unwrap_or_default();
    let fold = |t: &str| t.chars().map(|c| collation.fold(c)).collect::<Vec<_>>();
    let (needle, hay) = (fold(text(a, 0)), fold(text(a, 1)));
    let start = (integer(a, 2).max(1) - 1) as usize;
    if needle.is_empty() {
        return Ok(int(0));
    }
    let found = hay.get(start..).and_then(|rest| rest.windows(needle.len()).position(|w| w == needle));
    Ok(int(found.map_or(0, |at| (at + start + 1) as i64)))
}

fn replace(a: &[Value]) -> Outcome {
    let collation = types::Collation::by_name(text(a, 3)).unwrap_or_default();
    let hay: Vec<char> = text(a, 0).chars().collect();
    let needle: Vec<char> = text(a, 1).chars().map(|c| collation.fold(c)).collect();
    if needle.is_empty() {
        return Ok(Value::Text(text(a, 0).to_owned()));
    }
    let mut out = String::new();
    let mut at = 0;
    while at < hay.len() {
        let here = hay
            .get(at..at + needle.len())
            .is_some_and(|w| w.iter().map(|c| collation.fold(*c)).eq(needle.iter().copied()));
        if here {
            out.push_str(text(a, 2));
            at += needle.len();
        } else {
            out.extend(hay.get(at));
            at += 1;
        }
    }
    Ok(Value::Text(out))
}

fn replicate(a: &[Value]) -> Outcome {
    let n = integer(a, 1);
    if n < 0 {
        return Ok(Value::Null);
    }
    let unit = text(a, 0);
    if (unit.len() as i64).saturating_mul(n) > 64 << 20 {
        return Err(SqlError::new(701, 17, 123, "There is insufficient system memory to run this query."));
    }
    Ok(Value::Text(unit.repeat(n as usize)))
}

fn stuff(a: &[Value]) -> Outcome {
    let chars: Vec<char> = text(a, 0).chars().collect();
    let (start, len) = (integer(a, 1), integer(a, 2));
    if start < 1 || start as usize > chars.len() || len < 0 {
        return Ok(Value::Null);
    }
    let at = start as usize - 1;
    let end = at.saturating_add(len as usize).min(chars.len());
    let mut out: String = chars.iter().take(at).collect();
    out.push_str(text(a, 3));
    out.extend(chars.iter().skip(end));
    Ok(Value::Text(out))
}

fn str_function(a: &[Value]) -> Outcome {
    let (len, decimals) = (integer(a, 1).clamp(0, 8000) as usize, integer(a, 2).clamp(0, 16) as usize);
    let mut shown = super::format::fixed_text(real(a, 0), decimals);
    if shown.len() > len {
        let whole = shown.split('.').next().unwrap_or_default().len();
        if whole > len {
            return Ok(Value::Text("*".repeat(len)));
        }
        let room = len.saturating_sub(whole + 1);
        shown = super::format::fixed_text(real(a, 0), room);
    }
    Ok(Value::Text(format!("{shown:>len$}")))
}

fn quotename(a: &[Value]) -> Outcome {
    let name = text(a, 0);
    if name.encode_utf16().count() > 128 {
        return Ok(Value::Null);
    }
    let (open, close) = match text(a, 1).chars().next().unwrap_or('[') {
        '[' | ']' => ('[', ']'),
        '\'' => ('\'', '\''),
        '"' => ('"', '"'),
        '(' | ')' => ('(', ')'),
        '{' | '}' => ('{', '}'),
        '<' | '>' => ('<', '>'),
        '`' => ('`', '`'),
        _ => return Ok(Value::Null),
    };
    Ok(Value::Text(format!("{open}{}{close}", name.replace(close, &format!("{close}{close}")))))
}

fn translate(a: &[Value]) -> Outcome {
    let from: Vec<char> = text(a, 1).chars().collect();
    let to: Vec<char> = text(a, 2).chars().collect();
    if from.len() != to.len() {
        return Err(SqlError::new(
            9828,
            16,
            1,
            "The second and third arguments of the TRANSLATE built-in function must contain an equal number of characters.",
        ));
    }
    let swap = |c: char| from.iter().position(|f| *f == c).and_then(|at| to.get(at)).copied().unwrap_or(c);
    Ok(Value::Text(text(a, 0).chars().map(swap).collect()))
}

fn soundex(word: &str) -> String {
    let code = |c: char| match c.to_ascii_lowercase() {
        'b' | 'f' | 'p' | 'v' => '1',
        'c' | 'g' | 'j' | 'k' | 'q' | 's' | 'x' | 'z' => '2',
        'd' | 't' => '3',
        'l' => '4',
        'm' | 'n' => '5',
        'r' => '6',
        _ => '0',
    };
    let letters: Vec<char> = word.chars().take_while(char::is_ascii_alphabetic).collect();
    let Some(first) = letters.first() else { return "0000".to_owned() };
    let mut out = first.to_ascii_uppercase().to_string();
    let mut last = code(*first);
    for c in letters.iter().skip(1) {
        let digit = code(*c);
        if digit != '0' && digit != last {
            out.push(digit);
        }
        if !matches!(c.to_ascii_lowercase(), 'h' | 'w') {
            last = digit;
        }
    }
    out.truncate(4);
    format!("{out:0<4}")
}

/// `t_formatmessage(format, value, type, value, type, ...)`.
fn formatmessage(a: &[Value]) -> Outcome {
    let Some(Value::Text(format)) = a.first() else { return Ok(Value::Null) };
    let args: Vec<(Value, SqlType)> = (1..a.len())
        .step_by(2)
        .map(|n| (a.get(n).cloned().unwrap_or(Value::Null), type_at(a, n + 1)))
        .collect();
    crate::exec::format_message(format, &args).map(Value::Text)
}

/// Numbers count with their value, text with its bytes.
fn checksum(a: &[Value], fold: fn(&str) -> String) -> Value {
    let mut hash = 0_u32;
    for (n, value) in a.iter().enumerate() {
        if n > 0 {
            hash = hash.rotate_left(4);
        }
        match value {
            Value::Integer(i) => hash ^= *i as u32,
            other => {
                let mut own = 0_u32;
                for byte in fold(&as_text(other)).bytes() {
                    own = own.rotate_left(4) ^ u32::from(byte);
                }
                hash ^= own;
            }
        }
    }
    int(i64::from(hash as i32))
}

fn bad_bit() -> SqlError {
    SqlError::new(5372, 16, 1, "The offset of a bit must be within the bits of its value.")
}

fn negative_top() -> SqlError {
    SqlError::new(127, 15, 1, "A TOP N or FETCH rowcount value may not be negative.")
}

/// `t_shift(value, places to the left, type)`.
fn shift(a: &[Value]) -> Outcome {
    let ty = type_at(a, 2);
    let width = i64::from(ty.max_length()) * 8;
    let (value, by) = (integer(a, 0), integer(a, 1));
    let bits = if width < 64 { (value as u64) & ((1 << width) - 1) } else { value as u64 };
    let moved = match by {
        _ if by.abs() >= width => 0,
        0.. => bits << by,
        _ => bits >> -by,
    };
    Ok(int(narrowed(moved as i64, ty)))
}

/// The bits of an integer type as its value.
fn narrowed(bits: i64, ty: SqlType) -> i64 {
    match ty {
        SqlType::Bit => bits & 1,
        SqlType::TinyInt => i64::from(bits as u8),
        SqlType::SmallInt => i64::from(bits as i16),
        SqlType::Int => i64::from(bits as i32),
        _ => bits,
    }
}

fn is_numeric(t: &str) -> bool {
    let t = t.trim();
    // A lone sign, point or currency converts to money.
    if !t.is_empty() && t.len() <= 2 && t.chars().all(|c| matches!(c, '+' | '-' | '.' | ',' | '$')) {
        return true;
    }
    let plain: String = t.chars().filter(|c| !matches!(c, ',' | '$')).collect();
    !plain.is_empty()
        && plain.chars().any(|c| c.is_ascii_digit())
        && plain.parse::<f64>().is_ok_and(f64::is_finite)
}

fn datalength(a: &[Value]) -> Outcome {
    let ty = type_at(a, 1);
    let utf8 = integer(a, 2) == 1;
    let bytes = match a.first() {
        None | Some(Value::Null) => return Ok(Value::Null),
        Some(Value::Text(t)) if ty.is_national() => t.encode_utf16().count() * 2,
        Some(Value::Text(t)) if utf8 => t.len(),
        Some(Value::Text(t)) => t.chars().count(),
        Some(Value::Blob(b)) if ty.is_binary() => b.len(),
        Some(_) => ty.max_length().max(0) as usize,
    };
    Ok(int(bytes as i64))
}

/// `t_round(value, digits, truncate, type)`.
fn round(a: &[Value]) -> Outcome {
    let ty = type_at(a, 3);
    let (digits, truncate) = (integer(a, 1).clamp(-40, 40) as i32, integer(a, 2) != 0);
    if let Some(Value::Real(r)) = a.first() {
        let unit = 10_f64.powi(digits);
        let scaled = r * unit;
        return float(if truncate { scaled.trunc() / unit } else { scaled.round() / unit });
    }
    let (Some(value), scale) = (a.first().and_then(types::exact), i32::from(types::exact_scale(ty))) else {
        return Ok(Value::Null);
    };
    let drop = scale - digits;
    if drop <= 0 {
        return types::exact_value(value, ty);
    }
    if drop > 38 {
        return types::exact_value(0, ty);
    }
    let unit = types::pow10(drop as u8);
    let cut = if truncate { Some(value / unit) } else { types::rescale(value, drop as u8, 0) };
    types::exact_value(
        cut.and_then(|c| c.checked_mul(unit)).ok_or_else(|| SqlError::overflow_to(ty.name()))?,
        ty,
    )
}

/// CEILING and FLOOR of `(value, type)`; exact results have scale 0 in storage where the type says so.
fn whole(a: &[Value], exact: fn(i128, i128) -> i128, approximate: fn(f64) -> f64) -> Outcome {
    if let Some(Value::Real(r)) = a.first() {
        return float(approximate(*r));
    }
    let ty = type_at(a, 1);
    let Some(value) = a.first().and_then(types::exact) else { return Ok(Value::Null) };
    let unit = types::pow10(types::exact_scale(ty));
    let whole = exact(value, unit);
    // Money keeps its scale, decimals become (p, 0).
    match ty {
        t if t.is_money() => types::exact_value(whole * unit, ty),
        SqlType::Decimal { precision, .. } | SqlType::Numeric { precision, .. } => {
            types::decimal_value(whole, precision)
        }
        _ => types::exact_value(whole, ty),
    }
}

fn math(a: &[Value]) -> Outcome {
    let x = real(a, 1);
    float(match text(a, 0) {
        "sin" => x.sin(),
        "cos" => x.cos(),
        "tan" => x.tan(),
        "cot" => 1.0 / x.tan(),
        "asin" => x.asin(),
        "acos" => x.acos(),
        "atan" => x.atan(),
        "degrees" => x.to_degrees(),
        "radians" => x.to_radians(),
        other => return Err(SqlError::not_a_builtin(other)),
    })
}

/// `t_json_modify(text, path, value, type of the value)`; type -1 is JSON already.
fn json_modify(a: &[Value]) -> Outcome {
    let (Some(Value::Text(json)), Some(Value::Text(path))) = (a.first(), a.get(1)) else {
        return Ok(Value::Null);
    };
    let new = match a.get(2) {
        None | Some(Value::Null) => None,
        Some(value) => Some(match SqlType::from_code(integer(a, 3)) {
            None => as_text(value),
            Some(SqlType::Bit) => (if integer(a, 2) == 0 { "false" } else { "true" }).to_owned(),
            Some(ty) => {
                let shown = types::display_value(value, ty);
                let number = ty.is_integer() || ty.is_decimal() || ty.is_money() || ty.is_approximate();
                if number { shown } else { json::quoted(&shown) }
            }
        }),
    };
    json::modify(json, path, new.as_deref()).map(Value::Text)
}

fn hashbytes(a: &[Value]) -> Outcome {
    use sha2::Digest as _;
    let bytes = match a.get(1) {
        Some(Value::Blob(b)) => b.clone(),
        _ => return Ok(Value::Null),
    };
    match text(a, 0).to_ascii_uppercase().as_str() {
        "SHA2_256" => Ok(Value::Blob(sha2::Sha256::digest(&bytes).to_vec())),
        "MD5" => Ok(Value::Blob(super::hash::md5(&bytes))),
        "SHA" | "SHA1" => Ok(Value::Blob(super::hash::sha1(&bytes))),
        "SHA2_512" => Ok(Value::Blob(sha2::Sha512::digest(&bytes).to_vec())),
        other @ ("MD2" | "MD4") => Err(SqlError::unsupported_function(&format!("HASHBYTES('{other}')"))),
        // An algorithm that does not exist yields NULL, and no error.
        _ => Ok(Value::Null),
    }
}

fn offset(a: &[Value], keep_instant: bool) -> Outcome {
    let ty = type_at(a, 2);
    let to = match a.get(1) {
        Some(Value::Integer(n)) => *n as i32,
        Some(Value::Text(t)) => {
            types::parse_moment(&format!("00:00:00 {t}"), types::DateFormat::Mdy, false)
                .map_err(|_| {
                    SqlError::new(
                        9812,
                        16,
                        1,
                        "The timezone provided to builtin function switchoffset is invalid.",
                    )
                })?
                .offset
        }
        _ => 0,
    };
    let Some(at) = a.first().and_then(|v| types::moment(v, ty)) else { return Ok(Value::Null) };
    let scale = ty.scale();
    let moved = if keep_instant {
        Moment::from_total(at.total() + i64::from(to - at.offset) * 600_000_000, to)
    } else {
        Moment { offset: to, ..at }
    };
    types::temporal_value(moved, SqlType::DateTimeOffset { scale })
}

fn variant_property(a: &[Value]) -> Outcome {
    let Some((ty, _)) = a.first().and_then(types::variant_parts) else { return Ok(Value::Null) };
    let value = match text(a, 1).to_ascii_lowercase().as_str() {
        "basetype" => return Ok(types::variant_value(&Value::Text(ty.name().to_owned()), SqlType::SYSNAME)),
        "precision" => i64::from(ty.precision()),
        "scale" => i64::from(ty.scale()),
        "maxlength" | "totalbytes" => i64::from(ty.max_length()),
        _ => return Ok(Value::Null),
    };
    Ok(types::variant_value(&int(value), SqlType::Int))
}

/// A row as one text that JSON can carry: each cell is a tag, its length in characters, a colon, and the cell.
pub(crate) fn pack(row: &[Value]) -> String {
    let mut out = String::new();
    for value in row {
        let (tag, body) = match value {
            Value::Null => ('n', String::new()),
            Value::Integer(i) => ('i', i.to_string()),
            Value::Real(r) => ('r', r.to_bits().to_string()),
            Value::Text(t) => ('t', t.clone()),
            Value::Blob(b) => ('b', types::hex_upper(b)),
        };
        out.push_str(&format!("{tag}{}:{body}", body.len()));
    }
    out
}

/// `t_unpack(packed, n)`: the n-th cell.
fn unpack(a: &[Value]) -> Outcome {
    let broken = || SqlError::internal("a packed row cannot be read");
    let mut rest = text(a, 0);
    let mut wanted = integer(a, 1);
    loop {
        let tag = rest.chars().next().ok_or_else(broken)?;
        let colon = rest.find(':').ok_or_else(broken)?;
        let len: usize = rest.get(1..colon).and_then(|n| n.parse().ok()).ok_or_else(broken)?;
        let body = rest.get(colon + 1..colon + 1 + len).ok_or_else(broken)?;
        if wanted > 0 {
            wanted -= 1;
            rest = rest.get(colon + 1 + len..).ok_or_else(broken)?;
            continue;
        }
        return Ok(match tag {
            'n' => Value::Null,
            'i' => int(body.parse().map_err(|_| broken())?),
            'r' => Value::Real(f64::from_bits(body.parse().map_err(|_| broken())?)),
            't' => Value::Text(body.to_owned()),
            _ => {
                let byte = |n: usize| {
                    body.get(2 * n..2 * n + 2).and_then(|h| u8::from_str_radix(h, 16).ok()).ok_or_else(broken)
                };
                Value::Blob((0..body.len() / 2).map(byte).collect::<std::result::Result<_, _>>()?)
            }
        });
    }
}
