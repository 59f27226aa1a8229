//! What is going on: what the data path knows of peers and copies. Statements judge by it and the views show it.

use std::collections::BTreeMap;

use lab_store::Lsn;

use crate::{CommitMode, DbName, GroupId, ReplicaId, Role};

/// A moment: 100 ns since 0001-01-01, UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub i64);

/// An enumeration of the views: a number and a word.
macro_rules! described {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $number:literal $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$vdoc])* #[doc = concat!("`", $word, "`.")] $variant,)*
        }

        impl $name {
            /// The column with the number.
            pub fn number(self) -> u8 {
                match self { $($name::$variant => $number,)* }
            }

            /// The column that ends in `_desc`.
            pub fn name(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }
        }
    };
}

described! {
    /// `synchronization_state`.
    SynchronizationState {
        NotSynchronizing = 0 "NOT SYNCHRONIZING",
        Synchronizing = 1 "SYNCHRONIZING",
        Synchronized = 2 "SYNCHRONIZED",
        /// Pages are fetched from the primary to go back to where the copies parted.
        Reverting = 3 "REVERTING",
        /// The first copy is being made, or the log that goes with fetched pages.
        Initializing = 4 "INITIALIZING",
    }
}

described! {
    /// `synchronization_health`.
    Health {
        NotHealthy = 0 "NOT_HEALTHY",
        PartiallyHealthy = 1 "PARTIALLY_HEALTHY",
        Healthy = 2 "HEALTHY",
    }
}

described! {
    /// `sys.databases.state`.
    DatabaseState {
        Online = 0 "ONLINE",
        Restoring = 1 "RESTORING",
        Recovering = 2 "RECOVERING",
        RecoveryPending = 3 "RECOVERY_PENDING",
        Suspect = 4 "SUSPECT",
        Emergency = 5 "EMERGENCY",
        Offline = 6 "OFFLINE",
    }
}

described! {
    /// `suspend_reason`.
    SuspendReason {
        User = 0 "SUSPEND_FROM_USER",
        /// After a forced failover.
        Partner = 1 "SUSPEND_FROM_PARTNER",
        Redo = 2 "SUSPEND_FROM_REDO",
        Capture = 3 "SUSPEND_FROM_CAPTURE",
        Apply = 4 "SUSPEND_FROM_APPLY",
        Restart = 5 "SUSPEND_FROM_RESTART",
        Undo = 6 "SUSPEND_FROM_UNDO",
        Revalidation = 7 "SUSPEND_FROM_REVALIDATION",
        XrfUpdate = 8 "SUSPEND_FROM_XRF_UPDATE",
    }
}

described! {
    /// `operational_state`.
    OperationalState {
        PendingFailover = 0 "PENDING_FAILOVER",
        Pending = 1 "PENDING",
        Online = 2 "ONLINE",
        Offline = 3 "OFFLINE",
        Failed = 4 "FAILED",
        FailedNoQuorum = 5 "FAILED_NO_QUORUM",
    }
}

impl SynchronizationState {
    /// How healthy a copy is in that state: section "synchronization_health" of
    /// `sys.dm_hadr_database_replica_states`. It says nothing of REVERTING and INITIALIZING; nothing follows there yet.
    pub fn health(self, mode: CommitMode) -> Health {
        match (self, mode) {
            (SynchronizationState::Synchronized, _)
            | (SynchronizationState::Synchronizing, CommitMode::Asynchronous) => Health::Healthy,
            (SynchronizationState::Synchronizing, CommitMode::Synchronous) => Health::PartiallyHealthy,
            (
                SynchronizationState::NotSynchronizing
                | SynchronizationState::Reverting
                | SynchronizationState::Initializing,
                _,
            ) => Health::NotHealthy,
        }
    }
}

/// What is known of a copy, here or on the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns of sys.dm_hadr_database_replica_states, by their names")]
pub struct LiveDatabase {
    pub synchronization_state: SynchronizationState,
    pub database_state: DatabaseState,
    pub suspend_reason: Option<SuspendReason>,
    /// Why nothing moves, where that is an error: no column has it, but the error log and the link's state.
    pub error: Option<(i32, String)>,
    pub recovery_lsn: Option<Lsn>,
    pub truncation_lsn: Option<Lsn>,
    pub last_sent_lsn: Option<Lsn>,
    pub last_sent_time: Option<Moment>,
    pub last_received_lsn: Option<Lsn>,
    pub last_received_time: Option<Moment>,
    pub last_hardened_lsn: Option<Lsn>,
    pub last_hardened_time: Option<Moment>,
    pub last_redone_lsn: Option<Lsn>,
    pub last_redone_time: Option<Moment>,
    pub log_send_queue_kb: Option<i64>,
    pub log_send_rate_kb: Option<i64>,
    pub redo_queue_kb: Option<i64>,
    pub redo_rate_kb: Option<i64>,
    pub end_of_log_lsn: Option<Lsn>,
    pub last_commit_lsn: Option<Lsn>,
    pub last_commit_time: Option<Moment>,
    pub secondary_lag_seconds: Option<i64>,
}

impl LiveDatabase {
    /// One of which no more than that is known.
    pub fn new(synchronization_state: SynchronizationState, database_state: DatabaseState) -> LiveDatabase {
        LiveDatabase {
            synchronization_state,
            database_state,
            suspend_reason: None,
            error: None,
            recovery_lsn: None,
            truncation_lsn: None,
            last_sent_lsn: None,
            last_sent_time: None,
            last_received_lsn: None,
            last_received_time: None,
            last_hardened_lsn: None,
            last_hardened_time: None,
            last_redone_lsn: None,
            last_redone_time: None,
            log_send_queue_kb: None,
            log_send_rate_kb: None,
            redo_queue_kb: None,
            redo_rate_kb: None,
            end_of_log_lsn: None,
            last_commit_lsn: None,
            last_commit_time: None,
            secondary_lag_seconds: None,
        }
    }
}

/// `last_connect_error_*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectError {
    /// Its number.
    pub number: i32,
    /// Its text.
    pub text: String,
    /// When.
    pub at: Moment,
}

/// What is known of the other side of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LivePeer {
    /// Whether there is a session.
    pub connected: bool,
    /// The role that it says it has.
    pub role: Option<Role>,
    /// Whether it says that it is a managed instance.
    pub managed: bool,
    /// The last time that no connection came about.
    pub last_error: Option<ConnectError>,
    /// Its copies.
    pub databases: BTreeMap<DbName, LiveDatabase>,
}

/// What is going on in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveGroup {
    /// The role that this side has, which follows the one that it is to have.
    pub role: Role,
    /// Whether it can serve in it.
    pub operational_state: OperationalState,
    /// A role change is under way.
    pub changing_role: bool,
    /// The other replicas; of a distributed group, the other group.
    pub peers: BTreeMap<ReplicaId, LivePeer>,
    /// The copies on this side.
    pub databases: BTreeMap<DbName, LiveDatabase>,
}

impl LiveGroup {
    /// One in which nothing has happened yet.
    pub fn new(role: Role) -> LiveGroup {
        LiveGroup {
            role,
            operational_state: OperationalState::Online,
            changing_role: false,
            peers: BTreeMap::new(),
            databases: BTreeMap::new(),
        }
    }

    /// Whether there is a session with anybody.
    pub fn is_connected(&self) -> bool {
        self.peers.values().any(|p| p.connected)
    }
}

described! {
    /// `sys.dm_hadr_physical_seeding_stats.role_desc`.
    SeedingRole {
        Source = 0 "Source",
        Destination = 1 "Destination",
        Forwarder = 2 "Forwarder",
        ForwarderDestination = 3 "ForwarderDestination",
    }
}

described! {
    /// `sys.dm_hadr_automatic_seeding.current_state`.
    SeedingState {
        Pending = 0 "PENDING",
        CheckIfSeedingNeeded = 1 "CHECK_IF_SEEDING_NEEDED",
        LimitConcurrentBackups = 2 "LIMIT_CONCURRENT_BACKUPS",
        Seeding = 3 "SEEDING",
        Completed = 4 "COMPLETED",
        Failed = 5 "FAILED",
    }
}

/// Why a copy could not be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedingFailure {
    /// `failure_state`.
    pub state: i32,
    /// `failure_state_desc`.
    pub state_desc: String,
    /// `error_code`.
    pub error: i32,
    /// `failure_message`.
    pub text: String,
    /// When.
    pub at: Moment,
}

/// A copy that is, or was, made. Those that have ended are kept, whatever the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSeeding {
    /// `operation_id`, and `local_physical_seeding_id`.
    pub operation: [u8; 16],
    /// `remote_physical_seeding_id`.
    pub remote_operation: Option<[u8; 16]>,
    /// The group.
    pub group: GroupId,
    /// The database.
    pub database: DbName,
    /// The other side.
    pub peer: ReplicaId,
    /// Its machine.
    pub peer_machine: String,
    /// What this side does in it.
    pub role: SeedingRole,
    /// How far it has got.
    pub state: SeedingState,
    /// `number_of_attempts`.
    pub attempts: i32,
    /// When it began.
    pub started: Moment,
    /// When it ended.
    pub ended: Option<Moment>,
    /// When it may end.
    pub estimated_end: Option<Moment>,
    /// `transferred_size_bytes`.
    pub transferred_bytes: i64,
    /// `database_size_bytes`.
    pub database_bytes: i64,
    /// `transfer_rate_bytes_per_second`.
    pub bytes_per_second: i64,
    /// `total_disk_io_wait_time_ms`.
    pub disk_wait_ms: i64,
    /// `total_network_wait_time_ms`.
    pub network_wait_ms: i64,
    /// Trace flag 9567.
    pub compressed: bool,
    /// Why it failed.
    pub failure: Option<SeedingFailure>,
}

/// Everything that is going on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LiveState {
    /// The groups, local and distributed.
    pub groups: BTreeMap<GroupId, LiveGroup>,
    /// `database_id` of the databases.
    pub database_ids: BTreeMap<DbName, i32>,
    /// The copies that are and were made.
    pub seedings: Vec<LiveSeeding>,
}
