-- Removes link sales-link: Sales.
-- Made by milink from a plan.
-- This is what is done on the SQL Server, part 2 of 2, in master, by a member of sysadmin.
-- What is done elsewhere stands here as a comment: it has to be done there, and at its place.
-- Run it with: sqlcmd -b -i FILE    (-b ends it at the first error)

USE [master];
GO

-- NB: this file is to be run when all that comes before this place is done elsewhere.

-- 4/15 Drop availability group AG_Sales; its databases stay
DROP AVAILABILITY GROUP [AG_Sales];
GO

-- 5/15 Drop certificate mi-one.a1b2c3d4.database.windows.net
DROP CERTIFICATE [mi-one.a1b2c3d4.database.windows.net];
GO

-- 6/15 Drop certificate DigiCert Global Root CA
DROP CERTIFICATE [DigiCert Global Root CA];
GO

-- 7/15 Drop certificate DigiCert Global Root G2
DROP CERTIFICATE [DigiCert Global Root G2];
GO

-- 8/15 Drop certificate DigiCert Global Root G3
DROP CERTIFICATE [DigiCert Global Root G3];
GO

-- 9/15 Drop certificate DigiCert TLS ECC P384 Root G5
DROP CERTIFICATE [DigiCert TLS ECC P384 Root G5];
GO

-- 10/15 Drop certificate DigiCert TLS RSA4096 Root G5
DROP CERTIFICATE [DigiCert TLS RSA4096 Root G5];
GO

-- 11/15 Drop certificate Microsoft ECC Root Certificate Authority 2017
DROP CERTIFICATE [Microsoft ECC Root Certificate Authority 2017];
GO

-- 12/15 Drop certificate Microsoft RSA Root Certificate Authority 2017
DROP CERTIFICATE [Microsoft RSA Root Certificate Authority 2017];
GO

-- 13/15 Drop endpoint database_mirroring_endpoint
DROP ENDPOINT [database_mirroring_endpoint];
GO

-- 14/15 Drop certificate Cert_SQL01_endpoint
DROP CERTIFICATE [Cert_SQL01_endpoint];
GO

-- In Azure: 15/15 Delete SQL Server's certificate Cert_SQL01_endpoint in Azure

