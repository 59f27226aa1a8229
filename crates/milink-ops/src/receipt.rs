//! Counts and checksums of every table of a database, for the receipt of a role change.

use std::time::Duration;

use milink_core::receipt::{Comparison, TableSum};
use milink_core::spec::Link;
use milink_core::status;
use milink_sql::{Client, SqlError};

use crate::sides::Sides;

/// How often two sides that differ are counted again, and how long after: what is written meanwhile goes on to the other side.
const TRIES: usize = 10;
const PAUSE: Duration = Duration::from_millis(200);

/// How many tables one statement sums: fewer statements for many small tables, and none that is too large to be planned.
const TABLES_AT_ONCE: usize = 32;

/// BINARY_CHECKSUM takes so many arguments.
const COLUMNS_MAX: usize = 254;

/// The columns that can be compared, of all tables of the database that is used.
const COLUMNS: &str = "SELECT s.name AS schema_name, t.name AS table_name, c.name AS column_name
     FROM sys.tables AS t
     JOIN sys.schemas AS s ON s.schema_id = t.schema_id
     LEFT JOIN (SELECT c.object_id, c.column_id, c.name FROM sys.columns AS c
            JOIN sys.types AS y ON y.user_type_id = c.system_type_id
            WHERE y.name NOT IN (N'text', N'ntext', N'image', N'xml', N'geometry', N'geography', N'hierarchyid')
        ) AS c ON c.object_id = t.object_id
     WHERE t.is_ms_shipped = 0 ORDER BY s.name, t.name, c.column_id";

/// Sums every table, in the order of their names.
///
/// # Errors
/// The database cannot be read.
pub async fn sums(client: &Client, database: &str) -> Result<Vec<TableSum>, SqlError> {
    let rows = client.query_in(database, COLUMNS).await?;
    let mut tables: Vec<(String, String, Vec<String>)> = Vec::new();
    for row in &rows {
        let (schema, table): (String, String) = (row.get("schema_name")?, row.get("table_name")?);
        let column: Option<String> = row.get("column_name")?;
        match tables.last_mut() {
            Some((s, t, columns)) if *s == schema && *t == table => columns.extend(column),
            _ => tables.push((schema, table, column.into_iter().collect())),
        }
    }
    let mut out = Vec::with_capacity(tables.len());
    for some in tables.chunks(TABLES_AT_ONCE) {
        let rows = client.query_in(database, &statement(some)).await?;
        for row in &rows {
            out.push(TableSum {
                table: row.get("table_name")?,
                rows: row.get("row_count")?,
                checksum: row.get("sum")?,
            });
        }
    }
    out.sort();
    Ok(out)
}

/// Sums every table of a link's databases on both sides, and again while they differ, as often as [`TRIES`] says.
///
/// # Errors
/// A side cannot be read.
pub async fn compare(
    sides: &Sides,
    sql_server: &Client,
    managed: &Client,
    link: &Link,
) -> Result<Vec<Comparison>, SqlError> {
    let mut out = Vec::with_capacity(link.databases.len());
    for database in &link.databases {
        let mut found = compare_once(sides, sql_server, managed, link, database).await?;
        for _ in 1..TRIES {
            if found.different.is_empty() {
                break;
            }
            tokio::time::sleep(PAUSE).await;
            found = compare_once(sides, sql_server, managed, link, database).await?;
        }
        out.push(found);
    }
    Ok(out)
}

async fn compare_once(
    sides: &Sides,
    sql_server: &Client,
    managed: &Client,
    link: &Link,
    database: &str,
) -> Result<Comparison, SqlError> {
    let (one, two) = tokio::try_join!(sums(sql_server, database), sums(managed, database))?;
    let seen = sides.look().await;
    let status = status::link(&link.name, &seen);
    let now = status.databases.iter().find(|d| d.name == database);
    let hardened = [now.and_then(|d| d.sql_server_hardened), now.and_then(|d| d.managed_hardened)];
    Ok(Comparison::of(database, hardened, &one, &two))
}

fn statement(tables: &[(String, String, Vec<String>)]) -> String {
    let mut text = String::new();
    for (place, (schema, table, columns)) in tables.iter().enumerate() {
        if place > 0 {
            text.push_str("\nUNION ALL ");
        }
        let columns: Vec<String> = columns.iter().take(COLUMNS_MAX).map(|c| bracketed(c)).collect();
        let sum = if columns.is_empty() {
            "CONVERT(bigint, NULL)".to_owned()
        } else {
            format!("CONVERT(bigint, CHECKSUM_AGG(BINARY_CHECKSUM({})))", columns.join(", "))
        };
        let shown = format!("{schema}.{table}").replace('\'', "''");
        text.push_str(&format!(
            "SELECT N'{shown}' AS table_name, COUNT_BIG(*) AS row_count, {sum} AS sum FROM {}.{}",
            bracketed(schema),
            bracketed(table)
        ));
    }
    text
}

fn bracketed(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted() {
        let table = |name: &str, columns: &[&str]| {
            ("dbo".to_owned(), name.to_owned(), columns.iter().map(|c| (*c).to_owned()).collect())
        };
        let text = statement(&[table("it's [odd]", &["a]b"]), table("empty", &[])]);
        assert_eq!(
            text,
            "SELECT N'dbo.it''s [odd]' AS table_name, COUNT_BIG(*) AS row_count, \
             CONVERT(bigint, CHECKSUM_AGG(BINARY_CHECKSUM([a]]b]))) AS sum FROM [dbo].[it's [odd]]]\n\
             UNION ALL SELECT N'dbo.empty' AS table_name, COUNT_BIG(*) AS row_count, CONVERT(bigint, NULL) AS sum FROM [dbo].[empty]"
        );
    }
}
