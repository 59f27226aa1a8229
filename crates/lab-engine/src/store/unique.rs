//! From SQLite's "UNIQUE constraint failed" to the index that SQL Server names.

use crate::catalog::{Index, IndexRole, Table};

/// The index whose uniqueness a write violated, read off SQLite's message: `UNIQUE constraint failed: t5.c1, t5.c2`, or
/// `... failed: index 'i5_2_null'` for an index over expressions.
pub(crate) fn violated_index<'a>(table: &'a Table, message: &str) -> Option<&'a Index> {
    let (_, what) = message.split_once("constraint failed: ")?;
    if let Some(name) = what.strip_prefix("index '") {
        let name = name.trim_end_matches('\'').trim_end_matches("_null");
        let id: i32 = name.rsplit('_').next()?.parse().ok()?;
        return table.indexes.iter().find(|i| i.id == id);
    }
    let columns: Option<Vec<i32>> =
        what.split(", ").map(|part| part.rsplit(".c").next().and_then(|id| id.parse().ok())).collect();
    let columns = columns?;
    let matches = |i: &&Index| i.unique && i.keys.iter().map(|k| k.column).eq(columns.iter().copied());
    // Two unique indexes may have the same columns; the primary key is checked first, as SQL Server does.
    table
        .indexes
        .iter()
        .filter(|i| matches!(i.role, IndexRole::PrimaryKey(_)))
        .find(matches)
        .or_else(|| table.indexes.iter().find(matches))
}
