//! Catalog views of one database.

use rusqlite::types::Value;

use super::{View, bit, int, text};
use crate::catalog::{Column, IndexRole, ObjectKind, ReferentialAction};
use crate::error::SqlError;
use crate::session::Shared;
use crate::types::SqlType;

type Rows = Result<Vec<Vec<Value>>, SqlError>;

const INT: SqlType = SqlType::Int;
const NAME: SqlType = SqlType::SYSNAME;
const WHEN: SqlType = SqlType::DateTime;
const BIT: SqlType = SqlType::Bit;
const CODE: SqlType = SqlType::Char { len: 2 };
const WORDS: SqlType = SqlType::nvarchar(60);
const TEXT: SqlType = SqlType::NVARCHAR_MAX;
const TINY: SqlType = SqlType::TinyInt;
const SMALL: SqlType = SqlType::SmallInt;

/// The columns that every kind of object has in front.
macro_rules! object_columns {
    ($($more:expr),*) => {
        &[
            ("name", NAME, false), ("object_id", INT, false), ("principal_id", INT, true), ("schema_id", INT, false),
            ("parent_object_id", INT, false), ("type", CODE, false), ("type_desc", WORDS, true), ("create_date", WHEN, false),
            ("modify_date", WHEN, false), ("is_ms_shipped", BIT, false), $($more),*
        ]
    };
}

pub(super) const VIEWS: &[View] = &[
    View { schema: "sys", name: "objects", columns: object_columns!(), rows: |s, d| objects(s, d, "") },
    View { schema: "sys", name: "procedures", columns: object_columns!(), rows: |s, d| objects(s, d, "P ") },
    View { schema: "sys", name: "views", columns: object_columns!(), rows: |s, d| objects(s, d, "V ") },
    View {
        schema: "sys",
        name: "tables",
        columns: object_columns!(
            ("lob_data_space_id", INT, false),
            ("is_memory_optimized", BIT, false),
            ("temporal_type", TINY, true),
            ("is_filetable", BIT, false),
            ("is_external", BIT, false),
            ("is_node", BIT, false),
            ("is_edge", BIT, false)
        ),
        rows: |s, d| {
            let mut rows = objects(s, d, "U ")?;
            rows.iter_mut().for_each(|r| r.extend((0..7).map(|_| int(0))));
            Ok(rows)
        },
    },
    View {
        schema: "sys",
        name: "sysobjects",
        columns: &[
            ("name", NAME, false),
            ("id", INT, false),
            ("xtype", CODE, false),
            ("uid", SMALL, true),
            ("type", CODE, true),
            ("crdate", WHEN, false),
            ("sysstat", SMALL, true),
            ("parent_obj", INT, false),
            ("category", INT, false),
        ],
        rows: sysobjects,
    },
    View { schema: "sys", name: "columns", columns: COLUMN_COLUMNS, rows: columns },
    View {
        schema: "sys",
        name: "identity_columns",
        columns: &[
            ("object_id", INT, false),
            ("name", NAME, true),
            ("column_id", INT, false),
            ("seed_value", SqlType::Variant, true),
            ("increment_value", SqlType::Variant, true),
            ("last_value", SqlType::Variant, true),
            ("is_identity", BIT, false),
            ("is_not_for_replication", BIT, true),
        ],
        rows: identity_columns,
    },
    View {
        schema: "sys",
        name: "computed_columns",
        columns: &[
            ("object_id", INT, false),
            ("name", NAME, true),
            ("column_id", INT, false),
            ("definition", TEXT, true),
            ("is_persisted", BIT, false),
        ],
        rows: computed_columns,
    },
    View {
        schema: "sys",
        name: "schemas",
        columns: &[("name", NAME, false), ("schema_id", INT, false), ("principal_id", INT, true)],
        rows: |s, d| {
            Ok(s.catalog(d)?.schemas.values().map(|x| vec![text(&x.name), int(x.id), int(x.owner)]).collect())
        },
    },
    View {
        schema: "sys",
        name: "indexes",
        columns: &[
            ("object_id", INT, false),
            ("name", NAME, true),
            ("index_id", INT, false),
            ("type", TINY, false),
            ("type_desc", WORDS, true),
            ("is_unique", BIT, true),
            ("data_space_id", INT, true),
            ("ignore_dup_key", BIT, true),
            ("is_primary_key", BIT, true),
            ("is_unique_constraint", BIT, true),
            ("fill_factor", TINY, false),
            ("is_padded", BIT, true),
            ("is_disabled", BIT, true),
            ("is_hypothetical", BIT, true),
            ("has_filter", BIT, false),
            ("filter_definition", TEXT, true),
        ],
        rows: indexes,
    },
    View {
        schema: "sys",
        name: "index_columns",
        columns: &[
            ("object_id", INT, false),
            ("index_id", INT, false),
            ("index_column_id", INT, false),
            ("column_id", INT, false),
            ("key_ordinal", TINY, false),
            ("partition_ordinal", TINY, false),
            ("is_descending_key", BIT, true),
            ("is_included_column", BIT, true),
        ],
        rows: index_columns,
    },
    View {
        schema: "sys",
        name: "key_constraints",
        columns: object_columns!(("unique_index_id", INT, true), ("is_system_named", BIT, false)),
        rows: |s, d| constraints(s, d, "K"),
    },
    View {
        schema: "sys",
        name: "check_constraints",
        columns: object_columns!(
            ("is_disabled", BIT, false),
            ("is_not_trusted", BIT, false),
            ("parent_column_id", INT, false),
            ("definition", TEXT, true),
            ("is_system_named", BIT, false)
        ),
        rows: |s, d| constraints(s, d, "C"),
    },
    View {
        schema: "sys",
        name: "default_constraints",
        columns: object_columns!(
            ("parent_column_id", INT, false),
            ("definition", TEXT, true),
            ("is_system_named", BIT, false)
        ),
        rows: |s, d| constraints(s, d, "D"),
    },
    View {
        schema: "sys",
        name: "foreign_keys",
        columns: object_columns!(
            ("referenced_object_id", INT, true),
            ("key_index_id", INT, true),
            ("is_disabled", BIT, false),
            ("is_not_for_replication", BIT, false),
            ("is_not_trusted", BIT, false),
            ("delete_referential_action", TINY, true),
            ("delete_referential_action_desc", WORDS, true),
            ("update_referential_action", TINY, true),
            ("update_referential_action_desc", WORDS, true),
            ("is_system_named", BIT, false)
        ),
        rows: |s, d| constraints(s, d, "F"),
    },
    View {
        schema: "sys",
        name: "foreign_key_columns",
        columns: &[
            ("constraint_object_id", INT, false),
            ("constraint_column_id", INT, false),
            ("parent_object_id", INT, false),
            ("parent_column_id", INT, false),
            ("referenced_object_id", INT, false),
            ("referenced_column_id", INT, false),
        ],
        rows: foreign_key_columns,
    },
    View {
        schema: "sys",
        name: "sql_modules",
        columns: &[
            ("object_id", INT, false),
            ("definition", TEXT, true),
            ("uses_ansi_nulls", BIT, true),
            ("uses_quoted_identifier", BIT, true),
            ("is_schema_bound", BIT, true),
        ],
        rows: |s, d| {
            let catalog = s.catalog(d)?;
            Ok(catalog
                .objects()
                .filter_map(|o| {
                    o.kind.module().map(|m| {
                        vec![
                            int(o.id),
                            text(&m.definition),
                            bit(m.ansi_nulls),
                            bit(m.quoted_identifier),
                            bit(m.schema_bound),
                        ]
                    })
                })
                .collect())
        },
    },
    View {
        schema: "sys",
        name: "parameters",
        columns: &[
            ("object_id", INT, false),
            ("name", NAME, true),
            ("parameter_id", INT, false),
            ("system_type_id", TINY, false),
            ("user_type_id", INT, false),
            ("max_length", SMALL, false),
            ("precision", TINY, false),
            ("scale", TINY, false),
            ("is_output", BIT, false),
            ("has_default_value", BIT, false),
        ],
        rows: parameters,
    },
    View {
        schema: "sys",
        name: "database_principals",
        columns: &[
            ("name", NAME, false),
            ("principal_id", INT, false),
            ("type", SqlType::Char { len: 1 }, false),
            ("type_desc", WORDS, true),
            ("default_schema_name", NAME, true),
            ("create_date", WHEN, false),
            ("modify_date", WHEN, false),
            ("owning_principal_id", INT, true),
            ("sid", SqlType::VarBinary { len: crate::types::Len::N(85) }, true),
            ("is_fixed_role", BIT, false),
            ("authentication_type_desc", WORDS, true),
        ],
        rows: |s, d| {
            let role = |p: &crate::catalog::Principal| p.kind == crate::catalog::PrincipalKind::Role;
            Ok(s.catalog(d)?
                .principals
                .values()
                .map(|p| {
                    vec![
                        text(&p.name),
                        int(p.id),
                        text(if role(p) { "R" } else { "S" }),
                        text(if role(p) { "DATABASE_ROLE" } else { "SQL_USER" }),
                        p.default_schema.clone().map_or(Value::Null, text),
                        int(p.created),
                        int(p.created),
                        if role(p) { int(1) } else { Value::Null },
                        p.sid.as_deref().and_then(crate::types::parse_hex).map_or(Value::Null, Value::Blob),
                        bit(p.fixed_role),
                        text(if p.sid.is_some() { "INSTANCE" } else { "NONE" }),
                    ]
                })
                .collect())
        },
    },
    View {
        schema: "sys",
        name: "database_role_members",
        columns: &[("role_principal_id", INT, false), ("member_principal_id", INT, false)],
        rows: |s, d| {
            Ok(s.catalog(d)?
                .principals
                .values()
                .flat_map(|p| p.member_of.iter().map(|r| vec![int(*r), int(p.id)]).collect::<Vec<_>>())
                .collect())
        },
    },
];

const COLUMN_COLUMNS: &[(&str, SqlType, bool)] = &[
    ("object_id", INT, false),
    ("name", NAME, true),
    ("column_id", INT, false),
    ("system_type_id", TINY, false),
    ("user_type_id", INT, false),
    ("max_length", SMALL, false),
    ("precision", TINY, false),
    ("scale", TINY, false),
    ("collation_name", NAME, true),
    ("is_nullable", BIT, true),
    ("is_ansi_padded", BIT, false),
    ("is_rowguidcol", BIT, false),
    ("is_identity", BIT, false),
    ("is_computed", BIT, false),
    ("default_object_id", INT, false),
    ("is_sparse", BIT, true),
    ("generated_always_type", TINY, true),
    ("is_hidden", BIT, false),
];

fn object_row(
    name: &str,
    id: i32,
    schema: i32,
    parent: i32,
    kind: (&str, &str),
    when: (i64, i64),
) -> Vec<Value> {
    vec![
        text(name),
        int(id),
        Value::Null,
        int(schema),
        int(parent),
        text(format!("{:<2}", kind.0)),
        text(kind.1),
        int(when.0),
        int(when.1),
        bit(false),
    ]
}

fn objects(shared: &Shared, database: i32, only: &str) -> Rows {
    let catalog = shared.catalog(database)?;
    let mut rows = Vec::new();
    for o in catalog.objects() {
        rows.push(object_row(
            &o.name,
            o.id,
            o.schema,
            0,
            (o.kind.code(), o.kind.description()),
            (o.created, o.modified),
        ));
    }
    if only.is_empty() {
        for kind in ["K", "C", "D", "F"] {
            rows.extend(constraints(shared, database, kind)?.into_iter().map(|mut r| {
                r.truncate(10);
                r
            }));
        }
    } else {
        rows.retain(|r| r.get(5) == Some(&text(only)));
    }
    Ok(rows)
}

/// `sysstat & 0xf`: 2 view, 3 user table, 4 procedure (the old documentation of sysobjects).
fn sysobjects(shared: &Shared, database: i32) -> Rows {
    let stat = |code: &Value| match code {
        Value::Text(t) => match t.trim() {
            "U" => 3,
            "V" => 2,
            "P" => 4,
            _ => 0,
        },
        _ => 0,
    };
    let pick = |r: &Vec<Value>, n: usize| r.get(n).cloned().unwrap_or(Value::Null);
    let rows = objects(shared, database, "")?;
    Ok(rows
        .iter()
        .map(|r| {
            vec![
                pick(r, 0),
                pick(r, 1),
                pick(r, 5),
                pick(r, 3),
                pick(r, 5),
                pick(r, 7),
                int(stat(&pick(r, 5))),
                pick(r, 4),
                int(0),
            ]
        })
        .collect())
}

fn column_row(
    object: i32,
    id: i32,
    name: &str,
    ty: SqlType,
    nullable: bool,
    collation: &str,
    column: Option<&Column>,
) -> Vec<Value> {
    vec![
        int(object),
        text(name),
        int(id),
        int(ty.system_type_id()),
        int(if ty == SqlType::SYSNAME && column.is_none() { 231 } else { i64::from(ty.system_type_id()) }),
        int(ty.max_length()),
        int(ty.precision()),
        int(ty.scale()),
        if ty.is_character() && ty != SqlType::Xml { text(collation) } else { Value::Null },
        bit(nullable),
        bit(true),
        bit(column.is_some_and(|c| c.rowguidcol)),
        bit(column.is_some_and(|c| c.identity.is_some())),
        bit(column.is_some_and(|c| c.computed.is_some())),
        int(column.and_then(|c| c.default.as_ref()).map_or(0, |d| d.object_id)),
        bit(false),
        int(0),
        bit(false),
    ]
}

fn columns(shared: &Shared, database: i32) -> Rows {
    let catalog = shared.catalog(database)?;
    let mut rows = Vec::new();
    for o in catalog.objects() {
        if let ObjectKind::Table(t) = &o.kind {
            rows.extend(
                t.columns
                    .iter()
                    .map(|c| column_row(o.id, c.id, &c.name, c.ty, c.nullable, c.collation.name(), Some(c))),
            );
        } else if let Some(m) = o.kind.module() {
            rows.extend(m.columns.iter().enumerate().map(|(n, c)| {
                column_row(o.id, n as i32 + 1, &c.name, c.ty, c.nullable, c.collation.name(), None)
            }));
        }
    }
    Ok(rows)
}

fn identity_columns(shared: &Shared, database: i32) -> Rows {
    let catalog = shared.catalog(database)?;
    let variant = |n: i64, ty: SqlType| crate::types::variant_value(&Value::Integer(n), ty);
    let mut rows = Vec::new();
    for o in catalog.objects() {
        let Some(c) = o.table().and_then(|t| t.identity_column()) else { continue };
        let Some(identity) = c.identity else { continue };
        let last = shared
            .server
            .last_identity((database, o.id))
            .map_or(Value::Null, |n| variant(n, SqlType::BigInt));
        rows.push(vec![
            int(o.id),
            text(&c.name),
            int(c.id),
            variant(identity.seed, SqlType::BigInt),
            variant(identity.increment, SqlType::BigInt),
            last,
            bit(true),
            bit(identity.not_for_replication),
        ]);
    }
    Ok(rows)
}

fn computed_columns(shared: &Shared, database: i32) -> Rows {
    let catalog = shared.catalog(database)?;
    let mut rows = Vec::new();
    for o in catalog.objects() {
        for c in o.table().iter().flat_map(|t| t.columns.iter()) {
            if let Some(computed) = &c.computed {
                rows.push(vec![
                    int(o.id),
                    text(&c.name),
                    int(c.id),
                    text(&computed.definition),
                    bit(computed.persisted),
                ]);
            }
        }
    }
    Ok(rows)
}

fn indexes(shared: &Shared, database: i32) -> Rows {
    let catalog = shared.catalog(database)?;
    let mut rows = Vec::new();
    for o in catalog.objects() {
        let Some(t) = o.table() else { continue };
        if !t.indexes.iter().any(|i| i.clustered) {
            let mut heap = vec![int(o.id), Value::Null, int(0), int(0), text("HEAP")];
            heap.extend((0..9).map(|_| int(0)));
            heap.extend([bit(false), Value::Null]);
            rows.push(heap);
        }
        for i in &t.indexes {
            let (kind, desc) = if i.clustered { (1, "CLUSTERED") } else { (2, "NONCLUSTERED") };
            rows.push(vec![
                int(o.id),
                text(&i.name),
                int(i.id),
                int(kind),
                text(desc),
                bit(i.unique),
                int(1),
                bit(i.ignore_dup_key),
                bit(matches!(i.role, IndexRole::PrimaryKey(_))),
                bit(matches!(i.role, IndexRole::Unique(_))),
                int(i.fill_factor),
                bit(false),
                bit(i.disabled),
                bit(false),
                bit(i.filter.is_some()),
                i.filter.clone().map_or(Value::Null, text),
            ]);
        }
    }
    Ok(rows)
}

fn index_columns(shared: &Shared, database: i32) -> Rows {
    let catalog = shared.catalog(database)?;
    let mut rows = Vec::new();
    for o in catalog.objects() {
        for i in o.table().iter().flat_map(|t| t.indexes.iter()) {
            for (n, key) in i.keys.iter().enumerate() {
                let n = n as i64 + 1;
                rows.push(vec![
                    int(o.id),
                    int(i.id),
                    int(n),
                    int(key.column),
                    int(n),
                    int(0),
                    bit(key.descending),
                    bit(false),
                ]);
            }
            for (n, column) in i.included.iter().enumerate() {
                let n = (i.keys.len() + n) as i64 + 1;
                rows.push(vec![
                    int(o.id),
                    int(i.id),
                    int(n),
                    int(*column),
                    int(0),
                    int(0),
                    bit(false),
                    bit(true),
                ]);
            }
        }
    }
    Ok(rows)
}

fn action(action: ReferentialAction) -> (i64, &'static str) {
    match action {
        ReferentialAction::NoAction => (0, "NO_ACTION"),
        ReferentialAction::Cascade => (1, "CASCADE"),
        ReferentialAction::SetNull => (2, "SET_NULL"),
        ReferentialAction::SetDefault => (3, "SET_DEFAULT"),
    }
}

/// Constraints of one kind: K keys, C checks, D defaults, F foreign keys.
fn constraints(shared: &Shared, database: i32, kind: &str) -> Rows {
    let catalog = shared.catalog(database)?;
    let mut rows = Vec::new();
    for o in catalog.objects() {
        let Some(t) = o.table() else { continue };
        let row = |name: &str, id: i32, code: &str, desc: &str| {
            object_row(name, id, o.schema, o.id, (code, desc), (o.created, o.modified))
        };
        match kind {
            "K" => {
                for i in &t.indexes {
                    let mut r = match i.role {
                        IndexRole::PrimaryKey(id) => row(&i.name, id, "PK", "PRIMARY_KEY_CONSTRAINT"),
                        IndexRole::Unique(id) => row(&i.name, id, "UQ", "UNIQUE_CONSTRAINT"),
                        IndexRole::Index => continue,
                    };
                    r.extend([int(i.id), bit(i.system_named)]);
                    rows.push(r);
                }
            }
            "C" => {
                for c in &t.checks {
                    let mut r = row(&c.name, c.object_id, "C", "CHECK_CONSTRAINT");
                    r.extend([
                        bit(c.disabled),
                        bit(c.not_trusted),
                        int(c.column),
                        text(&c.definition),
                        bit(c.system_named),
                    ]);
                    rows.push(r);
                }
            }
            "D" => {
                for (c, d) in t.columns.iter().filter_map(|c| c.default.as_ref().map(|d| (c, d))) {
                    let mut r = row(&d.name, d.object_id, "D", "DEFAULT_CONSTRAINT");
                    r.extend([int(c.id), text(&d.definition), bit(d.system_named)]);
                    rows.push(r);
                }
            }
            _ => {
                for f in &t.foreign_keys {
                    let mut r = row(&f.name, f.object_id, "F", "FOREIGN_KEY_CONSTRAINT");
                    let (delete, update) = (action(f.on_delete), action(f.on_update));
                    r.extend([
                        int(f.referenced_table),
                        int(f.key_index_id),
                        bit(f.disabled),
                        bit(false),
                        bit(f.not_trusted),
                        int(delete.0),
                        text(delete.1),
                        int(update.0),
                        text(update.1),
                        bit(f.system_named),
                    ]);
                    rows.push(r);
                }
            }
        }
    }
    Ok(rows)
}

fn foreign_key_columns(shared: &Shared, database: i32) -> Rows {
    let catalog = shared.catalog(database)?;
    let mut rows = Vec::new();
    for o in catalog.objects() {
        for f in o.table().iter().flat_map(|t| t.foreign_keys.iter()) {
            for (n, (c, r)) in f.columns.iter().zip(&f.referenced_columns).enumerate() {
                rows.push(vec![
                    int(f.object_id),
                    int(n as i64 + 1),
                    int(o.id),
                    int(*c),
                    int(f.referenced_table),
                    int(*r),
                ]);
            }
        }
    }
    Ok(rows)
}

fn parameters(shared: &Shared, database: i32) -> Rows {
    let catalog = shared.catalog(database)?;
    let mut rows = Vec::new();
    for o in catalog.objects() {
        // What a function returns is its parameter 0.
        if let Some(ty) = o.kind.module().and_then(|m| m.returns) {
            rows.push(vec![
                int(o.id),
                text(""),
                int(0),
                int(ty.system_type_id()),
                int(ty.system_type_id()),
                int(ty.max_length()),
                int(ty.precision()),
                int(ty.scale()),
                bit(true),
                bit(false),
            ]);
        }
        for (n, p) in o.kind.module().iter().flat_map(|m| m.parameters.iter()).enumerate() {
            rows.push(vec![
                int(o.id),
                text(&p.name),
                int(n as i64 + 1),
                int(p.ty.system_type_id()),
                int(p.ty.system_type_id()),
                int(p.ty.max_length()),
                int(p.ty.precision()),
                int(p.ty.scale()),
                bit(p.output),
                bit(p.has_default),
            ]);
        }
    }
    Ok(rows)
}
