//! Carries out what follows from faults.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::{Lab, LabError, lock};
use crate::child::State;
use crate::faults::{CertificateFault, Change, Effect, Fault};
use crate::folder::{self, FolderError};
use crate::pipe::{Ask, Reissued};
use crate::settings::Side;

const ASK_LIMIT: Duration = Duration::from_secs(20);
const DAY: i64 = 86_400;

/// A certificate that the lab has broken. It is kept: the certificate outlives the supervisor.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Broken {
    with: CertificateFault,
    /// What the endpoint shows.
    shown: Vec<u8>,
    /// What the partner takes it to be.
    partner_has: Vec<u8>,
}

impl Lab {
    /// Breaks or mends something, and says what is broken then.
    ///
    /// # Errors
    /// It does not apply, or it cannot be done; nothing has changed in the list of faults then.
    pub fn fault(&self, change: &Change) -> Result<Vec<Fault>, LabError> {
        let _working = lock(&self.working);
        self.settle();
        let mut wanted = lock(&self.faults).clone();
        let effects = match change {
            // One that has ended by itself may be started, though no fault keeps it down.
            Change::Start { instance } if matches!(self.instance(*instance).state(), State::Ended { .. }) => {
                let mut effects = vec![Effect::Start(*instance)];
                effects.extend(wanted.started(*instance));
                effects
            }
            other => wanted.change(other).map_err(|e| LabError::DoesNotApply(e.to_string()))?,
        };
        for effect in &effects {
            self.carry_out(effect).map_err(LabError::Failed)?;
        }
        let list = wanted.list();
        *lock(&self.faults) = wanted;
        self.log.say(&format!("Fault: {}", describe(change)));
        Ok(list)
    }

    pub(super) fn carry_out(&self, effect: &Effect) -> Result<(), String> {
        match effect {
            Effect::Wire(direction, state) => {
                self.wire.set(*direction, *state);
                Ok(())
            }
            Effect::Kill(side) => self.instance(*side).kill(),
            Effect::Stop(side) => self.instance(*side).stop(),
            Effect::Start(side) => self.start_instance(*side),
            Effect::DiskFull(side, on) => self.ask(*side, Ask::DiskFull(*on)),
            Effect::LogBackups(side, on) => self.ask(*side, Ask::BackUpLogDuringSeeding(*on)),
            Effect::Azure(kind, n) => {
                if let Some(azure) = &*lock(&self.azure) {
                    azure.set_fault(*kind, *n);
                }
                Ok(())
            }
            Effect::Certificate(side, with) => self.certificate(*side, *with),
        }
    }

    fn ask<T: serde::de::DeserializeOwned>(&self, side: Side, ask: Ask) -> Result<T, String> {
        self.instance(side).ask(ask, ASK_LIMIT).map_err(|e| format!("{side}: {e}"))
    }

    /// Gives an endpoint a certificate that does not serve, or one that does, and the partner what it is to have.
    fn certificate(&self, side: Side, with: Option<CertificateFault>) -> Result<(), String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() as i64;
        let (not_before, not_after) = match with {
            Some(CertificateFault::Expired) => (now - 30 * DAY, now - DAY),
            Some(CertificateFault::Replaced) | None => (now - DAY, now + 365 * DAY),
        };
        let before = lock(&self.broken).get(&side).cloned();
        // Whoever has rotated the certificate meanwhile has mended it: that is not to be undone.
        let only_if = before.as_ref().filter(|_| with.is_none()).map(|b| b.shown.clone());
        let made: Option<Reissued> = self.ask(side, Ask::Reissue { only_if, not_before, not_after })?;
        if let Some(Reissued { old, new }) = made {
            let known = before.map_or(old, |b| b.partner_has);
            let partner_has = match with {
                Some(CertificateFault::Replaced) => known,
                Some(CertificateFault::Expired) | None => {
                    let exchange = Reissued { old: known, new: new.clone() };
                    let _was_known: bool = self.ask(side.other(), Ask::Exchange(exchange))?;
                    new.clone()
                }
            };
            if let Some(with) = with {
                lock(&self.broken).insert(side, Broken { with, shown: new, partner_has });
            }
        }
        if with.is_none() {
            lock(&self.broken).remove(&side);
        }
        self.keep_broken().map_err(|e| e.to_string())
    }

    fn broken_file(&self) -> PathBuf {
        self.folder.path().join("certificates.json")
    }

    fn keep_broken(&self) -> Result<(), FolderError> {
        folder::write(&self.broken_file(), &*lock(&self.broken), 0o644)
    }

    /// What an earlier run has broken, and is broken still.
    pub(super) fn load_broken(&self) -> Result<(), FolderError> {
        let kept: BTreeMap<Side, Broken> = folder::read_json(&self.broken_file())?.unwrap_or_default();
        let mut faults = lock(&self.faults);
        kept.iter().for_each(|(side, broken)| faults.certificate_is(*side, broken.with));
        *lock(&self.broken) = kept;
        Ok(())
    }

    /// All that was broken is gone, with what it was broken in.
    pub(super) fn forget_faults(&self) -> Result<(), FolderError> {
        lock(&self.broken).clear();
        self.keep_broken()?;
        self.azure_faults.clear();
        *lock(&self.faults) = crate::faults::Faults::default();
        for direction in crate::faults::Direction::ALL {
            self.wire.set(*direction, crate::faults::WireState::default());
        }
        Ok(())
    }
}

/// A change as a line of the log.
fn describe(change: &Change) -> String {
    serde_json::to_string(change).unwrap_or_else(|_| format!("{change:?}"))
}
