//! Numbers of availability groups and distributed availability groups, as SQL Server raises them.

use super::Phase::{Any, Create, Drop, Failover, Prepare, Run, Seed};
use super::Place::{Either, SqlServer};
use super::Severity::{Critical, Failure, Information, Transient};
use super::{NumberFact, at};

const LIST: &str = "Error lists, availability groups";
const DISTRIBUTED: &str = "Error lists, distributed availability groups";
const KNOWN: &str = "Engine knowledge, availability groups";

const SHOW_GROUPS: &str = "SELECT ag.name, ag.is_distributed, r.replica_server_name, r.endpoint_url FROM sys.availability_groups ag JOIN sys.availability_replicas r ON r.group_id = ag.group_id";
const SHOW_ROLES: &str = "SELECT ag.name, s.role_desc, s.connected_state_desc FROM sys.availability_groups ag JOIN sys.dm_hadr_availability_replica_states s ON s.group_id = ag.group_id WHERE s.is_local = 1";
const SHOW_CONNECT: &str = "SELECT last_connect_error_number, last_connect_error_description, last_connect_error_timestamp FROM sys.dm_hadr_availability_replica_states";
const START_ENDPOINT: &str = "ALTER ENDPOINT [<endpoint>] STATE = STARTED";

/// Sorted by number.
pub(super) const FACTS: &[NumberFact] = &[
    at(19494, Either, Seed, Transient)
        .says("seeding failed for now, and will be tried again")
        .because("something passing: a connection that broke, too many seedings at once")
        .mend("wait and watch number_of_attempts; seeding begins at zero each time")
        .run("SELECT start_time, current_state, number_of_attempts, failure_state_desc FROM sys.dm_hadr_automatic_seeding ORDER BY start_time DESC")
        .per(LIST),
    at(19495, Either, Seed, Failure)
        .says("seeding failed, and will not be tried again")
        .because("something that does not pass: space, a path, a database of that name, a right; the error log of the secondary says what")
        .mend("mend what the log says, then set SEEDING_MODE again, which starts a new seeding")
        .run("ALTER AVAILABILITY GROUP [<link>] MODIFY AVAILABILITY GROUP ON '<group>' WITH (SEEDING_MODE = AUTOMATIC)")
        .per(LIST),
    at(19496, Either, Seed, Failure)
        .says("seeding failed")
        .because("the seeding views and the error log of the secondary say why")
        .mend("read failure_state_desc and the log, mend it, and set SEEDING_MODE again or create the link again")
        .run("SELECT failure_code, failure_message, failure_time_utc FROM sys.dm_hadr_physical_seeding_stats")
        .per(LIST),
    at(19497, SqlServer, Create, Failure)
        .says("CREATE AVAILABILITY GROUP is refused: DISTRIBUTED with another option")
        .because("a distributed group takes none of an ordinary group's options (BASIC, CLUSTER_TYPE, ...)")
        .mend("write WITH (DISTRIBUTED) alone")
        .per(DISTRIBUTED),
    at(19498, SqlServer, Create, Failure)
        .says("CREATE AVAILABILITY GROUP is refused: DISTRIBUTED is missing")
        .because("AVAILABILITY GROUP ON belongs to distributed groups only")
        .mend("write WITH (DISTRIBUTED) before AVAILABILITY GROUP ON")
        .per(DISTRIBUTED),
    at(19499, SqlServer, Create, Failure)
        .says("the LISTENER_URL is refused")
        .because("it is malformed, or this build does not know `;Server=[<mi>]` yet because the servicing update for links is missing")
        .mend("check the URL; on SQL Server 2016 and 2017 install the Azure Connect pack")
        .run("LISTENER_URL = N'tcp://<fqdn of the managed instance>:5022;Server=[<mi>]'")
        .per("Error lists, distributed availability groups; Walkthrough, missing Connect pack"),
    at(19501, SqlServer, Create, Failure)
        .says("the distributed group is refused: none of the named groups is on this instance")
        .because("the local availability group was not made yet, or has another name")
        .mend("create the availability group first, and give its exact name")
        .run(SHOW_GROUPS)
        .per(DISTRIBUTED),
    at(19502, SqlServer, Create, Failure)
        .says("the distributed group is refused: it has a replica of that availability group already")
        .because("the same group is named twice, or was added before")
        .mend("name two different groups; drop the rest of an earlier attempt")
        .run(SHOW_GROUPS)
        .per(DISTRIBUTED),
    at(19503, SqlServer, Create, Failure)
        .says("the distributed group is refused: the local group is the secondary of another one")
        .because("a group that receives through one distributed group cannot be the secondary of a second")
        .mend("drop the distributed group that is not wanted, or use another availability group")
        .run(SHOW_GROUPS)
        .per(DISTRIBUTED),
    at(19504, SqlServer, Failover, Failure)
        .says("FAILOVER of a distributed group is refused: only a forced one is possible here")
        .because("the build is older than SQL Server 2022 CU13, or the group is no managed instance link")
        .mend("change the roles by hand: synchronous, equal hardened LSNs, SET (ROLE = SECONDARY), then force on the other side; or install CU13")
        .run("ALTER AVAILABILITY GROUP [<link>] SET (ROLE = SECONDARY)")
        .per("Error lists, distributed availability groups; Fail over, planned failover by T-SQL"),
    at(19506, SqlServer, Create, Failure)
        .says("seeding cannot create the database on this side")
        .because("the availability group has automatic seeding without the right to create databases")
        .mend("grant it on the side that receives")
        .run("ALTER AVAILABILITY GROUP [<group>] GRANT CREATE ANY DATABASE")
        .per(DISTRIBUTED),
    at(19507, SqlServer, Create, Failure)
        .says("the distributed group is refused: another one lies on the same groups")
        .because("a link between these two availability groups exists, perhaps the rest of an earlier attempt")
        .mend("use that link, or drop it first")
        .run("DROP AVAILABILITY GROUP [<the other distributed group>]")
        .per(DISTRIBUTED),
    at(19508, SqlServer, Failover, Failure)
        .says("MODIFY AVAILABILITY GROUP is refused: a name is no member of the distributed group")
        .because("some documents write the managed instance's name there; a member is named as at creation: by its availability group")
        .mend("take the names from sys.availability_replicas")
        .run(SHOW_GROUPS)
        .per("Error lists, distributed availability groups; Fail over, switch to synchronous"),
    at(19509, SqlServer, Create, Failure)
        .says("the distributed group's name is taken")
        .because("a group of that name exists, perhaps the rest of an earlier attempt")
        .mend("look what it is; adopt it, drop it, or choose another link name")
        .run(SHOW_GROUPS)
        .per(DISTRIBUTED),
    at(19510, SqlServer, Any, Failure)
        .says("the distributed group does not exist")
        .because("the name is misspelt, this is another instance, or the link was dropped here")
        .mend("list the groups of this instance")
        .run(SHOW_GROUPS)
        .per(DISTRIBUTED),
    at(19511, SqlServer, Create, Failure)
        .says("the availability group cannot join as secondary: it has databases")
        .because("what receives through a distributed group must begin empty")
        .mend("remove the databases from the group, or make a new and empty one")
        .run("ALTER AVAILABILITY GROUP [<group>] REMOVE DATABASE [<db>]")
        .per(DISTRIBUTED),
    at(19512, SqlServer, Any, Failure)
        .says("the statement is for distributed groups only")
        .because("the name is an ordinary availability group's, not the link's")
        .mend("use the link's name, which is the distributed group's")
        .run("SELECT name FROM sys.availability_groups WHERE is_distributed = 1")
        .per(DISTRIBUTED),
    at(19513, SqlServer, Create, Failure)
        .says("the distributed group is refused: it cannot stand on a basic availability group")
        .because("the local group was created WITH (BASIC)")
        .mend("drop it and create it without BASIC")
        .run("SELECT name, basic_features FROM sys.availability_groups")
        .per(DISTRIBUTED),
    at(35201, Either, Create, Failure)
        .says("no connection to the other side's endpoint: it timed out")
        .because("a firewall or a route, or the address is not the one of a mirroring endpoint")
        .mend("test the endpoint's port from this side with a real handshake; check ENDPOINT_URL and LISTENER_URL")
        .run(SHOW_CONNECT)
        .per(KNOWN),
    at(35204, Either, Run, Failure)
        .says("the connection between the instances is disabled")
        .because("a mirroring endpoint is stopped or disabled on one of the sides")
        .mend("start it, on SQL Server")
        .run(START_ENDPOINT)
        .per("Error lists, availability groups; Troubleshoot, endpoint"),
    at(35206, Either, Run, Transient)
        .says("the connection to the other side timed out; it was good before")
        .because("the network, or the other side is down or too busy to answer within the session time-out")
        .mend("it reconnects by itself; if it does not, test the network and look whether the other side is up; watch the primary's log meanwhile")
        .run(SHOW_CONNECT)
        .per(LIST),
    at(35207, Either, Run, Failure)
        .says("an attempt to connect to the other side failed, with the error that the text gives")
        .because("the inner error's number, severity and state tell; a refused handshake is a certificate more often than a network")
        .mend("look the inner number up; check both certificates, their dates and the endpoint")
        .run(SHOW_CONNECT)
        .per(LIST),
    at(35208, SqlServer, Any, Failure)
        .says("the statement is refused outside of master")
        .because("statements about availability groups run in master only")
        .mend("change to master and run it again")
        .run("USE master")
        .per(LIST),
    at(35211, SqlServer, Create, Failure)
        .says("asynchronous commit with automatic failover is refused")
        .because("automatic failover needs synchronous commit; a link has neither")
        .mend("write FAILOVER_MODE = MANUAL")
        .per(LIST),
    at(35220, SqlServer, Prepare, Failure)
        .says("availability groups are not ready: the host is not a node of a cluster yet")
        .because("SQL Server 2016 needs a Windows Server failover cluster, and it is not there or not started")
        .mend("install failover clustering, create a cluster with this one host, start it, restart SQL Server")
        .run("New-Cluster -Name <cluster> -Node <this host> -NoStorage -AdministrativeAccessPoint DNS")
        .per("Error lists, availability groups; Prepare 2016, cluster"),
    at(35221, SqlServer, Prepare, Failure)
        .says("availability groups are disabled on this instance")
        .because("the feature was never enabled, or the service was not restarted since")
        .mend("enable it in SQL Server Configuration Manager (Linux: mssql-conf) and restart the service")
        .run("Enable-SqlAlwaysOn -ServerInstance <server> -Force  # Linux: mssql-conf set hadr.hadrenabled 1")
        .per("Error lists, availability groups; Prepare, enable availability groups"),
    at(35232, SqlServer, Create, Failure)
        .says("the endpoint URL is invalid")
        .because("it is not of the form TCP://host:port")
        .mend("correct it; the host must be one that the other side resolves or reaches, so an address is safest")
        .run("ENDPOINT_URL = N'TCP://<address>:5022'")
        .per(LIST),
    at(35236, SqlServer, Create, Failure)
        .says("the endpoint URL is missing")
        .because("a replica was named without ENDPOINT_URL")
        .mend("give it")
        .run("ENDPOINT_URL = N'TCP://<address>:5022'")
        .per(LIST),
    at(35237, SqlServer, Create, Failure)
        .says("none of the named replicas is this instance")
        .because("the replica must be named exactly as @@SERVERNAME says, the instance's name included")
        .mend("use that name; if the host was renamed, mend @@SERVERNAME first")
        .run("SELECT @@SERVERNAME, SERVERPROPERTY('ServerName')")
        .per(LIST),
    at(35238, SqlServer, Create, Failure)
        .says("the database cannot be added: it is not on this instance")
        .because("its name is misspelt, or this is not the instance that has it")
        .mend("check the name and the instance")
        .run("SELECT name, state_desc FROM sys.databases")
        .per(LIST),
    at(35240, SqlServer, Any, Failure)
        .says("joining or unjoining the database is refused on this replica")
        .because("it is the primary; a database is joined to its group on the secondary")
        .mend("run the statement on the secondary")
        .run(SHOW_ROLES)
        .per(LIST),
    at(35244, SqlServer, Create, Failure)
        .says("the database is in another availability group")
        .because("a database is in one group only")
        .mend("use that group, if it holds this database alone, or take the database out of it")
        .run("SELECT ag.name FROM sys.availability_groups ag JOIN sys.availability_databases_cluster d ON d.group_id = ag.group_id WHERE d.database_name = N'<db>'")
        .per(LIST),
    at(35248, SqlServer, Failover, Failure)
        .says("REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT is too high")
        .because("it asks for more synchronous secondaries than there are")
        .mend("set both sides to synchronous commit first, or ask for fewer")
        .run("ALTER AVAILABILITY GROUP [<group>] SET (REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT = 0)")
        .per(LIST),
    at(35249, SqlServer, Create, Failure)
        .says("a system database cannot be in an availability group")
        .because("links carry user databases only; logins, jobs and settings have to be copied by other means")
        .mend("take it out of the list")
        .per(LIST),
    at(35250, Either, Create, Failure)
        .says("joining failed: the connection to the primary is not active")
        .because("the endpoint is not started or not reachable, or a certificate is not accepted")
        .mend("check on both sides: endpoint started, port open, certificate known to the other side and not expired")
        .run("SELECT name, state_desc, connection_auth_desc FROM sys.database_mirroring_endpoints")
        .per("Error lists, availability groups; Troubleshoot, endpoint"),
    at(35251, Either, Any, Failure)
        .says("the statement is possible only on the primary")
        .because("this side is the secondary, perhaps since a failover")
        .mend("look at the roles, and run it on the primary")
        .run(SHOW_ROLES)
        .per(LIST),
    at(35252, Either, Any, Failure)
        .says("the statement is possible only on a secondary")
        .because("this side is the primary, perhaps since a failover")
        .mend("look at the roles, and run it on the secondary")
        .run(SHOW_ROLES)
        .per(LIST),
    at(35253, Either, Failover, Critical)
        .says("the database is not in a state to become primary")
        .because("it is REVERTING or INITIALIZING: pages were taken back, and the log that goes with them has not come yet")
        .mend("reconnect it to the former primary until it has caught up, or restore the log by hand; do not force it")
        .run("SELECT DB_NAME(database_id), synchronization_state_desc, database_state_desc FROM sys.dm_hadr_database_replica_states WHERE is_local = 1")
        .per("Error lists, availability groups; DMVs, database replica states"),
    at(35256, Either, Run, Transient)
        .says("the other side did not answer within the session time-out")
        .because("the network, or the other side is down or too busy")
        .mend("it reconnects by itself; if it happens often, measure the network or raise SESSION_TIMEOUT")
        .run(SHOW_CONNECT)
        .per(LIST),
    at(35259, SqlServer, Create, Failure)
        .says("the database takes part in an availability group already")
        .because("it was added before, perhaps by an earlier attempt")
        .mend("use that group, or take the database out of it")
        .run("ALTER AVAILABILITY GROUP [<the other group>] REMOVE DATABASE [<db>]")
        .per(LIST),
    at(35261, SqlServer, Any, Failure)
        .says("the operation is not possible on a system database")
        .because("links carry user databases only")
        .mend("name a user database")
        .per(LIST),
    at(35262, Either, Run, Information)
        .says("the default start of a database was skipped")
        .because("the database belongs to an availability group, which starts it")
        .mend("nothing")
        .per(LIST),
    at(35263, Either, Failover, Information)
        .says("during the undo after a role change, a call to the primary returned an unexpected status")
        .because("the primary's error log says why")
        .mend("if the database stays in REVERTING, read the primary's log, then suspend and resume the secondary's data movement")
        .run("ALTER DATABASE [<db>] SET HADR SUSPEND; ALTER DATABASE [<db>] SET HADR RESUME")
        .per(LIST),
    at(35264, Either, Run, Failure)
        .says("data movement of the database was suspended, for the reason in the text")
        .because("somebody asked for it, a forced failover suspends the others, or capture or redo failed")
        .mend("mend the reason, then resume. After a forced failover STOP: resuming the old primary throws away what it alone has, so save that first")
        .run("ALTER DATABASE [<db>] SET HADR RESUME")
        .per("Error lists, availability groups; DMVs, suspend reasons"),
    at(35265, Either, Run, Information)
        .says("data movement of the database was resumed")
        .because("somebody, or the engine, resumed it")
        .mend("nothing")
        .per(LIST),
    at(35266, Either, Run, Information)
        .says("the connection between primary and secondary database was established")
        .because("the sides reach each other again")
        .mend("nothing")
        .per(LIST),
    at(35267, Either, Run, Information)
        .says("the connection between primary and secondary database was ended")
        .because("a restart, a role change, or the network; the lines before it in the log say which")
        .mend("nothing, if 35266 follows; otherwise look at the last connection error")
        .run(SHOW_CONNECT)
        .per(LIST),
    at(35274, Either, Failover, Transient)
        .says("recovery of the database waits for more log from the primary")
        .because("after a restart or a role change it cannot come online before it has the rest")
        .mend("make sure that the primary runs and is connected; then it goes on by itself")
        .run(SHOW_ROLES)
        .per(LIST),
    at(35277, SqlServer, Create, Failure)
        .says("automatic failover is refused on a member of a distributed group")
        .because("a link is failed over by people only")
        .mend("write FAILOVER_MODE = MANUAL")
        .per(LIST),
    at(35278, Either, Run, Information)
        .says("the secondary database restarts to synchronise with the primary again")
        .because("its log and the primary's have to be brought together after a role change")
        .mend("nothing; watch until it is SYNCHRONIZING")
        .per(LIST),
    at(35280, SqlServer, Create, Information)
        .says("the database cannot be added: it is in this group already")
        .because("an earlier run did it")
        .mend("nothing")
        .per(LIST),
    at(35281, SqlServer, Drop, Information)
        .says("the database cannot be removed: it is not in this group")
        .because("an earlier run removed it, or the name is misspelt")
        .mend("nothing, if it is gone; otherwise check the names")
        .per(LIST),
    at(35288, Either, Run, Critical)
        .says("a log block came out of order; data movement is suspended")
        .because("the secondary missed a part of the stream, so it stops rather than diverge")
        .mend("resume data movement; if it comes again, create the link anew, which seeds again")
        .run("ALTER DATABASE [<db>] SET HADR RESUME")
        .per(LIST),
];
