//! AT TIME ZONE: Windows' names of time zones with the rules that hold today.
//!
//! Years before a rule came are converted by the rule of today, too (the parity page says so). A zone that is not here is
//! refused as SQL Server refuses an unknown one.

use crate::types::{DAY, Moment, civil, days_of, month_length};

/// When summer time begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Summer {
    None,
    /// Second Sunday of March to first Sunday of November, at 2:00 local time.
    America,
    /// Last Sundays of March and October, at 1:00 UTC.
    Europe,
    /// First Sunday of October to first Sunday of April, at 2:00 standard time.
    Australia,
    /// Last Sunday of September to first Sunday of April, at 2:00 standard time.
    NewZealand,
}

/// Name, minutes east of UTC in winter, summer time.
const ZONES: &[(&str, i32, Summer)] = &[
    ("UTC", 0, Summer::None),
    ("GMT Standard Time", 0, Summer::Europe),
    ("Greenwich Standard Time", 0, Summer::None),
    ("W. Europe Standard Time", 60, Summer::Europe),
    ("Central Europe Standard Time", 60, Summer::Europe),
    ("Central European Standard Time", 60, Summer::Europe),
    ("Romance Standard Time", 60, Summer::Europe),
    ("W. Central Africa Standard Time", 60, Summer::None),
    ("E. Europe Standard Time", 120, Summer::Europe),
    ("FLE Standard Time", 120, Summer::Europe),
    ("GTB Standard Time", 120, Summer::Europe),
    ("South Africa Standard Time", 120, Summer::None),
    ("Turkey Standard Time", 180, Summer::None),
    ("Russian Standard Time", 180, Summer::None),
    ("Arab Standard Time", 180, Summer::None),
    ("E. Africa Standard Time", 180, Summer::None),
    ("Arabian Standard Time", 240, Summer::None),
    ("Pakistan Standard Time", 300, Summer::None),
    ("India Standard Time", 330, Summer::None),
    ("Nepal Standard Time", 345, Summer::None),
    ("Bangladesh Standard Time", 360, Summer::None),
    ("SE Asia Standard Time", 420, Summer::None),
    ("China Standard Time", 480, Summer::None),
    ("Singapore Standard Time", 480, Summer::None),
    ("Taipei Standard Time", 480, Summer::None),
    ("W. Australia Standard Time", 480, Summer::None),
    ("Tokyo Standard Time", 540, Summer::None),
    ("Korea Standard Time", 540, Summer::None),
    ("AUS Central Standard Time", 570, Summer::None),
    ("Cen. Australia Standard Time", 570, Summer::Australia),
    ("AUS Eastern Standard Time", 600, Summer::Australia),
    ("Tasmania Standard Time", 600, Summer::Australia),
    ("E. Australia Standard Time", 600, Summer::None),
    ("New Zealand Standard Time", 720, Summer::NewZealand),
    ("Argentina Standard Time", -180, Summer::None),
    ("E. South America Standard Time", -180, Summer::None),
    ("SA Eastern Standard Time", -180, Summer::None),
    ("Newfoundland Standard Time", -210, Summer::America),
    ("Atlantic Standard Time", -240, Summer::America),
    ("SA Western Standard Time", -240, Summer::None),
    ("Eastern Standard Time", -300, Summer::America),
    ("US Eastern Standard Time", -300, Summer::America),
    ("SA Pacific Standard Time", -300, Summer::None),
    ("Central Standard Time", -360, Summer::America),
    ("Canada Central Standard Time", -360, Summer::None),
    ("Central America Standard Time", -360, Summer::None),
    ("Mountain Standard Time", -420, Summer::America),
    ("US Mountain Standard Time", -420, Summer::None),
    ("Pacific Standard Time", -480, Summer::America),
    ("Alaskan Standard Time", -540, Summer::America),
    ("Hawaiian Standard Time", -600, Summer::None),
];

const MINUTE: i64 = 600_000_000;
const HOUR: i64 = 36_000_000_000;

/// A time zone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Zone {
    /// Minutes east of UTC outside of summer time.
    standard: i32,
    summer: Summer,
}

impl Zone {
    pub(super) fn by_name(name: &str) -> Option<Zone> {
        let found = ZONES.iter().find(|(n, ..)| n.eq_ignore_ascii_case(name.trim()));
        found.map(|(_, standard, summer)| Zone { standard: *standard, summer: *summer })
    }

    /// The offset at an instant, in ticks of UTC.
    pub(super) fn offset_at(self, utc: i64) -> i32 {
        let (year, ..) = civil(utc.div_euclid(DAY));
        // In the south the summer spans the turn of the year.
        let summer = [year - 1, year]
            .into_iter()
            .any(|y| self.summer_of(y).is_some_and(|(start, end)| (start..end).contains(&utc)));
        self.standard + if summer { 60 } else { 0 }
    }

    /// A local time with its offset: in the gap of spring it is moved an hour ahead, in the doubled hour of autumn the offset
    /// is the one from before the change (AT TIME ZONE, "Remarks").
    pub(super) fn localize(self, local: i64) -> Moment {
        let standard = i64::from(self.standard) * MINUTE;
        let (as_standard, as_summer) = (local - standard, local - standard - HOUR);
        if self.offset_at(as_summer) != self.standard {
            return Moment::from_total(local, self.standard + 60);
        }
        if self.offset_at(as_standard) == self.standard {
            return Moment::from_total(local, self.standard);
        }
        Moment::from_total(local + HOUR, self.standard + 60)
    }

    /// Start and end of the summer time that begins in a year, in ticks of UTC.
    fn summer_of(self, year: i64) -> Option<(i64, i64)> {
        let standard = i64::from(self.standard) * MINUTE;
        let at = |days: Option<i64>, local_hour: i64| days.map(|d| d * DAY + local_hour * HOUR - standard);
        match self.summer {
            Summer::None => None,
            Summer::America => Some((at(sunday(year, 3, 2), 2)?, at(sunday(year, 11, 1), 1)?)),
            Summer::Europe => {
                let utc = |days: Option<i64>| days.map(|d| d * DAY + HOUR);
                Some((utc(last_sunday(year, 3))?, utc(last_sunday(year, 10))?))
            }
            Summer::Australia => Some((at(sunday(year, 10, 1), 2)?, at(sunday(year + 1, 4, 1), 2)?)),
            Summer::NewZealand => Some((at(last_sunday(year, 9), 2)?, at(sunday(year + 1, 4, 1), 2)?)),
        }
    }
}

/// The n-th Sunday of a month. 0001-01-01 was a Monday.
fn sunday(year: i64, month: u32, n: i64) -> Option<i64> {
    let first = days_of(year, month, 1)?;
    Some(first + (6 - first.rem_euclid(7)) + (n - 1) * 7)
}

fn last_sunday(year: i64, month: u32) -> Option<i64> {
    let last = days_of(year, month, month_length(year, month))?;
    Some(last - (last + 1).rem_euclid(7))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_change_when_the_rules_say() {
        let at = |y, m, d, h: i64, min: i64| days_of(y, m, d).unwrap() * DAY + h * HOUR + min * MINUTE;
        let zone = |name| Zone::by_name(name).unwrap();
        let europe = zone("Central European Standard Time");
        assert_eq!(europe.offset_at(at(2022, 3, 27, 0, 59)), 60);
        assert_eq!(europe.offset_at(at(2022, 3, 27, 1, 0)), 120);
        assert_eq!(europe.offset_at(at(2022, 10, 30, 0, 59)), 120);
        assert_eq!(europe.offset_at(at(2022, 10, 30, 1, 0)), 60);
        let east = zone("eastern standard time");
        assert_eq!(east.offset_at(at(2024, 3, 10, 6, 59)), -300);
        assert_eq!(east.offset_at(at(2024, 3, 10, 7, 0)), -240);
        assert_eq!(east.offset_at(at(2024, 11, 3, 5, 59)), -240);
        assert_eq!(east.offset_at(at(2024, 11, 3, 6, 0)), -300);
        let sydney = zone("AUS Eastern Standard Time");
        assert_eq!(sydney.offset_at(at(2024, 1, 1, 0, 0)), 660);
        assert_eq!(sydney.offset_at(at(2024, 7, 1, 0, 0)), 600);
        assert!(Zone::by_name("Mars Standard Time").is_none());
    }
}
