//! Procedures that prepare an instance for a link.

use rusqlite::types::Value;

use super::args::{done, int};
use crate::error::SqlError;
use crate::exec::call::{Passed, Returned};
use crate::exec::{Frame, Stop};
use crate::server::{Flavor, Release};
use crate::session::Session;
use crate::sink::{ColumnMeta, Done, DoneKind, Sink};
use crate::types::SqlType;

/// sp_multidb_milink [0 | 1]: without an argument it tells whether links with several databases are on.
pub(super) fn multi_database(
    session: &mut Session,
    _: &Frame,
    passed: &[Passed],
    sink: &mut dyn Sink,
) -> Result<Returned, Stop> {
    if !matches!(session.server.flavor(), Flavor::SqlServer(Release::Sql2022 | Release::Sql2025)) {
        return Err(SqlError::procedure_not_found("sys.sp_multidb_milink").into());
    }
    if !session.shared.state().sysadmin {
        return Err(SqlError::no_permission().into());
    }
    if passed.is_empty() {
        let on = session.server.multi_database_link();
        sink.columns(&[ColumnMeta::new("", SqlType::Int)]);
        sink.row(&[Value::Integer(on.into())]).map_err(|_| Stop::Closed)?;
        sink.done(Done { kind: DoneKind::InProc, rows: Some(1), command: Done::SELECT, error: false });
        return done();
    }
    let name = passed.first().map_or("", |p| p.name.as_str()).to_owned();
    let value = match int(passed, 0, &name) {
        Some(0) => false,
        Some(1) => true,
        other => {
            let shown = other.map_or_else(|| "NULL".to_owned(), |n| n.to_string());
            let text =
                format!("'{shown}' is not a valid value for configuration option 'sp_multidb_milink'.");
            return Err(SqlError::new(15129, 16, 1, text).into());
        }
    };
    session.outside_transactions("sp_multidb_milink")?;
    session.server.set_multi_database_link(value)?;
    done()
}
