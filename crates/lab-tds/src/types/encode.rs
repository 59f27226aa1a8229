//! Values into rows and return values: the fast path, which writes straight into the token buffer.

use super::info::decimal_size;
use super::{Length, TypeInfo, Value, down_level, plp, scalar, variant};
use crate::write;

/// What precedes the data of text, ntext and image in a row: a text pointer and a timestamp. Nobody can use them here, since
/// READTEXT and WRITETEXT are not served; the bytes are those that SQL Server sends for `(max)` sources.
const TEXT_POINTER: &[u8; 25] = b"\x10dummy textptr\0\0\0dummyTS\0";

/// Appends the values of one row, in the order of `types`.
pub fn encode_row<'a>(out: &mut Vec<u8>, types: &[TypeInfo], values: impl IntoIterator<Item = Value<'a>>) {
    for (ty, value) in types.iter().zip(values) {
        encode_value(out, *ty, &value);
    }
}

/// Appends a value. One that does not fit its type is written as NULL, so that the stream stays readable.
pub fn encode_value(out: &mut Vec<u8>, ty: TypeInfo, value: &Value<'_>) {
    match (ty, value) {
        (_, Value::Null) => encode_null(out, ty),
        (TypeInfo::Int { size, fixed }, Value::Int(v)) => {
            length(out, fixed, size);
            scalar::encode_int(out, size, *v);
        }
        (
            TypeInfo::NVarChar { max: Length::Bytes(max), .. } | TypeInfo::NChar { max, .. },
            Value::Text(v),
        ) => {
            write::us_varchar_bytes(out, v, usize::from(max) / 2);
        }
        (
            TypeInfo::VarChar { max: Length::Bytes(max), collation } | TypeInfo::Char { max, collation },
            Value::Text(v),
        ) => {
            let at = write::reserve_u16(out);
            collation.bytes(out, v, usize::from(max));
            let written = out.len() - at - 2;
            write::patch_u16(out, at, written as u16);
        }
        (TypeInfo::VarBinary { max: Length::Bytes(max) } | TypeInfo::Binary { max }, Value::Bytes(v)) => {
            let bytes = v.get(..usize::from(max)).unwrap_or(v);
            out.extend_from_slice(&(bytes.len() as u16).to_le_bytes());
            out.extend_from_slice(bytes);
        }
        (TypeInfo::Bit { fixed }, Value::Bit(v)) => {
            length(out, fixed, 1);
            out.push(u8::from(*v));
        }
        (TypeInfo::Float { size: 4, fixed }, Value::Real(v)) => {
            length(out, fixed, 4);
            out.extend_from_slice(&v.to_le_bytes());
        }
        (TypeInfo::Float { size: 8, fixed }, Value::Float(v)) => {
            length(out, fixed, 8);
            out.extend_from_slice(&v.to_le_bytes());
        }
        (TypeInfo::Money { size, fixed }, Value::Money(v)) => {
            length(out, fixed, size);
            scalar::encode_money(out, size, *v);
        }
        (TypeInfo::Decimal { precision, .. } | TypeInfo::Numeric { precision, .. }, Value::Decimal(v)) => {
            let size = decimal_size(precision);
            out.push(size);
            scalar::encode_decimal(out, size, *v);
        }
        (TypeInfo::Guid, Value::Guid(v)) => {
            out.push(16);
            out.extend_from_slice(v);
        }
        (TypeInfo::Variant, Value::Variant(inner)) => variant::encode(out, inner.0, &inner.1),
        _ if encode_temporal(out, ty, value) || encode_large(out, ty, value) => {}
        _ => {
            debug_assert!(false, "{value:?} is no value of {ty:?}");
            encode_null(out, ty);
        }
    }
}

fn encode_temporal(out: &mut Vec<u8>, ty: TypeInfo, value: &Value<'_>) -> bool {
    match (ty, value) {
        (TypeInfo::DateTime { size: 8, fixed }, Value::DateTime { days, ticks }) => {
            length(out, fixed, 8);
            out.extend_from_slice(&days.to_le_bytes());
            out.extend_from_slice(&ticks.to_le_bytes());
        }
        (TypeInfo::DateTime { size: 4, fixed }, Value::SmallDateTime { days, minutes }) => {
            length(out, fixed, 4);
            out.extend_from_slice(&days.to_le_bytes());
            out.extend_from_slice(&minutes.to_le_bytes());
        }
        (TypeInfo::Date, Value::Date(days)) => {
            out.push(3);
            scalar::encode_days(out, *days);
        }
        (TypeInfo::Time { scale }, Value::Time(time)) => {
            out.push(scalar::time_size(scale));
            scalar::encode_time(out, scale, *time);
        }
        (TypeInfo::DateTime2 { scale }, Value::DateTime2 { days, time }) => {
            out.push(scalar::time_size(scale) + 3);
            scalar::encode_time(out, scale, *time);
            scalar::encode_days(out, *days);
        }
        (TypeInfo::DateTimeOffset { scale }, Value::DateTimeOffset { days, time, offset }) => {
            out.push(scalar::time_size(scale) + 5);
            scalar::encode_time(out, scale, *time);
            scalar::encode_days(out, *days);
            out.extend_from_slice(&offset.to_le_bytes());
        }
        (TypeInfo::TemporalText { scale, .. }, _) => match down_level::text(value, scale) {
            Some(text) => write::us_varchar_bytes(out, &text, usize::from(u16::MAX) / 2),
            None => return false,
        },
        _ => return false,
    }
    true
}

fn encode_large(out: &mut Vec<u8>, ty: TypeInfo, value: &Value<'_>) -> bool {
    match (ty, value) {
        (TypeInfo::NVarChar { max: Length::Max, .. } | TypeInfo::Xml, Value::Text(v)) => {
            plp::encode(out, |out| _ = write::utf16(out, v, usize::MAX));
        }
        (TypeInfo::VarChar { max: Length::Max, collation }, Value::Text(v)) => {
            plp::encode(out, |out| collation.bytes(out, v, usize::MAX));
        }
        (TypeInfo::VarBinary { max: Length::Max }, Value::Bytes(v)) => {
            plp::encode(out, |out| out.extend_from_slice(v));
        }
        (TypeInfo::Text { collation }, Value::Text(v)) => {
            long(out, |out| collation.bytes(out, v, usize::MAX));
        }
        (TypeInfo::NText { .. }, Value::Text(v)) => long(out, |out| _ = write::utf16(out, v, usize::MAX)),
        (TypeInfo::Image, Value::Bytes(v)) => long(out, |out| out.extend_from_slice(v)),
        (TypeInfo::LegacyVarChar { max }, Value::Text(v)) => {
            let mut bytes = Vec::new();
            super::Collation::default().bytes(&mut bytes, v, usize::from(max));
            write::b_varbyte(out, &bytes);
        }
        (TypeInfo::LegacyVarBinary { max }, Value::Bytes(v)) => {
            write::b_varbyte(out, v.get(..usize::from(max)).unwrap_or(v));
        }
        _ => return false,
    }
    true
}

fn encode_null(out: &mut Vec<u8>, ty: TypeInfo) {
    match ty {
        TypeInfo::Null => {}
        TypeInfo::Char { .. }
        | TypeInfo::NChar { .. }
        | TypeInfo::Binary { .. }
        | TypeInfo::VarChar { max: Length::Bytes(_), .. }
        | TypeInfo::NVarChar { max: Length::Bytes(_), .. }
        | TypeInfo::VarBinary { max: Length::Bytes(_) }
        | TypeInfo::TemporalText { .. } => out.extend_from_slice(&[0xFF; 2]),
        TypeInfo::VarChar { .. } | TypeInfo::NVarChar { .. } | TypeInfo::VarBinary { .. } | TypeInfo::Xml => {
            plp::encode_null(out);
        }
        TypeInfo::Variant => out.extend_from_slice(&[0; 4]),
        // There is no NULL of a fixed type; zeros keep the stream readable.
        TypeInfo::Bit { fixed: true } => out.push(0),
        TypeInfo::Int { size, fixed: true }
        | TypeInfo::Float { size, fixed: true }
        | TypeInfo::Money { size, fixed: true }
        | TypeInfo::DateTime { size, fixed: true } => scalar::encode_int(out, size, 0),
        _ => out.push(0),
    }
}

fn length(out: &mut Vec<u8>, fixed: bool, size: u8) {
    if !fixed {
        out.push(size);
    }
}

fn long(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(TEXT_POINTER);
    let at = write::reserve_u32(out);
    let start = out.len();
    body(out);
    let written = out.len() - start;
    write::patch_u32(out, at, written as u32);
}
