//! Numbers of the Database Engine that are met on the way to a link, and are not about groups alone.

use super::Phase::{Any, Create, Prepare, Run, Seed};
use super::Place::{Either, Managed, SqlServer};
use super::Severity::{Critical, Failure, Information};
use super::{NumberFact, at};

/// Sorted by number.
pub(super) const FACTS: &[NumberFact] = &[
    at(976, Either, Run, Information)
        .says("the database cannot be read on this side")
        .because("it is a secondary that is still being seeded, whose data movement is suspended, or that is not open for reading")
        .mend("read on the primary; during seeding wait; if data movement is suspended, find out why and resume it")
        .run("ALTER DATABASE [<db>] SET HADR RESUME")
        .per("Engine knowledge, availability groups"),
    at(978, Either, Run, Information)
        .says("the database can be read on this side only with read intent")
        .because("the secondary takes only connections that say that they read")
        .mend("connect with ApplicationIntent=ReadOnly (sqlcmd: -K ReadOnly)")
        .run("sqlcmd -S <server> -d <db> -K ReadOnly")
        .per("Engine knowledge, availability groups"),
    at(1408, Either, Seed, Failure)
        .says("seeding ends and the link fails: the secondary's copy does not reach far enough to join the primary's log")
        .because("the log was truncated during seeding, mostly by a log-backup job, and the secondary misses a part of it")
        .mend("delete the link and create it again, with log backups paused (or trace flag 12381 on, where the build has it) until seeding has ended")
        .run("DBCC TRACEON (12381, -1)  -- DBCC TRACEOFF (12381, -1) as soon as seeding has ended")
        .per("Troubleshoot, log truncated during seeding"),
    at(1412, Either, Seed, Failure)
        .says("seeding ends and the link fails: the secondary lacks log that the primary has no more")
        .because("a log backup ran during seeding and truncated log that the secondary still needed")
        .mend("delete the link and create it again, with log backups paused (or trace flag 12381 on, where the build has it) until seeding has ended")
        .run("DBCC TRACEON (12381, -1)  -- DBCC TRACEOFF (12381, -1) as soon as seeding has ended")
        .per("Troubleshoot, log truncated during seeding"),
    at(1475, SqlServer, Create, Failure)
        .says("the database cannot be added to an availability group")
        .because("its log chain has not begun: there was no full backup since it was set to FULL recovery, or only copy-only ones")
        .mend("take a full backup that is not copy-only")
        .run("BACKUP DATABASE [<db>] TO DISK = N'<path>' WITH CHECKSUM")
        .per("Prepare, full recovery and backup; Error lists, availability groups"),
    at(2812, SqlServer, Prepare, Failure)
        .says("the procedure sp_certificate_add_issuer (or sp_get_endpoint_certificate) is not there; SSMS fails at \"Create Microsoft PKI certificate\"")
        .because("the servicing update for links is missing: on SQL Server 2016 and 2017 the Azure Connect pack, a second package after SP3 or CU31")
        .mend("install the pack that the release needs, restart the service, try again")
        .run("SELECT SERVERPROPERTY('ProductVersion'), OBJECT_ID(N'master.sys.sp_certificate_add_issuer')")
        .per("Scripts how-to, root certificates; Walkthrough, missing Connect pack"),
    at(8992, SqlServer, Run, Failure)
        .says("DBCC CHECKDB reports inconsistent metadata (8992 with 3851 to 3858)")
        .because("rows of the system tables do not fit each other; it is met in databases that came from a managed instance, after an index or a table was dropped")
        .mend("save the output; where the database came from a managed instance, drop the index or table there and send the database again; otherwise restore from a clean backup")
        .run("DBCC CHECKCATALOG (N'<db>')")
        .per("Error lists, MSSQLSERVER_8992; Engine knowledge, managed instance"),
    at(9002, Either, Run, Critical)
        .says("the transaction log is full; writes stop")
        .because("the log cannot be truncated: no log backup is taken, or the secondary does not receive (log_reuse_wait_desc says which)")
        .mend("LOG_BACKUP: back the log up. AVAILABILITY_REPLICA: bring the link back, or enlarge the log; if neither is possible, drop the link to save the primary")
        .run("SELECT name, log_reuse_wait_desc FROM sys.databases WHERE name = N'<db>'; DBCC SQLPERF (LOGSPACE)")
        .per("Best practices, log backups; Error lists, transaction log"),
    at(15151, SqlServer, Prepare, Failure)
        .says("a certificate, endpoint, login or group cannot be found")
        .because("it does not exist in this database, or the caller may not see it")
        .mend("look in master, mind the name's spelling, and connect as a member of sysadmin")
        .run("SELECT name, subject, expiry_date, pvt_key_encryption_type_desc FROM master.sys.certificates")
        .per("Engine knowledge, certificates"),
    at(15581, SqlServer, Prepare, Failure)
        .says("a certificate cannot be made or used: a master key is wanted")
        .because("master has no master key, or it is not open because it is not encrypted by the service master key")
        .mend("create the master key in master; if there is one, open it with its password and let the service master key encrypt it")
        .run("USE master; CREATE MASTER KEY ENCRYPTION BY PASSWORD = '<password>'")
        .per("Scripts how-to, certificates; Engine knowledge, certificates"),
    at(18452, Managed, Any, Failure)
        .says("the login to the managed instance fails: it comes from an untrusted domain")
        .because("Windows authentication was used from a host that is not of the instance's domain")
        .mend("use Entra or SQL authentication")
        .run("sqlcmd -S <fqdn of the managed instance> -G -U <user@tenant>")
        .per("Troubleshoot, connecting; SSMS how-to, sign in"),
];
