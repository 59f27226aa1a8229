//! Moments and spans. The pure half has no clock: who has one says when something was.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// A moment in UTC, to the millisecond. As text it is RFC 3339's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(i64);

impl Moment {
    /// From milliseconds since 1970-01-01T00:00:00Z.
    pub fn from_unix_ms(ms: i64) -> Moment {
        // Beyond the years that can be written it is the first or the last of them.
        Moment(ms.clamp(Timestamp::MIN.as_millisecond(), Timestamp::MAX.as_millisecond()))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn unix_ms(self) -> i64 {
        self.0
    }

    /// Milliseconds from `earlier` to this moment; zero if it was not earlier.
    pub fn ms_since(self, earlier: Moment) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }

    /// The moment that many milliseconds later.
    pub fn plus_ms(self, ms: u64) -> Moment {
        Moment::from_unix_ms(self.0.saturating_add(i64::try_from(ms).unwrap_or(i64::MAX)))
    }

    /// Whole days from `now` to this moment; negative if it has passed.
    pub fn days_after(self, now: Moment) -> i64 {
        (self.0 - now.0).div_euclid(86_400_000)
    }

    /// `YYYYMMDD`, the form of a date that T-SQL reads the same under every language setting.
    pub fn sql_date(self) -> String {
        self.timestamp().strftime("%Y%m%d").to_string()
    }

    /// `YYYYMMDD_HHMMSS`, for names of files.
    pub fn file_stamp(self) -> String {
        self.timestamp().strftime("%Y%m%d_%H%M%S").to_string()
    }

    fn timestamp(self) -> Timestamp {
        Timestamp::from_millisecond(self.0).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.timestamp())
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoMoment(pub String);

impl fmt::Display for NoMoment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is no date and time such as 2026-11-25T03:00:00Z", self.0)
    }
}

impl std::error::Error for NoMoment {}

impl FromStr for Moment {
    type Err = NoMoment;

    /// RFC 3339, and what SQL Server writes for a `datetime` (taken as UTC): `2026-11-25 03:00:00.123`.
    fn from_str(text: &str) -> Result<Moment, NoMoment> {
        let text = text.trim();
        if let Ok(stamp) = text.parse::<Timestamp>() {
            return Ok(Moment(stamp.as_millisecond()));
        }
        let civil = text.parse::<DateTime>().ok().and_then(|t| TimeZone::UTC.to_timestamp(t).ok());
        civil.map(|t| Moment(t.as_millisecond())).ok_or_else(|| NoMoment(text.to_owned()))
    }
}

impl Serialize for Moment {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Moment, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_servers_write() {
        let moment: Moment = "2026-11-25T03:00:00.5Z".parse().unwrap();
        assert_eq!(moment.to_string(), "2026-11-25T03:00:00.500Z");
        assert_eq!("2026-11-25 03:00:00.500".parse(), Ok(moment));
        assert_eq!("2026-11-25T04:00:00.5+01:00".parse(), Ok(moment));
        assert_eq!(moment.sql_date(), "20261125");
        for bad in ["", "tomorrow", "2026-13-01T00:00:00Z"] {
            assert!(bad.parse::<Moment>().is_err(), "{bad}");
        }
    }

    #[test]
    fn counts_days_to_an_expiry() {
        let now: Moment = "2026-11-25T03:00:00Z".parse().unwrap();
        assert_eq!(now.plus_ms(86_400_000 * 30).days_after(now), 30);
        assert_eq!(now.days_after(now.plus_ms(1)), -1);
    }
}
