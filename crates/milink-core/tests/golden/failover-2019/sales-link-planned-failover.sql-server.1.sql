-- Changes the roles, without a loss, of link sales-link: Sales.
-- Made by milink from a plan.
-- Note: SQL Server gives the primary role to managed instance. Writes that are under way at the change fail and have to be repeated there.
-- Note: SQL Server 15.0.4312.2 can only fail over to Azure by ending the link: afterwards both databases are independent, and there is no way back through it.
-- Note: Stop all writes on SQL Server first: what is committed after both sides were equal would stay there.
-- This is what is done on the SQL Server, part 1 of 2, in master, by a member of sysadmin.
-- What is done elsewhere stands here as a comment: it has to be done there, and at its place.
-- Run it with: sqlcmd -b -i FILE    (-b ends it at the first error)

USE [master];
GO

-- 1/6 Set SYNCHRONOUS_COMMIT on the SQL Server's half
ALTER AVAILABILITY GROUP [sales-link] MODIFY AVAILABILITY GROUP ON
    N'AG_Sales' WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT),
    N'AG_Sales_MI' WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT);
GO

-- In Azure: 2/6 Set SYNCHRONOUS_COMMIT on the managed instance's half

-- 3/6 Wait until every copy is SYNCHRONIZED
DECLARE @until datetime2 = DATEADD(second, 3600, SYSUTCDATETIME());
WHILE NOT EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'sales-link' AND r.database_id = DB_ID(N'Sales') AND r.is_local = 0 AND r.synchronization_state_desc = N'SYNCHRONIZED')
BEGIN
    IF SYSUTCDATETIME() > @until THROW 50000, N'not so after 3600 seconds', 1;
    WAITFOR DELAY '00:00:02';
END;
GO

-- 4/6 Wait until both sides have hardened the same log, and it stays so: no writes any more
-- To be compared with the other side's:
SELECT CONVERT(varchar(30), r.last_hardened_lsn) AS lsn FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = N'sales-link' AND r.is_local = 1 AND r.database_id = DB_ID(N'Sales');
GO
-- It must stay so for 3000 ms.

-- In Azure: 5/6 Remove the link in Azure: the managed instance's database becomes independent

