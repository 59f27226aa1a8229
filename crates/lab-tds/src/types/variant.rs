//! sql_variant (2.2.5.5.4).
//!
//! | field | |
//! |---|---|
//! | length | LONG, of all that follows; 0: NULL |
//! | base type | BYTE, of the fixed or long form |
//! | cbPropBytes | BYTE |
//! | properties | numeric: precision, scale; time types: scale; binary: length USHORT; character: collation, length USHORT |
//! | value | without a length of its own |

use super::decode::sized;
use super::info::decimal_size;
use super::{Collation, Length, TypeInfo, Value, scalar};
use crate::read::{DecodeError, Reader, Result};
use crate::write;

/// Decodes what follows the length.
pub(super) fn decode(body: &[u8]) -> Result<Value<'_>> {
    let mut r = Reader::new(body);
    let [base, properties] = r.array()?;
    let mut p = Reader::new(r.take(usize::from(properties))?);
    let ty = match base {
        0x24 => TypeInfo::Guid,
        0x28 => TypeInfo::Date,
        0x29 => TypeInfo::Time { scale: scale(&mut p)? },
        0x2A => TypeInfo::DateTime2 { scale: scale(&mut p)? },
        0x2B => TypeInfo::DateTimeOffset { scale: scale(&mut p)? },
        0x30 | 0x32 | 0x34 | 0x38 | 0x3A..=0x3E | 0x7A | 0x7F => TypeInfo::decode(&mut Reader::new(&[base]))?,
        0x6A => numeric(&mut p).map(|(precision, scale)| TypeInfo::Decimal { precision, scale })?,
        0x6C => numeric(&mut p).map(|(precision, scale)| TypeInfo::Numeric { precision, scale })?,
        0xA5 => TypeInfo::VarBinary { max: Length::Bytes(p.u16()?) },
        0xAD => TypeInfo::Binary { max: p.u16()? },
        0xA7 => TypeInfo::VarChar { collation: Collation::decode(&mut p)?, max: Length::Bytes(p.u16()?) },
        0xAF => TypeInfo::Char { collation: Collation::decode(&mut p)?, max: p.u16()? },
        0xE7 => TypeInfo::NVarChar { collation: Collation::decode(&mut p)?, max: Length::Bytes(p.u16()?) },
        0xEF => TypeInfo::NChar { collation: Collation::decode(&mut p)?, max: p.u16()? },
        other => return Err(DecodeError::malformed("base type of a sql_variant", other)),
    };
    Ok(Value::Variant(Box::new((ty, sized(ty, r.rest())?))))
}

/// Writes a sql_variant, its length included. A type that no sql_variant can hold is written as NULL.
pub(super) fn encode(out: &mut Vec<u8>, ty: TypeInfo, value: &Value<'_>) {
    let at = write::reserve_u32(out);
    let start = out.len();
    if !body(out, ty, value) {
        out.truncate(start);
    }
    let length = out.len() - start;
    write::patch_u32(out, at, length as u32);
}

fn body(out: &mut Vec<u8>, ty: TypeInfo, value: &Value<'_>) -> bool {
    let head = |out: &mut Vec<u8>, ty: TypeInfo, properties: &[u8]| {
        out.push(ty.token());
        out.push(properties.len() as u8);
        out.extend_from_slice(properties);
    };
    let with_collation = |collation: Collation, max: u16| {
        let [a, b, c, d, e] = collation.0;
        let [m0, m1] = max.to_le_bytes();
        [a, b, c, d, e, m0, m1]
    };
    match (ty, value) {
        (TypeInfo::Bit { .. }, Value::Bit(v)) => {
            head(out, TypeInfo::Bit { fixed: true }, &[]);
            out.push(u8::from(*v));
        }
        (TypeInfo::Int { size, .. }, Value::Int(v)) => {
            head(out, TypeInfo::Int { size, fixed: true }, &[]);
            scalar::encode_int(out, size, *v);
        }
        (TypeInfo::Float { .. }, Value::Real(v)) => {
            head(out, TypeInfo::Float { size: 4, fixed: true }, &[]);
            out.extend_from_slice(&v.to_le_bytes());
        }
        (TypeInfo::Float { .. }, Value::Float(v)) => {
            head(out, TypeInfo::Float { size: 8, fixed: true }, &[]);
            out.extend_from_slice(&v.to_le_bytes());
        }
        (TypeInfo::Money { size, .. }, Value::Money(v)) => {
            head(out, TypeInfo::Money { size, fixed: true }, &[]);
            scalar::encode_money(out, size, *v);
        }
        (TypeInfo::DateTime { .. }, Value::DateTime { days, ticks }) => {
            head(out, TypeInfo::DateTime { size: 8, fixed: true }, &[]);
            out.extend_from_slice(&days.to_le_bytes());
            out.extend_from_slice(&ticks.to_le_bytes());
        }
        (TypeInfo::DateTime { .. }, Value::SmallDateTime { days, minutes }) => {
            head(out, TypeInfo::DateTime { size: 4, fixed: true }, &[]);
            out.extend_from_slice(&days.to_le_bytes());
            out.extend_from_slice(&minutes.to_le_bytes());
        }
        (
            TypeInfo::Decimal { precision, scale } | TypeInfo::Numeric { precision, scale },
            Value::Decimal(v),
        ) => {
            head(out, ty, &[precision, scale]);
            scalar::encode_decimal(out, decimal_size(precision), *v);
        }
        (TypeInfo::Date, Value::Date(days)) => {
            head(out, ty, &[]);
            scalar::encode_days(out, *days);
        }
        (TypeInfo::Time { scale }, Value::Time(time)) => {
            head(out, ty, &[scale]);
            scalar::encode_time(out, scale, *time);
        }
        (TypeInfo::DateTime2 { scale }, Value::DateTime2 { days, time }) => {
            head(out, ty, &[scale]);
            scalar::encode_time(out, scale, *time);
            scalar::encode_days(out, *days);
        }
        (TypeInfo::DateTimeOffset { scale }, Value::DateTimeOffset { days, time, offset }) => {
            head(out, ty, &[scale]);
            scalar::encode_time(out, scale, *time);
            scalar::encode_days(out, *days);
            out.extend_from_slice(&offset.to_le_bytes());
        }
        (TypeInfo::Guid, Value::Guid(v)) => {
            head(out, ty, &[]);
            out.extend_from_slice(v);
        }
        (TypeInfo::Binary { max } | TypeInfo::VarBinary { max: Length::Bytes(max) }, Value::Bytes(v)) => {
            head(out, ty, &max.to_le_bytes());
            out.extend_from_slice(v.get(..usize::from(max)).unwrap_or(v));
        }
        (
            TypeInfo::Char { max, collation } | TypeInfo::VarChar { max: Length::Bytes(max), collation },
            Value::Text(v),
        ) => {
            head(out, ty, &with_collation(collation, max));
            collation.bytes(out, v, usize::from(max));
        }
        (
            TypeInfo::NChar { max, collation } | TypeInfo::NVarChar { max: Length::Bytes(max), collation },
            Value::Text(v),
        ) => {
            head(out, ty, &with_collation(collation, max));
            write::utf16(out, v, usize::from(max) / 2);
        }
        _ => return false,
    }
    true
}

fn scale(p: &mut Reader<'_>) -> Result<u8> {
    let scale = p.u8()?;
    if scale <= 7 { Ok(scale) } else { Err(DecodeError::malformed("scale out of range", scale)) }
}

fn numeric(p: &mut Reader<'_>) -> Result<(u8, u8)> {
    let [precision, scale] = p.array()?;
    if (1..=38).contains(&precision) && scale <= precision {
        Ok((precision, scale))
    } else {
        Err(DecodeError::malformed("precision or scale out of range", precision))
    }
}
