//! What the server tells about itself: catalog views, and functions of the catalog.
//!
//! A view's rows are made when it is read, from the catalog and the server's state; SQL reaches them as
//! `json_each(t_view('sys.tables', database))`, one packed row for each element.

mod databases;
mod dynamic;
mod facts;
mod hadr;
mod meta;
mod objects;
mod properties;
mod schema;
mod scripts;
mod security;

use std::sync::Arc;

use lab_tsql::ast::ObjectName;
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::Value;

pub(crate) use databases::sizes;
pub(crate) use dynamic::SETTINGS;
pub(crate) use facts::TABLE_ROWS;
pub use hadr::{HadrViews, ViewRow, ViewValue};
pub(crate) use meta::{META_FUNCTIONS, split_name};
pub(crate) use scripts::{Empty, Script, script_function};

use crate::catalog::same_name;
use crate::error::SqlError;
use crate::session::Shared;
use crate::types::SqlType;

/// A system view: its columns, and where its rows come from.
pub(crate) struct View {
    pub(crate) schema: &'static str,
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [(&'static str, SqlType, bool)],
    rows: fn(&Shared, i32) -> Result<Vec<Vec<Value>>, SqlError>,
}

impl View {
    /// What `t_view` is told.
    pub(crate) fn key(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}

/// What a name in `sys` or INFORMATION_SCHEMA stands for.
pub(crate) enum SystemView {
    Native(&'static View),
    Script(Arc<Script>),
    Empty(Arc<Empty>),
}

/// The old names of catalog views live in every schema that a script may write in front of them, and in none.
fn is_old(name: &str) -> bool {
    const OLD: &[&str] = &[
        "sysobjects",
        "sysdatabases",
        "sysusers",
        "syscolumns",
        "systypes",
        "sysindexes",
        "syslogins",
        "syscomments",
        "sysindexkeys",
        "sysforeignkeys",
        "sysreferences",
        "sysconstraints",
        "sysfiles",
        "sysaltfiles",
        "sysfilegroups",
        "sysmembers",
        "sysdepends",
        "syspermissions",
        "sysprotects",
        "sysprocesses",
        "sysconfigures",
        "syscurconfigs",
        "sysservers",
        "sysmessages",
        "syscharsets",
        "syslanguages",
        "spt_values",
    ];
    OLD.iter().any(|c| same_name(c, name))
}

/// The system view of that name; a script whose id is in `inside` is being expanded and means the view it widens.
pub(crate) fn view_named(name: &ObjectName, inside: &[(i32, i32)]) -> Option<SystemView> {
    let old = is_old(name.name());
    let schema = match name.schema() {
        Some(schema) => schema,
        None if old => "sys",
        None => return None,
    };
    let schema = if old && same_name(schema, "dbo") { "sys" } else { schema };
    if let Some(script) = scripts::script_view(schema, name.name())
        && !inside.iter().any(|(_, id)| *id == script.id)
    {
        return Some(SystemView::Script(script));
    }
    let native = all().find(|v| same_name(v.schema, schema) && same_name(v.name, name.name()));
    native.map(SystemView::Native).or_else(|| scripts::empty_view(schema, name.name()).map(SystemView::Empty))
}

fn all() -> impl Iterator<Item = &'static View> {
    objects::VIEWS
        .iter()
        .chain(schema::VIEWS)
        .chain(databases::VIEWS)
        .chain(dynamic::VIEWS)
        .chain(facts::VIEWS)
        .chain(security::VIEWS)
}

/// Every system object: id, schema, name, and whether it is a function.
fn system_objects() -> Vec<(i32, String, String, bool)> {
    // Views of our own, in `lab`, are no objects of SQL Server: its catalog does not list them.
    let native = all().filter(|v| v.schema != "lab").map(|v| {
        (scripts::system_id(&v.key().to_lowercase()), v.schema.to_owned(), v.name.to_owned(), false)
    });
    let mut out: Vec<(i32, String, String, bool)> = scripts::listed().collect();
    // A script that widens a view is that view.
    let more: Vec<_> = native.filter(|(id, ..)| !out.iter().any(|(known, ..)| known == id)).collect();
    out.extend(more);
    out
}

/// Registers `t_view` and `t_meta` on a session's connection.
pub(crate) fn register(conn: &Connection, shared: &Arc<Shared>) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS;
    let session = Arc::clone(shared);
    conn.create_scalar_function("t_view", 2, flags, move |c| {
        let (key, database): (String, i32) = (c.get(0)?, c.get(1)?);
        let rows = match (all().find(|v| v.key() == key), scripts::empty_view_by_key(&key)) {
            (Some(view), _) => (view.rows)(&session, database),
            (None, Some(view)) => hadr::rows(&session, &view),
            (None, None) => Err(SqlError::invalid_object(&key)),
        };
        let rows = rows.map_err(|e| e.to_carrier())?;
        let packed: Vec<String> = rows.iter().map(|r| crate::functions::pack(r)).collect();
        serde_json::to_string(&packed).map_err(|e| SqlError::internal(e).to_carrier())
    })?;
    let session = Arc::clone(shared);
    conn.create_scalar_function("t_meta", -1, flags, move |c| {
        let (name, database): (String, i32) = (c.get(0)?, c.get(1)?);
        let args: Vec<Value> = (2..c.len()).map(|n| c.get(n)).collect::<rusqlite::Result<_>>()?;
        meta::call(&session, &name, database, &args).map_err(|e| e.to_carrier())
    })
}

fn int(n: impl Into<i64>) -> Value {
    Value::Integer(n.into())
}

fn bit(b: bool) -> Value {
    Value::Integer(i64::from(b))
}

fn text(t: impl Into<String>) -> Value {
    Value::Text(t.into())
}
