-- Catalog views that are made of others. One that has the name of a view made in Rust widens it: inside of it the name means that one.
CREATE VIEW sys.tables AS
SELECT t.*, CAST(NULL AS int) AS filestream_data_space_id, CAST((SELECT MAX(c.column_id) FROM sys.columns AS c WHERE c.object_id = t.object_id) AS int) AS max_column_id_used,
    CAST(0 AS bit) AS lock_on_bulk_load, CAST(1 AS bit) AS uses_ansi_nulls, CAST(0 AS bit) AS is_replicated, CAST(0 AS bit) AS has_replication_filter,
    CAST(0 AS bit) AS is_merge_published, CAST(0 AS bit) AS is_sync_tran_subscribed, CAST(0 AS bit) AS has_unchecked_assembly_data,
    CAST(0 AS int) AS text_in_row_limit, CAST(0 AS bit) AS large_value_types_out_of_row, CAST(0 AS bit) AS is_tracked_by_cdc, CAST(0 AS tinyint) AS lock_escalation,
    CAST('TABLE' AS nvarchar(60)) AS lock_escalation_desc, CAST(0 AS tinyint) AS durability, CAST('SCHEMA_AND_DATA' AS nvarchar(60)) AS durability_desc,
    CAST('NON_TEMPORAL_TABLE' AS nvarchar(60)) AS temporal_type_desc, CAST(NULL AS int) AS history_table_id, CAST(0 AS bit) AS is_remote_data_archive_enabled,
    CAST(NULL AS int) AS history_retention_period, CAST(NULL AS int) AS history_retention_period_unit, CAST(NULL AS nvarchar(10)) AS history_retention_period_unit_desc,
    CAST(0 AS tinyint) AS ledger_type, CAST('NON_LEDGER_TABLE' AS nvarchar(60)) AS ledger_type_desc, CAST(NULL AS int) AS ledger_view_id, CAST(0 AS bit) AS is_dropped_ledger_table,
    CAST(0 AS bit) AS is_published, CAST(0 AS bit) AS is_schema_published
FROM sys.tables AS t
GO
CREATE VIEW sys.objects AS
SELECT o.*, CAST(0 AS bit) AS is_published, CAST(0 AS bit) AS is_schema_published FROM sys.objects AS o
GO
CREATE VIEW sys.procedures AS
SELECT o.*, CAST(0 AS bit) AS is_published, CAST(0 AS bit) AS is_schema_published, CAST(0 AS bit) AS is_auto_executed, CAST(0 AS bit) AS is_execution_replicated,
    CAST(0 AS bit) AS is_repl_serializable_only, CAST(0 AS bit) AS skips_repl_constraints
FROM sys.procedures AS o
GO
CREATE VIEW sys.views AS
SELECT o.*, CAST(0 AS bit) AS is_published, CAST(0 AS bit) AS is_schema_published, CAST(0 AS bit) AS is_replicated, CAST(0 AS bit) AS has_replication_filter,
    CAST(0 AS bit) AS has_opaque_metadata, CAST(0 AS bit) AS has_unchecked_assembly_data, CAST(0 AS bit) AS with_check_option, CAST(0 AS bit) AS is_date_correlation_view,
    CAST(0 AS bit) AS is_tracked_by_cdc, CAST(0 AS bit) AS has_snapshot, CAST(NULL AS tinyint) AS ledger_view_type, CAST(NULL AS nvarchar(60)) AS ledger_view_type_desc, CAST(0 AS bit) AS is_dropped_ledger_view
FROM sys.views AS o
GO
CREATE VIEW sys.all_views AS SELECT * FROM sys.views
UNION ALL
SELECT o.name, o.object_id, o.principal_id, o.schema_id, o.parent_object_id, o.type, o.type_desc, o.create_date, o.modify_date, o.is_ms_shipped,
    CAST(0 AS bit), CAST(0 AS bit), CAST(0 AS bit), CAST(0 AS bit), CAST(0 AS bit), CAST(0 AS bit), CAST(0 AS bit), CAST(0 AS bit), CAST(0 AS bit), CAST(0 AS bit),
    CAST(NULL AS tinyint), CAST(NULL AS nvarchar(60)), CAST(0 AS bit)
FROM sys.system_objects AS o WHERE o.type = 'V'
GO
CREATE VIEW sys.system_views AS SELECT * FROM sys.all_views WHERE is_ms_shipped = 1
GO
CREATE VIEW sys.all_objects AS
SELECT * FROM sys.objects
UNION ALL
SELECT o.*, CAST(0 AS bit), CAST(0 AS bit) FROM sys.system_objects AS o
GO
CREATE VIEW sys.columns AS
SELECT c.*, CAST(0 AS bit) AS is_filestream, CAST(0 AS bit) AS is_replicated, CAST(0 AS bit) AS is_non_sql_subscribed, CAST(0 AS bit) AS is_merge_published,
    CAST(0 AS bit) AS is_dts_replicated, CAST(0 AS bit) AS is_xml_document, CAST(0 AS int) AS xml_collection_id, CAST(0 AS int) AS rule_object_id, CAST(0 AS bit) AS is_column_set,
    CAST('NOT_APPLICABLE' AS nvarchar(60)) AS generated_always_type_desc, CAST(NULL AS int) AS encryption_type, CAST(NULL AS nvarchar(64)) AS encryption_type_desc,
    CAST(NULL AS sysname) AS encryption_algorithm_name, CAST(NULL AS int) AS column_encryption_key_id, CAST(NULL AS sysname) AS column_encryption_key_database_name,
    CAST(0 AS bit) AS is_masked, CAST(NULL AS int) AS graph_type, CAST(NULL AS nvarchar(60)) AS graph_type_desc, CAST(0 AS bit) AS is_data_deletion_filter_column,
    CAST(NULL AS int) AS ledger_view_column_type, CAST(NULL AS nvarchar(60)) AS ledger_view_column_type_desc, CAST(0 AS bit) AS is_dropped_ledger_column
FROM sys.columns AS c
GO
CREATE VIEW sys.all_columns AS SELECT * FROM sys.columns
GO
CREATE VIEW sys.identity_columns AS
SELECT c.*, i.seed_value, i.increment_value, i.last_value, i.is_not_for_replication
FROM sys.identity_columns AS i JOIN sys.columns AS c ON c.object_id = i.object_id AND c.column_id = i.column_id
GO
CREATE VIEW sys.computed_columns AS
SELECT c.*, i.definition, CAST(1 AS bit) AS uses_database_collation, i.is_persisted
FROM sys.computed_columns AS i JOIN sys.columns AS c ON c.object_id = i.object_id AND c.column_id = i.column_id
GO
CREATE VIEW sys.indexes AS
SELECT i.*, CAST(0 AS bit) AS is_ignored_in_optimization, CAST(1 AS bit) AS allow_row_locks, CAST(1 AS bit) AS allow_page_locks, CAST(NULL AS int) AS compression_delay,
    CAST(0 AS bit) AS suppress_dup_key_messages, CAST(0 AS bit) AS auto_created, CAST(0 AS bit) AS optimize_for_sequential_key
FROM sys.indexes AS i
GO
CREATE VIEW sys.index_columns AS
SELECT i.*, CAST(0 AS tinyint) AS column_store_order_ordinal, CAST(0 AS tinyint) AS data_clustering_ordinal FROM sys.index_columns AS i
GO
CREATE VIEW sys.parameters AS
SELECT p.*, CAST(0 AS bit) AS is_cursor_ref, CAST(0 AS bit) AS is_xml_document, CAST(NULL AS sql_variant) AS default_value, CAST(0 AS int) AS xml_collection_id, CAST(0 AS bit) AS is_readonly,
    CAST(1 AS bit) AS is_nullable, CAST(NULL AS int) AS encryption_type, CAST(NULL AS nvarchar(64)) AS encryption_type_desc, CAST(NULL AS sysname) AS encryption_algorithm_name,
    CAST(NULL AS int) AS column_encryption_key_id, CAST(NULL AS sysname) AS column_encryption_key_database_name
FROM sys.parameters AS p
GO
CREATE VIEW sys.all_parameters AS SELECT * FROM sys.parameters
GO
CREATE VIEW sys.sql_modules AS
SELECT m.*, CAST(0 AS bit) AS uses_database_collation, CAST(0 AS bit) AS is_recompiled, CAST(0 AS bit) AS null_on_null_input, CAST(NULL AS int) AS execute_as_principal_id,
    CAST(0 AS bit) AS uses_native_compilation, CAST(0 AS bit) AS inline_type, CAST(0 AS bit) AS is_inlineable
FROM sys.sql_modules AS m
GO
CREATE VIEW sys.all_sql_modules AS SELECT * FROM sys.sql_modules
GO
CREATE VIEW sys.system_sql_modules AS SELECT * FROM sys.sql_modules WHERE 1 = 0
GO
CREATE VIEW sys.system_columns AS SELECT * FROM sys.columns WHERE 1 = 0
GO
CREATE VIEW sys.system_parameters AS SELECT * FROM sys.parameters WHERE 1 = 0
GO
CREATE VIEW sys.stats AS
SELECT i.object_id, i.name, i.index_id AS stats_id, CAST(0 AS bit) AS auto_created, CAST(0 AS bit) AS user_created, CAST(0 AS bit) AS no_recompute, i.has_filter, i.filter_definition,
    CAST(0 AS bit) AS is_temporary, CAST(0 AS bit) AS is_incremental, CAST(0 AS bit) AS has_persisted_sample, CAST(0 AS int) AS stats_generation_method,
    CAST('Sort based statistics' AS varchar(80)) AS stats_generation_method_desc, CAST(0 AS bit) AS auto_drop
FROM sys.indexes AS i WHERE i.index_id > 0
GO
CREATE VIEW sys.stats_columns AS
SELECT ic.object_id, ic.index_id AS stats_id, CAST(ic.key_ordinal AS int) AS stats_column_id, ic.column_id FROM sys.index_columns AS ic WHERE ic.key_ordinal > 0
GO
CREATE VIEW sys.partitions AS
SELECT CAST(i.object_id AS bigint) * 4096 + i.index_id AS partition_id, i.object_id, i.index_id, CAST(1 AS int) AS partition_number,
    CAST(i.object_id AS bigint) * 4096 + i.index_id AS hobt_id, r.rows, CAST(0 AS smallint) AS filestream_filegroup_id, CAST(0 AS tinyint) AS data_compression,
    CAST('NONE' AS nvarchar(60)) AS data_compression_desc, CAST(0 AS bit) AS xml_compression, CAST('OFF' AS varchar(3)) AS xml_compression_desc
FROM sys.indexes AS i JOIN sys.table_rows AS r ON r.object_id = i.object_id
GO
CREATE VIEW sys.dm_db_partition_stats AS
SELECT p.partition_id, p.object_id, p.index_id, p.partition_number, r.pages AS in_row_data_page_count, r.pages AS in_row_used_page_count, r.pages AS in_row_reserved_page_count,
    CAST(0 AS bigint) AS lob_used_page_count, CAST(0 AS bigint) AS lob_reserved_page_count, CAST(0 AS bigint) AS row_overflow_used_page_count, CAST(0 AS bigint) AS row_overflow_reserved_page_count,
    r.pages AS used_page_count, r.pages AS reserved_page_count, p.rows AS row_count
FROM sys.partitions AS p JOIN sys.table_rows AS r ON r.object_id = p.object_id
GO
CREATE VIEW sys.allocation_units AS
SELECT p.partition_id AS allocation_unit_id, CAST(1 AS tinyint) AS type, CAST('IN_ROW_DATA' AS nvarchar(60)) AS type_desc, p.hobt_id AS container_id, CAST(1 AS int) AS data_space_id,
    r.pages AS total_pages, r.pages AS used_pages, r.pages AS data_pages
FROM sys.partitions AS p JOIN sys.table_rows AS r ON r.object_id = p.object_id
GO
CREATE VIEW sys.filegroups AS
SELECT CAST('PRIMARY' AS sysname) AS name, CAST(1 AS int) AS data_space_id, CAST('FG' AS char(2)) AS type, CAST('ROWS_FILEGROUP' AS nvarchar(60)) AS type_desc, CAST(1 AS bit) AS is_default,
    CAST(0 AS bit) AS is_system, CAST(NULL AS uniqueidentifier) AS filegroup_guid, CAST(NULL AS int) AS log_filegroup_id, CAST(0 AS bit) AS is_read_only, CAST(0 AS bit) AS is_autogrow_all_files
GO
CREATE VIEW sys.data_spaces AS SELECT name, data_space_id, type, type_desc, is_default, is_system FROM sys.filegroups
GO
CREATE VIEW sys.database_files AS
SELECT f.file_id, CAST(NULL AS uniqueidentifier) AS file_guid, f.type, f.type_desc, f.data_space_id, f.name, f.physical_name, f.state, f.state_desc, f.size, f.max_size, f.growth,
    CAST(0 AS bit) AS is_media_read_only, CAST(0 AS bit) AS is_read_only, CAST(0 AS bit) AS is_sparse, CAST(0 AS bit) AS is_percent_growth, CAST(0 AS bit) AS is_name_reserved,
    CAST(0 AS bit) AS is_persistent_log_buffer, CAST(NULL AS numeric(25, 0)) AS create_lsn, CAST(NULL AS numeric(25, 0)) AS drop_lsn, CAST(NULL AS numeric(25, 0)) AS read_only_lsn,
    CAST(NULL AS numeric(25, 0)) AS backup_lsn
FROM sys.database_files AS f
GO
CREATE VIEW sys.master_files AS
SELECT f.*, CAST(NULL AS uniqueidentifier) AS file_guid, CAST(0 AS bit) AS is_media_read_only, CAST(0 AS bit) AS is_read_only, CAST(0 AS bit) AS is_sparse, CAST(0 AS bit) AS is_percent_growth,
    CAST(0 AS bit) AS is_name_reserved, CAST(NULL AS int) AS credential_id
FROM sys.master_files AS f
GO
CREATE VIEW sys.sql_expression_dependencies AS
SELECT d.referencing_id, CAST(0 AS int) AS referencing_minor_id, CAST(1 AS tinyint) AS referencing_class, CAST('OBJECT_OR_COLUMN' AS nvarchar(60)) AS referencing_class_desc,
    d.is_schema_bound_reference, CAST(1 AS tinyint) AS referenced_class, CAST('OBJECT_OR_COLUMN' AS nvarchar(60)) AS referenced_class_desc, CAST(NULL AS sysname) AS referenced_server_name,
    CAST(NULL AS sysname) AS referenced_database_name, d.referenced_schema_name, d.referenced_entity_name, d.referenced_id, CAST(0 AS int) AS referenced_minor_id,
    CAST(0 AS bit) AS is_caller_dependent, CAST(0 AS bit) AS is_ambiguous
FROM sys.module_names AS d
GO
CREATE VIEW sys.sql_dependencies AS
SELECT CAST(0 AS tinyint) AS class, CAST('OBJECT_OR_COLUMN_REFERENCE_NON_SCHEMA_BOUND' AS nvarchar(60)) AS class_desc, d.referencing_id AS object_id, CAST(0 AS int) AS column_id,
    d.referenced_id AS referenced_major_id, CAST(0 AS int) AS referenced_minor_id, CAST(1 AS bit) AS is_selected, CAST(0 AS bit) AS is_updated, CAST(0 AS bit) AS is_select_all
FROM sys.module_names AS d WHERE d.referenced_id IS NOT NULL
GO
CREATE VIEW sys.sysdepends AS
SELECT d.referencing_id AS id, d.referenced_id AS depid, CAST(0 AS smallint) AS number, CAST(0 AS smallint) AS depnumber, CAST(0 AS smallint) AS status, CAST(0 AS smallint) AS deptype,
    CAST(0 AS bit) AS depdbid, CAST(0 AS bit) AS depsiteid, CAST(0 AS bit) AS selall, CAST(0 AS bit) AS resultobj, CAST(1 AS bit) AS readobj
FROM sys.module_names AS d WHERE d.referenced_id IS NOT NULL
GO
CREATE VIEW sys.database_principals AS
SELECT p.*, CAST(CASE WHEN p.authentication_type_desc = 'INSTANCE' THEN 1 ELSE 0 END AS int) AS authentication_type, CAST(NULL AS sysname) AS default_language_name, CAST(NULL AS int) AS default_language_lcid,
    CAST(0 AS bit) AS allow_encrypted_value_modifications
FROM sys.database_principals AS p
GO
CREATE VIEW sys.server_principals AS
SELECT p.*, CAST(NULL AS int) AS credential_id, CAST(CASE WHEN p.type = 'R' THEN 1 END AS int) AS owning_principal_id FROM sys.server_principals AS p
WHERE p.type = 'R' OR p.principal_id = 1 OR p.name = SUSER_SNAME() OR IS_SRVROLEMEMBER('securityadmin') = 1
GO
CREATE VIEW sys.sql_logins AS
SELECT p.name, p.principal_id, p.sid, p.type, p.type_desc, p.is_disabled, p.create_date, p.modify_date, p.default_database_name, p.default_language_name, CAST(NULL AS int) AS credential_id,
    p.is_policy_checked, p.is_expiration_checked, CASE WHEN IS_SRVROLEMEMBER('sysadmin') = 1 THEN p.password_hash END AS password_hash FROM sys.sql_logins AS p
WHERE p.principal_id = 1 OR p.name = SUSER_SNAME() OR IS_SRVROLEMEMBER('securityadmin') = 1
GO
CREATE VIEW sys.database_permissions AS
SELECT CAST(0 AS tinyint) AS class, CAST('DATABASE' AS nvarchar(60)) AS class_desc, CAST(0 AS int) AS major_id, CAST(0 AS int) AS minor_id, p.principal_id AS grantee_principal_id,
    CAST(1 AS int) AS grantor_principal_id, CAST('CO' AS char(4)) AS type, CAST('CONNECT' AS nvarchar(128)) AS permission_name, CAST('G' AS char(1)) AS state, CAST('GRANT' AS nvarchar(60)) AS state_desc
FROM sys.database_principals AS p WHERE p.type = 'S' AND (p.sid IS NOT NULL OR p.principal_id = 1)
GO
CREATE VIEW sys.server_permissions AS
SELECT CAST(100 AS tinyint) AS class, CAST('SERVER' AS nvarchar(60)) AS class_desc, CAST(0 AS int) AS major_id, CAST(0 AS int) AS minor_id, p.principal_id AS grantee_principal_id,
    CAST(1 AS int) AS grantor_principal_id, CAST('COSQ' AS char(4)) AS type, CAST('CONNECT SQL' AS nvarchar(128)) AS permission_name, CAST('G' AS char(1)) AS state, CAST('GRANT' AS nvarchar(60)) AS state_desc
FROM sys.server_principals AS p WHERE p.type = 'S'
UNION ALL
SELECT CAST(100 AS tinyint), CAST('SERVER' AS nvarchar(60)), CAST(0 AS int), CAST(0 AS int), CAST(2 AS int), CAST(1 AS int), CAST('VWDB' AS char(4)), CAST('VIEW ANY DATABASE' AS nvarchar(128)), CAST('G' AS char(1)), CAST('GRANT' AS nvarchar(60))
UNION ALL
SELECT CAST(105 AS tinyint), CAST('ENDPOINT' AS nvarchar(60)), g.endpoint_id, CAST(0 AS int), g.grantee_principal_id, CAST(1 AS int), CAST('CO' AS char(4)), CAST('CONNECT' AS nvarchar(128)),
    CAST(CASE g.is_denied WHEN 1 THEN 'D' ELSE 'G' END AS char(1)), CAST(CASE g.is_denied WHEN 1 THEN 'DENY' ELSE 'GRANT' END AS nvarchar(60))
FROM sys.endpoint_grants AS g
GO
CREATE VIEW sys.login_token AS
SELECT p.principal_id, p.sid, p.name, CAST('SQL LOGIN' AS nvarchar(128)) AS type, CAST('GRANT OR DENY' AS nvarchar(128)) AS usage FROM sys.server_principals AS p WHERE p.name = SUSER_SNAME()
UNION ALL
SELECT p.principal_id, p.sid, p.name, CAST('SERVER ROLE' AS nvarchar(128)), CAST('GRANT OR DENY' AS nvarchar(128)) FROM sys.server_principals AS p WHERE p.type = 'R' AND IS_SRVROLEMEMBER(p.name) = 1
GO
CREATE VIEW sys.user_token AS
SELECT p.principal_id, p.sid, p.name, CAST('SQL USER' AS nvarchar(128)) AS type, CAST('GRANT OR DENY' AS nvarchar(128)) AS usage FROM sys.database_principals AS p WHERE p.name = USER_NAME()
UNION ALL
SELECT p.principal_id, p.sid, p.name, CAST('ROLE' AS nvarchar(128)), CAST('GRANT OR DENY' AS nvarchar(128)) FROM sys.database_principals AS p WHERE p.type = 'R' AND IS_MEMBER(p.name) = 1
GO
CREATE VIEW sys.servers AS
SELECT s.*, CAST(NULL AS nvarchar(4000)) AS location, CAST(NULL AS nvarchar(4000)) AS provider_string, CAST(NULL AS sysname) AS catalog, CAST(0 AS int) AS connect_timeout, CAST(0 AS int) AS query_timeout,
    CAST(1 AS bit) AS is_remote_login_enabled, CAST(0 AS bit) AS is_rpc_out_enabled, CAST(1 AS bit) AS is_data_access_enabled, CAST(0 AS bit) AS is_collation_compatible,
    CAST(1 AS bit) AS uses_remote_collation, CAST(NULL AS sysname) AS collation_name, CAST(0 AS bit) AS lazy_schema_validation, CAST(0 AS bit) AS is_system, CAST(0 AS bit) AS is_publisher,
    CAST(0 AS bit) AS is_subscriber, CAST(0 AS bit) AS is_distributor, CAST(0 AS bit) AS is_nonsql_subscriber, CAST(1 AS bit) AS is_remote_proc_transaction_promotion_enabled, GETDATE() AS modify_date,
    CAST(0 AS bit) AS is_rda_server
FROM sys.servers AS s
GO
CREATE VIEW sys.sysservers AS
SELECT CAST(s.server_id AS smallint) AS srvid, CAST(1089 AS smallint) AS srvstatus, s.name AS srvname, s.product AS srvproduct, s.provider AS providername, s.data_source AS datasource, s.name AS srvnetname FROM sys.servers AS s
GO
CREATE VIEW sys.database_mirroring AS
SELECT d.database_id, CAST(NULL AS uniqueidentifier) AS mirroring_guid, CAST(NULL AS tinyint) AS mirroring_state, CAST(NULL AS nvarchar(60)) AS mirroring_state_desc, CAST(NULL AS tinyint) AS mirroring_role,
    CAST(NULL AS nvarchar(60)) AS mirroring_role_desc, CAST(NULL AS int) AS mirroring_role_sequence, CAST(NULL AS tinyint) AS mirroring_safety_level, CAST(NULL AS nvarchar(60)) AS mirroring_safety_level_desc,
    CAST(NULL AS nvarchar(128)) AS mirroring_partner_name, CAST(NULL AS nvarchar(128)) AS mirroring_partner_instance, CAST(NULL AS nvarchar(128)) AS mirroring_witness_name
FROM sys.databases AS d
GO
CREATE VIEW sys.database_scoped_configurations AS
SELECT CAST(c.id AS int) AS configuration_id, CAST(c.name AS nvarchar(60)) AS name, CAST(c.value AS sql_variant) AS value, CAST(NULL AS sql_variant) AS value_for_secondary, CAST(1 AS bit) AS is_value_default
FROM (VALUES (1, N'MAXDOP', 0), (2, N'LEGACY_CARDINALITY_ESTIMATION', 0), (3, N'PARAMETER_SNIFFING', 1), (4, N'QUERY_OPTIMIZER_HOTFIXES', 0), (6, N'IDENTITY_CACHE', 1)) AS c(id, name, value)
GO
CREATE VIEW sys.database_query_store_options AS
SELECT CAST(0 AS smallint) AS desired_state, CAST('OFF' AS nvarchar(60)) AS desired_state_desc, CAST(0 AS smallint) AS actual_state, CAST('OFF' AS nvarchar(60)) AS actual_state_desc, CAST(0 AS int) AS readonly_reason,
    CAST(0 AS bigint) AS current_storage_size_mb, CAST(900 AS bigint) AS flush_interval_seconds, CAST(60 AS bigint) AS interval_length_minutes, CAST(1000 AS bigint) AS max_storage_size_mb,
    CAST(30 AS bigint) AS stale_query_threshold_days, CAST(200 AS bigint) AS max_plans_per_query, CAST(2 AS smallint) AS query_capture_mode, CAST('AUTO' AS nvarchar(60)) AS query_capture_mode_desc,
    CAST(1 AS smallint) AS size_based_cleanup_mode, CAST('AUTO' AS nvarchar(60)) AS size_based_cleanup_mode_desc, CAST(0 AS bit) AS wait_stats_capture_mode
GO
CREATE VIEW sys.syslanguages AS
SELECT CAST(0 AS smallint) AS langid, CAST('mdy' AS nchar(3)) AS dateformat, CAST(7 AS tinyint) AS datefirst, CAST(0 AS int) AS upgrade, CAST('us_english' AS sysname) AS name, CAST('English' AS sysname) AS alias,
    CAST('January,February,March,April,May,June,July,August,September,October,November,December' AS nvarchar(372)) AS months,
    CAST('Jan,Feb,Mar,Apr,May,Jun,Jul,Aug,Sep,Oct,Nov,Dec' AS nvarchar(132)) AS shortmonths, CAST('Monday,Tuesday,Wednesday,Thursday,Friday,Saturday,Sunday' AS nvarchar(217)) AS days,
    CAST(1033 AS int) AS lcid, CAST(1033 AS smallint) AS msglangid
GO
CREATE VIEW sys.syscharsets AS
SELECT CAST(1001 AS smallint) AS type, CAST(1 AS tinyint) AS id, CAST(0 AS tinyint) AS csid, CAST(0 AS smallint) AS status, CAST('iso_1' AS sysname) AS name, CAST('ISO 8859-1 (Latin-1)' AS nvarchar(255)) AS description
GO
CREATE VIEW sys.time_zone_info AS SELECT CAST('UTC' AS sysname) AS name, CAST('+00:00' AS nvarchar(12)) AS current_utc_offset, CAST(0 AS bit) AS is_currently_dst
GO
CREATE VIEW sys.sysconfigures AS
SELECT CAST(c.value AS int) AS value, c.configuration_id AS config, c.description AS comment, CAST(CASE WHEN c.is_dynamic = 1 THEN 1 ELSE 0 END + CASE WHEN c.is_advanced = 1 THEN 2 ELSE 0 END AS smallint) AS status FROM sys.configurations AS c
GO
CREATE VIEW sys.syscurconfigs AS SELECT * FROM sys.sysconfigures
GO
CREATE VIEW sys.spt_values AS
SELECT CAST(NULL AS nvarchar(35)) AS name, CAST(a.n + 10 * b.n + 100 * c.n + 1000 * d.n AS int) AS number, CAST('P' AS nchar(3)) AS type, CAST((a.n + 10 * b.n + 100 * c.n + 1000 * d.n) / 8 + 1 AS int) AS low,
    CAST(POWER(2, (a.n + 10 * b.n + 100 * c.n + 1000 * d.n) % 8) AS int) AS high, CAST(0 AS int) AS status
FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) AS a(n) CROSS JOIN (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) AS b(n)
    CROSS JOIN (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) AS c(n) CROSS JOIN (VALUES (0), (1), (2)) AS d(n)
WHERE a.n + 10 * b.n + 100 * c.n + 1000 * d.n < 2048
GO
CREATE VIEW sys.dm_os_host_info AS
SELECT CAST('Linux' AS nvarchar(256)) AS host_platform, CAST('Linux' AS nvarchar(256)) AS host_distribution, CAST('' AS nvarchar(256)) AS host_release, CAST('' AS nvarchar(256)) AS host_service_pack_level,
    CAST(NULL AS int) AS host_sku, CAST(0 AS int) AS os_language_version, CAST('X64' AS nvarchar(256)) AS host_architecture
GO
CREATE VIEW sys.dm_os_sys_info AS
SELECT s.*, CAST(1 AS int) AS hyperthread_ratio, CAST(0 AS bigint) AS virtual_memory_kb, CAST(0 AS bigint) AS committed_kb, CAST(0 AS bigint) AS committed_target_kb, CAST(0 AS bigint) AS visible_target_kb,
    CAST(0 AS int) AS stack_size_in_bytes, CAST(0 AS bigint) AS os_quantum, CAST(0 AS int) AS os_error_mode, CAST(0 AS int) AS os_priority_class, CAST(512 AS int) AS max_workers_count,
    s.cpu_count AS scheduler_count, CAST(0 AS int) AS scheduler_total_count, CAST(0 AS int) AS deadlock_monitor_serial_number, DATEDIFF_BIG(ms, s.sqlserver_start_time, GETDATE()) AS ms_ticks,
    CAST(0 AS bigint) AS sqlserver_start_time_ms_ticks, CAST(0 AS int) AS affinity_type, CAST('AUTO' AS varchar(60)) AS affinity_type_desc, CAST(0 AS int) AS virtual_machine_type,
    CAST('NONE' AS nvarchar(60)) AS virtual_machine_type_desc, CAST(1 AS int) AS softnuma_configuration, CAST('OFF' AS nvarchar(60)) AS softnuma_configuration_desc, CAST(1 AS int) AS socket_count,
    s.cpu_count AS cores_per_socket, CAST(1 AS int) AS numa_node_count, CAST(0 AS int) AS container_type, CAST('NONE' AS nvarchar(60)) AS container_type_desc, CAST(1 AS int) AS sql_memory_model,
    CAST('CONVENTIONAL' AS nvarchar(120)) AS sql_memory_model_desc
FROM sys.dm_os_sys_info AS s
GO
CREATE VIEW sys.dm_exec_sessions AS
SELECT s.*, CAST(NULL AS sysname) AS nt_domain, CAST(NULL AS sysname) AS nt_user_name, CAST(NULL AS varbinary(128)) AS context_info, CAST(0 AS int) AS total_scheduled_time, CAST(0 AS int) AS total_elapsed_time,
    CAST(1 AS int) AS endpoint_id, CAST(0 AS bigint) AS reads, CAST(0 AS bigint) AS writes, CAST(0 AS bigint) AS logical_reads, CAST(2147483647 AS int) AS text_size, CAST(1 AS bit) AS arithabort,
    CAST(1 AS bit) AS ansi_null_dflt_on, CAST(0 AS bit) AS ansi_defaults, CAST(1 AS bit) AS ansi_warnings, CAST(1 AS bit) AS ansi_padding, CAST(1 AS bit) AS concat_null_yields_null,
    CAST(0 AS int) AS deadlock_priority, CAST(0 AS int) AS prev_error, s.security_id AS original_security_id, CAST(NULL AS datetime) AS last_successful_logon, CAST(NULL AS datetime) AS last_unsuccessful_logon,
    CAST(NULL AS bigint) AS unsuccessful_logons, CAST(2 AS int) AS group_id, CAST(1 AS smallint) AS authenticating_database_id, CAST(0 AS bigint) AS page_server_reads
FROM sys.dm_exec_sessions AS s WHERE s.session_id = @@SPID OR IS_SRVROLEMEMBER('serveradmin') = 1 OR IS_SRVROLEMEMBER('processadmin') = 1
GO
CREATE VIEW sys.dm_exec_connections AS
SELECT s.*, CAST(1 AS int) AS endpoint_id, CAST(0 AS smallint) AS node_affinity, CAST(0 AS int) AS num_reads, CAST(0 AS int) AS num_writes, CAST(NULL AS datetime) AS last_read, CAST(NULL AS datetime) AS last_write,
    CAST(NULL AS int) AS client_tcp_port, CAST(NULL AS uniqueidentifier) AS connection_id, CAST(NULL AS uniqueidentifier) AS parent_connection_id, b.sql_handle AS most_recent_sql_handle
FROM sys.dm_exec_connections AS s LEFT JOIN sys.session_batches AS b ON b.session_id = s.session_id
WHERE s.session_id = @@SPID OR IS_SRVROLEMEMBER('serveradmin') = 1 OR IS_SRVROLEMEMBER('processadmin') = 1
GO
CREATE VIEW sys.dm_exec_requests AS
SELECT s.session_id, s.request_id, s.start_time, s.status, s.command, b.sql_handle, CAST(0 AS int) AS statement_start_offset, CAST(-1 AS int) AS statement_end_offset, CAST(NULL AS varbinary(64)) AS plan_handle,
    s.database_id, CAST(1 AS int) AS user_id, CAST(NULL AS uniqueidentifier) AS connection_id, s.blocking_session_id, s.wait_type, s.wait_time, s.wait_type AS last_wait_type, CAST('' AS nvarchar(256)) AS wait_resource,
    s.open_transaction_count, CAST(1 AS int) AS open_resultset_count, CAST(0 AS bigint) AS transaction_id, CAST(NULL AS varbinary(128)) AS context_info, s.percent_complete, CAST(0 AS bigint) AS estimated_completion_time,
    CAST(0 AS int) AS cpu_time, CAST(DATEDIFF(ms, s.start_time, GETDATE()) AS int) AS total_elapsed_time, CAST(0 AS int) AS scheduler_id, CAST(NULL AS varbinary(8)) AS task_address, CAST(0 AS bigint) AS reads,
    CAST(0 AS bigint) AS writes, CAST(0 AS bigint) AS logical_reads, CAST(2147483647 AS int) AS text_size, e.language, e.date_format, e.date_first, e.quoted_identifier, e.arithabort, e.ansi_null_dflt_on,
    e.ansi_defaults, e.ansi_warnings, e.ansi_padding, e.ansi_nulls, e.concat_null_yields_null, e.transaction_isolation_level, e.lock_timeout, e.deadlock_priority, e.row_count, e.prev_error,
    s.session_id AS nest_level, CAST(0 AS int) AS granted_query_memory, CAST(0 AS bit) AS executing_managed_code, e.group_id, CAST(NULL AS binary(8)) AS query_hash, CAST(NULL AS binary(8)) AS query_plan_hash,
    CAST(NULL AS varbinary(64)) AS statement_sql_handle, CAST(NULL AS bigint) AS statement_context_id, CAST(1 AS int) AS dop, CAST(NULL AS int) AS parallel_worker_count, CAST(0 AS bit) AS is_resumable
FROM sys.dm_exec_requests AS s JOIN sys.dm_exec_sessions AS e ON e.session_id = s.session_id LEFT JOIN sys.session_batches AS b ON b.session_id = s.session_id
GO
CREATE VIEW sys.sysprocesses AS
SELECT s.session_id AS spid, CAST(0 AS smallint) AS kpid, CAST(COALESCE(r.blocking_session_id, 0) AS smallint) AS blocked, CAST(0x0000 AS binary(2)) AS waittype, CAST(COALESCE(r.wait_time, 0) AS bigint) AS waittime,
    CAST(COALESCE(r.wait_type, 'MISCELLANEOUS') AS nchar(32)) AS lastwaittype, CAST('' AS nchar(256)) AS waitresource, s.database_id AS dbid, CAST(1 AS smallint) AS uid, s.cpu_time AS cpu,
    CAST(0 AS bigint) AS physical_io, s.memory_usage AS memusage, s.login_time, COALESCE(s.last_request_end_time, s.last_request_start_time) AS last_batch, CAST(0 AS smallint) AS ecid,
    CAST(s.open_transaction_count AS smallint) AS open_tran, CAST(s.status AS nchar(30)) AS status, CAST(s.security_id AS binary(86)) AS sid, CAST(s.host_name AS nchar(128)) AS hostname,
    CAST(s.program_name AS nchar(128)) AS program_name, CAST(s.host_process_id AS nchar(10)) AS hostprocess, CAST(COALESCE(r.command, 'AWAITING COMMAND') AS nchar(26)) AS cmd, CAST('' AS nchar(128)) AS nt_domain,
    CAST('' AS nchar(128)) AS nt_username, CAST('' AS nchar(12)) AS net_address, CAST('TCP/IP' AS nchar(12)) AS net_library, CAST(s.login_name AS nchar(128)) AS loginame, CAST(0x AS binary(128)) AS context_info,
    b.sql_handle, CAST(0 AS int) AS stmt_start, CAST(-1 AS int) AS stmt_end, CAST(0 AS int) AS request_id
FROM sys.dm_exec_sessions AS s LEFT JOIN sys.dm_exec_requests AS r ON r.session_id = s.session_id LEFT JOIN sys.session_batches AS b ON b.session_id = s.session_id
GO
CREATE VIEW sys.dm_tran_session_transactions AS
SELECT CAST(s.session_id AS int) AS session_id, CAST(s.session_id AS bigint) + 1000000 AS transaction_id, CAST(NULL AS binary(8)) AS transaction_descriptor, CAST(0 AS int) AS enlist_count, CAST(1 AS bit) AS is_user_transaction,
    CAST(1 AS bit) AS is_local, CAST(0 AS bit) AS is_enlisted, CAST(0 AS bit) AS is_bound, s.open_transaction_count
FROM sys.dm_exec_sessions AS s WHERE s.open_transaction_count > 0
GO
CREATE VIEW sys.dm_tran_active_transactions AS
SELECT t.transaction_id, CAST('user_transaction' AS nvarchar(32)) AS name, s.last_request_start_time AS transaction_begin_time, CAST(1 AS int) AS transaction_type, CAST(NULL AS uniqueidentifier) AS transaction_uow,
    CAST(2 AS int) AS transaction_state, CAST(0 AS int) AS transaction_status, CAST(0 AS int) AS transaction_status2, CAST(0 AS int) AS dtc_state, CAST(0 AS int) AS dtc_status, CAST(0 AS int) AS dtc_isolation_level
FROM sys.dm_tran_session_transactions AS t JOIN sys.dm_exec_sessions AS s ON s.session_id = t.session_id
GO
CREATE VIEW sys.dm_tran_database_transactions AS
SELECT t.transaction_id, CAST(s.database_id AS int) AS database_id, s.last_request_start_time AS database_transaction_begin_time, CAST(1 AS int) AS database_transaction_type, CAST(4 AS int) AS database_transaction_state,
    CAST(0 AS int) AS database_transaction_status, CAST(0 AS bigint) AS database_transaction_log_record_count, CAST(0 AS bigint) AS database_transaction_log_bytes_used,
    CAST(0 AS bigint) AS database_transaction_log_bytes_reserved
FROM sys.dm_tran_session_transactions AS t JOIN sys.dm_exec_sessions AS s ON s.session_id = t.session_id
GO
CREATE VIEW sys.dm_tran_current_transaction AS
SELECT t.transaction_id, CAST(NULL AS bigint) AS transaction_sequence_num, CAST(0 AS bit) AS transaction_is_snapshot, CAST(NULL AS bigint) AS first_snapshot_sequence_num, CAST(NULL AS bigint) AS last_transaction_sequence_num,
    CAST(NULL AS bigint) AS first_useful_sequence_num
FROM sys.dm_tran_session_transactions AS t WHERE t.session_id = @@SPID
GO
CREATE VIEW sys.dm_tran_locks AS
SELECT l.resource_type, CAST('' AS nvarchar(60)) AS resource_subtype, l.resource_database_id, CAST('' AS nvarchar(256)) AS resource_description, CAST(0 AS bigint) AS resource_associated_entity_id, CAST(0 AS int) AS resource_lock_partition,
    l.request_mode, CAST('LOCK' AS nvarchar(60)) AS request_type, l.request_status, CAST(1 AS smallint) AS request_reference_count, CAST(0 AS int) AS request_lifetime, l.request_session_id, CAST(0 AS int) AS request_exec_context_id,
    CAST(0 AS int) AS request_request_id, CAST('TRANSACTION' AS nvarchar(60)) AS request_owner_type, CAST(l.request_session_id AS bigint) + 1000000 AS request_owner_id, CAST(NULL AS varbinary(8)) AS lock_owner_address
FROM sys.dm_tran_locks AS l WHERE l.request_session_id = @@SPID OR IS_SRVROLEMEMBER('serveradmin') = 1 OR IS_SRVROLEMEMBER('processadmin') = 1
GO
CREATE VIEW sys.dm_os_waiting_tasks AS
SELECT CAST(NULL AS varbinary(8)) AS waiting_task_address, r.session_id, CAST(0 AS int) AS exec_context_id, CAST(r.wait_time AS bigint) AS wait_duration_ms, r.wait_type, CAST(NULL AS varbinary(8)) AS resource_address,
    CAST(NULL AS varbinary(8)) AS blocking_task_address, r.blocking_session_id, CAST(NULL AS int) AS blocking_exec_context_id, CAST(NULL AS nvarchar(3072)) AS resource_description
FROM sys.dm_exec_requests AS r WHERE r.wait_type IS NOT NULL
GO
CREATE VIEW sys.dm_os_schedulers AS
SELECT CAST(0x00 AS varbinary(8)) AS scheduler_address, CAST(0 AS int) AS parent_node_id, CAST(0 AS int) AS scheduler_id, CAST(0 AS smallint) AS cpu_id, CAST('VISIBLE ONLINE' AS nvarchar(60)) AS status, CAST(1 AS bit) AS is_online,
    CAST(0 AS bit) AS is_idle, CAST(0 AS int) AS current_tasks_count, CAST(0 AS int) AS runnable_tasks_count, CAST(0 AS int) AS current_workers_count, CAST(0 AS int) AS active_workers_count, CAST(0 AS bigint) AS work_queue_count,
    CAST(0 AS int) AS pending_disk_io_count, CAST(0 AS int) AS load_factor
GO
CREATE VIEW sys.dm_os_process_memory AS
SELECT CAST(0 AS bigint) AS physical_memory_in_use_kb, CAST(0 AS bigint) AS large_page_allocations_kb, CAST(0 AS bigint) AS locked_page_allocations_kb, CAST(0 AS bigint) AS total_virtual_address_space_kb,
    CAST(0 AS bigint) AS virtual_address_space_committed_kb, CAST(0 AS bigint) AS page_fault_count, CAST(100 AS int) AS memory_utilization_percentage, CAST(0 AS bigint) AS available_commit_limit_kb,
    CAST(0 AS bit) AS process_physical_memory_low, CAST(0 AS bit) AS process_virtual_memory_low
GO
CREATE VIEW sys.dm_os_sys_memory AS
SELECT CAST(s.physical_memory_kb AS bigint) AS total_physical_memory_kb, CAST(s.physical_memory_kb AS bigint) AS available_physical_memory_kb, CAST(0 AS bigint) AS total_page_file_kb, CAST(0 AS bigint) AS available_page_file_kb,
    CAST(0 AS bigint) AS system_cache_kb, CAST(0 AS bigint) AS kernel_paged_pool_kb, CAST(0 AS bigint) AS kernel_nonpaged_pool_kb, CAST(1 AS bit) AS system_high_memory_signal_state,
    CAST(0 AS bit) AS system_low_memory_signal_state, CAST('Available physical memory is high' AS nvarchar(256)) AS system_memory_state_desc
FROM sys.dm_os_sys_info AS s
GO
CREATE VIEW sys.dm_server_services AS
SELECT CAST('SQL Server (MSSQLSERVER)' AS nvarchar(256)) AS servicename, CAST(2 AS int) AS startup_type, CAST('Automatic' AS nvarchar(256)) AS startup_type_desc, CAST(4 AS int) AS status, CAST('Running' AS nvarchar(256)) AS status_desc,
    CAST(SERVERPROPERTY('ProcessID') AS int) AS process_id, CAST(NULL AS datetimeoffset(7)) AS last_startup_time, CAST('' AS nvarchar(256)) AS service_account, CAST('' AS nvarchar(256)) AS filename,
    CAST('N' AS nvarchar(1)) AS is_clustered, CAST(NULL AS nvarchar(256)) AS cluster_nodename, CAST('N' AS nvarchar(1)) AS instant_file_initialization_enabled
GO
CREATE VIEW sys.dm_db_log_space_usage AS
SELECT CAST(DB_ID() AS int) AS database_id, CAST(f.size AS bigint) * 8192 AS total_log_size_in_bytes, CAST(f.size AS bigint) * 8192 AS used_log_space_in_bytes, CAST(100 AS real) AS used_log_space_in_percent,
    CAST(0 AS bigint) AS log_space_in_bytes_since_last_backup
FROM sys.database_files AS f WHERE f.type = 1
GO
CREATE VIEW sys.dm_db_file_space_usage AS
SELECT CAST(DB_ID() AS int) AS database_id, f.file_id, CAST(1 AS int) AS filegroup_id, CAST(f.size AS bigint) AS total_page_count, CAST(f.size AS bigint) AS allocated_extent_page_count, CAST(0 AS bigint) AS unallocated_extent_page_count,
    CAST(0 AS bigint) AS version_store_reserved_page_count, CAST(0 AS bigint) AS user_object_reserved_page_count, CAST(0 AS bigint) AS internal_object_reserved_page_count, CAST(0 AS bigint) AS mixed_extent_page_count
FROM sys.database_files AS f WHERE f.type = 0
GO
CREATE VIEW sys.resource_governor_configuration AS SELECT CAST(0 AS int) AS classifier_function_id, CAST(0 AS bit) AS is_enabled, CAST(0 AS int) AS max_outstanding_io_per_volume
GO
CREATE VIEW sys.sysobjects AS
SELECT o.*, CAST(0 AS smallint) AS info, CAST(0 AS int) AS status, CAST(0 AS int) AS base_schema_ver, CAST(0 AS int) AS replinfo, CAST(0 AS smallint) AS ftcatid, CAST(0 AS int) AS schema_ver, CAST(0 AS int) AS stats_schema_ver,
    CAST(1 AS smallint) AS userstat, CAST(0 AS smallint) AS indexdel, o.crdate AS refdate, CAST(0 AS int) AS version, CAST(0 AS int) AS deltrig, CAST(0 AS int) AS instrig, CAST(0 AS int) AS updtrig, CAST(0 AS int) AS seltrig, CAST(0 AS smallint) AS cache
FROM sys.sysobjects AS o
GO
CREATE VIEW sys.syscolumns AS
SELECT c.name, c.object_id AS id, CAST(t.system_type_id AS tinyint) AS xtype, CAST(0 AS tinyint) AS typestat, CAST(c.user_type_id AS smallint) AS xusertype, c.max_length AS length, CAST(c.precision AS tinyint) AS xprec, CAST(c.scale AS tinyint) AS xscale,
    CAST(c.column_id AS smallint) AS colid, CAST(0 AS smallint) AS xoffset, CAST(0 AS tinyint) AS bitpos, CAST(0 AS tinyint) AS reserved, CAST(0 AS smallint) AS colstat, c.default_object_id AS cdefault, CAST(0 AS int) AS domain,
    CAST(0 AS smallint) AS number, CAST(c.column_id AS smallint) AS colorder, CAST(NULL AS varbinary(8000)) AS autoval, CAST(0 AS smallint) AS offset, CAST(0 AS int) AS collationid, CAST(CASE c.is_nullable WHEN 1 THEN 8 ELSE 0 END + CASE c.is_identity WHEN 1 THEN 128 ELSE 0 END AS tinyint) AS status,
    CAST(c.system_type_id AS tinyint) AS type, CAST(c.user_type_id AS smallint) AS usertype, CAST(NULL AS varchar(255)) AS printfmt, CAST(c.precision AS smallint) AS prec, CAST(c.scale AS int) AS scale, CAST(c.is_computed AS int) AS iscomputed,
    CAST(0 AS int) AS isoutparam, CAST(c.is_nullable AS int) AS isnullable, c.collation_name AS collation
FROM sys.columns AS c JOIN sys.types AS t ON t.user_type_id = c.user_type_id
UNION ALL
SELECT p.name, p.object_id, CAST(p.system_type_id AS tinyint), CAST(0 AS tinyint), CAST(p.user_type_id AS smallint), p.max_length, CAST(p.precision AS tinyint), CAST(p.scale AS tinyint), CAST(p.parameter_id AS smallint), CAST(0 AS smallint), CAST(0 AS tinyint),
    CAST(0 AS tinyint), CAST(4 AS smallint), CAST(0 AS int), CAST(0 AS int), CAST(1 AS smallint), CAST(p.parameter_id AS smallint), CAST(NULL AS varbinary(8000)), CAST(0 AS smallint), CAST(0 AS int), CAST(8 AS tinyint), CAST(p.system_type_id AS tinyint),
    CAST(p.user_type_id AS smallint), CAST(NULL AS varchar(255)), CAST(p.precision AS smallint), CAST(p.scale AS int), CAST(0 AS int), CAST(p.is_output AS int), CAST(1 AS int), CAST(NULL AS sysname)
FROM sys.parameters AS p
GO
CREATE VIEW sys.sysindexes AS
SELECT i.object_id AS id, CAST(CASE WHEN i.is_unique = 1 THEN 2 ELSE 0 END + CASE WHEN i.is_primary_key = 1 THEN 2048 ELSE 0 END + CASE WHEN i.is_unique_constraint = 1 THEN 4096 ELSE 0 END + CASE WHEN i.type = 1 THEN 16 ELSE 0 END AS int) AS status,
    CAST(0 AS binary(6)) AS first, CAST(i.index_id AS smallint) AS indid, CAST(0 AS binary(6)) AS root, CAST(0 AS smallint) AS minlen, CAST((SELECT COUNT(*) FROM sys.index_columns AS k WHERE k.object_id = i.object_id AND k.index_id = i.index_id) AS smallint) AS keycnt,
    CAST(1 AS smallint) AS groupid, CAST(r.pages AS int) AS dpages, CAST(r.pages AS int) AS reserved, CAST(r.pages AS int) AS used, r.rows AS rowcnt, CAST(0 AS int) AS rowmodctr, CAST(i.fill_factor AS tinyint) AS OrigFillFactor, i.name,
    CAST(NULL AS image) AS statblob, CAST(r.rows AS int) AS rows
FROM sys.indexes AS i JOIN sys.table_rows AS r ON r.object_id = i.object_id
GO
CREATE VIEW sys.sysindexkeys AS SELECT k.object_id AS id, CAST(k.index_id AS smallint) AS indid, CAST(k.column_id AS smallint) AS colid, CAST(k.key_ordinal AS smallint) AS keyno FROM sys.index_columns AS k WHERE k.key_ordinal > 0
GO
CREATE VIEW sys.sysusers AS
SELECT CAST(p.principal_id AS smallint) AS uid, CAST(0 AS smallint) AS status, p.name, p.sid, p.create_date AS createdate, p.modify_date AS updatedate, CAST(0 AS smallint) AS altuid, CAST(CASE p.type WHEN 'R' THEN p.principal_id ELSE 0 END AS smallint) AS gid,
    CAST(1 AS int) AS hasdbaccess, CAST(CASE p.type WHEN 'S' THEN 1 ELSE 0 END AS int) AS islogin, CAST(0 AS int) AS isntname, CAST(0 AS int) AS isntgroup, CAST(0 AS int) AS isntuser, CAST(CASE p.type WHEN 'S' THEN 1 ELSE 0 END AS int) AS issqluser,
    CAST(0 AS int) AS isaliased, CAST(CASE p.type WHEN 'R' THEN 1 ELSE 0 END AS int) AS issqlrole, CAST(0 AS int) AS isapprole
FROM sys.database_principals AS p
GO
CREATE VIEW sys.systypes AS
SELECT t.name, CAST(t.system_type_id AS tinyint) AS xtype, CAST(0 AS tinyint) AS status, CAST(t.user_type_id AS smallint) AS xusertype, t.max_length AS length, t.precision AS xprec, t.scale AS xscale, CAST(0 AS int) AS tdefault, CAST(0 AS int) AS domain,
    CAST(t.schema_id AS smallint) AS uid, CAST(0 AS smallint) AS reserved, CAST(0 AS int) AS collationid, CAST(t.user_type_id AS smallint) AS usertype, CAST(CASE WHEN t.max_length <> 0 AND t.name LIKE '%var%' THEN 1 ELSE 0 END AS bit) AS variable,
    t.is_nullable AS allownulls, CAST(t.system_type_id AS tinyint) AS type, CAST(NULL AS varchar(255)) AS printfmt, CAST(t.precision AS smallint) AS prec, t.scale, t.collation_name AS collation
FROM sys.types AS t
GO
CREATE VIEW sys.syscomments AS
SELECT m.object_id AS id, CAST(CASE o.type WHEN 'P' THEN 1 ELSE 0 END AS smallint) AS number, CAST(1 AS smallint) AS colid, CAST(0 AS smallint) AS status, CAST(NULL AS varbinary(8000)) AS ctext, CAST(2 AS smallint) AS texttype,
    CAST(0 AS smallint) AS language, CAST(0 AS bit) AS encrypted, CAST(0 AS bit) AS compressed, CAST(m.definition AS nvarchar(4000)) AS text
FROM sys.sql_modules AS m JOIN sys.objects AS o ON o.object_id = m.object_id
UNION ALL
SELECT c.object_id, CAST(0 AS smallint), CAST(1 AS smallint), CAST(0 AS smallint), CAST(NULL AS varbinary(8000)), CAST(2 AS smallint), CAST(0 AS smallint), CAST(0 AS bit), CAST(0 AS bit), CAST(c.definition AS nvarchar(4000)) FROM sys.check_constraints AS c
UNION ALL
SELECT c.object_id, CAST(0 AS smallint), CAST(1 AS smallint), CAST(0 AS smallint), CAST(NULL AS varbinary(8000)), CAST(2 AS smallint), CAST(0 AS smallint), CAST(0 AS bit), CAST(0 AS bit), CAST(c.definition AS nvarchar(4000)) FROM sys.default_constraints AS c
GO
CREATE VIEW sys.sysforeignkeys AS
SELECT k.constraint_object_id AS constid, k.parent_object_id AS fkeyid, k.referenced_object_id AS rkeyid, CAST(k.parent_column_id AS smallint) AS fkey, CAST(k.referenced_column_id AS smallint) AS rkey, CAST(k.constraint_column_id AS smallint) AS keyno FROM sys.foreign_key_columns AS k
GO
CREATE VIEW sys.sysreferences AS
SELECT f.object_id AS constid, f.parent_object_id AS fkeyid, f.referenced_object_id AS rkeyid, CAST(f.key_index_id AS smallint) AS rkeyindid, CAST((SELECT COUNT(*) FROM sys.foreign_key_columns AS k WHERE k.constraint_object_id = f.object_id) AS smallint) AS keycnt FROM sys.foreign_keys AS f
GO
CREATE VIEW sys.sysconstraints AS
SELECT o.object_id AS constid, o.parent_object_id AS id, CAST(0 AS smallint) AS colid, CAST(0 AS tinyint) AS spare1, CAST(CASE o.type WHEN 'PK' THEN 1 WHEN 'UQ' THEN 2 WHEN 'F' THEN 3 WHEN 'C' THEN 4 ELSE 5 END AS int) AS status, CAST(0 AS int) AS actions, CAST(0 AS int) AS error
FROM sys.objects AS o WHERE o.type IN ('PK', 'UQ', 'F', 'C', 'D')
GO
CREATE VIEW sys.sysfiles AS
SELECT CAST(f.file_id AS smallint) AS fileid, CAST(1 AS smallint) AS groupid, f.size, f.max_size AS maxsize, f.growth, CAST(2 AS int) AS status, CAST(0 AS int) AS perf, f.name, f.physical_name AS filename FROM sys.database_files AS f
GO
CREATE VIEW sys.sysaltfiles AS
SELECT CAST(f.file_id AS smallint) AS fileid, CAST(1 AS smallint) AS groupid, f.size, f.max_size AS maxsize, f.growth, CAST(2 AS int) AS status, CAST(0 AS int) AS perf, CAST(f.database_id AS smallint) AS dbid, f.name, f.physical_name AS filename FROM sys.master_files AS f
GO
CREATE VIEW sys.sysfilegroups AS SELECT CAST(g.data_space_id AS smallint) AS groupid, CAST(0 AS smallint) AS allocpolicy, CAST(0 AS int) AS status, g.name AS groupname FROM sys.filegroups AS g
GO
CREATE VIEW sys.sysmembers AS SELECT CAST(m.member_principal_id AS smallint) AS memberuid, CAST(m.role_principal_id AS smallint) AS groupuid FROM sys.database_role_members AS m
GO
CREATE VIEW sys.syslogins AS
SELECT l.*, CAST(9 AS smallint) AS status, p.create_date AS createdate, p.modify_date AS updatedate, p.create_date AS accdate, CAST(0 AS int) AS totcpu, CAST(0 AS int) AS totio, CAST(NULL AS sysname) AS password, p.default_language_name AS language,
    CAST(0 AS int) AS denylogin, CAST(1 AS int) AS hasaccess, CAST(0 AS int) AS isntname, CAST(0 AS int) AS isntgroup, CAST(0 AS int) AS isntuser, IS_SRVROLEMEMBER('securityadmin', l.name) AS securityadmin, IS_SRVROLEMEMBER('serveradmin', l.name) AS serveradmin,
    IS_SRVROLEMEMBER('setupadmin', l.name) AS setupadmin, IS_SRVROLEMEMBER('processadmin', l.name) AS processadmin, IS_SRVROLEMEMBER('diskadmin', l.name) AS diskadmin, IS_SRVROLEMEMBER('dbcreator', l.name) AS dbcreator, IS_SRVROLEMEMBER('bulkadmin', l.name) AS bulkadmin
FROM sys.syslogins AS l JOIN sys.server_principals AS p ON p.name = l.name
GO
CREATE VIEW INFORMATION_SCHEMA.CHECK_CONSTRAINTS AS
SELECT DB_NAME() AS CONSTRAINT_CATALOG, SCHEMA_NAME(c.schema_id) AS CONSTRAINT_SCHEMA, c.name AS CONSTRAINT_NAME, CAST(c.definition AS nvarchar(4000)) AS CHECK_CLAUSE FROM sys.check_constraints AS c
GO
CREATE VIEW INFORMATION_SCHEMA.TABLE_CONSTRAINTS AS
SELECT c.*, CAST('NO' AS varchar(2)) AS IS_DEFERRABLE, CAST('NO' AS varchar(2)) AS INITIALLY_DEFERRED FROM INFORMATION_SCHEMA.TABLE_CONSTRAINTS AS c
GO
CREATE VIEW INFORMATION_SCHEMA.CONSTRAINT_TABLE_USAGE AS
SELECT t.TABLE_CATALOG, t.TABLE_SCHEMA, t.TABLE_NAME, t.CONSTRAINT_CATALOG, t.CONSTRAINT_SCHEMA, t.CONSTRAINT_NAME FROM INFORMATION_SCHEMA.TABLE_CONSTRAINTS AS t
GO
CREATE VIEW INFORMATION_SCHEMA.CONSTRAINT_COLUMN_USAGE AS
SELECT k.TABLE_CATALOG, k.TABLE_SCHEMA, k.TABLE_NAME, k.COLUMN_NAME, k.CONSTRAINT_CATALOG, k.CONSTRAINT_SCHEMA, k.CONSTRAINT_NAME FROM INFORMATION_SCHEMA.KEY_COLUMN_USAGE AS k
UNION ALL
SELECT DB_NAME(), SCHEMA_NAME(t.schema_id), t.name, c.name, DB_NAME(), SCHEMA_NAME(k.schema_id), k.name
FROM sys.check_constraints AS k JOIN sys.tables AS t ON t.object_id = k.parent_object_id JOIN sys.columns AS c ON c.object_id = t.object_id AND k.definition LIKE '%' + REPLACE(QUOTENAME(c.name), '[', '[[]') + '%'
GO
CREATE VIEW INFORMATION_SCHEMA.VIEWS AS SELECT v.*, CAST('NONE' AS varchar(7)) AS CHECK_OPTION, CAST('NO' AS varchar(2)) AS IS_UPDATABLE FROM INFORMATION_SCHEMA.VIEWS AS v
GO
CREATE VIEW INFORMATION_SCHEMA.VIEW_TABLE_USAGE AS
SELECT DB_NAME() AS VIEW_CATALOG, SCHEMA_NAME(v.schema_id) AS VIEW_SCHEMA, v.name AS VIEW_NAME, DB_NAME() AS TABLE_CATALOG, SCHEMA_NAME(o.schema_id) AS TABLE_SCHEMA, o.name AS TABLE_NAME
FROM sys.views AS v JOIN sys.module_names AS d ON d.referencing_id = v.object_id JOIN sys.objects AS o ON o.object_id = d.referenced_id AND o.type IN ('U', 'V')
GO
CREATE VIEW INFORMATION_SCHEMA.VIEW_COLUMN_USAGE AS
SELECT u.VIEW_CATALOG, u.VIEW_SCHEMA, u.VIEW_NAME, u.TABLE_CATALOG, u.TABLE_SCHEMA, u.TABLE_NAME, c.name AS COLUMN_NAME
FROM INFORMATION_SCHEMA.VIEW_TABLE_USAGE AS u JOIN sys.columns AS c ON c.object_id = OBJECT_ID(QUOTENAME(u.TABLE_SCHEMA) + '.' + QUOTENAME(u.TABLE_NAME))
    JOIN sys.columns AS v ON v.object_id = OBJECT_ID(QUOTENAME(u.VIEW_SCHEMA) + '.' + QUOTENAME(u.VIEW_NAME)) AND v.name = c.name
GO
CREATE VIEW INFORMATION_SCHEMA.SCHEMATA AS
SELECT s.*, CAST(NULL AS varchar(6)) AS DEFAULT_CHARACTER_SET_CATALOG, CAST(NULL AS varchar(3)) AS DEFAULT_CHARACTER_SET_SCHEMA, CAST('iso_1' AS sysname) AS DEFAULT_CHARACTER_SET_NAME FROM INFORMATION_SCHEMA.SCHEMATA AS s
GO
CREATE VIEW INFORMATION_SCHEMA.COLUMNS AS
SELECT c.*, CAST(NULL AS sysname) AS CHARACTER_SET_CATALOG, CAST(NULL AS sysname) AS CHARACTER_SET_SCHEMA, CAST(NULL AS sysname) AS COLLATION_CATALOG, CAST(NULL AS sysname) AS COLLATION_SCHEMA, CAST(NULL AS sysname) AS DOMAIN_CATALOG,
    CAST(NULL AS sysname) AS DOMAIN_SCHEMA, CAST(NULL AS sysname) AS DOMAIN_NAME
FROM INFORMATION_SCHEMA.COLUMNS AS c
GO
CREATE VIEW INFORMATION_SCHEMA.PARAMETERS AS
SELECT DB_NAME() AS SPECIFIC_CATALOG, SCHEMA_NAME(o.schema_id) AS SPECIFIC_SCHEMA, o.name AS SPECIFIC_NAME, CAST(p.parameter_id AS int) AS ORDINAL_POSITION,
    CAST(CASE WHEN p.parameter_id = 0 THEN 'OUT' WHEN p.is_output = 1 THEN 'INOUT' ELSE 'IN' END AS nvarchar(10)) AS PARAMETER_MODE, CAST(CASE WHEN p.parameter_id = 0 THEN 'YES' ELSE 'NO' END AS nvarchar(10)) AS IS_RESULT,
    CAST('NO' AS nvarchar(10)) AS AS_LOCATOR, p.name AS PARAMETER_NAME, t.name AS DATA_TYPE,
    CAST(CASE WHEN t.name IN ('char', 'varchar', 'binary', 'varbinary') OR p.max_length = -1 THEN p.max_length WHEN t.name IN ('nchar', 'nvarchar') THEN p.max_length / 2 END AS int) AS CHARACTER_MAXIMUM_LENGTH,
    CAST(CASE WHEN t.name IN ('char', 'varchar', 'nchar', 'nvarchar', 'binary', 'varbinary') THEN p.max_length END AS int) AS CHARACTER_OCTET_LENGTH, CAST(NULL AS sysname) AS COLLATION_CATALOG, CAST(NULL AS sysname) AS COLLATION_SCHEMA,
    CAST(CASE WHEN t.name IN ('char', 'varchar', 'nchar', 'nvarchar') THEN DATABASEPROPERTYEX(DB_NAME(), 'Collation') END AS sysname) AS COLLATION_NAME, CAST(NULL AS sysname) AS CHARACTER_SET_CATALOG, CAST(NULL AS sysname) AS CHARACTER_SET_SCHEMA,
    CAST(CASE WHEN t.name IN ('nchar', 'nvarchar') THEN 'UNICODE' WHEN t.name IN ('char', 'varchar') THEN 'iso_1' END AS sysname) AS CHARACTER_SET_NAME,
    CAST(CASE WHEN t.name IN ('tinyint', 'smallint', 'int', 'bigint', 'decimal', 'numeric', 'money', 'smallmoney', 'float', 'real') THEN p.precision END AS tinyint) AS NUMERIC_PRECISION,
    CAST(CASE WHEN t.name IN ('float', 'real') THEN 2 WHEN t.name IN ('tinyint', 'smallint', 'int', 'bigint', 'decimal', 'numeric', 'money', 'smallmoney') THEN 10 END AS smallint) AS NUMERIC_PRECISION_RADIX,
    CAST(CASE WHEN t.name IN ('tinyint', 'smallint', 'int', 'bigint', 'decimal', 'numeric', 'money', 'smallmoney') THEN p.scale END AS int) AS NUMERIC_SCALE,
    CAST(CASE WHEN t.name IN ('date', 'time', 'datetime', 'datetime2', 'smalldatetime', 'datetimeoffset') THEN p.scale END AS smallint) AS DATETIME_PRECISION, CAST(NULL AS nvarchar(30)) AS INTERVAL_TYPE, CAST(NULL AS smallint) AS INTERVAL_PRECISION,
    CAST(NULL AS sysname) AS USER_DEFINED_TYPE_CATALOG, CAST(NULL AS sysname) AS USER_DEFINED_TYPE_SCHEMA, CAST(NULL AS sysname) AS USER_DEFINED_TYPE_NAME, CAST(NULL AS sysname) AS SCOPE_CATALOG, CAST(NULL AS sysname) AS SCOPE_SCHEMA, CAST(NULL AS sysname) AS SCOPE_NAME
FROM sys.parameters AS p JOIN sys.objects AS o ON o.object_id = p.object_id JOIN sys.types AS t ON t.user_type_id = p.user_type_id
GO
CREATE VIEW INFORMATION_SCHEMA.ROUTINES AS
SELECT r.ROUTINE_CATALOG AS SPECIFIC_CATALOG, r.ROUTINE_SCHEMA AS SPECIFIC_SCHEMA, r.ROUTINE_NAME AS SPECIFIC_NAME, r.ROUTINE_CATALOG, r.ROUTINE_SCHEMA, r.ROUTINE_NAME, r.ROUTINE_TYPE, CAST(NULL AS sysname) AS MODULE_CATALOG, CAST(NULL AS sysname) AS MODULE_SCHEMA,
    CAST(NULL AS sysname) AS MODULE_NAME, CAST(NULL AS sysname) AS UDT_CATALOG, CAST(NULL AS sysname) AS UDT_SCHEMA, CAST(NULL AS sysname) AS UDT_NAME, CASE WHEN o.type = 'IF' THEN CAST('TABLE' AS sysname) ELSE p.DATA_TYPE END AS DATA_TYPE, p.CHARACTER_MAXIMUM_LENGTH, p.CHARACTER_OCTET_LENGTH,
    p.COLLATION_CATALOG, p.COLLATION_SCHEMA, p.COLLATION_NAME, p.CHARACTER_SET_CATALOG, p.CHARACTER_SET_SCHEMA, p.CHARACTER_SET_NAME, p.NUMERIC_PRECISION, p.NUMERIC_PRECISION_RADIX, CAST(p.NUMERIC_SCALE AS smallint) AS NUMERIC_SCALE, p.DATETIME_PRECISION,
    p.INTERVAL_TYPE, p.INTERVAL_PRECISION, CAST(NULL AS sysname) AS TYPE_UDT_CATALOG, CAST(NULL AS sysname) AS TYPE_UDT_SCHEMA, CAST(NULL AS sysname) AS TYPE_UDT_NAME, CAST(NULL AS sysname) AS SCOPE_CATALOG, CAST(NULL AS sysname) AS SCOPE_SCHEMA,
    CAST(NULL AS sysname) AS SCOPE_NAME, CAST(NULL AS bigint) AS MAXIMUM_CARDINALITY, CAST(NULL AS sysname) AS DTD_IDENTIFIER, CAST('SQL' AS nvarchar(30)) AS ROUTINE_BODY, r.ROUTINE_DEFINITION, CAST(NULL AS sysname) AS EXTERNAL_NAME,
    CAST(NULL AS nvarchar(30)) AS EXTERNAL_LANGUAGE, CAST(NULL AS nvarchar(30)) AS PARAMETER_STYLE, CAST('NO' AS nvarchar(10)) AS IS_DETERMINISTIC, CAST(CASE r.ROUTINE_TYPE WHEN 'PROCEDURE' THEN 'MODIFIES' ELSE 'READS' END AS nvarchar(30)) AS SQL_DATA_ACCESS,
    CAST(CASE r.ROUTINE_TYPE WHEN 'FUNCTION' THEN 'NO' END AS nvarchar(10)) AS IS_NULL_CALL, CAST(NULL AS sysname) AS SQL_PATH, CAST('YES' AS nvarchar(10)) AS SCHEMA_LEVEL_ROUTINE, CAST(CASE r.ROUTINE_TYPE WHEN 'PROCEDURE' THEN -1 ELSE 0 END AS smallint) AS MAX_DYNAMIC_RESULT_SETS,
    CAST('NO' AS nvarchar(10)) AS IS_USER_DEFINED_CAST, CAST('NO' AS nvarchar(10)) AS IS_IMPLICITLY_INVOCABLE, o.create_date AS CREATED, o.modify_date AS LAST_ALTERED
FROM INFORMATION_SCHEMA.ROUTINES AS r JOIN sys.objects AS o ON o.name = r.ROUTINE_NAME AND SCHEMA_NAME(o.schema_id) = r.ROUTINE_SCHEMA AND o.parent_object_id = 0
    LEFT JOIN INFORMATION_SCHEMA.PARAMETERS AS p ON p.SPECIFIC_SCHEMA = r.ROUTINE_SCHEMA AND p.SPECIFIC_NAME = r.ROUTINE_NAME AND p.ORDINAL_POSITION = 0
GO
CREATE VIEW INFORMATION_SCHEMA.ROUTINE_COLUMNS AS
SELECT DB_NAME() AS TABLE_CATALOG, SCHEMA_NAME(o.schema_id) AS TABLE_SCHEMA, o.name AS TABLE_NAME, c.name AS COLUMN_NAME, CAST(c.column_id AS int) AS ORDINAL_POSITION, CAST(NULL AS nvarchar(4000)) AS COLUMN_DEFAULT,
    CAST(CASE c.is_nullable WHEN 1 THEN 'YES' ELSE 'NO' END AS varchar(3)) AS IS_NULLABLE, t.name AS DATA_TYPE, CAST(CASE WHEN t.name IN ('nchar', 'nvarchar') AND c.max_length > 0 THEN c.max_length / 2 WHEN t.name IN ('char', 'varchar', 'binary', 'varbinary', 'nvarchar') THEN c.max_length END AS int) AS CHARACTER_MAXIMUM_LENGTH
FROM sys.columns AS c JOIN sys.objects AS o ON o.object_id = c.object_id AND o.type = 'IF' JOIN sys.types AS t ON t.user_type_id = c.user_type_id
GO
CREATE VIEW INFORMATION_SCHEMA.TABLE_PRIVILEGES AS
SELECT CAST('dbo' AS sysname) AS GRANTOR, CAST('dbo' AS sysname) AS GRANTEE, t.TABLE_CATALOG, t.TABLE_SCHEMA, t.TABLE_NAME, CAST(p.name AS varchar(10)) AS PRIVILEGE_TYPE, CAST('YES' AS varchar(3)) AS IS_GRANTABLE
FROM INFORMATION_SCHEMA.TABLES AS t CROSS JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE'), ('REFERENCES')) AS p(name)
GO
CREATE VIEW INFORMATION_SCHEMA.COLUMN_PRIVILEGES AS
SELECT CAST('dbo' AS sysname) AS GRANTOR, CAST('dbo' AS sysname) AS GRANTEE, c.TABLE_CATALOG, c.TABLE_SCHEMA, c.TABLE_NAME, c.COLUMN_NAME, CAST(p.name AS varchar(10)) AS PRIVILEGE_TYPE, CAST('YES' AS varchar(3)) AS IS_GRANTABLE
FROM INFORMATION_SCHEMA.COLUMNS AS c CROSS JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('REFERENCES')) AS p(name)
GO
CREATE FUNCTION sys.dm_exec_sql_text (@handle varbinary(64)) RETURNS TABLE AS RETURN
SELECT CAST(b.database_id AS smallint) AS dbid, CAST(NULL AS int) AS objectid, CAST(NULL AS smallint) AS number, CAST(0 AS bit) AS encrypted, b.text FROM sys.session_batches AS b WHERE b.sql_handle = @handle
GO
CREATE FUNCTION sys.dm_exec_input_buffer (@session_id smallint, @request_id int) RETURNS TABLE AS RETURN
SELECT CAST('Language Event' AS nvarchar(256)) AS event_type, CAST(0 AS smallint) AS parameters, b.text AS event_info FROM sys.session_batches AS b WHERE b.session_id = @session_id
GO
CREATE FUNCTION sys.dm_exec_query_plan (@handle varbinary(64)) RETURNS TABLE AS RETURN
SELECT CAST(NULL AS smallint) AS dbid, CAST(NULL AS int) AS objectid, CAST(NULL AS smallint) AS number, CAST(0 AS bit) AS encrypted, CAST(NULL AS xml) AS query_plan WHERE 1 = 0
GO
CREATE FUNCTION sys.dm_db_index_physical_stats (@database_id smallint, @object_id int, @index_id int, @partition_number int, @mode sysname) RETURNS TABLE AS RETURN
SELECT CAST(DB_ID() AS smallint) AS database_id, i.object_id, i.index_id, CAST(1 AS int) AS partition_number, CAST(CASE i.type WHEN 0 THEN 'HEAP' WHEN 1 THEN 'CLUSTERED INDEX' ELSE 'NONCLUSTERED INDEX' END AS nvarchar(60)) AS index_type_desc,
    CAST('IN_ROW_DATA' AS nvarchar(60)) AS alloc_unit_type_desc, CAST(1 AS tinyint) AS index_depth, CAST(0 AS tinyint) AS index_level, CAST(0 AS float) AS avg_fragmentation_in_percent, CAST(1 AS bigint) AS fragment_count, CAST(0 AS float) AS avg_fragment_size_in_pages,
    r.pages AS page_count, CAST(NULL AS float) AS avg_page_space_used_in_percent, r.rows AS record_count, CAST(NULL AS bigint) AS ghost_record_count, CAST(NULL AS int) AS min_record_size_in_bytes, CAST(NULL AS int) AS max_record_size_in_bytes,
    CAST(NULL AS float) AS avg_record_size_in_bytes, CAST(NULL AS bigint) AS forwarded_record_count, CAST(NULL AS bigint) AS compressed_page_count
FROM sys.indexes AS i JOIN sys.table_rows AS r ON r.object_id = i.object_id
WHERE (@database_id IS NULL OR @database_id = DB_ID()) AND (@object_id IS NULL OR @object_id = 0 OR i.object_id = @object_id) AND (@index_id IS NULL OR @index_id = -1 OR i.index_id = @index_id)
GO
CREATE FUNCTION sys.dm_io_virtual_file_stats (@database_id smallint, @file_id smallint) RETURNS TABLE AS RETURN
SELECT CAST(f.database_id AS smallint) AS database_id, CAST(f.file_id AS smallint) AS file_id, CAST(0 AS bigint) AS sample_ms, CAST(0 AS bigint) AS num_of_reads, CAST(0 AS bigint) AS num_of_bytes_read, CAST(0 AS bigint) AS io_stall_read_ms,
    CAST(0 AS bigint) AS num_of_writes, CAST(0 AS bigint) AS num_of_bytes_written, CAST(0 AS bigint) AS io_stall_write_ms, CAST(0 AS bigint) AS io_stall, CAST(f.size AS bigint) * 8192 AS size_on_disk_bytes, CAST(NULL AS varbinary(8)) AS file_handle
FROM sys.master_files AS f WHERE (@database_id IS NULL OR f.database_id = @database_id) AND (@file_id IS NULL OR f.file_id = @file_id)
GO
CREATE FUNCTION sys.dm_os_volume_stats (@database_id int, @file_id int) RETURNS TABLE AS RETURN
SELECT f.database_id, f.file_id, CAST('/' AS nvarchar(512)) AS volume_mount_point, CAST('' AS nvarchar(512)) AS volume_id, CAST('' AS nvarchar(512)) AS logical_volume_name, CAST('' AS nvarchar(512)) AS file_system_type,
    CAST(0 AS bigint) AS total_bytes, CAST(0 AS bigint) AS available_bytes
FROM sys.master_files AS f WHERE f.database_id = @database_id AND f.file_id = @file_id
GO
CREATE FUNCTION sys.dm_db_stats_properties (@object_id int, @stats_id int) RETURNS TABLE AS RETURN
SELECT s.object_id, s.stats_id, CAST(NULL AS datetime2(7)) AS last_updated, r.rows, r.rows AS rows_sampled, CAST(0 AS int) AS steps, r.rows AS unfiltered_rows, CAST(0 AS bigint) AS modification_counter, CAST(0 AS float) AS persisted_sample_percent
FROM sys.stats AS s JOIN sys.table_rows AS r ON r.object_id = s.object_id WHERE s.object_id = @object_id AND s.stats_id = @stats_id
GO
CREATE FUNCTION sys.fn_helpcollations () RETURNS TABLE AS RETURN
SELECT CAST(c.name AS sysname) AS name, CAST(c.description AS nvarchar(1000)) AS description
FROM (VALUES ('SQL_Latin1_General_CP1_CI_AS', 'Latin1-General, case-insensitive, accent-sensitive, kanatype-insensitive, width-insensitive for Unicode Data, SQL Server Sort Order 52 on Code Page 1252 for non-Unicode Data'),
    ('Latin1_General_CI_AS', 'Latin1-General, case-insensitive, accent-sensitive, kanatype-insensitive, width-insensitive'), ('Latin1_General_100_CI_AS', 'Latin1-General-100, case-insensitive, accent-sensitive, kanatype-insensitive, width-insensitive'),
    ('Latin1_General_BIN2', 'Latin1-General, binary code point comparison sort'), ('Latin1_General_100_CI_AS_SC_UTF8', 'Latin1-General-100, case-insensitive, accent-sensitive, kanatype-insensitive, width-insensitive, supplementary characters, UTF8')) AS c(name, description)
WHERE COLLATIONPROPERTY(c.name, 'LCID') IS NOT NULL
GO
CREATE FUNCTION sys.fn_listextendedproperty (@name sysname, @level0type varchar(128), @level0name sysname, @level1type varchar(128), @level1name sysname, @level2type varchar(128), @level2name sysname) RETURNS TABLE AS RETURN
SELECT CAST(p.level_type AS sysname) AS objtype, p.object_name AS objname, p.name, p.value
FROM sys.extended_property_levels AS p
WHERE (@name IS NULL OR p.name = @name)
    AND ((@level0type IS NULL AND p.depth = 0)
      OR (@level0type IS NOT NULL AND @level1type IS NULL AND p.depth = 1 AND p.level0_type = @level0type AND (@level0name IS NULL OR p.level0_name = @level0name))
      OR (@level1type IS NOT NULL AND @level2type IS NULL AND p.depth = 2 AND p.level0_type = @level0type AND (@level0name IS NULL OR p.level0_name = @level0name) AND p.level1_type = @level1type AND (@level1name IS NULL OR p.level1_name = @level1name))
      OR (@level2type IS NOT NULL AND p.depth = 3 AND p.level0_type = @level0type AND (@level0name IS NULL OR p.level0_name = @level0name) AND p.level1_type = @level1type AND (@level1name IS NULL OR p.level1_name = @level1name)
        AND p.level2_type = @level2type AND (@level2name IS NULL OR p.level2_name = @level2name)))
GO
CREATE FUNCTION sys.fn_my_permissions (@securable sysname, @class nvarchar(60)) RETURNS TABLE AS RETURN
SELECT CAST('server' AS nvarchar(128)) AS entity_name, CAST('' AS nvarchar(128)) AS subentity_name, CAST(p.name AS nvarchar(60)) AS permission_name
FROM (VALUES ('CONNECT SQL'), ('VIEW ANY DATABASE'), ('CONTROL SERVER'), ('VIEW SERVER STATE'), ('VIEW ANY DEFINITION'), ('ALTER ANY DATABASE'), ('ALTER ANY LOGIN'), ('CREATE ANY DATABASE'), ('ALTER SETTINGS'), ('SHUTDOWN'), ('ADMINISTER BULK OPERATIONS')) AS p(name)
WHERE @class = 'SERVER' AND (IS_SRVROLEMEMBER('sysadmin') = 1 OR p.name IN ('CONNECT SQL', 'VIEW ANY DATABASE'))
UNION ALL
SELECT CAST(CASE @class WHEN 'DATABASE' THEN 'database' ELSE @securable END AS nvarchar(128)), CAST('' AS nvarchar(128)), CAST(p.name AS nvarchar(60))
FROM (VALUES ('CONNECT', 'DATABASE'), ('CONTROL', 'DATABASE'), ('ALTER', 'DATABASE'), ('CREATE TABLE', 'DATABASE'), ('CREATE VIEW', 'DATABASE'), ('CREATE PROCEDURE', 'DATABASE'), ('CREATE FUNCTION', 'DATABASE'), ('CREATE SCHEMA', 'DATABASE'), ('BACKUP DATABASE', 'DATABASE'),
    ('BACKUP LOG', 'DATABASE'), ('VIEW DEFINITION', 'DATABASE'), ('SELECT', ''), ('INSERT', ''), ('UPDATE', ''), ('DELETE', ''), ('EXECUTE', '')) AS p(name, class)
WHERE @class IN ('DATABASE', 'OBJECT', 'SCHEMA') AND p.class IN ('', @class)
    AND (IS_MEMBER('db_owner') = 1 OR p.name = 'CONNECT' OR (p.name = 'SELECT' AND IS_MEMBER('db_datareader') = 1) OR (p.name IN ('INSERT', 'UPDATE', 'DELETE') AND IS_MEMBER('db_datawriter') = 1)
      OR (p.name LIKE 'CREATE %' AND IS_MEMBER('db_ddladmin') = 1) OR (p.name LIKE 'BACKUP %' AND IS_MEMBER('db_backupoperator') = 1))
