//! Tables as the catalog knows them: columns, keys, indexes and constraints.

use rusqlite::types::Value;
use serde::{Deserialize, Serialize};

use crate::types::{Collation, SqlType};

/// A user table.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Table {
    /// In order of their ids, which is the order of `SELECT *`.
    pub(crate) columns: Vec<Column>,
    /// The id that the next added column gets; ids are never used twice.
    pub(crate) next_column_id: i32,
    /// Keys and indexes; a primary key is one of them.
    pub(crate) indexes: Vec<Index>,
    pub(crate) checks: Vec<Check>,
    pub(crate) foreign_keys: Vec<ForeignKey>,
    /// The column that SQLite keeps as its rowid: the only integer column of the primary key.
    pub(crate) rowid_column: Option<i32>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Column {
    pub(crate) id: i32,
    pub(crate) name: String,
    pub(crate) ty: SqlType,
    pub(crate) nullable: bool,
    pub(crate) collation: Collation,
    pub(crate) identity: Option<Identity>,
    pub(crate) default: Option<DefaultConstraint>,
    pub(crate) computed: Option<Computed>,
    pub(crate) rowguidcol: bool,
    /// NULL was written out: no primary key may take that back. Known only while the table is being defined.
    #[serde(skip)]
    pub(crate) said_null: bool,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) seed: i64,
    pub(crate) increment: i64,
    pub(crate) not_for_replication: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct DefaultConstraint {
    pub(crate) object_id: i32,
    pub(crate) name: String,
    pub(crate) system_named: bool,
    /// T-SQL, parenthesised as `sys.default_constraints` shows it.
    pub(crate) definition: String,
    /// The value in the column's representation, if the definition is a constant.
    pub(crate) constant: Option<StoredValue>,
}

/// A value in storage representation, as the catalog keeps it.
#[derive(Debug, Clone)]
pub(crate) struct StoredValue(pub(crate) Value);

impl Serialize for StoredValue {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Value::Null => ("n", String::new()),
            Value::Integer(i) => ("i", i.to_string()),
            Value::Real(r) => ("r", r.to_bits().to_string()),
            Value::Text(t) => ("t", t.clone()),
            Value::Blob(b) => (
                "b",
                b.iter().fold(String::new(), |mut s, x| {
                    s.push_str(&format!("{x:02x}"));
                    s
                }),
            ),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for StoredValue {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<StoredValue, D::Error> {
        let (kind, text) = <(String, String)>::deserialize(deserializer)?;
        let bad = || serde::de::Error::custom("not a stored value");
        Ok(StoredValue(match kind.as_str() {
            "n" => Value::Null,
            "i" => Value::Integer(text.parse().map_err(|_| bad())?),
            "r" => Value::Real(f64::from_bits(text.parse().map_err(|_| bad())?)),
            "t" => Value::Text(text),
            "b" => Value::Blob(
                (0..text.len() / 2)
                    .map(|n| {
                        text.get(2 * n..2 * n + 2)
                            .and_then(|h| u8::from_str_radix(h, 16).ok())
                            .ok_or_else(bad)
                    })
                    .collect::<Result<_, _>>()?,
            ),
            _ => return Err(bad()),
        }))
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Computed {
    /// T-SQL, parenthesised.
    pub(crate) definition: String,
    pub(crate) persisted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum IndexRole {
    /// CREATE INDEX.
    Index,
    /// PRIMARY KEY; carries the constraint's object id.
    PrimaryKey(i32),
    /// UNIQUE constraint; carries the constraint's object id.
    Unique(i32),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Index {
    /// `index_id`: 1 if clustered, 2 and up otherwise.
    pub(crate) id: i32,
    pub(crate) name: String,
    pub(crate) system_named: bool,
    pub(crate) role: IndexRole,
    pub(crate) clustered: bool,
    pub(crate) unique: bool,
    pub(crate) keys: Vec<IndexKey>,
    pub(crate) included: Vec<i32>,
    /// The WHERE of a filtered index, in T-SQL.
    pub(crate) filter: Option<String>,
    pub(crate) ignore_dup_key: bool,
    pub(crate) disabled: bool,
    pub(crate) fill_factor: u8,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct IndexKey {
    pub(crate) column: i32,
    pub(crate) descending: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Check {
    pub(crate) object_id: i32,
    pub(crate) name: String,
    pub(crate) system_named: bool,
    /// T-SQL, parenthesised.
    pub(crate) definition: String,
    /// The column whose definition it was written in, 0 for a table constraint.
    pub(crate) column: i32,
    pub(crate) disabled: bool,
    pub(crate) not_trusted: bool,
}

/// What happens to the referencing rows when the referenced row goes or its key changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub(crate) enum ReferentialAction {
    #[default]
    NoAction,
    Cascade,
    SetNull,
    SetDefault,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ForeignKey {
    pub(crate) object_id: i32,
    pub(crate) name: String,
    pub(crate) system_named: bool,
    pub(crate) columns: Vec<i32>,
    pub(crate) referenced_table: i32,
    pub(crate) referenced_columns: Vec<i32>,
    /// The name of the key it refers to, as `sys.foreign_keys.key_index_id` needs it.
    pub(crate) key_index_id: i32,
    pub(crate) on_delete: ReferentialAction,
    pub(crate) on_update: ReferentialAction,
    pub(crate) disabled: bool,
    pub(crate) not_trusted: bool,
}

impl Table {
    pub(crate) fn column(&self, id: i32) -> Option<&Column> {
        self.columns.iter().find(|c| c.id == id)
    }

    pub(crate) fn column_named(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| super::same_name(&c.name, name))
    }

    pub(crate) fn column_named_mut(&mut self, name: &str) -> Option<&mut Column> {
        self.columns.iter_mut().find(|c| super::same_name(&c.name, name))
    }

    pub(crate) fn identity_column(&self) -> Option<&Column> {
        self.columns.iter().find(|c| c.identity.is_some())
    }

    pub(crate) fn primary_key(&self) -> Option<&Index> {
        self.indexes.iter().find(|i| matches!(i.role, IndexRole::PrimaryKey(_)))
    }

    /// The columns that rows really hold; the others are computed when read.
    pub(crate) fn stored_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|c| c.computed.is_none())
    }

    /// The object id and name of every constraint of this table.
    pub(crate) fn constraints(&self) -> Vec<(i32, &str)> {
        let mut out = Vec::new();
        for index in &self.indexes {
            if let IndexRole::PrimaryKey(id) | IndexRole::Unique(id) = index.role {
                out.push((id, index.name.as_str()));
            }
        }
        out.extend(self.checks.iter().map(|c| (c.object_id, c.name.as_str())));
        out.extend(self.foreign_keys.iter().map(|c| (c.object_id, c.name.as_str())));
        out.extend(
            self.columns.iter().filter_map(|c| c.default.as_ref()).map(|d| (d.object_id, d.name.as_str())),
        );
        out
    }
}
