//! The SQLite DDL of tables and indexes.

use std::collections::BTreeMap;

use crate::catalog::{Column, Index, Table};
use crate::types::SqlType;

/// `alias.t123`; temporary objects have negative ids and are written `t_5`.
pub(crate) fn table_name(alias: &str, object_id: i32) -> String {
    if object_id < 0 {
        format!("{alias}.t_{}", object_id.unsigned_abs())
    } else {
        format!("{alias}.t{object_id}")
    }
}

/// The bare name of an index of a table.
pub(crate) fn index_name(object_id: i32, index_id: i32) -> String {
    if object_id < 0 {
        format!("i_{}_{index_id}", object_id.unsigned_abs())
    } else {
        format!("i{object_id}_{index_id}")
    }
}

/// SQLite's type for a column's storage representation.
fn storage_class(ty: SqlType) -> &'static str {
    match ty {
        SqlType::Bit
        | SqlType::TinyInt
        | SqlType::SmallInt
        | SqlType::Int
        | SqlType::BigInt
        | SqlType::Money
        | SqlType::SmallMoney
        | SqlType::Date
        | SqlType::Time { .. }
        | SqlType::DateTime
        | SqlType::SmallDateTime
        | SqlType::DateTime2 { .. } => "INTEGER",
        SqlType::Decimal { precision, .. } | SqlType::Numeric { precision, .. } => {
            if precision <= 18 {
                "INTEGER"
            } else {
                "BLOB"
            }
        }
        SqlType::Real | SqlType::Float => "REAL",
        SqlType::Char { .. }
        | SqlType::VarChar { .. }
        | SqlType::Text
        | SqlType::NChar { .. }
        | SqlType::NVarChar { .. }
        | SqlType::NText
        | SqlType::Xml => "TEXT",
        SqlType::DateTimeOffset { .. }
        | SqlType::Binary { .. }
        | SqlType::VarBinary { .. }
        | SqlType::Image
        | SqlType::UniqueIdentifier
        | SqlType::Variant
        | SqlType::RowVersion => "BLOB",
    }
}

/// One column of CREATE TABLE. NULLs are the engine's to refuse, with 515 and the column's name.
pub(crate) fn column_declaration(table: &Table, column: &Column) -> String {
    let class = storage_class(column.ty);
    if table.rowid_column == Some(column.id) {
        return format!("c{} INTEGER PRIMARY KEY", column.id);
    }
    let collate =
        if class == "TEXT" { format!(" COLLATE \"{}\"", column.collation.name()) } else { String::new() };
    format!("c{} {class}{collate}", column.id)
}

/// CREATE TABLE for the stored columns. A table of computed columns only cannot be.
pub(crate) fn create_table_sql(name: &str, table: &Table) -> String {
    let columns: Vec<String> = table.stored_columns().map(|c| column_declaration(table, c)).collect();
    format!("CREATE TABLE {name}({}) STRICT", columns.join(", "))
}

/// CREATE INDEX for an index, unless SQLite's rowid is that index already.
///
/// A unique index over columns that may be NULL gets a companion: SQL Server holds two NULLs for equal there, SQLite
/// does not, so the companion indexes just the rows with a NULL, with each NULL spelt out. `computed` has the expressions
/// of the computed columns among the keys.
pub(crate) fn create_index_sql(
    alias: &str,
    object_id: i32,
    table: &Table,
    index: &Index,
    filter: Option<&str>,
    computed: &BTreeMap<i32, String>,
) -> Vec<String> {
    if is_rowid(table, index) || index.disabled {
        return Vec::new();
    }
    let name = index_name(object_id, index.id);
    let bare = table_name("", object_id);
    let bare = bare.trim_start_matches('.');
    let unique = if index.unique { "UNIQUE " } else { "" };
    let mut keys = Vec::new();
    let mut spelt = Vec::new();
    let mut nullable = Vec::new();
    for key in &index.keys {
        let direction = if key.descending { " DESC" } else { "" };
        let Some(column) = table.column(key.column) else { continue };
        let collate = if storage_class(column.ty) == "TEXT" {
            format!(" COLLATE \"{}\"", column.collation.name())
        } else {
            String::new()
        };
        let (value, plain) = match computed.get(&column.id) {
            Some(sql) => (sql.clone(), format!("{sql}{collate}")),
            None => (format!("c{}", column.id), format!("c{}", column.id)),
        };
        keys.push(format!("{plain}{direction}"));
        if column.nullable {
            spelt.push(format!("{value} IS NULL"));
            spelt.push(format!("ifnull({value}, 0){collate}"));
            nullable.push(format!("{value} IS NULL"));
        } else {
            spelt.push(format!("{value}{collate}"));
        }
    }
    if !index.unique {
        // Included columns go at the end of the key: SQLite knows no others, and covering is all they are for.
        // A computed one is in no row to be copied from.
        let stored = |id: &&i32| table.column(**id).is_some_and(|c| c.computed.is_none());
        keys.extend(index.included.iter().filter(stored).map(|id| format!("c{id}")));
    }
    let filtered = filter.map(|f| format!(" WHERE {f}")).unwrap_or_default();
    let mut out =
        vec![format!("CREATE {unique}INDEX {alias}.{name} ON {bare}({}){filtered}", keys.join(", "))];
    if index.unique && !nullable.is_empty() {
        let also = filter.map(|f| format!(" AND ({f})")).unwrap_or_default();
        out.push(format!(
            "CREATE UNIQUE INDEX {alias}.{name}_null ON {bare}({}) WHERE ({}){also}",
            spelt.join(", "),
            nullable.join(" OR ")
        ));
    }
    out
}

/// Whether the index is what SQLite keeps as the table's rowid.
fn is_rowid(table: &Table, index: &Index) -> bool {
    matches!(index.role, crate::catalog::IndexRole::PrimaryKey(_))
        && index.keys.len() == 1
        && index.keys.first().is_some_and(|k| Some(k.column) == table.rowid_column)
}
