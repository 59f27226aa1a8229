//! sp_executesql and prepared statements.

use lab_tsql::parse_parameters;

use super::args::{done, int, int_output, text};
use super::describe::columns_of;
use crate::error::SqlError;
use crate::exec::call::{Passed, Returned};
use crate::exec::query::metadata;
use crate::exec::{Frame, Prepared, Stop};
use crate::session::Session;
use crate::sink::{Done, DoneKind, Sink};

/// sp_executesql @stmt, @params, values...
pub(super) fn execute_sql(
    session: &mut Session,
    _: &Frame,
    passed: &[Passed],
    sink: &mut dyn Sink,
) -> Result<Returned, Stop> {
    let statement = text(passed, 0, "@stmt")
        .or_else(|| text(passed, 0, "@statement"))
        .or_else(|| first_text(passed))
        .ok_or_else(|| {
            SqlError::new(
                214,
                16,
                2,
                "Procedure expects parameter '@statement' of type 'ntext/nchar/nvarchar'.",
            )
        })?;
    let declared = match passed.get(1) {
        Some(_) => first_text(passed.get(1..).unwrap_or_default()).unwrap_or_default(),
        None => String::new(),
    };
    session.run_parameterised(&statement, &declared, passed, 2, sink)
}

fn first_text(passed: &[Passed]) -> Option<String> {
    match passed.first()?.value.as_ref()? {
        rusqlite::types::Value::Text(text) => Some(text.clone()),
        _ => None,
    }
}

/// sp_prepare @handle OUTPUT, @params, @stmt, @options
pub(super) fn prepare(
    session: &mut Session,
    _: &Frame,
    passed: &[Passed],
    sink: &mut dyn Sink,
) -> Result<Returned, Stop> {
    let statement = text(passed, 2, "@stmt").unwrap_or_default();
    let declared = text(passed, 1, "@params").unwrap_or_default();
    let handle = session.keep_prepared(&statement, &declared)?;
    if let Ok(Some(columns)) = columns_of(session, &statement, &declared) {
        sink.columns(&metadata(&columns, session.database_collation()));
        sink.done(Done { kind: DoneKind::InProc, rows: None, command: Done::SELECT, error: false });
    }
    Ok(Returned { status: 0, outputs: vec![int_output(0, handle.into())] })
}

/// sp_prepexec @handle OUTPUT, @params, @stmt, values...
pub(super) fn prepare_and_execute(
    session: &mut Session,
    _: &Frame,
    passed: &[Passed],
    sink: &mut dyn Sink,
) -> Result<Returned, Stop> {
    let declared = text(passed, 1, "@params").unwrap_or_default();
    let statement = text(passed, 2, "@stmt").unwrap_or_default();
    let handle = session.keep_prepared(&statement, &declared)?;
    // A handle passed in is the one that the client no longer wants.
    if let Some(old) = int(passed, 0, "@handle") {
        session.prepared.remove(&(old as i32));
    }
    let mut returned = session.run_parameterised(&statement, &declared, passed, 3, sink)?;
    returned.outputs.insert(0, int_output(0, handle.into()));
    Ok(returned)
}

/// sp_execute @handle, values...
pub(super) fn execute(
    session: &mut Session,
    _: &Frame,
    passed: &[Passed],
    sink: &mut dyn Sink,
) -> Result<Returned, Stop> {
    let handle = int(passed, 0, "@handle").unwrap_or(0);
    let found = session.prepared.get(&(handle as i32)).cloned();
    let prepared = found.ok_or_else(|| SqlError::no_prepared_handle(&handle.to_string()))?;
    session.run_parameterised(&prepared.statement, &prepared.declared, passed, 1, sink)
}

/// sp_unprepare @handle
pub(super) fn unprepare(
    session: &mut Session,
    _: &Frame,
    passed: &[Passed],
    _: &mut dyn Sink,
) -> Result<Returned, Stop> {
    let handle = int(passed, 0, "@handle").unwrap_or(0);
    session
        .prepared
        .remove(&(handle as i32))
        .ok_or_else(|| SqlError::no_prepared_handle(&handle.to_string()))?;
    done()
}

/// sp_prepexecrpc is for remote procedures by name, which no client in use today sends.
pub(super) fn prepare_rpc(
    _: &mut Session,
    _: &Frame,
    _: &[Passed],
    _: &mut dyn Sink,
) -> Result<Returned, Stop> {
    Err(SqlError::unsupported("sp_prepexecrpc").into())
}

impl Session {
    pub(super) fn keep_prepared(&mut self, statement: &str, declared: &str) -> Result<i32, Stop> {
        const MAX: usize = 4096;
        // What cannot be parsed is refused now, as SQL Server does.
        lab_tsql::parse_batch(
            statement,
            &lab_tsql::ParseOptions { quoted_identifier: self.settings.quoted_identifier },
        )
        .map_err(SqlError::from)?;
        parse_parameters(declared).map_err(SqlError::from)?;
        if self.prepared.len() >= MAX {
            return Err(SqlError::new(
                701,
                17,
                123,
                "There is insufficient system memory for another prepared statement of this session.",
            )
            .into());
        }
        self.next_handle += 1;
        self.prepared.insert(
            self.next_handle,
            Prepared { statement: statement.to_owned(), declared: declared.to_owned() },
        );
        Ok(self.next_handle)
    }

    /// Runs text with parameters whose values start at `first` among the arguments.
    pub(super) fn run_parameterised(
        &mut self,
        statement: &str,
        declared: &str,
        passed: &[Passed],
        first: usize,
        sink: &mut dyn Sink,
    ) -> Result<Returned, Stop> {
        let parameters = parse_parameters(declared).map_err(SqlError::from)?;
        let values: Vec<Passed> = passed.get(first..).unwrap_or_default().to_vec();
        let mut inner = Frame::inner();
        let places = self.bind_parameters(&mut inner, &parameters, values).map_err(|stop| match stop {
            Stop::Error(e) if e.number == 201 => {
                let name = e.message.split('\'').nth(3).unwrap_or_default().to_owned();
                let head: String = format!("({declared}){statement}").chars().take(256).collect();
                Stop::Error(SqlError::missing_parameter_value(&head, &name))
            }
            other => other,
        })?;
        let inner = self.run_dynamic(inner, statement, sink)?;
        let outputs = places
            .into_iter()
            .filter_map(|(at, name)| inner.variables.get(&name).map(|v| (at + first, v.clone())))
            .collect();
        Ok(Returned { status: 0, outputs })
    }
}
