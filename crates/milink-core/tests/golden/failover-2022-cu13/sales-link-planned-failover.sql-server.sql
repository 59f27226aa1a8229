-- Changes the roles, without a loss, of link sales-link: Sales.
-- Made by milink from a plan.
-- Note: SQL Server gives the primary role to managed instance. Writes that are under way at the change fail and have to be repeated there.
-- This is what is done on the SQL Server, in master, by a member of sysadmin.
-- What is done elsewhere stands here as a comment: it has to be done there, and at its place.
-- Run it with: sqlcmd -b -i FILE    (-b ends it at the first error)

USE [master];
GO

-- 1/7 Set SYNCHRONOUS_COMMIT on the SQL Server's half
ALTER AVAILABILITY GROUP [sales-link] MODIFY AVAILABILITY GROUP ON
    N'AG_Sales' WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT),
    N'AG_Sales_MI' WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT);
GO

-- In Azure: 2/7 Set SYNCHRONOUS_COMMIT on the managed instance's half

-- 3/7 Wait until every copy is SYNCHRONIZED
DECLARE @until datetime2 = DATEADD(second, 3600, SYSUTCDATETIME());
WHILE NOT EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'sales-link' AND r.database_id = DB_ID(N'Sales') AND r.is_local = 0 AND r.synchronization_state_desc = N'SYNCHRONIZED')
BEGIN
    IF SYSUTCDATETIME() > @until THROW 50000, N'not so after 3600 seconds', 1;
    WAITFOR DELAY '00:00:02';
END;
GO

-- 4/7 Fail over from the SQL Server to the managed instance
DECLARE @until datetime2 = DATEADD(second, 60, SYSUTCDATETIME());
WHILE NOT EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_availability_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'sales-link' AND r.is_local = 1 AND r.role_desc = N'PRIMARY')
BEGIN
    IF SYSUTCDATETIME() > @until THROW 50000, N'not so after 60 seconds', 1;
    WAITFOR DELAY '00:00:02';
END;
GO
DECLARE @until datetime2 = DATEADD(second, 60, SYSUTCDATETIME());
WHILE NOT EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'sales-link' AND r.database_id = DB_ID(N'Sales') AND r.is_local = 0 AND r.synchronization_state_desc = N'SYNCHRONIZED')
BEGIN
    IF SYSUTCDATETIME() > @until THROW 50000, N'not so after 60 seconds', 1;
    WAITFOR DELAY '00:00:02';
END;
GO
ALTER AVAILABILITY GROUP [sales-link] FAILOVER;
GO

-- 5/7 See the SQL Server follow the new primary
DECLARE @until datetime2 = DATEADD(second, 300, SYSUTCDATETIME());
WHILE NOT EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'sales-link' AND r.database_id = DB_ID(N'Sales') AND r.is_local = 1 AND r.database_state_desc = N'ONLINE' AND r.synchronization_state_desc IN (N'SYNCHRONIZING', N'SYNCHRONIZED'))
BEGIN
    IF SYSUTCDATETIME() > @until THROW 50000, N'not so after 300 seconds', 1;
    WAITFOR DELAY '00:00:02';
END;
GO

-- 6/7 Set ASYNCHRONOUS_COMMIT on the SQL Server's half
ALTER AVAILABILITY GROUP [sales-link] MODIFY AVAILABILITY GROUP ON
    N'AG_Sales' WITH (AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT),
    N'AG_Sales_MI' WITH (AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT);
GO

-- In Azure: 7/7 Set ASYNCHRONOUS_COMMIT on the managed instance's half

