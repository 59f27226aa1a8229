-- Creates link erp: O'Brien]s, Stock.
-- Made by milink from a plan.
-- Note: certificate Cert_SQL01_endpoint has to be replaced before it expires on 2029-11-24
-- Note: the documents advise against synchronous commit at rest: every commit waits for the other side, and a planned failover leaves the link asynchronous
-- Note: trace flag 12381 keeps log backups from truncating what seeding needs; a build that does not know it ignores it, and then log backups have to be paused until seeding has ended (errors 1408, 1412)
-- This is what is done on the SQL Server, in master, by a member of sysadmin.
-- What is done elsewhere stands here as a comment: it has to be done there, and at its place.
-- Run it with: sqlcmd -b -i FILE -v MasterKeyPassword=...    (-b ends it at the first error)

USE [master];
GO

-- 1/24 Create the master key of master
CREATE MASTER KEY ENCRYPTION BY PASSWORD = N'$(MasterKeyPassword)';
GO

-- 2/24 Create certificate Cert_SQL01_endpoint for SQL Server's endpoint
CREATE CERTIFICATE [Cert_SQL01_endpoint]
    WITH SUBJECT = N'Certificate for Cert_SQL01_endpoint',
    EXPIRY_DATE = '20291124';
GO

-- In Azure: 3/24 Give Azure the certificate Cert_SQL01_endpoint
-- The public key that is given to Azure:
SELECT CONVERT(varchar(8000), CERTENCODED(certificate_id), 1) AS public_key FROM sys.certificates WHERE name = N'Cert_SQL01_endpoint';
GO

-- 4/24 Trust the managed instance's certificate, as mi-one.a1b2c3d4.database.windows.net
CREATE CERTIFICATE [mi-one.a1b2c3d4.database.windows.net] FROM BINARY = 0x6D616E6167656420696E7374616E63652773206365727469666963617465;
GO

-- 5/24 Import the certificate of Microsoft RSA Root Certificate Authority 2017
CREATE CERTIFICATE [Microsoft RSA Root Certificate Authority 2017] FROM BINARY = 0x6120726F6F74;
GO

-- 6/24 Let Microsoft RSA Root Certificate Authority 2017 vouch for *.database.windows.net
DECLARE @id int = (SELECT certificate_id FROM sys.certificates WHERE name = N'Microsoft RSA Root Certificate Authority 2017')
EXEC sp_certificate_add_issuer @id, N'*.database.windows.net';
GO

-- 7/24 Create the endpoint on port 5022
CREATE ENDPOINT [database_mirroring_endpoint]
    STATE = STARTED
    AS TCP (LISTENER_PORT = 5022, LISTENER_IP = ALL)
    FOR DATABASE_MIRRORING (
        ROLE = ALL,
        AUTHENTICATION = CERTIFICATE [Cert_SQL01_endpoint],
        ENCRYPTION = REQUIRED ALGORITHM AES
    );
GO

-- 8/24 Allow links of several databases
EXEC sys.sp_multidb_milink 1;
GO

-- 9/24 Set the recovery model of O'Brien]s to FULL
ALTER DATABASE [O'Brien]]s] SET RECOVERY FULL;
GO

-- 10/24 Back up O'Brien]s, so that its log chain begins
BACKUP DATABASE [O'Brien]]s] TO DISK = N'/var/opt/mssql/backup/O_Brien_s_20261125_030000.bak' WITH CHECKSUM;
GO

-- 11/24 Set the recovery model of Stock to FULL
ALTER DATABASE [Stock] SET RECOVERY FULL;
GO

-- 12/24 Back up Stock, so that its log chain begins
BACKUP DATABASE [Stock] TO DISK = N'/var/opt/mssql/backup/Stock_20261125_030000.bak' WITH CHECKSUM;
GO

-- 13/24 Create availability group AG_erp with O'Brien]s, Stock
CREATE AVAILABILITY GROUP [AG_erp]
    WITH (CLUSTER_TYPE = NONE)
    FOR DATABASE [O'Brien]]s], [Stock]
    REPLICA ON
    N'SQL01' WITH (
        ENDPOINT_URL = N'TCP://10.0.0.5:5022',
        AVAILABILITY_MODE = SYNCHRONOUS_COMMIT,
        FAILOVER_MODE = MANUAL,
        SEEDING_MODE = AUTOMATIC
    );
GO

-- 14/24 Create distributed availability group erp
CREATE AVAILABILITY GROUP [erp]
    WITH (DISTRIBUTED)
    AVAILABILITY GROUP ON
    N'AG_erp' WITH (
        LISTENER_URL = N'TCP://10.0.0.5:5022',
        AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT,
        FAILOVER_MODE = MANUAL,
        SEEDING_MODE = AUTOMATIC,
        SESSION_TIMEOUT = 20
    ),
    N'AG_erp_MI' WITH (
        LISTENER_URL = N'tcp://mi-one.a1b2c3d4.database.windows.net:5022;Server=[mi-one]',
        AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT,
        FAILOVER_MODE = MANUAL,
        SEEDING_MODE = AUTOMATIC
    );
GO

-- 15/24 Keep the log that seeding needs (trace flag 12381)
DBCC TRACEON (12381, -1);
GO

-- In Azure: 16/24 Create the managed instance's half of erp

-- 17/24 Wait until the two halves are connected
DECLARE @until datetime2 = DATEADD(second, 3600, SYSUTCDATETIME());
WHILE NOT EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_availability_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'erp' AND r.is_local = 0 AND r.connected_state_desc = N'CONNECTED')
BEGIN
    IF SYSUTCDATETIME() > @until THROW 50000, N'not so after 3600 seconds', 1;
    WAITFOR DELAY '00:00:02';
END;
GO

-- 18/24 Wait until the copy of O'Brien]s, Stock is complete
DECLARE @until datetime2 = DATEADD(second, 518400, SYSUTCDATETIME());
WHILE NOT EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_availability_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'erp' AND r.is_local = 0 AND r.synchronization_health_desc = N'HEALTHY')
BEGIN
    IF SYSUTCDATETIME() > @until THROW 50000, N'not so after 518400 seconds', 1;
    WAITFOR DELAY '00:00:02';
END;
GO

-- 19/24 Let backups truncate the log again (trace flag 12381 off)
DBCC TRACEOFF (12381, -1);
GO

-- 20/24 Back up the log of O'Brien]s for the first time after seeding
BACKUP LOG [O'Brien]]s] TO DISK = N'/var/opt/mssql/backup/O_Brien_s_20261125_030000.trn' WITH CHECKSUM;
GO

-- 21/24 Back up the log of Stock for the first time after seeding
BACKUP LOG [Stock] TO DISK = N'/var/opt/mssql/backup/Stock_20261125_030000.trn' WITH CHECKSUM;
GO

-- 22/24 Acknowledge commits when both sides have hardened them
ALTER AVAILABILITY GROUP [erp] MODIFY AVAILABILITY GROUP ON
    N'AG_erp' WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT),
    N'AG_erp_MI' WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT);
GO

-- In Azure: 23/24 Set the managed instance's half to synchronous commit

-- 24/24 Wait until the primary shows the copy as SYNCHRONIZED
DECLARE @until datetime2 = DATEADD(second, 3600, SYSUTCDATETIME());
WHILE NOT EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'erp' AND r.database_id = DB_ID(N'O''Brien]s') AND r.is_local = 0 AND r.synchronization_state_desc = N'SYNCHRONIZED')
BEGIN
    IF SYSUTCDATETIME() > @until THROW 50000, N'not so after 3600 seconds', 1;
    WAITFOR DELAY '00:00:02';
END;
GO
DECLARE @until datetime2 = DATEADD(second, 3600, SYSUTCDATETIME());
WHILE NOT EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'erp' AND r.database_id = DB_ID(N'Stock') AND r.is_local = 0 AND r.synchronization_state_desc = N'SYNCHRONIZED')
BEGIN
    IF SYSUTCDATETIME() > @until THROW 50000, N'not so after 3600 seconds', 1;
    WAITFOR DELAY '00:00:02';
END;
GO

