//! Values as text, as SQL Server itself would print them.

use mssql_tds::datatypes::column_values::{ColumnValues, SqlTime};
use mssql_tds::datatypes::sqldatatypes::TdsDataType;
use mssql_tds::query::metadata::ColumnMetadata;

/// A cell: what it says, and whether JSON may leave out its quotes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Null,
    Number(String),
    Bit(bool),
    Text(String),
}

impl Cell {
    pub(crate) fn shown(&self) -> &str {
        match self {
            Cell::Null => "NULL",
            Cell::Number(text) | Cell::Text(text) => text,
            Cell::Bit(on) => {
                if *on {
                    "1"
                } else {
                    "0"
                }
            }
        }
    }
}

/// Whether a column is aligned to the right.
pub(crate) fn is_numeric(ty: TdsDataType) -> bool {
    use TdsDataType as T;
    matches!(
        ty,
        T::IntN
            | T::Int1
            | T::Int2
            | T::Int4
            | T::Int8
            | T::DecimalN
            | T::NumericN
            | T::Decimal
            | T::Numeric
            | T::Flt4
            | T::Flt8
            | T::FltN
            | T::Money
            | T::MoneyN
            | T::Money4
            | T::Bit
            | T::BitN
    )
}

pub(crate) fn text(value: &ColumnValues, column: &ColumnMetadata) -> Cell {
    use ColumnValues as V;
    let scale = column.get_scale().unwrap_or(7);
    match value {
        V::Null => Cell::Null,
        V::TinyInt(n) => Cell::Number(n.to_string()),
        V::SmallInt(n) => Cell::Number(n.to_string()),
        V::Int(n) => Cell::Number(n.to_string()),
        V::BigInt(n) => Cell::Number(n.to_string()),
        V::Real(n) => Cell::Number(n.to_string()),
        V::Float(n) => Cell::Number(n.to_string()),
        V::Decimal(d) | V::Numeric(d) => Cell::Number(decimal(d.is_positive, d.magnitude(), d.scale)),
        V::SmallMoney(m) => Cell::Number(money(m.int_val.into())),
        V::Money(m) => Cell::Number(money((i64::from(m.msb_part) << 32) | i64::from(m.lsb_part as u32))),
        V::Bit(b) => Cell::Bit(*b),
        V::String(s) => Cell::Text(s.to_utf8_string()),
        V::Xml(x) => Cell::Text(x.as_string().trim_start_matches('\u{feff}').to_owned()),
        V::Json(j) => Cell::Text(j.as_string()),
        V::Uuid(u) => Cell::Text(u.to_string().to_uppercase()),
        V::Bytes(b) => Cell::Text(format!("0x{}", b.iter().map(|b| format!("{b:02X}")).collect::<String>())),
        V::Date(d) => Cell::Text(date(i64::from(d.get_days()))),
        V::Time(t) => Cell::Text(time(ticks(t), scale)),
        V::DateTime2(d) => Cell::Text(format!("{} {}", date(d.days.into()), time(ticks(&d.time), scale))),
        V::DateTimeOffset(d) => {
            Cell::Text(offset(d.datetime2.days.into(), ticks(&d.datetime2.time), d.offset, scale))
        }
        V::DateTime(d) => {
            // 1/300 s, shown in milliseconds as SQL Server rounds them.
            let thousandths = (u64::from(d.time) * 10 + 1) / 3;
            Cell::Text(format!("{} {}", date(i64::from(d.days) + DAYS_1900), time(thousandths * 10_000, 3)))
        }
        V::SmallDateTime(d) => Cell::Text(format!(
            "{} {}",
            date(i64::from(d.days) + DAYS_1900),
            time(u64::from(d.time) * 600_000_000, 0)
        )),
        V::Vector(v) => Cell::Text(format!("{v:?}")),
    }
}

/// Days from 0001-01-01 to 1900-01-01.
const DAYS_1900: i64 = 693_595;

/// 100 ns since midnight.
fn ticks(time: &SqlTime) -> u64 {
    time.time_nanoseconds
}

fn decimal(positive: bool, magnitude: u128, scale: u8) -> String {
    let digits = format!("{magnitude:0>width$}", width = usize::from(scale) + 1);
    let (whole, fraction) = digits.split_at(digits.len() - usize::from(scale));
    let sign = if positive || magnitude == 0 { "" } else { "-" };
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

fn money(scaled: i64) -> String {
    decimal(scaled >= 0, scaled.unsigned_abs().into(), 4)
}

fn time(ticks: u64, scale: u8) -> String {
    let seconds = ticks / 10_000_000;
    let mut text = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if scale > 0 {
        let fraction = format!(".{:07}", ticks % 10_000_000);
        text.extend(fraction.chars().take(usize::from(scale) + 1));
    }
    text
}

fn offset(days: i64, ticks: u64, minutes: i16, scale: u8) -> String {
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
fn date(days: i64) -> String {
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
}
