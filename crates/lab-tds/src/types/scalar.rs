//! The bodies of values of bounded size: numbers, dates, times.

use super::{TypeInfo, Value};
use crate::read::{DecodeError, Reader, Result};

/// 9999-12-31 in days since 0001-01-01.
const MAX_DAYS: u32 = 3_652_058;
/// A day in units of 100 ns.
const DAY: u64 = 864_000_000_000;
/// A day in 1/300 s.
const DAY_TICKS: u32 = 25_920_000;
/// datetime's first and last day (1753-01-01, 9999-12-31), from 1900-01-01.
const DATETIME_DAYS: std::ops::RangeInclusive<i32> = -53_690..=2_958_463;

/// Decodes a body of which nothing but the value is left in `r`.
pub(super) fn decode(ty: TypeInfo, r: &mut Reader<'_>) -> Result<Value<'static>> {
    Ok(match ty {
        TypeInfo::Bit { .. } => Value::Bit(r.u8()? != 0),
        TypeInfo::Int { .. } => int(r)?,
        TypeInfo::Float { .. } => float(r)?,
        TypeInfo::Money { .. } => money(r)?,
        TypeInfo::DateTime { .. } => datetime(r)?,
        TypeInfo::Decimal { .. } | TypeInfo::Numeric { .. } => decimal(r)?,
        TypeInfo::Date => Value::Date(days(r)?),
        TypeInfo::Time { scale } => Value::Time(time(r, scale, 0)?),
        TypeInfo::DateTime2 { scale } => {
            let time = time(r, scale, 3)?;
            Value::DateTime2 { days: days(r)?, time }
        }
        TypeInfo::DateTimeOffset { scale } => {
            let time = time(r, scale, 5)?;
            let days = days(r)?;
            let offset = r.i16()?;
            if offset.unsigned_abs() > 14 * 60 {
                return Err(DecodeError::malformed("time zone out of range", offset.unsigned_abs()));
            }
            Value::DateTimeOffset { days, time, offset }
        }
        TypeInfo::Guid => Value::Guid(r.array()?),
        other => return Err(DecodeError::malformed("not a type of bounded size", other.token())),
    })
}

fn int(r: &mut Reader<'_>) -> Result<Value<'static>> {
    Ok(Value::Int(match r.remaining() {
        1 => i64::from(r.u8()?),
        2 => i64::from(r.i16()?),
        4 => i64::from(r.i32()?),
        8 => i64::from_le_bytes(r.array()?),
        other => return Err(DecodeError::malformed("length of an integer", other)),
    }))
}

fn float(r: &mut Reader<'_>) -> Result<Value<'static>> {
    let value = match r.remaining() {
        4 => Value::Real(f32::from_le_bytes(r.array()?)),
        8 => Value::Float(f64::from_le_bytes(r.array()?)),
        other => return Err(DecodeError::malformed("length of a float", other)),
    };
    // SQL Server's float has neither NaN nor infinity (error 8023).
    match value {
        Value::Real(v) if !v.is_finite() => {
            Err(DecodeError::malformed("a float that is not a number", v.to_bits()))
        }
        Value::Float(v) if !v.is_finite() => {
            Err(DecodeError::malformed("a float that is not a number", v.to_bits()))
        }
        finite => Ok(finite),
    }
}

fn money(r: &mut Reader<'_>) -> Result<Value<'static>> {
    Ok(Value::Money(match r.remaining() {
        4 => i64::from(r.i32()?),
        8 => {
            let high = r.i32()?;
            (i64::from(high) << 32) | i64::from(r.u32()?)
        }
        other => return Err(DecodeError::malformed("length of money", other)),
    }))
}

fn datetime(r: &mut Reader<'_>) -> Result<Value<'static>> {
    match r.remaining() {
        4 => {
            let (days, minutes) = (r.u16()?, r.u16()?);
            if minutes >= 1440 {
                return Err(DecodeError::malformed("smalldatetime out of range", minutes));
            }
            Ok(Value::SmallDateTime { days, minutes })
        }
        8 => {
            let (days, ticks) = (r.i32()?, r.u32()?);
            if !DATETIME_DAYS.contains(&days) || ticks >= DAY_TICKS {
                return Err(DecodeError::malformed("datetime out of range", ticks));
            }
            Ok(Value::DateTime { days, ticks })
        }
        other => Err(DecodeError::malformed("length of a datetime", other)),
    }
}

fn decimal(r: &mut Reader<'_>) -> Result<Value<'static>> {
    let sign = r.u8()?;
    let magnitude = r.take(r.remaining())?;
    if magnitude.len() > 16 {
        return Err(DecodeError::malformed("length of a decimal", magnitude.len()));
    }
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(magnitude) {
        *to = *from;
    }
    let value = u128::from_le_bytes(bytes);
    // 10^38 - 1, the largest of 38 digits.
    if value >= 10_u128.pow(38) {
        return Err(DecodeError::malformed("a decimal of more than 38 digits", sign));
    }
    let value = value as i128;
    Ok(Value::Decimal(if sign == 0 { -value } else { value }))
}

fn days(r: &mut Reader<'_>) -> Result<u32> {
    let [a, b, c] = r.array()?;
    let days = u32::from_le_bytes([a, b, c, 0]);
    if days > MAX_DAYS {
        return Err(DecodeError::malformed("date out of range", days));
    }
    Ok(days)
}

/// Decodes a time that is followed by `after` more bytes.
fn time(r: &mut Reader<'_>, scale: u8, after: usize) -> Result<u64> {
    let size = r.remaining().checked_sub(after).filter(|s| (3..=5).contains(s));
    let size = size.ok_or(DecodeError::malformed("length of a time", r.remaining()))?;
    let mut bytes = [0; 8];
    for (to, from) in bytes.iter_mut().zip(r.take(size)?) {
        *to = *from;
    }
    let units = u64::from_le_bytes(bytes);
    let time = units.saturating_mul(unit(scale));
    if time >= DAY {
        return Err(DecodeError::malformed("time out of range", units));
    }
    Ok(time)
}

/// 100 ns in one unit of a time of that scale.
fn unit(scale: u8) -> u64 {
    10_u64.pow(u32::from(7_u8.saturating_sub(scale)))
}

/// Bytes of a time of that scale.
pub(super) fn time_size(scale: u8) -> u8 {
    match scale {
        0..=2 => 3,
        3 | 4 => 4,
        _ => 5,
    }
}

pub(super) fn encode_time(out: &mut Vec<u8>, scale: u8, time: u64) {
    let units = (time / unit(scale)).to_le_bytes();
    out.extend_from_slice(units.get(..usize::from(time_size(scale))).unwrap_or_default());
}

pub(super) fn encode_days(out: &mut Vec<u8>, days: u32) {
    let [a, b, c, _] = days.to_le_bytes();
    out.extend_from_slice(&[a, b, c]);
}

pub(super) fn encode_decimal(out: &mut Vec<u8>, size: u8, value: i128) {
    out.push(u8::from(value >= 0));
    let magnitude = value.unsigned_abs().to_le_bytes();
    out.extend_from_slice(magnitude.get(..usize::from(size.saturating_sub(1))).unwrap_or(&magnitude));
}

pub(super) fn encode_money(out: &mut Vec<u8>, size: u8, value: i64) {
    if size == 4 {
        out.extend_from_slice(&(value as i32).to_le_bytes());
    } else {
        out.extend_from_slice(&((value >> 32) as i32).to_le_bytes());
        out.extend_from_slice(&(value as u32).to_le_bytes());
    }
}

pub(super) fn encode_int(out: &mut Vec<u8>, size: u8, value: i64) {
    let bytes = value.to_le_bytes();
    out.extend_from_slice(bytes.get(..usize::from(size)).unwrap_or(&bytes));
}
