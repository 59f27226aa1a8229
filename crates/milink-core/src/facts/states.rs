//! The words in which both sides and Azure tell states, and what they mean.
//!
//! No complete list of some of them is published, and new ones come. So a word that is not known is kept as it is, and never taken for a known
//! one or for an error.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::errors::Phase;

/// A field that tells a state in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Field {
    /// `replicaState` of a link's database in Azure.
    ReplicaState,
    /// `status` of a managed database in Azure.
    ManagedDatabaseStatus,
    /// `role_desc` of `sys.dm_hadr_availability_replica_states`.
    Role,
    /// `operational_state_desc` of the same.
    OperationalState,
    /// `connected_state_desc` of the same, and `connectedState` in Azure.
    ConnectedState,
    /// `synchronization_health_desc`, and `synchronizationHealth` in Azure.
    SynchronizationHealth,
    /// `synchronization_state_desc` of `sys.dm_hadr_database_replica_states`.
    SynchronizationState,
    /// `database_state_desc` of the same, and `state_desc` of `sys.databases`.
    DatabaseState,
    /// `suspend_reason_desc` of the same.
    SuspendReason,
    /// `current_state` of `sys.dm_hadr_automatic_seeding`.
    SeedingState,
    /// `role_desc` of `sys.dm_hadr_physical_seeding_stats`.
    SeedingRole,
}

impl Field {
    /// All of them.
    pub const ALL: [Field; 11] = [
        Field::ReplicaState,
        Field::ManagedDatabaseStatus,
        Field::Role,
        Field::OperationalState,
        Field::ConnectedState,
        Field::SynchronizationHealth,
        Field::SynchronizationState,
        Field::DatabaseState,
        Field::SuspendReason,
        Field::SeedingState,
        Field::SeedingRole,
    ];

    /// Its name where it stands.
    pub fn column(self) -> &'static str {
        match self {
            Field::ReplicaState => "replicaState",
            Field::ManagedDatabaseStatus => "status",
            Field::Role => "role_desc",
            Field::OperationalState => "operational_state_desc",
            Field::ConnectedState => "connected_state_desc",
            Field::SynchronizationHealth => "synchronization_health_desc",
            Field::SynchronizationState => "synchronization_state_desc",
            Field::DatabaseState => "database_state_desc",
            Field::SuspendReason => "suspend_reason_desc",
            Field::SeedingState => "current_state",
            Field::SeedingRole => "role_desc",
        }
    }

    /// Where it stands.
    pub fn place(self) -> &'static str {
        match self {
            Field::ReplicaState => "a link's database in Azure",
            Field::ManagedDatabaseStatus => "a managed database in Azure",
            Field::Role | Field::OperationalState | Field::ConnectedState => {
                "sys.dm_hadr_availability_replica_states"
            }
            Field::SynchronizationHealth => "both sys.dm_hadr_*_replica_states, and Azure",
            Field::SynchronizationState | Field::SuspendReason => "sys.dm_hadr_database_replica_states",
            Field::DatabaseState => "sys.dm_hadr_database_replica_states, sys.databases",
            Field::SeedingState => "sys.dm_hadr_automatic_seeding",
            Field::SeedingRole => "sys.dm_hadr_physical_seeding_stats",
        }
    }
}

/// A word and what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Word {
    /// The field that says it.
    pub field: Field,
    /// The word.
    pub word: &'static str,
    /// When it is met.
    pub phase: Phase,
    /// What it means.
    pub meaning: &'static str,
    /// Where it is written.
    pub source: &'static str,
}

/// What a field's word means, if it is known. Cases do not matter, nor whether words are joined by spaces or underscores.
pub fn word(field: Field, text: &str) -> Option<&'static Word> {
    let same = |a: char, b: char| a.eq_ignore_ascii_case(&b) || (is_joint(a) && is_joint(b));
    let equal = |w: &&Word| {
        w.word.chars().count() == text.chars().count()
            && w.word.chars().zip(text.chars()).all(|(a, b)| same(a, b))
    };
    WORDS.iter().filter(|w| w.field == field).find(equal)
}

fn is_joint(c: char) -> bool {
    c == ' ' || c == '_'
}

/// What a field's word means, in one line, whether it is known or not.
pub fn meaning(field: Field, text: &str) -> &'static str {
    match word(field, text) {
        Some(word) => word.meaning,
        // Azure's rule for words that it has not published.
        None if field == Field::ReplicaState && is_error(text) => {
            "a step of the link failed; its last error says why"
        }
        None => "a word that these tables do not know",
    }
}

/// Whether a `replicaState` says that a step failed: every one that has `Error` in it does.
pub fn is_error(replica_state: &str) -> bool {
    replica_state.to_ascii_lowercase().contains("error")
}

/// Enums whose unknown words stay what they are.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $field:ident: $($variant:ident = $word:literal, $about:literal;)+) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub enum $name {
            $(#[doc = $about] $variant,)+
            /// A word that these tables do not know, as it was read.
            Other(String),
        }

        impl $name {
            /// The word.
            pub fn as_str(&self) -> &str {
                match self {
                    $($name::$variant => $word,)+
                    $name::Other(text) => text,
                }
            }

            /// What it means, in one line.
            pub fn meaning(&self) -> &'static str {
                meaning(Field::$field, self.as_str())
            }

            /// When it is met, if it is known.
            pub fn phase(&self) -> Option<Phase> {
                word(Field::$field, self.as_str()).map(|w| w.phase)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> $name {
                match word(Field::$field, text).map(|w| w.word) {
                    $(Some($word) => $name::$variant,)+
                    _ => $name::Other(text.to_owned()),
                }
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> $name {
                $name::from(text.as_str())
            }
        }

        impl From<$name> for String {
            fn from(state: $name) -> String {
                state.as_str().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// `replicaState`: how Azure sees a link's database.
    ReplicaState, ReplicaState:
    InitiatingLink = "InitiatingLink", "The link was accepted; nothing flows yet.";
    CreatingLink = "CreatingLink", "The first copy is being made.";
    Seeding = "Seeding", "The first copy is being made.";
    Catchup = "Catchup", "The first copy is there, and the log since then is being brought.";
    LinkSynchronizing = "LinkSynchronizing", "Log flows: the steady state.";
    LinkFailoverInProgress = "LinkFailoverInProgress", "Roles are being changed.";
    LinkInitError = "LinkInitError", "The sides never connected.";
    LinkCreationError = "LinkCreationError", "The first copy failed.";
    LinkSynchronizationError = "LinkSynchronizationError", "Log does not flow any more.";
}

impl ReplicaState {
    /// Whether it says that a step failed. A word that is not known does if it has `Error` in it.
    pub fn is_error(&self) -> bool {
        is_error(self.as_str())
    }
}

words! {
    /// `current_state` of a seeding.
    SeedingState, SeedingState:
    Pending = "PENDING", "It waits to begin.";
    CheckIfNeeded = "CHECK_IF_SEEDING_NEEDED", "It is being looked whether a copy is needed.";
    LimitConcurrentBackups = "LIMIT_CONCURRENT_BACKUPS", "It waits for other seedings.";
    Seeding = "SEEDING", "The copy is being made.";
    Completed = "COMPLETED", "The copy is there.";
    Failed = "FAILED", "It failed.";
}

impl SeedingState {
    /// Whether nothing more comes of this attempt. A word that is not known does not say so.
    pub fn is_over(&self) -> bool {
        match self {
            SeedingState::Completed | SeedingState::Failed => true,
            SeedingState::Pending
            | SeedingState::CheckIfNeeded
            | SeedingState::LimitConcurrentBackups
            | SeedingState::Seeding
            | SeedingState::Other(_) => false,
        }
    }
}

words! {
    /// `suspend_reason_desc`: why a database's data movement is suspended.
    SuspendReason, SuspendReason:
    FromUser = "SUSPEND_FROM_USER", "Somebody asked for it.";
    FromPartner = "SUSPEND_FROM_PARTNER", "The other side was forced to be primary.";
    FromRedo = "SUSPEND_FROM_REDO", "Redo failed.";
    FromApply = "SUSPEND_FROM_APPLY", "Log could not be written on the secondary.";
    FromCapture = "SUSPEND_FROM_CAPTURE", "Log could not be read on the primary.";
    FromRestart = "SUSPEND_FROM_RESTART", "The database was suspended before a restart.";
    FromUndo = "SUSPEND_FROM_UNDO", "Undo after a role change failed.";
    FromRevalidation = "SUSPEND_FROM_REVALIDATION", "The logs do not fit each other after a reconnect.";
    FromXrfUpdate = "SUSPEND_FROM_XRF_UPDATE", "No common recovery point was found.";
}

const REST: &str = "REST, links; Troubleshoot, link states";
const RECORDED: &str = "Recorded, link states";
const REPLICA: &str = "DMVs, availability replica states";
const DATABASE: &str = "DMVs, database replica states";
const SEEDING: &str = "DMVs, automatic seeding";

const fn row(
    field: Field,
    word: &'static str,
    phase: Phase,
    meaning: &'static str,
    source: &'static str,
) -> Word {
    Word { field, word, phase, meaning, source }
}

/// All known words, field by field in the order of [`Field::ALL`], each in the order in which they are met.
pub const WORDS: &[Word] = {
    use Field::*;
    use Phase::*;
    &[
        row(
            ReplicaState,
            "InitiatingLink",
            Create,
            "the link was accepted; the two sides have not connected yet",
            RECORDED,
        ),
        row(
            ReplicaState,
            "LinkInitError",
            Create,
            "the two sides never connected: certificates, network, names (errors 41962, 41973, 41974, 41976, 41986)",
            REST,
        ),
        row(ReplicaState, "CreatingLink", Seed, "the first copy is being made", REST),
        row(ReplicaState, "Seeding", Seed, "the first copy is being made", "REST, examples of links"),
        row(
            ReplicaState,
            "LinkCreationError",
            Seed,
            "the first copy failed; delete the link and create it again when the cause is mended",
            REST,
        ),
        row(
            ReplicaState,
            "Catchup",
            Seed,
            "the first copy is there; the log that came meanwhile is being brought",
            "REST, examples of links",
        ),
        row(ReplicaState, "LinkSynchronizing", Run, "log flows: the steady state of a link", REST),
        row(
            ReplicaState,
            "LinkSynchronizationError",
            Run,
            "log does not flow any more; after a forced failover, both sides may be primary",
            RECORDED,
        ),
        row(
            ReplicaState,
            "LinkFailoverInProgress",
            Failover,
            "roles are being changed; ask nothing else of the link until it is over",
            REST,
        ),
        row(ManagedDatabaseStatus, "Creating", Create, "it is being created", "REST, managed databases"),
        row(
            ManagedDatabaseStatus,
            "Restoring",
            Seed,
            "it is being seeded, or restored",
            "REST, managed databases",
        ),
        row(
            ManagedDatabaseStatus,
            "Online",
            Run,
            "it can be used; as a secondary it can be read",
            "REST, managed databases",
        ),
        row(ManagedDatabaseStatus, "Updating", Run, "it is being changed", "REST, managed databases"),
        row(
            ManagedDatabaseStatus,
            "Inaccessible",
            Run,
            "its key cannot be reached, or it did not recover; a failover is refused (error 41993)",
            "REST, managed databases",
        ),
        row(ManagedDatabaseStatus, "Offline", Run, "it is offline", "REST, managed databases"),
        row(ManagedDatabaseStatus, "Shutdown", Run, "it is shut down", "REST, managed databases"),
        row(ManagedDatabaseStatus, "Starting", Run, "its instance is starting", "REST, managed databases"),
        row(ManagedDatabaseStatus, "Stopping", Run, "its instance is stopping", "REST, managed databases"),
        row(
            ManagedDatabaseStatus,
            "Stopped",
            Run,
            "its instance is stopped; a linked primary's log grows meanwhile",
            "REST, managed databases",
        ),
        row(
            ManagedDatabaseStatus,
            "DbCopying",
            Run,
            "it is being copied to another instance",
            "REST, managed databases",
        ),
        row(
            ManagedDatabaseStatus,
            "DbMoving",
            Run,
            "it is being moved to another instance",
            "REST, managed databases",
        ),
        row(
            Role,
            "PRIMARY",
            Run,
            "this replica has the copy that is written to; both sides saying so is split brain",
            REPLICA,
        ),
        row(
            Role,
            "SECONDARY",
            Run,
            "this replica receives; in a distributed group its availability group's primary is the forwarder",
            REPLICA,
        ),
        row(Role, "RESOLVING", Failover, "neither, at the moment: during a role change or a start", REPLICA),
        row(OperationalState, "PENDING_FAILOVER", Failover, "a failover is being carried out", REPLICA),
        row(OperationalState, "PENDING", Run, "the replica is getting ready", REPLICA),
        row(OperationalState, "ONLINE", Run, "the replica is at work", REPLICA),
        row(
            OperationalState,
            "OFFLINE",
            Run,
            "there is no primary, or the replica is not connected",
            REPLICA,
        ),
        row(OperationalState, "FAILED", Run, "the replica cannot do its work", REPLICA),
        row(OperationalState, "FAILED_NO_QUORUM", Run, "the cluster has no quorum", REPLICA),
        row(ConnectedState, "CONNECTED", Run, "the two sides are connected", REPLICA),
        row(ConnectedState, "DISCONNECTED", Run, "they are not; last_connect_error_number says why", REPLICA),
        row(
            SynchronizationHealth,
            "HEALTHY",
            Run,
            "as it should be for the commit mode: SYNCHRONIZING if asynchronous, SYNCHRONIZED if synchronous",
            DATABASE,
        ),
        row(
            SynchronizationHealth,
            "PARTIALLY_HEALTHY",
            Run,
            "log flows, but a synchronous copy has not caught up",
            DATABASE,
        ),
        row(SynchronizationHealth, "NOT_HEALTHY", Run, "log does not flow", DATABASE),
        row(
            SynchronizationState,
            "NOT SYNCHRONIZING",
            Run,
            "no log is taken: disconnected, suspended, or not joined",
            DATABASE,
        ),
        row(
            SynchronizationState,
            "SYNCHRONIZING",
            Run,
            "log is taken: the steady state of an asynchronous link",
            DATABASE,
        ),
        row(
            SynchronizationState,
            "SYNCHRONIZED",
            Run,
            "all that is committed is hardened on both sides; only under synchronous commit, and on the primary's own row",
            DATABASE,
        ),
        row(
            SynchronizationState,
            "REVERTING",
            Failover,
            "pages are being taken back after a role change; forcing this copy to be primary would leave it unusable",
            DATABASE,
        ),
        row(
            SynchronizationState,
            "INITIALIZING",
            Failover,
            "log that undo needs is being brought; forcing this copy to be primary would leave it unusable",
            DATABASE,
        ),
        row(
            DatabaseState,
            "ONLINE",
            Run,
            "it can be used; a secondary can be read where that is allowed",
            DATABASE,
        ),
        row(
            DatabaseState,
            "RESTORING",
            Seed,
            "it is being seeded, or it is a secondary that takes log",
            DATABASE,
        ),
        row(DatabaseState, "RECOVERING", Failover, "it is being brought to a consistent state", DATABASE),
        row(
            DatabaseState,
            "RECOVERY_PENDING",
            Failover,
            "recovery could not begin: a file or a key is missing, or the log that it waits for",
            DATABASE,
        ),
        row(DatabaseState, "SUSPECT", Run, "recovery failed; it may be damaged", DATABASE),
        row(DatabaseState, "EMERGENCY", Run, "somebody has opened it for repair, for reading only", DATABASE),
        row(DatabaseState, "OFFLINE", Run, "somebody has taken it offline", DATABASE),
        row(SuspendReason, "SUSPEND_FROM_USER", Run, "somebody asked for it", DATABASE),
        row(
            SuspendReason,
            "SUSPEND_FROM_PARTNER",
            Failover,
            "the other side was forced to be primary: resuming throws away what this copy alone has",
            DATABASE,
        ),
        row(
            SuspendReason,
            "SUSPEND_FROM_REDO",
            Run,
            "redo failed on the secondary; its error log says why",
            DATABASE,
        ),
        row(
            SuspendReason,
            "SUSPEND_FROM_APPLY",
            Run,
            "log could not be written on the secondary; its error log says why",
            DATABASE,
        ),
        row(
            SuspendReason,
            "SUSPEND_FROM_CAPTURE",
            Run,
            "log could not be read on the primary; its error log says why",
            DATABASE,
        ),
        row(
            SuspendReason,
            "SUSPEND_FROM_RESTART",
            Run,
            "it was suspended before the database was restarted",
            DATABASE,
        ),
        row(
            SuspendReason,
            "SUSPEND_FROM_UNDO",
            Failover,
            "undo after a role change failed; its error log says why",
            DATABASE,
        ),
        row(
            SuspendReason,
            "SUSPEND_FROM_REVALIDATION",
            Run,
            "the two logs do not fit each other after a reconnect",
            DATABASE,
        ),
        row(
            SuspendReason,
            "SUSPEND_FROM_XRF_UPDATE",
            Run,
            "no common recovery point of the two copies was found",
            DATABASE,
        ),
        row(SeedingState, "PENDING", Seed, "it waits to begin", "Engine knowledge, automatic seeding"),
        row(
            SeedingState,
            "CHECK_IF_SEEDING_NEEDED",
            Seed,
            "it is being looked whether the secondary needs a copy",
            SEEDING,
        ),
        row(
            SeedingState,
            "LIMIT_CONCURRENT_BACKUPS",
            Seed,
            "it waits for other seedings of this instance",
            SEEDING,
        ),
        row(SeedingState, "SEEDING", Seed, "the copy is being made", "Engine knowledge, automatic seeding"),
        row(SeedingState, "COMPLETED", Seed, "the copy is there; now log flows", SEEDING),
        row(
            SeedingState,
            "FAILED",
            Seed,
            "it failed; failure_state_desc and the secondary's error log say why",
            SEEDING,
        ),
        row(SeedingRole, "Source", Seed, "this side sends", "DMVs, physical seeding stats"),
        row(SeedingRole, "Destination", Seed, "this side receives", "DMVs, physical seeding stats"),
        row(
            SeedingRole,
            "Forwarder",
            Seed,
            "this side passes on what it receives",
            "DMVs, physical seeding stats",
        ),
        row(
            SeedingRole,
            "ForwarderDestination",
            Seed,
            "this side receives what another one passes on",
            "DMVs, physical seeding stats",
        ),
    ]
};

#[cfg(test)]
mod tests {
    use super::super::sources::tests::check_source;
    use super::*;

    #[test]
    fn words_are_whole_and_differ_within_their_field() {
        let order = |w: &Word| Field::ALL.iter().position(|f| *f == w.field);
        assert!(WORDS.is_sorted_by_key(order));
        for w in WORDS {
            check_source(w.source, w.word);
            assert!(!w.meaning.is_empty());
            assert_eq!(word(w.field, w.word), Some(w), "no word twice");
        }
        for field in Field::ALL {
            assert!(WORDS.iter().any(|w| w.field == field), "{field:?}");
            assert!(!field.column().is_empty() && !field.place().is_empty());
        }
    }

    /// Each variant is found by its word, so that no word of the table becomes `Other` where an enum has it.
    fn check_enum<T: for<'a> From<&'a str> + fmt::Display>(field: Field, is_other: impl Fn(&T) -> bool) {
        for w in WORDS.iter().filter(|w| w.field == field) {
            let state = T::from(&w.word.to_lowercase());
            assert!(!is_other(&state), "{}", w.word);
            assert_eq!(state.to_string(), w.word);
        }
    }

    #[test]
    fn every_known_word_has_its_variant() {
        check_enum(Field::ReplicaState, |s: &ReplicaState| matches!(s, ReplicaState::Other(_)));
        check_enum(Field::SeedingState, |s: &SeedingState| matches!(s, SeedingState::Other(_)));
        check_enum(Field::SuspendReason, |s: &SuspendReason| matches!(s, SuspendReason::Other(_)));
    }

    #[test]
    fn an_unknown_word_stays_what_it_is() {
        let state: ReplicaState = serde_json::from_str("\"LinkWarmingUp\"").unwrap();
        assert_eq!(state, ReplicaState::Other("LinkWarmingUp".to_owned()));
        assert_eq!(serde_json::to_string(&state).unwrap(), "\"LinkWarmingUp\"");
        assert!(!state.is_error() && state.phase().is_none());
        let state = ReplicaState::from("LinkDroppingError");
        assert!(state.is_error() && state.meaning().contains("failed"), "{}", state.meaning());
        assert!(!SeedingState::from("SOMETHING").is_over() && SeedingState::from("failed").is_over());
    }

    #[test]
    fn known_words_are_explained() {
        assert!(ReplicaState::LinkSynchronizationError.is_error());
        assert_eq!(ReplicaState::LinkFailoverInProgress.phase(), Some(Phase::Failover));
        assert!(meaning(Field::Role, "primary").contains("split brain"));
        assert_eq!(
            word(Field::SynchronizationState, "NOT_SYNCHRONIZING"),
            word(Field::SynchronizationState, "NOT SYNCHRONIZING")
        );
        assert!(word(Field::Role, "FORWARDER").is_none());
    }
}
