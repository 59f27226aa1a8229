//! Values of the engine as values of the wire, and back.

use std::borrow::Cow;

use lab_engine::types::{
    Collation, Len, SqlType, Value, decimal_value, exact, guid_from_wire, guid_to_wire, variant_parts,
    variant_value,
};
use lab_tds::types::Length;
use lab_tds::{TypeInfo, Value as Wire};

/// 300ths of a second in a day.
const TICKS_A_DAY: i64 = 300 * 86_400;
/// 100 ns in a day.
const DAY: i64 = 864_000_000_000;
/// Minutes in a day.
const MINUTES_A_DAY: i64 = 1440;

/// The wire's type for a type of the engine.
pub(crate) fn type_info(ty: SqlType, collation: Collation) -> TypeInfo {
    let collation = lab_tds::Collation(collation.wire());
    let max = |len: Len, width: u16| match len {
        Len::N(n) => Length::Bytes(n.saturating_mul(width)),
        Len::Max => Length::Max,
    };
    match ty {
        SqlType::Bit => TypeInfo::Bit { fixed: false },
        SqlType::TinyInt => TypeInfo::Int { size: 1, fixed: false },
        SqlType::SmallInt => TypeInfo::Int { size: 2, fixed: false },
        SqlType::Int => TypeInfo::INT,
        SqlType::BigInt => TypeInfo::BIGINT,
        SqlType::Decimal { precision, scale } => TypeInfo::Decimal { precision, scale },
        SqlType::Numeric { precision, scale } => TypeInfo::Numeric { precision, scale },
        SqlType::Money => TypeInfo::Money { size: 8, fixed: false },
        SqlType::SmallMoney => TypeInfo::Money { size: 4, fixed: false },
        SqlType::Real => TypeInfo::Float { size: 4, fixed: false },
        SqlType::Float => TypeInfo::Float { size: 8, fixed: false },
        SqlType::Date => TypeInfo::Date,
        SqlType::Time { scale } => TypeInfo::Time { scale },
        SqlType::DateTime => TypeInfo::DateTime { size: 8, fixed: false },
        SqlType::SmallDateTime => TypeInfo::DateTime { size: 4, fixed: false },
        SqlType::DateTime2 { scale } => TypeInfo::DateTime2 { scale },
        SqlType::DateTimeOffset { scale } => TypeInfo::DateTimeOffset { scale },
        SqlType::Char { len } => TypeInfo::Char { max: len, collation },
        SqlType::VarChar { len } => TypeInfo::VarChar { max: max(len, 1), collation },
        SqlType::Text => TypeInfo::Text { collation },
        SqlType::NChar { len } => TypeInfo::NChar { max: len.saturating_mul(2), collation },
        SqlType::NVarChar { len } => TypeInfo::NVarChar { max: max(len, 2), collation },
        SqlType::NText => TypeInfo::NText { collation },
        SqlType::Binary { len } => TypeInfo::Binary { max: len },
        SqlType::VarBinary { len } => TypeInfo::VarBinary { max: max(len, 1) },
        SqlType::Image => TypeInfo::Image,
        SqlType::UniqueIdentifier => TypeInfo::Guid,
        SqlType::Xml => TypeInfo::Xml,
        SqlType::Variant => TypeInfo::Variant,
        SqlType::RowVersion => TypeInfo::Binary { max: 8 },
    }
}

/// The engine's type and collation for a type of the wire.
pub(crate) fn sql_type(ty: TypeInfo) -> (SqlType, Collation) {
    let plain = Collation::default();
    let by = |c: lab_tds::Collation| Collation::from_wire(c.0);
    let len = |max: Length, width: u16, most: u16| match max {
        // A parameter declared with more than a column can have, as some clients do, is (max).
        Length::Bytes(n) if n / width > most => Len::Max,
        Length::Bytes(n) => Len::N((n / width).max(1)),
        Length::Max => Len::Max,
    };
    match ty {
        TypeInfo::Null => (SqlType::Int, plain),
        TypeInfo::Bit { .. } => (SqlType::Bit, plain),
        TypeInfo::Int { size: 1, .. } => (SqlType::TinyInt, plain),
        TypeInfo::Int { size: 2, .. } => (SqlType::SmallInt, plain),
        TypeInfo::Int { size: 4, .. } => (SqlType::Int, plain),
        TypeInfo::Int { .. } => (SqlType::BigInt, plain),
        TypeInfo::Float { size: 4, .. } => (SqlType::Real, plain),
        TypeInfo::Float { .. } => (SqlType::Float, plain),
        TypeInfo::Money { size: 4, .. } => (SqlType::SmallMoney, plain),
        TypeInfo::Money { .. } => (SqlType::Money, plain),
        TypeInfo::DateTime { size: 4, .. } => (SqlType::SmallDateTime, plain),
        TypeInfo::DateTime { .. } => (SqlType::DateTime, plain),
        TypeInfo::Decimal { precision, scale } => (SqlType::Decimal { precision, scale }, plain),
        TypeInfo::Numeric { precision, scale } => (SqlType::Numeric { precision, scale }, plain),
        TypeInfo::Date => (SqlType::Date, plain),
        TypeInfo::Time { scale } => (SqlType::Time { scale }, plain),
        TypeInfo::DateTime2 { scale } => (SqlType::DateTime2 { scale }, plain),
        TypeInfo::DateTimeOffset { scale } => (SqlType::DateTimeOffset { scale }, plain),
        TypeInfo::TemporalText { .. } => (SqlType::nvarchar(34), plain),
        TypeInfo::Guid => (SqlType::UniqueIdentifier, plain),
        TypeInfo::Char { max, collation } => (SqlType::Char { len: max.max(1) }, by(collation)),
        TypeInfo::VarChar { max, collation } => (SqlType::VarChar { len: len(max, 1, 8000) }, by(collation)),
        TypeInfo::NChar { max, collation } => (SqlType::NChar { len: (max / 2).max(1) }, by(collation)),
        TypeInfo::NVarChar { max, collation } => {
            (SqlType::NVarChar { len: len(max, 2, 4000) }, by(collation))
        }
        TypeInfo::Binary { max } => (SqlType::Binary { len: max.max(1) }, plain),
        TypeInfo::VarBinary { max } => (SqlType::VarBinary { len: len(max, 1, 8000) }, plain),
        TypeInfo::LegacyVarChar { max } => (SqlType::varchar(u16::from(max).max(1)), plain),
        TypeInfo::LegacyVarBinary { max } => {
            (SqlType::VarBinary { len: Len::N(u16::from(max).max(1)) }, plain)
        }
        TypeInfo::Text { collation } => (SqlType::Text, by(collation)),
        TypeInfo::NText { collation } => (SqlType::NText, by(collation)),
        TypeInfo::Image => (SqlType::Image, plain),
        TypeInfo::Xml => (SqlType::Xml, plain),
        TypeInfo::Variant => (SqlType::Variant, plain),
    }
}

/// A value on its way out.
pub(crate) fn to_wire(value: &Value, ty: SqlType) -> Wire<'_> {
    match (value, ty) {
        (Value::Null, _) => Wire::Null,
        (_, SqlType::Variant) => variant_to_wire(value),
        (Value::Integer(i), _) => integer_to_wire(*i, ty),
        (Value::Real(r), SqlType::Real) => Wire::Real(*r as f32),
        (Value::Real(r), _) => Wire::Float(*r),
        (Value::Text(t), _) => Wire::Text(Cow::Borrowed(t)),
        (Value::Blob(b), SqlType::UniqueIdentifier) => guid_to_wire(b).map_or(Wire::Null, Wire::Guid),
        (Value::Blob(b), SqlType::DateTimeOffset { .. }) => offset_to_wire(b).unwrap_or_default(),
        (Value::Blob(_), SqlType::Decimal { .. } | SqlType::Numeric { .. }) => {
            exact(value).map_or(Wire::Null, Wire::Decimal)
        }
        (Value::Blob(b), _) => Wire::Bytes(Cow::Borrowed(b)),
    }
}

fn integer_to_wire(i: i64, ty: SqlType) -> Wire<'static> {
    match ty {
        SqlType::Bit => Wire::Bit(i != 0),
        SqlType::Money | SqlType::SmallMoney => Wire::Money(i),
        SqlType::Decimal { .. } | SqlType::Numeric { .. } => Wire::Decimal(i.into()),
        SqlType::Date => Wire::Date(i as u32),
        SqlType::Time { .. } => Wire::Time(i as u64),
        SqlType::DateTime => {
            Wire::DateTime { days: i.div_euclid(TICKS_A_DAY) as i32, ticks: i.rem_euclid(TICKS_A_DAY) as u32 }
        }
        SqlType::SmallDateTime => Wire::SmallDateTime {
            days: i.div_euclid(MINUTES_A_DAY) as u16,
            minutes: i.rem_euclid(MINUTES_A_DAY) as u16,
        },
        SqlType::DateTime2 { .. } => {
            Wire::DateTime2 { days: i.div_euclid(DAY) as u32, time: i.rem_euclid(DAY) as u64 }
        }
        SqlType::Real => Wire::Real(i as f32),
        SqlType::Float => Wire::Float(i as f64),
        _ => Wire::Int(i),
    }
}

fn offset_to_wire(bytes: &[u8]) -> Option<Wire<'static>> {
    let utc = i64::from_be_bytes(bytes.get(..8)?.try_into().ok()?);
    let offset = u16::from_be_bytes(bytes.get(8..10)?.try_into().ok()?);
    let offset = i32::from(offset) - 32768;
    Some(Wire::DateTimeOffset {
        days: utc.div_euclid(DAY) as u32,
        time: utc.rem_euclid(DAY) as u64,
        offset: offset as i16,
    })
}

fn variant_to_wire(value: &Value) -> Wire<'static> {
    let Some((inner, value)) = variant_parts(value) else { return Wire::Null };
    Wire::Variant(Box::new((
        fixed(type_info(inner, Collation::default())),
        to_wire(&value, inner).into_owned(),
    )))
}

/// The NOT NULL form, which a sql_variant names its base type by.
fn fixed(ty: TypeInfo) -> TypeInfo {
    match ty {
        TypeInfo::Bit { .. } => TypeInfo::Bit { fixed: true },
        TypeInfo::Int { size, .. } => TypeInfo::Int { size, fixed: true },
        TypeInfo::Float { size, .. } => TypeInfo::Float { size, fixed: true },
        TypeInfo::Money { size, .. } => TypeInfo::Money { size, fixed: true },
        TypeInfo::DateTime { size, .. } => TypeInfo::DateTime { size, fixed: true },
        other => other,
    }
}

/// A value that came in, of the type that [`sql_type`] gives.
///
/// # Errors
/// What the value is not, for a number or date that the type cannot hold.
pub(crate) fn from_wire(value: Wire<'_>, ty: SqlType) -> Result<Value, String> {
    let outside = || format!("a value of {ty} is out of range");
    Ok(match value {
        Wire::Null => Value::Null,
        Wire::Bit(b) => Value::Integer(b.into()),
        Wire::Int(i) | Wire::Money(i) => Value::Integer(i),
        Wire::Decimal(d) => decimal_value(d, ty.precision()).map_err(|_| outside())?,
        Wire::Real(r) if r.is_finite() => Value::Real(r.into()),
        Wire::Float(f) if f.is_finite() => Value::Real(f),
        Wire::Real(_) | Wire::Float(_) => return Err(outside()),
        Wire::Date(days) => Value::Integer(within(days.into(), 0, 3_652_058).ok_or_else(outside)?),
        Wire::Time(time) => Value::Integer(clock(time).ok_or_else(outside)?),
        Wire::DateTime { days, ticks } => {
            // From 1753 to 9999.
            let days = within(days.into(), -53_690, 2_958_463).ok_or_else(outside)?;
            let ticks = within(ticks.into(), 0, TICKS_A_DAY - 1).ok_or_else(outside)?;
            Value::Integer(days * TICKS_A_DAY + ticks)
        }
        Wire::SmallDateTime { days, minutes } => {
            let minutes = within(minutes.into(), 0, MINUTES_A_DAY - 1).ok_or_else(outside)?;
            Value::Integer(i64::from(days) * MINUTES_A_DAY + minutes)
        }
        Wire::DateTime2 { days, time } => {
            let days = within(days.into(), 0, 3_652_058).ok_or_else(outside)?;
            Value::Integer(days * DAY + clock(time).ok_or_else(outside)?)
        }
        Wire::DateTimeOffset { days, time, offset } => {
            let days = within(days.into(), 0, 3_652_058).ok_or_else(outside)?;
            let offset = within(offset.into(), -840, 840).ok_or_else(outside)?;
            let utc = days * DAY + clock(time).ok_or_else(outside)?;
            let mut bytes = utc.to_be_bytes().to_vec();
            bytes.extend(((offset + 32768) as u16).to_be_bytes());
            Value::Blob(bytes)
        }
        // A document's byte order mark says how it came, and is not part of it.
        Wire::Text(t) if ty == SqlType::Xml => Value::Text(t.trim_start_matches('\u{feff}').to_owned()),
        Wire::Text(t) => Value::Text(t.into_owned()),
        Wire::Bytes(b) => Value::Blob(b.into_owned()),
        Wire::Guid(g) => Value::Blob(guid_from_wire(g)),
        Wire::Variant(parts) => {
            let (inner, value) = *parts;
            let (inner, _) = sql_type(inner);
            variant_value(&from_wire(value, inner)?, inner)
        }
    })
}

fn within(n: i64, low: i64, high: i64) -> Option<i64> {
    (low..=high).contains(&n).then_some(n)
}

fn clock(time: u64) -> Option<i64> {
    i64::try_from(time).ok().filter(|t| *t < DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_out_comes_back() {
        let check = |value: Value, ty: SqlType| {
            let wire = to_wire(&value, ty).into_owned();
            assert_eq!(from_wire(wire.clone(), ty), Ok(value), "{wire:?} of {ty}");
            assert_eq!(sql_type(type_info(ty, Collation::default())).0, ty);
        };
        check(Value::Integer(-5), SqlType::BigInt);
        check(Value::Integer(1), SqlType::Bit);
        check(Value::Integer(-12345), SqlType::Decimal { precision: 18, scale: 3 });
        check(
            decimal_value(-170_141_183_460_469_231_731_i128, 38).unwrap(),
            SqlType::Numeric { precision: 38, scale: 0 },
        );
        check(Value::Integer(-1), SqlType::DateTime);
        check(Value::Integer(1_000_000), SqlType::SmallDateTime);
        check(Value::Integer(630_000_000_000_000_001), SqlType::DateTime2 { scale: 7 });
        let mut moment = 630_000_000_000_000_001_i64.to_be_bytes().to_vec();
        moment.extend(32_678_u16.to_be_bytes());
        check(Value::Blob(moment), SqlType::DateTimeOffset { scale: 7 });
        check(Value::Blob((0..16).collect()), SqlType::UniqueIdentifier);
        check(Value::Text("é".into()), SqlType::NVARCHAR_MAX);
        check(Value::Text("<a/>".into()), SqlType::Xml);
        assert_eq!(
            from_wire(Wire::Text("\u{feff}<a/>".into()), SqlType::Xml),
            Ok(Value::Text("<a/>".into()))
        );
        check(variant_value(&Value::Integer(7), SqlType::Int), SqlType::Variant);
    }

    #[test]
    fn what_a_type_cannot_hold_is_refused() {
        assert!(from_wire(Wire::Float(f64::NAN), SqlType::Float).is_err());
        assert!(from_wire(Wire::Date(u32::MAX), SqlType::Date).is_err());
        assert!(from_wire(Wire::Time(u64::MAX), SqlType::Time { scale: 7 }).is_err());
        assert!(from_wire(Wire::DateTime { days: i32::MAX, ticks: 0 }, SqlType::DateTime).is_err());
    }
}
