//! Times as Azure writes them.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as i64
}

/// The date of a day since 1970, by the civil calendar.
fn date(days: i64) -> (i64, i64, i64) {
    // Howard Hinnant's algorithm: eras of 400 years that begin on 1 March.
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Milliseconds since 1970 as `2026-08-11T10:58:29.89Z`: a fraction has no zeros at its end, and none is left out.
pub fn iso(ms: i64) -> String {
    let (year, month, day) = date(ms.div_euclid(86_400_000));
    let within = ms.rem_euclid(86_400_000);
    let (seconds, millis) = (within / 1000, within % 1000);
    let fraction =
        if millis == 0 { String::new() } else { format!(".{millis:03}").trim_end_matches('0').to_owned() };
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}{fraction}Z",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// `8/11/2026 10:58:29 AM`, as messages about tokens have it.
pub(crate) fn spoken(ms: i64) -> String {
    let (year, month, day) = date(ms.div_euclid(86_400_000));
    let seconds = ms.rem_euclid(86_400_000) / 1000;
    let hour = seconds / 3600;
    let (twelve, half) = (if hour % 12 == 0 { 12 } else { hour % 12 }, if hour < 12 { "AM" } else { "PM" });
    format!("{month}/{day}/{year} {twelve}:{:02}:{:02} {half}", seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_azure_writes_them() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_786_445_909_890, "2026-08-11T10:58:29.89Z"),
            (1_709_209_845_000, "2024-02-29T12:30:45Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (1_709_209_845_003, "2024-02-29T12:30:45.003Z"),
        ] {
            assert_eq!(iso(ms), text);
        }
        assert_eq!(spoken(1_786_445_909_890), "8/11/2026 10:58:29 AM");
        assert_eq!(spoken(0), "1/1/1970 12:00:00 AM");
    }
}
