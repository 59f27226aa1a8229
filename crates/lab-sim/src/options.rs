//! What a seed expands into.

use crate::Dice;

/// Which instances there are, and which groups between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topology {
    /// Two, and a group.
    Pair,
    /// A primary with two groups on the same databases.
    Fan,
    /// A primary, a forwarder, and one that follows the forwarder.
    Chain,
}

impl Topology {
    /// How many instances there are.
    pub fn instances(self) -> usize {
        match self {
            Topology::Pair => 2,
            Topology::Fan | Topology::Chain => 3,
        }
    }

    /// Between whom there are groups; the first one begins as primary.
    pub fn groups(self) -> &'static [(usize, usize)] {
        match self {
            Topology::Pair => &[(0, 1)],
            Topology::Fan => &[(0, 1), (0, 2)],
            Topology::Chain => &[(0, 1), (1, 2)],
        }
    }
}

/// The options of a run. Rates are mean microseconds between two events; 0 is never.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Options {
    pub topology: Topology,
    pub databases: usize,
    pub synchronous: bool,
    pub required: u32,
    pub automatic_seeding: bool,
    pub listed_before_seeding: bool,
    pub keeps_log: bool,
    pub session_timeout_ms: u64,
    pub safety_us: u64,
    pub latency_us: u64,
    pub sync_us: u64,
    pub redo_us: u64,
    pub inbox_us: u64,
    pub ship_bytes: usize,
    pub pin_step_bytes: u64,
    pub chunk_pages: usize,
    pub redo_records: usize,
    pub commit_every_us: u64,
    pub maintain_every_us: u64,
    pub fault_every_us: u64,
    pub operate_every_us: u64,
    /// Each kind of fault and operation is there or not: one that hides another must not be in every seed.
    pub faults: Vec<Fault>,
    pub operations: Vec<Operation>,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Fault {
    Crash,
    CrashAtEffect,
    CutBothWays,
    CutOneWay,
    DropConnection,
    CorruptFrame,
    FlipReceived,
    SlowDisk,
    DiskFull,
    Freeze,
    BadCertificate,
    SlowWire,
    Wipe,
}

/// What somebody does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Operation {
    Failover,
    FailoverByHand,
    Force,
    RoleSecondary,
    Suspend,
    CommitMode,
    Required,
    AddDatabase,
    DropPartner,
    Resolve,
}

const FAULTS: [Fault; 13] = [
    Fault::Crash,
    Fault::CrashAtEffect,
    Fault::CutBothWays,
    Fault::CutOneWay,
    Fault::DropConnection,
    Fault::CorruptFrame,
    Fault::FlipReceived,
    Fault::SlowDisk,
    Fault::DiskFull,
    Fault::Freeze,
    Fault::BadCertificate,
    Fault::SlowWire,
    Fault::Wipe,
];

const OPERATIONS: [Operation; 10] = [
    Operation::Failover,
    Operation::FailoverByHand,
    Operation::Force,
    Operation::RoleSecondary,
    Operation::Suspend,
    Operation::CommitMode,
    Operation::Required,
    Operation::AddDatabase,
    Operation::DropPartner,
    Operation::Resolve,
];

impl Options {
    /// Those of a seed.
    pub fn roll(dice: &mut Dice) -> Options {
        let topology = match dice.below(10) {
            0 => Topology::Fan,
            1 => Topology::Chain,
            _ => Topology::Pair,
        };
        let seconds = dice.between(12, 40);
        let mut options = Options {
            topology,
            databases: dice.between(1, 10).saturating_sub(7).max(1) as usize,
            synchronous: dice.permille(750),
            required: u32::from(dice.permille(300)),
            automatic_seeding: dice.permille(850),
            listed_before_seeding: dice.coin(),
            keeps_log: dice.permille(850),
            session_timeout_ms: dice.between(2, 10) * 1000,
            safety_us: seconds * 1_000_000,
            latency_us: dice.pick(&[50, 500, 5_000, 40_000]).unwrap_or(500),
            sync_us: dice.pick(&[100, 1_000, 10_000, 60_000]).unwrap_or(1_000),
            redo_us: dice.pick(&[50, 1_000, 30_000, 400_000]).unwrap_or(1_000),
            inbox_us: dice.pick(&[1, 100, 10_000]).unwrap_or(1),
            ship_bytes: dice.pick(&[1, 500, 2_000, 100_000]).unwrap_or(500),
            chunk_pages: dice.between(1, 3) as usize,
            redo_records: dice.between(1, 6) as usize,
            commit_every_us: dice.pick(&[60_000, 150_000, 400_000]).unwrap_or(150_000),
            maintain_every_us: dice.pick(&[300_000, 1_500_000, 6_000_000]).unwrap_or(1_500_000),
            fault_every_us: dice.pick(&[700_000, 2_000_000, 6_000_000]).unwrap_or(2_000_000),
            operate_every_us: dice.pick(&[1_500_000, 4_000_000, 10_000_000]).unwrap_or(4_000_000),
            pin_step_bytes: dice.pick(&[1, 1_000, 1 << 20]).unwrap_or(1),
            faults: Vec::new(),
            operations: Vec::new(),
        };
        let (most_faults, most_operations) = (dice.between(0, 800), dice.between(0, 800));
        options.faults.extend(FAULTS.iter().filter(|_| dice.permille(most_faults)));
        options.operations.extend(OPERATIONS.iter().filter(|_| dice.permille(most_operations)));
        options
    }
}
