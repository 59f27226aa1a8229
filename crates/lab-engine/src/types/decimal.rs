//! Exact numbers: a whole number and a power of ten.

use num_bigint::BigInt;
use rusqlite::types::Value;

use super::SqlType;
use crate::error::SqlError;

/// 10^n for n up to 38.
pub(crate) fn pow10(n: u8) -> i128 {
    10_i128.pow(u32::from(n.min(38)))
}

/// The scaled integer of a value of an exact type (integers and money included).
pub fn exact(value: &Value) -> Option<i128> {
    match value {
        Value::Integer(i) => Some(i128::from(*i)),
        Value::Blob(b) => {
            let bytes: [u8; 16] = b.as_slice().try_into().ok()?;
            Some(i128::from_be_bytes(bytes) ^ i128::MIN)
        }
        _ => None,
    }
}

/// A scaled integer as a value of a decimal type.
///
/// # Errors
/// 8115 if it has more digits than the type.
pub fn decimal_value(scaled: i128, precision: u8) -> Result<Value, SqlError> {
    if scaled.unsigned_abs() >= pow10(precision).unsigned_abs() {
        return Err(SqlError::overflow_to("numeric"));
    }
    Ok(decimal_unchecked(scaled, precision))
}

fn decimal_unchecked(scaled: i128, precision: u8) -> Value {
    if precision <= 18 {
        Value::Integer(scaled as i64)
    } else {
        Value::Blob((scaled ^ i128::MIN).to_be_bytes().to_vec())
    }
}

/// Brings a scaled integer from one scale to another, rounding half away from zero.
pub(crate) fn rescale(scaled: i128, from: u8, to: u8) -> Option<i128> {
    if to >= from {
        return scaled.checked_mul(pow10(to - from));
    }
    Some(divide_rounded(scaled, pow10(from - to)))
}

/// Brings a scaled integer to a smaller scale, cutting digits off.
pub(crate) fn truncate_scale(scaled: i128, from: u8, to: u8) -> Option<i128> {
    if to >= from { scaled.checked_mul(pow10(to - from)) } else { Some(scaled / pow10(from - to)) }
}

fn divide_rounded(a: i128, b: i128) -> i128 {
    let (quotient, rest) = (a / b, a % b);
    if rest.unsigned_abs() * 2 >= b.unsigned_abs() {
        if (a < 0) == (b < 0) { quotient + 1 } else { quotient - 1 }
    } else {
        quotient
    }
}

/// Reads a number with an optional sign, point and exponent into a scaled integer of the given scale.
pub(crate) fn parse_exact(text: &str, scale: u8) -> Option<i128> {
    let text = text.trim();
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (text.get(..at)?, text.get(at + 1..)?.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, digits) = match mantissa.as_bytes().first()? {
        b'-' => (true, mantissa.get(1..)?),
        b'+' => (false, mantissa.get(1..)?),
        _ => (false, mantissa),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    if all.is_empty() || !all.bytes().all(|b| b.is_ascii_digit()) || all.len() > 400 {
        return None;
    }
    let from_scale = i32::try_from(fraction.len()).ok()? - exponent;
    let number: BigInt = all.parse().ok()?;
    let shift = i32::from(scale) - from_scale;
    if shift.abs() > 500 {
        return if number == BigInt::from(0) { Some(0) } else { None };
    }
    let ten = BigInt::from(10);
    let scaled =
        if shift >= 0 { number * ten.pow(shift as u32) } else { rounded(&number, &ten.pow((-shift) as u32)) };
    let scaled = i128::try_from(scaled).ok()?;
    Some(if negative { -scaled } else { scaled })
}

fn rounded(a: &BigInt, b: &BigInt) -> BigInt {
    let two = BigInt::from(2);
    if *a < BigInt::from(0) { -((-a) * &two + b) / (b * &two) } else { (a * &two + b) / (b * two) }
}

/// The digits of a scaled integer.
pub(crate) fn exact_text(scaled: i128, scale: u8) -> String {
    let digits = scaled.unsigned_abs().to_string();
    let sign = if scaled < 0 { "-" } else { "" };
    let scale = usize::from(scale);
    if scale == 0 {
        return format!("{sign}{digits}");
    }
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    format!("{sign}{whole}.{fraction}")
}

/// Bytes that order as floats do.
pub(crate) fn float_key(number: f64) -> [u8; 8] {
    let bits = number.to_bits();
    (if bits >> 63 == 1 { !bits } else { bits | (1 << 63) }).to_be_bytes()
}

/// The scale of an exact type.
pub(crate) fn exact_scale(ty: SqlType) -> u8 {
    if ty.is_money() || ty.is_decimal() { ty.scale() } else { 0 }
}

/// An operation on exact numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ArithmeticOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    BitAnd,
    BitOr,
    BitXor,
}

/// `a op b`, the result scaled as `result` wants; operands keep their own scales.
///
/// # Errors
/// 8134 for division by zero, 8115 for overflow.
pub(crate) fn exact_arithmetic(
    op: ArithmeticOp,
    a: (i128, u8),
    b: (i128, u8),
    result: SqlType,
) -> Result<i128, SqlError> {
    let scale = exact_scale(result);
    let big = |n: i128, up: u8| BigInt::from(n) * BigInt::from(10).pow(u32::from(up));
    let common = a.1.max(b.1);
    let from = |value: BigInt, have: u8| -> BigInt {
        if have <= scale {
            value * BigInt::from(10).pow(u32::from(scale - have))
        } else {
            rounded(&value, &BigInt::from(10).pow(u32::from(have - scale)))
        }
    };
    let out = match op {
        ArithmeticOp::Add => from(big(a.0, common - a.1) + big(b.0, common - b.1), common),
        ArithmeticOp::Sub => from(big(a.0, common - a.1) - big(b.0, common - b.1), common),
        ArithmeticOp::Mul => from(BigInt::from(a.0) * BigInt::from(b.0), a.1 + b.1),
        ArithmeticOp::Div => {
            if b.0 == 0 {
                return Err(SqlError::divide_by_zero());
            }
            // Digits beyond the result's scale are cut off, as SQL Server does.
            let up = i32::from(scale) + i32::from(b.1) - i32::from(a.1);
            if up >= 0 {
                big(a.0, up as u8) / BigInt::from(b.0)
            } else {
                BigInt::from(a.0) / (BigInt::from(b.0) * BigInt::from(10).pow((-up) as u32))
            }
        }
        ArithmeticOp::Mod => {
            if b.0 == 0 {
                return Err(SqlError::divide_by_zero());
            }
            from(big(a.0, common - a.1) % big(b.0, common - b.1), common)
        }
        ArithmeticOp::BitAnd | ArithmeticOp::BitOr | ArithmeticOp::BitXor => {
            let n = match op {
                ArithmeticOp::BitAnd => a.0 & b.0,
                ArithmeticOp::BitOr => a.0 | b.0,
                _ => a.0 ^ b.0,
            };
            BigInt::from(n)
        }
    };
    i128::try_from(out).map_err(|_| SqlError::overflow_to(result.error_name()))
}

/// A scaled integer as a value of any exact type.
///
/// # Errors
/// 8115 or 220 if it does not fit.
pub(crate) fn exact_value(scaled: i128, ty: SqlType) -> Result<Value, SqlError> {
    let within = |low: i128, high: i128| {
        if scaled < low || scaled > high {
            Err(SqlError::overflow_to(ty.error_name()))
        } else {
            Ok(Value::Integer(scaled as i64))
        }
    };
    match ty {
        SqlType::Bit => Ok(Value::Integer(i64::from(scaled != 0))),
        SqlType::TinyInt => within(0, 255),
        SqlType::SmallInt => within(i128::from(i16::MIN), i128::from(i16::MAX)),
        SqlType::Int | SqlType::SmallMoney => within(i128::from(i32::MIN), i128::from(i32::MAX)),
        SqlType::BigInt | SqlType::Money => within(i128::from(i64::MIN), i128::from(i64::MAX)),
        SqlType::Decimal { precision, .. } | SqlType::Numeric { precision, .. } => {
            decimal_value(scaled, precision)
        }
        _ => Err(SqlError::internal(format!("{ty} is no exact number"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_is_exact_and_rounds_as_documented() {
        let ty = SqlType::Decimal { precision: 8, scale: 6 };
        // 1.0 / 3 is 0.333333 in T-SQL.
        assert_eq!(exact_arithmetic(ArithmeticOp::Div, (10, 1), (3, 0), ty).unwrap(), 333_333);
        assert_eq!(
            exact_arithmetic(
                ArithmeticOp::Mul,
                (-15, 1),
                (15, 1),
                SqlType::Decimal { precision: 5, scale: 2 }
            )
            .unwrap(),
            -225
        );
        assert_eq!(exact_arithmetic(ArithmeticOp::Div, (1, 0), (0, 0), ty).unwrap_err().number, 8134);
        assert_eq!(rescale(-125, 2, 1), Some(-13));
        assert_eq!(parse_exact("-1.25e1", 2), Some(-1250));
        assert_eq!(exact_text(-5, 2), "-0.05");
    }

    #[test]
    fn wide_decimals_sort_as_bytes() {
        let values = [-pow10(37), -1, 0, 1, pow10(37)];
        let stored: Vec<Value> = values.iter().map(|v| decimal_value(*v, 38).unwrap()).collect();
        for pair in stored.windows(2) {
            let [Value::Blob(a), Value::Blob(b)] = pair else { panic!("blobs") };
            assert!(a < b);
        }
        assert_eq!(exact(&stored[0]), Some(-pow10(37)));
    }
}
