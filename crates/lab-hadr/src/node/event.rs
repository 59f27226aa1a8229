//! What a node is told, and what it wants done.

use lab_store::{History, Lsn};
use std::collections::{BTreeMap, BTreeSet};

use super::PartnerKey;
use crate::wire::{Copy, Message, PageRange, SeedBegin};
use crate::{CommitMode, DbName, Group, GroupId, ReplicaId, Role, SeedingMode};

/// Milliseconds on a clock that never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Tick(pub u64);

impl Tick {
    /// So much later.
    pub fn after(self, ms: u64) -> Tick {
        Tick(self.0.saturating_add(ms))
    }

    /// How long ago an earlier moment was.
    pub fn since(self, earlier: Tick) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A connection, as the driver counts them. A number is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// Whom an instance replicates with in a group, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartnerSpec {
    /// The group and the peer.
    pub key: PartnerKey,
    /// The group's name.
    pub group: String,
    /// What this side is called in it.
    pub here: String,
    /// What the peer is called.
    pub there: String,
    /// Whether the peer's URL names the server behind the gateway of a managed instance: `;Server=[...]`.
    pub names_server: bool,
    /// The role that this side is to have.
    pub role: Role,
    /// What the peer shall know of the group, if this side says what it is: a primary to the other replicas of its group.
    pub offer: Option<Box<Group>>,
    /// The mode as it is set on this side: a pair is synchronous only if both sides are.
    pub commit_mode: CommitMode,
    /// Whether copies are made here by themselves.
    pub seeding_mode: SeedingMode,
    /// Whether copies are made at the peer by themselves.
    pub peer_seeding_mode: SeedingMode,
    /// Whether seeding may make a database here.
    pub may_create: bool,
    /// Without a word for that long, the session is over.
    pub session_timeout_ms: u64,
    /// The databases that this side has in the group.
    pub databases: Vec<DbName>,
}

/// What is wanted of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatabaseSpec {
    /// This side is the one that it is written on.
    pub writable: bool,
    /// SET HADR SUSPEND.
    pub suspended: bool,
    /// REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT.
    pub required_synchronized: u32,
}

/// Everything that an instance is configured to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// The partners.
    pub partners: Vec<PartnerSpec>,
    /// The databases in groups.
    pub databases: BTreeMap<DbName, DatabaseSpec>,
    /// The groups that this side is primary of, as the other replicas are told of them.
    pub leads: Vec<Group>,
}

/// Whether a copy is written to or follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Commits are made here.
    Primary,
    /// Log is received and redone.
    Secondary,
}

/// A copy on this side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalCopy {
    /// What a peer is told of it.
    pub copy: Copy,
    /// Whether it is written to.
    pub mode: Mode,
    /// Commit time of the last record in the log, 100 ns since 0001-01-01.
    pub end_time: i64,
    /// Commit time of the last record that was redone.
    pub redone_time: i64,
    /// The log before this has been backed up.
    pub backed_up: Option<Lsn>,
    /// Where the last full backup stands.
    pub full_backup: Option<Lsn>,
}

/// Why something could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The log does not reach back that far.
    LogGone,
    /// What was received contradicts what is here: the copies have diverged.
    Diverged(String),
    /// The disk has no room. Nothing is lost.
    Full(String),
    /// The store has failed, or the other reasons.
    Store(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::LogGone => f.write_str("the log does not reach back that far"),
            Failure::Diverged(text) | Failure::Full(text) | Failure::Store(text) => f.write_str(text),
        }
    }
}

/// What a node is told.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "a field of a variant is what the variant says")]
pub enum Event {
    /// Time goes by. Wanted several times a second.
    Tick,
    /// What the instance is configured to, wholly. At the start after the [`Event::Copy`] of each database.
    Configured(Config),
    /// What this side has of a database: at the start, after its mode has changed, after it was seeded or rewound, after
    /// it took over a fork, and when it is gone.
    Copy { db: DbName, copy: Option<LocalCopy> },
    /// The databases of this instance that are in no group, all of them: no copy is made under their names.
    Outsiders { names: BTreeSet<DbName> },
    /// A connection is there, both certificates are good. With whom, if this side has dialed.
    Opened { conn: ConnId, dialed: Option<PartnerKey> },
    /// A connection could not be made.
    DialFailed { partner: PartnerKey, number: u32, text: String },
    /// A connection is gone; the last event of it.
    Closed { conn: ConnId, number: u32, text: String },
    /// A frame.
    Frame { conn: ConnId, bytes: Vec<u8> },
    /// The log of a database is durable up to there, on a primary and on a secondary alike; and the commit time of the last
    /// record in it, durable or not.
    Hardened { db: DbName, lsn: Lsn, end_time: i64 },
    /// The [`Effect::Hold`] of that mark was carried out; the log ended there at that moment.
    Held { db: DbName, mark: u64, end: Lsn },
    /// [`Effect::Ship`] was carried out, up to there.
    Shipped { conn: ConnId, db: DbName, to: Lsn },
    /// It could not be.
    ShipFailed { conn: ConnId, db: DbName, failure: Failure },
    /// [`Effect::Append`] was carried out: the log ends there now, with a record of that commit time.
    Appended { db: DbName, end: Lsn, end_time: i64 },
    /// It could not be.
    AppendFailed { db: DbName, failure: Failure },
    /// Redo has got there.
    Redone { db: DbName, redone: Lsn, time: i64 },
    /// Redo has failed.
    RedoFailed { db: DbName, failure: Failure },
    /// [`Effect::ReadFork`] was carried out: the pages that were changed.
    ForkRead { db: DbName, since: Lsn, pages: Result<Vec<PageRange>, Failure> },
    /// [`Effect::SeedOpen`] was carried out.
    SeedOpened { seed: u64, begin: Result<SeedBegin, Failure> },
    /// [`Effect::SeedRead`] was carried out: a chunk as it is to be sent, or nothing more.
    SeedRead { seed: u64, bytes: Option<Vec<u8>> },
    /// It could not be.
    SeedReadFailed { seed: u64, failure: Failure },
    /// [`Effect::SeedWrite`] was carried out.
    SeedWritten { db: DbName, seeding: u64, chunk: u64 },
    /// [`Effect::SeedCreate`], [`Effect::SeedWrite`] or [`Effect::SeedFinish`] could not be. After a success of the last
    /// there is an [`Event::Copy`].
    SeedWriteFailed { db: DbName, failure: Failure },
    /// A backup of the primary's copy has been taken. Without trace flag 12381 a log backup lets go of the log that a
    /// seeding under way will need (`keeps_log`).
    BackedUp { db: DbName, backed_up: Option<Lsn>, full_backup: Option<Lsn>, keeps_log: bool },
    /// The log of a database begins there now: older segments were removed.
    Truncated { db: DbName, log_start: Lsn },
    /// Somebody wants a planned failover of a group to the peer. Ends with [`Effect::FailoverDone`].
    Failover { group: GroupId },
    /// Copies for that replica, which is this side or a peer, are to be made now, also those that had failed for good.
    RetrySeeding { group: GroupId, replica: ReplicaId },
}

/// Who may use a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Everybody, to read and to write.
    Primary,
    /// Readers, as the group allows.
    Secondary,
    /// Nobody.
    Resolving,
}

/// What a node wants done, in this order. Those with an answer get it as the event that their comment names.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "a field of a variant is what the variant says")]
pub enum Effect {
    /// Connect; [`Event::Opened`] or [`Event::DialFailed`].
    Dial { partner: PartnerKey },
    /// Close a connection; there is no [`Event::Closed`] for it, and no frame of it any more.
    Close { conn: ConnId, number: u32, text: String },
    /// Send a message. It may be lost with the connection, never alone.
    Send { conn: ConnId, message: Message },
    /// Send hardened log from there as [`Message::Log`], about that much; [`Event::Shipped`] or [`Event::ShipFailed`].
    Ship { conn: ConnId, db: DbName, from: Lsn, bytes_max: usize },
    /// Append received records and see that they are hardened. One [`Event::Appended`] or [`Event::AppendFailed`] for each;
    /// then [`Event::Hardened`].
    Append { db: DbName, bytes: Vec<u8> },
    /// Redo has something to do: what is hardened may be redone. [`Event::Redone`].
    Redo { db: DbName },
    /// Take over a peer's forks: this copy's log is a part of its. Durable. One [`Event::Copy`] for each, also if it could
    /// not be done: until then nothing is decided about this copy. The history in it has only forks that the log has come to.
    EnterFork { db: DbName, history: History },
    /// Commits are acknowledged only when they are hardened here and lie before this; without a position, when they are
    /// hardened here. [`Event::Held`].
    Hold { db: DbName, to: Option<Lsn>, mark: u64 },
    /// No writer any more, durably. One [`Event::Copy`], with the final end, hardened.
    Demote { db: DbName },
    /// All log is redone: begin a new fork, durably, and let writers in. One [`Event::Copy`].
    Promote { db: DbName },
    /// Who may use it. Before [`Effect::Demote`] and after [`Effect::Promote`].
    SetAccess { db: DbName, access: Access },
    /// Keep the log from there on for this partner, or what there is of that; nothing: not any more.
    Pin { db: DbName, partner: PartnerKey, from: Option<Lsn> },
    /// As the primary does, a secondary lets go of log that has been backed up.
    FollowBackups { db: DbName, backed_up: Option<Lsn>, full_backup: Option<Lsn> },
    /// What only this side has since a fork point: note the transactions, durably. [`Event::ForkRead`] with the pages that
    /// the log has changed since, or since where redo is, if that is before.
    ReadFork { db: DbName, since: Lsn, other: History },
    /// Begin to read a copy; with a position, only these pages and those that were changed since. [`Event::SeedOpened`].
    SeedOpen { seed: u64, db: DbName, since: Option<Lsn>, pages: Vec<PageRange> },
    /// Read on; [`Event::SeedRead`] or [`Event::SeedReadFailed`].
    SeedRead { seed: u64 },
    /// It has ended or is of no use any more.
    SeedClose { seed: u64 },
    /// Begin to write a copy: a new database, which replaces the one that may be here only when it is finished, or the pages
    /// that rewind the one that is here.
    SeedCreate { db: DbName, group: GroupId, begin: SeedBegin, rewind: bool },
    /// Write a chunk of the copy that is being made; `seeding` tells it from those that were given up, whose last write may
    /// end late. [`Event::SeedWritten`] or [`Event::SeedWriteFailed`].
    SeedWrite { db: DbName, seeding: u64, chunk: u64, bytes: Vec<u8> },
    /// All of it is there; one [`Event::Copy`] or [`Event::SeedWriteFailed`].
    SeedFinish { db: DbName },
    /// Throw away what was written.
    SeedDiscard { db: DbName },
    /// Change the role that this side is to have, durably, before anything that follows; [`Event::Configured`].
    SetRole { group: GroupId, role: Role },
    /// A replica that is primary has this instance in its group, which is not known here: JOIN takes it over.
    Offered { group: Box<Group> },
    /// The primary of a group has changed it: change it here, too, durably. [`Event::Configured`].
    Adopt { group: Box<Group> },
    /// A database that is here and in no group is to join one in the place of a new copy. [`Event::Configured`], if it can.
    JoinOutsider { db: DbName, group: GroupId },
    /// A planned failover has ended.
    FailoverDone { group: GroupId, result: Result<(), (u32, String)> },
    /// For the error log.
    Report { number: u32, text: String },
}
