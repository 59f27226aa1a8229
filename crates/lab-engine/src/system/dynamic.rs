//! Views of the server: databases, logins, sessions, locks, settings.

use rusqlite::types::Value;

use super::{View, bit, int, text};
use crate::error::SqlError;
use crate::server::{DatabaseState, SERVER_ROLES};
use crate::session::{Activity, Shared};
use crate::types::{SqlType, parse_hex};

type Rows = Result<Vec<Vec<Value>>, SqlError>;

const INT: SqlType = SqlType::Int;
const NAME: SqlType = SqlType::SYSNAME;
const WHEN: SqlType = SqlType::DateTime;
const BIT: SqlType = SqlType::Bit;
const TINY: SqlType = SqlType::TinyInt;
const SMALL: SqlType = SqlType::SmallInt;
const WORDS: SqlType = SqlType::nvarchar(60);
const GUID: SqlType = SqlType::UniqueIdentifier;
const LSN: SqlType = SqlType::Numeric { precision: 25, scale: 0 };
const SID: SqlType = SqlType::VarBinary { len: crate::types::Len::N(85) };

pub(super) const VIEWS: &[View] = &[
    View {
        schema: "sys",
        name: "databases",
        columns: &[
            ("name", NAME, false),
            ("database_id", INT, false),
            ("source_database_id", INT, true),
            ("owner_sid", SID, true),
            ("create_date", WHEN, false),
            ("compatibility_level", TINY, false),
            ("collation_name", NAME, true),
            ("user_access", TINY, true),
            ("user_access_desc", WORDS, true),
            ("is_read_only", BIT, true),
            ("is_auto_close_on", BIT, false),
            ("is_auto_shrink_on", BIT, true),
            ("state", TINY, true),
            ("state_desc", WORDS, true),
            ("is_in_standby", BIT, true),
            ("snapshot_isolation_state", TINY, true),
            ("snapshot_isolation_state_desc", WORDS, true),
            ("is_read_committed_snapshot_on", BIT, true),
            ("recovery_model", TINY, true),
            ("recovery_model_desc", WORDS, true),
            ("page_verify_option", TINY, true),
            ("page_verify_option_desc", WORDS, true),
            ("is_encrypted", BIT, true),
            ("is_cdc_enabled", BIT, false),
            ("is_published", BIT, false),
            ("is_subscribed", BIT, false),
            ("is_merge_published", BIT, false),
            ("is_distributor", BIT, false),
            ("is_trustworthy_on", BIT, true),
            ("is_fulltext_enabled", BIT, true),
            ("is_broker_enabled", BIT, false),
            ("log_reuse_wait", TINY, true),
            ("log_reuse_wait_desc", WORDS, true),
            ("service_broker_guid", GUID, false),
            ("replica_id", GUID, true),
            ("group_database_id", GUID, true),
            ("containment", TINY, true),
            ("containment_desc", WORDS, true),
            ("is_accelerated_database_recovery_on", BIT, true),
            ("is_auto_create_stats_on", BIT, true),
            ("is_auto_create_stats_incremental_on", BIT, true),
            ("is_auto_update_stats_on", BIT, true),
            ("is_auto_update_stats_async_on", BIT, true),
            ("is_ansi_null_default_on", BIT, true),
            ("is_ansi_nulls_on", BIT, true),
            ("is_ansi_padding_on", BIT, true),
            ("is_ansi_warnings_on", BIT, true),
            ("is_arithabort_on", BIT, true),
            ("is_concat_null_yields_null_on", BIT, true),
            ("is_numeric_roundabort_on", BIT, true),
            ("is_quoted_identifier_on", BIT, true),
            ("is_recursive_triggers_on", BIT, true),
            ("is_cursor_close_on_commit_on", BIT, true),
            ("is_local_cursor_default", BIT, true),
            ("is_db_chaining_on", BIT, true),
            ("is_parameterization_forced", BIT, true),
            ("is_master_key_encrypted_by_server", BIT, false),
            ("is_query_store_on", BIT, true),
            ("is_sync_with_backup", BIT, false),
            ("is_date_correlation_on", BIT, false),
            ("is_honor_broker_priority_on", BIT, true),
            ("is_supplemental_logging_enabled", BIT, true),
            ("is_cleanly_shutdown", BIT, true),
            ("is_nested_triggers_on", BIT, true),
            ("is_transform_noise_words_on", BIT, true),
            ("is_memory_optimized_elevate_to_snapshot_on", BIT, true),
            ("is_federation_member", BIT, true),
            ("is_remote_data_archive_enabled", BIT, true),
            ("is_mixed_page_allocation_on", BIT, true),
            ("is_temporal_history_retention_enabled", BIT, true),
            ("is_result_set_caching_on", BIT, true),
            ("is_tempdb_spill_to_remote_store", BIT, true),
            ("is_stale_page_detection_on", BIT, true),
            ("is_memory_optimized_enabled", BIT, true),
            ("is_data_retention_enabled", BIT, true),
            ("is_ledger_on", BIT, true),
            ("is_change_feed_enabled", BIT, true),
            ("resource_pool_id", INT, true),
            ("default_language_lcid", SMALL, true),
            ("default_language_name", NAME, true),
            ("default_fulltext_language_lcid", INT, true),
            ("default_fulltext_language_name", NAME, true),
            ("two_digit_year_cutoff", SMALL, true),
            ("target_recovery_time_in_seconds", INT, true),
            ("delayed_durability", INT, true),
            ("delayed_durability_desc", WORDS, true),
            ("catalog_collation_type", INT, false),
            ("catalog_collation_type_desc", WORDS, true),
            ("physical_database_name", NAME, true),
        ],
        rows: databases,
    },
    View {
        schema: "sys",
        name: "database_recovery_status",
        columns: &[
            ("database_id", INT, false),
            ("database_guid", GUID, true),
            ("family_guid", GUID, true),
            ("last_log_backup_lsn", LSN, true),
            ("recovery_fork_guid", GUID, true),
            ("first_recovery_fork_guid", GUID, true),
            ("fork_point_lsn", LSN, true),
        ],
        rows: recovery_status,
    },
    View {
        schema: "sys",
        name: "sysdatabases",
        columns: &[
            ("name", NAME, false),
            ("dbid", SMALL, false),
            ("mode", SMALL, true),
            ("status", INT, true),
            ("crdate", WHEN, false),
            ("cmptlevel", TINY, false),
            ("filename", SqlType::nvarchar(260), true),
            ("version", SMALL, true),
        ],
        rows: sysdatabases,
    },
    View {
        schema: "sys",
        name: "master_files",
        columns: FILES,
        rows: |s, _| Ok(s.server.databases().iter().flat_map(|d| files(s, d.id, &d.name())).collect()),
    },
    View {
        schema: "sys",
        name: "database_files",
        columns: FILES,
        rows: |s, d| Ok(files(s, d, &super::schema::database_name(s, d))),
    },
    View {
        schema: "sys",
        name: "server_principals",
        columns: &[
            ("name", NAME, false),
            ("principal_id", INT, false),
            ("sid", SID, true),
            ("type", SqlType::Char { len: 1 }, false),
            ("type_desc", WORDS, true),
            ("is_disabled", BIT, true),
            ("create_date", WHEN, false),
            ("modify_date", WHEN, false),
            ("default_database_name", NAME, true),
            ("default_language_name", NAME, true),
            ("is_fixed_role", BIT, false),
        ],
        rows: server_principals,
    },
    View {
        schema: "sys",
        name: "sql_logins",
        columns: &[
            ("name", NAME, false),
            ("principal_id", INT, false),
            ("sid", SID, true),
            ("type", SqlType::Char { len: 1 }, false),
            ("type_desc", WORDS, true),
            ("is_disabled", BIT, true),
            ("create_date", WHEN, false),
            ("modify_date", WHEN, false),
            ("default_database_name", NAME, true),
            ("default_language_name", NAME, true),
            ("is_policy_checked", BIT, true),
            ("is_expiration_checked", BIT, true),
        ],
        rows: sql_logins,
    },
    View {
        schema: "sys",
        name: "server_role_members",
        columns: &[("role_principal_id", INT, false), ("member_principal_id", INT, false)],
        rows: |s, _| {
            let role_id = |name: &str| {
                SERVER_ROLES.iter().find(|(_, n)| n.eq_ignore_ascii_case(name)).map(|(id, _)| *id)
            };
            Ok(s.server
                .logins()
                .iter()
                .flat_map(|l| {
                    l.roles
                        .iter()
                        .filter_map(|r| role_id(r).map(|id| vec![int(id), int(l.id)]))
                        .collect::<Vec<_>>()
                })
                .collect())
        },
    },
    View {
        schema: "sys",
        name: "servers",
        columns: &[
            ("server_id", INT, false),
            ("name", NAME, false),
            ("product", NAME, false),
            ("provider", NAME, false),
            ("data_source", SqlType::nvarchar(4000), true),
            ("is_linked", BIT, false),
        ],
        rows: |s, _| {
            Ok(vec![vec![
                int(0),
                text(&s.server.config.server_name),
                text("SQL Server"),
                text("SQLNCLI"),
                text(&s.server.config.server_name),
                bit(false),
            ]])
        },
    },
    View {
        schema: "sys",
        name: "configurations",
        columns: &[
            ("configuration_id", INT, false),
            ("name", SqlType::nvarchar(35), false),
            ("value", SqlType::Variant, true),
            ("minimum", SqlType::Variant, true),
            ("maximum", SqlType::Variant, true),
            ("value_in_use", SqlType::Variant, true),
            ("description", SqlType::nvarchar(255), false),
            ("is_dynamic", BIT, false),
            ("is_advanced", BIT, false),
        ],
        rows: configurations,
    },
    View {
        schema: "sys",
        name: "dm_exec_sessions",
        columns: &[
            ("session_id", SMALL, false),
            ("login_time", WHEN, false),
            ("host_name", NAME, true),
            ("program_name", NAME, true),
            ("host_process_id", INT, true),
            ("client_version", INT, true),
            ("client_interface_name", SqlType::nvarchar(32), true),
            ("security_id", SID, false),
            ("login_name", NAME, false),
            ("original_login_name", NAME, false),
            ("status", SqlType::nvarchar(30), false),
            ("cpu_time", INT, false),
            ("memory_usage", INT, false),
            ("last_request_start_time", WHEN, false),
            ("last_request_end_time", WHEN, true),
            ("is_user_process", BIT, false),
            ("language", NAME, true),
            ("date_format", SqlType::nvarchar(3), true),
            ("date_first", SMALL, false),
            ("quoted_identifier", BIT, false),
            ("ansi_nulls", BIT, false),
            ("transaction_isolation_level", SMALL, false),
            ("lock_timeout", INT, false),
            ("row_count", SqlType::BigInt, false),
            ("open_transaction_count", INT, false),
            ("database_id", SMALL, false),
        ],
        rows: sessions,
    },
    View {
        schema: "sys",
        name: "dm_exec_connections",
        columns: &[
            ("session_id", INT, true),
            ("most_recent_session_id", INT, true),
            ("connect_time", WHEN, false),
            ("net_transport", SqlType::nvarchar(40), false),
            ("protocol_type", SqlType::nvarchar(40), true),
            ("protocol_version", INT, true),
            ("encrypt_option", SqlType::nvarchar(40), false),
            ("auth_scheme", SqlType::nvarchar(40), false),
            ("client_net_address", SqlType::varchar(48), true),
            ("net_packet_size", INT, true),
            ("local_net_address", SqlType::varchar(48), true),
            ("local_tcp_port", INT, true),
        ],
        rows: connections,
    },
    View {
        schema: "sys",
        name: "dm_exec_requests",
        columns: &[
            ("session_id", SMALL, false),
            ("request_id", INT, false),
            ("start_time", WHEN, false),
            ("status", SqlType::nvarchar(30), false),
            ("command", SqlType::nvarchar(32), false),
            ("database_id", SMALL, false),
            ("blocking_session_id", SMALL, true),
            ("wait_type", SqlType::nvarchar(60), true),
            ("wait_time", INT, false),
            ("percent_complete", SqlType::Real, false),
            ("open_transaction_count", INT, false),
            ("sql_handle", SID, true),
        ],
        rows: requests,
    },
    View {
        schema: "sys",
        name: "dm_tran_locks",
        columns: &[
            ("resource_type", WORDS, false),
            ("resource_database_id", INT, false),
            ("request_mode", WORDS, false),
            ("request_status", WORDS, false),
            ("request_session_id", INT, false),
        ],
        rows: locks,
    },
    View {
        schema: "sys",
        name: "dm_os_sys_info",
        columns: &[
            ("cpu_count", INT, false),
            ("sqlserver_start_time", WHEN, false),
            ("physical_memory_kb", SqlType::BigInt, false),
        ],
        rows: |s, _| {
            let cpus = std::thread::available_parallelism().map_or(1, |n| n.get() as i64);
            Ok(vec![vec![int(cpus), int(s.server.started), int(0)]])
        },
    },
    View {
        schema: "sys",
        name: "syslogins",
        columns: &[
            ("sid", SID, true),
            ("name", NAME, true),
            ("loginname", NAME, true),
            ("dbname", NAME, true),
            ("sysadmin", INT, true),
        ],
        rows: |s, _| {
            Ok(s.server
                .logins()
                .iter()
                .map(|l| {
                    vec![
                        sid(&l.sid),
                        text(&l.name),
                        text(&l.name),
                        text(&l.default_database),
                        int(i64::from(l.is_sysadmin())),
                    ]
                })
                .collect())
        },
    },
];

const FILES: &[(&str, SqlType, bool)] = &[
    ("database_id", INT, false),
    ("file_id", INT, false),
    ("type", TINY, false),
    ("type_desc", WORDS, true),
    ("data_space_id", INT, false),
    ("name", NAME, false),
    ("physical_name", SqlType::nvarchar(260), false),
    ("state", TINY, true),
    ("state_desc", WORDS, true),
    ("size", INT, false),
    ("max_size", INT, false),
    ("growth", INT, false),
];

fn sid(hex: &str) -> Value {
    parse_hex(hex).map_or(Value::Null, Value::Blob)
}

fn databases(shared: &Shared, _: i32) -> Rows {
    let mut rows = Vec::new();
    for database in shared.server.databases() {
        let e = database.entry();
        let state = database.state();
        let (access, access_desc) = if e.single_user { (1, "SINGLE_USER") } else { (0, "MULTI_USER") };
        let snapshot = e.snapshot_isolation;
        let waits = database.store().ok().and_then(|s| s.log_use()).is_some_and(|l| l.waits_for_backup());
        let log_wait = if waits { (2, "LOG_BACKUP") } else { (0, "NOTHING") };
        let on = |option: &str, default: bool| match e.switches.get(option).map(String::as_str) {
            Some(value) => matches!(value, "ON" | "LOCAL" | "FORCED"),
            None => default,
        };
        let owner = shared.server.login_named(&e.owner).map_or(Value::Blob(vec![1]), |l| sid(&l.sid));
        let mut row = vec![
            text(&e.name),
            int(e.id),
            Value::Null,
            owner,
            int(e.created),
            int(e.compatibility_level),
            if state == DatabaseState::Online { text(e.collation.name()) } else { Value::Null },
            int(access),
            text(access_desc),
            bit(e.read_only),
            bit(on("AUTO_CLOSE", false)),
            bit(on("AUTO_SHRINK", false)),
            int(state.number()),
            text(state.name()),
            bit(false),
            int(i64::from(snapshot)),
            text(if snapshot { "ON" } else { "OFF" }),
            bit(e.read_committed_snapshot),
            int(e.recovery_model.number()),
            text(e.recovery_model.name()),
            int(2),
            text("CHECKSUM"),
            bit(false),
            bit(false),
            bit(false),
            bit(false),
            bit(false),
            bit(false),
            bit(on("TRUSTWORTHY", e.id == crate::server::MSDB)),
            bit(false),
            bit(e.switches.contains_key("ENABLE_BROKER") && !e.switches.contains_key("DISABLE_BROKER")),
            int(log_wait.0),
            text(log_wait.1),
            parse_hex(&e.guid).map_or_else(|| Value::Blob(vec![0; 16]), Value::Blob),
            Value::Null,
            Value::Null,
            int(0),
            text("NONE"),
            bit(on("ACCELERATED_DATABASE_RECOVERY", false)),
        ];
        row.extend(SWITCHES.iter().map(|(option, default)| bit(on(option, *default))));
        row.extend([
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
            e.switches
                .get("TARGET_RECOVERY_TIME")
                .and_then(|t| {
                    let (n, unit) = t.split_once(' ')?;
                    Some(int(n.parse::<i64>().ok()? * if unit == "MINUTES" { 60 } else { 1 }))
                })
                .unwrap_or_else(|| int(60)),
            int(0),
            text("DISABLED"),
            int(0),
            text("DATABASE_DEFAULT"),
            text(&e.name),
        ]);
        rows.push(row);
    }
    Ok(rows)
}

/// The switches that `sys.databases` shows from `is_auto_create_stats_on` on, with what they are unless set.
const SWITCHES: &[(&str, bool)] = &[
    ("AUTO_CREATE_STATISTICS", true),
    ("", false),
    ("AUTO_UPDATE_STATISTICS", true),
    ("AUTO_UPDATE_STATISTICS_ASYNC", false),
    ("ANSI_NULL_DEFAULT", false),
    ("ANSI_NULLS", false),
    ("ANSI_PADDING", false),
    ("ANSI_WARNINGS", false),
    ("ARITHABORT", false),
    ("CONCAT_NULL_YIELDS_NULL", false),
    ("NUMERIC_ROUNDABORT", false),
    ("QUOTED_IDENTIFIER", false),
    ("RECURSIVE_TRIGGERS", false),
    ("CURSOR_CLOSE_ON_COMMIT", false),
    ("CURSOR_DEFAULT", false),
    ("DB_CHAINING", false),
    ("PARAMETERIZATION", false),
    ("", false),
    ("QUERY_STORE", false),
    ("", false),
    ("DATE_CORRELATION_OPTIMIZATION", false),
    ("HONOR_BROKER_PRIORITY", false),
    ("", false),
    ("", false),
    ("NESTED_TRIGGERS", true),
    ("", false),
    ("", false),
    ("", false),
    ("", false),
    ("MIXED_PAGE_ALLOCATION", false),
    ("", true),
    ("", false),
    ("", false),
    ("", false),
    ("", false),
    ("", false),
    ("", false),
    ("", false),
];

fn recovery_status(shared: &Shared, _: i32) -> Rows {
    let lsn = |lsn: Option<lab_store::Lsn>| {
        lsn.map_or(Ok(Value::Null), |lsn| crate::types::decimal_value(lsn.numeric(), 25))
    };
    let guid = |bytes: [u8; 16]| Value::Blob(crate::types::guid_from_wire(bytes));
    let mut rows = Vec::new();
    for database in shared.server.databases() {
        let guid_of_database = parse_hex(&database.entry().guid).map_or(Value::Null, Value::Blob);
        let Some(log) = database.store().ok().and_then(|s| s.log_use()) else {
            let unknown = std::iter::repeat_n(Value::Null, 5);
            rows.push([int(database.id), guid_of_database].into_iter().chain(unknown).collect());
            continue;
        };
        rows.push(vec![
            int(database.id),
            guid_of_database,
            guid(log.first_fork),
            lsn(log.log_backed_up)?,
            guid(log.fork),
            guid(log.first_fork),
            lsn(log.fork_point)?,
        ]);
    }
    Ok(rows)
}

fn sysdatabases(shared: &Shared, _: i32) -> Rows {
    Ok(shared
        .server
        .databases()
        .iter()
        .map(|d| {
            let e = d.entry();
            let path = shared.server.config.data_dir.join(&e.folder).join("data.db");
            vec![
                text(&e.name),
                int(e.id),
                int(0),
                int(0),
                int(e.created),
                int(e.compatibility_level),
                text(path.to_string_lossy()),
                int(957),
            ]
        })
        .collect())
}

fn files(shared: &Shared, id: i32, name: &str) -> Vec<Vec<Value>> {
    let Some(database) = shared.server.database(id) else { return Vec::new() };
    let dir = shared.server.config.data_dir.join(&database.entry().folder);
    let state = database.state();
    let (data, log) = sizes(&dir);
    let file = |n: i64, kind: &str, logical: String, path: std::path::PathBuf| {
        let bytes = if n == 1 { data } else { log };
        vec![
            int(id),
            int(n),
            int(n - 1),
            text(kind),
            int(2 - n),
            text(logical),
            text(path.to_string_lossy()),
            int(state.number()),
            text(state.name()),
            int(bytes.div_ceil(8192) as i64),
            int(-1),
            int(8192),
        ]
    };
    vec![
        file(1, "ROWS", name.to_owned(), dir.join("data.db")),
        file(2, "LOG", format!("{name}_log"), dir.join("log")),
    ]
}

/// How many bytes the data and the log of a database take on disk, whatever their files are called.
pub(crate) fn sizes(dir: &std::path::Path) -> (u64, u64) {
    let mut open = vec![dir.to_path_buf()];
    let (mut data, mut log) = (0, 0);
    while let Some(dir) = open.pop() {
        // A folder that cannot be read holds nothing that could be shown.
        let Ok(files) = std::fs::read_dir(&dir) else { continue };
        for file in files.flatten() {
            match file.metadata() {
                Ok(m) if m.is_dir() => open.push(file.path()),
                Ok(m) if file.file_name().to_string_lossy().starts_with("data.db") => data += m.len(),
                Ok(m) => log += m.len(),
                Err(_) => {}
            }
        }
    }
    (data, log)
}

fn server_principals(shared: &Shared, _: i32) -> Rows {
    let mut rows: Vec<Vec<Value>> = shared
        .server
        .logins()
        .iter()
        .map(|l| {
            vec![
                text(&l.name),
                int(l.id),
                sid(&l.sid),
                text("S"),
                text("SQL_LOGIN"),
                bit(l.disabled),
                int(l.created),
                int(l.modified),
                text(&l.default_database),
                text(&l.default_language),
                bit(false),
            ]
        })
        .collect();
    for (id, name) in SERVER_ROLES {
        let started = shared.server.started;
        rows.push(vec![
            text(*name),
            int(*id),
            Value::Blob(vec![*id as u8]),
            text("R"),
            text("SERVER_ROLE"),
            bit(false),
            int(started),
            int(started),
            Value::Null,
            Value::Null,
            bit(*id != 2),
        ]);
    }
    Ok(rows)
}

fn sql_logins(shared: &Shared, _: i32) -> Rows {
    Ok(shared
        .server
        .logins()
        .iter()
        .map(|l| {
            vec![
                text(&l.name),
                int(l.id),
                sid(&l.sid),
                text("S"),
                text("SQL_LOGIN"),
                bit(l.disabled),
                int(l.created),
                int(l.modified),
                text(&l.default_database),
                text(&l.default_language),
                bit(l.check_policy),
                bit(false),
            ]
        })
        .collect())
}

/// The settings of `sp_configure`: id, name, default, least, most, advanced.
pub(crate) const SETTINGS: &[(i64, &str, i64, i64, i64, bool)] = &[
    (103, "user connections", 0, 0, 32_767, true),
    (518, "show advanced options", 0, 0, 1, false),
    (1538, "cost threshold for parallelism", 5, 0, 32_767, true),
    (1539, "max degree of parallelism", 0, 0, 32_767, true),
    (1544, "max server memory (MB)", 2_147_483_647, 128, 2_147_483_647, true),
    (1579, "backup compression default", 0, 0, 1, false),
    (1584, "backup checksum default", 0, 0, 1, false),
    (16384, "Agent XPs", 0, 0, 1, true),
    (16387, "hadr enabled", 1, 0, 1, false),
    (16390, "xp_cmdshell", 0, 0, 1, true),
];

fn configurations(shared: &Shared, _: i32) -> Rows {
    let changed = shared.server.configuration.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let variant = |n: i64| crate::types::variant_value(&Value::Integer(n), INT);
    Ok(SETTINGS
        .iter()
        .map(|(id, name, default, least, most, advanced)| {
            let value = changed.get(*name).copied().unwrap_or(*default);
            vec![
                int(*id),
                text(*name),
                variant(value),
                variant(*least),
                variant(*most),
                variant(value),
                text(*name),
                bit(true),
                bit(*advanced),
            ]
        })
        .collect())
}

fn sessions(shared: &Shared, _: i32) -> Rows {
    let mut rows = Vec::new();
    for session in shared.server.sessions() {
        let s = session.state();
        let status = if s.activity == Activity::Sleeping { "sleeping" } else { "running" };
        rows.push(vec![
            int(session.id),
            int(s.login_time),
            text(&s.host),
            text(&s.program),
            int(s.host_process),
            int(7),
            text(&s.client_interface),
            sid(&s.login_sid),
            text(&s.login),
            text(&s.login),
            text(status),
            int(0),
            int(0),
            int(s.last_request_start),
            int(s.last_request_end),
            bit(true),
            text(&s.language),
            text(&s.date_format),
            int(s.date_first),
            bit(s.quoted_identifier),
            bit(s.ansi_nulls),
            int(isolation_number(s.isolation)),
            int(s.lock_timeout_ms),
            int(s.row_count),
            int(s.open_transactions),
            int(s.database),
        ]);
    }
    Ok(rows)
}

fn isolation_number(isolation: crate::request::Isolation) -> i64 {
    use crate::request::Isolation;
    match isolation {
        Isolation::ReadUncommitted => 1,
        Isolation::ReadCommitted => 2,
        Isolation::RepeatableRead => 3,
        Isolation::Serializable => 4,
        Isolation::Snapshot => 5,
    }
}

fn connections(shared: &Shared, _: i32) -> Rows {
    let mut rows = Vec::new();
    for session in shared.server.sessions() {
        let s = session.state();
        rows.push(vec![
            int(session.id),
            int(session.id),
            int(s.login_time),
            text("TCP"),
            text("TSQL"),
            int(s.tds_version),
            text(if s.encrypted { "TRUE" } else { "FALSE" }),
            text("SQL"),
            text(&s.client_address),
            int(s.packet_size),
            Value::Null,
            Value::Null,
        ]);
    }
    Ok(rows)
}

fn requests(shared: &Shared, _: i32) -> Rows {
    let waits = shared.server.locks.snapshot();
    let mut rows = Vec::new();
    for session in shared.server.sessions() {
        let s = session.state();
        if s.activity == Activity::Sleeping {
            continue;
        }
        let blocker = waits
            .iter()
            .find(|(waiter, _, granted)| !granted && waiter.0 == u64::from(session.id))
            .and_then(|(_, db, _)| waits.iter().find(|(_, other, granted)| *granted && other == db))
            .map_or(0, |(owner, _, _)| owner.0 as i64);
        let suspended = s.activity == Activity::Suspended;
        rows.push(vec![
            int(session.id),
            int(0),
            int(s.last_request_start),
            text(if suspended { "suspended" } else { "running" }),
            text(&s.command),
            int(s.database),
            int(blocker),
            if suspended { text("LCK_M_X") } else { Value::Null },
            int(0),
            Value::Real(0.0),
            int(s.open_transactions),
            Value::Null,
        ]);
    }
    Ok(rows)
}

fn locks(shared: &Shared, _: i32) -> Rows {
    let row = |(session, database, granted): &(lab_store::SessionId, lab_store::DbKey, bool)| {
        vec![
            text("DATABASE"),
            int(database.0),
            text("X"),
            text(if *granted { "GRANT" } else { "WAIT" }),
            int(session.0 as i64),
        ]
    };
    Ok(shared.server.locks.snapshot().iter().map(row).collect())
}
