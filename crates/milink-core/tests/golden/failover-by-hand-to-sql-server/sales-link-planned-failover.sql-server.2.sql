-- Changes the roles, without a loss, of link sales-link: Sales.
-- Made by milink from a plan.
-- Note: managed instance gives the primary role to SQL Server. Writes that are under way at the change fail and have to be repeated there.
-- Note: From the demotion to the promotion nobody is primary, and nothing can be written.
-- This is what is done on the SQL Server, part 2 of 2, in master, by a member of sysadmin.
-- What is done elsewhere stands here as a comment: it has to be done there, and at its place.
-- Run it with: sqlcmd -b -i FILE    (-b ends it at the first error)

USE [master];
GO

-- NB: this file is to be run when all that comes before this place is done elsewhere.

-- 6/8 Make the SQL Server primary
ALTER AVAILABILITY GROUP [sales-link] FORCE_FAILOVER_ALLOW_DATA_LOSS;
GO

-- 7/8 See the managed instance follow the new primary
DECLARE @until datetime2 = DATEADD(second, 300, SYSUTCDATETIME());
WHILE NOT EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_availability_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'sales-link' AND r.is_local = 0 AND r.synchronization_health_desc = N'HEALTHY')
BEGIN
    IF SYSUTCDATETIME() > @until THROW 50000, N'not so after 300 seconds', 1;
    WAITFOR DELAY '00:00:02';
END;
GO

-- 8/8 Set ASYNCHRONOUS_COMMIT on the SQL Server's half
ALTER AVAILABILITY GROUP [sales-link] MODIFY AVAILABILITY GROUP ON
    N'AG_Sales' WITH (AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT),
    N'AG_Sales_MI' WITH (AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT);
GO

