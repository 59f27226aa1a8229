//! The functions that lowered SQL calls, and T-SQL's built-ins in terms of them.

mod aggregates;
mod builtins;
mod dates;
mod format;
mod hash;
mod json;
mod like;
mod moments;
mod operators;
mod scalar;
mod tables;
mod zones;

use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::types::Value;

pub(crate) use builtins::bind_builtin;
use dates::bind_rest as builtins_bind_rest;
pub(crate) use operators::{arithmetic_sql, coerce_sql, lenient_sql, negate_sql};
pub(crate) use scalar::pack;

use crate::session::Shared;
use crate::types::{Collation, ConvertContext, DateFormat, SqlType};

/// An argument of a built-in: lowered SQL and what is known about it.
#[derive(Debug, Clone)]
pub(crate) struct Arg {
    pub(crate) sql: String,
    pub(crate) ty: SqlType,
    pub(crate) nullable: bool,
    pub(crate) collation: Option<Collation>,
    pub(crate) literal: Option<Value>,
    pub(crate) is_null_literal: bool,
}

/// What a built-in became.
#[derive(Debug, Clone)]
pub(crate) struct Lowered {
    pub(crate) sql: String,
    pub(crate) ty: SqlType,
    pub(crate) nullable: bool,
    pub(crate) collation: Option<Collation>,
}

/// What binding a built-in depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BindEnv {
    pub(crate) date_format: DateFormat,
    pub(crate) date_first: u8,
    pub(crate) collation: Collation,
}

impl BindEnv {
    pub(crate) fn context(&self) -> ConvertContext {
        ConvertContext { date_format: self.date_format, collation: self.collation }
    }
}

/// Registers everything on a connection, for the session whose settings count.
pub(crate) fn register(conn: &Connection, shared: &Arc<Shared>) -> rusqlite::Result<()> {
    for collation in Collation::all() {
        conn.create_collation(collation.name(), move |a, b| collation.compare(a, b))?;
    }
    operators::register(conn, shared)?;
    scalar::register(conn, shared)?;
    tables::register(conn)?;
    like::register(conn)?;
    aggregates::register(conn)
}
