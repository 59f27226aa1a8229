//! T-SQL statements that links need, as data. Each is one that the documentation gives.

use serde::{Deserialize, Serialize};

use super::PublicKey;
use crate::moment::Moment;
use crate::names::{CommitMode, SeedingMode};
use crate::observe::RecoveryModel;

/// A statement. All are run in `master`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "statement")]
pub enum Statement {
    /// `CREATE MASTER KEY ENCRYPTION BY PASSWORD`: the password is made when it is run, and is kept by nobody: the server opens the key by
    /// itself with its service master key.
    CreateMasterKey,
    /// `CREATE CERTIFICATE ... WITH SUBJECT, EXPIRY_DATE`.
    CreateCertificate {
        /// Its name.
        name: String,
        /// Whom it names.
        subject: String,
        /// Until when it is valid.
        expiry: Moment,
    },
    /// `CREATE CERTIFICATE ... FROM BINARY`.
    ImportCertificate {
        /// Its name: of the managed instance's certificate, exactly its fully qualified domain name.
        name: String,
        /// What is imported.
        public: PublicKey,
    },
    /// `EXEC sp_certificate_add_issuer`.
    AddIssuer {
        /// The certificate of a certificate authority.
        certificate: String,
        /// The DNS names that it vouches for, such as `*.database.windows.net`.
        names: String,
    },
    /// `DROP CERTIFICATE`.
    DropCertificate {
        /// Its name.
        name: String,
    },
    /// `CREATE ENDPOINT ... FOR DATABASE_MIRRORING`.
    CreateEndpoint {
        /// Its name.
        name: String,
        /// Where it listens.
        port: u16,
        /// What it shows.
        certificate: String,
    },
    /// `ALTER ENDPOINT ... FOR DATABASE_MIRRORING`: takes certificates, shows this one, encrypts with AES.
    AlterEndpoint {
        /// Its name.
        name: String,
        /// What it shows.
        certificate: String,
        /// Whether partners that sign in with Windows go on being taken.
        keep_windows: bool,
    },
    /// `ALTER ENDPOINT ... STATE = STARTED`.
    StartEndpoint {
        /// Its name.
        name: String,
    },
    /// `DROP ENDPOINT`.
    DropEndpoint {
        /// Its name.
        name: String,
    },
    /// `ALTER DATABASE ... SET RECOVERY FULL`.
    SetRecoveryFull {
        /// The database.
        database: String,
    },
    /// `ALTER DATABASE ... SET RECOVERY`: puts back what a plan has changed.
    SetRecovery {
        /// The database.
        database: String,
        /// The model.
        model: RecoveryModel,
    },
    /// `BACKUP DATABASE ... WITH CHECKSUM`.
    BackupDatabase {
        /// The database.
        database: String,
        /// The file, as the server sees it; an address that begins with `https://` is a URL of a blob container.
        path: String,
        /// `COPY_ONLY`: outside of the chain of backups.
        copy_only: bool,
    },
    /// `BACKUP LOG ... WITH CHECKSUM`.
    BackupLog {
        /// The database.
        database: String,
        /// The file, as the server sees it.
        path: String,
    },
    /// `CREATE AVAILABILITY GROUP`, with one replica.
    CreateGroup {
        /// Its name.
        name: String,
        /// `CLUSTER_TYPE = NONE`; SQL Server 2016 does not know it.
        without_cluster: bool,
        /// The databases; none where the managed instance is the initial primary.
        databases: Vec<String>,
        /// `@@SERVERNAME`.
        server: String,
        /// `ENDPOINT_URL`.
        url: String,
    },
    /// `ALTER AVAILABILITY GROUP ... GRANT CREATE ANY DATABASE`.
    GrantCreateAnyDatabase {
        /// The group.
        group: String,
    },
    /// `ALTER AVAILABILITY GROUP ... ADD DATABASE`.
    AddDatabase {
        /// The group.
        group: String,
        /// The database.
        database: String,
    },
    /// `ALTER AVAILABILITY GROUP ... REMOVE DATABASE`.
    RemoveDatabase {
        /// The group.
        group: String,
        /// The database.
        database: String,
    },
    /// `CREATE AVAILABILITY GROUP ... WITH (DISTRIBUTED)`.
    CreateDistributed {
        /// Its name, which is the link's.
        name: String,
        /// SQL Server's group and the managed instance's.
        members: [Member; 2],
    },
    /// `ALTER AVAILABILITY GROUP ... MODIFY AVAILABILITY GROUP ON`: the commit mode of both members.
    SetCommitMode {
        /// The distributed group.
        name: String,
        /// The two members.
        members: [String; 2],
        /// The mode.
        mode: CommitMode,
    },
    /// `ALTER AVAILABILITY GROUP ... MODIFY AVAILABILITY GROUP ON`: how a member is seeded. MANUAL cancels a seeding; AUTOMATIC begins one
    /// again.
    SetSeedingMode {
        /// The distributed group.
        name: String,
        /// The member.
        member: String,
        /// The mode.
        mode: SeedingMode,
    },
    /// `ALTER AVAILABILITY GROUP ... SET (REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT = n)`.
    RequireSynchronized {
        /// The group.
        name: String,
        /// How many.
        count: u32,
    },
    /// `ALTER AVAILABILITY GROUP ... SET (ROLE = SECONDARY)`.
    SetRoleSecondary {
        /// The distributed group.
        name: String,
    },
    /// `ALTER AVAILABILITY GROUP ... FAILOVER`.
    Failover {
        /// The distributed group.
        name: String,
    },
    /// `ALTER AVAILABILITY GROUP ... FORCE_FAILOVER_ALLOW_DATA_LOSS`.
    ForceFailover {
        /// The distributed group.
        name: String,
    },
    /// `DROP AVAILABILITY GROUP`.
    DropGroup {
        /// A group, distributed or not.
        name: String,
    },
    /// `DROP DATABASE`.
    DropDatabase {
        /// The database.
        database: String,
    },
    /// `ALTER DATABASE ... SET HADR RESUME`.
    ResumeDatabase {
        /// The database.
        database: String,
    },
    /// `DBCC TRACEON(n, -1)`.
    TraceOn {
        /// The flag.
        flag: u16,
    },
    /// `DBCC TRACEOFF(n, -1)`.
    TraceOff {
        /// The flag.
        flag: u16,
    },
    /// `EXEC sys.sp_multidb_milink`.
    OptIntoMultiDatabase {
        /// Whether multiple-database links are wanted.
        on: bool,
    },
}

/// A member of a distributed availability group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// The availability group.
    pub group: String,
    /// `LISTENER_URL`.
    pub url: String,
    /// What else is said of it.
    pub options: MemberOptions,
}

/// Options of a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberOptions {
    /// `AVAILABILITY_MODE`.
    pub commit_mode: CommitMode,
    /// `SEEDING_MODE`.
    pub seeding_mode: SeedingMode,
    /// `SESSION_TIMEOUT`, in seconds; the documented script gives it for SQL Server's member only.
    pub session_timeout: Option<u32>,
}
