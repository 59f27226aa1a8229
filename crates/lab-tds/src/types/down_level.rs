//! What clients of older versions get for types that they do not know (2.2.5.4, "down-level").

use super::info::Temporal;
use super::{Length, TypeInfo, Value};
use crate::version::TdsVersion;

impl TypeInfo {
    /// The type that a client of that version is sent for this one: from 7.3 the type itself; before, dates and times as
    /// nvarchar; in 7.1 also `(max)` types as text, ntext and image, and xml as ntext.
    pub fn for_version(self, version: TdsVersion) -> TypeInfo {
        match self {
            TypeInfo::Date if !version.has_date_types() => {
                TypeInfo::TemporalText { of: Temporal::Date, scale: 0 }
            }
            TypeInfo::Time { scale } if !version.has_date_types() => {
                TypeInfo::TemporalText { of: Temporal::Time, scale }
            }
            TypeInfo::DateTime2 { scale } if !version.has_date_types() => {
                TypeInfo::TemporalText { of: Temporal::DateTime2, scale }
            }
            TypeInfo::DateTimeOffset { scale } if !version.has_date_types() => {
                TypeInfo::TemporalText { of: Temporal::DateTimeOffset, scale }
            }
            TypeInfo::VarChar { max: Length::Max, collation } if !version.is_7_2() => {
                TypeInfo::Text { collation }
            }
            TypeInfo::NVarChar { max: Length::Max, collation } if !version.is_7_2() => {
                TypeInfo::NText { collation }
            }
            TypeInfo::VarBinary { max: Length::Max } if !version.is_7_2() => TypeInfo::Image,
            TypeInfo::Xml if !version.is_7_2() => TypeInfo::NText { collation: super::Collation::default() },
            other => other,
        }
    }
}

/// A date or time as T-SQL shows it in style 121.
pub(super) fn text(value: &Value<'_>, scale: u8) -> Option<String> {
    Some(match *value {
        Value::Date(days) => date(days),
        Value::Time(ticks) => time(ticks, scale),
        Value::DateTime2 { days, time: ticks } => format!("{} {}", date(days), time(ticks, scale)),
        Value::DateTimeOffset { days, time: ticks, offset } => {
            const DAY: i64 = 864_000_000_000;
            let local = i64::from(days) * DAY + ticks as i64 + i64::from(offset) * 600_000_000;
            let (days, ticks) = (local.div_euclid(DAY), local.rem_euclid(DAY));
            let sign = if offset < 0 { '-' } else { '+' };
            let offset = offset.unsigned_abs();
            let clock = time(ticks as u64, scale);
            format!("{} {clock} {sign}{:02}:{:02}", date(days.max(0) as u32), offset / 60, offset % 60)
        }
        _ => return None,
    })
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

/// Days since 0001-01-01 to a date of the proleptic Gregorian calendar, by eras of 400 years that begin in March.
fn date(days: u32) -> String {
    let z = i64::from(days) + 306;
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
    fn dates_as_text() {
        let check =
            |value: Value<'_>, scale, expect: &str| assert_eq!(text(&value, scale).as_deref(), Some(expect));
        check(Value::Date(0), 0, "0001-01-01");
        check(Value::Date(3_652_058), 0, "9999-12-31");
        check(Value::Date(693_595), 0, "1900-01-01");
        check(Value::Date(738_944), 0, "2024-02-29");
        check(Value::Time(863_999_999_999), 7, "23:59:59.9999999");
        check(Value::Time(863_999_999_999), 0, "23:59:59");
        check(Value::DateTime2 { days: 738_944, time: 36_610_000_000 }, 3, "2024-02-29 01:01:01.000");
        let before_midnight = Value::DateTimeOffset { days: 738_944, time: 0, offset: -90 };
        check(before_midnight, 0, "2024-02-28 22:30:00 -01:30");
    }

    #[test]
    fn what_old_clients_get() {
        let max = TypeInfo::VarBinary { max: Length::Max };
        assert_eq!(max.for_version(TdsVersion::V7_1), TypeInfo::Image);
        assert_eq!(max.for_version(TdsVersion::V7_2), max);
        assert_eq!(
            TypeInfo::Date.for_version(TdsVersion::V7_2),
            TypeInfo::TemporalText { of: Temporal::Date, scale: 0 }
        );
        assert_eq!(TypeInfo::Date.for_version(TdsVersion::V7_3A), TypeInfo::Date);
    }
}
