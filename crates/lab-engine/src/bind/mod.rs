//! From syntax to SQLite SQL: names are resolved, every expression gets its T-SQL type, conversions are made explicit,
//! and the result is SQL text whose values are in storage representation.
//!
//! Binding and lowering are one pass: an expression's SQL is made from its parts' SQL, so there is no typed tree in
//! between that nobody else would read. SQLite's own typing is never relied on: a place where two types meet gets a
//! conversion here, and a string comparison always names its collation.

mod aggregate;
mod assign;
mod builtin_tables;
mod change;
mod compare;
mod condition;
mod expr;
mod from;
mod names;
mod operators;
mod params;
mod query;
mod scalar;
mod scope;
mod select;
mod session_functions;
mod system_views;
mod types;
mod updatable;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) use assign::RowExpressions;
pub(crate) use change::{ChangeClauses, SetTarget};
pub(crate) use from::parse_module;
pub(crate) use names::{Resolved, alias_of};
pub(crate) use params::{ParamSource, SystemValue, VariableTypes};
pub(crate) use query::{BoundQuery, OutColumn, max_recursion, named_columns};
pub(crate) use scope::*;
pub(crate) use types::{bind_type, declared_type};

use crate::catalog::Catalog;
use crate::error::SqlError;
use crate::session::{Settings, Shared};
use crate::types::Collation;

/// What binding looks at besides the statement.
#[derive(Clone, Copy)]
pub(crate) struct BindEnv<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) settings: &'a Settings,
    /// The current database.
    pub(crate) database: i32,
    /// Where names without a schema are looked for first: the module's schema, or the user's default one.
    pub(crate) schema: i32,
    pub(crate) variables: &'a dyn VariableTypes,
    /// A procedure runs: its owner's objects are open to it, whoever calls it.
    pub(crate) in_module: bool,
}

/// Binds one statement.
pub(crate) struct Binder<'a> {
    pub(crate) env: BindEnv<'a>,
    /// What `?1`, `?2`, ... stand for.
    pub(crate) params: Vec<ParamSource>,
    /// Databases that the lowered SQL reads.
    pub(crate) databases: BTreeSet<i32>,
    /// Innermost last.
    pub(crate) scopes: Vec<Scope>,
    pub(crate) ctes: Vec<CteScope>,
    next_alias: u32,
    /// Views and functions being expanded, so that a cycle ends.
    expanding: Vec<(i32, i32)>,
    /// The arguments and variables of the function being expanded: they hide the session's.
    arguments: Vec<BTreeMap<String, Bound>>,
    expansion: scalar::Expansion,
    catalogs: BTreeMap<i32, Arc<Catalog>>,
    /// Databases that a hint (UPDLOCK and its kin) asks to be locked while the statement reads.
    pub(crate) locks: BTreeSet<i32>,
    /// Set while a query is bound that a statement writes through.
    wish: updatable::Wish,
    /// How deep subqueries are nested.
    depth: u32,
}

/// A common table expression in scope.
#[derive(Debug, Clone)]
pub(crate) struct CteScope {
    pub(crate) name: String,
    pub(crate) sqlite_name: String,
    pub(crate) columns: Vec<OutColumn>,
    /// Of a recursive one, how deep it may go (MAXRECURSION; 0 has no limit).
    pub(crate) depth: Option<u64>,
}

/// Subqueries, views and functions nest at most this deep (SQL Server: 32 levels).
const DEPTH_MAX: u32 = 40;

impl<'a> Binder<'a> {
    pub(crate) fn new(env: BindEnv<'a>) -> Binder<'a> {
        Binder {
            env,
            params: Vec::new(),
            databases: BTreeSet::new(),
            scopes: Vec::new(),
            ctes: Vec::new(),
            next_alias: 0,
            expanding: Vec::new(),
            arguments: Vec::new(),
            expansion: scalar::Expansion::default(),
            catalogs: BTreeMap::new(),
            locks: BTreeSet::new(),
            wish: updatable::Wish::default(),
            depth: 0,
        }
    }

    /// A fresh SQLite alias.
    pub(crate) fn alias(&mut self) -> String {
        self.next_alias += 1;
        format!("q{}", self.next_alias)
    }

    /// The collation of the current database, which literals and variables have.
    pub(crate) fn database_collation(&mut self) -> Collation {
        self.catalog(self.env.database).map_or_else(|_| Collation::default(), |c| c.collation)
    }

    /// The catalog of a database as this statement sees it; 0 is the session's temporary objects.
    pub(crate) fn catalog(&mut self, database: i32) -> Result<Arc<Catalog>, SqlError> {
        if let Some(catalog) = self.catalogs.get(&database) {
            return Ok(Arc::clone(catalog));
        }
        let catalog = if database == 0 {
            Arc::clone(&self.env.shared.state().temp)
        } else {
            self.env.shared.catalog(database)?
        };
        self.catalogs.insert(database, Arc::clone(&catalog));
        Ok(catalog)
    }

    /// Runs `work` one level deeper.
    pub(crate) fn nested<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, SqlError>,
    ) -> Result<T, SqlError> {
        if self.depth >= DEPTH_MAX {
            return Err(SqlError::nested_too_deeply());
        }
        self.depth += 1;
        let done = work(self);
        self.depth -= 1;
        done
    }

    pub(crate) fn scope(&mut self) -> &mut Scope {
        if self.scopes.is_empty() {
            self.scopes.push(Scope::default());
        }
        let last = self.scopes.len() - 1;
        &mut self.scopes[last]
    }
}
