//! Dates and times: a day count since 0001-01-01 and 100 ns ticks since midnight.

use rusqlite::types::Value;

use super::SqlType;
use crate::error::SqlError;

/// 100 ns ticks of a day.
pub(crate) const DAY: i64 = 864_000_000_000;
/// Days from 0001-01-01 to 1900-01-01.
pub(crate) const DAYS_1900: i64 = 693_595;
/// Days from 0001-01-01 to 1970-01-01.
const DAYS_1970: i64 = 719_162;
/// 1/300 s of a day.
const DATETIME_DAY: i64 = 25_920_000;
/// The last day that exists: 9999-12-31.
pub(crate) const DAY_MAX: i64 = 3_652_058;

/// How ambiguous dates are read (SET DATEFORMAT).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum DateFormat {
    #[default]
    Mdy,
    Dmy,
    Ymd,
}

impl DateFormat {
    pub(crate) fn by_name(name: &str) -> Option<DateFormat> {
        match name.to_ascii_lowercase().as_str() {
            "mdy" => Some(DateFormat::Mdy),
            "dmy" => Some(DateFormat::Dmy),
            "ymd" | "ydm" | "myd" | "dym" => Some(DateFormat::Ymd),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            DateFormat::Mdy => "mdy",
            DateFormat::Dmy => "dmy",
            DateFormat::Ymd => "ymd",
        }
    }
}

/// A point in local time, with its offset from UTC if the type has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Days since 0001-01-01.
    pub(crate) days: i64,
    /// 100 ns since midnight.
    pub(crate) ticks: i64,
    /// Minutes east of UTC.
    pub(crate) offset: i32,
}

impl Moment {
    /// Ticks since 0001-01-01.
    pub(crate) fn total(self) -> i64 {
        self.days * DAY + self.ticks
    }

    pub(crate) fn from_total(total: i64, offset: i32) -> Moment {
        Moment { days: total.div_euclid(DAY), ticks: total.rem_euclid(DAY), offset }
    }
}

/// Year, month, day of a day count (proleptic Gregorian calendar).
pub(crate) fn civil(days: i64) -> (i64, u32, u32) {
    let z = days + 306;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = (doy - (153 * mp + 2) / 5 + 1) as u32;
    let month = if mp < 10 { mp + 3 } else { mp - 9 } as u32;
    (yoe + era * 400 + i64::from(month <= 2), month, day)
}

/// Day count of a date, which must exist.
pub(crate) fn days_of(year: i64, month: u32, day: u32) -> Option<i64> {
    if !(1..=9999).contains(&year) || !(1..=12).contains(&month) || day < 1 || day > month_length(year, month)
    {
        return None;
    }
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let mp = i64::from(if month > 2 { month - 3 } else { month + 9 });
    let doy = (153 * mp + 2) / 5 + i64::from(day) - 1;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    Some(era * 146_097 + doe - 306)
}

/// Days of a month.
pub(crate) fn month_length(year: i64, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 => 29,
        2 => 28,
        _ => 31,
    }
}

/// 100 ns ticks in one unit of a fraction of `scale` digits.
pub(crate) fn scale_unit(scale: u8) -> i64 {
    10_i64.pow(u32::from(7 - scale.min(7)))
}

/// The moment that a value of a date or time type stands for.
pub(crate) fn moment(value: &Value, ty: SqlType) -> Option<Moment> {
    if let (Value::Blob(bytes), SqlType::DateTimeOffset { .. }) = (value, ty) {
        let utc = i64::from_be_bytes(bytes.get(..8)?.try_into().ok()?);
        let offset = i32::from(u16::from_be_bytes(bytes.get(8..10)?.try_into().ok()?)) - 32_768;
        return Some(Moment::from_total(utc + i64::from(offset) * 600_000_000, offset));
    }
    let Value::Integer(n) = *value else { return None };
    let local = |days, ticks| Moment { days, ticks, offset: 0 };
    Some(match ty {
        SqlType::Date => local(n, 0),
        SqlType::Time { .. } => local(DAYS_1900, n),
        SqlType::DateTime => {
            let (day, rest) = (n.div_euclid(DATETIME_DAY), n.rem_euclid(DATETIME_DAY));
            // 1/300 s shown to the millisecond ends in 0, 3 or 7.
            let millis = (rest * 10 + 1) / 3;
            local(DAYS_1900 + day, millis * 10_000)
        }
        SqlType::SmallDateTime => local(DAYS_1900 + n.div_euclid(1440), n.rem_euclid(1440) * 600_000_000),
        SqlType::DateTime2 { .. } => Moment::from_total(n, 0),
        _ => return None,
    })
}

/// The moment of a `datetime` to 100 ns, as the types with more digits see it.
pub(crate) fn exact_datetime(thirds: i64) -> Moment {
    let (day, rest) = (thirds.div_euclid(DATETIME_DAY), thirds.rem_euclid(DATETIME_DAY));
    Moment { days: DAYS_1900 + day, ticks: (rest * 200_000 + 3) / 6, offset: 0 }
}

/// A moment as a value of a date or time type, rounded to its precision.
///
/// # Errors
/// 242 if the type cannot hold it.
pub(crate) fn temporal_value(at: Moment, ty: SqlType) -> Result<Value, SqlError> {
    let round = |ticks: i64, unit: i64| (ticks + unit / 2) / unit * unit;
    let in_range = |days: i64, low: i64, high: i64| {
        if (low..=high).contains(&days) {
            Ok(())
        } else {
            Err(SqlError::date_out_of_range("datetime2", ty.name()))
        }
    };
    Ok(match ty {
        SqlType::Date => {
            in_range(at.days, 0, DAY_MAX)?;
            Value::Integer(at.days)
        }
        SqlType::Time { scale } => {
            let ticks = round(at.ticks, scale_unit(scale));
            Value::Integer(if ticks >= DAY { 0 } else { ticks })
        }
        SqlType::DateTime => {
            in_range(at.days, 639_905, DAY_MAX)?;
            let thirds = (at.ticks * 3 + 50_000) / 100_000;
            Value::Integer((at.days - DAYS_1900) * DATETIME_DAY + thirds)
        }
        SqlType::SmallDateTime => {
            // 29.998 s and less round down, 29.999 s and more round up.
            let minutes = (at.ticks + 300_010_000) / 600_000_000;
            let total = (at.days - DAYS_1900) * 1440 + minutes;
            in_range(total, 0, 94_674_239)?;
            Value::Integer(total)
        }
        SqlType::DateTime2 { scale } => {
            let total = round(at.total(), scale_unit(scale));
            in_range(total.div_euclid(DAY), 0, DAY_MAX)?;
            Value::Integer(total)
        }
        SqlType::DateTimeOffset { scale } => {
            let utc = round(at.total(), scale_unit(scale)) - i64::from(at.offset) * 600_000_000;
            in_range(utc.div_euclid(DAY), 0, DAY_MAX)?;
            let mut bytes = utc.to_be_bytes().to_vec();
            bytes.extend(((at.offset + 32_768) as u16).to_be_bytes());
            Value::Blob(bytes)
        }
        _ => return Err(SqlError::internal(format!("{ty} is no date or time"))),
    })
}

/// Now in UTC, in 100 ns since 0001-01-01.
pub(crate) fn now_ticks() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    DAYS_1970 * DAY + (since.as_nanos() / 100) as i64
}

/// Now as `datetime`.
pub(crate) fn now_datetime() -> i64 {
    match temporal_value(Moment::from_total(now_ticks(), 0), SqlType::DateTime) {
        Ok(Value::Integer(n)) => n,
        _ => 0,
    }
}

/// A `datetime` in whole seconds since 1970.
pub(crate) fn unix_seconds(datetime: i64) -> i64 {
    datetime.div_euclid(DATETIME_DAY / 86_400) - DAYS_1900_TO_1970 * 86_400
}

/// Seconds since 1970 as a `datetime`.
pub(crate) fn datetime_from_unix(seconds: i64) -> i64 {
    (seconds + DAYS_1900_TO_1970 * 86_400) * (DATETIME_DAY / 86_400)
}

const DAYS_1900_TO_1970: i64 = 25_567;

/// Midnight of a date as `datetime`.
pub(crate) fn datetime_from_ymd(year: i64, month: u32, day: u32) -> i64 {
    (days_of(year, month, day).unwrap_or(DAYS_1900) - DAYS_1900) * DATETIME_DAY
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Number(i64, usize),
    Word(String),
    Mark(char),
}

fn pieces(text: &str) -> Option<Vec<Piece>> {
    let mut out = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(&c) = chars.peek() {
        if c.is_ascii_digit() {
            let mut digits = String::new();
            while let Some(d) = chars.next_if(char::is_ascii_digit) {
                digits.push(d);
            }
            if digits.len() > 18 {
                return None;
            }
            out.push(Piece::Number(digits.parse().ok()?, digits.len()));
        } else if c.is_alphabetic() {
            let mut word = String::new();
            while let Some(l) = chars.next_if(|l| l.is_alphabetic()) {
                word.extend(l.to_lowercase());
            }
            out.push(Piece::Word(word));
        } else {
            chars.next();
            if !c.is_whitespace() || !matches!(out.last(), Some(Piece::Mark(' '))) {
                out.push(Piece::Mark(if c.is_whitespace() { ' ' } else { c }));
            }
        }
    }
    Some(out)
}

/// Reads a date, a time or both as T-SQL literals write them. `None` if the text is none; the second value tells an
/// impossible date (242) from text that is no date (241). `old`: as datetime and smalldatetime read it, which take no more
/// than three digits behind the second, no offset, and the day before the month even behind a year of four digits where
/// DATEFORMAT says so.
pub(crate) fn parse_moment(text: &str, format: DateFormat, old: bool) -> Result<Moment, bool> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(Moment { days: DAYS_1900, ticks: 0, offset: 0 });
    }
    let pieces = pieces(text).ok_or(false)?;
    let (date, clock) = split_time(&pieces);
    let (ticks, offset) = match clock {
        Some(clock) => parse_clock(&clock, old).ok_or(false)?,
        None => (0, 0),
    };
    let iso = pieces.iter().any(|p| matches!(p, Piece::Word(w) if w == "t"));
    let days = match parse_date(&date, format, old && !iso)? {
        Some(days) => days,
        None => DAYS_1900,
    };
    Ok(Moment { days, ticks, offset })
}

/// Where the time begins: at the number in front of the first colon, or in front of AM/PM.
fn split_time(all: &[Piece]) -> (Vec<Piece>, Option<Vec<Piece>>) {
    let colon = all.iter().position(|p| *p == Piece::Mark(':'));
    let noon = all.iter().position(|p| matches!(p, Piece::Word(w) if w == "am" || w == "pm"));
    let start = match (colon, noon) {
        (Some(at), _) => at.checked_sub(1),
        (None, Some(at)) => (0..at).rev().find(|n| matches!(all.get(*n), Some(Piece::Number(..)))),
        (None, None) => None,
    };
    let Some(start) = start else { return (all.to_vec(), None) };
    let mut date = all.get(..start).unwrap_or_default().to_vec();
    while matches!(date.last(), Some(Piece::Mark(' ')))
        || matches!(date.last(), Some(Piece::Word(w)) if w == "t")
    {
        date.pop();
    }
    // A time may stand in front of its date: `3:04PM Jan 5 1998` is rare enough to be left out.
    (date, Some(all.get(start..).unwrap_or_default().to_vec()))
}

fn parse_clock(pieces: &[Piece], old: bool) -> Option<(i64, i32)> {
    let mut fields = [0_i64; 3];
    let mut fraction = 0_i64;
    let mut at = 0;
    let mut n = 0;
    let number = |at: usize| match pieces.get(at) {
        Some(Piece::Number(v, len)) => Some((*v, *len)),
        _ => None,
    };
    loop {
        let (value, len) = number(at)?;
        if n == 3 {
            return None;
        }
        fields[n] = value;
        n += 1;
        if len > 2 {
            return None;
        }
        at += 1;
        match pieces.get(at) {
            Some(Piece::Mark(':')) if n < 3 => at += 1,
            // `12:30:15:123` has milliseconds behind the last colon.
            Some(Piece::Mark(':')) => {
                let (value, len) = number(at + 1)?;
                fraction =
                    value * 10_i64.pow(7_u32.checked_sub(3)?) * if len <= 3 { 1 } else { return None };
                at += 2;
                break;
            }
            Some(Piece::Mark('.')) if n == 3 => {
                let (value, len) = number(at + 1)?;
                if old && len > 3 {
                    return None;
                }
                fraction = match 7_u32.checked_sub(len as u32) {
                    Some(up) => value * 10_i64.pow(up),
                    None => return None,
                };
                at += 2;
                break;
            }
            _ => break,
        }
    }
    let mut offset = 0;
    while matches!(pieces.get(at), Some(Piece::Mark(' '))) {
        at += 1;
    }
    match pieces.get(at) {
        Some(Piece::Word(w)) if w == "am" || w == "pm" => {
            if fields[0] > 12 || (fields[0] == 0 && w == "pm") {
                return None;
            }
            fields[0] = fields[0] % 12 + if w == "pm" { 12 } else { 0 };
            at += 1;
        }
        Some(Piece::Word(w)) if w == "z" => at += 1,
        _ => {}
    }
    while matches!(pieces.get(at), Some(Piece::Mark(' '))) {
        at += 1;
    }
    if let Some(Piece::Mark(sign @ ('+' | '-'))) = pieces.get(at).filter(|_| !old) {
        let (hours, _) = number(at + 1)?;
        let (minutes, _) =
            if pieces.get(at + 2) == Some(&Piece::Mark(':')) { number(at + 3)? } else { return None };
        let total = i32::try_from(hours * 60 + minutes).ok()?;
        if total > 840 {
            return None;
        }
        offset = if *sign == '-' { -total } else { total };
        at += 4;
    }
    if at != pieces.len() || fields[0] > 23 || fields[1] > 59 || fields[2] > 59 {
        return None;
    }
    Some((((fields[0] * 60 + fields[1]) * 60 + fields[2]) * 10_000_000 + fraction, offset))
}

/// `Ok(None)` if there is no date at all.
fn parse_date(pieces: &[Piece], format: DateFormat, old: bool) -> Result<Option<i64>, bool> {
    let numbers: Vec<(i64, usize)> = pieces
        .iter()
        .filter_map(|p| if let Piece::Number(v, len) = p { Some((*v, *len)) } else { None })
        .collect();
    let words: Vec<&String> =
        pieces.iter().filter_map(|p| if let Piece::Word(w) = p { Some(w) } else { None }).collect();
    let month = |w: &str| MONTHS.iter().position(|m| *m == w || (w.len() >= 3 && m.get(..3) == Some(w)));
    let full_year = |(year, len): (i64, usize)| match len {
        1 | 2 => Some(if year < 50 { 2000 + year } else { 1900 + year }),
        4 => Some(year),
        _ => None,
    };
    let date = |year: Option<i64>, month: i64, day: i64| -> Result<Option<i64>, bool> {
        let year = year.ok_or(false)?;
        days_of(year, u32::try_from(month).map_err(|_| true)?, u32::try_from(day).map_err(|_| true)?)
            .map(Some)
            .ok_or(true)
    };
    match (numbers.as_slice(), words.as_slice()) {
        ([], []) if pieces.is_empty() => Ok(None),
        ([(n, 8)], []) => date(Some(n / 10_000), n / 100 % 100, n % 100),
        ([(n, 6)], []) => date(full_year((n / 10_000, 2)), n / 100 % 100, n % 100),
        ([(n, 4)], []) => date(Some(*n), 1, 1),
        ([a, b, c], []) => {
            if a.1 == 4 {
                let dmy = format == DateFormat::Dmy && (old || pieces.contains(&Piece::Mark('/')));
                return if dmy { date(Some(a.0), c.0, b.0) } else { date(Some(a.0), b.0, c.0) };
            }
            match format {
                DateFormat::Mdy => date(full_year(*c), a.0, b.0),
                DateFormat::Dmy => date(full_year(*c), b.0, a.0),
                DateFormat::Ymd => date(full_year(*a), b.0, c.0),
            }
        }
        (numbers, [word]) => {
            let month = month(word).ok_or(false)? as i64 + 1;
            match numbers {
                [year] if year.1 == 4 => date(Some(year.0), month, 1),
                [a, b] if a.1 == 4 => date(Some(a.0), month, b.0),
                [a, b] => date(full_year(*b), month, a.0),
                _ => Err(false),
            }
        }
        _ => Err(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_goes_there_and_back() {
        for days in (0..=DAY_MAX).step_by(13) {
            let (y, m, d) = civil(days);
            assert_eq!(days_of(y, m, d), Some(days));
        }
        assert_eq!(civil(DAYS_1900), (1900, 1, 1));
        assert_eq!(civil(DAY_MAX), (9999, 12, 31));
        assert_eq!(civil(639_905), (1753, 1, 1));
    }

    #[test]
    fn literals_are_read_as_t_sql_reads_them() {
        let read = |text: &str| {
            let m = parse_moment(text, DateFormat::Mdy, false).unwrap_or_else(|_| panic!("{text}"));
            let (y, mo, d) = civil(m.days);
            let s = m.ticks / 10_000_000;
            format!(
                "{y:04}-{mo:02}-{d:02} {:02}:{:02}:{:02}.{:07} {}",
                s / 3600,
                s / 60 % 60,
                s % 60,
                m.ticks % 10_000_000,
                m.offset
            )
        };
        assert_eq!(read("1998-05-06T07:08:09.123"), "1998-05-06 07:08:09.1230000 0");
        assert_eq!(read("5/6/1998"), "1998-05-06 00:00:00.0000000 0");
        assert_eq!(read("20240229"), "2024-02-29 00:00:00.0000000 0");
        assert_eq!(read("Jan  5 1998  3:04PM"), "1998-01-05 15:04:00.0000000 0");
        assert_eq!(read("2024-01-02 03:04:05.1234567 +05:30"), "2024-01-02 03:04:05.1234567 330");
        assert_eq!(read("12/08/48"), "2048-12-08 00:00:00.0000000 0");
        assert_eq!(parse_moment("2023-02-30", DateFormat::Mdy, false), Err(true));
        assert_eq!(parse_moment("hello", DateFormat::Mdy, false), Err(false));
    }

    #[test]
    fn datetime_rounds_to_three_hundredths() {
        let at = |ms: i64| Moment { days: DAYS_1900, ticks: ms * 10_000, offset: 0 };
        let shown = |ms| {
            moment(&temporal_value(at(ms), SqlType::DateTime).unwrap(), SqlType::DateTime).unwrap().ticks
                / 10_000
        };
        // The documented table: .990-.991 → .990, .992-.994 → .993, .995-.998 → .997, .999 → 1.000.
        assert_eq!(
            [shown(990), shown(991), shown(992), shown(994), shown(995), shown(998), shown(999)],
            [990, 990, 993, 993, 997, 997, 1000]
        );
    }
}
