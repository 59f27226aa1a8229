//! Constraints of tables as they are defined: keys, foreign keys, checks, defaults.

use lab_tsql::ast::{Constraint, ConstraintKind, Ident, KeyColumn, ObjectName};

use super::column::shown;
use super::table::mentions;
use super::{Frame, Stop};
use crate::catalog::{
    Catalog, Check, ForeignKey, Index, IndexKey, IndexRole, ObjectIds, ReferentialAction, Table, same_name,
};
use crate::error::SqlError;
use crate::session::Session;

/// The table that constraints are added to.
pub(super) struct TableBeing<'a> {
    pub(super) id: i32,
    pub(super) name: &'a str,
    pub(super) schema: i32,
    pub(super) database: i32,
    pub(super) catalog: &'a Catalog,
    /// Whether the table exists already, so that rows may contradict.
    pub(super) exists: bool,
}

/// What was added, so that rows can be checked or indexes built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Added {
    Index(i32),
    Check(i32),
    ForeignKey(i32),
    Default,
}

impl Session {
    /// Adds a constraint to a table; `column` is the one it is written with.
    ///
    /// # Errors
    /// What is wrong with it, and 1750 behind that.
    pub(super) fn add_constraint(
        &mut self,
        being: &TableBeing<'_>,
        table: &mut Table,
        ids: &mut ObjectIds,
        constraint: &Constraint,
        column: Option<&str>,
    ) -> Result<Added, Stop> {
        self.define_constraint(being, table, ids, constraint, column).map_err(|stop| {
            stop.map(|e| match e.number {
                1752 | 1761..=1785 | 1909 | 1911 | 1919 | 2714 | 8111 | 8139 | 8141 => {
                    SqlError::no_constraint(e)
                }
                _ => e,
            })
        })
    }

    fn define_constraint(
        &mut self,
        being: &TableBeing<'_>,
        table: &mut Table,
        ids: &mut ObjectIds,
        constraint: &Constraint,
        column: Option<&str>,
    ) -> Result<Added, Stop> {
        let object_id = if being.database == 0 { self.server.next_temp_object_id() } else { ids.take() };
        let system_named = constraint.name.is_none();
        let name = |prefix: &str, column: &str| match &constraint.name {
            Some(name) => name.value.clone(),
            None => system_name(prefix, being.name, column, object_id),
        };
        if let Some(given) = &constraint.name
            && (being.catalog.id_of(being.schema, &given.value).is_some()
                || table.constraints().iter().any(|(_, n)| same_name(n, &given.value)))
        {
            return Err(SqlError::object_exists(&given.value).at(given.pos.line).into());
        }
        match &constraint.kind {
            ConstraintKind::Key { primary, clustered, columns, ignore_dup_key } => {
                let prefix = if *primary { "PK" } else { "UQ" };
                let key = Key {
                    primary: *primary,
                    clustered: *clustered,
                    ignore_dup_key: *ignore_dup_key,
                    name: name(prefix, ""),
                    system_named,
                    object_id,
                };
                add_key(being, table, key, columns, column).map_err(Stop::from)
            }
            ConstraintKind::ForeignKey { columns, table: parent, referenced, on_delete, on_update } => {
                let own: Vec<String> = if columns.is_empty() {
                    column.iter().map(|c| (*c).to_owned()).collect()
                } else {
                    columns.iter().map(|c| c.value.clone()).collect()
                };
                let name = name("FK", own.first().map_or("", String::as_str));
                let actions = (action(*on_delete), action(*on_update));
                self.add_foreign_key(
                    being,
                    table,
                    (name, system_named, object_id),
                    &own,
                    (parent, referenced),
                    actions,
                )
            }
            ConstraintKind::Check { condition, text } => {
                let at = column.and_then(|c| table.column_named(c)).map_or(0, |c| c.id);
                let other = |c: &&crate::catalog::Column| c.id != at && mentions(text, &c.name);
                if at != 0
                    && let Some(column) = column
                    && table.columns.iter().any(|c| other(&c))
                {
                    return Err(SqlError::new(8141, 16, 0, format!("Column CHECK constraint for column '{column}' references another column, table '{}'.", being.name)).into());
                }
                table.checks.push(Check {
                    object_id,
                    name: name("CK", column.unwrap_or("")),
                    system_named,
                    definition: shown(condition, text),
                    column: at,
                    disabled: false,
                    not_trusted: false,
                });
                // Bound once now, so that a name it gets wrong is found.
                let whole = table.clone();
                self.bind(&Frame::batch(), |b| b.checks(&whole))?;
                Ok(Added::Check(object_id))
            }
            ConstraintKind::Default { value, text, column: named, .. } => {
                let target = named.as_ref().map(|n| n.value.as_str()).or(column).unwrap_or("");
                let found = table.column_named(target).cloned().ok_or_else(|| {
                    SqlError::new(
                        1752,
                        16,
                        0,
                        format!(
                            "Column '{target}' in table '{}' is invalid for creating a default constraint.",
                            being.name
                        ),
                    )
                })?;
                if found.default.is_some() {
                    return Err(
                        SqlError::new(1781, 16, 1, "Column already has a DEFAULT bound to it.").into()
                    );
                }
                let default =
                    self.define_default(&found, value, text, name("DF", target), object_id, system_named)?;
                if let Some(slot) = table.column_named_mut(target) {
                    slot.default = Some(default);
                }
                Ok(Added::Default)
            }
        }
    }

    fn add_foreign_key(
        &mut self,
        being: &TableBeing<'_>,
        table: &mut Table,
        (name, system_named, object_id): (String, bool, i32),
        own: &[String],
        (parent, referenced): (&ObjectName, &[Ident]),
        (on_delete, on_update): (ReferentialAction, ReferentialAction),
    ) -> Result<Added, Stop> {
        if let Some(server) = parent.database()
            && self.server.database_named(server).is_none_or(|d| d.id != being.database)
        {
            return Err(SqlError::foreign_key_across(&name).into());
        }
        if being.database == 0 || parent.name().starts_with('#') {
            return Err(SqlError::foreign_key_temporary(&name).into());
        }
        let mut columns = Vec::new();
        for column in own {
            columns.push(
                table
                    .column_named(column)
                    .ok_or_else(|| SqlError::foreign_key_bad_column(&name, column, being.name))?
                    .id,
            );
        }
        let schema =
            parent.schema().map_or(Some(being.schema), |s| being.catalog.schema_named(s).map(|s| s.id));
        let itself = same_name(parent.name(), being.name) && schema == Some(being.schema);
        let found = schema.and_then(|s| being.catalog.object_named(s, parent.name())).cloned();
        let (parent_id, parent_table) = if itself {
            (being.id, table.clone())
        } else {
            let found = found.ok_or_else(|| SqlError::foreign_key_bad_table(&name, &parent.to_string()))?;
            let parent_table = found
                .table()
                .cloned()
                .ok_or_else(|| SqlError::foreign_key_bad_table(&name, &parent.to_string()))?;
            (found.id, parent_table)
        };
        let no_key = || SqlError::foreign_key_no_key(&parent.to_string(), &name);
        let wanted: Vec<i32> = if referenced.is_empty() {
            parent_table.primary_key().ok_or_else(no_key)?.keys.iter().map(|k| k.column).collect()
        } else {
            let id = |i: &Ident| {
                parent_table.column_named(&i.value).map(|c| c.id).ok_or_else(|| {
                SqlError::new(1770, 16, 0, format!("Foreign key '{name}' references invalid column '{}' in referenced table '{parent}'.", i.value))
            })
            };
            referenced.iter().map(id).collect::<Result<_, _>>()?
        };
        if wanted.len() != columns.len() {
            return Err(SqlError::new(8139, 16, 0, format!("Number of referencing columns in foreign key differs from number of referenced columns, table '{}'.", being.name)).into());
        }
        let matches = |i: &&Index| {
            i.unique
                && i.filter.is_none()
                && i.keys.len() == wanted.len()
                && i.keys.iter().all(|k| wanted.contains(&k.column))
        };
        let key = parent_table.indexes.iter().find(matches).ok_or_else(no_key)?;
        for (a, b) in columns.iter().zip(&wanted) {
            let types = table.column(*a).map(|c| c.ty).zip(parent_table.column(*b).map(|c| c.ty));
            if types.is_some_and(|(x, y)| {
                x.is_character() != y.is_character()
                    || (!x.is_character() && !crate::types::same_representation(x, y))
            }) {
                let names = (
                    table.column(*a).map_or("", |c| &c.name),
                    parent_table.column(*b).map_or("", |c| &c.name),
                );
                return Err(SqlError::new(1778, 16, 0, format!("Column '{parent}.{}' is not the same data type as referencing column '{}.{}' in foreign key '{name}'.", names.1, being.name, names.0)).into());
            }
        }
        let computed =
            |t: &Table, ids: &[i32]| ids.iter().any(|id| t.column(*id).is_some_and(|c| c.computed.is_some()));
        if computed(table, &columns) || computed(&parent_table, &wanted) {
            return Err(SqlError::unsupported("FOREIGN KEY over a computed column").into());
        }
        actions_fit(table, &name, &columns, on_delete, on_update)?;
        let edges = cascades(being, table);
        for (update, action) in [(false, on_delete), (true, on_update)] {
            let acts = action != ReferentialAction::NoAction;
            if acts && closes_a_path(&edges, update, parent_id, being.id) {
                return Err(SqlError::cascade_cycle(&name, being.name).into());
            }
        }
        table.foreign_keys.push(ForeignKey {
            object_id,
            name,
            system_named,
            columns,
            referenced_table: parent_id,
            referenced_columns: wanted,
            key_index_id: key.id,
            on_delete,
            on_update,
            disabled: false,
            not_trusted: false,
        });
        Ok(Added::ForeignKey(object_id))
    }
}

/// SET NULL needs columns that may be NULL, SET DEFAULT such with a default or that may be NULL.
fn actions_fit(
    table: &Table,
    name: &str,
    columns: &[i32],
    on_delete: ReferentialAction,
    on_update: ReferentialAction,
) -> Result<(), SqlError> {
    let fixed = || columns.iter().filter_map(|id| table.column(*id)).filter(|c| !c.nullable);
    let asks = |action| on_delete == action || on_update == action;
    if asks(ReferentialAction::SetNull) && fixed().next().is_some() {
        return Err(SqlError::set_null_not_nullable(name));
    }
    if asks(ReferentialAction::SetDefault) && fixed().any(|c| c.default.is_none()) {
        return Err(SqlError::set_default_without(name));
    }
    Ok(())
}

/// A foreign key that acts: whether on UPDATE, the referenced table, the referencing one.
type Edge = (bool, i32, i32);

/// Every acting foreign key of the database, with those that the table being defined has so far.
fn cascades(being: &TableBeing<'_>, table: &Table) -> Vec<Edge> {
    let mut out = Vec::new();
    let mut note = |owner: i32, fk: &ForeignKey| {
        for (update, action) in [(false, fk.on_delete), (true, fk.on_update)] {
            if action != ReferentialAction::NoAction {
                out.push((update, fk.referenced_table, owner));
            }
        }
    };
    for object in being.catalog.objects().filter(|o| o.id != being.id) {
        object.table().iter().flat_map(|t| t.foreign_keys.iter()).for_each(|fk| note(object.id, fk));
    }
    table.foreign_keys.iter().for_each(|fk| note(being.id, fk));
    out
}

/// Whether one more edge would let some table be reached twice by what one statement sets off.
fn closes_a_path(edges: &[Edge], update: bool, from: i32, to: i32) -> bool {
    let reach = |start: i32, forward: bool| {
        let mut found = vec![start];
        let mut at = 0;
        while let Some(table) = found.get(at).copied() {
            at += 1;
            for (kind, parent, child) in edges {
                let (here, there) = if forward { (*parent, *child) } else { (*child, *parent) };
                if *kind == update && here == table && !found.contains(&there) {
                    found.push(there);
                }
            }
        }
        found
    };
    let below = reach(to, true);
    reach(from, false).iter().any(|root| {
        let known = reach(*root, true);
        below.iter().any(|table| known.contains(table))
    })
}

struct Key {
    primary: bool,
    clustered: Option<bool>,
    ignore_dup_key: bool,
    name: String,
    system_named: bool,
    object_id: i32,
}

fn add_key(
    being: &TableBeing<'_>,
    table: &mut Table,
    key: Key,
    columns: &[KeyColumn],
    column: Option<&str>,
) -> Result<Added, SqlError> {
    if key.primary && table.primary_key().is_some() {
        return Err(SqlError::two_primary_keys(being.name));
    }
    let named: Vec<(String, bool)> = if columns.is_empty() {
        column.iter().map(|c| ((*c).to_owned(), false)).collect()
    } else {
        columns.iter().map(|c| (c.name.value.clone(), c.descending)).collect()
    };
    let mut keys = Vec::new();
    for (name, descending) in &named {
        let exists = being.exists;
        let twice = named.iter().filter(|(other, _)| same_name(other, name)).count() > 1;
        if twice {
            return Err(SqlError::duplicate_key_column(name));
        }
        let column = table.column_named_mut(name).ok_or_else(|| {
            SqlError::new(
                1911,
                16,
                1,
                format!("Column name '{name}' does not exist in the target table or view."),
            )
        })?;
        must_be_key(column, being.name)?;
        if key.primary && column.nullable {
            if exists || column.said_null || column.computed.is_some() {
                return Err(SqlError::nullable_primary_key(being.name));
            }
            column.nullable = false;
        }
        keys.push(IndexKey { column: column.id, descending: *descending });
    }
    let clustered = key.clustered.unwrap_or(key.primary) && !table.indexes.iter().any(|i| i.clustered);
    let id = next_index_id(table, clustered);
    let role =
        if key.primary { IndexRole::PrimaryKey(key.object_id) } else { IndexRole::Unique(key.object_id) };
    table.indexes.push(Index {
        id,
        name: key.name,
        system_named: key.system_named,
        role,
        clustered,
        unique: true,
        keys,
        included: Vec::new(),
        filter: None,
        ignore_dup_key: key.ignore_dup_key,
        disabled: false,
        fill_factor: 0,
    });
    Ok(Added::Index(id))
}

/// Types too large to be compared as keys.
pub(super) fn must_be_key(column: &crate::catalog::Column, table: &str) -> Result<(), SqlError> {
    if column.ty.is_large() || column.ty == crate::types::SqlType::Xml {
        return Err(SqlError::no_key_type(&column.name, table));
    }
    Ok(())
}

/// 1 for the clustered index, 2 and up for the others.
pub(super) fn next_index_id(table: &Table, clustered: bool) -> i32 {
    if clustered { 1 } else { table.indexes.iter().map(|i| i.id).max().unwrap_or(1).max(1) + 1 }
}

fn action(action: lab_tsql::ast::ReferentialAction) -> ReferentialAction {
    match action {
        lab_tsql::ast::ReferentialAction::NoAction => ReferentialAction::NoAction,
        lab_tsql::ast::ReferentialAction::Cascade => ReferentialAction::Cascade,
        lab_tsql::ast::ReferentialAction::SetNull => ReferentialAction::SetNull,
        lab_tsql::ast::ReferentialAction::SetDefault => ReferentialAction::SetDefault,
    }
}

/// The name that SQL Server makes up: `PK__Orders__3214EC07A1B2C3D4`, `DF__Orders__Total__4AB81AF0`.
fn system_name(prefix: &str, table: &str, column: &str, id: i32) -> String {
    let cut = |text: &str, n: usize| text.chars().take(n).collect::<String>();
    let mixed = (id as u32).wrapping_mul(0x9E37_79B1);
    if matches!(prefix, "PK" | "UQ") {
        format!("{prefix}__{}__{:08X}{mixed:08X}", cut(table, 8), id as u32)
    } else if column.is_empty() {
        format!("{prefix}__{}__{mixed:08X}", cut(table, 16))
    } else {
        format!("{prefix}__{}__{}__{mixed:08X}", cut(table, 9), cut(column, 5))
    }
}
