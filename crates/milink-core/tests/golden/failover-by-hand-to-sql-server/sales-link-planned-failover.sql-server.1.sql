-- Changes the roles, without a loss, of link sales-link: Sales.
-- Made by milink from a plan.
-- Note: managed instance gives the primary role to SQL Server. Writes that are under way at the change fail and have to be repeated there.
-- Note: From the demotion to the promotion nobody is primary, and nothing can be written.
-- This is what is done on the SQL Server, part 1 of 2, in master, by a member of sysadmin.
-- What is done elsewhere stands here as a comment: it has to be done there, and at its place.
-- Run it with: sqlcmd -b -i FILE    (-b ends it at the first error)

USE [master];
GO

-- 1/8 Set SYNCHRONOUS_COMMIT on the SQL Server's half
ALTER AVAILABILITY GROUP [sales-link] MODIFY AVAILABILITY GROUP ON
    N'AG_Sales' WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT),
    N'AG_Sales_MI' WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT);
GO

-- In Azure: 2/8 Set SYNCHRONOUS_COMMIT on the managed instance's half

-- 3/8 Wait until every copy is SYNCHRONIZED
-- This can be seen on the managed instance only.

-- In Azure: 4/8 Demote the managed instance: from here on nobody is primary

-- 5/8 Wait until both sides have hardened the same log, and it stays so
-- This can be seen on the managed instance only.
-- To be compared with the other side's:
SELECT CONVERT(varchar(30), r.last_hardened_lsn) AS lsn FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'sales-link' AND r.is_local = 1 AND r.database_id = DB_ID(N'Sales');
GO
-- It must stay so for 1000 ms.

