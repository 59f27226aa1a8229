//! INFORMATION_SCHEMA and the types.

use rusqlite::types::Value;

use super::{View, int, text};
use crate::catalog::{IndexRole, ObjectKind};
use crate::error::SqlError;
use crate::session::Shared;
use crate::types::SqlType;

type Rows = Result<Vec<Vec<Value>>, SqlError>;

const NAME: SqlType = SqlType::SYSNAME;
const INT: SqlType = SqlType::Int;
const IS: &str = "INFORMATION_SCHEMA";

pub(super) const VIEWS: &[View] = &[
    View {
        schema: IS,
        name: "TABLES",
        columns: &[
            ("TABLE_CATALOG", NAME, true),
            ("TABLE_SCHEMA", NAME, true),
            ("TABLE_NAME", NAME, false),
            ("TABLE_TYPE", SqlType::varchar(10), true),
        ],
        rows: |s, d| tables(s, d, false),
    },
    View {
        schema: IS,
        name: "VIEWS",
        columns: &[
            ("TABLE_CATALOG", NAME, true),
            ("TABLE_SCHEMA", NAME, true),
            ("TABLE_NAME", NAME, false),
            ("VIEW_DEFINITION", SqlType::nvarchar(4000), true),
        ],
        rows: |s, d| tables(s, d, true),
    },
    View {
        schema: IS,
        name: "COLUMNS",
        columns: &[
            ("TABLE_CATALOG", NAME, true),
            ("TABLE_SCHEMA", NAME, true),
            ("TABLE_NAME", NAME, false),
            ("COLUMN_NAME", NAME, true),
            ("ORDINAL_POSITION", INT, true),
            ("COLUMN_DEFAULT", SqlType::nvarchar(4000), true),
            ("IS_NULLABLE", SqlType::varchar(3), true),
            ("DATA_TYPE", NAME, true),
            ("CHARACTER_MAXIMUM_LENGTH", INT, true),
            ("CHARACTER_OCTET_LENGTH", INT, true),
            ("NUMERIC_PRECISION", SqlType::TinyInt, true),
            ("NUMERIC_PRECISION_RADIX", SqlType::SmallInt, true),
            ("NUMERIC_SCALE", INT, true),
            ("DATETIME_PRECISION", SqlType::SmallInt, true),
            ("CHARACTER_SET_NAME", NAME, true),
            ("COLLATION_NAME", NAME, true),
        ],
        rows: columns,
    },
    View {
        schema: IS,
        name: "TABLE_CONSTRAINTS",
        columns: &[
            ("CONSTRAINT_CATALOG", NAME, true),
            ("CONSTRAINT_SCHEMA", NAME, true),
            ("CONSTRAINT_NAME", NAME, false),
            ("TABLE_CATALOG", NAME, true),
            ("TABLE_SCHEMA", NAME, true),
            ("TABLE_NAME", NAME, true),
            ("CONSTRAINT_TYPE", SqlType::varchar(11), true),
        ],
        rows: table_constraints,
    },
    View {
        schema: IS,
        name: "KEY_COLUMN_USAGE",
        columns: &[
            ("CONSTRAINT_CATALOG", NAME, true),
            ("CONSTRAINT_SCHEMA", NAME, true),
            ("CONSTRAINT_NAME", NAME, false),
            ("TABLE_CATALOG", NAME, true),
            ("TABLE_SCHEMA", NAME, true),
            ("TABLE_NAME", NAME, true),
            ("COLUMN_NAME", NAME, true),
            ("ORDINAL_POSITION", INT, false),
        ],
        rows: key_column_usage,
    },
    View {
        schema: IS,
        name: "REFERENTIAL_CONSTRAINTS",
        columns: &[
            ("CONSTRAINT_CATALOG", NAME, true),
            ("CONSTRAINT_SCHEMA", NAME, true),
            ("CONSTRAINT_NAME", NAME, false),
            ("UNIQUE_CONSTRAINT_CATALOG", NAME, true),
            ("UNIQUE_CONSTRAINT_SCHEMA", NAME, true),
            ("UNIQUE_CONSTRAINT_NAME", NAME, true),
            ("MATCH_OPTION", SqlType::varchar(7), true),
            ("UPDATE_RULE", SqlType::varchar(11), true),
            ("DELETE_RULE", SqlType::varchar(11), true),
        ],
        rows: referential_constraints,
    },
    View {
        schema: IS,
        name: "ROUTINES",
        columns: &[
            ("ROUTINE_CATALOG", NAME, true),
            ("ROUTINE_SCHEMA", NAME, true),
            ("ROUTINE_NAME", NAME, false),
            ("ROUTINE_TYPE", SqlType::nvarchar(20), true),
            ("ROUTINE_DEFINITION", SqlType::nvarchar(4000), true),
        ],
        rows: |s, d| {
            let catalog = s.catalog(d)?;
            let database = text(database_name(s, d));
            Ok(catalog
                .objects()
                .filter_map(|o| {
                    let kind = match &o.kind {
                        ObjectKind::Procedure(_) => "PROCEDURE",
                        ObjectKind::ScalarFunction(_) | ObjectKind::InlineFunction(_) => "FUNCTION",
                        _ => return None,
                    };
                    let definition = o.kind.module().map_or(Value::Null, |m| text(&m.definition));
                    Some(vec![
                        database.clone(),
                        text(catalog.schema_name(o.schema)),
                        text(&o.name),
                        text(kind),
                        definition,
                    ])
                })
                .collect())
        },
    },
    View {
        schema: IS,
        name: "SCHEMATA",
        columns: &[("CATALOG_NAME", NAME, true), ("SCHEMA_NAME", NAME, false), ("SCHEMA_OWNER", NAME, true)],
        rows: |s, d| {
            let name = database_name(s, d);
            Ok(s.catalog(d)?
                .schemas
                .values()
                .map(|x| vec![text(&name), text(&x.name), text("dbo")])
                .collect())
        },
    },
    View {
        schema: "sys",
        name: "types",
        columns: &[
            ("name", NAME, false),
            ("system_type_id", SqlType::TinyInt, false),
            ("user_type_id", INT, false),
            ("schema_id", INT, false),
            ("principal_id", INT, true),
            ("max_length", SqlType::SmallInt, false),
            ("precision", SqlType::TinyInt, false),
            ("scale", SqlType::TinyInt, false),
            ("collation_name", NAME, true),
            ("is_nullable", SqlType::Bit, true),
            ("is_user_defined", SqlType::Bit, false),
            ("is_assembly_type", SqlType::Bit, false),
            ("default_object_id", INT, false),
            ("rule_object_id", INT, false),
            ("is_table_type", SqlType::Bit, false),
        ],
        rows: types,
    },
];

pub(super) fn database_name(shared: &Shared, id: i32) -> String {
    shared.server.database(id).map(|d| d.name()).unwrap_or_default()
}

fn tables(shared: &Shared, database: i32, views: bool) -> Rows {
    let catalog = shared.catalog(database)?;
    let name = database_name(shared, database);
    Ok(catalog
        .objects()
        .filter_map(|o| {
            let last = match &o.kind {
                ObjectKind::Table(_) if !views => text("BASE TABLE"),
                ObjectKind::View(_) if !views => text("VIEW"),
                ObjectKind::View(m) => text(&m.definition),
                _ => return None,
            };
            Some(vec![text(&name), text(catalog.schema_name(o.schema)), text(&o.name), last])
        })
        .collect())
}

fn columns(shared: &Shared, database: i32) -> Rows {
    let catalog = shared.catalog(database)?;
    let name = database_name(shared, database);
    let mut rows = Vec::new();
    for o in catalog.objects() {
        let listed: Vec<(String, SqlType, bool, &str, Option<String>)> = match &o.kind {
            ObjectKind::Table(t) => t
                .columns
                .iter()
                .map(|c| {
                    (
                        c.name.clone(),
                        c.ty,
                        c.nullable,
                        c.collation.name(),
                        c.default.as_ref().map(|d| d.definition.clone()),
                    )
                })
                .collect(),
            ObjectKind::View(m) => m
                .columns
                .iter()
                .map(|c| (c.name.clone(), c.ty, c.nullable, c.collation.name(), None))
                .collect(),
            _ => continue,
        };
        for (n, (column, ty, nullable, collation, default)) in listed.into_iter().enumerate() {
            let sized = ty.is_character() || ty.is_binary() && ty != SqlType::RowVersion;
            let length = if ty.is_large() { -1 } else { ty.char_length().map_or(-1, i64::from) };
            let numeric = ty.is_integer() && ty != SqlType::Bit
                || ty.is_decimal()
                || ty.is_money()
                || ty.is_approximate();
            let some = |yes: bool, v: i64| if yes { int(v) } else { Value::Null };
            rows.push(vec![
                text(&name),
                text(catalog.schema_name(o.schema)),
                text(&o.name),
                text(column),
                int(n as i64 + 1),
                default.map_or(Value::Null, text),
                text(if nullable { "YES" } else { "NO" }),
                text(ty.name()),
                some(sized, length),
                some(sized, if length < 0 { -1 } else { i64::from(ty.max_length()) }),
                some(numeric, i64::from(ty.precision())),
                some(numeric, if ty.is_approximate() { 2 } else { 10 }),
                some(numeric && !ty.is_approximate(), i64::from(ty.scale())),
                some(ty.is_temporal(), i64::from(ty.scale())),
                if ty.is_character() {
                    text(if ty.is_national() { "UNICODE" } else { "iso_1" })
                } else {
                    Value::Null
                },
                if ty.is_character() { text(collation) } else { Value::Null },
            ]);
        }
    }
    Ok(rows)
}

fn table_constraints(shared: &Shared, database: i32) -> Rows {
    let catalog = shared.catalog(database)?;
    let name = database_name(shared, database);
    let mut rows = Vec::new();
    for o in catalog.objects() {
        let Some(t) = o.table() else { continue };
        let schema = catalog.schema_name(o.schema);
        let mut push = |constraint: &str, kind: &str| {
            rows.push(vec![
                text(&name),
                text(schema),
                text(constraint),
                text(&name),
                text(schema),
                text(&o.name),
                text(kind),
            ]);
        };
        for i in &t.indexes {
            match i.role {
                IndexRole::PrimaryKey(_) => push(&i.name, "PRIMARY KEY"),
                IndexRole::Unique(_) => push(&i.name, "UNIQUE"),
                IndexRole::Index => {}
            }
        }
        t.foreign_keys.iter().for_each(|f| push(&f.name, "FOREIGN KEY"));
        t.checks.iter().for_each(|c| push(&c.name, "CHECK"));
    }
    Ok(rows)
}

fn key_column_usage(shared: &Shared, database: i32) -> Rows {
    let catalog = shared.catalog(database)?;
    let name = database_name(shared, database);
    let mut rows = Vec::new();
    for o in catalog.objects() {
        let Some(t) = o.table() else { continue };
        let schema = catalog.schema_name(o.schema);
        let mut push = |constraint: &str, ids: Vec<i32>| {
            for (n, id) in ids.iter().enumerate() {
                let column = t.column(*id).map(|c| c.name.clone()).unwrap_or_default();
                rows.push(vec![
                    text(&name),
                    text(schema),
                    text(constraint),
                    text(&name),
                    text(schema),
                    text(&o.name),
                    text(column),
                    int(n as i64 + 1),
                ]);
            }
        };
        for i in t.indexes.iter().filter(|i| i.role != IndexRole::Index) {
            push(&i.name, i.keys.iter().map(|k| k.column).collect());
        }
        for f in &t.foreign_keys {
            push(&f.name, f.columns.clone());
        }
    }
    Ok(rows)
}

fn referential_constraints(shared: &Shared, database: i32) -> Rows {
    let catalog = shared.catalog(database)?;
    let name = database_name(shared, database);
    let rule = |a: crate::catalog::ReferentialAction| match a {
        crate::catalog::ReferentialAction::NoAction => "NO ACTION",
        crate::catalog::ReferentialAction::Cascade => "CASCADE",
        crate::catalog::ReferentialAction::SetNull => "SET NULL",
        crate::catalog::ReferentialAction::SetDefault => "SET DEFAULT",
    };
    let mut rows = Vec::new();
    for o in catalog.objects() {
        for f in o.table().iter().flat_map(|t| t.foreign_keys.iter()) {
            let parent = catalog.object(f.referenced_table);
            let key = parent
                .and_then(|p| p.table())
                .and_then(|t| t.indexes.iter().find(|i| i.id == f.key_index_id))
                .map(|i| i.name.clone());
            let parent_schema = parent.map(|p| catalog.schema_name(p.schema).to_owned()).unwrap_or_default();
            rows.push(vec![
                text(&name),
                text(catalog.schema_name(o.schema)),
                text(&f.name),
                text(&name),
                text(parent_schema),
                key.map_or(Value::Null, text),
                text("SIMPLE"),
                text(rule(f.on_update)),
                text(rule(f.on_delete)),
            ]);
        }
    }
    Ok(rows)
}

fn types(_: &Shared, _: i32) -> Rows {
    let all = (0..30).filter_map(|kind| SqlType::from_code(kind << 32));
    let mut rows: Vec<Vec<Value>> = all
        .map(|ty| {
            let length = match ty.name() {
                "char" | "varchar" | "binary" | "varbinary" | "nchar" | "nvarchar" => 8000,
                "decimal" | "numeric" => 17,
                _ => i64::from(ty.max_length()),
            };
            let (precision, scale) =
                if ty.is_decimal() { (38, 38) } else { (i64::from(ty.precision()), i64::from(ty.scale())) };
            let id = i64::from(ty.system_type_id());
            let mut row = vec![
                text(ty.name()),
                int(id),
                int(id),
                int(4),
                Value::Null,
                int(length),
                int(precision),
                int(scale),
                Value::Null,
                int(1),
            ];
            row.extend((0..5).map(|_| int(0)));
            row
        })
        .collect();
    let mut sysname = vec![
        text("sysname"),
        int(231),
        int(256),
        int(4),
        Value::Null,
        int(256),
        int(0),
        int(0),
        Value::Null,
        int(0),
    ];
    sysname.extend((0..5).map(|_| int(0)));
    rows.push(sysname);
    Ok(rows)
}
