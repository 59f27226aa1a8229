//! What a database holds, to be compared between two sides: names and types, modules, and every row of every table.

use std::collections::BTreeMap;

use super::client::{Row, Sql};
use super::server::Server;

/// A database as it can be seen by queries.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Contents {
    columns: Vec<Row>,
    modules: Vec<Row>,
    tables: BTreeMap<String, Table>,
}

/// A table: its rows in order, and what the server says of them all.
#[derive(Debug, PartialEq, Eq)]
struct Table {
    count: String,
    checksum: String,
    rows: Vec<Row>,
}

impl Contents {
    pub(crate) fn of(server: &Server, database: &str) -> Contents {
        let mut sql = server.sql(database);
        let columns = sql.run(
            "SELECT t.name, c.name, c.column_id, c.system_type_id, c.max_length, c.is_nullable, c.is_identity \
             FROM sys.tables t JOIN sys.columns c ON c.object_id = t.object_id ORDER BY t.name, c.column_id",
        );
        let modules = sql.run(
            "SELECT o.name, o.type, m.definition FROM sys.sql_modules m JOIN sys.objects o ON o.object_id = m.object_id \
             ORDER BY o.name",
        );
        let names =
            sql.run("SELECT QUOTENAME(SCHEMA_NAME(schema_id)) + N'.' + QUOTENAME(name) FROM sys.tables");
        let tables =
            names.into_iter().flatten().map(|name| (name.clone(), Table::of(&mut sql, &name))).collect();
        Contents { columns, modules, tables }
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.tables.values().map(|t| t.rows.len()).sum()
    }

    /// How many tables there are.
    pub(crate) fn tables(&self) -> usize {
        self.tables.len()
    }

    /// Says where another one differs, rather than showing both.
    pub(crate) fn assert_same(&self, other: &Contents) {
        assert_eq!(self.columns, other.columns, "columns");
        assert_eq!(self.modules, other.modules, "modules");
        assert_eq!(self.tables.keys().collect::<Vec<_>>(), other.tables.keys().collect::<Vec<_>>(), "tables");
        for (name, table) in &self.tables {
            let there = &other.tables[name];
            assert_eq!((&table.count, &table.checksum), (&there.count, &there.checksum), "{name}");
            for (row, same) in table.rows.iter().zip(&there.rows) {
                assert_eq!(row, same, "{name}");
            }
        }
    }
}

impl Table {
    fn of(sql: &mut Sql, name: &str) -> Table {
        let count = sql.one(&format!("SELECT COUNT_BIG(*) FROM {name}"));
        // All columns but those that have no checksum.
        let columns = sql.one(&format!(
            "SELECT ISNULL(STRING_AGG(QUOTENAME(name), N', ') WITHIN GROUP (ORDER BY column_id), N'1') FROM sys.columns \
             WHERE object_id = OBJECT_ID(N'{name}') AND TYPE_NAME(system_type_id) NOT IN (N'text', N'ntext', N'image', N'xml')"
        ));
        let checksum = sql.one(&format!("SELECT CHECKSUM_AGG(BINARY_CHECKSUM({columns})) FROM {name}"));
        let mut rows = sql.run(&format!("SELECT * FROM {name}"));
        rows.sort_unstable();
        assert_eq!(count, rows.len().to_string(), "{name}");
        Table { count, checksum, rows }
    }
}

/// Both sides hold the same; the secondary is read while it is one.
pub(crate) fn assert_same(primary: &Server, secondary: &Server, database: &str) -> Contents {
    let here = Contents::of(primary, database);
    here.assert_same(&Contents::of(secondary, database));
    here
}
