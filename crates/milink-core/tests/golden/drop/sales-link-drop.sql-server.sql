-- Removes link sales-link: Sales.
-- Made by milink from a plan.
-- This is what is done on the SQL Server, in master, by a member of sysadmin. What is done
-- elsewhere stands here as a comment, at its place; it has to be done there before the script goes on.
-- Run it with: sqlcmd -b -i FILE    (-b ends it at the first error)

USE [master];
GO

-- In Azure: 1/15 Remove the link in Azure

-- 2/15 Drop the distributed availability group on SQL Server
DROP AVAILABILITY GROUP [sales-link];
GO

-- 3/15 See the databases ONLINE by themselves
DECLARE @until datetime2 = DATEADD(second, 900, SYSUTCDATETIME());
WHILE NOT EXISTS (SELECT 1 FROM sys.databases WHERE name = N'Sales' AND state_desc = N'ONLINE')
BEGIN
    IF SYSUTCDATETIME() > @until THROW 50000, N'not so after 900 seconds', 1;
    WAITFOR DELAY '00:00:02';
END;
GO
-- This can be seen on the managed instance only.

-- 4/15 Drop availability group AG_Sales; its databases stay
DROP AVAILABILITY GROUP [AG_Sales];
GO

-- In Azure: 5/15 Delete SQL Server's certificate Cert_SQL01_endpoint in Azure

-- 6/15 Drop certificate mi-one.a1b2c3d4.database.windows.net
DROP CERTIFICATE [mi-one.a1b2c3d4.database.windows.net];
GO

-- 7/15 Drop certificate DigiCert Global Root CA
DROP CERTIFICATE [DigiCert Global Root CA];
GO

-- 8/15 Drop certificate DigiCert Global Root G2
DROP CERTIFICATE [DigiCert Global Root G2];
GO

-- 9/15 Drop certificate DigiCert Global Root G3
DROP CERTIFICATE [DigiCert Global Root G3];
GO

-- 10/15 Drop certificate DigiCert TLS ECC P384 Root G5
DROP CERTIFICATE [DigiCert TLS ECC P384 Root G5];
GO

-- 11/15 Drop certificate DigiCert TLS RSA4096 Root G5
DROP CERTIFICATE [DigiCert TLS RSA4096 Root G5];
GO

-- 12/15 Drop certificate Microsoft ECC Root Certificate Authority 2017
DROP CERTIFICATE [Microsoft ECC Root Certificate Authority 2017];
GO

-- 13/15 Drop certificate Microsoft RSA Root Certificate Authority 2017
DROP CERTIFICATE [Microsoft RSA Root Certificate Authority 2017];
GO

-- 14/15 Drop endpoint database_mirroring_endpoint
DROP ENDPOINT [database_mirroring_endpoint];
GO

-- 15/15 Drop certificate Cert_SQL01_endpoint
DROP CERTIFICATE [Cert_SQL01_endpoint];
GO

