//! Conversions between types.

use rusqlite::types::Value;

use super::{
    Collation, DAY, DAYS_1900, DateFormat, Len, Moment, SqlType, exact, exact_datetime, exact_scale,
    exact_value, guid::parse_guid, moment, parse_exact, parse_moment, rescale, temporal_value, text_of,
    truncate_scale, variant_parts, variant_value,
};
use crate::error::SqlError;

/// Where a conversion stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConvertKind {
    /// Between operands.
    Implicit,
    /// CAST and CONVERT: text that does not fit is cut off.
    Explicit,
    /// To a column: text that does not fit is an error.
    Assign,
}

/// Added to [`ConvertKind::code`] where the varchar result is UTF-8.
pub(crate) const UTF8_FLAG: i64 = 4;

impl ConvertKind {
    pub(crate) const fn code(self) -> i64 {
        match self {
            ConvertKind::Implicit => 0,
            ConvertKind::Explicit => 1,
            ConvertKind::Assign => 2,
        }
    }

    pub(crate) const fn from_code(code: i64) -> ConvertKind {
        match code & 3 {
            1 => ConvertKind::Explicit,
            2 => ConvertKind::Assign,
            _ => ConvertKind::Implicit,
        }
    }
}

/// What conversions depend on besides their input.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ConvertContext {
    pub(crate) date_format: DateFormat,
    /// Of varchar results: whether they hold UTF-8.
    pub(crate) collation: Collation,
}

/// Converts a value. NULL stays NULL.
///
/// # Errors
/// 241, 242, 245, 8114, 8115, 8169, 2628 and their kin.
pub(crate) fn convert(
    value: &Value,
    from: SqlType,
    to: SqlType,
    style: Option<i32>,
    kind: ConvertKind,
    context: &ConvertContext,
) -> Result<Value, SqlError> {
    if *value == Value::Null {
        return Ok(Value::Null);
    }
    if to == SqlType::Variant {
        return Ok(if from == SqlType::Variant { value.clone() } else { variant_value(value, from) });
    }
    if from == SqlType::Variant {
        let (inner, value) =
            variant_parts(value).ok_or_else(|| SqlError::internal("a sql_variant cannot be read"))?;
        return convert(&value, inner, to, style, kind, context);
    }
    if to.is_character() {
        return to_text(value, from, to, style, kind, context);
    }
    if to.is_binary() {
        return to_binary(value, from, to, style, kind);
    }
    if to.is_temporal() {
        return to_temporal(value, from, to, style, context);
    }
    if to.is_approximate() {
        let real = to_float(value, from, to)?;
        let real = if to == SqlType::Real { f64::from(real as f32) } else { real };
        if !real.is_finite() {
            return Err(SqlError::overflow_to(to.name()));
        }
        return Ok(Value::Real(real));
    }
    if to == SqlType::UniqueIdentifier {
        return to_guid(value, from);
    }
    to_exact(value, from, to)
}

fn to_exact(value: &Value, from: SqlType, to: SqlType) -> Result<Value, SqlError> {
    let scale = exact_scale(to);
    let overflow = || exact_overflow(value, from, to);
    let scaled = match value {
        Value::Text(text) => return text_to_exact(text, from, to, scale, overflow),
        Value::Real(r) => {
            if to.is_integer() && to != SqlType::Bit {
                // float to integer cuts off
                let whole = r.trunc();
                if whole.abs() > 1.7e19 {
                    return Err(overflow());
                }
                whole as i128
            } else {
                // The shortest digits that mean the number; above what those can be exact for, all of its digits.
                let text = if r.abs() < 1e17 { format!("{r:e}") } else { format!("{r:.0}") };
                parse_exact(&text, scale).ok_or_else(overflow)?
            }
        }
        Value::Blob(b) if from.is_binary() && to.is_decimal() => {
            let bad = || SqlError::error_converting(from.name(), to.error_name());
            let (have, scaled) = decimal_from_bytes(b).ok_or_else(bad)?;
            rescale(scaled, have, scale).ok_or_else(overflow)?
        }
        Value::Blob(b) if from.is_binary() => {
            let tail = b.get(b.len().saturating_sub(8)..).unwrap_or_default();
            let raw = tail.iter().fold(0_u64, |n, byte| (n << 8) | u64::from(*byte));
            match to {
                SqlType::Int => i128::from(raw as u32 as i32),
                SqlType::SmallInt => i128::from(raw as u16 as i16),
                SqlType::TinyInt => i128::from(raw as u8),
                _ => i128::from(raw as i64),
            }
        }
        Value::Integer(_) if from.is_temporal() => {
            let at = moment(value, from).ok_or_else(overflow)?;
            let days = (at.total() - DAYS_1900 * DAY) as f64 / DAY as f64;
            return to_exact(
                &Value::Real(if to.is_integer() { days.round() } else { days }),
                SqlType::Float,
                to,
            );
        }
        _ => {
            let have = exact(value).ok_or_else(|| SqlError::internal("an exact number cannot be read"))?;
            let from_scale = exact_scale(from);
            if to == SqlType::Bit {
                have
            } else if to.is_integer() && !from.is_money() {
                truncate_scale(have, from_scale, 0).ok_or_else(overflow)?
            } else {
                rescale(have, from_scale, scale).ok_or_else(overflow)?
            }
        }
    };
    exact_value(scaled, to).map_err(|_| overflow())
}

/// The error of a value that an exact type cannot hold; which one it is depends on both types.
fn exact_overflow(value: &Value, from: SqlType, to: SqlType) -> SqlError {
    let shown = || super::display_value(value, from);
    match (from, to) {
        (f, SqlType::TinyInt | SqlType::SmallInt) if f.is_integer() => {
            let state = if to == SqlType::TinyInt { 2 } else { 1 };
            SqlError { state, ..SqlError::overflow_small(to.name(), &shown()) }
        }
        (f, SqlType::Int) if f.is_character() => SqlError::text_overflow(f.name(), &shown(), to.name()),
        (f, SqlType::TinyInt | SqlType::SmallInt) if f.is_character() => {
            let width = if to == SqlType::TinyInt { 1 } else { 2 };
            SqlError::new(
                244,
                16,
                1,
                format!(
                    "The conversion of the {} value '{}' overflowed an INT{width} column. Use a larger integer column.",
                    f.name(),
                    shown()
                ),
            )
        }
        (f, SqlType::TinyInt | SqlType::SmallInt | SqlType::Int | SqlType::BigInt) if f.is_approximate() => {
            let state = match to {
                SqlType::TinyInt => 1,
                SqlType::SmallInt => 2,
                _ => 3,
            };
            let number = if let Value::Real(r) = value { *r } else { 0.0 };
            SqlError::new(
                232,
                16,
                state,
                format!("Arithmetic overflow error for type {}, value = {number:.6}.", to.name()),
            )
        }
        (f, t) if t.is_decimal() => SqlError { state: 8, ..SqlError::overflow(f.error_name(), "numeric") },
        (f, t) if f.is_integer() || (f.is_decimal() && f.scale() == 0 && f.precision() <= 19) => {
            SqlError::overflow_to(t.error_name())
        }
        (f, t) => SqlError::overflow(f.error_name(), t.error_name()),
    }
}

fn text_to_exact(
    text: &str,
    from: SqlType,
    to: SqlType,
    scale: u8,
    overflow: impl Fn() -> SqlError,
) -> Result<Value, SqlError> {
    let trimmed = text.trim();
    if to == SqlType::Bit {
        match trimmed.to_ascii_lowercase().as_str() {
            "true" => return Ok(Value::Integer(1)),
            "false" => return Ok(Value::Integer(0)),
            _ => {}
        }
    }
    if to.is_money() {
        let cleaned: String = trimmed.chars().filter(|c| !matches!(c, ',' | '$' | '€' | '£' | '¥')).collect();
        let scaled = if cleaned.is_empty() { Some(0) } else { parse_exact(&cleaned, 4) };
        return exact_value(scaled.ok_or_else(SqlError::text_to_money)?, to).map_err(|_| overflow());
    }
    if to.is_integer() {
        if trimmed.is_empty() {
            return Ok(Value::Integer(0));
        }
        let plain = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
        if plain.is_empty() || !plain.bytes().all(|b| b.is_ascii_digit()) {
            return Err(if to == SqlType::BigInt {
                SqlError::error_converting(from.name(), to.name())
            } else {
                SqlError::conversion_failed(from.name(), text, to.name())
            });
        }
        let scaled = parse_exact(trimmed, 0).ok_or_else(&overflow)?;
        return exact_value(scaled, to).map_err(|_| overflow());
    }
    if trimmed.contains(['e', 'E']) {
        return Err(SqlError::error_converting(from.name(), "numeric"));
    }
    let scaled =
        parse_exact(trimmed, scale).ok_or_else(|| SqlError::error_converting(from.name(), "numeric"))?;
    exact_value(scaled, to).map_err(|_| overflow())
}

/// A number as a float.
pub(crate) fn to_float(value: &Value, from: SqlType, to: SqlType) -> Result<f64, SqlError> {
    match value {
        Value::Real(r) => Ok(*r),
        Value::Text(t) if t.trim().is_empty() => Ok(0.0),
        Value::Text(t) => {
            let t = t.trim();
            let numeric =
                t.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
            t.parse()
                .ok()
                .filter(|_| numeric)
                .ok_or_else(|| SqlError::error_converting(from.name(), to.name()))
        }
        _ if from.is_temporal() => {
            let at = moment(value, from).ok_or_else(|| SqlError::internal("a date cannot be read"))?;
            Ok((at.total() - DAYS_1900 * DAY) as f64 / DAY as f64)
        }
        _ => {
            let scaled = exact(value).ok_or_else(|| SqlError::internal("an exact number cannot be read"))?;
            let scale = exact_scale(from);
            if scale == 0 {
                return Ok(scaled as f64);
            }
            // By way of text, so that 0.1 becomes the float nearest to 0.1.
            super::exact_text(scaled, scale)
                .parse()
                .map_err(|_| SqlError::error_converting(from.name(), to.name()))
        }
    }
}

fn to_temporal(
    value: &Value,
    from: SqlType,
    to: SqlType,
    style: Option<i32>,
    context: &ConvertContext,
) -> Result<Value, SqlError> {
    let at = match value {
        Value::Text(text) => {
            let format = match style {
                Some(101 | 1 | 110 | 10) => DateFormat::Mdy,
                Some(103 | 3 | 104 | 4 | 105 | 5) => DateFormat::Dmy,
                Some(102 | 2 | 111 | 11) => DateFormat::Ymd,
                _ => context.date_format,
            };
            let at = parse_moment(text, format, old_date(to))
                .map_err(|exists| text_date_error(exists, from, to))?;
            let at =
                if matches!(to, SqlType::DateTimeOffset { .. }) { at } else { Moment { offset: 0, ..at } };
            // What is no day of the type is the text's fault, and the error says so.
            return temporal_value(at, to).map_err(|_| text_date_error(true, from, to));
        }
        Value::Integer(n)
            if from == SqlType::DateTime && !matches!(to, SqlType::DateTime | SqlType::SmallDateTime) =>
        {
            exact_datetime(*n)
        }
        _ if from.is_temporal() => {
            moment(value, from).ok_or_else(|| SqlError::internal("a date cannot be read"))?
        }
        Value::Blob(bytes) if from.is_binary() => temporal_from_bytes(bytes, to)
            .ok_or_else(|| SqlError::error_converting(from.name(), to.name()))?,
        _ => {
            let days = to_float(value, from, SqlType::DateTime)?;
            if days.abs() > 3_700_000.0 {
                return Err(SqlError::overflow("expression", to.name()));
            }
            Moment::from_total(DAYS_1900 * DAY + (days * DAY as f64).round() as i64, 0)
        }
    };
    // An offset is dropped by types that have none: local time is kept.
    let at = if matches!(to, SqlType::DateTimeOffset { .. }) { at } else { Moment { offset: 0, ..at } };
    temporal_value(at, to).map_err(|e| match e.number {
        242 if from.is_temporal() => SqlError::date_out_of_range(from.name(), to.name()),
        242 => SqlError::overflow_to(to.name()),
        _ => e,
    })
}

/// The types that came first, which read text more strictly and by the session's order of day, month and year.
const fn old_date(ty: SqlType) -> bool {
    matches!(ty, SqlType::DateTime | SqlType::SmallDateTime)
}

fn text_date_error(exists: bool, from: SqlType, to: SqlType) -> SqlError {
    match (to, exists) {
        (SqlType::DateTime | SqlType::SmallDateTime, true) => {
            SqlError::date_out_of_range(from.name(), to.name())
        }
        (SqlType::SmallDateTime, false) => SqlError::new(
            295,
            16,
            3,
            "Conversion failed when converting character string to smalldatetime data type.",
        ),
        _ => SqlError::text_to_date(to.name()),
    }
}

fn to_guid(value: &Value, from: SqlType) -> Result<Value, SqlError> {
    match value {
        Value::Text(t) => parse_guid(t).map(Value::Blob).ok_or_else(SqlError::text_to_guid),
        Value::Blob(b) if from == SqlType::UniqueIdentifier => Ok(Value::Blob(b.clone())),
        Value::Blob(b) => {
            let mut wire = [0; 16];
            for (slot, byte) in wire.iter_mut().zip(b) {
                *slot = *byte;
            }
            Ok(Value::Blob(super::guid_from_wire(wire)))
        }
        _ => Err(SqlError::type_clash(from.name(), "uniqueidentifier")),
    }
}

fn to_text(
    value: &Value,
    from: SqlType,
    to: SqlType,
    style: Option<i32>,
    kind: ConvertKind,
    context: &ConvertContext,
) -> Result<Value, SqlError> {
    let text = if from.is_binary() && style.unwrap_or(0) == 0 && to.is_national() {
        match value {
            Value::Blob(b) => {
                let units: Vec<u16> = b
                    .chunks(2)
                    .map(|p| p.iter().rev().fold(0, |n, byte| (n << 8) | u16::from(*byte)))
                    .collect();
                String::from_utf16_lossy(&units)
            }
            _ => String::new(),
        }
    } else {
        text_of(value, from, style).ok_or_else(|| SqlError::bad_style(style.unwrap_or(0), from.name()))?
    };
    let text = if !to.is_national() && !context.collation.is_utf8() && !text.is_ascii() {
        to_code_page(&text)
    } else {
        text
    };
    fit_text(text, from, to, kind, context.collation.is_utf8()).map(Value::Text)
}

/// Characters that Windows-1252 does not have become question marks.
pub(crate) fn to_code_page(text: &str) -> String {
    text.chars().map(|c| if in_code_page(c) { c } else { '?' }).collect()
}

fn in_code_page(c: char) -> bool {
    (c as u32) < 0x100
        || matches!(
            c,
            '€' | '‚'
                | 'ƒ'
                | '„'
                | '…'
                | '†'
                | '‡'
                | 'ˆ'
                | '‰'
                | 'Š'
                | '‹'
                | 'Œ'
                | 'Ž'
                | '‘'
                | '’'
                | '“'
                | '”'
                | '•'
                | '–'
                | '—'
                | '˜'
                | '™'
                | 'š'
                | '›'
                | 'œ'
                | 'ž'
                | 'Ÿ'
        )
}

/// The error of a value whose text is longer than the type allows.
fn no_room(text: &str, from: SqlType, to: SqlType) -> SqlError {
    match from {
        f if f.is_integer() => SqlError::overflow_to(to.name()),
        f if f.is_decimal() => SqlError { state: 5, ..SqlError::overflow("numeric", to.name()) },
        f if f.is_money() => SqlError::new(
            234,
            16,
            2,
            format!("There is insufficient result space to convert a {} value to {}.", f.name(), to.name()),
        ),
        SqlType::UniqueIdentifier => {
            SqlError::new(8170, 16, 2, "Insufficient result space to convert uniqueidentifier value to char.")
        }
        f if f.is_approximate() => {
            let number: f64 = text.parse().unwrap_or_default();
            SqlError::new(
                232,
                16,
                2,
                format!("Arithmetic overflow error for type {}, value = {number:.6}.", to.name()),
            )
        }
        f => SqlError::overflow(f.error_name(), to.name()),
    }
}

/// Brings text to the length of a type.
fn fit_text(
    text: String,
    from: SqlType,
    to: SqlType,
    kind: ConvertKind,
    utf8: bool,
) -> Result<String, SqlError> {
    let (limit, fixed) = match to {
        SqlType::Char { len } | SqlType::NChar { len } => (len, true),
        SqlType::VarChar { len: Len::N(n) } | SqlType::NVarChar { len: Len::N(n) } => (n, false),
        _ => return Ok(text),
    };
    let limit = usize::from(limit);
    let have = if text.is_ascii() || (utf8 && !to.is_national()) {
        text.len()
    } else if to.is_national() {
        text.encode_utf16().count()
    } else {
        text.chars().count()
    };
    if have > limit {
        // The length is in bytes of the encoding: a character that does not fit whole is dropped whole.
        let width = |c: char| match (to.is_national(), utf8) {
            (true, _) => c.len_utf16(),
            (false, true) => c.len_utf8(),
            (false, false) => 1,
        };
        let mut room = limit;
        let cut: String = text
            .chars()
            .take_while(|c| {
                let fits = width(*c) <= room;
                room = room.saturating_sub(width(*c));
                fits
            })
            .collect();
        let blank = text.get(cut.len()..).unwrap_or_default().chars().all(|c| c == ' ');
        if kind == ConvertKind::Assign && !blank && from.is_character() {
            return Err(SqlError::truncated(&cut));
        }
        if !from.is_character() && !from.is_binary() {
            // A number that does not fit is `*` in old types and an error in new ones.
            return match from {
                SqlType::TinyInt | SqlType::SmallInt | SqlType::Int
                    if !to.is_national() && kind != ConvertKind::Assign =>
                {
                    Ok("*".to_owned())
                }
                f if f.is_temporal() => Ok(cut),
                f => Err(no_room(&text, f, to)),
            };
        }
        return Ok(cut);
    }
    if fixed && have < limit {
        return Ok(format!("{text}{}", " ".repeat(limit - have)));
    }
    Ok(text)
}

fn to_binary(
    value: &Value,
    from: SqlType,
    to: SqlType,
    style: Option<i32>,
    kind: ConvertKind,
) -> Result<Value, SqlError> {
    let mut bytes = match value {
        Value::Blob(b) if from == SqlType::UniqueIdentifier => {
            super::guid_to_wire(b).map_or_else(Vec::new, |w| w.to_vec())
        }
        _ if from.is_decimal() => decimal_bytes(value, from),
        _ if from.is_temporal() => temporal_bytes(value, from),
        Value::Blob(b) => b.clone(),
        Value::Text(t) if matches!(style, Some(1 | 2)) => parse_hex(t.trim(), style == Some(1))
            .ok_or_else(|| SqlError::error_converting(from.name(), "varbinary"))?,
        Value::Text(t) if from.is_national() => t.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        Value::Text(t) => super::encode_code_page(t),
        Value::Integer(n) => {
            let width = match from {
                SqlType::Bit | SqlType::TinyInt => 1,
                SqlType::SmallInt => 2,
                SqlType::Int | SqlType::SmallMoney => 4,
                _ => 8,
            };
            n.to_be_bytes().get(8 - width..).unwrap_or_default().to_vec()
        }
        Value::Real(r) if from == SqlType::Real => (*r as f32).to_be_bytes().to_vec(),
        Value::Real(r) => r.to_be_bytes().to_vec(),
        Value::Null => return Ok(Value::Null),
    };
    let limit = match to {
        SqlType::Binary { len } => usize::from(len),
        SqlType::VarBinary { len: Len::N(n) } => usize::from(n),
        SqlType::RowVersion => 8,
        _ => return Ok(Value::Blob(bytes)),
    };
    let number = matches!(value, Value::Integer(_)) && !from.is_decimal() && !from.is_temporal();
    if bytes.len() > limit {
        if number {
            bytes.drain(..bytes.len() - limit);
        } else {
            let cut = bytes.get(limit..).is_some_and(|tail| tail.iter().any(|b| *b != 0));
            if kind == ConvertKind::Assign && cut {
                return Err(SqlError::truncated(&super::hex_upper(bytes.get(..limit).unwrap_or_default())));
            }
            bytes.truncate(limit);
        }
    }
    if matches!(to, SqlType::Binary { .. } | SqlType::RowVersion) && bytes.len() < limit {
        if number {
            let mut padded = vec![0; limit - bytes.len()];
            padded.append(&mut bytes);
            bytes = padded;
        } else {
            bytes.resize(limit, 0);
        }
    }
    Ok(Value::Blob(bytes))
}

/// A decimal's bytes: precision, scale, 0, 1 if it is not negative, and the digits as a little-endian number.
fn decimal_bytes(value: &Value, from: SqlType) -> Vec<u8> {
    let scaled = exact(value).unwrap_or_default();
    let mut bytes = vec![from.precision(), from.scale(), 0, u8::from(scaled >= 0)];
    // As many words of four bytes as the digits need, at least one.
    let bits = 128 - scaled.unsigned_abs().leading_zeros() as usize;
    let width = bits.div_ceil(32).max(1) * 4;
    bytes.extend(scaled.unsigned_abs().to_le_bytes().iter().take(width));
    bytes
}

/// Scale and scaled integer of what [`decimal_bytes`] wrote.
fn decimal_from_bytes(bytes: &[u8]) -> Option<(u8, i128)> {
    let [precision, scale, _, positive, digits @ ..] = bytes else { return None };
    if *precision > 38 || scale > precision || digits.is_empty() || digits.len() > 16 {
        return None;
    }
    let number = digits.iter().rev().fold(0_u128, |n, byte| (n << 8) | u128::from(*byte));
    let number = i128::try_from(number).ok()?;
    Some((*scale, if *positive == 0 { -number } else { number }))
}

/// The moment of what [`temporal_bytes`] wrote for a type whose bytes are read back.
fn temporal_from_bytes(bytes: &[u8], to: SqlType) -> Option<Moment> {
    let local = |days, ticks| Moment { days, ticks, offset: 0 };
    match to {
        SqlType::DateTime => {
            let mut padded = [0; 8];
            let tail = bytes.get(bytes.len().saturating_sub(8)..)?;
            padded.get_mut(8 - tail.len()..)?.copy_from_slice(tail);
            let [a, b, c, d, rest @ ..] = padded;
            let (days, thirds) = (i32::from_be_bytes([a, b, c, d]), u32::from_be_bytes(rest));
            let within = thirds < 25_920_000;
            within.then(|| exact_datetime(i64::from(days) * 25_920_000 + i64::from(thirds)))
        }
        SqlType::SmallDateTime => {
            let [a, b, c, d] = bytes else { return None };
            let (days, minutes) = (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]));
            (minutes < 1440).then(|| local(DAYS_1900 + i64::from(days), i64::from(minutes) * 600_000_000))
        }
        SqlType::Date => {
            let [a, b, c] = bytes else { return None };
            Some(local(i64::from(u32::from_le_bytes([*a, *b, *c, 0])), 0))
        }
        _ => None,
    }
}

/// A date's or time's bytes. The old types are two big-endian numbers, days first; the new ones are little-endian, the
/// scale first and the days behind the time.
fn temporal_bytes(value: &Value, from: SqlType) -> Vec<u8> {
    let Some(at) = moment(value, from) else { return Vec::new() };
    match (from, value) {
        (SqlType::DateTime, Value::Integer(n)) => {
            let (days, rest) = (n.div_euclid(25_920_000), n.rem_euclid(25_920_000));
            [(days as i32).to_be_bytes(), (rest as i32).to_be_bytes()].concat()
        }
        (SqlType::SmallDateTime, Value::Integer(n)) => {
            [(n.div_euclid(1440) as u16).to_be_bytes(), (n.rem_euclid(1440) as u16).to_be_bytes()].concat()
        }
        (SqlType::Date, Value::Integer(n)) => n.to_le_bytes().iter().take(3).copied().collect(),
        _ => {
            let utc = Moment::from_total(at.total() - i64::from(at.offset) * 600_000_000, at.offset);
            let units = utc.ticks / super::scale_unit(from.scale());
            let width = match from.scale() {
                0..=2 => 3,
                3 | 4 => 4,
                _ => 5,
            };
            let mut bytes = vec![from.scale()];
            bytes.extend(units.to_le_bytes().iter().take(width));
            if !matches!(from, SqlType::Time { .. }) {
                bytes.extend(utc.days.to_le_bytes().iter().take(3));
            }
            if matches!(from, SqlType::DateTimeOffset { .. }) {
                bytes.extend((at.offset as i16).to_le_bytes());
            }
            bytes
        }
    }
}

fn parse_hex(text: &str, prefixed: bool) -> Option<Vec<u8>> {
    let digits = if prefixed { text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))? } else { text };
    if digits.len() % 2 == 1 {
        return None;
    }
    (0..digits.len() / 2).map(|n| u8::from_str_radix(digits.get(2 * n..2 * n + 2)?, 16).ok()).collect()
}

/// Windows-1252 bytes of text; what it does not have becomes `?`.
pub fn encode_code_page(text: &str) -> Vec<u8> {
    const HIGH: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ";
    text.chars()
        .map(|c| match u32::from(c) {
            n @ (0..=0x7F | 0xA0..=0xFF) => n as u8,
            _ => HIGH.chars().position(|h| h == c).map_or(b'?', |at| 0x80 + at as u8),
        })
        .collect()
}

/// Text of Windows-1252 bytes.
pub fn decode_code_page(bytes: &[u8]) -> String {
    const HIGH: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ";
    bytes
        .iter()
        .map(|b| match b {
            0x80..=0x9F => HIGH.chars().nth(usize::from(b - 0x80)).unwrap_or('?'),
            other => *other as char,
        })
        .collect()
}
