//! What a script can wait for: conditions as T-SQL's own predicates, by the queries that the documents give.

use super::tsql::text;
use crate::names::{Role, Side};
use crate::plan::Condition;

/// Something that can be asked for again and again until it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Check {
    /// A predicate on a side.
    Sql {
        /// Where.
        side: Side,
        /// A search condition.
        predicate: String,
    },
    /// Both sides have hardened the same log.
    Equal {
        /// The link.
        link: String,
        /// The databases.
        databases: Vec<String>,
    },
}

/// What a script can see of a condition. What is in Azure only, and what a statement's own success says, is left out.
pub(super) fn checks(condition: &Condition) -> Vec<Check> {
    let sql = |side: Side, predicate: String| vec![Check::Sql { side, predicate }];
    match condition {
        Condition::All { of } => of.iter().flat_map(checks).collect(),
        Condition::Connected { name, primary } => {
            sql(*primary, replica(name, "r.is_local = 0 AND r.connected_state_desc = N'CONNECTED'"))
        }
        Condition::Following { name, databases, primary } => match primary {
            // By the primary's own view of the other side; this is how the documents ask for a link's health.
            Side::SqlServer => {
                sql(*primary, replica(name, "r.is_local = 0 AND r.synchronization_health_desc = N'HEALTHY'"))
            }
            // By the copy itself.
            Side::Managed => {
                let copy = |d: &String| {
                    let state = "r.is_local = 1 AND r.database_state_desc = N'ONLINE' AND r.synchronization_state_desc IN \
                                 (N'SYNCHRONIZING', N'SYNCHRONIZED')";
                    Check::Sql { side: Side::SqlServer, predicate: database(name, d, state) }
                };
                databases.iter().map(copy).collect()
            }
        },
        Condition::Synchronized { name, primary, databases } => {
            let state = "r.is_local = 0 AND r.synchronization_state_desc = N'SYNCHRONIZED'";
            let one = |d: &String| Check::Sql { side: *primary, predicate: database(name, d, state) };
            databases.iter().map(one).collect()
        }
        Condition::HardenedEqual { name, databases } | Condition::NothingBehind { name, databases, .. } => {
            vec![Check::Equal { link: name.clone(), databases: databases.clone() }]
        }
        Condition::Role { name, side, role } => {
            let role: &Role = role;
            sql(*side, replica(name, &format!("r.is_local = 1 AND r.role_desc = N'{role}'")))
        }
        Condition::DatabaseOnline { side, database } => {
            let name = text(database);
            sql(
                *side,
                format!(
                    "EXISTS (SELECT 1 FROM sys.databases WHERE name = {name} AND state_desc = N'ONLINE')"
                ),
            )
        }
        Condition::FullBackup { side, database } => sql(
            *side,
            format!(
                "EXISTS (SELECT 1 FROM msdb.dbo.backupset WHERE database_name = {} AND type = 'D' AND is_copy_only = 0)",
                text(database)
            ),
        ),
        Condition::NobodyConnected { side, database } => sql(
            *side,
            format!(
                "NOT EXISTS (SELECT 1 FROM sys.dm_exec_sessions WHERE is_user_process = 1 AND session_id <> @@SPID AND database_id = DB_ID({}))",
                text(database)
            ),
        ),
        _ => Vec::new(),
    }
}

/// What a script checks before an action: what tells whether it is safe, but not what a statement itself would refuse.
pub(super) fn gates(condition: &Condition) -> Vec<Check> {
    match condition {
        Condition::All { of } => of.iter().flat_map(gates).collect(),
        Condition::Following { .. }
        | Condition::Synchronized { .. }
        | Condition::HardenedEqual { .. }
        | Condition::NothingBehind { .. }
        | Condition::Role { .. }
        | Condition::NobodyConnected { .. }
        | Condition::FullBackup { side: Side::Managed, .. } => checks(condition),
        _ => Vec::new(),
    }
}

fn replica(link: &str, what: &str) -> String {
    format!(
        "EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_availability_replica_states AS r ON r.group_id = g.group_id WHERE g.name = {} AND {what})",
        text(link)
    )
}

fn database(link: &str, database: &str, what: &str) -> String {
    format!(
        "EXISTS (SELECT 1 FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = {} AND r.database_id = DB_ID({}) AND {what})",
        text(link),
        text(database)
    )
}

/// The query that gives the hardened LSN of a side's own copy, as text; no row if there is none.
pub(super) fn hardened_query(link: &str, database: &str) -> String {
    format!(
        "SELECT CONVERT(varchar(30), r.last_hardened_lsn) AS lsn FROM sys.availability_groups AS g JOIN sys.dm_hadr_database_replica_states AS r ON r.group_id = g.group_id WHERE g.name = {} AND r.is_local = 1 AND r.database_id = DB_ID({})",
        text(link),
        text(database)
    )
}
