//! sp_readerrorlog, xp_readerrorlog, sp_cycle_errorlog.

use rusqlite::types::Value;

use super::args::{argument, done, int, text};
use crate::error::SqlError;
use crate::exec::call::{Passed, Returned};
use crate::exec::{Frame, Stop};
use crate::session::Session;
use crate::sink::{ColumnMeta, Done, DoneKind, Sink};
use crate::types::{ConvertContext, ConvertKind, Len, SqlType, convert};

/// The logs that @p2 can name.
const ERROR_LOG: i64 = 1;

/// sp_readerrorlog @p1, @p2, @p3, @p4: number of the log, which one, and two texts that a line must hold.
pub(super) fn read(
    session: &mut Session,
    _: &Frame,
    passed: &[Passed],
    sink: &mut dyn Sink,
) -> Result<Returned, Stop> {
    if !session.shared.has_server_role("securityadmin") {
        let text = "Only members of the securityadmin role can execute this stored procedure.";
        return Err(SqlError::new(15003, 16, 1, text).into());
    }
    if int(passed, 1, "@p2").unwrap_or(ERROR_LOG) != ERROR_LOG {
        return Err(SqlError::unsupported("sp_readerrorlog of SQL Server Agent").into());
    }
    let number = int(passed, 0, "@p1").unwrap_or(0);
    let lines = u32::try_from(number).ok().and_then(|number| session.server.error_log.read(number));
    let lines = lines.ok_or_else(|| {
        let text = "xp_readerrorlog() returned error 2, 'The system cannot find the file specified.'";
        SqlError::new(22004, 16, 1, text)
    })?;
    let wanted = [text(passed, 2, "@p3"), text(passed, 3, "@p4")]
        .map(|search| search.unwrap_or_default().to_lowercase());
    let from = moment(passed, 4, "@p5")?.unwrap_or(i64::MIN);
    let to = moment(passed, 5, "@p6")?.unwrap_or(i64::MAX);
    let backwards = text(passed, 6, "@p7").is_some_and(|order| order.trim().eq_ignore_ascii_case("desc"));
    let mut rows: Vec<[Value; 3]> = lines
        .into_iter()
        .filter(|line| (from..=to).contains(&line.when))
        .filter(|line| {
            let text = line.text.to_lowercase();
            wanted.iter().all(|search| text.contains(search))
        })
        .map(|line| [Value::Integer(line.when), Value::Text(line.source), Value::Text(line.text)])
        .collect();
    if backwards {
        rows.reverse();
    }
    sink.columns(&[
        ColumnMeta::new("LogDate", SqlType::DateTime),
        ColumnMeta::new("ProcessInfo", SqlType::nvarchar(50)),
        ColumnMeta::new("Text", SqlType::NVarChar { len: Len::Max }),
    ]);
    for row in &rows {
        sink.row(row).map_err(|_| Stop::Closed)?;
    }
    let rows = Some(rows.len() as u64);
    sink.done(Done { kind: DoneKind::InProc, rows, command: Done::SELECT, error: false });
    done()
}

/// A point in time, as text or as a value of a date type.
fn moment(passed: &[Passed], at: usize, name: &str) -> Result<Option<i64>, SqlError> {
    let Some(Passed { value: Some(value), ty, .. }) = argument(passed, at, name) else { return Ok(None) };
    let context = ConvertContext::default();
    match convert(value, *ty, SqlType::DateTime, None, ConvertKind::Explicit, &context)? {
        Value::Integer(when) => Ok(Some(when)),
        _ => Ok(None),
    }
}

/// sp_cycle_errorlog
pub(super) fn cycle(
    session: &mut Session,
    _: &Frame,
    passed: &[Passed],
    sink: &mut dyn Sink,
) -> Result<Returned, Stop> {
    if !session.shared.state().sysadmin {
        let text = "Only members of the sysadmin role can execute this stored procedure.";
        return Err(SqlError::new(15003, 16, 1, text).into());
    }
    if !passed.is_empty() {
        return Err(SqlError::no_parameters("sp_cycle_errorlog").into());
    }
    session.server.error_log.cycle();
    let source = format!("spid{}", session.id());
    session.server.log_event(&source, &session.server.flavor().version_text());
    let text = "The error log has been reinitialized. See the previous log for older entries.";
    session.server.log_event(&source, text);
    let text = "DBCC execution completed. If DBCC printed error messages, contact your system administrator.";
    sink.info(&SqlError::new(2528, 0, 1, text));
    done()
}
