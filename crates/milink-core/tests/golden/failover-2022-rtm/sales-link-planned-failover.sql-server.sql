-- Changes the roles, without a loss, of link sales-link: Sales.
-- Made by milink from a plan.
-- Note: SQL Server gives the primary role to managed instance. Writes that are under way at the change fail and have to be repeated there.
-- Note: From the demotion to the promotion nobody is primary, and nothing can be written.
-- This is what is done on the SQL Server, in master, by a member of sysadmin.
-- What is done elsewhere stands here as a comment: it has to be done there, and at its place.
-- Run it with: sqlcmd -b -i FILE    (-b ends it at the first error)

USE [master];
GO

-- 1/9 Set SYNCHRONOUS_COMMIT on the SQL Server's half
ALTER AVAILABILITY GROUP [sales-link] MODIFY AVAILABILITY GROUP ON
    N'AG_Sales' WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT),
    N'AG_Sales_MI' WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT);
GO

-- In Azure: 2/9 Set SYNCHRONOUS_COMMIT on the managed instance's half

-- 3/9 Wait until every copy is SYNCHRONIZED
DECLARE @until datetime2 = DATEADD(second, 3600, SYSUTCDATETIME());
WHILE NOT EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'sales-link' AND r.database_id = DB_ID(N'Sales') AND r.is_local = 0 AND r.synchronization_state_desc = N'SYNCHRONIZED')
BEGIN
    IF SYSUTCDATETIME() > @until THROW 50000, N'not so after 3600 seconds', 1;
    WAITFOR DELAY '00:00:02';
END;
GO

-- 4/9 Demote the SQL Server: from here on nobody is primary
ALTER AVAILABILITY GROUP [sales-link] SET (ROLE = SECONDARY);
GO

-- 5/9 Wait until both sides have hardened the same log, and it stays so
DECLARE @until datetime2 = DATEADD(second, 300, SYSUTCDATETIME());
WHILE NOT EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_availability_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'sales-link' AND r.is_local = 1 AND r.role_desc = N'SECONDARY')
BEGIN
    IF SYSUTCDATETIME() > @until THROW 50000, N'not so after 300 seconds', 1;
    WAITFOR DELAY '00:00:02';
END;
GO
-- To be compared with the other side's:
SELECT CONVERT(varchar(30), r.last_hardened_lsn) AS lsn FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'sales-link' AND r.is_local = 1 AND r.database_id = DB_ID(N'Sales');
GO
-- It must stay so for 1000 ms.

-- In Azure: 6/9 Make the managed instance primary

-- 7/9 See the SQL Server follow the new primary
DECLARE @until datetime2 = DATEADD(second, 3600, SYSUTCDATETIME());
WHILE NOT EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'sales-link' AND r.database_id = DB_ID(N'Sales') AND r.is_local = 1 AND r.database_state_desc = N'ONLINE' AND r.synchronization_state_desc IN (N'SYNCHRONIZING', N'SYNCHRONIZED'))
BEGIN
    IF SYSUTCDATETIME() > @until THROW 50000, N'not so after 3600 seconds', 1;
    WAITFOR DELAY '00:00:02';
END;
GO

-- 8/9 Set ASYNCHRONOUS_COMMIT on the SQL Server's half
ALTER AVAILABILITY GROUP [sales-link] MODIFY AVAILABILITY GROUP ON
    N'AG_Sales' WITH (AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT),
    N'AG_Sales_MI' WITH (AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT);
GO

-- In Azure: 9/9 Set ASYNCHRONOUS_COMMIT on the managed instance's half

