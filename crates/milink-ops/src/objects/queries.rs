//! The questions, one for all objects of a kind. All are answered by SQL Server 2016 and later, and by managed instances.

/// What the instance is.
pub(super) const SERVER: &str = "SELECT CONVERT(nvarchar(256), @@SERVERNAME) AS server_name,
    CONVERT(int, SERVERPROPERTY('EngineEdition')) AS engine_edition,
    CONVERT(nvarchar(128), SERVERPROPERTY('ProductVersion')) AS product_version";

/// Logins, without `sa` and those that the server or its machine made for itself.
pub(super) const LOGINS: &str = "SELECT p.name, p.sid, p.type, CONVERT(int, p.is_disabled) AS is_disabled,
        p.default_database_name, p.default_language_name, CONVERT(int, l.is_policy_checked) AS is_policy_checked,
        CONVERT(int, l.is_expiration_checked) AS is_expiration_checked, l.password_hash, c.name AS credential_name
     FROM sys.server_principals AS p
     LEFT JOIN sys.sql_logins AS l ON l.principal_id = p.principal_id
     LEFT JOIN sys.credentials AS c ON c.credential_id = p.credential_id
     WHERE p.type IN ('S', 'U', 'G', 'C', 'K', 'E', 'X') AND p.principal_id > 1 AND p.name NOT LIKE N'##%'
         AND p.name NOT LIKE N'NT SERVICE\\%' AND p.name NOT LIKE N'NT AUTHORITY\\%' AND p.name NOT LIKE N'BUILTIN\\%'
     ORDER BY p.name";

/// Roles that are not fixed; `public` is one.
pub(super) const ROLES: &str = "SELECT name FROM sys.server_principals
     WHERE type = 'R' AND is_fixed_role = 0 AND name NOT LIKE N'##%' ORDER BY name";

/// Who is a member of which server role.
pub(super) const MEMBERS: &str = "SELECT r.name AS role_name, m.name AS member_name
     FROM sys.server_role_members AS x
     JOIN sys.server_principals AS r ON r.principal_id = x.role_principal_id
     JOIN sys.server_principals AS m ON m.principal_id = x.member_principal_id";

/// Permissions on the server (class 100) and on logins (101).
pub(super) const PERMISSIONS: &str =
    "SELECT g.name AS grantee, x.permission_name, x.state_desc, o.name AS on_name
     FROM sys.server_permissions AS x
     JOIN sys.server_principals AS g ON g.principal_id = x.grantee_principal_id
     LEFT JOIN sys.server_principals AS o ON x.class = 101 AND o.principal_id = x.major_id
     WHERE x.class = 100 OR (x.class = 101 AND o.type <> 'R')";

/// Credentials; their secrets are shown to nobody.
pub(super) const CREDENTIALS: &str = "SELECT name, credential_identity FROM sys.credentials ORDER BY name";

/// Linked servers. The provider string is not read: passwords stand in such strings.
pub(super) const LINKED_SERVERS: &str = "SELECT name, product, provider, data_source, catalog,
        CASE WHEN provider_string IS NULL OR provider_string = N'' THEN 0 ELSE 1 END AS has_provider_string,
        CONVERT(int, connect_timeout) AS connect_timeout, CONVERT(int, query_timeout) AS query_timeout,
        CONVERT(int, is_collation_compatible) AS is_collation_compatible,
        CONVERT(int, is_data_access_enabled) AS is_data_access_enabled,
        CONVERT(int, is_remote_login_enabled) AS is_remote_login_enabled,
        CONVERT(int, is_rpc_out_enabled) AS is_rpc_out_enabled,
        CONVERT(int, uses_remote_collation) AS uses_remote_collation,
        CONVERT(int, lazy_schema_validation) AS lazy_schema_validation,
        CONVERT(int, is_remote_proc_transaction_promotion_enabled) AS is_promotion_enabled
     FROM sys.servers WHERE is_linked = 1 ORDER BY name";

/// As whom they are logged in to; without the passwords, which are shown to nobody.
pub(super) const LINKED_LOGINS: &str = "SELECT s.name AS server_name, CONVERT(int, l.local_principal_id) AS local_id,
        p.name AS local_name, CONVERT(int, l.uses_self_credential) AS uses_self, l.remote_name
     FROM sys.linked_logins AS l
     JOIN sys.servers AS s ON s.server_id = l.server_id
     LEFT JOIN sys.server_principals AS p ON p.principal_id = l.local_principal_id AND l.local_principal_id <> 0
     WHERE s.is_linked = 1";

/// Agent jobs, without the one that every SQL Server makes for itself.
pub(super) const JOBS: &str =
    "SELECT CONVERT(varchar(36), j.job_id) AS id, j.name, CONVERT(int, j.enabled) AS enabled, j.description,
        CASE WHEN j.category_id = 0 THEN NULL ELSE c.name END AS category_name, p.name AS owner_name,
        CONVERT(int, j.start_step_id) AS start_step_id
     FROM msdb.dbo.sysjobs AS j
     LEFT JOIN msdb.dbo.syscategories AS c ON c.category_id = j.category_id
     LEFT JOIN sys.server_principals AS p ON p.sid = j.owner_sid
     WHERE j.name <> N'syspolicy_purge_history' ORDER BY j.name";

/// Their steps.
pub(super) const STEPS: &str = "SELECT CONVERT(varchar(36), job_id) AS id, CONVERT(int, step_id) AS step_id, step_name, subsystem, command,
        database_name, CONVERT(int, on_success_action) AS on_success_action, CONVERT(int, on_success_step_id) AS on_success_step_id,
        CONVERT(int, on_fail_action) AS on_fail_action, CONVERT(int, on_fail_step_id) AS on_fail_step_id,
        CONVERT(int, retry_attempts) AS retry_attempts, CONVERT(int, retry_interval) AS retry_interval, output_file_name,
        CASE WHEN proxy_id IS NULL THEN 0 ELSE 1 END AS has_proxy
     FROM msdb.dbo.sysjobsteps ORDER BY job_id, step_id";

/// When they run.
pub(super) const SCHEDULES: &str = "SELECT CONVERT(varchar(36), x.job_id) AS id, s.name, CONVERT(int, s.enabled) AS enabled, s.freq_type,
        s.freq_interval, s.freq_subday_type, s.freq_subday_interval, s.freq_relative_interval, s.freq_recurrence_factor,
        s.active_start_date, s.active_end_date, s.active_start_time, s.active_end_time
     FROM msdb.dbo.sysjobschedules AS x JOIN msdb.dbo.sysschedules AS s ON s.schedule_id = x.schedule_id ORDER BY s.name";

/// Settings of the server.
pub(super) const SETTINGS: &str =
    "SELECT name, CONVERT(bigint, value) AS value, CONVERT(int, is_advanced) AS is_advanced
     FROM sys.configurations";

/// Databases and their owners.
pub(super) const DATABASES: &str = "SELECT d.name, d.owner_sid, p.name AS owner_name FROM sys.databases AS d
     LEFT JOIN sys.server_principals AS p ON p.sid = d.owner_sid";

/// Databases in availability groups.
pub(super) const LINKED_DATABASES: &str =
    "SELECT DISTINCT database_name FROM sys.availability_databases_cluster ORDER BY database_name";

/// Users of a database that stand on a login: not its own, not those with a password of their own or without a login.
pub(super) fn users(database: &str) -> String {
    format!(
        "SELECT name, sid, type FROM [{}].sys.database_principals
         WHERE type IN ('S', 'U', 'G', 'E', 'X') AND principal_id > 4 AND sid IS NOT NULL AND authentication_type NOT IN (0, 2)
         ORDER BY name",
        database.replace(']', "]]")
    )
}
