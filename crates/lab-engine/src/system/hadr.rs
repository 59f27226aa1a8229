//! Views of availability groups: the columns are here, the rows come from whoever holds the groups.

use std::sync::{Arc, PoisonError};

use lab_store::Lsn;
use rusqlite::types::Value;

use super::scripts::Empty;
use crate::error::SqlError;
use crate::server::Server;
use crate::session::Shared;
use crate::types::{Moment, SqlType, decimal_value, guid_from_wire, temporal_value};

/// A value of a view.
#[derive(Debug, Clone, PartialEq)]
pub enum ViewValue {
    /// NULL.
    Null,
    /// A bit.
    Bit(bool),
    /// An integer of whatever size the column has.
    Int(i64),
    /// A character string.
    Text(String),
    /// A GUID as it is on the wire.
    Guid([u8; 16]),
    /// Bytes.
    Binary(Vec<u8>),
    /// A time, 100 ns since 0001-01-01, for any of the temporal types.
    Time(i64),
    /// A position in a log.
    Lsn(Lsn),
    /// A number with no places behind the point.
    Numeric(i128),
    /// A table by its database's name and its id, shown as schema and name; NULL if it is gone.
    Table(String, i32),
}

/// A row: names of columns with their values. What is not named is NULL.
pub type ViewRow = Vec<(&'static str, ViewValue)>;

/// Whoever holds the availability groups.
pub trait HadrViews: Send + Sync {
    /// The rows of a view, named as `sys.availability_groups`, in lower case. None for a view that it does not know.
    fn rows(&self, view: &str) -> Vec<ViewRow>;

    /// `sys.fn_hadr_backup_is_preferred_replica` of a database in a group.
    fn backup_is_preferred(&self, database: &str) -> bool {
        // The only replica of a group is the preferred one whatever the preference is.
        let _ = database;
        true
    }
}

impl Server {
    /// Sets where the views of availability groups get their rows from.
    pub fn install_hadr_views(&self, views: Arc<dyn HadrViews>) {
        *self.hadr_views.write().unwrap_or_else(PoisonError::into_inner) = Some(views);
    }

    pub(crate) fn hadr_views(&self) -> Option<Arc<dyn HadrViews>> {
        self.hadr_views.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The rows of a view as its columns have them.
pub(super) fn rows(shared: &Shared, view: &Empty) -> Result<Vec<Vec<Value>>, SqlError> {
    let Some(views) = shared.server.hadr_views() else { return Ok(Vec::new()) };
    let given = views.rows(&format!("{}.{}", view.schema, view.name).to_lowercase());
    given
        .iter()
        .map(|row| {
            let cell = |(name, ty, _): &(String, SqlType, bool)| {
                let found = row.iter().find(|(column, _)| *column == name);
                found.map_or(Ok(Value::Null), |(_, value)| stored(shared, value, *ty))
            };
            view.columns.iter().map(cell).collect()
        })
        .collect()
}

fn stored(shared: &Shared, value: &ViewValue, ty: SqlType) -> Result<Value, SqlError> {
    Ok(match value {
        ViewValue::Null => Value::Null,
        ViewValue::Bit(b) => Value::Integer(i64::from(*b)),
        ViewValue::Int(n) if ty.is_decimal() => decimal_value(i128::from(*n), ty.precision())?,
        ViewValue::Int(n) => Value::Integer(*n),
        ViewValue::Text(text) => Value::Text(text.clone()),
        ViewValue::Guid(bytes) => Value::Blob(guid_from_wire(*bytes)),
        ViewValue::Binary(bytes) => Value::Blob(bytes.clone()),
        ViewValue::Time(ticks) => temporal_value(Moment::from_total(*ticks, 0), ty)?,
        ViewValue::Numeric(n) => decimal_value(*n, ty.precision())?,
        ViewValue::Lsn(lsn) => decimal_value(lsn.numeric(), ty.precision())?,
        ViewValue::Table(database, id) => {
            table_name(&shared.server, database, *id).map_or(Value::Null, Value::Text)
        }
    })
}

/// Read past the role of the database: the name is not its content.
fn table_name(server: &Server, database: &str, id: i32) -> Option<String> {
    let catalog = server.database_named(database)?.catalog().ok()?;
    let object = catalog.object(id)?;
    Some(format!("{}.{}", catalog.schema_name(object.schema), object.name))
}
