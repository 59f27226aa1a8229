USE msdb;
CREATE TABLE dbo.backupmediaset(
    media_set_id int IDENTITY(1, 1) NOT NULL CONSTRAINT PK_backupmediaset PRIMARY KEY,
    media_uuid uniqueidentifier NULL,
    media_family_count tinyint NULL,
    name nvarchar(128) NULL,
    description nvarchar(255) NULL,
    software_name nvarchar(128) NULL,
    software_vendor_id int NULL,
    MTF_major_version tinyint NULL,
    mirror_count tinyint NULL,
    is_password_protected bit NULL,
    is_compressed bit NULL,
    is_encrypted bit NULL
);
CREATE TABLE dbo.backupset(
    backup_set_id int IDENTITY(1, 1) NOT NULL CONSTRAINT PK_backupset PRIMARY KEY,
    backup_set_uuid uniqueidentifier NOT NULL,
    media_set_id int NOT NULL,
    first_family_number tinyint NULL,
    first_media_number smallint NULL,
    last_family_number tinyint NULL,
    last_media_number smallint NULL,
    catalog_family_number tinyint NULL,
    catalog_media_number smallint NULL,
    position int NULL,
    expiration_date datetime NULL,
    software_vendor_id int NULL,
    name nvarchar(128) NULL,
    description nvarchar(255) NULL,
    user_name nvarchar(128) NULL,
    software_major_version tinyint NULL,
    software_minor_version tinyint NULL,
    software_build_version smallint NULL,
    time_zone smallint NULL,
    first_lsn numeric(25, 0) NULL,
    last_lsn numeric(25, 0) NULL,
    checkpoint_lsn numeric(25, 0) NULL,
    database_backup_lsn numeric(25, 0) NULL,
    database_creation_date datetime NULL,
    backup_start_date datetime NULL,
    backup_finish_date datetime NULL,
    type char(1) NULL,
    sort_order smallint NULL,
    code_page smallint NULL,
    compatibility_level tinyint NULL,
    database_version int NULL,
    backup_size numeric(20, 0) NULL,
    database_name nvarchar(128) NULL,
    server_name nvarchar(128) NULL,
    machine_name nvarchar(128) NULL,
    flags int NULL,
    unicode_locale int NULL,
    unicode_compare_style int NULL,
    collation_name nvarchar(128) NULL,
    is_password_protected bit NULL,
    recovery_model nvarchar(60) NULL,
    has_bulk_logged_data bit NULL,
    is_snapshot bit NULL,
    is_readonly bit NULL,
    is_single_user bit NULL,
    has_backup_checksums bit NULL,
    is_damaged bit NULL,
    begins_log_chain bit NULL,
    has_incomplete_metadata bit NULL,
    is_force_offline bit NULL,
    is_copy_only bit NULL,
    first_recovery_fork_guid uniqueidentifier NULL,
    last_recovery_fork_guid uniqueidentifier NULL,
    fork_point_lsn numeric(25, 0) NULL,
    database_guid uniqueidentifier NULL,
    family_guid uniqueidentifier NULL,
    differential_base_lsn numeric(25, 0) NULL,
    differential_base_guid uniqueidentifier NULL,
    compressed_backup_size numeric(20, 0) NULL,
    key_algorithm nvarchar(32) NULL,
    encryptor_thumbprint varbinary(20) NULL,
    encryptor_type nvarchar(32) NULL
);
CREATE TABLE dbo.backupmediafamily(
    media_set_id int NOT NULL,
    family_sequence_number tinyint NOT NULL,
    media_family_id uniqueidentifier NULL,
    media_count int NULL,
    logical_device_name nvarchar(128) NULL,
    physical_device_name nvarchar(260) NULL,
    device_type tinyint NULL,
    physical_block_size int NULL,
    mirror tinyint NOT NULL CONSTRAINT DF_backupmediafamily_mirror DEFAULT 0,
    CONSTRAINT PK_backupmediafamily PRIMARY KEY(media_set_id, family_sequence_number)
);
CREATE TABLE dbo.restorehistory(
    restore_history_id int IDENTITY(1, 1) NOT NULL CONSTRAINT PK_restorehistory PRIMARY KEY,
    restore_date datetime NULL,
    destination_database_name nvarchar(128) NULL,
    user_name nvarchar(128) NULL,
    backup_set_id int NULL,
    restore_type char(1) NULL,
    replace bit NULL,
    recovery bit NULL,
    restart bit NULL,
    stop_at datetime NULL,
    device_count tinyint NULL,
    stop_at_mark_name nvarchar(128) NULL,
    stop_before bit NULL
);
-- The Agent's jobs: there is no Agent, but what is written here can be read, as maintenance scripts and tools do.
CREATE TABLE dbo.sysjobs(
    job_id uniqueidentifier NOT NULL CONSTRAINT PK_sysjobs PRIMARY KEY,
    originating_server_id int NOT NULL CONSTRAINT DF_sysjobs_server DEFAULT 0,
    name sysname NOT NULL,
    enabled tinyint NOT NULL,
    description nvarchar(512) NULL,
    start_step_id int NOT NULL CONSTRAINT DF_sysjobs_start DEFAULT 1,
    category_id int NOT NULL CONSTRAINT DF_sysjobs_category DEFAULT 0,
    owner_sid varbinary(85) NOT NULL CONSTRAINT DF_sysjobs_owner DEFAULT 0x01,
    date_created datetime NOT NULL CONSTRAINT DF_sysjobs_created DEFAULT GETDATE(),
    date_modified datetime NOT NULL CONSTRAINT DF_sysjobs_modified DEFAULT GETDATE(),
    version_number int NOT NULL CONSTRAINT DF_sysjobs_version DEFAULT 1
);
CREATE TABLE dbo.sysjobsteps(
    job_id uniqueidentifier NOT NULL,
    step_id int NOT NULL,
    step_name sysname NOT NULL,
    subsystem nvarchar(40) NOT NULL,
    command nvarchar(max) NULL,
    flags int NOT NULL CONSTRAINT DF_sysjobsteps_flags DEFAULT 0,
    cmdexec_success_code int NOT NULL CONSTRAINT DF_sysjobsteps_code DEFAULT 0,
    on_success_action tinyint NOT NULL CONSTRAINT DF_sysjobsteps_success DEFAULT 1,
    on_success_step_id int NOT NULL CONSTRAINT DF_sysjobsteps_success_step DEFAULT 0,
    on_fail_action tinyint NOT NULL CONSTRAINT DF_sysjobsteps_fail DEFAULT 2,
    on_fail_step_id int NOT NULL CONSTRAINT DF_sysjobsteps_fail_step DEFAULT 0,
    server sysname NULL,
    database_name sysname NULL,
    database_user_name sysname NULL,
    retry_attempts int NOT NULL CONSTRAINT DF_sysjobsteps_attempts DEFAULT 0,
    retry_interval int NOT NULL CONSTRAINT DF_sysjobsteps_interval DEFAULT 0,
    os_run_priority int NOT NULL CONSTRAINT DF_sysjobsteps_priority DEFAULT 0,
    output_file_name nvarchar(200) NULL,
    proxy_id int NULL,
    CONSTRAINT PK_sysjobsteps PRIMARY KEY(job_id, step_id)
);
CREATE TABLE dbo.sysjobschedules(
    schedule_id int NULL,
    job_id uniqueidentifier NULL,
    next_run_date int NOT NULL CONSTRAINT DF_sysjobschedules_date DEFAULT 0,
    next_run_time int NOT NULL CONSTRAINT DF_sysjobschedules_time DEFAULT 0
);
CREATE TABLE dbo.sysschedules(
    schedule_id int IDENTITY(1, 1) NOT NULL CONSTRAINT PK_sysschedules PRIMARY KEY,
    schedule_uid uniqueidentifier NOT NULL CONSTRAINT DF_sysschedules_uid DEFAULT NEWID(),
    originating_server_id int NOT NULL CONSTRAINT DF_sysschedules_server DEFAULT 0,
    name sysname NOT NULL,
    owner_sid varbinary(85) NOT NULL CONSTRAINT DF_sysschedules_owner DEFAULT 0x01,
    enabled int NOT NULL,
    freq_type int NOT NULL,
    freq_interval int NOT NULL,
    freq_subday_type int NOT NULL,
    freq_subday_interval int NOT NULL,
    freq_relative_interval int NOT NULL,
    freq_recurrence_factor int NOT NULL,
    active_start_date int NOT NULL,
    active_end_date int NOT NULL,
    active_start_time int NOT NULL,
    active_end_time int NOT NULL,
    date_created datetime NOT NULL CONSTRAINT DF_sysschedules_created DEFAULT GETDATE(),
    date_modified datetime NOT NULL CONSTRAINT DF_sysschedules_modified DEFAULT GETDATE(),
    version_number int NOT NULL CONSTRAINT DF_sysschedules_version DEFAULT 1
);
CREATE TABLE dbo.sysjobservers(
    job_id uniqueidentifier NOT NULL,
    server_id int NOT NULL,
    last_run_outcome tinyint NOT NULL CONSTRAINT DF_sysjobservers_outcome DEFAULT 5,
    last_outcome_message nvarchar(4000) NULL,
    last_run_date int NOT NULL CONSTRAINT DF_sysjobservers_date DEFAULT 0,
    last_run_time int NOT NULL CONSTRAINT DF_sysjobservers_time DEFAULT 0,
    last_run_duration int NOT NULL CONSTRAINT DF_sysjobservers_duration DEFAULT 0
);
CREATE TABLE dbo.syscategories(
    category_id int IDENTITY(100, 1) NOT NULL CONSTRAINT PK_syscategories PRIMARY KEY,
    category_class int NOT NULL,
    category_type tinyint NOT NULL,
    name sysname NOT NULL
);
SET IDENTITY_INSERT dbo.syscategories ON;
INSERT INTO dbo.syscategories(category_id, category_class, category_type, name) VALUES
    (0, 1, 1, N'[Uncategorized (Local)]'), (1, 1, 1, N'Jobs from MSX'), (2, 1, 2, N'[Uncategorized (Multi-Server)]'),
    (3, 1, 1, N'Database Maintenance'), (98, 2, 3, N'[Uncategorized]'), (99, 3, 3, N'[Uncategorized]');
SET IDENTITY_INSERT dbo.syscategories OFF;
GO
CREATE PROCEDURE dbo.sp_add_category @class varchar(8) = 'JOB', @type varchar(12) = 'LOCAL', @name sysname AS
IF EXISTS (SELECT 1 FROM msdb.dbo.syscategories WHERE name = @name AND category_class = 1)
BEGIN
    RAISERROR('The specified %s (''%s'') already exists.', 16, 1, '@name', @name)
    RETURN 1
END
INSERT INTO msdb.dbo.syscategories(category_class, category_type, name) VALUES(1, 1, @name)
RETURN 0
GO
CREATE PROCEDURE dbo.sp_add_job @job_name sysname, @enabled tinyint = 1, @description nvarchar(512) = NULL, @start_step_id int = 1, @category_name sysname = NULL,
    @category_id int = NULL, @owner_login_name sysname = NULL, @notify_level_eventlog int = 2, @notify_level_email int = 0, @delete_level int = 0, @job_id uniqueidentifier = NULL OUTPUT AS
DECLARE @owner varbinary(85), @category int
IF EXISTS (SELECT 1 FROM msdb.dbo.sysjobs WHERE name = @job_name)
BEGIN
    RAISERROR('The specified %s (''%s'') already exists.', 16, 1, '@job_name', @job_name)
    RETURN 1
END
SET @owner = CASE WHEN @owner_login_name IS NULL THEN SUSER_SID() ELSE SUSER_SID(@owner_login_name) END
IF @owner IS NULL
BEGIN
    RAISERROR('The specified ''%s'' is invalid (valid values are returned by %s).', 16, 1, '@owner_login_name', 'sp_helplogins')
    RETURN 1
END
SET @category = COALESCE(@category_id, 0)
IF @category_name IS NOT NULL
BEGIN
    SET @category = (SELECT category_id FROM msdb.dbo.syscategories WHERE name = @category_name AND category_class = 1)
    IF @category IS NULL
    BEGIN
        RAISERROR('The specified %s (''%s'') does not exist.', 16, 1, '@category_name', @category_name)
        RETURN 1
    END
END
SET @job_id = NEWID()
INSERT INTO msdb.dbo.sysjobs(job_id, name, enabled, description, start_step_id, category_id, owner_sid)
VALUES(@job_id, @job_name, @enabled, COALESCE(@description, N'No description available.'), @start_step_id, @category, @owner)
RETURN 0
GO
CREATE PROCEDURE dbo.sp_update_job @job_id uniqueidentifier = NULL, @job_name sysname = NULL, @new_name sysname = NULL, @enabled tinyint = NULL, @description nvarchar(512) = NULL, @start_step_id int = NULL AS
DECLARE @id uniqueidentifier
SET @id = (SELECT job_id FROM msdb.dbo.sysjobs WHERE job_id = @job_id OR name = @job_name)
IF @id IS NULL
BEGIN
    RAISERROR('The specified %s (''%s'') does not exist.', 16, 1, '@job_name', @job_name)
    RETURN 1
END
UPDATE msdb.dbo.sysjobs SET name = COALESCE(@new_name, name), enabled = COALESCE(@enabled, enabled), description = COALESCE(@description, description),
    start_step_id = COALESCE(@start_step_id, start_step_id), date_modified = GETDATE(), version_number = version_number + 1 WHERE job_id = @id
RETURN 0
GO
CREATE PROCEDURE dbo.sp_add_jobstep @job_id uniqueidentifier = NULL, @job_name sysname = NULL, @step_id int = NULL, @step_name sysname, @subsystem nvarchar(40) = N'TSQL', @command nvarchar(max) = NULL,
    @on_success_action tinyint = 1, @on_success_step_id int = 0, @on_fail_action tinyint = 2, @on_fail_step_id int = 0, @server sysname = NULL, @database_name sysname = NULL, @database_user_name sysname = NULL,
    @retry_attempts int = 0, @retry_interval int = 0, @os_run_priority int = 0, @output_file_name nvarchar(200) = NULL, @flags int = 0 AS
DECLARE @id uniqueidentifier
SET @id = (SELECT job_id FROM msdb.dbo.sysjobs WHERE job_id = @job_id OR name = @job_name)
IF @id IS NULL
BEGIN
    RAISERROR('The specified %s (''%s'') does not exist.', 16, 1, '@job_name', @job_name)
    RETURN 1
END
IF @step_id IS NULL SET @step_id = (SELECT COALESCE(MAX(step_id), 0) + 1 FROM msdb.dbo.sysjobsteps WHERE job_id = @id)
IF @subsystem = N'TSQL' AND @database_name IS NULL SET @database_name = N'master'
INSERT INTO msdb.dbo.sysjobsteps(job_id, step_id, step_name, subsystem, command, flags, on_success_action, on_success_step_id, on_fail_action, on_fail_step_id, server, database_name, database_user_name,
    retry_attempts, retry_interval, os_run_priority, output_file_name)
VALUES(@id, @step_id, @step_name, @subsystem, @command, @flags, @on_success_action, @on_success_step_id, @on_fail_action, @on_fail_step_id, @server, @database_name, @database_user_name,
    @retry_attempts, @retry_interval, @os_run_priority, @output_file_name)
RETURN 0
GO
CREATE PROCEDURE dbo.sp_add_jobschedule @job_id uniqueidentifier = NULL, @job_name sysname = NULL, @name sysname, @enabled tinyint = 1, @freq_type int = 1, @freq_interval int = 0, @freq_subday_type int = 0,
    @freq_subday_interval int = 0, @freq_relative_interval int = 0, @freq_recurrence_factor int = 0, @active_start_date int = NULL, @active_end_date int = 99991231, @active_start_time int = 0, @active_end_time int = 235959 AS
DECLARE @id uniqueidentifier
SET @id = (SELECT job_id FROM msdb.dbo.sysjobs WHERE job_id = @job_id OR name = @job_name)
IF @id IS NULL
BEGIN
    RAISERROR('The specified %s (''%s'') does not exist.', 16, 1, '@job_name', @job_name)
    RETURN 1
END
INSERT INTO msdb.dbo.sysschedules(name, owner_sid, enabled, freq_type, freq_interval, freq_subday_type, freq_subday_interval, freq_relative_interval, freq_recurrence_factor, active_start_date, active_end_date,
    active_start_time, active_end_time)
VALUES(@name, SUSER_SID(), @enabled, @freq_type, @freq_interval, @freq_subday_type, @freq_subday_interval, @freq_relative_interval, @freq_recurrence_factor,
    COALESCE(@active_start_date, CAST(CONVERT(varchar(8), GETDATE(), 112) AS int)), @active_end_date, @active_start_time, @active_end_time)
INSERT INTO msdb.dbo.sysjobschedules(schedule_id, job_id) VALUES(SCOPE_IDENTITY(), @id)
RETURN 0
GO
CREATE PROCEDURE dbo.sp_add_jobserver @job_id uniqueidentifier = NULL, @job_name sysname = NULL, @server_name sysname = NULL AS
DECLARE @id uniqueidentifier
SET @id = (SELECT job_id FROM msdb.dbo.sysjobs WHERE job_id = @job_id OR name = @job_name)
IF @id IS NULL
BEGIN
    RAISERROR('The specified %s (''%s'') does not exist.', 16, 1, '@job_name', @job_name)
    RETURN 1
END
INSERT INTO msdb.dbo.sysjobservers(job_id, server_id) VALUES(@id, 0)
RETURN 0
GO
CREATE PROCEDURE dbo.sp_delete_job @job_id uniqueidentifier = NULL, @job_name sysname = NULL, @delete_history bit = 1, @delete_unused_schedule bit = 1 AS
DECLARE @id uniqueidentifier
SET @id = (SELECT job_id FROM msdb.dbo.sysjobs WHERE job_id = @job_id OR name = @job_name)
IF @id IS NULL
BEGIN
    RAISERROR('The specified %s (''%s'') does not exist.', 16, 1, '@job_name', @job_name)
    RETURN 1
END
IF @delete_unused_schedule = 1
    DELETE FROM msdb.dbo.sysschedules WHERE schedule_id IN (SELECT schedule_id FROM msdb.dbo.sysjobschedules WHERE job_id = @id)
        AND schedule_id NOT IN (SELECT schedule_id FROM msdb.dbo.sysjobschedules WHERE job_id <> @id)
DELETE FROM msdb.dbo.sysjobschedules WHERE job_id = @id
DELETE FROM msdb.dbo.sysjobservers WHERE job_id = @id
DELETE FROM msdb.dbo.sysjobsteps WHERE job_id = @id
DELETE FROM msdb.dbo.sysjobs WHERE job_id = @id
RETURN 0
