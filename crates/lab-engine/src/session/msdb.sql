USE msdb;
CREATE TABLE dbo.backupset(
    backup_set_id int IDENTITY(1, 1) NOT NULL CONSTRAINT PK_backupset PRIMARY KEY,
    backup_set_uuid uniqueidentifier NOT NULL,
    media_set_id int NOT NULL,
    name nvarchar(128) NULL,
    user_name nvarchar(128) NULL,
    first_lsn numeric(25, 0) NULL,
    last_lsn numeric(25, 0) NULL,
    checkpoint_lsn numeric(25, 0) NULL,
    database_backup_lsn numeric(25, 0) NULL,
    database_creation_date datetime NULL,
    backup_start_date datetime NULL,
    backup_finish_date datetime NULL,
    type char(1) NULL,
    compatibility_level tinyint NULL,
    database_version int NULL,
    backup_size numeric(20, 0) NULL,
    compressed_backup_size numeric(20, 0) NULL,
    database_name nvarchar(128) NULL,
    server_name nvarchar(128) NULL,
    machine_name nvarchar(128) NULL,
    recovery_model nvarchar(60) NULL,
    is_copy_only bit NULL,
    has_backup_checksums bit NULL,
    is_damaged bit NULL,
    database_guid uniqueidentifier NULL,
    family_guid uniqueidentifier NULL
);
CREATE TABLE dbo.backupmediafamily(
    media_set_id int NOT NULL,
    family_sequence_number tinyint NOT NULL,
    media_family_id uniqueidentifier NULL,
    physical_device_name nvarchar(260) NULL,
    device_type tinyint NULL,
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
    recovery bit NULL
);
