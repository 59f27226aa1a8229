//! Counts and checksums of every table of a database, for the receipt of a role change.

use milink_core::receipt::TableSum;
use milink_sql::{Client, SqlError};

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
