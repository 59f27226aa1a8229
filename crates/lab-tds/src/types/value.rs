//! Values as the wire knows them.

use std::borrow::Cow;

use super::TypeInfo;

/// A value. What a number means (scale, length) is its [`TypeInfo`]'s to say.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value<'a> {
    /// NULL of any type.
    #[default]
    Null,
    /// bit.
    Bit(bool),
    /// tinyint (0 to 255), smallint, int, bigint.
    Int(i64),
    /// decimal and numeric, scaled by the type's scale.
    Decimal(i128),
    /// money and smallmoney, scaled by 10^4.
    Money(i64),
    /// real.
    Real(f32),
    /// float.
    Float(f64),
    /// Days since 0001-01-01.
    Date(u32),
    /// 100 ns since midnight.
    Time(u64),
    /// Days since 1900-01-01 and 1/300 s since midnight.
    DateTime {
        /// Days, negative before 1900.
        days: i32,
        /// 1/300 s.
        ticks: u32,
    },
    /// Days since 1900-01-01 and minutes since midnight.
    SmallDateTime {
        /// Days.
        days: u16,
        /// Minutes.
        minutes: u16,
    },
    /// A date and a time.
    DateTime2 {
        /// Days since 0001-01-01.
        days: u32,
        /// 100 ns since midnight.
        time: u64,
    },
    /// A moment in UTC and where it was noted.
    DateTimeOffset {
        /// Days since 0001-01-01, UTC.
        days: u32,
        /// 100 ns since midnight, UTC.
        time: u64,
        /// Minutes east of UTC.
        offset: i16,
    },
    /// Character types and xml; the type says how it is encoded.
    Text(Cow<'a, str>),
    /// Binary types and rowversion.
    Bytes(Cow<'a, [u8]>),
    /// uniqueidentifier, in the mixed-endian order of the wire.
    Guid([u8; 16]),
    /// sql_variant: the base type and its value.
    Variant(Box<(TypeInfo, Value<'a>)>),
}

impl Value<'_> {
    /// The value without its borrow.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Value::Null => Value::Null,
            Value::Bit(v) => Value::Bit(v),
            Value::Int(v) => Value::Int(v),
            Value::Decimal(v) => Value::Decimal(v),
            Value::Money(v) => Value::Money(v),
            Value::Real(v) => Value::Real(v),
            Value::Float(v) => Value::Float(v),
            Value::Date(v) => Value::Date(v),
            Value::Time(v) => Value::Time(v),
            Value::DateTime { days, ticks } => Value::DateTime { days, ticks },
            Value::SmallDateTime { days, minutes } => Value::SmallDateTime { days, minutes },
            Value::DateTime2 { days, time } => Value::DateTime2 { days, time },
            Value::DateTimeOffset { days, time, offset } => Value::DateTimeOffset { days, time, offset },
            Value::Text(v) => Value::Text(Cow::Owned(v.into_owned())),
            Value::Bytes(v) => Value::Bytes(Cow::Owned(v.into_owned())),
            Value::Guid(v) => Value::Guid(v),
            Value::Variant(v) => {
                let (ty, value) = *v;
                Value::Variant(Box::new((ty, value.into_owned())))
            }
        }
    }
}
