//! API cursors: sp_cursoropen and its kin.
//!
//! A cursor's rows are read when it is opened: it is static and read-only, whatever was asked for, and says so in the
//! scroll and concurrency options it returns, as SQL Server does when it converts a cursor's type.

use super::args::{done, int, int_output, text};
use crate::error::SqlError;
use crate::exec::call::{Passed, Returned};
use crate::exec::cursor::{Cursor, CursorSink};
use crate::exec::{Frame, Stop};
use crate::session::Session;
use crate::sink::{Done, DoneKind, Sink};

/// scrollopt: a static, forward-only or scrollable, cursor.
const STATIC: i64 = 0x8;
/// A flag of fetch types that has no meaning for a read-only cursor.
const SKIP_CONCURRENCY: i64 = 0x400;
/// ccopt: read-only.
const READ_ONLY: i64 = 0x1;

/// sp_cursoropen @cursor OUTPUT, @stmt, @scrollopt OUTPUT, @ccopt OUTPUT, @rowcount OUTPUT, @paramdef, values...
pub(super) fn open(
    session: &mut Session,
    _: &Frame,
    passed: &[Passed],
    sink: &mut dyn Sink,
) -> Result<Returned, Stop> {
    let statement = text(passed, 1, "@stmt").unwrap_or_default();
    let declared = text(passed, 5, "@paramdef").unwrap_or_default();
    let (handle, rows) = session.open_cursor(&statement, &declared, passed, 6, sink)?;
    Ok(Returned {
        status: 0,
        outputs: vec![
            int_output(0, handle),
            int_output(2, STATIC),
            int_output(3, READ_ONLY),
            int_output(4, rows),
        ],
    })
}

/// sp_cursorprepexec @handle OUTPUT, @cursor OUTPUT, @params, @stmt, @scrollopt OUTPUT, @ccopt OUTPUT, @rowcount OUTPUT, values...
pub(super) fn prepare_and_open(
    session: &mut Session,
    _: &Frame,
    passed: &[Passed],
    sink: &mut dyn Sink,
) -> Result<Returned, Stop> {
    let declared = text(passed, 2, "@params").unwrap_or_default();
    let statement = text(passed, 3, "@stmt").unwrap_or_default();
    let prepared = session.keep_prepared(&statement, &declared)?;
    let (handle, rows) = session.open_cursor(&statement, &declared, passed, 7, sink)?;
    let outputs = vec![
        int_output(0, prepared.into()),
        int_output(1, handle),
        int_output(4, STATIC),
        int_output(5, READ_ONLY),
        int_output(6, rows),
    ];
    Ok(Returned { status: 0, outputs })
}

/// sp_cursorexecute @handle, @cursor OUTPUT, @scrollopt OUTPUT, @ccopt OUTPUT, @rowcount OUTPUT, values...
pub(super) fn execute(
    session: &mut Session,
    _: &Frame,
    passed: &[Passed],
    sink: &mut dyn Sink,
) -> Result<Returned, Stop> {
    let handle = int(passed, 0, "@handle").unwrap_or(0);
    let prepared = session
        .prepared
        .get(&(handle as i32))
        .cloned()
        .ok_or_else(|| SqlError::no_prepared_handle(&handle.to_string()))?;
    let (cursor, rows) = session.open_cursor(&prepared.statement, &prepared.declared, passed, 5, sink)?;
    Ok(Returned {
        status: 0,
        outputs: vec![
            int_output(1, cursor),
            int_output(2, STATIC),
            int_output(3, READ_ONLY),
            int_output(4, rows),
        ],
    })
}

/// sp_cursorfetch @cursor, @fetchtype, @rownum OUTPUT, @nrows OUTPUT
pub(super) fn fetch(
    session: &mut Session,
    _: &Frame,
    passed: &[Passed],
    sink: &mut dyn Sink,
) -> Result<Returned, Stop> {
    let kind = int(passed, 1, "@fetchtype").unwrap_or(2);
    let number = int(passed, 2, "@rownum").unwrap_or(0);
    let count = int(passed, 3, "@nrows").unwrap_or(20);
    let cursor = session.cursor(passed)?;
    if kind & 0x100 != 0 {
        let outputs = vec![int_output(2, cursor.position()), int_output(3, cursor.rows.len() as i64)];
        return Ok(Returned { status: 0, outputs });
    }
    let rows = cursor.fetch(kind & !SKIP_CONCURRENCY, number, count).ok_or_else(|| {
        SqlError::new(
            16911,
            16,
            1,
            format!("sp_cursorfetch: The fetch type {kind} cannot be used with this cursor."),
        )
    })?;
    sink.columns(&cursor.columns);
    for row in rows.clone() {
        if let Some(row) = cursor.rows.get(row) {
            sink.row(row).map_err(|_| Stop::Closed)?;
        }
    }
    sink.done(Done {
        kind: DoneKind::InProc,
        rows: Some(rows.len() as u64),
        command: Done::SELECT,
        error: false,
    });
    done()
}

/// sp_cursorclose @cursor; -1 closes all.
pub(super) fn close(
    session: &mut Session,
    _: &Frame,
    passed: &[Passed],
    _: &mut dyn Sink,
) -> Result<Returned, Stop> {
    match int(passed, 0, "@cursor") {
        Some(-1) => session.cursors.clear(),
        Some(handle) if session.cursors.close(handle) => {}
        other => return Err(no_cursor(other.unwrap_or(0)).into()),
    }
    done()
}

/// sp_cursoroption @cursor, @code, @value: names and text pointers, which nothing here depends on.
pub(super) fn option(
    session: &mut Session,
    _: &Frame,
    passed: &[Passed],
    _: &mut dyn Sink,
) -> Result<Returned, Stop> {
    session.cursor(passed)?;
    done()
}

/// sp_cursor: positioned updates, which a read-only cursor refuses.
pub(super) fn positioned(
    session: &mut Session,
    _: &Frame,
    passed: &[Passed],
    _: &mut dyn Sink,
) -> Result<Returned, Stop> {
    session.cursor(passed)?;
    Err(SqlError::new(16929, 16, 1, "The cursor is READ ONLY.").into())
}

fn no_cursor(handle: i64) -> SqlError {
    SqlError::new(
        16909,
        16,
        1,
        format!("sp_cursor: The cursor identifier value provided ({handle:x}) is not valid."),
    )
}

impl Session {
    fn cursor(&mut self, passed: &[Passed]) -> Result<&mut Cursor, Stop> {
        let handle = int(passed, 0, "@cursor").unwrap_or(0);
        self.cursors.get(handle).ok_or_else(|| no_cursor(handle).into())
    }

    /// Runs a cursor's query and keeps its rows; the handle, and how many there are.
    fn open_cursor(
        &mut self,
        statement: &str,
        declared: &str,
        passed: &[Passed],
        first: usize,
        sink: &mut dyn Sink,
    ) -> Result<(i64, i64), Stop> {
        let mut rows = CursorSink::new(sink);
        self.run_parameterised(statement, declared, passed, first, &mut rows)?;
        let cursor = rows.into_cursor().ok_or_else(|| SqlError::new(16937, 16, 1, "A server cursor cannot be opened on the given statement or statements. Use a default result set or client cursor."))?;
        sink.columns(&cursor.columns);
        sink.done(Done { kind: DoneKind::InProc, rows: None, command: Done::SELECT, error: false });
        let count = cursor.rows.len() as i64;
        let handle = self.cursors.add(cursor).ok_or_else(|| {
            SqlError::new(
                16955,
                16,
                1,
                "Could not create an acceptable cursor: too many cursors are open in this session.",
            )
        })?;
        Ok((handle, count))
    }
}
