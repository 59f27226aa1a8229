//! The list of types that every client writes and reads: tests/clients/types.tsv.

/// A type, as a column of the test's tables.
pub(crate) struct Type {
    pub(crate) name: &'static str,
    ty: &'static str,
    literal: &'static str,
    shown: &'static str,
    /// What the server shows the value as.
    pub(crate) text: &'static str,
}

impl Type {
    /// The expression that shows the column as text.
    pub(crate) fn shown(&self) -> String {
        self.shown.replace("{c}", self.name)
    }
}

pub(crate) const PROCEDURE: &str = include_str!("../../../../tests/clients/procedure.sql");

pub(crate) fn all() -> Vec<Type> {
    let line = |line: &'static str| {
        let mut fields = line.split('\t');
        let mut next = || fields.next().unwrap();
        Type { name: next(), ty: next(), literal: next(), shown: next(), text: next() }
    };
    include_str!("../../../../tests/clients/types.tsv").lines().map(line).collect()
}

/// The names of the columns, for a list in SQL.
pub(crate) fn names(types: &[Type]) -> String {
    types.iter().map(|t| t.name).collect::<Vec<_>>().join(", ")
}

pub(crate) fn create_table(table: &str, types: &[Type]) -> String {
    let columns: String = types.iter().map(|t| format!(", {} {} NULL", t.name, t.ty)).collect();
    format!("CREATE TABLE {table} (id int NOT NULL PRIMARY KEY{columns}, c_rowversion rowversion)")
}

/// Row 1 with every value, as literals; row 2 with none.
pub(crate) fn insert(table: &str, types: &[Type]) -> String {
    let values = types.iter().map(|t| t.literal).collect::<Vec<_>>().join(", ");
    format!(
        "INSERT INTO {table} (id, {}) VALUES (1, {values}); INSERT INTO {table} (id) VALUES (2)",
        names(types)
    )
}
