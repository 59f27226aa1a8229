//! Availability groups, distributed ones, and a database's part in them.

use super::Ident;
use super::words::words;

/// An option and its name as written. Options stay in the order of the text and may repeat: what is too much of them is
/// the engine's to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written<T> {
    /// The option's name, in the case of the text.
    pub spelling: Ident,
    /// What it says.
    pub value: T,
}

words! {
    /// CLUSTER_TYPE.
    ClusterType {
        /// A Windows Server failover cluster.
        Wsfc = "WSFC",
        /// A cluster that SQL Server does not know, as Pacemaker.
        External = "EXTERNAL",
        /// No cluster.
        None = "NONE",
    }
}

words! {
    /// AUTOMATED_BACKUP_PREFERENCE.
    BackupPreference {
        /// On the primary.
        Primary = "PRIMARY",
        /// On secondaries only.
        SecondaryOnly = "SECONDARY_ONLY",
        /// On a secondary if there is one.
        Secondary = "SECONDARY",
        /// Anywhere.
        None = "NONE",
    }
}

words! {
    /// DTC_SUPPORT.
    DtcSupport {
        /// For each database.
        PerDb = "PER_DB",
        /// Not.
        None = "NONE",
    }
}

words! {
    /// AVAILABILITY_MODE.
    AvailabilityMode {
        /// A commit waits for the secondary.
        SynchronousCommit = "SYNCHRONOUS_COMMIT",
        /// A commit does not wait.
        AsynchronousCommit = "ASYNCHRONOUS_COMMIT",
        /// The replica keeps no data.
        ConfigurationOnly = "CONFIGURATION_ONLY",
    }
}

words! {
    /// FAILOVER_MODE.
    FailoverMode {
        /// The cluster may.
        Automatic = "AUTOMATIC",
        /// Only by a statement.
        Manual = "MANUAL",
        /// By a cluster that SQL Server does not know.
        External = "EXTERNAL",
    }
}

words! {
    /// SEEDING_MODE.
    SeedingMode {
        /// The first copy is streamed.
        Automatic = "AUTOMATIC",
        /// The first copy is restored by hand.
        Manual = "MANUAL",
    }
}

words! {
    /// ALLOW_CONNECTIONS of PRIMARY_ROLE and SECONDARY_ROLE.
    AllowConnections {
        /// No connection.
        No = "NO",
        /// Those with ApplicationIntent = ReadOnly.
        ReadOnly = "READ_ONLY",
        /// Those without ApplicationIntent = ReadOnly.
        ReadWrite = "READ_WRITE",
        /// All.
        All = "ALL",
    }
}

/// An option of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupOption {
    /// AUTOMATED_BACKUP_PREFERENCE.
    AutomatedBackupPreference(BackupPreference),
    /// FAILURE_CONDITION_LEVEL.
    FailureConditionLevel(u32),
    /// HEALTH_CHECK_TIMEOUT, in milliseconds.
    HealthCheckTimeoutMs(u32),
    /// DB_FAILOVER.
    DbFailover(bool),
    /// DTC_SUPPORT.
    DtcSupport(DtcSupport),
    /// BASIC.
    Basic,
    /// DISTRIBUTED.
    Distributed,
    /// CONTAINED.
    Contained {
        /// REUSE_SYSTEM_DATABASES.
        reuse_system_databases: bool,
    },
    /// REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT.
    RequiredSynchronizedSecondariesToCommit(u32),
    /// CLUSTER_TYPE.
    ClusterType(ClusterType),
    /// `ROLE = SECONDARY`, of ALTER only.
    RoleSecondary,
}

/// What a replica's PRIMARY_ROLE or SECONDARY_ROLE says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoleOption {
    /// ALLOW_CONNECTIONS.
    AllowConnections(AllowConnections),
    /// READ_ONLY_ROUTING_URL.
    ReadOnlyRoutingUrl(String),
    /// READ_WRITE_ROUTING_URL.
    ReadWriteRoutingUrl(String),
    /// READ_ONLY_ROUTING_LIST: sets of replicas among which load is shared; none for NONE.
    ReadOnlyRoutingList(Vec<Vec<String>>),
}

/// An option of a replica, or of a group in a distributed group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplicaOption {
    /// ENDPOINT_URL, of a replica.
    EndpointUrl(String),
    /// LISTENER_URL, of a group in a distributed group.
    ListenerUrl(String),
    /// AVAILABILITY_MODE.
    AvailabilityMode(AvailabilityMode),
    /// FAILOVER_MODE.
    FailoverMode(FailoverMode),
    /// SEEDING_MODE.
    SeedingMode(SeedingMode),
    /// BACKUP_PRIORITY.
    BackupPriority(u32),
    /// SESSION_TIMEOUT, in seconds.
    SessionTimeoutSeconds(u32),
    /// PRIMARY_ROLE.
    PrimaryRole(Vec<Written<RoleOption>>),
    /// SECONDARY_ROLE.
    SecondaryRole(Vec<Written<RoleOption>>),
}

/// `'x' WITH (...)`: a replica by its server's name, or a member of a distributed group by its group's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaSpec {
    /// The server or the group.
    pub name: String,
    /// Its options.
    pub options: Vec<Written<ReplicaOption>>,
}

/// CREATE AVAILABILITY GROUP, distributed or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateAvailabilityGroup {
    /// Its name.
    pub name: Ident,
    /// WITH.
    pub options: Vec<Written<GroupOption>>,
    /// FOR DATABASE.
    pub databases: Vec<Ident>,
    /// REPLICA ON; empty if AVAILABILITY GROUP ON is written instead.
    pub replicas: Vec<ReplicaSpec>,
    /// AVAILABILITY GROUP ON.
    pub groups: Vec<ReplicaSpec>,
}

/// What ALTER AVAILABILITY GROUP does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlterAvailabilityGroup {
    /// SET (...).
    Set(Vec<Written<GroupOption>>),
    /// ADD DATABASE.
    AddDatabase(Vec<Ident>),
    /// REMOVE DATABASE.
    RemoveDatabase(Vec<Ident>),
    /// ADD REPLICA ON.
    AddReplica(Vec<ReplicaSpec>),
    /// MODIFY REPLICA ON.
    ModifyReplica(Vec<ReplicaSpec>),
    /// REMOVE REPLICA ON.
    RemoveReplica(Vec<String>),
    /// MODIFY AVAILABILITY GROUP ON.
    ModifyGroup(Vec<ReplicaSpec>),
    /// JOIN, with the CLUSTER_TYPE if written.
    Join(Option<ClusterType>),
    /// JOIN AVAILABILITY GROUP ON.
    JoinDistributed(Vec<ReplicaSpec>),
    /// FAILOVER.
    Failover,
    /// FORCE_FAILOVER_ALLOW_DATA_LOSS.
    ForceFailoverAllowDataLoss,
    /// GRANT CREATE ANY DATABASE.
    GrantCreateAnyDatabase,
    /// DENY CREATE ANY DATABASE.
    DenyCreateAnyDatabase,
    /// OFFLINE.
    Offline,
}

/// The statements about availability groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AvailabilityGroupStatement {
    /// CREATE AVAILABILITY GROUP.
    Create(Box<CreateAvailabilityGroup>),
    /// ALTER AVAILABILITY GROUP.
    Alter(Ident, AlterAvailabilityGroup),
    /// DROP AVAILABILITY GROUP.
    Drop(Ident),
}

/// ALTER DATABASE ... SET HADR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetHadr {
    /// AVAILABILITY GROUP =: this copy joins.
    AvailabilityGroup(Ident),
    /// OFF: this copy leaves.
    Off,
    /// SUSPEND.
    Suspend,
    /// RESUME.
    Resume,
}
