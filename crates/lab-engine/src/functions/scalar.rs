//! The scalar functions behind T-SQL's built-ins, on values in storage representation.

use rusqlite::functions::FunctionFlags;
use rusqlite::types::Value;
use rusqlite::{Connection, Result};

use super::operators::PURE;
use crate::error::SqlError;
use crate::types::{self, DAY, Moment, SqlType};

type Outcome = std::result::Result<Value, SqlError>;
type Function = fn(&[Value]) -> Outcome;

/// Functions that answer NULL as soon as an argument is NULL.
const STRICT: &[(&str, i32, Function)] = &[
    ("t_len", 1, |a| Ok(int(text(a, 0).trim_end_matches(' ').encode_utf16().count() as i64))),
    ("t_left", 2, |a| slice(a, "left", |t, n| t.chars().take(n).collect())),
    ("t_right", 2, |a| {
        slice(a, "right", |t, n| t.chars().skip(t.chars().count().saturating_sub(n)).collect())
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
    ("t_datepart", 4, datepart),
    ("t_datename", 4, datename),
    ("t_dateadd", 4, dateadd),
    ("t_datediff", 5, datediff),
    ("t_eomonth", 2, eomonth),
    ("t_fromparts", 9, fromparts),
    ("t_datetrunc", 3, datetrunc),
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
        let part = text(a, 0).rsplit('.').nth(at.wrapping_sub(1)).map(|p| p.trim_matches(['[', ']', '"']));
        Ok(part.filter(|p| !p.is_empty()).map_or(Value::Null, |p| Value::Text(p.to_owned())))
    }),
    ("t_json_value", 3, json_value),
    ("t_isjson", 1, |a| {
        Ok(int(i64::from(matches!(
            serde_json::from_str::<serde_json::Value>(text(a, 0)),
            Ok(serde_json::Value::Object(_) | serde_json::Value::Array(_))
        ))))
    }),
    ("t_hashbytes", 2, hashbytes),
    ("t_escape_json", 1, |a| {
        let quoted = serde_json::to_string(text(a, 0)).unwrap_or_default().replace('/', "\\/");
        Ok(Value::Text(quoted.trim_matches('"').to_owned()))
    }),
    ("t_format", 3, super::builtins::format_function),
    ("t_switchoffset", 3, |a| offset(a, true)),
    ("t_todatetimeoffset", 3, |a| offset(a, false)),
    ("t_variant_property", 2, variant_property),
    ("t_unpack", 2, unpack),
];

/// Functions that see NULLs.
const LAX: &[(&str, i32, Function)] = &[
    ("t_datalength", 3, datalength),
    ("t_concat", -1, |a| Ok(Value::Text(a.iter().map(as_text).collect::<Vec<_>>().concat()))),
    ("t_concat_ws", -1, |a| {
        let separator = a.first().map(as_text).unwrap_or_default();
        let parts: Vec<String> = a.iter().skip(1).filter(|v| **v != Value::Null).map(as_text).collect();
        Ok(Value::Text(parts.join(&separator)))
    }),
    ("t_isnumeric", 1, |a| Ok(int(i64::from(a.first().is_some_and(|v| is_numeric(&as_text(v))))))),
    ("t_isdate", 1, |a| {
        let good = a.first().is_some_and(|v| {
            *v != Value::Null
                && types::parse_moment(&as_text(v), types::DateFormat::Mdy).is_ok()
                && !as_text(v).trim().is_empty()
        });
        Ok(int(i64::from(good)))
    }),
    ("t_checksum", -1, |a| {
        let mut hash = 0_u32;
        for value in a {
            for byte in as_text(value).to_lowercase().trim_end().bytes() {
                hash = hash.rotate_left(4) ^ u32::from(byte);
            }
            hash = hash.rotate_left(4);
        }
        Ok(int(i64::from(hash as i32)))
    }),
    ("t_pack", -1, |a| Ok(Value::Text(pack(a)))),
];

pub(super) fn register(conn: &Connection) -> Result<()> {
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

fn int(n: i64) -> Value {
    Value::Integer(n)
}

fn float(r: f64) -> Outcome {
    if r.is_finite() { Ok(Value::Real(r)) } else { Err(SqlError::overflow_to("float")) }
}

fn invalid_float() -> SqlError {
    SqlError::new(3623, 16, 1, "An invalid floating point operation occurred.")
}

fn text(a: &[Value], n: usize) -> &str {
    match a.get(n) {
        Some(Value::Text(t)) => t,
        _ => "",
    }
}

fn integer(a: &[Value], n: usize) -> i64 {
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

fn type_at(a: &[Value], n: usize) -> SqlType {
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

fn slice(a: &[Value], name: &str, cut: impl Fn(&str, usize) -> String) -> Outcome {
    let n = usize::try_from(integer(a, 1)).map_err(|_| SqlError::invalid_length(name))?;
    Ok(Value::Text(cut(text(a, 0), n)))
}

fn substring(a: &[Value]) -> Outcome {
    let (start, len) = (integer(a, 1), integer(a, 2));
    if len < 0 {
        return Err(SqlError::invalid_length("SUBSTRING"));
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
    let mut shown = format!("{:.decimals$}", real(a, 0));
    if shown.len() > len {
        let whole = shown.split('.').next().unwrap_or_default().len();
        if whole > len {
            return Ok(Value::Text("*".repeat(len)));
        }
        let room = len.saturating_sub(whole + 1);
        shown = format!("{:.room$}", real(a, 0));
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

fn is_numeric(t: &str) -> bool {
    let t = t.trim();
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

/// `t_datepart(part, value, type, first day of the week)`.
fn datepart(a: &[Value]) -> Outcome {
    let ty = type_at(a, 2);
    let Some(at) = a.get(1).and_then(|v| types::moment(v, ty)) else { return Ok(Value::Null) };
    part_of(text(a, 0), at, integer(a, 3)).map(int)
}

fn part_of(part: &str, at: Moment, first: i64) -> std::result::Result<i64, SqlError> {
    let (y, m, d) = types::civil(at.days);
    let day_of_year = at.days - types::days_of(y, 1, 1).unwrap_or(at.days) + 1;
    let weekday = |days: i64, first: i64| (days - first + 1).rem_euclid(7) + 1;
    Ok(match part {
        "year" => y,
        "quarter" => i64::from(m - 1) / 3 + 1,
        "month" => i64::from(m),
        "dayofyear" => day_of_year,
        "day" => i64::from(d),
        "week" => {
            let january = types::days_of(y, 1, 1).unwrap_or(at.days);
            (day_of_year - 1 + weekday(january, first) - 1) / 7 + 1
        }
        "iso_week" => {
            let thursday = at.days - (weekday(at.days, 1) - 1) + 3;
            let (ty, ..) = types::civil(thursday);
            (thursday - types::days_of(ty, 1, 1).unwrap_or(thursday)) / 7 + 1
        }
        "weekday" => weekday(at.days, first),
        "hour" => at.ticks / 36_000_000_000,
        "minute" => at.ticks / 600_000_000 % 60,
        "second" => at.ticks / 10_000_000 % 60,
        "millisecond" => at.ticks / 10_000 % 1000,
        "microsecond" => at.ticks / 10 % 1_000_000,
        "nanosecond" => at.ticks % 10_000_000 * 100,
        "tzoffset" => i64::from(at.offset),
        other => {
            return Err(SqlError::new(155, 15, 1, format!("'{other}' is not a recognized datepart option.")));
        }
    })
}

fn datename(a: &[Value]) -> Outcome {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    let ty = type_at(a, 2);
    let Some(at) = a.get(1).and_then(|v| types::moment(v, ty)) else { return Ok(Value::Null) };
    let name = match text(a, 0) {
        "month" => MONTHS.get(types::civil(at.days).1 as usize - 1).copied().unwrap_or_default().to_owned(),
        "weekday" => DAYS.get(at.days.rem_euclid(7) as usize).copied().unwrap_or_default().to_owned(),
        part => part_of(part, at, integer(a, 3))?.to_string(),
    };
    Ok(Value::Text(name))
}

/// `t_dateadd(part, number, value, type)`.
fn dateadd(a: &[Value]) -> Outcome {
    let ty = type_at(a, 3);
    let n = integer(a, 1);
    let Some(at) = a.get(2).and_then(|v| types::moment(v, ty)) else { return Ok(Value::Null) };
    let overflow = || {
        SqlError::new(517, 16, 1, format!("Adding a value to a '{}' column caused an overflow.", ty.name()))
    };
    let months = |n: i64| -> std::result::Result<Moment, SqlError> {
        let (y, m, d) = types::civil(at.days);
        let total = n.checked_add(y * 12 + i64::from(m) - 1).ok_or_else(overflow)?;
        let (year, month) = (total.div_euclid(12), total.rem_euclid(12) as u32 + 1);
        let day = d.min(types::month_length(year, month));
        Ok(Moment { days: types::days_of(year, month, day).ok_or_else(overflow)?, ..at })
    };
    let ticks = |unit: i64| -> std::result::Result<Moment, SqlError> {
        let total = n.checked_mul(unit).and_then(|d| d.checked_add(at.total())).ok_or_else(overflow)?;
        Ok(Moment::from_total(total, at.offset))
    };
    let moved = match text(a, 0) {
        "year" => months(n.checked_mul(12).ok_or_else(overflow)?)?,
        "quarter" => months(n.checked_mul(3).ok_or_else(overflow)?)?,
        "month" => months(n)?,
        "week" => ticks(7 * DAY)?,
        "day" | "dayofyear" | "weekday" => ticks(DAY)?,
        "hour" => ticks(36_000_000_000)?,
        "minute" => ticks(600_000_000)?,
        "second" => ticks(10_000_000)?,
        "millisecond" => ticks(10_000)?,
        "microsecond" => ticks(10)?,
        "nanosecond" => Moment::from_total(at.total() + n / 100, at.offset),
        other => {
            return Err(SqlError::new(
                9810,
                16,
                0,
                format!(
                    "The datepart {other} is not supported by date function dateadd for data type {}.",
                    ty.name()
                ),
            ));
        }
    };
    types::temporal_value(moved, ty).map_err(|_| overflow())
}

/// `t_datediff(part, from, to, type of both, 1 if the result is bigint)`.
fn datediff(a: &[Value]) -> Outcome {
    let ty = type_at(a, 3);
    let utc = |v: &Value| {
        types::moment(v, ty).map(|m| Moment::from_total(m.total() - i64::from(m.offset) * 600_000_000, 0))
    };
    let (Some(from), Some(to)) = (a.get(1).and_then(utc), a.get(2).and_then(utc)) else {
        return Ok(Value::Null);
    };
    let (y1, m1, _) = types::civil(from.days);
    let (y2, m2, _) = types::civil(to.days);
    let months = (y2 - y1) * 12 + i64::from(m2) - i64::from(m1);
    let units = |unit: i64| to.total().div_euclid(unit) - from.total().div_euclid(unit);
    let n = match text(a, 0) {
        "year" => y2 - y1,
        "quarter" => (y2 * 4 + i64::from(m2 - 1) / 3) - (y1 * 4 + i64::from(m1 - 1) / 3),
        "month" => months,
        // Weeks begin on Sunday here, whatever DATEFIRST says. 0001-01-01 was a Monday.
        "week" => (to.days + 1).div_euclid(7) - (from.days + 1).div_euclid(7),
        "day" | "dayofyear" | "weekday" => to.days - from.days,
        "hour" => units(36_000_000_000),
        "minute" => units(600_000_000),
        "second" => units(10_000_000),
        "millisecond" => units(10_000),
        "microsecond" => units(10),
        "nanosecond" => units(1).saturating_mul(100),
        other => {
            return Err(SqlError::new(155, 15, 1, format!("'{other}' is not a recognized datediff option.")));
        }
    };
    if integer(a, 4) == 0 && i32::try_from(n).is_err() {
        return Err(SqlError::new(
            535,
            16,
            0,
            "The datediff function resulted in an overflow. The number of dateparts separating two date/time instances is too large. Try to use datediff with a less precise datepart.",
        ));
    }
    Ok(int(n))
}

fn eomonth(a: &[Value]) -> Outcome {
    let total = {
        let (y, m, _) = types::civil(integer(a, 0));
        y * 12 + i64::from(m) - 1 + integer(a, 1)
    };
    let (year, month) = (total.div_euclid(12), total.rem_euclid(12) as u32 + 1);
    let days = types::days_of(year, month, types::month_length(year, month));
    days.map(int).ok_or_else(|| SqlError::overflow_to("date"))
}

/// `t_fromparts(type, year, month, day, hour, minute, second, ticks, offset)`.
fn fromparts(a: &[Value]) -> Outcome {
    let ty = type_at(a, 0);
    let bad = || {
        SqlError::new(
            289,
            16,
            1,
            format!(
                "Cannot construct data type {}, some of the arguments have values which are not valid.",
                ty.name()
            ),
        )
    };
    let get = |n: usize| u32::try_from(integer(a, n)).map_err(|_| bad());
    let days = types::days_of(integer(a, 1), get(2)?, get(3)?).ok_or_else(bad)?;
    let (h, m, s, ticks) = (get(4)?, get(5)?, get(6)?, integer(a, 7));
    if h > 23 || m > 59 || s > 59 || !(0..10_000_000).contains(&ticks) {
        return Err(bad());
    }
    let clock = (i64::from(h) * 60 + i64::from(m)) * 60 + i64::from(s);
    let at = Moment { days, ticks: clock * 10_000_000 + ticks, offset: integer(a, 8) as i32 };
    types::temporal_value(at, ty)
}

fn datetrunc(a: &[Value]) -> Outcome {
    let ty = type_at(a, 2);
    let Some(at) = a.get(1).and_then(|v| types::moment(v, ty)) else { return Ok(Value::Null) };
    let (y, m, _) = types::civil(at.days);
    let day = |y, m| types::days_of(y, m, 1).unwrap_or(at.days);
    let unit = |ticks: i64| Moment { ticks: at.ticks / ticks * ticks, ..at };
    let cut = match text(a, 0) {
        "year" => Moment { days: day(y, 1), ticks: 0, ..at },
        "quarter" => Moment { days: day(y, (m - 1) / 3 * 3 + 1), ticks: 0, ..at },
        "month" => Moment { days: day(y, m), ticks: 0, ..at },
        "week" => Moment { days: at.days - (at.days + 1).rem_euclid(7), ticks: 0, ..at },
        "iso_week" => Moment { days: at.days - at.days.rem_euclid(7), ticks: 0, ..at },
        "day" | "dayofyear" => Moment { ticks: 0, ..at },
        "hour" => unit(36_000_000_000),
        "minute" => unit(600_000_000),
        "second" => unit(10_000_000),
        "millisecond" => unit(10_000),
        "microsecond" => unit(10),
        other => {
            return Err(SqlError::new(
                155,
                15,
                1,
                format!("'{other}' is not a recognized datetrunc option."),
            ));
        }
    };
    types::temporal_value(cut, ty)
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

/// `t_json_value(text, path, 1 for objects and arrays)`.
fn json_value(a: &[Value]) -> Outcome {
    let path = text(a, 1).trim();
    let (strict, path) = match path.strip_prefix("strict ") {
        Some(rest) => (true, rest.trim()),
        None => (false, path.strip_prefix("lax ").unwrap_or(path).trim()),
    };
    let json: serde_json::Value = serde_json::from_str(text(a, 0)).map_err(|_| {
        SqlError::new(13609, 16, 1, "JSON text is not properly formatted. Unexpected character is found.")
    })?;
    let missing = || {
        if strict {
            Err(SqlError::new(13608, 16, 1, "Property cannot be found on the specified JSON path."))
        } else {
            Ok(Value::Null)
        }
    };
    let Some(found) = walk_json(&json, path)? else { return missing() };
    let container = found.is_object() || found.is_array();
    if container != (integer(a, 2) == 1) {
        return missing();
    }
    Ok(match found {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::String(s) => Value::Text(s.clone()),
        other => Value::Text(other.to_string()),
    })
}

fn walk_json<'j>(
    json: &'j serde_json::Value,
    path: &str,
) -> std::result::Result<Option<&'j serde_json::Value>, SqlError> {
    let bad = || SqlError::new(13607, 16, 4, "JSON path is not properly formatted.");
    let mut at = json;
    let mut rest = path.strip_prefix('$').ok_or_else(bad)?;
    while !rest.is_empty() {
        if let Some(tail) = rest.strip_prefix('.') {
            let (key, after) = if let Some(quoted) = tail.strip_prefix('"') {
                let end = quoted.find('"').ok_or_else(bad)?;
                (quoted.get(..end).ok_or_else(bad)?, quoted.get(end + 1..).unwrap_or(""))
            } else {
                let end = tail.find(['.', '[']).unwrap_or(tail.len());
                (tail.get(..end).ok_or_else(bad)?, tail.get(end..).unwrap_or(""))
            };
            let Some(next) = at.get(key) else { return Ok(None) };
            (at, rest) = (next, after);
        } else if let Some(tail) = rest.strip_prefix('[') {
            let end = tail.find(']').ok_or_else(bad)?;
            let index: usize = tail.get(..end).and_then(|n| n.trim().parse().ok()).ok_or_else(bad)?;
            let Some(next) = at.get(index) else { return Ok(None) };
            (at, rest) = (next, tail.get(end + 1..).unwrap_or(""));
        } else {
            return Err(bad());
        }
    }
    Ok(Some(at))
}

fn hashbytes(a: &[Value]) -> Outcome {
    use sha2::Digest as _;
    let bytes = match a.get(1) {
        Some(Value::Blob(b)) => b.clone(),
        _ => return Ok(Value::Null),
    };
    match text(a, 0).to_ascii_uppercase().as_str() {
        "SHA2_256" => Ok(Value::Blob(sha2::Sha256::digest(&bytes).to_vec())),
        "SHA2_512" => Ok(Value::Blob(sha2::Sha512::digest(&bytes).to_vec())),
        other => Err(SqlError::unsupported_function(&format!("HASHBYTES('{other}')"))),
    }
}

fn offset(a: &[Value], keep_instant: bool) -> Outcome {
    let ty = type_at(a, 2);
    let to = match a.get(1) {
        Some(Value::Integer(n)) => *n as i32,
        Some(Value::Text(t)) => {
            types::parse_moment(&format!("00:00:00 {t}"), types::DateFormat::Mdy)
                .map_err(|_| SqlError::text_to_date(""))?
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
