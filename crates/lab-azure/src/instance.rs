//! What stands between Azure Resource Manager and the managed instance.
//!
//! The instance may run in another process, and may be killed at any time. So there is one method, [`ManagedInstance::ask`],
//! from a [`Call`] to an [`Answer`], and both are plain data that go over a pipe as JSON. The methods that callers want are
//! written over it, once, below. Nothing here is remembered by the caller: each answer says how things are now.

use serde::{Deserialize, Serialize};

/// A managed instance, wherever it runs.
pub trait ManagedInstance: Send + Sync {
    /// Has the instance do or tell something. It blocks until that is done or refused.
    ///
    /// # Errors
    /// The instance refuses, or does not answer.
    fn ask(&self, call: &Call) -> Result<Answer, InstanceError>;
}

/// What an instance is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// Its [`InstanceFacts`].
    Facts,
    /// The [`EndpointCertificate`] that it shows to partners.
    EndpointCertificate,
    /// The [`TrustedCertificate`]s of partners.
    TrustedCertificates,
    /// Accept a partner's certificate.
    TrustCertificate {
        /// The name that it gets.
        name: String,
        /// The certificate.
        der: Vec<u8>,
    },
    /// Accept a partner's certificate no longer.
    ForgetCertificate {
        /// Its name.
        name: String,
    },
    /// Its [`Link`]s.
    Links,
    /// Make this side of a link.
    CreateLink(LinkRequest),
    /// Make the databases of a link these.
    SetDatabases {
        /// The link.
        link: String,
        /// All that it is to have.
        databases: Vec<String>,
    },
    /// Hand the primary role over; by force, take it.
    FailOver {
        /// The link.
        link: String,
        /// Whether data may be lost.
        forced: bool,
    },
    /// Give the primary role up, to nobody in particular.
    BecomeSecondary {
        /// The link.
        link: String,
    },
    /// Have commits wait for the other side, or not.
    SetCommitMode {
        /// The link.
        link: String,
        /// Whether they wait.
        mode: CommitMode,
    },
    /// End this side of a link. The databases stay.
    DropLink {
        /// The link.
        link: String,
    },
    /// Its [`Database`]s, those of users.
    Databases,
    /// Delete a database.
    DropDatabase {
        /// Its name.
        name: String,
    },
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It is done.
    Done,
    /// To [`Call::Facts`].
    Facts(InstanceFacts),
    /// To [`Call::EndpointCertificate`].
    EndpointCertificate(EndpointCertificate),
    /// To [`Call::TrustedCertificates`].
    TrustedCertificates(Vec<TrustedCertificate>),
    /// To [`Call::Links`].
    Links(Vec<Link>),
    /// To [`Call::Databases`].
    Databases(Vec<Database>),
}

/// Why an instance did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstanceError {
    /// It says so.
    Refused {
        /// The error's number, as `ERROR_NUMBER()` has it.
        number: i32,
        /// Its text.
        text: String,
    },
    /// It does not answer: it was stopped, killed, or hangs. Whether it has done what it was asked is not known.
    Silent,
}

impl InstanceError {
    /// A refusal.
    pub fn refused(number: i32, text: impl Into<String>) -> InstanceError {
        InstanceError::Refused { number, text: text.into() }
    }
}

impl std::fmt::Display for InstanceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            InstanceError::Refused { number, text } => write!(f, "Msg {number}: {text}"),
            InstanceError::Silent => f.write_str("the managed instance does not answer"),
        }
    }
}

impl std::error::Error for InstanceError {}

/// What an instance is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceFacts {
    /// `SERVERPROPERTY('Collation')`.
    pub collation: String,
    /// Its update policy, as `databaseFormat` has it: `SQLServer2022`, `SQLServer2025`, `AlwaysUpToDate`.
    pub database_format: String,
}

/// The certificate of an instance's endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointCertificate {
    /// The certificate.
    pub der: Vec<u8>,
    /// The roots that vouch for it.
    pub roots: Vec<Vec<u8>>,
}

/// A partner's certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustedCertificate {
    /// The name that it was given.
    pub name: String,
    /// The certificate.
    pub der: Vec<u8>,
    /// Its SHA-1.
    pub thumbprint: [u8; 20],
    /// Valid until, in milliseconds since 1970.
    pub not_after_ms: i64,
}

/// A database of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// `state_desc`: `ONLINE`, `RESTORING`, ...
    pub state: String,
    /// The collation's name.
    pub collation: String,
    /// `create_date`, in milliseconds since 1970.
    pub created_ms: i64,
    /// Whether its first copy is on its way.
    pub seeding: bool,
}

/// What an instance is in a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// Neither, or not known yet.
    Resolving,
    /// Its databases are written to.
    Primary,
    /// Its databases follow.
    Secondary,
}

/// Whether commits wait for the other side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CommitMode {
    /// They do not.
    #[default]
    Asynchronous,
    /// They do.
    Synchronous,
}

/// How the first copy comes to the secondary.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SeedingMode {
    /// The primary streams it.
    #[default]
    Automatic,
    /// Somebody restores it.
    Manual,
}

/// Whether the way back from Azure is wanted: the service's own setting, kept with the link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailoverMode {
    /// One way.
    #[default]
    None,
    /// There and back.
    Manual,
}

/// How many databases a link may have: the service's own setting, kept with the link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkMode {
    /// One.
    #[default]
    SingleDatabase,
    /// Any number.
    MultiDatabase,
}

/// A link that is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkRequest {
    /// The link's name, which is that of its distributed group.
    pub name: String,
    /// The partner's group.
    pub partner_group: String,
    /// The partner's endpoint: `tcp://address:port`.
    pub partner_endpoint: String,
    /// The group to be made here.
    pub instance_group: String,
    /// The databases; on a secondary they come by seeding.
    pub databases: Vec<String>,
    /// What this instance is to be in it: `Primary` or `Secondary`.
    pub role: Role,
    /// Whether commits wait for the other side.
    pub commit_mode: CommitMode,
    /// How the first copy is made.
    pub seeding_mode: SeedingMode,
    /// Whether there is to be a way back.
    pub failover_mode: FailoverMode,
    /// How many databases it may have.
    pub link_mode: LinkMode,
}

/// A link as it is now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// What was asked for, as far as that does not change; and [`LinkRequest::commit_mode`] as it is now.
    /// [`LinkRequest::role`] is what this instance is now, and `databases` are those that belong to the link.
    pub settings: LinkRequest,
    /// `group_id`.
    pub id: String,
    /// The role that the partner says it has, if it has said so.
    pub partner_role: Option<Role>,
    /// Whether there is a session with the partner.
    pub connected: bool,
    /// A role change is under way.
    pub changing_role: bool,
    /// The databases.
    pub databases: Vec<LinkDatabase>,
    /// Why it does not work, as the service says it (419xx).
    pub problem: Option<Problem>,
}

/// Something that does not work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The error's number.
    pub number: i32,
    /// Its text.
    pub text: String,
    /// When it was seen last, in milliseconds since 1970.
    pub at_ms: Option<i64>,
}

/// `sys.dm_hadr_database_replica_states.synchronization_state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SynchronizationState {
    /// NOT SYNCHRONIZING.
    NotSynchronizing,
    /// SYNCHRONIZING.
    Synchronizing,
    /// SYNCHRONIZED.
    Synchronized,
    /// REVERTING.
    Reverting,
    /// INITIALIZING.
    Initializing,
}

/// A database of a link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkDatabase {
    /// Its name.
    pub name: String,
    /// `replica_id` of the copy here.
    pub instance_replica_id: String,
    /// `replica_id` of the partner's copy.
    pub partner_replica_id: String,
    /// How the secondary follows; nothing before there are two copies.
    pub synchronization: Option<SynchronizationState>,
    /// Somebody or something has stopped it.
    pub suspended: bool,
    /// The first copy, if one was or is made through this link.
    pub seeding: Option<Seeding>,
    /// Where the logs are.
    pub log: LogPositions,
    /// How far the secondary is behind; nothing if that is not known.
    pub lag_seconds: Option<i64>,
    /// How far redo here is behind what is hardened here.
    pub redo_queue_kb: Option<i64>,
}

/// Positions in the log, as the views print them (`numeric(25,0)`), and when they were reached, in milliseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPositions {
    /// What was sent to the partner.
    pub last_sent_lsn: Option<String>,
    /// When.
    pub last_sent_ms: Option<i64>,
    /// What was received from the partner.
    pub last_received_lsn: Option<String>,
    /// When.
    pub last_received_ms: Option<i64>,
    /// What was committed.
    pub last_commit_lsn: Option<String>,
    /// When.
    pub last_commit_ms: Option<i64>,
    /// What the secondary has on disk.
    pub last_hardened_lsn: Option<String>,
    /// When.
    pub last_hardened_ms: Option<i64>,
    /// Where the last backup of this instance ended.
    pub last_backup_lsn: Option<String>,
    /// When.
    pub last_backup_ms: Option<i64>,
}

/// How far a first copy has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seeding {
    /// Its state.
    pub state: SeedingState,
    /// How much of it there is, of a hundred.
    pub percent: u8,
}

/// `sys.dm_hadr_automatic_seeding.current_state`, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SeedingState {
    /// It has not begun.
    Pending,
    /// It moves.
    Running,
    /// It is there.
    Completed,
    /// It did not come.
    Failed,
}

/// An answer to another call: the two sides of a pipe are of different versions.
fn crossed(answer: &Answer) -> InstanceError {
    InstanceError::refused(
        50_000,
        format!("The managed instance gave an answer to another question: {answer:?}"),
    )
}

/// Asks, and takes the answer of the right kind out.
macro_rules! asked {
    ($self:ident, $call:expr, $answer:ident) => {
        match $self.ask(&$call)? {
            Answer::$answer(value) => Ok(value),
            other => Err(crossed(&other)),
        }
    };
}

/// The calls, with their own answers.
impl dyn ManagedInstance + '_ {
    /// What it is.
    pub fn facts(&self) -> Result<InstanceFacts, InstanceError> {
        asked!(self, Call::Facts, Facts)
    }

    /// The certificate that its endpoint shows.
    pub fn endpoint_certificate(&self) -> Result<EndpointCertificate, InstanceError> {
        asked!(self, Call::EndpointCertificate, EndpointCertificate)
    }

    /// The certificates of partners.
    pub fn trusted_certificates(&self) -> Result<Vec<TrustedCertificate>, InstanceError> {
        asked!(self, Call::TrustedCertificates, TrustedCertificates)
    }

    /// The links, as they are now.
    pub fn links(&self) -> Result<Vec<Link>, InstanceError> {
        asked!(self, Call::Links, Links)
    }

    /// The databases.
    pub fn databases(&self) -> Result<Vec<Database>, InstanceError> {
        asked!(self, Call::Databases, Databases)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_over_a_pipe_comes_back_as_it_was() {
        let call = Call::TrustCertificate { name: "c".to_owned(), der: vec![0x30, 0x82] };
        let line = serde_json::to_string(&call).unwrap();
        assert_eq!(serde_json::from_str::<Call>(&line).unwrap(), call);
        for error in [InstanceError::Silent, InstanceError::refused(41_965, "Setting the role")] {
            let line = serde_json::to_string(&Err::<Answer, _>(error.clone())).unwrap();
            assert_eq!(serde_json::from_str::<Result<Answer, InstanceError>>(&line).unwrap(), Err(error));
        }
    }

    #[test]
    fn an_answer_to_another_question_is_an_error() {
        struct Crossed;
        impl ManagedInstance for Crossed {
            fn ask(&self, _: &Call) -> Result<Answer, InstanceError> {
                Ok(Answer::Done)
            }
        }
        let instance: &dyn ManagedInstance = &Crossed;
        assert!(matches!(instance.links(), Err(InstanceError::Refused { number: 50_000, .. })));
    }
}
