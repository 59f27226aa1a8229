//! What an instance is asked. Each question is one set-based query over everything of its kind, so that 200 databases cost what one costs.
//!
//! Times come as UTC in ISO 8601, LSNs as decimal text: whatever the driver makes of `datetime` and `numeric(25,0)` does not matter then.
//! Columns that a release does not have are asked of none that lacks them: SQL Server checks names before it runs anything.

use milink_core::facts::version::{Release, ServerVersion};

/// What an instance is, as far as its views depend on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub(super) version: ServerVersion,
    pub(super) managed: bool,
}

impl Kind {
    /// Whether it has what came with a release. A managed instance calls itself 12.0 and has everything.
    pub(super) fn has(self, release: Release) -> bool {
        self.managed || self.version.major() >= release.major()
    }
}

/// A local `datetime` of the server as UTC text.
fn utc(expression: &str) -> String {
    format!(
        "CONVERT(varchar(30), DATEADD(minute, DATEDIFF(minute, SYSDATETIME(), SYSUTCDATETIME()), {expression}), 126)"
    )
}

/// Who the instance is.
pub(super) const SERVER: &str = "SELECT @@SERVERNAME AS server_name,
    CONVERT(nvarchar(128), SERVERPROPERTY('ProductVersion')) AS product_version,
    CONVERT(nvarchar(128), SERVERPROPERTY('Edition')) AS edition,
    CONVERT(int, SERVERPROPERTY('EngineEdition')) AS engine_edition,
    CONVERT(nvarchar(128), SERVERPROPERTY('Collation')) AS collation,
    CONVERT(int, SERVERPROPERTY('IsHadrEnabled')) AS hadr_enabled,
    CONVERT(nvarchar(4000), SERVERPROPERTY('InstanceDefaultBackupPath')) AS backup_folder,
    IS_SRVROLEMEMBER('sysadmin') AS is_sysadmin,
    CASE WHEN OBJECT_ID(N'sys.sp_certificate_add_issuer') IS NULL THEN 0 ELSE 1 END AS can_add_issuers,
    CASE WHEN OBJECT_ID(N'sys.sp_multidb_milink') IS NULL THEN 0 ELSE 1 END AS knows_multi_database";

/// Processors and memory.
pub(super) const HARDWARE: &str = "SELECT CONVERT(int, cpu_count) AS cpu_count,
    CONVERT(bigint, physical_memory_kb) AS memory_kb FROM sys.dm_os_sys_info";

/// Windows or Linux; from SQL Server 2017 on.
pub(super) const PLATFORM: &str = "SELECT host_platform FROM sys.dm_os_host_info";

/// What this login may do on the server.
pub(super) const PERMISSIONS: &str = "SELECT permission_name FROM sys.fn_my_permissions(NULL, 'SERVER')";

/// Trace flags that are on for everybody.
pub(super) const TRACE_FLAGS: &str = "DBCC TRACESTATUS(-1) WITH NO_INFOMSGS";

/// The master key of `master`.
pub(super) const MASTER_KEY: &str =
    "SELECT COUNT(*) AS keys FROM master.sys.symmetric_keys WHERE symmetric_key_id = 101";

/// Whether multiple-database links are opted in.
pub(super) const MULTI_DATABASE: &str = "EXEC sys.sp_multidb_milink";

/// Certificates.
pub(super) fn certificates() -> String {
    format!(
        "SELECT c.name, CONVERT(int, c.certificate_id) AS id, c.subject, c.thumbprint,
            {} AS start_utc, {} AS expiry_utc, CONVERT(varchar(2), c.pvt_key_encryption_type) AS private_key,
            CERTENCODED(c.certificate_id) AS der
         FROM master.sys.certificates AS c WHERE c.name NOT LIKE '##%'",
        // The dates of a certificate are UTC as they are.
        "CONVERT(varchar(30), c.start_date, 126)",
        "CONVERT(varchar(30), c.expiry_date, 126)"
    )
}

/// The mirroring endpoint.
pub(super) const ENDPOINT: &str = "SELECT e.name, e.state_desc, e.role_desc, CONVERT(int, t.port) AS port,
        e.connection_auth_desc, c.name AS certificate, CONVERT(int, e.is_encryption_enabled) AS encrypted,
        e.encryption_algorithm_desc
     FROM sys.database_mirroring_endpoints AS e
     JOIN sys.tcp_endpoints AS t ON t.endpoint_id = e.endpoint_id
     LEFT JOIN master.sys.certificates AS c ON c.certificate_id = e.certificate_id";

/// User databases, with their files, their log chain, their group and their backups.
pub(super) fn databases(kind: Kind) -> String {
    let recovery = if kind.has(Release::V2019) {
        "CONVERT(int, d.is_accelerated_database_recovery_on)"
    } else {
        "CONVERT(int, NULL)"
    };
    let (full, log) = (utc("b.full_finished"), utc("b.log_finished"));
    format!(
        "SELECT d.name, d.state_desc, d.recovery_model_desc, CONVERT(int, d.compatibility_level) AS compatibility_level,
            CONVERT(int, d.is_read_only) AS is_read_only, d.log_reuse_wait_desc,
            CONVERT(int, d.is_encrypted) AS is_encrypted, CONVERT(int, d.is_broker_enabled) AS is_broker_enabled,
            CASE WHEN d.is_published = 1 OR d.is_merge_published = 1 THEN 1 ELSE 0 END AS is_published,
            CONVERT(int, d.is_cdc_enabled) AS is_cdc_enabled, {recovery} AS accelerated_recovery,
            f.all_bytes, f.log_bytes, f.data_files, f.log_files, f.defunct_files, f.stream_files,
            CASE WHEN r.database_id IS NULL THEN NULL WHEN r.last_log_backup_lsn IS NULL THEN 0 ELSE 1 END AS log_chain,
            g.name AS group_name, {full} AS full_utc, CONVERT(int, b.full_checksums) AS full_checksums,
            {log} AS log_utc, CONVERT(int, b.log_checksums) AS log_checksums
         FROM sys.databases AS d
         LEFT JOIN (SELECT database_id, SUM(CONVERT(bigint, size)) * 8192 AS all_bytes,
                SUM(CASE WHEN type = 1 THEN CONVERT(bigint, size) ELSE 0 END) * 8192 AS log_bytes,
                SUM(CASE WHEN type = 0 THEN 1 ELSE 0 END) AS data_files,
                SUM(CASE WHEN type = 1 THEN 1 ELSE 0 END) AS log_files,
                SUM(CASE WHEN type = 2 THEN 1 ELSE 0 END) AS stream_files,
                SUM(CASE WHEN state_desc = 'DEFUNCT' THEN 1 ELSE 0 END) AS defunct_files
            FROM sys.master_files GROUP BY database_id) AS f ON f.database_id = d.database_id
         LEFT JOIN sys.database_recovery_status AS r ON r.database_id = d.database_id
         LEFT JOIN sys.availability_replicas AS a ON a.replica_id = d.replica_id
         LEFT JOIN sys.availability_groups AS g ON g.group_id = a.group_id
         LEFT JOIN (SELECT database_name,
                MAX(CASE WHEN type = 'D' AND is_copy_only = 0 THEN backup_finish_date END) AS full_finished,
                MAX(CASE WHEN type = 'D' AND is_copy_only = 0 THEN CONVERT(int, has_backup_checksums) END) AS full_checksums,
                MAX(CASE WHEN type = 'L' THEN backup_finish_date END) AS log_finished,
                MAX(CASE WHEN type = 'L' THEN CONVERT(int, has_backup_checksums) END) AS log_checksums
            FROM msdb.dbo.backupset GROUP BY database_name) AS b ON b.database_name = d.name
         WHERE d.database_id > 4 AND d.source_database_id IS NULL"
    )
}

/// How full the logs are.
pub(super) const LOG_SPACE: &str = "DBCC SQLPERF(LOGSPACE) WITH NO_INFOMSGS";

/// Transparent data encryption.
pub(super) const ENCRYPTION: &str = "SELECT DB_NAME(database_id) AS name, encryptor_type,
        CONVERT(varchar(128), encryptor_thumbprint, 2) AS thumbprint
     FROM sys.dm_database_encryption_keys";

/// Where the persistent version stores are; from SQL Server 2019 on.
pub(super) const VERSION_STORES: &str =
    "SELECT DB_NAME(database_id) AS name, CONVERT(int, pvs_filegroup_id) AS filegroup
     FROM sys.dm_tran_persistent_version_store_stats";

/// The filegroups of one database that has files of streams.
pub(super) fn stream_filegroups(quoted_database: &str) -> String {
    format!(
        "SELECT SUM(CASE WHEN g.type = 'FX' THEN 1 ELSE 0 END) AS memory_containers,
            SUM(CASE WHEN g.type = 'FD' THEN 1 ELSE 0 END) AS stream_containers,
            (SELECT COUNT(*) FROM {quoted_database}.sys.tables WHERE is_memory_optimized = 1) AS memory_tables
         FROM {quoted_database}.sys.database_files AS f
         JOIN {quoted_database}.sys.filegroups AS g ON g.data_space_id = f.data_space_id WHERE f.type = 2"
    )
}

/// The availability groups with this side's role.
pub(super) fn groups(kind: Kind) -> String {
    let (cluster, required) = if kind.has(Release::V2017) {
        ("g.cluster_type_desc", "g.required_synchronized_secondaries_to_commit")
    } else {
        ("CONVERT(nvarchar(60), NULL)", "CONVERT(int, NULL)")
    };
    format!(
        "SELECT g.name, CONVERT(varchar(36), g.group_id) AS id, CONVERT(int, g.is_distributed) AS is_distributed,
            {cluster} AS cluster_type, CONVERT(int, {required}) AS required_synchronized, s.role_desc
         FROM sys.availability_groups AS g
         LEFT JOIN sys.dm_hadr_availability_replica_states AS s ON s.group_id = g.group_id AND s.is_local = 1"
    )
}

/// Replicas, and members of distributed groups.
pub(super) fn replicas() -> String {
    format!(
        "SELECT CONVERT(varchar(36), r.group_id) AS group_id, r.replica_server_name, r.endpoint_url, r.availability_mode_desc,
            r.seeding_mode_desc, CONVERT(int, s.is_local) AS is_local, s.role_desc, s.connected_state_desc,
            s.synchronization_health_desc, CONVERT(int, s.last_connect_error_number) AS error_number,
            s.last_connect_error_description AS error_text, {} AS error_utc
         FROM sys.availability_replicas AS r
         LEFT JOIN sys.dm_hadr_availability_replica_states AS s
             ON s.replica_id = r.replica_id AND s.group_id = r.group_id",
        utc("s.last_connect_error_timestamp")
    )
}

/// Databases on replicas. Names come from the group where the instance has no such database (yet).
pub(super) fn replica_databases() -> String {
    format!(
        "SELECT CONVERT(varchar(36), s.group_id) AS group_id, COALESCE(d.name, c.database_name) AS name,
            CONVERT(int, s.is_local) AS is_local,
            s.synchronization_state_desc, s.synchronization_health_desc, s.database_state_desc,
            CONVERT(int, s.is_suspended) AS is_suspended, s.suspend_reason_desc,
            CONVERT(varchar(25), s.last_sent_lsn) AS sent_lsn, CONVERT(varchar(25), s.last_received_lsn) AS received_lsn,
            CONVERT(varchar(25), s.last_hardened_lsn) AS hardened_lsn, CONVERT(varchar(25), s.last_redone_lsn) AS redone_lsn,
            CONVERT(varchar(25), s.last_commit_lsn) AS commit_lsn, CONVERT(varchar(25), s.end_of_log_lsn) AS end_of_log_lsn,
            {} AS commit_utc, s.log_send_queue_size, s.log_send_rate, s.redo_queue_size, s.redo_rate,
            CONVERT(bigint, s.secondary_lag_seconds) AS lag_seconds
         FROM sys.dm_hadr_database_replica_states AS s
         LEFT JOIN sys.databases AS d ON d.database_id = s.database_id
         LEFT JOIN sys.availability_databases_cluster AS c
             ON c.group_id = s.group_id AND c.group_database_id = s.group_database_id",
        utc("s.last_commit_time")
    )
}

/// Seedings, the newest of each database last.
pub(super) fn seedings() -> String {
    format!(
        "SELECT COALESCE(p.local_database_name, c.database_name) AS database_name, p.role_desc,
            COALESCE(a.current_state, p.internal_state_desc) AS state,
            {} AS started_utc, CONVERT(varchar(30), p.end_time_utc, 126) AS ended_utc,
            p.transferred_size_bytes, p.database_size_bytes, p.transfer_rate_bytes_per_second,
            CONVERT(varchar(30), p.estimate_time_complete_utc, 126) AS estimate_utc,
            CONVERT(int, a.number_of_attempts) AS attempts, CONVERT(int, COALESCE(p.failure_code, a.error_code)) AS failure_code,
            COALESCE(p.failure_message, a.failure_state_desc) AS failure
         FROM sys.dm_hadr_automatic_seeding AS a
         FULL JOIN sys.dm_hadr_physical_seeding_stats AS p ON p.local_physical_seeding_id = a.operation_id
         LEFT JOIN sys.availability_databases_cluster AS c ON c.group_database_id = a.ag_db_id
         ORDER BY COALESCE(p.start_time_utc, a.start_time)",
        "CONVERT(varchar(30), COALESCE(p.start_time_utc, a.start_time), 126)"
    )
}

/// Agent jobs that back up logs, as far as the text of their steps tells: the statement itself, and the usual maintenance procedures.
pub(super) const LOG_BACKUP_JOBS: &str = "SELECT DISTINCT j.name, CONVERT(int, j.enabled) AS enabled,
        CONVERT(int, h.next_run_date) AS next_date, CONVERT(int, h.next_run_time) AS next_time
     FROM msdb.dbo.sysjobs AS j
     JOIN msdb.dbo.sysjobsteps AS s ON s.job_id = j.job_id
     LEFT JOIN msdb.dbo.sysjobschedules AS h ON h.job_id = j.job_id
     WHERE s.command LIKE N'%BACKUP LOG%' OR (s.command LIKE N'%DatabaseBackup%' AND s.command LIKE N'%LOG%')";

/// Sessions of users, by database, without this one.
pub(super) const SESSIONS: &str = "SELECT DB_NAME(database_id) AS name, COUNT(*) AS sessions
     FROM sys.dm_exec_sessions WHERE is_user_process = 1 AND session_id <> @@SPID AND program_name NOT LIKE N'milink%'
     GROUP BY database_id";
