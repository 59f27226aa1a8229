//! The statements, as they were written: what is right and what is not is decided when they are carried out.

/// An option's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GivenValue {
    /// There is none: `DISTRIBUTED`.
    Nothing,
    /// `NONE`, `SYNCHRONOUS_COMMIT`.
    Word(String),
    /// `20`.
    Number(i64),
    /// `N'TCP://...'`.
    Text(String),
    /// `(ALLOW_CONNECTIONS = ALL)`.
    Options(Vec<GivenOption>),
    /// `('a', ('b', 'c'))`; the inner lists one after the other.
    Texts(Vec<String>),
}

/// An option as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenOption {
    /// Its name, as it was spelled.
    pub name: String,
    /// Its value.
    pub value: GivenValue,
}

/// A replica of a group, or a member of a distributed group: `N'name' WITH (...)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenMember {
    /// The server's name, or the group's.
    pub name: String,
    /// What stands in parentheses.
    pub options: Vec<GivenOption>,
}

/// What ALTER AVAILABILITY GROUP is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alteration {
    /// SET (...).
    Set(Vec<GivenOption>),
    /// ADD DATABASE.
    AddDatabase(Vec<String>),
    /// REMOVE DATABASE.
    RemoveDatabase(Vec<String>),
    /// ADD REPLICA ON.
    AddReplica(Vec<GivenMember>),
    /// MODIFY REPLICA ON.
    ModifyReplica(Vec<GivenMember>),
    /// REMOVE REPLICA ON.
    RemoveReplica(Vec<String>),
    /// MODIFY AVAILABILITY GROUP ON.
    ModifyMembers(Vec<GivenMember>),
    /// JOIN, or JOIN WITH (...).
    Join(Vec<GivenOption>),
    /// JOIN AVAILABILITY GROUP ON.
    JoinDistributed(Vec<GivenMember>),
    /// FAILOVER.
    Failover,
    /// FORCE_FAILOVER_ALLOW_DATA_LOSS.
    ForceFailover,
    /// GRANT CREATE ANY DATABASE.
    Grant,
    /// DENY CREATE ANY DATABASE.
    Deny,
    /// OFFLINE, and all that has to do with listeners, by what it is called: recognised and refused.
    Other(String),
}

/// A statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// CREATE AVAILABILITY GROUP ... FOR.
    Create {
        /// The group's name.
        group: String,
        /// WITH (...).
        options: Vec<GivenOption>,
        /// FOR DATABASE.
        databases: Vec<String>,
        /// REPLICA ON.
        replicas: Vec<GivenMember>,
        /// LISTENER: whether there is one; there is no cluster to hold it.
        listener: bool,
    },
    /// CREATE AVAILABILITY GROUP ... AVAILABILITY GROUP ON.
    CreateDistributed {
        /// The group's name.
        group: String,
        /// WITH (...), which must be DISTRIBUTED.
        options: Vec<GivenOption>,
        /// The members.
        members: Vec<GivenMember>,
    },
    /// ALTER AVAILABILITY GROUP.
    Alter {
        /// The group's name.
        group: String,
        /// What is to happen.
        alteration: Alteration,
    },
    /// DROP AVAILABILITY GROUP.
    Drop {
        /// The group's name.
        group: String,
    },
    /// ALTER DATABASE ... SET HADR SUSPEND.
    Suspend {
        /// The database.
        database: String,
    },
    /// ALTER DATABASE ... SET HADR RESUME.
    Resume {
        /// The database.
        database: String,
    },
    /// ALTER DATABASE ... SET HADR OFF.
    Leave {
        /// The database.
        database: String,
    },
    /// ALTER DATABASE ... SET HADR AVAILABILITY GROUP =.
    JoinDatabase {
        /// The database.
        database: String,
        /// The group; of a distributed group either name will do.
        group: String,
    },
}
