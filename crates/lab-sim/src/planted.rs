//! Bugs that can be planted, one at a time, to prove that they are found.

/// A bug of whoever carries out what the node wants: the driver and the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Planted {
    /// A commit is acknowledged although its log is not durable here.
    AckBeforeHarden,
    /// A secondary says that log is hardened, and has not synced it.
    NoSecondarySync,
    /// A secondary says that one more record is hardened than is.
    HardenedOneTooFar,
    /// A promoted copy goes on with the old fork.
    StaleFork,
    /// Received records are appended without a look at their checksums.
    NoRecordChecksum,
    /// Acknowledgements are not held back.
    IgnoreHold,
    /// Redo and checkpoints go beyond what is hardened.
    RedoPastHardened,
    /// Log that is kept for a partner is removed.
    DropPins,
    /// Frames of a connection that was replaced count as if they came on its successor.
    FramesOfOlderConnection,
    /// A demoted copy is primary again after a crash.
    DemoteNotDurable,
    /// A changed role is forgotten in a crash.
    RoleNotDurable,
    /// Redo says that it is done, and is not.
    PromoteWithoutRedo,
    /// REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT is not handed on.
    IgnoreRequired,
    /// What only one side has is reported but for one transaction.
    ForkReportMissesOne,
    /// A page that was changed since the fork point is not rewound, and the checksum of the copy is not looked at.
    RewindMissesPage,
    /// Log is sent before it is hardened.
    ShipUnhardened,
    /// A copy shows commits that are not hardened.
    SeedUnhardened,
    /// When commits are held back, those that were made before are forgotten.
    HeldTooEarly,
    /// A promoted copy is secondary again after a crash.
    PromoteNotDurable,
    /// A torn record at the end of the log counts.
    TornTailBelieved,
    /// A demoted copy says where its log ends, and has not hardened it.
    DemoteWithoutHarden,
}

impl Planted {
    /// All of them.
    pub const ALL: [Planted; 21] = [
        Planted::AckBeforeHarden,
        Planted::NoSecondarySync,
        Planted::HardenedOneTooFar,
        Planted::StaleFork,
        Planted::NoRecordChecksum,
        Planted::IgnoreHold,
        Planted::RedoPastHardened,
        Planted::DropPins,
        Planted::FramesOfOlderConnection,
        Planted::DemoteNotDurable,
        Planted::RoleNotDurable,
        Planted::PromoteWithoutRedo,
        Planted::IgnoreRequired,
        Planted::ForkReportMissesOne,
        Planted::RewindMissesPage,
        Planted::ShipUnhardened,
        Planted::SeedUnhardened,
        Planted::HeldTooEarly,
        Planted::PromoteNotDurable,
        Planted::TornTailBelieved,
        Planted::DemoteWithoutHarden,
    ];
}
