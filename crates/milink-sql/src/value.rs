//! Values, and the text that SQL Server itself would print for them.

/// A cell. What Rust has no exact type for is the text that SQL Server prints.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// NULL.
    Null,
    /// bit.
    Bit(bool),
    /// tinyint, smallint, int, bigint.
    Int(i64),
    /// real. It is not widened, or 0.1 would become 0.10000000149011612.
    Real(f32),
    /// float.
    Float(f64),
    /// decimal, numeric, money, smallmoney: exactly, with as many decimals as the scale says.
    Decimal(String),
    /// char, varchar, nchar, nvarchar, text, ntext, in whatever code page.
    Text(String),
    /// binary, varbinary, image, rowversion, and the CLR types' own form.
    Bytes(Vec<u8>),
    /// date: `2026-11-25`.
    Date(String),
    /// time: `13:05:07.1234567`.
    Time(String),
    /// smalldatetime, datetime, datetime2: `2026-11-25 13:05:07.123`.
    DateTime(String),
    /// datetimeoffset: `2026-11-25 13:05:07.1234567 +01:00`.
    DateTimeOffset(String),
    /// uniqueidentifier, in upper case.
    Guid(String),
    /// xml.
    Xml(String),
    /// json, and vector in json's form.
    Json(String),
}

impl Value {
    /// The kind's name, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "NULL",
            Value::Bit(_) => "bit",
            Value::Int(_) => "an integer",
            Value::Real(_) => "real",
            Value::Float(_) => "float",
            Value::Decimal(_) => "decimal",
            Value::Text(_) => "text",
            Value::Bytes(_) => "binary",
            Value::Date(_) => "date",
            Value::Time(_) => "time",
            Value::DateTime(_) => "datetime",
            Value::DateTimeOffset(_) => "datetimeoffset",
            Value::Guid(_) => "uniqueidentifier",
            Value::Xml(_) => "xml",
            Value::Json(_) => "json",
        }
    }

    /// About how many bytes it takes in memory.
    pub(crate) fn size(&self) -> usize {
        let more = match self {
            Value::Text(text)
            | Value::Decimal(text)
            | Value::Date(text)
            | Value::Time(text)
            | Value::DateTime(text)
            | Value::DateTimeOffset(text)
            | Value::Guid(text)
            | Value::Xml(text)
            | Value::Json(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            Value::Null | Value::Bit(_) | Value::Int(_) | Value::Real(_) | Value::Float(_) => 0,
        };
        size_of::<Value>().saturating_add(more)
    }
}

/// As SQL Server prints it; NULL is `NULL`.
impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::Null => f.write_str("NULL"),
            Value::Bit(on) => f.write_str(if *on { "1" } else { "0" }),
            Value::Int(n) => write!(f, "{n}"),
            Value::Real(n) => write!(f, "{n}"),
            Value::Float(n) => write!(f, "{n}"),
            Value::Bytes(bytes) => {
                f.write_str("0x")?;
                bytes.iter().try_for_each(|b| write!(f, "{b:02X}"))
            }
            Value::Decimal(text)
            | Value::Text(text)
            | Value::Date(text)
            | Value::Time(text)
            | Value::DateTime(text)
            | Value::DateTimeOffset(text)
            | Value::Guid(text)
            | Value::Xml(text)
            | Value::Json(text) => f.write_str(text),
        }
    }
}

/// What a cell can be read as.
pub trait FromValue: Sized {
    /// What is wanted, for the message when there is something else.
    const WANTED: &'static str;

    /// The value, if it is one without loss.
    fn from_value(value: &Value) -> Option<Self>;
}

impl FromValue for Value {
    const WANTED: &'static str = "a value";

    fn from_value(value: &Value) -> Option<Value> {
        Some(value.clone())
    }
}

impl<T: FromValue> FromValue for Option<T> {
    const WANTED: &'static str = T::WANTED;

    fn from_value(value: &Value) -> Option<Option<T>> {
        match value {
            Value::Null => Some(None),
            value => T::from_value(value).map(Some),
        }
    }
}

/// A bit, or the 0 and 1 that T-SQL's CASE makes of a condition.
impl FromValue for bool {
    const WANTED: &'static str = "a bit";

    fn from_value(value: &Value) -> Option<bool> {
        match value {
            Value::Bit(on) => Some(*on),
            Value::Int(0) => Some(false),
            Value::Int(1) => Some(true),
            _ => None,
        }
    }
}

/// A whole number from whatever is one: decimals without a fraction too, since sizes and LSNs are numeric.
fn whole<T: TryFrom<i64> + std::str::FromStr>(value: &Value) -> Option<T> {
    match value {
        Value::Bit(on) => T::try_from(i64::from(*on)).ok(),
        Value::Int(n) => T::try_from(*n).ok(),
        Value::Decimal(text) => {
            let (digits, fraction) = text.split_once('.').unwrap_or((text, ""));
            fraction.bytes().all(|b| b == b'0').then(|| digits.parse().ok())?
        }
        _ => None,
    }
}

macro_rules! whole_numbers {
    ($($ty:ty),*) => {$(
        impl FromValue for $ty {
            const WANTED: &'static str = concat!("a whole number in the range of ", stringify!($ty));

            fn from_value(value: &Value) -> Option<$ty> {
                whole(value)
            }
        }
    )*};
}

whole_numbers!(u8, u16, i32, u32, i64, u64, u128);

impl FromValue for f64 {
    const WANTED: &'static str = "a number";

    fn from_value(value: &Value) -> Option<f64> {
        match value {
            Value::Float(n) => Some(*n),
            Value::Real(n) => Some(f64::from(*n)),
            Value::Int(n) => Some(*n as f64),
            Value::Decimal(text) => text.parse().ok(),
            _ => None,
        }
    }
}

/// Whatever is kept as text: also decimals, dates and GUIDs.
impl FromValue for String {
    const WANTED: &'static str = "text";

    fn from_value(value: &Value) -> Option<String> {
        match value {
            Value::Decimal(text)
            | Value::Text(text)
            | Value::Date(text)
            | Value::Time(text)
            | Value::DateTime(text)
            | Value::DateTimeOffset(text)
            | Value::Guid(text)
            | Value::Xml(text)
            | Value::Json(text) => Some(text.clone()),
            Value::Null
            | Value::Bit(_)
            | Value::Int(_)
            | Value::Real(_)
            | Value::Float(_)
            | Value::Bytes(_) => None,
        }
    }
}

impl FromValue for Vec<u8> {
    const WANTED: &'static str = "binary";

    fn from_value(value: &Value) -> Option<Vec<u8>> {
        match value {
            Value::Bytes(bytes) => Some(bytes.clone()),
            _ => None,
        }
    }
}

/// Days from 0001-01-01 to 1900-01-01.
pub(crate) const DAYS_1900: i64 = 693_595;

pub(crate) fn decimal(positive: bool, magnitude: u128, scale: u8) -> String {
    let digits = format!("{magnitude:0>width$}", width = usize::from(scale) + 1);
    let (whole, fraction) = digits.split_at(digits.len() - usize::from(scale));
    let sign = if positive || magnitude == 0 { "" } else { "-" };
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

pub(crate) fn money(scaled: i64) -> String {
    decimal(scaled >= 0, scaled.unsigned_abs().into(), 4)
}

/// 100 ns since midnight.
pub(crate) fn time(ticks: u64, scale: u8) -> String {
    let seconds = ticks / 10_000_000;
    let mut text = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if scale > 0 {
        let fraction = format!(".{:07}", ticks % 10_000_000);
        text.extend(fraction.chars().take(usize::from(scale) + 1));
    }
    text
}

/// The wire has it in UTC; it is shown at its own offset.
pub(crate) fn offset(days: i64, ticks: u64, minutes: i16, scale: u8) -> String {
    const DAY: i64 = 864_000_000_000;
    let local = days * DAY + ticks as i64 + i64::from(minutes) * 600_000_000;
    let sign = if minutes < 0 { '-' } else { '+' };
    let minutes = minutes.unsigned_abs();
    format!(
        "{} {} {sign}{:02}:{:02}",
        date(local.div_euclid(DAY)),
        time(local.rem_euclid(DAY) as u64, scale),
        minutes / 60,
        minutes % 60
    )
}

/// Days since 0001-01-01 to a date of the proleptic Gregorian calendar, by eras of 400 years that begin in March.
pub(crate) fn date(days: i64) -> String {
    let z = days + 306;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{:04}-{month:02}-{day:02}", year_of_era + era * 400 + carry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_dates() {
        assert_eq!(decimal(false, 5, 3), "-0.005");
        assert_eq!(money(-12_345), "-1.2345");
        assert_eq!(date(DAYS_1900), "1900-01-01");
        assert_eq!(date(3_652_058), "9999-12-31");
        assert_eq!(time(863_999_999_999, 7), "23:59:59.9999999");
        assert_eq!(offset(DAYS_1900, 0, -90, 0), "1899-12-31 22:30:00 -01:30");
    }

    #[test]
    fn read_without_loss_or_not_at_all() {
        assert_eq!(i32::from_value(&Value::Int(5)), Some(5));
        assert_eq!(i32::from_value(&Value::Int(1 << 31)), None);
        assert_eq!(u64::from_value(&Value::Int(-1)), None);
        assert_eq!(i64::from_value(&Value::Decimal("12.00".into())), Some(12));
        assert_eq!(i64::from_value(&Value::Decimal("12.01".into())), None);
        assert_eq!(
            u128::from_value(&Value::Decimal("46000000012300001".into())),
            Some(46_000_000_012_300_001)
        );
        assert_eq!(u128::from_value(&Value::Decimal("-1".into())), None);
        assert_eq!(bool::from_value(&Value::Int(1)), Some(true));
        assert_eq!(bool::from_value(&Value::Int(2)), None);
        assert_eq!(f64::from_value(&Value::Decimal("-1.5".into())), Some(-1.5));
        assert_eq!(String::from_value(&Value::Int(1)), None);
        assert_eq!(String::from_value(&Value::Null), None);
        assert_eq!(Option::<String>::from_value(&Value::Null), Some(None));
        assert_eq!(Option::<i32>::from_value(&Value::Text("x".into())), None);
    }

    #[test]
    fn printed_as_sql_server_does() {
        assert_eq!(Value::Bytes(vec![0, 0xAB]).to_string(), "0x00AB");
        assert_eq!(Value::Real(0.1).to_string(), "0.1");
        assert_eq!(Value::Bit(true).to_string(), "1");
        assert_eq!(Value::Null.to_string(), "NULL");
    }
}
