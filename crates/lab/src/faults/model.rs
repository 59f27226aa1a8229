//! The set of faults, and what changes of it mean.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{AzureFault, CertificateFault, Change, Direction};
use crate::settings::Side;

/// A delay longer than this is a cut.
const DELAY_MS_MAX: u64 = 600_000;
/// More than a loopback carries.
const THROTTLE_KB_MAX: u64 = 100_000_000;
/// More requests than a drill makes; more milliseconds than anybody waits.
const AZURE_MAX: u32 = 1_000_000;

/// What one way over the wire does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WireState {
    /// Delivers nothing.
    pub cut: bool,
    /// Delivers late, by milliseconds.
    pub delay_ms: u64,
    /// Delivers no more than that a second.
    pub kb_per_s: Option<u64>,
    /// Has a bit to change.
    pub corrupt: bool,
}

/// A fault that is in force, as status shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Fault {
    /// Nothing is delivered.
    Cut {
        /// Which way.
        direction: Direction,
    },
    /// Everything is delivered later.
    Delay {
        /// Which way.
        direction: Direction,
        /// By how much.
        ms: u64,
    },
    /// No more is delivered than that.
    Throttle {
        /// Which way.
        direction: Direction,
        /// Kilobytes a second, on each connection.
        kb_per_s: u64,
    },
    /// A bit will be changed.
    Corrupt {
        /// Which way.
        direction: Direction,
    },
    /// An instance was killed.
    Killed {
        /// Which.
        instance: Side,
    },
    /// An instance was stopped.
    Stopped {
        /// Which.
        instance: Side,
    },
    /// An instance has no room on its disk.
    DiskFull {
        /// Which.
        instance: Side,
    },
    /// An endpoint's certificate does not serve.
    Certificate {
        /// Whose endpoint.
        instance: Side,
        /// What is wrong with it.
        with: CertificateFault,
    },
    /// The local Azure does wrong.
    Azure {
        /// What.
        kind: AzureFault,
        /// To how many requests more; of a slow one, by how many milliseconds.
        n: u32,
    },
    /// A log backup is taken during each seeding.
    LogBackupDuringSeeding,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::Cut { direction } => write!(f, "cut {direction}"),
            Fault::Delay { direction, ms } => write!(f, "delay {direction} {ms} ms"),
            Fault::Throttle { direction, kb_per_s } => write!(f, "throttle {direction} {kb_per_s} KB/s"),
            Fault::Corrupt { direction } => write!(f, "corrupt {direction}"),
            Fault::Killed { instance } => write!(f, "killed {instance}"),
            Fault::Stopped { instance } => write!(f, "stopped {instance}"),
            Fault::DiskFull { instance } => write!(f, "disk full {instance}"),
            Fault::Certificate { instance, with } => write!(f, "certificate {instance} {with}"),
            Fault::Azure { kind: AzureFault::Slow, n } => write!(f, "azure slow by {n} ms"),
            Fault::Azure { kind, n: 1 } => write!(f, "azure {kind} for 1 request"),
            Fault::Azure { kind, n } => write!(f, "azure {kind} for {n} requests"),
            Fault::LogBackupDuringSeeding => f.write_str("log backup during seeding"),
        }
    }
}

/// What is to be done for a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A way over the wire does this from now on.
    Wire(Direction, WireState),
    /// End a process without warning.
    Kill(Side),
    /// End a process in order.
    Stop(Side),
    /// Start a process.
    Start(Side),
    /// Fill a disk, or make room.
    DiskFull(Side, bool),
    /// Break a certificate, or mend it.
    Certificate(Side, Option<CertificateFault>),
    /// Have the local Azure do wrong to so many requests, or by so many milliseconds.
    Azure(AzureFault, u32),
    /// Have an instance back the log up during seedings, or not.
    LogBackups(Side, bool),
}

/// A change that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(pub String);

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Down {
    Killed,
    Stopped,
}

/// The faults that are in force.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    wire: BTreeMap<Direction, WireState>,
    down: BTreeMap<Side, Down>,
    full: BTreeSet<Side>,
    certificates: BTreeMap<Side, CertificateFault>,
    azure: BTreeMap<AzureFault, u32>,
    log_backups: bool,
}

impl Faults {
    /// What a change means. The set is as it will be when the effects have been carried out; if one fails, the supervisor
    /// says so and keeps the set as it was.
    ///
    /// # Errors
    /// It does not apply.
    pub fn change(&mut self, change: &Change) -> Result<Vec<Effect>, Refusal> {
        match change {
            Change::Cut { direction } => Ok(self.wire(direction.each(), |wire| wire.cut = true)),
            Change::Heal { direction } => {
                let broken = direction.each().iter().any(|d| self.wire_state(*d) != WireState::default());
                if !broken {
                    return Err(Refusal("the wire is whole: there is nothing to heal that way".to_owned()));
                }
                Ok(self.wire(direction.each(), |wire| *wire = WireState::default()))
            }
            Change::Delay { direction, ms } => {
                bounded("a delay", *ms, DELAY_MS_MAX, "milliseconds")?;
                Ok(self.wire(direction.each(), |wire| wire.delay_ms = *ms))
            }
            Change::Throttle { direction, kb_per_s } => {
                bounded("a throttle", *kb_per_s, THROTTLE_KB_MAX, "KB/s")?;
                Ok(self.wire(direction.each(), |wire| wire.kb_per_s = Some(*kb_per_s)))
            }
            Change::Corrupt { direction } => Ok(self.wire(direction.each(), |wire| wire.corrupt = true)),
            Change::Kill { instance } => self.bring_down(*instance, Down::Killed),
            Change::Stop { instance } => self.bring_down(*instance, Down::Stopped),
            Change::Start { instance } => match self.down.remove(instance) {
                Some(_) => Ok(self.start(*instance)),
                None => Err(Refusal(format!("{instance} runs already"))),
            },
            Change::DiskFull { instance, on } => self.disk_full(*instance, *on),
            Change::Certificate { instance, with } => self.certificate(*instance, *with),
            Change::Azure { kind, n } => {
                if *n > AZURE_MAX {
                    return Err(Refusal(format!("at most {AZURE_MAX}, not {n}")));
                }
                self.azure_left(*kind, *n);
                Ok(vec![Effect::Azure(*kind, *n)])
            }
            Change::LogBackupDuringSeeding { on } => {
                self.log_backups = *on;
                let running = Side::ALL.iter().filter(|side| !self.is_down(**side));
                Ok(running.map(|side| Effect::LogBackups(*side, *on)).collect())
            }
            Change::Clear => Ok(self.clear()),
        }
    }

    /// What is in force.
    pub fn list(&self) -> Vec<Fault> {
        let mut list = Vec::new();
        for (direction, wire) in &self.wire {
            let direction = *direction;
            list.extend(wire.cut.then_some(Fault::Cut { direction }));
            list.extend((wire.delay_ms > 0).then_some(Fault::Delay { direction, ms: wire.delay_ms }));
            list.extend(wire.kb_per_s.map(|kb_per_s| Fault::Throttle { direction, kb_per_s }));
            list.extend(wire.corrupt.then_some(Fault::Corrupt { direction }));
        }
        list.extend(self.down.iter().map(|(instance, down)| match down {
            Down::Killed => Fault::Killed { instance: *instance },
            Down::Stopped => Fault::Stopped { instance: *instance },
        }));
        list.extend(self.full.iter().map(|instance| Fault::DiskFull { instance: *instance }));
        let certificate = |(instance, with): (&Side, &CertificateFault)| Fault::Certificate {
            instance: *instance,
            with: *with,
        };
        list.extend(self.certificates.iter().map(certificate));
        list.extend(self.azure.iter().map(|(kind, n)| Fault::Azure { kind: *kind, n: *n }));
        list.extend(self.log_backups.then_some(Fault::LogBackupDuringSeeding));
        list
    }

    /// What one way over the wire does.
    pub fn wire_state(&self, direction: Direction) -> WireState {
        self.wire.get(&direction).copied().unwrap_or_default()
    }

    /// Whether an instance is down by a fault, and how: the word for it.
    pub fn down(&self, instance: Side) -> Option<&'static str> {
        self.down.get(&instance).map(|down| match down {
            Down::Killed => "killed",
            Down::Stopped => "stopped",
        })
    }

    fn is_down(&self, instance: Side) -> bool {
        self.down.contains_key(&instance)
    }

    /// A certificate was broken by an earlier run of the lab.
    pub fn certificate_is(&mut self, instance: Side, with: CertificateFault) {
        self.certificates.insert(instance, with);
    }

    /// What a process that was started is to be told: it knows nothing of what is in force.
    pub fn started(&self, instance: Side) -> Vec<Effect> {
        let mut effects = Vec::new();
        effects.extend(self.full.contains(&instance).then_some(Effect::DiskFull(instance, true)));
        effects.extend(self.log_backups.then_some(Effect::LogBackups(instance, true)));
        effects
    }

    /// A bit was changed, as was wanted.
    pub fn corrupted(&mut self, direction: Direction) {
        if let Some(wire) = self.wire.get_mut(&direction) {
            wire.corrupt = false;
        }
    }

    /// So much is left of what the local Azure will do wrong.
    pub fn azure_left(&mut self, kind: AzureFault, n: u32) {
        if n == 0 {
            self.azure.remove(&kind);
        } else {
            self.azure.insert(kind, n);
        }
    }

    /// The faults of Azure that are in force.
    pub fn azure(&self) -> Vec<AzureFault> {
        self.azure.keys().copied().collect()
    }

    fn wire(&mut self, directions: &[Direction], change: impl Fn(&mut WireState)) -> Vec<Effect> {
        let changed = directions.iter().map(|direction| {
            let wire = self.wire.entry(*direction).or_default();
            change(wire);
            Effect::Wire(*direction, *wire)
        });
        changed.collect()
    }

    fn disk_full(&mut self, instance: Side, on: bool) -> Result<Vec<Effect>, Refusal> {
        self.runs(instance)?;
        if on {
            self.full.insert(instance);
        } else if !self.full.remove(&instance) {
            return Err(Refusal(format!("{instance} has room on its disk")));
        }
        Ok(vec![Effect::DiskFull(instance, on)])
    }

    fn certificate(
        &mut self,
        instance: Side,
        with: Option<CertificateFault>,
    ) -> Result<Vec<Effect>, Refusal> {
        // The partner is given the new one: it has to be there.
        self.runs(instance)?;
        self.runs(instance.other())?;
        match with {
            Some(with) => drop(self.certificates.insert(instance, with)),
            None if self.certificates.remove(&instance).is_none() => {
                return Err(Refusal(format!("the certificate of {instance} was not broken by the lab")));
            }
            None => {}
        }
        Ok(vec![Effect::Certificate(instance, with)])
    }

    fn runs(&self, instance: Side) -> Result<(), Refusal> {
        if self.is_down(instance) {
            return Err(Refusal(format!("{instance} is down: `milink lab fault start {instance}` first")));
        }
        Ok(())
    }

    fn bring_down(&mut self, instance: Side, how: Down) -> Result<Vec<Effect>, Refusal> {
        if self.is_down(instance) {
            return Err(Refusal(format!("{instance} is down already")));
        }
        self.down.insert(instance, how);
        Ok(vec![match how {
            Down::Killed => Effect::Kill(instance),
            Down::Stopped => Effect::Stop(instance),
        }])
    }

    fn start(&self, instance: Side) -> Vec<Effect> {
        let mut effects = vec![Effect::Start(instance)];
        effects.extend(self.started(instance));
        effects
    }

    fn clear(&mut self) -> Vec<Effect> {
        let before = std::mem::take(self);
        let mut effects = Vec::new();
        let broken = before.wire.iter().filter(|(_, wire)| **wire != WireState::default());
        effects.extend(broken.map(|(direction, _)| Effect::Wire(*direction, WireState::default())));
        // Processes before what needs them.
        effects.extend(before.down.keys().map(|instance| Effect::Start(*instance)));
        let full = before.full.iter().filter(|instance| !before.is_down(**instance));
        effects.extend(full.map(|instance| Effect::DiskFull(*instance, false)));
        effects.extend(before.certificates.keys().map(|instance| Effect::Certificate(*instance, None)));
        effects.extend(before.azure.keys().map(|kind| Effect::Azure(*kind, 0)));
        if before.log_backups {
            let running = Side::ALL.iter().filter(|side| !before.is_down(**side));
            effects.extend(running.map(|side| Effect::LogBackups(*side, false)));
        }
        effects
    }
}

fn bounded(what: &str, value: u64, most: u64, unit: &str) -> Result<(), Refusal> {
    if (1..=most).contains(&value) {
        Ok(())
    } else {
        Err(Refusal(format!("{what} is between 1 and {most} {unit}, not {value}; `heal` ends it")))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::super::Directions;
    use super::*;

    /// Changes, and what is in force after each; a refusal is shown as such.
    fn check(changes: &[Change], expect: &[&str]) {
        let mut faults = Faults::default();
        let shown: Vec<String> = changes
            .iter()
            .map(|change| match faults.change(change) {
                Ok(_) => faults.list().iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
                Err(e) => format!("! {e}"),
            })
            .collect();
        assert_eq!(shown, expect);
    }

    #[test]
    fn the_wire() {
        let both = Directions::Both;
        check(
            &[
                Change::Cut { direction: Directions::ToManaged },
                Change::Delay { direction: both, ms: 50 },
                Change::Throttle { direction: Directions::ToSqlServer, kb_per_s: 64 },
                Change::Heal { direction: Directions::ToManaged },
                Change::Heal { direction: Directions::ToManaged },
                Change::Delay { direction: both, ms: 0 },
                Change::Heal { direction: both },
            ],
            &[
                "cut to-managed",
                "cut to-managed, delay to-managed 50 ms, delay to-sqlserver 50 ms",
                "cut to-managed, delay to-managed 50 ms, delay to-sqlserver 50 ms, throttle to-sqlserver 64 KB/s",
                "delay to-sqlserver 50 ms, throttle to-sqlserver 64 KB/s",
                "! the wire is whole: there is nothing to heal that way",
                "! a delay is between 1 and 600000 milliseconds, not 0; `heal` ends it",
                "",
            ],
        );
    }

    #[test]
    fn instances() {
        let (instance, other) = (Side::SqlServer, Side::Managed);
        check(
            &[
                Change::Start { instance },
                Change::DiskFull { instance, on: true },
                Change::Kill { instance },
                Change::Stop { instance },
                Change::DiskFull { instance, on: false },
                Change::Certificate { instance: other, with: Some(CertificateFault::Expired) },
                Change::Start { instance },
                Change::Certificate { instance: other, with: Some(CertificateFault::Expired) },
                Change::Certificate { instance, with: None },
                Change::Clear,
            ],
            &[
                "! sqlserver runs already",
                "disk full sqlserver",
                "killed sqlserver, disk full sqlserver",
                "! sqlserver is down already",
                "! sqlserver is down: `milink lab fault start sqlserver` first",
                "! sqlserver is down: `milink lab fault start sqlserver` first",
                "disk full sqlserver",
                "disk full sqlserver, certificate managed expired",
                "! the certificate of sqlserver was not broken by the lab",
                "",
            ],
        );
    }

    #[test]
    fn clearing_starts_what_is_down_and_undoes_the_rest() {
        let mut faults = Faults::default();
        for change in [
            Change::Cut { direction: Directions::Both },
            Change::DiskFull { instance: Side::Managed, on: true },
            Change::Azure { kind: AzureFault::Slow, n: 3 },
            Change::Kill { instance: Side::SqlServer },
        ] {
            faults.change(&change).unwrap();
        }
        assert_eq!(
            faults.change(&Change::Clear).unwrap(),
            [
                Effect::Wire(Direction::ToManaged, WireState::default()),
                Effect::Wire(Direction::ToSqlServer, WireState::default()),
                Effect::Start(Side::SqlServer),
                Effect::DiskFull(Side::Managed, false),
                Effect::Azure(AzureFault::Slow, 0),
            ]
        );
        assert_eq!(faults, Faults::default());
    }

    #[test]
    fn a_process_that_is_started_is_told_what_is_in_force() {
        let mut faults = Faults::default();
        let instance = Side::Managed;
        faults.change(&Change::DiskFull { instance, on: true }).unwrap();
        faults.change(&Change::LogBackupDuringSeeding { on: true }).unwrap();
        faults.change(&Change::Kill { instance }).unwrap();
        assert_eq!(
            faults.change(&Change::Start { instance }).unwrap(),
            [Effect::Start(instance), Effect::DiskFull(instance, true), Effect::LogBackups(instance, true)]
        );
    }
}
