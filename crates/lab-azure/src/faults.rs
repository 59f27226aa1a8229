//! Faults that a lab sets: what goes wrong with the next requests to Azure Resource Manager.

use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// What is set. The counters are of requests that are yet to come; sign-in is never disturbed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FaultSettings {
    /// So many requests are answered 429.
    pub throttle: u32,
    /// What `Retry-After` says then; 0 is 1.
    pub throttle_retry_after_s: u32,
    /// So many are answered 500, and nothing is done.
    pub fail: u32,
    /// Each answer comes that much later, until this is set to 0.
    pub slow_ms: u64,
    /// So many requests that change something are carried out, and the connection is closed without an answer.
    pub lost_answer: u32,
    /// So many requests that change something are carried out twice, as a proxy does that retries; the second answer counts.
    pub duplicate: u32,
}

impl FaultSettings {
    /// Whether nothing is set.
    pub fn is_clear(&self) -> bool {
        *self == FaultSettings::default()
    }
}

/// What a request meets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Meets {
    pub(crate) throttle: Option<u32>,
    pub(crate) fail: bool,
    pub(crate) slow_ms: u64,
    pub(crate) lost_answer: bool,
    pub(crate) duplicate: bool,
}

/// The faults of an endpoint, shared between it and whoever sets them.
#[derive(Debug, Clone, Default)]
pub struct AzureFaults {
    settings: Arc<Mutex<FaultSettings>>,
}

/// Takes one of a counter.
fn take(counter: &mut u32) -> bool {
    let some = *counter > 0;
    *counter = counter.saturating_sub(1);
    some
}

impl AzureFaults {
    /// None.
    pub fn new() -> AzureFaults {
        AzureFaults::default()
    }

    /// What is set, as far as it has not been met yet.
    pub fn settings(&self) -> FaultSettings {
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is set.
    pub fn change(&self, change: impl FnOnce(&mut FaultSettings)) {
        change(&mut self.settings.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Sets nothing any more.
    pub fn clear(&self) {
        self.change(|settings| *settings = FaultSettings::default());
    }

    /// What the next request meets. One that is throttled or fails meets nothing else.
    pub(crate) fn meet(&self, changes_something: bool) -> Meets {
        let mut settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        let mut meets = Meets { slow_ms: settings.slow_ms, ..Meets::default() };
        if take(&mut settings.throttle) {
            meets.throttle = Some(settings.throttle_retry_after_s.max(1));
        } else if take(&mut settings.fail) {
            meets.fail = true;
        } else if changes_something {
            meets.lost_answer = take(&mut settings.lost_answer);
            meets.duplicate = take(&mut settings.duplicate);
        }
        // The wait goes with the last of the throttled.
        if settings.throttle == 0 {
            settings.throttle_retry_after_s = 0;
        }
        meets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_is_met_as_often_as_it_was_set() {
        let faults = AzureFaults::new();
        faults.change(|f| {
            *f = FaultSettings {
                throttle: 2,
                throttle_retry_after_s: 7,
                fail: 1,
                lost_answer: 1,
                duplicate: 1,
                slow_ms: 5,
            };
        });
        assert_eq!(faults.meet(true).throttle, Some(7));
        assert_eq!(faults.meet(false).throttle, Some(7));
        assert!(faults.meet(true).fail);
        assert_eq!(faults.meet(false), Meets { slow_ms: 5, ..Meets::default() });
        let met = faults.meet(true);
        assert!(met.lost_answer && met.duplicate);
        assert_eq!(faults.meet(true), Meets { slow_ms: 5, ..Meets::default() });
        assert_eq!(faults.settings(), FaultSettings { slow_ms: 5, ..FaultSettings::default() });
        faults.clear();
        assert!(faults.settings().is_clear());
    }
}
