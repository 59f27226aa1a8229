//! sp_addextendedproperty, sp_updateextendedproperty, sp_dropextendedproperty.

use rusqlite::types::Value;

use super::args::{argument, done, text};
use crate::catalog::{Catalog, CatalogChange, ExtendedProperty, PropertyClass, StoredValue, same_name};
use crate::error::SqlError;
use crate::exec::call::{Passed, Returned};
use crate::exec::{Frame, Stop};
use crate::session::Session;
use crate::sink::Sink;
use crate::types::SqlType;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Add,
    Update,
    Drop,
}

pub(super) fn add(s: &mut Session, f: &Frame, p: &[Passed], sink: &mut dyn Sink) -> Result<Returned, Stop> {
    change(s, f, p, sink, Change::Add)
}

pub(super) fn update(
    s: &mut Session,
    f: &Frame,
    p: &[Passed],
    sink: &mut dyn Sink,
) -> Result<Returned, Stop> {
    change(s, f, p, sink, Change::Update)
}

pub(super) fn drop(s: &mut Session, f: &Frame, p: &[Passed], sink: &mut dyn Sink) -> Result<Returned, Stop> {
    change(s, f, p, sink, Change::Drop)
}

fn change(
    session: &mut Session,
    frame: &Frame,
    passed: &[Passed],
    sink: &mut dyn Sink,
    change: Change,
) -> Result<Returned, Stop> {
    let database = frame.database.unwrap_or_else(|| session.current_database());
    let name = text(passed, 0, "@name").unwrap_or_default();
    // sp_dropextendedproperty has no @value.
    let first = if change == Change::Drop { 1 } else { 2 };
    let level = |n: usize| {
        let at = first + 2 * n;
        let kind = text(passed, at, &format!("@level{n}type"))?;
        Some((kind.to_ascii_uppercase(), text(passed, at + 1, &format!("@level{n}name"))?))
    };
    let levels: Vec<(String, String)> = (0..3).map_while(level).collect();
    let shown = match levels.as_slice() {
        [] => "object specified".to_owned(),
        path => path.iter().map(|(_, n)| n.as_str()).collect::<Vec<_>>().join("."),
    };
    let invalid = || {
        let text = format!(
            "Object is invalid. Extended properties are not permitted on '{shown}', or the object does not exist."
        );
        SqlError::new(15135, 16, 8, text)
    };
    if name.is_empty() {
        return Err(SqlError::new(
            15600,
            15,
            1,
            "An invalid parameter or option was specified for procedure 'sys.sp_addextendedproperty'.",
        )
        .into());
    }
    if !session.shared.rights(database)?.ddl {
        return Err(invalid().into());
    }
    let value = match argument(passed, 1, "@value") {
        Some(Passed { value: Some(value), ty, .. }) if change != Change::Drop && *value != Value::Null => {
            crate::types::convert(
                value,
                *ty,
                SqlType::Variant,
                None,
                crate::types::ConvertKind::Explicit,
                &crate::types::ConvertContext::default(),
            )?
        }
        _ => Value::Null,
    };
    session.atomically(sink, |s, _| {
        s.enter_write(database)?;
        let catalog = s.catalog_of(database)?;
        let (class, major, minor) = place(&catalog, &levels).ok_or_else(invalid)?;
        let known = catalog
            .properties()
            .find(|p| (p.class, p.major, p.minor) == (class, major, minor) && same_name(&p.name, &name))
            .cloned();
        let property = match (known, change) {
            (Some(_), Change::Add) => {
                let text =
                    format!("Property cannot be added. Property '{name}' already exists for '{shown}'.");
                return Err(SqlError::new(15233, 16, 1, text).into());
            }
            (None, Change::Update | Change::Drop) => {
                let text = format!(
                    "Property cannot be updated or deleted. Property '{name}' does not exist for '{shown}'."
                );
                return Err(SqlError::new(15217, 16, 1, text).into());
            }
            (Some(known), Change::Drop) => {
                s.change_catalog(database, [CatalogChange::RemoveProperty(known.id)], |c| {
                    c.remove_property(known.id);
                })?;
                return Ok(());
            }
            (Some(known), Change::Update) => ExtendedProperty { value: StoredValue(value), ..known },
            (None, Change::Add) => {
                let id = catalog.properties().map(|p| p.id).max().unwrap_or(0) + 1;
                ExtendedProperty { id, class, major, minor, name: name.clone(), value: StoredValue(value) }
            }
        };
        s.change_catalog(database, [CatalogChange::PutProperty(property.id)], |c| c.put_property(property))?;
        Ok(())
    })?;
    done()
}

/// What the levels name: class, major and minor id.
fn place(catalog: &Catalog, levels: &[(String, String)]) -> Option<(PropertyClass, i32, i32)> {
    let (kind0, name0) = match levels.first() {
        None => return Some((PropertyClass::Database, 0, 0)),
        Some(level) => level,
    };
    if kind0 != "SCHEMA" && kind0 != "USER" {
        return None;
    }
    let schema = catalog.schema_named(name0)?.id;
    let Some((kind1, name1)) = levels.get(1) else { return Some((PropertyClass::Schema, schema, 0)) };
    let object = catalog.object_named(schema, name1)?;
    let fits = match kind1.as_str() {
        "TABLE" => object.kind.code() == "U",
        "VIEW" => object.kind.code() == "V",
        "PROCEDURE" => object.kind.code() == "P",
        "FUNCTION" => matches!(object.kind.code(), "FN" | "IF"),
        _ => false,
    };
    if !fits {
        return None;
    }
    let Some((kind2, name2)) = levels.get(2) else { return Some((PropertyClass::Object, object.id, 0)) };
    let table = object.table();
    let place = |at: usize| i32::try_from(at + 1).ok();
    match kind2.as_str() {
        "COLUMN" => {
            let column = match (table, object.kind.module()) {
                (Some(table), _) => table.column_named(name2)?.id,
                (_, Some(module)) => place(module.columns.iter().position(|c| same_name(&c.name, name2))?)?,
                _ => return None,
            };
            Some((PropertyClass::Object, object.id, column))
        }
        "CONSTRAINT" => {
            let (id, _) = table?.constraints().into_iter().find(|(_, n)| same_name(n, name2))?;
            Some((PropertyClass::Object, id, 0))
        }
        "INDEX" => {
            let index = table?.indexes.iter().find(|i| same_name(&i.name, name2))?;
            Some((PropertyClass::Index, object.id, index.id))
        }
        "PARAMETER" => {
            let module = object.kind.module()?;
            let at = module.parameters.iter().position(|p| same_name(&p.name, name2))?;
            Some((PropertyClass::Parameter, object.id, place(at)?))
        }
        _ => None,
    }
}
