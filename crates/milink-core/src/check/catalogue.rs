//! The catalogue of checks: the one source of their names and texts.

use serde::Serialize;

/// A check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// Its name, which stays the same from release to release.
    pub id: &'static str,
    /// What it asks, as a statement that holds if it passes.
    pub title: &'static str,
    /// What a no means.
    pub severity: Severity,
    /// Whether the plan that creates a link mends it by itself.
    pub prepared: bool,
    /// What goes wrong otherwise, with the error's number where it has one.
    pub why: &'static str,
    /// Where it is written.
    pub source: &'static str,
}

/// What a no means, and what it means if nobody could see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// A recommendation: a no is a warning.
    Warns,
    /// A no is a failure. It cannot always be seen, and that alone stops nothing.
    BlocksIfSeen,
    /// A no is a failure, and what could not be seen stops as well.
    Blocks,
}

/// The check with that name.
pub fn check(id: &str) -> Option<&'static Check> {
    CHECKS.iter().find(|c| c.id == id)
}

macro_rules! checks {
    ($($name:ident = $id:literal, $severity:ident $($prepared:ident)?, $title:literal, $why:literal, $source:literal;)+) => {
        $(pub(super) const $name: Check = Check {
            id: $id,
            title: $title,
            severity: Severity::$severity,
            prepared: checks!(@ $($prepared)?),
            why: $why,
            source: $source,
        };)+

        /// All checks: first those of the two instances and of Azure, then those of each link and of each database, then the gates before a
        /// failover.
        pub const CHECKS: &[Check] = &[$($name),+];
    };
    (@ prepared) => { true };
    (@) => { false };
}

checks! {
    SERVER_REACHABLE = "server.reachable", Blocks, "SQL Server answers",
        "nothing can be said of a server that does not answer",
        "Prepare, requirements";
    SERVER_PRODUCT = "server.product", Blocks, "The partner is a SQL Server and no managed instance",
        "a link has a SQL Server on one side and a managed instance on the other",
        "Overview, version support";
    SERVER_VERSION = "server.version", Blocks, "The build of SQL Server can have a link",
        "an older build lacks sp_certificate_add_issuer (error 2812) or refuses the link's LISTENER_URL (error 19499)",
        "Overview, version support";
    SERVER_SERVICING = "server.servicing", Blocks, "The servicing update for links is installed",
        "without it certificates of managed instances cannot be trusted (error 2812), whatever the build's number is",
        "Scripts how-to, root certificates; Walkthrough, missing Connect pack";
    SERVER_EDITION = "server.edition", Blocks, "The edition can have a link",
        "other editions have no availability groups that a link could stand on",
        "Overview, version support";
    SERVER_FROM_MANAGED = "server.start-from-managed", Blocks, "A link can begin on the managed instance",
        "the managed instance's database would have to flow down to an older engine, or to a build that cannot receive it",
        "Overview, version support; Scripts how-to, managed instance as initial primary";
    SERVER_TWO_WAY = "server.two-way", Blocks, "Data can come back by a failover",
        "a two-way link needs SQL Server 2022 or later and a managed instance of exactly its format (error 41988)",
        "Overview, version support; Update policy, compatibility with SQL Server";
    SERVER_MULTI_DATABASE = "server.multi-database", Blocks, "The build can carry several databases in one link",
        "one link carries one database before that; several databases are several links",
        "Extend AG, requirements";
    SERVER_OPTED_IN = "server.multi-database-opt-in", Blocks prepared, "Links of several databases are opted in",
        "they are off by default, and can be switched only while the server has no link at all",
        "Extend AG, requirements";
    SERVER_HADR = "server.hadr", Blocks, "Availability groups are enabled",
        "a link stands on an availability group (error 35221); enabling them takes a restart of the service",
        "Prepare, availability groups";
    SERVER_CLUSTER = "server.cluster", Blocks, "SQL Server 2016 is a node of a Windows Server failover cluster",
        "availability groups of SQL Server 2016 need a cluster, of one node at least (error 35220)",
        "Prepare 2016, cluster";
    SERVER_TRACE_1800 = "server.trace-flag-1800", Warns, "Trace flag 1800 is on",
        "log disks with sectors of different sizes make synchronization slow without it; with 4K sectors on both sides it is not needed",
        "Prepare, trace flags";
    SERVER_TRACE_9567 = "server.trace-flag-9567", Warns, "Trace flag 9567 is on",
        "it compresses the stream of the first copy, which is faster where the network is the bottleneck",
        "Prepare, trace flags";
    SERVER_TRACE_12381 = "server.trace-flag-12381", Warns, "Trace flag 12381 is on while a database is seeded, and only then",
        "a log backup during seeding may truncate log that the copy needs (errors 1408, 1412); afterwards the flag keeps log for nothing",
        "Best practices, seeding";
    SERVER_COLLATION = "server.collation", Blocks, "Both instances have the same collation",
        "a mismatch can alter the case of the server's name and stop the connection",
        "SSMS how-to, validation";
    SERVER_CAPACITY = "server.capacity", Warns, "The two instances are of comparable size",
        "a secondary that is much weaker cannot keep up: its redo queue grows, and so do data loss and recovery time",
        "Best practices, sizing";

    MANAGED_REACHABLE = "managed.reachable", Blocks, "The managed instance answers",
        "nothing can be said of an instance that does not answer; Windows logins of an untrusted domain are refused (error 18452)",
        "SSMS how-to, connecting";
    MANAGED_PRODUCT = "managed.product", Blocks, "The instance is a managed instance",
        "a link has a SQL Server on one side and a managed instance on the other",
        "Overview, version support";

    AZURE_REACHABLE = "azure.reachable", Blocks, "Azure describes the managed instance",
        "the managed instance's half of a link is made by Azure Resource Manager",
        "Prepare, permissions";
    AZURE_STATE = "azure.state", Blocks, "The managed instance is ready",
        "an instance that is stopped, starting or being changed takes no link (ManagedInstanceStoppingOrStopped, ManagedInstanceIsBusy)",
        "REST, errors of links";
    AZURE_OPERATIONS = "azure.operations", Blocks, "No operation of the managed instance is under way",
        "what is asked meanwhile is refused (ConflictingServerOperation, ManagedInstanceIsBusy)",
        "REST, errors of links";
    AZURE_FAILOVER_GROUP = "azure.failover-group", Blocks, "The managed instance is in no failover group",
        "an instance of a failover group cannot have links (error 41982)",
        "Overview, limitations";
    AZURE_POLICY = "azure.update-policy", Blocks, "The update policy takes databases of this SQL Server",
        "a copy is only ever upgraded: an instance takes databases of its own format and of older ones (error 41984)",
        "Overview, version support; Update policy, compatibility with SQL Server";
    AZURE_LINKS = "azure.links", Blocks, "The managed instance has room for the links",
        "each link counts as a database of the instance (DatabaseNumberLimitReached)",
        "Overview, limitations";
    AZURE_DATABASES = "azure.databases", Blocks, "The managed instance has room for the databases",
        "above its limit a database is refused (DatabaseNumberLimitReached), in a multiple-database link after SQL Server has taken it",
        "Overview, limitations; Extend AG, multiple databases";
    AZURE_STORAGE = "azure.storage", Blocks, "The managed instance has storage for the databases",
        "a copy that does not fit fails while it is made (NoMoreSpaceInManagedInstance)",
        "SSMS how-to, validation";

    RIGHTS_SQL_SERVER = "permissions.sql-server", Blocks, "This login may do on SQL Server what a link needs",
        "the documents ask for sysadmin; a right that is missing shows itself in the middle of the work otherwise",
        "Prepare, permissions";
    RIGHTS_MANAGED = "permissions.managed", Blocks, "This login may see on the managed instance what a link needs",
        "without VIEW SERVER STATE the states and LSNs of the copies stay hidden, and with them every proof",
        "DMVs, permissions";
    RIGHTS_WATCH = "permissions.azure-watch", Blocks, "The caller may read links and certificates in Azure",
        "what cannot be read cannot be proved (AuthorizationFailed)",
        "Prepare, permissions; REST, operations";
    RIGHTS_CREATE = "permissions.azure-create", Blocks, "The caller may create links in Azure",
        "the missing action is refused in the middle of the work otherwise (AuthorizationFailed)",
        "Prepare, permissions; REST, operations";
    RIGHTS_FAILOVER = "permissions.azure-failover", Warns, "The caller may fail links over in Azure",
        "the link can be made, and its roles cannot be changed by this caller (AuthorizationFailed)",
        "Prepare, permissions; REST, operations";
    RIGHTS_DELETE = "permissions.azure-delete", Warns, "The caller may delete links in Azure",
        "the link can be made, and cannot be taken back by this caller (AuthorizationFailed)",
        "Prepare, permissions; REST, operations";

    TRUST_MASTER_KEY = "trust.master-key", Blocks prepared, "master has a master key",
        "the endpoint's certificate is encrypted by it (error 15581)",
        "Prepare, certificates";
    TRUST_OWN_NAME = "trust.own-certificate-name", Blocks, "The endpoint's certificate has a name that Azure can take",
        "the certificate is uploaded under its name, and Azure refuses a backslash there",
        "Scripts how-to, certificates";
    TRUST_OWN = "trust.own-certificate", Blocks prepared, "The endpoint's certificate has its private key, and is valid for more than 30 days",
        "the managed instance knows SQL Server by it; when it expires, the link fails",
        "Scripts how-to, certificates; Best practices, certificates";
    TRUST_MANAGED = "trust.managed-certificate", Blocks prepared, "SQL Server has the managed instance's certificate, under its full name",
        "SQL Server refuses the managed instance otherwise (error 41974): the name must be the full name, and the content what it shows now",
        "Scripts how-to, certificates";
    TRUST_UPLOADED = "trust.uploaded-certificate", Blocks prepared, "Azure has the certificate of SQL Server's endpoint",
        "the managed instance refuses SQL Server otherwise (error 41973)",
        "Scripts how-to, certificates";
    TRUST_STALE_UPLOAD = "trust.stale-uploaded-certificate", Warns, "Azure has no older certificate under the name of SQL Server's",
        "a certificate of the same name and another content looks like the right one, and is not what the endpoint shows",
        "SSMS how-to, known issues";
    TRUST_ROOTS = "trust.azure-roots", Blocks prepared, "SQL Server has the root certificates of Azure",
        "the managed instance's certificate is trusted by the roots that sign it (error 41974), also after Azure has rotated it",
        "Scripts how-to, root certificates";
    TRUST_ISSUERS = "trust.azure-issuers", BlocksIfSeen prepared, "The roots may vouch for managed instances",
        "a root that was not registered with sp_certificate_add_issuer vouches for nobody (error 41974)",
        "Scripts how-to, root certificates";

    ENDPOINT_EXISTS = "endpoint.exists", Blocks prepared, "SQL Server has a database mirroring endpoint",
        "it is where the managed instance connects to",
        "Prepare, endpoint";
    ENDPOINT_STARTED = "endpoint.started", Blocks prepared, "The endpoint is started",
        "a stopped endpoint takes no connections (error 35204)",
        "Prepare, endpoint";
    ENDPOINT_ROLE = "endpoint.role", Blocks prepared, "The endpoint has the role ALL",
        "an endpoint for partners or for a witness alone does not do for an availability group",
        "Prepare, endpoint";
    ENDPOINT_AUTHENTICATION = "endpoint.authentication", Blocks prepared, "The endpoint takes certificates",
        "trust between the two sides is by certificates only",
        "Prepare, endpoint";
    ENDPOINT_ENCRYPTION = "endpoint.encryption", Blocks prepared, "The endpoint encrypts with AES",
        "the managed instance does not take a connection without it",
        "Prepare, endpoint";
    ENDPOINT_CERTIFICATE = "endpoint.certificate", Blocks prepared, "The endpoint shows a certificate that is encrypted by the master key",
        "the managed instance is given one certificate, which the endpoint must show",
        "SSMS how-to, requirements; Prepare, endpoint";
    ENDPOINT_PORT = "endpoint.port", Warns, "The endpoint's port is the instance's own",
        "instances of one host that listen on the same port take each other's connections",
        "Prepare, network";
    ENDPOINT_ADDRESS = "endpoint.address", Blocks, "The managed instance is given an address of the endpoint that it can use",
        "a malformed address is refused (error 35232); a name that Azure cannot resolve ends in error 41986",
        "Scripts how-to, availability group; Prepare, network";

    NETWORK_TO_MANAGED = "network.to-managed", BlocksIfSeen, "SQL Server reaches the managed instance's endpoint",
        "without ports 5022 and 11000-11999 outbound replication does not begin (error 41962)",
        "Prepare, network";
    NETWORK_TO_SQL_SERVER = "network.to-sql-server", BlocksIfSeen, "The managed instance reaches SQL Server's endpoint",
        "the managed instance opens connections too (errors 41962, 41986); a firewall may let TCP pass and stop the protocol",
        "Prepare, network; Troubleshoot, network";

    LINK_NAME = "link.name", Blocks, "The link's name keeps the rules",
        "the name is that of the distributed availability groups and a part of the link's address in Azure",
        "REST, links";
    LINK_GROUP_NAMES = "link.group-names", Blocks, "The names of the two availability groups keep the rules",
        "Azure refuses two groups of one name (InstanceAvailabilityGroupNamePartnerAvailabilityGroupNameMatch)",
        "REST, errors of links";
    LINK_DATABASES = "link.databases", Blocks, "The link has as many databases as its mode allows",
        "a link of one database takes no second one (ManagedInstanceLinkForProvidedAvailabilityGroupsAlreadyExists)",
        "Overview, limitations";
    LINK_SEEDING_MODE = "link.seeding-mode", Blocks, "The first copy is made by automatic seeding",
        "Azure refuses every other seeding mode today",
        "REST, links";
    LINK_COMMIT_MODE = "link.commit-mode", Warns, "The link is asynchronous at rest",
        "a synchronous link makes every commit wait for the network; a planned failover is synchronous while it needs to be",
        "Best practices, commit mode";
    LINK_NAME_FREE = "link.name-free", Blocks, "The link's name is free on both sides, or is this link",
        "a distributed availability group of that name is refused (error 19509)",
        "SSMS how-to, validation";
    LINK_SQL_GROUP = "link.sql-group", Blocks, "The availability group on SQL Server is free, or has what the link carries",
        "a link carries all of its group and nothing else; a group that this server does not lead cannot begin it",
        "Scripts how-to, existing availability group; Extend AG, multiple databases";
    LINK_LISTENER = "link.listener", Warns, "The address of a group of several replicas is its listener's",
        "after a failover inside the group the managed instance would look for the wrong node; each node needs the certificates",
        "Scripts how-to, existing availability group; Extend AG, multiple databases";
    LINK_MANAGED_GROUP = "link.managed-group", Blocks, "The availability group's name is free on the managed instance",
        "the name is unique on the managed instance (error 41987)",
        "REST, errors of links";
    LINK_MODE = "link.mode", Blocks, "No link of the other mode is there",
        "links of one and of several databases cannot exist together on an instance",
        "Extend AG, multiple databases";

    DATABASE_EXISTS = "database.exists", Blocks, "The database is on the initial primary",
        "there is nothing to copy (error 35238)",
        "CREATE AG, databases";
    DATABASE_SYSTEM = "database.system", Blocks, "The database is a user database",
        "system databases are in no availability group (errors 35249, 35261)",
        "CREATE AG, databases";
    DATABASE_ONLINE = "database.online", Blocks, "The database is online and can be written to",
        "a database that is not, or is read-only, is refused by the availability group",
        "CREATE AG, databases";
    DATABASE_GROUP = "database.group", Blocks, "The database is in no other availability group",
        "a database is in one group only (errors 35244, 35259)",
        "CREATE AG, databases";
    DATABASE_LINKED = "database.linked", Blocks, "The database is in no other link of the managed instance",
        "a managed instance's database that is linked cannot be the source of another link",
        "Overview, limitations";
    DATABASE_NAME_FREE = "database.name-free", Blocks, "The other side has no database of that name",
        "the copy has the same name (ManagedDatabaseNameInUse, RemoteDatabaseExists)",
        "SSMS how-to, validation";
    DATABASE_RECOVERY = "database.recovery-model", Blocks prepared, "The recovery model is FULL",
        "an availability group ships the whole log, which only FULL keeps",
        "Prepare, database";
    DATABASE_BACKUP = "database.full-backup", Blocks prepared, "The log chain has begun with a full backup",
        "a database without one is refused by the availability group (error 1475)",
        "Prepare, database";
    DATABASE_CHECKSUMS = "database.backup-checksums", Warns, "The last full backup was made with checksums",
        "seeding is a backup stream too: a page that is broken shows itself in a backup with checksums first",
        "Best practices, backups";
    DATABASE_LOG_FILES = "database.log-files", Blocks, "The database has one log file",
        "several are refused while the copy is made (error 41948)",
        "Overview, limitations";
    DATABASE_FILESTREAM = "database.filestream", Blocks, "The database has no FILESTREAM and no FileTable",
        "a managed instance has neither (error 41950)",
        "Overview, limitations";
    DATABASE_MEMORY = "database.memory-optimized", Blocks, "The tier takes the database's memory-optimized data",
        "General Purpose has no In-Memory OLTP, and no tier takes several containers (error 41947)",
        "Overview, limitations";
    DATABASE_DEFUNCT = "database.defunct-files", Blocks, "No file is defunct",
        "the link is refused while the copy is made (error 41951)",
        "Overview, limitations";
    DATABASE_FILES = "database.files", BlocksIfSeen, "The managed instance takes as many files",
        "too many are refused while the copy is made (error 41949)",
        "Overview, limitations";
    DATABASE_ENCRYPTION = "database.encryption", BlocksIfSeen, "The other side has the key of an encrypted database",
        "without the key the copy cannot be opened (ManagedInstanceLinkTdeCertificateMissing); a service-managed key never leaves Azure (error 41979)",
        "Overview, limitations";
    DATABASE_ADR = "database.accelerated-recovery", Warns, "Accelerated database recovery is as wanted on the managed instance",
        "if it is off on SQL Server 2019 or later, it cannot be switched on after the database has moved",
        "Overview, limitations";
    DATABASE_VERSION_STORE = "database.version-store", Warns, "The persistent version store is on PRIMARY",
        "restores on the managed instance fail otherwise (error 41939)",
        "Overview, limitations";
    DATABASE_BROKER = "database.broker", Warns, "Service Broker is as wanted on the managed instance",
        "if it is off, it stays unusable after the database has moved",
        "Overview, limitations";
    DATABASE_CDC = "database.change-data-capture", Warns, "The database does not use change data capture",
        "its jobs do not come along: they have to be made again, and clients pointed to the other side, after a failover",
        "Overview, limitations";
    DATABASE_PUBLISHED = "database.replication", Warns, "The database does not publish by transactional replication",
        "on the secondary it cannot be a publisher: the publication has to be configured again after a failover",
        "Overview, limitations";

    SEEDING_DURATION = "seeding.duration", Warns, "The first copy takes less than six days",
        "a link whose seeding has not ended after six days is cancelled; links that seed together share the network",
        "Best practices, seeding";
    SEEDING_LOG_BACKUPS = "seeding.log-backup-jobs", Warns, "No job backs up the log while the database is seeded",
        "a log backup may truncate log that the copy needs (errors 1408, 1412)",
        "Best practices, seeding; Troubleshoot, link errors";
    SEEDING_LOG_SPACE = "seeding.log-space", Warns, "The log has room for what is written during seeding",
        "the log cannot be truncated before the copy has it: a full log stops all writes (error 9002)",
        "Best practices, log";

    GATE_ROLES = "failover.roles", Blocks, "One side is primary for certain, and the other one secondary",
        "a role change between sides whose roles are not known may leave two primaries",
        "Fail over, prepare for failover";
    GATE_POSSIBLE = "failover.possible", Blocks, "The builds and the update policy allow this failover",
        "a copy is only ever upgraded; on links that are one-way a forced failover is refused (error 41985)",
        "Fail over, prepare for failover; Error lists, managed instance link";
    GATE_WAY_BACK = "failover.way-back", Warns, "There is a way back through the link",
        "without one the link ends with this failover, or its data stays where it goes",
        "Fail over, prepare for failover; Update policy, compatibility with SQL Server";
    GATE_CONNECTED = "failover.connected", Blocks, "The two halves are connected",
        "a planned failover without a connection times out",
        "Fail over, planned failover";
    GATE_HEALTH = "failover.health", Blocks, "The copy is HEALTHY",
        "a copy that is not healthy is not complete",
        "Fail over, planned failover";
    GATE_SYNCHRONIZATION = "failover.synchronization", Blocks, "The copy takes log",
        "a copy that is suspended, seeded, reverting or initializing cannot become primary",
        "Fail over, planned failover; DMVs, database replica states";
    GATE_LAG = "failover.lag", Blocks, "The secondary is not farther behind than allowed",
        "a planned failover waits for all of it, and times out if there is too much; a forced one loses it",
        "Fail over, planned failover";
    GATE_QUEUES = "failover.queues", BlocksIfSeen, "The queues drain within the time that is allowed",
        "Azure refuses a failover with queues that are too big (FailoverLogSendQueueSizeTooBig, FailoverRedoQueueSizeTooBig)",
        "REST, errors of links";
    GATE_SESSIONS = "failover.sessions", Warns, "Nobody is connected to the old primary's database",
        "nothing redirects clients across a link: what they write during the change fails, and later goes nowhere",
        "Fail over, planned failover";
    GATE_OPERATIONS = "failover.operations", Blocks, "The managed instance is ready and no operation is under way",
        "a role change during another one is refused (error 41968)",
        "REST, errors of links";
    GATE_ACCESSIBLE = "failover.database-accessible", Blocks, "Azure can open the database",
        "a failover of a database that is inaccessible is refused (error 41993)",
        "Error lists, managed instance link";
    GATE_RIGHTS = "failover.rights", Blocks, "This caller may change the roles",
        "a right that is missing shows itself between the demotion and the promotion otherwise (AuthorizationFailed)",
        "Prepare, permissions; REST, operations";
    GATE_LOG_BACKUP = "failover.log-backup", Warns, "The log of SQL Server's database is backed up since it was seeded",
        "a log that was never backed up grows, and slows recovery after the change",
        "Best practices, backups";
    GATE_AZURE_BACKUP = "failover.azure-backup", Warns, "The managed instance has made its first full backup",
        "a link that is dropped before that may leave a database that is lost when the instance restarts",
        "Fail over, remove the link";
}
