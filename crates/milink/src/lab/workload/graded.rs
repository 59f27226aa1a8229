//! What the workload has counted, in the words of a drill.

use lab::Side;
use milink_core::drill::{Counted, Ledger, SideCount};

use super::{Checked, Report, Sample};

impl Sample {
    /// While it is written. The last error stays until there is another.
    pub(crate) fn ledger(&self, before: &Ledger) -> Ledger {
        Ledger {
            elapsed_ms: self.elapsed.as_millis() as u64,
            acknowledged: self.acknowledged,
            refused: self.refused,
            uncertain: self.uncertain,
            longest_pause_ms: self.longest_pause.as_millis() as u64,
            role_changes: self.role_changes,
            primary: self.primary.map(|side| side.word().to_owned()),
            lag_ms: self.lag.map(|lag| lag.time.as_millis() as u64),
            last_error: self.error.clone().or_else(|| before.last_error.clone()),
            found: Vec::new(),
        }
    }
}

impl Report {
    /// In the end.
    pub(crate) fn ledger(&self, before: &Ledger) -> Ledger {
        let found = |(side, checked): (&Side, &Checked)| SideCount {
            side: side.word().to_owned(),
            counted: match checked {
                Checked::No { reason } => Err(reason.clone()),
                Checked::Yes { primary, verdict } => Ok(Counted {
                    primary: *primary,
                    // What has not arrived when the time to settle is over is as good as lost.
                    lost: verdict.lost + verdict.behind,
                    doubled: verdict.doubled,
                    damaged: verdict.damaged,
                    unwanted: verdict.unwanted,
                }),
            },
        };
        Ledger {
            elapsed_ms: (self.seconds * 1000.0) as u64,
            acknowledged: self.acknowledged,
            refused: self.refused,
            uncertain: self.uncertain,
            longest_pause_ms: self.longest_pause_ms,
            role_changes: self.role_changes,
            lag_ms: self.lag_ms_max,
            found: self.sides.iter().map(found).collect(),
            ..before.clone()
        }
    }
}
