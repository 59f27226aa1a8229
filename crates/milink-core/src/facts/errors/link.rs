//! Numbers of the managed instance about links.

use super::Phase::{Any, Create, Failover, Run, Seed};
use super::Place::Managed;
use super::Severity::{Critical, Failure, Information, Transient};
use super::{NumberFact, at};

const LINK_ERRORS: &str = "Troubleshoot, link errors; Error lists, managed instance link";
const FEATURES: &str = "Overview, limitations; Error lists, managed instance link";

/// Sorted by number.
pub(super) const FACTS: &[NumberFact] = &[
    at(41937, Managed, Run, Transient)
        .says("a COPY_ONLY backup on the managed instance is refused for now")
        .because("it must wait for the instance's next automatic log backup")
        .mend("wait some minutes for that backup, then take the copy-only backup again")
        .run("SELECT TOP (1) backup_finish_date FROM msdb.dbo.backupset WHERE database_name = N'<db>' AND type = 'L' ORDER BY backup_finish_date DESC")
        .per("Error lists, managed instance"),
    at(41939, Managed, Run, Failure)
        .says("a restore of the database on the managed instance is refused")
        .because("the persistent version store of accelerated database recovery is not on the PRIMARY filegroup")
        .mend("on the source, turn accelerated database recovery off and on again with its store on PRIMARY, before the failover")
        .run("ALTER DATABASE [<db>] SET ACCELERATED_DATABASE_RECOVERY = ON (PERSISTENT_VERSION_STORE_FILEGROUP = [PRIMARY])")
        .per("Overview, limitations; Error lists, managed instance"),
    at(41947, Managed, Seed, Failure)
        .says("the link cannot be created: the database has in-memory data")
        .because("General Purpose has no In-Memory OLTP, and the memory-optimised filegroup is not empty")
        .mend("drop the memory-optimised tables and types, or link to an instance of the Business Critical tier")
        .run("SELECT name FROM [<db>].sys.tables WHERE is_memory_optimized = 1")
        .per(FEATURES),
    at(41948, Managed, Seed, Failure)
        .says("the link cannot be created: the database has several log files")
        .because("a linked database has exactly one log file")
        .mend("back the log up until the extra files are empty, then remove them")
        .run("ALTER DATABASE [<db>] REMOVE FILE [<logical name of the extra log file>]")
        .per(FEATURES),
    at(41949, Managed, Seed, Failure)
        .says("the link cannot be created: the database has too many files")
        .because("it has more files than the managed instance takes for one database, or has left for all of them")
        .mend("move data into fewer files and remove the empty ones")
        .run("SELECT COUNT(*) FROM sys.master_files WHERE database_id = DB_ID(N'<db>')")
        .per(FEATURES),
    at(41950, Managed, Seed, Failure)
        .says("the link cannot be created: the database uses FILESTREAM or FileTables")
        .because("a managed instance has neither")
        .mend("move that data elsewhere, then remove the FileTables, columns and the FILESTREAM filegroup")
        .run("SELECT name FROM [<db>].sys.filegroups WHERE type = 'FD'")
        .per(FEATURES),
    at(41951, Managed, Seed, Failure)
        .says("the link cannot be created: a file of the database is DEFUNCT")
        .because("a filegroup was taken out of the database after a partial restore, and its files are still listed")
        .mend("remove the defunct filegroup's objects and files; where that fails, copy the database into a new one and link that")
        .run("SELECT name, state_desc FROM sys.master_files WHERE database_id = DB_ID(N'<db>') AND state_desc = 'DEFUNCT'")
        .per(FEATURES),
    at(41952, Managed, Seed, Failure)
        .says("the link cannot be created: the database uses a feature that the managed instance does not have")
        .because("the error's text names the feature")
        .mend("remove the feature from the database, then create the link again")
        .per(FEATURES),
    at(41954, Managed, Failover, Transient)
        .says("a role change could not be finished at once")
        .because("something passing stood in the way while the instance became primary; it tries again by itself")
        .mend("wait, and look at the roles of both sides; do not ask for the role change a second time")
        .run("SELECT ag.name, s.role_desc FROM sys.availability_groups ag JOIN sys.dm_hadr_availability_replica_states s ON s.group_id = ag.group_id WHERE ag.is_distributed = 1 AND s.is_local = 1")
        .per(LINK_ERRORS),
    at(41961, Managed, Failover, Transient)
        .says("a role change could not be finished at once")
        .because("something passing stood in the way while the instance became primary; it tries again by itself")
        .mend("wait, and look at the roles of both sides; do not ask for the role change a second time")
        .run("SELECT ag.name, s.role_desc FROM sys.availability_groups ag JOIN sys.dm_hadr_availability_replica_states s ON s.group_id = ag.group_id WHERE ag.is_distributed = 1 AND s.is_local = 1")
        .per(LINK_ERRORS),
    at(41962, Managed, Create, Failure)
        .says("the link was given up: replication did not begin within 5 minutes")
        .because("the two sides do not reach each other: a firewall, a route, a name, or an endpoint that is not started")
        .mend("test the endpoint's port both ways with a real handshake (a TCP test alone can lie), mend it, remove the rest of the attempt, create again")
        .run("SELECT state_desc FROM sys.database_mirroring_endpoints; SELECT last_connect_error_number, last_connect_error_description FROM sys.dm_hadr_availability_replica_states")
        .per(LINK_ERRORS),
    at(41964, Managed, Any, Transient)
        .says("an operation on the managed instance is refused")
        .because("a database is being created there through a link, and seeding has not ended")
        .mend("wait for the seeding to end, or delete the link that is being created")
        .run("SELECT local_database_name, transferred_size_bytes, database_size_bytes FROM sys.dm_hadr_physical_seeding_stats")
        .per(LINK_ERRORS),
    at(41965, Managed, Failover, Information)
        .says("a role change is refused: the instance has that role already")
        .because("an earlier request was carried out, perhaps one whose answer was lost")
        .mend("nothing, if this is the role that is wanted; look at the role of SQL Server too")
        .per(LINK_ERRORS),
    at(41968, Managed, Failover, Transient)
        .says("a role change is refused: another one is running")
        .because("the link changes roles now; a request that timed out may still be at work")
        .mend("wait until it has ended, look at both sides, and only then decide")
        .per(LINK_ERRORS),
    at(41969, Managed, Failover, Failure)
        .says("a role change failed for a reason that is not told")
        .because("unknown; the error logs of both sides know more")
        .mend("observe the roles of both sides before anything else, read both error logs, then ask again")
        .run("EXEC sp_readerrorlog 0, 1, N'availability'")
        .per(LINK_ERRORS),
    at(41970, Managed, Failover, Failure)
        .says("setRole to Primary with Planned is refused")
        .because("through this call the instance becomes primary only by Forced, once the other side has been demoted")
        .mend("run a planned failover on the primary, or demote SQL Server, prove the LSNs equal, and set the role with Forced")
        .run("ALTER AVAILABILITY GROUP [<link>] FAILOVER  -- on the primary")
        .per("Troubleshoot, link errors; REST, set role"),
    at(41973, Managed, Create, Failure)
        .says("the sides do not connect: the managed instance does not know SQL Server's endpoint certificate")
        .because("the certificate was not uploaded, or SQL Server's endpoint shows another one since it was rotated")
        .mend("upload the certificate that the endpoint shows now; compare thumbprints, not names")
        .run("az sql mi partner-cert create --resource-group <rg> --instance-name <mi> --name <certificate> --public-blob <0x...>")
        .per(LINK_ERRORS),
    at(41974, Managed, Create, Failure)
        .says("the sides do not connect: SQL Server does not trust the managed instance's certificate")
        .because("its certificate is not in master under the instance's full name, or a root certificate is missing there")
        .mend("import it under exactly the FQDN, import Azure's roots, and register them with sp_certificate_add_issuer")
        .run("CREATE CERTIFICATE [<fqdn of the managed instance>] FROM BINARY = 0x<...>; EXEC sp_validate_certificate_ca_chain <certificate_id>")
        .per(LINK_ERRORS),
    at(41976, Managed, Create, Failure)
        .says("SQL Server's availability group does not answer (LinkInitError)")
        .because("the group or the distributed group is missing there or named differently, or `;Server=[<mi>]` is missing in its LISTENER_URL")
        .mend("compare the names on both sides; look for \"redirect string is empty\" in SQL Server's error log; remove the attempt and create it with the right LISTENER_URL")
        .run("SELECT ag.name, r.replica_server_name, r.endpoint_url FROM sys.availability_groups ag JOIN sys.availability_replicas r ON r.group_id = ag.group_id")
        .per("Troubleshoot, link errors; Walkthrough, missing Server part"),
    at(41977, Managed, Create, Failure)
        .says("the availability group answers, but not its database")
        .because("the database's name is wrong, it could not be created on the partner, or the partner is a primary of its own after a forced failover")
        .mend("observe the roles of both sides first; if only one is primary, read the partner's error log for the database")
        .run("SELECT d.name, d.state_desc, d.replica_id FROM sys.databases d WHERE d.name = N'<db>'")
        .per("Troubleshoot, link errors; Recorded, forced failover"),
    at(41979, Managed, Create, Failure)
        .says("the managed instance's database cannot go to SQL Server: it is encrypted with a service-managed key")
        .because("nobody but Azure has that key, so SQL Server could not open the copy")
        .mend("use a customer-managed key that SQL Server reaches too, or switch encryption of the database off")
        .run("ALTER DATABASE [<db>] SET ENCRYPTION OFF")
        .per("Overview, limitations; Error lists, managed instance link"),
    at(41980, Managed, Run, Failure)
        .says("the database cannot be encrypted with a service-managed key")
        .because("it is linked, with the managed instance as primary, and SQL Server could not open it then")
        .mend("use a customer-managed key as the instance's protector, or delete the link first")
        .per("Error lists, managed instance link"),
    at(41981, Managed, Run, Failure)
        .says("the encryption protector cannot be set back to a service-managed key")
        .because("an encrypted database of the instance is linked to SQL Server, which needs the customer-managed key")
        .mend("keep the customer-managed key while the link is there, or delete the link first")
        .per("Error lists, managed instance link"),
    at(41982, Managed, Create, Failure)
        .says("a link cannot begin on this managed instance")
        .because("the instance is in a failover group, and failover groups and links exclude each other")
        .mend("take the instance out of its failover group, or choose another instance")
        .run("az sql instance-failover-group list --resource-group <rg> --location <region>")
        .per("Overview, limitations; Error lists, managed instance link"),
    at(41984, Managed, Create, Failure)
        .says("the managed instance's database format does not fit the SQL Server")
        .because("a copy can only be upgraded: the instance's update policy must be the SQL Server's own release to send data there")
        .mend("link to an instance whose policy fits; a policy can be raised and never lowered")
        .run("az sql mi show --resource-group <rg> --name <mi> --query databaseFormat")
        .per("Update policy, compatibility with SQL Server; Error lists, managed instance link"),
    at(41985, Managed, Failover, Failure)
        .says("a forced failover is refused on this link")
        .because("the link is one-way (failover mode None), or SQL Server is older than 2022")
        .mend("if the data on the managed instance is what you want, delete the link: the copy there becomes an ordinary database")
        .run("az sql mi link delete --resource-group <rg> --instance-name <mi> --name <link>")
        .per(LINK_ERRORS),
    at(41986, Managed, Create, Failure)
        .says("the managed instance does not get through to SQL Server's endpoint")
        .because("nothing listens at the partner endpoint's address, or a firewall (the host's own too) stops port 5022 from the instance's subnet")
        .mend("open the endpoint's port to the whole subnet of the instance, start the endpoint, and check the address that Azure was given")
        .run("ALTER ENDPOINT [<endpoint>] STATE = STARTED")
        .per(LINK_ERRORS),
    at(41987, Managed, Create, Failure)
        .says("the availability group's name is in use on this managed instance")
        .because("another link there has it, perhaps the rest of an attempt that failed")
        .mend("delete that rest, or choose another name for the instance's group")
        .run("az sql mi link list --resource-group <rg> --instance-name <mi> --query \"[].{link:name, group:instanceAvailabilityGroupName}\"")
        .per(LINK_ERRORS),
    at(41988, Managed, Create, Failure)
        .says("a two-way link is refused: the database formats of the two sides differ")
        .because("failing back needs an instance whose update policy is exactly the SQL Server's release")
        .mend("ask for a one-way link (failover mode None), or use an instance with that policy")
        .run("az sql mi show --resource-group <rg> --name <mi> --query databaseFormat")
        .per("Update policy, compatibility with SQL Server; Error lists, managed instance link"),
    at(41993, Managed, Failover, Critical)
        .says("the failover is refused: the database on the managed instance is inaccessible")
        .because("mostly a key in the key vault that cannot be reached, or a database that did not recover")
        .mend("bring the key back, or let Azure's support bring the database back, before any role changes")
        .run("az sql midb show --resource-group <rg> --managed-instance <mi> --name <db> --query status")
        .per(LINK_ERRORS),
    at(47521, Managed, Create, Failure)
        .says("the secondary did not get the request to join")
        .because("the primary's availability group, or its database, is not healthy")
        .mend("bring the group and the database on the primary to ONLINE and HEALTHY, then create the link again")
        .run("SELECT ag.name, s.role_desc, s.operational_state_desc, s.synchronization_health_desc FROM sys.availability_groups ag JOIN sys.dm_hadr_availability_replica_states s ON s.group_id = ag.group_id")
        .per(LINK_ERRORS),
];
