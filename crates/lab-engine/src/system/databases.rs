//! Views of databases: their options, states, files, recovery.

use rusqlite::types::Value;

use super::dynamic::sid;
use super::{View, bit, int, text};
use crate::error::SqlError;
use crate::server::DatabaseState;
use crate::session::Shared;
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

fn databases(shared: &Shared, _: i32) -> Rows {
    let guid = |bytes: [u8; 16]| Value::Blob(crate::types::guid_from_wire(bytes));
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
        let ids = database.replica().ids;
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
            ids.map_or(Value::Null, |ids| guid(ids.replica_id)),
            ids.map_or(Value::Null, |ids| guid(ids.group_database_id)),
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
    let guid = |fork: lab_store::ForkId| Value::Blob(crate::types::guid_from_wire(fork.0));
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
                int(shared.server.config.flavor.database_version()),
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
