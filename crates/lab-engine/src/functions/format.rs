//! FORMAT: .NET's standard and custom formats of numbers and dates, for the cultures that are asked for most.

use rusqlite::types::Value;

use crate::error::SqlError;
use crate::types::{self, Moment, SqlType};

/// What a culture changes. Names of months and days are English in all of them but where said otherwise.
#[derive(Debug, Clone, Copy)]
struct Culture {
    name: &'static str,
    point: char,
    group: &'static str,
    short_date: &'static str,
    long_date: &'static str,
    short_time: &'static str,
    long_time: &'static str,
    /// `{}` stands for the number.
    currency: &'static str,
    negative_currency: &'static str,
    percent: &'static str,
}

const AMERICAN: Culture = Culture {
    name: "en-us",
    point: '.',
    group: ",",
    short_date: "M/d/yyyy",
    long_date: "dddd, MMMM d, yyyy",
    short_time: "h:mm tt",
    long_time: "h:mm:ss tt",
    currency: "${}",
    negative_currency: "(${})",
    percent: "{}%",
};

const CULTURES: &[Culture] = &[
    AMERICAN,
    Culture {
        name: "en-gb",
        short_date: "dd/MM/yyyy",
        long_date: "dd MMMM yyyy",
        short_time: "HH:mm",
        long_time: "HH:mm:ss",
        currency: "£{}",
        negative_currency: "-£{}",
        ..AMERICAN
    },
    Culture {
        name: "de-de",
        point: ',',
        group: ".",
        short_date: "dd.MM.yyyy",
        long_date: "",
        short_time: "HH:mm",
        long_time: "HH:mm:ss",
        currency: "{} €",
        negative_currency: "-{} €",
        percent: "{} %",
    },
    Culture {
        name: "fr-fr",
        point: ',',
        group: "\u{a0}",
        short_date: "dd/MM/yyyy",
        long_date: "",
        short_time: "HH:mm",
        long_time: "HH:mm:ss",
        currency: "{} €",
        negative_currency: "-{} €",
        percent: "{} %",
    },
    Culture {
        name: "",
        short_date: "MM/dd/yyyy",
        long_date: "dddd, dd MMMM yyyy",
        short_time: "HH:mm",
        long_time: "HH:mm:ss",
        currency: "¤{}",
        negative_currency: "(¤{})",
        percent: "{} %",
        ..AMERICAN
    },
];

fn culture(name: Option<&str>) -> Result<Culture, SqlError> {
    let Some(name) = name else { return Ok(AMERICAN) };
    CULTURES
        .iter()
        .find(|c| c.name.eq_ignore_ascii_case(name))
        .copied()
        .ok_or_else(|| SqlError::unsupported(&format!("FORMAT with culture {name}")))
}

/// `t_format(value, type, format, culture or NULL)`.
pub(super) fn format_function(a: &[Value]) -> Result<Value, SqlError> {
    let text = |n: usize| match a.get(n) {
        Some(Value::Text(t)) => Some(t.as_str()),
        _ => None,
    };
    let ty = match a.get(1) {
        Some(Value::Integer(code)) => SqlType::from_code(*code).unwrap_or(SqlType::Int),
        _ => SqlType::Int,
    };
    let (Some(value), Some(format)) = (a.first().filter(|v| **v != Value::Null), text(2)) else {
        return Ok(Value::Null);
    };
    let culture = culture(text(3))?;
    if ty.is_temporal() {
        let at = types::moment(value, ty).ok_or_else(|| SqlError::internal("a date cannot be read"))?;
        return moment_text(at, format, &culture).map(Value::Text);
    }
    let number = match value {
        Value::Real(r) => Number::of_float(*r),
        exact => match types::exact(exact) {
            Some(scaled) => Number::of_text(&types::exact_text(scaled, types::exact_scale(ty))),
            None => {
                return Err(SqlError::new(
                    8116,
                    16,
                    1,
                    format!("Argument data type {} is invalid for argument 1 of format function.", ty.name()),
                ));
            }
        },
    };
    Ok(number_text(&number, format, &culture).map_or(Value::Null, Value::Text))
}

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(super) const DAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// A date in a .NET format; a single letter is a standard format.
fn moment_text(at: Moment, format: &str, culture: &Culture) -> Result<String, SqlError> {
    let named = matches!(culture.name, "de-de" | "fr-fr");
    let pattern = match format {
        "d" => culture.short_date.to_owned(),
        "D" | "f" | "F" | "M" | "m" | "Y" | "y" if named => {
            return Err(SqlError::unsupported(&format!("FORMAT with names of {}", culture.name)));
        }
        "D" => culture.long_date.to_owned(),
        "f" => format!("{} {}", culture.long_date, culture.short_time),
        "F" => format!("{} {}", culture.long_date, culture.long_time),
        "g" => format!("{} {}", culture.short_date, culture.short_time),
        "G" => format!("{} {}", culture.short_date, culture.long_time),
        "o" | "O" => "yyyy-MM-ddTHH:mm:ss.fffffff".to_owned(),
        "s" => "yyyy-MM-ddTHH:mm:ss".to_owned(),
        "u" => "yyyy-MM-dd HH:mm:ssZ".to_owned(),
        "r" | "R" => "ddd, dd MMM yyyy HH:mm:ss 'GMT'".to_owned(),
        "t" => culture.short_time.to_owned(),
        "T" => culture.long_time.to_owned(),
        "y" | "Y" => "MMMM yyyy".to_owned(),
        "m" | "M" => "MMMM d".to_owned(),
        other => other.strip_prefix('%').unwrap_or(other).to_owned(),
    };
    if named && (pattern.contains("MMM") || pattern.contains("ddd")) {
        return Err(SqlError::unsupported(&format!("FORMAT with names of {}", culture.name)));
    }
    Ok(custom_moment(at, &pattern))
}

fn custom_moment(at: Moment, pattern: &str) -> String {
    let (y, m, d) = types::civil(at.days);
    let seconds = at.ticks / 10_000_000;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let twelve = if hour % 12 == 0 { 12 } else { hour % 12 };
    let month = MONTHS.get(m as usize - 1).copied().unwrap_or_default();
    let day = DAYS.get(at.days.rem_euclid(7) as usize).copied().unwrap_or_default();
    let mut out = String::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\'' || c == '"' {
            while let Some(inner) = chars.next_if(|n| *n != c) {
                out.push(inner);
            }
            chars.next();
            continue;
        }
        if c == '\\' {
            out.extend(chars.next());
            continue;
        }
        let mut n = 1;
        while "yMdhHmsfFtz".contains(c) && chars.next_if_eq(&c).is_some() {
            n += 1;
        }
        let two = |value: i64| if n == 1 { value.to_string() } else { format!("{value:02}") };
        match (c, n) {
            ('y', 1) => out.push_str(&(y % 100).to_string()),
            ('y', 2) => out.push_str(&format!("{:02}", y % 100)),
            ('y', width) => out.push_str(&format!("{y:0width$}", width = width.min(9))),
            ('M', 1 | 2) => out.push_str(&two(i64::from(m))),
            ('M', 3) => out.push_str(month.get(..3).unwrap_or(month)),
            ('M', _) => out.push_str(month),
            ('d', 1 | 2) => out.push_str(&two(i64::from(d))),
            ('d', 3) => out.push_str(day.get(..3).unwrap_or(day)),
            ('d', _) => out.push_str(day),
            ('h', _) => out.push_str(&two(twelve)),
            ('H', _) => out.push_str(&two(hour)),
            ('m', _) => out.push_str(&two(minute)),
            ('s', _) => out.push_str(&two(second)),
            ('f', n) => {
                let digits = format!("{:07}", at.ticks % 10_000_000);
                out.push_str(digits.get(..n.min(7)).unwrap_or(&digits));
            }
            ('F', n) => {
                let digits = format!("{:07}", at.ticks % 10_000_000);
                let shown = digits.get(..n.min(7)).unwrap_or(&digits).trim_end_matches('0');
                if shown.is_empty() && out.ends_with('.') {
                    out.pop();
                }
                out.push_str(shown);
            }
            ('t', 1) => out.push(if hour < 12 { 'A' } else { 'P' }),
            ('t', _) => out.push_str(if hour < 12 { "AM" } else { "PM" }),
            ('z', n) => {
                let (sign, minutes) = (if at.offset < 0 { '-' } else { '+' }, at.offset.abs());
                out.push_str(&match n {
                    1 => format!("{sign}{}", minutes / 60),
                    2 => format!("{sign}{:02}", minutes / 60),
                    _ => format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60),
                });
            }
            (other, _) => out.push(other),
        }
    }
    out
}

/// A float with so many decimals, half away from zero.
pub(super) fn fixed_text(number: f64, decimals: usize) -> String {
    let digits = Number::of_float(number);
    let (whole, fraction) = digits.fixed(decimals);
    let sign = if digits.negative { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// A number in decimal digits: `0.digits * 10^point`, without zeros in front.
#[derive(Debug, Clone, PartialEq)]
struct Number {
    negative: bool,
    digits: String,
    point: i64,
}

impl Number {
    fn of_text(text: &str) -> Number {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |t| (true, t));
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        Number { negative, digits: format!("{whole}{fraction}"), point: whole.len() as i64 }.trimmed()
    }

    /// Of a float .NET shows fifteen digits.
    fn of_float(number: f64) -> Number {
        let text = format!("{:.14e}", number.abs());
        let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
        let power: i64 = power.parse().unwrap_or(0);
        Number { negative: number < 0.0, digits: mantissa.replace('.', ""), point: power + 1 }.trimmed()
    }

    fn trimmed(mut self) -> Number {
        let zeros = self.digits.bytes().take_while(|b| *b == b'0').count();
        self.digits.drain(..zeros);
        self.point -= zeros as i64;
        let kept = self.digits.trim_end_matches('0').len();
        self.digits.truncate(kept);
        if self.digits.is_empty() {
            self.point = 0;
        }
        self
    }

    fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    fn times_ten(&self, power: i64) -> Number {
        Number { point: self.point + power, ..self.clone() }.trimmed()
    }

    /// Rounded to so many decimals, half away from zero: whole part and fraction.
    fn fixed(&self, decimals: usize) -> (String, String) {
        let keep = self.point + decimals as i64;
        let mut digits: Vec<u8> = self.digits.bytes().collect();
        let mut point = self.point;
        if keep < 0 {
            digits.clear();
        } else if (keep as usize) < digits.len() {
            let up = digits.get(keep as usize).is_some_and(|d| *d >= b'5');
            digits.truncate(keep as usize);
            if up {
                let mut at = digits.len();
                loop {
                    if at == 0 {
                        digits.insert(0, b'1');
                        point += 1;
                        break;
                    }
                    at -= 1;
                    if let Some(d) = digits.get_mut(at) {
                        if *d < b'9' {
                            *d += 1;
                            break;
                        }
                        *d = b'0';
                    }
                }
            }
        }
        let text: String = digits.iter().map(|b| *b as char).collect();
        let at = |n: i64| usize::try_from(n).ok().and_then(|n| text.get(n..=n)).unwrap_or("0").to_owned();
        let whole: String = (0..point).map(at).collect();
        let fraction: String = (point..point + decimals as i64).map(at).collect();
        (if whole.is_empty() { "0".to_owned() } else { whole }, fraction)
    }
}

fn grouped(whole: &str, separator: &str) -> String {
    let mut out = String::new();
    for (n, c) in whole.chars().enumerate() {
        if n > 0 && (whole.len() - n).is_multiple_of(3) {
            out.push_str(separator);
        }
        out.push(c);
    }
    out
}

fn number_text(number: &Number, format: &str, culture: &Culture) -> Option<String> {
    let mut chars = format.chars();
    let kind = chars.next()?;
    let precision = chars.as_str();
    if !kind.is_ascii_alphabetic() || !precision.bytes().all(|b| b.is_ascii_digit()) || precision.len() > 2 {
        return Some(custom_number(number, format, culture));
    }
    let digits: Option<usize> = precision.parse().ok();
    let fixed = |number: &Number, default: usize, group: bool| {
        let (whole, fraction) = number.fixed(digits.unwrap_or(default));
        let zero = whole.bytes().chain(fraction.bytes()).all(|b| b == b'0');
        let whole = if group { grouped(&whole, culture.group) } else { whole };
        let text = if fraction.is_empty() { whole } else { format!("{whole}{}{fraction}", culture.point) };
        (text, number.negative && !zero)
    };
    let signed = |(text, negative): (String, bool)| if negative { format!("-{text}") } else { text };
    let integer = || {
        let (whole, fraction) = number.fixed(0);
        if number.point > 19 || !fraction.is_empty() { None } else { whole.parse::<i128>().ok() }
    };
    Some(match kind.to_ascii_uppercase() {
        'N' => signed(fixed(number, 2, true)),
        'F' => signed(fixed(number, 2, false)),
        'C' => {
            let (text, negative) = fixed(number, 2, true);
            let pattern = if negative { culture.negative_currency } else { culture.currency };
            pattern.replace("{}", &text)
        }
        'P' => {
            let (text, negative) = fixed(&number.times_ten(2), 2, true);
            let text = culture.percent.replace("{}", &text);
            if negative { format!("-{text}") } else { text }
        }
        'D' => {
            let text = format!("{:0width$}", integer()?, width = digits.unwrap_or(0));
            if number.negative { format!("-{text}") } else { text }
        }
        'X' => {
            let value = integer()? as i64;
            let value = if number.negative { -value } else { value };
            let text = if i32::try_from(value).is_ok() {
                format!("{:0width$X}", value as i32, width = digits.unwrap_or(0))
            } else {
                format!("{value:0width$X}", width = digits.unwrap_or(0))
            };
            if kind == 'x' { text.to_lowercase() } else { text }
        }
        'E' => {
            let places = digits.unwrap_or(6);
            let power = if number.is_zero() { 0 } else { number.point - 1 };
            let (mut whole, mut fraction) = number.times_ten(-power).fixed(places);
            let mut power = power;
            if whole.len() > 1 {
                fraction = format!("{}{fraction}", whole.get(1..).unwrap_or(""));
                fraction.truncate(places);
                whole.truncate(1);
                power += 1;
            }
            let point = if places == 0 { String::new() } else { culture.point.to_string() };
            let sign = if power < 0 { '-' } else { '+' };
            let text = format!("{whole}{point}{fraction}{kind}{sign}{:03}", power.abs());
            if number.negative { format!("-{text}") } else { text }
        }
        'G' | 'R' => {
            let decimals = (number.digits.len() as i64 - number.point).max(0) as usize;
            let (whole, fraction) = number.fixed(decimals);
            let text =
                if fraction.is_empty() { whole } else { format!("{whole}{}{fraction}", culture.point) };
            if number.negative { format!("-{text}") } else { text }
        }
        _ => return None,
    })
}

/// A custom format: up to three sections for positive, negative and zero.
fn custom_number(number: &Number, format: &str, culture: &Culture) -> String {
    let sections: Vec<&str> = format.split(';').collect();
    let (section, own_sign) = match (sections.as_slice(), number.negative, number.is_zero()) {
        ([_, _, zero, ..], _, true) => (*zero, true),
        ([_, negative, ..], true, _) if !negative.is_empty() => (*negative, true),
        ([first, ..], ..) => (*first, false),
        ([], ..) => ("", false),
    };
    let scaled = if section.contains('%') { number.times_ten(2) } else { number.clone() };
    let placeholders: Vec<char> = section.chars().filter(|c| matches!(c, '0' | '#' | '.' | ',')).collect();
    let point = placeholders.iter().position(|c| *c == '.');
    let (before, after) = placeholders.split_at(point.unwrap_or(placeholders.len()));
    // Commas right in front of the point divide by a thousand each, others group.
    let thousands = before.iter().rev().take_while(|c| **c == ',').count();
    let group = before.iter().rev().skip(thousands).any(|c| *c == ',');
    let scaled = scaled.times_ten(-3 * thousands as i64);
    let decimals = after.iter().filter(|c| matches!(c, '0' | '#')).count();
    let (whole, fraction) = scaled.fixed(decimals);
    let slots: Vec<char> = before.iter().copied().filter(|c| *c != ',').collect();
    let forced = slots.iter().position(|c| *c == '0').map_or(0, |first| slots.len() - first);
    let whole = if whole == "0" { "" } else { whole.as_str() };
    let mut whole = format!("{whole:0>forced$}");
    let needed = after.iter().filter(|c| **c != '.').collect::<Vec<_>>();
    let least = needed.iter().rposition(|c| **c == '0').map_or(0, |last| last + 1);
    let kept = fraction.trim_end_matches('0').len().max(least);
    let fraction = fraction.get(..kept).unwrap_or(&fraction);
    let literal_between = section_has_literals(section);
    if group && !literal_between {
        whole = grouped(&whole, culture.group);
    }
    let mut out = String::new();
    if number.negative
        && !own_sign
        && (whole.bytes().chain(fraction.bytes()).any(|b| (b'1'..=b'9').contains(&b)))
    {
        out.push('-');
    }
    // Each slot takes one digit; the first one takes what is too much for the slots.
    let digits: Vec<char> = whole.chars().collect();
    let mut slot = 0;
    let mut placed_fraction = false;
    let mut behind_point = false;
    let mut chars = section.chars();
    while let Some(c) = chars.next() {
        match c {
            '0' | '#' if !behind_point => {
                if group && !literal_between {
                    if slot == 0 {
                        out.push_str(&whole);
                    }
                } else {
                    let from = if slot == 0 { 0 } else { (digits.len() + slot).saturating_sub(slots.len()) };
                    let to = (digits.len() + slot + 1).saturating_sub(slots.len());
                    out.extend(digits.get(from..to).unwrap_or_default());
                }
                slot += 1;
            }
            '0' | '#' if !placed_fraction => {
                placed_fraction = true;
                out.push_str(fraction);
            }
            '0' | '#' | ',' => {}
            '.' => {
                behind_point = true;
                if !fraction.is_empty() {
                    out.push(culture.point);
                }
            }
            '\\' => out.extend(chars.next()),
            '\'' | '"' => out.extend(chars.by_ref().take_while(|n| *n != c)),
            other => out.push(other),
        }
    }
    out
}

/// Whether anything but digits' places stands between the first and the last of them in front of the point.
fn section_has_literals(section: &str) -> bool {
    let whole = section.split('.').next().unwrap_or_default();
    let is_slot = |c: char| matches!(c, '0' | '#');
    match (whole.find(is_slot), whole.rfind(is_slot)) {
        (Some(first), Some(last)) => {
            whole.get(first..=last).is_some_and(|inner| inner.chars().any(|c| !is_slot(c) && c != ','))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_formatted_as_dotnet_does() {
        for (number, format, wanted) in [
            ("1234567.891", "N", "1,234,567.89"),
            ("-0.004", "N", "0.00"),
            ("2.5", "F0", "3"),
            ("999.995", "N2", "1,000.00"),
            ("-1234.5", "C", "($1,234.50)"),
            ("0.5", "#.##", ".5"),
            ("0.5", "0.00", "0.50"),
            ("1234567.891", "#,##0.00", "1,234,567.89"),
            ("123456789", "###-##-####", "123-45-6789"),
            ("42", "00000", "00042"),
            ("-5.5", "0.0;(0.0);zero", "(5.5)"),
            ("0", "0.0;(0.0);zero", "zero"),
            ("0.125", "0.0%", "12.5%"),
            ("1234567", "0,", "1235"),
            ("9.999", "E2", "1.00E+001"),
            ("-255", "X", "FFFFFF01"),
        ] {
            let shown = number_text(&Number::of_text(number), format, &AMERICAN);
            assert_eq!(shown.as_deref(), Some(wanted), "{number} as {format}");
        }
    }
}
