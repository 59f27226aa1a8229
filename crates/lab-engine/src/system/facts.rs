//! Views that the catalog's own T-SQL is written over: what only the engine knows, in a form of its own.

use rusqlite::types::Value;

use super::{View, bit, int, text};
use crate::catalog::{Catalog, PropertyClass, same_name};
use crate::error::SqlError;
use crate::session::Shared;
use crate::types::{Len, SqlType};

type Rows = Result<Vec<Vec<Value>>, SqlError>;

const INT: SqlType = SqlType::Int;
const NAME: SqlType = SqlType::SYSNAME;
const WORDS: SqlType = SqlType::nvarchar(60);
const HANDLE: SqlType = SqlType::VarBinary { len: Len::N(64) };

/// The view whose rows SQLite counts; the binder makes them.
pub(crate) const TABLE_ROWS: &str = "sys.table_rows";

pub(super) const VIEWS: &[View] = &[
    View {
        schema: "sys",
        name: "table_rows",
        columns: &[
            ("object_id", INT, false),
            ("rows", SqlType::BigInt, false),
            ("pages", SqlType::BigInt, false),
        ],
        rows: |_, _| Ok(Vec::new()),
    },
    View {
        schema: "sys",
        name: "session_batches",
        columns: &[
            ("session_id", INT, false),
            ("sql_handle", HANDLE, false),
            ("database_id", INT, false),
            ("text", SqlType::NVARCHAR_MAX, true),
        ],
        rows: session_batches,
    },
    View {
        schema: "sys",
        name: "system_objects",
        columns: &[
            ("name", NAME, false),
            ("object_id", INT, false),
            ("principal_id", INT, true),
            ("schema_id", INT, false),
            ("parent_object_id", INT, false),
            ("type", SqlType::Char { len: 2 }, false),
            ("type_desc", WORDS, true),
            ("create_date", SqlType::DateTime, false),
            ("modify_date", SqlType::DateTime, false),
            ("is_ms_shipped", SqlType::Bit, false),
        ],
        rows: system_objects,
    },
    View {
        schema: "sys",
        name: "module_names",
        columns: &[
            ("referencing_id", INT, false),
            ("referenced_schema_name", NAME, true),
            ("referenced_entity_name", NAME, true),
            ("referenced_id", INT, true),
            ("is_schema_bound_reference", SqlType::Bit, false),
        ],
        rows: module_names,
    },
    View {
        schema: "sys",
        name: "extended_properties",
        columns: &[
            ("class", SqlType::TinyInt, false),
            ("class_desc", WORDS, true),
            ("major_id", INT, false),
            ("minor_id", INT, false),
            ("name", NAME, false),
            ("value", SqlType::Variant, true),
        ],
        rows: |s, d| {
            let catalog = s.catalog(d)?;
            Ok(catalog
                .properties()
                .map(|p| {
                    vec![
                        int(p.class.number()),
                        text(p.class.description()),
                        int(p.major),
                        int(p.minor),
                        text(&p.name),
                        p.value.0.clone(),
                    ]
                })
                .collect())
        },
    },
    View {
        schema: "sys",
        name: "extended_property_levels",
        columns: &[
            ("depth", INT, false),
            ("level_type", NAME, true),
            ("object_name", NAME, true),
            ("level0_type", NAME, true),
            ("level0_name", NAME, true),
            ("level1_type", NAME, true),
            ("level1_name", NAME, true),
            ("level2_type", NAME, true),
            ("level2_name", NAME, true),
            ("name", NAME, false),
            ("value", SqlType::Variant, true),
        ],
        rows: levels,
    },
];

/// What each session ran last; its handle is its session's number.
fn session_batches(shared: &Shared, _: i32) -> Rows {
    let mut rows = Vec::new();
    for session in shared.server.sessions() {
        let s = session.state();
        let mut handle = vec![2, 0, 0, 0];
        handle.extend(session.id.to_be_bytes());
        rows.push(vec![
            int(session.id),
            Value::Blob(handle),
            int(s.database),
            text(s.batch_text.to_string()),
        ]);
    }
    Ok(rows)
}

fn system_objects(shared: &Shared, _: i32) -> Rows {
    let row = |id: i32, schema: i32, name: &str, code: &str, desc: &str| {
        let when = shared.server.started;
        vec![
            text(name),
            int(id),
            Value::Null,
            int(schema),
            int(0),
            text(format!("{code:<2}")),
            text(desc),
            int(when),
            int(when),
            bit(true),
        ]
    };
    let mut rows: Vec<Vec<Value>> = super::system_objects()
        .iter()
        .map(|(id, schema, name, function)| {
            let schema = if same_name(schema, "sys") { 4 } else { 3 };
            let (code, desc) =
                if *function { ("IF", "SQL_INLINE_TABLE_VALUED_FUNCTION") } else { ("V", "VIEW") };
            row(*id, schema, name, code, desc)
        })
        .collect();
    for name in crate::exec::system_procedures() {
        let id = super::scripts::system_id(&format!("sys.{name}"));
        rows.push(row(id, 4, &name, "P", "SQL_STORED_PROCEDURE"));
    }
    Ok(rows)
}

/// The objects of the database whose names the text of a module mentions.
fn module_names(shared: &Shared, database: i32) -> Rows {
    let catalog = shared.catalog(database)?;
    let mut rows = Vec::new();
    for object in catalog.objects() {
        let Some(module) = object.kind.module() else { continue };
        let mut seen = Vec::new();
        for name in lab_tsql::mentioned_names(&module.definition) {
            let schema = name.schema().map_or(Some(object.schema), |s| catalog.schema_named(s).map(|s| s.id));
            let found = schema.and_then(|s| catalog.object_named(s, name.name())).or_else(|| {
                catalog.object_named(crate::catalog::DBO, name.name()).filter(|_| name.schema().is_none())
            });
            let Some(found) = found.filter(|f| f.id != object.id && !seen.contains(&f.id)) else { continue };
            seen.push(found.id);
            rows.push(vec![
                int(object.id),
                name.schema().map_or(Value::Null, text),
                text(&found.name),
                int(found.id),
                bit(module.schema_bound),
            ]);
        }
    }
    Ok(rows)
}

/// The extended properties by the levels that `fn_listextendedproperty` is asked with.
fn levels(shared: &Shared, database: i32) -> Rows {
    let catalog = shared.catalog(database)?;
    Ok(catalog
        .properties()
        .filter_map(|p| {
            let path = path_of(&catalog, p.class, p.major, p.minor)?;
            let (last_type, last_name) = path.last().cloned().unwrap_or_default();
            let mut row = vec![int(path.len() as i64)];
            let cell = |t: &str| if t.is_empty() { Value::Null } else { text(t) };
            row.extend([cell(&last_type), cell(&last_name)]);
            for n in 0..3 {
                let (kind, name) = path.get(n).cloned().unwrap_or_default();
                row.extend([cell(&kind), cell(&name)]);
            }
            row.extend([text(&p.name), p.value.0.clone()]);
            Some(row)
        })
        .collect())
}

/// `SCHEMA dbo`, `TABLE t`, `COLUMN c`; `None` if what the property is of is gone.
fn path_of(catalog: &Catalog, class: PropertyClass, major: i32, minor: i32) -> Option<Vec<(String, String)>> {
    let level = |kind: &str, name: &str| (kind.to_owned(), name.to_owned());
    if class == PropertyClass::Database {
        return Some(Vec::new());
    }
    if class == PropertyClass::Schema {
        return Some(vec![level("SCHEMA", &catalog.schemas.get(&major)?.name)]);
    }
    let object = match catalog.object(major) {
        Some(object) => object,
        None => {
            let table = catalog.constraint_table(major)?;
            let name = table.table()?.constraints().into_iter().find(|(id, _)| *id == major)?.1;
            return Some(vec![
                level("SCHEMA", catalog.schema_name(table.schema)),
                level("TABLE", &table.name),
                level("CONSTRAINT", name),
            ]);
        }
    };
    let kind = match object.kind.code() {
        "U" => "TABLE",
        "V" => "VIEW",
        "P" => "PROCEDURE",
        "SN" => "SYNONYM",
        _ => "FUNCTION",
    };
    let mut path = vec![level("SCHEMA", catalog.schema_name(object.schema)), level(kind, &object.name)];
    if minor == 0 {
        return Some(path);
    }
    path.push(match (class, object.table(), object.kind.module()) {
        (PropertyClass::Index, Some(table), _) => {
            level("INDEX", &table.indexes.iter().find(|i| i.id == minor)?.name)
        }
        (PropertyClass::Parameter, _, Some(module)) => {
            level("PARAMETER", &module.parameters.get(usize::try_from(minor - 1).ok()?)?.name)
        }
        (_, Some(table), _) => level("COLUMN", &table.column(minor)?.name),
        (_, _, Some(module)) => level("COLUMN", &module.columns.get(usize::try_from(minor - 1).ok()?)?.name),
        _ => return None,
    });
    Some(path)
}
