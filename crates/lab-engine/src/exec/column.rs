//! Column definitions: types, nullability, defaults, computed columns.

use lab_tsql::ast::{ColumnDef, ConstraintKind, Expr};

use super::{Frame, Stop};
use crate::bind::{Scope, Source, declared_type};
use crate::catalog::{Column, Computed, DefaultConstraint, Identity, StoredValue, Table};
use crate::error::SqlError;
use crate::session::Session;
use crate::types::{Collation, SqlType};

impl Session {
    /// A column as the catalog keeps it; its constraints but DEFAULT come later.
    pub(super) fn define_column(&self, def: &ColumnDef, database: i32, id: i32) -> Result<Column, Stop> {
        let line = def.name.pos.line;
        let ty = match (&def.data_type, &def.computed) {
            (Some(ty), _) => declared_type(ty).map_err(|e| e.at(line))?,
            // The type of a computed column is known once the others are.
            (None, Some(_)) => SqlType::Int,
            (None, None) => SqlType::RowVersion,
        };
        let collation = match &def.collation {
            Some(name) => Collation::by_name(&name.value)
                .ok_or_else(|| SqlError::invalid_collation(&name.value).at(line))?,
            None => self.default_collation(database),
        };
        let primary =
            def.constraints.iter().any(|c| matches!(c.kind, ConstraintKind::Key { primary: true, .. }));
        let identity = def.identity.map(|(seed, increment)| Identity {
            seed,
            increment,
            not_for_replication: def.not_for_replication,
        });
        if def.collation.is_some() && !ty.is_character() && def.computed.is_none() {
            let name = ty.name();
            return Err(SqlError::new(
                447,
                16,
                0,
                format!("Expression type {name} is invalid for COLLATE clause."),
            )
            .at(line)
            .into());
        }
        if identity.is_some() {
            let whole = (ty.is_integer() && ty != SqlType::Bit) || (ty.is_decimal() && ty.scale() == 0);
            if !whole || def.nullable == Some(true) {
                let name = &def.name.value;
                return Err(SqlError::new(2749, 16, 2, format!("Identity column '{name}' must be of data type int, bigint, smallint, tinyint, or decimal or numeric with a scale of 0, unencrypted, and constrained to be nonnullable.")).into());
            }
        }
        let sysname = def.data_type.as_ref().is_some_and(|t| t.name.name().eq_ignore_ascii_case("sysname"));
        let never_null = primary || identity.is_some() || ty == SqlType::RowVersion || sysname;
        Ok(Column {
            id,
            name: def.name.value.clone(),
            ty,
            nullable: def.nullable.unwrap_or(!never_null),
            collation,
            identity,
            default: None,
            computed: def
                .computed
                .as_ref()
                .map(|(expr, text)| Computed { definition: shown(expr, text), persisted: def.persisted }),
            rowguidcol: def.rowguidcol,
            said_null: def.nullable == Some(true),
        })
    }

    pub(super) fn default_collation(&self, database: i32) -> Collation {
        self.catalog_of(database).map_or(self.server.collation, |c| c.collation)
    }

    /// The type of a computed column, from its expression over the others.
    pub(super) fn type_computed(
        &self,
        table: &mut Table,
        name: &str,
        at: usize,
        expr: &Expr,
    ) -> Result<(), Stop> {
        let plan = self.bind(&Frame::batch(), |b| {
            let mut plain = table.clone();
            plain.columns.retain(|c| c.computed.is_none());
            let columns = b.table_columns(&plain, "x")?;
            let source =
                Source { alias: "x".to_owned(), exposed: None, qualifier: Vec::new(), columns, table: None };
            b.scopes.push(Scope { sources: vec![source], ..Scope::default() });
            let bound = b.expr(expr);
            b.scopes.pop();
            bound
        })?;
        if let Some(column) = table.columns.get_mut(at) {
            let persisted = column.computed.as_ref().is_some_and(|c| c.persisted);
            if persisted && (!plan.params.is_empty() || !plan.databases.is_empty()) {
                return Err(SqlError::computed_not_persistable(&column.name, name).into());
            }
            column.ty = plan.bound.ty;
            column.nullable = plan.bound.nullable;
        }
        Ok(())
    }

    /// A default's constraint, its value computed at once if it is a constant.
    pub(super) fn define_default(
        &self,
        column: &Column,
        value: &Expr,
        text: &str,
        name: String,
        object_id: i32,
        system_named: bool,
    ) -> Result<DefaultConstraint, Stop> {
        let plan = self.bind(&Frame::batch(), |b| {
            let bound = b.expr(value)?;
            b.assign(&bound, column.ty)
        });
        let plan = plan.map_err(|e| if e.number == 207 { no_column_here(&e) } else { e })?;
        Ok(DefaultConstraint {
            object_id,
            name,
            system_named,
            definition: shown(value, text),
            constant: plan.bound.literal.map(StoredValue),
        })
    }
}

/// A definition as `sys.default_constraints` and its kin show it, parenthesised.
pub(super) fn shown(expr: &Expr, text: &str) -> String {
    lab_tsql::print_definition(expr)
        .map_or_else(|| format!("({})", text.trim()), |printed| format!("({printed})"))
}

/// A default is no place for columns.
fn no_column_here(e: &SqlError) -> SqlError {
    let name = e.message.split('\'').nth(1).unwrap_or_default();
    SqlError::new(128, 15, 1, format!("The name \"{name}\" is not permitted in this context. Valid expressions are constants, constant expressions, and (in some contexts) variables. Column names are not permitted.")).at(e.line)
}
