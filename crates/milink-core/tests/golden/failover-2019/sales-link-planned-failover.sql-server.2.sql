-- Changes the roles, without a loss, of link sales-link: Sales.
-- Made by milink from a plan.
-- Note: SQL Server gives the primary role to managed instance. Writes that are under way at the change fail and have to be repeated there.
-- Note: SQL Server 15.0.4312.2 can only fail over to Azure by ending the link: afterwards both databases are independent, and there is no way back through it.
-- Note: Stop all writes on SQL Server first: what is committed after both sides were equal would stay there.
-- This is what is done on the SQL Server, part 2 of 2, in master, by a member of sysadmin.
-- What is done elsewhere stands here as a comment: it has to be done there, and at its place.
-- Run it with: sqlcmd -b -i FILE    (-b ends it at the first error)

USE [master];
GO

-- NB: this file is to be run when all that comes before this place is done elsewhere.

-- 6/6 Drop the distributed availability group on SQL Server
DROP AVAILABILITY GROUP [sales-link];
GO

