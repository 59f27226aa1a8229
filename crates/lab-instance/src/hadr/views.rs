//! System views of availability groups, and what the lab shows beyond SQL Server: the transactions that only this side of a
//! fork has.

use lab_engine::{HadrViews, ViewRow, ViewValue};
use lab_hadr::{DbName, History, Moment, Role};
use lab_hadr::{Shown, Value, system_views};
use lab_store::{ForkId, ForkTransaction, Lsn};
use serde::{Deserialize, Serialize};

use super::{Face, Hadr};

/// The view of the transactions of forks.
const FORKS: &str = "lab.fork_transactions";
/// The documents of master that hold what was thrown away begin so.
const REPORT: &str = "fork report ";
/// Reports that are kept for a database: the last ones.
const REPORTS_MAX: usize = 20;

/// What only one side of a fork had when it was about to be rewound.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct ForkReport {
    database: String,
    fork: ForkId,
    since: Lsn,
    other: ForkId,
    transactions: Vec<ForkTransaction>,
}

impl HadrViews for Face {
    fn rows(&self, view: &str) -> Vec<ViewRow> {
        self.0.upgrade().map(|hadr| hadr.rows(view)).unwrap_or_default()
    }
}

impl Hadr {
    fn rows(&self, view: &str) -> Vec<ViewRow> {
        if view == FORKS {
            return self.fork_rows();
        }
        let Some(name) = view.strip_prefix("sys.") else { return Vec::new() };
        let Some(view) = system_views().into_iter().find(|v| v.name == name) else { return Vec::new() };
        let (groups, live) = (self.groups(), self.live());
        let shown = Shown {
            groups: &groups,
            live: &live,
            server: self.server.name(),
            multiple_databases: self.server.multi_database_link(),
        };
        let row = |values: Vec<Value>| {
            view.columns.iter().map(|c| c.name).zip(values.into_iter().map(value)).collect()
        };
        (view.rows)(shown).into_iter().map(row).collect()
    }
}

fn value(value: Value) -> ViewValue {
    match value {
        Value::Null => ViewValue::Null,
        Value::Int(n) => ViewValue::Int(n),
        Value::Bit(b) => ViewValue::Bit(b),
        Value::Text(text) => ViewValue::Text(text),
        Value::Guid(id) => ViewValue::Guid(id),
        Value::Lsn(n) => ViewValue::Numeric(n),
        Value::Time(Moment(at)) => ViewValue::Time(at),
    }
}

impl Hadr {
    /// Keeps what only this side has since a fork point, before any of it is thrown away.
    ///
    /// # Errors
    /// Master could not be written.
    pub(super) fn keep_fork_report(
        &self,
        db: &DbName,
        since: Lsn,
        other: &History,
        transactions: &[ForkTransaction],
    ) -> Result<(), lab_engine::SqlError> {
        let Some(copy) = self.copy(db) else { return Ok(()) };
        let report = ForkReport {
            database: db.as_str().to_owned(),
            fork: copy.store.history().fork,
            since,
            other: other.fork,
            transactions: transactions.to_vec(),
        };
        let text = serde_json::to_string(&report)
            .map_err(|e| lab_engine::SqlError::internal(format!("fork report: {e}")))?;
        let prefix = format!("{REPORT}{db} ");
        let documents = self.server.documents();
        let mut kept: Vec<&String> = documents.keys().filter(|name| name.starts_with(&prefix)).collect();
        kept.sort();
        while kept.len() >= REPORTS_MAX {
            self.server.put_document(kept.remove(0), None)?;
        }
        // Ordered by when they were made, one for each pair of forks.
        let name = format!("{prefix}{:020} {} {}", super::now(), report.fork, other.fork);
        let same = format!(" {} {}", report.fork, other.fork);
        for name in documents.keys().filter(|n| n.starts_with(&prefix) && n.ends_with(&same)) {
            self.server.put_document(name, None)?;
        }
        self.server.put_document(&name, Some(text))
    }

    fn fork_rows(&self) -> Vec<ViewRow> {
        let mut reports: Vec<ForkReport> = self
            .server
            .documents()
            .iter()
            .filter(|(name, _)| name.starts_with(REPORT))
            .filter_map(|(_, text)| serde_json::from_str(text).ok())
            .collect();
        // Where both sides are primary the list still grows: it is read as it is now.
        for live in self.live_forks() {
            reports.retain(|r| (&r.database, r.fork, r.other) != (&live.database, live.fork, live.other));
            reports.push(live);
        }
        reports.iter().flat_map(rows_of).collect()
    }

    fn live_forks(&self) -> Vec<ForkReport> {
        let mut out = Vec::new();
        for partner in self.runner.view().partners {
            let Some(peer) =
                partner.peer.filter(|p| p.role == Role::Primary && partner.role == Role::Primary)
            else {
                continue;
            };
            for theirs in peer.databases {
                let (Some(copy), Some(other)) = (self.copy(&theirs.name), theirs.copy) else { continue };
                let mine = copy.store.history();
                let Some(common) = lab_store::common_point(&mine, &other.history) else { continue };
                let Ok(transactions) = copy.store.transactions_since(common.lsn) else { continue };
                out.push(ForkReport {
                    database: theirs.name.as_str().to_owned(),
                    fork: mine.fork,
                    since: common.lsn,
                    other: other.history.fork,
                    transactions,
                });
            }
        }
        out
    }
}

/// A row for each table that a transaction has touched; one if it has touched none.
fn rows_of(report: &ForkReport) -> Vec<ViewRow> {
    let mut rows = Vec::new();
    for transaction in &report.transactions {
        let row = || -> ViewRow {
            vec![
                ("database_name", ViewValue::Text(report.database.clone())),
                ("fork_id", ViewValue::Guid(report.fork.0)),
                ("fork_point_lsn", ViewValue::Lsn(report.since)),
                ("commit_lsn", ViewValue::Lsn(transaction.lsn)),
                ("commit_time", ViewValue::Time(transaction.time)),
                ("session_id", ViewValue::Int(i64::from(transaction.note.session))),
            ]
        };
        if transaction.note.rows.is_empty() {
            rows.push(row());
        }
        for table in &transaction.note.rows {
            let mut row = row();
            row.extend([
                ("table_name", ViewValue::Table(report.database.clone(), table.object_id)),
                ("rows_inserted", ViewValue::Int(i64::from(table.inserted))),
                ("rows_updated", ViewValue::Int(i64::from(table.updated))),
                ("rows_deleted", ViewValue::Int(i64::from(table.deleted))),
            ]);
            rows.push(row);
        }
    }
    rows
}
