-- Procedures about the server, its logins and its sessions, and the older names of statements. They run in the caller's current database.
CREATE PROCEDURE sys.sp_who2 @loginame sysname = NULL AS
SELECT CAST(s.session_id AS char(5)) AS SPID, CAST(s.status AS varchar(30)) AS Status, s.login_name AS Login, CASE WHEN s.host_name IS NULL OR s.host_name = '' THEN CAST('  .' AS sysname) ELSE s.host_name END AS HostName,
    CAST(CASE WHEN COALESCE(r.blocking_session_id, 0) = 0 THEN '  .' ELSE CAST(r.blocking_session_id AS varchar(5)) END AS char(5)) AS BlkBy, DB_NAME(s.database_id) AS DBName,
    CAST(COALESCE(r.command, 'AWAITING COMMAND') AS varchar(16)) AS Command, s.cpu_time AS CPUTime, CAST(0 AS int) AS DiskIO, CAST(CONVERT(varchar(14), COALESCE(s.last_request_end_time, s.last_request_start_time), 1) AS varchar(14)) AS LastBatch,
    s.program_name AS ProgramName, CAST(s.session_id AS char(5)) AS SPID, CAST(0 AS int) AS REQUESTID
FROM sys.dm_exec_sessions AS s LEFT JOIN sys.dm_exec_requests AS r ON r.session_id = s.session_id
WHERE @loginame IS NULL OR s.login_name = @loginame OR (@loginame = 'active' AND s.status <> 'sleeping') OR CAST(s.session_id AS nvarchar(10)) = @loginame
ORDER BY s.session_id
GO
CREATE PROCEDURE sys.sp_lock @spid1 int = NULL, @spid2 int = NULL AS
SELECT CAST(l.request_session_id AS smallint) AS spid, CAST(l.resource_database_id AS smallint) AS dbid, CAST(0 AS int) AS ObjId, CAST(0 AS smallint) AS IndId, CAST(CASE l.resource_type WHEN 'DATABASE' THEN 'DB' ELSE 'TAB' END AS nvarchar(4)) AS Type,
    CAST('' AS nvarchar(32)) AS Resource, CAST(l.request_mode AS nvarchar(8)) AS Mode, CAST(l.request_status AS nvarchar(5)) AS Status
FROM sys.dm_tran_locks AS l WHERE @spid1 IS NULL OR l.request_session_id IN (@spid1, @spid2)
ORDER BY l.request_session_id
GO
CREATE PROCEDURE sys.sp_spaceused @objname nvarchar(776) = NULL, @updateusage varchar(5) = 'false', @mode varchar(11) = 'ALL', @oneresultset bit = 0, @include_total_xtp_storage bit = 0 AS
DECLARE @id int, @pages bigint
IF @objname IS NOT NULL
BEGIN
    SET @id = OBJECT_ID(@objname)
    IF @id IS NULL
    BEGIN
        EXEC sys.sp_raise_message 15009, 16, @objname
        RETURN 1
    END
    SELECT o.name, CAST(r.rows AS char(20)) AS rows, CAST(CAST(r.pages * 8 AS varchar(15)) + ' KB' AS varchar(18)) AS reserved, CAST(CAST(r.pages * 8 AS varchar(15)) + ' KB' AS varchar(18)) AS data,
        CAST('0 KB' AS varchar(18)) AS index_size, CAST('0 KB' AS varchar(18)) AS unused
    FROM sys.objects AS o JOIN sys.table_rows AS r ON r.object_id = o.object_id WHERE o.object_id = @id
    RETURN 0
END
SELECT DB_NAME() AS database_name, CAST(CAST(CAST(SUM(CAST(f.size AS bigint)) * 8 AS decimal(18, 2)) / 1024 AS decimal(15, 2)) AS varchar(15)) + ' MB' AS database_size, CAST('0.00 MB' AS varchar(18)) AS [unallocated space]
FROM sys.database_files AS f
SELECT @pages = SUM(CAST(f.size AS bigint)) FROM sys.database_files AS f WHERE f.type = 0
SELECT CAST(CAST(@pages * 8 AS varchar(15)) + ' KB' AS varchar(18)) AS reserved, CAST(CAST(@pages * 8 AS varchar(15)) + ' KB' AS varchar(18)) AS data, CAST('0 KB' AS varchar(18)) AS index_size, CAST('0 KB' AS varchar(18)) AS unused
RETURN 0
GO
CREATE PROCEDURE sys.sp_helpfile @filename sysname = NULL AS
SELECT f.name, CAST(f.file_id AS smallint) AS fileid, CAST(f.physical_name AS nchar(260)) AS filename, CAST(CASE f.type WHEN 0 THEN 'PRIMARY' END AS sysname) AS filegroup, CAST(CAST(CAST(f.size AS bigint) * 8 AS varchar(15)) + ' KB' AS nvarchar(18)) AS size,
    CAST('Unlimited' AS nvarchar(18)) AS maxsize, CAST(CAST(CAST(f.growth AS bigint) * 8 AS varchar(15)) + ' KB' AS nvarchar(18)) AS growth, CAST(CASE f.type WHEN 0 THEN 'data only' ELSE 'log only' END AS varchar(9)) AS usage
FROM sys.database_files AS f WHERE @filename IS NULL OR f.name = @filename ORDER BY f.file_id
GO
CREATE PROCEDURE sys.sp_helpfilegroup @filegroupname sysname = NULL AS
SELECT g.name AS groupname, CAST(g.data_space_id AS smallint) AS groupid, CAST(1 AS int) AS filecount FROM sys.filegroups AS g WHERE @filegroupname IS NULL OR g.name = @filegroupname
GO
CREATE PROCEDURE sys.sp_helprole @rolename sysname = NULL AS
SELECT p.name AS RoleName, CAST(p.principal_id AS smallint) AS RoleId, CAST(0 AS int) AS IsAppRole FROM sys.database_principals AS p WHERE p.type = 'R' AND (@rolename IS NULL OR p.name = @rolename)
GO
CREATE PROCEDURE sys.sp_helprolemember @rolename sysname = NULL AS
SELECT r.name AS DbRole, m.name AS MemberName, m.sid AS MemberSID
FROM sys.database_role_members AS x JOIN sys.database_principals AS r ON r.principal_id = x.role_principal_id JOIN sys.database_principals AS m ON m.principal_id = x.member_principal_id
WHERE @rolename IS NULL OR r.name = @rolename ORDER BY r.name, m.name
GO
CREATE PROCEDURE sys.sp_helpsrvrole @srvrolename sysname = NULL AS
SELECT p.name AS ServerRole, CAST(CASE p.name WHEN 'sysadmin' THEN 'System Administrators' WHEN 'securityadmin' THEN 'Security Administrators' WHEN 'serveradmin' THEN 'Server Administrators' WHEN 'setupadmin' THEN 'Setup Administrators'
    WHEN 'processadmin' THEN 'Process Administrators' WHEN 'diskadmin' THEN 'Disk Administrators' WHEN 'dbcreator' THEN 'Database Creators' WHEN 'bulkadmin' THEN 'Bulk Insert Administrators' END AS sysname) AS Description
FROM sys.server_principals AS p WHERE p.type = 'R' AND p.is_fixed_role = 1 AND (@srvrolename IS NULL OR p.name = @srvrolename)
GO
CREATE PROCEDURE sys.sp_helpsrvrolemember @srvrolename sysname = NULL AS
SELECT r.name AS ServerRole, m.name AS MemberName, m.sid AS MemberSID
FROM sys.server_role_members AS x JOIN sys.server_principals AS r ON r.principal_id = x.role_principal_id JOIN sys.server_principals AS m ON m.principal_id = x.member_principal_id
WHERE @srvrolename IS NULL OR r.name = @srvrolename ORDER BY r.name, m.name
GO
CREATE PROCEDURE sys.sp_helplogins @LoginNamePattern sysname = NULL AS
SELECT p.name AS LoginName, p.sid AS SID, p.default_database_name AS DefDBName, p.default_language_name AS DefLangName, CAST(CASE WHEN u.name IS NULL THEN 'NO' ELSE 'yes' END AS char(5)) AS AUser, CAST('no' AS char(7)) AS ARemote
FROM sys.server_principals AS p LEFT JOIN sys.database_principals AS u ON u.sid = p.sid WHERE p.type = 'S' AND (@LoginNamePattern IS NULL OR p.name = @LoginNamePattern) ORDER BY p.name
SELECT p.name AS LoginName, DB_NAME() AS DBName, u.name AS UserName, CAST('User' AS char(8)) AS UserOrAlias
FROM sys.server_principals AS p JOIN sys.database_principals AS u ON u.sid = p.sid WHERE p.type = 'S' AND (@LoginNamePattern IS NULL OR p.name = @LoginNamePattern) ORDER BY p.name
GO
CREATE PROCEDURE sys.sp_helplanguage @language sysname = NULL AS
SELECT * FROM sys.syslanguages WHERE @language IS NULL OR name = @language OR alias = @language
GO
CREATE PROCEDURE sys.sp_helpsort AS
SELECT CAST('Latin1-General, case-insensitive, accent-sensitive, kanatype-insensitive, width-insensitive for Unicode Data, SQL Server Sort Order 52 on Code Page 1252 for non-Unicode Data' AS nvarchar(1000)) AS [Server default collation]
GO
CREATE PROCEDURE sys.sp_helpserver @server sysname = NULL AS
SELECT s.name, s.data_source AS network_name, CAST('rpc,rpc out,use remote collation' AS varchar(70)) AS status, CAST(s.server_id AS char(4)) AS id, CAST(NULL AS sysname) AS collation_name, CAST(0 AS int) AS connect_timeout, CAST(0 AS int) AS query_timeout
FROM sys.servers AS s WHERE @server IS NULL OR s.name = @server
GO
CREATE PROCEDURE sys.sp_linkedservers AS
SELECT s.name AS SRV_NAME, s.provider AS SRV_PROVIDERNAME, s.product AS SRV_PRODUCT, s.data_source AS SRV_DATASOURCE, CAST(NULL AS nvarchar(4000)) AS SRV_PROVIDERSTRING, CAST(NULL AS nvarchar(4000)) AS SRV_LOCATION, CAST(NULL AS sysname) AS SRV_CAT FROM sys.servers AS s
GO
CREATE PROCEDURE sys.sp_helptrigger @tabname nvarchar(776), @triggertype char(6) = NULL AS
IF OBJECT_ID(@tabname) IS NULL
BEGIN
    EXEC sys.sp_raise_message 15009, 16, @tabname
    RETURN 1
END
SELECT t.name AS trigger_name, CAST('dbo' AS sysname) AS trigger_owner, CAST(0 AS int) AS isupdate, CAST(0 AS int) AS isdelete, CAST(0 AS int) AS isinsert, CAST(0 AS int) AS isafter, CAST(0 AS int) AS isinsteadof, CAST('dbo' AS sysname) AS trigger_schema
FROM sys.triggers AS t WHERE t.parent_id = OBJECT_ID(@tabname)
RETURN 0
GO
CREATE PROCEDURE sys.sp_depends @objname nvarchar(776) AS
DECLARE @id int
SET @id = OBJECT_ID(@objname)
IF @id IS NULL
BEGIN
    EXEC sys.sp_raise_message 15009, 16, @objname
    RETURN 1
END
IF EXISTS (SELECT 1 FROM sys.module_names WHERE referencing_id = @id)
    SELECT CAST(SCHEMA_NAME(o.schema_id) + '.' + o.name AS nvarchar(257)) AS name, CAST(LOWER(REPLACE(o.type_desc, '_', ' ')) AS nvarchar(66)) AS type, CAST('no' AS varchar(7)) AS updated, CAST('yes' AS varchar(8)) AS selected, CAST(NULL AS sysname) AS [column]
    FROM sys.module_names AS d JOIN sys.objects AS o ON o.object_id = d.referenced_id WHERE d.referencing_id = @id
IF EXISTS (SELECT 1 FROM sys.module_names WHERE referenced_id = @id)
    SELECT CAST(SCHEMA_NAME(o.schema_id) + '.' + o.name AS nvarchar(257)) AS name, CAST(LOWER(REPLACE(o.type_desc, '_', ' ')) AS nvarchar(66)) AS type
    FROM sys.module_names AS d JOIN sys.objects AS o ON o.object_id = d.referencing_id WHERE d.referenced_id = @id
RETURN 0
GO
CREATE PROCEDURE sys.sp_table_privileges @table_name nvarchar(384), @table_owner nvarchar(384) = NULL, @table_qualifier sysname = NULL, @fUsePattern bit = 1 AS
SELECT p.TABLE_CATALOG AS TABLE_QUALIFIER, p.TABLE_SCHEMA AS TABLE_OWNER, p.TABLE_NAME, p.GRANTOR, p.GRANTEE, CAST(p.PRIVILEGE_TYPE AS varchar(32)) AS PRIVILEGE, p.IS_GRANTABLE
FROM INFORMATION_SCHEMA.TABLE_PRIVILEGES AS p WHERE p.TABLE_NAME LIKE @table_name AND (@table_owner IS NULL OR p.TABLE_SCHEMA LIKE @table_owner) ORDER BY p.TABLE_SCHEMA, p.TABLE_NAME, p.PRIVILEGE_TYPE
GO
CREATE PROCEDURE sys.sp_column_privileges @table_name sysname, @table_owner sysname = NULL, @table_qualifier sysname = NULL, @column_name nvarchar(384) = NULL AS
SELECT p.TABLE_CATALOG AS TABLE_QUALIFIER, p.TABLE_SCHEMA AS TABLE_OWNER, p.TABLE_NAME, p.COLUMN_NAME, p.GRANTOR, p.GRANTEE, CAST(p.PRIVILEGE_TYPE AS varchar(32)) AS PRIVILEGE, p.IS_GRANTABLE
FROM INFORMATION_SCHEMA.COLUMN_PRIVILEGES AS p WHERE p.TABLE_NAME = @table_name AND (@table_owner IS NULL OR p.TABLE_SCHEMA = @table_owner) AND (@column_name IS NULL OR p.COLUMN_NAME LIKE @column_name)
ORDER BY p.TABLE_SCHEMA, p.TABLE_NAME, p.COLUMN_NAME, p.PRIVILEGE_TYPE
GO
CREATE PROCEDURE sys.sp_recompile @objname nvarchar(776) AS
IF OBJECT_ID(@objname) IS NULL
BEGIN
    EXEC sys.sp_raise_message 15009, 16, @objname
    RETURN 1
END
PRINT 'Object ''' + @objname + ''' was successfully marked for recompilation.'
RETURN 0
GO
CREATE PROCEDURE sys.sp_updatestats @resample char(8) = 'NO' AS
PRINT 'Statistics for all tables have been updated.'
RETURN 0
GO
CREATE PROCEDURE sys.sp_addlogin @loginame sysname, @passwd sysname = NULL, @defdb sysname = 'master', @deflanguage sysname = NULL, @sid varbinary(16) = NULL, @encryptopt varchar(20) = NULL AS
DECLARE @s nvarchar(max)
SET @s = 'CREATE LOGIN ' + QUOTENAME(@loginame) + ' WITH PASSWORD = N''' + REPLACE(COALESCE(@passwd, ''), '''', '''''') + ''', DEFAULT_DATABASE = ' + QUOTENAME(COALESCE(@defdb, 'master')) + ', CHECK_POLICY = OFF'
EXEC (@s)
GO
CREATE PROCEDURE sys.sp_droplogin @loginame sysname AS
DECLARE @s nvarchar(max)
SET @s = 'DROP LOGIN ' + QUOTENAME(@loginame)
EXEC (@s)
GO
CREATE PROCEDURE sys.sp_defaultdb @loginame sysname, @defdb sysname AS
DECLARE @s nvarchar(max)
SET @s = 'ALTER LOGIN ' + QUOTENAME(@loginame) + ' WITH DEFAULT_DATABASE = ' + QUOTENAME(@defdb)
EXEC (@s)
GO
CREATE PROCEDURE sys.sp_password @old sysname = NULL, @new sysname, @loginame sysname = NULL AS
DECLARE @s nvarchar(max)
SET @s = 'ALTER LOGIN ' + QUOTENAME(COALESCE(@loginame, SUSER_SNAME())) + ' WITH PASSWORD = N''' + REPLACE(@new, '''', '''''') + '''' + COALESCE(' OLD_PASSWORD = N''' + REPLACE(@old, '''', '''''') + '''', '')
EXEC (@s)
GO
CREATE PROCEDURE sys.sp_grantdbaccess @loginame sysname, @name_in_db sysname = NULL AS
DECLARE @s nvarchar(max)
SET @s = 'CREATE USER ' + QUOTENAME(COALESCE(@name_in_db, @loginame)) + ' FOR LOGIN ' + QUOTENAME(@loginame)
EXEC (@s)
GO
CREATE PROCEDURE sys.sp_adduser @loginame sysname, @name_in_db sysname = NULL, @grpname sysname = NULL AS
EXEC sys.sp_grantdbaccess @loginame, @name_in_db
IF @grpname IS NOT NULL
BEGIN
    DECLARE @u sysname
    SET @u = COALESCE(@name_in_db, @loginame)
    EXEC sys.sp_addrolemember @grpname, @u
END
GO
CREATE PROCEDURE sys.sp_revokedbaccess @name_in_db sysname AS
DECLARE @s nvarchar(max)
SET @s = 'DROP USER ' + QUOTENAME(@name_in_db)
EXEC (@s)
GO
CREATE PROCEDURE sys.sp_dropuser @name_in_db sysname AS
EXEC sys.sp_revokedbaccess @name_in_db
GO
CREATE PROCEDURE sys.sp_addrole @rolename sysname, @ownername sysname = NULL AS
DECLARE @s nvarchar(max)
SET @s = 'CREATE ROLE ' + QUOTENAME(@rolename)
EXEC (@s)
GO
CREATE PROCEDURE sys.sp_droprole @rolename sysname AS
DECLARE @s nvarchar(max)
SET @s = 'DROP ROLE ' + QUOTENAME(@rolename)
EXEC (@s)
GO
CREATE PROCEDURE sys.sp_addrolemember @rolename sysname, @membername sysname AS
DECLARE @s nvarchar(max)
SET @s = 'ALTER ROLE ' + QUOTENAME(@rolename) + ' ADD MEMBER ' + QUOTENAME(@membername)
EXEC (@s)
GO
CREATE PROCEDURE sys.sp_droprolemember @rolename sysname, @membername sysname AS
DECLARE @s nvarchar(max)
SET @s = 'ALTER ROLE ' + QUOTENAME(@rolename) + ' DROP MEMBER ' + QUOTENAME(@membername)
EXEC (@s)
GO
CREATE PROCEDURE sys.sp_addsrvrolemember @loginame sysname, @rolename sysname AS
DECLARE @s nvarchar(max)
SET @s = 'ALTER SERVER ROLE ' + QUOTENAME(@rolename) + ' ADD MEMBER ' + QUOTENAME(@loginame)
EXEC (@s)
GO
CREATE PROCEDURE sys.sp_dropsrvrolemember @loginame sysname, @rolename sysname AS
DECLARE @s nvarchar(max)
SET @s = 'ALTER SERVER ROLE ' + QUOTENAME(@rolename) + ' DROP MEMBER ' + QUOTENAME(@loginame)
EXEC (@s)
GO
CREATE PROCEDURE sys.sp_changedbowner @loginame sysname, @map varchar(5) = NULL AS
DECLARE @s nvarchar(max)
SET @s = 'ALTER AUTHORIZATION ON DATABASE::' + QUOTENAME(DB_NAME()) + ' TO ' + QUOTENAME(@loginame)
EXEC (@s)
GO
CREATE PROCEDURE sys.sp_renamedb @dbname sysname, @newname sysname AS
DECLARE @s nvarchar(max)
SET @s = 'ALTER DATABASE ' + QUOTENAME(@dbname) + ' MODIFY NAME = ' + QUOTENAME(@newname)
EXEC (@s)
GO
CREATE PROCEDURE sys.sp_dbcmptlevel @dbname sysname = NULL, @new_cmptlevel tinyint = NULL AS
DECLARE @s nvarchar(max)
SET @s = 'ALTER DATABASE ' + QUOTENAME(@dbname) + ' SET COMPATIBILITY_LEVEL = ' + CAST(@new_cmptlevel AS varchar(5))
EXEC (@s)
GO
CREATE PROCEDURE sys.sp_MSforeachtable @command1 nvarchar(2000), @replacechar nchar(1) = N'?', @command2 nvarchar(2000) = NULL, @command3 nvarchar(2000) = NULL, @whereand nvarchar(2000) = NULL, @precommand nvarchar(2000) = NULL, @postcommand nvarchar(2000) = NULL AS
DECLARE @t TABLE (n int IDENTITY(1, 1), name nvarchar(520))
DECLARE @n int, @name nvarchar(520), @s nvarchar(max)
IF @whereand IS NOT NULL
BEGIN
    EXEC sys.sp_raise_message 40510, 16, 'sp_MSforeachtable @whereand'
    RETURN 1
END
INSERT INTO @t (name) SELECT QUOTENAME(SCHEMA_NAME(o.schema_id)) + '.' + QUOTENAME(o.name) FROM sys.tables AS o ORDER BY o.object_id
IF @precommand IS NOT NULL EXEC (@precommand)
SET @n = 1
WHILE @n <= (SELECT COUNT(*) FROM @t)
BEGIN
    SELECT @name = name FROM @t WHERE n = @n
    SET @s = REPLACE(@command1, @replacechar, @name)
    EXEC (@s)
    IF @command2 IS NOT NULL
    BEGIN
        SET @s = REPLACE(@command2, @replacechar, @name)
        EXEC (@s)
    END
    IF @command3 IS NOT NULL
    BEGIN
        SET @s = REPLACE(@command3, @replacechar, @name)
        EXEC (@s)
    END
    SET @n = @n + 1
END
IF @postcommand IS NOT NULL EXEC (@postcommand)
RETURN 0
GO
CREATE PROCEDURE sys.sp_MSforeachdb @command1 nvarchar(2000), @replacechar nchar(1) = N'?', @command2 nvarchar(2000) = NULL, @command3 nvarchar(2000) = NULL, @precommand nvarchar(2000) = NULL, @postcommand nvarchar(2000) = NULL AS
DECLARE @t TABLE (n int IDENTITY(1, 1), name sysname)
DECLARE @n int, @name sysname, @s nvarchar(max)
INSERT INTO @t (name) SELECT d.name FROM sys.databases AS d WHERE d.state = 0 AND HAS_DBACCESS(d.name) = 1 ORDER BY d.database_id
IF @precommand IS NOT NULL EXEC (@precommand)
SET @n = 1
WHILE @n <= (SELECT COUNT(*) FROM @t)
BEGIN
    SELECT @name = name FROM @t WHERE n = @n
    SET @s = REPLACE(@command1, @replacechar, @name)
    EXEC (@s)
    IF @command2 IS NOT NULL
    BEGIN
        SET @s = REPLACE(@command2, @replacechar, @name)
        EXEC (@s)
    END
    SET @n = @n + 1
END
IF @postcommand IS NOT NULL EXEC (@postcommand)
RETURN 0
GO
CREATE PROCEDURE sys.xp_msver @optname sysname = NULL AS
SELECT CAST(v.id AS smallint) AS [Index], CAST(v.name AS nvarchar(32)) AS Name, CAST(v.number AS int) AS Internal_Value, CAST(v.text AS nvarchar(512)) AS Character_Value
FROM (VALUES (1, 'ProductName', NULL, 'Microsoft SQL Server'), (2, 'ProductVersion', 1048576, CAST(SERVERPROPERTY('ProductVersion') AS varchar(128))), (3, 'Language', 1033, 'English (United States)'), (4, 'Platform', NULL, 'NT x64'),
    (15, 'WindowsVersion', 0, NULL), (16, 'ProcessorCount', 1, '1'), (19, 'PhysicalMemory', 0, NULL)) AS v(id, name, number, text)
WHERE @optname IS NULL OR v.name = @optname ORDER BY v.id
