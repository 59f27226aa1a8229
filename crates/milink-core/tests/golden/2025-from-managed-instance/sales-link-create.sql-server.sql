-- Creates link sales-link: Sales.
-- Made by milink from a plan.
-- Note: certificate Cert_SQL01_endpoint has to be replaced before it expires on 2029-11-24
-- This is what is done on the SQL Server, in master, by a member of sysadmin.
-- What is done elsewhere stands here as a comment: it has to be done there, and at its place.
-- Run it with: sqlcmd -b -i FILE -v MasterKeyPassword=...    (-b ends it at the first error)

USE [master];
GO

-- 1/13 Create the master key of master
CREATE MASTER KEY ENCRYPTION BY PASSWORD = N'$(MasterKeyPassword)';
GO

-- 2/13 Create certificate Cert_SQL01_endpoint for SQL Server's endpoint
CREATE CERTIFICATE [Cert_SQL01_endpoint]
    WITH SUBJECT = N'Certificate for Cert_SQL01_endpoint',
    EXPIRY_DATE = '20291124';
GO

-- In Azure: 3/13 Give Azure the certificate Cert_SQL01_endpoint
-- The public key that is given to Azure:
SELECT CONVERT(varchar(8000), CERTENCODED(certificate_id), 1) AS public_key FROM sys.certificates WHERE name = N'Cert_SQL01_endpoint';
GO

-- 4/13 Trust the managed instance's certificate, as mi-one.a1b2c3d4.database.windows.net
CREATE CERTIFICATE [mi-one.a1b2c3d4.database.windows.net] FROM BINARY = 0x6D616E6167656420696E7374616E63652773206365727469666963617465;
GO

-- 5/13 Import the certificate of Microsoft RSA Root Certificate Authority 2017
CREATE CERTIFICATE [Microsoft RSA Root Certificate Authority 2017] FROM BINARY = 0x6120726F6F74;
GO

-- 6/13 Let Microsoft RSA Root Certificate Authority 2017 vouch for *.database.windows.net
DECLARE @id int = (SELECT certificate_id FROM sys.certificates WHERE name = N'Microsoft RSA Root Certificate Authority 2017')
EXEC sp_certificate_add_issuer @id, N'*.database.windows.net';
GO

-- 7/13 Create the endpoint on port 5022
CREATE ENDPOINT [database_mirroring_endpoint]
    STATE = STARTED
    AS TCP (LISTENER_PORT = 5022, LISTENER_IP = ALL)
    FOR DATABASE_MIRRORING (
        ROLE = ALL,
        AUTHENTICATION = CERTIFICATE [Cert_SQL01_endpoint],
        ENCRYPTION = REQUIRED ALGORITHM AES
    );
GO

-- 8/13 Create availability group AG_Sales, empty
CREATE AVAILABILITY GROUP [AG_Sales]
    WITH (CLUSTER_TYPE = NONE)
    FOR REPLICA ON
    N'SQL01' WITH (
        ENDPOINT_URL = N'TCP://10.0.0.5:5022',
        AVAILABILITY_MODE = SYNCHRONOUS_COMMIT,
        FAILOVER_MODE = MANUAL,
        SEEDING_MODE = AUTOMATIC
    );
GO

-- 9/13 Let seeding create databases in AG_Sales
ALTER AVAILABILITY GROUP [AG_Sales] GRANT CREATE ANY DATABASE;
GO

-- 10/13 Create distributed availability group sales-link
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
        LISTENER_URL = N'tcp://mi-one.a1b2c3d4.database.windows.net:5022;Server=[mi-one];Database=[Sales]',
        AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT,
        FAILOVER_MODE = MANUAL,
        SEEDING_MODE = AUTOMATIC
    );
GO

-- In Azure: 11/13 Create the managed instance's half of sales-link

-- 12/13 Wait until the two halves are connected
-- This can be seen on the managed instance only.

-- 13/13 Wait until the copy of Sales is complete
DECLARE @until datetime2 = DATEADD(second, 518400, SYSUTCDATETIME());
WHILE NOT EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'sales-link' AND r.database_id = DB_ID(N'Sales') AND r.is_local = 1 AND r.database_state_desc = N'ONLINE' AND r.synchronization_state_desc IN (N'SYNCHRONIZING', N'SYNCHRONIZED'))
BEGIN
    IF SYSUTCDATETIME() > @until THROW 50000, N'not so after 518400 seconds', 1;
    WAITFOR DELAY '00:00:02';
END;
GO

