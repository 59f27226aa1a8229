//! Proof that both sides hold the same: what is counted and summed of each table, and what differs.

use serde::{Deserialize, Serialize};

use crate::lsn::Lsn;

/// What one side has in a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableSum {
    /// `schema.table`.
    pub table: String,
    /// `COUNT_BIG(*)`.
    pub rows: i64,
    /// `CHECKSUM_AGG(BINARY_CHECKSUM(...))` over all columns that can be compared; `None` for no rows.
    pub checksum: Option<i64>,
}

/// A database on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// The database.
    pub database: String,
    /// What SQL Server has hardened.
    pub sql_server_hardened: Option<Lsn>,
    /// What the managed instance has hardened.
    pub managed_hardened: Option<Lsn>,
    /// How many tables are the same on both sides.
    pub same: usize,
    /// Rows in those.
    pub rows: i64,
    /// What differs.
    pub different: Vec<Difference>,
}

impl Comparison {
    /// Compares what both sides have, both in the order of their names.
    pub fn of(
        database: &str,
        hardened: [Option<Lsn>; 2],
        sql_server: &[TableSum],
        managed: &[TableSum],
    ) -> Comparison {
        let mut out = Comparison {
            database: database.to_owned(),
            sql_server_hardened: hardened[0],
            managed_hardened: hardened[1],
            same: 0,
            rows: 0,
            different: Vec::new(),
        };
        let find = |sums: &[TableSum], table: &str| sums.iter().find(|s| s.table == table).cloned();
        for one in sql_server {
            match find(managed, &one.table) {
                Some(two) if two == *one => {
                    out.same += 1;
                    out.rows += one.rows;
                }
                two => out.different.push(Difference {
                    table: one.table.clone(),
                    sql_server: Some(one.clone()),
                    managed: two,
                }),
            }
        }
        let alone = managed.iter().filter(|two| find(sql_server, &two.table).is_none());
        out.different.extend(alone.map(|two| Difference {
            table: two.table.clone(),
            sql_server: None,
            managed: Some(two.clone()),
        }));
        out
    }
}

/// A table that is not the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// `schema.table`.
    pub table: String,
    /// What SQL Server has; `None` if it has no such table.
    pub sql_server: Option<TableSum>,
    /// What the managed instance has; `None` if it has no such table.
    pub managed: Option<TableSum>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(table: &str, rows: i64, checksum: i64) -> TableSum {
        TableSum { table: table.to_owned(), rows, checksum: Some(checksum) }
    }

    #[test]
    fn tells_what_differs_and_where() {
        let one = [sum("dbo.A", 3, 7), sum("dbo.B", 2, 1), sum("dbo.C", 1, 1)];
        let two = [sum("dbo.A", 3, 7), sum("dbo.B", 2, 2), sum("dbo.D", 4, 4)];
        let comparison = Comparison::of("db", [None, None], &one, &two);
        assert_eq!((comparison.same, comparison.rows), (1, 3));
        let named: Vec<&str> = comparison.different.iter().map(|d| d.table.as_str()).collect();
        assert_eq!(named, ["dbo.B", "dbo.C", "dbo.D"]);
    }
}
