//! Values as they are read: with units, and `unknown` for what nobody has said.

use milink_core::status::CertificateStatus;

use super::super::database::bytes;

/// What is shown for something that nobody has said.
pub(super) const UNKNOWN: &str = "unknown";

/// Fewer days than this want attention.
const CERTIFICATE_DAYS_FEW: i64 = 30;

/// A cell: what is shown, and by what it is sorted. What is unknown comes last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) text: String,
    pub(super) sort: String,
    pub(super) tone: &'static str,
}

impl Value {
    fn of(value: Option<u64>, text: impl FnOnce(u64) -> String) -> Value {
        match value {
            Some(value) => Value { text: text(value), sort: value.to_string(), tone: "" },
            None => Value { text: UNKNOWN.to_owned(), sort: String::new(), tone: "warning" },
        }
    }
}

/// An amount of log, told in KiB.
pub(super) fn queue(kb: Option<u64>) -> Value {
    Value::of(kb, |kb| bytes(kb.saturating_mul(1024)))
}

/// A rate of log, told in KiB a second.
pub(super) fn rate(kb: Option<u64>) -> Value {
    Value::of(kb, |kb| format!("{}/s", bytes(kb.saturating_mul(1024))))
}

/// A time.
pub(super) fn seconds(seconds: Option<u64>) -> Value {
    Value::of(seconds, |s| match s {
        0..120 => format!("{s} s"),
        120..7200 => format!("{} min {} s", s / 60, s % 60),
        _ => format!("{} h {} min", s / 3600, s / 60 % 60),
    })
}

/// A distance of LSNs, which may have more digits than a number.
pub(super) fn behind(distance: Option<&str>) -> Value {
    match distance {
        // As long as they are, so are they sorted: by digits first.
        Some(text) => Value { text: text.to_owned(), sort: format!("{:>30}", text), tone: "" },
        None => Value::of(None, |_| String::new()),
    }
}

/// The fewest days that a certificate of the link is still valid.
pub(super) fn days(certificates: &[CertificateStatus]) -> Value {
    let known = certificates.iter().filter_map(|c| c.days_left).min();
    // One that has expired is worse than one of which nobody knows; any other is not the first to expire for certain.
    let certain = known.is_some_and(|days| days < 0) || certificates.iter().all(|c| c.days_left.is_some());
    match known.filter(|_| certain) {
        Some(days) => Value {
            text: if days < 0 { "expired".to_owned() } else { format!("{days} days") },
            sort: days.to_string(),
            tone: match days {
                ..0 => "bad",
                0..CERTIFICATE_DAYS_FEW => "warning",
                CERTIFICATE_DAYS_FEW.. => "",
            },
        },
        None => Value::of(None, |_| String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_is_never_a_number() {
        for value in [queue(None), rate(None), seconds(None), behind(None), days(&[])] {
            assert_eq!((value.text.as_str(), value.tone), (UNKNOWN, "warning"));
        }
        let certificate = |days_left| CertificateStatus {
            side: milink_core::names::Side::SqlServer,
            name: "c".to_owned(),
            expiry: None,
            days_left,
        };
        assert_eq!(days(&[certificate(Some(300)), certificate(None)]).text, UNKNOWN);
        assert_eq!(days(&[certificate(Some(-1)), certificate(None)]).tone, "bad");
        assert_eq!(queue(Some(0)).text, "0 B");
        assert_eq!(queue(Some(2048)).text, "2.0 MB");
        assert_eq!(seconds(Some(3_700)).text, "61 min 40 s");
        assert_eq!(rate(Some(u64::MAX)).tone, "", "absurd numbers do not end the server");
    }
}
