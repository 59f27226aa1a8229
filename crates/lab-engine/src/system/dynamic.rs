//! Views of the server: logins, sessions, locks, settings.

use rusqlite::types::Value;

use super::{View, bit, int, text};
use crate::error::SqlError;
use crate::server::SERVER_ROLES;
use crate::session::{Activity, Shared};
use crate::types::{SqlType, parse_hex};

type Rows = Result<Vec<Vec<Value>>, SqlError>;

const INT: SqlType = SqlType::Int;
const NAME: SqlType = SqlType::SYSNAME;
const WHEN: SqlType = SqlType::DateTime;
const BIT: SqlType = SqlType::Bit;
const SMALL: SqlType = SqlType::SmallInt;
const WORDS: SqlType = SqlType::nvarchar(60);
const SID: SqlType = SqlType::VarBinary { len: crate::types::Len::N(85) };

pub(super) const VIEWS: &[View] = &[
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
            ("password_hash", SqlType::VarBinary { len: crate::types::Len::N(256) }, true),
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

pub(super) fn sid(hex: &str) -> Value {
    parse_hex(hex).map_or(Value::Null, Value::Blob)
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
                l.password.as_ref().map_or(Value::Null, |p| Value::Blob(p.to_bytes())),
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
