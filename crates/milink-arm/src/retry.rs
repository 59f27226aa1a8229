//! When a request is sent again. Whether it may be at all is the caller's to say.

use std::time::Duration;

/// Whether a request may be sent a second time when it is not known what became of the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Sending it twice does what sending it once does.
    Safe,
    /// A second one may do harm: `failover`, `setRole`, and changes that replace what somebody else may have changed since.
    Never,
}

/// How long is waited before the next try.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backoff {
    /// How often is tried again.
    pub(crate) retries: u32,
    /// The first wait, doubled each time.
    pub(crate) base: Duration,
}

/// The longest wait that we choose ourselves.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// The longest wait that is granted to Azure. Whoever is told to wait longer is better told so.
const PATIENCE: Duration = Duration::from_mins(2);

impl Backoff {
    /// The wait before try `done + 1`, when `done` tries are done; `None` is to give up. `random` is in 0..1: those who were
    /// turned away together must not come back together.
    pub(crate) fn wait(&self, done: u32, asked: Option<Duration>, random: f64) -> Option<Duration> {
        if done > self.retries {
            return None;
        }
        match asked {
            Some(asked) if asked > PATIENCE => None,
            // Never earlier than Azure says.
            Some(asked) => Some(asked + (asked / 10 + self.base / 10).mul_f64(random.clamp(0.0, 1.0))),
            None => {
                let doubled = 2_u32.saturating_pow(done.saturating_sub(1).min(16));
                let whole = self.base.saturating_mul(doubled).min(WAIT_MAX);
                Some(whole / 2 + (whole / 2).mul_f64(random.clamp(0.0, 1.0)))
            }
        }
    }
}

/// A random number in 0..1. Without a source of randomness everybody waits the same, which is no error.
pub(crate) fn random() -> f64 {
    f64::from(getrandom::u32().unwrap_or(u32::MAX / 2)) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BACKOFF: Backoff = Backoff { retries: 4, base: Duration::from_secs(1) };

    #[test]
    fn doubles_up_to_a_limit_and_gives_up() {
        let at = |done| BACKOFF.wait(done, None, 0.0).map(|d| d.as_millis());
        assert_eq!(
            (at(1), at(2), at(3), at(4), at(5)),
            (Some(500), Some(1000), Some(2000), Some(4000), None)
        );
        let many = Backoff { retries: 1000, ..BACKOFF };
        assert_eq!(many.wait(999, None, 1.0), Some(WAIT_MAX));
        assert_eq!(BACKOFF.wait(1, Some(Duration::from_hours(1)), 0.5), None);
    }

    proptest! {
        #[test]
        fn never_earlier_than_azure_says(asked in 0_u64..=120, random in 0.0..1.0, done in 1_u32..=4) {
            let wait = BACKOFF.wait(done, Some(Duration::from_secs(asked)), random).unwrap();
            prop_assert!(wait >= Duration::from_secs(asked));
            prop_assert!(wait <= Duration::from_secs(asked + 13));
        }
    }
}
