//! Values as text, as T-SQL prints them.

use rusqlite::types::Value;

use super::{SqlType, civil, exact, exact_scale, exact_text, guid::guid_text, moment, variant_parts};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A value as CONVERT without a style makes it text. NULL is empty.
pub fn display_value(value: &Value, ty: SqlType) -> String {
    text_of(value, ty, None).unwrap_or_default()
}

/// A value as text in a style of CONVERT; `None` for NULL or a style that does not exist.
pub(crate) fn text_of(value: &Value, ty: SqlType, style: Option<i32>) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        _ if ty == SqlType::Variant => {
            let (inner, value) = variant_parts(value)?;
            return text_of(&value, inner, style);
        }
        Value::Text(t) => t.clone(),
        _ if ty.is_temporal() => return temporal_text(value, ty, style),
        _ if ty == SqlType::UniqueIdentifier => match value {
            Value::Blob(b) => guid_text(b)?,
            _ => return None,
        },
        _ if ty.is_money() => money_text(exact(value)?, style.unwrap_or(0)),
        _ if ty.is_decimal() => exact_text(exact(value)?, exact_scale(ty)),
        Value::Integer(i) => i.to_string(),
        Value::Real(r) => float_text(*r, ty == SqlType::Real, style.unwrap_or(0)),
        Value::Blob(b) => match style.unwrap_or(0) {
            0 => super::decode_code_page(b),
            1 => format!("0x{}", hex_upper(b)),
            _ => hex_upper(b),
        },
    })
}

/// Bytes from hexadecimal digits; `None` if they are not.
pub(crate) fn parse_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| text.get(at..at + 2).and_then(|h| u8::from_str_radix(h, 16).ok()))
        .collect()
}

/// Upper-case hexadecimal digits.
pub(crate) fn hex_upper(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02X}").expect("writing to a String cannot fail");
        text
    })
}

/// Style 0: two digits; 1: with thousands; 2: four digits.
fn money_text(scaled: i128, style: i32) -> String {
    if style == 2 {
        return exact_text(scaled, 4);
    }
    let text = exact_text(super::rescale(scaled, 4, 2).unwrap_or(scaled), 2);
    if style != 1 {
        return text;
    }
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |d| ("-", d));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "00"));
    let mut grouped = String::new();
    for (n, c) in whole.chars().enumerate() {
        if n > 0 && (whole.len() - n) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(c);
    }
    format!("{sign}{grouped}.{fraction}")
}

/// Style 0: six significant digits, scientific where that is shorter; 1: eight; 2: sixteen; 3: seventeen, scientific.
pub(crate) fn float_text(value: f64, single: bool, style: i32) -> String {
    match style {
        1 => return exponent(&format!("{value:.7e}")),
        2 => return exponent(&format!("{value:.15e}")),
        3 => {
            return if single {
                exponent(&format!("{value:.8e}"))
            } else {
                exponent(&format!("{value:.16e}"))
            };
        }
        _ => {}
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    // The power after rounding: 999999.7 is 1e+006.
    let rounded = format!("{value:.5e}");
    let magnitude: i32 = rounded.split_once('e').and_then(|(_, power)| power.parse().ok()).unwrap_or(0);
    if (-4..6).contains(&magnitude) {
        let decimals = usize::try_from(5 - magnitude).unwrap_or(0);
        let text = format!("{value:.decimals$}");
        return if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text
        };
    }
    let (mantissa, power) = rounded.split_once('e').unwrap_or((&rounded, "0"));
    let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.');
    exponent(&format!("{mantissa}e{power}"))
}

/// `1.5e7` as `1.5e+007`.
fn exponent(text: &str) -> String {
    let (mantissa, power) = text.split_once('e').unwrap_or((text, "0"));
    let number: i32 = power.parse().unwrap_or(0);
    format!("{mantissa}e{}{:03}", if number < 0 { '-' } else { '+' }, number.abs())
}

struct Clock {
    hour: i64,
    minute: i64,
    second: i64,
    ticks: i64,
}

impl Clock {
    fn of(ticks: i64) -> Clock {
        let seconds = ticks / 10_000_000;
        Clock {
            hour: seconds / 3600,
            minute: seconds / 60 % 60,
            second: seconds % 60,
            ticks: ticks % 10_000_000,
        }
    }

    fn short(&self) -> String {
        format!("{:02}:{:02}:{:02}", self.hour, self.minute, self.second)
    }

    /// ` 3:04PM`, with `middle` in front of AM and PM.
    fn twelve(&self, middle: &str) -> String {
        let hour = if self.hour % 12 == 0 { 12 } else { self.hour % 12 };
        format!("{hour:>2}:{:02}{middle}{}", self.minute, if self.hour < 12 { "AM" } else { "PM" })
    }

    fn fraction(&self, scale: u8) -> String {
        if scale == 0 {
            return String::new();
        }
        let digits = format!("{:07}", self.ticks);
        format!(".{}", digits.get(..usize::from(scale)).unwrap_or(&digits))
    }
}

/// Dates and times in the styles of CONVERT ("CAST and CONVERT", Date and time styles).
fn temporal_text(value: &Value, ty: SqlType, style: Option<i32>) -> Option<String> {
    let mut at = moment(value, ty)?;
    if style == Some(127) && at.offset != 0 {
        at = super::Moment::from_total(at.total() - i64::from(at.offset) * 600_000_000, 0);
    }
    let (y, m, d) = civil(at.days);
    let c = Clock::of(at.ticks);
    let old = matches!(ty, SqlType::DateTime | SqlType::SmallDateTime);
    let scale = if old { 3 } else { ty.scale() };
    let iso_date = format!("{y:04}-{m:02}-{d:02}");
    let offset = || {
        let sign = if at.offset < 0 { '-' } else { '+' };
        format!("{sign}{:02}:{:02}", at.offset.abs() / 60, at.offset.abs() % 60)
    };
    let iso_time = format!(
        "{}{}",
        c.short(),
        if ty == SqlType::SmallDateTime { String::new() } else { c.fraction(scale) }
    );
    let Some(style) = style.or(if old { Some(0) } else { None }) else {
        return Some(match ty {
            SqlType::Date => iso_date,
            SqlType::Time { .. } => iso_time,
            SqlType::DateTimeOffset { .. } => format!("{iso_date} {iso_time} {}", offset()),
            _ => format!("{iso_date} {iso_time}"),
        });
    };
    let year = |full: bool| if full { format!("{y:04}") } else { format!("{:02}", y % 100) };
    let full = style >= 100 || matches!(style, 0 | 9 | 13 | 20 | 21 | 23 | 25);
    let yy = year(full);
    let month = MONTHS.get(m as usize - 1).copied().unwrap_or_default();
    let date = match style % 100 {
        0 | 9 if style != 109 || full => format!("{month} {d:>2} {y:04}"),
        1 => format!("{m:02}/{d:02}/{yy}"),
        2 => format!("{yy}.{m:02}.{d:02}"),
        3 => format!("{d:02}/{m:02}/{yy}"),
        4 => format!("{d:02}.{m:02}.{yy}"),
        5 => format!("{d:02}-{m:02}-{yy}"),
        6 => format!("{d:02} {month} {yy}"),
        7 => format!("{month} {d:02}, {yy}"),
        8 | 14 | 24 => String::new(),
        10 => format!("{m:02}-{d:02}-{yy}"),
        22 => format!("{m:02}/{d:02}/{yy}"),
        11 => format!("{yy}/{m:02}/{d:02}"),
        12 => format!("{yy}{m:02}{d:02}"),
        13 => format!("{d:02} {month} {y:04}"),
        20 | 21 | 23 | 25 | 26 | 27 => iso_date.clone(),
        _ => return None,
    };
    let milli = format!("{:03}", c.ticks / 10_000);
    let fraction = if old { milli.clone() } else { c.fraction(scale).trim_start_matches('.').to_owned() };
    let with =
        |sep: char| if fraction.is_empty() { c.short() } else { format!("{}{sep}{fraction}", c.short()) };
    let clock = match style % 100 {
        0 => c.twelve(""),
        9 => {
            let twelve = c.twelve("");
            let (head, noon) = twelve.split_at(twelve.len() - 2);
            format!("{head}:{:02}:{fraction}{noon}", c.second)
        }
        8 | 24 => c.short(),
        22 => {
            let twelve = c.twelve("");
            let (head, noon) = twelve.split_at(twelve.len() - 2);
            format!("{head}:{:02} {noon}", c.second)
        }
        13 | 14 => with(':'),
        20 => c.short(),
        21 | 25 => with('.'),
        26 | 27 => {
            if old && c.ticks == 0 {
                c.short()
            } else {
                with('.')
            }
        }
        _ => String::new(),
    };
    let zone = match ty {
        SqlType::DateTimeOffset { .. } if matches!(style % 100, 0 | 9 | 13 | 14 | 20 | 21 | 25 | 26) => {
            format!("{}{}", if style % 100 == 26 { "" } else { " " }, offset())
        }
        _ => String::new(),
    };
    let zulu = if style == 127 && !matches!(ty, SqlType::Date) && matches!(ty, SqlType::DateTimeOffset { .. })
    {
        "Z"
    } else {
        ""
    };
    Some(match ty {
        SqlType::Date => {
            if date.is_empty() {
                return None;
            }
            date
        }
        SqlType::Time { .. } => {
            if clock.is_empty() {
                return None;
            }
            clock.trim_start().to_owned()
        }
        _ if date.is_empty() => format!("{clock}{zone}"),
        _ if clock.is_empty() => date,
        _ => format!("{date}{}{clock}{zone}{zulu}", if matches!(style, 126 | 127) { "T" } else { " " }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_of_convert() {
        let at = super::super::parse_moment("1998-05-06 15:04:09.123", super::super::DateFormat::Mdy, true)
            .unwrap();
        let v = super::super::temporal_value(at, SqlType::DateTime).unwrap();
        for (style, wanted) in [
            (0, "May  6 1998  3:04PM"),
            (100, "May  6 1998  3:04PM"),
            (101, "05/06/1998"),
            (1, "05/06/98"),
            (103, "06/05/1998"),
            (106, "06 May 1998"),
            (108, "15:04:09"),
            (109, "May  6 1998  3:04:09:123PM"),
            (112, "19980506"),
            (113, "06 May 1998 15:04:09:123"),
            (120, "1998-05-06 15:04:09"),
            (121, "1998-05-06 15:04:09.123"),
            (126, "1998-05-06T15:04:09.123"),
        ] {
            assert_eq!(text_of(&v, SqlType::DateTime, Some(style)).as_deref(), Some(wanted), "style {style}");
        }
    }

    #[test]
    fn floats_print_six_digits() {
        for (value, wanted) in [
            (1.0, "1"),
            (0.1, "0.1"),
            (123_456_789.0, "1.23457e+008"),
            (1e-7, "1e-007"),
            (2.718_281_9, "2.71828"),
        ] {
            assert_eq!(float_text(value, false, 0), wanted);
        }
    }
}
