//! What a failover's form says: read, checked, and written into addresses again, so that every page of it survives a reload.

use milink_core::check::GateOptions;
use milink_core::names::Side;
use milink_core::role_change::Wish;
use serde::{Deserialize, Serialize};

use crate::pages::tree::side_word;

/// The longest time that anybody waits, in seconds.
const SECONDS_MAX: u64 = 86_400;

/// The fields as they were typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fields {
    /// The link, in the address of a live piece.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) link: String,
    /// `planned` or `forced`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) kind: String,
    /// Who is to be primary.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) to: String,
    /// How far behind the copy may be, in seconds.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) max_lag: String,
    /// How long draining may take, in seconds.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) timeout: String,
    /// The link's name, typed again. It is in no address.
    #[serde(default, skip_serializing)]
    pub(crate) confirm: String,
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// Which.
    pub(crate) field: &'static str,
    /// What.
    pub(crate) what: String,
}

impl Fields {
    /// A form that nobody has filled in: the documents' patience.
    pub(crate) fn usual() -> Fields {
        let gates = GateOptions::planned(Side::Managed);
        Fields {
            kind: "planned".to_owned(),
            max_lag: gates.lag_seconds_max.to_string(),
            timeout: (gates.drain_timeout_ms / 1000).to_string(),
            ..Fields::default()
        }
    }

    /// What was left out is as usual.
    pub(crate) fn or_usual(self) -> Fields {
        let usual = Fields::usual();
        let or = |given: String, usual: String| if given.is_empty() { usual } else { given };
        Fields {
            kind: or(self.kind, usual.kind),
            max_lag: or(self.max_lag, usual.max_lag),
            timeout: or(self.timeout, usual.timeout),
            ..self
        }
    }

    /// As the first page sends them: the side that was chosen there is a forced one's. A planned one goes where it can.
    pub(crate) fn chosen(self) -> Fields {
        let to = if self.forced() { self.to } else { String::new() };
        Fields { to, ..self }
    }

    /// What is meant.
    ///
    /// # Errors
    /// The fields that cannot be meant.
    pub(crate) fn wish(&self) -> Result<Wish, Vec<Wrong>> {
        let mut wrong = Vec::new();
        let forced = match self.kind.as_str() {
            "planned" => false,
            "forced" => true,
            _ => {
                wrong.push(Wrong { field: "kind", what: "Choose planned or forced.".to_owned() });
                false
            }
        };
        let to = match self.to.as_str() {
            "" => None,
            word => {
                let side = Side::BOTH.into_iter().find(|side| side_word(*side) == word);
                if side.is_none() {
                    wrong.push(Wrong { field: "to", what: "Choose one of the two sides.".to_owned() });
                }
                side
            }
        };
        if forced && self.to.is_empty() {
            wrong.push(Wrong { field: "to", what: "Say which side is to be primary.".to_owned() });
        }
        let mut seconds = |field: &'static str, text: &str, least: u64| {
            let read = text.trim().parse::<u64>().ok().filter(|n| (least..=SECONDS_MAX).contains(n));
            if read.is_none() {
                let what = format!("A whole number of seconds from {least} to {SECONDS_MAX} is wanted.");
                wrong.push(Wrong { field, what });
            }
            read
        };
        let lag = seconds("max_lag", &self.max_lag, 0);
        let timeout = seconds("timeout", &self.timeout, 1);
        match (lag, timeout) {
            (Some(lag), Some(timeout)) if wrong.is_empty() => {
                Ok(Wish { to, forced, lag_seconds_max: Some(lag), drain_timeout_ms: timeout * 1000 })
            }
            _ => Err(wrong),
        }
    }

    /// As the query of an address. The confirmation is not in it.
    pub(crate) fn query(&self) -> String {
        serde_urlencoded::to_string(self).unwrap_or_default()
    }

    /// As the argument of a live topic: commas and colons are written as escapes there.
    pub(crate) fn topic(&self, link: &str) -> String {
        format!("failover:{}", Fields { link: link.to_owned(), ..self.clone() }.query())
    }

    /// Whether it is forced.
    pub(crate) fn forced(&self) -> bool {
        self.kind == "forced"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(kind: &str, to: &str, max_lag: &str, timeout: &str) -> Fields {
        Fields {
            kind: kind.to_owned(),
            to: to.to_owned(),
            max_lag: max_lag.to_owned(),
            timeout: timeout.to_owned(),
            ..Fields::default()
        }
    }

    #[test]
    fn a_form_is_read_to_the_letter() {
        let wish = fields("planned", "", "5", "60").wish().unwrap();
        assert_eq!((wish.to, wish.forced), (None, false));
        assert_eq!((wish.lag_seconds_max, wish.drain_timeout_ms), (Some(5), 60_000));
        let wish = fields("forced", "sql-server", "60", "300").wish().unwrap();
        assert_eq!((wish.to, wish.forced), (Some(Side::SqlServer), true));
        assert!(Fields::default().or_usual().wish().is_ok());
        assert_eq!(fields("planned", "sql-server", "60", "300").chosen().wish().unwrap().to, None);
        assert_eq!(
            fields("forced", "sql-server", "60", "300").chosen().wish().unwrap().to,
            Some(Side::SqlServer)
        );
        let wrong = |f: Fields| f.wish().unwrap_err().into_iter().map(|w| w.field).collect::<Vec<_>>();
        assert_eq!(wrong(fields("", "x", "-1", "0")), ["kind", "to", "max_lag", "timeout"]);
        assert_eq!(wrong(fields("forced", "", "60", "300")), ["to"]);
        assert_eq!(wrong(fields("planned", "", "99999999999999999999", "86401")), ["max_lag", "timeout"]);
    }

    #[test]
    fn an_address_holds_all_but_the_confirmation() {
        let typed = Fields { confirm: "orders".to_owned(), ..fields("forced", "managed", "60", "300") };
        assert_eq!(typed.query(), "kind=forced&to=managed&max_lag=60&timeout=300");
        let topic = typed.topic("a,b:c&d");
        assert_eq!(topic, "failover:link=a%2Cb%3Ac%26d&kind=forced&to=managed&max_lag=60&timeout=300");
        let read: Fields = serde_urlencoded::from_str(topic.split_once(':').unwrap().1).unwrap();
        assert_eq!(read.link, "a,b:c&d");
    }
}
