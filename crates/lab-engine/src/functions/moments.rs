//! Arithmetic of dates on values in storage representation: DATEADD, DATEDIFF, DATEPART and their kin.

use rusqlite::types::Value;

use super::format::{DAYS, MONTHS};
use super::scalar::{Outcome, int, integer, text, type_at};
use super::zones::Zone;
use crate::error::SqlError;
use crate::types::{self, DAY, Moment, SqlType};

/// Refuses a datepart that a type does not have.
fn check_part(part: &str, ty: SqlType, function: &str) -> Result<(), SqlError> {
    let of_clock =
        matches!(part, "hour" | "minute" | "second" | "millisecond" | "microsecond" | "nanosecond");
    let (missing, state) = match ty {
        SqlType::Date => (of_clock || part == "tzoffset", 1),
        SqlType::Time { .. } => (!of_clock, 3),
        _ => (
            part == "tzoffset" && !matches!(ty, SqlType::DateTimeOffset { .. } | SqlType::DateTime2 { .. }),
            1,
        ),
    };
    if missing {
        return Err(SqlError::new(
            9810,
            16,
            state,
            format!(
                "The datepart {part} is not supported by date function {function} for data type {}.",
                ty.name()
            ),
        ));
    }
    Ok(())
}

/// `t_datepart(part, value, type, first day of the week)`.
pub(super) fn datepart(a: &[Value]) -> Outcome {
    let ty = type_at(a, 2);
    check_part(text(a, 0), ty, "datepart")?;
    let Some(at) = a.get(1).and_then(|v| types::moment(v, ty)) else { return Ok(Value::Null) };
    part_of(text(a, 0), at, integer(a, 3)).map(int)
}

fn part_of(part: &str, at: Moment, first: i64) -> Result<i64, SqlError> {
    let (y, m, d) = types::civil(at.days);
    let day_of_year = at.days - types::days_of(y, 1, 1).unwrap_or(at.days) + 1;
    let weekday = |days: i64, first: i64| (days - first + 1).rem_euclid(7) + 1;
    Ok(match part {
        "year" => y,
        "quarter" => i64::from(m - 1) / 3 + 1,
        "month" => i64::from(m),
        "dayofyear" => day_of_year,
        "day" => i64::from(d),
        "week" => {
            let january = types::days_of(y, 1, 1).unwrap_or(at.days);
            (day_of_year - 1 + weekday(january, first) - 1) / 7 + 1
        }
        "iso_week" => {
            let thursday = at.days - (weekday(at.days, 1) - 1) + 3;
            let (ty, ..) = types::civil(thursday);
            (thursday - types::days_of(ty, 1, 1).unwrap_or(thursday)) / 7 + 1
        }
        "weekday" => weekday(at.days, first),
        "hour" => at.ticks / 36_000_000_000,
        "minute" => at.ticks / 600_000_000 % 60,
        "second" => at.ticks / 10_000_000 % 60,
        "millisecond" => at.ticks / 10_000 % 1000,
        "microsecond" => at.ticks / 10 % 1_000_000,
        "nanosecond" => at.ticks % 10_000_000 * 100,
        "tzoffset" => i64::from(at.offset),
        other => {
            return Err(SqlError::new(155, 15, 1, format!("'{other}' is not a recognized datepart option.")));
        }
    })
}

pub(super) fn datename(a: &[Value]) -> Outcome {
    let ty = type_at(a, 2);
    check_part(text(a, 0), ty, "datename")?;
    let Some(at) = a.get(1).and_then(|v| types::moment(v, ty)) else { return Ok(Value::Null) };
    let name = match text(a, 0) {
        "tzoffset" => {
            let sign = if at.offset < 0 { '-' } else { '+' };
            format!("{sign}{:02}:{:02}", at.offset.abs() / 60, at.offset.abs() % 60)
        }
        "month" => MONTHS.get(types::civil(at.days).1 as usize - 1).copied().unwrap_or_default().to_owned(),
        "weekday" => DAYS.get(at.days.rem_euclid(7) as usize).copied().unwrap_or_default().to_owned(),
        part => part_of(part, at, integer(a, 3))?.to_string(),
    };
    Ok(Value::Text(name))
}

/// `t_dateadd(part, number, value, type)`.
pub(super) fn dateadd(a: &[Value]) -> Outcome {
    let ty = type_at(a, 3);
    let n = integer(a, 1);
    check_part(text(a, 0), ty, "dateadd")?;
    let Some(at) = a.get(2).and_then(|v| types::moment(v, ty)) else { return Ok(Value::Null) };
    let overflow = || {
        SqlError::new(517, 16, 1, format!("Adding a value to a '{}' column caused an overflow.", ty.name()))
    };
    let months = |n: i64| -> Result<Moment, SqlError> {
        let (y, m, d) = types::civil(at.days);
        let total = n.checked_add(y * 12 + i64::from(m) - 1).ok_or_else(overflow)?;
        let (year, month) = (total.div_euclid(12), total.rem_euclid(12) as u32 + 1);
        let day = d.min(types::month_length(year, month));
        Ok(Moment { days: types::days_of(year, month, day).ok_or_else(overflow)?, ..at })
    };
    let ticks = |unit: i64| -> Result<Moment, SqlError> {
        let total = n.checked_mul(unit).and_then(|d| d.checked_add(at.total())).ok_or_else(overflow)?;
        Ok(Moment::from_total(total, at.offset))
    };
    let moved = match text(a, 0) {
        "year" => months(n.checked_mul(12).ok_or_else(overflow)?)?,
        "quarter" => months(n.checked_mul(3).ok_or_else(overflow)?)?,
        "month" => months(n)?,
        "week" => ticks(7 * DAY)?,
        "day" | "dayofyear" | "weekday" => ticks(DAY)?,
        "hour" => ticks(36_000_000_000)?,
        "minute" => ticks(600_000_000)?,
        "second" => ticks(10_000_000)?,
        "millisecond" => ticks(10_000)?,
        "microsecond" => ticks(10)?,
        "nanosecond" => Moment::from_total(at.total() + n / 100, at.offset),
        other => {
            return Err(SqlError::new(
                9810,
                16,
                0,
                format!(
                    "The datepart {other} is not supported by date function dateadd for data type {}.",
                    ty.name()
                ),
            ));
        }
    };
    types::temporal_value(moved, ty).map_err(|_| overflow())
}

/// `t_datediff(part, from, to, type of both, 1 if the result is bigint)`.
pub(super) fn datediff(a: &[Value]) -> Outcome {
    let ty = type_at(a, 3);
    let utc = |v: &Value| {
        types::moment(v, ty).map(|m| Moment::from_total(m.total() - i64::from(m.offset) * 600_000_000, 0))
    };
    let (Some(from), Some(to)) = (a.get(1).and_then(utc), a.get(2).and_then(utc)) else {
        return Ok(Value::Null);
    };
    let (y1, m1, _) = types::civil(from.days);
    let (y2, m2, _) = types::civil(to.days);
    let months = (y2 - y1) * 12 + i64::from(m2) - i64::from(m1);
    let units = |unit: i64| to.total().div_euclid(unit) - from.total().div_euclid(unit);
    let n = match text(a, 0) {
        "year" => y2 - y1,
        "quarter" => (y2 * 4 + i64::from(m2 - 1) / 3) - (y1 * 4 + i64::from(m1 - 1) / 3),
        "month" => months,
        // Weeks begin on Sunday here, whatever DATEFIRST says. 0001-01-01 was a Monday.
        "week" => (to.days + 1).div_euclid(7) - (from.days + 1).div_euclid(7),
        "day" | "dayofyear" | "weekday" => to.days - from.days,
        "hour" => units(36_000_000_000),
        "minute" => units(600_000_000),
        "second" => units(10_000_000),
        "millisecond" => units(10_000),
        "microsecond" => units(10),
        "nanosecond" => units(1).checked_mul(100).ok_or_else(too_far)?,
        other => {
            return Err(SqlError::new(155, 15, 1, format!("'{other}' is not a recognized datediff option.")));
        }
    };
    if integer(a, 4) == 0 && i32::try_from(n).is_err() {
        return Err(too_far());
    }
    Ok(int(n))
}

pub(super) fn eomonth(a: &[Value]) -> Outcome {
    let total = {
        let (y, m, _) = types::civil(integer(a, 0));
        y * 12 + i64::from(m) - 1 + integer(a, 1)
    };
    let (year, month) = (total.div_euclid(12), total.rem_euclid(12) as u32 + 1);
    let days = types::days_of(year, month, types::month_length(year, month));
    days.map(int).ok_or_else(|| SqlError::overflow_to("date"))
}

/// `t_fromparts(type, year, month, day, hour, minute, second, ticks, offset)`.
pub(super) fn fromparts(a: &[Value]) -> Outcome {
    let ty = type_at(a, 0);
    let bad = || {
        SqlError::new(
            289,
            16,
            1,
            format!(
                "Cannot construct data type {}, some of the arguments have values which are not valid.",
                ty.name()
            ),
        )
    };
    let get = |n: usize| u32::try_from(integer(a, n)).map_err(|_| bad());
    let days = types::days_of(integer(a, 1), get(2)?, get(3)?).ok_or_else(bad)?;
    let (h, m, s, ticks) = (get(4)?, get(5)?, get(6)?, integer(a, 7));
    if h > 23 || m > 59 || s > 59 || !(0..10_000_000).contains(&ticks) {
        return Err(bad());
    }
    let clock = (i64::from(h) * 60 + i64::from(m)) * 60 + i64::from(s);
    let at = Moment { days, ticks: clock * 10_000_000 + ticks, offset: integer(a, 8) as i32 };
    types::temporal_value(at, ty)
}

pub(super) fn datetrunc(a: &[Value]) -> Outcome {
    let ty = type_at(a, 2);
    check_part(text(a, 0), ty, "datetrunc")?;
    let Some(at) = a.get(1).and_then(|v| types::moment(v, ty)) else { return Ok(Value::Null) };
    let (y, m, _) = types::civil(at.days);
    let day = |y, m| types::days_of(y, m, 1).unwrap_or(at.days);
    let unit = |ticks: i64| Moment { ticks: at.ticks / ticks * ticks, ..at };
    let cut = match text(a, 0) {
        "year" => Moment { days: day(y, 1), ticks: 0, ..at },
        "quarter" => Moment { days: day(y, (m - 1) / 3 * 3 + 1), ticks: 0, ..at },
        "month" => Moment { days: day(y, m), ticks: 0, ..at },
        "week" => {
            let first = integer(a, 3).clamp(1, 7);
            Moment { days: at.days - (at.days - first + 1).rem_euclid(7), ticks: 0, ..at }
        }
        "iso_week" => Moment { days: at.days - at.days.rem_euclid(7), ticks: 0, ..at },
        "day" | "dayofyear" => Moment { ticks: 0, ..at },
        "hour" => unit(36_000_000_000),
        "minute" => unit(600_000_000),
        "second" => unit(10_000_000),
        "millisecond" => unit(10_000),
        "microsecond" => unit(10),
        other => {
            return Err(SqlError::new(
                155,
                15,
                1,
                format!("'{other}' is not a recognized datetrunc option."),
            ));
        }
    };
    types::temporal_value(cut, ty)
}

fn too_far() -> SqlError {
    SqlError::new(
        535,
        16,
        0,
        "The datediff function resulted in an overflow. The number of dateparts separating two date/time instances is too large. Try to use datediff with a less precise datepart.",
    )
}

/// `t_date_bucket(part, width, value, type, origin or NULL)`: the start of the bucket that a date falls into. Buckets begin
/// at 1900-01-01 (a Monday) unless another origin is given.
pub(super) fn date_bucket(a: &[Value]) -> Outcome {
    let ty = type_at(a, 3);
    let part = text(a, 0);
    check_part(part, ty, "date_bucket")?;
    let width = integer(a, 1);
    if width <= 0 {
        return Err(SqlError::new(
            9834,
            16,
            1,
            "Invalid bucket width value passed to date_bucket function. Only positive values are allowed.",
        ));
    }
    let Some(at) = a.get(2).and_then(|v| types::moment(v, ty)) else { return Ok(Value::Null) };
    let origin = a.get(4).and_then(|v| types::moment(v, ty));
    let origin = origin.unwrap_or(Moment { days: types::DAYS_1900, ticks: 0, offset: at.offset });
    let overflow = || SqlError::overflow_to(ty.name());
    let months = match part {
        "month" => Some(width),
        "quarter" => width.checked_mul(3),
        "year" => width.checked_mul(12),
        _ => None,
    };
    if let Some(width) = months {
        let (y0, m0, d0) = types::civil(origin.days);
        let (y1, m1, _) = types::civil(at.days);
        let start = |n: i64| -> Option<Moment> {
            let total = y0 * 12 + i64::from(m0) - 1 + n * width;
            let (year, month) = (total.div_euclid(12), total.rem_euclid(12) as u32 + 1);
            let day = d0.min(types::month_length(year, month));
            Some(Moment { days: types::days_of(year, month, day)?, ..origin })
        };
        let apart = (y1 - y0) * 12 + i64::from(m1) - i64::from(m0);
        let guess = apart.div_euclid(width);
        // A later day of the month at the origin makes the guess one too many.
        let found = [guess, guess - 1].into_iter().find_map(|n| start(n).filter(|s| s.total() <= at.total()));
        return types::temporal_value(found.ok_or_else(overflow)?, ty);
    }
    let unit = match part {
        "week" => 7 * DAY,
        "day" => DAY,
        "hour" => 36_000_000_000,
        "minute" => 600_000_000,
        "second" => 10_000_000,
        "millisecond" => 10_000,
        other => {
            return Err(SqlError::new(
                155,
                15,
                1,
                format!("'{other}' is not a recognized date_bucket option."),
            ));
        }
    };
    let width = width.checked_mul(unit).ok_or_else(overflow)?;
    let since = at.total() - origin.total();
    types::temporal_value(Moment::from_total(origin.total() + since.div_euclid(width) * width, at.offset), ty)
}

/// `t_at_zone(value, type, zone)`: local times get the zone's offset, instants move into the zone.
pub(super) fn at_zone(a: &[Value]) -> Outcome {
    let ty = type_at(a, 1);
    let name = text(a, 2);
    let zone = Zone::by_name(name).ok_or_else(|| {
        SqlError::new(
            9820,
            16,
            1,
            format!("The time zone parameter '{name}' provided to AT TIME ZONE clause is invalid."),
        )
    })?;
    let Some(at) = a.first().and_then(|v| types::moment(v, ty)) else { return Ok(Value::Null) };
    let scale = if ty == SqlType::SmallDateTime { 0 } else { ty.scale() };
    let moved = if matches!(ty, SqlType::DateTimeOffset { .. }) {
        let utc = at.total() - i64::from(at.offset) * 600_000_000;
        let offset = zone.offset_at(utc);
        Moment::from_total(utc + i64::from(offset) * 600_000_000, offset)
    } else {
        zone.localize(at.total())
    };
    types::temporal_value(moved, SqlType::DateTimeOffset { scale })
}
