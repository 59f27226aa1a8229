//! Catalog views and table functions that are written in T-SQL over others, and views that never have rows.
//!
//! SQL Server defines most of its own catalog the same way. What only Rust can know is a [`super::View`]; a script with the
//! same name widens it: inside of the script its own name means the view made in Rust.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use lab_tsql::ast::{CreateModule, ModuleBody, ObjectName, StatementKind, TableElement};
use lab_tsql::{ParseOptions, parse_batch};

use crate::bind::declared_type;
use crate::types::SqlType;

/// A view or table function written in T-SQL.
#[derive(Debug)]
pub(crate) struct Script {
    /// Its `object_id`: negative, as those of SQL Server's own objects are.
    pub(crate) id: i32,
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) create: CreateModule,
}

/// A view without rows.
#[derive(Debug)]
pub(crate) struct Empty {
    pub(crate) id: i32,
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) columns: Vec<(String, SqlType, bool)>,
    /// It has rows where there are availability groups.
    pub(crate) of_groups: bool,
}

impl Empty {
    /// What `t_view` is told.
    pub(crate) fn key(&self) -> String {
        format!("{}.{}", self.schema, self.name).to_lowercase()
    }
}

#[derive(Debug, Default)]
struct Scripts {
    written: BTreeMap<String, Arc<Script>>,
    empty: BTreeMap<String, Arc<Empty>>,
}

fn scripts() -> &'static Scripts {
    static SCRIPTS: OnceLock<Scripts> = OnceLock::new();
    SCRIPTS.get_or_init(|| {
        let mut all = Scripts::default();
        for text in include_str!("sql/views.sql").split("\nGO\n") {
            for statement in parse_batch(text, &ParseOptions::default()).unwrap_or_default().statements {
                let StatementKind::CreateModule(create) = statement.kind else { continue };
                let (key, schema, name) = key_of(&create.name);
                let script = Script { id: system_id(&key), schema, name, create: *create };
                all.written.insert(key, Arc::new(script));
            }
        }
        let parse = |text: &str| parse_batch(text, &ParseOptions::default()).unwrap_or_default().statements;
        let of_groups = parse(include_str!("sql/hadr.sql")).into_iter().map(|s| (s, true));
        let empty = parse(include_str!("sql/empty.sql")).into_iter().map(|s| (s, false));
        for (statement, of_groups) in of_groups.chain(empty) {
            let StatementKind::CreateTable(create) = statement.kind else { continue };
            let (key, schema, name) = key_of(&create.name);
            let mut columns = Vec::new();
            for element in &create.elements {
                let TableElement::Column(def) = element else { continue };
                let Some(Ok(ty)) = def.data_type.as_ref().map(declared_type) else { continue };
                columns.push((def.name.value.clone(), ty, def.nullable != Some(false)));
            }
            all.empty.insert(
                key.clone(),
                Arc::new(Empty { id: system_id(&key), schema, name, columns, of_groups }),
            );
        }
        all
    })
}

fn key_of(name: &ObjectName) -> (String, String, String) {
    let schema = name.schema().unwrap_or("sys").to_owned();
    let object = name.name().to_owned();
    (format!("{schema}.{object}").to_lowercase(), schema, object)
}

/// A number below zero that a name always has.
pub(super) fn system_id(key: &str) -> i32 {
    // FNV-1a: any spread will do, as long as every start of the server gives the same.
    let hash = key.bytes().fold(0x811C_9DC5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
    -((hash >> 2) as i32) - 101
}

/// The view of that name.
pub(super) fn script_view(schema: &str, name: &str) -> Option<Arc<Script>> {
    let found = scripts().written.get(&format!("{schema}.{name}").to_lowercase())?;
    matches!(found.create.body, ModuleBody::View { .. }).then(|| Arc::clone(found))
}

/// The view without rows of that name.
pub(super) fn empty_view(schema: &str, name: &str) -> Option<Arc<Empty>> {
    scripts().empty.get(&format!("{schema}.{name}").to_lowercase()).map(Arc::clone)
}

pub(super) fn empty_view_by_key(key: &str) -> Option<Arc<Empty>> {
    scripts().empty.get(key).map(Arc::clone)
}

/// The table function of that name; those called `fn_` are found without their schema, too.
pub(crate) fn script_function(name: &ObjectName) -> Option<Arc<Script>> {
    let bare = name.name().get(..3).is_some_and(|p| p.eq_ignore_ascii_case("fn_"));
    let schema = match name.schema() {
        Some(schema) => schema,
        None if bare => "sys",
        None => return None,
    };
    let found = scripts().written.get(&format!("{schema}.{}", name.name()).to_lowercase())?;
    matches!(found.create.body, ModuleBody::InlineFunction { .. }).then(|| Arc::clone(found))
}

/// What there is besides the views made in Rust: id, schema, name, and whether it is a function.
pub(super) fn listed() -> impl Iterator<Item = (i32, String, String, bool)> {
    let written = scripts().written.values().map(|s| {
        let function = matches!(s.create.body, ModuleBody::InlineFunction { .. });
        (s.id, s.schema.clone(), s.name.clone(), function)
    });
    // The lab's own schema is none of SQL Server's.
    let empty = scripts().empty.values().filter(|e| e.schema != "lab");
    written.chain(empty.map(|e| (e.id, e.schema.clone(), e.name.clone(), false)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_is_read() {
        let views = include_str!("sql/views.sql");
        let broken: Vec<String> = views
            .split("\nGO\n")
            .filter_map(|t| parse_batch(t, &ParseOptions::default()).err().map(|e| format!("{e:?} in {t}")))
            .collect();
        assert!(broken.is_empty(), "{broken:#?}");
        assert_eq!(scripts().written.len(), views.matches("\nCREATE ").count());
        let empty = [include_str!("sql/empty.sql"), include_str!("sql/hadr.sql")];
        assert!(empty.iter().all(|text| parse_batch(text, &ParseOptions::default()).is_ok()));
        let declared = empty.iter().map(|text| text.matches("\nCREATE TABLE ").count());
        assert_eq!(scripts().empty.len(), declared.sum::<usize>());
        let mut ids: Vec<i32> = listed().map(|(id, ..)| id).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "two names have one id");
        assert!(scripts().empty.values().all(|e| e.columns.len() > 1));
    }
}
