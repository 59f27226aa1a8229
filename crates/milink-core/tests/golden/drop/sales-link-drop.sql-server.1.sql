-- Removes link sales-link: Sales.
-- Made by milink from a plan.
-- This is what is done on the SQL Server, part 1 of 2, in master, by a member of sysadmin.
-- What is done elsewhere stands here as a comment: it has to be done there, and at its place.
-- Run it with: sqlcmd -b -i FILE    (-b ends it at the first error)

USE [master];
GO

-- In Azure: 1/15 Remove the link in Azure

-- NB: this file is to be run when all that comes before this place is done elsewhere.

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

