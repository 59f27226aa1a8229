//! Conversions between types.

use rusqlite::types::Value;

use super::{
    Collation, DAY, DAYS_1900, DateFormat, Len, Moment, SqlType, exact, exact_scale, exact_value,
    guid::parse_guid, moment, parse_exact, parse_moment, rescale, temporal_value, text_of, truncate_scale,
    variant_parts, variant_value,
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

impl ConvertKind {
    pub(crate) const fn code(self) -> i64 {
        match self {
            ConvertKind::Implicit => 0,
            ConvertKind::Explicit => 1,
            ConvertKind::Assign => 2,
        }
    }

    pub(crate) const fn from_code(code: i64) -> ConvertKind {
        match code {
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
            return Err(SqlError::overflow(from.name(), to.name()));
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
    let overflow = || match (to, from) {
        (SqlType::TinyInt | SqlType::SmallInt, f) if f.is_integer() => {
            SqlError::overflow_small(to.name(), &super::display_value(value, from))
        }
        (SqlType::Int | SqlType::TinyInt | SqlType::SmallInt, f) if f.is_character() => {
            SqlError::text_overflow(from.name(), &super::display_value(value, from), to.name())
        }
        _ => SqlError::overflow(if from.is_character() { "varchar" } else { from.name() }, to.name()),
    };
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
                parse_exact(&format!("{r:e}"), scale).ok_or_else(overflow)?
            }
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
    exact_value(scaled, to).map_err(|_| SqlError::overflow(from.name(), "numeric"))
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
            parse_moment(text, format).map_err(|exists| {
                if exists {
                    SqlError::text_date_out_of_range(from.name(), to.name())
                } else {
                    SqlError::text_to_date(to.name())
                }
            })?
        }
        _ if from.is_temporal() => {
            moment(value, from).ok_or_else(|| SqlError::internal("a date cannot be read"))?
        }
        _ => {
            let days =
                to_float(value, if from.is_binary() { SqlType::BigInt } else { from }, SqlType::DateTime)?;
            if days.abs() > 3_700_000.0 {
                return Err(SqlError::overflow("expression", to.name()));
            }
            Moment::from_total(DAYS_1900 * DAY + (days * DAY as f64).round() as i64, 0)
        }
    };
    // An offset is dropped by types that have none: local time is kept.
    let at = if matches!(to, SqlType::DateTimeOffset { .. }) { at } else { Moment { offset: 0, ..at } };
    temporal_value(at, to)
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
    fit_text(text, from, to, kind).map(Value::Text)
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

/// Brings text to the length of a type.
fn fit_text(text: String, from: SqlType, to: SqlType, kind: ConvertKind) -> Result<String, SqlError> {
    let (limit, fixed) = match to {
        SqlType::Char { len } | SqlType::NChar { len } => (len, true),
        SqlType::VarChar { len: Len::N(n) } | SqlType::NVarChar { len: Len::N(n) } => (n, false),
        _ => return Ok(text),
    };
    let limit = usize::from(limit);
    let have = if text.is_ascii() {
        text.len()
    } else if to.is_national() {
        text.encode_utf16().count()
    } else {
        text.chars().count()
    };
    if have > limit {
        let cut: String = text.chars().take(limit).collect();
        let blank = text.chars().skip(limit).all(|c| c == ' ');
        if kind == ConvertKind::Assign && !blank && from.is_character() {
            return Err(SqlError::truncated(&cut));
        }
        if !from.is_character() && !from.is_binary() {
            // A number that does not fit is `*` in old types and an error in new ones.
            return match from {
                SqlType::TinyInt | SqlType::SmallInt | SqlType::Int if !to.is_national() => {
                    Ok("*".to_owned())
                }
                f if f.is_temporal() => Ok(cut),
                _ => Err(SqlError::overflow(from.name(), to.name())),
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
        Value::Real(r) => r.to_be_bytes().to_vec(),
        Value::Null => return Ok(Value::Null),
    };
    let limit = match to {
        SqlType::Binary { len } => usize::from(len),
        SqlType::VarBinary { len: Len::N(n) } => usize::from(n),
        SqlType::RowVersion => 8,
        _ => return Ok(Value::Blob(bytes)),
    };
    let number = matches!(value, Value::Integer(_));
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
