-- Creates link sales-link: Sales.
-- Made by milink from a plan.
-- Note: certificate Cert_SQL01_endpoint has to be replaced before it expires on 2029-11-24
-- Note: SQL Server 2017 links go one way: a failover to the managed instance ends the link, and there is no way back through it
-- Note: trace flag 12381 keeps log backups from truncating what seeding needs; a build that does not know it ignores it, and then log backups have to be paused until seeding has ended (errors 1408, 1412)
-- This is what is done on the SQL Server, in master, by a member of sysadmin.
-- What is done elsewhere stands here as a comment: it has to be done there, and at its place.
-- Run it with: sqlcmd -b -i FILE -v MasterKeyPassword=...    (-b ends it at the first error)

USE [master];
GO

-- 1/17 Create the master key of master
CREATE MASTER KEY ENCRYPTION BY PASSWORD = N'$(MasterKeyPassword)';
GO

-- 2/17 Create certificate Cert_SQL01_endpoint for SQL Server's endpoint
CREATE CERTIFICATE [Cert_SQL01_endpoint]
    WITH SUBJECT = N'Certificate for Cert_SQL01_endpoint',
    EXPIRY_DATE = '20291124';
GO

-- In Azure: 3/17 Give Azure the certificate Cert_SQL01_endpoint
-- The public key that is given to Azure:
SELECT CONVERT(varchar(8000), CERTENCODED(certificate_id), 1) AS public_key FROM sys.certificates WHERE name = N'Cert_SQL01_endpoint';
GO

-- 4/17 Trust the managed instance's certificate, as mi-one.a1b2c3d4.database.windows.net
CREATE CERTIFICATE [mi-one.a1b2c3d4.database.windows.net] FROM BINARY = 0x6D616E6167656420696E7374616E63652773206365727469666963617465;
GO

-- 5/17 Import the certificate of Microsoft RSA Root Certificate Authority 2017
CREATE CERTIFICATE [Microsoft RSA Root Certificate Authority 2017] FROM BINARY = 0x6120726F6F74;
GO

-- 6/17 Let Microsoft RSA Root Certificate Authority 2017 vouch for *.database.windows.net
DECLARE @id int = (SELECT certificate_id FROM sys.certificates WHERE name = N'Microsoft RSA Root Certificate Authority 2017')
EXEC sp_certificate_add_issuer @id, N'*.database.windows.net';
GO

-- 7/17 Create the endpoint on port 5022
CREATE ENDPOINT [database_mirroring_endpoint]
    STATE = STARTED
    AS TCP (LISTENER_PORT = 5022, LISTENER_IP = ALL)
    FOR DATABASE_MIRRORING (
        ROLE = ALL,
        AUTHENTICATION = CERTIFICATE [Cert_SQL01_endpoint],
        ENCRYPTION = REQUIRED ALGORITHM AES
    );
GO

-- 8/17 Set the recovery model of Sales to FULL
ALTER DATABASE [Sales] SET RECOVERY FULL;
GO

-- 9/17 Back up Sales, so that its log chain begins
BACKUP DATABASE [Sales] TO DISK = N'/var/opt/mssql/backup/Sales_20261125_030000.bak' WITH CHECKSUM;
GO

-- 10/17 Create availability group AG_Sales with Sales
CREATE AVAILABILITY GROUP [AG_Sales]
    WITH (CLUSTER_TYPE = NONE)
    FOR DATABASE [Sales]
    REPLICA ON
    N'SQL01' WITH (
        ENDPOINT_URL = N'TCP://10.0.0.5:5022',
        AVAILABILITY_MODE = SYNCHRONOUS_COMMIT,
        FAILOVER_MODE = MANUAL,
        SEEDING_MODE = AUTOMATIC
    );
GO

-- 11/17 Create distributed availability group sales-link
CREATE AVAILABILITY GROUP [sales-link]
    WITH (DISTRIBUTED)
    AVAILABILITY GROUP ON
    N'AG_Sales' WITH (
        LISTENER_URL = N'TCP://10.0.0.5:5022',
        AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT,
        FAILOVER_MODE = MANUAL,
        SEEDING_MODE = AUTOMATIC,
        SESSION_TIMEOUT = 20
    ),
    N'AG_Sales_MI' WITH (
        LISTENER_URL = N'tcp://mi-one.a1b2c3d4.database.windows.net:5022;Server=[mi-one]',
        AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT,
        FAILOVER_MODE = MANUAL,
        SEEDING_MODE = AUTOMATIC
    );
GO

-- 12/17 Keep the log that seeding needs (trace flag 12381)
DBCC TRACEON (12381, -1);
GO

-- In Azure: 13/17 Create the managed instance's half of sales-link

-- 14/17 Wait until the two halves are connected
DECLARE @until datetime2 = DATEADD(second, 3600, SYSUTCDATETIME());
WHILE NOT EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_availability_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'sales-link' AND r.is_local = 0 AND r.connected_state_desc = N'CONNECTED')
BEGIN
    IF SYSUTCDATETIME() > @until THROW 50000, N'not so after 3600 seconds', 1;
    WAITFOR DELAY '00:00:02';
END;
GO

-- 15/17 Wait until the copy of Sales is complete
DECLARE @until datetime2 = DATEADD(second, 518400, SYSUTCDATETIME());
WHILE NOT EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_availability_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'sales-link' AND r.is_local = 0 AND r.synchronization_health_desc = N'HEALTHY')
BEGIN
    IF SYSUTCDATETIME() > @until THROW 50000, N'not so after 518400 seconds', 1;
    WAITFOR DELAY '00:00:02';
END;
GO

-- 16/17 Let backups truncate the log again (trace flag 12381 off)
DBCC TRACEOFF (12381, -1);
GO

-- 17/17 Back up the log of Sales for the first time after seeding
BACKUP LOG [Sales] TO DISK = N'/var/opt/mssql/backup/Sales_20261125_030000.trn' WITH CHECKSUM;
GO

