//! sql_variant: a value that carries its type.
//!
//! `family (1) | SqlType::code (8, big-endian) | value`, so that memcmp orders by family first, as SQL Server does.

use rusqlite::types::Value;

use super::SqlType;

/// Rank of a type's family (Transact-SQL reference, "sql_variant", highest first there; here highest is greatest).
fn family(ty: SqlType) -> u8 {
    if ty.is_temporal() {
        9
    } else if ty.is_approximate() {
        8
    } else if ty.is_decimal() || ty.is_money() || ty.is_integer() {
        7
    } else if ty.is_character() {
        4
    } else if ty.is_binary() {
        3
    } else {
        1
    }
}

/// Wraps a value of a type that a variant can hold. NULL stays NULL.
pub fn variant_value(value: &Value, ty: SqlType) -> Value {
    let mut out = vec![family(ty)];
    out.extend(ty.code().to_be_bytes());
    match value {
        Value::Null => return Value::Null,
        Value::Integer(i) => out.extend((i ^ i64::MIN).to_be_bytes()),
        Value::Real(r) => out.extend(r.to_be_bytes()),
        Value::Text(t) => out.extend(t.as_bytes()),
        Value::Blob(b) => out.extend(b),
    }
    Value::Blob(out)
}

/// A key that orders variants as SQL Server compares them: families first, then values of one family whatever their types.
pub(crate) fn variant_key(stored: &Value) -> Value {
    let Some((ty, value)) = variant_parts(stored) else { return stored.clone() };
    let mut key = vec![family(ty)];
    match &value {
        Value::Real(r) => key.extend(super::float_key(*r)),
        Value::Text(t) => key.extend(t.trim_end_matches(' ').to_lowercase().into_bytes()),
        _ if ty.is_temporal() => {
            let at = super::moment(&value, ty).map_or(0, |m| m.total() - i64::from(m.offset) * 600_000_000);
            key.extend(at.to_be_bytes());
        }
        Value::Integer(_) | Value::Blob(_) if ty.is_integer() || ty.is_money() || ty.is_decimal() => {
            // 38 digits on either side of the point, complemented below zero, so that bytes compare as numbers.
            let scaled = super::exact(&value).unwrap_or_default();
            let text = super::exact_text(scaled, super::exact_scale(ty));
            let digits = text.trim_start_matches('-');
            let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
            let padded = format!("{whole:0>38}{fraction:0<38}");
            key.push(u8::from(scaled >= 0));
            key.extend(padded.bytes().map(|b| if scaled < 0 { b'9' - b } else { b - b'0' }));
        }
        Value::Blob(b) => key.extend(b),
        Value::Integer(_) | Value::Null => {}
    }
    Value::Blob(key)
}

/// The type and value in a variant; `None` if the bytes are none.
pub fn variant_parts(stored: &Value) -> Option<(SqlType, Value)> {
    let Value::Blob(bytes) = stored else { return None };
    let ty = SqlType::from_code(i64::from_be_bytes(bytes.get(1..9)?.try_into().ok()?))?;
    let rest = bytes.get(9..)?;
    let eight = || -> Option<[u8; 8]> { rest.try_into().ok() };
    let wide = ty.is_decimal() && ty.precision() > 18;
    let value = if ty.is_character() {
        Value::Text(String::from_utf8_lossy(rest).into_owned())
    } else if ty.is_approximate() {
        Value::Real(f64::from_be_bytes(eight()?))
    } else if ty.is_binary()
        || ty == SqlType::UniqueIdentifier
        || wide
        || matches!(ty, SqlType::DateTimeOffset { .. })
    {
        Value::Blob(rest.to_vec())
    } else {
        Value::Integer(i64::from_be_bytes(eight()?) ^ i64::MIN)
    };
    Some((ty, value))
}
